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
#include "linear/metrics.h"
#include "linear/near.h"
#include "study/prior.h"
#include "study/taste_parts.h"
#include "vlm/slots.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_RATINGS = 10 };

static bool take_slots(piaa_taste *taste, const piaa_slot *slots, size_t count, piaa_error *error) {
    if (!(taste->slots.items = piaa_alloc(count, sizeof *slots, error)) ||
        !(taste->features = piaa_slots_name(slots, count, error)))
        return false;
    memcpy(taste->slots.items, slots, count * sizeof *slots);
    taste->slots.count = count;
    taste->slot = slots[0];
    for (size_t k = 0; k < count; k++) taste->dim += slots[k].dim;
    return true;
}

piaa_taste *piaa_taste_new(const piaa_identity *identity, const piaa_slot *slots, size_t count,
                           piaa_error *error) {
    piaa_taste *taste = piaa_alloc(1, sizeof *taste, error);
    if (!taste) return NULL;
    taste->mean_rmse = taste->chance = taste->interval = NAN;
    taste->pairs_right = taste->ten_more = NAN;
    taste->retest = (piaa_retest){.noise = NAN, .ceiling = NAN};
    bool ok = take_slots(taste, slots, count, error);
    size_t dim = (size_t)taste->dim;
    ok = ok && (taste->mean = piaa_alloc(dim, sizeof(double), error)) &&
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
    piaa_slots_free(&taste->slots);
    free(taste->features);
    if (taste->learned) free(taste->learned->weights);
    free(taste->learned);
    free(taste);
}

/* ------------------------------------------------------------------------------------- learning */

/* Fails where the stars alone do not show a taste. */
static bool check_scores(const piaa_taste *taste, piaa_error *error) {
    if (taste->ratings < 1)
        return piaa_error_set(
            error, PIAA_USAGE,
            "no rated photos to learn from: rate at least 2 photos with different scores");
    if (taste->ratings == 1)
        return piaa_error_set(
            error, PIAA_USAGE,
            "one rated photo does not show a taste: rate at least 2 photos with different scores");
    return taste->lowest < taste->highest ||
           piaa_error_set(
               error, PIAA_USAGE,
               "all %lld rated photos have the score %g: rate at least 2 photos with different "
               "scores",
               (long long)taste->ratings, taste->lowest);
}

/* How many stars there are, and from where to where. */
static bool look_at_scores(piaa_taste *taste, const piaa_teaching *from, piaa_error *error) {
    taste->lowest = taste->highest = NAN;
    for (int64_t i = 0; i < from->n; i++) {
        const double y = from->y[i];
        if (isinf(y) || (isnan(y) && !from->duel_count))
            return piaa_error_set(error, PIAA_FORMAT,
                                  "the score of rated photo %lld is not a finite number",
                                  (long long)i + 1);
        taste->ratings += !isnan(y);
        taste->lowest = fmin(taste->lowest, y);
        taste->highest = fmax(taste->highest, y);
    }
    return true;
}

/* Beside pairs, stars that are all equal, or a single one, set no scale. */
static void leave_stars(piaa_taste *taste, const piaa_hooks *hooks) {
    if (taste->ratings)
        piaa_hooks_warn(hooks,
                        "%lld rated photo%s %g, which sets no scale: the comparisons alone are "
                        "learned from",
                        (long long)taste->ratings, taste->ratings == 1 ? " has" : "s all have",
                        taste->lowest);
    taste->ratings = 0;
    taste->lowest = taste->highest = NAN;
}

static bool all_alike(const piaa_taste *taste) {
    for (int j = 0; j < taste->dim; j++)
        if (taste->weights[j] != 0) return false;
    return true;
}

static bool take_model(piaa_taste *taste, const piaa_bands_model *model, piaa_error *error) {
    size_t bytes = (size_t)model->dim * sizeof(double), rows = (size_t)model->left->rows;
    memcpy(taste->mean, model->mean, bytes);
    memcpy(taste->scale, model->scale, bytes);
    memcpy(taste->weights, model->weights, bytes);
    taste->photos = model->left->rows;
    taste->alpha = model->alpha;
    taste->intercept = model->intercept;
    return (taste->unseen = piaa_alloc(rows, sizeof(double), error)) &&
           (taste->scores = piaa_alloc(rows, sizeof(double), error));
}

static bool take_shape(piaa_taste *taste, const piaa_teaching *from, const piaa_learner *learner,
                       const piaa_bands_model *model, piaa_error *error) {
    const size_t blocks = (size_t)model->bands;
    if (!(taste->learned = piaa_alloc(1, sizeof *taste->learned, error)) ||
        !(taste->learned->weights = piaa_alloc(blocks, sizeof(double), error)))
        return false;
    memcpy(taste->learned->weights, model->band_weights, blocks * sizeof(double));
    taste->learned->learner = learner;
    taste->learned->spread = model->spread;
    taste->learned->lead = model->lead;
    taste->learned->prior = from->prior;
    return true;
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

/* The taste's numbers, from stars alone. */
static bool learn(piaa_taste *taste, const piaa_teaching *from, piaa_error *error) {
    if (!check_scores(taste, error)) return false;
    const piaa_band *first = from->bands;
    const piaa_learner *learner = from->learner ? from->learner : piaa_learner_find(NULL, error);
    taste->near = piaa_near_find(first->x, first->rows, from->n, first->dim, error);
    piaa_bands_model *model =
        learner && taste->near ? piaa_learner_learn(learner, from->bands, (int)from->count, from->n,
                                                    from->prior, from->y, taste->near->group, error)
                               : NULL;
    bool ok = model && take_model(taste, model, error) &&
              take_shape(taste, from, learner, model, error) &&
              take_errors(taste, model->left, from->y, error);
    piaa_bands_model_free(model);
    return ok;
}

/* Scores that miss by no less than the mean does, or an order that is no better than none. */
static bool no_better_than_mean(const piaa_taste *taste) {
    return taste->loo_rmse >= taste->mean_rmse * (1 - 1e-9) || !(taste->loo_spearman > 0);
}

piaa_verdict piaa_taste_verdict(const piaa_taste *taste) {
    if (taste->pairs && !taste->ratings)
        return taste->chance <= 0.1       ? PIAA_LEARNED
               : taste->pairs_right > 0.5 ? PIAA_MAY_BE_CHANCE
                                          : PIAA_NOT_LEARNED;
    if (isnan(taste->mean_rmse)) return PIAA_LEARNED;
    bool shown = taste->chance <= 0.1;
    if (no_better_than_mean(taste)) return shown ? PIAA_MAY_BE_CHANCE : PIAA_NOT_LEARNED;
    return shown || isnan(taste->chance) ? PIAA_LEARNED : PIAA_MAY_BE_CHANCE;
}

/* Of a taste from comparisons alone. */
static void doubt_pairs(const piaa_taste *taste, const piaa_hooks *hooks) {
    const char *one = taste->pairs == 1 ? "" : "s";
    if (all_alike(taste))
        piaa_hooks_warn(hooks,
                        "the %lld comparison%s give%s no order: ties, answers that cancel each "
                        "other out, or photos that look the same to the model; compare others",
                        (long long)taste->pairs, one, *one ? "" : "s");
    else if (piaa_taste_verdict(taste) != PIAA_LEARNED)
        piaa_hooks_warn(hooks,
                        "the %lld comparison%s do%s not show that anything was learned: of those "
                        "left out %.0f in 100 are told right, and a coin tells as many in %.0f of "
                        "100 tries (more comparisons may help)",
                        (long long)taste->pairs, one, *one ? "" : "es", 100 * taste->pairs_right,
                        100 * taste->chance);
}

const char *piaa_verdict_name(piaa_verdict verdict) {
    static const char *const names[] = {[PIAA_LEARNED] = "learned",
                                        [PIAA_MAY_BE_CHANCE] = "may be chance",
                                        [PIAA_NOT_LEARNED] = "not learned"};
    return names[verdict];
}

void piaa_taste_doubt(const piaa_taste *taste, const piaa_hooks *hooks) {
    if (taste->pairs && !taste->ratings) {
        doubt_pairs(taste, hooks);
        return;
    }
    char subject[100], rank[60] = "";
    const char *help = taste->ratings < 20    ? "40 ratings may help"
                       : taste->ratings < 100 ? "100 ratings may help"
                                              : "another model, pool or layer may help";
    piaa_verdict verdict = piaa_taste_verdict(taste);
    bool few = taste->ratings < FEW_RATINGS && !taste->pairs;
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
    if (taste->near && taste->near->square < 0)
        piaa_hooks_warn(hooks,
                        "near copies are not looked for among more than %d rated photos: errors "
                        "are measured leaving each out alone",
                        PIAA_NEAR_MOST);
    if (all_alike(taste) && taste->ratings) {
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

piaa_taste *piaa_taste_teach(const piaa_teaching *from, const piaa_hooks *hooks,
                             piaa_error *error) {
    piaa_taste *taste = piaa_taste_new(from->identity, from->slots, from->count, error);
    if (!taste) return NULL;
    bool ok = look_at_scores(taste, from, error);
    if (ok && from->duel_count && !(taste->lowest < taste->highest)) leave_stars(taste, hooks);
    if (!ok || !(from->duel_count ? piaa_taste_compare : learn)(taste, from, error)) {
        piaa_taste_free(taste);
        return NULL;
    }
    if (all_alike(taste)) taste->loo_spearman = NAN; /* there is nothing to rank by */
    piaa_utc_now(taste->made);
    tell(taste, hooks);
    return taste;
}

piaa_taste *piaa_taste_fit_rows(const piaa_identity *identity, const piaa_slot *slot,
                                const float *x, const int64_t *rows, const double *y, int64_t n,
                                const piaa_hooks *hooks, piaa_error *error) {
    const piaa_band band = {.x = x, .rows = rows, .dim = slot->dim};
    const piaa_teaching from = {
        .identity = identity, .slots = slot, .bands = &band, .count = 1, .y = y, .n = n};
    return piaa_taste_teach(&from, hooks, error);
}

/* Makes the prior ready for these scores, and tells where it is none for such arrays. */
static bool tell_prior(piaa_prior *prior, const piaa_teaching *from, const piaa_hooks *hooks,
                       piaa_error *error) {
    int dim = 0, own = 0;
    for (size_t k = 0; k < prior->count; k++) dim += prior->slots[k].dim;
    for (size_t k = 0; k < from->count; k++) own += from->slots[k].dim;
    if (dim != own)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the prior is of %d numbers for each photo, not of %d: give it the "
                              "features that it was learned from",
                              dim, own);
    piaa_prior_tell(prior, from->y, from->n, hooks);
    return true;
}

static piaa_taste *fit_arrays(piaa_teaching *from, const piaa_learning *how,
                              const piaa_hooks *hooks, piaa_error *error) {
    if (!(from->learner = piaa_learner_find(how ? how->learner : NULL, error))) return NULL;
    if (how && how->prior) {
        if (!tell_prior(how->prior, from, hooks, error)) return NULL;
        from->prior = &how->prior->bands;
    }
    piaa_taste *taste = piaa_taste_teach(from, hooks, error);
    if (taste) *taste->features = '\0'; /* it knows of none */
    return taste;
}

static bool check_arrays(const float *x, const double *y, int64_t n, int dim, int64_t duels,
                         const piaa_learning *how, piaa_error *error) {
    if (piaa_error_pending(error)) return false;
    if ((!x || (!y && !duels)) && n > 0) return piaa_error_missing(error, x ? "score" : "vector");
    if (dim < 1 || dim > PIAA_TASTE_LARGEST_DIM)
        return piaa_error_set(error, PIAA_USAGE,
                              "vectors of %d numbers: 1 to %d can be learned from", dim,
                              PIAA_TASTE_LARGEST_DIM);
    return !how || !how->choices ||
           piaa_error_set(error, PIAA_USAGE,
                          "comparisons of files beside arrays: give them as duels of its rows");
}

/* An array's columns, by layer: matrices of their own, as the fit takes them. */
typedef struct layers {
    piaa_slot *slots;
    piaa_band *bands;
    size_t count;
    float *room; /* [n][dim] in all; NULL where x itself is the one layer */
} layers;

static void free_layers(layers *l) {
    free(l->slots);
    free(l->bands);
    free(l->room);
}

static bool no_such_layers(int dim, piaa_error *error) {
    return piaa_error_set(error, PIAA_USAGE,
                          "layers have one column or more each, and %d in all, which is what an "
                          "array's row has",
                          dim);
}

static bool part_columns(layers *l, const float *x, int64_t n, int dim, const piaa_learning *how,
                         piaa_error *error) {
    const bool one = !how || !how->layer_count;
    l->count = one ? 1 : how->layer_count;
    if (!(l->slots = piaa_alloc(l->count, sizeof *l->slots, error)) ||
        !(l->bands = piaa_alloc(l->count, sizeof *l->bands, error)) ||
        (!one && !(l->room = piaa_alloc((size_t)n * (size_t)dim, sizeof *l->room, error))))
        return false;
    int64_t before = 0;
    for (size_t k = 0; k < l->count; k++) {
        const int columns = one ? dim : how->layers[k];
        if (columns < 1 || before + columns > dim) return no_such_layers(dim, error);
        l->slots[k].dim = l->bands[k].dim = columns;
        float *to = one ? NULL : l->room + n * before;
        l->bands[k].x = one ? x : to;
        for (int64_t i = 0; to && i < n; i++)
            memcpy(to + i * columns, x + i * dim + before, (size_t)columns * sizeof *x);
        before += columns;
    }
    return before == dim || no_such_layers(dim, error);
}

static piaa_taste *fit_layers(const layers *l, const double *y, int64_t n, const piaa_duel *duels,
                              int64_t count, const piaa_learning *how, const piaa_hooks *hooks,
                              piaa_error *error) {
    const piaa_identity unknown = {.library = piaa_version()};
    piaa_teaching from = {.identity = &unknown,
                          .slots = l->slots,
                          .bands = l->bands,
                          .count = l->count,
                          .y = y,
                          .n = n,
                          .duels = duels,
                          .duel_count = count};
    if (y) return fit_arrays(&from, how, hooks, error);
    double *none = piaa_alloc((size_t)n, sizeof *none, error);
    if (!none) return NULL;
    for (int64_t i = 0; i < n; i++) none[i] = NAN;
    from.y = none;
    piaa_taste *taste = fit_arrays(&from, how, hooks, error);
    free(none);
    return taste;
}

piaa_taste *piaa_taste_fit_said(const float *x, const double *y, int64_t n, int dim,
                                const piaa_duel *duels, int64_t count, const piaa_learning *how,
                                const piaa_hooks *hooks, piaa_error *error) {
    if (!check_arrays(x, y, n, dim, count, how, error)) return NULL;
    layers l = {0};
    piaa_taste *taste = part_columns(&l, x, n, dim, how, error)
                            ? fit_layers(&l, y, n, duels, count, how, hooks, error)
                            : NULL;
    free_layers(&l);
    return taste;
}

piaa_taste *piaa_taste_fit(const float *x, const double *y, int64_t n, int dim,
                           const piaa_hooks *hooks, piaa_error *error) {
    return piaa_taste_fit_said(x, y, n, dim, NULL, 0, NULL, hooks, error);
}

/* -------------------------------------------------------------------------------------- scoring */

void piaa_taste_predict(const piaa_taste *taste, const float *x, int64_t count, double *out) {
    if (!taste) {
        for (int64_t i = 0; i < count; i++) out[i] = NAN;
        return;
    }
    size_t dim = (size_t)taste->dim;
    for (size_t i = 0; i < (size_t)count; i++)
        out[i] =
            taste->intercept + piaa_ridge_dot(taste->weights, taste->mean, x + i * dim, taste->dim);
}

static bool differs(const char *what, const char *own, const char *other, piaa_error *error) {
    return piaa_error_set(error, PIAA_MISMATCH,
                          "the taste was learned with %s \"%.300s\", not \"%.300s\": use that one, "
                          "or fit the taste again",
                          what, own, other);
}

static bool made_alike(const piaa_taste *taste, const piaa_identity *identity, piaa_error *error) {
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
    return true;
}

/* One slot against one. */
static bool same_slot(const piaa_slot *own, const piaa_slot *slot, piaa_error *error) {
    if (own->pool != slot->pool)
        return differs("the pool", piaa_pool_name(own->pool), piaa_pool_name(slot->pool), error);
    if (own->layer == slot->layer && own->dim == slot->dim) return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "the taste was learned from layer %d (%d numbers), not from layer %d "
                          "(%d): use that layer, or fit "
                          "the taste again",
                          own->layer, own->dim, slot->layer, slot->dim);
}

static const piaa_slot *find_slot(const piaa_slots *slots, const piaa_slot *wanted) {
    for (size_t i = 0; i < slots->count; i++)
        if (slots->items[i].pool == wanted->pool && slots->items[i].layer == wanted->layer)
            return &slots->items[i];
    return NULL;
}

bool piaa_taste_fits_slots(const piaa_taste *taste, const piaa_identity *identity,
                           const piaa_slots *slots, piaa_error *error) {
    if (!made_alike(taste, identity, error)) return false;
    if (taste->slots.count == 1 && slots->count == 1)
        return same_slot(&taste->slot, &slots->items[0], error);
    for (size_t k = 0; k < taste->slots.count; k++) {
        const piaa_slot *own = &taste->slots.items[k], *other = find_slot(slots, own);
        if (other && other->dim == own->dim) continue;
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the taste was learned from %.200s, and these features have %s %s: "
                              "read the photos with --features %.200s, or fit the taste again",
                              taste->features, other ? "another length of" : "no",
                              piaa_slot_name(own).text, taste->features);
    }
    return true;
}

bool piaa_taste_fits(const piaa_taste *taste, const piaa_identity *identity, const piaa_slot *slot,
                     piaa_error *error) {
    piaa_slot one = *slot;
    const piaa_slots slots = {.items = &one, .count = 1};
    return piaa_taste_fits_slots(taste, identity, &slots, error);
}

void piaa_taste_request(const piaa_taste *taste, piaa_request *out) {
    char layer[16];
    piaa_request_like(&taste->identity, &taste->slot, layer, out);
    out->pools = out->layers = NULL;
    out->features = taste->features;
}
