/*
 * Ratings written as stars where other programs read them, and taken back.
 *
 *     piaa_star_plan *plan = piaa_star_plan_make(photos, ratings, &options, &error);
 *     for (size_t i = 0; i < plan->count; i++) … plan->steps[i].deed …    // nothing is written yet
 *     piaa_star_plan_write(plan, "…/undo/2026-11-26T10-00-00", &options, hooks, &error);
 *     piaa_star_files_undo("…/undo/2026-11-26T10-00-00", hooks, &undone, &left, &error);
 *
 * Photos are never renamed or deleted, and written to only where that is asked for.  Of a photo
 * IMG.CR2 every sidecar that is there gets the stars: IMG.CR2.xmp (darktable, digiKam) and IMG.xmp
 * (Adobe's); where there is none a raw photo gets IMG.xmp, any other IMG.JPG.xmp.  A raw file
 * behind a picture of the same shot gets what is said of the picture.  In a sidecar the bytes of
 * what is said change and no others (image/xmp_edit.h), and so inside photos (image/embed.h).
 *
 * A log is a folder: log.json, one line for each file, and the bytes that sidecars had before; for
 * a photo the line holds the stretches that changed.  They are on the disk before the file changes.
 */
#ifndef PIAA_DATA_STAR_FILES_H
#define PIAA_DATA_STAR_FILES_H

#include "base/memory.h"
#include "features/photos.h"
#include "image/xmp_edit.h"

typedef enum piaa_star_deed {
    PIAA_STAR_SAME,   /* says so already */
    PIAA_STAR_UPDATE, /* the packet is there, and gets the stars */
    PIAA_STAR_NEW,    /* there is none yet */
    PIAA_STAR_KEPT,   /* it says something else, which is replaced only where that is asked for */
    PIAA_STAR_FAILED, /* it cannot be changed; `why` says so */
} piaa_star_deed;
const char *piaa_star_deed_name(piaa_star_deed deed); /* "same", "update", "new", … */

typedef struct piaa_star_step {
    size_t photo;          /* of the photos */
    char *file;            /* the sidecar, or the photo itself, absolute; owned, as is `why` */
    bool embedded;         /* it is the photo */
    bool darktables;       /* darktable wrote it, whose database goes before it */
    piaa_xmp_change wants; /* what it is to say; the label belongs to the options */
    piaa_xmp says;         /* what it says */
    piaa_star_deed deed;
    char *why;
} piaa_star_step;

enum { PIAA_STAR_LABELS = 6 }; /* of 0 to 5 stars */

typedef struct piaa_star_options {
    bool replace;    /* other stars and labels that are there, too */
    bool keep_times; /* a changed file keeps its date */
    bool embed;      /* into photos, where they have room for it; their sidecars too if there are */
    const piaa_ratings *ranking;          /* predicted scores, by path; NULL: none */
    bool scores;                          /* these are written too (piaa:score) */
    const char *labels[PIAA_STAR_LABELS]; /* by predicted stars, or where nothing is predicted by
                                             those given; NULL: none */
} piaa_star_options;

typedef struct piaa_star_plan {
    const piaa_photos *photos;
    piaa_star_step *steps; /* in the order of the photos */
    size_t count, capacity;
    size_t deeds[PIAA_STAR_FAILED + 1]; /* how many of each */
    size_t darktables;                  /* steps */
} piaa_star_plan;

/* Ratings from 1 to 5 are rounded to stars, 0 (as piaa keeps it) is rejected; PIAA_USAGE where a
   rating is on another scale.  Photos of which there is nothing to say are passed over.  A
   predicted score is no rating: it makes labels and piaa:score, and never stars. */
piaa_star_plan *piaa_star_plan_make(const piaa_photos *photos, const piaa_ratings *ratings,
                                    const piaa_star_options *options,
                                    piaa_error *error) PIAA_MUST_USE;
void piaa_star_plan_free(piaa_star_plan *plan);

/* Does what is to be done and brings deeds up to date: a file that cannot be written is told to
 * hooks->warn and FAILED.  The log's folder must not exist; it is not made where there is nothing
 * to do.  Fails where the log cannot be written, or stopped: what was done is in the log. */
bool piaa_star_plan_write(piaa_star_plan *plan, const char *log, const piaa_star_options *options,
                          const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

/* The usual place of a log: a new folder of this moment below $XDG_DATA_HOME/piaa/undo, to be
   freed. */
char *piaa_star_files_log(piaa_error *error) PIAA_MUST_USE;

/* Puts back what a log holds: every byte of the files that have not changed since, and new
 * sidecars are deleted.  Those that did change are left, told to hooks->warn and counted. */
bool piaa_star_files_undo(const char *log, const piaa_hooks *hooks, size_t *undone, size_t *left,
                          piaa_error *error) PIAA_MUST_USE;

#endif
