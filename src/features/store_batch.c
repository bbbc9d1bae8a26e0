/* Batches: what of a store is safe from a power cut.
 *
 * Waiting for the disk after each photo would cost more than a small model does, so a batch of a
 * few seconds is made durable together: a sync of the matrices, then a transaction with
 * synchronous = FULL that raises `durable_batch`.  The disk may have any part of what came after.
 * A row therefore carries the batch it was last written in and a checksum over its vectors; rows of
 * batches past durable_batch are compared with their checksum when a store is opened, and those
 * that differ are forgotten and computed anew. */
#include "base/hooks.h"
#include "base/memory.h"
#include "features/disk.h"
#include "features/store_parts.h"

#include <stdio.h>

char *piaa_store_matrix_path(const piaa_store *store, int slot, piaa_error *error) {
    const piaa_slot *s = &store->slots.items[slot];
    return piaa_format(error, "%s/%s.npy", store->folder, piaa_slot_name(s).text);
}

/* A disk that failed to take something may say later that it has everything: the system then has
   given up what it could not write.  From then on nothing counts as durable, so that the next
   opening compares what this batch left. */
static bool sync_failed(piaa_store *store) {
    store->sync_failed = true;
    return false;
}

bool piaa_store_sync(piaa_store *store, piaa_error *error) {
    if (!store->unsynced) return true;
    if (store->sync_failed)
        return piaa_error_set(error, PIAA_IO,
                              "%s did not reach the disk when it was asked to: run the same "
                              "command again",
                              store->folder);
    double begun = piaa_seconds_now();
    bool made = false;
    for (size_t i = 0; i < store->slots.count; i++) {
        made |= store->matrices[i].made;
        if (!piaa_matrix_sync(&store->matrices[i], error)) return sync_failed(store);
    }
    if (made && !piaa_disk_sync_folder(store->folder, error)) return sync_failed(store);
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)store->batch);
    if (!piaa_catalog_begin(store->catalog, true, error) ||
        !piaa_catalog_set_meta(store->catalog, PIAA_DURABLE_KEY, number, error) ||
        !piaa_catalog_commit(store->catalog, error)) {
        piaa_catalog_rollback(store->catalog);
        return false;
    }
    store->durable = store->batch++;
    store->unsynced = false;
    store->synced_at = piaa_seconds_now();
    store->sync_cost = store->synced_at - begun;
    return true;
}

/* Every two seconds, or so seldom that it takes a twentieth of the time. */
bool piaa_store_sync_if_due(piaa_store *store, piaa_error *error) {
    double wait = 20 * store->sync_cost > 2 ? 20 * store->sync_cost : 2;
    return piaa_seconds_now() - store->synced_at < wait || piaa_store_sync(store, error);
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
