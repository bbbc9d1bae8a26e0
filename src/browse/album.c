/*
 * Bursts on the page: which photos were taken as one, and what was decided of them.
 *
 * A thread of its own reads when each photo was taken, a few bytes of each, and looks for bursts
 * once the model has read them all (study/bursts.h).  What is decided is the person's and kept in
 * the book; it is not learned from, since a photo that is passed over was not disliked.
 */
#include "browse/library_parts.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------- finding
 */

/* Whether the library goes on; until the photos are read, where that is asked. */
static bool goes_on(piaa_library *l, bool read) {
    pthread_mutex_lock(&l->lock);
    while (read && l->reading && !l->ended) pthread_cond_wait(&l->changed, &l->lock);
    const bool ended = l->ended;
    pthread_mutex_unlock(&l->lock);
    return !ended;
}

static piaa_shot *read_shots(piaa_library *l) {
    const size_t count = l->photos->paths.count;
    piaa_shot *shots = piaa_alloc(count, sizeof *shots, NULL);
    for (size_t i = 0; shots && i < count; i++) {
        if (!goes_on(l, false)) {
            free(shots);
            return NULL;
        }
        shots[i] = piaa_shot_read(piaa_library_path(l, i));
    }
    return shots;
}

static void *run_album(void *user) {
    piaa_library *l = user;
    piaa_shot *shots = read_shots(l);
    piaa_store *store =
        shots && goes_on(l, true) ? piaa_store_open_read(l->store_path, NULL, NULL) : NULL;
    piaa_likeness *likeness =
        store ? piaa_likeness_new(store, &l->slots, &l->photos->paths, NULL) : NULL;
    piaa_bursts *bursts = likeness ? piaa_bursts_find(&l->photos->paths, shots, piaa_likeness_same,
                                                      likeness, NULL, NULL)
                                   : NULL;
    piaa_likeness_free(likeness);
    piaa_store_close(store);
    free(shots);
    pthread_mutex_lock(&l->lock);
    l->bursts = bursts;
    if (bursts) piaa_library_tell(l);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

bool piaa_album_start(piaa_library *l) {
    l->looks_for_bursts = pthread_create(&l->album, NULL, run_album, l) == 0;
    return l->looks_for_bursts;
}

void piaa_album_end(piaa_library *l) {
    if (l->looks_for_bursts) pthread_join(l->album, NULL);
    l->looks_for_bursts = false;
}

/* --------------------------------------------------------------------------------------- deciding
 */

static bool take_pick(void *user, const char *path, bool kept) {
    piaa_library *l = user;
    const size_t photo = piaa_library_find_path(l, path);
    if (photo != SIZE_MAX) l->picks[photo] = kept ? 1 : -1;
    return true;
}

bool piaa_picks_load(piaa_library *l, piaa_error *error) {
    memset(l->picks, 0, l->photos->paths.count);
    return piaa_book_each_pick(l->book, take_pick, l, error);
}

bool piaa_library_pick(piaa_library *l, const size_t *kept, size_t kept_count, const size_t *passed,
                       size_t passed_count, piaa_error *error) {
    const size_t count = kept_count + passed_count;
    piaa_book_pick *picks = piaa_alloc(count, sizeof *picks, error);
    if (!picks) return false;
    for (size_t i = 0; i < count; i++)
        picks[i] = (piaa_book_pick){
            .path = piaa_library_path(l, i < kept_count ? kept[i] : passed[i - kept_count]),
            .kept = i < kept_count};
    pthread_mutex_lock(&l->lock);
    const bool ok = piaa_book_pick_all(l->book, picks, count, error);
    for (size_t i = 0; ok && i < count; i++) take_pick(l, picks[i].path, picks[i].kept);
    if (ok) piaa_library_tell(l);
    pthread_mutex_unlock(&l->lock);
    free(picks);
    return ok;
}

/* ------------------------------------------------------------------------------------------- JSON
 */

static void put_burst(piaa_json_build *build, cJSON *list, const piaa_bursts *bursts,
                      const piaa_burst *burst) {
    cJSON *item = piaa_json_put(build, list, NULL, cJSON_CreateObject());
    piaa_json_put_text(build, item, "kind", piaa_burst_names[burst->kind]);
    cJSON *photos = piaa_json_put(build, item, "photos", cJSON_CreateArray());
    for (size_t i = 0; i < burst->count; i++)
        piaa_json_put(build, photos, NULL,
                      piaa_library_number((double)bursts->members[burst->first + i]));
}

bool piaa_library_bursts(piaa_library *l, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    pthread_mutex_lock(&l->lock);
    const piaa_bursts *bursts = l->bursts;
    cJSON *list = piaa_json_put(&build, build.root, "bursts", cJSON_CreateArray());
    for (size_t i = 0; bursts && i < bursts->count; i++)
        put_burst(&build, list, bursts, &bursts->items[i]);
    list = piaa_json_put(&build, build.root, "behind", cJSON_CreateArray());
    for (size_t i = 0; bursts && i < l->photos->paths.count; i++) {
        if (bursts->shown[i] == i) continue;
        cJSON *pair = piaa_json_put(&build, list, NULL, cJSON_CreateArray());
        piaa_json_put(&build, pair, NULL, piaa_library_number((double)i));
        piaa_json_put(&build, pair, NULL, piaa_library_number((double)bursts->shown[i]));
    }
    pthread_mutex_unlock(&l->lock);
    return piaa_library_print(&build, out, error);
}
