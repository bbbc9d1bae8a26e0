/*
 * Pairs are asked of the photos that something was said of and of others, PIAA_ASKING_MOST in all:
 * their products, what was said, and what is known after it are one fit (linear/pairs.c) with the
 * covariance of all their scores.  Before anything is said the covariance is that of the prior, and
 * the two most different photos come first.
 */
#include "study/asking.h"

#include "base/memory.h"
#include "base/random.h"
#include "linear/bands.h"
#include "linear/near.h"

#include <math.h>
#include <stdlib.h>

typedef struct asking {
    piaa_joined *joined;
    piaa_rated rated;
    int64_t *rows;   /* [n] the rated ones first */
    double *stars;   /* [n] */
    size_t *photo;   /* [n] of the photos + 1; 0: it is rated, and not among them */
    bool *candidate; /* [n] */
    int64_t n;
    piaa_near *near;
    piaa_bands *bands;
    piaa_compared said;
} asking;

static void free_asking(asking *a) {
    piaa_rated_free(&a->rated);
    free(a->rows);
    free(a->stars);
    free(a->photo);
    free(a->candidate);
    piaa_near_free(a->near);
    piaa_bands_free(a->bands);
}

/* The photos' places that have vectors, in random order, those that are rated among them. */
static size_t *draw_photos(const piaa_joined *joined, const piaa_photos *photos, uint32_t seed,
                           size_t *count, piaa_error *error) {
    const size_t all = piaa_photos_count(photos);
    piaa_random *random = piaa_alloc(1, sizeof *random, error);
    size_t *order = piaa_alloc(all, sizeof *order, error);
    *count = 0;
    if (random && order) {
        for (size_t i = 0; i < all; i++) {
            const piaa_photo photo = piaa_store_find(joined->store, piaa_photos_paths(photos)[i]);
            if (piaa_joined_has(joined, photo.row)) order[(*count)++] = i;
        }
        piaa_random_seed_numpy(random, seed);
        piaa_random_shuffle(random, order, *count);
    }
    free(random);
    if (random) return order;
    free(order);
    return NULL;
}

/* The rated rows, and others until there are PIAA_ASKING_MOST. */
static bool take_rows(asking *a, const piaa_photos *photos, uint32_t seed, size_t *with,
                      piaa_error *error) {
    const size_t most = (size_t)a->rated.count + PIAA_ASKING_MOST;
    size_t *order = draw_photos(a->joined, photos, seed, with, error);
    int64_t *place =
        piaa_alloc((size_t)piaa_store_count(a->joined->store).rows, sizeof *place, error); /* + 1 */
    bool ok = order && place && (a->rows = piaa_alloc(most, sizeof *a->rows, error)) &&
              (a->stars = piaa_alloc(most, sizeof *a->stars, error)) &&
              (a->photo = piaa_alloc(most, sizeof *a->photo, error)) &&
              (a->candidate = piaa_alloc(most, sizeof *a->candidate, error));
    for (int64_t i = 0; ok && i < a->rated.count; i++) {
        a->rows[a->n] = a->rated.rows[i];
        a->stars[a->n] = a->rated.scores[i];
        place[a->rated.rows[i]] = ++a->n;
    }
    for (size_t k = 0; ok && k < *with; k++) {
        const piaa_photo photo =
            piaa_store_find(a->joined->store, piaa_photos_paths(photos)[order[k]]);
        if (!place[photo.row]) {
            if (a->n >= PIAA_ASKING_MOST) continue; /* enough, with the rated ones */
            a->rows[a->n] = photo.row;
            a->stars[a->n] = NAN;
            place[photo.row] = ++a->n;
        }
        if (!a->photo[place[photo.row] - 1]) a->photo[place[photo.row] - 1] = order[k] + 1;
    }
    free(order);
    free(place);
    return ok;
}

/* Candidates: listed photos, of near copies the first. */
static size_t mark_candidates(asking *a) {
    size_t count = 0;
    for (int64_t i = 0; i < a->n; i++) {
        const int64_t first = a->near->group[i];
        bool taken = false;
        for (int64_t j = first; j < i; j++)
            taken = taken || (a->near->group[j] == first && a->candidate[j]);
        a->candidate[i] = a->photo[i] && !taken;
        count += a->candidate[i];
    }
    return count;
}

static bool make_products(asking *a, piaa_error *error) {
    piaa_band bands[PIAA_SOURCE_PARTS];
    const double *kernel = NULL;
    if (piaa_joined_bands(a->joined, a->rows, a->n, bands, error) &&
        (a->near = piaa_near_find(bands[0].x, bands[0].rows, a->n, bands[0].dim, error)) &&
        (a->bands = piaa_bands_new(bands, (int)a->joined->count, a->n, error)))
        kernel = piaa_bands_products(a->bands, &(piaa_bands_shape){0}, error);
    a->said = (piaa_compared){.photos = a->n,
                              .kernel = kernel,
                              .stars = a->stars,
                              .duels = a->rated.duels,
                              .count = a->rated.duel_count};
    return kernel;
}

/* Where nothing was said that could tell it, the strength with which scores would spread by 1. */
static piaa_pairwise *fit_said(const asking *a, piaa_error *error) {
    piaa_pairwise_options options = {.covariance = true};
    if (!a->rated.duel_count && a->rated.stars < 2) {
        for (int64_t i = 0; i < a->n; i++)
            options.alpha += a->said.kernel[i * a->n + i] / (double)a->n;
        options.alpha = fmax(options.alpha, 1e-3);
    }
    return piaa_pairwise_fit(&a->said, &options, error);
}

static void name_pairs(const asking *a, const piaa_photos *photos, const piaa_pairwise *fit,
                       const piaa_duel *duels, piaa_asked *out) {
    for (size_t i = 0; i < out->count; i++) {
        const piaa_duel *duel = &duels[i];
        out->items[i] = (piaa_asked_pair){
            .one = piaa_photos_names(photos)[a->photo[duel->one] - 1],
            .other = piaa_photos_names(photos)[a->photo[duel->other] - 1],
            .likely = piaa_pairwise_win(fit, fit->score[duel->one], fit->score[duel->other])};
    }
}

static bool choose(asking *a, const piaa_photos *photos, size_t count, piaa_asked *out,
                   piaa_error *error) {
    out->candidates = mark_candidates(a);
    piaa_pairwise *fit = fit_said(a, error);
    piaa_duel *duels = piaa_alloc(count, sizeof *duels, error);
    out->items = piaa_alloc(count, sizeof *out->items, error);
    const bool ok = fit && duels && out->items;
    if (ok) {
        out->count =
            (size_t)piaa_pairwise_choose(fit, &a->said, a->candidate, (int64_t)count, duels);
        name_pairs(a, photos, fit, duels, out);
    }
    free(duels);
    piaa_pairwise_free(fit);
    return ok;
}

bool piaa_asking_choose(piaa_joined *joined, const piaa_photos *photos, const piaa_said *said,
                        size_t count, uint32_t seed, piaa_asked *out, piaa_error *error) {
    asking a = {.joined = joined};
    *out = (piaa_asked){0};
    bool ok = piaa_rated_find(joined, said, &a.rated, error) &&
              take_rows(&a, photos, seed, &out->photos, error);
    if (ok && out->photos < 2)
        ok = piaa_error_set(error, PIAA_MISMATCH,
                            "%s has the features of %zu of these photos, and a comparison needs "
                            "two",
                            piaa_store_path(joined->store), out->photos);
    ok = ok && make_products(&a, error) && choose(&a, photos, count, out, error);
    free_asking(&a);
    if (!ok) piaa_asked_free(out);
    return ok;
}

void piaa_asked_free(piaa_asked *asked) {
    free(asked->items);
    *asked = (piaa_asked){0};
}
