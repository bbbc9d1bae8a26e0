/* From the names a user gives to the list of photos they mean, made once and carried through to the
 * result.
 *
 * A photo has two names: the path to which all links lead, by which stores and ratings know it, and
 * the name under which it was found, which is what people want to see (in a git-annex every photo
 * is a link, and what it leads to is called by a checksum). */
#ifndef PIAA_FEATURES_PHOTOS_H
#define PIAA_FEATURES_PHOTOS_H

#include "base/file.h"
#include "piaa.h"

struct piaa_photos {
    piaa_paths paths;   /* absolute, links followed; as collected in byte order, each once */
    piaa_paths names;   /* names.items[i]: paths.items[i] as it was found, absolute */
    piaa_paths beside;  /* paths that are read too, and not listed */
    piaa_paths folders; /* that were named, absolute, links followed */
    piaa_paths roots;   /* roots.items[i]: folders.items[i] as it was named, absolute */
    char passed[256];   /* of a walk, what was not taken: "4 videos, 1 other file"; else "" */
};

/* An empty list, and one more file for it by a name that is absolute, last. */
piaa_photos *piaa_photos_new(piaa_error *error) PIAA_MUST_USE;
bool piaa_photos_add(piaa_photos *photos, const char *name, piaa_error *error) PIAA_MUST_USE;

piaa_photos *piaa_photos_copy(const piaa_photos *photos, piaa_error *error) PIAA_MUST_USE;

/* Walks the folders that were named once more.  *out: the same photos in the same order, and behind
   them those that are not among them and that want() says yes to, by a path with all links
   followed; NULL: there is none.  Only files that are wanted are opened.  A folder that cannot be
   read just now (a disk that is not mounted) is left out. */
bool piaa_photos_look_again(const piaa_photos *photos, bool (*want)(void *user, const char *path),
                            void *user, piaa_photos **out, piaa_error *error) PIAA_MUST_USE;

/* Every path to read, listed or not, in byte order and each once: *count pointers to the list's own
   strings, to be freed by the caller. */
const char **piaa_photos_to_read(const piaa_photos *photos, size_t *count,
                                 piaa_error *error) PIAA_MUST_USE;

#endif
