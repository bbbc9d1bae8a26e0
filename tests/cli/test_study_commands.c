/*
 * probe, reduce, eval, explain and report as a user runs them, from image files to the page: the
 * published predictions come out, and what people do wrong is one clear line.
 */
#include "program.h"
#include "report/xml_check.h"

#include "base/json.h"
#include "base/walk.h"

#define SAMPLE PIAA_SOURCE "/data/sample"
#define PARA "para:" PIAA_SOURCE "/data/para"

static cJSON *read_json(const char *name) {
    char *path = at(name);
    piaa_error error = {0};
    cJSON *root = piaa_json_read(path, 1 << 26, &error);
    if (!root) fail_msg("%s", error.message);
    free(path);
    return root;
}

static bool is_jpeg(const char *name) {
    return strstr(name, ".jpg");
}

static double number(const cJSON *object, const char *key) {
    double value;
    if (!piaa_json_number(object, key, &value)) fail_msg("no number %s in the JSON", key);
    return value;
}

/* ------------------------------------------------------------------------------------ the study */

static void probe_writes_the_published_keys(void **state) {
    (void)state;
    expect_ok(PIAA("probe", "--data", PARA, "--pool", "lt,v", "--layer", "3", "--augment", "gray",
                   "--out", "probe.run", ONE));
    assert_non_null(strstr(out, "overall score"));
    cJSON *root = read_json("probe.run/probe.json");
    static const char *const keys[] = {"train.rho", "train.r2", "train.rmse", "val.rho",  "val.r2",
                                       "val.rmse",  "test.rho", "test.r2",    "test.rmse"};
    const cJSON *list = piaa_json_find(root, "attrs.score.per_layer"), *entry;
    assert_int_equal(cJSON_GetArraySize(list), 2);
    cJSON_ArrayForEach(entry, list) {
        for (size_t k = 0; k < PIAA_COUNT(keys); k++) number(entry, keys[k]);
        assert_int_equal(number(entry, "layer"), 3);
    }
    assert_string_equal(piaa_json_string(cJSON_GetArrayItem(list, 0), "source"), "llm_text");
    assert_string_equal(piaa_json_string(cJSON_GetArrayItem(list, 1), "source"), "vision");
    assert_string_equal(piaa_json_string(root, "config.prompt"),
                        "Assess the aesthetics of this image.");
    assert_int_equal(number(root, "counts.train"), 320);
    assert_int_equal(number(root, "counts.test"), 80);
    /* without colour, predicted colour moves more than predicted composition */
    const cJSON *gray = piaa_json_find(root, "changes.gray");
    assert_true(number(cJSON_GetArrayItem(cJSON_GetObjectItem(gray, "color"), 0), "size") >
                number(cJSON_GetArrayItem(cJSON_GetObjectItem(gray, "composition"), 0), "size"));
    cJSON_Delete(root);
}

/* Rows of the run that the published file holds too, one by one. */
static void expect_published(const char *method, const char *support, const char *golden) {
    piaa_error error = {0};
    char *own_path = at("eval.run/predictions.csv"),
         *path = piaa_format(NULL, "%s/reference/demo/%s.csv", PIAA_GOLDEN, golden);
    piaa_csv *own = piaa_csv_open(own_path, &error), *theirs = piaa_csv_open(path, &error);
    if (!own || !theirs) fail_msg("%s", error.message);
    assert_int_equal(piaa_csv_columns(own), piaa_csv_columns(theirs));
    for (int c = 0; c < piaa_csv_columns(own); c++)
        assert_string_equal(piaa_csv_column_name(own, c), piaa_csv_column_name(theirs, c));
    size_t rows = 0, close = 0;
    while (piaa_csv_next(own, &error) == 1) {
        if (strcmp(piaa_csv_field(own, 4), method) != 0 ||
            strcmp(piaa_csv_field(own, 3), support) != 0)
            continue;
        assert_int_equal(piaa_csv_next(theirs, &error), 1);
        for (int c = 0; c < piaa_csv_columns(own); c++)
            if (c != 6) assert_string_equal(piaa_csv_field(own, c), piaa_csv_field(theirs, c));
        double a = 0, b = 9;
        assert_true(piaa_parse_number(piaa_csv_field(own, 6), &a) &&
                    piaa_parse_number(piaa_csv_field(theirs, 6), &b));
        close += fabs(a - b) < 2e-3;
        rows++;
    }
    assert_int_equal(piaa_csv_next(theirs, &error), 0);
    print_message("%s: %zu of %zu rows within 0.002\n", golden, close, rows);
    assert_int_equal(rows, 2000);
    assert_true(close * 100 >= rows * 99);
    piaa_csv_close(own);
    piaa_csv_close(theirs);
    free(own_path);
    free(path);
}

static void eval_predicts_what_was_published(void **state) {
    (void)state;
    expect_ok(PIAA("reduce", "--data", PARA, "--out", "projection.json", ONE));
    assert_non_null(strstr(out, "composition"));
    expect_ok(PIAA("eval", "--data", PARA, "--method", "linear-hidden,giaa-target,reduce",
                   "--projection", "projection.json", "--support", "10,100", "--baseline",
                   "giaa-target", "--out", "eval.run", ONE));
    expect_published("direct_linear_llm_text_L3", "large", "para_linear_hidden_LT3_large");
    expect_published("direct_linear_llm_text_L3", "small", "para_linear_hidden_LT3_small");
    expect_published("direct_linear_giaa_gt_llm_text_L3", "large", "para_giaa_target_LT3_large");
    cJSON *root = read_json("eval.run/eval.json");
    const cJSON *outcomes = piaa_json_find(root, "outcomes"), *item;
    assert_int_equal(cJSON_GetArraySize(outcomes), 6);
    size_t compared = 0;
    cJSON_ArrayForEach(item, outcomes) {
        assert_true(number(item, "spearman.low") <= number(item, "spearman.mean"));
        assert_true(number(item, "spearman.mean") <= number(item, "spearman.high"));
        const cJSON *against = cJSON_GetObjectItem(item, "comparison");
        if (!against) continue;
        compared++;
        assert_true(number(against, "p_holm") >= number(against, "p"));
    }
    assert_int_equal(compared, 4);
    const cJSON *linear = cJSON_GetArrayItem(outcomes, 3); /* large, after three of small */
    assert_true(fabs(number(linear, "spearman.mean") - 0.564) < 1e-3 &&
                fabs(number(linear, "r2.mean") - 0.305) < 1e-3);
    cJSON_Delete(root);
    /* several layers side by side, and one against another */
    expect_ok(PIAA("eval", "--data", PARA, "--layer", "3", "--pair", "lt.3+v.3", "--baseline",
                   "linear-hidden@lt.3", "--out", "pair.run", ONE));
    assert_non_null(strstr(out, "LT3+V3"));
    assert_non_null(strstr(out, "Against the baseline"));
}

static const cJSON *curve_point(const cJSON *root, const char *choose, double ratings) {
    const cJSON *item;
    cJSON_ArrayForEach(item, piaa_json_find(root, "outcomes")) {
        const char *own = piaa_json_string(item, "choose");
        if (own && strcmp(own, choose) == 0 && number(item, "ratings") == ratings) return item;
    }
    fail_msg("no point %s, %g", choose, ratings);
    return NULL;
}

/* A learning curve: the first ten random ratings are the small support, so that what is learned
   from them is what was learned before; all ratings are the same in any order. */
static void eval_draws_learning_curves(void **state) {
    (void)state;
    expect_ok(PIAA("eval", "--data", PARA, "--layer", "3", "--choose", "random,v-optimal",
                   "--support", "10,40,110", "--out", "curves.run", ONE));
    cJSON *before = read_json("eval.run/eval.json"), *root = read_json("curves.run/eval.json");
    const cJSON *small = cJSON_GetArrayItem(piaa_json_find(before, "outcomes"), 0),
                *random = curve_point(root, "random", 10);
    static const char *const figures[] = {"spearman.mean", "spearman.low", "r2.mean", "rmse.mean"};
    for (size_t i = 0; i < PIAA_COUNT(figures); i++)
        assert_true(number(small, figures[i]) == number(random, figures[i]));
    assert_true(fabs(number(curve_point(root, "random", 110), "spearman.mean") -
                     number(curve_point(root, "v-optimal", 110), "spearman.mean")) < 1e-3);
    const cJSON *chosen = curve_point(root, "v-optimal", 10);
    assert_true(number(chosen, "spearman.mean") > number(random, "spearman.mean"));
    assert_true(number(chosen, "comparison.difference.mean") > 0);
    assert_null(cJSON_GetObjectItem(random, "comparison"));
    cJSON_Delete(before);
    cJSON_Delete(root);
    char *csv = slurp("curves.run/learning_curve.csv", NULL);
    size_t lines = 0;
    for (const char *c = csv; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 7);
    assert_non_null(strstr(csv, "linear-hidden,lt.3,v-optimal,40,40,0."));
    free(csv);
}

/* The same with a prior from others. */
static void a_curve_takes_a_prior(void **state) {
    (void)state;
    expect_ok(PIAA("eval", "--data", PARA, "--layer", "3", "--first", "2", "--support", "10",
                   "--prior", "learn", "--directions", "2", "--out", "prior-few.run", ONE));
    expect_ok(PIAA("eval", "--data", PARA, "--layer", "3", "--first", "2", "--support", "10",
                   "--prior", "learn", "--directions", "2", "--choose", "random", "--out",
                   "prior-curve.run", ONE));
    cJSON *before = read_json("prior-few.run/eval.json"),
          *root = read_json("prior-curve.run/eval.json");
    const cJSON *outcomes = piaa_json_find(before, "outcomes"), *item;
    size_t same = 0;
    cJSON_ArrayForEach(item, piaa_json_find(root, "outcomes")) {
        const char *method = piaa_json_string(item, "method");
        const cJSON *other;
        cJSON_ArrayForEach(other, outcomes) {
            if (strcmp(piaa_json_string(other, "method"), method) != 0) continue;
            assert_true(number(item, "spearman.mean") == number(other, "spearman.mean"));
            same += strcmp(method, "linear-prior") == 0;
        }
    }
    assert_int_equal(same, 1);
    cJSON_Delete(before);
    cJSON_Delete(root);
}

/* Methods without features stand beside those with; what the model answered, and what a person
   costs, are told. */
static void raw_text_comes_from_a_table(void **state) {
    (void)state;
    expect_ok(PIAA("eval", "--data", PARA, "--layer", "3", "--method", "raw-text,residual-linear",
                   "--raw-text", PIAA_GOLDEN "/text/few_shot_and_raw/para_raw_text.csv",
                   "--baseline", "raw-text", "--out", "raw.run", ONE));
    assert_non_null(strstr(out, "Answers. "));
    assert_non_null(strstr(out, "Cost. "));
    assert_non_null(strstr(out, "Against the baseline"));
    cJSON *root = read_json("raw.run/eval.json");
    const cJSON *outcomes = piaa_json_find(root, "outcomes"),
                *raw = cJSON_GetArrayItem(outcomes, 0), *residual = cJSON_GetArrayItem(outcomes, 1);
    assert_string_equal(piaa_json_string(raw, "source"), "");
    assert_string_equal(piaa_json_string(residual, "source"), "lt.3");
    /* 40 people's 50 test images, and 100 that are learned from. */
    assert_true(number(raw, "answers.asked") == 2000 && number(residual, "answers.asked") == 6000);
    assert_true(fabs(number(raw, "spearman.mean") - 0.2992) < 1e-4);
    assert_true(fabs(number(residual, "spearman.mean") - 0.4495) < 1e-4);
    assert_true(number(residual, "bytes") == 193 * 8); /* weights and intercept */
    assert_non_null(piaa_json_find(residual, "comparison.p"));
    cJSON_Delete(root);
    expect_ok(PIAA("report", "raw.run", "--out", "raw.html"));
    expect_refusal(PIAA("eval", "--data", PARA, "--method", "raw-text", "--raw-text", "gone.csv",
                        "--out", "x.run", ONE),
                   1, "piaa", "gone.csv");
    expect_refusal(PIAA("eval", "--data", PARA, "--method", "raw-text", "--raw-text",
                        "raw.run/users.csv", "--out", "x.run", ONE),
                   1, "piaa", "image_path");
}

enum { SCENES = 20, RATERS = 6, TESTED = 14 };

/* twice/00.jpg and twice/00b.jpg, the same to the byte, and so on; each person rates both alike,
   and not by what they show. */
static void make_twins(void) {
    char *folder = at("twice");
    assert_int_equal(mkdir(folder, 0700), 0);
    piaa_paths names = {0};
    assert_true(piaa_folder_walk(SAMPLE "/photos", is_jpeg, &names, NULL, NULL) &&
                names.count >= SCENES);
    piaa_text csv = {0};
    assert_true(piaa_text_format(&csv, NULL, "user,path,score\n"));
    uint32_t seed = 1;
    for (int i = 0; i < SCENES; i++) {
        size_t size;
        char *bytes = piaa_file_read(names.items[i], 1 << 24, &size, NULL), name[2][16];
        assert_non_null(bytes);
        for (int k = 0; k < 2; k++) {
            snprintf(name[k], sizeof name[k], "%02d%s.jpg", i, k ? "b" : "");
            support_write(folder, name[k], bytes, size);
        }
        for (int who = 0; who < RATERS; who++) {
            seed = seed * 1664525 + 1013904223;
            for (int k = 0; k < 2; k++)
                assert_true(piaa_text_format(&csv, NULL, "p%d,%s,%d\n", who, name[k],
                                             1 + (int)(seed >> 24) % 5));
        }
        free(bytes);
    }
    support_write(folder, "all.csv", csv.data, csv.length);
    free(csv.data);
    piaa_paths_free(&names);
    free(folder);
}

/* Tests of a person's image whose twin is not tested, and so learned from. */
static int split_twins(const char *file) {
    char *text = slurp(file, NULL), tested[RATERS][2 * SCENES] = {0};
    piaa_csv *csv = piaa_csv_parse(text, strlen(text), file, NULL);
    while (piaa_csv_next(csv, NULL) == 1) {
        const char *path = piaa_csv_field(csv, piaa_csv_column(csv, "image_path")),
                   *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
                   *who = piaa_csv_field(csv, piaa_csv_column(csv, "user_id"));
        tested[who[1] - '0'][2 * atoi(name) + (name[2] == 'b')] = 1;
    }
    int split = 0;
    for (int who = 0; who < RATERS; who++)
        for (int i = 0; i < SCENES; i++) split += tested[who][2 * i] != tested[who][2 * i + 1];
    piaa_csv_close(csv);
    free(text);
    return split;
}

/* Copies in support and test give away ratings that nothing else tells; on one side they do not. */
static void copies_are_kept_apart(void **state) {
    (void)state;
    make_twins();
    expect_ok(PIAA("eval", "--data", "csv:twice/all.csv", "--support", "26", "--test", "14",
                   "--out", "twins.run", ONE));
    cJSON *root = read_json("twins.run/eval.json");
    int split = split_twins("twins.run/predictions.csv");
    char said[80];
    snprintf(said, sizeof said, "%d pairs of near copies are split between a person's", split);
    assert_non_null(strstr(err, said));
    assert_int_equal(number(root, "counts.near_copies"), split);
    assert_int_equal(number(root, "counts.near_copies_of"), RATERS);
    const cJSON *outcome = cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 0);
    assert_true(number(outcome, "spearman.mean") > 0.4);
    cJSON_Delete(root);
    expect_ok(PIAA("eval", "--data", "csv:twice/all.csv", "--support", "26", "--test", "14",
                   "--out", "apart.run", "--groups", ONE));
    root = read_json("apart.run/eval.json");
    outcome = cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 0);
    assert_true(fabs(number(outcome, "spearman.mean")) < 0.25);
    assert_int_equal(number(outcome, "support_left_out"), 0);
    assert_int_equal(split_twins("apart.run/predictions.csv"), split); /* the test is the same */
    cJSON_Delete(root);
}

static void the_report_is_a_page(void **state) {
    (void)state;
    expect_ok(
        PIAA("report", "probe.run", "eval.run", "pair.run", "curves.run", "--out", "report.html"));
    assert_int_equal(out_size, 0);
    char *page = slurp("report.html", NULL), *tables = slurp("report.tex", NULL);
    xml_check(page);
    assert_non_null(strstr(page, "demonstration model"));
    assert_non_null(strstr(page, "0.564 ["));
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "src="));
    assert_non_null(strstr(tables, "\\midrule"));
    static const char *const figures[] = {
        "1-layers",   "1-heat",    "1-scatter",   "1-labels",        "1-predictions",
        "1-changes",  "2-methods", "2-scatter",   "2-improvement-1", "2-distributions",
        "2-variance", "3-methods", "4-learning-1"};
    bool drawn = !strstr(page, "gnuplot was not there");
    for (size_t i = 0; i < PIAA_COUNT(figures); i++) {
        char *csv_name = piaa_format(NULL, "report-figures/%s.csv", figures[i]),
             *csv = slurp(csv_name, NULL);
        char *svg_name = piaa_format(NULL, "report-figures/%s.svg", figures[i]),
             *svg = drawn ? slurp(svg_name, NULL) : NULL;
        piaa_csv *rows = piaa_csv_parse(csv, strlen(csv), csv_name, NULL);
        assert_non_null(rows);
        assert_int_equal(piaa_csv_next(rows, NULL), 1);
        piaa_csv_close(rows);
        if (svg) xml_check(svg);
        free(csv_name);
        free(csv);
        free(svg_name);
        free(svg);
    }
    free(page);
    free(tables);
}

static void explain_adds_up(void **state) {
    (void)state;
    expect_ok(PIAA("embed", SAMPLE "/photos", "--out", "sample.store", ONE));
    expect_ok(PIAA("fit", "--store", "sample.store", "--ratings", SAMPLE "/ratings.csv", "--out",
                   "taste.json"));
    expect_ok(PIAA("explain", SAMPLE "/photos/iaa_pub10_0183.jpg", "--taste", "taste.json",
                   "--projection", "projection.json", "--ratings", SAMPLE "/ratings.csv", "--store",
                   "sample.store", "--csv", ONE));
    piaa_csv *csv = piaa_csv_parse(out, out_size, "out", NULL);
    assert_int_equal(piaa_csv_next(csv, NULL), 1);
    double figures[16], sum = 0;
    int count = piaa_csv_columns(csv) - 1;
    assert_int_equal(count, 4 + 6);
    for (int i = 0; i < count; i++)
        assert_true(piaa_parse_number(piaa_csv_field(csv, i + 1), &figures[i]));
    for (int i = 4; i < count; i++) sum += figures[i];
    assert_true(fabs(sum - figures[2]) < 1e-9); /* the contributions are what is accounted for */
    assert_true(fabs(figures[1] + figures[2] + figures[3] - figures[0]) <
                1e-9); /* average + accounted + rest = score */
    piaa_csv_close(csv);
    expect_ok(PIAA("explain", SAMPLE "/photos/iaa_pub10_0183.jpg", "--taste", "taste.json",
                   "--projection", "projection.json", "--ratings", SAMPLE "/ratings.csv", "--store",
                   "sample.store", ONE));
    assert_non_null(strstr(out, "from what they do not account for"));
    assert_non_null(strstr(err, "The attributes "));
    expect_ok(PIAA("explain", SAMPLE "/photos", "--taste", "taste.json", "--projection",
                   "projection.json", "--store", "sample.store", "--json", ONE));
    cJSON *root = piaa_json_parse(out, out_size, "out", NULL);
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "photos")), 60);
    cJSON_Delete(root);
}

/* Of a taste that reads several layers, also what each of them adds: with the intercept the score.
 */
static void explain_adds_up_over_layers(void **state) {
    (void)state;
    expect_ok(PIAA("embed", SAMPLE "/photos", "--out", "joined.store", "--features",
                   "lt.3+lv.1+v.5", ONE));
    expect_ok(PIAA("fit", "--store", "joined.store", "--ratings", SAMPLE "/ratings.csv",
                   "--features", "lt.3+lv.1+v.5", "--out", "joined.json"));
    expect_ok(PIAA("explain", SAMPLE "/photos/iaa_pub10_0183.jpg", "--taste", "joined.json",
                   "--projection", "projection.json", "--ratings", SAMPLE "/ratings.csv", "--store",
                   "joined.store", "--json", ONE));
    cJSON *root = piaa_json_parse(out, out_size, "out", NULL), *taste = read_json("joined.json");
    const cJSON *photo = cJSON_GetArrayItem(piaa_json_find(root, "photos"), 0), *item;
    double sum = number(taste, "intercept"), score = number(photo, "score"),
           accounted = number(photo, "accounted"), contributions = 0;
    const cJSON *layers = cJSON_GetObjectItem(photo, "layers");
    assert_int_equal(cJSON_GetArraySize(layers), 3);
    assert_string_equal(layers->child->string, "lt.3");
    cJSON_ArrayForEach(item, layers) sum += item->valuedouble;
    assert_true(fabs(sum - score) < 1e-9);
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(photo, "contributions")) contributions +=
        item->valuedouble;
    assert_true(fabs(contributions - accounted) < 1e-9);
    assert_true(fabs(number(root, "average_score") + accounted + number(photo, "rest") - score) <
                1e-9);
    cJSON_Delete(root);
    cJSON_Delete(taste);
    expect_ok(PIAA("fit", "--store", "joined.store", "--ratings", SAMPLE "/ratings.csv",
                   "--features", "lv.1+v.5", "--out", "other.json"));
    expect_refusal(PIAA("explain", SAMPLE "/photos", "--taste", "other.json", "--projection",
                        "projection.json", "--store", "joined.store"),
                   1, "piaa explain: ", "lt at layer 3, and the taste from lv.1+v.5");
}

/* --------------------------------------------------------------------------------------- faults */

static void options_are_checked_first(void **state) {
    (void)state;
    expect_refusal(PIAA("probe", "--out", "x.run"), 2, "piaa", "--data SET is missing");
    expect_refusal(PIAA("probe", "--data", PARA), 2, "piaa", "--out RUN is missing");
    expect_refusal(PIAA("probe", "--data", PARA, "--augment", "blur", "--out", "x.run"), 2, "piaa",
                   "--augment cannot be \"blur\"");
    expect_refusal(PIAA("probe", "--data", PARA, "--layer", "9", "--out", "x.run"), 2, "piaa",
                   "layers 0 to 8");
    expect_refusal(PIAA("eval", "--data", PARA, "--method", "linear-hiden", "--out", "x.run"), 2,
                   "piaa", "did you mean linear-hidden");
    expect_refusal(PIAA("eval", "--data", PARA, "--method", "reduce", "--out", "x.run"), 2, "piaa",
                   "--projection FILE");
    expect_refusal(PIAA("eval", "--data", PARA, "--support", "100,10", "--out", "x.run"), 2, "piaa",
                   "smaller number first");
    expect_refusal(PIAA("eval", "--data", PARA, "--choose", "best", "--out", "x.run"), 2, "piaa",
                   "there are v-optimal");
    expect_refusal(PIAA("eval", "--data", PARA, "--choose", "", "--out", "x.run"), 2, "piaa",
                   "names no strategy");
    expect_refusal(
        PIAA("eval", "--data", PARA, "--choose", "random", "--support", "9,9", "--out", "x.run"), 2,
        "piaa", "the smallest first");
    expect_refusal(PIAA("eval", "--data", PARA, "--choose", "random", "--baseline", "giaa-target",
                        "--out", "x.run"),
                   2, "piaa", "--baseline");
    expect_refusal(PIAA("eval", "--data", PARA, "--choose", "random", "--support", "10,111",
                        "--out", "x.run", ONE),
                   2, "piaa", "at most 110 ratings");
    expect_refusal(PIAA("eval", "--data", PARA, "--choose", "random", "--method", "raw-text",
                        "--raw-text", "gone.csv", "--out", "x.run"),
                   2, "piaa", "raw-text");
    expect_refusal(PIAA("eval", "--data", PARA, "--support", "ten", "--out", "x.run"), 2, "piaa",
                   "--support cannot be \"ten\"");
    expect_refusal(PIAA("eval", "--data", PARA, "--pair", "lt3+v5", "--out", "x.run"), 2, "piaa",
                   "lt.3+v.5");
    expect_refusal(
        PIAA("eval", "--data", PARA, "--users", "hard", "--images", "hard", "--out", "x.run"), 2,
        "piaa", "do not go together");
    expect_refusal(PIAA("eval", "--data", PARA, "--baseline", "reduce", "--out", "x.run", ONE), 2,
                   "piaa", "none of the methods");
    expect_refusal(PIAA("report", "eval.run", "--out", "report.pdf"), 2, "piaa", ".html");
    expect_refusal(PIAA("report", "--out", "report.html"), 2, "piaa", "missing");
    expect_refusal(PIAA("explain", SAMPLE "/photos", "--taste", "t.json"), 2, "piaa",
                   "--projection FILE is missing");
}

static void wrong_folders_are_named(void **state) {
    (void)state;
    expect_refusal(PIAA("probe", "--data", "aadb:" PIAA_SOURCE "/data/para", "--out", "x.run"), 1,
                   "piaa", "it looks like para:");
    expect_refusal(PIAA("probe", "--data", PIAA_SOURCE "/data/para", "--out", "x.run"), 2, "piaa",
                   "write para:");
    expect_refusal(PIAA("eval", "--data", "aadb:" PIAA_SOURCE "/data/aadb", "--out", "x.run"), 1,
                   "piaa", "no personal ratings");
    expect_refusal(PIAA("eval", "--data", PARA, "--out", "probe.run"), 2, "piaa",
                   "holds another kind of run");
    expect_refusal(PIAA("probe", "--data", PARA, "--out", "cache"), 2, "piaa", "not a run's");
    expect_refusal(PIAA("report", "cache", "--out", "x.html"), 2, "piaa", "is not a run");
    expect_refusal(PIAA("report", "nowhere", "--out", "x.html"), 2, "piaa", "is not a run");
    char *whole = slurp("eval.run/eval.json", NULL);
    char *folder = at("half.run");
    assert_int_equal(mkdir(folder, 0700), 0);
    support_write(folder, "eval.json", whole, strlen(whole) / 2);
    expect_refusal(PIAA("report", "eval.run", "half.run", "--out", "x.html"), 1, "piaa",
                   "half.run/eval.json");
    char *page = at("x.html");
    assert_false(piaa_file_exists(page));
    free(page);
    free(folder);
    free(whole);
    /* attributes of another layer */
    expect_refusal(PIAA("eval", "--data", PARA, "--method", "reduce", "--projection",
                        "projection.json", "--layer", "2", "--out", "y.run", ONE),
                   1, "piaa", "layer");
}

/* A table of one's own with a missing file, a broken picture and a row that is no rating: the run
   goes on, and the report says so. */
static void losses_are_told(void **state) {
    (void)state;
    static const char *const names[] = {"10_0183", "10_0197", "10_0199", "11_0202",
                                        "11_0218", "11_0219", "12_0221", "12_0232"};
    piaa_text csv = {0};
    piaa_text_format(&csv, NULL, "user,path,score\n");
    for (int user = 0; user < 2; user++) {
        for (size_t i = 0; i < PIAA_COUNT(names); i++)
            piaa_text_format(&csv, NULL, "%d,%s/photos/iaa_pub%s.jpg,%zu.5\n", user, SAMPLE,
                             names[i], (i * 3 + (size_t)user) % 5 + 1);
        piaa_text_format(&csv, NULL, "%d,broken.jpg,2\n%d,gone.jpg,3\n", user, user);
    }
    piaa_text_format(&csv, NULL, "1,%s/photos/iaa_pub%s.jpg,lovely\n", SAMPLE, names[0]);
    support_write(world, "own.csv", csv.data, csv.length);
    support_write(world, "broken.jpg", "no picture", 10);
    free(csv.data);
    expect_ok(PIAA("eval", "--data", "csv:own.csv", "--support", "6", "--test", "4", "--out",
                   "own.run", ONE));
    assert_non_null(strstr(err, "own.csv, line 22"));
    assert_non_null(strstr(err, "gone.jpg"));
    assert_non_null(strstr(err, "broken.jpg"));
    cJSON *root = read_json("own.run/eval.json");
    const char *loss = piaa_json_string(root, "config.loss");
    assert_non_null(strstr(loss, "1 row could not be used"));
    assert_non_null(strstr(loss, "1 image file is missing"));
    assert_int_equal(number(root, "config.unreadable"), 1);
    const cJSON *outcome = cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 0);
    assert_int_equal(number(outcome, "support_left_out") + number(outcome, "test_left_out"),
                     4); /* two images of two people */
    cJSON_Delete(root);
    expect_ok(PIAA("report", "own.run", "--out", "own.html"));
    char *page = slurp("own.html", NULL);
    xml_check(page);
    assert_non_null(strstr(page, "1 row could not be used; 1 image file is missing"));
    assert_non_null(strstr(page, "; 1 image file could not be read"));
    free(page);
}

/* A table of the sample's photos: its first photo's name, then whose rows they are, and the
   rest. */
static void put_table(const char *header, const char *const *rows) {
    piaa_text text = {0};
    DIR *open = opendir(SAMPLE "/photos");
    assert_non_null(open);
    assert_true(piaa_text_format(&text, NULL, "%s\n", header));
    for (struct dirent *entry; *rows && (entry = readdir(open));)
        if (piaa_path_ends(entry->d_name, ".jpg"))
            assert_true(
                piaa_text_format(&text, NULL, SAMPLE "/photos/%s,%s\n", entry->d_name, *rows++));
    closedir(open);
    assert_null(*rows); /* there were as many photos */
    support_write(world, "table.csv", text.data, text.length);
    free(text.data);
}

static void tables_say_what_they_lack(void **state) {
    (void)state;
    put_table("path,score", (const char *const[]){"1", "2", "3", "4", "5", NULL});
    expect_refusal(PIAA("probe", "--data", "csv:table.csv", "--out", "none.run", ONE), 1, "piaa",
                   "table.csv has no column named split that says train");
    put_table("path,split,score", (const char *const[]){",1", ",2", ",3", ",4", ",5", NULL});
    expect_refusal(PIAA("probe", "--data", "csv:table.csv", "--out", "none.run", ONE), 1, "piaa",
                   "table.csv has no column named split that says train");
    expect_ok(PIAA("eval", "--data", "csv:table.csv", "--support", "1,2", "--test", "2", "--out",
                   "one.run", ONE));
    assert_non_null(strstr(err, "no column says who rated, so all ratings are taken for one"));
    put_table("path,Rater No.,score",
              (const char *const[]){"7,1", "7,2", "7,3", "7,4", "7,5", "8,1", "8,2", "8,3", "8,5",
                                    "8,4", NULL});
    expect_ok(PIAA("eval", "--data", "csv:table.csv", "--support", "1,2", "--test", "2", "--out",
                   "two.run", ONE));
    assert_null(strstr(err, "no column says who rated"));
    assert_non_null(strstr(err, "column \"Rater No.\" as the user"));
}

/* The blank costs "light" one image; the table and the JSON say so, and the page is made. */
static void blanks_are_counted(void **state) {
    (void)state;
    put_table("path,split,light,score",
              (const char *const[]){"train,1,1", "train,,2", "train,3,3", "train,2,5", "train,5,4",
                                    "val,1,3", "val,4,1", "val,3,4", "test,N/A,2", "test,2,4",
                                    "test,5,1", NULL});
    expect_ok(PIAA("probe", "--data", "csv:table.csv", "--pool", "lt", "--layer", "3", "--out",
                   "gaps.run", ONE));
    assert_non_null(strstr(out, "Images"));
    assert_non_null(strstr(out, "5, 3"));
    assert_non_null(strstr(out, "4, 2"));
    cJSON *root = read_json("gaps.run/probe.json");
    assert_int_equal(number(root, "counts.train"), 5);
    assert_int_equal(number(root, "counts.without_label"), 0);
    const cJSON *light = cJSON_GetArrayItem(piaa_json_find(root, "attrs.light.per_layer"), 0),
                *score = cJSON_GetArrayItem(piaa_json_find(root, "attrs.score.per_layer"), 0);
    assert_int_equal(number(light, "train.n"), 4);
    assert_int_equal(number(light, "test.n"), 2);
    assert_int_equal(number(score, "train.n"), 5);
    cJSON_Delete(root);
    expect_ok(PIAA("report", "gaps.run", "--out", "gaps.html"));
    expect_ok(PIAA("reduce", "--data", "csv:table.csv", "--out", "gaps.json", ONE));
    assert_non_null(strstr(out, "     4  light"));
}

/* Learned once, used by rank and fit, judged by eval; what does not go together is named. */
static void a_prior_is_learned_and_used(void **state) {
    (void)state;
    expect_ok(PIAA("prior", "--data", PARA, "--layer", "3", "--directions", "8", "--out",
                   "prior.json", ONE));
    assert_non_null(strstr(out, "people      40\nratings     7557\nphotos      400\n"));
    assert_non_null(strstr(out, "directions  8"));
    assert_non_null(strstr(out, "Spearman of a person with the mean of the others"));
    cJSON *root = read_json("prior.json");
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "photos")), 400);
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "directions")), 8);
    cJSON_Delete(root);
    expect_ok(PIAA("rank", SAMPLE "/photos", "--ratings", SAMPLE "/ratings.csv", "--layer", "3",
                   "--prior", "prior.json", ONE));
    assert_null(strstr(err, "mapped"));
    /* a store for fit, with a table on another scale */
    expect_ok(PIAA("embed", SAMPLE "/photos", "--layer", "3", "--out", "own.store", ONE));
    piaa_text csv = {0};
    piaa_text_format(&csv, NULL, "path,score\n");
    static const char *const names[] = {"10_0183", "10_0197", "10_0199", "11_0202",
                                        "11_0218", "11_0219", "12_0221", "12_0232"};
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        piaa_text_format(&csv, NULL, "%s/photos/iaa_pub%s.jpg,%zu\n", SAMPLE, names[i],
                         (i * 37) % 100);
    support_write(world, "percent.csv", csv.data, csv.length);
    free(csv.data);
    expect_ok(PIAA("fit", "--store", "own.store", "--ratings", "percent.csv", "--prior",
                   "prior.json", "--out", "taste.json"));
    assert_non_null(strstr(err, "not on the prior's scale, 1 to 5"));
    expect_ok(PIAA("predict", SAMPLE "/photos", "--taste", "taste.json", ONE));
    /* what does not go together */
    expect_refusal(PIAA("rank", SAMPLE "/photos", "--ratings", SAMPLE "/ratings.csv", "--layer",
                        "2", "--prior", "prior.json", ONE),
                   1, "piaa", "learned from lt.3, not from lt.2");
    expect_refusal(PIAA("rank", SAMPLE "/photos", "--ratings", SAMPLE "/ratings.csv", "--prior",
                        "taste.json", ONE),
                   1, "piaa", "taste.json is not a prior");
    expect_refusal(PIAA("eval", "--data", PARA, "--layer", "3", "--prior", "prior.json", "--out",
                        "z.run", ONE),
                   1, "piaa", "learn it inside with --prior learn");
    expect_refusal(PIAA("eval", "--data", PARA, "--layer", "3", "--method", "linear-prior", "--out",
                        "z.run", ONE),
                   2, "piaa", "give --prior learn");
    expect_refusal(
        PIAA("prior", "--data", "aadb:" PIAA_SOURCE "/data/aadb", "--out", "z.json", ONE), 1,
        "piaa", "holds no personal ratings");
    expect_refusal(PIAA("prior", "--data", "csv:percent.csv", "--out", "z.json", ONE), 1, "piaa",
                   "name the column with --user-column");
    expect_refusal(PIAA("prior", "--data", PARA, "--out", "taste.json", ONE), 2, "piaa",
                   "taste.json");
}

/* Inside an evaluation from everybody else, and from a file of other people. */
static void a_prior_is_judged(void **state) {
    (void)state;
    expect_ok(PIAA("eval", "--data", PARA, "--first", "3", "--layer", "3", "--support", "10",
                   "--prior", "learn", "--out", "prior.run", ONE));
    assert_non_null(strstr(out, "linear-prior"));
    assert_non_null(strstr(out, "the mean of everybody else's by 0."));
    cJSON *root = read_json("prior.run/eval.json");
    assert_string_equal(piaa_json_string(root, "config.prior"), "learn");
    assert_true(number(root, "others.low") < number(root, "others.mean"));
    assert_null(
        cJSON_GetObjectItem(cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 0), "seen"));
    cJSON_Delete(root);
    expect_ok(PIAA("eval", "--data", "lapis:" PIAA_SOURCE "/data/lapis", "--layer", "3",
                   "--support", "10", "--prior", "prior.json", "--out", "prior.run", ONE));
    assert_non_null(strstr(out, "Raters apart"));
    root = read_json("prior.run/eval.json");
    const cJSON *item = cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 1);
    assert_string_equal(piaa_json_string(item, "method"), "linear-prior");
    assert_int_equal(number(item, "seen.users"), 0);
    assert_int_equal(number(item, "unseen.users"), 24);
    assert_true(number(item, "unseen.mean") == number(item, "spearman.mean"));
    cJSON_Delete(root);
    expect_ok(PIAA("report", "prior.run", "--out", "prior.html"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_writes_the_published_keys),
        cmocka_unit_test(eval_predicts_what_was_published),
        cmocka_unit_test(eval_draws_learning_curves),
        cmocka_unit_test(raw_text_comes_from_a_table),
        cmocka_unit_test(copies_are_kept_apart),
        cmocka_unit_test(the_report_is_a_page),
        cmocka_unit_test(explain_adds_up),
        cmocka_unit_test(explain_adds_up_over_layers),
        cmocka_unit_test(options_are_checked_first),
        cmocka_unit_test(wrong_folders_are_named),
        cmocka_unit_test(losses_are_told),
        cmocka_unit_test(tables_say_what_they_lack),
        cmocka_unit_test(blanks_are_counted),
        cmocka_unit_test(a_prior_is_learned_and_used),
        cmocka_unit_test(a_prior_is_judged),
        cmocka_unit_test(a_curve_takes_a_prior),
    };
    return cmocka_run_group_tests(tests, program_begin, program_end);
}
