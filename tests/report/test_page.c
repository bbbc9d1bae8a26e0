/* Reports of runs that somebody else wrote: names that try to break the page, the pictures and the
   tables; damaged runs; no gnuplot. */
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

/* -------------------------------------------------------------------------------- a run by hand */

static const char bad[] = "<b>a'b`touch x`\\n\\\"q\\\"_&%$^{}";
static const char *const targets[] = {"score", bad, "c"};
enum { TARGETS = 3 };

static void add_figures(piaa_text *json, const char *name, int layer) {
    piaa_text_format(json, NULL,
                     "{\"source\":\"llm_text\",\"layer\":%d,\"name\":\"%s\",\"alpha\":1", layer,
                     name);
    for (int part = 0; part < 3; part++)
        piaa_text_format(json, NULL, ",\"%s\":{\"rho\":%s,\"r2\":0.2,\"rmse\":0.3}",
                         part == 0   ? "train"
                         : part == 1 ? "val"
                                     : "test",
                         layer ? "0.5" : "null");
    piaa_text_format(json, NULL, "}");
}

/* A probe.json with two layers and three attributes. */
static char *probe_json(const char *format, int version, int layers_of_last) {
    piaa_text json = {0};
    piaa_text_format(&json, NULL,
                     "{\"format\":\"%s\",\"version\":%d,\"made\":\"2025-01-01\",\"config\":{"
                     "\"dataset\":\"<i>x\",\"prompt\":\"%s\"},"
                     "\"counts\":{\"train\":3,\"val\":2,\"test\":2},\"attrs\":{",
                     format, version, bad);
    for (int t = 0; t < TARGETS; t++) {
        piaa_text_format(&json, NULL, "%s\"%s\":{\"per_layer\":[", t ? "," : "", targets[t]);
        for (int layer = 0; layer < (t == TARGETS - 1 ? layers_of_last : 2); layer++) {
            char name[16];
            snprintf(name, sizeof name, "lt.%d", layer);
            if (layer) piaa_text_format(&json, NULL, ",");
            add_figures(&json, name, layer);
        }
        piaa_text_format(&json, NULL, "],\"best\":");
        add_figures(&json, "lt.1", 1);
        piaa_text_format(&json, NULL, "}");
    }
    piaa_text_format(&json, NULL, "},\"correlation\":{");
    for (int m = 0; m < 2; m++)
        piaa_text_format(&json, NULL, "%s\"%s\":[[1,0.9,-0.001],[0.9,1,null],[-0.001,null,1]]",
                         m ? "," : "", m ? "predictions" : "labels");
    piaa_text_format(&json, NULL, "}}");
    return json.data;
}

static const char predictions[] = "split,image_path,target,source,label,prediction\n"
                                  "train,a.jpg,score,lt.1,0.4,0.5\ntest,b.jpg,score,lt.1,0.1,0."
                                  "2\ntest,c.jpg,score,lt.1,0.9,0.7\n";

/* The folder of a run with these files (NULL: none). */
static char *make_run(const char *name, const char *json, const char *csv) {
    char *folder = support_join(world, name);
    assert_int_equal(mkdir(folder, 0700), 0);
    if (json) support_write(folder, "probe.json", json, strlen(json));
    if (csv) support_write(folder, "predictions.csv", csv, strlen(csv));
    return folder;
}

static char *slurp(const char *name) {
    size_t size;
    piaa_error error = {0};
    char *path = support_join(world, name), *text = piaa_file_read(path, 1 << 26, &size, &error);
    if (!text) fail_msg("%s", error.message);
    free(path);
    return text;
}

static bool is_there(const char *name) {
    char *path = support_join(world, name);
    bool there = piaa_file_exists(path);
    free(path);
    return there;
}

static void write_report(char *const *folders, size_t count, const char *name,
                         const piaa_hooks *hooks) {
    piaa_error error = {0};
    char *path = support_join(world, name);
    if (!piaa_page_write((const char *const *)folders, count, path, hooks, &error))
        fail_msg("%s", error.message);
    free(path);
}

/* ---------------------------------------------------------------------------------------- tests */

static void names_break_nothing(void **state) {
    (void)state;
    char *json = probe_json("piaa-probe", 1, 2), *folder = make_run("r<u>n & 1", json, predictions);
    write_report(&folder, 1, "a & <b>.html", NULL);
    char *page = slurp("a & <b>.html"), *tables = slurp("a & <b>.tex");
    xml_check(page);
    assert_null(strstr(page, "<b>a"));
    assert_null(strstr(page, "<i>x"));
    assert_non_null(strstr(page, "&lt;b&gt;a"));
    assert_non_null(strstr(tables, "$<$b$>$a'b`touch x`"));
    assert_non_null(strstr(tables, "\\_\\&\\%\\$\\textasciicircum{}\\{\\}"));
    assert_non_null(strstr(tables, "\\toprule"));
    assert_false(piaa_file_exists("x"));
    if (piaa_gnuplot_found()) {
        static const char *const figures[] = {"1-layers", "1-heat", "1-scatter", "1-labels",
                                              "1-predictions"};
        for (size_t i = 0; i < PIAA_COUNT(figures); i++) {
            char *name = piaa_format(NULL, "a & <b>-figures/%s.svg", figures[i]),
                 *svg = slurp(name);
            xml_check(svg);
            assert_non_null(strstr(svg, "viewBox"));
            free(name);
            free(svg);
        }
        assert_non_null(strstr(page, "var(--ink)"));
    }
    free(page);
    free(tables);
    free(json);
    free(folder);
}

static void count_line(void *user, const char *line) {
    size_t *count = user;
    assert_null(strchr(line, '\n'));
    assert_non_null(strstr(line, "gnuplot"));
    ++*count;
}

static void without_gnuplot_the_data_stay(void **state) {
    (void)state;
    char *json = probe_json("piaa-probe", 1, 2), *folder = make_run("plain", json, predictions),
         *path = piaa_strdup(getenv("PATH"), NULL);
    size_t lines = 0;
    piaa_hooks hooks = {.user = &lines, .warn = count_line};
    setenv("PATH", world, 1);
    write_report(&folder, 1, "plain.html", &hooks);
    setenv("PATH", path, 1);
    assert_int_equal(lines, 1);
    assert_false(is_there("plain-figures/1-layers.svg"));
    char *csv = slurp("plain-figures/1-layers.csv"), *page = slurp("plain.html");
    assert_memory_equal(csv, "source,score,", 13);
    assert_non_null(strstr(csv, "\nlt.1,0.5,0.5,0.5,0.5\n"));
    xml_check(page);
    assert_non_null(strstr(page, "gnuplot was not there"));
    free(csv);
    free(page);
    free(path);
    free(json);
    free(folder);
}

static void expect_refused(const char *name, const char *json, const char *csv, const char *part) {
    piaa_error error = {0};
    char *folder = make_run(name, json, csv);
    assert_null(piaa_run_open(folder, &error));
    if (!strstr(error.message, part) || strchr(error.message, '\n'))
        fail_msg("expected \"%s\", got: %s", part, error.message);
    free(folder);
}

static void damaged_runs_are_refused(void **state) {
    (void)state;
    char *good = probe_json("piaa-probe", 1, 2), *other = probe_json("something", 1, 2),
         *newer = probe_json("piaa-probe", 2, 2), *uneven = probe_json("piaa-probe", 1, 1),
         *half = piaa_format(NULL, "%.*s", (int)strlen(good) / 2, good);
    expect_refused("none", NULL, NULL, "is not a run");
    expect_refused("half", half, predictions, "probe.json");
    expect_refused("other", other, predictions, "not piaa's");
    expect_refused("newer", newer, predictions, "version");
    expect_refused("uneven", uneven, predictions, "same layers");
    expect_refused("array", "[]", predictions, "not piaa's");
    expect_refused("hollow", "{\"format\":\"piaa-probe\",\"version\":1,\"attrs\":{}}", predictions,
                   "no attributes");
    expect_refused("lonely", good, NULL, "predictions.csv");
    expect_refused("columns", good, "a,b\n1,2\n", "no column split");
    expect_refused("words", good, "split,target,label,prediction\ntest,score,high,low\n",
                   "line 2: \"high\" is not a number");
    free(good);
    free(other);
    free(newer);
    free(uneven);
    free(half);
}

static void complaints_of_gnuplot_are_told(void **state) {
    (void)state;
    if (!piaa_gnuplot_found()) skip();
    piaa_error error = {0};
    piaa_text out = {0};
    assert_false(piaa_gnuplot_run("plot nonsense(\n", 15, &out, &error));
    assert_non_null(strstr(error.message, "gnuplot could not draw a figure"));
    assert_null(strchr(error.message, '\n'));
    free(out.data);
    /* larger than any pipe, both ways */
    piaa_text script = {0};
    out = (piaa_text){0};
    piaa_text_format(&script, NULL, "set terminal svg\n$d << EOD\n");
    for (int i = 0; i < 40000; i++) piaa_text_format(&script, NULL, "%d %d\n", i, i * 7 % 1000);
    piaa_text_format(&script, NULL, "EOD\nplot $d with points\n");
    error = (piaa_error){0};
    if (!piaa_gnuplot_run(script.data, script.length, &out, &error)) fail_msg("%s", error.message);
    assert_true(out.length > 1000000);
    free(script.data);
    free(out.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_break_nothing),
        cmocka_unit_test(without_gnuplot_the_data_stay),
        cmocka_unit_test(damaged_runs_are_refused),
        cmocka_unit_test(complaints_of_gnuplot_are_told),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
