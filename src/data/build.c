/* Filling a data set, row by row. */
#include "data/build.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/walk.h"
#include "data/finder.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------------- images */

static char **copy_list(const char *const *items, size_t count, piaa_error *error) {
    char **copy = piaa_alloc(count, sizeof *copy, error);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = piaa_strdup(items[i], error);
        if (copy[i]) continue;
        while (i-- > 0) free(copy[i]);
        free(copy);
        return NULL;
    }
    return copy;
}

bool piaa_build_columns(piaa_build *build, const char *const *attributes, size_t attribute_count,
                        const char *const *labels, size_t label_count) {
    piaa_dataset *set = build->set;
    if (!(set->attribute_names = copy_list(attributes, attribute_count, build->error)))
        return false;
    set->attribute_count = attribute_count;
    if (!(set->label_names = copy_list(labels, label_count, build->error))) return false;
    set->label_count = label_count;
    return true;
}

static bool make_room(piaa_build *build) {
    piaa_dataset *set = build->set;
    size_t need = set->image_count + 1;
    return piaa_grow(&set->images, &build->image_room, need, sizeof *set->images, build->error) &&
           piaa_grow(&set->attributes, &build->attribute_room, need * set->attribute_count,
                     sizeof *set->attributes, build->error) &&
           piaa_grow(&set->labels, &build->label_room, need * set->label_count, sizeof *set->labels,
                     build->error);
}

bool piaa_build_image(piaa_build *build, const char *key, const char *name, size_t *image,
                      bool *fresh) {
    piaa_dataset *set = build->set;
    piaa_data_image made = {.general = NAN};
    bool is_new;
    if (!make_room(build) || !piaa_names_add(&set->image_names, key, image, &is_new, build->error))
        return false;
    if (fresh) *fresh = is_new;
    if (!is_new) return true;
    size_t at = set->image_count++;
    for (size_t i = 0; i < set->attribute_count; i++)
        set->attributes[at * set->attribute_count + i] = NAN;
    for (size_t i = 0; i < set->label_count; i++) set->labels[at * set->label_count + i] = NULL;
    made.name = piaa_strdup(name, build->error);
    made.path = piaa_path_join(set->folder, name, build->error);
    made.id = piaa_strdup("", build->error);
    set->images[at] = made;
    for (size_t i = 0; i < set->label_count; i++)
        if (!(set->labels[at * set->label_count + i] = piaa_strdup("", build->error))) return false;
    return made.name && made.path && made.id;
}

bool piaa_build_text(piaa_build *build, const char **member, const char *text) {
    char *copy = piaa_strdup(text, build->error);
    if (!copy) return false;
    free((char *)*member);
    *member = copy;
    return true;
}

bool piaa_build_label(piaa_build *build, size_t image, size_t label, const char *text) {
    const char **member =
        (const char **)&build->set->labels[image * build->set->label_count + label];
    return piaa_build_text(build, member, text);
}

/* -------------------------------------------------------------------------------------- ratings */

static bool find_user(piaa_build *build, const char *id, size_t *number) {
    piaa_dataset *set = build->set;
    bool fresh;
    if (!piaa_names_add(&set->user_names, id, number, &fresh, build->error)) return false;
    if (!fresh) return true;
    if (!piaa_grow(&set->users, &build->user_room, *number + 1, sizeof *set->users, build->error))
        return false;
    set->users[*number] = (piaa_data_user){.id = set->user_names.items[*number]};
    return true;
}

bool piaa_build_rating(piaa_build *build, const char *user, size_t image, double score,
                       int64_t line) {
    piaa_dataset *set = build->set;
    size_t number;
    if (!find_user(build, user, &number)) return false;
    if (number >= set->user_count) set->user_count = number + 1;
    if (!piaa_grow(&set->ratings, &build->rating_room, set->rating_count + 1, sizeof *set->ratings,
                   build->error))
        return false;
    set->ratings[set->rating_count++] =
        (piaa_data_rating){.user = number, .image = image, .score = score, .line = line};
    set->users[number].count++;
    return true;
}

bool piaa_build_partial(piaa_build *build, const char *user, size_t image, double score,
                        int64_t line) {
    piaa_dataset *set = build->set;
    size_t number;
    if (!find_user(build, user, &number) ||
        !piaa_grow(&set->partial, &build->partial_room, set->partial_count + 1,
                   sizeof *set->partial, build->error))
        return false;
    set->partial[set->partial_count++] =
        (piaa_data_rating){.user = number, .image = image, .score = score, .line = line};
    return true;
}

/* Each person's ratings, in file order, out of one array that users[0] leads to. */
static bool hang_ratings(piaa_build *build) {
    piaa_dataset *set = build->set;
    size_t *all = piaa_alloc(set->rating_count, sizeof *all, build->error), at = 0;
    size_t **fill = piaa_alloc(set->user_count, sizeof *fill, build->error);
    if (!all || !fill || !set->user_count) {
        free(all);
        free(fill);
        return all && fill;
    }
    for (size_t u = 0; u < set->user_count; u++) {
        set->users[u].ratings = fill[u] = all + at;
        at += set->users[u].count;
    }
    for (size_t r = 0; r < set->rating_count; r++) *fill[set->ratings[r].user]++ = r;
    free(fill);
    return true;
}

static bool mark_repeated(piaa_build *build) {
    piaa_dataset *set = build->set;
    piaa_notices told = {build->hooks, set->where, "repeated ratings", 0};
    /* By image: the latest rating of it, + 1. */
    size_t *seen = piaa_alloc(set->image_count, sizeof *seen, build->error);
    if (!seen) return false;
    for (size_t u = 0; u < set->user_count; u++) {
        const piaa_data_user *user = &set->users[u];
        for (size_t i = 0; i < user->count; i++) {
            piaa_data_rating *rating = &set->ratings[user->ratings[i]];
            const piaa_data_rating *earlier =
                seen[rating->image] ? &set->ratings[seen[rating->image] - 1] : NULL;
            if (earlier && earlier->user == u) {
                rating->repeated = true;
                set->loss.repeated_ratings++;
                piaa_notices_tell(&told,
                                  "%.300s, line %lld: %.80s has rated %.300s before, on line %lld",
                                  set->where, (long long)rating->line, user->id,
                                  set->images[rating->image].name, (long long)earlier->line);
            } else
                seen[rating->image] = user->ratings[i] + 1;
        }
    }
    free(seen);
    piaa_notices_end(&told);
    return true;
}

static bool is_any(const char *name) {
    PIAA_UNUSED(name);
    return true;
}

/* Looks for a table's images that are not there among all files below its folder: names are often
   written without the folders that the photos are in.  Each file is one image's. */
static bool find_below(piaa_build *build, piaa_finder *finder, size_t *counts) {
    piaa_dataset *set = build->set;
    piaa_paths files = {0};
    size_t *file = piaa_alloc(set->image_count, sizeof *file, build->error), *claims = NULL;
    piaa_found *found = piaa_alloc(set->image_count, sizeof *found, build->error);
    bool ok = file && found && piaa_folder_walk(set->folder, is_any, &files, NULL, build->error) &&
              (claims = piaa_alloc(files.count, sizeof *claims, build->error));
    for (size_t i = 0; ok && i < files.count; i++)
        ok = piaa_finder_add(finder, files.items[i], i, build->error);
    for (size_t i = 0; ok && i < set->image_count; i++) {
        const piaa_data_image *image = &set->images[i];
        ok = piaa_finder_among(finder, set->folder, image->missing ? image->name : image->path,
                               &file[i], &found[i], build->error);
        if (ok && found[i] >= PIAA_FOUND_EXACTLY) claims[file[i]]++;
    }
    for (size_t i = 0; ok && i < set->image_count; i++) {
        piaa_data_image *image = &set->images[i];
        if (!image->missing || found[i] < PIAA_FOUND_EXACTLY || claims[file[i]] > 1) continue;
        ok = piaa_build_text(build, &image->path, files.items[file[i]]);
        image->missing = false;
        set->loss.missing_images--;
        counts[found[i]]++;
    }
    free(file);
    free(found);
    free(claims);
    piaa_paths_free(&files);
    return ok;
}

/* A file that is not there under its name may be under another spelling of it: names with accents
   change on their way through a Mac. */
static bool find_files(piaa_build *build) {
    piaa_dataset *set = build->set;
    piaa_finder *finder = piaa_finder_new(build->error);
    size_t counts[PIAA_FOUND_KINDS] = {0};
    piaa_text how = {0};
    bool ok = finder != NULL;
    for (size_t i = 0; ok && i < set->image_count; i++) {
        piaa_data_image *image = &set->images[i];
        piaa_found found;
        char *path;
        if (piaa_file_exists(image->path)) continue;
        ok = piaa_finder_on_disk(finder, set->folder, image->path, &path, &found, build->error);
        if (!ok) break;
        image->missing = found < PIAA_FOUND_EXACTLY;
        set->loss.missing_images += image->missing;
        counts[found]++;
        if (!image->missing) ok = piaa_build_text(build, &image->path, path);
        free(path);
    }
    if (ok && set->loss.missing_images && strcmp(set->kind, "csv") == 0)
        ok = find_below(build, finder, counts);
    ok = ok && piaa_finder_describe(counts, &how, build->error);
    if (ok && how.length)
        piaa_hooks_warn(build->hooks, "%.500s: images were found, %s", set->folder, how.data);
    free(how.data);
    piaa_finder_free(finder);
    return ok;
}

static void tell_missing(piaa_build *build) {
    piaa_dataset *set = build->set;
    piaa_notices told = {build->hooks, set->folder, "images that are not there", 0};
    if (set->image_count && set->loss.missing_images == set->image_count) {
        piaa_hooks_warn(build->hooks,
                        "%.400s: none of the %zu images is there (the first should be %.400s): "
                        "only the ratings can be used",
                        set->folder, set->image_count, set->images[0].name);
        return;
    }
    for (size_t i = 0; i < set->image_count; i++)
        if (set->images[i].missing)
            piaa_notices_tell(&told, "%.900s is not there: its ratings are left out",
                              set->images[i].path);
    piaa_notices_end(&told);
}

bool piaa_build_finish(piaa_build *build) {
    piaa_dataset *set = build->set;
    if (!set->image_count)
        return piaa_error_set(build->error, PIAA_FORMAT,
                              "%s holds no usable row: nothing to work with",
                              *set->where ? set->where : set->folder);
    if (!hang_ratings(build) || !mark_repeated(build) || !find_files(build)) return false;
    tell_missing(build);
    return true;
}

/* ----------------------------------------------------------------------------------------- rows */

piaa_rows piaa_rows_over(piaa_csv *csv, piaa_build *build) {
    return (piaa_rows){
        csv, {build->hooks, piaa_csv_where(csv), "rows that cannot be used", 0}, build};
}

int piaa_rows_open(piaa_rows *rows, piaa_build *build, const char *name, const char *consequence) {
    *rows = (piaa_rows){.build = build};
    char *path = piaa_path_join(build->set->folder, name, build->error);
    if (!path) return -1;
    int opened = 0;
    if (piaa_file_exists(path)) {
        rows->csv = piaa_csv_open(path, build->error);
        opened = rows->csv ? 1 : -1;
    } else {
        piaa_hooks_warn(build->hooks, "%.700s is not there: %s", path, consequence);
        build->set->loss.missing_files++;
    }
    free(path);
    if (!rows->csv) return opened;
    *rows = piaa_rows_over(rows->csv, build);
    piaa_text how = {0};
    bool ok = piaa_csv_describe(rows->csv, &how, build->error);
    if (ok && how.length)
        piaa_hooks_warn(build->hooks, "%.600s: read as %.300s", piaa_csv_where(rows->csv),
                        how.data);
    free(how.data);
    return ok ? opened : -1;
}

void piaa_rows_close(piaa_rows *rows) {
    if (!rows->csv) return;
    piaa_notices_end(&rows->faults);
    piaa_csv_close(rows->csv);
    rows->csv = NULL;
}

int piaa_rows_next(piaa_rows *rows) {
    for (;;) {
        piaa_error fault = {0};
        int got = piaa_csv_next(rows->csv, &fault);
        if (got) rows->build->set->loss.rows++;
        if (got >= 0) return got;
        if (fault.code == PIAA_MEMORY) {
            piaa_error_set(rows->build->error, fault.code, "%s", fault.message);
            return -1;
        }
        rows->build->set->loss.bad_rows++;
        piaa_notices_tell(&rows->faults, "%s: the row is passed over", fault.message);
    }
}

void piaa_rows_fault(piaa_rows *rows, const char *format, ...) {
    char what[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    rows->build->set->loss.bad_rows++;
    piaa_notices_tell(&rows->faults, "%.400s, line %lld: %s: the row is passed over",
                      piaa_csv_where(rows->csv), (long long)piaa_csv_line(rows->csv), what);
}

bool piaa_rows_column(const piaa_rows *rows, const char *name, int *column) {
    *column = piaa_csv_column(rows->csv, name);
    if (*column >= 0) return true;
    piaa_text names = {0};
    piaa_error *error = rows->build->error;
    bool ok = true;
    for (int c = 0; ok && c < piaa_csv_columns(rows->csv); c++)
        ok = piaa_text_format(&names, error, "%s%s", c ? ", " : "",
                              piaa_csv_column_name(rows->csv, c));
    if (ok)
        piaa_error_set(error, PIAA_FORMAT,
                       "%s has no column named %s (it has %.400s): take the data set's own file",
                       piaa_csv_where(rows->csv), name, names.data ? names.data : "none");
    free(names.data);
    return false;
}
