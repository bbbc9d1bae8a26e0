/* What the tests of training share: a golden run's conversations made ready for a model. */
#ifndef PIAA_TESTS_TRAIN_FIXTURE_H
#define PIAA_TESTS_TRAIN_FIXTURE_H

#include "support.h"

#include "base/blas.h"
#include "base/json.h"
#include "image/image.h"
#include "train/network.h"
#include "vlm/model.h"

#define LORA PIAA_GOLDEN "/text/lora/"

enum { MOST_SAMPLES = 100, MOST_BATCH = 4 };

typedef struct fixture {
    piaa_model *model;
    const piaa_decoder *decoder;
    piaa_network *network;
    piaa_session *session; /* that sees photos */
    cJSON *run;
    const char *images; /* the folder of its photos */
    piaa_sight sight[MOST_SAMPLES];
    int32_t *ids[MOST_SAMPLES];
    bool *labelled[MOST_SAMPLES];
    int length[MOST_SAMPLES];
} fixture;

static inline fixture fixture_open(const char *folder, const char *run, const char *images,
                                   int threads) {
    piaa_error error = {0};
    fixture f = {.images = images};
    piaa_blas_hold(); /* threads are ours */
    f.model = piaa_model_open(folder, &error);
    if (!f.model) fail_msg("%s", error.message);
    f.decoder = f.model->family->decoder(f.model->config);
    f.network = piaa_network_new(f.decoder, PIAA_DTYPE_F32, threads, &error);
    f.session =
        piaa_session_new(f.model, &(piaa_slots){0},
                         &(piaa_session_options){
                             .dtype = PIAA_DTYPE_F32, .threads = 1, .see = true, .device = "cpu"},
                         &error);
    f.run = piaa_json_read(run, 1 << 24, &error);
    if (!f.network || !f.session || !f.run) fail_msg("%s", error.message);
    return f;
}

static inline void fixture_close(fixture *f) {
    for (int i = 0; i < MOST_SAMPLES; i++) {
        piaa_sight_free(&f->sight[i]);
        free(f->ids[i]);
        free(f->labelled[i]);
    }
    cJSON_Delete(f->run);
    piaa_session_free(f->session);
    piaa_network_free(f->network);
    piaa_model_close(f->model);
}

static inline void fixture_see(fixture *f, const char *name, piaa_sight *out) {
    piaa_error error = {0};
    char *path = support_join(f->images, name);
    piaa_image pixels = {0};
    if (!piaa_image_read(path, PIAA_EXIF_IGNORE, &pixels, &error)) fail_msg("%s", error.message);
    piaa_model_input *input = piaa_model_prepare(f->model, &pixels, NULL, &error);
    piaa_image_free(&pixels);
    free(path);
    if (!input || !piaa_session_see(f->session, input, out, &error))
        fail_msg("%s: %s", name, error.message);
    piaa_model_input_free(input);
}

static inline const cJSON *fixture_list(const cJSON *object, const char *key) {
    const cJSON *list = piaa_json_find(object, key);
    assert_true(cJSON_IsArray(list));
    return list;
}

/* Sample i, whose ids and photo are read the first time; padded rows behind it. */
static inline piaa_sample *fixture_sample(fixture *f, int i, int padded) {
    piaa_error error = {0};
    const cJSON *item = cJSON_GetArrayItem(fixture_list(f->run, "samples"), i), *id;
    bool photo = false;
    assert_true(piaa_json_bool(f->run, "pixels", &photo));
    if (!f->ids[i]) {
        const cJSON *ids = fixture_list(item, "input_ids"),
                    *labels = piaa_json_find(item, "labelled");
        int n = 0;
        f->length[i] = cJSON_GetArraySize(ids);
        f->ids[i] = piaa_alloc((size_t)f->length[i], sizeof *f->ids[i], NULL);
        f->labelled[i] = piaa_alloc((size_t)f->length[i], sizeof *f->labelled[i], NULL);
        assert_true(f->ids[i] && f->labelled[i]);
        cJSON_ArrayForEach(id, ids) f->ids[i][n++] = id->valueint;
        for (n = 0; n < f->length[i]; n++) f->labelled[i][n] = cJSON_IsString(labels);
        if (cJSON_IsArray(labels))
            cJSON_ArrayForEach(id, labels) f->labelled[i][id->valueint] = true;
        if (photo) fixture_see(f, piaa_json_string(item, "image"), &f->sight[i]);
    }
    /* The image's tokens are the longest run of one id. */
    int start = 0, most = 0;
    for (int a = 0, b; a < f->length[i]; a = b) {
        for (b = a; b < f->length[i] && f->ids[i][b] == f->ids[i][a]; b++) {
        }
        if (b - a > most) most = b - a, start = a;
    }
    const piaa_sight *sight = photo ? &f->sight[i] : NULL;
    piaa_chat_span image = {(size_t)start, (size_t)most};
    const piaa_chat_tokens chat = {.ids = {.items = f->ids[i], .count = (size_t)f->length[i]},
                                   .images = &image,
                                   .image_count = 1};
    piaa_sample *sample = piaa_sample_new(f->model, &chat, f->labelled[i], &sight,
                                          PIAA_IMAGE_BOTH_WAYS, padded, &error);
    if (!sample) fail_msg("%s", error.message);
    return sample;
}

typedef struct fixture_batch {
    piaa_sample *samples[MOST_BATCH];
    piaa_batch batch;
} fixture_batch;

/* The batch of a step of the run; padded to one length where every token has a label. */
static inline void fixture_step(fixture *f, int step, fixture_batch *out) {
    const cJSON *entry = cJSON_GetArrayItem(fixture_list(f->run, "log"), step),
                *list = fixture_list(entry, "samples"), *index;
    const bool pad = strcmp(piaa_json_string(f->run, "mask"), "all") == 0;
    int longest = 0;
    out->batch = (piaa_batch){.samples = (const piaa_sample *const *)out->samples};
    cJSON_ArrayForEach(index, list) {
        piaa_sample_free(fixture_sample(f, index->valueint, 0));
        if (f->length[index->valueint] > longest) longest = f->length[index->valueint];
    }
    cJSON_ArrayForEach(index, list) out->samples[out->batch.count++] =
        fixture_sample(f, index->valueint, pad ? longest - f->length[index->valueint] : 0);
}

static inline void fixture_drop(fixture_batch *batch) {
    for (size_t i = 0; i < batch->batch.count; i++) piaa_sample_free(batch->samples[i]);
}

static inline piaa_lora *fixture_adapter(const fixture *f, const char *folder) {
    piaa_error error = {0};
    piaa_lora *lora = piaa_lora_read(f->decoder, folder, &error);
    if (!lora) fail_msg("%s", error.message);
    return lora;
}

#endif
