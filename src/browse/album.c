/* The photos of a page and their bursts. */
#include "browse/album.h"

#include "base/memory.h"
#include "data/names.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct piaa_album {
    const piaa_photos *photos;
    piaa_names names, paths; /* of the photos, for finding them: by their numbers */
    piaa_shot *shots;        /* [read] when each was taken; NULL once bursts were looked for */
    size_t read;             /* how many of them are known */
    bool looked;             /* there is nothing left to do, whatever was found */
    _Atomic(piaa_bursts *) bursts;
    atomic_size_t begun, done; /* what somebody waits for */
};

/* ---------------------------------------------------------------------------------------- names */

/* Numbers them as the list does, in which each is once. */
static bool number_all(piaa_names *table, const piaa_paths *texts, piaa_error *error) {
    for (size_t i = 0; i < texts->count; i++) {
        size_t number;
        if (!piaa_names_add(table, texts->items[i], &number, NULL, error)) return false;
        if (number != i)
            return piaa_error_set(error, PIAA_USAGE, "%.1000s is listed twice", texts->items[i]);
    }
    return true;
}

static size_t find(const piaa_names *table, const char *text) {
    size_t number;
    return piaa_names_find(table, text, &number) ? number : SIZE_MAX;
}

size_t piaa_album_find_name(const piaa_album *a, const char *name) {
    return find(&a->names, name);
}

size_t piaa_album_find_path(const piaa_album *a, const char *path) {
    return find(&a->paths, path);
}

piaa_album *piaa_album_new(const piaa_photos *photos, piaa_error *error) {
    piaa_album *a = piaa_alloc(1, sizeof *a, error);
    if (!a) return NULL;
    a->photos = photos;
    atomic_init(&a->bursts, NULL);
    atomic_init(&a->begun, 0);
    atomic_init(&a->done, 0);
    if (number_all(&a->names, &photos->names, error) &&
        number_all(&a->paths, &photos->paths, error))
        return a;
    piaa_album_free(a);
    return NULL;
}

void piaa_album_free(piaa_album *a) {
    if (!a) return;
    piaa_bursts_free(atomic_load(&a->bursts));
    free(a->shots);
    piaa_names_free(&a->names);
    piaa_names_free(&a->paths);
    free(a);
}

const piaa_photos *piaa_album_photos(const piaa_album *a) {
    return a->photos;
}

/* --------------------------------------------------------------------------------------- bursts */

static piaa_bursts *find_bursts(const piaa_album *a, const char *path, const piaa_slots *slots) {
    const piaa_paths *paths = &a->photos->paths;
    piaa_store *store = piaa_store_open_read(path, NULL, NULL);
    piaa_likeness *likeness = store ? piaa_likeness_new(store, slots, paths, NULL) : NULL;
    piaa_bursts *bursts =
        likeness ? piaa_bursts_find(paths, a->shots, piaa_likeness_same, likeness, NULL, NULL)
                 : NULL;
    piaa_likeness_free(likeness);
    piaa_store_close(store);
    return bursts;
}

bool piaa_album_step(piaa_album *a, const char *store, const piaa_slots *slots) {
    const size_t count = a->photos->paths.count;
    if (a->looked) return false;
    if (!a->shots && !(a->shots = piaa_alloc(count, sizeof *a->shots, NULL))) return false;
    if (a->read < count) {
        a->shots[a->read] = piaa_shot_read(a->photos->paths.items[a->read]);
        a->read++;
        return true;
    }
    atomic_store(&a->bursts, find_bursts(a, store, slots));
    free(a->shots);
    a->shots = NULL;
    a->looked = true;
    return false;
}

const piaa_bursts *piaa_album_bursts(const piaa_album *a) {
    return atomic_load(&a->bursts);
}

/* ---------------------------------------------------------------------------------------- hurry */

void piaa_album_hurry(piaa_album *a) {
    atomic_fetch_add(&a->begun, 1);
}

void piaa_album_hurried(piaa_album *a) {
    atomic_fetch_add(&a->done, 1);
}

bool piaa_album_is_calm(const piaa_album *a) {
    const size_t done = atomic_load(&a->done); /* before what was begun, which is never less */
    return done == atomic_load(&a->begun);
}

void piaa_album_wait_for_calm(const piaa_album *a, bool (*ended)(void *user), void *user) {
    enum { BEAT_MS = 50, CALM = 4, MOST = 100 };
    const struct timespec beat = {.tv_nsec = BEAT_MS * 1000000L};
    size_t before = 0;
    for (int i = 0, calm = 0; i < MOST && calm < CALM && !ended(user); i++) {
        nanosleep(&beat, NULL);
        const size_t begun = atomic_load(&a->begun);
        calm = begun && begun == before && piaa_album_is_calm(a) ? calm + 1 : 0;
        before = begun;
    }
}
