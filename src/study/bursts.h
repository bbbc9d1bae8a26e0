/*
 * Photos that were taken as one: bursts, of which one is kept, and series that belong together.
 *
 *     likeness = piaa_likeness_new(store, slots, paths, &error);
 *     piaa_bursts *bursts = piaa_bursts_find(paths, shots, piaa_likeness_same, likeness, NULL,
 * &error); bursts->items[0].kind, bursts->members[bursts->items[0].first] …
 */
#ifndef PIAA_STUDY_BURSTS_H
#define PIAA_STUDY_BURSTS_H

#include "base/file.h"
#include "features/store.h"
#include "image/shot.h"

typedef enum piaa_burst_kind {
    PIAA_BURST,           /* the same again and again: one of them is enough */
    PIAA_BURST_EXPOSURES, /* a bracket; this and what follows is kept whole */
    PIAA_BURST_FOCUS,     /* a focus stack */
    PIAA_BURST_PAN,       /* each is like the one before, and the last not like the first */
    PIAA_BURST_KINDS
} piaa_burst_kind;

extern const char *const piaa_burst_names[PIAA_BURST_KINDS]; /* "burst", "bracket", … */

typedef struct piaa_burst {
    piaa_burst_kind kind;
    size_t first, count; /* of the members */
} piaa_burst;

typedef struct piaa_bursts {
    piaa_burst *items;
    size_t count;
    size_t *members; /* photos, those of one burst in the order of their times */
    size_t *shown;   /* [photos] of a raw file with a picture of the same shot beside it: that one;
                        else the photo itself */
} piaa_bursts;

typedef struct piaa_burst_options {
    double gap, span; /* seconds from photo to photo, and from the first to the last; 0: 2 and 10 */
} piaa_burst_options;

/* shots [paths->count]; alike says whether two photos show the same; options may be NULL.  The one
   error is memory. */
piaa_bursts *piaa_bursts_find(const piaa_paths *paths, const piaa_shot *shots,
                              bool (*alike)(void *user, size_t a, size_t b), void *user,
                              const piaa_burst_options *options, piaa_error *error) PIAA_MUST_USE;
void piaa_bursts_free(piaa_bursts *bursts);

/* Whether photos show the same, by their vectors in the first of these slots: columns standardised
 * over (a sample of) the photos, a distance of at most half the usual one.  Of photos without a
 * vector it is never so.  store and paths outlive it, and the store is not refreshed meanwhile.
 * Errors: a slot that the store lacks, memory. */
typedef struct piaa_likeness piaa_likeness;
piaa_likeness *piaa_likeness_new(const piaa_store *store, const piaa_slots *slots,
                                 const piaa_paths *paths, piaa_error *error) PIAA_MUST_USE;
void piaa_likeness_free(piaa_likeness *likeness);
bool piaa_likeness_same(void *likeness, size_t a, size_t b);

#endif
