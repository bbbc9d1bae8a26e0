/* UTF-8 checking and repair, and the canonical composition NFC.
 *
 * NFC is: decompose every character canonically, put each run of combining marks into the order of
 * their combining classes (stable), compose again.  utf8proc has the first and the last step; the
 * order is made here by counting, because utf8proc's own exchanges neighbours and takes time
 * quadratic in the length of a run, and a text may be one long run. */
#include "text/unicode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

/* Length of the well-formed character at `p`, or of the ill-formed part that one U+FFFD stands for:
 * the longest prefix of a well-formed character (Unicode table 3-7), at least one byte. */
static size_t step(const unsigned char *p, size_t left, bool *good) {
    unsigned char first = p[0];
    *good = first < 0x80 || (first >= 0xC2 && first <= 0xF4);
    if (first < 0x80 || !*good) return 1;
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80; /* no overlong forms */
    unsigned char high = first == 0xED   ? 0x9F
                         : first == 0xF4 ? 0x8F
                                         : 0xBF; /* no surrogates, nothing above U+10FFFF */
    for (size_t i = 1; i < length; i++) {
        if (i >= left || p[i] < low || p[i] > high) {
            *good = false;
            return i;
        }
        low = 0x80, high = 0xBF;
    }
    return length;
}

size_t piaa_utf8_check(const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    bool good = true;
    size_t at = 0;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight &&
            (memcpy(&eight, p + at, sizeof eight), !(eight & 0x8080808080808080u))) {
            at += sizeof eight;
            continue;
        }
        size_t length = step(p + at, size - at, &good);
        if (!good) break;
        at += length;
    }
    return at;
}

bool piaa_utf8_repair(const char *text, size_t size, piaa_text *out, piaa_error *error) {
    if (!piaa_grow(&out->data, &out->capacity, out->length + size + 1, 1, error)) return false;
    while (size) {
        size_t good = piaa_utf8_check(text, size);
        if (!piaa_text_add(out, text, good, error)) return false;
        text += good, size -= good;
        if (!size) break;
        bool unused;
        size_t bad = step((const unsigned char *)text, size, &unused);
        if (!piaa_text_add(out, "\xEF\xBF\xBD", 3, error)) return false;
        text += bad, size -= bad;
    }
    return true;
}

size_t piaa_utf8_length(char first) {
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

int piaa_utf8_shown(const char *text, int limit) {
    size_t size = strlen(text);
    if (size <= (size_t)limit) return (int)size;
    while (limit && ((unsigned char)text[limit] & 0xC0) == 0x80) limit--;
    return limit;
}

/* Every character that is not "NFC quick check: yes", or has a combining class, is U+0300 or above.
 * Of the characters above, the common scripts that have neither property are let pass: Han
 * ideographs, and Hangul syllables (only jamo compose with them). */
bool piaa_nfc_is_sure(const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < size; i++) {
        if (p[i] < 0xCC)
            continue; /* below U+0300, or the inside of a character that was let pass */
        if (p[i] >= 0xE4 && p[i] <= 0xEC && p[i] != 0xEA)
            continue; /* U+4000 to U+9FFF, U+B000 to U+CFFF */
        return false;
    }
    return true;
}

static int combining_class(utf8proc_int32_t c) {
    return c < 0x300 ? 0 : utf8proc_get_property(c)->combining_class;
}

/* Puts a run of combining marks into the order of their classes; `spare` has room for as many. */
static void order_marks(utf8proc_int32_t *marks, size_t count, utf8proc_int32_t *spare) {
    size_t start[257] = {0};
    for (size_t i = 0; i < count; i++) start[combining_class(marks[i]) + 1]++;
    for (int k = 0; k < 256; k++) start[k + 1] += start[k];
    for (size_t i = 0; i < count; i++) spare[start[combining_class(marks[i])]++] = marks[i];
    memcpy(marks, spare, count * sizeof *marks);
}

bool piaa_nfc_add(const char *text, size_t size, piaa_text *out, piaa_error *error) {
    enum { LONGEST = 4 }; /* characters in the longest canonical decomposition */
    utf8proc_int32_t *codes = NULL, *spare = NULL;
    size_t count = 0, capacity = 0, spare_capacity = 0;
    bool ok = piaa_grow(&codes, &capacity, size + LONGEST + 1, sizeof *codes, error);
    for (size_t at = 0; ok && at < size;) {
        utf8proc_int32_t code;
        size_t left = size - at < LONGEST ? size - at : LONGEST;
        utf8proc_ssize_t read =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)left, &code);
        ok = read > 0 && piaa_grow(&codes, &capacity, count + LONGEST + 1, sizeof *codes, error);
        if (!ok) break;
        at += (size_t)read;
        int boundary = 0;
        utf8proc_ssize_t parts =
            code < 0xC0 ? (codes[count] = code, 1)
                        : utf8proc_decompose_char(code, codes + count, LONGEST,
                                                  UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &boundary);
        ok = parts >= 0 && parts <= LONGEST;
        if (!ok)
            piaa_error_set(error, PIAA_UNSUPPORTED, "the character U+%04X cannot be normalised",
                           (unsigned)code);
        count += ok ? (size_t)parts : 0;
    }
    for (size_t i = 0; ok && i < count;) {
        size_t end = i;
        while (end < count && combining_class(codes[end])) end++;
        if (end - i > 1) {
            ok = piaa_grow(&spare, &spare_capacity, end - i, sizeof *spare, error);
            if (ok) order_marks(codes + i, end - i, spare);
        }
        i = end + 1;
    }
    if (ok) {
        utf8proc_ssize_t composed = utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)count,
                                                             UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        ok = composed >= 0 && piaa_grow(&out->data, &out->capacity,
                                        out->length + (size_t)composed * 4 + 1, 1, error);
        for (size_t i = 0; ok && i < (size_t)composed; i++)
            out->length +=
                (size_t)utf8proc_encode_char(codes[i], (utf8proc_uint8_t *)out->data + out->length);
        if (ok) out->data[out->length] = '\0';
    }
    free(codes);
    free(spare);
    return ok;
}
