/*
 * Probing: how much of each named attribute a pooled vector holds, layer by layer.
 *
 * For every source (a pool at a layer) one ridge regression per target, learned from the training
 * images: the mean score and every attribute of the data set.  One factorisation of a source's
 * matrix serves all targets and alphas; each target has its own alpha.  The best source of a target
 * is the one with the highest Spearman on the validation images.
 *
 * Where the data set has no validation images (PARA), the leave-one-out predictions of the training
 * images stand in for them.
 */
#ifndef PIAA_STUDY_PROBE_H
#define PIAA_STUDY_PROBE_H

#include "linear/agreement.h"
#include "study/source.h"

typedef enum piaa_part { PIAA_TRAIN, PIAA_VALIDATION, PIAA_TEST, PIAA_PARTS } piaa_part;

/* How far predictions of the test images move when the images are changed (turned grey, warped). */
typedef struct piaa_probe_shift {
    double mean, size; /* mean and root mean square of (changed - original), in standard deviations
                          of the training labels */
    double spearman;   /* between the two lists of predictions; NaN where undefined */
    piaa_agreement agreement; /* of the changed images' predictions with the labels */
} piaa_probe_shift;

typedef struct piaa_probe_cell {
    piaa_agreement figures[PIAA_PARTS]; /* n 0 and NaN where there are no images */
    double alpha, loo_rmse;
    piaa_probe_shift shift; /* of options->changed */
} piaa_probe_cell;

typedef struct piaa_probe {
    size_t source_count, target_count;
    char **source_names;                           /* "lt.3" */
    piaa_slot *slots;                              /* [source_count] the first slot of each */
    char **target_names;                           /* "score", then the attributes */
    piaa_probe_cell *cells;                        /* [source_count][target_count] */
    size_t *images[PIAA_PARTS], count[PIAA_PARTS]; /* images of the data set, in its order */
    piaa_split test;                               /* the list that the test images are of */
    size_t shared; /* test images that are on another list too; of TEST_NEW they are left out */
    size_t without_vector, without_label; /* images left out of these lists: without a vector, and
                                             without any label */
    bool loo_validation; /* the validation figures are of leave-one-out predictions of the training
                            images; else those of targets that fewer than two validation images
                            have are, which is told */
    int *best; /* [target_count] source with the best validation Spearman; -1: it is undefined for
                  all */
    double *labels[PIAA_PARTS];      /* [count][target_count]; NaN where there is none */
    double *predictions[PIAA_PARTS]; /* the same from each target's best source (the first where
                                        there is none) */
    /* [target_count][target_count] Pearson, over the test images (training images where there
       are none) that have both; NaN for constant columns. */
    double *label_correlation, *prediction_correlation;
} piaa_probe;

typedef struct piaa_probe_options {
    piaa_split test;            /* 0: PIAA_SPLIT_TEST; AADB also has PIAA_SPLIT_TEST_NEW */
    const piaa_source *changed; /* [source_count] the same slots of changed images, or NULL; read
                                   for the test images only */
    int threads; /* sources at a time, each with about one matrix of dim x dim in memory; 0: 1.
                    Fewer sources than threads share them */
} piaa_probe_options;

/* The best source for a target among those of one pool; -1 if there is none. */
int piaa_probe_best_of(const piaa_probe *probe, size_t target, piaa_pool pool);

/*
 * Images that any source has no vector of are left out of all sources alike, so that figures of
 * layers can be compared.  A target is learned from, and judged on, the images that have its label
 * (figures[].n of them); one that no training image has is undefined.  options and hooks may be
 * NULL; hooks->progress and hooks->stop are called under a lock, possibly from other threads.
 * Fails: no training image, a value that is not finite, stopped (PIAA_STOPPED), memory.
 */
piaa_probe *piaa_probe_run(const piaa_dataset *set, const piaa_source *sources, size_t source_count,
                           const piaa_probe_options *options, const piaa_hooks *hooks,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_probe_free(piaa_probe *probe);

#endif
