/*
 * A low-rank adapter as PEFT saves it, merged into the weights of its base model:
 *
 *     W + s B A,   A [r, columns], B [rows, r],   s = alpha / r   (use_rslora: alpha / sqrt(r))
 *
 * in float32, row by row when the weights are read.  adapter_config.json holds r, lora_alpha and
 * their exceptions by module; adapter_model.safetensors holds the pairs, named after the modules.
 */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 16 << 20, MOST_RANK = 1 << 14 };

typedef struct adapter {
    const char *folder;
    cJSON *config;
    piaa_safetensors *file;
    double rank, alpha;
    bool root; /* rank-stabilised */
} adapter;

static bool refuse(const adapter *a, const char *what, piaa_error *error) {
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

static bool read_config(adapter *a, piaa_error *error) {
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
static bool find_pattern(const adapter *a, const char *key, const char *module, double *out,
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
static bool merge(const adapter *a, piaa_checkpoint *c, const char *module, const piaa_tensor *down,
                  const piaa_tensor *up, piaa_error *error) {
    char *name = NULL, *spelling = piaa_format(error, "%s.weight", module);
    if (spelling) name = piaa_folder_canonical(spelling, error);
    piaa_checkpoint_entry *e = name ? find_entry(c, name) : NULL;
    free(spelling);
    free(name);
    if (!e)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s: the adapter changes %.300s, which %s does not have: give the "
                              "base model that it was made for",
                              a->folder, module, c->folder);
    piaa_tensor *w = &e->tensor;
    const int64_t r = down->dimensions == 2 ? down->shape[0] : 0;
    if (w->dimensions != 2 || down->dimensions != 2 || up->dimensions != 2 || r < 1 ||
        r > MOST_RANK || up->shape[1] != r || up->shape[0] != w->shape[0] ||
        down->shape[1] != w->shape[1])
        return piaa_error_set(
            error, PIAA_MISMATCH,
            "%s: the adapter of %.300s has other sizes than the weight in %s: give "
            "the base model that it was made for",
            a->folder, module, c->folder);
    if (w->type == PIAA_OTHER_TYPE || w->type == PIAA_QUANTISED || e->derived ||
        down->type == PIAA_OTHER_TYPE || up->type == PIAA_OTHER_TYPE)
        return refuse(a, "weights of a type that cannot be added", error);
    double rank = a->rank, alpha = a->alpha;
    if (!find_pattern(a, "rank_pattern", module, &rank, error) ||
        !find_pattern(a, "alpha_pattern", module, &alpha, error))
        return false;
    if (rank != (double)r) return refuse(a, "another rank than it says", error);
    piaa_derived *d = e->derived = piaa_alloc(1, sizeof *d, error);
    if (!d) return false;
    *d = (piaa_derived){.base = *w,
                        .columns = w->shape[1],
                        .width = w->bytes / (size_t)(w->shape[0] * w->shape[1]),
                        .rank = r,
                        .strength = (float)(alpha / (a->root ? sqrt(rank) : rank)),
                        .down = copy_floats(down, error),
                        .up = copy_floats(up, error)};
    w->derived = d;
    return d->down && d->up;
}

/* "base_model.model.MODULE.lora_A.weight" (or ….lora_A.default.weight) and its partner. */
static bool merge_all(const adapter *a, piaa_checkpoint *c, piaa_error *error) {
    static const char before[] = "base_model.model.", mark[] = ".lora_A.";
    const size_t count = piaa_safetensors_count(a->file), n = sizeof before - 1;
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++) {
        const piaa_tensor *down = piaa_safetensors_at(a->file, i);
        const char *hit = strstr(down->name, mark);
        if (!hit && strstr(down->name, ".lora_B.")) continue;
        if (!hit || strncmp(down->name, before, n) != 0) return refuse(a, down->name, error);
        char *module = piaa_format(error, "%.*s", (int)(hit - down->name - (int)n), down->name + n);
        char *other = piaa_format(error, "%.*s.lora_B.%s", (int)(hit - down->name), down->name,
                                  hit + sizeof mark - 1);
        const piaa_tensor *up = other ? piaa_safetensors_find(a->file, other) : NULL;
        bool ok = module && other && (up || refuse(a, down->name, error)) &&
                  merge(a, c, module, down, up, error);
        free(module);
        free(other);
        if (!ok) return false;
        pairs++;
    }
    return pairs * 2 == count || refuse(a, "halves without their other half", error);
}

bool piaa_checkpoint_adapt(piaa_checkpoint *c, const char *folder, piaa_error *error) {
    adapter a = {.folder = folder};
    if (c->text)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a GGUF file: an adapter is merged into a Hugging Face folder",
                              c->folder);
    char *path = piaa_path_join(folder, "adapter_model.safetensors", error);
    bool ok = path && read_config(&a, error) &&
              (a.file = piaa_safetensors_open(path, error)) != NULL && merge_all(&a, c, error);
    piaa_safetensors_close(a.file);
    cJSON_Delete(a.config);
    free(path);
    return ok;
}
