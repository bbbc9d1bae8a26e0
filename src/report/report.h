/* What people and programs get to see: rankings as tables, CSV, JSON and contact sheets. */
#ifndef PIAA_REPORT_REPORT_H
#define PIAA_REPORT_REPORT_H

#include "base/json.h"
#include "base/memory.h"
#include "base/output.h"
#include "study/rank.h"

#include <stdio.h>

/* Writes all of the text and flushes.  A reader that has gone away (EPIPE) is no error: nobody is
   left to tell. */
bool piaa_report_write(FILE *out, const char *text, size_t size, piaa_error *error) PIAA_MUST_USE;
/* The same of a JSON value, and a newline. */
bool piaa_report_write_json(FILE *out, cJSON *value, piaa_error *error) PIAA_MUST_USE;
/* The fewest of 15 to 17 digits that read back as the same number, with a point in every locale; ""
   for NaN and infinity. */
void piaa_report_digits(double value, char out[32]);
/* A number with such digits; null for NaN. */
cJSON *piaa_report_number(double value);
void piaa_report_put_number(piaa_json_build *build, cJSON *parent, const char *key, double value);
/* All digits of an integer: cJSON's own numbers are doubles, which lose those of large ones. */
cJSON *piaa_report_integer(int64_t value);
/* The same as a member of an object. */
void piaa_report_add_integer(cJSON *object, const char *name, int64_t value);
void piaa_report_put_integer(piaa_json_build *build, cJSON *parent, const char *key, int64_t value);
/* Appends one CSV field, quoted where it has to be. */
bool piaa_report_add_field(piaa_text *out, const char *text, piaa_error *error);

typedef enum piaa_format_kind { PIAA_TABLE, PIAA_CSV, PIAA_JSON } piaa_format_kind;

typedef struct piaa_unreadable {
    const char *path, *reason;
} piaa_unreadable;

/* What is told around a ranking. */
typedef struct piaa_ranking_context {
    const piaa_taste *taste; /* for the "± x" */
    const char *folder; /* paths below it are shown relative to it in tables and sheets; NULL: all
                           absolute */
    size_t top;         /* photos to show; 0: all */
    bool demonstration; /* made with the demonstration model */
    const piaa_unreadable *unreadable;
    size_t unreadable_count;
} piaa_ranking_context;

/* "40 ratings and 120 comparisons": what a taste was learned from. */
const char *piaa_taste_source(const piaa_taste *taste, char out[96]);

/*
 * Table   rank, score, the person's own rating where there is one, path.
 * CSV     rank,score,plus_minus,rating,low,high,path: absolute paths, shortest digits that read
 *         back as the same number; low and high bound the photo's rating (docs/statistics.md), and
 *         are empty where there are too few ratings to say.
 * JSON    {"photos": [{"rank", "score", "low", "high", "rating" (null: not rated), "path"}, …],
 *         "plus_minus", "interval_level", "plus_minus_of_mean", "rank_correlation", "chance",
 *         "verdict" ("learned", "may be chance", "not learned"), "ratings", "pairs",
 *         "pairs_told_right", "scale" ("of the ratings", "none"), "plus_minus_with_ten_more",
 *         "plus_minus_of_own_ratings" and "correlation_at_most" (of ratings given again),
 *         "unreadable": [{"path", "error"}], "model", "family", "fingerprint", "demonstration",
 *         "pool", "layer", "prompt", "preprocessing", "dtype"}
 */
bool piaa_ranking_write(const piaa_ranking *ranking, const piaa_ranking_context *context,
                        piaa_format_kind format, FILE *out, piaa_error *error) PIAA_MUST_USE;

/*
 * A contact sheet: the best first, six to a row and four rows at most; where that does not hold all
 * photos, the last row shows the lowest. The format goes by the ending of `path` (.jpg, .png,
 * .webp).  Written whole or not at all.  A photo that cannot be read leaves a grey tile.
 */
bool piaa_sheet_write(const piaa_ranking *ranking, const piaa_ranking_context *context,
                      const char *path, piaa_error *error) PIAA_MUST_USE;
/* PIAA_USAGE for an ending that piaa_sheet_write does not know, and for a file there that is not a
   contact sheet: to be asked before hours of work. */
extern const piaa_output_kind piaa_sheet_output;
bool piaa_sheet_check(const char *path, piaa_error *error) PIAA_MUST_USE;

/* `path` without `folder` and its slash where it lies below it. */
const char *piaa_path_shorten(const char *path, const char *folder);

#endif
