/* Reads a ratings file: its rows by data/sheet.h, its photos by data/finder.h, and the average of
   photos that occur more than once. */
#include "data/ratings.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/utf8.h"
#include "data/finder.h"
#include "data/named.h"
#include "data/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char *path, *written;
    double sum, squares;
    int64_t line, second; /* second: line of the second rating, 0 if there is none */
    size_t times, order;
} entry;

struct piaa_ratings {
    char *where, *folder;
    piaa_rating *items; /* each owns its path */
    char **written;     /* [count] the photos' names as they stand in the file */
    size_t count;
    piaa_retest retest;
};

/* The file while it is being read. */
typedef struct reading {
    piaa_sheet sheet;
    piaa_finder *finder;
    char *folder;
    entry *entries;
    size_t count, capacity;
    size_t rows, bad;
    piaa_error first;               /* the first bad row's fault, with file and line */
    size_t found[PIAA_FOUND_KINDS]; /* names that were matched, by how */
    size_t matched;                 /* the first that was not exactly the photo's: entry + 1 */
} reading;

/* ----------------------------------------------------------------------------------------- rows */

static void note_bad(reading *in, const piaa_error *fault) {
    if (in->bad++ == 0) in->first = *fault;
}

static bool take_row(reading *in, const piaa_sheet_row *row, piaa_error *error) {
    entry made = {.sum = row->score,
                  .squares = row->score * row->score,
                  .line = piaa_csv_line(in->sheet.csv),
                  .times = 1,
                  .order = in->count};
    piaa_found found;
    if (piaa_grow(&in->entries, &in->capacity, in->count + 1, sizeof *in->entries, error) &&
        (made.written = piaa_strdup(row->path, error)) &&
        piaa_finder_on_disk(in->finder, in->folder, row->path, &made.path, &found, error)) {
        in->entries[in->count++] = made;
        in->found[found]++;
        if (found > PIAA_FOUND_EXACTLY && !in->matched) in->matched = in->count;
        return true;
    }
    free(made.written);
    return false;
}

static bool take_rows(reading *in, const piaa_whose *whose, piaa_error *error) {
    const char *user = whose ? whose->user : NULL;
    piaa_sheet_row row;
    piaa_sheet_got got;
    const char *where = piaa_csv_where(in->sheet.csv);
    for (;;) {
        piaa_error fault = {0};
        got = piaa_sheet_next(&in->sheet, user, &row, &fault);
        if (got == PIAA_SHEET_FAILED) return piaa_error_set(error, fault.code, "%s", fault.message);
        if (got == PIAA_SHEET_END) break;
        if (got == PIAA_SHEET_UNRATED) continue;
        in->rows++;
        if (got == PIAA_SHEET_FAULT)
            note_bad(in, &fault);
        else if (!take_row(in, &row, error))
            return false;
    }
    if (in->rows == 0 && whose && whose->none_yet) return true;
    if (in->rows == 0 && in->sheet.unrated)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: none of its %zu photos has a rating: fill in the column %.80s",
                              where, in->sheet.unrated,
                              piaa_csv_column_name(in->sheet.csv, in->sheet.role[PIAA_ROLE_SCORE]));
    if (in->rows == 0)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s holds no ratings: add one line PHOTO,SCORE for each photo",
                              where);
    if (in->bad == 1)
        return piaa_error_set(error, PIAA_FORMAT, "%s; correct that row or delete it",
                              in->first.message);
    if (in->bad)
        return piaa_error_set(
            error, PIAA_FORMAT, "%s; %s %zu of the %zu rows are at fault: correct or delete them",
            in->first.message, in->bad == in->rows ? "all" : "in all", in->bad, in->rows);
    return true;
}

/* ----------------------------------------------------------------------------------- duplicates */

static int by_path(const void *left, const void *right) {
    const entry *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_order(const void *left, const void *right) {
    const entry *a = left, *b = right;
    return (a->order > b->order) - (a->order < b->order);
}

/* Merges ratings of the same photo into the first of them. */
static void merge_duplicates(reading *in, const piaa_hooks *hooks) {
    size_t kept = 0, merged = 0;
    if (!in->entries) return;
    qsort(in->entries, in->count, sizeof *in->entries, by_path);
    for (size_t i = 0; i < in->count; i++) {
        entry *last = kept ? &in->entries[kept - 1] : NULL, *here = &in->entries[i];
        if (last && strcmp(last->path, here->path) == 0) {
            if (last->times++ == 1) last->second = here->line;
            last->sum += here->sum;
            last->squares += here->squares;
            free(here->path);
            free(here->written);
        } else
            in->entries[kept++] = *here;
    }
    in->count = kept;
    qsort(in->entries, in->count, sizeof *in->entries, by_order);
    const entry *first = NULL;
    for (size_t i = 0; i < in->count; i++) {
        if (in->entries[i].times == 1) continue;
        if (!first) first = &in->entries[i];
        merged++;
    }
    if (first)
        piaa_hooks_warn(hooks,
                        "%.400s: %zu photo%s rated more than once, and the scores averaged (%.*s "
                        "on lines %lld and %lld%s)",
                        piaa_csv_where(in->sheet.csv), merged, merged == 1 ? " is" : "s are",
                        piaa_utf8_shown(piaa_path_name(first->path), 40),
                        piaa_path_name(first->path), (long long)first->line,
                        (long long)first->second, merged > 1 || first->times > 2 ? ", …" : "");
}

/* What is known of the person's noise, by the photos that have several ratings. */
static piaa_retest retest(const reading *in) {
    piaa_retest out = {.noise = NAN, .ceiling = NAN};
    double sum = 0, squares = 0, within = 0, again = 0, rows = 0;
    for (size_t i = 0; i < in->count; i++) {
        const entry *here = &in->entries[i];
        const double times = (double)here->times;
        sum += here->sum;
        squares += here->squares;
        rows += times;
        if (here->times == 1) continue;
        within += fmax(0, here->squares - here->sum * here->sum / times);
        again += times - 1;
        out.photos++;
    }
    if (!out.photos) return out;
    const double all = squares / rows - sum / rows * sum / rows;
    out.noise = sqrt(within / again);
    out.ceiling = all > 0 ? sqrt(fmax(0, 1 - within / again / all)) : NAN;
    return out;
}

static piaa_ratings *hand_over(reading *in, piaa_error *error) {
    piaa_ratings *ratings = piaa_alloc(1, sizeof *ratings, error);
    if (!ratings || !(ratings->where = piaa_strdup(piaa_csv_where(in->sheet.csv), error)) ||
        !(ratings->items = piaa_alloc(in->count, sizeof *ratings->items, error)) ||
        !(ratings->written = piaa_alloc(in->count, sizeof *ratings->written, error))) {
        piaa_ratings_free(ratings);
        return NULL;
    }
    for (size_t i = 0; i < in->count; i++) {
        ratings->items[i] =
            (piaa_rating){.path = in->entries[i].path,
                          .score = in->entries[i].sum / (double)in->entries[i].times,
                          .line = in->entries[i].line};
        ratings->written[i] = in->entries[i].written;
    }
    ratings->retest = retest(in);
    ratings->folder = in->folder;
    in->folder = NULL;
    ratings->count = in->count;
    in->count = 0;
    return ratings;
}

piaa_ratings *piaa_ratings_from(const char *where, const piaa_rating *items, size_t count,
                                piaa_error *error) {
    piaa_ratings *ratings = piaa_alloc(1, sizeof *ratings, error);
    bool ok = ratings && (ratings->where = piaa_strdup(where, error)) &&
              (ratings->folder = piaa_strdup("/", error)) &&
              (ratings->items = piaa_alloc(count, sizeof *ratings->items, error)) &&
              (ratings->written = piaa_alloc(count, sizeof *ratings->written, error));
    if (ok) ratings->retest = (piaa_retest){.noise = NAN, .ceiling = NAN};
    for (size_t i = 0; ok && i < count; i++) {
        ratings->items[i] = items[i];
        ratings->items[i].path = piaa_strdup(items[i].path, error);
        ratings->written[i] = piaa_strdup(items[i].path, error);
        ratings->count++;
        ok = ratings->items[i].path && ratings->written[i];
    }
    if (ok) return ratings;
    piaa_ratings_free(ratings);
    return NULL;
}

static bool read_all(reading *in, const char *path, const piaa_whose *whose,
                     const piaa_hooks *hooks, piaa_error *error) {
    const char *user = whose ? whose->user : NULL;
    if (!(in->folder = piaa_path_folder(path, error)) || !(in->finder = piaa_finder_new(error)) ||
        !piaa_sheet_open(&in->sheet, path, whose ? whose->user_column : NULL, error) ||
        !piaa_sheet_check_people(&in->sheet, user, error) || !take_rows(in, whose, error) ||
        !piaa_sheet_tell(&in->sheet, hooks, error))
        return false;
    const entry *first = in->matched ? &in->entries[in->matched - 1] : NULL;
    if (first && !piaa_named_tell(piaa_csv_where(in->sheet.csv), in->found, first->written,
                                  first->path, hooks, error))
        return false;
    merge_duplicates(in, hooks);
    return true;
}

piaa_ratings *piaa_ratings_read_of(const char *path, const piaa_whose *whose,
                                   const piaa_hooks *hooks, piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    if (!path) {
        piaa_error_missing(error, "ratings file");
        return NULL;
    }
    reading in = {0};
    piaa_ratings *ratings = read_all(&in, path, whose, hooks, error) ? hand_over(&in, error) : NULL;
    for (size_t i = 0; in.entries && i < in.count; i++) {
        free(in.entries[i].path);
        free(in.entries[i].written);
    }
    free(in.entries);
    free(in.folder);
    piaa_finder_free(in.finder);
    piaa_sheet_close(&in.sheet);
    return ratings;
}

piaa_ratings *piaa_ratings_read(const char *path, const piaa_hooks *hooks, piaa_error *error) {
    return piaa_ratings_read_of(path, NULL, hooks, error);
}

/* ---------------------------------------------------------------------------------------- match */

bool piaa_ratings_match(piaa_ratings *ratings, const char *const *paths, const char *const *names,
                        size_t count, const piaa_hooks *hooks, piaa_error *error) {
    if (!ratings) return piaa_error_missing(error, "ratings");
    char **own = piaa_alloc(ratings->count, sizeof *own, error);
    if (!own) return false;
    for (size_t i = 0; i < ratings->count; i++) own[i] = (char *)ratings->items[i].path;
    const piaa_named named = {.where = ratings->where,
                              .folder = ratings->folder,
                              .written = ratings->written,
                              .paths = own,
                              .count = ratings->count};
    const piaa_photo_list photos = {.paths = paths, .names = names, .count = count};
    const bool ok = piaa_named_match(&named, &photos, hooks, error);
    for (size_t i = 0; i < ratings->count; i++) ratings->items[i].path = own[i];
    free(own);
    return ok;
}

void piaa_ratings_free(piaa_ratings *ratings) {
    if (!ratings) return;
    for (size_t i = 0; ratings->items && ratings->written && i < ratings->count; i++) {
        free((char *)ratings->items[i].path);
        free(ratings->written[i]);
    }
    free(ratings->items);
    free(ratings->written);
    free(ratings->where);
    free(ratings->folder);
    free(ratings);
}

size_t piaa_ratings_count(const piaa_ratings *ratings) {
    return ratings ? ratings->count : 0;
}

const piaa_rating *piaa_ratings_at(const piaa_ratings *ratings, size_t index) {
    return &ratings->items[index];
}

piaa_retest piaa_ratings_retest(const piaa_ratings *ratings) {
    return ratings->retest;
}

const char *piaa_ratings_where(const piaa_ratings *ratings) {
    return ratings->where;
}
