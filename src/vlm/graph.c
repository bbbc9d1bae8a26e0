/* The shared blocks that families build their graphs from, over ggml. */
#include "vlm/graph.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

struct ggml_tensor *piaa_graph_input(piaa_graph *graph, enum ggml_type type, int64_t ne0,
                                     int64_t ne1, const void *data) {
    struct ggml_tensor *tensor = ggml_new_tensor_2d(graph->context, type, ne0, ne1);
    ggml_set_input(tensor);
    if (graph->input_count == PIAA_MAX_INPUTS) {
        if (!piaa_error_pending(&graph->error))
            piaa_error_set(&graph->error, PIAA_UNSUPPORTED,
                           "the model's graph has more than %d inputs", PIAA_MAX_INPUTS);
        return tensor;
    }
    graph->inputs[graph->input_count].tensor = tensor;
    graph->inputs[graph->input_count++].data = data;
    return tensor;
}

/* 0.5 x (1 + tanh(u)) = x sigmoid(2u), so that ggml's float32 sigmoid serves: its own tanh form is
   a table. */
static struct ggml_tensor *gelu_tanh(struct ggml_context *c, struct ggml_tensor *x) {
    const float root = 0.79788456080286535588f; /* sqrt(2 / pi) */
    struct ggml_tensor *inner =
        ggml_scale_bias(c, ggml_sqr(c, x), 2.0f * root * 0.044715f, 2.0f * root);
    return ggml_mul(c, x, ggml_sigmoid(c, ggml_mul(c, x, inner)));
}

/* Gates above values, made one. */
static struct ggml_tensor *geglu(struct ggml_context *c, struct ggml_tensor *x) {
    struct ggml_tensor *gate =
        ggml_cont(c, ggml_view_2d(c, x, x->ne[0] / 2, x->ne[1], x->nb[1], 0));
    return ggml_mul(c, gelu_tanh(c, gate),
                    ggml_view_2d(c, x, x->ne[0] / 2, x->ne[1], x->nb[1], x->nb[1] / 2));
}

struct ggml_tensor *piaa_graph_linear(piaa_graph *graph, const piaa_matrix *w,
                                      struct ggml_tensor *b, struct ggml_tensor *x,
                                      piaa_activation activation, struct ggml_tensor *residual) {
    struct ggml_context *c = graph->context;
    graph->flops += 2.0 * (double)w->rows * (double)w->columns * (double)ggml_nrows(x);
    graph->bytes += (double)ggml_nbytes(w->tensor);
    enum ggml_type wanted = w->kernels && w->kernels->bfloat16 ? GGML_TYPE_BF16 : GGML_TYPE_F32;
    if (x->type != wanted) x = ggml_cast(c, x, wanted);
    if (w->codes) x = piaa_node_round(graph, w, x);
    if (w->kernels) return piaa_node_linear(graph, w, b, x, activation, residual);
    struct ggml_tensor *y = ggml_mul_mat(c, w->tensor, x);
    if (graph->kernels && (b || residual || activation != PIAA_LINEAR))
        return piaa_node_finish(graph, y, b, activation, residual);
    if (b) y = ggml_add(c, y, b);
    if (activation == PIAA_GELU) y = ggml_gelu_erf(c, y);
    if (activation == PIAA_GELU_TANH) y = gelu_tanh(c, y);
    if (activation == PIAA_GELU_QUICK)
        y = ggml_mul(c, y, ggml_sigmoid(c, ggml_scale(c, y, 1.702f)));
    if (activation == PIAA_SWIGLU) y = ggml_swiglu(c, y);
    if (activation == PIAA_GEGLU) y = geglu(c, y);
    return residual ? ggml_add(c, residual, y) : y;
}

void piaa_graph_limit(piaa_graph *graph, int head_dim) {
    if (head_dim <= PIAA_MAX_HEAD_DIM) return;
    graph->kernels = NULL;
    graph->narrow = false;
}

struct ggml_tensor *piaa_graph_layer_norm(piaa_graph *graph, struct ggml_tensor *x,
                                          struct ggml_tensor *w, struct ggml_tensor *b, float eps,
                                          bool to_product) {
    if (graph->kernels) return piaa_node_norm(graph, x, w, b, eps, graph->narrow && to_product);
    struct ggml_tensor *y = ggml_mul(graph->context, ggml_norm(graph->context, x, eps), w);
    return ggml_add(graph->context, y, b);
}

struct ggml_tensor *piaa_graph_rms_norm(piaa_graph *graph, struct ggml_tensor *x,
                                        struct ggml_tensor *w, float eps, bool to_product) {
    if (graph->kernels) return piaa_node_norm(graph, x, w, NULL, eps, graph->narrow && to_product);
    return ggml_mul(graph->context, ggml_rms_norm(graph->context, x, eps), w);
}

/* The pairs (i, i + dim / 2) of x [dim, heads, n] turned by a table's angles [dim, n]: dim/2
   cosines, dim/2 sines. */
static struct ggml_tensor *turn(struct ggml_context *c, struct ggml_tensor *x,
                                struct ggml_tensor *table) {
    int64_t half = x->ne[0] / 2;
    size_t half_bytes = (size_t)half * sizeof(float);
    struct ggml_tensor *a = ggml_view_3d(c, x, half, x->ne[1], x->ne[2], x->nb[1], x->nb[2], 0);
    struct ggml_tensor *b =
        ggml_view_3d(c, x, half, x->ne[1], x->ne[2], x->nb[1], x->nb[2], half_bytes);
    struct ggml_tensor *cosine =
        ggml_view_3d(c, table, half, 1, table->ne[1], table->nb[1], table->nb[1], 0);
    struct ggml_tensor *sine =
        ggml_view_3d(c, table, half, 1, table->ne[1], table->nb[1], table->nb[1], half_bytes);
    return ggml_concat(c, ggml_sub(c, ggml_mul(c, a, cosine), ggml_mul(c, b, sine)),
                       ggml_add(c, ggml_mul(c, b, cosine), ggml_mul(c, a, sine)), 0);
}

/* Heads of a row as [dim, heads, n], normalised and rotated where asked. */
static struct ggml_tensor *heads(struct ggml_context *c, const piaa_attention *a,
                                 struct ggml_tensor *rows, int first, int count,
                                 struct ggml_tensor *norm, struct ggml_tensor *positions) {
    size_t head_bytes = (size_t)a->dim * rows->nb[0];
    struct ggml_tensor *x = ggml_view_3d(c, rows, a->dim, count, rows->ne[1], head_bytes,
                                         rows->nb[1], (size_t)first * head_bytes);
    if (norm) x = ggml_mul(c, ggml_rms_norm(c, x, a->eps), norm);
    if (positions && !a->rotary_mode) {
        x = turn(c, x, positions);
    } else if (positions) {
        int sections[4] = {a->sections[0], a->sections[1], a->sections[2], a->sections[3]};
        x = ggml_rope_multi(c, x, positions, NULL, a->rotary_dims, sections, a->rotary_mode, 32768,
                            a->rotary_base, 1, 0, 1, 32, 1);
    }
    return x;
}

/* Heads x [dim, heads, n] written behind what is kept, and all that there is then. */
static struct ggml_tensor *keep(piaa_graph *graph, const piaa_attention *a, struct ggml_tensor *x,
                                struct ggml_tensor *kept) {
    struct ggml_context *c = graph->context;
    const size_t head = (size_t)a->dim * kept->nb[0], row = kept->nb[1];
    struct ggml_tensor *place =
        ggml_view_3d(c, kept, a->dim, a->kv_heads, x->ne[2], head, row, row * (size_t)a->past);
    /* Nodes run in this order; nothing else says that what is read below is written here. */
    ggml_build_forward_expand(graph->nodes, ggml_cpy(c, x, place));
    return ggml_view_3d(c, kept, a->dim, a->kv_heads, a->past + x->ne[2], head, row, 0);
}

/* softmax(scale q k^T) v in its parts, the scores [keys, queries, heads] whole in memory. */
static struct ggml_tensor *attention_in_parts(struct ggml_context *c, struct ggml_tensor *q,
                                              struct ggml_tensor *k, struct ggml_tensor *v,
                                              struct ggml_tensor *mask, float scale) {
    struct ggml_tensor *scores = ggml_mul_mat(c, k, q);
    ggml_prec_set_acc(scores, GGML_PREC_F32);
    scores = ggml_soft_max_ext(c, scores, mask, scale, 0.0f);
    struct ggml_tensor *y = ggml_mul_mat(c, ggml_cont(c, ggml_transpose(c, v)), scores);
    return ggml_cont(c, ggml_permute(c, y, 0, 2, 1, 3));
}

/* Fused where the device can.  Those of GPUs keep 16 bits of keys and values whatever they are
   given, so float32 goes in parts there. */
static struct ggml_tensor *attention(const piaa_graph *graph, struct ggml_tensor *q,
                                     struct ggml_tensor *k, struct ggml_tensor *v,
                                     struct ggml_tensor *mask, float scale) {
    struct ggml_context *c = graph->context;
    if (graph->device && !graph->rounds_keys) return attention_in_parts(c, q, k, v, mask, scale);
    const bool round = graph->rounds_keys && k->type != GGML_TYPE_F16;
    struct ggml_tensor *k16 = round ? ggml_cast(c, k, GGML_TYPE_F16) : k,
                       *v16 = round ? ggml_cast(c, v, GGML_TYPE_F16) : v;
    struct ggml_tensor *y = ggml_flash_attn_ext(c, q, k16, v16, mask, scale, 0.0f, 0.0f);
    return !graph->device || ggml_backend_dev_supports_op(graph->device, y)
               ? y
               : attention_in_parts(c, q, k, v, mask, scale);
}

ggml_fp16_t *piaa_graph_mask(const int32_t *first, const int32_t *last, int past, int queries,
                             int keys, piaa_error *error) {
    const ggml_fp16_t hidden = ggml_fp32_to_fp16(-INFINITY), seen = ggml_fp32_to_fp16(0.0f);
    ggml_fp16_t *mask = piaa_alloc_array((size_t)queries * (size_t)keys, sizeof *mask, error);
    for (int i = 0; mask && i < queries; i++) {
        const int from = first ? first[i] : 0, to = last ? last[i] : past + i;
        for (int k = 0; k < keys; k++)
            mask[(size_t)i * (size_t)keys + (size_t)k] = k >= from && k <= to ? seen : hidden;
    }
    return mask;
}

struct ggml_tensor *piaa_graph_attention(piaa_graph *graph, const piaa_attention *a) {
    struct ggml_context *c = graph->context;
    /* In causal attention over all tokens half of the scores are never needed. */
    double pairs = a->pairs;
    if (pairs == 0)
        pairs = (double)a->q->ne[1] * (double)(a->past + a->kv->ne[1]) *
                (a->causal && !a->past && a->q->ne[1] == a->kv->ne[1] ? 0.5 : 1.0);
    graph->flops += 4.0 * a->dim * a->heads * pairs;
    if (graph->kernels) return piaa_node_attention(graph, a);
    struct ggml_tensor *q = heads(c, a, a->q, a->q_first, a->heads, a->q_norm, a->q_rotary);
    struct ggml_tensor *k = heads(c, a, a->kv, a->k_first, a->kv_heads, a->k_norm, a->k_rotary);
    struct ggml_tensor *v = heads(c, a, a->kv, a->v_first, a->kv_heads, NULL, NULL);
    if (a->cache) {
        k = keep(graph, a, k, a->cache->k);
        v = keep(graph, a, v, a->cache->v);
    }
    q = ggml_permute(c, q, 0, 2, 1, 3);
    k = ggml_permute(c, k, 0, 2, 1, 3);
    v = ggml_permute(c, v, 0, 2, 1, 3);
    struct ggml_tensor *y =
        attention(graph, q, k, v, a->mask, a->scale != 0 ? a->scale : 1.0f / sqrtf((float)a->dim));
    return ggml_reshape_2d(c, y, y->ne[0] * y->ne[1], y->ne[2]);
}

/* The entry of an output of which no more is known than its place; failure stays in the graph. */
static void add_output(piaa_graph *graph, piaa_graph_output output) {
    ggml_set_output(output.tensor);
    ggml_build_forward_expand(graph->nodes, output.tensor);
    if (piaa_grow(&graph->outputs, &graph->output_capacity, graph->output_count + 1,
                  sizeof *graph->outputs, &graph->error))
        graph->outputs[graph->output_count++] = output;
}

void piaa_graph_pool(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *weights,
                     const piaa_pool *pools, int pool_count, int layer) {
    struct ggml_tensor *pooled = ggml_out_prod(graph->context, x, weights);
    for (int i = 0; i < pool_count; i++)
        add_output(graph, (piaa_graph_output){
                              .tensor = pooled, .pool = pools[i], .layer = layer, .column = i});
}

void piaa_graph_give(piaa_graph *graph, struct ggml_tensor *x, piaa_pool pool) {
    add_output(graph, (piaa_graph_output){.tensor = x, .pool = pool});
}

void piaa_graph_keep(piaa_graph *graph, struct ggml_tensor *x, bool vision, int layer) {
    add_output(graph, (piaa_graph_output){
                          .tensor = x, .pool = PIAA_POOLS, .layer = layer, .vision = vision});
}
