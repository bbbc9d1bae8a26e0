/* The options and steps that the commands with a ranking as their result share. */
#ifndef PIAA_CLI_SHOW_H
#define PIAA_CLI_SHOW_H

#include "cli/options.h"

extern const piaa_option piaa_show_options[]; /* top, json, csv, sheet */

/* Checks the options of piaa_show_options before any work is done. */
bool piaa_show_check(const piaa_call *call, piaa_error *error) PIAA_MUST_USE;

/* The places that are looked at, for piaa_rank_best; 0: all. */
bool piaa_show_top(const piaa_call *call, size_t *top, piaa_error *error) PIAA_MUST_USE;

/* "typical error ± 0.62, nine in ten within ± 1.05"; its length, which has to be less than
   `size`. */
size_t piaa_show_errors(const piaa_taste *taste, char *out, size_t size);

/* "40 ratings and 120 comparisons": what the taste was learned from. */
const char *piaa_show_source(const piaa_taste *taste, char out[96]);

/* How many of the store's photos are gone. */
size_t piaa_show_gone(const piaa_store *store);

/* Prints the ranking, with those of `photos` (NULL: all of the store) that could not be read, in
   the format asked for, and makes the contact sheet. */
bool piaa_show_ranking(piaa_call *call, const piaa_ranking *ranking, const piaa_taste *taste,
                       const piaa_store *store, const piaa_photos *photos, bool demonstration,
                       piaa_error *error) PIAA_MUST_USE;

#endif
