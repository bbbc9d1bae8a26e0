/* The parser: what it takes, what it refuses and in which words, and what is written from the
   tables. */
#include "support.h"

#include "cli/help.h"
#include "cli/options.h"

static const piaa_option reading[] = {
    {"model", "DIR", "a folder", "none", NULL},
    {"exif", "WHAT", "turned or not", "apply", "apply ignore"},
    {0},
};
static const piaa_option printing[] = {
    {"top", "N", "the best N", "all", NULL}, {"json", NULL, "print [JSON]: all", NULL, NULL}, {0}};
static const piaa_command command = {
    .name = "rank",
    .summary = "Rank photos",
    .example = "piaa rank photos\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = 2,
    .groups = {{"Reading", reading}, {"Printing", printing}},
    .notes = "One\\two.\n\n.Three.",
};

static bool parse(piaa_call *call, piaa_error *error, int count, char *const *words) {
    *call = (piaa_call){0};
    *error = (piaa_error){0};
    return piaa_call_parse(call, &command, count, words, error);
}

#define PARSE(call, error, ...)                                                                    \
    parse(call, error, (int)PIAA_COUNT(((char *[]){__VA_ARGS__})), (char *[]){__VA_ARGS__})

static void test_accepts(void **state) {
    (void)state;
    piaa_call call;
    piaa_error error;
    int64_t top = 7;
    assert_true(PARSE(&call, &error, "a", "--model", "x", "--exif=ignore", "--json", "-"));
    assert_int_equal(call.operand_count, 2);
    assert_string_equal(call.operands[0], "a");
    assert_string_equal(call.operands[1], "-");
    assert_string_equal(piaa_call_value(&call, "model"), "x");
    assert_string_equal(piaa_call_value(&call, "exif"), "ignore");
    assert_true(piaa_call_has(&call, "json"));
    assert_false(piaa_call_has(&call, "top"));
    assert_true(piaa_call_integer(&call, "top", 1, 9, &top, &error));
    assert_int_equal(top, 7);
    piaa_call_free(&call);
    /* after --, everything is an operand; a value may be empty or begin with dashes if it is
       written with = */
    assert_true(PARSE(&call, &error, "--model=", "--top=3", "--top", "4", "--", "--json"));
    assert_string_equal(piaa_call_value(&call, "model"), "");
    assert_string_equal(call.operands[0], "--json");
    assert_true(piaa_call_integer(&call, "top", 1, 9, &top, &error));
    assert_int_equal(top, 4); /* the last one counts */
    piaa_call_free(&call);
    /* help wins over what is wrong after it */
    assert_true(PARSE(&call, &error, "-h", "--nonsense"));
    assert_true(call.help);
    piaa_call_free(&call);
}

static void refuse(const char *expected, int count, char *const *words) {
    piaa_call call;
    piaa_error error;
    assert_false(parse(&call, &error, count, words));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_string_equal(error.message, expected);
    piaa_call_free(&call);
}

#define REFUSE(expected, ...)                                                                      \
    refuse(expected, (int)PIAA_COUNT(((char *[]){__VA_ARGS__})), (char *[]){__VA_ARGS__})

static void test_refuses(void **state) {
    (void)state;
    REFUSE("unknown option --modle, did you mean --model?", "a", "--modle", "x");
    REFUSE("unknown option --mod, did you mean --model?", "a", "--mod", "x"); /* no abbreviations */
    REFUSE("unknown option --jsn, did you mean --json?", "a", "--jsn=x");
    REFUSE("unknown option --quality: piaa rank --help lists them", "a", "--quality", "9");
    REFUSE("unknown option -m: options are written out (--help); a name that begins with - goes "
           "after --",
           "a", "-m", "x");
    REFUSE("--model needs a value: --model DIR", "a", "--model");
    REFUSE("--model needs a value: --model DIR", "a", "--model", "--json");
    REFUSE("--json is a switch and takes no value", "a", "--json=yes");
    REFUSE("--exif cannot be \"appl\": use one of apply ignore", "a", "--exif", "appl");
    REFUSE("--exif cannot be \"\": use one of apply ignore", "a", "--exif=");
    REFUSE("arguments are missing: piaa rank PHOTOS…", "--json");
    REFUSE("\"c\" is one argument too many: piaa rank PHOTOS…", "a", "b", "c");
    static const char *const bad[] = {"0", "10", "x", "3x", "", "1.5", "99999999999999999999"};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_call call;
        piaa_error error;
        int64_t top = 1;
        char *word = piaa_format(NULL, "--top=%s", bad[i]);
        assert_true(PARSE(&call, &error, "a", word));
        assert_false(piaa_call_integer(&call, "top", 1, 9, &top, &error));
        assert_int_equal(error.code, PIAA_USAGE);
        assert_non_null(strstr(error.message, "whole number from 1 to 9"));
        free(word);
        piaa_call_free(&call);
    }
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const words[] = {"rank", "embed", "fit", "predict", "store info"};
    assert_int_equal(piaa_words_nearest("rnak", words, 5), 0);
    assert_int_equal(piaa_words_nearest("fitt", words, 5), 2);
    assert_int_equal(piaa_words_nearest("predikt", words, 5), 3);
    assert_int_equal(piaa_words_nearest("store", words, 5), 4);
    assert_int_equal(piaa_words_nearest("sort", words, 5), -1);
    assert_int_equal(piaa_words_nearest("", words, 5), -1);
    char long_word[300];
    memset(long_word, 'r', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_int_equal(piaa_words_nearest(long_word, words, 5), -1);
}

static void test_help(void **state) {
    (void)state;
    const piaa_command *const commands[] = {&command, NULL};
    piaa_text text = {0};
    assert_true(piaa_help_command(&command, &text, NULL));
    assert_non_null(strstr(
        text.data,
        "Rank photos.\n\n  piaa rank photos\n\nUsage: piaa rank [OPTIONS] PHOTOS…\n\nReading\n"));
    assert_non_null(strstr(text.data, "  --exif WHAT         turned or not (default: apply)\n"));
    for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 82); /* 80 columns, … is 3 bytes */
    text.length = 0;
    assert_true(piaa_help_man(commands, &text, NULL));
    assert_non_null(
        strstr(text.data, "\\fB\\-\\-exif\\fR \\fIWHAT\\fR\nturned or not (default: apply).\n"));
    assert_non_null(
        strstr(text.data,
               "One\\etwo.\n.PP\n\\&.Three.\n")); /* nothing of the text is taken for a request */
    text.length = 0;
    assert_true(piaa_help_completion(commands, "zsh", &text, NULL));
    assert_non_null(strstr(text.data, "'--json[print \\[JSON\\]\\: all]'"));
    text.length = 0;
    piaa_error error = {0};
    assert_false(piaa_help_completion(commands, "csh", &text, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    free(text.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
