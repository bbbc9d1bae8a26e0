/* Several stores into one, and one into several: a merge of one store that takes a part of its
 * photos.
 *
 * Photos come in byte order of their paths, which is the order in which one run over all of them
 * reads: rows are then numbered as that run numbers them, and the matrices are the same files.
 * Vectors go from the mapped matrices straight into the new ones, and of the photos' lines a page
 * for each store is in memory.  Each photo is put as by a run,
 * so that what a kill leaves is a store that holds the first of them, and the next merge finds
 * those done. */
#include "features/store_parts.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "features/identity.h"
#include "features/photos.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct merge {
    piaa_store **from;       /* [count], read */
    piaa_store_cursor *next; /* [count]: the first photo of each that was not taken */
    size_t count;
    piaa_slots slots; /* of all of them, in the order in which they come up */
    size_t slots_capacity;
    piaa_store *out;
    int64_t part, parts; /* of a split; parts 0: all photos are taken */
    const char *below;   /* the folder below which paths say which part they are in; NULL */
    int64_t done, total;
    const piaa_hooks *hooks;
} merge;

/* ---------------------------------------------------------------------------- whether they agree
 */

static bool check_alike(const piaa_store *a, const piaa_store *b, piaa_error *error) {
    const piaa_identity one = piaa_store_identity(a), other = piaa_store_identity(b);
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const char *was = piaa_identity_get(&one, i), *is = piaa_identity_get(&other, i);
        if (!piaa_identity_same(i, was, is))
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "%s and %s cannot be merged, they differ in %s: \"%.200s\" and "
                                  "\"%.200s\"",
                                  a->folder, b->folder, piaa_identity_keys[i].called, was, is);
    }
    return true;
}

static const piaa_slot *find_slot(const merge *m, const piaa_slot *slot) {
    for (size_t i = 0; i < m->slots.count; i++)
        if (m->slots.items[i].pool == slot->pool && m->slots.items[i].layer == slot->layer)
            return &m->slots.items[i];
    return NULL;
}

static bool add_slots(merge *m, const piaa_store *from, piaa_error *error) {
    for (size_t i = 0; i < from->slots.count; i++) {
        const piaa_slot *slot = &from->slots.items[i], *known = find_slot(m, slot);
        if (known && known->dim == slot->dim) continue;
        if (known)
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "%s holds vectors of %d values in %s.npy, the stores before it "
                                  "of %d",
                                  from->folder, slot->dim, piaa_slot_name(slot).text, known->dim);
        if (!piaa_grow(&m->slots.items, &m->slots_capacity, m->slots.count + 1, sizeof *slot,
                       error))
            return false;
        m->slots.items[m->slots.count++] = *slot;
    }
    return true;
}

static bool open_all(merge *m, const char *const *paths, piaa_error *error) {
    for (size_t i = 0; i < m->count; i++) {
        if (!piaa_store_refuse_packed(paths[i], error)) return false;
        m->from[i] = piaa_store_open_lean(paths[i], m->hooks, error);
        if (!m->from[i] || !check_alike(m->from[0], m->from[i], error) ||
            !add_slots(m, m->from[i], error))
            return false;
        m->total += (int64_t)piaa_store_photos(m->from[i]);
    }
    return true;
}

/* --------------------------------------------------------------------------------- photo by photo
 */

static piaa_photo first_of(const merge *m, size_t store) {
    return m->next[store].photo;
}

/* The store with the first path of those left (count: none is left). */
static size_t find_first(const merge *m) {
    size_t best = m->count;
    for (size_t i = 0; i < m->count; i++) {
        const char *path = first_of(m, i).path;
        if (path && (best == m->count || strcmp(path, first_of(m, best).path) < 0)) best = i;
    }
    return best;
}

/* A photo that two stores hold is one file, as it was at one time. */
static bool check_others(const merge *m, size_t first, piaa_error *error) {
    const piaa_photo photo = first_of(m, first);
    for (size_t i = first + 1; i < m->count; i++) {
        const piaa_photo other = first_of(m, i);
        if (other.path && strcmp(other.path, photo.path) == 0 && photo.hash && other.hash &&
            strcmp(photo.hash, other.hash) != 0)
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "%s changed between %s and %s: run piaa embed on it again for "
                                  "both, or merge one of them alone",
                                  photo.path, m->from[first]->folder, m->from[i]->folder);
    }
    return true;
}

static bool put_vectors(merge *m, const piaa_store *from, const piaa_photo *photo,
                        piaa_error *error) {
    if (!piaa_store_row_is_whole(from, photo->row))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: the vectors in %s are not what was written: piaa store verify "
                              "%s says which, and how to mend it",
                              photo->path, from->folder, from->folder);
    if (photo->row && photo->row % PIAA_STORE_SPAN == 0)
        piaa_store_let_go(from, photo->row - PIAA_STORE_SPAN, photo->row);
    const float *vectors[PIAA_SLOTS_MOST];
    for (size_t i = 0; i < m->slots.count; i++) {
        const int slot =
            piaa_store_find_slot(from, m->slots.items[i].pool, m->slots.items[i].layer);
        vectors[i] = piaa_store_vector(from, slot, photo->row, NULL);
    }
    return piaa_store_put(m->out, photo, vectors, error);
}

/* What one store has of a photo; a failure says nothing where another store has its vectors. */
static bool take_photo(merge *m, const piaa_store *from, const piaa_photo *photo, bool read,
                       piaa_error *error) {
    if (photo->row >= 0 && !put_vectors(m, from, photo, error)) return false;
    if (!photo->error || (read && photo->row < 0)) return true;
    return piaa_store_put_failure(m->out, photo, photo->error, error);
}

static bool take_path(merge *m, size_t first, piaa_error *error) {
    if (!check_others(m, first, error)) return false;
    const char *path = first_of(m, first).path;
    bool read = false;
    for (size_t i = first; i < m->count; i++) {
        const piaa_photo photo = first_of(m, i);
        if (!photo.path || strcmp(photo.path, path) != 0) continue;
        if (!take_photo(m, m->from[i], &photo, read, error)) return false;
        read |= photo.row >= 0;
    }
    /* Backwards, since the path is the first one's. */
    for (size_t i = m->count; i-- > first;) {
        if (!first_of(m, i).path || strcmp(first_of(m, i).path, path) != 0) continue;
        if (!piaa_store_cursor_step(&m->next[i], error)) return false;
        m->done++;
    }
    return true;
}

static bool is_wanted(const merge *m, const char *path) {
    const char *below = m->below ? piaa_path_below(path, m->below) : NULL;
    return !m->parts || piaa_shard_of(below ? below : path, m->parts) == m->part;
}

static bool take_all(merge *m, piaa_error *error) {
    const piaa_hooks *hooks = m->hooks;
    for (size_t first; (first = find_first(m)) < m->count;) {
        if (!is_wanted(m, first_of(m, first).path)) {
            if (!piaa_store_cursor_step(&m->next[first], error)) return false;
            continue;
        }
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            return piaa_error_set(error, PIAA_STOPPED,
                                  "stopped after %lld of %lld photos, all of them kept: run the "
                                  "same command again to go on",
                                  (long long)m->done, (long long)m->total);
        if (!take_path(m, first, error)) return false;
        if (hooks && hooks->progress)
            hooks->progress(hooks->user, m->parts ? "photos" : "photos merged", m->done, m->total);
    }
    return true;
}

/* -------------------------------------------------------------------------------------- the whole
 */

static bool begin(merge *m, const char *const *from, piaa_error *error) {
    m->from = piaa_alloc(m->count, sizeof(piaa_store *), error);
    m->next = piaa_alloc(m->count, sizeof *m->next, error);
    return m->from && m->next && open_all(m, from, error);
}

static bool to_the_first(merge *m, piaa_error *error) {
    for (size_t i = 0; i < m->count; i++) {
        piaa_store_cursor_close(&m->next[i]);
        if (!piaa_store_cursor_open(&m->next[i], m->from[i], error)) return false;
    }
    return true;
}

static bool write_into(merge *m, const char *path, piaa_error *error) {
    const piaa_identity identity = piaa_store_identity(m->from[0]);
    m->out = piaa_store_open_write(path, &identity, &m->slots, m->hooks, error);
    const bool ok =
        m->out && to_the_first(m, error) && take_all(m, error) && piaa_store_finish(m->out, error);
    piaa_store_close(m->out);
    m->out = NULL;
    return ok;
}

static void end(merge *m) {
    for (size_t i = 0; m->next && i < m->count; i++) piaa_store_cursor_close(&m->next[i]);
    for (size_t i = 0; m->from && i < m->count; i++) piaa_store_close(m->from[i]);
    free(m->from);
    free(m->next);
    free(m->slots.items);
}

bool piaa_store_merge(const char *path, const char *const *from, size_t count,
                      const piaa_hooks *hooks, piaa_error *error) {
    if (piaa_error_pending(error)) return false;
    if (!count) return piaa_error_missing(error, "store to merge");
    merge m = {.count = count, .hooks = hooks};
    const bool ok = begin(&m, from, error) && write_into(&m, path, error);
    end(&m);
    return ok;
}

static char *name_part(const char *folder, int64_t part, piaa_error *error) {
    return piaa_format(error, "%s/%lld.store", folder, (long long)part);
}

static bool dealt_otherwise(const char *path, const merge *m, piaa_error *error) {
    return piaa_error_set(error, PIAA_USAGE,
                          "%s is of another split than this into %lld (other --parts or --below): "
                          "remove it, or use another --out",
                          path, (long long)m->parts);
}

/* A part that is there already holds photos of this part alone.  What cannot be read, since a kill
   left it half made or it is not there, is for the writer to judge. */
static bool check_part(const merge *m, const char *path, piaa_error *error) {
    piaa_store *store = piaa_store_open_lean(path, NULL, NULL);
    piaa_store_cursor at = {0};
    if (!store) return true;
    bool ok = piaa_store_cursor_open(&at, store, error);
    while (ok && at.photo.path)
        ok = is_wanted(m, at.photo.path) ? piaa_store_cursor_step(&at, error)
                                         : dealt_otherwise(path, m, error);
    piaa_store_cursor_close(&at);
    piaa_store_close(store);
    return ok;
}

/* Parts of two splits in one folder would hold photos twice. */
static bool check_parts(merge *m, const char *folder, piaa_error *error) {
    bool ok = true;
    for (m->part = 1; ok && m->part <= m->parts + 1; m->part++) {
        char *path = name_part(folder, m->part, error);
        if (path && m->part > m->parts)
            ok = !piaa_file_exists(path) || dealt_otherwise(path, m, error);
        else
            ok = path && check_part(m, path, error);
        free(path);
    }
    return ok;
}

static bool write_part(merge *m, const char *folder, piaa_error *error) {
    char *path = name_part(folder, m->part, error);
    const bool ok = path && write_into(m, path, error);
    free(path);
    return ok;
}

static bool split(merge *m, const char *from, const char *folder, piaa_error *error) {
    if (!begin(m, &from, error)) return false;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return piaa_error_set_errno(error, errno, "cannot make the folder %s", folder);
    if (!check_parts(m, folder, error)) return false;
    for (m->part = 1; m->part <= m->parts; m->part++)
        if (!write_part(m, folder, error)) return false;
    return true;
}

bool piaa_store_split(const char *from, const char *folder, int64_t parts, const char *below,
                      const piaa_hooks *hooks, piaa_error *error) {
    if (piaa_error_pending(error)) return false;
    if (!from || !folder || !*folder)
        return piaa_error_missing(error, from ? "folder for the parts" : "store to split");
    if (parts < 1) return piaa_error_set(error, PIAA_USAGE, "a store has at least one part");
    char *absolute = below ? piaa_path_absolute(below, error) : NULL;
    merge m = {.count = 1, .parts = parts, .below = absolute, .hooks = hooks};
    const bool ok = (!below || absolute) && split(&m, from, folder, error);
    end(&m);
    free(absolute);
    return ok;
}
