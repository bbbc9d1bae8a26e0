/* What is asked of LAPACK, and how many threads OpenBLAS may have: none of its own. */
#ifndef PIAA_LINEAR_BLAS_H
#define PIAA_LINEAR_BLAS_H

#include "base/error.h"

/* The symmetric matrix [side][side], of which the upper half by rows is given, becomes the Q of
 * Q T Q': its columns, as rows.  T's diagonal [side] and what stands beside it [side - 1] are
 * written.  (LAPACK's dsytrd and dorgtr.)  The one error is memory. */
bool piaa_blas_tridiagonalise(int side, double *matrix, double *diagonal, double *beside,
                              piaa_error *error) PIAA_MUST_USE;

/* Holds a build of OpenBLAS that has threads of its own at one, for the whole process; the serial
 * build, which is linked where there is one (cmake/dependencies.cmake), has none.  For whoever owns
 * the process: the command line, a benchmark.  The library itself never calls it. */
void piaa_blas_hold(void);

/* Whether this OpenBLAS starts threads of its own when it is loaded. */
bool piaa_blas_threaded(void);

#endif
