/*
 * What all kernels share: vectors of 16 lanes of 32 bits, the functions that an activation is made
 * of, how a product is cut into parts, and what happens to its sums.  The including file says what
 * PIAA_BFLOAT16 is: 1 if it can store bfloat16.
 *
 * Compiler extensions: the vector intrinsics and their casts are the point of this folder's files,
 * and only of theirs; x86-64 compilers alone see them.
 */
#include "base/portability.h"
#include "vlm/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum {
    ROWS = 6,     /* of x in a tile; parts hold whole tiles */
    LANES = 16,   /* 32-bit lanes of a vector */
    TOKENS = 192, /* most rows of x per part of a product */
};

static inline int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static inline int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The lanes below n, all 16 from n = 16 on. */
static inline __mmask16 lanes_below(int64_t n) {
    return n >= LANES ? (__mmask16)0xFFFF : n <= 0 ? (__mmask16)0 : (__mmask16)((1U << n) - 1U);
}

/* Processor time of this thread. */
static inline double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* n (<= 16) floats stored as the kernels' own type, or as float32. */
static inline void store_values(void *out, int64_t index, __m512 v, __mmask16 mask, bool narrow) {
#if PIAA_BFLOAT16
    if (narrow) {
        _mm256_mask_storeu_epi16((uint16_t *)out + index, mask, (__m256i)_mm512_cvtneps_pbh(v));
        return;
    }
#else
    (void)narrow;
#endif
    _mm512_mask_storeu_ps((float *)out + index, mask, v);
}

/* ------------------------------------------------------------------------------------ functions */

/* 2^x = 2^floor(x) p(x - floor(x)); p is the minimax fit of the relative error on [0, 1], which is
   7.5e-8. */
static inline __m512 exp2_of(__m512 x) {
    __m512 f = _mm512_reduce_ps(x, 0x09), p = _mm512_set1_ps(1.877576557e-03f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(8.989340377e-03f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.582631781e-02f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.401536171e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.931530732e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.999999251e-01f));
    return _mm512_scalef_ps(p, x);
}

#define LOG2_E 1.44269504088896340736f

/* 1/x from the 14-bit estimate and one Newton step: 2^-23 or so.  Infinity gives 0 (the step's inf
 * 0 is masked off). */
static inline __m512 reciprocal(__m512 x) {
    __m512 r = _mm512_rcp14_ps(x);
    __mmask16 finite = _mm512_cmp_ps_mask(x, _mm512_set1_ps(INFINITY), _CMP_LT_OQ);
    return _mm512_mask_mul_ps(r, finite, r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(2.0f)));
}

/* x / (1 + exp(-u)) */
static inline __m512 gate(__m512 x, __m512 u) {
    __m512 e = exp2_of(_mm512_mul_ps(u, _mm512_set1_ps(-LOG2_E)));
    return _mm512_mul_ps(x, reciprocal(_mm512_add_ps(e, _mm512_set1_ps(1.0f))));
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3) */
static inline __m512 gelu_tanh(__m512 x) {
    const float root = 0.79788456080286535588f;
    __m512 u = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(2.0f * root * 0.044715f),
                               _mm512_set1_ps(2.0f * root));
    return gate(x, _mm512_mul_ps(x, u));
}

/* 0.5 x (1 + erf(x / sqrt 2)), erf by Abramowitz and Stegun 7.1.26 (1.5e-7). */
static inline __m512 gelu_erf(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678118654752440f));
    __m512 t = reciprocal(_mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one)),
           p = _mm512_set1_ps(1.061405429f);
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
    __m512 e = exp2_of(_mm512_mul_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(-LOG2_E)));
    /* rest = 1 - erf(|x|/sqrt 2): for x > 0 the result is x - x rest / 2, else x rest / 2 */
    __m512 half = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(p, t), e),
                                _mm512_mul_ps(x, _mm512_set1_ps(0.5f)));
    __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_mask_sub_ps(half, positive, x, half);
}

/* ----------------------------------------------------------------------- the parts of a product */

/* Tokens are cut evenly, in whole tiles where there are several blocks.  Blocks run one after the
 * other over all panels: a block of x stays in the second-level cache while the panels, which the
 * hardware prefetches well, stream by (the other order: 192 instead of 218 GFLOP/s at 2688 x 1024 x
 * 3072). */
static void token_blocks(const piaa_product *p, int64_t *blocks, int64_t *size) {
    *blocks = divide_up(p->tokens, TOKENS);
    *size = *blocks ? divide_up(divide_up(p->tokens, *blocks), ROWS) * ROWS : 0;
}

static int64_t product_parts(const piaa_product *product) {
    int64_t blocks, size;
    token_blocks(product, &blocks, &size);
    return blocks * divide_up(product->rows, PIAA_PANEL);
}

/* `count` results of one token from column `first` on; the values that belong to gates come
   `second` sums later. */
static PIAA_INLINE void finish_of(const piaa_product *p, piaa_activation activation,
                                  const float *sums, int64_t second, int64_t first, int64_t count,
                                  int64_t token) {
    const bool gated = piaa_activation_gated(activation);
    const int64_t columns = gated ? p->rows / 2 : p->rows;
    for (int64_t j = 0; j < count; j += LANES) {
        __mmask16 mask = lanes_below(count - j);
        __m512 v = _mm512_maskz_loadu_ps(mask, sums + j), value = _mm512_setzero_ps();
        if (gated) value = _mm512_maskz_loadu_ps(mask, sums + second + j);
        if (p->bias) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, p->bias + first + j));
        if (p->bias && gated)
            value =
                _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, p->bias + columns + first + j));
        if (activation == PIAA_GELU) v = gelu_erf(v);
        if (activation == PIAA_GELU_TANH) v = gelu_tanh(v);
        if (activation == PIAA_GELU_QUICK) v = gate(v, _mm512_mul_ps(v, _mm512_set1_ps(1.702f)));
        if (activation == PIAA_SWIGLU) v = _mm512_mul_ps(gate(v, v), value);
        if (activation == PIAA_GEGLU) v = _mm512_mul_ps(gelu_tanh(v), value);
        if (p->residual)
            v = _mm512_add_ps(
                v, _mm512_maskz_loadu_ps(mask, p->residual + token * columns + first + j));
        store_values(p->out, token * columns + first + j, v, mask, p->narrow);
    }
}

static void finish_part(const piaa_product *p, const float *sums, int64_t second, int64_t first,
                        int64_t count, int64_t token) {
    if (p->activation == PIAA_LINEAR) finish_of(p, PIAA_LINEAR, sums, second, first, count, token);
    if (p->activation == PIAA_GELU) finish_of(p, PIAA_GELU, sums, second, first, count, token);
    if (p->activation == PIAA_GELU_TANH)
        finish_of(p, PIAA_GELU_TANH, sums, second, first, count, token);
    if (p->activation == PIAA_GELU_QUICK)
        finish_of(p, PIAA_GELU_QUICK, sums, second, first, count, token);
    if (p->activation == PIAA_SWIGLU) finish_of(p, PIAA_SWIGLU, sums, second, first, count, token);
    if (p->activation == PIAA_GEGLU) finish_of(p, PIAA_GEGLU, sums, second, first, count, token);
}

static void finish(const piaa_product *p, const float *sums, int64_t token) {
    const int64_t columns = piaa_activation_gated(p->activation) ? p->rows / 2 : p->rows;
    finish_part(p, sums, columns, 0, columns, token);
}

/* What one part of a product is about. */
typedef struct product_part {
    int64_t panel, begin, end; /* of the matrix; tokens */
    int64_t first, count;      /* columns of the result */
} product_part;

static product_part part_of(const piaa_product *p, int64_t part) {
    int64_t blocks, size;
    token_blocks(p, &blocks, &size);
    const bool paired = piaa_activation_gated(p->activation);
    const int64_t panels = divide_up(p->rows, PIAA_PANEL), step = paired ? PIAA_PAIRED : PIAA_PANEL;
    product_part in = {.panel = part % panels, .begin = part / panels * size};
    in.end = least(in.begin + size, p->tokens);
    in.first = in.panel * step;
    in.count = least(step, (paired ? p->rows / 2 : p->rows) - in.first);
    return in;
}

/* sums [tokens of the part][64] */
static void finish_tokens(const piaa_product *p, const product_part *in, const float *sums) {
    for (int64_t t = in->begin; t < in->end; t++)
        finish_part(p, sums + (t - in->begin) * PIAA_PANEL, PIAA_PAIRED, in->first, in->count, t);
}
