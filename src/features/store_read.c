/* Looking at a store: one consistent copy of the catalogue in memory, and the matrices mapped; at a
 * packed one: store_packed.c.
 *
 * The catalogue is read in one transaction and closed again, so a reader never stands in a writer's
 * way.  Matrices are mapped after that: whatever the catalogue promised is then in the files,
 * unless they were damaged; promises that are not kept are taken back here, so that
 * piaa_store_vector has nothing left to check. */
#include "features/store.h"

#include "base/memory.h"
#include "base/npy.h"
#include "features/store_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void piaa_store_forget_view(piaa_store *store) {
    for (size_t i = 0; i < store->photo_count; i++) free((void *)(uintptr_t)store->photos[i].path);
    for (size_t i = 0; i < store->view_count; i++) {
        piaa_map_close(&store->views[i].map);
        piaa_map_close(&store->views[i].scale);
    }
    piaa_index_close(&store->index);
    store->packing = PIAA_PACKED_NONE;
    free(store->views);
    free(store->have);
    free(store->sums);
    free(store->filled);
    store->views = NULL;
    store->have = NULL;
    store->sums = NULL;
    store->filled = NULL;
    store->photo_count = store->view_count = 0;
    store->seen_rows = 0;
    store->counts = (piaa_store_counts){0};
}

/* -------------------------------------------------------------------------------- the catalogue */

typedef struct loader {
    piaa_store *store;
    piaa_catalog *catalog;
    piaa_catalog_row *unsure; /* rows that a power cut may have spoilt */
    size_t unsure_count, unsure_capacity;
    int64_t next;
} loader;

static bool take_row(void *user, const piaa_catalog_row *row, piaa_error *error) {
    loader *l = user;
    piaa_store *store = l->store;
    if (row->row != l->next || row->row >= store->seen_rows)
        return piaa_catalog_damaged(l->catalog, error);
    for (int s = (int)store->slots.count; s < PIAA_SLOTS_MOST; s++)
        if (piaa_bit(row->slots, s)) return piaa_catalog_damaged(l->catalog, error);
    l->next++;
    memcpy(store->have + (size_t)row->row * store->stride, row->slots, store->stride);
    store->sums[row->row] = row->checksum;
    if (store->writing || row->batch <= store->durable) return true;
    if (!piaa_grow(&l->unsure, &l->unsure_capacity, l->unsure_count + 1, sizeof *l->unsure, error))
        return false;
    l->unsure[l->unsure_count++] = *row;
    return true;
}

static bool take_photo(void *user, const piaa_photo *photo, piaa_error *error) {
    loader *l = user;
    piaa_store *store = l->store;
    if (photo->row >= store->seen_rows) return piaa_catalog_damaged(l->catalog, error);
    if (!piaa_grow(&store->photos, &store->photo_capacity, store->photo_count + 1,
                   sizeof *store->photos, error))
        return false;
    if (!piaa_photo_copy(photo, &store->photos[store->photo_count], error)) return false;
    store->photo_count++;
    return true;
}

static int by_path(const void *left, const void *right) {
    return strcmp(((const piaa_photo *)left)->path, ((const piaa_photo *)right)->path);
}

static bool load(loader *l, piaa_error *error) {
    piaa_store *store = l->store;
    if (!piaa_catalog_begin(l->catalog, false, error)) return false;
    if (!store->writing && (!piaa_store_load_meta(store, l->catalog, error) ||
                            !piaa_store_load_slots(store, l->catalog, error)))
        return false;
    int64_t rows, photos;
    if (!piaa_catalog_count(l->catalog, &rows, &photos, error)) return false;
    store->stride = (store->slots.count + 7) / 8;
    store->have = piaa_alloc((size_t)rows, store->stride, error);
    store->sums = piaa_alloc((size_t)rows, sizeof *store->sums, error);
    if (!store->have || !store->sums) return false;
    store->seen_rows = rows;
    if (!piaa_catalog_each_row(l->catalog, 0, -1, take_row, l, error) ||
        (!store->lean && !piaa_catalog_each_photo(l->catalog, take_photo, l, error)))
        return false;
    if (store->photo_count)
        qsort(store->photos, store->photo_count, sizeof *store->photos, by_path);
    store->counts = (piaa_store_counts){.photos = photos, .rows = rows};
    return piaa_catalog_commit(l->catalog, error);
}

/* --------------------------------------------------------------------------------- the matrices */

/* A file that is missing, or holds something else, has 0 rows here: what that means is for the
   caller to say.  One that cannot be read now is an error. */
static bool map_matrix(piaa_store *store, int slot, piaa_error *error) {
    piaa_view *view = &store->views[slot];
    char *path = piaa_store_matrix_path(store, slot, error);
    if (!path) return false;
    piaa_npy_header header;
    int dim = store->slots.items[slot].dim;
    bool ok = !piaa_file_exists(path) || piaa_map_open(&view->map, path, error);
    if (ok && view->map.data &&
        piaa_npy_parse(view->map.data, view->map.size, UINT64_MAX, path, &header, NULL) &&
        header.width == 4 && header.dimensions == 2 && header.shape[1] == dim &&
        header.data_start == PIAA_NPY_HEADER_SIZE) {
        int64_t held =
            (int64_t)((view->map.size - header.data_start) / ((size_t)dim * sizeof(float)));
        view->rows = header.shape[0] < held ? header.shape[0] : held;
        view->data = (const float *)(const void *)(view->map.data + header.data_start);
    }
    free(path);
    return ok;
}

static unsigned char *have_row(const piaa_store *store, int64_t row) {
    return store->have + (size_t)row * store->stride;
}

/* Takes back what the catalogue promised of rows past the end of a matrix. */
static void forget_lost(piaa_store *store, int slot) {
    int64_t lost = 0;
    for (int64_t row = store->views[slot].rows; row < store->seen_rows; row++)
        if (piaa_bit(have_row(store, row), slot)) {
            have_row(store, row)[slot / 8] &= (unsigned char)~(1 << slot % 8);
            lost++;
        }
    if (lost) piaa_store_warn_lost(store, slot, lost);
}

/* Takes back rows whose vectors are not what was written. */
static void forget_unsure(piaa_store *store, const loader *l) {
    int64_t lost = 0;
    for (size_t i = 0; i < l->unsure_count; i++) {
        const piaa_catalog_row *row = &l->unsure[i];
        if (memcmp(row->slots, have_row(store, row->row), store->stride) != 0)
            continue; /* some of it is known to be lost */
        uint64_t sum = 0;
        for (int s = 0; s < (int)store->slots.count; s++)
            if (piaa_bit(row->slots, s))
                sum ^= piaa_store_sum(s, piaa_store_vector(store, s, row->row, NULL),
                                      store->slots.items[s].dim);
        if (sum == row->checksum) continue;
        memset(have_row(store, row->row), 0, store->stride);
        lost++;
    }
    if (lost) piaa_store_warn_unsure(store, lost);
}

static bool look_at_matrices(piaa_store *store, const loader *l, piaa_error *error) {
    store->views = piaa_alloc(store->slots.count, sizeof *store->views, error);
    store->filled = piaa_alloc(store->slots.count, sizeof *store->filled, error);
    if (!store->views || !store->filled) return false;
    store->view_count = store->slots.count;
    for (int s = 0; s < (int)store->slots.count; s++) {
        if (!map_matrix(store, s, error)) return false;
        forget_lost(store, s);
    }
    forget_unsure(store, l);
    for (int s = 0; s < (int)store->slots.count; s++)
        for (int64_t row = 0; row < store->seen_rows; row++)
            store->filled[s] += piaa_bit(have_row(store, row), s);
    return true;
}

static bool count_all(piaa_store *store, piaa_error *error) {
    unsigned char *used = piaa_alloc((size_t)store->seen_rows, 1, error);
    if (!used) return false;
    for (size_t i = 0; i < store->photo_count; i++) {
        const piaa_photo *photo = &store->photos[i];
        if (photo->row >= 0) used[photo->row] = 1;
        store->counts.failed += photo->row < 0;
        store->counts.partial += photo->row >= 0 && photo->error;
        store->counts.damaged += photo->damage != NULL;
    }
    for (int64_t row = 0; row < store->seen_rows; row++) store->counts.orphans += !used[row];
    free(used);
    return true;
}

static bool look_at_catalog(piaa_store *store, piaa_error *error) {
    loader l = {.store = store, .catalog = store->catalog};
    if (!store->writing) l.catalog = piaa_catalog_open(store->folder, false, NULL, error);
    bool ok = l.catalog && load(&l, error);
    if (store->writing && !ok) piaa_catalog_rollback(store->catalog);
    if (!store->writing) piaa_catalog_close(l.catalog);
    ok = ok && look_at_matrices(store, &l, error) && (store->lean || count_all(store, error));
    free(l.unsure);
    return ok;
}

bool piaa_store_refresh(piaa_store *store, piaa_error *error) {
    if (!store) return piaa_error_missing(error, "store");
    piaa_store_forget_view(store);
    const bool packed = !store->writing && piaa_store_is_packed(store->folder);
    if ((packed ? piaa_store_look_packed : look_at_catalog)(store, error)) return true;
    piaa_store_forget_view(store);
    return false;
}

void piaa_store_let_go(const piaa_store *store, int64_t first, int64_t end) {
    for (size_t s = 0; s < store->view_count; s++) {
        const piaa_view *view = &store->views[s];
        const unsigned char *rows = view->packed ? view->packed : (const void *)view->data;
        const size_t size = (size_t)store->slots.items[s].dim *
                            (view->packed ? piaa_packing_width(store->packing) : sizeof(float));
        const int64_t last = end < view->rows ? end : view->rows;
        if (first < last)
            piaa_map_forget(&view->map, rows + (size_t)first * size, (size_t)(last - first) * size);
    }
}

/* -------------------------------------------------------------------------------------- answers */

piaa_store_counts piaa_store_count(const piaa_store *store) {
    return store->counts;
}

int64_t piaa_store_filled(const piaa_store *store, int slot) {
    return slot >= 0 && (size_t)slot < store->view_count ? store->filled[slot] : 0;
}

size_t piaa_store_photos(const piaa_store *store) {
    return (size_t)store->counts.photos;
}

static const piaa_photo nobody = {.row = -1};

piaa_photo piaa_store_photo(const piaa_store *store, size_t index) {
    if (store->packing) return piaa_index_photo_at(&store->index, (int64_t)index);
    return index < store->photo_count ? store->photos[index] : nobody;
}

piaa_photo piaa_store_find(const piaa_store *store, const char *path) {
    if (store->packing) return piaa_index_find(&store->index, path);
    const piaa_photo *found = store->photo_count
                                  ? bsearch(&(piaa_photo){.path = path}, store->photos,
                                            store->photo_count, sizeof *store->photos, by_path)
                                  : NULL;
    return found ? *found : nobody;
}

bool piaa_store_has(const piaa_store *store, int slot, int64_t row) {
    const unsigned char *bits = store->packing ? store->index.bits : store->have;
    return slot >= 0 && (size_t)slot < store->view_count && row >= 0 && row < store->seen_rows &&
           piaa_bit(bits + (size_t)row * store->stride, slot);
}

const float *piaa_store_vector(const piaa_store *store, int slot, int64_t row, float *room) {
    if (!piaa_store_has(store, slot, row)) return NULL;
    if (!store->views[slot].data) return piaa_store_widen(store, slot, row, room);
    return store->views[slot].data + row * store->slots.items[slot].dim;
}

bool piaa_store_vectors(const piaa_store *store, int slot, const int64_t *rows, int64_t count,
                        float *out, piaa_error *error) {
    if (slot < 0 || (size_t)slot >= store->view_count)
        return piaa_error_set(error, PIAA_USAGE, "%s has no matrix %d", store->folder, slot);
    const size_t dim = (size_t)store->slots.items[slot].dim;
    for (int64_t i = 0; i < count; i++, out += dim) {
        const float *vector = piaa_store_vector(store, slot, rows[i], out);
        if (!vector)
            for (size_t j = 0; j < dim; j++) out[j] = NAN;
        else if (vector != out)
            memcpy(out, vector, dim * sizeof *out);
    }
    return true;
}

const float *piaa_store_matrix(const piaa_store *store, int slot, int64_t *rows) {
    if (rows) *rows = 0;
    if (slot < 0 || (size_t)slot >= store->view_count) return NULL;
    const piaa_view *view = &store->views[slot];
    int64_t valid = view->rows < store->seen_rows ? view->rows : store->seen_rows;
    if (rows) *rows = valid;
    return valid ? view->data : NULL; /* of a narrow one NULL as well */
}
