/*
 * Times learning a taste: standardising, factorising, choosing alpha.
 *
 *     bench_fit X Y ROWS COLUMNS TARGETS SECONDS
 *
 * X holds ROWS x COLUMNS float32, Y ROWS x TARGETS float64, raw.  Repeats for about SECONDS and
 * prints, as CSV without a header: repeats, median and best milliseconds of processor time of the
 * whole, the median of the design alone, and the alpha of each target.  fit.py calls it.
 */
#include "base/file.h"
#include "base/memory.h"
#include "linear/ridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 100000 };

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

int main(int argc, char **argv) {
    piaa_error error = {0};
    piaa_map x, y;
    if (argc != 7 || !piaa_map_open(&x, argv[1], &error) || !piaa_map_open(&y, argv[2], &error)) {
        fprintf(stderr, "%s\n",
                argc == 7 ? error.message : "usage: bench_fit X Y ROWS COLUMNS TARGETS SECONDS");
        return 2;
    }
    int64_t n = atoll(argv[3]);
    int dim = atoi(argv[4]), targets = atoi(argv[5]), repeats = 0;
    double limit = atof(argv[6]) * 1e3, *whole = malloc(MOST * sizeof *whole),
           *part = malloc(MOST * sizeof *part);
    if (!whole || !part || n < 1 || dim < 1 || targets < 1 ||
        x.size != (size_t)n * (size_t)dim * sizeof(float) ||
        y.size != (size_t)n * (size_t)targets * sizeof(double)) {
        fprintf(stderr, "bench_fit: the files do not have the sizes that were given\n");
        return 2;
    }
    piaa_ridge *model = NULL;
    for (double start = now(CLOCK_MONOTONIC);
         repeats < MOST && (repeats < 3 || now(CLOCK_MONOTONIC) - start < limit); repeats++) {
        piaa_ridge_free(model);
        double begin = now(CLOCK_PROCESS_CPUTIME_ID);
        piaa_ridge_design *design =
            piaa_ridge_design_new((const float *)(const void *)x.data, NULL, n, dim, &error);
        part[repeats] = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
        model = piaa_ridge_fit(design, (const double *)(const void *)y.data, targets, NULL, &error);
        piaa_ridge_design_free(design);
        whole[repeats] = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
        if (!model) {
            fprintf(stderr, "bench_fit: %s\n", error.message);
            return 1;
        }
    }
    qsort(whole, (size_t)repeats, sizeof *whole, ascending);
    qsort(part, (size_t)repeats, sizeof *part, ascending);
    printf("%d,%.4f,%.4f,%.4f", repeats, whole[repeats / 2], whole[0], part[repeats / 2]);
    for (int k = 0; k < targets; k++) printf(",%.17g", model->alphas[k]);
    printf("\n");
    piaa_ridge_free(model);
    piaa_map_close(&x);
    piaa_map_close(&y);
    free(whole);
    free(part);
    return 0;
}
