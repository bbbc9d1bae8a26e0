/*
 * Why a photo has its score: the taste that was learned last, in the words of a projection, and the
 * photos that the person judged and that are most like it.
 *
 * Alike is the cosine of two photos' features, standardised as the taste has them: what a ridge's
 * score sums over the rated photos.  What does not depend on the photo is reckoned once for each
 * lesson, when somebody first asks.
 */
#include "browse/why.h"

#include "base/json.h"
#include "browse/library_parts.h"
#include "study/explain.h"
#include "study/joined.h"
#include "study/rank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEAREST = 6 };

struct piaa_why {
    pthread_mutex_t lock;              /* of all that follows */
    const piaa_projection *projection; /* the caller's; NULL: no words */
    piaa_taste *taste;                 /* NULL: nothing was learned */
    bool fresh;                        /* nothing of what follows is of this taste */
    piaa_store *store;
    size_t *photos;  /* [count] that something was said of */
    double *ratings; /* [count] NaN: only compared */
    float *x;        /* [count][dim] */
    size_t count;
    piaa_explanation *about; /* NULL: no words */
    char no_words[sizeof((piaa_error *)0)->message];
};

piaa_why *piaa_why_new(piaa_error *error) {
    piaa_why *w = piaa_alloc(1, sizeof *w, error);
    if (w) pthread_mutex_init(&w->lock, NULL);
    return w;
}

static void forget(piaa_why *w) {
    piaa_explanation_free(w->about);
    free(w->photos);
    free(w->ratings);
    free(w->x);
    w->about = NULL;
    w->photos = NULL;
    w->ratings = NULL;
    w->x = NULL;
    w->count = 0;
}

void piaa_why_free(piaa_why *w) {
    if (!w) return;
    forget(w);
    piaa_taste_free(w->taste);
    piaa_store_close(w->store);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void piaa_why_take(piaa_why *w, piaa_taste *taste) {
    pthread_mutex_lock(&w->lock);
    forget(w);
    piaa_taste_free(w->taste);
    w->taste = taste;
    w->fresh = true;
    pthread_mutex_unlock(&w->lock);
}

void piaa_why_words(piaa_why *w, const piaa_projection *projection) {
    pthread_mutex_lock(&w->lock);
    w->projection = projection;
    w->fresh = true;
    pthread_mutex_unlock(&w->lock);
}

/* --------------------------------------------------------------------------------- for a lesson */

static const float *vector_of(const piaa_library *l, piaa_joined *joined, size_t photo) {
    return piaa_joined_vector(joined,
                              piaa_store_find(joined->store, piaa_library_path(l, photo)).row);
}

/* The photos that something was said of, rated ones and compared ones. */
static bool list_said(piaa_why *w, piaa_library *l, piaa_error *error) {
    const size_t all = l->photos->paths.count;
    bool *said = piaa_alloc(all, sizeof *said, error);
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; said && i < all; i++) said[i] = !isnan(l->ratings[i]);
    for (size_t i = 0; said && i < l->pair_count; i++)
        if (!isnan(l->pairs[i].win)) said[l->pairs[i].one] = said[l->pairs[i].other] = true;
    for (size_t i = 0; said && i < all; i++) w->count += said[i];
    if (said && (w->photos = piaa_alloc(w->count, sizeof *w->photos, error)) &&
        (w->ratings = piaa_alloc(w->count, sizeof *w->ratings, error))) {
        size_t at = 0;
        for (size_t i = 0; i < all; i++) {
            if (!said[i]) continue;
            w->ratings[at] = l->ratings[i];
            w->photos[at++] = i;
        }
    }
    pthread_mutex_unlock(&l->lock);
    free(said);
    return w->ratings;
}

/* Their features; those that have none leave the list. */
static bool take_features(piaa_why *w, const piaa_library *l, piaa_joined *joined,
                          piaa_error *error) {
    const size_t dim = (size_t)joined->dim;
    size_t there = 0;
    if (!(w->x = piaa_alloc_array(w->count * dim, sizeof *w->x, error))) return false;
    for (size_t i = 0; i < w->count; i++) {
        const float *vector = vector_of(l, joined, w->photos[i]);
        if (!vector) continue;
        memcpy(w->x + there * dim, vector, dim * sizeof *w->x);
        w->ratings[there] = w->ratings[i];
        w->photos[there++] = w->photos[i];
    }
    w->count = there;
    return true;
}

static void find_words(piaa_why *w) {
    piaa_error why = {0};
    if (!w->projection)
        snprintf(w->no_words, sizeof w->no_words,
                 "No words: piaa browse --projection FILE gives them (piaa reduce makes one).");
    else if (!(w->about =
                   piaa_explain(w->taste, w->projection, w->x, NULL, (int64_t)w->count, &why)))
        snprintf(w->no_words, sizeof w->no_words, "%s", why.message);
}

static bool prepare(piaa_why *w, piaa_library *l, piaa_joined *joined, piaa_error *error) {
    if (!w->fresh) return true;
    forget(w);
    if (!list_said(w, l, error) || !take_features(w, l, joined, error)) return false;
    find_words(w);
    w->fresh = false;
    return true;
}

/* ---------------------------------------------------------------------------------- for a photo */

/* The cosine of standardised features. */
static double likeness(const piaa_taste *taste, const float *a, const float *b) {
    double product = 0, first = 0, second = 0;
    for (int j = 0; j < taste->dim; j++) {
        const double x = (a[j] - taste->mean[j]) / taste->scale[j],
                     y = (b[j] - taste->mean[j]) / taste->scale[j];
        product += x * y;
        first += x * x;
        second += y * y;
    }
    return first > 0 && second > 0 ? product / sqrt(first * second) : 0;
}

typedef struct near_photo {
    size_t at; /* in the list */
    double likeness;
} near_photo;

static size_t find_nearest(const piaa_why *w, size_t photo, const float *x,
                           near_photo out[NEAREST]) {
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->photos[i] == photo || isnan(w->ratings[i])) continue;
        const near_photo made = {i, likeness(w->taste, x, w->x + i * (size_t)w->taste->dim)};
        size_t at = count < NEAREST ? count++ : NEAREST - 1;
        if (at == NEAREST - 1 && count == NEAREST && out[at].likeness >= made.likeness &&
            i >= NEAREST)
            continue;
        for (; at && out[at - 1].likeness < made.likeness; at--) out[at] = out[at - 1];
        out[at] = made;
    }
    return count;
}

static void put_near(piaa_json_build *build, const piaa_why *w, size_t photo, const float *x) {
    near_photo nearest[NEAREST];
    const size_t count = find_nearest(w, photo, x, nearest);
    cJSON *list = piaa_json_put(build, build->root, "near", cJSON_CreateArray());
    for (size_t i = 0; i < count; i++) {
        cJSON *item = piaa_json_put(build, list, NULL, cJSON_CreateObject());
        piaa_json_put(build, item, "photo", cJSON_CreateNumber((double)w->photos[nearest[i].at]));
        piaa_json_put(build, item, "rating", piaa_library_number(w->ratings[nearest[i].at]));
        piaa_json_put(build, item, "likeness", piaa_library_number(nearest[i].likeness));
    }
}

static bool put_words(piaa_json_build *build, const piaa_why *w, const float *x,
                      piaa_error *error) {
    const piaa_explanation *about = w->about;
    piaa_explained_photo photo;
    double *adds = piaa_alloc((size_t)about->count, sizeof *adds, error);
    const bool ok = adds && piaa_explain_photo(about, x, NULL, adds, &photo, error);
    if (ok) {
        cJSON *list = piaa_json_put(build, build->root, "words", cJSON_CreateArray());
        for (int k = 0; k < about->count; k++) {
            cJSON *item = piaa_json_put(build, list, NULL, cJSON_CreateObject());
            piaa_json_put_text(build, item, "name", about->projection->names[k]);
            piaa_json_put(build, item, "adds", piaa_library_number(adds[k]));
        }
        piaa_json_put(build, build->root, "average", piaa_library_number(about->average_score));
        piaa_json_put(build, build->root, "rest", piaa_library_number(photo.rest));
        piaa_json_put(build, build->root, "explained", piaa_library_number(about->explained));
    }
    free(adds);
    return ok;
}

static bool put_photo(piaa_why *w, piaa_library *l, piaa_joined *joined, size_t photo,
                      piaa_json_build *build, piaa_error *error) {
    double score;
    const float *x = prepare(w, l, joined, error) ? vector_of(l, joined, photo) : NULL;
    if (!x) {
        piaa_json_put_text(build, build->root, "nothing", "This photo has not been read yet.");
        return !piaa_error_pending(error);
    }
    piaa_taste_predict(w->taste, x, 1, &score);
    piaa_json_put(build, build->root, "score", piaa_library_number(score));
    piaa_json_put(build, build->root, "interval", piaa_library_number(w->taste->interval));
    if (!w->about) piaa_json_put_text(build, build->root, "no_words", w->no_words);
    put_near(build, w, photo, x);
    return !w->about || put_words(build, w, x, error);
}

/* The store as it was when the lesson was learned, or later. */
static bool open_store(piaa_why *w, const piaa_library *l, piaa_error *error) {
    if (!w->store) return (w->store = piaa_store_open_read(l->store_path, NULL, error));
    return piaa_store_refresh(w->store, error);
}

static bool put_taste(piaa_why *w, piaa_library *l, size_t photo, piaa_json_build *build,
                      piaa_error *error) {
    piaa_joined joined = {0};
    if (!w->taste) {
        piaa_json_put_text(build, build->root, "nothing",
                           "Nothing is learned yet: rate some photos, or compare some.");
        return true;
    }
    const bool ok =
        open_store(w, l, error) &&
        piaa_joined_open(&joined, w->store, l->slots.items, l->slots.count, NULL, error) &&
        put_photo(w, l, &joined, photo, build, error);
    piaa_joined_close(&joined);
    return ok;
}

bool piaa_library_why(piaa_library *l, size_t photo, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    piaa_why *w = l->why;
    pthread_mutex_lock(&w->lock);
    const bool ok = put_taste(w, l, photo, &build, error);
    pthread_mutex_unlock(&w->lock);
    if (ok) return piaa_library_print(&build, out, error);
    cJSON_Delete(build.root);
    return false;
}
