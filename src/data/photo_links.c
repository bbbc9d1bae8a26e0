/* Links to photos in the order of their scores. */
#include "data/photo_links.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/scores.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct linked {
    size_t photo;
    double score;
} linked;

static int best_first(const void *a, const void *b) {
    const linked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->photo > y->photo) - (x->photo < y->photo);
}

static void choose(const piaa_photos *photos, const piaa_scores *given,
                   const piaa_scores *predicted, const size_t *shown, int least, linked *list,
                   size_t *count) {
    *count = 0;
    for (size_t i = 0; i < photos->paths.count; i++) {
        const char *path = photos->paths.items[i];
        const piaa_rating *own = piaa_scores_find(given, path),
                          *foreseen = piaa_scores_find(predicted, path);
        if (shown[i] != i || (!own && !foreseen) || (own && own->score <= 0)) continue;
        if (lround((own ? own : foreseen)->score) < least) continue;
        list[(*count)++] = (linked){.photo = i, .score = (foreseen ? foreseen : own)->score};
    }
    qsort(list, *count, sizeof *list, best_first);
}

static char *name_link(const char *folder, const char *photo, size_t place, size_t count,
                       piaa_error *error) {
    char last[24];
    const int digits = snprintf(last, sizeof last, "%zu", count);
    return piaa_format(error, "%s/%0*zu-%s", folder, digits < 3 ? 3 : digits, place + 1,
                       piaa_path_name(photo));
}

static bool make_link(const char *photo, const char *name, bool hard, piaa_error *error) {
    if ((hard ? link(photo, name) : symlink(photo, name)) == 0) return true;
    if (hard && errno == EXDEV)
        return piaa_error_set(error, PIAA_USAGE,
                              "%.700s: hard links do not lead from one file system to another: "
                              "leave --hard away",
                              name);
    return piaa_error_set_errno(error, errno, "%.700s cannot be made", name);
}

static bool make_all(const char *folder, const piaa_photos *photos, const linked *list,
                     size_t count, bool hard, piaa_error *error) {
    piaa_paths made = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const char *photo = photos->paths.items[list[i].photo];
        char *name = name_link(folder, photos->names.items[list[i].photo], i, count, error);
        ok = name && piaa_paths_add(&made, name, error) && make_link(photo, name, hard, error);
        free(name);
        if (!ok && made.count == i + 1) made.count--;
    }
    for (size_t i = 0; !ok && i < made.count; i++) unlink(made.items[i]);
    if (!ok) rmdir(folder);
    piaa_paths_free(&made);
    return ok;
}

/* The list in order; *list is the caller's in either case. */
static bool list_photos(const piaa_photos *photos, const piaa_ratings *ratings,
                        const piaa_link_options *options, linked **list, size_t *count,
                        piaa_error *error) {
    piaa_scores given = {0}, predicted = {0};
    size_t *shown = piaa_alloc(photos->paths.count, sizeof *shown, error);
    const bool ok = shown && piaa_scores_sort(&given, ratings, error) &&
                    piaa_scores_sort(&predicted, options->ranking, error) &&
                    piaa_scores_pair(&given, &predicted, &photos->paths, shown, error) &&
                    (*list = piaa_alloc(photos->paths.count, sizeof **list, error));
    if (ok) choose(photos, &given, &predicted, shown, options->least, *list, count);
    free(given.items);
    free(predicted.items);
    free(shown);
    return ok && (*count || piaa_error_set(error, PIAA_MISMATCH,
                                           "none of the %zu photos has a score of %d or more",
                                           photos->paths.count, options->least));
}

static bool make_folder(const char *folder, piaa_error *error) {
    if (piaa_file_exists(folder))
        return piaa_error_set(error, PIAA_USAGE,
                              "%.700s is there already: links go into a new "
                              "folder",
                              folder);
    char *copy = piaa_strdup(folder, error);
    const bool ok = copy && (piaa_folders_make(copy) ||
                             piaa_error_set_errno(error, errno, "%.700s cannot be made", folder));
    free(copy);
    return ok;
}

bool piaa_photo_links_make(const char *folder, const piaa_photos *photos,
                           const piaa_ratings *ratings, const piaa_link_options *options,
                           size_t *count, piaa_error *error) {
    linked *list = NULL;
    const bool ok = list_photos(photos, ratings, options, &list, count, error) &&
                    make_folder(folder, error) &&
                    make_all(folder, photos, list, *count, options->hard, error);
    free(list);
    return ok;
}
