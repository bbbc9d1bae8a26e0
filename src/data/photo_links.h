/* A folder of links to the best photos, numbered in their order, for slide shows and for programs
   that read no stars. */
#ifndef PIAA_DATA_PHOTO_LINKS_H
#define PIAA_DATA_PHOTO_LINKS_H

#include "features/photos.h"

typedef struct piaa_link_options {
    const piaa_ratings *ranking; /* predicted scores; NULL: none */
    int least;                   /* stars; of a photo that was not rated, predicted ones */
    bool hard; /* hard links, which stay when the photo is moved, and take no place of their own */
} piaa_link_options;

/*
 * Makes the folder, which must not exist (PIAA_USAGE), with links "001-NAME" to photos that have a
 * rating or a prediction: by the predicted score where there is one, else by the rating, the
 * highest first, of equal ones in the order of the photos.  Left out are rejected photos, those
 * below the least stars, and raw files behind a picture of the same shot.  *count: how many.
 * PIAA_MISMATCH: none is left.  Where a link cannot be made those that were made go again.
 */
bool piaa_photo_links_make(const char *folder, const piaa_photos *photos,
                           const piaa_ratings *ratings, const piaa_link_options *options,
                           size_t *count, piaa_error *error) PIAA_MUST_USE;

#endif
