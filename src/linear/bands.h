/*
 * One person's linear model on several blocks of features side by side, with weights for the blocks
 * and with what other people's models say beforehand.  The mathematics is in bands.c.
 *
 *     const piaa_band blocks[] = {{.x = lt, .dim = 2560}, {.x = v, .dim = 1024}};
 *     // products of rows, once
 *     piaa_bands *bands = piaa_bands_new(blocks, 2, 100, &error);
 *     piaa_bands_model *model = piaa_bands_fit(bands, y, NULL, NULL, &error);
 *
 * A score is  model->intercept + sum of model->weights[j] * (x[j] - model->mean[j]).
 *
 * Columns are numbered through all blocks, in their order: "side by side".  One thread.
 */
#ifndef PIAA_LINEAR_BANDS_H
#define PIAA_LINEAR_BANDS_H

#include "linear/leave_out.h"

typedef struct piaa_bands piaa_bands;

/*
 * The blocks' columns are standardised each by its own n rows (constant ones become 0, as in
 * linear/ridge.h); where there are more columns than rows the products of all pairs of rows are
 * made, block by block, once.  x and rows stay the caller's and must outlive the bands: weights are
 * made from them.
 *
 * Memory: n x n numbers for each block; with more rows than columns, dim x dim.  Errors: fewer than
 * 2 rows, no blocks, no columns, a value that is not finite, memory.
 */
piaa_bands *piaa_bands_new(const piaa_band *bands, int count, int64_t n,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_bands_free(piaa_bands *bands);

int piaa_bands_dim(const piaa_bands *bands); /* columns of all blocks */
int piaa_bands_count(const piaa_bands *bands);
int64_t piaa_bands_rows(const piaa_bands *bands);

/* Other people's weights, of features divided by `scale`: w ~ N(lead mean, spread D'D + I) but for
   a factor. */
typedef struct piaa_bands_prior {
    const double *mean;       /* [dim] */
    const double *directions; /* D [rank][dim] */
    const double *scale;      /* [dim], positive */
    int rank;                 /* 0: a mean alone */
    double alpha;             /* that goes with a spread of 1: variance of the noise, in that of the
                                 weights' I; 0: not known */
} piaa_bands_prior;

/* At most once.  Nothing of the prior is kept but what it says of these rows and the pointers,
   which must outlive the bands.  Errors: a number that is not finite, a scale that is not positive,
   memory. */
bool piaa_bands_add_prior(piaa_bands *bands, const piaa_bands_prior *prior,
                          piaa_error *error) PIAA_MUST_USE;

/* How blocks and prior are put together. */
typedef struct piaa_bands_shape {
    const double *weights; /* [blocks] tau, 0 or more; NULL: all 1 */
    double spread;         /* s, 0 or more: how far the prior's directions are trusted */
    double lead;           /* t: how much of the prior's mean is taken */
} piaa_bands_shape;

/* K [n][n] of this shape; the bands', until the next call.  NULL: a weight that is not finite or
   below 0, memory. */
const double *piaa_bands_products(piaa_bands *bands, const piaa_bands_shape *shape,
                                  piaa_error *error);
/* What the prior's mean says of each row [n], less the mean over rows; NULL without a prior. */
const double *piaa_bands_offset(const piaa_bands *bands);
/* As it was given; 0 without a prior. */
double piaa_bands_prior_alpha(const piaa_bands *bands);
/* The design of K; the bands', until the next shape. */
piaa_ridge_design *piaa_bands_design(piaa_bands *bands, const piaa_bands_shape *shape,
                                     piaa_error *error);

/* Weights out [dim] per unit of each raw column, from dual coefficients c [n] that sum to 0 (so
   that the model is  intercept + out'(x - mean of the rows) ). */
void piaa_bands_weigh(const piaa_bands *bands, const piaa_bands_shape *shape, const double *c,
                      double *out);
/* Mean and scale [dim] of the columns. */
void piaa_bands_scaler(const piaa_bands *bands, double *mean, double *scale);

/* What there is to choose from, by the error of groups left out; zeroed: one model, ridge on all
   columns alike.  Of what is equally good the first in the lists wins. */
typedef struct piaa_bands_options {
    const double *weights; /* [weight_count][blocks]; NULL: all 1 */
    int weight_count;
    const double *spreads; /* NULL: 0 */
    int spread_count;
    const double *leads; /* NULL: 0 */
    int lead_count;
    /* Alphas of shapes that take something of the prior, at most as many as the others. */
    const double *told; /* NULL: as without */
    int told_count;
    piaa_leaving_options leaving; /* alphas */
} piaa_bands_options;

/* A fitted model.  Owned by the caller; every array is part of it. */
typedef struct piaa_bands_model {
    int dim, bands;
    double *mean, *scale, *weights; /* [dim] as in piaa_ridge: per unit of the raw column */
    double *band_weights;           /* [bands] tau */
    double intercept, alpha, spread, lead;
    piaa_left_out *left; /* what leaving out says of it; predictions of all rows among it */
} piaa_bands_model;

/* y [n]; group as in piaa_leave_out.  options may be NULL.  Errors: a target that is not finite, a
   list that is empty or holds what it may not, memory. */
piaa_bands_model *piaa_bands_fit(piaa_bands *bands, const double *y, const int64_t *group,
                                 const piaa_bands_options *options,
                                 piaa_error *error) PIAA_MUST_USE;
void piaa_bands_model_free(piaa_bands_model *model);

/* Weights [dim] and intercept of this shape and alpha from targets y [n]; and of y [n] less `count`
   of the rows, fewer than n, with all rows' scaler. */
bool piaa_bands_solve(piaa_bands *bands, const piaa_bands_shape *shape, double alpha,
                      const double *y, double *weights, double *intercept,
                      piaa_error *error) PIAA_MUST_USE;
bool piaa_bands_without(piaa_bands *bands, const piaa_bands_shape *shape, double alpha,
                        const double *y, const int64_t *rows, int64_t count, double *weights,
                        double *intercept, piaa_error *error) PIAA_MUST_USE;

#endif
