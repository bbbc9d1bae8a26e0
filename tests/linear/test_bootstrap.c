/* Bootstrap intervals and p-values against NumPy (RandomState(42).randint and percentile, 1,000
 * draws), Holm's correction by hand, and figures that are undefined. */
#include "support.h"

#include "linear/agreement.h"
#include "linear/bootstrap.h"

static const double a[12] = {0.61, 0.42, -0.13, 0.77, 0.5, 0.0, 0.31, 0.66, 0.58, 0.12, 0.49, 0.35};
static const double b[12] = {0.52, 0.40, -0.02, 0.71, 0.31, 0.1, 0.35, 0.5, 0.4, 0.05, 0.42, 0.30};

static void intervals_equal_numpy(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_interval out;
    assert_true(piaa_bootstrap_mean(a, 12, 1000, 42, &out, &error));
    assert_true(fabs(out.mean - 0.39) < 1e-12);
    assert_true(fabs(out.low - 0.2324166666666667) < 1e-12);
    assert_true(fabs(out.high - 0.5300625) < 1e-12);
}

static void paired_tests_equal_numpy(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_interval out;
    double p;
    assert_true(piaa_bootstrap_paired(a, b, 12, 1000, 42, &out, &p, &error));
    assert_true(fabs(out.mean - 0.05333333333333332) < 1e-12);
    assert_true(fabs(out.low + 0.0016875000000000048) < 1e-12);
    assert_true(fabs(out.high - 0.1041875) < 1e-12);
    assert_true(fabs(p - 2 * 30 / 1001.0) < 1e-12); /* 29 of the resampled means are not above 0 */
    double q;
    assert_true(piaa_bootstrap_paired(b, a, 12, 1000, 42, &out, &q, &error));
    assert_true(p == q);
    assert_true(piaa_bootstrap_paired(a, a, 12, 1000, 42, &out, &p, &error));
    assert_true(p == 1 && out.mean == 0 && out.low == 0 && out.high == 0);
}

static void few_and_none(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_interval out;
    assert_true(piaa_bootstrap_mean(a, 1, 100, 0, &out, &error));
    assert_true(out.mean == a[0] && out.low == a[0] && out.high == a[0]);
    assert_true(piaa_bootstrap_mean(a, 0, 100, 0, &out, &error));
    assert_true(isnan(out.mean) && isnan(out.low) && isnan(out.high));
    assert_true(piaa_bootstrap_mean(a, 12, 1, 0, &out, &error));
    assert_true(out.low == out.high);
    assert_false(piaa_bootstrap_mean(a, 12, 0, 0, &out, &error));
    assert_int_equal(error.code, PIAA_USAGE);
}

static void holm_steps_down(void **state) {
    PIAA_UNUSED(state);
    const double p[] = {0.01, 0.04, NAN, 0.03, 0.005, 0.9},
                 expected[] = {0.04, 0.09, NAN, 0.09, 0.025, 0.9};
    double out[6];
    assert_true(piaa_bootstrap_holm(p, 6, out, NULL));
    for (int i = 0; i < 6; i++)
        assert_true(isnan(p[i]) ? isnan(out[i]) : fabs(out[i] - expected[i]) < 1e-12);
    const double large[] = {0.6, 0.7};
    assert_true(piaa_bootstrap_holm(large, 2, out, NULL));
    assert_true(out[0] == 1 && out[1] == 1);
}

static void undefined_figures_are_nan(void **state) {
    PIAA_UNUSED(state);
    const double constant[4] = {3, 3, 3, 3}, truth[4] = {1, 2, 3, 5};
    piaa_agreement out;
    assert_true(piaa_agreement_measure(truth, constant, 4, 1, &out, NULL));
    assert_true(out.n == 4 && isnan(out.spearman) && fabs(out.r2 + 0.25 * 0.25 / 2.1875) < 1e-12 &&
                isfinite(out.rmse));
    assert_true(piaa_agreement_measure(truth, truth, 1, 1, &out, NULL));
    assert_true(isnan(out.spearman) && isnan(out.r2) && out.rmse == 0);
    assert_true(piaa_agreement_measure(truth, truth, 0, 1, &out, NULL));
    assert_true(out.n == 0 && isnan(out.rmse));
    const double pairs[6] = {1, 5, 2, 5, 4, 5};
    double correlation[4];
    assert_true(piaa_agreement_correlate(pairs, 3, 2, correlation, NULL));
    assert_true(fabs(correlation[0] - 1) < 1e-12 && isnan(correlation[1]) &&
                isnan(correlation[2]) && isnan(correlation[3]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_equal_numpy),
        cmocka_unit_test(paired_tests_equal_numpy),
        cmocka_unit_test(few_and_none),
        cmocka_unit_test(holm_steps_down),
        cmocka_unit_test(undefined_figures_are_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
