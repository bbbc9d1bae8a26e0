/* From a photo to the planes of fixed size that most vision transformers read, by the steps that a
 * checkpoint's own image processor lists, and from planes to the patch rows that their first matrix
 * multiplies. */
#ifndef PIAA_IMAGE_PLANES_H
#define PIAA_IMAGE_PLANES_H

#include "base/json.h"
#include "image/image.h"

typedef struct piaa_planes_config {
    int height, width; /* of the result */
    int shortest;      /* the shorter side is brought to this length; 0: both sides are to these: */
    int resize_height, resize_width; /* 0: those of the result */
    bool resize, crop;               /* false: the photo is left as it is in that step */
    bool to_even;  /* the window begins at half of what is cut off rounded to even (torchvision),
                      else rounded down (transformers) */
    bool square;   /* a single number for the size is both sides, else the shorter */
    bool floating; /* resized in float32 (DINOv3's processor), else in bytes, rounded and clamped,
                      before all else */
    piaa_filter filter;
    double rescale_factor;
    float mean[3], std[3];
} piaa_planes_config;

/* What torchvision's classifiers of ImageNet are evaluated with, and PIAA-ICI is trained with: of a
   photo whose shorter side is side * 256 / 224 (rounded down) pixels, bilinear, the middle `side`.
 */
piaa_planes_config piaa_planes_classifier(int side);

/* Reads the image processor's object over `out`, which holds the family's defaults (NULL: they
   stand; only the sizes are then others: where an object does not name them, those of the
   processors' classes hold).  `where` names the file. */
bool piaa_planes_config_read(const cJSON *json, const char *where, piaa_planes_config *out,
                             piaa_error *error) PIAA_MUST_USE;

/* The first setting of the image processor in which two differ; NULL: none. */
const char *piaa_planes_difference(const piaa_planes_config *a, const piaa_planes_config *b);

/* One setting of it; `out` stays as it is where there is none.  A step that is null is left out, as
   in the reference; three finite numbers are one per channel. */
bool piaa_planes_read_step(const cJSON *json, const char *key, bool *out, const char *where,
                           piaa_error *error) PIAA_MUST_USE;
bool piaa_planes_read_whole(const cJSON *json, const char *key, int64_t *out, const char *where,
                            piaa_error *error) PIAA_MUST_USE;
bool piaa_planes_read_scale(const cJSON *json, piaa_filter *filter, double *rescale_factor,
                            const char *where, piaa_error *error) PIAA_MUST_USE;
bool piaa_planes_read_three(const cJSON *json, const char *key, float out[3], const char *where,
                            piaa_error *error) PIAA_MUST_USE;
bool piaa_planes_same_three(const float a[3], const float b[3]);
/* That one can be divided by them, in float32. */
bool piaa_planes_check(double rescale_factor, const float std[3], const char *where,
                       piaa_error *error) PIAA_MUST_USE;

/* In words, all that decides about the numbers: "bicubic, mean 0.5 0.5 0.5, std 0.5 0.5 0.5", and a
   size where there is one. */
enum { PIAA_PIXELS_WORDS = 320 };
void piaa_pixels_describe(piaa_filter filter, double rescale_factor, const float mean[3],
                          const float std[3], char out[PIAA_PIXELS_WORDS]);
void piaa_planes_describe(const piaa_planes_config *config, char out[PIAA_PIXELS_WORDS]);

/* [3][height][width], the caller's; as torchvision computes it (uint8 or float, antialiased),
   normalised. */
float *piaa_planes_make(const piaa_image *image, const piaa_planes_config *config,
                        piaa_error *error) PIAA_MUST_USE;

/* Planes [3][height][width] as rows [(height / patch) * (width / patch)][3 * patch * patch], row by
 * row of patches; a rest at the right and at the bottom is left out, as a convolution without
 * padding does.  The caller's. */
float *piaa_planes_patches(const float *planes, int height, int width, int patch,
                           piaa_error *error) PIAA_MUST_USE;

#endif
