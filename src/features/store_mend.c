/* What the catalogue promises, held against the matrices when a writer opens a store (store.c and
 * store_batch.c say what can go wrong).
 *
 * Two kinds of rows are looked at: those past the end of some matrix, which lose the vectors that
 * are not there, and those of batches that the disk may not have had, whose vectors must add up to
 * their checksum. */
#include "base/hooks.h"
#include "base/memory.h"
#include "features/store_parts.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a over 32-bit words, started from the slot so that exchanged vectors are noticed, and spread
   by a last multiplication. */
uint64_t piaa_store_sum_bytes(int slot, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    uint64_t sum =
        UINT64_C(0xcbf29ce484222325) ^ ((uint64_t)slot + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < size; i += sizeof(uint32_t)) {
        uint32_t word = 0;
        memcpy(&word, at + i, size - i < sizeof word ? size - i : sizeof word);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
    }
    sum ^= sum >> 32;
    return sum * UINT64_C(0xd6e8feb86659fd93);
}

uint64_t piaa_store_sum(int slot, const float *vector, int dim) {
    return piaa_store_sum_bytes(slot, vector, (size_t)dim * sizeof *vector);
}

/* ------------------------------------------------------------------------------------- warnings */

void piaa_store_warn_lost(const piaa_store *store, int slot, int64_t count) {
    const piaa_slot *s = &store->slots.items[slot];
    piaa_hooks_warn(&store->hooks,
                    "%s/%s.npy is damaged: %lld vector%s that the catalogue promises %s "
                    "missing; %s",
                    store->folder, piaa_slot_name(s).text, (long long)count, count == 1 ? "" : "s",
                    count == 1 ? "is" : "are",
                    store->writing ? "they are computed anew when their photos come up"
                                   : "run piaa embed on the photos again to compute them anew");
}

void piaa_store_warn_unsure(const piaa_store *store, int64_t count) {
    piaa_hooks_warn(&store->hooks,
                    "%s: %lld row%s did not reach the disk before the last run was cut off; %s",
                    store->folder, (long long)count, count == 1 ? "" : "s",
                    store->writing ? "they are computed anew when their photos come up"
                                   : "run piaa embed on the photos again to compute them anew");
}

/* -------------------------------------------------------------------------------------- mending */

typedef struct mender {
    piaa_store *store;
    piaa_catalog_row *changed;
    size_t count, capacity;
    int64_t *lost; /* for each slot */
    int64_t unsure;
    int64_t last_batch;
    float *vector; /* room for the longest */
} mender;

/* Whether the matrices are long enough for what the catalogue says of a row; counts the vectors for
   which they are not. */
static bool is_within(mender *m, const piaa_catalog_row *row) {
    bool within = true;
    for (size_t s = 0; s < m->store->slots.count; s++)
        if (piaa_bit(row->slots, (int)s) && row->row >= m->store->matrices[s].rows) {
            m->lost[s]++;
            within = false;
        }
    return within;
}

/* Compares one row of the catalogue with the matrices; what does not hold is taken off it. */
static bool mend_row(void *user, const piaa_catalog_row *row, piaa_error *error) {
    mender *m = user;
    piaa_store *store = m->store;
    for (int s = (int)store->slots.count; s < PIAA_SLOTS_MOST; s++)
        if (piaa_bit(row->slots, s)) return piaa_catalog_damaged(store->catalog, error);
    if (row->batch > m->last_batch) m->last_batch = row->batch;
    bool within = is_within(m, row);
    if (within && row->batch <= store->durable) return true;

    piaa_catalog_row mended = {.row = row->row};
    for (int s = 0; s < (int)store->slots.count; s++) {
        const piaa_matrix *matrix = &store->matrices[s];
        if (!piaa_bit(row->slots, s) || row->row >= matrix->rows) continue;
        if (!piaa_matrix_read(matrix, row->row, m->vector, error)) return false;
        mended.checksum ^= piaa_store_sum(s, m->vector, matrix->dim);
        mended.slots[s / 8] |= (unsigned char)(1 << s % 8);
    }
    if (within && mended.checksum == row->checksum) return true;
    if (within) { /* which of the vectors is wrong cannot be told */
        m->unsure++;
        mended = (piaa_catalog_row){.row = row->row};
    }
    if (!piaa_grow(&m->changed, &m->capacity, m->count + 1, sizeof *m->changed, error))
        return false;
    m->changed[m->count++] = mended;
    return true;
}

static bool write_mended(mender *m, piaa_error *error) {
    piaa_store *store = m->store;
    if (!piaa_catalog_begin(store->catalog, false, error)) return false;
    for (size_t i = 0; i < m->count; i++) {
        m->changed[i].batch = store->batch;
        if (!piaa_catalog_update_row(store->catalog, &m->changed[i], (int)store->slots.count,
                                     error))
            return false;
    }
    return piaa_catalog_commit(store->catalog, error);
}

/* Rows that a matrix may lack, and rows whose batch the disk may not have had. */
bool piaa_store_mend(piaa_store *store, piaa_error *error) {
    int64_t shortest = store->rows;
    int longest = 1;
    for (size_t i = 0; i < store->slots.count; i++) {
        if (store->matrices[i].rows < shortest) shortest = store->matrices[i].rows;
        if (store->slots.items[i].dim > longest) longest = store->slots.items[i].dim;
    }
    mender m = {.store = store, .last_batch = store->durable};
    m.lost = piaa_alloc(store->slots.count, sizeof *m.lost, error);
    m.vector = piaa_alloc_array((size_t)longest, sizeof *m.vector, error);
    bool ok = m.lost && m.vector &&
              piaa_catalog_each_row(store->catalog, shortest, store->durable, mend_row, &m, error);
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
