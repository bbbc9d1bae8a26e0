/* Answers for a data set's images, and the tables that they are published in. */
#include "study/raw_text.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hooks.h"
#include "study/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool piaa_raw_texts_make(piaa_raw_texts *raw, const piaa_dataset *set, piaa_error *error) {
    *raw = (piaa_raw_texts){0};
    if (!(raw->scores = piaa_alloc(set->image_count, sizeof *raw->scores, error)) ||
        !(raw->there = piaa_alloc(set->image_count, sizeof *raw->there, error)) ||
        !(raw->expected = piaa_alloc(set->image_count, sizeof *raw->expected, error)) ||
        !(raw->model = piaa_strdup("", error))) {
        piaa_raw_texts_free(raw);
        return false;
    }
    for (size_t i = 0; i < set->image_count; i++) raw->scores[i] = raw->expected[i] = NAN;
    return true;
}

void piaa_raw_texts_free(piaa_raw_texts *raw) {
    free(raw->expected);
    free(raw->scores);
    free(raw->there);
    free(raw->model);
    *raw = (piaa_raw_texts){0};
}

void piaa_raw_texts_put(piaa_raw_texts *raw, size_t image, double score) {
    if (raw->there[image]) raw->unparsable -= isnan(raw->scores[image]);
    raw->answered += !raw->there[image];
    raw->there[image] = true;
    raw->scores[image] = isfinite(score) ? score : NAN;
    raw->unparsable += isnan(raw->scores[image]);
}

void piaa_raw_texts_count(const piaa_raw_texts *raw, const size_t *images, size_t count,
                          piaa_answers *answers) {
    for (size_t k = 0; k < count; k++) {
        const double score = raw->scores[images[k]];
        answers->asked += raw->there[images[k]];
        answers->unparsable += raw->there[images[k]] && isnan(score);
        answers->out_of_range += score < 1 || score > 5;
    }
}

/* --------------------------------------------------------------------------------- from a table */

typedef struct table {
    piaa_csv *csv;
    int path, number, answer, model, expected; /* columns; -1: not there */
} table;

/* By its name in the data set, or as a path in the data set's folder, which is what a table's
   images are found by. */
static bool find_as(const piaa_dataset *set, const char *name, size_t *image, bool *found,
                    piaa_error *error) {
    if ((*found = piaa_dataset_find(set, name, image))) return true;
    char *path = piaa_path_join(set->folder, name, error);
    if (!path) return false;
    *found = piaa_dataset_find(set, path, image);
    free(path);
    return true;
}

/* The whole path, then what is left of it after each slash. */
static bool find_image(const piaa_dataset *set, const char *path, size_t *image, bool *found,
                       piaa_error *error) {
    *found = false;
    for (const char *at = path, *slash; at; at = slash ? slash + 1 : NULL) {
        if (!find_as(set, at, image, found, error)) return false;
        if (*found) return true;
        slash = strchr(at, '/');
    }
    return true;
}

static bool open_table(table *t, const char *path, piaa_error *error) {
    if (!(t->csv = piaa_csv_open(path, error))) return false;
    t->path = piaa_csv_column(t->csv, "image_path");
    t->number = piaa_csv_column(t->csv, "giaa");
    t->answer = piaa_csv_column(t->csv, "raw_output");
    t->expected = piaa_csv_column(t->csv, "expected_score");
    t->model = piaa_csv_column(t->csv, "model_id");
    if (t->path >= 0 && (t->number >= 0 || t->answer >= 0)) return true;
    return piaa_error_set(error, PIAA_FORMAT,
                          "%.500s is no table of raw text: it needs the columns image_path, and "
                          "giaa or raw_output",
                          piaa_csv_where(t->csv));
}

static bool check_model(const table *t, piaa_raw_texts *raw, piaa_error *error) {
    const char *model = piaa_csv_word(t->csv, t->model);
    if (t->model < 0 || strcmp(model, raw->model) == 0) return true;
    if (raw->answered)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.400s, line %lld: these are answers of %.100s, those before of "
                              "%.100s: give a table of one model",
                              piaa_csv_where(t->csv), (long long)piaa_csv_line(t->csv), model,
                              raw->model);
    free(raw->model);
    return (raw->model = piaa_strdup(model, error)) != NULL;
}

static bool take_row(const table *t, const piaa_dataset *set, piaa_raw_texts *raw,
                     piaa_error *error) {
    size_t image;
    bool found;
    double score = NAN;
    if (!find_image(set, piaa_csv_word(t->csv, t->path), &image, &found, error)) return false;
    if (!found) return true;
    if (!check_model(t, raw, error)) return false;
    if (t->number >= 0)
        piaa_csv_number(t->csv, t->number, &score);
    else if (!piaa_answer_read(piaa_csv_field(t->csv, t->answer), PIAA_ANSWER_NUMBER, &score,
                               error))
        return false;
    piaa_raw_texts_put(raw, image, score);
    if (t->expected >= 0) piaa_csv_number(t->csv, t->expected, &raw->expected[image]);
    return true;
}

static bool take_rows(const table *t, const piaa_dataset *set, piaa_raw_texts *raw,
                      piaa_error *error) {
    for (;;) {
        const int got = piaa_csv_next(t->csv, error);
        if (got <= 0) return got == 0;
        if (!take_row(t, set, raw, error)) return false;
    }
}

static bool tell(const table *t, const piaa_dataset *set, const piaa_raw_texts *raw,
                 const piaa_hooks *hooks, piaa_error *error) {
    const size_t absent = set->image_count - raw->answered;
    if (!raw->answered)
        return piaa_error_set(
            error, PIAA_MISMATCH,
            "%.500s holds no raw text for an image of %.300s: give the table that "
            "was made of this data set",
            piaa_csv_where(t->csv), set->folder);
    if (absent)
        piaa_hooks_warn(hooks, "%.600s has no raw text for %zu of %zu images: they are left out",
                        piaa_csv_where(t->csv), absent, set->image_count);
    if (raw->unparsable)
        piaa_hooks_warn(
            hooks, "%.600s: %zu answer%s no number: what would be computed from %s is left out",
            piaa_csv_where(t->csv), raw->unparsable, raw->unparsable == 1 ? " holds" : "s hold",
            raw->unparsable == 1 ? "it" : "them");
    return true;
}

bool piaa_raw_texts_read(piaa_raw_texts *raw, const char *path, const piaa_dataset *set,
                         const piaa_hooks *hooks, piaa_error *error) {
    table t = {0};
    if (!piaa_raw_texts_make(raw, set, error)) return false;
    const bool ok = open_table(&t, path, error) && take_rows(&t, set, raw, error) &&
                    tell(&t, set, raw, hooks, error);
    piaa_csv_close(t.csv);
    if (!ok) piaa_raw_texts_free(raw);
    return ok;
}
