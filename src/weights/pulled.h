/* Where pulled models are, and finding them by name.
 *
 *     $XDG_CACHE_HOME/piaa/models/OWNER--NAME/     (~/.cache/piaa/models/...)
 *         refs             a line "REVISION COMMIT" for each revision that is there whole
 *         lock             held while a pull writes
 *         COMMIT/          the files; FILE.part is one that has not come whole
 *
 * The cache that Hugging Face's own tools keep (HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub) is read too, and never written. */
#ifndef PIAA_WEIGHTS_PULLED_H
#define PIAA_WEIGHTS_PULLED_H

#include "weights/hub.h"

/* The path to give to piaa_checkpoint_open: `text` itself if a file or folder of that name exists or it names two files, else the folder of
 * the pulled model that it names (short name or OWNER/NAME, either with @REVISION), ours or in the Hugging Face cache; allocated.  PIAA_IO,
 * with the command that would fetch it, where there is none.  Never asks the network. */
char *piaa_model_locate(const char *text, piaa_error *error) PIAA_MUST_USE;

typedef struct piaa_pulled {
    char *name;     /* "Qwen/Qwen3-VL-4B-Instruct" */
    char *revision; /* "main"; "" where no pull was ended */
    char *folder;
    char commit[41];
    int64_t bytes;
    bool complete;
    bool shared; /* in the Hugging Face cache */
} piaa_pulled;

typedef struct piaa_pulled_list {
    piaa_pulled *items; /* by name and revision */
    size_t count, capacity;
} piaa_pulled_list;

/* Both caches; start from {0}. */
bool piaa_pulled_list_read(piaa_pulled_list *list, piaa_error *error) PIAA_MUST_USE;
void piaa_pulled_list_free(piaa_pulled_list *list);

/* Deletes every revision of a model, and what an unfinished pull left; *bytes: how much that was.  PIAA_USAGE where it was not pulled by
 * us, PIAA_BUSY while a pull of it is under way. */
bool piaa_pulled_remove(const char *name, int64_t *bytes, piaa_error *error) PIAA_MUST_USE;

/* ---- for the pull itself */

char *piaa_pulled_home(const piaa_hub_name *name, piaa_error *error) PIAA_MUST_USE; /* .../OWNER--NAME; need not exist */
char *piaa_pulled_snapshot(const piaa_hub_name *name, const char *commit, piaa_error *error) PIAA_MUST_USE; /* the Hugging Face cache's */
char *piaa_pulled_token_file(piaa_error *error) PIAA_MUST_USE; /* where Hugging Face's tools keep a token; need not exist */

/* Makes the home and locks it; a descriptor for piaa_pulled_unlock, or -1 (PIAA_BUSY: somebody else holds it). */
int piaa_pulled_lock(const char *home, const piaa_hub_name *name, piaa_error *error) PIAA_MUST_USE;
void piaa_pulled_unlock(int lock);

bool piaa_pulled_note(const char *home, const char *revision, const char *commit, piaa_error *error) PIAA_MUST_USE; /* writes refs */

#endif
