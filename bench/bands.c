/*
 * Times learning a taste from several blocks of features with a prior (src/linear/bands.h).
 *
 *     bench_bands [ROWS [COLUMNS [BLOCKS [DIRECTIONS [SECONDS]]]]]        (100 7680 3 16 3)
 *
 * One thread.  Made-up features; the prior's mean tells something.  Medians in milliseconds of
 * processor time: the products of rows, what the prior says of them, the choice among strengths of
 * the prior and alphas (nested), the same with the chance of random ratings, and all of it but the
 * latter.
 */
#include "linear/bands.h"
#include "base/blas.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 10000, MOST_BLOCKS = 64, PARTS = 5 };

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* About normal. */
static double normal(piaa_random *random) {
    double sum = -6;
    for (int k = 0; k < 12; k++) sum += piaa_random_unit(random);
    return sum;
}

typedef struct made_up {
    int64_t n;
    int dim, blocks, rank;
    float *x;
    double *y, *mean, *directions, *scale;
    piaa_band bands[MOST_BLOCKS];
} made_up;

static bool make(made_up *m, piaa_error *error) {
    size_t n = (size_t)m->n, d = (size_t)m->dim;
    piaa_random *random = piaa_alloc(1, sizeof *random, error);
    if (!random || !(m->x = piaa_alloc_array(n * d, sizeof(float), error)) ||
        !(m->y = piaa_alloc_array(n, sizeof(double), error)) ||
        !(m->mean = piaa_alloc_array(d, sizeof(double), error)) ||
        !(m->scale = piaa_alloc_array(d, sizeof(double), error)) ||
        !(m->directions = piaa_alloc_array(d * (size_t)(m->rank + 1), sizeof(double), error))) {
        free(random);
        return false;
    }
    piaa_random_seed_numpy(random, 1);
    for (size_t j = 0; j < d; j++) {
        m->mean[j] = normal(random) / sqrt((double)d);
        m->scale[j] = 1;
    }
    for (size_t j = 0; j < d * (size_t)m->rank; j++) m->directions[j] = normal(random);
    for (size_t i = 0; i < n; i++) {
        m->y[i] = 3 + normal(random);
        for (size_t j = 0; j < d; j++) {
            m->x[i * d + j] = (float)normal(random);
            m->y[i] += m->mean[j] * (double)m->x[i * d + j];
        }
    }
    free(random);
    int at = 0;
    for (int b = 0; b < m->blocks; b++) {
        int width = m->dim / m->blocks + (b < m->dim % m->blocks);
        m->bands[b] = (piaa_band){.x = m->x + at, .dim = width, .stride = m->dim};
        at += width;
    }
    return true;
}

static bool measure(const made_up *m, double *times, piaa_error *error) {
    static const double spreads[] = {0, 0.1, 1, 10}, leads[] = {0, 0.5, 1};
    const piaa_bands_prior prior = {
        .mean = m->mean, .directions = m->directions, .scale = m->scale, .rank = m->rank};
    piaa_bands_options options = {.spreads = spreads,
                                  .spread_count = PIAA_COUNT(spreads),
                                  .leads = leads,
                                  .lead_count = PIAA_COUNT(leads),
                                  .leaving = {.no_chance = true}};
    double begin = now(CLOCK_PROCESS_CPUTIME_ID);
    piaa_bands *bands = piaa_bands_new(m->bands, m->blocks, m->n, error);
    times[0] = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
    bool ok = bands && piaa_bands_add_prior(bands, &prior, error);
    times[1] = now(CLOCK_PROCESS_CPUTIME_ID) - begin - times[0];
    piaa_bands_model *model = ok ? piaa_bands_fit(bands, m->y, NULL, &options, error) : NULL;
    times[4] = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
    times[2] = times[4] - times[0] - times[1];
    piaa_bands_model_free(model);
    if (!model) return false;
    options.leaving.no_chance = false;
    begin = now(CLOCK_PROCESS_CPUTIME_ID);
    model = piaa_bands_fit(bands, m->y, NULL, &options, error);
    times[3] = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
    piaa_bands_model_free(model);
    piaa_bands_free(bands);
    return model != NULL;
}

int main(int count, char **words) {
    static double times[PARTS][MOST];
    const int numbers[] = {100, 7680, 3, 16, 3};
    int given[PARTS];
    for (int i = 0; i < PARTS; i++)
        given[i] = count > i + 1 ? atoi(words[i + 1]) : numbers[i]; /* NOLINT(cert-err34-c) */
    made_up m = {.n = given[0], .dim = given[1], .blocks = given[2], .rank = given[3]};
    if (m.n < 2 || m.blocks < 1 || m.blocks > MOST_BLOCKS || m.dim < m.blocks || m.rank < 0) {
        fprintf(stderr, "usage: bench_bands [ROWS [COLUMNS [BLOCKS [DIRECTIONS [SECONDS]]]]]\n");
        return 2;
    }
    piaa_blas_hold();
    piaa_error error = {0};
    int repeats = 0;
    bool ok = make(&m, &error);
    for (double start = now(CLOCK_MONOTONIC);
         ok && repeats < MOST && now(CLOCK_MONOTONIC) - start < given[4] * 1e3; repeats++) {
        double one[PARTS] = {0};
        ok = measure(&m, one, &error);
        for (int k = 0; k < PARTS; k++) times[k][repeats] = one[k];
    }
    free(m.x), free(m.y), free(m.mean), free(m.directions), free(m.scale);
    if (!ok || !repeats) {
        fprintf(stderr, "bench_bands: %s\n", ok ? "no time" : error.message);
        return 1;
    }
    printf("products_ms,prior_ms,choice_ms,with_chance_ms,fit_ms\n");
    for (int k = 0; k < PARTS; k++) {
        qsort(times[k], (size_t)repeats, sizeof **times, ascending);
        printf("%.2f%s", times[k][repeats / 2], k + 1 < PARTS ? "," : "\n");
    }
    return 0;
}
