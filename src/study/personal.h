/*
 * The published personal protocol: every person's ratings split into support and test, and every
 * method (study/method.h) asked to predict the test's from the support's.
 *
 * Near copies of an image in a person's support and test let the test be learned from.  They are
 * counted, by the first source's features, and with `groups` kept on one side: support images that
 * are near copies of test images are left out, and of several in the support all but the first.
 *
 * Features of several sources are independent of each other, and so are people: every (source,
 * person) is one job, and methods that read the same features share what they make of them. Methods
 * that ask the model itself come after these, one person after the other.
 *
 * Instead of the supports as they were drawn, a learning curve: both together are what a person
 * might have been asked for, each strategy chooses in which order (study/next.h; it sees no test
 * image), and every method learns from the first so many.
 */
#ifndef PIAA_STUDY_PERSONAL_H
#define PIAA_STUDY_PERSONAL_H

#include "data/protocol.h"
#include "linear/choose.h"
#include "study/copies.h"
#include "study/journal.h"
#include "study/method.h"
#include "study/outcome.h"
#include "study/prior_folds.h"

typedef struct piaa_learning_curve {
    const piaa_strategy *strategies;
    size_t strategy_count;
    double random_share; /* as in piaa_choosing */
    const size_t *sizes; /* ascending */
    size_t size_count;   /* 0: the supports as they were drawn */
} piaa_learning_curve;

typedef struct piaa_personal_options {
    const piaa_method *const *methods;         /* ended by NULL */
    bool small, large;                         /* which supports; neither: large */
    piaa_learning_curve curve;                 /* of methods that read features */
    bool groups;                               /* near copies stay on one side */
    const piaa_projection *const *projections; /* [source_count], for methods that need them */
    const piaa_prior_folds *folds;             /* for methods that need a prior: those; or */
    const piaa_prior *prior; /* one for everybody, which is told apart from this by the caller */
    piaa_reader *reader;     /* for methods that need the model */
    piaa_dialogue *
        *dialogue; /* for the same: NULL in it until one begins it; the caller's to free */
    const piaa_raw_texts *raw, *thoughts; /* for those that need its answers */
    const piaa_ici *ici;                  /* for those that begin with a prior */
    const char *label;                    /* for style out; NULL: "style" */
    const char *model;                    /* model_id in the CSV; NULL: "" */
    const char *folder;                   /* for the same: adapters are kept in it */
    piaa_journal *journal;                /* of lessons that need the model; NULL: none is kept */
    int draws;                            /* of the bootstrap; 0: PIAA_BOOTSTRAP_DRAWS */
    uint32_t seed;                        /* of the bootstrap, and of methods that draw */
    int threads;                          /* 0: 1 */
} piaa_personal_options;

/* What an outcome is of. */
typedef struct piaa_personal_kind {
    const piaa_method *method;
    size_t source; /* PIAA_NO_SOURCE: the method reads no features */
    bool large;
    size_t size; /* first ratings of a learning curve; 0: it is of a support */
    piaa_strategy strategy;
} piaa_personal_kind;

#define PIAA_NO_SOURCE SIZE_MAX

/* One outcome for every (support, method, source), in that order: small before large, methods and
   sources as given.  Of a learning curve for every (strategy, size, method, source). */
typedef struct piaa_personal {
    piaa_outcome **outcomes;
    piaa_personal_kind *kinds;
    size_t count; /* of both */
    piaa_copies copies;
} piaa_personal;

/*
 * Images that have no vector are left out of support and test of methods that need one, and counted
 * in the outcomes; near copies that `groups` leaves out are not counted there.  A person with one
 * support image gets its score as every prediction; with none, no prediction. hooks may be NULL;
 * progress and stop are called under a lock from several threads. Fails: nothing asked for, a
 * projection that does not belong to its source, a label that the data set lacks, a value that is
 * not finite, stopped, memory.
 */
piaa_personal *piaa_personal_run(const piaa_dataset *set, const piaa_protocol *protocol,
                                 const piaa_source *sources, size_t source_count,
                                 const piaa_personal_options *options, const piaa_hooks *hooks,
                                 piaa_error *error) PIAA_MUST_USE;
/* Whether there are methods and ratings for the learning curve, if one is asked for: PIAA_USAGE. */
bool piaa_personal_check_curve(const piaa_personal_options *options,
                               const piaa_protocol_options *sizes, piaa_error *error) PIAA_MUST_USE;
void piaa_personal_free(piaa_personal *personal);

#endif
