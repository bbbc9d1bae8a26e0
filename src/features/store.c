/* The store: opening, mending, and what is on the disk when.
 *
 * A photo is recorded in three steps: its vectors into the matrices, the matrices' headers, one catalogue transaction.  The catalogue is
 * the authority: vectors.slots says which matrices hold a vector in a row, and nothing else is ever handed to a reader.
 *
 * Killed at any instant: what was written is in the system's memory, whatever becomes of the process.  Before the transaction, the photo in
 * flight leaves at most surplus rows, which the next writer overwrites; after it, the photo is there.  Two matrices may differ in length;
 * rows that were skipped hold NaN.
 *
 * Power cut: waiting for the disk after each photo would cost more than a small model does, so a batch of a few seconds is made durable
 * together: fdatasync of the matrices, then a transaction with synchronous = FULL that raises `durable_batch`.  The disk may have any part
 * of what came after.  A row therefore carries the batch it was last written in and a checksum over its vectors; rows of batches past
 * durable_batch are compared with their checksum when a store is opened, and those that differ are forgotten and computed anew.
 *
 * Matrices that are missing, cut short or overwritten lose the rows they no longer hold in the same way.  A photo's vectors belong to its
 * content: a copy or a renamed photo shares the row, a changed photo gets another and leaves the old one behind. */
#include "features/store.h"

#include "base/memory.h"
#include "features/disk.h"
#include "features/store_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* FNV-1a over 32-bit words, started from the slot so that exchanged vectors are noticed, and spread by a last multiplication. */
uint64_t piaa_store_sum(int slot, const float *vector, int dim) {
    uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ ((uint64_t)slot + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < dim; i++) {
        uint32_t word;
        memcpy(&word, &vector[i], sizeof word);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
    }
    sum ^= sum >> 32;
    return sum * UINT64_C(0xd6e8feb86659fd93);
}

char *piaa_store_matrix_path(const piaa_store *store, int slot, piaa_error *error) {
    const piaa_slot *s = &store->slots.items[slot];
    return piaa_format(error, "%s/%s.%d.npy", store->folder, piaa_pool_name(s->pool), s->layer);
}

/* --------------------------------------------------------------------------------------------------------- warnings */

static void warn(const piaa_store *store, const char *line) {
    if (store->hooks.warn && line) store->hooks.warn(store->hooks.user, line);
}

void piaa_store_warn_lost(const piaa_store *store, int slot, int64_t count) {
    const piaa_slot *s = &store->slots.items[slot];
    char *line = piaa_format(NULL, "%s/%s.%d.npy is damaged: %lld vector%s that the catalogue promises %s missing; %s", store->folder,
                             piaa_pool_name(s->pool), s->layer, (long long)count, count == 1 ? "" : "s", count == 1 ? "is" : "are",
                             store->writing ? "they are computed anew when their photos come up"
                                            : "run piaa embed on the photos again to compute them anew");
    warn(store, line);
    free(line);
}

void piaa_store_warn_unsure(const piaa_store *store, int64_t count) {
    char *line = piaa_format(NULL, "%s: %lld row%s did not reach the disk before the last run was cut off; %s", store->folder,
                             (long long)count, count == 1 ? "" : "s",
                             store->writing ? "they are computed anew when their photos come up"
                                            : "run piaa embed on the photos again to compute them anew");
    warn(store, line);
    free(line);
}

/* --------------------------------------------------------------------------------------------------- meta and slots */

static void forget_meta(piaa_store *store) {
    for (size_t i = 0; i < store->meta_count; i++) {
        free(store->meta[i].key);
        free(store->meta[i].value);
    }
    store->meta_count = 0;
}

static bool take_meta(void *user, const char *key, const char *value, piaa_error *error) {
    piaa_store *store = user;
    if (!piaa_grow(&store->meta, &store->meta_capacity, store->meta_count + 1, sizeof *store->meta, error)) return false;
    piaa_meta_line *line = &store->meta[store->meta_count++];
    line->key = piaa_strdup(key, error);
    line->value = piaa_strdup(value, error);
    return line->key && line->value;
}

static const char *meta_value(const piaa_store *store, const char *key) {
    for (size_t i = 0; i < store->meta_count; i++)
        if (!strcmp(store->meta[i].key, key)) return store->meta[i].value;
    return NULL;
}

const char *piaa_store_meta(const piaa_store *store, const char *key) {
    return store ? meta_value(store, key) : NULL;
}

static const char *const durable_key = "durable_batch";

bool piaa_store_load_meta(piaa_store *store, piaa_catalog *catalog, piaa_error *error) {
    forget_meta(store);
    if (!piaa_catalog_each_meta(catalog, take_meta, store, error)) return false;
    const char *durable = meta_value(store, durable_key);
    char *end = NULL;
    errno = 0;
    store->durable = durable ? strtoll(durable, &end, 10) : -1;
    if (store->durable < 0 || errno || *end) return piaa_catalog_damaged(catalog, error);
    return true;
}

/* "lt_tail.15" */
static bool parse_slot_name(const char *name, piaa_slot *out) {
    const char *dot = strrchr(name, '.');
    char pool[16], back[32];
    if (!dot || (size_t)(dot - name) >= sizeof pool) return false;
    memcpy(pool, name, (size_t)(dot - name));
    pool[dot - name] = '\0';
    if (!piaa_pool_parse(pool, &out->pool)) return false;
    long layer = strtol(dot + 1, NULL, 10);
    if (layer < 0 || layer > 1 << 20) return false;
    out->layer = (int)layer;
    snprintf(back, sizeof back, "%s.%d", pool, out->layer);
    return !strcmp(back, name);
}

static bool append_slot(piaa_store *store, piaa_slot slot, piaa_error *error) {
    if (!piaa_grow(&store->slots.items, &store->slots_capacity, store->slots.count + 1, sizeof slot, error)) return false;
    store->slots.items[store->slots.count++] = slot;
    return true;
}

typedef struct slot_reader {
    piaa_store *store;
    piaa_catalog *catalog;
} slot_reader;

static bool take_slot(void *user, int index, const char *name, int dim, piaa_error *error) {
    slot_reader *reader = user;
    piaa_slot slot = {.dim = dim};
    if (!parse_slot_name(name, &slot) || (size_t)index != reader->store->slots.count) return piaa_catalog_damaged(reader->catalog, error);
    return append_slot(reader->store, slot, error);
}

bool piaa_store_load_slots(piaa_store *store, piaa_catalog *catalog, piaa_error *error) {
    store->slots.count = 0;
    return piaa_catalog_each_slot(catalog, take_slot, &(slot_reader){store, catalog}, error);
}

const piaa_slots *piaa_store_slots(const piaa_store *store) {
    return &store->slots;
}

int piaa_store_find_slot(const piaa_store *store, piaa_pool pool, int layer) {
    for (size_t i = 0; i < store->slots.count; i++)
        if (store->slots.items[i].pool == pool && store->slots.items[i].layer == layer) return (int)i;
    return -1;
}

const char *piaa_store_path(const piaa_store *store) {
    return store->folder;
}

/* -------------------------------------------------------------------------------------------------------- identity */

typedef struct identity_line {
    const char *key, *value;
} identity_line;

enum { IDENTITY_LINES = 7 };

static void list_identity(const piaa_identity *identity, identity_line out[IDENTITY_LINES]) {
    const identity_line lines[IDENTITY_LINES] = {
        {"fingerprint", identity->fingerprint},
        {"model", identity->model},
        {"family", identity->family},
        {"prompt", identity->prompt},
        {"preprocessing", identity->preprocessing},
        {"dtype", identity->dtype},
        {"library", identity->library},
    };
    for (int i = 0; i < IDENTITY_LINES; i++) out[i] = (identity_line){lines[i].key, lines[i].value ? lines[i].value : ""};
}

static bool write_identity(piaa_store *store, const piaa_identity *identity, piaa_error *error) {
    identity_line lines[IDENTITY_LINES];
    list_identity(identity, lines);
    for (int i = 0; i < IDENTITY_LINES; i++)
        if (!piaa_catalog_set_meta(store->catalog, lines[i].key, lines[i].value, error)) return false;
    return piaa_catalog_set_meta(store->catalog, durable_key, "0", error);
}

/* As much of a text as fits in a message about two of them; *dots where it was cut (between characters). */
static int clip(const char *text, const char **dots) {
    enum { MOST = 200 };
    size_t n = strlen(text);
    *dots = n > MOST ? "…" : "";
    if (n > MOST)
        for (n = MOST; n && ((unsigned char)text[n] & 0xc0) == 0x80;) n--;
    return (int)n;
}

/* The one difference between the store and this run, both values, and how to mend it. */
static bool differs(const piaa_store *store, const char *how, const char *was, const char *is, const char *mend, piaa_error *error) {
    const char *was_dots, *is_dots;
    int was_length = clip(was, &was_dots), is_length = clip(is, &is_dots);
    return piaa_error_set(error, PIAA_MISMATCH, "%s was made with %s \"%.*s%s\", this run asks for \"%.*s%s\": use another --out, or %s",
                          store->folder, how, was_length, was, was_dots, is_length, is, is_dots, mend);
}

static bool check_identity(const piaa_store *store, const piaa_identity *identity, piaa_error *error) {
    static const struct {
        const char *key, *how, *mend;
    } checks[] = {
        {"fingerprint", "the model", "the same model"},
        {"prompt", "the prompt", "the same --prompt"},
        {"preprocessing", "photos prepared as", "the same options for photos"},
        {"dtype", "weights held as", "the same --dtype"},
    };
    identity_line lines[IDENTITY_LINES];
    list_identity(identity, lines);
    for (size_t i = 0; i < PIAA_COUNT(checks); i++)
        for (int k = 0; k < IDENTITY_LINES; k++) {
            const char *was = meta_value(store, lines[k].key), *is = lines[k].value;
            if (strcmp(lines[k].key, checks[i].key) != 0 || (was && !strcmp(was, is))) continue;
            if (!was) return piaa_catalog_damaged(store->catalog, error);
            if (i > 0) return differs(store, checks[i].how, was, is, checks[i].mend, error);
            const char *name = meta_value(store, "model"), *own = identity->model ? identity->model : "";
            return piaa_error_set(
                error, PIAA_MISMATCH,
                "%s was made with the model %.200s (fingerprint %.12s), this run uses %.200s (fingerprint %.12s): use another --out, "
                "or the same model",
                store->folder, name ? name : "", was, own, is);
        }
    return true;
}

/* ------------------------------------------------------------------------------------------------------------ batches */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool piaa_store_sync(piaa_store *store, piaa_error *error) {
    if (!store->unsynced) return true;
    double begun = now();
    bool made = false;
    for (size_t i = 0; i < store->slots.count; i++) {
        made |= store->matrices[i].made;
        if (!piaa_matrix_sync(&store->matrices[i], error)) return false;
    }
    if (made && !piaa_disk_sync_folder(store->folder, error)) return false;
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)store->batch);
    if (!piaa_catalog_begin(store->catalog, true, error) || !piaa_catalog_set_meta(store->catalog, durable_key, number, error) ||
        !piaa_catalog_commit(store->catalog, error)) {
        piaa_catalog_rollback(store->catalog);
        return false;
    }
    store->durable = store->batch++;
    store->unsynced = false;
    store->synced_at = now();
    store->sync_cost = store->synced_at - begun;
    return true;
}

/* Every two seconds, or so seldom that it takes a twentieth of the time. */
bool piaa_store_sync_if_due(piaa_store *store, piaa_error *error) {
    double wait = 20 * store->sync_cost > 2 ? 20 * store->sync_cost : 2;
    return now() - store->synced_at < wait || piaa_store_sync(store, error);
}

bool piaa_store_finish(piaa_store *store, piaa_error *error) {
    if (!store) return piaa_error_missing(error, "store");
    if (!store->ready) return true;
    for (size_t i = 0; i < store->slots.count; i++) {
        piaa_matrix *m = &store->matrices[i];
        if (m->rows == store->rows) continue;
        if (!piaa_matrix_fit(m, store->rows, error)) return false;
        store->unsynced = true;
    }
    return piaa_store_sync(store, error);
}

/* ------------------------------------------------------------------------------------------------------------ mending */

typedef struct mender {
    piaa_store *store;
    piaa_catalog_row *changed;
    size_t count, capacity;
    int64_t *lost; /* for each slot */
    int64_t unsure;
    int64_t last_batch;
    float *vector; /* room for the longest */
} mender;

/* Compares one row of the catalogue with the matrices; what does not hold is taken off it. */
static bool mend_row(void *user, const piaa_catalog_row *row, piaa_error *error) {
    mender *m = user;
    piaa_store *store = m->store;
    piaa_catalog_row mended = {.row = row->row};
    int slots = (int)store->slots.count;
    bool whole = true;
    for (int s = 0; s < PIAA_SLOTS_MOST; s++) {
        if (!piaa_bit(row->slots, s)) continue;
        if (s >= slots) return piaa_catalog_damaged(store->catalog, error);
        if (piaa_matrix_read(&store->matrices[s], row->row, m->vector)) {
            mended.checksum ^= piaa_store_sum(s, m->vector, store->slots.items[s].dim);
            mended.slots[s / 8] |= (unsigned char)(1 << s % 8);
        } else {
            m->lost[s]++;
            whole = false;
        }
    }
    if (row->batch > m->last_batch) m->last_batch = row->batch;
    if (whole && mended.checksum == row->checksum) return true;
    if (whole) { /* which of the vectors is wrong cannot be told */
        m->unsure++;
        mended = (piaa_catalog_row){.row = row->row};
    }
    if (!piaa_grow(&m->changed, &m->capacity, m->count + 1, sizeof *m->changed, error)) return false;
    m->changed[m->count++] = mended;
    return true;
}

static bool write_mended(mender *m, piaa_error *error) {
    piaa_store *store = m->store;
    if (!piaa_catalog_begin(store->catalog, false, error)) return false;
    for (size_t i = 0; i < m->count; i++) {
        m->changed[i].batch = store->batch;
        if (!piaa_catalog_update_row(store->catalog, &m->changed[i], (int)store->slots.count, error)) return false;
    }
    return piaa_catalog_commit(store->catalog, error);
}

/* Rows that a matrix may lack, and rows whose batch the disk may not have had. */
static bool mend(piaa_store *store, piaa_error *error) {
    int64_t shortest = store->rows;
    int longest = 1;
    for (size_t i = 0; i < store->slots.count; i++) {
        if (store->matrices[i].rows < shortest) shortest = store->matrices[i].rows;
        if (store->slots.items[i].dim > longest) longest = store->slots.items[i].dim;
    }
    mender m = {.store = store, .last_batch = store->durable};
    m.lost = piaa_alloc(store->slots.count, sizeof *m.lost, error);
    m.vector = piaa_alloc_array((size_t)longest, sizeof *m.vector, error);
    bool ok = m.lost && m.vector && piaa_catalog_each_row(store->catalog, shortest, store->durable, mend_row, &m, error);
    store->batch = m.last_batch + 1;
    if (ok && m.count) ok = write_mended(&m, error);
    if (ok && (m.count || m.last_batch > store->durable)) {
        for (size_t i = 0; i < store->slots.count; i++) store->matrices[i].dirty = true;
        store->unsynced = true;
        ok = piaa_store_sync(store, error);
    }
    if (ok) {
        for (size_t i = 0; i < store->slots.count; i++)
            if (m.lost[i]) piaa_store_warn_lost(store, (int)i, m.lost[i]);
        if (m.unsure) piaa_store_warn_unsure(store, m.unsure);
    }
    free(m.changed);
    free(m.lost);
    free(m.vector);
    return ok;
}

/* ------------------------------------------------------------------------------------------------------------ opening */

static const char *const lock_name = "lock";

static bool is_there(const char *folder, const char *name, piaa_error *error) {
    char *path = piaa_path_join(folder, name, error);
    bool there = path && piaa_file_exists(path);
    free(path);
    return there;
}

/* Whether the folder holds anything that a store in the making would not. */
static bool holds_others(const char *folder, bool *others, piaa_error *error) {
    DIR *list = opendir(folder);
    if (!list) return piaa_error_set_errno(error, errno, "cannot read the folder %s", folder);
    *others = false;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && strcmp(entry->d_name, lock_name) != 0 &&
            !piaa_catalog_owns(entry->d_name))
            *others = true;
    closedir(list);
    return true;
}

/* Makes the folder, or sees that it is empty or a store: before anything in it is touched. */
static bool prepare_folder(const char *folder, bool *others, piaa_error *error) {
    *others = false;
    if (mkdir(folder, 0777) == 0) return true;
    if (errno != EEXIST) return piaa_error_set_errno(error, errno, "cannot make the folder %s", folder);
    if (!piaa_file_is_folder(folder))
        return piaa_error_set(error, PIAA_USAGE, "%s is a file, and a store is a folder: use another --out", folder);
    if (!holds_others(folder, others, error)) return false;
    bool catalogued = is_there(folder, "catalog.sqlite", error), locked = is_there(folder, lock_name, error);
    if (!catalogued && *others)
        return piaa_error_set(error, PIAA_USAGE, "%s is neither a store nor empty: use a new folder for --out", folder);
    if (catalogued && !locked) { /* a store always has both, so look twice before writing */
        piaa_catalog *look = piaa_catalog_open(folder, false, NULL, error);
        if (!look) return false;
        piaa_catalog_close(look);
    }
    return true;
}

static piaa_store *new_store(const char *path, bool writing, const piaa_hooks *hooks, piaa_error *error) {
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
                                      "%s holds vectors of %d values in %s.%d.npy, this run makes %d: use another --out", store->folder,
                                      dim, piaa_pool_name(s->pool), s->layer, s->dim);
            continue;
        }
        char name[32];
        snprintf(name, sizeof name, "%s.%d", piaa_pool_name(s->pool), s->layer);
        store->asked[i] = (int)store->slots.count;
        if (store->slots.count >= PIAA_SLOTS_MOST)
            return piaa_error_set(error, PIAA_UNSUPPORTED, "a store holds at most %d matrices: use another --out for the rest",
                                  PIAA_SLOTS_MOST);
        if (!append_slot(store, *s, error) || !piaa_catalog_add_slot(store->catalog, store->asked[i], name, s->dim, error)) return false;
    }
    return piaa_catalog_commit(store->catalog, error);
}

static bool open_matrices(piaa_store *store, piaa_error *error) {
    store->matrices = piaa_alloc(store->slots.count, sizeof *store->matrices, error);
    if (!store->matrices) return false;
    for (size_t i = 0; i < store->slots.count; i++) store->matrices[i].file = -1;
    for (size_t i = 0; i < store->slots.count; i++) {
        char *path = piaa_store_matrix_path(store, (int)i, error);
        bool ok = path && piaa_matrix_open(&store->matrices[i], path, store->slots.items[i].dim, store->rows, error);
        free(path);
        if (!ok) return false;
    }
    return true;
}

static bool open_catalog(piaa_store *store, const piaa_identity *identity, bool others, piaa_error *error) {
    bool made = false;
    store->catalog = piaa_catalog_open(store->folder, true, &made, error);
    if (!store->catalog) return false;
    /* An empty catalogue beside full matrices was not left by a run that had only begun. */
    if (made && others) return piaa_catalog_damaged(store->catalog, error);
    if (made && (!write_identity(store, identity, error) || !piaa_catalog_commit(store->catalog, error))) return false;
    int64_t photos;
    return piaa_store_load_meta(store, store->catalog, error) && check_identity(store, identity, error) &&
           piaa_store_load_slots(store, store->catalog, error) && piaa_catalog_count(store->catalog, &store->rows, &photos, error);
}

piaa_store *piaa_store_open_write(const char *path, const piaa_identity *identity, const piaa_slots *slots, const piaa_hooks *hooks,
                                  piaa_error *error) {
    if (!path || !*path || !identity || !slots || !slots->count) {
        piaa_error_missing(error, !path || !*path ? "folder for the store" : !identity ? "identity of the store" : "slot");
        return NULL;
    }
    bool others;
    piaa_store *store = new_store(path, true, hooks, error);
    if (!store) return NULL;
    char *lock = piaa_path_join(path, lock_name, error);
    bool ok = lock && prepare_folder(path, &others, error) && (store->lock = piaa_disk_lock(lock, path, error)) >= 0 &&
              open_catalog(store, identity, others, error) && ask_for(store, slots, error) && open_matrices(store, error) &&
              mend(store, error);
    free(lock);
    store->synced_at = now();
    store->ready = ok;
    if (ok) return store;
    piaa_store_close(store);
    return NULL;
}

piaa_store *piaa_store_open_read(const char *path, const piaa_hooks *hooks, piaa_error *error) {
    if (!path || !*path) {
        piaa_error_missing(error, "folder of the store");
        return NULL;
    }
    piaa_store *store = new_store(path, false, hooks, error);
    if (store && piaa_store_refresh(store, error)) return store;
    piaa_store_close(store);
    return NULL;
}

void piaa_store_close(piaa_store *store) {
    if (!store) return;
    bool finished = piaa_store_finish(store, NULL);
    PIAA_UNUSED(finished); /* who wants to know calls it before */
    piaa_catalog_close(store->catalog);
    for (size_t i = 0; store->matrices && i < store->slots.count; i++) piaa_matrix_close(&store->matrices[i]);
    piaa_disk_unlock(store->lock);
    piaa_store_forget_view(store);
    forget_meta(store);
    free(store->meta);
    free(store->slots.items);
    free(store->matrices);
    free(store->asked);
    free(store->photos);
    free(store->folder);
    free(store);
}
