/* Names in a table and the photos that they turn out to mean, once photos are given: what ratings
   and comparisons have in common. */
#ifndef PIAA_DATA_NAMED_H
#define PIAA_DATA_NAMED_H

#include "base/hooks.h"
#include "data/finder.h"

/* Belongs to whoever read the table. */
typedef struct piaa_named {
    const char *where, *folder; /* the file, and where relative names begin */
    char *const *written;       /* [count] as they stand there */
    char **paths; /* [count] absolute; each is replaced where another photo is meant */
    size_t count;
} piaa_named;

typedef struct piaa_photo_list {
    const char *const *paths; /* [count] absolute */
    const char *const *names; /* [count] other names of the same; may be NULL */
    size_t count;
} piaa_photo_list;

/* Leads names that are no photo's path to one of these photos, as piaa_ratings_match says; tells
   how many, and which fit several. */
bool piaa_named_match(const piaa_named *named, const piaa_photo_list *photos,
                      const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

/* "FILE: photos were found, 3 by another Unicode form of the name …"; nothing where found
   [PIAA_FOUND_KINDS] counts none but exact matches. */
bool piaa_named_tell(const char *where, const size_t *found, const char *written, const char *path,
                     const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

#endif
