/* The metrics against SciPy and scikit-learn, on lists with and without ties, and against the
   golden regressions. */
#include "base/portability.h"
#include "support.h"

#include "linear/metrics.h"

static const struct {
    const char *name;
    size_t n;
    double truth[15], predicted[15];
    double spearman, pearson, r2, rmse,
        mae; /* spearmanr, pearsonr, r2_score, mean_squared_error ** .5, mean_absolute_error */
} rows[] = {
    {"half-star ratings 12",
     12,
     {2.5, 3.0, 4.5, 3.5, 1.5, 3.0, 2.5, 3.0, 1.5, 3.0, 3.0, 4.5},
     {2.8, 3.5, 3.0, 5.8, -0.4, 4.1, 2.2, 2.1, 0.8, 2.3, 3.4, 4.4},
     0.7620533828360703,
     0.7274277445013404,
     -0.5160599571734472,
     1.1086778913041726,
     0.8916666666666666},
    {"half-star ratings 15",
     15,
     {4.5, 1.0, 3.0, 2.0, 4.0, 1.0, 2.5, 3.0, 1.5, 4.0, 3.0, 4.0, 4.0, 2.0, 2.0},
     {4.3, 1.7, 3.9, 1.3, 3.4, 0.2, 1.9, 2.8, 1.4, 6.1, 2.5, 3.7, 4.5, 1.0, 1.6},
     0.8811484721941992,
     0.8737160430180718,
     0.5035211267605635,
     0.7916228058025278,
     0.64},
    {"one tie",
     5,
     {1.0, 2.0, 3.0, 4.0, 5.0},
     {5.0, 6.0, 7.0, 8.0, 7.0},
     0.8207826816681233,
     0.8320502943378436,
     -5.8,
     3.687817782917155,
     3.6},
    {"mostly ties, falling",
     5,
     {1.0, 1.0, 1.0, 2.0, 2.0},
     {2.0, 2.0, 1.0, 1.0, 1.0},
     -0.6666666666666667,
     -0.6666666666666665,
     -2.3333333333333335,
     0.8944271909999159,
     0.8},
    {"a large mean",
     4,
     {100000001.0, 100000002.0, 100000003.0, 100000004.0},
     {0.5, 0.25, 2.0, 1.0},
     0.6000000000000001,
     0.5421374765483944,
     -8000000250000002.0,
     100000001.56250001,
     100000001.5625},
    {"two pairs", 2, {1.0, 2.0}, {3.0, 1.0}, -1.0, -1.0, -9.0, 1.5811388300841898, 1.5},
    {"constant truth",
     7,
     {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5},
     {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0},
     NAN,
     NAN,
     0.0,
     4.031128874149275,
     3.5},
    {"constant prediction",
     4,
     {1.0, 2.0, 3.0, 4.0},
     {0.3, 0.3, 0.3, 0.3},
     NAN,
     NAN,
     -3.872,
     2.467792535850613,
     2.2},
    {"constant and exact", 3, {2.5, 2.5, 2.5}, {2.5, 2.5, 2.5}, NAN, NAN, 1.0, 0.0, 0.0},
};

static void same(const char *name, const char *metric, double got, double want) {
    if (isnan(want) ? isnan(got) : fabs(got - want) <= 1e-12 * fmax(1, fabs(want))) return;
    fail_msg("%s, %s: %.17g, not %.17g", name, metric, got, want);
}

static double spearman(const double *a, const double *b, size_t n) {
    double out;
    piaa_error error = {0};
    assert_true(piaa_metrics_spearman(a, b, n, &out, &error));
    return out;
}

static void equal_scipy_and_scikit_learn(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        const double *a = rows[i].truth, *b = rows[i].predicted;
        size_t n = rows[i].n;
        same(rows[i].name, "spearman", spearman(a, b, n), rows[i].spearman);
        same(rows[i].name, "pearson", piaa_metrics_pearson(a, b, n), rows[i].pearson);
        same(rows[i].name, "r2", piaa_metrics_r2(a, b, n), rows[i].r2);
        same(rows[i].name, "rmse", piaa_metrics_rmse(a, b, n), rows[i].rmse);
        same(rows[i].name, "mae", piaa_metrics_mae(a, b, n), rows[i].mae);
    }
}

/* The golden files write an undefined Spearman as 0. */
static void equal_the_golden_regressions(void **state) {
    PIAA_UNUSED(state);
    static const char *const cases[] = {
        "wide", "tall",     "square", "tiny", "constant_column", "constant_target",
        "ties", "collinear"};
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/ridge.safetensors");
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        static const char *const names[] = {"y_test", "prediction", "spearman", "r2"};
        double *values[4];
        size_t counts[4];
        for (size_t i = 0; i < 4; i++) {
            char key[64];
            snprintf(key, sizeof key, "%s|%s", cases[c], names[i]);
            values[i] = support_doubles(file, key, &counts[i]);
        }
        size_t targets = counts[3];
        assert_int_equal(counts[0], 50 * targets);
        for (size_t k = 0; k < targets; k++) {
            double a[50], b[50];
            for (size_t i = 0; i < 50; i++)
                a[i] = values[0][i * targets + k], b[i] = values[1][i * targets + k];
            double got = spearman(a, b, 50);
            same(cases[c], "spearman", isnan(got) ? 0 : got, values[2][k]);
            same(cases[c], "r2", piaa_metrics_r2(a, b, 50), values[3][k]);
        }
        for (size_t i = 0; i < 4; i++) free(values[i]);
    }
    piaa_safetensors_close(file);
}

static void undefined_is_nan(void **state) {
    PIAA_UNUSED(state);
    const double a[] = {1, 2, 3}, gap[] = {1, NAN, 3};
    assert_true(isnan(spearman(a, a, 0)) && isnan(spearman(a, a, 1)) &&
                isnan(spearman(a, gap, 3)) && isnan(spearman(gap, a, 3)));
    assert_true(isnan(piaa_metrics_pearson(a, a, 1)) && isnan(piaa_metrics_pearson(a, gap, 3)));
    assert_true(isnan(piaa_metrics_r2(a, a, 1)) && isnan(piaa_metrics_r2(a, gap, 3)));
    assert_true(isnan(piaa_metrics_rmse(a, a, 0)) && isnan(piaa_metrics_rmse(gap, a, 3)));
    assert_true(isnan(piaa_metrics_mae(a, a, 0)) && isnan(piaa_metrics_mae(a, gap, 3)));
    const double infinite[] = {1, INFINITY, -INFINITY};
    same("infinities", "spearman", spearman(infinite, (double[]){2, 3, 1}, 3),
         1); /* ranks take them */
}

static void ranks_average_ties(void **state) {
    PIAA_UNUSED(state);
    double ranks[6];
    piaa_error error = {0};
    assert_true(piaa_metrics_ranks((double[]){3, 1, 3, 2, 3, 0}, 6, ranks, &error));
    const double want[] = {5, 2, 5, 3, 5, 1};
    for (int i = 0; i < 6; i++) assert_true(ranks[i] == want[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_scipy_and_scikit_learn),
        cmocka_unit_test(equal_the_golden_regressions),
        cmocka_unit_test(undefined_is_nan),
        cmocka_unit_test(ranks_average_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
