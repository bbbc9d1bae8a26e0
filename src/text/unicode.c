/* The canonical composition NFC, and case folding.
 *
 * It is: decompose every character canonically, put each run of combining marks into the order of
 * their combining classes (stable), compose again.  utf8proc has the first and the last step; the
 * order is made here by counting, because utf8proc's own exchanges neighbours and takes time
 * quadratic in the length of a run, and a text may be one long run. */
#include "text/unicode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

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

static bool add_form(const char *text, size_t size, bool fold, piaa_text *out, piaa_error *error) {
    enum { LONGEST = 8 }; /* characters in the longest decomposition, folded or not */
    const utf8proc_option_t options =
        UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (fold ? UTF8PROC_CASEFOLD : 0);
    utf8proc_int32_t *codes = NULL, *spare = NULL;
    size_t count = 0, capacity = 0, spare_capacity = 0;
    bool ok = piaa_grow(&codes, &capacity, size + LONGEST + 1, sizeof *codes, error);
    for (size_t at = 0; ok && at < size;) {
        utf8proc_int32_t code;
        size_t left = size - at < 4 ? size - at : 4;
        utf8proc_ssize_t read =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)left, &code);
        ok = read > 0 && piaa_grow(&codes, &capacity, count + LONGEST + 1, sizeof *codes, error);
        if (!ok) break;
        at += (size_t)read;
        int boundary = 0;
        utf8proc_ssize_t parts =
            code < 0xC0 && !fold
                ? (codes[count] = code, 1)
                : utf8proc_decompose_char(code, codes + count, LONGEST, options, &boundary);
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

bool piaa_nfc_add(const char *text, size_t size, piaa_text *out, piaa_error *error) {
    return add_form(text, size, false, out, error);
}

bool piaa_fold_add(const char *text, size_t size, piaa_text *out, piaa_error *error) {
    return add_form(text, size, true, out, error);
}
