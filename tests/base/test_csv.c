/* CSV against Python's csv module (golden/base: NAME.csv and the rows that csv.reader gives for it,
   without blank ones), and the tables that spreadsheets and other systems save. */
#include "support.h"

#include "base/csv.h"
#include "base/json.h"
#include "base/utf8.h"

#include <locale.h>

static cJSON *read_json(const char *name) {
    char *path = support_join(PIAA_GOLDEN "/base", name);
    piaa_error error = {0};
    cJSON *root = piaa_json_read(path, 1 << 20, &error);
    if (!root) fail_msg("%s", error.message);
    free(path);
    return root;
}

static bool holds_something(const cJSON *row) {
    for (const cJSON *cell = row->child; cell; cell = cell->next)
        if (*cell->valuestring) return true;
    return false;
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
        if (!holds_something(row)) continue; /* rows of commas are blank lines here */
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
        parse("\xef\xbb\xbfpath, score\r\n\r\n\"a\nb\",1\r\na,b,,c\na,b,c\n\"x\"y,2\n\"never "
              "closed,3\nlast,4",
              &error);
    assert_non_null(csv);
    assert_int_equal(piaa_csv_column(csv, "path"), 0); /* no byte order mark in it */
    assert_int_equal(piaa_csv_column(csv, "score"), 1);
    assert_int_equal(piaa_csv_next(csv, &error), 1);
    assert_int_equal(piaa_csv_line(csv), 3);
    static const char *const faults[] = {"r.csv, line 5: 4 fields where", "r.csv, line 6: 3 fields",
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
    static const char *const bad[][2] = {
        {"", "empty"}, {"\n \n", "empty"}, {"sep=;\n", "empty"}, {"\"path", "never closed"}};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        assert_null(parse(bad[i][0], &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        if (!strstr(error.message, bad[i][1])) fail_msg("%s", error.message);
    }
    piaa_error error = {0};
    assert_null(piaa_csv_open("/nowhere/at/all", &error));
    assert_int_equal(error.code, PIAA_IO);
}

/* The same two rows in every dress. */
static void check_dress(const char *text, size_t size, const char *described) {
    piaa_error error = {0};
    piaa_csv *csv = piaa_csv_parse(text, size, "r.csv", &error);
    if (!csv) fail_msg("%s: %s", described, error.message);
    piaa_text said = {0};
    assert_true(piaa_csv_describe(csv, &said, &error));
    assert_string_equal(said.data ? said.data : "", described);
    for (int pass = 0; pass < 2; pass++) {
        static const char *const paths[] = {"Zürich 5€.jpg", "b.jpg"};
        static const double scores[] = {3.5, 4.25};
        for (size_t i = 0; i < 2; i++) {
            double score;
            if (piaa_csv_next(csv, &error) != 1) fail_msg("%s: %s", described, error.message);
            assert_string_equal(piaa_csv_word(csv, piaa_csv_column(csv, "path")), paths[i]);
            assert_int_equal(piaa_csv_number(csv, piaa_csv_column(csv, "score"), &score),
                             PIAA_CELL_NUMBER);
            assert_true(score == scores[i]);
        }
        assert_int_equal(piaa_csv_next(csv, &error), 0);
        piaa_csv_rewind(csv);
    }
    piaa_csv_close(csv);
    free(said.data);
}

/* UTF-16 or UTF-32, whose units have `width` bytes; the text is of the Basic Multilingual Plane. */
static void check_units(const char *text, size_t width, bool little, bool mark, const char *told) {
    char bytes[1024] = {0};
    size_t size = 0;
    char *whole = piaa_format(NULL, "%s%s", mark ? "\xef\xbb\xbf" : "", text);
    for (const unsigned char *c = (const unsigned char *)whole; *c; c++) {
        unsigned unit = *c;
        if (*c >= 0xE0) {
            unit = (*c & 0xFU) << 12 | (c[1] & 0x3FU) << 6 | (c[2] & 0x3FU);
            c += 2;
        } else if (*c >= 0x80) {
            unit = (*c & 0x1FU) << 6 | (c[1] & 0x3FU);
            c++;
        }
        for (size_t i = 0; i < width; i++)
            bytes[size++] = (char)(unit >> 8 * (little ? i : width - 1 - i));
    }
    free(whole);
    check_dress(bytes, size, told);
}

static void every_dress_is_read(void **state) {
    (void)state;
    static const char *const dresses[][2] = {
        {"path,score\nZürich 5€.jpg,3.5\nb.jpg,4.25\n", ""},
        {"\xef\xbb\xbfpath,score\rZürich 5€.jpg,3.5\rb.jpg,4.25", ""},
        {"path,score\nZ\xfcrich 5\x80.jpg,3.5\nb.jpg,4.25\n", "Windows-1252 text"},
        {"path,score,name\nZürich 5€.jpg,3.5,a\nb.jpg,4.25,M\xfcller\n", "Windows-1252 text"},
        {"path;score\r\nZürich 5€.jpg;3,5\r\nb.jpg;4,25\r\n",
         "fields between semicolons, commas as decimal signs"},
        {"path\tscore\nZürich 5€.jpg\t3.5\nb.jpg\t4.25\n", "fields between tabs"},
        {"path|score\nZürich 5€.jpg|3.5\nb.jpg|4.25\n", "fields between upright lines"},
        {"sep=;\r\npath;score\r\nZürich 5€.jpg;3.5\r\nb.jpg;4.25", "fields between semicolons"},
        {"\"sep=,\"\npath,score\nZürich 5€.jpg,3.5\nb.jpg,4.25", ""},
        {"SEP=^\npath^score\nZürich 5€.jpg^3.5\nb.jpg^4.25", "fields between \"^\""},
        {"path,score\nZürich 5€.jpg,\"3,5\"\nb.jpg,\"4,25\"", "commas as decimal signs"},
        {" \"path\" ,\"score\"\n \"Zürich 5€.jpg\", \"3.5\" \nb.jpg,4.25", ""},
        {"path,score,note\nZürich 5€.jpg,3.5\n,,\n , ,\nb.jpg,4.25,,,\n,,,,,\n", ""},
        {"path,score,\nZürich 5€.jpg,3.5,\nb.jpg,4.25,\n", ""},
        {"\xc2\xa0path,score\xc2\xa0\nZürich 5€.jpg\xc2\xa0,\xc2\xa0"
         "3.5\nb.jpg,4.25\n\x1a",
         ""},
        {"note;path;score\na, b;Zürich 5€.jpg;3.5\nc, d, e;b.jpg;4.25\n",
         "fields between semicolons"},
        {"path,score,tags;more\nZürich 5€.jpg,3.5,x;y\nb.jpg,4.25,z\n", ""},
        {"\r\n,\r\n \"\",\"\"\r\npath,score\r\nZürich 5€.jpg,3.5\r\nb.jpg,4.25\r\n", ""},
        {";;\nsep=;\n;;\npath;score\nZürich 5€.jpg;3.5\nb.jpg;4.25\n", "fields between semicolons"},
        {"Table 1,\npath,score\nZürich 5€.jpg,3.5\nb.jpg,4.25\n", "a table below its title"},
        {"\"Ratings, May\";\n\npath;score\nZürich 5€.jpg;3.5\nb.jpg;4.25\n",
         "fields between semicolons, a table below its title"},
    };
    for (size_t i = 0; i < PIAA_COUNT(dresses); i++)
        check_dress(dresses[i][0], strlen(dresses[i][0]), dresses[i][1]);
    const char *text = dresses[5][0];
    check_units(text, 2, true, true, "UTF-16 text, fields between tabs");
    check_units(text, 2, false, true, "UTF-16 text, fields between tabs");
    check_units(text, 2, true, false, "UTF-16 text, fields between tabs");
    check_units(text, 2, false, false, "UTF-16 text, fields between tabs");
    check_units(text, 4, true, true, "UTF-32 text, fields between tabs");
    check_units(text, 4, false, true, "UTF-32 text, fields between tabs");
}

/* Python: bytes(range(128, 160)).decode("cp1252", "surrogateescape"), and U+1F600 in UTF-16. */
static void encodings_are_decoded(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        {"\x80\x85\x8e\x91\x99\x9f\xa0\xff", 8, "€…Ž‘™Ÿ\xc2\xa0ÿ"},
        {"\x81", 1, "\xc2\x81"},
        {"\xff\xfe\x3d\xd8\x00\xde", 6, "😀"},
        {"\xfe\xff\xd8\x3d\xde\x00", 6, "😀"},
        {"\xff\xfe\x3d\xd8"
         "a\0",
         6,
         "\xef\xbf\xbd"
         "a"},
        {"\xff\xfe"
         "a\0b",
         5, "a\xef\xbf\xbd"},
        {"\xef\xbb\xbf", 3, ""},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_text out = {0};
        piaa_encoding encoding;
        piaa_error error = {0};
        assert_true(piaa_utf8_decode(cases[i].bytes, cases[i].size, &out, &encoding, &error));
        assert_string_equal(out.data ? out.data : "", cases[i].text);
        free(out.data);
    }
}

/* One column, as the others make it; the last cell is judged. */
static void cells_are_judged_by_their_column(void **state) {
    (void)state;
    static const struct {
        const char *text;
        piaa_cell is;
        double value;
        const char *fault;
    } cases[] = {
        {"n\n\"1,5\"", PIAA_CELL_NUMBER, 1.5, ""},
        {"n\n\"0,125\"", PIAA_CELL_NUMBER, 0.125, ""}, /* no thousands begin with 0 */
        {"n\n\"1,234\"", PIAA_CELL_OTHER, 0, "thousands"},
        {"n\n\"3,5\"\n\"1,234\"", PIAA_CELL_NUMBER, 1.234, ""},
        {"n\n\"3,5\"\n2.5\n\"1,234\"", PIAA_CELL_OTHER, 0, "thousands"},
        {"n\n\"3,5\"\n1.234", PIAA_CELL_OTHER, 0, "thousands"},
        {"n\n\"3,5\"\n1.5", PIAA_CELL_NUMBER, 1.5, ""},
        {"n\n1.234", PIAA_CELL_NUMBER, 1.234, ""},
        {"n;m\n1,234;", PIAA_CELL_NUMBER, 1.234, ""}, /* semicolons: the comma is decimal */
        {"n;m\n1.234;", PIAA_CELL_NUMBER, 1.234, ""},
        {"n;m\n3,5;\n1.234;", PIAA_CELL_OTHER, 0, "thousands"},
        {"n\n\"1.234,5\"", PIAA_CELL_OTHER, 0, "thousands"},
        {"n\n\"1,234.5\"", PIAA_CELL_OTHER, 0, "thousands"},
        {"n\n\"1,2,3\"", PIAA_CELL_OTHER, 0, "not a number"},
        {"n\n80%", PIAA_CELL_NUMBER, 80, ""},
        {"n\n\"80,5 %\"", PIAA_CELL_NUMBER, 80.5, ""},
        {"n\n3\n80%", PIAA_CELL_OTHER, 0, "per cent"},
        {"n\n%", PIAA_CELL_OTHER, 0, "not a number"},
        {"n\n★★★☆☆", PIAA_CELL_NUMBER, 3, ""},
        {"n\n⭐️⭐️", PIAA_CELL_NUMBER, 2, ""},
        {"n\n****", PIAA_CELL_NUMBER, 4, ""},
        {"n\n☆☆☆☆☆", PIAA_CELL_BLANK, 0, ""},
        {"n\n★3", PIAA_CELL_OTHER, 0, "not a number"},
        {"n\n−1", PIAA_CELL_NUMBER, -1, ""},
        {"n\n3 stars", PIAA_CELL_OTHER, 0, "not a number"},
        {"n\ninf", PIAA_CELL_OTHER, 0, "not a number"},
        {"n\n4/5", PIAA_CELL_OTHER, 0, "not a number"},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        double value = 0;
        piaa_csv *csv = parse(cases[i].text, NULL);
        assert_non_null(csv);
        piaa_cell is = PIAA_CELL_BLANK;
        const char *fault = "";
        while (piaa_csv_next(csv, NULL) == 1) {
            is = piaa_csv_number(csv, 0, &value);
            if (is == PIAA_CELL_OTHER) fault = piaa_csv_fault(csv, 0);
        }
        if (is != cases[i].is || (is == PIAA_CELL_NUMBER && value != cases[i].value) ||
            !strstr(fault, cases[i].fault))
            fail_msg("%s: %d, %g, %s", cases[i].text, is, value, fault);
        piaa_csv_close(csv);
    }
    static const char *const blanks[] = {"NA",   "N/A", "#N/A", "nan", "NaN", "null",
                                         "None", "-",   "–",    "",    "?",   "<NA>"};
    for (size_t i = 0; i < PIAA_COUNT(blanks); i++) {
        double value;
        assert_int_equal(piaa_cell_read(&(piaa_cell_form){0}, blanks[i], &value), PIAA_CELL_BLANK);
    }
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
        cmocka_unit_test(every_dress_is_read),
        cmocka_unit_test(encodings_are_decoded),
        cmocka_unit_test(cells_are_judged_by_their_column),
        cmocka_unit_test(quoting_comes_back),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
