/* Figures over people, comparisons, CSV rows; threads that share jobs. */
#include "support.h"

#include "base/parallel.h"
#include "study/outcome.h"

/* `users` people with 4 test images each; person u's predictions follow the scores as told. */
static piaa_outcome *outcome(const char *method, const double (*predicted)[4],
                             const double (*scores)[4], size_t users) {
    piaa_error error = {0};
    piaa_outcome *out = piaa_outcome_new(method, "demo", "large", users, 4, 1, &error);
    assert_non_null(out);
    for (size_t u = 0; u < users; u++) {
        out->users[u].user = u;
        out->users[u].count = 4;
        for (size_t i = 0; i < 4; i++)
            out->rows[4 * u + i] = (piaa_outcome_row){i, predicted[u][i], scores[u][i], NAN, 0};
    }
    if (!piaa_outcome_finish(out, 500, 1, &error)) fail_msg("%s", error.message);
    return out;
}

static const double scores[4][4] = {{1, 2, 3, 4}, {4, 3, 2, 1}, {3, 3, 3, 3}, {1, 2, 2, 5}};
static const double guesses[4][4] = {{1, 2, 3, 4}, {4, 1, 2, 3}, {1, 2, 3, 4}, {2, 2, 2, 2}};

static void undefined_people_are_counted_and_shown_twice(void **state) {
    PIAA_UNUSED(state);
    piaa_outcome *out = outcome("m", guesses, scores, 4);
    assert_int_equal(out->spearman.undefined, 2); /* equal scores; equal predictions */
    double own = out->users[1].figures.spearman;
    assert_true(fabs(own - 0.2) < 1e-12);
    assert_true(fabs(out->spearman.defined.mean - (1 + own) / 2) < 1e-12);
    assert_true(fabs(out->spearman.all.mean - (1 + own) / 4) < 1e-12);
    assert_int_equal(out->r2.undefined, 0);
    assert_true(out->users[2].figures.r2 == 0); /* as scikit-learn has it for a constant truth */
    assert_true(out->rmse.all.low <= out->rmse.all.mean &&
                out->rmse.all.mean <= out->rmse.all.high);
    piaa_outcome_free(out);
    /* one image has no R2, which counts as nothing rather than as 0 */
    const double one[2][4] = {{1, 2, 3, 4}, {4, NAN, NAN, NAN}};
    out = outcome("m", one, scores, 2);
    assert_int_equal(out->r2.undefined, 1);
    assert_true(out->r2.all.mean == 1 && fabs(out->spearman.all.mean - 0.5) < 1e-12);
    piaa_outcome_free(out);
    out = outcome("m", one + 1, scores + 1, 1);
    assert_true(isnan(out->r2.all.mean) && out->spearman.all.mean == 0 && out->rmse.all.mean == 0);
    piaa_outcome_free(out);
}

/* Person 0 ranks rightly, then in reverse (1, -1), person 1 in reverse, then constantly (-1, and
 * undefined, which is 0 in a mean); person 2 never has a correlation.  R2 with a mean of 2.5 and
 * squares of 5: 1 and 1 - 20/5 = -3. */
static void repeats_are_averaged_by_person(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    static const double predicted[3][2][4] = {
        {{1, 2, 3, 4}, {4, 3, 2, 1}}, {{4, 3, 2, 1}, {2, 2, 2, 2}}, {{2, 2, 2, 2}, {3, 3, 3, 3}}};
    piaa_outcome *out = piaa_outcome_new("m", "demo", "large", 3, 4, 2, &error);
    assert_non_null(out);
    for (size_t u = 0; u < 3; u++) {
        assert_int_equal(out->users[u].first, 8 * u);
        out->users[u].count = 8;
        for (size_t r = 0; r < 2; r++)
            for (size_t i = 0; i < 4; i++)
                out->rows[8 * u + 4 * r + i] =
                    (piaa_outcome_row){i, predicted[u][r][i], 1 + (double)i, NAN, r};
    }
    out->rows[8 + 4].predicted = NAN; /* an image that one repeat alone could not predict */
    if (!piaa_outcome_finish(out, 500, 1, &error)) fail_msg("%s", error.message);
    assert_int_equal(out->row_count, 23);
    assert_true(fabs(out->users[0].figures.spearman) < 1e-12);
    assert_true(fabs(out->users[0].figures.r2 - -1) < 1e-12);
    assert_true(fabs(out->users[1].figures.spearman - -0.5) < 1e-12);
    assert_true(isnan(out->users[2].figures.spearman));
    assert_int_equal(out->spearman.undefined, 1);
    assert_true(fabs(out->spearman.all.mean - -0.5 / 3) < 1e-12);
    assert_true(fabs(out->each[0].spearman) < 1e-12);
    assert_true(fabs(out->each[1].spearman - -1.0 / 3) < 1e-12);
    piaa_outcome_free(out);
}

static void rows_without_a_prediction_go(void **state) {
    PIAA_UNUSED(state);
    double holes[4][4];
    memcpy(holes, guesses, sizeof holes);
    holes[0][1] = holes[1][0] = holes[1][1] = holes[1][2] = holes[1][3] = NAN;
    piaa_outcome *out = outcome("m", (const double(*)[4])holes, scores, 4);
    assert_int_equal(out->row_count, 11);
    assert_int_equal(out->test_left_out, 5);
    assert_int_equal(out->without, 1);
    assert_int_equal(out->users[0].count, 3);
    assert_int_equal(out->users[1].count, 0);
    assert_int_equal(out->users[2].first, 3);
    assert_true(out->rows[1].score == 3);
    assert_true(fabs(out->spearman.all.mean - 1.0 / 3) <
                1e-12); /* of the three people with predictions */
    piaa_outcome_free(out);
}

static void methods_are_compared_over_common_people(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    double worse[4][4], holes[4][4];
    for (int u = 0; u < 4; u++)
        for (int i = 0; i < 4; i++) {
            worse[u][i] = 6 - guesses[u][i];
            holes[u][i] = u == 3 ? NAN : guesses[u][i];
        }
    piaa_outcome *all[3] = {outcome("base", guesses, scores, 4),
                            outcome("worse", (const double(*)[4])worse, scores, 4),
                            outcome("holes", (const double(*)[4])holes, scores, 4)};
    const piaa_outcome *const list[3] = {all[0], all[1], all[2]};
    piaa_comparison out[3];
    assert_true(piaa_outcomes_compare(list, 3, 0, PIAA_FIGURE_SPEARMAN, 500, 1, out, &error));
    assert_true(isnan(out[0].p) && isnan(out[0].p_holm) && out[0].users == 4);
    assert_true(fabs(out[1].difference.mean + 2 * 1.2 / 4) < 1e-12);
    assert_int_equal(out[1].better, 0);
    assert_int_equal(out[2].users, 3);
    assert_true(out[2].difference.mean == 0 && out[2].p == 1);
    assert_true(fabs(out[1].p_holm - fmin(1, 2 * out[1].p)) < 1e-12);
    assert_true(piaa_outcomes_compare(list, 3, 0, PIAA_FIGURE_RMSE, 500, 1, out, &error));
    assert_true(out[1].difference.mean > 0); /* a larger error, so nobody is better off */
    assert_false(piaa_outcomes_compare(list, 3, 3, PIAA_FIGURE_R2, 500, 1, out, &error));
    for (int i = 0; i < 3; i++) piaa_outcome_free(all[i]);
}

/* What one to three people allow to be said; and no interval leaves what a figure can be. */
static void few_people_are_not_taken_for_many(void **state) {
    PIAA_UNUSED(state);
    static const double right[3][4] = {{1, 2, 3, 4}, {1, 2, 4, 3}, {4, 3, 2, 1}},
                        wrong[3][4] = {{4, 3, 2, 1}, {4, 3, 2, 1}, {1, 2, 3, 4}},
                        truth[3][4] = {{1, 2, 3, 4}, {1, 2, 3, 4}, {4, 3, 2, 1}};
    for (size_t n = 1; n <= 3; n++) {
        piaa_error error = {0};
        piaa_outcome *both[2] = {outcome("wrong", wrong, truth, n),
                                 outcome("right", right, truth, n)};
        piaa_comparison out[2];
        assert_true(piaa_outcomes_compare((const piaa_outcome *const *)both, 2, 0,
                                          PIAA_FIGURE_SPEARMAN, 500, 1, out, &error));
        assert_int_equal(out[1].users, n);
        assert_int_equal(out[1].better, n);
        assert_true(out[1].p == fmin(1, 2 * pow(0.5, (double)n)) && out[1].p_holm == out[1].p);
        const piaa_outcome_mean *mean = &both[1]->spearman;
        assert_true(isnan(mean->all.low) == (n < 3) && isnan(mean->all.high) == (n < 3));
        assert_true(isnan(both[1]->rmse.all.low) == (n < 3));
        assert_true(isnan(out[1].difference.low) == (n < 3));
        if (n == 3) { /* 1, 0.8 and 1: their interval would end at 1.2 */
            assert_true(mean->all.low < 14.0 / 15 && mean->all.high == 1);
            assert_true(mean->defined.high == 1 && both[1]->rmse.all.low == 0);
            assert_true(both[1]->r2.all.high == 1 && out[1].difference.high == 2);
        }
        for (int i = 0; i < 2; i++) piaa_outcome_free(both[i]);
    }
}

static void csv_fields_are_quoted_and_numbers_short(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_data_image images[1] = {{.name = "a,b.jpg"}};
    piaa_data_user users[1] = {{.id = "Anna \"A\""}};
    piaa_dataset set = {.images = images, .image_count = 1, .users = users, .user_count = 1};
    piaa_outcome *out = piaa_outcome_new("m", "demo", "small", 1, 2, 1, &error);
    assert_non_null(out);
    out->users[0].count = 2;
    out->rows[0] = (piaa_outcome_row){0, 2.1, 17 / 100.0 * 4 + 1, 3.25, 0};
    out->rows[1] = (piaa_outcome_row){0, 1 / 3.0, 4, NAN, 0};
    assert_true(piaa_outcome_finish(out, 10, 0, &error));
    piaa_text text = {0};
    assert_true(piaa_outcome_csv(out, &set, "x/", &text, &error));
    assert_string_equal(text.data, "\"Anna \"\"A\"\"\",\"x/a,b.jpg\",demo,small,m,3.25,2.1,1.68\n"
                                   "\"Anna \"\"A\"\"\",\"x/a,b.jpg\",demo,small,m,,0.33333334,4\n");
    free(text.data);
    piaa_outcome_free(out);
}

/* -------------------------------------------------------------------------------------- threads */

typedef struct tally {
    int done[100];
    size_t fails;
    int told, stop_after;
} tally;

static bool job(void *user, size_t i, piaa_error *error) {
    tally *t = user;
    t->done[i]++;
    return i < t->fails || piaa_error_set(error, PIAA_FORMAT, "job %zu", i);
}

static void tell(void *user, const char *what, int64_t done, int64_t total) {
    tally *t = user;
    assert_string_equal(what, "counting");
    assert_true(done <= total);
    t->told++;
}

static bool stop(void *user) {
    const tally *t = user;
    return t->stop_after && t->told >= t->stop_after;
}

static void every_job_runs_once(void **state) {
    PIAA_UNUSED(state);
    for (int threads = 0; threads < 5; threads++) {
        piaa_error error = {0};
        tally t = {.fails = 100};
        assert_true(piaa_parallel_run(100, threads, job, &t, "counting",
                                      &(piaa_hooks){.user = &t, .progress = tell}, &error));
        for (int i = 0; i < 100; i++) assert_int_equal(t.done[i], 1);
        assert_int_equal(t.told, 100);
        assert_true(piaa_parallel_run(0, threads, job, &t, "counting", NULL, &error));
    }
}

static void the_first_failure_is_told(void **state) {
    PIAA_UNUSED(state);
    for (int threads = 1; threads < 5; threads++) {
        piaa_error error = {0};
        tally t = {.fails = 7};
        assert_false(piaa_parallel_run(100, threads, job, &t, "counting", NULL, &error));
        assert_string_equal(error.message, "job 7");
        tally s = {.fails = 100, .stop_after = 3};
        assert_false(piaa_parallel_run(100, threads, job, &s, "counting",
                                       &(piaa_hooks){.user = &s, .progress = tell, .stop = stop},
                                       &error));
        assert_int_equal(error.code, PIAA_STOPPED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undefined_people_are_counted_and_shown_twice),
        cmocka_unit_test(repeats_are_averaged_by_person),
        cmocka_unit_test(rows_without_a_prediction_go),
        cmocka_unit_test(methods_are_compared_over_common_people),
        cmocka_unit_test(few_people_are_not_taken_for_many),
        cmocka_unit_test(csv_fields_are_quoted_and_numbers_short),
        cmocka_unit_test(every_job_runs_once),
        cmocka_unit_test(the_first_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
