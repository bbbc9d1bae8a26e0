/* CSV after RFC 4180, with a header line, streamed row by row (a UTF-8 byte order mark, CRLF,
   quotes, quoted newlines). */
#ifndef PIAA_BASE_CSV_H
#define PIAA_BASE_CSV_H

#include "base/error.h"

typedef struct piaa_csv piaa_csv;

/* Reads the header line.  `limit`-free: rows are streamed from memory.  The text is copied; `where`
   names it in messages. */
piaa_csv *piaa_csv_open(const char *path, piaa_error *error) PIAA_MUST_USE;
piaa_csv *piaa_csv_parse(const char *text, size_t size, const char *where,
                         piaa_error *error) PIAA_MUST_USE;
void piaa_csv_close(piaa_csv *csv);

int piaa_csv_columns(const piaa_csv *csv);
const char *piaa_csv_column_name(const piaa_csv *csv, int column);
int piaa_csv_column(const piaa_csv *csv, const char *name); /* -1 if absent */

/* Next row: 1 a row, 0 the end, -1 an error (unbalanced quote, wrong number of fields: file and
 * line number in the message; reading may go on with the next row). Blank lines are passed over. */
int piaa_csv_next(piaa_csv *csv, piaa_error *error);
const char *piaa_csv_field(const piaa_csv *csv,
                           int column);     /* of the current row, NUL-terminated, never NULL */
int64_t piaa_csv_line(const piaa_csv *csv); /* line on which the current row began, from 1 */
const char *piaa_csv_where(const piaa_csv *csv);

/* A whole field as a finite number, surrounding blanks allowed; false for anything else ("", "nan",
 * "inf", "3 stars", "1,5"). Locale-independent. */
bool piaa_parse_number(const char *text, double *out);

/* Writes one field, quoted where it has to be. */
bool piaa_csv_quote(const char *field, char **out, piaa_error *error);

#endif
