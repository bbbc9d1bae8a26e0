/* What the system refuses while photos are read, and what is wrong with the model or the prompt, is
   no fault of the photos: the next run tries again. */
#include "faults.h"
#include "support.h"

#include "features/embed.h"

static char *folder;

static void put_picture(const char *name, int shade) {
    enum { SIDE = 32 };
    char bytes[16 + SIDE * SIDE * 3];
    int header = snprintf(bytes, sizeof bytes, "P6 %d %d 255\n", SIDE, SIDE);
    for (int i = 0; i < SIDE * SIDE * 3; i++) bytes[header + i] = (char)((i * shade) & 127);
    support_write(folder, name, bytes, (size_t)header + SIDE * SIDE * 3);
}

static piaa_embed_summary embed(piaa_extractor *extractor, char last[1024]) {
    char *store = support_join(folder, "store"), *photos = support_join(folder, "photos");
    const char *names[] = {photos};
    piaa_error error = {0};
    piaa_embed_summary summary = {0};
    piaa_store *made = piaa_embed(store, extractor, names, 1, NULL, &summary, &error);
    if (!made) fail_msg("%s", error.message);
    last[0] = '\0';
    for (size_t i = 0; i < piaa_store_photos(made); i++)
        if (piaa_store_photo(made, i).error)
            snprintf(last, 1024, "%s", piaa_store_photo(made, i).error);
    piaa_store_close(made);
    free(store);
    free(photos);
    return summary;
}

static void test_refused_photos(void **state) {
    (void)state;
    static const struct {
        int number;
        const char *text;
    } errors[] = {{EMFILE, "Too many open files"}, {ENFILE, "Too many open files in system"},
                  {EIO, "Input/output error"},     {ENOMEM, "Cannot allocate memory"},
                  {EACCES, "Permission denied"},   {ESTALE, "Stale file handle"}};
    piaa_error error = {0};
    folder = support_folder();
    char *photos = support_join(folder, "photos"), reason[1024];
    assert_int_equal(mkdir(photos, 0700), 0);
    put_picture("photos/a.ppm", 1);
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/clip", &error);
    piaa_extractor *extractor = piaa_extractor_new(model, &(piaa_request){.threads = 1}, &error);
    if (!extractor) fail_msg("%s", error.message);
    for (size_t i = 0; i < PIAA_COUNT(errors); i++) {
        put_picture("photos/b.ppm", (int)i + 2); /* another one each time */
        faults_arm(FAULT_FILES, 0, errors[i].number, false);
        faults.only = "/b.ppm";
        piaa_embed_summary s = embed(extractor, reason);
        assert_true(faults_disarm());
        assert_int_equal(s.failed, 1);
        assert_int_equal(s.computed, i == 0);
        if (!strstr(reason, errors[i].text)) fail_msg("%s", reason);
        s = embed(extractor, reason);
        assert_int_equal(s.failed, 0);
        assert_int_equal(s.computed, 1);
        assert_string_equal(reason, "");
        s = embed(extractor, reason);
        assert_int_equal(s.unchanged, 2);
    }
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    support_remove(folder);
    free(photos);
}

/* A prompt that the model cannot take is one error, and no photo is to blame. */
static void test_fault_of_the_prompt(void **state) {
    (void)state;
    piaa_error error = {0};
    folder = support_folder();
    char *photos = support_join(folder, "photos"), *path = support_join(folder, "store");
    assert_int_equal(mkdir(photos, 0700), 0);
    put_picture("photos/a.ppm", 1);
    put_picture("photos/b.ppm", 2);
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/qwen3vl", &error);
    const piaa_request request = {.prompt = "Is <|image_pad|> sharp?", .threads = 1};
    piaa_extractor *extractor = piaa_extractor_new(model, &request, &error);
    if (!extractor) fail_msg("%s", error.message);
    const char *names[] = {photos};
    piaa_embed_summary summary;
    assert_null(piaa_embed(path, extractor, names, 1, NULL, &summary, &error));
    if (!strstr(error.message, "image")) fail_msg("%s", error.message);
    assert_null(strstr(error.message, ".ppm"));
    assert_int_equal(summary.failed, 0);
    piaa_error_clear(&error);
    piaa_store *store = piaa_store_open_read(path, NULL, &error);
    if (!store) fail_msg("%s", error.message);
    assert_int_equal(piaa_store_photos(store), 0);
    piaa_store_close(store);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    support_remove(folder);
    free(photos);
    free(path);
}

/* A store in which earlier versions blamed photos for a fault of the model mends itself. */
static void test_old_blame(void **state) {
    (void)state;
    piaa_error error = {0};
    folder = support_folder();
    char *photos = support_join(folder, "photos"), *path = support_join(folder, "store");
    assert_int_equal(mkdir(photos, 0700), 0);
    put_picture("photos/a.ppm", 1);
    put_picture("photos/b.ppm", 2);
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/clip", &error);
    piaa_extractor *extractor = piaa_extractor_new(model, NULL, &error);
    if (!extractor) fail_msg("%s", error.message);
    piaa_store *store = piaa_store_open_write(path, piaa_extractor_identity(extractor),
                                              piaa_extractor_slots(extractor), NULL, &error);
    static const char *const names[] = {"a.ppm", "b.ppm"};
    static const char *const reasons[] = {
        "the tokenizer has no token <|im_start|>: take the one that belongs to the Qwen3-VL model",
        "it is damaged"};
    for (size_t i = 0; store && i < PIAA_COUNT(names); i++) {
        char *name = support_join(photos, names[i]), *full = piaa_path_absolute(name, NULL);
        struct stat status;
        assert_int_equal(stat(full, &status), 0);
        const piaa_photo photo = piaa_photo_of_file(full, &status);
        assert_true(piaa_store_put_failure(store, &photo, reasons[i], &error));
        free(full);
        free(name);
    }
    piaa_store_close(store);
    const char *given[] = {photos};
    piaa_embed_summary summary;
    store = piaa_embed(path, extractor, given, 1, NULL, &summary, &error);
    if (!store) fail_msg("%s", error.message);
    assert_int_equal(summary.computed, 1);
    assert_int_equal(summary.failed, 1);
    piaa_store_close(store);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    support_remove(folder);
    free(photos);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused_photos),
                                       cmocka_unit_test(test_fault_of_the_prompt),
                                       cmocka_unit_test(test_old_blame)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
