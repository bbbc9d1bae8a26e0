/* The loops of loops.h, compiled once for each set of instructions: PIAA_LOOPS names the table. */
#include "linear/loops.h"

static void add(double *restrict sum, const float *restrict x, const float *restrict origin,
                size_t n) {
    for (size_t j = 0; j < n; j++) sum[j] += (double)x[j] - (double)origin[j];
}

static void deviate(double *restrict squares, double *restrict drift, const float *restrict x,
                    const double *restrict mean, size_t n) {
    for (size_t j = 0; j < n; j++) {
        const double deviation = (double)x[j] - mean[j];
        squares[j] += deviation * deviation;
        drift[j] += deviation;
    }
}

static void scale(double *restrict out, const float *restrict x, const double *restrict mean,
                  const double *restrict by, size_t n) {
    for (size_t j = 0; j < n; j++) out[j] = ((double)x[j] - mean[j]) * by[j];
}

static void gather(double *restrict out, double c, const float *restrict x,
                   const double *restrict mean, size_t n) {
    for (size_t j = 0; j < n; j++) out[j] += c * ((double)x[j] - mean[j]);
}

static double dot(const double *restrict weights, const double *restrict mean,
                  const float *restrict x, size_t n) {
    double sums[8] = {0};
    size_t j = 0;
    for (; j + 8 <= n; j += 8)
        for (size_t k = 0; k < 8; k++) sums[k] += weights[j + k] * ((double)x[j + k] - mean[j + k]);
    for (; j < n; j++) sums[0] += weights[j] * ((double)x[j] - mean[j]);
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

const piaa_loops PIAA_LOOPS = {add, deviate, scale, gather, dot};
