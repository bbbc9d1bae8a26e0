/* The small data sets' features, embedded once into the build folder, and the published code's
   predictions. */
#ifndef PIAA_TESTS_STUDY_SUPPORT_H
#define PIAA_TESTS_STUDY_SUPPORT_H

#include "support.h"

#include "base/csv.h"
#include "features/embed.h"
#include "study/source.h"

/* A store of data/NAME in the build folder; only the first run of the tests computes anything. */
static inline piaa_store *study_store(const char *name, const char *pools, const char *layers) {
    piaa_error error = {0};
    char *path = piaa_format(&error, "%s/study-%s.piaa", PIAA_BUILD, name);
    char *photos = piaa_format(&error, "%s/data/%s", PIAA_SOURCE, name);
    assert_true(path && photos);
    piaa_model *model = piaa_model_open(PIAA_SOURCE "/models/demo", &error);
    piaa_extractor *extractor =
        piaa_extractor_new(model, &(piaa_request){.pools = pools, .layers = layers}, &error);
    const char *names[] = {photos};
    piaa_store *store = piaa_embed(path, extractor, names, 1, NULL, NULL, &error);
    if (!store) fail_msg("%s", error.message);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    free(path);
    free(photos);
    return store;
}

static inline piaa_dataset *study_set(const char *name) {
    piaa_error error = {0};
    char *spec = piaa_format(&error, "%s:%s/data/%s", name, PIAA_SOURCE, name);
    assert_non_null(spec);
    piaa_dataset *set = piaa_dataset_open(spec, NULL, &error);
    if (!set) fail_msg("%s", error.message);
    free(spec);
    return set;
}

static inline piaa_source study_source(const piaa_store *store, const piaa_dataset *set,
                                       piaa_pool pool, int layer) {
    piaa_error error = {0};
    piaa_source source;
    piaa_slot slot = {pool, layer, 0};
    if (!piaa_source_open(&source, store, set, NULL, &slot, 1, &error))
        fail_msg("%s", error.message);
    return source;
}

#endif
