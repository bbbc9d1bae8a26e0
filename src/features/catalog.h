/* The store's catalogue: one SQLite file.  Statements and rows only; what they mean is store.c's
 * affair.
 *
 *   meta     key, value            what the store was made with
 *   slots    slot, name, dim       the matrices; `slot` is a bit in vectors.slots
 *   vectors  row, hash, slots, checksum, batch, damage, note
 *            one line for each matrix row: the photo's content, which matrices hold a vector in
 *            that row, and a sum over those vectors (see store.c); what of the content could not be
 *            read, and how it was read where that is not plain
 *   photos   path, size, mtime_ns, hash, row, error, ctime_ns, inode
 *            one line for each photo: its row, or the error that kept it out; both where a later
 *            slot failed.  A path that is not UTF-8 is a blob of its bytes.
 *
 * Columns that came later (damage, note, ctime_ns, inode) may be NULL, and the first versions know
 * nothing of them: they read such a store and write to it, and a writer adds them to an old one. */
#ifndef PIAA_FEATURES_CATALOG_H
#define PIAA_FEATURES_CATALOG_H

#include "base/error.h"

typedef struct piaa_catalog piaa_catalog;

enum { PIAA_SLOTS_MOST = 1024, PIAA_SLOT_BYTES = PIAA_SLOTS_MOST / 8 };

typedef struct piaa_catalog_row {
    int64_t row;
    unsigned char slots[PIAA_SLOT_BYTES]; /* bit i: slot i holds a vector */
    uint64_t checksum;
    int64_t batch;
} piaa_catalog_row;

/* True for a folder's file names that the catalogue may leave in it. */
bool piaa_catalog_owns(const char *name);

/* Opens FOLDER/catalog.sqlite; to write, it is made where there is none or an empty one (*made: a
 * transaction is open, in which the caller fills in meta).  To read, works in a folder that cannot
 * be written in. */
piaa_catalog *piaa_catalog_open(const char *folder, bool write, bool *made,
                                piaa_error *error) PIAA_MUST_USE;
/* To write: puts the file back into one piece, readable from read-only media. */
void piaa_catalog_close(piaa_catalog *catalog);

/* A transaction: all of it or nothing.  durable: the commit waits until the disk has it and
   everything committed before. */
bool piaa_catalog_begin(piaa_catalog *catalog, bool durable, piaa_error *error) PIAA_MUST_USE;
bool piaa_catalog_commit(piaa_catalog *catalog, piaa_error *error) PIAA_MUST_USE;
void piaa_catalog_rollback(piaa_catalog *catalog);

bool piaa_catalog_set_meta(piaa_catalog *catalog, const char *key, const char *value,
                           piaa_error *error) PIAA_MUST_USE;
bool piaa_catalog_add_slot(piaa_catalog *catalog, int slot, const char *name, int dim,
                           piaa_error *error) PIAA_MUST_USE;
/* insert: a new row with this content. */
bool piaa_catalog_insert_row(piaa_catalog *catalog, const piaa_catalog_row *row, const char *hash,
                             int slots, piaa_error *error) PIAA_MUST_USE;
bool piaa_catalog_update_row(piaa_catalog *catalog, const piaa_catalog_row *row, int slots,
                             piaa_error *error) PIAA_MUST_USE;
/* What is known of the content of a row (NULL: nothing). */
bool piaa_catalog_set_marks(piaa_catalog *catalog, int64_t row, const char *damage,
                            const char *note, piaa_error *error) PIAA_MUST_USE;
/* The whole line of a photo, but for what belongs to its row. */
bool piaa_catalog_set_photo(piaa_catalog *catalog, const piaa_photo *photo,
                            piaa_error *error) PIAA_MUST_USE;
/* Of a photo that is there: its ctime and inode alone. */
bool piaa_catalog_set_times(piaa_catalog *catalog, const piaa_photo *photo,
                            piaa_error *error) PIAA_MUST_USE;
/* Makes every line with an error one of a failure that passes (see piaa_store_put_failure). */
bool piaa_catalog_retry(piaa_catalog *catalog, piaa_error *error) PIAA_MUST_USE;
/* Takes every photo and every slot away. */
bool piaa_catalog_clear(piaa_catalog *catalog, piaa_error *error) PIAA_MUST_USE;
bool piaa_catalog_forget_photo(piaa_catalog *catalog, const char *path,
                               piaa_error *error) PIAA_MUST_USE;

/* 1 found, 0 not there, -1 an error.  A found photo's texts last until release, which is due soon:
 * until then the log of changes cannot be begun anew. */
void piaa_catalog_release(piaa_catalog *catalog);
int piaa_catalog_find_photo(piaa_catalog *catalog, const char *path, piaa_photo *out,
                            piaa_error *error);
int piaa_catalog_find_row(piaa_catalog *catalog, int64_t row, piaa_catalog_row *out,
                          piaa_error *error);
int piaa_catalog_find_hash(piaa_catalog *catalog, const char *hash, piaa_catalog_row *out,
                           piaa_error *error);

/* How many rows there are (numbered from 0 without gaps: checked), and how many lines in photos. */
bool piaa_catalog_count(piaa_catalog *catalog, int64_t *rows, int64_t *photos,
                        piaa_error *error) PIAA_MUST_USE;

/* Calls `each` for every line; false from it ends the walk and is returned. */
bool piaa_catalog_each_meta(piaa_catalog *catalog,
                            bool (*each)(void *user, const char *key, const char *value,
                                         piaa_error *error),
                            void *user, piaa_error *error) PIAA_MUST_USE;
bool piaa_catalog_each_slot(piaa_catalog *catalog,
                            bool (*each)(void *user, int slot, const char *name, int dim,
                                         piaa_error *error),
                            void *user, piaa_error *error) PIAA_MUST_USE;
/* Rows from `first` on, or written in a batch after `batch`; in order. */
bool piaa_catalog_each_row(piaa_catalog *catalog, int64_t first, int64_t batch,
                           bool (*each)(void *user, const piaa_catalog_row *row, piaa_error *error),
                           void *user, piaa_error *error) PIAA_MUST_USE;
/* Rows with the hash of what is in them, by hash. */
bool piaa_catalog_each_content(piaa_catalog *catalog,
                               bool (*each)(void *user, const char *hash,
                                            const piaa_catalog_row *row, piaa_error *error),
                               void *user, piaa_error *error) PIAA_MUST_USE;
bool piaa_catalog_each_photo(piaa_catalog *catalog,
                             bool (*each)(void *user, const piaa_photo *photo, piaa_error *error),
                             void *user, piaa_error *error) PIAA_MUST_USE;
/* At most `most` photos whose paths come after this one ("": from the first on) in byte order: of
   those that are UTF-8, or (blobs) of those that are not. */
bool piaa_catalog_photos_after(piaa_catalog *catalog, const char *after, bool blobs, int most,
                               bool (*each)(void *user, const piaa_photo *photo, piaa_error *error),
                               void *user, piaa_error *error) PIAA_MUST_USE;

/* "FOLDER/catalog.sqlite is damaged: …"; returns false. */
bool piaa_catalog_damaged(const piaa_catalog *catalog, piaa_error *error);

#endif
