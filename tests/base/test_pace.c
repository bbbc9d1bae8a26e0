/* How long a job will still take.  Worked out by hand. */
#include "base/pace.h"

#include "support.h"

#include <math.h>

/* 40 were there before; 6 more took 3 s: 2 a second, and 54 are left. */
static void what_was_there_before_counts_for_nothing(void **state) {
    (void)state;
    piaa_pace pace = {0};
    piaa_pace_tell(&pace, 40, 1000);
    assert_true(isnan(piaa_pace_left(&pace, 100)));
    piaa_pace_tell(&pace, 46, 1003);
    assert_true(piaa_pace_speed(&pace) == 2);
    assert_true(piaa_pace_left(&pace, 100) == 27);
    piaa_pace_tell(&pace, 100, 1030);
    assert_true(piaa_pace_left(&pace, 100) == 0);
}

static void a_moment_tells_nothing(void **state) {
    (void)state;
    piaa_pace pace = {0};
    piaa_pace_tell(&pace, 0, 10);
    piaa_pace_tell(&pace, 8, 10.25);
    assert_true(piaa_pace_speed(&pace) == 0);
    assert_true(isnan(piaa_pace_left(&pace, 100)));
}

static void a_job_that_begins_again_is_timed_anew(void **state) {
    (void)state;
    piaa_pace pace = {0};
    piaa_pace_tell(&pace, 50, 1000);
    piaa_pace_tell(&pace, 60, 1010);
    piaa_pace_tell(&pace, 0, 2000);
    assert_true(piaa_pace_speed(&pace) == 0);
    piaa_pace_tell(&pace, 8, 2002);
    assert_true(piaa_pace_speed(&pace) == 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_there_before_counts_for_nothing),
        cmocka_unit_test(a_moment_tells_nothing),
        cmocka_unit_test(a_job_that_begins_again_is_timed_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
