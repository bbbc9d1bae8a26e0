/*
 * The shared blocks that families build their graphs from, and the two edges of every graph: inputs copied in after allocation, pooled
 * vectors read out after the run.
 *
 * Pooling stays inside the graph.  With H [hidden, tokens] and W [pools, tokens], W[p][t] = 1/|members of p| for members and 0 elsewhere,
 * one outer product over the token axis, H W^T = sum_t H[:, t] W[:, t]^T, gives every pool's mean at once as [hidden, pools].
 */
#ifndef PIAA_VLM_GRAPH_H
#define PIAA_VLM_GRAPH_H

#include "vlm/vlm.h"

#include <ggml-backend.h>
#include <ggml.h>

enum { PIAA_MAX_INPUTS = 16 };

typedef struct piaa_graph_output {
    struct ggml_tensor *tensor; /* [dim, pools] */
    piaa_pool pool;             /* PIAA_POOLS: not a pool but a whole state or the logits */
    int layer, column;
    bool vision;
} piaa_graph_output;

typedef struct piaa_graph {
    struct ggml_context *context;
    struct ggml_cgraph *nodes;
    bool kernels; /* our own CPU kernels may be used */
    bool half;    /* attention may round keys and values to 16 bits */
    double flops; /* counted while building */
    struct {
        struct ggml_tensor *tensor;
        const void *data; /* host memory of the tensor's size, alive until the run */
    } inputs[PIAA_MAX_INPUTS];
    int input_count;
    piaa_graph_output *outputs;
    int output_count, output_capacity;
} piaa_graph;

struct ggml_tensor *piaa_graph_input(piaa_graph *graph, enum ggml_type type, int64_t ne0, int64_t ne1, const void *data);

/* y = W x + b; x [in, n], W ne [in, out], b [out] or NULL. */
struct ggml_tensor *piaa_graph_linear(piaa_graph *graph, struct ggml_tensor *w, struct ggml_tensor *b, struct ggml_tensor *x);
/* (x - mean) / sqrt(var + eps) * w + b, over the first axis. */
struct ggml_tensor *piaa_graph_layer_norm(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *w, struct ggml_tensor *b,
                                          float eps);
/* x / sqrt(mean(x^2) + eps) * w, over the first axis. */
struct ggml_tensor *piaa_graph_rms_norm(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *w, float eps);
/* GELU: exact (erf) or with the tanh approximation 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), both in full float32 (ggml's own
 * tanh form looks values up in a 16-bit table). */
struct ggml_tensor *piaa_graph_gelu(piaa_graph *graph, struct ggml_tensor *x);
struct ggml_tensor *piaa_graph_gelu_tanh(piaa_graph *graph, struct ggml_tensor *x);
/* softmax(scale q k^T + mask) v, heads merged: q [dim, nq, heads], k and v [dim, nk, kv_heads] (any strides), mask [nk, nq] f16 or NULL;
 * result [dim * heads, nq]. */
struct ggml_tensor *piaa_graph_attention(piaa_graph *graph, struct ggml_tensor *q, struct ggml_tensor *k, struct ggml_tensor *v,
                                         struct ggml_tensor *mask, float scale);

/* Pools x [dim, n] with weights [pools, n] (see above); pools[i] names column i. */
void piaa_graph_pool(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *weights, const piaa_pool *pools, int pool_count,
                     int layer);
/* Keeps x whole (tests, logits). */
void piaa_graph_keep(piaa_graph *graph, struct ggml_tensor *x, bool vision, int layer);

#endif
