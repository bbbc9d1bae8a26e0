/*
 * What a library learns.
 *
 * Learning works on copies: it takes the ratings under the lock, learns
 * and ranks without it, and puts the scores back under it.  It is woken by ratings and by photos
 * that were read, and what comes meanwhile is learned from in the next round, so that a fast hand
 * never waits.  What teaches most is reckoned on a thread of its own, since that may take seconds
 * where photos are many: a list, each photo chosen as if those before it were rated, so that it
 * stays right while it is gone through, and is made anew when little of it is left.
 */
#include "browse/library_parts.h"

#include "data/ratings.h"
#include "study/next.h"
#include "study/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One round's own copies. */
typedef struct copies {
    double *scores;   /* [photos] */
    bool *unreadable; /* [photos] */
    piaa_lesson learned;
} copies;

/* Two that differ are there. */
static bool is_a_taste(const piaa_ratings *ratings) {
    for (size_t i = 1; i < piaa_ratings_count(ratings); i++)
        if (piaa_ratings_at(ratings, i)->score != piaa_ratings_at(ratings, 0)->score) return true;
    return false;
}

static void take_ranking(const piaa_library *l, const piaa_ranking *ranking, copies *out) {
    for (size_t i = 0; i < piaa_ranking_count(ranking); i++) {
        const piaa_ranked *ranked = piaa_ranking_at(ranking, i);
        const size_t photo = piaa_album_find_name(l->album, ranked->path);
        if (photo != SIZE_MAX) out->scores[photo] = ranked->score;
    }
}

static void publish(piaa_library *l, const copies *from) {
    const size_t count = l->photos->paths.count;
    pthread_mutex_lock(&l->lock);
    l->scored += memcmp(l->scores, from->scores, count * sizeof *l->scores) != 0;
    memcpy(l->scores, from->scores, count * sizeof *l->scores);
    memcpy(l->unreadable, from->unreadable, count * sizeof *l->unreadable);
    l->learned = from->learned;
    piaa_library_tell(l);
    pthread_mutex_unlock(&l->lock);
}

static void take_unreadable(const piaa_library *l, const piaa_store *store, bool *unreadable) {
    for (size_t i = 0; i < l->photos->paths.count; i++) {
        const piaa_photo photo = piaa_store_find(store, piaa_library_path(l, i));
        unreadable[i] = photo.error != NULL;
    }
}

/* The taste is the caller's; NULL: there is none. */
static piaa_taste *learn(piaa_library *l, const piaa_store *store, copies *out) {
    piaa_ratings *ratings = piaa_library_ratings(l, NULL);
    piaa_choices *choices = piaa_library_choices(l, NULL);
    const piaa_said said = {.ratings = ratings, .choices = choices};
    const piaa_learning how = {.choices = choices, .prior = l->prior};
    piaa_taste *taste = choices || is_a_taste(ratings)
                            ? piaa_taste_learn_slots(store, l->slots.items, l->slots.count, ratings,
                                                     &how, NULL, NULL)
                            : NULL;
    piaa_ranking *ranking = taste ? piaa_rank_said(taste, store, l->photos, &said, NULL) : NULL;
    if (ranking) {
        const bool trusted = l->prior && taste->learned &&
                             (taste->learned->spread != 0 || taste->learned->lead != 0);
        out->learned = (piaa_lesson){.there = true,
                                     .prior = trusted,
                                     .ratings = taste->ratings,
                                     .pairs = taste->pairs,
                                     .pairs_right = taste->pairs_right,
                                     .plus_minus = taste->loo_rmse,
                                     .ten_more = NAN,
                                     .interval = taste->interval,
                                     .rank_correlation = taste->loo_spearman,
                                     .verdict = piaa_taste_verdict(taste)};
        take_ranking(l, ranking, out);
    }
    piaa_ranking_free(ranking);
    piaa_choices_free(choices);
    piaa_ratings_free(ratings);
    return taste;
}

/* The same, and shows it; the taste is l->why's, until the next one. */
static piaa_taste *learn_in_a_hurry(piaa_library *l, const piaa_store *store, copies *out) {
    piaa_album_hurry(l->album);
    for (size_t i = 0; i < l->photos->paths.count; i++) out->scores[i] = NAN;
    out->learned = (piaa_lesson){0};
    piaa_taste *taste = learn(l, store, out);
    piaa_why_take(l->why, taste);
    publish(l, out);
    piaa_album_hurried(l->album);
    return taste;
}

/* Whether a hand rests: nothing is to be learned for half a second. */
static bool is_calm(piaa_library *l) {
    const struct timespec until = piaa_moment_in(500);
    pthread_mutex_lock(&l->lock);
    while (!l->due && !l->ended && pthread_cond_timedwait(&l->wake, &l->lock, &until) == 0)
        ;
    const bool calm = !l->due && !l->ended;
    pthread_mutex_unlock(&l->lock);
    return calm;
}

static bool is_wanted(void *user) {
    piaa_library *l = user;
    pthread_mutex_lock(&l->lock);
    const bool wanted = l->due || l->ended;
    pthread_mutex_unlock(&l->lock);
    return wanted;
}

/* What ten more would bring, which takes many times as long as learning: where nobody waits for a
   lesson, and after it was shown. */
static void look_ahead(piaa_library *l, const piaa_store *store, piaa_taste *taste, copies *out) {
    if (!taste) return;
    piaa_album_wait_for_calm(l->album, is_wanted, l);
    if (!is_calm(l)) return;
    piaa_ratings *ratings = piaa_library_ratings(l, NULL);
    piaa_choices *choices = piaa_library_choices(l, NULL);
    const piaa_said said = {.ratings = ratings, .choices = choices};
    if (piaa_taste_foretell(taste, store, &said, NULL) && isfinite(taste->ten_more)) {
        out->learned.ten_more = taste->ten_more;
        publish(l, out);
    }
    piaa_choices_free(choices);
    piaa_ratings_free(ratings);
}

/* A thread's view of the store, and of how long ago it is. */
typedef struct view {
    piaa_store *store;
    int64_t stored; /* the library's when it was read last */
} view;

/* Reads the catalogue again only where there may be more in it, which for 40,000 photos takes as
   long as a lesson; *anew: it did.  False: the store may not be there yet. */
static bool refresh(piaa_library *l, view *v, bool *anew) {
    pthread_mutex_lock(&l->lock);
    const int64_t stored = l->stored;
    pthread_mutex_unlock(&l->lock);
    *anew = !v->store || stored != v->stored;
    v->stored = stored;
    if (!v->store) {
        v->store = piaa_store_open_read(l->store_path, NULL, NULL);
    } else if (*anew && !piaa_store_refresh(v->store, NULL)) {
        piaa_store_close(v->store);
        v->store = NULL;
    }
    return v->store;
}

static bool wait_until_due(piaa_library *l, bool *due, pthread_cond_t *wake) {
    pthread_mutex_lock(&l->lock);
    while (!*due && !l->ended) pthread_cond_wait(wake, &l->lock);
    *due = false;
    const bool ended = l->ended;
    pthread_mutex_unlock(&l->lock);
    return !ended;
}

static void *run_learner(void *user) {
    piaa_library *l = user;
    const size_t count = l->photos->paths.count;
    copies out = {.scores = piaa_alloc(count, sizeof *out.scores, NULL),
                  .unreadable = piaa_alloc(count, sizeof *out.unreadable, NULL)};
    view v = {0};
    bool anew;
    while (out.scores && out.unreadable && wait_until_due(l, &l->due, &l->wake)) {
        if (!refresh(l, &v, &anew)) continue;
        if (anew) take_unreadable(l, v.store, out.unreadable);
        piaa_taste *taste = learn_in_a_hurry(l, v.store, &out);
        look_ahead(l, v.store, taste, &out);
    }
    piaa_store_close(v.store);
    free(out.scores);
    free(out.unreadable);
    return NULL;
}

/* ------------------------------------------------------------------------------------- teaching */

static void take_teaching(piaa_library *l, const piaa_next *next) {
    pthread_mutex_lock(&l->lock);
    l->teaching_count = 0;
    for (size_t i = 0; i < next->count; i++) {
        const size_t photo = piaa_album_find_name(l->album, next->items[i].path);
        if (photo != SIZE_MAX && isnan(l->ratings[photo])) l->teaching[l->teaching_count++] = photo;
    }
    piaa_library_tell(l);
    pthread_mutex_unlock(&l->lock);
}

static bool has_ended(void *user) {
    piaa_library *l = user;
    pthread_mutex_lock(&l->lock);
    const bool ended = l->ended;
    pthread_mutex_unlock(&l->lock);
    return ended;
}

static void *run_teacher(void *user) {
    static const piaa_choosing how = {.random_share = 0.2};
    piaa_library *l = user;
    view v = {0};
    bool anew;
    while (wait_until_due(l, &l->teaching_due, &l->wake_teacher)) {
        piaa_album_wait_for_calm(l->album, has_ended, l);
        if (!refresh(l, &v, &anew)) continue;
        piaa_ratings *ratings = piaa_library_ratings(l, NULL);
        piaa_next next;
        if (piaa_next_choose(v.store, &l->slots, l->photos, ratings, &how, PIAA_TEACHING_MOST, NULL,
                             &next, NULL)) {
            take_teaching(l, &next);
            piaa_next_free(&next);
        }
        piaa_ratings_free(ratings);
    }
    piaa_store_close(v.store);
    return NULL;
}

bool piaa_lessons_start(piaa_library *l) {
    l->learning = pthread_create(&l->learner, NULL, run_learner, l) == 0;
    l->teaches = pthread_create(&l->teacher, NULL, run_teacher, l) == 0;
    return l->learning && l->teaches;
}

void piaa_lessons_end(piaa_library *l) {
    if (l->learning) pthread_join(l->learner, NULL);
    if (l->teaches) pthread_join(l->teacher, NULL);
    l->learning = l->teaches = false;
}
