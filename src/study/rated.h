/* Which rows of a store's matrices a person said something of: stars, comparisons, or both. */
#ifndef PIAA_STUDY_RATED_H
#define PIAA_STUDY_RATED_H

#include "linear/pairs.h"
#include "study/joined.h"

/* The photos that have a vector, those with stars first, in the order of the ratings: what a taste
 * is learned from.  Photos with the same content share a row, and are one. */
typedef struct piaa_rated {
    int64_t *rows;  /* [count] of the matrix */
    double *scores; /* [count] the mean where copies have several; NaN of photos that were only
                       compared */
    int64_t count;
    int64_t stars;  /* of these, that have a score: the first ones */
    int64_t *index; /* [rows of the matrix] 1 + where the row is in `rows`; 0: it is not there */
    size_t missing, first_missing; /* ratings without a vector, and the first of them */
    size_t copies;                 /* ratings of photos that are there already */
    size_t unlike, one, other;     /* copies rated differently, and the first such pair */
    piaa_duel *duels;              /* [duel_count] of photos by their place in `rows`; each pair
                                      once */
    int64_t duel_count, answers;   /* answers: that these are made of */
    size_t lost, first_lost;       /* comparisons of which a photo has no vector, and the first */
    size_t alone;                  /* comparisons of a photo with a copy of it */
} piaa_rated;

/* Those that have all of the joined matrices.  Errors: memory. */
bool piaa_rated_find(const piaa_joined *joined, const piaa_said *said, piaa_rated *out,
                     piaa_error *error) PIAA_MUST_USE;
void piaa_rated_free(piaa_rated *rated);

/* What is worth a line about what was found and what was not. */
void piaa_rated_tell(const piaa_rated *rated, const piaa_said *said, const piaa_hooks *hooks);

#endif
