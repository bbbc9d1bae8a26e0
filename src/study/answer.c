/* Matching by hand: three expressions do not want an engine, and PCRE2's idea of \d and \b is not
   quite Python's. */
#include "study/answer.h"

#include "base/csv.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

/* The character at `at`, and its length; -1 and one byte where the text is not UTF-8; 0 and no
   bytes at the end. */
static utf8proc_int32_t character(const char *at, size_t *length) {
    utf8proc_int32_t c = -1;
    const utf8proc_ssize_t n =
        *at ? utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &c) : (utf8proc_ssize_t)0;
    *length = n > 0 ? (size_t)n : *at != '\0';
    return n > 0 ? c : *at ? -1 : 0;
}

static bool is_decimal(utf8proc_int32_t c) {
    return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}

/* \d: what the digit at `at` counts, -1 if there is none.  Unicode's decimal digits stand in runs
   of ten that begin with their zero. */
static int digit(const char *at, size_t *length) {
    const utf8proc_int32_t c = character(at, length);
    if (c < 0x80) return c >= '0' && c <= '9' ? (int)c - '0' : -1;
    if (!is_decimal(c)) return -1;
    int below = 0;
    while (is_decimal(c - below - 1)) below++;
    return below % 10;
}

/* \w: letters, whatever counts, and the underscore; marks are not of it. */
static bool is_word(utf8proc_int32_t c) {
    if (c == '_') return true;
    switch (c > 0 ? utf8proc_category(c) : UTF8PROC_CATEGORY_CN) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

/* \s */
static bool is_space(utf8proc_int32_t c) {
    return (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= ' ') || c == 0x85 ||
           (c > 0 && (utf8proc_category(c) == UTF8PROC_CATEGORY_ZS ||
                      utf8proc_category(c) == UTF8PROC_CATEGORY_ZL ||
                      utf8proc_category(c) == UTF8PROC_CATEGORY_ZP));
}

static const char *skip_spaces(const char *at) {
    size_t length;
    while (is_space(character(at, &length))) at += length;
    return at;
}

/* \d+ into `out`, as ASCII; gives what follows. */
static const char *take_digits(const char *at, piaa_text *out, piaa_error *error) {
    size_t length;
    for (int value; (value = digit(at, &length)) >= 0; at += length)
        piaa_text_format(out, error, "%d", value);
    return at;
}

/* A match of  [-+]?\d+  or, with `fraction`,  [-+]?\d+(\.\d+)?  that begins at `at`. */
typedef struct match {
    const char *end; /* NULL: there is none */
    double value;
} match;

static bool match_number(const char *at, bool fraction, match *out, piaa_error *error) {
    piaa_text digits = {0};
    size_t length;
    const bool minus = *at == '-';
    if (minus || *at == '+') at++;
    *out = (match){NULL, NAN};
    if (digit(at, &length) < 0) return true;
    at = take_digits(at, &digits, error);
    if (fraction && *at == '.' && digit(at + 1, &length) >= 0) {
        piaa_text_add(&digits, ".", 1, error);
        at = take_digits(at + 1, &digits, error);
    }
    if (!digits.failed) {
        double value = HUGE_VAL;
        piaa_parse_number(digits.data, &value);
        *out = (match){at, minus ? -value : value};
    }
    free(digits.data);
    return !digits.failed;
}

/* The first such number of the text. */
static bool find_number(const char *text, bool fraction, match *out, piaa_error *error) {
    *out = (match){NULL, NAN};
    for (size_t length; *text && !out->end; text += length) {
        if (!match_number(text, fraction, out, error)) return false;
        character(text, &length);
    }
    return true;
}

static bool find_last(const char *text, match *out, piaa_error *error) {
    match one = {text, NAN};
    *out = one;
    do {
        if (!find_number(one.end, true, &one, error)) return false;
        if (one.end) *out = one;
    } while (one.end);
    return true;
}

/* \b[1-5]\b */
static void find_lone_digit(const char *text, match *out) {
    bool after_word = false;
    *out = (match){NULL, NAN};
    for (size_t length, next; *text && !out->end; text += length) {
        const utf8proc_int32_t c = character(text, &length);
        if (c >= '1' && c <= '5' && !after_word && !is_word(character(text + length, &next)))
            *out = (match){text + length, (double)(c - '0')};
        after_word = is_word(c);
    }
}

static bool find_choice(const char *text, match *out, piaa_error *error) {
    find_lone_digit(text, out);
    if (out->end) return true;
    if (!find_number(text, false, out, error)) return false;
    if (out->end) out->value = fmin(fmax(out->value, 1), 5);
    return true;
}

static bool find_overall(const char *text, match *out, piaa_error *error) {
    static const char word[] = "overall";
    for (const char *at = text; *at; at++) {
        if (strncasecmp(at, word, sizeof word - 1) != 0) continue;
        const char *sign = skip_spaces(at + sizeof word - 1);
        if (*sign != ':' && *sign != '=') continue;
        if (!match_number(skip_spaces(sign + 1), true, out, error)) return false;
        if (out->end) return true;
    }
    return find_last(text, out, error);
}

bool piaa_answer_read(const char *text, piaa_answer_rule rule, double *out, piaa_error *error) {
    match found = {NULL, NAN};
    const bool ok = rule == PIAA_ANSWER_NUMBER  ? find_number(text, true, &found, error)
                    : rule == PIAA_ANSWER_DIGIT ? find_choice(text, &found, error)
                                                : find_overall(text, &found, error);
    *out = found.value;
    return ok;
}
