/* Ratings that are already there: the stars that photo programs keep in photos and beside them. */
#ifndef PIAA_DATA_PHOTO_RATINGS_H
#define PIAA_DATA_PHOTO_RATINGS_H

#include "base/error.h"

typedef struct piaa_stars_found {
    size_t rated;    /* photos, rejected ones among them */
    size_t rejected; /* by -1 */
    size_t unrated;  /* by 0, or by saying nothing */
} piaa_stars_found;

/* Reads the stars of each photo: those of the sidecar IMG.CR2.xmp, else of the sidecar IMG.xmp,
 * else of the XMP packet inside the photo, whichever says xmp:Rating first; a 0 there is a word
 * too, that the photo is unrated.  A photo is looked for by names[i] and by paths[i] (to which all
 * links lead); names may be NULL.  One line each goes to hooks->warn (may be NULL) about photos
 * whose sources differ and about packets that cannot be read.  PIAA_MISMATCH: no photo has stars.
 * `found` is filled in either case. */
piaa_ratings *piaa_ratings_of_photos(const char *const *paths, const char *const *names,
                                     size_t count, const piaa_hooks *hooks, piaa_stars_found *found,
                                     piaa_error *error) PIAA_MUST_USE;

#endif
