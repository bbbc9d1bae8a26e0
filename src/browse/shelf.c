/* Shows that replace each other.  A show is freed when it is not the present one and nobody holds
   it any more; the lock is over which is the present one, and who holds which. */
#include "browse/shelf.h"

#include <pthread.h>
#include <stdlib.h>

struct piaa_shelf {
    piaa_people_source source; /* but for the photos */
    piaa_helper *helper;
    pthread_mutex_t lock;
    pthread_rwlock_t changing; /* read: something is changed; written: the show is replaced */
    piaa_show *now;            /* NULL: not made yet */
};

static void free_show(piaa_show *show) {
    if (!show) return;
    piaa_ahead_free(show->ahead);
    piaa_people_free(show->people);
    piaa_photos_free(show->own);
    free(show);
}

/* `own` goes with the show, and stays the caller's on failure. */
static piaa_show *new_show(const piaa_shelf *shelf, const piaa_photos *photos, piaa_photos *own,
                           const char *person, piaa_people *before, piaa_error *error) {
    piaa_people_source source = shelf->source;
    source.photos = photos;
    piaa_show *show = piaa_alloc(1, sizeof *show, error);
    if (!show) return NULL;
    *show = (piaa_show){.photos = photos, .holders = 1};
    if ((show->people = before ? piaa_people_follow(before, &source, error)
                               : piaa_people_new(&source, person, error)) &&
        (show->ahead =
             piaa_ahead_new(piaa_people_library(show->people, 0, error), shelf->helper, error))) {
        show->own = own;
        return show;
    }
    free_show(show);
    return NULL;
}

piaa_shelf *piaa_shelf_new(const piaa_people_source *source, const char *person,
                           piaa_helper *helper, piaa_error *error) {
    piaa_shelf *shelf = piaa_alloc(1, sizeof *shelf, error);
    if (!shelf) return NULL;
    shelf->source = *source;
    shelf->helper = helper;
    pthread_mutex_init(&shelf->lock, NULL);
    pthread_rwlock_init(&shelf->changing, NULL);
    if ((shelf->now = new_show(shelf, source->photos, NULL, person, NULL, error))) return shelf;
    piaa_shelf_free(shelf);
    return NULL;
}

void piaa_shelf_end(piaa_shelf *shelf) {
    piaa_people_end(shelf->now->people);
}

void piaa_shelf_free(piaa_shelf *shelf) {
    if (!shelf) return;
    free_show(shelf->now);
    pthread_rwlock_destroy(&shelf->changing);
    pthread_mutex_destroy(&shelf->lock);
    free(shelf);
}

piaa_show *piaa_shelf_take(piaa_shelf *shelf) {
    pthread_mutex_lock(&shelf->lock);
    piaa_show *show = shelf->now;
    show->holders++;
    pthread_mutex_unlock(&shelf->lock);
    return show;
}

piaa_show *piaa_shelf_hold(piaa_shelf *shelf, piaa_show *show) {
    pthread_mutex_lock(&shelf->lock);
    show->holders++;
    pthread_mutex_unlock(&shelf->lock);
    return show;
}

void piaa_shelf_give(piaa_shelf *shelf, piaa_show *show) {
    pthread_mutex_lock(&shelf->lock);
    const bool last = --show->holders == 0;
    pthread_mutex_unlock(&shelf->lock);
    if (last) free_show(show);
}

bool piaa_shelf_is_now(piaa_shelf *shelf, const piaa_show *show) {
    pthread_mutex_lock(&shelf->lock);
    const bool now = shelf->now == show;
    pthread_mutex_unlock(&shelf->lock);
    return now;
}

piaa_show *piaa_shelf_take_to_change(piaa_shelf *shelf) {
    pthread_rwlock_rdlock(&shelf->changing);
    return piaa_shelf_take(shelf);
}

void piaa_shelf_give_changed(piaa_shelf *shelf, piaa_show *show) {
    piaa_shelf_give(shelf, show);
    pthread_rwlock_unlock(&shelf->changing);
}

bool piaa_shelf_replace(piaa_shelf *shelf, piaa_photos *more, piaa_error *error) {
    pthread_rwlock_wrlock(&shelf->changing);
    piaa_show *before = shelf->now; /* only this function changes it */
    piaa_show *show = new_show(shelf, more, more, NULL, before->people, error);
    if (show) {
        pthread_mutex_lock(&shelf->lock);
        shelf->now = show;
        pthread_mutex_unlock(&shelf->lock);
    }
    pthread_rwlock_unlock(&shelf->changing);
    if (!show) {
        piaa_photos_free(more);
        return false;
    }
    piaa_people_end(before->people); /* its events end, and the page asks for the new one's */
    piaa_shelf_give(shelf, before);
    return true;
}
