/*
 * Products with weights in codes of at most 8 bits and activations rounded to 8 bits, for CPUs with AVX512_VNNI: vpdpbusd multiplies and
 * adds 64 pairs of bytes where vdpbf16ps has 32 pairs of bfloat16.
 *
 * A row of x is rounded in groups of 32: x_k = s round(x_k / s) with s = max|x| / 127 of the group.  With q the rounded x, c a code and, in
 * block j of the row, value = scale_j (c - centre) + offset_j:
 *
 *   sum_k w_k x_k = sum_j [ scale_j s_j (sum c_k q_k - centre sum q_k) + offset_j (s_j sum q_k) ]
 *
 * The inner sum is exact in 32 bits (32 * 255 * 127 is 20 bits) and starts from -centre sum q, which belongs to the row of x and is ready
 * with it; so is s_j sum q.  Nothing is rounded but x, and then the float32 sums.
 *
 * The tile is ROWS rows of x times 64 rows of the matrix: 12 whole sums and 12 in float32, all in registers.  A slice of the panel, 256
 * deep, is unpacked to bytes (16 KiB: the first-level cache) and serves all rows of the part.
 *
 * Compiler extensions: see lanes.h.
 */
#define PIAA_HALF 0
#include "vlm/kernels/lanes.h"

enum {
    GROUP = PIAA_GROUP,
    DEPTH = 256,                   /* values of the summed axis at a time */
    HEIGHT = 2,                    /* rows of x in the tile */
    WORD = 4,                      /* values of a 32-bit lane */
    VECTOR = LANES * WORD,         /* bytes of a vector */
    PER_WORD = PIAA_PANEL / LANES, /* vectors for a word of each row of a panel */
};

_Static_assert(ROWS % HEIGHT == 0, "parts have to hold whole tiles");

/* A slice of a panel made ready. */
typedef struct slice {
    uint8_t codes[DEPTH * PIAA_PANEL]; /* [DEPTH / 4][64][4] */
    float scales[2 * DEPTH / GROUP][PIAA_PANEL], offsets[DEPTH / GROUP][PIAA_PANEL];
} slice;

typedef struct scratch_room {
    slice slice;
    float sums[TOKENS * PIAA_PANEL];
} scratch_room;

_Static_assert(sizeof(scratch_room) <= PIAA_SCRATCH, "PIAA_SCRATCH is too small");

/* ---------------------------------------------------------------------------------------------------------------- rounded x */

/* A slice of a rounded row: everything that a tile needs of it in one place.  Rows of a slice follow each other, so that a part streams
 * through them. */
typedef struct rounded {
    int8_t q[DEPTH];
    float scale[DEPTH / GROUP], sum[DEPTH / GROUP]; /* s, s sum q */
    int32_t start[2 * DEPTH / GROUP];               /* -centre sum q, for each block */
} rounded;

static size_t rounded_bytes(int64_t tokens, int64_t columns) {
    return (size_t)(divide_up(columns, DEPTH) * tokens) * sizeof(rounded);
}

static void round_row(const piaa_codes *codes, const float *x, int64_t columns, int64_t token, int64_t tokens, void *out) {
    for (int64_t k = 0; k < columns; k += GROUP) {
        rounded *to = (rounded *)out + k / DEPTH * tokens + token;
        const int64_t group = k % DEPTH / GROUP;
        __m512 a = _mm512_loadu_ps(x + k), b = _mm512_loadu_ps(x + k + LANES);
        const float most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
        const __m512 factor = _mm512_set1_ps(most > 0 ? 127.0f / most : 0.0f);
        __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(a, factor)), high = _mm512_cvtps_epi32(_mm512_mul_ps(b, factor));
        _mm_storeu_si128((__m128i *)(void *)(to->q + k % DEPTH), _mm512_cvtsepi32_epi8(low));
        _mm_storeu_si128((__m128i *)(void *)(to->q + k % DEPTH + LANES), _mm512_cvtsepi32_epi8(high));
        const int32_t first = _mm512_reduce_add_epi32(low), second = _mm512_reduce_add_epi32(high);
        if (codes->block < GROUP) {
            to->start[2 * group] = -codes->centre * first;
            to->start[2 * group + 1] = -codes->centre * second;
        } else {
            to->start[group] = -codes->centre * (first + second);
        }
        to->scale[group] = most / 127.0f;
        to->sum[group] = most / 127.0f * (float)(first + second);
    }
}

/* ----------------------------------------------------------------------------------------------------------------- unpacking */

static const uint8_t *unpack_floats(const uint8_t *from, float *to) {
    for (int i = 0; i < PIAA_PANEL; i += LANES, from += 2 * LANES)
        _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)from)));
    return from;
}

/* One group of a panel (codes.c tells how it lies), and where the next one begins. */
static const uint8_t *unpack_group(const piaa_codes *codes, const uint8_t *from, int64_t group, slice *to) {
    enum { VECTORS = GROUP * PIAA_PANEL / VECTOR };
    uint8_t *out = to->codes + group * GROUP * PIAA_PANEL;
    const __m512i low = _mm512_set1_epi8(15);
    if (codes->bits == 8) {
        memcpy(out, from, VECTORS * VECTOR);
        from += VECTORS * VECTOR;
    } else {
        const uint8_t *planes = from + VECTORS * VECTOR / 2;
        for (int v = 0; v < VECTORS; v += 2, from += VECTOR) {
            const __m512i both = _mm512_loadu_si512(from);
            _mm512_storeu_si512(out + v * VECTOR, _mm512_and_si512(both, low));
            _mm512_storeu_si512(out + (v + 1) * VECTOR, _mm512_and_si512(_mm512_srli_epi16(both, 4), low));
        }
        for (int bit = 4; bit < codes->bits; bit++)
            for (int v = 0; v < VECTORS; v++, planes += 8) {
                uint64_t mask;
                memcpy(&mask, planes, sizeof mask);
                const __m512i value = _mm512_loadu_si512(out + v * VECTOR);
                _mm512_storeu_si512(out + v * VECTOR,
                                    _mm512_mask_add_epi8(value, _cvtu64_mask64(mask), value, _mm512_set1_epi8((char)(1 << bit))));
            }
        from = planes;
    }
    const int scales = GROUP / codes->block;
    for (int i = 0; i < scales; i++) from = unpack_floats(from, to->scales[group * scales + i]);
    return codes->offset ? unpack_floats(from, to->offsets[group]) : from;
}

/* ------------------------------------------------------------------------------------------------------------------ the tile */

/* sums[r][64] += slice times x[r], `groups` deep. */
static inline __attribute__((always_inline)) void tile_of(int block, bool offset, const slice *w, int64_t groups,
                                                          const rounded *const x[HEIGHT], float *sums) {
    const int blocks = GROUP / block;
    __m512 sum[HEIGHT][PER_WORD];
    for (int r = 0; r < HEIGHT; r++)
        for (int j = 0; j < PER_WORD; j++) sum[r][j] = _mm512_loadu_ps(sums + r * PIAA_PANEL + j * LANES);
    for (int64_t b = 0; b < groups * blocks; b++) {
        __m512i whole[HEIGHT][PER_WORD];
        for (int r = 0; r < HEIGHT; r++)
            for (int j = 0; j < PER_WORD; j++) whole[r][j] = _mm512_set1_epi32(x[r]->start[b]);
        for (int k = 0; k < block / WORD; k++) {
            __m512i column[PER_WORD];
            for (int j = 0; j < PER_WORD; j++) column[j] = _mm512_loadu_si512(w->codes + ((b * block / WORD + k) * PER_WORD + j) * VECTOR);
            for (int r = 0; r < HEIGHT; r++) {
                int32_t word;
                memcpy(&word, x[r]->q + b * block + k * WORD, sizeof word);
                for (int j = 0; j < PER_WORD; j++) whole[r][j] = _mm512_dpbusd_epi32(whole[r][j], column[j], _mm512_set1_epi32(word));
            }
        }
        for (int r = 0; r < HEIGHT; r++) {
            const __m512 scale = _mm512_set1_ps(x[r]->scale[b / blocks]);
            for (int j = 0; j < PER_WORD; j++)
                sum[r][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[r][j]),
                                            _mm512_mul_ps(scale, _mm512_loadu_ps(w->scales[b] + j * LANES)), sum[r][j]);
            for (int j = 0; offset && j < PER_WORD; j++)
                sum[r][j] = _mm512_fmadd_ps(_mm512_set1_ps(x[r]->sum[b]), _mm512_loadu_ps(w->offsets[b] + j * LANES), sum[r][j]);
        }
    }
    for (int r = 0; r < HEIGHT; r++)
        for (int j = 0; j < PER_WORD; j++) _mm512_storeu_ps(sums + r * PIAA_PANEL + j * LANES, sum[r][j]);
}

static void tile(const piaa_codes *codes, const slice *w, int64_t groups, const rounded *const x[HEIGHT], float *sums) {
    if (codes->block == 16)
        tile_of(16, false, w, groups, x, sums);
    else if (codes->offset)
        tile_of(32, true, w, groups, x, sums);
    else
        tile_of(32, false, w, groups, x, sums);
}

/* While a tile computes: the slice that comes next, and where the results will go. */
static inline __attribute__((always_inline)) void fetch_ahead(const piaa_product *p, const product_part *in, const uint8_t *next, int64_t t,
                                                              bool last) {
    enum { LINE = 64, LINES = 4 };
    for (int i = 0; i < LINES; i++) _mm_prefetch((const char *)next + ((t - in->begin) / HEIGHT * LINES + i) * LINE, _MM_HINT_T1);
    if (!last) return;
    const int64_t columns = piaa_activation_gated(p->activation) ? p->rows / 2 : p->rows;
    for (int r = 0; r < HEIGHT; r++)
        for (int64_t j = 0; j < in->count; j += LANES)
            _mm_prefetch((const char *)((const float *)p->out + least(t + r, in->end - 1) * columns + in->first + j), _MM_HINT_ET0);
}

static void product(const piaa_product *p, int64_t part, void *scratch) {
    scratch_room *room = scratch;
    const product_part in = part_of(p, part);
    const int64_t columns = p->words;
    const uint8_t *weights = (const uint8_t *)p->weights + piaa_codes_panel_bytes(p->codes, columns) * (size_t)in.panel;
    memset(room->sums, 0, (size_t)(divide_up(in.end - in.begin, HEIGHT) * HEIGHT * PIAA_PANEL) * sizeof *room->sums);
    for (int64_t k = 0; k < columns; k += DEPTH) {
        const int64_t groups = least(DEPTH, columns - k) / GROUP;
        for (int64_t group = 0; group < groups; group++) weights = unpack_group(p->codes, weights, group, &room->slice);
        for (int64_t t = in.begin; t < in.end; t += HEIGHT) {
            fetch_ahead(p, &in, weights, t, k + DEPTH >= columns);
            const rounded *x[HEIGHT]; /* the last tile repeats its last row */
            for (int r = 0; r < HEIGHT; r++) x[r] = (const rounded *)p->x + k / DEPTH * p->tokens + least(t + r, in.end - 1);
            tile(p->codes, &room->slice, groups, x, room->sums + (t - in.begin) * PIAA_PANEL);
        }
    }
    finish_tokens(p, &in, room->sums);
}

static double peak(void) {
    enum { SUMS = 12, TURNS = 2000000 };
    __m512i sum[SUMS];
    const __m512i a = _mm512_set1_epi32(0x01020304), b = _mm512_set1_epi32(0x01FF01FF);
    for (int i = 0; i < SUMS; i++) sum[i] = _mm512_setzero_si512();
    struct timespec start, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbusd_epi32(sum[i], a, b);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    for (int i = 1; i < SUMS; i++) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    volatile int kept = _mm512_reduce_add_epi32(sum[0]); /* or the compiler would drop the loop */
    (void)kept;
    double seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    return 2e-9 * VECTOR * SUMS * TURNS / seconds;
}

extern const piaa_kernels piaa_kernels_int8;
const piaa_kernels piaa_kernels_int8 = {
    .name = "AVX-512 VNNI",
    .rounded_bytes = rounded_bytes,
    .round = round_row,
    .product_parts = product_parts,
    .product = product,
    .finish = finish,
    .peak = peak,
};
