/* Where pulled models are, and finding them by name.
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
#ifndef PIAA_HUB_PULLED_H
#define PIAA_HUB_PULLED_H

#include "hub/hub.h"

/* The path to give to piaa_checkpoint_open: `text` itself if a file or folder of that name exists
 * or it names two files, else the folder of the pulled model that it names (short name or
 * OWNER/NAME, with @REVISION, :QUANT or both), ours or in the Hugging Face cache; allocated.
 * PIAA_IO, with the command that would fetch it, where there is none.  Never asks the network. */
char *piaa_model_locate(const char *text, piaa_error *error) PIAA_MUST_USE;

/* piaa_pulled_list_read, _free, _count, _at and piaa_pulled_remove are in piaa.h. */

void piaa_pulled_clear(piaa_pulled *pulled); /* frees what it holds */

/* ---- for the pull itself */

/* A version is the name of a folder: COMMIT or COMMIT-LABEL. */
enum { PIAA_PULLED_VERSION = 41 + PIAA_GGUF_LABEL };
bool piaa_pulled_is_version(const char *text);

/* .../OWNER--NAME; need not exist. */
char *piaa_pulled_home(const piaa_hub_name *name, piaa_error *error) PIAA_MUST_USE;
/* The Hugging Face cache's. */
char *piaa_pulled_snapshot(const piaa_hub_name *name, const char *commit,
                           piaa_error *error) PIAA_MUST_USE;
/* Where Hugging Face's tools keep a token; need not exist. */
char *piaa_pulled_token_file(piaa_error *error) PIAA_MUST_USE;

/* Makes the home and locks it; a descriptor for piaa_pulled_unlock, or -1 (PIAA_BUSY: somebody else
   holds it). */
int piaa_pulled_lock(const char *home, const piaa_hub_name *name, piaa_error *error) PIAA_MUST_USE;
void piaa_pulled_unlock(int lock);

/* Writes refs; label "": none. */
bool piaa_pulled_note(const char *home, const char *revision, const char *label,
                      const char *version, piaa_error *error) PIAA_MUST_USE;

#endif
