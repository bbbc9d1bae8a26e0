/* The feature store: a folder with catalog.sqlite and one <pool>.<layer>.npy per matrix, append-only and resumable.
 *
 *     store = piaa_store_open_write("photos.piaa", &identity, &slots, hooks, error);
 *     for each photo file:
 *         piaa_store_lookup(store, path, size, mtime_ns, &state, missing, error)   // unchanged photos end here
 *         piaa_store_match(store, &photo, &state, missing, error)                  // with its hash: a copy of a photo that is there
 *         … the model makes the vectors that are missing …
 *         piaa_store_put(store, &photo, vectors, error)                            // or piaa_store_put_failure
 *     piaa_store_finish(store, error);
 *
 * One handle is used by one thread at a time; read-ahead threads need no store.  Put may come any time after lookup, in any order. */
#ifndef PIAA_FEATURES_STORE_H
#define PIAA_FEATURES_STORE_H

#include "features/catalog.h" /* piaa_photo */
#include "vlm/slots.h"

typedef struct piaa_store piaa_store;

/* What a store is made with; all strings, NULL counts as "".  A store takes photos only from a run in which fingerprint, prompt,
 * preprocessing and dtype are equal; model, family and library are kept as they were when the store was made. */
typedef struct piaa_identity {
    const char *fingerprint;   /* SHA-256 of the checkpoint in hexadecimal */
    const char *model;         /* as the user knows it */
    const char *family;        /* "Qwen3-VL" */
    const char *prompt;        /* the text itself */
    const char *preprocessing; /* one line, "at most 1003520 pixels, EXIF applied" */
    const char *dtype;         /* "f32", "bf16": never "auto" */
    const char *library;       /* piaa_version() */
} piaa_identity;

/* Opens for writing the slots asked for (a copy is taken), making the store if there is none: `path` missing (its parent exists) or an
 * empty folder.  Everything else that is not a store is left as it is.  Slots that the store lacks are added; slots that it has and are not
 * asked for stay as they are, NaN for photos that are new.  Rows that are damaged or were lost are forgotten, told to hooks->warn (hooks
 * may be NULL), and come up as missing in lookup.  PIAA_MISMATCH: another identity; PIAA_BUSY: another writer. */
piaa_store *piaa_store_open_write(const char *path, const piaa_identity *identity, const piaa_slots *slots, const piaa_hooks *hooks,
                                  piaa_error *error) PIAA_MUST_USE;
/* Opens for reading, also while another process writes and on read-only media: what is there now, as after piaa_store_refresh. */
piaa_store *piaa_store_open_read(const char *path, const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
/* Does what piaa_store_finish does, silently. */
void piaa_store_close(piaa_store *store);

/* ----------------------------------------------------------------------------------------------------------- writing */

typedef enum piaa_photo_status {
    PIAA_PHOTO_NEW,      /* this path is not in the store */
    PIAA_PHOTO_CHANGED,  /* it is, with another size or time */
    PIAA_PHOTO_PARTIAL,  /* it is, and lacks some of the slots asked for */
    PIAA_PHOTO_COMPLETE, /* it is, with all of them */
    PIAA_PHOTO_FAILED,   /* the same file failed before */
} piaa_photo_status;

typedef struct piaa_photo_state {
    piaa_photo_status status;
    int64_t row;       /* COMPLETE, PARTIAL, and FAILED where earlier slots succeeded; else -1 */
    char reason[1024]; /* FAILED: the error then */
} piaa_photo_state;

/* What the store knows of a file.  missing: one flag for each slot asked for (in the order given to open), true where put must bring a
 * vector; may be NULL. */
bool piaa_store_lookup(piaa_store *store, const char *path, int64_t size, int64_t mtime_ns, piaa_photo_state *state, bool *missing,
                       piaa_error *error) PIAA_MUST_USE;
/* For a NEW or CHANGED photo whose hash the caller has computed: if the store holds the same content, the photo is recorded with that row
 * (COMPLETE or PARTIAL); else NEW and nothing is recorded. */
bool piaa_store_match(piaa_store *store, const piaa_photo *photo, piaa_photo_state *state, bool *missing, piaa_error *error) PIAA_MUST_USE;

/* Records a photo with its vectors: vectors[i] for the i-th slot asked for, NULL where lookup said that it is not missing (one that is
 * there already is not written again).  photo->row and photo->error are not read.  When it returns true the photo outlives a kill of this
 * process; a power cut may lose the last seconds. */
bool piaa_store_put(piaa_store *store, const piaa_photo *photo, const float *const *vectors, piaa_error *error) PIAA_MUST_USE;
/* Records why a photo has no vectors (photo->hash may be NULL).  Vectors that an unchanged photo has from before stay.  mtime_ns 0 (and
 * size 0, if that is not known either) stands for a file that could not be read this time: the next lookup calls it CHANGED. */
bool piaa_store_put_failure(piaa_store *store, const piaa_photo *photo, const char *reason, piaa_error *error) PIAA_MUST_USE;

/* Waits until the disk has everything, and makes all matrices equally long (NaN where a vector was never asked for).  The store stays open.
 */
bool piaa_store_finish(piaa_store *store, piaa_error *error) PIAA_MUST_USE;

/* ----------------------------------------------------------------------------------------------------------- reading */

/* Takes a new look at the catalogue and the matrices.  A store opened for writing shows nothing below before its first refresh.  Pointers
 * from the functions below last until the next refresh or close. */
bool piaa_store_refresh(piaa_store *store, piaa_error *error) PIAA_MUST_USE;

typedef struct piaa_store_counts {
    int64_t photos;  /* lines in the catalogue */
    int64_t failed;  /* of them without a row */
    int64_t partial; /* of them with a row and an error for a later slot */
    int64_t rows;    /* of the matrices */
    int64_t orphans; /* rows that no photo uses any more */
} piaa_store_counts;

const char *piaa_store_path(const piaa_store *store);
/* "fingerprint", "model", "family", "prompt", "preprocessing", "dtype", "library"; NULL for other keys. */
const char *piaa_store_meta(const piaa_store *store, const char *key);
/* All matrices, in the order in which they were added; `slot` below is an index into this list. */
const piaa_slots *piaa_store_slots(const piaa_store *store);
int piaa_store_find_slot(const piaa_store *store, piaa_pool pool, int layer); /* -1 if absent */
piaa_store_counts piaa_store_count(const piaa_store *store);
int64_t piaa_store_filled(const piaa_store *store, int slot); /* rows of this slot that hold a vector */

/* Photos in byte order of their paths. */
size_t piaa_store_photos(const piaa_store *store);
const piaa_photo *piaa_store_photo(const piaa_store *store, size_t index);
const piaa_photo *piaa_store_find(const piaa_store *store, const char *path); /* NULL if absent */

/* The slot's vector in a row (`dim` floats), NULL where there is none (row -1 too).  Mapped, not read, until it is touched. */
const float *piaa_store_vector(const piaa_store *store, int slot, int64_t row);
/* The whole matrix [rows, dim]; rows for which piaa_store_vector gives NULL hold NaN or nothing meaningful.  NULL if it has no rows yet. */
const float *piaa_store_matrix(const piaa_store *store, int slot, int64_t *rows);

#endif
