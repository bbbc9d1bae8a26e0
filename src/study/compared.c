/*
 * A taste from stars and comparisons: linear/pairs.c on the features' products.
 *
 * Errors are those of stars whose photo leaves with all that was said of it and of its near copies.
 * Unlike those of stars alone (linear/leave_out.c) they are of the strength that was chosen with
 * them there, and no chance is computed.  Without stars what counts is the share of pairs left out
 * that are told, and how likely a coin would tell as many.
 */
#include "base/memory.h"
#include "linear/bands.h"
#include "linear/metrics.h"
#include "linear/near.h"
#include "linear/outlook.h"
#include "study/taste.h"
#include "study/taste_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The stars that have a place, and what is predicted of their photos. */
typedef struct starred {
    double *y, *predicted;          /* [count] */
    size_t *group;                  /* [count] by number, from 0 */
    double *squares, *sums, *sizes; /* [groups] of errors, of stars, and how many */
    double *errors;                 /* [groups] */
    size_t count, groups;
} starred;

static void free_starred(starred *s) {
    free(s->y);
    free(s->predicted);
    free(s->group);
    free(s->squares);
    free(s->errors);
}

static bool list_starred(starred *s, const piaa_taste *taste, const piaa_teaching *from,
                         piaa_error *error) {
    const size_t n = (size_t)from->n;
    size_t *number = piaa_alloc(n, sizeof *number, error); /* + 1; 0: not met yet */
    if (!number || !(s->y = piaa_alloc(n, sizeof *s->y, error)) ||
        !(s->predicted = piaa_alloc(n, sizeof *s->predicted, error)) ||
        !(s->group = piaa_alloc(n, sizeof *s->group, error)) ||
        !(s->squares = piaa_alloc(3 * n, sizeof *s->squares, error)) ||
        !(s->errors = piaa_alloc(n, sizeof *s->errors, error))) {
        free(number);
        return false;
    }
    s->sums = s->squares + n;
    s->sizes = s->sums + n;
    for (size_t i = 0; i < n; i++) {
        if (isnan(from->y[i])) continue;
        const size_t first = (size_t)taste->near->group[i];
        if (!number[first]) number[first] = ++s->groups;
        const size_t g = number[first] - 1;
        s->y[s->count] = from->y[i];
        s->predicted[s->count] = taste->unseen[i];
        s->group[s->count++] = g;
        s->squares[g] += pow(from->y[i] - taste->unseen[i], 2);
        s->sums[g] += from->y[i];
        s->sizes[g]++;
    }
    free(number);
    return true;
}

/* Root mean square of the error of guessing the mean of the other groups' stars. */
static double error_of_mean(const starred *s) {
    double sum = 0, squares = 0;
    for (size_t g = 0; g < s->groups; g++) sum += s->sums[g];
    for (size_t i = 0; i < s->count; i++) {
        const size_t g = s->group[i];
        const double mean = (sum - s->sums[g]) / ((double)s->count - s->sizes[g]);
        squares += pow(s->y[i] - mean, 2) / s->sizes[g];
    }
    return sqrt(squares / (double)s->groups);
}

static bool measure_stars(piaa_taste *taste, const piaa_teaching *from, piaa_error *error) {
    starred s = {0};
    bool ok = list_starred(&s, taste, from, error);
    double sum = 0;
    for (size_t g = 0; ok && g < s.groups; g++) {
        s.errors[g] = sqrt(s.squares[g] / s.sizes[g]);
        sum += s.errors[g] * s.errors[g];
    }
    taste->groups = (int64_t)s.groups;
    if (ok && s.groups > 1) {
        qsort(s.errors, s.groups, sizeof *s.errors, ascending);
        const piaa_left_out left = {.groups = taste->groups, .errors = s.errors};
        taste->loo_rmse = sqrt(sum / (double)s.groups);
        taste->mean_rmse = error_of_mean(&s);
        taste->interval = piaa_left_out_quantile(&left, PIAA_TASTE_LEVEL);
        ok = piaa_metrics_spearman(s.y, s.predicted, s.count, &taste->loo_spearman, error);
    }
    free_starred(&s);
    return ok;
}

/* How likely a coin tells at least `right` of n pairs. */
static double coin(double right, double n) {
    double sum = 0;
    for (double k = ceil(right); k <= n; k++)
        sum += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2));
    return fmin(sum, 1);
}

/* Without stars, scores get mean 0 and standard deviation 1 over the photos compared. */
static void normalise(piaa_taste *taste, const double *score) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < taste->photos; i++) sum += score[i];
    const double mean = sum / (double)taste->photos;
    for (int64_t i = 0; i < taste->photos; i++) squares += pow(score[i] - mean, 2);
    const double scale = squares > 0 ? sqrt(squares / (double)taste->photos) : 1;
    for (int j = 0; j < taste->dim; j++) taste->weights[j] /= scale;
    for (int64_t i = 0; i < taste->photos; i++)
        taste->unseen[i] = (taste->unseen[i] - mean) / scale;
    taste->intercept = (taste->intercept - mean) / scale;
}

static void count_pairs(piaa_taste *taste, const piaa_teaching *from, double right) {
    double answers = 0, told = 0;
    for (int64_t k = 0; k < from->duel_count; k++) {
        answers += from->duels[k].wins + from->duels[k].losses;
        told += from->duels[k].wins != from->duels[k].losses;
    }
    taste->pairs = (int64_t)(answers + 0.5);
    taste->pairs_right = right;
    if (!taste->ratings) taste->chance = told > 0 ? coin(right * told, told) : 1;
}

static bool take(piaa_taste *taste, const piaa_bands *bands, const piaa_bands_shape *shape,
                 const piaa_pairwise *fit, const piaa_teaching *from, piaa_error *error) {
    const size_t n = (size_t)from->n;
    piaa_bands_shape drawn = *shape; /* together with the scores */
    drawn.lead *= fit->gain;
    taste->photos = from->n;
    taste->alpha = fit->alpha;
    taste->intercept = fit->intercept;
    piaa_bands_weigh(bands, &drawn, fit->coefficients, taste->weights);
    piaa_bands_scaler(bands, taste->mean, taste->scale);
    if (!(taste->unseen = piaa_alloc(n, sizeof *taste->unseen, error)) ||
        !(taste->scores = piaa_alloc(n, sizeof *taste->scores, error)) ||
        !(taste->learned = piaa_alloc(1, sizeof *taste->learned, error)) ||
        !(taste->learned->weights = piaa_alloc(from->count, sizeof(double), error)))
        return false;
    for (size_t k = 0; k < from->count; k++) taste->learned->weights[k] = 1;
    taste->learned->learner = &piaa_learner_ridge;
    taste->learned->spread = shape->spread;
    taste->learned->lead = shape->lead;
    taste->learned->prior = from->prior;
    memcpy(taste->unseen, fit->photo_left, n * sizeof *taste->unseen);
    memcpy(taste->scores, from->y, n * sizeof *taste->scores);
    taste->loo_rmse = taste->loo_spearman = NAN;
    if (taste->ratings && !measure_stars(taste, from, error)) return false;
    count_pairs(taste, from, fit->right);
    if (!taste->ratings) normalise(taste, fit->score);
    return true;
}

/* What a person said, over products of the photos' features. */
typedef struct products {
    piaa_bands *bands;
    double *offset; /* [n] what the prior's mean says, times how much of it is taken */
    piaa_compared said;
} products;

static bool make_products(products *made, const piaa_taste *taste, const piaa_teaching *from,
                          piaa_error *error) {
    made->said = (piaa_compared){.photos = from->n,
                                 .stars = taste->ratings ? from->y : NULL,
                                 .duels = from->duels,
                                 .count = from->duel_count,
                                 .group = taste->near->group};
    return (made->bands = piaa_bands_new(from->bands, (int)from->count, from->n, error)) &&
           (!from->prior || (piaa_bands_add_prior(made->bands, from->prior, error) &&
                             (made->offset = piaa_alloc((size_t)from->n, sizeof(double), error))));
}

static void free_products(products *made) {
    piaa_bands_free(made->bands);
    free(made->offset);
}

/* What was said over the products of this shape. */
static bool take_shape(products *made, const piaa_bands_shape *shape, piaa_error *error) {
    const double *told = piaa_bands_offset(made->bands);
    for (int64_t i = 0; told && made->offset && i < made->said.photos; i++)
        made->offset[i] = shape->lead * told[i];
    made->said.offset = made->offset;
    made->said.kernel = piaa_bands_products(made->bands, shape, error);
    return made->said.kernel;
}

/* The best of the shapes that a prior leaves to choose, no prior first: by what alpha is chosen
   by. */
static piaa_pairwise *fit_shapes(products *made, const piaa_teaching *from, piaa_bands_shape *shape,
                                 piaa_error *error) {
    static const double spreads[] = {0, 0.1, 1, 10}, leads[] = {0, 0.5, 1};
    piaa_pairwise *best = NULL;
    for (size_t s = 0; s < (from->prior ? PIAA_COUNT(spreads) : 1); s++)
        for (size_t t = 0; t < (from->prior ? PIAA_COUNT(leads) : 1); t++) {
            const piaa_bands_shape here = {.spread = spreads[s], .lead = leads[t]};
            piaa_pairwise *fit =
                take_shape(made, &here, error) ? piaa_pairwise_fit(&made->said, NULL, error) : NULL;
            const bool better = fit && (!best || fit->criterion < best->criterion);
            if (better) *shape = here;
            piaa_pairwise_free(better || !fit ? best : fit);
            if (!fit) return NULL;
            best = better ? fit : best;
        }
    return best;
}

bool piaa_taste_compare(piaa_taste *taste, const piaa_teaching *from, piaa_error *error) {
    const piaa_band *first = from->bands;
    products made = {0};
    piaa_bands_shape shape = {0};
    taste->near = piaa_near_find(first->x, first->rows, from->n, first->dim, error);
    piaa_pairwise *fit = taste->near && make_products(&made, taste, from, error)
                             ? fit_shapes(&made, from, &shape, error)
                             : NULL;
    const bool ok = fit && take(taste, made.bands, &shape, fit, from, error);
    piaa_pairwise_free(fit);
    free_products(&made);
    return ok;
}

bool piaa_taste_look_ahead(piaa_taste *taste, const piaa_teaching *from, piaa_error *error) {
    enum { MORE = 10 };
    taste->ten_more = NAN;
    if (taste->ratings < PIAA_OUTLOOK_LEAST || taste->ratings > PIAA_OUTLOOK_MOST) return true;
    products made = {0};
    const bool ok = make_products(&made, taste, from, error) &&
                    take_shape(&made, &(piaa_bands_shape){0}, error) &&
                    piaa_outlook(&made.said, taste->loo_rmse, MORE, &taste->ten_more, error);
    free_products(&made);
    return ok;
}
