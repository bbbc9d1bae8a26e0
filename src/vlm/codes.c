/*
 * From ggml's quantised blocks to panels of codes.
 *
 * Every type here is value = d q + m over blocks of a row, spelt in its own way: q has 4 to 8 bits,
 * d and m belong to 32 values (16 in q6_K), and the K types store them as small multiples of two
 * numbers that 256 values share.  Types without an m of their own have -c d, c being the middle of
 * the codes.
 *
 * A panel is a row of groups, each of which holds 32 values of 64 rows:
 *   codes    [8][64][4], the order in which the product reads them: four values of each row side by
 *            side.  With fewer than 8 bits, the low four: of every two vectors of 64 codes the
 *            first in the low halves of the bytes, the second in the high ones; then the fifth bits
 *            as 32 words of 64, one for each vector, and the sixth in the same way
 *   scales   [32 / block][64] in 16 bits
 *   offsets  [64] in 16 bits, if there are any
 * A scale of a K type is a product of two numbers and rounded here, by 2^-12 of itself.
 */
#include "vlm/codes.h"

#include <string.h>

enum { VECTORS = PIAA_GROUP * PIAA_PANEL / 64 }; /* of 64 codes in a group */

const piaa_codes *piaa_codes_find(enum ggml_type type, bool group_scales) {
    static const piaa_codes q4 = {.bits = 4, .block = 32, .centre = 8},
                            q4_offset = {
                                .bits = 4, .block = 32, .offset = true, .requantise = true};
    static const piaa_codes q5 = {.bits = 5, .block = 32, .centre = 16},
                            q5_offset = {
                                .bits = 5, .block = 32, .offset = true, .requantise = true};
    static const piaa_codes q6 = {.bits = 6, .block = 16, .centre = 32, .requantise = true},
                            q8 = {.bits = 8, .block = 32, .centre = 128};
    static const piaa_codes q8_group_scales = {
        .bits = 8, .block = 32, .centre = 128, .group_scales = true};
    return type == GGML_TYPE_Q4_0                             ? &q4
           : type == GGML_TYPE_Q4_1 || type == GGML_TYPE_Q4_K ? &q4_offset
           : type == GGML_TYPE_Q5_0                           ? &q5
           : type == GGML_TYPE_Q5_1 || type == GGML_TYPE_Q5_K ? &q5_offset
           : type == GGML_TYPE_Q6_K                           ? &q6
           : type == GGML_TYPE_Q8_0 ? (group_scales ? &q8_group_scales : &q8)
                                    : NULL;
}

static size_t code_bytes(const piaa_codes *codes) {
    return (size_t)codes->bits * PIAA_GROUP * PIAA_PANEL / 8;
}

/* 32 values of one row. */
typedef struct group {
    uint8_t code[PIAA_GROUP];
    float scale[2], offset;
} group;

static float half(const uint8_t *at) {
    ggml_fp16_t value;
    memcpy(&value, at, sizeof value);
    return ggml_fp16_to_fp32(value);
}

/* Low halves of 16 bytes, then high ones: the order of the types with blocks of 32. */
static void read_halves(const uint8_t *at, group *out) {
    for (int i = 0; i < 16; i++) {
        out->code[i] = at[i] & 15;
        out->code[16 + i] = at[i] >> 4;
    }
}

static void read_fifth(const uint8_t *at, group *out) {
    for (int i = 0; i < PIAA_GROUP; i++) out->code[i] |= (uint8_t)((at[i / 8] >> i % 8 & 1) << 4);
}

/* d, m: 16 bits each; 12 bytes of eight 6-bit multiples of d and as many of -m; for five bits 32
 * bytes, whose bit j belongs to group j; four bits, two groups to 32 bytes. */
static void read_k(const uint8_t *block, int j, bool fifth, group *out) {
    const uint8_t *multiples = block + 4, *fifths = block + 16,
                  *low = fifths + (fifth ? 32 : 0) + 32 * (j / 2);
    int scale, minimum;
    if (j < 4) {
        scale = multiples[j] & 63;
        minimum = multiples[4 + j] & 63;
    } else {
        scale = (multiples[4 + j] & 15) | multiples[j - 4] >> 6 << 4;
        minimum = multiples[4 + j] >> 4 | multiples[j] >> 6 << 4;
    }
    out->scale[0] = half(block) * (float)scale;
    out->offset = -half(block + 2) * (float)minimum;
    for (int i = 0; i < PIAA_GROUP; i++) {
        out->code[i] = j % 2 ? low[i] >> 4 : low[i] & 15;
        if (fifth) out->code[i] |= (uint8_t)((fifths[i] >> j & 1) << 4);
    }
}

/* 128 bytes of low halves, 64 of pairs of high bits, 16 signed multiples of d, d; the first half of
   each belongs to groups 0 to 3. */
static void read_q6_k(const uint8_t *block, int j, group *out) {
    const uint8_t *low = block + j / 4 * 64 + j % 2 * 32, *high = block + 128 + j / 4 * 32;
    for (int i = 0; i < PIAA_GROUP; i++)
        out->code[i] =
            (uint8_t)((j % 4 < 2 ? low[i] & 15 : low[i] >> 4) | (high[i] >> j % 4 * 2 & 3) << 4);
    for (int i = 0; i < 2; i++) {
        int multiple = block[192 + 2 * j + i];
        out->scale[i] = half(block + 208) * (float)(multiple < 128 ? multiple : multiple - 256);
    }
}

static void read_group(enum ggml_type type, const piaa_codes *codes, const uint8_t *row,
                       int64_t index, group *out) {
    const int per_block = (int)ggml_blck_size(type) / PIAA_GROUP, j = (int)(index % per_block);
    const uint8_t *block = row + ggml_type_size(type) * (size_t)(index / per_block);
    out->offset = 0;
    if (type == GGML_TYPE_Q4_K || type == GGML_TYPE_Q5_K) {
        read_k(block, j, type == GGML_TYPE_Q5_K, out);
    } else if (type == GGML_TYPE_Q6_K) {
        read_q6_k(block, j, out);
        return;
    } else { /* d, m, fifth bits, low halves or bytes */
        out->scale[0] = half(block);
        block += 2;
        if (codes->offset) {
            out->offset = half(block);
            block += 2;
        }
        if (codes->bits == 8)
            for (int i = 0; i < PIAA_GROUP; i++)
                out->code[i] = block[i] ^ 128; /* two's complement + 128 */
        else
            read_halves(block + (codes->bits == 5 ? 4 : 0), out);
        if (codes->bits == 5) read_fifth(block, out);
    }
}

static void store_codes(const piaa_codes *codes, const uint8_t wide[VECTORS * 64], uint8_t *out) {
    if (codes->bits == 8) {
        memcpy(out, wide, VECTORS * 64);
        return;
    }
    for (int v = 0; v < VECTORS; v += 2)
        for (int i = 0; i < 64; i++)
            *out++ = (uint8_t)((wide[v * 64 + i] & 15) | wide[(v + 1) * 64 + i] << 4);
    for (int bit = 4; bit < codes->bits; bit++)
        for (int v = 0; v < VECTORS; v++, out += 8) {
            uint64_t word = 0;
            for (int i = 0; i < 64; i++) word |= (uint64_t)(wide[v * 64 + i] >> bit & 1) << i;
            memcpy(out, &word, sizeof word);
        }
}

void piaa_codes_pack(enum ggml_type type, const void *const rows[PIAA_PANEL], int64_t columns,
                     void *panel) {
    const piaa_codes *codes = piaa_codes_find(type, false);
    const int scales = PIAA_GROUP / codes->block;
    uint8_t *out = panel, wide[VECTORS * 64];
    ggml_fp16_t halves[3][PIAA_PANEL];
    for (int64_t index = 0; index < columns / PIAA_GROUP; index++) {
        for (int row = 0; row < PIAA_PANEL; row++) {
            group from = {.offset = 0};
            if (rows[row]) read_group(type, codes, rows[row], index, &from);
            for (int i = 0; i < PIAA_GROUP; i += 4)
                memcpy(wide + i * PIAA_PANEL + row * 4, from.code + i, 4);
            for (int i = 0; i < scales; i++) halves[i][row] = ggml_fp32_to_fp16(from.scale[i]);
            halves[scales][row] = ggml_fp32_to_fp16(from.offset);
        }
        store_codes(codes, wide, out);
        out += code_bytes(codes);
        size_t bytes = (size_t)(scales + codes->offset) * sizeof halves[0];
        memcpy(out, halves, bytes);
        out += bytes;
    }
}
