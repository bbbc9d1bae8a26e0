/* Raw photos: DNG files of a sensor whose four quarters are lit in known colours, and what is read
 * of them.  (What libraw makes of the cameras' own formats is libraw's affair.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/dng_maker.h"
#include "image/image.h"
#include "image/raw.h"
#include "image/temporary.h"

static tiff_maker maker;

static piaa_image read_dng(const char *name, piaa_exif exif) {
    const char *path = write_file(name, maker.bytes, maker.size);
    piaa_error error = {0};
    piaa_image image;
    bool ok = piaa_image_read(path, exif, &image, &error);
    unlink(path);
    if (!ok) fail_msg("%s", error.message);
    return image;
}

/* 'r', 'g', 'b', 'w': what the middle of a quarter looks like. */
static char colour_at(const piaa_image *image, int right, int lower) {
    const uint8_t *p = image->rgb + (((1 + 2 * lower) * image->height / 4) * image->width +
                                     (1 + 2 * right) * image->width / 4) *
                                        3;
    bool on[3];
    for (int c = 0; c < 3; c++) on[c] = p[c] > 160;
    if (on[0] && on[1] && on[2]) return 'w';
    return on[0] + on[1] + on[2] == 1 ? on[0] ? 'r' : on[1] ? 'g' : 'b' : '?';
}

static void expect_quarters(const piaa_image *image, const char *colours) {
    for (int i = 0; i < 4; i++)
        if (colour_at(image, i & 1, i >> 1) != colours[i])
            fail_msg("quarter %d is %c, not %c", i, colour_at(image, i & 1, i >> 1), colours[i]);
}

/* EXIF 6: the camera's right is the photo's bottom, so that a quarter turn clockwise rights it. */
static void developed_at_half_size(void **state) {
    (void)state;
    static const struct {
        int orientation;
        const char *quarters;
    } turns[] = {{1, "rgbw"}, {3, "wbgr"}, {6, "brwg"}, {8, "gwrb"}};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        bool swap = turns[i].orientation >= 5;
        make_dng(&maker, &(dng){.orientation = turns[i].orientation});
        piaa_image image = read_dng("half.dng", PIAA_EXIF_APPLY);
        assert_int_equal(image.raw, PIAA_RAW_DEVELOPED);
        assert_int_equal(image.width, (swap ? DNG_HEIGHT : DNG_WIDTH) / 2);
        assert_int_equal(image.height, (swap ? DNG_WIDTH : DNG_HEIGHT) / 2);
        expect_quarters(&image, turns[i].quarters);
        piaa_image_free(&image);
        image = read_dng("half.dng", PIAA_EXIF_IGNORE);
        expect_quarters(&image, "rgbw");
        piaa_image_free(&image);
    }
}

/* Whatever a raw file is called. */
static void content_decides(void **state) {
    (void)state;
    static const char *const names[] = {"a.tif", "a.jpg", "a.NEF", "a.raw", "a"};
    make_dng(&maker, &(dng){.orientation = 1});
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        piaa_image image = read_dng(names[i], PIAA_EXIF_APPLY);
        assert_int_equal(image.raw, PIAA_RAW_DEVELOPED);
        assert_int_equal(image.width, DNG_WIDTH / 2);
        piaa_image_free(&image);
    }
}

static void linear_light(void **state) {
    (void)state;
    make_dng(&maker, &(dng){.linear = true, .orientation = 1});
    piaa_image image = read_dng("linear.dng", PIAA_EXIF_APPLY);
    assert_int_equal(image.raw, PIAA_RAW_DEVELOPED);
    expect_quarters(&image, "rgbw");
    piaa_image_free(&image);
}

static size_t read_golden(const char *name, unsigned char *bytes, size_t room) {
    char path[512];
    snprintf(path, sizeof path, PIAA_GOLDEN "/images/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    assert_true(size > 0 && size < room);
    return size;
}

/* A preview that is large enough is the photo, turned as the raw file says. */
static void preview_is_the_photo(void **state) {
    (void)state;
    static unsigned char jpeg[1 << 16];
    piaa_image plain, turned;
    size_t size = read_golden("coffee_420.jpg", jpeg, sizeof jpeg);
    assert_true(
        piaa_image_read(PIAA_GOLDEN "/images/coffee_420.jpg", PIAA_EXIF_APPLY, &plain, NULL));
    dng k = {.orientation = 3,
             .preview = jpeg,
             .preview_size = size,
             .preview_width = plain.width,
             .preview_height = plain.height};
    make_dng(&maker, &k);
    turned = read_dng("preview.dng", PIAA_EXIF_APPLY);
    assert_int_equal(turned.raw, PIAA_RAW_PREVIEW);
    assert_int_equal(turned.width, plain.width);
    assert_int_equal(turned.height, plain.height);
    size_t pixels = (size_t)plain.width * (size_t)plain.height;
    for (size_t i = 0; i < pixels; i++)
        assert_memory_equal(turned.rgb + 3 * i, plain.rgb + 3 * (pixels - 1 - i), 3);
    piaa_image_free(&turned);
    turned = read_dng("preview.dng", PIAA_EXIF_IGNORE);
    assert_memory_equal(turned.rgb, plain.rgb, pixels * 3);
    piaa_image_free(&turned);
    piaa_image_free(&plain);
}

static void size_and_thumbnail(void **state) {
    (void)state;
    make_dng(&maker, &(dng){.orientation = 6});
    const char *path = write_file("a.dng", maker.bytes, maker.size);
    piaa_photo_file file;
    piaa_image small;
    int width, height;
    assert_true(piaa_photo_file_read(&file, path, NULL));
    unlink(path);
    assert_int_equal(file.kind, PIAA_KIND_RAW);
    assert_true(piaa_photo_size(&file, &width, &height, NULL));
    assert_int_equal(width, DNG_WIDTH / 2);
    assert_int_equal(height, DNG_HEIGHT / 2);
    assert_true(piaa_image_thumbnail(&file, 16, 16, &small, NULL));
    assert_true(small.height == 16 && small.width < 16);
    expect_quarters(&small, "brwg");
    piaa_image_free(&small);
    piaa_photo_file_free(&file);
}

/* Cut anywhere, a raw file is an error in one line, never its thumbnail. */
static void cut_short(void **state) {
    (void)state;
    make_dng(&maker, &(dng){.orientation = 1});
    static const double kept[] = {0.02, 0.2, 0.5, 0.9, 0.98};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *path = write_file("a.dng", maker.bytes, (size_t)(kept[i] * (double)maker.size));
        piaa_error error = {0};
        piaa_image image;
        assert_false(piaa_image_read(path, PIAA_EXIF_APPLY, &image, &error));
        unlink(path);
        assert_non_null(strstr(error.message, path));
        assert_null(strchr(error.message, '\n'));
    }
    piaa_error error = {0};
    piaa_image image;
    const char *start = write_file("b.nef", "II", 2);
    assert_false(piaa_image_read(start, PIAA_EXIF_APPLY, &image, &error));
    assert_non_null(strstr(error.message, "cut short")); /* and no disk is blamed */
    unlink(start);
}

/* A thumbnail that TIFF readers see, and below it a sensor that nobody knows. */
static void unknown_sensor(void **state) {
    (void)state;
    static const char *const endings[] = {"nef", "nrw", "srw", "tif", "raw", "xyz"};
    tiff_begin(&maker, false, false);
    uint64_t below[] = {8};
    const tiff_entry raw[] = {{254, LONG, 0, 0, NULL},      {256, LONG, 600, 0, NULL},
                              {257, LONG, 400, 0, NULL},    {258, SHORT, 12, 0, NULL},
                              {259, SHORT, 32769, 0, NULL}, {262, SHORT, 32803, 0, NULL}};
    tiff_directory(&maker, 0, raw, sizeof raw / sizeof *raw);
    static const unsigned char pixels[4 * 4] = {128};
    uint64_t shown = tiff_data(&maker, pixels, sizeof pixels);
    const tiff_entry first[] = {{254, LONG, 1, 0, NULL},        {256, LONG, 4, 0, NULL},
                                {257, LONG, 4, 0, NULL},        {258, SHORT, 8, 0, NULL},
                                {259, SHORT, 1, 0, NULL},       {262, SHORT, 1, 0, NULL},
                                {273, LONG, shown, 0, NULL},    {277, SHORT, 1, 0, NULL},
                                {278, LONG, 4, 0, NULL},        {279, LONG, sizeof pixels, 0, NULL},
                                {330, LONG, below[0], 1, below}};
    tiff_directory(&maker, tiff_first(&maker), first, sizeof first / sizeof *first);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[16];
        snprintf(name, sizeof name, "a.%s", endings[i]);
        const char *path = write_file(name, maker.bytes, maker.size);
        piaa_error error = {0};
        piaa_image image;
        assert_false(piaa_image_read(path, PIAA_EXIF_APPLY, &image, &error));
        unlink(path);
        if (!strstr(error.message, "is a raw photo")) fail_msg("%s", error.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(developed_at_half_size), cmocka_unit_test(content_decides),
        cmocka_unit_test(linear_light),           cmocka_unit_test(preview_is_the_photo),
        cmocka_unit_test(size_and_thumbnail),     cmocka_unit_test(cut_short),
        cmocka_unit_test(unknown_sensor),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
