/* Learning from stars and comparisons: against SciPy's optimiser on the weights (tests/golden),
   against the ridge where there are stars alone, and what has to hold of any answers. */
#include "support.h"

#include "linear/pairs.h"
#include "linear/ridge.h"

#include "base/random.h"

static const char *const cases[] = {"both", "wide", "only", "few", "offset", "stars"};

/* What a person said, and the features that it was said of. */
typedef struct example {
    size_t n, d, pairs;
    double *z, *kernel, *stars, *offset, *strength;
    piaa_duel *duels;
    piaa_compared data;
} example;

static void set_kernel(example *e) {
    e->kernel = malloc(e->n * e->n * sizeof *e->kernel);
    for (size_t i = 0; i < e->n; i++)
        for (size_t j = 0; j < e->n; j++) {
            double sum = 0;
            for (size_t c = 0; c < e->d; c++) sum += e->z[i * e->d + c] * e->z[j * e->d + c];
            e->kernel[i * e->n + j] = sum;
        }
    e->data = (piaa_compared){.photos = (int64_t)e->n,
                              .kernel = e->kernel,
                              .offset = e->offset,
                              .stars = e->stars,
                              .duels = e->duels,
                              .count = (int64_t)e->pairs};
}

static double *golden(const piaa_safetensors *file, const char *group, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s|%s", group, name);
    return support_doubles(file, key, NULL);
}

static example open_example(const piaa_safetensors *file, const char *name) {
    example e = {.z = golden(file, name, "z"),
                 .stars = golden(file, name, "stars"),
                 .offset = golden(file, name, "offset"),
                 .strength = golden(file, name, "strength")};
    char key[64];
    snprintf(key, sizeof key, "%s|z", name);
    e.n = (size_t)support_tensor(file, key)->shape[0];
    e.d = (size_t)support_tensor(file, key)->shape[1];
    snprintf(key, sizeof key, "%s|duels", name);
    e.pairs = (size_t)support_tensor(file, key)->shape[0];
    double *duels = golden(file, name, "duels");
    e.duels = calloc(e.pairs + 1, sizeof *e.duels);
    for (size_t k = 0; k < e.pairs; k++)
        e.duels[k] = (piaa_duel){(int64_t)duels[4 * k], (int64_t)duels[4 * k + 1], duels[4 * k + 2],
                                 duels[4 * k + 3]};
    free(duels);
    set_kernel(&e);
    return e;
}

static void close_example(example *e) {
    free(e->z), free(e->kernel), free(e->stars), free(e->offset), free(e->strength), free(e->duels);
}

static piaa_pairwise *learn(const example *e, double alpha, double sigma) {
    const piaa_pairwise_options options = {.alpha = alpha, .sigma = sigma};
    piaa_error error = {0};
    piaa_pairwise *fit = piaa_pairwise_fit(&e->data, &options, &error);
    if (!fit) fail_msg("%s", error.message);
    return fit;
}

/* Root of the mean square of a - b where both are numbers, and how many these are. */
static double distance(const double *a, const double *b, size_t n, size_t *of) {
    double sum = 0;
    *of = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(isnan(a[i]), isnan(b[i]));
        if (!isnan(a[i])) sum += (a[i] - b[i]) * (a[i] - b[i]), ++*of;
    }
    return *of ? sqrt(sum / (double)*of) : 0;
}

static void expect(const piaa_safetensors *file, const char *group, const char *name,
                   const double *got, size_t n, double tolerance) {
    double *want = golden(file, group, name);
    size_t of;
    double off = distance(got, want, n, &of);
    if (!(off <= tolerance)) fail_msg("%s|%s: off by %g, %zu numbers", group, name, off, of);
    free(want);
}

/* The minimum to what the optimiser reaches; readings left out to what a Newton step is worth. */
static void equals_scipy(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/linear/pairs.safetensors");
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        example e = open_example(file, cases[c]);
        const bool exact = !e.pairs; /* a ridge regression is left out of exactly */
        piaa_pairwise *fit = learn(&e, e.strength[0], e.strength[1]);
        expect(file, cases[c], "scores", fit->score, e.n, 1e-7);
        expect(file, cases[c], "star_left", fit->star_left, e.n, exact ? 1e-7 : e.strength[1] / 8);
        expect(file, cases[c], "duel_left", fit->duel_left, e.pairs, 0.01);
        expect(file, cases[c], "photo_left", fit->photo_left, e.n, exact ? 1e-7 : 0.1);
        for (size_t i = 0; i < e.n; i++) { /* the coefficients are of the kernel */
            double score = fit->intercept + e.offset[i];
            for (size_t j = 0; j < e.n; j++) score += e.kernel[i * e.n + j] * fit->coefficients[j];
            assert_true(fabs(score - fit->score[i]) < 1e-9);
        }
        piaa_pairwise_free(fit);
        close_example(&e);
    }
    piaa_safetensors_close(file);
}

/* ------------------------------------------------------------------------------------- properties
 */

/* Random features of n photos, no stars, no pairs yet but room for them. */
static example random_example(size_t n, size_t d, uint32_t seed) {
    piaa_random random;
    piaa_random_seed_numpy(&random, seed);
    example e = {.n = n, .d = d};
    e.z = malloc(n * d * sizeof *e.z);
    e.stars = malloc(n * sizeof *e.stars);
    e.offset = calloc(n, sizeof *e.offset);
    e.duels = calloc(n * n, sizeof *e.duels);
    for (size_t i = 0; i < n * d; i++) e.z[i] = 2 * piaa_random_unit(&random) - 1;
    for (size_t i = 0; i < n; i++) e.stars[i] = NAN;
    set_kernel(&e);
    return e;
}

static double truth_of(const example *e, size_t i) {
    return e->z[i * e->d] + 0.5 * e->z[i * e->d + 1];
}

static void say(example *e, size_t one, size_t other, double wins, double losses) {
    e->duels[e->data.count++] = (piaa_duel){(int64_t)one, (int64_t)other, wins, losses};
}

/* The winner by the truth of every `step`-th pair of photos. */
static void say_truth(example *e, size_t step) {
    size_t at = 0;
    for (size_t i = 0; i < e->n; i++)
        for (size_t j = 0; j < i; j++)
            if (at++ % step == 0) {
                bool wins = truth_of(e, i) > truth_of(e, j);
                say(e, i, j, wins, !wins);
            }
}

static void stars_alone_are_the_ridge(void **state) {
    PIAA_UNUSED(state);
    for (size_t d = 5; d <= 60; d += 55) {
        example e = random_example(30, d, 3);
        float *x = malloc(e.n * d * sizeof *x);
        for (size_t i = 0; i < e.n; i++) e.stars[i] = 3 + truth_of(&e, i) + 0.3 * e.z[i * d + 2];
        for (size_t i = 0; i < e.n * d; i++) x[i] = (float)e.z[i];
        piaa_ridge_design *design = piaa_ridge_design_new(x, NULL, (int64_t)e.n, (int)d, NULL);
        piaa_ridge *ridge = piaa_ridge_fit(design, e.stars, 1, NULL, NULL);
        assert_non_null(ridge);
        for (size_t i = 0; i < e.n * d; i++) /* the kernel of what the ridge standardised */
            e.z[i] = ((double)x[i] - ridge->mean[i % d]) / ridge->scale[i % d];
        free(e.kernel);
        set_kernel(&e);
        piaa_pairwise *fit = piaa_pairwise_fit(&e.data, NULL, NULL);
        assert_non_null(fit);
        double *scores = malloc(e.n * sizeof *scores);
        piaa_ridge_predict(ridge, x, (int64_t)e.n, scores);
        assert_true(fit->alpha == ridge->alphas[0]);
        for (size_t i = 0; i < e.n; i++) {
            if (!(fabs(fit->score[i] - scores[i]) < 1e-9))
                fail_msg("%zu: %.12g %.12g alpha %g", d, fit->score[i], scores[i], fit->alpha);
            assert_true(fabs(fit->star_left[i] - ridge->loo[i]) < 1e-9);
            assert_true(fabs(fit->photo_left[i] - ridge->loo[i]) < 1e-9);
        }
        free(scores), free(x);
        piaa_pairwise_free(fit);
        piaa_ridge_free(ridge);
        piaa_ridge_design_free(design);
        close_example(&e);
    }
}

/* Stars without noise tell all; pairs that follow from them have nothing to add. */
static void what_follows_changes_nothing(void **state) {
    PIAA_UNUSED(state);
    example e = random_example(20, 6, 5);
    for (size_t i = 0; i < e.n; i++) e.stars[i] = 3 + truth_of(&e, i);
    piaa_pairwise *before = learn(&e, 1e-9, 1e-7);
    say_truth(&e, 3);
    piaa_pairwise *after = learn(&e, 1e-9, 1e-7);
    for (size_t i = 0; i < e.n; i++)
        if (!(fabs(before->score[i] - after->score[i]) < 1e-5))
            fail_msg("%g %g %g", before->score[i], after->score[i], e.stars[i]);
    piaa_pairwise_free(before);
    piaa_pairwise_free(after);
    close_example(&e);
}

/* Nor do they with the strength that is chosen, which keeps a little of the penalty. */
static void what_follows_changes_little(void **state) {
    PIAA_UNUSED(state);
    example e = random_example(40, 6, 6);
    for (size_t i = 0; i < e.n; i++) e.stars[i] = 3 + truth_of(&e, i);
    say_truth(&e, 3);
    piaa_pairwise *fit = piaa_pairwise_fit(&e.data, NULL, NULL);
    assert_non_null(fit);
    for (size_t i = 0; i < e.n; i++) assert_true(fabs(fit->score[i] - e.stars[i]) < 0.01);
    assert_true(fit->gain > 0.99);
    piaa_pairwise_free(fit);
    close_example(&e);
}

/* Many sure pairs beside few stars that differ little: the scores stay on the stars' scale. */
static void stars_set_the_scale(void **state) {
    PIAA_UNUSED(state);
    example e = random_example(40, 4, 8);
    for (size_t i = 0; i < 12; i++) e.stars[i] = 3 + 0.2 * truth_of(&e, i) + 0.2 * (double)(i % 3);
    say_truth(&e, 2);
    piaa_pairwise *fit = piaa_pairwise_fit(&e.data, NULL, NULL);
    assert_non_null(fit);
    assert_true(fit->gain < 1 && fit->right > 0.9);
    for (size_t i = 0; i < e.n; i++) assert_true(fit->score[i] > 2.3 && fit->score[i] < 4.1);
    double score = fit->intercept;
    for (size_t j = 0; j < e.n; j++) score += e.kernel[j] * fit->coefficients[j];
    assert_true(fabs(score - fit->score[0]) < 1e-9);
    piaa_pairwise_free(fit);
    close_example(&e);
}

/* Whether there are fewer photos or fewer readings, the answer is one: here the same pairs, each
   said once and then split over many photos that are the same. */
static void both_spaces_agree(void **state) {
    PIAA_UNUSED(state);
    example e = random_example(10, 4, 7);
    for (size_t i = 0; i < 4; i++) e.stars[i] = 3 + truth_of(&e, i);
    for (size_t i = 4; i < 8; i++) say(&e, i, i - 4, 1, 0);
    const piaa_pairwise_options of_readings = {.alpha = 2, .sigma = 0.5},
                                of_photos = {.alpha = 2, .sigma = 0.5, .covariance = true};
    piaa_pairwise *one = piaa_pairwise_fit(&e.data, &of_readings, NULL),
                  *other = piaa_pairwise_fit(&e.data, &of_photos, NULL);
    assert_true(one && other);
    for (size_t i = 0; i < e.n; i++) {
        assert_true(fabs(one->score[i] - other->score[i]) < 1e-8);
        assert_true(fabs(one->photo_left[i] - other->photo_left[i]) < 1e-8);
        if (i < 4) assert_true(fabs(one->star_left[i] - other->star_left[i]) < 1e-8);
    }
    for (size_t k = 0; k < 4; k++)
        assert_true(fabs(one->duel_left[k] - other->duel_left[k]) < 1e-8);
    piaa_pairwise_free(one);
    piaa_pairwise_free(other);
    close_example(&e);
}

/* a over b, b over c, c over a: by the symmetry of photos that are equally far from each other
   nobody wins. */
static void a_cycle_is_noise(void **state) {
    PIAA_UNUSED(state);
    const double kernel[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const piaa_duel duels[3] = {{0, 1, 1, 0}, {1, 2, 1, 0}, {2, 0, 1, 0}};
    const piaa_compared data = {.photos = 3, .kernel = kernel, .duels = duels, .count = 3};
    piaa_pairwise *fit = piaa_pairwise_fit(&data, NULL, NULL);
    assert_non_null(fit);
    for (int i = 0; i < 3; i++) assert_true(fabs(fit->score[i]) < 1e-9);
    assert_false(fit->anchored);
    piaa_pairwise_free(fit);
}

static void all_ties_say_equal(void **state) {
    PIAA_UNUSED(state);
    example e = random_example(12, 5, 11);
    for (size_t i = 1; i < e.n; i++) say(&e, i, i - 1, 0.5, 0.5);
    piaa_pairwise *fit = piaa_pairwise_fit(&e.data, NULL, NULL);
    assert_non_null(fit);
    for (size_t i = 0; i < e.n; i++) assert_true(fabs(fit->score[i]) < 1e-9);
    assert_true(isnan(fit->right));
    piaa_pairwise_free(fit);
    close_example(&e);
}

/* One pair of photos with kernel I, alpha 1: f = (t, -t) with 2t = c, where c is the root of
   c = 2 (1 - p(c/T)) / T by the gradient, T = sqrt(2)/1.702, which is checked as it stands. */
static void one_pair_is_enough(void **state) {
    PIAA_UNUSED(state);
    const double kernel[4] = {1, 0, 0, 1}, T = piaa_pairwise_scale;
    const piaa_duel duel = {0, 1, 1, 0};
    const piaa_compared data = {.photos = 2, .kernel = kernel, .duels = &duel, .count = 1};
    const piaa_pairwise_options options = {.alpha = 1};
    piaa_pairwise *fit = piaa_pairwise_fit(&data, &options, NULL), *chosen;
    assert_non_null(fit);
    double gap = fit->score[0] - fit->score[1];
    assert_true(fabs(gap - 2 / T * (1 - 1 / (1 + exp(-gap / T)))) < 1e-9);
    assert_true(fabs(fit->score[0] + fit->score[1]) < 1e-12);
    assert_true(fabs(fit->duel_left[0] - 0.5) < 0.1); /* without it nothing is known */
    assert_non_null(chosen = piaa_pairwise_fit(&data, NULL, NULL));
    assert_true(chosen->score[0] > chosen->score[1]);
    piaa_pairwise_free(fit);
    piaa_pairwise_free(chosen);
}

/* Comparisons alone order photos by what was said, whatever the scale of the kernel. */
static void pairs_alone_give_an_order(void **state) {
    PIAA_UNUSED(state);
    for (double unit = 0.1; unit < 20; unit *= 10) {
        example e = random_example(30, 4, 13);
        for (size_t i = 0; i < e.n * e.n; i++) e.kernel[i] *= unit;
        say_truth(&e, 4);
        piaa_pairwise *fit = piaa_pairwise_fit(&e.data, NULL, NULL);
        assert_non_null(fit);
        size_t right = 0, all = 0;
        for (size_t i = 0; i < e.n; i++)
            for (size_t j = 0; j < i; j++, all++)
                right += (truth_of(&e, i) > truth_of(&e, j)) == (fit->score[i] > fit->score[j]);
        assert_true(right * 100 > all * 93);
        assert_true(fit->right > 0.9 && !fit->anchored);
        piaa_pairwise_free(fit);
        close_example(&e);
    }
}

/* The search finds the strength that trying all would, and what is said of stars is on their
   scale. */
static void strength_is_chosen(void **state) {
    PIAA_UNUSED(state);
    example e = random_example(40, 8, 17);
    piaa_random random;
    piaa_random_seed_numpy(&random, 1);
    for (size_t i = 0; i < 15; i++)
        e.stars[i] = 3 + truth_of(&e, i) + 0.4 * (piaa_random_unit(&random) - 0.5);
    say_truth(&e, 9);
    piaa_pairwise *fit = piaa_pairwise_fit(&e.data, NULL, NULL);
    assert_non_null(fit);
    assert_true(fit->anchored);
    for (size_t a = 0; a < PIAA_RIDGE_ALPHAS; a++) {
        piaa_pairwise *other = learn(&e, piaa_ridge_alphas[a], fit->sigma);
        assert_true(other->criterion > fit->criterion - 0.02);
        piaa_pairwise_free(other);
    }
    size_t close = 0;
    for (size_t i = 0; i < e.n; i++) close += fabs(fit->score[i] - 3 - truth_of(&e, i)) < 0.3;
    assert_true(close > 34);
    piaa_pairwise_free(fit);
    close_example(&e);
}

/* A photo and its copy leave together. */
static void copies_leave_together(void **state) {
    PIAA_UNUSED(state);
    example e = random_example(12, 4, 19);
    int64_t group[12];
    for (int64_t i = 0; i < 12; i++) group[i] = i == 7 ? 2 : i;
    memcpy(e.z + 7 * e.d, e.z + 2 * e.d, e.d * sizeof *e.z);
    free(e.kernel);
    set_kernel(&e);
    for (size_t i = 0; i < 9; i++) e.stars[i] = 3 + truth_of(&e, i) + (i == 2 || i == 7 ? 2 : 0);
    say(&e, 2, 9, 1, 0);
    say(&e, 10, 11, 1, 0);
    say(&e, 7, 4, 1, 0);
    e.data.group = group;
    piaa_pairwise *fit = learn(&e, 1, 0.5);
    e.stars[2] = e.stars[7] = NAN;
    e.duels[0] = e.duels[1];
    e.data.count = 1;
    piaa_pairwise *refit = learn(&e, 1, 0.5);
    assert_true(fabs(fit->photo_left[2] - fit->photo_left[7]) < 1e-9);
    if (!(fabs(fit->photo_left[2] - refit->score[2]) < 0.1))
        fail_msg("%g %g %g", fit->photo_left[2], refit->score[2], fit->score[2]);
    assert_true(fabs(fit->score[2] - refit->score[2]) > 0.5);
    piaa_pairwise_free(fit);
    piaa_pairwise_free(refit);
    close_example(&e);
}

/* Of a pair that is decided, one that is known well and one that is open, the open one is asked;
   then another. */
static void the_open_pair_is_asked(void **state) {
    PIAA_UNUSED(state);
    const double kernel[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.01, 0, 0, 0, 0, 0.01};
    const piaa_duel duel = {2, 3, 1, 0};
    const piaa_compared data = {.photos = 4, .kernel = kernel, .duels = &duel, .count = 1};
    const piaa_pairwise_options options = {.alpha = 1, .covariance = true};
    piaa_pairwise *fit = piaa_pairwise_fit(&data, &options, NULL);
    assert_non_null(fit);
    piaa_duel next[8];
    assert_int_equal(piaa_pairwise_choose(fit, &data, NULL, 8, next), 5); /* of six one is known */
    assert_true(next[0].one + next[0].other == 1);
    for (int i = 0; i < 5; i++) {
        assert_true(next[i].one + next[i].other != 5 || next[i].one < 2);
        for (int j = 0; j < i; j++)
            assert_true(next[i].one != next[j].one || next[i].other != next[j].other);
    }
    piaa_pairwise_free(fit);
}

/* With nothing said, the two photos that differ most come first: squared distances are 2, 5 and 5
   between photos of lengths 1, 1 and 2, all at right angles; the second of the two fives after
   that. */
static void nothing_said_asks_for_the_farthest(void **state) {
    PIAA_UNUSED(state);
    const double kernel[9] = {1, 0, 0, 0, 1, 0, 0, 0, 4};
    const piaa_compared data = {.photos = 3, .kernel = kernel};
    const piaa_pairwise_options options = {.alpha = 2, .covariance = true};
    piaa_pairwise *fit = piaa_pairwise_fit(&data, &options, NULL);
    assert_non_null(fit);
    for (int i = 0; i < 9; i++) assert_true(fabs(fit->covariance[i] - kernel[i] / 2) < 1e-12);
    piaa_duel next[3];
    assert_int_equal(piaa_pairwise_choose(fit, &data, NULL, 2, next), 2);
    assert_int_equal(next[0].other, 2);
    assert_int_equal(next[1].other, 2);
    piaa_pairwise_free(fit);
}

static void bad_input_is_told(void **state) {
    PIAA_UNUSED(state);
    const double kernel[4] = {1, 0, 0, 1}, inf[2] = {1, INFINITY}, star[2] = {3, NAN};
    const piaa_duel same = {1, 1, 1, 0}, outside = {0, 2, 1, 0}, nothing = {0, 1, 0, 0};
    const piaa_compared bad[] = {
        {.photos = 2, .kernel = kernel},
        {.photos = 2, .kernel = kernel, .stars = star},
        {.photos = 2, .kernel = kernel, .stars = inf},
        {.photos = 2, .kernel = kernel, .duels = &same, .count = 1},
        {.photos = 2, .kernel = kernel, .duels = &outside, .count = 1},
        {.photos = 2, .kernel = kernel, .duels = &nothing, .count = 1},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        assert_null(piaa_pairwise_fit(&bad[i], NULL, &error));
        assert_int_equal(error.code, PIAA_USAGE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_scipy),
        cmocka_unit_test(stars_alone_are_the_ridge),
        cmocka_unit_test(what_follows_changes_nothing),
        cmocka_unit_test(what_follows_changes_little),
        cmocka_unit_test(stars_set_the_scale),
        cmocka_unit_test(both_spaces_agree),
        cmocka_unit_test(a_cycle_is_noise),
        cmocka_unit_test(all_ties_say_equal),
        cmocka_unit_test(one_pair_is_enough),
        cmocka_unit_test(pairs_alone_give_an_order),
        cmocka_unit_test(strength_is_chosen),
        cmocka_unit_test(copies_leave_together),
        cmocka_unit_test(the_open_pair_is_asked),
        cmocka_unit_test(nothing_said_asks_for_the_farthest),
        cmocka_unit_test(bad_input_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
