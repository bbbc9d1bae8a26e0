/* Lines for hooks->warn. */
#include "data/notices.h"

#include <stdarg.h>
#include <stdio.h>

enum { TOLD = 3 };

static void warn(const piaa_hooks *hooks, const char *format, va_list arguments) {
    piaa_error line; /* what fits into an error fits into a warning */
    if (!hooks || !hooks->warn) return;
    vsnprintf(line.message, sizeof line.message, format, arguments);
    for (char *c = line.message; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    hooks->warn(hooks->user, line.message);
}

void piaa_notices_warn(const piaa_hooks *hooks, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    warn(hooks, format, arguments);
    va_end(arguments);
}

void piaa_notices_tell(piaa_notices *notices, const char *format, ...) {
    va_list arguments;
    if (notices->count++ >= TOLD) return;
    va_start(arguments, format);
    warn(notices->hooks, format, arguments);
    va_end(arguments);
}

void piaa_notices_end(piaa_notices *notices) {
    if (notices->count > TOLD)
        piaa_notices_warn(notices->hooks, "%s: %s: %zu more", notices->where, notices->kind,
                          notices->count - TOLD);
}
