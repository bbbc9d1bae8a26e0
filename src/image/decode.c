/* Photo files to upright 8-bit RGB with libvips, equal to Pillow's Image.open(path).convert("RGB").
 *
 * Only the file readers of libvips are used: they hand over 8- or 16-bit samples in one to five
 * bands, strip by strip from the top, and the conversion to RGB and the turning happen here while a
 * strip is copied to its place.  Nothing but the result and one strip is held in memory (some
 * formats, interlaced PNG and HEIF among them, are decoded whole inside their own libraries). */
#include "image/image.h"

#include "base/memory.h"
#include "image/libvips.h"

#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, STRIP_ROWS = 32 };
static const int64_t LARGEST_PIXELS = 1000000000;

bool piaa_image_has_photo_name(const char *name) {
    piaa_kind kind = piaa_kind_of_name(name);
    return kind == PIAA_KIND_BMP || kind == PIAA_KIND_RAW || piaa_vips_has(piaa_kind_loader(kind));
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
            ok = piaa_vips_failed(error, path, "is damaged or cut short",
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
        return piaa_vips_failed(error, path, "cannot be decoded",
                                "copy it again from where it came from, or save it anew");
    bool ok =
        copy_pixels(image, region, upright(orientation, width, height), out->rgb, path, error);
    g_object_unref(region);
    return ok;
}

bool piaa_image_decode(const piaa_photo_file *file, piaa_exif exif, piaa_image *out,
                       piaa_error *error) {
    *out = (piaa_image){0};
    bool ok = false;
    VipsImage *image = piaa_vips_open(file, 1, error);
    if (image) {
        /* Pillow takes TIFF's orientation tag for a part of the pixels: it is obeyed even where
           EXIF is not. */
        int orientation = exif == PIAA_EXIF_APPLY || file->kind == PIAA_KIND_TIFF
                              ? vips_image_get_orientation(image)
                              : 1;
        image = with_plain_samples(image);
        ok = image ? decode(image, orientation, file->path, out, error)
                   : piaa_vips_failed(error, file->path, "has colours that cannot be converted",
                                      "save it anew as JPEG or PNG");
        if (image) g_object_unref(image);
    }
    if (!ok) piaa_image_free(out);
    vips_thread_shutdown();
    return ok;
}

bool piaa_image_read(const char *path, piaa_exif exif, piaa_image *out, piaa_error *error) {
    piaa_photo_file file;
    *out = (piaa_image){0};
    bool ok =
        piaa_photo_file_read(&file, path, error) && piaa_image_decode(&file, exif, out, error);
    piaa_photo_file_free(&file);
    return ok;
}

void piaa_image_free(piaa_image *image) {
    if (!image) return;
    free(image->rgb);
    *image = (piaa_image){0};
}
