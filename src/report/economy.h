/* What settings cost and bring, as a table, CSV and JSON. */
#ifndef PIAA_REPORT_ECONOMY_H
#define PIAA_REPORT_ECONOMY_H

#include "report/report.h"
#include "study/economy.h"

/* photos: in the folder that is to be ranked, for the hours that each row would take.  CSV:
 * max_pixels,dtype,features,seconds,hours,plus_minus,rank_correlation,worse,low,high,enough,
 * advised; numbers that are undefined are empty.  JSON has the same names. */
bool piaa_economy_write(const piaa_economy *economy, size_t photos, piaa_format_kind format,
                        FILE *out, piaa_error *error) PIAA_MUST_USE;

/* "2.5 s", "3.4 min", "44 h"; returns out. */
const char *piaa_economy_duration(double seconds, char out[32]);

#endif
