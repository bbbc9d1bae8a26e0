/*
 * The built program, run as a user runs it: every command on sample photos with the demonstration
 * model, and every bad input that people give: exit codes, one plain line on standard error,
 * nothing but data on standard output, and nothing lost that was done before.
 */
#include "program.h"

#include "base/json.h"
#include "base/walk.h"
#include "features/store.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* The world of all tests: photos/ (8 of the sample), ratings.csv (5 of them), cache/. */
enum { PHOTOS = 8, RATED = 5 };
static const double scores[RATED] = {4, 4.5, 2.5, 2.5, 3};

static cJSON *parse_out(void) {
    piaa_error error = {0};
    cJSON *root = piaa_json_parse(out, out_size, "standard output", &error);
    if (!root) fail_msg("%s", error.message);
    return root;
}

static double number(const cJSON *object, const char *key) {
    double value;
    if (!piaa_json_number(object, key, &value)) fail_msg("no number %s in the JSON", key);
    return value;
}

static void copy(const char *from, const char *to, double part) {
    piaa_error error = {0};
    size_t size;
    char *bytes = piaa_file_read(from, (size_t)1 << 30, &size, &error);
    if (!bytes) fail_msg("%s", error.message);
    support_write(world, to, bytes, (size_t)((double)size * part));
    free(bytes);
}

static void copy_sample(int index, const char *to, double part) {
    char *from = piaa_format(NULL, "%s/data/sample/photos/%s.jpg", PIAA_SOURCE, sample_name(index));
    copy(from, to, part);
    free(from);
}

static int set_up(void **state) {
    program_begin(state);
    make_folder("photos");
    put("in", "");
    piaa_text csv = {0};
    assert_true(piaa_text_format(&csv, NULL, "score,who,path\n")); /* any order, more columns */
    for (int i = 0; i < PHOTOS; i++) {
        char *name = piaa_format(NULL, "photos/%s.jpg", sample_name(i));
        copy_sample(i, name, 1);
        if (i < RATED) assert_true(piaa_text_format(&csv, NULL, "%g,me,%s\n", scores[i], name));
        free(name);
    }
    support_write(world, "ratings.csv", csv.data, csv.length);
    free(csv.data);
    return 0;
}

/* ------------------------------------------------------------------------------- help and names */

static void test_help(void **state) {
    (void)state;
    assert_int_equal(program_run((program_way){0}, (const char *const[]){"piaa", NULL}), 2);
    assert_int_equal(out_size, 0);
    assert_non_null(strstr(err, "Commands\n"));
    expect_ok(PIAA("--version"));
    char *version = piaa_format(NULL, "piaa %s\nbuilt with", piaa_version());
    assert_memory_equal(out, version, strlen(version));
    assert_non_null(strstr(out, "oneDNN"));
    free(version);
    static const char *const commands[] = {"rank",       "embed",      "fit",        "predict",
                                           "store info", "store list", "model info", "model tokens",
                                           "help",       "completion", "bench"};
    expect_ok(PIAA("help"));
    for (size_t i = 0; i < PIAA_COUNT(commands); i++) assert_non_null(strstr(out, commands[i]));
    for (size_t i = 0; i < PIAA_COUNT(commands); i++) {
        char first[32], *second;
        snprintf(first, sizeof first, "%s", commands[i]);
        second = strchr(first, ' ');
        if (second) *second++ = '\0';
        expect_ok(second ? PIAA(first, second, "--help") : PIAA(first, "--help"));
        char *shown = piaa_strdup(out, NULL),
             *usage = piaa_format(NULL, "Usage: piaa %s", commands[i]);
        assert_non_null(strstr(shown, usage));
        free(usage);
        expect_ok(second ? PIAA("help", first, second) : PIAA("help", first));
        assert_string_equal(out, shown);
        free(shown);
    }
    expect_ok(PIAA("help", "--man"));
    assert_memory_equal(out, ".TH PIAA 1", 10);
    expect_ok(PIAA("completion", "bash"));
    assert_non_null(strstr(out, "complete -F _piaa piaa"));
    expect_ok(PIAA("completion", "zsh"));
    expect_ok(PIAA("completion", "fish"));
}

static void test_usage(void **state) {
    (void)state;
    expect_refusal(PIAA("rnak"), 2, "piaa: ", "unknown command rnak, did you mean rank?");
    expect_refusal(PIAA("store"), 2, "piaa: ", "store info, store list, store prune");
    expect_refusal(PIAA("store", "inof", "x"), 2, "piaa: ", "did you mean store info?");
    expect_refusal(PIAA("rank", "photos", "--rating", "x"), 2,
                   "piaa rank: ", "unknown option --rating, did you mean --ratings?");
    expect_refusal(PIAA("rank", "photos"), 2, "piaa rank: ", "--ratings FILE is missing");
    expect_refusal(PIAA("rank", "--ratings", "ratings.csv"), 2,
                   "piaa rank: ", "arguments are missing");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--json", "--csv"), 2,
                   "piaa rank: ", "--json and --csv do not go together");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--top", "0"), 2,
                   "piaa rank: ", "whole number");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--sheet", "x.bmp"), 2,
                   "piaa rank: ", ".jpg, .png or .webp");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--layer", "1,2"), 2,
                   "piaa rank: ", "one pool at one layer");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--layer", "9"), 2,
                   "piaa rank: ", "layers 0 to 8");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--pool", "xx"), 2,
                   "piaa rank: ", "not a pool");
    expect_refusal(PIAA("embed", "photos", "--out", "s", "--dtype", "f99"), 2,
                   "piaa embed: ", "use one of auto");
    expect_refusal(PIAA("embed", "photos", "--out", "s", "--max-pixels", "3"), 2,
                   "piaa embed: ", "out of range");
    expect_refusal(PIAA("predict", "--taste", "t.json"), 2, "piaa predict: ", "nothing to score");
    expect_refusal(PIAA("store", "info"), 2, "piaa store info: ", "missing");
}

/* -------------------------------------------------------------------------------------- ranking */

static void test_rank(void **state) {
    (void)state;
    expect_ok(
        PIAA("rank", "photos", "--ratings", "ratings.csv", "--json", "--sheet", "sheet.jpg", ONE));
    assert_non_null(strstr(err, "This is the demonstration model"));
    assert_non_null(strstr(err, "Learned from 5 ratings; typical error ± "));
    cJSON *root = parse_out();
    const cJSON *photos = piaa_json_find(root, "photos");
    assert_int_equal(cJSON_GetArraySize(photos), PHOTOS);
    assert_int_equal(number(root, "ratings"), RATED);
    double last = HUGE_VAL, plus_minus = number(root, "plus_minus");
    int rated = 0;
    for (int i = 0; i < PHOTOS; i++) {
        const cJSON *photo = cJSON_GetArrayItem(photos, i);
        assert_true(number(photo, "score") <= last);
        last = number(photo, "score");
        assert_int_equal(number(photo, "rank"), i + 1);
        const char *name = piaa_path_name(piaa_json_string(photo, "path"));
        for (int r = 0; r < RATED; r++)
            if (strncmp(name, sample_name(r), strlen(sample_name(r))) == 0) {
                assert_true(number(photo, "rating") == scores[r]);
                rated++;
            }
    }
    assert_int_equal(rated, RATED);
    assert_true(plus_minus > 0 && plus_minus < 5);
    piaa_image sheet = {0};
    char *path = at("sheet.jpg");
    assert_true(piaa_image_read(path, PIAA_EXIF_IGNORE, &sheet, NULL));
    assert_true(sheet.width > 1000);
    piaa_image_free(&sheet);
    free(path);

    /* again, from the features that were kept: as CSV, the same numbers to the last bit */
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--csv", "--top", "3", ONE));
    piaa_csv *csv = piaa_csv_parse(out, out_size, "out", NULL);
    assert_non_null(csv);
    int rows = 0;
    for (; piaa_csv_next(csv, NULL) == 1; rows++) {
        const cJSON *photo = cJSON_GetArrayItem(photos, rows);
        double score;
        assert_true(piaa_parse_number(piaa_csv_field(csv, piaa_csv_column(csv, "score")), &score));
        assert_true(score == number(photo, "score"));
        assert_string_equal(piaa_csv_field(csv, piaa_csv_column(csv, "path")),
                            piaa_json_string(photo, "path"));
    }
    assert_int_equal(rows, 3);
    piaa_csv_close(csv);
    cJSON_Delete(root);

    /* a table: paths relative to where one is; photos that are rated but not listed are learned
       from; each photo is listed once */
    expect_ok(PIAA("rank", "photos/iaa_pub10_0197.jpg", "photos/iaa_pub11_0202.jpg",
                   "photos/iaa_pub10_0197.jpg", "--ratings", "ratings.csv", ONE));
    assert_memory_equal(out, "rank  score ± ", 15);
    assert_non_null(strstr(err, "Learned from 5 ratings"));
    assert_non_null(strstr(err, "2 photos ranked"));
    assert_non_null(strstr(out, "   4.5  photos/iaa_pub11_0202.jpg\n"));
    int lines = 0;
    for (const char *c = out; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 3);
}

static bool any(const char *name) {
    return *name;
}

/* A JPEG file with a comment more: other bytes, the same picture. */
static void save_again(const char *from, const char *to) {
    static const char comment[] = "\xff\xfe\0\5hm?";
    size_t size;
    char *bytes = piaa_file_read(from, 1 << 24, &size, NULL);
    piaa_text text = {0};
    assert_true(bytes && piaa_text_add(&text, bytes, 2, NULL) &&
                piaa_text_add(&text, comment, sizeof comment - 1, NULL) &&
                piaa_text_add(&text, bytes + 2, size - 2, NULL));
    support_write(world, to, text.data, text.length);
    free(text.data);
    free(bytes);
}

/* What `piaa rank` says of photos in the folder "lib", rated in lib/ratings.csv; to be deleted. */
static cJSON *rank_lib(void) {
    expect_ok(PIAA("rank", "lib", "--ratings", "lib/ratings.csv", "--json", ONE));
    return parse_out();
}

static const cJSON *photo_of(const cJSON *root, const char *name) {
    const cJSON *photo = NULL;
    cJSON_ArrayForEach(photo, piaa_json_find(root, "photos")) {
        const char *path = piaa_json_string(photo, "path");
        if (strcmp(path + strlen(path) - strlen(name), name) == 0) return photo;
    }
    fail_msg("%s is not ranked", name);
    return NULL;
}

/* Ratings that mean nothing, of twelve photos; then copies of three of them: two byte for byte, of
 * which one is rated otherwise, and one saved again.  None of them tells anything new, and none is
 * scored by a model that has seen the rating. */
/* Several layers side by side, from photos to scores: rank; embed, which keeps what is asked for
   and nothing else; fit, and predict, which asks for what the taste reads. */
static void test_features(void **state) {
    (void)state;
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--features", "lt.3+lv.1+v.5",
                   "--json", ONE));
    cJSON *root = parse_out();
    assert_string_equal(piaa_json_string(root, "features"), "lt.3+lv.1+v.5");
    assert_null(piaa_json_find(root, "pool"));
    const double ranked =
        number(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "photos"), 7), "score");
    cJSON_Delete(root);
    expect_ok(PIAA("embed", "photos", "--out", "joined", "--features", "v.5+lt.3", ONE));
    expect_ok(PIAA("store", "info", "joined"));
    assert_true(strstr(out, "lt.3") && strstr(out, "v.5") && !strstr(out, "lt.5") &&
                !strstr(out, "v.3"));
    expect_ok(PIAA("fit", "--store", "joined", "--ratings", "ratings.csv", "--features",
                   "all-pools", "--learner", "banded", "--out", "joined.json"));
    assert_non_null(strstr(err, "lt.3+v.5"));
    expect_ok(PIAA("predict", "--taste", "joined.json", "--store", "joined", "--csv"));
    char *stored = piaa_strdup(out, NULL);
    expect_ok(PIAA("predict", "photos", "--taste", "joined.json", "--csv", ONE));
    assert_string_equal(out, stored);
    free(stored);
    assert_true(isfinite(ranked));

    expect_refusal(PIAA("fit", "--store", "joined", "--ratings", "ratings.csv", "--features",
                        "lt.3+lv.1", "--out", "-"),
                   1, "piaa fit: ", "holds no vectors of pool lv at layer 1");
    expect_refusal(PIAA("fit", "--store", "joined", "--ratings", "ratings.csv", "--features",
                        "lt.3", "--layer", "3", "--out", "-"),
                   2, "piaa fit: ", "--features and --layer do not go together");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--features", "lt.3+lv.9"), 2,
                   "piaa rank: ", "there is no lv.9: this model has the pool lv at layers 0 to 8");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--features", "lt,3"), 2,
                   "piaa rank: ", "does not name features");
    expect_ok(PIAA("embed", "photos", "--out", "one", "--features", "lt.3", ONE));
    expect_refusal(PIAA("predict", "--taste", "joined.json", "--store", "one"), 1,
                   "piaa predict: ", "holds no v.5, and the taste was learned from lt.3+v.5");
    expect_refusal(PIAA("predict", "photos", "--taste", "joined.json", "--layer", "3"), 1,
                   "piaa predict: ", "learned from lt.3+v.5, and these features have no v.5");
}

static void test_copies(void **state) {
    (void)state;
    static const int ratings[] = {4, 1, 3, 5, 2, 2, 5, 1, 4, 3, 2, 4};
    char *folder = at("lib");
    assert_true(mkdir(folder, 0700) == 0);
    piaa_paths names = {0};
    assert_true(piaa_folder_walk(PIAA_SOURCE "/data/sample/photos", any, &names, NULL, NULL) &&
                names.count > PIAA_COUNT(ratings));
    piaa_text csv = {0};
    assert_true(piaa_text_format(&csv, NULL, "path,score\n"));
    for (size_t i = 0; i < PIAA_COUNT(ratings); i++) {
        char to[32];
        snprintf(to, sizeof to, "lib/%zu.jpg", i);
        copy(names.items[i], to, 1);
        assert_true(piaa_text_format(&csv, NULL, "%zu.jpg,%d\n", i, ratings[i]));
    }
    support_write(folder, "ratings.csv", csv.data, csv.length);
    cJSON *before = rank_lib();
    assert_null(strstr(err, "copies"));
    double plus_minus = number(before, "plus_minus");

    copy(names.items[3], "lib/copy.jpg", 1);
    copy(names.items[4], "lib/rated.jpg", 1);
    save_again(names.items[6], "lib/again.jpg");
    cJSON *after = rank_lib();
    assert_null(strstr(err, "copies")); /* of rated photos: there are none */
    assert_true(number(after, "plus_minus") == plus_minus);
    assert_true(number(photo_of(after, "/3.jpg"), "score") ==
                number(photo_of(after, "/copy.jpg"), "score"));
    assert_true(number(photo_of(after, "/copy.jpg"), "rating") == ratings[3]);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(photo_of(after, "/again.jpg"), "rating")));
    assert_true(fabs(number(photo_of(after, "/6.jpg"), "score") -
                     number(photo_of(after, "/again.jpg"), "score")) < 1e-9);
    cJSON_Delete(after);

    assert_true(piaa_text_format(&csv, NULL, "copy.jpg,5\nrated.jpg,1\nagain.jpg,5\n"));
    support_write(folder, "ratings.csv", csv.data, csv.length);
    after = rank_lib();
    assert_non_null(strstr(err, "2 of 15 rated photos are copies of others, byte for byte"));
    assert_non_null(strstr(err, "rated.jpg (1, and "));
    assert_non_null(strstr(err, "12 different photos of the 13 rated ones"));
    assert_int_equal(number(after, "ratings"), 13);
    assert_true(number(photo_of(after, "/rated.jpg"), "rating") == 1.5);
    assert_true(fabs(number(after, "plus_minus") / plus_minus - 1) < 0.2);
    cJSON_Delete(after);
    cJSON_Delete(before);
    piaa_paths_free(&names);
    free(csv.data);
    support_remove(folder);
}

/* Embed, look, fit, predict: the same scores as one rank. */
static void test_store(void **state) {
    (void)state;
    expect_ok(PIAA("embed", "photos", "--out", "store", "--pool", "lt,v", "--layer", "0,3", ONE));
    assert_int_equal(out_size, 0);
    assert_non_null(strstr(err, "8 photos: 8 read;"));
    expect_ok(PIAA("embed", "photos", "--out", "store", "--pool", "lt,v", "--layer", "0,3", ONE));
    assert_non_null(strstr(err, "8 photos: 8 unchanged;"));
    expect_ok(PIAA("store", "info", "store", "--json"));
    cJSON *root = parse_out();
    assert_int_equal(number(root, "photos"), PHOTOS);
    assert_int_equal(number(root, "rows"), PHOTOS);
    assert_string_equal(piaa_json_string(root, "dtype"), "f32");
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "matrices")), 4);
    cJSON_Delete(root);
    expect_ok(PIAA("store", "info", "store"));
    assert_non_null(strstr(out, "lt.3.npy, 192 columns, 8 rows filled"));
    expect_ok(PIAA("store", "list", "store", "--json"));
    root = parse_out();
    assert_int_equal(cJSON_GetArraySize(root), PHOTOS);
    assert_int_equal(strlen(piaa_json_string(cJSON_GetArrayItem(root, 0), "hash")), 64);
    cJSON_Delete(root);
    expect_ok(PIAA("store", "list", "store", "--csv"));
    piaa_csv *csv = piaa_csv_parse(out, out_size, "out", NULL);
    int rows = 0;
    while (piaa_csv_next(csv, NULL) == 1) rows++;
    assert_int_equal(rows, PHOTOS);
    piaa_csv_close(csv);
    expect_ok(PIAA("store", "list", "store", "--failed"));
    assert_int_equal(out_size, 0);

    expect_refusal(
        PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "taste.json"), 2,
        "piaa fit: ", "--pool and --layer");
    expect_refusal(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out",
                        "taste.json", "--layer", "7"),
                   2, "piaa fit: ", "lt.0, lt.3, v.0, v.3");
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "taste.json",
                   "--pool", "lt", "--layer", "3"));
    assert_int_equal(out_size, 0);
    assert_non_null(strstr(err, "Learned from 5 ratings, lt at layer 3; typical error ± "));
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "-", "--pool",
                   "lt", "--layer", "3"));
    cJSON_Delete(parse_out());
    /* LT0 is the same for every photo */
    expect_ok(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out", "flat.json",
                   "--pool", "lt", "--layer", "0"));
    assert_non_null(strstr(err, "warning: "));

    expect_ok(PIAA("predict", "--taste", "taste.json", "--store", "store", "--csv"));
    char *by_store = piaa_strdup(out, NULL);
    expect_ok(PIAA("predict", "--taste", "taste.json", "photos", "--csv", ONE));
    assert_string_equal(out, by_store);
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--csv", ONE));
    csv = piaa_csv_parse(out, out_size, "out", NULL);
    int same = 0;
    while (piaa_csv_next(csv, NULL) == 1) {
        char *line =
            piaa_format(NULL, ",%s,%s,,%s,%s,%s\n", piaa_csv_field(csv, 1), piaa_csv_field(csv, 2),
                        piaa_csv_field(csv, 4), piaa_csv_field(csv, 5), piaa_csv_field(csv, 6));
        same += !*piaa_csv_field(csv, 3) &&
                strstr(by_store, line); /* those not rated: the same number from another store */
        free(line);
    }
    assert_int_equal(same, PHOTOS - RATED);
    piaa_csv_close(csv);
    free(by_store);

    /* settings other than the usual come from the taste, and another model is refused */
    expect_ok(PIAA("embed", "photos", "--out", "small.store", "--max-pixels", "9000", "--exif",
                   "ignore", "--prompt", "Hm?", ONE));
    expect_ok(
        PIAA("fit", "--store", "small.store", "--ratings", "ratings.csv", "--out", "small.json"));
    expect_ok(PIAA("predict", "--taste", "small.json", "--store", "small.store", "--csv"));
    by_store = piaa_strdup(out, NULL);
    expect_ok(PIAA("predict", "--taste", "small.json", "photos", "--csv", ONE));
    assert_string_equal(out, by_store);
    free(by_store);
    expect_refusal(PIAA("predict", "--taste", "taste.json", "--store", "small.store"), 1,
                   "piaa predict: ", "Hm?");
    expect_refusal(
        PIAA("predict", "--taste", "taste.json", "photos", "--model", PIAA_GOLDEN "/qwen3vl", ONE),
        1, "piaa predict: ", "tests/golden/qwen3vl");
    expect_refusal(PIAA("predict", "--taste", "taste.json", "photos", "--prompt", "Hm.", ONE), 1,
                   "piaa predict: ", "Hm.");
    expect_refusal(PIAA("predict", "--taste", "ratings.csv", "photos", ONE), 1,
                   "piaa predict: ", "ratings.csv");
    expect_refusal(PIAA("predict", "--taste", "nowhere.json", "photos", ONE), 1,
                   "piaa predict: ", "nowhere.json");
}

static void test_bench(void **state) {
    (void)state;
    expect_ok(PIAA("bench", "photos/iaa_pub10_0183.jpg", "--repeat", "2", "--profile", ONE));
    piaa_csv *csv = piaa_csv_parse(out, out_size, "out", NULL);
    double value;
    assert_non_null(csv);
    assert_int_equal(piaa_csv_next(csv, NULL), 1);
    static const char *const columns[] = {"width",   "height", "tokens", "prepare_s",
                                          "model_s", "cpu_s",  "gflop",  "gflop_per_s"};
    for (size_t i = 0; i < PIAA_COUNT(columns); i++) {
        assert_true(
            piaa_parse_number(piaa_csv_field(csv, piaa_csv_column(csv, columns[i])), &value));
        assert_true(value > 0);
    }
    assert_int_equal(piaa_csv_next(csv, NULL), 0);
    piaa_csv_close(csv);
    assert_non_null(strstr(err, "# "));
    assert_non_null(strstr(err, "node,count,seconds,share"));
}

static void test_model(void **state) {
    (void)state;
    expect_ok(PIAA("model", "info", "--json"));
    cJSON *root = parse_out();
    assert_string_equal(piaa_json_string(root, "family"), "Qwen3-VL");
    assert_int_equal(number(root, "decoder_layers"), 8);
    assert_int_equal(number(root, "default_layer"), 3);
    assert_true(cJSON_IsTrue(piaa_json_find(root, "demonstration")));
    cJSON_Delete(root);
    expect_ok(PIAA("model", "info"));
    assert_non_null(strstr(out, "demonstration model"));

    char *folder = piaa_format(NULL, "%s/models/demo", PIAA_SOURCE),
         *file = piaa_format(NULL, "%s/models/demo/tokenizer.json", PIAA_SOURCE);
    expect_ok(PIAA("model", "tokens", folder, "Assess <|im_start|> é"));
    char *ids = piaa_strdup(out, NULL);
    assert_true(strchr(ids, '\n') == ids + strlen(ids) - 1);
    put("in", "Assess <|im_start|> é");
    expect_ok(PIAA("model", "tokens", file, "-"));
    assert_string_equal(out, ids);
    expect_ok(PIAA("model", "tokens", file, "-", "--json"));
    root = parse_out();
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "ids")),
                     cJSON_GetArraySize(piaa_json_find(root, "pieces")));
    cJSON_Delete(root);
    /* bytes as they are: a NUL and what is not UTF-8 included; no last newline is added or taken */
    support_write(world, "in", "a\0b\xff\n", 5);
    expect_ok(PIAA("model", "tokens", file, "-"));
    put("in", "a");
    free(ids);
    ids = piaa_strdup(out, NULL);
    expect_ok(PIAA("model", "tokens", file, "-"));
    assert_string_not_equal(out, ids);
    expect_ok(PIAA("model", "tokens", file, ""));
    assert_string_equal(out, "\n");
    put("in", "");
    expect_refusal(PIAA("model", "tokens", "nowhere", "x"), 1, "piaa model tokens: ", "nowhere");
    free(ids);
    free(folder);
    free(file);
}

/* ----------------------------------------------------------------------------------- bad photos */

static void test_bad_photos(void **state) {
    (void)state;
    make_folder("mixed");
    copy_sample(5, "mixed/good.jpg", 1);
    copy_sample(6, "mixed/truncated.jpg", 0.5);
    put("mixed/zero.jpg", "");
    put("mixed/text.jpg", "These are words.\n");
    put("mixed/notes.txt", "Not by its name a photo: passed over.\n");
    char *good = at("mixed/good.jpg"), *copied = at("mixed/again.jpg");
    copy(good, "mixed/again.jpg", 1);
    expect_ok(PIAA("embed", "mixed", "--out", "mixed.store", ONE));
    assert_non_null(strstr(err, "5 photos: 1 read, 1 with the content of another, 3 unreadable;"));
    assert_non_null(strstr(err, "piaa embed: warning: "));
    assert_non_null(strstr(err, "truncated.jpg"));
    assert_non_null(strstr(err, "zero.jpg"));
    expect_ok(PIAA("store", "list", "mixed.store", "--failed", "--json"));
    cJSON *root = parse_out();
    assert_int_equal(cJSON_GetArraySize(root), 3);
    for (int i = 0; i < 3; i++)
        assert_non_null(piaa_json_string(cJSON_GetArrayItem(root, i), "error"));
    cJSON_Delete(root);
    /* the rank goes on, and says which photos it could not rank */
    expect_ok(PIAA("rank", "mixed", "--ratings", "ratings.csv", "--json", ONE));
    root = parse_out();
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "photos")), 2);
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "unreadable")), 3);
    cJSON_Delete(root);
    free(good);
    free(copied);

    make_folder("bad");
    put("bad/zero.jpg", "");
    assert_int_equal(PIAA("embed", "bad", "--out", "bad.store", ONE), 1);
    assert_non_null(strstr(err, "none of the photos could be read"));

    make_folder("empty");
    expect_refusal(PIAA("rank", "empty", "--ratings", "ratings.csv", ONE), 2,
                   "piaa rank: ", "holds no photos");
    expect_refusal(PIAA("rank", "nowhere", "--ratings", "ratings.csv", ONE), 1,
                   "piaa rank: ", "nowhere");
    expect_refusal(PIAA("embed", "nowhere.jpg", "--out", "s", ONE), 1,
                   "piaa embed: ", "nowhere.jpg");

    /* a name that is not UTF-8 */
    make_folder("names");
    copy_sample(7, "names/caf\xe9 \"x\".jpg", 1);
    expect_ok(PIAA("rank", "names", "--ratings", "ratings.csv", "--json", ONE));
    root = parse_out();
    const char *path =
        piaa_json_string(cJSON_GetArrayItem(piaa_json_find(root, "photos"), 0), "path");
    assert_non_null(strstr(path, "caf\xef\xbf\xbd \"x\".jpg"));
    cJSON_Delete(root);
}

static void test_bad_ratings(void **state) {
    (void)state;
    static const struct {
        const char *csv, *part;
    } bad[] = {
        {"path,score\nnowhere/a.jpg,3\nnowhere/b.jpg,4\n", "none of the 2 photos"},
        {"path,score\nphotos/iaa_pub10_0183.jpg,3\n", "one does not show a taste"},
        {"path,score\nphotos/iaa_pub10_0183.jpg,3\nphotos/iaa_pub11_0202.jpg,3\n",
         "have the score 3"},
        {"path,score\nphotos/iaa_pub10_0183.jpg,inf\nphotos/iaa_pub11_0202.jpg,3\n", "line 2"},
        {"path,score\nphotos/iaa_pub10_0183.jpg,3\nphotos/iaa_pub11_0202.jpg,good\n", "line 3"},
        {"path,stars\nphotos/iaa_pub10_0183.jpg,3\n", "no column named score"},
        {"", "header"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        put("bad.csv", bad[i].csv);
        expect_refusal(PIAA("rank", "photos", "--ratings", "bad.csv", ONE), 1,
                       "piaa rank: ", bad[i].part);
    }
    expect_refusal(PIAA("rank", "photos", "--ratings", "nowhere.csv", ONE), 1,
                   "piaa rank: ", "nowhere.csv");
    /* some that do not exist: a warning */
    put("some.csv", "path,score\nphotos/iaa_pub10_0183.jpg,3\nphotos/iaa_pub11_0202.jpg,4\nphotos/"
                    "gone.jpg,5\n");
    expect_ok(PIAA("rank", "photos", "--ratings", "some.csv", ONE));
    assert_non_null(strstr(err, "warning: "));
    assert_non_null(strstr(err, "gone.jpg"));
    assert_non_null(strstr(err, "Learned from 2 ratings"));
    /* twice: averaged, and said */
    put("twice.csv", "path,score\nphotos/iaa_pub10_0183.jpg,3\nphotos/iaa_pub11_0202.jpg,4\nphotos/"
                     "iaa_pub10_0183.jpg,2\n");
    expect_ok(PIAA("rank", "photos", "--ratings", "twice.csv", ONE));
    assert_non_null(strstr(err, "warning: "));
    assert_non_null(strstr(out, "  2.5  photos/iaa_pub10_0183.jpg\n"));
}

/* ---------------------------------------------------------------------------- stores and models */

static void test_other_store(void **state) {
    (void)state;
    expect_ok(PIAA("embed", "photos/iaa_pub10_0183.jpg", "--out", "prompt.store", "--prompt",
                   "Is it sharp?", ONE));
    expect_refusal(PIAA("embed", "photos", "--out", "prompt.store", ONE), 1,
                   "piaa embed: ", "Is it sharp?");
    expect_refusal(
        PIAA("rank", "photos", "--ratings", "ratings.csv", "--store", "prompt.store", ONE), 1,
        "piaa rank: ", "another --store");
    expect_refusal(PIAA("embed", "photos", "--out", "prompt.store", "--prompt", "Is it sharp?",
                        "--max-pixels", "5000", ONE),
                   1, "piaa embed: ", "5000 pixels");
    expect_refusal(PIAA("embed", "photos", "--out", "photos", ONE), 2,
                   "piaa embed: ", "neither a store nor empty");
    expect_refusal(PIAA("store", "info", "photos"), 1, "piaa store info: ", "no store in photos");
    expect_refusal(PIAA("store", "list", "nowhere"), 1, "piaa store list: ", "nowhere");
    expect_refusal(PIAA("fit", "--store", "nowhere", "--ratings", "ratings.csv", "--out", "t.json"),
                   1, "piaa fit: ", "nowhere");
}

static void test_bad_models(void **state) {
    (void)state;
    static const char *const kept[] = {"config.json", "preprocessor_config.json", "tokenizer.json",
                                       "tokenizer_config.json", "model.safetensors"};
    static const struct {
        const char *folder, *without, *name, *text, *part;
    } bad[] = {
        {"llava", NULL, "config.json", "{\"model_type\": \"llava\"}", "supported: "},
        {"broken", NULL, "config.json", "{\"model_type\": \"qwen3_vl\",\n \"text_config\": {",
         "line 2"},
        {"untyped", NULL, "config.json", "{}", "model_type"},
        {"shardless", "model.safetensors", "model.safetensors.index.json",
         "{\"weight_map\": {\"lm_head.weight\": \"model-00001-of-00002.safetensors\"}}",
         "model-00001-of-00002.safetensors"},
        {"lying", NULL, "model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}",
         "model.safetensors"},
        {"weightless", "model.safetensors", NULL, NULL, "weightless"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        make_folder(bad[i].folder);
        for (size_t j = 0; j < PIAA_COUNT(kept); j++) {
            if (bad[i].without && strcmp(bad[i].without, kept[j]) == 0) continue;
            char *from = piaa_format(NULL, "%s/models/demo/%s", PIAA_SOURCE, kept[j]),
                 *to = piaa_format(NULL, "%s/%s", bad[i].folder, kept[j]);
            if (piaa_file_exists(from)) copy(from, to, 1);
            free(from);
            free(to);
        }
        if (bad[i].name) {
            char *to = piaa_format(NULL, "%s/%s", bad[i].folder, bad[i].name);
            put(to, bad[i].text);
            free(to);
        }
        expect_refusal(PIAA("model", "info", bad[i].folder), 1, "piaa model info: ", bad[i].part);
        expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", bad[i].folder),
                       1, "piaa rank: ", bad[i].part);
    }
    expect_refusal(PIAA("model", "info", "nowhere"), 1, "piaa model info: ", "nowhere");
    expect_refusal(PIAA("model", "info", "photos"), 1, "piaa model info: ", "config.json");
}

/* A pair of GGUF files, apart from each other: --mmproj wherever there is --model, and a taste that
   finds its model again. */
static void test_pair(void **state) {
    (void)state;
    static const char text[] = PIAA_GOLDEN "/gguf/qwen3vl-f32.gguf",
                      vision[] = PIAA_GOLDEN "/gguf/qwen3vl-mmproj-f32.gguf";
    make_folder("apart");
    copy(text, "apart/text.gguf", 1);
    copy(vision, "vision.gguf", 1);
#define PAIR "--model", "apart/text.gguf", "--mmproj", "vision.gguf"
    expect_ok(PIAA("model", "info", "apart/text.gguf", "--mmproj", "vision.gguf", "--json"));
    cJSON *root = parse_out();
    assert_string_equal(piaa_json_string(root, "folder"), "apart/text.gguf,vision.gguf");
    cJSON_Delete(root);
    expect_ok(PIAA("model", "info", "apart", "--mmproj", "vision.gguf"));
    expect_ok(PIAA("model", "tokens", "apart/text.gguf", "a"));
    expect_ok(PIAA("embed", "photos", "--out", "pair.store", PAIR, ONE));
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", PAIR, ONE));
    expect_ok(PIAA("bench", "photos/iaa_pub10_0183.jpg", PAIR, ONE));
    expect_ok(PIAA("model", "convert", "apart/text.gguf", "--mmproj", "vision.gguf", "pair.gguf",
                   "--dtype", "f32"));
    expect_ok(PIAA("model", "info", "pair.gguf"));

    expect_ok(
        PIAA("fit", "--store", "pair.store", "--ratings", "ratings.csv", "--out", "pair.json"));
    expect_ok(PIAA("predict", "--taste", "pair.json", "photos", ONE));
    expect_ok(PIAA("predict", "--taste", "pair.json", "photos", PAIR, ONE));
    char *from = at("vision.gguf"), *to = at("gone.gguf");
    assert_int_equal(rename(from, to), 0);
    free(from);
    free(to);
    expect_refusal(PIAA("predict", "--taste", "pair.json", "photos", ONE), 1,
                   "piaa predict: ", "vision.gguf");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", PAIR), 1,
                   "piaa rank: ", "vision.gguf");
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--mmproj", "gone.gguf"), 2,
                   "piaa rank: ", "--mmproj gone.gguf is the vision part of a text model");
    expect_refusal(PIAA("embed", "photos", "--out", "p.store", "--model",
                        PIAA_SOURCE "/models/demo", "--mmproj", "gone.gguf"),
                   2, "piaa embed: ", "leave out --mmproj");
    expect_refusal(PIAA("model", "info", "--mmproj", "gone.gguf"), 2,
                   "piaa model info: ", "--mmproj gone.gguf");
    expect_refusal(PIAA("model", "info", "apart/text.gguf"), 1,
                   "piaa model info: ", "name it with --mmproj");
    expect_refusal(PIAA("model", "info", "apart/text.gguf", "--mmproj", "apart/text.gguf"), 1,
                   "piaa model info: ", "not the vision part");
    expect_refusal(PIAA("model", "info", "apart/text.gguf", "--mmproj",
                        PIAA_GOLDEN "/gguf/gemma3-mmproj-f32.gguf"),
                   1, "piaa model info: ", "another kind of model");
    from = at("apart/text.gguf");
    remove(from);
    free(from);
    expect_refusal(PIAA("predict", "--taste", "pair.json", "photos", ONE), 1, "piaa predict: ",
                   "the model of this taste, apart/text.gguf,vision.gguf, is not there any more");
}

/* --------------------------------------------------------------- what the system does not allow */

static void test_output(void **state) {
    (void)state;
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(program_run((program_way){.to = "/dev/full"},
                                     WORDS("rank", "photos", "--ratings", "ratings.csv", ONE)),
                         1);
        assert_non_null(
            strstr(err, "piaa rank: cannot write the result: No space left on device\n"));
        assert_int_equal(program_run((program_way){.to = "/dev/full"}, WORDS("help")), 1);
    }
    /* a reader that goes away is nobody's fault */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    char *path = piaa_format(NULL, "/dev/fd/%d", ends[1]);
    if (access(path, W_OK) == 0) {
        assert_int_equal(program_run((program_way){.to = path}, WORDS("help", "--man")), 0);
        assert_string_equal(err, "");
    }
    free(path);
    close(ends[1]);
    if (geteuid() == 0) return; /* root writes everywhere */
    make_folder("locked");
    char *locked = at("locked");
    assert_int_equal(chmod(locked, 0500), 0);
    expect_refusal(PIAA("embed", "photos", "--out", "locked/store", ONE), 1,
                   "piaa embed: ", "locked/store");
    expect_refusal(PIAA("embed", "photos", "--out", "locked", ONE), 1, "piaa embed: ", "locked");
    assert_int_equal(PIAA("fit", "--store", "store", "--ratings", "ratings.csv", "--out",
                          "locked/t.json", "--pool", "lt", "--layer", "3"),
                     1);
    assert_non_null(strstr(err, "piaa fit: locked/t.json cannot be written: Permission denied\n"));
    free(locked);
}

static void wait_a_little(void) {
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static piaa_store *open_store(const char *name) {
    char *path = at(name);
    piaa_error error = {0};
    piaa_store *store = piaa_store_open_read(path, NULL, &error);
    if (!store) fail_msg("%s", error.message);
    free(path);
    return store;
}

/* Ctrl-C half-way, then the same command again: the store is what it would have been. */
static void test_stop(void **state) {
    (void)state;
    char *all = piaa_format(NULL, "%s/data/sample/photos", PIAA_SOURCE),
         *first = at("stopped.store/lt.8.npy");
    const char *const *words =
        WORDS("embed", all, "--out", "stopped.store", "--pool", "lt,lv,v", "--layer", "all", ONE);
    pid_t child = program_start((program_way){0}, words);
    struct stat status = {0};
    while (waitpid(child, NULL, WNOHANG) == 0 &&
           (stat(first, &status) != 0 || status.st_size < 1000))
        wait_a_little();
    kill(child, SIGINT);
    assert_int_equal(program_finish((program_way){0}, child), 130);
    assert_int_equal(out_size, 0);
    assert_non_null(strstr(err, "piaa embed: stopped after "));
    assert_non_null(strstr(err, "run the same command again"));
    piaa_store *store = open_store("stopped.store");
    int64_t done = piaa_store_count(store).rows;
    piaa_store_close(store);
    assert_true(done >= 1 && done < 60);
    expect_ok(program_run((program_way){0}, words));
    char *unchanged = piaa_format(NULL, " %lld unchanged;", (long long)done);
    assert_non_null(strstr(err, unchanged));
    expect_ok(
        PIAA("embed", all, "--out", "whole.store", "--pool", "lt,lv,v", "--layer", "all", ONE));
    store = open_store("stopped.store");
    piaa_store *whole = open_store("whole.store");
    assert_int_equal(piaa_store_photos(store), 60);
    const piaa_slots *slots = piaa_store_slots(whole);
    for (size_t i = 0; i < piaa_store_photos(whole); i++) {
        const piaa_photo a = piaa_store_photo(whole, i), b = piaa_store_find(store, a.path);
        assert_non_null(b.path);
        for (int s = 0; s < (int)slots->count; s++)
            assert_memory_equal(piaa_store_vector(whole, s, a.row, NULL),
                                piaa_store_vector(store, s, b.row, NULL),
                                (size_t)slots->items[s].dim * sizeof(float));
    }
    piaa_store_close(whole);
    piaa_store_close(store);
    free(unchanged);
    free(first);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_rank),        cmocka_unit_test(test_features),
        cmocka_unit_test(test_copies),      cmocka_unit_test(test_store),
        cmocka_unit_test(test_bench),       cmocka_unit_test(test_model),
        cmocka_unit_test(test_bad_photos),  cmocka_unit_test(test_bad_ratings),
        cmocka_unit_test(test_other_store), cmocka_unit_test(test_bad_models),
        cmocka_unit_test(test_pair),        cmocka_unit_test(test_output),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, set_up, program_end);
}
