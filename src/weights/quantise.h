/* float32 rows as blocks of ggml's quantised types. */
#ifndef PIAA_WEIGHTS_QUANTISE_H
#define PIAA_WEIGHTS_QUANTISE_H

#include <ggml.h>
#include <stdint.h>

/* Rows of `columns` values, whole blocks of the type, into ggml's layout.  q4_K, q5_K and q6_K by
   our own search, others by ggml. */
void piaa_quantise(enum ggml_type type, const float *from, void *to, int64_t rows, int64_t columns);

#endif
