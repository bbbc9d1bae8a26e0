/* A reader through the public interface: the store of the user's cache, photos beside those that
   are listed, and what is told. */
#include "support.h"

#include <stdlib.h>

typedef struct told {
    int notes, warnings;
    char note[1024];
} told;

static void hear_note(void *user, const char *line) {
    told *t = user;
    t->notes++;
    snprintf(t->note, sizeof t->note, "%s", line);
}

static void hear_warning(void *user, const char *line) {
    told *t = user;
    (void)line;
    t->warnings++;
}

static void put_photo(const char *folder, const char *name, unsigned char grey) {
    char bytes[16 + 64 * 64 * 3];
    int n = snprintf(bytes, sizeof bytes, "P6 64 64 255\n");
    memset(bytes + n, grey, sizeof bytes - (size_t)n);
    support_write(folder, name, bytes, (size_t)n + 64 * 64 * 3);
}

/* Reads photos/ and, if it is given, one photo more; what the run did. */
static piaa_embed_summary read_all(piaa_model *model, const char *photos_in, const char *also,
                                   const char *store_in, size_t *stored, told *t) {
    piaa_error error = {0};
    const piaa_hooks hooks = {.user = t, .warn = hear_warning, .note = hear_note};
    piaa_embed_summary summary = {0};
    piaa_photos *photos = piaa_photos_collect(&photos_in, 1, &hooks, &error);
    piaa_reader *reader = piaa_reader_new(model, &(piaa_request){.max_pixels = 4096}, &error);
    if (also) assert_true(piaa_photos_read_also(photos, also, &error));
    if (!piaa_reader_open_store(reader, store_in, false, &hooks, &error) ||
        !piaa_reader_read(reader, photos, &hooks, &summary, &error))
        fail_msg("%s", error.message);
    *stored = piaa_store_photos(piaa_reader_store(reader));
    piaa_reader_free(reader);
    piaa_photos_free(photos);
    return summary;
}

static void a_folder_is_read_and_found_again(void **state) {
    (void)state;
    piaa_error error = {0};
    char *made = support_folder(), *folder = piaa_path_absolute(made, NULL);
    support_make_folder(folder, "photos");
    support_make_folder(folder, "cache");
    put_photo(folder, "photos/a.ppm", 10);
    put_photo(folder, "photos/b.ppm", 200);
    put_photo(folder, "rated.ppm", 100);
    char *photos = support_join(folder, "photos"), *rated = support_join(folder, "rated.ppm"),
         *cache = support_join(folder, "cache"), *gone = support_join(folder, "photos/b.ppm");
    setenv("XDG_CACHE_HOME", cache, 1);
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/qwen3vl", &error);
    if (!model) fail_msg("%s", error.message);
    size_t stored;
    told t = {0};
    piaa_embed_summary summary = read_all(model, photos, rated, NULL, &stored, &t);
    assert_int_equal(summary.computed, 3);
    assert_int_equal(stored, 3);
    summary = read_all(model, photos, rated, NULL, &stored, &t);
    assert_int_equal(summary.unchanged, 3);
    assert_true(t.notes == 0 && t.warnings == 0);
    /* What was in the folder and is gone is told; what was beside it is not missed. */
    assert_int_equal(remove(gone), 0);
    summary = read_all(model, photos, NULL, NULL, &stored, &t);
    assert_int_equal(summary.unchanged, 1);
    assert_int_equal(t.notes, 1);
    assert_non_null(strstr(t.note, "1 photo that was read before is gone"));
    piaa_model_close(model);
    free(photos);
    free(rated);
    free(cache);
    free(gone);
    free(folder);
    support_remove(made);
}

static void what_comes_first_is_missed(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/qwen3vl", &error);
    assert_null(piaa_reader_new(NULL, NULL, &error));
    error = (piaa_error){0};
    piaa_reader *reader = piaa_reader_new(model, NULL, &error);
    piaa_photos *none = NULL;
    assert_null(piaa_reader_store(reader));
    assert_false(piaa_reader_read(reader, none, NULL, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_reader_free(reader);
    piaa_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_folder_is_read_and_found_again),
                                       cmocka_unit_test(what_comes_first_is_missed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
