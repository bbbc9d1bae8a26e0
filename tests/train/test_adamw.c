/* AdamW against steps worked out by hand. */
#include "support.h"
#include "train/adamw.h"

#include <math.h>

static void expect(float got, double wanted) {
    if (!(fabs((double)got - wanted) < 1e-6)) fail_msg("%.9g, not %.9g", (double)got, wanted);
}

/* Rate 0.1, decay 0.01, gradients 0.5 and -0.25.
 *   t = 1: p = 1 (1 - 0.001) = 0.999; m = 0.05, v = 0.00025; m / 0.1 = 0.5, v / 0.001 = 0.25;
 *          p = 0.999 - 0.1 x 0.5 / sqrt(0.25) = 0.899
 *   t = 2: p = 0.899 x 0.999 = 0.898101; m = 0.05 + 0.1 (-0.25 - 0.05) = 0.02,
 *          v = 0.999 x 0.00025 + 0.001 x 0.0625 = 0.00031225; m / 0.19 = 0.10526316,
 *          v / 0.001999 = 0.15620310, its root 0.39522538;
 *          p = 0.898101 - 0.1 x 0.10526316 / 0.39522538 = 0.8714673 */
static void two_steps_by_hand(void **state) {
    (void)state;
    piaa_adamw *adamw = piaa_adamw_new(1, &(piaa_adamw_options){.weight_decay = 0.01}, NULL);
    float p = 1, gradients[] = {0.5F, -0.25F};
    piaa_adamw_begin(adamw, 0.1);
    piaa_adamw_update(adamw, 0, &p, &gradients[0], 1);
    expect(p, 0.899);
    piaa_adamw_begin(adamw, 0.1);
    piaa_adamw_update(adamw, 0, &p, &gradients[1], 1);
    expect(p, 0.8714673);
    piaa_adamw_free(adamw);
}

/* The root of v is divided before epsilon is added: with epsilon 1, and so large that where it
 * stands shows, p = 0 - 0.1 x 0.5 / (0.5 + 1) at the first step. */
static void epsilon_is_outside_the_corrected_root(void **state) {
    (void)state;
    piaa_adamw *adamw = piaa_adamw_new(1, &(piaa_adamw_options){.epsilon = 1}, NULL);
    float p = 0, gradient = 0.5F;
    piaa_adamw_begin(adamw, 0.1);
    piaa_adamw_update(adamw, 0, &p, &gradient, 1);
    expect(p, -0.1 * 0.5 / 1.5);
    piaa_adamw_free(adamw);
}

/* A rate of 0 moves the moments alone: m = 0.05, then m = 0.05 + 0.1 (0.5 - 0.05) = 0.095,
 * m / 0.19 = 0.5, v = 0.00025 x 1.999, v / 0.001999 = 0.25: the step is the full rate. */
static void a_rate_of_nothing_counts_as_a_step(void **state) {
    (void)state;
    piaa_adamw *adamw = piaa_adamw_new(1, &(piaa_adamw_options){.weight_decay = 0.01}, NULL);
    float p = 1, gradient = 0.5F;
    piaa_adamw_begin(adamw, 0);
    piaa_adamw_update(adamw, 0, &p, &gradient, 1);
    assert_true(p == 1);
    piaa_adamw_begin(adamw, 0.1);
    piaa_adamw_update(adamw, 0, &p, &gradient, 1);
    expect(p, 0.999 - 0.1);
    piaa_adamw_free(adamw);
}

/* Arrays apart are what one array would be. */
static void parts_are_updated_alone(void **state) {
    (void)state;
    float together[] = {1, 2, 3}, first[] = {1, 2}, second[] = {3};
    const float gradients[] = {0.1F, -2, 30};
    piaa_adamw *one = piaa_adamw_new(3, NULL, NULL), *two = piaa_adamw_new(3, NULL, NULL);
    for (int step = 0; step < 3; step++) {
        piaa_adamw_begin(one, 0.01);
        piaa_adamw_update(one, 0, together, gradients, 3);
        piaa_adamw_begin(two, 0.01);
        piaa_adamw_update(two, 2, second, gradients + 2, 1);
        piaa_adamw_update(two, 0, first, gradients, 2);
    }
    assert_memory_equal(together, first, sizeof first);
    assert_memory_equal(together + 2, second, sizeof second);
    piaa_adamw_free(one);
    piaa_adamw_free(two);
}

/* What was written down after two steps goes on as the whole does, to the bit. */
static void a_state_is_restored(void **state) {
    (void)state;
    float whole[] = {1, 2}, resumed[2];
    const float gradients[] = {0.1F, -2};
    size_t count;
    piaa_adamw *one = piaa_adamw_new(2, NULL, NULL), *two = piaa_adamw_new(2, NULL, NULL);
    for (int step = 0; step < 5; step++) {
        if (step == 2) {
            const piaa_named *from = piaa_adamw_state(one, &count),
                             *to = piaa_adamw_state(two, NULL);
            for (size_t i = 0; i < count; i++)
                memcpy(to[i].data, from[i].data,
                       (size_t)piaa_named_values(&from[i]) * sizeof(float));
            memcpy(resumed, whole, sizeof whole);
        }
        piaa_adamw_begin(one, 0.01);
        piaa_adamw_update(one, 0, whole, gradients, 2);
        if (step < 2) continue;
        piaa_adamw_begin(two, 0.01);
        piaa_adamw_update(two, 0, resumed, gradients, 2);
    }
    assert_memory_equal(whole, resumed, sizeof whole);
    assert_int_equal(piaa_adamw_steps(two), 5);
    piaa_adamw_free(one);
    piaa_adamw_free(two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_steps_by_hand),
        cmocka_unit_test(epsilon_is_outside_the_corrected_root),
        cmocka_unit_test(a_rate_of_nothing_counts_as_a_step),
        cmocka_unit_test(parts_are_updated_alone),
        cmocka_unit_test(a_state_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
