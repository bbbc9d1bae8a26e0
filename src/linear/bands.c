/*
 * Blocks, prior and ridge are one thing.
 *
 * Let Z_b [n, dim_b] be the standardised columns of block b, and let it be known beforehand (from
 * other people) that a person's weights are about  N(t mu, s D'D + I)  times some factor, D [rank,
 * dim] holding a few main directions, mu and D being for features divided by the prior's own
 * scaler.  With X the rows so divided, centred, and tau_b the weights of the blocks, the model is
 *
 *     y = intercept + t X mu + Z w + X D'v + noise,     w_b ~ N(0, tau_b I),  v ~ N(0, s I),
 *
 * a ridge on columns that are scaled by sqrt(tau_b) beside `rank` columns sqrt(s) X D' that are not
 * standardised again, with targets y - t X mu.  All that it needs of its columns is the products of
 * rows (ridge.c, wide data):
 *
 *     K = sum_b tau_b Z_b Z_b' + s (XD')(XD')',     c = (K + alpha I)^-1 (y - t X mu - intercept),
 *
 * the intercept being the mean of y, since all columns have mean 0.  Z_b Z_b', XD' and X mu are
 * made once; each (tau, s) costs one reduction of K, n x n, which serves every alpha, t and target,
 * and what is left out (leave_out.c).  Weights of raw columns follow from the chosen c alone:
 *
 *     tau_b z_j'c / scale_j  +  (s D_j'(XD')'c + t mu_j) / scale of the prior_j.
 *
 * One block without a prior is ridge.c's own ridge; a prior of s = t = 0 is none.
 *
 * With more rows than columns the same ridge is solved from the products of columns, as ridge.c
 * does with tall data, and  c = residual / alpha.
 */
#include "linear/bands.h"

#include "base/blas.h"
#include "base/memory.h"
#include "linear/columns.h"
#include "linear/loops.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1024 }; /* columns that are standardised at a time */

struct piaa_bands {
    int64_t n;
    int count, dim;
    piaa_columns *columns;
    double *products; /* [count][n][n] Z_b Z_b'; NULL: not asked for yet */

    piaa_bands_prior prior; /* the caller's; rank 0 and no mean: none */
    double *heard;          /* [n][rank + 1] X mu, then XD' */
    double *offset;         /* [n] X mu */
    double *told;           /* [n][rank] XD' */

    double *k; /* [n][n] of the shape that was asked for last */
    piaa_ridge_design *design;
    double *factors; /* [count + 1] roots of the weights and of the spread, of that design */
};

/* ------------------------------------------------------------------------------------- products */

static size_t square_of(const piaa_bands *b) {
    return (size_t)b->n * (size_t)b->n;
}

/* The lower half from the upper one. */
static void mirror(double *a, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i];
}

/* ZZ' of the columns from `at` on; z [n][WIDTH] is work space. */
static void multiply(const piaa_columns *columns, int at, int dim, double *z, double *out) {
    int n = (int)columns->n;
    for (int left = 0; left < dim; left += WIDTH) {
        int width = dim - left < WIDTH ? dim - left : WIDTH;
        piaa_columns_standardise(columns, 0, n, at + left, width, z);
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, n, width, 1, z, width, left > 0, out,
                    n);
    }
    mirror(out, (size_t)n);
}

static bool make_products(piaa_bands *b, piaa_error *error) {
    const size_t square = square_of(b);
    if (b->products) return true;
    double *z = piaa_alloc_array((size_t)b->n * WIDTH, sizeof *z, error);
    if (!z || !(b->k = piaa_alloc_array(square, sizeof *b->k, error)) ||
        !(b->products = piaa_alloc_array((size_t)b->count * square, sizeof *b->products, error))) {
        free(z);
        return false;
    }
    for (int i = 0, at = 0; i < b->count; at += b->columns->bands[i++].dim)
        multiply(b->columns, at, b->columns->bands[i].dim, z, b->products + (size_t)i * square);
    free(z);
    return true;
}

static bool make_bands(piaa_bands *b, const piaa_band *bands, piaa_error *error) {
    for (int i = 0; i < b->count; i++)
        if (!bands[i].x || bands[i].dim < 1)
            return piaa_error_set(error, PIAA_USAGE, "block %d of the features (from 0) is empty",
                                  i);
    if (!(b->columns = piaa_columns_new(bands, b->count, b->n, error)) ||
        !(b->factors = piaa_alloc((size_t)b->count + 1, sizeof *b->factors, error)))
        return false;
    b->dim = b->columns->dim;
    return piaa_blas_room(1, error) && (b->n > b->dim || make_products(b, error));
}

piaa_bands *piaa_bands_new(const piaa_band *bands, int count, int64_t n, piaa_error *error) {
    if (!bands || count < 1 || n < 2) {
        piaa_error_set(
            error, PIAA_USAGE,
            "a model of several blocks needs at least two rows and one block (%lld rows, "
            "%d blocks given)",
            (long long)n, count);
        return NULL;
    }
    piaa_bands *b = piaa_alloc(1, sizeof *b, error);
    if (!b) return NULL;
    b->n = n;
    b->count = count;
    if (make_bands(b, bands, error)) return b;
    piaa_bands_free(b);
    return NULL;
}

void piaa_bands_free(piaa_bands *b) {
    if (!b) return;
    piaa_columns_free(b->columns);
    free(b->products);
    free(b->heard);
    free(b->told);
    free(b->offset);
    free(b->k);
    free(b->factors);
    piaa_ridge_design_free(b->design);
    free(b);
}

int piaa_bands_dim(const piaa_bands *b) {
    return b->dim;
}

int piaa_bands_count(const piaa_bands *b) {
    return b->count;
}

int64_t piaa_bands_rows(const piaa_bands *b) {
    return b->n;
}

void piaa_bands_scaler(const piaa_bands *b, double *mean, double *scale) {
    memcpy(mean, b->columns->mean, (size_t)b->dim * sizeof *mean);
    memcpy(scale, b->columns->scale, (size_t)b->dim * sizeof *scale);
}

/* ---------------------------------------------------------------------------------------- prior */

static bool check_prior(const piaa_bands *b, const piaa_bands_prior *prior, piaa_error *error) {
    double check = 0;
    bool positive = true;
    for (int j = 0; j < b->dim; j++) {
        check += (prior->mean[j] + prior->scale[j]) * 0; /* NaN if any is not finite */
        positive = positive && prior->scale[j] > 0;
    }
    for (size_t i = 0; i < (size_t)prior->rank * (size_t)b->dim; i++)
        check += prior->directions[i] * 0;
    if (check == 0 && positive) return true;
    return piaa_error_set(error, PIAA_FORMAT,
                          "the prior holds a number that is not finite, or a scale that is not "
                          "positive: learn it again");
}

/* Adds columns left .. left + width - 1 to what the prior tells.  z [n][WIDTH] and d [rank +
   1][WIDTH] are work space; inverse [dim] of the prior's scale. */
static void tell(piaa_bands *b, const double *inverse, int left, int width, double *z, double *d) {
    const piaa_bands_prior *prior = &b->prior;
    const int height = prior->rank + 1, n = (int)b->n;
    piaa_columns_scale(b->columns, inverse, 0, n, left, width, z);
    memcpy(d, prior->mean + left, (size_t)width * sizeof *d);
    for (int k = 0; k < prior->rank; k++)
        memcpy(d + (size_t)(k + 1) * (size_t)width,
               prior->directions + (size_t)k * (size_t)b->dim + left, (size_t)width * sizeof *d);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, height, width, 1, z, width, d, width,
                left > 0, b->heard, height);
}

static bool tell_all(piaa_bands *b, piaa_error *error) {
    const size_t n = (size_t)b->n, rank = (size_t)b->prior.rank, height = rank + 1,
                 dim = (size_t)b->dim;
    double *work = piaa_alloc_array((n + height) * WIDTH + dim, sizeof *work, error);
    if (!work || !(b->heard = piaa_alloc_array(n * height, sizeof *b->heard, error)) ||
        !(b->told = piaa_alloc_array(n * rank, sizeof *b->told, error)) ||
        !(b->offset = piaa_alloc_array(n, sizeof *b->offset, error))) {
        free(work);
        return false;
    }
    double *z = work + dim;
    for (size_t j = 0; j < dim; j++) work[j] = 1 / b->prior.scale[j];
    for (int left = 0; left < b->dim; left += WIDTH)
        tell(b, work, left, b->dim - left < WIDTH ? b->dim - left : WIDTH, z, z + n * WIDTH);
    for (size_t i = 0; i < n; i++) {
        b->offset[i] = b->heard[i * height];
        memcpy(b->told + i * rank, b->heard + i * height + 1, rank * sizeof *b->told);
    }
    free(work);
    return true;
}

bool piaa_bands_add_prior(piaa_bands *b, const piaa_bands_prior *prior, piaa_error *error) {
    if (b->heard) return piaa_error_set(error, PIAA_USAGE, "the model has a prior already");
    if (!check_prior(b, prior, error)) return false;
    b->prior = *prior;
    return tell_all(b, error);
}

const double *piaa_bands_offset(const piaa_bands *b) {
    return b->offset;
}

double piaa_bands_prior_alpha(const piaa_bands *b) {
    return b->prior.alpha;
}

/* --------------------------------------------------------------------------------------- shapes */

static double weight_of(const piaa_bands_shape *shape, int block) {
    return shape->weights ? shape->weights[block] : 1;
}

static bool check_shape(const piaa_bands *b, const piaa_bands_shape *shape, piaa_error *error) {
    bool fine = shape->spread >= 0 && isfinite(shape->spread) && isfinite(shape->lead);
    for (int i = 0; fine && i < b->count; i++)
        fine = weight_of(shape, i) >= 0 && isfinite(weight_of(shape, i));
    return fine || piaa_error_set(error, PIAA_USAGE,
                                  "weights of blocks and strengths of a prior are finite and not "
                                  "below 0");
}

/* a = weight b, or added to a. */
static void add(double *a, bool anew, double weight, const double *b, size_t count) {
    if (anew)
        for (size_t k = 0; k < count; k++) a[k] = weight * b[k];
    else if (weight != 0)
        for (size_t k = 0; k < count; k++) a[k] += weight * b[k];
}

const double *piaa_bands_products(piaa_bands *b, const piaa_bands_shape *shape, piaa_error *error) {
    if (!check_shape(b, shape, error) || !make_products(b, error)) return NULL;
    const size_t square = square_of(b);
    const int n = (int)b->n, rank = b->told && shape->spread > 0 ? b->prior.rank : 0;
    for (int i = 0; i < b->count; i++)
        add(b->k, !i, weight_of(shape, i), b->products + (size_t)i * square, square);
    if (rank) {
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, n, rank, shape->spread, b->told, rank,
                    1, b->k, n);
        mirror(b->k, (size_t)n);
    }
    return b->k;
}

/* What the columns of a block are multiplied by; those of the prior's directions after the last
   one. */
static double factor_of(const piaa_bands *b, const piaa_bands_shape *shape, int block) {
    if (block < b->count) return sqrt(weight_of(shape, block));
    return b->told && b->prior.rank ? sqrt(shape->spread) : 0;
}

static bool is_held(const piaa_bands *b, const piaa_bands_shape *shape) {
    bool same = b->design;
    for (int i = 0; same && i <= b->count; i++) same = b->factors[i] == factor_of(b, shape, i);
    return same;
}

piaa_ridge_design *piaa_bands_design(piaa_bands *b, const piaa_bands_shape *shape,
                                     piaa_error *error) {
    if (!check_shape(b, shape, error)) return NULL;
    if (is_held(b, shape)) return b->design;
    piaa_ridge_design_free(b->design);
    b->design = NULL;
    for (int i = 0; i <= b->count; i++) b->factors[i] = factor_of(b, shape, i);
    const int rank = b->factors[b->count] > 0 ? b->prior.rank : 0;
    if (b->n > b->dim + rank)
        return b->design =
                   piaa_ridge_design_of_columns(b->columns, b->factors, b->told, rank, error);
    const double *k = piaa_bands_products(b, shape, error);
    return k ? b->design = piaa_ridge_design_of_products(k, b->n, error) : NULL;
}

/* Weights of what is not the prior's: [dim], per unit of the raw column. */
static void weigh_columns(const piaa_bands *b, const piaa_bands_shape *shape, const double *c,
                          double *out) {
    const piaa_columns *columns = b->columns;
    const piaa_loops *loops = piaa_loops_here();
    for (int k = 0, at = 0; k < b->count; at += columns->bands[k++].dim) {
        const piaa_band *band = &columns->bands[k];
        const double weight = weight_of(shape, k), *mean = columns->mean + at,
                     *inverse = columns->inverse + at;
        const size_t dim = (size_t)band->dim;
        double *own = out + at;
        memset(own, 0, dim * sizeof *own);
        for (int64_t i = 0; i < b->n; i++) {
            const float *x =
                band->x + (size_t)(band->rows ? band->rows[i] : i) * (size_t)band->stride;
            loops->gather(own, c[i], x, mean, dim);
        }
        for (size_t j = 0; j < dim; j++) own[j] *= weight * inverse[j] * inverse[j];
    }
}

void piaa_bands_weigh(const piaa_bands *b, const piaa_bands_shape *shape, const double *c,
                      double *out) {
    weigh_columns(b, shape, c, out);
    const piaa_bands_prior *prior = &b->prior;
    const size_t dim = (size_t)b->dim, height = (size_t)prior->rank + 1;
    for (size_t k = 0; b->heard && k < height; k++) {
        double strength = k ? 0 : shape->lead; /* of this direction */
        for (size_t i = 0; k && i < (size_t)b->n; i++)
            strength += shape->spread * b->heard[i * height + k] * c[i];
        const double *from = k ? prior->directions + (k - 1) * dim : prior->mean;
        for (size_t j = 0; strength != 0 && j < dim; j++)
            out[j] += strength * from[j] / prior->scale[j];
    }
}

/* -------------------------------------------------------------------------------------- fitting */

static piaa_bands_model *model_new(const piaa_bands *b, piaa_error *error) {
    piaa_bands_model *model = piaa_alloc(1, sizeof *model, error);
    const size_t dim = (size_t)b->dim;
    if (!model) return NULL;
    model->dim = b->dim;
    model->bands = b->count;
    if (!(model->mean = piaa_alloc(3 * dim + (size_t)b->count, sizeof(double), error))) {
        free(model);
        return NULL;
    }
    model->scale = model->mean + dim;
    model->weights = model->scale + dim;
    model->band_weights = model->weights + dim;
    piaa_bands_scaler(b, model->mean, model->scale);
    return model;
}

void piaa_bands_model_free(piaa_bands_model *model) {
    if (!model) return;
    piaa_left_out_free(model->left);
    free(model->mean);
    free(model);
}

static bool check_options(const piaa_bands_options *o, piaa_error *error) {
    if ((o->weights && o->weight_count < 1) || (o->spreads && o->spread_count < 1) ||
        (o->leads && o->lead_count < 1) || (o->told && o->told_count < 1) ||
        (o->leaving.alphas && o->leaving.alpha_count < 1))
        return piaa_error_set(error, PIAA_USAGE, "a list of what is to be chosen from is empty");
    for (int i = 0; o->leaving.alphas && i < o->leaving.alpha_count; i++)
        if (!(o->leaving.alphas[i] > 0) || !isfinite(o->leaving.alphas[i]))
            return piaa_error_set(error, PIAA_USAGE, "alpha must be a positive number, not %g",
                                  o->leaving.alphas[i]);
    return true;
}

/* What is tried at a time: a spread, with each of several leads. */
typedef struct attempt {
    piaa_bands_shape shape; /* but for the lead */
    const double *leads;
    int lead_count;
    const double *alphas; /* NULL: the usual ones */
    int alpha_count;
} attempt;

typedef struct attempts {
    attempt *items;
    int count;
    double *leads; /* [1 + lead_count] 0, then those that are not */
    int lead_count;
    bool none; /* 0 is among them */
} attempts;

static void attempts_free(attempts *all) {
    free(all->items);
    free(all->leads);
}

/* One shape takes nothing of the prior: no spread, and no lead. */
static void add_attempts(attempts *all, const piaa_bands_options *o, piaa_bands_shape shape) {
    const attempt whole = {.shape = shape, .leads = o->leads, .lead_count = o->lead_count};
    if (!o->told) {
        all->items[all->count++] = whole;
        return;
    }
    attempt told = {shape, all->leads + 1, all->lead_count, o->told, o->told_count};
    if (shape.spread > 0) {
        told.leads = o->leads ? o->leads : all->leads;
        told.lead_count = o->leads ? o->lead_count : 1;
    }
    if (told.lead_count) all->items[all->count++] = told;
    if (shape.spread > 0 || !all->none) return;
    all->items[all->count++] = (attempt){.shape = shape, .leads = all->leads, .lead_count = 1};
}

static bool list_attempts(const piaa_bands *b, const piaa_bands_options *o, attempts *all,
                          piaa_error *error) {
    const int spreads = o->spreads ? o->spread_count : 1,
              weights = o->weights ? o->weight_count : 1;
    if (!(all->items =
              piaa_alloc(2 * (size_t)spreads * (size_t)weights, sizeof *all->items, error)) ||
        !(all->leads = piaa_alloc((size_t)o->lead_count + 1, sizeof *all->leads, error)))
        return false;
    all->none = !o->leads;
    for (int k = 0; o->leads && k < o->lead_count; k++) {
        if (o->leads[k] != 0)
            all->leads[1 + all->lead_count++] = o->leads[k];
        else
            all->none = true;
    }
    for (int w = 0; w < weights; w++)
        for (int s = 0; s < spreads; s++)
            add_attempts(
                all, o,
                (piaa_bands_shape){.weights = o->weights ? o->weights + (size_t)w * (size_t)b->count
                                                         : NULL,
                                   .spread = o->spreads ? o->spreads[s] : 0});
    return true;
}

/* Leaves groups out in all shapes; *chosen is the best. */
static piaa_left_out *leave_out(piaa_bands *b, const double *y, const int64_t *group,
                                const piaa_bands_options *o, const attempts *all,
                                piaa_bands_shape *chosen, piaa_error *error) {
    piaa_leaving *leaving = piaa_leaving_new(y, b->n, group, &o->leaving, error);
    bool ok = leaving;
    for (int i = 0; ok && i < all->count; i++) {
        const attempt *one = &all->items[i];
        piaa_ridge_design *design = piaa_bands_design(b, &one->shape, error);
        ok = design && piaa_leaving_try(leaving, design, one->leads ? b->offset : NULL, one->leads,
                                        one->lead_count, one->alphas, one->alpha_count, error);
    }
    piaa_left_out *left = ok ? piaa_leaving_end(leaving, error) : NULL;
    piaa_leaving_free(leaving);
    if (!left) return NULL;
    const attempt *best = &all->items[left->design];
    *chosen = best->shape;
    chosen->lead = best->leads && b->offset ? best->leads[left->strength] : 0;
    return left;
}

/* y less what the prior's mean says, [n]. */
static double *less_offset(const piaa_bands *b, const piaa_bands_shape *shape, const double *y,
                           piaa_error *error) {
    double *out = piaa_alloc_array((size_t)b->n, sizeof *out, error);
    for (int64_t i = 0; out && i < b->n; i++)
        out[i] = y[i] - (b->offset ? shape->lead * b->offset[i] : 0);
    return out;
}

/* From targets that the offset was taken from. */
static bool solve(piaa_bands *b, const piaa_bands_shape *shape, double alpha, const double *y,
                  double *weights, double *intercept, piaa_error *error) {
    piaa_ridge_design *design = piaa_bands_design(b, shape, error);
    double *c = piaa_alloc_array((size_t)b->n, sizeof *c, error);
    const bool ok = design && c && piaa_ridge_dual(design, y, alpha, c, intercept, error);
    if (ok) piaa_bands_weigh(b, shape, c, weights);
    free(c);
    return ok;
}

bool piaa_bands_solve(piaa_bands *b, const piaa_bands_shape *shape, double alpha, const double *y,
                      double *weights, double *intercept, piaa_error *error) {
    double *own = less_offset(b, shape, y, error);
    const bool ok = own && solve(b, shape, alpha, own, weights, intercept, error);
    free(own);
    return ok;
}

bool piaa_bands_without(piaa_bands *b, const piaa_bands_shape *shape, double alpha, const double *y,
                        const int64_t *rows, int64_t count, double *weights, double *intercept,
                        piaa_error *error) {
    piaa_ridge_design *design = piaa_bands_design(b, shape, error);
    double *own = less_offset(b, shape, y, error),
           *pinned = piaa_alloc_array((size_t)b->n, sizeof *pinned, error);
    const bool ok = design && own && pinned &&
                    piaa_ridge_pin(design, own, b->n, alpha, rows, count, pinned, error) &&
                    solve(b, shape, alpha, pinned, weights, intercept, error);
    free(own);
    free(pinned);
    return ok;
}

static bool fit(piaa_bands *b, const double *y, const int64_t *group, const piaa_bands_options *o,
                piaa_bands_model *model, piaa_error *error) {
    piaa_bands_shape shape = {0};
    attempts all = {0};
    if (check_options(o, error) && list_attempts(b, o, &all, error))
        model->left = leave_out(b, y, group, o, &all, &shape, error);
    attempts_free(&all);
    if (!model->left) return false;
    for (int i = 0; i < b->count; i++) model->band_weights[i] = weight_of(&shape, i);
    model->spread = shape.spread;
    model->lead = shape.lead;
    model->alpha = model->left->alpha;
    return piaa_bands_solve(b, &shape, model->alpha, y, model->weights, &model->intercept, error);
}

piaa_bands_model *piaa_bands_fit(piaa_bands *b, const double *y, const int64_t *group,
                                 const piaa_bands_options *options, piaa_error *error) {
    static const piaa_bands_options plain = {0};
    piaa_bands_model *model = model_new(b, error);
    if (!model) return NULL;
    if (fit(b, y, group, options ? options : &plain, model, error)) return model;
    piaa_bands_model_free(model);
    return NULL;
}
