/* Byte-pair merging.
 *
 * A short word is scanned for its best pair again and again: no set-up, and everything in the
 * first-level cache.  That is quadratic, so a long word (a megabyte of the letter a is one word)
 * keeps its symbols in a doubly linked list and its possible merges in a heap whose keys are rank *
 * 2^32 + position.  A merge can make entries of the heap stale: an entry counts only if the pair
 * that is at its position now has its rank.  Both give the same: lowest rank first, leftmost of
 * equals. */
#include "text/merge.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_WORD = 32, NONE = INT32_MAX };

bool piaa_pairs_init(piaa_pairs *pairs, size_t count, piaa_error *error) {
    pairs->bits = 4;
    while (((size_t)1 << pairs->bits) * 2 / 3 < count) pairs->bits++;
    size_t slots = (size_t)1 << pairs->bits;
    pairs->slots = piaa_alloc(slots, sizeof *pairs->slots, error);
    if (!pairs->slots) return false;
    for (size_t i = 0; i < slots; i++) pairs->slots[i].rank = -1;
    return true;
}

void piaa_pairs_free(piaa_pairs *pairs) {
    free(pairs->slots);
    *pairs = (piaa_pairs){0};
}

static piaa_pair *slot_of(const piaa_pairs *pairs, int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t mask = ((size_t)1 << pairs->bits) - 1,
           slot = (size_t)((key ^ key >> 29) * 0x9E3779B97F4A7C15u >> (64 - pairs->bits));
    for (;; slot = (slot + 1) & mask) {
        piaa_pair *pair = &pairs->slots[slot];
        if (pair->rank < 0 || (pair->left == left && pair->right == right)) return pair;
    }
}

void piaa_pairs_put(piaa_pairs *pairs, int32_t left, int32_t right, int32_t rank, int32_t result) {
    *slot_of(pairs, left, right) = (piaa_pair){left, right, rank, result};
}

const piaa_pair *piaa_pairs_find(const piaa_pairs *pairs, int32_t left, int32_t right) {
    const piaa_pair *pair = slot_of(pairs, left, right);
    return pair->rank < 0 ? NULL : pair;
}

static size_t merge_short(const piaa_pairs *merges, int32_t *ids, size_t count) {
    int32_t ranks[SHORT_WORD], results[SHORT_WORD]; /* of the pair that starts at each symbol */
    size_t from = 0, to = count - 1;                /* the pairs to be looked up */
    for (;;) {
        for (size_t i = from; i < to; i++) {
            const piaa_pair *pair = piaa_pairs_find(merges, ids[i], ids[i + 1]);
            ranks[i] = pair ? pair->rank : NONE;
            results[i] = pair ? pair->result : 0;
        }
        size_t best = 0;
        int32_t lowest = NONE;
        for (size_t i = 0; i + 1 < count; i++)
            if (ranks[i] < lowest) lowest = ranks[i], best = i;
        if (lowest == NONE) return count;
        ids[best] = results[best];
        size_t behind = count - best - 2;
        memmove(ids + best + 1, ids + best + 2, behind * sizeof *ids);
        memmove(ranks + best, ranks + best + 1, behind * sizeof *ranks);
        memmove(results + best, results + best + 1, behind * sizeof *results);
        count--;
        from = best ? best - 1 : 0;
        to = best + 1 < count ? best + 1 : count - 1;
    }
}

static void push(piaa_merger *merger, size_t *size, const piaa_pairs *merges, const int32_t *ids,
                 int32_t left, int32_t right) {
    const piaa_pair *pair = piaa_pairs_find(merges, ids[left], ids[right]);
    if (!pair) return;
    uint64_t *heap = merger->heap, key = (uint64_t)pair->rank << 32 | (uint32_t)left;
    size_t i = (*size)++;
    for (; i && heap[(i - 1) / 2] > key; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = key;
}

static uint64_t pop(uint64_t *heap, size_t *size) {
    uint64_t top = heap[0], key = heap[--*size];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *size; i = child) {
        if (child + 1 < *size && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= key) break;
        heap[i] = heap[child];
    }
    heap[i] = key;
    return top;
}

static size_t merge_long(const piaa_pairs *merges, int32_t *ids, size_t count, piaa_merger *merger,
                         piaa_error *error) {
    /* Every merge takes one entry out and puts at most two in, and there are fewer than `count`
       merges. */
    if (!piaa_grow(&merger->previous, &merger->previous_capacity, count, sizeof *merger->previous,
                   error) ||
        !piaa_grow(&merger->next, &merger->next_capacity, count, sizeof *merger->next, error) ||
        !piaa_grow(&merger->heap, &merger->heap_capacity, 2 * count, sizeof *merger->heap, error))
        return 0;
    int32_t *previous = merger->previous, *next = merger->next;
    size_t heap_size = 0;
    for (int32_t i = 0; i < (int32_t)count; i++) {
        previous[i] = i - 1;
        next[i] = i + 1 < (int32_t)count ? i + 1 : -1;
        if (next[i] >= 0) push(merger, &heap_size, merges, ids, i, i + 1);
    }
    enum { DEAD = -2 };
    while (heap_size) {
        uint64_t key = pop(merger->heap, &heap_size);
        int32_t at = (int32_t)(key & UINT32_MAX), rank = (int32_t)(key >> 32), right = next[at];
        if (right < 0)
            continue; /* the last symbol, or one that was merged into its left neighbour */
        const piaa_pair *pair = piaa_pairs_find(merges, ids[at], ids[right]);
        if (!pair || pair->rank != rank) continue;
        ids[at] = pair->result;
        next[at] = next[right];
        next[right] = DEAD;
        if (next[at] >= 0) {
            previous[next[at]] = at;
            push(merger, &heap_size, merges, ids, at, next[at]);
        }
        if (previous[at] >= 0) push(merger, &heap_size, merges, ids, previous[at], at);
    }
    size_t left = 0;
    for (int32_t i = 0; i >= 0; i = next[i]) ids[left++] = ids[i];
    return left;
}

size_t piaa_merge(const piaa_pairs *merges, int32_t *ids, size_t count, piaa_merger *merger,
                  piaa_error *error) {
    if (count <= SHORT_WORD) return merge_short(merges, ids, count);
    if (count > INT32_MAX) {
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "a word of %zu symbols is too long for the tokenizer: split the text",
                       count);
        return 0;
    }
    return merge_long(merges, ids, count, merger, error);
}

void piaa_merger_free(piaa_merger *merger) {
    free(merger->previous);
    free(merger->next);
    free(merger->heap);
    *merger = (piaa_merger){0};
}
