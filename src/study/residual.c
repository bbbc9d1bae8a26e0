/*
 * Residual predictors: what hidden states say of raw text's error, added to raw text.
 *
 *   residual-linear   ridge on the person's score less raw text
 *   residual-giaa     ridge on everybody's mean score less raw text; tested on the person's own
 *   residual-mlp      the small network (train/mlp.h) on the person's score less raw text, with the
 *                     features standardised by the support; drawn anew from the run's seed for
 * every lesson, so that nobody's predictions depend on who came before
 *
 * Support images without raw text, or whose raw text is no number, are left out (scikit-learn would
 * stop at the latter); a test image without has no prediction.
 */
#include "base/memory.h"
#include "study/method.h"
#include "train/mlp.h"

#include <math.h>
#include <stdlib.h>

/* The support that has what is needed. */
typedef struct errors {
    int64_t *rows; /* [n] of the source */
    double *off;   /* [n] target less raw text */
    int64_t n;
} errors;

static bool gather(const piaa_lesson *l, bool general, errors *e, piaa_predictions *out,
                   piaa_error *error) {
    if (!(e->rows = piaa_alloc_array((size_t)l->n, sizeof *e->rows, error)) ||
        !(e->off = piaa_alloc_array((size_t)l->n, sizeof *e->off, error)))
        return false;
    for (int64_t i = 0; i < l->n; i++) {
        const double target = general ? l->set->images[l->images[i]].general : l->scores[i],
                     off = target - l->raw->scores[l->images[i]];
        if (!isfinite(off)) continue;
        e->rows[e->n] = l->rows[i];
        e->off[e->n++] = off;
    }
    out->support = (size_t)e->n;
    piaa_raw_texts_count(l->raw, l->images, (size_t)l->n, &out->answers);
    piaa_raw_texts_count(l->raw, l->test, l->tests, &out->answers);
    return true;
}

static void errors_free(errors *e) {
    free(e->rows);
    free(e->off);
}

/* out's predictions are of the error. */
static void add_raw_text(const piaa_lesson *l, piaa_predictions *out) {
    for (size_t k = 0; k < l->tests; k++) out->scores[k] += l->raw->scores[l->test[k]];
}

/* ----------------------------------------------------------------------------------------- ridge
 */

static piaa_ridge *fit(piaa_lesson *l, const errors *e, piaa_error *error) {
    if (e->n < l->n)
        return piaa_lesson_fit(l->source->x, e->rows, e->n, l->source->dim, e->off, error);
    piaa_ridge_design *design = piaa_lesson_design(l, error);
    return design ? piaa_ridge_fit(design, e->off, 1, NULL, error) : NULL;
}

static bool predict(piaa_lesson *l, const errors *e, piaa_predictions *out, piaa_error *error) {
    if (!e->n) return true;
    piaa_ridge *model = fit(l, e, error);
    if (!model) return false;
    out->alpha = model->alphas[0];
    piaa_lesson_predict(l, model, out);
    add_raw_text(l, out);
    piaa_ridge_free(model);
    return true;
}

static bool learn_linear(piaa_lesson *l, bool general, piaa_predictions *out, piaa_error *error) {
    errors e = {0};
    const bool ok = gather(l, general, &e, out, error) && predict(l, &e, out, error);
    errors_free(&e);
    return ok;
}

static bool learn_own(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    return learn_linear(l, false, out, error);
}

static bool learn_general(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    return learn_linear(l, true, out, error);
}

/* --------------------------------------------------------------------------------------- network
 */

typedef struct networking {
    piaa_ridge_design *design; /* for its scaler */
    float *x, *y;              /* [n][dim] standardised, [n] */
    float *one;                /* [dim] */
    piaa_mlp_plan *plan;
    piaa_mlp *network;
} networking;

static void standardise(const networking *w, const float *x, int dim, float *out) {
    const double *mean = piaa_ridge_design_mean(w->design),
                 *scale = piaa_ridge_design_scale(w->design);
    for (int j = 0; j < dim; j++) out[j] = (float)(((double)x[j] - mean[j]) / scale[j]);
}

static bool train(networking *w, const piaa_lesson *l, const errors *e, piaa_error *error) {
    const int dim = l->source->dim;
    const size_t width = (size_t)dim, n = (size_t)e->n;
    if (!(w->design = piaa_ridge_design_new(l->source->x, e->rows, e->n, dim, error)) ||
        !(w->x = piaa_alloc_array(n * width, sizeof *w->x, error)) ||
        !(w->y = piaa_alloc_array(n, sizeof *w->y, error)) ||
        !(w->one = piaa_alloc_array(width, sizeof *w->one, error)) ||
        !(w->plan = piaa_mlp_plan_draw(n, dim, &piaa_mlp_published, l->seed, error)))
        return false;
    for (size_t i = 0; i < n; i++) {
        standardise(w, l->source->x + (size_t)e->rows[i] * width, dim, w->x + i * width);
        w->y[i] = (float)e->off[i];
    }
    w->network = piaa_mlp_train(w->x, w->y, n, dim, w->plan, &piaa_mlp_published, NULL, error);
    return w->network != NULL;
}

static bool apply(const networking *w, const piaa_lesson *l, piaa_predictions *out,
                  piaa_error *error) {
    for (size_t k = 0; k < l->tests; k++) {
        if (l->source->rows[l->test[k]] < 0) continue;
        standardise(w, piaa_lesson_vector(l, l->test[k]), l->source->dim, w->one);
        if (!piaa_mlp_predict(w->network, w->one, 1, &out->scores[k], error)) return false;
    }
    out->bytes = (int64_t)piaa_mlp_bytes(w->network) + 2 * (int64_t)sizeof(double) * l->source->dim;
    add_raw_text(l, out);
    return true;
}

static bool train_and_apply(const piaa_lesson *l, const errors *e, piaa_predictions *out,
                            piaa_error *error) {
    networking w = {0};
    if (!e->n) return true;
    const bool ok = train(&w, l, e, error) && apply(&w, l, out, error);
    piaa_ridge_design_free(w.design);
    free(w.x);
    free(w.y);
    free(w.one);
    piaa_mlp_plan_free(w.plan);
    piaa_mlp_free(w.network);
    return ok;
}

static bool learn_network(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    errors e = {0};
    const bool ok = gather(l, false, &e, out, error) && train_and_apply(l, &e, out, error);
    errors_free(&e);
    return ok;
}

const piaa_method piaa_method_residual_linear = {.name = "residual-linear",
                                                 .published = "residual_linear",
                                                 .needs = PIAA_NEEDS_FEATURES | PIAA_NEEDS_RAW_TEXT,
                                                 .learn = learn_own};

const piaa_method piaa_method_residual_giaa = {.name = "residual-giaa",
                                               .published = "residual_linear_giaa_gt",
                                               .needs = PIAA_NEEDS_FEATURES | PIAA_NEEDS_RAW_TEXT,
                                               .learn = learn_general};

const piaa_method piaa_method_residual_mlp = {.name = "residual-mlp",
                                              .published = "residual_mlp",
                                              .needs = PIAA_NEEDS_FEATURES | PIAA_NEEDS_RAW_TEXT,
                                              .learn = learn_network};
