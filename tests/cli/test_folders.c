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
    expect_last_line(PIAA("predict", "--taste", "t.json", "--store", "store", "--csv"), 1,
                     "6 photos in store are all gone");
    free(folder);
    free(elsewhere);
    expect_last_line(PIAA("store", "prune", "nowhere"), 1, "nowhere");
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
    expect_last_line(PIAA_IN("here", "rank", ".", "--ratings", ratings, ONE), 1,
                     "the working folder is gone");
    expect_last_line(PIAA_IN("here", "rank", "lib", "--ratings", ratings, ONE), 1,
                     "the working folder is gone");
    expect_last_line(PIAA_IN("here", "embed", lib, "--out", "store", ONE), 1, "store");
    program_deletes = NULL;
    free(here);
    free(lib);
    free(ratings);
}

/* Every command that writes a file, over things of the user's: nothing changes, and one line says
   so before any work. */
static void outputs_over_other_things(void **state) {
    (void)state;
    static const char *const precious[] = {"lib/p0.jpg",         "best.jpg",
                                           "ratings.csv",        "notes.html",
                                           "notes.tex",          "my.gguf",
                                           "mmproj-out.gguf",    "taste.json",
                                           "eval.run/eval.json", "probe.run/changed/p.jpg"};
    make_folder("lib");
    make_folder("eval.run");
    make_folder("probe.run");
    make_folder("probe.run/changed");
    make_folder("notes2-figures");
    char *before[PIAA_COUNT(precious)], *link_to = at("link.jpg"), *photo = at("lib/p0.jpg"),
                                        *hard = at("hard.jpg");
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "lib/p%d.jpg", i);
        put_sample(i, name);
    }
    put_sample(3, "best.jpg");
    put_sample(3, "notes2-figures/a.jpg");
    put("ratings.csv", "path,score\nlib/p0.jpg,4\nlib/p1.jpg,2\n");
    put("notes.html", "<html>mine</html>");
    put("notes.tex", "% mine");
    put("my.gguf", "GGUF of somebody");
    put("mmproj-out.gguf", "GGUF of somebody");
    put("taste.json", "{\"mine\": true}");
    put("eval.run/eval.json", "{\"mine\": true}");
    put_sample(4, "probe.run/changed/p.jpg");
    put("probe.run/p.csv", "x");
    assert_int_equal(symlink(photo, link_to) | link(photo, hard), 0);
    for (size_t i = 0; i < PIAA_COUNT(precious); i++) before[i] = slurp(precious[i], NULL);

    static const char *const sheets[] = {"best.jpg", "lib/p0.jpg", "./lib/../lib/p0.jpg",
                                         "link.jpg", "hard.jpg"};
    for (size_t i = 0; i < PIAA_COUNT(sheets); i++)
        expect_last_line(PIAA("rank", "lib", "--ratings", "ratings.csv", "--sheet", sheets[i], ONE),
                         2, "is there already and is not a contact sheet");
    expect_last_line(PIAA("rank", "lib/p0.jpg", "lib/p1.jpg", "--ratings", "ratings.csv", "--sheet",
                          "lib/p0.jpg", ONE),
                     2, "is not a contact sheet");
    expect_last_line(PIAA("embed", "lib", "--out", "lib", ONE), 2, "neither a store nor empty");
    expect_last_line(PIAA("embed", "lib", "--out", "best.jpg", ONE), 2, "is a file");
    expect_ok(PIAA("embed", "lib", "--out", "store", ONE));
    static const char *const tastes[] = {"taste.json", "best.jpg", "hard.jpg"};
    for (size_t i = 0; i < PIAA_COUNT(tastes); i++)
        expect_last_line(
            PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", tastes[i]), 2,
            "is not a taste");
    expect_last_line(
        PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "ratings.csv"), 2,
        "which is read");
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "own.json"));
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "own.json"));
    expect_last_line(
        PIAA("predict", "--taste", "own.json", "--store", "store", "--sheet", "best.jpg"), 2,
        "is not a contact sheet");
    expect_last_line(PIAA("reduce", "--data", "csv:ratings.csv", "--out", "own.json"), 2,
                     "is not a projection");
    expect_last_line(PIAA("reduce", "--data", "csv:ratings.csv", "--out", "best.jpg"), 2,
                     "is not a projection");
    expect_last_line(PIAA("report", "run", "--out", "notes.html"), 2, "is not a report");
    expect_last_line(PIAA("report", "run", "--out", "notes2.html"), 2, "holds other things");
    put("notes.html.txt", "");
    char *page = at("notes.html"), *moved = at("moved.html");
    assert_int_equal(rename(page, moved), 0);
    expect_last_line(PIAA("report", "run", "--out", "notes.html"), 2, "is not a report's tables");
    assert_int_equal(rename(moved, page), 0);
    expect_last_line(PIAA("model", "convert", "model", "my.gguf"), 2, "is not a GGUF file");
    expect_last_line(PIAA("model", "convert", "model", "out.gguf"), 2, "is not a GGUF file");
    expect_last_line(PIAA("eval", "--data", "csv:ratings.csv", "--out", "eval.run"), 2,
                     "is not an evaluation's results");
    expect_last_line(PIAA("eval", "--data", "csv:ratings.csv", "--out", "lib"), 2, "not a run's");
    expect_last_line(PIAA("probe", "--data", "csv:ratings.csv", "--out", "probe.run"), 2,
                     "not a run's");
    expect_last_line(PIAA("probe", "--data", "csv:ratings.csv", "--out", "best.jpg"), 2,
                     "is a file");
    for (size_t i = 0; i < PIAA_COUNT(precious); i++) {
        char *now = slurp(precious[i], NULL);
        assert_string_equal(now, before[i]);
        free(now);
        free(before[i]);
    }
    free(link_to);
    free(photo);
    free(hard);
    free(page);
    free(moved);
}

/* A sheet is drawn over an older one, and is no photo where it lies among photos. */
static void sheets_are_no_photos(void **state) {
    (void)state;
    static const char *const names[] = {"lib/s.jpg", "lib/s.png", "lib/s.webp"};
    static const char *const photos[] = {"lib/p0.jpg", "lib/p1.jpg", "lib/p2.jpg"};
    make_folder("lib");
    for (int i = 0; i < 3; i++) put_sample(i, photos[i]);
    put("ratings.csv", "path,score\nlib/p0.jpg,4\nlib/p1.jpg,2\n");
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < PIAA_COUNT(names); i++) {
            expect_ok(
                PIAA("rank", "lib", "--ratings", "ratings.csv", "--csv", "--sheet", names[i], ONE));
            expect_photos(photos, PIAA_COUNT(photos));
            if (round == 0 && i) assert_non_null(strstr(err, "contact sheet that piaa drew"));
        }
}

/* A pair of GGUF files is written over an older one, but never over the one that is read. */
static void pairs_over_themselves(void **state) {
    (void)state;
    static const char *const model = PIAA_SOURCE "/tests/golden/qwen3vl";
    expect_ok(PIAA("model", "convert", model, "a.gguf", "--dtype", "f16"));
    expect_ok(PIAA("model", "convert", model, "a.gguf", "--dtype", "f16"));
    make_folder("b");
    expect_ok(PIAA("model", "convert", model, "b/b.gguf", "--dtype", "f16"));
    char *from = at("a.gguf"), *hard = at("hard.gguf");
    assert_int_equal(link(from, hard), 0);
    expect_last_line(PIAA("model", "convert", "a.gguf", "a.gguf"), 2, "which is read");
    expect_last_line(PIAA("model", "convert", "a.gguf", "hard.gguf"), 2, "which is read");
    expect_last_line(PIAA("model", "convert", "a.gguf", "mmproj-a.gguf"), 2,
                     "belongs to the model");
    expect_last_line(PIAA("model", "convert", "b", "b/b.gguf"), 2, "belongs to the model");
    expect_ok(PIAA("model", "convert", "a.gguf", "b/b.gguf", "--dtype", "f16"));
    free(from);
    free(hard);
}

/* Stars in sidecars instead of a table: rank, fit and explain learn from the same photos. */
static void stars_in_the_photos(void **state) {
    (void)state;
    static const char *const photos[] = {"lib/p0.jpg", "lib/p1.jpg", "lib/p2.jpg", "lib/p3.jpg"};
    make_folder("lib");
    for (int i = 0; i < 4; i++) put_sample(i, photos[i]);
    static const char sidecar[] =
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
        "xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='%d'/></rdf:RDF>";
    static const int stars[] = {4, 2, -1};
    for (int i = 0; i < 3; i++) {
        char name[32], text[256];
        snprintf(name, sizeof name, i ? "lib/p%d.xmp" : "lib/p%d.jpg.xmp", i);
        snprintf(text, sizeof text, sidecar, stars[i]);
        put(name, text);
    }
    expect_ok(PIAA("rank", "lib", "--ratings", "xmp", "--csv", ONE));
    expect_photos(photos, PIAA_COUNT(photos));
    expect_ratings(3);
    assert_non_null(strstr(err, "3 rated (1 of them rejected, which counts as 0), 1 unrated"));
    char *ranked = piaa_strdup(out, NULL);
    put("table.csv", "path,score\nlib/p0.jpg,4\nlib/p1.jpg,2\nlib/p2.jpg,0\n");
    expect_ok(PIAA("rank", "lib", "--ratings", "table.csv", "--csv", ONE));
    assert_string_equal(out, ranked); /* the same as by a table */
    free(ranked);
    expect_ok(PIAA("embed", "lib", "--out", "store", ONE));
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "xmp", "--out", "t.json"));
    assert_non_null(strstr(err, "Learned from 3 ratings"));
    put("set.csv", "path,score,light\nlib/p0.jpg,4,1\nlib/p1.jpg,3,2\nlib/p2.jpg,2,5\n"
                   "lib/p3.jpg,5,1\n");
    expect_ok(PIAA("reduce", "--data", "csv:set.csv", "--out", "p.json", ONE));
    expect_ok(PIAA("explain", "lib", "--taste", "t.json", "--projection", "p.json", "--ratings",
                   "xmp", "--csv", ONE));
    expect_photos(photos, PIAA_COUNT(photos));
    expect_last_line(PIAA("rank", "lib/p3.jpg", "--ratings", "xmp", ONE), 1, "has stars");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(linked_photos, program_begin, program_end),
        cmocka_unit_test_setup_teardown(photos_that_are_gone, program_begin, program_end),
        cmocka_unit_test_setup_teardown(deleted_working_folder, program_begin, program_end),
        cmocka_unit_test_setup_teardown(outputs_over_other_things, program_begin, program_end),
        cmocka_unit_test_setup_teardown(sheets_are_no_photos, program_begin, program_end),
        cmocka_unit_test_setup_teardown(stars_in_the_photos, program_begin, program_end),
        cmocka_unit_test_setup_teardown(pairs_over_themselves, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
