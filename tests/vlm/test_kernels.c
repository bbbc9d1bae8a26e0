/* Our CPU kernels against plain double-precision loops, over shapes that fit no tile.  Skipped on
   CPUs that have none. */
#include "support.h"

#include "vlm/codes.h"
#include "vlm/kernels.h"

#include <ggml.h>

static uint32_t state = 1;

static float uniform(void) {
    state = state * 1664525U + 1013904223U;
    return (float)(state >> 8) / (float)(1 << 23) - 1.0f;
}

static void *need(size_t count, size_t size) {
    void *p = piaa_alloc_array(count, size, NULL);
    assert_non_null(p);
    memset(p, 0xFF, count * size); /* NaN wherever nothing is written */
    return p;
}

static float *values(size_t count) {
    float *p = need(count, sizeof *p);
    for (size_t i = 0; i < count; i++) p[i] = uniform();
    return p;
}

/* x as the kernels take it; x itself becomes what that means. */
static void *typed(float *x, size_t count, bool half) {
    if (!half) {
        void *copy = need(count, sizeof *x);
        memcpy(copy, x, count * sizeof *x);
        return copy;
    }
    ggml_bf16_t *y = need(count, sizeof *y);
    ggml_fp32_to_bf16_row(x, y, (int64_t)count);
    ggml_bf16_to_fp32_row(y, x, (int64_t)count);
    return y;
}

/* The result as float32. */
static float *widened(void *out, size_t count, bool narrow) {
    if (!narrow) return out;
    float *wide = need(count, sizeof *wide);
    ggml_bf16_to_fp32_row(out, wide, (int64_t)count);
    free(out);
    return wide;
}

/* -------------------------------------------------------------------------------------- product */

static double activate(piaa_activation activation, double x, double up) {
    switch (activation) {
    case PIAA_GELU:
        return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    case PIAA_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case PIAA_GELU_QUICK:
        return x / (1 + exp(-1.702 * x));
    case PIAA_SWIGLU:
        return x / (1 + exp(-x)) * up;
    case PIAA_GEGLU:
        return activate(PIAA_GELU_TANH, x, 0) * up;
    case PIAA_LINEAR:
        break;
    }
    return x;
}

/* Packs w ([rows][columns]; for gated units halves of gates and values, interleaved by panel); w
   becomes what the packed form means. */
static uint32_t *packed(const piaa_kernels *kernels, float *w, int64_t rows, int64_t columns,
                        bool paired) {
    size_t row_bytes = (size_t)columns * (kernels->bfloat16 ? 2 : 4);
    int64_t words = columns / (kernels->bfloat16 ? 2 : 1);
    char *own = typed(w, (size_t)(rows * columns), kernels->bfloat16);
    int64_t run = paired ? PIAA_PAIRED : PIAA_PANEL, units = paired ? rows / 2 : rows,
            panels = (units + run - 1) / run;
    uint32_t *panel = need((size_t)(panels * PIAA_PANEL * words), sizeof *panel);
    for (int64_t p = 0; p < panels; p++) {
        const void *pointers[PIAA_PANEL] = {NULL};
        for (int64_t i = 0; i < PIAA_PANEL; i++) {
            int64_t row = p * run + i % run;
            if (row < units) pointers[i] = own + row_bytes * (size_t)(i < run ? row : units + row);
        }
        kernels->pack(pointers, words, panel + p * PIAA_PANEL * words);
    }
    free(own);
    return panel;
}

static void check_product(const piaa_kernels *kernels, int64_t tokens, int64_t columns,
                          int64_t rows, piaa_activation activation, bool bias, bool residual,
                          bool narrow) {
    bool paired = piaa_activation_gated(activation);
    int64_t width = paired ? rows / 2 : rows;
    float *x = values((size_t)(tokens * columns)), *w = values((size_t)(rows * columns));
    float *b = bias ? values((size_t)rows) : NULL,
          *r = residual ? values((size_t)(tokens * width)) : NULL;
    void *own_x = typed(x, (size_t)(tokens * columns), kernels->bfloat16);
    uint32_t *weights = packed(kernels, w, rows, columns, paired);
    void *scratch = need(PIAA_SCRATCH, 1);
    void *out = need((size_t)(tokens * width), narrow ? 2 : 4);
    piaa_product job = {.weights = weights,
                        .rows = rows,
                        .words = columns / (kernels->bfloat16 ? 2 : 1),
                        .x = own_x,
                        .tokens = tokens,
                        .bias = b,
                        .residual = r,
                        .activation = activation,
                        .out = out,
                        .narrow = narrow};
    for (int64_t part = kernels->product_parts(&job); part-- > 0;)
        kernels->product(&job, part, scratch);
    float *got = widened(out, (size_t)(tokens * width), narrow);
    double worst = 0, size = paired ? (double)columns
                                    : sqrt((double)columns); /* of the sums, or of their products */
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t j = 0; j < width; j++) {
            double sum = b ? b[j] : 0, up = paired && b ? b[width + j] : 0;
            for (int64_t k = 0; k < columns; k++)
                sum += (double)x[t * columns + k] * w[j * columns + k];
            for (int64_t k = 0; paired && k < columns; k++)
                up += (double)x[t * columns + k] * w[(width + j) * columns + k];
            double expected = activate(activation, sum, up) + (r ? r[t * width + j] : 0);
            double error = fabs(got[t * width + j] - expected) / (fabs(expected) + size);
            if (!(error <= worst)) worst = error;
        }
    if (!(worst <= (narrow ? 4e-3 : 3e-6)))
        fail_msg("%s, %lld x %lld x %lld, activation %d: error %g", kernels->name,
                 (long long)tokens, (long long)columns, (long long)rows, (int)activation, worst);
    free(x), free(w), free(b), free(r), free(own_x), free(weights), free(scratch), free(got);
}

static void test_product(void **unused) {
    PIAA_UNUSED(unused);
    static const int64_t shapes[][3] = {{1, 2, 1},      {1, 48, 16},    {5, 64, 63},
                                        {6, 34, 65},    {7, 130, 100},  {13, 2050, 70},
                                        {97, 98, 130},  {193, 64, 192}, {200, 20, 48},
                                        {391, 256, 64}, {25, 4160, 136}};
    for (int half = 0; half < 2; half++) {
        const piaa_kernels *kernels = piaa_kernels_find(half);
        if (!kernels) continue;
        for (size_t i = 0; i < PIAA_COUNT(shapes); i++)
            for (int activation = PIAA_LINEAR; activation <= PIAA_GEGLU; activation++) {
                int64_t rows = piaa_activation_gated((piaa_activation)activation) ? shapes[i][2] * 2
                                                                                  : shapes[i][2];
                check_product(
                    kernels, shapes[i][0], shapes[i][1], rows, (piaa_activation)activation, i % 2,
                    activation == PIAA_LINEAR && i % 3, half && activation != PIAA_LINEAR);
            }
    }
}

/* ----------------------------------------------------------------------------- product in codes */

/* A row of x rounded in groups of 32 to whole multiples of max|x| / 127; with `powers` the largest
 * of 256 values stands in for the group's, over as large a power of 2 (up to 2^8) as leaves the
 * group below it. */
static void round_groups(const float *x, int64_t columns, bool powers, double *out) {
    for (int64_t i = 0; i < columns; i += PIAA_GROUP) {
        const int64_t slice = i / 256 * 256;
        float most = 0, top = 0, factor, scale;
        for (int64_t k = i; k < i + PIAA_GROUP; k++) most = fmaxf(most, fabsf(x[k]));
        for (int64_t k = slice; k < columns && k < slice + 256; k++) top = fmaxf(top, fabsf(x[k]));
        scale = most / 127.0f, factor = 127.0f / most;
        if (powers) {
            int power = 0;
            while (power < 8 && most * (float)(2 << power) <= top) power++;
            scale = ldexpf(top / 127.0f, -power), factor = ldexpf(127.0f / top, power);
        }
        for (int64_t k = i; k < i + PIAA_GROUP; k++)
            out[k] = most > 0 ? nearbyintf(x[k] * factor) * (double)scale : 0;
    }
}

/* Against what ggml says that its blocks mean; where the product rounds them anew, to within
   that. */
static void check_codes(enum ggml_type type, bool group_scales, int64_t tokens, int64_t columns,
                        int64_t rows, piaa_activation activation) {
    enum { SLICE = 256 };
    const piaa_kernels *kernels = piaa_kernels_find_codes();
    const piaa_codes *codes = piaa_codes_find(type, group_scales);
    const bool paired = piaa_activation_gated(activation);
    const int64_t width = paired ? rows / 2 : rows, run = paired ? PIAA_PAIRED : PIAA_PANEL,
                  panels = (width + run - 1) / run;
    const size_t row_bytes = ggml_row_size(type, columns);
    float *x = values((size_t)(tokens * columns)), *w = values((size_t)(rows * columns));
    float *b = rows % 2 ? NULL : values((size_t)rows),
          *r = paired ? NULL : values((size_t)(tokens * width));
    for (int64_t i = 0; i < rows * columns; i++)
        w[i] = w[i] * w[i] * w[i] + 0.1f; /* lopsided, so that offsets matter */
    for (int64_t i = 0; i < tokens * columns; i += 97) x[i] *= 50;
    for (int64_t i = 0; i < PIAA_GROUP; i++) x[i] = 0;
    char *blocks = need((size_t)rows, row_bytes),
         *weights = need((size_t)panels, piaa_codes_panel_bytes(codes, columns));
    ggml_quantize_chunk(type, w, blocks, 0, rows, columns, NULL);
    for (int64_t i = 0; i < rows; i++)
        ggml_get_type_traits(type)->to_float(blocks + row_bytes * (size_t)i, w + i * columns,
                                             columns);
    for (int64_t p = 0; p < panels; p++) {
        const void *pointers[PIAA_PANEL] = {NULL};
        for (int64_t i = 0; i < PIAA_PANEL; i++) {
            int64_t row = p * run + i % run;
            if (row < width)
                pointers[i] = blocks + row_bytes * (size_t)(i < run ? row : width + row);
        }
        piaa_codes_pack(type, pointers, columns,
                        weights + piaa_codes_panel_bytes(codes, columns) * (size_t)p);
    }
    void *rounded = need(kernels->rounded_bytes(tokens, columns), 1),
         *scratch = need(PIAA_SCRATCH, 1);
    float *out = need((size_t)(tokens * width), sizeof *out);
    double *exact = need((size_t)(tokens * columns), sizeof *exact);
    for (int64_t t = 0; t < tokens; t++)
        kernels->quantise(codes, x + t * columns, columns, t, tokens, rounded);
    for (int64_t t = 0; t < tokens; t++)
        round_groups(x + t * columns, columns, !codes->group_scales, exact + t * columns);
    piaa_product job = {.weights = weights,
                        .rows = rows,
                        .words = columns,
                        .x = rounded,
                        .tokens = tokens,
                        .codes = codes,
                        .bias = b,
                        .residual = r,
                        .activation = activation,
                        .out = out};
    for (int64_t part = kernels->product_parts(&job); part-- > 0;)
        kernels->product(&job, part, scratch);
    double worst = 0, squares = 0;
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t j = 0; j < width; j++) {
            double sum[2] = {b ? b[j] : 0, paired && b ? b[width + j] : 0}, slack[2], variance = 0;
            for (int half = 0; half <= paired; half++) {
                const float *row = w + (half * width + j) * columns;
                const double *a = exact + t * columns;
                double off = 1e-6 * (1 + fabs(sum[half]));
                for (int64_t from = 0, end; from < columns; from = end) {
                    double most = 0, sizes = 0, square = 0;
                    end = from + SLICE < columns ? from + SLICE : columns;
                    for (int64_t k = from; k < end; k++) {
                        sum[half] += a[k] * row[k];
                        sizes += fabs(a[k]);
                        square += a[k] * a[k];
                        most = fmax(most, fabs(row[k]));
                    }
                    off +=
                        sizes * most *
                        (codes->requantise ? 0.7 / 127
                                           : 1e-6); /* half a step, and what 16 bits lose of it */
                    variance += square * most * most / (127.0 * 127.0);
                }
                slack[half] = off;
            }
            double expected = activate(activation, sum[0], sum[1]) + (r ? r[t * width + j] : 0);
            double slope = 1.2 * slack[0] * (paired ? fabs(sum[1]) + slack[1] : 1) +
                           (paired ? slack[1] * (fabs(sum[0]) + slack[0]) : 0);
            double error = fabs(out[t * width + j] - expected);
            if (!(error / slope <= worst)) worst = error / slope;
            squares += error * error / (variance + 1e-12) / (double)(tokens * width);
        }
    if (!(worst <= 1))
        fail_msg("%s, %lld x %lld x %lld, activation %d: %g of what is allowed",
                 ggml_type_name(type), (long long)tokens, (long long)columns, (long long)rows,
                 (int)activation, worst);
    /* Rounding is to the nearest: the errors of a sum are those of independent steps, 1/12 of a
       step's square each. */
    if (activation == PIAA_LINEAR && codes->requantise && !(squares <= 0.12))
        fail_msg("%s, %lld x %lld x %lld: squared error %g steps", ggml_type_name(type),
                 (long long)tokens, (long long)columns, (long long)rows, squares);
    free(x), free(w), free(b), free(r), free(blocks), free(weights), free(rounded), free(scratch),
        free(out), free(exact);
}

static void test_codes(void **unused) {
    PIAA_UNUSED(unused);
    static const enum ggml_type types[] = {GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0,
                                           GGML_TYPE_Q5_1, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K,
                                           GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};
    static const int64_t shapes[][3] = {
        {1, 256, 1},   {2, 32, 64},    {3, 288, 63},  {4, 512, 65},   {5, 1152, 2},
        {6, 768, 130}, {7, 2048, 200}, {193, 96, 70}, {200, 512, 64}, {13, 8960, 96},
        {1, 288, 63},  {1, 2048, 200}, {1, 96, 130}};
    if (!piaa_kernels_find_codes()) skip();
    assert_null(piaa_codes_find(GGML_TYPE_Q3_K, true));
    assert_null(piaa_codes_find(GGML_TYPE_F16, true));
    for (size_t i = 0; i < PIAA_COUNT(types); i++)
        for (size_t j = 0; j < PIAA_COUNT(shapes); j++) {
            const bool group_scales = (i + j) % 2;
            if (shapes[j][1] % ggml_blck_size(types[i]) != 0) continue;
            check_codes(types[i], group_scales, shapes[j][0], shapes[j][1], shapes[j][2],
                        j % 2 ? PIAA_LINEAR : PIAA_GELU_TANH);
            check_codes(types[i], group_scales, shapes[j][0], shapes[j][1], 2 * shapes[j][2],
                        j % 2 ? PIAA_SWIGLU : PIAA_GEGLU);
        }
}

/* --------------------------------------------------------------------------------------- finish */

/* The same finish for sums that another product made. */
static void test_finish(void **unused) {
    PIAA_UNUSED(unused);
    enum { TOKENS = 2 };
    static const int64_t widths[] = {1, 15, 16, 50, 130};
    for (int half = 0; half < 2; half++)
        for (size_t i = 0; piaa_kernels_find(half) && i < PIAA_COUNT(widths); i++)
            for (int activation = PIAA_LINEAR; activation <= PIAA_GEGLU; activation++) {
                bool gated = piaa_activation_gated((piaa_activation)activation);
                int64_t width = widths[i], rows = gated ? 2 * width : width;
                float *sums = values((size_t)(TOKENS * rows)),
                      *b = i % 2 ? NULL : values((size_t)rows);
                float *r = values((size_t)(TOKENS * width)),
                      *out = need((size_t)(TOKENS * width), sizeof *out);
                piaa_product job = {
                    .rows = rows, .tokens = TOKENS, .bias = b, .residual = r, .out = out};
                job.activation = (piaa_activation)activation;
                for (int64_t t = 0; t < TOKENS; t++)
                    piaa_kernels_find(half)->finish(&job, sums + t * rows, t);
                for (int64_t t = 0; t < TOKENS; t++)
                    for (int64_t j = 0; j < width; j++) {
                        const float *row = sums + t * rows;
                        double up = gated ? (double)row[width + j] + (b ? b[width + j] : 0) : 0;
                        double expected =
                            activate(job.activation, (double)row[j] + (b ? b[j] : 0), up) +
                            r[t * width + j];
                        assert_true(fabs(out[t * width + j] - expected) <= 1e-6);
                    }
                free(sums), free(b), free(r), free(out);
            }
}

/* Far from zero every activation is 0 or x, without NaN on the way. */
static void test_saturation(void **unused) {
    PIAA_UNUSED(unused);
    static const float sizes[] = {-1e30f, -1e4f, -90.0f, -88.0f, -20.0f, -0.0f,
                                  0.0f,   20.0f, 88.0f,  90.0f,  1e4f,   1e15f};
    const piaa_kernels *kernels = piaa_kernels_find(false);
    if (!kernels) skip();
    uint32_t *weights = need(2 * PIAA_PANEL, sizeof *weights);
    const float one[2] = {1, 0};
    const void *rows[PIAA_PANEL] = {[0] = one, [PIAA_PAIRED] = one};
    void *scratch = need(PIAA_SCRATCH, 1);
    kernels->pack(rows, 2, weights);
    for (size_t i = 0; i < PIAA_COUNT(sizes); i++)
        for (int activation = PIAA_GELU; activation <= PIAA_GEGLU; activation++) {
            float x[2] = {sizes[i], 0}, out[2];
            piaa_product job = {.weights = weights,
                                .rows = piaa_activation_gated((piaa_activation)activation) ? 2 : 1,
                                .words = 2,
                                .tokens = 1,
                                .out = out};
            job.x = (const uint32_t *)(const void *)x;
            job.activation = (piaa_activation)activation;
            kernels->product(&job, 0, scratch);
            double expected = activate(job.activation, sizes[i], sizes[i]);
            if (!(fabs(out[0] - expected) <= 1e-6 * (1 + fabs(expected))))
                fail_msg("activation %d of %g is %g", activation, sizes[i], out[0]);
        }
    free(weights);
    free(scratch);
}

/* ----------------------------------------------------------------------------------------- norm */

static void test_norm(void **unused) {
    PIAA_UNUSED(unused);
    static const int64_t lengths[] = {1, 15, 16, 48, 100, 1024, 2050};
    for (int half = 0; half < 2; half++)
        for (size_t i = 0; i < PIAA_COUNT(lengths); i++)
            for (int layer = 0; layer < 2; layer++) {
                const piaa_kernels *kernels = piaa_kernels_find(half);
                if (!kernels) continue;
                int64_t n = lengths[i];
                float *x = values((size_t)n), *w = values((size_t)n),
                      *b = layer ? values((size_t)n) : NULL;
                void *out = need((size_t)n, half ? 2 : 4);
                kernels->norm(x, n, w, b, 1e-6f, out, half);
                float *got = widened(out, (size_t)n, half);
                double mean = 0, square = 0;
                for (int64_t j = 0; layer && j < n; j++) mean += x[j] / (double)n;
                for (int64_t j = 0; j < n; j++) square += (x[j] - mean) * (x[j] - mean) / (double)n;
                for (int64_t j = 0; j < n; j++) {
                    double expected =
                        (x[j] - mean) / sqrt(square + 1e-6) * w[j] + (layer ? b[j] : 0);
                    if (n > 1)
                        assert_true(fabs(got[j] - expected) <=
                                    (half ? 8e-3 : 2e-6) * (1 + fabs(expected)));
                }
                free(x), free(w), free(b), free(got);
            }
}

/* ------------------------------------------------------------------------------------ attention */

typedef struct shape {
    int64_t queries, keys;
    int heads, kv_heads, dim;
    bool causal, norm, rotary, rows;
    int64_t window; /* 0: no first key */
    int64_t run;    /* 0, or the keys of a run, whose queries all see all of it */
} shape;

static void prepared(const float *x, int dim, const float *norm, const float *rotary, double *out) {
    double square = 0, y[PIAA_MAX_HEAD_DIM];
    for (int i = 0; i < dim; i++) square += (double)x[i] * x[i] / dim;
    for (int i = 0; i < dim; i++) y[i] = norm ? x[i] / sqrt(square + 1e-6) * norm[i] : x[i];
    for (int i = 0; i < dim; i++) out[i] = y[i];
    for (int i = 0; rotary && i < dim / 2; i++) {
        out[i] = y[i] * rotary[i] - y[i + dim / 2] * rotary[i + dim / 2];
        out[i + dim / 2] = y[i + dim / 2] * rotary[i] + y[i] * rotary[i + dim / 2];
    }
}

/* Keys packed a few at a time, over what other keys have left and through a change of room, are
   those that were packed at once: the same job's output to the last bit. */
static void check_kept(const piaa_kernels *kernels, const piaa_attention_job *whole) {
    const size_t bytes =
        (size_t)(whole->queries * whole->heads * whole->dim) * (whole->narrow ? 2 : 4);
    piaa_attention_job job = *whole;
    uint32_t *packed = NULL;
    for (int turn = 0; turn < 2; turn++) /* the second time it is a text gone back to */
        for (int64_t past = turn ? whole->keys / 3 : 0, step = 1; past < whole->keys;
             past = job.keys, step = step * 3 + 1) {
            const int64_t room = job.room;
            job.past = past;
            job.keys = past + step < whole->keys ? past + step : whole->keys;
            if (!packed || job.keys > room) {
                job.room = packed ? 2 * job.keys : 1;
                uint32_t *wider =
                    need((size_t)kernels->packed_words(job.room, job.kv_heads, job.dim), 4);
                if (packed)
                    kernels->packed_move(packed, room, wider, job.room, past, job.kv_heads,
                                         job.dim);
                free(packed);
                packed = wider;
            }
            job.packed = packed;
            job.k = whole->k + past * whole->kv_stride;
            job.v = whole->v + past * whole->kv_stride;
            if (whole->k_rotary) job.k_rotary = whole->k_rotary + past * whole->dim;
            for (int64_t part = kernels->pack_parts(&job); part-- > 0;)
                kernels->pack_keys(&job, part);
        }
    void *out = need(bytes, 1), *scratch = need(PIAA_SCRATCH, 1);
    job.past = whole->past;
    job.out = out;
    for (int64_t part = kernels->attention_parts(&job); part-- > 0;)
        kernels->attention(&job, part, scratch);
    assert_memory_equal(out, whole->out, bytes);
    free(out), free(scratch), free(packed);
}

/* late: a few keys behind it give scores of hundreds, which round more coarsely; 0: none. */
static void check_attention(const piaa_kernels *kernels, const shape *s, int64_t late) {
    int64_t q_row = (int64_t)s->heads * s->dim + 3, kv_row = 2 * (int64_t)s->kv_heads * s->dim + 5;
    float *q = values((size_t)(s->queries * q_row)), *kv = values((size_t)(s->keys * kv_row));
    float *q_norm = s->norm ? values((size_t)s->dim) : NULL,
          *k_norm = s->norm ? values((size_t)s->dim) : NULL;
    float *q_rotary = s->rotary ? values((size_t)(s->queries * s->dim)) : NULL;
    float *k_rotary = s->rotary ? values((size_t)(s->keys * s->dim)) : NULL;
    for (int64_t i = 0; i < s->queries * q_row; i++) q[i] *= 4; /* so that some keys stand out */
    for (int64_t i = 0; late && i < s->keys; i++)
        for (int d = 0; i > late && i % 97 == 0 && d < s->kv_heads * s->dim; d++)
            kv[i * kv_row + d] *= 100;
    int32_t *last = s->rows || s->run ? need((size_t)s->queries, sizeof *last) : NULL;
    int32_t *first = s->window || s->run ? need((size_t)s->queries, sizeof *first) : NULL;
    for (int64_t i = 0; s->run && i < s->queries; i++) {
        const int64_t begin = i / s->run * s->run, end = begin + s->run;
        first[i] = (int32_t)begin;
        last[i] = (int32_t)(end < s->keys ? end : s->keys) - 1;
    }
    for (int64_t i = 0; s->rows && i < s->queries; i++)
        last[i] = (int32_t)(i * s->keys / s->queries);
    for (int64_t i = 0; s->window && i < s->queries; i++) {
        int64_t seen = last ? last[i] : i;
        first[i] = (int32_t)(seen >= s->window ? seen - s->window + 1 : 0);
    }
    uint32_t *packed =
        need((size_t)kernels->packed_words(s->keys, s->kv_heads, s->dim), sizeof *packed);
    void *out = need((size_t)(s->queries * s->heads * s->dim), kernels->bfloat16 ? 2 : 4),
         *scratch = need(PIAA_SCRATCH, 1);
    piaa_attention_job job = {.q = q,
                              .k = kv,
                              .v = kv + s->kv_heads * s->dim,
                              .q_stride = q_row,
                              .kv_stride = kv_row,
                              .queries = s->queries,
                              .keys = s->keys,
                              .room = s->keys,
                              .heads = s->heads,
                              .kv_heads = s->kv_heads,
                              .dim = s->dim,
                              .q_norm = q_norm,
                              .k_norm = k_norm,
                              .eps = 1e-6f,
                              .q_rotary = q_rotary,
                              .k_rotary = k_rotary,
                              .causal = s->causal,
                              .first = first,
                              .last = last,
                              .scale = 1.0f / sqrtf((float)s->dim),
                              .packed = packed,
                              .out = out,
                              .narrow = kernels->bfloat16};
    for (int64_t part = kernels->pack_parts(&job); part-- > 0;) kernels->pack_keys(&job, part);
    for (int64_t part = kernels->attention_parts(&job); part-- > 0;)
        kernels->attention(&job, part, scratch);
    check_kept(kernels, &job);
    float *got = widened(out, (size_t)(s->queries * s->heads * s->dim), kernels->bfloat16);
    double *scores = need((size_t)s->keys, sizeof *scores), worst = 0;
    for (int64_t i = 0; i < s->queries; i++)
        for (int head = 0; head < s->heads; head++) {
            double a[PIAA_MAX_HEAD_DIM], b[PIAA_MAX_HEAD_DIM], expected[PIAA_MAX_HEAD_DIM] = {0},
                                                               total = 0, most = -INFINITY;
            int64_t seen = !s->causal ? s->keys
                           : last     ? last[i] + 1
                                      : i + 1,
                    from = first ? first[i] : 0;
            int kv_head = head / (s->heads / s->kv_heads);
            prepared(q + i * q_row + head * s->dim, s->dim, q_norm,
                     q_rotary ? q_rotary + i * s->dim : NULL, a);
            for (int64_t k = from; k < seen; k++) {
                prepared(kv + k * kv_row + kv_head * s->dim, s->dim, k_norm,
                         k_rotary ? k_rotary + k * s->dim : NULL, b);
                scores[k] = 0;
                for (int d = 0; d < s->dim; d++) scores[k] += a[d] * b[d] / sqrt(s->dim);
                if (scores[k] > most) most = scores[k];
            }
            for (int64_t k = from; k < seen; k++) total += exp(scores[k] - most);
            for (int64_t k = from; k < seen; k++)
                for (int d = 0; d < s->dim; d++)
                    expected[d] += exp(scores[k] - most) / total *
                                   kv[k * kv_row + (s->kv_heads + kv_head) * s->dim + d];
            for (int d = 0; d < s->dim; d++) {
                double error = fabs(got[(i * s->heads + head) * s->dim + d] - expected[d]);
                if (!(error <= worst)) worst = error;
            }
        }
    if (!(worst <= (kernels->bfloat16 ? 0.06 : 1e-5) * (late ? 4 : 1)))
        fail_msg("%s, %lld queries, %lld keys, %d/%d heads of %d%s: error %g", kernels->name,
                 (long long)s->queries, (long long)s->keys, s->heads, s->kv_heads, s->dim,
                 s->causal ? ", causal" : "", worst);
    free(q), free(kv), free(q_norm), free(k_norm), free(q_rotary), free(k_rotary), free(last),
        free(first), free(packed), free(scratch), free(got), free(scores);
}

static void test_attention(void **unused) {
    PIAA_UNUSED(unused);
    static const shape shapes[] = {{1, 1, 1, 1, 16, false, false, false, false, 0, 0},
                                   {1, 1, 2, 1, 32, true, true, true, false, 0, 0},
                                   {5, 5, 3, 3, 16, false, false, true, false, 0, 0},
                                   {49, 49, 2, 2, 72, false, false, true, false, 0, 0},
                                   {64, 64, 4, 2, 64, true, true, true, false, 0, 0},
                                   {65, 65, 4, 2, 128, true, true, true, false, 0, 0},
                                   {97, 97, 2, 2, 80, false, false, true, false, 0, 0},
                                   {131, 131, 6, 2, 32, true, true, true, false, 0, 0},
                                   {257, 257, 1, 1, 64, false, false, true, false, 0, 0},
                                   {300, 300, 2, 1, 48, true, false, true, false, 0, 0},
                                   {600, 600, 1, 1, 16, true, false, false, false, 0, 0},
                                   {15, 211, 4, 2, 128, true, true, true, true, 0, 0},
                                   {7, 513, 2, 1, 20, true, true, true, true, 0, 0},
                                   {3, 70, 2, 2, 256, false, true, true, false, 0, 0},
                                   {52, 52, 1, 1, 6, false, false, true, false, 0, 0},
                                   {300, 300, 2, 1, 48, true, false, true, false, 1, 0},
                                   {700, 700, 1, 1, 16, true, true, true, false, 40, 0},
                                   {9, 900, 2, 1, 32, true, true, true, true, 300, 0},
                                   {600, 600, 1, 1, 16, true, false, false, false, 512, 0},
                                   {600, 600, 2, 2, 80, true, false, true, false, 0, 64},
                                   {700, 700, 1, 1, 16, true, false, true, false, 0, 36},
                                   {530, 530, 1, 1, 16, true, false, false, false, 0, 4},
                                   {900, 900, 1, 1, 64, true, false, true, false, 0, 400},
                                   {1, 700, 8, 2, 64, false, true, true, false, 0, 0},
                                   {1, 300, 14, 2, 80, false, true, true, false, 0, 0},
                                   {1, 70, 64, 1, 16, false, true, true, false, 0, 0}};
    for (int half = 0; half < 2; half++)
        for (size_t i = 0; piaa_kernels_find(half) && i < PIAA_COUNT(shapes); i++)
            check_attention(piaa_kernels_find(half), &shapes[i], 0);
    static const shape long_one = {48, 1100, 2, 2, 72, false, false, true, false, 0, 0};
    for (int half = 0; half < 2; half++)
        if (piaa_kernels_find(half)) check_attention(piaa_kernels_find(half), &long_one, 600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product), cmocka_unit_test(test_codes),
        cmocka_unit_test(test_finish),  cmocka_unit_test(test_saturation),
        cmocka_unit_test(test_norm),    cmocka_unit_test(test_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
