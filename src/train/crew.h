/*
 * What every product of this room is made of: OpenBLAS's float32 products by the names of what they
 * do, and jobs that are shared out to threads.
 *
 * A job's size never depends on the number of threads, and no two jobs add to the same number, so
 * that every sum has one order, whoever works on it: results are the same to the last bit on any
 * number of threads.
 */
#ifndef PIAA_TRAIN_CREW_H
#define PIAA_TRAIN_CREW_H

#include "base/error.h"

#include <cblas.h>

/* Products of row-major matrices; strides are of rows, in values.  C = scale A B' + keep C with A
 * [m][k], B [n][k]. */
static inline void piaa_multiply_bt(int64_t m, int64_t n, int64_t k, float scale, const float *a,
                                    int64_t a_stride, const float *b, int64_t b_stride, float keep,
                                    float *c, int64_t c_stride) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, scale, a,
                (int)a_stride, b, (int)b_stride, keep, c, (int)c_stride);
}

/* C = scale A B + keep C with A [m][k], B [k][n]. */
static inline void piaa_multiply(int64_t m, int64_t n, int64_t k, float scale, const float *a,
                                 int64_t a_stride, const float *b, int64_t b_stride, float keep,
                                 float *c, int64_t c_stride) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, scale, a,
                (int)a_stride, b, (int)b_stride, keep, c, (int)c_stride);
}

/* C = scale A' B + keep C with A [k][m], B [k][n]. */
static inline void piaa_multiply_at(int64_t m, int64_t n, int64_t k, float scale, const float *a,
                                    int64_t a_stride, const float *b, int64_t b_stride, float keep,
                                    float *c, int64_t c_stride) {
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)k, scale, a,
                (int)a_stride, b, (int)b_stride, keep, c, (int)c_stride);
}

/* What a layer of the training asks of the machine.  The jobs of a call are run one after another
 * where they are too small for threads to be worth starting. */
typedef struct piaa_crew {
    int threads;
} piaa_crew;

enum { PIAA_CREW_ROWS = 64 }; /* tokens in a job that works row by row */

/* work: about how many multiplications all jobs make together. */
bool piaa_crew_run(const piaa_crew *crew, int64_t jobs, double work,
                   bool (*job)(void *user, size_t i, piaa_error *error), void *user,
                   piaa_error *error) PIAA_MUST_USE;

static inline int64_t piaa_crew_jobs(int64_t items, int64_t size) {
    return (items + size - 1) / size;
}

/* The end of job i's items. */
static inline int64_t piaa_crew_end(size_t i, int64_t items, int64_t size) {
    const int64_t end = ((int64_t)i + 1) * size;
    return end < items ? end : items;
}

#endif
