/* Which photos to rate next. */
#include "study/next.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "linear/bands.h"
#include "linear/near.h"
#include "study/rated.h"

#include <stdlib.h>
#include <string.h>

static bool all_alike(const double *scores, int64_t n) {
    for (int64_t i = 1; i < n; i++)
        if (scores[i] != scores[0]) return false;
    return true;
}

/* What leaving out says of ratings that differ. */
static bool leave_out(const piaa_band *bands, int count, const double *scores, int64_t n,
                      double *noise, piaa_error *error) {
    const piaa_bands_options options = {.leaving = {.no_chance = true}};
    piaa_near *near = piaa_near_find(bands->x, bands->rows, n, bands->dim, error);
    piaa_bands *side = near ? piaa_bands_new(bands, count, n, error) : NULL;
    piaa_bands_model *model =
        side ? piaa_bands_fit(side, scores, near->group, &options, error) : NULL;
    const bool ok = model != NULL;
    if (ok && model->left->rmse < model->left->rmse_of_mean) *noise = model->alpha;
    piaa_bands_model_free(model);
    piaa_bands_free(side);
    piaa_near_free(near);
    return ok;
}

bool piaa_next_noise(const piaa_band *bands, int count, const double *scores, int64_t n,
                     double *noise, piaa_error *error) {
    *noise = 0;
    return n < PIAA_NEXT_ENOUGH || all_alike(scores, n) ||
           leave_out(bands, count, scores, n, noise, error);
}

/* The rows `photos` [n], and behind them `rated`. */
static int64_t *join_rows(const int64_t *photos, int64_t n, const int64_t *rated, int64_t count,
                          piaa_error *error) {
    int64_t *rows = piaa_alloc_array((size_t)(n + count), sizeof *rows, error);
    if (!rows) return NULL;
    memcpy(rows, photos, (size_t)n * sizeof *rows);
    if (count) memcpy(rows + n, rated, (size_t)count * sizeof *rows);
    return rows;
}

/* ------------------------------------------------------------------------------------- a folder */

/* The photos that have a vector. */
typedef struct pool {
    int64_t *rows;      /* [count] of the matrix */
    const char **names; /* [count] */
    int64_t count;
} pool;

static void free_pool(pool *p) {
    free(p->rows);
    free((void *)p->names);
}

static bool make_pool(const piaa_joined *joined, const piaa_photos *photos, pool *out,
                      piaa_error *error) {
    const size_t most = photos->paths.count;
    *out = (pool){.rows = piaa_alloc(most, sizeof *out->rows, error),
                  .names = piaa_alloc(most, sizeof *out->names, error)};
    if (!out->rows || !out->names) return false;
    for (size_t i = 0; i < most; i++) {
        const piaa_photo photo = piaa_store_find(joined->store, photos->paths.items[i]);
        if (!piaa_joined_has(joined, photo.row)) continue;
        out->names[out->count] = photos->names.items[i];
        out->rows[out->count++] = photo.row;
    }
    return out->count || piaa_error_set(error, PIAA_MISMATCH,
                                        "none of the %zu photos could be read, so there is none "
                                        "to choose",
                                        most);
}

static piaa_chooser *open_chooser(piaa_joined *joined, const pool *from, const piaa_rated *rated,
                                  piaa_choosing *choosing, piaa_error *error) {
    piaa_band bands[PIAA_SOURCE_PARTS];
    const int parts = (int)joined->count;
    if (!piaa_joined_bands(joined, rated->rows, rated->count, bands, error) ||
        !piaa_next_noise(bands, parts, rated->scores, rated->count, &choosing->noise, error))
        return NULL;
    int64_t *rows = join_rows(from->rows, from->count, rated->rows, rated->count, error);
    if (!rows) return NULL;
    piaa_chooser *chooser =
        piaa_joined_bands(joined, rows, from->count + rated->count, bands, error)
            ? piaa_chooser_new(bands, parts, from->count, rated->count, choosing, error)
            : NULL;
    free(rows);
    return chooser;
}

static bool choose(piaa_joined *joined, const pool *from, const piaa_rated *rated,
                   const piaa_choosing *asked, size_t count, piaa_next *out, piaa_error *error) {
    piaa_choosing choosing = *asked;
    piaa_chooser *chooser = open_chooser(joined, from, rated, &choosing, error);
    if (!chooser) return false;
    const size_t left = (size_t)piaa_chooser_left(chooser);
    *out = (piaa_next){.photos = (size_t)from->count,
                       .rated = (size_t)rated->count,
                       .strategy = choosing.strategy,
                       .noise = choosing.noise};
    out->items = piaa_alloc(count < left ? count : left, sizeof *out->items, error);
    piaa_chosen one;
    while (out->items && out->count < count && piaa_chooser_next(chooser, &one))
        out->items[out->count++] = (piaa_next_photo){from->names[one.index], one.random};
    out->left = (size_t)piaa_chooser_left(chooser);
    piaa_chooser_free(chooser);
    return out->items != NULL;
}

bool piaa_next_choose(const piaa_store *store, const piaa_slots *slots, const piaa_photos *photos,
                      const piaa_ratings *ratings, const piaa_choosing *choosing, size_t count,
                      const piaa_hooks *hooks, piaa_next *out, piaa_error *error) {
    piaa_joined joined;
    pool from = {0};
    piaa_rated rated = {0};
    const piaa_said said = {.ratings = ratings};
    *out = (piaa_next){0};
    const bool ok = piaa_joined_open(&joined, store, slots->items, slots->count, NULL, error) &&
                    make_pool(&joined, photos, &from, error) &&
                    piaa_rated_find(&joined, &said, &rated, error) &&
                    choose(&joined, &from, &rated, choosing, count, out, error);
    if (ok && rated.missing)
        piaa_hooks_warn(hooks, "%zu of %zu rated photos could not be used, the first is %.1000s",
                        rated.missing, piaa_ratings_count(ratings),
                        piaa_ratings_at(ratings, rated.first_missing)->path);
    free_pool(&from);
    piaa_rated_free(&rated);
    piaa_joined_close(&joined);
    return ok;
}

void piaa_next_free(piaa_next *next) {
    free(next->items);
    *next = (piaa_next){0};
}

/* --------------------------------------------------------------------------- a person's ratings */

/* Asks for ratings until `until` of the order are there, or none is left that is no copy; those
   before order[*done] were asked for before. */
typedef struct asking {
    const float *x;
    const int64_t *rows;
    const double *scores;
    int64_t n;
    int dim;
    piaa_choosing choosing;
    size_t *order, done;
    int64_t *seen_rows; /* [n] those of the order */
    double *seen;       /* [n] */
    bool *asked;        /* [n] */
} asking;

static void take(asking *a, size_t i) {
    a->seen_rows[a->done] = a->rows[i];
    a->seen[a->done] = a->scores[i];
    a->asked[i] = true;
    a->order[a->done++] = i;
}

static bool ask(asking *a, size_t until, piaa_error *error) {
    const int64_t done = (int64_t)a->done;
    piaa_band band = {.x = a->x, .rows = a->seen_rows, .dim = a->dim};
    if (!piaa_next_noise(&band, 1, a->seen, done, &a->choosing.noise, error)) return false;
    int64_t *rows = join_rows(a->rows, a->n, a->seen_rows, done, error);
    band.rows = rows;
    piaa_chooser *chooser =
        rows ? piaa_chooser_new(&band, 1, a->n, done, &a->choosing, error) : NULL;
    free(rows);
    if (!chooser) return false;
    for (piaa_chosen next; a->done < until && piaa_chooser_next(chooser, &next);)
        take(a, (size_t)next.index);
    piaa_chooser_free(chooser);
    return true;
}

static bool ask_all(asking *a, const size_t *sizes, size_t count, piaa_error *error) {
    const size_t n = (size_t)a->n;
    for (size_t k = 0; a->choosing.strategy != PIAA_CHOOSE_RANDOM && k <= count; k++) {
        const size_t until = k < count && sizes[k] < n ? sizes[k] : n;
        if (until > a->done && !ask(a, until, error)) return false;
    }
    for (size_t i = 0; i < n; i++)
        if (!a->asked[i]) take(a, i);
    return true;
}

bool piaa_next_order(const float *x, const int64_t *rows, const double *scores, int64_t n, int dim,
                     const piaa_choosing *choosing, const size_t *sizes, size_t count, size_t *out,
                     piaa_error *error) {
    asking a = {.x = x,
                .rows = rows,
                .scores = scores,
                .n = n,
                .dim = dim,
                .choosing = *choosing,
                .order = out,
                .seen_rows = piaa_alloc((size_t)n, sizeof(int64_t), error),
                .seen = piaa_alloc((size_t)n, sizeof(double), error),
                .asked = piaa_alloc((size_t)n, sizeof(bool), error)};
    const bool ok = a.seen_rows && a.seen && a.asked && (n < 1 || ask_all(&a, sizes, count, error));
    free(a.seen_rows);
    free(a.seen);
    free(a.asked);
    return ok;
}
