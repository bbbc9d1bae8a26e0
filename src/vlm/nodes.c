/*
 * Our kernels as nodes of a ggml graph.
 *
 * ggml calls a custom node once on every thread; the threads draw the numbers of the node's parts
 * from a counter, so that a core that is busy elsewhere does less instead of holding the others up;
 * each lends the kernels scratch memory of its own.  The counter starts at zero with the graph,
 * which is built for one run.
 */
#include "vlm/graph.h"

#include "base/memory.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

struct piaa_node {
    piaa_node *next;
    atomic_llong counter;
    const piaa_kernels *kernels;
    unsigned char *scratch;
    piaa_product product;
    piaa_attention_job attention;
    float eps;
    /* Tensors whose memory is known only when the graph has been allocated. */
    struct ggml_tensor *w, *x, *b, *residual;
    struct ggml_tensor *q, *kv, *q_norm, *k_norm, *q_rotary, *k_rotary, *first, *last, *packed;
    uint32_t *kept;                    /* the packed keys are here and not in `packed` */
    int64_t q_first, k_first, v_first; /* values */
};

enum { NORM_ROWS = 16, ALIGNMENT = 64 };

static piaa_node *new_node(piaa_graph *graph, const piaa_kernels *kernels) {
    piaa_node *node = piaa_alloc(1, sizeof *node, &graph->error);
    if (!node) return NULL;
    node->kernels = kernels;
    node->scratch = graph->scratch;
    atomic_init(&node->counter, 0);
    node->next = graph->kernel_nodes;
    graph->kernel_nodes = node;
    return node;
}

void piaa_graph_free_nodes(piaa_graph *graph) {
    while (graph->kernel_nodes) {
        piaa_node *next = graph->kernel_nodes->next;
        free(graph->kernel_nodes);
        graph->kernel_nodes = next;
    }
}

/* The result tensor of a node that reads `args` (NULLs are left out).  Without a node (out of
   memory) the graph is never run. */
static struct ggml_tensor *add(piaa_graph *graph, piaa_node *node, ggml_custom_op_t run,
                               const char *name, enum ggml_type type, int64_t ne0, int64_t ne1,
                               struct ggml_tensor **args, int count) {
    struct ggml_tensor *present[GGML_MAX_SRC];
    int n = 0;
    for (int i = 0; i < count; i++)
        if (args[i]) present[n++] = args[i];
    struct ggml_tensor *y = ggml_custom_4d(graph->context, type, ne0, ne1, 1, 1, present, n, run,
                                           GGML_N_TASKS_MAX, node);
    return ggml_set_name(y, name);
}

static int64_t draw(piaa_node *node) {
    return atomic_fetch_add_explicit(&node->counter, 1, memory_order_relaxed);
}

static const float *floats(const struct ggml_tensor *tensor) {
    return tensor ? tensor->data : NULL;
}

/* -------------------------------------------------------------------------------------- product */

static void run_product(struct ggml_tensor *dst, int thread, int threads, void *data) {
    PIAA_UNUSED(threads);
    piaa_node *node = data;
    piaa_product job = node->product;
    unsigned char *scratch = node->scratch + (size_t)thread * PIAA_SCRATCH;
    job.weights = node->w->data;
    job.x = node->x->data;
    job.bias = floats(node->b);
    job.residual = floats(node->residual);
    job.out = dst->data;
    const int64_t parts = node->kernels->product_parts(&job);
    for (int64_t part = draw(node); part < parts; part = draw(node))
        node->kernels->product(&job, part, scratch);
}

/* A row takes the same number of bytes as the others, though they do not lie together. */
static void run_round(struct ggml_tensor *dst, int thread, int threads, void *data) {
    PIAA_UNUSED(thread);
    PIAA_UNUSED(threads);
    piaa_node *node = data;
    const int64_t n = node->x->ne[0], rows = node->x->ne[1];
    for (int64_t first = draw(node) * NORM_ROWS; first < rows; first = draw(node) * NORM_ROWS)
        for (int64_t row = first; row < rows && row < first + NORM_ROWS; row++)
            node->kernels->quantise(node->product.codes, (const float *)node->x->data + row * n, n,
                                    row, rows, dst->data);
}

struct ggml_tensor *piaa_node_round(piaa_graph *graph, const piaa_matrix *w,
                                    struct ggml_tensor *x) {
    piaa_node *node = new_node(graph, w->kernels);
    if (node) {
        node->x = x;
        node->product.codes = w->codes;
    }
    const int64_t rows = ggml_nrows(x);
    return add(graph, node, run_round, "round", GGML_TYPE_I8,
               (int64_t)w->kernels->rounded_bytes(rows, w->columns) / rows, rows,
               (struct ggml_tensor *[]){x}, 1);
}

struct ggml_tensor *piaa_node_linear(piaa_graph *graph, const piaa_matrix *w, struct ggml_tensor *b,
                                     struct ggml_tensor *x, piaa_activation activation,
                                     struct ggml_tensor *residual) {
    static const char *const names[] = {
        [PIAA_LINEAR] = "",          [PIAA_GELU] = " gelu",     [PIAA_GELU_TANH] = " gelu",
        [PIAA_GELU_QUICK] = " gelu", [PIAA_SWIGLU] = " swiglu", [PIAA_GEGLU] = " geglu"};
    /* What an activation leaves goes into the next product, the residual stream stays float32. */
    const bool narrow = activation != PIAA_LINEAR && !residual && w->kernels->bfloat16;
    piaa_node *node = new_node(graph, w->kernels);
    if (node) {
        node->w = w->tensor;
        node->x = x;
        node->b = b;
        node->residual = residual;
        node->product = (piaa_product){.rows = w->rows,
                                       .words = w->columns / (w->kernels->bfloat16 ? 2 : 1),
                                       .tokens = x->ne[1],
                                       .codes = w->codes,
                                       .activation = activation,
                                       .narrow = narrow};
    }
    char name[64];
    snprintf(name, sizeof name, "product %lldx%lld%s", (long long)w->columns, (long long)w->rows,
             names[activation]);
    return add(graph, node, run_product, name, narrow ? GGML_TYPE_BF16 : GGML_TYPE_F32,
               piaa_activation_gated(activation) ? w->rows / 2 : w->rows, x->ne[1],
               (struct ggml_tensor *[]){w->tensor, x, b, residual}, 4);
}

/* --------------------------------------------------------- what follows a product of ggml's own */

static void run_finish(struct ggml_tensor *dst, int thread, int threads, void *data) {
    PIAA_UNUSED(thread);
    PIAA_UNUSED(threads);
    piaa_node *node = data;
    piaa_product job = node->product;
    job.bias = floats(node->b);
    job.residual = floats(node->residual);
    job.out = dst->data;
    for (int64_t first = draw(node) * NORM_ROWS; first < job.tokens; first = draw(node) * NORM_ROWS)
        for (int64_t t = first; t < job.tokens && t < first + NORM_ROWS; t++)
            node->kernels->finish(&job, (const float *)node->x->data + t * job.rows, t);
}

struct ggml_tensor *piaa_node_finish(piaa_graph *graph, struct ggml_tensor *x,
                                     struct ggml_tensor *b, piaa_activation activation,
                                     struct ggml_tensor *residual) {
    piaa_node *node = new_node(graph, graph->kernels);
    if (node) {
        node->x = x;
        node->b = b;
        node->residual = residual;
        node->product =
            (piaa_product){.rows = x->ne[0], .tokens = x->ne[1], .activation = activation};
    }
    return add(graph, node, run_finish, "finish", GGML_TYPE_F32,
               piaa_activation_gated(activation) ? x->ne[0] / 2 : x->ne[0], x->ne[1],
               (struct ggml_tensor *[]){x, b, residual}, 3);
}

/* ----------------------------------------------------------------------------------------- norm */

static void run_norm(struct ggml_tensor *dst, int thread, int threads, void *data) {
    PIAA_UNUSED(thread);
    PIAA_UNUSED(threads);
    piaa_node *node = data;
    const int64_t n = dst->ne[0], rows = dst->ne[1];
    for (int64_t first = draw(node) * NORM_ROWS; first < rows; first = draw(node) * NORM_ROWS)
        for (int64_t row = first; row < rows && row < first + NORM_ROWS; row++)
            node->kernels->norm((const float *)node->x->data + row * n, n, floats(node->w),
                                floats(node->b), node->eps,
                                (char *)dst->data + (size_t)row * dst->nb[1],
                                dst->type == GGML_TYPE_BF16);
}

struct ggml_tensor *piaa_node_norm(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *w,
                                   struct ggml_tensor *b, float eps, bool narrow) {
    piaa_node *node = new_node(graph, graph->kernels);
    if (node) {
        node->x = x;
        node->w = w;
        node->b = b;
        node->eps = eps;
    }
    return add(graph, node, run_norm, "norm", narrow ? GGML_TYPE_BF16 : GGML_TYPE_F32, x->ne[0],
               x->ne[1], (struct ggml_tensor *[]){x, w, b}, 3);
}

/* ------------------------------------------------------------------------------------ attention */

static piaa_attention_job attention_job(const piaa_node *node, struct ggml_tensor *packed) {
    piaa_attention_job job = node->attention;
    job.q = floats(node->q) + node->q_first;
    job.k = floats(node->kv) + node->k_first;
    job.v = floats(node->kv) + node->v_first;
    job.q_norm = floats(node->q_norm);
    job.k_norm = floats(node->k_norm);
    job.q_rotary = floats(node->q_rotary);
    job.k_rotary = floats(node->k_rotary);
    job.last = node->last ? node->last->data : NULL;
    job.first = node->first ? node->first->data : NULL;
    /* ggml aligns to half a cache line only; the tensor has room to spare. */
    if (node->kept)
        job.packed = node->kept;
    else
        job.packed =
            (uint32_t *)(((uintptr_t)packed->data + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    return job;
}

static void run_pack(struct ggml_tensor *dst, int thread, int threads, void *data) {
    PIAA_UNUSED(thread);
    PIAA_UNUSED(threads);
    piaa_node *node = data;
    const piaa_attention_job job = attention_job(node, dst);
    const int64_t parts = node->kernels->pack_parts(&job);
    for (int64_t part = draw(node); part < parts; part = draw(node))
        node->kernels->pack_keys(&job, part);
}

static void run_attention(struct ggml_tensor *dst, int thread, int threads, void *data) {
    PIAA_UNUSED(threads);
    piaa_node *node = data;
    piaa_attention_job job = attention_job(node, node->packed);
    unsigned char *scratch = node->scratch + (size_t)thread * PIAA_SCRATCH;
    job.out = dst->data;
    const int64_t parts = node->kernels->attention_parts(&job);
    for (int64_t part = draw(node); part < parts; part = draw(node))
        node->kernels->attention(&job, part, scratch);
}

static void describe(piaa_node *node, const piaa_attention *a, bool narrow) {
    node->q = a->q;
    node->kv = a->kv;
    node->q_norm = a->q_norm;
    node->k_norm = a->k_norm;
    node->q_rotary = a->q_rotary;
    node->k_rotary = a->k_rotary;
    node->last = a->last;
    node->first = a->first;
    if (a->cache) node->kept = a->cache->packed;
    node->q_first = (int64_t)a->q_first * a->dim;
    node->k_first = (int64_t)a->k_first * a->dim;
    node->v_first = (int64_t)a->v_first * a->dim;
    node->attention =
        (piaa_attention_job){.q_stride = a->q->ne[0],
                             .kv_stride = a->kv->ne[0],
                             .queries = a->q->ne[1],
                             .keys = a->past + a->kv->ne[1],
                             .past = a->past,
                             .room = a->cache ? a->cache->room : a->kv->ne[1],
                             .heads = a->heads,
                             .kv_heads = a->kv_heads,
                             .dim = a->dim,
                             .eps = a->eps,
                             .causal = a->causal,
                             .scale = a->scale != 0 ? a->scale : 1.0f / sqrtf((float)a->dim),
                             .narrow = narrow};
}

struct ggml_tensor *piaa_node_attention(piaa_graph *graph, const piaa_attention *a) {
    const piaa_kernels *kernels = graph->kernels;
    piaa_node *pack = new_node(graph, kernels), *node = new_node(graph, kernels);
    const int64_t words = a->cache ? 1
                                   : kernels->packed_words(a->kv->ne[1], a->kv_heads, a->dim) +
                                         ALIGNMENT / (int64_t)sizeof(uint32_t);
    struct ggml_tensor *packed = add(graph, pack, run_pack, "pack keys", GGML_TYPE_I32, words, 1,
                                     (struct ggml_tensor *[]){a->kv, a->k_norm, a->k_rotary}, 3);
    if (pack && node) {
        describe(pack, a, false);
        describe(node, a, graph->narrow);
        node->packed = packed;
    }
    return add(
        graph, node, run_attention, "attention", graph->narrow ? GGML_TYPE_BF16 : GGML_TYPE_F32,
        (int64_t)a->dim * a->heads, a->q->ne[1],
        (struct ggml_tensor *[]){a->q, packed, a->q_norm, a->q_rotary, a->last, a->first}, 6);
}
