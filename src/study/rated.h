/* Which rows of a store's matrices a person rated. */
#ifndef PIAA_STUDY_RATED_H
#define PIAA_STUDY_RATED_H

#include "piaa.h"
#include "study/joined.h"

/* The rated photos that have a vector, in the order of the ratings: what a taste is learned from.
 * Photos with the same content share a row, and are one. */
typedef struct piaa_rated {
    int64_t *rows;  /* [count] of the matrix */
    double *scores; /* [count] the mean where copies have several */
    int64_t count;
    int64_t *index; /* [rows of the matrix] 1 + where the row is in `rows`; 0: it is not rated */
    size_t missing, first_missing; /* ratings without a vector, and the first of them */
    size_t copies;                 /* ratings of photos that are there already */
    size_t unlike, one, other;     /* copies rated differently, and the first such pair */
} piaa_rated;

/* Those that store and ratings both have.  Errors: memory. */
bool piaa_rated_find(const piaa_joined *joined, const piaa_ratings *ratings, piaa_rated *out,
                     piaa_error *error) PIAA_MUST_USE;
void piaa_rated_free(piaa_rated *rated);

#endif
