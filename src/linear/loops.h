/* The loops over columns that every regression goes through, for the instructions of this CPU.  The
   same numbers to the last bit on any: no loop adds in another order, none multiplies and adds in
   one step. */
#ifndef PIAA_LINEAR_LOOPS_H
#define PIAA_LINEAR_LOOPS_H

#include "base/error.h"

/* Rows that are read side by side: what is loaded for one serves all. */
enum { PIAA_LOOPS_ROWS = 4, PIAA_LOOPS_POINTS = 16 };

typedef struct piaa_loops {
    /* sum += x - origin */
    void (*add)(double *sum, const float *x, const float *origin, size_t n);
    /* of x - mean: squares and drift */
    void (*deviate)(double *squares, double *drift, const float *x, const double *mean, size_t n);
    /* out = (x - mean) by */
    void (*scale)(double *out, const float *x, const double *mean, const double *by, size_t n);
    /* out += c (x - mean) */
    void (*gather)(double *out, double c, const float *x, const double *mean, size_t n);
    /* the sum of weights (x - mean), as eight sums */
    double (*dot)(const double *weights, const double *mean, const float *x, size_t n);
    /* the same of PIAA_LOOPS_ROWS rows, each as dot has it; `next` [PIAA_LOOPS_ROWS] are the rows
       that will be read then */
    void (*dots)(double *out, const double *weights, const double *mean, const float *const *x,
                 const float *const *next, size_t n);
    /* out [PIAA_LOOPS_ROWS][4] = the rows' products with directions [4][stride], n of them */
    void (*project)(float *out, const float *const *x, const float *directions, size_t stride,
                    size_t n);
    /* indices of those of n points [dim][n] that `point` [dim] is not farther from, squared, than
       their limits [n] (NaN: it is not); how many.  n is a multiple of PIAA_LOOPS_POINTS; squares
       [n] is scratch */
    size_t (*within)(int64_t *out, float *squares, const float *point, const float *points,
                     const float *limits, size_t dim, size_t n);
    /* the sum of ((a - b) by)^2, as sixteen sums */
    float (*apart)(const float *a, const float *b, const float *by, size_t n);
} piaa_loops;

const piaa_loops *piaa_loops_here(void);

/* What it chooses from: loops_body.h, compiled for each. */
extern const piaa_loops piaa_loops_any, piaa_loops_avx512;

#endif
