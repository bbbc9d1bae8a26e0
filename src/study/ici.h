/*
 * PIAA-ICI for the people of a protocol (phase 3): a trained prior, fine-tuned to one person's
 * ratings (Shi et al., Knowledge-Based Systems 294, 2024, as the paper's authors run it).
 *
 *   ici           the prior that knows people's traits where the data set has them (PARA), else the
 *                 one that does not; all weights tuned by Adam at 1e-5, 50 steps, each on all of
 *                 the support, as published
 *   ici-reduced   the same, always without traits
 *   ici+          as ici, with rate and number of steps chosen by ratings left out
 *
 * A photo is its hats alone, what the front says of it: seven attributes and the shares of nine
 * scores.  They are read once.
 */
#ifndef PIAA_STUDY_ICI_H
#define PIAA_STUDY_ICI_H

#include "data/protocol.h"
#include "study/ici_front.h"

/* Ready for a protocol's people. */
typedef struct piaa_ici {
    const piaa_ici_model *model;
    piaa_graph_scope scope;
    size_t people;       /* of the protocol */
    size_t *places;      /* [people] of each among their names in order */
    piaa_ici_hats *hats; /* [model->count]; empty until they are read */
    /* [people][5], in the order of `places`; NULL: the data set has no traits, or some are not to
       be used. */
    int *categories;
    float *numbers;
    piaa_traits_loss loss;
} piaa_ici;

/*
 * Refuses people whom the priors were trained on, and unless the model says that photos are shared,
 * photos of theirs: by the names of a data set of the same kind.  Another scale than the training's
 * is PIAA_MISMATCH too.
 */
bool piaa_ici_check(const piaa_ici_model *model, const piaa_dataset *set,
                    const piaa_protocol *protocol, piaa_error *error) PIAA_MUST_USE;

/* Reads traits where the set has them; hats are the caller's to fill in.  The model has to live
   longer. */
piaa_ici *piaa_ici_new(const piaa_ici_model *model, piaa_graph_scope scope, const piaa_dataset *set,
                       const piaa_protocol *protocol, const piaa_hooks *hooks,
                       piaa_error *error) PIAA_MUST_USE;
void piaa_ici_free(piaa_ici *ici);

size_t piaa_ici_repeats(const piaa_ici *ici);            /* priors */
const char *piaa_ici_scope_name(piaa_graph_scope scope); /* "all", "user-only", "user-plus-head" */

#endif
