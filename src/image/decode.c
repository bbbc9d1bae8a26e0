/* Photo files to upright 8-bit RGB with libvips, equal to Pillow's Image.open(path).convert("RGB").
 *
 * Only the file readers of libvips are used: they hand over 8- or 16-bit samples in one to five
 * bands, strip by strip from the top, and the conversion to RGB and the turning happen here while a
 * strip is copied to its place.  Nothing but the result and one strip is held in memory (some
 * formats, interlaced PNG and HEIF among them, are decoded whole inside their own libraries).
 *
 * libvips keeps its settings and its error text per process, whoever uses it: one thread per image
 * and no cache of operations suit a program whose other threads compute.  Its warnings are dropped,
 * and its error text is emptied after every failure. */
#include "base/memory.h"
#include "image/image.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <vips/vips.h>

enum { CHANNELS = 3, STRIP_ROWS = 32 };
static const int64_t LARGEST_PIXELS = 1000000000;

/* -------------------------------------------------------------------------------- libvips, once */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool started;

static void be_silent(const gchar *domain, GLogLevelFlags level, const gchar *message,
                      gpointer user) {
    PIAA_UNUSED(domain);
    PIAA_UNUSED(level);
    PIAA_UNUSED(message);
    PIAA_UNUSED(user);
}

static void start_vips(void) {
    started = VIPS_INIT("piaa") == 0;
    if (!started) return;
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    g_log_set_handler(
        "VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG,
        be_silent, NULL);
}

/* "WHAT: the first line of libvips' error text: ADVICE", and the text is emptied. */
static bool vips_failed(piaa_error *error, const char *path, const char *what, const char *advice) {
    char *text = vips_error_buffer_copy(), *line = text;
    while (*line == '\n' || *line == ' ') line++;
    line[strcspn(line, "\n")] = '\0';
    if (*line)
        piaa_error_set(error, PIAA_FORMAT, "%s %s (%s): %s", path, what, line, advice);
    else
        piaa_error_set(error, PIAA_FORMAT, "%s %s: %s", path, what, advice);
    g_free(text);
    return false;
}

/* -------------------------------------------------------------------------------------- formats */

/* Endings of photo files with the libvips operation that has to be there for them. */
static const struct {
    const char *ending, *reader;
} formats[] = {
    {".jpg", "jpegload"},  {".jpeg", "jpegload"}, {".jpe", "jpegload"},   {".jfif", "jpegload"},
    {".png", "pngload"},   {".webp", "webpload"}, {".tif", "tiffload"},   {".tiff", "tiffload"},
    {".gif", "gifload"},   {".heic", "heifload"}, {".heif", "heifload"},  {".avif", "heifload"},
    {".jxl", "jxlload"},   {".jp2", "jp2kload"},  {".bmp", "magickload"}, {".ppm", "ppmload"},
    {".pgm", "ppmload"},   {".dng", "dcrawload"}, {".nef", "dcrawload"},  {".cr2", "dcrawload"},
    {".cr3", "dcrawload"}, {".arw", "dcrawload"}, {".orf", "dcrawload"},  {".raf", "dcrawload"},
    {".rw2", "dcrawload"}, {".pef", "dcrawload"},
};

static const char *reader_for_name(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < PIAA_COUNT(formats); i++)
        if (strcasecmp(dot, formats[i].ending) == 0) return formats[i].reader;
    return NULL;
}

static bool has_reader(const char *reader) {
    return vips_type_find("VipsOperation", reader) != 0;
}

bool piaa_image_has_photo_name(const char *name) {
    pthread_once(&once, start_vips);
    const char *reader = reader_for_name(name);
    return started && reader && has_reader(reader);
}

/* libvips also reads tables, drawings and documents; none of them is a photo.  Readers are known by
 * their class: "VipsForeignLoadJpegFile".
 */
static bool reads_photos(const char *class_name, const unsigned char *start) {
    static const char *const photos[] = {"Jpeg", "Png", "Webp", "Tiff", "Nsgif",
                                         "Heif", "Jxl", "Jp2k", "Ppm",  "DcRaw"};
    const char *kind = class_name + strlen("VipsForeignLoad");
    for (size_t i = 0; i < PIAA_COUNT(photos); i++)
        if (strncmp(kind, photos[i], strlen(photos[i])) == 0) return true;
    return strncmp(kind, "Magick", strlen("Magick")) == 0 && start[0] == 'B' &&
           start[1] == 'M'; /* a Windows bitmap, and nothing else */
}

/* -------------------------------------------------------------------------------------- opening */

/* Says what the operating system has against the file, before a decoder says it less well.  Reads
   its first two bytes. */
static bool look_at_file(const char *path, unsigned char start[2], piaa_error *error) {
    struct stat info;
    if (stat(path, &info) != 0)
        return piaa_error_set_errno(error, errno, "%s cannot be read", path);
    if (S_ISDIR(info.st_mode))
        return piaa_error_set(error, PIAA_IO, "%s is a folder, not a photo", path);
    if (!S_ISREG(info.st_mode))
        return piaa_error_set(error, PIAA_IO, "%s is not a regular file", path);
    if (info.st_size == 0)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s is empty (0 bytes): copy it again from where it came from", path);
    FILE *file = fopen(path, "rb");
    if (!file) return piaa_error_set_errno(error, errno, "%s cannot be read", path);
    size_t got = fread(start, 1, 2, file);
    int number = errno;
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) return piaa_error_set_errno(error, number, "%s cannot be read", path);
    memset(start + got, 0, 2 - got);
    return true;
}

static VipsImage *open_photo(const char *path, bool *is_tiff, piaa_error *error) {
    unsigned char start[2];
    vips_error_clear(); /* readers leave remarks behind even where they succeed */
    if (!look_at_file(path, start, error)) return NULL;
    const char *wanted = reader_for_name(path);
    if (wanted && strcmp(wanted, "dcrawload") == 0 &&
        !has_reader(wanted)) { /* its TIFF side would yield a thumbnail */
        piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s is a raw photo, which this libvips does not read: export it as JPEG or TIFF", path);
        return NULL;
    }
    /* libvips takes a closing bracket at the end of a name for options; an empty pair keeps such a
       name whole. */
    size_t length = strlen(path);
    char *name = piaa_format(error, "%s%s", path, length && path[length - 1] == ']' ? "[]" : "");
    if (!name) return NULL;
    VipsImage *image = NULL;
    const char *reader = vips_foreign_find_load(name);
    if (!reader || !reads_photos(reader, start)) {
        vips_error_clear();
        piaa_error_set(error, PIAA_FORMAT,
                       "%s is not a photo that can be read, or its start is damaged: use JPEG, "
                       "PNG, WebP, TIFF, GIF or HEIC",
                       path);
    } else {
        *is_tiff = strncmp(reader, "VipsForeignLoadTiff", strlen("VipsForeignLoadTiff")) == 0;
        if (vips_call(reader, path, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                      VIPS_FAIL_ON_ERROR, NULL) != 0)
            vips_failed(error, path, "cannot be decoded",
                        "copy it again from where it came from, or save it anew");
    }
    free(name);
    return image;
}

/* Samples other than 8- and 16-bit ones in a plain colour space (float TIFF, CIELAB, …) become sRGB
   by libvips' own conversion. */
static VipsImage *with_plain_samples(VipsImage *image) {
    bool plain = image->Coding == VIPS_CODING_NONE &&
                 (image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT) &&
                 image->Type != VIPS_INTERPRETATION_LAB && image->Type != VIPS_INTERPRETATION_XYZ;
    VipsImage *srgb = NULL, *bytes = NULL;
    if (plain || vips_colourspace(image, &srgb, VIPS_INTERPRETATION_sRGB, NULL) == 0) {
        if (plain) return image;
        if (vips_cast_uchar(srgb, &bytes, NULL) != 0) bytes = NULL;
    }
    if (srgb) g_object_unref(srgb);
    g_object_unref(image);
    return bytes;
}

/* --------------------------------------------------------------------------------------- pixels */

/* a b / 255, rounded, as Pillow computes it. */
static unsigned scale_byte(unsigned a, unsigned b) {
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

static uint8_t ink_to_light(unsigned ink, unsigned black) {
    unsigned light = 255 - black, dark = scale_byte(ink, light);
    return (uint8_t)(light > dark ? light - dark : 0);
}

/* `count` pixels of `bands` 8-bit samples to RGB.  What follows grey or colour is alpha or a spare
   channel: dropped. */
static void to_rgb(const uint8_t *in, int bands, bool cmyk, int count, uint8_t *rgb) {
    for (int x = 0; x < count; x++, in += bands, rgb += CHANNELS) {
        if (cmyk) {
            for (int c = 0; c < CHANNELS; c++) rgb[c] = ink_to_light(in[c], in[3]);
        } else {
            rgb[0] = in[0];
            rgb[1] = bands < 3 ? in[0] : in[1];
            rgb[2] = bands < 3 ? in[0] : in[2];
        }
    }
}

/* Where pixel (x, y) of the file goes in the upright photo: origin + x across + y down, counted in
   pixels. */
typedef struct placement {
    int64_t origin, across, down;
} placement;

/* EXIF's eight orientations: 5 to 8 swap the sides; then the mirrored axes run backwards. */
static placement upright(int orientation, int64_t width, int64_t height) {
    bool swap = orientation >= 5;
    bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 ||
                  orientation == 8; /* the file's x axis ends up reversed */
    bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    placement turn = {.across = swap ? height : 1, .down = swap ? 1 : width};
    if (flip_x) {
        turn.origin += (width - 1) * turn.across;
        turn.across = -turn.across;
    }
    if (flip_y) {
        turn.origin += (height - 1) * turn.down;
        turn.down = -turn.down;
    }
    return turn;
}

/* `rows` rows of the file from row `top` on, already RGB, to their places.  The inner loop runs
   along the side that is contiguous there. */
static void place_strip(const uint8_t *strip, int width, int top, int rows, placement turn,
                        uint8_t *out) {
    if (turn.across == 1) {
        for (int y = 0; y < rows; y++)
            memcpy(out + (turn.origin + (top + y) * turn.down) * CHANNELS,
                   strip + (size_t)y * (size_t)width * CHANNELS, (size_t)width * CHANNELS);
        return;
    }
    for (int x = 0; x < width; x++)
        for (int y = 0; y < rows; y++)
            memcpy(out + (turn.origin + x * turn.across + (top + y) * turn.down) * CHANNELS,
                   strip + ((size_t)y * (size_t)width + (size_t)x) * CHANNELS, CHANNELS);
}

/* The samples of one row as bytes: 16-bit ones lose their low byte, as in Pillow. */
static const uint8_t *row_bytes(VipsRegion *region, int y, bool wide, size_t samples,
                                uint8_t *scratch) {
    const uint8_t *row = VIPS_REGION_ADDR(region, 0, y);
    if (!wide) return row;
    for (size_t i = 0; i < samples; i++) {
        uint16_t sample;
        memcpy(&sample, row + 2 * i, sizeof sample);
        scratch[i] = (uint8_t)(sample >> 8);
    }
    return scratch;
}

static bool copy_pixels(VipsImage *image, VipsRegion *region, placement turn, uint8_t *out,
                        const char *path, piaa_error *error) {
    int width = image->Xsize, height = image->Ysize, bands = image->Bands;
    bool wide = image->BandFmt == VIPS_FORMAT_USHORT,
         cmyk = image->Type == VIPS_INTERPRETATION_CMYK && bands >= 4;
    size_t samples = (size_t)width * (size_t)bands;
    uint8_t *strip = piaa_alloc_array((size_t)width, CHANNELS * STRIP_ROWS, error);
    uint8_t *scratch = strip ? piaa_alloc_array(samples, 1, error) : NULL;
    bool ok = scratch != NULL;
    for (int top = 0; ok && top < height; top += STRIP_ROWS) {
        int rows = height - top < STRIP_ROWS ? height - top : STRIP_ROWS;
        VipsRect area = {.left = 0, .top = top, .width = width, .height = rows};
        if (vips_region_prepare(region, &area) != 0) {
            ok = vips_failed(error, path, "is damaged or cut short",
                             "copy it again from where it came from");
            break;
        }
        for (int y = 0; y < rows; y++)
            to_rgb(row_bytes(region, top + y, wide, samples, scratch), bands, cmyk, width,
                   strip + (size_t)y * (size_t)width * CHANNELS);
        place_strip(strip, width, top, rows, turn, out);
    }
    free(scratch);
    free(strip);
    return ok;
}

static bool decode(VipsImage *image, int orientation, const char *path, piaa_image *out,
                   piaa_error *error) {
    int width = image->Xsize, height = image->Ysize;
    if ((int64_t)width * height > LARGEST_PIXELS)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s is %d x %d pixels, more than the limit of 1,000 megapixels: make a smaller copy",
            path, width, height);
    out->rgb = piaa_alloc_array((size_t)width * (size_t)height, CHANNELS, error);
    if (!out->rgb) return piaa_error_prefix(error, "%s, %d x %d pixels", path, width, height);
    out->width = orientation >= 5 ? height : width;
    out->height = orientation >= 5 ? width : height;
    VipsRegion *region = vips_region_new(image);
    if (!region)
        return vips_failed(error, path, "cannot be decoded",
                           "copy it again from where it came from, or save it anew");
    bool ok =
        copy_pixels(image, region, upright(orientation, width, height), out->rgb, path, error);
    g_object_unref(region);
    return ok;
}

bool piaa_image_read(const char *path, piaa_exif exif, piaa_image *out, piaa_error *error) {
    *out = (piaa_image){0};
    pthread_once(&once, start_vips);
    if (!started)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "libvips could not be started: reinstall it");
    bool is_tiff = false, ok = false;
    VipsImage *image = open_photo(path, &is_tiff, error);
    if (image) {
        /* Pillow takes TIFF's orientation tag for a part of the pixels: it is obeyed even where
           EXIF is not. */
        int orientation =
            exif == PIAA_EXIF_APPLY || is_tiff ? vips_image_get_orientation(image) : 1;
        image = with_plain_samples(image);
        ok = image ? decode(image, orientation, path, out, error)
                   : vips_failed(error, path, "has colours that cannot be converted",
                                 "save it anew as JPEG or PNG");
        if (image) g_object_unref(image);
    }
    if (!ok) piaa_image_free(out);
    vips_thread_shutdown();
    return ok;
}

void piaa_image_free(piaa_image *image) {
    if (!image) return;
    free(image->rgb);
    *image = (piaa_image){0};
}
