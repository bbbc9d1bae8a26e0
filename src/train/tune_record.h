/* What a choice of rate and epochs has found so far, in a file of the adapter's folder. */
#ifndef PIAA_TRAIN_TUNE_RECORD_H
#define PIAA_TRAIN_TUNE_RECORD_H

#include "base/error.h"

/* One rate and fold: the sum of the held-out loss after each epoch, from 0 on; infinite where it
   was not a number. */
typedef struct piaa_tune_run {
    double rate, tokens;
    int fold;
    double *losses; /* [epochs + 1] */
} piaa_tune_run;

typedef struct piaa_tune_record {
    char *path, *key; /* NULL: it is kept in memory alone */
    int epochs;
    piaa_tune_run *runs;
    size_t count, capacity;
} piaa_tune_record;

/* Of FOLDER/tuning.json, if that is of what `description` says (a hash of it is compared); else
 * empty.  Nothing is written yet. */
bool piaa_tune_record_open(piaa_tune_record *record, const char *folder, const char *description,
                           int epochs, piaa_error *error) PIAA_MUST_USE;
void piaa_tune_record_close(piaa_tune_record *record);
/* NULL: not done yet. */
piaa_tune_run *piaa_tune_record_find(const piaa_tune_record *record, double rate, int fold);
/* With losses of 0; until the next one is added. */
piaa_tune_run *piaa_tune_record_add(piaa_tune_record *record, double rate, int fold,
                                    piaa_error *error) PIAA_MUST_USE;
/* The folder is made where it is missing.  Nothing where the record has no path. */
bool piaa_tune_record_write(const piaa_tune_record *record, piaa_error *error) PIAA_MUST_USE;

#endif
