/* Walks through folders: what is found, under which name, and that each folder is walked once. */
#include "base/walk.h"

#include "support.h"

static bool is_photo(const char *name) {
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".jpg") == 0;
}

typedef struct warnings {
    size_t count;
    char last[1024];
} warnings;

static void keep_warning(void *user, const char *line) {
    warnings *w = user;
    w->count++;
    snprintf(w->last, sizeof w->last, "%s", line);
}

static void walking(void **state) {
    (void)state;
    static const char *const expected[] = {"B.jpg",        "a.jpg",   "a/x.jpg",     "a/y/z.jpg",
                                           "b/linked.jpg", "one.jpg", "\xc3\xa9.jpg"};
    char *folder = support_folder();
    const char *const folders[] = {"a", "a/y", "b", ".hidden", "empty"};
    const char *const files[] = {"B.jpg",     "a.jpg",        "a/x.jpg",
                                 "a/y/z.jpg", "\xc3\xa9.jpg", ".secret.jpg",
                                 "note",      "a/y/text",     ".hidden/deep.jpg"};
    for (size_t i = 0; i < PIAA_COUNT(folders); i++) support_make_folder(folder, folders[i]);
    for (size_t i = 0; i < PIAA_COUNT(files); i++) support_write(folder, files[i], "x", 1);
    support_make_link(folder, "one.jpg", "a/x.jpg");
    support_make_link(folder, "b/linked.jpg", "../note");
    support_make_link(folder, "a/y/up", "../.."); /* a loop */
    support_make_link(folder, "a/self", ".");
    support_make_link(folder, "knot", "knot");
    support_make_link(folder, "gone", "not there");
    support_make_link(folder, "gone.jpg", "not there"); /* the only one worth a warning */
    warnings told = {0};
    piaa_hooks hooks = {.user = &told, .warn = keep_warning};
    piaa_paths found = {0};
    piaa_error error = {0};
    assert_true(piaa_folder_walk(folder, is_photo, &found, &hooks, &error));
    assert_int_equal(found.count, PIAA_COUNT(expected));
    for (size_t i = 0; i < found.count; i++) {
        char *path = support_join(folder, expected[i]);
        assert_string_equal(found.items[i], path);
        free(path);
    }
    assert_int_equal(told.count, 1);
    assert_non_null(strstr(told.last, "gone.jpg"));
    assert_true(piaa_folder_walk(folder, is_photo, &found, NULL,
                                 &error)); /* adds, and does not sort what was there */
    assert_int_equal(found.count, 2 * PIAA_COUNT(expected));
    piaa_paths_free(&found);
    assert_false(piaa_folder_walk("/nowhere/at/all", is_photo, &found, NULL, &error));
    assert_non_null(strstr(error.message, "/nowhere/at/all"));
    support_remove(folder);
}

/* Deeper than any path the system takes: what can be named is found, the rest is one warning. */
static void walking_very_deep(void **state) {
    (void)state;
    enum { DEPTH = 40, LENGTH = 200 };
    char name[LENGTH + 1];
    memset(name, 'd', LENGTH);
    name[LENGTH] = '\0';
    char *folder = support_folder(), *here = piaa_path_absolute(".", NULL);
    assert_int_equal(chdir(folder), 0);
    for (int i = 0; i < DEPTH; i++) {
        support_write(".", "p.jpg", "x", 1);
        assert_int_equal(mkdir(name, 0700), 0);
        assert_int_equal(chdir(name), 0);
    }
    warnings told = {0};
    piaa_hooks hooks = {.user = &told, .warn = keep_warning};
    piaa_paths found = {0};
    bool ok = piaa_folder_walk(folder, is_photo, &found, &hooks, NULL);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(chdir(".."), 0);
        assert_int_equal(rmdir(name), 0);
        assert_int_equal(unlink("p.jpg"), 0);
    }
    assert_int_equal(chdir(here), 0);
    assert_true(ok);
    assert_in_range(found.count, 1, DEPTH);
    assert_in_range(told.count, 1, 2);
    piaa_paths_free(&found);
    free(here);
    support_remove(folder);
}

typedef struct met {
    piaa_paths files;
    size_t folders;
} met;

static bool enter_all(void *user, const char *path, const char *name) {
    met *m = user;
    m->folders++;
    return strcmp(piaa_path_name(path), name) == 0;
}

static bool meet_all(void *user, const piaa_walk_entry *entry, piaa_error *error) {
    met *m = user;
    assert_int_equal(entry->kind, PIAA_WALK_FILE);
    char *real = piaa_path_absolute(entry->path, error);
    assert_string_equal(entry->real, real); /* as realpath has it */
    free(real);
    return piaa_paths_add(&m->files, entry->path, error);
}

/* Seven folders with a photo each, and a link to each of the others: by names there is no end of
   photos (seven times six times five … before a name repeats), by folders there are seven. */
static void folders_that_link_to_each_other(void **state) {
    (void)state;
    enum { FOLDERS = 7 };
    char *folder = support_folder(), name[16], target[16];
    for (int i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, "%d", i);
        support_make_folder(folder, name);
        snprintf(name, sizeof name, "%d/p%d.jpg", i, i);
        support_write(folder, name, "x", 1);
        for (int j = 0; j < FOLDERS; j++) {
            if (i == j) continue;
            snprintf(name, sizeof name, "%d/to%d", i, j);
            snprintf(target, sizeof target, "../%d", j);
            support_make_link(folder, name, target);
        }
    }
    piaa_error error = {0};
    met all = {0};
    piaa_walker walker = {.user = &all, .enter = enter_all, .meet = meet_all};
    assert_true(piaa_folder_visit(folder, &walker, NULL, &error));
    assert_int_equal(all.files.count, FOLDERS);
    assert_int_equal(all.folders, FOLDERS + FOLDERS * (FOLDERS - 1)); /* asked about, not walked */
    piaa_paths_merge(&all.files);
    for (int i = 0; i < FOLDERS; i++) { /* each by its own name */
        snprintf(name, sizeof name, "%d/p%d.jpg", i, i);
        char *path = support_join(folder, name);
        assert_string_equal(all.files.items[i], path);
        free(path);
    }
    piaa_paths_free(&all.files);
    /* From one of them: the others by the first link to them in byte order. */
    char *first = support_join(folder, "0");
    assert_true(piaa_folder_walk(first, is_photo, &all.files, NULL, &error));
    assert_int_equal(all.files.count, FOLDERS);
    for (int i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, i ? "0/to%d/p%d.jpg" : "0/p%d.jpg", i, i);
        char *path = support_join(folder, name);
        assert_string_equal(all.files.items[i], path);
        free(path);
    }
    free(first);
    piaa_paths_free(&all.files);
    support_remove(folder);
}

/* More folders than the table of those seen begins with. */
static void many_folders(void **state) {
    (void)state;
    enum { FOLDERS = 300 };
    char *folder = support_folder(), name[32];
    for (int i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, "%d", i);
        support_make_folder(folder, name);
        snprintf(name, sizeof name, "%d/self", i);
        support_make_link(folder, name, ".");
        snprintf(name, sizeof name, "%d/p.jpg", i);
        support_write(folder, name, "x", 1);
    }
    piaa_paths found = {0};
    assert_true(piaa_folder_walk(folder, is_photo, &found, NULL, NULL));
    assert_int_equal(found.count, FOLDERS);
    piaa_paths_free(&found);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walking),
        cmocka_unit_test(walking_very_deep),
        cmocka_unit_test(folders_that_link_to_each_other),
        cmocka_unit_test(many_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
