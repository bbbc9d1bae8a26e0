/* JSON: faults named by file and line, types checked, keys exact. */
#include "support.h"

#include "base/json.h"

static cJSON *parse(const char *text, piaa_error *error) {
    return piaa_json_parse(text, strlen(text), "DIR/config.json", error);
}

static void faults_name_file_and_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *place;
    } bad[] = {
        {"", "line 1:"},
        {"  \n ", "line 2:"},
        {"{\n\"a\": 1,\n\"b\": }", "line 3:"},
        {"{\n\"a\": [1,\n2", "line 3:"},
        {"{} x", "line 1:"},
        {"{}\n\n{}", "line 3:"},
        {"{\"a\": 'b'}", "line 1:"},
        {"{\"a\": NaN}", "line 1:"},
        {"[\"abc", "line 1:"},
        {"[\"\\ud800\"]", "line 1:"},
        {"tru", "line 1:"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        assert_null(parse(bad[i].text, &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        assert_non_null(strstr(error.message, "DIR/config.json, "));
        if (!strstr(error.message, bad[i].place)) fail_msg("%s: %s", bad[i].text, error.message);
    }
}

static void zero_bytes_are_faults(void **state) {
    (void)state;
    piaa_error error = {0};
    assert_null(piaa_json_parse("{}\n\0", 4, "x", &error));
    assert_non_null(strstr(error.message, "line 2"));
    assert_null(piaa_json_parse("[\"a\0b\"]", 7, "x", &error));
}

static void only_size_bytes_are_read(void **state) {
    (void)state;
    char *text = malloc(2); /* no terminator: a read too far is a fault under AddressSanitizer */
    memcpy(text, "12", 2);
    cJSON *value = piaa_json_parse(text, 2, "x", NULL);
    assert_non_null(value);
    assert_int_equal(value->valueint, 12);
    cJSON_Delete(value);
    free(text);
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    enum { DEPTH = 1000000 };
    char *text = malloc(DEPTH);
    piaa_error error = {0};
    memset(text, '[', DEPTH);
    assert_null(piaa_json_parse(text, DEPTH, "x", &error));
    assert_non_null(strstr(error.message, "nested"));
    free(text);
}

static void getters_check_types(void **state) {
    (void)state;
    cJSON *root = parse("{\"a\": {\"b\": 7, \"B\": 8, \"n\": null, \"s\": \"t\", \"x\": 1.5, "
                        "\"yes\": true, \"list\": [1, -2, 3], \"mixed\": [1, 2.5]},\n"
                        "\"big\": 9007199254740991, \"bigger\": 9007199254740993, \"huge\": 1e999, "
                        "\"twice\": 1, \"twice\": 2, \"e\": 1e3}\n ",
                        NULL);
    assert_non_null(root);
    int64_t i = -1, list[3];
    double x = -1;
    bool b = false;
    assert_true(piaa_json_int(root, "a.b", &i) && i == 7);
    assert_true(piaa_json_int(root, "a.B", &i) && i == 8);
    assert_true(piaa_json_int(root, "big", &i) && i == 9007199254740991);
    assert_true(piaa_json_int(root, "e", &i) && i == 1000);
    assert_true(piaa_json_int(root, "twice", &i) && i == 2);
    i = -1;
    static const char *const not_integers[] = {"a",    "a.x", "a.s",  "a.n", "a.b.c", "bigger",
                                               "huge", "",    "none", ".",   "a.",    "a.yes"};
    for (size_t k = 0; k < PIAA_COUNT(not_integers); k++)
        assert_false(piaa_json_int(root, not_integers[k], &i));
    assert_int_equal(i, -1);
    assert_true(piaa_json_number(root, "a.x", &x) && x == 1.5);
    assert_false(piaa_json_number(root, "huge", &x));
    assert_true(piaa_json_bool(root, "a.yes", &b) && b);
    assert_false(piaa_json_bool(root, "a.b", &b));
    assert_string_equal(piaa_json_string(root, "a.s"), "t");
    assert_null(piaa_json_string(root, "a.b"));
    assert_null(piaa_json_find(root, "a.n"));
    assert_null(piaa_json_find(NULL, "a"));
    assert_int_equal(piaa_json_ints(root, "a.list", list, 3), 3);
    assert_int_equal(list[1], -2);
    assert_int_equal(piaa_json_ints(root, "a.list", list, 2), -1);
    assert_int_equal(piaa_json_ints(root, "a.mixed", list, 3), -1);
    assert_int_equal(piaa_json_ints(root, "a.b", list, 3), -1);
    cJSON_Delete(root);
}

static void reading_a_file(void **state) {
    (void)state;
    piaa_error error = {0};
    cJSON *root = piaa_json_read(PIAA_GOLDEN "/qwen3vl/config.json", 1 << 20, &error);
    int64_t hidden;
    assert_true(piaa_json_int(root, "text_config.hidden_size", &hidden) && hidden == 64);
    cJSON_Delete(root);
    assert_null(piaa_json_read("/nowhere/at/all", 1 << 20, &error));
    assert_null(piaa_json_read(PIAA_GOLDEN "/qwen3vl/config.json", 10, &error));
}

/* Python: b"sch\xf6n".decode("utf-8", "replace"), and what json.dumps(ensure_ascii=False) makes. */
static void what_is_written_is_utf8(void **state) {
    (void)state;
    piaa_error error = {0};
    cJSON *root = cJSON_CreateObject();
    cJSON *inner = cJSON_AddObjectToObject(root, "sch\xf6n");
    cJSON_AddStringToObject(inner, "a", "\xff");
    cJSON_AddStringToObject(inner, "\xe2\x82", "schön");
    cJSON *list = cJSON_AddArrayToObject(root, "list");
    cJSON_AddItemToArray(list, cJSON_CreateString("\xc0\xaf"));
    cJSON_AddItemToArray(list, cJSON_CreateRaw("1.5"));
    char *text = piaa_json_print(root, false, &error);
    assert_string_equal(text, "{\"sch�n\":{\"a\":\"�\",\"�\":\"schön\"},"
                              "\"list\":[\"��\",1.5]}\n");
    cJSON *again = piaa_json_parse(text, strlen(text), "again", &error);
    assert_non_null(again);
    cJSON_Delete(again);
    free(text);
    cJSON_Delete(root);
    assert_null(piaa_json_print(NULL, true, &error));
    assert_int_equal(error.code, PIAA_MEMORY);
}

/* Whatever is in a name comes back, as cJSON reads it; what is no UTF-8 is repaired as above. */
static void lists_are_put_together_as_text(void **state) {
    (void)state;
    static const char *const names[] = {"",      "a/b.jpg",  "\"\\\"", "\x01\n\t\x1f",
                                        "schön", "</script>"};
    piaa_text list = {0};
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        piaa_text_add(&list, i ? "," : "[", 1, NULL);
        piaa_json_quote(&list, names[i]);
    }
    piaa_text_add(&list, "]", 1, NULL);
    cJSON *again = piaa_json_parse(list.data, list.length, "again", NULL);
    assert_int_equal(cJSON_GetArraySize(again), PIAA_COUNT(names));
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        assert_string_equal(cJSON_GetArrayItem(again, (int)i)->valuestring, names[i]);
    cJSON_Delete(again);
    free(list.data);
    list = (piaa_text){0};
    piaa_json_quote(&list, "\xff");
    cJSON *raw = cJSON_CreateRaw(list.data);
    char *text = piaa_json_print(raw, false, NULL);
    assert_string_equal(text, "\"�\"\n");
    free(text);
    cJSON_Delete(raw);
    free(list.data);
}

static void building_keeps_its_first_failure(void **state) {
    (void)state;
    piaa_json_build build = {.root = cJSON_CreateObject()};
    cJSON *list = piaa_json_put(&build, build.root, "list", cJSON_CreateArray());
    piaa_json_put_text(&build, list, NULL, "a");
    piaa_json_put_text(&build, list, NULL, NULL);
    char *text = piaa_json_print(piaa_json_built(&build), false, NULL);
    assert_string_equal(text, "{\"list\":[\"a\",\"\"]}\n");
    free(text);
    cJSON *missing = piaa_json_put(&build, build.root, "gone", NULL);
    assert_null(missing);
    assert_null(piaa_json_put(&build, missing, "in it", cJSON_CreateNumber(1)));
    piaa_json_put_text(&build, build.root, "later", "fine");
    assert_true(build.failed);
    assert_null(piaa_json_built(&build));
    cJSON_Delete(build.root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_name_file_and_line),
        cmocka_unit_test(zero_bytes_are_faults),
        cmocka_unit_test(only_size_bytes_are_read),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(getters_check_types),
        cmocka_unit_test(reading_a_file),
        cmocka_unit_test(what_is_written_is_utf8),
        cmocka_unit_test(lists_are_put_together_as_text),
        cmocka_unit_test(building_keeps_its_first_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
