/* What the prior of PIAA-ICI is trained on: the ratings that are left of a data set when the people
 * of a protocol, and all photos that they are given, are taken out; and which of the photos the
 * generic model holds back.  The same as the published builder's (scripts/data/build_ici_splits.py
 * of ynklab/vlm-latent-piaa), to the last image. */
#ifndef PIAA_DATA_PRIOR_SPLIT_H
#define PIAA_DATA_PRIOR_SPLIT_H

#include "data/protocol.h"

typedef struct piaa_prior_rating {
    size_t user;  /* a place in piaa_prior_split.users */
    size_t image; /* of the data set */
    double score;
} piaa_prior_rating;

typedef struct piaa_prior_split {
    /* In file order, repeated ratings among them, and those that lack one of PARA's other scores
       (dataset.partial). */
    piaa_prior_rating *ratings;
    size_t rating_count;
    size_t *users; /* of the data set, sorted as strings; user_names knows all their names */
    size_t user_count;
    size_t *images; /* of the data set, those that are rated above, sorted by name */
    size_t image_count;
    /* Of these, those that the lists of mean scores hold, in their order: what the generic model is
       fitted to, and what it is validated on, a tenth and at least one. */
    size_t *fitted, *held;
    size_t fitted_count, held_count;
    /* Images trained on that somebody is given in place of one that the published code draws twice
       (piaa_protocol_user.published). */
    size_t stand_ins;
} piaa_prior_split;

/*
 * share_photos: photos of the protocol's people are trained on too, as other people rate them: for
 * small data, where nothing would be left.  The generic model then knows what everybody thinks of
 * the photos that it is tested on.  The data set has to live longer than the split.
 *
 * PIAA_MISMATCH where nobody, no photo, or too few listed photos to hold one back are left to train
 * on; the error says what to do.
 * `stand_ins` are told to hooks->warn.
 */
piaa_prior_split *piaa_prior_split_make(const piaa_dataset *set, const piaa_protocol *protocol,
                                        bool share_photos, const piaa_hooks *hooks,
                                        piaa_error *error) PIAA_MUST_USE;
void piaa_prior_split_free(piaa_prior_split *split);

#endif
