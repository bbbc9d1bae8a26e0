/* What is asked of LAPACK, and OpenBLAS beside threads. */
#ifndef PIAA_BASE_BLAS_H
#define PIAA_BASE_BLAS_H

#include "base/error.h"

/* The symmetric matrix [side][side], of which the upper half by rows is given, becomes the Q of
 * Q T Q': its columns, as rows.  T's diagonal [side] and what stands beside it [side - 1] are
 * written.  (LAPACK's dsytrd and dorgtr.)  The one error is memory. */
bool piaa_blas_tridiagonalise(int side, double *matrix, double *diagonal, double *beside,
                              piaa_error *error) PIAA_MUST_USE;

/* The symmetric positive definite matrix [side][side], of which the upper half by rows is given,
 * becomes its inverse, whole; *log_determinant is that of the matrix.  (dpotrf, dpotri.)  False
 * where it is not positive definite. */
bool piaa_blas_invert(int side, double *matrix, double *log_determinant,
                      piaa_error *error) PIAA_MUST_USE;

/* The symmetric matrix, given likewise, becomes its eigenvectors, as rows, and values [side] their
 * eigenvalues, ascending.  (dsyev.)  The one error is memory. */
bool piaa_blas_eigen(int side, double *matrix, double *values, piaa_error *error) PIAA_MUST_USE;
/* The columns [count][length], one behind the other, become orthonormal ones that span the same
 * (and others where they depend on each other); count at most length.  (dgeqrf and dorgqr.)  The
 * one error is memory. */
bool piaa_blas_orthonormalise(int length, int count, double *columns,
                              piaa_error *error) PIAA_MUST_USE;

/* Of the symmetric matrix [side][side], of which the lower half by rows is read: L in that half,
 * matrix = L L'.  False where it is not positive definite.  (LAPACK's dpotrf.) */
bool piaa_blas_cholesky(int side, double *matrix) PIAA_MUST_USE;

/* The same of a matrix that may be singular, with rows in an order of its own: F [side][rank] by
 * rows, matrix = F F' but for rounding, in new memory.  The matrix is overwritten.  (LAPACK's
 * dpstrf.)  NULL: memory. */
double *piaa_blas_root(int side, double *matrix, int *rank, piaa_error *error) PIAA_MUST_USE;

/* L^-1 in place of L, the lower half by rows.  (LAPACK's dtrtri.) */
void piaa_blas_invert_lower(int side, double *lower);

/* Of `threads` that would call BLAS at a time, how many may: all of them, but one where OpenBLAS
 * was built without threads, and by that without the locks that keep two callers from sharing one
 * work space (Debian's libopenblas0-serial does, and gives wrong numbers without a word). */
int piaa_blas_callers(int threads);

/* Whether `callers` of BLAS at a time find room.  OpenBLAS takes a work space for each, and asks
 * again for ever where there is none (ulimit -v).  The one error is memory. */
bool piaa_blas_room(int callers, piaa_error *error) PIAA_MUST_USE;

/* Holds OpenBLAS's own threads at one for the whole process: ours call it side by side.  For
 * whoever owns the process: the command line, a benchmark.  The library itself never calls it. */
void piaa_blas_hold(void);

#endif
