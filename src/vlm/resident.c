/*
 * Weights made resident: declared by name and shape, then read from the checkpoint once.
 *
 * The file is mapped; each tensor's rows pass through a small float32 buffer only where their type changes, go into the backend's buffer,
 * and are then forgotten by the map.  So the peak is the resident weights plus one tensor, never two copies of the model.
 */
#include "vlm/resident.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 4, CHUNK_ROWS = 64 };

typedef struct declared {
    struct ggml_tensor *tensor;
    const piaa_tensor *parts[MAX_PARTS];
    int64_t rows[MAX_PARTS];
    int part_count;
    int64_t columns;
    bool matrix;
} declared;

struct piaa_resident {
    const piaa_checkpoint *checkpoint;
    struct ggml_context *context;
    ggml_backend_buffer_t buffer;
    piaa_dtype dtype;
    declared *items;
    size_t count, capacity;
    size_t bytes;
};

enum { MAX_TENSORS = 4096 };

piaa_resident *piaa_resident_new(const piaa_checkpoint *checkpoint, piaa_dtype dtype, piaa_error *error) {
    piaa_resident *resident = piaa_alloc(1, sizeof *resident, error);
    if (!resident) return NULL;
    resident->checkpoint = checkpoint;
    resident->dtype = dtype;
    resident->context = ggml_init((struct ggml_init_params){.mem_size = MAX_TENSORS * ggml_tensor_overhead(), .no_alloc = true});
    if (!resident->context) {
        piaa_error_set(error, PIAA_MEMORY, "out of memory for the table of weights");
        piaa_resident_free(resident);
        return NULL;
    }
    return resident;
}

void piaa_resident_free(piaa_resident *resident) {
    if (!resident) return;
    ggml_backend_buffer_free(resident->buffer);
    ggml_free(resident->context);
    free(resident->items);
    free(resident);
}

static bool add_part(piaa_resident *resident, piaa_error *error, declared *item, const char *name, size_t length, int64_t rows,
                     int64_t columns) {
    char text[256];
    if (length >= sizeof text) return piaa_error_set(error, PIAA_FORMAT, "a tensor name is too long: %.60s…", name);
    memcpy(text, name, length);
    text[length] = '\0';
    const piaa_tensor *tensor = piaa_checkpoint_tensor(resident->checkpoint, text);
    /* A convolution kernel [rows, …] is a matrix whose row is everything after the first axis. */
    if (tensor && item->matrix && tensor->dimensions > 2 && tensor->shape[0] == rows && piaa_tensor_count(tensor) == rows * columns &&
        tensor->type != PIAA_OTHER_TYPE) {
        item->parts[item->part_count] = tensor;
    } else if (item->matrix) {
        tensor = piaa_checkpoint_need(resident->checkpoint, error, text, 2, rows, columns);
        item->parts[item->part_count] = tensor;
    } else {
        tensor = piaa_checkpoint_need(resident->checkpoint, error, text, 1, rows);
        item->parts[item->part_count] = tensor;
    }
    item->rows[item->part_count++] = rows;
    return tensor != NULL;
}

static struct ggml_tensor *declare(piaa_resident *resident, piaa_error *error, const char *names, int parts, const int64_t *rows,
                                   int64_t columns, bool matrix) {
    if (error->code != PIAA_OK) return NULL;
    declared item = {.columns = columns, .matrix = matrix};
    int64_t total = 0;
    for (int i = 0; i < parts; i++) {
        size_t length = strcspn(names, "|");
        if (!add_part(resident, error, &item, names, length, rows[i], columns)) return NULL;
        total += rows[i];
        names += length + (names[length] == '|');
    }
    if (resident->count >= MAX_TENSORS) {
        piaa_error_set(error, PIAA_UNSUPPORTED, "the model has more than %d weight tensors in use", MAX_TENSORS);
        return NULL;
    }
    if (!piaa_grow(&resident->items, &resident->capacity, resident->count + 1, sizeof *resident->items, error)) return NULL;
    /* The type is settled in load(), once the whole request's size is known. */
    item.tensor = matrix ? ggml_new_tensor_2d(resident->context, GGML_TYPE_F32, columns, total)
                         : ggml_new_tensor_1d(resident->context, GGML_TYPE_F32, total);
    ggml_set_name(item.tensor, item.parts[0]->name);
    resident->items[resident->count++] = item;
    return item.tensor;
}

struct ggml_tensor *piaa_resident_matrix(piaa_resident *resident, piaa_error *error, const char *names, int parts, const int64_t *rows,
                                         int64_t columns) {
    return declare(resident, error, names, parts, rows, columns, true);
}

struct ggml_tensor *piaa_resident_vector(piaa_resident *resident, piaa_error *error, const char *names, int64_t length) {
    return declare(resident, error, names, 1, &length, 1, false);
}

/* ------------------------------------------------------------------------------------------------------- types in memory */

static enum ggml_type file_type(const piaa_tensor *tensor) {
    return tensor->type == PIAA_BF16 ? GGML_TYPE_BF16 : tensor->type == PIAA_F16 ? GGML_TYPE_F16 : GGML_TYPE_F32;
}

static enum ggml_type wanted_type(piaa_dtype dtype, const declared *item) {
    if (!item->matrix) return GGML_TYPE_F32;
    switch (dtype) {
    case PIAA_DTYPE_F32:
        return GGML_TYPE_F32;
    case PIAA_DTYPE_F16:
        return GGML_TYPE_F16;
    case PIAA_DTYPE_BF16:
        return GGML_TYPE_BF16;
    case PIAA_DTYPE_Q8_0:
        return GGML_TYPE_Q8_0;
    case PIAA_DTYPE_Q4_K:
        return GGML_TYPE_Q4_K;
    case PIAA_DTYPE_AUTO:
        break;
    }
    return file_type(item->parts[0]);
}

static void set_type(struct ggml_tensor *tensor, enum ggml_type type) {
    tensor->type = type;
    tensor->nb[0] = ggml_type_size(type);
    tensor->nb[1] = ggml_row_size(type, tensor->ne[0]);
    for (int i = 2; i < GGML_MAX_DIMS; i++) tensor->nb[i] = tensor->nb[i - 1] * (size_t)tensor->ne[i - 1];
}

static bool settle_types(piaa_resident *resident, piaa_error *error) {
    static const size_t float_limit = (size_t)1 << 30;
    if (resident->dtype == PIAA_DTYPE_AUTO) {
        size_t bytes = 0;
        piaa_dtype own = PIAA_DTYPE_F32;
        for (size_t i = 0; i < resident->count; i++) {
            bytes += ggml_nbytes(resident->items[i].tensor);
            if (!resident->items[i].matrix) continue;
            piaa_type type = resident->items[i].parts[0]->type;
            own = type == PIAA_BF16 ? PIAA_DTYPE_BF16 : type == PIAA_F16 ? PIAA_DTYPE_F16 : PIAA_DTYPE_F32;
        }
        resident->dtype = bytes <= float_limit ? PIAA_DTYPE_F32 : own;
    }
    for (size_t i = 0; i < resident->count; i++) {
        declared *item = &resident->items[i];
        enum ggml_type type = wanted_type(resident->dtype, item);
        if (item->columns % ggml_blck_size(type) != 0 && item->matrix)
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "%s: rows of %lld values cannot be held as %s, which packs %lld at a time: use --dtype bf16 or f32",
                                  item->parts[0]->name, (long long)item->columns, piaa_dtype_name(resident->dtype),
                                  (long long)ggml_blck_size(type));
        set_type(item->tensor, type);
    }
    return true;
}

/* --------------------------------------------------------------------------------------------------------------- reading */

typedef struct copy_job {
    const declared *item;
    int part;
    int64_t first_row; /* of the part in the stacked tensor */
    int64_t begin, end;
    bool ok;
} copy_job;

/* Converts rows [begin, end) of one part.  Runs on several threads, each on rows of its own. */
static void *copy_rows(void *argument) {
    copy_job *job = argument;
    const declared *item = job->item;
    const piaa_tensor *from = item->parts[job->part];
    struct ggml_tensor *to = item->tensor;
    enum ggml_type source = file_type(from);
    const size_t source_row = ggml_row_size(source, item->columns);
    const size_t target_row = ggml_row_size(to->type, item->columns);
    const unsigned char *data = from->data;
    if (source == to->type) {
        ggml_backend_tensor_set(to, data + source_row * (size_t)job->begin, target_row * (size_t)(job->first_row + job->begin),
                                target_row * (size_t)(job->end - job->begin));
        job->ok = true;
        return NULL;
    }
    float *wide = piaa_alloc_array((size_t)(CHUNK_ROWS * item->columns), sizeof *wide, NULL);
    void *narrow = piaa_alloc_array(CHUNK_ROWS, target_row, NULL);
    job->ok = wide && narrow;
    for (int64_t row = job->begin; job->ok && row < job->end; row += CHUNK_ROWS) {
        int64_t n = job->end - row < CHUNK_ROWS ? job->end - row : CHUNK_ROWS;
        piaa_tensor piece = *from;
        piece.dimensions = 1;
        piece.shape[0] = n * item->columns;
        piece.data = data + source_row * (size_t)row;
        piaa_tensor_to_float(&piece, wide);
        ggml_quantize_chunk(to->type, wide, narrow, 0, n, item->columns, NULL);
        ggml_backend_tensor_set(to, to->type == GGML_TYPE_F32 ? (void *)wide : narrow, target_row * (size_t)(job->first_row + row),
                                target_row * (size_t)n);
    }
    free(wide);
    free(narrow);
    return NULL;
}

static bool copy_part(const declared *item, int part, int64_t first_row, int threads, piaa_error *error) {
    enum { MAX_THREADS = 64, SMALL = 1 << 16 };
    copy_job jobs[MAX_THREADS];
    pthread_t handles[MAX_THREADS];
    bool started[MAX_THREADS] = {false};
    int64_t rows = item->rows[part];
    int n = threads > MAX_THREADS ? MAX_THREADS : threads;
    if (n < 1 || rows * item->columns < SMALL) n = 1;
    for (int i = 0; i < n; i++) {
        jobs[i] = (copy_job){.item = item, .part = part, .first_row = first_row, .begin = rows * i / n, .end = rows * (i + 1) / n};
        started[i] = i > 0 && pthread_create(&handles[i], NULL, copy_rows, &jobs[i]) == 0;
        if (i > 0 && !started[i]) copy_rows(&jobs[i]);
    }
    copy_rows(&jobs[0]);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        if (started[i]) pthread_join(handles[i], NULL);
        ok = ok && jobs[i].ok;
    }
    return ok || piaa_error_set(error, PIAA_MEMORY, "out of memory while reading %s", item->parts[part]->name);
}

bool piaa_resident_load(piaa_resident *resident, ggml_backend_t backend, int threads, piaa_error *error) {
    if (!settle_types(resident, error)) return false;
    if (resident->count == 0) return true;
    resident->buffer = ggml_backend_alloc_ctx_tensors(resident->context, backend);
    if (!resident->buffer) {
        size_t bytes = 0;
        for (size_t i = 0; i < resident->count; i++) bytes += ggml_nbytes(resident->items[i].tensor);
        return piaa_error_set(error, PIAA_MEMORY, "no room for %.1f GB of weights: ask for fewer layers, or a smaller --dtype such as q4_K",
                              (double)bytes / 1e9);
    }
    ggml_backend_buffer_set_usage(resident->buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    resident->bytes = ggml_backend_buffer_get_size(resident->buffer);
    for (size_t i = 0; i < resident->count; i++) {
        const declared *item = &resident->items[i];
        int64_t first = 0;
        for (int part = 0; part < item->part_count; part++) {
            /* A vector's part is one row: its elements take the place of the columns. */
            declared view = *item;
            if (!item->matrix) {
                view.columns = item->rows[part];
                view.rows[part] = 1;
            }
            if (!copy_part(&view, part, first, threads, error)) return false;
            piaa_checkpoint_forget(resident->checkpoint, item->parts[part]);
            first += item->rows[part];
        }
    }
    return true;
}

piaa_dtype piaa_resident_dtype(const piaa_resident *resident) {
    return resident->dtype;
}

size_t piaa_resident_bytes(const piaa_resident *resident) {
    return resident->bytes;
}
