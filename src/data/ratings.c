/* Reads a ratings file: finds the two columns, checks every row, makes paths absolute, and averages
   photos that occur more than once. */
#include "data/ratings.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const double score_limit =
    1e9; /* beyond it a score is a slip, and its square would strain the regression */

typedef struct entry {
    char *path;
    double sum;
    int64_t line, second; /* second: line of the second rating, 0 if there is none */
    size_t times, order;
} entry;

struct piaa_ratings {
    char *where;
    piaa_rating *items; /* each owns its path */
    size_t count;
};

/* -------------------------------------------------------------------------------------- columns */

static const char *const path_names[] = {"path", "image", "photo", "file", "filename", NULL};
static const char *const score_names[] = {"score", "rating", NULL};

static int count_named(const piaa_csv *csv, const char *name, int *column) {
    int found = 0;
    for (int c = 0; c < piaa_csv_columns(csv); c++)
        if (strcasecmp(piaa_csv_column_name(csv, c), name) == 0) {
            *column = c;
            found++;
        }
    return found;
}

static bool header_looks_like_data(const piaa_csv *csv) {
    double number;
    for (int c = 0; c < piaa_csv_columns(csv); c++)
        if (piaa_parse_number(piaa_csv_column_name(csv, c), &number)) return true;
    return false;
}

static bool no_column(const piaa_csv *csv, const char *name, piaa_error *error) {
    const char *where = piaa_csv_where(csv);
    if (header_looks_like_data(csv))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s has no header: put the line path,score before its first rating",
                              where);
    piaa_text names = {0};
    for (int c = 0; c < piaa_csv_columns(csv); c++)
        if (!piaa_text_format(&names, error, "%s%s", c ? ", " : "", piaa_csv_column_name(csv, c))) {
            free(names.data);
            return false;
        }
    piaa_error_set(error, PIAA_FORMAT,
                   "%s has no column named %s (it has %.400s): name the two columns path and score",
                   where, name, names.data);
    free(names.data);
    return false;
}

/* names[0] is the proper name and wins; of the others, exactly one column may be there. */
static bool find_column(const piaa_csv *csv, const char *const *names, int *column,
                        piaa_error *error) {
    int found = count_named(csv, names[0], column);
    if (!found)
        for (size_t i = 1; names[i]; i++) found += count_named(csv, names[i], column);
    if (found == 1) return true;
    if (found == 0) return no_column(csv, names[0], error);
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s has %d columns that could be the %s: name only one of them %s",
                          piaa_csv_where(csv), found, names[0], names[0]);
}

/* ----------------------------------------------------------------------------------------- rows */

/* At most 40 bytes of a field, cut between characters, for a message. */
static const char *excerpt(const char *field, char out[48]) {
    size_t n = strlen(field);
    if (n <= 40) return strcpy(out, field);
    for (n = 40; n > 0 && ((unsigned char)field[n] & 0xc0) == 0x80;) n--;
    memcpy(out, field, n);
    strcpy(out + n, "…");
    return out;
}

static bool check_score(const char *field, double *score, char *fault, size_t size) {
    char shown[48], with_point[48], *comma;
    double guess;
    if (piaa_parse_number(field, score)) {
        if (fabs(*score) <= score_limit) return true;
        snprintf(fault, size, "the score %s is out of range", excerpt(field, shown));
    } else if (field[strspn(field, " \t")] == '\0') {
        snprintf(fault, size, "there is no score");
    } else {
        excerpt(field, shown);
        strcpy(with_point, shown);
        comma = strchr(with_point, ',');
        if (comma) *comma = '.';
        bool decimal_comma = comma && piaa_parse_number(with_point, &guess);
        snprintf(fault, size, "the score \"%s\" is not a number%s", shown,
                 decimal_comma ? " (write a point, not a comma)" : "");
    }
    return false;
}

/* A copy without the blanks around it. */
static char *trimmed(const char *field, piaa_error *error) {
    field += strspn(field, " \t");
    char *copy = piaa_strdup(field, error);
    for (size_t n = copy ? strlen(copy) : 0; n > 0 && strchr(" \t", copy[n - 1]); n--)
        copy[n - 1] = '\0';
    return copy;
}

static char *absolute_path(const char *folder, const char *field, piaa_error *error) {
    char *name = trimmed(field, error);
    char *joined = name ? piaa_path_join(folder, name, error) : NULL;
    char *absolute = joined ? piaa_path_absolute(joined, error) : NULL;
    free(name);
    free(joined);
    return absolute;
}

/* The file while it is being read. */
typedef struct reading {
    piaa_csv *csv;
    char *folder;
    int path, score;
    entry *entries;
    size_t count, capacity;
    size_t rows, bad;
    piaa_error first; /* the first bad row's fault, with file and line */
} reading;

static void note_bad(reading *in, const char *fault) {
    if (in->bad++ == 0)
        piaa_error_set(&in->first, PIAA_FORMAT, "%s, line %lld: %s", piaa_csv_where(in->csv),
                       (long long)piaa_csv_line(in->csv), fault);
}

static bool take_row(reading *in, piaa_error *error) {
    char fault[160];
    const char *path = piaa_csv_field(in->csv, in->path);
    double score;
    if (path[strspn(path, " \t")] == '\0') {
        note_bad(in, "there is no path");
        return true;
    }
    if (!check_score(piaa_csv_field(in->csv, in->score), &score, fault, sizeof fault)) {
        note_bad(in, fault);
        return true;
    }
    char *absolute = absolute_path(in->folder, path, error);
    if (!absolute ||
        !piaa_grow(&in->entries, &in->capacity, in->count + 1, sizeof *in->entries, error)) {
        free(absolute);
        return false;
    }
    in->entries[in->count] = (entry){.path = absolute,
                                     .sum = score,
                                     .line = piaa_csv_line(in->csv),
                                     .times = 1,
                                     .order = in->count};
    in->count++;
    return true;
}

static bool take_rows(reading *in, piaa_error *error) {
    for (;; in->rows++) {
        piaa_error here = {0};
        int row = piaa_csv_next(in->csv, &here);
        if (row == 0) break;
        if (row < 0) {
            if (here.code == PIAA_MEMORY)
                return piaa_error_set(error, here.code, "%s", here.message);
            if (in->bad++ == 0) in->first = here;
        } else if (!take_row(in, error))
            return false;
    }
    const char *where = piaa_csv_where(in->csv);
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
            free(here->path);
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
    if (!first || !hooks || !hooks->warn) return;
    char line[600], shown[48];
    snprintf(line, sizeof line,
             "%.400s: %zu photo%s rated more than once, and the scores averaged (%s on lines %lld "
             "and %lld%s)",
             piaa_csv_where(in->csv), merged, merged == 1 ? " is" : "s are",
             excerpt(piaa_path_name(first->path), shown), (long long)first->line,
             (long long)first->second, merged > 1 || first->times > 2 ? ", …" : "");
    hooks->warn(hooks->user, line);
}

static piaa_ratings *hand_over(reading *in, piaa_error *error) {
    piaa_ratings *ratings = piaa_alloc(1, sizeof *ratings, error);
    if (!ratings || !(ratings->where = piaa_strdup(piaa_csv_where(in->csv), error)) ||
        !(ratings->items = piaa_alloc(in->count, sizeof *ratings->items, error))) {
        piaa_ratings_free(ratings);
        return NULL;
    }
    for (size_t i = 0; i < in->count; i++)
        ratings->items[i] =
            (piaa_rating){.path = in->entries[i].path,
                          .score = in->entries[i].sum / (double)in->entries[i].times,
                          .line = in->entries[i].line};
    ratings->count = in->count;
    in->count = 0;
    return ratings;
}

piaa_ratings *piaa_ratings_read(const char *path, const piaa_hooks *hooks, piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    reading in = {0};
    piaa_ratings *ratings = NULL;
    if (!path) {
        piaa_error_missing(error, "ratings file");
        return NULL;
    }
    if ((in.csv = piaa_csv_open(path, error)) && (in.folder = piaa_path_folder(path, error)) &&
        find_column(in.csv, path_names, &in.path, error) &&
        find_column(in.csv, score_names, &in.score, error) && take_rows(&in, error)) {
        merge_duplicates(&in, hooks);
        ratings = hand_over(&in, error);
    }
    for (size_t i = 0; in.entries && i < in.count; i++) free(in.entries[i].path);
    free(in.entries);
    free(in.folder);
    piaa_csv_close(in.csv);
    return ratings;
}

void piaa_ratings_free(piaa_ratings *ratings) {
    if (!ratings) return;
    for (size_t i = 0; i < ratings->count; i++) free((char *)ratings->items[i].path);
    free(ratings->items);
    free(ratings->where);
    free(ratings);
}

size_t piaa_ratings_count(const piaa_ratings *ratings) {
    return ratings ? ratings->count : 0;
}

const piaa_rating *piaa_ratings_at(const piaa_ratings *ratings, size_t index) {
    return &ratings->items[index];
}

const char *piaa_ratings_where(const piaa_ratings *ratings) {
    return ratings->where;
}
