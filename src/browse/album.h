/*
 * What everybody on a page shares: the photos, found by their names, the bursts among them, and who
 * stands back for whom.
 *
 *     piaa_album *album = piaa_album_new(photos, &error);
 *     while (piaa_album_step(album, store, slots)) …        // bursts are looked for, bit by bit
 *     piaa_album_bursts(album)                              // NULL: not found yet
 *     piaa_album_free(album);
 *
 * What is true of a photo is looked up once, however many people rate it.  Functions may be called
 * from any thread, but for piaa_album_step, which one calls at a time.
 */
#ifndef PIAA_BROWSE_ALBUM_H
#define PIAA_BROWSE_ALBUM_H

#include "features/photos.h"
#include "study/bursts.h"

typedef struct piaa_album piaa_album;

/* The photos outlive the album. */
piaa_album *piaa_album_new(const piaa_photos *photos, piaa_error *error) PIAA_MUST_USE;
void piaa_album_free(piaa_album *album);
const piaa_photos *piaa_album_photos(const piaa_album *album);

/* A photo's number by its name in the list, or by its absolute path; SIZE_MAX: it is not there. */
size_t piaa_album_find_name(const piaa_album *album, const char *name);
size_t piaa_album_find_path(const piaa_album *album, const char *path);

/* Looks for bursts, a little of it at a time: reads when the next photo was taken, and behind the
   last one compares those that the store at this path has by these slots (study/bursts.h).  Called
   once all photos are read by the model.  false: there is nothing left to do. */
bool piaa_album_step(piaa_album *album, const char *store, const piaa_slots *slots);
/* The album's own, for good once they are there. */
const piaa_bursts *piaa_album_bursts(const piaa_album *album);

/* Around work that somebody waits for: a picture, a lesson from the last rating.  What nobody waits
   for is done while the album is calm, which it is when there is no such work. */
void piaa_album_hurry(piaa_album *album);
void piaa_album_hurried(piaa_album *album);
bool piaa_album_is_calm(const piaa_album *album);
/* For what takes seconds once it has begun: whether the first screen, or the next one, seems to be
   there, as there was such work and then none for a fifth of a second.  Waits for that, 5 s at most
   and in steps between which `ended` may say that it is no use. */
void piaa_album_wait_for_calm(const piaa_album *album, bool (*ended)(void *user), void *user);

#endif
