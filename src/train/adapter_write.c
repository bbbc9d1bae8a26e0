/*
 * An adapter written as PEFT writes it.
 *
 * adapter_model.safetensors holds float32 tensors in the order of their names, as the reference
 * implementation of the format sorts them; adapter_config.json the settings that PEFT reads, and
 * what they are by default.  The modules are named by an expression that takes the decoder's alone:
 * bare names would also take those of a vision tower that happens to have the same.
 */
#include "train/adapter.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/output.h"
#include "weights/safetensors_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const piaa_output_kind config_kind = {"an adapter's settings", "\"peft_type\""},
                              weights_kind = {"an adapter's weights", ".lora_A."};
static const char config_name[] = "adapter_config.json",
                  weights_name[] = "adapter_model.safetensors";

typedef struct part {
    char name[128];
    const float *data;
    int64_t shape[2];
} part;

static int compare_parts(const void *a, const void *b) {
    return strcmp(((const part *)a)->name, ((const part *)b)->name);
}

/* Every A and B, sorted by name; the caller's. */
static part *list_parts(const piaa_lora *lora, size_t *count, piaa_error *error) {
    part *parts = piaa_alloc((size_t)lora->blocks * PIAA_TARGETS * 2, sizeof *parts, error);
    *count = 0;
    for (int i = 0; parts && i < lora->blocks * PIAA_TARGETS; i++) {
        const piaa_lora_pair *pair = &lora->pairs[i];
        if (!pair->inputs) continue;
        for (int half = 0; half < 2; half++) {
            part *p = &parts[(*count)++];
            snprintf(p->name, sizeof p->name,
                     "base_model.model.model.language_model.layers.%d.%s.lora_%c.weight",
                     i / PIAA_TARGETS, piaa_target_module((piaa_target)(i % PIAA_TARGETS)),
                     half ? 'B' : 'A');
            p->data = half ? pair->b : pair->a;
            p->shape[0] = half ? pair->outputs : lora->rank;
            p->shape[1] = half ? lora->rank : pair->inputs;
        }
    }
    if (parts) qsort(parts, *count, sizeof *parts, compare_parts);
    return parts;
}

static bool make_weights(const piaa_lora *lora, piaa_text *out, piaa_error *error) {
    size_t count;
    part *parts = list_parts(lora, &count, error);
    piaa_written *tensors = parts ? piaa_alloc(count, sizeof *tensors, error) : NULL;
    for (size_t i = 0; tensors && i < count; i++)
        tensors[i] = (piaa_written){
            .name = parts[i].name, .dimensions = 2, .shape = parts[i].shape, .data = parts[i].data};
    const bool ok = tensors && piaa_safetensors_write(tensors, count, out, error);
    free(tensors);
    free(parts);
    return ok;
}

/* "q_proj|k_proj" */
static void name_modules(const piaa_lora *lora, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; i < PIAA_TARGETS; i++) {
        if (!(lora->targets >> i & 1)) continue;
        const size_t n = strlen(out);
        snprintf(out + n, size - n, "%s%s", n ? "|" : "",
                 strchr(piaa_target_module((piaa_target)i), '.') + 1);
    }
}

static char *make_config(const piaa_lora *lora, const char *base, piaa_error *error) {
    char modules[96], expression[160];
    name_modules(lora, modules, sizeof modules);
    snprintf(expression, sizeof expression, ".*language_model.*\\.(%s)", modules);
    piaa_json_build build = {.root = cJSON_CreateObject()};
    cJSON *root = build.root;
    piaa_json_put_text(&build, root, "base_model_name_or_path", base);
    piaa_json_put_text(&build, root, "bias", "none");
    piaa_json_put(&build, root, "fan_in_fan_out", cJSON_CreateBool(false));
    piaa_json_put(&build, root, "inference_mode", cJSON_CreateBool(true));
    piaa_json_put(&build, root, "init_lora_weights", cJSON_CreateBool(true));
    piaa_json_put(&build, root, "lora_alpha", cJSON_CreateNumber(lora->alpha));
    piaa_json_put(&build, root, "lora_dropout", cJSON_CreateNumber(lora->dropout));
    piaa_json_put(&build, root, "modules_to_save", cJSON_CreateNull());
    piaa_json_put_text(&build, root, "peft_type", "LORA");
    piaa_json_put(&build, root, "r", cJSON_CreateNumber(lora->rank));
    piaa_json_put_text(&build, root, "target_modules", expression);
    piaa_json_put_text(&build, root, "task_type", "CAUSAL_LM");
    piaa_json_put(&build, root, "use_dora", cJSON_CreateBool(false));
    piaa_json_put(&build, root, "use_rslora", cJSON_CreateBool(false));
    char *text = piaa_json_print(piaa_json_built(&build), true, error);
    cJSON_Delete(root);
    return text;
}

typedef struct adapter_paths {
    char *config, *weights;
} adapter_paths;

static bool find_paths(const char *folder, adapter_paths *paths, piaa_error *error) {
    paths->config = piaa_path_join(folder, config_name, error);
    paths->weights = paths->config ? piaa_path_join(folder, weights_name, error) : NULL;
    return paths->weights != NULL;
}

static void free_paths(adapter_paths *paths) {
    free(paths->config);
    free(paths->weights);
}

bool piaa_lora_may_write(const char *folder, piaa_error *error) {
    if (!piaa_file_exists(folder)) return piaa_folder_has_place(folder, error);
    if (!piaa_file_is_folder(folder))
        return piaa_error_set(error, PIAA_USAGE,
                              "%s is a file: an adapter is a folder, give it another name", folder);
    adapter_paths paths = {0};
    const bool ok = find_paths(folder, &paths, error) &&
                    piaa_output_check(paths.config, &config_kind, error) &&
                    piaa_output_check(paths.weights, &weights_kind, error);
    free_paths(&paths);
    return ok;
}

static bool write_files(const piaa_lora *lora, const char *base, const adapter_paths *paths,
                        piaa_error *error) {
    piaa_text weights = {0};
    char *config = make_config(lora, base, error);
    const bool ok =
        config && make_weights(lora, &weights, error) &&
        piaa_output_write(paths->weights, &weights_kind, weights.data, weights.length, error) &&
        piaa_output_write(paths->config, &config_kind, config, strlen(config), error);
    free(config);
    free(weights.data);
    return ok;
}

bool piaa_lora_write(const piaa_lora *lora, const char *base, const char *folder,
                     piaa_error *error) {
    if (!piaa_lora_may_write(folder, error)) return false;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return piaa_error_set_errno(error, errno, "cannot make the folder %s", folder);
    adapter_paths paths = {0};
    const bool ok = find_paths(folder, &paths, error) && write_files(lora, base, &paths, error);
    free_paths(&paths);
    return ok;
}
