/* Which way up a photo is, wherever it says so.  Where both speak, EXIF counts, as in Pillow's
   ImageOps.exif_transpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "image/image.h"
#include "image/libvips.h"
#include "image/metadata.h"
#include "image/png.h"
#include "image/temporary.h"
#include "image/tiff_maker.h"

#include <zlib.h>

/* Orientation in an EXIF block of one tag, and in an XMP packet. */
#define EXIF(n) "MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0" n "\0\0\0\0\0\0"
#define XMP(n)                                                                                     \
    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "           \
    "xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='" n "'/></rdf:RDF>"
static const char exif6[] = "Exif\0\0" EXIF("\6"), xmp6[] = XMP("6"), xmp3[] = XMP("3"),
                  exif_silent[] = "Exif\0\0MM\0*\0\0\0\x08\0\1\1\x1a\0\3\0\0\0\1\0\1\0\0\0\0\0\0";

enum { WIDTH = 32, HEIGHT = 16 };

/* Left dark, right bright. */
static VipsImage *make_picture(void) {
    static uint8_t pixels[WIDTH * HEIGHT * 3];
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) pixels[i] = i / 3 % WIDTH < WIDTH / 2 ? 10 : 240;
    return vips_image_new_from_memory_copy(pixels, sizeof pixels, WIDTH, HEIGHT, 3,
                                           VIPS_FORMAT_UCHAR);
}

static int read_orientation(const char *name, const void *bytes, size_t size, bool *turned) {
    const char *path = write_file(name, bytes, size);
    piaa_error error = {0};
    piaa_image image;
    bool ok = piaa_image_read(path, PIAA_EXIF_APPLY, &image, &error);
    unlink(path);
    if (!ok) fail_msg("%s", error.message);
    /* what was left is at the top after a quarter turn to the right, or at the right after half a
       turn */
    *turned = image.height > image.width;
    int seen = *turned ? image.rgb[0] < 128 ? 6 : 8 : image.rgb[0] < 128 ? 1 : 3;
    piaa_image_free(&image);
    return seen;
}

static void expect(const char *what, const void *bytes, size_t size, int orientation) {
    bool turned;
    int seen = read_orientation("photo", bytes, size, &turned);
    if (seen != orientation) fail_msg("%s: %d instead of %d", what, seen, orientation);
}

/* A picture as libvips writes it; freed with g_free. */
static void *save(const char *saver, const char *xmp, int orientation, size_t *size) {
    VipsImage *image = make_picture();
    VipsBlob *blob = NULL;
    assert_non_null(image);
    if (orientation) vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
    if (xmp) vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, xmp, strlen(xmp));
    int failed = vips_call(saver, image, &blob, NULL);
    g_object_unref(image);
    if (failed) fail_msg("%s: %s", saver, vips_error_buffer());
    void *bytes = g_memdup2(vips_blob_get(blob, size), blob->area.length);
    vips_area_unref(&blob->area);
    return bytes;
}

static void expect_saved(const char *saver, const char *xmp, int orientation, int expected) {
    size_t size;
    assert_true(piaa_vips_start(NULL));
    if (vips_type_find("VipsOperation", saver) == 0) return;
    void *bytes = save(saver, xmp, orientation, &size);
    expect(saver, bytes, size, expected);
    g_free(bytes);
}

static void photos_of_libvips(void **state) {
    (void)state;
    expect_saved("webpsave_buffer", NULL, 0, 1);
    expect_saved("webpsave_buffer", NULL, 6, 6);
    expect_saved("webpsave_buffer", xmp6, 0, 1); /* it writes an EXIF block that says 1 */
    expect_saved("webpsave_buffer", xmp3, 6, 6);
    expect_saved("pngsave_buffer", xmp6, 0, 6);
    expect_saved("tiffsave_buffer", NULL, 0, 1);
    expect_saved("tiffsave_buffer", NULL, 6, 6);
    expect_saved("tiffsave_buffer", xmp3, 6, 6);
}

/* JPEG: the metadata are segments behind the first two bytes. */
static void expect_jpeg(const char *exif, size_t exif_size, const char *xmp, int expected) {
    static const char mark[] = "http://ns.adobe.com/xap/1.0/";
    static unsigned char bytes[1 << 14];
    size_t size, at = 2;
    assert_true(piaa_vips_start(NULL));
    unsigned char *plain = save("jpegsave_buffer", NULL, 0, &size);
    memcpy(bytes, plain, 2);
    for (int i = 0; i < 2; i++) {
        size_t head = i ? sizeof mark : 0, body = i ? xmp ? strlen(xmp) : 0 : exif_size;
        if (!body) continue;
        size_t length = 2 + head + body;
        memcpy(bytes + at,
               (unsigned char[]){0xff, 0xe1, (unsigned char)(length >> 8), (unsigned char)length},
               4);
        memcpy(bytes + at + 4, mark, head);
        memcpy(bytes + at + 4 + head, i ? xmp : exif, body);
        at += 2 + length;
    }
    /* what libvips wrote of its own is an EXIF block, a segment that goes */
    size_t from = 2;
    while (plain[from] == 0xff && (plain[from + 1] & 0xf0) == 0xe0)
        from += 2 + ((size_t)plain[from + 2] << 8 | plain[from + 3]);
    assert_true(at + size < sizeof bytes);
    memcpy(bytes + at, plain + from, size - from);
    g_free(plain);
    expect("JPEG", bytes, at + size - from, expected);
}

static void segments_of_jpeg(void **state) {
    (void)state;
    expect_jpeg(NULL, 0, NULL, 1);
    expect_jpeg(exif6, sizeof exif6 - 1, NULL, 6);
    expect_jpeg(NULL, 0, xmp6, 6);
    expect_jpeg(exif6, sizeof exif6 - 1, xmp3, 6);
    expect_jpeg(exif_silent, sizeof exif_silent - 1, xmp3, 3);
}

/* HEIF turns its pixels by itself: what EXIF or XMP say of it is not done a second time. */
static void heif_is_not_turned_twice(void **state) {
    (void)state;
    if (vips_type_find("VipsOperation", "heifsave_buffer") == 0) skip();
    VipsImage *image = make_picture();
    void *bytes = NULL;
    size_t size = 0;
    vips_image_set_blob_copy(image, VIPS_META_EXIF_NAME, exif6, sizeof exif6 - 1);
    vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, xmp6, strlen(xmp6));
    int failed = vips_heifsave_buffer(image, &bytes, &size, "compression",
                                      VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "Q", 90, NULL);
    g_object_unref(image);
    vips_error_clear();
    if (failed) skip(); /* a libheif without an encoder */
    expect("AVIF", bytes, size, 1);
    g_free(bytes);
}

/* ----------------------------------------------------------------------------------------- PNG */

static piaa_text png;

static void add_number(uint32_t value) {
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(value >> (24 - 8 * i));
    assert_true(piaa_text_add(&png, bytes, 4, NULL));
}

static void add_chunk(const char *name, const void *data, size_t size) {
    add_number((uint32_t)size);
    size_t from = png.length;
    assert_true(piaa_text_add(&png, name, 4, NULL) && piaa_text_add(&png, data, size, NULL));
    add_number((uint32_t)crc32(0, (const unsigned char *)png.data + from, (uInt)(size + 4)));
}

/* Key, zero, `flags`, and the text, compressed or not. */
static void add_text_chunk(const char *name, const char *key, const char *flags, size_t flag_count,
                           bool compressed, const char *text) {
    static unsigned char small[4096];
    uLongf size = sizeof small;
    piaa_text chunk = {0};
    if (compressed)
        assert_int_equal(compress(small, &size, (const unsigned char *)text, strlen(text)), Z_OK);
    else
        memcpy(small, text, size = strlen(text));
    assert_true(piaa_text_add(&chunk, key, strlen(key) + 1, NULL) &&
                piaa_text_add(&chunk, flags, flag_count, NULL) &&
                piaa_text_add(&chunk, small, size, NULL));
    add_chunk(name, chunk.data, chunk.length);
    free(chunk.data);
}

/* "\nexif\n      32\n4578…", 36 bytes a line, as ImageMagick breaks them. */
static char *make_dump(const char *name, const char *bytes, size_t size) {
    piaa_text text = {0};
    assert_true(piaa_text_format(&text, NULL, "\n%s\n%8zu\n", name, size));
    for (size_t i = 0; i < size; i++)
        assert_true(piaa_text_format(&text, NULL, "%02x%s", (unsigned char)bytes[i],
                                     i % 36 == 35 ? "\n" : ""));
    return text.data;
}

typedef struct form {
    const char *what, *chunk, *key, *flags;
    size_t flag_count;
    bool compressed;
    const char *dump; /* the dump's name; NULL: the bytes as they are */
    const char *bytes;
    size_t size;
} form;

#define BYTES(text) text, sizeof(text) - 1

static const form forms[] = {
    {"eXIf", "eXIf", NULL, "", 0, false, NULL, BYTES(EXIF("\6"))},
    {"dump", "tEXt", "Raw profile type exif", "", 0, false, "exif", BYTES("Exif\0\0" EXIF("\6"))},
    {"compressed dump", "zTXt", "Raw profile type exif", "\0", 1, true, "exif",
     BYTES("Exif\0\0" EXIF("\6"))},
    {"dump without a mark", "zTXt", "Raw profile type exif", "\0", 1, true, "exif",
     BYTES(EXIF("\6"))},
    {"APP1 dump", "zTXt", "Raw profile type APP1", "\0", 1, true, "generic profile",
     BYTES("Exif\0\0" EXIF("\6"))},
    {"APP1 dump of XMP", "zTXt", "Raw profile type APP1", "\0", 1, true, "generic profile",
     BYTES("http://ns.adobe.com/xap/1.0/\0" XMP("6"))},
    {"XMP dump", "zTXt", "Raw profile type xmp", "\0", 1, true, "xmp", BYTES(XMP("6"))},
    {"XMP", "iTXt", "XML:com.adobe.xmp", "\0\0\0\0", 4, false, NULL, BYTES(XMP("6"))},
    {"XMP with languages", "iTXt", "XML:com.adobe.xmp", "\0\0en\0XMP\0", 9, false, NULL,
     BYTES(XMP("6"))},
    {"compressed XMP", "iTXt", "XML:com.adobe.xmp", "\1\0\0\0", 4, true, NULL, BYTES(XMP("6"))},
};

static void add_form(const form *f) {
    if (!f->key) {
        add_chunk(f->chunk, f->bytes, f->size);
        return;
    }
    char *text = f->dump ? make_dump(f->dump, f->bytes, f->size) : piaa_strdup(f->bytes, NULL);
    add_text_chunk(f->chunk, f->key, f->flags, f->flag_count, f->compressed, text);
    free(text);
}

/* A PNG file with `before` and `behind` its pixels. */
static void make_png(const form *before, const form *behind) {
    static unsigned char pixels[HEIGHT * (1 + WIDTH)], packed[1024];
    uLongf size = sizeof packed;
    for (int i = 0; i < HEIGHT * (1 + WIDTH); i++) {
        int x = i % (1 + WIDTH) - 1;
        pixels[i] = x < 0 ? 0 : x < WIDTH / 2 ? 10 : 240;
    }
    assert_int_equal(compress(packed, &size, pixels, sizeof pixels), Z_OK);
    png.length = 0;
    assert_true(piaa_text_add(&png, "\x89PNG\r\n\x1a\n", 8, NULL));
    add_chunk("IHDR", "\0\0\0\x20\0\0\0\x10\x08\0\0\0\0", 13);
    if (before) add_form(before);
    add_chunk("IDAT", packed, size);
    if (behind) add_form(behind);
    add_chunk("IEND", "", 0);
}

static void every_form_of_png(void **state) {
    (void)state;
    make_png(NULL, NULL);
    expect("none", png.data, png.length, 1);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        make_png(&forms[i], NULL);
        expect(forms[i].what, png.data, png.length, 6);
        make_png(NULL, &forms[i]);
        expect(forms[i].what, png.data, png.length, 6);
    }
}

static void exif_before_xmp(void **state) {
    (void)state;
    const form xmp = {"XMP", "iTXt", "XML:com.adobe.xmp", "\0\0\0\0", 4,
                      false, NULL,   BYTES(XMP("3"))};
    const form silent = {
        "eXIf", "eXIf", NULL, "", 0, false, NULL, exif_silent + 6, sizeof exif_silent - 7};
    const form one = {"eXIf", "eXIf", NULL, "", 0, false, NULL, BYTES(EXIF("\1"))};
    make_png(&forms[0], &xmp);
    expect("EXIF 6, XMP 3", png.data, png.length, 6);
    make_png(&xmp, &forms[0]);
    expect("XMP 3, EXIF 6", png.data, png.length, 6);
    make_png(&one, &xmp);
    expect("EXIF 1, XMP 3", png.data, png.length, 1);
    make_png(&silent, &xmp);
    expect("EXIF that does not say, XMP 3", png.data, png.length, 3);
}

/* TIFF's tag is a part of the pixels, as in Pillow; XMP is not. */
static void tiff_where_exif_is_ignored(void **state) {
    (void)state;
    static tiff_maker maker;
    static const struct {
        int tag; /* 0: none */
        bool xmp;
        int applied, ignored;
    } rows[] = {{0, false, 1, 1}, {6, false, 6, 6}, {0, true, 6, 1}, {3, true, 3, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t pixels[WIDTH * HEIGHT];
        uint64_t packet[sizeof xmp6];
        for (int k = 0; k < WIDTH * HEIGHT; k++) pixels[k] = k % WIDTH < WIDTH / 2 ? 10 : 240;
        for (size_t k = 0; k < sizeof xmp6; k++) packet[k] = (unsigned char)xmp6[k];
        tiff_begin(&maker, false, false);
        uint64_t at = tiff_data(&maker, pixels, sizeof pixels);
        tiff_entry entries[12] = {{256, LONG, WIDTH, 0, NULL}, {257, LONG, HEIGHT, 0, NULL},
                                  {258, SHORT, 8, 0, NULL},    {259, SHORT, 1, 0, NULL},
                                  {262, SHORT, 1, 0, NULL},    {273, LONG, at, 0, NULL}};
        size_t n = 6;
        if (rows[i].tag) entries[n++] = (tiff_entry){274, SHORT, (uint64_t)rows[i].tag, 0, NULL};
        entries[n++] = (tiff_entry){277, SHORT, 1, 0, NULL};
        entries[n++] = (tiff_entry){278, LONG, HEIGHT, 0, NULL};
        entries[n++] = (tiff_entry){279, LONG, sizeof pixels, 0, NULL};
        if (rows[i].xmp) entries[n++] = (tiff_entry){700, BYTE, 0, sizeof xmp6 - 1, packet};
        tiff_directory(&maker, tiff_first(&maker), entries, n);
        expect("TIFF", maker.bytes, maker.size, rows[i].applied);
        const char *path = write_file("a.tif", maker.bytes, maker.size);
        piaa_image image;
        assert_true(piaa_image_read(path, PIAA_EXIF_IGNORE, &image, NULL));
        unlink(path);
        int seen = image.height > image.width ? 6 : image.rgb[0] < 128 ? 1 : 3;
        assert_int_equal(seen, rows[i].ignored);
        piaa_image_free(&image);
    }
}

/* What is broken says nothing. */
static void broken_metadata(void **state) {
    (void)state;
    static const form broken[] = {
        {"short EXIF", "eXIf", NULL, "", 0, false, NULL, BYTES("MM\0*\0\0")},
        {"no dump", "tEXt", "Raw profile type exif", "", 0, false, NULL, BYTES("")},
        {"odd dump", "tEXt", "Raw profile type exif", "", 0, false, NULL,
         BYTES("\nexif\n 99\n4578696")},
        {"text of the wrong kind", "tEXt", "Raw profile type APP1", "", 0, false, "exif",
         BYTES("hello")},
        {"no zlib", "zTXt", "Raw profile type exif", "\0", 1, false, NULL, BYTES("not compressed")},
        {"bad XML", "iTXt", "XML:com.adobe.xmp", "\0\0\0\0", 4, false, NULL, BYTES("<a><b></a>")},
        {"no languages", "iTXt", "XML:com.adobe.xmp", "\0\0", 2, false, NULL, BYTES("x")},
        {"EXIF 9", "eXIf", NULL, "", 0, false, NULL, BYTES(EXIF("\x09"))},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        make_png(NULL, &broken[i]); /* behind the pixels, where libpng does not stumble */
        expect(broken[i].what, png.data, png.length, 1);
    }
}

/* A megabyte of text that a kilobyte becomes, again and again: no more than 16 MiB of it. */
static void texts_have_bounds(void **state) {
    (void)state;
    enum { MANY = 64 << 20 };
    char *zeros = calloc(MANY, 1);
    uLongf size = compressBound(MANY);
    unsigned char *packed = malloc(size);
    assert_true(zeros && packed);
    memset(zeros, '0', MANY);
    assert_int_equal(compress2(packed, &size, (unsigned char *)zeros, MANY, 9), Z_OK);
    free(zeros);
    piaa_text chunk = {0}, found = {0};
    static const char key[] = "Raw profile type exif\0";
    assert_true(piaa_text_add(&chunk, key, sizeof key, NULL) &&
                piaa_text_add(&chunk, packed, size, NULL));
    free(packed);
    make_png(NULL, NULL);
    add_chunk("zTXt", chunk.data, chunk.length);
    free(chunk.data);
    assert_true(piaa_png_find((unsigned char *)png.data, png.length, PIAA_PNG_EXIF, &found, NULL));
    assert_true(found.length <= 16 << 20);
    free(found.data);
}

static void rating_inside(void **state) {
    (void)state;
    const form rated = {"XMP",
                        "iTXt",
                        "XML:com.adobe.xmp",
                        "\0\0\0\0",
                        4,
                        false,
                        NULL,
                        BYTES("<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
                              "<rdf:Description xmlns:x='http://ns.adobe.com/xap/1.0/' "
                              "x:Rating='4'/></rdf:RDF>")};
    make_png(NULL, &rated);
    const char *path = write_file("a.png", png.data, png.length);
    piaa_photo_file file;
    piaa_xmp xmp;
    assert_true(piaa_photo_file_read(&file, path, NULL));
    unlink(path);
    assert_true(piaa_photo_xmp(&file, &xmp, NULL));
    assert_true(xmp.rating == 4);
    piaa_photo_file_free(&file);
}

static int free_png(void **state) {
    free(png.data);
    return remove_folder(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(photos_of_libvips),
        cmocka_unit_test(segments_of_jpeg),
        cmocka_unit_test(heif_is_not_turned_twice),
        cmocka_unit_test(every_form_of_png),
        cmocka_unit_test(tiff_where_exif_is_ignored),
        cmocka_unit_test(exif_before_xmp),
        cmocka_unit_test(broken_metadata),
        cmocka_unit_test(texts_have_bounds),
        cmocka_unit_test(rating_inside),
    };
    return cmocka_run_group_tests(tests, make_folder, free_png);
}
