/* What taste.c and taste_file.c share. */
#ifndef PIAA_STUDY_TASTE_PARTS_H
#define PIAA_STUDY_TASTE_PARTS_H

#include "features/identity.h"
#include "study/taste.h"

enum { PIAA_TASTE_LARGEST_DIM = 1 << 20 };

/* Learns the taste's numbers from stars and pairs (compared.c); taste->ratings 0: from the pairs
   alone. */
bool piaa_taste_compare(piaa_taste *taste, const piaa_teaching *from,
                        piaa_error *error) PIAA_MUST_USE;

/* Sets taste->ten_more of a taste that was learned from this (compared.c). */
bool piaa_taste_look_ahead(piaa_taste *taste, const piaa_teaching *from,
                           piaa_error *error) PIAA_MUST_USE;

/* A taste with copies of the slots and of the identity's strings, and zeroed arrays of the slots'
   numbers. */
piaa_taste *piaa_taste_new(const piaa_identity *identity, const piaa_slot *slots, size_t count,
                           piaa_error *error) PIAA_MUST_USE;

#endif
