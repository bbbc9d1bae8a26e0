/*
 * Times the choice of photos to rate (src/linear/choose.h); bench/choose.py makes the features.
 *
 *     bench_choose FEATURES ROWS COLUMNS STRATEGY COUNT [RANK [THREADS]]
 *
 * FEATURES: ROWS x COLUMNS float32.  Prints CSV: milliseconds to the first choice, of each next one
 * (median and most), the process's peak memory in MB, and the rows chosen.
 */
#include "linear/choose.h"
#include "base/blas.h"
#include "base/file.h"
#include "base/memory.h"
#include "timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000 };

/* In MB, of this program alone: rusage's begins with that of who started it. */
static double peak_memory(void) {
    char line[256];
    long kilobytes = 0;
    FILE *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, "VmHWM:", 6) == 0) kilobytes = strtol(line + 6, NULL, 10);
    if (in) fclose(in);
    return (double)kilobytes / 1024;
}

static bool measure(const float *x, int64_t rows, int columns, int count,
                    const piaa_choosing *choosing, piaa_error *error) {
    static double times[MOST];
    static int64_t chosen[MOST];
    const piaa_band band = {.x = x, .dim = columns};
    double begin = now();
    piaa_chooser *chooser = piaa_chooser_new(&band, 1, rows, 0, choosing, error);
    if (!chooser) return false;
    int done = 0;
    for (piaa_chosen next; done < count && piaa_chooser_next(chooser, &next); done++) {
        chosen[done] = next.index;
        times[done] = now() - begin;
        begin = now();
    }
    piaa_chooser_free(chooser);
    if (done < 2) return piaa_error_set(error, PIAA_USAGE, "fewer than two photos to choose");
    qsort(times + 1, (size_t)done - 1, sizeof *times, ascending);
    printf("%.1f,%.2f,%.2f,%.0f", times[0], times[1 + (done - 1) / 2], times[done - 1],
           peak_memory());
    for (int i = 0; i < done; i++) printf(",%lld", (long long)chosen[i]);
    printf("\n");
    return true;
}

static long number(int count, char **words, int at, long otherwise) {
    return count > at ? strtol(words[at], NULL, 10) : otherwise;
}

int main(int count, char **words) {
    const int64_t rows = number(count, words, 2, 0);
    const long columns = number(count, words, 3, 0), steps = number(count, words, 5, 0);
    const piaa_choosing choosing = {.strategy =
                                        count > 4 ? piaa_strategy_find(words[4]) : PIAA_STRATEGIES,
                                    .rank = (int)number(count, words, 6, 0),
                                    .threads = (int)number(count, words, 7, 1)};
    if (choosing.strategy == PIAA_STRATEGIES || rows < 2 || columns < 1 || steps < 2 ||
        steps > MOST) {
        fprintf(stderr, "usage: bench_choose FEATURES ROWS COLUMNS STRATEGY COUNT [RANK "
                        "[THREADS]]\n");
        return 2;
    }
    piaa_blas_hold();
    piaa_error error = {0};
    float *x = piaa_alloc_array((size_t)(rows * columns), sizeof *x, &error);
    FILE *in = x ? fopen(words[1], "rb") : NULL;
    bool ok = in && fread(x, sizeof *x, (size_t)(rows * columns), in) == (size_t)(rows * columns);
    if (in) fclose(in);
    if (!ok && !piaa_error_pending(&error))
        piaa_error_set(&error, PIAA_IO, "%s does not hold %lld x %ld numbers", words[1],
                       (long long)rows, columns);
    ok = ok && measure(x, rows, (int)columns, (int)steps, &choosing, &error);
    free(x);
    if (!ok) fprintf(stderr, "bench_choose: %s\n", error.message);
    return !ok;
}
