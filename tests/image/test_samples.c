/* Samples of every kind: what the 8-bit version of the same picture gives, or a line that says what
   they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"
#include "image/jxl.h"
#include "image/temporary.h"
#include "image/tiff_maker.h"

#include <math.h>

enum { WIDTH = 17, HEIGHT = 15, PIXELS = WIDTH * HEIGHT, UNSIGNED = 1, SIGNED = 2, FLOAT = 3 };

static tiff_maker maker;
static uint8_t picture[PIXELS * 3]; /* the 8-bit version: every byte is somewhere */

static void make_picture(void) {
    for (int i = 0; i < PIXELS * 3; i++) picture[i] = (uint8_t)(i * 89 + i / 3);
}

/* How a number of 0 to 255 is written. */
typedef struct kind {
    const char *what;
    int bits, format, photometric, channels;
    double scale, shift; /* the sample is byte * scale + shift */
    const char *refused; /* NULL: it is read */
} kind;

static uint64_t bits_of(const kind *k, double value) {
    float single = (float)value;
    uint32_t word;
    uint64_t longer;
    memcpy(&word, &single, sizeof word);
    memcpy(&longer, &value, sizeof longer);
    if (k->format == FLOAT) return k->bits == 64 ? longer : k->bits == 32 ? word : 0x3800;
    return (uint64_t)llrint(value);
}

/* A TIFF file of the picture, samples of whole bytes in one strip. */
static void make_tiff(const kind *k, bool big_endian, bool wide) {
    tiff_begin(&maker, big_endian, wide);
    uint64_t at = maker.size;
    unsigned width = (unsigned)k->bits / 8;
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < k->channels; c++) {
            double byte = picture[3 * i + c];
            if (k->photometric == 0) byte = 255 - byte;
            tiff_number(&maker, maker.size, width, bits_of(k, byte * k->scale + k->shift));
        }
    uint64_t size = maker.size - at, channels = (uint64_t)k->channels;
    uint64_t bits[3], formats[3];
    for (int c = 0; c < 3; c++) {
        bits[c] = (uint64_t)k->bits;
        formats[c] = (uint64_t)k->format;
    }
    const tiff_entry entries[] = {
        {256, LONG, WIDTH, 0, NULL},
        {257, LONG, HEIGHT, 0, NULL},
        {258, SHORT, bits[0], channels, bits},
        {259, SHORT, 1, 0, NULL},
        {262, SHORT, (uint64_t)k->photometric, 0, NULL},
        {273, LONG, at, 0, NULL},
        {277, SHORT, channels, 0, NULL},
        {278, LONG, HEIGHT, 0, NULL},
        {279, LONG, size, 0, NULL},
        {339, SHORT, formats[0], channels, formats},
    };
    tiff_directory(&maker, tiff_first(&maker), entries, sizeof entries / sizeof *entries);
}

static bool read_bytes(const char *name, const void *bytes, size_t size, piaa_image *image,
                       piaa_error *error) {
    const char *path = write_file(name, bytes, size);
    bool ok = piaa_image_read(path, PIAA_EXIF_APPLY, image, error);
    unlink(path);
    return ok;
}

static void expect_picture(const char *what, const piaa_image *image, int channels) {
    assert_int_equal(image->width, WIDTH);
    assert_int_equal(image->height, HEIGHT);
    for (int i = 0; i < PIXELS * 3; i++) {
        int expected = picture[channels == 1 ? i / 3 * 3 : i];
        if (abs(image->rgb[i] - expected) > 1) /* signed ones have half the steps */
            fail_msg("%s: sample %d is %d, not %d", what, i, image->rgb[i], expected);
    }
}

static const kind kinds[] = {
    {"8 bits", 8, UNSIGNED, 2, 3, 1, 0, NULL},
    {"16 bits", 16, UNSIGNED, 2, 3, 257, 0, NULL},
    {"32 bits", 32, UNSIGNED, 2, 3, 16843009, 0, NULL},
    {"32 bits, grey", 32, UNSIGNED, 1, 1, 16843009, 0, NULL},
    {"bytes in 32 bits", 32, UNSIGNED, 2, 3, 1, 0, NULL},
    {"16 bits in 32", 32, UNSIGNED, 2, 3, 257, 0, NULL},
    {"float", 32, FLOAT, 2, 3, 1 / 255.0, 0, NULL},
    {"float, grey", 32, FLOAT, 1, 1, 1 / 255.0, 0, NULL},
    {"bytes as float", 32, FLOAT, 2, 3, 1, 0, NULL},
    {"16 bits as float", 32, FLOAT, 2, 3, 257, 0, NULL},
    {"white is zero, 8 bits", 8, UNSIGNED, 0, 1, 1, 0, NULL},
    {"white is zero, 16 bits", 16, UNSIGNED, 0, 1, 257, 0, NULL},
    {"white is zero, 32 bits", 32, UNSIGNED, 0, 1, 16843009, 0, NULL},
    {"white is zero, float", 32, FLOAT, 0, 1, 1 / 255.0, 0, NULL},
    {"signed, none below zero", 16, SIGNED, 2, 3, 128, 0, NULL},
    {"signed bytes", 16, SIGNED, 2, 3, 1, 0, NULL},
    {"signed 32 bits", 32, SIGNED, 2, 3, 8421504, 0, NULL},

    {"signed 8", 8, SIGNED, 2, 3, 1, -128, "signed samples from -128 to"},
    {"signed 16", 16, SIGNED, 2, 3, 257, -32768, "signed samples from -32768 to"},
    {"signed 32", 32, SIGNED, 1, 1, 16843009, -2147483648.0, "signed samples"},
    {"half", 16, FLOAT, 2, 3, 1, 0, "TIFF of 16-bit floating-point samples"},
    {"double", 64, FLOAT, 2, 3, 1 / 255.0, 0, "TIFF of 64-bit floating-point samples"},
    {"24 bits", 24, UNSIGNED, 2, 3, 65793, 0, "TIFF of 24-bit unsigned samples"},
    {"64 bits", 64, UNSIGNED, 2, 3, 1, 0, "TIFF of 64-bit unsigned samples"},
    {"complex", 64, 6, 1, 1, 1, 0, "TIFF of 64-bit complex samples"},
    {"scene", 32, FLOAT, 2, 3, 1000, 0, "floating-point samples from 0 to 25"},
    {"linear HDR", 32, FLOAT, 32845, 3, 1, 0, "photometric 32845"},
    {"subsampled", 8, UNSIGNED, 6, 3, 1, 0, "subsampled"}, /* the default where it says nothing */
};

static void every_kind(void **state) {
    (void)state;
    make_picture();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int way = 0; way < 4; way++) {
            piaa_image image;
            piaa_error error = {0};
            make_tiff(&kinds[i], way & 1, way & 2);
            bool ok = read_bytes("a.tif", maker.bytes, maker.size, &image, &error);
            if (ok != !kinds[i].refused)
                fail_msg("%s, way %d: %s", kinds[i].what, way, error.message);
            if (ok) expect_picture(kinds[i].what, &image, kinds[i].channels);
            if (!ok && !strstr(error.message, kinds[i].refused))
                fail_msg("%s: %s", kinds[i].what, error.message);
            if (!ok) assert_int_equal(error.code, PIAA_UNSUPPORTED);
            piaa_image_free(&image);
        }
}

/* Highlights above white, here one pixel in twenty, are white, and leave the unit alone. */
static void highlights(void **state) {
    (void)state;
    make_picture();
    make_tiff(&(kind){"", 32, FLOAT, 2, 3, 1 / 255.0, 0, NULL}, false, false);
    for (size_t i = 0; i < PIXELS; i += 20) {
        float bright[3] = {8, NAN, -1};
        memcpy(maker.bytes + 8 + i * 12, bright, sizeof bright); /* behind the header */
        memcpy(picture + 3 * i, (uint8_t[]){255, 0, 0}, 3);
    }
    piaa_image image;
    assert_true(read_bytes("a.tif", maker.bytes, maker.size, &image, NULL));
    expect_picture("highlights", &image, 3);
    piaa_image_free(&image);
}

/* Uncompressed YCbCr, each pixel with its own colours: by the JFIF standard's equations. */
static void luma_and_differences(void **state) {
    (void)state;
    tiff_begin(&maker, false, false);
    uint64_t at = tiff_data(&maker, (uint8_t[]){128, 128, 128, 76, 85, 255}, 6);
    const uint64_t eight[] = {8, 8, 8}, one[] = {1, 1};
    const tiff_entry entries[] = {{256, LONG, 2, 0, NULL},   {257, LONG, 1, 0, NULL},
                                  {258, SHORT, 0, 3, eight}, {259, SHORT, 1, 0, NULL},
                                  {262, SHORT, 6, 0, NULL},  {273, LONG, at, 0, NULL},
                                  {277, SHORT, 3, 0, NULL},  {278, LONG, 1, 0, NULL},
                                  {279, LONG, 6, 0, NULL},   {530, SHORT, 0, 2, one}};
    tiff_directory(&maker, tiff_first(&maker), entries, sizeof entries / sizeof *entries);
    piaa_image image;
    assert_true(read_bytes("a.tif", maker.bytes, maker.size, &image, NULL));
    /* 76 + 1.402 * 127 = 254; 76 + 0.344 * 43 - 0.714 * 127 = 0; 76 - 1.772 * 43 = 0: red */
    assert_memory_equal(image.rgb, ((uint8_t[]){128, 128, 128, 254, 0, 0}), 6);
    piaa_image_free(&image);
}

/* A small picture for people shows what the model sees, and not linear light. */
static void thumbnail_of_floats(void **state) {
    (void)state;
    memset(picture, 100, sizeof picture);
    make_tiff(&(kind){"", 32, FLOAT, 2, 3, 1 / 255.0, 0, NULL}, false, false);
    const char *path = write_file("a.tif", maker.bytes, maker.size);
    piaa_photo_file file;
    piaa_image small;
    assert_true(piaa_photo_file_read(&file, path, NULL));
    unlink(path);
    assert_true(piaa_image_thumbnail(&file, 8, 8, &small, NULL));
    for (int c = 0; c < 3; c++) assert_in_range(small.rgb[c], 97, 103);
    piaa_image_free(&small);
    piaa_photo_file_free(&file);
}

/* A Windows bitmap as in a .bmp file and, without the first 14 bytes, as in some .dib files: blue,
   green, red, from the bottom row, rows of whole words. */
static void bitmaps(void **state) {
    (void)state;
    static const unsigned char bmp[] = {'B', 'M', 62, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0,  0, 40, 0,
                                        0,   0,   2,  0, 0, 0, 1, 0, 0, 0, 1,  0, 24, 0, 0,  0,
                                        0,   0,   8,  0, 0, 0, 0, 0, 0, 0, 0,  0, 0,  0, 0,  0,
                                        0,   0,   0,  0, 0, 0, 3, 2, 1, 6, 5,  4, 0,  0};
    for (int cut = 0; cut <= 14; cut += 14) {
        piaa_image image;
        piaa_error error = {0};
        if (!read_bytes("a.dib", bmp + cut, sizeof bmp - (size_t)cut, &image, &error))
            fail_msg("%s", error.message);
        assert_int_equal(image.width, 2);
        assert_memory_equal(image.rgb, ((uint8_t[]){1, 2, 3, 4, 5, 6}), 6);
        piaa_image_free(&image);
    }
}

/* Eight pixels square, once with one frame and once with two, as libjxl writes them; in a box
   too. */
static void animated_jxl(void **state) {
    (void)state;
    static const char still[] = "\xff\x0a\x41\x40\x24\x08\x04\x01",
                      animated[] = "\xff\x0a\x41\x04\x4d\x00\x20\x26",
                      boxed[] = "\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14"
                                "ftypjxl \0\0\0\0jxl "
                                "\0\0\0\0jxlc\xff\x0a\x41\x04\x4d\x00";
    assert_false(piaa_jxl_is_animated((const unsigned char *)still, sizeof still - 1));
    assert_true(piaa_jxl_is_animated((const unsigned char *)animated, sizeof animated - 1));
    assert_true(piaa_jxl_is_animated((const unsigned char *)boxed, sizeof boxed - 1));
    for (size_t size = 0; size < 5; size++)
        assert_false(piaa_jxl_is_animated((const unsigned char *)animated, size));
    piaa_image image;
    piaa_error error = {0};
    assert_false(read_bytes("a.jxl", animated, sizeof animated - 1, &image, &error));
    if (piaa_image_has_photo_name("a.jxl")) assert_non_null(strstr(error.message, "animated"));
}

static void pnm_of_every_depth(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        uint8_t rgb[6];
    } files[] = {
#define PNM(text) text, sizeof(text) - 1
        {PNM("P6 2 1 15\n\0\1\x0f\x0e\7\0"), {0, 17, 255, 238, 119, 0}},
        {PNM("P3\n# a comment 9 9 9\n2 1 # 3\n7\n0 1 7 6 3 0\n"), {0, 36, 255, 219, 109, 0}},
        {PNM("P5 2 1 1023\n\3\xff\1\0"), {255, 255, 255, 64, 64, 64}},
        {PNM("P6 2 1 65535\n\x12\x34\xff\xff\0\xff\x80\0\x7f\xff\1\0"),
         {0x12, 0xff, 0, 0x80, 0x7f, 1}},
        {PNM("P4 2 1\n\x40"), {255, 255, 255, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        piaa_image image;
        piaa_error error = {0};
        if (!read_bytes("a.pnm", files[i].bytes, files[i].size, &image, &error))
            fail_msg("%s", error.message);
        if (memcmp(image.rgb, files[i].rgb, 6) != 0) fail_msg("file %zu", i);
        piaa_image_free(&image);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(highlights),
        cmocka_unit_test(luma_and_differences),
        cmocka_unit_test(thumbnail_of_floats),
        cmocka_unit_test(bitmaps),
        cmocka_unit_test(animated_jxl),
        cmocka_unit_test(pnm_of_every_depth),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
