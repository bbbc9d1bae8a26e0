/*
 * The attribute projection: from a pooled vector to named attributes (light, colour harmony, depth
 * of field …).
 *
 *     attribute k = intercepts[k] + sum over j of weights[k][j] * (x[j] - mean[j])
 *
 * Learned from the training images of a data set with attributes (AADB), the overall score left
 * out, with one alpha for all attributes: scikit-learn's StandardScaler + RidgeCV on all columns at
 * once, as the published code fits it.
 *
 * The file (projection.json; numbers with 17 significant digits):
 *
 *     format         "piaa-projection"
 *     version        1
 *     made           "2025-01-31T12:00:00Z"
 *     features       as in a taste (study/taste.h)
 *     images         learned from
 *     alpha
 *     mean, scale    [dim] of the features in those images; scale is 1 for constant columns
 *     attributes     [{name, images, intercept, average, deviation, loo_spearman, weights [dim]}];
 * average and deviation of the attribute as predicted for those images; loo_spearman null where
 * undefined
 */
#ifndef PIAA_STUDY_PROJECTION_H
#define PIAA_STUDY_PROJECTION_H

#include "base/output.h"
#include "study/source.h"

typedef struct piaa_projection {
    piaa_identity identity; /* what made the features; its strings belong to the projection and are
                               never NULL */
    piaa_slot slot;
    char made[32];
    int64_t images;
    double alpha;
    int count;                     /* attributes */
    char **names;                  /* [count] */
    double *mean, *scale;          /* [slot.dim] */
    double *weights;               /* [count][slot.dim] per unit of the raw feature */
    double *intercepts;            /* [count] */
    int64_t *known;                /* [count] images that each attribute is learned from */
    double *averages, *deviations; /* [count] of the predictions over the images learned from */
    double *loo_spearman; /* [count] of leave-one-out predictions with the labels: how far an
                             attribute can be trusted */
} piaa_projection;

/* Learns from the source's training images (all images where the set has no splits).  Images that
 * lack a vector or an attribute are left out and told to hooks->warn.  The source has one part.
 * On `threads` threads.  Fails: no attributes, fewer than two images, a value that is not finite,
 * memory. */
piaa_projection *piaa_projection_learn(const piaa_dataset *set, const piaa_source *source,
                                       const piaa_identity *identity, int threads,
                                       const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
void piaa_projection_free(piaa_projection *projection);

/* Attributes out [rows][count] of x [rows][slot.dim]. */
void piaa_projection_apply(const piaa_projection *projection, const float *x, int64_t rows,
                           double *out);

extern const piaa_output_kind piaa_projection_output;

/* Written whole or not at all, and over no file but a projection.  Loading believes nothing: every
   key, type, length and number is checked. */
bool piaa_projection_save(const piaa_projection *projection, const char *path,
                          piaa_error *error) PIAA_MUST_USE;
piaa_projection *piaa_projection_load(const char *path, piaa_error *error) PIAA_MUST_USE;
/* Freed by the caller. */
char *piaa_projection_to_json(const piaa_projection *projection, piaa_error *error) PIAA_MUST_USE;
piaa_projection *piaa_projection_parse(const char *text, size_t size, const char *where,
                                       piaa_error *error) PIAA_MUST_USE;

/* Whether features of this identity and slot may be projected; the error names the first
   difference. */
bool piaa_projection_fits(const piaa_projection *projection, const piaa_identity *identity,
                          const piaa_slot *slot, piaa_error *error) PIAA_MUST_USE;

/* Zeroed arrays, names NULL; for the reader of the file. */
piaa_projection *piaa_projection_new(const piaa_identity *identity, const piaa_slot *slot,
                                     int count, piaa_error *error) PIAA_MUST_USE;

#endif
