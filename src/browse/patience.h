/*
 * How long callers may take to say what they want.
 *
 * libmicrohttpd gives up on a connection when nothing comes for a while, but not on one that sends
 * a byte now and then.  Here a connection that has not brought a whole request some seconds after
 * it began, or after its last answer, is shut; and where there are many, the one that has been
 * waited for longest is shut at once, so that whoever means to ask finds room.
 */
#ifndef PIAA_BROWSE_PATIENCE_H
#define PIAA_BROWSE_PATIENCE_H

#include "base/error.h"

typedef struct piaa_patience piaa_patience;
typedef struct piaa_caller piaa_caller; /* a connection */

/* Waits for `most` at a time, `seconds` for each.  Fails: memory, no thread. */
piaa_patience *piaa_patience_new(size_t most, int seconds, piaa_error *error) PIAA_MUST_USE;
void piaa_patience_free(piaa_patience *patience); /* all callers have left */

/* The socket is open until the caller leaves.  NULL: no memory. */
piaa_caller *piaa_patience_meet(piaa_patience *patience, int socket);
void piaa_patience_leave(piaa_patience *patience, piaa_caller *caller);

/* A whole request is there; it was answered, and the next one is waited for.  NULL: nobody. */
void piaa_patience_asked(piaa_patience *patience, piaa_caller *caller);
void piaa_patience_answered(piaa_patience *patience, piaa_caller *caller);

#endif
