/* Anybody's ratings in one table: user,path,score and whatever else is known of the images.
 *
 * What the columns of people, images and scores are is found by data/sheet.h.  Of the others those
 * whose filled cells are mostly numbers are attributes.  Mean score and attributes of an image are
 * the means over its rows. */
#include "base/memory.h"
#include "data/build.h"
#include "data/finder.h"
#include "data/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const double value_limit =
    1e30; /* beyond it an attribute is a slip, and its square would strain the regression */

static const char *const label_names[] = {"style", "genre", "semantic"};

typedef struct table {
    piaa_sheet sheet;
    piaa_build *build;
    piaa_rows rows;         /* the same file, for its faults */
    int *attribute, *label; /* columns */
    size_t attributes, labels;
    piaa_finder *finder;
    size_t found[PIAA_FOUND_KINDS];
    piaa_names written; /* paths as they stand in the file, and the image of each */
    size_t *image_of, image_room;
    double *sums, *counts; /* [image, 1 + attributes] */
    size_t sum_room, count_room, known;
} table;

/* -------------------------------------------------------------------------------------- columns */

static bool is_label(const char *name) {
    for (size_t i = 0; i < PIAA_COUNT(label_names); i++)
        if (strcasecmp(name, label_names[i]) == 0) return true;
    return false;
}

/* Names are keys of what is written later, so each may be there once. */
static bool check_names(const table *t) {
    const piaa_csv *csv = t->sheet.csv;
    for (int c = 0; c < piaa_csv_columns(csv); c++)
        for (int before = 0; before < c; before++)
            if (*piaa_csv_column_name(csv, c) &&
                strcasecmp(piaa_csv_column_name(csv, before), piaa_csv_column_name(csv, c)) == 0)
                return piaa_error_set(
                    t->build->error, PIAA_FORMAT,
                    "%.500s has two columns of one name (column %d, %.80s, and column %d, %.80s): "
                    "give one of them another name, or delete it",
                    piaa_csv_where(csv), before + 1, piaa_csv_column_name(csv, before), c + 1,
                    piaa_csv_column_name(csv, c));
    return true;
}

static void tell_unused(const table *t, int column) {
    const char *name = piaa_csv_column_name(t->sheet.csv, column);
    bool numbers = t->sheet.numbers[column] > t->sheet.others[column];
    if (!*name && !t->sheet.numbers[column] && !t->sheet.others[column]) return; /* after commas */
    piaa_hooks_warn(t->build->hooks, "%.600s: the column \"%.100s\" %s and is not used",
                    piaa_csv_where(t->sheet.csv), name,
                    numbers ? "numbers the rows or names something" : "holds no numbers");
}

static bool sort_columns(table *t, const char **names, const char **labels) {
    const piaa_sheet *sheet = &t->sheet;
    for (int c = 0; c < piaa_csv_columns(sheet->csv); c++) {
        const char *name = piaa_csv_column_name(sheet->csv, c);
        bool taken = sheet->folder == c;
        for (int role = 0; role < PIAA_ROLES; role++) taken = taken || sheet->role[role] == c;
        if (taken) continue;
        if (is_label(name)) {
            labels[t->labels] = name;
            t->label[t->labels++] = c;
        } else if (piaa_sheet_measures(sheet, c)) {
            names[t->attributes] = name;
            t->attribute[t->attributes++] = c;
        } else
            tell_unused(t, c);
    }
    return piaa_build_columns(t->build, names, t->attributes, labels, t->labels);
}

static bool find_columns(table *t) {
    piaa_error *error = t->build->error;
    size_t columns = (size_t)piaa_csv_columns(t->sheet.csv);
    const char **names = piaa_alloc(columns, sizeof *names, error),
               **labels = piaa_alloc(columns, sizeof *labels, error);
    t->attribute = piaa_alloc(columns, sizeof *t->attribute, error);
    t->label = piaa_alloc(columns, sizeof *t->label, error);
    bool ok = names && labels && t->attribute && t->label && check_names(t) &&
              sort_columns(t, names, labels);
    free(names);
    free(labels);
    return ok;
}

/* ----------------------------------------------------------------------------------------- rows */

/* Two spellings of one path are one image; each spelling is resolved once. */
static bool find_image(table *t, const char *written, size_t *image) {
    piaa_build *build = t->build;
    size_t number;
    bool fresh;
    if (!piaa_names_add(&t->written, written, &number, &fresh, build->error)) return false;
    if (!fresh) {
        *image = t->image_of[number];
        return true;
    }
    if (!piaa_grow(&t->image_of, &t->image_room, number + 1, sizeof *t->image_of, build->error))
        return false;
    char *path;
    piaa_found found;
    if (!piaa_finder_on_disk(t->finder, build->set->folder, written, &path, &found, build->error))
        return false;
    t->found[found]++;
    bool ok = piaa_build_image(build, path, written, image, &fresh) &&
              (!fresh || piaa_build_text(build, &build->set->images[*image].path, path));
    t->image_of[number] = ok ? *image : 0;
    free(path);
    return ok;
}

static bool read_split(table *t, piaa_data_image *image) {
    const char *name = piaa_csv_word(t->sheet.csv, t->sheet.role[PIAA_ROLE_SPLIT]);
    piaa_split split = PIAA_SPLIT_NONE;
    if (strcasecmp(name, "train") == 0 || strcasecmp(name, "training") == 0)
        split = PIAA_SPLIT_TRAIN;
    if (strcasecmp(name, "val") == 0 || strcasecmp(name, "validation") == 0)
        split = PIAA_SPLIT_VALIDATION;
    if (strcasecmp(name, "test") == 0) split = PIAA_SPLIT_TEST;
    if (piaa_cell_is_blank(name)) return true;
    if (split == PIAA_SPLIT_NONE) {
        piaa_rows_fault(&t->rows, "the split \"%.40s\" is none of train, validation and test",
                        name);
        return false;
    }
    if (image->split != PIAA_SPLIT_NONE && image->split != split) {
        piaa_rows_fault(&t->rows, "the image was in the split %s before, here it is in %s",
                        piaa_split_name(image->split), piaa_split_name(split));
        return false;
    }
    image->split = split;
    return true;
}

static bool add_up(table *t, size_t image, double score) {
    piaa_build *build = t->build;
    piaa_csv *csv = t->sheet.csv;
    size_t width = 1 + t->attributes, need = (image + 1) * width;
    if (!piaa_grow(&t->sums, &t->sum_room, need, sizeof *t->sums, build->error) ||
        !piaa_grow(&t->counts, &t->count_room, need, sizeof *t->counts, build->error))
        return false;
    for (; t->known < need; t->known++) t->sums[t->known] = t->counts[t->known] = 0;
    for (size_t i = 0; i < width; i++) {
        double value = score;
        piaa_cell is = i              ? piaa_csv_number(csv, t->attribute[i - 1], &value)
                       : isnan(score) ? PIAA_CELL_BLANK
                                      : PIAA_CELL_NUMBER;
        bool beyond = is == PIAA_CELL_NUMBER && i && fabs(value) > value_limit;
        if (is == PIAA_CELL_OTHER || beyond) {
            build->set->loss.missing_values++;
            piaa_notices_tell(
                &t->rows.faults, "%.400s, line %lld: %.80s \"%.40s\" %s: the value is passed over",
                build->set->where, (long long)piaa_csv_line(csv),
                build->set->attribute_names[i - 1], piaa_csv_word(csv, t->attribute[i - 1]),
                beyond ? "is out of range" : piaa_csv_fault(csv, t->attribute[i - 1]));
        }
        if (is != PIAA_CELL_NUMBER || beyond) continue;
        t->sums[image * width + i] += value;
        t->counts[image * width + i]++;
    }
    return true;
}

static bool take_row(table *t, const piaa_sheet_row *row) {
    piaa_build *build = t->build;
    size_t image;
    if (!find_image(t, row->path, &image)) return false;
    if (t->sheet.role[PIAA_ROLE_SPLIT] >= 0 && !read_split(t, &build->set->images[image]))
        return true;
    for (size_t i = 0; i < t->labels; i++) {
        const char *label = piaa_csv_word(t->sheet.csv, t->label[i]);
        if (!piaa_cell_is_blank(label) && !*build->set->labels[image * t->labels + i] &&
            !piaa_build_label(build, image, i, label))
            return false;
    }
    return add_up(t, image, row->score) &&
           (isnan(row->score) || piaa_build_rating(build, *row->user ? row->user : "user", image,
                                                   row->score, piaa_csv_line(t->sheet.csv)));
}

/* An unrated photo is of use where something else is known of it. */
static bool has_attributes(const table *t) {
    double value;
    for (size_t i = 0; i < t->attributes; i++)
        if (piaa_csv_number(t->sheet.csv, t->attribute[i], &value) == PIAA_CELL_NUMBER) return true;
    return false;
}

static bool take_rows(table *t) {
    for (;;) {
        piaa_sheet_row row;
        piaa_error fault = {0};
        piaa_sheet_got got = piaa_sheet_next(&t->sheet, NULL, &row, &fault);
        if (got == PIAA_SHEET_END) return true;
        t->build->set->loss.rows++;
        if (got == PIAA_SHEET_FAILED)
            return piaa_error_set(t->build->error, fault.code, "%s", fault.message);
        if (got == PIAA_SHEET_RATING || (got == PIAA_SHEET_UNRATED && has_attributes(t))) {
            if (!take_row(t, &row)) return false;
        }
        if (got != PIAA_SHEET_FAULT) continue;
        t->build->set->loss.bad_rows++;
        piaa_notices_tell(&t->rows.faults, "%s: the row is passed over", fault.message);
    }
}

static void take_means(table *t) {
    piaa_dataset *set = t->build->set;
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

static void tell_without_split(const table *t) {
    const piaa_dataset *set = t->build->set;
    size_t without = 0;
    for (size_t i = 0; i < set->image_count; i++)
        without += set->images[i].split == PIAA_SPLIT_NONE;
    if (!without || without == set->image_count) return; /* all are in one, or there are none */
    piaa_hooks_warn(t->build->hooks,
                    "%.500s: %zu image%s none of train, validation and test: piaa probe and "
                    "reduce leave %s out",
                    set->where, without, without == 1 ? " is in" : "s are in",
                    without == 1 ? "it" : "them");
}

/* What was taken for what, once all is read. */
static bool tell(table *t) {
    piaa_build *build = t->build;
    piaa_text how = {0};
    piaa_notices_end(&t->rows.faults);
    bool ok = piaa_sheet_tell(&t->sheet, build->hooks, build->error) &&
              piaa_finder_describe(t->found, &how, build->error);
    if (ok && how.length)
        piaa_hooks_warn(build->hooks, "%.500s: images were found, %s", build->set->where, how.data);
    if (ok) tell_without_split(t);
    free(how.data);
    return ok;
}

static bool read_table(table *t, const char *file, const char *user_column) {
    piaa_build *build = t->build;
    if (strcmp(file, "-") == 0) /* some commands open a data set twice */
        return piaa_error_set(build->error, PIAA_USAGE,
                              "csv:- cannot be read twice: write the ratings to a file first");
    if (!piaa_sheet_open(&t->sheet, file, user_column, build->error) ||
        !(build->set->where = piaa_strdup(piaa_csv_where(t->sheet.csv), build->error)) ||
        !(t->finder = piaa_finder_new(build->error)))
        return false;
    t->rows = piaa_rows_over(t->sheet.csv, build);
    if (!find_columns(t) || !take_rows(t) || !tell(t)) return false;
    build->set->pooled = t->sheet.role[PIAA_ROLE_USER] < 0;
    if (!build->set->rating_count)
        return piaa_error_set(build->error, PIAA_FORMAT,
                              "%s holds no ratings that can be used: it needs rows user,path,score",
                              build->set->where);
    take_means(t);
    return true;
}

bool piaa_read_table(piaa_build *build, const char *file, const char *user_column) {
    table t = {.build = build};
    bool ok = read_table(&t, file, user_column);
    piaa_sheet_close(&t.sheet);
    piaa_finder_free(t.finder);
    piaa_names_free(&t.written);
    free(t.image_of);
    free(t.attribute);
    free(t.label);
    free(t.sums);
    free(t.counts);
    return ok;
}
