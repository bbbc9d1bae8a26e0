/* The feature store: a folder with catalog.sqlite and one <pool>.<layer>.npy per matrix,
 * append-only and resumable.
 *
 *     store = piaa_store_open_write("photos.piaa", &identity, &slots, hooks, error);
 *     for each photo file:
 *         // unchanged photos end here
 *         piaa_store_lookup(store, &file, &state, missing, error)
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

#include <sys/stat.h>

/* Opens for writing the slots asked for (a copy is taken), making the store if there is none:
 * `path` missing (its parent exists) or an empty folder.  Everything else that is not a store is
 * left as it is.  Slots that the store lacks are added; slots that it has and are not asked for
 * stay as they are, NaN for photos that are new.  Rows that are damaged or were lost are forgotten,
 * told to hooks->warn (hooks may be NULL), and come up as missing in lookup.  PIAA_MISMATCH:
 * another identity; PIAA_BUSY: another writer. */
piaa_store *piaa_store_open_write(const char *path, const piaa_identity *identity,
                                  const piaa_slots *slots, const piaa_hooks *hooks,
                                  piaa_error *error) PIAA_MUST_USE;
/* Whether the folder is a packed store (store_pack.c), which can only be read. */
bool piaa_store_is_packed(const char *folder);
/* What the store was made with; the strings are the store's. */
piaa_identity piaa_store_identity(const piaa_store *store);

/* -------------------------------------------------------------------------------------- writing */

typedef enum piaa_photo_status {
    PIAA_PHOTO_NEW,      /* this path is not in the store */
    PIAA_PHOTO_CHANGED,  /* it is, with another size, time or inode, or could not be read then */
    PIAA_PHOTO_PARTIAL,  /* it is, and lacks some of the slots asked for */
    PIAA_PHOTO_COMPLETE, /* it is, with all of them */
    PIAA_PHOTO_FAILED,   /* the same file failed before */
} piaa_photo_status;

typedef struct piaa_photo_state {
    piaa_photo_status status;
    int64_t row;       /* COMPLETE, PARTIAL, and FAILED where earlier slots succeeded; else -1 */
    char reason[1024]; /* FAILED: the error then */
    bool undated; /* of lookup: the store knows neither ctime nor inode of the file, and would like
                     to (piaa_store_date) */
    bool touched; /* of match: this path had this content before */
} piaa_photo_state;

/* path, size, mtime_ns, ctime_ns and inode of a file (the rest empty): what an unchanged photo has
 * in common with its line in the store.
 *
 * The kernel sets ctime with every change of the file and nobody can set it back, so it gives away
 * an edit that keeps size and date; the inode does so for a file that was put in place of another,
 * where a file system keeps whole seconds.  Both also change without an edit (chmod, another link,
 * a restored backup), and then the content tells: its hash, not the model. */
piaa_photo piaa_photo_of_file(const char *path, const struct stat *status);

/* What the store knows of a file (its path, size, times and inode; a ctime or an inode that is not
 * known, here or in the store, is not compared).  missing: one flag for each slot asked for (in the
 * order given to open), true where put must bring a vector; may be NULL. */
bool piaa_store_lookup(piaa_store *store, const piaa_photo *file, piaa_photo_state *state,
                       bool *missing, piaa_error *error) PIAA_MUST_USE;
/* Adds ctime and inode to photos that lookup called `undated`, in one transaction. */
bool piaa_store_date(piaa_store *store, const piaa_photo *files, size_t count,
                     piaa_error *error) PIAA_MUST_USE;
/* For a NEW or CHANGED photo whose hash the caller has computed: if the store holds the same
 * content, the photo is recorded with that row (COMPLETE or PARTIAL); else NEW and nothing is
 * recorded.  An inode that alone differed while the content did not is no sign of anything on that
 * file system (many network and FUSE ones number files anew with every mount): it is not kept, so
 * that this photo is not read again for it. */
bool piaa_store_match(piaa_store *store, const piaa_photo *photo, piaa_photo_state *state,
                      bool *missing, piaa_error *error) PIAA_MUST_USE;

/* The contents of which the store has all that is asked for, so that threads that read ahead, who
 * have no store, need not decode them: the first 64 bits of their hashes, ascending.  `items` is
 * the caller's, to free. */
typedef struct piaa_contents {
    uint64_t *items;
    size_t count, capacity;
} piaa_contents;

bool piaa_store_contents(piaa_store *store, piaa_contents *out, piaa_error *error) PIAA_MUST_USE;
uint64_t piaa_store_content(const char *hash);

/* Records a photo with its vectors: vectors[i] for the i-th slot asked for, NULL where lookup said
 * that it is not missing (one that is there already is not written again).  photo->row and
 * photo->error are not read; damage and note are marks of the content, which its copies share.
 * When it returns true the photo outlives a kill of this process; a power cut may lose the last
 * seconds. */
bool piaa_store_put(piaa_store *store, const piaa_photo *photo, const float *const *vectors,
                    piaa_error *error) PIAA_MUST_USE;
/* Records why a photo has no vectors (photo->hash may be NULL).  Vectors that an unchanged photo
 * has from before stay.  mtime_ns and ctime_ns 0 (and size 0, if that is not known either) stand
 * for a failure that may pass, such as a file that could not be read this time or memory that was
 * short: the next lookup calls the photo CHANGED. */
bool piaa_store_put_failure(piaa_store *store, const piaa_photo *photo, const char *reason,
                            piaa_error *error) PIAA_MUST_USE;
/* Makes all remembered failures such as may pass. */
bool piaa_store_retry(piaa_store *store, piaa_error *error) PIAA_MUST_USE;
/* Takes a photo's line out of the store; its row stays for copies, and for the day that it comes
   back. */
bool piaa_store_forget(piaa_store *store, const char *path, piaa_error *error) PIAA_MUST_USE;

/* Waits until the disk has everything, and makes all matrices equally long (NaN where a vector was
 * never asked for).  The store stays open. */
bool piaa_store_finish(piaa_store *store, piaa_error *error) PIAA_MUST_USE;

#endif
