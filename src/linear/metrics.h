/* How well predictions agree with what was true, as SciPy and scikit-learn compute it. */
#ifndef PIAA_LINEAR_METRICS_H
#define PIAA_LINEAR_METRICS_H

#include "base/error.h"

/* Two lists of n numbers each.  NaN where the figure is undefined: an empty list, a NaN in a list;
 * for the correlations also fewer than two pairs or a constant list.  A NaN is the caller's to
 * count and to report, never to average as 0 unsaid. */

double piaa_metrics_pearson(const double *a, const double *b, size_t n); /* scipy.stats.pearsonr */

/* scipy.stats.spearmanr: Pearson's correlation of the ranks, ties sharing the average of theirs.
 * Needs memory for the ranks: false with `error` set where there is none. */
bool piaa_metrics_spearman(const double *a, const double *b, size_t n, double *out,
                           piaa_error *error) PIAA_MUST_USE;

/* sklearn.metrics.r2_score: 1 - sum of squared errors / sum of squares around the mean of `truth`;
 * for a constant truth 1 if every prediction is exact and 0 otherwise; NaN for fewer than two
 * pairs. */
double piaa_metrics_r2(const double *truth, const double *predicted, size_t n);

/* Root of the mean squared error. */
double piaa_metrics_rmse(const double *truth, const double *predicted, size_t n);
/* Mean absolute error. */
double piaa_metrics_mae(const double *truth, const double *predicted, size_t n);

/* Ranks from 1, ties averaged (scipy.stats.rankdata); values without NaN. */
bool piaa_metrics_ranks(const double *values, size_t n, double *ranks,
                        piaa_error *error) PIAA_MUST_USE;

#endif
