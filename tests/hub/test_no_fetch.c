/* What a build without libcurl answers when it is asked to pull. */
#include "support.h"

static void expect(const char *name, piaa_code code, const char *part) {
    piaa_error error = {0};
    assert_null(piaa_model_pull(name, NULL, NULL, &error));
    assert_int_equal(error.code, code);
    if (!strstr(error.message, part)) fail_msg("%s", error.message);
    assert_null(strchr(error.message, '\n'));
}

static void one_line_and_how_to_mend_it(void **state) {
    PIAA_UNUSED(state);
    expect("qwen3-vl-4b", PIAA_UNSUPPORTED, "-DPIAA_HUB=ON");
    expect("ggml-org/gemma-3-4b-it-GGUF:Q8_0", PIAA_UNSUPPORTED,
           "the files of ggml-org/gemma-3-4b-it-GGUF by other means");
}

static void a_slip_in_the_name_comes_first(void **state) {
    PIAA_UNUSED(state);
    expect("qwen3-vl-5b", PIAA_USAGE, "qwen3-vl-4b");
    expect(NULL, PIAA_USAGE, "");
}

static void an_error_before_stays(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {.code = PIAA_IO, .message = "first"};
    assert_null(piaa_model_pull("qwen3-vl-4b", NULL, NULL, &error));
    assert_string_equal(error.message, "first");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_line_and_how_to_mend_it),
                                       cmocka_unit_test(a_slip_in_the_name_comes_first),
                                       cmocka_unit_test(an_error_before_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
