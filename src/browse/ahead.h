/*
 * Small pictures made before they are asked for, while nobody asks for any.
 *
 * The pass begins behind the photo that was last asked for, which is where the eye goes, and ends
 * when every photo has its picture in the cache.
 */
#ifndef PIAA_BROWSE_AHEAD_H
#define PIAA_BROWSE_AHEAD_H

#include "browse/helper.h"
#include "browse/library.h"

typedef struct piaa_ahead piaa_ahead;

/* The library and the helper (NULL: none) are kept by the caller.  NULL on failure. */
piaa_ahead *piaa_ahead_new(const piaa_library *library, piaa_helper *helper, piaa_error *error);
void piaa_ahead_free(piaa_ahead *ahead);

/* Around the making of a picture that somebody waits for.  Any thread. */
void piaa_ahead_asked(piaa_ahead *ahead, size_t photo);
void piaa_ahead_answered(piaa_ahead *ahead);

/* Makes the next one.  false: somebody is asking, or all are made.  One thread at a time. */
bool piaa_ahead_step(piaa_ahead *ahead);

#endif
