/* Intervals and p-values of few people against SciPy (stats.permutation_test with
   permutation_type="samples" and every sign; Student's quantiles and the unbiased skewness in
   Hall's formula), and what must hold of any figures. */
#include "support.h"

#include "linear/people.h"

enum { DRAWS = 10000 };

static const double a[12] = {0.61, 0.42, -0.13, 0.77, 0.5, 0.0, 0.31, 0.66, 0.58, 0.12, 0.49, 0.35};
static const double b[12] = {0.52, 0.40, -0.02, 0.71, 0.31, 0.1, 0.35, 0.5, 0.4, 0.05, 0.42, 0.30};
static const double zero[200];

static double p_of(const double *d, size_t n) {
    piaa_error error = {0};
    piaa_interval out;
    double p, q;
    assert_true(piaa_people_compare(d, zero, n, DRAWS, 42, &out, &p, &error));
    assert_true(piaa_people_compare(zero, d, n, DRAWS, 42, &out, &q, &error));
    assert_true(p == q);
    return p;
}

static piaa_interval interval_of(const double *values, size_t n) {
    piaa_error error = {0};
    piaa_interval out;
    assert_true(piaa_people_means(values, 1, n, DRAWS, 42, &out, &error));
    return out;
}

static bool near(double x, double y) {
    return fabs(x - y) < 1e-9;
}

/* ----------------------------------------------------------------------------------------- test */

static void p_values_equal_scipy(void **state) {
    PIAA_UNUSED(state);
    assert_true(p_of((double[]){0.3, 0.2}, 2) == 0.5);
    assert_true(p_of((double[]){0.3, -0.2}, 2) == 1);
    assert_true(p_of((double[]){0.3, 0.2, 0.1}, 3) == 0.25);
    assert_true(p_of((double[]){0.3, 0.2, -0.1}, 3) == 0.5);
    assert_true(p_of((double[]){1, 1, 1, 1, -1}, 5) == 0.375);
    assert_true(p_of((double[]){2, -1, 0, 1, 3, 0}, 6) == 0.375);
    /* sums that are equal but for rounding count as equal */
    assert_true(p_of((double[]){0.1, 0.2, 0.3, 0.3, 0.2, 0.1, 0.4, -0.1}, 8) == 0.03125);
    piaa_error error = {0};
    piaa_interval out;
    double p;
    assert_true(piaa_people_compare(a, b, 12, DRAWS, 42, &out, &p, &error));
    assert_true(p == 0.0966796875);
    assert_true(near(out.mean, 0.05333333333333332));
    assert_true(near(out.low, -0.01519401257250224) && near(out.high, 0.11630947170801997));
}

/* The last of them is all signs of 19 people, the first whose signs are drawn has 20. */
static void signs_are_drawn_where_they_are_many(void **state) {
    PIAA_UNUSED(state);
    static const double d[20] = {0.35,  1.34, 0.09, -0.58, 0.84,  1.15, -0.35, -0.27, 1.21,  0.75,
                                 -0.61, 0.2,  1.35, 0.24,  -0.62, 0.71, 1.23,  -0.24, -0.38, 1.12};
    assert_true(p_of(d, 19) == 0.05673980712890625);
    double p = p_of(d, 20), exact = 0.032215118408203125;
    assert_true(p != exact && fabs(p - exact) < 4 * sqrt(exact * (1 - exact) / DRAWS));
    double large[40];
    for (int i = 0; i < 40; i++) large[i] = 1 + i % 3; /* 2/2^40 in truth */
    assert_true(p_of(large, 40) == 1 / (DRAWS + 1.0));
    assert_true(p_of(zero, 40) == 1);
}

/* One person is 1, two are 1/2, three 1/4 …: however the differences look, and however large. */
static void no_p_is_below_what_so_few_can_say(void **state) {
    PIAA_UNUSED(state);
    double d[19];
    for (size_t n = 1; n <= 19; n++) {
        for (size_t i = 0; i < n; i++) d[i] = 1e-9 * pow(10, (double)(i % 7)) + 1;
        assert_true(p_of(d, n) == fmin(1, 2 * pow(0.5, (double)n)));
    }
    assert_true(p_of(zero, 1) == 1 && p_of(zero, 7) == 1);
    piaa_interval out;
    double p = 0;
    assert_true(piaa_people_compare(zero, zero, 0, DRAWS, 42, &out, &p, NULL));
    assert_true(isnan(p) && isnan(out.mean) && isnan(out.low) && isnan(out.high));
}

/* Of all the signs that eight differences can have, at most one in twenty gives p <= 0.05: that is
   what a p-value promises. */
static void chance_is_called_significant_as_often_as_promised(void **state) {
    PIAA_UNUSED(state);
    static const double sizes[][8] = {{1, 2, 3, 4, 5, 6, 7, 8},
                                      {0.31, 0.02, 0.9, 0.44, 0.58, 0.13, 0.77, 0.25},
                                      {1, 1, 1, 1, 1, 1, 1, 1},
                                      {0, 0, 0.1, 0.1, 0.2, 0.2, 5, 0.1}};
    for (size_t k = 0; k < PIAA_COUNT(sizes); k++) {
        int found = 0;
        for (int signs = 0; signs < 256; signs++) {
            double d[8];
            for (int i = 0; i < 8; i++) d[i] = signs >> i & 1 ? sizes[k][i] : -sizes[k][i];
            found += p_of(d, 8) <= 0.05;
        }
        assert_true(found <= 12); /* of 256 */
        assert_true(found > 0 || k == 3);
    }
}

/* ------------------------------------------------------------------------------------- interval */

static void intervals_equal_scipy(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        double values[8];
        size_t n;
        double mean, low, high;
    } cases[] = {
        /* symmetric: Student's, 4.302653 / sqrt(3) and 2.776445 sqrt(2.5 / 5) */
        {{-1, 0, 1}, 3, 0, -2.4841377117503116, 2.4841377117503116},
        {{1, 2, 3, 4, 5}, 5, 3, 1.0367568385224393, 4.9632431614775607},
        {{1, 2, 3, 4, 10}, 5, 4, -0.3899451654254138, 16.897466003262515},
        {{-10, -4, -3, -2, -1}, 5, -4, -16.897466003262515, 0.3899451654254138},
        {{0, 0, 1}, 3, 1.0 / 3, -1.1008842432498211, 2.847178393613687},
        {{0.1, 0.5, 0.9, 0.95, 0.97, 0.99, 0.8, 0.85},
         8,
         0.7575,
         -0.2001630529523467,
         1.0152854907455575},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_interval out = interval_of(cases[i].values, cases[i].n);
        assert_true(near(out.mean, cases[i].mean));
        assert_true(near(out.low, cases[i].low) && near(out.high, cases[i].high));
    }
    /* Student's 97.5 % quantiles: 39 degrees of freedom 2.022690920036761, 98 1.9844674545084815.
       The figures are -1, 1, -1 …: without skewness, of variance n/(n - 1). */
    double many[99];
    for (int i = 0; i < 99; i++) many[i] = i == 98 ? 0 : i % 2 ? 1 : -1;
    assert_true(near(interval_of(many, 40).high, 2.022690920036761 / sqrt(39)));
    assert_true(near(interval_of(many, 99).high, 1.9844674545084815 / sqrt(99)));
}

static void so_few_have_no_interval(void **state) {
    PIAA_UNUSED(state);
    for (size_t n = 1; n < 3; n++) {
        piaa_interval out = interval_of(a, n);
        assert_true(!isnan(out.mean) && isnan(out.low) && isnan(out.high));
    }
    static const double same[] = {0.1 + 0.2, 0.3, 0.3, 0.3}; /* but for rounding */
    piaa_interval out = interval_of(same, 4);
    assert_true(near(out.mean, 0.3) && isnan(out.low) && isnan(out.high));
    out = interval_of(zero, 40);
    assert_true(out.mean == 0 && isnan(out.low) && isnan(out.high));
    static const double huge[] = {1e300, -1e300, 1e299};
    out = interval_of(huge, 3);
    assert_true(isfinite(out.mean) && isnan(out.low) && isnan(out.high));
    out = interval_of(a, 0);
    assert_true(isnan(out.mean) && isnan(out.low) && isnan(out.high));
}

static void several_lists_are_each_their_own(void **state) {
    PIAA_UNUSED(state);
    double both[24];
    memcpy(both, a, sizeof a);
    memcpy(both + 12, b, sizeof b);
    piaa_interval out[2], alone = interval_of(b, 12);
    assert_true(piaa_people_means(both, 2, 12, DRAWS, 42, out, NULL));
    assert_true(near(out[0].low, 0.17936152604825764) && near(out[0].high, 0.5643402891158619));
    assert_true(out[1].mean == alone.mean && out[1].low == alone.low && out[1].high == alone.high);
}

/* From 100 people on everything is the bootstrap's, to the last bit. */
static void many_people_are_as_published(void **state) {
    PIAA_UNUSED(state);
    double x[200];
    for (int i = 0; i < 200; i++) x[i] = sin(i * 1.7) + 0.1;
    for (size_t n = 99; n <= 200; n += n == 99 ? 1 : 100) {
        piaa_interval own = interval_of(x, n), other, difference;
        double p, q = p_of(x, n);
        assert_true(piaa_bootstrap_mean(x, n, DRAWS, 42, &other, NULL));
        assert_true((own.low == other.low && own.high == other.high) == (n >= 100));
        assert_true(piaa_bootstrap_paired(x, zero, n, DRAWS, 42, &difference, &p, NULL));
        assert_true((p == q) == (n >= 100));
    }
    assert_false(piaa_people_means(x, 1, 200, 0, 42, &(piaa_interval){0}, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_values_equal_scipy),
        cmocka_unit_test(signs_are_drawn_where_they_are_many),
        cmocka_unit_test(no_p_is_below_what_so_few_can_say),
        cmocka_unit_test(chance_is_called_significant_as_often_as_promised),
        cmocka_unit_test(intervals_equal_scipy),
        cmocka_unit_test(so_few_have_no_interval),
        cmocka_unit_test(several_lists_are_each_their_own),
        cmocka_unit_test(many_people_are_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
