/* Weights that are not trained, multiplied both ways. */
#include "train/frozen.h"

#include "base/memory.h"
#include "base/narrow.h"
#include "vlm/kernels.h"
#include "weights/mixture.h"
#include "weights/quantise.h"

#include <stdlib.h>
#include <string.h>

enum {
    TILE_ROWS = 128,     /* of x in a job on plain weights */
    TILE_OUTPUTS = 256,  /* and of what comes out */
    BLOCK = 256,         /* rows and columns widened at a time: whole blocks of every type */
    PARTS = 16,          /* jobs of a packed product */
    WORTH_PACKING = 512, /* rows of x from which on packing stored weights pays */
};

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* `count` values of a row from `column` on, which begins a block where the type has blocks. */
static void read_run(const piaa_tensor *tensor, int64_t row, int64_t column, int64_t count,
                     float *out) {
    const size_t row_bytes = tensor->bytes / (size_t)tensor->shape[0];
    piaa_tensor run = *tensor;
    run.dimensions = 1;
    run.shape[0] = count;
    run.data = (const char *)tensor->data + row_bytes * (size_t)row +
               row_bytes * (size_t)column / (size_t)tensor->shape[1];
    piaa_tensor_to_float(&run, out);
}

/* -------------------------------------------------------------------------------------- loading */

typedef struct load_job {
    piaa_frozen *w;
    const piaa_tensor *tensor;
    enum ggml_type type;
} load_job;

static bool copy_rows(void *user, size_t i, piaa_error *error) {
    const load_job *job = user;
    const piaa_frozen *w = job->w;
    const int64_t end = piaa_crew_end(i, w->rows, BLOCK);
    PIAA_UNUSED(error);
    for (int64_t row = (int64_t)i * BLOCK; row < end; row++)
        read_run(job->tensor, row, 0, w->columns, w->plain + row * w->columns);
    return true;
}

static bool quantise_rows(void *user, size_t i, piaa_error *error) {
    const load_job *job = user;
    const piaa_frozen *w = job->w;
    const size_t row_bytes = ggml_row_size(job->type, w->columns);
    const int64_t end = piaa_crew_end(i, w->rows, BLOCK);
    float *wide = piaa_alloc_array((size_t)w->columns, sizeof *wide, error);
    for (int64_t row = (int64_t)i * BLOCK; wide && row < end; row++) {
        read_run(job->tensor, row, 0, w->columns, wide);
        piaa_quantise(job->type, wide, (char *)w->own + row_bytes * (size_t)row, 1, w->columns);
    }
    free(wide);
    return wide != NULL;
}

static size_t width_of(const piaa_frozen *w) {
    return w->kernels->bfloat16 ? sizeof(uint16_t) : sizeof(float);
}

/* Values of a row in one of the kernels' own words. */
static int64_t words_of(const piaa_frozen *w, int64_t values) {
    return w->kernels->bfloat16 ? values / 2 : values;
}

static void put(const piaa_frozen *w, const float *from, int64_t count, void *to) {
    if (w->kernels->bfloat16)
        piaa_narrow_bfloat(from, (size_t)count, to);
    else
        memcpy(to, from, (size_t)count * sizeof *from);
}

/* BLOCK rows, in panels; what is missing of the last panel is zero. */
static bool pack_forwards(void *user, size_t i, piaa_error *error) {
    const load_job *job = user;
    const piaa_frozen *w = job->w;
    const int64_t columns = w->columns, end = piaa_crew_end(i, w->rows, BLOCK);
    const size_t row_bytes = (size_t)columns * width_of(w);
    float *wide = piaa_alloc_array((size_t)columns, sizeof *wide, error);
    char *room = piaa_alloc_array(PIAA_PANEL, row_bytes, error);
    for (int64_t first = (int64_t)i * BLOCK; wide && room && first < end; first += PIAA_PANEL) {
        const void *rows[PIAA_PANEL] = {NULL};
        for (int64_t r = 0; r < PIAA_PANEL && first + r < end; r++) {
            read_run(job->tensor, first + r, 0, columns, wide);
            put(w, wide, columns, room + (size_t)r * row_bytes);
            rows[r] = room + (size_t)r * row_bytes;
        }
        const int64_t words = words_of(w, columns);
        w->kernels->pack(rows, words, (uint32_t *)w->forwards + first * words);
    }
    const bool ok = wide && room;
    free(wide);
    free(room);
    return ok;
}

/* BLOCK columns, which are the rows of W'. */
static bool pack_backwards(void *user, size_t i, piaa_error *error) {
    const load_job *job = user;
    const piaa_frozen *w = job->w;
    const int64_t first = (int64_t)i * BLOCK, end = piaa_crew_end(i, w->columns, BLOCK);
    const size_t width = width_of(w), row_bytes = (size_t)w->rows * width;
    char *room = piaa_alloc_array(BLOCK, row_bytes, error);
    for (int64_t row = 0; room && row < w->rows; row++) {
        float wide[BLOCK];
        read_run(job->tensor, row, first, end - first, wide);
        char *to = room + (size_t)row * width;
        for (int64_t c = 0; c < end - first; c++, to += row_bytes) {
            uint16_t half;
            piaa_narrow_bfloat(&wide[c], 1, &half);
            memcpy(to, w->kernels->bfloat16 ? (const void *)&half : &wide[c], width);
        }
    }
    for (int64_t panel = first; room && panel < end; panel += PIAA_PANEL) {
        const void *rows[PIAA_PANEL] = {NULL};
        for (int64_t r = 0; r < PIAA_PANEL && panel + r < end; r++)
            rows[r] = room + (size_t)(panel - first + r) * row_bytes;
        const int64_t words = words_of(w, w->rows);
        w->kernels->pack(rows, words, (uint32_t *)w->backwards + panel * words);
    }
    free(room);
    return room != NULL;
}

/* Whole panels for so many rows of so many values. */
static size_t packed_bytes(const piaa_frozen *w, int64_t rows, int64_t columns) {
    return (size_t)((rows + PIAA_PANEL - 1) / PIAA_PANEL * PIAA_PANEL * columns) * width_of(w);
}

static bool pack_one(load_job *job, bool backwards, const piaa_crew *crew, piaa_error *error) {
    piaa_frozen *w = job->w;
    const double work = (double)w->rows * (double)w->columns;
    const size_t bytes =
        backwards ? packed_bytes(w, w->columns, w->rows) : packed_bytes(w, w->rows, w->columns);
    void **panels = backwards ? &w->backwards : &w->forwards;
    *panels = piaa_alloc_array(bytes, 1, error);
    w->bytes += bytes;
    return *panels && piaa_crew_run(crew, piaa_crew_jobs(backwards ? w->columns : w->rows, BLOCK),
                                    work, backwards ? pack_backwards : pack_forwards, job, error);
}

/* In which of ggml's types the weights are to be held. */
static enum ggml_type held_type(const piaa_checkpoint *checkpoint, const piaa_tensor *tensor,
                                piaa_dtype dtype) {
    static const piaa_gguf_kind kinds[] = {[PIAA_DTYPE_Q8_0] = PIAA_GGUF_KIND_Q8_0,
                                           [PIAA_DTYPE_Q6_K] = PIAA_GGUF_KIND_Q6_K,
                                           [PIAA_DTYPE_Q5_K] = PIAA_GGUF_KIND_Q5_K,
                                           [PIAA_DTYPE_Q4_K] = PIAA_GGUF_KIND_Q4_K};
    if (dtype == PIAA_DTYPE_F32) return GGML_TYPE_F32;
    if (dtype == PIAA_DTYPE_F16 || dtype == PIAA_DTYPE_BF16) return GGML_TYPE_BF16;
    if (dtype != PIAA_DTYPE_FILE) return piaa_gguf_type(checkpoint, tensor, kinds[dtype]);
    if (tensor->type == PIAA_QUANTISED) return (enum ggml_type)tensor->ggml_type;
    return tensor->type == PIAA_F32 ? GGML_TYPE_F32 : GGML_TYPE_BF16;
}

bool piaa_frozen_load(piaa_frozen *w, const piaa_checkpoint *checkpoint, const char *name,
                      int64_t rows, int64_t columns, piaa_dtype dtype, bool packed,
                      const piaa_crew *crew, piaa_error *error) {
    const piaa_tensor *tensor = piaa_checkpoint_need(checkpoint, error, name, 2, rows, columns);
    *w = (piaa_frozen){.rows = rows, .columns = columns};
    if (!tensor) return false;
    load_job job = {w, tensor, held_type(checkpoint, tensor, dtype)};
    const double work = (double)rows * (double)columns;
    const int64_t jobs = piaa_crew_jobs(rows, BLOCK);
    w->stored = *tensor;
    w->packable = packed && rows % 2 == 0 && columns % 2 == 0;
    if (!ggml_is_quantized(job.type) && w->packable)
        w->kernels = piaa_kernels_find(job.type != GGML_TYPE_F32);
    if (w->kernels) {
        if (!pack_one(&job, false, crew, error) || !pack_one(&job, true, crew, error)) return false;
    } else if (job.type == GGML_TYPE_F32) {
        w->bytes = (size_t)(rows * columns) * sizeof(float);
        w->plain = piaa_alloc_array(w->bytes, 1, error);
        if (!w->plain || !piaa_crew_run(crew, jobs, work, copy_rows, &job, error)) return false;
    } else if (ggml_is_quantized(job.type) &&
               (tensor->type != PIAA_QUANTISED || tensor->ggml_type != (int)job.type)) {
        w->bytes = ggml_row_size(job.type, columns) * (size_t)rows;
        w->own = piaa_alloc_array(w->bytes, 1, error);
        if (!w->own || !piaa_crew_run(crew, jobs, work, quantise_rows, &job, error)) return false;
        w->stored = (piaa_tensor){.name = tensor->name,
                                  .type = PIAA_QUANTISED,
                                  .ggml_type = (int)job.type,
                                  .dimensions = 2,
                                  .shape = {rows, columns},
                                  .data = w->own,
                                  .bytes = w->bytes};
    } else {
        return true;
    }
    piaa_checkpoint_forget(checkpoint, tensor);
    return true;
}

void piaa_frozen_free(piaa_frozen *w) {
    free(w->plain);
    free(w->forwards);
    free(w->backwards);
    free(w->own);
    *w = (piaa_frozen){0};
}

/* ------------------------------------------------------------------------------------- products */

typedef struct product_job {
    const piaa_frozen *w;
    const float *x; /* [n][…]: what is multiplied */
    int64_t n;
    bool backwards, add;
    float *y;
    uint16_t *half; /* x in 16 bits */
    piaa_product packed;
    int64_t parts;
} product_job;

static int64_t inputs_of(const product_job *job) {
    return job->backwards ? job->w->rows : job->w->columns;
}

static int64_t outputs_of(const product_job *job) {
    return job->backwards ? job->w->columns : job->w->rows;
}

/* A tile of rows and outputs. */
static bool multiply_plain(void *user, size_t i, piaa_error *error) {
    const product_job *job = user;
    const piaa_frozen *w = job->w;
    const int64_t in = inputs_of(job), out = outputs_of(job),
                  tiles = piaa_crew_jobs(out, TILE_OUTPUTS), row = (int64_t)i / tiles * TILE_ROWS,
                  first = (int64_t)i % tiles * TILE_OUTPUTS, m = least(TILE_ROWS, job->n - row),
                  n = least(TILE_OUTPUTS, out - first);
    const float *x = job->x + row * in, keep = job->add ? 1.0f : 0.0f;
    float *y = job->y + row * out + first;
    PIAA_UNUSED(error);
    if (job->backwards)
        piaa_multiply(m, n, in, 1, x, in, w->plain + first, w->columns, keep, y, out);
    else
        piaa_multiply_bt(m, n, in, 1, x, in, w->plain + first * w->columns, w->columns, keep, y,
                         out);
    return true;
}

/* BLOCK outputs: rows of W forwards, columns of it backwards, where they are sums over blocks of
   rows. */
static bool multiply_stored(void *user, size_t i, piaa_error *error) {
    const product_job *job = user;
    const piaa_frozen *w = job->w;
    const int64_t first = (int64_t)i * BLOCK, count = least(BLOCK, outputs_of(job) - first);
    const int64_t width = job->backwards ? count : w->columns;
    float *wide = piaa_alloc_array((size_t)(BLOCK * width), sizeof *wide, error);
    if (!wide) return false;
    if (!job->backwards) {
        for (int64_t r = 0; r < count; r++)
            read_run(&w->stored, first + r, 0, width, wide + r * width);
        piaa_multiply_bt(job->n, count, width, 1, job->x, width, wide, width, 0, job->y + first,
                         w->rows);
    }
    for (int64_t row = 0, m; job->backwards && row < w->rows; row += m) {
        m = least(BLOCK, w->rows - row);
        for (int64_t r = 0; r < m; r++)
            read_run(&w->stored, row + r, first, width, wide + r * width);
        piaa_multiply(job->n, width, m, 1, job->x + row, w->rows, wide, width,
                      row || job->add ? 1.0f : 0.0f, job->y + first, w->columns);
    }
    free(wide);
    return true;
}

static bool narrow_rows(void *user, size_t i, piaa_error *error) {
    const product_job *job = user;
    const int64_t in = inputs_of(job), first = (int64_t)i * PIAA_CREW_ROWS,
                  end = piaa_crew_end(i, job->n, PIAA_CREW_ROWS);
    PIAA_UNUSED(error);
    piaa_narrow_bfloat(job->x + first * in, (size_t)((end - first) * in), job->half + first * in);
    return true;
}

static bool multiply_packed(void *user, size_t i, piaa_error *error) {
    const product_job *job = user;
    const int64_t end = job->parts * ((int64_t)i + 1) / PARTS;
    void *scratch = piaa_alloc_array(PIAA_SCRATCH, 1, error);
    for (int64_t part = job->parts * (int64_t)i / PARTS; scratch && part < end; part++)
        job->w->kernels->product(&job->packed, part, scratch);
    free(scratch);
    return scratch != NULL;
}

static bool run_packed(product_job *job, double work, const piaa_crew *crew, piaa_error *error) {
    const int64_t in = inputs_of(job), size = job->n * in;
    const piaa_kernels *kernels = job->w->kernels;
    job->packed = (piaa_product){.weights = job->backwards ? job->w->backwards : job->w->forwards,
                                 .rows = outputs_of(job),
                                 .words = words_of(job->w, in),
                                 .x = job->x,
                                 .tokens = job->n,
                                 .residual = job->add ? job->y : NULL,
                                 .out = job->y};
    job->parts = kernels->product_parts(&job->packed);
    if (!kernels->bfloat16) return piaa_crew_run(crew, PARTS, work, multiply_packed, job, error);
    job->half = piaa_alloc_array((size_t)size, sizeof *job->half, error);
    if (!job->half) return false;
    job->packed.x = job->half;
    const bool ok = piaa_crew_run(crew, piaa_crew_jobs(job->n, PIAA_CREW_ROWS), (double)size,
                                  narrow_rows, job, error) &&
                    piaa_crew_run(crew, PARTS, work, multiply_packed, job, error);
    free(job->half);
    return ok;
}

/* Packs stored weights for this product alone. */
static bool run_packing(product_job *job, double work, const piaa_crew *crew, piaa_error *error) {
    piaa_frozen packed = *job->w;
    packed.kernels = piaa_kernels_find(true);
    load_job load = {.w = &packed, .tensor = &job->w->stored};
    job->w = &packed;
    const bool ok =
        pack_one(&load, job->backwards, crew, error) && run_packed(job, work, crew, error);
    free(job->backwards ? packed.backwards : packed.forwards);
    return ok;
}

static bool run(product_job *job, const piaa_crew *crew, piaa_error *error) {
    const piaa_frozen *w = job->w;
    const double work = (double)job->n * (double)w->rows * (double)w->columns;
    if (w->kernels) return run_packed(job, work, crew, error);
    const int64_t out = outputs_of(job);
    if (!w->plain && w->packable && job->n >= WORTH_PACKING && piaa_kernels_find(true))
        return run_packing(job, work, crew, error);
    if (!w->plain)
        return piaa_crew_run(crew, piaa_crew_jobs(out, BLOCK), work, multiply_stored, job, error);
    return piaa_crew_run(crew,
                         piaa_crew_jobs(job->n, TILE_ROWS) * piaa_crew_jobs(out, TILE_OUTPUTS),
                         work, multiply_plain, job, error);
}

bool piaa_frozen_forwards(const piaa_frozen *w, const float *x, int64_t n, float *y,
                          const piaa_crew *crew, piaa_error *error) {
    return run(&(product_job){.w = w, .x = x, .n = n, .y = y}, crew, error);
}

bool piaa_frozen_backwards(const piaa_frozen *w, const float *dy, int64_t n, bool add, float *dx,
                           const piaa_crew *crew, piaa_error *error) {
    return run(&(product_job){.w = w, .x = dy, .n = n, .backwards = true, .add = add, .y = dx},
               crew, error);
}
