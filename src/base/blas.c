/* LAPACK through its Fortran names, and OpenBLAS beside threads.
 *
 * OpenBLAS holds all of LAPACK; the C interface to it (LAPACKE) is another library, which would
 * bring whichever BLAS the system prefers. */
#include "base/blas.h"

#include "base/memory.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>

/* The last argument is the length of the first, which Fortran passes behind all others. */
void dsytrd_(const char *half, const int *n, double *a, const int *stride, double *diagonal,
             double *beside, double *reflectors, double *work, const int *room, int *failed,
             size_t one);
void dorgtr_(const char *half, const int *n, double *a, const int *stride, const double *reflectors,
             double *work, const int *room, int *failed, size_t one);
void dpotrf_(const char *half, const int *n, double *a, const int *stride, int *failed, size_t one);
void dpotri_(const char *half, const int *n, double *a, const int *stride, int *failed, size_t one);
void dsyev_(const char *vectors, const char *half, const int *n, double *a, const int *stride,
            double *values, double *work, const int *room, int *failed, size_t one, size_t other);
void dgeqrf_(const int *rows, const int *columns, double *a, const int *stride, double *reflectors,
             double *work, const int *room, int *failed);
void dorgqr_(const int *rows, const int *columns, const int *count, double *a, const int *stride,
             const double *reflectors, double *work, const int *room, int *failed);

enum { BLOCKED = 64 }; /* columns that LAPACK's blocked algorithms want room for, at most */

static bool cannot(int side, piaa_error *error) {
    return piaa_error_set(error, PIAA_USAGE, "a %d x %d matrix cannot be factorised", side, side);
}
void dpstrf_(const char *half, const int *n, double *a, const int *stride, int *pivots, int *rank,
             const double *tolerance, double *work, int *failed, size_t one);
void dtrtri_(const char *half, const char *unit, const int *n, double *a, const int *stride,
             int *failed, size_t one, size_t two);

bool piaa_blas_tridiagonalise(int side, double *matrix, double *diagonal, double *beside,
                              piaa_error *error) {
    /* Row-major upper is column-major lower. */
    static const char lower = 'L';
    int room = side * BLOCKED, failed = 0;
    double *reflectors = piaa_alloc_array((size_t)side * (1 + BLOCKED), sizeof *reflectors, error);
    if (!reflectors) return false;
    double *work = reflectors + side;
    dsytrd_(&lower, &side, matrix, &side, diagonal, beside, reflectors, work, &room, &failed, 1);
    if (!failed) dorgtr_(&lower, &side, matrix, &side, reflectors, work, &room, &failed, 1);
    free(reflectors);
    return !failed || cannot(side, error);
}

bool piaa_blas_invert(int side, double *matrix, double *log_determinant, piaa_error *error) {
    static const char lower = 'L';
    const size_t n = (size_t)side;
    int failed = 0;
    dpotrf_(&lower, &side, matrix, &side, &failed, 1);
    if (failed) return cannot(side, error);
    *log_determinant = 0;
    for (size_t i = 0; i < n; i++) *log_determinant += 2 * log(matrix[i * (n + 1)]);
    dpotri_(&lower, &side, matrix, &side, &failed, 1);
    if (failed) return cannot(side, error);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) matrix[i * n + j] = matrix[j * n + i];
    return true;
}

bool piaa_blas_eigen(int side, double *matrix, double *values, piaa_error *error) {
    static const char vectors = 'V', lower = 'L';
    int room = side * (BLOCKED + 2), failed = 0;
    double *work = piaa_alloc_array((size_t)room, sizeof *work, error);
    if (!work) return false;
    dsyev_(&vectors, &lower, &side, matrix, &side, values, work, &room, &failed, 1, 1);
    free(work);
    return !failed || cannot(side, error);
}

/* Row-major lower is column-major upper, below. */

bool piaa_blas_cholesky(int side, double *matrix) {
    int failed = 0;
    dpotrf_("U", &side, matrix, &side, &failed, 1);
    return !failed;
}

double *piaa_blas_root(int side, double *matrix, int *rank, piaa_error *error) {
    const size_t n = (size_t)side;
    const double by_rounding = -1; /* where LAPACK takes what is left for nothing */
    int *pivots = piaa_alloc_array(n, sizeof *pivots, error), failed = 0;
    double *work = piaa_alloc_array(2 * n, sizeof *work, error), *root = NULL;
    if (pivots && work) {
        dpstrf_("U", &side, matrix, &side, pivots, rank, &by_rounding, work, &failed, 1);
        root = piaa_alloc(n * (size_t)*rank, sizeof *root, error);
    }
    for (size_t i = 0; root && i < n; i++) {
        double *row = root + (size_t)(pivots[i] - 1) * (size_t)*rank;
        for (size_t k = 0; k < (size_t)*rank && k <= i; k++) row[k] = matrix[i * n + k];
    }
    free(pivots);
    free(work);
    return root;
}

void piaa_blas_invert_lower(int side, double *lower) {
    int failed = 0;
    dtrtri_("U", "N", &side, lower, &side, &failed, 1, 1);
}

bool piaa_blas_orthonormalise(int length, int count, double *columns, piaa_error *error) {
    int room = count * BLOCKED, failed = 0;
    double *reflectors = piaa_alloc_array((size_t)count * (1 + BLOCKED), sizeof *reflectors, error);
    if (!reflectors) return false;
    double *work = reflectors + count;
    dgeqrf_(&length, &count, columns, &length, reflectors, work, &room, &failed);
    if (!failed)
        dorgqr_(&length, &count, &count, columns, &length, reflectors, work, &room, &failed);
    free(reflectors);
    return !failed || cannot(length, error);
}

int piaa_blas_callers(int threads) {
    return openblas_get_parallel() == OPENBLAS_SEQUENTIAL ? 1 : threads;
}

bool piaa_blas_room(int callers, piaa_error *error) {
    static const size_t work_space = (size_t)128 << 20; /* addresses; pages come as needed */
    void *volatile room = malloc(work_space * (size_t)(callers > 1 ? callers : 1));
    free(room);
    return room || piaa_error_set(error, PIAA_MEMORY,
                                  "out of memory: a regression needs %zu MB of address space "
                                  "(ulimit -v) for each thread",
                                  work_space >> 20);
}

void piaa_blas_hold(void) {
    openblas_set_num_threads(1);
}
