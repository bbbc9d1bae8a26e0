/* What embed takes for unchanged, for a copy and for a failure that has to be tried again, and what
   store list says of it. */
#include "program.h"

#include <sys/stat.h>

/* A picture of 32 x 32 pixels whose size does not depend on what is in it. */
static void put_picture(const char *name, int shade) {
    enum { SIDE = 32 };
    char bytes[16 + SIDE * SIDE * 3];
    int header = snprintf(bytes, sizeof bytes, "P6 %d %d 255\n", SIDE, SIDE);
    for (int i = 0; i < SIDE * SIDE * 3; i++) bytes[header + i] = (char)((i * shade) & 127);
    support_write(world, name, bytes, (size_t)header + SIDE * SIDE * 3);
}

static struct stat stat_of(const char *name) {
    struct stat status;
    char *path = at(name);
    assert_int_equal(stat(path, &status), 0);
    free(path);
    return status;
}

static void date(const char *name, struct timespec time) {
    char *path = at(name);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){time, time}, 0), 0);
    free(path);
}

static void move(const char *from, const char *to) {
    char *old = at(from), *new = at(to);
    assert_int_equal(rename(old, new), 0);
    free(old);
    free(new);
}

static void embed_says(const char *part) {
    expect_ok(PIAA("embed", "photos", "--out", "store", ONE));
    if (!strstr(err, part)) fail_msg("expected \"%s\", got: %s", part, err);
}

static void edits_that_keep_the_date(void **state) {
    (void)state;
    const struct timespec old = {1577836800, 5}; /* 2020 */
    make_folder("photos");
    put_picture("photos/a.ppm", 3);
    put_picture("photos/b.ppm", 4);
    date("photos/a.ppm", old);
    date("photos/b.ppm", old);
    embed_says("2 photos: 2 read;");
    embed_says("2 photos: 2 unchanged;");

    /* In place, and by a file put in its place. */
    put_picture("photos/a.ppm", 5);
    date("photos/a.ppm", old);
    embed_says("2 photos: 1 read, 1 unchanged;");
    put_picture("new", 6);
    date("new", old);
    move("new", "photos/a.ppm");
    embed_says("2 photos: 1 read, 1 unchanged;");
    embed_says("2 photos: 2 unchanged;");

    /* No edits: other times and permissions, another link, a copy put back. */
    date("photos/a.ppm", (struct timespec){1577836801, 0});
    char *path = at("photos/b.ppm"), *link_path = at("another");
    assert_int_equal(chmod(path, 0400), 0);
    embed_says("2 photos: 2 unchanged;");
    assert_int_equal(link(path, link_path), 0);
    embed_says("2 photos: 2 unchanged;");
    put_picture("copy", 4);
    date("copy", old);
    move("copy", "photos/b.ppm");
    embed_says("2 photos: 2 unchanged;");
    free(path);
    free(link_path);

    /* Moved photos have the content of another until that is forgotten. */
    move("photos/a.ppm", "photos/c.ppm");
    embed_says("2 photos: 1 unchanged, 1 with the content of another;");
}

static void failures_are_tried_again(void **state) {
    (void)state;
    make_folder("photos");
    put_picture("photos/a.ppm", 3);
    put("photos/b.jpg", "\xff\xd8\xff\xe0 that is all");
    embed_says("2 photos: 1 read, 1 unreadable;");
    assert_non_null(strstr(err, "b.jpg"));
    embed_says("--again tries anew");
    assert_null(strstr(err, "b.jpg"));
    expect_ok(PIAA("embed", "photos", "--out", "store", "--again", ONE));
    assert_non_null(strstr(err, "b.jpg"));
    embed_says("1 photo could not be read in an earlier run and has not changed since");
    put_picture("photos/b.jpg", 7);
    embed_says("2 photos: 1 read, 1 unchanged;");
}

/* A JPEG with a hole in it is read, said and marked, and so is its copy. */
static void damage_is_marked(void **state) {
    (void)state;
    make_folder("photos");
    put_picture("photos/a.ppm", 3);
    put_sample(0, "whole");
    size_t size;
    char *bytes = slurp("whole", &size);
    memset(bytes + size / 2, 0, size / 8); /* a block that the disk lost */
    support_write(world, "photos/hole.jpg", bytes, size);
    embed_says("2 photos: 2 read, 1 of them damaged;");
    assert_non_null(strstr(err, "hole.jpg: part of the picture is lost"));
    support_write(world, "photos/copy.jpg", bytes, size);
    free(bytes);
    embed_says("3 photos: 2 unchanged, 1 with the content of another;");
    expect_ok(PIAA("store", "list", "store", "--damaged", "--csv"));
    piaa_paths paths = printed_column("path"), damage = printed_column("damage");
    assert_int_equal(paths.count, 2);
    assert_true(piaa_path_ends(paths.items[0], "/copy.jpg"));
    assert_true(piaa_path_ends(paths.items[1], "/hole.jpg"));
    for (size_t i = 0; i < 2; i++)
        assert_non_null(strstr(damage.items[i], "part of the picture is lost"));
    piaa_paths_free(&paths);
    piaa_paths_free(&damage);
    expect_ok(PIAA("store", "info", "store", "--json"));
    assert_non_null(strstr(out, "\"damaged\":\t2"));
    expect_ok(PIAA("store", "list", "store", "--failed"));
    assert_string_equal(out, "");
}

/* Every digit of a time, in CSV and in JSON; times beyond 64 bits of nanoseconds are the last
   ones. */
static void times_are_whole(void **state) {
    (void)state;
    static const struct {
        struct timespec time;
        const char *digits;
    } times[] = {{{1714564800, 123456789}, "1714564800123456789"},
                 {{1714564800, 1}, "1714564800000000001"},
                 {{-86400, 999999999}, "-86399000000001"},
                 {{10413792000, 7}, "9223372036854775807"}};
    enum { COUNT = sizeof times / sizeof *times };
    bool kept[COUNT];
    make_folder("photos");
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/%d.ppm", i);
        put_picture(name, i + 1);
        date(name, times[i].time);
        const struct stat status = stat_of(name);
        kept[i] =
            piaa_stat_written(&status).tv_sec == times[i].time.tv_sec; /* by the file system */
    }
    embed_says("4 photos: 4 read;");
    embed_says("4 photos: 4 unchanged;");
    for (int json = 0; json < 2; json++) {
        expect_ok(PIAA("store", "list", "store", json ? "--json" : "--csv"));
        for (int i = 0; i < COUNT; i++) {
            char part[64];
            snprintf(part, sizeof part, json ? "\"mtime_ns\":\t%s," : ",%s,", times[i].digits);
            if (kept[i] && !strstr(out, part)) fail_msg("%s is not in %s", part, out);
        }
    }
}

static char *matrix_of(const char *store, size_t *size) {
    char *name = piaa_format(NULL, "%s/lt.1.npy", store), *bytes = slurp(name, size);
    free(name);
    return bytes;
}

/* Two halves of a folder put together are what one run makes of it: matrices to the byte, and every
   line of the catalogue. */
static void shards_are_merged(void **state) {
    (void)state;
    make_folder("photos");
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/%d.ppm", i);
        put_picture(name, i == 5 ? 1 : i + 1); /* 5 is a copy of 0 */
    }
    put("photos/broken.png", "no picture");
#define EMBED(...)                                                                                 \
    expect_ok(PIAA("embed", "photos", "--pool", "lt", "--layer", "1", ONE, "--out", __VA_ARGS__))
    EMBED("once");
    expect_ok(PIAA("store", "list", "once", "--csv"));
    char *listed = piaa_strdup(out, NULL);
    EMBED("a", "--shard", "1/2");
    EMBED("b", "--shard", "2/2");
#undef EMBED
    expect_ok(PIAA("store", "merge", "b", "a", "--out", "merged"));
    expect_ok(PIAA("store", "list", "merged", "--csv"));
    assert_string_equal(out, listed);
    free(listed);
    size_t size, merged_size;
    char *once = matrix_of("once", &size), *merged = matrix_of("merged", &merged_size);
    assert_int_equal(merged_size, size);
    assert_memory_equal(merged, once, size);
    free(once);
    free(merged);
    expect_ok(PIAA("store", "verify", "merged"));
    expect_refusal(PIAA("embed", "photos", "--out", "c", "--shard", "3/2"), 2,
                   "piaa embed: ", "--shard takes I/N");
    expect_refusal(PIAA("store", "merge", "a"), 2, "piaa store merge: ", "--out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(edits_that_keep_the_date, program_begin, program_end),
        cmocka_unit_test_setup_teardown(failures_are_tried_again, program_begin, program_end),
        cmocka_unit_test_setup_teardown(damage_is_marked, program_begin, program_end),
        cmocka_unit_test_setup_teardown(times_are_whole, program_begin, program_end),
        cmocka_unit_test_setup_teardown(shards_are_merged, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
