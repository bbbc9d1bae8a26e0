/*
 * oneDNN for a network that is laid out once and run often.
 *
 * Arrays are laid out as oneDNN likes them: what makes one says how it lies, and what reads it is
 * asked for code that takes it so.  Operations are emitted into lists and run list by list:
 *
 *     piaa_dnn *dnn = piaa_dnn_new(threads, &error);
 *     piaa_dnn_array *x = piaa_dnn_plain(dnn, 4, shape, pixels), *w = …;
 *     piaa_dnn_convolution *c = piaa_dnn_convolve(dnn, FORWARD, x, w, &(piaa_dnn_window){…});
 *     if (!piaa_dnn_built(dnn, &error)) …         // the first failure of all that was emitted
 *     piaa_dnn_run(dnn, FORWARD, &error);
 *     piaa_dnn_free(dnn);                         // everything
 *
 * After a failure emitting does nothing and gives NULL, which every function here takes.
 *
 * Threads are OpenMP's, of which each thread that calls has a number of its own; it is set when a
 * network is built or run, and set back afterwards.  oneDNN keeps compiled code in a cache that
 * belongs to the process, at most 1024 operations; nothing else of it outlives its piaa_dnn.
 */
#ifndef PIAA_TRAIN_ONEDNN_H
#define PIAA_TRAIN_ONEDNN_H

#include "train/onednn_describe.h"

typedef struct piaa_dnn piaa_dnn;

enum { PIAA_DNN_LISTS = 4, PIAA_DNN_SHARED = 8 };
/* Where an array lies: in memory of its own, or in one of the shared places, which hold one array
 * after another and are as large as their largest. */
enum { PIAA_DNN_OWN = -1, PIAA_DNN_SCRATCH = 0 };

typedef struct piaa_dnn_array {
    piaa_dnn_layout layout;
    int dimensions;
    dnnl_dims_t shape;
    int place;
    float *data; /* outside memory; NULL: in `place`, from piaa_dnn_built on */
    size_t bytes;
    dnnl_memory_t memory;
} piaa_dnn_array;

/* NULL: no memory, or oneDNN has no engine here.  threads: 1 or more. */
piaa_dnn *piaa_dnn_new(int threads, piaa_error *error) PIAA_MUST_USE;
void piaa_dnn_free(piaa_dnn *dnn);

/* float32 in C order, in the caller's memory, which may be moved between runs. */
piaa_dnn_array *piaa_dnn_plain(piaa_dnn *dnn, int dimensions, const int64_t *shape,
                               const float *data);
void piaa_dnn_point(piaa_dnn *dnn, piaa_dnn_array *plain, const float *data);
/* A plain array of the network's own. */
piaa_dnn_array *piaa_dnn_plain_own(piaa_dnn *dnn, int dimensions, const int64_t *shape);

/* Memory of its own is there, the error that was first is told; after this nothing is emitted. */
bool piaa_dnn_built(piaa_dnn *dnn, piaa_error *error) PIAA_MUST_USE;
bool piaa_dnn_run(piaa_dnn *dnn, int list, piaa_error *error) PIAA_MUST_USE;
/* Operations that the list has, and those of [first, last) alone. */
size_t piaa_dnn_count(const piaa_dnn *dnn, int list);
bool piaa_dnn_run_part(piaa_dnn *dnn, int list, size_t first, size_t last,
                       piaa_error *error) PIAA_MUST_USE;
size_t piaa_dnn_bytes(const piaa_dnn *dnn); /* what piaa_dnn_built took */

/* ---- operations */

/* `to` gets what `from` holds; nothing is emitted where both are the same array. */
void piaa_dnn_copy(piaa_dnn *dnn, int list, piaa_dnn_array *from, piaa_dnn_array *to);

typedef struct piaa_dnn_window {
    int kernel, stride, padding;
    int place;            /* of what is made */
    int weights_list;     /* where the weights are laid out anew */
    bool inference, relu; /* relu, bias and adds_to: for inference alone */
    piaa_dnn_array *bias;
    piaa_dnn_array *adds_to; /* the outcome is added to it, before relu, and lies there */
    piaa_dnn_array *like;    /* the outcome is laid out as this one is */
} piaa_dnn_window;

typedef struct piaa_dnn_convolution {
    piaa_dnn_window window;
    piaa_dnn_array *x, *plain, *weights, *y;
    dnnl_primitive_desc_t forward;
} piaa_dnn_convolution;

/* x [n, inputs, rows, columns], plain [outputs, inputs, kernel, kernel] */
piaa_dnn_convolution *piaa_dnn_convolve(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                                        piaa_dnn_array *plain, const piaa_dnn_window *window);
/* The gradient of the plain weights into `gradient`, passing `place`. */
void piaa_dnn_convolve_weights(piaa_dnn *dnn, int list, piaa_dnn_convolution *c, piaa_dnn_array *dy,
                               piaa_dnn_array *gradient, int place);
/* The gradient of x, into `place`. */
piaa_dnn_array *piaa_dnn_convolve_back(piaa_dnn *dnn, int list, piaa_dnn_convolution *c,
                                       piaa_dnn_array *dy, int place);

/* Arrays [channels] each; gradients for the way back. */
typedef struct piaa_dnn_channels {
    piaa_dnn_array *scale, *shift, *mean, *variance, *scale_gradient, *shift_gradient;
} piaa_dnn_channels;

typedef struct piaa_dnn_norm {
    piaa_dnn_channels channels;
    bool relu;
    piaa_dnn_array *x, *y, *workspace;
    dnnl_primitive_desc_t forward;
} piaa_dnn_norm;

/* Batch norm with the batch's own mean and (biased) variance, which it gives; then relu, if so. */
piaa_dnn_norm *piaa_dnn_normalise(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                                  const piaa_dnn_channels *channels, float epsilon, bool relu);
/* The gradient of x, in `place`, which may be dy's; and of scale and shift. */
piaa_dnn_array *piaa_dnn_normalise_back(piaa_dnn *dnn, int list, piaa_dnn_norm *norm,
                                        piaa_dnn_array *dy, float epsilon, int place);

/* a <- a + b, then relu, if so. */
void piaa_dnn_add(piaa_dnn *dnn, int list, piaa_dnn_array *a, piaa_dnn_array *b, bool relu);
/* dy <- dy where y, the outcome of relu, is above 0; else 0. */
void piaa_dnn_relu_back(piaa_dnn *dnn, int list, piaa_dnn_array *y, piaa_dnn_array *dy);

typedef struct piaa_dnn_pool {
    piaa_dnn_window window;
    dnnl_alg_kind_t kind;
    piaa_dnn_array *x, *y, *workspace;
    dnnl_primitive_desc_t forward;
} piaa_dnn_pool;

/* The largest of each window. */
piaa_dnn_pool *piaa_dnn_largest(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                                const piaa_dnn_window *window);
/* The mean over rows and columns: [n, channels, 1, 1]. */
piaa_dnn_pool *piaa_dnn_mean(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                             const piaa_dnn_window *window);
piaa_dnn_array *piaa_dnn_pool_back(piaa_dnn *dnn, int list, piaa_dnn_pool *pool, piaa_dnn_array *dy,
                                   int place);

#endif
