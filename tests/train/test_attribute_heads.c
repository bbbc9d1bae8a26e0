/* Phase 1's heads on given features against PyTorch (scripts/golden/ici_graph.py). */
#include "support.h"

#include "base/blas.h"
#include "train/attribute_heads.h"

static const char file[] = PIAA_GOLDEN "/ici/ici_heads.safetensors";

enum { DIM = 24, ATTRIBUTES = 7, BINS = 9, ROWS = 40 };

typedef struct fixture {
    piaa_safetensors *golden;
    piaa_heads *heads;
    float *x, *attributes, *shares;
} fixture;

static void read_weights(piaa_heads *heads, const char *prefix) {
    piaa_error error = {0};
    size_t count;
    const piaa_named *tensors = piaa_heads_tensors(heads, &count);
    if (!piaa_named_read(tensors, count, prefix, file, &error)) fail_msg("%s", error.message);
}

static fixture fixture_open(void) {
    piaa_error error = {0};
    size_t n;
    piaa_blas_hold();
    fixture f = {.golden = support_golden(file),
                 .heads = piaa_heads_new(DIM, ATTRIBUTES, BINS, 1, &error)};
    if (!f.heads) fail_msg("%s", error.message);
    f.x = support_floats(f.golden, "in.feat", &n);
    assert_int_equal(n, ROWS * DIM);
    f.attributes = support_floats(f.golden, "in.attr", &n);
    f.shares = support_floats(f.golden, "s.target", &n);
    read_weights(f.heads, "w.");
    return f;
}

static void fixture_close(fixture *f) {
    piaa_heads_free(f->heads);
    piaa_safetensors_close(f->golden);
    free(f->x);
    free(f->attributes);
    free(f->shares);
}

static double off(const fixture *f, const char *name, const float *own) {
    size_t n;
    float *golden = support_floats(f->golden, name, &n);
    const double most = support_max_difference(own, golden, n);
    free(golden);
    return most;
}

static void what_is_predicted_is_pytorchs(void **state) {
    (void)state;
    piaa_error error = {0};
    fixture f = fixture_open();
    float attributes[ROWS * ATTRIBUTES], shares[ROWS * BINS];
    assert_true(piaa_heads_predict(f.heads, f.x, ROWS, attributes, shares, &error));
    assert_true(off(&f, "s.attr", attributes) < 1e-5);
    assert_true(off(&f, "s.softmax", shares) < 1e-6);
    double loss;
    assert_true(piaa_heads_loss(f.heads, f.x, f.attributes, f.shares, ROWS, &loss, &error));
    const float narrow = (float)loss;
    assert_true(off(&f, "loss.total", &narrow) < 1e-5);
    fixture_close(&f);
}

/* A first step of Adam at rate h moves each weight by h against its gradient's sign, so that the
   gradients are read from its moments: m = 0.1 g. */
static void gradients_are_pytorchs(void **state) {
    (void)state;
    piaa_error error = {0};
    fixture f = fixture_open();
    float dx[ROWS * DIM], own[(ATTRIBUTES + BINS) * DIM];
    piaa_heads_training *t = piaa_heads_training_new(f.heads, &error);
    assert_true(
        piaa_heads_training_step(t, f.x, f.attributes, f.shares, ROWS, 0, dx, NULL, &error));
    assert_true(off(&f, "g.in.feat", dx) < 1e-5);
    const float *moments = piaa_heads_training_state(t, NULL)[0].data;
    for (size_t i = 0; i < PIAA_COUNT(own); i++) own[i] = 10 * moments[i];
    assert_true(off(&f, "g.attr_head.weight", own) < 1e-5);
    assert_true(off(&f, "g.dis_head.weight", own + ATTRIBUTES * DIM) < 1e-5);
    for (size_t i = 0; i < ATTRIBUTES + BINS; i++) own[i] = 10 * moments[PIAA_COUNT(own) + i];
    assert_true(off(&f, "g.attr_head.bias", own) < 1e-5);
    assert_true(off(&f, "g.dis_head.bias", own + ATTRIBUTES) < 1e-5);
    piaa_heads_training_free(t);
    fixture_close(&f);
}

static void follow(const char *rate_name, double rate) {
    piaa_error error = {0};
    fixture f = fixture_open();
    float losses[10];
    piaa_heads_training *t = piaa_heads_training_new(f.heads, &error);
    for (int step = 0; step < 10; step++) {
        const size_t first = (size_t)step * ROWS / 10, n = ROWS / 10;
        double loss;
        if (!piaa_heads_training_step(t, f.x + first * DIM, f.attributes + first * ATTRIBUTES,
                                      f.shares + first * BINS, (int64_t)n, rate, NULL, &loss,
                                      &error))
            fail_msg("%s", error.message);
        losses[step] = (float)loss;
    }
    char *name = piaa_format(NULL, "losses.%s", rate_name);
    assert_true(off(&f, name, losses) < 2e-5); /* of up to 12 */
    free(name);
    size_t count;
    const piaa_named *tensors = piaa_heads_tensors(f.heads, &count);
    for (size_t i = 0; i < count; i++) {
        name = piaa_format(NULL, "p.%s.%s", rate_name, tensors[i].name);
        const double here = off(&f, name, tensors[i].data);
        if (!(here < 1e-5)) fail_msg("%s: off by %.1e", name, here);
        free(name);
    }
    piaa_heads_training_free(t);
    fixture_close(&f);
}

static void ten_steps_are_pytorchs(void **state) {
    (void)state;
    follow("lr0.0001", 1e-4);
    follow("lr0.01", 1e-2);
}

static void what_is_not_finite_is_told(void **state) {
    (void)state;
    piaa_error error = {0};
    fixture f = fixture_open();
    float attributes[ROWS * ATTRIBUTES], shares[ROWS * BINS], before[ATTRIBUTES * DIM];
    piaa_heads_training *t = piaa_heads_training_new(f.heads, &error);
    const piaa_named *weights = piaa_heads_tensors(f.heads, NULL);
    double loss;
    assert_true(
        piaa_heads_training_step(t, f.x, f.attributes, f.shares, ROWS, 1e-3, NULL, NULL, &error));
    memcpy(before, weights[0].data, sizeof before);
    f.x[3 * DIM + 5] = NAN;
    assert_false(
        piaa_heads_training_step(t, f.x, f.attributes, f.shares, ROWS, 1e-3, NULL, NULL, &error));
    assert_non_null(strstr(error.message, "step 2 "));
    assert_memory_equal(before, weights[0].data, sizeof before);
    assert_false(piaa_heads_predict(f.heads, f.x, ROWS, attributes, shares, &error));
    assert_non_null(strstr(error.message, "photo 4"));
    assert_false(piaa_heads_loss(f.heads, f.x, f.attributes, f.shares, ROWS, &loss, &error));
    f.x[3 * DIM + 5] = 0;
    f.attributes[0] = INFINITY;
    assert_false(
        piaa_heads_training_step(t, f.x, f.attributes, f.shares, ROWS, 1e-3, NULL, NULL, &error));
    assert_false(piaa_heads_predict(f.heads, f.x, 0, attributes, shares, &error));
    assert_null(piaa_heads_new(0, 7, 9, 1, &error));
    piaa_heads_training_free(t);
    fixture_close(&f);
}

static void copies_and_seeds(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_heads *one = piaa_heads_new(400, 7, 9, 5, &error),
               *again = piaa_heads_new(400, 7, 9, 5, &error),
               *other = piaa_heads_new(400, 7, 9, 6, &error),
               *copy = piaa_heads_copy(other, &error);
    const piaa_named *a = piaa_heads_tensors(one, NULL), *b = piaa_heads_tensors(again, NULL),
                     *c = piaa_heads_tensors(other, NULL), *d = piaa_heads_tensors(copy, NULL);
    const size_t bytes = 400 * 7 * sizeof(float);
    assert_memory_equal(a[0].data, b[0].data, bytes);
    assert_true(memcmp(a[0].data, c[0].data, bytes) != 0);
    assert_memory_equal(c[0].data, d[0].data, bytes);
    assert_int_equal(piaa_heads_dim(copy), 400);
    float most = 0;
    for (size_t i = 0; i < 400 * 7; i++) most = fmaxf(most, fabsf(a[0].data[i]));
    assert_true(most <= 0.05F && most > 0.0495F); /* 1 / sqrt(400) */
    piaa_heads_free(one);
    piaa_heads_free(again);
    piaa_heads_free(other);
    piaa_heads_free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_predicted_is_pytorchs),
        cmocka_unit_test(gradients_are_pytorchs),
        cmocka_unit_test(ten_steps_are_pytorchs),
        cmocka_unit_test(what_is_not_finite_is_told),
        cmocka_unit_test(copies_and_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
