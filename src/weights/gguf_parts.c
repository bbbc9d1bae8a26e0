/* One model in several GGUF files, as llama-gguf-split cuts it:
 *
 *     NAME-00001-of-00003.gguf    the metadata, and the first tensors
 *     NAME-00002-of-00003.gguf    split.no 1 and more tensors; and so on
 *
 * Each file says how many there are (split.count), which one it is (split.no, from 0) and how many
 * tensors all hold together (split.tensors.count). */
#include "weights/gguf.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 1000 };

int piaa_gguf_part(const piaa_gguf *file, int *parts) {
    int64_t count = 1, number = 0;
    piaa_gguf_int(file, "split.count", &count);
    piaa_gguf_int(file, "split.no", &number);
    const bool sound = count > 1 && count <= MAX_PARTS && number >= 0 && number < count;
    *parts = sound ? (int)count : 1;
    return sound ? (int)number : 0;
}

/* The path of part `index`, as that of any of them calls it; the caller's. */
static char *name_part(const char *path, int index, int parts, piaa_error *error) {
    char ending[32];
    size_t n = strlen(path), end = (size_t)snprintf(ending, sizeof ending, "-of-%05d.gguf", parts);
    enum { NUMBER = 6 }; /* "-00001" */
    if (n > end + NUMBER && piaa_path_ends_like(path, ending) && path[n - end - NUMBER] == '-')
        return piaa_format(error, "%.*s-%05d%s", (int)(n - end - NUMBER), path, index + 1,
                           path + n - end);
    piaa_error_set(error, PIAA_FORMAT,
                   "%s is one of %d parts of a model, and its name does not say what the others "
                   "are called: give them the names that they were published under "
                   "(…-00001%s)",
                   path, parts, ending);
    return NULL;
}

static piaa_gguf *open_part(const char *path, int index, int parts, piaa_error *error) {
    if (!piaa_file_exists(path)) {
        piaa_error_set(error, PIAA_IO,
                       "%s is missing: the model is in %d files, fetch this one too", path, parts);
        return NULL;
    }
    piaa_gguf *file = piaa_gguf_open(path, error);
    int count, number = file ? piaa_gguf_part(file, &count) : 0;
    if (!file || (count == parts && number == index)) return file;
    piaa_error_set(error, PIAA_FORMAT,
                   "%s is not part %d of %d, which its name says: fetch it again", path, index + 1,
                   parts);
    piaa_gguf_close(file);
    return NULL;
}

static piaa_gguf *open_all(const char *path, int parts, piaa_gguf **files, piaa_error *error) {
    for (int i = 0; i < parts; i++) {
        char *part = name_part(path, i, parts, error);
        if (part) files[i] = open_part(part, i, parts, error);
        free(part);
        if (!files[i]) return NULL;
    }
    int64_t tensors = 0;
    if (!piaa_gguf_join(files[0], files + 1, (size_t)parts - 1, error)) return NULL;
    if (piaa_gguf_int(files[0], "split.tensors.count", &tensors) &&
        (uint64_t)tensors != piaa_gguf_count(files[0])) {
        piaa_error_set(error, PIAA_FORMAT,
                       "%s and its %d other parts hold %zu tensors, not the %lld that they should: "
                       "fetch them again from one place",
                       piaa_gguf_where(files[0]), parts - 1, piaa_gguf_count(files[0]),
                       (long long)tensors);
        return NULL;
    }
    piaa_gguf *whole = files[0];
    files[0] = NULL;
    return whole;
}

piaa_gguf *piaa_gguf_open_parts(const char *path, piaa_error *error) {
    piaa_gguf *file = piaa_gguf_open(path, error), *whole = NULL;
    int parts = 1;
    if (file) piaa_gguf_part(file, &parts);
    if (!file || parts == 1) return file;
    piaa_gguf_close(file);
    piaa_gguf **files = piaa_alloc((size_t)parts, sizeof(piaa_gguf *), error);
    if (files) whole = open_all(path, parts, files, error);
    for (int i = 0; files && i < parts; i++) piaa_gguf_close(files[i]);
    free(files);
    return whole;
}
