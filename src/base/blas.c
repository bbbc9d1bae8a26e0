/* LAPACK through its Fortran names, and OpenBLAS beside threads.
 *
 * OpenBLAS holds all of LAPACK; the C interface to it (LAPACKE) is another library, which would
 * bring whichever BLAS the system prefers. */
#include "base/blas.h"

#include "base/memory.h"

#include <cblas.h>

#include <stdlib.h>

/* The last argument is the length of the first, which Fortran passes behind all others. */
void dsytrd_(const char *half, const int *n, double *a, const int *stride, double *diagonal,
             double *beside, double *reflectors, double *work, const int *room, int *failed,
             size_t one);
void dorgtr_(const char *half, const int *n, double *a, const int *stride, const double *reflectors,
             double *work, const int *room, int *failed, size_t one);

bool piaa_blas_tridiagonalise(int side, double *matrix, double *diagonal, double *beside,
                              piaa_error *error) {
    enum { BLOCKED = 64 }; /* columns that LAPACK's blocked algorithms want room for, at most */
    /* Row-major upper is column-major lower. */
    static const char lower = 'L';
    int room = side * BLOCKED, failed = 0;
    double *reflectors = piaa_alloc_array((size_t)side * (1 + BLOCKED), sizeof *reflectors, error);
    if (!reflectors) return false;
    double *work = reflectors + side;
    dsytrd_(&lower, &side, matrix, &side, diagonal, beside, reflectors, work, &room, &failed, 1);
    if (!failed) dorgtr_(&lower, &side, matrix, &side, reflectors, work, &room, &failed, 1);
    free(reflectors);
    return !failed ||
           piaa_error_set(error, PIAA_USAGE, "a %d x %d matrix cannot be factorised", side, side);
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
