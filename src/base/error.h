/* Filling in the piaa_error that the caller holds.  A NULL error is allowed everywhere: the failure
   is still returned. */
#ifndef PIAA_BASE_ERROR_H
#define PIAA_BASE_ERROR_H

#include "base/portability.h"
#include "piaa.h"

/* Sets code and message (control characters become spaces, so that it stays one line).  Always
 * returns false, so that a function may end with `return piaa_error_set(...)`. */
bool piaa_error_set(piaa_error *error, piaa_code code, const char *format, ...) PIAA_PRINTF(3, 4);

/* The same from errno, "FORMAT: No such file or directory"; the code is PIAA_IO (PIAA_MEMORY for
   ENOMEM). */
bool piaa_error_set_errno(piaa_error *error, int number, const char *format, ...) PIAA_PRINTF(3, 4);

/* Puts "FORMAT: " before the message that is there, for a caller that knows where it happened.
   Returns false. */
bool piaa_error_prefix(piaa_error *error, const char *format, ...) PIAA_PRINTF(2, 3);

/* For a handle argument that is NULL: keeps an earlier error, sets PIAA_USAGE "no NOUN" where there
   is none.  Returns false. */
bool piaa_error_missing(piaa_error *error, const char *noun);

/* True where `error` holds a failure already: a function that begins a chain of calls then does
   nothing, so that the first error stays. */
bool piaa_error_pending(const piaa_error *error);

/* What is done to every message: of text that snprintf wrote into `size` bytes, control characters
   become spaces and a UTF-8 sequence that the end cut goes. */
void piaa_error_tidy(char *text, size_t size);

/* Forgets an error that was dealt with. */
void piaa_error_clear(piaa_error *error);

#endif
