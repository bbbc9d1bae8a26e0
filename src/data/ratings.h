/* One person's ratings, read from a table (data/sheet.h).  The interface is in piaa.h. */
#ifndef PIAA_DATA_RATINGS_H
#define PIAA_DATA_RATINGS_H

#include "base/error.h"

#endif
