/* Quantised matrices as whole-number codes in panels, for our kernels (kernels/int8.c computes with
   them). */
#ifndef PIAA_VLM_CODES_H
#define PIAA_VLM_CODES_H

#include "vlm/kernels.h"

#include <ggml.h>

/* How the values of a ggml type are codes, or NULL: q4_0, q4_1, q5_0, q5_1, q8_0, q4_K, q5_K and
 * q6_K are.  group_scales: q8_0 is to lose as little as it can, which is for models that have
 * nothing coarser. */
const piaa_codes *piaa_codes_find(enum ggml_type type, bool group_scales);

/* 64 rows of ggml's blocks (any alignment; NULL for zeros) into one panel.  columns is a multiple
   of the type's block. */
void piaa_codes_pack(enum ggml_type type, const void *const rows[PIAA_PANEL], int64_t columns,
                     void *panel);

#endif
