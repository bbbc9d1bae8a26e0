/* Vectors are looked up in the store's mapped matrices, and copied only where several have to stand
   side by side. */
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
    return count == 1 ||
           (joined->space = piaa_alloc_array((size_t)joined->dim, sizeof *joined->space, error));
}

void piaa_joined_close(piaa_joined *joined) {
    if (!joined) return;
    free(joined->space);
    *joined = (piaa_joined){0};
}

bool piaa_joined_has(const piaa_joined *joined, int64_t row) {
    for (size_t k = 0; k < joined->count; k++)
        if (!piaa_store_vector(joined->store, joined->found[k], row)) return false;
    return true;
}

const float *piaa_joined_vector(piaa_joined *joined, int64_t row) {
    if (!joined->space) return piaa_store_vector(joined->store, joined->found[0], row);
    float *out = joined->space;
    for (size_t k = 0; k < joined->count; k++) {
        const float *part = piaa_store_vector(joined->store, joined->found[k], row);
        const int dim = dim_of(joined, k);
        if (!part) return NULL;
        memcpy(out, part, (size_t)dim * sizeof *out);
        out += dim;
    }
    return joined->space;
}

void piaa_joined_bands(const piaa_joined *joined, const int64_t *rows, piaa_band *out) {
    for (size_t k = 0; k < joined->count; k++)
        out[k] = (piaa_band){.x = piaa_store_matrix(joined->store, joined->found[k], NULL),
                             .rows = rows,
                             .dim = dim_of(joined, k)};
}
