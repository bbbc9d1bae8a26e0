/* Names numbered in order of first appearance, found again in constant time. */
#ifndef PIAA_DATA_NAMES_H
#define PIAA_DATA_NAMES_H

#include "base/error.h"

/* Owns copies of its names; starts from {0}. */
typedef struct piaa_names {
    char **items; /* by number */
    size_t count, capacity;
    size_t *slots; /* hash table of number + 1; 0: free */
    size_t slot_count;
} piaa_names;

/* Sets *number; *fresh (may be NULL) tells whether the name is new. */
bool piaa_names_add(piaa_names *names, const char *name, size_t *number, bool *fresh,
                    piaa_error *error) PIAA_MUST_USE;
bool piaa_names_find(const piaa_names *names, const char *name, size_t *number);
void piaa_names_free(piaa_names *names);

#endif
