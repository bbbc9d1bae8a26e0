/* The photos of a page and their bursts. */
#include "browse/album.h"

#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct piaa_album {
    const piaa_photos *photos;
    size_t *by_name;  /* [count] photos in the order of their names */
    piaa_shot *shots; /* [read] when each was taken; NULL once bursts were looked for */
    size_t read;      /* how many of them are known */
    bool looked;      /* there is nothing left to do, whatever was found */
    _Atomic(piaa_bursts *) bursts;
    atomic_size_t begun, done; /* what somebody waits for */
};

/* ---------------------------------------------------------------------------------------- names */

typedef struct named {
    const char *name;
    size_t photo;
} named;

static int compare_names(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static bool order_names(piaa_album *a, piaa_error *error) {
    const size_t count = a->photos->names.count;
    named *list = piaa_alloc(count, sizeof *list, error);
    if (!list || !(a->by_name = piaa_alloc(count, sizeof *a->by_name, error))) {
        free(list);
        return false;
    }
    for (size_t i = 0; i < count; i++) list[i] = (named){a->photos->names.items[i], i};
    qsort(list, count, sizeof *list, compare_names);
    for (size_t i = 0; i < count; i++) a->by_name[i] = list[i].photo;
    free(list);
    return true;
}

/* By bisection: photos are in the byte order of their paths, and `order` (NULL: none) in that of
   their names. */
static size_t find(const piaa_paths *texts, const size_t *order, const char *text) {
    size_t low = 0, high = texts->count;
    while (low < high) {
        const size_t middle = (low + high) / 2, photo = order ? order[middle] : middle;
        const int differs = strcmp(texts->items[photo], text);
        if (!differs) return photo;
        if (differs < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

size_t piaa_album_find_name(const piaa_album *a, const char *name) {
    return find(&a->photos->names, a->by_name, name);
}

size_t piaa_album_find_path(const piaa_album *a, const char *path) {
    return find(&a->photos->paths, NULL, path);
}

piaa_album *piaa_album_new(const piaa_photos *photos, piaa_error *error) {
    piaa_album *a = piaa_alloc(1, sizeof *a, error);
    if (!a) return NULL;
    a->photos = photos;
    atomic_init(&a->bursts, NULL);
    atomic_init(&a->begun, 0);
    atomic_init(&a->done, 0);
    if (order_names(a, error)) return a;
    piaa_album_free(a);
    return NULL;
}

void piaa_album_free(piaa_album *a) {
    if (!a) return;
    piaa_bursts_free(atomic_load(&a->bursts));
    free(a->shots);
    free(a->by_name);
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
