/* piaa predict: a saved taste on photos, or on all photos of a store. */
#include "cli/commands.h"
#include "cli/request.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool show(piaa_call *call, const piaa_taste *taste, const piaa_store *store,
                 const piaa_photos *photos, bool demonstration, piaa_error *error) {
    size_t top;
    if (!piaa_show_top(call, &top, error)) return false;
    piaa_ranking *ranking = piaa_rank_best(taste, store, photos, NULL, top, error);
    if (ranking && piaa_taste_verdict(taste) != PIAA_LEARNED)
        piaa_taste_doubt(taste, &call->talk.hooks);
    bool ok =
        ranking && piaa_show_ranking(call, ranking, taste, store, photos, demonstration, error);
    piaa_ranking_free(ranking);
    return ok;
}

/* Photos are read as the rated ones were, as far as the options do not say otherwise; what fits is
   checked before any is. */
static bool predict_read(piaa_call *call, const piaa_taste *taste, const piaa_request *request,
                         piaa_photos *photos, piaa_model *model, piaa_reader *reader,
                         piaa_error *error) {
    const bool demonstration = piaa_model_get_info(model)->demonstration;
    const piaa_extractor *extractor = piaa_reader_extractor(reader);
    piaa_call_tell_demonstration(call, demonstration);
    return piaa_call_need_one(request, reader, error) &&
           piaa_taste_fits_slots(taste, piaa_extractor_identity(extractor),
                                 piaa_extractor_slots(extractor), error) &&
           piaa_call_open_store(call, reader, piaa_call_value(call, "store"), error) &&
           piaa_call_read(call, reader, photos, NULL, error) &&
           show(call, taste, piaa_reader_store(reader), photos, demonstration, error);
}

static bool predict_photos(piaa_call *call, const piaa_taste *taste, piaa_error *error) {
    piaa_request like, request;
    char layer[16];
    piaa_request_like(&taste->identity, &taste->slot, layer, &like);
    if (taste->slots.count > 1) piaa_taste_request(taste, &like);
    if (!piaa_call_request(call, &like, &request, error)) return false;
    piaa_photos *photos = piaa_call_photos(call, error);
    piaa_model *model = photos ? piaa_call_model_like(call, &taste->identity, error) : NULL;
    piaa_reader *reader = model ? piaa_reader_new(model, &request, error) : NULL;
    const bool ok = reader && predict_read(call, taste, &request, photos, model, reader, error);
    piaa_reader_free(reader);
    piaa_model_close(model);
    piaa_photos_free(photos);
    return ok;
}

/* Says how many photos of the store are gone, and how many could not be read. */
static bool tell_store(piaa_call *call, const piaa_store *store, const piaa_photos *photos,
                       size_t gone, piaa_error *error) {
    size_t count = piaa_store_photos(store), failed = 0;
    for (size_t i = 0; i < piaa_photos_count(photos); i++)
        failed += piaa_store_find(store, piaa_photos_paths(photos)[i]).row < 0;
    if (!photos) failed = (size_t)piaa_store_count(store).failed;
    if (count && gone == count)
        return piaa_error_set(error, PIAA_IO,
                              "%zu photo%s in %s %s gone, the first was %s: is its disk connected?",
                              count, count == 1 ? "" : "s", piaa_store_path(store),
                              count == 1 ? "is" : "are all", piaa_store_photo(store, 0).path);
    if (gone)
        piaa_talk_warn(&call->talk,
                       "%zu of the store's %zu photos %s gone and not ranked: piaa store prune %s "
                       "forgets %s",
                       gone, count, gone == 1 ? "is" : "are", piaa_store_path(store),
                       gone == 1 ? "it" : "them");
    if (failed)
        piaa_talk_warn(&call->talk,
                       "%zu of the store's photos could not be read: piaa store list %s --failed "
                       "shows why",
                       failed, piaa_store_path(store));
    return true;
}

/* A list of the photos is made only where some are gone: there may be millions. */
static bool predict_store(piaa_call *call, const piaa_taste *taste, piaa_error *error) {
    const bool demonstration = piaa_identity_is_demonstration(&taste->identity);
    piaa_store *store =
        piaa_store_open_read(piaa_call_value(call, "store"), &call->talk.hooks, error);
    size_t gone = store ? piaa_show_gone(store) : 0;
    piaa_photos *photos = gone ? piaa_photos_of_store(store, &gone, error) : NULL;
    bool ok = store && (photos || !gone) && tell_store(call, store, photos, gone, error);
    if (ok) piaa_call_tell_demonstration(call, demonstration);
    ok = ok && show(call, taste, store, photos, demonstration, error);
    piaa_photos_free(photos);
    piaa_store_close(store);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    if (!piaa_call_need(call, "taste", error) || !piaa_show_check(call, error)) return false;
    if (!call->operand_count && !piaa_call_has(call, "store"))
        return piaa_error_set(error, PIAA_USAGE,
                              "nothing to score: name PHOTOS, or a store with --store");
    piaa_taste *taste = piaa_taste_load(piaa_call_value(call, "taste"), error);
    bool ok = taste && (call->operand_count ? predict_photos : predict_store)(call, taste, error);
    piaa_taste_free(taste);
    return ok;
}

static const piaa_option options[] = {
    {"taste", "FILE", "the taste that piaa fit wrote", NULL, NULL},
    {"store", "STORE",
     "without PHOTOS, score every photo of this store; with PHOTOS, the folder where their "
     "features are kept",
     "one in ~/.cache/piaa/stores", NULL},
    PIAA_OPTION_AGAIN,
    {0},
};

const piaa_command piaa_command_predict = {
    .name = "predict",
    .summary = "Score photos by a taste that was learned before",
    .example = "piaa predict --taste taste.json --store holiday.store --top 20\n"
               "piaa predict --taste taste.json new-photos\n",
    .operands = "[PHOTOS…]",
    .most = -1,
    .groups = {{"Taste and features", options},
               {"What is printed", piaa_show_options},
               {"How photos are read", piaa_request_options}},
    .notes = "Photos are read as the rated ones were: model, pool, layer, prompt and settings come "
             "from the taste and need not be given. A "
             "model "
             "or a store that is not the taste's is refused, and the difference named.",
    .run = run,
};
