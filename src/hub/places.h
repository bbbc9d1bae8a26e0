/* Where pulled models lie: places, refs, and the lock.
 *
 *     $XDG_CACHE_HOME/piaa/models/OWNER--NAME/     (~/.cache/piaa/models/...)
 *         refs             a line "REVISION COMMIT" or "REVISION:LABEL COMMIT-LABEL" for each model
 *                          that is there whole
 *         lock             held while a pull writes
 *         COMMIT/          the files; FILE.part is one that has not come whole
 *         COMMIT-LABEL/    two GGUF files, the label as in gguf_choice.h
 *
 * The cache that Hugging Face's own tools keep (HF_HUB_CACHE, HF_HOME/hub,
 * ~/.cache/huggingface/hub) is read too, and never written. */
#ifndef PIAA_HUB_PLACES_H
#define PIAA_HUB_PLACES_H

#include "hub/hub.h"

/* A version is the name of a folder: COMMIT or COMMIT-LABEL. */
enum { PIAA_PULLED_VERSION = 41 + PIAA_GGUF_LABEL };
bool piaa_pulled_is_version(const char *text);
/* Of a version; "": none. */
const char *piaa_version_label(const char *version);
/* How well a label answers what was asked for: 0 best, -1 not at all. */
int piaa_label_answers(const char *label, const char *quant);

/* .../OWNER--NAME; need not exist. */
char *piaa_pulled_home(const piaa_hub_name *name, piaa_error *error) PIAA_MUST_USE;
/* The Hugging Face cache's. */
char *piaa_pulled_snapshot(const piaa_hub_name *name, const char *commit,
                           piaa_error *error) PIAA_MUST_USE;
/* Where Hugging Face's tools keep a token; need not exist. */
char *piaa_pulled_token_file(piaa_error *error) PIAA_MUST_USE;

/* Where piaa's own are; need not exist. */
char *piaa_pulled_root(piaa_error *error) PIAA_MUST_USE;
/* Where the Hugging Face cache is; need not exist. */
char *piaa_shared_root(piaa_error *error) PIAA_MUST_USE;

/* Makes the home and locks it; a descriptor for piaa_pulled_unlock, or -1 (PIAA_BUSY: somebody else
   holds it). */
int piaa_pulled_lock(const char *home, const piaa_hub_name *name, piaa_error *error) PIAA_MUST_USE;
void piaa_pulled_unlock(int lock);

/* Writes refs; label "": none. */
bool piaa_pulled_note(const char *home, const char *revision, const char *label,
                      const char *version, piaa_error *error) PIAA_MUST_USE;

/* A line of refs. */
typedef struct piaa_ref {
    char *revision, *label, *version; /* label "": none */
} piaa_ref;

/* The file's text, "" where there is none; allocated. */
char *piaa_refs_read(const char *home, piaa_error *error) PIAA_MUST_USE;
/* The next line of *text, which is cut up; false at the end.  Lines that are none are passed
   over. */
bool piaa_refs_next(char **text, piaa_ref *out);
/* Drops the lines for which drop(line, what) is true and adds one (which may be NULL). */
bool piaa_refs_change(const char *home, bool (*drop)(const piaa_ref *line, const piaa_ref *what),
                      const piaa_ref *what, const piaa_ref *added, piaa_error *error) PIAA_MUST_USE;
/* The version that a revision (NULL: any) is at in `home`, of several labels the best, of equals
 * the one pulled last; "" if it is not there. */
bool piaa_refs_find(const char *home, const char *revision, const char *quant,
                    char version[PIAA_PULLED_VERSION], piaa_error *error) PIAA_MUST_USE;

#endif
