/* The store: opening and closing, and what is on the disk when.
 *
 * A photo is recorded in three steps: its vectors into the matrices, the matrices' headers, one
 * catalogue transaction.  The catalogue is the authority: vectors.slots says which matrices hold a
 * vector in a row, and nothing else is ever handed to a reader.
 *
 * Killed at any instant: what was written is in the system's memory, whatever becomes of the
 * process.  Before the transaction, the photo in flight leaves at most surplus rows, which the next
 * writer overwrites; after it, the photo is there.  Two matrices may differ in length; rows that
 * were skipped hold NaN.
 *
 * A power cut: store_batch.c.  Matrices that are missing, cut short or overwritten lose the rows
 * they no longer hold in the same way.  A photo's vectors belong to its content: a copy or a
 * renamed photo shares the row, a changed photo gets another and leaves the old one behind. */
#include "features/store.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "features/disk.h"
#include "features/store_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *piaa_store_path(const piaa_store *store) {
    return store->folder;
}

/* -------------------------------------------------------------------------------------- opening */

static const char *const lock_name = "lock";

static bool is_there(const char *folder, const char *name, bool *there, piaa_error *error) {
    char *path = piaa_path_join(folder, name, error);
    if (!path) return false;
    *there = piaa_file_exists(path);
    free(path);
    return true;
}

/* Whether the folder holds anything that a store in the making would not. */
static bool holds_others(const char *folder, bool *others, piaa_error *error) {
    DIR *list = opendir(folder);
    if (!list) return piaa_error_set_errno(error, errno, "cannot read the folder %s", folder);
    *others = false;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, lock_name) != 0 && !piaa_catalog_owns(entry->d_name))
            *others = true;
    closedir(list);
    return true;
}

/* Makes the folder, or sees that it is empty or a store: before anything in it is touched. */
static bool prepare_folder(const char *folder, bool *others, piaa_error *error) {
    *others = false;
    if (mkdir(folder, 0777) == 0) return true;
    if (errno != EEXIST)
        return piaa_error_set_errno(error, errno, "cannot make the folder %s", folder);
    if (!piaa_file_is_folder(folder))
        return piaa_error_set(error, PIAA_USAGE,
                              "%s is a file, and a store is a folder: use another --out", folder);
    if (!piaa_store_refuse_packed(folder, error) || !holds_others(folder, others, error))
        return false;
    bool catalogued, locked;
    if (!is_there(folder, "catalog.sqlite", &catalogued, error) ||
        !is_there(folder, lock_name, &locked, error))
        return false;
    if (!catalogued && *others)
        return piaa_error_set(error, PIAA_USAGE,
                              "%s is neither a store nor empty: use a new folder for --out",
                              folder);
    if (catalogued && !locked) { /* a store always has both, so look twice before writing */
        piaa_catalog *look = piaa_catalog_open(folder, false, NULL, error);
        if (!look) return false;
        piaa_catalog_close(look);
    }
    return true;
}

static piaa_store *new_store(const char *path, bool writing, const piaa_hooks *hooks,
                             piaa_error *error) {
    piaa_store *store = piaa_alloc(1, sizeof *store, error);
    if (!store) return NULL;
    store->lock = -1;
    store->writing = writing;
    if (hooks) store->hooks = *hooks;
    store->folder = piaa_strdup(path, error);
    if (store->folder) return store;
    piaa_store_close(store);
    return NULL;
}

/* Finds the slots asked for among those that are there; absent ones are added. */
static bool ask_for(piaa_store *store, const piaa_slots *slots, piaa_error *error) {
    store->asked = piaa_alloc(slots->count, sizeof *store->asked, error);
    if (!store->asked) return false;
    store->asked_count = slots->count;
    if (!piaa_catalog_begin(store->catalog, false, error)) return false;
    for (size_t i = 0; i < slots->count; i++) {
        const piaa_slot *s = &slots->items[i];
        store->asked[i] = piaa_store_find_slot(store, s->pool, s->layer);
        if (store->asked[i] >= 0) {
            int dim = store->slots.items[store->asked[i]].dim;
            if (dim != s->dim)
                return piaa_error_set(error, PIAA_MISMATCH,
                                      "%s holds vectors of %d values in %s.npy, this run makes "
                                      "%d: use another --out",
                                      store->folder, dim, piaa_slot_name(s).text, s->dim);
            continue;
        }
        const piaa_slot_text name = piaa_slot_name(s);
        store->asked[i] = (int)store->slots.count;
        if (store->slots.count >= PIAA_SLOTS_MOST)
            return piaa_error_set(
                error, PIAA_UNSUPPORTED,
                "a store holds at most %d matrices: use another --out for the rest",
                PIAA_SLOTS_MOST);
        if (!piaa_store_append_slot(store, *s, error) ||
            !piaa_catalog_add_slot(store->catalog, store->asked[i], name.text, s->dim, error))
            return false;
    }
    return piaa_catalog_commit(store->catalog, error);
}

static bool open_matrices(piaa_store *store, piaa_error *error) {
    store->matrices = piaa_alloc(store->slots.count, sizeof *store->matrices, error);
    if (!store->matrices) return false;
    for (size_t i = 0; i < store->slots.count; i++) store->matrices[i].file = -1;
    for (size_t i = 0; i < store->slots.count; i++) {
        char *path = piaa_store_matrix_path(store, (int)i, error);
        bool ok = path && piaa_matrix_open(&store->matrices[i], path, store->slots.items[i].dim,
                                           store->rows, error);
        free(path);
        if (!ok) return false;
    }
    return true;
}

/* Nothing was made with what a store without a single vector was begun with, which may have been
   the very fault: the next run is its first.  Matrices go before their slots, so that a kill
   between leaves slots without matrices, which are mended. */
static bool begin_anew(piaa_store *store, const piaa_identity *identity, piaa_error *error) {
    if (!piaa_store_load_slots(store, store->catalog, error)) return false;
    for (size_t i = 0; i < store->slots.count; i++) {
        char *path = piaa_store_matrix_path(store, (int)i, error);
        const bool gone = path && (unlink(path) == 0 || errno == ENOENT);
        if (path && !gone) piaa_error_set_errno(error, errno, "cannot remove %s", path);
        free(path);
        if (!gone) return false;
    }
    return piaa_catalog_begin(store->catalog, false, error) &&
           piaa_catalog_clear(store->catalog, error) &&
           piaa_store_write_identity(store, identity, error) &&
           piaa_catalog_commit(store->catalog, error) &&
           piaa_store_load_meta(store, store->catalog, error);
}

static bool take_identity(piaa_store *store, const piaa_identity *identity, piaa_error *error) {
    piaa_error why = {0};
    if (piaa_store_check_identity(store, identity, &why)) return true;
    if (why.code == PIAA_MISMATCH && store->rows == 0) return begin_anew(store, identity, error);
    return piaa_error_set(error, why.code, "%s", why.message);
}

static bool open_catalog(piaa_store *store, const piaa_identity *identity, bool others,
                         piaa_error *error) {
    bool made = false;
    store->catalog = piaa_catalog_open(store->folder, true, &made, error);
    if (!store->catalog) return false;
    /* An empty catalogue beside full matrices was not left by a run that had only begun. */
    if (made && others) return piaa_catalog_damaged(store->catalog, error);
    if (made && (!piaa_store_write_identity(store, identity, error) ||
                 !piaa_catalog_commit(store->catalog, error)))
        return false;
    int64_t photos;
    return piaa_store_load_meta(store, store->catalog, error) &&
           piaa_catalog_count(store->catalog, &store->rows, &photos, error) &&
           take_identity(store, identity, error) &&
           piaa_store_complete_identity(store, identity, error) &&
           piaa_store_load_slots(store, store->catalog, error);
}

piaa_store *piaa_store_open_write(const char *path, const piaa_identity *identity,
                                  const piaa_slots *slots, const piaa_hooks *hooks,
                                  piaa_error *error) {
    if (!path || !*path || !identity || !slots || !slots->count) {
        piaa_error_missing(error, !path || !*path ? "folder for the store"
                                  : !identity     ? "identity of the store"
                                                  : "slot");
        return NULL;
    }
    bool others;
    piaa_store *store = new_store(path, true, hooks, error);
    if (!store) return NULL;
    char *lock = piaa_path_join(path, lock_name, error);
    bool ok = lock && prepare_folder(path, &others, error) &&
              (store->lock = piaa_disk_lock(lock, path, error)) >= 0 &&
              open_catalog(store, identity, others, error) && ask_for(store, slots, error) &&
              open_matrices(store, error) && piaa_store_mend(store, error);
    free(lock);
    store->synced_at = piaa_seconds_now();
    store->ready = ok;
    if (ok) return store;
    piaa_store_close(store);
    return NULL;
}

static piaa_store *open_read(const char *path, bool lean, const piaa_hooks *hooks,
                             piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    if (!path || !*path) {
        piaa_error_missing(error, "folder of the store");
        return NULL;
    }
    piaa_store *store = new_store(path, false, hooks, error);
    if (store) store->lean = lean;
    if (store && piaa_store_refresh(store, error)) return store;
    piaa_store_close(store);
    return NULL;
}

piaa_store *piaa_store_open_read(const char *path, const piaa_hooks *hooks, piaa_error *error) {
    return open_read(path, false, hooks, error);
}

piaa_store *piaa_store_open_lean(const char *path, const piaa_hooks *hooks, piaa_error *error) {
    return open_read(path, true, hooks, error);
}

void piaa_store_close(piaa_store *store) {
    if (!store) return;
    bool finished = piaa_store_finish(store, NULL);
    PIAA_UNUSED(finished); /* who wants to know calls it before */
    piaa_catalog_close(store->catalog);
    for (size_t i = 0; store->matrices && i < store->slots.count; i++)
        piaa_matrix_close(&store->matrices[i]);
    piaa_disk_unlock(store->lock);
    piaa_store_forget_view(store);
    piaa_store_forget_meta(store);
    free(store->meta);
    free(store->slots.items);
    free(store->matrices);
    free(store->asked);
    free(store->photos);
    free(store->folder);
    free(store);
}
