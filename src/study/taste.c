/* Learns one person's taste with a ridge regression, and scores photos with it.  The file format is
   in taste_file.c. */
#include "study/taste.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "linear/metrics.h"
#include "linear/ridge.h"
#include "study/taste_parts.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FEW_RATINGS = 10 };

#define TEXT(member, called)                                                                       \
    { offsetof(piaa_identity, member), #member, called }
const piaa_taste_text piaa_taste_texts[PIAA_TASTE_TEXTS] = {
    TEXT(fingerprint, "the model"),
    TEXT(prompt, "the prompt"),
    TEXT(preprocessing, "the preprocessing"),
    TEXT(dtype, "weights of type"),
    TEXT(model, NULL),
    TEXT(family, NULL),
    TEXT(library, NULL),
};
#undef TEXT

const char *piaa_taste_text_get(const piaa_identity *identity, size_t index) {
    const char *text;
    memcpy(&text, (const char *)identity + piaa_taste_texts[index].offset, sizeof text);
    return text ? text : "";
}

void piaa_taste_text_set(piaa_identity *identity, size_t index, const char *text) {
    memcpy((char *)identity + piaa_taste_texts[index].offset, &text, sizeof text);
}

piaa_taste *piaa_taste_new(const piaa_identity *identity, const piaa_slot *slot,
                           piaa_error *error) {
    piaa_taste *taste = piaa_alloc(1, sizeof *taste, error);
    if (!taste) return NULL;
    size_t dim = (size_t)slot->dim;
    taste->slot = *slot;
    bool ok = (taste->mean = piaa_alloc(dim, sizeof(double), error)) &&
              (taste->scale = piaa_alloc(dim, sizeof(double), error)) &&
              (taste->weights = piaa_alloc(dim, sizeof(double), error));
    for (size_t i = 0; ok && i < PIAA_TASTE_TEXTS; i++) {
        char *copy = piaa_strdup(piaa_taste_text_get(identity, i), error);
        piaa_taste_text_set(&taste->identity, i, copy);
        ok = copy != NULL;
    }
    if (ok) return taste;
    piaa_taste_free(taste);
    return NULL;
}

void piaa_taste_free(piaa_taste *taste) {
    if (!taste) return;
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++) {
        char *text;
        memcpy(&text, (char *)&taste->identity + piaa_taste_texts[i].offset, sizeof text);
        free(text);
    }
    free(taste->mean);
    free(taste->scale);
    free(taste->weights);
    free(taste->unseen);
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

static bool take_model(piaa_taste *taste, const piaa_ridge *model, const double *y,
                       const piaa_hooks *hooks, piaa_error *error) {
    size_t bytes = (size_t)model->dim * sizeof(double);
    memcpy(taste->mean, model->mean, bytes);
    memcpy(taste->scale, model->scale, bytes);
    memcpy(taste->weights, model->weights, bytes);
    taste->alpha = model->alphas[0];
    taste->intercept = model->intercepts[0];
    taste->loo_rmse = model->loo_rmse[0];
    taste->unseen = piaa_alloc((size_t)model->rows, sizeof(double), error);
    if (!taste->unseen) return false;
    memcpy(taste->unseen, model->loo, (size_t)model->rows * sizeof(double));
    if (!piaa_metrics_spearman(y, model->loo, (size_t)model->rows, &taste->loo_spearman, error))
        return false;
    if (!all_alike(model)) return true;
    taste->loo_spearman = NAN; /* there is nothing to rank by */
    char line[200];
    snprintf(line, sizeof line,
             "the features tell none of the rated photos apart, so every photo gets the mean "
             "score, %.2f: choose another %s",
             taste->intercept, taste->slot.layer == 0 ? "layer" : "layer or pool");
    piaa_hooks_warn(hooks, line);
    return true;
}

piaa_taste *piaa_taste_fit_rows(const piaa_identity *identity, const piaa_slot *slot,
                                const float *x, const int64_t *rows, const double *y, int64_t n,
                                const piaa_hooks *hooks, piaa_error *error) {
    double lowest = 0, highest = 0;
    if (!check_scores(y, n, &lowest, &highest, error)) return NULL;
    piaa_ridge_design *design = piaa_ridge_design_new(x, rows, n, slot->dim, error);
    piaa_ridge *model = design ? piaa_ridge_fit(design, y, 1, NULL, error) : NULL;
    piaa_taste *taste = model ? piaa_taste_new(identity, slot, error) : NULL;
    if (taste) {
        taste->ratings = n;
        taste->lowest = lowest;
        taste->highest = highest;
        time_t now = time(NULL);
        struct tm utc;
        if (gmtime_r(&now, &utc))
            strftime(taste->made, sizeof taste->made, "%Y-%m-%dT%H:%M:%SZ", &utc);
        if (!take_model(taste, model, y, hooks, error)) {
            piaa_taste_free(taste);
            taste = NULL;
        }
    }
    if (taste && n < FEW_RATINGS) {
        char line[160];
        snprintf(line, sizeof line,
                 "learned from only %lld rated photos: expect rough scores; %d or more are better, "
                 "100 better still",
                 (long long)n, FEW_RATINGS);
        piaa_hooks_warn(hooks, line);
    }
    piaa_ridge_free(model);
    piaa_ridge_design_free(design);
    return taste;
}

/* -------------------------------------------------------------------------------------- scoring */

void piaa_taste_predict(const piaa_taste *taste, const float *x, int64_t count, double *out) {
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
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++) {
        const piaa_taste_text *text = &piaa_taste_texts[i];
        const char *own = piaa_taste_text_get(&taste->identity, i),
                   *other = piaa_taste_text_get(identity, i);
        if (!text->called || strcmp(own, other) == 0) continue;
        if (text->offset != offsetof(piaa_identity, fingerprint))
            return differs(text->called, own, other, error);
        const char *name = identity->model ? identity->model : "";
        if (strcmp(taste->identity.model, name) != 0)
            return differs(text->called, taste->identity.model, name, error);
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
