/* CSV against Python's csv module (golden/base: NAME.csv and the rows that csv.reader gives for it,
   without blank ones). */
#include "support.h"

#include "base/csv.h"
#include "base/json.h"

#include <locale.h>

static cJSON *read_json(const char *name) {
    char *path = support_join(PIAA_GOLDEN "/base", name);
    piaa_error error = {0};
    cJSON *root = piaa_json_read(path, 1 << 20, &error);
    if (!root) fail_msg("%s", error.message);
    free(path);
    return root;
}

static void check_against_python(const char *csv_name, const char *json_name) {
    char *path = support_join(PIAA_GOLDEN "/base", csv_name);
    cJSON *rows = read_json(json_name);
    piaa_error error = {0};
    piaa_csv *csv = piaa_csv_open(path, &error);
    if (!csv) fail_msg("%s", error.message);
    assert_int_equal(piaa_csv_columns(csv), 3);
    assert_string_equal(piaa_csv_column_name(csv, 0), "path");
    assert_int_equal(piaa_csv_column(csv, "score"), 1);
    assert_int_equal(piaa_csv_column(csv, "Score"), -1);
    for (const cJSON *row = rows->child->next; row; row = row->next) {
        if (piaa_csv_next(csv, &error) != 1) fail_msg("%s", error.message);
        for (int i = 0; i < 3; i++)
            assert_string_equal(piaa_csv_field(csv, i), cJSON_GetArrayItem(row, i)->valuestring);
    }
    assert_int_equal(piaa_csv_next(csv, &error), 0);
    assert_int_equal(piaa_csv_next(csv, &error), 0);
    piaa_csv_close(csv);
    cJSON_Delete(rows);
    free(path);
}

static void same_rows_as_python(void **state) {
    (void)state;
    check_against_python("hand.csv", "hand.json");
    check_against_python("written.csv", "written.json");
}

static piaa_csv *parse(const char *text, piaa_error *error) {
    return piaa_csv_parse(text, strlen(text), "r.csv", error);
}

static void faults_are_named_and_passed(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_csv *csv =
        parse("\xef\xbb\xbfpath, score\r\n\r\n\"a\nb\",1\r\nshort\na,b,c\n\"x\"y,2\n\"never "
              "closed,3\nlast,4",
              &error);
    assert_non_null(csv);
    assert_int_equal(piaa_csv_column(csv, "path"), 0); /* no byte order mark in it */
    assert_int_equal(piaa_csv_column(csv, "score"), 1);
    assert_int_equal(piaa_csv_next(csv, &error), 1);
    assert_int_equal(piaa_csv_line(csv), 3);
    static const char *const faults[] = {"r.csv, line 5: 1 field where", "r.csv, line 6: 3 fields",
                                         "r.csv, line 7: text after", "r.csv, line 8: a quoted"};
    for (size_t i = 0; i < PIAA_COUNT(faults); i++) {
        assert_int_equal(piaa_csv_next(csv, &error), -1);
        if (strncmp(error.message, faults[i], strlen(faults[i])) != 0)
            fail_msg("%s", error.message);
        assert_string_equal(piaa_csv_field(csv, 0), "");
    }
    assert_int_equal(piaa_csv_next(csv, &error), 1);
    assert_int_equal(piaa_csv_line(csv), 9);
    assert_string_equal(piaa_csv_field(csv, 0), "last");
    assert_string_equal(piaa_csv_field(csv, 2), "");
    assert_int_equal(piaa_csv_next(csv, &error), 0);
    assert_string_equal(piaa_csv_where(csv), "r.csv");
    piaa_csv_close(csv);
    piaa_csv_close(NULL);
}

static void zero_bytes_are_faults(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_csv *csv = piaa_csv_parse("a,b\n1,\0\n3,4\n", 12, "r.csv", &error);
    assert_non_null(csv);
    assert_int_equal(piaa_csv_next(csv, &error), -1);
    assert_int_equal(piaa_csv_next(csv, &error), 1);
    assert_string_equal(piaa_csv_field(csv, 1), "4");
    piaa_csv_close(csv);
}

/* A lost quote must not swallow the rest of a long file. */
static void lost_quote_in_a_long_file(void **state) {
    (void)state;
    enum { ROWS = 30000 };
    piaa_error error = {0};
    piaa_text text = {0};
    piaa_text_format(&text, NULL, "a,b\n\"lost,1\n");
    for (int i = 0; i < ROWS; i++) piaa_text_format(&text, NULL, "photo %d.jpg,%d\n", i, i);
    piaa_text_format(&text, NULL, "\"last\",1\n");
    piaa_csv *csv = piaa_csv_parse(text.data, text.length, "r.csv", &error);
    assert_non_null(csv);
    assert_int_equal(piaa_csv_next(csv, &error), -1);
    assert_non_null(strstr(error.message, "line 2: a quoted field is never closed"));
    for (int i = 0; i <= ROWS; i++) assert_int_equal(piaa_csv_next(csv, &error), 1);
    assert_int_equal(piaa_csv_next(csv, &error), 0);
    piaa_csv_close(csv);
    free(text.data);
}

static void bad_files(void **state) {
    (void)state;
    static const char *const bad[][2] = {{"", "empty"},
                                         {"\n \n", "empty"},
                                         {"path;score\na;1\n", "commas"},
                                         {"path\tscore\n", "commas"},
                                         {"\"path", "never closed"}};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        assert_null(parse(bad[i][0], &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        if (!strstr(error.message, bad[i][1])) fail_msg("%s", error.message);
    }
    piaa_error error = {0};
    assert_null(piaa_csv_parse("\xff\xfep\0", 4, "r.csv", &error));
    assert_non_null(strstr(error.message, "UTF-16"));
    assert_null(piaa_csv_open("/nowhere/at/all", &error));
    assert_int_equal(error.code, PIAA_IO);
}

static void quoting_comes_back(void **state) {
    (void)state;
    static const char *const fields[][2] = {
        {"plain", "plain"},   {"", ""},
        {"a,b", "\"a,b\""},   {"say \"x\"", "\"say \"\"x\"\"\""},
        {"a\nb", "\"a\nb\""}, {"\r", "\"\r\""}};
    for (size_t i = 0; i < PIAA_COUNT(fields); i++) {
        char *quoted = NULL;
        assert_true(piaa_csv_quote(fields[i][0], &quoted, NULL));
        assert_string_equal(quoted, fields[i][1]);
        char *text = piaa_format(NULL, "a,b\n%s,x\n", quoted);
        piaa_csv *csv = parse(text, NULL);
        assert_int_equal(piaa_csv_next(csv, NULL), 1);
        assert_string_equal(piaa_csv_field(csv, 0), fields[i][0]);
        piaa_csv_close(csv);
        free(text);
        free(quoted);
    }
}

static void check_numbers(void) {
    cJSON *rows = read_json("numbers.json");
    for (const cJSON *row = rows->child; row; row = row->next) {
        double value;
        if (!piaa_parse_number(row->child->valuestring, &value))
            fail_msg("%s", row->child->valuestring);
        if (value != row->child->next->valuedouble)
            fail_msg("%s became %.17g", row->child->valuestring, value);
    }
    cJSON_Delete(rows);
    static const char *const bad[] = {"",        " ",     "nan", "inf", "-Infinity", "0x10", "1,5",
                                      "3 stars", "1e999", ".",   "e5",  "1e",        "1e+",  "+",
                                      "--1",     "1 2",   "1_0", "1f",  "\u22121"};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        double value = 42;
        if (piaa_parse_number(bad[i], &value) || value != 42)
            fail_msg("%s was taken for a number", bad[i]);
    }
}

/* The golden values are Python's float(). Where the machine has a locale with a decimal comma, once
   more under it. */
static void numbers(void **state) {
    (void)state;
    check_numbers();
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE",
                                         "it_IT.UTF-8", "es_ES.UTF-8", "nl_NL.UTF-8"};
    for (size_t i = 0; i < PIAA_COUNT(commas); i++) {
        if (!setlocale(LC_ALL, commas[i])) continue;
        check_numbers();
        print_message("checked under %s\n", commas[i]);
        break;
    }
    setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_rows_as_python),
        cmocka_unit_test(faults_are_named_and_passed),
        cmocka_unit_test(zero_bytes_are_faults),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(lost_quote_in_a_long_file),
        cmocka_unit_test(quoting_comes_back),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
