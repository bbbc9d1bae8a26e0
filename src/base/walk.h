/* Folders walked all the way down, through links too, each folder once. */
#ifndef PIAA_BASE_WALK_H
#define PIAA_BASE_WALK_H

#include "base/file.h"

/* What a walk meets in a folder, hidden things included. */
typedef enum piaa_walk_kind {
    PIAA_WALK_FILE,
    PIAA_WALK_DEAD_LINK, /* what it leads to is not there */
    PIAA_WALK_OTHER,     /* a device, pipe or socket */
} piaa_walk_kind;

typedef struct piaa_walk_entry {
    piaa_walk_kind kind;
    const char *name; /* the last part of `path` */
    const char *path; /* the folder that was given, joined with the names on the way */
    const char *real; /* the same file, absolute, all links followed; of a dead link: `path` */
} piaa_walk_entry;

/* Who is told. */
typedef struct piaa_walker {
    void *user;
    /* Whether to walk a subfolder; `name` is the last part of `path`. */
    bool (*enter)(void *user, const char *path, const char *name);
    /* false, with the error set, ends the walk. */
    bool (*meet)(void *user, const piaa_walk_entry *entry, piaa_error *error);
} piaa_walker;

/* Walks `folder`, in no certain order.  A folder that several names lead to (by links, or mounted
 * twice) is walked once, by its own name if that is below `folder`, else by the first in byte
 * order.  What cannot be read is told to hooks->warn (may be NULL) and left out, unless it is
 * `folder` itself. */
bool piaa_folder_visit(const char *folder, const piaa_walker *walker, const piaa_hooks *hooks,
                       piaa_error *error) PIAA_MUST_USE;

/* Adds every regular file below `folder` (hidden ones left out, in byte order of the path) for
 * which keep(name) is true.  A link of such a name that leads nowhere is told to hooks->warn. */
bool piaa_folder_walk(const char *folder, bool (*keep)(const char *name), piaa_paths *out,
                      const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

#endif
