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

/* One photo is moved, one deleted: what is left is ranked, once. */
static void photos_that_are_gone(void **state) {
    (void)state;
    enum { PHOTOS = 6 };
    static const char *const left[] = {"lib/p0.jpg", "lib/p1.jpg", "lib/p2.jpg", "lib/p3.jpg",
                                       "lib/sorted/p4.jpg"};
    char name[32];
    make_folder("lib");
    make_folder("lib/sorted");
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(name, sizeof name, "lib/p%d.jpg", i);
        put_sample(i, name);
    }
    put("ratings.csv", "path,score\nlib/p0.jpg,4\nlib/p1.jpg,2\nlib/p5.jpg,5\n");
    expect_ok(PIAA("embed", "lib", "--out", "store", ONE));
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "t.json"));
    char *from = at("lib/p4.jpg"), *to = at("lib/sorted/p4.jpg"), *dropped = at("lib/p5.jpg");
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(unlink(dropped), 0);
    expect_ok(PIAA("embed", "lib", "--out", "store", ONE));
    assert_non_null(strstr(err, "2 photos that were read before are gone"));
    assert_non_null(strstr(err, "piaa store prune "));
    expect_ok(PIAA("predict", "--taste", "t.json", "--store", "store", "--csv"));
    expect_photos(left, PIAA_COUNT(left));
    assert_non_null(strstr(err, "2 of the store's 7 photos are gone"));
    expect_ok(PIAA("rank", "lib", "--store", "store", "--ratings", "ratings.csv", "--csv", ONE));
    expect_photos(left, PIAA_COUNT(left));
    assert_non_null(strstr(err, "2 photos that were read before are gone"));
    expect_ok(PIAA("store", "info", "store"));
    assert_non_null(strstr(out, "2 gone"));
    expect_ok(PIAA("store", "prune", "store"));
    assert_non_null(strstr(err, "2 photos were gone and forgotten"));
    expect_ok(PIAA("store", "list", "store", "--csv"));
    expect_photos(left, PIAA_COUNT(left));
    expect_ok(PIAA("store", "prune", "store"));
    assert_non_null(strstr(err, "Every photo of the store is there"));
    expect_ok(PIAA("predict", "--taste", "t.json", "--store", "store", "--csv"));
    assert_null(strstr(err, "gone"));
    /* One that comes back is known by its content: no row is added, and the model is not asked. */
    put_sample(5, "lib/p5.jpg");
    expect_ok(PIAA("embed", "lib", "--out", "store", ONE));
    assert_non_null(strstr(err, "6 photos: 5 unchanged, 1 with the content of another"));
    free(from);
    free(to);
    free(dropped);
    char *folder = at("lib"), *elsewhere = at("away"); /* a disk that was taken off */
    assert_int_equal(rename(folder, elsewhere), 0);
    expect_refusal(PIAA("predict", "--taste", "t.json", "--store", "store", "--csv"), 1,
                   "6 photos in store are all gone");
    free(folder);
    free(elsewhere);
    expect_refusal(PIAA("store", "prune", "nowhere"), 1, "nowhere");
}

/* Started in a folder that was deleted: whole paths work, and others are one clear line. */
static void deleted_working_folder(void **state) {
    (void)state;
    make_folder("lib");
    make_folder("here");
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "lib/p%d.jpg", i);
        put_sample(i, name);
    }
    put("ratings.csv", "path,score\nlib/p0.jpg,4\nlib/p1.jpg,2\n");
    char *here = at("here"), *lib = at("lib"), *ratings = at("ratings.csv");
    program_deletes = here;
    expect_ok(PIAA_IN("here", "rank", lib, "--ratings", ratings, "--csv", ONE));
    expect_refusal(PIAA_IN("here", "rank", ".", "--ratings", ratings, ONE), 1,
                   "the working folder is gone");
    expect_refusal(PIAA_IN("here", "rank", "lib", "--ratings", ratings, ONE), 1,
                   "the working folder is gone");
    expect_refusal(PIAA_IN("here", "embed", lib, "--out", "store", ONE), 1, "store");
    program_deletes = NULL;
    free(here);
    free(lib);
    free(ratings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(linked_photos, program_begin, program_end),
        cmocka_unit_test_setup_teardown(photos_that_are_gone, program_begin, program_end),
        cmocka_unit_test_setup_teardown(deleted_working_folder, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
