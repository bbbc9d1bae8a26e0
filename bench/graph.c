/*
 * Times PIAA-ICI's attribute graph.
 *
 *     bench_graph FILE step THREADS SECONDS
 *     bench_graph FILE people THREADS PEOPLE
 *
 * FILE (safetensors, float32, of graph.py) holds the weights "w.…", the ratings "in.user",
 * "in.attr", "in.dis", "in.y" and, where the graph is full, people's "in.cat" and "in.num".  As CSV
 * without a header: step prints how many were made, median and least milliseconds, median
 * milliseconds of processor time, and the loss of step 20; people fine-tunes to one person after
 * another, 50 steps each on all ratings, THREADS at a time, and prints seconds and the last one's
 * loss.
 */
#include "base/blas.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "train/attribute_graph.h"
#include "weights/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 100000, TOLD = 20, STEPS = 50 };

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

typedef struct bench {
    piaa_safetensors *file;
    piaa_graph *graph;
    piaa_graph_rows rows;
    float *attributes, *bins, *scores, *numbers;
    int64_t *photo, *user;
    int *categories;
    double *wall, *cpu;
    int threads;
    double losses[MOST];
} bench;

static float *read_floats(const bench *b, const char *name, size_t *count, piaa_error *error) {
    const piaa_tensor *tensor = piaa_safetensors_find(b->file, name);
    if (!tensor || tensor->type != PIAA_F32) {
        piaa_error_set(error, PIAA_FORMAT, "no float32 %s", name);
        return NULL;
    }
    *count = (size_t)piaa_tensor_count(tensor);
    float *out = piaa_alloc(*count, sizeof *out, error);
    if (out) piaa_tensor_to_float(tensor, out);
    return out;
}

static int64_t rows_of(const bench *b, const char *name, int axis) {
    const piaa_tensor *tensor = piaa_safetensors_find(b->file, name);
    return tensor && tensor->dimensions == 2 ? tensor->shape[axis] : 0;
}

static bool read_graph(bench *b, const char *path, piaa_error *error) {
    piaa_graph_shape shape = piaa_graph_published;
    shape.users = (int)rows_of(b, "w.user_id_emb.weight", 0);
    shape.full = piaa_safetensors_find(b->file, "in.cat") != NULL;
    for (int i = 0; shape.full && i < PIAA_GRAPH_CATEGORIES; i++) {
        char name[80];
        snprintf(name, sizeof name, "w.user_cat_emb.%s.weight", piaa_graph_categories[i]);
        shape.words[i] = (int)rows_of(b, name, 0);
    }
    size_t count;
    b->graph = piaa_graph_new(&shape, 1, error);
    if (!b->graph) return false;
    const piaa_named *tensors = piaa_graph_tensors(b->graph, &count);
    return piaa_named_read(tensors, count, "w.", path, error);
}

static bool read_rows(bench *b, piaa_error *error) {
    size_t n, all;
    float *user = read_floats(b, "in.user", &n, error), *words = NULL;
    if (!user || !(b->attributes = read_floats(b, "in.attr", &all, error)) ||
        !(b->bins = read_floats(b, "in.dis", &all, error)) ||
        !(b->scores = read_floats(b, "in.y", &all, error)) ||
        !(b->photo = piaa_alloc(n, sizeof *b->photo, error)) ||
        !(b->user = piaa_alloc(n, sizeof *b->user, error))) {
        free(user);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        b->photo[i] = (int64_t)i;
        b->user[i] = (int64_t)user[i];
    }
    free(user);
    if (piaa_graph_get_shape(b->graph)->full) {
        if (!(words = read_floats(b, "in.cat", &all, error)) ||
            !(b->categories = piaa_alloc(all, sizeof *b->categories, error)) ||
            !(b->numbers = read_floats(b, "in.num", &all, error))) {
            free(words);
            return false;
        }
        for (size_t i = 0; i < all; i++) b->categories[i] = (int)words[i];
        free(words);
    }
    b->rows = (piaa_graph_rows){(int64_t)n, b->attributes, b->bins,    b->photo,
                                b->user,    b->categories, b->numbers, b->scores};
    return true;
}

static bool time_steps(bench *b, double seconds, piaa_error *error) {
    piaa_graph_training *t = piaa_graph_training_new(b->graph, PIAA_TUNE_ALL, b->threads, error);
    b->wall = piaa_alloc(MOST, sizeof *b->wall, error);
    b->cpu = piaa_alloc(MOST, sizeof *b->cpu, error);
    bool ok = t && b->wall && b->cpu;
    int made = 0;
    for (const double start = now(CLOCK_MONOTONIC);
         ok && made < MOST && (made < TOLD || now(CLOCK_MONOTONIC) - start < seconds * 1e3);
         made++) {
        const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        ok = piaa_graph_training_step(t, &b->rows, 1e-4, &b->losses[made], error);
        b->wall[made] = now(CLOCK_MONOTONIC) - wall;
        b->cpu[made] = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    }
    piaa_graph_training_free(t);
    if (!ok) return false;
    qsort(b->wall, (size_t)made, sizeof *b->wall, ascending);
    qsort(b->cpu, (size_t)made, sizeof *b->cpu, ascending);
    printf("%d,%.3f,%.3f,%.3f,%.6f\n", made, b->wall[made / 2], b->wall[0], b->cpu[made / 2],
           b->losses[TOLD - 1]);
    return true;
}

static bool tune(void *user, size_t i, piaa_error *error) {
    bench *b = user;
    piaa_graph *own =
        piaa_graph_for_people(b->graph, piaa_graph_get_shape(b->graph)->users, 1, error);
    piaa_graph_training *t = own && piaa_graph_assign(own, b->graph)
                                 ? piaa_graph_training_new(own, PIAA_TUNE_ALL, 1, error)
                                 : NULL;
    bool ok = t != NULL;
    for (int step = 0; ok && step < STEPS; step++)
        ok = piaa_graph_training_step(t, &b->rows, 1e-5, &b->losses[i], error);
    piaa_graph_training_free(t);
    piaa_graph_free(own);
    return ok;
}

static bool time_people(bench *b, int people, piaa_error *error) {
    const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    if (people < 1 || people > MOST) return piaa_error_set(error, PIAA_USAGE, "not so many people");
    if (!piaa_parallel_run((size_t)people, piaa_blas_callers(b->threads), tune, b, NULL, NULL,
                           error))
        return false;
    printf("%.3f,%.3f,%.6f\n", (now(CLOCK_MONOTONIC) - wall) / 1e3,
           (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3, b->losses[people - 1]);
    return true;
}

static bool run(bench *b, char **words, piaa_error *error) {
    b->file = piaa_safetensors_open(words[1], error);
    if (!b->file || !read_graph(b, words[1], error) || !read_rows(b, error)) return false;
    b->threads = atoi(words[3]);
    if (strcmp(words[2], "people") == 0) return time_people(b, atoi(words[4]), error);
    return time_steps(b, atof(words[4]), error);
}

int main(int count, char **words) {
    static bench b;
    piaa_error error = {0};
    if (count != 5) {
        fprintf(stderr, "usage: bench_graph FILE step|people THREADS SECONDS|PEOPLE\n");
        return 2;
    }
    piaa_blas_hold();
    const bool ok = run(&b, words, &error);
    if (!ok) fprintf(stderr, "bench_graph: %s\n", error.message);
    piaa_graph_free(b.graph);
    piaa_safetensors_close(b.file);
    free(b.attributes);
    free(b.bins);
    free(b.scores);
    free(b.numbers);
    free(b.photo);
    free(b.user);
    free(b.categories);
    free(b.wall);
    free(b.cpu);
    return ok ? 0 : 1;
}
