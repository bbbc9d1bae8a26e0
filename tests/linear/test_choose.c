/* The choice of the next photo: against posteriors conditioned anew (tests/golden/linear), and what
   has to hold of any features. */
#include "support.h"

#include "base/random.h"
#include "linear/choose.h"

static const char *const cases[] = {"tall", "wide", "quiet", "loud"};

static double *golden(const piaa_safetensors *file, const char *name, const char *what) {
    char key[96];
    snprintf(key, sizeof key, "%s|%s", name, what);
    return support_doubles(file, key, NULL);
}

static piaa_chooser *chooser_of(const piaa_band *bands, int count, int64_t n, int64_t rated,
                                const piaa_choosing *choosing) {
    piaa_error error = {0};
    piaa_chooser *made = piaa_chooser_new(bands, count, n, rated, choosing, &error);
    if (!made) fail_msg("%s", error.message);
    return made;
}

/* The first n rows of x, of which these are rated. */
static piaa_chooser *chooser(const float *x, int64_t n, int dim, const int64_t *rated,
                             int64_t rated_count, const piaa_choosing *choosing) {
    int64_t *rows = malloc((size_t)(n + rated_count) * sizeof *rows);
    for (int64_t i = 0; i < n; i++) rows[i] = i;
    for (int64_t i = 0; i < rated_count; i++) rows[n + i] = rated[i];
    const piaa_band band = {.x = x, .rows = rows, .dim = dim};
    piaa_chooser *made = chooser_of(&band, 1, n, rated_count, choosing);
    free(rows);
    return made;
}

/* The values of all photos, less what they may be off by. */
static void expect_values(const piaa_chooser *c, const double *expected, size_t n,
                          const char *where) {
    double scale = 0;
    for (size_t i = 0; i < n; i++) scale = fmax(scale, isnan(expected[i]) ? 0 : fabs(expected[i]));
    for (size_t i = 0; i < n; i++) {
        const double value = piaa_chooser_value(c, (int64_t)i);
        if (isnan(expected[i]) != isnan(value) || fabs(value - expected[i]) > 1e-9 * scale)
            fail_msg("%s, photo %zu: %.17g, not %.17g", where, i, value, expected[i]);
    }
}

static void expect_case(const piaa_safetensors *file, const char *name, piaa_strategy strategy) {
    char key[64];
    snprintf(key, sizeof key, "%s|x", name);
    const piaa_tensor *shape = support_tensor(file, key);
    const size_t n = (size_t)shape->shape[0];
    float *x = support_floats(file, key, NULL);
    double *noise = golden(file, name, "noise"), *rated = golden(file, name, "rated");
    snprintf(key, sizeof key, "%s|rated", name);
    const int64_t count = support_tensor(file, key)->shape[0];
    int64_t rows[8];
    for (int64_t i = 0; i < count; i++) rows[i] = (int64_t)rated[i];
    snprintf(key, sizeof key, "%s|chosen", piaa_strategy_names[strategy]);
    double *chosen = golden(file, name, key);
    snprintf(key, sizeof key, "%s|values", piaa_strategy_names[strategy]);
    double *values = golden(file, name, key);
    const piaa_choosing how = {.strategy = strategy, .noise = *noise};
    piaa_chooser *c = chooser(x, (int64_t)n, (int)shape->shape[1], rows, count, &how);
    for (size_t step = 0; step <= 8; step++) {
        snprintf(key, sizeof key, "%s, %s, step %zu", name, piaa_strategy_names[strategy], step);
        expect_values(c, values + step * n, n, key);
        if (step == 8) break;
        piaa_chosen next;
        assert_true(piaa_chooser_next(c, &next));
        assert_false(next.random);
        assert_int_equal(next.index, (int64_t)chosen[step]);
    }
    piaa_chooser_free(c);
    free(x), free(noise), free(rated), free(chosen), free(values);
}

static void choices_are_those_of_posteriors_made_anew(void **state) {
    (void)state;
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/linear/choose.safetensors");
    for (size_t k = 0; k < PIAA_COUNT(cases); k++)
        for (int s = 0; s < PIAA_CHOOSE_RANDOM; s++) expect_case(file, cases[k], (piaa_strategy)s);
    piaa_safetensors_close(file);
}

static double normal(piaa_random *random) {
    double sum = -6;
    for (int k = 0; k < 12; k++) sum += piaa_random_unit(random);
    return sum;
}

/* Features [n][dim] that lie in `directions` directions and a share `rest` beside them. */
static float *features(size_t n, size_t dim, size_t directions, double rest) {
    piaa_random *random = malloc(sizeof *random);
    double *mixing = malloc(directions * dim * sizeof *mixing), *own = malloc(directions * 8);
    float *x = malloc(n * dim * sizeof *x);
    piaa_random_seed_numpy(random, 3);
    for (size_t k = 0; k < directions * dim; k++) mixing[k] = normal(random);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < directions; k++) own[k] = normal(random) / sqrt(1.0 + (double)k);
        for (size_t j = 0; j < dim; j++) {
            double sum = rest * normal(random);
            for (size_t k = 0; k < directions; k++) sum += own[k] * mixing[k * dim + j];
            x[i * dim + j] = (float)sum;
        }
    }
    free(random), free(mixing), free(own);
    return x;
}

/* Directions that suffice for all that varies choose as all columns do. */
static void a_low_rank_that_suffices_is_exact(void **state) {
    (void)state;
    enum { N = 300, DIM = 96, DIRECTIONS = 20, STEPS = 15 };
    float *x = features(N, DIM, DIRECTIONS, 0);
    const int64_t rated[] = {5, 77};
    for (int s = 0; s < PIAA_CHOOSE_RANDOM; s++) {
        const piaa_choosing exact = {.strategy = (piaa_strategy)s, .rank = DIM},
                            low = {.strategy = (piaa_strategy)s, .rank = DIRECTIONS + 4};
        piaa_chooser *a = chooser(x, N, DIM, rated, 2, &exact),
                     *b = chooser(x, N, DIM, rated, 2, &low);
        for (int step = 0; step < STEPS; step++) {
            for (int64_t i = 0; i < N; i++) {
                const double one = piaa_chooser_value(a, i), other = piaa_chooser_value(b, i);
                assert_true(isnan(one) == isnan(other));
                if (!isnan(one) && fabs(one - other) > 1e-4 * fabs(one) + 1e-3)
                    fail_msg("strategy %d, step %d, photo %d: %g, not %g", s, step, (int)i, other,
                             one);
            }
            piaa_chosen p, q;
            assert_true(piaa_chooser_next(a, &p) && piaa_chooser_next(b, &q));
            assert_int_equal(p.index, q.index);
        }
        piaa_chooser_free(a);
        piaa_chooser_free(b);
    }
    free(x);
}

/* Bursts of four, of which each photo is a little beside the last: one of each burst, whatever the
   strategy, and none of bursts of which one is rated, be it among the photos or not. */
static void one_photo_of_a_burst_is_chosen(void **state) {
    (void)state;
    enum { BURSTS = 60, SHOTS = 4, N = BURSTS * SHOTS, DIM = 40 };
    float *bases = features(BURSTS, DIM, DIM, 0.1), *x = malloc((N + 1) * DIM * sizeof *x);
    piaa_random random;
    piaa_random_seed_numpy(&random, 9);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < DIM; j++)
            x[i * DIM + j] = bases[i / SHOTS * DIM + j] + (float)(0.01 * normal(&random));
    memcpy(x + N * DIM, x + 7 * SHOTS * DIM, DIM * sizeof *x); /* a copy that is not listed */
    const int64_t rated[] = {5, N};
    for (int s = 0; s < PIAA_STRATEGIES; s++) {
        const piaa_choosing how = {.strategy = (piaa_strategy)s, .random_share = 0.2, .seed = 1};
        piaa_chooser *c = chooser(x, N, DIM, rated, 2, &how);
        bool seen[BURSTS] = {[5 / SHOTS] = true, [7] = true};
        piaa_chosen next;
        int count = 0;
        for (; piaa_chooser_next(c, &next); count++) {
            if (seen[next.index / SHOTS]) fail_msg("strategy %d: burst %d again", s, count);
            seen[next.index / SHOTS] = true;
            assert_true(isnan(piaa_chooser_value(c, next.index)));
        }
        assert_int_equal(count, BURSTS - 2);
        assert_int_equal(piaa_chooser_left(c), 0);
        piaa_chooser_free(c);
    }
    free(bases), free(x);
}

/* Blocks side by side choose as their columns in one do; by many photos' directions too. */
static void blocks_are_their_columns_together(void **state) {
    (void)state;
    enum { N = 400, DIM = 60, FIRST = 25 };
    float *x = features(N, DIM, 30, 0.05), *first = malloc(N * FIRST * sizeof *first);
    for (size_t i = 0; i < N; i++) memcpy(first + i * FIRST, x + i * DIM, FIRST * sizeof *first);
    const piaa_band whole = {.x = x, .dim = DIM},
                    parts[] = {{.x = first, .dim = FIRST},
                               {.x = x + FIRST, .dim = DIM - FIRST, .stride = DIM}};
    const int ranks[] = {0, 12};
    for (size_t k = 0; k < PIAA_COUNT(ranks); k++) {
        const piaa_choosing how = {.rank = ranks[k]};
        piaa_chooser *a = chooser_of(&whole, 1, N, 0, &how), *b = chooser_of(parts, 2, N, 0, &how);
        for (int step = 0; step < 12; step++) {
            piaa_chosen p, q;
            assert_true(piaa_chooser_next(a, &p) && piaa_chooser_next(b, &q));
            assert_int_equal(p.index, q.index);
        }
        piaa_chooser_free(a), piaa_chooser_free(b);
    }
    free(x), free(first);
}

/* Every fifth rating, those that are there already among them; the others are reckoned. */
static void a_share_of_the_choices_is_random(void **state) {
    (void)state;
    enum { N = 80, DIM = 12 };
    float *x = features(N, DIM, DIM, 0);
    const int64_t rated[] = {1, 2, 3};
    const piaa_choosing how = {.random_share = 0.2, .seed = 4},
                        other = {.random_share = 0.2, .seed = 5};
    piaa_chooser *a = chooser(x, N, DIM, rated, 3, &how), *b = chooser(x, N, DIM, rated, 3, &how),
                 *c = chooser(x, N, DIM, rated, 3, &other);
    bool differ = false;
    for (int k = 3; k < 23; k++) {
        piaa_chosen p, q, r;
        assert_true(piaa_chooser_next(a, &p) && piaa_chooser_next(b, &q) &&
                    piaa_chooser_next(c, &r));
        assert_int_equal(p.random, k % 5 == 4);
        assert_int_equal(p.index, q.index);
        differ = differ || p.index != r.index;
    }
    assert_true(differ);
    piaa_chooser_free(a), piaa_chooser_free(b), piaa_chooser_free(c);
    free(x);
}

/* A few directions of many: near what all columns choose, on any number of threads alike. */
static void threads_do_not_change_the_choice(void **state) {
    (void)state;
    enum { N = 1500, DIM = 80 };
    float *x = features(N, DIM, DIM, 0.1);
    const piaa_choosing one = {.rank = 16, .threads = 1}, three = {.rank = 16, .threads = 3};
    piaa_chooser *a = chooser(x, N, DIM, NULL, 0, &one), *b = chooser(x, N, DIM, NULL, 0, &three);
    for (int step = 0; step < 20; step++) {
        piaa_chosen p, q;
        assert_true(piaa_chooser_next(a, &p) && piaa_chooser_next(b, &q));
        assert_int_equal(p.index, q.index);
    }
    piaa_chooser_free(a), piaa_chooser_free(b);
    free(x);
}

static void odd_photos_are_chosen_from_or_refused(void **state) {
    (void)state;
    const float alike[] = {1, 2, 1, 2, 1, 2}, broken[] = {1, 2, 3, NAN};
    piaa_chosen next;
    for (int s = 0; s < PIAA_STRATEGIES; s++) {
        const piaa_choosing how = {.strategy = (piaa_strategy)s};
        piaa_chooser *c = chooser(alike, 3, 2, NULL, 0, &how); /* copies of one */
        assert_true(piaa_chooser_next(c, &next));
        assert_false(piaa_chooser_next(c, &next));
        piaa_chooser_free(c);
        c = chooser(alike, 1, 2, NULL, 0, &how);
        assert_true(piaa_chooser_next(c, &next));
        assert_int_equal(next.index, 0);
        piaa_chooser_free(c);
    }
    piaa_error error = {0};
    const piaa_band band = {.x = broken, .dim = 2};
    assert_null(piaa_chooser_new(&band, 1, 2, 0, NULL, &error));
    assert_non_null(strstr(error.message, "row 1"));
    error = (piaa_error){0};
    assert_null(piaa_chooser_new(&band, 1, 0, 0, NULL, &error));
    assert_int_equal(piaa_strategy_find("k-center"), PIAA_CHOOSE_K_CENTER);
    assert_int_equal(piaa_strategy_find("best"), PIAA_STRATEGIES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_those_of_posteriors_made_anew),
        cmocka_unit_test(a_low_rank_that_suffices_is_exact),
        cmocka_unit_test(one_photo_of_a_burst_is_chosen),
        cmocka_unit_test(blocks_are_their_columns_together),
        cmocka_unit_test(a_share_of_the_choices_is_random),
        cmocka_unit_test(threads_do_not_change_the_choice),
        cmocka_unit_test(odd_photos_are_chosen_from_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
