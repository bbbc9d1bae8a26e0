/* What taste.c and taste_file.c share. */
#ifndef PIAA_STUDY_TASTE_PARTS_H
#define PIAA_STUDY_TASTE_PARTS_H

#include "study/taste.h"

/* The strings of an identity: its member, the key in the file, what to call it in a message (NULL:
 * it may differ), in the order in which differences are looked for. */
typedef struct piaa_taste_text {
    size_t offset;
    const char *key, *called;
} piaa_taste_text;

enum { PIAA_TASTE_TEXTS = 7, PIAA_TASTE_LARGEST_DIM = 1 << 20 };
extern const piaa_taste_text piaa_taste_texts[PIAA_TASTE_TEXTS];

const char *piaa_taste_text_get(const piaa_identity *identity, size_t index); /* "" for NULL */
void piaa_taste_text_set(piaa_identity *identity, size_t index, const char *text);

/* A taste with copies of the identity's strings and zeroed arrays of slot->dim numbers. */
piaa_taste *piaa_taste_new(const piaa_identity *identity, const piaa_slot *slot,
                           piaa_error *error) PIAA_MUST_USE;

#endif
