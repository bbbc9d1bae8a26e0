/* Descriptions of oneDNN's operations and arrays, which its versions 2 and 3 spell differently.
 * Each gives oneDNN's own status; attributes may be NULL. */
#ifndef PIAA_TRAIN_ONEDNN_DESCRIBE_H
#define PIAA_TRAIN_ONEDNN_DESCRIBE_H

#include "base/error.h"

#include <oneapi/dnnl/dnnl.h>

/* How an array lies.  Those of an operation live as long as its description. */
#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t piaa_dnn_layout;
#else
typedef const dnnl_memory_desc_t *piaa_dnn_layout;
#endif

/* Whether a batch norm's way back has to be given its shift, which it has no use for; version 3
   refuses it. */
enum { PIAA_DNN_SHIFT_GOES_BACK = DNNL_VERSION_MAJOR < 3 };

/* The windows of a convolution or a pool. */
typedef struct piaa_dnn_steps {
    dnnl_dims_t kernel, stride, padding;
} piaa_dnn_steps;

dnnl_status_t piaa_dnn_describe_layout(piaa_dnn_layout *out, int dimensions,
                                       const dnnl_dims_t shape, dnnl_format_tag_t tag);
void piaa_dnn_forget_layout(piaa_dnn_layout layout);

dnnl_status_t piaa_dnn_describe_convolution(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                            bool inference, piaa_dnn_layout x,
                                            piaa_dnn_layout weights, piaa_dnn_layout bias,
                                            piaa_dnn_layout y, const piaa_dnn_steps *steps,
                                            const_dnnl_primitive_attr_t attributes);
dnnl_status_t piaa_dnn_describe_convolution_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 piaa_dnn_layout dx, piaa_dnn_layout weights,
                                                 piaa_dnn_layout dy, const piaa_dnn_steps *steps,
                                                 const_dnnl_primitive_desc_t forward,
                                                 const_dnnl_primitive_attr_t attributes);
dnnl_status_t piaa_dnn_describe_convolution_weights(dnnl_primitive_desc_t *out,
                                                    dnnl_engine_t engine, piaa_dnn_layout x,
                                                    piaa_dnn_layout gradient, piaa_dnn_layout dy,
                                                    const piaa_dnn_steps *steps,
                                                    const_dnnl_primitive_desc_t forward,
                                                    const_dnnl_primitive_attr_t attributes);

dnnl_status_t piaa_dnn_describe_norm(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     piaa_dnn_layout x, float epsilon, unsigned flags,
                                     const_dnnl_primitive_attr_t attributes);
dnnl_status_t piaa_dnn_describe_norm_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                          piaa_dnn_layout x, float epsilon, unsigned flags,
                                          const_dnnl_primitive_desc_t forward,
                                          const_dnnl_primitive_attr_t attributes);

dnnl_status_t piaa_dnn_describe_pool(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     bool inference, dnnl_alg_kind_t kind, piaa_dnn_layout x,
                                     piaa_dnn_layout y, const piaa_dnn_steps *steps,
                                     const_dnnl_primitive_attr_t attributes);
dnnl_status_t piaa_dnn_describe_pool_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                          dnnl_alg_kind_t kind, piaa_dnn_layout dx,
                                          piaa_dnn_layout dy, const piaa_dnn_steps *steps,
                                          const_dnnl_primitive_desc_t forward,
                                          const_dnnl_primitive_attr_t attributes);

/* out = a + b, laid out as a. */
dnnl_status_t piaa_dnn_describe_sum(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                    piaa_dnn_layout a, piaa_dnn_layout b,
                                    const_dnnl_primitive_attr_t attributes);
/* The derivative of relu, from its outcome; `forward` is freed with it. */
dnnl_status_t piaa_dnn_describe_relu_back(dnnl_primitive_desc_t *out,
                                          dnnl_primitive_desc_t *forward, dnnl_engine_t engine,
                                          piaa_dnn_layout y, piaa_dnn_layout dy,
                                          const_dnnl_primitive_attr_t attributes);
dnnl_status_t piaa_dnn_describe_copy(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     piaa_dnn_layout from, piaa_dnn_layout to,
                                     const_dnnl_primitive_attr_t attributes);
/* What follows an operation: the addition to what is there, relu. */
dnnl_status_t piaa_dnn_append_sum(dnnl_post_ops_t operations);
dnnl_status_t piaa_dnn_append_relu(dnnl_post_ops_t operations);

#endif
