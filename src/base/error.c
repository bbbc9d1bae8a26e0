/* Filling in the piaa_error that the caller holds. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void keep_one_line(char *text) {
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
}

/* snprintf cuts at a byte; a cut inside a UTF-8 sequence would leave a broken character at the
   end. */
static void drop_broken_tail(char *text, size_t size) {
    size_t n = strlen(text);
    if (n + 1 < size) return;
    size_t back = 0;
    while (back < 3 && back < n && ((unsigned char)text[n - 1 - back] & 0xc0) == 0x80) back++;
    if (back < n && ((unsigned char)text[n - 1 - back] & 0xc0) == 0xc0) text[n - 1 - back] = '\0';
}

void piaa_error_tidy(char *text, size_t size) {
    keep_one_line(text);
    drop_broken_tail(text, size);
}

static void set_text(piaa_error *error, piaa_code code, const char *format, va_list arguments) {
    error->code = code;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    piaa_error_tidy(error->message, sizeof error->message);
}

bool piaa_error_set(piaa_error *error, piaa_code code, const char *format, ...) {
    if (!error) return false;
    va_list arguments;
    va_start(arguments, format);
    set_text(error, code, format, arguments);
    va_end(arguments);
    return false;
}

bool piaa_error_set_errno(piaa_error *error, int number, const char *format, ...) {
    if (!error) return false;
    va_list arguments;
    va_start(arguments, format);
    set_text(error, number == ENOMEM ? PIAA_MEMORY : PIAA_IO, format, arguments);
    va_end(arguments);
    size_t n = strlen(error->message);
    snprintf(error->message + n, sizeof error->message - n, ": %s", strerror(number));
    drop_broken_tail(error->message, sizeof error->message);
    return false;
}

bool piaa_error_prefix(piaa_error *error, const char *format, ...) {
    if (!error) return false;
    char old[sizeof error->message];
    memcpy(old, error->message, sizeof old);
    va_list arguments;
    va_start(arguments, format);
    set_text(error, error->code, format, arguments);
    va_end(arguments);
    size_t n = strlen(error->message);
    snprintf(error->message + n, sizeof error->message - n, ": %s", old);
    drop_broken_tail(error->message, sizeof error->message);
    return false;
}

bool piaa_error_missing(piaa_error *error, const char *noun) {
    if (error && error->code != PIAA_OK) return false;
    return piaa_error_set(error, PIAA_USAGE, "no %s was given", noun);
}

bool piaa_error_pending(const piaa_error *error) {
    return error && error->code != PIAA_OK;
}

void piaa_error_clear(piaa_error *error) {
    if (!error) return;
    error->code = PIAA_OK;
    error->message[0] = '\0';
}
