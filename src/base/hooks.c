/* Talking to the caller's hooks, and the clock. */
#include "base/hooks.h"

#include "base/error.h"

#include <stdio.h>
#include <time.h>

enum { LINE = 10 * 1024 }; /* two paths, and what is said of them */

void piaa_hooks_warn_list(const piaa_hooks *hooks, const char *format, va_list arguments) {
    char line[LINE];
    if (!hooks || !hooks->warn) return;
    vsnprintf(line, sizeof line, format, arguments);
    piaa_error_tidy(line, sizeof line);
    hooks->warn(hooks->user, line);
}

void piaa_hooks_warn(const piaa_hooks *hooks, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    piaa_hooks_warn_list(hooks, format, arguments);
    va_end(arguments);
}

void piaa_hooks_note(const piaa_hooks *hooks, const char *format, ...) {
    char line[LINE];
    va_list arguments;
    if (!hooks || !hooks->note) return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    piaa_error_tidy(line, sizeof line);
    hooks->note(hooks->user, line);
}

double piaa_seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void piaa_utc_now(char out[32]) {
    const time_t now = time(NULL);
    struct tm utc;
    *out = '\0';
    if (gmtime_r(&now, &utc)) strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
