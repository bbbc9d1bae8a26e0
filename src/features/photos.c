/* From the names a user gives to the list of photo files they mean. */
#include "features/embed.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_and_merge(piaa_paths *paths) {
    if (!paths->count) return;
    qsort(paths->items, paths->count, sizeof *paths->items, compare_paths);
    size_t kept = 0;
    for (size_t i = 0; i < paths->count; i++) {
        if (kept && strcmp(paths->items[kept - 1], paths->items[i]) == 0)
            free(paths->items[i]);
        else
            paths->items[kept++] = paths->items[i];
    }
    paths->count = kept;
}

bool piaa_photos_collect(const char *const *names, size_t count, const piaa_hooks *hooks,
                         piaa_paths *out, piaa_error *error) {
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        if (stat(names[i], &status) != 0)
            return errno == ENOENT
                       ? piaa_error_set(error, PIAA_IO,
                                        "%s does not exist: name photos, or folders that hold some",
                                        names[i])
                       : piaa_error_set_errno(error, errno, "%s", names[i]);
        char *path = piaa_path_absolute(names[i], error);
        bool ok = path != NULL;
        if (ok && S_ISDIR(status.st_mode))
            ok = piaa_folder_walk(path, piaa_image_has_photo_name, out, hooks, error);
        else if (ok)
            ok = piaa_paths_add(out, path, error);
        free(path);
        if (!ok) return false;
    }
    sort_and_merge(out);
    if (out->count) return true;
    if (count == 1)
        return piaa_error_set(
            error, PIAA_USAGE,
            "%s holds no photos (JPEG, PNG, WebP, TIFF, HEIF, … by the name's ending)", names[0]);
    return piaa_error_set(error, PIAA_USAGE,
                          count ? "none of the %zu folders holds a photo" : "no photos were given",
                          count);
}
