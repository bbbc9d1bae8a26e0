/* How photos are prepared, beside the model's own settings: what a request says of it. */
#ifndef PIAA_FEATURES_PREPROCESSING_H
#define PIAA_FEATURES_PREPROCESSING_H

#include "base/error.h"

typedef struct piaa_preprocessing {
    int64_t least, most; /* pixels */
    piaa_exif exif;
    piaa_image_attention attention;
    piaa_background background;
} piaa_preprocessing;

/* "4096 to 26624 pixels, EXIF rotation applied[, image tokens causal][, on white]": as stores and
 * learned things have it, and differences are told.  A part that there was no choice of at first is
 * left out where it is as it was then.  Freed by the caller. */
char *piaa_preprocessing_prose(const piaa_preprocessing *preprocessing,
                               piaa_error *error) PIAA_MUST_USE;

/* The members of an identity that say the same one by one; `digits` outlives it. */
void piaa_preprocessing_name(const piaa_preprocessing *preprocessing, char digits[24],
                             piaa_identity *identity);

/* What these members say; false where the identity has none.  Identities of before have the prose
   alone, which is understood for their sake. */
bool piaa_preprocessing_of(const piaa_identity *identity, piaa_preprocessing *out);

#endif
