/* Stars as photo programs keep them (XMP's xmp:Rating): 1 to 5, 0 for unrated, -1 for rejected. */
#ifndef PIAA_DATA_STARS_H
#define PIAA_DATA_STARS_H

#include <stdbool.h>

/* The score of so many stars: their number, and 0, one below the worst, for a rejected photo, which
   somebody looked at and did not want.  false: the photo is unrated. */
static inline bool piaa_stars_to_score(double stars, double *score) {
    *score = stars < 0 ? 0 : stars;
    return stars != 0;
}

#endif
