/* The columns of float32 rows, brought to mean 0 and standard deviation 1. */
#ifndef PIAA_LINEAR_COLUMNS_H
#define PIAA_LINEAR_COLUMNS_H

#include "base/error.h"

typedef struct piaa_columns {
    const float *x;      /* [*][stride], the caller's */
    const int64_t *rows; /* [n] of x; NULL: the first n.  The caller's */
    int64_t n;
    int dim;
    int64_t stride; /* numbers from one row of x to the next, at least dim */
    /* By piaa_columns_measure, [dim]: the scaler; scale is 1 and inverse 0 for constant columns. */
    double *mean, *scale, *inverse;
} piaa_columns;

/*
 * Measures the columns as scikit-learn's StandardScaler does: mean, and population standard
 * deviation.  A column that is constant by scikit-learn's rule (its variance is within the rounding
 * error of computing it) keeps scale 1 and becomes exactly 0, however large its values.  Errors: a
 * value that is not finite (row and column, from 0, are named); memory.
 */
bool piaa_columns_measure(piaa_columns *columns, piaa_error *error) PIAA_MUST_USE;
/* Frees what was measured. */
void piaa_columns_clear(piaa_columns *columns);

/* z [count][width] = columns left .. left + width - 1 of rows first .. first + count - 1,
   standardised. */
void piaa_columns_standardise(const piaa_columns *columns, int64_t first, int64_t count, int left,
                              int width, double *z);

/* Row i of the n. */
const float *piaa_columns_row(const piaa_columns *columns, int64_t i);

#endif
