/*
 * Methods of the personal protocol: ways to predict a person's scores from a few of their ratings.
 *
 * A method is a file in src/study, a description there, and a line in the table of method.c.  It is
 * given one lesson at a time (a person, the images that are learned from and those that are
 * predicted) and keeps nothing from one to the next, so that lessons can be done in any order, on
 * several threads, and again.
 */
#ifndef PIAA_STUDY_METHOD_H
#define PIAA_STUDY_METHOD_H

#include "data/protocol.h"
#include "features/dialogue.h"
#include "features/reader.h"
#include "linear/people_prior.h"
#include "linear/ridge.h"
#include "study/ici.h"
#include "study/outcome.h"
#include "study/projection.h"
#include "study/raw_text.h"
#include "study/source.h"

/* What a method cannot do without. */
typedef enum piaa_needs {
    PIAA_NEEDS_FEATURES = 1,   /* pooled vectors: it is run once for each source */
    PIAA_NEEDS_PROJECTION = 2, /* attributes of these */
    PIAA_NEEDS_LABEL = 4,      /* a label of the images */
    PIAA_NEEDS_MODEL = 8,      /* the model itself: its lessons are done one after the other, on the
                                  thread that asked */
    PIAA_NEEDS_RAW_TEXT = 16,  /* what the model answered about each image, read before */
    PIAA_NEEDS_THOUGHTS = 32,  /* the same where it was asked to think first */
    PIAA_NEEDS_PRIOR = 64,     /* a prior of PIAA-ICI: it is repeated with each that there is */
    PIAA_NEEDS_OTHERS = 128,   /* what other people's ratings say beforehand */
} piaa_needs;

/* One person's ratings, and what there is to learn with.  Everything belongs to the caller. */
typedef struct piaa_lesson {
    const piaa_dataset *set;
    size_t user;   /* of the data set */
    size_t person; /* of the protocol */
    bool large;    /* which support */
    size_t repeat; /* of methods that are repeated */

    /* The support: n images of the data set, with the person's scores, and of methods with features
       those alone that have a vector. */
    const size_t *images;
    const double *scores;
    int64_t n;
    const size_t *test; /* [tests] images to predict, with a vector or without */
    size_t tests;

    const piaa_source *source;         /* NULL where it is not needed; so are the next seven */
    const int64_t *rows;               /* [n] of the support in source->x */
    const piaa_projection *projection; /* of this source */
    const piaa_people_prior *prior;    /* of this source, which has not seen the person's test */
    double prior_unit;                 /* how many of the person's scores are one of the prior's */
    piaa_reader *reader;
    piaa_dialogue **dialogue;      /* for piaa_lesson_dialogue */
    const piaa_protocol *protocol; /* whom the lesson is one of */
    const char *folder;            /* where adapters are kept */
    bool *trained;                 /* whether everybody's adapter is, with this support */
    const piaa_raw_texts *raw, *thoughts;
    const piaa_ici *ici;
    size_t label; /* of the data set */

    uint32_t seed;
    const piaa_hooks *hooks; /* of methods that need the model; may be NULL */

    /* For piaa_lesson_design. */
    piaa_ridge_design *design;
} piaa_lesson;

/* What a method makes of a lesson.  As it is given: no predictions, and as much learned from as
   there was. */
typedef struct piaa_predictions {
    double *scores; /* [tests] of the lesson; NaN: none, which is counted */
    size_t support; /* images learned from */
    double alpha;   /* NaN where there is none, or more than one */
    piaa_answers answers;
    int64_t bytes; /* that is kept for the person; 0: not told */
} piaa_predictions;

/* Whose account of a method is followed, where the published code and the paper differ. */
typedef enum piaa_way {
    PIAA_AS_BOTH,
    PIAA_AS_PUBLISHED,
    PIAA_AS_DESCRIBED,
    PIAA_AS_NEITHER, /* of our own */
} piaa_way;

typedef struct piaa_method {
    const char *name; /* "linear-hidden" */
    piaa_way way;
    const char *published; /* before the source in the CSV's method column: "direct_linear" */
    bool says_support;     /* and then which support: "vlm_fewshot_small" */
    /* What stands in that column instead, the caller's; NULL: the two above. */
    char *(*title)(const piaa_ici *ici, bool large, piaa_error *error);
    unsigned needs; /* of piaa_needs */
    bool (*learn)(piaa_lesson *lesson, piaa_predictions *out, piaa_error *error);
} piaa_method;

extern const piaa_method piaa_method_linear_hidden, piaa_method_banded, piaa_method_linear_prior,
    piaa_method_giaa_target, piaa_method_reduce, piaa_method_style_out, piaa_method_raw_text,
    piaa_method_raw_text_corrected, piaa_method_expected_score, piaa_method_few_shot,
    piaa_method_cot, piaa_method_lora, piaa_method_lora_expected, piaa_method_lora_fixed,
    piaa_method_lora_published, piaa_method_token_class, piaa_method_token_class_published,
    piaa_method_cot_lora, piaa_method_cot_lora_published, piaa_method_residual_linear,
    piaa_method_residual_giaa, piaa_method_residual_mlp, piaa_method_ici, piaa_method_ici_reduced,
    piaa_method_ici_chosen;

/* All of them, in the order in which results are listed, and NULL. */
extern const piaa_method *const piaa_methods[];

/* NULL if there is none of this name. */
const piaa_method *piaa_method_find(const char *name);
/* "linear-hidden, giaa-target, reduce and style-out", for messages; freed by the caller. */
char *piaa_method_names(piaa_error *error) PIAA_MUST_USE;

/* ------------------------------------------------------------------------------ what they share */

/* The factorisation of the support's vectors, made once a lesson and owned by it; n is not 0. */
piaa_ridge_design *piaa_lesson_design(piaa_lesson *lesson, piaa_error *error);
/* One target y [n] from these rows of x [*, dim]. */
piaa_ridge *piaa_lesson_fit(const float *x, const int64_t *rows, int64_t n, int dim,
                            const double *y, piaa_error *error) PIAA_MUST_USE;
/* Puts what the model says of every test image that has a vector. */
void piaa_lesson_predict(const piaa_lesson *lesson, const piaa_ridge *model, piaa_predictions *out);
/* The conversation with the reader's model that all lessons share, begun when it is asked for. */
piaa_dialogue *piaa_lesson_dialogue(const piaa_lesson *lesson, piaa_error *error);
/* Asks about every test image that is there, which becomes parts[photo] of one turn of `count`
 * parts in its turn; answers are read by the question's rule, or are the scores expected, and
 * counted. */
bool piaa_lesson_ask(const piaa_lesson *lesson, piaa_dialogue *dialogue, piaa_dialogue_part *parts,
                     size_t count, size_t photo, const piaa_question *question, bool expected,
                     piaa_predictions *out, piaa_error *error) PIAA_MUST_USE;
/* The vector of an image that has one. */
const float *piaa_lesson_vector(const piaa_lesson *lesson, size_t image);

#endif
