/*
 * The training of PIAA-ICI's priors (phases 1 and 2), on PARA:
 *
 *   phase 1   a front learns what everybody thinks of the training photos: two linear heads on
 *             frozen features of the model in hand, or a ResNet with them
 *   phase 2   two priors, with people's traits and without, learn other people's ratings from what
 *             the front says of their photos
 *
 * as many times as there are seeds, since runs differ by what is drawn.  A training that was ended
 * goes on from its last whole epoch, and one that is finished takes further seeds.
 *
 *     piaa_ici_training t = {0};
 *     ok = piaa_ici_training_begin(&t, &study, model, &options, folder, &error) && // refusals
 *          piaa_reader_open_store(study.reader, …) &&  // where the front reads features
 *          piaa_ici_training_run(&t, &error); // the work
 *     piaa_ici_training_free(&t);
 *
 * Beside what study/ici_model.h lists, a folder in the making holds
 *
 *     training/key                      what decided about it
 *     training/seed-N-STAGE.safetensors the state of a stage (study/ici_stage.h)
 */
#ifndef PIAA_STUDY_ICI_TRAIN_H
#define PIAA_STUDY_ICI_TRAIN_H

#include "data/prior_split.h"
#include "study/ici_front.h"
#include "study/study.h"

enum { PIAA_ICI_PRIORS = 3, PIAA_ICI_SIDE = 224 };

/* Its strings are the caller's, and outlive the training.  A 0 is the default: of the published
   code, or of a front that it does not have. */
typedef struct piaa_ici_options {
    piaa_protocol_options protocol; /* who is evaluated */
    bool share_photos;              /* data/prior_split.h */
    piaa_ici_front front;
    const char *pool, *layer; /* that features are read at, as in a request */
    const char *backbone;     /* weights that a ResNet begins with */
    const char *phase1;       /* a front that is trained already, by the published names */
    int side;                 /* of the photos that a ResNet reads */
    piaa_ici_settings settings;
    int priors; /* how many, with the seeds 0, 1, … */
} piaa_ici_options;

typedef struct piaa_ici_training {
    piaa_study *study;
    const piaa_ici_options *options;
    const char *folder;
    piaa_protocol *protocol;
    piaa_prior_split *split;
    piaa_opinions *opinions;
    piaa_traits *traits;
    piaa_ici_model *model;   /* in the making, and at last made; without weights */
    piaa_ici_model *before;  /* finished earlier, with fewer seeds or as many; NULL */
    piaa_source source;      /* of features */
    bool *wanted;            /* [images] of the data set: trained on */
    int *categories;         /* [split->user_count][5] */
    float *numbers;          /* the same */
    size_t photos_left_out;  /* of those fitted and held: without features, or without opinions */
    size_t ratings_left_out; /* whose photo has no hats */
    piaa_traits_loss loss;
} piaa_ici_training;

/* Draws who is evaluated and what is trained on, and makes the study's reader where features are
   read (study->reader is NULL where photos are).  The folder is not made yet. */
bool piaa_ici_training_begin(piaa_ici_training *t, piaa_study *study, piaa_model *model,
                             const piaa_ici_options *options, const char *folder,
                             piaa_error *error) PIAA_MUST_USE;
bool piaa_ici_training_run(piaa_ici_training *t, piaa_error *error) PIAA_MUST_USE;
void piaa_ici_training_free(piaa_ici_training *t);

#endif
