/* Folders as people have them: photos that are links, outputs named like inputs, photos that have
   gone; every command on them. */
#include "program.h"

/* The photos that the last run printed, sorted, are these below the world's folder. */
static void expect_photos(const char *const *names, size_t count) {
    piaa_paths printed = printed_column("path");
    piaa_paths_merge(&printed);
    assert_int_equal(printed.count, count);
    for (size_t i = 0; i < count; i++) {
        char *path = at(names[i]);
        assert_string_equal(printed.items[i], path);
        free(path);
    }
    piaa_paths_free(&printed);
}

static void expect_ratings(size_t count) {
    piaa_paths ratings = printed_column("rating");
    size_t filled = 0;
    for (size_t i = 0; i < ratings.count; i++) filled += *ratings.items[i] != '\0';
    assert_int_equal(filled, count);
    piaa_paths_free(&ratings);
}

/* Photos by checksum, links by name: ratings, rank, predict and explain speak of the links. */
static void linked_photos(void **state) {
    (void)state;
    enum { PHOTOS = 4 };
    static const char *const names[PHOTOS] = {"annex/2024/p0.jpg", "annex/2024/p1.jpg",
                                              "annex/2024/p2.jpg", "annex/2024/p3.jpg"};
    make_folder("annex");
    make_folder("annex/.objects");
    make_folder("annex/2024");
    for (int i = 0; i < PHOTOS; i++) {
        char key[32], target[32];
        snprintf(key, sizeof key, "annex/.objects/k%d", i);
        snprintf(target, sizeof target, "../.objects/k%d", i);
        put_sample(i, key);
        make_link(names[i], target);
    }
    put("annex/ratings.csv", "path,score\n2024/p0.jpg,4\n2024/p2.jpg,2\n2024/p3.jpg,5\n");
    expect_ok(PIAA("rank", "annex", "--ratings", "annex/ratings.csv", "--csv", ONE));
    expect_photos(names, PHOTOS);
    expect_ratings(3);
    expect_ok(PIAA("embed", "annex", "--out", "store", ONE));
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "annex/ratings.csv", "--out", "t.json"));
    expect_ok(PIAA("predict", "annex", "--taste", "t.json", "--csv", ONE));
    expect_photos(names, PHOTOS);
    put("annex/set.csv", "path,score,light\n2024/p0.jpg,4,1\n2024/p1.jpg,3,2\n2024/p2.jpg,2,5\n"
                         "2024/p3.jpg,5,1\n");
    expect_ok(PIAA("reduce", "--data", "csv:annex/set.csv", "--out", "p.json", ONE));
    expect_ok(
        PIAA("explain", "annex/2024", "--taste", "t.json", "--projection", "p.json", "--csv", ONE));
    expect_photos(names, PHOTOS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(linked_photos, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
