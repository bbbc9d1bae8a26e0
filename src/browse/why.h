/* Why a photo has its score (why.c): what the learning hands to it, for piaa_library_why to tell.
 */
#ifndef PIAA_BROWSE_WHY_H
#define PIAA_BROWSE_WHY_H

#include "study/projection.h"
#include "study/taste.h"

typedef struct piaa_why piaa_why;

piaa_why *piaa_why_new(piaa_error *error) PIAA_MUST_USE;
void piaa_why_free(piaa_why *why);
/* The taste that was learned last, which belongs to `why` from now on; NULL: none. */
void piaa_why_take(piaa_why *why, piaa_taste *taste);
/* The words for it, which stay the caller's and outlive `why`; NULL: none. */
void piaa_why_words(piaa_why *why, const piaa_projection *projection);

#endif
