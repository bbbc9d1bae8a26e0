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
#include "linear/loops.h"

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
    if (near->rows > PIAA_NEAR_MOST) {
        near->square = -1;
        near->groups = near->rows;
        for (int64_t i = 0; i < near->rows; i++) near->group[i] = i;
        return true;
    }
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
 * What passes is compared again, exactly, so a sieve has only to let through every near copy.  The
 * second is wrong by roundings of differences, far less than `room`.  In the first a and b are raw
 * rows and the scale is in the directions.  A sum of `dim` products is wrong by at most
 * g = (dim / 16 + 20) epsilon of the sum of their sizes, which is at most the length |a| of the row
 * in standard deviations, its mean included; of a copy of b,  |a| <= |b| + t.  So what a near copy
 * has between the two shadows is at most  t + sqrt(8) g (2 |b| + t),  the limit of b.  Columns
 * whose mean is a thousand times their spread would make that large, and cast no shadow.
 */
enum {
    STEP = 256,     /* columns between looks at the sum */
    DIRECTIONS = 8, /* at most: as many as the set has rows */
};
static const float room = 1e-3F;
static const double steady = 1e3; /* means, in standard deviations */

struct piaa_near_search {
    const piaa_near *near;
    const float *x;
    const int64_t *rows;
    size_t points;     /* rows of the set, and more up to a multiple of PIAA_LOOPS_POINTS */
    float *inverse;    /* [dim] 0 where float32 does not hold it: distances only get shorter */
    float *directions; /* [DIRECTIONS][dim] of raw rows; zeros where there are fewer */
    float *shadows;    /* [DIRECTIONS][points] */
    float *limits;     /* [points] squared; those that are no row's let nothing through */
};

/* Row i of the set counts in sum k with a sign of its own, of the bits of a fixed random number. */
static double sign(uint64_t i, int k) {
    const uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15U;
    return mixed >> (63 - 5 * k) & 1 ? 1 : -1;
}

/* Row i of the set in standard deviations of the columns that cast a shadow, from their means. */
static void scale_row(const piaa_near_search *s, int64_t i, double *out) {
    const piaa_near *near = s->near;
    const float *row = row_of(s->x, s->rows, i, near->dim);
    for (int j = 0; j < near->dim; j++)
        out[j] = fabs(near->mean[j]) * near->inverse[j] > steady
                     ? 0
                     : ((double)row[j] - near->mean[j]) * (double)s->inverse[j];
}

/* Orthonormal u [count][dim]; z [dim] is scratch. */
static bool find_directions(const piaa_near_search *s, int count, double *u, double *sums,
                            double *z, piaa_error *error) {
    const int64_t n = s->near->rows;
    const int dim = s->near->dim;
    for (int64_t i = 0; i < n; i++) {
        scale_row(s, i, z);
        for (int k = 0; k < count; k++)
            cblas_daxpy(dim, sign((uint64_t)i, k), z, 1, u + (size_t)k * (size_t)dim, 1);
    }
    if (!piaa_blas_orthonormalise(dim, count, u, error)) return false;
    for (int64_t i = 0; i < n; i++) {
        scale_row(s, i, z);
        for (int k = 0; k < count; k++) {
            const size_t at = (size_t)k * (size_t)dim;
            cblas_daxpy(dim, cblas_ddot(dim, u + at, 1, z, 1), z, 1, sums + at, 1);
        }
    }
    memcpy(u, sums, (size_t)count * (size_t)dim * sizeof *u);
    return piaa_blas_orthonormalise(dim, count, u, error);
}

static bool make_directions(piaa_near_search *s, piaa_error *error) {
    const piaa_near *near = s->near;
    const size_t dim = (size_t)near->dim;
    int64_t count = near->rows < DIRECTIONS ? near->rows : DIRECTIONS;
    if (count > near->dim) count = near->dim;
    const size_t size = (size_t)count * dim;
    double *u = piaa_alloc(2 * size + dim, sizeof *u, error);
    const bool ok = u && find_directions(s, (int)count, u, u + size, u + 2 * size, error);
    for (size_t i = 0; ok && i < size; i++) {
        const size_t j = i % dim;
        const bool still = fabs(near->mean[j]) * near->inverse[j] > steady;
        s->directions[i] = still ? 0 : (float)(u[i] * (double)s->inverse[j]);
    }
    free(u);
    return ok;
}

/* |b| of row i: its mean is part of it. */
static double raw_length(const piaa_near_search *s, int64_t i) {
    const float *row = row_of(s->x, s->rows, i, s->near->dim);
    double square = 0;
    for (int j = 0; j < s->near->dim; j++) {
        if (fabs(s->near->mean[j]) * s->near->inverse[j] > steady) continue;
        const double value = (double)row[j] * (double)s->inverse[j];
        square += value * value;
    }
    return sqrt(square);
}

/* Shadows [PIAA_LOOPS_ROWS][DIRECTIONS] of raw rows. */
static void cast_shadows(const piaa_near_search *s, const float *const *x, float *out) {
    const size_t dim = (size_t)s->near->dim;
    enum { ONCE = 4 };
    for (size_t first = 0; first < DIRECTIONS; first += ONCE) {
        float some[PIAA_LOOPS_ROWS][ONCE];
        piaa_loops_here()->project(some[0], x, s->directions + first * dim, dim, dim);
        for (size_t r = 0; r < PIAA_LOOPS_ROWS; r++)
            memcpy(out + r * DIRECTIONS + first, some[r], sizeof some[r]);
    }
}

static void place_rows(piaa_near_search *s) {
    const int64_t n = s->near->rows;
    const double t = sqrt(s->near->square),
                 g = ((double)s->near->dim / PIAA_LOOPS_POINTS + 20) * (double)FLT_EPSILON;
    for (size_t i = 0; i < s->points; i++) s->limits[i] = -1;
    for (int64_t i = 0; i < n; i++) {
        const float *row = row_of(s->x, s->rows, i, s->near->dim);
        float shadow[PIAA_LOOPS_ROWS][DIRECTIONS];
        cast_shadows(s, (const float *const[PIAA_LOOPS_ROWS]){row, row, row, row}, shadow[0]);
        for (size_t k = 0; k < DIRECTIONS; k++)
            s->shadows[k * s->points + (size_t)i] = shadow[0][k];
        const double most = t + sqrt(DIRECTIONS) * g * (2 * raw_length(s, i) + t);
        s->limits[i] = (float)(most * most) * (1 + room);
    }
}

static bool fill_search(piaa_near_search *s, piaa_error *error) {
    const size_t dim = (size_t)s->near->dim;
    if (!(s->inverse = piaa_alloc(dim, sizeof *s->inverse, error)) ||
        !(s->directions = piaa_alloc(DIRECTIONS * dim, sizeof *s->directions, error)) ||
        !(s->shadows = piaa_alloc(DIRECTIONS * s->points, sizeof *s->shadows, error)) ||
        !(s->limits = piaa_alloc(s->points, sizeof *s->limits, error)))
        return false;
    for (size_t j = 0; j < dim; j++) {
        const double inverse = s->near->inverse[j];
        s->inverse[j] = inverse > 1e-30 && inverse < 1e30 ? (float)inverse : 0;
    }
    if (!make_directions(s, error)) return false;
    place_rows(s);
    return true;
}

piaa_near_search *piaa_near_search_new(const piaa_near *near, const float *x, const int64_t *rows,
                                       piaa_error *error) {
    piaa_near_search *s = piaa_alloc(1, sizeof *s, error);
    if (!s) return NULL;
    *s = (piaa_near_search){.near = near, .x = x, .rows = rows};
    s->points =
        ((size_t)near->rows + PIAA_LOOPS_POINTS - 1) / PIAA_LOOPS_POINTS * PIAA_LOOPS_POINTS;
    if (fill_search(s, error)) return s;
    piaa_near_search_free(s);
    return NULL;
}

void piaa_near_search_free(piaa_near_search *s) {
    if (!s) return;
    free(s->inverse);
    free(s->directions);
    free(s->shadows);
    free(s->limits);
    free(s);
}

bool piaa_near_found_open(piaa_near_found *found, const piaa_near_search *s, piaa_error *error) {
    *found = (piaa_near_found){.rows = piaa_alloc_array(s->points, sizeof(int64_t), error),
                               .squares = piaa_alloc_array(s->points, sizeof(float), error)};
    if (found->rows && found->squares) return true;
    piaa_near_found_close(found);
    return false;
}

void piaa_near_found_close(piaa_near_found *found) {
    free(found->rows);
    free(found->squares);
    *found = (piaa_near_found){0};
}

static bool is_far(const piaa_near_search *s, const float *a, const float *b) {
    const piaa_loops *loops = piaa_loops_here();
    const size_t dim = (size_t)s->near->dim;
    const float most = (float)s->near->square * (1 + room);
    float square = 0;
    for (size_t j = 0; j < dim && !(square > most); j += STEP)
        square += loops->apart(a + j, b + j, s->inverse + j, dim - j < STEP ? dim - j : STEP);
    return square > most;
}

/* The rows that one with this shadow is near to. */
static int64_t find_near(const piaa_near_search *s, const float *vector, const float *shadow,
                         piaa_near_found *found) {
    int64_t *rows = found->rows, count = 0;
    const size_t candidates = piaa_loops_here()->within(rows, found->squares, shadow, s->shadows,
                                                        s->limits, DIRECTIONS, s->points);
    for (size_t c = 0; c < candidates && rows[c] < s->near->rows; c++) {
        const float *row = row_of(s->x, s->rows, rows[c], s->near->dim);
        if (!is_far(s, vector, row) && piaa_near_same(s->near, vector, row))
            rows[count++] = rows[c];
    }
    return count;
}

int64_t piaa_near_search_find(const piaa_near_search *s, const float *vector,
                              piaa_near_found *found) {
    float shadows[PIAA_LOOPS_ROWS][DIRECTIONS];
    const float *const vectors[PIAA_LOOPS_ROWS] = {vector, vector, vector, vector};
    cast_shadows(s, vectors, shadows[0]);
    return find_near(s, vector, shadows[0], found);
}

void piaa_near_search_each(const piaa_near_search *s, const float *const *vectors,
                           piaa_near_found *found, bool *near) {
    float shadows[PIAA_LOOPS_ROWS][DIRECTIONS];
    cast_shadows(s, vectors, shadows[0]);
    for (size_t r = 0; r < PIAA_LOOPS_ROWS; r++)
        near[r] = find_near(s, vectors[r], shadows[r], found) > 0;
}
