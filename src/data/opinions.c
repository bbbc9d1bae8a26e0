/* Means and histograms of PARA's Giaa files, found by the images' names. */
#include "data/opinions.h"

#include "base/memory.h"
#include "data/build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEANS = PIAA_OPINION_ATTRIBUTES, BINS = PIAA_OPINION_BINS };
_Static_assert((int)MEANS == (int)PIAA_PARA_SCORES, "the scores of PARA are the attributes");

const char *const piaa_opinion_names[MEANS] = {"score", "quality", "composition", "color",
                                               "dof",   "light",   "content"};
static const char *const files[] = {"annotation/PARA-GiaaTrain.csv",
                                    "annotation/PARA-GiaaTest.csv"};

typedef struct columns {
    int session, name, mean[MEANS], bin[BINS];
} columns;

static bool find_means(const piaa_rows *rows, columns *c) {
    for (int i = 0; i < MEANS; i++) {
        char *name = piaa_format(rows->build->error, "%s_mean", piaa_para_scores[i]);
        bool ok = name && piaa_rows_column(rows, name, &c->mean[i]);
        free(name);
        if (!ok) return false;
    }
    return true;
}

/* The bin of a column, -1 where it is none. */
static bool bin_of(const piaa_rows *rows, int column, int *bin) {
    static const char start[] = "aestheticScore_";
    const char *name = piaa_csv_column_name(rows->csv, column);
    double score;
    *bin = -1;
    if (strncmp(name, start, sizeof start - 1) != 0 ||
        !piaa_parse_number(name + sizeof start - 1, &score))
        return true;
    for (int b = 0; b < BINS; b++)
        if (score == 1 + b / 2.0) *bin = b;
    return *bin >= 0 ||
           piaa_error_set(rows->build->error, PIAA_FORMAT,
                          "%s has the column %.80s, and PARA's scores are 1.0, 1.5 and so on to "
                          "5.0: take the data set's own file",
                          piaa_csv_where(rows->csv), name);
}

static bool find_bins(const piaa_rows *rows, columns *c) {
    piaa_error *error = rows->build->error;
    for (int b = 0; b < BINS; b++) c->bin[b] = -1;
    for (int i = 0; i < piaa_csv_columns(rows->csv); i++) {
        int bin;
        if (!bin_of(rows, i, &bin)) return false;
        if (bin < 0) continue;
        if (c->bin[bin] >= 0)
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%s has two columns for the score %.1f (%.80s and %.80s): leave "
                                  "one of them",
                                  piaa_csv_where(rows->csv), 1 + bin / 2.0,
                                  piaa_csv_column_name(rows->csv, c->bin[bin]),
                                  piaa_csv_column_name(rows->csv, i));
        c->bin[bin] = i;
    }
    for (int b = 0; b < BINS; b++) {
        if (c->bin[b] >= 0) continue;
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s has no column named aestheticScore_%.1f, so that its histograms "
                              "are not whole: take the data set's own file",
                              piaa_csv_where(rows->csv), 1 + b / 2.0);
    }
    return true;
}

/* The cell as a number of at least `least`; a fault of the row where it is none. */
static bool read_number(piaa_rows *rows, int column, double least, double *value) {
    piaa_cell is = piaa_csv_number(rows->csv, column, value);
    if (is == PIAA_CELL_NUMBER && *value >= least) return true;
    piaa_rows_fault(rows, "%.80s \"%.40s\" %s", piaa_csv_column_name(rows->csv, column),
                    piaa_csv_word(rows->csv, column),
                    is == PIAA_CELL_NUMBER  ? "is negative"
                    : is == PIAA_CELL_BLANK ? "is not a number"
                                            : piaa_csv_fault(rows->csv, column));
    return false;
}

/* Reads the row in hand into both lists; false where it is no good, which is told.  In float32, as
   published. */
static bool read_row(piaa_rows *rows, const columns *c, float *attributes, float *bins) {
    float sum = 0;
    for (int i = 0; i < MEANS; i++) {
        double value;
        if (!read_number(rows, c->mean[i], -HUGE_VAL, &value)) return false;
        attributes[i] = (float)value;
    }
    for (int b = 0; b < BINS; b++) {
        double value;
        if (!read_number(rows, c->bin[b], 0, &value)) return false;
        sum += bins[b] = (float)value;
    }
    if (!(sum > 0) || isinf(sum)) {
        piaa_rows_fault(rows, "the histogram of aestheticScore %s",
                        sum > 0 ? "is too large" : "is empty");
        return false;
    }
    for (int b = 0; b < BINS; b++) bins[b] /= sum + 1e-12F;
    return true;
}

static bool take_rows(piaa_rows *rows, const piaa_dataset *set, piaa_opinions *opinions) {
    columns c;
    int got;
    if (!piaa_rows_column(rows, "sessionId", &c.session) ||
        !piaa_rows_column(rows, "imageName", &c.name) || !find_means(rows, &c) ||
        !find_bins(rows, &c))
        return false;
    while ((got = piaa_rows_next(rows)) > 0) {
        float attributes[MEANS], bins[BINS];
        size_t image;
        char *name =
            piaa_format(rows->build->error, "imgs/%s/%s", piaa_csv_word(rows->csv, c.session),
                        piaa_csv_word(rows->csv, c.name));
        if (!name) return false;
        bool known = piaa_dataset_find(set, name, &image);
        free(name);
        if (!known || opinions->has[image] || !read_row(rows, &c, attributes, bins)) continue;
        memcpy(opinions->attributes + image * MEANS, attributes, sizeof attributes);
        memcpy(opinions->bins + image * BINS, bins, sizeof bins);
        opinions->has[image] = true;
        opinions->known++;
    }
    return got == 0;
}

static bool read_files(const piaa_dataset *set, piaa_opinions *opinions, const piaa_hooks *hooks,
                       piaa_error *error) {
    piaa_dataset counts = {.folder = set->folder}; /* where the rows' faults are counted */
    piaa_build build = {.set = &counts, .hooks = hooks, .error = error};
    for (size_t f = 0; f < PIAA_COUNT(files); f++) {
        piaa_rows rows;
        int opened = piaa_rows_open(&rows, &build, files[f], "nothing is learnt from its images");
        bool ok = opened == 0 || (opened > 0 && take_rows(&rows, set, opinions));
        piaa_rows_close(&rows);
        if (!ok) return false;
    }
    opinions->bad_rows = counts.loss.bad_rows;
    if (counts.loss.missing_files == PIAA_COUNT(files))
        return piaa_error_set(error, PIAA_IO,
                              "%.700s: neither %s nor %s is there, and they say what all raters "
                              "think of the images: take the whole data set",
                              set->folder, files[0], files[1]);
    if (!opinions->known)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%.700s: no row of %s or %s says what all raters think of an image: "
                              "take the data set's own files",
                              set->folder, files[0], files[1]);
    return true;
}

piaa_opinions *piaa_opinions_read(const piaa_dataset *set, const piaa_hooks *hooks,
                                  piaa_error *error) {
    if (!set) {
        piaa_error_missing(error, "data set");
        return NULL;
    }
    if (strcmp(set->kind, "para") != 0) {
        piaa_error_set(error, PIAA_MISMATCH,
                       "%.700s is no PARA data set, and only PARA says how many raters gave which "
                       "score: give para:DIR",
                       *set->where ? set->where : set->folder);
        return NULL;
    }
    piaa_opinions *made = piaa_alloc(1, sizeof *made, error);
    if (!made) return NULL;
    made->images = set->image_count;
    if ((made->attributes = piaa_alloc(made->images, MEANS * sizeof(float), error)) &&
        (made->bins = piaa_alloc(made->images, BINS * sizeof(float), error)) &&
        (made->has = piaa_alloc(made->images, sizeof *made->has, error)) &&
        read_files(set, made, hooks, error))
        return made;
    piaa_opinions_free(made);
    return NULL;
}

void piaa_opinions_free(piaa_opinions *opinions) {
    if (!opinions) return;
    free(opinions->attributes);
    free(opinions->bins);
    free(opinions->has);
    free(opinions);
}
