/* Holding a whole store against what the catalogue promises: every row's vectors must add up to the
 * sum that was kept when they were written.  One changed word changes a vector's sum for certain
 * (each step of it can be undone), so a flipped bit is always found. */
#include "features/store_parts.h"

#include "base/hooks.h"
#include "base/memory.h"

#include <stdlib.h>

/* Vectors that the last refresh found lost are missing from the sum, too. */
bool piaa_store_row_is_whole(const piaa_store *store, int64_t row) {
    if (store->packing) return piaa_store_packed_sum(store, row) == store->index.sums[row];
    uint64_t sum = 0;
    for (int s = 0; s < (int)store->slots.count; s++) {
        const float *vector = piaa_store_vector(store, s, row, NULL);
        if (vector) sum ^= piaa_store_sum(s, vector, store->slots.items[s].dim);
    }
    return sum == store->sums[row];
}

typedef struct row_list {
    int64_t *items;
    size_t count, capacity;
} row_list;

static bool find_damaged(const piaa_store *seen, const piaa_hooks *hooks, row_list *damaged,
                         piaa_error *error) {
    for (int64_t row = 0; row < seen->seen_rows; row++) {
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            return piaa_error_set(error, PIAA_STOPPED, "stopped after %lld of %lld rows",
                                  (long long)row, (long long)seen->seen_rows);
        if (hooks && hooks->progress)
            hooks->progress(hooks->user, "rows compared", row + 1, seen->seen_rows);
        if (row && row % PIAA_STORE_SPAN == 0) piaa_store_let_go(seen, row - PIAA_STORE_SPAN, row);
        if (piaa_store_row_is_whole(seen, row)) continue;
        if (!piaa_grow(&damaged->items, &damaged->capacity, damaged->count + 1,
                       sizeof *damaged->items, error))
            return false;
        damaged->items[damaged->count++] = row;
    }
    return true;
}

static int by_number(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void name_photo(const piaa_photo *photo, const row_list *damaged, const piaa_hooks *hooks) {
    if (bsearch(&photo->row, damaged->items, damaged->count, sizeof *damaged->items, by_number))
        piaa_hooks_warn(hooks, "%s: its vectors (row %lld) are not what was written", photo->path,
                        (long long)photo->row);
}

static bool name_photos(const piaa_store *seen, const row_list *damaged, const piaa_hooks *hooks,
                        piaa_error *error) {
    if (!damaged->count) return true;
    if (seen->packing) {
        for (size_t i = 0; i < piaa_store_photos(seen); i++) {
            const piaa_photo photo = piaa_store_photo(seen, i);
            name_photo(&photo, damaged, hooks);
        }
        return true;
    }
    piaa_store_cursor at;
    bool ok = piaa_store_cursor_open(&at, seen, error);
    while (ok && at.photo.path) {
        name_photo(&at.photo, damaged, hooks);
        ok = piaa_store_cursor_step(&at, error);
    }
    piaa_store_cursor_close(&at);
    return ok;
}

/* Rows without slots and with the sum of nothing, all or none. */
static bool forget_rows(piaa_store *store, const row_list *damaged, piaa_error *error) {
    if (!piaa_catalog_begin(store->catalog, true, error)) return false;
    for (size_t i = 0; i < damaged->count; i++) {
        const piaa_catalog_row row = {.row = damaged->items[i], .batch = store->batch};
        if (!piaa_catalog_update_row(store->catalog, &row, (int)store->slots.count, error)) {
            piaa_catalog_rollback(store->catalog);
            return false;
        }
    }
    store->unsynced = true;
    return piaa_catalog_commit(store->catalog, error) && piaa_store_finish(store, error);
}

static bool forget_in(const char *path, const piaa_store *seen, const row_list *damaged,
                      const piaa_hooks *hooks, piaa_error *error) {
    const piaa_identity identity = piaa_store_identity(seen);
    piaa_store *store =
        piaa_store_open_write(path, &identity, piaa_store_slots(seen), hooks, error);
    const bool ok = store && forget_rows(store, damaged, error);
    piaa_store_close(store);
    return ok;
}

bool piaa_store_verify(const char *path, bool forget, const piaa_hooks *hooks, int64_t *damaged,
                       piaa_error *error) {
    piaa_store *seen = piaa_store_open_lean(path, hooks, error);
    if (!seen) return false;
    row_list rows = {0};
    bool ok = (!forget || piaa_store_refuse_packed(path, error)) &&
              (!seen->packing || piaa_store_check_index(seen, error)) &&
              find_damaged(seen, hooks, &rows, error);
    ok = ok && name_photos(seen, &rows, hooks, error);
    if (ok && forget && rows.count) ok = forget_in(path, seen, &rows, hooks, error);
    if (damaged) *damaged = ok ? (int64_t)rows.count : 0;
    free(rows.items);
    piaa_store_close(seen);
    return ok;
}
