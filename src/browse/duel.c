/*
 * Which of two photos is better: what was said, what is asked next.
 *
 * Answers are kept like ratings, and learned from with them (study/compared.c).  What is asked is
 * chosen while the request waits (study/asking.h), several pairs at once, each as if those before
 * it were answered, so that the page can show the next one without waiting.  A pair that nobody
 * could decide is not asked again, and so is not learned from either.
 */
#include "base/json.h"
#include "browse/library_parts.h"

#include "data/pairs.h"
#include "study/asking.h"

#include <math.h>
#include <stdlib.h>

enum { ASKED_AT_ONCE = 8 };

static bool add_pair(piaa_library *l, size_t one, size_t other, double win, piaa_error *error) {
    if (!piaa_grow(&l->pairs, &l->pair_room, l->pair_count + 1, sizeof *l->pairs, error))
        return false;
    l->pairs[l->pair_count++] = (piaa_pair){.one = one, .other = other, .win = win};
    return true;
}

/* Pairs of photos of other folders are not these photos'. */
static bool take_pair(void *user, const char *one, const char *other, double win) {
    piaa_library *l = user;
    const size_t first = piaa_album_find_path(l->album, one),
                 second = piaa_album_find_path(l->album, other);
    return first == SIZE_MAX || second == SIZE_MAX || add_pair(l, first, second, win, NULL);
}

bool piaa_pairs_load(piaa_library *l, piaa_error *error) {
    return piaa_book_each_pair(l->book, take_pair, l, error);
}

void piaa_pairs_drop(piaa_library *l, size_t one, size_t other) {
    for (size_t i = l->pair_count; i-- > 0;) {
        if (l->pairs[i].one != one || l->pairs[i].other != other) continue;
        for (l->pair_count--; i < l->pair_count; i++) l->pairs[i] = l->pairs[i + 1];
        return;
    }
}

bool piaa_library_compare(piaa_library *l, size_t one, size_t other, double win,
                          piaa_error *error) {
    pthread_mutex_lock(&l->lock);
    const bool ok =
        piaa_grow(&l->pairs, &l->pair_room, l->pair_count + 1, sizeof *l->pairs, error) &&
        piaa_book_compare(l->book, piaa_library_path(l, one), piaa_library_path(l, other), win,
                          error) &&
        add_pair(l, one, other, win, error);
    if (ok) piaa_library_learn_again(l);
    pthread_mutex_unlock(&l->lock);
    return ok;
}

piaa_choices *piaa_library_choices(piaa_library *l, piaa_error *error) {
    size_t count = 0;
    pthread_mutex_lock(&l->lock);
    piaa_choice *items = piaa_alloc(l->pair_count, sizeof *items, error);
    for (size_t i = 0; items && i < l->pair_count; i++)
        if (!isnan(l->pairs[i].win))
            items[count++] = (piaa_choice){.one = piaa_library_path(l, l->pairs[i].one),
                                           .other = piaa_library_path(l, l->pairs[i].other),
                                           .win = l->pairs[i].win};
    pthread_mutex_unlock(&l->lock);
    piaa_choices *choices = count ? piaa_choices_from("the page", items, count, error) : NULL;
    free(items);
    return choices;
}

/* --------------------------------------------------------------------------------------- asking */

static bool was_skipped(const piaa_library *l, size_t one, size_t other) {
    for (size_t i = 0; i < l->pair_count; i++)
        if (isnan(l->pairs[i].win) && ((l->pairs[i].one == one && l->pairs[i].other == other) ||
                                       (l->pairs[i].one == other && l->pairs[i].other == one)))
            return true;
    return false;
}

static size_t count_skipped(piaa_library *l) {
    size_t count = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->pair_count; i++) count += isnan(l->pairs[i].win) != 0;
    pthread_mutex_unlock(&l->lock);
    return count;
}

static bool put_asked(piaa_library *l, const piaa_asked *asked, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    cJSON *list = piaa_json_put(&build, build.root, "pairs", cJSON_CreateArray());
    int left = ASKED_AT_ONCE;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; left && i < asked->count; i++) {
        const size_t one = piaa_album_find_name(l->album, asked->items[i].one),
                     other = piaa_album_find_name(l->album, asked->items[i].other);
        if (one == SIZE_MAX || other == SIZE_MAX || was_skipped(l, one, other)) continue;
        cJSON *pair = piaa_json_put(&build, list, NULL, cJSON_CreateArray());
        piaa_json_put(&build, pair, NULL, cJSON_CreateNumber((double)one));
        piaa_json_put(&build, pair, NULL, cJSON_CreateNumber((double)other));
        left--;
    }
    pthread_mutex_unlock(&l->lock);
    return piaa_library_print(&build, out, error);
}

static bool choose(piaa_library *l, const piaa_store *store, piaa_asked *asked) {
    piaa_joined joined;
    piaa_ratings *ratings = piaa_library_ratings(l, NULL);
    piaa_choices *choices = piaa_library_choices(l, NULL);
    const piaa_said said = {.ratings = ratings, .choices = choices};
    const bool ok = piaa_joined_open(&joined, store, l->slots.items, l->slots.count, NULL, NULL) &&
                    piaa_asking_choose(&joined, l->photos, &said, ASKED_AT_ONCE + count_skipped(l),
                                       42, asked, NULL);
    piaa_joined_close(&joined);
    piaa_choices_free(choices);
    piaa_ratings_free(ratings);
    return ok;
}

/* Before two photos are read there is nothing to ask, which is no error. */
bool piaa_library_ask(piaa_library *l, piaa_text *out, piaa_error *error) {
    piaa_asked asked = {0};
    piaa_store *store = l->store_path ? piaa_store_open_read(l->store_path, NULL, NULL) : NULL;
    if (store && !choose(l, store, &asked)) asked = (piaa_asked){0};
    const bool ok = put_asked(l, &asked, out, error);
    piaa_asked_free(&asked);
    piaa_store_close(store);
    return ok;
}
