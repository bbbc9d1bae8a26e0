/* Folders of photos into a store: only what is new, changed or missing goes through the model, and
 * the next photos are decoded meanwhile. */
#ifndef PIAA_FEATURES_EMBED_H
#define PIAA_FEATURES_EMBED_H

#include "base/file.h"
#include "features/extractor.h"
#include "features/photos.h"

/* Brings every photo of paths [count] (absolute, each once) up to date in the store, which was
 * opened with this extractor's identity and slots.  A photo that cannot be read is a warning and a
 * line in the store.  false: the run could not go on (full disk, out of memory for the weights,
 * stopped); what was done is kept, and the same call goes on from there.  `summary` may be NULL and
 * is filled in either case. */
bool piaa_embed_paths(piaa_store *store, piaa_extractor *extractor, const char *const *paths,
                      size_t count, const piaa_hooks *hooks, piaa_embed_summary *summary,
                      piaa_error *error) PIAA_MUST_USE;

#endif
