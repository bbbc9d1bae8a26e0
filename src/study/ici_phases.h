/* The phases that ici_train.c goes through for each seed. */
#ifndef PIAA_STUDY_ICI_PHASES_H
#define PIAA_STUDY_ICI_PHASES_H

#include "study/ici_train.h"

/* Phase 1 of a prior, by its place in t->model->priors: the front is written, and says what it
   makes of all training photos; hats are the caller's, {0}, and to be freed after a failure too. */
bool piaa_ici_learn_front(piaa_ici_training *t, size_t prior, piaa_ici_hats *hats,
                          piaa_error *error) PIAA_MUST_USE;
/* Phase 2, from these hats: with traits, or without. */
bool piaa_ici_learn_prior(piaa_ici_training *t, size_t prior, const piaa_ici_hats *hats, bool full,
                          piaa_error *error) PIAA_MUST_USE;

#endif
