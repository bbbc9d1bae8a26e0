/* piaa tune as a user runs it, and the size at which rank reads photos. */
#include "program.h"

#include "base/json.h"

#define TINY PIAA_GOLDEN "/qwen3vl"
#define PHOTOS PIAA_SOURCE "/data/sample/photos"
#define RATINGS PIAA_SOURCE "/data/sample/ratings.csv"

/* Of five photos. */
static void write_ratings(void) {
    enum { COUNT = 5 };
    make_folder("photos");
    piaa_text table = {0};
    piaa_text_format(&table, NULL, "path,score\n");
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/%d.jpg", i);
        put_sample(i, name);
        piaa_text_format(&table, NULL, "%s,%.2f\n", name, 1 + 0.9 * i);
    }
    put("ratings.csv", table.data);
    free(table.data);
}

static double number(const cJSON *object, const char *key) {
    double value = NAN;
    if (!piaa_json_number(object, key, &value)) fail_msg("no number %s", key);
    return value;
}

static cJSON *parse(void) {
    cJSON *root = cJSON_Parse(out);
    assert_non_null(root);
    return root;
}

/* The figures are those of rank with the same settings. */
static void every_row_is_what_rank_says(void **state) {
    (void)state;
    expect_ok(PIAA("tune", PHOTOS, "--ratings", RATINGS, "--pool", "lt,v", "--layer", "default",
                   "--max-pixels", "8192,26624", "--json", ONE));
    cJSON *root = parse();
    const cJSON *rows = cJSON_GetObjectItem(root, "settings"), *row;
    assert_int_equal(cJSON_GetArraySize(rows), 4);
    cJSON_ArrayForEach(row, rows) {
        const char *features = cJSON_GetStringValue(cJSON_GetObjectItem(row, "features"));
        char size[32], pool[8], layer[8];
        snprintf(size, sizeof size, "%.0f", number(row, "max_pixels"));
        assert_int_equal(sscanf(features, "%7[a-z].%7s", pool, layer), 2);
        expect_ok(PIAA("rank", PHOTOS, "--ratings", RATINGS, "--pool", pool, "--layer", layer,
                       "--max-pixels", size, "--json", ONE));
        cJSON *ranked = parse();
        assert_true(number(row, "plus_minus") == number(ranked, "plus_minus"));
        assert_true(number(row, "rank_correlation") == number(ranked, "rank_correlation"));
        assert_true(number(row, "seconds") > 0);
        cJSON_Delete(ranked);
    }
    cJSON_Delete(root);
}

/* Exactly one row has the least error, and what is advised is no dearer than any that is enough. */
static void the_cheapest_of_the_good_is_advised(void **state) {
    (void)state;
    expect_ok(PIAA("tune", PHOTOS, "--ratings", RATINGS, "--json", ONE));
    cJSON *root = parse();
    const cJSON *rows = cJSON_GetObjectItem(root, "settings"), *row;
    double least = INFINITY, dearest = INFINITY, advised = NAN;
    cJSON_ArrayForEach(row, rows) {
        const double error = number(row, "plus_minus");
        if (error < least) least = error;
        if (!cJSON_IsTrue(cJSON_GetObjectItem(row, "enough"))) {
            assert_true(number(row, "low") > 0);
            continue;
        }
        if (number(row, "seconds") < dearest) dearest = number(row, "seconds");
        if (cJSON_IsTrue(cJSON_GetObjectItem(row, "advised"))) {
            assert_true(isnan(advised));
            advised = number(row, "seconds");
        }
    }
    assert_true(advised == dearest);
    cJSON_ArrayForEach(row, rows) if (number(row, "plus_minus") == least)
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(row, "enough")));
    cJSON_Delete(root);
    if (!strstr(err, "Good enough for these 40 ratings")) fail_msg("%s", err);
}

static void mistakes_are_told_in_a_line(void **state) {
    (void)state;
    write_ratings();
    expect_refusal(PIAA("tune", "photos"), 2, "piaa tune: ", "--ratings");
    expect_refusal(PIAA("tune", "photos", "--ratings", "ratings.csv", ONE), 2,
                   "piaa tune: ", "rate more");
    expect_refusal(PIAA("tune", "photos", "--ratings", "ratings.csv", "--max-pixels", "9,9"), 2,
                   "piaa tune: ", "the smallest first");
    expect_refusal(PIAA("tune", "photos", "--ratings", "ratings.csv", "--max-pixels", ","), 2,
                   "piaa tune: ", "the smallest first");
    expect_refusal(PIAA("tune", "photos", "--ratings", "ratings.csv", "--dtype", "q4_K,q5"), 2,
                   "piaa tune: ", "q5");
}

/* The golden model, with the limits of the published ones: 16 megapixels. */
static void make_model(void) {
    static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.json"};
    make_folder("model");
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        char link[64], target[1024];
        snprintf(link, sizeof link, "model/%s", names[i]);
        snprintf(target, sizeof target, "%s/%s", TINY, names[i]);
        make_link(link, target);
    }
    put("model/preprocessor_config.json",
        "{\"size\": {\"longest_edge\": 16777216, \"shortest_edge\": 4096}, \"patch_size\": 16, "
        "\"temporal_patch_size\": 2, \"merge_size\": 2, \"image_mean\": [0.5, 0.5, 0.5], "
        "\"image_std\": [0.5, 0.5, 0.5]}");
}

static void expect_preprocessing(const char *words) {
    cJSON *root = parse();
    const char *said = cJSON_GetStringValue(cJSON_GetObjectItem(root, "preprocessing"));
    if (!strstr(said, words)) fail_msg("%s", said);
    cJSON_Delete(root);
}

/* rank reads a megapixel at most, unless it is told otherwise or its store was. */
static void rank_reads_a_megapixel(void **state) {
    (void)state;
    write_ratings();
    make_model();
    expect_ok(
        PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "model", "--json", ONE));
    expect_preprocessing("4096 to 1048576 pixels");
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "model", "--max-pixels",
                   "2097152", "--json", ONE));
    expect_preprocessing("4096 to 2097152 pixels");
    expect_ok(PIAA("embed", "photos", "--model", "model", "--out", "store", ONE));
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "model", "--store",
                   "store", "--json", ONE));
    expect_preprocessing("4096 to 16777216 pixels");
    /* Another reason not to fit is told as ever. */
    expect_refusal(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "model", "--store",
                        "store", "--prompt", "Hello.", ONE),
                   1, "piaa rank: ", "prompt");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_is_what_rank_says, program_begin, program_end),
        cmocka_unit_test_setup_teardown(the_cheapest_of_the_good_is_advised, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(mistakes_are_told_in_a_line, program_begin, program_end),
        cmocka_unit_test_setup_teardown(rank_reads_a_megapixel, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
