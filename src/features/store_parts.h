/* What the files of the store share: store.c opens and closes, store_batch.c makes durable,
 * store_meta.c knows what it is, store_mend.c repairs, store_write.c records photos, store_read.c
 * looks, store_pack.c packs and store_packed.c looks at what was packed. */
#ifndef PIAA_FEATURES_STORE_PARTS_H
#define PIAA_FEATURES_STORE_PARTS_H

#include "base/file.h"
#include "features/matrix.h"
#include "features/packed_index.h"
#include "features/store.h"

typedef struct piaa_meta_line {
    char *key, *value;
} piaa_meta_line;

/* A matrix as a reader sees it. */
typedef struct piaa_view {
    piaa_map map;
    const float *data; /* NULL where it is not in float32 */
    int64_t rows;
    const void *packed; /* of a packed store: what data would be, in its own type */
    piaa_map scale;     /* int8: the file with the columns' centres and steps */
    const float *centre, *step;
} piaa_view;

struct piaa_store {
    char *folder;
    bool writing;
    bool lean; /* read without photos in memory: piaa_store_cursor has them */
    piaa_hooks hooks;
    piaa_catalog *catalog; /* of a writer; a reader opens it for the moment of a refresh */

    piaa_meta_line *meta;
    size_t meta_count, meta_capacity;
    piaa_slots slots; /* all of them; the index is the bit in piaa_catalog_row.slots */
    size_t slots_capacity;
    int64_t durable; /* the last batch that the disk is known to have */

    /* Writing. */
    int lock;
    piaa_matrix *matrices; /* one for each slot */
    int *asked;            /* indices into slots, in the order that the caller asked for */
    size_t asked_count;
    int64_t rows;  /* in the catalogue */
    int64_t batch; /* that new rows are counted in: durable + 1, once mended */
    bool ready;    /* opened all the way */
    bool unsynced, sync_failed;
    double synced_at, sync_cost; /* seconds */

    /* Reading: what the last refresh saw. */
    piaa_packing packing; /* of a packed store, whose index stands in place of these: */
    piaa_index index;
    piaa_photo *photos;
    size_t photo_count, photo_capacity;
    unsigned char *have; /* [seen_rows][stride] bits */
    uint64_t *sums;      /* [seen_rows]: what the catalogue has for checksums */
    /* And of either: */
    size_t stride;
    int64_t seen_rows;
    piaa_view *views; /* one for each slot */
    size_t view_count;
    int64_t *filled;
    piaa_store_counts counts;
};

static inline bool piaa_bit(const unsigned char *bits, int at) {
    return bits[at / 8] >> (at % 8) & 1;
}

/* store_batch.c */
char *piaa_store_matrix_path(const piaa_store *store, int slot, piaa_error *error) PIAA_MUST_USE;
/* Makes everything durable, now or if it is time. */
bool piaa_store_sync(piaa_store *store, piaa_error *error) PIAA_MUST_USE;
bool piaa_store_sync_if_due(piaa_store *store, piaa_error *error) PIAA_MUST_USE;

/* store_meta.c: the catalogue's tables meta and slots. */
#define PIAA_DURABLE_KEY "durable_batch"
bool piaa_store_load_meta(piaa_store *store, piaa_catalog *catalog,
                          piaa_error *error) PIAA_MUST_USE;
bool piaa_store_load_slots(piaa_store *store, piaa_catalog *catalog,
                           piaa_error *error) PIAA_MUST_USE;
bool piaa_store_append_meta(piaa_store *store, const char *key, const char *value,
                            piaa_error *error) PIAA_MUST_USE;
/* Not in the catalogue. */
bool piaa_store_append_slot(piaa_store *store, piaa_slot slot, piaa_error *error) PIAA_MUST_USE;
/* Whole, and as it would be written; the dim is 0. */
bool piaa_store_parse_slot(const char *name, piaa_slot *out);
bool piaa_store_write_identity(piaa_store *store, const piaa_identity *identity,
                               piaa_error *error) PIAA_MUST_USE;
bool piaa_store_check_identity(const piaa_store *store, const piaa_identity *identity,
                               piaa_error *error) PIAA_MUST_USE;
bool piaa_store_complete_identity(piaa_store *store, const piaa_identity *identity,
                                  piaa_error *error) PIAA_MUST_USE;
void piaa_store_forget_meta(piaa_store *store);

/* store_mend.c */
/* The sum over one vector that vectors.checksum adds up (by exclusive or) over a row's slots. */
uint64_t piaa_store_sum(int slot, const float *vector, int dim);
uint64_t piaa_store_sum_bytes(int slot, const void *bytes, size_t size);
/* Takes promises off the catalogue that the matrices do not keep, and sets the batch for new
   rows. */
bool piaa_store_mend(piaa_store *store, piaa_error *error) PIAA_MUST_USE;
/* To hooks->warn: vectors that the catalogue promises and the files do not hold; rows that a power
   cut spoilt. */
void piaa_store_warn_lost(const piaa_store *store, int slot, int64_t count);
void piaa_store_warn_unsure(const piaa_store *store, int64_t count);

/* store.c */
/* Opens for reading without a list of the photos in memory: of them counts and functions know
   nothing but how many there are. */
piaa_store *piaa_store_open_lean(const char *path, const piaa_hooks *hooks,
                                 piaa_error *error) PIAA_MUST_USE;

/* store_cursor.c */
/* Photos one after the other, in byte order of their paths.  Start from {0}. */
typedef struct piaa_store_cursor {
    piaa_photo photo; /* the one at hand, until the next step; path NULL: there are no more */
    const piaa_store *store;
    piaa_catalog *catalog;
    struct piaa_cursor_page {
        piaa_photo *items; /* each with its texts in one block, as piaa_photo_copy makes it */
        size_t count, next;
        char *last; /* path of the last one that was read; NULL: none */
        bool over;
    } pages[2]; /* paths that are UTF-8, and others, which the catalogue keeps apart */
} piaa_store_cursor;

/* At the first photo.  The store was opened lean and outlives it. */
bool piaa_store_cursor_open(piaa_store_cursor *cursor, const piaa_store *store,
                            piaa_error *error) PIAA_MUST_USE;
bool piaa_store_cursor_step(piaa_store_cursor *cursor, piaa_error *error) PIAA_MUST_USE;
void piaa_store_cursor_close(piaa_store_cursor *cursor);

/* A copy whose texts live in one block, which begins with the path: free((void *)photo.path). */
bool piaa_photo_copy(const piaa_photo *from, piaa_photo *to, piaa_error *error) PIAA_MUST_USE;

/* store_packed.c */
bool piaa_store_look_packed(piaa_store *store, piaa_error *error) PIAA_MUST_USE;
const float *piaa_store_widen(const piaa_store *store, int slot, int64_t row, float *room);
/* The sum over what stands in a row in all matrices, as `sums` of the index has it. */
uint64_t piaa_store_packed_sum(const piaa_store *store, int64_t row);
/* PIAA_FORMAT where the index, or a scale, is not what was written; rows are not looked at. */
bool piaa_store_check_index(const piaa_store *store, piaa_error *error) PIAA_MUST_USE;
/* PIAA_USAGE where the folder is a packed store. */
bool piaa_store_refuse_packed(const char *folder, piaa_error *error) PIAA_MUST_USE;
/* Bytes of a value, and NumPy's name for it. */
size_t piaa_packing_width(piaa_packing packing);
const char *piaa_packing_type(piaa_packing packing);

/* store_read.c */
/* Of all matrices: rows that were read and are not needed soon are no longer this process's memory,
   however many were mapped. */
void piaa_store_let_go(const piaa_store *store, int64_t first, int64_t end);
/* How many rows are read before that is worth a call. */
enum { PIAA_STORE_SPAN = 1 << 12 };

/* store_verify.c */
/* Whether a row of the last refresh holds what was written into it. */
bool piaa_store_row_is_whole(const piaa_store *store, int64_t row);

/* store_read.c */
void piaa_store_forget_view(piaa_store *store);

#endif
