/* A prior from many people's ratings: against dense matrices in the space of the weights
   (tests/golden/linear), and what has to hold of any data. */
#include "support.h"

#include "base/blas.h"
#include "base/random.h"
#include "linear/people_prior.h"

static const char *const cases[] = {"tall", "wide", "few"};

/* People, with what they rated in one piece. */
typedef struct crowd {
    float *x;
    int dim;
    int64_t *rows;
    double *scores;
    piaa_rater *raters;
    size_t count;
} crowd;

static void free_crowd(crowd *c) {
    free(c->x), free(c->rows), free(c->scores), free(c->raters);
}

static double *golden(const piaa_safetensors *file, const char *group, const char *name,
                      size_t *count) {
    char key[64];
    snprintf(key, sizeof key, "%s|%s", group, name);
    return support_doubles(file, key, count);
}

static double golden_number(const piaa_safetensors *file, const char *group, const char *name) {
    double *all = golden(file, group, name, NULL), value = *all;
    free(all);
    return value;
}

static crowd open_crowd(const piaa_safetensors *file, const char *name) {
    crowd c = {0};
    char key[64];
    size_t total, people;
    snprintf(key, sizeof key, "%s|x", name);
    c.dim = (int)support_tensor(file, key)->shape[1];
    c.x = support_floats(file, key, NULL);
    double *rows = golden(file, name, "rows", &total),
           *begins = golden(file, name, "people", &people);
    c.scores = golden(file, name, "scores", NULL);
    c.rows = malloc(total * sizeof *c.rows);
    for (size_t i = 0; i < total; i++) c.rows[i] = (int64_t)rows[i];
    c.count = people - 1;
    c.raters = malloc(c.count * sizeof *c.raters);
    for (size_t p = 0; p < c.count; p++) {
        const size_t first = (size_t)begins[p], end = (size_t)begins[p + 1];
        c.raters[p] = (piaa_rater){c.rows + first, c.scores + first, (int64_t)(end - first)};
    }
    free(rows), free(begins);
    return c;
}

static piaa_people_prior *learn(const crowd *c, int directions, int iterations) {
    const piaa_people_prior_options options = {.directions = directions, .iterations = iterations};
    piaa_error error = {0};
    piaa_people_prior *prior =
        piaa_people_prior_learn(c->x, c->dim, c->raters, c->count, &options, &error);
    if (!prior) fail_msg("%s", error.message);
    return prior;
}

/* Relative to the largest of `wanted`; signs of a direction do not matter. */
static void assert_near(const double *got, const double *wanted, size_t n, double bound) {
    double most = 0, same = 0, turned = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(wanted[i]));
        same = fmax(same, fabs(got[i] - wanted[i]));
        turned = fmax(turned, fabs(got[i] + wanted[i]));
    }
    if (!(fmin(same, turned) <= bound * most)) fail_msg("off by %g of %g", same, most);
}

static void equals_the_textbook(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/linear/people_prior.safetensors");
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        crowd c = open_crowd(file, cases[i]);
        size_t trail;
        double *evidence = golden(file, cases[i], "evidence", &trail),
               *weights = golden(file, cases[i], "weights", NULL),
               *directions = golden(file, cases[i], "directions", NULL),
               e = golden_number(file, cases[i], "isotropic"),
               s = golden_number(file, cases[i], "noise");
        const int rank = (int)golden_number(file, cases[i], "rank");
        piaa_people_prior *prior = learn(&c, rank, (int)trail - 1);
        assert_int_equal(prior->rank, rank);
        assert_int_equal(prior->iterations, trail - 1);
        assert_int_equal(prior->raters, c.count);
        assert_near(prior->evidence, evidence, trail, 1e-7);
        assert_near(prior->weights, weights, (size_t)c.dim, 1e-6);
        for (int k = 0; k < rank; k++)
            assert_near(prior->directions + k * c.dim, directions + k * c.dim, (size_t)c.dim, 1e-5);
        assert_near(&prior->isotropic, &e, 1, 1e-6);
        assert_near(&prior->noise, &s, 1, 1e-6);
        piaa_people_prior_free(prior);

        prior = learn(&c, rank, 0);
        const double gain = golden_number(file, cases[i], "gain");
        assert_int_equal(prior->iterations, (int)golden_number(file, cases[i], "chosen"));
        assert_near(&prior->gain, &gain, 1, 1e-6);
        piaa_people_prior_free(prior);
        free(evidence), free(weights), free(directions);
        free_crowd(&c);
    }
    piaa_safetensors_close(file);
}

/* ------------------------------------------------------------------------------ what has to hold
 */

enum { ROWS = 200, DIM = 24, PEOPLE = 60, EACH = 60 };

/* Standard normal to good enough: the sum of twelve uniform numbers. */
static double normal(piaa_random *random) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += piaa_random_unit(random);
    return sum;
}

/* Weights are `lead` on the first column plus a person's own on the second and, less, the third. */
static crowd simulate(double lead) {
    static piaa_random random;
    piaa_random_seed_numpy(&random, 5);
    crowd c = {.dim = DIM, .count = PEOPLE};
    c.x = malloc(ROWS * DIM * sizeof *c.x);
    c.rows = malloc(PEOPLE * EACH * sizeof *c.rows);
    c.scores = malloc(PEOPLE * EACH * sizeof *c.scores);
    c.raters = malloc(PEOPLE * sizeof *c.raters);
    for (int i = 0; i < ROWS * DIM; i++) c.x[i] = (float)normal(&random);
    for (int p = 0; p < PEOPLE; p++) {
        const double second = 0.8 * normal(&random), third = 0.4 * normal(&random);
        size_t order[ROWS];
        piaa_random_permutation(&random, order, ROWS);
        for (int i = 0; i < EACH; i++) {
            const float *x = c.x + order[i] * DIM;
            c.rows[p * EACH + i] = (int64_t)order[i];
            c.scores[p * EACH + i] = 3 + lead * (double)x[0] + second * (double)x[1] +
                                     third * (double)x[2] + 0.5 * normal(&random);
        }
        c.raters[p] = (piaa_rater){c.rows + p * EACH, c.scores + p * EACH, EACH};
    }
    return c;
}

static double length(const double *a) {
    double sum = 0;
    for (int j = 0; j < DIM; j++) sum += a[j] * a[j];
    return sqrt(sum);
}

static void finds_what_was_simulated(void **state) {
    PIAA_UNUSED(state);
    crowd c = simulate(0.6);
    piaa_people_prior *prior = learn(&c, 2, 0);
    assert_true(fabs(prior->weights[0] - 0.6) < 0.1);
    assert_true(fabs(prior->weights[0]) > 0.9 * length(prior->weights));
    /* The first direction is the second column, the second the third. */
    assert_true(fabs(prior->directions[1]) > 0.97 * length(prior->directions));
    assert_true(fabs(prior->directions[DIM + 2]) > 0.9 * length(prior->directions + DIM));
    assert_true(fabs(length(prior->directions) - 0.8) < 0.2);
    assert_true(fabs(length(prior->directions + DIM) - 0.4) < 0.15);
    assert_true(fabs(sqrt(prior->noise) - 0.5) < 0.05);
    assert_true(prior->gain > 0.1);
    piaa_people_prior_free(prior);
    free_crowd(&c);
}

static void evidence_rises(void **state) {
    PIAA_UNUSED(state);
    crowd c = simulate(0.3);
    piaa_people_prior *prior = learn(&c, 0, 60);
    assert_int_equal(prior->rank, PIAA_PEOPLE_PRIOR_DIRECTIONS);
    for (int i = 1; i <= prior->iterations; i++)
        assert_true(prior->evidence[i] >= prior->evidence[i - 1] - 1e-9 * fabs(prior->evidence[0]));
    assert_true(isnan(prior->gain));
    piaa_people_prior_free(prior);
    free_crowd(&c);
}

static void assert_same(const piaa_people_prior *a, const piaa_people_prior *b) {
    const size_t numbers = (3 + (size_t)a->rank) * (size_t)a->dim;
    assert_int_equal(a->rank, b->rank);
    assert_int_equal(a->iterations, b->iterations);
    assert_memory_equal(a->mean, b->mean, numbers * sizeof(double));
    assert_true(a->isotropic == b->isotropic && a->noise == b->noise);
}

static void order_does_not_matter(void **state) {
    PIAA_UNUSED(state);
    crowd c = simulate(0.3);
    piaa_people_prior *prior = learn(&c, 4, 0);
    for (size_t p = 0; p < c.count / 2; p++) {
        const piaa_rater was = c.raters[p];
        c.raters[p] = c.raters[c.count - 1 - p];
        c.raters[c.count - 1 - p] = was;
    }
    for (int p = 0; p < PEOPLE; p++)
        for (int i = 0; i < EACH / 2; i++) {
            const int a = p * EACH + i, b = p * EACH + EACH - 1 - i;
            const int64_t row = c.rows[a];
            const double score = c.scores[a];
            c.rows[a] = c.rows[b], c.rows[b] = row;
            c.scores[a] = c.scores[b], c.scores[b] = score;
        }
    piaa_people_prior *again = learn(&c, 4, 0);
    assert_same(prior, again);
    piaa_people_prior_free(again);

    /* Nor do threads, nor people who say nothing. */
    double flat[] = {2, 2};
    piaa_rater *more = malloc((c.count + 2) * sizeof *more);
    memcpy(more + 2, c.raters, c.count * sizeof *more);
    more[0] = (piaa_rater){c.rows, flat, 2};
    more[1] = (piaa_rater){c.rows, c.scores, 1};
    const piaa_people_prior_options options = {.directions = 4, .threads = 3};
    again = piaa_people_prior_learn(c.x, c.dim, more, c.count + 2, &options, NULL);
    assert_non_null(again);
    assert_same(prior, again);
    piaa_people_prior_free(again);
    piaa_people_prior_free(prior);
    free(more);
    free_crowd(&c);
}

/* Shifting and scaling of features changes the scaler alone. */
static void one_scaler(void **state) {
    PIAA_UNUSED(state);
    crowd c = simulate(0.3);
    piaa_people_prior *prior = learn(&c, 3, 2);
    for (int i = 0; i < ROWS * DIM; i++) c.x[i] = c.x[i] * 8;
    piaa_people_prior *scaled = learn(&c, 3, 2);
    for (int j = 0; j < DIM; j++)
        assert_true(fabs(scaled->scale[j] - 8 * prior->scale[j]) < 1e-6 * scaled->scale[j]);
    assert_near(scaled->weights, prior->weights, DIM, 1e-9);
    piaa_people_prior_free(scaled);
    piaa_people_prior_free(prior);
    free_crowd(&c);
}

/* Columns that are constant, and people of very many ratings, are taken as they are. */
static void odd_input(void **state) {
    PIAA_UNUSED(state);
    crowd c = simulate(0.3);
    for (int i = 0; i < ROWS; i++) c.x[i * DIM + 7] = 4;
    enum { MANY = 2500 };
    int64_t *rows = malloc(MANY * sizeof *rows);
    double *scores = malloc(MANY * sizeof *scores);
    for (int i = 0; i < MANY; i++) {
        rows[i] = i % ROWS;
        scores[i] = (double)c.x[(i % ROWS) * DIM];
    }
    c.raters[0] = (piaa_rater){rows, scores, MANY};
    c.count = 5;
    piaa_people_prior *prior = learn(&c, 16, 1);
    assert_int_equal(prior->rank, 4);
    assert_int_equal(prior->ratings, 4 * EACH + PIAA_PEOPLE_PRIOR_MOST);
    assert_true(prior->scale[7] == 1 && prior->weights[7] == 0 && prior->directions[7] == 0);
    piaa_people_prior_free(prior);
    free(rows), free(scores);
    free_crowd(&c);
}

static void bad_input_is_named(void **state) {
    PIAA_UNUSED(state);
    crowd c = simulate(0.3);
    piaa_error error = {0};
    assert_null(piaa_people_prior_learn(c.x, c.dim, c.raters, 2, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_string_equal(error.message,
                        "a prior is learned from at least 3 people who gave different scores, and "
                        "there are 2");
    error = (piaa_error){0};
    assert_null(piaa_people_prior_learn(NULL, c.dim, c.raters, 3, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    error = (piaa_error){0};
    c.scores[4] = NAN;
    assert_null(piaa_people_prior_learn(c.x, c.dim, c.raters, c.count, NULL, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    c.scores[4] = 1;
    error = (piaa_error){0};
    c.x[c.rows[9] * DIM] = NAN;
    assert_null(piaa_people_prior_learn(c.x, c.dim, c.raters, c.count, NULL, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    free_crowd(&c);
}

int main(void) {
    piaa_blas_hold();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_textbook), cmocka_unit_test(finds_what_was_simulated),
        cmocka_unit_test(evidence_rises),      cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(one_scaler),          cmocka_unit_test(odd_input),
        cmocka_unit_test(bad_input_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
