/* What vectors depend on, value by value: the members of piaa_identity under the names that stores
 * and the files of learned things have for them. */
#ifndef PIAA_FEATURES_IDENTITY_H
#define PIAA_FEATURES_IDENTITY_H

#include "base/error.h"

typedef struct piaa_identity_key {
    size_t offset; /* of the member */
    const char *key;
    const char *called; /* in a message about a difference; NULL: it may differ */
    const char *mend;   /* the way to make the two equal */
    const char *before; /* what holds where no value was kept yet: NULL: it always was, "": not
                           known, so that any value fits */
} piaa_identity_key;

/* The values of `chat`. */
#define PIAA_CHAT_PUBLISHED "published"
#define PIAA_CHAT_FOLDER "the folder's"

/* In the order in which differences are looked for. */
enum { PIAA_IDENTITY_KEYS = 15 };
extern const piaa_identity_key piaa_identity_keys[PIAA_IDENTITY_KEYS];

const char *piaa_identity_get(const piaa_identity *identity, size_t index); /* "" for NULL */
void piaa_identity_set(piaa_identity *identity, size_t index, const char *text);

/* A name for all values that matter but the prompt, for what was asked in other words (FNV-1a). */
enum { PIAA_IDENTITY_NAME = 17 };
void piaa_identity_name(const piaa_identity *identity, char name[PIAA_IDENTITY_NAME]);

/* Whether the value that was kept (NULL: none was) agrees with that of now. */
bool piaa_identity_same(size_t index, const char *was, const char *is);

#endif
