/*
 * A file's bytes with some stretches replaced: how files that are somebody else's are changed.
 *
 *     piaa_patch patch = {0};
 *     piaa_patch_replace(&patch, old, at, length, bytes, size, &error);  // as often as need be
 *     piaa_patch_apply(&patch, old, old_size, &new, &error);
 *
 * What leads back is a patch too, and as small.
 */
#ifndef PIAA_BASE_PATCH_H
#define PIAA_BASE_PATCH_H

#include "base/memory.h"

typedef struct piaa_splice {
    size_t at, length; /* of the old bytes: what goes */
    size_t from, size; /* of the patch's bytes: what comes in its place */
} piaa_splice;

/* Start from {0}; end with piaa_patch_free. */
typedef struct piaa_patch {
    piaa_splice *items; /* by rising place, none over another */
    size_t count, capacity;
    piaa_text bytes;
} piaa_patch;

/* Puts `size` bytes in place of `length` at `at`; of length 0 between two bytes.  PIAA_FORMAT where
   another splice lies there. */
bool piaa_patch_add(piaa_patch *patch, size_t at, size_t length, const void *bytes, size_t size,
                    piaa_error *error) PIAA_MUST_USE;
/* The same without what is as it was at either end: nothing where nothing changes. */
bool piaa_patch_replace(piaa_patch *patch, const void *old, size_t at, size_t length,
                        const void *bytes, size_t size, piaa_error *error) PIAA_MUST_USE;
void piaa_patch_free(piaa_patch *patch);

/* Appends what the old bytes become.  PIAA_FORMAT where the patch reaches beyond them. */
bool piaa_patch_apply(const piaa_patch *patch, const void *old, size_t size, piaa_text *out,
                      piaa_error *error) PIAA_MUST_USE;
/* Into `back`, from {0}, what makes the old bytes of the new ones. */
bool piaa_patch_reverse(const piaa_patch *patch, const void *old, piaa_patch *back,
                        piaa_error *error) PIAA_MUST_USE;

#endif
