/* The report of one or more runs: one HTML page that needs nothing else, its tables as LaTeX, its
   figures as SVG and CSV files. */
#ifndef PIAA_REPORT_PAGE_H
#define PIAA_REPORT_PAGE_H

#include "base/output.h"
#include "report/figure.h"

/* A table of text: plain UTF-8, which each format writes in its own way. */
typedef struct piaa_table {
    char *title, *note;
    char **cells; /* [rows + 1][columns]; the first row is the header */
    size_t rows, columns;
} piaa_table;

typedef struct piaa_tables {
    piaa_table *items;
    size_t count, capacity;
} piaa_tables;

enum { PIAA_TABLE_CELL = 96 };

/* A new table of empty cells below its header. */
piaa_table *piaa_table_add(piaa_tables *tables, size_t rows, const char *const *header,
                           size_t columns, const char *title, const char *note,
                           piaa_error *error) PIAA_MUST_USE;
/* Row from 0, below the header; each cell once. */
bool piaa_table_set(piaa_table *table, size_t row, size_t column, const char *text,
                    piaa_error *error) PIAA_MUST_USE;
/* "0.564 [0.531, 0.597]", "undefined"; "< 0.001", "0.154". */
void piaa_table_mean(const piaa_run_mean *mean, char out[PIAA_TABLE_CELL]);
void piaa_table_p(double p, char out[PIAA_TABLE_CELL]);

bool piaa_tables_make(piaa_tables *tables, const piaa_run *run, piaa_error *error) PIAA_MUST_USE;
void piaa_tables_free(piaa_tables *tables);
/* For a terminal: columns side by side. */
bool piaa_tables_print(const piaa_tables *tables, piaa_text *out, piaa_error *error) PIAA_MUST_USE;

/* "Probing: AADB", "Personal protocol: PARA". */
bool piaa_page_title(const piaa_run *run, char out[160], piaa_error *error) PIAA_MUST_USE;

/* One run of a report, everything made. */
typedef struct piaa_page_part {
    piaa_run *run;
    piaa_plots plots;
    piaa_tables tables;
} piaa_page_part;

/* `together`: tables of all runs; `figures`: the folder of the figures' files, relative to the
 * page; drawn: they were drawn. */
bool piaa_page_html(const piaa_page_part *parts, size_t count, const piaa_tables *together,
                    const char *figures, bool drawn, piaa_text *out,
                    piaa_error *error) PIAA_MUST_USE;
bool piaa_page_latex(const piaa_page_part *parts, size_t count, const piaa_tables *together,
                     piaa_text *out, piaa_error *error) PIAA_MUST_USE;

/*
 * Reads the runs and writes `path` (ending in .html), beside it the tables (.tex) and a folder with
 * each figure's .svg and .csv (the name with -figures).  Without gnuplot the figures' data alone
 * are written, and hooks->warn (may be NULL) is told.
 */
bool piaa_page_write(const char *const *folders, size_t count, const char *path,
                     const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
/* PIAA_USAGE for another ending, and where one of those files would replace something else. */
extern const piaa_output_kind piaa_page_kind;
bool piaa_page_check(const char *path, piaa_error *error) PIAA_MUST_USE;

#endif
