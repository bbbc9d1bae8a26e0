/* SHA-1 on the vectors that NIST publishes with FIPS 180-4, on git's names of two files, and on
   every way to cut a message into parts. */
#include "support.h"

#include "weights/sha.h"

static void check(const char *message, size_t size, const char *expected) {
    piaa_sha hash;
    char digest[PIAA_SHA_HEX];
    piaa_sha1_begin(&hash);
    piaa_sha_add(&hash, message, size);
    piaa_sha_finish(&hash, digest);
    assert_string_equal(digest, expected);
}

static void published_vectors(void **state) {
    (void)state;
    static const char *const vectors[][2] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mnopqrsmnopqrstnopqrstu",
         "a49b2446a02c645bf419f995b67091253a04a259"},
    };
    for (size_t i = 0; i < PIAA_COUNT(vectors); i++)
        check(vectors[i][0], strlen(vectors[i][0]), vectors[i][1]);
}

static void a_million_times_a(void **state) {
    (void)state;
    piaa_sha hash;
    char digest[PIAA_SHA_HEX], block[1000];
    memset(block, 'a', sizeof block);
    piaa_sha1_begin(&hash);
    for (int i = 0; i < 1000; i++) piaa_sha_add(&hash, block, sizeof block);
    piaa_sha_finish(&hash, digest);
    assert_string_equal(digest, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void names_of_git(void **state) {
    (void)state;
    check("blob 0", 7, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"); /* the NUL counts */
    check("blob 6\0hello\n", 13, "ce013625030ba8dba906f756967f9e9ca394464a");
}

static void parts_make_the_whole(void **state) {
    (void)state;
    unsigned char message[200];
    for (size_t i = 0; i < sizeof message; i++) message[i] = (unsigned char)(i * 7);
    for (size_t size = 0; size <= sizeof message; size++) {
        char whole[PIAA_SHA_HEX], parts[PIAA_SHA_HEX];
        piaa_sha hash;
        piaa_sha1_begin(&hash);
        piaa_sha_add(&hash, message, size);
        piaa_sha_finish(&hash, whole);
        piaa_sha1_begin(&hash);
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
        cmocka_unit_test(names_of_git),
        cmocka_unit_test(parts_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
