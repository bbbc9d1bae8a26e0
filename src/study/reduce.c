/* Reduce: the person's scores from the attributes that a projection predicts. */
#include "base/memory.h"
#include "study/method.h"

#include <stdlib.h>

/* As float32, like any features; `work` [attributes]. */
static void reduce(const piaa_projection *projection, const float *x, double *work, float *out) {
    piaa_projection_apply(projection, x, 1, work);
    for (int k = 0; k < projection->count; k++) out[k] = (float)work[k];
}

/* x [n][width] and one row more, work [width]. */
static bool learn_with(const piaa_lesson *l, float *x, double *work, piaa_predictions *out,
                       piaa_error *error) {
    const size_t width = (size_t)l->projection->count;
    for (int64_t i = 0; i < l->n; i++)
        reduce(l->projection, l->source->x + (size_t)l->rows[i] * (size_t)l->source->dim, work,
               x + (size_t)i * width);
    piaa_ridge *model = piaa_lesson_fit(x, NULL, l->n, (int)width, l->scores, error);
    if (!model) return false;
    float *one = x + (size_t)l->n * width;
    out->alpha = model->alphas[0];
    out->bytes = (int64_t)sizeof(double) * (model->dim + 1);
    for (size_t k = 0; k < l->tests; k++) {
        if (l->source->rows[l->test[k]] < 0) continue;
        reduce(l->projection, piaa_lesson_vector(l, l->test[k]), work, one);
        piaa_ridge_predict(model, one, 1, &out->scores[k]);
    }
    piaa_ridge_free(model);
    return true;
}

static bool learn(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    if (!l->n) return true;
    const size_t width = (size_t)l->projection->count;
    float *x = piaa_alloc_array((size_t)(l->n + 1) * width, sizeof *x, error);
    double *work = piaa_alloc_array(width, sizeof *work, error);
    const bool ok = x && work && learn_with(l, x, work, out, error);
    free(x);
    free(work);
    return ok;
}

const piaa_method piaa_method_reduce = {.name = "reduce",
                                        .published = "hidden_attr_linear",
                                        .needs = PIAA_NEEDS_FEATURES | PIAA_NEEDS_PROJECTION,
                                        .learn = learn};
