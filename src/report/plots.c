/* What the figures of a run are: their data, their gnuplot scripts and their captions. */
#include "report/figure.h"
#include "report/gnuplot.h"
#include "report/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 480,
    COLOURS = 8,
    MANY_POINTS = 3000,
    MOST_LABELLED = 13,
    MOST_ROWS = 16,
    MOST_IMPROVEMENTS = 6
};

/* A figure in the making: once something fails, nothing more is done. */
typedef struct drawing {
    piaa_plots *plots;
    const piaa_run *run;
    size_t number;
    piaa_plot *plot;
    size_t marks; /* numbers of it that are drawn */
    piaa_error *error;
    bool ok;
} drawing;

static void begin(drawing *d, const char *name, int height, const char *title) {
    d->ok = d->ok && piaa_grow(&d->plots->items, &d->plots->capacity, d->plots->count + 1,
                               sizeof *d->plots->items, d->error);
    if (!d->ok) return;
    d->marks = 0;
    d->plot = &d->plots->items[d->plots->count++];
    *d->plot = (piaa_plot){.width = WIDTH, .height = height};
    d->ok = (d->plot->name = piaa_format(d->error, "%zu-%s", d->number, name)) &&
            (d->plot->title = piaa_strdup(title, d->error));
}

static void format_into(drawing *d, piaa_text *text, const char *format, va_list arguments) {
    char line[2048]; /* our own words; what comes from files goes through quoted() and field() */
    int n = vsnprintf(line, sizeof line, format, arguments);
    d->ok = n >= 0 && (size_t)n < sizeof line
                ? piaa_text_add(text, line, (size_t)n, d->error)
                : piaa_error_set(d->error, PIAA_FORMAT, "a figure's words are too long");
}

static void script(drawing *d, const char *format, ...) PIAA_PRINTF(2, 3);
static void csv(drawing *d, const char *format, ...) PIAA_PRINTF(2, 3);
static void caption(drawing *d, const char *format, ...) PIAA_PRINTF(2, 3);

static void script(drawing *d, const char *format, ...) {
    if (!d->ok) return;
    va_list arguments;
    va_start(arguments, format);
    format_into(d, &d->plot->script, format, arguments);
    va_end(arguments);
}

static void csv(drawing *d, const char *format, ...) {
    if (!d->ok) return;
    va_list arguments;
    va_start(arguments, format);
    format_into(d, &d->plot->csv, format, arguments);
    va_end(arguments);
}

/* What stands where a figure would, of which gnuplot says that it cannot be drawn. */
static const char nothing[] =
    "unset border\nunset tics\nunset key\nset xrange [0:1]\nset yrange [0:1]\nset label "
    "'undefined' at 0.5,0.5 center tc rgb '#030303'\nplot NaN notitle\n";

/* Ends a figure.  Of one without a number the words stay, and say so. */
static void caption(drawing *d, const char *format, ...) {
    if (!d->ok) return;
    piaa_text text = {0};
    va_list arguments;
    va_start(arguments, format);
    format_into(d, &text, format, arguments);
    va_end(arguments);
    d->plot->caption = text.data;
    if (d->marks || !d->ok) return;
    piaa_text *words = &d->plot->script;
    words->length = 0;
    d->ok = piaa_text_add(words, nothing, sizeof nothing - 1, d->error) &&
            piaa_text_format(&text, d->error, " It is undefined: there is no number to draw.");
    d->plot->caption = text.data;
}

static void quoted(drawing *d, const char *text) {
    d->ok = d->ok && piaa_gnuplot_quote(&d->plot->script, text, d->error);
}

/* A tic's label is a format to gnuplot. */
static void quoted_tic(drawing *d, const char *text) {
    piaa_text doubled = {0};
    for (const char *c = text; d->ok && *c; c++)
        d->ok = piaa_text_add(&doubled, *c == '%' ? "%%" : c, *c == '%' ? 2 : 1, d->error);
    quoted(d, doubled.length ? doubled.data : "");
    free(doubled.data);
}

static void field(drawing *d, const char *text) {
    d->ok = d->ok && piaa_report_add_field(&d->plot->csv, text, d->error);
}

/* A comma and a number, or nothing for NaN. */
static void value(drawing *d, double number) {
    char digits[32];
    piaa_report_digits(number, digits);
    csv(d, ",%s", digits);
}

/* A blank and a number as gnuplot reads it. */
static void datum(drawing *d, double number) {
    d->marks += isfinite(number);
    if (isfinite(number))
        script(d, " %.7g", number);
    else
        script(d, " NaN");
}

/* ----------------------------------------------------------------------------------- layer axis */

/* Pools one after the other in the order in which a picture goes through the model, a gap between
   them. */
typedef struct axis {
    size_t *order; /* into what it was made of */
    double *x;     /* [count] */
    size_t count;
    piaa_pool *pools;
    int *layers;
} axis;

static void axis_free(axis *a) {
    free(a->order);
    free(a->x);
    free(a->pools);
    free(a->layers);
    *a = (axis){0};
}

static bool axis_reserve(axis *a, size_t n, piaa_error *error) {
    *a = (axis){0};
    return (a->order = piaa_alloc(n, sizeof *a->order, error)) &&
           (a->x = piaa_alloc(n, sizeof *a->x, error)) &&
           (a->pools = piaa_alloc(n, sizeof *a->pools, error)) &&
           (a->layers = piaa_alloc(n, sizeof *a->layers, error));
}

static void axis_add(axis *a, size_t index, piaa_pool pool, int layer) {
    a->order[a->count] = index;
    a->pools[a->count] = pool;
    a->layers[a->count++] = layer;
}

static int rank_of(piaa_pool pool) {
    static const int ranks[PIAA_POOLS] = {[PIAA_V] = 0,  [PIAA_POOLED] = 1, [PIAA_PROJECTED] = 2,
                                          [PIAA_LV] = 3, [PIAA_LT] = 4,     [PIAA_LT_TAIL] = 5};
    return ranks[pool];
}

static bool comes_before(const axis *a, size_t i, size_t j) {
    if (a->pools[i] != a->pools[j]) return rank_of(a->pools[i]) < rank_of(a->pools[j]);
    return a->layers[i] < a->layers[j];
}

static void swap(axis *a, size_t i, size_t j) {
    size_t index = a->order[i];
    piaa_pool pool = a->pools[i];
    int layer = a->layers[i];
    a->order[i] = a->order[j];
    a->pools[i] = a->pools[j];
    a->layers[i] = a->layers[j];
    a->order[j] = index;
    a->pools[j] = pool;
    a->layers[j] = layer;
}

static void axis_finish(axis *a) {
    for (size_t i = 1; i < a->count; i++)
        for (size_t j = i; j && comes_before(a, j, j - 1); j--) swap(a, j, j - 1);
    for (size_t i = 0; i < a->count; i++)
        a->x[i] = i ? a->x[i - 1] + 1 + (a->pools[i] != a->pools[i - 1]) : 0;
}

/* What an axis calls a layer: the first of a pool in full, the others by number. */
static void axis_label(const axis *a, size_t i, char out[64]) {
    bool first = !i || a->pools[i] != a->pools[i - 1];
    if (!first)
        snprintf(out, 64, "%d", a->layers[i]);
    else if (a->pools[i] == PIAA_LT_TAIL)
        snprintf(out, 64, "tail %d", a->layers[i]);
    else
        piaa_run_source_label(a->pools[i], a->layers[i], "", out);
}

/* Each pool's first layer is labelled, and of the others as many as have room; `width` is about
   that of the plot. */
static void axis_tics(drawing *d, const axis *a, double width) {
    enum { LETTER = 7, GAP = 7 };
    double scale = width / (a->x[a->count - 1] + 1), free_from = -INFINITY;
    int step = 1; /* of the numbers that are shown */
    while (step * scale < 2 * LETTER + GAP) step++;
    script(d, "set xtics (");
    for (size_t i = 0, shown = 0; d->ok && i < a->count; i++) {
        char label[64], next[64];
        bool first = !i || a->pools[i] != a->pools[i - 1];
        size_t coming = i + 1;
        while (coming < a->count && a->pools[coming] == a->pools[i]) coming++;
        axis_label(a, i, label);
        double half = (double)strlen(label) * LETTER / 2, at = a->x[i] * scale, free_to = INFINITY;
        if (coming < a->count) {
            axis_label(a, coming, next);
            free_to = a->x[coming] * scale - (double)strlen(next) * LETTER / 2 - GAP;
        }
        if (!first && (a->layers[i] % step || at - half < free_from || at + half > free_to))
            continue;
        free_from = at + half + GAP;
        script(d, "%s", shown++ ? "," : "");
        quoted_tic(d, label);
        script(d, " %g", a->x[i]);
    }
    script(d, ")\nset xrange [%g:%g]\n", -0.5, a->x[a->count - 1] + 0.5);
}

/* gnuplot takes letters for wider than they are. */
static void left_margin(drawing *d, char *const *labels, size_t count) {
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        if (strlen(labels[i]) > most) most = strlen(labels[i]);
    script(d, "set lmargin %g\n", (most > 30 ? 30 : most < 13 ? 13 : (double)most) * 0.92 + 1.5);
}

static void axis_dividers(drawing *d, const axis *a) {
    for (size_t i = 1; i < a->count; i++)
        if (a->pools[i] != a->pools[i - 1])
            script(d,
                   "set arrow from first %g, graph 0 to first %g, graph 1 nohead lc rgb '#030303' "
                   "dt (2,4) back\n",
                   (a->x[i] + a->x[i - 1]) / 2, (a->x[i] + a->x[i - 1]) / 2);
}

static const char pools_in_words[] =
    "V is the vision encoder, LV the image's tokens and LT the text's tokens in the language "
    "model, LT tail the last of them";

/* -------------------------------------------------------------------------------------- probing */

static const char *target_label(const char *name) {
    return strcmp(name, "score") == 0 ? "overall score" : name;
}

/* The figures to show: of the test images, or of the training images where there are none. */
static const double *probe_figures(const piaa_run *run, const char **part) {
    bool tested = piaa_run_value(run, "counts.test") > 0;
    *part = tested ? "test" : "training";
    return run->figures[tested ? PIAA_TEST : PIAA_TRAIN][0];
}

static double mean_over_attributes(const double *row, size_t count) {
    double sum = 0;
    size_t n = 0;
    for (size_t t = 1; t < count; t++)
        if (isfinite(row[t])) sum += row[t], n++;
    return n ? sum / (double)n : NAN;
}

static bool probe_axis(const piaa_run *run, axis *a, piaa_error *error) {
    if (!axis_reserve(a, run->source_count, error)) return false;
    for (size_t s = 0; s < run->source_count; s++)
        if (run->sources[s].layer >= 0) axis_add(a, s, run->sources[s].pool, run->sources[s].layer);
    axis_finish(a);
    return true;
}

static void layers_csv(drawing *d, const axis *a, const double *rho) {
    const piaa_run *run = d->run;
    csv(d, "source");
    for (size_t t = 0; t < run->target_count; t++) {
        csv(d, ",");
        field(d, run->targets[t]);
    }
    csv(d, ",mean_of_attributes\n");
    for (size_t i = 0; i < a->count; i++) {
        const double *row = rho + a->order[i] * run->target_count;
        csv(d, "%s", run->sources[a->order[i]].name);
        for (size_t t = 0; t < run->target_count; t++) value(d, row[t]);
        value(d, mean_over_attributes(row, run->target_count));
        csv(d, "\n");
    }
}

static void layers(drawing *d, const axis *a) {
    const piaa_run *run = d->run;
    const char *part;
    const double *rho = probe_figures(run, &part);
    begin(d, "layers", 380 + 6 * (int)run->target_count, "Correlation by layer");
    layers_csv(d, a, rho);
    script(d, "$d << EOD\n");
    for (size_t i = 0; d->ok && i < a->count; i++) {
        const double *row = rho + a->order[i] * run->target_count;
        script(d, "%s%g", i && a->pools[i] != a->pools[i - 1] ? "\n" : "", a->x[i]);
        for (size_t t = 0; t < run->target_count; t++) datum(d, row[t]);
        datum(d, mean_over_attributes(row, run->target_count));
        script(d, "\n");
    }
    script(d,
           "EOD\nset border 3\nset grid ytics lt 1 lc rgb '#020202'\nset key below Left reverse "
           "samplen 1.6 spacing 1.05 font ',11'\n"
           "set ylabel 'Spearman correlation, %s images'\n",
           part);
    axis_tics(d, a, 400);
    axis_dividers(d, a);
    script(d, "plot ");
    static const int points[] = {5, 9, 11, 13, 4, 6, 8, 10, 12, 14};
    for (size_t t = 1; t < run->target_count; t++) {
        size_t k = t - 1;
        script(
            d,
            "$d using 1:%zu with linespoints lw 1.2 dt %s pt %d ps 0.35 lc rgb '#0a000%zu' title ",
            t + 2, k < COLOURS - 1 ? "solid" : "(6,3)", points[k % PIAA_COUNT(points)],
            2 + k % (COLOURS - 1));
        quoted(d, run->targets[t]);
        script(d, ", ");
    }
    script(d, "$d using 1:2 with linespoints lw 2.6 pt 7 ps 0.4 lc rgb '#0a0001' title ");
    quoted(d, target_label(run->targets[0]));
    if (run->target_count > 2)
        script(d,
               ", $d using 1:%zu with lines lw 3.2 lc rgb '#010101' title 'mean of the attributes'",
               run->target_count + 2);
    script(d, "\n");
    caption(d,
            "How well each attribute can be read off each layer by a linear regression: Spearman's "
            "correlation of prediction and label on the "
            "%s images. %s.",
            part, pools_in_words);
}

static const char sequential[] =
    "set palette defined (0 '#00204c',0.25 '#414d6b',0.5 '#7c7b78',0.75 '#bcaf6f',1 '#ffe945')\n";
static const char diverging[] =
    "set palette defined (-1 '#1f5fa8',-0.5 '#8fb8de',0 '#f4f4f2',0.5 '#f2b37e',1 '#b65708')\n";

static void heat(drawing *d, const axis *a) {
    const piaa_run *run = d->run;
    const char *part;
    const double *rho = probe_figures(run, &part);
    double low = 0, high = 0;
    begin(d, "heat", 120 + 20 * (int)run->target_count, "Attributes and layers");
    layers_csv(d, a, rho);
    script(d, "$m << EOD\n");
    for (size_t t = 0; d->ok && t < run->target_count; t++) {
        size_t column = 0;
        for (double x = 0; column < a->count; x++) {
            bool gap = a->x[column] > x;
            double cell = gap ? NAN : rho[a->order[column] * run->target_count + t];
            if (isfinite(cell)) low = fmin(low, cell), high = fmax(high, cell);
            datum(d, cell);
            column += !gap;
        }
        script(d, "\n");
    }
    low = floor(low * 10) / 10;
    high = ceil(high * 10 + 1e-9) / 10;
    script(d,
           "EOD\nunset key\nset border 0\nset tics scale 0\n%sset cbrange [%g:%g]\nset yrange "
           "[%g:-0.5]\nset ytics (",
           sequential, low, high, (double)run->target_count - 0.5);
    for (size_t t = 0; d->ok && t < run->target_count; t++) {
        script(d, "%s", t ? "," : "");
        quoted_tic(d, target_label(run->targets[t]));
        script(d, " %zu", t);
    }
    script(d, ")\n");
    left_margin(d, run->targets, run->target_count);
    axis_tics(d, a, 260);
    script(d, "set cblabel 'Spearman correlation'\nplot $m matrix with image pixels\n");
    caption(d, "The same figures as a map: light is well encoded, dark is not; an empty cell has "
               "no defined correlation.");
}

/* Range of both coordinates with a margin, of a single point too. */
static void square(drawing *d, const piaa_run_pair *pairs, size_t count) {
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(pairs[i].x) || !isfinite(pairs[i].y)) continue;
        low = fmin(low, fmin(pairs[i].x, pairs[i].y));
        high = fmax(high, fmax(pairs[i].x, pairs[i].y));
    }
    double margin = fmax((high - low) * 0.03, fmax(fabs(low), fabs(high)) * 1e-3);
    if (!(margin > 0)) margin = 1;
    script(d, "set xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\n", low - margin, high + margin,
           low - margin, high + margin);
}

/* Up to MANY_POINTS of them, evenly taken; gives how many of how many. */
static void points(drawing *d, const char *x_name, const char *y_name, const piaa_run_pair *pairs,
                   size_t count) {
    size_t step = count / MANY_POINTS + 1;
    csv(d, "%s,%s\n", x_name, y_name);
    script(d, "$d << EOD\n");
    for (size_t i = 0; d->ok && i < count; i++) {
        char x[32], y[32];
        piaa_report_digits(pairs[i].x, x);
        piaa_report_digits(pairs[i].y, y);
        csv(d, "%s,%s\n", x, y);
        if (i % step || !isfinite(pairs[i].x) || !isfinite(pairs[i].y)) continue;
        script(d, "%.6g %.6g\n", pairs[i].x, pairs[i].y);
        d->marks++;
    }
    script(d, "EOD\n");
}

static const char *thinned(size_t count, char out[64]) {
    out[0] = '\0';
    size_t step = count / MANY_POINTS + 1;
    if (step > 1) snprintf(out, 64, " One point in %zu is shown.", step);
    return out;
}

static void scatter(drawing *d) {
    const piaa_run *run = d->run;
    char some[64];
    begin(d, "scatter", 440, "Predicted and true");
    points(d, "true", "predicted", run->scatter, run->scatter_count);
    square(d, run->scatter, run->scatter_count);
    script(d,
           "unset key\nset border 3\nset size square\nset grid lt 1 lc rgb '#020202'\nset xlabel "
           "'%s'\nset ylabel '%s'\n"
           "plot x with lines lw 1 dt (4,4) lc rgb '#030303', $d using 1:2 with points pt 7 ps "
           "0.28 lc rgb '#0a0001'\n",
           run->eval ? "the person''s score" : "overall score",
           run->eval ? "predicted score" : "predicted overall score");
    caption(d,
            "Predicted against true score (%s); on the dashed line both are equal. %zu "
            "predictions.%s%s",
            run->scatter_of ? run->scatter_of : "no layer is the best", run->scatter_count,
            thinned(run->scatter_count, some),
            run->eval ? " Of all methods and layers, the one with the highest mean correlation."
                      : "");
}

/* Upper and lower half are the same; numbers in the cells where there is room. */
static void correlation(drawing *d, const char *name, const char *title, const double *matrix,
                        const char *of) {
    const piaa_run *run = d->run;
    size_t n = run->target_count;
    if (n < 3) return;
    begin(d, name, 400 + (n > 8 ? 40 : 0), title);
    csv(d, "attribute");
    for (size_t t = 0; t < n; t++) {
        csv(d, ",");
        field(d, run->targets[t]);
    }
    csv(d, "\n");
    script(d, "$m << EOD\n");
    for (size_t i = 0; d->ok && i < n; i++) {
        field(d, run->targets[i]);
        for (size_t j = 0; j < n; j++) {
            value(d, matrix[i * n + j]);
            datum(d, matrix[i * n + j]);
        }
        csv(d, "\n");
        script(d, "\n");
    }
    script(d, "EOD\n");
    for (int strong = 0; strong < 2; strong++) {
        script(d, "$l%d << EOD\n", strong);
        for (size_t i = 0; d->ok && i < n * n; i++) {
            double r = matrix[i];
            if (fabs(r) < 0.005) r = 0; /* not "-.00" */
            if (!isfinite(r) || (fabs(r) > 0.7) != strong || i / n == i % n) continue;
            char text[16];
            snprintf(text, sizeof text, "%.2f", r);
            char *zero = strchr(text, '0'); /* ".53" takes less room than "0.53" */
            if (zero && zero[1] == '.') memmove(zero, zero + 1, strlen(zero));
            script(d, "%zu %zu %s\n", i % n, i / n, text);
        }
        script(d, "EOD\n");
    }
    script(d,
           "unset key\nset border 0\nset tics scale 0\n%sset cbrange [-1:1]\nset xrange "
           "[-0.5:%g]\nset yrange [%g:-0.5]\nset ytics (",
           diverging, (double)n - 0.5, (double)n - 0.5);
    for (int which = 0; which < 2; which++) {
        for (size_t t = 0; d->ok && t < n; t++) {
            script(d, "%s", t ? "," : "");
            quoted_tic(d, target_label(run->targets[t]));
            script(d, " %zu", t);
        }
        script(d, which ? ") rotate by 55 right\n" : ")\nset xtics (");
    }
    left_margin(d, run->targets, n);
    script(d, "set cblabel 'correlation'\nplot $m matrix with image pixels");
    if (n <= MOST_LABELLED)
        script(d, ", $l0 using 1:2:3 with labels font ',9' tc rgb '#1b1f23', $l1 using 1:2:3 with "
                  "labels font ',9' tc rgb '#ffffff'");
    script(d, "\n");
    caption(d, "Pearson's correlation of the attributes with each other: %s.", of);
}

/* How far an attribute's predictions move, at its best layer; NaN where none is the best. */
static double shift_of(const piaa_run *run, size_t change, size_t target) {
    if (run->best[target] < 0) return NAN;
    return run->changes[change].size[(size_t)run->best[target] * run->target_count + target];
}

/* How far predictions move when the photos are changed, at each attribute's best layer. */
static void changes(drawing *d) {
    static const struct {
        const char *kind, *words;
    } kinds[] = {{"gray", "grey"}, {"tps", "warped"}};
    const piaa_run *run = d->run;
    if (!run->change_count) return;
    begin(d, "changes", 110 + (int)(run->target_count * (12 * run->change_count + 8)),
          "Changed photos");
    csv(d, "attribute");
    for (size_t c = 0; c < run->change_count; c++) csv(d, ",%s", run->changes[c].kind);
    csv(d, "\n");
    for (size_t t = 0; d->ok && t < run->target_count; t++) {
        field(d, run->targets[t]);
        for (size_t c = 0; c < run->change_count; c++) value(d, shift_of(run, c, t));
        csv(d, "\n");
    }
    double most = 0;
    for (size_t c = 0; d->ok && c < run->change_count; c++) {
        script(d, "$c%zu << EOD\n", c);
        for (size_t t = 0; t < run->target_count; t++) {
            double thick = 0.7 / (double)run->change_count,
                   top = (double)t - 0.35 + thick * (double)c;
            double size = shift_of(run, c, t);
            if (!isfinite(size)) continue;
            script(d, "%.6g %g 0 %.6g %g %g\n", size, top + thick / 2, size, top + thick * 0.04,
                   top + thick * 0.96);
            d->marks++;
            most = fmax(most, size);
        }
        script(d, "EOD\n");
    }
    script(d,
           "set border 2\nset xrange [0:%s]\nset yrange [%g:-0.6]\nset style fill solid 1 "
           "noborder\nset grid xtics lt 1 lc rgb '#020202'\n"
           "set key above samplen 1.2\nset xlabel 'shift, in standard deviations of the "
           "labels'\nset ytics scale 0 (",
           most > 0 ? "*" : "1", (double)run->target_count - 0.4);
    for (size_t t = 0; d->ok && t < run->target_count; t++) {
        script(d, "%s", t ? "," : "");
        quoted_tic(d, target_label(run->targets[t]));
        script(d, " %zu", t);
    }
    script(d, ")\nplot ");
    for (size_t c = 0; d->ok && c < run->change_count; c++) {
        const char *words = run->changes[c].kind;
        for (size_t k = 0; k < PIAA_COUNT(kinds); k++)
            if (strcmp(kinds[k].kind, run->changes[c].kind) == 0) words = kinds[k].words;
        script(d, "%s$c%zu using 1:2:3:4:5:6 with boxxyerror lc rgb '#0a000%zu' title ",
               c ? ", " : "", c, 1 + c % COLOURS);
        quoted(d, words);
    }
    script(d, "\n");
    caption(d, "How far the predictions of the test images move when the photos are turned grey or "
               "warped, at each attribute's best layer: root "
               "mean square of the difference.");
}

static void probe_plots(drawing *d) {
    axis all;
    d->ok = probe_axis(d->run, &all, d->error);
    if (d->ok && all.count > 1) {
        layers(d, &all);
        heat(d, &all);
    }
    axis_free(&all);
    scatter(d);
    correlation(d, "labels", "Correlation of the labels", d->run->label_correlation,
                "the labels of the test images");
    correlation(d, "predictions", "Correlation of the predictions", d->run->prediction_correlation,
                "as the best layer of each predicts them. What predictions share beyond the "
                "labels, the features mix");
    changes(d);
}

/* ----------------------------------------------------------------------------------------- eval */

static void outcome_label(const piaa_run_outcome *outcome, char out[160]) {
    char source[64];
    piaa_run_source_label(outcome->pool, outcome->layer, outcome->source, source);
    snprintf(out, 160, "%s%s%s", outcome->method, *source ? ", " : "", source);
}

static bool has_two_supports(const piaa_run *run) {
    for (size_t i = 1; i < run->outcome_count; i++)
        if (strcmp(run->outcomes[i].support, run->outcomes[0].support) != 0) return true;
    return false;
}

static void methods(drawing *d) {
    const piaa_run *run = d->run;
    if (run->outcome_count > MOST_ROWS || run->outcome_count < 2) return;
    bool both = has_two_supports(run);
    size_t without = 0; /* an interval */
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < run->outcome_count; i++) {
        const piaa_run_mean *mean = &run->outcomes[i].spearman;
        low = fmin(low, fmin(mean->mean, mean->low)); /* fmin and fmax pass over NaN */
        high = fmax(high, fmax(mean->mean, mean->high));
    }
    begin(d, "methods", 90 + 24 * (int)run->outcome_count, "Methods");
    csv(d, "method,source,support_set,spearman,low,high\n");
    script(d, "$d << EOD\n");
    for (size_t i = 0; d->ok && i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        field(d, o->method);
        csv(d, ",%s,%s", o->source, o->support);
        value(d, o->spearman.mean);
        value(d, o->spearman.low);
        value(d, o->spearman.high);
        csv(d, "\n");
        if (!isfinite(o->spearman.mean)) continue;
        bool bar = isfinite(o->spearman.low) && isfinite(o->spearman.high);
        script(d, "%.6g %zu %.6g %.6g\n", o->spearman.mean, i,
               bar ? o->spearman.low : o->spearman.mean, bar ? o->spearman.high : o->spearman.mean);
        d->marks++;
        without += !bar;
    }
    script(
        d,
        "EOD\nunset key\nset border 1\nset grid xtics lt 1 lc rgb '#020202'\nset yrange "
        "[%g:-0.6]\nset xtics %g\n"
        "set xlabel 'mean Spearman correlation over people'\nset lmargin 22\nset ytics scale 0 (",
        (double)run->outcome_count - 0.4,
        high - low < 0.25  ? 0.05
        : high - low < 0.6 ? 0.1
                           : 0.2);
    for (size_t i = 0; d->ok && i < run->outcome_count; i++) {
        char label[160];
        outcome_label(&run->outcomes[i], label);
        if (both)
            snprintf(label + strlen(label), sizeof label - strlen(label), ", %s",
                     piaa_run_ratings(run, &run->outcomes[i]).text);
        script(d, "%s", i ? "," : "");
        quoted_tic(d, label);
        script(d, " %zu", i);
    }
    script(d, ")\nplot $d using 1:2:3:4 with xerrorbars pt 7 ps 0.55 lw 1.6 lc rgb '#0a0001'\n");
    caption(d,
            "Mean over people of Spearman's correlation between a person's scores and the "
            "predictions, with 95 %% intervals%s%s. An undefined correlation counts as 0.",
            without ? " (undefined where a dot has no bar)" : "",
            both ? "; the number is that of the ratings learned from" : "");
}

/* One curve for each method and support that was asked of several layers. */
static void personal_layers(drawing *d) {
    const piaa_run *run = d->run;
    size_t curves = 0, *first = piaa_alloc(run->outcome_count, sizeof *first, d->error);
    if (!(d->ok = first != NULL)) return;
    axis all;
    if (!(d->ok = axis_reserve(&all, run->outcome_count, d->error))) {
        free(first);
        axis_free(&all);
        return;
    }
    for (size_t i = 0; i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        size_t c = 0;
        if (!*o->source) continue; /* it has no layers */
        while (c < curves && (strcmp(run->outcomes[first[c]].method, o->method) != 0 ||
                              strcmp(run->outcomes[first[c]].support, o->support) != 0))
            c++;
        if (c == curves) first[curves++] = i;
        if (c == 0 && o->layer >= 0) axis_add(&all, i, o->pool, o->layer);
    }
    axis_finish(&all);
    if (all.count >= 3 && curves <= COLOURS) {
        begin(d, "layers", 400, "People's correlation by layer");
        csv(d, "method,support_set,source,spearman,low,high\n");
        for (size_t c = 0; d->ok && c < curves; c++) {
            script(d, "$c%zu << EOD\n", c);
            size_t before = SIZE_MAX; /* the point drawn last */
            for (size_t i = 0; i < all.count; i++)
                for (size_t k = 0; d->ok && k < run->outcome_count; k++) {
                    const piaa_run_outcome *o = &run->outcomes[k], *head = &run->outcomes[first[c]];
                    if (o->pool != all.pools[i] || o->layer != all.layers[i] ||
                        strcmp(o->method, head->method) != 0 ||
                        strcmp(o->support, head->support) != 0 || o->undefined >= o->users)
                        continue;
                    script(d, "%s%g",
                           before != SIZE_MAX && all.pools[i] != all.pools[before] ? "\n" : "",
                           all.x[i]);
                    before = i;
                    datum(d, o->spearman.mean);
                    datum(d, o->spearman.low);
                    datum(d, o->spearman.high);
                    script(d, "\n");
                    csv(d, "%s,%s,%s", o->method, o->support, o->source);
                    value(d, o->spearman.mean);
                    value(d, o->spearman.low);
                    value(d, o->spearman.high);
                    csv(d, "\n");
                }
            script(d, "EOD\n");
        }
        axis_tics(d, &all, 400);
        axis_dividers(d, &all);
        script(d, "set border 3\nset grid ytics lt 1 lc rgb '#020202'\nset key below samplen "
                  "1.6\nset style fill transparent solid 0.18 "
                  "noborder\n"
                  "set ylabel 'mean Spearman correlation'\nplot ");
        bool both = has_two_supports(run);
        for (size_t c = 0; d->ok && c < curves; c++) {
            char label[96];
            int used = snprintf(label, sizeof label, "%s", run->outcomes[first[c]].method);
            if (both)
                snprintf(label + used, sizeof label - (size_t)used, ", %s ratings",
                         piaa_run_ratings(run, &run->outcomes[first[c]]).text);
            script(d,
                   "%s$c%zu using 1:3:4 with filledcurves lc rgb '#0a000%zu' notitle, $c%zu using "
                   "1:2 with linespoints lw 2 pt 7 ps 0.4 lc "
                   "rgb "
                   "'#0a000%zu' title ",
                   c ? ", " : "", c, c + 1, c, c + 1);
            quoted(d, label);
        }
        script(d, "\n");
        caption(d,
                "Mean over people of Spearman's correlation, layer by layer; the band is the 95 %% "
                "interval. Layers at which "
                "nobody's correlation is defined are left out. %s.",
                pools_in_words);
    }
    free(first);
    axis_free(&all);
}

static bool same_curve(const piaa_run_outcome *a, const piaa_run_outcome *b) {
    return a->choose && b->choose && strcmp(a->method, b->method) == 0 &&
           strcmp(a->source, b->source) == 0;
}

/* The learning curves of one method and source, a line for each strategy: outcome `head` is the
   first of them. */
static void learning(drawing *d, size_t head, size_t index) {
    const piaa_run *run = d->run;
    const piaa_run_outcome *of = &run->outcomes[head];
    char name[48], label[160];
    snprintf(name, sizeof name, "learning-%zu", index);
    outcome_label(of, label);
    begin(d, name, 380, "Learning curve");
    csv(d, "choose,ratings,spearman,low,high\n");
    const char *lines[COLOURS];
    size_t count = 0;
    for (size_t i = head; d->ok && i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        if (!same_curve(o, of)) continue;
        const bool fresh = !count || strcmp(lines[count - 1], o->choose) != 0;
        if (fresh && count == COLOURS) break;
        if (fresh) {
            script(d, "%s$c%zu << EOD\n", count ? "EOD\n" : "", count);
            lines[count++] = o->choose;
        }
        csv(d, "%s,%.0f", o->choose, o->ratings);
        value(d, o->spearman.mean);
        value(d, o->spearman.low);
        value(d, o->spearman.high);
        csv(d, "\n");
        script(d, "%.0f", o->ratings);
        datum(d, o->spearman.mean);
        datum(d, o->spearman.low);
        datum(d, o->spearman.high);
        script(d, "\n");
    }
    script(d, "EOD\nset border 3\nset grid ytics lt 1 lc rgb '#020202'\nset logscale x\nset key "
              "below samplen 1.6\nset style fill transparent solid 0.12 noborder\nset xlabel "
              "'ratings learned from'\nset ylabel 'mean Spearman correlation'\nset xtics (");
    for (size_t i = head, shown = 0; i < run->outcome_count; i++)
        if (same_curve(&run->outcomes[i], of) && strcmp(run->outcomes[i].choose, of->choose) == 0)
            script(d, "%s'%.0f' %.0f", shown++ ? "," : "", run->outcomes[i].ratings,
                   run->outcomes[i].ratings);
    script(d, ")\nplot ");
    for (size_t c = 0; d->ok && c < count; c++) {
        script(d,
               "%s$c%zu using 1:3:4 with filledcurves lc rgb '#0a000%zu' notitle, $c%zu using 1:2 "
               "with linespoints lw 2 pt 7 ps 0.5 lc rgb '#0a000%zu' title ",
               c ? ", " : "", c, c + 1, c, c + 1);
        quoted(d, lines[c]);
    }
    script(d, "\n");
    caption(d,
            "%s learned from a person's first ratings, where each strategy chooses which photos "
            "are rated next: mean over people of Spearman's correlation on their test images, with "
            "95 %% intervals.",
            label);
}

static void learning_curves(drawing *d) {
    const piaa_run *run = d->run;
    for (size_t i = 0, shown = 0; d->ok && i < run->outcome_count && shown < MOST_IMPROVEMENTS;
         i++) {
        size_t first = 0;
        while (first < i && !same_curve(&run->outcomes[first], &run->outcomes[i])) first++;
        if (first == i && run->outcomes[i].choose) learning(d, i, ++shown);
    }
}

/* The outcome that `o` was compared with. */
static const piaa_run_outcome *find_baseline(const piaa_run *run, const piaa_run_outcome *o) {
    const char *given = piaa_run_text(run, "config.baseline", ""), *at = strchr(given, '@');
    size_t n = at ? (size_t)(at - given) : strlen(given);
    for (size_t i = 0; i < run->outcome_count; i++) {
        const piaa_run_outcome *other = &run->outcomes[i];
        if (strncmp(other->method, given, n) == 0 && !other->method[n] &&
            (strcmp(other->source, at ? at + 1 : o->source) == 0 || (!at && !*other->source)) &&
            strcmp(other->support, o->support) == 0)
            return other;
    }
    return NULL;
}

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct gain {
    double value;
    const char *id;
} gain;

static int compare_gains(const void *a, const void *b) {
    return compare_numbers(&((const gain *)b)->value, &((const gain *)a)->value);
}

static double or_zero(double number) {
    return isnan(number) ? 0 : number;
}

static void improvement(drawing *d, const piaa_run_outcome *o, const piaa_run_outcome *base,
                        size_t index) {
    const piaa_run *run = d->run;
    gain *gains = piaa_alloc(o->people_count, sizeof *gains, d->error);
    if (!(d->ok = gains != NULL)) return;
    size_t count = 0, better = 0, worse = 0, from = 0;
    for (size_t i = 0; i < o->people_count; i++) {
        const piaa_run_person *person = &run->people[o->people[i]];
        for (size_t k = 0; k < base->people_count; k++) {
            const piaa_run_person *other =
                &run->people[base->people[(from + k) % base->people_count]];
            if (strcmp(person->id, other->id) != 0) continue;
            gains[count++] =
                (gain){or_zero(person->spearman) - or_zero(other->spearman), person->id};
            from += k + 1;
            break;
        }
    }
    qsort(gains, count, sizeof *gains, compare_gains);
    char name[48], label[160], against[160];
    snprintf(name, sizeof name, "improvement-%zu", index);
    outcome_label(o, label);
    outcome_label(base, against);
    begin(d, name, 320, "Improvement per person");
    csv(d, "user_id,difference\n");
    script(d, "$d << EOD\n");
    for (size_t i = 0; d->ok && i < count; i++) {
        field(d, gains[i].id);
        value(d, gains[i].value);
        csv(d, "\n");
        script(d, "%zu %.6g\n", i + 1, gains[i].value);
        d->marks++;
        better += gains[i].value > 0;
        worse += gains[i].value < 0;
    }
    script(d,
           "EOD\nunset key\nset border 2\nset style fill solid 1 noborder\nset boxwidth 0.8\nset "
           "xzeroaxis lt 1 lc rgb '#010101'\n"
           "set grid ytics lt 1 lc rgb '#020202'\nset xtics scale 0\nset xrange [0.3:%g]\nset "
           "xlabel 'people, from most to least "
           "improvement'\n"
           "set ylabel 'difference of Spearman''s correlation'\n"
           "plot $d using 1:($2 >= 0 ? $2 : NaN) with boxes lc rgb '#0a0001' title 'better', "
           "$d using 1:($2 < 0 ? $2 : NaN) with boxes lc rgb '#0a0002' title 'worse'\n",
           (double)count + 0.7);
    caption(d,
            "Each person's correlation with %s minus that with %s (%s ratings learned from): "
            "better for %zu of %zu people, worse for %zu.",
            label, against, piaa_run_ratings(run, o).text, better, count, worse);
    free(gains);
}

static void improvements(drawing *d) {
    const piaa_run *run = d->run;
    size_t compared = 0;
    for (size_t i = 0; i < run->outcome_count; i++) compared += run->outcomes[i].compared;
    for (size_t i = 0, shown = 0; d->ok && i < run->outcome_count && shown < MOST_IMPROVEMENTS;
         i++) {
        const piaa_run_outcome *o = &run->outcomes[i],
                               *base = o->compared ? find_baseline(run, o) : NULL;
        if (!base || (compared > MOST_IMPROVEMENTS && i != run->main)) continue;
        improvement(d, o, base, ++shown);
    }
}

static double quantile(const double *sorted, size_t n, double share) {
    double at = share * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

typedef struct spread {
    double mean, parts[5]; /* 10, 25, 50, 75, 90 % */
} spread;

static int compare_spreads(const void *a, const void *b) {
    return compare_numbers(&((const spread *)a)->mean, &((const spread *)b)->mean);
}

static void distributions(drawing *d) {
    static const double shares[] = {0.1, 0.25, 0.5, 0.75, 0.9};
    const piaa_run *run = d->run;
    if (run->scorers < 2) return;
    spread *people = piaa_alloc(run->scorers, sizeof *people, d->error);
    double *scores = piaa_alloc(run->score_count, sizeof *scores, d->error);
    d->ok = people && scores;
    size_t count = 0;
    for (size_t i = 0, end; d->ok && i < run->score_count; i = end) {
        size_t n = 0;
        double sum = 0;
        for (end = i; end < run->score_count && run->scores[end].group == run->scores[i].group;
             end++)
            if (isfinite(run->scores[end].x)) sum += scores[n++] = run->scores[end].x;
        if (!n) continue;
        qsort(scores, n, sizeof *scores, compare_numbers);
        people[count].mean = sum / (double)n;
        for (size_t k = 0; k < PIAA_COUNT(shares); k++)
            people[count].parts[k] = quantile(scores, n, shares[k]);
        count++;
    }
    if (d->ok) qsort(people, count, sizeof *people, compare_spreads);
    begin(d, "distributions", 340, "People's scores");
    csv(d, "person,mean,percentile_10,percentile_25,median,percentile_75,percentile_90\n");
    script(d, "$d << EOD\n");
    for (size_t i = 0; d->ok && i < count; i++) {
        const spread *p = &people[i];
        csv(d, "%zu", i + 1);
        value(d, p->mean);
        script(d, "%zu %.6g", i + 1, p->mean);
        for (size_t k = 0; k < PIAA_COUNT(shares); k++) {
            value(d, p->parts[k]);
            datum(d, p->parts[k]);
        }
        csv(d, "\n");
        script(d, "\n");
    }
    double bar = count > 100 ? 2 : count > 50 ? 4 : 6;
    script(d,
           "EOD\nunset key\nset border 2\nset grid ytics lt 1 lc rgb '#020202'\nset xtics scale "
           "0\nset xrange [0:%zu]\n"
           "set xlabel 'people, from lowest to highest mean'\nset ylabel 'score'\n"
           "plot $d using 1:3:(0):($7-$3) with vectors nohead lw 1 lc rgb '#030303', $d using "
           "1:4:(0):($6-$4) with vectors nohead lw %g lc "
           "rgb "
           "'#0a0006', $d using 1:2 with points pt 7 ps %g lc rgb '#010101'\n",
           count + 1, bar, count > 100 ? 0.25 : 0.35);
    caption(d,
            "How each person uses the scale, over the ratings learned from and tested on: dot, the "
            "mean; bar, the middle half; line, the "
            "middle 80 %%. %zu people.",
            count);
    free(people);
    free(scores);
}

static void variance(drawing *d) {
    const piaa_run *run = d->run;
    if (run->image_count < 3) return;
    char some[64];
    begin(d, "variance", 360, "General score and personal variance");
    points(d, "mean_score", "variance", run->images, run->image_count);
    script(d, "unset key\nset border 3\nset grid lt 1 lc rgb '#020202'\nset yrange [0:*]\nset "
              "xlabel 'mean score of the image'\n"
              "set ylabel 'variance of its scores over people'\nplot $d using 1:2 with points pt 7 "
              "ps 0.35 lc rgb '#0a0003'\n");
    caption(
        d,
        "Where people disagree: each dot is an image, all ratings of the data set. %zu images.%s",
        run->image_count, thinned(run->image_count, some));
}

/* One stage of PIAA-ICI's training: a curve for each seed, and where something was validated one
   for that, with a dot at the epoch that was kept. */
static void training(drawing *d, const char *stage, const char *title, const char *words) {
    const piaa_run *run = d->run;
    size_t seeds = 0;
    bool validated = false;
    for (size_t i = 0; i < run->curve_count; i++)
        seeds += run->curves[i].epochs && strcmp(run->curves[i].stage, stage) == 0;
    if (!seeds) return;
    char name[48];
    snprintf(name, sizeof name, "ici-%.20s", stage);
    begin(d, name, 300, title);
    csv(d, "seed,epoch,train,validation,kept\n");
    for (size_t i = 0, s = 0; d->ok && i < run->curve_count; i++) {
        const piaa_run_curve *c = &run->curves[i];
        if (!c->epochs || strcmp(c->stage, stage) != 0) continue;
        script(d, "$s%zu << EOD\n", s++);
        for (size_t e = 0; d->ok && e < c->epochs; e++) {
            const bool kept = (double)(e + 1) == c->kept;
            validated = validated || isfinite(c->validation[e]);
            csv(d, "%.0f,%zu", c->seed, e + 1);
            value(d, c->train[e]);
            value(d, c->validation[e]);
            csv(d, ",%d\n", kept);
            script(d, "%zu", e + 1);
            datum(d, c->train[e]);
            datum(d, c->validation[e]);
            datum(d, !kept ? NAN : isfinite(c->validation[e]) ? c->validation[e] : c->train[e]);
            script(d, "\n");
        }
        script(d, "EOD\n");
    }
    script(d, "unset key\nset border 3\nset grid ytics lt 1 lc rgb '#020202'\nset logscale y\nset "
              "xlabel 'epoch'\nset ylabel 'loss'\nplot ");
    for (size_t s = 0; d->ok && s < seeds; s++) {
        const size_t colour = s % COLOURS + 1;
        script(d, "%s$s%zu using 1:2 with lines lw 1.2 lc rgb '#0a000%zu'", s ? ", " : "", s,
               colour);
        if (validated)
            script(d, ", $s%zu using 1:3 with lines lw 1.2 dt (6,3) lc rgb '#0a000%zu'", s, colour);
        script(d, ", $s%zu using 1:4 with points pt 7 ps 0.6 lc rgb '#0a000%zu'", s, colour);
    }
    script(d, "\n");
    caption(d, "%s One colour for each of %zu seed%s%s; the dot is the epoch that was kept.", words,
            seeds, seeds == 1 ? "" : "s",
            validated ? ": unbroken, the photos learned from; dashed, those held back" : "");
}

static void trainings(drawing *d) {
    training(d, "phase1", "PIAA-ICI: the generic part",
             "Loss of attributes and score distributions, epoch by epoch.");
    training(d, "full", "PIAA-ICI: the prior with traits",
             "Mean squared error of other people's ratings, epoch by epoch.");
    training(d, "reduced", "PIAA-ICI: the prior without traits",
             "Mean squared error of other people's ratings, epoch by epoch.");
}

static void eval_plots(drawing *d) {
    methods(d);
    if (d->ok) learning_curves(d);
    if (d->ok) personal_layers(d);
    if (d->ok) scatter(d);
    if (d->ok) improvements(d);
    if (d->ok) distributions(d);
    if (d->ok) variance(d);
    if (d->ok) trainings(d);
}

bool piaa_plots_make(piaa_plots *plots, const piaa_run *run, size_t number, piaa_error *error) {
    drawing d = {.plots = plots, .run = run, .number = number, .error = error, .ok = true};
    if (run->eval)
        eval_plots(&d);
    else
        probe_plots(&d);
    return d.ok;
}
