/*
 * From gnuplot's SVG to ours.
 *
 * gnuplot knows fixed colours; a page has two themes.  Scripts use a few colours that nobody would
 * use to be seen (#010101 …) as names, and here they become CSS variables for the page, and the
 * light theme's colours on white paper for the file of its own.  The qualitative colours are Okabe
 * and Ito's (2008), which people with any common colour vision tell apart, darkened or lightened
 * where they would be faint on paper or on black.
 */
#include "report/figure.h"

#include "base/utf8.h"
#include "base/visible.h"
#include "report/gnuplot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int red, green, blue; /* as scripts name it */
    const char *name, *light, *dark;
} colours[] = {
    {1, 1, 1, "ink", "#24292f", "#d8dce0"},   {2, 2, 2, "rule", "#dfe2e5", "#363b41"},
    {3, 3, 3, "muted", "#8a9199", "#868d95"}, {10, 0, 1, "c1", "#0072b2", "#4ea8e0"},
    {10, 0, 2, "c2", "#d55e00", "#f08a3c"},   {10, 0, 3, "c3", "#00835f", "#2cc19a"},
    {10, 0, 4, "c4", "#b8578f", "#e394c2"},   {10, 0, 5, "c5", "#b07a00", "#ecb53a"},
    {10, 0, 6, "c6", "#3a93c9", "#9bd6f7"},   {10, 0, 7, "c7", "#7d7600", "#efe450"},
    {10, 0, 8, "c8", "#6b6f75", "#b9bfc6"},
};

void piaa_plot_style(piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, ":root{");
    for (size_t i = 0; i < PIAA_COUNT(colours); i++)
        piaa_text_format(out, error, "--%s:%s;", colours[i].name, colours[i].light);
    piaa_text_format(out, error, "}\n@media(prefers-color-scheme:dark){:root{");
    for (size_t i = 0; i < PIAA_COUNT(colours); i++)
        piaa_text_format(out, error, "--%s:%s;", colours[i].name, colours[i].dark);
    piaa_text_format(out, error, "}}\n");
}

/* What stands for a character that means something in XML; NULL: itself. */
static const char *entity(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

void piaa_xml_add(piaa_text *out, const char *text, piaa_error *error) {
    for (size_t left = strlen(text), used; left; text += used, left -= used) {
        char shown[PIAA_VISIBLE_MOST];
        size_t length;
        int columns;
        used = piaa_visible_next(text, left, shown, &length, &columns);
        const char *instead = *text == '\n' ? "\n" : entity(*text);
        piaa_text_add(out, instead ? instead : shown, instead ? strlen(instead) : length, error);
    }
}

/* ------------------------------------------------------------------------------------ rewriting */

typedef struct rewriting {
    const piaa_plot *plot;
    bool page; /* for the page; else a file */
    piaa_text *out;
    piaa_error *error;
} rewriting;

static void put(const rewriting *r, const char *text) {
    piaa_text_add(r->out, text, strlen(text), r->error);
}

static void put_colour(const rewriting *r, size_t i) {
    if (r->page)
        piaa_text_format(r->out, r->error, "var(--%s)", colours[i].name);
    else
        put(r, colours[i].light);
}

/* "rgb( 10,   0,   3)" at `at`: writes the colour and gives its length in the input; 0 where it is
               something else. */
static size_t take_rgb(const rewriting *r, const char *at) {
    if (strncmp(at, "rgb(", 4) != 0) return 0;
    long parts[3];
    const char *end = at + 3;
    for (int c = 0; c < 3; c++) {
        char *after;
        parts[c] = strtol(end + 1, &after, 10);
        if (after == end + 1 || *after != (c < 2 ? ',' : ')') || parts[c] < 0 || parts[c] > 255)
            return 0;
        end = after;
    }
    size_t length = (size_t)(end + 1 - at);
    for (size_t i = 0; i < PIAA_COUNT(colours); i++)
        if (colours[i].red == parts[0] && colours[i].green == parts[1] &&
            colours[i].blue == parts[2]) {
            put_colour(r, i);
            return length;
        }
    piaa_text_format(r->out, r->error, "#%02lx%02lx%02lx", (unsigned long)parts[0],
                     (unsigned long)parts[1], (unsigned long)parts[2]);
    return length;
}

/* What gnuplot says of text and axes, which is ink; and names that have to be other ones in each
   figure of a page. */
static size_t take_word(const rewriting *r, const char *at) {
    static const char *const inks[] = {"color=\"black\"", "color=\"gray\"", "fill=\"black\"",
                                       "stroke=\"black\""};
    static const char *const names[] = {"gpPt", "gpDot", "textbox", "greybox", "gnuplot_"};
    for (size_t i = 0; i < PIAA_COUNT(inks); i++)
        if (strncmp(at, inks[i], strlen(inks[i])) == 0) {
            piaa_text_add(r->out, at, strcspn(at, "\"") + 1, r->error);
            put_colour(r, 0);
            put(r, "\"");
            return strlen(inks[i]);
        }
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        if (strncmp(at, names[i], strlen(names[i])) == 0) {
            piaa_text_format(r->out, r->error, "f%s%s", r->plot->name, names[i]);
            return strlen(names[i]);
        }
    return 0;
}

/* Groups in which nothing is drawn: half of what gnuplot writes. */
static size_t skip_empty(const char *at) {
    if (strncmp(at, "<g ", 3) != 0) return 0;
    size_t n = strcspn(at, ">");
    return strncmp(at + n, ">\n</g>\n", 7) == 0 ? n + 7 : 0;
}

/* The picture without gnuplot's head. */
static bool rewrite(const rewriting *r, const char *svg) {
    const char *body = strstr(svg, "<g id=\"gnuplot_canvas\"");
    if (!body)
        return piaa_error_set(r->error, PIAA_FORMAT,
                              "gnuplot wrote no SVG picture: is it version 5 or newer?");
    piaa_text_format(r->out, r->error,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" "
                     "xmlns:xlink=\"http://www.w3.org/1999/xlink\" ");
    if (!r->page)
        piaa_text_format(r->out, r->error, "width=\"%d\" height=\"%d\" ", r->plot->width,
                         r->plot->height);
    piaa_text_format(r->out, r->error, "viewBox=\"0 0 %d %d\" role=\"img\">\n<title>",
                     r->plot->width, r->plot->height);
    piaa_xml_add(r->out, r->plot->title, r->error);
    put(r, "</title>\n");
    if (!r->page) put(r, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    while (*body && !r->out->failed) {
        size_t n = skip_empty(body);
        if (!n) n = take_rgb(r, body);
        if (!n) n = take_word(r, body);
        if (!n) {
            n = 1 + strcspn(body + 1, "<rcfsgt\n");
            piaa_text_add(r->out, body, n, r->error);
        }
        body += n;
    }
    return !r->out->failed;
}

bool piaa_plot_draw(piaa_plot *plot, piaa_error *error) {
    piaa_text script = {0}, svg = {0};
    bool ok =
        piaa_text_format(
            &script, error,
            "set encoding utf8\nset terminal svg size %d,%d font 'sans-serif,13' dynamic "
            "noenhanced\n"
            "set border lc rgb '#010101'\nset tics textcolor rgb '#010101' nomirror out scale 0.5\n"
            "set key textcolor rgb '#010101'\nset datafile missing 'NaN'\n",
            plot->width, plot->height) &&
        piaa_text_add(&script, plot->script.data, plot->script.length, error) &&
        piaa_gnuplot_run(script.data, script.length, &svg, error);
    for (int page = 0; ok && page < 2; page++) {
        rewriting r = {plot, page == 1, page ? &plot->page : &plot->own, error};
        ok = rewrite(&r, svg.data);
    }
    free(script.data);
    free(svg.data);
    return ok;
}

void piaa_plots_free(piaa_plots *plots) {
    for (size_t i = 0; i < plots->count; i++) {
        piaa_plot *plot = &plots->items[i];
        free(plot->name);
        free(plot->title);
        free(plot->caption);
        free(plot->csv.data);
        free(plot->script.data);
        free(plot->page.data);
        free(plot->own.data);
    }
    free(plots->items);
    *plots = (piaa_plots){0};
}
