/*
 * A low-rank adapter in training: beside each adapted matrix W of the decoder
 *
 *     y = W x + s B A x',   A [rank][inputs], B [outputs][rank],   s = alpha / rank
 *
 * with x' = x, or x with dropout.  As PEFT writes it: adapter_config.json and
 * adapter_model.safetensors in one folder.
 */
#ifndef PIAA_TRAIN_ADAPTER_H
#define PIAA_TRAIN_ADAPTER_H

#include "train/crew.h"
#include "vlm/decoder.h"

/* The matrices of a block, in the order in which they are used. */
typedef enum piaa_target {
    PIAA_TARGET_Q,
    PIAA_TARGET_K,
    PIAA_TARGET_V,
    PIAA_TARGET_O,
    PIAA_TARGET_GATE,
    PIAA_TARGET_UP,
    PIAA_TARGET_DOWN,
    PIAA_TARGETS
} piaa_target;

enum { PIAA_ALL_TARGETS = (1 << PIAA_TARGETS) - 1, PIAA_MOST_RANK = 1024 };

/* "self_attn.q_proj" */
const char *piaa_target_module(piaa_target target);
/* Of a block's matrix: inputs and outputs. */
void piaa_target_shape(const piaa_decoder *decoder, int block, piaa_target target, int64_t *inputs,
                       int64_t *outputs);

typedef struct piaa_lora_pair {
    int64_t inputs, outputs; /* 0: the matrix has no adapter */
    float *a, *b;            /* into values */
    float *grad_a, *grad_b;  /* into gradients */
} piaa_lora_pair;

typedef struct piaa_lora {
    int rank, blocks;
    double alpha, dropout;
    unsigned targets; /* bits, 1 << piaa_target */
    size_t count;     /* numbers in values and in gradients */
    float *values, *gradients;
    piaa_lora_pair *pairs; /* [blocks][PIAA_TARGETS] */
} piaa_lora;

/* A uniform in ±1 / sqrt(inputs) (PEFT's own range) from `seed`, B zero: the adapter changes
 * nothing yet. */
piaa_lora *piaa_lora_new(const piaa_decoder *decoder, int rank, double alpha, unsigned targets,
                         double dropout, uint32_t seed, piaa_error *error) PIAA_MUST_USE;
void piaa_lora_free(piaa_lora *lora);

/* PIAA_MISMATCH where the folder's adapter is of another model; PIAA_UNSUPPORTED for kinds of
 * adapters that cannot be trained on. */
piaa_lora *piaa_lora_read(const piaa_decoder *decoder, const char *folder,
                          piaa_error *error) PIAA_MUST_USE;
/* Into `folder`, which is made where it is missing.  Each file is written whole or not at all, the
 * weights first; base: the model's name for the configuration. */
bool piaa_lora_write(const piaa_lora *lora, const char *base, const char *folder,
                     piaa_error *error) PIAA_MUST_USE;
/* Whether piaa_lora_write may write there: nothing is there, or an adapter. */
bool piaa_lora_may_write(const char *folder, piaa_error *error) PIAA_MUST_USE;

/* ------------------------------------------------------------------------------------- products */

/* Which numbers are dropped, with a probability: element i of the input of a matrix where
 * hash(key, i) is low.  No state, so that the backward pass asks again. */
typedef struct piaa_dropout {
    uint32_t key;
    float probability; /* 0: nothing is dropped */
} piaa_dropout;

/* low [n][rank] = A x', y [n][outputs] += s B low */
bool piaa_pair_forwards(const piaa_lora *lora, const piaa_lora_pair *pair, const float *x,
                        int64_t n, const piaa_dropout *dropout, float *low, float *y,
                        const piaa_crew *crew, piaa_error *error) PIAA_MUST_USE;
/* dB += s dy' low, dA += dlow' x', and with dlow = s dy B (which is kept in dlow [n][rank]) dx
 * [n][inputs] += A' dlow, unless dx is NULL. */
bool piaa_pair_backwards(const piaa_lora *lora, const piaa_lora_pair *pair, const float *x,
                         const float *low, const float *dy, int64_t n, const piaa_dropout *dropout,
                         float *dlow, float *dx, const piaa_crew *crew,
                         piaa_error *error) PIAA_MUST_USE;

#endif
