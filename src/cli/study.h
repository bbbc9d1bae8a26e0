/* What the study's commands have in common: their options, and how a study is opened, told and
   printed. */
#ifndef PIAA_CLI_STUDY_H
#define PIAA_CLI_STUDY_H

#include "cli/request.h"
#include "data/protocol.h"
#include "report/run.h"
#include "study/study.h"

/* model, mmproj, prompt, max-pixels, dtype, exif, threads, store. */
extern const piaa_option piaa_study_options[];

/* The protocol's sizes, of eval and of what is trained for it. */
#define PIAA_OPTION_SUPPORT                                                                        \
    { "support", "N", "ratings of a person that are learned from: 10, 100, or 10,100", "100", NULL }
#define PIAA_OPTION_TEST                                                                           \
    { "test", "N", "ratings of a person that are predicted", "50", NULL }

/* The next item of a comma-separated list; false at its end. */
bool piaa_call_item(const char **rest, char *word, size_t size);
/* --support and --test; small, large: which supports were asked for. */
bool piaa_call_splits(const piaa_call *call, piaa_protocol_options *protocol, bool *small,
                      bool *large, piaa_error *error) PIAA_MUST_USE;
/* A whole number from 1. */
bool piaa_call_count(const char *option, const char *word, size_t *out,
                     piaa_error *error) PIAA_MUST_USE;

/* Opens the data set of --data for reading as the options say, then the model of --model, which is
   the caller's to close. */
piaa_model *piaa_call_study(piaa_call *call, piaa_study_kind kind, piaa_study *study,
                            piaa_error *error) PIAA_MUST_USE;
/* Opens the store of a study that has its reader, and a word where the model is the demonstration
   model. */
bool piaa_call_study_store(piaa_call *call, piaa_study *study, piaa_error *error) PIAA_MUST_USE;

/* For the JSON file; its strings belong to the study. */
piaa_run_about piaa_call_about(const piaa_study *study);

/* Prints the tables of the run that was written to `folder`. */
bool piaa_call_print_run(piaa_call *call, const char *folder, piaa_error *error) PIAA_MUST_USE;

#endif
