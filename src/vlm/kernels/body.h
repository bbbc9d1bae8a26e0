/*
 * The kernels themselves, compiled twice: PIAA_BFLOAT16 1 with bfloat16 operands, 0 with float32
 * (kernels.h says what a word is).
 *
 * Everything rests on one tile: 6 rows of x times 4 vectors of 16 matrix rows, 24 sums that stay in
 * registers while the summed axis runs. One step is 4 loads, 6 broadcasts and 24 multiply-adds, so
 * the arithmetic unit is the only one that is full.  Measured on one Zen 4 core (register-only peak
 * 233 GFLOP/s in bfloat16): 6 x 4 vectors 220, 8 x 3 220, 9 x 3 214-223, 12 x 2 209, 14 x 2 173;
 * software prefetch of the panel changes nothing, its stream is one the hardware follows by itself.
 */
#include "vlm/kernels/lanes.h"

enum {
    PER_WORD = PIAA_BFLOAT16 ? 2 : 1,
    DEPTH = 1024, /* words of the summed axis at a time: a panel's slice is 256 KiB and stays in the
                     second-level cache */
    QUERIES = 48, /* per part of attention */
    KEYS = 256,   /* scored at a time */
    MARGIN = 64,  /* softmax: the exponent of 2 that a probability may reach before it is made
                     relative to a larger score */
};

static inline __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
#if PIAA_BFLOAT16
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#else
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
#endif
}

static inline __m256 multiply_add_half(__m256 sum, __m256i a, __m256i b) {
#if PIAA_BFLOAT16
    return _mm256_dpbf16_ps(sum, (__m256bh)a, (__m256bh)b);
#else
    return _mm256_fmadd_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), sum);
#endif
}

/* ------------------------------------------------------------------------------------- the tile */

/* sum[r][j] += sum over words of w[word][j] x[r][word], for 6 rows and 16 n columns.
 * w has 64 columns per word whatever n is. */
static PIAA_INLINE void multiply_tile(int n, const uint32_t *w, const uint32_t *const x[ROWS],
                                      int64_t words, __m512 sum[ROWS][4]) {
    const uint32_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5];
    for (int64_t k = 0; k < words; k++, w += PIAA_PANEL) {
        __m512i column[4];
        for (int j = 0; j < n; j++) column[j] = _mm512_loadu_si512(w + j * LANES);
        const uint32_t value[ROWS] = {x0[k], x1[k], x2[k], x3[k], x4[k], x5[k]};
        for (int r = 0; r < ROWS; r++) {
            __m512i broadcast = _mm512_set1_epi32((int)value[r]);
            for (int j = 0; j < n; j++) sum[r][j] = multiply_add(sum[r][j], column[j], broadcast);
        }
    }
}

/* c[r][j] = scale[r] c[r][j] + that; scale NULL: c starts from nothing. */
static PIAA_INLINE void tile_of(int n, const uint32_t *w, const uint32_t *const x[ROWS],
                                int64_t words, float *c, int64_t c_stride, const float *scale) {
    __m512 sum[ROWS][4];
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < n; j++)
            sum[r][j] = scale ? _mm512_mul_ps(_mm512_loadu_ps(c + r * c_stride + j * LANES),
                                              _mm512_set1_ps(scale[r]))
                              : _mm512_setzero_ps();
    multiply_tile(n, w, x, words, sum);
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < n; j++) _mm512_storeu_ps(c + r * c_stride + j * LANES, sum[r][j]);
}

/* Columns of one row of x, as when a token follows a token: the panel streams from memory, and five
 * more rows of sums would take as long as that.  Summed in the order of the tile, so that a token
 * comes out as it would among others. */
static void single_tile(int n, const uint32_t *w, const uint32_t *x, int64_t words, float *c) {
    __m512 sum[4];
    for (int j = 0; j < 4; j++) sum[j] = _mm512_setzero_ps();
    for (int64_t k = 0; k < words; k++, w += PIAA_PANEL) {
        const __m512i value = _mm512_set1_epi32((int)x[k]);
        for (int j = 0; j < 4; j++)
            sum[j] = multiply_add(sum[j], _mm512_loadu_si512(w + j * LANES), value);
    }
    for (int j = 0; j < n; j++) _mm512_storeu_ps(c + j * LANES, sum[j]);
}

/* The same for 8 columns, which is what heads of 72 leave over, and an even number of words: half
 * vectors, and even and odd words apart, or each addition would wait for the last one. */
static void half_tile(const uint32_t *w, const uint32_t *const x[ROWS], int64_t words, float *c,
                      int64_t c_stride, const float *scale) {
    __m256 sum[ROWS][2];
    for (int r = 0; r < ROWS; r++) {
        sum[r][0] = scale
                        ? _mm256_mul_ps(_mm256_loadu_ps(c + r * c_stride), _mm256_set1_ps(scale[r]))
                        : _mm256_setzero_ps();
        sum[r][1] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < words; k += 2, w += 2 * PIAA_PANEL) {
        const __m256i even = _mm256_loadu_si256((const __m256i *)w),
                      odd = _mm256_loadu_si256((const __m256i *)(w + PIAA_PANEL));
        for (int r = 0; r < ROWS; r++) {
            sum[r][0] = multiply_add_half(sum[r][0], even, _mm256_set1_epi32((int)x[r][k]));
            sum[r][1] = multiply_add_half(sum[r][1], odd, _mm256_set1_epi32((int)x[r][k + 1]));
        }
    }
    for (int r = 0; r < ROWS; r++)
        _mm256_storeu_ps(c + r * c_stride, _mm256_add_ps(sum[r][0], sum[r][1]));
}

static void tile(int n, const uint32_t *w, const uint32_t *const x[ROWS], int64_t words, float *c,
                 int64_t c_stride, const float *scale) {
    if (n == 4) tile_of(4, w, x, words, c, c_stride, scale);
    if (n == 3) tile_of(3, w, x, words, c, c_stride, scale);
    if (n == 2) tile_of(2, w, x, words, c, c_stride, scale);
    if (n == 1) tile_of(1, w, x, words, c, c_stride, scale);
}

/* 2^x for x <= MARGIN, flat below 2^-126.  For probabilities about to be rounded to bfloat16 (2e-3)
 * an error of 7.5e-5 is plenty; and adding 1.5 * 2^23 leaves the nearest whole number in the low
 * bits, which an integer addition moves into the exponent: this way only the polynomial needs the
 * multipliers, the rest runs beside it. */
static inline __m512 probability(__m512 x) {
#if PIAA_BFLOAT16
    const __m512 magic = _mm512_set1_ps(12582912.0f);
    x = _mm512_max_ps(x, _mm512_set1_ps(-126.0f));
    __m512 whole = _mm512_add_ps(x, magic), f = _mm512_sub_ps(x, _mm512_sub_ps(whole, magic));
    __m512 p =
        _mm512_fmadd_ps(_mm512_set1_ps(5.517166493e-02f), f, _mm512_set1_ps(2.426111219e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.932609862e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.999280736e-01f));
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p),
                                                _mm512_slli_epi32(_mm512_castps_si512(whole), 23)));
#else
    return exp2_of(x);
#endif
}

/* Words of 32 neighbouring probabilities, in the kernels' own type. */
static inline void store_pair(uint32_t *out, int64_t index, __m512 p, __m512 p2) {
#if PIAA_BFLOAT16
    _mm512_storeu_si512(out + index / 2, (__m512i)_mm512_cvtne2ps_pbh(p2, p));
#else
    _mm512_storeu_ps(out + index, p);
    _mm512_storeu_ps(out + index + LANES, p2);
#endif
}

/* -------------------------------------------------------------------------------------- packing */

/* 16 x 16 words, rows become columns. */
static inline void transpose(__m512i r[LANES]) {
    __m512i t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + 2 + j]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + 2 + j]);
        }
    /* Now r[4g + j], 128-bit lane l, holds rows 4g..4g+3 of column 4l + j. */
    for (int j = 0; j < 4; j++) {
        __m512i low = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88),
                high = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xDD);
        __m512i low2 = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88),
                high2 = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xDD);
        t[j] = _mm512_shuffle_i32x4(low, low2, 0x88);
        t[4 + j] = _mm512_shuffle_i32x4(high, high2, 0x88);
        t[8 + j] = _mm512_shuffle_i32x4(low, low2, 0xDD);
        t[12 + j] = _mm512_shuffle_i32x4(high, high2, 0xDD);
    }
    memcpy(r, t, sizeof t);
}

/* The rows of a panel from `first` on; those before stay as they are. */
static void pack_from(int first, const void *const rows[PIAA_PANEL], int64_t words,
                      uint32_t *panel) {
    for (int64_t k = 0; k < words; k += LANES) {
        __mmask16 mask = lanes_below(words - k);
        for (int group = first / LANES * LANES; group < PIAA_PANEL; group += LANES) {
            const __mmask16 kept = lanes_below(first - group);
            __m512i r[LANES];
            for (int i = 0; i < LANES; i++) {
                const char *row = rows[group + i];
                r[i] = row ? _mm512_maskz_loadu_epi32(mask, row + 4 * k) : _mm512_setzero_si512();
            }
            transpose(r);
            int64_t n = least(LANES, words - k);
            for (int64_t i = 0; i < n; i++)
                _mm512_mask_storeu_epi32(panel + (k + i) * PIAA_PANEL + group, _knot_mask16(kept),
                                         r[i]);
        }
    }
}

static void pack(const void *const rows[PIAA_PANEL], int64_t words, uint32_t *panel) {
    pack_from(0, rows, words, panel);
}

/* -------------------------------------------------------------------------------------- product */

typedef struct product_scratch {
    float sums[TOKENS * PIAA_PANEL];
} product_scratch;

static void product(const piaa_product *p, int64_t part, void *scratch) {
    static const float ones[ROWS] = {1, 1, 1, 1, 1, 1};
    float *sums = ((product_scratch *)scratch)->sums;
    const product_part in = part_of(p, part);
    const uint32_t *weights = (const uint32_t *)p->weights + in.panel * p->words * PIAA_PANEL;
    const int n = piaa_activation_gated(p->activation) ? 4 : (int)divide_up(in.count, LANES);
    if (p->tokens == 1) {
        single_tile(n, weights, p->x, p->words, sums);
        finish_tokens(p, &in, sums);
        return;
    }
    for (int64_t k = 0; k < p->words; k += DEPTH)
        for (int64_t t = in.begin; t < in.end; t += ROWS) {
            const uint32_t *x[ROWS]; /* the last tile repeats its last row */
            for (int r = 0; r < ROWS; r++)
                x[r] = (const uint32_t *)p->x + least(t + r, in.end - 1) * p->words + k;
            tile(n, weights + k * PIAA_PANEL, x, least(DEPTH, p->words - k),
                 sums + (t - in.begin) * PIAA_PANEL, PIAA_PANEL, k ? ones : NULL);
        }
    finish_tokens(p, &in, sums);
}

/* ---------------------------------------------------------------------------------------- norms */

static void norm(const float *x, int64_t n, const float *w, const float *b, float eps, void *out,
                 bool narrow) {
    float mean = 0;
    __m512 sum = _mm512_setzero_ps();
    if (b) {
        for (int64_t i = 0; i < n; i += LANES)
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(lanes_below(n - i), x + i));
        mean = _mm512_reduce_add_ps(sum) / (float)n;
        sum = _mm512_setzero_ps();
    }
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_below(n - i);
        __m512 d =
            _mm512_maskz_sub_ps(mask, _mm512_maskz_loadu_ps(mask, x + i), _mm512_set1_ps(mean));
        sum = _mm512_fmadd_ps(d, d, sum);
    }
    const float factor = 1.0f / sqrtf(_mm512_reduce_add_ps(sum) / (float)n + eps);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_below(n - i);
        __m512 d =
            _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_set1_ps(mean)),
                          _mm512_set1_ps(factor));
        d = _mm512_mul_ps(d, _mm512_maskz_loadu_ps(mask, w + i));
        if (b) d = _mm512_add_ps(d, _mm512_maskz_loadu_ps(mask, b + i));
        store_values(out, i, d, mask, narrow);
    }
}

/* ------------------------------------------------------------------------------------ attention */

/*
 * Packed keys and values of one head: keys as a matrix of [keys][dim], in panels of 64 keys; values
 * as a matrix of [dim][keys], in panels of 64 dimensions.  So q k^T and p v are the product's own
 * tile, with queries and probabilities as x.  Both are as wide as there is room for keys; behind
 * the last key its panel holds zeros, whatever was there before.
 */
static inline int64_t key_words(int dim) {
    return divide_up(dim, PER_WORD);
}

static inline int64_t value_words(int64_t room) {
    return divide_up(room, PIAA_PANEL) * (PIAA_PANEL / PER_WORD);
}

static inline int64_t head_words(int64_t room, int dim) {
    return divide_up(room, PIAA_PANEL) * PIAA_PANEL * key_words(dim) +
           divide_up(dim, PIAA_PANEL) * PIAA_PANEL * value_words(room);
}

static int64_t packed_words(int64_t room, int kv_heads, int dim) {
    return head_words(room, dim) * kv_heads;
}

/* Both are a few runs of words that the room for more keys only sets apart. */
static void packed_move(const uint32_t *from, int64_t from_room, uint32_t *to, int64_t to_room,
                        int64_t keys, int kv_heads, int dim) {
    const int64_t panels = divide_up(keys, PIAA_PANEL) * PIAA_PANEL, words = key_words(dim);
    for (int head = 0; head < kv_heads; head++) {
        memcpy(to, from, (size_t)(panels * words) * sizeof *to);
        const uint32_t *from_values = from + divide_up(from_room, PIAA_PANEL) * PIAA_PANEL * words;
        uint32_t *to_values = to + divide_up(to_room, PIAA_PANEL) * PIAA_PANEL * words;
        for (int d = 0; d < dim; d += PIAA_PANEL)
            memcpy(to_values + d * value_words(to_room), from_values + d * value_words(from_room),
                   (size_t)(PIAA_PANEL * value_words(keys)) * sizeof *to);
        from += head_words(from_room, dim);
        to += head_words(to_room, dim);
    }
}

/* One head of one row made ready: RMS norm, rotation, a factor, and the kernels' own type
   (zero-filled to a whole word). */
static void prepare_head(const float *x, int dim, const float *weights, float eps,
                         const float *rotary, float factor, uint32_t *out) {
    float y[PIAA_MAX_HEAD_DIM], z[PIAA_MAX_HEAD_DIM + 2];
    if (weights) {
        norm(x, dim, weights, NULL, eps, y, false);
        x = y;
    }
    const int half = dim / 2;
    if (rotary) {
        for (int i = 0; i < half; i += LANES) {
            __mmask16 mask = lanes_below(half - i);
            __m512 a = _mm512_maskz_loadu_ps(mask, x + i),
                   b = _mm512_maskz_loadu_ps(mask, x + half + i);
            __m512 c = _mm512_maskz_loadu_ps(mask, rotary + i),
                   s = _mm512_maskz_loadu_ps(mask, rotary + half + i);
            _mm512_mask_storeu_ps(z + i, mask, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
            _mm512_mask_storeu_ps(z + half + i, mask, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
        }
        x = z;
    }
    for (int i = 0; i < dim; i += LANES) {
        __mmask16 mask = lanes_below(dim - i);
        store_values(out, i,
                     _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_set1_ps(factor)),
                     mask, true);
    }
    if (dim % PER_WORD) ((uint16_t *)out)[dim] = 0;
}

/* Of one head, from the one that the first new key belongs to on. */
static inline int64_t new_panels(const piaa_attention_job *job) {
    return divide_up(job->keys, PIAA_PANEL) - job->past / PIAA_PANEL;
}

static int64_t pack_parts(const piaa_attention_job *job) {
    return job->kv_heads * new_panels(job);
}

static void pack_values(const piaa_attention_job *job, int head, int64_t first, uint32_t *values) {
    const int64_t words = value_words(job->room);
    static const float nothing[PIAA_MAX_HEAD_DIM];
    const int64_t kept = job->past > first ? job->past - first : 0;
    for (int64_t i = kept / PER_WORD * PER_WORD; i < PIAA_PANEL; i += PER_WORD) {
        const float *row[PER_WORD];
        for (int j = 0; j < PER_WORD; j++) {
            const int64_t key = first + i + j - job->past; /* among the new ones */
            row[j] = key >= 0 && key < job->keys - job->past
                         ? job->v + key * job->kv_stride + head * job->dim
                         : nothing;
        }
        uint32_t *out = values + (first + i) / PER_WORD * PIAA_PANEL;
        for (int d = 0; d < job->dim; d += LANES) {
            __mmask16 mask = lanes_below(job->dim - d);
            __m512 v = _mm512_maskz_loadu_ps(mask, row[0] + d);
            uint32_t *to = out + d / PIAA_PANEL * PIAA_PANEL * words + d % PIAA_PANEL;
#if PIAA_BFLOAT16
            __m512i low = i < kept
                              ? _mm512_and_si512(_mm512_loadu_si512(to), _mm512_set1_epi32(0xFFFF))
                              : _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(v));
            __m512i high = _mm512_cvtepu16_epi32(
                (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row[PER_WORD - 1] + d)));
            __m512i word = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
#else
            __m512i word = _mm512_castps_si512(v);
#endif
            _mm512_storeu_si512(to, word);
        }
    }
}

static void pack_keys(const piaa_attention_job *job, int64_t part) {
    uint32_t rows[PIAA_PANEL * PIAA_MAX_HEAD_DIM / PER_WORD];
    const void *pointers[PIAA_PANEL] = {NULL};
    const int64_t panels = new_panels(job), words = key_words(job->dim),
                  first = (job->past / PIAA_PANEL + part % panels) * PIAA_PANEL,
                  kept = job->past > first ? job->past - first : 0;
    const int head = (int)(part / panels);
    uint32_t *keys = job->packed + head * head_words(job->room, job->dim);
    for (int64_t i = kept; i < PIAA_PANEL && first + i < job->keys; i++) {
        const int64_t key = first + i - job->past;
        pointers[i] = rows + i * words;
        prepare_head(job->k + key * job->kv_stride + head * job->dim, job->dim, job->k_norm,
                     job->eps, job->k_rotary ? job->k_rotary + key * job->dim : NULL, 1.0f,
                     rows + i * words);
    }
    pack_from((int)kept, pointers, words, keys + first * words);
    pack_values(job, head, first, keys + divide_up(job->room, PIAA_PANEL) * PIAA_PANEL * words);
}

/* A single query's heads that share keys are the rows of one part, so that keys and values are read
   once; else a part is some queries of one head. */
static inline bool by_group(const piaa_attention_job *job) {
    return job->queries == 1 && job->heads / job->kv_heads <= QUERIES;
}

static int64_t attention_parts(const piaa_attention_job *job) {
    return by_group(job) ? job->kv_heads : job->heads * divide_up(job->queries, QUERIES);
}

/* Row statistics of the online softmax: a score that others are taken relative to, near the largest
 * so far, and the lanes' sums of 2^(score - largest). */
typedef struct running {
    float largest[QUERIES], sum[QUERIES][LANES];
} running;

/* One row of n scores (a multiple of 32), of which `visible` count without the first `hidden`, into
 * probabilities relative to the new largest one; the result is the factor for what was summed with
 * the old one. */
static inline float soften(float *scores, int64_t n, int64_t hidden, int64_t visible,
                           uint32_t *probabilities, float *largest, float *sum) {
    const __m512 nothing = _mm512_set1_ps(-1e30f);
    const int64_t whole = visible > 0 ? visible / LANES * LANES : 0;
    __m512 most = nothing, most2 = nothing, total = _mm512_setzero_ps(),
           total2 = _mm512_setzero_ps();
    if (whole < n)
        _mm512_storeu_ps(scores + whole, _mm512_mask_loadu_ps(nothing, lanes_below(visible - whole),
                                                              scores + whole));
    for (int64_t i = whole + LANES; i < n; i += LANES) _mm512_storeu_ps(scores + i, nothing);
    /* Where that is all of them the sum becomes nonsense, which the first score that counts
       multiplies by 2^(-1e30 - score) = 0. */
    for (int64_t i = 0; i < hidden; i += LANES)
        _mm512_mask_storeu_ps(scores + i, lanes_below(hidden - i), nothing);
    for (int64_t i = 0; i < n; i += 2 * LANES) {
        most = _mm512_max_ps(most, _mm512_loadu_ps(scores + i));
        most2 = _mm512_max_ps(most2, _mm512_loadu_ps(scores + i + LANES));
    }
    const float old = *largest, now = fmaxf(old, _mm512_reduce_max_ps(_mm512_max_ps(most, most2)));
    const __m512 shift = _mm512_set1_ps(now);
    for (int64_t i = 0; i < n; i += 2 * LANES) {
        __m512 p = probability(_mm512_sub_ps(_mm512_loadu_ps(scores + i), shift));
        __m512 p2 = probability(_mm512_sub_ps(_mm512_loadu_ps(scores + i + LANES), shift));
        total = _mm512_add_ps(total, p);
        total2 = _mm512_add_ps(total2, p2);
        store_pair(probabilities, i, p, p2);
    }
    const __m512 factor = exp2_of(_mm512_set1_ps(old - now));
    *largest = now;
    _mm512_storeu_ps(sum,
                     _mm512_fmadd_ps(_mm512_loadu_ps(sum), factor, _mm512_add_ps(total, total2)));
    return _mm512_cvtss_f32(factor);
}

/* Most of the work: 6 rows and 64 keys that all of them see, after the first keys.  Scores become
 * probabilities without leaving the registers, relative to what was the largest score before: that
 * is as good as the largest of all, as long as none is larger by 2^MARGIN. If one is, nothing but
 * the probabilities has changed, and the result is false.  4096 tokens, 16 heads of 72: 4 %
 * faster. */
static inline bool soften_tile(const uint32_t *w, const uint32_t *const x[ROWS], int64_t words,
                               const float *largest, float sums[ROWS][LANES],
                               uint32_t *probabilities) {
    __m512 score[ROWS][4], most = _mm512_set1_ps(-1e30f);
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < 4; j++) score[r][j] = _mm512_set1_ps(-largest[r]);
    multiply_tile(4, w, x, words, score);
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < 4; j++) most = _mm512_max_ps(most, score[r][j]);
    if (_mm512_cmp_ps_mask(most, _mm512_set1_ps(MARGIN), _CMP_GT_OQ)) return false;
    for (int r = 0; r < ROWS; r++) {
        __m512 sum = _mm512_loadu_ps(sums[r]);
        for (int j = 0; j < 4; j += 2) {
            __m512 p = probability(score[r][j]), p2 = probability(score[r][j + 1]);
            sum = _mm512_add_ps(sum, _mm512_add_ps(p, p2));
            store_pair(probabilities + r * (KEYS / PER_WORD), j * LANES, p, p2);
        }
        _mm512_storeu_ps(sums[r], sum);
    }
    return true;
}

/* KEYS keys from `key` on, for the rows from `row` on; false: they have to be softened one row at a
   time. */
static bool soften_block(const uint32_t *w, const uint32_t *const x[ROWS], int64_t words,
                         int64_t key, running *state, int64_t row, const int64_t *from,
                         const int64_t *seen, uint32_t *probabilities) {
    float sums[ROWS][LANES];
    for (int r = 0; r < ROWS; r++)
        if (from[row + r] > key || seen[row + r] < key + KEYS) return false;
    memcpy(sums, state->sum[row], sizeof sums);
    for (int64_t p = 0; p < KEYS; p += PIAA_PANEL)
        if (!soften_tile(w + p * words, x, words, state->largest + row, sums,
                         probabilities + p / PER_WORD))
            return false;
    memcpy(state->sum[row], sums, sizeof sums);
    return true;
}

typedef struct attention_scratch {
    uint32_t q[QUERIES * PIAA_MAX_HEAD_DIM / PER_WORD], probabilities[ROWS * KEYS / PER_WORD];
    float scores[ROWS * KEYS], sums[QUERIES * PIAA_MAX_HEAD_DIM];
} attention_scratch;

_Static_assert(sizeof(product_scratch) <= PIAA_SCRATCH && sizeof(attention_scratch) <= PIAA_SCRATCH,
               "PIAA_SCRATCH is too small");

static void attention(const piaa_attention_job *job, int64_t part, void *scratch) {
    attention_scratch *room = scratch;
    uint32_t *q = room->q, *probabilities = room->probabilities;
    float *scores = room->scores, *sums = room->sums;
    running state;
    int64_t seen[QUERIES], from[QUERIES];
    const int dim = job->dim, group = job->heads / job->kv_heads;
    const bool grouped = by_group(job);
    const int64_t blocks = divide_up(job->queries, QUERIES), words = key_words(dim),
                  values = value_words(job->room);
    const int64_t head = grouped ? part * group : part / blocks;
    const int64_t begin = grouped ? 0 : part % blocks * QUERIES;
    const int64_t count = grouped ? group : least(QUERIES, job->queries - begin);
    const int64_t stride = divide_up(dim, LANES) * LANES;
    const uint32_t *packed = job->packed + head / group * head_words(job->room, dim);
    const uint32_t *packed_values = packed + divide_up(job->room, PIAA_PANEL) * PIAA_PANEL * words;
    int64_t farthest = 0, nearest = job->keys;
    for (int64_t i = 0; i < QUERIES;
         i++) { /* rows beyond the last repeat it, so that tiles are whole */
        const int64_t row = grouped ? 0 : begin + least(i, count - 1);
        if (i < count) /* scores come out in powers of two */
            prepare_head(job->q + row * job->q_stride + (grouped ? head + i : head) * dim, dim,
                         job->q_norm, job->eps, job->q_rotary ? job->q_rotary + row * dim : NULL,
                         job->scale * LOG2_E, q + i * words);
        seen[i] = !job->causal ? job->keys : job->last ? job->last[row] + 1 : job->past + row + 1;
        from[i] = job->causal && job->first ? job->first[row] : 0;
        if (seen[i] > farthest) farthest = seen[i];
        if (from[i] < nearest) nearest = from[i];
        state.largest[i] = -1e30f;
        _mm512_storeu_ps(state.sum[i], _mm512_setzero_ps());
    }
    const int64_t start = nearest / KEYS * KEYS;
    for (int64_t key = start; key < farthest; key += KEYS)
        for (int64_t i = 0; i < count; i += ROWS) {
            const uint32_t *x[ROWS];
            float factors[ROWS] = {1, 1, 1, 1, 1, 1};
            int64_t end = 0;
            for (int r = 0; r < ROWS; r++) {
                x[r] = q + least(i + r, count - 1) * words;
                if (seen[i + r] > end) end = seen[i + r];
            }
            if (end <= key) continue;
            const int64_t n = divide_up(least(end - key, KEYS), 2 * LANES) * 2 * LANES;
            if (key == start || !soften_block(packed + key * words, x, words, key, &state, i, from,
                                              seen, probabilities)) {
                for (int64_t p = 0; p < n; p += PIAA_PANEL)
                    tile(n - p < PIAA_PANEL ? 2 : 4, packed + (key + p) * words, x, words,
                         scores + p, KEYS, NULL);
                for (int r = 0; r < ROWS; r++)
                    factors[r] =
                        soften(scores + r * KEYS, n, least(from[i + r] - key, n),
                               least(seen[i + r] - key, n), probabilities + r * (KEYS / PER_WORD),
                               &state.largest[i + r], state.sum[i + r]);
            }
            for (int r = 0; r < ROWS; r++) x[r] = probabilities + r * (KEYS / PER_WORD);
            for (int d = 0; d < dim; d += PIAA_PANEL) {
                const uint32_t *column = packed_values + d * values + key / PER_WORD * PIAA_PANEL;
                if (dim - d <= LANES / 2)
                    half_tile(column, x, n / PER_WORD, sums + i * stride + d, stride,
                              key > start ? factors : NULL);
                else
                    tile((int)divide_up(least(PIAA_PANEL, dim - d), LANES), column, x, n / PER_WORD,
                         sums + i * stride + d, stride, key > start ? factors : NULL);
            }
        }
    for (int64_t i = 0; i < count; i++) {
        const __m512 factor =
            _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(_mm512_loadu_ps(state.sum[i])));
        for (int d = 0; d < dim; d += LANES)
            store_values(job->out,
                         grouped ? (head + i) * dim + d
                                 : ((begin + i) * job->heads + head) * dim + d,
                         _mm512_mul_ps(_mm512_loadu_ps(sums + i * stride + d), factor),
                         lanes_below(dim - d), job->narrow);
    }
}

/* ----------------------------------------------------------------------------------------- peak */

static double peak(void) {
    enum { SUMS = 12, TURNS = 2000000 };
    __m512 sum[SUMS];
    const __m512i a = _mm512_set1_epi32(0x3F803F80), b = _mm512_set1_epi32(0x3F003F00);
    for (int i = 0; i < SUMS; i++) sum[i] = _mm512_setzero_ps();
    const double start = thread_seconds();
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < SUMS; i++) sum[i] = multiply_add(sum[i], a, b);
    const double seconds = thread_seconds() - start;
    for (int i = 1; i < SUMS; i++) sum[0] = _mm512_add_ps(sum[0], sum[i]);
    volatile float kept = _mm512_reduce_add_ps(sum[0]); /* or the compiler would drop the loop */
    (void)kept;
    return 2e-9 * LANES * PER_WORD * SUMS * TURNS / seconds;
}

extern const piaa_kernels PIAA_KERNELS;
const piaa_kernels PIAA_KERNELS = {
    .name = PIAA_BFLOAT16 ? "AVX-512 BF16" : "AVX-512",
    .bfloat16 = PIAA_BFLOAT16,
    .pack = pack,
    .product_parts = product_parts,
    .product = product,
    .finish = finish,
    .packed_words = packed_words,
    .packed_move = packed_move,
    .pack_parts = pack_parts,
    .pack_keys = pack_keys,
    .attention_parts = attention_parts,
    .attention = attention,
    .norm = norm,
    .peak = peak,
};
