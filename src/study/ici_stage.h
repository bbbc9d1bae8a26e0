/*
 * One stage of a training, epoch by epoch, that goes on where it was ended.
 *
 * After an epoch everything that the next begins with is written to one file, whole or not at all:
 * weights, the optimiser's state, the best weights so far and all losses (at most once a second,
 * and after the last).  What is random in an epoch depends on the seed and the epoch's number
 * alone, so that a training that was killed and goes on ends with the same bits as one that was
 * not.
 */
#ifndef PIAA_STUDY_ICI_STAGE_H
#define PIAA_STUDY_ICI_STAGE_H

#include "study/ici_model.h"

enum { PIAA_ICI_PARTS = 2 };

typedef struct piaa_ici_work {
    const char *what; /* for progress and errors: "phase 1, prior 1 of 3" */
    const char *path; /* of the state */
    uint32_t seed;
    size_t rows; /* that an epoch goes through, in an order of its own */
    int batch, epochs;
    /* What is trained, and what the optimiser keeps, behind prefixes of their own: their data are
       changed by `step`, and written into where a training goes on. */
    piaa_named_part weights[PIAA_ICI_PARTS], state[PIAA_ICI_PARTS];
    void *user;
    bool (*step)(void *user, const size_t *rows, size_t n, double *loss, piaa_error *error);
    /* The epoch with the lowest loss is kept; NULL: the last one. */
    bool (*validate)(void *user, double *loss, piaa_error *error);
    void (*restored)(void *user); /* weights were written into; NULL: nobody has to know */
} piaa_ici_work;

/* curve: made with work->epochs; filled in.  Afterwards the weights are those kept.  Fails:
 * stopped, a loss that is not finite, a state that does not fit, a full disk. */
bool piaa_ici_work_run(const piaa_ici_work *work, const piaa_hooks *hooks, piaa_ici_curve *curve,
                       piaa_error *error) PIAA_MUST_USE;

#endif
