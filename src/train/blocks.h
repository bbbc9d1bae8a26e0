/*
 * The blocks of a decoder that have no weights to train, forwards and backwards.
 *
 * RMS norm       y = w x / r, r = sqrt(mean(x^2) + eps).  With g = w dy:
 *                    dx = g / r - x (g . x) / (n r^3)
 * rotary         each pair is turned by an angle (and stretched): its transpose turns back
 * attention      P = softmax(s Q K') over each query's run of keys, O = P V.  With dP = dO V':
 *                    dV = P' dO,  dS = P (dP - sum over keys of P dP),  dQ = s dS K,  dK = s dS' Q
 *                P is made again in the backward pass, 64 queries at a time, so that no memory
 *                grows with the square of the tokens
 * gated unit     y = f(gate) up:  dgate = f'(gate) up dy,  dup = f(gate) dy
 */
#ifndef PIAA_TRAIN_BLOCKS_H
#define PIAA_TRAIN_BLOCKS_H

#include "train/crew.h"
#include "vlm/kernels.h"

/* Rows [count][n], each by itself; x and y may be one. */
void piaa_norm_forwards(const float *x, const float *w, int64_t count, int64_t n, float eps,
                        float *y);
/* dx, or that added to it; dy and dx may be one where nothing is added. */
void piaa_norm_backwards(const float *x, const float *w, const float *dy, int64_t count, int64_t n,
                         float eps, bool add, float *dx);

/* One token's heads, [heads][dim], by its row of piaa_rotary_table; in place. */
void piaa_turn_forwards(const float *table, int heads, int dim, float *x);
void piaa_turn_backwards(const float *table, int heads, int dim, float *dx);

/* activation: PIAA_SWIGLU or PIAA_GEGLU. */
void piaa_gate_forwards(piaa_activation activation, const float *gate, const float *up,
                        int64_t count, float *y);
/* In place: dy becomes the gradient of `up`. */
void piaa_gate_backwards(piaa_activation activation, const float *gate, const float *up,
                         int64_t count, float *dy, float *dgate);

/* One conversation's attention.  Rows of queries lie side by side, [queries][heads * dim], those of
 * keys and values [keys][kv_heads * dim]; query i sees keys first[i]..last[i]. */
typedef struct piaa_heads {
    int heads, kv_heads, dim;
    float scale;
    int64_t queries, keys;
    const int32_t *first, *last;
    const float *q, *k, *v;
    float *out;          /* forwards */
    const float *dout;   /* backwards */
    float *dq, *dk, *dv; /* written */
} piaa_heads;

bool piaa_heads_forwards(const piaa_heads *all, size_t count, const piaa_crew *crew,
                         piaa_error *error) PIAA_MUST_USE;
bool piaa_heads_backwards(const piaa_heads *all, size_t count, const piaa_crew *crew,
                          piaa_error *error) PIAA_MUST_USE;

/* Turns `logits` [count] into the gradient of -log softmax(logits)[label] times `weight`, and
 * returns that logarithm, negative. */
double piaa_entropy(float *logits, int64_t count, int64_t label, float weight);

#endif
