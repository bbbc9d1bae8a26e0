/*
 * Blocks of the K types, sought as ggml seeks them, several sub-blocks at a time.
 *
 * q4_K and q5_K.  In a sub-block of 32 values x_i is near s l_i - m, l_i a whole number up to 15 or
 * 31 and m >= 0.  For a guess of the step the l_i are known, and what is left is a weighted
 * least-squares fit of s and m, whose error is sum w x^2 - (s sum w x l - m sum w x), so that of
 * some twenty guesses around (max - min) / 15 the one with the largest bracket wins.  Weights are
 * w_i = rms(x) + |x_i|: large values count more.  Eight sub-blocks then share d and e, in 16 bits,
 * and keep s and m as 6-bit multiples of them.
 *
 * q6_K.  In a sub-block of 16 x_i is near s l_i, -32 <= l_i < 32, w_i = x_i^2; sixteen share d and
 * have 8-bit multiples.
 *
 * That is ggml's own search and gives the same s and m.  Here neighbouring sub-blocks lie in the
 * lanes of vectors, and errors come from the sums: 13 ns a value instead of 64 for q4_K, one core.
 * The time saved pays for one thing more: rounding s and m to multiples is done with the other of
 * the pair and the l_i in view, by trying the multiples beside the nearest ones.  That takes 1 %
 * off the relative error of normally distributed values in q4_K, 3 % in q5_K.
 */
#include "weights/quantise.h"

#include "base/portability.h"

#include <math.h>
#include <string.h>

enum {
    LANES = sizeof(piaa_lanes) / sizeof(float), /* sub-blocks at a time */
    VALUES = 256,
    LONG = 32, /* values of a sub-block */
    SHORT = 16,
    TOP_MULTIPLE = 63,
    EDGE = 32, /* q6_K: codes are -32 to 31 */
    TOP_SIGNED = 127,
};

static inline piaa_lanes all(float value) {
    float lanes[LANES];
    piaa_lanes v;
    for (int i = 0; i < LANES; i++) lanes[i] = value;
    memcpy(&v, lanes, sizeof v);
    return v;
}

/* The nearest whole number, of equals the even one: below 2^22 a float has no room for more beside
   1.5 * 2^23. */
static inline piaa_lanes whole(piaa_lanes x) {
    return x + 12582912.0f - 12582912.0f;
}

/* NaN is `low`. */
static inline piaa_lanes within(piaa_lanes x, piaa_lanes low, piaa_lanes high) {
    return PIAA_LEAST(PIAA_MOST(x, low), high);
}

static inline piaa_lanes size_of(piaa_lanes x) {
    return PIAA_MOST(x, -x);
}

/* 1 / x, or 0 for 0. */
static inline piaa_lanes inverse_of(piaa_lanes x) {
    return PIAA_CHOOSE(x != 0, 1.0f / x, all(0));
}

/* LANES sub-blocks of `length` values, side by side. */
static void transpose(const float *from, int length, piaa_lanes *x) {
    float row[LANES];
    for (int i = 0; i < length; i++) {
        for (int j = 0; j < LANES; j++) row[j] = from[j * length + i];
        memcpy(&x[i], row, sizeof row);
    }
}

static float to_half(float value, uint8_t *out) {
    const ggml_fp16_t half = ggml_fp32_to_fp16(value);
    memcpy(out, &half, sizeof half);
    return ggml_fp16_to_fp32(half);
}

/* Of `count` numbers the one that is largest in size. */
static float largest(const float *x, int count) {
    float most = 0;
    for (int i = 0; i < count; i++)
        if (fabsf(x[i]) > fabsf(most)) most = x[i];
    return most;
}

/* -------------------------------------------------------------------------- q4_K, q5_K: s l - m */

typedef struct batch {
    piaa_lanes x[LONG], w[LONG];
    piaa_lanes scale, minimum; /* s and m */
} batch;

/* Guesses are (max - min) / (top + first + 0.1 n) for n < count. */
static void search(batch *b, float top, float first, int count) {
    const piaa_lanes zero = all(0);
    piaa_lanes low = zero, high = b->x[0], square = zero, sum_w = zero, sum_x = zero, most = zero;
    for (int i = 0; i < LONG; i++) {
        low = PIAA_LEAST(b->x[i], low);
        high = PIAA_MOST(b->x[i], high);
        square += b->x[i] * b->x[i];
    }
    float root[LANES];
    memcpy(root, &square, sizeof root);
    for (int j = 0; j < LANES; j++) root[j] = sqrtf(root[j] / LONG);
    memcpy(&square, root, sizeof root);
    for (int i = 0; i < LONG; i++) {
        b->w[i] = square + size_of(b->x[i]);
        sum_w += b->w[i];
        sum_x += b->w[i] * b->x[i];
    }
    const piaa_lanes range = high - low, inverse = inverse_of(range), limit = all(top);
    b->scale = range / top; /* if no fit can be had: all values are one */
    b->minimum = -low;
    for (int n = 0; n < count; n++) {
        const piaa_lanes factor = (top + first + 0.1f * (float)n) * inverse;
        piaa_lanes sum_l = zero, sum_ll = zero, sum_xl = zero;
        for (int i = 0; i < LONG; i++) {
            const piaa_lanes v = whole(factor * (b->x[i] - low)), l = PIAA_LEAST(v, limit),
                             wl = b->w[i] * l;
            sum_l += wl;
            sum_ll += wl * l;
            sum_xl += wl * b->x[i];
        }
        const piaa_lanes d = sum_w * sum_ll - sum_l * sum_l;
        const piaa_lanes m = (sum_l * sum_xl - sum_ll * sum_x) / d;
        const piaa_lanes minimum = PIAA_CHOOSE(m > 0, m, zero);
        const piaa_lanes scale =
            PIAA_CHOOSE(m > 0, (sum_w * sum_xl - sum_x * sum_l) / d, sum_xl / sum_ll);
        const piaa_lanes gain = PIAA_CHOOSE(d > 0, scale * sum_xl - minimum * sum_x, zero);
        b->scale = PIAA_CHOOSE(gain > most, scale, b->scale);
        b->minimum = PIAA_CHOOSE(gain > most, minimum, b->minimum);
        most = PIAA_CHOOSE(gain > most, gain, most);
    }
}

static inline piaa_lanes code_of(piaa_lanes x, piaa_lanes minimum, piaa_lanes inverse, float top) {
    return whole(within((x + minimum) * inverse, all(0), all(top)));
}

/* s and m become multiples of d and e: of those around the nearest the ones with the least error,
   each l being the best for itself. */
static void round_fit(batch *b, float top, float d, float e) {
    const piaa_lanes zero = all(0), edge = all(TOP_MULTIPLE);
    const piaa_lanes nearest = whole(within(b->scale * (d > 0 ? 1.0f / d : 0.0f), zero, edge));
    const piaa_lanes nearest_m = whole(within(b->minimum * (e > 0 ? 1.0f / e : 0.0f), zero, edge));
    piaa_lanes least = all(INFINITY);
    b->scale = nearest;
    b->minimum = nearest_m;
    for (int n = 0; n < 9; n++) {
        const piaa_lanes k = within(nearest + (float)(n % 3 - 1), zero, edge),
                         km = within(nearest_m + (float)(n / 3 - 1), zero, edge);
        const piaa_lanes s = d * k, m = e * km, inverse = inverse_of(s);
        piaa_lanes error = zero;
        for (int i = 0; i < LONG; i++) {
            const piaa_lanes off = s * code_of(b->x[i], m, inverse, top) - m - b->x[i];
            error += b->w[i] * off * off;
        }
        b->scale = PIAA_CHOOSE(error < least, k, b->scale);
        b->minimum = PIAA_CHOOSE(error < least, km, b->minimum);
        least = PIAA_CHOOSE(error < least, error, least);
    }
}

/* d, e (2 bytes each); 12 bytes of multiples; for five bits 32 bytes, whose bit j belongs to
 * sub-block j; low halves, two sub-blocks to 32 bytes. */
static void quantise_k(const float *from, bool five, uint8_t *to) {
    enum { PARTS = VALUES / LONG, BATCHES = PARTS / LANES };
    const float top = five ? 31 : 15;
    batch batches[BATCHES];
    float scale[PARTS], minimum[PARTS], code[LONG][LANES];
    for (int b = 0; b < BATCHES; b++) {
        transpose(from + b * LANES * LONG, LONG, batches[b].x);
        search(&batches[b], top, five ? -0.5f : -1.0f, five ? 16 : 21);
        memcpy(scale + b * LANES, &batches[b].scale, sizeof batches[b].scale);
        memcpy(minimum + b * LANES, &batches[b].minimum, sizeof batches[b].minimum);
    }
    const float d = to_half(largest(scale, PARTS) / TOP_MULTIPLE, to),
                e = to_half(largest(minimum, PARTS) / TOP_MULTIPLE, to + 2);
    uint8_t *multiples = to + 4, *fifth = to + 16, *low = fifth + (five ? 32 : 0);
    memset(multiples, 0, (size_t)(low - multiples) + VALUES / 2);
    for (int b = 0; b < BATCHES; b++) {
        round_fit(&batches[b], top, d, e);
        memcpy(scale + b * LANES, &batches[b].scale, sizeof batches[b].scale);
        memcpy(minimum + b * LANES, &batches[b].minimum, sizeof batches[b].minimum);
        const piaa_lanes m = e * batches[b].minimum, inverse = inverse_of(d * batches[b].scale);
        for (int i = 0; i < LONG; i++) {
            const piaa_lanes l = code_of(batches[b].x[i], m, inverse, top);
            memcpy(code[i], &l, sizeof l);
        }
        for (int lane = 0; lane < LANES; lane++)
            for (int i = 0, j = b * LANES + lane; i < LONG; i++) {
                const int l = (int)code[i][lane];
                low[j / 2 * LONG + i] |= (uint8_t)((l & 15) << j % 2 * 4);
                if (five) fifth[i] |= (uint8_t)(l >> 4 << j);
            }
    }
    for (int j = 0; j < PARTS; j++) {
        const int s = (int)scale[j], m = (int)minimum[j];
        if (j < PARTS / 2) {
            multiples[j] |= (uint8_t)s;
            multiples[j + 4] |= (uint8_t)m;
        } else {
            multiples[j + 4] |= (uint8_t)((s & 15) | (m & 15) << 4);
            multiples[j - 4] |= (uint8_t)(s >> 4 << 6);
            multiples[j] |= (uint8_t)(m >> 4 << 6);
        }
    }
}

/* ------------------------------------------------------------------------------------ q6_K: s l */

static inline piaa_lanes signed_code_of(piaa_lanes x, piaa_lanes inverse) {
    return whole(within(x * inverse, all(-EDGE), all(EDGE - 1)));
}

/* Guesses are -(largest in size) / (32 + 0.1 n), -9 <= n <= 9. */
static piaa_lanes search_plain(const piaa_lanes x[SHORT]) {
    const piaa_lanes zero = all(0);
    piaa_lanes size = zero, extreme = zero, most = zero, scale = zero;
    for (int i = 0; i < SHORT; i++) {
        extreme = PIAA_CHOOSE(size_of(x[i]) > size, x[i], extreme);
        size = size_of(extreme);
    }
    const piaa_lanes inverse = PIAA_CHOOSE(size > 1e-15f, -1.0f / extreme, zero);
    for (int n = -9; n <= 9; n++) {
        const piaa_lanes factor = (EDGE + 0.1f * (float)n) * inverse;
        piaa_lanes sum_xl = zero, sum_ll = zero;
        for (int i = 0; i < SHORT; i++) {
            const piaa_lanes l = signed_code_of(x[i], factor), wl = x[i] * x[i] * l;
            sum_xl += wl * x[i];
            sum_ll += wl * l;
        }
        const piaa_lanes s = sum_xl / sum_ll, gain = PIAA_CHOOSE(sum_ll > 0, s * sum_xl, zero);
        scale = PIAA_CHOOSE(gain > most, s, scale);
        most = PIAA_CHOOSE(gain > most, gain, most);
    }
    return scale;
}

/* The multiple of d, of the nearest and those beside it, with the least error. */
static piaa_lanes round_plain(const piaa_lanes x[SHORT], piaa_lanes scale, float d) {
    const piaa_lanes edge = all(TOP_SIGNED), nearest = whole(within(scale / d, -1.0f - edge, edge));
    piaa_lanes least = all(INFINITY), multiple = nearest;
    for (int n = -1; n <= 1; n++) {
        const piaa_lanes k = within(nearest + (float)n, -1.0f - edge, edge), s = d * k,
                         inverse = inverse_of(s);
        piaa_lanes error = all(0);
        for (int i = 0; i < SHORT; i++) {
            const piaa_lanes off = x[i] * (s * signed_code_of(x[i], inverse) - x[i]);
            error += off * off;
        }
        multiple = PIAA_CHOOSE(error < least, k, multiple);
        least = PIAA_CHOOSE(error < least, error, least);
    }
    return multiple;
}

/* 128 bytes of low halves, 64 of pairs of high bits, 16 multiples, d; the first half of each
   belongs to the first 128 values. */
static void quantise_q6_k(const float *from, uint8_t *to) {
    enum { PARTS = VALUES / SHORT, BATCHES = PARTS / LANES, BYTES = 210 };
    piaa_lanes x[BATCHES][SHORT], found[BATCHES];
    float scale[PARTS], multiple[LANES], code[SHORT][LANES];
    for (int b = 0; b < BATCHES; b++) {
        transpose(from + b * LANES * SHORT, SHORT, x[b]);
        found[b] = search_plain(x[b]);
        memcpy(scale + b * LANES, &found[b], sizeof found[b]);
    }
    memset(to, 0, BYTES);
    const float d = to_half(-largest(scale, PARTS) / (TOP_SIGNED + 1), to + BYTES - 2);
    if (d == 0) return;
    for (int b = 0; b < BATCHES; b++) {
        const piaa_lanes k = round_plain(x[b], found[b], d), inverse = inverse_of(d * k);
        memcpy(multiple, &k, sizeof k);
        for (int i = 0; i < SHORT; i++) {
            const piaa_lanes l = signed_code_of(x[b][i], inverse);
            memcpy(code[i], &l, sizeof l);
        }
        for (int lane = 0; lane < LANES; lane++) {
            const int part = b * LANES + lane, half = part / 8;
            to[192 + part] = (uint8_t)(int)multiple[lane];
            for (int i = 0; i < SHORT; i++) {
                const int l = EDGE + (int)code[i][lane], at = part % 8 * SHORT + i;
                to[half * 64 + at % 64] |= (uint8_t)((l & 15) << at / 64 * 4);
                to[128 + half * 32 + at % 32] |= (uint8_t)(l >> 4 << at / 32 * 2);
            }
        }
    }
}

void piaa_quantise(enum ggml_type type, const float *from, void *to, int64_t rows,
                   int64_t columns) {
    const bool k = type == GGML_TYPE_Q4_K || type == GGML_TYPE_Q5_K;
    if (!k && type != GGML_TYPE_Q6_K) {
        ggml_quantize_chunk(type, from, to, 0, rows, columns, NULL);
        return;
    }
    uint8_t *out = to;
    for (int64_t n = rows * columns / VALUES; n > 0;
         n--, from += VALUES, out += ggml_type_size(type)) {
        if (k)
            quantise_k(from, type == GGML_TYPE_Q5_K, out);
        else
            quantise_q6_k(from, out);
    }
}
