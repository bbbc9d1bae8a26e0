/* The first few faults of a kind, and the number of the rest. */
#include "data/notices.h"

#include <stdarg.h>

enum { TOLD = 3 };

void piaa_notices_tell(piaa_notices *notices, const char *format, ...) {
    va_list arguments;
    if (notices->count++ >= TOLD) return;
    va_start(arguments, format);
    piaa_hooks_warn_list(notices->hooks, format, arguments);
    va_end(arguments);
}

void piaa_notices_end(piaa_notices *notices) {
    if (notices->count > TOLD)
        piaa_hooks_warn(notices->hooks, "%s: %s: %zu more", notices->where, notices->kind,
                        notices->count - TOLD);
}
