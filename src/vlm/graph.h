/*
 * The shared blocks that families build their graphs from, and the two edges of every graph: inputs
 * copied in after allocation, pooled vectors read out after the run.
 *
 * Pooling stays inside the graph.  With H [hidden, tokens] and W [pools, tokens], W[p][t] =
 * 1/|members of p| for members and 0 elsewhere, one outer product over the token axis, H W^T =
 * sum_t H[:, t] W[:, t]^T, gives every pool's mean at once as [hidden, pools].
 */
#ifndef PIAA_VLM_GRAPH_H
#define PIAA_VLM_GRAPH_H

#include "vlm/cache.h"
#include "vlm/kernels.h"
#include "vlm/resident.h"
#include "vlm/vlm.h"

#include <ggml-backend.h>
#include <ggml.h>

enum { PIAA_MAX_INPUTS = 32 };

typedef struct piaa_graph_output {
    struct ggml_tensor *tensor; /* [dim, pools] */
    piaa_pool pool;             /* PIAA_POOLS: not a pool but a whole state or the logits */
    int layer, column;
    bool vision;
} piaa_graph_output;

typedef struct piaa_node piaa_node; /* of a kernel of ours; nodes.c */

typedef struct piaa_graph {
    struct ggml_context *context;
    struct ggml_cgraph *nodes;
    const piaa_kernels *kernels; /* our own for attention and norms; NULL: ggml's operations only */
    bool narrow;                 /* matrix products take bfloat16 */
    bool rounds_keys;            /* ggml's attention may round keys and values to 16 bits */
    /* Where it will run, for blocks that have more than one form; NULL: the CPU. */
    ggml_backend_dev_t device;
    /* Counted while building: operations, and bytes of the matrices that are read. */
    double flops, bytes;
    piaa_cache *cache; /* where the decoder's blocks keep keys and values; NULL: nowhere */
    struct {
        struct ggml_tensor *tensor;
        const void *data; /* host memory of the tensor's size, alive until the run */
    } inputs[PIAA_MAX_INPUTS];
    int input_count;
    piaa_graph_output *outputs;
    size_t output_count, output_capacity;
    piaa_node *kernel_nodes; /* a list; freed with piaa_graph_free_nodes */
    /* PIAA_SCRATCH bytes for each thread, if there are kernels; the session's. */
    unsigned char *scratch;
    piaa_error error; /* the first one of building: a graph that has one is not run */
} piaa_graph;

/* Memory of the caller's that is copied in before the run, and stays alive until then. */
struct ggml_tensor *piaa_graph_input(piaa_graph *graph, enum ggml_type type, int64_t ne0,
                                     int64_t ne1, const void *data);

/* activation(W x + b) + residual; x [columns, n], b [rows] or NULL, residual like the result or
 * NULL.  With a gated activation W is paired and the result has half as many rows.  GELU in full
 * float32 (ggml's own tanh form looks values up in a 16-bit table). */
struct ggml_tensor *piaa_graph_linear(piaa_graph *graph, const piaa_matrix *w,
                                      struct ggml_tensor *b, struct ggml_tensor *x,
                                      piaa_activation activation, struct ggml_tensor *residual);
/* Attention with heads of so many values comes: above what our kernels can do, ggml's operations do
   it. */
void piaa_graph_limit(piaa_graph *graph, int head_dim);
/* (x - mean) / sqrt(var + eps) * w + b, over the first axis.  to_product: only a matrix product
   reads it. */
struct ggml_tensor *piaa_graph_layer_norm(piaa_graph *graph, struct ggml_tensor *x,
                                          struct ggml_tensor *w, struct ggml_tensor *b, float eps,
                                          bool to_product);
/* x / sqrt(mean(x^2) + eps) * w, over the first axis. */
struct ggml_tensor *piaa_graph_rms_norm(piaa_graph *graph, struct ggml_tensor *x,
                                        struct ggml_tensor *w, float eps, bool to_product);

/* softmax(scale q k^T) v with heads merged, after RMS norm (if there are weights) and rotary
   positions of q and k. */
typedef struct piaa_attention {
    struct ggml_tensor *q, *kv; /* float32 [.., queries] and [.., keys]; may be one and the same */
    int q_first, k_first, v_first; /* the heads of each begin so many heads into a row */
    int heads, kv_heads, dim;
    float scale;                         /* 0: 1 / sqrt(dim) */
    struct ggml_tensor *q_norm, *k_norm; /* [dim] or NULL */
    float eps;
    struct ggml_tensor *q_rotary, *k_rotary; /* cosines and sines, f32 [dim, n] (kernels.h); without
                                                kernels positions, i32 [4 n] */
    /* ggml's words for the same, if the mode is not 0. */
    int rotary_mode, rotary_dims, sections[4];
    float rotary_base;
    bool causal;
    double pairs; /* of a query and a key that it sees, for the count of operations; 0: all of them,
                     or half where it is causal */
    /* causal, with kernels: the first key that each query sees, i32 (NULL: 0), and the last (NULL:
       its own place, all in order) */
    struct ggml_tensor *first, *last;
    struct ggml_tensor *mask; /* causal, without kernels: f16 [keys, queries] */
    /* causal: keys and values are kept here behind the first `past` tokens', which are seen too and
       count in `first`, `last` and `mask`; NULL: `kv` are all. */
    const piaa_cache_block *cache;
    int past; /* tokens */
} piaa_attention;

/* [queries][keys] for `mask`: query i sees keys first[i]..last[i] (NULL: from 0, and to past + i);
   the caller's. */
ggml_fp16_t *piaa_graph_mask(const int32_t *first, const int32_t *last, int past, int queries,
                             int keys, piaa_error *error) PIAA_MUST_USE;

/* [dim * heads, queries] */
struct ggml_tensor *piaa_graph_attention(piaa_graph *graph, const piaa_attention *attention);

/* The same three as nodes of our kernels (nodes.c), x made ready for a matrix in codes, and what
 * follows W x where that product is ggml's; graph.c chooses. */
struct ggml_tensor *piaa_node_round(piaa_graph *graph, const piaa_matrix *w, struct ggml_tensor *x);
struct ggml_tensor *piaa_node_linear(piaa_graph *graph, const piaa_matrix *w, struct ggml_tensor *b,
                                     struct ggml_tensor *x, piaa_activation activation,
                                     struct ggml_tensor *residual);
struct ggml_tensor *piaa_node_finish(piaa_graph *graph, struct ggml_tensor *x,
                                     struct ggml_tensor *b, piaa_activation activation,
                                     struct ggml_tensor *residual);
struct ggml_tensor *piaa_node_norm(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *w,
                                   struct ggml_tensor *b, float eps, bool narrow);
struct ggml_tensor *piaa_node_attention(piaa_graph *graph, const piaa_attention *attention);
void piaa_graph_free_nodes(piaa_graph *graph);

/* Pools x [dim, n] with weights [pools, n] (see above); pools[i] names column i. */
void piaa_graph_pool(piaa_graph *graph, struct ggml_tensor *x, struct ggml_tensor *weights,
                     const piaa_pool *pools, int pool_count, int layer);
/* Gives x [dim, 1] as it is as the one layer of a pool without layers. */
void piaa_graph_give(piaa_graph *graph, struct ggml_tensor *x, piaa_pool pool);
/* Keeps x whole (tests, logits). */
void piaa_graph_keep(piaa_graph *graph, struct ggml_tensor *x, bool vision, int layer);

#endif
