/* Near copies of images among a person's ratings: whether what is tested was learned from. */
#ifndef PIAA_STUDY_COPIES_H
#define PIAA_STUDY_COPIES_H

#include "data/protocol.h"
#include "study/source.h"

typedef struct piaa_copies {
    size_t pairs;  /* of a support image and a test image of one person */
    size_t people; /* who have such pairs */
    bool *extra;   /* [people of the protocol][small + large] support ratings whose image is a near
                      copy of a test image, or of one before it in the same support */
} piaa_copies;

/*
 * Looks at each person's small and large support, as asked for, and test images with a vector, by
 * the rule of linear/near.h; images that share a file are copies too.  hooks may be NULL.  Fails:
 * stopped, memory.
 */
bool piaa_copies_find(const piaa_dataset *set, const piaa_protocol *protocol,
                      const piaa_source *source, bool small, bool large, int threads,
                      const piaa_hooks *hooks, piaa_copies *out, piaa_error *error) PIAA_MUST_USE;
void piaa_copies_free(piaa_copies *copies);

#endif
