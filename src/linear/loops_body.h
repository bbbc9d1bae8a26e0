/* The loops of loops.h, compiled once for each set of instructions: PIAA_LOOPS names the table.
   Sums that are made side by side are written out one by one: so compilers keep them in registers.
 */
#include "linear/loops.h"

#include "base/portability.h"

#include <string.h>

enum { FLOATS = PIAA_LOOPS_POINTS, DOUBLES = FLOATS / 2 }; /* in the widest register */

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

static double sum_of(const double *sums) {
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static double dot(const double *restrict weights, const double *restrict mean,
                  const float *restrict x, size_t n) {
    double sums[8] = {0};
    size_t j = 0;
    for (; j + 8 <= n; j += 8)
        for (size_t k = 0; k < 8; k++) sums[k] += weights[j + k] * ((double)x[j + k] - mean[j + k]);
    for (; j < n; j++) sums[0] += weights[j] * ((double)x[j] - mean[j]);
    return sum_of(sums);
}

static void dots(double *restrict out, const double *restrict weights, const double *restrict mean,
                 const float *const *x, const float *const *next, size_t n) {
    const float *a = x[0], *b = x[1], *c = x[2], *d = x[3];
    double sums[PIAA_LOOPS_ROWS][DOUBLES] = {{0}};
    size_t j = 0;
    for (; j + FLOATS <= n; j += FLOATS) {
        for (int i = 0; i < PIAA_LOOPS_ROWS; i++) PIAA_PREFETCH(next[i] + j);
        for (size_t i = j; i < j + FLOATS; i += DOUBLES)
            for (size_t k = 0; k < DOUBLES; k++) {
                const double weight = weights[i + k], middle = mean[i + k];
                sums[0][k] += weight * ((double)a[i + k] - middle);
                sums[1][k] += weight * ((double)b[i + k] - middle);
                sums[2][k] += weight * ((double)c[i + k] - middle);
                sums[3][k] += weight * ((double)d[i + k] - middle);
            }
    }
    for (int i = 0; i < PIAA_LOOPS_ROWS; i++) {
        size_t at = j;
        for (; at + DOUBLES <= n; at += DOUBLES)
            for (size_t k = 0; k < DOUBLES; k++)
                sums[i][k] += weights[at + k] * ((double)x[i][at + k] - mean[at + k]);
        for (; at < n; at++) sums[i][0] += weights[at] * ((double)x[i][at] - mean[at]);
        out[i] = sum_of(sums[i]);
    }
}

static void project(float *restrict out, const float *const *x, const float *restrict directions,
                    size_t stride, size_t n) {
    const float *a = x[0], *b = x[1], *c = x[2], *d = x[3], *p = directions, *q = p + stride,
                *r = q + stride, *s = r + stride;
    float sums[4 * PIAA_LOOPS_ROWS][FLOATS] = {{0}};
    size_t j = 0;
    for (; j + FLOATS <= n; j += FLOATS)
        for (size_t k = 0; k < FLOATS; k++) {
            const size_t i = j + k;
            sums[0][k] += a[i] * p[i];
            sums[1][k] += a[i] * q[i];
            sums[2][k] += a[i] * r[i];
            sums[3][k] += a[i] * s[i];
            sums[4][k] += b[i] * p[i];
            sums[5][k] += b[i] * q[i];
            sums[6][k] += b[i] * r[i];
            sums[7][k] += b[i] * s[i];
            sums[8][k] += c[i] * p[i];
            sums[9][k] += c[i] * q[i];
            sums[10][k] += c[i] * r[i];
            sums[11][k] += c[i] * s[i];
            sums[12][k] += d[i] * p[i];
            sums[13][k] += d[i] * q[i];
            sums[14][k] += d[i] * r[i];
            sums[15][k] += d[i] * s[i];
        }
    for (size_t i = 0; i < 4 * PIAA_LOOPS_ROWS; i++) {
        float sum = 0;
        for (size_t k = 0; k < FLOATS; k++) sum += sums[i][k];
        for (size_t at = j; at < n; at++) sum += x[i / 4][at] * directions[i % 4 * stride + at];
        out[i] = sum;
    }
}

static size_t within(int64_t *restrict out, float *restrict squares, const float *restrict point,
                     const float *restrict points, const float *restrict limits, size_t dim,
                     size_t n) {
    size_t count = 0;
    memset(squares, 0, n * sizeof *squares);
    for (size_t k = 0; k < dim; k++)
        for (size_t i = 0; i < n; i++) {
            const float apart = points[k * n + i] - point[k];
            squares[i] += apart * apart;
        }
    for (size_t first = 0; first < n; first += FLOATS) {
        int far = 0;
        for (size_t i = first; i < first + FLOATS; i++) far += squares[i] > limits[i];
        for (size_t i = first; i < first + FLOATS && far < FLOATS; i++)
            if (!(squares[i] > limits[i])) out[count++] = (int64_t)i;
    }
    return count;
}

static float apart(const float *restrict a, const float *restrict b, const float *restrict by,
                   size_t n) {
    float sums[FLOATS] = {0}, sum = 0;
    size_t j = 0;
    for (; j + FLOATS <= n; j += FLOATS)
        for (size_t k = 0; k < FLOATS; k++) {
            const float apart = (a[j + k] - b[j + k]) * by[j + k];
            sums[k] += apart * apart;
        }
    for (size_t k = 0; k < FLOATS; k++) sum += sums[k];
    for (; j < n; j++) sum += (a[j] - b[j]) * by[j] * ((a[j] - b[j]) * by[j]);
    return sum;
}

const piaa_loops PIAA_LOOPS = {add, deviate, scale, gather, dot, dots, project, within, apart};
