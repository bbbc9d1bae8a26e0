/* What benchmarks share: a clock, and the order of what it showed. */
#ifndef PIAA_BENCH_TIMING_H
#define PIAA_BENCH_TIMING_H

#include <time.h>

/* Milliseconds since some moment. */
static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Of doubles, for qsort. */
static inline int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

#endif
