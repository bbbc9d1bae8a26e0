/* A packed store as a reader sees it: the index where it is mapped, matrices mapped in their own
 * types, and vectors brought to float32 one at a time, into the caller's room.
 *
 * Rows without a vector hold NaN, or zeros in 8 bits; the sum of a row counts them, so that every
 * byte of a matrix behind its header belongs to a sum. */
#include "base/memory.h"
#include "base/narrow.h"
#include "base/npy.h"
#include "features/store_parts.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t width;
    const char *type; /* NumPy has no bfloat16 */
} packings[] = {[PIAA_PACKED_F32] = {"f32", 4, "<f4"},
                [PIAA_PACKED_F16] = {"f16", 2, "<f2"},
                [PIAA_PACKED_BF16] = {"bf16", 2, "<u2"},
                [PIAA_PACKED_INT8] = {"int8", 1, "|i1"}};

const char *piaa_packing_name(piaa_packing packing) {
    return packings[packing].name;
}

size_t piaa_packing_width(piaa_packing packing) {
    return packings[packing].width;
}

const char *piaa_packing_type(piaa_packing packing) {
    return packings[packing].type;
}

bool piaa_store_is_packed(const char *folder) {
    return folder && piaa_file_exists_in(folder, PIAA_INDEX_NAME);
}

piaa_packing piaa_store_packing(const piaa_store *store) {
    return store->packing;
}

bool piaa_store_refuse_packed(const char *folder, piaa_error *error) {
    return !piaa_store_is_packed(folder) ||
           piaa_error_set(
               error, PIAA_USAGE,
               "%s is a packed store, which can only be read: name the store that it was "
               "packed from, and pack that again",
               folder);
}

/* -------------------------------------------------------------------------------------- opening */

/* A .npy file of ours, whole: *data is behind its header. */
static bool map_npy(piaa_map *map, const char *path, piaa_packing type, int64_t rows, int64_t dim,
                    const void **data, piaa_error *error) {
    char header[PIAA_NPY_HEADER_SIZE];
    piaa_npy_header_write(header, piaa_packing_type(type), rows, dim);
    if (!piaa_map_open(map, path, error)) return false;
    if (map->size != sizeof header + (size_t)(rows * dim) * piaa_packing_width(type))
        return piaa_index_damaged(path, "its length", error);
    if (memcmp(map->data, header, sizeof header) != 0)
        return piaa_index_damaged(path, "its header", error);
    *data = map->data + sizeof header;
    return true;
}

static bool map_scale(piaa_store *store, int slot, piaa_error *error) {
    piaa_view *view = &store->views[slot];
    const piaa_slot *s = &store->slots.items[slot];
    const void *data = NULL;
    char *path = piaa_format(error, "%s/%s.scale.npy", store->folder, piaa_slot_name(s).text);
    const bool ok = path && map_npy(&view->scale, path, PIAA_PACKED_F32, 2, s->dim, &data, error);
    free(path);
    view->centre = data;
    view->step = ok ? view->centre + s->dim : NULL;
    return ok;
}

static bool map_matrix(piaa_store *store, int slot, piaa_error *error) {
    piaa_view *view = &store->views[slot];
    char *path = piaa_store_matrix_path(store, slot, error);
    const bool ok = path && map_npy(&view->map, path, store->packing, store->seen_rows,
                                    store->slots.items[slot].dim, &view->packed, error);
    free(path);
    view->rows = store->seen_rows;
    if (store->packing == PIAA_PACKED_F32) view->data = view->packed;
    return ok && (store->packing != PIAA_PACKED_INT8 || map_scale(store, slot, error));
}

static bool take_meta(piaa_store *store, piaa_error *error) {
    const char *end = (const char *)store->index.slots;
    piaa_store_forget_meta(store);
    for (const char *key = store->index.meta; key < end && *key;) {
        const char *value = key + strlen(key) + 1;
        if (value >= end) break;
        if (!piaa_store_append_meta(store, key, value, error)) return false;
        key = value + strlen(value) + 1;
    }
    return true;
}

static bool take_slots(piaa_store *store, const char *path, piaa_error *error) {
    const piaa_index_header *h = store->index.header;
    store->slots.count = 0;
    store->views = piaa_alloc(h->slots, sizeof *store->views, error);
    store->filled = piaa_alloc(h->slots, sizeof *store->filled, error);
    if (!store->views || !store->filled) return false;
    for (size_t i = 0; i < h->slots; i++) {
        const piaa_index_slot *line = &store->index.slots[i];
        piaa_slot slot;
        if (!memchr(line->name, '\0', sizeof line->name) ||
            !piaa_store_parse_slot(line->name, &slot) || line->dim < 1 || line->dim > INT32_MAX)
            return piaa_index_damaged(path, "its list of matrices", error);
        slot.dim = (int)line->dim;
        store->filled[i] = line->filled;
        if (!piaa_store_append_slot(store, slot, error)) return false;
    }
    store->view_count = store->slots.count;
    return true;
}

static bool look(piaa_store *store, const char *path, piaa_error *error) {
    if (!piaa_index_open(&store->index, path, error)) return false;
    const piaa_index_header *h = store->index.header;
    store->packing = (piaa_packing)h->packing;
    store->seen_rows = h->rows;
    store->stride = (h->slots + 7) / 8;
    store->counts = (piaa_store_counts){.photos = h->photos,
                                        .failed = h->failed,
                                        .partial = h->partial,
                                        .rows = h->rows,
                                        .orphans = h->orphans,
                                        .damaged = h->damaged};
    if (!take_meta(store, error) || !take_slots(store, path, error)) return false;
    for (int s = 0; s < (int)store->view_count; s++)
        if (!map_matrix(store, s, error)) return false;
    return true;
}

bool piaa_store_look_packed(piaa_store *store, piaa_error *error) {
    char *path = piaa_path_join(store->folder, PIAA_INDEX_NAME, error);
    const bool ok = path && look(store, path, error);
    free(path);
    return ok;
}

/* -------------------------------------------------------------------------------------- vectors */

static const unsigned char *row_at(const piaa_store *store, int slot, int64_t row, size_t *size) {
    *size = (size_t)store->slots.items[slot].dim * piaa_packing_width(store->packing);
    return (const unsigned char *)store->views[slot].packed + (size_t)row * *size;
}

const float *piaa_store_widen(const piaa_store *store, int slot, int64_t row, float *room) {
    const piaa_view *view = &store->views[slot];
    const size_t dim = (size_t)store->slots.items[slot].dim;
    size_t size;
    const void *from = row_at(store, slot, row, &size);
    if (!room) return NULL;
    if (store->packing == PIAA_PACKED_F16)
        piaa_widen_half(from, dim, room);
    else if (store->packing == PIAA_PACKED_BF16)
        piaa_widen_bfloat(from, dim, room);
    else
        piaa_widen_codes(from, view->centre, view->step, dim, room);
    return room;
}

/* ------------------------------------------------------------------------------------- checking */

uint64_t piaa_store_packed_sum(const piaa_store *store, int64_t row) {
    uint64_t sum = 0;
    for (int s = 0; s < (int)store->view_count; s++) {
        size_t size;
        const unsigned char *bytes = row_at(store, s, row, &size);
        sum ^= piaa_store_sum_bytes(s, bytes, size);
    }
    return sum;
}

static bool check_blocks(const piaa_store *store, piaa_error *error) {
    const piaa_index *index = &store->index;
    const int64_t size = index->header->at[PIAA_INDEX_BLOCKS];
    const size_t count = piaa_index_blocks(size);
    if (piaa_store_sum_bytes(-1, index->blocks, count * sizeof *index->blocks) !=
        index->header->blocks_sum)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s/%s is damaged behind byte %lld: pack the store again",
                              store->folder, PIAA_INDEX_NAME, (long long)size);
    for (size_t i = 0; i < count; i++) {
        if (piaa_index_block_sum(index->map.data, size, i) != index->blocks[i])
            return piaa_error_set(
                error, PIAA_FORMAT,
                "%s/%s is damaged in the %d bytes behind byte %lld: pack the store again",
                store->folder, PIAA_INDEX_NAME, PIAA_INDEX_BLOCK,
                (long long)sizeof *index->header + (long long)i * PIAA_INDEX_BLOCK);
        piaa_map_forget(&index->map, index->map.data + sizeof *index->header + i * PIAA_INDEX_BLOCK,
                        PIAA_INDEX_BLOCK);
    }
    return true;
}

bool piaa_store_check_index(const piaa_store *store, piaa_error *error) {
    for (size_t s = 0; s < store->view_count; s++) {
        const piaa_map *scale = &store->views[s].scale;
        if (scale->data && piaa_store_sum_bytes((int)s, scale->data, scale->size) !=
                               store->index.slots[s].scale_sum)
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%s/%s.scale.npy is damaged: pack the store again", store->folder,
                                  piaa_slot_name(&store->slots.items[s]).text);
    }
    return check_blocks(store, error);
}
