/* Writing a GGUF pair.  The metadata and the list of tensors are made in memory, with every
 * tensor's type, place and size settled; the data then pass through a buffer of some rows,
 * converted and quantised by ggml, in the order of the list. */
#include "convert/gguf_write.h"

#include "base/file.h"
#include "base/memory.h"
#include "convert/gguf_meta.h"
#include "weights/checkpoint_parts.h"
#include "weights/gguf_names.h"
#include "weights/mixture.h"
#include "weights/quantise.h"

#include <errno.h>
#include <ggml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_ROWS = 64 };

/* One tensor of a file. */
typedef struct planned {
    char *name; /* llama.cpp's */
    const piaa_tensor *from;
    piaa_gguf_change change;
    int half; /* of a split kernel: 0 or 1; else -1 */
    enum ggml_type type;
    uint64_t bytes, offset;
} planned;

typedef struct plan {
    planned *items;
    size_t count, capacity;
} plan;

/* llama.cpp's numbers for the mixtures (general.file_type). */
static const struct {
    int text, vision;
} numbers[] = {
    [PIAA_GGUF_KIND_F32] = {0, 0},    [PIAA_GGUF_KIND_F16] = {1, 1},
    [PIAA_GGUF_KIND_BF16] = {32, 32}, [PIAA_GGUF_KIND_Q8_0] = {7, 7},
    [PIAA_GGUF_KIND_Q6_K] = {18, 7},  [PIAA_GGUF_KIND_Q5_K] = {17, 7},
    [PIAA_GGUF_KIND_Q4_K] = {15, 7},
};

/* ----------------------------------------------------------------------------------------- plan */

static uint64_t padded(uint64_t bytes) {
    return (bytes + PIAA_GGUF_ALIGNMENT - 1) / PIAA_GGUF_ALIGNMENT * PIAA_GGUF_ALIGNMENT;
}

static bool add_planned(plan *p, const piaa_gguf_name *row, int block, const char *rest,
                        const piaa_tensor *tensor, int half, piaa_error *error) {
    if (!piaa_grow(&p->items, &p->capacity, p->count + 1, sizeof *p->items, error)) return false;
    planned *item = &p->items[p->count];
    *item = (planned){.from = tensor, .change = row->change, .half = half};
    item->name = piaa_gguf_name_make(row->theirs, block, half == 1 ? ".1" : rest, error);
    p->count += item->name != NULL;
    return item->name != NULL;
}

static bool make_plan(plan *p, const piaa_checkpoint *c, const piaa_gguf_family *family,
                      piaa_gguf_kind kind, bool vision, piaa_error *error) {
    const cJSON *deepstack = piaa_json_find(c->config, "vision_config.deepstack_visual_indexes");
    for (size_t i = 0; i < piaa_checkpoint_count(c); i++) {
        const piaa_tensor *tensor = piaa_checkpoint_at(c, i);
        int block;
        const char *rest;
        const piaa_gguf_name *row = piaa_gguf_name_find(family, true, tensor->name, &block, &rest);
        if (!row) continue; /* weights that no reader of the pair would use */
        if (piaa_gguf_is_vision(row->theirs) != vision) continue;
        if (tensor->type == PIAA_OTHER_TYPE)
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "%s: tensor %s is stored as %.40s, which cannot be converted",
                                  c->folder, tensor->name, tensor->dtype);
        if (row->change == PIAA_GGUF_DEEPSTACK) {
            const cJSON *number = cJSON_GetArrayItem(deepstack, block);
            if (!cJSON_IsNumber(number))
                return piaa_error_set(
                    error, PIAA_FORMAT,
                    "%s has a tensor %s but no place for it in deepstack_visual_indexes", c->folder,
                    tensor->name);
            block = number->valueint;
        }
        int halves = row->change == PIAA_GGUF_HALVES ? 2 : 1;
        if (halves == 2 && (tensor->dimensions != 5 || tensor->shape[2] != 2))
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "%s: tensor %s should be a kernel over 2 frames", c->folder,
                                  tensor->name);
        for (int half = 0; half < halves; half++) {
            if (!add_planned(p, row, block, rest, tensor, halves == 2 ? half : -1, error))
                return false;
            planned *item = &p->items[p->count - 1];
            item->type = piaa_gguf_type(c, tensor, kind);
            int64_t columns = tensor->dimensions ? tensor->shape[tensor->dimensions - 1] : 1,
                    count = piaa_tensor_count(tensor) / halves;
            item->bytes =
                columns ? ggml_row_size(item->type, columns) * (uint64_t)(count / columns) : 0;
            item->offset = p->count > 1 ? item[-1].offset + padded(item[-1].bytes) : 0;
        }
    }
    return p->count > 0 || piaa_error_set(error, PIAA_FORMAT, "%s has no weights of a %s",
                                          c->folder, vision ? "vision part" : "text model");
}

static void plan_free(plan *p) {
    for (size_t i = 0; i < p->count; i++) free(p->items[i].name);
    free(p->items);
}

/* The header and the list, padded to where the data begin. */
static bool make_head(const piaa_gguf_meta *meta, const plan *p, piaa_gguf_meta *head) {
    piaa_gguf_put_bytes(head, 0x46554747, 4); /* "GGUF" */
    piaa_gguf_put_bytes(head, 3, 4);
    piaa_gguf_put_bytes(head, p->count, 8);
    piaa_gguf_put_bytes(head, meta->keys, 8);
    head->failed = head->failed ||
                   !piaa_text_add(&head->text, meta->text.data, meta->text.length, head->error);
    for (size_t i = 0; i < p->count; i++) {
        const planned *item = &p->items[i];
        int rank = item->from->dimensions - (item->half >= 0);
        piaa_gguf_put_text(head, item->name, strlen(item->name));
        piaa_gguf_put_bytes(head, (uint64_t)rank, 4);
        for (int d = item->from->dimensions - 1; d >= 0; d--)
            if (item->half < 0 || d != 2)
                piaa_gguf_put_bytes(head, (uint64_t)item->from->shape[d], 8);
        piaa_gguf_put_bytes(head, (uint64_t)item->type, 4);
        piaa_gguf_put_bytes(head, item->offset, 8);
    }
    while (!head->failed && head->text.length % PIAA_GGUF_ALIGNMENT)
        piaa_gguf_put_bytes(head, 0, 1);
    return !head->failed;
}

/* ----------------------------------------------------------------------------------------- data */

/* One of the two files. */
typedef struct output {
    piaa_gguf_meta meta;
    plan plan;
    FILE *stream;
    const char *path; /* in messages */
    char *part;       /* until the file is whole */
    const piaa_hooks *hooks;
    int64_t done, total;
    piaa_error *error;
} output;

static bool write_bytes(output *out, const void *bytes, size_t size) {
    return fwrite(bytes, 1, size, out->stream) == size ||
           piaa_error_set_errno(out->error, errno, "cannot write %s", out->path);
}

/* `count` rows of the last axis from `row` on, as the file will have them, as float32. */
static void read_rows(const planned *item, int64_t row, int64_t count, int64_t columns,
                      float *out) {
    const piaa_tensor *from = item->from;
    const size_t row_bytes = from->bytes / (size_t)(piaa_tensor_count(from) / columns);
    piaa_tensor piece = *from;
    piece.dimensions = 1;
    piece.shape[0] = item->half < 0 ? count * columns : columns;
    piece.data = (const char *)from->data + row_bytes * (size_t)row;
    if (item->half < 0) {
        piaa_tensor_to_float(&piece, out);
    } else {
        /* [rows, channels, 2, p, p]: every second plane of p rows. */
        const int64_t p = from->shape[3];
        for (int64_t i = row; i < row + count; i++) {
            piece.data = (const char *)from->data +
                         row_bytes * (size_t)((2 * (i / p) + item->half) * p + i % p);
            piaa_tensor_to_float(&piece, out + (i - row) * columns);
        }
    }
    if (item->change == PIAA_GGUF_PLUS_ONE)
        for (int64_t i = 0; i < count * columns; i++) out[i] += 1.0f;
}

static bool is_stopped(const output *out) {
    return out->hooks && out->hooks->stop && out->hooks->stop(out->hooks->user) &&
           !piaa_error_set(out->error, PIAA_STOPPED, "stopped before %s was whole", out->path);
}

/* Through two buffers of `chunk` rows. */
static bool write_rows(output *out, const planned *item, int64_t rows, int64_t columns,
                       int64_t chunk, float *wide, void *narrow) {
    const bool same = item->type == GGML_TYPE_F32;
    const size_t row_bytes = ggml_row_size(item->type, columns);
    for (int64_t row = 0; row < rows; row += chunk) {
        const int64_t n = rows - row < chunk ? rows - row : chunk;
        read_rows(item, row, n, columns, wide);
        if (!same) piaa_quantise(item->type, wide, narrow, n, columns);
        if (!write_bytes(out, same ? wide : narrow, row_bytes * (size_t)n) || is_stopped(out))
            return false;
    }
    return true;
}

static bool write_tensor(output *out, const planned *item) {
    static const char zeros[PIAA_GGUF_ALIGNMENT] = "";
    const piaa_tensor *from = item->from;
    const int64_t columns = from->dimensions ? from->shape[from->dimensions - 1] : 1;
    const int64_t rows = columns ? piaa_tensor_count(from) / columns / (item->half < 0 ? 1 : 2) : 0;
    const int64_t chunk = rows < CHUNK_ROWS ? rows : CHUNK_ROWS;
    float *wide = piaa_alloc_array((size_t)(chunk * columns), sizeof *wide, out->error);
    void *narrow =
        wide ? piaa_alloc_array((size_t)chunk, ggml_row_size(item->type, columns), out->error)
             : NULL;
    const bool ok = narrow && write_rows(out, item, rows, columns, chunk, wide, narrow);
    free(wide);
    free(narrow);
    return ok && write_bytes(out, zeros, (size_t)(padded(item->bytes) - item->bytes));
}

static bool write_data(output *out, const piaa_checkpoint *c) {
    for (size_t i = 0; i < out->plan.count; i++) {
        const planned *item = &out->plan.items[i];
        if (!write_tensor(out, item)) return false;
        if (item->half == 0) continue;
        out->done += (int64_t)item->from->bytes;
        piaa_checkpoint_forget(c, item->from);
        if (out->hooks && out->hooks->progress)
            out->hooks->progress(out->hooks->user, "converting", out->done, out->total);
    }
    return true;
}

const piaa_output_kind piaa_gguf_output = {"a GGUF file", PIAA_GGUF_MARK};

static bool check_free(const char *path, piaa_error *error) {
    return !piaa_file_exists(path) || piaa_output_check(path, &piaa_gguf_output, error);
}

static bool cannot_write(output *out) {
    return piaa_error_set_errno(out->error, errno, "cannot write %s", out->path);
}

/* The head, and a hole for the data. */
static bool write_head(output *out, const piaa_text *head) {
    uint64_t data = 0;
    for (size_t i = 0; i < out->plan.count; i++) data += padded(out->plan.items[i].bytes);
    if (!(out->stream = fopen(out->part, "wb"))) return cannot_write(out);
    if (!write_bytes(out, head->data, head->length)) return false;
    if (fflush(out->stream) != 0 ||
        ftruncate(fileno(out->stream), (off_t)(head->length + data)) != 0)
        return cannot_write(out);
    return true;
}

/* The file under another name, without its data. */
static bool begin_file(output *out) {
    piaa_gguf_meta head = {.error = out->error};
    char *part = piaa_format(out->error, "%s.part", out->path);
    if (!part || !check_free(out->path, out->error) || !check_free(part, out->error)) {
        free(part);
        return false;
    }
    out->part = part;
    const bool ok = make_head(&out->meta, &out->plan, &head) && write_head(out, &head.text);
    free(head.text.data);
    return ok;
}

/* The data, and the file's own name once they are on the disk. */
static bool fill_file(output *out, const piaa_checkpoint *c) {
    if (!write_data(out, c)) return false;
    if (fflush(out->stream) != 0 || fsync(fileno(out->stream)) != 0) return cannot_write(out);
    const bool closed = fclose(out->stream) == 0;
    out->stream = NULL;
    if (!closed || rename(out->part, out->path) != 0) return cannot_write(out);
    free(out->part);
    out->part = NULL;
    return true;
}

/* What has not got its own name by now never will. */
static void end_file(output *out) {
    if (out->stream) fclose(out->stream);
    if (out->part) remove(out->part);
    free(out->part);
    plan_free(&out->plan);
    free(out->meta.text.data);
}

static int64_t bytes_to_read(const plan *p) {
    int64_t bytes = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].half != 0) bytes += (int64_t)p->items[i].from->bytes;
    return bytes;
}

static bool write_pair(const piaa_checkpoint *c, const piaa_gguf_family *family,
                       piaa_gguf_kind kind, const piaa_gguf_check *check, output *text,
                       output *vision, piaa_error *error) {
    if (!piaa_gguf_put_text_model(&text->meta, c, family, numbers[kind].text) ||
        !piaa_gguf_put_vision_part(&vision->meta, c, family, numbers[kind].vision) ||
        !make_plan(&text->plan, c, family, kind, false, error) ||
        !make_plan(&vision->plan, c, family, kind, true, error) || !begin_file(vision) ||
        !begin_file(text))
        return false;
    if (check && !check->same(check->user, text->part, vision->part, error)) return false;
    text->total = vision->total = bytes_to_read(&vision->plan) + bytes_to_read(&text->plan);
    if (!fill_file(vision, c)) return false;
    text->done = vision->done;
    return fill_file(text, c);
}

bool piaa_gguf_convert(const piaa_checkpoint *c, const char *text_path, const char *vision_path,
                       piaa_gguf_kind kind, const piaa_gguf_check *check, const piaa_hooks *hooks,
                       piaa_error *error) {
    if (!c) return piaa_error_missing(error, "model");
    const char *type = piaa_json_string(c->config, "model_type");
    const piaa_gguf_family *family = piaa_gguf_family_find(type);
    if (!family)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s is a \"%.60s\" model, which cannot be written as GGUF: qwen3_vl and gemma3 can",
            c->folder, type ? type : "");
    const piaa_gguf_meta nothing = {.error = error};
    output text = {.meta = nothing, .path = text_path, .hooks = hooks, .error = error},
           vision = {.meta = nothing, .path = vision_path, .hooks = hooks, .error = error};
    const bool ok = write_pair(c, family, kind, check, &text, &vision, error);
    end_file(&text);
    end_file(&vision);
    return ok;
}
