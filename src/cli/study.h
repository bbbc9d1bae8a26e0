/* What the study's commands have in common: a data set, a model, and a store that holds features of
   the images that are needed. */
#ifndef PIAA_CLI_STUDY_H
#define PIAA_CLI_STUDY_H

#include "cli/reader.h"
#include "report/run.h"

/* model, mmproj, prompt, max-pixels, dtype, exif, threads, store. */
extern const piaa_option piaa_study_options[];

typedef enum piaa_study_kind { PIAA_STUDY_PROBING, PIAA_STUDY_PERSONAL } piaa_study_kind;

/* A command at work. */
typedef struct piaa_study {
    piaa_call *call;
    piaa_dataset *set;
    piaa_reader reader;
    char *prompt;            /* the text */
    const char *prompt_mode; /* "base", …, "text" */
    size_t unreadable;       /* of the images embedded last */
    int threads;
} piaa_study;

/* Opens the data set of --data and the model of --model. */
bool piaa_study_open(piaa_study *study, piaa_call *call, piaa_study_kind kind,
                     piaa_error *error) PIAA_MUST_USE;
void piaa_study_close(piaa_study *study);

/* Opens extractor and store for these pools and layers (as in a request). */
bool piaa_study_ask(piaa_study *study, const char *pools, const char *layers,
                    piaa_error *error) PIAA_MUST_USE;

/* Brings the images of a set (wanted [image_count]; NULL: all) that are there into the store;
 * nothing but a warning where some cannot be read. */
bool piaa_study_embed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                      piaa_error *error) PIAA_MUST_USE;
/* The same of changed copies (study/changed.h) of the images wanted, as far as they were made. */
bool piaa_study_embed_changed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                              const char *folder, piaa_error *error) PIAA_MUST_USE;

/* For the JSON file; its strings belong to the study. */
piaa_run_about piaa_study_about(const piaa_study *study);

/* The attribute projection in `file`, or learned from the data set `spec` with the store's features
 * at `slot`; exactly one of both is not NULL. */
piaa_projection *piaa_study_project(piaa_study *study, const char *file, const char *spec,
                                    const piaa_slot *slot, piaa_error *error) PIAA_MUST_USE;

/* Prints the tables of the run that was written to `folder`. */
bool piaa_study_print(piaa_study *study, const char *folder, piaa_error *error) PIAA_MUST_USE;

#endif
