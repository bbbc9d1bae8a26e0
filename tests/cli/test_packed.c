/* A packed store in the hands of every command that takes a store. */
#include "program.h"

enum { PHOTOS = 7 };

static void make_world(void) {
    char name[32], ratings[512] = "path,score,light\n";
    make_folder("lib");
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(name, sizeof name, "lib/p%02d.jpg", i);
        put_sample(i, name);
        if (i < 6)
            snprintf(ratings + strlen(ratings), sizeof ratings - strlen(ratings), "%s,%d,%d\n",
                     name, 1 + i * 3 % 5, 1 + i % 4);
    }
    put("ratings.csv", ratings);
    expect_ok(PIAA("embed", "lib", "--out", "store", ONE));
}

/* What a command prints with the store and with its copy in float32 is the same; with 8 bits the
   photos are. */
#define EXPECT_ALIKE(...)                                                                          \
    do {                                                                                           \
        expect_ok(PIAA(__VA_ARGS__, "--store", "store", ONE));                                     \
        char *plain_out = piaa_strdup(out, NULL);                                                  \
        expect_ok(PIAA(__VA_ARGS__, "--store", "f32", ONE));                                       \
        assert_string_equal(out, plain_out);                                                       \
        expect_ok(PIAA(__VA_ARGS__, "--store", "int8", ONE));                                      \
        assert_true(out_size > 0);                                                                 \
        free(plain_out);                                                                           \
    } while (0)

static void commands_read_packed_stores(void **state) {
    (void)state;
    make_world();
    expect_ok(PIAA("store", "pack", "store", "--out", "f32"));
    expect_ok(PIAA("store", "pack", "store", "--out", "int8", "--dtype", "int8"));
    expect_ok(PIAA("store", "list", "store", "--json"));
    char *list = piaa_strdup(out, NULL);
    expect_ok(PIAA("store", "list", "int8", "--json"));
    assert_string_equal(out, list);
    free(list);
    expect_ok(PIAA("store", "info", "int8"));
    assert_non_null(strstr(out, "packed         int8\n"));
    expect_ok(PIAA("store", "verify", "int8"));
    EXPECT_ALIKE("rank", "lib", "--ratings", "ratings.csv", "--csv");
    EXPECT_ALIKE("next", "lib", "--csv");
    expect_ok(PIAA("fit", "--store", "int8", "--ratings", "ratings.csv", "--out", "t.json"));
    assert_int_equal(PIAA("predict", "--taste", "t.json", "--store", "int8", "--csv"), 0);
    piaa_paths printed = printed_column("path");
    assert_int_equal(printed.count, PHOTOS);
    piaa_paths_free(&printed);
    expect_ok(
        PIAA("reduce", "--data", "csv:ratings.csv", "--store", "f32", "--out", "p.json", ONE));
    expect_ok(PIAA("explain", "lib", "--taste", "t.json", "--projection", "p.json", "--store",
                   "int8", "--csv", ONE));
}

static void commands_that_write_refuse(void **state) {
    (void)state;
    make_world();
    expect_ok(PIAA("store", "pack", "store", "--out", "p", "--dtype", "bf16"));
    static const char *const says = "is a packed store, which can only be read";
    expect_last_line(PIAA("embed", "lib", "--out", "p", ONE), 2, says);
    expect_last_line(PIAA("store", "prune", "p"), 2, says);
    expect_last_line(PIAA("store", "verify", "p", "--forget"), 2, says);
    expect_last_line(PIAA("store", "merge", "store", "--out", "p"), 2, says);
    expect_last_line(
        PIAA("rank", "lib", "--ratings", "ratings.csv", "--store", "p", "--again", ONE), 2, says);
    expect_last_line(
        PIAA("rank", "lib", "--ratings", "ratings.csv", "--store", "p", "--pool", "lv", ONE), 1,
        "p holds no lv.3");
    expect_last_line(PIAA("store", "pack", "store", "--out", "p"), 2, "p is there already");
    /* A photo that is not in there is named. */
    put_sample(PHOTOS, "lib/new.jpg");
    expect_ok(PIAA("rank", "lib", "--ratings", "ratings.csv", "--store", "p", "--csv", ONE));
    assert_non_null(strstr(err, "1 of 8 photos are not in the packed store p"));
}

static void damage_is_found(void **state) {
    (void)state;
    make_world();
    expect_ok(PIAA("store", "pack", "store", "--out", "p"));
    char *file = at("p/lt.3.npy");
    const int descriptor = open(file, O_WRONLY);
    assert_int_equal(pwrite(descriptor, "x", 1, 128 + 2 * 192 * 4 + 1), 1);
    close(descriptor);
    free(file);
    expect_last_line(PIAA("store", "verify", "p"), 1,
                     "1 row of p is not what was written: pack the store again");
    assert_non_null(strstr(err, "lib/p"));
}

static void a_store_is_split(void **state) {
    (void)state;
    make_world();
    expect_ok(PIAA("store", "split", "store", "--parts", "2", "--below", "lib", "--out", "parts"));
    expect_ok(PIAA("embed", "lib", "--shard", "2/2", "--out", "shard", ONE));
    expect_ok(PIAA("store", "list", "shard"));
    char *list = piaa_strdup(out, NULL);
    expect_ok(PIAA("store", "list", "parts/2.store"));
    assert_string_equal(out, list);
    free(list);
    expect_ok(PIAA("store", "merge", "parts/1.store", "parts/2.store", "--out", "again"));
    size_t sizes[2];
    char *a = slurp("store/lt.3.npy", &sizes[0]), *b = slurp("again/lt.3.npy", &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(a, b, sizes[0]);
    free(a);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_read_packed_stores, program_begin, program_end),
        cmocka_unit_test_setup_teardown(commands_that_write_refuse, program_begin, program_end),
        cmocka_unit_test_setup_teardown(damage_is_found, program_begin, program_end),
        cmocka_unit_test_setup_teardown(a_store_is_split, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
