/* Learning from comparisons of two photos, as a user would: rank and fit with --pairs, good files
   and bad ones. */
#include "program.h"

#include "base/json.h"

enum { PHOTOS = 8 };
static const char *const names[PHOTOS] = {"iaa_pub10_0183", "iaa_pub11_0202", "iaa_pub11_0219",
                                          "iaa_pub12_0233", "iaa_pub12_0221", "iaa_pub13_0258",
                                          "iaa_pub14_0271", "iaa_pub10_0197"};

static char *name_of(int i) {
    return piaa_format(NULL, "photos/%s.jpg", names[i]);
}

static int set_up(void **state) {
    program_begin(state);
    make_folder("photos");
    put("in", "");
    piaa_text pairs = {0};
    assert_true(piaa_text_format(&pairs, NULL, "better,worse\n"));
    for (int i = 0; i < PHOTOS; i++) {
        char *from = piaa_format(NULL, "%s/data/sample/photos/%s.jpg", PIAA_SOURCE, names[i]),
             *to = name_of(i);
        size_t size;
        char *bytes = piaa_file_read(from, (size_t)1 << 30, &size, NULL);
        assert_non_null(bytes);
        support_write(world, to, bytes, size);
        for (int j = 0; j < i; j++) /* the first is the best, the last the worst */
            assert_true(piaa_text_format(&pairs, NULL, "photos/%s.jpg,%s\n", names[j], to));
        free(bytes);
        free(from);
        free(to);
    }
    support_write(world, "pairs.csv", pairs.data, pairs.length);
    free(pairs.data);
    put("ratings.csv", "path,score\nphotos/iaa_pub10_0183.jpg,5\nphotos/iaa_pub11_0219.jpg,4\n"
                       "photos/iaa_pub14_0271.jpg,2\nphotos/iaa_pub10_0183.jpg,4\n");
    return 0;
}

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

static double place_of(const cJSON *root, int photo) {
    const cJSON *photos = piaa_json_find(root, "photos"), *item;
    cJSON_ArrayForEach(item, photos) if (strstr(piaa_json_string(item, "path"),
                                                names[photo])) return number(item, "score");
    fail_msg("%s is not ranked", names[photo]);
    return 0;
}

/* Comparisons alone: an order, on no scale; what is kept in a taste and read again. */
static void alone(void **state) {
    PIAA_UNUSED(state);
    expect_ok(PIAA("rank", "photos", "--pairs", "pairs.csv", "--json", "--store", "s", ONE));
    assert_non_null(strstr(err, "Learned from 28 comparisons, without ratings; "));
    assert_non_null(strstr(err, "no scale of their own"));
    cJSON *root = parse_out();
    assert_true(number(root, "pairs") == 28 && number(root, "ratings") == 0);
    assert_string_equal(piaa_json_string(root, "scale"), "none");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(root, "plus_minus")));
    cJSON_Delete(root);
    expect_ok(PIAA("fit", "--store", "s", "--pairs", "pairs.csv", "--out", "t.json"));
    assert_non_null(strstr(err, "Learned from 28 comparisons, without ratings, lt at layer 3; "));
    expect_ok(PIAA("predict", "--taste", "t.json", "--store", "s", "--json"));
    root = parse_out();
    /* the taste has seen all of these, and was told the same order throughout */
    double sum = 0, squares = 0;
    for (int i = 0; i < PHOTOS; i++) {
        if (i) assert_true(place_of(root, i) < place_of(root, i - 1));
        sum += place_of(root, i);
        squares += place_of(root, i) * place_of(root, i);
    }
    assert_true(fabs(sum) < 1e-6 && fabs(squares / PHOTOS - 1) < 1e-6);
    assert_true(number(root, "pairs") == 28);
    cJSON_Delete(root);
}

static void beside_ratings(void **state) {
    PIAA_UNUSED(state);
    expect_ok(
        PIAA("rank", "photos", "--ratings", "ratings.csv", "--pairs", "pairs.csv", "--json", ONE));
    assert_non_null(strstr(err, "Learned from 3 ratings and 28 comparisons; typical error ± "));
    assert_non_null(strstr(err, "1 photo was rated more than once: such ratings differ by ± 0.71"));
    cJSON *root = parse_out();
    assert_true(number(root, "pairs") == 28 && number(root, "ratings") == 3);
    assert_string_equal(piaa_json_string(root, "scale"), "of the ratings");
    assert_true(number(root, "plus_minus") > 0);
    assert_true(fabs(number(root, "plus_minus_of_own_ratings") - sqrt(0.5)) < 1e-9);
    cJSON_Delete(root);
    /* one star sets no scale, and is no error beside comparisons */
    put("one.csv", "path,score\nphotos/iaa_pub10_0183.jpg,5\n");
    expect_ok(PIAA("rank", "photos", "--ratings", "one.csv", "--pairs", "pairs.csv", ONE));
    assert_non_null(strstr(err, "1 rated photo has 5, which sets no scale"));
    assert_non_null(strstr(err, "Learned from 28 comparisons, without ratings"));
}

/* next: with nothing said, with the table that it prints, and with answers in it. */
static void asks_for_pairs(void **state) {
    PIAA_UNUSED(state);
    expect_ok(PIAA("next", "photos", "--pairs", "asked.csv", "--count", "3", "--csv", ONE));
    assert_non_null(strstr(err, "asked.csv is not there yet"));
    assert_memory_equal(out, "left,right,answer\n", 18);
    piaa_paths left = printed_column("left"), right = printed_column("right");
    assert_int_equal(left.count, 3);
    /* not filled in yet: the same are asked for */
    support_write(world, "asked.csv", out, out_size);
    expect_ok(PIAA("next", "photos", "--pairs", "asked.csv", "--count", "3", "--csv", ONE));
    piaa_paths again = printed_column("left");
    for (size_t i = 0; i < 3; i++) assert_string_equal(again.items[i], left.items[i]);
    /* the first is answered, and is not asked for again */
    char *filled =
        piaa_format(NULL, "left,right,answer\n%s,%s,left\n", left.items[0], right.items[0]);
    put("asked.csv", filled);
    expect_ok(PIAA("next", "photos", "--pairs", "asked.csv", "--count", "28", "--json", ONE));
    cJSON *root = parse_out(), *item;
    const cJSON *pairs = piaa_json_find(root, "pairs");
    assert_int_equal(cJSON_GetArraySize(pairs), 27); /* of 28 */
    cJSON_ArrayForEach(item, pairs) {
        const char *one = piaa_json_string(item, "left"), *other = piaa_json_string(item, "right");
        assert_false((strcmp(one, left.items[0]) == 0 && strcmp(other, right.items[0]) == 0) ||
                     (strcmp(other, left.items[0]) == 0 && strcmp(one, right.items[0]) == 0));
        assert_true(number(item, "likely") > 0 && number(item, "likely") < 1);
    }
    cJSON_Delete(root);
    expect_ok(PIAA("next", "photos", "--pairs", "pairs.csv", "--ratings", "ratings.csv", ONE));
    assert_non_null(strstr(err, "Nothing is left to compare"));
    expect_refusal(PIAA("next", "photos", "--pairs", "pairs.csv", "--choose", "random", ONE), 2,
                   "piaa next: ", "do not go together");
    free(filled);
    piaa_paths_free(&left);
    piaa_paths_free(&right);
    piaa_paths_free(&again);
}

/* What says little or contradicts itself is no error. */
static void awkward_answers(void **state) {
    PIAA_UNUSED(state);
    put("cycle.csv", "better,worse\nphotos/iaa_pub10_0183.jpg,photos/iaa_pub11_0202.jpg\n"
                     "photos/iaa_pub11_0202.jpg,photos/iaa_pub11_0219.jpg\n"
                     "photos/iaa_pub11_0219.jpg,photos/iaa_pub10_0183.jpg\n");
    expect_ok(PIAA("rank", "photos", "--pairs", "cycle.csv", ONE));
    assert_non_null(strstr(err, "Learned from 3 comparisons"));
    put("ties.csv", "left,right,answer\nphotos/iaa_pub10_0183.jpg,photos/iaa_pub11_0202.jpg,tie\n"
                    "photos/iaa_pub11_0219.jpg,photos/iaa_pub11_0202.jpg,tie\n");
    expect_ok(PIAA("rank", "photos", "--pairs", "ties.csv", ONE));
    assert_non_null(strstr(err, "2 comparisons give no order"));
    put("once.csv", "better,worse\nphotos/iaa_pub10_0183.jpg,photos/iaa_pub11_0202.jpg\n");
    expect_ok(PIAA("rank", "photos", "--pairs", "once.csv", ONE));
    assert_non_null(strstr(err, "1 comparison does not show"));
    /* unknown photos are counted and told, and so is one that was compared again */
    put("some.csv", "better,worse\nphotos/iaa_pub10_0183.jpg,photos/iaa_pub11_0202.jpg\n"
                    "photos/gone.jpg,photos/iaa_pub11_0202.jpg\n"
                    "photos/iaa_pub11_0202.jpg,photos/iaa_pub10_0183.jpg\n"
                    "photos/iaa_pub14_0271.jpg,photos/iaa_pub11_0202.jpg\n");
    expect_ok(PIAA("rank", "photos", "--pairs", "some.csv", ONE));
    assert_non_null(strstr(err, "1 of 4 comparisons could not be used"));
    assert_non_null(strstr(err, "gone.jpg"));
    assert_non_null(strstr(err, "1 of 4 comparisons are of two photos that were compared before"));
}

static void bad_files(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *csv, *part;
    } bad[] = {
        {"", "header"},
        {"path,score\na.jpg,3\n", "columns better and worse"},
        {"left,right\na.jpg,b.jpg\n", "says which photo is better"},
        {"better,worse\nphotos/iaa_pub10_0183.jpg,\n", "line 2: there is only one photo"},
        {"left,right,answer\na.jpg,b.jpg,perhaps\n", "the answer \"perhaps\""},
        {"better,worse\nnowhere/a.jpg,nowhere/b.jpg\n", "none of the 2 photos"},
        {"user,better,worse\nann,a.jpg,b.jpg\nbob,b.jpg,a.jpg\n", "answers of 2 people"},
        {"left,right,answer\na.jpg,b.jpg,cannot say\n", "none of its 1 rows"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        put("bad.csv", bad[i].csv);
        expect_refusal(PIAA("rank", "photos", "--pairs", "bad.csv", ONE), 1,
                       "piaa rank: ", bad[i].part);
    }
    expect_refusal(PIAA("rank", "photos", "--pairs", "nowhere.csv", ONE), 1,
                   "piaa rank: ", "nowhere.csv");
    expect_refusal(PIAA("rank", "photos", "--pairs", "-", "--ratings", "-", ONE), 2,
                   "piaa rank: ", "cannot both be standard input");
    expect_refusal(PIAA("rank", "photos", ONE), 2, "piaa rank: ", "--pairs FILE");
    expect_refusal(PIAA("fit", "--store", "s", "--out", "t.json"), 2,
                   "piaa fit: ", "--ratings FILE is missing");
    /* a photo with itself is left out, and nothing is left */
    put("bad.csv", "better,worse\nphotos/iaa_pub10_0183.jpg,photos/iaa_pub10_0183.jpg\n");
    expect_refusal(PIAA("rank", "photos", "--pairs", "bad.csv", ONE), 1, "piaa rank: ", "none of");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),          cmocka_unit_test(beside_ratings),
        cmocka_unit_test(asks_for_pairs), cmocka_unit_test(awkward_answers),
        cmocka_unit_test(bad_files),
    };
    return cmocka_run_group_tests(tests, set_up, program_end);
}
