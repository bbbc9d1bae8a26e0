/* OpenBLAS's threads. */
#include "linear/blas.h"

#include <cblas.h>

int piaa_blas_threads_worth(int64_t rows, int dim, int available) {
    double n = (double)rows, d = (double)dim, side = n < d ? n : d;
    return n * d * side + 4 * side * side * side < 1e9
               ? 1
               : available; /* multiplications: Gram matrix and its eigenvectors */
}

int piaa_blas_threads_set(int count) {
    int before = openblas_get_num_threads();
    if (count > 0) openblas_set_num_threads(count);
    return before;
}
