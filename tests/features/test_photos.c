/* From names to photos: links, folders that link to each other, and what is passed over. */
#include "features/photos.h"

#include "support.h"

/* A folder whose own name holds no link. */
static char *real_folder(void) {
    char *made = support_folder(), *path = piaa_path_absolute(made, NULL);
    free(made);
    assert_non_null(path);
    return path;
}

static piaa_photos *must_collect(const char *folder, const char *const *names, size_t count) {
    piaa_error error = {0};
    char *paths[4];
    assert_true(count <= PIAA_COUNT(paths));
    for (size_t i = 0; i < count; i++) paths[i] = support_join(folder, names[i]);
    piaa_photos *photos = piaa_photos_collect((const char *const *)paths, count, NULL, &error);
    if (!photos) fail_msg("%s", error.message);
    for (size_t i = 0; i < count; i++) free(paths[i]);
    assert_int_equal(photos->paths.count, photos->names.count);
    return photos;
}

static piaa_photos *collect_one(const char *folder, const char *name) {
    return must_collect(folder, (const char *const[]){name}, 1);
}

/* expected: pairs of what a link leads to and the name that is shown, below `folder`. */
static void expect(piaa_photos *photos, const char *folder, const char *const (*expected)[2],
                   size_t count) {
    assert_int_equal(photos->paths.count, count);
    for (size_t i = 0; i < count; i++) {
        char *path = support_join(folder, expected[i][0]),
             *name = support_join(folder, expected[i][1]);
        assert_string_equal(photos->paths.items[i], path);
        assert_string_equal(photos->names.items[i], name);
        free(path);
        free(name);
    }
    piaa_photos_free(photos);
}

/* As git-annex lays photos out: https://git-annex.branchable.com/internals/ */
static void photos_that_are_links(void **state) {
    (void)state;
    char *folder = real_folder();
    const char *const folders[] = {"annex", "annex/.git", "annex/2024"};
    for (size_t i = 0; i < PIAA_COUNT(folders); i++) support_make_folder(folder, folders[i]);
    support_write(folder, "annex/.git/SHA256E-s1--a", "1", 1);
    support_write(folder, "annex/.git/SHA256E-s1--b", "2", 1);
    support_make_link(folder, "annex/2024/z.jpg", "../.git/SHA256E-s1--a");
    support_make_link(folder, "annex/2024/y.jpg", "../.git/SHA256E-s1--b");
    support_make_link(folder, "annex/2024/x.jpg",
                      "../.git/SHA256E-s1--a"); /* one photo, two names */
    support_make_link(folder, "annex/2024/elsewhere.jpg", "../.git/SHA256E-s1--c");
    static const char *const both[][2] = {{"annex/.git/SHA256E-s1--a", "annex/2024/x.jpg"},
                                          {"annex/.git/SHA256E-s1--b", "annex/2024/y.jpg"}};
    piaa_photos *photos = collect_one(folder, "annex");
    assert_string_equal(photos->passed, "1 link that leads nowhere");
    expect(photos, folder, both, 2);
    photos = collect_one(folder, "annex/2024/z.jpg"); /* by name: as it was named */
    static const char *const named[][2] = {{"annex/.git/SHA256E-s1--a", "annex/2024/z.jpg"}};
    expect(photos, folder, named, 1);
    support_remove(folder);
}

static void folders_that_are_links(void **state) {
    (void)state;
    char *folder = real_folder();
    support_make_folder(folder, "disk");
    support_make_folder(folder, "album");
    support_write(folder, "disk/a.jpg", "1", 1);
    support_write(folder, "album/b.jpg", "2", 1);
    support_make_link(folder, "album/2024", "../disk");
    support_make_link(folder, "album/2025", "2024");
    support_make_link(folder, "way", "album");
    static const char *const inside[][2] = {{"album/b.jpg", "album/b.jpg"},
                                            {"disk/a.jpg", "album/2024/a.jpg"}};
    piaa_photos *photos = collect_one(folder, "album");
    expect(photos, folder, inside, 2);
    static const char *const outside[][2] = {{"album/b.jpg", "way/b.jpg"},
                                             {"disk/a.jpg", "way/2024/a.jpg"}};
    photos = collect_one(folder, "way");
    expect(photos, folder, outside, 2);
    /* Where a name without a link is among those given, it counts. */
    static const char *const own[][2] = {{"album/b.jpg", "album/b.jpg"},
                                         {"disk/a.jpg", "disk/a.jpg"}};
    photos = must_collect(folder, (const char *const[]){"way", "album", "disk"}, 3);
    expect(photos, folder, own, 2);
    photos = collect_one(folder, ".");
    expect(photos, folder, own, 2);
    support_remove(folder);
}

/* What the systems that are named in photos.c make. */
static void system_folders(void **state) {
    (void)state;
    static const char *const folders[] = {"@eaDir",
                                          "@eaDir/a.jpg",
                                          "#recycle",
                                          "$RECYCLE.BIN",
                                          "lost+found",
                                          ".Trash-1000",
                                          "System Volume Information",
                                          ".thumbnails",
                                          "2024",
                                          "2024/@eaDir",
                                          "Previews.lrdata",
                                          "My.photoslibrary",
                                          "My.photoslibrary/originals",
                                          "My.photoslibrary/resources",
                                          "__MACOSX",
                                          "run",
                                          "run/changed",
                                          "recycled things",
                                          "changed"};
    static const char *const photos_in[] = {"a.jpg",
                                            "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
                                            "#recycle/b.jpg",
                                            "$RECYCLE.BIN/$R1.jpg",
                                            "lost+found/c.jpg",
                                            ".Trash-1000/d.jpg",
                                            "System Volume Information/e.jpg",
                                            ".thumbnails/f.jpg",
                                            "2024/g.jpg",
                                            "2024/@eaDir/g.jpg",
                                            "Previews.lrdata/h.jpg",
                                            "My.photoslibrary/originals/i.jpg",
                                            "My.photoslibrary/resources/i.jpg",
                                            "__MACOSX/j.jpg",
                                            "run/changed/000001.png",
                                            "recycled things/k.jpg",
                                            "changed/l.jpg",
                                            "._a.jpg",
                                            ".m.jpg",
                                            "ratings.csv",
                                            ".DS_Store",
                                            "run/probe.json"};
    static const char *const expected[][2] = {
        {"2024/g.jpg", "2024/g.jpg"},
        {"My.photoslibrary/originals/i.jpg", "My.photoslibrary/originals/i.jpg"},
        {"a.jpg", "a.jpg"},
        {"changed/l.jpg", "changed/l.jpg"},
        {"recycled things/k.jpg", "recycled things/k.jpg"}};
    char *folder = real_folder();
    for (size_t i = 0; i < PIAA_COUNT(folders); i++) support_make_folder(folder, folders[i]);
    for (size_t i = 0; i < PIAA_COUNT(photos_in); i++) support_write(folder, photos_in[i], "x", 1);
    piaa_photos *photos = collect_one(folder, ".");
    assert_string_equal(
        photos->passed,
        "1 hidden photo, 1 macOS side file (._*), 12 system folders, 2 other files");
    expect(photos, folder, expected, PIAA_COUNT(expected));
    photos = collect_one(folder, "@eaDir"); /* who names one means it */
    assert_int_equal(photos->paths.count, 1);
    piaa_photos_free(photos);
    support_remove(folder);
}

/* By the name's ending, and by the content where that says nothing. */
static void kinds_are_told(void **state) {
    (void)state;
    static const unsigned char jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F'};
    static const char *const others[] = {"a.mov",       "b.MP4",    "c.xmp",  "d.jpg.xmp",
                                         "e.THM",       "f.psd",    "g.jpg~", "h.jpg_original",
                                         "ratings.csv", "Thumbs.db"};
    static const char *const expected[][2] = {
        {"IMG_0001", "IMG_0001"}, {"i.nef", "i.nef"}, {"j.HIF", "j.HIF"}, {"k.mpo", "k.mpo"}};
    char *folder = real_folder();
    for (size_t i = 0; i < PIAA_COUNT(others); i++) support_write(folder, others[i], "x", 1);
    support_write(folder, "IMG_0001", jpeg, sizeof jpeg);
    support_write(folder, "i.nef", "x", 1);
    support_write(folder, "j.HIF", "x", 1);
    support_write(folder, "k.mpo", jpeg, sizeof jpeg);
    piaa_photos *photos = collect_one(folder, ".");
    assert_string_equal(photos->passed, "2 videos, 4 sidecars, 2 backups and unfinished files, "
                                        "1 picture in another format, 1 other file");
    expect(photos, folder, expected, PIAA_COUNT(expected));
    support_remove(folder);
}

static void nothing_there(void **state) {
    (void)state;
    char *folder = real_folder(), *none = support_join(folder, "none");
    piaa_error error = {0};
    support_write(folder, "notes.txt", "x", 1);
    assert_null(piaa_photos_collect((const char *const[]){folder}, 1, NULL, &error));
    assert_non_null(strstr(error.message, "holds no photos"));
    assert_non_null(strstr(error.message, "1 other file"));
    error = (piaa_error){0};
    assert_null(piaa_photos_collect((const char *const[]){none}, 1, NULL, &error));
    assert_non_null(strstr(error.message, "does not exist"));
    error = (piaa_error){0};
    assert_null(piaa_photos_collect(NULL, 0, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    free(none);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(photos_that_are_links), cmocka_unit_test(folders_that_are_links),
        cmocka_unit_test(system_folders),        cmocka_unit_test(kinds_are_told),
        cmocka_unit_test(nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
