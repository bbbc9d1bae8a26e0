/* A photo's file: which decoder it gets, and that everything about it comes from the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"
#include "image/libvips.h"
#include "image/temporary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START(text) text, sizeof(text) - 1

static void content_decides(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        piaa_kind kind;
    } starts[] = {
        {START("\xff\xd8\xff\xe0"), PIAA_KIND_JPEG},
        {START("\xff\xd8"), PIAA_KIND_NONE},
        {START("\x89PNG\r\n\x1a\n"), PIAA_KIND_PNG},
        {START("GIF87a"), PIAA_KIND_GIF},
        {START("MM\0*\0\0\0\b"), PIAA_KIND_TIFF},
        {START("RIFF\1\2\3\4WEBPVP8 "), PIAA_KIND_WEBP},
        {START("\0\0\0\x1c\x66typavif"), PIAA_KIND_HEIF},
        {START("\xff\x0a"), PIAA_KIND_JXL},
        {START("\xff\x4f\xff\x51"), PIAA_KIND_JP2},
        {START("P6\n"), PIAA_KIND_PNM},
        {START("P9\n"), PIAA_KIND_NONE},
        {START("BM\1\2\3\4\0\0\0\0\0\0\0\0\x28\0\0\0\0"), PIAA_KIND_BMP},
        {START("BMW is a maker of cars"), PIAA_KIND_NONE},
        {START("%!PS-Adobe-3.0"), PIAA_KIND_NONE},
        {START("%PDF-1.4"), PIAA_KIND_NONE},
        {START("<svg xmlns"), PIAA_KIND_NONE},
        {START("gimp xcf v011"), PIAA_KIND_NONE},
        {START("8BPS\0\1"), PIAA_KIND_NONE},
        {START(""), PIAA_KIND_NONE},
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        assert_int_equal(piaa_kind_of((const unsigned char *)starts[i].bytes, starts[i].size),
                         starts[i].kind);
}

/* ImageMagick, PDF, SVG and the rest: neither asked by us nor to be had in this process. */
static void other_readers_are_off(void **state) {
    (void)state;
    static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
                      postscript[] = "%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n";
    static const struct {
        const char *name, *bytes;
    } files[] = {{"a.jpg", svg}, {"a.jpg", postscript}, {"a.svg", svg}, {"a.ps", postscript}};
    assert_true(piaa_vips_start(NULL));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = write_file(files[i].name, files[i].bytes, strlen(files[i].bytes));
        piaa_photo_file file;
        assert_false(piaa_photo_file_read(&file, path, NULL));
        assert_null(file.bytes);
        assert_null(vips_image_new_from_file(path, NULL));
        vips_error_clear();
        unlink(path);
    }
}

/* The file is overwritten, then gone, between its reading and its decoding. */
static void everything_from_the_same_bytes(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_photo_file file;
    const char *path = write_file("a.ppm", "P6 2 1 255\n\1\2\3\4\5\6", 17);
    assert_true(piaa_photo_file_read(&file, path, &error));
    assert_int_equal(file.size, 17);
    assert_int_equal(file.status.st_size, 17);
    write_file("a.ppm", "P6 1 1 255\n\7\7\7", 14);
    unlink(path);
    int width, height;
    piaa_image image, small;
    assert_true(piaa_photo_size(&file, &width, &height, &error));
    assert_true(width == 2 && height == 1);
    assert_true(piaa_image_decode(&file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_NONE, &image, &error));
    assert_memory_equal(image.rgb, "\1\2\3\4\5\6", 6);
    assert_true(piaa_image_thumbnail(&file, 2, 2, &small, &error));
    assert_true(small.width == 2 && small.height == 1);
    piaa_image_free(&image);
    piaa_image_free(&small);
    piaa_photo_file_free(&file);
}

/* A film of 5 GB that is called a photo is told by its first bytes; a photo of 5 GB by its size. */
static void too_large(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *said;
    } files[] = {{"P5 9 9 255\n", "more than the limit"}, {"\x1a\x45\xdf\xa3", "not a photo"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = write_file("a.pgm", files[i].bytes, strlen(files[i].bytes));
        piaa_photo_file file;
        piaa_error error = {0};
        if (truncate(path, (off_t)5 << 30) == 0) {
            assert_false(piaa_photo_file_read(&file, path, &error));
            assert_non_null(strstr(error.message, files[i].said));
        }
        unlink(path);
    }
}

/* What libvips hands on of the system's failures may pass; what it says of the file does not. */
static void failures_that_may_pass(void **state) {
    (void)state;
    static const struct {
        const char *domain, *text;
        int number;
        piaa_code code;
    } said[] = {
        {"vips_tracked", "out of memory --- size == 197MB", 0, PIAA_MEMORY},
        {"VipsJpeg", "Insufficient memory (case 4)", 0, PIAA_MEMORY},
        {"wbuffer_write", "write failed", ENOSPC, PIAA_IO},
        {"vips_file_open", "unable to open file", EMFILE, PIAA_IO},
        {"vips_source", "read error", EIO, PIAA_IO},
        {"pngload", "libpng read error", 0, PIAA_FORMAT},
        /* of a directory that is said to have so many entries */
        {"tiff", "Failed to allocate memory (0 elements of 12 bytes each)", 0, PIAA_FORMAT},
    };
    assert_true(piaa_vips_start(NULL));
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        piaa_error error = {0};
        vips_error_clear();
        vips_error("header", "a remark that came first");
        if (said[i].number)
            vips_error_system(said[i].number, said[i].domain, "%s", said[i].text);
        else
            vips_error(said[i].domain, "%s", said[i].text);
        assert_false(piaa_vips_failed(&error, "a.png", "is damaged", "copy it again"));
        assert_int_equal(error.code, said[i].code);
        assert_int_equal(strstr(error.message, "copy it again") != NULL,
                         said[i].code == PIAA_FORMAT);
        assert_string_equal(vips_error_buffer(), "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_decides),
        cmocka_unit_test(other_readers_are_off),
        cmocka_unit_test(everything_from_the_same_bytes),
        cmocka_unit_test(too_large),
        cmocka_unit_test(failures_that_may_pass),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
