/*
 * An evaluation: the personal protocol on a data set, from the draw of people to the comparison of
 * methods.
 *
 *     piaa_evaluation e = {0};
 *     ok = piaa_evaluation_begin(&e, &study, model, &options, error) && // what can be refused
 *          piaa_reader_open_store(study.reader, …) &&
 *          piaa_evaluation_run(&e, error); // the work
 *     piaa_evaluation_free(&e);
 */
#ifndef PIAA_STUDY_EVALUATION_H
#define PIAA_STUDY_EVALUATION_H

#include "study/personal.h"
#include "study/study.h"

/* Its strings and lists are the caller's, and outlive the evaluation. */
typedef struct piaa_evaluation_options {
    piaa_protocol_options protocol;
    /* Methods, supports, groups and seed; model, reader, projections and threads are filled in. */
    piaa_personal_options personal;
    const char *pools, *layers; /* as in a request; NULL: the usual ones, or what is joined alone */
    const char *const *joined;  /* [joined_count] features side by side, as in a request */
    size_t joined_count;
    const char *baseline;       /* "METHOD", "METHOD@SOURCE"; NULL: nothing is compared */
    const char *projection;     /* a file, for methods that need attributes; or */
    const char *attributes;     /* the data set that they are learned from */
    const char *raw_text;       /* a table, for methods that need the model's answers; NULL: it is
                                   asked, and the answers are kept */
    const char *ici;            /* a trained PIAA-ICI, for methods that begin with a prior */
    piaa_graph_scope ici_scope; /* what of it is tuned */
    /* For methods that need what other people's ratings say: "learn", from everybody else inside
       the evaluation, or a file of piaa prior. */
    const char *prior;
    int directions;     /* of what is learned, as in piaa_prior_options */
    const char *folder; /* here: raw_text.csv, thoughts.csv of those that think, and
                           lessons.csv of those that need the model for each person */
} piaa_evaluation_options;

typedef struct piaa_evaluation {
    piaa_study *study;
    const piaa_evaluation_options *options;
    piaa_protocol *protocol;
    piaa_slots single;
    piaa_slots *joined;   /* [joined_count] */
    piaa_source *sources; /* [source_count] the single slots', then the joined ones' */
    size_t source_count;
    piaa_projection **projections; /* [source_count]; NULL: no method needs them */
    bool *wanted;                  /* [images] of the data set that some split has */
    piaa_ici_model *ici_model;     /* NULL: no method begins with a prior */
    piaa_ici *ici;                 /* of its people */
    piaa_raw_texts raw, thoughts;  /* empty: no method needs them */
    piaa_dialogue *dialogue;       /* NULL: no method talked to the model */
    piaa_journal *journal;         /* NULL: none needs the model */
    piaa_prior_folds folds;        /* empty: no method needs them, or there is */
    piaa_prior *prior;
    bool *seen; /* [people of the protocol] by `prior`; NULL without it */
    /* [people of the protocol] Spearman of their test scores with the mean of everybody else's on
       the same images; NaN where it is undefined. */
    double *agreement;
    piaa_personal *personal;
    piaa_comparison *comparisons; /* [personal->count] of Spearman; NULL: no baseline.  Of a
                                     learning curve: with as many random ratings */
} piaa_evaluation;

/* Whether one of the methods needs this. */
bool piaa_evaluation_needs(const piaa_evaluation_options *options, piaa_needs what);

/* Draws people and splits, and makes the study's reader for what the methods read. */
bool piaa_evaluation_begin(piaa_evaluation *e, piaa_study *study, piaa_model *model,
                           const piaa_evaluation_options *options, piaa_error *error) PIAA_MUST_USE;
/* Embeds the images that are needed, runs every method and compares. */
bool piaa_evaluation_run(piaa_evaluation *e, piaa_error *error) PIAA_MUST_USE;
void piaa_evaluation_free(piaa_evaluation *e);

#endif
