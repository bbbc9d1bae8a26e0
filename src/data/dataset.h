/* A data set of rated images, whatever its makers' files look like: images with mean scores,
 * attributes and splits, and people with their own ratings.  The readers (aadb.c, para.c, lapis.c,
 * table.c) fill it; the members are there to be read. */
#ifndef PIAA_DATA_DATASET_H
#define PIAA_DATA_DATASET_H

#include "data/names.h"

typedef enum piaa_split {
    PIAA_SPLIT_NONE,
    PIAA_SPLIT_TRAIN,
    PIAA_SPLIT_VALIDATION,
    PIAA_SPLIT_TEST,
    PIAA_SPLIT_TEST_NEW, /* AADB's second test list; the published results are on the first */
} piaa_split;

typedef struct piaa_data_image {
    const char *name; /* relative to the data set's folder: "imgs/session1/a.jpg"; as written in a
                         CSV file */
    const char *path; /* absolute */
    const char *id;   /* LAPIS's image_id, else "" */
    piaa_split split;
    double general; /* mean score of all raters (AADB: the score), on the data set's scale; NaN
                       where there is none */
    bool shared;    /* AADB: a test image that is on the training or the validation list as well */
    /* The file is not there; its ratings are kept, so that splits stay the published ones, and are
       the caller's to leave out. */
    bool missing;
} piaa_data_image;

typedef struct piaa_data_rating {
    size_t user, image;
    double score;  /* on the data set's scale; LAPIS's 0 to 100 is score / 100 * 4 + 1 */
    int64_t line;  /* of the ratings file, from 1 */
    bool repeated; /* the same person rated the same image on an earlier line */
} piaa_data_rating;

typedef struct piaa_data_user {
    const char *id;
    const size_t *ratings; /* indices into the data set's ratings, in file order */
    size_t count;
} piaa_data_user;

/* What could not be used.  Each was told to hooks->warn when it was met. */
typedef struct piaa_data_loss {
    size_t rows, bad_rows;   /* rows of all files, and those that were passed over: malformed, or
                                without a score */
    size_t repeated_ratings; /* kept, and marked */
    size_t repeated_images;  /* listed twice; the first counts */
    size_t missing_images;   /* files that are not there */
    size_t missing_values;   /* attributes of single images */
    size_t missing_files, unknown_files;
} piaa_data_loss;

typedef struct piaa_dataset {
    char *kind;   /* "aadb", "para", "lapis", "csv" */
    char *folder; /* absolute */
    char *where;  /* the ratings file, for messages; "" where there is none */
    double scale_low, scale_high;

    piaa_data_image *images; /* in order of the lists: train, validation, test, test-new, then
                                images that only occur in ratings */
    size_t image_count;
    char **attribute_names;
    size_t attribute_count;
    double *attributes; /* [image_count, attribute_count]; NaN where there is none */
    char **label_names; /* "semantic"; "style", "genre", "4_styles", "2_styles" */
    size_t label_count;
    char **labels; /* [image_count, label_count]; never NULL, "" where there is none */

    piaa_data_rating *ratings; /* in file order */
    size_t rating_count;
    piaa_data_user *users; /* in order of first appearance among the usable rows */
    size_t user_count;
    /* PARA: ratings whose rows lack one of the other six scores, in file order.  They are among the
       bad rows, and only the prior of PIAA-ICI learns from them (data/prior_split.h).  People who
       have no others are behind users[user_count - 1], images behind all others. */
    piaa_data_rating *partial;
    size_t partial_count;

    bool pooled; /* csv: no column says who rated, so that all ratings are one person's */
    piaa_data_loss loss;
    piaa_names image_names; /* a photo in two of AADB's lists is two; its name leads to the first */
    piaa_names user_names;  /* of all `users`, those behind user_count too */
} piaa_dataset;

/*
 * Reads "aadb:DIR", "para:DIR", "lapis:DIR" or "csv:FILE".  What single rows, images or files lack
 * is told to hooks->warn (hooks may be NULL), one line each with file and line number, the first
 * few of a kind and then their number, and counted in `loss`.  Fails where nothing is left to work
 * with: a wrong folder, no usable row.
 *
 *   aadb   imgListFiles_label/imgList{Train,Validation,Test,TestNew}Regression_ATTRIBUTE.txt,
 *          datasetImages_originalSize/
 *   para   annotation/PARA-Images.csv, PARA-GiaaTrain.csv, PARA-GiaaTest.csv, imgs/SESSION/
 *   lapis  annotation/LAPIS_PIAA.csv, LAPIS_GIAA_{Train,Val,Test}split.csv, images/
 *   csv    a table (data/sheet.h) with the columns path and score; optional: user (without it all
 *          rows are one person's), split (train, validation, test), the labels style, genre and
 *          semantic; every other column of numbers is an attribute, unless its name says that it
 *          numbers the rows.  Paths are relative to the file's folder; mean score and attributes of
 *          an image are the means of its rows
 */
piaa_dataset *piaa_dataset_open(const char *spec, const piaa_hooks *hooks,
                                piaa_error *error) PIAA_MUST_USE;
/* The same; user_column: which column of a CSV file says who rated, "none" where none does; NULL:
   it is told by its name.  Other kinds have their own (PIAA_USAGE). */
piaa_dataset *piaa_dataset_open_by(const char *spec, const char *user_column,
                                   const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
void piaa_dataset_close(piaa_dataset *set);

/* By image.name; csv: by path. */
bool piaa_dataset_find(const piaa_dataset *set, const char *name, size_t *image);
/* By name, any case. */
bool piaa_dataset_attribute(const piaa_dataset *set, const char *name, size_t *attribute);
bool piaa_dataset_label(const piaa_dataset *set, const char *name, size_t *label);
const char *piaa_split_name(piaa_split split); /* "train", …, "" for none */

/* The loss as one sentence for a report ("2 of 650 images are missing; …"), "" where nothing was
   lost; the caller's to free. */
char *piaa_dataset_loss_text(const piaa_dataset *set, piaa_error *error) PIAA_MUST_USE;

#endif
