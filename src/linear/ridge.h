/*
 * Ridge regression with a closed-form leave-one-out choice of alpha: scikit-learn's StandardScaler
 * + RidgeCV, in float64.
 *
 *     // standardises and factorises, once
 *     piaa_ridge_design *design = piaa_ridge_design_new(x, NULL, 100, 2560, &error);
 *     // any number of times
 *     piaa_ridge *model = piaa_ridge_fit(design, y, 1, NULL, &error);
 *     piaa_ridge_predict(model, photos, count, scores);
 *
 * One factorisation of a design matrix serves every target, every alpha, and the leave-one-out
 * errors; see ridge.c for the mathematics.
 *
 * Threads: one, unless piaa_ridge_design_new_shared is asked for more.  A program that fits many
 * small models gives each of its own threads a design.
 */
#ifndef PIAA_LINEAR_RIDGE_H
#define PIAA_LINEAR_RIDGE_H

#include "linear/columns.h"

typedef struct piaa_ridge_design piaa_ridge_design;

/*
 * Standardises and factorises `n` rows of the row-major float32 matrix x [*, dim]: rows[0..n-1] by
 * index, or the first n where rows is NULL.  x stays the caller's and must outlive the design (it
 * is read again by every fit, so that it may be a mapped file larger than memory); rows is copied.
 *
 * Columns get mean 0 and population variance 1.  A column that is constant by scikit-learn's rule
 * (its variance is within the rounding error of computing it) keeps scale 1 and becomes exactly 0,
 * however large its values, so its coefficient is 0.
 *
 * Memory, in float64: n <= dim: n x dim and n x n; n > dim: dim x dim, and 4 MiB; a fit adds 64 MiB
 * at most, 8 MiB for each thread, and a few numbers for each row and target.  Rows of tall data are
 * read three times by the design and three times by a fit, each time from the first to the last.
 *
 * Errors: no rows, no columns, a value that is not finite (row and column, from 0, are named),
 * memory.
 */
piaa_ridge_design *piaa_ridge_design_new(const float *x, const int64_t *rows, int64_t n, int dim,
                                         piaa_error *error) PIAA_MUST_USE;
/* The same on `threads` threads: worth it from about half a second of work on, which is what 8,458
 * x 2,560 takes four times and a person's hundred photos not by far.  What comes out does not
 * depend on their number. */
piaa_ridge_design *piaa_ridge_design_new_shared(const float *x, const int64_t *rows, int64_t n,
                                                int dim, int threads,
                                                piaa_error *error) PIAA_MUST_USE;
/*
 * Two designs that give errors, slack and dual coefficients, from which whoever knows the columns
 * makes weights (linear/bands.h).  Of n rows of which only the products with each other are known,
 * the upper half of products [n][n] = ZZ', columns of Z of mean 0; it is copied.  And of columns,
 * block k of which is standardised and multiplied by factors[k], beside `width` more, told
 * [n][width] of mean 0 times factors[columns->count]; the columns must outlive the design. Error:
 * memory.
 */
piaa_ridge_design *piaa_ridge_design_of_products(const double *products, int64_t n,
                                                 piaa_error *error) PIAA_MUST_USE;
piaa_ridge_design *piaa_ridge_design_of_columns(const piaa_columns *columns, const double *factors,
                                                const double *told, int width,
                                                piaa_error *error) PIAA_MUST_USE;
void piaa_ridge_design_free(piaa_ridge_design *design);
/* The scaler [dim], for what is learned from standardised features by other means. */
const double *piaa_ridge_design_mean(const piaa_ridge_design *design);
const double *piaa_ridge_design_scale(const piaa_ridge_design *design);

/* NumPy's logspace(-3, 3, 13), digit by digit. */
enum { PIAA_RIDGE_ALPHAS = 13 };
extern const double piaa_ridge_alphas[PIAA_RIDGE_ALPHAS];

/* Zeroed: those alphas, each target its own.  One alpha in the list fixes it. */
typedef struct piaa_ridge_options {
    const double *alphas; /* positive; the caller's; NULL: the default list */
    int alpha_count;
    bool joint; /* one alpha for all targets: the one with the least squared leave-one-out error
                   summed over them */
} piaa_ridge_options;

/* A fitted model.  Owned by the caller; every array is part of it. */
typedef struct piaa_ridge {
    int64_t rows; /* it was learned from */
    int dim;
    int targets;
    bool mean_only; /* learned from one row: predicts its target, and the leave-one-out figures are
                       NaN */
    double *mean;   /* [dim] */
    double *scale;  /* [dim] standard deviation, 1 for constant columns */
    double *coefficients; /* [targets][dim], per standard deviation, as scikit-learn's coef_ */
    double *weights; /* [targets][dim], the same per unit of the raw column: coefficients / scale */
    double *intercepts; /* [targets] the prediction at the mean */
    double *alphas;     /* [targets] */
    double *loo_rmse;   /* [targets] */
    double *loo; /* [rows][targets] prediction of each row by the model learned without it (with the
                    same alpha and scaler) */
} piaa_ridge;

/*
 * Fits y [n][targets] (row-major).  options may be NULL.  Where several alphas have the same
 * leave-one-out error to rounding, the first in the list wins (scikit-learn's rule, made steady by
 * a tolerance of 1e-12). Errors: a target that is not finite, no targets, an alpha that is not
 * positive and finite, memory.
 */
piaa_ridge *piaa_ridge_fit(piaa_ridge_design *design, const double *y, int targets,
                           const piaa_ridge_options *options, piaa_error *error) PIAA_MUST_USE;
void piaa_ridge_free(piaa_ridge *model);

/*
 * What leaving rows out is computed from (linear/leave_out.h); design of at least 2 rows.
 *
 * errors: leave-one-out errors [n][alpha_count] of one target y [n], for every alpha of a list.
 * slack:  for each alpha the block [count][count] of  S = I - 11'/n - H  that belongs to these
 * rows, H = Z (Z'Z + aI)^-1 Z': S y are the residuals, and those of rows R that are left out
 *         together are (S_RR)^-1 (S y)_R.
 */
bool piaa_ridge_errors(piaa_ridge_design *design, const double *y, const double *alphas,
                       int alpha_count, double *out, piaa_error *error) PIAA_MUST_USE;
bool piaa_ridge_slack(piaa_ridge_design *design, const int64_t *rows, int64_t count,
                      const double *alphas, int alpha_count, double *out,
                      piaa_error *error) PIAA_MUST_USE;

/* The dual coefficients c [n] = (ZZ' + alpha)^-1 (y - intercept), so that the weights are Z'c; and
 * the mean of y, which is the intercept. */
bool piaa_ridge_dual(piaa_ridge_design *design, const double *y, double alpha, double *c,
                     double *intercept, piaa_error *error) PIAA_MUST_USE;

/* Predictions out [count][targets] of raw (unstandardised) rows x [count][dim].  A row's prediction
   does not depend on its company. */
void piaa_ridge_predict(const piaa_ridge *model, const float *x, int64_t count, double *out);

/* sum of weights[j] * (x[j] - mean[j]): the part of a prediction that is not the intercept. */
double piaa_ridge_dot(const double *weights, const double *mean, const float *x, int dim);

#endif
