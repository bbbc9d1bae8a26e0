/* The feature store: a folder with catalog.sqlite and one <pool>.<layer>.npy per matrix,
 * append-only and resumable.
 *
 *     store = piaa_store_open_write("photos.piaa", &identity, &slots, hooks, error);
 *     for each photo file:
 *         // unchanged photos end here
 *         piaa_store_lookup(store, path, size, mtime_ns, &state, missing, error)
 *         // with its hash: a copy of a photo that is there
 *         piaa_store_match(store, &photo, &state, missing, error)
 *         … the model makes the vectors that are missing …
 *         piaa_store_put(store, &photo, vectors, error) // or piaa_store_put_failure
 *     piaa_store_finish(store, error);
 *
 * One handle is used by one thread at a time; read-ahead threads need no store.  Put may come any
 * time after lookup, in any order. */
#ifndef PIAA_FEATURES_STORE_H
#define PIAA_FEATURES_STORE_H

#include "features/catalog.h" /* piaa_photo */
#include "vlm/slots.h"

/* Opens for writing the slots asked for (a copy is taken), making the store if there is none:
 * `path` missing (its parent exists) or an empty folder.  Everything else that is not a store is
 * left as it is.  Slots that the store lacks are added; slots that it has and are not asked for
 * stay as they are, NaN for photos that are new.  Rows that are damaged or were lost are forgotten,
 * told to hooks->warn (hooks may be NULL), and come up as missing in lookup.  PIAA_MISMATCH:
 * another identity; PIAA_BUSY: another writer. */
piaa_store *piaa_store_open_write(const char *path, const piaa_identity *identity,
                                  const piaa_slots *slots, const piaa_hooks *hooks,
                                  piaa_error *error) PIAA_MUST_USE;
/* -------------------------------------------------------------------------------------- writing */

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

/* What the store knows of a file.  missing: one flag for each slot asked for (in the order given to
 * open), true where put must bring a vector; may be NULL. */
bool piaa_store_lookup(piaa_store *store, const char *path, int64_t size, int64_t mtime_ns,
                       piaa_photo_state *state, bool *missing, piaa_error *error) PIAA_MUST_USE;
/* For a NEW or CHANGED photo whose hash the caller has computed: if the store holds the same
 * content, the photo is recorded with that row (COMPLETE or PARTIAL); else NEW and nothing is
 * recorded. */
bool piaa_store_match(piaa_store *store, const piaa_photo *photo, piaa_photo_state *state,
                      bool *missing, piaa_error *error) PIAA_MUST_USE;

/* Records a photo with its vectors: vectors[i] for the i-th slot asked for, NULL where lookup said
 * that it is not missing (one that is there already is not written again).  photo->row and
 * photo->error are not read.  When it returns true the photo outlives a kill of this process; a
 * power cut may lose the last seconds. */
bool piaa_store_put(piaa_store *store, const piaa_photo *photo, const float *const *vectors,
                    piaa_error *error) PIAA_MUST_USE;
/* Records why a photo has no vectors (photo->hash may be NULL).  Vectors that an unchanged photo
 * has from before stay.  mtime_ns 0 (and size 0, if that is not known either) stands for a file
 * that could not be read this time: the next lookup calls it CHANGED. */
bool piaa_store_put_failure(piaa_store *store, const piaa_photo *photo, const char *reason,
                            piaa_error *error) PIAA_MUST_USE;

/* Waits until the disk has everything, and makes all matrices equally long (NaN where a vector was
 * never asked for).  The store stays open.
 */
bool piaa_store_finish(piaa_store *store, piaa_error *error) PIAA_MUST_USE;

#endif
