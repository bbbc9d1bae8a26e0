/*
 * Ratings written as stars beside the photos, where other programs read them, and taken back.
 *
 *     piaa_star_plan *plan = piaa_star_plan_make(photos, ratings, &options, &error);
 *     for (size_t i = 0; i < plan->count; i++) … plan->steps[i].deed …    // nothing is written yet
 *     piaa_star_plan_write(plan, "…/undo/2026-11-26T10-00-00", &options, hooks, &error);
 *     piaa_star_files_undo("…/undo/2026-11-26T10-00-00", hooks, &undone, &left, &error);
 *
 * Photos are never written to, nor renamed or deleted.  Of a photo IMG.CR2 every sidecar that is
 * there gets the stars: IMG.CR2.xmp (darktable, digiKam) and IMG.xmp (Adobe's); where there is none
 * a raw photo gets IMG.xmp, any other IMG.JPG.xmp.  In a sidecar the rating's bytes change and no
 * others (image/xmp_edit.h).
 *
 * A log is a folder: log.json, one line for each sidecar, and the bytes that it had before.  Both
 * are on the disk before the sidecar changes.
 */
#ifndef PIAA_DATA_STAR_FILES_H
#define PIAA_DATA_STAR_FILES_H

#include "base/memory.h"
#include "features/photos.h"

typedef enum piaa_star_deed {
    PIAA_STAR_SAME,   /* says so already */
    PIAA_STAR_UPDATE, /* the sidecar is there, and gets the stars */
    PIAA_STAR_NEW,    /* there is none yet */
    PIAA_STAR_KEPT,   /* it has other stars, which are replaced only where that is asked for */
    PIAA_STAR_FAILED, /* it cannot be changed; `why` says so */
} piaa_star_deed;
const char *piaa_star_deed_name(piaa_star_deed deed); /* "same", "update", "new", … */

typedef struct piaa_star_step {
    size_t photo;  /* of the photos */
    char *sidecar; /* absolute; owned, as is `why` */
    int stars;     /* -1: rejected, 1 to 5 */
    double before; /* that the sidecar has; NaN: none */
    piaa_star_deed deed;
    char *why;
} piaa_star_step;

typedef struct piaa_star_options {
    bool replace;    /* other stars in a sidecar, too */
    bool keep_times; /* a changed sidecar keeps its date */
} piaa_star_options;

typedef struct piaa_star_plan {
    const piaa_photos *photos;
    piaa_star_step *steps; /* in the order of the photos */
    size_t count, capacity;
    size_t deeds[PIAA_STAR_FAILED + 1]; /* how many of each */
} piaa_star_plan;

/* Scores from 1 to 5 are rounded to stars, 0 (as piaa keeps it) is rejected; PIAA_USAGE where a
   rating is on another scale.  Photos without a rating are passed over. */
piaa_star_plan *piaa_star_plan_make(const piaa_photos *photos, const piaa_ratings *ratings,
                                    const piaa_star_options *options,
                                    piaa_error *error) PIAA_MUST_USE;
void piaa_star_plan_free(piaa_star_plan *plan);

/* Does what is to be done and brings deeds up to date: a sidecar that cannot be written is told to
 * hooks->warn and FAILED.  The log's folder must not exist; it is not made where there is nothing
 * to do.  Fails where the log cannot be written, or stopped: what was done is in the log. */
bool piaa_star_plan_write(piaa_star_plan *plan, const char *log, const piaa_star_options *options,
                          const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

/* The usual place of a log: a folder of this moment below $XDG_DATA_HOME/piaa/undo, to be freed. */
char *piaa_star_files_log(piaa_error *error) PIAA_MUST_USE;

/* Puts back what a log holds: every byte of the sidecars that have not changed since, and new ones
 * are deleted.  Those that did change are left, told to hooks->warn and counted. */
bool piaa_star_files_undo(const char *log, const piaa_hooks *hooks, size_t *undone, size_t *left,
                          piaa_error *error) PIAA_MUST_USE;

#endif
