/*
 * Which photos to rate next (linear/choose.h), of a folder for a person, and of a person's ratings
 * for a learning curve.
 */
#ifndef PIAA_STUDY_NEXT_H
#define PIAA_STUDY_NEXT_H

#include "features/photos.h"
#include "features/store.h"
#include "linear/choose.h"

/* From so many ratings on their leave-one-out errors say how much of a rating is taste. */
enum { PIAA_NEXT_ENOUGH = 20 };

/*
 * piaa_choosing's noise: the alpha that predicts ratings scores [n] of the bands' rows best when
 * left out; 0, which is the default, where they are fewer than PIAA_NEXT_ENOUGH, are all alike, or
 * are not predicted better than by their mean.  Errors: as piaa_bands_fit.
 */
bool piaa_next_noise(const piaa_band *bands, int count, const double *scores, int64_t n,
                     double *noise, piaa_error *error) PIAA_MUST_USE;

typedef struct piaa_next_photo {
    const char *path; /* absolute, as it was found; belongs to the photos */
    bool random;
} piaa_next_photo;

typedef struct piaa_next {
    piaa_next_photo *items; /* [count] in the order in which to rate them */
    size_t count;
    size_t photos; /* that have a vector: what the choice is for */
    size_t rated;  /* photos with a rating and a vector, listed or not; copies count once */
    size_t left;   /* photos that might be chosen after these */
    piaa_strategy strategy;
    double noise; /* 0: the default */
} piaa_next;

/*
 * At most `count` of the photos by their vectors of these slots side by side, for whom `ratings`
 * (NULL: none yet) are.  choosing->noise is filled in.  Ratings without a vector are told to
 * hooks->warn (may be NULL) and left out.  None chosen is no error: everything is rated, or a copy
 * of what is.  Errors: no photo has a vector; memory.
 */
bool piaa_next_choose(const piaa_store *store, const piaa_slots *slots, const piaa_photos *photos,
                      const piaa_ratings *ratings, const piaa_choosing *choosing, size_t count,
                      const piaa_hooks *hooks, piaa_next *out, piaa_error *error) PIAA_MUST_USE;
void piaa_next_free(piaa_next *next);

/*
 * The order in which a person's n ratings `scores` of `rows` would have been asked for: out [n],
 * indices.  At each of sizes[0..count - 1] (ascending) the noise is learned anew from those asked
 * for so far; scores are used for nothing else, and those that come later not at all.  Copies come
 * last, as they are.  Random: the order given.
 */
bool piaa_next_order(const float *x, const int64_t *rows, const double *scores, int64_t n, int dim,
                     const piaa_choosing *choosing, const size_t *sizes, size_t count, size_t *out,
                     piaa_error *error) PIAA_MUST_USE;

#endif
