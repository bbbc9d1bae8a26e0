/* The two-way table of tokens: an array by id, and a hash table of ids by content (FNV-1a, open
   addressing, at most half full). */
#include "text/vocabulary.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

bool piaa_vocabulary_init(piaa_vocabulary *vocabulary, size_t tokens, int32_t size, size_t bytes,
                          piaa_error *error) {
    vocabulary->slot_count = 16;
    while (vocabulary->slot_count < 2 * tokens) vocabulary->slot_count *= 2;
    vocabulary->slots = piaa_alloc(vocabulary->slot_count, sizeof *vocabulary->slots, error);
    vocabulary->places = piaa_alloc((size_t)size, sizeof *vocabulary->places, error);
    if (!vocabulary->slots || !vocabulary->places) return false;
    if (!piaa_grow(&vocabulary->text.data, &vocabulary->text.capacity, bytes, 1, error))
        return false;
    memset(vocabulary->slots, 0xFF, vocabulary->slot_count * sizeof *vocabulary->slots);
    memset(vocabulary->places, 0xFF, (size_t)size * sizeof *vocabulary->places);
    vocabulary->size = size;
    return true;
}

void piaa_vocabulary_free(piaa_vocabulary *vocabulary) {
    free(vocabulary->text.data);
    free(vocabulary->places);
    free(vocabulary->slots);
    *vocabulary = (piaa_vocabulary){0};
}

/* The slot that holds the token, or the free one where it belongs. */
static size_t slot_of(const piaa_vocabulary *vocabulary, const char *token, size_t length) {
    const uint64_t hash = piaa_hash(PIAA_HASH_OF_NOTHING, token, length);
    size_t mask = vocabulary->slot_count - 1, slot = (size_t)(hash ^ hash >> 32) & mask;
    for (;; slot = (slot + 1) & mask) {
        int32_t id = vocabulary->slots[slot];
        if (id < 0) return slot;
        if (vocabulary->places[id].length == length &&
            !memcmp(vocabulary->text.data + vocabulary->places[id].start, token, length))
            return slot;
    }
}

const char *piaa_vocabulary_add(piaa_vocabulary *vocabulary, const char *token, size_t length,
                                int32_t id) {
    if (id < 0 || id >= vocabulary->size) return "the id is out of range";
    if (vocabulary->places[id].start != UINT32_MAX) return "another token has the same id";
    size_t slot = slot_of(vocabulary, token, length);
    if (vocabulary->slots[slot] >= 0) return "the token occurs twice";
    if (vocabulary->text.capacity - vocabulary->text.length < length + 1)
        return "the token is too long";
    vocabulary->slots[slot] = id;
    vocabulary->places[id].start = (uint32_t)vocabulary->text.length;
    vocabulary->places[id].length = (uint32_t)length;
    char *place = vocabulary->text.data + vocabulary->text.length;
    memcpy(place, token, length);
    place[length] = '\0';
    vocabulary->text.length += length + 1;
    return NULL;
}

int32_t piaa_vocabulary_find(const piaa_vocabulary *vocabulary, const char *token, size_t length) {
    return vocabulary->slot_count ? vocabulary->slots[slot_of(vocabulary, token, length)] : -1;
}

const char *piaa_vocabulary_token(const piaa_vocabulary *vocabulary, int32_t id, size_t *length) {
    if (id < 0 || id >= vocabulary->size || vocabulary->places[id].start == UINT32_MAX) return NULL;
    if (length) *length = vocabulary->places[id].length;
    return vocabulary->text.data + vocabulary->places[id].start;
}
