/* A log of changes: opened, added to, and acted upon backwards. */
#include "data/star_log.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/json.h"
#include "data/star_files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOG_LIMIT = 1 << 30, HASH = 65 };

/* ---------------------------------------------------------------------------------------- write */

static void hash_bytes(const void *bytes, size_t size, char out[HASH]) {
    char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, size);
    snprintf(out, HASH, "%s", digest);
    g_free(digest);
}

static bool log_failed(const piaa_star_log *log, piaa_error *error) {
    return piaa_error_set_errno(error, errno, "the log of changes in %.700s", log->folder);
}

char *piaa_star_files_log(piaa_error *error) {
    char now[32], moment[64];
    piaa_utc_now(now);
    for (char *c = now; *c; c++)
        if (*c == ':') *c = '-'; /* which some file systems refuse */
    snprintf(moment, sizeof moment, "piaa/undo/%s", now);
    for (int again = 2;; again++) { /* there may be one of this second */
        char *folder =
            piaa_data_path(moment, "the log of changes", "name a folder with --log", error);
        if (!folder || !piaa_file_exists(folder)) return folder;
        free(folder);
        snprintf(moment, sizeof moment, "piaa/undo/%s-%d", now, again);
    }
}

bool piaa_star_log_open(piaa_star_log *log, const char *folder, piaa_error *error) {
    *log = (piaa_star_log){.folder = folder, .file = -1};
    if (piaa_file_exists(folder))
        return piaa_error_set(error, PIAA_USAGE, "%.700s is there already: a log is a new folder",
                              folder);
    char *copy = piaa_strdup(folder, error);
    if (!copy) return false;
    const bool made = piaa_folders_make(copy);
    free(copy);
    if (!made) return log_failed(log, error);
    char *path = piaa_path_join(log->folder, "log.json", error);
    log->file = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666) : -1;
    free(path);
    return log->file >= 0 || log_failed(log, error);
}

void piaa_star_log_close(piaa_star_log *log) {
    if (log->file >= 0) close(log->file);
    log->file = -1;
}

void piaa_star_change_free(piaa_star_change *change) {
    free(change->before);
    free(change->after.data);
    piaa_patch_free(&change->patch);
}

/* The stretches of a photo that differ: where they are in the new one, and what was there. */
static bool print_stretches(piaa_json_build *build, const piaa_star_change *c, piaa_error *error) {
    piaa_patch back = {0};
    cJSON *list = piaa_json_put(build, build->root, "stretches", cJSON_CreateArray());
    const bool ok = piaa_patch_reverse(&c->patch, c->before, &back, error);
    for (size_t i = 0; ok && i < back.count; i++) {
        const piaa_splice *one = &back.items[i];
        cJSON *item = piaa_json_put(build, list, NULL, cJSON_CreateObject());
        gchar *bytes = g_base64_encode((const guchar *)back.bytes.data + one->from, one->size);
        piaa_json_put(build, item, "at", cJSON_CreateNumber((double)one->at));
        piaa_json_put(build, item, "length", cJSON_CreateNumber((double)one->length));
        piaa_json_put_text(build, item, "before", bytes);
        g_free(bytes);
    }
    piaa_patch_free(&back);
    return ok;
}

/* name: of the log's file with the bytes before; NULL: there is none. */
static char *print_line(const piaa_star_change *c, const char *name, piaa_error *error) {
    char was[HASH], becomes[HASH];
    piaa_json_build build = {.root = cJSON_CreateObject()};
    gchar *escaped = g_strescape(c->file, NULL); /* names are bytes, JSON is text */
    piaa_json_put_text(&build, build.root, "path", escaped);
    g_free(escaped);
    if (name) piaa_json_put_text(&build, build.root, "before", name);
    if (c->before) {
        hash_bytes(c->before, c->size, was);
        piaa_json_put_text(&build, build.root, "was", was);
    }
    hash_bytes(c->after.data, c->after.length, becomes);
    piaa_json_put_text(&build, build.root, "becomes", becomes);
    const bool ok = !c->patch.count || print_stretches(&build, c, error);
    char *line = ok ? piaa_json_print(piaa_json_built(&build), false, error) : NULL;
    cJSON_Delete(build.root);
    return line;
}

bool piaa_star_log_add(piaa_star_log *log, const piaa_star_change *c, piaa_error *error) {
    char name[32];
    const bool keeps = c->before && !c->patch.count;
    snprintf(name, sizeof name, "%06zu.xmp", log->kept);
    if (keeps) {
        char *path = piaa_path_join(log->folder, name, error);
        const bool kept = path && piaa_file_write(path, c->before, c->size, error);
        free(path);
        if (!kept) return false;
        log->kept++;
    }
    char *line = print_line(c, keeps ? name : NULL, error);
    if (!line) return false;
    const size_t size = strlen(line);
    const bool ok = write(log->file, line, size) == (ssize_t)size && piaa_sync_data(log->file) == 0;
    free(line);
    return ok || log_failed(log, error);
}

/* ----------------------------------------------------------------------------------------- undo */

/* A line of a log; what it points to belongs to the JSON. */
typedef struct line {
    const char *path, *before, *was, *becomes;
    const cJSON *stretches;
} line;

static bool read_line(const cJSON *from, line *out) {
    *out = (line){.path = piaa_json_string(from, "path"),
                  .before = piaa_json_string(from, "before"),
                  .was = piaa_json_string(from, "was"),
                  .becomes = piaa_json_string(from, "becomes"),
                  .stretches = cJSON_GetObjectItemCaseSensitive(from, "stretches")};
    const int ways = (out->before != NULL) + (out->stretches != NULL); /* back, to a file's bytes */
    return out->path && out->becomes && (!out->before || !strchr(out->before, '/')) &&
           ways == (out->was != NULL);
}

static bool read_stretch(const cJSON *from, piaa_patch *back, piaa_error *why) {
    const char *before = piaa_json_string(from, "before");
    int64_t at, length;
    if (!before || !piaa_json_int(from, "at", &at) || !piaa_json_int(from, "length", &length) ||
        at < 0 || length < 0)
        return piaa_error_set(why, PIAA_FORMAT, "the log has a line that says nothing");
    gsize size;
    guchar *bytes = g_base64_decode(before, &size);
    const bool ok = piaa_patch_add(back, (size_t)at, (size_t)length, bytes, size, why);
    g_free(bytes);
    return ok;
}

static bool unpatch(const line *l, const char *now, size_t size, piaa_text *out, piaa_error *why) {
    piaa_patch back = {0};
    const cJSON *item;
    bool ok = true;
    cJSON_ArrayForEach(item, l->stretches) ok = ok && read_stretch(item, &back, why);
    ok = ok && piaa_patch_apply(&back, now, size, out, why);
    piaa_patch_free(&back);
    return ok;
}

/* The bytes that a file with the bytes `now` had before. */
static bool make_before(const char *log, const line *l, const char *now, size_t size,
                        piaa_text *out, piaa_error *why) {
    char hash[HASH];
    bool ok;
    if (l->stretches) {
        ok = unpatch(l, now, size, out, why);
    } else {
        char *kept = piaa_path_join(log, l->before, why),
             *bytes = kept ? piaa_file_read(kept, PIAA_STAR_SIDECAR_MOST, &size, why) : NULL;
        ok = bytes && piaa_text_add(out, bytes, size, why);
        free(kept);
        free(bytes);
    }
    if (!ok) return false;
    hash_bytes(out->data, out->length, hash);
    return strcmp(hash, l->was) == 0 ||
           piaa_error_set(why, PIAA_FORMAT, "the log of %.700s is damaged", l->path);
}

typedef enum outcome { PUT_BACK, AS_IT_WAS, CHANGED_SINCE, FAILED } outcome;

static outcome put_back(const char *log, const line *l, const char *path, piaa_error *why) {
    char hash[HASH] = "";
    size_t size = 0;
    char *now =
        piaa_file_exists(path)
            ? piaa_file_read(path, l->stretches ? PIAA_STAR_PHOTO_MOST : PIAA_STAR_SIDECAR_MOST,
                             &size, why)
            : NULL;
    piaa_text before = {0};
    outcome came = FAILED;
    if (now) hash_bytes(now, size, hash);
    if (why->code != PIAA_OK)
        came = FAILED;
    else if (strcmp(hash, l->was ? l->was : "") == 0)
        came = AS_IT_WAS;
    else if (strcmp(hash, l->becomes) != 0)
        came = CHANGED_SINCE;
    else if (!l->was)
        came = unlink(path) == 0 || piaa_error_set_errno(why, errno, "%.700s", path) ? PUT_BACK
                                                                                     : FAILED;
    else if (make_before(log, l, now, size, &before, why) &&
             piaa_file_write(path, before.data, before.length, why))
        came = PUT_BACK;
    free(before.data);
    free(now);
    return came;
}

static bool undo_line(const char *log, const char *text, size_t size, const piaa_hooks *hooks,
                      size_t *undone, size_t *left, piaa_error *error) {
    cJSON *root = piaa_json_parse(text, size, log, error);
    line l;
    if (!root || !read_line(root, &l)) {
        cJSON_Delete(root);
        return root == NULL
                   ? false
                   : piaa_error_set(error, PIAA_FORMAT, "%.700s/log.json is no log of stars", log);
    }
    piaa_error why = {0};
    gchar *path = g_strcompress(l.path);
    const outcome came = put_back(log, &l, path, &why);
    *undone += came == PUT_BACK;
    *left += came == CHANGED_SINCE || came == FAILED;
    if (came == CHANGED_SINCE)
        piaa_hooks_warn(hooks, "%.700s has changed since, and is left as it is", path);
    if (came == FAILED) piaa_hooks_warn(hooks, "%s", why.message);
    g_free(path);
    cJSON_Delete(root);
    return true;
}

/* From the last line to the first, so that a sidecar that was written twice becomes what it was at
   first.  A last line that a stop cut off was not acted upon. */
bool piaa_star_files_undo(const char *log, const piaa_hooks *hooks, size_t *undone, size_t *left,
                          piaa_error *error) {
    size_t size = 0;
    *undone = *left = 0;
    char *path = piaa_path_join(log, "log.json", error);
    char *text = path ? piaa_file_read(path, LOG_LIMIT, &size, error) : NULL;
    bool ok = text != NULL;
    size_t end = size;
    while (ok && end && text[end - 1] != '\n') end--;
    while (ok && end) {
        size_t begin = end - 1;
        while (begin && text[begin - 1] != '\n') begin--;
        ok = undo_line(log, text + begin, end - begin, hooks, undone, left, error);
        end = begin;
    }
    free(path);
    free(text);
    return ok;
}
