/* OpenBLAS's threads, which belong to the whole process. */
#ifndef PIAA_LINEAR_BLAS_H
#define PIAA_LINEAR_BLAS_H

#include <stdint.h>

/* How many of `available` threads a design of this size is worth: 1 for a person's hundred photos
 * (100 x 2,560 takes 1.7 ms on one thread, and on two 2.2 ms, or 12 ms where another program wants
 * the second core), all of them from about half a second of work on. */
int piaa_blas_threads_worth(int64_t rows, int dim, int available);

/* Sets the number of threads of every later BLAS and LAPACK call in this process; returns the
 * number before.  For whoever owns the process: the command line, a benchmark.  The library itself
 * never calls it. */
int piaa_blas_threads_set(int count);

#endif
