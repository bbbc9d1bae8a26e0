/*
 * Times the study's two heavy parts on features given as a file, read by mmap as a store's are.
 *
 *     bench_study probe X Y ROWS COLUMNS TARGETS LAYERS THREADS
 *     bench_study grid  X Y ROWS COLUMNS USERS   LAYERS THREADS
 *
 * X holds ROWS x COLUMNS float32.  probe: Y holds ROWS x TARGETS float64, labels of a data set
 * whose images are the rows (the last eighth of them is the test part); every one of LAYERS layers
 * is probed anew.  grid: Y holds USERS x 150 pairs of float64 (row of X, score): 100 support images
 * and 50 test images a person; Linear-Hidden for all people and LAYERS layers.  Prints, as CSV
 * without a header, the seconds of processor time and a figure to compare: of the probe the alphas
 * and the test R2 of the first target, of the grid the mean Spearman.  study.py calls it.
 */
#include "base/blas.h"
#include "base/file.h"
#include "base/memory.h"
#include "study/personal.h"
#include "study/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUPPORT = 100, TESTS = 50, RATINGS = SUPPORT + TESTS };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* of all threads */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int fail(const piaa_error *error) {
    fprintf(stderr, "bench_study: %s\n", error->message);
    return 1;
}

/* The same features for every layer. */
static piaa_source *make_sources(const float *x, size_t rows, int dim, size_t layers) {
    piaa_source *sources = piaa_alloc(layers, sizeof *sources, NULL);
    int64_t *own = piaa_alloc(rows, sizeof *own, NULL);
    if (!sources || !own) exit(1);
    for (size_t i = 0; i < rows; i++) own[i] = (int64_t)i;
    for (size_t s = 0; s < layers; s++) {
        sources[s] = (piaa_source){
            .slots = {{PIAA_LT, (int)s, dim}}, .parts = 1, .dim = dim, .x = x, .rows = own};
        snprintf(sources[s].name, sizeof sources[s].name, "lt.%zu", s);
        snprintf(sources[s].published, sizeof sources[s].published, "llm_text_L%zu", s);
    }
    return sources;
}

static int probe(piaa_dataset *set, const piaa_source *sources, size_t layers, const double *y,
                 size_t targets, int threads) {
    piaa_error error = {0};
    char *names[64], name[64][16];
    set->attribute_count = targets - 1;
    set->attribute_names = names;
    set->attributes = piaa_alloc(set->image_count * targets, sizeof(double), &error);
    if (targets > 64 || !set->attributes) return 1;
    for (size_t k = 0; k + 1 < targets; k++) {
        snprintf(name[k], sizeof name[k], "attribute %zu", k);
        names[k] = name[k];
    }
    for (size_t i = 0; i < set->image_count; i++) {
        set->images[i].general = y[i * targets];
        set->images[i].split =
            i < set->image_count - set->image_count / 8 ? PIAA_SPLIT_TRAIN : PIAA_SPLIT_TEST;
        memcpy(set->attributes + i * (targets - 1), y + i * targets + 1,
               (targets - 1) * sizeof(double));
    }
    double begin = now();
    piaa_probe *out = piaa_probe_run(set, sources, layers,
                                     &(piaa_probe_options){.threads = threads}, NULL, &error);
    double seconds = now() - begin;
    if (!out) return fail(&error);
    printf("%.4f,%.10f", seconds, out->cells[0].figures[PIAA_TEST].r2);
    for (size_t k = 0; k < targets; k++) printf(",%.6g", out->cells[k].alpha);
    printf("\n");
    piaa_probe_free(out);
    free(set->attributes);
    return 0;
}

static int grid(piaa_dataset *set, const piaa_source *sources, size_t layers, const double *y,
                size_t users, int threads) {
    piaa_error error = {0};
    piaa_protocol protocol = {.options = piaa_protocol_defaults(), .count = users};
    protocol.options.small = 0;
    protocol.options.large = SUPPORT;
    protocol.options.test = TESTS;
    protocol.users = piaa_alloc(users, sizeof *protocol.users, &error);
    set->rating_count = users * RATINGS;
    set->ratings = piaa_alloc(set->rating_count, sizeof *set->ratings, &error);
    set->users = piaa_alloc(users, sizeof *set->users, &error);
    size_t *order = piaa_alloc(set->rating_count, sizeof *order, &error);
    if (!protocol.users || !set->ratings || !set->users || !order) return fail(&error);
    for (size_t i = 0; i < set->rating_count; i++) {
        order[i] = i;
        set->ratings[i] = (piaa_data_rating){
            .user = i / RATINGS, .image = (size_t)y[2 * i], .score = y[2 * i + 1]};
    }
    for (size_t u = 0; u < users; u++) {
        set->users[u].id = "";
        protocol.users[u] = (piaa_protocol_user){
            .user = u, .large = order + u * RATINGS, .test = order + u * RATINGS + SUPPORT};
    }
    double begin = now();
    const piaa_method *const methods[] = {&piaa_method_linear_hidden, NULL};
    const piaa_personal_options options = {.methods = methods, .threads = threads};
    piaa_personal *out = piaa_personal_run(set, &protocol, sources, layers, &options, NULL, &error);
    double seconds = now() - begin;
    if (!out) return fail(&error);
    printf("%.4f,%.10f\n", seconds, out->outcomes[0]->spearman.all.mean);
    piaa_personal_free(out);
    free(protocol.users);
    free(set->ratings);
    free(set->users);
    free(order);
    return 0;
}

int main(int argc, char **argv) {
    piaa_error error = {0};
    piaa_map x, y;
    if (argc != 9 || !piaa_map_open(&x, argv[2], &error) || !piaa_map_open(&y, argv[3], &error)) {
        fprintf(
            stderr, "%s\n",
            argc == 9
                ? error.message
                : "usage: bench_study probe|grid X Y ROWS COLUMNS TARGETS|USERS LAYERS THREADS");
        return 2;
    }
    size_t rows = strtoul(argv[4], NULL, 10), third = strtoul(argv[6], NULL, 10),
           layers = strtoul(argv[7], NULL, 10);
    int dim = atoi(argv[5]), threads = atoi(argv[8]);
    bool probing = strcmp(argv[1], "probe") == 0;
    if (!rows || dim < 1 || !third || !layers || x.size != rows * (size_t)dim * sizeof(float) ||
        y.size != (probing ? rows * third : third * RATINGS * 2) * sizeof(double)) {
        fprintf(stderr, "bench_study: the files do not have the sizes that were given\n");
        return 2;
    }
    piaa_blas_hold();
    piaa_dataset set = {.folder = "made up", .image_count = rows};
    set.images = piaa_alloc(rows, sizeof *set.images, &error);
    if (!set.images) return fail(&error);
    for (size_t i = 0; i < rows; i++) set.images[i].name = set.images[i].path = "";
    piaa_source *sources = make_sources((const float *)(const void *)x.data, rows, dim, layers);
    const double *numbers = (const double *)(const void *)y.data;
    int status = probing ? probe(&set, sources, layers, numbers, third, threads)
                         : grid(&set, sources, layers, numbers, third, threads);
    free(sources[0].rows);
    free(sources);
    free(set.images);
    piaa_map_close(&x);
    piaa_map_close(&y);
    return status;
}
