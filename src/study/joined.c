/* Vectors are looked up in the store's mapped matrices, and copied only where several have to stand
   side by side, or where they are kept in fewer bits. */
#include "study/joined.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int dim_of(const piaa_joined *joined, size_t part) {
    return piaa_store_slots(joined->store)->items[joined->found[part]].dim;
}

bool piaa_joined_open(piaa_joined *joined, const piaa_store *store, const piaa_slot *slots,
                      size_t count, const piaa_slot **absent, piaa_error *error) {
    *joined = (piaa_joined){.store = store, .count = count};
    if (absent) *absent = NULL;
    if (count < 1 || count > PIAA_SOURCE_PARTS)
        return piaa_error_set(error, PIAA_USAGE,
                              "1 to %d pools and layers can stand side by side, not %zu",
                              PIAA_SOURCE_PARTS, count);
    for (size_t k = 0; k < count; k++) {
        joined->found[k] = piaa_store_find_slot(store, slots[k].pool, slots[k].layer);
        if (joined->found[k] < 0) {
            if (absent) *absent = &slots[k];
            return piaa_error_set(
                error, PIAA_MISMATCH,
                "%s holds no vectors of pool %s at layer %d: embed the images with them first",
                piaa_store_path(store), piaa_pool_name(slots[k].pool), slots[k].layer);
        }
        joined->dim += dim_of(joined, k);
    }
    joined->space = piaa_alloc_array((size_t)joined->dim, sizeof *joined->space, error);
    return joined->space;
}

void piaa_joined_close(piaa_joined *joined) {
    if (!joined) return;
    for (size_t i = 0; i < joined->held_count; i++) free(joined->held[i]);
    free(joined->held);
    free(joined->space);
    *joined = (piaa_joined){0};
}

bool piaa_joined_has(const piaa_joined *joined, int64_t row) {
    for (size_t k = 0; k < joined->count; k++)
        if (!piaa_store_has(joined->store, joined->found[k], row)) return false;
    return true;
}

const float *piaa_joined_vector(piaa_joined *joined, int64_t row) {
    return piaa_joined_read(joined, row, joined->space);
}

const float *piaa_joined_read(const piaa_joined *joined, int64_t row, float *room) {
    float *out = room;
    if (joined->count == 1) return piaa_store_vector(joined->store, joined->found[0], row, out);
    for (size_t k = 0; k < joined->count; k++) {
        const float *part = piaa_store_vector(joined->store, joined->found[k], row, out);
        const int dim = dim_of(joined, k);
        if (!part) return NULL;
        if (part != out) memcpy(out, part, (size_t)dim * sizeof *out);
        out += dim;
    }
    return room;
}

/* The rows of one slot, one after the other; the joined's. */
static const float *hold(piaa_joined *joined, size_t part, const int64_t *rows, int64_t n,
                         piaa_error *error) {
    const size_t dim = (size_t)dim_of(joined, part);
    if (!piaa_grow(&joined->held, &joined->held_capacity, joined->held_count + 1,
                   sizeof *joined->held, error))
        return NULL;
    float *copy = piaa_alloc_array((size_t)n * dim, sizeof *copy, error);
    if (!copy) return NULL;
    joined->held[joined->held_count++] = copy;
    for (int64_t i = 0; i < n; i++) {
        float *to = copy + (size_t)i * dim;
        const float *from = piaa_store_vector(joined->store, joined->found[part], rows[i], to);
        if (from && from != to) memcpy(to, from, dim * sizeof *to);
    }
    return copy;
}

bool piaa_joined_bands(piaa_joined *joined, const int64_t *rows, int64_t n, piaa_band *out,
                       piaa_error *error) {
    for (size_t k = 0; k < joined->count; k++) {
        out[k] = (piaa_band){.x = piaa_store_matrix(joined->store, joined->found[k], NULL),
                             .rows = rows,
                             .dim = dim_of(joined, k)};
        if (out[k].x) continue;
        out[k].rows = NULL;
        if (!(out[k].x = hold(joined, k, rows, n, error))) return false;
    }
    return true;
}
