/* Tags and ranges. */
#include "browse/part.h"

#include "base/hash.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void piaa_tag_make(const void *bytes, size_t size, char out[PIAA_TAG_ROOM]) {
    snprintf(out, PIAA_TAG_ROOM, "\"%016" PRIx64 "\"",
             piaa_hash(PIAA_HASH_OF_NOTHING, bytes, size));
}

/* "*", or a list of tags, of which W/ ones count, too. */
static bool lists(const char *list, const char *tag) {
    return list && (strcmp(list, "*") == 0 || strstr(list, tag));
}

/* Digits; SIZE_MAX stands for whatever is larger. */
static bool read_number(const char **text, size_t *out) {
    const char *at = *text;
    *out = 0;
    for (; isdigit((unsigned char)*at); at++) {
        const size_t digit = (size_t)(*at - '0');
        *out = *out > (SIZE_MAX - digit) / 10 ? SIZE_MAX : *out * 10 + digit;
    }
    const bool any = at != *text;
    *text = at;
    return any;
}

/* "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-COUNT" of the end; false: something else. */
static bool read_range(const char *text, size_t size, piaa_part *out) {
    static const char unit[] = "bytes=";
    size_t first, last;
    if (strncmp(text, unit, sizeof unit - 1) != 0) return false;
    text += sizeof unit - 1;
    const bool has_first = read_number(&text, &first);
    if (*text++ != '-') return false;
    const bool has_last = read_number(&text, &last);
    if (*text || (!has_first && !has_last) || (has_first && has_last && last < first)) return false;
    if (!has_first) {
        first = last < size ? size - last : 0;
        if (!last) first = size;
        last = SIZE_MAX;
    } else if (!has_last) {
        last = SIZE_MAX;
    }
    if (first >= size)
        *out = (piaa_part){.status = 416};
    else
        *out = (piaa_part){206, first, (last < size ? last + 1 : size) - first};
    return true;
}

piaa_part piaa_part_find(const piaa_conditions *asked, const char *tag, size_t size) {
    piaa_part part = {.status = 200, .size = size};
    if (lists(asked->if_none_match, tag)) return (piaa_part){.status = 304};
    if (asked->range && (!asked->if_range || strcmp(asked->if_range, tag) == 0) &&
        read_range(asked->range, size, &part))
        return part;
    return part;
}
