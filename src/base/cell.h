/* What one cell of a table says: nothing, a number, or something else.  How commas and per cent
   signs are to be taken shows only in a whole column. */
#ifndef PIAA_BASE_CELL_H
#define PIAA_BASE_CELL_H

#include "base/error.h"

typedef enum piaa_cell { PIAA_CELL_BLANK, PIAA_CELL_NUMBER, PIAA_CELL_OTHER } piaa_cell;

/* What was seen in a column; starts from {0}. */
typedef struct piaa_cell_form {
    bool semicolons; /* they separate the cells, as where the comma is the decimal sign */
    size_t commas;   /* numbers whose comma cannot but be the decimal sign: "3,5", "0,125" */
    size_t points;   /* numbers with a decimal point */
    size_t percents; /* "80 %" */
    size_t stars;    /* "★★★☆☆" */
    size_t plain;    /* numbers that are no percentages */
} piaa_cell_form;

/* `word` has no blanks around it. */
void piaa_cell_look(piaa_cell_form *form, const char *word);

/*
 * *value is set for PIAA_CELL_NUMBER alone, which is finite.
 *
 *   BLANK   an empty cell, and what programs write for one: NA, N/A, n.a., #N/A, NaN, null, nil,
 *           None, <NA>, \N, ?, and dashes (any case); stars of which none is full
 *   NUMBER  3, -4.5, 1e-3; "3,5" with a decimal comma; "80 %", which is 80, where every number of
 *           the column is a percentage; stars: ★★★☆☆, ***, of which the full ones count
 *   OTHER   anything else, and what may be two numbers: "1,234" where no other cell of the column
 *           has a decimal comma that is beyond doubt, "1.234" where one has, "1.234,5"
 */
piaa_cell piaa_cell_read(const piaa_cell_form *form, const char *word, double *value);

/* Why a cell is PIAA_CELL_OTHER: "is not a number", "may be 1234 or 1.234: …". */
const char *piaa_cell_fault(const piaa_cell_form *form, const char *word);

bool piaa_cell_is_blank(const char *word);

#endif
