/* What the commands share that print lists of their own as a table, CSV and JSON. */
#ifndef PIAA_CLI_PRINT_H
#define PIAA_CLI_PRINT_H

#include "cli/options.h"
#include "report/report.h"

/* Fills in the unreadable of `context`, which the caller frees: those of `photos` (NULL:
   all of the store) without a vector of one of these slots, and why. */
bool piaa_print_unreadable(piaa_call *call, const piaa_store *store, const piaa_slots *slots,
                           const piaa_photos *photos, piaa_ranking_context *context,
                           piaa_error *error) PIAA_MUST_USE;

/* The format that --json and --csv ask for. */
piaa_format_kind piaa_print_format(const piaa_call *call);

#endif
