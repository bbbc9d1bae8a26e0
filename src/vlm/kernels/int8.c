/*
 * Products with weights in codes of at most 8 bits and activations rounded to 8 bits, for CPUs with
 * AVX512_VNNI: vpdpbusd multiplies and adds 64 pairs of bytes where vdpbf16ps has 32 pairs of
 * bfloat16.
 *
 * A row of x is rounded in groups of 32: x_k = s q_k, q_k whole and at most 127 in size.  Weights
 * come as w_k = d (c_k - 128) with bytes c, so that a row of the matrix times x is sum over groups
 * of d s (sum c_k q_k - 128 sum q_k) whose inner sum is exact in 32 bits and starts from -128 sum
 * q, which is ready with the rounded x.
 *
 * vpdpbusd takes two ports of the CPU, and floating-point multiplications the same two.  With d and
 * s of every group's own there are two of those, d s and the sum, for every eight vpdpbusd, and
 * nothing faster than 0.8 of the peak.  Hence three ways, by what there is to lose:
 *
 *   group scales  s = max|x| / 127 of the group, d the group's own.  q8_0, where nothing in the
 *                 model is coarser.
 *   plain         d the same, but s = 2^-p max|x| / 127 of the slice of 256 values, p as large (up
 *                 to 8) as the group allows: the sum is shifted, which another port does, and one
 *                 multiplication is left.  q4_0, q5_0, and q8_0 beside them.
 *   requantised   d = max|w| / 127 of the slice too: every multiplication waits for the end of the
 *                 slice.  For q4_K, q5_K, q6_K, q4_1 and q5_1, which have offsets or shorter
 *                 blocks, dearer still.  Unpacking rounds their values anew, in 16 bits: c = (A
 *                 code + B) >> 8, with A and B for each block of each row.
 *
 * What is lost, as a share of the spread of normally distributed values: rounding x 0.0048 (group
 * scales) or 0.0066, rounding weights anew 0.0066, beside what the types have lost already: q8_0
 * 0.0048, q6_K 0.018, q5_K 0.035, q4_K 0.070.  They add as squares.
 *
 * The tile is 2 rows of x times 64 rows of the matrix: 8 whole sums, 8 more, and in registers all
 * of them.  A slice of the panel is unpacked to bytes (16 KiB: the first-level cache) and serves
 * all rows of the part.  Of a core's 468 GOP/s: group scales 325 to 340, plain 350 to 365,
 * requantised 350 to 375; the tile alone 0.8, 0.88 and 1.0 of the peak; the rest is unpacking (3
 * %), finishing (4 %), rounding x (1 %), and misses. Fetching the next slice and the lines of the
 * result while a tile computes brought 5 to 9 %.
 *
 * Compiler extensions: see lanes.h.
 */
#define PIAA_BFLOAT16 0
#include "vlm/kernels/lanes.h"

enum {
    GROUP = PIAA_GROUP,
    DEPTH = 256,                   /* values of the summed axis at a time */
    GROUPS = DEPTH / GROUP,        /* of a slice */
    SHIFT = 8,                     /* the smallest scale of a group is the slice's over 2^8 */
    HEIGHT = 2,                    /* rows of x in the tile */
    WORD = 4,                      /* values of a 32-bit lane */
    VECTOR = LANES * WORD,         /* bytes of a vector */
    PER_WORD = PIAA_PANEL / LANES, /* vectors for a word of each row of a panel */
};

_Static_assert(ROWS % HEIGHT == 0, "parts have to hold whole tiles");

/* A slice of a panel made ready. */
typedef struct slice {
    uint8_t codes[DEPTH * PIAA_PANEL]; /* [DEPTH / 4][64][4] */
    float scales[GROUPS][PIAA_PANEL];  /* a single row if it is rounded anew */
} slice;

typedef struct scratch_room {
    slice slice;
    float sums[TOKENS * PIAA_PANEL];
} scratch_room;

_Static_assert(sizeof(scratch_room) <= PIAA_SCRATCH, "PIAA_SCRATCH is too small");

/* ------------------------------------------------------------------------------------ rounded x */

/* A slice of a rounded row: everything that a tile needs of it in one place.  Rows of a slice
 * follow each other, so that a part streams through them. */
typedef struct rounded {
    int8_t q[DEPTH];
    int32_t start[GROUPS]; /* -128 sum q */
    /* s of each group; or, where they are powers of 2 apart, of the last power. */
    float scale[GROUPS];
    int32_t shift[GROUPS]; /* and these */
} rounded;

static size_t rounded_bytes(int64_t tokens, int64_t columns) {
    return (size_t)(divide_up(columns, DEPTH) * tokens) * sizeof(rounded);
}

/* The larger, or the sum; and of each eight of 64 numbers. */
static inline __m512 either(__m512 a, __m512 b, bool add) {
    return add ? _mm512_add_ps(a, b) : _mm512_max_ps(a, b);
}

static inline __m256 fold(const __m512 t[4], bool add) {
    __m512 a =
        either(_mm512_shuffle_f32x4(t[0], t[1], 0x88), _mm512_shuffle_f32x4(t[0], t[1], 0xDD), add);
    __m512 b =
        either(_mm512_shuffle_f32x4(t[2], t[3], 0x88), _mm512_shuffle_f32x4(t[2], t[3], 0xDD), add);
    __m512 c = either(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE), add);
    c = either(c, _mm512_permute_ps(c, 0xB1), add);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castps512_ps256(_mm512_permutexvar_ps(order, c));
}

/* x [GROUP * groups]; powers: scales are the slice's own over powers of 2. */
static inline void round_slice(const float *x, int64_t groups, bool powers, rounded *out) {
    __m512 value[GROUPS][2], most[GROUPS], t[GROUPS / 2];
    for (int g = 0; g < GROUPS; g++) {
        const __mmask16 mask = g < groups ? 0xFFFF : 0;
        for (int i = 0; i < 2; i++)
            value[g][i] = _mm512_maskz_loadu_ps(mask, x + g * GROUP + i * LANES);
        most[g] = _mm512_max_ps(_mm512_abs_ps(value[g][0]), _mm512_abs_ps(value[g][1]));
    }
    for (int g = 0; g < GROUPS; g += 2)
        t[g / 2] = _mm512_max_ps(_mm512_shuffle_f32x4(most[g], most[g + 1], 0x44),
                                 _mm512_shuffle_f32x4(most[g], most[g + 1], 0xEE));
    const __m256 largest = fold(t, false), full = _mm256_set1_ps(127.0f);
    float factor[GROUPS];
    if (powers) {
        const __m512 every = _mm512_castps256_ps512(largest);
        const __m256 top = _mm256_set1_ps(_mm512_mask_reduce_max_ps(0xFF, every));
        /* SHIFT for 0 / 0. */
        const __m256 power =
            _mm256_min_ps(_mm256_getexp_ps(_mm256_div_ps(top, largest)), _mm256_set1_ps(SHIFT));
        const __m256 inverse = _mm256_maskz_div_ps(
            _mm256_cmp_ps_mask(top, _mm256_setzero_ps(), _CMP_NEQ_UQ), full, top);
        _mm256_storeu_ps(factor, _mm256_scalef_ps(inverse, power));
        _mm256_storeu_ps(out->scale, _mm256_div_ps(top, _mm256_set1_ps(127.0f * (1 << SHIFT))));
        _mm256_storeu_si256((__m256i *)(void *)out->shift,
                            _mm256_sub_epi32(_mm256_set1_epi32(SHIFT), _mm256_cvtps_epi32(power)));
    } else { /* a group of zeros keeps them */
        _mm256_storeu_ps(factor, _mm256_maskz_div_ps(
                                     _mm256_cmp_ps_mask(largest, _mm256_setzero_ps(), _CMP_NEQ_UQ),
                                     full, largest));
        _mm256_storeu_ps(out->scale, _mm256_div_ps(largest, full));
        _mm256_storeu_si256((__m256i *)(void *)out->shift, _mm256_setzero_si256());
    }
    for (int g = 0; g < GROUPS; g++)
        for (int i = 0; i < 2; i++)
            _mm_storeu_si128((__m128i *)(void *)(out->q + g * GROUP + i * LANES),
                             _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(
                                 _mm512_mul_ps(value[g][i], _mm512_set1_ps(factor[g])))));
    for (int g = 0; g < GROUPS; g += 2) {
        const __m512i both = _mm512_loadu_si512(out->q + g * GROUP);
        t[g / 2] = _mm512_cvtepi32_ps(
            _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8((char)128), both));
    }
    const __m256i sum = _mm256_cvtps_epi32(fold(t, true));
    _mm256_storeu_si256((__m256i *)(void *)out->start,
                        _mm256_sub_epi32(_mm256_setzero_si256(), sum));
}

static void quantise_row(const piaa_codes *codes, const float *x, int64_t columns, int64_t token,
                         int64_t tokens, void *out) {
    for (int64_t k = 0; k < columns; k += DEPTH)
        round_slice(x + k, least(DEPTH, columns - k) / GROUP, !codes->group_scales,
                    (rounded *)out + k / DEPTH * tokens + token);
}

/* ------------------------------------------------------------------------------------ unpacking */

/* Where things lie in a group of a panel; codes.c tells more. */
typedef struct layout {
    size_t planes, scales, offsets, bytes;
    int blocks;
} layout;

static layout layout_of(const piaa_codes *codes) {
    enum { HALVES = 2 * PIAA_PANEL, PLANE = GROUP * PIAA_PANEL / 8 };
    layout at = {
        .planes = 4 * PLANE, .scales = (size_t)codes->bits * PLANE, .blocks = GROUP / codes->block};
    at.offsets = at.scales + HALVES * (size_t)at.blocks;
    at.bytes = at.offsets + (codes->offset ? HALVES : 0);
    return at;
}

static inline __m512 halves(const uint8_t *from, int vector) {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256((const __m256i *)(const void *)(from + vector * 2 * LANES)));
}

/* 16-bit lanes 2i and 2i + 1 are the whole number nearest to v[i], modulo 2^16. */
static inline __m512i twice(__m512 v) {
    const __m512i whole = _mm512_cvtps_epi32(v);
    return _mm512_mask_blend_epi16(0xAAAAAAAA, whole, _mm512_slli_epi32(whole, 16));
}

/* (a code + b) >> 8 for 64 bytes, four to a lane. */
static inline __m512i requantise(__m512i code, __m512i a, __m512i b) {
    __m512i even =
        _mm512_add_epi16(_mm512_mullo_epi16(_mm512_and_si512(code, _mm512_set1_epi16(255)), a), b);
    __m512i odd = _mm512_add_epi16(_mm512_mullo_epi16(_mm512_srli_epi16(code, 8), a), b);
    return _mm512_mask_blend_epi8(0xAAAAAAAAAAAAAAAA, _mm512_srli_epi16(even, 8), odd);
}

/* What makes bytes of the codes of one group, for each 16 rows and each block. */
typedef struct change {
    __m512i a[2][PER_WORD], b[2][PER_WORD];
} change;

/* The slice's scales, and for types that are rounded anew their changes. */
static void settle_scales(const piaa_codes *codes, const layout *at, const uint8_t *from,
                          int64_t groups, slice *to, change *changes) {
    const __m512 centre = _mm512_set1_ps((float)codes->centre),
                 top = _mm512_set1_ps((float)((1 << codes->bits) - 1 - codes->centre));
    for (int v = 0; v < PER_WORD; v++) {
        __m512 most = _mm512_setzero_ps();
        for (int64_t g = 0; g < groups; g++)
            for (int i = 0; i < at->blocks; i++) {
                const uint8_t *group = from + at->bytes * (size_t)g;
                const __m512 scale = halves(group + at->scales, PER_WORD * i + v);
                if (!codes->requantise) _mm512_storeu_ps(to->scales[g] + v * LANES, scale);
                const __m512 offset =
                    codes->offset ? halves(group + at->offsets, v) : _mm512_setzero_ps();
                most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_fnmadd_ps(scale, centre, offset)));
                most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_fmadd_ps(scale, top, offset)));
            }
        if (!codes->requantise) continue;
        const __m512 factor =
            _mm512_maskz_div_ps(_mm512_cmp_ps_mask(most, _mm512_setzero_ps(), _CMP_NEQ_UQ),
                                _mm512_set1_ps(127.0f * 256.0f), most);
        _mm512_storeu_ps(to->scales[0] + v * LANES, _mm512_div_ps(most, _mm512_set1_ps(127.0f)));
        for (int64_t g = 0; g < groups; g++)
            for (int i = 0; i < at->blocks; i++) {
                const uint8_t *group = from + at->bytes * (size_t)g;
                const __m512 scale = halves(group + at->scales, PER_WORD * i + v);
                const __m512 offset =
                    codes->offset ? halves(group + at->offsets, v) : _mm512_setzero_ps();
                changes[g].a[i][v] = twice(_mm512_mul_ps(scale, factor));
                /* 128 in the middle, and a half */
                changes[g].b[i][v] =
                    twice(_mm512_fmadd_ps(_mm512_fnmadd_ps(scale, centre, offset), factor,
                                          _mm512_set1_ps(128.5f * 256.0f)));
            }
    }
}

/* 64 codes: low halves of bytes, and bits from the planes. */
static inline __m512i with_planes(__m512i code, int bits, const uint8_t *planes, int vector) {
    for (int bit = 4; bit < bits; bit++) {
        uint64_t mask;
        memcpy(&mask, planes + ((bit - 4) * GROUP * PIAA_PANEL / VECTOR + vector) * 8, sizeof mask);
        code = _mm512_mask_add_epi8(code, _cvtu64_mask64(mask), code,
                                    _mm512_set1_epi8((char)(1 << bit)));
    }
    return code;
}

static PIAA_INLINE void unpack_group(int bits, const piaa_codes *codes, const layout *at,
                                     const uint8_t *from, const change *by, uint8_t *to) {
    const __m512i low = _mm512_set1_epi8(15),
                  middle = _mm512_set1_epi8((char)(128 - codes->centre));
    for (int pair = 0; pair < PER_WORD; pair += 2)
        for (int k = 0; k < GROUP / WORD; k++) {
            const int v = k * PER_WORD + pair;
            const __m512i both = _mm512_loadu_si512(from + v / 2 * VECTOR);
            __m512i first = with_planes(_mm512_and_si512(both, low), bits, from + at->planes, v);
            __m512i second = with_planes(_mm512_and_si512(_mm512_srli_epi16(both, 4), low), bits,
                                         from + at->planes, v + 1);
            if (codes->requantise) {
                const int block = k * at->blocks / (GROUP / WORD);
                first = requantise(first, by->a[block][pair], by->b[block][pair]);
                second = requantise(second, by->a[block][pair + 1], by->b[block][pair + 1]);
            } else {
                first = _mm512_add_epi8(first, middle);
                second = _mm512_add_epi8(second, middle);
            }
            _mm512_storeu_si512(to + v * VECTOR, first);
            _mm512_storeu_si512(to + (v + 1) * VECTOR, second);
        }
}

static void unpack(const piaa_codes *codes, const layout *at, const uint8_t *from, int64_t groups,
                   slice *to) {
    change changes[GROUPS];
    settle_scales(codes, at, from, groups, to, changes);
    for (int64_t g = 0; g < groups; g++, from += at->bytes) {
        uint8_t *out = to->codes + g * GROUP * PIAA_PANEL;
        if (codes->bits == 8) memcpy(out, from, GROUP * PIAA_PANEL);
        if (codes->bits == 6) unpack_group(6, codes, at, from, &changes[g], out);
        if (codes->bits == 5) unpack_group(5, codes, at, from, &changes[g], out);
        if (codes->bits == 4) unpack_group(4, codes, at, from, &changes[g], out);
    }
}

/* ------------------------------------------------------------------------------------- the tile */

/* dot[r][64] = start + a group of the slice times the same of x[r] */
static PIAA_INLINE void dot_of(const slice *w, int64_t g, const rounded *const x[HEIGHT],
                               __m512i dot[HEIGHT][PER_WORD]) {
    const uint8_t *codes = w->codes + g * GROUP * PIAA_PANEL;
    for (int r = 0; r < HEIGHT; r++)
        for (int j = 0; j < PER_WORD; j++) dot[r][j] = _mm512_set1_epi32(x[r]->start[g]);
    for (int k = 0; k < GROUP / WORD; k++) {
        __m512i column[PER_WORD];
        for (int j = 0; j < PER_WORD; j++)
            column[j] = _mm512_loadu_si512(codes + (k * PER_WORD + j) * VECTOR);
        for (int r = 0; r < HEIGHT; r++) {
            int32_t word;
            memcpy(&word, x[r]->q + g * GROUP + k * WORD, sizeof word);
            for (int j = 0; j < PER_WORD; j++)
                dot[r][j] = _mm512_dpbusd_epi32(dot[r][j], column[j], _mm512_set1_epi32(word));
        }
    }
}

/* sums[r][64] += slice times x[r], `groups` deep; each group of the slice has its scales, and of x
   too if it has `group_scales`. */
static PIAA_INLINE void tile_of(bool group_scales, const slice *w, int64_t groups,
                                const rounded *const x[HEIGHT], float *sums) {
    __m512 sum[HEIGHT][PER_WORD];
    for (int r = 0; r < HEIGHT; r++)
        for (int j = 0; j < PER_WORD; j++)
            sum[r][j] = group_scales ? _mm512_loadu_ps(sums + r * PIAA_PANEL + j * LANES)
                                     : _mm512_setzero_ps();
    for (int64_t g = 0; g < groups; g++) {
        __m512i dot[HEIGHT][PER_WORD];
        dot_of(w, g, x, dot);
        for (int r = 0; r < HEIGHT; r++)
            for (int j = 0; j < PER_WORD; j++) {
                __m512 scale = _mm512_loadu_ps(w->scales[g] + j * LANES);
                if (group_scales)
                    scale = _mm512_mul_ps(scale, _mm512_set1_ps(x[r]->scale[g]));
                else
                    dot[r][j] = _mm512_sllv_epi32(dot[r][j], _mm512_set1_epi32(x[r]->shift[g]));
                sum[r][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][j]), scale, sum[r][j]);
            }
    }
    for (int r = 0; r < HEIGHT; r++)
        for (int j = 0; j < PER_WORD; j++) {
            float *to = sums + r * PIAA_PANEL + j * LANES;
            if (!group_scales)
                sum[r][j] =
                    _mm512_fmadd_ps(sum[r][j], _mm512_set1_ps(x[r]->scale[0]), _mm512_loadu_ps(to));
            _mm512_storeu_ps(to, sum[r][j]);
        }
}

static void tile_fine(const slice *w, int64_t groups, const rounded *const x[HEIGHT], float *sums) {
    tile_of(true, w, groups, x, sums);
}

static void tile_plain(const slice *w, int64_t groups, const rounded *const x[HEIGHT],
                       float *sums) {
    tile_of(false, w, groups, x, sums);
}

/* The same; the slice has one scale for each row on either side. */
static void tile_again(const slice *w, int64_t groups, const rounded *const x[HEIGHT],
                       float *sums) {
    __m512i sum[HEIGHT][PER_WORD];
    for (int r = 0; r < HEIGHT; r++)
        for (int j = 0; j < PER_WORD; j++) sum[r][j] = _mm512_setzero_si512();
    for (int64_t g = 0; g < groups; g++) {
        __m512i dot[HEIGHT][PER_WORD];
        dot_of(w, g, x, dot);
        for (int r = 0; r < HEIGHT; r++)
            for (int j = 0; j < PER_WORD; j++)
                sum[r][j] = _mm512_add_epi32(
                    sum[r][j], _mm512_sllv_epi32(dot[r][j], _mm512_set1_epi32(x[r]->shift[g])));
    }
    for (int r = 0; r < HEIGHT; r++)
        for (int j = 0; j < PER_WORD; j++) {
            float *to = sums + r * PIAA_PANEL + j * LANES;
            const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(x[r]->scale[0]),
                                               _mm512_loadu_ps(w->scales[0] + j * LANES));
            _mm512_storeu_ps(
                to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][j]), scale, _mm512_loadu_ps(to)));
        }
}

/* While a tile computes: the slice that comes next, and where the results will go. */
static PIAA_INLINE void fetch_ahead(const piaa_product *p, const product_part *in,
                                    const uint8_t *next, int64_t t, bool last) {
    enum { LINE = 64, LINES = 4 };
    for (int i = 0; i < LINES; i++)
        _mm_prefetch((const char *)next + ((t - in->begin) / HEIGHT * LINES + i) * LINE,
                     _MM_HINT_T1);
    if (!last) return;
    const int64_t columns = piaa_activation_gated(p->activation) ? p->rows / 2 : p->rows;
    for (int r = 0; r < HEIGHT; r++)
        for (int64_t j = 0; j < in->count; j += LANES)
            _mm_prefetch((const char *)((const float *)p->out +
                                        least(t + r, in->end - 1) * columns + in->first + j),
                         _MM_HINT_ET0);
}

/* ---------------------------------------------------------------------------------- a single row
 */

/* Of 16 whole numbers. */
static inline int32_t sum_of_16(const int8_t *q) {
    const __m128i bytes = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)q),
                                        _mm_set1_epi8((char)128)); /* 128 more, unsigned */
    const __m128i sums = _mm_sad_epu8(bytes, _mm_setzero_si128());
    return _mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 2) - 16 * 128;
}

static inline int32_t word_of(const int8_t *q, int k) {
    int32_t word;
    memcpy(&word, q + k * WORD, sizeof word);
    return word;
}

/* dot[64] += words [begin, end) of a group of the panel times the same of q. */
static PIAA_INLINE void dot_of_codes(int bits, const layout *at, const uint8_t *from,
                                     const int8_t *q, int begin, int end, __m512i dot[PER_WORD]) {
    const __m512i low = _mm512_set1_epi8(15);
    for (int k = begin; k < end; k++) {
        const __m512i word = _mm512_set1_epi32(word_of(q, k));
        for (int pair = 0; pair < PER_WORD; pair += 2) {
            const int v = k * PER_WORD + pair;
            __m512i first, second;
            if (bits == 8) {
                first = _mm512_loadu_si512(from + v * VECTOR);
                second = _mm512_loadu_si512(from + (v + 1) * VECTOR);
            } else {
                const __m512i both = _mm512_loadu_si512(from + v / 2 * VECTOR);
                first = with_planes(_mm512_and_si512(both, low), bits, from + at->planes, v);
                second = with_planes(_mm512_and_si512(_mm512_srli_epi16(both, 4), low), bits,
                                     from + at->planes, v + 1);
            }
            dot[pair] = _mm512_dpbusd_epi32(dot[pair], first, word);
            dot[pair + 1] = _mm512_dpbusd_epi32(dot[pair + 1], second, word);
        }
    }
}

/* sums[64] += a slice of the panel times x, straight from the codes: unpacking a slice would take
 * as long as three rows of x do.  Nothing is rounded anew; where that is not asked for either, the
 * sums are those of the tile. */
static PIAA_INLINE void single_slice(int bits, const piaa_codes *codes, const layout *at,
                                     const uint8_t *from, int64_t groups, const rounded *x,
                                     __m512 sums[PER_WORD]) {
    const int blocks = at->blocks, words = GROUP / WORD / blocks;
    __m512 sum[PER_WORD];
    for (int j = 0; j < PER_WORD; j++) sum[j] = codes->group_scales ? sums[j] : _mm512_setzero_ps();
    for (int64_t g = 0; g < groups; g++, from += at->bytes) {
        const int8_t *q = x->q + g * GROUP;
        const __m512i shift = _mm512_set1_epi32(x->shift[g]);
        for (int i = 0; i < blocks; i++) {
            const int32_t all = blocks == 1 ? -x->start[g] / 128 : sum_of_16(q + i * 16);
            __m512i dot[PER_WORD];
            for (int j = 0; j < PER_WORD; j++) dot[j] = _mm512_set1_epi32(-codes->centre * all);
            dot_of_codes(bits, at, from, q, i * words, (i + 1) * words, dot);
            for (int j = 0; j < PER_WORD; j++) {
                __m512 scale = halves(from + at->scales, PER_WORD * i + j);
                if (codes->group_scales)
                    scale = _mm512_mul_ps(scale, _mm512_set1_ps(x->scale[g]));
                else
                    dot[j] = _mm512_sllv_epi32(dot[j], shift);
                sum[j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[j]), scale, sum[j]);
            }
        }
        if (!codes->offset) continue;
        const __m512 all = _mm512_set1_ps((float)(-x->start[g] / 128 * (1 << x->shift[g])));
        for (int j = 0; j < PER_WORD; j++)
            sum[j] = _mm512_fmadd_ps(halves(from + at->offsets, j), all, sum[j]);
    }
    for (int j = 0; j < PER_WORD; j++)
        sums[j] = codes->group_scales
                      ? sum[j]
                      : _mm512_fmadd_ps(sum[j], _mm512_set1_ps(x->scale[0]), sums[j]);
}

static void single(const piaa_product *p, const product_part *in, const uint8_t *weights,
                   float *out) {
    const layout at = layout_of(p->codes);
    const rounded *x = p->x;
    __m512 sums[PER_WORD];
    for (int j = 0; j < PER_WORD; j++) sums[j] = _mm512_setzero_ps();
    for (int64_t k = 0; k < p->words; k += DEPTH, x++) {
        const int64_t groups = least(DEPTH, p->words - k) / GROUP;
        if (p->codes->bits == 8) single_slice(8, p->codes, &at, weights, groups, x, sums);
        if (p->codes->bits == 6) single_slice(6, p->codes, &at, weights, groups, x, sums);
        if (p->codes->bits == 5) single_slice(5, p->codes, &at, weights, groups, x, sums);
        if (p->codes->bits == 4) single_slice(4, p->codes, &at, weights, groups, x, sums);
        weights += at.bytes * (size_t)groups;
    }
    for (int j = 0; j < PER_WORD; j++) _mm512_storeu_ps(out + j * LANES, sums[j]);
    finish_tokens(p, in, out);
}

/* -------------------------------------------------------------------------------------- product */

static void product(const piaa_product *p, int64_t part, void *scratch) {
    scratch_room *room = scratch;
    const product_part in = part_of(p, part);
    const int64_t columns = p->words;
    const layout at = layout_of(p->codes);
    const uint8_t *weights =
        (const uint8_t *)p->weights + piaa_codes_panel_bytes(p->codes, columns) * (size_t)in.panel;
    if (p->tokens == 1) {
        single(p, &in, weights, room->sums);
        return;
    }
    memset(room->sums, 0,
           (size_t)(divide_up(in.end - in.begin, HEIGHT) * HEIGHT * PIAA_PANEL) *
               sizeof *room->sums);
    for (int64_t k = 0; k < columns; k += DEPTH) {
        const int64_t groups = least(DEPTH, columns - k) / GROUP;
        unpack(p->codes, &at, weights, groups, &room->slice);
        weights += at.bytes * (size_t)groups;
        for (int64_t t = in.begin; t < in.end; t += HEIGHT) {
            fetch_ahead(p, &in, weights, t, k + DEPTH >= columns);
            const rounded *x[HEIGHT]; /* the last tile repeats its last row */
            for (int r = 0; r < HEIGHT; r++)
                x[r] = (const rounded *)p->x + k / DEPTH * p->tokens + least(t + r, in.end - 1);
            float *sums = room->sums + (t - in.begin) * PIAA_PANEL;
            if (p->codes->requantise)
                tile_again(&room->slice, groups, x, sums);
            else if (p->codes->group_scales)
                tile_fine(&room->slice, groups, x, sums);
            else
                tile_plain(&room->slice, groups, x, sums);
        }
    }
    finish_tokens(p, &in, room->sums);
}

static double peak(void) {
    enum { SUMS = 12, TURNS = 2000000 };
    __m512i sum[SUMS];
    const __m512i a = _mm512_set1_epi32(0x01020304), b = _mm512_set1_epi32(0x01FF01FF);
    for (int i = 0; i < SUMS; i++) sum[i] = _mm512_setzero_si512();
    const double start = thread_seconds();
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbusd_epi32(sum[i], a, b);
    const double seconds = thread_seconds() - start;
    for (int i = 1; i < SUMS; i++) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    volatile int kept = _mm512_reduce_add_epi32(sum[0]); /* or the compiler would drop the loop */
    (void)kept;
    return 2e-9 * VECTOR * SUMS * TURNS / seconds;
}

extern const piaa_kernels piaa_kernels_int8;
const piaa_kernels piaa_kernels_int8 = {
    .name = "AVX-512 VNNI",
    .rounded_bytes = rounded_bytes,
    .quantise = quantise_row,
    .product_parts = product_parts,
    .product = product,
    .finish = finish,
    .peak = peak,
};
