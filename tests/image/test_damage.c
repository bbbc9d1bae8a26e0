/* Photos of which a part is lost: those that are read all the same say so, and those that are whole
 * are not suspected.
 *
 * What is lost is known here, because it is taken away from whole photos by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"
#include "image/libvips.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static bytes read_golden(const char *name) {
    piaa_photo_file file;
    char path[512];
    snprintf(path, sizeof path, PIAA_GOLDEN "/images/%s", name);
    assert_true(piaa_photo_file_read(&file, path, NULL));
    bytes whole = {malloc(3 * file.size), file.size}; /* with room to grow */
    assert_non_null(whole.data);
    memcpy(whole.data, file.bytes, file.size);
    piaa_photo_file_free(&file);
    return whole;
}

static bytes copy_of(bytes from) {
    bytes copy = {malloc(3 * from.size), from.size};
    assert_non_null(copy.data);
    memcpy(copy.data, from.data, from.size);
    return copy;
}

static piaa_photo_file as_file(bytes from) {
    return (piaa_photo_file){.path = "photo",
                             .bytes = from.data,
                             .size = from.size,
                             .kind = piaa_kind_of(from.data, from.size)};
}

static piaa_image decode(bytes from) {
    piaa_photo_file file = as_file(from);
    piaa_error error = {0};
    piaa_image image;
    if (!piaa_image_decode(&file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_NONE, &image, &error))
        fail_msg("%s", error.message);
    return image;
}

/* Every pixel is that of the whole photo, and nothing is said. */
static void expect_whole(bytes from, const piaa_image *whole) {
    piaa_image image = decode(from);
    assert_string_equal(image.damage, "");
    assert_true(image.width == whole->width && image.height == whole->height);
    assert_memory_equal(image.rgb, whole->rgb, (size_t)whole->width * (size_t)whole->height * 3);
    piaa_image_free(&image);
}

static void expect_damage(bytes from, const char *said) {
    piaa_image image = decode(from);
    assert_non_null(strstr(image.damage, said));
    piaa_image_free(&image);
}

static void expect_failure(bytes from) {
    piaa_photo_file file = as_file(from);
    piaa_error error = {0};
    piaa_image image;
    assert_false(piaa_image_decode(&file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_NONE, &image, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    assert_non_null(strstr(error.message, "damaged or cut short"));
}

/* ----------------------------------------------------------------------------------------- JPEG */

static const char *const jpegs[] = {"cat.jpg", "coffee_420.jpg", "cat_cmyk.jpg",
                                    "rocket_progressive.jpg"};

static void each_jpeg(void (*check)(bytes whole, const piaa_image *image)) {
    for (size_t i = 0; i < sizeof jpegs / sizeof *jpegs; i++) {
        bytes whole = read_golden(jpegs[i]);
        assert_memory_equal(whole.data + whole.size - 2, "\xff\xd9", 2);
        piaa_image image = decode(whole);
        assert_string_equal(image.damage, "");
        check(whole, &image);
        piaa_image_free(&image);
        free(whole.data);
    }
}

static void expect_thumbnail(bytes from, bool shown) {
    piaa_photo_file file = as_file(from);
    piaa_image small;
    assert_int_equal(piaa_image_thumbnail(&file, 40, 40, &small, NULL), shown);
    assert_true(!shown || small.width == 40 || small.height == 40);
    piaa_image_free(&small);
}

static void lacks_only_its_end(bytes whole, const piaa_image *image) {
    for (size_t missing = 1; missing <= 2; missing++) {
        bytes cut = copy_of(whole);
        cut.size -= missing;
        expect_whole(cut, image);
        expect_thumbnail(cut, true);
        free(cut.data);
    }
    bytes cut = copy_of(whole);
    cut.size -= whole.size / 50; /* now picture is missing, too */
    expect_failure(cut);
    expect_thumbnail(cut, false);
    free(cut.data);
}

static void jpegs_without_end(void **state) {
    (void)state;
    each_jpeg(lacks_only_its_end);
}

/* Padding before the end marker, and whatever stands behind it. */
static void has_more_than_it_needs(bytes whole, const piaa_image *image) {
    for (int padding = 0; padding <= 0xff; padding += 0xff) {
        bytes padded = copy_of(whole);
        memset(padded.data + whole.size - 2, padding, 28);
        memcpy(padded.data + whole.size + 26, "\xff\xd9", 2);
        padded.size += 28;
        expect_whole(padded, image);
        free(padded.data);
    }
    bytes followed = copy_of(whole);
    memcpy(followed.data + whole.size, whole.data, whole.size); /* as a preview, or a second view */
    followed.size += whole.size;
    expect_whole(followed, image);
    free(followed.data);
}

static void jpegs_with_more_than_they_need(void **state) {
    (void)state;
    each_jpeg(has_more_than_it_needs);
}

/* The rest of a photo that was cut at `at` and then closed with an end marker. */
static bytes closed_at(bytes whole, size_t at) {
    bytes closed = copy_of(whole);
    memcpy(closed.data + at, "\xff\xd9", 2);
    closed.size = at + 2;
    return closed;
}

static void lost_half(bytes whole, const piaa_image *image) {
    size_t half = whole.size / 2;
    (void)image;
    bytes closed = closed_at(whole, half);
    expect_damage(closed, "part of the picture is lost");
    free(closed.data);
    bytes zeros = copy_of(whole); /* one lost sector */
    memset(zeros.data + half, 0, 512);
    expect_damage(zeros, "part of the picture is lost");
    free(zeros.data);
    bytes tail = copy_of(whole);
    memset(tail.data + half, 0, whole.size - half);
    expect_failure(tail);
    free(tail.data);
    for (size_t from = half; from + 600 < whole.size; from += whole.size / 16) {
        bytes closed_blank = copy_of(whole); /* up to the end marker */
        memset(closed_blank.data + from, 0, whole.size - 2 - from);
        expect_damage(closed_blank, "part of the picture is lost");
        free(closed_blank.data);
    }
}

static void half_of_a_jpeg_is_lost(void **state) {
    (void)state;
    each_jpeg(lost_half);
}

static void two_jpegs_joined(void **state) {
    (void)state;
    bytes whole = read_golden("cat.jpg"), joined = copy_of(whole);
    memcpy(joined.data + whole.size / 2, whole.data, whole.size);
    joined.size = whole.size / 2 + whole.size;
    expect_damage(joined, "row ");
    free(joined.data);
    free(whole.data);
}

/* Of a progressive photo every scan that is there is whole, but the last ones are not. */
static void scans_are_missing(void **state) {
    (void)state;
    bytes whole = read_golden("rocket_progressive.jpg");
    size_t scan = 0, scans = 0;
    for (size_t i = 0; i + 1 < whole.size; i++)
        if (whole.data[i] == 0xff && whole.data[i + 1] == 0xda) {
            scans++;
            scan = i;
        }
    assert_true(scans > 3);
    bytes closed = closed_at(whole, scan), open = copy_of(closed);
    open.size -= 2;
    expect_damage(closed, "scans");
    expect_failure(open);
    free(closed.data);
    free(open.data);
    free(whole.data);
}

/* Where a flipped bit makes blocks longer or shorter, what follows stands in the wrong place and
   the data do not end with the picture.  Not all flips do: those are not seen, for a JPEG has no
   checksum. */
static void flipped_bits(void **state) {
    (void)state;
    bytes whole = read_golden("cat.jpg");
    piaa_image image = decode(whole);
    size_t pixels = (size_t)image.width * (size_t)image.height, ruined = 0, told = 0;
    for (size_t at = whole.size / 3; at + 3 < whole.size * 2 / 3; at += 97) {
        bytes flipped = copy_of(whole);
        flipped.data[at] ^= 4;
        piaa_image got = decode(flipped);
        size_t changed = 0;
        for (size_t i = 0; i < pixels; i++)
            changed += abs(got.rgb[3 * i + 1] - image.rgb[3 * i + 1]) > 16;
        if (changed * 10 > pixels) ruined++, told += got.damage[0] != '\0';
        piaa_image_free(&got);
        free(flipped.data);
    }
    assert_true(ruined > 10);
    assert_true(told * 2 > ruined);
    piaa_image_free(&image);
    free(whole.data);
}

/* --------------------------------------------------------------------------------------- others */

/* A photo as libvips writes it, whose savers nobody here wrote; no bytes where it has none. */
static bytes saved(VipsImage *image, const char *ending) {
    void *data = NULL;
    bytes out = {0};
    if (vips_image_write_to_buffer(image, ending, &data, &out.size, NULL) == 0) {
        out.data = malloc(3 * out.size);
        assert_non_null(out.data);
        memcpy(out.data, data, out.size);
    }
    vips_error_clear();
    g_free(data);
    return out;
}

static VipsImage *in_memory(const piaa_image *image) {
    VipsImage *bare = vips_image_new_from_memory(image->rgb,
                                                 (size_t)image->width * (size_t)image->height * 3,
                                                 image->width, image->height, 3, VIPS_FORMAT_UCHAR),
              *out = NULL;
    assert_non_null(bare);
    assert_int_equal(vips_copy(bare, &out, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), 0);
    g_object_unref(bare);
    return out;
}

static const struct {
    const char *ending;
    bool refused; /* by the decoder itself */
} others[] = {{".gif", false},
              {".jp2[Q=60]", false},
              {".jp2[lossless]", false},
              {".webp[Q=80]", false},
              {".webp[lossless]", false},
              {".heic", false},
              {".avif[speed=9]", false},
              {".jpg[Q=95]", false},
              {".jxl", true},
              {".png", true}};

static void blank_in(bytes whole, size_t from, size_t to, unsigned char byte, bool refused) {
    bytes lost = copy_of(whole);
    memset(lost.data + from, byte, to - from);
    if (refused)
        expect_failure(lost);
    else
        expect_damage(lost, "part of the picture is lost");
    free(lost.data);
}

/* The second half was never written, or a sector in the middle is gone. */
static void blank_parts(void **state) {
    enum { METADATA = 200 }; /* EXIF data that libvips appends, without which WebP is refused */
    (void)state;
    bytes photo = read_golden("cat.jpg");
    piaa_image image = decode(photo);
    VipsImage *picture = in_memory(&image);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        bytes whole = saved(picture, others[i].ending);
        if (!whole.data) continue;
        piaa_image got = decode(whole);
        assert_string_equal(got.damage, "");
        piaa_image_free(&got);
        const size_t middle = whole.size / 2 / 512 * 512;
        blank_in(whole, middle, whole.size - METADATA, 0x00, others[i].refused);
        blank_in(whole, middle, middle + 512, 0x00, others[i].refused);
        if (strcmp(others[i].ending, ".heic") == 0 || strncmp(others[i].ending, ".avif", 5) == 0)
            blank_in(whole, middle, middle + 512, 0xff, false);
        free(whole.data);
    }
    g_object_unref(picture);
    piaa_image_free(&image);
    free(photo.data);
}

/* Flat pictures are the ones of which coders write runs. */
static void flat_pictures_are_not_suspected(void **state) {
    (void)state;
    enum { SIDE = 1500 };
    piaa_image black = {.width = SIDE, .height = SIDE, .rgb = calloc((size_t)SIDE * SIDE, 3)};
    assert_non_null(black.rgb);
    VipsImage *picture = in_memory(&black);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        bytes whole = saved(picture, others[i].ending);
        if (!whole.data) continue;
        piaa_image got = decode(whole);
        assert_string_equal(got.damage, "");
        piaa_image_free(&got);
        free(whole.data);
    }
    bytes jpeg = saved(picture, ".jpg[optimize-coding]"); /* 15 kB of zeros */
    piaa_image got = decode(jpeg);
    assert_string_equal(got.damage, "");
    piaa_image_free(&got);
    free(jpeg.data);
    g_object_unref(picture);
    piaa_image_free(&black);
}

/* ----------------------------------------------------------------------- files in other files */

/* The first half of a file, and then all of it, as a file system in trouble joins them. */
static bytes joined_with_itself(bytes whole) {
    bytes joined = copy_of(whole);
    memcpy(joined.data + whole.size / 2, whole.data, whole.size);
    joined.size += whole.size / 2;
    return joined;
}

/* As many bytes as before, with the start of another file in the middle. */
static bytes written_over(bytes whole, bytes other) {
    bytes over = copy_of(whole);
    size_t at = whole.size / 2, room = whole.size / 16;
    memcpy(over.data + at, other.data, other.size < room ? other.size : room);
    return over;
}

/* Refused, or read with a word. */
static void expect_other_file(bytes damaged, bool may_be_refused) {
    piaa_photo_file file = as_file(damaged);
    piaa_image image;
    bool read = piaa_image_decode(&file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_NONE, &image, NULL);
    assert_true(read ? strstr(image.damage, "another file begins") != NULL : may_be_refused);
    piaa_image_free(&image);
    free(damaged.data);
}

/* A bitmap of 24 bits, whose rows of a multiple of four pixels need no padding (wingdi.h). */
static bytes bitmap_of(const piaa_image *image) {
    enum { HEADERS = 54 };
    const size_t width = (size_t)image->width & ~(size_t)3, height = (size_t)image->height;
    bytes out = {calloc(1, HEADERS + width * height * 3), HEADERS + width * height * 3};
    assert_non_null(out.data);
    memcpy(out.data, "BM", 2);
    const size_t fields[][2] = {{2, out.size}, {10, HEADERS}, {14, 40}, {18, width},
                                {22, height},  {26, 1},       {28, 24}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (unsigned b = 0; b < (fields[i][0] < 26 ? 4 : 2); b++)
            out.data[fields[i][0] + b] = (unsigned char)(fields[i][1] >> 8 * b);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < 3 * width; x++)
            out.data[HEADERS + 3 * width * y + x] =
                image->rgb[3 * (size_t)image->width * (height - 1 - y) + x];
    return out;
}

/* Of formats without checksums, whose decoders go on. */
static void files_run_together(void **state) {
    static const char *const endings[] = {".ppm", ".webp[Q=80]", ".heic", ".avif[speed=9]"};
    (void)state;
    bytes photo = read_golden("cat.jpg"), png = read_golden("cat_gray.png"),
          webp = read_golden("rocket.webp");
    piaa_image image = decode(photo);
    VipsImage *picture = in_memory(&image);
    for (size_t i = 0; i <= sizeof endings / sizeof *endings; i++) {
        bytes whole = i ? saved(picture, endings[i - 1]) : bitmap_of(&image);
        if (!whole.data) continue;
        expect_other_file(joined_with_itself(whole), true);
        expect_other_file(written_over(whole, photo), true);
        expect_other_file(written_over(whole, png), true);
        expect_other_file(written_over(whole, webp), true);
        free(whole.data);
    }
    bytes tiff = saved(picture, ".tif");
    expect_other_file(written_over(tiff, photo), false);
    expect_other_file(written_over(tiff, png), false);
    expect_other_file(written_over(tiff, webp), false);
    free(tiff.data);
    g_object_unref(picture);
    piaa_image_free(&image);
    free(photo.data);
    free(png.data);
    free(webp.data);
}

/* Two pictures one behind the other are no damage to the first, nor is what a file ends with. */
static void files_with_more_behind_them(void **state) {
    static const char *const endings[] = {".ppm", ".webp[Q=80]", ".heic",
                                          ".tif", ".jp2",        ".tif[compression=jpeg]"};
    enum { ZEROS = 600 };
    (void)state;
    bytes photo = read_golden("cat.jpg");
    piaa_image image = decode(photo);
    VipsImage *picture = in_memory(&image);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        bytes whole = saved(picture, endings[i]);
        if (!whole.data) continue;
        piaa_image alone = decode(whole);
        bytes followed = copy_of(whole);
        memcpy(followed.data + whole.size, whole.data, whole.size);
        followed.size += whole.size;
        expect_whole(followed, &alone);
        memset(followed.data + whole.size, 0, ZEROS);
        followed.size = whole.size + ZEROS;
        expect_whole(followed, &alone);
        piaa_image_free(&alone);
        free(followed.data);
        free(whole.data);
    }
    g_object_unref(picture);
    piaa_image_free(&image);
    free(photo.data);
}

/* ------------------------------------------------------------------------------- packed in TIFF */

/* What becomes of a file: refused, read with a word, or read as if nothing were wrong. */
typedef struct fates {
    size_t refused, told, silent, same;
} fates;

static void count_fate(bytes damaged, const piaa_image *whole, fates *f) {
    piaa_photo_file file = as_file(damaged);
    piaa_image got;
    if (!piaa_image_decode(&file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_NONE, &got, NULL))
        f->refused++;
    else if (got.damage[0])
        f->told++;
    else if (memcmp(got.rgb, whole->rgb, (size_t)got.width * (size_t)got.height * 3) != 0)
        f->silent++;
    else
        f->same++;
    piaa_image_free(&got);
}

static fates fates_of(VipsImage *picture, const char *ending, size_t stretch) {
    enum { AROUND = 2000 }; /* where directories may lie */
    bytes whole = saved(picture, ending);
    assert_non_null(whole.data);
    piaa_image image = decode(whole);
    assert_string_equal(image.damage, "");
    fates f = {0};
    for (size_t at = AROUND; at + AROUND < whole.size; at += whole.size / 12) {
        bytes damaged = copy_of(whole);
        for (size_t i = 0; i < stretch; i++) damaged.data[at + i] ^= 0x55;
        count_fate(damaged, &image, &f);
        memset(damaged.data + at, 0xff, stretch);
        count_fate(damaged, &image, &f);
        free(damaged.data);
    }
    piaa_image_free(&image);
    free(whole.data);
    return f;
}

/* Deflate ends with a checksum, which nothing escapes; of a JPEG stream as much is told as of a
   JPEG file. */
static void packed_pieces(void **state) {
    (void)state;
    bytes photo = read_golden("cat.jpg");
    piaa_image image = decode(photo);
    VipsImage *picture = in_memory(&image);
    const fates byte = fates_of(picture, ".tif[compression=deflate]", 1),
                sector = fates_of(picture, ".tif[compression=deflate,predictor=horizontal]", 512),
                jpeg = fates_of(picture, ".tif[compression=jpeg,Q=90]", 512),
                tiles = fates_of(picture, ".tif[compression=jpeg,Q=90,tile]", 512);
    assert_true(byte.silent == 0 && byte.told > 0);
    assert_int_equal(sector.silent, 0);
    assert_true(jpeg.silent == 0 && jpeg.told > 0);
    assert_true(tiles.told > 8 * tiles.silent);
    g_object_unref(picture);
    piaa_image_free(&image);
    free(photo.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpegs_without_end),
        cmocka_unit_test(jpegs_with_more_than_they_need),
        cmocka_unit_test(half_of_a_jpeg_is_lost),
        cmocka_unit_test(two_jpegs_joined),
        cmocka_unit_test(scans_are_missing),
        cmocka_unit_test(flipped_bits),
        cmocka_unit_test(blank_parts),
        cmocka_unit_test(flat_pictures_are_not_suspected),
        cmocka_unit_test(files_run_together),
        cmocka_unit_test(files_with_more_behind_them),
        cmocka_unit_test(packed_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
