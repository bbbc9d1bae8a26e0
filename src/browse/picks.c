/*
 * What a person decided of bursts: which photos are kept of them, and which are passed over.
 *
 * It is kept in the book, and not learned from, since a photo that is passed over was not disliked.
 */
#include "browse/library_parts.h"

#include <stdlib.h>
#include <string.h>

static bool take_pick(void *user, const char *path, bool kept) {
    piaa_library *l = user;
    const size_t photo = piaa_album_find_path(l->album, path);
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
