/* Transparent photos, alone and on a background: by hand, c a + b (1 - a). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"
#include "image/libvips.h"
#include "image/temporary.h"
#include "image/tiff_maker.h"

/* Four pixels: unseen, seen, half seen, unseen. */
static const uint8_t coloured[] = {200, 100, 50, 0,   200, 100, 50, 255,
                                   200, 100, 50, 128, 7,   8,   9,  0},
                     grey[] = {200, 0, 200, 255, 200, 128, 7, 0};

static const struct {
    piaa_background background;
    uint8_t coloured[12], grey[4]; /* 200 * 128 / 255 = 100.4, and 127 of white */
    bool hidden;
} expected[] = {
    {PIAA_BACKGROUND_NONE,
     {200, 100, 50, 200, 100, 50, 200, 100, 50, 7, 8, 9},
     {200, 200, 200, 7},
     true},
    {PIAA_BACKGROUND_WHITE,
     {255, 255, 255, 200, 100, 50, 227, 177, 152, 255, 255, 255},
     {255, 200, 227, 255},
     false},
    {PIAA_BACKGROUND_BLACK, {0, 0, 0, 200, 100, 50, 100, 50, 25, 0, 0, 0}, {0, 200, 100, 0}, false},
};

static void read_on(const void *bytes, size_t size, piaa_background background, piaa_image *out) {
    const char *path = write_file("a", bytes, size);
    piaa_photo_file file;
    piaa_error error = {0};
    bool ok = piaa_photo_file_read(&file, path, &error) &&
              piaa_image_decode(&file, PIAA_EXIF_APPLY, background, out, &error);
    unlink(path);
    if (!ok) fail_msg("%s", error.message);
    piaa_photo_file_free(&file);
}

static void expect(const char *what, const void *bytes, size_t size, bool colour) {
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        piaa_image image;
        read_on(bytes, size, expected[i].background, &image);
        assert_int_equal(image.width, 4);
        for (int k = 0; k < 12; k++) {
            int want = colour ? expected[i].coloured[k] : expected[i].grey[k / 3];
            if (abs(image.rgb[k] - want) > 1)
                fail_msg("%s, background %zu: sample %d is %d, not %d", what, i, k, image.rgb[k],
                         want);
        }
        assert_int_equal(image.hidden, expected[i].hidden);
        piaa_image_free(&image);
    }
}

static void expect_saved(const char *saver, const uint8_t *pixels, int bands) {
    VipsBlob *blob = NULL;
    assert_true(piaa_vips_start(NULL));
    VipsImage *image =
        vips_image_new_from_memory_copy(pixels, (size_t)bands * 4, 4, 1, bands, VIPS_FORMAT_UCHAR);
    VipsImage *typed = NULL;
    assert_int_equal(vips_copy(image, &typed, "interpretation",
                               bands == 4 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_B_W,
                               NULL),
                     0);
    bool webp = strcmp(saver, "webpsave_buffer") == 0; /* which else forgets what nobody sees */
    int failed = webp ? vips_call(saver, typed, &blob, "lossless", TRUE, "Q", 100, NULL)
                      : vips_call(saver, typed, &blob, NULL);
    g_object_unref(typed);
    g_object_unref(image);
    if (failed) fail_msg("%s: %s", saver, vips_error_buffer());
    size_t size;
    const void *bytes = vips_blob_get(blob, &size);
    expect(saver, bytes, size, bands == 4);
    vips_area_unref(&blob->area);
}

static void every_format(void **state) {
    (void)state;
    expect_saved("pngsave_buffer", coloured, 4);
    expect_saved("pngsave_buffer", grey, 2);
    expect_saved("tiffsave_buffer", coloured, 4);
    expect_saved("tiffsave_buffer", grey, 2);
}

/* A fourth sample of which a TIFF file does not say what it is; and colours that are multiplied by
   their alpha already. */
static void extra_samples_of_tiff(void **state) {
    (void)state;
    static tiff_maker maker;
    for (int extra = 0; extra < 2; extra++) {
        tiff_begin(&maker, false, false);
        const uint8_t multiplied[] = {0, 0, 0, 0, 200, 100, 50, 255, 100, 50, 25, 128, 0, 0, 0, 0};
        uint64_t at = tiff_data(&maker, extra ? multiplied : coloured, 16);
        const uint64_t eight[] = {8, 8, 8, 8};
        const tiff_entry entries[] = {
            {256, LONG, 4, 0, NULL},   {257, LONG, 1, 0, NULL},
            {258, SHORT, 0, 4, eight}, {259, SHORT, 1, 0, NULL},
            {262, SHORT, 2, 0, NULL},  {273, LONG, at, 0, NULL},
            {277, SHORT, 4, 0, NULL},  {278, LONG, 1, 0, NULL},
            {279, LONG, 16, 0, NULL},  {338, SHORT, (uint64_t)extra, 0, NULL}};
        tiff_directory(&maker, tiff_first(&maker), entries, sizeof entries / sizeof *entries);
        piaa_image image;
        read_on(maker.bytes, maker.size, PIAA_BACKGROUND_WHITE, &image);
        const uint8_t *want = expected[extra].coloured; /* as it is; on white */
        for (int k = 0; k < 12; k++)
            if (abs(image.rgb[k] - want[k]) > 1) fail_msg("%d: %d is %d", extra, k, image.rgb[k]);
        assert_false(image.hidden);
        piaa_image_free(&image);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_format),
                                       cmocka_unit_test(extra_samples_of_tiff)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
