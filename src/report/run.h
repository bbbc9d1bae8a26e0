/*
 * A run: what a probe or an evaluation leaves in a folder, and what reports are made from.
 * docs/paper.md describes the files.
 *
 *     probe.json        figures of every target and source, the published code's keys and some more
 *     eval.json         figures of every method, source and support
 *     predictions.csv   every prediction
 *     users.csv         eval: every person's figures
 *     scores.csv        eval: the ratings that the people learned from and were tested on
 *     images.csv        eval: mean and variance of every image's ratings
 *     learning_curve.csv  eval: of a learning curve, every point
 */
#ifndef PIAA_REPORT_RUN_H
#define PIAA_REPORT_RUN_H

#include "base/json.h"
#include "study/personal.h"
#include "study/probe.h"

/* What is told of a run beside its results. */
typedef struct piaa_run_about {
    const piaa_dataset *set;
    piaa_identity identity;
    bool demonstration;      /* the demonstration model */
    const char *prompt_mode; /* "base", "format", "attributes", "unrelated", "text" */
    const char *model_id;    /* short, as in the CSV's column */
    size_t unreadable;       /* images of the data set that are there and could not be read */
} piaa_run_about;

/* Predictions of changed images, kind by kind. */
typedef struct piaa_run_change {
    const char *kind;        /* "gray" */
    const piaa_probe *probe; /* a run with this kind's images as options->changed */
} piaa_run_change;

/* What an evaluation consisted of.  The lists are as personal's, one entry for each outcome. */
typedef struct piaa_run_eval {
    const piaa_protocol *protocol;
    const piaa_personal *personal;
    const piaa_source *sources;
    const char *baseline;               /* as given; "random" of a learning curve; NULL: none */
    const piaa_comparison *comparisons; /* [personal->count] of Spearman with its baseline; `users`
                                           0: none.  NULL where baseline is */
    bool groups;                        /* near copies were kept on one side */
    const piaa_ici *ici;                /* NULL: no method began with a prior */
    const char *prior;                  /* as given; NULL: none */
    const bool *seen;                   /* [protocol's people] by the prior; NULL: nobody */
    const double *agreement; /* [protocol's people] with the mean of the others, on their test
                                images; NaN where undefined */
} piaa_run_eval;

/* Refuses a folder that holds files but no run, or another kind of run: to be asked before hours of
   work.  prepare also makes it if it is not there. */
bool piaa_run_check(const char *folder, bool eval, piaa_error *error) PIAA_MUST_USE;
bool piaa_run_prepare(const char *folder, bool eval, piaa_error *error) PIAA_MUST_USE;

/* Each file is written whole or not at all, the JSON last. */
bool piaa_run_write_probe(const char *folder, const piaa_run_about *about, const piaa_probe *probe,
                          const piaa_run_change *changes, size_t change_count,
                          piaa_error *error) PIAA_MUST_USE;
bool piaa_run_write_eval(const char *folder, const piaa_run_about *about, const piaa_run_eval *eval,
                         piaa_error *error) PIAA_MUST_USE;

/* -------------------------------------------------------------------------------------- reading */

typedef struct piaa_run_source {
    char *name; /* "lt.3", "lt.3+v.5" */
    piaa_pool pool;
    int layer; /* -1: several side by side */
} piaa_run_source;

typedef struct piaa_run_mean {
    double mean, low, high; /* NaN where there is none */
} piaa_run_mean;

typedef struct piaa_run_outcome {
    char *method, *source, *support, *published; /* "reduce", "lt.3", "large", the CSV's method */
    char *choose;                                /* of a learning curve: the strategy; else NULL */
    double ratings;                              /* of the same: how many; else NaN */
    piaa_pool pool; /* PIAA_POOLS: the method reads no features, and the source is "" */
    int layer;      /* -1: several */
    double asked, unparsable, out_of_range; /* answers of the model; NaN: nothing was asked */
    double rows;                            /* predictions of all people */
    double seconds, bytes;                  /* of one person, in the mean; NaN: not told */
    char *way;      /* whose account it follows: "published", "described", both, neither ("") */
    double repeats; /* with another seed each, whose spread the next are; NaN: it has none */
    double spearman_spread, r2_spread, rmse_spread; /* NaN of one repeat */
    piaa_run_mean spearman, r2, rmse;
    double undefined, users;
    bool compared;
    piaa_run_mean difference;
    double better, compared_users, p, p_holm;
    size_t *people; /* [people_count] into the run's users.csv rows */
    size_t people_count;
} piaa_run_outcome;

typedef struct piaa_run_person {
    char *id;
    size_t outcome;
    double spearman, r2, rmse; /* NaN where undefined */
} piaa_run_person;

typedef struct piaa_run_change_read {
    char *kind;
    double *size, *mean; /* [source_count][target_count]; standard deviations of the labels */
} piaa_run_change_read;

/* Losses of the epochs of one stage of PIAA-ICI's training. */
typedef struct piaa_run_curve {
    char *stage; /* "phase1", "full", "reduced" */
    double seed, kept;
    double *train, *validation; /* [epochs]; NaN where nothing was validated */
    size_t epochs;
} piaa_run_curve;

typedef struct piaa_run_pair {
    size_t group; /* person, of lists by person */
    double x, y;
} piaa_run_pair;

typedef struct piaa_run {
    char *folder, *name; /* the name is the folder's */
    bool eval;
    cJSON *root; /* the JSON file, for what is only told */

    /* probe */
    size_t source_count, target_count;
    piaa_run_source *sources;
    char **targets;
    double *figures[PIAA_PARTS][3]; /* [source_count][target_count] Spearman, R2, RMSE */
    double *known[PIAA_PARTS];      /* [target_count] images that have the target's label */
    int *best;                      /* [target_count]; -1: none */
    double *label_correlation, *prediction_correlation; /* [target_count][target_count] */
    piaa_run_change_read *changes;
    size_t change_count;

    /* eval */
    piaa_run_outcome *outcomes;
    size_t outcome_count;
    piaa_run_person *people;
    size_t people_count;
    piaa_run_pair *scores; /* group: person, in order of appearance; x: score */
    size_t score_count, scorers;
    piaa_run_pair *images; /* x: mean score, y: variance of the ratings */
    size_t image_count;
    piaa_run_curve *curves;
    size_t curve_count;

    /* predicted against true: the score's of the best source (probe), the best outcome's (eval) */
    piaa_run_pair *scatter; /* x: true, y: predicted */
    size_t scatter_count;
    char *scatter_of; /* "V5", "linear-hidden, lt.3" */
    size_t main;      /* the outcome with the highest mean Spearman */
} piaa_run;

/* Fails with one line that names file and place: not a run, a file that is missing or damaged. */
piaa_run *piaa_run_open(const char *folder, piaa_error *error) PIAA_MUST_USE;
void piaa_run_close(piaa_run *run);

/* Of the JSON, dotted. */
const char *piaa_run_text(const piaa_run *run, const char *key, const char *fallback);
double piaa_run_value(const piaa_run *run, const char *key); /* NaN if it is absent */
/* The same as text for people: "40", "undefined". */
typedef struct piaa_run_words {
    char text[32];
} piaa_run_words;
piaa_run_words piaa_run_count(const piaa_run *run, const char *key);

/* How many ratings an outcome was learned from: "100", of a learning curve "10, v-optimal". */
piaa_run_words piaa_run_ratings(const piaa_run *run, const piaa_run_outcome *outcome);

/* "LT3", "LT tail 3", "V5"; several side by side as they are named. */
void piaa_run_source_label(piaa_pool pool, int layer, const char *name, char out[64]);

#endif
