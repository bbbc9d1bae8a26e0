/*
 * A ResNet of bottlenecks, as torchvision builds ResNet-50: photos in, pooled features out, and
 * training of all of it (phase 1 of PIAA-ICI; He et al. 2016, with the stride in the 3x3
 * convolution).  Widths and numbers of blocks are the tensors' own.
 *
 *     piaa_resnet *net = piaa_resnet_open("resnet50.safetensors", &error);
 *     piaa_resnet_predict(net, pixels, n, 224, 224, threads, features, &error);
 *
 *     piaa_resnet_training *t = piaa_resnet_training_new(net, threads, &error);
 *     for (…) {
 *         piaa_resnet_training_forward(t, pixels, n, 224, 224, features, &error);
 *         …                                                   // a loss, and what it says of them
 *         piaa_resnet_training_back(t, gradients, 1e-4, &error);
 *     }
 *
 * Computed by oneDNN, which a build may lack: then opening says so.  On one machine and number of
 * threads the same input gives the same bits: oneDNN promises that of an operation whose machine,
 * library and number of threads are the same, and sums nothing in an order that chance decides.
 * Another number of threads sums the weights' gradients in another order.
 */
#ifndef PIAA_TRAIN_RESNET_H
#define PIAA_TRAIN_RESNET_H

#include "train/named.h"

typedef struct piaa_resnet piaa_resnet;
typedef struct piaa_resnet_training piaa_resnet_training;

/* Whether this build has oneDNN, and which ("oneDNN 2.6.3"); NULL: none. */
bool piaa_resnet_available(void);
const char *piaa_resnet_library(void);

/* A safetensors file, or a folder with model.safetensors, whose tensors are named as torchvision
 * and timm do, with any prefix ("backbone."), or as transformers' ResNet does. Its classifier
 * (fc, classifier) and the heads (attr_head, dis_head) are left alone; any other tensor that is
 * missing, has another shape, or does not belong to such a network is PIAA_FORMAT, by name.
 * PIAA_UNSUPPORTED: this build has no oneDNN. */
piaa_resnet *piaa_resnet_open(const char *path, piaa_error *error) PIAA_MUST_USE;
/* Random weights as torchvision draws them (normal, variance 2 / (outputs kernel²); norms 1 and 0),
 * though not the same ones.  width: channels of the stem, 64; blocks: 3, 4, 6, 3. */
piaa_resnet *piaa_resnet_new(int width, const int blocks[4], uint32_t seed,
                             piaa_error *error) PIAA_MUST_USE;
void piaa_resnet_free(piaa_resnet *net); /* NULL is allowed */

int piaa_resnet_features(const piaa_resnet *net); /* 32 * width: 2048 */

/* pixels [n][3][rows][columns], normalised; features [n][piaa_resnet_features].  In evaluation
 * mode, batch norm folded into the convolutions.  The network keeps what it compiled and laid out
 * for photos of this size until it is asked for another one or trained. */
bool piaa_resnet_predict(piaa_resnet *net, const float *pixels, int64_t n, int rows, int columns,
                         int threads, float *features, piaa_error *error) PIAA_MUST_USE;

/* Everything that training changes, running statistics too, by torchvision's names; `count` may be
 * NULL.  The network's, which owns the data: writing into them and reading a file into them are
 * both allowed between calls, if piaa_resnet_changed is called after. */
const piaa_named *piaa_resnet_tensors(const piaa_resnet *net, size_t *count);
void piaa_resnet_changed(piaa_resnet *net);

/* ---- training */

/* Trains the network, which the caller keeps alive: Adam as PyTorch has it, no decay. */
piaa_resnet_training *piaa_resnet_training_new(piaa_resnet *net, int threads,
                                               piaa_error *error) PIAA_MUST_USE;
void piaa_resnet_training_free(piaa_resnet_training *training);

/* A step on n photos is two calls, between which whoever has the loss makes the features' gradients
 * (attribute_heads.h); batch norm is in training mode, and moves the running statistics on the way
 * there.  pixels and features as above; gradients [n][piaa_resnet_features], rate Adam's.
 * Activations take about 100 MB for a photo of 224x224 in ResNet-50, and are kept for the next step
 * of the same n and size.  PIAA_USAGE: a channel would have a single value. */
bool piaa_resnet_training_forward(piaa_resnet_training *training, const float *pixels, int64_t n,
                                  int rows, int columns, float *features,
                                  piaa_error *error) PIAA_MUST_USE;
bool piaa_resnet_training_back(piaa_resnet_training *training, const float *gradients, double rate,
                               piaa_error *error) PIAA_MUST_USE;

/* The last step's gradients of the backbone, named as its tensors: for tests. */
const piaa_named *piaa_resnet_training_gradients(const piaa_resnet_training *training,
                                                 size_t *count);

/* What a training is resumed with beside the tensors of net and heads: Adam's moments and steps.
   The training's, which owns the data; reading into them restores it. */
const piaa_named *piaa_resnet_training_state(const piaa_resnet_training *training, size_t *count);

#endif
