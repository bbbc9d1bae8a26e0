/* The figures of a run: each a picture, its caption and its data. */
#ifndef PIAA_REPORT_FIGURE_H
#define PIAA_REPORT_FIGURE_H

#include "report/run.h"

typedef struct piaa_plot {
    char *name;       /* of its files, "1-layers" */
    char *title;      /* a few words; also what the picture is called for those who cannot see it */
    char *caption;    /* what it shows: plain English */
    piaa_text csv;    /* its data, with a header */
    piaa_text script; /* for gnuplot, without the terminal */
    int width, height;   /* of the picture's own units; a letter is 13 high */
    piaa_text page, own; /* the SVG for within a page, whose colours the page decides, and for a
                            file; empty until drawn */
} piaa_plot;

typedef struct piaa_plots {
    piaa_plot *items;
    size_t count, capacity;
} piaa_plots;

/* The figures of one run; their names begin with `number`. */
bool piaa_plots_make(piaa_plots *plots, const piaa_run *run, size_t number,
                     piaa_error *error) PIAA_MUST_USE;
void piaa_plots_free(piaa_plots *plots);

/* Draws one figure (page and own).  Needs gnuplot. */
bool piaa_plot_draw(piaa_plot *plot, piaa_error *error) PIAA_MUST_USE;

/* The page's style sheet for these pictures: the colours by name, for light and for dark. */
void piaa_plot_style(piaa_text *out, piaa_error *error);

/* Colours in scripts: "#010101" text and axes, "#020202" grid, "#030303" what is less important,
   and "#0a0001" to "#0a0008". */

/* Appends text in which &, <, > and quotes are XML's, and all else is as base/visible.h says, lines
   apart. */
void piaa_xml_add(piaa_text *out, const char *text, piaa_error *error);

#endif
