/* UTF-8: checking, repair, and text of other encodings made into it.  Text is bytes and a size; NUL
   is a character like others. */
#ifndef PIAA_BASE_UTF8_H
#define PIAA_BASE_UTF8_H

#include "base/memory.h"

/* How many bytes at the start of `text` are well-formed UTF-8; `size` if all are. */
size_t piaa_utf8_check(const char *text, size_t size);

/* Appends `text` with every ill-formed part replaced by U+FFFD, one for each maximal subpart
 * (Unicode 3.9, "substitution of maximal subparts"; what Python's errors="replace" and Rust's
 * from_utf8_lossy do). */
bool piaa_utf8_repair(const char *text, size_t size, piaa_text *out,
                      piaa_error *error) PIAA_MUST_USE;

/* Bytes of the character that starts with `first`, in well-formed text. */
size_t piaa_utf8_length(char first);

/* How much of `text` to show in a message, for "%.*s": all of it, or at most `limit` bytes that end
   between two characters. */
int piaa_utf8_shown(const char *text, int limit);

/* Where `text`, NUL-terminated and of *size bytes, begins without the white space around it, and
   through *size its length then; as Python's strip() and the chat templates' trim know it. */
const char *piaa_utf8_trim(const char *text, size_t *size);

/* What a text file's bytes were taken for. */
typedef enum piaa_encoding {
    PIAA_ENCODING_UTF8, /* with or without a byte order mark */
    PIAA_ENCODING_UTF16,
    PIAA_ENCODING_UTF32,
    PIAA_ENCODING_WINDOWS, /* Windows-1252, in some lines at least; the others are UTF-8 */
} piaa_encoding;

/* "UTF-8", "UTF-16", "UTF-32", "Windows-1252" */
const char *piaa_encoding_name(piaa_encoding encoding);

/*
 * Appends the bytes of a text file as UTF-8.  Byte order marks are obeyed and taken away; UTF-16
 * without one is told by its zero bytes.  A line that is not UTF-8 is Windows-1252 (of which ISO
 * 8859-1's letters are a part), so that a file put together from both is read as well; the five
 * bytes that Windows-1252 leaves open become the control characters of their number, as in browsers
 * (WHATWG, "Encoding").  Lone surrogates and a half character at the end become U+FFFD.
 */
bool piaa_utf8_decode(const char *bytes, size_t size, piaa_text *out, piaa_encoding *encoding,
                      piaa_error *error) PIAA_MUST_USE;

#endif
