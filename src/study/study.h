/* What the experiments have in common: a data set, the prompt, and a reader whose store holds
   features of the images that are needed. */
#ifndef PIAA_STUDY_STUDY_H
#define PIAA_STUDY_STUDY_H

#include "data/dataset.h"
#include "features/reader.h"
#include "study/projection.h"

/* Probing and personal experiments word two of the published prompts differently. */
typedef enum piaa_study_kind { PIAA_STUDY_PROBING, PIAA_STUDY_PERSONAL } piaa_study_kind;

/* An experiment at work. */
typedef struct piaa_study {
    const piaa_hooks *hooks; /* the caller's; may be NULL */
    piaa_request request;    /* how images are read; its strings are the caller's */
    const char *spec;        /* of the data set, as given */
    piaa_dataset *set;
    char *prompt;            /* the text */
    const char *prompt_mode; /* "base", …, "text" */
    piaa_model *model;       /* the caller's */
    piaa_reader *reader;
    size_t unreadable; /* of the images embedded last */
    int threads;
} piaa_study;

/* Opens the data set `spec` (with the column that says who rated, or NULL) and words the prompt:
 * request->prompt is NULL or "base", "format", "attributes" or "unrelated" for the published
 * code's, else the text itself. */
bool piaa_study_open(piaa_study *study, const char *spec, const char *user_column,
                     piaa_study_kind kind, const piaa_request *request, const piaa_hooks *hooks,
                     piaa_error *error) PIAA_MUST_USE;
void piaa_study_close(piaa_study *study);

/* Makes the reader of the model, which outlives the study, for these pools and layers (as in a
   request).  Its store is the caller's to open. */
bool piaa_study_ask(piaa_study *study, piaa_model *model, const char *pools, const char *layers,
                    piaa_error *error) PIAA_MUST_USE;
/* The same for features side by side, "lt.3+v.5" (piaa_request). */
bool piaa_study_ask_features(piaa_study *study, piaa_model *model, const char *features,
                             piaa_error *error) PIAA_MUST_USE;

/* The name of the model as results have it: the folder's, "demo" for the demonstration model. */
const char *piaa_study_model_id(const piaa_study *study);

/* Brings the images of a set (wanted [image_count]; NULL: all) that are there into the store;
 * nothing but a warning where some cannot be read. */
bool piaa_study_embed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                      piaa_error *error) PIAA_MUST_USE;
/* The same of changed copies (study/changed.h) of the images wanted, as far as they were made. */
bool piaa_study_embed_changed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                              const char *folder, piaa_error *error) PIAA_MUST_USE;

/* The attribute projection in `file`, or learned from the data set `spec` with the store's features
 * at `slot`; exactly one of both is not NULL. */
piaa_projection *piaa_study_project(piaa_study *study, const char *file, const char *spec,
                                    const piaa_slot *slot, piaa_error *error) PIAA_MUST_USE;

#endif
