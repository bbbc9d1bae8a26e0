/* Several matrices of a store as one: a photo's vectors side by side. */
#ifndef PIAA_STUDY_JOINED_H
#define PIAA_STUDY_JOINED_H

#include "features/store.h"
#include "linear/columns.h"

/* Slots that stand side by side, at most. */
enum { PIAA_SOURCE_PARTS = 16 };

typedef struct piaa_joined {
    const piaa_store *store;
    int found[PIAA_SOURCE_PARTS]; /* of the store's slots */
    size_t count;
    int dim;      /* of all */
    float *space; /* [dim] of the vector that was asked for last */
    float **held; /* [held_count] copies that piaa_joined_bands made */
    size_t held_count, held_capacity;
} piaa_joined;

/* The store must outlive it and not be refreshed meanwhile.  Of the slots only pool and layer are
 * read.  Errors: none or too many (PIAA_USAGE); one that the store lacks, which *absent (may be
 * NULL) is (PIAA_MISMATCH); memory. */
bool piaa_joined_open(piaa_joined *joined, const piaa_store *store, const piaa_slot *slots,
                      size_t count, const piaa_slot **absent, piaa_error *error) PIAA_MUST_USE;
void piaa_joined_close(piaa_joined *joined);

bool piaa_joined_has(const piaa_joined *joined, int64_t row); /* a vector in each */
/* [dim], that of the first slot first; until the next call.  NULL where the row lacks one. */
const float *piaa_joined_vector(piaa_joined *joined, int64_t row);
/* The same for any number of threads: brought into room [dim] where it does not stand in memory. */
const float *piaa_joined_read(const piaa_joined *joined, int64_t row, float *room);
/* One block for each slot, of these rows [n], all of which have a vector in each: in the mapped
 * matrices, or in copies [n][dim] of what is kept narrower, which last until close.  Errors:
 * memory. */
bool piaa_joined_bands(piaa_joined *joined, const int64_t *rows, int64_t n, piaa_band *out,
                       piaa_error *error) PIAA_MUST_USE;

#endif
