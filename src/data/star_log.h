/*
 * What star files were before they were changed: the log behind piaa_star_files_undo.
 *
 * A log is a folder: log.json, one line for each file, and the bytes that sidecars had before; of a
 * photo the line holds the stretches that changed.
 */
#ifndef PIAA_DATA_STAR_LOG_H
#define PIAA_DATA_STAR_LOG_H

#include "base/patch.h"

enum { PIAA_STAR_SIDECAR_MOST = 1 << 24 }; /* bytes */
#define PIAA_STAR_PHOTO_MOST ((size_t)UINT32_MAX)

/* One file's bytes at this moment, and what they become; start from {0}. */
typedef struct piaa_star_change {
    const char *file;
    char *before; /* NULL: there is no file */
    size_t size;
    piaa_text after;
    piaa_patch patch; /* the way there, of a photo; empty of a sidecar, which is kept whole */
} piaa_star_change;
void piaa_star_change_free(piaa_star_change *change);

/* A log that is being written. */
typedef struct piaa_star_log {
    const char *folder;
    int file;
    size_t kept; /* files with what was before */
} piaa_star_log;

/* Makes the folder, which must not exist (PIAA_USAGE); closed in either case. */
bool piaa_star_log_open(piaa_star_log *log, const char *folder, piaa_error *error) PIAA_MUST_USE;
/* It is on the disk when this returns. */
bool piaa_star_log_add(piaa_star_log *log, const piaa_star_change *change,
                       piaa_error *error) PIAA_MUST_USE;
void piaa_star_log_close(piaa_star_log *log);

#endif
