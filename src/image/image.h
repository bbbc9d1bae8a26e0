/* Photos as RGB pixels: decoded as Pillow decodes them, resized as torchvision resizes them. */
#ifndef PIAA_IMAGE_IMAGE_H
#define PIAA_IMAGE_IMAGE_H

#include "image/photo.h"

enum { PIAA_LARGEST_PIXELS = 1000000000 };

/* rgb: [height][width][3], owned; freed with piaa_image_free.  Start from {0}. */
typedef struct piaa_image {
    int width, height;
    uint8_t *rgb;
    char damage[PIAA_DAMAGE]; /* "part of the picture is lost (…)", empty for a whole photo */
    bool hidden;  /* it is transparent in places, and the colours that nobody sees are in it */
    piaa_raw raw; /* what of a raw photo it is */
} piaa_image;

/* Decodes a photo to 8-bit RGB, equal to Pillow's Image.open(path).convert("RGB") (alpha dropped
 * unless there is a background, CMYK converted by Pillow's rule, no colour management), then turned
 * upright if asked.  A truncated or damaged file is an error.  Of a raw photo it is the camera's
 * preview, or the sensor's data at half size (raw.h). */
bool piaa_image_decode(const piaa_photo_file *file, piaa_exif exif, piaa_background background,
                       piaa_image *out, piaa_error *error) PIAA_MUST_USE;
/* The same of a file that is read for this alone, without a background. */
bool piaa_image_read(const char *path, piaa_exif exif, piaa_image *out,
                     piaa_error *error) PIAA_MUST_USE;
void piaa_image_free(piaa_image *image);

/* A small picture for people to look at: upright, in sRGB by the photo's own profile, on black
 * where it is transparent, no larger than width x height. */
bool piaa_image_thumbnail(const piaa_photo_file *file, int width, int height, piaa_image *out,
                          piaa_error *error) PIAA_MUST_USE;

/* Whether this build reads photos of this kind. */
bool piaa_image_reads(piaa_kind kind);

/* True for names with the ending of a photo format that this build reads (".jpg", ".HEIC", …). */
bool piaa_image_has_photo_name(const char *name);

typedef enum piaa_filter { PIAA_BILINEAR, PIAA_BICUBIC } piaa_filter;

/* torchvision.transforms.v2.functional.resize(uint8, antialias=True), its fixed-point
   arithmetic. */
bool piaa_image_resize(const piaa_image *in, int width, int height, piaa_filter filter,
                       piaa_image *out, piaa_error *error) PIAA_MUST_USE;

/* The same in float32 arithmetic, which neither rounds to bytes nor clamps: [height][width][3], in
   the bytes' units; the caller's. */
float *piaa_image_resize_float(const piaa_image *in, int width, int height, piaa_filter filter,
                               piaa_error *error) PIAA_MUST_USE;

#endif
