/*
 * The photos of a page as they are now, with the people on them: what is replaced as a whole when
 * new photos come.
 *
 *     piaa_shelf *shelf = piaa_shelf_new(&source, "anna", helper, &error);
 *     piaa_show *show = piaa_shelf_take(shelf);     // stays whole until it is given back
 *     piaa_shelf_give(shelf, show);
 *     piaa_shelf_replace(shelf, more, &error);      // from here on others take the new one
 *
 * A new list holds the photos of the one before by the same numbers, and new ones behind them;
 * people keep their numbers, too.  So what a page knows of the old list is right for the new one.
 * Everything that is learned begins anew with it: from the same ratings, in the same store.
 *
 * A change of ratings that begins before the replacement has reached the book by then, and one that
 * begins afterwards finds the new list (piaa_shelf_take_to_change).  Functions may be called from
 * any thread.
 */
#ifndef PIAA_BROWSE_SHELF_H
#define PIAA_BROWSE_SHELF_H

#include "browse/ahead.h"
#include "browse/people.h"

typedef struct piaa_shelf piaa_shelf;

/* Its parts are the shelf's. */
typedef struct piaa_show {
    const piaa_photos *photos;
    piaa_people *people;
    piaa_ahead *ahead;
    piaa_photos *own; /* photos, if they go with the show; else NULL */
    int holders;      /* under the shelf's lock */
} piaa_show;

/* What `source` points to (the photos, too) and the helper outlive the shelf. */
piaa_shelf *piaa_shelf_new(const piaa_people_source *source, const char *person,
                           piaa_helper *helper, piaa_error *error) PIAA_MUST_USE;
/* Ends the people (browse/people.h): whoever waits for them stops waiting. */
void piaa_shelf_end(piaa_shelf *shelf);
void piaa_shelf_free(piaa_shelf *shelf); /* everything was given back */

piaa_show *piaa_shelf_take(piaa_shelf *shelf);
void piaa_shelf_give(piaa_shelf *shelf, piaa_show *show);
piaa_show *piaa_shelf_hold(piaa_shelf *shelf, piaa_show *show); /* once more; given back twice */
bool piaa_shelf_is_now(piaa_shelf *shelf, const piaa_show *show);

/* Around a request that changes something: no replacement comes between. */
piaa_show *piaa_shelf_take_to_change(piaa_shelf *shelf);
void piaa_shelf_give_changed(piaa_shelf *shelf, piaa_show *show);

/* Takes over `more`: the photos of the list before, in their order, and perhaps others behind them.
   False, and everything stays as it was: memory, the book. */
bool piaa_shelf_replace(piaa_shelf *shelf, piaa_photos *more, piaa_error *error) PIAA_MUST_USE;

#endif
