/*
 * Photos as a browser shows them: JPEG, upright, in sRGB, shrunk to fit a square.  What was made is
 * kept in the user's cache and made anew when the photo's size or date is another.
 */
#ifndef PIAA_BROWSE_PICTURES_H
#define PIAA_BROWSE_PICTURES_H

#include "browse/helper.h"

enum { PIAA_PICTURE_SMALL = 320, PIAA_PICTURE_LARGE = 2048, PIAA_PICTURE_WHOLE = 32768 };

/* A JPEG of at most `side` x `side` pixels, never enlarged, to be freed by the caller.  Any thread.
   Raw photos are decoded by the helper; NULL: here.  What cannot be kept in the cache (a full disk)
   is made all the same.  Errors: the photo's own, and the helper's. */
void *piaa_picture_make(const char *path, int side, piaa_helper *helper, size_t *size,
                        piaa_error *error) PIAA_MUST_USE;

/* Sees to it that the next call finds it in the cache, where it can be made and kept. */
void piaa_picture_keep(const char *path, int side, piaa_helper *helper);

/* piaa_picture_make in this process, without the cache. */
void *piaa_picture_decode(const char *path, int side, size_t *size,
                          piaa_error *error) PIAA_MUST_USE;

#endif
