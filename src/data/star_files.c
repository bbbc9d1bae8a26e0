/* Sidecars and photos with a person's stars: planned, written with a log, and put back. */
#include "data/star_files.h"

#include "base/file.h"
#include "base/hooks.h"
#include "data/ratings.h"
#include "data/scores.h"
#include "data/star_log.h"
#include "image/embed.h"
#include "image/photo.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
        free(plan->steps[i].file);
        free(plan->steps[i].why);
    }
    free(plan->steps);
    free(plan);
}

/* What a plan is made from. */
typedef struct planning {
    piaa_star_plan *plan;
    const piaa_star_options *options;
    piaa_scores given, predicted;
    size_t *shown; /* [photos] the picture in front of a raw file, or the photo itself */
} planning;

static bool add_step(piaa_star_plan *plan, size_t photo, char *file, const piaa_xmp_change *wants,
                     piaa_star_step **out, piaa_error *error) {
    if (!file ||
        !piaa_grow(&plan->steps, &plan->capacity, plan->count + 1, sizeof *plan->steps, error)) {
        free(file);
        return false;
    }
    *out = &plan->steps[plan->count++];
    **out =
        (piaa_star_step){.photo = photo, .file = file, .wants = *wants, .says = PIAA_XMP_SILENT};
    return true;
}

static void fail(piaa_star_step *step, const char *why) {
    step->deed = PIAA_STAR_FAILED;
    free(step->why);
    step->why = piaa_strdup(why, NULL);
}

/* What of it is to be written into a packet that says this; and so what is to be done. */
static piaa_xmp_change settle(piaa_star_step *step, const piaa_xmp *says, bool replace) {
    piaa_xmp_change change = step->wants;
    const bool rated = !isnan(says->rating) && says->rating != 0,
               stars = change.rating != PIAA_XMP_AS_IT_IS && change.rating != says->rating,
               label = change.label && strcmp(change.label, says->label) != 0,
               score = !isnan(change.score) && piaa_xmp_score(change.score) != says->score,
               keeps_stars = stars && rated && !replace,
               keeps_label = label && *says->label && !replace;
    if (!stars || keeps_stars) change.rating = PIAA_XMP_AS_IT_IS;
    if (!label || keeps_label) change.label = NULL;
    if (!score) change.score = NAN;
    step->says = *says;
    step->deed = change.rating != PIAA_XMP_AS_IT_IS || change.label || score ? PIAA_STAR_UPDATE
                 : keeps_stars || keeps_label                                ? PIAA_STAR_KEPT
                                                                             : PIAA_STAR_SAME;
    return change;
}

/* Of a sidecar's bytes: what they become, where anything is to be done. */
static bool change_sidecar(piaa_star_step *step, const char *bytes, size_t size, bool replace,
                           piaa_text *out, piaa_error *why) {
    piaa_xmp says;
    if (!piaa_xmp_read(bytes, size, &says, why)) return false;
    const piaa_xmp_change change = settle(step, &says, replace);
    return step->deed != PIAA_STAR_UPDATE || piaa_xmp_edit(bytes, size, &change, out, why);
}

/* Of a photo's. */
static bool change_photo(piaa_star_step *step, const char *bytes, size_t size, bool replace,
                         piaa_patch *patch, piaa_error *why) {
    const unsigned char *photo = (const unsigned char *)bytes;
    piaa_embedded packet;
    piaa_xmp says = PIAA_XMP_SILENT;
    if (!piaa_embed_find(photo, size, &packet, why) ||
        (packet.size && !piaa_xmp_read(bytes + packet.at, packet.size, &says, why)))
        return false;
    const piaa_xmp_change change = settle(step, &says, replace);
    if (step->deed == PIAA_STAR_UPDATE && !packet.size) step->deed = PIAA_STAR_NEW;
    return (step->deed != PIAA_STAR_UPDATE && step->deed != PIAA_STAR_NEW) ||
           piaa_embed_change(photo, size, &change, patch, why);
}

/* A file that its owner protected stays as it is, also where this process could replace it. */
static bool may_be_written(const char *path, piaa_error *why) {
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & 0222) && access(path, W_OK) == 0) return true;
    return piaa_error_set(why, PIAA_IO, "%.700s is write-protected: nothing is changed in it",
                          path);
}

/* darktable looks into its sidecars when a photo is imported, and by itself no more. */
static bool is_darktables(const char *packet) {
    return strstr(packet, "http://darktable.sf.net/") != NULL;
}

static bool is_to_do(const piaa_star_step *step) {
    return step->deed == PIAA_STAR_UPDATE || step->deed == PIAA_STAR_NEW;
}

/* What has to be done to a file that is there. */
static void look(piaa_star_step *step, bool replace) {
    piaa_error why = {0};
    size_t size;
    char *bytes = piaa_file_read(
        step->file, step->embedded ? PIAA_STAR_PHOTO_MOST : PIAA_STAR_SIDECAR_MOST, &size, &why);
    piaa_text changed = {0};
    piaa_patch patch = {0};
    if (!bytes ||
        !(step->embedded ? change_photo(step, bytes, size, replace, &patch, &why)
                         : change_sidecar(step, bytes, size, replace, &changed, &why)) ||
        (is_to_do(step) && !may_be_written(step->file, &why)))
        fail(step, why.message);
    else
        step->darktables = !step->embedded && is_darktables(bytes);
    piaa_patch_free(&patch);
    free(changed.data);
    free(bytes);
}

/* For this photo, by whatever name: other photos' are settled together, later. */
static bool is_planned(const piaa_star_plan *plan, size_t photo, const char *sidecar) {
    for (size_t i = plan->count; i-- > 0 && plan->steps[i].photo == photo;)
        if (piaa_file_is_same(plan->steps[i].file, sidecar)) return true;
    return false;
}

/* The first `length` bytes of the name, and .xmp in either case, if such a file is there. */
static bool plan_existing(const planning *p, size_t photo, const char *name, size_t length,
                          const piaa_xmp_change *wants, piaa_error *error) {
    static const char *const endings[] = {".xmp", ".XMP"};
    for (size_t i = 0; i < PIAA_COUNT(endings); i++) {
        char *path = piaa_format(error, "%.*s%s", (int)length, name, endings[i]);
        if (!path) return false;
        const bool there = piaa_file_exists(path) && !piaa_file_is_folder(path);
        piaa_star_step *step;
        if (!there || is_planned(p->plan, photo, path))
            free(path);
        else if (add_step(p->plan, photo, path, wants, &step, error))
            look(step, p->options->replace);
        else
            return false;
    }
    return true;
}

/* Also by a link that leads nowhere, which a new file would be put in the place of. */
static bool is_taken(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

static bool has_room_inside(const char *path) {
    const piaa_kind kind = piaa_photo_kind(path);
    return kind == PIAA_KIND_JPEG || kind == PIAA_KIND_TIFF ||
           (kind == PIAA_KIND_RAW && piaa_path_ends_like(path, ".dng"));
}

static bool plan_inside(const planning *p, size_t photo, const piaa_xmp_change *wants,
                        piaa_error *error) {
    piaa_star_step *step;
    if (!add_step(p->plan, photo, piaa_strdup(p->plan->photos->paths.items[photo], error), wants,
                  &step, error))
        return false;
    step->embedded = true;
    look(step, p->options->replace);
    return true;
}

static bool plan_photo(const planning *p, size_t photo, const piaa_xmp_change *wants,
                       piaa_error *error) {
    piaa_star_plan *plan = p->plan;
    const char *name = plan->photos->names.items[photo], *path = plan->photos->paths.items[photo];
    const char *const both[] = {name, path};
    const size_t before = plan->count, places = strcmp(name, path) == 0 ? 1 : 2;
    for (size_t i = 0; i < places; i++) {
        if (!plan_existing(p, photo, both[i], strlen(both[i]), wants, error) ||
            !plan_existing(p, photo, both[i], piaa_path_stem(both[i]), wants, error))
            return false;
    }
    if (p->options->embed && has_room_inside(path)) return plan_inside(p, photo, wants, error);
    if (plan->count > before) return true;
    const bool raw = piaa_photo_kind(path) == PIAA_KIND_RAW;
    const int length = (int)(raw ? piaa_path_stem(name) : strlen(name));
    piaa_star_step *step;
    if (!add_step(plan, photo, piaa_format(error, "%.*s.xmp", length, name), wants, &step, error))
        return false;
    step->deed = PIAA_STAR_NEW;
    if (is_taken(step->file)) fail(step, "a folder, or a link that leads nowhere, has its name");
    return true;
}

static int compare_files(const void *a, const void *b) {
    const piaa_star_step *x = *(piaa_star_step *const *)a, *y = *(piaa_star_step *const *)b;
    const int order = strcmp(x->file, y->file);
    return order ? order : (x->photo > y->photo) - (x->photo < y->photo);
}

static bool wants_same(const piaa_xmp_change *a, const piaa_xmp_change *b) {
    const bool labels =
        a->label && b->label ? strcmp(a->label, b->label) == 0 : a->label == b->label;
    return labels && a->rating == b->rating &&
           (isnan(a->score) ? isnan(b->score)
                            : piaa_xmp_score(a->score) == piaa_xmp_score(b->score));
}

/* IMG.CR2 and IMG.JPG may share IMG.xmp: one of them writes it, and none if they differ. */
static bool settle_shared(piaa_star_plan *plan, piaa_error *error) {
    piaa_star_step **order = piaa_alloc(plan->count, sizeof *order, error);
    if (!order) return false;
    for (size_t i = 0; i < plan->count; i++) order[i] = &plan->steps[i];
    qsort(order, plan->count, sizeof *order, compare_files);
    for (size_t i = 1; i < plan->count; i++) {
        piaa_star_step *step = order[i], *first = order[i - 1];
        if (strcmp(step->file, first->file) != 0) continue;
        if (wants_same(&step->wants, &first->wants) && first->deed != PIAA_STAR_FAILED) {
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
    plan->darktables = 0;
    for (size_t i = 0; i < plan->count; i++) {
        plan->deeds[plan->steps[i].deed]++;
        plan->darktables += plan->steps[i].darktables;
    }
}

static bool stars_of(const piaa_rating *rating, int *stars, piaa_error *error) {
    *stars = rating->score <= 0 ? -1 : (int)lround(fmax(rating->score, 1));
    return (rating->score >= 0 && rating->score <= 5) ||
           piaa_error_set(error, PIAA_USAGE,
                          "%.700s is rated %g, and stars go from 1 to 5 (0: rejected): ratings on "
                          "another scale are not written as stars",
                          rating->path, rating->score);
}

/* What is to be said of a photo; of a raw file what is said of the picture before it, unless it
   was rated itself. */
static bool wants_of(const planning *p, size_t photo, piaa_xmp_change *out, piaa_error *error) {
    char *const *paths = p->plan->photos->paths.items;
    const char *shown = paths[p->shown[photo]];
    const piaa_rating *given = piaa_scores_find(&p->given, paths[photo]),
                      *predicted = piaa_scores_find(&p->predicted, shown);
    *out = (piaa_xmp_change){.rating = PIAA_XMP_AS_IT_IS, .score = NAN};
    if (!given) given = piaa_scores_find(&p->given, shown);
    if (given && !stars_of(given, &out->rating, error)) return false;
    if (predicted && p->options->scores) out->score = predicted->score;
    const piaa_rating *labelled = p->options->ranking ? predicted : given;
    if (labelled) out->label = p->options->labels[lround(fmin(fmax(labelled->score, 0), 5))];
    return true;
}

static bool plan_all(planning *p, const piaa_ratings *ratings, piaa_error *error) {
    const piaa_paths *paths = &p->plan->photos->paths;
    if (!(p->shown = piaa_alloc(paths->count, sizeof *p->shown, error)) ||
        !piaa_scores_sort(&p->given, ratings, error) ||
        !piaa_scores_sort(&p->predicted, p->options->ranking, error) ||
        !piaa_scores_pair(&p->given, &p->predicted, paths, p->shown, error))
        return false;
    for (size_t photo = 0; photo < paths->count; photo++) {
        piaa_xmp_change wants;
        if (!wants_of(p, photo, &wants, error)) return false;
        if (wants.rating == PIAA_XMP_AS_IT_IS && !wants.label && isnan(wants.score)) continue;
        if (!plan_photo(p, photo, &wants, error)) return false;
    }
    return settle_shared(p->plan, error);
}

piaa_star_plan *piaa_star_plan_make(const piaa_photos *photos, const piaa_ratings *ratings,
                                    const piaa_star_options *options, piaa_error *error) {
    planning p = {.plan = piaa_alloc(1, sizeof *p.plan, error), .options = options};
    if (!p.plan) return NULL;
    p.plan->photos = photos;
    const bool ok = plan_all(&p, ratings, error);
    free(p.given.items);
    free(p.predicted.items);
    free(p.shown);
    if (ok) {
        count_deeds(p.plan);
        return p.plan;
    }
    piaa_star_plan_free(p.plan);
    return NULL;
}

/* ---------------------------------------------------------------------------------------- write */

static void put_time_back(const char *path, const struct stat *status) {
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, piaa_stat_written(status)};
    const int failed = utimensat(AT_FDCWD, path, times, 0);
    PIAA_UNUSED(failed); /* a date is no reason to fail */
}

/* From what the file is at this moment; the deed says whether it still is to be done. */
static bool make_change(const piaa_star_plan *plan, piaa_star_step *step, bool replace,
                        piaa_star_change *c, piaa_error *why) {
    const char *path = plan->photos->paths.items[step->photo],
               *name = plan->photos->names.items[step->photo];
    if (step->embedded)
        return may_be_written(step->file, why) &&
               (c->before = piaa_file_read(step->file, PIAA_STAR_PHOTO_MOST, &c->size, why)) &&
               change_photo(step, c->before, c->size, replace, &c->patch, why) &&
               piaa_patch_apply(&c->patch, c->before, c->size, &c->after, why);
    if (step->deed == PIAA_STAR_UPDATE)
        return may_be_written(step->file, why) &&
               (c->before = piaa_file_read(step->file, PIAA_STAR_SIDECAR_MOST, &c->size, why)) &&
               change_sidecar(step, c->before, c->size, replace, &c->after, why);
    if (is_taken(step->file))
        return piaa_error_set(why, PIAA_BUSY, "%.700s has come meanwhile: plan again", step->file);
    const char *ending = name + piaa_path_stem(name);
    const bool raw = piaa_photo_kind(path) == PIAA_KIND_RAW && *ending;
    const piaa_xmp_form form = {.extension = raw ? ending + 1 : NULL};
    return piaa_xmp_new(&step->wants, &form, &c->after, why);
}

/* false: the log could not be written, and the file is as it was. */
static bool do_step(const piaa_star_plan *plan, piaa_star_step *step, piaa_star_log *log,
                    const piaa_star_options *options, const piaa_hooks *hooks, piaa_error *error) {
    piaa_error why = {0};
    piaa_star_change c = {.file = step->file};
    struct stat status;
    const bool timed = options->keep_times && stat(step->file, &status) == 0;
    bool ok = make_change(plan, step, options->replace, &c, &why), logged = true;
    const bool writes = ok && is_to_do(step);
    if (writes) {
        logged = piaa_star_log_add(log, &c, error);
        ok = logged && piaa_file_write(step->file, c.after.data, c.after.length, &why);
    }
    if (ok && writes && timed) put_time_back(step->file, &status);
    if (!ok && logged) {
        fail(step, why.message);
        piaa_hooks_warn(hooks, "%s", why.message);
    }
    piaa_star_change_free(&c);
    return logged;
}

static bool write_all(piaa_star_plan *plan, piaa_star_log *log, const piaa_star_options *options,
                      const piaa_hooks *hooks, piaa_error *error) {
    const size_t todo = plan->deeds[PIAA_STAR_UPDATE] + plan->deeds[PIAA_STAR_NEW];
    size_t done = 0;
    for (size_t i = 0; i < plan->count; i++) {
        piaa_star_step *step = &plan->steps[i];
        if (!is_to_do(step)) continue;
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            return piaa_error_set(error, PIAA_STOPPED,
                                  "stopped after %zu of %zu files: the same command goes on, "
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
    piaa_star_log own;
    if (!plan->deeds[PIAA_STAR_UPDATE] && !plan->deeds[PIAA_STAR_NEW]) return true;
    const bool ok =
        piaa_star_log_open(&own, log, error) && write_all(plan, &own, options, hooks, error);
    piaa_star_log_close(&own);
    count_deeds(plan);
    return ok;
}
