/*
 * A page on this machine on which people rate photos and see the ranking learn.
 *
 * The page is open from the beginning; photos are read by the model behind it, on the calling
 * thread, and then it is served until hooks->stop says yes.
 */
#ifndef PIAA_BROWSE_BROWSE_H
#define PIAA_BROWSE_BROWSE_H

#include "browse/door.h"
#include "features/reader.h"
#include "study/projection.h"

typedef struct piaa_browse_options {
    piaa_door *door;    /* where the page is, and who may ask; opened by the run */
    const char *book;   /* the file of ratings; NULL: the usual one (browse/book.h) */
    const char *person; /* who begins; NULL: "me" */
    const piaa_projection *projection; /* the words for scores; NULL: none */
    const char *prior;                 /* a file of `piaa prior`; NULL: none */
    const char *program; /* piaa's own file, which is started for each raw photo that is shown
                            (browse/helper.h); NULL: they are decoded in this process */
    void (*opened)(void *user, const char *address); /* the page is there; NULL: nobody asks */
    void *user;
} piaa_browse_options;

/* The reader has an open store, and its slots are learned from side by side.  true: it was stopped,
 * which is how it ends.  Fails: the port, the book, a prior of other features; photos that cannot
 * be read are warnings, and a run of the model that fails is shown on the page and returned at its
 * end.  PIAA_UNSUPPORTED in a build without libmicrohttpd. */
bool piaa_browse_run(piaa_reader *reader, const piaa_photos *photos,
                     const piaa_browse_options *options, const piaa_hooks *hooks,
                     piaa_error *error) PIAA_MUST_USE;

#endif
