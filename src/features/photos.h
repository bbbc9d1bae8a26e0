/* From the names a user gives to the list of photos they mean, made once and carried through to the
 * result.
 *
 * A photo has two names: the path to which all links lead, by which stores and ratings know it, and
 * the name under which it was found, which is what people want to see (in a git-annex every photo
 * is a link, and what it leads to is called by a checksum). */
#ifndef PIAA_FEATURES_PHOTOS_H
#define PIAA_FEATURES_PHOTOS_H

#include "base/file.h"

/* Start from {0}. */
typedef struct piaa_photos {
    piaa_paths paths; /* absolute, links followed; in byte order, each once */
    piaa_paths names; /* names.items[i]: paths.items[i] as it was found, absolute */
    char passed[256]; /* of a walk, what was not taken: "4 videos, 1 other file"; else "" */
} piaa_photos;

/* Files as they are; folders all the way down, those files whose name or, where that says nothing,
 * content is a photo's, without hidden ones and what systems and programs keep in folders of their
 * own (trash, thumbnails).  A photo that was found several times has the name without a link if
 * there is one, else the first in byte order.  A name that does not exist is an error; so is
 * finding no photo at all. */
bool piaa_photos_collect(const char *const *names, size_t count, const piaa_hooks *hooks,
                         piaa_photos *out, piaa_error *error) PIAA_MUST_USE;
/* Adds one file by a name that is absolute, last. */
bool piaa_photos_add(piaa_photos *photos, const char *name, piaa_error *error) PIAA_MUST_USE;
void piaa_photos_free(piaa_photos *photos);

#endif
