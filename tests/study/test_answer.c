/* Numbers in answers: what Python's re and float read in the same texts, and what the published
   code read in its own. */
#include "support.h"

#include "base/csv.h"
#include "base/json.h"
#include "study/answer.h"

static double answer(const char *text, piaa_answer_rule rule) {
    piaa_error error = {0};
    double value = 0;
    if (!piaa_answer_read(text, rule, &value, &error)) fail_msg("%s", error.message);
    return value;
}

static bool is_same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static void rules_are_pythons(void **state) {
    (void)state;
    static const char *const rules[] = {[PIAA_ANSWER_NUMBER] = "number",
                                        [PIAA_ANSWER_DIGIT] = "digit",
                                        [PIAA_ANSWER_OVERALL] = "overall"};
    piaa_error error = {0};
    cJSON *list = piaa_json_read(PIAA_GOLDEN "/text/answer_rules.json", 1 << 20, &error);
    const cJSON *entry;
    int count = 0;
    if (!list) fail_msg("%s", error.message);
    cJSON_ArrayForEach(entry, list) {
        const char *text = piaa_json_string(entry, "text");
        for (int rule = 0; rule < 3; rule++) {
            const char *wanted = piaa_json_string(entry, rules[rule]);
            const double value = answer(text, (piaa_answer_rule)rule);
            if (!is_same(value, strtod(wanted, NULL)))
                fail_msg("\"%s\", %s: %.17g, not %s", text, rules[rule], value, wanted);
        }
        count++;
    }
    assert_true(count > 400);
    cJSON_Delete(list);
}

/* Bytes that are no UTF-8 part words from each other, and are passed over one by one. */
static void broken_bytes_are_no_characters(void **state) {
    (void)state;
    assert_true(answer("\xff\xfe 3", PIAA_ANSWER_NUMBER) == 3);
    assert_true(answer("\xc3"
                       "4",
                       PIAA_ANSWER_DIGIT) == 4);
    assert_true(answer("2\xe2\x82", PIAA_ANSWER_DIGIT) == 2);
    assert_true(answer("Overall:\x80 3 5", PIAA_ANSWER_OVERALL) == 5);
    assert_true(isnan(answer("\xf0\x9f", PIAA_ANSWER_OVERALL)));
}

/* Every row of a published table: the text, and the number that was read in it. */
static void expect_column(const char *name, const char *column, piaa_answer_rule rule, int rows) {
    piaa_error error = {0};
    char *path = piaa_format(NULL, "%s/text/few_shot_and_raw/%s", PIAA_GOLDEN, name);
    piaa_csv *csv = piaa_csv_open(path, &error);
    if (!csv) fail_msg("%s", error.message);
    const int text = piaa_csv_column(csv, "raw_output"), number = piaa_csv_column(csv, column);
    int count = 0;
    for (; piaa_csv_next(csv, &error) == 1; count++) {
        double wanted = NAN;
        piaa_csv_number(csv, number, &wanted);
        assert_true(is_same(answer(piaa_csv_field(csv, text), rule), wanted));
    }
    assert_int_equal(count, rows);
    piaa_csv_close(csv);
    free(path);
}

static void published_answers_are_read_alike(void **state) {
    (void)state;
    expect_column("para_raw_text.csv", "giaa", PIAA_ANSWER_NUMBER, 400);
    expect_column("para_cot_attr_4users.csv", "piaa_pred", PIAA_ANSWER_OVERALL, 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_pythons),
        cmocka_unit_test(broken_bytes_are_no_characters),
        cmocka_unit_test(published_answers_are_read_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
