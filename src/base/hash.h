/* A short name for bytes, equal for equal ones: FNV-1a, 64 bits (Fowler, Noll, Vo).  Fast
 * on short texts, the same on every machine, and no secret: whoever wants two texts with one hash
 * finds them. */
#ifndef PIAA_BASE_HASH_H
#define PIAA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define PIAA_HASH_OF_NOTHING UINT64_C(0xcbf29ce484222325)

/* Goes on from the hash of what comes before. */
static inline uint64_t piaa_hash(uint64_t before, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) before = (before ^ at[i]) * UINT64_C(0x100000001b3);
    return before;
}

#endif
