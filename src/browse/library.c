/*
 * The state that a page shows.  One lock holds all of it.
 */
#include "browse/library_parts.h"

#include "base/file.h"
#include "data/ratings.h"
#include "study/prior.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --------------------------------------------------------------------------------------- photos */

size_t piaa_library_count(const piaa_library *l) {
    return l->photos->paths.count;
}

const piaa_photos *piaa_library_photos(const piaa_library *l) {
    return l->photos;
}

piaa_album *piaa_library_album(const piaa_library *l) {
    return l->album;
}

const char *piaa_library_path(const piaa_library *l, size_t photo) {
    return l->photos->paths.items[photo];
}

/* ------------------------------------------------------------------------------------------ new */

static bool take_rating(void *user, const char *path, double score) {
    piaa_library *l = user;
    const size_t photo = piaa_album_find_path(l->album, path);
    if (photo != SIZE_MAX) l->ratings[photo] = score;
    return true;
}

static bool prepare(piaa_library *l, piaa_error *error) {
    const size_t count = l->photos->paths.count;
    if (!(l->ratings = piaa_alloc(count, sizeof *l->ratings, error)) ||
        !(l->scores = piaa_alloc(count, sizeof *l->scores, error)) ||
        !(l->unreadable = piaa_alloc(count, sizeof *l->unreadable, error)) ||
        !(l->picks = piaa_alloc(count, sizeof *l->picks, error)) || !(l->why = piaa_why_new(error)))
        return false;
    for (size_t i = 0; i < count; i++) l->ratings[i] = l->scores[i] = NAN;
    return piaa_book_each(l->book, take_rating, l, error) && piaa_pairs_load(l, error) &&
           piaa_picks_load(l, error);
}

piaa_library *piaa_library_new(piaa_album *album, piaa_book *book, const char *person,
                               piaa_error *error) {
    piaa_library *l = piaa_alloc(1, sizeof *l, error);
    if (!l) return NULL;
    const piaa_photos *photos = piaa_album_photos(album);
    *l = (piaa_library){.album = album,
                        .photos = photos,
                        .book = book,
                        .person = person,
                        .version = 1,
                        .total = (int64_t)photos->paths.count,
                        .reading = true};
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    pthread_cond_init(&l->wake, NULL);
    pthread_cond_init(&l->wake_teacher, NULL);
    if (prepare(l, error)) return l;
    piaa_library_free(l);
    return NULL;
}

void piaa_library_end(piaa_library *l) {
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    pthread_cond_broadcast(&l->changed);
    pthread_cond_broadcast(&l->wake);
    pthread_cond_broadcast(&l->wake_teacher);
    pthread_mutex_unlock(&l->lock);
    piaa_lessons_end(l);
}

void piaa_library_free(piaa_library *l) {
    if (!l) return;
    piaa_library_end(l);
    pthread_cond_destroy(&l->changed);
    pthread_cond_destroy(&l->wake);
    pthread_cond_destroy(&l->wake_teacher);
    pthread_mutex_destroy(&l->lock);
    free(l->ratings);
    free(l->scores);
    free(l->unreadable);
    free(l->pairs);
    free(l->picks);
    free(l->store_path);
    piaa_why_free(l->why);
    piaa_prior_free(l->prior);
    free(l);
}

/* -------------------------------------------------------------------------------------- changes */

/* Under the lock. */
void piaa_library_tell(piaa_library *l) {
    l->version++;
    pthread_cond_broadcast(&l->changed);
}

void piaa_library_changed(piaa_library *l) {
    pthread_mutex_lock(&l->lock);
    piaa_library_tell(l);
    pthread_mutex_unlock(&l->lock);
}

static void want_learning(piaa_library *l) {
    l->due = true;
    pthread_cond_signal(&l->wake);
}

static void want_teaching(piaa_library *l) {
    l->teaching_due = true;
    pthread_cond_signal(&l->wake_teacher);
}

/* What of the list is not rated yet; it is made anew before it ends. */
static void shorten_teaching(piaa_library *l) {
    size_t left = 0;
    for (size_t i = 0; i < l->teaching_count; i++)
        if (isnan(l->ratings[l->teaching[i]])) l->teaching[left++] = l->teaching[i];
    l->teaching_count = left;
    if (left < PIAA_TEACHING_LEAST) want_teaching(l);
}

void piaa_library_learn_again(piaa_library *l) {
    piaa_library_tell(l);
    want_learning(l);
}

bool piaa_library_rate(piaa_library *l, size_t photo, double score, piaa_error *error) {
    pthread_mutex_lock(&l->lock);
    const bool ok = piaa_book_rate(l->book, piaa_library_path(l, photo), score, error);
    if (ok) {
        l->ratings[photo] = score;
        shorten_teaching(l);
        piaa_library_learn_again(l);
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

/* Under the lock. */
static void take_undone(piaa_library *l, const piaa_book_change *change, piaa_undone *out) {
    if (change->path) out->photo = piaa_album_find_path(l->album, change->path);
    if (change->other) out->other = piaa_album_find_path(l->album, change->other);
    out->picks = change->picks;
    if (out->picks) {
        if (piaa_picks_load(l, NULL)) piaa_library_tell(l);
        return;
    }
    if (out->photo == SIZE_MAX) return;
    if (!change->other)
        l->ratings[out->photo] = change->before;
    else
        piaa_pairs_drop(l, out->photo, out->other);
    piaa_library_learn_again(l);
}

bool piaa_library_undo(piaa_library *l, piaa_undone *undone, piaa_error *error) {
    piaa_book_change change;
    *undone = (piaa_undone){.photo = SIZE_MAX, .other = SIZE_MAX};
    pthread_mutex_lock(&l->lock);
    const bool ok = piaa_book_undo(l->book, &change, error);
    if (ok) take_undone(l, &change, undone);
    pthread_mutex_unlock(&l->lock);
    piaa_book_change_free(&change);
    return ok;
}

/* Photos that were read are learned from, and scored, now and then, not each at once. */
void piaa_library_progress(piaa_library *l, int64_t done, int64_t total) {
    enum { ROUND = 16 };
    pthread_mutex_lock(&l->lock);
    if (done / ROUND != l->done / ROUND || done == total) {
        l->done = done;
        l->total = total;
        l->stored++;
        piaa_library_tell(l);
        want_learning(l);
        if (l->teaching_count < PIAA_TEACHING_LEAST || done == total) want_teaching(l);
    }
    pthread_mutex_unlock(&l->lock);
}

void piaa_library_finished(piaa_library *l, const char *message) {
    pthread_mutex_lock(&l->lock);
    l->reading = false;
    l->stored++;
    snprintf(l->message, sizeof l->message, "%s", message ? message : "");
    piaa_library_tell(l);
    want_learning(l);
    pthread_mutex_unlock(&l->lock);
}

struct timespec piaa_moment_in(int milliseconds) {
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    moment.tv_sec += milliseconds / 1000;
    moment.tv_nsec += milliseconds % 1000 * 1000000L;
    if (moment.tv_nsec >= 1000000000L) {
        moment.tv_sec++;
        moment.tv_nsec -= 1000000000L;
    }
    return moment;
}

int64_t piaa_library_wait(piaa_library *l, int64_t known, int milliseconds) {
    const struct timespec until = piaa_moment_in(milliseconds);
    pthread_mutex_lock(&l->lock);
    while (!l->ended && l->version == known &&
           pthread_cond_timedwait(&l->changed, &l->lock, &until) == 0)
        ;
    const int64_t version = l->ended ? -1 : l->version;
    pthread_mutex_unlock(&l->lock);
    return version;
}

piaa_ratings *piaa_library_ratings(piaa_library *l, piaa_error *error) {
    const size_t count = l->photos->paths.count;
    piaa_rating *items = piaa_alloc(count, sizeof *items, error);
    size_t rated = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; items && i < count; i++)
        if (!isnan(l->ratings[i]))
            items[rated++] = (piaa_rating){.path = piaa_library_path(l, i), .score = l->ratings[i]};
    pthread_mutex_unlock(&l->lock);
    piaa_ratings *ratings = rated ? piaa_ratings_from("the page", items, rated, error) : NULL;
    free(items);
    return ratings;
}

void piaa_library_explain_by(piaa_library *l, const piaa_projection *projection) {
    piaa_why_words(l->why, projection);
}

void piaa_library_opinion(piaa_library *l, double *ratings, double *scores) {
    const size_t count = l->photos->paths.count;
    pthread_mutex_lock(&l->lock);
    memcpy(ratings, l->ratings, count * sizeof *ratings);
    memcpy(scores, l->scores, count * sizeof *scores);
    pthread_mutex_unlock(&l->lock);
}

/* A person's own ratings, met again in the prior, would seem to be foreseen. */
static bool made_of(const piaa_prior *prior, const char *person) {
    for (size_t i = 0; i < prior->rater_count; i++)
        if (strcmp(prior->raters[i], person) == 0) return true;
    return false;
}

static bool take_prior(piaa_library *l, const char *file, piaa_error *error) {
    if (!file) return true;
    if (!(l->prior = piaa_prior_load(file, error))) return false;
    if (!made_of(l->prior, l->person)) return true;
    piaa_prior_free(l->prior);
    l->prior = NULL;
    return true;
}

bool piaa_library_learn_from(piaa_library *l, const char *path, const piaa_slots *slots,
                             const char *prior, piaa_error *error) {
    if (!(l->store_path = piaa_strdup(path, error)) || !take_prior(l, prior, error)) return false;
    l->slots = *slots;
    l->due = l->teaching_due = true;
    return piaa_lessons_start(l) ||
           piaa_error_set(error, PIAA_MEMORY, "no thread could be started to learn from ratings");
}
