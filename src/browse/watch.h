/*
 * New photos in the folders of a page, found while it is open.
 *
 * Folders are walked again every two seconds, less often where that takes long (never more than a
 * twentieth of the time).  Notices of the system (inotify, FSEvents) would come sooner, but not for
 * what another machine writes to a network disk, and photos often come that way.
 *
 * A file is taken when its size and date have stood still from one walk to the next, so that one
 * that is still being copied is left alone; of many that come together none is taken before all of
 * them stand still, or half a minute is over, since everything is learned anew with each list.
 * A copy may stand still for longer (a network that hangs), so that photos which came here and have
 * changed since are read once more.  Photos that go stay on the list, and cannot be shown; of those
 * that were there at first changes are read when others come, or in the next run.
 */
#ifndef PIAA_BROWSE_WATCH_H
#define PIAA_BROWSE_WATCH_H

#include "browse/shelf.h"

typedef struct piaa_watch piaa_watch;

/* The shelf outlives it. */
piaa_watch *piaa_watch_new(piaa_shelf *shelf, piaa_error *error) PIAA_MUST_USE;
/* Walks on a thread of its own from now on; false: there is none. */
bool piaa_watch_start(piaa_watch *watch, piaa_error *error) PIAA_MUST_USE;
void piaa_watch_free(piaa_watch *watch); /* waits for a walk in hand */

/* One walk, which the thread does; true: the shelf has a new list.  What cannot be taken in just
   now (the book of ratings is locked, memory) is tried again with the next walks. */
bool piaa_watch_look(piaa_watch *watch);

#endif
