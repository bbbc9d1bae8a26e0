/*
 * The published personal protocol: one small ridge regression for every person, source and method.
 *
 *   Linear-Hidden   the person's scores from pooled vectors
 *   GIAA target     the mean scores of the same support images from pooled vectors; tested on the
 *                   person's own
 *   Reduce          the person's scores from the attributes that a projection predicts
 *   style out       Linear-Hidden without the support images of the test image's own style, style
 *                   by style: taste across styles
 *
 * Near copies of an image in a person's support and test let the test be learned from.  They are
 * counted, by the first source's features, and with `groups` kept on one side: support images that
 * are near copies of test images are left out, and of several in the support all but the first.
 *
 * Features of several sources are independent of each other, and so are people: every (source,
 * person) is one job.  Linear-Hidden and the GIAA target share one factorisation where all support
 * images have a mean score.
 */
#ifndef PIAA_STUDY_PERSONAL_H
#define PIAA_STUDY_PERSONAL_H

#include "data/protocol.h"
#include "study/copies.h"
#include "study/outcome.h"
#include "study/projection.h"
#include "study/source.h"

typedef enum piaa_method {
    PIAA_LINEAR_HIDDEN,
    PIAA_GIAA_TARGET,
    PIAA_REDUCE,
    PIAA_STYLE_OUT,
    PIAA_METHODS
} piaa_method;

/* "linear-hidden", "giaa-target", "reduce", "style-out" */
const char *piaa_method_name(piaa_method method);
bool piaa_method_parse(const char *name, piaa_method *out);

typedef struct piaa_personal_options {
    bool methods[PIAA_METHODS];
    bool small, large;                         /* which supports; neither: large */
    bool groups;                               /* near copies stay on one side */
    const piaa_projection *const *projections; /* [source_count], for Reduce */
    const char *label;                         /* for style out; NULL: "style" */
    const char *model;                         /* model_id in the CSV; NULL: "" */
    int draws;                                 /* of the bootstrap; 0: PIAA_BOOTSTRAP_DRAWS */
    uint32_t seed;                             /* of the bootstrap */
    int threads;                               /* 0: 1 */
} piaa_personal_options;

/* One outcome for every (support, method, source), in that order: small before large, methods as in
   the enumeration, sources as given. */
typedef struct piaa_personal {
    piaa_outcome **outcomes;
    size_t count;
    piaa_copies copies;
    struct {
        piaa_method method;
        size_t source;
        bool large;
    } * kinds; /* [count] */
} piaa_personal;

/*
 * Images that have no vector are left out of support and test and counted in the outcomes; near
 * copies that `groups` leaves out are not counted there.  A person with one support image gets its
 * score as every prediction; with none, no prediction. hooks may be NULL; progress and stop are
 * called under a lock from several threads. Fails: nothing asked for, a projection that does not
 * belong to its source, a label that the data set lacks, a value that is not finite, stopped,
 * memory.
 */
piaa_personal *piaa_personal_run(const piaa_dataset *set, const piaa_protocol *protocol,
                                 const piaa_source *sources, size_t source_count,
                                 const piaa_personal_options *options, const piaa_hooks *hooks,
                                 piaa_error *error) PIAA_MUST_USE;
void piaa_personal_free(piaa_personal *personal);

#endif
