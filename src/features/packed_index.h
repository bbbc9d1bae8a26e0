/*
 * The index of a packed store: what the catalogue of a store says, in one file that is mapped and
 * looked up where it lies, so that opening costs the same however many photos there are.
 *
 * index.piaa, every number as this kind of machine has it in memory (`order` tells machines apart),
 * sections one after the other, each at a multiple of 8 bytes:
 *
 *     header
 *     meta      key, value, key, value … each ended by a NUL; an empty key ends them
 *     slots     piaa_index_slot for each matrix
 *     bits      [rows][stride] which matrices hold a vector, as the catalogue's vectors.slots
 *     sums      [rows] over the row's bytes in all matrices (piaa_store_sum_bytes, exclusive or)
 *     photos    piaa_index_photo for each photo, in byte order of their paths
 *     texts     of each photo what it has of path, hash, error, damage and note, ended by NULs
 *     blocks    a sum over each PIAA_INDEX_BLOCK bytes between the header and here
 *
 * A path is found by bisection.  Offsets are checked where they are followed, so that a damaged
 * file gives wrong answers at worst; verifying (store_verify.c) finds every changed bit: header and
 * blocks have sums of their own in the header, the rest has one in blocks, and matrices have theirs
 * in sums.
 */
#ifndef PIAA_FEATURES_PACKED_INDEX_H
#define PIAA_FEATURES_PACKED_INDEX_H

#include "base/file.h"

#define PIAA_INDEX_NAME "index.piaa"
#define PIAA_INDEX_MAGIC "piaapack"
enum { PIAA_INDEX_VERSION = 1, PIAA_INDEX_BLOCK = 1 << 20 };
static const uint32_t PIAA_INDEX_ORDER = 0x01020304;

typedef enum piaa_index_section {
    PIAA_INDEX_META,
    PIAA_INDEX_SLOTS,
    PIAA_INDEX_BITS,
    PIAA_INDEX_SUMS,
    PIAA_INDEX_PHOTOS,
    PIAA_INDEX_TEXTS,
    PIAA_INDEX_BLOCKS,
    PIAA_INDEX_END, /* of the file */
    PIAA_INDEX_PLACES
} piaa_index_section;

typedef struct piaa_index_header {
    char magic[8];
    uint32_t order, version;
    uint32_t packing; /* piaa_packing */
    uint32_t slots;
    int64_t rows, photos, failed, partial, orphans, damaged; /* piaa_store_counts */
    int64_t at[PIAA_INDEX_PLACES];
    uint64_t blocks_sum; /* over the section */
    uint64_t sum;        /* over all before it */
} piaa_index_header;

typedef struct piaa_index_slot {
    char name[32]; /* "lt.15" */
    int64_t dim, filled;
    uint64_t scale_sum; /* over the matrix's scale file; 0 where it needs none */
} piaa_index_slot;

typedef struct piaa_index_photo {
    uint64_t texts; /* where they begin, the path first */
    uint64_t has;   /* bit i: of the four others the i-th is there */
    int64_t size, mtime_ns, ctime_ns, inode, row;
} piaa_index_photo;

/* An index that is mapped; start from {0}. */
typedef struct piaa_index {
    piaa_map map;
    const piaa_index_header *header;
    const char *meta;
    const piaa_index_slot *slots;
    const unsigned char *bits;
    const uint64_t *sums, *blocks;
    const piaa_index_photo *photos;
    const char *texts;
} piaa_index;

/* Checks the header and the sections' places, and nothing that takes longer. */
bool piaa_index_open(piaa_index *index, const char *path, piaa_error *error) PIAA_MUST_USE;
void piaa_index_close(piaa_index *index);
/* The same of what is mapped or in memory, at a multiple of 8 bytes; on success the index's, to
   close. */
bool piaa_index_read(piaa_index *index, piaa_map map, const char *where,
                     piaa_error *error) PIAA_MUST_USE;

/* "PATH is damaged (HOW): …"; returns false. */
bool piaa_index_damaged(const char *path, const char *how, piaa_error *error);

/* Past the end, or absent: path NULL, row -1.  Texts are the map's. */
piaa_photo piaa_index_photo_at(const piaa_index *index, int64_t at);
piaa_photo piaa_index_find(const piaa_index *index, const char *path);

/* The sums of the blocks of an index that is `size` bytes up to them; sums [piaa_index_blocks]. */
size_t piaa_index_blocks(int64_t size);
uint64_t piaa_index_block_sum(const unsigned char *index, int64_t size, size_t block);

#endif
