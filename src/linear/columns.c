/* Mean and standard deviation by the corrected two-pass algorithm (Chan, Golub, LeVeque 1983), on
 * differences from the first row, so that a constant column has variance exactly 0. */
#include "linear/columns.h"

#include "base/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

const float *piaa_columns_row(const piaa_columns *c, int64_t i) {
    return c->x + (size_t)(c->rows ? c->rows[i] : i) * (size_t)c->stride;
}

static bool report_not_finite(const piaa_columns *c, piaa_error *error) {
    for (int64_t i = 0; i < c->n; i++)
        for (int j = 0; j < c->dim; j++) {
            float value = piaa_columns_row(c, i)[j];
            if (isfinite(value)) continue;
            return piaa_error_set(error, PIAA_FORMAT,
                                  "features, row %lld, column %d (from 0): %g is not a finite "
                                  "number; leave that row out or "
                                  "make its features again",
                                  (long long)(c->rows ? c->rows[i] : i), j, (double)value);
        }
    return piaa_error_set(error, PIAA_FORMAT, "the features changed while they were being read");
}

static bool measure(piaa_columns *c, piaa_error *error) {
    size_t d = (size_t)c->dim;
    double n = (double)c->n, *mean = c->mean, *squares = c->scale, *drift = c->inverse;
    const float *origin = piaa_columns_row(c, 0);
    for (int64_t i = 0; i < c->n; i++) {
        const float *x = piaa_columns_row(c, i);
        for (size_t j = 0; j < d; j++) mean[j] += (double)x[j] - (double)origin[j];
    }
    double check = 0;
    for (size_t j = 0; j < d; j++) {
        mean[j] = (double)origin[j] + mean[j] / n;
        check += mean[j] * 0; /* NaN if any is NaN or infinite */
    }
    if (check != 0) return report_not_finite(c, error);
    for (int64_t i = 0; i < c->n; i++) {
        const float *x = piaa_columns_row(c, i);
        for (size_t j = 0; j < d; j++) {
            double deviation = (double)x[j] - mean[j];
            squares[j] += deviation * deviation;
            drift[j] += deviation;
        }
    }
    for (size_t j = 0; j < d; j++) {
        double variance = (squares[j] - drift[j] * drift[j] / n) / n,
               rounding = n * mean[j] * DBL_EPSILON;
        bool constant = variance <= n * DBL_EPSILON * variance + rounding * rounding;
        c->scale[j] = constant ? 1 : sqrt(variance);
        c->inverse[j] = constant ? 0 : 1 / c->scale[j];
    }
    return true;
}

bool piaa_columns_measure(piaa_columns *c, piaa_error *error) {
    size_t d = (size_t)c->dim;
    if ((c->mean = piaa_alloc(d, sizeof(double), error)) &&
        (c->scale = piaa_alloc(d, sizeof(double), error)) &&
        (c->inverse = piaa_alloc(d, sizeof(double), error)) && measure(c, error))
        return true;
    piaa_columns_clear(c);
    return false;
}

void piaa_columns_clear(piaa_columns *c) {
    free(c->mean);
    free(c->scale);
    free(c->inverse);
    c->mean = c->scale = c->inverse = NULL;
}

void piaa_columns_standardise(const piaa_columns *c, int64_t first, int64_t count, int left,
                              int width, double *z) {
    const double *mean = c->mean + left, *inverse = c->inverse + left;
    for (int64_t i = 0; i < count; i++, z += width) {
        const float *x = piaa_columns_row(c, first + i) + left;
        for (size_t j = 0; j < (size_t)width; j++) z[j] = ((double)x[j] - mean[j]) * inverse[j];
    }
}
