/* A model folder as users download it from Hugging Face, or convert it for MLX: config.json, the
 * image processor's settings, and safetensors in one file or in shards.  Opening it checks that
 * everything listed is there; data stay in the mapped files. */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_LIMIT = 16 << 20, INDEX_LIMIT = 100 << 20 };

typedef piaa_checkpoint_entry entry;

/* ------------------------------------------------------------------------------------- one name */

/* Versions of transformers nest the same modules differently, a model saved from its base class
 * lacks the outermost module, and MLX calls every vision encoder a tower.  The first prefix that
 * fits is replaced. */
static const struct {
    const char *from, *to;
} spellings[] = {
    {"language_model.model.", "model.language_model."},
    {"language_model.lm_head.", "lm_head."},
    {"language_model.", "model.language_model."},
    {"visual.", "model.visual."},
    {"vision_tower.vision_model.", "model.vision_tower."},
    {"vision_tower.blocks.", "model.visual.blocks."},
    {"vision_tower.patch_embed.", "model.visual.patch_embed."},
    {"vision_tower.pos_embed.", "model.visual.pos_embed."},
    {"vision_tower.merger.", "model.visual.merger."},
    {"vision_tower.deepstack_merger_list.", "model.visual.deepstack_merger_list."},
    {"vision_tower.", "model.vision_tower."},
    {"model.vision_tower.vision_model.", "model.vision_tower."},
    {"model.embed_tokens.", "model.language_model.embed_tokens."},
    {"model.layers.", "model.language_model.layers."},
    {"model.norm.", "model.language_model.norm."},
    {"multi_modal_projector.", "model.multi_modal_projector."},
};

char *piaa_folder_canonical(const char *spelling, piaa_error *error) {
    for (size_t i = 0; i < PIAA_COUNT(spellings); i++) {
        size_t n = strlen(spellings[i].from);
        if (strncmp(spelling, spellings[i].from, n) == 0)
            return piaa_format(error, "%s%s", spellings[i].to, spelling + n);
    }
    return piaa_strdup(spelling, error);
}

static bool make_canonical(entry *e, piaa_error *error) {
    e->canonical = piaa_folder_canonical(e->spelling, error);
    e->tensor.name = e->canonical ? e->canonical : e->spelling;
    return e->canonical != NULL;
}

/* MLX keeps the kernels of convolutions with their input channels last: [out, …, in] becomes [out,
 * in, …], in float32.  Photos have three channels, which tells the two apart. */
static bool turn_kernel(entry *e, piaa_error *error) {
    enum { CHANNELS = 3 };
    piaa_tensor *t = &e->tensor;
    const int last = t->dimensions - 1;
    if (t->dimensions < 4 || t->shape[last] != CHANNELS || t->shape[1] == CHANNELS ||
        t->type == PIAA_OTHER_TYPE)
        return true;
    const size_t count = (size_t)piaa_tensor_count(t), out = (size_t)t->shape[0];
    const size_t places = out ? count / out / CHANNELS : 0;
    float *turned = piaa_alloc_array(2 * count, sizeof *turned, error);
    if (!turned) return false;
    float *plain = turned + count;
    piaa_tensor_to_float(t, plain);
    for (size_t o = 0; o < out; o++)
        for (size_t c = 0; c < CHANNELS; c++)
            for (size_t i = 0; i < places; i++)
                turned[(o * CHANNELS + c) * places + i] = plain[(o * places + i) * CHANNELS + c];
    memmove(&t->shape[2], &t->shape[1], (size_t)(last - 1) * sizeof t->shape[0]);
    t->shape[1] = CHANNELS;
    t->type = PIAA_F32;
    t->dtype = "F32";
    t->data = e->owned = turned;
    t->bytes = count * sizeof *turned;
    return true;
}

/* ----------------------------------------------------------------------------------- the folder */

static bool holds_ending(const char *folder, const char *end) {
    DIR *stream = opendir(folder);
    bool found = false;
    for (struct dirent *item; stream && !found && (item = readdir(stream));)
        found = piaa_path_ends(item->d_name, end);
    if (stream) closedir(stream);
    return found;
}

/* Says what a folder without a needed file is, and what is expected instead. */
static bool explain(const char *folder, const char *missing, piaa_error *error) {
    static const char expected[] = "give a Hugging Face model folder with config.json, "
                                   "preprocessor_config.json and model.safetensors, or "
                                   "a GGUF file with its mmproj beside it";
    if (!piaa_file_exists(folder))
        return piaa_error_set(error, PIAA_IO, "%s does not exist: %s", folder, expected);
    if (!piaa_file_is_folder(folder))
        return piaa_error_set(error, PIAA_FORMAT, "%s is a file, not a model folder: %s", folder,
                              expected);
    if (piaa_file_exists_in(folder, "adapter_config.json"))
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s holds an adapter (PEFT's adapter_config.json), not a whole model: "
            "give its base model with --model, and this folder with --adapter",
            folder);
    if (strcmp(missing, "config.json") != 0 &&
        (holds_ending(folder, ".bin") || holds_ending(folder, ".pt") ||
         holds_ending(folder, ".pth")))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s holds its weights as PyTorch pickles (.bin) only: fetch the "
                              "safetensors version or convert it",
                              folder);
    char *path = piaa_path_join(folder, missing, error), target[512];
    const ssize_t size = path ? readlink(path, target, sizeof target) : -1;
    free(path);
    if (size > 0)
        return piaa_error_set(error, PIAA_IO,
                              "%s/%s is a link to %.*s, which is not there: fetch the model again",
                              folder, missing, (int)size, target);
    return piaa_error_set(error, PIAA_FORMAT, "%s is not a model folder, it has no %s: %s", folder,
                          missing, expected);
}

static bool read_config(piaa_checkpoint *c, piaa_error *error) {
    char *path = piaa_path_join(c->folder, "config.json", error);
    bool ok = path && (piaa_file_exists(path) || explain(c->folder, "config.json", error));
    c->where = path;
    if (ok) c->config_text = piaa_file_read(path, CONFIG_LIMIT, &c->config_size, error);
    if (c->config_text) c->config = piaa_json_parse(c->config_text, c->config_size, path, error);
    ok = c->config != NULL;
    return ok && (cJSON_IsObject(c->config) ||
                  piaa_error_set(error, PIAA_FORMAT,
                                 "%s does not hold a JSON object: fetch it again", path));
}

/* Newer folders keep the image processor's settings inside processor_config.json, older ones in a
 * file of their own; where there are both, the newer ones count, as in transformers 5. */
static bool read_image_config(piaa_checkpoint *c, piaa_error *error) {
    static const char *const names[] = {"processor_config.json", "preprocessor_config.json"};
    for (size_t i = 0; i < PIAA_COUNT(names) && !c->image_config; i++) {
        char *path = piaa_path_join(c->folder, names[i], error);
        if (!path) return false;
        const bool there = piaa_file_exists(path);
        cJSON *root = there ? piaa_json_read(path, CONFIG_LIMIT, error) : NULL;
        const cJSON *object = i == 0 ? piaa_json_find(root, "image_processor") : root;
        const bool right = root && (cJSON_IsObject(object) || (i == 0 && !object));
        if (root && !right)
            piaa_error_set(error, PIAA_FORMAT,
                           "%s does not hold the image processor's settings as a JSON object: "
                           "fetch it again",
                           path);
        free(path);
        if (right && object) {
            c->processor = root;
            c->image_config = object;
        } else {
            cJSON_Delete(root);
        }
        if (there && !right) return false;
    }
    return true;
}

/* The sides of the blocks that have a scale each, in the form that is read. */
static bool read_block(const cJSON *config, int64_t block[2]) {
    static const char *const keys[] = {"quantization_config.weight_block_size",
                                       "text_config.quantization_config.weight_block_size"};
    for (size_t i = 0; i < PIAA_COUNT(keys); i++)
        if (piaa_json_ints(config, keys[i], block, 2) == 2 && block[0] > 0 && block[1] > 0)
            return true;
    return false;
}

/* How a folder was quantised, in words, where its matrices are not numbers any more; NULL: it was
   not, or in a way that is read. */
static const char *find_quantisation(const cJSON *config) {
    static const struct {
        const char *method, *words;
    } known[] = {{"awq", "AWQ"},
                 {"gptq", "GPTQ"},
                 {"bitsandbytes", "bitsandbytes"},
                 {"compressed-tensors", "compressed-tensors"},
                 {"fp8", "FP8"},
                 {"fbgemm_fp8", "FP8 (FBGEMM)"},
                 {"mxfp4", "MXFP4"},
                 {"torchao", "torchao"},
                 {"quanto", "Quanto"},
                 {"hqq", "HQQ"},
                 {"aqlm", "AQLM"},
                 {"auto-round", "AutoRound"}};
    if (cJSON_IsObject(piaa_json_find(config, "quantization"))) return "MLX";
    const cJSON *settings = piaa_json_find(config, "quantization_config");
    if (!cJSON_IsObject(settings))
        settings = piaa_json_find(config, "text_config.quantization_config");
    if (!cJSON_IsObject(settings)) return NULL;
    const char *method = piaa_json_string(settings, "quant_method");
    int64_t block[2];
    if (method && strcmp(method, "fp8") == 0 && read_block(config, block)) return NULL;
    for (size_t i = 0; method && i < PIAA_COUNT(known); i++)
        if (strcmp(method, known[i].method) == 0) return known[i].words;
    return method ? method : "an unknown method";
}

static bool refuse_quantised(const piaa_checkpoint *c, const char *method, piaa_error *error) {
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s is quantised with %.40s, which piaa does not read: take the "
                          "original folder (--dtype q4_K saves memory too) or a GGUF file",
                          c->folder, method);
}

static bool check_quantisation(const piaa_checkpoint *c, piaa_error *error) {
    const char *method = find_quantisation(c->config);
    return !method || refuse_quantised(c, method, error);
}

/* Tensors that only quantised folders have tell what config.json does not always say: by their
   names, or else by numbers in a matrix that are none to calculate with. */
static const char *find_packed(const piaa_checkpoint *c) {
    static const struct {
        const char *ending, *words;
    } parts[] = {{".qweight", "AWQ or GPTQ"},
                 {".weight_packed", "compressed-tensors"},
                 {".weight.absmax", "bitsandbytes"},
                 {".SCB", "bitsandbytes"},
                 {".weight_scale_2", "ModelOpt"}};
    static const struct {
        const char *dtype, *words;
    } types[] = {{"U32", "MLX"},
                 {"U8", "packed bytes"},
                 {"I8", "integers"},
                 {"F8_E4M3", "FP8"},
                 {"F8_E5M2", "FP8"}};
    for (size_t i = 0; i < c->count; i++)
        for (size_t k = 0; k < PIAA_COUNT(parts); k++)
            if (piaa_path_ends(c->entries[i].spelling, parts[k].ending)) return parts[k].words;
    for (size_t i = 0; i < c->count; i++) {
        const piaa_tensor *t = &c->entries[i].tensor;
        const bool matrix =
            t->dimensions == 2 && !t->derived && piaa_path_ends(c->entries[i].spelling, ".weight");
        for (size_t k = 0; matrix && k < PIAA_COUNT(types); k++)
            if (strcmp(t->dtype, types[k].dtype) == 0) return types[k].words;
    }
    return NULL;
}

static bool check_packed(const piaa_checkpoint *c, piaa_error *error) {
    const char *method = find_packed(c);
    return !method || refuse_quantised(c, method, error);
}

/* ------------------------------------------------------------------------------------ the files */

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Opens the files in c->file_names. */
static bool open_files(piaa_checkpoint *c, piaa_error *error) {
    c->files = piaa_alloc(c->file_count, sizeof(piaa_safetensors *), error);
    if (!c->files) return false;
    for (size_t i = 0; i < c->file_count; i++) {
        char *path = piaa_path_join(c->folder, c->file_names[i], error);
        if (path && !piaa_file_exists(path))
            piaa_error_set(
                error, PIAA_IO,
                "%s is missing, though model.safetensors.index.json lists it: fetch it again",
                path);
        else if (path)
            c->files[i] = piaa_safetensors_open(path, error);
        free(path);
        if (!c->files[i]) return false;
    }
    return true;
}

/* The distinct file names in the index, sorted. A name that leaves the folder is refused: it could
   point anywhere. */
static bool list_shards(piaa_checkpoint *c, const cJSON *map, const char *where,
                        piaa_error *error) {
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, map) {
        const char *file = cJSON_IsString(item) ? item->valuestring : "";
        if (!file[0] || strchr(file, '/') || file[0] == '.')
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%s: tensor %.200s is not given a file name in the same folder",
                                  where, item->string);
        count++;
    }
    if (!count)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s has no \"weight_map\" with tensors: fetch it again", where);
    char **names = piaa_alloc(count, sizeof *names, error);
    c->file_names = piaa_alloc(count, sizeof *names, error);
    if (!names || !c->file_names) {
        free(names);
        return false;
    }
    size_t i = 0;
    cJSON_ArrayForEach(item, map) names[i++] = item->valuestring;
    qsort(names, count, sizeof *names, compare_strings);
    bool ok = true;
    for (i = 0; i < count && ok; i++) {
        if (i > 0 && strcmp(names[i - 1], names[i]) == 0) continue;
        c->file_names[c->file_count] = piaa_strdup(names[i], error);
        ok = c->file_names[c->file_count] != NULL;
        c->file_count += ok;
    }
    free(names);
    return ok;
}

/* What the index promises has to be in the shard it names. (A shard may hold more.) */
static bool check_listed(const piaa_checkpoint *c, const cJSON *map, piaa_error *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, map) {
        char *const *name = bsearch(&item->valuestring, c->file_names, c->file_count,
                                    sizeof *c->file_names, compare_strings);
        if (!piaa_safetensors_find(c->files[name - c->file_names], item->string))
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%s holds no tensor %.200s, though model.safetensors.index.json "
                                  "lists it there: fetch it again",
                                  piaa_safetensors_where(c->files[name - c->file_names]),
                                  item->string);
    }
    return true;
}

static bool open_shards(piaa_checkpoint *c, const char *path, piaa_error *error) {
    cJSON *root = piaa_json_read(path, INDEX_LIMIT, error);
    if (!root) return false;
    c->index = root;
    c->weight_map = piaa_json_find(root, "weight_map");
    if (!cJSON_IsObject(c->weight_map))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s has no \"weight_map\" with tensors: fetch it again", path);
    return list_shards(c, c->weight_map, path, error) && open_files(c, error) &&
           check_listed(c, c->weight_map, error);
}

static bool open_single(piaa_checkpoint *c, piaa_error *error) {
    c->file_names = piaa_alloc(1, sizeof *c->file_names, error);
    if (!c->file_names) return false;
    c->file_names[0] = piaa_strdup("model.safetensors", error);
    if (!c->file_names[0]) return false;
    c->file_count = 1;
    return open_files(c, error);
}

static bool open_weights(piaa_checkpoint *c, piaa_error *error) {
    char *single = piaa_path_join(c->folder, "model.safetensors", error);
    char *index = single ? piaa_path_join(c->folder, "model.safetensors.index.json", error) : NULL;
    bool ok = false;
    if (index && piaa_file_exists(single))
        ok = open_single(c, error);
    else if (index && piaa_file_exists(index))
        ok = open_shards(c, index, error);
    else if (index)
        ok = explain(c->folder, "model.safetensors", error);
    free(single);
    free(index);
    return ok;
}

/* ---------------------------------------------------------------------------------- the tensors */

/* A tensor may lie in several shards; then the index says which of them counts. */
static bool counts(const piaa_checkpoint *c, size_t file, const char *spelling) {
    const cJSON *listed = cJSON_GetObjectItemCaseSensitive(c->weight_map, spelling);
    return !cJSON_IsString(listed) || strcmp(listed->valuestring, c->file_names[file]) == 0;
}

static bool gather_tensors(piaa_checkpoint *c, piaa_error *error) {
    size_t total = 0;
    for (size_t i = 0; i < c->file_count; i++) total += piaa_safetensors_count(c->files[i]);
    c->entries = piaa_alloc(total, sizeof *c->entries, error);
    if (!c->entries) return false;
    for (size_t i = 0; i < c->file_count; i++)
        for (size_t j = 0; j < piaa_safetensors_count(c->files[i]); j++) {
            entry e = {.tensor = *piaa_safetensors_at(c->files[i], j), .file = c->files[i]};
            e.spelling = e.tensor.name;
            if (!counts(c, i, e.spelling)) continue;
            c->entries[c->count++] = e;
            if (!make_canonical(&c->entries[c->count - 1], error) ||
                !turn_kernel(&c->entries[c->count - 1], error))
                return false;
        }
    return true;
}

static entry *find_name(piaa_checkpoint *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->entries[i].tensor.name, name) == 0) return &c->entries[i];
    return NULL;
}

/* One table for both ends of a decoder may be stored under the name of the other end. */
static bool name_tied_table(piaa_checkpoint *c, piaa_error *error) {
    static const char table[] = "model.language_model.embed_tokens.weight";
    bool tied = cJSON_IsObject(piaa_json_find(c->config, "text_config")); /* if it does not say */
    if (!piaa_json_bool(c->config, "tie_word_embeddings", &tied))
        piaa_json_bool(c->config, "text_config.tie_word_embeddings", &tied);
    entry *head = !tied || find_name(c, table) ? NULL : find_name(c, "lm_head.weight");
    if (!head) return true;
    free(head->canonical);
    head->tensor.name = head->canonical = piaa_strdup(table, error);
    return head->canonical != NULL;
}

/* A matrix in eight bits and the scales of its blocks, NAME_scale_inv [rows of blocks, columns of
   blocks], as Qwen publishes them. */
static bool take_scales(entry *e, const piaa_tensor *scales, const int64_t block[2],
                        piaa_error *error) {
    piaa_tensor *t = &e->tensor;
    const int64_t rows = (t->shape[0] - 1) / block[0] + 1,
                  columns = (t->shape[1] - 1) / block[1] + 1;
    if (scales->dimensions != 2 || scales->shape[0] != rows || scales->shape[1] != columns ||
        scales->type == PIAA_OTHER_TYPE)
        return piaa_error_set(error, PIAA_FORMAT,
                              "tensor %s should hold a scale for each block of %lld x %lld: fetch "
                              "the model again",
                              scales->name, (long long)block[0], (long long)block[1]);
    piaa_derived *d = e->derived = piaa_alloc(1, sizeof *d, error);
    if (!d) return false;
    *d = (piaa_derived){.base = *t,
                        .columns = t->shape[1],
                        .width = 1,
                        .scale_columns = columns,
                        .block_rows = block[0],
                        .block_columns = block[1]};
    d->scales = piaa_alloc_array((size_t)(rows * columns), sizeof *d->scales, error);
    if (d->scales) piaa_tensor_to_float(scales, d->scales);
    t->derived = d;
    t->type = PIAA_BF16; /* what it is held as */
    return d->scales != NULL;
}

static bool find_scales(piaa_checkpoint *c, piaa_error *error) {
    int64_t block[2];
    if (!read_block(c->config, block)) return true;
    for (size_t i = 0; i < c->count; i++) {
        entry *e = &c->entries[i];
        if (strcmp(e->tensor.dtype, "F8_E4M3") != 0 || e->tensor.dimensions != 2 ||
            e->tensor.shape[0] < 1 || e->tensor.shape[1] < 1)
            continue;
        char *name = piaa_format(error, "%s_scale_inv", e->tensor.name);
        if (!name) return false;
        const entry *scales = find_name(c, name);
        free(name);
        if (scales && !take_scales(e, &scales->tensor, block, error)) return false;
    }
    return true;
}

bool piaa_folder_read(piaa_checkpoint *c, piaa_error *error) {
    return read_config(c, error) && check_quantisation(c, error) && read_image_config(c, error) &&
           open_weights(c, error) && gather_tensors(c, error) && name_tied_table(c, error) &&
           find_scales(c, error) && check_packed(c, error);
}
