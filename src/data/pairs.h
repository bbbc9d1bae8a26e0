/* One person's comparisons, read from a table (data/pairs.c).  The interface is in piaa.h. */
#ifndef PIAA_DATA_PAIRS_H
#define PIAA_DATA_PAIRS_H

#include "base/error.h"

/* Comparisons that were not read from a table; paths are copied.  `where` is for messages. */
piaa_choices *piaa_choices_from(const char *where, const piaa_choice *items, size_t count,
                                piaa_error *error) PIAA_MUST_USE;

#endif
