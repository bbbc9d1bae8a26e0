/* libvips' readers as rows of bytes.
 *
 * libvips takes floating-point colours for linear light and integers of more than 16 bits for
 * whatever fits into a byte, so that its own conversions are used for CIELAB alone.  What white is
 * among such numbers (the unit) is 1, or the integers' largest; but programs write bytes as floats
 * and as 32-bit integers too.  So they are looked through once before they are read: if more than a
 * tenth of all floats lie half above 1, or no integer above 65535, they are in a smaller unit. */
#include "image/strips.h"

#include "base/memory.h"
#include "image/libvips.h"
#include "image/tiff.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRIP = 32 };

typedef struct strips {
    VipsImage *image;
    VipsRegion *region;
    int next; /* row */
    const char *path;
    double unit;        /* white; 0: bytes, and 16-bit samples that lose their low byte */
    bool white_is_zero; /* and libvips has not turned it, as it does for unsigned integers */
    bool luma, spare;   /* spare: a fourth band that is not alpha */
} strips;

static void close_strips(strips *s) {
    if (s->region) g_object_unref(s->region);
    if (s->image) g_object_unref(s->image);
    s->region = NULL;
    s->image = NULL;
}

/* CIELAB to sRGB, by LittleCMS, which knows that its white is D50.  Gives up `image`. */
static VipsImage *without_lab(VipsImage *image) {
    if (image->Type != VIPS_INTERPRETATION_LAB && image->Type != VIPS_INTERPRETATION_LABS &&
        image->Coding != VIPS_CODING_LABQ)
        return image;
    VipsImage *lab = NULL, *srgb = NULL;
    if (vips_colourspace(image, &lab, VIPS_INTERPRETATION_LAB, NULL) == 0 &&
        vips_icc_export(lab, &srgb, "output_profile", "srgb", "intent", VIPS_INTENT_RELATIVE,
                        "depth", 8, NULL) != 0)
        srgb = NULL;
    if (lab) g_object_unref(lab);
    g_object_unref(image);
    return srgb;
}

static bool open_image(strips *s, const piaa_photo_file *file, piaa_error *error) {
    s->image = piaa_vips_open(file, 1, VIPS_FAIL_ON_ERROR, error);
    if (!s->image) return false;
    s->image = without_lab(s->image);
    if (!s->image)
        return piaa_vips_failed(error, file->path, "has colours that cannot be converted",
                                "save it anew as JPEG or PNG");
    s->region = vips_region_new(s->image);
    s->next = 0;
    return s->region || piaa_vips_failed(error, file->path, "cannot be decoded",
                                         "copy it again from where it came from, or save it anew");
}

/* The next rows; those of libvips' region. */
static bool prepare(strips *s, int count, piaa_error *error) {
    VipsRect area = {.left = 0, .top = s->next, .width = s->image->Xsize, .height = count};
    if (vips_region_prepare(s->region, &area) != 0)
        return piaa_vips_failed(error, s->path, "is damaged or cut short",
                                "copy it again from where it came from");
    s->next += count;
    return true;
}

/* -------------------------------------------------------------------------------------- samples */

static double sample_at(VipsBandFormat format, const void *row, size_t i) {
    switch (format) {
    case VIPS_FORMAT_UCHAR:
        return ((const uint8_t *)row)[i];
    case VIPS_FORMAT_CHAR:
        return ((const int8_t *)row)[i];
    case VIPS_FORMAT_USHORT:
        return ((const uint16_t *)row)[i];
    case VIPS_FORMAT_SHORT:
        return ((const int16_t *)row)[i];
    case VIPS_FORMAT_UINT:
        return ((const uint32_t *)row)[i];
    case VIPS_FORMAT_INT:
        return ((const int32_t *)row)[i];
    case VIPS_FORMAT_FLOAT:
        return ((const float *)row)[i];
    case VIPS_FORMAT_DOUBLE:
        return ((const double *)row)[i];
    default:
        return 0;
    }
}

typedef struct range {
    double least, most;
    double count, bright; /* samples; of them those above 1.5 */
} range;

static bool measure(strips *s, range *r, piaa_error *error) {
    size_t stride = (size_t)s->image->Xsize * (size_t)s->image->Bands;
    *r = (range){.least = DBL_MAX, .most = -DBL_MAX};
    while (s->next < s->image->Ysize) {
        int first = s->next, left = s->image->Ysize - first, count = left < STRIP ? left : STRIP;
        if (!prepare(s, count, error)) return false;
        for (int y = first; y < s->next; y++)
            for (size_t i = 0; i < stride; i++) {
                double v = sample_at(s->image->BandFmt, VIPS_REGION_ADDR(s->region, 0, y), i);
                if (v < r->least) r->least = v;
                if (v > r->most) r->most = v;
                r->bright += v > 1.5;
            }
    }
    r->count = (double)stride * s->image->Ysize;
    return true;
}

/* White among the numbers of a range: the smallest unit that holds them; 0: nobody knows. */
static double unit_of(VipsBandFormat format, const range *r) {
    bool real = vips_band_format_isfloat(format);
    if (real && r->bright <= r->count / 10) return 1;
    if (!real && r->least < 0) return 0;
    if (r->most <= 255) return format == VIPS_FORMAT_CHAR ? 127 : 255;
    if (format == VIPS_FORMAT_SHORT) return INT16_MAX;
    if (r->most <= 65535) return 65535;
    return real ? 0 : format == VIPS_FORMAT_INT ? INT32_MAX : UINT32_MAX;
}

static bool find_unit(strips *s, const piaa_photo_file *file, piaa_error *error) {
    VipsBandFormat format = s->image->BandFmt;
    if (format == VIPS_FORMAT_UCHAR || format == VIPS_FORMAT_USHORT) {
        int most = file->kind == PIAA_KIND_PNM ? piaa_pnm_most(file->bytes, file->size) : 0;
        s->unit = most == 255 || most == 65535 ? 0 : most;
        return true;
    }
    range r;
    if (vips_band_format_iscomplex(format))
        r = (range){.least = -1};
    else if (!measure(s, &r, error))
        return false;
    s->unit = unit_of(format, &r);
    if (s->unit == 0)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s has %s samples from %g to %g, which do not say what is black and "
                              "white: save it with 8 or 16 bits",
                              file->path,
                              vips_band_format_isfloat(format) ? "floating-point" : "signed",
                              r.least, r.most);
    close_strips(s); /* libvips reads forward only */
    return open_image(s, file, error);
}

static uint8_t to_byte(double value) {
    if (!(value > 0)) return 0; /* NaN too */
    return value >= 255 ? 255 : (uint8_t)lround(value);
}

static void row_to_bytes(const strips *s, const void *row, size_t count, uint8_t *out) {
    VipsBandFormat format = s->image->BandFmt;
    if (s->unit == 0 && format == VIPS_FORMAT_UCHAR)
        memcpy(out, row, count);
    else if (s->unit == 0)
        for (size_t i = 0; i < count; i++) out[i] = (uint8_t)(((const uint16_t *)row)[i] >> 8);
    else
        for (size_t i = 0; i < count; i++)
            out[i] = to_byte(sample_at(format, row, i) / s->unit * 255);
    for (size_t i = 0; s->white_is_zero && i < count; i++) out[i] = 255 - out[i];
}

/* TIFF's own luma and colour differences, as JPEG defines them. */
static void luma_to_rgb(uint8_t *pixel) {
    double y = pixel[0], blue = pixel[1] - 128.0, red = pixel[2] - 128.0;
    pixel[0] = to_byte(y + 1.402 * red);
    pixel[1] = to_byte(y - 0.344136 * blue - 0.714136 * red);
    pixel[2] = to_byte(y + 1.772 * blue);
}

/* ----------------------------------------------------------------------------------------- rows */

static bool read_rows(piaa_rows *rows, int count, uint8_t *samples, piaa_error *error) {
    strips *s = rows->decoder;
    size_t stride = (size_t)rows->width * (size_t)rows->bands;
    int first = s->next;
    if (!prepare(s, count, error)) return false;
    for (int y = first; y < s->next; y++, samples += stride) {
        row_to_bytes(s, VIPS_REGION_ADDR(s->region, 0, y), stride, samples);
        for (size_t i = 0; s->luma && i < stride; i += (size_t)rows->bands)
            luma_to_rgb(samples + i);
    }
    return true;
}

static void close_rows(piaa_rows *rows) {
    close_strips(rows->decoder);
    free(rows->decoder);
}

static bool open_strips(strips *s, const piaa_photo_file *file, piaa_error *error) {
    piaa_tiff tiff;
    s->path = file->path;
    if (!open_image(s, file, error)) return false;
    if (file->kind == PIAA_KIND_TIFF && piaa_tiff_look(file->bytes, file->size, &tiff)) {
        s->luma = tiff.luma && s->image->Bands >= 3;
        s->spare = !tiff.alpha;
        s->white_is_zero = tiff.photometric == 0 && !vips_band_format_isuint(s->image->BandFmt);
    }
    return find_unit(s, file, error);
}

/* Bytes per pixel that a reader holds of the whole picture at once, about: its own planes, and what
   it hands to libvips. */
static uint64_t bytes_per_pixel(const VipsImage *image, piaa_kind kind) {
    uint64_t samples = VIPS_IMAGE_SIZEOF_PEL(image);
    switch (kind) {
    case PIAA_KIND_PNG:
        return vips_image_get_typeof(image, "interlaced") ? samples : 0;
    case PIAA_KIND_WEBP:
    case PIAA_KIND_GIF:
        return 4 + samples;
    case PIAA_KIND_HEIF:
        return 3 + samples;
    case PIAA_KIND_JP2:
        return 4 * (uint64_t)image->Bands + samples;
    case PIAA_KIND_JXL:
        return 2 * samples;
    default:
        return 0;
    }
}

bool piaa_strips_open(const piaa_photo_file *file, piaa_rows *rows, int *orientation,
                      piaa_error *error) {
    strips *s = piaa_alloc(1, sizeof *s, error);
    if (!s) return false;
    *rows = (piaa_rows){.read = read_rows, .close = close_rows, .decoder = s};
    if (!open_strips(s, file, error)) {
        close_rows(rows);
        *rows = (piaa_rows){0};
        return false;
    }
    rows->width = s->image->Xsize;
    rows->height = s->image->Ysize;
    rows->bands = s->image->Bands;
    rows->inks = s->image->Type == VIPS_INTERPRETATION_CMYK && rows->bands >= 4;
    rows->memory =
        bytes_per_pixel(s->image, file->kind) * (uint64_t)rows->width * (uint64_t)rows->height;
    bool more = rows->bands == 2 || rows->bands > 3 + rows->inks;
    rows->alpha = more && !s->spare ? rows->bands - 1 : 0;
    *orientation = vips_image_get_orientation(s->image);
    return true;
}
