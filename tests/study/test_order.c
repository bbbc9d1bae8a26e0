/* The order in which a person would have been asked, and what ratings say of the noise. */
#include "support.h"

#include "base/random.h"
#include "study/next.h"

enum { N = 60, DIM = 10, COPIES = 3 };

/* Features with a few copies at the end, and scores that follow the first column. */
typedef struct example {
    float x[N * DIM];
    double scores[N];
    int64_t rows[N];
} example;

static double normal(piaa_random *random) {
    double sum = -6;
    for (int k = 0; k < 12; k++) sum += piaa_random_unit(random);
    return sum;
}

static example make_example(double noise) {
    example e;
    piaa_random random;
    piaa_random_seed_numpy(&random, 11);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < DIM; j++) e.x[i * DIM + j] = (float)normal(&random);
        if (i >= N - COPIES) memcpy(&e.x[i * DIM], &e.x[(i - N + COPIES) * DIM], DIM * sizeof *e.x);
        e.scores[i] = 3 + (double)e.x[i * DIM] + noise * normal(&random);
        e.rows[i] = (int64_t)i;
    }
    return e;
}

static void order_of(const example *e, piaa_strategy strategy, size_t *order) {
    static const size_t sizes[] = {10, 25, 40};
    const piaa_choosing choosing = {.strategy = strategy, .random_share = 0.2};
    piaa_error error = {0};
    if (!piaa_next_order(e->x, e->rows, e->scores, N, DIM, &choosing, sizes, 3, order, &error))
        fail_msg("%s", error.message);
}

/* Every rating once, copies of what was asked for last; at random as they are. */
static void everything_is_asked_for_once(void **state) {
    (void)state;
    const example e = make_example(0.3);
    for (int s = 0; s < PIAA_STRATEGIES; s++) {
        size_t order[N];
        bool seen[N] = {false};
        order_of(&e, (piaa_strategy)s, order);
        for (size_t k = 0; k < N; k++) {
            assert_true(order[k] < N && !seen[order[k]]);
            seen[order[k]] = true;
            if (s == PIAA_CHOOSE_RANDOM) assert_int_equal(order[k], k);
            const size_t i = order[k];
            const bool copy =
                i < COPIES ? seen[i + N - COPIES] : i >= N - COPIES && seen[i - N + COPIES];
            if (s != PIAA_CHOOSE_RANDOM && copy) assert_true(k >= N - COPIES);
        }
    }
}

/* Scores that come after a choice have no part in it: with other ones the order up to the first
   size from which on they count is the same, and of those asked for later nothing is known. */
static void later_scores_are_not_looked_at(void **state) {
    (void)state;
    const example e = make_example(0.3);
    size_t order[N], other[N];
    order_of(&e, PIAA_CHOOSE_V_OPTIMAL, order);
    example changed = e;
    for (size_t k = 25; k < N; k++) changed.scores[order[k]] = 100 * (double)k;
    order_of(&changed, PIAA_CHOOSE_V_OPTIMAL, other);
    for (size_t k = 0; k < 40; k++) assert_int_equal(order[k], other[k]);
    for (size_t k = 0; k < N; k++) changed.scores[order[k]] = -(double)k;
    order_of(&changed, PIAA_CHOOSE_V_OPTIMAL, other);
    for (size_t k = 0; k < 25; k++) assert_int_equal(order[k], other[k]);
}

/* Clear ratings leave little noise, muddy ones more, and few, equal or senseless ones say
   nothing. */
static void ratings_tell_the_noise(void **state) {
    (void)state;
    piaa_error error = {0};
    double clear = NAN, muddy = NAN, none = NAN;
    const example a = make_example(0.05), b = make_example(1);
    const piaa_band band_a = {.x = a.x, .rows = a.rows, .dim = DIM},
                    band_b = {.x = b.x, .rows = b.rows, .dim = DIM};
    assert_true(piaa_next_noise(&band_a, 1, a.scores, N, &clear, &error));
    assert_true(piaa_next_noise(&band_b, 1, b.scores, N, &muddy, &error));
    assert_true(clear > 0 && muddy > 2 * clear);
    assert_true(piaa_next_noise(&band_a, 1, a.scores, PIAA_NEXT_ENOUGH - 1, &none, &error));
    assert_true(none == 0);
    example senseless = a;
    for (size_t i = 0; i < N; i++) senseless.scores[i] = (double)(i * 7919 % 101);
    assert_true(piaa_next_noise(&band_a, 1, senseless.scores, N, &none, &error));
    assert_true(none == 0);
    for (size_t i = 0; i < N; i++) senseless.scores[i] = 4;
    assert_true(piaa_next_noise(&band_a, 1, senseless.scores, N, &none, &error));
    assert_true(none == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_asked_for_once),
        cmocka_unit_test(later_scores_are_not_looked_at),
        cmocka_unit_test(ratings_tell_the_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
