/* What the tests of model families share: a model opened for a request, inputs, and golden values by slot. */
#ifndef PIAA_TESTS_VLM_FIXTURE_H
#define PIAA_TESTS_VLM_FIXTURE_H

#include "support.h"

#include "image/planes.h"
#include "vlm/vlm.h"

static const char *const images[] = {
    "astronaut.png",    "astronaut_rgba.png", "cat.jpg",         "cat_cmyk.jpg", "cat_gray.png",        "coffee_420.jpg",
    "coffee_exif6.jpg", "coffee_palette.png", "coffee_tiny.png", "rocket.webp",  "rocket_panorama.jpg", "rocket_progressive.jpg"};

typedef struct fixture {
    piaa_model *model;
    piaa_slots slots;
    piaa_session *session;
    size_t values;
    float *out;
} fixture;

static inline fixture fixture_open(const char *folder, const char *pools, const char *layers, piaa_session_options options) {
    piaa_error error = {0};
    fixture f = {0};
    options.threads = 1;
    f.model = piaa_model_open(folder, &error);
    if (!f.model) fail_msg("%s", error.message);
    if (!piaa_slots_parse(pools, layers, &piaa_model_get_info(f.model)->layout, &f.slots, &error)) fail_msg("%s", error.message);
    f.session = piaa_session_new(f.model, &f.slots, &options, &error);
    if (!f.session) fail_msg("%s", error.message);
    for (size_t i = 0; i < f.slots.count; i++) f.values += (size_t)f.slots.items[i].dim;
    f.out = piaa_alloc(f.values, sizeof *f.out, NULL);
    assert_non_null(f.out);
    return f;
}

static inline void fixture_close(fixture *f) {
    free(f->out);
    piaa_session_free(f->session);
    piaa_slots_free(&f->slots);
    piaa_model_close(f->model);
}

static inline piaa_model_input *fixture_file(const fixture *f, const char *name, const piaa_ask *ask) {
    piaa_error error = {0};
    char *path = support_join(PIAA_GOLDEN "/images", name);
    piaa_image image = {0};
    if (!piaa_image_read(path, PIAA_EXIF_IGNORE, &image, &error)) fail_msg("%s", error.message);
    piaa_model_input *input = piaa_model_prepare(f->model, &image, ask, &error);
    if (!input) fail_msg("%s", error.message);
    piaa_image_free(&image);
    free(path);
    return input;
}

/* From the reference's own planes [3][h][w]. */
static inline piaa_model_input *fixture_planes(const fixture *f, const piaa_safetensors *golden, const char *name, const piaa_ask *ask) {
    piaa_error error = {0};
    const piaa_tensor *planes = support_tensor(golden, name);
    int height = (int)planes->shape[1], width = (int)planes->shape[2], patch = piaa_model_get_info(f->model)->patch;
    float *rows = piaa_planes_patches(planes->data, height, width, patch, &error);
    assert_non_null(rows);
    piaa_model_input *input = piaa_model_prepare_patches(f->model, rows, height / patch, width / patch, ask, &error);
    if (!input) fail_msg("%s", error.message);
    free(rows);
    return input;
}

static inline void fixture_run(fixture *f, const piaa_model_input *input) {
    piaa_error error = {0};
    if (!piaa_session_run(f->session, input, f->out, &error)) fail_msg("%s", error.message);
}

/* The largest relative error of whole states against "<key>" [layers][rows][dim]. */
static inline double fixture_states(const fixture *f, const piaa_safetensors *golden, const char *key, bool vision) {
    const piaa_tensor *expected = support_tensor(golden, key);
    size_t size = (size_t)(expected->shape[1] * expected->shape[2]);
    double worst = 0;
    for (int layer = 0; layer < expected->shape[0]; layer++) {
        const float *state = piaa_session_hidden(f->session, vision, layer);
        assert_non_null(state);
        double e = support_relative_error(state, (const float *)expected->data + (size_t)layer * size, size);
        if (e > worst) worst = e;
    }
    assert_null(piaa_session_hidden(f->session, vision, (int)expected->shape[0]));
    return worst;
}

#endif
