/* The priors of an evaluation, learned inside it: for each person one that has seen neither them
   nor any of their test images. */
#ifndef PIAA_STUDY_PRIOR_FOLDS_H
#define PIAA_STUDY_PRIOR_FOLDS_H

#include "data/protocol.h"
#include "study/prior.h"

/* So many priors at most for each source: with more people, these are left out in groups. */
enum { PIAA_PRIOR_FOLDS_MOST = 40 };

typedef struct piaa_prior_folds {
    size_t sources, folds;
    piaa_people_prior **priors; /* [sources][folds] */
} piaa_prior_folds;

/*
 * Person u of the protocol is in fold u modulo their number.  A fold's prior is learned from all
 * ratings of the data set but those of its people and those of any image that one of them is tested
 * on: others who rated that image, and people whom the protocol has not, are learned from
 * otherwise.  directions as in piaa_prior_options.  On `threads` threads, a prior each.  hooks may
 * be NULL.  Fails as piaa_people_prior_learn does.
 */
bool piaa_prior_folds_learn(piaa_prior_folds *out, const piaa_dataset *set,
                            const piaa_protocol *protocol, const piaa_source *sources,
                            size_t source_count, int directions, int threads,
                            const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
void piaa_prior_folds_free(piaa_prior_folds *folds);

const piaa_people_prior *piaa_prior_folds_of(const piaa_prior_folds *folds, size_t source,
                                             size_t person);

#endif
