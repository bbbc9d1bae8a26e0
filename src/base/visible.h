/* Text from elsewhere (names of files, what files hold, what a server says) as it may be shown to
   a person. */
#ifndef PIAA_BASE_VISIBLE_H
#define PIAA_BASE_VISIBLE_H

#include "base/memory.h"

enum { PIAA_VISIBLE_MOST = 12 }; /* bytes that one character becomes at most */

/*
 * Takes the next character of text [size] (at least 1): its bytes as they may be shown go to
 * `shown`, *length of them, *columns wide on a terminal; returns how many bytes it had.  What moves
 * a cursor, turns the direction of writing or cannot be seen is spelled out, and so is a byte that
 * is no UTF-8: \n, \x1b, \xff, \u202e.  The joiners of emoji and of scripts that join stay.
 * Allocates nothing, so that a signal handler may call it.
 */
size_t piaa_visible_next(const char *text, size_t size, char shown[PIAA_VISIBLE_MOST],
                         size_t *length, int *columns);

/* Appends all of `text` like this: one line, whatever it holds. */
bool piaa_visible_add(piaa_text *out, const char *text, piaa_error *error);

/* How many columns of a terminal that takes. */
int piaa_visible_columns(const char *text);

#endif
