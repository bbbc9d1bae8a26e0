/* Tables as text with a header line, streamed row by row: CSV after RFC 4180, and what spreadsheets
 * make of it (docs/ratings.md has the whole list): UTF-8, UTF-16 and Windows-1252; fields between
 * commas, semicolons, tabs or upright lines; LF, CRLF and CR; "sep=;"; rows that are cut short
 * after their last filled cell, or go on with empty ones; rows of nothing but separators. */
#ifndef PIAA_BASE_CSV_H
#define PIAA_BASE_CSV_H

#include "base/cell.h"
#include "base/memory.h"

typedef struct piaa_csv piaa_csv;

/* Reads the header line.  The text is copied; `where` names it in messages. */
piaa_csv *piaa_csv_open(const char *path, piaa_error *error) PIAA_MUST_USE;
piaa_csv *piaa_csv_parse(const char *text, size_t size, const char *where,
                         piaa_error *error) PIAA_MUST_USE;
void piaa_csv_close(piaa_csv *csv);

int piaa_csv_columns(const piaa_csv *csv);
const char *piaa_csv_column_name(const piaa_csv *csv, int column); /* without blanks around it */
int piaa_csv_column(const piaa_csv *csv, const char *name);        /* -1 if absent */

/* Next row: 1 a row, 0 the end, -1 an error (unbalanced quote, more filled fields than the header
 * has, a zero byte: file and line number in the message; reading may go on with the next row).
 * Lines and rows without any content are passed over; cells that a short row lacks are empty. */
int piaa_csv_next(piaa_csv *csv, piaa_error *error);
void piaa_csv_rewind(piaa_csv *csv); /* piaa_csv_next gives the first row again */

/* Cells of the current row; "" and PIAA_CELL_BLANK where there is no such column. */
/* As it stands, NUL-terminated, never NULL. */
const char *piaa_csv_field(const piaa_csv *csv, int column);
const char *piaa_csv_word(piaa_csv *csv, int column); /* without blanks around it */
/* base/cell.h says what counts. */
piaa_cell piaa_csv_number(piaa_csv *csv, int column, double *value);
const char *piaa_csv_fault(piaa_csv *csv, int column); /* of a PIAA_CELL_OTHER: "is not a number" */

int64_t piaa_csv_line(const piaa_csv *csv); /* line on which the current row began, from 1 */
const char *piaa_csv_where(const piaa_csv *csv);

/* Appends what is not as in plain CSV: "UTF-16 text, fields between tabs"; nothing if all is. */
bool piaa_csv_describe(const piaa_csv *csv, piaa_text *out, piaa_error *error) PIAA_MUST_USE;

/* A whole field as a finite number, surrounding blanks allowed; false for anything else ("", "nan",
 * "inf", "3 stars", "1,5"). Locale-independent. */
bool piaa_parse_number(const char *text, double *out);

/* Writes one field, quoted where it has to be. */
bool piaa_csv_quote(const char *field, char **out, piaa_error *error);

#endif
