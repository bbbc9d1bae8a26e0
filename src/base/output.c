/* What may be written over: its mark says that the program made it. */
#include "base/output.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REACH = 1 << 16 };

bool piaa_bytes_hold(const void *bytes, size_t size, const char *text) {
    const size_t length = strlen(text);
    const char *at = bytes, *end = at + size;
    while ((size_t)(end - at) >= length && (at = memchr(at, *text, (size_t)(end - at)))) {
        if ((size_t)(end - at) >= length && memcmp(at, text, length) == 0) return true;
        at++;
    }
    return false;
}

static bool is_marked(FILE *file, const char *mark) {
    static const int ends[] = {SEEK_SET, SEEK_END};
    char *bytes = piaa_alloc(REACH, 1, NULL);
    bool found = false;
    for (size_t i = 0; bytes && !found && i < PIAA_COUNT(ends); i++) {
        if (fseek(file, ends[i] == SEEK_END ? -REACH : 0, ends[i]) != 0) continue; /* it is short */
        found = piaa_bytes_hold(bytes, fread(bytes, 1, REACH, file), mark);
    }
    free(bytes);
    return found;
}

static bool is_own(const char *path, const piaa_output_kind *kind) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    bool own = is_marked(file, kind->mark);
    fclose(file);
    return own;
}

/* Nothing is there yet: can it be? */
static bool check_folder(const char *path, piaa_error *error) {
    char *folder = piaa_path_folder(path, error);
    if (!folder) return false;
    bool ok = access(folder, W_OK | X_OK) == 0 ||
              piaa_error_set_errno(error, errno, "%s cannot be written", path);
    if (ok && !piaa_file_is_folder(folder))
        ok = piaa_error_set_errno(error, ENOTDIR, "%s cannot be written", path);
    free(folder);
    return ok;
}

bool piaa_output_check(const char *path, const piaa_output_kind *kind, piaa_error *error) {
    struct stat status, link;
    if (stat(path, &status) != 0) {
        if (lstat(path, &link) == 0 && S_ISLNK(link.st_mode))
            return piaa_error_set(error, PIAA_USAGE,
                                  "%s is a link to something that is not there: it is left as it "
                                  "is, name another file",
                                  path);
        return errno == ENOENT ? check_folder(path, error)
                               : piaa_error_set_errno(error, errno, "%s cannot be written", path);
    }
    if (S_ISDIR(status.st_mode))
        return piaa_error_set_errno(error, EISDIR, "%s cannot be written", path);
    if (!S_ISREG(status.st_mode) || is_own(path, kind)) return true;
    return piaa_error_set(error, PIAA_USAGE,
                          "%s is there already and is not %s that piaa wrote: it is left as it is, "
                          "name another file",
                          path, kind->noun);
}

bool piaa_output_write(const char *path, const piaa_output_kind *kind, const void *data,
                       size_t size, piaa_error *error) {
    return piaa_output_check(path, kind, error) && piaa_file_write(path, data, size, error);
}
