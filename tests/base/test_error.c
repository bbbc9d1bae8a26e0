/* Errors and warnings: one line, whole characters, first error kept. */
#include "support.h"

#include "base/error.h"
#include "base/hooks.h"

#include <errno.h>

static void message_is_one_line(void **state) {
    (void)state;
    piaa_error error = {0};
    assert_false(piaa_error_set(&error, PIAA_FORMAT, "a%cb%s", '\n', "\t\x7f"));
    assert_string_equal(error.message, "a b  ");
    assert_int_equal(error.code, PIAA_FORMAT);
    piaa_error_prefix(&error, "file %d\r", 3);
    assert_string_equal(error.message, "file 3 : a b  ");
    piaa_error_clear(&error);
    assert_int_equal(error.code, PIAA_OK);
    assert_string_equal(error.message, "");
}

static void errno_gives_code_and_reason(void **state) {
    (void)state;
    piaa_error error = {0};
    assert_false(piaa_error_set_errno(&error, ENOENT, "%s", "x"));
    assert_string_equal(error.message, "x: No such file or directory");
    assert_int_equal(error.code, PIAA_IO);
    piaa_error_set_errno(&error, ENOMEM, "x");
    assert_int_equal(error.code, PIAA_MEMORY);
}

static void long_messages_end_in_a_whole_character(void **state) {
    (void)state;
    char text[3000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 <= sizeof text - 1; i += 4)
            memcpy(text + i, "\xf0\x9f\x9a\x80", 4);
        text[sizeof text - 4] = '\0';
        piaa_error error = {0};
        piaa_error_set(&error, PIAA_IO, "%s", text);
        size_t n = strlen(error.message);
        assert_true(n < sizeof error.message && n > sizeof error.message - 8);
        assert_int_equal((n - shift) % 4, 0);
    }
}

static void missing_handle_keeps_the_first_error(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_error_missing(&error, "model");
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_error_set(&error, PIAA_IO, "first");
    assert_false(piaa_error_missing(&error, "model"));
    assert_string_equal(error.message, "first");
}

static void null_error_is_allowed(void **state) {
    (void)state;
    assert_false(piaa_error_set(NULL, PIAA_IO, "x"));
    assert_false(piaa_error_set_errno(NULL, EIO, "x"));
    assert_false(piaa_error_prefix(NULL, "x"));
    assert_false(piaa_error_missing(NULL, "x"));
    piaa_error_clear(NULL);
}

static void keep(void *user, const char *line) {
    snprintf(user, 40, "%s", line);
}

static void warning_is_one_line(void **state) {
    (void)state;
    char heard[40] = "";
    piaa_hooks_warn(&(piaa_hooks){.user = heard, .warn = keep}, "a%cb%s", '\n', "\t\x7f");
    assert_string_equal(heard, "a b  ");
    piaa_hooks_warn(&(piaa_hooks){.user = heard}, "nobody hears");
    piaa_hooks_warn(NULL, "nobody hears");
    assert_string_equal(heard, "a b  ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_is_one_line),
        cmocka_unit_test(errno_gives_code_and_reason),
        cmocka_unit_test(long_messages_end_in_a_whole_character),
        cmocka_unit_test(missing_handle_keeps_the_first_error),
        cmocka_unit_test(null_error_is_allowed),
        cmocka_unit_test(warning_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
