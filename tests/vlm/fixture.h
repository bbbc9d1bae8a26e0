/* What the tests of model families share: a model opened for a request, inputs, and golden values
   by slot. */
#ifndef PIAA_TESTS_VLM_FIXTURE_H
#define PIAA_TESTS_VLM_FIXTURE_H

#include "support.h"

#include "image/planes.h"
#include "vlm/vlm.h"

static const char *const images[] = {
    "astronaut.png",    "astronaut_rgba.png",  "cat.jpg",
    "cat_cmyk.jpg",     "cat_gray.png",        "coffee_420.jpg",
    "coffee_exif6.jpg", "coffee_palette.png",  "coffee_tiny.png",
    "rocket.webp",      "rocket_panorama.jpg", "rocket_progressive.jpg"};

typedef struct fixture {
    piaa_model *model;
    piaa_slots slots;
    piaa_session *session;
    size_t values;
    float *out;
} fixture;

static inline fixture fixture_open(const char *folder, const char *pools, const char *layers,
                                   piaa_session_options options) {
    piaa_error error = {0};
    fixture f = {0};
    options.threads = 1;
    if (!options.device) options.device = "cpu"; /* whatever else the machine has */
    f.model = piaa_model_open(folder, &error);
    if (!f.model) fail_msg("%s", error.message);
    if (!piaa_slots_parse(pools, layers, &piaa_model_get_info(f.model)->layout, &f.slots, &error))
        fail_msg("%s", error.message);
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

static inline piaa_model_input *fixture_file(const fixture *f, const char *name,
                                             const piaa_ask *ask) {
    piaa_error error = {0};
    char *path = *name == '/' ? piaa_strdup(name, NULL) : support_join(PIAA_GOLDEN "/images", name);
    piaa_image image = {0};
    if (!piaa_image_read(path, PIAA_EXIF_IGNORE, &image, &error)) fail_msg("%s", error.message);
    piaa_model_input *input = piaa_model_prepare(f->model, &image, ask, &error);
    if (!input) fail_msg("%s", error.message);
    piaa_image_free(&image);
    free(path);
    return input;
}

/* From the reference's own planes [3][h][w]. */
static inline piaa_model_input *fixture_planes(const fixture *f, const piaa_safetensors *golden,
                                               const char *name, const piaa_ask *ask) {
    piaa_error error = {0};
    const piaa_tensor *planes = support_tensor(golden, name);
    int height = (int)planes->shape[1], width = (int)planes->shape[2],
        patch = piaa_model_get_info(f->model)->patch;
    float *rows = piaa_planes_patches(planes->data, height, width, patch, &error);
    assert_non_null(rows);
    piaa_model_input *input =
        piaa_model_prepare_patches(f->model, rows, height / patch, width / patch, ask, &error);
    if (!input) fail_msg("%s", error.message);
    free(rows);
    return input;
}

static inline void fixture_run(fixture *f, const piaa_model_input *input) {
    piaa_error error = {0};
    if (!piaa_session_run(f->session, input, f->out, &error)) fail_msg("%s", error.message);
}

/* Runs `count` more ids and moves the place behind them. */
static inline void fixture_go_on(fixture *f, piaa_place *place, const int32_t *ids, size_t count) {
    piaa_error error = {0};
    piaa_model_input *input = piaa_model_continue(f->model, *place, ids, count, &error);
    if (!input || !piaa_session_run(f->session, input, NULL, &error)) fail_msg("%s", error.message);
    *place = piaa_model_input_end(input);
    piaa_model_input_free(input);
}

/* The largest relative error of the logits after a question and after each of 23 ids that follow
   it. */
static inline double fixture_forced(fixture *f, const piaa_safetensors *golden, const char *image,
                                    const char *prompt, const piaa_ask *ask) {
    char key[96];
    snprintf(key, sizeof key, "%s|%s|forced_logits", image, prompt);
    const piaa_tensor *expected = support_tensor(golden, key);
    const int32_t *ids = support_tensor(golden, "forced_ids")->data;
    const size_t vocabulary = (size_t)expected->shape[1];
    piaa_model_input *input = fixture_file(f, image, ask);
    fixture_run(f, input);
    piaa_place place = piaa_model_input_end(input);
    piaa_model_input_free(input);
    double worst = 0;
    for (int t = 0; t < expected->shape[0]; t++) {
        if (t) fixture_go_on(f, &place, ids + t - 1, 1);
        const double e = support_relative_error(
            piaa_session_logits(f->session), (const float *)expected->data + (size_t)t * vocabulary,
            vocabulary);
        if (e > worst) worst = e;
    }
    return worst;
}

/* The largest relative error of whole states against "<key>" [layers][rows][dim]. */
static inline double fixture_states(const fixture *f, const piaa_safetensors *golden,
                                    const char *key, bool vision) {
    const piaa_tensor *expected = support_tensor(golden, key);
    size_t size = (size_t)(expected->shape[1] * expected->shape[2]);
    double worst = 0;
    for (int layer = 0; layer < expected->shape[0]; layer++) {
        const float *state = piaa_session_hidden(f->session, vision, layer);
        assert_non_null(state);
        double e = support_relative_error(
            state, (const float *)expected->data + (size_t)layer * size, size);
        if (e > worst) worst = e;
    }
    assert_null(piaa_session_hidden(f->session, vision, (int)expected->shape[0]));
    return worst;
}

/* The largest relative error of a run's vectors, layer by layer, against "<key>|<prefix><pool>"
 * [layers][dim]; golden calls a pooled state pooler_output and a projected one image_embeds. */
static inline double fixture_pools(const fixture *f, const piaa_safetensors *golden,
                                   const char *key, const char *prefix) {
    double worst = 0;
    const float *at = f->out;
    for (size_t i = 0; i < f->slots.count; i++) {
        const piaa_slot *slot = &f->slots.items[i];
        char name[160];
        snprintf(name, sizeof name, "%s|%s%s", key,
                 slot->pool == PIAA_V ? "" : prefix, /* the vision encoder sees no tokens */
                 slot->pool == PIAA_POOLED      ? "pooler_output"
                 : slot->pool == PIAA_PROJECTED ? "image_embeds"
                                                : piaa_pool_name(slot->pool));
        const piaa_tensor *tensor = support_tensor(golden, name);
        assert_int_equal(tensor->shape[tensor->dimensions - 1], slot->dim);
        double e = support_relative_error(
            at, (const float *)tensor->data + (size_t)slot->layer * (size_t)slot->dim,
            (size_t)slot->dim);
        if (e > worst) worst = e;
        at += slot->dim;
    }
    return worst;
}

/* The folder `from` once more in a new one, which the caller removes: config.json as `edit` leaves
 * it, tensors whose names begin with renames[i][0] with renames[i][1] in its place, other files as
 * they are. */
static inline char *fixture_respelt(const char *from, void (*edit)(cJSON *config),
                                    const char *const (*renames)[2], size_t count) {
    static const char *const files[] = {"preprocessor_config.json", "tokenizer.json"};
    piaa_error error = {0};
    char *folder = support_folder();
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        char *path = support_join(from, files[i]);
        size_t size;
        char *text = piaa_file_exists(path) ? piaa_file_read(path, 1 << 24, &size, &error) : NULL;
        if (text) support_write(folder, files[i], text, size);
        free(text);
        free(path);
    }
    char *path = support_join(from, "config.json");
    cJSON *config = piaa_json_read(path, 1 << 20, &error);
    assert_non_null(config);
    edit(config);
    char *text = cJSON_Print(config);
    support_write(folder, "config.json", text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(config);
    free(path);

    path = support_join(from, "model.safetensors");
    size_t size;
    char *bytes = piaa_file_read(path, 1 << 24, &size, &error);
    assert_non_null(bytes);
    uint64_t length = 0;
    for (int i = 0; i < 8; i++) length |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    cJSON *header = piaa_json_parse(bytes + 8, (size_t)length, path, &error),
          *changed = cJSON_CreateObject();
    assert_non_null(header);
    while (header->child) {
        cJSON *item = cJSON_DetachItemViaPointer(header, header->child);
        const char *name = item->string;
        char new_name[256];
        snprintf(new_name, sizeof new_name, "%s", name);
        for (size_t i = 0; i < count; i++) {
            size_t n = strlen(renames[i][0]);
            if (strncmp(name, renames[i][0], n) != 0 || strcmp(name, "__metadata__") == 0) continue;
            snprintf(new_name, sizeof new_name, "%s%s", renames[i][1], name + n);
            break;
        }
        cJSON_AddItemToObject(changed, new_name, item);
    }
    char *names = cJSON_PrintUnformatted(changed);
    uint64_t written = strlen(names);
    char *out = piaa_alloc(8 + (size_t)written + size - 8 - (size_t)length, 1, &error);
    assert_non_null(out);
    for (int i = 0; i < 8; i++) out[i] = (char)(written >> 8 * i & 255);
    memcpy(out + 8, names, (size_t)written);
    memcpy(out + 8 + written, bytes + 8 + length, size - 8 - (size_t)length);
    support_write(folder, "model.safetensors", out,
                  8 + (size_t)written + size - 8 - (size_t)length);
    free(out);
    cJSON_free(names);
    cJSON_Delete(header);
    cJSON_Delete(changed);
    free(bytes);
    free(path);
    return folder;
}

/* Opening the folder with config.json changed has to fail with a message that holds `part`. */
static inline void fixture_refused(const char *from, void (*edit)(cJSON *config),
                                   const char *part) {
    char *folder = fixture_respelt(from, edit, NULL, 0);
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(folder, &error);
    if (model || !strstr(error.message, part))
        fail_msg("expected \"%s\", not \"%s\"", part, error.message);
    piaa_model_close(model);
    support_remove(folder);
}

/* config.json's object or number at a dotted key, for the edits. */
static inline cJSON *fixture_at(cJSON *config, const char *key) {
    cJSON *found = config;
    for (const char *at = key; found && *at; at += strcspn(at, "."), at += *at == '.') {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "."), at);
        found = cJSON_GetObjectItemCaseSensitive(found, name);
    }
    return found;
}

#endif
