/* Which type a matrix gets: what llama.cpp's quantiser does, worked out by hand from its rules. */
#include "support.h"

#include "weights/mixture.h"

static void rows_of_any_length(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        enum ggml_type type;
        int64_t columns;
        enum ggml_type expected;
    } cases[] = {
        {GGML_TYPE_Q4_K, 2560, GGML_TYPE_Q4_K}, {GGML_TYPE_Q5_K, 256, GGML_TYPE_Q5_K},
        {GGML_TYPE_Q6_K, 4096, GGML_TYPE_Q6_K}, {GGML_TYPE_Q4_K, 1152, GGML_TYPE_Q5_0},
        {GGML_TYPE_Q5_K, 1152, GGML_TYPE_Q5_1}, {GGML_TYPE_Q6_K, 1152, GGML_TYPE_Q8_0},
        {GGML_TYPE_Q8_0, 1152, GGML_TYPE_Q8_0}, {GGML_TYPE_Q4_K, 4304, GGML_TYPE_BF16},
        {GGML_TYPE_Q5_K, 588, GGML_TYPE_BF16},  {GGML_TYPE_Q8_0, 4304, GGML_TYPE_BF16},
        {GGML_TYPE_F32, 7, GGML_TYPE_F32},      {GGML_TYPE_F16, 7, GGML_TYPE_F16},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++)
        assert_int_equal(piaa_type_for_rows(cases[i].type, cases[i].columns, GGML_TYPE_BF16),
                         cases[i].expected);
    assert_int_equal(piaa_type_for_rows(GGML_TYPE_Q6_K, 4304, GGML_TYPE_F16), GGML_TYPE_F16);
}

static void mixtures(void **state) {
    PIAA_UNUSED(state);
    /* 36 blocks: the first 4, from 31 on (31.5 rounded down), and every third from 4 + 2. */
    for (int block = 0; block < 36; block++) {
        bool more = block < 4 || block >= 31 || block % 3 == 0;
        enum ggml_type expected = more ? GGML_TYPE_Q6_K : GGML_TYPE_Q4_K;
        assert_int_equal(
            piaa_type_in_mixture(GGML_TYPE_Q4_K, "blk.1.attn_v.weight", block, 36, true), expected);
        assert_int_equal(
            piaa_type_in_mixture(GGML_TYPE_Q4_K, "blk.1.ffn_down.weight", block, 36, true),
            expected);
        assert_int_equal(
            piaa_type_in_mixture(GGML_TYPE_Q4_K, "blk.1.attn_q.weight", block, 36, true),
            GGML_TYPE_Q4_K);
        assert_int_equal(
            piaa_type_in_mixture(GGML_TYPE_Q8_0, "blk.1.ffn_down.weight", block, 36, true),
            GGML_TYPE_Q8_0);
    }
    assert_int_equal(piaa_type_in_mixture(GGML_TYPE_Q5_K, "output.weight", -1, 36, false),
                     GGML_TYPE_Q6_K);
    assert_int_equal(piaa_type_in_mixture(GGML_TYPE_Q5_K, "token_embd.weight", -1, 36, false),
                     GGML_TYPE_Q5_K);
    assert_int_equal(piaa_type_in_mixture(GGML_TYPE_Q5_K, "token_embd.weight", -1, 36, true),
                     GGML_TYPE_Q6_K);
    assert_int_equal(piaa_type_in_mixture(GGML_TYPE_Q6_K, "output.weight", -1, 36, false),
                     GGML_TYPE_Q6_K);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_of_any_length),
                                       cmocka_unit_test(mixtures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
