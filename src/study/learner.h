/*
 * Where a taste is learned: from what is known of a person to a linear model.
 *
 * Whatever learns a taste (rank, fit, the study's methods) makes a piaa_known and asks a learner;
 * what other people's ratings say is part of the bands (piaa_bands_add_prior).
 */
#ifndef PIAA_STUDY_LEARNER_H
#define PIAA_STUDY_LEARNER_H

#include "linear/bands.h"

/* What is known of a person.  Everything belongs to the caller. */
typedef struct piaa_known {
    piaa_bands *bands;    /* of the n rated photos, with a prior or without */
    const double *y;      /* [n] their scores */
    const int64_t *group; /* [n] near copies, as in piaa_leave_out; NULL: none */
    bool brief;           /* what chance would do is not asked */
} piaa_known;

typedef struct piaa_learner {
    const char *name;  /* "ridge" */
    const char *about; /* "all columns alike" */
    piaa_bands_model *(*learn)(const piaa_known *known, piaa_error *error);
} piaa_learner;

/* All of them, the usual one first, and NULL. */
extern const piaa_learner *const piaa_learners[];
extern const piaa_learner piaa_learner_ridge, piaa_learner_banded;

/* NULL: the usual one.  PIAA_USAGE where there is none of this name. */
const piaa_learner *piaa_learner_find(const char *name, piaa_error *error);

/* The model of rated photos in these blocks.  prior may be NULL, and so may group. */
piaa_bands_model *piaa_learner_learn(const piaa_learner *learner, const piaa_band *blocks,
                                     int count, int64_t n, const piaa_bands_prior *prior,
                                     const double *y, const int64_t *group,
                                     piaa_error *error) PIAA_MUST_USE;

#endif
