/* The shared blocks that families build their graphs from, over ggml. */
#include "vlm/graph.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct ggml_tensor *piaa_graph_input(piaa_graph *graph, enum ggml_type type, int64_t ne0, int64_t ne1, const void *data) {
    assert(graph->input_count < PIAA_MAX_INPUTS);
    struct ggml_tensor *tensor = ggml_new_tensor_2d(graph->context, type, ne0, ne1);
    ggml_set_input(tensor);
    graph->inputs[graph->input_count].tensor = tensor;
    graph->inputs[graph->input_count++].data = data;
    return tensor;
}

struct ggml_tensor *piaa_graph_linear(piaa_graph *graph, struct ggml_tensor *w, struct ggml_tensor *b, struct ggml_tensor *x) {
    graph->flops += 2.0 * (double)ggml_nelements(w) * (double)ggml_nrows(x);
    struct ggml_tensor *y = ggml_mul_mat(graph->context, w, x);
    return b ? ggml_add(graph->context, y, b) : y;
}

struct ggml_tensor *piaa_graph_layer_norm(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *w, struct ggml_tensor *b,
                                          float eps) {
    struct ggml_tensor *y = ggml_mul(graph->context, ggml_norm(graph->context, x, eps), w);
    return ggml_add(graph->context, y, b);
}

struct ggml_tensor *piaa_graph_rms_norm(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *w, float eps) {
    return ggml_mul(graph->context, ggml_rms_norm(graph->context, x, eps), w);
}

struct ggml_tensor *piaa_graph_gelu(piaa_graph *graph, struct ggml_tensor *x) {
    return ggml_gelu_erf(graph->context, x);
}

/* 0.5 x (1 + tanh(u)) = x sigmoid(2u), so that ggml's float32 sigmoid serves where our kernel cannot run. */
struct ggml_tensor *piaa_graph_gelu_tanh(piaa_graph *graph, struct ggml_tensor *x) {
    struct ggml_context *c = graph->context;
    const float root = 0.79788456080286535588f; /* sqrt(2 / pi) */
    struct ggml_tensor *square = ggml_sqr(c, x);
    struct ggml_tensor *inner = ggml_scale_bias(c, square, 2.0f * root * 0.044715f, 2.0f * root);
    return ggml_mul(c, x, ggml_sigmoid(c, ggml_mul(c, x, inner)));
}

struct ggml_tensor *piaa_graph_attention(piaa_graph *graph, struct ggml_tensor *q, struct ggml_tensor *k, struct ggml_tensor *v,
                                         struct ggml_tensor *mask, float scale) {
    struct ggml_context *c = graph->context;
    graph->flops += 4.0 * (double)ggml_nelements(q) * (double)k->ne[1];
    if (graph->half) {
        k = ggml_cast(c, k, GGML_TYPE_F16);
        v = ggml_cast(c, v, GGML_TYPE_F16);
    }
    struct ggml_tensor *y = ggml_flash_attn_ext(c, q, k, v, mask, scale, 0.0f, 0.0f);
    return ggml_reshape_2d(c, y, y->ne[0] * y->ne[1], y->ne[2]);
}

static piaa_graph_output *add_output(piaa_graph *graph, struct ggml_tensor *tensor) {
    assert(graph->output_count < graph->output_capacity);
    ggml_set_output(tensor);
    ggml_build_forward_expand(graph->nodes, tensor);
    piaa_graph_output *output = &graph->outputs[graph->output_count++];
    *output = (piaa_graph_output){.tensor = tensor, .pool = PIAA_POOLS};
    return output;
}

void piaa_graph_pool(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *weights, const piaa_pool *pools, int pool_count,
                     int layer) {
    struct ggml_tensor *pooled = ggml_out_prod(graph->context, x, weights);
    for (int i = 0; i < pool_count; i++) {
        piaa_graph_output *output = add_output(graph, pooled);
        output->pool = pools[i];
        output->layer = layer;
        output->column = i;
    }
}

void piaa_graph_keep(piaa_graph *graph, struct ggml_tensor *x, bool vision, int layer) {
    piaa_graph_output *output = add_output(graph, x);
    output->vision = vision;
    output->layer = layer;
}
