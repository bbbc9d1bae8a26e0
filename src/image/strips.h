/* libvips' readers as rows. */
#ifndef PIAA_IMAGE_STRIPS_H
#define PIAA_IMAGE_STRIPS_H

#include "image/rows.h"

/* Opens a photo of any kind but raw.  Samples of all sizes become bytes as an 8-bit version of the
 * same picture has them: integers by their range (16-bit ones lose their low byte, as in Pillow),
 * floating-point numbers from 0 to 1 as they are, without regard to profiles, as everywhere here.
 * Numbers that can only be in another unit, from 0 to 255 or to 65535, are taken for what they are;
 * PIAA_UNSUPPORTED for those whose black or white nobody can know.  `orientation`: 1 to 8. */
bool piaa_strips_open(const piaa_photo_file *file, piaa_rows *rows, int *orientation,
                      piaa_error *error) PIAA_MUST_USE;

#endif
