/* Finding added tokens: at every byte that begins one, walk the tree of their bytes as far as the
   text follows it. */
#include "text/added.h"

#include <stdlib.h>
#include <string.h>

bool piaa_added_init(piaa_added *added, size_t bytes, piaa_error *error) {
    added->ids = piaa_alloc(bytes + 1, sizeof *added->ids, error);
    if (!added->ids || !piaa_pairs_init(&added->children, bytes, error)) return false;
    added->ids[0] = -1;
    added->nodes = 1;
    return true;
}

void piaa_added_free(piaa_added *added) {
    piaa_pairs_free(&added->children);
    free(added->ids);
    *added = (piaa_added){0};
}

void piaa_added_put(piaa_added *added, const char *token, size_t length, int32_t id) {
    int32_t node = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)token[i];
        const piaa_pair *child = piaa_pairs_find(&added->children, node, byte);
        if (!child) {
            added->ids[added->nodes] = -1;
            piaa_pairs_put(&added->children, node, byte, 0, added->nodes);
            node = added->nodes++;
        } else
            node = child->result;
    }
    added->ids[node] = id;
    if (length) added->first[(unsigned char)token[0]] = true;
}

int32_t piaa_added_find(const piaa_added *added, const char *text, size_t size, size_t *start,
                        size_t *length) {
    for (size_t at = 0; added->nodes > 1 && at < size; at++) {
        if (!added->first[(unsigned char)text[at]]) continue;
        int32_t node = 0, id = -1;
        for (size_t i = at; i < size; i++) {
            const piaa_pair *child =
                piaa_pairs_find(&added->children, node, (unsigned char)text[i]);
            if (!child) break;
            node = child->result;
            if (added->ids[node] >= 0) id = added->ids[node], *start = at, *length = i + 1 - at;
        }
        if (id >= 0) return id;
    }
    *start = size;
    *length = 0;
    return -1;
}
