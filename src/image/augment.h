/* Photos changed on purpose, to see which of a model's judgements follow: without colour, or bent
   out of their composition. */
#ifndef PIAA_IMAGE_AUGMENT_H
#define PIAA_IMAGE_AUGMENT_H

#include "image/image.h"

typedef enum piaa_augment { PIAA_GRAY, PIAA_TPS, PIAA_AUGMENTS } piaa_augment;

const char *piaa_augment_name(piaa_augment kind); /* "gray", "tps" */
bool piaa_augment_parse(const char *name, piaa_augment *out);

/*
 * gray: every pixel's luma, as Pillow's convert("L") rounds it, in all three channels. tps: a
 * thin-plate spline bends the photo: 4 x 4 control points move by up to 8 % of the width and
 * height, by `seed`; sampled bilinearly, the border repeated beyond the edge.  Size stays.  The
 * same seed bends every photo alike; give each its own.
 */
bool piaa_augment_apply(piaa_augment kind, uint32_t seed, const piaa_image *in, piaa_image *out,
                        piaa_error *error) PIAA_MUST_USE;

/* Reads a photo, changes it and writes it as PNG to `to`, whole or not at all. */
bool piaa_augment_file(piaa_augment kind, uint32_t seed, const char *from, const char *to,
                       piaa_error *error) PIAA_MUST_USE;

#endif
