/* Labels with gaps: each target has what learning from its own images alone would give it, and the
   others do not notice. */
#include "support.h"

#include "base/random.h"
#include "linear/ridge.h"
#include "study/probe.h"
#include "study/projection.h"

enum { TRAIN = 40, VALIDATION = 10, TEST = 10, IMAGES = TRAIN + VALIDATION + TEST, DIM = 5 };
enum { LIGHT, COLOUR, ATTRIBUTES };
enum { SCORE_TARGET, LIGHT_TARGET, COLOUR_TARGET, TARGETS };

/* A data set and its features, made by rule: labels are sums of features and noise. */
typedef struct world {
    piaa_data_image images[IMAGES];
    double attributes[IMAGES * ATTRIBUTES];
    float x[IMAGES * DIM];
    int64_t rows[IMAGES];
    piaa_dataset set;
    piaa_source source;
} world;

static char *attribute_names[] = {"light", "colour"};

static world *make_world(void) {
    world *w = piaa_alloc(1, sizeof *w, NULL);
    piaa_random random;
    piaa_random_seed_python(&random, 7);
    for (size_t i = 0; i < IMAGES; i++) {
        float *x = w->x + i * DIM;
        for (int j = 0; j < DIM; j++) x[j] = (float)piaa_random_unit(&random);
        w->images[i] = (piaa_data_image){.name = "a", .path = "/a", .id = ""};
        w->images[i].split = i < TRAIN                ? PIAA_SPLIT_TRAIN
                             : i < TRAIN + VALIDATION ? PIAA_SPLIT_VALIDATION
                                                      : PIAA_SPLIT_TEST;
        w->images[i].general = x[0] - x[1] + piaa_random_unit(&random);
        w->attributes[i * ATTRIBUTES + LIGHT] = x[1] + 2 * x[2] + piaa_random_unit(&random);
        w->attributes[i * ATTRIBUTES + COLOUR] = x[3] - x[4] + piaa_random_unit(&random);
        w->rows[i] = (int64_t)i;
    }
    w->set = (piaa_dataset){.kind = "csv",
                            .folder = "/",
                            .where = "r.csv",
                            .images = w->images,
                            .image_count = IMAGES,
                            .attribute_names = attribute_names,
                            .attribute_count = ATTRIBUTES,
                            .attributes = w->attributes};
    w->source = (piaa_source){.name = "lt.3",
                              .slots = {{PIAA_LT, 3, DIM}},
                              .parts = 1,
                              .dim = DIM,
                              .x = w->x,
                              .rows = w->rows};
    return w;
}

static piaa_probe *probe(const world *w) {
    piaa_error error = {0};
    piaa_probe *made = piaa_probe_run(&w->set, &w->source, 1, NULL, NULL, &error);
    if (!made) fail_msg("%s", error.message);
    return made;
}

static void expect_same(const piaa_probe *a, const piaa_probe *b, size_t target) {
    const piaa_probe_cell *x = &a->cells[target], *y = &b->cells[target];
    assert_true(x->alpha == y->alpha && x->loo_rmse == y->loo_rmse);
    for (int part = 0; part < PIAA_PARTS; part++) {
        assert_int_equal(x->figures[part].n, y->figures[part].n);
        assert_true(x->figures[part].spearman == y->figures[part].spearman);
        assert_true(x->figures[part].r2 == y->figures[part].r2);
        assert_true(x->figures[part].rmse == y->figures[part].rmse);
    }
}

static void a_blank_costs_its_own_target_alone(void **state) {
    (void)state;
    world *w = make_world();
    piaa_probe *whole = probe(w);
    const size_t blanks[] = {3, 21, TRAIN + 2, IMAGES - 1};
    for (size_t i = 0; i < PIAA_COUNT(blanks); i++)
        w->attributes[blanks[i] * ATTRIBUTES + LIGHT] = NAN;
    piaa_probe *gaps = probe(w);
    assert_int_equal(gaps->count[PIAA_TRAIN], TRAIN);
    assert_int_equal(gaps->count[PIAA_TEST], TEST);
    assert_int_equal(gaps->without_label, 0);
    expect_same(whole, gaps, SCORE_TARGET);
    expect_same(whole, gaps, COLOUR_TARGET);
    assert_int_equal(gaps->cells[LIGHT_TARGET].figures[PIAA_TRAIN].n, TRAIN - 2);
    assert_int_equal(gaps->cells[LIGHT_TARGET].figures[PIAA_VALIDATION].n, VALIDATION - 1);
    assert_int_equal(gaps->cells[LIGHT_TARGET].figures[PIAA_TEST].n, TEST - 1);
    for (size_t i = 0; i < TARGETS * TARGETS; i++)
        assert_true(isfinite(gaps->label_correlation[i]) &&
                    isfinite(gaps->prediction_correlation[i]));
    for (size_t i = 0; i < PIAA_COUNT(blanks); i++) w->images[blanks[i]].split = PIAA_SPLIT_NONE;
    piaa_probe *without = probe(w);
    expect_same(without, gaps, LIGHT_TARGET);
    piaa_probe_free(whole);
    piaa_probe_free(gaps);
    piaa_probe_free(without);
    free(w);
}

static void an_unknown_target_is_undefined(void **state) {
    (void)state;
    world *w = make_world();
    piaa_probe *whole = probe(w);
    for (size_t i = 0; i < TRAIN; i++) w->attributes[i * ATTRIBUTES + LIGHT] = NAN;
    w->images[5].general = NAN; /* a photo that nobody rated still has its colour */
    piaa_probe *gaps = probe(w);
    expect_same(whole, gaps, COLOUR_TARGET);
    assert_int_equal(gaps->best[LIGHT_TARGET], -1);
    assert_true(isnan(gaps->cells[LIGHT_TARGET].figures[PIAA_TEST].spearman));
    assert_true(isnan(gaps->cells[LIGHT_TARGET].alpha));
    assert_int_equal(gaps->cells[SCORE_TARGET].figures[PIAA_TRAIN].n, TRAIN - 1);
    piaa_probe_free(whole);
    piaa_probe_free(gaps);
    free(w);
}

/* Leave-one-out predictions stand in for validation images, of each target's own images. */
static void gaps_without_validation(void **state) {
    (void)state;
    world *w = make_world();
    for (size_t i = TRAIN + 1; i < TRAIN + VALIDATION; i++)
        w->attributes[i * ATTRIBUTES + LIGHT] = NAN;
    piaa_probe *one = probe(w); /* one validation image has light */
    assert_false(one->loo_validation);
    assert_int_equal(one->cells[LIGHT_TARGET].figures[PIAA_VALIDATION].n, TRAIN);
    assert_int_equal(one->cells[COLOUR_TARGET].figures[PIAA_VALIDATION].n, VALIDATION);
    assert_int_equal(one->best[LIGHT_TARGET], 0);
    for (size_t i = TRAIN; i < TRAIN + VALIDATION; i++) w->images[i].split = PIAA_SPLIT_NONE;
    piaa_probe *none = probe(w);
    expect_same(one, none, LIGHT_TARGET);
    w->attributes[3 * ATTRIBUTES + LIGHT] = NAN;
    piaa_probe *gaps = probe(w);
    assert_true(gaps->loo_validation);
    assert_int_equal(gaps->cells[LIGHT_TARGET].figures[PIAA_VALIDATION].n, TRAIN - 1);
    assert_int_equal(gaps->cells[COLOUR_TARGET].figures[PIAA_VALIDATION].n, TRAIN);
    assert_true(isfinite(gaps->cells[LIGHT_TARGET].figures[PIAA_VALIDATION].spearman));
    piaa_probe_free(one);
    piaa_probe_free(none);
    piaa_probe_free(gaps);
    free(w);
}

static piaa_projection *project(const world *w) {
    piaa_error error = {0};
    piaa_projection *made =
        piaa_projection_learn(&w->set, &w->source, &(piaa_identity){0}, 1, NULL, &error);
    if (!made) fail_msg("%s", error.message);
    return made;
}

/* An attribute's predictions are those of a ridge of its own images at the common alpha. */
static void expect_own_ridge(const world *w, const piaa_projection *p, int attribute) {
    int64_t rows[TRAIN], n = 0;
    double y[TRAIN], own, projected[ATTRIBUTES];
    for (size_t i = 0; i < TRAIN; i++) {
        double value = w->attributes[i * ATTRIBUTES + (size_t)attribute];
        if (!isfinite(value)) continue;
        rows[n] = (int64_t)i;
        y[n++] = value;
    }
    piaa_error error = {0};
    piaa_ridge_design *design = piaa_ridge_design_new(w->x, rows, n, DIM, &error);
    piaa_ridge *model = piaa_ridge_fit(
        design, y, 1, &(piaa_ridge_options){.alphas = &p->alpha, .alpha_count = 1}, &error);
    if (!model) fail_msg("%s", error.message);
    assert_int_equal(p->known[attribute], n);
    for (size_t i = 0; i < IMAGES; i++) {
        piaa_ridge_predict(model, w->x + i * DIM, 1, &own);
        piaa_projection_apply(p, w->x + i * DIM, 1, projected);
        assert_true(fabs(own - projected[attribute]) < 1e-10);
    }
    piaa_ridge_free(model);
    piaa_ridge_design_free(design);
}

static void a_projection_uses_what_there_is(void **state) {
    (void)state;
    world *w = make_world();
    w->attributes[3 * ATTRIBUTES + LIGHT] = NAN;
    w->attributes[8 * ATTRIBUTES + LIGHT] = NAN;
    w->attributes[9 * ATTRIBUTES + COLOUR] = NAN;
    piaa_projection *p = project(w);
    assert_int_equal(p->count, ATTRIBUTES);
    assert_int_equal(p->images, TRAIN);
    expect_own_ridge(w, p, LIGHT);
    expect_own_ridge(w, p, COLOUR);
    piaa_error error = {0};
    char *text = piaa_projection_to_json(p, &error);
    piaa_projection *again = piaa_projection_parse(text, strlen(text), "p.json", &error);
    if (!again) fail_msg("%s", error.message);
    assert_int_equal(again->known[LIGHT], TRAIN - 2);
    assert_int_equal(again->known[COLOUR], TRAIN - 1);
    piaa_projection_free(again);
    free(text);
    piaa_projection_free(p);
    for (size_t i = 1; i < TRAIN; i++) w->attributes[i * ATTRIBUTES + LIGHT] = NAN;
    p = project(w); /* of one image nothing can be learned */
    assert_int_equal(p->count, 1);
    assert_string_equal(p->names[0], "colour");
    piaa_projection_free(p);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blank_costs_its_own_target_alone),
        cmocka_unit_test(an_unknown_target_is_undefined),
        cmocka_unit_test(gaps_without_validation),
        cmocka_unit_test(a_projection_uses_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
