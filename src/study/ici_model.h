/*
 * A trained PIAA-ICI in a folder: a front that says of a photo what everybody thinks of it, and
 * priors over people that phase 3 begins with.
 *
 *     ici.json                     how it was made (below); written last, so that a folder with one
 *                                  is complete
 *     seed-N/phase1.safetensors    the front of seed N, by the published names
 *     seed-N/full.safetensors      the prior that knows people's traits, the same
 *     seed-N/reduced.safetensors   the prior that knows nothing of them
 *     training/                    of a training that was not finished (study/ici_train.h)
 *
 * ici.json, beside what all learned files have (study/learned_file.h):
 *
 *     front         "features", "resnet50"
 *     mean, scale   [dim] of features in the training photos; of resnet50 none
 *     side          of the photos that a resnet50 reads
 *     key           hash of all that decided about the training but the number of seeds
 *     data          kind, scale_low, scale_high; people, images: whom and what it was trained on;
 *                   ratings, shared_photos, eval_people, protocol_seed
 *     vocabulary    of each trait its words
 *     settings      of the training, and the graph's departures
 *     seeds         [{seed, phase1, full, reduced}], each of these {train, validation, kept}: mean
 *                   losses of the epochs, and which epoch was kept
 */
#ifndef PIAA_STUDY_ICI_MODEL_H
#define PIAA_STUDY_ICI_MODEL_H

#include "data/opinions.h"
#include "data/traits.h"
#include "study/source.h"
#include "train/attribute_graph.h"
#include "train/attribute_heads.h"
#include "train/resnet.h"

enum { PIAA_ICI_ATTRIBUTES = PIAA_OPINION_ATTRIBUTES, PIAA_ICI_BINS = PIAA_OPINION_BINS };
/* Of the graph's nodes and hidden layers, as published. */
enum { PIAA_ICI_WIDTH = 64, PIAA_ICI_HIDDEN = 256 };

typedef enum piaa_ici_front { PIAA_ICI_FEATURES, PIAA_ICI_RESNET50 } piaa_ici_front;

typedef enum piaa_ici_stage { PIAA_ICI_PHASE1, PIAA_ICI_FULL, PIAA_ICI_REDUCED } piaa_ici_stage;
enum { PIAA_ICI_STAGES = PIAA_ICI_REDUCED + 1 };
extern const char *const piaa_ici_stage_names[PIAA_ICI_STAGES]; /* "phase1", "full", "reduced" */

/* Losses of the epochs that were trained. */
typedef struct piaa_ici_curve {
    double *train, *validation; /* [epochs]; NaN where nothing is validated */
    int epochs, kept;           /* which was kept, from 1; 0: none was trained */
} piaa_ici_curve;

typedef struct piaa_ici_settings {
    int epochs[PIAA_ICI_STAGES], batch[PIAA_ICI_STAGES];
    double rate[PIAA_ICI_STAGES];
    bool user_node, attribute_identity; /* the graph's departures from what was published */
} piaa_ici_settings;

/* One of several that differ in their seed alone. */
typedef struct piaa_ici_prior {
    int64_t seed;
    piaa_resnet *net; /* NULL: the front reads features */
    piaa_heads *heads;
    piaa_graph *full, *reduced;
    piaa_ici_curve curves[PIAA_ICI_STAGES];
} piaa_ici_prior;

typedef struct piaa_ici_model {
    char *folder;
    char made[32];
    piaa_ici_front front;
    piaa_identity identity; /* what made the features; its strings are the model's, never NULL */
    piaa_slot slot;
    double *mean, *scale; /* [slot.dim] of features */
    int side;             /* in pixels, of the photos that a ResNet reads */
    char *key;            /* hash of all that decided about the training */
    char *kind;           /* of the data set that it was trained on: "para" */
    double scale_low, scale_high;
    piaa_paths people, images;                   /* trained on, sorted by their bytes */
    int64_t ratings, eval_people, protocol_seed; /* eval_people 0: all */
    bool shared_photos;
    piaa_trait_vocabulary vocabulary;
    piaa_ici_settings settings;
    piaa_ici_prior *priors;
    size_t count; /* of priors */
} piaa_ici_model;

/* Empty, with a copy of the identity. */
piaa_ici_model *piaa_ici_model_new(const char *folder, const piaa_identity *identity,
                                   const piaa_slot *slot, piaa_error *error) PIAA_MUST_USE;
void piaa_ici_model_free(piaa_ici_model *model);

/* Room for `epochs` losses, NaN. */
bool piaa_ici_curve_make(piaa_ici_curve *curve, int epochs, piaa_error *error) PIAA_MUST_USE;

/* The graph that a prior of this model is; for traits: the full one. */
piaa_graph_shape piaa_ici_model_shape(const piaa_ici_model *model, bool full);

/* FOLDER/seed-N/full.safetensors, the caller's. */
char *piaa_ici_model_file(const char *folder, int64_t seed, piaa_ici_stage stage,
                          piaa_error *error) PIAA_MUST_USE;

/* Writes ici.json: the rest is there. */
bool piaa_ici_model_write(const piaa_ici_model *model, piaa_error *error) PIAA_MUST_USE;

/* Believes nothing: every key, type, length, number, tensor and shape is checked.  A training that
 * is not finished is PIAA_USAGE. */
piaa_ici_model *piaa_ici_model_open(const char *folder, piaa_error *error) PIAA_MUST_USE;
/* ici.json alone, without its priors' weights. */
piaa_ici_model *piaa_ici_model_describe(const char *folder, piaa_error *error) PIAA_MUST_USE;

/* Whether features of this identity and slot are what the front reads; the error names the first
   difference.  Always of a front that reads photos. */
bool piaa_ici_model_fits(const piaa_ici_model *model, const piaa_identity *identity,
                         const piaa_slot *slot, piaa_error *error) PIAA_MUST_USE;

#endif
