/* Text normalised as Hugging Face's tokenizers 0.23 normalises it (normalizers.NFC, Replace,
   Sequence), and normalisers that are refused. */
#include "support.h"

#include "text/normalise.h"

#define NFC "{\"type\":\"NFC\"}"
#define REPLACE(from, to)                                                                          \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"" to "\"}"
#define SEQUENCE(list) "{\"type\":\"Sequence\",\"normalizers\":[" list "]}"
#define AND ","

static piaa_normaliser *make(const char *text, piaa_error *error) {
    cJSON *json = text ? cJSON_Parse(text) : NULL;
    assert_true(json || !text);
    piaa_normaliser *made = piaa_normaliser_new(json, error);
    cJSON_Delete(json);
    return made;
}

/* Twice with the same memory, as a tokenizer does. */
static void expect(const char *json, const char *text, const char *expected) {
    piaa_error error = {0};
    piaa_normalised memory = {0};
    piaa_normaliser *normaliser = make(json, &error);
    if (!normaliser) fail_msg("%s", error.message);
    for (int round = 0; round < 2; round++) {
        const char *at = text;
        size_t size = strlen(text);
        assert_true(piaa_normalise(normaliser, &at, &size, &memory, &error));
        if (size != strlen(expected) || memcmp(at, expected, size) != 0)
            fail_msg("\"%s\" became \"%.*s\", not \"%s\"", text, (int)size, at, expected);
        if (strcmp(text, expected) == 0) assert_ptr_equal(at, text);
    }
    piaa_normaliser_free(normaliser);
    free(memory.buffers[0].data);
    free(memory.buffers[1].data);
}

static void text_is_normalised_as_by_tokenizers(void **state) {
    PIAA_UNUSED(state);
    expect(NULL, "e\u0301", "e\u0301");
    expect(NFC, "e\u0301 a\u030a x", "\u00e9 \u00e5 x");
    expect(NFC, "plain", "plain");
    expect(REPLACE("ab", "b"), "aababab ab", "abbb b");
    expect(REPLACE("aa", "b"), "aaaaa", "bba");
    expect(REPLACE(" ", "\u2581"), " a  b ", "\u2581a\u2581\u2581b\u2581");
    expect(REPLACE("abc", ""), "ababcabc", "ab");
    expect(REPLACE("x", "xx"), "xax", "xxaxx");
    expect(REPLACE("abd", "-"), "abcabd", "abc-");
    expect(REPLACE("b", "c"), "b", "c");
    expect(REPLACE("ba", "c"), "ab", "ab");
    expect(REPLACE("abc", "-"), "ab", "ab");
    expect(REPLACE("a", "b"), "", "");
    expect(REPLACE("\u0301", "'"), "e\u0301", "e'");
    expect(SEQUENCE(""), "abc", "abc");
    expect(SEQUENCE(REPLACE("q", "r") AND NFC AND REPLACE("a", "b")), "a",
           "b"); /* two do nothing */
    /* each step works on what the one before left */
    expect(SEQUENCE(NFC AND REPLACE("\u00e9", "E") AND REPLACE("E", "e\u0301")
                        AND NFC AND REPLACE("\u00e9\u00e9", "2")),
           "e\u0301e\u0301e", "2e");
    expect(SEQUENCE(REPLACE("a", "b") AND REPLACE("b", "c") AND REPLACE("c", "d")
                        AND REPLACE("d", "e") AND REPLACE("e", "f") AND REPLACE("f", "g")
                            AND REPLACE("g", "h") AND REPLACE("h", "i")),
           "a-h", "i-i");
}

/* A pattern is not looked for beyond the text's end. */
static void only_the_text_given_is_looked_at(void **state) {
    PIAA_UNUSED(state);
    piaa_normalised memory = {0};
    piaa_normaliser *normaliser = make(REPLACE("ab", "-"), NULL);
    assert_non_null(normaliser);
    static const char text[] = "ababab";
    for (size_t size = 0; size <= 6; size++) {
        const char *at = text;
        size_t left = size;
        char *own = piaa_alloc(size + 1, 1, NULL); /* of this size, for the sanitizer */
        assert_non_null(own);
        memcpy(own, text, size);
        at = own;
        assert_true(piaa_normalise(normaliser, &at, &left, &memory, NULL));
        assert_int_equal(left, size / 2 + size % 2);
        assert_memory_equal(at, "---", size / 2);
        if (size % 2) assert_true(at[left - 1] == 'a');
        free(own);
    }
    piaa_normaliser_free(normaliser);
    free(memory.buffers[0].data);
    free(memory.buffers[1].data);
}

static void what_is_not_known_is_refused(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *json, *part;
        piaa_code code;
    } cases[] = {
        {"{}", "has no \"type\"", PIAA_FORMAT},
        {"[]", "has no \"type\"", PIAA_FORMAT},
        {"{\"type\":7}", "has no \"type\"", PIAA_FORMAT},
        {"{\"type\":\"Sequence\"}", "not a plain list", PIAA_FORMAT},
        {SEQUENCE(SEQUENCE(NFC)), "not a plain list", PIAA_FORMAT},
        {SEQUENCE(NFC AND "{}"), "has no \"type\"", PIAA_FORMAT},
        {"{\"type\":\"NFKC\"}", "\"NFKC\" is not supported", PIAA_UNSUPPORTED},
        {SEQUENCE(NFC AND "{\"type\":\"Lowercase\"}"), "\"Lowercase\"", PIAA_UNSUPPORTED},
        {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a\"},\"content\":\"b\"}",
         "\"String\" pattern", PIAA_UNSUPPORTED},
        {"{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}}", "\"content\"", PIAA_UNSUPPORTED},
        {REPLACE("", "b"), "\"String\" pattern", PIAA_UNSUPPORTED},
        {SEQUENCE(NFC AND NFC AND NFC AND NFC AND NFC AND NFC AND NFC AND NFC AND NFC),
         "more than 8 steps", PIAA_UNSUPPORTED},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_error error = {0};
        assert_null(make(cases[i].json, &error));
        if (error.code != cases[i].code || !strstr(error.message, cases[i].part))
            fail_msg("%s: %s", cases[i].json, error.message);
    }
    piaa_normaliser *most =
        make(SEQUENCE(NFC AND NFC AND NFC AND NFC AND NFC AND NFC AND NFC AND NFC), NULL);
    assert_non_null(most);
    piaa_normaliser_free(most);
    piaa_normaliser_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_normalised_as_by_tokenizers),
        cmocka_unit_test(only_the_text_given_is_looked_at),
        cmocka_unit_test(what_is_not_known_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
