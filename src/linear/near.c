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

#include "base/blas.h"
#include "base/memory.h"

#include <cblas.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS = 256,   /* standardised at a time */
    STRIP = 1 << 24, /* distances that are held at a time */
    SAMPLE = 450,    /* photos whose distances are sorted */
    STEPS = 60,      /* thresholds that are tried: the last one is 2e-5 of the first */
};

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

/* Distances, a strip of rows at a time: all pairs at once unless the photos are very many. */
typedef struct strips {
    const piaa_near *near;
    const float *x;
    const int64_t *rows;
    size_t n, height; /* rows of a strip */
    double *z;        /* [n][COLUMNS] */
    double *s;        /* [height][n] */
    double *length;   /* [n] squared */
    size_t held;      /* first row of the strip in s; n: none */
} strips;

static void free_strips(strips *w) {
    free(w->z);
    free(w->s);
    free(w->length);
}

/* Standardised columns from `column` on of the rows from `first` on, in z. */
static int standardise(const strips *w, size_t first, int column) {
    const piaa_near *near = w->near;
    int width = near->dim - column < COLUMNS ? near->dim - column : COLUMNS;
    const double *mean = near->mean + column, *inverse = near->inverse + column;
    double *z = w->z;
    for (size_t i = first; i < w->n; i++, z += width) {
        const float *row = row_of(w->x, w->rows, (int64_t)i, near->dim) + column;
        for (int j = 0; j < width; j++) z[j] = ((double)row[j] - mean[j]) * inverse[j];
    }
    return width;
}

static bool make_strips(strips *w, piaa_error *error) {
    w->height = STRIP / w->n < 1 ? 1 : STRIP / w->n < w->n ? STRIP / w->n : w->n;
    w->held = w->n;
    if (!(w->z = piaa_alloc_array(w->n * COLUMNS, sizeof *w->z, error)) ||
        !(w->s = piaa_alloc_array(w->height * w->n, sizeof *w->s, error)) ||
        !(w->length = piaa_alloc(w->n, sizeof *w->length, error)))
        return false;
    for (int column = 0; column < w->near->dim; column += COLUMNS) {
        int width = standardise(w, 0, column);
        for (size_t i = 0; i < w->n; i++)
            for (int j = 0; j < width; j++) {
                double value = w->z[i * (size_t)width + (size_t)j];
                w->length[i] += value * value;
            }
    }
    return true;
}

/* Makes s[i - first][j] the squared distance of rows i and j > i, for the rows of one strip; how
   many those are. */
static size_t fill(strips *w, size_t first) {
    size_t n = w->n, height = n - first < w->height ? n - first : w->height,
           rest = n - first - height;
    if (w->held == first) return height;
    w->held = first;
    double *corner = w->s + first;
    for (int column = 0; column < w->near->dim; column += COLUMNS) {
        int width = standardise(w, first, column);
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)height, width, 1, w->z, width,
                    column > 0, corner, (int)n);
        if (rest)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)height, (int)rest, width, 1,
                        w->z, width, w->z + height * (size_t)width, width, column > 0,
                        corner + height, (int)n);
    }
    for (size_t i = first; i < first + height; i++)
        for (size_t j = i + 1; j < n; j++) {
            double *pair = &w->s[(i - first) * n + j];
            *pair = fmax(0, w->length[i] + w->length[j] - 2 * *pair);
        }
    return height;
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The upper quartile of the squared distances between all rows of one strip. */
static bool upper_quartile(strips *w, double *out, piaa_error *error) {
    double *sorted = piaa_alloc_array(w->n * w->n, sizeof *sorted, error);
    size_t taken = 0;
    if (!sorted) return false;
    fill(w, 0);
    for (size_t i = 0; i < w->n; i++)
        for (size_t j = i + 1; j < w->n; j++) sorted[taken++] = w->s[i * w->n + j];
    qsort(sorted, taken, sizeof *sorted, ascending);
    *out = taken ? sorted[taken * 3 / 4] : 0;
    free(sorted);
    return true;
}

/* `typical`, squared: of photos spread over all where there are many. */
static bool typical_square(strips *w, double *out, piaa_error *error) {
    if (w->n <= SAMPLE) return upper_quartile(w, out, error);
    int64_t rows[SAMPLE];
    for (size_t i = 0; i < SAMPLE; i++) {
        size_t at = i * w->n / SAMPLE;
        rows[i] = w->rows ? w->rows[at] : (int64_t)at;
    }
    strips some = {.near = w->near, .x = w->x, .rows = rows, .n = SAMPLE};
    bool ok = make_strips(&some, error) && upper_quartile(&some, out, error);
    free_strips(&some);
    return ok;
}

/* Step 2 of the rule: the square of t. */
static double threshold(strips *w, double typical) {
    /* Pairs up to the k-th threshold, up to twice it, and up to four times; those up to all
       thresholds are in the last place. */
    double within[3][STEPS + 1] = {{0}}, least = 0, square = 0.3 * 0.3 * typical;
    const double step = log(25.0 / 36), scale = log(square);
    for (size_t i = 0; i < w->n; i++) least += smallest * w->length[i] / (double)w->n;
    for (size_t first = 0, height; first < w->n; first += height) {
        height = fill(w, first);
        for (size_t i = first; i < first + height; i++)
            for (size_t j = i + 1; j < w->n; j++) {
                double pair = w->s[(i - first) * w->n + j];
                if (pair > 16 * square) continue;
                double place = (log(pair) - scale) / step; /* thresholds that it is within */
                for (int k = 0; k < 3; k++, place -= log(4) / step)
                    if (place >= 0) within[k][(int)fmin(place, STEPS)]++;
            }
    }
    for (int k = 0; k < 3; k++)
        for (int i = STEPS; i-- > 0;) within[k][i] += within[k][i + 1];
    for (int i = 0; i < STEPS && square > least; i++, square *= 25.0 / 36) {
        double twice = within[1][i] - within[0][i], four_times = within[2][i] - within[0][i];
        if (twice * twice * 50 <= four_times * (double)w->n) return square;
    }
    return least;
}

static int64_t first_of(int64_t *group, int64_t i) {
    while (group[i] != i) i = group[i] = group[group[i]];
    return i;
}

static void link_pairs(piaa_near *near, strips *w) {
    for (size_t i = 0; i < w->n; i++) near->group[i] = (int64_t)i;
    for (size_t first = 0, height; first < w->n; first += height) {
        height = fill(w, first);
        for (size_t i = first; i < first + height; i++)
            for (size_t j = i + 1; j < w->n; j++) {
                if (w->s[(i - first) * w->n + j] > near->square) continue;
                int64_t a = first_of(near->group, (int64_t)i),
                        b = first_of(near->group, (int64_t)j);
                near->group[a > b ? a : b] = a < b ? a : b;
            }
    }
    for (size_t i = 0; i < w->n; i++) {
        near->group[i] = first_of(near->group, (int64_t)i);
        near->groups += near->group[i] == (int64_t)i;
    }
}

static bool find(piaa_near *near, strips *w, piaa_error *error) {
    double typical;
    if (!(near->group = piaa_alloc(w->n, sizeof *near->group, error)) ||
        !(near->mean = piaa_alloc((size_t)near->dim, sizeof *near->mean, error)) ||
        !(near->inverse = piaa_alloc((size_t)near->dim, sizeof *near->inverse, error)) ||
        !piaa_blas_room(1, error))
        return false;
    measure_columns(near, w->x, w->rows);
    if (!make_strips(w, error) || !typical_square(w, &typical, error)) return false;
    near->square = threshold(w, typical);
    link_pairs(near, w);
    return true;
}

piaa_near *piaa_near_find(const float *x, const int64_t *rows, int64_t n, int dim,
                          piaa_error *error) {
    piaa_near *near = piaa_alloc(1, sizeof *near, error);
    if (!near) return NULL;
    near->rows = n;
    near->dim = dim;
    strips w = {.near = near, .x = x, .rows = rows, .n = (size_t)n};
    bool ok = find(near, &w, error);
    free_strips(&w);
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

/* --------------------------------------------------------------------------------- many vectors */

/*
 * Nearly all pairs are far apart, and that is found cheaply, in single precision, in two sieves.
 *
 *   1. Orthonormal directions u_k: |a - b|^2 >= sum_k (u_k'a - u_k'b)^2, which is much of it where
 *      the u_k are directions in which the set is spread most.  They are the set's, from random
 *      sums of its rows, multiplied once by its covariance.
 *   2. The columns in turn, until the sum is too large.
 *
 * Of centred and scaled vectors each value is wrong by no more than a share `wrong` of itself, so
 * that a distance is by no more than wrong (|a| + |b|), with room for what sums round.  What passes
 * is compared again, exactly.  Of 40,000 photos of 2,560 numbers beside 100 rated ones
 * (bench/rank.c) the whole ranking takes 0.14 s, with the second sieve alone 0.24, without 0.83.
 */
enum {
    LANES = 16,
    STEP = 256,     /* columns between looks at the sum */
    DIRECTIONS = 8, /* at most: as many as the set has rows */
};
static const float wrong = 2e-5F, rounding = 1e-3F;

struct piaa_near_search {
    const piaa_near *near;
    const float *x;
    const int64_t *rows;
    size_t width;                /* dim, and zeros up to a multiple of STEP */
    float *mean, *inverse;       /* [width] */
    float *set, *vector;         /* [rows][width], [width]: centred and scaled */
    float *directions;           /* [DIRECTIONS][width], zeros where there are fewer */
    float *shadows;              /* [rows][DIRECTIONS] */
    float *lengths, square_root; /* [rows] |b|; that of near->square */
};

static float scale(const piaa_near_search *s, const float *from, float *to) {
    const size_t dim = (size_t)s->near->dim;
    float lanes[LANES] = {0}, square = 0;
    for (size_t j = 0; j < dim; j++) to[j] = (from[j] - s->mean[j]) * s->inverse[j];
    for (size_t j = 0; j < s->width; j += LANES)
        for (size_t k = 0; k < LANES; k++) lanes[k] += to[j + k] * to[j + k];
    for (size_t k = 0; k < LANES; k++) square += lanes[k];
    return sqrtf(square);
}

static void project(const piaa_near_search *s, const float *vector, float *to) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, DIRECTIONS, (int)s->width, 1, s->directions,
                (int)s->width, vector, 1, 0, to, 1);
}

/* Row i of the set counts in sum k with a sign of its own, of the bits of a fixed random number. */
static double sign(uint64_t i, int k) {
    const uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15U;
    return mixed >> (63 - 5 * k) & 1 ? 1 : -1;
}

static bool find_directions(piaa_near_search *s, piaa_error *error) {
    const size_t n = (size_t)s->near->rows, w = s->width;
    const int count = n < DIRECTIONS ? (int)n : DIRECTIONS;
    double *sums = piaa_alloc((size_t)count * w, sizeof *sums, error);
    if (!sums) return false;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < count; k++)
            for (size_t j = 0; j < w; j++)
                sums[(size_t)k * w + j] += sign(i, k) * (double)s->set[i * w + j];
    if (!piaa_blas_orthonormalise((int)w, count, sums, error)) {
        free(sums);
        return false;
    }
    for (size_t j = 0; j < (size_t)count * w; j++) s->directions[j] = (float)sums[j];
    memset(sums, 0, (size_t)count * w * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        project(s, s->set + i * w, s->shadows + i * DIRECTIONS);
        for (int k = 0; k < count; k++)
            for (size_t j = 0; j < w; j++)
                sums[(size_t)k * w + j] +=
                    (double)s->shadows[i * DIRECTIONS + (size_t)k] * (double)s->set[i * w + j];
    }
    const bool ok = piaa_blas_orthonormalise((int)w, count, sums, error);
    for (size_t j = 0; ok && j < (size_t)count * w; j++) s->directions[j] = (float)sums[j];
    free(sums);
    return ok;
}

static bool fill_search(piaa_near_search *s, piaa_error *error) {
    const size_t n = (size_t)s->near->rows, dim = (size_t)s->near->dim, w = s->width;
    if (!(s->mean = piaa_alloc(w, sizeof *s->mean, error)) ||
        !(s->inverse = piaa_alloc(w, sizeof *s->inverse, error)) ||
        !(s->vector = piaa_alloc(w, sizeof *s->vector, error)) ||
        !(s->directions = piaa_alloc(DIRECTIONS * w, sizeof *s->directions, error)) ||
        !(s->shadows = piaa_alloc(DIRECTIONS * n, sizeof *s->shadows, error)) ||
        !(s->lengths = piaa_alloc(n, sizeof *s->lengths, error)) ||
        !(s->set = piaa_alloc(n * w, sizeof *s->set, error)))
        return false;
    for (size_t j = 0; j < dim; j++) {
        s->mean[j] = (float)s->near->mean[j];
        s->inverse[j] = (float)s->near->inverse[j];
    }
    for (size_t i = 0; i < n; i++)
        s->lengths[i] = scale(s, row_of(s->x, s->rows, (int64_t)i, s->near->dim), s->set + i * w);
    if (!find_directions(s, error)) return false;
    for (size_t i = 0; i < n; i++) project(s, s->set + i * w, s->shadows + i * DIRECTIONS);
    return true;
}

piaa_near_search *piaa_near_search_new(const piaa_near *near, const float *x, const int64_t *rows,
                                       piaa_error *error) {
    piaa_near_search *s = piaa_alloc(1, sizeof *s, error);
    if (!s) return NULL;
    *s = (piaa_near_search){.near = near,
                            .x = x,
                            .rows = rows,
                            .width = ((size_t)near->dim + STEP - 1) / STEP * STEP,
                            .square_root = (float)sqrt(near->square)};
    if (fill_search(s, error)) return s;
    piaa_near_search_free(s);
    return NULL;
}

void piaa_near_search_free(piaa_near_search *s) {
    if (!s) return;
    free(s->mean);
    free(s->inverse);
    free(s->vector);
    free(s->directions);
    free(s->shadows);
    free(s->lengths);
    free(s->set);
    free(s);
}

static bool is_far(const float *a, const float *b, size_t width, float square) {
    float lanes[LANES] = {0};
    for (size_t j = 0; j < width; j += STEP) {
        for (size_t i = j; i < j + STEP; i += LANES)
            for (size_t k = 0; k < LANES; k++) {
                const float apart = a[i + k] - b[i + k];
                lanes[k] += apart * apart;
            }
        float sum = 0;
        for (size_t k = 0; k < LANES; k++) sum += lanes[k];
        if (sum > square) return true;
    }
    return false;
}

static bool shadows_are_far(const float *a, const float *b, float square) {
    float lanes[DIRECTIONS], sum = 0;
    for (size_t k = 0; k < DIRECTIONS; k++) lanes[k] = (a[k] - b[k]) * (a[k] - b[k]);
    for (size_t k = 0; k < DIRECTIONS; k++) sum += lanes[k];
    return sum > square;
}

int64_t piaa_near_search_find(piaa_near_search *s, const float *vector, int64_t *found) {
    const float length = scale(s, vector, s->vector);
    float shadow[DIRECTIONS];
    int64_t count = 0;
    project(s, s->vector, shadow);
    for (int64_t i = 0; i < s->near->rows; i++) {
        const float most = s->square_root + wrong * (length + s->lengths[i]),
                    square = most * most * (1 + rounding);
        if (shadows_are_far(shadow, s->shadows + (size_t)i * DIRECTIONS, square) ||
            is_far(s->vector, s->set + (size_t)i * s->width, s->width, square))
            continue;
        if (piaa_near_same(s->near, vector, row_of(s->x, s->rows, i, s->near->dim)))
            found[count++] = i;
    }
    return count;
}
