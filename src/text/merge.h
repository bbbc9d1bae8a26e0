/* Byte-pair merging: a word's symbols are joined pair by pair, the pair of lowest rank first, the
   leftmost of equals. */
#ifndef PIAA_TEXT_MERGE_H
#define PIAA_TEXT_MERGE_H

#include "base/memory.h"

/* A hash table from a pair of numbers to a rank and a result; start from {0}. */
typedef struct piaa_pair {
    int32_t left, right, rank, result; /* rank -1: a free slot */
} piaa_pair;

typedef struct piaa_pairs {
    piaa_pair *slots;
    int bits; /* log2 of their number */
} piaa_pairs;

/* Room for `count` pairs. */
bool piaa_pairs_init(piaa_pairs *pairs, size_t count, piaa_error *error) PIAA_MUST_USE;
void piaa_pairs_free(piaa_pairs *pairs);
/* A later put counts. */
void piaa_pairs_put(piaa_pairs *pairs, int32_t left, int32_t right, int32_t rank, int32_t result);
/* NULL if absent. */
const piaa_pair *piaa_pairs_find(const piaa_pairs *pairs, int32_t left, int32_t right);

/* Working memory that is kept from word to word; start from {0}. */
typedef struct piaa_merger {
    int32_t *previous, *next;
    uint64_t *heap;
    size_t previous_capacity, next_capacity, heap_capacity;
} piaa_merger;

void piaa_merger_free(piaa_merger *merger);

/* Merges `ids[0..count)` in place; returns how many are left, 0 on error (count is at least 1).
   Time n log n. */
size_t piaa_merge(const piaa_pairs *merges, int32_t *ids, size_t count, piaa_merger *merger,
                  piaa_error *error) PIAA_MUST_USE;

#endif
