/* A pair of GGUF files read as the checkpoint that llama.cpp's converter made them from, or one
 * file that holds both as Ollama's converter writes it: weights under their names in Hugging Face's
 * folder and in its layout, and a configuration with its keys.  So nothing after this file knows
 * that there was a GGUF file.
 *
 * Undone are the additions of one to Gemma's norms, the split of Qwen's patch kernel along time and
 * of its projections to queries, keys and values, and the numbering of its deepstack mergers.  No
 * family's projections are permuted. */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "weights/gguf_names.h"
#include "weights/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------- two that fit */

static const piaa_gguf_family *find_family(const piaa_gguf *text, piaa_error *error) {
    const char *architecture = piaa_gguf_string(text, "general.architecture");
    for (size_t i = 0; architecture && i < piaa_gguf_family_count; i++)
        if (strcmp(architecture, piaa_gguf_families[i].architecture) == 0)
            return &piaa_gguf_families[i];
    char known[128] = "";
    for (size_t i = 0; i < piaa_gguf_family_count; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                 piaa_gguf_families[i].architecture);
    }
    if (!architecture)
        piaa_error_set(
            error, PIAA_FORMAT,
            "%s has no general.architecture, so it is no model that piaa can read; supported: %s",
            piaa_gguf_where(text), known);
    else if (strcmp(architecture, "clip") == 0)
        piaa_error_set(error, PIAA_USAGE,
                       "%s is the vision part (mmproj) of a model: name the text model's GGUF file",
                       piaa_gguf_where(text));
    else
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s is a GGUF file of the architecture %.60s, which piaa does not support; "
                       "supported: %s",
                       piaa_gguf_where(text), architecture, known);
    return NULL;
}

static bool need(const piaa_gguf *file, const char *prefix, const char *key, int64_t low,
                 int64_t high, int64_t *out, piaa_error *error) {
    char name[160];
    int64_t value;
    snprintf(name, sizeof name, "%s.%s", prefix, key);
    if (!piaa_gguf_int(file, name, &value))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s has no whole number under %s: convert the model anew",
                              piaa_gguf_where(file), name);
    if (value < low || value > high)
        return piaa_error_set(error, PIAA_FORMAT, "%s: %s is %lld, expected %lld to %lld",
                              piaa_gguf_where(file), name, (long long)value, (long long)low,
                              (long long)high);
    *out = value;
    return true;
}

static const char *projector(const piaa_gguf *vision) {
    const char *name = piaa_gguf_string(vision, "clip.vision.projector_type");
    if (!name) name = piaa_gguf_string(vision, "clip.projector_type");
    return name ? name : "an unknown kind";
}

bool piaa_gguf_model_is_whole(const piaa_gguf *file) {
    for (size_t i = 0; i < piaa_gguf_count(file); i++)
        if (strncmp(piaa_gguf_at(file, i)->name, "v.", 2) == 0) return true;
    return false;
}

bool piaa_gguf_model_known(const piaa_gguf *text, piaa_error *error) {
    return find_family(text, error) != NULL;
}

bool piaa_gguf_model_fits(const piaa_gguf *text, const piaa_gguf *vision, piaa_error *error) {
    const piaa_gguf_family *family = find_family(text, error);
    int64_t hidden = 0, projected = 0;
    if (!family) return false;
    const char *architecture = piaa_gguf_string(vision, "general.architecture");
    if (!architecture || strcmp(architecture, "clip") != 0)
        return piaa_error_set(
            error, PIAA_MISMATCH,
            "%s is a GGUF file of the architecture %.60s, not the vision part (mmproj) of %s",
            piaa_gguf_where(vision), architecture ? architecture : "none", piaa_gguf_where(text));
    if (strcmp(projector(vision), family->projector) != 0)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s is the vision part of another kind of model (%.60s) than %s "
                              "(%s): name that model's own with --mmproj",
                              piaa_gguf_where(vision), projector(vision), piaa_gguf_where(text),
                              family->projector);
    if (!need(text, family->architecture, "embedding_length", 1, 1 << 20, &hidden, error) ||
        !need(vision, "clip.vision", "projection_dim", 1, 1 << 20, &projected, error))
        return false;
    if (hidden != projected)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s makes vectors of %lld values, and %s takes %lld: name that "
                              "model's own with --mmproj",
                              piaa_gguf_where(vision), (long long)projected, piaa_gguf_where(text),
                              (long long)hidden);
    return true;
}

/* -------------------------------------------------------------------------------- configuration */

static bool make_config(piaa_checkpoint *c, const piaa_gguf_family *family, piaa_error *error) {
    const piaa_settings_family *table = piaa_settings_family_find(family->model_type);
    piaa_settings *settings = piaa_alloc(1, sizeof *settings, error);
    const bool made = settings && piaa_settings_read(table, c, settings, error) &&
                      piaa_settings_to_json(table, settings, &c->config, &c->processor, error);
    free(settings);
    if (!made) return false;
    c->image_config = c->processor;
    c->config_text = cJSON_Print(c->config); /* for the fingerprint */
    if (!c->config_text)
        return piaa_error_set(error, PIAA_MEMORY, "out of memory for the configuration");
    c->config_size = strlen(c->config_text);
    return true;
}

/* -------------------------------------------------------------------------------------- weights */

/* Makes the entry's data its own, as float32 [count]. */
static bool own(piaa_checkpoint_entry *e, size_t count, piaa_error *error) {
    e->owned = piaa_alloc_array(count, sizeof *e->owned, error);
    if (!e->owned) return false;
    e->tensor.type = PIAA_F32;
    e->tensor.dtype = "F32";
    e->tensor.data = e->owned;
    e->tensor.bytes = count * sizeof *e->owned;
    return true;
}

static bool subtract_one(piaa_checkpoint_entry *e, piaa_error *error) {
    piaa_tensor stored = e->tensor;
    if (stored.type == PIAA_OTHER_TYPE) return true; /* refused where it is needed */
    size_t count = (size_t)piaa_tensor_count(&stored);
    if (!own(e, count, error)) return false;
    piaa_tensor_to_float(&stored, e->owned);
    for (size_t i = 0; i < count; i++) e->owned[i] -= 1.0f;
    return true;
}

/* The kernel as one of [rows * channels, 2, p, p]: only its shape is another. */
static bool is_whole_kernel(piaa_tensor *t) {
    enum { CHANNELS = 3 };
    if (t->dimensions != 4 || t->shape[1] != 2 || t->shape[0] % CHANNELS) return false;
    memcpy(t->shape,
           (const int64_t[]){t->shape[0] / CHANNELS, CHANNELS, 2, t->shape[2], t->shape[3]},
           5 * sizeof *t->shape);
    t->dimensions = 5;
    return true;
}

/* [rows, channels, p, p] twice becomes [rows, channels, 2, p, p]. */
static bool join_halves(piaa_checkpoint_entry *e, const piaa_gguf *file, piaa_error *error) {
    char name[160], *first = NULL;
    snprintf(name, sizeof name, "%.120s", e->spelling);
    if ((first = strstr(name, "_0.weight")))
        first[1] = '1';
    else
        snprintf(name, sizeof name, "%.120s.1", e->spelling);
    if (!piaa_gguf_find(file, name) && is_whole_kernel(&e->tensor)) return true;
    const piaa_tensor halves[2] = {
        e->tensor, piaa_gguf_find(file, name) ? *piaa_gguf_find(file, name) : (piaa_tensor){0}};
    bool fit = halves[0].dimensions == 4 && halves[1].dimensions == 4 &&
               memcmp(halves[0].shape, halves[1].shape, sizeof halves[0].shape) == 0;
    if (!fit || halves[0].type == PIAA_OTHER_TYPE || halves[1].type == PIAA_OTHER_TYPE)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: the tensors %s and %s should be two kernels of the same shape: "
                              "convert the model anew",
                              piaa_gguf_where(file), e->spelling, name);
    size_t count = (size_t)piaa_tensor_count(&halves[0]),
           plane = (size_t)(halves[0].shape[2] * halves[0].shape[3]);
    float *one = piaa_alloc_array(count, sizeof *one, error);
    bool ok = one && own(e, 2 * count, error);
    for (size_t half = 0; ok && half < 2; half++) {
        piaa_tensor_to_float(&halves[half], one);
        for (size_t i = 0; plane && i < count / plane; i++)
            memcpy(e->owned + (2 * i + half) * plane, one + i * plane, plane * sizeof *one);
    }
    free(one);
    e->tensor.dimensions = 5;
    for (int i = 0; i < 2; i++) e->tensor.shape[3 + i] = halves[0].shape[2 + i];
    e->tensor.shape[2] = 2;
    return ok;
}

/* Rows of queries, keys and values, one under the other: as they are where they are of one type,
   else as float32. */
static bool join_projections(piaa_checkpoint_entry *e, const piaa_gguf *file, piaa_error *error) {
    piaa_tensor parts[3] = {e->tensor}, *all = &e->tensor;
    size_t bytes = e->tensor.bytes, count = (size_t)piaa_tensor_count(all);
    bool fit = all->dimensions > 0 && all->type != PIAA_OTHER_TYPE, same = true;
    for (int i = 1; i < 3; i++) {
        char name[160], *letter;
        snprintf(name, sizeof name, "%.150s", e->spelling);
        letter = strstr(name, "attn_q");
        if (letter) letter[5] = "qkv"[i];
        const piaa_tensor *part = piaa_gguf_find(file, name);
        fit = fit && part && part->dimensions == all->dimensions && part->type != PIAA_OTHER_TYPE &&
              (all->dimensions < 2 || part->shape[1] == all->shape[1]);
        if (!fit)
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%s: the tensors %s and %s do not fit together: fetch it again",
                                  piaa_gguf_where(file), e->spelling, name);
        parts[i] = *part;
        same = same && part->ggml_type == all->ggml_type;
        bytes += part->bytes;
        count += (size_t)piaa_tensor_count(part);
    }
    char *out = piaa_alloc_array(same ? bytes : count, same ? 1 : sizeof(float), error);
    if (!out) return false;
    e->owned = (float *)(void *)out;
    for (int i = 0; i < 3; i++) {
        const size_t size = same ? parts[i].bytes : (size_t)piaa_tensor_count(&parts[i]) * 4;
        if (same)
            memcpy(out, parts[i].data, size);
        else
            piaa_tensor_to_float(&parts[i], (float *)(void *)out);
        out += size;
        if (i) all->shape[0] += parts[i].shape[0];
        piaa_gguf_forget(file, &parts[i]);
    }
    if (!same) all->type = PIAA_F32, all->dtype = "F32", all->ggml_type = 0;
    all->data = e->owned;
    all->bytes = same ? bytes : count * sizeof(float);
    return true;
}

/* The place of a block among those with deepstack mergers; -1 if it is none of them. */
static int deepstack_place(const piaa_checkpoint *c, int block) {
    int place = 0;
    for (const cJSON *item =
             piaa_json_find(c->config, "vision_config.deepstack_visual_indexes")->child;
         item; item = item->next, place++)
        if (item->valueint == block) return place;
    return -1;
}

/* Conversions of Gemma 3 before mid-2025 have the names of the two halves of its vision MLP
   exchanged: told by the shape. */
static bool mlp_is_swapped(const piaa_gguf *vision) {
    const piaa_tensor *down = piaa_gguf_find(vision, "v.blk.0.ffn_down.weight");
    int64_t hidden = 0;
    return down && down->dimensions == 2 &&
           piaa_gguf_int(vision, "clip.vision.embedding_length", &hidden) &&
           down->shape[1] == hidden && down->shape[0] != hidden;
}

static void swap_mlp(char *name) {
    char *part = strstr(name, ".mlp.fc");
    if (part) part[7] = part[7] == '1' ? '2' : '1';
}

static bool add_entries(piaa_checkpoint *c, const piaa_gguf_family *family, const piaa_gguf *file,
                        piaa_error *error) {
    bool swapped =
        file == c->vision && strcmp(family->architecture, "gemma3") == 0 && mlp_is_swapped(file);
    for (size_t i = 0; i < piaa_gguf_count(file); i++) {
        const piaa_tensor *tensor = piaa_gguf_at(file, i);
        int block;
        const char *rest;
        const piaa_gguf_name *row = piaa_gguf_name_find(family, false, tensor->name, &block, &rest);
        if (file != c->vision && piaa_gguf_is_vision(tensor->name)) continue; /* another is named */
        if (row && row->change == PIAA_GGUF_DEEPSTACK && c->vision != c->text) {
            block = deepstack_place(c, block);
            if (block < 0) row = NULL;
        }
        piaa_checkpoint_entry *e = &c->entries[c->count++];
        e->tensor = *tensor;
        e->spelling = tensor->name;
        e->gguf = file;
        if (!row) continue; /* nothing asks for it */
        e->canonical = piaa_gguf_name_make(row->ours, block, rest, error);
        if (!e->canonical) return false;
        if (swapped) swap_mlp(e->canonical);
        e->tensor.name = e->canonical;
        if (row->change == PIAA_GGUF_PLUS_ONE && !subtract_one(e, error)) return false;
        if (row->change == PIAA_GGUF_HALVES && !join_halves(e, file, error)) return false;
        if (row->change == PIAA_GGUF_PARTED && !join_projections(e, file, error)) return false;
    }
    return true;
}

bool piaa_gguf_model_read(piaa_checkpoint *c, piaa_error *error) {
    const bool one = c->text == c->vision;
    const piaa_gguf_family *family = find_family(c->text, error);
    if (!family || (!one && !piaa_gguf_model_fits(c->text, c->vision, error))) return false;
    c->entries = piaa_alloc(piaa_gguf_count(c->text) + piaa_gguf_count(c->vision),
                            sizeof *c->entries, error);
    return c->entries && make_config(c, family, error) && add_entries(c, family, c->text, error) &&
           (one || add_entries(c, family, c->vision, error));
}
