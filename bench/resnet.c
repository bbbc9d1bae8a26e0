/* Seconds of a ResNet's forward pass and step of training, as CSV.
 *
 *     bench_resnet forward|train WIDTH BATCH SIDE THREADS ROUNDS
 *
 * Random weights and pixels. cpu and wall are the least of ROUNDS, after one that compiles and is
 * not counted. */
#include "train/resnet.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

typedef struct bench {
    bool train;
    int width, side, threads, rounds;
    int64_t batch;
    piaa_resnet *net;
    piaa_resnet_training *training;
    float *pixels, *features, *gradients;
} bench;

static bool round_of(bench *b, piaa_error *error) {
    if (!b->train)
        return piaa_resnet_predict(b->net, b->pixels, b->batch, b->side, b->side, b->threads,
                                   b->features, error);
    return piaa_resnet_training_forward(b->training, b->pixels, b->batch, b->side, b->side,
                                        b->features, error) &&
           piaa_resnet_training_back(b->training, b->gradients, 1e-4, error);
}

static bool run(bench *b, piaa_error *error) {
    static const int blocks[4] = {3, 4, 6, 3};
    b->net = piaa_resnet_new(b->width, blocks, 1, error);
    if (!b->net) return false;
    b->training = piaa_resnet_training_new(b->net, b->threads, error);
    const size_t pixels = (size_t)b->batch * 3 * (size_t)b->side * (size_t)b->side,
                 features = (size_t)b->batch * (size_t)piaa_resnet_features(b->net);
    b->pixels = piaa_alloc_array(pixels, sizeof(float), error);
    b->features = piaa_alloc_array(features, sizeof(float), error);
    b->gradients = piaa_alloc_array(features, sizeof(float), error);
    if (!b->training || !b->pixels || !b->features || !b->gradients) return false;
    for (size_t i = 0; i < pixels; i++) b->pixels[i] = (float)(i * 2654435761U % 1000) / 250 - 2;
    for (size_t i = 0; i < features; i++)
        b->gradients[i] = (float)(i * 2654435761U % 1000) * 1e-6f - 5e-4f;
    double cpu = HUGE_VAL, wall = HUGE_VAL;
    for (int i = 0; i <= b->rounds; i++) {
        const double cpu_start = seconds_of(CLOCK_PROCESS_CPUTIME_ID),
                     wall_start = seconds_of(CLOCK_MONOTONIC);
        if (!round_of(b, error)) return false;
        const double c = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_start,
                     w = seconds_of(CLOCK_MONOTONIC) - wall_start;
        if (i && c < cpu) cpu = c;
        if (i && w < wall) wall = w;
    }
    printf("%s,%d,%d,%lld,%d,%.4f,%.4f\n", b->train ? "train" : "forward", b->width, b->threads,
           (long long)b->batch, b->side, cpu, wall);
    return true;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: bench_resnet forward|train WIDTH BATCH SIDE THREADS ROUNDS\n");
        return 2;
    }
    bench b = {.train = strcmp(argv[1], "train") == 0,
               .width = atoi(argv[2]),
               .batch = atoll(argv[3]),
               .side = atoi(argv[4]),
               .threads = atoi(argv[5]),
               .rounds = atoi(argv[6])};
    piaa_error error = {0};
    const bool ok = run(&b, &error);
    if (!ok) fprintf(stderr, "bench_resnet: %s\n", error.message);
    piaa_resnet_training_free(b.training);
    piaa_resnet_free(b.net);
    free(b.pixels);
    free(b.features);
    free(b.gradients);
    return ok ? 0 : 1;
}
