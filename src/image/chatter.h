/* What decoders write to standard error from inside their libraries, and whose turn it is.
 *
 * Standard error is the process's, as is libvips' error text, so that of two photos that are
 * decoded at once nobody knows which of them a line is about.  Decoding therefore takes place in
 * turns: any number of photos side by side, or one alone, when something was said and it has to be
 * known of whom. */
#ifndef PIAA_IMAGE_CHATTER_H
#define PIAA_IMAGE_CHATTER_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* For programs, not for libraries: from now on what is written to standard error during a turn is
 * kept from it.  Called once, before the first photo.  Returns a stream that goes on leading to
 * standard error, for what the program itself has to say at any time (never closed); NULL where
 * there is none, and nothing is caught. */
FILE *piaa_chatter_catch(void);

/* One turn.  It must not wait for anything that another turn may hold. */
typedef struct piaa_turn {
    bool alone;
    off_t heard; /* bytes that were caught before it */
} piaa_turn;

piaa_turn piaa_turn_begin(bool alone);

/* Ends the turn and returns whether something was said during it.  Its first line is put into
   `line` (of `size` bytes, may be NULL) if the turn was alone. */
bool piaa_turn_end(piaa_turn turn, char *line, size_t size);

#endif
