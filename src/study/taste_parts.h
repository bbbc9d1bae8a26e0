/* What taste.c and taste_file.c share. */
#ifndef PIAA_STUDY_TASTE_PARTS_H
#define PIAA_STUDY_TASTE_PARTS_H

#include "features/identity.h"
#include "study/taste.h"

enum { PIAA_TASTE_LARGEST_DIM = 1 << 20 };

/* A taste with copies of the slots and of the identity's strings, and zeroed arrays of the slots'
   numbers. */
piaa_taste *piaa_taste_new(const piaa_identity *identity, const piaa_slot *slots, size_t count,
                           piaa_error *error) PIAA_MUST_USE;

#endif
