/* A build without oneDNN: no network can be opened, so that nothing else is ever called. */
#include "train/resnet_parts.h"

static bool absent(piaa_error *error) {
    return piaa_error_set(error, PIAA_UNSUPPORTED, "this piaa was built without oneDNN");
}

const char *piaa_resnet_library(void) {
    return NULL;
}

void piaa_resnet_plan_free(piaa_resnet_plan *plan) {
    PIAA_UNUSED(plan);
}

bool piaa_resnet_predict(piaa_resnet *net, const float *pixels, int64_t n, int rows, int columns,
                         int threads, float *features, piaa_error *error) {
    PIAA_UNUSED(net), PIAA_UNUSED(pixels), PIAA_UNUSED(n), PIAA_UNUSED(rows);
    PIAA_UNUSED(columns), PIAA_UNUSED(threads), PIAA_UNUSED(features);
    return absent(error);
}

bool piaa_resnet_watch_predict(piaa_resnet *net, const float *pixels, int64_t n, int rows,
                               int columns, const piaa_resnet_watch *watch, piaa_error *error) {
    PIAA_UNUSED(net), PIAA_UNUSED(pixels), PIAA_UNUSED(n), PIAA_UNUSED(rows);
    PIAA_UNUSED(columns), PIAA_UNUSED(watch);
    return absent(error);
}

piaa_resnet_training *piaa_resnet_training_new(piaa_resnet *net, int threads, piaa_error *error) {
    PIAA_UNUSED(net), PIAA_UNUSED(threads);
    absent(error);
    return NULL;
}

void piaa_resnet_training_free(piaa_resnet_training *training) {
    PIAA_UNUSED(training);
}

bool piaa_resnet_training_forward(piaa_resnet_training *training, const float *pixels, int64_t n,
                                  int rows, int columns, float *features, piaa_error *error) {
    PIAA_UNUSED(training), PIAA_UNUSED(pixels), PIAA_UNUSED(n), PIAA_UNUSED(rows);
    PIAA_UNUSED(columns), PIAA_UNUSED(features);
    return absent(error);
}

bool piaa_resnet_training_back(piaa_resnet_training *training, const float *gradients, double rate,
                               piaa_error *error) {
    PIAA_UNUSED(training), PIAA_UNUSED(gradients), PIAA_UNUSED(rate);
    return absent(error);
}

const piaa_named *piaa_resnet_training_gradients(const piaa_resnet_training *training,
                                                 size_t *count) {
    PIAA_UNUSED(training), PIAA_UNUSED(count);
    return NULL;
}

const piaa_named *piaa_resnet_training_state(const piaa_resnet_training *training, size_t *count) {
    PIAA_UNUSED(training), PIAA_UNUSED(count);
    return NULL;
}

void piaa_resnet_watch_training(piaa_resnet_training *training, const piaa_resnet_watch *watch) {
    PIAA_UNUSED(training), PIAA_UNUSED(watch);
}
