/* Banded: as Linear-Hidden, but each layer's columns weigh what leave-one-out gives them. */
#include "base/memory.h"
#include "study/learner.h"
#include "study/method.h"

#include <stdlib.h>

static void predict(const piaa_lesson *l, const piaa_bands_model *model, piaa_predictions *out) {
    out->alpha = model->alpha;
    out->bytes = (int64_t)sizeof(double) * (model->dim + 1); /* weights and intercept */
    for (size_t k = 0; k < l->tests; k++)
        if (l->source->rows[l->test[k]] >= 0)
            out->scores[k] =
                model->intercept + piaa_ridge_dot(model->weights, model->mean,
                                                  piaa_lesson_vector(l, l->test[k]), model->dim);
}

static bool learn(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    piaa_band bands[PIAA_SOURCE_PARTS];
    if (l->n < 2) return piaa_method_linear_hidden.learn(l, out, error);
    piaa_source_bands(l->source, l->rows, bands);
    piaa_bands_model *model = piaa_learner_learn(&piaa_learner_banded, bands, l->source->parts,
                                                 l->n, NULL, l->scores, NULL, error);
    if (model) predict(l, model, out);
    piaa_bands_model_free(model);
    return model;
}

const piaa_method piaa_method_banded = {
    .name = "banded", .published = "banded_linear", .needs = PIAA_NEEDS_FEATURES, .learn = learn};
