/*
 * What many people's ratings say beforehand of one more person's weights:
 *
 *     w ~ N(weights + directions' u, isotropic I),  u ~ N(0, I),
 *
 * of features that are standardised by one scaler.  The mathematics is in people_prior.c.
 *
 *     piaa_people_prior *prior = piaa_people_prior_learn(x, dim, raters, count, NULL, &error);
 *     // as linear/bands.h takes it: directions / sqrt(isotropic), alpha noise / isotropic
 *     piaa_people_prior_free(prior);
 */
#ifndef PIAA_LINEAR_PEOPLE_PRIOR_H
#define PIAA_LINEAR_PEOPLE_PRIOR_H

#include "base/error.h"

/* One person's ratings: row rows[i] of the features has score scores[i].  In any order. */
typedef struct piaa_rater {
    const int64_t *rows; /* [n] */
    const double *scores;
    int64_t n;
} piaa_rater;

enum {
    PIAA_PEOPLE_PRIOR_LEAST = 3,       /* people */
    PIAA_PEOPLE_PRIOR_DIRECTIONS = 16, /* by default */
    PIAA_PEOPLE_PRIOR_MOST = 1000      /* ratings of a person that are looked at */
};

/* Zeroed: all by default. */
typedef struct piaa_people_prior_options {
    int directions; /* 0: PIAA_PEOPLE_PRIOR_DIRECTIONS; never more than the people but one, or the
                       columns */
    int iterations; /* exactly so many; 0: as long as people who are held out gain by them */
    int threads;    /* 0: 1 */
} piaa_people_prior_options;

/* Owned by the caller; every array is part of it. */
typedef struct piaa_people_prior {
    int dim, rank;
    int64_t raters, ratings; /* that were learned from */
    double *mean, *scale; /* [dim] of the rated rows, each once; scale is 1 for constant columns */
    double *weights;      /* [dim] the mean person's, per standard deviation */
    double *directions;   /* [rank][dim] at right angles, the longest first; the largest number of
                             each is positive */
    double isotropic, noise; /* variances: of each weight beside the directions, and of a rating */
    int iterations;
    double *evidence; /* [iterations + 1] log-likelihood of the ratings, each less its person's
                         mean, before the first and after every iteration */
    double gain;      /* log-likelihood a rating that people who are held out gain over no prior (no
                         mean, no directions); NaN where iterations were asked for */
} piaa_people_prior;

/*
 * Learns from the rows of x [*, dim] that raters[count] rated.  People and ratings may come in any
 * order: the prior is the same to the last bit.  People with fewer than two ratings, or with equal
 * ones, say nothing and are left out; of one with more than PIAA_PEOPLE_PRIOR_MOST so many are
 * taken, evenly from all by row.
 *
 * Time: an iteration takes about  n (4 dim (rank + 1) + n rank + n^2)  operations for each person
 * of n ratings, and up to six models are learned side by side; making the products takes  n^2 dim.
 * Memory: n x n numbers a person, n x dim a thread, and 13 x (rank + 1) x dim.
 *
 * hooks may be NULL.  Errors: fewer than PIAA_PEOPLE_PRIOR_LEAST people, a value that is not
 * finite, memory.
 */
piaa_people_prior *piaa_people_prior_learn(const float *x, int dim, const piaa_rater *raters,
                                           size_t count, const piaa_people_prior_options *options,
                                           piaa_error *error) PIAA_MUST_USE;
/* Room for one, zeroed, without evidence. */
piaa_people_prior *piaa_people_prior_new(int dim, int rank, piaa_error *error) PIAA_MUST_USE;
void piaa_people_prior_free(piaa_people_prior *prior);

#endif
