/* The loops over columns that every regression goes through, for the instructions of this CPU.  The
   same numbers to the last bit on any: no loop adds in another order, none multiplies and adds in
   one step. */
#ifndef PIAA_LINEAR_LOOPS_H
#define PIAA_LINEAR_LOOPS_H

#include "base/error.h"

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
} piaa_loops;

const piaa_loops *piaa_loops_here(void);

/* What it chooses from: loops_body.h, compiled for each. */
extern const piaa_loops piaa_loops_any, piaa_loops_avx512;

#endif
