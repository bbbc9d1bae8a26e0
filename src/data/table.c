/* Anybody's ratings in one CSV file: user,path,score and whatever else is known of the images.
 *
 * The file is read twice: once to see which of the other columns hold numbers, and once for its
 * rows.  Mean score and attributes of an image are the means over its rows. */
#include "base/file.h"
#include "base/memory.h"
#include "data/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const user_names[] = {"user", "user_id", "userId", NULL};
static const char *const path_names[] = {"path", "image", "photo", "file", "filename", NULL};
static const char *const score_names[] = {"score", "rating", NULL};
static const char *const split_names[] = {"split", NULL};
static const char *const label_names[] = {"style", "genre", "semantic"};

typedef struct table {
    piaa_rows rows;
    int user, path, score, split; /* columns; -1 where there is none */
    int *attribute, *label;
    size_t attributes, labels;
    piaa_names written; /* paths as they stand in the file, and the image of each */
    size_t *image_of, image_room;
    double *sums, *counts; /* [image, 1 + attributes] */
    size_t sum_room, count_room, known;
} table;

/* -------------------------------------------------------------------------------------- columns */

static int find_column(const piaa_csv *csv, const char *const *names) {
    for (; *names; names++)
        for (int c = 0; c < piaa_csv_columns(csv); c++)
            if (strcasecmp(piaa_csv_column_name(csv, c), *names) == 0) return c;
    return -1;
}

static bool need_column(const piaa_csv *csv, const char *const *names, int *column,
                        piaa_error *error) {
    *column = find_column(csv, names);
    if (*column >= 0) return true;
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s has no column named %s: it needs the columns path and score, and "
                          "user if several people rated",
                          piaa_csv_where(csv), names[0]);
}

static bool is_blank(const char *field) {
    return field[strspn(field, " \t")] == '\0';
}

/* Which columns hold numbers in most of their filled fields. */
static bool count_numbers(const char *file, double *numbers, double *others, piaa_error *error) {
    piaa_csv *csv = piaa_csv_open(file, error);
    if (!csv) return false;
    piaa_error fault = {0};
    int got;
    while ((got = piaa_csv_next(csv, &fault)) != 0 && (got > 0 || fault.code != PIAA_MEMORY)) {
        double value;
        for (int c = 0; got > 0 && c < piaa_csv_columns(csv); c++) {
            const char *field = piaa_csv_field(csv, c);
            if (!is_blank(field)) (piaa_parse_number(field, &value) ? numbers : others)[c]++;
        }
        piaa_error_clear(&fault);
    }
    piaa_csv_close(csv);
    return got == 0 || piaa_error_set(error, fault.code, "%s", fault.message);
}

static bool is_label(const char *name) {
    for (size_t i = 0; i < PIAA_COUNT(label_names); i++)
        if (strcasecmp(name, label_names[i]) == 0) return true;
    return false;
}

static bool sort_columns(table *t, const double *numbers, const double *others, const char **names,
                         const char **labels) {
    const piaa_csv *csv = t->rows.csv;
    for (int c = 0; c < piaa_csv_columns(csv); c++) {
        const char *name = piaa_csv_column_name(csv, c);
        if (c == t->user || c == t->path || c == t->score || c == t->split) continue;
        if (is_label(name)) {
            labels[t->labels] = name;
            t->label[t->labels++] = c;
        } else if (*name && numbers[c] > others[c]) {
            names[t->attributes] = name;
            t->attribute[t->attributes++] = c;
        } else
            piaa_notices_warn(t->rows.build->hooks,
                              "%.600s: the column \"%.100s\" holds no numbers and is not used",
                              piaa_csv_where(csv), name);
    }
    return piaa_build_columns(t->rows.build, names, t->attributes, labels, t->labels);
}

static bool find_columns(table *t, const char *file) {
    piaa_build *build = t->rows.build;
    const piaa_csv *csv = t->rows.csv;
    if (!need_column(csv, path_names, &t->path, build->error) ||
        !need_column(csv, score_names, &t->score, build->error))
        return false;
    t->user = find_column(csv, user_names);
    t->split = find_column(csv, split_names);
    size_t columns = (size_t)piaa_csv_columns(csv);
    double *numbers = piaa_alloc(columns, sizeof *numbers, build->error),
           *others = piaa_alloc(columns, sizeof *others, build->error);
    const char **names = piaa_alloc(columns, sizeof *names, build->error),
               **labels = piaa_alloc(columns, sizeof *labels, build->error);
    t->attribute = piaa_alloc(columns, sizeof *t->attribute, build->error);
    t->label = piaa_alloc(columns, sizeof *t->label, build->error);
    bool ok = numbers && others && names && labels && t->attribute && t->label &&
              count_numbers(file, numbers, others, build->error) &&
              sort_columns(t, numbers, others, names, labels);
    free(numbers);
    free(others);
    free(names);
    free(labels);
    return ok;
}

/* ----------------------------------------------------------------------------------------- rows */

/* Two spellings of one path are one image; each spelling is resolved once. */
static bool find_image(table *t, const char *written, size_t *image) {
    piaa_build *build = t->rows.build;
    size_t number;
    bool fresh;
    if (!piaa_names_add(&t->written, written, &number, &fresh, build->error)) return false;
    if (!fresh) {
        *image = t->image_of[number];
        return true;
    }
    if (!piaa_grow(&t->image_of, &t->image_room, number + 1, sizeof *t->image_of, build->error))
        return false;
    char *joined = piaa_path_join(build->set->folder, written, build->error);
    char *path = joined ? piaa_path_absolute(joined, build->error) : NULL;
    bool ok = path && piaa_build_image(build, path, written, image, &fresh) &&
              (!fresh || piaa_build_text(build, &build->set->images[*image].path, path));
    t->image_of[number] = ok ? *image : 0;
    free(joined);
    free(path);
    return ok;
}

static bool read_split(table *t, piaa_data_image *image) {
    char buffer[64];
    const char *name = piaa_rows_text(&t->rows, t->split, buffer, sizeof buffer);
    piaa_split split = PIAA_SPLIT_NONE;
    if (strcasecmp(name, "train") == 0) split = PIAA_SPLIT_TRAIN;
    if (strcasecmp(name, "val") == 0 || strcasecmp(name, "validation") == 0)
        split = PIAA_SPLIT_VALIDATION;
    if (strcasecmp(name, "test") == 0) split = PIAA_SPLIT_TEST;
    if (*name && split == PIAA_SPLIT_NONE) {
        piaa_rows_fault(&t->rows, "the split \"%.40s\" is none of train, validation and test",
                        name);
        return false;
    }
    if (split != PIAA_SPLIT_NONE && image->split != PIAA_SPLIT_NONE && image->split != split) {
        piaa_rows_fault(&t->rows, "the image was in the split %s before, here it is in %s",
                        piaa_split_name(image->split), piaa_split_name(split));
        return false;
    }
    if (split != PIAA_SPLIT_NONE) image->split = split;
    return true;
}

static bool add_up(table *t, size_t image, double score) {
    piaa_build *build = t->rows.build;
    size_t width = 1 + t->attributes, need = (image + 1) * width;
    if (!piaa_grow(&t->sums, &t->sum_room, need, sizeof *t->sums, build->error) ||
        !piaa_grow(&t->counts, &t->count_room, need, sizeof *t->counts, build->error))
        return false;
    for (; t->known < need; t->known++) t->sums[t->known] = t->counts[t->known] = 0;
    for (size_t i = 0; i < width; i++) {
        const char *field = i ? piaa_csv_field(t->rows.csv, t->attribute[i - 1]) : "";
        double value = score;
        if (i && is_blank(field)) continue;
        if (i && !piaa_parse_number(field, &value)) {
            build->set->loss.missing_values++;
            piaa_notices_tell(
                &t->rows.faults,
                "%.400s, line %lld: %.80s \"%.40s\" is not a number: the value is passed over",
                piaa_csv_where(t->rows.csv), (long long)piaa_csv_line(t->rows.csv),
                build->set->attribute_names[i - 1], field);
            continue;
        }
        t->sums[image * width + i] += value;
        t->counts[image * width + i]++;
    }
    return true;
}

static bool take_row(table *t) {
    piaa_rows *rows = &t->rows;
    piaa_build *build = rows->build;
    char buffers[3][512];
    const char *user =
        t->user < 0 ? "user" : piaa_rows_text(rows, t->user, buffers[0], sizeof buffers[0]);
    const char *path = piaa_rows_text(rows, t->path, buffers[1], sizeof buffers[1]),
               *field = piaa_csv_field(rows->csv, t->score);
    double score;
    size_t image;
    if (!*user || !*path || is_blank(field)) {
        piaa_rows_fault(rows, "there is no %s", !*user ? "user" : !*path ? "path" : "score");
        return true;
    }
    if (!piaa_parse_number(field, &score) || fabs(score) > 1e9) {
        piaa_rows_fault(rows, "the score \"%.40s\" is not a number", field);
        return true;
    }
    if (!find_image(t, path, &image)) return false;
    if (t->split >= 0 && !read_split(t, &build->set->images[image])) return true;
    for (size_t i = 0; i < t->labels; i++) {
        const char *label = piaa_rows_text(rows, t->label[i], buffers[2], sizeof buffers[2]);
        if (*label && !*build->set->labels[image * t->labels + i] &&
            !piaa_build_label(build, image, i, label))
            return false;
    }
    return add_up(t, image, score) &&
           piaa_build_rating(build, user, image, score, piaa_csv_line(rows->csv));
}

static void take_means(table *t) {
    piaa_dataset *set = t->rows.build->set;
    size_t width = 1 + t->attributes;
    for (size_t i = 0; i < set->image_count && (i + 1) * width <= t->known; i++)
        for (size_t a = 0; a < width; a++) {
            double count = t->counts[i * width + a],
                   mean = count > 0 ? t->sums[i * width + a] / count : NAN;
            *(a ? &set->attributes[i * t->attributes + a - 1] : &set->images[i].general) = mean;
        }
    set->scale_low = HUGE_VAL;
    set->scale_high = -HUGE_VAL;
    for (size_t r = 0; r < set->rating_count; r++) {
        set->scale_low = fmin(set->scale_low, set->ratings[r].score);
        set->scale_high = fmax(set->scale_high, set->ratings[r].score);
    }
}

bool piaa_read_table(piaa_build *build, const char *file) {
    table t = {.rows = {.build = build}};
    int got = -1;
    if (strcmp(file, "-") == 0)
        return piaa_error_set(build->error, PIAA_USAGE,
                              "csv:- cannot be read twice: write the ratings to a file first");
    t.rows.csv = piaa_csv_open(file, build->error);
    if (t.rows.csv && (build->set->where = piaa_strdup(piaa_csv_where(t.rows.csv), build->error))) {
        t.rows.faults =
            (piaa_notices){build->hooks, build->set->where, "rows that cannot be used", 0};
        if (find_columns(&t, file))
            while ((got = piaa_rows_next(&t.rows)) > 0 && take_row(&t)) {
            }
    }
    bool ok = got == 0;
    if (ok) take_means(&t);
    if (ok && !build->set->rating_count)
        ok = piaa_error_set(build->error, PIAA_FORMAT,
                            "%s holds no ratings that can be used: it needs rows user,path,score",
                            build->set->where);
    piaa_rows_close(&t.rows);
    piaa_names_free(&t.written);
    free(t.image_of);
    free(t.attribute);
    free(t.label);
    free(t.sums);
    free(t.counts);
    return ok;
}
