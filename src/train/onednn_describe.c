/* oneDNN 2 makes an operation's description in two steps and oneDNN 3 in one; the arguments are the
   same.  Version 2 is Debian 12's, version 3 that of newer systems. */
#include "train/onednn_describe.h"

#include <stdlib.h>

static const dnnl_alg_kind_t convolution = dnnl_convolution_direct;

#if DNNL_VERSION_MAJOR >= 3

static const dnnl_dims_t undilated = {0};

dnnl_status_t piaa_dnn_describe_layout(piaa_dnn_layout *out, int dimensions,
                                       const dnnl_dims_t shape, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t made = NULL;
    const dnnl_status_t status =
        dnnl_memory_desc_create_with_tag(&made, dimensions, shape, dnnl_f32, tag);
    *out = made;
    return status;
}

void piaa_dnn_forget_layout(piaa_dnn_layout layout) {
    dnnl_memory_desc_destroy((dnnl_memory_desc_t)layout);
}

dnnl_status_t piaa_dnn_describe_convolution(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                            bool inference, piaa_dnn_layout x,
                                            piaa_dnn_layout weights, piaa_dnn_layout bias,
                                            piaa_dnn_layout y, const piaa_dnn_steps *steps,
                                            const_dnnl_primitive_attr_t attributes) {
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, inference ? dnnl_forward_inference : dnnl_forward_training, convolution, x,
        weights, bias, y, steps->stride, undilated, steps->padding, steps->padding, attributes);
}

dnnl_status_t piaa_dnn_describe_convolution_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 piaa_dnn_layout dx, piaa_dnn_layout weights,
                                                 piaa_dnn_layout dy, const piaa_dnn_steps *steps,
                                                 const_dnnl_primitive_desc_t forward,
                                                 const_dnnl_primitive_attr_t attributes) {
    return dnnl_convolution_backward_data_primitive_desc_create(
        out, engine, convolution, dx, weights, dy, steps->stride, undilated, steps->padding,
        steps->padding, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_convolution_weights(dnnl_primitive_desc_t *out,
                                                    dnnl_engine_t engine, piaa_dnn_layout x,
                                                    piaa_dnn_layout gradient, piaa_dnn_layout dy,
                                                    const piaa_dnn_steps *steps,
                                                    const_dnnl_primitive_desc_t forward,
                                                    const_dnnl_primitive_attr_t attributes) {
    return dnnl_convolution_backward_weights_primitive_desc_create(
        out, engine, convolution, x, gradient, NULL, dy, steps->stride, undilated, steps->padding,
        steps->padding, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_norm(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     piaa_dnn_layout x, float epsilon, unsigned flags,
                                     const_dnnl_primitive_attr_t attributes) {
    return dnnl_batch_normalization_forward_primitive_desc_create(
        out, engine, dnnl_forward_training, x, x, epsilon, flags, attributes);
}

dnnl_status_t piaa_dnn_describe_norm_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                          piaa_dnn_layout x, float epsilon, unsigned flags,
                                          const_dnnl_primitive_desc_t forward,
                                          const_dnnl_primitive_attr_t attributes) {
    return dnnl_batch_normalization_backward_primitive_desc_create(
        out, engine, dnnl_backward, x, x, x, epsilon, flags, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_pool(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     bool inference, dnnl_alg_kind_t kind, piaa_dnn_layout x,
                                     piaa_dnn_layout y, const piaa_dnn_steps *steps,
                                     const_dnnl_primitive_attr_t attributes) {
    return dnnl_pooling_forward_primitive_desc_create(
        out, engine, inference ? dnnl_forward_inference : dnnl_forward_training, kind, x, y,
        steps->stride, steps->kernel, undilated, steps->padding, steps->padding, attributes);
}

dnnl_status_t piaa_dnn_describe_pool_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                          dnnl_alg_kind_t kind, piaa_dnn_layout dx,
                                          piaa_dnn_layout dy, const piaa_dnn_steps *steps,
                                          const_dnnl_primitive_desc_t forward,
                                          const_dnnl_primitive_attr_t attributes) {
    return dnnl_pooling_backward_primitive_desc_create(out, engine, kind, dx, dy, steps->stride,
                                                       steps->kernel, undilated, steps->padding,
                                                       steps->padding, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_sum(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                    piaa_dnn_layout a, piaa_dnn_layout b,
                                    const_dnnl_primitive_attr_t attributes) {
    return dnnl_binary_primitive_desc_create(out, engine, dnnl_binary_add, a, b, a, attributes);
}

dnnl_status_t piaa_dnn_describe_relu_back(dnnl_primitive_desc_t *out,
                                          dnnl_primitive_desc_t *forward, dnnl_engine_t engine,
                                          piaa_dnn_layout y, piaa_dnn_layout dy,
                                          const_dnnl_primitive_attr_t attributes) {
    const dnnl_status_t status = dnnl_eltwise_forward_primitive_desc_create(
        forward, engine, dnnl_forward_training, dnnl_eltwise_relu_use_dst_for_bwd, y, y, 0, 0,
        attributes);
    if (status != dnnl_success) return status;
    return dnnl_eltwise_backward_primitive_desc_create(
        out, engine, dnnl_eltwise_relu_use_dst_for_bwd, dy, dy, y, 0, 0, *forward, attributes);
}

dnnl_status_t piaa_dnn_append_sum(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef);
}

dnnl_status_t piaa_dnn_append_relu(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_eltwise(operations, dnnl_eltwise_relu, 0, 0);
}

#else

dnnl_status_t piaa_dnn_describe_layout(piaa_dnn_layout *out, int dimensions,
                                       const dnnl_dims_t shape, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t *made = malloc(sizeof *made);
    *out = made;
    return made ? dnnl_memory_desc_init_by_tag(made, dimensions, shape, dnnl_f32, tag)
                : dnnl_out_of_memory;
}

void piaa_dnn_forget_layout(piaa_dnn_layout layout) {
    free((void *)layout);
}

/* The second step. */
static dnnl_status_t describe(dnnl_primitive_desc_t *out, dnnl_status_t status,
                              const_dnnl_op_desc_t operation, dnnl_engine_t engine,
                              const_dnnl_primitive_desc_t forward,
                              const_dnnl_primitive_attr_t attributes) {
    if (status != dnnl_success) return status;
    return dnnl_primitive_desc_create(out, operation, attributes, engine, forward);
}

dnnl_status_t piaa_dnn_describe_convolution(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                            bool inference, piaa_dnn_layout x,
                                            piaa_dnn_layout weights, piaa_dnn_layout bias,
                                            piaa_dnn_layout y, const piaa_dnn_steps *steps,
                                            const_dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t op;
    return describe(out,
                    dnnl_convolution_forward_desc_init(
                        &op, inference ? dnnl_forward_inference : dnnl_forward_training,
                        convolution, x, weights, bias, y, steps->stride, steps->padding,
                        steps->padding),
                    &op, engine, NULL, attributes);
}

dnnl_status_t piaa_dnn_describe_convolution_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 piaa_dnn_layout dx, piaa_dnn_layout weights,
                                                 piaa_dnn_layout dy, const piaa_dnn_steps *steps,
                                                 const_dnnl_primitive_desc_t forward,
                                                 const_dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t op;
    return describe(out,
                    dnnl_convolution_backward_data_desc_init(&op, convolution, dx, weights, dy,
                                                             steps->stride, steps->padding,
                                                             steps->padding),
                    &op, engine, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_convolution_weights(dnnl_primitive_desc_t *out,
                                                    dnnl_engine_t engine, piaa_dnn_layout x,
                                                    piaa_dnn_layout gradient, piaa_dnn_layout dy,
                                                    const piaa_dnn_steps *steps,
                                                    const_dnnl_primitive_desc_t forward,
                                                    const_dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t op;
    return describe(out,
                    dnnl_convolution_backward_weights_desc_init(&op, convolution, x, gradient, NULL,
                                                                dy, steps->stride, steps->padding,
                                                                steps->padding),
                    &op, engine, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_norm(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     piaa_dnn_layout x, float epsilon, unsigned flags,
                                     const_dnnl_primitive_attr_t attributes) {
    dnnl_batch_normalization_desc_t op;
    return describe(
        out,
        dnnl_batch_normalization_forward_desc_init(&op, dnnl_forward_training, x, epsilon, flags),
        &op, engine, NULL, attributes);
}

dnnl_status_t piaa_dnn_describe_norm_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                          piaa_dnn_layout x, float epsilon, unsigned flags,
                                          const_dnnl_primitive_desc_t forward,
                                          const_dnnl_primitive_attr_t attributes) {
    dnnl_batch_normalization_desc_t op;
    return describe(
        out, dnnl_batch_normalization_backward_desc_init(&op, dnnl_backward, x, x, epsilon, flags),
        &op, engine, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_pool(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     bool inference, dnnl_alg_kind_t kind, piaa_dnn_layout x,
                                     piaa_dnn_layout y, const piaa_dnn_steps *steps,
                                     const_dnnl_primitive_attr_t attributes) {
    dnnl_pooling_desc_t op;
    return describe(out,
                    dnnl_pooling_forward_desc_init(
                        &op, inference ? dnnl_forward_inference : dnnl_forward_training, kind, x, y,
                        steps->stride, steps->kernel, steps->padding, steps->padding),
                    &op, engine, NULL, attributes);
}

dnnl_status_t piaa_dnn_describe_pool_back(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                          dnnl_alg_kind_t kind, piaa_dnn_layout dx,
                                          piaa_dnn_layout dy, const piaa_dnn_steps *steps,
                                          const_dnnl_primitive_desc_t forward,
                                          const_dnnl_primitive_attr_t attributes) {
    dnnl_pooling_desc_t op;
    return describe(out,
                    dnnl_pooling_backward_desc_init(&op, kind, dx, dy, steps->stride, steps->kernel,
                                                    steps->padding, steps->padding),
                    &op, engine, forward, attributes);
}

dnnl_status_t piaa_dnn_describe_sum(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                    piaa_dnn_layout a, piaa_dnn_layout b,
                                    const_dnnl_primitive_attr_t attributes) {
    dnnl_binary_desc_t op;
    return describe(out, dnnl_binary_desc_init(&op, dnnl_binary_add, a, b, a), &op, engine, NULL,
                    attributes);
}

dnnl_status_t piaa_dnn_describe_relu_back(dnnl_primitive_desc_t *out,
                                          dnnl_primitive_desc_t *forward, dnnl_engine_t engine,
                                          piaa_dnn_layout y, piaa_dnn_layout dy,
                                          const_dnnl_primitive_attr_t attributes) {
    const dnnl_alg_kind_t kind = dnnl_eltwise_relu_use_dst_for_bwd;
    dnnl_eltwise_desc_t op;
    const dnnl_status_t status =
        describe(forward, dnnl_eltwise_forward_desc_init(&op, dnnl_forward_training, kind, y, 0, 0),
                 &op, engine, NULL, attributes);
    if (status != dnnl_success) return status;
    return describe(out, dnnl_eltwise_backward_desc_init(&op, kind, dy, y, 0, 0), &op, engine,
                    *forward, attributes);
}

dnnl_status_t piaa_dnn_append_sum(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_sum(operations, 1);
}

dnnl_status_t piaa_dnn_append_relu(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_eltwise(operations, 1, dnnl_eltwise_relu, 0, 0);
}

#endif

dnnl_status_t piaa_dnn_describe_copy(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                     piaa_dnn_layout from, piaa_dnn_layout to,
                                     const_dnnl_primitive_attr_t attributes) {
    return dnnl_reorder_primitive_desc_create(out, from, engine, to, engine, attributes);
}
