/* Allocation: overflow is an error, not a small block; text grows and stays terminated. */
#include "support.h"

#include "base/utf8.h"

static void overflow_is_an_error(void **state) {
    (void)state;
    piaa_error error = {0};
    assert_null(piaa_alloc(SIZE_MAX / 2, 4, &error));
    assert_int_equal(error.code, PIAA_MEMORY);
    assert_null(piaa_alloc_array(SIZE_MAX / 4, 4, &error));
    assert_null(piaa_alloc_array(SIZE_MAX, 1, &error));
    int *array = NULL;
    size_t capacity = 0;
    assert_false(piaa_grow(&array, &capacity, SIZE_MAX / 2, sizeof *array, &error));
    piaa_text text = {0};
    assert_false(piaa_text_add(&text, "", SIZE_MAX, &error));
}

static void nothing_is_still_something(void **state) {
    (void)state;
    void *a = piaa_alloc(0, 8, NULL), *b = piaa_alloc_array(0, 0, NULL);
    assert_true(a && b);
    free(a);
    free(b);
}

static void arrays_are_aligned(void **state) {
    (void)state;
    for (size_t n = 1; n < 200; n += 13) {
        char *array = piaa_alloc_array(n, 3, NULL);
        assert_non_null(array);
        assert_int_equal((uintptr_t)array % 64, 0);
        memset(array, 1, n * 3);
        free(array);
    }
}

static void growing_keeps_what_is_there(void **state) {
    (void)state;
    int *array = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(piaa_grow(&array, &capacity, (size_t)i + 1, sizeof *array, NULL));
        array[i] = i;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(array[i], i);
    free(array);
}

static void text_grows(void **state) {
    (void)state;
    piaa_text text = {0};
    assert_true(piaa_text_add(&text, "a\0b", 3, NULL));
    assert_true(piaa_text_format(&text, NULL, "%d-%s", 12, "cd"));
    assert_int_equal(text.length, 8);
    assert_memory_equal(text.data, "a\0b12-cd", 9);
    free(text.data);
    char *line = piaa_format(NULL, "%s%d", "x", 5), *copy = piaa_strdup("", NULL);
    assert_string_equal(line, "x5");
    assert_string_equal(copy, "");
    free(line);
    free(copy);
}

/* The first failure stays: what comes after it adds nothing and does not speak over it. */
static void text_keeps_its_first_failure(void **state) {
    (void)state;
    piaa_text text = {0};
    piaa_error error = {0};
    piaa_text_add(&text, "ab", 2, &error);
    assert_false(text.failed);
    piaa_text_add(&text, "", SIZE_MAX, &error);
    assert_true(text.failed);
    assert_int_equal(error.code, PIAA_MEMORY);
    error = (piaa_error){0};
    assert_false(piaa_text_add(&text, "c", 1, &error));
    assert_false(piaa_text_format(&text, &error, "%d", 1));
    assert_int_equal(error.code, PIAA_OK);
    assert_string_equal(text.data, "ab");
    free(text.data);
}

/* What was there before is nobody's text. */
static void nothing_repaired_is_an_empty_text(void **state) {
    PIAA_UNUSED(state);
    piaa_text text = {.data = malloc(8), .capacity = 8};
    assert_non_null(text.data);
    memcpy(text.data, "garbage", 8);
    assert_true(piaa_utf8_repair("", 0, &text, NULL));
    assert_string_equal(text.data, "");
    assert_true(piaa_utf8_repair("a\xff", 2, &text, NULL));
    assert_true(piaa_utf8_repair("", 0, &text, NULL));
    assert_string_equal(text.data, "a\xEF\xBF\xBD");
    free(text.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_repaired_is_an_empty_text), cmocka_unit_test(overflow_is_an_error),
        cmocka_unit_test(nothing_is_still_something),        cmocka_unit_test(arrays_are_aligned),
        cmocka_unit_test(growing_keeps_what_is_there),       cmocka_unit_test(text_grows),
        cmocka_unit_test(text_keeps_its_first_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
