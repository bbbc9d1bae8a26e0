/* Files that the program writes where the user says.  It replaces its own files of the same kind,
 * and nothing else: no photo, no table, no note that happens to have the name. */
#ifndef PIAA_BASE_OUTPUT_H
#define PIAA_BASE_OUTPUT_H

#include "base/error.h"

typedef struct piaa_output_kind {
    const char *noun; /* "a taste" */
    const char *mark; /* a text that stands in the first or last 64 KiB of every such file */
} piaa_output_kind;

/* Whether these bytes, the start or the end of a file, hold the text. */
bool piaa_bytes_hold(const void *bytes, size_t size, const char *text);

/* Whether `path` may be written: nothing is there (and its folder is), or a file of this kind, or a
 * device or pipe.  PIAA_USAGE: something else has the name; PIAA_IO: it could not be written. */
bool piaa_output_check(const char *path, const piaa_output_kind *kind,
                       piaa_error *error) PIAA_MUST_USE;

/* piaa_file_write to a path that piaa_output_check allows. */
bool piaa_output_write(const char *path, const piaa_output_kind *kind, const void *data,
                       size_t size, piaa_error *error) PIAA_MUST_USE;

#endif
