/* Files: whole reads, maps, atomic writes and paths. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#if defined(__linux__)
#include <sys/xattr.h>
#endif

static void set_or_clear(const char *name, const char *value) {
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static size_t count_files(const char *folder) {
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    size_t count = 0;
    for (struct dirent *item; (item = readdir(stream));)
        count += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
    closedir(stream);
    return count;
}

static void check_content(const char *path, const void *data, size_t size) {
    size_t got;
    char *text = piaa_file_read(path, 1 << 20, &got, NULL);
    assert_non_null(text);
    assert_int_equal(got, size);
    assert_memory_equal(text, data, size);
    assert_int_equal(text[size], 0);
    free(text);
}

static void reading(void **state) {
    (void)state;
    char *folder = support_folder(), *path = support_join(folder, "a");
    piaa_error error = {0};
    support_write(folder, "a", "x\0y", 3);
    check_content(path, "x\0y", 3);
    assert_null(piaa_file_read(path, 2, NULL, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    assert_non_null(strstr(error.message, path));
    support_write(folder, "a", "", 0);
    check_content(path, "", 0);
    assert_null(piaa_file_read(folder, 9, NULL, &error));
    assert_int_equal(error.code, PIAA_IO);
    support_clear(path);
    assert_null(piaa_file_read(path, 9, NULL, &error));
    assert_non_null(strstr(error.message, "No such file"));
    free(path);
    support_remove(folder);
}

static void mapping(void **state) {
    (void)state;
    char *folder = support_folder(), *path = support_join(folder, "a");
    piaa_error error = {0};
    piaa_map map;
    static char data[100000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i % 251);
    support_write(folder, "a", data, sizeof data);
    assert_true(piaa_map_open(&map, path, &error));
    assert_int_equal(map.size, sizeof data);
    piaa_map_forget(&map, map.data + 5, 50000);
    piaa_map_forget(&map, map.data, sizeof data);
    piaa_map_forget(&map, map.data, sizeof data + 1); /* outside: ignored */
    assert_memory_equal(map.data, data, sizeof data);
    piaa_map_close(&map);
    support_write(folder, "a", "", 0);
    assert_true(piaa_map_open(&map, path, &error));
    assert_true(map.data == NULL && map.size == 0);
    piaa_map_close(&map);
    assert_false(piaa_map_open(&map, folder, &error));
    support_clear(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(piaa_map_open(&map, path, &error)); /* and does not wait for a writer */
    assert_false(piaa_map_open(&map, "/nowhere/at/all", &error));
    assert_non_null(strstr(error.message, "/nowhere/at/all"));
    free(path);
    support_remove(folder);
}

static void writing(void **state) {
    (void)state;
    char *folder = support_folder(), *path = support_join(folder, "a"),
         *link = support_join(folder, "link");
    support_write(folder, "a", "old", 3);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("a", link), 0);
    support_write(folder, "link", "new text", 8);
    check_content(path, "new text", 8);
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(count_files(folder), 2);
    free(path);
    free(link);
    support_remove(folder);
}

/* File managers keep tags and stars there. */
static void tags_of_a_file_stay(void **state) {
    (void)state;
#if defined(__linux__)
    char *folder = support_folder(), *path = support_join(folder, "a"), value[16];
    support_write(folder, "a", "old", 3);
    const bool kept = setxattr(path, "user.xdg.tags", "holiday,sea", 11, 0) == 0 &&
                      setxattr(path, "user.baloo.rating", "", 0, 0) == 0;
    support_write(folder, "a", "new text", 8);
    check_content(path, "new text", 8);
    if (kept) {
        assert_int_equal(getxattr(path, "user.xdg.tags", value, sizeof value), 11);
        assert_memory_equal(value, "holiday,sea", 11);
        assert_int_equal(getxattr(path, "user.baloo.rating", value, sizeof value), 0);
    }
    free(path);
    support_remove(folder);
    if (!kept) skip(); /* a file system that has none */
#endif
}

static void failed_writes_leave_the_old_file_and_nothing_else(void **state) {
    (void)state;
    char *folder = support_folder(), *path = support_join(folder, "a");
    piaa_error error = {0};
    support_write(folder, "a", "old", 3);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static const char much[5000];
    bool ok = piaa_file_write(path, much, sizeof much, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(ok);
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, path));
    check_content(path, "old", 3);
    assert_int_equal(count_files(folder), 1);

    assert_false(piaa_file_write(folder, "x", 1, &error));
    assert_false(piaa_file_write("/nowhere/at/all", "x", 1, &error));
    if (piaa_file_exists("/dev/full")) {
        assert_false(piaa_file_write("/dev/full", "x", 1, &error));
        assert_non_null(strstr(error.message, "/dev/full"));
        assert_non_null(strstr(error.message, "No space left"));
    }
    free(path);
    support_remove(folder);
}

static void paths(void **state) {
    (void)state;
    static const char *const joins[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    static const char *const folders[][2] = {{"a", "."},    {"/a", "/"},     {"a/b", "a"},
                                             {"a//b", "a"}, {"a/b/", "a/b"}, {"//a", "/"}};
    static const char *const absolutes[][2] = {{"/nowhere/../x/./y", "/x/y"},
                                               {"/nowhere/..", "/"},
                                               {"/../nowhere//a/", "/nowhere/a"},
                                               {"/nowhere/a/../../../b", "/b"},
                                               {"/", "/"}};
    for (size_t i = 0; i < PIAA_COUNT(joins); i++) {
        char *path = support_join(joins[i][0], joins[i][1]);
        assert_string_equal(path, joins[i][2]);
        free(path);
    }
    for (size_t i = 0; i < PIAA_COUNT(folders); i++) {
        char *path = piaa_path_folder(folders[i][0], NULL);
        assert_string_equal(path, folders[i][1]);
        free(path);
    }
    for (size_t i = 0; i < PIAA_COUNT(absolutes); i++) {
        char *path = piaa_path_absolute(absolutes[i][0], NULL);
        assert_string_equal(path, absolutes[i][1]);
        free(path);
    }
    assert_string_equal(piaa_path_name("a/b.c"), "b.c");
    assert_string_equal(piaa_path_name("b.c"), "b.c");
    char *here = piaa_path_absolute(".", NULL), *expected = support_join(here, "not there"),
         *path = piaa_path_absolute("x/../not there", NULL);
    assert_string_equal(path, expected);
    free(here);
    free(expected);
    free(path);
}

/* The XDG base directory specification: relative paths and empty ones are ignored. */
static void cache(void **state) {
    (void)state;
    static const struct {
        const char *cache, *home, *path;
    } rows[] = {{"/c", "/h", "/c/piaa"},
                {"", "/h", "/h/.cache/piaa"},
                {"c", "/h", "/h/.cache/piaa"},
                {NULL, "/h", "/h/.cache/piaa"},
                {"/c", NULL, "/c/piaa"},
                {"c", "", NULL},
                {NULL, NULL, NULL}};
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL,
         *before = getenv("XDG_CACHE_HOME") ? strdup(getenv("XDG_CACHE_HOME")) : NULL;
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        piaa_error error = {0};
        set_or_clear("XDG_CACHE_HOME", rows[i].cache);
        set_or_clear("HOME", rows[i].home);
        char *path = piaa_cache_path("piaa", "models", "do this", &error);
        if (rows[i].path)
            assert_string_equal(path, rows[i].path);
        else
            assert_string_equal(
                error.message,
                "there is no home folder to keep models in (HOME is not set): do this");
        free(path);
    }
    set_or_clear("XDG_CACHE_HOME", before);
    set_or_clear("HOME", home);
    free(before);
    free(home);
}

static void folders(void **state) {
    (void)state;
    char *top = support_folder(), *path = support_join(top, "a/b/c"),
         *below = support_join(top, "file/x");
    assert_true(piaa_folders_make(path) && piaa_file_is_folder(path));
    assert_true(piaa_folders_make(path));
    support_write(top, "file", "", 0);
    assert_false(piaa_folders_make(below));
    assert_int_equal(errno, ENOTDIR);
    free(below);
    free(path);
    support_remove(top);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(mapping),
        cmocka_unit_test(writing),
        cmocka_unit_test(tags_of_a_file_stay),
        cmocka_unit_test(failed_writes_leave_the_old_file_and_nothing_else),
        cmocka_unit_test(paths),
        cmocka_unit_test(cache),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
