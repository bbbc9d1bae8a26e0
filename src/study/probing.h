/*
 * A probing experiment: what each layer knows of each attribute, and how far predictions of changed
 * images move.
 *
 *     ok = piaa_probing_begin(&p, &study, model, &options, error) && // what can be refused
 *          piaa_reader_open_store(study.reader, …) &&
 *          piaa_probing_run(&p, "RUN/changed", error);
 *     piaa_probing_free(&p);
 */
#ifndef PIAA_STUDY_PROBING_H
#define PIAA_STUDY_PROBING_H

#include "image/augment.h"
#include "study/probe.h"
#include "study/study.h"

typedef struct piaa_probing_options {
    const char *pools, *layers;  /* as in a request; NULL: all */
    piaa_split test;             /* the list of test images */
    bool changes[PIAA_AUGMENTS]; /* test images are also predicted so changed */
} piaa_probing_options;

typedef struct piaa_probing {
    piaa_study *study;
    piaa_probing_options options;
    bool *wanted; /* [images of the data set] */
    piaa_probe *probe;
    piaa_probe *changed[PIAA_AUGMENTS]; /* NULL where not asked for */
} piaa_probing;

/* Finds the images that are learned from and tested, and makes the study's reader. */
bool piaa_probing_begin(piaa_probing *p, piaa_study *study, piaa_model *model,
                        const piaa_probing_options *options, piaa_error *error) PIAA_MUST_USE;
/* Changed images are kept in the folder `changed`, a folder for each kind; made where needed. */
bool piaa_probing_run(piaa_probing *p, const char *changed, piaa_error *error) PIAA_MUST_USE;
void piaa_probing_free(piaa_probing *p);

#endif
