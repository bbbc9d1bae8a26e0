/* Every block's backward pass against differences of its forward pass, for shapes that decoders
 * have: shared heads, windows, both ways within an image, rows that are not whole tiles. */
#include "support.h"

#include "train/adapter.h"
#include "train/blocks.h"

#include "base/random.h"

static piaa_random numbers;

static float draw(void) {
    return (float)(2 * piaa_random_unit(&numbers) - 1);
}

static float *vector(int64_t count) {
    float *out = piaa_alloc_array((size_t)count, sizeof *out, NULL);
    assert_non_null(out);
    for (int64_t i = 0; i < count; i++) out[i] = draw();
    return out;
}

/* A block as a function of one of its inputs: the sum of `weights` times what it gives. */
typedef struct slope {
    double (*value)(void *user);
    void *user;
    float *x;
    int64_t count;
} slope;

/* Relative distance of a gradient from central differences. */
static double distance(const slope *s, const float *gradient) {
    static const float step = 1e-2f;
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const float x = s->x[i];
        s->x[i] = x + step;
        const double above = s->value(s->user);
        s->x[i] = x - step;
        const double below = s->value(s->user);
        s->x[i] = x;
        const double d = (above - below) / (2 * (double)step);
        difference += (d - (double)gradient[i]) * (d - (double)gradient[i]);
        norm += d * d;
    }
    return sqrt(difference / norm);
}

static double weigh(const float *y, const float *weights, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)y[i] * (double)weights[i];
    return sum;
}

/* ------------------------------------------------------------------------------------ row blocks
 */

enum { ROWS = 3, WIDTH = 37, HEADS = 2, DIM = 6 };

typedef struct rows_block {
    float *x, *other, *y, *weights;
    piaa_activation activation;
} rows_block;

static double norm_value(void *user) {
    const rows_block *b = user;
    piaa_norm_forwards(b->x, b->other, ROWS, WIDTH, 1e-6f, b->y);
    return weigh(b->y, b->weights, (int64_t)ROWS * WIDTH);
}

static void norms_go_back(void **state) {
    PIAA_UNUSED(state);
    const int64_t n = (int64_t)ROWS * WIDTH;
    rows_block b = {vector(n), vector(WIDTH), vector(n), vector(n), PIAA_LINEAR};
    float *dx = vector(n), *sum = vector(n);
    memcpy(sum, b.x, (size_t)n * sizeof *sum);
    piaa_norm_backwards(b.x, b.other, b.weights, ROWS, WIDTH, 1e-6f, false, dx);
    piaa_norm_backwards(b.x, b.other, b.weights, ROWS, WIDTH, 1e-6f, true, sum);
    assert_true(distance(&(slope){norm_value, &b, b.x, n}, dx) < 2e-3);
    for (int64_t i = 0; i < n; i++) assert_true(fabsf(sum[i] - (b.x[i] + dx[i])) < 1e-5f);
    free(b.x), free(b.other), free(b.y), free(b.weights), free(dx), free(sum);
}

static double turn_value(void *user) {
    const rows_block *b = user;
    memcpy(b->y, b->x, sizeof(float) * HEADS * DIM);
    piaa_turn_forwards(b->other, HEADS, DIM, b->y);
    return weigh(b->y, b->weights, (int64_t)HEADS * DIM);
}

static void turns_go_back(void **state) {
    PIAA_UNUSED(state);
    const int64_t n = (int64_t)HEADS * DIM;
    rows_block b = {vector(n), vector(DIM), vector(n), vector(n), PIAA_LINEAR};
    float *dx = vector(n);
    memcpy(dx, b.weights, (size_t)n * sizeof *dx);
    piaa_turn_backwards(b.other, HEADS, DIM, dx);
    assert_true(distance(&(slope){turn_value, &b, b.x, n}, dx) < 1e-3);
    free(b.x), free(b.other), free(b.y), free(b.weights), free(dx);
}

static double gate_value(void *user) {
    const rows_block *b = user;
    piaa_gate_forwards(b->activation, b->x, b->other, WIDTH, b->y);
    return weigh(b->y, b->weights, WIDTH);
}

/* y of SwiGLU and of GEGLU's tanh form at gate 1, up 1: 1 / (1 + e^-1) = 0.731059, and 0.841192
 * (PyTorch's silu and gelu(approximate="tanh")). */
static void gates_go_back(void **state) {
    static const float at_one[] = {0.731059f, 0.841192f};
    static const piaa_activation kinds[] = {PIAA_SWIGLU, PIAA_GEGLU};
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++) {
        const float one = 1;
        float y;
        piaa_gate_forwards(kinds[i], &one, &one, 1, &y);
        assert_true(fabsf(y - at_one[i]) < 1e-6f);
        rows_block b = {vector(WIDTH), vector(WIDTH), vector(WIDTH), vector(WIDTH), kinds[i]};
        for (int64_t j = 0; j < WIDTH; j++) b.x[j] *= 6;
        float *dup = vector(WIDTH), *dgate = vector(WIDTH);
        memcpy(dup, b.weights, sizeof(float) * WIDTH);
        piaa_gate_backwards(kinds[i], b.x, b.other, WIDTH, dup, dgate);
        assert_true(distance(&(slope){gate_value, &b, b.x, WIDTH}, dgate) < 2e-3);
        assert_true(distance(&(slope){gate_value, &b, b.other, WIDTH}, dup) < 1e-3);
        free(b.x), free(b.other), free(b.y), free(b.weights), free(dup), free(dgate);
    }
}

/* Far from zero nothing overflows: silu(-200) = 0, silu(200) = 200, and their slopes 0 and 1. */
static void gates_bear_large_values(void **state) {
    static const piaa_activation kinds[] = {PIAA_SWIGLU, PIAA_GEGLU};
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++) {
        const float gate[] = {-200, 200}, up[] = {1, 1};
        float y[2], dy[] = {1, 1}, dgate[2];
        piaa_gate_forwards(kinds[i], gate, up, 2, y);
        piaa_gate_backwards(kinds[i], gate, up, 2, dy, dgate);
        assert_true(fabsf(y[0]) < 1e-30f && fabsf(y[1] - 200) < 1e-3f);
        assert_true(fabsf(dgate[0]) < 1e-30f && fabsf(dgate[1] - 1) < 1e-6f);
    }
}

/* ------------------------------------------------------------------------------------- attention
 */

typedef struct heads_block {
    piaa_heads heads;
    float *weights;
    piaa_crew crew;
} heads_block;

static double heads_value(void *user) {
    heads_block *b = user;
    piaa_heads forward = b->heads;
    forward.dout = NULL;
    assert_true(piaa_heads_forwards(&forward, 1, &b->crew, NULL));
    return weigh(forward.out, b->weights, forward.queries * forward.heads * forward.dim);
}

/* queries: the last so many of the keys; window 0: none; image: this run sees itself both ways. */
static void check_heads(int queries, int keys, int window, int image_start, int image_end) {
    enum { QUERY_HEADS = 4, KEY_HEADS = 2, SIZE = 6 };
    const int64_t q = (int64_t)queries * QUERY_HEADS * SIZE, kv = (int64_t)keys * KEY_HEADS * SIZE;
    int32_t *first = piaa_alloc((size_t)queries, sizeof *first, NULL),
            *last = piaa_alloc((size_t)queries, sizeof *last, NULL);
    assert_true(first && last);
    for (int i = 0; i < queries; i++) {
        const int at = keys - queries + i;
        first[i] = window && at >= window ? at - window + 1 : 0;
        last[i] = at >= image_start && at < image_end ? image_end - 1 : at;
    }
    float *in[] = {vector(q), vector(kv), vector(kv)}, *d[] = {vector(q), vector(kv), vector(kv)};
    heads_block b = {.heads = {.heads = QUERY_HEADS,
                               .kv_heads = KEY_HEADS,
                               .dim = SIZE,
                               .scale = 0.7f,
                               .queries = queries,
                               .keys = keys,
                               .first = first,
                               .last = last,
                               .q = in[0],
                               .k = in[1],
                               .v = in[2],
                               .out = vector(q),
                               .dq = d[0],
                               .dk = d[1],
                               .dv = d[2]},
                     .weights = vector(q),
                     .crew = {.threads = 2}};
    b.heads.dout = b.weights;
    assert_true(piaa_heads_backwards(&b.heads, 1, &b.crew, NULL));
    const int64_t sizes[] = {q, kv, kv};
    for (int i = 0; i < 3; i++)
        assert_true(distance(&(slope){heads_value, &b, in[i], sizes[i]}, d[i]) < 3e-3);
    for (int i = 0; i < 3; i++) free(in[i]), free(d[i]);
    free(b.heads.out), free(b.weights), free(first), free(last);
}

static void attention_goes_back(void **state) {
    PIAA_UNUSED(state);
    check_heads(9, 9, 0, 0, 0);   /* causal */
    check_heads(9, 9, 4, 2, 6);   /* a window, and an image of four tokens */
    check_heads(2, 9, 0, 0, 0);   /* the last two rows alone */
    check_heads(70, 70, 9, 3, 8); /* more than one tile */
}

/* --------------------------------------------------------------------------------- cross entropy
 */

/* -log(e^3 / (e^1 + e^2 + e^3)) = 0.407606; its gradient: softmax (0.090031, 0.244728, 0.665241)
 * minus (0, 0, 1), here with the weight 2. */
static void entropy_is_that_of_the_softmax(void **state) {
    PIAA_UNUSED(state);
    float logits[] = {1, 2, 3};
    assert_true(fabs(piaa_entropy(logits, 3, 2, 2) - 0.407606) < 1e-6);
    static const float expected[] = {0.180062f, 0.489457f, -0.669519f};
    for (int i = 0; i < 3; i++) assert_true(fabsf(logits[i] - expected[i]) < 1e-5f);
}

/* --------------------------------------------------------------------------------------- adapters
 */

typedef struct pair_block {
    piaa_lora lora;
    piaa_lora_pair pair;
    piaa_dropout dropout;
    float *x, *y, *low, *weights;
    piaa_crew crew;
} pair_block;

enum { TOKENS = 70, INPUTS = 7, OUTPUTS = 5, RANK = 3 };

static double pair_value(void *user) {
    pair_block *b = user;
    memset(b->y, 0, sizeof(float) * TOKENS * OUTPUTS);
    assert_true(piaa_pair_forwards(&b->lora, &b->pair, b->x, TOKENS, &b->dropout, b->low, b->y,
                                   &b->crew, NULL));
    return weigh(b->y, b->weights, (int64_t)TOKENS * OUTPUTS);
}

static void adapters_go_back(void **state) {
    PIAA_UNUSED(state);
    for (int dropped = 0; dropped < 2; dropped++) {
        const int64_t a = (int64_t)RANK * INPUTS, o = (int64_t)RANK * OUTPUTS;
        pair_block b = {.lora = {.rank = RANK, .alpha = 6},
                        .pair = {INPUTS, OUTPUTS, vector(a), vector(o), vector(a), vector(o)},
                        .dropout = {.key = 7, .probability = dropped ? 0.25f : 0},
                        .x = vector((int64_t)TOKENS * INPUTS),
                        .y = vector((int64_t)TOKENS * OUTPUTS),
                        .low = vector((int64_t)TOKENS * RANK),
                        .weights = vector((int64_t)TOKENS * OUTPUTS),
                        .crew = {.threads = 2}};
        float *dlow = vector((int64_t)TOKENS * RANK), *dx = vector((int64_t)TOKENS * INPUTS);
        memset(b.pair.grad_a, 0, (size_t)a * sizeof(float));
        memset(b.pair.grad_b, 0, (size_t)o * sizeof(float));
        memset(dx, 0, sizeof(float) * TOKENS * INPUTS);
        pair_value(&b);
        assert_true(piaa_pair_backwards(&b.lora, &b.pair, b.x, b.low, b.weights, TOKENS, &b.dropout,
                                        dlow, dx, &b.crew, NULL));
        assert_true(distance(&(slope){pair_value, &b, b.x, (int64_t)TOKENS * INPUTS}, dx) < 1e-3);
        assert_true(distance(&(slope){pair_value, &b, b.pair.a, a}, b.pair.grad_a) < 1e-3);
        assert_true(distance(&(slope){pair_value, &b, b.pair.b, o}, b.pair.grad_b) < 1e-3);
        free(b.pair.a), free(b.pair.b), free(b.pair.grad_a), free(b.pair.grad_b);
        free(b.x), free(b.y), free(b.low), free(b.weights), free(dlow), free(dx);
    }
}

static int seed(void **state) {
    PIAA_UNUSED(state);
    piaa_random_seed_numpy(&numbers, 11);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_go_back),       cmocka_unit_test(turns_go_back),
        cmocka_unit_test(gates_go_back),       cmocka_unit_test(gates_bear_large_values),
        cmocka_unit_test(attention_goes_back), cmocka_unit_test(entropy_is_that_of_the_softmax),
        cmocka_unit_test(adapters_go_back),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
