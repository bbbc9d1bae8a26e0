/* Linear-Hidden on several layers' columns with more that is known: Banded, each layer's weigh what
   leave-one-out gives them; Linear-Prior, beforehand what other people's ratings say. */
#include "base/memory.h"
#include "study/learner.h"
#include "study/method.h"
#include "study/prior.h"

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

static bool learn_by(piaa_lesson *l, const piaa_learner *learner, const piaa_bands_prior *prior,
                     piaa_predictions *out, piaa_error *error) {
    piaa_band bands[PIAA_SOURCE_PARTS];
    piaa_source_bands(l->source, l->rows, bands);
    piaa_bands *made = piaa_bands_new(bands, l->source->parts, l->n, error);
    const piaa_known known = {.bands = made, .y = l->scores, .brief = true};
    piaa_bands_model *model = NULL;
    if (made && (!prior || piaa_bands_add_prior(made, prior, error)))
        model = learner->learn(&known, error);
    if (model) predict(l, model, out);
    piaa_bands_model_free(model);
    piaa_bands_free(made);
    return model;
}

static bool learn_banded(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    if (l->n < 2) return piaa_method_linear_hidden.learn(l, out, error);
    return learn_by(l, &piaa_learner_banded, NULL, out, error);
}

static bool learn_prior(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    if (l->n < 2) return piaa_method_linear_hidden.learn(l, out, error);
    const piaa_people_prior *people = l->prior;
    double *told =
        piaa_alloc_array((1 + (size_t)people->rank) * (size_t)people->dim, sizeof *told, error);
    if (!told) return false;
    const piaa_bands_prior prior = piaa_prior_bands_of(people, l->prior_unit, told);
    const bool ok = learn_by(l, &piaa_learner_ridge, &prior, out, error);
    free(told);
    return ok;
}

const piaa_method piaa_method_banded = {.name = "banded",
                                        .published = "banded_linear",
                                        .needs = PIAA_NEEDS_FEATURES,
                                        .learn = learn_banded};

const piaa_method piaa_method_linear_prior = {.name = "linear-prior",
                                              .published = "prior_linear",
                                              .needs = PIAA_NEEDS_FEATURES | PIAA_NEEDS_OTHERS,
                                              .learn = learn_prior};
