/* The two files of a GGUF model, from what a user names: a folder, the text model's file, or both
   (--mmproj, or a comma between them). */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static bool is_file(const char *path) {
    return piaa_file_exists(path) && !piaa_file_is_folder(path);
}

/* The comma between two files, NULL if there is none: the name of a file may hold commas. */
static const char *find_comma(const char *path) {
    if (piaa_file_exists(path)) return NULL;
    for (const char *comma = strchr(path, ','); comma; comma = strchr(comma + 1, ',')) {
        char *text = piaa_format(NULL, "%.*s", (int)(comma - path), path);
        bool found = text && is_file(text);
        free(text);
        if (found) return comma;
    }
    return NULL;
}

/* The .gguf files of a folder, sorted. */
static bool list_files(const char *folder, piaa_paths *out, piaa_error *error) {
    DIR *stream = opendir(folder);
    bool ok = true;
    for (struct dirent *item; stream && ok && (item = readdir(stream));) {
        if (item->d_name[0] == '.' || !piaa_path_ends_like(item->d_name, ".gguf")) continue;
        char *path = piaa_path_join(folder, item->d_name, error);
        ok = path && (piaa_file_is_folder(path) || piaa_paths_add(out, path, error));
        free(path);
    }
    if (stream) closedir(stream);
    for (size_t i = 1; i < out->count; i++) /* few */
        for (size_t j = i; j > 0 && strcmp(out->items[j - 1], out->items[j]) > 0; j--) {
            char *other = out->items[j];
            out->items[j] = out->items[j - 1];
            out->items[j - 1] = other;
        }
    return ok;
}

/* Publishers put config.json beside GGUF files too, so only the weights tell. */
static bool holds_safetensors(const char *folder) {
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    bool found = false;
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        char *path = piaa_path_join(folder, names[i], NULL);
        found = found || (path && piaa_file_exists(path));
        free(path);
    }
    return found;
}

bool piaa_gguf_pair_is(const char *path) {
    if (find_comma(path)) return true;
    if (!piaa_file_is_folder(path))
        return is_file(path) && (piaa_path_ends_like(path, ".gguf") || piaa_gguf_is(path));
    piaa_paths files = {0};
    bool named = !holds_safetensors(path) && list_files(path, &files, NULL) && files.count > 0;
    piaa_paths_free(&files);
    return named;
}

static bool is_vision(const piaa_gguf *file) {
    const char *architecture = piaa_gguf_string(file, "general.architecture");
    return architecture && strcmp(architecture, "clip") == 0;
}

/* Publishers put other things into GGUF files too: adapters, importance values. */
static bool is_model(const piaa_gguf *file) {
    const char *type = piaa_gguf_string(file, "general.type");
    return !type || strcmp(type, "model") == 0;
}

/* Whether an earlier one of the sorted files is a part of the same model: their names differ in the
   number before "-of-" alone. */
static bool follows_part(const piaa_paths *files, size_t index) {
    enum { TAIL = sizeof "00001-of-00003.gguf" - 1, NUMBER = 5 };
    const char *a = files->items[index];
    const size_t n = strlen(a);
    for (size_t i = 0; n > TAIL && i < index; i++) {
        const char *b = files->items[i];
        if (strlen(b) == n && strncmp(a, b, n - TAIL) == 0 &&
            strcmp(a + n - TAIL + NUMBER, b + n - TAIL + NUMBER) == 0)
            return true;
    }
    return false;
}

/* The one text model among the files; of one in several parts the first that is there. */
static bool find_text(const char *folder, const piaa_paths *files, char **out, piaa_error *error) {
    for (size_t i = 0; i < files->count; i++) {
        piaa_gguf *file = piaa_gguf_open(files->items[i], error);
        if (!file) return false;
        int parts = 1;
        bool other = is_vision(file) || !is_model(file) ||
                     (piaa_gguf_part(file, &parts) > 0 && follows_part(files, i));
        piaa_gguf_close(file);
        if (other) continue;
        if (*out)
            return piaa_error_set(
                error, PIAA_USAGE,
                "%s holds several models, %s and %s among them: name one of the files", folder,
                piaa_path_name(*out), piaa_path_name(files->items[i]));
        *out = piaa_strdup(files->items[i], error);
        if (!*out) return false;
    }
    return *out || piaa_error_set(error, PIAA_FORMAT,
                                  "%s holds the vision part (mmproj) of a model, but no text model",
                                  folder);
}

/* Whether a file is called as piaa model convert calls the vision part of `text`:
   mmproj-TEXT.gguf. */
static bool is_namesake(const char *text, const char *vision) {
    static const char before[] = "mmproj-";
    vision = piaa_path_name(vision);
    return strncmp(vision, before, sizeof before - 1) == 0 &&
           strcmp(vision + sizeof before - 1, piaa_path_name(text)) == 0;
}

/* The one vision part among the files that fits the text model, or of several its namesake.  If
   none fits, why the first does not. */
static bool find_vision(const piaa_gguf *text, const piaa_paths *files, char **out,
                        piaa_error *error) {
    const char *found = NULL, *other = NULL;
    piaa_error first = {0};
    for (size_t i = 0; i < files->count; i++) {
        piaa_error why = {0};
        const char *path = files->items[i];
        if (strcmp(path, piaa_gguf_where(text)) == 0) continue;
        piaa_gguf *file = piaa_gguf_open(path, &why);
        /* A damaged neighbour matters only if it calls itself what is looked for. */
        bool looks = file ? is_vision(file) : strstr(piaa_path_name(path), "mmproj") != NULL;
        bool fits = file && looks && piaa_gguf_model_fits(text, file, &why);
        piaa_gguf_close(file);
        if (looks && !fits && first.code == PIAA_OK) first = why;
        if (!fits || (found && is_namesake(piaa_gguf_where(text), found))) continue;
        other = is_namesake(piaa_gguf_where(text), path) ? NULL : found;
        found = path;
    }
    if (other)
        return piaa_error_set(
            error, PIAA_USAGE,
            "%s has several vision parts beside it, %s and %s: name one with --mmproj",
            piaa_gguf_where(text), piaa_path_name(other), piaa_path_name(found));
    if (found) return (*out = piaa_strdup(found, error)) != NULL;
    if (first.code != PIAA_OK) return piaa_error_set(error, first.code, "%s", first.message);
    return piaa_error_set(error, PIAA_IO,
                          "%s has no vision part (a GGUF file usually called mmproj-….gguf) beside "
                          "it: fetch it from where the model came "
                          "from, or name it with --mmproj",
                          piaa_gguf_where(text));
}

/* Why `path` cannot have a vision part named for it, where that can be seen without opening it. */
static bool may_be_text(const char *path, const char *vision, piaa_error *error) {
    if (find_comma(path))
        return piaa_error_set(error, PIAA_USAGE,
                              "%s names a vision part already: leave out --mmproj", path);
    if (!piaa_file_is_folder(path) || piaa_gguf_pair_is(path)) return true;
    if (holds_safetensors(path))
        return piaa_error_set(error, PIAA_USAGE,
                              "%s holds safetensors, which have the vision encoder inside: leave "
                              "out --mmproj, which belongs to a GGUF file",
                              path);
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s holds no GGUF file that %s could be the vision part of", path,
                          vision);
}

bool piaa_gguf_pair_find(const char *path, const char *named, char **text, char **vision,
                         piaa_error *error) {
    *text = *vision = NULL;
    if (named && !may_be_text(path, named, error)) return false;
    const char *comma = named ? NULL : find_comma(path);
    char *alone =
        comma ? piaa_format(error, "%.*s", (int)(comma - path), path) : piaa_strdup(path, error);
    if (comma) named = comma + 1;
    bool folder = alone && piaa_file_is_folder(alone);
    char *around = !alone   ? NULL
                   : folder ? piaa_strdup(alone, error)
                            : piaa_path_folder(alone, error);
    piaa_paths files = {0};
    bool ok = around && ((named && !folder) || list_files(around, &files, error));
    if (ok && folder)
        ok = find_text(alone, &files, text, error);
    else if (ok)
        ok = (*text = piaa_strdup(alone, error)) != NULL;
    piaa_gguf *file = ok ? piaa_gguf_open_parts(*text, error) : NULL;
    ok = file && piaa_gguf_model_known(file, error) &&
         (named                            ? (*vision = piaa_strdup(named, error)) != NULL
          : piaa_gguf_model_is_whole(file) ? (*vision = piaa_strdup(*text, error)) != NULL
                                           : find_vision(file, &files, vision, error));
    piaa_gguf_close(file);
    piaa_paths_free(&files);
    free(around);
    free(alone);
    if (ok) return true;
    free(*text);
    free(*vision);
    *text = *vision = NULL;
    return false;
}
