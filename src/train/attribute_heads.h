/*
 * The two heads of PIAA-ICI's phase 1: from a photo's features f its attributes and the shares of
 * its scores, what everybody thinks of it.
 *
 *     attributes = Wa f + ba,   shares = softmax(Wd f + bd)
 *
 *     piaa_heads *heads = piaa_heads_new(2048, 7, 9, 42, &error);
 *     piaa_heads_training *t = piaa_heads_training_new(heads, &error);
 *     for (…) piaa_heads_training_step(t, x, attributes, shares, 64, 1e-4, NULL, &loss, &error);
 *
 * On one thread: what is behind them, a backbone or nothing, is what takes time, or there is none
 * to be won.
 */
#ifndef PIAA_TRAIN_ATTRIBUTE_HEADS_H
#define PIAA_TRAIN_ATTRIBUTE_HEADS_H

#include "train/named.h"

typedef struct piaa_heads piaa_heads;
typedef struct piaa_heads_training piaa_heads_training;

/* Random weights in PyTorch's range, uniform within 1 / sqrt(dim), from `seed` alone (MT19937).
   PIAA_USAGE: a size that is not positive. */
piaa_heads *piaa_heads_new(int dim, int attributes, int bins, uint32_t seed,
                           piaa_error *error) PIAA_MUST_USE;
piaa_heads *piaa_heads_copy(const piaa_heads *heads, piaa_error *error) PIAA_MUST_USE;
void piaa_heads_free(piaa_heads *heads); /* NULL is allowed */
int piaa_heads_dim(const piaa_heads *heads);

/* "attr_head.weight" [attributes][dim], "attr_head.bias", "dis_head.weight" [bins][dim],
   "dis_head.bias": the published names.  The heads', which own the data. */
const piaa_named *piaa_heads_tensors(const piaa_heads *heads, size_t *count);

/* attributes [n][attributes] and shares [n][bins] of x [n][dim].  PIAA_FORMAT, with the row: one
   that is not finite. */
bool piaa_heads_predict(const piaa_heads *heads, const float *x, int64_t n, float *attributes,
                        float *shares, piaa_error *error) PIAA_MUST_USE;

/* The loss of x [n][dim] against attributes [n][attributes] and shares [n][bins]:
 *
 *     mean over rows and attributes of (a - y)^2
 *         + 0.1 mean over rows and bins of |the difference of the cumulated shares|
 */
bool piaa_heads_loss(const piaa_heads *heads, const float *x, const float *attributes,
                     const float *shares, int64_t n, double *loss, piaa_error *error) PIAA_MUST_USE;

/* Trains the heads, which the caller keeps alive, by Adam without decay. */
piaa_heads_training *piaa_heads_training_new(piaa_heads *heads, piaa_error *error) PIAA_MUST_USE;
void piaa_heads_training_free(piaa_heads_training *training); /* NULL is allowed */

/* One step; *loss (may be NULL) is that before it, dx [n][dim] its gradient with respect to x (NULL
 * where nothing behind the heads is trained).  PIAA_FORMAT, and nothing is changed: the loss is not
 * finite; the message names the step, from 1. */
bool piaa_heads_training_step(piaa_heads_training *training, const float *x,
                              const float *attributes, const float *shares, int64_t n, double rate,
                              float *dx, double *loss, piaa_error *error) PIAA_MUST_USE;

/* Adam's, which a training is resumed with beside the heads' tensors (piaa_adamw_state). */
const piaa_named *piaa_heads_training_state(const piaa_heads_training *training, size_t *count);

#endif
