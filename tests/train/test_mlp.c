/* The network against PyTorch's runs with the same weights, order and masks; and its own draws. */
#include "support.h"

#include "train/mlp.h"

static size_t *positions(const piaa_safetensors *golden, const char *name, size_t *count) {
    int32_t *values = support_ints(golden, name, count);
    size_t *out = piaa_alloc(*count, sizeof *out, NULL);
    for (size_t i = 0; i < *count; i++) out[i] = (size_t)values[i];
    free(values);
    return out;
}

/* The recorded weights "WHEN|0.weight" … one after another. */
static float *parameters(const piaa_safetensors *golden, const char *when, int width) {
    static const char *const names[] = {"0.weight", "0.bias",   "1.weight",
                                        "1.bias",   "2.weight", "2.bias"};
    float *all = piaa_alloc(piaa_mlp_parameters(width), sizeof *all, NULL);
    size_t at = 0;
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        char name[40];
        size_t count;
        snprintf(name, sizeof name, "%s|%s", when, names[i]);
        float *part = support_floats(golden, name, &count);
        memcpy(all + at, part, count * sizeof *part);
        at += count;
        free(part);
    }
    assert_int_equal(at, piaa_mlp_parameters(width));
    return all;
}

static piaa_mlp_plan *recorded_plan(const piaa_safetensors *golden, size_t part, int epochs) {
    size_t count;
    piaa_mlp_plan *plan = piaa_alloc(1, sizeof *plan, NULL);
    plan->order = positions(golden, "order", &count);
    plan->part = part;
    plan->initial = parameters(golden, "init", 192);
    plan->batches = positions(golden, "batches", &count);
    assert_int_equal(count, part * (size_t)epochs);
    if (!piaa_safetensors_find(golden, "kept_bits")) return plan;
    double *bits = support_doubles(golden, "kept_bits", &count);
    assert_int_equal(count, part * (size_t)epochs * PIAA_MLP_BITS);
    plan->kept = piaa_alloc(count, 1, NULL);
    for (size_t i = 0; i < count; i++) plan->kept[i] = (uint8_t)bits[i];
    free(bits);
    return plan;
}

static double most_off(const double *a, const double *b, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

/* best, epochs: what mlp_cases.json says of the run. */
static void follow(const char *name, size_t part, int epochs, int best) {
    piaa_error error = {0};
    size_t n, count, tests;
    char *path = piaa_format(NULL, "%s/text/residual/mlp_%s.safetensors", PIAA_GOLDEN, name);
    piaa_safetensors *golden = support_golden(path);
    float *x = support_floats(golden, "x", &count), *y = support_floats(golden, "y", &n),
          *x_test = support_floats(golden, "x_test", &count);
    double *losses = support_doubles(golden, "losses", &count),
           *residual = support_doubles(golden, "residual", &tests);
    piaa_mlp_plan *plan = recorded_plan(golden, part, epochs);
    piaa_mlp_options options = piaa_mlp_published;
    options.epochs =
        epochs; /* as many as are recorded, which ended by patience or as the hundredth */
    assert_true(epochs == 100 || epochs - 1 - best == options.patience);
    double own[200], predicted[50];
    piaa_mlp_course course = {.losses = own};
    piaa_mlp *network = piaa_mlp_train(x, y, n, 192, plan, &options, &course, &error);
    if (!network) fail_msg("%s", error.message);
    assert_int_equal(course.epochs, epochs);
    assert_int_equal(course.best, best);
    assert_int_equal(tests, 50);
    assert_true(piaa_mlp_predict(network, x_test, 50, predicted, &error));
    float *final = parameters(golden, "final", 192);
    const double loss = most_off(own, losses, 2 * (size_t)epochs),
                 off = most_off(predicted, residual, 50),
                 weights = support_max_difference(piaa_mlp_weights(network), final,
                                                  piaa_mlp_parameters(192));
    print_message("%s: losses within %.1e, predictions %.1e, weights %.1e\n", name, loss, off,
                  weights);
    assert_true(loss < 1e-4 && off < 1e-4 && weights < 1e-4);
    piaa_mlp_free(network);
    piaa_mlp_plan_free(plan);
    free(final);
    free(residual);
    free(losses);
    free(x_test);
    free(x);
    free(y);
    piaa_safetensors_close(golden);
    free(path);
}

static void a_training_is_pytorchs(void **state) {
    (void)state;
    follow("A1000_large", 80, 11, 0);
    follow("A1037_large", 80, 26, 15);
    follow("A1000_small", 10, 100, 98);
    follow("A1037_large_dropout", 80, 31, 20);
}

enum { WIDTH = 7, ROWS = 30 };

/* A line with noise, from a generator that everybody knows. */
static void sample(float *x, float *y) {
    uint32_t state = 1;
    for (size_t i = 0; i < ROWS; i++) {
        y[i] = 0;
        for (size_t j = 0; j < WIDTH; j++) {
            state = state * 1664525U + 1013904223U;
            x[i * WIDTH + j] = (float)((double)state / 2147483648.0 - 1);
            y[i] += x[i * WIDTH + j] * (j % 2 ? 0.5F : -0.25F);
        }
    }
}

static void trained(uint32_t seed, size_t n, double *out, piaa_mlp_course *course) {
    float x[ROWS * WIDTH], y[ROWS];
    piaa_error error = {0};
    sample(x, y);
    piaa_mlp_plan *plan = piaa_mlp_plan_draw(n, WIDTH, &piaa_mlp_published, seed, &error);
    assert_non_null(plan);
    assert_int_equal(plan->part, n < 15 ? n : n * 4 / 5);
    piaa_mlp *network = piaa_mlp_train(x, y, n, WIDTH, plan, &piaa_mlp_published, course, &error);
    if (!network) fail_msg("%s", error.message);
    assert_true(piaa_mlp_predict(network, x, ROWS, out, &error));
    piaa_mlp_free(network);
    piaa_mlp_plan_free(plan);
}

static void the_seed_says_everything(void **state) {
    (void)state;
    double first[ROWS], again[ROWS], other[ROWS];
    trained(42, ROWS, first, NULL);
    trained(42, ROWS, again, NULL);
    trained(43, ROWS, other, NULL);
    assert_memory_equal(first, again, sizeof first);
    assert_true(memcmp(first, other, sizeof first) != 0);
}

/* Fewer than 15 rows: none is kept back, and the training loss is told twice. */
static void few_rows_all_train(void **state) {
    (void)state;
    double out[ROWS], losses[200];
    piaa_mlp_course course = {.losses = losses};
    for (size_t n = 1; n < 15; n += 13) {
        trained(1, n, out, &course);
        for (int e = 0; e < course.epochs; e++) assert_true(losses[2 * e] == losses[2 * e + 1]);
    }
    trained(1, 15, out, &course);
    assert_true(losses[0] != losses[1]);
}

static void what_is_drawn_is_in_its_range(void **state) {
    (void)state;
    piaa_mlp_plan *plan = piaa_mlp_plan_draw(100, 400, &piaa_mlp_published, 42, NULL);
    bool seen[100] = {false};
    size_t kept = 0, bytes = (size_t)100 * 80 * PIAA_MLP_BITS;
    float most = 0;
    for (size_t i = 0; i < 100; i++) {
        assert_true(plan->order[i] < 100 && !seen[plan->order[i]]);
        seen[plan->order[i]] = true;
    }
    for (size_t i = 0; i < 400 * PIAA_MLP_FIRST; i++) most = fmaxf(most, fabsf(plan->initial[i]));
    assert_true(most <= 0.05F && most > 0.0499F); /* 1 / sqrt(400) */
    for (size_t i = 0; i < bytes; i++)
        for (int bit = 0; bit < 8; bit++) kept += plan->kept[i] >> bit & 1;
    assert_true(fabs((double)kept / (double)bytes / 8 - 0.9) < 0.002); /* 8 standard errors */
    piaa_mlp_plan_free(plan);
}

static void a_loss_that_is_no_number_ends_it(void **state) {
    (void)state;
    float x[ROWS * WIDTH], y[ROWS];
    piaa_error error = {0};
    sample(x, y);
    y[3] = INFINITY;
    piaa_mlp_plan *plan = piaa_mlp_plan_draw(10, WIDTH, &piaa_mlp_published, 1, &error);
    assert_null(piaa_mlp_train(x, y, 10, WIDTH, plan, &piaa_mlp_published, NULL, &error));
    assert_non_null(strstr(error.message, "epoch 1"));
    piaa_mlp_plan_free(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_training_is_pytorchs),
        cmocka_unit_test(the_seed_says_everything),
        cmocka_unit_test(few_rows_all_train),
        cmocka_unit_test(what_is_drawn_is_in_its_range),
        cmocka_unit_test(a_loss_that_is_no_number_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
