/* Text from elsewhere as it may be shown to a person. */
#include "base/visible.h"

#include <string.h>
#include <utf8proc.h>

/* Appends \xNN, \uNNNN or \UNNNNNNNN. */
static size_t spell(char *out, char kind, uint32_t value, int digits) {
    size_t n = 0;
    out[n++] = '\\';
    out[n++] = kind;
    while (digits--) out[n++] = "0123456789abcdef"[(value >> 4 * digits) & 0xf];
    return n;
}

static bool is_joiner(utf8proc_int32_t character) {
    return character == 0x200c || character == 0x200d;
}

/* A joiner has a meaning before Arabic, the scripts of India and emoji, none before Latin. */
static bool joins(const char *rest, size_t size) {
    enum { ARABIC = 0x600 };
    utf8proc_int32_t next;
    return utf8proc_iterate((const utf8proc_uint8_t *)rest, (utf8proc_ssize_t)size, &next) > 0 &&
           next >= ARABIC && !is_joiner(next);
}

/* Controls, formats (direction, joiners, the soft hyphen, tags), and the two separators that end
   a line. */
static bool is_hidden(utf8proc_int32_t character) {
    switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CS:
        return true;
    default:
        return false;
    }
}

size_t piaa_visible_next(const char *text, size_t size, char shown[PIAA_VISIBLE_MOST],
                         size_t *length, int *columns) {
    static const char named[] = "\a\b\t\n\v\f\r", names[] = "abtnvfr";
    const unsigned char first = (unsigned char)*text;
    utf8proc_int32_t character;
    const utf8proc_ssize_t bytes = utf8proc_iterate(
        (const utf8proc_uint8_t *)text, (utf8proc_ssize_t)(size < 4 ? size : 4), &character);
    if (bytes <= 0) {
        *columns = (int)(*length = spell(shown, 'x', first, 2));
        return 1;
    }
    const size_t used = (size_t)bytes;
    if (!is_hidden(character) ||
        (is_joiner(character) && joins(text + used, size - used < 4 ? size - used : 4))) {
        memcpy(shown, text, used);
        *length = used;
        *columns = utf8proc_charwidth(character);
        return used;
    }
    const char *name = first ? strchr(named, first) : NULL;
    if (name) {
        shown[0] = '\\';
        shown[1] = names[name - named];
        *length = 2;
    } else if (character < 0x80) {
        *length = spell(shown, 'x', (uint32_t)character, 2);
    } else {
        const bool far = character > 0xffff;
        *length = spell(shown, far ? 'U' : 'u', (uint32_t)character, far ? 8 : 4);
    }
    *columns = (int)*length;
    return used;
}

bool piaa_visible_add(piaa_text *out, const char *text, piaa_error *error) {
    char shown[PIAA_VISIBLE_MOST];
    size_t left = strlen(text), length;
    int columns;
    if (!left) return piaa_text_add(out, "", 0, error);
    while (left) {
        const size_t used = piaa_visible_next(text, left, shown, &length, &columns);
        if (!piaa_text_add(out, shown, length, error)) return false;
        text += used;
        left -= used;
    }
    return true;
}

int piaa_visible_columns(const char *text) {
    char shown[PIAA_VISIBLE_MOST];
    size_t left = strlen(text), length;
    int columns, all = 0;
    while (left) {
        const size_t used = piaa_visible_next(text, left, shown, &length, &columns);
        all += columns;
        text += used;
        left -= used;
    }
    return all;
}
