/* The thread that walks the folders, and what it remembers of files that were not on the list at
   first. */
#include "browse/watch.h"

#include "base/hooks.h"
#include "browse/library_parts.h"

#include <glib.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PAUSE_MS = 2000, SHARE = 20, PATIENCE = 15 };

/* A file that is not on the list, or came onto it here, as it was in the walk before. */
typedef struct stranger {
    off_t size;
    time_t time;
    bool still;  /* it was the same in the walk before */
    bool looked; /* it was opened as it is: it is no photo, or on the list */
} stranger;

struct piaa_watch {
    piaa_shelf *shelf;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool runs, ended;

    /* The walk's own: */
    piaa_show *show;       /* whose paths `listed` has; held */
    GHashTable *listed;    /* path, the show's */
    GHashTable *strangers; /* path -> stranger, both ours */
    size_t moving, still;  /* in the last walk: files that change, and that stand still unopened */
    int walks;             /* since some stood still */
    bool takes;            /* in this walk those are opened */
    bool changed;          /* in this walk one was met that is on the list */
};

/* A piaa_photos_look_again want(). */
static bool want(void *user, const char *path) {
    piaa_watch *w = user;
    struct stat status;
    const bool listed = g_hash_table_contains(w->listed, path);
    stranger *s = g_hash_table_lookup(w->strangers, path);
    if ((listed && !s) || stat(path, &status) != 0 || !status.st_size) return false;
    if (!s) {
        s = g_new0(stranger, 1);
        g_hash_table_insert(w->strangers, g_strdup(path), s);
    }
    if (s->size != status.st_size || s->time != status.st_mtime) {
        *s = (stranger){.size = status.st_size, .time = status.st_mtime};
        w->moving++;
        return false;
    }
    if (s->looked) return false;
    if (w->takes) {
        s->looked = s->still;
        if (listed && s->still) w->changed = true;
        return s->still && !listed;
    }
    w->still++;
    s->still = true;
    return false;
}

static void list(piaa_watch *w) {
    if (w->show) piaa_shelf_give(w->shelf, w->show);
    w->show = piaa_shelf_take(w->shelf);
    g_hash_table_remove_all(w->listed);
    const piaa_paths *paths = &w->show->photos->paths;
    for (size_t i = 0; i < paths->count; i++) g_hash_table_add(w->listed, paths->items[i]);
}

static bool walk(piaa_watch *w, bool takes, piaa_photos **more) {
    w->takes = takes;
    w->moving = w->still = 0;
    w->changed = false;
    return piaa_photos_look_again(w->show->photos, want, w, more, NULL);
}

/* The list with what stands still; the same once more where only photos of it have changed.  False:
   memory. */
static bool collect(piaa_watch *w, piaa_photos **out) {
    return walk(w, true, out) &&
           (*out || !w->changed || (*out = piaa_photos_copy(w->show->photos, NULL)));
}

/* Takes what stands still. */
static bool take(piaa_watch *w) {
    piaa_photos *more = NULL;
    if (collect(w, &more) && (!more || piaa_shelf_replace(w->shelf, more, NULL))) {
        if (more) list(w);
        return more != NULL;
    }
    g_hash_table_remove_all(w->strangers);
    return false;
}

bool piaa_watch_look(piaa_watch *w) {
    piaa_photos *more = NULL;
    if (!walk(w, false, &more)) return false;
    w->walks = w->still ? w->walks + 1 : 0;
    if (!w->still || (w->moving && w->walks < PATIENCE)) return false;
    w->walks = 0;
    return take(w);
}

static bool pause_for(piaa_watch *w, int milliseconds) {
    const struct timespec until = piaa_moment_in(milliseconds);
    pthread_mutex_lock(&w->lock);
    while (!w->ended && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
        ;
    const bool ended = w->ended;
    pthread_mutex_unlock(&w->lock);
    return !ended;
}

static void *run(void *user) {
    piaa_watch *w = user;
    int pause = PAUSE_MS;
    while (pause_for(w, pause)) {
        const double began = piaa_seconds_now();
        piaa_watch_look(w);
        const double share = (piaa_seconds_now() - began) * SHARE * 1000;
        pause = share > PAUSE_MS ? (int)share : PAUSE_MS;
    }
    return NULL;
}

piaa_watch *piaa_watch_new(piaa_shelf *shelf, piaa_error *error) {
    piaa_watch *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    w->shelf = shelf;
    w->listed = g_hash_table_new(g_str_hash, g_str_equal);
    w->strangers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    list(w);
    return w;
}

bool piaa_watch_start(piaa_watch *w, piaa_error *error) {
    w->runs = pthread_create(&w->thread, NULL, run, w) == 0;
    return w->runs ||
           piaa_error_set(error, PIAA_MEMORY, "no thread could be started to look for new photos");
}

void piaa_watch_free(piaa_watch *w) {
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    if (w->runs) pthread_join(w->thread, NULL);
    piaa_shelf_give(w->shelf, w->show);
    g_hash_table_destroy(w->listed);
    g_hash_table_destroy(w->strangers);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
