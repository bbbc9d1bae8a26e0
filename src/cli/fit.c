/* piaa fit: one person's taste from a store and ratings. */
#include "study/taste.h"

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "cli/show.h"
#include "report/report.h"
#include "vlm/slots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The store's slots that the options leave: *count of them, the first as the result. */
static int matching(const piaa_slots *slots, const piaa_pool *pool, const int64_t *layer,
                    size_t *count) {
    int first = -1;
    *count = 0;
    for (size_t i = 0; i < slots->count; i++) {
        if (pool && slots->items[i].pool != *pool) continue;
        if (layer && slots->items[i].layer != *layer) continue;
        if (!(*count)++) first = (int)i;
    }
    return first;
}

/* "lt.3, lt.4, lv.3, …" */
static void list_slots(const piaa_slots *slots, char *out, size_t size) {
    enum { SHOWN = 12 };
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < slots->count && i <= SHOWN && used < size; i++)
        used += (size_t)(i == SHOWN ? snprintf(out + used, size - used, ", …")
                                    : snprintf(out + used, size - used, "%s%s", i ? ", " : "",
                                               piaa_slot_name(&slots->items[i]).text));
}

/* The slot that the options leave; -1 with the error set unless it is exactly one. */
static int choose_slot(const piaa_call *call, const piaa_store *store, piaa_error *error) {
    const char *pool_name = piaa_call_value(call, "pool");
    piaa_pool pool;
    int64_t layer = -1;
    if (pool_name && !piaa_pool_parse(pool_name, &pool)) {
        piaa_error_set(error, PIAA_USAGE, "--pool cannot be \"%s\": name one of lt, lt_tail, lv, v",
                       pool_name);
        return -1;
    }
    if (!piaa_call_integer(call, "layer", 0, 100000, &layer, error)) return -1;
    size_t count;
    const piaa_slots *slots = piaa_store_slots(store);
    int slot = matching(slots, pool_name ? &pool : NULL, layer >= 0 ? &layer : NULL, &count);
    if (count == 1) return slot;
    char list[256];
    list_slots(slots, list, sizeof list);
    if (!count)
        piaa_error_set(error, PIAA_USAGE,
                       "%s has no such matrix, it has %s: add it with piaa embed",
                       piaa_store_path(store), list);
    else
        piaa_error_set(error, PIAA_USAGE,
                       "%s has several matrices (%s): name one with --pool and --layer",
                       piaa_store_path(store), list);
    return -1;
}

/* "all-pools" of a store: each of its pools, which has to stand there at one layer. */
static bool take_pools(const piaa_store *store, piaa_slots *out, piaa_error *error) {
    const piaa_slots *slots = piaa_store_slots(store);
    if (!(out->items = piaa_alloc(slots->count, sizeof *out->items, error))) return false;
    for (size_t i = 0; i < slots->count; i++) {
        for (size_t k = 0; k < out->count; k++)
            if (out->items[k].pool == slots->items[i].pool)
                return piaa_error_set(error, PIAA_USAGE,
                                      "%s has the pool %s at several layers: name what is to stand "
                                      "side by side, as in --features %s+…",
                                      piaa_store_path(store), piaa_pool_name(out->items[k].pool),
                                      piaa_slot_name(&out->items[k]).text);
        out->items[out->count++] = slots->items[i];
    }
    return true;
}

/* What is learned from, of the store's slots. */
static bool choose_slots(const piaa_call *call, const piaa_store *store, piaa_slots *out,
                         piaa_error *error) {
    const char *features = piaa_call_value(call, "features");
    if (features && strcmp(features, "all-pools") == 0) return take_pools(store, out, error);
    if (features) return piaa_slots_parse_joined(features, NULL, out, error);
    const int slot = choose_slot(call, store, error);
    if (slot < 0 || !(out->items = piaa_alloc(1, sizeof *out->items, error))) return false;
    out->items[0] = piaa_store_slots(store)->items[slot];
    out->count = 1;
    return true;
}

static bool save(const piaa_taste *taste, const char *path, piaa_error *error) {
    if (strcmp(path, "-") != 0) return piaa_taste_save(taste, path, error);
    char *text = piaa_taste_to_json(taste, error);
    bool ok = text && piaa_report_write(stdout, text, strlen(text), error);
    free(text);
    return ok;
}

static void sum_up(piaa_call *call, const piaa_taste *taste) {
    char figures[200], count[96];
    size_t used = piaa_show_errors(taste, figures, sizeof figures);
    if (isfinite(taste->loo_spearman))
        snprintf(figures + used, sizeof figures - used, ", rank correlation %.2f",
                 taste->loo_spearman);
    char features[64];
    snprintf(features, sizeof features, "%s at layer %d", piaa_pool_name(taste->slot.pool),
             taste->slot.layer);
    piaa_talk_note(&call->talk, "Learned from %s, %s; %s (leave-one-out).",
                   piaa_show_source(taste, count),
                   taste->slots.count > 1 ? taste->features : features, figures);
}

/* The photos of the store are what the ratings' names can mean. */
static bool read_said(piaa_call *call, const piaa_store *store, piaa_call_said *said,
                      piaa_error *error) {
    piaa_photos *photos = piaa_photos_of_store(store, NULL, error);
    const bool ok = photos && piaa_call_read_said(call, photos, said, error);
    piaa_photos_free(photos);
    return ok;
}

static piaa_taste *learn(piaa_call *call, const piaa_store *store, const piaa_call_said *from,
                         piaa_prior *prior, piaa_error *error) {
    piaa_slots slots = {0};
    const piaa_said said = {.ratings = from->ratings, .choices = from->choices};
    const piaa_learning how = {
        .learner = piaa_call_value(call, "learner"), .choices = said.choices, .prior = prior};
    piaa_taste *taste = choose_slots(call, store, &slots, error)
                            ? piaa_taste_learn_slots(store, slots.items, slots.count, said.ratings,
                                                     &how, &call->talk.hooks, error)
                            : NULL;
    piaa_slots_free(&slots);
    if (taste && piaa_taste_foretell(taste, store, &said, error)) return taste;
    piaa_taste_free(taste);
    return NULL;
}

static bool run(piaa_call *call, piaa_error *error) {
    if (!piaa_call_need(call, "store", error) || !piaa_call_need_said(call, error) ||
        !piaa_call_need(call, "out", error) ||
        !piaa_call_exclude(call, "features", "pool", error) ||
        !piaa_call_exclude(call, "features", "layer", error))
        return false;
    const char *to = piaa_call_value(call, "out");
    if (strcmp(to, "-") != 0 && !piaa_call_output(call, to, &piaa_taste_output, error))
        return false;
    piaa_store *store =
        piaa_store_open_read(piaa_call_value(call, "store"), &call->talk.hooks, error);
    piaa_call_said said = {0};
    piaa_prior *prior = NULL;
    piaa_taste *taste =
        store && piaa_call_prior(call, &prior, error) && read_said(call, store, &said, error)
            ? learn(call, store, &said, prior, error)
            : NULL;
    bool ok = taste && save(taste, to, error);
    if (ok) piaa_call_tell_demonstration(call, piaa_identity_is_demonstration(&taste->identity));
    if (ok) sum_up(call, taste);
    if (ok) piaa_call_tell_outlook(call, taste);
    piaa_taste_free(taste);
    piaa_prior_free(prior);
    piaa_store_close(store);
    piaa_call_free_said(&said);
    return ok;
}

static const piaa_option options[] = {
    {"store", "STORE", "the feature store with the rated photos", NULL, NULL},
    {"ratings", "FILE",
     "the table to learn from: a header with path,score, paths relative to the file; also what "
     "spreadsheets and exiftool -csv save (docs/ratings.md); xmp: the stars in the photos "
     "themselves and in their sidecars",
     NULL, NULL},
    PIAA_OPTION_PAIRS,
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    {"out", "FILE", "the file to write the taste to (JSON); - is standard output", NULL, NULL},
    {"pool", "POOL", "which pool to learn from, where the store has several", NULL,
     "lt lt_tail lv v"},
    {"layer", "N", "which layer to learn from, where the store has several", NULL, NULL},
    {"features", "FEATURES",
     "several of the store's pools and layers side by side, as in lt.15+lv.9+v.20; all-pools: each "
     "pool that it has",
     NULL, NULL},
    PIAA_OPTION_LEARNER,
    PIAA_OPTION_PRIOR,
    {0},
};

const piaa_command piaa_command_fit = {
    .name = "fit",
    .summary = "Learn one person's taste from a feature store and ratings",
    .example = "piaa fit --store holiday.store --ratings ratings.csv --out taste.json\n",
    .operands = "",
    .groups = {{"Options", options}},
    .notes = "The taste is a ridge regression on standardised features, its strength chosen by "
             "leave-one-out error, as scikit-learn's RidgeCV "
             "does; near copies of a photo are left out together. The file holds all that is "
             "needed to score a photo; piaa predict reads it.",
    .run = run,
};
