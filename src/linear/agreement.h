/* How well a list of predictions agrees with what was true: the three figures that the study
   reports. */
#ifndef PIAA_LINEAR_AGREEMENT_H
#define PIAA_LINEAR_AGREEMENT_H

#include "base/error.h"

typedef struct piaa_agreement {
    size_t n;
    double spearman; /* NaN where it is undefined: fewer than two pairs, or a constant list */
    double r2, rmse; /* NaN for fewer than two pairs, none */
} piaa_agreement;

/* n pairs, a `stride` apart in both lists (1: one after the other). */
bool piaa_agreement_measure(const double *truth, const double *predicted, size_t n, size_t stride,
                            piaa_agreement *out, piaa_error *error) PIAA_MUST_USE;

/* Pearson's correlation of every pair of columns of values [n][columns] into out
   [columns][columns], over the rows in which neither is NaN; NaN for constant columns. */
bool piaa_agreement_correlate(const double *values, size_t n, size_t columns, double *out,
                              piaa_error *error) PIAA_MUST_USE;

#endif
