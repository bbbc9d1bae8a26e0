/*
 * Speed of the CPU kernels beside ggml's, in GFLOP/s of one core, as CSV: one line per shape.
 *
 *   bench_kernels [repeats [text]]        text: only lines that contain it, such as 212x2560 or
 *                                         "q4_K product"
 *
 * One thread and the thread's own clock, so that a busy machine does not change the figures much;
 * the best of `repeats` (5) runs.  `peak` is a loop of vdpbf16ps on registers, or of vpdpbusd for
 * quantised types.  Without our kernels (another CPU) only ggml's columns are filled.
 */
#include "vlm/kernels.h"
#include "base/memory.h"
#include "vlm/codes.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int repeats = 5;
static const char *only = "";

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *need(size_t count, size_t size) {
    void *p = piaa_alloc_array(count, size, NULL);
    if (!p) exit(1);
    return p;
}

/* Values of a healthy spread, the same every time. */
static float *values(size_t count) {
    float *p = need(count, sizeof *p);
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525U + 1013904223U;
        p[i] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
    return p;
}

/* A row-major matrix in a kernel's own type, and its panels. */
static void *typed(const float *x, size_t count, bool half) {
    void *p = need(count, half ? 2 : 4);
    if (half)
        ggml_fp32_to_bf16_row(x, p, (int64_t)count);
    else
        memcpy(p, x, count * sizeof *x);
    return p;
}

static double ours_product(bool half, int64_t tokens, int64_t columns, int64_t rows) {
    const piaa_kernels *kernels = piaa_kernels_find(half);
    if (!kernels) return NAN;
    size_t row_bytes = (size_t)columns * (half ? 2 : 4);
    int64_t words = columns / (half ? 2 : 1);
    float *x = values((size_t)(tokens * columns)), *w = values((size_t)(rows * columns));
    char *own_x = typed(x, (size_t)(tokens * columns), half),
         *own_w = typed(w, (size_t)(rows * columns), half);
    uint32_t *packed =
        need((size_t)((rows + PIAA_PANEL - 1) / PIAA_PANEL * PIAA_PANEL * words), sizeof *packed);
    for (int64_t panel = 0; panel * PIAA_PANEL < rows; panel++) {
        const void *pointers[PIAA_PANEL] = {NULL};
        for (int64_t i = 0; i < PIAA_PANEL && panel * PIAA_PANEL + i < rows; i++)
            pointers[i] = own_w + row_bytes * (size_t)(panel * PIAA_PANEL + i);
        kernels->pack(pointers, words, packed + panel * PIAA_PANEL * words);
    }
    float *out = need((size_t)(tokens * rows), sizeof *out);
    piaa_product job = {.weights = packed,
                        .rows = rows,
                        .words = words,
                        .x = (uint32_t *)own_x,
                        .tokens = tokens,
                        .out = out};
    void *scratch = need(PIAA_SCRATCH, 1);
    double best = INFINITY;
    for (int i = 0; i < repeats; i++) {
        double start = seconds();
        for (int64_t part = 0; part < kernels->product_parts(&job); part++)
            kernels->product(&job, part, scratch);
        best = fmin(best, seconds() - start);
    }
    free(x), free(w), free(own_x), free(own_w), free(packed), free(out), free(scratch);
    return 2e-9 * (double)(tokens * columns * rows) / best;
}

/* Rounding x belongs to it, as it does to ggml's. */
static double ours_codes(enum ggml_type type, bool group_scales, int64_t tokens, int64_t columns,
                         int64_t rows) {
    const piaa_kernels *kernels = piaa_kernels_find_codes();
    const piaa_codes *codes = piaa_codes_find(type, group_scales);
    if (!kernels) return NAN;
    const int64_t panels = (rows + PIAA_PANEL - 1) / PIAA_PANEL;
    const size_t row_bytes = ggml_row_size(type, columns),
                 panel_bytes = piaa_codes_panel_bytes(codes, columns);
    float *x = values((size_t)(tokens * columns)), *w = values((size_t)(PIAA_PANEL * columns));
    char *blocks = need(PIAA_PANEL, row_bytes),
         *rounded = need(kernels->rounded_bytes(tokens, columns), 1),
         *packed = need((size_t)panels, panel_bytes);
    ggml_quantize_chunk(type, w, blocks, 0, PIAA_PANEL, columns, NULL);
    const void *pointers[PIAA_PANEL];
    for (int64_t i = 0; i < PIAA_PANEL; i++) pointers[i] = blocks + row_bytes * (size_t)i;
    for (int64_t panel = 0; panel < panels; panel++) /* the same everywhere */
        piaa_codes_pack(type, pointers, columns, packed + panel_bytes * (size_t)panel);
    float *out = need((size_t)(tokens * rows), sizeof *out);
    piaa_product job = {.weights = packed,
                        .rows = rows,
                        .words = columns,
                        .x = rounded,
                        .tokens = tokens,
                        .codes = codes,
                        .out = out};
    void *scratch = need(PIAA_SCRATCH, 1);
    double best = INFINITY;
    for (int i = 0; i < repeats; i++) {
        double start = seconds();
        for (int64_t t = 0; t < tokens; t++)
            kernels->quantise(codes, x + t * columns, columns, t, tokens, rounded);
        for (int64_t part = 0; part < kernels->product_parts(&job); part++)
            kernels->product(&job, part, scratch);
        best = fmin(best, seconds() - start);
    }
    free(x), free(w), free(blocks), free(rounded), free(packed), free(out), free(scratch);
    return 2e-9 * (double)(tokens * columns * rows) / best;
}

static double ours_attention(bool half, int64_t tokens, int heads, int kv_heads, int dim,
                             bool causal) {
    const piaa_kernels *kernels = piaa_kernels_find(half);
    if (!kernels) return NAN;
    int64_t row = (int64_t)(heads + 2 * kv_heads) * dim;
    float *qkv = values((size_t)(tokens * row)), *rotary = values((size_t)(tokens * dim)),
          *out = need((size_t)(tokens * heads * dim), 4);
    uint32_t *packed = need((size_t)kernels->packed_words(tokens, kv_heads, dim), sizeof *packed);
    piaa_attention_job job = {.q = qkv,
                              .k = qkv + (int64_t)heads * dim,
                              .v = qkv + (int64_t)(heads + kv_heads) * dim,
                              .q_stride = row,
                              .kv_stride = row,
                              .queries = tokens,
                              .keys = tokens,
                              .room = tokens,
                              .heads = heads,
                              .kv_heads = kv_heads,
                              .dim = dim,
                              .q_rotary = rotary,
                              .k_rotary = rotary,
                              .causal = causal,
                              .scale = 1.0f / sqrtf((float)dim),
                              .packed = packed,
                              .out = out};
    void *scratch = need(PIAA_SCRATCH, 1);
    double best = INFINITY;
    for (int i = 0; i < repeats; i++) {
        double start = seconds();
        for (int64_t part = 0; part < kernels->pack_parts(&job); part++)
            kernels->pack_keys(&job, part);
        for (int64_t part = 0; part < kernels->attention_parts(&job); part++)
            kernels->attention(&job, part, scratch);
        best = fmin(best, seconds() - start);
    }
    free(qkv), free(rotary), free(out), free(packed), free(scratch);
    return 4e-9 * (double)tokens * (double)tokens * heads * dim * (causal ? 0.5 : 1) / best;
}

/* Times one ggml operation on one thread. */
static double ggml_seconds(struct ggml_context *context, struct ggml_tensor *result) {
    ggml_backend_t backend = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(backend, 1);
    struct ggml_cgraph *graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, result);
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, backend);
    ggml_backend_buffer_clear(buffer, 0);
    double best = INFINITY;
    for (int i = 0; i < repeats; i++) {
        double start = seconds();
        ggml_backend_graph_compute(backend, graph);
        best = fmin(best, seconds() - start);
    }
    ggml_backend_buffer_free(buffer);
    ggml_backend_free(backend);
    return best;
}

static struct ggml_context *new_context(void) {
    struct ggml_context *context = ggml_init((struct ggml_init_params){
        .mem_size = 64 * ggml_tensor_overhead() + ggml_graph_overhead(), .no_alloc = true});
    if (!context) exit(1);
    return context;
}

static double ggml_product(enum ggml_type type, int64_t tokens, int64_t columns, int64_t rows) {
    struct ggml_context *c = new_context();
    struct ggml_tensor *w = ggml_new_tensor_2d(c, type, columns, rows),
                       *x = ggml_new_tensor_2d(c, GGML_TYPE_F32, columns, tokens);
    double best = ggml_seconds(c, ggml_mul_mat(c, w, x));
    ggml_free(c);
    return 2e-9 * (double)(tokens * columns * rows) / best;
}

static double ggml_attention(bool half, int64_t tokens, int heads, int kv_heads, int dim,
                             bool causal) {
    struct ggml_context *c = new_context();
    enum ggml_type type = half ? GGML_TYPE_F16 : GGML_TYPE_F32;
    struct ggml_tensor *q = ggml_new_tensor_3d(c, GGML_TYPE_F32, dim, tokens, heads),
                       *k = ggml_new_tensor_3d(c, type, dim, tokens, kv_heads);
    struct ggml_tensor *v = ggml_new_tensor_3d(c, type, dim, tokens, kv_heads);
    struct ggml_tensor *mask = causal ? ggml_new_tensor_2d(c, GGML_TYPE_F16, tokens, tokens) : NULL;
    double best =
        ggml_seconds(c, ggml_flash_attn_ext(c, q, k, v, mask, 1.0f / sqrtf((float)dim), 0, 0));
    ggml_free(c);
    return 4e-9 * (double)tokens * (double)tokens * heads * dim * (causal ? 0.5 : 1) / best;
}

static bool wanted(const char *what, const char *shape) {
    char text[128];
    snprintf(text, sizeof text, "%s %s", what, shape);
    return strstr(text, only) != NULL;
}

static void line(const char *what, const char *shape, double ours, double theirs, double peak) {
    printf("%s,%s,%.0f,%.0f,%.0f,%.2f\n", what, shape, ours, theirs, peak, ours / peak);
    fflush(stdout);
}

int main(int count, char **arguments) {
    static const int64_t products[][3] = {
        {212, 2560, 9728},  {1045, 2560, 9728}, {4096, 1024, 4096}, {2688, 1024, 3072},
        {2688, 1024, 1024}, {2688, 4096, 1024}, {687, 2048, 12288}, {687, 6144, 2048},
        {207, 2048, 12288}, {768, 1024, 4096},  {4096, 1152, 3456}, {4096, 1152, 4304},
        {4096, 4304, 1152}, {272, 2560, 20480}, {272, 10240, 2560}, {201, 768, 3072},
        {201, 3072, 768}};
    static const struct {
        int64_t tokens;
        int heads, kv_heads, dim;
        bool causal;
    } attentions[] = {{768, 16, 16, 64, false}, {2688, 16, 16, 64, false}, {687, 16, 8, 128, true},
                      {207, 16, 8, 128, true},  {4096, 16, 16, 72, false}, {272, 8, 4, 256, true},
                      {201, 12, 12, 64, false}};
    static const struct {
        enum ggml_type type;
        bool group_scales;
        const char *what;
    } types[] = {{GGML_TYPE_Q4_K, false, "q4_K product"},
                 {GGML_TYPE_Q5_0, false, "q5_0 product"},
                 {GGML_TYPE_Q6_K, false, "q6_K product"},
                 {GGML_TYPE_Q8_0, false, "q8_0 product"},
                 {GGML_TYPE_Q8_0, true, "q8_0 product (group scales)"}};
    if (count > 1) repeats = atoi(arguments[1]);
    if (count > 2) only = arguments[2];
    if (repeats < 1) return 2;
    printf("what,shape,ours,ggml,peak,share of peak\n");
    for (int half = 1; half >= 0; half--) {
        const piaa_kernels *kernels = piaa_kernels_find(half);
        double peak = kernels ? kernels->peak() : NAN;
        char shape[64];
        for (size_t i = 0; i < PIAA_COUNT(products); i++) {
            const int64_t *p = products[i];
            snprintf(shape, sizeof shape, "%lldx%lldx%lld", (long long)p[0], (long long)p[1],
                     (long long)p[2]);
            if (!wanted(half ? "bf16 product" : "f32 product", shape)) continue;
            line(half ? "bf16 product" : "f32 product", shape, ours_product(half, p[0], p[1], p[2]),
                 ggml_product(half ? GGML_TYPE_BF16 : GGML_TYPE_F32, p[0], p[1], p[2]), peak);
        }
        for (size_t i = 0; i < PIAA_COUNT(attentions); i++) {
            int64_t n = attentions[i].tokens;
            int heads = attentions[i].heads, kv = attentions[i].kv_heads, dim = attentions[i].dim;
            bool causal = attentions[i].causal;
            snprintf(shape, sizeof shape, "%lldx%dx%d%s", (long long)n, heads, dim,
                     causal ? " causal" : "");
            if (!wanted(half ? "bf16 attention" : "f32 attention", shape)) continue;
            line(half ? "bf16 attention" : "f32 attention", shape,
                 ours_attention(half, n, heads, kv, dim, causal),
                 ggml_attention(half, n, heads, kv, dim, causal), peak);
        }
    }
    const piaa_kernels *kernels = piaa_kernels_find_codes();
    double peak = kernels ? kernels->peak() : NAN;
    for (size_t i = 0; i < PIAA_COUNT(products); i++)
        for (size_t j = 0; j < PIAA_COUNT(types); j++) {
            const int64_t *p = products[i];
            const enum ggml_type type = types[j].type;
            char shape[64];
            snprintf(shape, sizeof shape, "%lldx%lldx%lld", (long long)p[0], (long long)p[1],
                     (long long)p[2]);
            if (!wanted(types[j].what, shape) || p[1] % ggml_blck_size(type) != 0) continue;
            line(types[j].what, shape, ours_codes(type, types[j].group_scales, p[0], p[1], p[2]),
                 ggml_product(type, p[0], p[1], p[2]), peak);
        }
    return 0;
}
