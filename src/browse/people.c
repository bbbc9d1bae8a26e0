/* The people of a page.  Their lock holds the list of them and how the reading goes; what a library
   holds is under its own. */
#include "browse/people.h"

#include "base/hooks.h"
#include "base/pace.h"
#include "base/utf8.h"
#include "browse/library_parts.h"
#include "linear/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 80, FEWEST = 3, FEWEST_TIMED = 3 };

typedef struct person {
    char *name;
    piaa_book *book;
    piaa_library *library; /* NULL: not asked for yet */
} person;

struct piaa_people {
    piaa_people_source source;
    piaa_album *album;
    pthread_mutex_t lock;
    person items[PIAA_PEOPLE_MOST];
    size_t count;
    int64_t done, total;
    piaa_pace pace;
    bool finished, ended;
    char message[sizeof((piaa_error *)0)->message];
};

/* --------------------------------------------------------------------------------------- a list */

static size_t find(const piaa_people *p, const char *name) {
    size_t i = 0;
    while (i < p->count && strcmp(p->items[i].name, name) != 0) i++;
    return i;
}

static bool append(piaa_people *p, const char *name, piaa_error *error) {
    if (p->count == PIAA_PEOPLE_MOST)
        return piaa_error_set(error, PIAA_USAGE, "a page has room for %d people", PIAA_PEOPLE_MOST);
    if (!(p->items[p->count].name = piaa_strdup(name, error))) return false;
    p->count++;
    return true;
}

/* Of the book; those for whom there is no room are left out. */
static bool take_name(void *user, const char *name) {
    piaa_people *p = user;
    return find(p, name) < p->count || p->count == PIAA_PEOPLE_MOST || append(p, name, NULL);
}

static bool is_name(const char *name) {
    const size_t length = strlen(name);
    if (!length || length > NAME_MOST || name[0] == ' ' || name[length - 1] == ' ') return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) return false;
    return piaa_utf8_check(name, length) == length;
}

/* ------------------------------------------------------------------------------------ libraries */

static void close_person(person *one) {
    piaa_library_free(one->library);
    piaa_book_close(one->book);
    one->library = NULL;
    one->book = NULL;
}

static bool open_person(const piaa_people *p, person *one, piaa_error *error) {
    if (!(one->book = piaa_book_open(p->source.book, one->name, error)) ||
        !(one->library = piaa_library_new(p->album, one->book, one->name, error)))
        return false;
    piaa_library_explain_by(one->library, p->source.projection);
    if (p->source.store && !piaa_library_learn_from(one->library, p->source.store, p->source.slots,
                                                    p->source.prior, error))
        return false;
    if (p->done) piaa_library_progress(one->library, p->done, p->total);
    if (p->finished) piaa_library_finished(one->library, p->message);
    return true;
}

/* Under the lock. */
static piaa_library *library_of(piaa_people *p, size_t number, piaa_error *error) {
    if (number >= p->count || p->ended) {
        piaa_error_set(error, PIAA_USAGE, "there is no such person on this page");
        return NULL;
    }
    person *one = &p->items[number];
    if (!one->library && !open_person(p, one, error)) close_person(one);
    return one->library;
}

piaa_library *piaa_people_library(piaa_people *p, size_t number, piaa_error *error) {
    pthread_mutex_lock(&p->lock);
    piaa_library *library = library_of(p, number, error);
    pthread_mutex_unlock(&p->lock);
    return library;
}

bool piaa_people_add(piaa_people *p, const char *name, size_t *number, piaa_error *error) {
    if (!is_name(name))
        return piaa_error_set(error, PIAA_USAGE,
                              "a name has 1 to %d letters, and no blank at its ends", NAME_MOST);
    pthread_mutex_lock(&p->lock);
    *number = find(p, name);
    const bool ok = *number < p->count || append(p, name, error);
    pthread_mutex_unlock(&p->lock);
    return ok;
}

static piaa_people *new_people(const piaa_people_source *source, piaa_error *error) {
    piaa_people *p = piaa_alloc(1, sizeof *p, error);
    if (!p) return NULL;
    p->source = *source;
    pthread_mutex_init(&p->lock, NULL);
    if ((p->album = piaa_album_new(source->photos, error))) return p;
    piaa_people_free(p);
    return NULL;
}

piaa_people *piaa_people_new(const piaa_people_source *source, const char *name,
                             piaa_error *error) {
    piaa_people *p = new_people(source, error);
    if (!p) return NULL;
    if (append(p, name, error) && piaa_people_library(p, 0, error) &&
        piaa_book_people(p->items[0].book, take_name, p, error))
        return p;
    piaa_people_free(p);
    return NULL;
}

/* The reading goes on meanwhile, and tells `before`. */
static bool copy_people(piaa_people *p, piaa_people *before, piaa_error *error) {
    pthread_mutex_lock(&before->lock);
    bool ok = true;
    for (size_t i = 0; ok && i < before->count; i++) ok = append(p, before->items[i].name, error);
    p->done = before->done;
    p->total = before->total;
    p->pace = before->pace;
    pthread_mutex_unlock(&before->lock);
    return ok;
}

piaa_people *piaa_people_follow(piaa_people *before, const piaa_people_source *source,
                                piaa_error *error) {
    piaa_people *p = new_people(source, error);
    if (!p || (copy_people(p, before, error) && piaa_people_library(p, 0, error))) return p;
    piaa_people_free(p);
    return NULL;
}

void piaa_people_end(piaa_people *p) {
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].library) piaa_library_end(p->items[i].library);
    pthread_mutex_unlock(&p->lock);
}

void piaa_people_free(piaa_people *p) {
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) {
        close_person(&p->items[i]);
        free(p->items[i].name);
    }
    piaa_album_free(p->album);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* -------------------------------------------------------------------------------------- reading */

void piaa_people_progress(piaa_people *p, int64_t done, int64_t total) {
    pthread_mutex_lock(&p->lock);
    p->done = done;
    p->total = total;
    piaa_pace_tell(&p->pace, done, piaa_seconds_now());
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].library) piaa_library_progress(p->items[i].library, done, total);
    pthread_mutex_unlock(&p->lock);
}

void piaa_people_finished(piaa_people *p, const char *message) {
    pthread_mutex_lock(&p->lock);
    p->finished = true;
    p->pace = (piaa_pace){0};
    snprintf(p->message, sizeof p->message, "%s", message ? message : "");
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].library) piaa_library_finished(p->items[i].library, p->message);
    pthread_mutex_unlock(&p->lock);
}

bool piaa_people_step(piaa_people *p) {
    const bool known = piaa_album_bursts(p->album);
    if (!p->source.store || !piaa_album_is_calm(p->album)) return false;
    const bool more = piaa_album_step(p->album, p->source.store, p->source.slots);
    if (known || !piaa_album_bursts(p->album)) return more;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].library) piaa_library_changed(p->items[i].library);
    pthread_mutex_unlock(&p->lock);
    return more;
}

/* Of a few, since photos differ in how long they take. */
piaa_reading piaa_people_reading(piaa_people *p) {
    pthread_mutex_lock(&p->lock);
    piaa_reading r = {.reading = !p->finished, .done = p->done, .total = p->total, .left = NAN};
    if (p->pace.done - p->pace.first >= FEWEST_TIMED) r.left = piaa_pace_left(&p->pace, p->total);
    pthread_mutex_unlock(&p->lock);
    return r;
}

/* ------------------------------------------------------------------------------------ agreement */

/* What everybody rated and is foreseen to rate, copied one library after the other. */
typedef struct opinions {
    size_t people, photos;
    const char *names[PIAA_PEOPLE_MOST];                          /* the people's own */
    double *ratings[PIAA_PEOPLE_MOST], *scores[PIAA_PEOPLE_MOST]; /* [photos]; NaN: none */
    double *pairs[2]; /* [photos] what two have both of */
    double *all;      /* the memory of all of them */
} opinions;

static bool new_opinions(opinions *o, size_t people, size_t photos, piaa_error *error) {
    *o = (opinions){.people = people, .photos = photos};
    if (!(o->all = piaa_alloc_array(photos * (2 * people + 2), sizeof *o->all, error)))
        return false;
    for (size_t i = 0; i < people; i++) {
        o->ratings[i] = o->all + 2 * i * photos;
        o->scores[i] = o->ratings[i] + photos;
    }
    for (size_t i = 0; i < 2; i++) o->pairs[i] = o->all + (2 * people + i) * photos;
    return true;
}

static bool ask_all(piaa_people *p, opinions *o, piaa_error *error) {
    pthread_mutex_lock(&p->lock);
    bool ok = new_opinions(o, p->count, p->source.photos->paths.count, error);
    for (size_t i = 0; ok && i < o->people; i++) {
        piaa_library *library = library_of(p, i, error);
        o->names[i] = p->items[i].name;
        ok = library != NULL;
        if (ok) piaa_library_opinion(library, o->ratings[i], o->scores[i]);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

static size_t count_rated(const double *values, size_t count) {
    size_t rated = 0;
    for (size_t i = 0; i < count; i++) rated += !isnan(values[i]);
    return rated;
}

static void put_agreement(piaa_json_build *build, cJSON *item, const opinions *o, const double *a,
                          const double *b, const char *both, const char *agree) {
    double rank_correlation = NAN;
    size_t n = 0;
    for (size_t i = 0; i < o->photos; i++) {
        if (isnan(a[i]) || isnan(b[i])) continue;
        o->pairs[0][n] = a[i];
        o->pairs[1][n++] = b[i];
    }
    if (a == b || n < FEWEST ||
        !piaa_metrics_spearman(o->pairs[0], o->pairs[1], n, &rank_correlation, NULL))
        rank_correlation = NAN;
    piaa_json_put(build, item, both, cJSON_CreateNumber((double)n));
    piaa_json_put(build, item, agree, piaa_library_number(rank_correlation));
}

bool piaa_people_list(piaa_people *p, size_t own, piaa_text *out, piaa_error *error) {
    opinions o = {0};
    if (!ask_all(p, &o, error) || own >= o.people) {
        free(o.all);
        return false;
    }
    piaa_json_build build = {.root = cJSON_CreateObject()};
    piaa_json_put(&build, build.root, "person", cJSON_CreateNumber((double)own));
    cJSON *list = piaa_json_put(&build, build.root, "people", cJSON_CreateArray());
    for (size_t i = 0; i < o.people; i++) {
        cJSON *item = piaa_json_put(&build, list, NULL, cJSON_CreateObject());
        piaa_json_put_text(&build, item, "name", o.names[i]);
        piaa_json_put(&build, item, "rated",
                      cJSON_CreateNumber((double)count_rated(o.ratings[i], o.photos)));
        put_agreement(&build, item, &o, o.ratings[own], o.ratings[i], "both_rated",
                      "ratings_agree");
        put_agreement(&build, item, &o, o.scores[own], o.scores[i], "both_scored", "scores_agree");
    }
    free(o.all);
    return piaa_library_print(&build, out, error);
}

/* ------------------------------------------------------------------------------------- together */

/* Adds what one scored, standardized; false: there is no order in it. */
static bool add_standardized(const double *scores, size_t photos, double *sum) {
    double mean = 0, square = 0;
    size_t n = 0;
    for (size_t i = 0; i < photos; i++) {
        if (isnan(scores[i])) continue;
        const double off = scores[i] - mean; /* Welford's */
        mean += off / (double)++n;
        square += off * (scores[i] - mean);
    }
    const double spread = n ? sqrt(square / (double)n) : 0;
    if (!(spread > 0)) return false;
    for (size_t i = 0; i < photos; i++) sum[i] += (scores[i] - mean) / spread; /* NaN stays */
    return true;
}

bool piaa_people_together(piaa_people *p, piaa_text *out, piaa_error *error) {
    opinions o = {0};
    if (!ask_all(p, &o, error)) {
        free(o.all);
        return false;
    }
    double *mean = o.pairs[0];
    size_t tastes = 0;
    for (size_t i = 0; i < o.photos; i++) mean[i] = 0;
    for (size_t i = 0; i < o.people; i++) tastes += add_standardized(o.scores[i], o.photos, mean);
    for (size_t i = 0; i < o.photos; i++) mean[i] = tastes ? mean[i] / (double)tastes : NAN;
    piaa_json_build build = {.root = cJSON_CreateObject()};
    piaa_json_put(&build, build.root, "people", cJSON_CreateNumber((double)tastes));
    piaa_library_put_numbers(&build, "scores", mean, o.photos);
    free(o.all);
    return piaa_library_print(&build, out, error);
}
