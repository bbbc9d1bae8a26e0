/*
 * Learning from stars and from comparisons of two photos, at once.
 *
 *     piaa_compared data = {.photos = n, .kernel = K, .stars = stars, .duels = duels, .count = 40};
 *     piaa_pairwise *fit = piaa_pairwise_fit(&data, NULL, &error);
 *     fit->score[i], fit->duel_left[k] …        // the prediction of photo x: intercept + k(x)'c
 *     piaa_pairwise_free(fit);
 *
 * pairs.c opens with the mathematics.  Threads: one.
 */
#ifndef PIAA_LINEAR_PAIRS_H
#define PIAA_LINEAR_PAIRS_H

#include "base/error.h"

/* What a person said.  Belongs to the caller. */
typedef struct piaa_compared {
    int64_t photos;
    const double *kernel;   /* [photos][photos] symmetric, no eigenvalue below 0 but by rounding */
    const double *offset;   /* [photos] what is expected of each photo beforehand; NULL: 0 */
    const double *stars;    /* [photos] NaN where there are none; NULL: there are none at all */
    const piaa_duel *duels; /* [count] each pair of photos once: what was said of it added up */
    int64_t count;
    const int64_t *group; /* [photos] of photos that are near copies the first one, as piaa_near has
                             it; NULL: each is its own */
} piaa_compared;

/* Zeros: both are chosen by what is left out, and then the scale of the scores. */
typedef struct piaa_pairwise_options {
    double alpha;    /* the strength of the penalty */
    double sigma;    /* standard deviation of a star's noise */
    bool covariance; /* asks for it; then nothing at all need have been said */
} piaa_pairwise_options;

/* Owned by the caller; arrays are part of it. */
typedef struct piaa_pairwise {
    int64_t photos, count;
    bool anchored; /* by at least two different stars; else the scale of the scores means nothing */
    double alpha, sigma;
    double gain;          /* by which scores were drawn together to fit the stars' scale */
    double intercept;     /* 0 without stars */
    double *coefficients; /* [photos] c: scores are intercept + gain offset + K c */
    double *score;        /* [photos] */
    double *star_left; /* [photos] by the model without this star; NaN: no star, or the only one */
    double *duel_left; /* [count] the probability that `one` wins, by the model without this pair */
    double *photo_left; /* [photos] the score by the model without anything that was said of this
                           photo and its copies: what an unseen photo's would be */
    double *covariance; /* [photos][photos] of the scores' differences from the intercept, after all
                           that was said; NULL unless asked for */
    double criterion;   /* that alpha and sigma were chosen by: less is better */
    double right; /* share of duels that the models without them tell, ties aside; NaN: no duels */
} piaa_pairwise;

/* Errors: nothing to learn from (no duel, fewer than two stars), a number that is not finite, a
 * photo against itself or one that does not exist, a kernel that is none, memory. */
piaa_pairwise *piaa_pairwise_fit(const piaa_compared *data, const piaa_pairwise_options *options,
                                 piaa_error *error) PIAA_MUST_USE;
void piaa_pairwise_free(piaa_pairwise *fit);

/* The logistic function's scale, in units of sigma: see pairs.c. */
extern const double piaa_pairwise_scale;

/* The probability that a photo scored a wins over one scored b. */
double piaa_pairwise_win(const piaa_pairwise *fit, double a, double b);

/*
 * Which comparisons would teach most: of all pairs of `photos` (candidate[i] false: not these;
 * NULL: all) that are not among data->duels, `count` ones into out (one and other alone are set),
 * each that with the largest p(1-p) d'S d, p the probability of its outcome and d'S d the variance
 * of its difference, S as it will be once the pairs before it are answered.  `fit` has its
 * covariance, which is overwritten.  Gives how many there are, fewer than `count` where pairs run
 * out.
 */
int64_t piaa_pairwise_choose(piaa_pairwise *fit, const piaa_compared *data, const bool *candidate,
                             int64_t count, piaa_duel *out);

#endif
