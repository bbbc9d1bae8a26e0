/* UTF-8, and what stands in its place in files that people have. */
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Length of the well-formed character at `p`, or of the ill-formed part that one U+FFFD stands for:
 * the longest prefix of a well-formed character (Unicode table 3-7), at least one byte. */
static size_t step(const unsigned char *p, size_t left, bool *good) {
    unsigned char first = p[0];
    *good = first < 0x80 || (first >= 0xC2 && first <= 0xF4);
    if (first < 0x80 || !*good) return 1;
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80; /* no overlong forms */
    /* No surrogates, nothing above U+10FFFF. */
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
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
    out->data[out->length] = '\0'; /* of no text nothing is added below */
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

/* ------------------------------------------------------------------------------------- decoding */

const char *piaa_encoding_name(piaa_encoding encoding) {
    static const char *const names[] = {"UTF-8", "UTF-16", "UTF-32", "Windows-1252"};
    return names[encoding];
}

static bool add_character(piaa_text *out, uint32_t c, piaa_error *error) {
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
    const char lead = (char)(c < 0x800 ? 0xC0 : c < 0x10000 ? 0xE0 : 0xF0);
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3F));
    bytes[0] = n == 1 ? (char)c : (char)(lead | (char)c);
    return piaa_text_add(out, bytes, n, error);
}

/* Bytes 0x80 to 0x9F of Windows-1252; from 0xA0 on a byte is the character of its number. */
static const uint16_t windows[32] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                     0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                     0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                     0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

static bool add_windows(const char *bytes, size_t size, piaa_text *out, piaa_error *error) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (!add_character(out, c >= 0x80 && c < 0xA0 ? windows[c - 0x80] : c, error)) return false;
    }
    return true;
}

/* Line by line, each as what it is. */
static bool add_lines(const char *bytes, size_t size, piaa_text *out, piaa_encoding *encoding,
                      piaa_error *error) {
    for (size_t at = 0; at < size;) {
        size_t good = piaa_utf8_check(bytes + at, size - at);
        if (good == size - at) return piaa_text_add(out, bytes + at, good, error);
        size_t begin = at + good, end = begin;
        while (begin > at && bytes[begin - 1] != '\n' && bytes[begin - 1] != '\r') begin--;
        while (end < size && bytes[end] != '\n' && bytes[end] != '\r') end++;
        *encoding = PIAA_ENCODING_WINDOWS;
        if (!piaa_text_add(out, bytes + at, begin - at, error) ||
            !add_windows(bytes + begin, end - begin, out, error))
            return false;
        at = end;
    }
    return true;
}

static uint32_t unit_at(const unsigned char *p, size_t width, bool little) {
    uint32_t value = 0;
    for (size_t i = 0; i < width; i++) value |= (uint32_t)p[i] << 8 * (little ? i : width - 1 - i);
    return value;
}

/* UTF-16 (width 2) and UTF-32 (width 4). */
static bool add_units(const char *bytes, size_t size, size_t width, bool little, piaa_text *out,
                      piaa_error *error) {
    const unsigned char *p = (const unsigned char *)bytes;
    size_t at = 0;
    for (; at + width <= size; at += width) {
        uint32_t c = unit_at(p + at, width, little);
        if (width == 2 && c >= 0xD800 && c < 0xDC00 && at + 4 <= size) {
            uint32_t low = unit_at(p + at + 2, 2, little);
            if (low >= 0xDC00 && low < 0xE000) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                at += 2;
            }
        }
        if (!add_character(out, c, error)) return false;
    }
    return at == size || add_character(out, 0xFFFD, error);
}

/* Bytes of the white space at the start of `text`, as Python's strip() and the templates' trim know
   it; 0 if there is none. */
static size_t space(const char *text) {
    static const char *const wide[] = {"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80",
                                       "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                                       "\xE2\x81\x9F", "\xE3\x80\x80"};
    const unsigned char c = (unsigned char)*text;
    if (c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F)) return 1;
    for (size_t i = 0; i < PIAA_COUNT(wide); i++)
        if (strncmp(text, wide[i], strlen(wide[i])) == 0) return strlen(wide[i]);
    return strncmp(text, "\xE2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80 &&
                   (unsigned char)text[2] <= 0x8A
               ? 3
               : 0;
}

const char *piaa_utf8_trim(const char *text, size_t *size) {
    const char *const end = text + *size;
    for (size_t n; text < end && (n = space(text)) > 0; text += n) continue;
    *size = 0;
    for (const char *at = text; at < end;) {
        const size_t n = space(at);
        at += n ? n : 1;
        if (!n) *size = (size_t)(at - text);
    }
    return text;
}

/* In UTF-16 text of the letters, digits and commas that tables are made of, every second byte is
 * zero, and always the same one of a pair.  0: it is not that; 1: little-endian; 2: big-endian. */
static int looks_like_utf16(const char *bytes, size_t size) {
    enum { LOOK_AT = 4096 };
    size_t zeros[2] = {0}, n = size < LOOK_AT ? size : LOOK_AT;
    if (size < 4 || size % 2) return 0;
    for (size_t i = 0; i < n; i++) zeros[i % 2] += bytes[i] == '\0';
    if (!zeros[0] && zeros[1] * 4 > n) return 1; /* of n / 2 pairs more than half */
    return !zeros[1] && zeros[0] * 4 > n ? 2 : 0;
}

bool piaa_utf8_decode(const char *bytes, size_t size, piaa_text *out, piaa_encoding *encoding,
                      piaa_error *error) {
    static const struct {
        const char *mark;
        size_t length, width;
        bool little;
    } marks[] = {{"\xEF\xBB\xBF", 3, 1, false},
                 {"\xFF\xFE\0\0", 4, 4, true},
                 {"\0\0\xFE\xFF", 4, 4, false},
                 {"\xFF\xFE", 2, 2, true},
                 {"\xFE\xFF", 2, 2, false}};
    size_t width = 1;
    bool little = false;
    int zeros = looks_like_utf16(bytes, size);
    if (zeros) width = 2, little = zeros == 1;
    for (size_t i = 0; i < PIAA_COUNT(marks); i++) {
        size_t n = marks[i].length;
        if (size < n || memcmp(bytes, marks[i].mark, n) != 0) continue;
        width = marks[i].width, little = marks[i].little;
        bytes += n, size -= n;
        break;
    }
    *encoding = width == 4   ? PIAA_ENCODING_UTF32
                : width == 2 ? PIAA_ENCODING_UTF16
                             : PIAA_ENCODING_UTF8;
    return width == 1 ? add_lines(bytes, size, out, encoding, error)
                      : add_units(bytes, size, width, little, out, error);
}
