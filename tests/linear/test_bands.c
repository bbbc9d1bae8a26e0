/* Blocks with weights and a prior: against dense least squares that are really solved again for
   everything that is left out (tests/golden/linear), and what has to hold of any data. */
#include "support.h"

#include "linear/bands.h"
#include "linear/loops.h"

static const char *const cases[] = {"plain", "banded", "prior", "tall"};

enum { MOST = 4 };

typedef struct example {
    const piaa_safetensors *file;
    const char *name;
    piaa_band blocks[MOST];
    int count, dim;
    size_t n;
    double *y, *prior[3];
    int64_t *group;
    piaa_bands *bands;
    piaa_bands_options options;
} example;

static const piaa_tensor *tensor(const example *e, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s|%s", e->name, name);
    return support_tensor(e->file, key);
}

static double *golden(const example *e, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s|%s", e->name, name);
    return support_doubles(e->file, key, NULL);
}

static float *block(const example *e, const char *name, int k, int *dim) {
    char key[64];
    snprintf(key, sizeof key, "%s|%s%d", e->name, name, k);
    *dim = (int)support_tensor(e->file, key)->shape[1];
    return support_floats(e->file, key, NULL);
}

static example open_example(const piaa_safetensors *file, const char *name) {
    example e = {.file = file, .name = name};
    e.n = (size_t)tensor(&e, "y")->shape[0];
    e.count = (int)tensor(&e, "tau")->shape[1];
    for (int k = 0; k < e.count; k++) {
        e.blocks[k].x = block(&e, "x", k, &e.blocks[k].dim);
        e.dim += e.blocks[k].dim;
    }
    e.y = golden(&e, "y");
    double *group = golden(&e, "group");
    e.group = malloc(e.n * sizeof *e.group);
    for (size_t i = 0; i < e.n; i++) e.group[i] = (int64_t)group[i];
    free(group);
    piaa_error error = {0};
    e.bands = piaa_bands_new(e.blocks, e.count, (int64_t)e.n, &error);
    if (!e.bands) fail_msg("%s", error.message);
    assert_int_equal(piaa_bands_dim(e.bands), e.dim);
    e.options.weights = golden(&e, "tau");
    e.options.weight_count = (int)tensor(&e, "tau")->shape[0];
    e.options.spreads = golden(&e, "spread");
    e.options.spread_count = (int)tensor(&e, "spread")->shape[0];
    e.options.leads = golden(&e, "lead");
    e.options.lead_count = (int)tensor(&e, "lead")->shape[0];
    if (strcmp(name, "plain") == 0 || strcmp(name, "banded") == 0) return e;
    static const char *const parts[] = {"mean", "directions", "scale"};
    for (int k = 0; k < 3; k++) e.prior[k] = golden(&e, parts[k]);
    const piaa_bands_prior prior = {.mean = e.prior[0],
                                    .directions = e.prior[1],
                                    .scale = e.prior[2],
                                    .rank = (int)tensor(&e, "directions")->shape[0]};
    assert_true(piaa_bands_add_prior(e.bands, &prior, &error));
    assert_false(piaa_bands_add_prior(e.bands, &prior, NULL));
    return e;
}

static void close_example(example *e) {
    piaa_bands_free(e->bands);
    for (int k = 0; k < e->count; k++) free((void *)e->blocks[k].x);
    for (int k = 0; k < 3; k++) free(e->prior[k]);
    free(e->y), free(e->group);
    free((void *)e->options.weights);
    free((void *)e->options.spreads);
    free((void *)e->options.leads);
}

static void expect(const example *e, const char *name, const double *out, size_t n) {
    double *want = golden(e, name), largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs(out[i] - want[i]) <= 1e-9 * (largest + fabs(want[i]))))
            fail_msg("%s|%s[%zu]: %.12g, not %.12g", e->name, name, i, out[i], want[i]);
    free(want);
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void expect_prediction(const example *e, const piaa_bands_model *model) {
    double out[4];
    for (int i = 0; i < 4; i++) out[i] = model->intercept;
    size_t at = 0;
    for (int k = 0; k < e->count; k++) {
        int dim;
        float *test = block(e, "test", k, &dim);
        for (int i = 0; i < 4; i++)
            out[i] += piaa_ridge_dot(model->weights + at, model->mean + at,
                                     test + (size_t)i * (size_t)dim, dim);
        at += (size_t)dim;
        free(test);
    }
    expect(e, "prediction", out, 4);
}

/* The choice among everything, the model, and each group's error by what is chosen without it. */
static void equals_dense_refits(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/linear/bands.safetensors");
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        example e = open_example(file, cases[c]);
        piaa_error error = {0};
        piaa_bands_model *model = piaa_bands_fit(e.bands, e.y, e.group, &e.options, &error);
        if (!model) fail_msg("%s", error.message);
        double *chosen = golden(&e, "chosen");
        const double *tau = e.options.weights + (size_t)chosen[0] * (size_t)e.count;
        for (int k = 0; k < e.count; k++) assert_true(model->band_weights[k] == tau[k]);
        assert_true(model->spread == e.options.spreads[(int)chosen[1]]);
        assert_true(model->lead == e.options.leads[(int)chosen[2]]);
        assert_true(model->alpha == piaa_ridge_alphas[(int)chosen[3]]);
        free(chosen);
        expect(&e, "weights", model->weights, (size_t)e.dim);
        expect(&e, "intercept", &model->intercept, 1);
        expect_prediction(&e, model);
        double *nested = golden(&e, "nested");
        qsort(nested, (size_t)model->left->groups, sizeof *nested, ascending);
        for (int64_t g = 0; g < model->left->groups; g++)
            assert_true(fabs(model->left->errors[g] - nested[g]) < 1e-9);
        assert_true(model->left->chance > 0 && model->left->chance <= 1);
        free(nested);
        piaa_bands_model_free(model);
        close_example(&e);
    }
    piaa_safetensors_close(file);
}

/* Leave-one-out errors of every shape and alpha, each asked for alone. */
static void errors_equal_dense_refits(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/linear/bands.safetensors");
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        example e = open_example(file, cases[c]);
        double *errors = golden(&e, "errors"), *want = errors;
        for (int t = 0; t < e.options.weight_count; t++)
            for (int s = 0; s < e.options.spread_count; s++)
                for (int l = 0; l < e.options.lead_count; l++)
                    for (int a = 0; a < PIAA_RIDGE_ALPHAS; a++, want += e.n) {
                        const piaa_bands_options one = {
                            .weights = e.options.weights + (size_t)t * (size_t)e.count,
                            .weight_count = 1,
                            .spreads = &e.options.spreads[s],
                            .spread_count = 1,
                            .leads = &e.options.leads[l],
                            .lead_count = 1,
                            .leaving = {&piaa_ridge_alphas[a], 1, true, 0}};
                        piaa_bands_model *model = piaa_bands_fit(e.bands, e.y, e.group, &one, NULL);
                        assert_non_null(model);
                        assert_true(isnan(model->left->chance));
                        for (size_t i = 0; i < e.n; i++)
                            assert_true(fabs(e.y[i] - model->left->predicted[i] - want[i]) < 1e-9);
                        piaa_bands_model_free(model);
                    }
        free(errors);
        close_example(&e);
    }
    piaa_safetensors_close(file);
}

/* --------------------------------------------------------------------------------- made-up data */

static double noise(uint64_t *seed) {
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*seed >> 11) / 9007199254740992.0 - 0.5;
    }
    return sum * 1.7;
}

/* y [n] depends on x [n][d] by w [d] per unit. */
static void make(uint64_t seed, size_t n, size_t d, double strength, float *x, double *w,
                 double *y) {
    for (size_t j = 0; j < d; j++) w[j] = noise(&seed) / sqrt((double)d);
    for (size_t i = 0; i < n; i++) {
        y[i] = 3 + noise(&seed);
        for (size_t j = 0; j < d; j++) {
            x[i * d + j] = (float)noise(&seed);
            y[i] += strength * w[j] * (double)x[i * d + j];
        }
    }
}

static void expect_near(const double *a, const double *b, size_t n, double tolerance) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(b[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance * largest))
            fail_msg("[%zu]: %.12g, not %.12g", i, a[i], b[i]);
}

/* One block is the ridge, whether it is one or cut into several, wide or tall, given by rows or
   with other numbers between its rows. */
static void one_block_is_the_ridge(void **state) {
    PIAA_UNUSED(state);
    enum { N = 30, D = 50 };
    static float x[N * D], order[N * D];
    double w[D], y[N];
    const int64_t rows[] = {3, 2, 1, 0};
    make(1, N, D, 1, x, w, y);
    for (int dim = 8; dim <= D; dim += 42) {
        for (int i = 0; i < N; i++) memcpy(order + i * dim, x + i * D, (size_t)dim * sizeof *x);
        piaa_ridge_design *design = piaa_ridge_design_new(order, NULL, N, dim, NULL);
        piaa_ridge *ridge = piaa_ridge_fit(design, y, 1, NULL, NULL);
        const piaa_band one = {.x = x, .dim = dim, .stride = D};
        const piaa_band cut[] = {{.x = x, .dim = 3, .stride = D},
                                 {.x = x + 3, .dim = dim - 3, .stride = D}};
        for (int count = 1; count <= 2; count++) {
            piaa_bands *bands = piaa_bands_new(count == 1 ? &one : cut, count, N, NULL);
            piaa_bands_model *model = piaa_bands_fit(bands, y, NULL, NULL, NULL);
            assert_true(model->alpha == ridge->alphas[0] && model->spread == 0);
            expect_near(model->weights, ridge->weights, (size_t)dim, 1e-9);
            expect_near(model->mean, ridge->mean, (size_t)dim, 0);
            expect_near(model->scale, ridge->scale, (size_t)dim, 0);
            expect_near(&model->intercept, ridge->intercepts, 1, 1e-12);
            expect_near(model->left->predicted, ridge->loo, N, 1e-9);
            piaa_bands_model_free(model);
            piaa_bands_free(bands);
        }
        piaa_ridge_free(ridge);
        piaa_ridge_design_free(design);
    }
    const piaa_band turned = {.x = x, .rows = rows, .dim = D}, straight = {.x = x, .dim = D};
    piaa_bands *a = piaa_bands_new(&turned, 1, 4, NULL), *b = piaa_bands_new(&straight, 1, 4, NULL);
    const piaa_bands_shape plain = {0};
    const double *k = piaa_bands_products(a, &plain, NULL),
                 *l = piaa_bands_products(b, &plain, NULL);
    for (int i = 0; i < 16; i++) assert_true(fabs(k[i] - l[15 - i]) < 1e-10);
    piaa_bands_free(a);
    piaa_bands_free(b);
}

/* Other people whose taste is the person's own, the opposite, and none at all. */
static void a_prior_that_does_not_fit_does_not_hurt(void **state) {
    PIAA_UNUSED(state);
    enum { N = 25, D = 60, TEST = 200 };
    static float x[(N + TEST) * D];
    double w[D], y[N + TEST], scale[D], mean[D], error_of[3][2];
    const double leads[] = {0, 0.5, 1}, spreads[] = {0, 1};
    for (int kind = 0; kind < 3; kind++) {
        make(5, N + TEST, D, 1, x, w, y);
        for (int j = 0; j < D; j++) {
            scale[j] = 1 + j % 3;
            mean[j] = kind == 2 ? 0 : (kind ? -1 : 1) * w[j] * scale[j];
        }
        const piaa_band one = {.x = x, .dim = D};
        const piaa_bands_prior prior = {.mean = mean, .scale = scale};
        for (int with = 0; with < 2; with++) {
            piaa_bands *bands = piaa_bands_new(&one, 1, N, NULL);
            if (with) assert_true(piaa_bands_add_prior(bands, &prior, NULL));
            const piaa_bands_options options = {
                .leads = leads, .lead_count = 3, .spreads = spreads, .spread_count = 2};
            piaa_bands_model *model = piaa_bands_fit(bands, y, NULL, &options, NULL);
            assert_non_null(model);
            assert_true(model->lead == (with && kind == 0 ? 1 : 0));
            double squares = 0;
            for (int i = N; i < N + TEST; i++) {
                double miss = y[i] - model->intercept -
                              piaa_ridge_dot(model->weights, model->mean, x + i * D, D);
                squares += miss * miss;
            }
            error_of[kind][with] = sqrt(squares / TEST);
            piaa_bands_model_free(model);
            piaa_bands_free(bands);
        }
    }
    assert_true(error_of[0][1] < 0.85 * error_of[0][0]);
    for (int kind = 1; kind < 3; kind++) assert_true(error_of[kind][1] == error_of[kind][0]);
}

/* With alphas of its own and patience, a prior stands first: it stays where it fits, and where it
   does not what is left is the plain ridge to the last bit; patience without end keeps it. */
static void what_is_likely_stands_first(void **state) {
    PIAA_UNUSED(state);
    enum { N = 25, D = 60 };
    static float x[N * D];
    double w[D], y[N], scale[D], mean[D];
    const double leads[] = {1, 0.5, 0}, told[] = {30, 10, 100}, patience[] = {0.5, 0.5, 1e9};
    for (int kind = 0; kind < 3; kind++) {
        make(5, N, D, 1, x, w, y);
        for (int j = 0; j < D; j++) {
            scale[j] = 1 + j % 3;
            mean[j] = (kind ? -1 : 1) * w[j] * scale[j];
        }
        const piaa_band one = {.x = x, .dim = D};
        const piaa_bands_prior prior = {.mean = mean, .scale = scale};
        const piaa_bands_options options = {.leads = leads,
                                            .lead_count = 3,
                                            .told = told,
                                            .told_count = 3,
                                            .leaving = {.patience = patience[kind]}};
        piaa_bands *bands = piaa_bands_new(&one, 1, N, NULL);
        assert_true(piaa_bands_add_prior(bands, &prior, NULL));
        piaa_bands_model *model = piaa_bands_fit(bands, y, NULL, &options, NULL);
        assert_non_null(model);
        if (kind != 1) {
            assert_true(model->lead == 1 && model->alpha <= 100 && model->alpha >= 10);
        } else {
            piaa_ridge_design *design = piaa_ridge_design_new(x, NULL, N, D, NULL);
            piaa_ridge *plain = piaa_ridge_fit(design, y, 1, NULL, NULL);
            assert_true(model->lead == 0);
            assert_true(model->alpha == plain->alphas[0]);
            for (int j = 0; j < D; j++)
                assert_true(fabs(model->weights[j] - plain->weights[j]) < 1e-9);
            piaa_ridge_free(plain);
            piaa_ridge_design_free(design);
        }
        if (kind == 2) assert_true(model->alpha == 30);
        piaa_bands_model_free(model);
        piaa_bands_free(bands);
    }
}

/* Rows whose scaler is that of all rows are x and -x: learning without a pair of them and without
   another one is learning from the rest. */
static void without_is_a_refit(void **state) {
    PIAA_UNUSED(state);
    enum { N = 16, D = 24 };
    static float x[N * D];
    double w[D], y[N], scale[D], mean[D], direction[D];
    make(9, N, D, 1, x, w, y);
    uint64_t seed = 3;
    for (int j = 0; j < D; j++) {
        for (int i = 0; i < N; i += 2) {
            float size = j % 2 ? 1 : 2; /* of all rows alike, so that the scaler stays */
            x[i * D + j] = noise(&seed) > 0 ? size : -size;
            x[(i + 1) * D + j] = -x[i * D + j];
        }
        scale[j] = 1;
        mean[j] = w[j];
        direction[j] = noise(&seed);
    }
    const piaa_bands_prior prior = {mean, direction, scale, 1, 0};
    const double lead = 0.7, spread = 2, alpha = 3, weights[] = {1, 0.3};
    const piaa_bands_options options = {.weights = weights,
                                        .weight_count = 1,
                                        .leads = &lead,
                                        .lead_count = 1,
                                        .spreads = &spread,
                                        .spread_count = 1,
                                        .leaving = {&alpha, 1, true, 0}};
    const piaa_band blocks[] = {{.x = x, .dim = 10, .stride = D},
                                {.x = x + 10, .dim = D - 10, .stride = D}};
    const int64_t out[] = {N - 2, N - 1};
    piaa_bands *all = piaa_bands_new(blocks, 2, N, NULL),
               *rest = piaa_bands_new(blocks, 2, N - 2, NULL);
    assert_true(piaa_bands_add_prior(all, &prior, NULL));
    assert_true(piaa_bands_add_prior(rest, &prior, NULL));
    piaa_bands_model *model = piaa_bands_fit(all, y, NULL, &options, NULL),
                     *refit = piaa_bands_fit(rest, y, NULL, &options, NULL);
    assert_true(fabs(model->weights[0] / refit->weights[0] - 1) > 1e-6);
    const piaa_bands_shape shape = {weights, spread, lead};
    assert_true(
        piaa_bands_without(all, &shape, alpha, y, out, 2, model->weights, &model->intercept, NULL));
    expect_near(model->weights, refit->weights, D, 1e-9);
    expect_near(&model->intercept, &refit->intercept, 1, 1e-9);
    piaa_bands_model_free(model);
    piaa_bands_model_free(refit);
    piaa_bands_free(all);
    piaa_bands_free(rest);
}

/* The loops of this CPU against those of any: the same to the last bit, at every length. */
static void loops_are_the_same_to_the_bit(void **state) {
    PIAA_UNUSED(state);
    enum { MOST_COLUMNS = 70 };
    const piaa_loops *here = piaa_loops_here(), *any = &piaa_loops_any;
    float x[MOST_COLUMNS], origin[MOST_COLUMNS];
    double a[2][MOST_COLUMNS], b[2][MOST_COLUMNS], mean[MOST_COLUMNS], by[MOST_COLUMNS];
    uint64_t seed = 11;
    for (int j = 0; j < MOST_COLUMNS; j++) {
        x[j] = (float)noise(&seed), origin[j] = (float)noise(&seed);
        mean[j] = noise(&seed), by[j] = noise(&seed);
        a[0][j] = a[1][j] = noise(&seed), b[0][j] = b[1][j] = noise(&seed);
    }
    for (size_t n = 0; n <= MOST_COLUMNS; n++) {
        const piaa_loops *both[] = {here, any};
        for (int k = 0; k < 2; k++) {
            both[k]->add(a[k], x, origin, n);
            both[k]->deviate(a[k], b[k], x, mean, n);
            both[k]->gather(b[k], 0.3, x, mean, n);
        }
        assert_memory_equal(a[0], a[1], sizeof *a);
        assert_memory_equal(b[0], b[1], sizeof *b);
        for (int k = 0; k < 2; k++) both[k]->scale(a[k], x, mean, by, n);
        assert_memory_equal(a[0], a[1], sizeof *a);
        const double one = here->dot(by, mean, x, n), other = any->dot(by, mean, x, n);
        assert_memory_equal(&one, &other, sizeof one);
    }
}

static void bad_input_is_named(void **state) {
    PIAA_UNUSED(state);
    const float x[] = {1, 2, 3, 4, NAN, 6};
    const double y[] = {1, 2, 3}, none = -1, bad[] = {1, NAN};
    piaa_error error = {0};
    assert_null(piaa_bands_new(NULL, 0, 3, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    error = (piaa_error){0};
    const piaa_band blocks[] = {{.x = x, .dim = 1}, {.x = x, .dim = 2}};
    assert_null(piaa_bands_new(blocks, 2, 3, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    assert_non_null(strstr(error.message, "block 1"));
    assert_non_null(strstr(error.message, "row 2, column 0"));
    error = (piaa_error){0};
    assert_null(piaa_bands_new(blocks, 1, 1, &error)); /* one row */
    assert_int_equal(error.code, PIAA_USAGE);

    piaa_bands *bands = piaa_bands_new(blocks, 1, 2, NULL);
    const struct {
        piaa_bands_options options;
        const double *y;
        piaa_code want;
    } wrong[] = {
        {{.weights = &none, .weight_count = 1}, y, PIAA_USAGE},
        {{.weights = &none}, y, PIAA_USAGE},
        {{.spreads = &none, .spread_count = 1}, y, PIAA_USAGE},
        {{.spreads = &none}, y, PIAA_USAGE},
        {{.leads = &none}, y, PIAA_USAGE},
        {{.leaving = {&none, 1, false, 0}}, y, PIAA_USAGE},
        {{.leaving = {&none, 0, false, 0}}, y, PIAA_USAGE},
        {{0}, bad, PIAA_FORMAT},
    };
    for (size_t i = 0; i < PIAA_COUNT(wrong); i++) {
        error = (piaa_error){0};
        assert_null(piaa_bands_fit(bands, wrong[i].y, NULL, &wrong[i].options, &error));
        assert_int_equal(error.code, wrong[i].want);
    }
    const double zero = 0;
    const piaa_bands_prior priors[] = {
        {bad + 1, NULL, y, 0, 0}, {y, NULL, &zero, 0, 0}, {y, bad + 1, y, 1, 0}};
    for (size_t i = 0; i < PIAA_COUNT(priors); i++) {
        error = (piaa_error){0};
        assert_false(piaa_bands_add_prior(bands, &priors[i], &error));
        assert_int_equal(error.code, PIAA_FORMAT);
    }
    piaa_bands_free(bands);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_dense_refits),
        cmocka_unit_test(errors_equal_dense_refits),
        cmocka_unit_test(one_block_is_the_ridge),
        cmocka_unit_test(a_prior_that_does_not_fit_does_not_hurt),
        cmocka_unit_test(what_is_likely_stands_first),
        cmocka_unit_test(without_is_a_refit),
        cmocka_unit_test(loops_are_the_same_to_the_bit),
        cmocka_unit_test(bad_input_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
