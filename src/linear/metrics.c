/* Rank and linear correlation, R2, RMSE and MAE. */
#include "linear/metrics.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static bool has_nan(const double *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (isnan(values[i])) return true;
    return false;
}

/* Compared exactly: the mean of a constant list may be off in the last digit, and its correlation
   would then be noise. */
static bool is_constant(const double *values, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (values[i] != values[0]) return false;
    return true;
}

static double mean_of(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += values[i];
    return sum / (double)n;
}

double piaa_metrics_pearson(const double *a, const double *b, size_t n) {
    if (n < 2 || has_nan(a, n) || has_nan(b, n) || is_constant(a, n) || is_constant(b, n))
        return NAN;
    double mean_a = mean_of(a, n), mean_b = mean_of(b, n), aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        double x = a[i] - mean_a, y = b[i] - mean_b;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return fmax(-1, fmin(1, ab / (sqrt(aa) * sqrt(bb))));
}

typedef struct ranked {
    double value;
    size_t index;
} ranked;

static int by_value(const void *left, const void *right) {
    double a = ((const ranked *)left)->value, b = ((const ranked *)right)->value;
    return (a > b) - (a < b);
}

bool piaa_metrics_ranks(const double *values, size_t n, double *ranks, piaa_error *error) {
    ranked *order = piaa_alloc_array(n, sizeof *order, error);
    if (!order) return false;
    for (size_t i = 0; i < n; i++) order[i] = (ranked){values[i], i};
    qsort(order, n, sizeof *order, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && order[end].value == order[i].value;) end++;
        for (size_t k = i; k < end; k++) ranks[order[k].index] = ((double)i + 1 + (double)end) / 2;
    }
    free(order);
    return true;
}

bool piaa_metrics_spearman(const double *a, const double *b, size_t n, double *out,
                           piaa_error *error) {
    *out = NAN;
    if (n < 2 || has_nan(a, n) || has_nan(b, n)) return true;
    double *ranks = piaa_alloc_array(2 * n, sizeof *ranks, error);
    if (!ranks) return false;
    bool ok = piaa_metrics_ranks(a, n, ranks, error) && piaa_metrics_ranks(b, n, ranks + n, error);
    if (ok) *out = piaa_metrics_pearson(ranks, ranks + n, n);
    free(ranks);
    return ok;
}

static double squared_error(const double *truth, const double *predicted, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
    return sum;
}

double piaa_metrics_r2(const double *truth, const double *predicted, size_t n) {
    if (n < 2) return NAN;
    double mean = mean_of(truth, n), total = 0, missed = squared_error(truth, predicted, n);
    for (size_t i = 0; i < n; i++) total += (truth[i] - mean) * (truth[i] - mean);
    if (total == 0 || is_constant(truth, n)) return missed == 0 ? 1 : isnan(missed) ? NAN : 0;
    return 1 - missed / total;
}

double piaa_metrics_rmse(const double *truth, const double *predicted, size_t n) {
    return n ? sqrt(squared_error(truth, predicted, n) / (double)n) : NAN;
}

double piaa_metrics_mae(const double *truth, const double *predicted, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += fabs(truth[i] - predicted[i]);
    return n ? sum / (double)n : NAN;
}
