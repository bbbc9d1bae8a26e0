/* Talking to the caller's hooks, any of which may be missing, and the clock that long jobs are
   timed by. */
#ifndef PIAA_BASE_HOOKS_H
#define PIAA_BASE_HOOKS_H

#include "base/portability.h"
#include "piaa.h"

#include <stdarg.h>

/* A single line, as in errors (base/error.h); nothing where there is no warn hook. */
void piaa_hooks_warn(const piaa_hooks *hooks, const char *format, ...) PIAA_PRINTF(2, 3);
void piaa_hooks_warn_list(const piaa_hooks *hooks, const char *format, va_list arguments)
    PIAA_PRINTF(2, 0);
/* The same for the note hook. */
void piaa_hooks_note(const piaa_hooks *hooks, const char *format, ...) PIAA_PRINTF(2, 3);
double piaa_seconds_now(void); /* of a clock that only goes forward */
/* "2025-01-31T12:00:00Z"; "" where the system cannot tell. */
void piaa_utc_now(char out[32]);

#endif
