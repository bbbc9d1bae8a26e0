/*
 * Ridge regression and its leave-one-out errors from one orthogonal reduction of a symmetric
 * matrix.
 *
 * Let Z [n, d] be the standardised design matrix (columns of mean 0) and y the centred target.
 * Ridge minimises |y - Zw|^2 + a|w|^2:
 *
 *     w = (Z'Z + aI)^-1 Z'y = Z'c,    c = (ZZ' + aI)^-1 y,    and  a c = y - Zw,  the residual.
 *
 * Leaving row i out and fitting again, intercept included, changes its residual to  e_i = (a c_i) /
 * (1 - 1/n - h_i),  where h_i = z_i'(Z'Z + aI)^-1 z_i is the row's leverage (Rifkin and Lippert,
 * "Notes on regularized least squares", MIT-CSAIL-TR-2007-025).
 *
 * Both need the inverse of a symmetric matrix plus a, for many a.  With the matrix = Q T Q', T
 * tridiagonal, T + a = L D L' costs O(size) for each alpha, and so does every solution and every
 * leverage: with p a row of ZQ or of Q, y = L^-1 p gives p'(T + a)^-1 p = sum_k y_k^2 / D_k.
 * Eigenvectors would say no more and cost twice as much.
 *
 * Tall (n > d).  Z'Z = Q T Q', so with P = ZQ:  w = Q (T + a)^-1 Q'Z'y  and  h_i = p_i'(T + a)^-1
 * p_i.  Z is never held: blocks of rows are standardised from float32 as they are needed.
 *
 * Wide (n <= d).  ZZ' = Q T Q',  c = Q (T + a)^-1 Q'y,  and  1 - h_i = a q_i'(T + a)^-1 q_i
 * without a difference of nearly equal numbers. The 1/n of the slack would bring one back: it
 * belongs to the vector of ones, whose eigenvalue in ZZ' is 0, centring having taken it away.
 * Adding s/n to every entry of ZZ' makes that eigenvalue s and leaves the rest alone.  With s twice
 * the trace it is beyond all others, and
 *     1 - 1/n - h_i = a q_i'(T + a)^-1 q_i - a / (n (s + a))
 * takes away at most about half.
 *
 * Only the leverages need the alphas and no targets: they are kept for the list that was asked for
 * last, of as many rows as there is room for; of more rows they are made anew in every pass.  So
 * what tall data takes beside d x d numbers does not grow with n, but for what is asked of each
 * row.
 *
 * Leaving out several rows at once needs the same slack as a matrix, S = I - 11'/n - H, whose
 * diagonal stands in the denominator above: with P the coordinates q_i or p_i of the rows in
 * question as columns and W = D^-1/2 L^-1 P,  W'W = P'(T + a)^-1 P  (leave_out.c goes on from
 * there).
 *
 * Threads.  Strips of the matrix, and in tall data blocks of rows of P, are jobs of their own.  The
 * strips are the same for any number of threads, and so is every sum.
 */
#include "linear/ridge.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "linear/columns.h"
#include "linear/loops.h"

#include <cblas.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 1 << 19, /* numbers in a block of rows of Z (or of P): 4 MiB each */
    LANES = 8,       /* rows that are worked on abreast */
    STRIP = 256,     /* rows of the symmetric matrix that are made in one job */
    SLACK = 1 << 23, /* numbers of slack that are kept: 64 MiB */
};

struct piaa_ridge_design {
    const piaa_columns *columns; /* NULL: no more than the products of rows are known */
    piaa_columns *own;           /* the same where they are the design's, and their rows */
    int64_t *rows;
    double *inverse; /* [columns->dim] 1 / scale times the block's factor; NULL: 1 / scale */
    double *told;    /* [n][told_width] columns behind these, as they are */
    int told_width;
    int64_t n;
    int dim, threads; /* dim: of all columns */
    bool wide;

    int side;                  /* of the matrix: n (wide) or dim (tall) */
    double *diagonal, *beside; /* T: [side], [side - 1] */
    double *basis;             /* [side][side] the columns of Q, as rows */
    double ones;               /* wide: the eigenvalue s of the vector of ones */

    double *z; /* [block][dim] the standardised rows first .. first + held - 1 */
    int64_t block, first, held;

    double *alphas; /* [alpha_count] the list that slack is for */
    int alpha_count;
    double *slack; /* [slack_rows][alpha_count] 1 - 1/n - h_i of the rows from slack_first on: of
                      all of them unless they are very many */
    int64_t slack_first, slack_rows, slack_room;
    double *lower, *pivots; /* [side][alpha_count] L beside its diagonal, and D */
};

const double piaa_ridge_alphas[PIAA_RIDGE_ALPHAS] = {
    0.001, 0.0031622776601683794, 0.01, 0.03162277660168379, 0.1, 0.31622776601683794,
    1,     3.1622776601683795,    10,   31.622776601683793,  100, 316.2277660168379,
    1000};

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* -------------------------------------------------------------------------------- factorising */

/* The columns from `left` on of the standardised rows first .. first + count - 1, in z
   [count][width]. */
static void standardise(const piaa_ridge_design *design, int64_t first, int64_t count, int left,
                        int width, double *z) {
    const piaa_columns *columns = design->columns;
    const size_t told = (size_t)design->told_width;
    piaa_columns_scale(columns, design->inverse ? design->inverse : columns->inverse, first, count,
                       left, width, z);
    const int from = left > columns->dim ? left : columns->dim;
    for (int64_t i = 0; told && i < count; i++)
        for (int j = from; j < left + width; j++)
            z[i * width + j - left] =
                design->told[(size_t)(first + i) * told + (size_t)(j - columns->dim)];
}

/* The standardised rows first .. first + count - 1 (count <= block), in design->z. */
static const double *standardised(piaa_ridge_design *design, int64_t first, int64_t count) {
    if (design->first == first && design->held >= count) return design->z;
    standardise(design, first, count, 0, design->dim, design->z);
    design->first = first;
    design->held = count;
    return design->z;
}

/* The upper half of rows first .. first + height - 1 of A'A (`across`: A [depth][width], whose
 * first column stands for `first`) or AA' (A [width][depth], likewise), added to `gram` times
 * `keep`; A's rows are `step` apart. */
static void add_strip(const piaa_ridge_design *design, bool across, int first, int height,
                      const double *a, int depth, int step, double keep) {
    int side = design->side, width = side - first;
    double *corner = design->basis + (size_t)first * (size_t)side + (size_t)first;
    const CBLAS_TRANSPOSE left = across ? CblasTrans : CblasNoTrans,
                          right = across ? CblasNoTrans : CblasTrans;
    cblas_dsyrk(CblasRowMajor, CblasUpper, left, height, depth, 1, a, step, keep, corner, side);
    if (width > height)
        cblas_dgemm(CblasRowMajor, left, right, height, width - height, depth, 1, a, step,
                    a + (size_t)height * (across ? 1 : (size_t)step), step, keep, corner + height,
                    side);
}

/* One strip of the symmetric matrix: of ZZ', or what the rows in design->z add to Z'Z. */
static bool make_strip(void *user, size_t i, piaa_error *error) {
    const piaa_ridge_design *design = user;
    const int first = (int)i * STRIP, height = (int)least(STRIP, design->side - first);
    (void)error;
    if (design->wide)
        add_strip(design, false, first, height, design->z + (size_t)first * (size_t)design->dim,
                  design->dim, design->dim, 0);
    else
        add_strip(design, true, first, height, design->z + first, (int)design->held, design->dim,
                  design->first > 0);
    return true;
}

/* Rows are read once, block by block. */
static bool make_gram(piaa_ridge_design *design, piaa_error *error) {
    const size_t strips = ((size_t)design->side + STRIP - 1) / STRIP;
    for (int64_t row = 0; row < design->n; row += design->block) {
        standardised(design, row, least(design->block, design->n - row));
        if (!piaa_parallel_run(strips, design->threads, make_strip, design, "", NULL, error))
            return false;
    }
    return true;
}

/* Of the upper half of the matrix, in design->basis: row-major upper is column-major lower; the
   columns of Q there are rows here. */
static bool factorise(piaa_ridge_design *design, piaa_error *error) {
    size_t side = (size_t)design->side;
    double *gram = design->basis, trace = 0;
    for (size_t i = 0; design->wide && i < side; i++) trace += gram[i * side + i];
    design->ones = trace > 0 ? 2 * trace : 1;
    for (size_t i = 0; design->wide && i < side; i++)
        for (size_t j = i; j < side; j++) gram[i * side + j] += design->ones / (double)side;
    return piaa_blas_tridiagonalise(design->side, gram, design->diagonal, design->beside, error);
}

/* Room for the factorised matrix. */
static bool make_room(piaa_ridge_design *design, int side, piaa_error *error) {
    size_t n = (size_t)side;
    design->side = side;
    if (!(design->diagonal = piaa_alloc(2 * n, sizeof(double), error)) ||
        !(design->basis = piaa_alloc_array(n * n + LANES, sizeof(double), error)))
        return false;
    design->beside = design->diagonal + n;
    memset(design->basis + n * n, 0, LANES * sizeof(double));
    return piaa_blas_room(design->threads, error);
}

piaa_ridge_design *piaa_ridge_design_new(const float *x, const int64_t *rows, int64_t n, int dim,
                                         piaa_error *error) {
    return piaa_ridge_design_new_shared(x, rows, n, dim, 1, error);
}

/* Of the design's columns. */
static bool make_design(piaa_ridge_design *design, piaa_error *error) {
    const int64_t n = design->n, dim = design->dim;
    design->wide = n <= dim;
    design->block = design->wide ? n : least(n, BLOCK / dim < 64 ? 64 : BLOCK / dim);
    return make_room(design, (int)(design->wide ? n : dim), error) &&
           (design->z =
                piaa_alloc_array((size_t)design->block * (size_t)dim, sizeof(double), error)) &&
           make_gram(design, error) && factorise(design, error);
}

static bool take_columns(piaa_ridge_design *design, const float *x, const int64_t *rows,
                         piaa_error *error) {
    const size_t n = (size_t)design->n;
    if (rows) {
        if (!(design->rows = piaa_alloc_array(n, sizeof *rows, error))) return false;
        memcpy(design->rows, rows, n * sizeof *rows);
    }
    const piaa_band band = {.x = x, .rows = design->rows, .dim = design->dim};
    design->columns = design->own = piaa_columns_new(&band, 1, design->n, error);
    return design->own && make_design(design, error);
}

piaa_ridge_design *piaa_ridge_design_new_shared(const float *x, const int64_t *rows, int64_t n,
                                                int dim, int threads, piaa_error *error) {
    if (!x || n < 1 || dim < 1) {
        piaa_error_set(error, PIAA_USAGE,
                       "a regression needs at least one row and one column (%lld x %d given)",
                       (long long)n, dim);
        return NULL;
    }
    piaa_ridge_design *design = piaa_alloc(1, sizeof *design, error);
    if (!design) return NULL;
    design->n = n;
    design->dim = dim;
    design->threads = piaa_blas_callers(threads);
    if (take_columns(design, x, rows, error)) return design;
    piaa_ridge_design_free(design);
    return NULL;
}

/* Scales blocks and what is told. */
static bool take_factors(piaa_ridge_design *design, const double *factors, const double *told,
                         piaa_error *error) {
    const piaa_columns *columns = design->columns;
    const size_t told_size = (size_t)design->n * (size_t)design->told_width;
    if (!(design->inverse = piaa_alloc_array((size_t)columns->dim, sizeof(double), error)) ||
        !(design->told = piaa_alloc_array(told_size, sizeof(double), error)))
        return false;
    for (int k = 0, j = 0; k < columns->count; k++)
        for (int end = j + columns->bands[k].dim; j < end; j++)
            design->inverse[j] = factors[k] * columns->inverse[j];
    for (size_t i = 0; i < told_size; i++) design->told[i] = factors[columns->count] * told[i];
    return make_design(design, error);
}

piaa_ridge_design *piaa_ridge_design_of_columns(const piaa_columns *columns, const double *factors,
                                                const double *told, int width, piaa_error *error) {
    piaa_ridge_design *design = piaa_alloc(1, sizeof *design, error);
    if (!design) return NULL;
    design->columns = columns;
    design->n = columns->n;
    design->told_width = width;
    design->dim = columns->dim + width;
    design->threads = 1;
    if (take_factors(design, factors, told, error)) return design;
    piaa_ridge_design_free(design);
    return NULL;
}

piaa_ridge_design *piaa_ridge_design_of_products(const double *products, int64_t n,
                                                 piaa_error *error) {
    piaa_ridge_design *design = piaa_alloc(1, sizeof *design, error);
    if (!design) return NULL;
    design->n = design->block = n;
    design->threads = 1;
    design->wide = true;
    if (make_room(design, (int)n, error)) {
        memcpy(design->basis, products, (size_t)n * (size_t)n * sizeof *products);
        if (factorise(design, error)) return design;
    }
    piaa_ridge_design_free(design);
    return NULL;
}

const double *piaa_ridge_design_mean(const piaa_ridge_design *design) {
    return design->columns->mean;
}

const double *piaa_ridge_design_scale(const piaa_ridge_design *design) {
    return design->columns->scale;
}

void piaa_ridge_design_free(piaa_ridge_design *design) {
    if (!design) return;
    piaa_columns_free(design->own);
    free(design->rows);
    free(design->inverse);
    free(design->told);
    free(design->diagonal);
    free(design->basis);
    free(design->z);
    free(design->alphas);
    free(design->slack);
    free(design->lower);
    free(design->pivots);
    free(design);
}

/* ------------------------------------------------------------------------------------ leverages */

/* T + a = L D L' for every alpha.  No pivot of a matrix whose eigenvalues are at least a is below
   a. */
static void factorise_shifted(piaa_ridge_design *design) {
    size_t alphas = (size_t)design->alpha_count;
    for (size_t a = 0; a < alphas; a++) {
        double carried = 0;
        for (size_t k = 0; k < (size_t)design->side; k++) {
            double pivot =
                fmax(design->diagonal[k] + design->alphas[a] - carried, design->alphas[a]);
            double beside = k + 1 < (size_t)design->side ? design->beside[k] : 0;
            design->pivots[k * alphas + a] = pivot;
            design->lower[k * alphas + a] = beside / pivot;
            carried = beside * (beside / pivot);
        }
    }
}

/* Leverages of LANES rows whose coordinates stand in columns of p, `stride` apart: forward
 * substitution for all of them at once, everything but p in registers. */
static void leverages(const piaa_ridge_design *design, size_t alpha, const double *p, size_t stride,
                      double *out) {
    size_t alphas = (size_t)design->alpha_count;
    double y[LANES] = {0}, h[LANES] = {0}, lower = 0;
    for (size_t k = 0; k < (size_t)design->side; k++) {
        double inverse = 1 / design->pivots[k * alphas + alpha];
        for (int i = 0; i < LANES; i++) {
            y[i] = p[k * stride + (size_t)i] - lower * y[i];
            h[i] += y[i] * y[i] * inverse;
        }
        lower = design->lower[k * alphas + alpha];
    }
    memcpy(out, h, sizeof h);
}

/* Slack of the rows first .. first + count - 1, whose coordinates are the columns of p
 * [side][stride]; up to LANES - 1 numbers behind the last column are read and mean nothing. */
static void slack_of_rows(piaa_ridge_design *design, int64_t first, size_t count, const double *p,
                          size_t stride) {
    size_t alphas = (size_t)design->alpha_count;
    double n = (double)design->n, h[LANES],
           *out = design->slack + (size_t)(first - design->slack_first) * alphas;
    for (size_t row = 0; row < count; row += LANES)
        for (size_t k = 0; k < alphas; k++) {
            double a = design->alphas[k];
            leverages(design, k, p + row, stride, h);
            for (size_t i = 0; i < LANES && row + i < count; i++) {
                double slack =
                    design->wide ? a * h[i] - a / (n * (design->ones + a)) : 1 - 1 / n - h[i];
                out[(row + i) * alphas + k] = fmax(slack, DBL_EPSILON * DBL_EPSILON);
            }
        }
}

/* Slack of a block of rows of tall data, the i-th of those that are kept. */
static bool slack_of_block(void *user, size_t i, piaa_error *error) {
    piaa_ridge_design *design = user;
    int d = design->dim, stride = (int)design->block;
    int64_t first = design->slack_first + (int64_t)i * stride;
    int here = (int)least(stride, design->slack_first + design->slack_rows - first);
    size_t room = (size_t)d * (size_t)stride;
    double *z = piaa_alloc_array(2 * room + LANES, sizeof *z, error);
    if (!z) return false;
    double *p = z + room; /* and LANES more, which are read and mean nothing */
    memset(p, 0, (room + LANES) * sizeof *p);
    standardise(design, first, here, 0, d, z);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, d, here, d, 1, design->basis, d, z, d, 0,
                p, stride);
    slack_of_rows(design, first, (size_t)here, p, (size_t)stride);
    free(z);
    return true;
}

/* Keeps the slack of as many rows from `first` on as there is room for. */
static bool keep_slack(piaa_ridge_design *design, int64_t first, piaa_error *error) {
    const size_t block = (size_t)design->block;
    design->slack_first = first;
    design->slack_rows = least(design->slack_room, design->n - first);
    if (design->wide) {
        slack_of_rows(design, 0, (size_t)design->n, design->basis, (size_t)design->side);
        return true;
    }
    if (piaa_parallel_run(((size_t)design->slack_rows + block - 1) / block, design->threads,
                          slack_of_block, design, "", NULL, error))
        return true;
    design->slack_rows = 0;
    return false;
}

/* [*][alpha_count] of the rows from `first` on, a block of them; NULL: memory. */
static const double *slack_from(piaa_ridge_design *design, int64_t first, piaa_error *error) {
    const int64_t at = first - design->slack_first;
    const bool kept = at >= 0 && at < design->slack_rows;
    if (!kept && !keep_slack(design, first, error)) return NULL;
    return design->slack + (size_t)(kept ? at : 0) * (size_t)design->alpha_count;
}

/* Rows whose slack is kept: whole blocks. */
static int64_t slack_room(const piaa_ridge_design *design, int count) {
    const int64_t most = SLACK / count / design->block;
    return design->wide ? design->n : least(design->n, (most < 1 ? 1 : most) * design->block);
}

/* Has slack made for this list of alphas. */
static bool make_slack(piaa_ridge_design *design, const double *alphas, int count,
                       piaa_error *error) {
    size_t bytes = (size_t)count * sizeof *alphas, side = (size_t)design->side;
    if (design->alpha_count == count && memcmp(design->alphas, alphas, bytes) == 0) return true;
    free(design->alphas);
    free(design->slack);
    free(design->lower);
    free(design->pivots);
    design->alpha_count = 0;
    design->slack_rows = 0;
    design->slack = design->lower = design->pivots = NULL;
    design->slack_room = slack_room(design, count);
    size_t factors = side * (size_t)count;
    if (!(design->alphas = piaa_alloc_array((size_t)count, sizeof *alphas, error)) ||
        !(design->slack = piaa_alloc_array((size_t)design->slack_room * (size_t)count,
                                           sizeof(double), error)) ||
        !(design->lower = piaa_alloc_array(factors, sizeof(double), error)) ||
        !(design->pivots = piaa_alloc_array(factors, sizeof(double), error)))
        return false;
    memcpy(design->alphas, alphas, bytes);
    design->alpha_count = count;
    factorise_shifted(design);
    return true;
}

/* The coordinates of rows[0..m-1] as columns of p [side][m]: of Q' where wide, of (ZQ)' where
   tall. */
static bool coordinates(const piaa_ridge_design *design, const int64_t *rows, size_t m, double *p,
                        piaa_error *error) {
    size_t side = (size_t)design->side, d = (size_t)design->dim;
    if (design->wide) {
        for (size_t k = 0; k < side; k++)
            for (size_t i = 0; i < m; i++) p[k * m + i] = design->basis[k * side + (size_t)rows[i]];
        return true;
    }
    double *z = piaa_alloc_array(m * d, sizeof *z, error);
    if (!z) return false;
    for (size_t i = 0; i < m; i++) standardise(design, rows[i], 1, 0, design->dim, z + i * d);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, design->dim, (int)m, design->dim, 1,
                design->basis, design->dim, z, design->dim, 0, p, (int)m);
    free(z);
    return true;
}

/* w = D^-1/2 L^-1 p, both [side][m], for one alpha of the list. */
static void whiten(const piaa_ridge_design *design, size_t alpha, const double *p, size_t m,
                   double *w) {
    size_t alphas = (size_t)design->alpha_count, side = (size_t)design->side;
    for (size_t k = 0; k < side; k++) {
        double lower = k ? design->lower[(k - 1) * alphas + alpha] : 0;
        const double *before = k ? w + (k - 1) * m : p;
        for (size_t i = 0; i < m; i++) w[k * m + i] = p[k * m + i] - lower * before[i];
    }
    for (size_t k = 0; k < side; k++) {
        double root = 1 / sqrt(design->pivots[k * alphas + alpha]);
        for (size_t i = 0; i < m; i++) w[k * m + i] *= root;
    }
}

bool piaa_ridge_slack(piaa_ridge_design *design, const int64_t *rows, int64_t count,
                      const double *alphas, int alpha_count, double *out, piaa_error *error) {
    if (!make_slack(design, alphas, alpha_count, error)) return false;
    size_t m = (size_t)count, side = (size_t)design->side;
    double n = (double)design->n, *p = piaa_alloc_array(2 * side * m, sizeof *p, error);
    if (!p || !coordinates(design, rows, m, p, error)) {
        free(p);
        return false;
    }
    for (int k = 0; k < alpha_count; k++) {
        double a = alphas[k], *s = out + (size_t)k * m * m, *w = p + side * m;
        double shift = design->wide ? -a / (n * (design->ones + a)) : -1 / n;
        whiten(design, (size_t)k, p, m, w);
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)m, design->side,
                    design->wide ? a : -1, w, (int)m, 0, s, (int)m);
        for (size_t i = 0; i < m; i++) {
            s[i * m + i] += design->wide ? 0 : 1;
            for (size_t j = i; j < m; j++) s[j * m + i] = s[i * m + j] += shift;
        }
    }
    free(p);
    return true;
}

/* -------------------------------------------------------------------------------------- fitting */

/* One fit in hand. */
typedef struct fitting {
    piaa_ridge_design *design;
    const double *y; /* [n][targets] as given */
    int targets;
    double *mean;       /* [targets] */
    double *centred;    /* [n][targets] */
    double *projection; /* [side][targets] q */
    double *filtered;   /* [side][columns] (T + a)^-1 q */
    double *solution;   /* [side][columns] M: c where wide, w where tall */
    double *error;      /* [block][columns] of the rows in hand */
} fitting;

/* Column (target, alpha) of a solution. */
typedef struct column {
    int target, alpha;
} column;

static double projected(const fitting *fit, size_t k, const column *which) {
    return fit->projection[k * (size_t)fit->targets + (size_t)which->target];
}

/* filtered = (T + a)^-1 q, all columns abreast: down with L, back with D and L'. */
static void substitute(fitting *fit, const column *columns, size_t count) {
    const piaa_ridge_design *design = fit->design;
    size_t side = (size_t)design->side, alphas = (size_t)design->alpha_count;
    double *x = fit->filtered;
    for (size_t k = 0; k < side; k++)
        for (size_t c = 0; c < count; c++) {
            double before = k ? design->lower[(k - 1) * alphas + (size_t)columns[c].alpha] *
                                    x[(k - 1) * count + c]
                              : 0;
            x[k * count + c] = projected(fit, k, &columns[c]) - before;
        }
    for (size_t k = side; k-- > 0;)
        for (size_t c = 0; c < count; c++) {
            size_t at = k * alphas + (size_t)columns[c].alpha;
            double after = k + 1 < side ? design->lower[at] * x[(k + 1) * count + c] : 0;
            x[k * count + c] = x[k * count + c] / design->pivots[at] - after;
        }
}

static void solve(fitting *fit, const column *columns, int count) {
    const piaa_ridge_design *design = fit->design;
    substitute(fit, columns, (size_t)count);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, design->side, count, design->side, 1,
                design->basis, design->side, fit->filtered, count, 0, fit->solution, count);
}

/* Leave-one-out errors [here][count] of the rows from `first` on, in fit->error; NULL: memory. */
static const double *errors_of_block(fitting *fit, const column *columns, int count, int64_t first,
                                     int here, piaa_error *error) {
    piaa_ridge_design *design = fit->design;
    size_t width = (size_t)count;
    const double *slack = slack_from(design, first, error);
    if (!slack) return NULL;
    if (design->wide)
        memcpy(fit->error, fit->solution + (size_t)first * width,
               (size_t)here * width * sizeof(double));
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, here, count, design->dim, 1,
                    standardised(design, first, here), design->dim, fit->solution, count, 0,
                    fit->error, count);
    for (size_t i = 0; i < (size_t)here; i++, slack += design->alpha_count) {
        const double *y = fit->centred + ((size_t)first + i) * (size_t)fit->targets;
        for (size_t c = 0; c < width; c++) {
            double *e = &fit->error[i * width + c];
            double residual =
                design->wide ? design->alphas[columns[c].alpha] * *e : y[columns[c].target] - *e;
            *e = residual / slack[columns[c].alpha];
        }
    }
    return fit->error;
}

/* Sets chosen[target].alpha to the best of the list; columns [alphas][targets], squares [alphas *
   targets] are work space. */
static bool choose_alphas(fitting *fit, bool joint, column *columns, double *squares,
                          column *chosen, piaa_error *error) {
    piaa_ridge_design *design = fit->design;
    int alphas = design->alpha_count, targets = fit->targets, count = alphas * targets;
    for (int t = 0; t < targets; t++) chosen[t] = (column){t, 0};
    if (alphas == 1) return true;
    for (int c = 0; c < count; c++) columns[c] = (column){c % targets, c / targets};
    solve(fit, columns, count);
    memset(squares, 0, (size_t)count * sizeof *squares);
    for (int64_t i = 0; i < design->n; i += design->block) {
        int here = (int)least(design->block, design->n - i);
        const double *e = errors_of_block(fit, columns, count, i, here, error);
        if (!e) return false;
        for (size_t r = 0; r < (size_t)here; r++)
            for (size_t c = 0; c < (size_t)count; c++)
                squares[c] += e[r * (size_t)count + c] * e[r * (size_t)count + c];
    }
    if (joint)
        for (int a = 0; a < alphas; a++) {
            double sum = 0;
            for (int t = 0; t < targets; t++) sum += squares[a * targets + t];
            for (int t = 0; t < targets; t++) squares[a * targets + t] = sum;
        }
    for (int t = 0; t < targets; t++)
        for (int a = 1; a < alphas; a++)
            if (squares[a * targets + t] < squares[chosen[t].alpha * targets + t] * (1 - 1e-12))
                chosen[t].alpha = a;
    return true;
}

static bool centre_targets(fitting *fit, piaa_error *error) {
    size_t targets = (size_t)fit->targets, n = (size_t)fit->design->n;
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < targets; t++) {
            double value = fit->y[i * targets + t];
            if (!isfinite(value))
                return piaa_error_set(error, PIAA_FORMAT,
                                      "target %zu of row %zu (from 0): %g is not a finite number",
                                      t, i, value);
            fit->mean[t] += value - fit->y[t];
        }
    for (size_t t = 0; t < targets; t++) fit->mean[t] = fit->y[t] + fit->mean[t] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < targets; t++)
            fit->centred[i * targets + t] = fit->y[i * targets + t] - fit->mean[t];
    return true;
}

/* q = Q'y, or Q'Z'y.  `work` [dim][targets]. */
static void project(fitting *fit, double *work) {
    piaa_ridge_design *design = fit->design;
    int t = fit->targets, d = design->dim;
    const double *right = fit->centred;
    if (!design->wide) {
        for (int64_t i = 0; i < design->n; i += design->block) {
            int here = (int)least(design->block, design->n - i);
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, d, t, here, 1,
                        standardised(design, i, here), d, fit->centred + (size_t)i * (size_t)t, t,
                        i > 0, work, t);
        }
        right = work;
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, design->side, t, design->side, 1,
                design->basis, design->side, right, t, 0, fit->projection, t);
}

static piaa_ridge *model_new(int64_t n, int dim, int targets, piaa_error *error) {
    piaa_ridge *model = piaa_alloc(1, sizeof *model, error);
    if (!model) return NULL;
    size_t d = (size_t)dim, t = (size_t)targets;
    model->rows = n;
    model->dim = dim;
    model->targets = targets;
    double *memory = piaa_alloc(2 * d + 2 * t * d + 3 * t + (size_t)n * t, sizeof(double), error);
    if (!memory) {
        free(model);
        return NULL;
    }
    model->mean = memory;
    model->scale = model->mean + d;
    model->coefficients = model->scale + d;
    model->weights = model->coefficients + t * d;
    model->intercepts = model->weights + t * d;
    model->alphas = model->intercepts + t;
    model->loo_rmse = model->alphas + t;
    model->loo = model->loo_rmse + t;
    return model;
}

void piaa_ridge_free(piaa_ridge *model) {
    if (!model) return;
    free(model->mean);
    free(model);
}

/* Everything but the intercepts and the scaler, for the chosen alphas. */
static bool finish(fitting *fit, const column *chosen, double *work, piaa_ridge *model,
                   piaa_error *error) {
    piaa_ridge_design *design = fit->design;
    int t = fit->targets, d = design->dim;
    size_t targets = (size_t)t;
    solve(fit, chosen, t);
    const double *w = fit->solution;
    if (design->wide) {
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, d, t, (int)design->n, 1,
                    standardised(design, 0, design->n), d, fit->solution, t, 0, work, t);
        w = work;
    }
    for (size_t k = 0; k < targets; k++) {
        model->alphas[k] = design->alphas[chosen[k].alpha];
        for (size_t j = 0; j < (size_t)d; j++) {
            model->coefficients[k * (size_t)d + j] =
                design->columns->inverse[j] > 0 ? w[j * targets + k] : 0;
            model->weights[k * (size_t)d + j] = w[j * targets + k] * design->columns->inverse[j];
        }
    }
    for (int64_t i = 0; i < design->n; i += design->block) {
        int here = (int)least(design->block, design->n - i);
        const double *e = errors_of_block(fit, chosen, t, i, here, error);
        if (!e) return false;
        for (size_t r = 0; r < (size_t)here; r++)
            for (size_t k = 0; k < targets; k++) {
                double miss = e[r * targets + k];
                model->loo_rmse[k] += miss * miss;
                model->loo[((size_t)i + r) * targets + k] =
                    fit->y[((size_t)i + r) * targets + k] - miss;
            }
    }
    for (size_t k = 0; k < targets; k++)
        model->loo_rmse[k] = sqrt(model->loo_rmse[k] / (double)design->n);
    return true;
}

static bool check_options(const piaa_ridge_options *options, int targets, piaa_error *error) {
    if (targets < 1)
        return piaa_error_set(error, PIAA_USAGE, "a regression needs at least one target");
    if (!options || !options->alphas) return true;
    if (options->alpha_count < 1)
        return piaa_error_set(error, PIAA_USAGE, "the list of alphas is empty");
    for (int a = 0; a < options->alpha_count; a++)
        if (!(options->alphas[a] > 0) || !isfinite(options->alphas[a]))
            return piaa_error_set(error, PIAA_USAGE, "alpha must be a positive number, not %g",
                                  options->alphas[a]);
    return true;
}

/* The targets centred on their means, and room for `columns` solutions. */
static bool fitting_begin(fitting *fit, const double *alphas, int alpha_count, size_t columns,
                          piaa_error *error) {
    size_t n = (size_t)fit->design->n, t = (size_t)fit->targets, side = (size_t)fit->design->side;
    return (fit->centred = piaa_alloc_array(n * t, sizeof(double), error)) &&
           centre_targets(fit, error) &&
           (n == 1 || (make_slack(fit->design, alphas, alpha_count, error) &&
                       (fit->projection = piaa_alloc_array(side * t, sizeof(double), error)) &&
                       (fit->filtered = piaa_alloc_array(side * columns, sizeof(double), error)) &&
                       (fit->solution = piaa_alloc_array(side * columns, sizeof(double), error)) &&
                       (fit->error = piaa_alloc_array((size_t)fit->design->block * columns,
                                                      sizeof(double), error))));
}

static void fitting_end(fitting *fit) {
    free(fit->centred);
    free(fit->projection);
    free(fit->filtered);
    free(fit->solution);
    free(fit->error);
}

piaa_ridge *piaa_ridge_fit(piaa_ridge_design *design, const double *y, int targets,
                           const piaa_ridge_options *options, piaa_error *error) {
    if (!design) {
        piaa_error_missing(error, "design matrix");
        return NULL;
    }
    if (!check_options(options, targets, error)) return NULL;
    if (!design->own) {
        piaa_error_set(error, PIAA_USAGE, "a design without columns of its own gives no weights");
        return NULL;
    }
    bool given = options && options->alphas;
    const double *alphas = given ? options->alphas : piaa_ridge_alphas;
    int alpha_count = given ? options->alpha_count : PIAA_RIDGE_ALPHAS;
    if (alpha_count > INT_MAX / targets) {
        piaa_error_set(error, PIAA_USAGE, "%d alphas for %d targets are too many", alpha_count,
                       targets);
        return NULL;
    }
    size_t n = (size_t)design->n, t = (size_t)targets, d = (size_t)design->dim,
           count = (size_t)alpha_count * t;
    piaa_ridge *model = model_new(design->n, design->dim, targets, error);
    fitting fit = {.design = design, .y = y, .targets = targets};
    column *columns = NULL, *chosen = NULL;
    double *work = NULL, *squares = NULL;
    bool ok = false;
    if (!model) goto end;
    memcpy(model->mean, design->columns->mean, d * sizeof(double));
    memcpy(model->scale, design->columns->scale, d * sizeof(double));
    fit.mean = model->intercepts;
    if (!fitting_begin(&fit, alphas, alpha_count, count, error)) goto end;
    if (n == 1) {
        model->mean_only = true;
        for (size_t k = 0; k < t; k++) {
            model->alphas[k] = alphas[0];
            model->loo_rmse[k] = model->loo[k] = NAN;
        }
        ok = true;
        goto end;
    }
    if (!(columns = piaa_alloc(count, sizeof *columns, error)) ||
        !(chosen = piaa_alloc(t, sizeof *chosen, error)) ||
        !(squares = piaa_alloc_array(count, sizeof(double), error)) ||
        !(work = piaa_alloc_array(d * t, sizeof(double), error)))
        goto end;
    project(&fit, work);
    ok = choose_alphas(&fit, options && options->joint, columns, squares, chosen, error) &&
         finish(&fit, chosen, work, model, error);
end:
    fitting_end(&fit);
    free(columns);
    free(chosen);
    free(squares);
    free(work);
    if (ok) return model;
    piaa_ridge_free(model);
    return NULL;
}

/* The solutions of one target for every alpha are in fit->solution [side][alpha_count]. */
static bool solve_each(fitting *fit, const double *alphas, int alpha_count, column *columns,
                       double *work, piaa_error *error) {
    if (!fitting_begin(fit, alphas, alpha_count, (size_t)alpha_count, error)) return false;
    for (int a = 0; a < alpha_count; a++) columns[a] = (column){0, a};
    project(fit, work);
    solve(fit, columns, alpha_count);
    return true;
}

bool piaa_ridge_errors(piaa_ridge_design *design, const double *y, const double *alphas,
                       int alpha_count, double *out, piaa_error *error) {
    double mean = 0, *work = piaa_alloc_array((size_t)design->dim, sizeof *work, error);
    column *columns = piaa_alloc((size_t)alpha_count, sizeof *columns, error);
    fitting fit = {.design = design, .y = y, .targets = 1, .mean = &mean};
    bool ok = work && columns && solve_each(&fit, alphas, alpha_count, columns, work, error);
    size_t width = (size_t)alpha_count;
    for (int64_t i = 0; ok && i < design->n; i += design->block) {
        int here = (int)least(design->block, design->n - i);
        const double *e = errors_of_block(&fit, columns, alpha_count, i, here, error);
        if (e) memcpy(out + (size_t)i * width, e, (size_t)here * width * sizeof *out);
        ok = e;
    }
    fitting_end(&fit);
    free(columns);
    free(work);
    return ok;
}

bool piaa_ridge_dual(piaa_ridge_design *design, const double *y, double alpha, double *c,
                     double *intercept, piaa_error *error) {
    column only;
    *intercept = 0;
    double *work = piaa_alloc_array((size_t)design->dim, sizeof *work, error);
    fitting fit = {.design = design, .y = y, .targets = 1, .mean = intercept};
    bool ok = work && solve_each(&fit, &alpha, 1, &only, work, error);
    for (int64_t i = 0; ok && i < design->n; i += design->block) {
        int here = (int)least(design->block, design->n - i);
        const double *e = errors_of_block(&fit, &only, 1, i, here, error);
        ok = e;
        for (int k = 0; ok && k < here; k++)
            c[i + k] = design->wide ? fit.solution[k]
                                    : e[k] * design->slack[i - design->slack_first + k] / alpha;
    }
    fitting_end(&fit);
    free(work);
    return ok;
}

/* ----------------------------------------------------------------------------------- prediction */

double piaa_ridge_dot(const double *weights, const double *mean, const float *x, int dim) {
    return piaa_loops_here()->dot(weights, mean, x, (size_t)dim);
}

void piaa_ridge_predict(const piaa_ridge *model, const float *x, int64_t count, double *out) {
    size_t d = (size_t)model->dim, t = (size_t)model->targets;
    for (size_t i = 0; i < (size_t)count; i++)
        for (size_t k = 0; k < t; k++)
            out[i * t + k] =
                model->intercepts[k] +
                piaa_ridge_dot(model->weights + k * d, model->mean, x + i * d, model->dim);
}
