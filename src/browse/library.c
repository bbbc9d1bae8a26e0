/*
 * The state that a page shows.
 *
 * One lock holds all of it.  Learning works on copies: it takes the ratings under the lock, learns
 * and ranks without it, and puts the scores back under it.  It is woken by ratings and by photos
 * that were read, and what comes meanwhile is learned from in the next round, so that a fast hand
 * never waits.  What teaches most is reckoned on a thread of its own, since that may take seconds
 * where photos are many: a list, each photo chosen as if those before it were rated, so that it
 * stays right while it is gone through, and is made anew when little of it is left.
 */
#include "browse/library.h"

#include "base/file.h"
#include "base/json.h"
#include "data/ratings.h"
#include "features/store.h"
#include "study/next.h"
#include "study/rank.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* What was learned last; zeroed: nothing yet. */
typedef struct learned {
    bool there;
    int64_t ratings;
    double plus_minus, interval, rank_correlation;
    piaa_verdict verdict;
} learned;

enum { TEACHING_MOST = 64, TEACHING_LEAST = 16 };

struct piaa_library {
    const piaa_photos *photos;
    const char *person;
    size_t *by_name; /* [count] photos in the order of their names */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* the version, or `ended` */
    piaa_book *book;
    double *ratings, *scores; /* [count]; NaN: none */
    bool *unreadable;         /* [count] */
    learned learned;
    size_t teaching[TEACHING_MOST], teaching_count; /* photos, that which teaches most first */
    int64_t version, done, total;
    bool reading, ended;
    char message[sizeof((piaa_error *)0)->message];

    /* The learning: */
    pthread_t learner;
    bool learning, due; /* its thread runs; something is to be learned */
    pthread_cond_t wake;
    pthread_t teacher;
    bool teaches, teaching_due; /* the same of what teaches most */
    pthread_cond_t wake_teacher;
    char *store_path;
    piaa_slots slots;
};

/* --------------------------------------------------------------------------------------- photos */

static const char *path_of(const piaa_library *l, size_t photo) {
    return l->photos->paths.items[photo];
}

/* The photo of a path, by bisection: they are in byte order. */
static size_t find_path(const piaa_library *l, const char *path) {
    size_t low = 0, high = l->photos->paths.count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = strcmp(path_of(l, middle), path);
        if (!order) return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

static size_t find_name(const piaa_library *l, const char *name) {
    size_t low = 0, high = l->photos->paths.count;
    while (low < high) {
        const size_t middle = (low + high) / 2, photo = l->by_name[middle];
        const int order = strcmp(l->photos->names.items[photo], name);
        if (!order) return photo;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

typedef struct named {
    const char *name;
    size_t photo;
} named;

static int compare_names(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static bool order_names(piaa_library *l, piaa_error *error) {
    const size_t count = l->photos->names.count;
    named *list = piaa_alloc(count, sizeof *list, error);
    if (!list) return false;
    for (size_t i = 0; i < count; i++) list[i] = (named){l->photos->names.items[i], i};
    qsort(list, count, sizeof *list, compare_names);
    for (size_t i = 0; i < count; i++) l->by_name[i] = list[i].photo;
    free(list);
    return true;
}

size_t piaa_library_count(const piaa_library *l) {
    return l->photos->paths.count;
}

const piaa_photos *piaa_library_photos(const piaa_library *l) {
    return l->photos;
}

const char *piaa_library_path(const piaa_library *l, size_t photo) {
    return path_of(l, photo);
}

/* ------------------------------------------------------------------------------------------ new */

static bool take_rating(void *user, const char *path, double score) {
    piaa_library *l = user;
    const size_t photo = find_path(l, path);
    if (photo != SIZE_MAX) l->ratings[photo] = score;
    return true;
}

static bool prepare(piaa_library *l, piaa_error *error) {
    const size_t count = l->photos->paths.count;
    if (!(l->by_name = piaa_alloc(count, sizeof *l->by_name, error)) ||
        !(l->ratings = piaa_alloc(count, sizeof *l->ratings, error)) ||
        !(l->scores = piaa_alloc(count, sizeof *l->scores, error)) ||
        !(l->unreadable = piaa_alloc(count, sizeof *l->unreadable, error)))
        return false;
    for (size_t i = 0; i < count; i++) l->ratings[i] = l->scores[i] = NAN;
    return order_names(l, error) && piaa_book_each(l->book, take_rating, l, error);
}

piaa_library *piaa_library_new(const piaa_photos *photos, piaa_book *book, const char *person,
                               piaa_error *error) {
    piaa_library *l = piaa_alloc(1, sizeof *l, error);
    if (!l) return NULL;
    *l = (piaa_library){.photos = photos,
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
    const bool learning = l->learning, teaches = l->teaches;
    l->learning = l->teaches = false;
    pthread_mutex_unlock(&l->lock);
    if (learning) pthread_join(l->learner, NULL);
    if (teaches) pthread_join(l->teacher, NULL);
}

void piaa_library_free(piaa_library *l) {
    if (!l) return;
    piaa_library_end(l);
    pthread_cond_destroy(&l->changed);
    pthread_cond_destroy(&l->wake);
    pthread_cond_destroy(&l->wake_teacher);
    pthread_mutex_destroy(&l->lock);
    free(l->by_name);
    free(l->ratings);
    free(l->scores);
    free(l->unreadable);
    free(l->store_path);
    free(l);
}

/* -------------------------------------------------------------------------------------- changes */

/* Under the lock. */
static void tell_change(piaa_library *l) {
    l->version++;
    pthread_cond_broadcast(&l->changed);
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
    if (left < TEACHING_LEAST) want_teaching(l);
}

bool piaa_library_rate(piaa_library *l, size_t photo, double score, piaa_error *error) {
    pthread_mutex_lock(&l->lock);
    const bool ok = piaa_book_rate(l->book, path_of(l, photo), score, error);
    if (ok) {
        l->ratings[photo] = score;
        shorten_teaching(l);
        tell_change(l);
        want_learning(l);
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

bool piaa_library_undo(piaa_library *l, size_t *photo, piaa_error *error) {
    piaa_book_change undone;
    *photo = SIZE_MAX;
    pthread_mutex_lock(&l->lock);
    const bool ok = piaa_book_undo(l->book, &undone, error);
    if (ok && undone.path) *photo = find_path(l, undone.path);
    if (*photo != SIZE_MAX) {
        l->ratings[*photo] = undone.before;
        tell_change(l);
        want_learning(l);
    }
    pthread_mutex_unlock(&l->lock);
    free(undone.path);
    return ok;
}

/* Photos that were read are learned from, and scored, now and then, not each at once. */
void piaa_library_progress(piaa_library *l, int64_t done, int64_t total) {
    enum { ROUND = 16 };
    pthread_mutex_lock(&l->lock);
    if (done / ROUND != l->done / ROUND || done == total) {
        l->done = done;
        l->total = total;
        tell_change(l);
        want_learning(l);
        if (l->teaching_count < TEACHING_LEAST || done == total) want_teaching(l);
    }
    pthread_mutex_unlock(&l->lock);
}

void piaa_library_finished(piaa_library *l, const char *message) {
    pthread_mutex_lock(&l->lock);
    l->reading = false;
    snprintf(l->message, sizeof l->message, "%s", message ? message : "");
    tell_change(l);
    want_learning(l);
    pthread_mutex_unlock(&l->lock);
}

int64_t piaa_library_wait(piaa_library *l, int64_t known, int milliseconds) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&l->lock);
    while (!l->ended && l->version == known &&
           pthread_cond_timedwait(&l->changed, &l->lock, &until) == 0)
        ;
    const int64_t version = l->ended ? -1 : l->version;
    pthread_mutex_unlock(&l->lock);
    return version;
}

/* ------------------------------------------------------------------------------------- learning */

/* One round's own copies. */
typedef struct lesson {
    double *scores;   /* [photos] */
    bool *unreadable; /* [photos] */
    learned learned;
} lesson;

piaa_ratings *piaa_library_ratings(piaa_library *l, piaa_error *error) {
    const size_t count = l->photos->paths.count;
    piaa_rating *items = piaa_alloc(count, sizeof *items, error);
    size_t rated = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; items && i < count; i++)
        if (!isnan(l->ratings[i]))
            items[rated++] = (piaa_rating){.path = path_of(l, i), .score = l->ratings[i]};
    pthread_mutex_unlock(&l->lock);
    piaa_ratings *ratings = rated ? piaa_ratings_from("the page", items, rated, error) : NULL;
    free(items);
    return ratings;
}

/* Two that differ are there. */
static bool is_a_taste(const piaa_ratings *ratings) {
    for (size_t i = 1; i < piaa_ratings_count(ratings); i++)
        if (piaa_ratings_at(ratings, i)->score != piaa_ratings_at(ratings, 0)->score) return true;
    return false;
}

static void take_ranking(const piaa_library *l, const piaa_ranking *ranking, lesson *out) {
    for (size_t i = 0; i < piaa_ranking_count(ranking); i++) {
        const piaa_ranked *ranked = piaa_ranking_at(ranking, i);
        const size_t photo = find_name(l, ranked->path);
        if (photo != SIZE_MAX) out->scores[photo] = ranked->score;
    }
}

static void learn(piaa_library *l, const piaa_store *store, lesson *out) {
    const size_t count = l->photos->paths.count;
    for (size_t i = 0; i < count; i++) {
        const piaa_photo *photo = piaa_store_find(store, path_of(l, i));
        out->unreadable[i] = photo && photo->error;
    }
    piaa_ratings *ratings = piaa_library_ratings(l, NULL);
    piaa_taste *taste = is_a_taste(ratings)
                            ? piaa_taste_learn_slots(store, l->slots.items, l->slots.count, ratings,
                                                     NULL, NULL, NULL)
                            : NULL;
    piaa_ranking *ranking = taste ? piaa_rank_photos(taste, store, l->photos, ratings, NULL) : NULL;
    if (ranking) {
        out->learned = (learned){.there = true,
                                 .ratings = taste->ratings,
                                 .plus_minus = taste->loo_rmse,
                                 .interval = taste->interval,
                                 .rank_correlation = taste->loo_spearman,
                                 .verdict = piaa_taste_verdict(taste)};
        take_ranking(l, ranking, out);
    }
    piaa_ranking_free(ranking);
    piaa_taste_free(taste);
    piaa_ratings_free(ratings);
}

static void publish(piaa_library *l, const lesson *from) {
    const size_t count = l->photos->paths.count;
    pthread_mutex_lock(&l->lock);
    memcpy(l->scores, from->scores, count * sizeof *l->scores);
    memcpy(l->unreadable, from->unreadable, count * sizeof *l->unreadable);
    l->learned = from->learned;
    tell_change(l);
    pthread_mutex_unlock(&l->lock);
}

/* The store may not be there yet. */
static piaa_store *refresh(piaa_library *l, piaa_store *store) {
    if (!store) return piaa_store_open_read(l->store_path, NULL, NULL);
    if (piaa_store_refresh(store, NULL)) return store;
    piaa_store_close(store);
    return NULL;
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
    lesson out = {.scores = piaa_alloc(count, sizeof *out.scores, NULL),
                  .unreadable = piaa_alloc(count, sizeof *out.unreadable, NULL)};
    piaa_store *store = NULL;
    while (out.scores && out.unreadable && wait_until_due(l, &l->due, &l->wake)) {
        if (!(store = refresh(l, store))) continue;
        for (size_t i = 0; i < count; i++) out.scores[i] = NAN;
        out.learned = (learned){0};
        learn(l, store, &out);
        publish(l, &out);
    }
    piaa_store_close(store);
    free(out.scores);
    free(out.unreadable);
    return NULL;
}

/* ------------------------------------------------------------------------------------- teaching */

static void take_teaching(piaa_library *l, const piaa_next *next) {
    pthread_mutex_lock(&l->lock);
    l->teaching_count = 0;
    for (size_t i = 0; i < next->count; i++) {
        const size_t photo = find_name(l, next->items[i].path);
        if (photo != SIZE_MAX && isnan(l->ratings[photo])) l->teaching[l->teaching_count++] = photo;
    }
    tell_change(l);
    pthread_mutex_unlock(&l->lock);
}

static void *run_teacher(void *user) {
    static const piaa_choosing how = {.random_share = 0.2};
    piaa_library *l = user;
    piaa_store *store = NULL;
    while (wait_until_due(l, &l->teaching_due, &l->wake_teacher)) {
        if (!(store = refresh(l, store))) continue;
        piaa_ratings *ratings = piaa_library_ratings(l, NULL);
        piaa_next next;
        if (piaa_next_choose(store, &l->slots, l->photos, ratings, &how, TEACHING_MOST, NULL, &next,
                             NULL)) {
            take_teaching(l, &next);
            piaa_next_free(&next);
        }
        piaa_ratings_free(ratings);
    }
    piaa_store_close(store);
    return NULL;
}

bool piaa_library_learn_from(piaa_library *l, const char *path, const piaa_slots *slots,
                             piaa_error *error) {
    if (!(l->store_path = piaa_strdup(path, error))) return false;
    l->slots = *slots;
    l->due = l->teaching_due = true;
    l->learning = pthread_create(&l->learner, NULL, run_learner, l) == 0;
    l->teaches = pthread_create(&l->teacher, NULL, run_teacher, l) == 0;
    return (l->learning && l->teaches) ||
           piaa_error_set(error, PIAA_MEMORY, "no thread could be started to learn from ratings");
}

/* ----------------------------------------------------------------------------------------- JSON */

static cJSON *number(double value) {
    return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

static bool print(piaa_json_build *build, piaa_text *out, piaa_error *error) {
    char *text = piaa_json_print(piaa_json_built(build), false, error);
    const bool ok = text && piaa_text_add(out, text, strlen(text), error);
    cJSON_Delete(build->root);
    free(text);
    return ok;
}

/* The part of the names that all begin with, up to a slash. */
static size_t common_folder(const piaa_paths *names) {
    size_t length = names->count ? strlen(names->items[0]) : 0;
    for (size_t i = 1; i < names->count; i++) {
        size_t same = 0;
        while (same < length && names->items[i][same] == names->items[0][same]) same++;
        length = same;
    }
    while (length && names->items[0][length - 1] != '/') length--;
    return length;
}

bool piaa_library_list(piaa_library *l, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    const size_t skip = common_folder(&l->photos->names);
    piaa_json_put_text(&build, build.root, "person", l->person);
    piaa_json_put_text(&build, build.root, "book", piaa_book_where(l->book));
    cJSON *list = piaa_json_put(&build, build.root, "photos", cJSON_CreateArray());
    for (size_t i = 0; i < l->photos->names.count; i++) {
        struct stat status;
        cJSON *item = piaa_json_put(&build, list, NULL, cJSON_CreateObject());
        piaa_json_put_text(&build, item, "name", l->photos->names.items[i] + skip);
        if (stat(path_of(l, i), &status) == 0)
            piaa_json_put(&build, item, "time", cJSON_CreateNumber((double)status.st_mtime));
    }
    return print(&build, out, error);
}

static void put_learned(piaa_json_build *build, const learned *from) {
    cJSON *item = piaa_json_put(build, build->root, "learned",
                                from->there ? cJSON_CreateObject() : cJSON_CreateNull());
    if (!from->there) return;
    piaa_json_put(build, item, "ratings", number((double)from->ratings));
    piaa_json_put(build, item, "plus_minus", number(from->plus_minus));
    piaa_json_put(build, item, "interval", number(from->interval));
    piaa_json_put(build, item, "rank_correlation", number(from->rank_correlation));
    piaa_json_put_text(build, item, "verdict", piaa_verdict_name(from->verdict));
}

/* Four decimals are more than anyone sees; as text, since there may be 100,000 of them. */
static void put_numbers(piaa_json_build *build, const char *key, const double *values,
                        size_t count) {
    piaa_text list = {0};
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            piaa_text_format(&list, NULL, "%c%.4f", i ? ',' : '[', values[i]);
        else
            piaa_text_format(&list, NULL, "%cnull", i ? ',' : '[');
    piaa_text_format(&list, NULL, count ? "]" : "[]");
    piaa_json_put(build, build->root, key, list.failed ? NULL : cJSON_CreateRaw(list.data));
    free(list.data);
}

bool piaa_library_state(piaa_library *l, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    const size_t count = l->photos->paths.count;
    pthread_mutex_lock(&l->lock);
    piaa_json_put(&build, build.root, "version", number((double)l->version));
    piaa_json_put(&build, build.root, "reading", cJSON_CreateBool(l->reading));
    piaa_json_put(&build, build.root, "read", number((double)l->done));
    piaa_json_put(&build, build.root, "total", number((double)l->total));
    piaa_json_put_text(&build, build.root, "message", l->message);
    put_learned(&build, &l->learned);
    put_numbers(&build, "scores", l->scores, count);
    put_numbers(&build, "ratings", l->ratings, count);
    cJSON *teaching = piaa_json_put(&build, build.root, "teaching", cJSON_CreateArray());
    for (size_t i = 0; i < l->teaching_count; i++)
        piaa_json_put(&build, teaching, NULL, number((double)l->teaching[i]));
    cJSON *unreadable = piaa_json_put(&build, build.root, "unreadable", cJSON_CreateArray());
    for (size_t i = 0; i < count; i++)
        if (l->unreadable[i]) piaa_json_put(&build, unreadable, NULL, number((double)i));
    pthread_mutex_unlock(&l->lock);
    return print(&build, out, error);
}
