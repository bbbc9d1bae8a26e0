/* What is said and kept of photos that are not read plainly: raw ones, and such as are transparent
   in places. */
#include "image/dng_maker.h"
#include "support.h"

#include "features/embed.h"

static char *folder;

static void put_dng(const char *name, const char *preview) {
    static tiff_maker maker;
    static unsigned char jpeg[1 << 16];
    dng kind = {.orientation = 1};
    if (preview) {
        FILE *file = fopen(preview, "rb");
        assert_non_null(file);
        kind.preview_size = fread(jpeg, 1, sizeof jpeg, file);
        kind.preview = jpeg;
        kind.preview_width = 300;
        kind.preview_height = 200;
        fclose(file);
    }
    make_dng(&maker, &kind);
    support_write(folder, name, maker.bytes, maker.size);
}

/* Grey, and 1 of `every` pixels red and unseen: TIFF with unassociated alpha. */
static void put_transparent(const char *name, int every) {
    enum { SIDE = 32 };
    static tiff_maker maker;
    uint8_t pixels[SIDE * SIDE * 4];
    for (int i = 0; i < SIDE * SIDE; i++)
        memcpy(pixels + 4 * i, i % every ? (uint8_t[]){99, 99, 99, 255} : (uint8_t[]){255, 0, 0, 0},
               4);
    tiff_begin(&maker, false, false);
    uint64_t at = tiff_data(&maker, pixels, sizeof pixels);
    const uint64_t eight[] = {8, 8, 8, 8};
    const tiff_entry entries[] = {
        {256, LONG, SIDE, 0, NULL}, {257, LONG, SIDE, 0, NULL}, {258, SHORT, 0, 4, eight},
        {259, SHORT, 1, 0, NULL},   {262, SHORT, 2, 0, NULL},   {273, LONG, at, 0, NULL},
        {277, SHORT, 4, 0, NULL},   {278, LONG, SIDE, 0, NULL}, {279, LONG, sizeof pixels, 0, NULL},
        {338, SHORT, 2, 0, NULL}};
    tiff_directory(&maker, tiff_first(&maker), entries, sizeof entries / sizeof *entries);
    support_write(folder, name, maker.bytes, maker.size);
}

typedef struct heard {
    char lines[4096];
    int hidden; /* lines about transparent parts */
} heard;

static void hear(void *user, const char *line) {
    heard *h = user;
    size_t used = strlen(h->lines);
    snprintf(h->lines + used, sizeof h->lines - used, "%s\n", line);
    h->hidden += strstr(line, "--background") != NULL;
}

static piaa_store *embed(const char *name, piaa_background background, heard *h,
                         piaa_error *error) {
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/clip", error);
    const piaa_request request = {.threads = 1, .background = background};
    piaa_extractor *extractor = piaa_extractor_new(model, &request, error);
    char *store = support_join(folder, name), *photos = support_join(folder, "photos");
    const char *names[] = {photos};
    *h = (heard){0};
    piaa_store *made =
        piaa_embed(store, extractor, names, 1, &(piaa_hooks){.user = h, .warn = hear}, NULL, error);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    free(store);
    free(photos);
    return made;
}

static const char *note_of(const piaa_store *store, const char *name) {
    for (size_t i = 0; i < piaa_store_photos(store); i++)
        if (piaa_path_ends(piaa_store_photo(store, i).path, name))
            return piaa_store_photo(store, i).note;
    fail_msg("%s is not there", name);
    return NULL;
}

static void notes_and_lines(void **state) {
    (void)state;
    piaa_error error = {0};
    heard h;
    folder = support_folder();
    char *photos = support_join(folder, "photos");
    assert_int_equal(mkdir(photos, 0700), 0);
    free(photos);
    put_dng("photos/developed.dng", NULL);
    put_dng("photos/preview.dng", PIAA_GOLDEN "/images/coffee_420.jpg");
    put_transparent("photos/cut_out.tif", 4);
    put_transparent("photos/cut_out_too.tif", 3);
    put_transparent("photos/round_corners.tif", 1000);
    piaa_store *store = embed("store", PIAA_BACKGROUND_NONE, &h, &error);
    if (!store) fail_msg("%s", error.message);
    assert_string_equal(note_of(store, "developed.dng"),
                        "developed from the raw file at half size");
    assert_string_equal(note_of(store, "preview.dng"), "the camera's preview in the raw file");
    assert_null(note_of(store, "cut_out.tif"));
    piaa_store_close(store);
    assert_non_null(strstr(h.lines, "2 photos have transparent parts"));
    assert_int_equal(h.hidden, 1);

    store = embed("store", PIAA_BACKGROUND_NONE, &h, &error); /* nothing is read again */
    assert_non_null(store);
    piaa_store_close(store);
    assert_string_equal(h.lines, "");

    assert_null(embed("store", PIAA_BACKGROUND_WHITE, &h, &error)); /* other pictures */
    assert_int_equal(error.code, PIAA_MISMATCH);
    error = (piaa_error){0};
    store = embed("white", PIAA_BACKGROUND_WHITE, &h, &error);
    if (!store) fail_msg("%s", error.message);
    piaa_store_close(store);
    assert_int_equal(h.hidden, 0);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(notes_and_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
