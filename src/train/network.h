/*
 * A decoder in training: its frozen weights, and the way forwards and back through all its blocks.
 *
 * Backward passes of our own, not ggml's.  Of what a decoder needs ggml's graph has no gradient for
 * GEGLU and for the tanh form of GELU (Gemma), none for fused attention, and that of a matrix
 * product is an outer product in float32 that copies the other operand turned round; weights could
 * not be quantised or in 16 bits at their speed.  docs/training.md has the figures.
 *
 * The conversations of a batch lie one behind the other without padding: every product sees all
 * rows at once, attention each conversation by itself.  For the way back a block keeps its input,
 * q, k and v before their norms, the attention's result, the gated unit's two inputs and A x of
 * every adapter; norms, rotations, probabilities and the gate are made again, which costs a
 * hundredth of a step.  In the last block only rows that have a label leave attention.
 */
#ifndef PIAA_TRAIN_NETWORK_H
#define PIAA_TRAIN_NETWORK_H

#include "train/adapter.h"
#include "train/frozen.h"
#include "train/sample.h"

typedef struct piaa_network piaa_network;

/* Reads the decoder's weights.  dtype: AUTO is the caller's to settle (piaa_model_dtype).
 * threads: 0: piaa_processors().  PIAA_UNSUPPORTED for a gate that has no gradient here. */
piaa_network *piaa_network_new(const piaa_decoder *decoder, piaa_dtype dtype, int threads,
                               piaa_error *error) PIAA_MUST_USE;
void piaa_network_free(piaa_network *network);
const piaa_decoder *piaa_network_decoder(const piaa_network *network);
size_t piaa_network_bytes(const piaa_network *network); /* of weights in memory of its own */

typedef struct piaa_batch {
    const piaa_sample *const *samples;
    size_t count;
    uint32_t dropout; /* which numbers are dropped this time; only with gradients */
} piaa_batch;

/* *loss: the cross entropy, mean over all labelled rows of the batch, of the decoder with the
 * adapter (NULL: without).  gradients: and lora->gradients become those of the loss. */
bool piaa_network_loss(const piaa_network *network, piaa_lora *lora, const piaa_batch *batch,
                       bool gradients, double *loss, piaa_error *error) PIAA_MUST_USE;
/* out [rows][vocabulary]: logits of the sample's labelled rows. */
bool piaa_network_logits(const piaa_network *network, const piaa_lora *lora,
                         const piaa_sample *sample, float *out, piaa_error *error) PIAA_MUST_USE;

#endif
