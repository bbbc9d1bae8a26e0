/*
 * What learning from very many rows takes beside the rows.
 *
 *     bench_stream FILE ROWS COLUMNS [THREADS]
 *
 * FILE, ROWS x COLUMNS float32, is made if it is not there.  Prints CSV: seconds and the most
 * memory that was the process's own (not the mapped file's) for the probe of a layer
 * (linear/ridge.h, one attribute) and for one person's taste (linear/bands.h, near copies looked
 * for where they are).
 */
#include "base/blas.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/portability.h"
#include "linear/bands.h"
#include "linear/near.h"
#include "timing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Noise that is the same for a row and column in every run. */
static float noise(uint64_t row, uint64_t column) {
    uint64_t x = row * 0x9e3779b97f4a7c15U + column * 0xbf58476d1ce4e5b9U + 1;
    x = (x ^ x >> 31) * 0x94d049bb133111ebU;
    x ^= x >> 29;
    return (float)(x >> 40) / (float)(1 << 23) - 1;
}

static bool make(const char *path, size_t rows, size_t columns) {
    FILE *file = fopen(path, "wb");
    float *row = malloc(columns * sizeof *row);
    bool ok = file && row;
    for (size_t i = 0; ok && i < rows; i++) {
        for (size_t j = 0; j < columns; j++) row[j] = noise(i, j) + noise(i, j % 8) * 2;
        ok = fwrite(row, sizeof *row, columns, file) == columns;
    }
    free(row);
    return (!file || fclose(file) == 0) && ok;
}

/* MiB of memory that no file stands behind; 0 where the system does not say. */
static double own_memory(void) {
    char line[256];
    double kib = 0;
    FILE *file = fopen(PIAA_PROC "/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "RssAnon:", 8) == 0) kib = strtod(line + 8, NULL);
    if (file) fclose(file);
    return kib / 1024;
}

typedef struct watch {
    atomic_bool ended;
    double most;
} watch;

static void *look(void *user) {
    watch *w = user;
    while (!atomic_load(&w->ended)) {
        const double here = own_memory();
        if (here > w->most) w->most = here;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return NULL;
}

typedef struct work {
    const float *x;
    double *y;
    int64_t rows;
    int columns, threads;
} work;

static bool probe(const work *w, piaa_error *error) {
    piaa_ridge_design *design =
        piaa_ridge_design_new_shared(w->x, NULL, w->rows, w->columns, w->threads, error);
    piaa_ridge *model = design ? piaa_ridge_fit(design, w->y, 1, NULL, error) : NULL;
    const bool ok = model;
    piaa_ridge_free(model);
    piaa_ridge_design_free(design);
    return ok;
}

static bool taste(const work *w, piaa_error *error) {
    const piaa_band band = {.x = w->x, .dim = w->columns};
    piaa_near *near = piaa_near_find(w->x, NULL, w->rows, w->columns, error);
    piaa_bands *bands = near ? piaa_bands_new(&band, 1, w->rows, error) : NULL;
    piaa_bands_model *model = bands ? piaa_bands_fit(bands, w->y, near->group, NULL, error) : NULL;
    const bool ok = model;
    piaa_bands_model_free(model);
    piaa_bands_free(bands);
    piaa_near_free(near);
    return ok;
}

static bool measure(const char *name, bool (*run)(const work *, piaa_error *), const work *w,
                    piaa_error *error) {
    watch seen = {0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, look, &seen) != 0) return false;
    const double begin = now();
    const bool ok = run(w, error);
    const double seconds = (now() - begin) / 1e3;
    atomic_store(&seen.ended, true);
    pthread_join(thread, NULL);
    if (ok)
        printf("%s,%lld,%d,%.1f,%.0f\n", name, (long long)w->rows, w->columns, seconds, seen.most);
    return ok;
}

int main(int argc, char **argv) {
    piaa_error error = {0};
    piaa_map map = {0};
    if (argc < 4) {
        fprintf(stderr, "bench_stream FILE ROWS COLUMNS [THREADS]\n");
        return 2;
    }
    work w = {
        .rows = atoll(argv[2]), .columns = atoi(argv[3]), .threads = argc > 4 ? atoi(argv[4]) : 2};
    const size_t rows = (size_t)w.rows, columns = (size_t)w.columns;
    piaa_blas_hold();
    bool ok = (piaa_file_exists(argv[1]) || make(argv[1], rows, columns)) &&
              piaa_map_open(&map, argv[1], &error) && map.size == rows * columns * sizeof(float) &&
              (w.y = piaa_alloc_array(rows, sizeof *w.y, &error));
    w.x = (const float *)(const void *)map.data;
    for (size_t i = 0; ok && i < rows; i++)
        w.y[i] = 3 + (double)w.x[i * columns] + (double)noise(i, 1 << 20);
    if (ok) printf("what,rows,columns,seconds,MiB\n");
    ok = ok && measure("probe", probe, &w, &error) && measure("taste", taste, &w, &error);
    piaa_map_close(&map);
    free(w.y);
    if (!ok) fprintf(stderr, "bench_stream: %s\n", error.code ? error.message : argv[1]);
    return !ok;
}
