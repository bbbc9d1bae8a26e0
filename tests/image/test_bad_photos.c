/* What is not a photo, or no longer one, is one plain line that names the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"
#include "image/temporary.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned char *read_golden(const char *name, size_t *size) {
    char path[512];
    snprintf(path, sizeof path, PIAA_GOLDEN "/images/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    enum { LARGEST = 1 << 20 };
    unsigned char *bytes = malloc(LARGEST);
    assert_non_null(bytes);
    *size = fread(bytes, 1, LARGEST, file);
    assert_true(*size > 0 && *size < LARGEST);
    fclose(file);
    return bytes;
}

static void expect_error(const char *path, piaa_code code, const char *said) {
    piaa_error error = {0};
    piaa_image image;
    assert_false(piaa_image_read(path, PIAA_EXIF_APPLY, &image, &error));
    assert_null(image.rgb);
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, said));
    assert_null(strchr(error.message, '\n'));
    assert_false(piaa_image_read(path, PIAA_EXIF_APPLY, &image, NULL));
}

static void not_files(void **state) {
    (void)state;
    expect_error(folder, PIAA_IO, "is a folder");
    expect_error("/nowhere/photo.jpg", PIAA_IO, "No such file");
    expect_error("/dev/null", PIAA_IO, "not a regular file");
}

static void not_photos(void **state) {
    (void)state;
    static const unsigned char noise[64] = {0x13, 0x37, 0x99, 0x01, 0xfe};
    static const char svg[] =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\"></svg>";
    const struct {
        const char *name, *said;
        const void *bytes;
        size_t size;
    } cases[] = {
        {"zero.jpg", "empty (0 bytes)", "", 0},
        {"text.jpg", "not a photo", "this is a letter, not a photo", 29},
        {"noise.png", "not a photo", noise, sizeof noise},
        {"one.jpg", "not a photo", "\xff", 1},
        {"ratings.csv", "not a photo", "1,2,3\n4,5,6\n", 12},
        {"drawing.svg", "not a photo", svg, sizeof svg - 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = write_file(cases[i].name, cases[i].bytes, cases[i].size);
        expect_error(path, PIAA_FORMAT, cases[i].said);
        unlink(path);
    }
}

/* What is called a raw photo and holds none is not read as whatever else it may be. */
static void raw_photos_without_a_sensor(void **state) {
    (void)state;
    const char *path = write_file("photo.NEF", "II*\0", 4);
    expect_error(path, PIAA_FORMAT, "raw photo");
    unlink(path);
    path = write_file("photo.bay", "this is a letter, not a photo", 29);
    expect_error(path, PIAA_FORMAT, "raw photo");
    unlink(path);
}

static void unreadable_file(void **state) {
    (void)state;
    if (geteuid() == 0) skip(); /* root reads everything */
    const char *path = write_file("locked.jpg", "x", 1);
    assert_int_equal(chmod(path, 0), 0);
    expect_error(path, PIAA_IO, "Permission denied");
    unlink(path);
}

static void cut_short(void **state) {
    (void)state;
    static const char *const names[] = {"cat.jpg",      "coffee_420.jpg", "rocket_progressive.jpg",
                                        "cat_cmyk.jpg", "astronaut.png",  "coffee_palette.png",
                                        "rocket.webp"};
    static const double kept[] = {0.02, 0.3, 0.6, 0.95};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
            size_t size;
            unsigned char *bytes = read_golden(names[i], &size);
            const char *path = write_file(names[i], bytes, (size_t)((double)size * kept[k]));
            expect_error(path, PIAA_FORMAT, "copy it again");
            unlink(path);
            free(bytes);
        }
}

static void damaged_inside(void **state) {
    (void)state;
    static const char *const names[] = {"astronaut.png", "coffee_palette.png", "cat_gray.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        unsigned char *bytes = read_golden(names[i], &size);
        for (size_t b = size / 2; b < size / 2 + 40; b++) bytes[b] ^= 0x55;
        const char *path = write_file(names[i], bytes, size);
        expect_error(path, PIAA_FORMAT, "damaged");
        unlink(path);
        free(bytes);
    }
}

static uint32_t crc32_of(const unsigned char *bytes, size_t size) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put_big_endian(unsigned char *to, uint32_t value) {
    for (int i = 0; i < 4; i++) to[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* A golden PNG whose header claims other sides. */
static void claims_too_much(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = read_golden("astronaut.png", &size);
    enum { WIDTH = 16, TYPE = 12, CRC = 29 };
    put_big_endian(bytes + WIDTH, 100000);
    put_big_endian(bytes + WIDTH + 4, 100000);
    put_big_endian(bytes + CRC, crc32_of(bytes + TYPE, CRC - TYPE));
    const char *path = write_file("bomb.png", bytes, size);
    expect_error(path, PIAA_UNSUPPORTED, "100000 x 100000 pixels");
    put_big_endian(bytes + WIDTH, 0x7fffffff);
    put_big_endian(bytes + WIDTH + 4, 0x7fffffff);
    put_big_endian(bytes + CRC, crc32_of(bytes + TYPE, CRC - TYPE));
    path = write_file("bomb.png", bytes, size);
    expect_error(path, PIAA_FORMAT, "cannot be decoded");
    put_big_endian(bytes + WIDTH, 160);
    put_big_endian(bytes + WIDTH + 4, 4000);
    put_big_endian(bytes + CRC, crc32_of(bytes + TYPE, CRC - TYPE));
    path = write_file("bomb.png", bytes, size);
    expect_error(path, PIAA_FORMAT, "damaged or cut short");
    unlink(path);
    free(bytes);
}

static void odd_names_are_no_trouble(void **state) {
    (void)state;
    static const char *const names[] = {
        "a[1].jpg",  "a[shrink=2]", "a b.jpg", "\xc3\xa9t\xc3\xa9.jpg",
        "no ending", "wrong.png",   "50%.jpg"};
    size_t size;
    unsigned char *bytes = read_golden("coffee_420.jpg", &size);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = write_file(names[i], bytes, size);
        piaa_error error = {0};
        piaa_image image;
        assert_true(piaa_image_read(path, PIAA_EXIF_APPLY, &image, &error));
        assert_int_equal(image.width, 300);
        assert_int_equal(image.height, 200);
        piaa_image_free(&image);
        unlink(path);
    }
    free(bytes);
}

/* 10,000 x 10,000 grey pixels as a portable greymap whose zeros the file system need not store. */
static void hundred_megapixels(void **state) {
    (void)state;
    enum { SIDE = 10000 };
    const char *path = write_file("large.pgm", "P5 10000 10000 255\n", 19);
    if (!piaa_image_has_photo_name(path)) {
        unlink(path);
        skip();
    }
    assert_int_equal(truncate(path, 19 + (off_t)SIDE * SIDE), 0);
    piaa_error error = {0};
    piaa_image image, small;
    assert_true(piaa_image_read(path, PIAA_EXIF_APPLY, &image, &error));
    assert_int_equal(image.width, SIDE);
    assert_true(piaa_image_resize(&image, 512, 512, PIAA_BICUBIC, &small, &error));
    assert_int_equal(small.rgb[512 * 512 * 3 - 1], 0);
    piaa_image_free(&small);
    piaa_image_free(&image);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_files),
        cmocka_unit_test(not_photos),
        cmocka_unit_test(raw_photos_without_a_sensor),
        cmocka_unit_test(unreadable_file),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(damaged_inside),
        cmocka_unit_test(claims_too_much),
        cmocka_unit_test(odd_names_are_no_trouble),
        cmocka_unit_test(hundred_megapixels),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
