/* A taste of the photos in a store that a person said something of. */
#include "base/hooks.h"
#include "study/prior.h"
#include "study/rank.h"
#include "study/rated.h"
#include "study/taste_parts.h"

static bool no_overlap(const piaa_store *store, const piaa_said *said, piaa_error *error) {
    const bool stars = piaa_ratings_count(said->ratings) > 0;
    const char *where = said->ratings   ? piaa_ratings_where(said->ratings)
                        : said->choices ? piaa_choices_where(said->choices)
                                        : "nothing";
    if (!stars && !piaa_choices_count(said->choices))
        return piaa_error_set(error, PIAA_USAGE, "%s holds no ratings", where);
    const char *rated =
        stars ? piaa_ratings_at(said->ratings, 0)->path : piaa_choices_at(said->choices, 0)->one;
    if (!piaa_store_photos(store))
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s holds no photos yet: embed the rated ones first",
                              piaa_store_path(store));
    if (!stars)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "of none of the %zu comparisons both photos are among those read: "
                              "they name %.300s, the photos are like %.300s (paths in %.300s are "
                              "relative to its folder)",
                              piaa_choices_count(said->choices), rated,
                              piaa_store_photo(store, 0).path, where);
    return piaa_error_set(error, PIAA_MISMATCH,
                          "none of the %zu rated photos is among the photos read: the ratings name "
                          "%.300s, the photos are like %.300s "
                          "(paths in the ratings are relative to the file they stand in)",
                          piaa_ratings_count(said->ratings), rated,
                          piaa_store_photo(store, 0).path);
}

/* The taste of the rated photos that were found, one at least. */
static piaa_taste *teach(piaa_joined *joined, const piaa_rated *rated, const piaa_learner *learner,
                         piaa_prior *prior, const piaa_hooks *hooks, piaa_error *error) {
    piaa_slot slots[PIAA_SOURCE_PARTS];
    piaa_band bands[PIAA_SOURCE_PARTS];
    for (size_t k = 0; k < joined->count; k++)
        slots[k] = piaa_store_slots(joined->store)->items[joined->found[k]];
    if (!piaa_joined_bands(joined, rated->rows, rated->count, bands, error)) return NULL;
    const piaa_identity identity = piaa_store_identity(joined->store);
    if (prior) {
        if (!piaa_prior_fits(prior, &identity, slots, joined->count, error)) return NULL;
        piaa_prior_tell(prior, rated->scores, rated->count, hooks);
    }
    const piaa_teaching from = {.identity = &identity,
                                .slots = slots,
                                .bands = bands,
                                .count = joined->count,
                                .y = rated->scores,
                                .n = rated->count,
                                .duels = rated->duels,
                                .duel_count = rated->duel_count,
                                .learner = learner,
                                .prior = prior ? &prior->bands : NULL};
    piaa_taste *taste = piaa_taste_teach(&from, hooks, error);
    if (taste && prior && taste->learned && taste->learned->spread == 0 &&
        taste->learned->lead == 0)
        piaa_hooks_warn(hooks,
                        "the ratings do not go with the prior: photos left out are predicted "
                        "better without it, and it is not used");
    return taste;
}

static piaa_taste *learn(piaa_joined *joined, const piaa_said *said, const piaa_learner *learner,
                         piaa_prior *prior, const piaa_hooks *hooks, piaa_error *error) {
    piaa_rated rated;
    if (!piaa_rated_find(joined, said, &rated, error)) return NULL;
    piaa_taste *taste = NULL;
    if (!rated.count) {
        no_overlap(joined->store, said, error);
    } else if (rated.count == 1 && rated.copies) {
        piaa_error_set(error, PIAA_USAGE,
                       "the %zu rated photos are copies of one, byte for byte, and one does not "
                       "show a taste: rate at least 2 photos with different scores",
                       rated.copies + 1);
    } else {
        piaa_rated_tell(&rated, said, hooks);
        taste = teach(joined, &rated, learner, prior, hooks, error);
    }
    piaa_rated_free(&rated);
    return taste;
}

piaa_taste *piaa_taste_learn_slots(const piaa_store *store, const piaa_slot *slots, size_t count,
                                   const piaa_ratings *ratings, const piaa_learning *how,
                                   const piaa_hooks *hooks, piaa_error *error) {
    const piaa_said said = {.ratings = ratings, .choices = how ? how->choices : NULL};
    if (!store || (!said.ratings && !said.choices)) {
        piaa_error_missing(error, store ? "ratings" : "store");
        return NULL;
    }
    const piaa_learner *learner = piaa_learner_find(how ? how->learner : NULL, error);
    if (!learner) return NULL;
    piaa_joined joined;
    piaa_taste *taste = piaa_joined_open(&joined, store, slots, count, NULL, error)
                            ? learn(&joined, &said, learner, how ? how->prior : NULL, hooks, error)
                            : NULL;
    piaa_joined_close(&joined);
    return taste;
}

piaa_taste *piaa_taste_learn(const piaa_store *store, int slot, const piaa_ratings *ratings,
                             const piaa_hooks *hooks, piaa_error *error) {
    return piaa_taste_learn_slots(store, store ? &piaa_store_slots(store)->items[slot] : NULL, 1,
                                  ratings, NULL, hooks, error);
}

static bool foretell(piaa_taste *taste, piaa_joined *joined, const piaa_said *said,
                     piaa_error *error) {
    piaa_rated rated;
    piaa_band bands[PIAA_SOURCE_PARTS];
    if (!piaa_rated_find(joined, said, &rated, error)) return false;
    bool ok = piaa_joined_bands(joined, rated.rows, rated.count, bands, error);
    const piaa_teaching from = {.bands = bands,
                                .count = joined->count,
                                .y = rated.scores,
                                .n = rated.count,
                                .duels = rated.duels,
                                .duel_count = rated.duel_count};
    ok = ok && piaa_taste_look_ahead(taste, &from, error);
    piaa_rated_free(&rated);
    return ok;
}

bool piaa_taste_foretell(piaa_taste *taste, const piaa_store *store, const piaa_said *said,
                         piaa_error *error) {
    piaa_joined joined;
    if (said->ratings) taste->retest = piaa_ratings_retest(said->ratings);
    const bool ok =
        piaa_joined_open(&joined, store, taste->slots.items, taste->slots.count, NULL, error) &&
        foretell(taste, &joined, said, error);
    piaa_joined_close(&joined);
    return ok;
}
