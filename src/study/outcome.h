/*
 * What one method predicted for every person of a protocol, and how well.  Every method and
 * baseline of the study ends in this structure; tables, tests against a baseline and CSV files
 * start from it.
 *
 * A person's Spearman is undefined where all their predictions, or all their scores, are equal.
 * Such people are counted.  Two means are given: over all people with the undefined ones as 0,
 * which is what the published tables hold, and over the others alone.
 */
#ifndef PIAA_STUDY_OUTCOME_H
#define PIAA_STUDY_OUTCOME_H

#include "base/memory.h"
#include "data/dataset.h"
#include "linear/agreement.h"
#include "linear/bootstrap.h"

typedef struct piaa_outcome_row {
    size_t image;                     /* of the data set */
    double predicted, score, general; /* on the data set's scale; general NaN: none is written */
    size_t repeat;                    /* a person's rows come repeat by repeat */
} piaa_outcome_row;

/* Texts that a method asked a model for, and those that are no score. */
typedef struct piaa_answers {
    size_t asked, unparsable, out_of_range, not_a_number;
} piaa_answers;

typedef struct piaa_outcome_user {
    size_t user;         /* of the data set */
    size_t first, count; /* their rows */
    size_t support;      /* images learned from */
    double alpha;        /* NaN where there is none, or more than one */
    piaa_answers answers;
    double seconds;         /* that the method took for this person, all repeats together */
    int64_t bytes;          /* that it keeps for them; 0: not told */
    piaa_agreement figures; /* of several repeats their mean */
} piaa_outcome_user;

/* A figure's mean over people, with its 95 % interval (linear/people.h). */
typedef struct piaa_outcome_mean {
    piaa_interval all;     /* people whose figure is undefined count as 0 */
    piaa_interval defined; /* they are left out */
    size_t undefined;
} piaa_outcome_mean;

/* Means over people of one repeat; an undefined Spearman counts as 0, of the others it is nothing.
 */
typedef struct piaa_outcome_repeat {
    double spearman, r2, rmse;
} piaa_outcome_repeat;

typedef struct piaa_outcome {
    char *method;  /* "direct_linear_llm_text_L3" */
    char *model;   /* "Qwen3-VL-4B-Instruct" */
    char *support; /* "small", "large" */
    piaa_outcome_user *users;
    size_t user_count;
    piaa_outcome_row *rows;
    size_t row_count;
    /* Methods that begin with something drawn are repeated, each time with another seed: a person's
       figures are means over the repeats. */
    size_t repeats;            /* 1: not repeated */
    piaa_outcome_repeat *each; /* [repeats] */
    size_t without;            /* people with no prediction at all: not in the means */
    /* Images without a vector or a score, over all people. */
    size_t test_left_out, support_left_out;
    piaa_outcome_mean spearman, r2, rmse;
} piaa_outcome;

/* Room for `rows` rows a person and repeat; user u's are first = u * rows * repeats ..., count 0
   for now. */
piaa_outcome *piaa_outcome_new(const char *method, const char *model, const char *support,
                               size_t users, size_t rows, size_t repeats,
                               piaa_error *error) PIAA_MUST_USE;
void piaa_outcome_free(piaa_outcome *outcome);

/* Drops unused rows and those whose prediction is NaN, and fills in every figure.  draws: of the
   bootstrap, 0 for PIAA_BOOTSTRAP_DRAWS. */
bool piaa_outcome_finish(piaa_outcome *outcome, int draws, uint32_t seed,
                         piaa_error *error) PIAA_MUST_USE;

/* Adds rows of the published CSV to `text`:
 * user_id,image_path,model_id,support_set,method,giaa,piaa_pred,user_score; piaa_pred as float32.
 * Image paths get `prefix` before them ("para/").  Repeats but the first have "_repeat-N" behind
 * their method.  The header line comes from _header. */
bool piaa_outcome_csv_header(piaa_text *text, piaa_error *error);
bool piaa_outcome_csv(const piaa_outcome *outcome, const piaa_dataset *set, const char *prefix,
                      piaa_text *text, piaa_error *error) PIAA_MUST_USE;

typedef enum piaa_figure { PIAA_FIGURE_SPEARMAN, PIAA_FIGURE_R2, PIAA_FIGURE_RMSE } piaa_figure;

/* One method against the baseline, over the people that both have predictions for; an undefined
   Spearman counts as 0. */
typedef struct piaa_comparison {
    size_t users;
    size_t better;            /* people for whom the method is better than the baseline */
    piaa_interval difference; /* method - baseline */
    double p, p_holm; /* two-sided (linear/people.h); corrected for all comparisons of this call.
                         NaN for the baseline itself */
} piaa_comparison;

/* out[count]. */
bool piaa_outcomes_compare(const piaa_outcome *const *outcomes, size_t count, size_t baseline,
                           piaa_figure figure, int draws, uint32_t seed, piaa_comparison *out,
                           piaa_error *error) PIAA_MUST_USE;

/* The figure of a person; NaN where it is undefined. */
double piaa_outcome_figure(const piaa_outcome_user *user, piaa_figure figure);

#endif
