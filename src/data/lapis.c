/* LAPIS (Maerten et al., "LAPIS: a novel dataset for personalized image aesthetic assessment",
 * 2025): artworks rated on a slider.
 *
 * annotation/LAPIS_GIAA_{Train,Val,Test}split.csv give each image's mean and its styles,
 * LAPIS_PIAA.csv one row per rating.  Scores from 0 to 100 become score / 100 * 4 + 1, in this
 * order of operations, as in the published protocol. */
#include "base/memory.h"
#include "data/build.h"

#include <stdlib.h>

enum { LABELS = 4 };
static const char *const labels[LABELS] = {"style", "genre", "4_styles", "2_styles"};

static double on_five_points(double slider) {
    return slider / 100 * 4 + 1;
}

static bool read_slider(piaa_rows *rows, int column, const char *name, double *score) {
    double slider;
    piaa_cell is = piaa_csv_number(rows->csv, column, &slider);
    const char *field = piaa_csv_word(rows->csv, column);
    if (is == PIAA_CELL_BLANK)
        piaa_rows_fault(rows, "there is no %s", name);
    else if (is == PIAA_CELL_OTHER)
        piaa_rows_fault(rows, "%s \"%.40s\" is not a number", name, field);
    else if (slider < 0 || slider > 100)
        piaa_rows_fault(rows, "%s %.40s is not between 0 and 100", name, field);
    else {
        *score = on_five_points(slider);
        return true;
    }
    return false;
}

/* *usable: false for a row without an image, which is told. */
static bool find_image(piaa_rows *rows, int file_column, int id_column, size_t *image, bool *fresh,
                       bool *usable) {
    const char *name = piaa_csv_word(rows->csv, file_column);
    *usable = *name;
    if (!*usable) {
        piaa_rows_fault(rows, "there is no image_filename");
        return true;
    }
    char *path = piaa_format(rows->build->error, "images/%s", name);
    bool ok = path && piaa_build_image(rows->build, path, path, image, fresh);
    free(path);
    if (ok && *fresh)
        ok = piaa_build_text(rows->build, &rows->build->set->images[*image].id,
                             piaa_csv_word(rows->csv, id_column));
    return ok;
}

static bool take_means(piaa_rows *rows, piaa_split split) {
    piaa_dataset *set = rows->build->set;
    int file, mean, id = piaa_csv_column(rows->csv, "image_id"), label[LABELS], got;
    if (!piaa_rows_column(rows, "image_filename", &file) ||
        !piaa_rows_column(rows, "mean_response", &mean))
        return false;
    for (int i = 0; i < LABELS; i++) label[i] = piaa_csv_column(rows->csv, labels[i]);
    while ((got = piaa_rows_next(rows)) > 0) {
        size_t image;
        bool fresh, usable;
        double general;
        if (!read_slider(rows, mean, "mean_response", &general)) continue;
        if (!find_image(rows, file, id, &image, &fresh, &usable)) return false;
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
        for (size_t i = 0; i < LABELS; i++) {
            if (!piaa_build_label(rows->build, image, i, piaa_csv_word(rows->csv, label[i])))
                return false;
        }
    }
    return got == 0;
}

static bool read_means(piaa_build *build, const char *file, piaa_split split) {
    piaa_rows rows;
    int opened =
        piaa_rows_open(&rows, build, file, "its images have no mean score, no style and no split");
    bool ok = opened == 0 || (opened > 0 && take_means(&rows, split));
    piaa_rows_close(&rows);
    return ok;
}

static bool take_ratings(piaa_rows *rows) {
    int file, user_column, rating, id = piaa_csv_column(rows->csv, "image_id"), got;
    if (!piaa_rows_column(rows, "participant_id", &user_column) ||
        !piaa_rows_column(rows, "image_filename", &file) ||
        !piaa_rows_column(rows, "rating", &rating))
        return false;
    while ((got = piaa_rows_next(rows)) > 0) {
        const char *user = piaa_csv_word(rows->csv, user_column);
        double score;
        size_t image;
        bool fresh, usable;
        if (!*user) {
            piaa_rows_fault(rows, "there is no participant_id");
            continue;
        }
        if (!read_slider(rows, rating, "rating", &score)) continue;
        if (!find_image(rows, file, id, &image, &fresh, &usable)) return false;
        if (usable && !piaa_build_rating(rows->build, user, image, score, piaa_csv_line(rows->csv)))
            return false;
    }
    return got == 0;
}

bool piaa_read_lapis(piaa_build *build) {
    piaa_rows rows;
    if (!piaa_build_columns(build, NULL, 0, labels, LABELS) ||
        !read_means(build, "annotation/LAPIS_GIAA_Trainsplit.csv", PIAA_SPLIT_TRAIN) ||
        !read_means(build, "annotation/LAPIS_GIAA_Valsplit.csv", PIAA_SPLIT_VALIDATION) ||
        !read_means(build, "annotation/LAPIS_GIAA_Testsplit.csv", PIAA_SPLIT_TEST))
        return false;
    int opened =
        piaa_rows_open(&rows, build, "annotation/LAPIS_PIAA.csv", "there are no personal ratings");
    bool ok =
        opened == 0 ||
        (opened > 0 && (build->set->where = piaa_strdup(piaa_csv_where(rows.csv), build->error)) &&
         take_ratings(&rows));
    piaa_rows_close(&rows);
    return ok;
}
