/* piaa predict: a saved taste on photos, or on all photos of a store. */
#include "cli/commands.h"
#include "cli/reader.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool show(piaa_call *call, const piaa_taste *taste, const piaa_store *store,
                 const piaa_photos *photos, bool demonstration, piaa_error *error) {
    piaa_ranking *ranking = piaa_rank_photos(taste, store, photos, NULL, error);
    if (ranking && piaa_taste_verdict(taste) != PIAA_LEARNED)
        piaa_taste_doubt(taste, &call->talk.hooks);
    bool ok =
        ranking && piaa_show_ranking(call, ranking, taste, store, photos, demonstration, error);
    piaa_ranking_free(ranking);
    return ok;
}

static bool predict_photos(piaa_call *call, const piaa_taste *taste, piaa_error *error) {
    piaa_request request;
    char layer[16];
    piaa_photos photos = {0};
    piaa_reader reader = {0};
    bool ok =
        piaa_reader_request_like(call, &taste->identity, &taste->slot, &request, layer, error) &&
        piaa_reader_collect(call, &photos, error) &&
        piaa_reader_open(&reader, call, &taste->identity, &request, error) &&
        piaa_reader_need_one(&reader, error) &&
        piaa_taste_fits(taste, piaa_extractor_identity(reader.extractor),
                        &piaa_extractor_slots(reader.extractor)->items[0], error) &&
        piaa_reader_open_store(&reader, call, piaa_call_value(call, "store"), error) &&
        piaa_reader_embed(&reader, call, &photos.paths, NULL, error) &&
        show(call, taste, reader.store, &photos, piaa_model_get_info(reader.model)->demonstration,
             error);
    piaa_reader_close(&reader);
    piaa_photos_free(&photos);
    return ok;
}

/* The photos of the store that are still there; says how many are gone, and how many could not be
   read. */
static bool list_store(piaa_call *call, const piaa_store *store, piaa_photos *photos,
                       piaa_error *error) {
    size_t count = piaa_store_photos(store), gone = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        const piaa_photo *photo = piaa_store_photo(store, i);
        if (piaa_file_is_gone(photo->path)) {
            gone++;
            continue;
        }
        failed += photo->row < 0;
        if (!piaa_paths_add(&photos->paths, photo->path, error) ||
            !piaa_paths_add(&photos->names, photo->path, error))
            return false;
    }
    if (count && gone == count)
        return piaa_error_set(error, PIAA_IO,
                              "%zu photo%s in %s %s gone, the first was %s: is its disk connected?",
                              count, count == 1 ? "" : "s", piaa_store_path(store),
                              count == 1 ? "is" : "are all", piaa_store_photo(store, 0)->path);
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

static bool predict_store(piaa_call *call, const piaa_taste *taste, piaa_error *error) {
    piaa_store *store =
        piaa_store_open_read(piaa_call_value(call, "store"), &call->talk.hooks, error);
    piaa_photos photos = {0};
    bool ok = store && list_store(call, store, &photos, error) &&
              show(call, taste, store, &photos,
                   piaa_reader_tell_demonstration(call, taste->identity.fingerprint), error);
    piaa_photos_free(&photos);
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
               {"How photos are read", piaa_reader_options}},
    .notes = "Photos are read as the rated ones were: model, pool, layer, prompt and settings come "
             "from the taste and need not be given. A "
             "model "
             "or a store that is not the taste's is refused, and the difference named.",
    .run = run,
};
