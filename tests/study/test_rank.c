/* Rankings of stores with more rows than one chunk of the pass holds: against predictions made one
   by one, and against each other. */
#include "support.h"

#include "base/random.h"
#include "data/ratings.h"
#include "study/taste.h"

enum { PHOTOS = 2500, DIM = 21, RATED = 30 };

/*
 * PHOTOS photos, photo i in row i, except that of these i the one before has a
 *     i % 100 == 99   copy byte for byte, which shares its row;
 *     i % 50 == 24    twin with the same features in a row of its own.
 * Every 80th is rated; photo RATED_COPY is a near copy of the first.  Names are not in the order of
 * rows.
 */
enum { RATED_COPY = 17 };

typedef struct world {
    char *folder, *path;
    float *x;
    piaa_store *store;
    piaa_ratings *ratings;
    piaa_taste *taste;
    piaa_ranking *all;
} world;

static void name_photo(char out[32], size_t i) {
    snprintf(out, 32, "/photos/%04zu.jpg", i * 7 % PHOTOS);
}

static size_t content_of(size_t i) {
    return i % 100 == 99 ? i - 1 : i;
}

static void fill(world *w) {
    piaa_random random;
    piaa_random_seed_numpy(&random, 3);
    for (size_t i = 0; i < PHOTOS; i++)
        for (size_t j = 0; j < DIM; j++) {
            float *at = &w->x[i * DIM + j];
            *at = (float)(10 * piaa_random_unit(&random));
            if (content_of(i) != i || i % 50 == 24) *at = at[-DIM];
            if (i == RATED_COPY) *at = w->x[j] * 1.0001F;
        }
    for (size_t i = 0; i < PHOTOS; i++) {
        char path[32], hash[65];
        name_photo(path, i);
        snprintf(hash, sizeof hash, "%064zu", content_of(i) * 7919);
        const piaa_photo photo = {.path = path, .size = 1, .mtime_ns = 1, .hash = hash, .row = -1};
        piaa_photo_state state;
        piaa_error error = {0};
        bool missing[1];
        assert_true(piaa_store_lookup(w->store, &photo, &state, missing, &error));
        assert_true(piaa_store_match(w->store, &photo, &state, missing, &error));
        if (state.status == PIAA_PHOTO_COMPLETE) continue;
        if (!piaa_store_put(w->store, &photo, &(const float *){w->x + i * DIM}, &error))
            fail_msg("%s", error.message);
    }
}

static int begin(void **state) {
    world *w = piaa_alloc(1, sizeof *w, NULL);
    piaa_error error = {0};
    w->folder = support_folder();
    w->path = support_join(w->folder, "store");
    w->x = piaa_alloc((size_t)PHOTOS * DIM, sizeof *w->x, NULL);
    piaa_slot slot = {.pool = PIAA_LT, .layer = 3, .dim = DIM};
    const piaa_slots slots = {&slot, 1};
    const piaa_identity identity = {.fingerprint = "00ff", .model = "made", .dtype = "f32"};
    w->store = piaa_store_open_write(w->path, &identity, &slots, NULL, &error);
    assert_non_null(w->store);
    fill(w);
    assert_true(piaa_store_finish(w->store, &error) && piaa_store_refresh(w->store, &error));
    char paths[RATED][32];
    piaa_rating given[RATED];
    for (size_t i = 0; i < RATED; i++) {
        name_photo(paths[i], i * 80);
        given[i] = (piaa_rating){.path = paths[i], .score = (double)(i * i % 5)};
    }
    w->ratings = piaa_ratings_from("here", given, RATED, &error);
    w->taste = piaa_taste_learn(w->store, 0, w->ratings, NULL, &error);
    w->all = piaa_rank(w->taste, w->store, NULL, 0, w->ratings, &error);
    if (!w->all) fail_msg("%s", error.message);
    *state = w;
    return 0;
}

static int end(void **state) {
    world *w = *state;
    piaa_ranking_free(w->all);
    piaa_taste_free(w->taste);
    piaa_ratings_free(w->ratings);
    piaa_store_close(w->store);
    support_remove(w->folder);
    free(w->x);
    free(w->path);
    free(w);
    return 0;
}

static const piaa_ranked *find(const piaa_ranking *ranking, const char *path) {
    for (size_t i = 0; i < piaa_ranking_count(ranking); i++)
        if (strcmp(piaa_ranking_at(ranking, i)->path, path) == 0)
            return piaa_ranking_at(ranking, i);
    return NULL;
}

static void assert_same(const piaa_ranked *a, const piaa_ranked *b) {
    assert_string_equal(a->path, b->path);
    assert_memory_equal(&a->score, &b->score, sizeof a->score);
    assert_true(a->rated == b->rated && (!a->rated || a->rating == b->rating));
}

/* Scores are those of the taste, of one photo at a time; those of rated photos are what was
   predicted without them, and a near copy's is what the model without the rated one says. */
static void scores_are_the_tastes(void **state) {
    world *w = *state;
    assert_int_equal(piaa_ranking_count(w->all), PHOTOS);
    assert_int_equal(piaa_ranking_total(w->all), PHOTOS);
    for (size_t i = 0; i < PHOTOS; i++) {
        char path[32];
        name_photo(path, i);
        const piaa_ranked *photo = find(w->all, path);
        assert_non_null(photo);
        const bool rated = i % 80 == 0 && i / 80 < RATED;
        double score;
        piaa_taste_predict(w->taste, w->x + i * DIM, 1, &score);
        if (rated) {
            assert_true(photo->rated && photo->rating == (double)(i / 80 * (i / 80) % 5));
            assert_true(photo->score == w->taste->unseen[i / 80]);
        } else if (i == RATED_COPY) {
            assert_true(!photo->rated && photo->score != score);
            assert_true(fabs(photo->score - w->taste->unseen[0]) < 1e-3);
        } else {
            assert_memory_equal(&photo->score, &score, sizeof score);
        }
    }
}

static void the_best_come_first(void **state) {
    const world *w = *state;
    for (size_t i = 1; i < PHOTOS; i++) {
        const piaa_ranked *a = piaa_ranking_at(w->all, i - 1), *b = piaa_ranking_at(w->all, i);
        assert_true(a->score > b->score || (a->score == b->score && strcmp(a->path, b->path) < 0));
    }
}

/* Of any length, ties (copies and twins) included. */
static void the_best_are_the_first_of_all(void **state) {
    world *w = *state;
    static const size_t tops[] = {1, 2, 7, 100, PHOTOS - 1, PHOTOS, PHOTOS + 5};
    const piaa_said said = {.ratings = w->ratings};
    for (size_t t = 0; t < PIAA_COUNT(tops); t++) {
        piaa_error error = {0};
        piaa_ranking *best = piaa_rank_best(w->taste, w->store, NULL, &said, tops[t], &error);
        assert_non_null(best);
        assert_int_equal(piaa_ranking_count(best), tops[t] < PHOTOS ? tops[t] : PHOTOS);
        assert_int_equal(piaa_ranking_total(best), PHOTOS);
        for (size_t i = 0; i < piaa_ranking_count(best); i++)
            assert_same(piaa_ranking_at(best, i), piaa_ranking_at(w->all, i));
        piaa_ranking_free(best);
    }
}

/* A list in any order, with photos that the store does not know, has the places that these photos
   have among all. */
static void a_list_is_ranked_alike(void **state) {
    world *w = *state;
    char names[300][32];
    const char *paths[300];
    for (int order = 0; order < 3; order++) {
        size_t count = 0;
        for (size_t k = 0; k < 300; k++) { /* ascending, descending, mixed */
            const size_t at = order == 0 ? 8 * k : order == 1 ? 8 * (299 - k) : k * 149 % 300 * 8;
            snprintf(names[k], sizeof names[k], "/photos/%04zu.%s", at, k % 9 ? "jpg" : "png");
            count += k % 9 != 0;
            paths[k] = names[k];
        }
        piaa_error error = {0};
        piaa_ranking *some = piaa_rank(w->taste, w->store, paths, 300, w->ratings, &error);
        assert_non_null(some);
        assert_int_equal(piaa_ranking_count(some), count);
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            while (strcmp(piaa_ranking_at(w->all, at)->path, piaa_ranking_at(some, i)->path) != 0)
                at++;
            assert_same(piaa_ranking_at(w->all, at), piaa_ranking_at(some, i));
        }
        piaa_ranking_free(some);
    }
    piaa_error error = {0};
    piaa_ranking *none = piaa_rank(w->taste, w->store, paths, 0, w->ratings, &error);
    assert_true(none && piaa_ranking_count(none) == 0 && piaa_ranking_total(none) == 0);
    piaa_ranking_free(none);
}

/* A packed store ranks as the store does; in fewer bits, where rows are widened on the way, the
   best are the first of all again. */
static void packed_stores_are_ranked_alike(void **state) {
    world *w = *state;
    static const piaa_packing packings[] = {PIAA_PACKED_F32, PIAA_PACKED_BF16};
    const piaa_said said = {.ratings = w->ratings};
    for (size_t k = 0; k < PIAA_COUNT(packings); k++) {
        piaa_error error = {0};
        char *path = support_join(w->folder, k ? "narrow" : "wide");
        const piaa_pack_options options = {.packing = packings[k]};
        assert_true(piaa_store_pack(w->path, path, &options, NULL, &error));
        piaa_store *store = piaa_store_open_read(path, NULL, &error);
        piaa_ranking *all = piaa_rank(w->taste, store, NULL, 0, w->ratings, &error),
                     *best = piaa_rank_best(w->taste, store, NULL, &said, 50, &error);
        if (!best) fail_msg("%s", error.message);
        assert_int_equal(piaa_ranking_count(all), PHOTOS);
        for (size_t i = 0; i < 50; i++)
            assert_same(piaa_ranking_at(best, i), piaa_ranking_at(all, i));
        for (size_t i = 0; !k && i < PHOTOS; i++)
            assert_same(piaa_ranking_at(all, i), piaa_ranking_at(w->all, i));
        piaa_ranking_free(all);
        piaa_ranking_free(best);
        piaa_store_close(store);
        free(path);
    }
}

/* Vectors that are no numbers have no score, and come last. */
static void what_has_no_score_comes_last(void **state) {
    world *w = *state;
    piaa_error error = {0};
    float x[DIM] = {0};
    x[5] = NAN;
    const piaa_photo photo = {
        .path = "/photos/0000.aaa", .size = 1, .mtime_ns = 1, .hash = "nan", .row = -1};
    piaa_photo_state found;
    bool missing[1];
    assert_true(piaa_store_lookup(w->store, &photo, &found, missing, &error) &&
                piaa_store_put(w->store, &photo, &(const float *){x}, &error) &&
                piaa_store_finish(w->store, &error) && piaa_store_refresh(w->store, &error));
    piaa_ranking *all = piaa_rank(w->taste, w->store, NULL, 0, w->ratings, &error);
    assert_true(all && piaa_ranking_count(all) == PHOTOS + 1);
    for (size_t i = 0; i < PHOTOS; i++)
        assert_same(piaa_ranking_at(w->all, i), piaa_ranking_at(all, i));
    assert_string_equal(piaa_ranking_at(all, PHOTOS)->path, photo.path);
    piaa_ranking_free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_the_tastes),
        cmocka_unit_test(the_best_come_first),
        cmocka_unit_test(the_best_are_the_first_of_all),
        cmocka_unit_test(a_list_is_ranked_alike),
        cmocka_unit_test(packed_stores_are_ranked_alike),
        cmocka_unit_test(what_has_no_score_comes_last),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
