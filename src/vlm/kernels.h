/*
 * Our own CPU kernels, for the three things in which a transformer spends its time: matrix
 * products, attention, norms.
 *
 * Why, when ggml has them: on a CPU with AVX-512 ggml's bfloat16 product reaches two thirds of what
 * the machine can do and its attention a fifth, and everything between two products (bias,
 * activation, residual, norm, rotary positions, casts, masks) is a node of its own that reads and
 * writes [width x tokens] floats.  Here each of those rides along with its neighbour.
 * docs/performance.md has the figures.
 *
 * The word.  Both arithmetics work on 32-bit words: one float32, or two neighbouring bfloat16 along
 * the summed axis, which is what one vdpbf16ps lane multiplies and adds.  A row of K values is K or
 * K/2 words, and one source (kernels/body.h) serves both.
 *
 * Packed matrix: panels of 64 rows, zero-filled; in a panel, for each word along the summed axis
 * the 64 rows' words side by side, so that four vector loads and one broadcast per row of the other
 * operand feed every multiplication.
 *
 * Parts of a job are numbered and independent; callers hand the numbers out to threads.
 */
#ifndef PIAA_VLM_KERNELS_H
#define PIAA_VLM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PIAA_PANEL = 64,           /* rows of a packed panel */
    PIAA_SCRATCH = 128 * 1024, /* bytes that each thread lends to the kernels, 64-byte aligned */
    PIAA_PAIRED = 32,          /* of a panel's, in a paired matrix: 32 of each half */
    PIAA_MAX_HEAD_DIM = 256,   /* of attention */
};

/* The last two are gated units: the matrix is paired, rows are f gates and f values, and out =
   activation(gate) * value has f columns. */
typedef enum piaa_activation {
    PIAA_LINEAR,
    PIAA_GELU,
    PIAA_GELU_TANH,
    PIAA_GELU_QUICK, /* x / (1 + exp(-1.702 x)) */
    PIAA_SWIGLU,     /* gate / (1 + exp(-gate)) */
    PIAA_GEGLU       /* GELU_TANH of the gate */
} piaa_activation;

static inline bool piaa_activation_gated(piaa_activation activation) {
    return activation >= PIAA_SWIGLU;
}

/* A matrix in codes: blocks along the summed axis share a scale and an offset, value = scale *
 * (code - centre) + offset.  codes.h makes such panels from ggml's quantised types. */
typedef struct piaa_codes {
    int bits;          /* of a code: 4, 5, 6 or 8 */
    int block;         /* values: 32 or 16 */
    int centre;        /* codes are whole numbers from 0 on */
    bool offset;       /* for each 32 values; else every offset is 0 */
    bool requantise;   /* the product rounds the values anew, to 8 bits with one scale for 256 of
                     them; has   to, unless blocks are 32 and plain */
    bool group_scales; /* and x to scales of its own for each 32 values, else to powers of 2 of one
                  for 256; not with `requantise` */
} piaa_codes;

enum {
    /* Values: a panel of codes is a row of groups, and x is rounded in such groups. */
    PIAA_GROUP = 32
};

/* Of a panel for rows of `columns` values, a multiple of 32: 64 codes a value, scales and offsets
   in 16 bits. */
static inline size_t piaa_codes_panel_bytes(const piaa_codes *codes, int64_t columns) {
    const int halves = PIAA_GROUP / codes->block + codes->offset;
    return (size_t)(columns / PIAA_GROUP) *
           (size_t)(PIAA_PANEL * (codes->bits * PIAA_GROUP / 8 + 2 * halves));
}

/* out[t] = activation(W x[t] + bias) + residual[t] */
typedef struct piaa_product {
    const void *weights; /* packed */
    int64_t rows, words; /* of the matrix; words of a row, or the values of one in codes */
    const void *x;       /* [tokens][words], in the kernels' own type; for codes rounded */
    int64_t tokens;
    const piaa_codes *codes; /* the matrix is in such codes, else NULL */
    const float *bias;       /* [rows] or NULL */
    const float *residual;   /* [tokens][rows] or NULL */
    piaa_activation activation;
    void *out;   /* [tokens][rows, or half of them] */
    bool narrow; /* out is bfloat16 (bfloat16 kernels only), else float32 */
} piaa_product;

/* softmax(scale q k^T) v, per head, after RMS norm and rotation of q and k; heads share keys in
 * groups of heads / kv_heads.  Online softmax over blocks of keys, so that memory beyond the packed
 * keys and values does not grow with their number. */
typedef struct piaa_attention_job {
    const float *q, *k, *v;      /* the first head of row 0 of each */
    int64_t q_stride, kv_stride; /* floats from row to row */
    int64_t queries, keys;
    int64_t past; /* keys that are packed already: k and v, and k_rotary, begin after them */
    int64_t room; /* keys that `packed` has room for, at least `keys` */
    int heads, kv_heads, dim;
    const float *q_norm, *k_norm; /* [dim] or NULL */
    float eps;
    const float *q_rotary, *k_rotary; /* [queries or new keys][dim]: dim/2 cosines, dim/2 sines, for
                                         the pairs (i, i + dim/2); or NULL */
    bool causal;                      /* query i sees keys first[i]..last[i] */
    const int32_t *first;             /* NULL: 0 */
    const int32_t *last;              /* NULL: past + i */
    float scale;
    uint32_t *packed; /* keys and values, piaa_kernels.packed_words of `room` */
    void *out;        /* [queries][heads * dim] */
    bool narrow;
} piaa_attention_job;

typedef struct piaa_kernels {
    const char *name;
    bool bfloat16; /* operands are bfloat16, else float32 */

    /* 64 rows ([words] each, NULL for zeros, any alignment) into one panel of 64 * words. */
    void (*pack)(const void *const rows[PIAA_PANEL], int64_t words, uint32_t *panel);

    /* Kernels for codes have these two and no pack: x [tokens][columns] rounded for a matrix, a row
       at a time into `out`. */
    size_t (*rounded_bytes)(int64_t tokens, int64_t columns);
    void (*quantise)(const piaa_codes *codes, const float *row, int64_t columns, int64_t token,
                     int64_t tokens, void *out);

    int64_t (*product_parts)(const piaa_product *product);
    void (*product)(const piaa_product *product, int64_t part, void *scratch);
    /* What a product does to its sums, for one token whose sums [rows] another product made; gates
       come before values. */
    void (*finish)(const piaa_product *product, const float *sums, int64_t token);

    int64_t (*packed_words)(int64_t room, int kv_heads, int dim);
    /* The first `keys` keys and values to where there is other room. */
    void (*packed_move)(const uint32_t *from, int64_t from_room, uint32_t *to, int64_t to_room,
                        int64_t keys, int kv_heads, int dim);
    int64_t (*pack_parts)(const piaa_attention_job *job);
    void (*pack_keys)(const piaa_attention_job *job, int64_t part);
    int64_t (*attention_parts)(const piaa_attention_job *job);
    void (*attention)(const piaa_attention_job *job, int64_t part, void *scratch);

    /* One row of n: (x - mean) / sqrt(variance + eps) * w + b, or without the mean (RMS) where b is
       NULL. */
    void (*norm)(const float *x, int64_t n, const float *w, const float *b, float eps, void *out,
                 bool narrow);

    /* GFLOP/s (GOP/s) of one core that does nothing but multiply and add on registers (about 0.1
       s). */
    double (*peak)(void);
} piaa_kernels;

/* The kernels for this CPU, or NULL: ask before calling, the machine may lack the instructions. */
const piaa_kernels *piaa_kernels_find(bool bfloat16);
/* The same for products with matrices in codes; these kernels have no attention, norm or pack. */
const piaa_kernels *piaa_kernels_find_codes(void);

#endif
