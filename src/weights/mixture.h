/* Which type each matrix of a quantised model has, as llama.cpp's quantiser decides it.  Used where
 * a model is written as GGUF, and where its weights are quantised while they are loaded, so that
 * both give the same. */
#ifndef PIAA_WEIGHTS_MIXTURE_H
#define PIAA_WEIGHTS_MIXTURE_H

#include "weights/checkpoint.h"

#include <ggml.h>

/* How matrices are stored; vectors, position embeddings and the patch kernel are float32 always.
 * Q5_K and Q4_K are llama.cpp's mixtures Q5_K_M and Q4_K_M; the vision part beside a
 * K-quant is Q8_0.  Rows that are no whole blocks fall back to a type with smaller ones, at last to
 * F16. */
typedef enum piaa_gguf_kind {
    PIAA_GGUF_KIND_F32,
    PIAA_GGUF_KIND_F16,
    PIAA_GGUF_KIND_BF16,
    PIAA_GGUF_KIND_Q8_0,
    PIAA_GGUF_KIND_Q6_K,
    PIAA_GGUF_KIND_Q5_K,
    PIAA_GGUF_KIND_Q4_K
} piaa_gguf_kind;

/* "f32", "f16", "bf16", "q8_0", "q6_K", "q5_K", "q4_K" */
bool piaa_gguf_kind_parse(const char *name, piaa_gguf_kind *out);

/* What a tensor of the checkpoint (by its canonical name) becomes in such a pair.  For models that
 * have no GGUF form: `kind` for every matrix, and the same rule for its rows. */
enum ggml_type piaa_gguf_type(const piaa_checkpoint *checkpoint, const piaa_tensor *tensor,
                              piaa_gguf_kind kind);

/* `type` if its blocks fill rows of `columns` values; else the nearest type with blocks of 32
 * (Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0); where these do not fill them either, `plain`, a type
 * without blocks. */
enum ggml_type piaa_type_for_rows(enum ggml_type type, int64_t columns, enum ggml_type plain);

/* A matrix of a text model that is quantised as `type`, by llama.cpp's name for it: Q4_K and Q5_K
 * give more bits, Q6_K, to the output (the token embeddings, if they are `tied` to it) and to half
 * of the value and down projections.  The mixtures Q4_K_M and Q5_K_M. */
enum ggml_type piaa_type_in_mixture(enum ggml_type type, const char *name, int block, int blocks,
                                    bool tied);

#endif
