/* What everybody thinks of a photo, as a trained front says it: phase 1 of PIAA-ICI, applied.  All
   that phases 2 and 3 know of a photo. */
#ifndef PIAA_STUDY_ICI_FRONT_H
#define PIAA_STUDY_ICI_FRONT_H

#include "study/ici_model.h"

typedef struct piaa_ici_hats {
    float *attributes; /* [images][7] of a data set, on the scale of the scores, not clipped */
    float *bins;       /* [images][9], which add up to 1 */
    bool *known;       /* [images]; of the others both are 0 */
} piaa_ici_hats;

/* Nothing is known yet. */
bool piaa_ici_hats_make(piaa_ici_hats *hats, size_t images, piaa_error *error) PIAA_MUST_USE;
void piaa_ici_hats_free(piaa_ici_hats *hats);

/* A vector as the heads take it: (x - mean) / scale; out [model->slot.dim]. */
void piaa_ici_standardise(const piaa_ici_model *model, const float *x, float *out);

/* Of the images wanted [images] (NULL: all) that have a vector in the source, whose slot is the
   front's.  A vector that is not finite, or a hat, leaves its image unknown. */
bool piaa_ici_hats_from_features(const piaa_ici_model *model, const piaa_heads *heads,
                                 const piaa_source *source, const bool *wanted, size_t images,
                                 piaa_ici_hats *out, piaa_error *error) PIAA_MUST_USE;

/* Photos as a ResNet sees them: pixels [n][3][side][side] of these images, on several threads.  One
   that cannot be read is told, and good[i] is false. */
bool piaa_ici_pixels_read(const piaa_dataset *set, const size_t *images, size_t n, int side,
                          piaa_exif exif, int threads, const piaa_hooks *hooks, float *pixels,
                          bool *good, piaa_error *error) PIAA_MUST_USE;
/* Of the images wanted, read from their files. */
bool piaa_ici_hats_from_photos(const piaa_ici_model *model, piaa_resnet *net,
                               const piaa_heads *heads, const piaa_dataset *set, const bool *wanted,
                               piaa_exif exif, int threads, const piaa_hooks *hooks,
                               piaa_ici_hats *out, piaa_error *error) PIAA_MUST_USE;

#endif
