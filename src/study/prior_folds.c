/* Priors from everybody but a few, side by side. */
#include "study/prior_folds.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <stdlib.h>

typedef struct folding {
    piaa_prior_folds *folds;
    const piaa_dataset *set;
    const piaa_protocol *protocol;
    const piaa_source *sources;
    int directions;
} folding;

static bool learn_with(const folding *f, size_t job, bool *users, bool *images, piaa_error *error) {
    const size_t fold = job % f->folds->folds;
    for (size_t u = fold; u < f->protocol->count; u += f->folds->folds) {
        const piaa_protocol_user *who = &f->protocol->users[u];
        users[who->user] = true;
        for (size_t k = 0; k < f->protocol->options.test; k++)
            images[f->set->ratings[who->test[k]].image] = true;
    }
    const piaa_prior_options options = {
        .without_users = users, .without_images = images, .directions = f->directions};
    return (f->folds->priors[job] = piaa_prior_learn_people(
                f->set, &f->sources[job / f->folds->folds], &options, error));
}

static bool learn(void *user, size_t job, piaa_error *error) {
    const folding *f = user;
    bool *users = piaa_alloc(f->set->user_count, sizeof *users, error),
         *images = piaa_alloc(f->set->image_count, sizeof *images, error);
    const bool ok = users && images && learn_with(f, job, users, images, error);
    free(users);
    free(images);
    return ok;
}

bool piaa_prior_folds_learn(piaa_prior_folds *out, const piaa_dataset *set,
                            const piaa_protocol *protocol, const piaa_source *sources,
                            size_t source_count, int directions, int threads,
                            const piaa_hooks *hooks, piaa_error *error) {
    const size_t people = protocol->count;
    *out = (piaa_prior_folds){.sources = source_count,
                              .folds =
                                  people < PIAA_PRIOR_FOLDS_MOST ? people : PIAA_PRIOR_FOLDS_MOST};
    const size_t jobs = out->sources * out->folds;
    folding f = {out, set, protocol, sources, directions};
    return (out->priors = piaa_alloc(jobs, sizeof(piaa_people_prior *), error)) &&
           piaa_parallel_run(jobs, piaa_blas_callers(threads), learn, &f,
                             "learning from other people", hooks, error);
}

void piaa_prior_folds_free(piaa_prior_folds *folds) {
    for (size_t i = 0; folds->priors && i < folds->sources * folds->folds; i++)
        piaa_people_prior_free(folds->priors[i]);
    free(folds->priors);
    *folds = (piaa_prior_folds){0};
}

const piaa_people_prior *piaa_prior_folds_of(const piaa_prior_folds *folds, size_t source,
                                             size_t person) {
    return folds->priors[source * folds->folds + person % folds->folds];
}
