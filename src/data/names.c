/* A hash table with open addressing (FNV-1a, linear probing, at most half full) over a growing list
   of names. */
#include "data/names.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *name) {
    const uint64_t h = piaa_hash(PIAA_HASH_OF_NOTHING, name, strlen(name));
    return h ^ (h >> 32);
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t slot_of(const piaa_names *names, const char *name) {
    size_t mask = names->slot_count - 1, at = (size_t)hash(name) & mask;
    while (names->slots[at] && strcmp(names->items[names->slots[at] - 1], name) != 0)
        at = (at + 1) & mask;
    return at;
}

static bool make_room(piaa_names *names, piaa_error *error) {
    if (names->count * 2 < names->slot_count) return true;
    size_t wanted = names->slot_count ? names->slot_count * 2 : 64;
    size_t *slots = piaa_alloc(wanted, sizeof *slots, error);
    if (!slots) return false;
    free(names->slots);
    names->slots = slots;
    names->slot_count = wanted;
    for (size_t i = 0; i < names->count; i++) slots[slot_of(names, names->items[i])] = i + 1;
    return true;
}

bool piaa_names_add(piaa_names *names, const char *name, size_t *number, bool *fresh,
                    piaa_error *error) {
    bool known = piaa_names_find(names, name, number);
    if (fresh) *fresh = !known;
    if (known) return true;
    if (!make_room(names, error)) return false;
    if (!piaa_grow(&names->items, &names->capacity, names->count + 1, sizeof *names->items, error))
        return false;
    char *copy = piaa_strdup(name, error);
    if (!copy) return false;
    names->slots[slot_of(names, copy)] = names->count + 1;
    *number = names->count;
    names->items[names->count++] = copy;
    return true;
}

bool piaa_names_find(const piaa_names *names, const char *name, size_t *number) {
    if (!names->count) return false;
    size_t held = names->slots[slot_of(names, name)];
    if (held) *number = held - 1;
    return held > 0;
}

void piaa_names_free(piaa_names *names) {
    for (size_t i = 0; i < names->count; i++) free(names->items[i]);
    free(names->items);
    free(names->slots);
    *names = (piaa_names){0};
}
