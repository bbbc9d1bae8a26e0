/* Columns of float32 rows, in one block or several side by side, brought to mean 0 and standard
   deviation 1. */
#ifndef PIAA_LINEAR_COLUMNS_H
#define PIAA_LINEAR_COLUMNS_H

#include "base/error.h"

/* A block of columns of n rows. */
typedef struct piaa_band {
    const float *x;      /* row-major [*][stride]: the block's columns are the first `dim` */
    const int64_t *rows; /* [n] of x; NULL: the first n */
    int dim;
    int64_t stride; /* 0: dim */
} piaa_band;

/* n rows of all blocks.  What the blocks point to stays the caller's. */
typedef struct piaa_columns {
    piaa_band *bands; /* [count] */
    int count;
    int64_t n;
    int dim; /* of all blocks */
    /* The scaler [dim]; scale is 1 and inverse 0 for constant columns. */
    double *mean, *scale, *inverse;
} piaa_columns;

/*
 * Measures the columns as scikit-learn's StandardScaler does: mean, and population standard
 * deviation.  A column that is constant by scikit-learn's rule (its variance is within the rounding
 * error of computing it) keeps scale 1 and becomes exactly 0, however large its values.  Errors: a
 * value that is not finite (row and column of the block, from 0, are named); memory.
 */
piaa_columns *piaa_columns_new(const piaa_band *bands, int count, int64_t n,
                               piaa_error *error) PIAA_MUST_USE;
void piaa_columns_free(piaa_columns *columns);

/* z [count][width] = columns left .. left + width - 1 of rows first .. first + count - 1, less
   their mean and times inverse [dim]: columns->inverse standardises. */
void piaa_columns_scale(const piaa_columns *columns, const double *inverse, int64_t first,
                        int64_t count, int left, int width, double *z);
void piaa_columns_standardise(const piaa_columns *columns, int64_t first, int64_t count, int left,
                              int width, double *z);

#endif
