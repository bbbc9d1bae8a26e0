/* A checkpoint: opened by the reader of its form (folder.c, gguf_model.c), and looked up in. */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef piaa_checkpoint_entry entry;

static int compare_entries(const void *a, const void *b) {
    return strcmp(((const entry *)a)->tensor.name, ((const entry *)b)->tensor.name);
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
    if (c->folder) c->text = piaa_gguf_open_parts(text, error);
    const bool inside = c->text && strcmp(text, vision) == 0 && piaa_gguf_model_is_whole(c->text);
    if (c->text) c->vision = inside ? c->text : piaa_gguf_open_parts(vision, error);
    free(text);
    free(vision);
    return c->vision && piaa_gguf_model_read(c, error);
}

piaa_checkpoint *piaa_checkpoint_open_pair(const char *path, const char *vision,
                                           piaa_error *error) {
    piaa_checkpoint *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    c->folder = piaa_strdup(path, error);
    bool pair = c->folder && (vision || piaa_gguf_pair_is(path));
    if (c->folder && (pair ? open_pair(c, vision, error) : piaa_folder_read(c, error)) &&
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
        piaa_derived *derived = c->entries[i].derived;
        if (!derived) continue;
        free(derived->scales);
        free(derived->down);
        free(derived->up);
        free(derived);
    }
    free(c->entries);
    for (size_t i = 0; i < c->file_count; i++) {
        if (c->files) piaa_safetensors_close(c->files[i]);
        free(c->file_names[i]);
    }
    free(c->files);
    free(c->file_names);
    piaa_gguf_close(c->text);
    if (c->vision != c->text) piaa_gguf_close(c->vision);
    cJSON_Delete(c->config);
    cJSON_Delete(c->processor);
    cJSON_Delete(c->index);
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

/* Row by row, as a whole table of tokens may not fit into memory as float32. */
static bool is_finite(const piaa_tensor *tensor) {
    const int64_t rows = tensor->dimensions > 1 ? tensor->shape[0] : 1;
    if (tensor->type == PIAA_OTHER_TYPE || rows < 1) return true;
    piaa_tensor row = *tensor;
    if (tensor->dimensions > 1) row.shape[0] = 1;
    const size_t count = (size_t)piaa_tensor_count(&row);
    float *values = piaa_alloc_array(count, sizeof *values, NULL), sum = 0;
    for (int64_t i = 0; values && sum == 0 && i < rows; i++) {
        row.data = (const char *)tensor->data + tensor->bytes / (size_t)rows * (size_t)i;
        piaa_tensor_to_float(&row, values);
        for (size_t k = 0; k < count; k++) sum += values[k] * 0.0f; /* else NaN */
    }
    free(values);
    return sum == 0;
}

const piaa_tensor *piaa_checkpoint_not_finite(const piaa_checkpoint *c) {
    for (size_t i = 0; i < c->count; i++) {
        const piaa_tensor *tensor = &c->entries[i].tensor;
        const bool finite = is_finite(tensor);
        forget(&c->entries[i], tensor);
        if (!finite) return tensor;
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------- fingerprint */

static void hash_number(GChecksum *hash, uint64_t value) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(value >> 8 * i);
    g_checksum_update(hash, bytes, sizeof bytes);
}

/* With its length before it, so that no two sequences of strings hash alike. */
static void hash_string(GChecksum *hash, const char *text, size_t size) {
    hash_number(hash, size);
    g_checksum_update(hash, (const guchar *)text, (gssize)size);
}

/* First, middle and last 4 KiB; short data whole. */
static void hash_sample(GChecksum *hash, const piaa_tensor *tensor) {
    enum { PART = 4096 };
    const unsigned char *data = tensor->data;
    size_t bytes = tensor->bytes;
    hash_number(hash, bytes);
    if (bytes <= 3 * PART) {
        g_checksum_update(hash, data, (gssize)bytes);
        return;
    }
    g_checksum_update(hash, data, PART);
    g_checksum_update(hash, data + (bytes - PART) / 2, PART);
    g_checksum_update(hash, data + bytes - PART, PART);
}

/* An adapter counts too; a block's scales are tensors of the file. */
static void hash_adapter(GChecksum *hash, const piaa_tensor *tensor) {
    const piaa_derived *d = tensor->derived;
    if (!d || !d->rank) return;
    const gssize down = (gssize)sizeof *d->down * d->rank * tensor->shape[1],
                 up = (gssize)sizeof *d->up * d->rank * tensor->shape[0];
    g_checksum_update(hash, (const guchar *)&d->strength, sizeof d->strength);
    g_checksum_update(hash, (const guchar *)d->down, down);
    g_checksum_update(hash, (const guchar *)d->up, up);
}

bool piaa_checkpoint_fingerprint(const piaa_checkpoint *c, char out[65], piaa_error *error) {
    if (!c) return piaa_error_missing(error, "model");
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    hash_string(hash, c->config_text, c->config_size);
    for (size_t i = 0; i < c->count; i++) {
        const piaa_tensor *tensor = &c->entries[i].tensor;
        hash_string(hash, tensor->name, strlen(tensor->name));
        hash_string(hash, tensor->dtype, strlen(tensor->dtype));
        hash_number(hash, (uint64_t)tensor->dimensions);
        for (int d = 0; d < tensor->dimensions; d++) hash_number(hash, (uint64_t)tensor->shape[d]);
        /* Reading ahead around each sample, a system that likes to would fetch the whole model. */
        const bool mapped = !c->entries[i].owned;
        if (mapped) piaa_map_scattered(tensor->data, tensor->bytes, true);
        hash_sample(hash, tensor);
        hash_adapter(hash, tensor);
        if (mapped) piaa_map_scattered(tensor->data, tensor->bytes, false);
        forget(&c->entries[i], tensor);
    }
    snprintf(out, 65, "%s", g_checksum_get_string(hash));
    g_checksum_free(hash);
    return true;
}
