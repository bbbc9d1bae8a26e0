/* SHA-256 on the vectors that NIST publishes with FIPS 180-4, and on every way to cut a message
   into parts. */
#include "support.h"

#include "weights/sha.h"

static void published_vectors(void **state) {
    (void)state;
    static const char *const vectors[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < PIAA_COUNT(vectors); i++) {
        piaa_sha hash;
        char digest[PIAA_SHA_HEX];
        piaa_sha256_begin(&hash);
        piaa_sha_add(&hash, vectors[i][0], strlen(vectors[i][0]));
        piaa_sha_finish(&hash, digest);
        assert_string_equal(digest, vectors[i][1]);
    }
}

static void a_million_times_a(void **state) {
    (void)state;
    piaa_sha hash;
    char digest[PIAA_SHA_HEX], block[1000];
    memset(block, 'a', sizeof block);
    piaa_sha256_begin(&hash);
    for (int i = 0; i < 1000; i++) piaa_sha_add(&hash, block, sizeof block);
    piaa_sha_finish(&hash, digest);
    assert_string_equal(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void parts_make_the_whole(void **state) {
    (void)state;
    unsigned char message[200];
    for (size_t i = 0; i < sizeof message; i++) message[i] = (unsigned char)(i * 7);
    for (size_t size = 0; size <= sizeof message; size++) {
        char whole[65], parts[65];
        piaa_sha hash;
        piaa_sha256_begin(&hash);
        piaa_sha_add(&hash, message, size);
        piaa_sha_finish(&hash, whole);
        piaa_sha256_begin(&hash);
        for (size_t i = 0, step = 1; i < size; i += step, step = step % 5 + 1)
            piaa_sha_add(&hash, message + i, step < size - i ? step : size - i);
        piaa_sha_finish(&hash, parts);
        assert_string_equal(parts, whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(a_million_times_a),
        cmocka_unit_test(parts_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
