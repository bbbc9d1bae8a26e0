/* Sidecars with a person's stars: planned, written with a log, and put back. */
#include "data/star_files.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/json.h"
#include "data/ratings.h"
#include "image/photo.h"
#include "image/xmp.h"
#include "image/xmp_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDECAR_LIMIT = 1 << 24, LOG_LIMIT = 1 << 28, HASH = 65 };

const char *piaa_star_deed_name(piaa_star_deed deed) {
    static const char *const names[] = {[PIAA_STAR_SAME] = "same",
                                        [PIAA_STAR_UPDATE] = "update",
                                        [PIAA_STAR_NEW] = "new",
                                        [PIAA_STAR_KEPT] = "kept",
                                        [PIAA_STAR_FAILED] = "failed"};
    return names[deed];
}

/* ----------------------------------------------------------------------------------------- plan */

void piaa_star_plan_free(piaa_star_plan *plan) {
    if (!plan) return;
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->steps[i].sidecar);
        free(plan->steps[i].why);
    }
    free(plan->steps);
    free(plan);
}

static bool add_step(piaa_star_plan *plan, size_t photo, char *sidecar, int stars,
                     piaa_star_step **out, piaa_error *error) {
    if (!sidecar ||
        !piaa_grow(&plan->steps, &plan->capacity, plan->count + 1, sizeof *plan->steps, error)) {
        free(sidecar);
        return false;
    }
    *out = &plan->steps[plan->count++];
    **out = (piaa_star_step){.photo = photo, .sidecar = sidecar, .stars = stars, .before = NAN};
    return true;
}

static void fail(piaa_star_step *step, const char *why) {
    step->deed = PIAA_STAR_FAILED;
    free(step->why);
    step->why = piaa_strdup(why, NULL);
}

/* What has to be done to a sidecar that is there. */
static void look(piaa_star_step *step, bool replace) {
    piaa_error why = {0};
    piaa_xmp xmp;
    size_t size;
    char *bytes = piaa_file_read(step->sidecar, SIDECAR_LIMIT, &size, &why);
    piaa_text changed = {0};
    if (!bytes || !piaa_xmp_read(bytes, size, &xmp, &why) ||
        !piaa_xmp_set_rating(bytes, size, step->stars, &changed, &why)) {
        fail(step, why.message);
    } else {
        step->before = xmp.rating;
        const bool rated = !isnan(xmp.rating) && xmp.rating != 0;
        step->deed = xmp.rating == step->stars ? PIAA_STAR_SAME
                     : rated && !replace       ? PIAA_STAR_KEPT
                                               : PIAA_STAR_UPDATE;
    }
    free(changed.data);
    free(bytes);
}

/* For this photo, by whatever name: other photos' are settled together, later. */
static bool is_planned(const piaa_star_plan *plan, size_t photo, const char *sidecar) {
    for (size_t i = plan->count; i-- > 0 && plan->steps[i].photo == photo;)
        if (piaa_file_is_same(plan->steps[i].sidecar, sidecar)) return true;
    return false;
}

/* The first `length` bytes of the name, and .xmp in either case, if such a file is there. */
static bool plan_existing(piaa_star_plan *plan, size_t photo, const char *name, size_t length,
                          int stars, bool replace, piaa_error *error) {
    static const char *const endings[] = {".xmp", ".XMP"};
    for (size_t i = 0; i < PIAA_COUNT(endings); i++) {
        char *path = piaa_format(error, "%.*s%s", (int)length, name, endings[i]);
        if (!path) return false;
        const bool there = piaa_file_exists(path) && !piaa_file_is_folder(path);
        piaa_star_step *step;
        if (!there || is_planned(plan, photo, path))
            free(path);
        else if (add_step(plan, photo, path, stars, &step, error))
            look(step, replace);
        else
            return false;
    }
    return true;
}

/* Where the name's ending begins; its whole length where it has none. */
static size_t stem_of(const char *name) {
    const char *dot = strrchr(piaa_path_name(name), '.');
    return dot && dot > piaa_path_name(name) ? (size_t)(dot - name) : strlen(name);
}

static bool plan_photo(piaa_star_plan *plan, size_t photo, int stars, bool replace,
                       piaa_error *error) {
    const char *name = plan->photos->names.items[photo], *path = plan->photos->paths.items[photo];
    const char *const both[] = {name, path};
    const size_t before = plan->count, places = strcmp(name, path) == 0 ? 1 : 2;
    for (size_t i = 0; i < places; i++) {
        if (!plan_existing(plan, photo, both[i], strlen(both[i]), stars, replace, error) ||
            !plan_existing(plan, photo, both[i], stem_of(both[i]), stars, replace, error))
            return false;
    }
    if (plan->count > before) return true;
    const bool raw = piaa_photo_kind(path) == PIAA_KIND_RAW;
    piaa_star_step *step;
    if (!add_step(plan, photo,
                  piaa_format(error, "%.*s.xmp", (int)(raw ? stem_of(name) : strlen(name)), name),
                  stars, &step, error))
        return false;
    step->deed = PIAA_STAR_NEW;
    return true;
}

static int compare_sidecars(const void *a, const void *b) {
    const piaa_star_step *x = *(piaa_star_step *const *)a, *y = *(piaa_star_step *const *)b;
    const int order = strcmp(x->sidecar, y->sidecar);
    return order ? order : (x->photo > y->photo) - (x->photo < y->photo);
}

/* IMG.CR2 and IMG.JPG may share IMG.xmp: one of them writes it, and none if they differ. */
static bool settle_shared(piaa_star_plan *plan, piaa_error *error) {
    piaa_star_step **order = piaa_alloc(plan->count, sizeof *order, error);
    if (!order) return false;
    for (size_t i = 0; i < plan->count; i++) order[i] = &plan->steps[i];
    qsort(order, plan->count, sizeof *order, compare_sidecars);
    for (size_t i = 1; i < plan->count; i++) {
        piaa_star_step *step = order[i], *first = order[i - 1];
        if (strcmp(step->sidecar, first->sidecar) != 0) continue;
        if (step->stars == first->stars && first->deed != PIAA_STAR_FAILED) {
            step->deed = PIAA_STAR_SAME;
            continue;
        }
        static const char why[] = "it belongs to several photos that are rated differently";
        fail(first, why);
        fail(step, why);
    }
    free(order);
    return true;
}

static void count_deeds(piaa_star_plan *plan) {
    memset(plan->deeds, 0, sizeof plan->deeds);
    for (size_t i = 0; i < plan->count; i++) plan->deeds[plan->steps[i].deed]++;
}

/* By path, for bisection. */
static int compare_ratings(const void *a, const void *b) {
    return strcmp((*(const piaa_rating *const *)a)->path, (*(const piaa_rating *const *)b)->path);
}

static bool stars_of(const piaa_rating *rating, int *stars, piaa_error *error) {
    *stars = rating->score <= 0 ? -1 : (int)lround(fmax(rating->score, 1));
    return (rating->score >= 0 && rating->score <= 5) ||
           piaa_error_set(error, PIAA_USAGE,
                          "%.700s is rated %g, and stars go from 1 to 5 (0: rejected): ratings on "
                          "another scale are not written as stars",
                          rating->path, rating->score);
}

static bool plan_all(piaa_star_plan *plan, const piaa_rating **sorted, size_t count, bool replace,
                     piaa_error *error) {
    for (size_t photo = 0; photo < plan->photos->paths.count; photo++) {
        const piaa_rating wanted = {.path = plan->photos->paths.items[photo]}, *key = &wanted;
        const piaa_rating **found = bsearch(&key, sorted, count, sizeof *sorted, compare_ratings);
        int stars;
        if (!found) continue;
        if (!stars_of(*found, &stars, error) || !plan_photo(plan, photo, stars, replace, error))
            return false;
    }
    return settle_shared(plan, error);
}

piaa_star_plan *piaa_star_plan_make(const piaa_photos *photos, const piaa_ratings *ratings,
                                    const piaa_star_options *options, piaa_error *error) {
    const size_t count = piaa_ratings_count(ratings);
    const piaa_rating **sorted = piaa_alloc(count, sizeof *sorted, error);
    piaa_star_plan *plan = sorted ? piaa_alloc(1, sizeof *plan, error) : NULL;
    if (plan) {
        plan->photos = photos;
        for (size_t i = 0; i < count; i++) sorted[i] = piaa_ratings_at(ratings, i);
        qsort(sorted, count, sizeof *sorted, compare_ratings);
        if (plan_all(plan, sorted, count, options->replace, error)) {
            count_deeds(plan);
        } else {
            piaa_star_plan_free(plan);
            plan = NULL;
        }
    }
    free(sorted);
    return plan;
}

/* ---------------------------------------------------------------------------------------- write */

/* A log that is being written. */
typedef struct journal {
    const char *folder;
    int file;
    size_t kept; /* files with what was before */
} journal;

static void hash_bytes(const void *bytes, size_t size, char out[HASH]) {
    char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, size);
    snprintf(out, HASH, "%s", digest);
    g_free(digest);
}

static bool log_failed(const journal *log, piaa_error *error) {
    return piaa_error_set_errno(error, errno, "the log of changes in %.700s", log->folder);
}

char *piaa_star_files_log(piaa_error *error) {
    char now[32], moment[64];
    piaa_utc_now(now);
    for (char *c = now; *c; c++)
        if (*c == ':') *c = '-'; /* which some file systems refuse */
    snprintf(moment, sizeof moment, "piaa/undo/%s", now);
    return piaa_data_path(moment, "the log of changes", "name a folder with --log", error);
}

static bool open_log(journal *log, piaa_error *error) {
    char *folder = piaa_strdup(log->folder, error);
    if (!folder) return false;
    if (piaa_file_exists(folder)) {
        free(folder);
        return piaa_error_set(error, PIAA_USAGE, "%.700s is there already: a log is a new folder",
                              log->folder);
    }
    const bool made = piaa_folders_make(folder);
    free(folder);
    if (!made) return log_failed(log, error);
    char *path = piaa_path_join(log->folder, "log.json", error);
    log->file = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666) : -1;
    free(path);
    return log->file >= 0 || log_failed(log, error);
}

static char *print_line(const char *sidecar, const char *before, const char *was,
                        const char *becomes, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    gchar *escaped = g_strescape(sidecar, NULL); /* names are bytes, JSON is text */
    piaa_json_put_text(&build, build.root, "path", escaped);
    g_free(escaped);
    if (before) piaa_json_put_text(&build, build.root, "before", before);
    if (before) piaa_json_put_text(&build, build.root, "was", was);
    piaa_json_put_text(&build, build.root, "becomes", becomes);
    char *line = piaa_json_print(piaa_json_built(&build), false, error);
    cJSON_Delete(build.root);
    return line;
}

/* On the disk when this returns: the bytes before (NULL: no file), and the line. */
static bool log_change(journal *log, const char *sidecar, const char *before, size_t before_size,
                       const piaa_text *after, piaa_error *error) {
    char was[HASH] = "", becomes[HASH], name[32];
    snprintf(name, sizeof name, "%06zu.xmp", log->kept);
    hash_bytes(after->data, after->length, becomes);
    if (before) {
        hash_bytes(before, before_size, was);
        char *path = piaa_path_join(log->folder, name, error);
        const bool kept = path && piaa_file_write(path, before, before_size, error);
        free(path);
        if (!kept) return false;
        log->kept++;
    }
    char *line = print_line(sidecar, before ? name : NULL, was, becomes, error);
    if (!line) return false;
    const size_t size = strlen(line);
    const bool ok = write(log->file, line, size) == (ssize_t)size && piaa_sync_data(log->file) == 0;
    free(line);
    return ok || log_failed(log, error);
}

static void put_time_back(const char *path, const struct stat *status) {
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, piaa_stat_written(status)};
    const int failed = utimensat(AT_FDCWD, path, times, 0);
    PIAA_UNUSED(failed); /* a date is no reason to fail */
}

/* What the sidecar becomes, from what it is at this moment. */
static bool make_bytes(const piaa_star_plan *plan, const piaa_star_step *step, char **before,
                       size_t *size, piaa_text *after, piaa_error *why) {
    if (step->deed == PIAA_STAR_UPDATE)
        return (*before = piaa_file_read(step->sidecar, SIDECAR_LIMIT, size, why)) &&
               piaa_xmp_set_rating(*before, *size, step->stars, after, why);
    const char *name = plan->photos->names.items[step->photo];
    const bool raw = piaa_photo_kind(plan->photos->paths.items[step->photo]) == PIAA_KIND_RAW;
    if (piaa_file_exists(step->sidecar))
        return piaa_error_set(why, PIAA_BUSY, "%.700s has come meanwhile: plan again",
                              step->sidecar);
    const char *extension = raw && name[stem_of(name)] ? name + stem_of(name) + 1 : NULL;
    return piaa_xmp_new(step->stars, extension, after, why);
}

/* false: the log could not be written, and the sidecar is as it was. */
static bool do_step(const piaa_star_plan *plan, piaa_star_step *step, journal *log,
                    const piaa_star_options *options, const piaa_hooks *hooks, piaa_error *error) {
    piaa_error why = {0};
    char *before = NULL;
    size_t size = 0;
    piaa_text after = {0};
    struct stat status;
    const bool timed = options->keep_times && stat(step->sidecar, &status) == 0;
    bool ok = make_bytes(plan, step, &before, &size, &after, &why), logged = true;
    if (ok) {
        logged = log_change(log, step->sidecar, before, size, &after, error);
        ok = logged && piaa_file_write(step->sidecar, after.data, after.length, &why);
    }
    if (ok && timed) put_time_back(step->sidecar, &status);
    if (!ok && logged) {
        fail(step, why.message);
        piaa_hooks_warn(hooks, "%s", why.message);
    }
    free(before);
    free(after.data);
    return logged;
}

static bool write_all(piaa_star_plan *plan, journal *log, const piaa_star_options *options,
                      const piaa_hooks *hooks, piaa_error *error) {
    const size_t todo = plan->deeds[PIAA_STAR_UPDATE] + plan->deeds[PIAA_STAR_NEW];
    size_t done = 0;
    for (size_t i = 0; i < plan->count; i++) {
        piaa_star_step *step = &plan->steps[i];
        if (step->deed != PIAA_STAR_UPDATE && step->deed != PIAA_STAR_NEW) continue;
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            return piaa_error_set(error, PIAA_STOPPED,
                                  "stopped after %zu of %zu sidecars: the same command goes on, "
                                  "and --undo %.500s puts them back",
                                  done, todo, log->folder);
        if (!do_step(plan, step, log, options, hooks, error)) return false;
        done++;
        if (hooks && hooks->progress)
            hooks->progress(hooks->user, "Writing stars", (int64_t)done, (int64_t)todo);
    }
    return true;
}

bool piaa_star_plan_write(piaa_star_plan *plan, const char *log, const piaa_star_options *options,
                          const piaa_hooks *hooks, piaa_error *error) {
    journal own = {.folder = log, .file = -1};
    if (!plan->deeds[PIAA_STAR_UPDATE] && !plan->deeds[PIAA_STAR_NEW]) return true;
    const bool ok = open_log(&own, error) && write_all(plan, &own, options, hooks, error);
    if (own.file >= 0) close(own.file);
    count_deeds(plan);
    return ok;
}

/* ----------------------------------------------------------------------------------------- undo */

/* A line of a log; its strings belong to the JSON. */
typedef struct line {
    const char *path, *before, *was, *becomes;
} line;

static bool read_line(const cJSON *from, line *out) {
    *out = (line){.path = piaa_json_string(from, "path"),
                  .before = piaa_json_string(from, "before"),
                  .was = piaa_json_string(from, "was"),
                  .becomes = piaa_json_string(from, "becomes")};
    return out->path && out->becomes && (!out->before || (out->was && !strchr(out->before, '/')));
}

typedef enum outcome { PUT_BACK, AS_IT_WAS, CHANGED_SINCE, FAILED } outcome;

static outcome put_back(const char *log, const line *l, const char *path, piaa_error *why) {
    char hash[HASH] = "";
    size_t size;
    char *now = piaa_file_exists(path) ? piaa_file_read(path, SIDECAR_LIMIT, &size, why) : NULL;
    if (now) hash_bytes(now, size, hash);
    free(now);
    if (why->code != PIAA_OK) return FAILED;
    if (strcmp(hash, l->before ? l->was : "") == 0) return AS_IT_WAS;
    if (strcmp(hash, l->becomes) != 0) return CHANGED_SINCE;
    if (!l->before)
        return unlink(path) == 0 || piaa_error_set_errno(why, errno, "%.700s", path) ? PUT_BACK
                                                                                     : FAILED;
    char *kept = piaa_path_join(log, l->before, why),
         *bytes = kept ? piaa_file_read(kept, SIDECAR_LIMIT, &size, why) : NULL;
    const bool ok = bytes && piaa_file_write(path, bytes, size, why);
    free(kept);
    free(bytes);
    return ok ? PUT_BACK : FAILED;
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
