/* Which two photos to compare next (linear/pairs.h), of a folder and for a person. */
#ifndef PIAA_STUDY_ASKING_H
#define PIAA_STUDY_ASKING_H

#include "features/photos.h"
#include "study/rated.h"

/* Photos among which pairs are looked for, at most: drawn at random from more of them. */
enum { PIAA_ASKING_MOST = 400 };

typedef struct piaa_asked_pair {
    const char *one, *other; /* as they were found; belong to the photos */
    double likely;           /* the probability that `one` is called the better one */
} piaa_asked_pair;

typedef struct piaa_asked {
    piaa_asked_pair *items; /* [count] in the order in which to ask */
    size_t count;
    size_t photos; /* that have all vectors */
    size_t
        candidates; /* of these, among which pairs were looked for: none a near copy of another */
} piaa_asked;

/*
 * At most `count` pairs of the photos that were not compared yet: each the one whose answer is
 * open and says most, with the largest p(1-p) d'S d, as if those before it were answered.  What was
 * said may be nothing at all.  Two near copies are never asked about.  Errors: no two photos have
 * all vectors; those of piaa_pairwise_fit.
 */
bool piaa_asking_choose(piaa_joined *joined, const piaa_photos *photos, const piaa_said *said,
                        size_t count, uint32_t seed, piaa_asked *out,
                        piaa_error *error) PIAA_MUST_USE;
void piaa_asked_free(piaa_asked *asked);

#endif
