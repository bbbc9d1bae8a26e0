/*
 * Percentile bootstrap (Efron 1979): the mean of n people's figures is computed again for many
 * draws of n people with replacement; the 2.5th and 97.5th percentile of those means bound it.  A
 * paired test does the same with the differences between two methods, so that what makes a person
 * hard for both cancels out.
 */
#include "linear/bootstrap.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* numpy.percentile's linear rule, of a sorted list. */
static double percentile(const double *sorted, int n, double percent) {
    double at = percent / 100 * (n - 1);
    int below = (int)floor(at);
    if (below + 1 >= n) return sorted[n - 1];
    return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

/* Means of the resamples [lists][draws], each list sorted. */
static double *resample(const double *values, size_t lists, size_t n, int draws, uint32_t seed,
                        piaa_error *error) {
    size_t count = (size_t)draws;
    double *means = piaa_alloc_array(lists * count, sizeof *means, error);
    size_t *drawn = piaa_alloc_array(n, sizeof *drawn, error);
    piaa_random *random = means && drawn ? piaa_alloc(1, sizeof *random, error) : NULL;
    if (!random) {
        free(means);
        free(drawn);
        return NULL;
    }
    piaa_random_seed_numpy(random, seed);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < n; j++) drawn[j] = (size_t)piaa_random_interval(random, n - 1);
        for (size_t list = 0; list < lists; list++) {
            const double *own = values + list * n;
            double sum = 0;
            for (size_t j = 0; j < n; j++) sum += own[drawn[j]];
            means[list * count + i] = sum / (double)n;
        }
    }
    free(random);
    free(drawn);
    for (size_t list = 0; list < lists; list++)
        qsort(means + list * count, count, sizeof *means, ascending);
    return means;
}

/* p (of the first list) may be NULL. */
static bool bootstrap(const double *values, size_t lists, size_t n, int draws, uint32_t seed,
                      piaa_interval *out, double *p, piaa_error *error) {
    for (size_t list = 0; list < lists; list++) out[list] = (piaa_interval){NAN, NAN, NAN};
    if (p) *p = NAN;
    if (draws < 1) return piaa_error_set(error, PIAA_USAGE, "a bootstrap needs at least one draw");
    if (!n || !lists) return true;
    double *means = resample(values, lists, n, draws, seed, error);
    if (!means) return false;
    for (size_t list = 0; list < lists; list++) {
        const double *sorted = means + list * (size_t)draws;
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += values[list * n + i];
        out[list] = (piaa_interval){sum / (double)n, percentile(sorted, draws, 2.5),
                                    percentile(sorted, draws, 97.5)};
    }
    if (p) {
        int low = 0, high = 0;
        for (int i = 0; i < draws; i++) {
            low += means[i] <= 0;
            high += means[i] >= 0;
        }
        *p = fmin(1, 2.0 * ((low < high ? low : high) + 1) / (draws + 1.0));
    }
    free(means);
    return true;
}

bool piaa_bootstrap_mean(const double *values, size_t n, int draws, uint32_t seed,
                         piaa_interval *out, piaa_error *error) {
    return bootstrap(values, 1, n, draws, seed, out, NULL, error);
}

bool piaa_bootstrap_means(const double *values, size_t lists, size_t n, int draws, uint32_t seed,
                          piaa_interval *out, piaa_error *error) {
    return bootstrap(values, lists, n, draws, seed, out, NULL, error);
}

bool piaa_bootstrap_paired(const double *a, const double *b, size_t n, int draws, uint32_t seed,
                           piaa_interval *difference, double *p, piaa_error *error) {
    double *d = piaa_alloc_array(n, sizeof *d, error);
    if (!d) return false;
    for (size_t i = 0; i < n; i++) d[i] = a[i] - b[i];
    bool ok = bootstrap(d, 1, n, draws, seed, difference, p, error);
    free(d);
    return ok;
}

bool piaa_bootstrap_holm(const double *p, size_t count, double *adjusted, piaa_error *error) {
    double *sorted = piaa_alloc_array(count, sizeof *sorted, error);
    if (!sorted) return false;
    size_t tests = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(p[i])) sorted[tests++] = p[i];
    qsort(sorted, tests, sizeof *sorted, ascending);
    for (size_t i = 0; i < count; i++) {
        double own = p[i], most = NAN;
        for (size_t k = 0; k < tests && sorted[k] <= own; k++)
            most = fmax(most, fmin(1, sorted[k] * (double)(tests - k)));
        adjusted[i] = most;
    }
    free(sorted);
    return true;
}
