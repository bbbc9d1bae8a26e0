/* One person's ratings, read from a table (data/sheet.h).  The interface is in piaa.h. */
#ifndef PIAA_DATA_RATINGS_H
#define PIAA_DATA_RATINGS_H

#include "base/error.h"

/* Ratings that were not read from a table; paths are copied.  `where` is for messages. */
piaa_ratings *piaa_ratings_from(const char *where, const piaa_rating *items, size_t count,
                                piaa_error *error) PIAA_MUST_USE;

#endif
