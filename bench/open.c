/*
 * Times what is to be had of a store at once: opening it, finding a photo, and the best hundred by
 * the taste of a hundred ratings, which are random (docs/scale.md).
 *
 *     bench_open STORE
 */
#include "data/ratings.h"

#include "base/random.h"
#include "timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RATED = 100, TOP = 100, FOUND = 100 };

static piaa_ratings *rate(const piaa_store *store, piaa_error *error) {
    static char paths[RATED][256];
    piaa_rating items[RATED];
    piaa_random random;
    piaa_random_seed_numpy(&random, 2);
    const size_t step = piaa_store_photos(store) / RATED;
    for (size_t i = 0; i < RATED; i++) {
        snprintf(paths[i], sizeof *paths, "%s", piaa_store_photo(store, i * step).path);
        items[i] =
            (piaa_rating){.path = paths[i], .score = floor(1 + 5 * piaa_random_unit(&random))};
    }
    return piaa_ratings_from("here", items, RATED, error);
}

/* Milliseconds for FOUND photos all over the store. */
static double find(const piaa_store *store) {
    const size_t step = piaa_store_photos(store) / FOUND;
    size_t there = 0;
    const double begin = now();
    for (size_t i = 0; i < FOUND; i++)
        there += piaa_store_find(store, piaa_store_photo(store, i * step).path).row >= 0;
    const double took = now() - begin;
    return there == FOUND ? took : NAN;
}

int main(int argc, char **argv) {
    piaa_error error = {0};
    if (argc < 2) {
        fprintf(stderr, "bench_open STORE\n");
        return 2;
    }
    const double begin = now();
    piaa_store *store = piaa_store_open_read(argv[1], NULL, &error);
    const double opened = now() - begin;
    if (store && piaa_store_photos(store) >= FOUND) {
        const double found = find(store);
        piaa_ratings *ratings = rate(store, &error);
        piaa_taste *taste = ratings ? piaa_taste_learn(store, 0, ratings, NULL, &error) : NULL;
        const piaa_said said = {.ratings = ratings};
        const double learned = now();
        piaa_ranking *ranking = piaa_rank_best(taste, store, NULL, &said, TOP, &error);
        printf("photos,open ms,find %d ms,best %d ms\n%zu,%.1f,%.1f,%.0f\n", FOUND, TOP,
               piaa_store_photos(store), opened, found, now() - learned);
        piaa_ranking_free(ranking);
        piaa_taste_free(taste);
        piaa_ratings_free(ratings);
    }
    piaa_store_close(store);
    if (error.code) fprintf(stderr, "%s\n", error.message);
    return error.code != PIAA_OK;
}
