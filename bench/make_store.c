/*
 * Makes a store of any number of photos that do not exist, with features that mean nothing, to try
 * what only depends on how many there are (docs/scale.md).
 *
 *     bench_make_store STORE PHOTOS DIM
 *
 * Paths have 46 bytes and hashes come in order, so that 10^7 photos take minutes: as a run would, a
 * store is opened to write, but photos are recorded 100,000 in one transaction.
 */
#include "features/store_parts.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOGETHER = 100000 };

/* xorshift, as numbers from -1 to 1; a few columns are large, as in a model's hidden states. */
static void make_vector(uint64_t *state, int dim, float *x) {
    for (int j = 0; j < dim; j++) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        x[j] = ((float)(*state >> 40) / (1 << 23) - 1) * (j % 64 == 7 ? 100 : 1);
    }
}

static bool put(piaa_store *store, int64_t row, const float *x, piaa_error *error) {
    char path[64], hash[65];
    snprintf(path, sizeof path, "/archive/photos/%04lld/%02lld/%02lld/IMG_%010lld.jpeg",
             (long long)(1990 + row / 400000), (long long)(1 + row / 40000 % 10),
             (long long)(1 + row / 2000 % 20), (long long)row);
    snprintf(hash, sizeof hash, "%064llx", (unsigned long long)row);
    const piaa_photo photo = {
        .path = path, .size = 5000000, .mtime_ns = 1, .ctime_ns = 1, .hash = hash, .row = row};
    piaa_catalog_row line = {.row = row, .batch = store->batch};
    line.slots[0] = 1;
    line.checksum = piaa_store_sum(0, x, store->slots.items[0].dim);
    return piaa_matrix_write(&store->matrices[0], row, x, error) &&
           piaa_catalog_insert_row(store->catalog, &line, hash, 1, error) &&
           piaa_catalog_set_photo(store->catalog, &photo, error);
}

static bool fill(piaa_store *store, int64_t photos, float *x, piaa_error *error) {
    uint64_t state = 1;
    for (int64_t row = store->rows; row < photos;) {
        if (!piaa_catalog_begin(store->catalog, false, error)) return false;
        for (int64_t end = row + TOGETHER; row < end && row < photos; row++) {
            make_vector(&state, store->slots.items[0].dim, x);
            if (!put(store, row, x, error)) return false;
        }
        store->rows = row;
        store->unsynced = true;
        if (!piaa_catalog_commit(store->catalog, error)) return false;
    }
    return piaa_store_finish(store, error);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "bench_make_store STORE PHOTOS DIM\n");
        return 2;
    }
    piaa_error error = {0};
    piaa_slot slot = {.pool = PIAA_LT, .layer = 15, .dim = atoi(argv[3])};
    const piaa_identity identity = {.fingerprint = "00ff",
                                    .model = "made",
                                    .family = "Qwen3-VL",
                                    .preprocessing = "none",
                                    .dtype = "f32",
                                    .library = piaa_version()};
    piaa_store *store =
        piaa_store_open_write(argv[1], &identity, &(piaa_slots){&slot, 1}, NULL, &error);
    float *x = piaa_alloc_array((size_t)slot.dim, sizeof *x, &error);
    const bool ok = store && x && fill(store, strtoll(argv[2], NULL, 10), x, &error);
    if (!ok) fprintf(stderr, "%s\n", error.message);
    free(x);
    piaa_store_close(store);
    return !ok;
}
