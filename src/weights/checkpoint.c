/* A model folder as users download it from Hugging Face: config.json, the image processor's
 * settings, and safetensors in one file or in shards. Opening it checks that everything listed is
 * there; data stay in the mapped files. A pair of GGUF files is read elsewhere (gguf_model.c) into
 * the same structure. */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "weights/sha.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 16 << 20, INDEX_LIMIT = 100 << 20 };

typedef piaa_checkpoint_entry entry;

/* ------------------------------------------------------------------------------------- one name */

/* Versions of transformers nest the same modules differently. The first prefix that fits is
   replaced. */
static const struct {
    const char *from, *to;
} spellings[] = {
    {"language_model.model.", "model.language_model."},
    {"language_model.lm_head.", "lm_head."},
    {"visual.", "model.visual."},
    {"vision_tower.vision_model.", "model.vision_tower."},
    {"vision_tower.", "model.vision_tower."},
    {"model.vision_tower.vision_model.", "model.vision_tower."},
    {"multi_modal_projector.", "model.multi_modal_projector."},
};

static bool make_canonical(entry *e, piaa_error *error) {
    for (size_t i = 0; i < PIAA_COUNT(spellings); i++) {
        size_t n = strlen(spellings[i].from);
        if (strncmp(e->spelling, spellings[i].from, n) != 0) continue;
        e->tensor.name = e->canonical =
            piaa_format(error, "%s%s", spellings[i].to, e->spelling + n);
        return e->canonical != NULL;
    }
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
    if (strcmp(missing, "config.json") != 0 &&
        (holds_ending(folder, ".bin") || holds_ending(folder, ".pt") ||
         holds_ending(folder, ".pth")))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s holds its weights as PyTorch pickles (.bin) only: fetch the "
                              "safetensors version or convert it",
                              folder);
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
                  piaa_error_set(error, PIAA_FORMAT, "%s does not hold a JSON object", path));
}

/* Newer folders keep the image processor's settings inside processor_config.json, older ones in a
   file of their own; some have both. */
static bool read_image_config(piaa_checkpoint *c, piaa_error *error) {
    static const char *const names[] = {"preprocessor_config.json", "processor_config.json"};
    for (size_t i = 0; i < PIAA_COUNT(names) && !c->image_config; i++) {
        char *path = piaa_path_join(c->folder, names[i], error);
        if (!path) return false;
        if (piaa_file_exists(path)) {
            cJSON_Delete(c->processor);
            c->processor = piaa_json_read(path, CONFIG_LIMIT, error);
            const cJSON *object = i == 0 || !c->processor
                                      ? c->processor
                                      : piaa_json_find(c->processor, "image_processor");
            bool wrong = c->processor &&
                         (i == 0 ? !cJSON_IsObject(object) : object && !cJSON_IsObject(object));
            if (wrong)
                piaa_error_set(error, PIAA_FORMAT,
                               "%s does not hold the image processor's settings as a JSON object",
                               path);
            if (!c->processor || wrong) {
                free(path);
                return false;
            }
            c->image_config = object;
        }
        free(path);
    }
    return true;
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
        return piaa_error_set(error, PIAA_FORMAT, "%s has no \"weight_map\" with tensors", where);
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
    const cJSON *map = piaa_json_find(root, "weight_map");
    bool ok = cJSON_IsObject(map) ||
              piaa_error_set(error, PIAA_FORMAT, "%s has no \"weight_map\" with tensors", path);
    ok = ok && list_shards(c, map, path, error) && open_files(c, error) &&
         check_listed(c, map, error);
    cJSON_Delete(root);
    return ok;
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

static int compare_entries(const void *a, const void *b) {
    return strcmp(((const entry *)a)->tensor.name, ((const entry *)b)->tensor.name);
}

static bool gather_tensors(piaa_checkpoint *c, piaa_error *error) {
    size_t total = 0;
    for (size_t i = 0; i < c->file_count; i++) total += piaa_safetensors_count(c->files[i]);
    c->entries = piaa_alloc(total, sizeof *c->entries, error);
    if (!c->entries) return false;
    for (size_t i = 0; i < c->file_count; i++)
        for (size_t j = 0; j < piaa_safetensors_count(c->files[i]); j++) {
            entry *e = &c->entries[c->count++];
            e->tensor = *piaa_safetensors_at(c->files[i], j);
            e->spelling = e->tensor.name;
            e->file = c->files[i];
            if (!make_canonical(e, error)) return false;
        }
    return true;
}

static const char *where_of(const entry *e) {
    return e->gguf ? piaa_gguf_where(e->gguf) : piaa_safetensors_where(e->file);
}

static bool sort_tensors(piaa_checkpoint *c, piaa_error *error) {
    if (!c->count)
        return piaa_error_set(error, PIAA_FORMAT, "%s holds no tensors: fetch its weights again",
                              c->folder);
    qsort(c->entries, c->count, sizeof *c->entries, compare_entries);
    for (size_t i = 1; i < c->count; i++) {
        const entry *a = &c->entries[i - 1], *b = &c->entries[i];
        if (strcmp(a->tensor.name, b->tensor.name) == 0)
            return piaa_error_set(
                error, PIAA_FORMAT,
                "tensor %.200s of %s and tensor %.200s of %s are the same weight: keep one of them",
                a->spelling, where_of(a), b->spelling, where_of(b));
    }
    return true;
}

static bool open_pair(piaa_checkpoint *c, const char *named, piaa_error *error) {
    char *text, *vision;
    if (!piaa_gguf_pair_find(c->folder, named, &text, &vision, error)) return false;
    if (named) {
        free(c->folder);
        c->folder = piaa_format(error, "%s,%s", text, vision);
    }
    if (c->folder) c->text = piaa_gguf_open(text, error);
    if (c->text) c->vision = piaa_gguf_open(vision, error);
    free(text);
    free(vision);
    return c->vision && piaa_gguf_model_read(c, error);
}

static bool open_folder(piaa_checkpoint *c, piaa_error *error) {
    return read_config(c, error) && read_image_config(c, error) && open_weights(c, error) &&
           gather_tensors(c, error);
}

piaa_checkpoint *piaa_checkpoint_open_pair(const char *path, const char *vision,
                                           piaa_error *error) {
    piaa_checkpoint *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    c->folder = piaa_strdup(path, error);
    bool pair = c->folder && (vision || piaa_gguf_pair_is(path));
    if (c->folder && (pair ? open_pair(c, vision, error) : open_folder(c, error)) &&
        sort_tensors(c, error))
        return c;
    piaa_checkpoint_close(c);
    return NULL;
}

piaa_checkpoint *piaa_checkpoint_open(const char *path, piaa_error *error) {
    return piaa_checkpoint_open_pair(path, NULL, error);
}

void piaa_checkpoint_close(piaa_checkpoint *c) {
    if (!c) return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->entries[i].canonical);
        free(c->entries[i].owned);
    }
    free(c->entries);
    for (size_t i = 0; i < c->file_count; i++) {
        if (c->files) piaa_safetensors_close(c->files[i]);
        free(c->file_names[i]);
    }
    free(c->files);
    free(c->file_names);
    piaa_gguf_close(c->text);
    piaa_gguf_close(c->vision);
    cJSON_Delete(c->config);
    cJSON_Delete(c->processor);
    cJSON_Delete(c->origins);
    free(c->config_text);
    free(c->where);
    free(c->folder);
    free(c);
}

const char *piaa_checkpoint_folder(const piaa_checkpoint *c) {
    return c->folder;
}

piaa_tokenizer *piaa_checkpoint_tokenizer(const piaa_checkpoint *c, piaa_error *error) {
    if (!c->text) return piaa_tokenizer_open(c->folder, error);
    cJSON *root = piaa_gguf_tokenizer(c->text, error);
    piaa_tokenizer *tokenizer =
        root ? piaa_tokenizer_from_json(root, piaa_gguf_where(c->text), error) : NULL;
    cJSON_Delete(root);
    return tokenizer;
}

const cJSON *piaa_checkpoint_config(const piaa_checkpoint *c) {
    return c->config;
}

const char *piaa_checkpoint_where(const piaa_checkpoint *c) {
    return c->text ? piaa_gguf_where(c->text) : c->where;
}

const char *piaa_checkpoint_origin(const piaa_checkpoint *c, const char *key,
                                   char out[PIAA_CHECKPOINT_ORIGIN]) {
    const cJSON *origin = cJSON_GetObjectItemCaseSensitive(c->origins, key);
    if (cJSON_IsString(origin))
        snprintf(out, PIAA_CHECKPOINT_ORIGIN, "%s", origin->valuestring);
    else
        snprintf(out, PIAA_CHECKPOINT_ORIGIN, "%s: \"%s\"", piaa_checkpoint_where(c), key);
    return out;
}

const cJSON *piaa_checkpoint_image_config(const piaa_checkpoint *c) {
    return c->image_config;
}

size_t piaa_checkpoint_count(const piaa_checkpoint *c) {
    return c->count;
}

const piaa_tensor *piaa_checkpoint_at(const piaa_checkpoint *c, size_t index) {
    return index < c->count ? &c->entries[index].tensor : NULL;
}

static const entry *find_entry(const piaa_checkpoint *c, const char *name) {
    entry key = {.tensor.name = name};
    return bsearch(&key, c->entries, c->count, sizeof key, compare_entries);
}

const piaa_tensor *piaa_checkpoint_tensor(const piaa_checkpoint *c, const char *name) {
    const entry *e = find_entry(c, name);
    return e ? &e->tensor : NULL;
}

/* "[2, 3]"; the result lives in `out`. */
static const char *shape_text(const int64_t *shape, int dimensions,
                              char out[PIAA_MAX_DIMENSIONS * 22 + 3]) {
    size_t n = 0;
    out[n++] = '[';
    for (int i = 0; i < dimensions; i++)
        n += (size_t)snprintf(out + n, 22, "%s%lld", i ? ", " : "", (long long)shape[i]);
    out[n++] = ']';
    out[n] = '\0';
    return out;
}

const piaa_tensor *piaa_checkpoint_need(const piaa_checkpoint *c, piaa_error *error,
                                        const char *name, int dimensions, ...) {
    int64_t shape[PIAA_MAX_DIMENSIONS];
    if (dimensions > PIAA_MAX_DIMENSIONS) dimensions = PIAA_MAX_DIMENSIONS;
    va_list arguments;
    va_start(arguments, dimensions);
    for (int i = 0; i < dimensions; i++) shape[i] = va_arg(arguments, int64_t);
    va_end(arguments);

    const entry *e = find_entry(c, name);
    if (!e) {
        piaa_error_set(error, PIAA_FORMAT,
                       "%s has no tensor %s, which its %s for: fetch the model again", c->folder,
                       name, c->text ? "metadata call" : "config.json calls");
        return NULL;
    }
    const piaa_tensor *tensor = &e->tensor;
    if (tensor->dimensions != dimensions ||
        memcmp(tensor->shape, shape, (size_t)dimensions * sizeof *shape) != 0) {
        char has[PIAA_MAX_DIMENSIONS * 22 + 3], wanted[PIAA_MAX_DIMENSIONS * 22 + 3];
        piaa_error_set(error, PIAA_FORMAT,
                       "%s: tensor %s has shape %s where %s for %s: fetch the model again",
                       where_of(e), name, shape_text(tensor->shape, tensor->dimensions, has),
                       c->text ? "the metadata call" : "config.json calls",
                       shape_text(shape, dimensions, wanted));
        return NULL;
    }
    if (tensor->type == PIAA_OTHER_TYPE) {
        piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s: tensor %s is stored as %.40s: use a version of the model in F32, F16 or BF16",
            where_of(e), name, tensor->dtype);
        return NULL;
    }
    return tensor;
}

static void forget(const entry *e, const piaa_tensor *tensor) {
    if (e->owned) return;
    if (e->gguf)
        piaa_gguf_forget(e->gguf, tensor);
    else
        piaa_safetensors_forget(e->file, tensor);
}

void piaa_checkpoint_forget(const piaa_checkpoint *c, const piaa_tensor *tensor) {
    const entry *e = find_entry(c, tensor->name);
    if (e) forget(e, tensor);
}

/* ---------------------------------------------------------------------------------- fingerprint */

static void hash_number(piaa_sha *hash, uint64_t value) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(value >> 8 * i);
    piaa_sha_add(hash, bytes, sizeof bytes);
}

/* With its length before it, so that no two sequences of strings hash alike. */
static void hash_string(piaa_sha *hash, const char *text, size_t size) {
    hash_number(hash, size);
    piaa_sha_add(hash, text, size);
}

/* First, middle and last 4 KiB; short data whole. */
static void hash_sample(piaa_sha *hash, const piaa_tensor *tensor) {
    enum { PART = 4096 };
    const unsigned char *data = tensor->data;
    size_t bytes = tensor->bytes;
    hash_number(hash, bytes);
    if (bytes <= 3 * PART) {
        piaa_sha_add(hash, data, bytes);
        return;
    }
    piaa_sha_add(hash, data, PART);
    piaa_sha_add(hash, data + (bytes - PART) / 2, PART);
    piaa_sha_add(hash, data + bytes - PART, PART);
}

bool piaa_checkpoint_fingerprint(const piaa_checkpoint *c, char out[65], piaa_error *error) {
    if (!c) return piaa_error_missing(error, "model");
    piaa_sha hash;
    piaa_sha256_begin(&hash);
    hash_string(&hash, c->config_text, c->config_size);
    for (size_t i = 0; i < c->count; i++) {
        const piaa_tensor *tensor = &c->entries[i].tensor;
        hash_string(&hash, tensor->name, strlen(tensor->name));
        hash_string(&hash, tensor->dtype, strlen(tensor->dtype));
        hash_number(&hash, (uint64_t)tensor->dimensions);
        for (int d = 0; d < tensor->dimensions; d++) hash_number(&hash, (uint64_t)tensor->shape[d]);
        /* Reading ahead around each sample, a system that likes to would fetch the whole model. */
        const bool mapped = !c->entries[i].owned;
        if (mapped) piaa_map_scattered(tensor->data, tensor->bytes, true);
        hash_sample(&hash, tensor);
        if (mapped) piaa_map_scattered(tensor->data, tensor->bytes, false);
        forget(&c->entries[i], tensor);
    }
    piaa_sha_finish(&hash, out);
    return true;
}
