/*
 * Pictures that another process makes.
 *
 * The decoders of raw photos read hundreds of cameras' own formats, and a damaged or hostile file
 * may end the process that they run in, or keep it for ever.  On the page that must cost one
 * picture and not the session: such a photo is decoded by a process of its own, the program itself
 * started again (posix_spawn: a fork of a process with threads may not do anything else), with
 * limits on its time and memory.  What it makes comes through a pipe.
 */
#ifndef PIAA_BROWSE_HELPER_H
#define PIAA_BROWSE_HELPER_H

#include "base/error.h"

/* The first of the three words with which the program is started: it, a path, the square's side. */
#define PIAA_HELPER_WORD "--picture"

typedef struct piaa_helper piaa_helper;

/* At most `most` processes run at once, each for at most `seconds`; others wait for their turn.
   `program` is kept by the caller.  NULL on failure. */
piaa_helper *piaa_helper_new(const char *program, int most, int seconds, piaa_error *error);
/* Nobody waits any more. */
void piaa_helper_free(piaa_helper *helper);

/* A JPEG as piaa_picture_make, freed by the caller.  Any thread.  Errors: what the process said of
   the photo; PIAA_UNSUPPORTED where it crashed or took too long; PIAA_IO: it cannot be started. */
void *piaa_helper_make(piaa_helper *helper, const char *path, int side, size_t *size,
                       piaa_error *error) PIAA_MUST_USE;

/* The other side: makes the picture and writes it, or one line that says why not, to standard
   output.  The exit status. */
int piaa_helper_run(const char *path, const char *side);

#endif
