/* What a file is, by its name and by its content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/photo.h"
#include "image/temporary.h"

static void every_ending(void **state) {
    (void)state;
    static const struct {
        piaa_kind kind;
        const char *names[48];
    } rows[] = {
        {PIAA_KIND_JPEG,
         {"a.jpg", "a.JPEG", "a.jpe", "a.jfif", "a.jfi", "a.jif", "a.MPO", "a.insp", "a.jps"}},
        {PIAA_KIND_PNG, {"a.png", "a.apng"}},
        {PIAA_KIND_TIFF, {"a.tif", "a.TIFF"}},
        {PIAA_KIND_HEIF,
         {"a.heic", "a.heif", "DSC0001.HIF", "a.heics", "a.heifs", "a.avif", "a.avifs", "a.avci"}},
        {PIAA_KIND_JXL, {"a.jxl"}},
        {PIAA_KIND_JP2, {"a.jp2", "a.jpx", "a.jpf", "a.jpm", "a.j2k", "a.j2c", "a.jpc"}},
        {PIAA_KIND_BMP, {"a.bmp", "a.dib"}},
        {PIAA_KIND_PNM, {"a.pnm", "a.pbm", "a.pgm", "a.ppm"}},
        {PIAA_KIND_RAW,
         {"a.dng", "a.gpr", "a.cr2", "a.CR3", "a.crw", "a.nef", "a.nrw", "a.arw", "a.srf",
          "a.sr2", "a.raf", "a.orf", "a.rw2", "a.rwl", "a.pef", "a.srw", "a.3fr", "a.fff",
          "a.iiq", "a.mos", "a.mef", "a.erf", "a.dcr", "a.kdc", "a.mrw", "a.x3f"}},
        {PIAA_KIND_VIDEO, {"a.mov", "a.MP4", "a.m4v", "a.avi", "a.mts", "a.3gp", "a.insv"}},
        {PIAA_KIND_AUDIO, {"a.wav", "a.m4a"}},
        {PIAA_KIND_SIDECAR,
         {"a.xmp", "a.CR2.xmp", "a.aae", "a.pp3", "a.dop", "a.THM", "Thumbs.db"}},
        {PIAA_KIND_BACKUP, {"a.jpg_original", "a.jpg~", "a.jpg.part", "a.jpg.bak"}},
        {PIAA_KIND_HDR, {"a.hdr", "a.exr", "a.pfm"}},
        {PIAA_KIND_PICTURE, {"a.psd", "a.svg", "a.tga", "a.jxr"}},
        {PIAA_KIND_NONE,
         {"", "jpg", "a", "a.", "a.jpgx", "a.jp", "a. ", "a.jpg.txt", "a.raw", "a.csv"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; rows[i].names[k]; k++)
            if (piaa_kind_of_name(rows[i].names[k]) != rows[i].kind)
                fail_msg("%s is a %s", rows[i].names[k],
                         piaa_kind_noun(piaa_kind_of_name(rows[i].names[k]), false));
        bool photo = rows[i].kind != PIAA_KIND_NONE && rows[i].kind < PIAA_KIND_VIDEO;
        assert_int_equal(piaa_kind_is_photo(rows[i].kind), photo);
    }
}

#define START(text) text, sizeof(text) - 1

/* What the formats' own specifications begin with, and for raw files what cameras write. */
static void every_beginning(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        piaa_kind kind;
    } rows[] = {
        {START("\0\0\0\x18"
               "ftypheic\0\0\0\0mif1heic"),
         PIAA_KIND_HEIF},
        {START("\0\0\0\x18"
               "ftypMiHB\0\0\0\0MiHBmif1"),
         PIAA_KIND_HEIF},
        {START("\0\0\0\x2c"
               "ftypavis\0\0\0\0avisavif"),
         PIAA_KIND_HEIF},
        {START("\0\0\0\x1c"
               "ftypmsf1\0\0\0\0"),
         PIAA_KIND_HEIF},
        {START("\0\0\0\x14"
               "ftypisom\0\0\2\0isomheic"),
         PIAA_KIND_VIDEO}, /* behind the box */
        {START("\0\0\0\x18"
               "ftypcrx \0\0\0\1crx isom"),
         PIAA_KIND_RAW},
        {START("\0\0\0\x20"
               "ftypisom\0\0\2\0isomiso2avc1mp41"),
         PIAA_KIND_VIDEO},
        {START("\0\0\0\x14"
               "ftypqt  \0\0\0\0qt  "),
         PIAA_KIND_VIDEO},
        {START("\0\0\0\x1c"
               "ftypM4A \0\0\0\0M4A mp42isom"),
         PIAA_KIND_AUDIO},
        {START("\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14"
               "ftypjpx "),
         PIAA_KIND_JP2},
        {START("\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14"
               "ftypmjp2"),
         PIAA_KIND_VIDEO},
        {START("IIU\0\x18\0\0\0"), PIAA_KIND_RAW},
        {START("IIRO\b\0\0\0"), PIAA_KIND_RAW},
        {START("MMOR\0\0\0\b"), PIAA_KIND_RAW},
        {START("FUJIFILMCCD-RAW 0201"), PIAA_KIND_RAW},
        {START("FOVb\0\0\2\0"), PIAA_KIND_RAW},
        {START("\0MRM\0\0\x0a\x0c"), PIAA_KIND_RAW},
        {START("II\x1a\0\0\0HEAPCCDR\2\0"), PIAA_KIND_RAW},
        {START("v/1\1\2\0\0\0"), PIAA_KIND_HDR},
        {START("#?RADIANCE\n"), PIAA_KIND_HDR},
        {START("PF\n2 2\n-1.0\n"), PIAA_KIND_HDR},
        {START("Pf 2 2 1.0\n"), PIAA_KIND_HDR},
        {START("PG\n"), PIAA_KIND_NONE},
        {START("RIFF\1\2\3\4AVI LIST"), PIAA_KIND_VIDEO},
        {START("RIFF\1\2\3\4WAVEfmt "), PIAA_KIND_AUDIO},
        {START("\x1a\x45\xdf\xa3\1\0\0\0"), PIAA_KIND_VIDEO},
        {START("\0\0\x07\x28moov"), PIAA_KIND_VIDEO},
        {START("ftypheic"), PIAA_KIND_NONE},
        {START("\0\0\0\x18"
               "ftyp"),
         PIAA_KIND_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (piaa_kind_of((const unsigned char *)rows[i].bytes, rows[i].size) != rows[i].kind)
            fail_msg("row %zu", i);
}

/* In a folder an ending of the table says enough; without one the content is looked at. */
static void content_where_the_name_says_nothing(void **state) {
    (void)state;
    static const char jpeg[] = "\xff\xd8\xff\xe0 and so on";
    static const struct {
        const char *name;
        piaa_kind kind;
    } rows[] = {{"IMG_0001", PIAA_KIND_JPEG},      {"scan.2024", PIAA_KIND_JPEG},
                {"photo.jpg.txt", PIAA_KIND_JPEG}, {"photo.png", PIAA_KIND_PNG},
                {"photo.mov", PIAA_KIND_VIDEO},    {"photo.jpg_original", PIAA_KIND_BACKUP}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = write_file(rows[i].name, jpeg, sizeof jpeg - 1);
        assert_int_equal(piaa_photo_kind(path), rows[i].kind);
        unlink(path);
    }
    const char *path = write_file("letter", "Dear Sir or Madam", 17);
    assert_int_equal(piaa_photo_kind(path), PIAA_KIND_NONE);
    path = write_file("letter", "", 0);
    assert_int_equal(piaa_photo_kind(path), PIAA_KIND_NONE);
    unlink(path);
    assert_int_equal(piaa_photo_kind(path), PIAA_KIND_NONE);
}

/* Whatever the name, one line says what it is. */
static void what_is_no_photo_is_called_by_its_name(void **state) {
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
        piaa_code code;
        const char *said;
    } rows[] = {
        {"live.heic",
         START("\0\0\0\x14"
               "ftypqt  \0\0\0\0qt  "),
         PIAA_FORMAT, "is a video, not a photo"},
        {"a.jpg", START("RIFF\1\2\3\4WAVEfmt "), PIAA_FORMAT, "is a sound file, not a photo"},
        {"a.tif", START("v/1\1\2\0\0\0"), PIAA_UNSUPPORTED, "floating-point HDR picture"},
        {"a.pnm", START("PF\n1 1\n-1.0\n1234"), PIAA_UNSUPPORTED, "floating-point HDR picture"},
        {"a.hdr", START("#?RADIANCE\n"), PIAA_UNSUPPORTED, "floating-point HDR picture"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        piaa_photo_file file;
        piaa_error error = {0};
        const char *path = write_file(rows[i].name, rows[i].bytes, rows[i].size);
        assert_false(piaa_photo_file_read(&file, path, &error));
        unlink(path);
        assert_int_equal(error.code, rows[i].code);
        if (!strstr(error.message, rows[i].said)) fail_msg("%s", error.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ending),
        cmocka_unit_test(every_beginning),
        cmocka_unit_test(content_where_the_name_says_nothing),
        cmocka_unit_test(what_is_no_photo_is_called_by_its_name),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
