/* Recording photos: what is known of a file, what of it is missing, and putting that in. */
#include "features/store.h"

#include "features/store_parts.h"

#include <stdio.h>
#include <string.h>

static bool check_writing(const piaa_store *store, piaa_error *error) {
    if (!store) return piaa_error_missing(error, "store");
    return store->writing ||
           piaa_error_set(error, PIAA_USAGE, "%s was opened for reading only", store->folder);
}

static bool check_photo(const piaa_store *store, const piaa_photo *photo, bool hashed,
                        piaa_error *error) {
    if (!check_writing(store, error)) return false;
    if (!photo->path || photo->path[0] != '/')
        return piaa_error_set(error, PIAA_USAGE,
                              "the store takes photos by their absolute path, not \"%s\"",
                              photo->path ? photo->path : "");
    if (hashed && (!photo->hash || !*photo->hash))
        return piaa_error_set(error, PIAA_USAGE, "no content hash was given for %s", photo->path);
    return true;
}

/* Fills in `missing` for a row (NULL: none) and returns how many of the slots asked for it
   lacks. */
static size_t list_missing(const piaa_store *store, const piaa_catalog_row *row, bool *missing) {
    size_t count = 0;
    for (size_t i = 0; i < store->asked_count; i++) {
        bool lacks = !row || !piaa_bit(row->slots, store->asked[i]);
        if (missing) missing[i] = lacks;
        count += lacks;
    }
    return count;
}

bool piaa_store_lookup(piaa_store *store, const char *path, int64_t size, int64_t mtime_ns,
                       piaa_photo_state *state, bool *missing, piaa_error *error) {
    if (!check_photo(store, &(piaa_photo){.path = path}, false, error)) return false;
    *state = (piaa_photo_state){.status = PIAA_PHOTO_NEW, .row = -1};
    list_missing(store, NULL, missing);
    piaa_photo known;
    int found = piaa_catalog_find_photo(store->catalog, path, &known, error);
    if (found <= 0) return found == 0;
    if (known.size != size || known.mtime_ns != mtime_ns) {
        state->status = PIAA_PHOTO_CHANGED;
        return true;
    }
    bool failed = known.error != NULL;
    if (failed) snprintf(state->reason, sizeof state->reason, "%s", known.error);
    if (known.row < 0) {
        /* Neither row nor error is nothing that we write: begin again with such a photo. */
        state->status = failed ? PIAA_PHOTO_FAILED : PIAA_PHOTO_CHANGED;
        return true;
    }
    piaa_catalog_row row;
    found = piaa_catalog_find_row(store->catalog, known.row, &row, error);
    if (found < 0) return false;
    if (!found) return piaa_catalog_damaged(store->catalog, error);
    state->row = row.row;
    bool complete = list_missing(store, &row, missing) == 0;
    state->status = complete ? PIAA_PHOTO_COMPLETE
                    : failed ? PIAA_PHOTO_FAILED
                             : PIAA_PHOTO_PARTIAL;
    return true;
}

static bool commit_photo(piaa_store *store, const piaa_photo *photo, piaa_error *error) {
    if (piaa_catalog_begin(store->catalog, false, error) &&
        piaa_catalog_set_photo(store->catalog, photo, error) &&
        piaa_catalog_commit(store->catalog, error)) {
        store->unsynced = true;
        return piaa_store_sync_if_due(store, error);
    }
    piaa_catalog_rollback(store->catalog);
    return false;
}

bool piaa_store_match(piaa_store *store, const piaa_photo *photo, piaa_photo_state *state,
                      bool *missing, piaa_error *error) {
    if (!check_photo(store, photo, true, error)) return false;
    *state = (piaa_photo_state){.status = PIAA_PHOTO_NEW, .row = -1};
    piaa_catalog_row row;
    int found = piaa_catalog_find_hash(store->catalog, photo->hash, &row, error);
    if (found < 0) return false;
    bool complete = list_missing(store, found ? &row : NULL, missing) == 0;
    if (!found) return true;
    state->status = complete ? PIAA_PHOTO_COMPLETE : PIAA_PHOTO_PARTIAL;
    state->row = row.row;
    piaa_photo line = *photo;
    line.row = row.row;
    line.error = NULL;
    return commit_photo(store, &line, error);
}

/* The vectors that the row lacks, into the matrices and the row's line. */
static bool write_vectors(piaa_store *store, piaa_catalog_row *row, const float *const *vectors,
                          piaa_error *error) {
    for (size_t i = 0; i < store->asked_count; i++) {
        int slot = store->asked[i];
        if (!vectors[i] || piaa_bit(row->slots, slot)) continue;
        if (!piaa_matrix_write(&store->matrices[slot], row->row, vectors[i], error)) return false;
        row->checksum ^= piaa_store_sum(slot, vectors[i], store->slots.items[slot].dim);
        row->slots[slot / 8] |= (unsigned char)(1 << slot % 8);
    }
    return true;
}

bool piaa_store_put(piaa_store *store, const piaa_photo *photo, const float *const *vectors,
                    piaa_error *error) {
    if (!check_photo(store, photo, true, error)) return false;
    piaa_catalog_row row;
    int found = piaa_catalog_find_hash(store->catalog, photo->hash, &row, error);
    if (found < 0) return false;
    if (!found) row = (piaa_catalog_row){.row = store->rows};
    if (!write_vectors(store, &row, vectors, error)) return false;
    row.batch = store->batch;

    piaa_photo line = *photo;
    line.row = row.row;
    line.error = NULL;
    int slots = (int)store->slots.count;
    bool ok = piaa_catalog_begin(store->catalog, false, error) &&
              (found ? piaa_catalog_update_row(store->catalog, &row, slots, error)
                     : piaa_catalog_insert_row(store->catalog, &row, photo->hash, slots, error)) &&
              piaa_catalog_set_photo(store->catalog, &line, error) &&
              piaa_catalog_commit(store->catalog, error);
    if (!ok) {
        piaa_catalog_rollback(store->catalog);
        return false;
    }
    if (!found) store->rows++;
    store->unsynced = true;
    return piaa_store_sync_if_due(store, error);
}

bool piaa_store_put_failure(piaa_store *store, const piaa_photo *photo, const char *reason,
                            piaa_error *error) {
    if (!check_photo(store, photo, false, error)) return false;
    piaa_photo line = *photo, known;
    line.row = -1;
    line.error = reason && *reason ? reason : "failed";
    int found = piaa_catalog_find_photo(store->catalog, photo->path, &known, error);
    if (found < 0) return false;
    char hash[129];
    bool unchanged = found && known.size == photo->size && known.mtime_ns == photo->mtime_ns;
    bool unread = found && !photo->mtime_ns && (!photo->size || known.size == photo->size);
    if (unchanged || unread) {
        line.row = known.row;
        if (!line.hash && known.hash) {
            snprintf(hash, sizeof hash, "%s",
                     known.hash); /* the catalogue's own text does not outlive the next call */
            line.hash = hash;
        }
    }
    return commit_photo(store, &line, error);
}
