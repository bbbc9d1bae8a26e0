/*
 * Weights made resident: declared by name and shape, then read from the checkpoint once.
 *
 * The file is mapped; each tensor's rows pass through a small buffer where their type or layout
 * changes, go into the backend's buffer, and are then forgotten by the map.  So the peak is the
 * resident weights plus one tensor, never two copies of the model.
 *
 * A matrix has one of two homes: packed for our kernels (float32, bfloat16, codes), or ggml's plain
 * layout.  (ggml's repacking buffer type was tried for q4_K: 145 GFLOP/s per core where the plain
 * layout reaches 220 to 250, see docs/performance.md.)
 */
#include "vlm/resident.h"

#include "base/memory.h"
#include "vlm/codes.h"
#include "vlm/device.h"
#include "weights/mixture.h"
#include "weights/quantise.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 4, CHUNK_ROWS = 64, MAX_TENSORS = 8192, MAX_THREADS = 64 };

typedef enum home { PLAIN, PACKED, HOMES } home;

typedef struct declared {
    piaa_matrix matrix;
    struct ggml_tensor *vector; /* else a vector, and the matrix is one row of it */
    const piaa_tensor *parts[MAX_PARTS];
    int64_t rows[MAX_PARTS];
    int part_count;
    bool transposed; /* in the file */
    float offset;    /* added to the values of a vector */
    home home;
    enum ggml_type type;
} declared;

struct piaa_resident {
    const piaa_checkpoint *checkpoint;
    piaa_error error; /* the first one of declaring */
    bool kernels;
    piaa_dtype dtype;
    ggml_backend_dev_t device;
    char note[128];
    struct ggml_context *contexts[HOMES];
    ggml_backend_buffer_t buffers[HOMES];
    declared *items; /* room for MAX_TENSORS from the start: what is declared stays where it is */
    size_t count;
    size_t bytes;
};

piaa_resident *piaa_resident_new(const piaa_checkpoint *checkpoint, piaa_dtype dtype, bool kernels,
                                 ggml_backend_dev_t device, piaa_error *error) {
    piaa_resident *resident = piaa_alloc(1, sizeof *resident, error);
    if (!resident) return NULL;
    resident->checkpoint = checkpoint;
    resident->dtype = dtype;
    resident->kernels = kernels;
    resident->device = device;
    resident->items = piaa_alloc(MAX_TENSORS, sizeof *resident->items, error);
    bool ok = resident->items != NULL;
    for (int i = 0; ok && i < HOMES; i++) {
        resident->contexts[i] = ggml_init((struct ggml_init_params){
            .mem_size = MAX_TENSORS * ggml_tensor_overhead(), .no_alloc = true});
        ok = resident->contexts[i] ||
             piaa_error_set(error, PIAA_MEMORY, "out of memory for the table of weights");
    }
    if (ok) return resident;
    piaa_resident_free(resident);
    return NULL;
}

void piaa_resident_free(piaa_resident *resident) {
    if (!resident) return;
    for (int i = 0; i < HOMES; i++) {
        ggml_backend_buffer_free(resident->buffers[i]);
        ggml_free(resident->contexts[i]);
    }
    free(resident->items);
    free(resident);
}

/* ------------------------------------------------------------------------------------ declaring */

static bool add_part(piaa_resident *resident, declared *item, const char *prefix, const char *name,
                     size_t length, int64_t rows, int64_t columns) {
    char text[256];
    const size_t before = strlen(prefix);
    piaa_error *error = &resident->error;
    if (before + length >= sizeof text)
        return piaa_error_set(error, PIAA_FORMAT, "a tensor name is too long: %s%.60s…", prefix,
                              name);
    memcpy(text, prefix, before);
    memcpy(text + before, name, length);
    text[before + length] = '\0';
    if (rows == 0 && !length) { /* zeros */
        item->parts[item->part_count] = NULL;
        item->rows[item->part_count++] = 1;
        return true;
    }
    const piaa_tensor *tensor = piaa_checkpoint_tensor(resident->checkpoint, text);
    /* A convolution kernel [rows, …] is a matrix whose row is everything after the first axis. */
    bool kernel = tensor && rows > 0 && tensor->dimensions > 2 && tensor->shape[0] == rows &&
                  piaa_tensor_count(tensor) == rows * columns && tensor->type != PIAA_OTHER_TYPE;
    if (rows == 0)
        tensor = piaa_checkpoint_need(resident->checkpoint, error, text, 1, columns);
    else if (item->transposed)
        tensor = piaa_checkpoint_need(resident->checkpoint, error, text, 2, columns, rows);
    else if (!kernel)
        tensor = piaa_checkpoint_need(resident->checkpoint, error, text, 2, rows, columns);
    item->parts[item->part_count] = tensor;
    item->rows[item->part_count++] = rows ? rows : 1;
    return tensor != NULL;
}

/* rows: of each part; 0: vectors of `columns` values. */
static declared *declare(piaa_resident *resident, const char *prefix, const char *names, int parts,
                         int64_t rows, int64_t columns, bool transposed) {
    if (resident->error.code != PIAA_OK) return NULL;
    if (resident->count >= MAX_TENSORS) {
        piaa_error_set(&resident->error, PIAA_UNSUPPORTED,
                       "the model has more than %d weight tensors in use", MAX_TENSORS);
        return NULL;
    }
    declared *item = &resident->items[resident->count];
    *item = (declared){.matrix = {.columns = columns}, .transposed = transposed};
    for (int i = 0; i < parts; i++) {
        size_t length = strcspn(names, "|");
        if (!add_part(resident, item, prefix, names, length, rows, columns)) return NULL;
        item->matrix.rows += item->rows[i];
        names += length + (names[length] == '|');
    }
    resident->count++;
    return item;
}

const piaa_matrix *piaa_resident_stacked(piaa_resident *resident, const char *prefix,
                                         const char *names, int parts, int64_t rows,
                                         int64_t columns) {
    declared *item = declare(resident, prefix, names, parts, rows, columns, false);
    return item ? &item->matrix : NULL;
}

const piaa_matrix *piaa_resident_matrix(piaa_resident *resident, const char *prefix,
                                        const char *name, int64_t rows, int64_t columns) {
    return piaa_resident_stacked(resident, prefix, name, 1, rows, columns);
}

const piaa_matrix *piaa_resident_paired(piaa_resident *resident, const char *prefix,
                                        const char *names, int64_t rows, int64_t columns) {
    declared *item = declare(resident, prefix, names, 2, rows, columns, false);
    if (item) item->matrix.paired = true;
    return item ? &item->matrix : NULL;
}

const piaa_matrix *piaa_resident_transposed(piaa_resident *resident, const char *prefix,
                                            const char *name, int64_t rows, int64_t columns) {
    declared *item = declare(resident, prefix, name, 1, rows, columns, true);
    if (item && item->parts[0]->type == PIAA_QUANTISED) {
        piaa_error_set(&resident->error, PIAA_UNSUPPORTED,
                       "%s%s is stored as %s, and only F32, F16 and BF16 can be turned round: "
                       "convert the model anew",
                       prefix, name, item->parts[0]->dtype);
        return NULL;
    }
    return item ? &item->matrix : NULL;
}

struct ggml_tensor *piaa_resident_joined(piaa_resident *resident, const char *prefix,
                                         const char *names, int parts, int64_t length) {
    declared *item = declare(resident, prefix, names, parts, 0, length, false);
    if (!item) return NULL;
    item->vector = ggml_new_tensor_1d(resident->contexts[PLAIN], GGML_TYPE_F32, parts * length);
    ggml_set_name(item->vector, item->parts[0]->name);
    return item->vector;
}

struct ggml_tensor *piaa_resident_vector(piaa_resident *resident, const char *prefix,
                                         const char *name, int64_t length) {
    return piaa_resident_joined(resident, prefix, name, 1, length);
}

struct ggml_tensor *piaa_resident_plus_one(piaa_resident *resident, const char *prefix,
                                           const char *name, int64_t length) {
    struct ggml_tensor *vector = piaa_resident_vector(resident, prefix, name, length);
    if (vector) resident->items[resident->count - 1].offset = 1.0f;
    return vector;
}

bool piaa_resident_declared(const piaa_resident *resident, piaa_error *error) {
    const piaa_error *own = &resident->error;
    return own->code == PIAA_OK || piaa_error_set(error, own->code, "%s", own->message);
}

/* ------------------------------------------------------------------------------ types and homes */

static enum ggml_type file_type(const piaa_tensor *tensor) {
    if (tensor->type == PIAA_QUANTISED) return (enum ggml_type)tensor->ggml_type;
    return tensor->type == PIAA_BF16  ? GGML_TYPE_BF16
           : tensor->type == PIAA_F16 ? GGML_TYPE_F16
                                      : GGML_TYPE_F32;
}

/* One type for parts that are stacked.  They can have several (llama.cpp's mixtures give values
 * more bits than keys): then one that loses next to nothing of either. */
static enum ggml_type joint_type(const declared *item, const enum ggml_type types[MAX_PARTS]) {
    bool same = true, quantised = false;
    for (int i = 0; i < item->part_count; i++) {
        same = same && types[i] == types[0];
        quantised = quantised || ggml_is_quantized(types[i]);
    }
    if (same) return types[0];
    return quantised && item->matrix.columns % ggml_blck_size(GGML_TYPE_Q8_0) == 0 ? GGML_TYPE_Q8_0
                                                                                   : GGML_TYPE_F32;
}

/* Our kernels for weights of this type, or NULL.  Their rows are whole words, or whole groups of
   codes. */
static const piaa_kernels *kernels_for(const piaa_resident *resident, enum ggml_type type,
                                       int64_t columns) {
    if (!resident->kernels) return NULL;
    if (piaa_codes_find(type, false))
        return columns % PIAA_GROUP == 0 ? piaa_kernels_find_codes() : NULL;
    return (type == GGML_TYPE_F32 || type == GGML_TYPE_BF16) && columns % 2 == 0
               ? piaa_kernels_find(type == GGML_TYPE_BF16)
               : NULL;
}

static enum ggml_type wanted_type(const piaa_resident *resident, const declared *item) {
    static const piaa_gguf_kind kinds[] = {[PIAA_DTYPE_Q8_0] = PIAA_GGUF_KIND_Q8_0,
                                           [PIAA_DTYPE_Q6_K] = PIAA_GGUF_KIND_Q6_K,
                                           [PIAA_DTYPE_Q5_K] = PIAA_GGUF_KIND_Q5_K,
                                           [PIAA_DTYPE_Q4_K] = PIAA_GGUF_KIND_Q4_K};
    const piaa_dtype dtype = resident->dtype;
    if (item->vector || dtype == PIAA_DTYPE_F32) return GGML_TYPE_F32;
    if (dtype == PIAA_DTYPE_F16) return GGML_TYPE_F16;
    if (dtype == PIAA_DTYPE_BF16) return GGML_TYPE_BF16;
    const bool own = dtype == PIAA_DTYPE_FILE;
    enum ggml_type types[MAX_PARTS] = {GGML_TYPE_F32};
    for (int i = 0; i < item->part_count; i++)
        types[i] = own ? file_type(item->parts[i])
                       : piaa_gguf_type(resident->checkpoint, item->parts[i], kinds[dtype]);
    const enum ggml_type type = joint_type(item, types);
    /* Files in 16 bits are mostly bfloat16 models converted (a GGUF pair's vision part as a rule),
       which bfloat16 holds exactly again. */
    if (own && type == GGML_TYPE_F16 && kernels_for(resident, GGML_TYPE_BF16, item->matrix.columns))
        return GGML_TYPE_BF16;
    /* What our own files hold in 16 or 32 bits is bfloat16 here, the type of our kernels. */
    return own || (ggml_is_quantized(type) && !item->transposed) ? type : GGML_TYPE_BF16;
}

/* Whether q8_0 is the coarsest that the model has: of the whole model, so that what else is asked
   for changes no feature. */
static bool has_group_scales(const piaa_resident *resident) {
    if (resident->dtype != PIAA_DTYPE_FILE) return resident->dtype == PIAA_DTYPE_Q8_0;
    for (size_t i = 0; i < piaa_checkpoint_count(resident->checkpoint); i++) {
        const piaa_tensor *tensor = piaa_checkpoint_at(resident->checkpoint, i);
        if (tensor->type == PIAA_QUANTISED && tensor->ggml_type != GGML_TYPE_Q8_0) return false;
    }
    return true;
}

static int64_t packed_panels(const piaa_matrix *m) {
    int64_t units = m->paired ? m->rows / 2 : m->rows,
            per_panel = m->paired ? PIAA_PAIRED : PIAA_PANEL;
    return (units + per_panel - 1) / per_panel;
}

/* Of one panel. */
static size_t panel_bytes(const piaa_matrix *m) {
    return m->codes ? piaa_codes_panel_bytes(m->codes, m->columns)
                    : (size_t)(m->columns * PIAA_PANEL) * (m->kernels->bfloat16 ? 2 : 4);
}

/* Types that the device cannot multiply become wider ones: 16 bits hold what blocks of fewer do,
   and every device has float32. */
static void suit_device(piaa_resident *resident) {
    if (!resident->device || piaa_device_is_cpu(resident->device)) return;
    for (size_t i = 0; i < resident->count; i++) {
        declared *item = &resident->items[i];
        const piaa_matrix *m = &item->matrix;
        const enum ggml_type wanted = item->type;
        if (item->vector || piaa_device_multiplies(resident->device, wanted, m->columns, m->rows))
            continue;
        const bool half =
            ggml_is_quantized(wanted) &&
            piaa_device_multiplies(resident->device, GGML_TYPE_F16, m->columns, m->rows);
        item->type = half ? GGML_TYPE_F16 : GGML_TYPE_F32;
        snprintf(resident->note, sizeof resident->note, "%s weights are held as %s",
                 ggml_type_name(wanted), ggml_type_name(item->type));
    }
}

/* Makes the matrices' tensors, each in its home, and allocates them all. */
static bool allocate(piaa_resident *resident, ggml_backend_t backend, piaa_error *error) {
    size_t wanted = 0;
    const bool group_scales = has_group_scales(resident);
    for (size_t i = 0; i < resident->count; i++) {
        declared *item = &resident->items[i];
        piaa_matrix *m = &item->matrix;
        wanted += ggml_row_size(item->type, m->columns) * (size_t)m->rows;
        if (item->vector) continue;
        const piaa_kernels *kernels = kernels_for(resident, item->type, m->columns);
        item->home = kernels ? PACKED : PLAIN;
        m->kernels = kernels;
        m->codes = kernels ? piaa_codes_find(item->type, group_scales) : NULL;
        if (kernels)
            m->tensor = ggml_new_tensor_1d(resident->contexts[PACKED], GGML_TYPE_I8,
                                           packed_panels(m) * (int64_t)panel_bytes(m));
        else
            m->tensor =
                ggml_new_tensor_2d(resident->contexts[item->home], item->type, m->columns, m->rows);
        ggml_set_name(m->tensor, item->parts[0]->name);
    }
    for (int i = 0; i < HOMES; i++) {
        if (!ggml_get_first_tensor(resident->contexts[i])) continue;
        resident->buffers[i] = ggml_backend_alloc_ctx_tensors(resident->contexts[i], backend);
        if (!resident->buffers[i])
            return piaa_error_set(error, PIAA_MEMORY,
                                  "no room for %.1f GB of weights: ask for fewer layers, or a "
                                  "smaller --dtype such as q4_K",
                                  (double)wanted / 1e9);
        ggml_backend_buffer_set_usage(resident->buffers[i], GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        resident->bytes += ggml_backend_buffer_get_size(resident->buffers[i]);
    }
    return true;
}

/* -------------------------------------------------------------------------------------- reading */

/* Units [begin, end) of a matrix: rows of it, or panels of a packed one. */
typedef struct copy_job {
    const declared *item;
    const piaa_kernels *kernels;
    void *target; /* the matrix in memory */
    int64_t begin, end;
    bool ok;
} copy_job;

/* n (at most CHUNK_ROWS) rows of a matrix whose columns are the file's rows. */
static void read_transposed(const declared *item, int64_t row, int64_t n, float *wide) {
    const piaa_tensor *from = item->parts[0];
    const int64_t columns = item->matrix.columns;
    const size_t value_bytes = from->bytes / (size_t)(columns * item->matrix.rows);
    float run[CHUNK_ROWS];
    for (int64_t column = 0; column < columns; column++) {
        piaa_tensor piece = *from;
        piece.dimensions = 1;
        piece.shape[0] = n;
        piece.data =
            (const char *)from->data + value_bytes * (size_t)(column * item->matrix.rows + row);
        piaa_tensor_to_float(&piece, run);
        for (int64_t i = 0; i < n; i++) wide[i * columns + column] = run[i];
    }
}

/* Up to n rows from `row` on that lie in one part: converted to the item's type, or where they are
   in the file if they have it already. */
static const void *read_rows(const declared *item, int64_t row, int64_t *n, float *wide,
                             void *narrow) {
    int part = 0;
    while (row >= item->rows[part]) row -= item->rows[part++];
    const piaa_tensor *from = item->parts[part];
    if (*n > item->rows[part] - row) *n = item->rows[part] - row;
    if (!from) return memset(wide, 0, (size_t)(*n * item->matrix.columns) * sizeof *wide);
    if (item->transposed) {
        read_transposed(item, row, *n, wide);
        if (item->type == GGML_TYPE_F32) return wide;
        piaa_quantise(item->type, wide, narrow, *n, item->matrix.columns);
        return narrow;
    }
    const char *data =
        (const char *)from->data + from->bytes / (size_t)item->rows[part] * (size_t)row;
    if (file_type(from) == item->type && !from->derived) return data;
    piaa_tensor piece = *from;
    piece.dimensions = 1;
    piece.shape[0] = *n * item->matrix.columns;
    piece.data = data;
    piaa_tensor_to_float(&piece, wide);
    if (item->type == GGML_TYPE_F32) return wide;
    piaa_quantise(item->type, wide, narrow, *n, item->matrix.columns);
    return narrow;
}

static void copy_plain(const copy_job *job, float *wide, void *narrow) {
    const size_t row_bytes = ggml_row_size(job->item->type, job->item->matrix.columns);
    for (int64_t row = job->begin, n; row < job->end; row += n) {
        n = job->end - row < CHUNK_ROWS ? job->end - row : CHUNK_ROWS;
        const void *from = read_rows(job->item, row, &n, wide, narrow);
        memcpy((char *)job->target + row_bytes * (size_t)row, from, row_bytes * (size_t)n);
    }
}

static void copy_packed(const copy_job *job, float *wide, void *narrow) {
    const piaa_matrix *m = &job->item->matrix;
    const size_t row_bytes = ggml_row_size(job->item->type, m->columns);
    for (int64_t panel = job->begin; panel < job->end; panel++) {
        const void *rows[PIAA_PANEL] = {NULL};
        for (int64_t i = 0, n; i < PIAA_PANEL; i += n) {
            /* A paired panel: 32 rows of the first half, then the same 32 of the second. */
            int64_t run = m->paired ? PIAA_PAIRED : PIAA_PANEL,
                    half = m->paired ? m->rows / 2 : m->rows;
            int64_t row = panel * run + i % run, end = half;
            if (i >= run) row += half, end += half;
            n = run - i % run;
            if (row >= end) continue;
            int64_t got = n < end - row ? n : end - row;
            const char *from = read_rows(job->item, row, &got, wide + i * m->columns,
                                         (char *)narrow + row_bytes * (size_t)i);
            for (int64_t j = 0; j < got; j++) rows[i + j] = from + row_bytes * (size_t)j;
            if (got < n && got < end - row) n = got; /* the rest is in the next part */
        }
        unsigned char *to = (unsigned char *)job->target + panel_bytes(m) * (size_t)panel;
        if (m->codes)
            piaa_codes_pack(job->item->type, rows, m->columns, to);
        else
            job->kernels->pack(rows, m->columns / (job->kernels->bfloat16 ? 2 : 1),
                               (uint32_t *)(void *)to);
    }
}

static void *copy(void *argument) {
    copy_job *job = argument;
    const int64_t columns = job->item->matrix.columns;
    float *wide = piaa_alloc_array((size_t)(CHUNK_ROWS * columns), sizeof *wide, NULL);
    void *narrow = piaa_alloc_array(CHUNK_ROWS, ggml_row_size(job->item->type, columns), NULL);
    job->ok = wide && narrow;
    if (job->ok && job->kernels)
        copy_packed(job, wide, narrow);
    else if (job->ok)
        copy_plain(job, wide, narrow);
    free(wide);
    free(narrow);
    return NULL;
}

/* Converts into `target`, on several threads if it is worth it. */
static bool copy_item(const declared *item, const piaa_kernels *kernels, void *target, int threads,
                      piaa_error *error) {
    enum { SMALL = 1 << 16 };
    copy_job jobs[MAX_THREADS];
    pthread_t handles[MAX_THREADS];
    bool started[MAX_THREADS] = {false};
    int64_t units = kernels ? packed_panels(&item->matrix) : item->matrix.rows;
    int n = threads > MAX_THREADS ? MAX_THREADS : threads;
    if (n < 1 || item->matrix.rows * item->matrix.columns < SMALL) n = 1;
    for (int i = 0; i < n; i++) {
        jobs[i] = (copy_job){.item = item,
                             .kernels = kernels,
                             .target = target,
                             .begin = units * i / n,
                             .end = units * (i + 1) / n};
        started[i] = i > 0 && pthread_create(&handles[i], NULL, copy, &jobs[i]) == 0;
        if (i > 0 && !started[i]) copy(&jobs[i]);
    }
    copy(&jobs[0]);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        if (started[i]) pthread_join(handles[i], NULL);
        ok = ok && jobs[i].ok;
    }
    return ok || piaa_error_set(error, PIAA_MEMORY, "out of memory while reading %s",
                                item->parts[0]->name);
}

static bool load_item(piaa_resident *resident, const declared *item, int threads,
                      piaa_error *error) {
    struct ggml_tensor *tensor = item->vector ? item->vector : item->matrix.tensor;
    const piaa_kernels *kernels = item->matrix.kernels;
    if (item->offset == 0 && ggml_backend_buffer_is_host(resident->buffers[item->home]))
        return copy_item(item, kernels, tensor->data, threads, error);
    void *whole = piaa_alloc_array(ggml_nbytes(tensor), 1, error);
    bool ok = whole && copy_item(item, kernels, whole, threads, error);
    for (int64_t i = 0; ok && item->offset != 0 && i < ggml_nelements(tensor); i++)
        ((float *)whole)[i] += item->offset;
    if (ok) ggml_backend_tensor_set(tensor, whole, 0, ggml_nbytes(tensor));
    free(whole);
    return ok;
}

bool piaa_resident_load(piaa_resident *resident, ggml_backend_t backend, int threads,
                        piaa_error *error) {
    if (!piaa_resident_declared(resident, error)) return false;
    for (size_t i = 0; i < resident->count; i++)
        resident->items[i].type = wanted_type(resident, &resident->items[i]);
    suit_device(resident);
    if (!allocate(resident, backend, error)) return false;
    for (size_t i = 0; i < resident->count; i++) {
        const declared *item = &resident->items[i];
        if (!load_item(resident, item, threads, error)) return false;
        for (int part = 0; part < item->part_count; part++)
            if (item->parts[part]) piaa_checkpoint_forget(resident->checkpoint, item->parts[part]);
    }
    return true;
}

const char *piaa_resident_note(const piaa_resident *resident) {
    return resident->note[0] ? resident->note : NULL;
}

size_t piaa_resident_bytes(const piaa_resident *resident) {
    return resident->bytes;
}
