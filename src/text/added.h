/* Added tokens ("<|im_start|>"): fixed strings that are found in the text before anything else is
   done to it. */
#ifndef PIAA_TEXT_ADDED_H
#define PIAA_TEXT_ADDED_H

#include "text/merge.h"

enum { PIAA_ADDED_MAX = 1024 }; /* bytes of the longest added token; bounds the time of a search */

/* A set of strings with ids, as a tree of bytes; start from {0}. */
typedef struct piaa_added {
    piaa_pairs children; /* (node, byte) -> node */
    int32_t *ids;        /* by node: the id of the token that ends here, or -1 */
    int32_t nodes;
    bool first[256]; /* bytes that a token begins with */
} piaa_added;

/* Makes room for tokens of `bytes` bytes together. */
bool piaa_added_init(piaa_added *added, size_t bytes, piaa_error *error) PIAA_MUST_USE;
void piaa_added_free(piaa_added *added);
void piaa_added_put(piaa_added *added, const char *token, size_t length, int32_t id);

/* The leftmost token in the text, the longest of those that begin there: its place in *start and
 * *length, its id returned. -1 if there is none; then *start is `size`. */
int32_t piaa_added_find(const piaa_added *added, const char *text, size_t size, size_t *start,
                        size_t *length);

#endif
