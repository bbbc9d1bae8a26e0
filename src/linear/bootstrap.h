/* Uncertainty over people: percentile bootstrap intervals, paired bootstrap tests, Holm's
   correction. */
#ifndef PIAA_LINEAR_BOOTSTRAP_H
#define PIAA_LINEAR_BOOTSTRAP_H

#include "base/error.h"

enum { PIAA_BOOTSTRAP_DRAWS = 10000 };

typedef struct piaa_interval {
    double mean, low, high; /* NaN for an empty list */
} piaa_interval;

/* 95 % percentile interval of the mean of values[n] (no NaN among them): `draws` resamples of n
 * with replacement, drawn as numpy.random.RandomState(seed).randint(0, n, (draws, n)) draws
 * them. */
bool piaa_bootstrap_mean(const double *values, size_t n, int draws, uint32_t seed,
                         piaa_interval *out, piaa_error *error) PIAA_MUST_USE;

/* The same for several lists [lists][n] of the same n people, from the same draws. */
bool piaa_bootstrap_means(const double *values, size_t lists, size_t n, int draws, uint32_t seed,
                          piaa_interval *out, piaa_error *error) PIAA_MUST_USE;

/* The same of the mean of a[i] - b[i], people resampled as pairs, and its two-sided p-value: twice
 * the smaller share of resamples with a mean difference on one side of 0, 0 included; one is added
 * to count and draws, so that it is never 0.  1 where a and b are equal. */
bool piaa_bootstrap_paired(const double *a, const double *b, size_t n, int draws, uint32_t seed,
                           piaa_interval *difference, double *p, piaa_error *error) PIAA_MUST_USE;

/* Holm's step-down correction of p[count] for multiple tests (Scandinavian Journal of Statistics 6,
 * 1979); NaN stays NaN and is not counted as a test.  adjusted may be p. */
bool piaa_bootstrap_holm(const double *p, size_t count, double *adjusted,
                         piaa_error *error) PIAA_MUST_USE;

#endif
