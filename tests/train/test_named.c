/* Named tensors through files: what is written is read back to the bit, and what does not fit is
   refused by name. */
#include "support.h"

#include "train/named.h"
#include "weights/safetensors.h"

enum { MOST = 8 };

static char *folder, *path;

static int begin(void **state) {
    PIAA_UNUSED(state);
    folder = support_folder();
    path = support_join(folder, "file.safetensors");
    return 0;
}

static int end(void **state) {
    PIAA_UNUSED(state);
    free(path);
    support_remove(folder);
    return 0;
}

static void put(const piaa_named *list, size_t count, const char *prefix) {
    piaa_error error = {0};
    const piaa_named_part part = {.prefix = prefix, .list = list, .count = count};
    if (!piaa_named_write(&part, 1, path, &error)) fail_msg("%s", error.message);
}

static void several_lists_come_back(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    float a[6] = {1, -0.0f, 1e-38f, 3.4e38f, 0.1f, 5}, b[2] = {7, 8}, c[6], d[2];
    const piaa_named first = {"w", 2, {2, 3}, a}, second = {"b", 1, {2}, b};
    const piaa_named_part parts[] = {{"x.", &first, 1}, {"", &second, 1}};
    if (!piaa_named_write(parts, 2, path, &error)) fail_msg("%s", error.message);
    const piaa_named again = {"w", 2, {2, 3}, c}, other = {"b", 1, {2}, d};
    assert_true(piaa_named_read(&again, 1, "x.", path, &error));
    assert_true(piaa_named_read(&other, 1, "", path, &error));
    assert_memory_equal(a, c, sizeof a);
    assert_memory_equal(b, d, sizeof b);
    piaa_safetensors *file = piaa_safetensors_open(path, &error);
    assert_int_equal(piaa_safetensors_count(file), 2);
    assert_non_null(piaa_safetensors_find(file, "x.w"));
    piaa_safetensors_close(file);
}

static void expect_refusal(const piaa_named *wanted, const char *words) {
    piaa_error error = {0};
    assert_false(piaa_named_read(wanted, 1, "", path, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    if (!strstr(error.message, words) || !strstr(error.message, wanted->name))
        fail_msg("%s", error.message);
}

static void what_does_not_fit_is_named(void **state) {
    PIAA_UNUSED(state);
    float a[6] = {1, 2, 3, 4, 5, 6}, room[MOST];
    const piaa_named own = {"layer.weight", 2, {2, 3}, a};
    put(&own, 1, "");
    expect_refusal(&(piaa_named){"layer.bias", 1, {2}, room}, "no tensor");
    expect_refusal(&(piaa_named){"layer.weight", 2, {3, 2}, room}, "another shape");
    expect_refusal(&(piaa_named){"layer.weight", 1, {6}, room}, "another shape");
    a[4] = NAN;
    put(&own, 1, "");
    expect_refusal(&(piaa_named){"layer.weight", 2, {2, 3}, room}, "not finite");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(several_lists_come_back, begin, end),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_named, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
