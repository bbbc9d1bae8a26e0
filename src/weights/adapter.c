/*
 * A low-rank adapter as PEFT saves it, merged into the weights of its base model:
 *
 *     W + s B A,   A [r, columns], B [rows, r],   s = alpha / r   (use_rslora: alpha / sqrt(r))
 *
 * in float32, row by row when the weights are read.  adapter_config.json holds r, lora_alpha and
 * their exceptions by module; adapter_model.safetensors holds the pairs, named after the modules.
 */
#include "weights/adapter.h"

#include "base/file.h"
#include "base/memory.h"
#include "weights/checkpoint_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 16 << 20, MOST_RANK = 1 << 14 };

struct piaa_adapter {
    char *folder;
    cJSON *config;
    piaa_safetensors *file;
    double rank, alpha;
    bool root; /* rank-stabilised */
    piaa_adapter_pair *pairs;
    size_t count;
};

static bool refuse(const piaa_adapter *a, const char *what, piaa_error *error) {
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: the adapter has %s, which cannot be merged here: merge it with PEFT "
                          "(merge_and_unload) and give that folder",
                          a->folder, what);
}

static bool is_set(const cJSON *config, const char *key) {
    const cJSON *item = piaa_json_find(config, key);
    if (!item || cJSON_IsNull(item) || cJSON_IsFalse(item)) return false;
    return !(cJSON_IsArray(item) || cJSON_IsObject(item)) || item->child;
}

static bool read_config(piaa_adapter *a, piaa_error *error) {
    static const char *const others[] = {
        "use_dora",         "modules_to_save", "layer_replication", "trainable_token_indices",
        "lora_bias",        "use_qalora",      "corda_config",      "alora_invocation_tokens",
        "target_parameters"};
    char *path = piaa_path_join(a->folder, "adapter_config.json", error);
    a->config = path ? piaa_json_read(path, CONFIG_LIMIT, error) : NULL;
    free(path);
    if (!a->config) return false;
    const char *type = piaa_json_string(a->config, "peft_type");
    if (!type || strcmp(type, "LORA") != 0) return refuse(a, type ? type : "no peft_type", error);
    for (size_t i = 0; i < PIAA_COUNT(others); i++)
        if (is_set(a->config, others[i])) return refuse(a, others[i], error);
    const char *bias = piaa_json_string(a->config, "bias");
    if (bias && strcmp(bias, "none") != 0) return refuse(a, "biases", error);
    a->rank = a->alpha = 8;
    piaa_json_number(a->config, "r", &a->rank);
    piaa_json_number(a->config, "lora_alpha", &a->alpha);
    piaa_json_bool(a->config, "use_rslora", &a->root);
    bool turned = false;
    piaa_json_bool(a->config, "fan_in_fan_out", &turned);
    return !turned || refuse(a, "fan_in_fan_out", error);
}

/* rank_pattern and alpha_pattern: {"layers.0.self_attn.q_proj": 16}, for modules of that name or
   whose name ends so behind a dot.  Other regular expressions are refused. */
static bool find_pattern(const piaa_adapter *a, const char *key, const char *module, double *out,
                         piaa_error *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, piaa_json_find(a->config, key)) {
        const char *name = item->string;
        if (*name == '^') name++;
        if (strpbrk(name, "\\[](){}*+?|^$") || !cJSON_IsNumber(item)) return refuse(a, key, error);
        const size_t n = strlen(module), m = strlen(name);
        if (n < m || strcmp(module + n - m, name) != 0 || (n > m && module[n - m - 1] != '.'))
            continue;
        *out = item->valuedouble;
        return true;
    }
    return true;
}

/* "base_model.model.MODULE.lora_A.weight" (or ….lora_A.default.weight) and its partner. */
static bool read_pair(const piaa_adapter *a, const piaa_tensor *down, const char *mark,
                      piaa_adapter_pair *pair, piaa_error *error) {
    static const char before[] = "base_model.model.";
    const size_t n = sizeof before - 1, length = (size_t)(mark - down->name);
    if (strncmp(down->name, before, n) != 0 || length < n) return refuse(a, down->name, error);
    pair->module = piaa_format(error, "%.*s", (int)(length - n), down->name + n);
    char *other =
        piaa_format(error, "%.*s.lora_B.%s", (int)length, down->name, mark + sizeof ".lora_A." - 1);
    if (pair->module && other) {
        pair->down = down;
        pair->up = piaa_safetensors_find(a->file, other);
    }
    free(other);
    if (!pair->down) return false;
    if (!pair->up) return refuse(a, down->name, error);
    char *spelling = piaa_format(error, "%s.weight", pair->module);
    pair->name = spelling ? piaa_folder_canonical(spelling, error) : NULL;
    free(spelling);
    if (!pair->name) return false;
    double rank = a->rank, alpha = a->alpha;
    if (!find_pattern(a, "rank_pattern", pair->module, &rank, error) ||
        !find_pattern(a, "alpha_pattern", pair->module, &alpha, error))
        return false;
    if (down->type == PIAA_OTHER_TYPE || pair->up->type == PIAA_OTHER_TYPE)
        return refuse(a, "weights of a type that cannot be added", error);
    pair->rank = down->dimensions == 2 ? down->shape[0] : 0;
    if (pair->rank < 1 || pair->rank > MOST_RANK || pair->up->dimensions != 2 ||
        pair->up->shape[1] != pair->rank)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: the halves of the adapter of %.300s do not fit each other",
                              a->folder, pair->module);
    if (rank != (double)pair->rank) return refuse(a, "another rank than it says", error);
    pair->alpha = alpha;
    pair->strength = (float)(alpha / (a->root ? sqrt(rank) : rank));
    return true;
}

static bool read_pairs(piaa_adapter *a, piaa_error *error) {
    const size_t count = piaa_safetensors_count(a->file);
    a->pairs = piaa_alloc(count, sizeof *a->pairs, error);
    if (!a->pairs) return false;
    for (size_t i = 0; i < count; i++) {
        const piaa_tensor *down = piaa_safetensors_at(a->file, i);
        const char *mark = strstr(down->name, ".lora_A.");
        if (!mark && strstr(down->name, ".lora_B.")) continue;
        if (!mark) return refuse(a, down->name, error);
        if (!read_pair(a, down, mark, &a->pairs[a->count++], error)) return false;
    }
    return a->count * 2 == count || refuse(a, "halves without their other half", error);
}

static bool read_all(piaa_adapter *a, const char *folder, piaa_error *error) {
    a->folder = piaa_strdup(folder, error);
    if (!a->folder || !read_config(a, error)) return false;
    static const char weights[] = "adapter_model.safetensors", pickle[] = "adapter_model.bin";
    if (!piaa_file_exists_in(folder, weights) && piaa_file_exists_in(folder, pickle))
        return refuse(a, "its weights as a PyTorch pickle (adapter_model.bin)", error);
    char *path = piaa_path_join(folder, weights, error);
    a->file = path ? piaa_safetensors_open(path, error) : NULL;
    free(path);
    return a->file && read_pairs(a, error);
}

piaa_adapter *piaa_adapter_open(const char *folder, piaa_error *error) {
    piaa_adapter *a = piaa_alloc(1, sizeof *a, error);
    if (!a || read_all(a, folder, error)) return a;
    piaa_adapter_close(a);
    return NULL;
}

void piaa_adapter_close(piaa_adapter *a) {
    if (!a) return;
    for (size_t i = 0; i < a->count; i++) {
        free(a->pairs[i].module);
        free(a->pairs[i].name);
    }
    free(a->pairs);
    piaa_safetensors_close(a->file);
    cJSON_Delete(a->config);
    free(a->folder);
    free(a);
}

size_t piaa_adapter_count(const piaa_adapter *a) {
    return a->count;
}

const piaa_adapter_pair *piaa_adapter_at(const piaa_adapter *a, size_t index) {
    return &a->pairs[index];
}

/* -------------------------------------------------------------------------------------- merging */

static piaa_checkpoint_entry *find_entry(piaa_checkpoint *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->entries[i].tensor.name, name) == 0) return &c->entries[i];
    return NULL;
}

static float *copy_floats(const piaa_tensor *tensor, piaa_error *error) {
    float *out = piaa_alloc_array((size_t)piaa_tensor_count(tensor), sizeof *out, error);
    if (out) piaa_tensor_to_float(tensor, out);
    return out;
}

/* Adds B A to the weight of a module. */
static bool merge(const piaa_adapter *a, piaa_checkpoint *c, const piaa_adapter_pair *pair,
                  piaa_error *error) {
    piaa_checkpoint_entry *e = find_entry(c, pair->name);
    if (!e)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s: the adapter changes %.300s, which %s does not have: give the "
                              "base model that it was made for",
                              a->folder, pair->module, c->folder);
    piaa_tensor *w = &e->tensor;
    if (w->dimensions != 2 || pair->up->shape[0] != w->shape[0] ||
        pair->down->shape[1] != w->shape[1])
        return piaa_error_set(
            error, PIAA_MISMATCH,
            "%s: the adapter of %.300s has other sizes than the weight in %s: give "
            "the base model that it was made for",
            a->folder, pair->module, c->folder);
    if (w->type == PIAA_OTHER_TYPE || w->type == PIAA_QUANTISED || e->derived)
        return refuse(a, "weights of a type that cannot be added", error);
    piaa_derived *d = e->derived = piaa_alloc(1, sizeof *d, error);
    if (!d) return false;
    *d = (piaa_derived){.base = *w,
                        .columns = w->shape[1],
                        .width = w->bytes / (size_t)(w->shape[0] * w->shape[1]),
                        .rank = pair->rank,
                        .strength = pair->strength,
                        .down = copy_floats(pair->down, error),
                        .up = copy_floats(pair->up, error)};
    w->derived = d;
    return d->down && d->up;
}

bool piaa_checkpoint_adapt(piaa_checkpoint *c, const char *folder, piaa_error *error) {
    if (c->text)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a GGUF file: an adapter is merged into a Hugging Face folder",
                              c->folder);
    piaa_adapter *a = piaa_adapter_open(folder, error);
    bool ok = a != NULL;
    for (size_t i = 0; ok && i < a->count; i++) ok = merge(a, c, &a->pairs[i], error);
    piaa_adapter_close(a);
    return ok;
}
