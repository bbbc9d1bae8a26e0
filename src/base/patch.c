/* Stretches of a file's bytes and what comes in their place. */
#include "base/patch.h"

#include <stdlib.h>
#include <string.h>

void piaa_patch_free(piaa_patch *patch) {
    free(patch->items);
    free(patch->bytes.data);
    *patch = (piaa_patch){0};
}

bool piaa_patch_add(piaa_patch *patch, size_t at, size_t length, const void *bytes, size_t size,
                    piaa_error *error) {
    size_t place = patch->count;
    while (place && patch->items[place - 1].at > at) place--;
    const piaa_splice *before = place ? &patch->items[place - 1] : NULL,
                      *after = place < patch->count ? &patch->items[place] : NULL;
    if ((before && before->at + before->length > at) || (after && at + length > after->at))
        return piaa_error_set(error, PIAA_FORMAT, "two changes of the same bytes");
    const size_t from = patch->bytes.length;
    if (!piaa_grow(&patch->items, &patch->capacity, patch->count + 1, sizeof *patch->items,
                   error) ||
        !piaa_text_add(&patch->bytes, bytes, size, error))
        return false;
    memmove(patch->items + place + 1, patch->items + place,
            (patch->count - place) * sizeof *patch->items);
    patch->items[place] = (piaa_splice){.at = at, .length = length, .from = from, .size = size};
    patch->count++;
    return true;
}

bool piaa_patch_replace(piaa_patch *patch, const void *old, size_t at, size_t length,
                        const void *bytes, size_t size, piaa_error *error) {
    const char *was = (const char *)old + at, *becomes = bytes;
    size_t head = 0, tail = 0;
    while (head < length && head < size && was[head] == becomes[head]) head++;
    while (tail < length - head && tail < size - head &&
           was[length - tail - 1] == becomes[size - tail - 1])
        tail++;
    if (head + tail == length && head + tail == size) return true;
    return piaa_patch_add(patch, at + head, length - head - tail, becomes + head,
                          size - head - tail, error);
}

bool piaa_patch_apply(const piaa_patch *patch, const void *old, size_t size, piaa_text *out,
                      piaa_error *error) {
    const char *was = old;
    size_t at = 0;
    for (size_t i = 0; i < patch->count; i++) {
        const piaa_splice *one = &patch->items[i];
        if (one->at > size || one->length > size - one->at)
            return piaa_error_set(error, PIAA_FORMAT, "a change of bytes that are not there");
        piaa_text_add(out, was + at, one->at - at, error);
        piaa_text_add(out, patch->bytes.data + one->from, one->size, error);
        at = one->at + one->length;
    }
    return piaa_text_add(out, was + at, size - at, error);
}

bool piaa_patch_reverse(const piaa_patch *patch, const void *old, piaa_patch *back,
                        piaa_error *error) {
    const char *was = old;
    size_t more = 0, less = 0; /* bytes that came and went so far */
    for (size_t i = 0; i < patch->count; i++) {
        const piaa_splice *one = &patch->items[i];
        if (!piaa_patch_add(back, one->at + more - less, one->size, was + one->at, one->length,
                            error))
            return false;
        more += one->size;
        less += one->length;
    }
    return true;
}
