/* Which type each matrix of a quantised model has, as llama.cpp's quantiser decides it.  Used where
 * a model is written as GGUF, and where its weights are quantised while they are loaded, so that
 * both give the same. */
#ifndef PIAA_WEIGHTS_MIXTURE_H
#define PIAA_WEIGHTS_MIXTURE_H

#include <ggml.h>
#include <stdbool.h>
#include <stdint.h>

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
