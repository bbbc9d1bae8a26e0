/* Photos put in order by one person's taste. */
#include "study/rank.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "study/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rated photos that have a vector, in the order of the ratings: what a taste is learned
   from. */
typedef struct rated_rows {
    int64_t *rows; /* of the matrix */
    double *scores;
    int64_t *rating; /* index into the ratings */
    int64_t count;
} rated_rows;

static void free_rated(rated_rows *rated) {
    free(rated->rows);
    free(rated->scores);
    free(rated->rating);
}

static bool find_rated(const piaa_store *store, int slot, const piaa_ratings *ratings,
                       rated_rows *out, size_t *missing, piaa_error *error) {
    size_t n = piaa_ratings_count(ratings);
    *out = (rated_rows){.rows = piaa_alloc(n, sizeof(int64_t), error),
                        .scores = piaa_alloc(n, sizeof(double), error),
                        .rating = piaa_alloc(n, sizeof(int64_t), error)};
    if (!out->rows || !out->scores || !out->rating) {
        free_rated(out);
        return false;
    }
    *missing = n;
    for (size_t i = 0; i < n; i++) {
        const piaa_rating *rating = piaa_ratings_at(ratings, i);
        const piaa_photo *photo = piaa_store_find(store, rating->path);
        if (!photo || !piaa_store_vector(store, slot, photo->row)) {
            if (*missing == n) *missing = i;
            continue;
        }
        out->rows[out->count] = photo->row;
        out->scores[out->count] = rating->score;
        out->rating[out->count++] = (int64_t)i;
    }
    return true;
}

static bool no_overlap(const piaa_store *store, const piaa_ratings *ratings, piaa_error *error) {
    if (!piaa_ratings_count(ratings))
        return piaa_error_set(error, PIAA_USAGE, "%s holds no ratings",
                              piaa_ratings_where(ratings));
    const char *rated = piaa_ratings_at(ratings, 0)->path;
    if (!piaa_store_photos(store))
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s holds no photos yet: embed the rated ones first",
                              piaa_store_path(store));
    return piaa_error_set(error, PIAA_MISMATCH,
                          "none of the %zu rated photos is among the photos read: the ratings name "
                          "%.300s, the photos are like %.300s "
                          "(paths in the ratings are relative to the file they stand in)",
                          piaa_ratings_count(ratings), rated, piaa_store_photo(store, 0)->path);
}

piaa_taste *piaa_taste_learn(const piaa_store *store, int slot, const piaa_ratings *ratings,
                             const piaa_hooks *hooks, piaa_error *error) {
    if (!store || !ratings) {
        piaa_error_missing(error, store ? "ratings" : "store");
        return NULL;
    }
    rated_rows rated;
    size_t missing;
    if (!find_rated(store, slot, ratings, &rated, &missing, error)) return NULL;
    piaa_taste *taste = NULL;
    size_t left_out = piaa_ratings_count(ratings) - (size_t)rated.count;
    if (!rated.count) {
        no_overlap(store, ratings, error);
    } else {
        if (left_out) {
            char line[1100];
            snprintf(line, sizeof line,
                     "%zu of %zu rated photos could not be used, the first is %s", left_out,
                     piaa_ratings_count(ratings), piaa_ratings_at(ratings, missing)->path);
            piaa_hooks_warn(hooks, line);
        }
        piaa_identity identity = piaa_source_identity(store);
        taste = piaa_taste_fit_rows(&identity, &piaa_store_slots(store)->items[slot],
                                    piaa_store_matrix(store, slot, NULL), rated.rows, rated.scores,
                                    rated.count, hooks, error);
    }
    free_rated(&rated);
    return taste;
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

static int by_row(const void *a, const void *b) {
    const place *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

/* Marks the rated photos, and puts the prediction that had not seen the rating in place of the one
   that had.  Photos that share a row have the same content, and so the same rating. */
static bool mark_rated(const piaa_taste *taste, const piaa_store *store, int slot,
                       const piaa_ratings *ratings, piaa_ranking *ranking, piaa_error *error) {
    rated_rows rated;
    size_t missing;
    if (!find_rated(store, slot, ratings, &rated, &missing, error)) return false;
    qsort(ranking->items, ranking->count, sizeof *ranking->items, by_row);
    for (int64_t i = 0; i < rated.count; i++) {
        place key = {.row = rated.rows[i]};
        place *found = bsearch(&key, ranking->items, ranking->count, sizeof key, by_row);
        if (!found) continue;
        while (found > ranking->items && found[-1].row == key.row) found--;
        for (; found < ranking->items + ranking->count && found->row == key.row; found++) {
            found->shown.rated = true;
            found->shown.rating = rated.scores[i];
            if (taste->unseen && taste->ratings == rated.count)
                found->shown.score = taste->unseen[i];
        }
    }
    free_rated(&rated);
    return true;
}

/* The photos of the store, or of the list, that have a vector; photos NULL: all of the store. */
static piaa_ranking *new_ranking(const piaa_store *store, int slot, const piaa_photos *photos,
                                 piaa_error *error) {
    size_t most = photos ? photos->paths.count : piaa_store_photos(store), bytes = 0;
    for (size_t i = 0; i < most; i++)
        bytes += strlen(photos ? photos->names.items[i] : piaa_store_photo(store, i)->path) + 1;
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
        const piaa_photo *photo =
            photos ? piaa_store_find(store, photos->paths.items[i]) : piaa_store_photo(store, i);
        if (!photo || !piaa_store_vector(store, slot, photo->row)) continue;
        const char *name = photos ? photos->names.items[i] : photo->path;
        size_t size = strlen(name) + 1;
        memcpy(at, name, size);
        ranking->items[ranking->count++] = (place){.shown = {.path = at}, .row = photo->row};
        at += size;
    }
    return ranking;
}

piaa_ranking *piaa_rank_photos(const piaa_taste *taste, const piaa_store *store,
                               const piaa_photos *photos, const piaa_ratings *ratings,
                               piaa_error *error) {
    if (!taste || !store) {
        piaa_error_missing(error, taste ? "store" : "taste");
        return NULL;
    }
    int slot = piaa_store_find_slot(store, taste->slot.pool, taste->slot.layer);
    if (slot < 0) {
        piaa_error_set(error, PIAA_MISMATCH,
                       "%s holds no %s.%d, from which the taste was learned: embed the photos with "
                       "--pool %s --layer %d",
                       piaa_store_path(store), piaa_pool_name(taste->slot.pool), taste->slot.layer,
                       piaa_pool_name(taste->slot.pool), taste->slot.layer);
        return NULL;
    }
    piaa_identity identity = piaa_source_identity(store);
    if (!piaa_taste_fits(taste, &identity, &piaa_store_slots(store)->items[slot], error))
        return NULL;
    piaa_ranking *ranking = new_ranking(store, slot, photos, error);
    if (!ranking) return NULL;
    for (size_t i = 0; i < ranking->count; i++)
        piaa_taste_predict(taste, piaa_store_vector(store, slot, ranking->items[i].row), 1,
                           &ranking->items[i].shown.score);
    if (ratings && !mark_rated(taste, store, slot, ratings, ranking, error)) {
        piaa_ranking_free(ranking);
        return NULL;
    }
    qsort(ranking->items, ranking->count, sizeof *ranking->items, best_first);
    return ranking;
}

piaa_ranking *piaa_rank(const piaa_taste *taste, const piaa_store *store, const char *const *paths,
                        size_t path_count, const piaa_ratings *ratings, piaa_error *error) {
    if (!paths) return piaa_rank_photos(taste, store, NULL, ratings, error);
    piaa_photos photos = {0};
    piaa_ranking *ranking = NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < path_count; i++) ok = piaa_photos_add(&photos, paths[i], error);
    if (ok) ranking = piaa_rank_photos(taste, store, &photos, ratings, error);
    piaa_photos_free(&photos);
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
