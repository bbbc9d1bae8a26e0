/* The published PIAA-ICI on the small data set: what its phase 1 says of every photo, its phase 2
   as a model whose front is not asked for. */
#ifndef PIAA_TESTS_ICI_SUPPORT_H
#define PIAA_TESTS_ICI_SUPPORT_H

#include "study_support.h"

#include "base/json.h"
#include "study/personal.h"

#define ICI_GOLDEN PIAA_GOLDEN "/ici/published"
#define ICI_UNPACKED PIAA_BUILD "/reference/ici/published"

/* Hats of the set's images that the recorded list names. */
static inline void ici_read_hats(const piaa_dataset *set, piaa_ici_hats *out) {
    piaa_error error = {0};
    size_t count;
    piaa_safetensors *golden = support_golden(ICI_GOLDEN "/hats.safetensors");
    cJSON *names = piaa_json_read(ICI_UNPACKED "/hats.json", 1 << 20, &error);
    float *attributes = support_floats(golden, "attr", &count),
          *bins = support_floats(golden, "dis", &count);
    if (!names || !piaa_ici_hats_make(out, set->image_count, &error)) fail_msg("%s", error.message);
    const bool para = strcmp(set->kind, "para") == 0;
    for (int i = 0; i < cJSON_GetArraySize(names); i++) {
        size_t image;
        char *name = piaa_format(&error, "%s/%s", para ? "imgs" : "images",
                                 cJSON_GetArrayItem(names, i)->valuestring);
        if (piaa_dataset_find(set, name, &image)) {
            memcpy(out->attributes + image * 7, attributes + (size_t)i * 7, 7 * sizeof(float));
            memcpy(out->bins + image * 9, bins + (size_t)i * 9, 9 * sizeof(float));
            out->known[image] = true;
        }
        free(name);
    }
    free(attributes);
    free(bins);
    cJSON_Delete(names);
    piaa_safetensors_close(golden);
}

/* `priors` of the published sizes, without weights; 30 people and the vocabulary that were trained
   on. */
static inline piaa_ici_model *ici_model(size_t priors) {
    piaa_error error = {0};
    const piaa_slot slot = {PIAA_LT, 3, 1};
    piaa_ici_model *m = piaa_ici_model_new("published", &(piaa_identity){0}, &slot, &error);
    cJSON *about = piaa_json_read(ICI_GOLDEN "/p2_full.json", 1 << 20, &error);
    if (!m || !about) fail_msg("%s", error.message);
    m->kind = piaa_strdup("para", &error);
    m->shared_photos = true;
    m->eval_people = 10;
    m->protocol_seed = 42;
    m->scale[0] = 1;
    for (int u = 0; u < 30; u++) {
        char name[16];
        snprintf(name, sizeof name, "trained%02d", u);
        assert_true(piaa_paths_add(&m->people, name, &error));
    }
    for (size_t t = 0; t < PIAA_TRAIT_WORDS; t++) {
        const cJSON *word, *list = cJSON_GetObjectItem(cJSON_GetObjectItem(about, "cat_vocab"),
                                                       piaa_trait_words[t]);
        cJSON_ArrayForEach(word, list)
            assert_true(piaa_paths_add(&m->vocabulary.words[t], word->valuestring, &error));
    }
    cJSON_Delete(about);
    m->priors = piaa_alloc(priors, sizeof *m->priors, &error);
    m->count = priors;
    for (size_t p = 0; p < priors; p++) m->priors[p].seed = (int64_t)p;
    return m;
}

static inline piaa_graph *ici_graph(const piaa_ici_model *m, bool full, uint32_t seed) {
    piaa_error error = {0};
    const piaa_graph_shape shape = piaa_ici_model_shape(m, full);
    piaa_graph *graph = piaa_graph_new(&shape, seed, &error);
    if (!graph) fail_msg("%s", error.message);
    return graph;
}

static inline piaa_protocol *ici_protocol(const piaa_dataset *set, size_t first) {
    piaa_error error = {0};
    piaa_protocol_options options = piaa_protocol_defaults();
    options.first = first;
    piaa_protocol *protocol = piaa_protocol_make(set, &options, NULL, &error);
    if (!protocol) fail_msg("%s", error.message);
    return protocol;
}

#endif
