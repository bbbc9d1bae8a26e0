/* Our search for quantised blocks against ggml's, both read back by ggml. */
#include "support.h"

#include "weights/quantise.h"

#include <math.h>

enum { COUNT = 64 * 256 };

static uint32_t state = 1;

static float uniform(void) {
    state = state * 1664525U + 1013904223U;
    return (float)(state >> 8) / (float)(1 << 23) - 1.0f;
}

static float bell(void) {
    float sum = 0;
    for (int i = 0; i < 12; i++) sum += uniform();
    return sum / 2;
}

/* Relative error of the blocks' values. */
static double error_of(enum ggml_type type, const void *blocks, const float *x) {
    float *back = piaa_alloc(COUNT, sizeof *back, NULL);
    assert_non_null(back);
    assert_true(ggml_validate_row_data(type, blocks, ggml_row_size(type, COUNT)));
    ggml_get_type_traits(type)->to_float(blocks, back, COUNT);
    double e = support_relative_error(back, x, COUNT);
    free(back);
    return e;
}

static void no_worse_than_ggml(void **unused) {
    PIAA_UNUSED(unused);
    static const enum ggml_type types[] = {GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};
    float *x = piaa_alloc(COUNT, sizeof *x, NULL);
    void *ours = piaa_alloc(COUNT, 1, NULL), *theirs = piaa_alloc(COUNT, 1, NULL);
    assert_true(x && ours && theirs);
    for (int spread = 0; spread < 7; spread++) {
        for (int i = 0; i < COUNT; i++) {
            const float v = bell();
            x[i] = spread == 0   ? 0.02f * v              /* as weights are */
                   : spread == 1 ? 0.02f * v * v * v      /* long tails */
                   : spread == 2 ? 0.01f * v + 0.03f      /* off centre */
                   : spread == 3 ? -0.01f * v - 0.1f      /* all negative */
                   : spread == 4 ? (i % 256 == 7 ? v : 0) /* one value among zeros */
                   : spread == 5 ? 3e4f * v               /* near the end of 16 bits */
                                 : 0.5f * (float)(i % 3); /* few values */
        }
        for (size_t t = 0; t < PIAA_COUNT(types); t++) {
            piaa_quantise(types[t], x, ours, COUNT / 512, 512);
            ggml_quantize_chunk(types[t], x, theirs, 0, COUNT / 512, 512, NULL);
            double a = error_of(types[t], ours, x), b = error_of(types[t], theirs, x);
            print_message("spread %d, %s: relative error %.5f, ggml %.5f\n", spread,
                          ggml_type_name(types[t]), a, b);
            /* What is searched for is the least weighted error, which for one value among zeros is
               another. */
            assert_true(a <= (spread == 4 ? 2e-3 : b * 1.0001 + 1e-6));
        }
    }
    free(x);
    free(ours);
    free(theirs);
}

/* Zeros stay zeros, one value everywhere stays itself, values that are none become numbers, and
   other types are ggml's. */
static void edges(void **unused) {
    PIAA_UNUSED(unused);
    static const enum ggml_type types[] = {GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};
    float *x = piaa_alloc(COUNT, sizeof *x, NULL);
    void *ours = piaa_alloc(COUNT, 2, NULL), *theirs = piaa_alloc(COUNT, 2, NULL);
    float back[256];
    assert_true(x && ours && theirs);
    for (size_t t = 0; t < PIAA_COUNT(types); t++) {
        static const float values[] = {0, 1, -0.25f, 1e-12f};
        for (size_t v = 0; v < PIAA_COUNT(values); v++) {
            for (int i = 0; i < 256; i++) x[i] = values[v];
            piaa_quantise(types[t], x, ours, 1, 256);
            ggml_get_type_traits(types[t])->to_float(ours, back, 256);
            for (int i = 0; i < 256; i++)
                assert_true(fabsf(back[i] - values[v]) <= 2e-3f * fabsf(values[v]) + 1e-7f);
        }
        for (int i = 0; i < 256; i++) x[i] = i % 5 == 0 ? NAN : i % 7 == 0 ? INFINITY : uniform();
        piaa_quantise(types[t], x, ours, 1, 256);
    }
    for (int i = 0; i < COUNT; i++) x[i] = bell();
    piaa_quantise(GGML_TYPE_Q8_0, x, ours, 8, 96);
    ggml_quantize_chunk(GGML_TYPE_Q8_0, x, theirs, 0, 8, 96, NULL);
    assert_memory_equal(ours, theirs, ggml_row_size(GGML_TYPE_Q8_0, 8 * 96));
    free(x);
    free(ours);
    free(theirs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_worse_than_ggml),
                                       cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
