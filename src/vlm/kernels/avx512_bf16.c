/* The kernels with bfloat16 operands and float32 sums, for CPUs with AVX512_BF16 (AMD Zen 4 and
 * later, Intel Cooper Lake, Sapphire Rapids and later).  A file of its own for the same reason as
 * avx512.c. */
#define PIAA_BFLOAT16 1
#define PIAA_KERNELS piaa_kernels_avx512_bf16
#include "vlm/kernels/body.h"
