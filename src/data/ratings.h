/* One person's ratings: a CSV file with a header line that names `path` and `score`. */
#ifndef PIAA_DATA_RATINGS_H
#define PIAA_DATA_RATINGS_H

#include "base/error.h"

/* A photo and its score. */
typedef struct piaa_rating {
    const char *path; /* absolute; belongs to the ratings */
    double score;     /* finite; the average where the photo is rated more than once */
    int64_t line;     /* of the file, from 1; the first one where there are several */
} piaa_rating;

typedef struct piaa_ratings piaa_ratings;

/*
 * Reads `path` ("-": standard input).  Column names are compared without regard to case; other columns are ignored.  For `path` the file
 * may also say image, photo, file or filename, and rating for `score`, as long as only one column can be meant.  Relative paths are
 * relative to the folder of the CSV file (standard input: to the working folder).  Whether the photos exist is not looked at.
 *
 * Ratings are few and precious, so a row that cannot be used (no path, no finite number as its score, a wrong number of fields) is an
 * error that names the first such row and says how many there are.  Photos rated more than once are averaged, and one line about them
 * goes to hooks->warn (hooks may be NULL).
 */
piaa_ratings *piaa_ratings_read(const char *path, const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
void piaa_ratings_free(piaa_ratings *ratings);

size_t piaa_ratings_count(const piaa_ratings *ratings);                        /* photos, not rows; 0 for NULL */
const piaa_rating *piaa_ratings_at(const piaa_ratings *ratings, size_t index); /* in order of first appearance */
const char *piaa_ratings_where(const piaa_ratings *ratings);                   /* the file, for messages */

#endif
