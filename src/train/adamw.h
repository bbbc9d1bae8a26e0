/*
 * AdamW (Loshchilov & Hutter 2019) over plain float32 arrays, as PyTorch's torch.optim.AdamW does
 * it on a CPU:
 *
 *     piaa_adamw *adamw = piaa_adamw_new(count, &(piaa_adamw_options){0}, &error);
 *     for (…) {
 *         piaa_adamw_begin(adamw, rate);                          // once a step
 *         piaa_adamw_update(adamw, 0, weights, gradients, n);     // then every array of it
 *         piaa_adamw_update(adamw, n, biases, their_gradients, m);
 *     }
 */
#ifndef PIAA_TRAIN_ADAMW_H
#define PIAA_TRAIN_ADAMW_H

#include "train/named.h"

typedef struct piaa_adamw piaa_adamw;

/* A zero stands for PyTorch's default, except that of the weight decay, which is none. */
typedef struct piaa_adamw_options {
    double beta1, beta2; /* 0.9, 0.999 */
    double epsilon;      /* 1e-8 */
    double weight_decay; /* per unit of the rate */
} piaa_adamw_options;

/* Moments of `count` parameters, zero.  Two float32 each.  options may be NULL.  Fails: memory. */
piaa_adamw *piaa_adamw_new(size_t count, const piaa_adamw_options *options,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_adamw_free(piaa_adamw *adamw);

/* What a training is resumed with: "adam.mean" and "adam.square" [count], and "adam.steps" [1],
 * those begun so far (exact up to 2^24).  The optimiser's, which owns the data; between steps they
 * may be read, and written, which restores another's state. */
const piaa_named *piaa_adamw_state(const piaa_adamw *adamw, size_t *count);
int64_t piaa_adamw_steps(const piaa_adamw *adamw); /* begun */

/* The next step, at this learning rate; 0 moves nothing but the moments. */
void piaa_adamw_begin(piaa_adamw *adamw, double rate);

/* Moves parameters[0..count-1], whose moments are those from `first` on, against their gradients.
 * Parts that do not overlap may be updated on several threads at once. */
void piaa_adamw_update(piaa_adamw *adamw, size_t first, float *parameters, const float *gradients,
                       size_t count);

#endif
