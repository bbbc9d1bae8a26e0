/*
 * How well a ridge regression predicts rows that it has not seen, where some rows belong together
 * and where the alpha is chosen too.
 *
 *     piaa_left_out *left = piaa_leave_out(design, y, n, near->group, &error);
 *     left->alpha, left->predicted[i], left->rmse …
 *     piaa_left_out_free(left);
 *
 * Every figure counts a group of rows as one sample.
 */
#ifndef PIAA_LINEAR_LEAVE_OUT_H
#define PIAA_LINEAR_LEAVE_OUT_H

#include "linear/ridge.h"

/* Beyond so many rows the choice of alpha is not judged by errors that it has not seen, and chance
   is not computed: the one is worth less than 1 % by then, the other needs no computing. */
enum { PIAA_LEAVE_OUT_NESTED = 500 };

typedef struct piaa_left_out {
    int64_t rows, groups;
    double alpha;         /* the least squared error of groups left out.  Of the default list and
                             without groups it is scikit-learn's */
    int design, strength; /* chosen with it (piaa_leaving_try), by index */
    double *predicted;    /* [rows] each row by the model learned without its group, with this alpha
                             and all rows' scaler */
    double *errors; /* [groups] ascending: root mean square error of each group, predicted by the
                       model and by the alpha learned without it */
    double rmse;    /* of these */
    double rmse_of_mean; /* the same of always guessing the mean of the other groups */
    double chance; /* share of random orders of the targets that are predicted as well; NaN where it
                      was not computed */
} piaa_left_out;

/*
 * y [rows], all of the design's, at least 2.  group[i] is the index of the first row of row i's
 * group, as piaa_near has it; NULL, or a single group: every row on its own. Errors: a target that
 * is not finite, memory.
 */
piaa_left_out *piaa_leave_out(piaa_ridge_design *design, const double *y, int64_t rows,
                              const int64_t *group, piaa_error *error) PIAA_MUST_USE;
void piaa_left_out_free(piaa_left_out *left);

/*
 * The same where more than alpha is chosen: between designs of the same rows, and how much of an
 * offset (what is known of the rows beforehand) is taken from the targets first.  Every figure
 * counts the whole choice.
 *
 *     piaa_leaving *leaving = piaa_leaving_new(y, rows, group, NULL, &error);
 *     piaa_leaving_try(leaving, design, NULL, NULL, 0, &error);   // as often as there are designs
 *     piaa_left_out *left = piaa_leaving_end(leaving, &error);
 *     piaa_leaving_free(leaving);
 */
typedef struct piaa_leaving piaa_leaving;

typedef struct piaa_leaving_options {
    const double *alphas; /* positive; NULL: the default list */
    int alpha_count;
    bool no_chance; /* it costs more than all the rest */
    /* The first trial of all wins unless another's squared errors are less by so many standard
       errors of the mean difference over groups: for what is known beforehand to be likely. */
    double patience;
} piaa_leaving_options;

/* y is copied; options may be NULL. */
piaa_leaving *piaa_leaving_new(const double *y, int64_t rows, const int64_t *group,
                               const piaa_leaving_options *options,
                               piaa_error *error) PIAA_MUST_USE;
/* Tries a design with every alpha (of these; NULL: those of the options, or as many at most) and
   every strength of offset [rows] (NULL: there is none).  Of trials that are equally good the first
   one wins.  left->design counts these calls. */
bool piaa_leaving_try(piaa_leaving *leaving, piaa_ridge_design *design, const double *offset,
                      const double *strengths, int strength_count, const double *alphas,
                      int alpha_count, piaa_error *error) PIAA_MUST_USE;
piaa_left_out *piaa_leaving_end(piaa_leaving *leaving, piaa_error *error) PIAA_MUST_USE;
void piaa_leaving_free(piaa_leaving *leaving);

/* The ceil(level (groups + 1))-th smallest error: among as many equally likely places for the error
 * of one more photo, at least a share `level` lies below it.  NaN where that takes more groups than
 * there are. */
double piaa_left_out_quantile(const piaa_left_out *left, double level);

/* Targets out [n] from which all rows teach what y teaches without `count` of them, fewer than n:
   each of these has its own prediction by the others in its place. */
bool piaa_ridge_pin(piaa_ridge_design *design, const double *y, int64_t n, double alpha,
                    const int64_t *rows, int64_t count, double *out,
                    piaa_error *error) PIAA_MUST_USE;

/* The model that is learned with this alpha and all rows' scaler from all n rows but `count` ones,
   fewer than n. */
piaa_ridge *piaa_ridge_without(piaa_ridge_design *design, const double *y, int64_t n, double alpha,
                               const int64_t *rows, int64_t count, piaa_error *error) PIAA_MUST_USE;

#endif
