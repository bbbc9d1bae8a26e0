/* The composed form NFC, and case folding.  Text is bytes and a size; NUL is a character like
 * others. */
#ifndef PIAA_TEXT_UNICODE_H
#define PIAA_TEXT_UNICODE_H

#include "base/utf8.h"

/* True where well-formed `text` is in NFC for certain, judged quickly; false: piaa_nfc_add has to
   do its work. */
bool piaa_nfc_is_sure(const char *text, size_t size);

/* Appends the NFC of well-formed `text`. Linear in `size` for any text. */
bool piaa_nfc_add(const char *text, size_t size, piaa_text *out, piaa_error *error) PIAA_MUST_USE;

/* Appends what is the same for every spelling of well-formed `text` in small and capital letters
 * and in composed and decomposed form: Unicode's full case folding, in NFC.  Linear as well. */
bool piaa_fold_add(const char *text, size_t size, piaa_text *out, piaa_error *error) PIAA_MUST_USE;

#endif
