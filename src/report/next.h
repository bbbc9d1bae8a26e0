/* The photos to rate next, as a table, CSV and JSON. */
#ifndef PIAA_REPORT_NEXT_H
#define PIAA_REPORT_NEXT_H

#include "report/report.h"
#include "study/asking.h"
#include "study/next.h"

/*
 * Table   place, how the photo was chosen, path (relative to `folder` where it lies below it).
 * CSV     path,score,chosen_by: absolute paths and an empty score, so that the file, filled in, is
 *         a table of ratings; chosen_by is "random" or the strategy's name.
 * JSON    {"photos": [{"path", "chosen_by"}, …], "strategy", "photos_read", "rated", "left",
 *         "noise" (null: the default), "unreadable": [{"path", "error"}]}
 */
bool piaa_next_write(const piaa_next *next, const piaa_ranking_context *context,
                     piaa_format_kind format, FILE *out, piaa_error *error) PIAA_MUST_USE;

/*
 * The photos to compare next.
 * Table   place, the two photos.
 * CSV     left,right,answer: absolute paths and an empty answer, to be filled in.
 * JSON    {"pairs": [{"left", "right", "likely"}, …], "photos_read", "candidates", "unreadable":
 *         [{"path", "error"}]}; likely: the probability that the left one is called better
 */
bool piaa_asked_write(const piaa_asked *asked, const piaa_ranking_context *context,
                      piaa_format_kind format, FILE *out, piaa_error *error) PIAA_MUST_USE;

#endif
