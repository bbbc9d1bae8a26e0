/* What more ratings would bring, told from what fewer would have brought. */
#ifndef PIAA_LINEAR_OUTLOOK_H
#define PIAA_LINEAR_OUTLOOK_H

#include "linear/pairs.h"

/* From fewer there is no telling, and where there are so many, ten more bring little. */
enum { PIAA_OUTLOOK_LEAST = 8, PIAA_OUTLOOK_MOST = 300 };

/*
 * The root mean square error of photos left out if there were `more` further stars, where it is
 * `now` with those that are there (outlook.c says how); *out is NaN where the number of stars is
 * beyond the bounds above, and never more than `now`.  Seeded: the same data give the same figure.
 * Errors: memory, and those of piaa_pairwise_fit.
 */
bool piaa_outlook(const piaa_compared *said, double now, double more, double *out,
                  piaa_error *error) PIAA_MUST_USE;

#endif
