/* PARA (Yang et al., "Personalized image aesthetics assessment with rich attributes", CVPR 2022).
 *
 * annotation/PARA-GiaaTrain.csv and PARA-GiaaTest.csv give each image's mean scores,
 * PARA-Images.csv one row per rating.  As in the published protocol a rating counts only if all
 * seven scores of its row are there; what has the aesthetic score alone is kept apart. */
#include "base/memory.h"
#include "data/build.h"

#include <math.h>
#include <stdlib.h>

enum { SCORES = PIAA_PARA_SCORES, ATTRIBUTES = SCORES - 1 };
static const char *const attributes[ATTRIBUTES] = {"quality", "composition", "color",
                                                   "dof",     "light",       "content"};
const char *const piaa_para_scores[SCORES] = {"aestheticScore", "qualityScore", "compositionScore",
                                              "colorScore",     "dofScore",     "lightScore",
                                              "contentScore"};
static const char *const labels[] = {"semantic"};

/* The columns that name an image in all three files. */
typedef struct columns {
    int session, name, semantic;
    int score[SCORES]; /* -1 where the file lacks it */
} columns;

static bool find_columns(const piaa_rows *rows, const char *suffix, columns *c) {
    if (!piaa_rows_column(rows, "sessionId", &c->session) ||
        !piaa_rows_column(rows, "imageName", &c->name))
        return false;
    c->semantic = piaa_csv_column(rows->csv, "semantic");
    for (int i = 0; i < SCORES; i++) {
        char *name = piaa_format(rows->build->error, "%s%s", piaa_para_scores[i], suffix);
        if (!name) return false;
        c->score[i] = piaa_csv_column(rows->csv, name);
        bool ok = i > 0 || piaa_rows_column(rows, name, &c->score[i]);
        free(name);
        if (!ok) return false;
    }
    return true;
}

/* *usable: false for a row without an image, which is told. */
static bool find_image(piaa_rows *rows, const columns *c, size_t *image, bool *fresh,
                       bool *usable) {
    const char *session = piaa_csv_word(rows->csv, c->session);
    const char *name = piaa_csv_word(rows->csv, c->name);
    *usable = *session && *name;
    if (!*usable) {
        piaa_rows_fault(rows, "there is no %s", *session ? "imageName" : "sessionId");
        return true;
    }
    char *path = piaa_format(rows->build->error, "imgs/%s/%s", session, name);
    bool ok = path && piaa_build_image(rows->build, path, path, image, fresh);
    free(path);
    if (ok && *fresh && c->semantic >= 0)
        ok = piaa_build_label(rows->build, *image, 0, piaa_csv_word(rows->csv, c->semantic));
    return ok;
}

static bool take_means(piaa_rows *rows, const columns *c, piaa_split split) {
    piaa_dataset *set = rows->build->set;
    int got;
    while ((got = piaa_rows_next(rows)) > 0) {
        size_t image;
        bool fresh, usable;
        double general;
        if (piaa_csv_number(rows->csv, c->score[0], &general) != PIAA_CELL_NUMBER) {
            piaa_rows_fault(rows, "aestheticScore_mean \"%.40s\" is not a number",
                            piaa_csv_field(rows->csv, c->score[0]));
            continue;
        }
        if (!find_image(rows, c, &image, &fresh, &usable)) return false;
        if (!usable) continue;
        if (!fresh) {
            set->loss.repeated_images++;
            piaa_notices_tell(&rows->faults,
                              "%s, line %lld: %.300s is listed before: the first mention counts",
                              piaa_csv_where(rows->csv), (long long)piaa_csv_line(rows->csv),
                              set->images[image].name);
            continue;
        }
        set->images[image].split = split;
        set->images[image].general = general;
        for (int i = 0; i < ATTRIBUTES; i++) {
            double *value = &set->attributes[image * ATTRIBUTES + (size_t)i];
            double read;
            if (piaa_csv_number(rows->csv, c->score[i + 1], &read) == PIAA_CELL_NUMBER)
                *value = read;
            else
                set->loss.missing_values++;
        }
    }
    return got == 0;
}

static bool read_means(piaa_build *build, const char *file, piaa_split split) {
    piaa_rows rows;
    columns c;
    int opened = piaa_rows_open(&rows, build, file, "its images have no mean score and no split");
    bool ok = opened == 0 ||
              (opened > 0 && find_columns(&rows, "_mean", &c) && take_means(&rows, &c, split));
    piaa_rows_close(&rows);
    return ok;
}

static bool read_scores(piaa_rows *rows, const columns *c, double *score) {
    for (int i = 0; i < SCORES; i++) {
        double value;
        if (c->score[i] < 0) continue;
        if (piaa_csv_number(rows->csv, c->score[i], &value) != PIAA_CELL_NUMBER) {
            piaa_rows_fault(rows, "%s \"%.40s\" is not a number", piaa_para_scores[i],
                            piaa_csv_field(rows->csv, c->score[i]));
            return false;
        }
        if (i == 0) *score = value;
    }
    return true;
}

/* Whether the row in hand has the aesthetic score, a person and an image, but lacks another
   score. */
static bool is_partial(const piaa_rows *rows, const columns *c, int user_column, double *score) {
    piaa_csv *csv = rows->csv;
    double other;
    if (!*piaa_csv_word(csv, user_column) || !*piaa_csv_word(csv, c->session) ||
        !*piaa_csv_word(csv, c->name) ||
        piaa_csv_number(csv, c->score[0], score) != PIAA_CELL_NUMBER)
        return false;
    for (int i = 1; i < SCORES; i++)
        if (c->score[i] >= 0 && piaa_csv_number(csv, c->score[i], &other) != PIAA_CELL_NUMBER)
            return true;
    return false;
}

/* Through the file once more, after all other ratings: people and images that are in these rows
   alone come last, and change no one else's number.  Faults were told the first time. */
static bool take_partial(piaa_rows *rows, const columns *c, int user_column) {
    piaa_csv *csv = rows->csv;
    int got;
    piaa_error fault = {0};
    piaa_csv_rewind(csv);
    while ((got = piaa_csv_next(csv, &fault)) != 0) {
        size_t image;
        double score;
        bool fresh, usable;
        if (got < 0 && fault.code == PIAA_MEMORY)
            return piaa_error_set(rows->build->error, fault.code, "%s", fault.message);
        piaa_error_clear(&fault);
        if (got < 0 || !is_partial(rows, c, user_column, &score)) continue;
        if (!find_image(rows, c, &image, &fresh, &usable) ||
            !piaa_build_partial(rows->build, piaa_csv_word(csv, user_column), image, score,
                                piaa_csv_line(csv)))
            return false;
    }
    return true;
}

static bool take_ratings(piaa_rows *rows, const columns *c, int user_column) {
    int got;
    bool partial = false;
    while ((got = piaa_rows_next(rows)) > 0) {
        const char *user = piaa_csv_word(rows->csv, user_column);
        double score = 0;
        size_t image;
        bool fresh, usable;
        if (!*user) {
            piaa_rows_fault(rows, "there is no userId");
            continue;
        }
        if (!read_scores(rows, c, &score)) {
            partial = partial || is_partial(rows, c, user_column, &score);
            continue;
        }
        if (!find_image(rows, c, &image, &fresh, &usable)) return false;
        if (usable && !piaa_build_rating(rows->build, user, image, score, piaa_csv_line(rows->csv)))
            return false;
    }
    return got == 0 && (!partial || take_partial(rows, c, user_column));
}

bool piaa_read_para(piaa_build *build) {
    piaa_rows rows;
    columns c;
    int user;
    if (!piaa_build_columns(build, attributes, ATTRIBUTES, labels, PIAA_COUNT(labels)) ||
        !read_means(build, "annotation/PARA-GiaaTrain.csv", PIAA_SPLIT_TRAIN) ||
        !read_means(build, "annotation/PARA-GiaaTest.csv", PIAA_SPLIT_TEST))
        return false;
    int opened =
        piaa_rows_open(&rows, build, "annotation/PARA-Images.csv", "there are no personal ratings");
    bool ok =
        opened == 0 ||
        (opened > 0 && find_columns(&rows, "", &c) && piaa_rows_column(&rows, "userId", &user) &&
         (build->set->where = piaa_strdup(piaa_csv_where(rows.csv), build->error)) &&
         take_ratings(&rows, &c, user));
    piaa_rows_close(&rows);
    return ok;
}
