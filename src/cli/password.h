/* A password, from a file or from the person at the terminal. */
#ifndef PIAA_CLI_PASSWORD_H
#define PIAA_CLI_PASSWORD_H

#include "base/error.h"

/* The first line of `file`; NULL: asked for at the terminal, where it is not shown.  To be freed.
 * Fails: the file cannot be read; there is no terminal to ask at; Ctrl-C (PIAA_STOPPED). */
char *piaa_password_read(const char *file, piaa_error *error) PIAA_MUST_USE;

#endif
