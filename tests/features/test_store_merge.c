/* Shards put together are the store of one run; a flipped bit is found and can be mended. */
#include "store_helper.h"

#include "features/photos.h"

static char *scratch;

static int set_up(void **state) {
    (void)state;
    scratch = scratch_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_drop(scratch);
    return 0;
}

static void make_parts(int parts, const char **paths) {
    static const char *const names[] = {"0", "1", "2"};
    for (int p = 0; p < parts; p++) make_part(paths[p] = in(scratch, names[p]), p, parts);
}

static void must_merge(const char *out, const char *const *from, size_t count) {
    piaa_error error = {0};
    if (!piaa_store_merge(out, from, count, NULL, &error)) fail_msg("%s", error.message);
}

static void expect_same_stores(const char *a, const char *b) {
    expect_same_file(a, b, "lt.3.npy");
    expect_same_file(a, b, "v.1.npy");
    piaa_store *one = must_read(a, NULL), *other = must_read(b, NULL);
    expect_same_photos(one, other);
    piaa_store_close(one);
    piaa_store_close(other);
}

static void shards_become_one_run(void **state) {
    (void)state;
    const char *parts[3], *once = in(scratch, "once"), *merged = in(scratch, "merged");
    make_part(once, 0, 1);
    make_parts(3, parts);
    const char *const any_order[] = {parts[2], parts[0], parts[1]};
    must_merge(merged, any_order, 3);
    expect_same_stores(once, merged);
    must_merge(merged, any_order, 3); /* all of it is there */
    expect_same_stores(once, merged);
}

/* ----------------------------------------------------------------------------------------- kills
 */

static const char *killed_parts[3], *killed_once, *killed_merged;

static bool merge_parts(void) {
    return piaa_store_merge(killed_merged, killed_parts, 3, NULL, NULL);
}

/* Whatever is there is right: photos that the catalogue lists have their vectors. */
static void look_at_merged(void) {
    if (file_size(in(killed_merged, "catalog.sqlite")) <= 0) return;
    piaa_store *store = piaa_store_open_read(killed_merged, NULL, NULL);
    for (size_t i = 0; store && i < piaa_store_photos(store); i++) {
        const piaa_photo photo = piaa_store_photo(store, i);
        assert_true(photo.row < 0 || piaa_store_has(store, 0, photo.row));
    }
    piaa_store_close(store);
}

static void end_merge(void) {
    assert_true(merge_parts());
    expect_same_stores(killed_once, killed_merged);
}

static void killed_merge_goes_on(void **state) {
    (void)state;
    killed_once = in(scratch, "once");
    killed_merged = in(scratch, "merged");
    make_part(killed_once, 0, 1);
    make_parts(3, killed_parts);
    kill_and_end(merge_parts, look_at_merged, end_merge, killed_merged);
}

/* ----------------------------------------------------------------------------------------- split
 */

/* Parts are those of the list of photos, and together the store. */
static void split_and_merged_is_the_same(void **state) {
    (void)state;
    enum { PARTS = 3 };
    const char *once = in(scratch, "once"), *folder = in(scratch, "parts"),
               *merged = in(scratch, "merged");
    const char *const parts[] = {in(folder, "1.store"), in(folder, "2.store"),
                                 in(folder, "3.store")};
    make_part(once, 0, 1);
    piaa_error error = {0};
    if (!piaa_store_split(once, folder, PARTS, "/photos", NULL, &error))
        fail_msg("%s", error.message);
    size_t all = 0;
    for (int p = 0; p < PARTS; p++) {
        piaa_photos *photos = piaa_photos_new(NULL);
        assert_true(photos && piaa_paths_add(&photos->folders, "/photos", NULL));
        for (int i = 0; i < PHOTOS; i++)
            assert_true(piaa_paths_add(&photos->paths, path_of(i), NULL) &&
                        piaa_paths_add(&photos->names, path_of(i), NULL));
        assert_true(piaa_photos_keep_shard(photos, p + 1, PARTS, NULL));
        piaa_store *part = must_read(parts[p], NULL);
        assert_int_equal(piaa_store_photos(part), photos->paths.count);
        for (size_t i = 0; i < photos->paths.count; i++)
            assert_string_equal(piaa_store_photo(part, i).path, photos->paths.items[i]);
        all += photos->paths.count;
        piaa_store_close(part);
        piaa_photos_free(photos);
    }
    assert_int_equal(all, PHOTOS);
    must_merge(merged, parts, PARTS);
    expect_same_stores(once, merged);
    assert_true(piaa_store_split(once, folder, PARTS, "/photos", NULL, NULL)); /* all is there */
    assert_false(piaa_store_split(once, folder, 0, NULL, NULL, &error));
}

/* Into two and into four in one folder: photos would be in two parts each. */
static void another_split_has_no_place_in_the_folder(void **state) {
    (void)state;
    static const struct {
        int64_t first, then;
        const char *below;
    } splits[] = {{2, 4, "/photos"}, {4, 2, "/photos"}, {3, 3, NULL}, {2, 1, "/photos"}};
    const char *once = in(scratch, "once"), *folder = in(scratch, "parts");
    make_part(once, 0, 1);
    for (size_t i = 0; i < PIAA_COUNT(splits); i++) {
        piaa_error error = {0};
        remove_tree(folder);
        assert_true(piaa_store_split(once, folder, splits[i].first, "/photos", NULL, NULL));
        assert_false(piaa_store_split(once, folder, splits[i].then, splits[i].below, NULL, &error));
        assert_int_equal(error.code, PIAA_USAGE);
        if (!strstr(error.message, "of another split")) fail_msg("%s", error.message);
        assert_true(piaa_store_split(once, folder, splits[i].first, "/photos", NULL, NULL));
    }
}

static bool stop_at_tenth(void *user) {
    int *asked = user;
    return ++*asked > 10;
}

static void stopped_merge_goes_on(void **state) {
    (void)state;
    const char *parts[2], *once = in(scratch, "once"), *merged = in(scratch, "merged");
    make_part(once, 0, 1);
    make_parts(2, parts);
    int asked = 0;
    piaa_error error = {0};
    assert_false(piaa_store_merge(merged, parts, 2,
                                  &(piaa_hooks){.user = &asked, .stop = stop_at_tenth}, &error));
    assert_int_equal(error.code, PIAA_STOPPED);
    piaa_store *half = must_read(merged, NULL);
    assert_int_equal(piaa_store_photos(half), 10);
    piaa_store_close(half);
    must_merge(merged, parts, 2);
    expect_same_stores(once, merged);
}

/* Matrices that were read at different times come together, each photo in one row. */
static void other_matrices_are_added(void **state) {
    (void)state;
    const piaa_slots lt = SLOTS(LT3), v = SLOTS(V1);
    const char *const parts[] = {in(scratch, "lt"), in(scratch, "v")};
    const char *once = in(scratch, "once"), *merged = in(scratch, "merged");
    make_store(parts[0], &lt, 5);
    make_store(parts[1], &v, 5);
    make_store(once, &LT3_V1, 5);
    must_merge(merged, parts, 2);
    expect_same_stores(once, merged);
}

static void expect_refused(const char *const *from, size_t count, piaa_code code,
                           const char *part) {
    piaa_error error = {0};
    assert_false(piaa_store_merge(in(scratch, "merged"), from, count, NULL, &error));
    assert_int_equal(error.code, code);
    if (!strstr(error.message, part)) fail_msg("expected \"%s\": %s", part, error.message);
}

static void mixtures_are_refused(void **state) {
    (void)state;
    const char *parts[] = {in(scratch, "a"), in(scratch, "b"), in(scratch, "c")};
    make_store(parts[0], &LT3_V1, 3);
    piaa_identity other = usual;
    other.prompt = "Is this a cat?";
    piaa_store *store = piaa_store_open_write(parts[1], &other, &LT3_V1, NULL, NULL);
    assert_non_null(store);
    assert_true(put(store, &LT3_V1, 5, NULL));
    must_finish(store);
    expect_refused(parts, 2, PIAA_MISMATCH,
                   "differ in the prompt: \"Assess the aesthetics of this image.\" and \"Is this "
                   "a cat?\"");
    assert_int_equal(file_size(in(scratch, "merged")), -1);

    store = must_write(parts[2], &LT3_V1, NULL);
    assert_true(put_as(store, &LT3_V1, 1, 99, 7, NULL));
    must_finish(store);
    parts[1] = parts[2];
    expect_refused(parts, 2, PIAA_MISMATCH, "/photos/000001.jpg changed between");
}

static void flip_bit(const char *file, long at) {
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    int byte = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    fputc(byte ^ 16, f);
    assert_int_equal(fclose(f), 0);
}

static void flipped_bit_is_found(void **state) {
    (void)state;
    const char *path = in(scratch, "a");
    make_store(path, &LT3_V1, 5);
    int64_t damaged = -1;
    heard warnings = {0};
    const piaa_hooks hooks = {.user = &warnings, .warn = hear};
    assert_true(piaa_store_verify(path, false, &hooks, &damaged, NULL));
    assert_int_equal(damaged, 0);

    flip_bit(in(path, "lt.3.npy"), PIAA_NPY_HEADER_SIZE + 3 * DIM * 4 + 17);
    assert_true(piaa_store_verify(path, false, &hooks, &damaged, NULL));
    assert_int_equal(damaged, 1);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.last, "/photos/000003.jpg"));
    expect_refused(&path, 1, PIAA_FORMAT, "/photos/000003.jpg: the vectors in");

    assert_true(piaa_store_verify(path, true, &hooks, &damaged, NULL));
    assert_int_equal(damaged, 1);
    assert_true(piaa_store_verify(path, false, &hooks, &damaged, NULL));
    assert_int_equal(damaged, 0);
    bool missing[2];
    piaa_store *store = must_write(path, &LT3_V1, NULL);
    assert_int_equal(look(store, 3, missing).status, PIAA_PHOTO_PARTIAL);
    assert_true(missing[0] && missing[1]);
    assert_int_equal(look(store, 2, missing).status, PIAA_PHOTO_COMPLETE);
    assert_true(put(store, &LT3_V1, 3, NULL));
    must_finish(store);
    const char *once = in(scratch, "once");
    make_store(once, &LT3_V1, 5);
    expect_same_stores(once, path);
}

/* ----------------------------------------------------------------------------------------- shards
 */

/* A list as of a walk of `folder`, without files. */
static piaa_photos *list_photos(const char *folder, int count) {
    piaa_photos *photos = piaa_photos_new(NULL);
    assert_non_null(photos);
    assert_true(piaa_paths_add(&photos->folders, folder, NULL));
    for (int i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/2024/%04d.jpg", folder, i);
        assert_true(piaa_paths_add(&photos->paths, path, NULL));
        assert_true(piaa_paths_add(&photos->names, path, NULL));
    }
    return photos;
}

/* Every photo is in one part; a part of a longer list elsewhere holds the same ones and more. */
static void shards_are_stable(void **state) {
    (void)state;
    enum { COUNT = 1000, PARTS = 4 };
    int all = 0;
    for (int part = 1; part <= PARTS; part++) {
        piaa_photos *few = list_photos("/one", COUNT), *more = list_photos("/other/place", 1200);
        assert_true(piaa_photos_keep_shard(few, part, PARTS, NULL));
        assert_true(piaa_photos_keep_shard(more, part, PARTS, NULL));
        assert_in_range(few->paths.count, 200, 300); /* 250 +- 13.7: 3.6 deviations */
        assert_true(more->paths.count > few->paths.count);
        for (size_t i = 0; i < few->paths.count; i++) {
            assert_string_equal(few->paths.items[i] + strlen("/one"),
                                more->paths.items[i] + strlen("/other/place"));
            assert_string_equal(few->paths.items[i], few->names.items[i]);
            assert_int_equal(piaa_shard_of(few->paths.items[i] + strlen("/one/"), PARTS), part);
        }
        all += (int)few->paths.count;
        piaa_photos_free(few);
        piaa_photos_free(more);
    }
    assert_int_equal(all, COUNT);
    piaa_photos *photos = list_photos("/one", 1);
    assert_false(piaa_photos_keep_shard(photos, 0, 4, NULL));
    assert_false(piaa_photos_keep_shard(photos, 5, 4, NULL));
    piaa_photos_free(photos);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shards_become_one_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_merge_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(split_and_merged_is_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_split_has_no_place_in_the_folder, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(stopped_merge_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_matrices_are_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mixtures_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flipped_bit_is_found, set_up, tear_down),
        cmocka_unit_test(shards_are_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
