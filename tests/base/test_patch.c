/* Stretches replaced, worked out by hand, and the way back. */
#include "support.h"

#include "base/patch.h"

static const char old[] = "0123456789";

static void expect_becomes(const piaa_patch *patch, const char *new) {
    piaa_text out = {0}, again = {0};
    piaa_patch back = {0};
    assert_true(piaa_patch_apply(patch, old, sizeof old - 1, &out, NULL));
    assert_string_equal(out.data, new);
    assert_true(piaa_patch_reverse(patch, old, &back, NULL));
    assert_true(piaa_patch_apply(&back, out.data, out.length, &again, NULL));
    assert_string_equal(again.data, old);
    piaa_patch_free(&back);
    free(out.data);
    free(again.data);
}

static void stretches_are_replaced_in_any_order(void **state) {
    (void)state;
    piaa_patch patch = {0};
    expect_becomes(&patch, old);
    assert_true(piaa_patch_add(&patch, 8, 2, "", 0, NULL));    /* gone */
    assert_true(piaa_patch_add(&patch, 2, 1, "two", 3, NULL)); /* longer */
    assert_true(piaa_patch_add(&patch, 5, 0, "-", 1, NULL));   /* between */
    assert_true(piaa_patch_add(&patch, 0, 0, "<", 1, NULL));
    assert_true(piaa_patch_add(&patch, 10, 0, ">", 1, NULL));
    assert_true(piaa_patch_add(&patch, 3, 2, "x", 1, NULL)); /* right behind another */
    expect_becomes(&patch, "<01twox-567>");
    piaa_patch_free(&patch);
}

static void only_what_differs_is_replaced(void **state) {
    (void)state;
    piaa_patch patch = {0};
    assert_true(piaa_patch_replace(&patch, old, 2, 6, "234567", 6, NULL));
    assert_int_equal(patch.count, 0);
    assert_true(piaa_patch_replace(&patch, old, 2, 6, "23--67", 6, NULL));
    assert_int_equal(patch.count, 1);
    assert_int_equal(patch.items[0].at, 4);
    assert_int_equal(patch.items[0].length, 2);
    expect_becomes(&patch, "0123--6789");
    piaa_patch_free(&patch);
}

static void what_overlaps_or_reaches_beyond_is_refused(void **state) {
    (void)state;
    piaa_patch patch = {0};
    piaa_text out = {0};
    piaa_error error = {0};
    assert_true(piaa_patch_add(&patch, 4, 3, "x", 1, NULL));
    assert_false(piaa_patch_add(&patch, 6, 1, "y", 1, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    assert_false(piaa_patch_add(&patch, 3, 2, "y", 1, NULL));
    expect_becomes(&patch, "0123x789");
    assert_true(piaa_patch_add(&patch, 9, 2, "y", 1, NULL));
    assert_false(piaa_patch_apply(&patch, old, sizeof old - 1, &out, NULL));
    free(out.data);
    piaa_patch_free(&patch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stretches_are_replaced_in_any_order),
        cmocka_unit_test(only_what_differs_is_replaced),
        cmocka_unit_test(what_overlaps_or_reaches_beyond_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
