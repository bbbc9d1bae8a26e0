/*
 * Near copies, by distance.
 *
 * Columns are standardised as the ridge standardises them, so that two photos are as near as it
 * takes them to be.  A near copy of a photo lies at a small fraction of the distance between
 * unrelated photos, whatever the model and the number of its dimensions; what is small enough
 * depends on how likely unrelated photos are to come so close, and that on how many directions the
 * features really use and on the number of pairs.  So, with `typical` the upper quartile of all
 * distances (copies are few among the pairs: three quarters of them are from different groups
 * unless one group holds more than 86 % of the photos):
 *
 *   1. The threshold t begins at 0.3 of `typical`.
 *   2. The number of pairs of unrelated photos below t is extrapolated.  In k directions the number
 *      below a distance grows like its k-th power, so that from the pairs between t and 2t, and
 *      between t and 4t, it is about  N(t, 2t)^2 / N(t, 4t).  Where that is more than one for fifty
 *      photos, t is made a sixth smaller, and so on.
 *   3. Pairs within t are near copies, and so are near copies of near copies (single linkage).
 *
 * Equal vectors are near copies always.  Two different photos alone are never: there is nothing to
 * compare their distance with.  docs/statistics.md has what is found and what is taken for a copy
 * wrongly.
 */
#include "linear/near.h"

#include "base/memory.h"
#include "linear/blas.h"

#include <cblas.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 256 /* standardised at a time */, SAMPLE = 100000 /* pairs that are sorted */ };

/* Squared distances are small differences of large numbers: below this share of the squared length
   of a row they are 0. */
static const double smallest = 1e-10;

static const float *row_of(const float *x, const int64_t *rows, int64_t i, int dim) {
    return x + (size_t)(rows ? rows[i] : i) * (size_t)dim;
}

static void measure_columns(piaa_near *near, const float *x, const int64_t *rows) {
    size_t d = (size_t)near->dim;
    double n = (double)near->rows, *mean = near->mean, *squares = near->inverse;
    for (int64_t i = 0; i < near->rows; i++) {
        const float *row = row_of(x, rows, i, near->dim);
        for (size_t j = 0; j < d; j++) mean[j] += (double)row[j];
    }
    for (size_t j = 0; j < d; j++) mean[j] /= n;
    for (int64_t i = 0; i < near->rows; i++) {
        const float *row = row_of(x, rows, i, near->dim);
        for (size_t j = 0; j < d; j++)
            squares[j] += ((double)row[j] - mean[j]) * ((double)row[j] - mean[j]);
    }
    for (size_t j = 0; j < d; j++) {
        double rounding = n * mean[j] * DBL_EPSILON, variance = squares[j] / n;
        near->inverse[j] = variance > rounding * rounding ? 1 / sqrt(variance) : 0;
    }
}

/* Squared distances into the upper triangle of s [n][n]. */
static void measure_pairs(const piaa_near *near, const float *x, const int64_t *rows, double *z,
                          double *s) {
    size_t n = (size_t)near->rows;
    for (int first = 0; first < near->dim; first += COLUMNS) {
        int width = near->dim - first < COLUMNS ? near->dim - first : COLUMNS;
        for (size_t i = 0; i < n; i++) {
            const float *row = row_of(x, rows, (int64_t)i, near->dim) + first;
            const double *mean = near->mean + first, *inverse = near->inverse + first;
            for (int j = 0; j < width; j++)
                z[i * (size_t)width + (size_t)j] = ((double)row[j] - mean[j]) * inverse[j];
        }
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)n, width, 1, z, width, first > 0,
                    s, (int)n);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            s[i * n + j] = fmax(0, s[i * n + i] + s[j * n + j] - 2 * s[i * n + j]);
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The upper quartile of the squared distances, of every step-th pair where there are many. */
static bool typical_square(const double *s, size_t n, double *out, piaa_error *error) {
    size_t pairs = n * (n - 1) / 2, step = pairs / SAMPLE + 1, taken = 0, at = 0;
    double *some = piaa_alloc_array(pairs / step + 1, sizeof *some, error);
    if (!some) return false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            if (at++ % step == 0) some[taken++] = s[i * n + j];
    qsort(some, taken, sizeof *some, ascending);
    *out = taken ? some[taken * 3 / 4] : 0;
    free(some);
    return true;
}

/* Step 2 of the rule: the square of t. */
static double threshold(const double *s, size_t n, double typical) {
    double square = 0.3 * 0.3 * typical, least = 0;
    for (size_t i = 0; i < n; i++) least += smallest * s[i * n + i] / (double)n;
    for (; square > least; square *= 25.0 / 36) {
        double twice = 0, four_times = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t j = i + 1; j < n; j++) {
                double pair = s[i * n + j];
                twice += pair > square && pair <= 4 * square;
                four_times += pair > square && pair <= 16 * square;
            }
        if (twice * twice * 50 <= four_times * (double)n) return square;
    }
    return least;
}

static int64_t first_of(int64_t *group, int64_t i) {
    while (group[i] != i) i = group[i] = group[group[i]];
    return i;
}

static void link_pairs(piaa_near *near, const double *s) {
    size_t n = (size_t)near->rows;
    for (size_t i = 0; i < n; i++) near->group[i] = (int64_t)i;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            if (s[i * n + j] > near->square) continue;
            int64_t a = first_of(near->group, (int64_t)i), b = first_of(near->group, (int64_t)j);
            near->group[a > b ? a : b] = a < b ? a : b;
        }
    for (size_t i = 0; i < n; i++) {
        near->group[i] = first_of(near->group, (int64_t)i);
        near->groups += near->group[i] == (int64_t)i;
    }
}

piaa_near *piaa_near_find(const float *x, const int64_t *rows, int64_t n, int dim,
                          piaa_error *error) {
    piaa_near *near = piaa_alloc(1, sizeof *near, error);
    if (!near) return NULL;
    size_t count = (size_t)n, d = (size_t)dim;
    near->rows = n;
    near->dim = dim;
    double *s = piaa_alloc_array(count * count, sizeof *s, error),
           *z = s ? piaa_alloc_array(count * COLUMNS, sizeof *z, error) : NULL, typical = 0;
    bool ok = z && (near->group = piaa_alloc(count, sizeof *near->group, error)) &&
              (near->mean = piaa_alloc(d, sizeof(double), error)) &&
              (near->inverse = piaa_alloc(d, sizeof(double), error)) && piaa_blas_room(1, error);
    if (ok) {
        measure_columns(near, x, rows);
        measure_pairs(near, x, rows, z, s);
        ok = typical_square(s, count, &typical, error);
    }
    if (ok) {
        near->square = threshold(s, count, typical);
        link_pairs(near, s);
    }
    free(s);
    free(z);
    if (ok) return near;
    piaa_near_free(near);
    return NULL;
}

void piaa_near_free(piaa_near *near) {
    if (!near) return;
    free(near->group);
    free(near->mean);
    free(near->inverse);
    free(near);
}

/* Most pairs are told apart by their first few columns. */
bool piaa_near_same(const piaa_near *near, const float *a, const float *b) {
    double square = 0;
    for (int first = 0; first < near->dim && square <= near->square; first += 32)
        for (int j = first; j < near->dim && j < first + 32; j++) {
            double apart = ((double)a[j] - (double)b[j]) * near->inverse[j];
            square += apart * apart;
        }
    return square <= near->square;
}
