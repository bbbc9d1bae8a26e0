/* The attribute graph and the heads while memory is short: each allocation fails once, and what
   comes out is then an error or the same as without; a step that failed can be made again. */
#include "faults.h"

#include "support.h"

#include "base/blas.h"
#include "train/attribute_graph.h"
#include "train/attribute_heads.h"

static const float attributes[] = {1, 2, 3, 4, 5, 1}, shares[] = {0.5F, 0.5F, 0.25F, 0.75F, 0, 1},
                   scores[] = {3, 4, 1, 2}, numbers[10] = {1, 2, 3},
                   features[] = {1, -1, 0, 2, 3, 1};
static const int64_t photo[] = {0, 1, 2, 0}, user[] = {1, 0, 1, 1};
static const int categories[10] = {0};

/* Two steps, the second on more rows and people than the first has room for. */
static bool train(piaa_graph *graph, double *out, piaa_error *error) {
    piaa_graph_rows rows = {1, attributes, shares, photo, user, categories, numbers, scores};
    piaa_graph_training *t = piaa_graph_training_new(graph, PIAA_TUNE_ALL, 1, error);
    bool ok = t && piaa_graph_training_step(t, &rows, 0.01, NULL, error);
    rows.count = 4;
    piaa_error own = {0};
    if (ok && !piaa_graph_training_step(t, &rows, 0.01, NULL, &own)) {
        assert_int_equal(own.code, PIAA_MEMORY);
        assert_non_null(strstr(own.message, "step 2 "));
        ok = piaa_graph_training_step(t, &rows, 0.01, NULL, error);
    }
    piaa_graph_training_free(t);
    return ok && piaa_graph_predict(graph, &rows, 1, out, error);
}

static bool use_graph(double *out, piaa_error *error) {
    const piaa_graph_shape shape = {.attributes = 2,
                                    .bins = 2,
                                    .width = 2,
                                    .hidden = 3,
                                    .users = 2,
                                    .full = true,
                                    .words = {1, 1, 1, 1, 1}};
    piaa_graph *prior = piaa_graph_new(&shape, 1, error),
               *graph = prior ? piaa_graph_for_people(prior, 2, 1, error) : NULL;
    const bool ok = graph && train(graph, out, error);
    piaa_graph_free(prior);
    piaa_graph_free(graph);
    return ok;
}

static bool use_heads(double *out, piaa_error *error) {
    piaa_heads *first = piaa_heads_new(2, 2, 2, 1, error),
               *heads = first ? piaa_heads_copy(first, error) : NULL;
    piaa_heads_training *t = heads ? piaa_heads_training_new(heads, error) : NULL;
    float a[6], p[6];
    const bool ok =
        t &&
        piaa_heads_training_step(t, features, attributes, shares, 3, 0.01, NULL, NULL, error) &&
        piaa_heads_predict(heads, features, 3, a, p, error) &&
        piaa_heads_loss(heads, features, attributes, shares, 3, &out[1], error);
    if (ok) out[0] = (double)a[5];
    piaa_heads_training_free(t);
    piaa_heads_free(first);
    piaa_heads_free(heads);
    return ok;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    bool (*const uses[])(double *, piaa_error *) = {use_graph, use_heads};
    piaa_blas_hold();
    for (size_t i = 0; i < PIAA_COUNT(uses); i++) {
        piaa_error error = {0};
        double whole[4] = {0}, got[4];
        if (!uses[i](whole, &error)) fail_msg("%s", error.message);
        bool met = true;
        for (long after = 0; met; after++) {
            memset(got, 0, sizeof got);
            error = (piaa_error){0};
            faults_arm(FAULT_MEMORY, after, ENOMEM, false);
            const bool ok = uses[i](got, &error);
            met = faults_disarm();
            if (ok)
                assert_memory_equal(whole, got, sizeof whole);
            else
                assert_int_equal(error.code, PIAA_MEMORY);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
