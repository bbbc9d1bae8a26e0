/* Ratings or predictions by path, for looking up many photos. */
#ifndef PIAA_DATA_SCORES_H
#define PIAA_DATA_SCORES_H

#include "base/file.h"

/* The items belong to the ratings, which outlive it; start from {0}, end with
   free(scores.items). */
typedef struct piaa_scores {
    const piaa_rating **items; /* by path */
    size_t count;
} piaa_scores;

/* ratings may be NULL: there are none. */
bool piaa_scores_sort(piaa_scores *scores, const piaa_ratings *ratings,
                      piaa_error *error) PIAA_MUST_USE;
const piaa_rating *piaa_scores_find(const piaa_scores *scores, const char *path); /* NULL: none */

/* shown [paths->count]: of a raw file the picture of the same shot (image/shot.h), where that has a
   score in one of the two; else the photo itself. */
bool piaa_scores_pair(const piaa_scores *given, const piaa_scores *predicted,
                      const piaa_paths *paths, size_t *shown, piaa_error *error) PIAA_MUST_USE;

#endif
