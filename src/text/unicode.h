/* UTF-8 and the composed form NFC: what a tokenizer needs of Unicode.  Text is bytes and a size;
   NUL is a character like others. */
#ifndef PIAA_TEXT_UNICODE_H
#define PIAA_TEXT_UNICODE_H

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

/* True where well-formed `text` is in NFC for certain, judged quickly; false: piaa_nfc_add has to
   do its work. */
bool piaa_nfc_is_sure(const char *text, size_t size);

/* Appends the NFC of well-formed `text`. Linear in `size` for any text. */
bool piaa_nfc_add(const char *text, size_t size, piaa_text *out, piaa_error *error) PIAA_MUST_USE;

#endif
