/* One person's ratings: a CSV file with a header line that names `path` and `score`. */
#ifndef PIAA_DATA_RATINGS_H
#define PIAA_DATA_RATINGS_H

#include "base/error.h"

#endif
