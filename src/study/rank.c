/* Photos put in order by one person's taste. */
#include "study/rank.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "linear/near.h"
#include "study/prior.h"
#include "study/rated.h"
#include "study/taste_parts.h"

#include <stdlib.h>
#include <string.h>

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

/* -------------------------------------------------------------------------------------- ranking */

/* A line of the ranking, and the row that its photo has in the store's matrices. */
typedef struct place {
    piaa_ranked shown;
    int64_t row;
} place;

struct piaa_ranking {
    place *items;
    size_t count;
    char *paths; /* all paths, one after the other */
};

static int best_first(const void *a, const void *b) {
    const piaa_ranked *x = &((const place *)a)->shown, *y = &((const place *)b)->shown;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return strcmp(x->path, y->path);
}

/* What predictions without some of the rated photos are made from. */
typedef struct blind {
    const piaa_taste *taste;
    piaa_joined *joined;
    const piaa_rated *rated;
    piaa_band blocks[PIAA_SOURCE_PARTS]; /* of the rated photos */
    piaa_near_search *near;
    piaa_bands *bands; /* of the blocks; NULL until it is needed */
    double *weights;   /* [dim] of the model without */
    int64_t *left;     /* [rated->count] which are left out */
    bool *group;       /* [rated->count] of the first photo of each group: it is left out */
} blind;

/* The rated photos that `photo` is a near copy of, and theirs, into b->left; how many. */
static int64_t find_near(const blind *b, const float *photo) {
    const piaa_near *near = b->taste->near;
    int64_t count = piaa_near_search_find(b->near, photo, b->left);
    if (!count) return 0;
    memset(b->group, 0, (size_t)near->rows * sizeof *b->group);
    for (int64_t i = 0; i < count; i++) b->group[near->group[b->left[i]]] = true;
    count = 0;
    for (int64_t i = 0; i < near->rows; i++)
        if (b->group[near->group[i]]) b->left[count++] = i;
    return count;
}

static bool open_bands(blind *b, piaa_error *error) {
    const piaa_bands_prior *prior = b->taste->learned->prior;
    if (b->bands) return true;
    return (b->weights = piaa_alloc_array((size_t)b->taste->dim, sizeof *b->weights, error)) &&
           (b->bands = piaa_bands_new(b->blocks, (int)b->joined->count, b->rated->count, error)) &&
           (!prior || piaa_bands_add_prior(b->bands, prior, error));
}

/* The score of a photo (its first vector here) that is not rated: that of the taste, unless it is a
   near copy of rated ones. */
static bool score_copy(blind *b, int64_t row, double *score, piaa_error *error) {
    const piaa_taste *taste = b->taste;
    const float *x = piaa_joined_vector(b->joined, row);
    const int64_t count = find_near(b, x);
    if (!count || count == b->rated->count) return true;
    if (taste->pairs) { /* what is predicted of the one that it is a copy of */
        *score = taste->unseen[b->left[0]];
        return true;
    }
    const piaa_bands_shape shape = {taste->learned->weights, taste->learned->spread,
                                    taste->learned->lead};
    double intercept;
    if (!open_bands(b, error) ||
        !piaa_bands_without(b->bands, &shape, taste->alpha, b->rated->scores, b->left, count,
                            b->weights, &intercept, error))
        return false;
    *score = intercept + piaa_ridge_dot(b->weights, taste->mean, x, taste->dim);
    return true;
}

static bool score_unseen(blind *b, piaa_ranking *ranking, piaa_error *error) {
    size_t count = (size_t)b->rated->count;
    if (!(b->left = piaa_alloc(count, sizeof *b->left, error)) ||
        !(b->group = piaa_alloc(count, sizeof *b->group, error)) ||
        !piaa_joined_bands(b->joined, b->rated->rows, b->rated->count, b->blocks, error) ||
        !(b->near = piaa_near_search_new(b->taste->near, b->blocks[0].x, b->blocks[0].rows, error)))
        return false;
    for (size_t i = 0; i < ranking->count; i++) {
        place *item = &ranking->items[i];
        int64_t index = b->rated->index[item->row];
        if (index)
            item->shown.score = b->taste->unseen[index - 1];
        else if (!score_copy(b, item->row, &item->shown.score, error))
            return false;
    }
    return true;
}

/* Marks the rated photos and their copies, and puts predictions that have not seen a photo's rating
   in place of those that have. */
static bool mark_rated(const piaa_taste *taste, piaa_joined *joined, const piaa_said *said,
                       piaa_ranking *ranking, piaa_error *error) {
    piaa_rated rated;
    if (!piaa_rated_find(joined, said, &rated, error)) return false;
    for (size_t i = 0; i < ranking->count; i++) {
        int64_t index = rated.index[ranking->items[i].row];
        if (!index || index > rated.stars) continue;
        ranking->items[i].shown.rated = true;
        ranking->items[i].shown.rating = rated.scores[index - 1];
    }
    blind b = {.taste = taste, .joined = joined, .rated = &rated};
    bool ok = !taste->unseen || taste->photos != rated.count || taste->pairs != rated.answers ||
              score_unseen(&b, ranking, error);
    piaa_bands_free(b.bands);
    piaa_near_search_free(b.near);
    free(b.weights);
    free(b.left);
    free(b.group);
    piaa_rated_free(&rated);
    return ok;
}

/* The photos of the store, or of the list, that have a vector; photos NULL: all of the store. */
static piaa_ranking *new_ranking(const piaa_joined *joined, const piaa_photos *photos,
                                 piaa_error *error) {
    const piaa_store *store = joined->store;
    size_t most = photos ? photos->paths.count : piaa_store_photos(store), bytes = 0;
    for (size_t i = 0; i < most; i++)
        bytes += strlen(photos ? photos->names.items[i] : piaa_store_photo(store, i).path) + 1;
    piaa_ranking *ranking = piaa_alloc(1, sizeof *ranking, error);
    if (!ranking) return NULL;
    ranking->items = piaa_alloc(most, sizeof *ranking->items, error);
    ranking->paths = piaa_alloc(bytes, 1, error);
    if (!ranking->items || !ranking->paths) {
        piaa_ranking_free(ranking);
        return NULL;
    }
    char *at = ranking->paths;
    for (size_t i = 0; i < most; i++) {
        const piaa_photo photo =
            photos ? piaa_store_find(store, photos->paths.items[i]) : piaa_store_photo(store, i);
        if (!piaa_joined_has(joined, photo.row)) continue;
        const char *name = photos ? photos->names.items[i] : photo.path;
        size_t size = strlen(name) + 1;
        memcpy(at, name, size);
        ranking->items[ranking->count++] = (place){.shown = {.path = at}, .row = photo.row};
        at += size;
    }
    return ranking;
}

/* What the taste reads, in the store. */
static bool open_joined(piaa_joined *joined, const piaa_taste *taste, const piaa_store *store,
                        piaa_error *error) {
    const piaa_slot *absent;
    piaa_error why = {0};
    const piaa_identity identity = piaa_store_identity(store);
    if (piaa_joined_open(joined, store, taste->slots.items, taste->slots.count, &absent, &why)) {
        piaa_slot found[PIAA_SOURCE_PARTS];
        const piaa_slots slots = {found, joined->count};
        for (size_t k = 0; k < joined->count; k++)
            found[k] = piaa_store_slots(store)->items[joined->found[k]];
        return piaa_taste_fits_slots(taste, &identity, &slots, error);
    }
    if (!absent) return piaa_error_set(error, why.code, "%s", why.message);
    if (taste->slots.count > 1)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s holds no %s, and the taste was learned from %.200s: embed the "
                              "photos with --features %.200s",
                              piaa_store_path(store), piaa_slot_name(absent).text, taste->features,
                              taste->features);
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%s holds no %s, from which the taste was learned: embed the photos with "
                          "--pool %s --layer %d",
                          piaa_store_path(store), piaa_slot_name(absent).text,
                          piaa_pool_name(absent->pool), absent->layer);
}

static piaa_ranking *rank_photos(const piaa_taste *taste, piaa_joined *joined,
                                 const piaa_photos *photos, const piaa_said *said,
                                 piaa_error *error) {
    piaa_ranking *ranking = new_ranking(joined, photos, error);
    if (!ranking) return NULL;
    for (size_t i = 0; i < ranking->count; i++)
        piaa_taste_predict(taste, piaa_joined_vector(joined, ranking->items[i].row), 1,
                           &ranking->items[i].shown.score);
    if (said && (said->ratings || said->choices) &&
        !mark_rated(taste, joined, said, ranking, error)) {
        piaa_ranking_free(ranking);
        return NULL;
    }
    qsort(ranking->items, ranking->count, sizeof *ranking->items, best_first);
    return ranking;
}

piaa_ranking *piaa_rank_said(const piaa_taste *taste, const piaa_store *store,
                             const piaa_photos *photos, const piaa_said *said, piaa_error *error) {
    if (!taste || !store) {
        piaa_error_missing(error, taste ? "store" : "taste");
        return NULL;
    }
    piaa_joined joined;
    piaa_ranking *ranking = open_joined(&joined, taste, store, error)
                                ? rank_photos(taste, &joined, photos, said, error)
                                : NULL;
    piaa_joined_close(&joined);
    return ranking;
}

piaa_ranking *piaa_rank_photos(const piaa_taste *taste, const piaa_store *store,
                               const piaa_photos *photos, const piaa_ratings *ratings,
                               piaa_error *error) {
    return piaa_rank_said(taste, store, photos, &(piaa_said){.ratings = ratings}, error);
}

piaa_ranking *piaa_rank(const piaa_taste *taste, const piaa_store *store, const char *const *paths,
                        size_t path_count, const piaa_ratings *ratings, piaa_error *error) {
    if (!paths) return piaa_rank_photos(taste, store, NULL, ratings, error);
    piaa_photos *photos = piaa_photos_new(error);
    piaa_ranking *ranking = NULL;
    bool ok = photos;
    for (size_t i = 0; ok && i < path_count; i++) ok = piaa_photos_add(photos, paths[i], error);
    if (ok) ranking = piaa_rank_photos(taste, store, photos, ratings, error);
    piaa_photos_free(photos);
    return ranking;
}

void piaa_ranking_free(piaa_ranking *ranking) {
    if (!ranking) return;
    free(ranking->items);
    free(ranking->paths);
    free(ranking);
}

size_t piaa_ranking_count(const piaa_ranking *ranking) {
    return ranking ? ranking->count : 0;
}

const piaa_ranked *piaa_ranking_at(const piaa_ranking *ranking, size_t index) {
    return &ranking->items[index].shown;
}
