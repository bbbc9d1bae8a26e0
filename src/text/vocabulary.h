/* Tokens and their ids: from an id to the token's text and back. */
#ifndef PIAA_TEXT_VOCABULARY_H
#define PIAA_TEXT_VOCABULARY_H

#include "base/memory.h"

/* Start from {0}; the ids may have holes. */
typedef struct piaa_vocabulary {
    piaa_text text; /* the tokens, one after the other, each with a NUL behind it */
    struct piaa_vocabulary_place {
        uint32_t start, length; /* start UINT32_MAX: no token has this id */
    } * places;
    int32_t size;   /* highest id + 1 */
    int32_t *slots; /* open addressing by content; -1 free */
    size_t slot_count;
} piaa_vocabulary;

/* Makes room for `tokens` tokens with ids below `size` and `bytes` of text, NULs included. */
bool piaa_vocabulary_init(piaa_vocabulary *vocabulary, size_t tokens, int32_t size, size_t bytes,
                          piaa_error *error) PIAA_MUST_USE;
void piaa_vocabulary_free(piaa_vocabulary *vocabulary);

/* Adds a token within that room; returns NULL, or what is wrong in a few words ("the id is
   taken"). */
const char *piaa_vocabulary_add(piaa_vocabulary *vocabulary, const char *token, size_t length,
                                int32_t id) PIAA_MUST_USE;

/* -1 if absent. */
int32_t piaa_vocabulary_find(const piaa_vocabulary *vocabulary, const char *token, size_t length);
/* NUL-terminated and the vocabulary's; NULL if there is no such id. */
const char *piaa_vocabulary_token(const piaa_vocabulary *vocabulary, int32_t id, size_t *length);

#endif
