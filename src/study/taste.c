/*
 * Learns one person's taste with a ridge regression, and scores photos with it.  The file format is
 * in taste_file.c.
 *
 * Near copies among the rated photos are left out together wherever errors are measured and alpha
 * is chosen (linear/near.h, linear/leave_out.h); without any, alpha is scikit-learn's.
 */
#include "study/taste.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "linear/leave_out.h"
#include "linear/metrics.h"
#include "linear/near.h"
#include "study/taste_parts.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FEW_RATINGS = 10 };

piaa_taste *piaa_taste_new(const piaa_identity *identity, const piaa_slot *slot,
                           piaa_error *error) {
    piaa_taste *taste = piaa_alloc(1, sizeof *taste, error);
    if (!taste) return NULL;
    size_t dim = (size_t)slot->dim;
    taste->slot = *slot;
    taste->mean_rmse = taste->chance = taste->interval = NAN;
    bool ok = (taste->mean = piaa_alloc(dim, sizeof(double), error)) &&
              (taste->scale = piaa_alloc(dim, sizeof(double), error)) &&
              (taste->weights = piaa_alloc(dim, sizeof(double), error));
    for (size_t i = 0; ok && i < PIAA_IDENTITY_KEYS; i++) {
        char *copy = piaa_strdup(piaa_identity_get(identity, i), error);
        piaa_identity_set(&taste->identity, i, copy);
        ok = copy != NULL;
    }
    if (ok) return taste;
    piaa_taste_free(taste);
    return NULL;
}

void piaa_taste_free(piaa_taste *taste) {
    if (!taste) return;
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        char *text;
        memcpy(&text, (char *)&taste->identity + piaa_identity_keys[i].offset, sizeof text);
        free(text);
    }
    free(taste->mean);
    free(taste->scale);
    free(taste->weights);
    free(taste->unseen);
    free(taste->scores);
    piaa_near_free(taste->near);
    free(taste);
}

/* ------------------------------------------------------------------------------------- learning */

static bool check_scores(const double *y, int64_t n, double *lowest, double *highest,
                         piaa_error *error) {
    if (n < 1)
        return piaa_error_set(
            error, PIAA_USAGE,
            "no rated photos to learn from: rate at least 2 photos with different scores");
    if (n == 1)
        return piaa_error_set(
            error, PIAA_USAGE,
            "one rated photo does not show a taste: rate at least 2 photos with different scores");
    *lowest = *highest = y[0];
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(y[i]))
            return piaa_error_set(error, PIAA_FORMAT,
                                  "the score of rated photo %lld is not a finite number",
                                  (long long)i + 1);
        *lowest = fmin(*lowest, y[i]);
        *highest = fmax(*highest, y[i]);
    }
    if (*lowest == *highest)
        return piaa_error_set(
            error, PIAA_USAGE,
            "all %lld rated photos have the score %g: rate at least 2 photos with different scores",
            (long long)n, *lowest);
    return true;
}

static bool all_alike(const piaa_ridge *model) {
    for (int j = 0; j < model->dim; j++)
        if (model->weights[j] != 0) return false;
    return true;
}

static bool take_model(piaa_taste *taste, const piaa_ridge *model, piaa_error *error) {
    size_t bytes = (size_t)model->dim * sizeof(double);
    memcpy(taste->mean, model->mean, bytes);
    memcpy(taste->scale, model->scale, bytes);
    memcpy(taste->weights, model->weights, bytes);
    taste->ratings = model->rows;
    taste->alpha = model->alphas[0];
    taste->intercept = model->intercepts[0];
    return (taste->unseen = piaa_alloc((size_t)model->rows, sizeof(double), error)) &&
           (taste->scores = piaa_alloc((size_t)model->rows, sizeof(double), error));
}

static bool take_errors(piaa_taste *taste, const piaa_left_out *left, const double *y,
                        piaa_error *error) {
    memcpy(taste->unseen, left->predicted, (size_t)left->rows * sizeof(double));
    memcpy(taste->scores, y, (size_t)left->rows * sizeof(double));
    taste->groups = left->groups;
    taste->loo_rmse = left->rmse;
    taste->mean_rmse = left->rmse_of_mean;
    taste->chance = left->chance;
    taste->interval = piaa_left_out_quantile(left, PIAA_TASTE_LEVEL);
    return piaa_metrics_spearman(y, left->predicted, (size_t)left->rows, &taste->loo_spearman,
                                 error);
}

/* The taste's numbers from a design of the rated photos. */
static bool learn(piaa_taste *taste, piaa_ridge_design *design, const float *x, const int64_t *rows,
                  const double *y, int64_t n, piaa_error *error) {
    taste->near = piaa_near_find(x, rows, n, taste->slot.dim, error);
    piaa_left_out *left =
        taste->near ? piaa_leave_out(design, y, n, taste->near->group, error) : NULL;
    if (!left) return false;
    const piaa_ridge_options fixed = {.alphas = &left->alpha, .alpha_count = 1};
    piaa_ridge *model = piaa_ridge_fit(design, y, 1, &fixed, error);
    bool ok = model && take_model(taste, model, error) && take_errors(taste, left, y, error);
    if (ok && all_alike(model)) taste->loo_spearman = NAN; /* there is nothing to rank by */
    piaa_ridge_free(model);
    piaa_left_out_free(left);
    return ok;
}

/* Scores that miss by no less than the mean does, or an order that is no better than none. */
static bool no_better_than_mean(const piaa_taste *taste) {
    return taste->loo_rmse >= taste->mean_rmse * (1 - 1e-9) || !(taste->loo_spearman > 0);
}

piaa_verdict piaa_taste_verdict(const piaa_taste *taste) {
    if (isnan(taste->mean_rmse)) return PIAA_LEARNED;
    bool shown = taste->chance <= 0.1;
    if (no_better_than_mean(taste)) return shown ? PIAA_MAY_BE_CHANCE : PIAA_NOT_LEARNED;
    return shown || isnan(taste->chance) ? PIAA_LEARNED : PIAA_MAY_BE_CHANCE;
}

void piaa_taste_doubt(const piaa_taste *taste, const piaa_hooks *hooks) {
    char subject[100], rank[60] = "";
    const char *help = taste->ratings < 20    ? "40 ratings may help"
                       : taste->ratings < 100 ? "100 ratings may help"
                                              : "another model, pool or layer may help";
    piaa_verdict verdict = piaa_taste_verdict(taste);
    bool few = taste->ratings < FEW_RATINGS;
    if (verdict != PIAA_LEARNED && no_better_than_mean(taste)) {
        if (verdict == PIAA_MAY_BE_CHANCE)
            snprintf(subject, sizeof subject, "what was learned may be chance");
        else
            snprintf(subject, sizeof subject,
                     few ? "only %lld rated photos, which do not show that anything was learned"
                         : "the %lld ratings do not show that anything was learned",
                     (long long)taste->ratings);
        if (!isnan(taste->loo_spearman))
            snprintf(rank, sizeof rank, ", their rank correlation is %.2f", taste->loo_spearman);
        piaa_hooks_warn(
            hooks,
            "%s: photos left out are missed by %.2f, by always guessing the mean %.2f%s%s (%s)",
            subject, taste->loo_rmse, taste->mean_rmse, rank,
            verdict == PIAA_NOT_LEARNED ? "; take the order as noise for now" : "", help);
    } else if (few) {
        piaa_hooks_warn(hooks,
                        "learned from only %lld rated photos: expect rough scores; %d or more are "
                        "better, 100 better still",
                        (long long)taste->ratings, FEW_RATINGS);
    } else if (verdict == PIAA_MAY_BE_CHANCE) {
        piaa_hooks_warn(hooks,
                        "what was learned may be chance: dealt out to the photos at random, the "
                        "ratings are predicted as well in %.0f of 100 tries (%s)",
                        100 * taste->chance, help);
    }
}

static void tell(const piaa_taste *taste, const piaa_hooks *hooks) {
    if (isnan(taste->loo_spearman)) {
        piaa_hooks_warn(hooks,
                        "the features tell none of the rated photos apart, so every photo gets "
                        "the mean score, %.2f: choose another %s",
                        taste->intercept, taste->slot.layer == 0 ? "layer" : "layer or pool");
        return;
    }
    if (taste->groups < taste->ratings) {
        piaa_hooks_warn(hooks,
                        "near copies (saved again, cropped, taken in a burst) make %lld different "
                        "photos of the %lld rated ones: errors are measured leaving out copies "
                        "together",
                        (long long)taste->groups, (long long)taste->ratings);
    }
    piaa_taste_doubt(taste, hooks);
}

piaa_taste *piaa_taste_fit_rows(const piaa_identity *identity, const piaa_slot *slot,
                                const float *x, const int64_t *rows, const double *y, int64_t n,
                                const piaa_hooks *hooks, piaa_error *error) {
    double lowest = 0, highest = 0;
    if (!check_scores(y, n, &lowest, &highest, error)) return NULL;
    piaa_ridge_design *design = piaa_ridge_design_new(x, rows, n, slot->dim, error);
    piaa_taste *taste = design ? piaa_taste_new(identity, slot, error) : NULL;
    if (taste && !learn(taste, design, x, rows, y, n, error)) {
        piaa_taste_free(taste);
        taste = NULL;
    }
    piaa_ridge_design_free(design);
    if (!taste) return NULL;
    taste->lowest = lowest;
    taste->highest = highest;
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(taste->made, sizeof taste->made, "%Y-%m-%dT%H:%M:%SZ", &utc);
    tell(taste, hooks);
    return taste;
}

piaa_taste *piaa_taste_fit(const float *x, const double *y, int64_t n, int dim,
                           const piaa_hooks *hooks, piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    if ((!x || !y) && n > 0) {
        piaa_error_missing(error, x ? "score" : "vector");
        return NULL;
    }
    if (dim < 1 || dim > PIAA_TASTE_LARGEST_DIM) {
        piaa_error_set(error, PIAA_USAGE, "vectors of %d numbers: 1 to %d can be learned from", dim,
                       PIAA_TASTE_LARGEST_DIM);
        return NULL;
    }
    const piaa_identity unknown = {.library = piaa_version()};
    const piaa_slot slot = {.dim = dim};
    return piaa_taste_fit_rows(&unknown, &slot, x, NULL, y, n, hooks, error);
}

/* -------------------------------------------------------------------------------------- scoring */

void piaa_taste_predict(const piaa_taste *taste, const float *x, int64_t count, double *out) {
    if (!taste) {
        for (int64_t i = 0; i < count; i++) out[i] = NAN;
        return;
    }
    size_t dim = (size_t)taste->slot.dim;
    for (size_t i = 0; i < (size_t)count; i++)
        out[i] = taste->intercept +
                 piaa_ridge_dot(taste->weights, taste->mean, x + i * dim, taste->slot.dim);
}

static bool differs(const char *what, const char *own, const char *other, piaa_error *error) {
    return piaa_error_set(error, PIAA_MISMATCH,
                          "the taste was learned with %s \"%.300s\", not \"%.300s\": use that one, "
                          "or fit the taste again",
                          what, own, other);
}

bool piaa_taste_fits(const piaa_taste *taste, const piaa_identity *identity, const piaa_slot *slot,
                     piaa_error *error) {
    if (!*taste->identity.fingerprint && identity->fingerprint && *identity->fingerprint)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the taste was learned from plain arrays, and does not know which "
                              "model made them: it scores arrays alone");
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const piaa_identity_key *text = &piaa_identity_keys[i];
        const char *own = piaa_identity_get(&taste->identity, i),
                   *other = piaa_identity_get(identity, i);
        if (piaa_identity_same(i, own, other)) continue;
        if (text->offset != offsetof(piaa_identity, fingerprint))
            return differs(text->called, own, other, error);
        const char *name = identity->model ? identity->model : "";
        if (strcmp(taste->identity.model, name) != 0)
            return differs(text->called, taste->identity.model, name, error);
        const char *mine = taste->identity.adapter,
                   *its = identity->adapter ? identity->adapter : "";
        if (strcmp(mine, its) != 0)
            return differs("the adapter", *mine ? mine : "none", *its ? its : "none", error);
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the taste was learned with other weights of the model \"%.300s\": "
                              "use those, or fit the taste "
                              "again",
                              name);
    }
    if (taste->slot.pool != slot->pool)
        return differs("the pool", piaa_pool_name(taste->slot.pool), piaa_pool_name(slot->pool),
                       error);
    if (taste->slot.layer == slot->layer && taste->slot.dim == slot->dim) return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "the taste was learned from layer %d (%d numbers), not from layer %d "
                          "(%d): use that layer, or fit "
                          "the taste again",
                          taste->slot.layer, taste->slot.dim, slot->layer, slot->dim);
}
