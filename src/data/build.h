/* What the readers share: adding images, people and ratings to a data set, and reading CSV rows
   with their faults told and counted. */
#ifndef PIAA_DATA_BUILD_H
#define PIAA_DATA_BUILD_H

#include "base/csv.h"
#include "data/dataset.h"
#include "data/notices.h"

typedef struct piaa_build {
    piaa_dataset *set;
    size_t image_room, attribute_room, label_room, rating_room, partial_room, user_room;
    const piaa_hooks *hooks;
    piaa_error *error;
} piaa_build;

/* One function a reader; `set->folder` is there, everything else empty. */
bool piaa_read_aadb(piaa_build *build);
bool piaa_read_para(piaa_build *build);
bool piaa_read_lapis(piaa_build *build);
/* The columns of PARA's seven scores, the aesthetic one first; means have "_mean" behind. */
enum { PIAA_PARA_SCORES = 7 };
extern const char *const piaa_para_scores[PIAA_PARA_SCORES];
/* `user_column` as in data/sheet.h */
bool piaa_read_table(piaa_build *build, const char *file, const char *user_column);

/* Before the first image. */
bool piaa_build_columns(piaa_build *build, const char *const *attributes, size_t attribute_count,
                        const char *const *labels, size_t label_count);

/* The image of that key, added if it is new with `name`, which is relative to the folder (or
   absolute).  fresh may be NULL. */
bool piaa_build_image(piaa_build *build, const char *key, const char *name, size_t *image,
                      bool *fresh);
/* Replaces an image's id. */
bool piaa_build_text(piaa_build *build, const char **member, const char *text);
bool piaa_build_label(piaa_build *build, size_t image, size_t label, const char *text);
bool piaa_build_rating(piaa_build *build, const char *user, size_t image, double score,
                       int64_t line);
/* One of dataset.partial; after the last of the other ratings. */
bool piaa_build_partial(piaa_build *build, const char *user, size_t image, double score,
                        int64_t line);

/* Hangs ratings on people, marks repeated ones, looks for missing files.  Fails where there is no
   image at all. */
bool piaa_build_finish(piaa_build *build);

/* ---- a CSV file whose bad rows are passed over */

typedef struct piaa_rows {
    piaa_csv *csv;
    piaa_notices faults;
    piaa_build *build;
} piaa_rows;

/* Of a file that somebody else opened and closes. */
piaa_rows piaa_rows_over(piaa_csv *csv, piaa_build *build);
/* Opens folder/name.  1 opened; 0 not there, which is told with what `consequence` says and
   counted; -1 an error. */
int piaa_rows_open(piaa_rows *rows, piaa_build *build, const char *name, const char *consequence);
void piaa_rows_close(piaa_rows *rows);
int piaa_rows_next(piaa_rows *rows); /* 1 a row, 0 the end, -1 out of memory */
/* The row in hand is no good: "FILE, line N: …" */
void piaa_rows_fault(piaa_rows *rows, const char *format, ...) PIAA_PRINTF(2, 3);
/* An error where it is missing. */
bool piaa_rows_column(const piaa_rows *rows, const char *name, int *column);

#endif
