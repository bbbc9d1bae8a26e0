/* Mean and standard deviation by the corrected two-pass algorithm (Chan, Golub, LeVeque 1983), on
 * differences from the first row, so that a constant column has variance exactly 0.  Each pass goes
 * through the rows once, in their order, so that they may come from a disk. */
#include "linear/columns.h"

#include "base/memory.h"
#include "linear/loops.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Columns that are measured at a time, for so many rows: what is summed stays in one cache, and the
   rows in the next. */
enum { TILE = 512, ROWS = 64 };

static const float *row_of(const piaa_band *band, int64_t i) {
    return band->x + (size_t)(band->rows ? band->rows[i] : i) * (size_t)band->stride;
}

static bool report_not_finite(const piaa_columns *c, int block, piaa_error *error) {
    const piaa_band *band = &c->bands[block];
    for (int64_t i = 0; i < c->n; i++)
        for (int j = 0; j < band->dim; j++) {
            float value = row_of(band, i)[j];
            if (isfinite(value)) continue;
            piaa_error_set(error, PIAA_FORMAT,
                           "features, row %lld, column %d (from 0): %g is not a finite number; "
                           "leave that row out or make its features again",
                           (long long)(band->rows ? band->rows[i] : i), j, (double)value);
            return c->count > 1 ? piaa_error_prefix(error, "block %d (from 0)", block) : false;
        }
    return piaa_error_set(error, PIAA_FORMAT, "the features changed while they were being read");
}

/* Calls add for tiles of each column once, rows in their order. */
static void each_tile(int64_t n, size_t dim,
                      void (*add)(void *user, int64_t row, size_t left, size_t width), void *user) {
    for (int64_t first = 0; first < n; first += ROWS)
        for (size_t left = 0; left < dim; left += TILE)
            for (int64_t i = first; i < n && i < first + ROWS; i++)
                add(user, i, left, dim - left < TILE ? dim - left : TILE);
}

/* What is measured of a block. */
typedef struct measured {
    const piaa_band *band;
    const piaa_loops *loops;
    const float *origin;
    double *mean, *squares, *drift;
} measured;

static void add_to_mean(void *user, int64_t row, size_t left, size_t width) {
    const measured *m = user;
    m->loops->add(m->mean + left, row_of(m->band, row) + left, m->origin + left, width);
}

static void add_to_squares(void *user, int64_t row, size_t left, size_t width) {
    const measured *m = user;
    m->loops->deviate(m->squares + left, m->drift + left, row_of(m->band, row) + left,
                      m->mean + left, width);
}

/* One block, whose columns begin at `at` of all. */
static bool measure(piaa_columns *c, int block, size_t at, piaa_error *error) {
    const piaa_band *band = &c->bands[block];
    size_t d = (size_t)band->dim;
    double n = (double)c->n, *mean = c->mean + at, *squares = c->scale + at,
           *drift = c->inverse + at, check = 0;
    measured m = {band, piaa_loops_here(), row_of(band, 0), mean, squares, drift};
    each_tile(c->n, d, add_to_mean, &m);
    for (size_t j = 0; j < d; j++) {
        mean[j] = (double)m.origin[j] + mean[j] / n;
        check += mean[j] * 0; /* NaN if any is NaN or infinite */
    }
    each_tile(c->n, d, add_to_squares, &m);
    if (check != 0) return report_not_finite(c, block, error);
    for (size_t j = 0; j < d; j++) {
        double variance = (squares[j] - drift[j] * drift[j] / n) / n,
               rounding = n * mean[j] * DBL_EPSILON;
        bool constant = variance <= n * DBL_EPSILON * variance + rounding * rounding;
        squares[j] = constant ? 1 : sqrt(variance);
        drift[j] = constant ? 0 : 1 / squares[j];
    }
    return true;
}

static bool make(piaa_columns *c, const piaa_band *bands, piaa_error *error) {
    if (!(c->bands = piaa_alloc((size_t)c->count, sizeof *c->bands, error))) return false;
    for (int k = 0; k < c->count; k++) {
        c->bands[k] = bands[k];
        if (!bands[k].stride) c->bands[k].stride = bands[k].dim;
        c->dim += bands[k].dim;
    }
    const size_t d = (size_t)c->dim;
    if (!(c->mean = piaa_alloc(3 * d, sizeof *c->mean, error))) return false;
    c->scale = c->mean + d;
    c->inverse = c->scale + d;
    size_t at = 0;
    for (int k = 0; k < c->count; k++) {
        if (!measure(c, k, at, error)) return false;
        at += (size_t)bands[k].dim;
    }
    return true;
}

piaa_columns *piaa_columns_new(const piaa_band *bands, int count, int64_t n, piaa_error *error) {
    piaa_columns *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    c->count = count;
    c->n = n;
    if (make(c, bands, error)) return c;
    piaa_columns_free(c);
    return NULL;
}

void piaa_columns_free(piaa_columns *c) {
    if (!c) return;
    free(c->bands);
    free(c->mean);
    free(c);
}

void piaa_columns_scale(const piaa_columns *c, const double *inverse, int64_t first, int64_t count,
                        int left, int width, double *z) {
    const piaa_loops *loops = piaa_loops_here();
    int begin = 0; /* of the block, among all columns */
    for (int k = 0; k < c->count; begin += c->bands[k++].dim) {
        const piaa_band *band = &c->bands[k];
        const int from = left > begin ? left : begin,
                  end = begin + band->dim < left + width ? begin + band->dim : left + width;
        if (from >= end) continue;
        const double *mean = c->mean + from, *by = inverse + from;
        const size_t here = (size_t)(end - from);
        for (int64_t i = 0; i < count; i++) {
            const float *x = row_of(band, first + i) + (from - begin);
            loops->scale(z + (size_t)i * (size_t)width + (size_t)(from - left), x, mean, by, here);
        }
    }
}

void piaa_columns_standardise(const piaa_columns *c, int64_t first, int64_t count, int left,
                              int width, double *z) {
    piaa_columns_scale(c, c->inverse, first, count, left, width, z);
}
