/*
 * Photos in, their vectors kept: an extractor and a store of its features.
 *
 * The store is a folder that the user names, or one of the user's cache.  There it is called by a
 * hash of what the features depend on (features/identity.h), so that each combination of model,
 * prompt and settings has its own, which the next run finds again.
 */
#ifndef PIAA_FEATURES_READER_H
#define PIAA_FEATURES_READER_H

#include "features/embed.h"

/* piaa_reader_read of paths [count] that are absolute, each once: of a data set's images. */
bool piaa_reader_read_paths(piaa_reader *reader, const char *const *paths, size_t count,
                            const piaa_hooks *hooks, piaa_embed_summary *summary,
                            piaa_error *error) PIAA_MUST_USE;

#endif
