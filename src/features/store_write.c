/* Recording photos: what is known of a file, what of it is missing, and putting that in. */
#include "features/store.h"

#include "base/memory.h"
#include "features/store_parts.h"

#include <stdio.h>
#include <stdlib.h>
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

/* Nanoseconds in 64 bits reach from 1677 to 2262, and some file systems hold other times. */
static int64_t nanoseconds(struct timespec time) {
    enum { SECOND = 1000000000 };
    const int64_t most = INT64_MAX / SECOND - 1;
    if (time.tv_sec > most) return INT64_MAX;
    if (time.tv_sec < -most) return INT64_MIN;
    return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

piaa_photo piaa_photo_of_file(const char *path, const struct stat *status) {
    return (piaa_photo){.path = path,
                        .size = (int64_t)status->st_size,
                        .mtime_ns = nanoseconds(piaa_stat_written(status)),
                        .row = -1,
                        .ctime_ns = nanoseconds(piaa_stat_changed(status)),
                        .inode = (int64_t)status->st_ino};
}

static bool same_where_known(int64_t a, int64_t b) {
    return a == b || !a || !b;
}

/* All but the inode. */
static bool same_times(const piaa_photo *known, const piaa_photo *file) {
    return known->size == file->size && known->mtime_ns == file->mtime_ns &&
           same_where_known(known->ctime_ns, file->ctime_ns);
}

/* A line of a failure that may pass: no file that was read is without a ctime and of 1970. */
static bool may_pass(const piaa_photo *known) {
    return known->error && !known->mtime_ns && !known->ctime_ns;
}

bool piaa_store_lookup(piaa_store *store, const piaa_photo *file, piaa_photo_state *state,
                       bool *missing, piaa_error *error) {
    if (!check_photo(store, file, false, error)) return false;
    *state = (piaa_photo_state){.status = PIAA_PHOTO_NEW, .row = -1};
    list_missing(store, NULL, missing);
    piaa_photo known;
    int found = piaa_catalog_find_photo(store->catalog, file->path, &known, error);
    if (found <= 0) return found == 0;
    if (!same_times(&known, file) || !same_where_known(known.inode, file->inode) ||
        may_pass(&known)) {
        piaa_catalog_release(store->catalog);
        state->status = PIAA_PHOTO_CHANGED;
        return true;
    }
    state->undated = !known.ctime_ns && file->ctime_ns;
    bool failed = known.error != NULL;
    if (failed) snprintf(state->reason, sizeof state->reason, "%s", known.error);
    piaa_catalog_release(store->catalog);
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

/* The end of a transaction; false takes back what was changed. */
static bool end_change(piaa_store *store, bool changed, piaa_error *error) {
    if (changed && piaa_catalog_commit(store->catalog, error)) {
        store->unsynced = true;
        return true;
    }
    piaa_catalog_rollback(store->catalog);
    return false;
}

static bool commit_photo(piaa_store *store, const piaa_photo *photo, piaa_error *error) {
    return piaa_catalog_begin(store->catalog, false, error) &&
           end_change(store, piaa_catalog_set_photo(store->catalog, photo, error), error) &&
           piaa_store_sync_if_due(store, error);
}

bool piaa_store_date(piaa_store *store, const piaa_photo *files, size_t count, piaa_error *error) {
    if (!check_writing(store, error)) return false;
    if (!count) return true;
    if (!piaa_catalog_begin(store->catalog, false, error)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = piaa_catalog_set_times(store->catalog, &files[i], error);
    return end_change(store, ok, error);
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
    piaa_photo line = *photo, known;
    line.row = row.row;
    line.error = NULL;
    found = piaa_catalog_find_photo(store->catalog, photo->path, &known, error);
    if (found < 0) return false;
    piaa_catalog_release(store->catalog);
    state->touched = found && known.row == row.row;
    if (state->touched && known.ctime_ns && same_times(&known, photo)) line.inode = 0;
    return commit_photo(store, &line, error);
}

uint64_t piaa_store_content(const char *hash) {
    char digits[17];
    snprintf(digits, sizeof digits, "%s", hash);
    return strtoull(digits, NULL, 16);
}

typedef struct content_list {
    const piaa_store *store;
    piaa_contents *contents;
} content_list;

static bool take_content(void *user, const char *hash, const piaa_catalog_row *row,
                         piaa_error *error) {
    content_list *list = user;
    piaa_contents *c = list->contents;
    if (list_missing(list->store, row, NULL)) return true;
    if (!piaa_grow(&c->items, &c->capacity, c->count + 1, sizeof *c->items, error)) return false;
    c->items[c->count++] = piaa_store_content(hash);
    return true;
}

/* The catalogue lists them by their hexadecimal digits, which is by number. */
bool piaa_store_contents(piaa_store *store, piaa_contents *out, piaa_error *error) {
    return check_writing(store, error) &&
           piaa_catalog_each_content(store->catalog, take_content,
                                     &(content_list){.store = store, .contents = out}, error);
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

static bool record(piaa_store *store, const piaa_catalog_row *row, bool found,
                   const piaa_photo *photo, piaa_error *error) {
    piaa_catalog *catalog = store->catalog;
    int slots = (int)store->slots.count;
    if (!(found ? piaa_catalog_update_row(catalog, row, slots, error)
                : piaa_catalog_insert_row(catalog, row, photo->hash, slots, error)))
        return false;
    if ((photo->damage || photo->note) &&
        !piaa_catalog_set_marks(catalog, row->row, photo->damage, photo->note, error))
        return false;
    return piaa_catalog_set_photo(catalog, photo, error);
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
    if (!piaa_catalog_begin(store->catalog, false, error) ||
        !end_change(store, record(store, &row, found, &line, error), error))
        return false;
    if (!found) store->rows++;
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
    bool unchanged = found && same_times(&known, photo);
    bool unread = found && !photo->mtime_ns && !photo->ctime_ns &&
                  (!photo->size || known.size == photo->size);
    if (unchanged || unread) {
        line.row = known.row;
        if (!line.hash && known.hash) {
            snprintf(hash, sizeof hash, "%s", known.hash);
            line.hash = hash;
        }
    }
    piaa_catalog_release(store->catalog);
    return commit_photo(store, &line, error);
}

bool piaa_store_retry(piaa_store *store, piaa_error *error) {
    return check_writing(store, error) && piaa_catalog_begin(store->catalog, false, error) &&
           end_change(store, piaa_catalog_retry(store->catalog, error), error);
}

bool piaa_store_forget(piaa_store *store, const char *path, piaa_error *error) {
    return check_writing(store, error) && piaa_catalog_begin(store->catalog, false, error) &&
           end_change(store, piaa_catalog_forget_photo(store->catalog, path, error), error);
}
