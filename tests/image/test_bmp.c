/* Windows and OS/2 bitmaps, written here byte by byte; what comes out is what Pillow makes of
   them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"

enum { WIDTH = 3, HEIGHT = 2, PIXELS = WIDTH * HEIGHT };

typedef struct bitmap {
    unsigned char bytes[256];
    size_t size;
} bitmap;

static void add(bitmap *b, uint32_t value, int size) {
    for (int i = 0; i < size; i++) b->bytes[b->size++] = (unsigned char)(value >> 8 * i);
}

static void add_bytes(bitmap *b, const char *bytes, size_t size) {
    memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

/* Both headers of Windows' bitmap; `extra` bytes stand before the pixels. */
static bitmap begin(int height, unsigned bits, uint32_t compression, uint32_t colours,
                    uint32_t extra) {
    bitmap b = {.size = 0};
    add_bytes(&b, "BM", 2);
    add(&b, 0, 4), add(&b, 0, 4), add(&b, 54 + extra, 4);
    add(&b, 40, 4), add(&b, WIDTH, 4), add(&b, (uint32_t)height, 4), add(&b, 1, 2);
    add(&b, bits, 2), add(&b, compression, 4), add(&b, 0, 4), add(&b, 0, 4), add(&b, 0, 4);
    add(&b, colours, 4), add(&b, 0, 4);
    return b;
}

static bool decode(const bitmap *b, piaa_image *image, piaa_error *error) {
    piaa_photo_file file = {.path = "a.bmp",
                            .bytes = (unsigned char *)(uintptr_t)b->bytes,
                            .size = b->size,
                            .kind = piaa_kind_of(b->bytes, b->size)};
    assert_int_equal(file.kind, PIAA_KIND_BMP);
    return piaa_image_decode(&file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_NONE, image, error);
}

static void expect(const bitmap *b, const unsigned char rgb[PIXELS][3]) {
    piaa_error error = {0};
    piaa_image image;
    if (!decode(b, &image, &error)) fail_msg("%s", error.message);
    assert_true(image.width == WIDTH && image.height == HEIGHT);
    assert_memory_equal(image.rgb, rgb, PIXELS * 3);
    piaa_image_free(&image);
    bitmap cut = *b;
    cut.size -= 4; /* with the padding of the last row some of its pixels go */
    assert_false(decode(&cut, &image, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    assert_non_null(strstr(error.message, "cut short"));
}

static const unsigned char colours[PIXELS][3] = {{255, 0, 0},   {0, 255, 0}, {0, 0, 255},
                                                 {255, 255, 0}, {0, 0, 0},   {255, 255, 255}};

/* Rows of blue, green, red, filled up to 12 bytes. */
static void add_row(bitmap *b, int y) {
    for (int x = 0; x < WIDTH; x++)
        for (int c = 2; c >= 0; c--) add(b, colours[y * WIDTH + x][c], 1);
    add(b, 0, 3);
}

static void colours_of_24_bits(void **state) {
    (void)state;
    bitmap up = begin(HEIGHT, 24, 0, 0, 0), down = begin(-HEIGHT, 24, 0, 0, 0);
    add_row(&up, 1), add_row(&up, 0);
    expect(&up, colours);
    add_row(&down, 0), add_row(&down, 1);
    expect(&down, colours);

    bitmap core = {.size = 0}; /* OS/2's */
    add_bytes(&core, "BM", 2);
    add(&core, 0, 4), add(&core, 0, 4), add(&core, 26, 4);
    add(&core, 12, 4), add(&core, WIDTH, 2), add(&core, HEIGHT, 2), add(&core, 1, 2);
    add(&core, 24, 2);
    add_row(&core, 1), add_row(&core, 0);
    expect(&core, colours);
}

/* Five bits: 16 of 31 is 16 x 255 / 31 = 131; six bits: 32 of 63 is 129. */
static void masks(void **state) {
    (void)state;
    static const unsigned char rgb[PIXELS][3] = {{255, 0, 0},     {0, 255, 0}, {0, 0, 255},
                                                 {131, 129, 131}, {0, 0, 0},   {255, 255, 255}},
                               five[PIXELS][3] = {{255, 0, 0},     {0, 255, 0}, {0, 0, 255},
                                                  {131, 131, 131}, {0, 0, 0},   {255, 255, 255}};
    bitmap b = begin(-HEIGHT, 16, 3, 0, 12);
    add(&b, 0xf800, 4), add(&b, 0x07e0, 4), add(&b, 0x001f, 4);
    add(&b, 0xf800, 2), add(&b, 0x07e0, 2), add(&b, 0x001f, 2), add(&b, 0, 2);
    add(&b, 0x8410, 2), add(&b, 0, 2), add(&b, 0xffff, 2), add(&b, 0, 2);
    expect(&b, rgb);
    bitmap plain = begin(-HEIGHT, 16, 0, 0, 0); /* 555, one bit spare */
    add(&plain, 0x7c00, 2), add(&plain, 0x03e0, 2), add(&plain, 0x001f, 2), add(&plain, 0, 2);
    add(&plain, 0x4210, 2), add(&plain, 0, 2), add(&plain, 0xffff, 2), add(&plain, 0, 2);
    expect(&plain, five);
    bitmap wide = begin(-HEIGHT, 32, 0, 0, 0); /* the fourth byte is nothing */
    for (int i = 0; i < PIXELS; i++)
        add(&wide, colours[i][2], 1), add(&wide, colours[i][1], 1), add(&wide, colours[i][0], 1),
            add(&wide, 0x55, 1);
    expect(&wide, colours);
}

static void add_palette(bitmap *b) {
    for (int i = 0; i < PIXELS; i++) {
        for (int c = 2; c >= 0; c--) add(b, colours[i][c], 1);
        add(b, 0, 1);
    }
}

static void palettes(void **state) {
    (void)state;
    bitmap eight = begin(-HEIGHT, 8, 0, PIXELS, 4 * PIXELS);
    add_palette(&eight);
    add_bytes(&eight, "\0\1\2\0\3\4\5\0", 8);
    expect(&eight, colours);
    bitmap four = begin(HEIGHT, 4, 0, PIXELS, 4 * PIXELS);
    add_palette(&four);
    add_bytes(&four, "\x34\x50\0\0\x01\x20\0\0", 8);
    expect(&four, colours);
    static const unsigned char two[PIXELS][3] = {{0, 255, 0}, {255, 0, 0}, {0, 255, 0},
                                                 {255, 0, 0}, {255, 0, 0}, {0, 255, 0}};
    bitmap one = begin(-HEIGHT, 1, 0, 2, 4 * 2);
    add_bytes(&one, "\0\0\xff\0\0\xff\0\0", 8);
    add_bytes(&one, "\xa0\0\0\0\x20\0\0\0", 8);
    expect(&one, two);
}

/* Rows from the bottom: a run, single colours, the end of a row; a step leaves colour 0. */
static void runs(void **state) {
    (void)state;
    static const unsigned char rgb[PIXELS][3] = {{255, 0, 0}, {0, 0, 255}, {255, 0, 0},
                                                 {0, 255, 0}, {0, 255, 0}, {255, 255, 0}};
    bitmap eight = begin(HEIGHT, 8, 1, PIXELS, 4 * PIXELS);
    add_palette(&eight);
    add_bytes(&eight, "\2\1\1\3\0\0\0\2\1\0\1\2\0\1", 14);
    piaa_image image;
    piaa_error error = {0};
    if (!decode(&eight, &image, &error)) fail_msg("%s", error.message);
    assert_memory_equal(image.rgb, rgb, sizeof rgb);
    piaa_image_free(&image);
    bitmap four = begin(HEIGHT, 4, 2, PIXELS, 4 * PIXELS);
    add_palette(&four);
    add_bytes(&four, "\0\3\x34\x50\0\0\0\3\x01\x20\0\1\0\1", 14);
    if (!decode(&four, &image, &error)) fail_msg("%s", error.message);
    assert_memory_equal(image.rgb, colours, sizeof colours);
    piaa_image_free(&image);
    four.size -= 8; /* in the middle of the second row */
    assert_false(decode(&four, &image, &error));
    assert_non_null(strstr(error.message, "cut short"));
}

static void others(void **state) {
    (void)state;
    const bitmap bad[] = {begin(HEIGHT, 24, 4, 0, 0), /* a JPEG in a bitmap */
                          begin(HEIGHT, 7, 0, 0, 0), begin(HEIGHT, 24, 1, 0, 0),
                          begin(0, 24, 0, 0, 0), begin(HEIGHT, 64, 0, 0, 0)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        piaa_image image;
        piaa_error error = {0};
        assert_false(decode(&bad[i], &image, &error));
        assert_int_equal(error.code, PIAA_UNSUPPORTED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_of_24_bits),
        cmocka_unit_test(masks),
        cmocka_unit_test(palettes),
        cmocka_unit_test(runs),
        cmocka_unit_test(others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
