/* Linear-Hidden, the person's scores from pooled vectors, and the GIAA target, the mean scores of
   the same support images, tested on the person's own. */
#include "base/memory.h"
#include "study/method.h"

#include <math.h>
#include <stdlib.h>

static bool predict(const piaa_lesson *l, piaa_ridge *model, piaa_predictions *out) {
    if (!model) return false;
    out->alpha = model->alphas[0];
    piaa_lesson_predict(l, model, out);
    piaa_ridge_free(model);
    return true;
}

static bool learn_scores(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    if (!l->n) return true;
    piaa_ridge_design *design = piaa_lesson_design(l, error);
    return design && predict(l, piaa_ridge_fit(design, l->scores, 1, NULL, error), out);
}

/* The support images that have a mean score: mostly all of them, and then the factorisation is the
   one that the person's own scores are learned with. */
static piaa_ridge *learn_means(piaa_lesson *l, int64_t *rows, double *y, piaa_predictions *out,
                               piaa_error *error) {
    int64_t n = 0;
    for (int64_t i = 0; i < l->n; i++) {
        double mean = l->set->images[l->images[i]].general;
        if (!isfinite(mean)) continue;
        rows[n] = l->rows[i];
        y[n++] = mean;
    }
    out->support = (size_t)n;
    if (!n) return NULL;
    if (n < l->n) return piaa_lesson_fit(l->source->x, rows, n, l->source->dim, y, error);
    piaa_ridge_design *design = piaa_lesson_design(l, error);
    return design ? piaa_ridge_fit(design, y, 1, NULL, error) : NULL;
}

static bool learn_general(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    int64_t *rows = piaa_alloc_array((size_t)l->n, sizeof *rows, error);
    double *y = piaa_alloc_array((size_t)l->n, sizeof *y, error);
    const bool ok =
        rows && y && (predict(l, learn_means(l, rows, y, out, error), out) || !out->support);
    free(rows);
    free(y);
    return ok;
}

const piaa_method piaa_method_linear_hidden = {.name = "linear-hidden",
                                               .published = "direct_linear",
                                               .needs = PIAA_NEEDS_FEATURES,
                                               .learn = learn_scores};

const piaa_method piaa_method_giaa_target = {.name = "giaa-target",
                                             .published = "direct_linear_giaa_gt",
                                             .needs = PIAA_NEEDS_FEATURES,
                                             .learn = learn_general};
