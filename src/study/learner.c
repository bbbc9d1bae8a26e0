/*
 * The learners differ in what they let be chosen by the errors of groups of photos left out
 * (linear/bands.h): alpha always; with a prior, how far it is trusted; `banded`, also which blocks
 * weigh more.
 *
 * A prior whose own alpha is known stands first as it is: its mean as a whole, its directions, its
 * alpha, or half an order of magnitude to either side.  Half of the mean, or none, and no prior at
 * all, with the alphas of a plain ridge, have to be better by half a standard error of the errors'
 * difference: of ten ratings a choice among many is mostly chance, and most people are like others;
 * what does not fit is still left (docs/learning.md has what it costs).
 *
 * The weights that `banded` tries: all alike; one block ten times the others, or a tenth of them;
 * one block alone.  What is alike stands first, and stays where nothing is better.
 */
#include "study/learner.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { TOLD = 3 }; /* alphas */

static const double spreads[] = {1, 0}, leads[] = {1, 0.5, 0}, patience = 0.5;

/* What a prior leaves to choose; told [TOLD] is the caller's. */
static piaa_bands_options options_of(const piaa_known *known, double *told) {
    static const double near[TOLD] = {1, 0.31622776601683794, 3.1622776601683795};
    piaa_bands_options options = {.leaving = {.no_chance = known->brief}};
    if (!piaa_bands_offset(known->bands)) return options;
    const double alpha = piaa_bands_prior_alpha(known->bands);
    if (alpha > 0) {
        for (int k = 0; k < TOLD; k++) told[k] = alpha * near[k];
        options.told = told;
        options.told_count = TOLD;
        options.leaving.patience = patience;
    }
    options.spreads = spreads;
    options.spread_count = PIAA_COUNT(spreads);
    options.leads = leads;
    options.lead_count = PIAA_COUNT(leads);
    return options;
}

static piaa_bands_model *learn_ridge(const piaa_known *known, piaa_error *error) {
    double told[TOLD];
    const piaa_bands_options options = options_of(known, told);
    return piaa_bands_fit(known->bands, known->y, known->group, &options, error);
}

static void fill(double *out, size_t blocks, size_t one, double its, double others) {
    for (size_t k = 0; k < blocks; k++) out[k] = k == one ? its : others;
}

static piaa_bands_model *learn_banded(const piaa_known *known, piaa_error *error) {
    const size_t blocks = (size_t)piaa_bands_count(known->bands);
    if (blocks == 1) return learn_ridge(known, error);
    double *weights = piaa_alloc_array((1 + 3 * blocks) * blocks, sizeof *weights, error);
    if (!weights) return NULL;
    fill(weights, blocks, 0, 1, 1);
    for (size_t k = 0; k < blocks; k++) {
        double *own = weights + (1 + 3 * k) * blocks;
        fill(own, blocks, k, 1, 0.1);
        fill(own + blocks, blocks, k, 0.1, 1);
        fill(own + 2 * blocks, blocks, k, 1, 0);
    }
    double told[TOLD];
    piaa_bands_options options = options_of(known, told);
    options.weights = weights;
    options.weight_count = (int)(1 + 3 * blocks);
    piaa_bands_model *model = piaa_bands_fit(known->bands, known->y, known->group, &options, error);
    free(weights);
    return model;
}

const piaa_learner piaa_learner_ridge = {"ridge", "all columns alike", learn_ridge};
const piaa_learner piaa_learner_banded = {"banded", "each block with a weight of its own",
                                          learn_banded};

const piaa_learner *const piaa_learners[] = {&piaa_learner_ridge, &piaa_learner_banded, NULL};

const piaa_learner *piaa_learner_find(const char *name, piaa_error *error) {
    for (const piaa_learner *const *l = piaa_learners; *l; l++)
        if (!name || strcmp((*l)->name, name) == 0) return *l;
    piaa_error_set(error, PIAA_USAGE, "there is no learner \"%.80s\": there are ridge and banded",
                   name);
    return NULL;
}

piaa_bands_model *piaa_learner_learn(const piaa_learner *learner, const piaa_band *blocks,
                                     int count, int64_t n, const piaa_bands_prior *prior,
                                     const double *y, const int64_t *group, piaa_error *error) {
    piaa_bands *bands = piaa_bands_new(blocks, count, n, error);
    const piaa_known known = {.bands = bands, .y = y, .group = group};
    piaa_bands_model *model = NULL;
    if (bands && (!prior || piaa_bands_add_prior(bands, prior, error)))
        model = learner->learn(&known, error);
    piaa_bands_free(bands);
    return model;
}
