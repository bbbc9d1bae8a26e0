/* Files as the rooms need them: read whole, mapped, written atomically; and their names. */
#ifndef PIAA_BASE_FILE_H
#define PIAA_BASE_FILE_H

#include "base/error.h"

/* A read-only view of a file, mapped where the system can.  data is NULL only for an empty file. */
typedef struct piaa_map {
    const unsigned char *data;
    size_t size;
} piaa_map;

bool piaa_map_open(piaa_map *map, const char *path, piaa_error *error) PIAA_MUST_USE;
void piaa_map_close(piaa_map *map);

/* Tells the system that `size` bytes at `data` inside the map were copied and will not be read
   again. */
void piaa_map_forget(const piaa_map *map, const void *data, size_t size);
/* Whether a few pages of these bytes (of any map) are about to be read here and there, so that the
   system should not read ahead. */
void piaa_map_scattered(const void *data, size_t size, bool scattered);

/* The whole file plus a terminating NUL, to be freed by the caller; refuses files over `limit`
   bytes.  "-" is standard input. */
char *piaa_file_read(const char *path, size_t limit, size_t *size, piaa_error *error) PIAA_MUST_USE;

/* Whether these first bytes are a file's own, and not what stands in its place in a folder that was
   cloned without Git LFS; the error says what to do. */
bool piaa_file_is_whole(const void *bytes, size_t size, const char *where,
                        piaa_error *error) PIAA_MUST_USE;

/* Writes to a temporary neighbour, flushes it to the disk and renames it over `path`: readers see
   the old or the new file whole. */
bool piaa_file_write(const char *path, const void *data, size_t size,
                     piaa_error *error) PIAA_MUST_USE;
/* Renames it over `path` too, but does not wait for the disk: for what can be made again, and is
   looked at before it is believed, since a power cut may leave a part of it. */
bool piaa_file_cache(const char *path, const void *data, size_t size);

bool piaa_file_exists(const char *path);
/* The same of a name in a folder.  Asks for no memory, so that there is no third answer. */
bool piaa_file_exists_in(const char *folder, const char *name);
bool piaa_file_is_folder(const char *path);
/* Whether a folder could be made there: the one above it exists. */
bool piaa_folder_has_place(const char *path, piaa_error *error) PIAA_MUST_USE;
/* Both are there, and are one file under two names (by a link, or in other letters). */
bool piaa_file_is_same(const char *path, const char *other);
/* The system says that nothing has this name, as opposed to what it cannot look at now. */
bool piaa_file_is_gone(const char *path);

/* Paths: allocated results are the caller's.  join: `name` alone if it is absolute.  folder:
 * everything before the last '/', "." if none.  absolute: made absolute and free of ".", ".." and
 * links where the file exists, else made absolute by text alone.  named: the folder made absolute
 * so, and the last name kept, even if it is a link's. */
char *piaa_path_join(const char *folder, const char *name, piaa_error *error) PIAA_MUST_USE;
char *piaa_path_folder(const char *path, piaa_error *error) PIAA_MUST_USE;
char *piaa_path_absolute(const char *path, piaa_error *error) PIAA_MUST_USE;
char *piaa_path_named(const char *path, piaa_error *error) PIAA_MUST_USE;
const char *piaa_path_name(const char *path); /* after the last '/' */
/* What follows `folder` and its '/'; NULL: the path is not in there. */
const char *piaa_path_below(const char *path, const char *folder);
/* How long the path is without its name's ending: all of it for "README" and ".hidden". */
size_t piaa_path_stem(const char *path);
bool piaa_path_ends(const char *path, const char *ending);
/* The same in any case: "MODEL.GGUF", as some systems write it. */
bool piaa_path_ends_like(const char *path, const char *ending);

/* $XDG_CACHE_HOME/rest or ~/.cache/rest, the caller's; need not exist.  Where there is no home the
   error says of `what` ("models") that there is no place for them, and `mend`. */
char *piaa_cache_path(const char *rest, const char *what, const char *mend,
                      piaa_error *error) PIAA_MUST_USE;
/* The same of $XDG_DATA_HOME or ~/.local/share, where what cannot be made again is kept. */
char *piaa_data_path(const char *rest, const char *what, const char *mend,
                     piaa_error *error) PIAA_MUST_USE;
/* Makes a folder and those above it; false with errno.  The path is written in meanwhile. */
bool piaa_folders_make(char *path) PIAA_MUST_USE;

/* A list of strings that it owns; start from {0}. */
typedef struct piaa_paths {
    char **items;
    size_t count, capacity;
} piaa_paths;

bool piaa_paths_add(piaa_paths *paths, const char *path, piaa_error *error) PIAA_MUST_USE;
bool piaa_paths_add_all(piaa_paths *paths, const piaa_paths *more, piaa_error *error) PIAA_MUST_USE;
void piaa_paths_merge(piaa_paths *paths); /* in byte order, each once */
void piaa_paths_free(piaa_paths *paths);

#endif
