/*
 * Times what follows one more rating: learning, and the new order of all photos (study/rank.h).
 *
 *     bench_rank STORE PHOTOS DIM [RATED [ROUNDS]]
 *
 * STORE is made if it is not there: features of 24 directions with falling spread and a little of
 * every other, one photo in fifty a near copy of one before it.  Prints CSV: milliseconds to open
 * the store, to learn, and to rank (medians of ROUNDS).
 */
#include "study/rank.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/random.h"
#include "timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIRECTIONS = 24, MOST = 100 };

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[count / 2];
}

static float normal(piaa_random *random) {
    const double radius = sqrt(-2 * log(1 - piaa_random_unit(random)));
    return (float)(radius * cos(2 * 3.14159265358979 * piaa_random_unit(random)));
}

static void name_photo(char *path, size_t size, size_t i) {
    snprintf(path, size, "/photos/%03zu/IMG_%06zu.JPG", i / 1000, i);
}

static void make_vector(piaa_random *random, const float *axes, size_t dim, size_t i, float *x) {
    const float size = i % 50 == 49 ? 0.02F : 1; /* a copy: little is added to the one before */
    if (size == 1) memset(x, 0, dim * sizeof *x);
    for (int k = 0; k < DIRECTIONS; k++) {
        const float at = size * normal(random) / sqrtf((float)(k + 1));
        for (size_t j = 0; j < dim; j++) x[j] += at * axes[(size_t)k * dim + j];
    }
    for (size_t j = 0; j < dim; j++) x[j] += 0.3F * size * (float)(piaa_random_unit(random) - 0.5);
}

static bool fill(piaa_store *store, size_t photos, size_t dim, piaa_error *error) {
    piaa_random random;
    piaa_random_seed_numpy(&random, 1);
    float *axes = piaa_alloc_array(DIRECTIONS * dim, sizeof *axes, error),
          *x = axes ? piaa_alloc_array(dim, sizeof *x, error) : NULL;
    bool ok = x;
    for (size_t i = 0; ok && i < DIRECTIONS * dim; i++) axes[i] = normal(&random);
    for (size_t i = 0; ok && i < photos; i++) {
        char path[64], hash[65];
        name_photo(path, sizeof path, i);
        snprintf(hash, sizeof hash, "%064zx", i * 0x9e3779b97f4a7c15U);
        const piaa_photo photo = {.path = path, .size = 1, .mtime_ns = 1, .hash = hash, .row = -1};
        piaa_photo_state state;
        bool missing[1];
        make_vector(&random, axes, dim, i, x);
        ok = piaa_store_lookup(store, &photo, &state, missing, error) &&
             piaa_store_put(store, &photo, &(const float *){x}, error);
    }
    free(axes);
    free(x);
    return ok && piaa_store_finish(store, error);
}

static bool make(const char *path, size_t photos, int dim, piaa_error *error) {
    piaa_slot slot = {.pool = PIAA_LT, .layer = 15, .dim = dim};
    const piaa_slots slots = {&slot, 1};
    const piaa_identity identity = {.fingerprint = "00ff",
                                    .model = "made",
                                    .family = "Qwen3-VL",
                                    .prompt = "",
                                    .preprocessing = "none",
                                    .dtype = "f32",
                                    .library = "0"};
    piaa_store *store = piaa_store_open_write(path, &identity, &slots, NULL, error);
    const bool ok = store && fill(store, photos, (size_t)dim, error);
    piaa_store_close(store);
    return ok;
}

static piaa_ratings *rate(size_t photos, size_t rated, piaa_error *error) {
    piaa_random random;
    piaa_random_seed_numpy(&random, 2);
    char(*paths)[64] = piaa_alloc_array(rated, sizeof *paths, error);
    piaa_rating *items = paths ? piaa_alloc_array(rated, sizeof *items, error) : NULL;
    for (size_t i = 0; items && i < rated; i++) {
        name_photo(paths[i], sizeof *paths, i * (photos / rated));
        items[i] =
            (piaa_rating){.path = paths[i], .score = floor(1 + 5 * piaa_random_unit(&random))};
    }
    piaa_ratings *ratings = items ? piaa_ratings_from("here", items, rated, error) : NULL;
    free(items);
    free(paths);
    return ratings;
}

static bool measure(const piaa_store *store, size_t photos, size_t rated, int rounds, double opened,
                    piaa_error *error) {
    double learned[MOST], ranked[MOST];
    for (int r = 0; r < rounds; r++) {
        piaa_ratings *ratings = rate(photos, rated + (size_t)r, error);
        double begin = now();
        piaa_taste *taste = ratings ? piaa_taste_learn(store, 0, ratings, NULL, error) : NULL;
        learned[r] = now() - begin;
        begin = now();
        piaa_ranking *ranking = taste ? piaa_rank_photos(taste, store, NULL, ratings, error) : NULL;
        ranked[r] = now() - begin;
        const bool ok = ranking;
        piaa_ranking_free(ranking);
        piaa_taste_free(taste);
        piaa_ratings_free(ratings);
        if (!ok) return false;
    }
    printf("photos,dim,rated,open ms,learn ms,rank ms\n%zu,%d,%zu,%.1f,%.1f,%.1f\n", photos,
           piaa_store_slots(store)->items[0].dim, rated, opened, median(learned, rounds),
           median(ranked, rounds));
    return true;
}

int main(int argc, char **argv) {
    piaa_error error = {0};
    if (argc < 4) {
        fprintf(stderr, "bench_rank STORE PHOTOS DIM [RATED [ROUNDS]]\n");
        return 2;
    }
    const size_t photos = strtoull(argv[2], NULL, 10),
                 rated = argc > 4 ? strtoull(argv[4], NULL, 10) : 100;
    const int rounds = argc > 5 && atoi(argv[5]) < MOST ? atoi(argv[5]) : 5;
    piaa_blas_hold();
    piaa_store *store = piaa_store_open_read(argv[1], NULL, NULL);
    if (!store && make(argv[1], photos, atoi(argv[3]), &error)) error = (piaa_error){0};
    piaa_store_close(store);
    const double begin = now();
    store = piaa_store_open_read(argv[1], NULL, &error);
    const bool ok = store && measure(store, photos, rated, rounds, now() - begin, &error);
    piaa_store_close(store);
    if (!ok) fprintf(stderr, "%s\n", error.message);
    return !ok;
}
