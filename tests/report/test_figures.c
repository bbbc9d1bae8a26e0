/*
 * What a report shows, compared with what it was made from: the data of every figure, line by line;
 * the marks of every picture, their number and where they stand; every cell of every table.  The
 * figures of the two runs are made up so that means, medians and differences can be worked out in
 * the head.  Then runs in which figures are undefined, in every way: the rest of the page stands.
 */
#include "report/xml_check.h"

#include "report/gnuplot.h"
#include "report/page.h"

static char *world;

static int begin(void **state) {
    (void)state;
    world = support_folder();
    return 0;
}

static int end(void **state) {
    (void)state;
    support_remove(world);
    return 0;
}

/* ------------------------------------------------------------------------------------ the probe */

/* Sources as they stand in the file, which is not the order in which they are shown. */
static const char *const sources[] = {"v.1", "lt.2", "lt.0", "lt_tail.1"};
static const char *const targets[] = {"score", "light", "colour"};
static const double test_rho[4][3] = {
    {0.2, NAN, 0.4}, {0.5, 0.3, 0.1}, {0.1, 0.25, -0.15}, {0.35, 0.45, 0.55}};
/* the best of score is lt.2 (of its pool lt.2), of light lt.0, of colour v.1 */
static const double validation_rho[4][3] = {
    {0.3, NAN, 0.8}, {0.9, 0.2, 0.1}, {0.1, 0.7, 0.2}, {0.4, 0.1, 0.6}};
static const int best[] = {1, 2, 0};

static void number(piaa_text *json, const char *before, double value) {
    if (isnan(value))
        piaa_text_format(json, NULL, "%snull", before);
    else
        piaa_text_format(json, NULL, "%s%.15g", before, value);
}

static void probe_cell(piaa_text *json, int s, int t) {
    piaa_text_format(json, NULL, "{\"name\":\"%s\"", sources[s]);
    number(json, ",\"train\":{\"rho\":", 0.99);
    number(json, ",\"r2\":", 0.98);
    number(json, "},\"val\":{\"rho\":", validation_rho[s][t]);
    number(json, "},\"test\":{\"rho\":", test_rho[s][t]);
    number(json, ",\"r2\":", s + t / 10.0 - 1);
    number(json, ",\"rmse\":", 1 + s + t / 10.0);
    piaa_text_format(json, NULL, "}}");
}

static const char correlations[] = "{\"labels\":[[1,0.9,-0.25],[0.9,1,null],[-0.25,null,1]],"
                                   "\"predictions\":[[1,0.5,-0.001],[0.5,1,-0.75],"
                                   "[-0.001,-0.75,1]]}";

/* Sizes of the shift: grey 1 at score's best layer, 2 at light's, undefined at colour's; warped
   half of that, and 3. */
static void probe_changes(piaa_text *json) {
    static const double sizes[2][3] = {{1, 2, NAN}, {0.5, 1, 3}};
    for (int c = 0; c < 2; c++) {
        piaa_text_format(json, NULL, "%s\"%s\":{", c ? "," : "", c ? "tps" : "gray");
        for (int t = 0; t < 3; t++) {
            piaa_text_format(json, NULL, "%s\"%s\":[", t ? "," : "", targets[t]);
            for (int s = 0; s < 4; s++) {
                piaa_text_format(json, NULL, "%s{\"name\":\"%s\"", s ? "," : "", sources[s]);
                number(json, ",\"mean\":0,\"size\":", s == best[t] ? sizes[c][t] : 77);
                piaa_text_format(json, NULL, "}");
            }
            piaa_text_format(json, NULL, "]");
        }
        piaa_text_format(json, NULL, "}");
    }
}

static const char probe_predictions[] = "split,image_path,target,source,label,prediction\n"
                                        "train,a.jpg,score,lt.2,9,9\n"
                                        "test,b.jpg,score,lt.2,1,2\n"
                                        "test,b.jpg,light,lt.0,8,8\n"
                                        "test,c.jpg,score,lt.2,2,4\n"
                                        "test,d.jpg,score,lt.2,,5\n"
                                        "test,e.jpg,score,lt.2,5,3\n";

static char *make_folder(const char *name) {
    char *folder = support_join(world, name);
    assert_int_equal(mkdir(folder, 0700), 0);
    return folder;
}

static void put(const char *folder, const char *name, const char *text) {
    support_write(folder, name, text, strlen(text));
}

static char *make_probe(void) {
    char *folder = make_folder("probe");
    piaa_text json = {0};
    piaa_text_format(&json, NULL,
                     "{\"format\":\"piaa-probe\",\"version\":1,\"config\":{\"dataset\":\"aadb\"},"
                     "\"counts\":{\"train\":10,\"val\":5,\"test\":4},\"attrs\":{");
    for (int t = 0; t < 3; t++) {
        piaa_text_format(&json, NULL, "%s\"%s\":{\"per_layer\":[", t ? "," : "", targets[t]);
        for (int s = 0; s < 4; s++) {
            if (s) piaa_text_format(&json, NULL, ",");
            probe_cell(&json, s, t);
        }
        piaa_text_format(&json, NULL, "],\"best\":");
        probe_cell(&json, best[t], t);
        piaa_text_format(&json, NULL, "}");
    }
    piaa_text_format(&json, NULL, "},\"correlation\":%s,\"changes\":{", correlations);
    probe_changes(&json);
    piaa_text_format(&json, NULL, "}}");
    put(folder, "probe.json", json.data);
    put(folder, "predictions.csv", probe_predictions);
    free(json.data);
    return folder;
}

/* ------------------------------------------------------------------------------- the evaluation */

enum { METHODS = 2, SUPPORTS = 2, LAYERS = 3, OUTCOMES = METHODS * SUPPORTS * LAYERS };

static const char *const methods[] = {"linear-hidden", "giaa-target"};
static const char *const supports[] = {"small", "large"};
static const char *const features[] = {"lt.0", "v.1", "lt.2"};

/* Of outcome k, counted as they stand in the file: method, support, layer. */
static double mean_of(int k) {
    return (k + 1) / 20.0;
}

/* People's correlations; e has none of one method, and is therefore not in the comparison. */
static const struct {
    const char *id, *spearman[METHODS];
} people[] = {{"a", {"0.5", "0.125"}},
              {"b", {"0.25", "0.375"}},
              {"c", {"", "0.25"}},
              {"d,d", {"0.5", "0.5"}}};

static char *make_eval(void) {
    char *folder = make_folder("eval");
    piaa_text json = {0}, users = {0}, predictions = {0};
    piaa_text_format(&json, NULL,
                     "{\"format\":\"piaa-eval\",\"version\":1,\"config\":{\"dataset\":\"para\","
                     "\"small\":10,\"large\":100,\"test\":50,\"seed\":42,"
                     "\"baseline\":\"giaa-target\",\"intervals\":\"Student's and Hall's\","
                     "\"p_values\":\"sign-flip\"},"
                     "\"counts\":{\"users\":4,\"below\":1,\"not_drawn\":2,\"tied\":3},"
                     "\"outcomes\":[");
    piaa_text_format(&users, NULL, "method,source,support_set,user_id,spearman,r2,rmse\n");
    piaa_text_format(&predictions, NULL, "method,support_set,user_score,piaa_pred\n");
    for (int k = 0; k < OUTCOMES; k++) {
        int m = k / (SUPPORTS * LAYERS), s = k / LAYERS % SUPPORTS, layer = k % LAYERS;
        piaa_text_format(&json, NULL,
                         "%s{\"method\":\"%s\",\"source\":\"%s\",\"support_set\":\"%s\","
                         "\"published\":\"p%d\",\"users\":4,\"spearman\":{\"undefined\":%d",
                         k ? "," : "", methods[m], features[layer], supports[s], k, k % 3);
        number(&json, ",\"mean\":", mean_of(k));
        number(&json, ",\"low\":", k == 4 ? NAN : mean_of(k) - 0.1);
        number(&json, ",\"high\":", mean_of(k) + 0.2);
        number(&json, "},\"r2\":{\"mean\":", k == 5 ? NAN : -mean_of(k));
        number(&json, ",\"low\":", -1);
        number(&json, ",\"high\":", 0);
        number(&json, "},\"rmse\":{\"mean\":", 2 + mean_of(k));
        number(&json, ",\"low\":", 1);
        number(&json, ",\"high\":", 3);
        piaa_text_format(&json, NULL, "}");
        if (m == 0) {
            piaa_text_format(&json, NULL, ",\"comparison\":{\"users\":4,\"better\":1");
            number(&json, ",\"difference\":{\"mean\":", -0.3);
            number(&json, ",\"low\":", -0.4);
            number(&json, ",\"high\":", 0.1);
            number(&json, "},\"p\":", k ? 0.125 : 0.0004);
            number(&json, ",\"p_holm\":", k ? 0.75 : 0.0024);
            piaa_text_format(&json, NULL, "}");
        }
        piaa_text_format(&json, NULL, "}");
        for (size_t u = 0; u < PIAA_COUNT(people); u++) {
            /* the baseline's people stand in another order */
            size_t p = m ? (u + 3) % PIAA_COUNT(people) : u;
            piaa_text_format(&users, NULL, "%s,%s,%s,%s%s%s,%s,0,0\n", methods[m], features[layer],
                             supports[s], strchr(people[p].id, ',') ? "\"" : "", people[p].id,
                             strchr(people[p].id, ',') ? "\"" : "", people[p].spearman[m]);
        }
        /* of the outcome with the highest mean, which is the last: 1, 2, 3 for 1, 2, 4 */
        piaa_text_format(&predictions, NULL, "p%d,%s,1,%d\np%d,%s,2,%d\np%d,%s,4,%d\n", k,
                         supports[s], k - 10, k, supports[s], k - 9, k, supports[s], k - 8);
    }
    piaa_text_format(&json, NULL, "]}");
    put(folder, "eval.json", json.data);
    put(folder, "users.csv", users.data);
    put(folder, "predictions.csv", predictions.data);
    put(folder, "scores.csv",
        "user_id,score\na,5\na,4\na,3\na,2\na,1\nb,1\nb,1\nb,4\nc,\nd,2\nd,3\nd,\n");
    put(folder, "images.csv", "mean,variance\n2,0.5\n3,1.5\n4,\n5,1\n");
    free(json.data);
    free(users.data);
    free(predictions.data);
    return folder;
}

/* ------------------------------------------------------------------------------------- pictures */

typedef struct mark {
    double left, right, top, bottom; /* of a point: left = right, top = bottom */
    int warmth; /* of an area's colour: red minus blue, which both palettes let grow */
} mark;

enum { MOST_MARKS = 64 };

static int hex(const char *two) {
    return (int)strtol((char[]){two[0], two[1], 0}, NULL, 16);
}

/* Okabe and Ito's colours as on paper. */
static const char *const palette[] = {"#0072b2", "#d55e00", "#00835f", "#b8578f",
                                      "#b07a00", "#3a93c9", "#7d7600", "#6b6f75"};

/* Where the picture's part begins and ends. */
static const char *part_of(const char *svg, int part, const char **stop) {
    char *name = piaa_format(NULL, "gnuplot_plot_%d\" ", part);
    const char *at = strstr(svg, name);
    free(name);
    if (!at) fail_msg("the picture has no part %d", part);
    *stop = at;
    for (int open = 1; open;) { /* groups */
        *stop += strcspn(*stop, "<") + 1;
        open += (strncmp(*stop, "g ", 2) == 0) - (strncmp(*stop, "/g>", 3) == 0);
    }
    return at;
}

/* Straight lines in it. */
static size_t lines_of(const char *svg, int part) {
    size_t count = 0;
    const char *stop, *at = part_of(svg, part, &stop);
    for (; at < stop; at++) count += at[0] == ' ' && at[1] == 'L';
    return count;
}

/* The colour that first follows these words. */
static const char *colour_of(const char *svg, int part, const char *before) {
    static char colour[8];
    const char *stop, *at = strstr(part_of(svg, part, &stop), before);
    snprintf(colour, sizeof colour, "%.7s", at && at < stop ? at + strlen(before) : "");
    return colour;
}

/* The points or areas of a picture's part (as gnuplot numbers them, from 1), and of those of its
   legend, which stand last or first. */
static size_t marks_of(const char *svg, int part, mark *out) {
    const char *stop, *at = part_of(svg, part, &stop);
    size_t count = 0;
    for (; (at = strchr(at, '<')) && at < stop; at++) {
        bool point = strncmp(at, "<use ", 5) == 0;
        if (!point && strncmp(at, "<polygon ", 9) != 0) continue;
        assert_true(count < MOST_MARKS);
        mark m = {INFINITY, -INFINITY, INFINITY, -INFINITY, 0};
        const char *fill = strstr(at, "fill = '#");
        if (!point && fill) m.warmth = hex(fill + 9) - hex(fill + 13);
        char *c = strstr(at, point ? "translate(" : "points = '") + 10;
        for (int pairs = 0; *c != ')' && *c != '\'' && pairs < 8; pairs++) {
            double x = strtod(c, &c), y = strtod(c + 1, &c);
            m.left = fmin(m.left, x);
            m.right = fmax(m.right, x);
            m.top = fmin(m.top, y);
            m.bottom = fmax(m.bottom, y);
            while (*c == ' ') c++;
        }
        out[count++] = m;
    }
    return count;
}

/* `at` grows with `value` in a straight line (or falls), to a twentieth of a picture's unit. */
static void expect_scale(const double *at, const double *value, size_t n) {
    size_t low = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        if (value[i] < value[low]) low = i;
        if (value[i] > value[high]) high = i;
    }
    double scale = (at[high] - at[low]) / (value[high] - value[low]);
    assert_true(isfinite(scale) && fabs(scale) > 1);
    for (size_t i = 0; i < n; i++)
        if (fabs(at[low] + scale * (value[i] - value[low]) - at[i]) > 0.05)
            fail_msg("%g stands at %g, and %g at %g", value[low], at[low], value[i], at[i]);
}

static void expect_count(const char *svg, const char *word, size_t expected) {
    size_t count = 0;
    for (const char *at = svg; (at = strstr(at, word)); at++) count++;
    if (count != expected) fail_msg("%s: %zu times, not %zu", word, count, expected);
}

/* ---------------------------------------------------------------------------------------- parts */

typedef struct made {
    piaa_run *run;
    piaa_plots plots;
    piaa_tables tables;
} made;

static made make(char *folder) {
    piaa_error error = {0};
    made m = {.run = piaa_run_open(folder, &error)};
    if (!m.run || !piaa_plots_make(&m.plots, m.run, 1, &error) ||
        !piaa_tables_make(&m.tables, m.run, &error))
        fail_msg("%s", error.message);
    free(folder);
    return m;
}

static void unmake(made *m) {
    piaa_plots_free(&m->plots);
    piaa_tables_free(&m->tables);
    piaa_run_close(m->run);
}

static piaa_plot *find(made *m, const char *name) {
    for (size_t i = 0; i < m->plots.count; i++)
        if (strcmp(m->plots.items[i].name, name) == 0) return &m->plots.items[i];
    fail_msg("there is no figure %s", name);
    return NULL;
}

static void expect_csv(made *m, const char *name, const char *expected) {
    assert_string_equal(find(m, name)->csv.data, expected);
}

/* Its SVG; "" where there is no gnuplot. */
static const char *draw(made *m, const char *name) {
    piaa_error error = {0};
    piaa_plot *plot = find(m, name);
    if (!piaa_gnuplot_found()) return "";
    if (!plot->own.length && !piaa_plot_draw(plot, &error)) fail_msg("%s", error.message);
    xml_check(plot->own.data);
    assert_null(strstr(plot->own.data, "NaN")); /* gnuplot's own words for a part without a title */
    return plot->own.data;
}

static void expect_caption(made *m, const char *name, const char *part) {
    const char *caption = find(m, name)->caption;
    if (!strstr(caption, part)) fail_msg("%s: \"%s\" is not in: %s", name, part, caption);
}

static void expect_row(const piaa_table *table, size_t row, const char *expected) {
    piaa_text text = {0};
    for (size_t c = 0; c < table->columns; c++)
        piaa_text_format(&text, NULL, "%s%s", c ? " | " : "",
                         table->cells[row * table->columns + c]);
    assert_string_equal(text.data, expected);
    free(text.data);
}

/* ---------------------------------------------------------------------------------------- tests */

static void probes_are_shown_as_they_are(void **state) {
    (void)state;
    made m = make(make_probe());
    assert_int_equal(m.plots.count, 6);
    static const char layers[] = "source,score,light,colour,mean_of_attributes\n"
                                 "v.1,0.2,,0.4,0.4\n"
                                 "lt.0,0.1,0.25,-0.15,0.05\n"
                                 "lt.2,0.5,0.3,0.1,0.2\n"
                                 "lt_tail.1,0.35,0.45,0.55,0.5\n";
    expect_csv(&m, "1-layers", layers);
    expect_csv(&m, "1-heat", layers);
    expect_csv(&m, "1-scatter", "true,predicted\n1,2\n2,4\n,5\n5,3\n");
    expect_csv(&m, "1-labels",
               "attribute,score,light,colour\nscore,1,0.9,-0.25\nlight,0.9,1,\ncolour,-0.25,,1\n");
    expect_csv(&m, "1-predictions",
               "attribute,score,light,colour\nscore,1,0.5,-0.001\n"
               "light,0.5,1,-0.75\ncolour,-0.001,-0.75,1\n");
    expect_csv(&m, "1-changes", "attribute,gray,tps\nscore,1,0.5\nlight,2,1\ncolour,,3\n");
    expect_caption(&m, "1-layers", "on the test images");
    expect_caption(&m, "1-scatter", "(LT2, test images)");
    expect_caption(&m, "1-scatter", " 4 predictions.");
    assert_int_equal(m.tables.count, 1);
    const piaa_table *table = &m.tables.items[0];
    assert_int_equal(table->rows, 3);
    expect_row(table, 0, "Attribute | V | LT | LT tail | Best | R² | RMSE");
    expect_row(table, 1,
               "overall score | 0.200 (V1) | 0.500 (LT2) | 0.350 (LT tail 1) | 0.500 (LT2) | "
               "0.000 | 2.000");
    expect_row(table, 2,
               "light | undefined | 0.250 (LT0) | 0.450 (LT tail 1) | 0.250 (LT0) | 1.100 | 3.100");
    expect_row(table, 3,
               "colour | 0.400 (V1) | -0.150 (LT0) | 0.550 (LT tail 1) | 0.400 (V1) | -0.800 | "
               "1.200");
    unmake(&m);
}

/* Three curves and their mean over four layers, of which one is undefined; the legend has a point
   for each. */
static void curves_of_layers(made *m) {
    const char *svg = draw(m, "1-layers");
    static const double values[3][4] = {
        {0.25, 0.3, 0.45}, {0.4, -0.15, 0.1, 0.55}, {0.2, 0.1, 0.5, 0.35}};
    /* a gap between pools; light has no V1 */
    static const double places[3][4] = {{2, 3, 5}, {0, 2, 3, 5}, {0, 2, 3, 5}};
    double x[11], y[11], place[11], value[11];
    size_t n = 0;
    for (int curve = 0; curve < 3; curve++) {
        /* only lt.0 and lt.2 are joined, and one line is in the legend */
        assert_int_equal(lines_of(svg, curve + 1), 2);
        assert_string_equal(colour_of(svg, curve + 1, " color='"), palette[(curve + 1) % 3]);
        mark marks[MOST_MARKS];
        size_t count = marks_of(svg, curve + 1, marks), own = curve ? 4 : 3;
        assert_int_equal(count, own + 1);
        for (size_t i = 0; i < own; i++, n++) {
            x[n] = marks[i].left;
            y[n] = -marks[i].top;
            place[n] = places[curve][i];
            value[n] = values[curve][i];
        }
    }
    assert_int_equal(n, 11);
    expect_scale(x, place, n);
    expect_scale(y, value, n);
    expect_count(svg, "<text>mean of the attributes</text>", 1);
    static const char *const words[] = {"V1",     "LT0",          "2", "tail 1", "light",
                                        "colour", "overall score"};
    for (size_t i = 0; i < PIAA_COUNT(words); i++) {
        char *text = piaa_format(NULL, "<text>%s</text>", words[i]);
        expect_count(svg, text, 1);
        free(text);
    }
}

/* Warm cells are high ones: `values` from top left, NaN where there is no cell. */
static void expect_cells(const char *svg, const double *values, size_t rows, size_t columns) {
    mark marks[MOST_MARKS];
    size_t count = marks_of(svg, 1, marks), n = 0;
    double x[MOST_MARKS] = {0}, y[MOST_MARKS] = {0}, column[MOST_MARKS], row[MOST_MARKS],
           value[MOST_MARKS];
    for (size_t i = 0; i < rows * columns; i++) {
        if (isnan(values[i])) continue;
        column[n] = (double)(i % columns);
        row[n] = (double)(i / columns);
        value[n++] = values[i];
    }
    assert_int_equal(count, n);
    for (size_t i = 0; i < n; i++) {
        x[i] = marks[i].left;
        y[i] = marks[i].top;
    }
    expect_scale(x, column, n);
    expect_scale(y, row, n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (value[i] < value[j]) assert_true(marks[i].warmth < marks[j].warmth);
}

static void probes_are_drawn_as_they_are(void **state) {
    (void)state;
    if (!piaa_gnuplot_found()) skip();
    support_clear(world);
    assert_int_equal(mkdir(world, 0700), 0);
    made m = make(make_probe());
    curves_of_layers(&m);
    static const double heat[] = {0.2, NAN, 0.1,  0.5, NAN, 0.35,  NAN, NAN, 0.25,
                                  0.3, NAN, 0.45, 0.4, NAN, -0.15, 0.1, NAN, 0.55};
    const char *svg = draw(&m, "1-heat");
    expect_cells(svg, heat, 3, 6);
    expect_count(svg, "<text>-0.2</text>", 1); /* the scale's ends */
    expect_count(svg, "<text> 0.6</text>", 1);
    mark marks[MOST_MARKS];
    svg = draw(&m, "1-scatter");
    assert_int_equal(marks_of(svg, 2, marks), 3); /* one has no true score */
    expect_scale((double[]){marks[0].left, marks[1].left, marks[2].left}, (double[]){1, 2, 5}, 3);
    expect_scale((double[]){marks[0].top, marks[1].top, marks[2].top}, (double[]){2, 4, 3}, 3);
    static const double labels[] = {1, 0.9, -0.25, 0.9, 1, NAN, -0.25, NAN, 1},
                        predictions[] = {1, 0.5, -0.001, 0.5, 1, -0.75, -0.001, -0.75, 1};
    svg = draw(&m, "1-labels");
    expect_cells(svg, labels, 3, 3);
    expect_count(svg, "<text>.90</text>", 2);
    expect_count(svg, "<text>-.25</text>", 2);
    svg = draw(&m, "1-predictions");
    expect_cells(svg, predictions, 3, 3);
    expect_count(svg, "<text>.50</text>", 2);
    expect_count(svg, "<text>-.75</text>", 2);
    expect_count(svg, "<text>.00</text>", 2);
    /* bars from 0: grey 1 and 2, warped 0.5, 1 and 3; of the areas the first is the legend's */
    double width[5], size[] = {1, 2, 0.5, 1, 3}, left = 0;
    svg = draw(&m, "1-changes");
    for (int c = 0, n = 0; c < 2; c++) {
        size_t count = marks_of(svg, c + 1, marks);
        assert_int_equal(count, c ? 4 : 3);
        for (size_t i = 1; i < count; i++) {
            if (n == 0) left = marks[i].left;
            assert_true(fabs(marks[i].left - left) < 0.02);
            width[n++] = marks[i].right - marks[i].left;
        }
    }
    expect_scale(width, size, 5);
    assert_true(fabs(width[0] / width[2] - 2) < 0.01);
    static const char *const words[] = {"overall score", "light", "colour", "grey", "warped"};
    for (size_t i = 0; i < PIAA_COUNT(words); i++) {
        char *text = piaa_format(NULL, "<text>%s</text>", words[i]);
        expect_count(svg, text, 1);
        free(text);
    }
    unmake(&m);
}

static void evaluations_are_shown_as_they_are(void **state) {
    (void)state;
    made m = make(make_eval());
    assert_int_equal(m.plots.count, 11);
    expect_csv(&m, "1-methods",
               "method,source,support_set,spearman,low,high\n"
               "linear-hidden,lt.0,small,0.05,-0.05,0.25\n"
               "linear-hidden,v.1,small,0.1,0,0.3\n"
               "linear-hidden,lt.2,small,0.15,0.05,0.35\n"
               "linear-hidden,lt.0,large,0.2,0.1,0.4\n"
               "linear-hidden,v.1,large,0.25,,0.45\n"
               "linear-hidden,lt.2,large,0.3,0.2,0.5\n"
               "giaa-target,lt.0,small,0.35,0.25,0.55\n"
               "giaa-target,v.1,small,0.4,0.3,0.6\n"
               "giaa-target,lt.2,small,0.45,0.35,0.65\n"
               "giaa-target,lt.0,large,0.5,0.4,0.7\n"
               "giaa-target,v.1,large,0.55,0.45,0.75\n"
               "giaa-target,lt.2,large,0.6,0.5,0.8\n");
    expect_csv(&m, "1-layers",
               "method,support_set,source,spearman,low,high\n"
               "linear-hidden,small,v.1,0.1,0,0.3\n"
               "linear-hidden,small,lt.0,0.05,-0.05,0.25\n"
               "linear-hidden,small,lt.2,0.15,0.05,0.35\n"
               "linear-hidden,large,v.1,0.25,,0.45\n"
               "linear-hidden,large,lt.0,0.2,0.1,0.4\n"
               "linear-hidden,large,lt.2,0.3,0.2,0.5\n"
               "giaa-target,small,v.1,0.4,0.3,0.6\n"
               "giaa-target,small,lt.0,0.35,0.25,0.55\n"
               "giaa-target,small,lt.2,0.45,0.35,0.65\n"
               "giaa-target,large,v.1,0.55,0.45,0.75\n"
               "giaa-target,large,lt.0,0.5,0.4,0.7\n"
               "giaa-target,large,lt.2,0.6,0.5,0.8\n");
    expect_csv(&m, "1-scatter", "true,predicted\n1,1\n2,2\n4,3\n");
    for (int i = 1; i <= 6; i++) {
        char *name = piaa_format(NULL, "1-improvement-%d", i);
        expect_csv(&m, name, "user_id,difference\na,0.375\n\"d,d\",0\nb,-0.125\nc,-0.25\n");
        expect_caption(&m, name, "better for 1 of 4 people, worse for 2.");
        expect_caption(&m, name,
                       i < 4 ? "(10 ratings learned from)" : "(100 ratings learned from)");
        free(name);
    }
    expect_caption(&m, "1-improvement-2", "linear-hidden, V1 minus that with giaa-target, V1");
    /* b: 1, 1, 4, whose percentiles lie at 0.2, 0.5, 1, 1.5 and 1.8; d: 2, 3; a: 1 to 5 */
    expect_csv(
        &m, "1-distributions",
        "person,mean,percentile_10,percentile_25,median,percentile_75,percentile_90\n"
        "1,2,1,1,1,2.5,3.4000000000000004\n2,2.5,2.1,2.25,2.5,2.75,2.9\n3,3,1.4,2,3,4,4.6\n");
    expect_csv(&m, "1-variance", "mean_score,variance\n2,0.5\n3,1.5\n4,\n5,1\n");
    expect_caption(&m, "1-distributions", " 3 people.");
    expect_caption(&m, "1-variance", " 4 images.");
    expect_caption(&m, "1-scatter", "giaa-target, LT2, large support");
    expect_caption(&m, "1-methods", "undefined where a dot has no bar");
    unmake(&m);
}

static void tables_of_evaluations(void **state) {
    (void)state;
    support_clear(world);
    assert_int_equal(mkdir(world, 0700), 0);
    made m = make(make_eval());
    assert_int_equal(m.tables.count, 2);
    const piaa_table *all = &m.tables.items[0], *against = &m.tables.items[1];
    assert_int_equal(all->rows, 12);
    expect_row(all, 0, "Method | Features | Ratings | Spearman | Undefined | R² | RMSE");
    expect_row(all, 1,
               "linear-hidden | LT0 | 10 | 0.050 [-0.050, 0.250] | 0 | -0.050 [-1.000, 0.000] | "
               "2.050 [1.000, 3.000]");
    expect_row(all, 5,
               "linear-hidden | V1 | 100 | 0.250 [undefined] | 1 | -0.250 [-1.000, 0.000] | "
               "2.250 [1.000, 3.000]");
    expect_row(all, 6,
               "linear-hidden | LT2 | 100 | 0.300 [0.200, 0.500] | 2 | undefined | "
               "2.300 [1.000, 3.000]");
    expect_row(all, 12,
               "giaa-target | LT2 | 100 | 0.600 [0.500, 0.800] | 2 | -0.600 [-1.000, 0.000] | "
               "2.600 [1.000, 3.000]");
    assert_non_null(strstr(all->note, "over 4 people with 95 % intervals (Student's and Hall's)"));
    assert_int_equal(against->rows, 6);
    expect_row(against, 0, "Method | Features | Ratings | Difference | Better for | p | p (Holm)");
    expect_row(against, 1,
               "linear-hidden | LT0 | 10 | -0.300 [-0.400, 0.100] | 1 of 4 | < 0.001 | 0.002");
    expect_row(against, 6,
               "linear-hidden | LT2 | 100 | -0.300 [-0.400, 0.100] | 1 of 4 | 0.125 | 0.750");
    assert_non_null(strstr(against->note, "from giaa-target; two-sided p-values (sign-flip)"));
    assert_non_null(strstr(against->note, "6 comparisons"));
    piaa_text text = {0};
    assert_true(piaa_tables_print(&m.tables, &text, NULL));
    assert_non_null(strstr(text.data, "\ngiaa-target         LT2      100   0.600 [0.500, 0.800]  "
                                      "        2  -0.600 [-1.000, 0.000]  2.600 [1.000, 3.000]\n"));
    free(text.data);
    unmake(&m);
}

/* Words that the text has exactly once. */
static void expect_once(const char *text, const char *words) {
    const char *first = strstr(text, words);
    if (!first) fail_msg("\"%s\" is not there", words);
    if (strstr(first + 1, words)) fail_msg("\"%s\" is there twice", words);
}

/* The page and the LaTeX file say what the tables and the runs say. */
static void pages_hold_the_tables(void **state) {
    (void)state;
    support_clear(world);
    assert_int_equal(mkdir(world, 0700), 0);
    made probe = make(make_probe()), eval = make(make_eval());
    const piaa_page_part parts[] = {{probe.run, probe.plots, probe.tables},
                                    {eval.run, eval.plots, eval.tables}};
    static const char *const page_has[] = {
        "<li><a href=\"#run-1\">Probing: AADB</a> <span class=\"small\">probe</span></li>",
        "<li><a href=\"#run-2\">Personal protocol: PARA</a> <span class=\"small\">eval</span></li>",
        "<section id=\"run-1\">\n<h2>Probing: AADB</h2>",
        "<section id=\"run-2\">\n<h2>Personal protocol: PARA</h2>",
        "<dt>Images</dt><dd>10 to learn from, 5 to choose the layer, 4 to test</dd>",
        "<dd>V 1, LT 0 to 2, LT tail 1</dd>",
        "<dd>V 1, LT 0 to 2</dd>",
        "<dt>People</dt><dd>4 (1 have too few ratings, 2 were not drawn), seed 42</dd>",
        "<dt>Ties</dt><dd>3 people were drawn from among equals",
        "<dt>Ratings</dt><dd>10 or 100 to learn from, 50 to test, of each person</dd>",
        "<tr><th>Attribute</th><th>V</th><th>LT</th><th>LT tail</th><th>Best</th><th>R²</th>"
        "<th>RMSE</th></tr>",
        "<tr><td>light</td><td>undefined</td><td>0.250 (LT0)</td><td>0.450 (LT tail 1)</td>"
        "<td>0.250 (LT0)</td><td>1.100</td><td>3.100</td></tr>",
        "<tr><td>linear-hidden</td><td>V1</td><td>100</td><td>0.250 [undefined]</td><td>1</td>"
        "<td>-0.250 [-1.000, 0.000]</td><td>2.250 [1.000, 3.000]</td></tr>",
        "<tr><td>linear-hidden</td><td>LT0</td><td>10</td><td>-0.300 [-0.400, 0.100]</td>"
        "<td>1 of 4</td><td>&lt; 0.001</td><td>0.002</td></tr>",
        "<a href=\"r-figures/1-heat.csv\">CSV</a>",
        "<b>Attributes and layers</b>The same figures as a map"};
    static const char *const latex_has[] = {
        "\\caption{Probing: AADB. Best layer of each pool.",
        "\\begin{tabular}{lrrrrrr}\n\\toprule\nAttribute & V & LT & LT tail & Best & R$^2$ & RMSE "
        "\\\\\n\\midrule\noverall score & 0.200 (V1) & 0.500 (LT2) & 0.350 (LT tail 1) & "
        "0.500 (LT2) & 0.000 & 2.000 \\\\\nlight & ",
        "colour & 0.400 (V1) & $-$0.150 (LT0) & 0.550 (LT tail 1) & 0.400 (V1) & $-$0.800 & 1.200 "
        "\\\\\n\\bottomrule\n",
        "linear-hidden & LT0 & 10 & $-$0.300 [$-$0.400, 0.100] & 1 of 4 & $<$ 0.001 & 0.002 "
        "\\\\\n"};
    piaa_error error = {0};
    piaa_text page = {0}, latex = {0}, alone = {0}, printed = {0};
    const piaa_tables none = {0};
    assert_true(piaa_page_html(parts, 2, &none, "r-figures", true, &page, &error) &&
                piaa_page_html(parts + 1, 1, &none, "r-figures", true, &alone, &error) &&
                piaa_page_latex(parts, 2, &none, &latex, &error) &&
                piaa_tables_print(&eval.tables, &printed, &error));
    xml_check(page.data);
    for (size_t i = 0; i < PIAA_COUNT(page_has); i++) expect_once(page.data, page_has[i]);
    for (size_t i = 0; i < PIAA_COUNT(latex_has); i++) expect_once(latex.data, latex_has[i]);
    expect_count(latex.data, "\\begin{table}", 3);
    expect_count(page.data, "<table>", 3);
    expect_count(page.data, "<tr>", 4 + 13 + 7);
    expect_count(page.data, "<figure>", 6 + 11);
    assert_null(strstr(alone.data, "<li>"));
    assert_memory_equal(printed.data, "Methods. ", 9);
    expect_once(printed.data, "\n\nAgainst the baseline. ");
    free(page.data);
    free(alone.data);
    free(latex.data);
    free(printed.data);
    unmake(&probe);
    unmake(&eval);
}

static void evaluations_are_drawn_as_they_are(void **state) {
    (void)state;
    if (!piaa_gnuplot_found()) skip();
    support_clear(world);
    assert_int_equal(mkdir(world, 0700), 0);
    made m = make(make_eval());
    mark marks[MOST_MARKS];
    double x[OUTCOMES], y[OUTCOMES], value[OUTCOMES], row[OUTCOMES];
    const char *svg = draw(&m, "1-methods");
    assert_int_equal(marks_of(svg, 1, marks), OUTCOMES);
    for (int k = 0; k < OUTCOMES; k++) {
        x[k] = marks[k].left;
        y[k] = marks[k].top;
        value[k] = mean_of(k);
        row[k] = k;
    }
    expect_scale(x, value, OUTCOMES);
    expect_scale(y, row, OUTCOMES);
    expect_count(svg, "<text>linear-hidden, V1, 10</text>", 1);
    expect_count(svg, "<text>giaa-target, LT2, 100</text>", 1);
    /* parts: band, curve, band, curve … */
    svg = draw(&m, "1-layers");
    for (int curve = 0; curve < 4; curve++) {
        assert_int_equal(marks_of(svg, 2 * curve + 2, marks), LAYERS + 1);
        /* v.1 comes first and stands alone; a line joins the others, and one is in the legend */
        static const int at[] = {1, 0, 2};
        for (int i = 0; i < LAYERS; i++) y[curve * LAYERS + at[i]] = marks[i].top;
        assert_int_equal(lines_of(svg, 2 * curve + 2), 2);
        assert_string_equal(colour_of(svg, 2 * curve + 2, " color='"), palette[curve]);
        if (curve != 1) /* whose band has one end only */
            assert_string_equal(colour_of(svg, 2 * curve + 1, "fill = '"), palette[curve]);
    }
    expect_scale(y, value, OUTCOMES);
    expect_count(svg, "<text>linear-hidden, 10 ratings</text>", 1);
    expect_count(svg, "<text>giaa-target, 100 ratings</text>", 1);
    /* bars of what is better and of no difference, then of what is worse */
    svg = draw(&m, "1-improvement-1");
    assert_int_equal(marks_of(svg, 1, marks), 2);
    double height[] = {marks[0].bottom - marks[0].top, 0, 0}, zero = marks[0].bottom;
    assert_true(marks[1].bottom - marks[1].top < 0.1 && fabs(marks[1].bottom - zero) < 0.1);
    assert_int_equal(marks_of(svg, 2, marks), 2);
    for (int i = 0; i < 2; i++) {
        assert_true(fabs(marks[i].top - zero) < 0.1);
        height[i + 1] = -(marks[i].bottom - marks[i].top);
    }
    expect_scale(height, (double[]){0.375, -0.125, -0.25}, 3);
    svg = draw(&m, "1-distributions");
    assert_int_equal(marks_of(svg, 3, marks), 3);
    expect_scale((double[]){marks[0].top, marks[1].top, marks[2].top}, (double[]){2, 2.5, 3}, 3);
    svg = draw(&m, "1-variance");
    assert_int_equal(marks_of(svg, 1, marks), 3); /* one has no variance */
    expect_scale((double[]){marks[0].top, marks[1].top, marks[2].top}, (double[]){0.5, 1.5, 1}, 3);
    expect_scale((double[]){marks[0].left, marks[1].left, marks[2].left}, (double[]){2, 3, 5}, 3);
    svg = draw(&m, "1-scatter");
    assert_int_equal(marks_of(svg, 2, marks), 3);
    expect_scale((double[]){marks[0].top, marks[1].top, marks[2].top}, (double[]){1, 2, 3}, 3);
    unmake(&m);
}

/* Scripts name colours; pictures have those of paper, pages those of the reader's theme. */
static void colours_are_those_of_the_theme(void **state) {
    (void)state;
    static const struct {
        const char *script, *name, *light, *dark;
    } colours[] = {
        {"010101", "ink", "#24292f", "#d8dce0"},   {"020202", "rule", "#dfe2e5", "#363b41"},
        {"030303", "muted", "#8a9199", "#868d95"}, {"0a0001", "c1", "#0072b2", "#4ea8e0"},
        {"0a0002", "c2", "#d55e00", "#f08a3c"},    {"0a0003", "c3", "#00835f", "#2cc19a"},
        {"0a0004", "c4", "#b8578f", "#e394c2"},    {"0a0005", "c5", "#b07a00", "#ecb53a"},
        {"0a0006", "c6", "#3a93c9", "#9bd6f7"},    {"0a0007", "c7", "#7d7600", "#efe450"},
        {"0a0008", "c8", "#6b6f75", "#b9bfc6"},    {"123456", NULL, "#123456", NULL}};
    piaa_error error = {0};
    piaa_text style = {0};
    piaa_plot_style(&style, &error);
    assert_false(style.failed);
    const char *dark_part = strstr(style.data, "dark){:root{");
    assert_non_null(dark_part);
    for (size_t i = 0; i < PIAA_COUNT(colours); i++) {
        const char *name = colours[i].name;
        if (name) {
            char *light = piaa_format(NULL, "--%s:%s;", name, colours[i].light),
                 *dark = piaa_format(NULL, "--%s:%s;", name, colours[i].dark);
            expect_count(style.data, light, 1);
            expect_count(dark_part, dark, 1);
            free(light);
            free(dark);
        }
        if (!piaa_gnuplot_found()) continue;
        piaa_plot plot = {
            .name = (char *)"1-c", .title = (char *)"<c>", .width = 200, .height = 200};
        assert_true(piaa_text_format(&plot.script, &error,
                                     "unset key\nplot '-' using 1:2 with points pt 7 lc rgb '#%s'\n"
                                     "1 1\n2 2\ne\n",
                                     colours[i].script));
        if (!piaa_plot_draw(&plot, &error)) fail_msg("%s", error.message);
        char *own = piaa_format(NULL, " color='%s'/>", colours[i].light),
             *page =
                 name ? piaa_format(NULL, " color='var(--%s)'/>", name) : piaa_strdup(own, NULL);
        expect_count(plot.page.data, page, 2);
        expect_count(plot.own.data, own, 2);
        expect_count(plot.own.data, "<title>&lt;c&gt;</title>", 1);
        expect_count(plot.own.data, "rgb(", 0);
        xml_check(plot.page.data);
        xml_check(plot.own.data);
        free(page);
        free(own);
        free(plot.script.data);
        free(plot.page.data);
        free(plot.own.data);
    }
    free(style.data);
}

/* Two figures of a page have no name in common, or the second is drawn with the first one's
   points. */
static void names_within_pictures_are_each_pictures_own(void **state) {
    (void)state;
    if (!piaa_gnuplot_found()) skip();
    support_clear(world);
    assert_int_equal(mkdir(world, 0700), 0);
    made m = make(make_probe());
    draw(&m, "1-layers");
    draw(&m, "1-scatter");
    const char *other = find(&m, "1-scatter")->page.data;
    size_t count = 0;
    for (const char *at = find(&m, "1-layers")->page.data; (at = strstr(at, " id=")); at++) {
        char *name = piaa_format(NULL, "%.*s", (int)strcspn(at + 5, "\"'") + 6, at);
        if (!strstr(name, "canvas")) {
            if (strstr(other, name)) fail_msg("two pictures have%s", name);
            count++;
        }
        free(name);
    }
    assert_true(count > 10);
    unmake(&m);
}

/* V first, then what is made of it, then the language model's tokens. */
static void pools_come_in_the_order_of_the_model(void **state) {
    (void)state;
    static const char *const pools[] = {"lt_tail.0",   "lt.0",     "lv.0",
                                        "projected.0", "pooled.0", "v.0"};
    char *folder = make_folder("pools");
    piaa_text json = {0};
    piaa_text_format(&json, NULL,
                     "{\"format\":\"piaa-probe\",\"version\":1,\"counts\":{\"test\":0},"
                     "\"attrs\":{\"score\":{\"per_layer\":[");
    for (int s = 0; s < 6; s++)
        piaa_text_format(&json, NULL, "%s{\"name\":\"%s\",\"train\":{\"rho\":0.%d}}", s ? "," : "",
                         pools[s], s + 1);
    piaa_text_format(&json, NULL, "]}},\"correlation\":{\"labels\":[[1]],\"predictions\":[[1]]}}");
    put(folder, "probe.json", json.data);
    put(folder, "predictions.csv", "split,target,label,prediction\n");
    free(json.data);
    made m = make(folder);
    expect_csv(&m, "1-layers",
               "source,score,mean_of_attributes\nv.0,0.6,\npooled.0,0.5,\n"
               "projected.0,0.4,\nlv.0,0.3,\nlt.0,0.2,\nlt_tail.0,0.1,\n");
    expect_caption(&m, "1-layers", "on the training images");
    expect_row(&m.tables.items[0], 0,
               "Attribute | V | pooled | projected | LV | LT | LT tail | Best | R² | RMSE");
    /* without a validation figure none of them is the best */
    expect_row(&m.tables.items[0], 1,
               "overall score | undefined | undefined | undefined | undefined | undefined | "
               "undefined | undefined | undefined | undefined");
    unmake(&m);
}

/* A run may have been made by anybody. */
static void names_of_layers_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *name, *label; /* NULL: refused */
    } cases[] = {{"lt.1", "LT1"},
                 {"lt.99999", "LT99999"},
                 {"lt_tail.0", "LT tail 0"},
                 {"v.2", "V2"},
                 {"pooled.0", "pooled"},
                 {"lt.1+v.2", "LT1+V2"},
                 {"lt", NULL},
                 {"lt.", NULL},
                 {"lt.x", NULL},
                 {"lt.-1", NULL},
                 {"lt.100000", NULL},
                 {"lt.1x", NULL},
                 {"nope.1", NULL},
                 {".1", NULL},
                 {"", NULL},
                 {"a_very_long_name_of_a_pool.1", NULL}};
    char *folder = make_folder("names");
    put(folder, "predictions.csv", "split,target,label,prediction\n");
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_error error = {0};
        char *json = piaa_format(NULL,
                                 "{\"format\":\"piaa-probe\",\"version\":1,\"attrs\":{\"score\":{"
                                 "\"per_layer\":[{\"name\":\"%s\"}],\"best\":{\"name\":\"%s\"}}},"
                                 "\"correlation\":{\"labels\":[[1]],\"predictions\":[[1]]}}",
                                 cases[i].name, cases[i].name),
             label[64];
        put(folder, "probe.json", json);
        piaa_run *run = piaa_run_open(folder, &error);
        if (cases[i].label) {
            if (!run) fail_msg("%s", error.message);
            const piaa_run_source *source = &run->sources[0];
            piaa_run_source_label(source->pool, source->layer, source->name, label);
            assert_string_equal(label, cases[i].label);
            assert_int_equal(run->best[0], 0);
        } else {
            if (run) fail_msg("\"%s\" is taken for a layer", cases[i].name);
            assert_non_null(strstr(error.message, "a layer has a name that is not known"));
        }
        piaa_run_close(run);
        free(json);
    }
    free(folder);
}

/* ------------------------------------------------------------------------------------ undefined */

/* A probe of one image whose every figure is `rho`, with shifts of size `shift`. */
static char *make_odd_probe(const char *name, const char *rho, const char *shift,
                            const char *predictions, int layers) {
    char *folder = make_folder(name);
    piaa_text json = {0};
    piaa_text_format(&json, NULL,
                     "{\"format\":\"piaa-probe\",\"version\":1,\"config\":{},"
                     "\"counts\":{\"train\":1,\"val\":0,\"test\":1},\"attrs\":{");
    for (int t = 0; t < 3; t++) {
        piaa_text_format(&json, NULL, "%s\"%s\":{\"per_layer\":[", t ? "," : "", targets[t]);
        for (int s = 0; s < layers; s++)
            piaa_text_format(&json, NULL,
                             "%s{\"name\":\"lt.%d\",\"val\":{\"rho\":%s},\"test\":{\"rho\":%s,"
                             "\"r2\":%s,\"rmse\":%s}}",
                             s ? "," : "", s, rho, rho, rho, rho);
        piaa_text_format(&json, NULL, "],\"best\":%s}",
                         strcmp(rho, "null") == 0 ? rho : "{\"name\":\"lt.0\"}");
    }
    piaa_text_format(&json, NULL, "},\"correlation\":{");
    for (int m = 0; m < 2; m++)
        piaa_text_format(&json, NULL, "%s\"%s\":[[%s,%s,%s],[%s,%s,%s],[%s,%s,%s]]", m ? "," : "",
                         m ? "predictions" : "labels", rho, rho, rho, rho, rho, rho, rho, rho, rho);
    piaa_text_format(&json, NULL, "},\"changes\":{\"gray\":{");
    for (int t = 0; t < 3; t++) {
        piaa_text_format(&json, NULL, "%s\"%s\":[", t ? "," : "", targets[t]);
        for (int s = 0; s < layers; s++)
            piaa_text_format(&json, NULL, "%s{\"name\":\"lt.%d\",\"mean\":%s,\"size\":%s}",
                             s ? "," : "", s, shift, shift);
        piaa_text_format(&json, NULL, "]");
    }
    piaa_text_format(&json, NULL, "}}}");
    put(folder, "probe.json", json.data);
    piaa_text csv = {0};
    piaa_text_format(&csv, NULL, "split,target,label,prediction\n%s", predictions);
    put(folder, "predictions.csv", csv.data);
    free(json.data);
    free(csv.data);
    return folder;
}

/* So many people, whose correlation, interval's ends, scores and predictions are these words. */
static char *make_odd_eval(const char *name, int count, const char *rho, const char *ends,
                           const char *score, const char *predicted) {
    char *folder = make_folder(name);
    bool none = strcmp(rho, "null") == 0;
    piaa_text json = {0}, users = {0}, predictions = {0}, scores = {0}, images = {0};
    piaa_text_format(&json, NULL,
                     "{\"format\":\"piaa-eval\",\"version\":1,\"config\":{\"small\":1,"
                     "\"large\":1,\"test\":1,\"seed\":1,\"baseline\":\"giaa-target\"},\"counts\":{"
                     "\"users\":%d,\"below\":0,\"not_drawn\":0},\"outcomes\":[",
                     count);
    piaa_text_format(&users, NULL, "method,source,support_set,user_id,spearman,r2,rmse\n");
    piaa_text_format(&predictions, NULL, "method,support_set,user_score,piaa_pred\n");
    piaa_text_format(&scores, NULL, "user_id,score\n");
    piaa_text_format(&images, NULL, "image_path,mean,variance\n");
    for (int k = 0; k < 6; k++) {
        piaa_text_format(&json, NULL,
                         "%s{\"method\":\"%s\",\"source\":\"lt.%d\",\"support_set\":\"large\","
                         "\"published\":\"p\",\"users\":%d",
                         k ? "," : "", methods[k / 3], k % 3, count);
        piaa_text_format(&json, NULL,
                         ",\"spearman\":{\"mean\":%s,\"low\":%s,\"high\":%s,"
                         "\"undefined\":%d}",
                         rho, ends, ends, none ? count : 0);
        if (k < 3)
            piaa_text_format(
                &json, NULL,
                ",\"comparison\":{\"users\":%d,\"better\":0,\"difference\":{\"mean\":%s,"
                "\"low\":%s,\"high\":%s},\"p\":%s,\"p_holm\":%s}",
                count, rho, ends, ends, rho, rho);
        piaa_text_format(&json, NULL, "}");
        for (int u = 0; u < count; u++)
            piaa_text_format(&users, NULL, "%s,lt.%d,large,u%d,%s,,\n", methods[k / 3], k % 3, u,
                             none ? "" : rho);
    }
    for (int u = 0; u < count; u++) {
        piaa_text_format(&predictions, NULL, "p,large,%s,%s\n", score, predicted);
        piaa_text_format(&scores, NULL, "u%d,%s\n", u, score);
    }
    for (int i = 0; i < 3; i++)
        piaa_text_format(&images, NULL, "%d.jpg,%s,%s\n", i, score, predicted);
    piaa_text_format(&json, NULL, "]}");
    put(folder, "eval.json", json.data);
    put(folder, "users.csv", users.data);
    put(folder, "predictions.csv", predictions.data);
    put(folder, "scores.csv", scores.data);
    put(folder, "images.csv", images.data);
    free(json.data);
    free(users.data);
    free(predictions.data);
    free(scores.data);
    free(images.data);
    return folder;
}

/* Nothing in the text is what C prints of a number that is none. */
static void expect_words(const char *text) {
    for (const char *at = text; *at; at++)
        for (int w = 0; w < 2; w++)
            if (strncmp(at, w ? "nan" : "inf", 3) == 0 &&
                (at == text || strchr(" ,[(>-\n", at[-1])) && strchr(" ,])<\n", at[3]))
                fail_msg("a number that is none is shown: %.60s", at > text + 20 ? at - 20 : text);
}

static void keep_line(void *user, const char *line) {
    piaa_text *lines = user;
    piaa_text_format(lines, NULL, "%s\n", line);
}

/* Writes the report of the run (and frees its name); gives the page. */
static char *report(char *const *folders, size_t count, const char *expected_warning) {
    piaa_error error = {0};
    piaa_text lines = {0};
    char *path = support_join(world, "r.html"), *tables = support_join(world, "r.tex");
    piaa_hooks hooks = {.user = &lines, .warn = keep_line};
    if (!piaa_page_write((const char *const *)folders, count, path, &hooks, &error))
        fail_msg("%s: %s", folders[0], error.message);
    if (!expected_warning && lines.length && piaa_gnuplot_found())
        fail_msg("%s: %s", folders[0], lines.data);
    if (expected_warning) assert_non_null(strstr(lines.data, expected_warning));
    size_t size;
    char *page = piaa_file_read(path, 1 << 26, &size, &error),
         *latex = piaa_file_read(tables, 1 << 26, &size, &error);
    assert_true(page && latex);
    xml_check(page);
    expect_words(page);
    expect_words(latex);
    free(latex);
    free(path);
    free(tables);
    free(lines.data);
    return page;
}

static void what_is_undefined_costs_its_figure_alone(void **state) {
    (void)state;
    support_clear(world);
    assert_int_equal(mkdir(world, 0700), 0);
    static const char one[] = "test,score,3,3\n", none[] = "test,score,,\n", hollow[] = "";
    const struct {
        char *folder;
        size_t undefined; /* figures that say so */
    } runs[] = {
        {make_odd_probe("nothing", "null", "null", none, 3), 6},
        {make_odd_probe("one layer", "null", "null", hollow, 1), 4},
        {make_odd_probe("no predictions", "0.5", "0.5", hollow, 3), 1},
        {make_odd_probe("holes", "0.5", "null", none, 2), 2},
        {make_odd_probe("one point", "1", "1", one, 2), 0},
        {make_odd_probe("zero", "0", "0", "test,score,0,0\n", 2), 0},
        {make_odd_probe("negative zero", "-0.0", "-0.0", "test,score,-0.0,0\n", 2), 0},
        {make_odd_probe("close", "1e-300", "1e-300", "test,score,3,3.000000000001\n", 2), 0},
        {make_odd_probe("large", "1e300", "1e300", "test,score,1e300,1e300\n", 2), 0},
        {make_odd_eval("nobody", 0, "null", "null", "", ""), 3 + 3 + 1},
        {make_odd_eval("one", 1, "0.5", "null", "3", "3"), 0},
        {make_odd_eval("two", 2, "0.5", "null", "3", "2"), 0},
        {make_odd_eval("constant", 3, "0", "0", "3", "0"), 0},
        {make_odd_eval("undefined", 3, "null", "null", "3", "3"), 2},
        {make_odd_eval("no predictions 2", 3, "0.5", "0.4", "3", ""), 2},
        {make_odd_eval("no scores", 3, "0.5", "0.4", "", "3"), 3},
        {make_odd_eval("minus zero", 3, "-0.0", "-0.0", "-0.0", "-0.0"), 0},
        {make_odd_eval("very large", 3, "1e300", "-1e300", "1e300", "1e300"), 0},
    };
    char *all[PIAA_COUNT(runs)];
    for (size_t i = 0; i < PIAA_COUNT(runs); i++) {
        char *page = report((all[i] = runs[i].folder, &all[i]), 1, NULL);
        size_t count = 0;
        for (const char *at = page; (at = strstr(at, "It is undefined")); at++) count++;
        if (count != runs[i].undefined)
            fail_msg("%s: %zu figures are undefined, not %zu", all[i], count, runs[i].undefined);
        if (piaa_gnuplot_found()) {
            expect_count(page, "<text>undefined</text>", count);
            size_t figures = 0;
            for (const char *at = page; (at = strstr(at, "<figure>")); at++) figures++;
            expect_count(page, "role=\"img\"", figures);
        }
        expect_count(page, "-0.000", 0);
        free(page);
    }
    char *page = report(all, 3, NULL);
    expect_count(page, "<section ", 3);
    for (size_t i = 0; i < PIAA_COUNT(all); i++) free(all[i]);
    free(page);
}

/* Ends of a scale that no double holds. */
static void what_gnuplot_cannot_draw_costs_its_picture_alone(void **state) {
    (void)state;
    if (!piaa_gnuplot_found()) skip();
    char *folder = make_odd_probe("too large", "0.5", "0.5",
                                  "test,score,1.7e308,-1.7e308\ntest,score,-1.7e308,1.7e308\n", 2),
         *page = report(&folder, 1, "1-scatter: the report has its data alone");
    expect_count(page, "It could not be drawn.", 1);
    expect_count(page, "role=\"img\"", 5);
    free(page);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_are_shown_as_they_are),
        cmocka_unit_test(probes_are_drawn_as_they_are),
        cmocka_unit_test(evaluations_are_shown_as_they_are),
        cmocka_unit_test(tables_of_evaluations),
        cmocka_unit_test(pages_hold_the_tables),
        cmocka_unit_test(evaluations_are_drawn_as_they_are),
        cmocka_unit_test(colours_are_those_of_the_theme),
        cmocka_unit_test(names_within_pictures_are_each_pictures_own),
        cmocka_unit_test(pools_come_in_the_order_of_the_model),
        cmocka_unit_test(names_of_layers_are_checked),
        cmocka_unit_test(what_is_undefined_costs_its_figure_alone),
        cmocka_unit_test(what_gnuplot_cannot_draw_costs_its_picture_alone),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
