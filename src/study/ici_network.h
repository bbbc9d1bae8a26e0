/* The ResNet that a front may be; until this program has one, what asks for it says so. */
#ifndef PIAA_STUDY_ICI_NETWORK_H
#define PIAA_STUDY_ICI_NETWORK_H

#include "train/named.h"

typedef struct piaa_resnet piaa_resnet;
typedef struct piaa_resnet_training piaa_resnet_training;

static inline bool piaa_resnet_is_missing(piaa_error *error) {
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "this piaa cannot run a ResNet: take --front features");
}

static inline const char *piaa_resnet_library(void) {
    return NULL;
}

static inline piaa_resnet *piaa_resnet_open(const char *path, piaa_error *error) {
    PIAA_UNUSED(path);
    piaa_resnet_is_missing(error);
    return NULL;
}

static inline piaa_resnet *piaa_resnet_new(int width, const int blocks[4], uint32_t seed,
                                           piaa_error *error) {
    PIAA_UNUSED(width), PIAA_UNUSED(blocks), PIAA_UNUSED(seed);
    piaa_resnet_is_missing(error);
    return NULL;
}

static inline void piaa_resnet_free(piaa_resnet *net) {
    PIAA_UNUSED(net);
}

static inline int piaa_resnet_features(const piaa_resnet *net) {
    PIAA_UNUSED(net);
    return 1;
}

static inline bool piaa_resnet_predict(piaa_resnet *net, const float *pixels, int64_t n, int rows,
                                       int columns, int threads, float *features,
                                       piaa_error *error) {
    PIAA_UNUSED(net), PIAA_UNUSED(pixels), PIAA_UNUSED(n), PIAA_UNUSED(rows);
    PIAA_UNUSED(columns), PIAA_UNUSED(threads), PIAA_UNUSED(features);
    return piaa_resnet_is_missing(error);
}

static inline const piaa_named *piaa_resnet_tensors(const piaa_resnet *net, size_t *count) {
    PIAA_UNUSED(net);
    *count = 0;
    return NULL;
}

static inline void piaa_resnet_changed(piaa_resnet *net) {
    PIAA_UNUSED(net);
}

static inline piaa_resnet_training *piaa_resnet_training_new(piaa_resnet *net, int threads,
                                                             piaa_error *error) {
    PIAA_UNUSED(net), PIAA_UNUSED(threads);
    piaa_resnet_is_missing(error);
    return NULL;
}

static inline void piaa_resnet_training_free(piaa_resnet_training *training) {
    PIAA_UNUSED(training);
}

static inline bool piaa_resnet_training_forward(piaa_resnet_training *training, const float *pixels,
                                                int64_t n, int rows, int columns, float *features,
                                                piaa_error *error) {
    PIAA_UNUSED(training), PIAA_UNUSED(pixels), PIAA_UNUSED(n), PIAA_UNUSED(rows);
    PIAA_UNUSED(columns), PIAA_UNUSED(features);
    return piaa_resnet_is_missing(error);
}

static inline bool piaa_resnet_training_back(piaa_resnet_training *training, const float *gradients,
                                             double rate, piaa_error *error) {
    PIAA_UNUSED(training), PIAA_UNUSED(gradients), PIAA_UNUSED(rate);
    return piaa_resnet_is_missing(error);
}

static inline const piaa_named *piaa_resnet_training_state(const piaa_resnet_training *training,
                                                           size_t *count) {
    PIAA_UNUSED(training);
    *count = 0;
    return NULL;
}

#endif
