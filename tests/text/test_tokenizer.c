/* The tokenizer against the Hugging Face tokenizers library: ids and decoding for three real
   vocabularies; hard texts; broken files. */
#include "support.h"

#include "base/json.h"
#include "text/tokenizer.h"

static piaa_tokenizer *open_tokenizer(const char *path) {
    piaa_error error = {0};
    piaa_tokenizer *t = piaa_tokenizer_open(path, &error);
    if (!t) fail_msg("%s", error.message);
    return t;
}

static piaa_tokenizer *open_named(const char *name) {
    if (!strcmp(name, "qwen3"))
        return open_tokenizer(PIAA_BUILD "/tokenizers/qwen3.tokenizer.json");
    if (!strcmp(name, "gemma3"))
        return open_tokenizer(PIAA_BUILD "/tokenizers/gemma3.tokenizer.json");
    return open_tokenizer(PIAA_SOURCE "/models/demo");
}

static cJSON *read_json(const char *path) {
    piaa_error error = {0};
    cJSON *json = piaa_json_read(path, 64 << 20, &error);
    if (!json) fail_msg("%s", error.message);
    return json;
}

static void check_encode(const piaa_tokenizer *t, const char *text, size_t size,
                         const cJSON *wanted, const char *row) {
    piaa_error error = {0};
    piaa_ids ids = {0};
    if (!piaa_tokenizer_encode(t, text, size, &ids, &error)) fail_msg("%s: %s", row, error.message);
    size_t i = 0;
    for (const cJSON *id = wanted->child; id; id = id->next, i++)
        if (i >= ids.count || ids.items[i] != id->valueint)
            fail_msg("%s: id %zu is not %d", row, i, id->valueint);
    if (ids.count != i) fail_msg("%s: %zu ids, not %zu", row, ids.count, i);
    piaa_ids_free(&ids);
}

static void check_decode(const piaa_tokenizer *t, const cJSON *ids, const char *wanted,
                         size_t wanted_size, const char *row) {
    piaa_ids list = {0};
    piaa_error error = {0};
    for (const cJSON *id = ids->child; id; id = id->next)
        assert_true(piaa_ids_add(&list, id->valueint, &error));
    size_t size = 0;
    char *text = piaa_tokenizer_decode(t, list.items, list.count, &size, &error);
    if (!text) fail_msg("%s: %s", row, error.message);
    if (size != wanted_size || memcmp(text, wanted, size) || text[size])
        fail_msg("%s: decoded to \"%s\"", row, text);
    free(text);
    piaa_ids_free(&list);
}

/* The text of an answer, and what is settled of it: after each id a beginning of the whole. */
static void check_said(const piaa_tokenizer *t, const cJSON *ids, const char *wanted,
                       size_t wanted_size, const char *row) {
    enum { STEPS = 120 };
    piaa_ids list = {0};
    piaa_error error = {0};
    size_t size = 0, settled = 0, before = 0;
    for (const cJSON *id = ids->child; id; id = id->next) {
        assert_true(piaa_ids_add(&list, id->valueint, &error));
        if (list.count > STEPS) continue;
        char *part = piaa_tokenizer_text(t, list.items, list.count, &size, &settled, &error);
        if (!part || settled < before || settled > size || settled > wanted_size ||
            memcmp(part, wanted, settled) != 0)
            fail_msg("%s: settled too early, \"%s\" after %zu ids", row, part, list.count);
        before = settled;
        free(part);
    }
    char *text = piaa_tokenizer_text(t, list.items, list.count, &size, NULL, &error);
    if (!text) fail_msg("%s: %s", row, error.message);
    if (size != wanted_size || memcmp(text, wanted, size) || text[size])
        fail_msg("%s: said \"%s\"", row, text);
    free(text);
    piaa_ids_free(&list);
}

/* Bytes of a hexadecimal string, in place. */
static size_t unhex(char *text) {
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        text[i] = (char)strtol(pair, NULL, 16);
    }
    return size;
}

static void golden_rows(void **state) {
    static const char *const names[] = {"qwen3", "gemma3"};
    PIAA_UNUSED(state);
    cJSON *golden = read_json(PIAA_GOLDEN "/tokens.json");
    for (size_t n = 0; n < PIAA_COUNT(names); n++) {
        piaa_tokenizer *t = open_named(names[n]);
        int count = 0;
        for (const cJSON *row = piaa_json_find(golden, names[n])->child; row;
             row = row->next, count++) {
            const char *text = piaa_json_string(row, "text"),
                       *decoded = piaa_json_string(row, "decoded");
            const cJSON *ids = piaa_json_find(row, "ids");
            /* cJSON ends a string at an escaped NUL; there is one such row, and it is this text. */
            size_t size = !*text && ids->child ? 3 : strlen(text);
            const char *source = size == 3 && !*text ? "\0\1\x7f" : text;
            check_encode(t, source, size, ids, text);
            check_decode(t, ids, source == text ? decoded : source,
                         source == text ? strlen(decoded) : size, text);
        }
        assert_true(count > 20);
        piaa_tokenizer_close(t);
    }
    cJSON_Delete(golden);
}

static void awkward_rows(void **state) {
    PIAA_UNUSED(state);
    cJSON *golden = read_json(PIAA_SOURCE "/tests/text/tokens.json");
    for (const cJSON *family = golden->child; family; family = family->next) {
        piaa_tokenizer *t = open_named(family->string);
        for (int i = 0; i < 2; i++)
            for (const cJSON *row = piaa_json_find(family, i ? "decode" : "rows")->child; row;
                 row = row->next) {
                char *bytes = cJSON_GetStringValue(cJSON_GetObjectItem(row, "bytes")),
                     *text = cJSON_GetStringValue(cJSON_GetObjectItem(row, "text")),
                     *said = cJSON_GetStringValue(cJSON_GetObjectItem(row, "said"));
                char *name = piaa_format(NULL, "%s %.60s", family->string, bytes ? bytes : text);
                const cJSON *ids = piaa_json_find(row, "ids");
                if (bytes) check_encode(t, bytes, unhex(bytes), ids, name);
                check_decode(t, ids, text, unhex(text), name);
                check_said(t, ids, said, unhex(said), name);
                free(name);
            }
        piaa_tokenizer_close(t);
    }
    cJSON_Delete(golden);
}

static void tables(void **state) {
    PIAA_UNUSED(state);
    piaa_tokenizer *t = open_named("qwen3");
    assert_int_equal(piaa_tokenizer_size(t), 151669);
    assert_int_equal(piaa_tokenizer_find(t, "<|image_pad|>"), 151655);
    assert_int_equal(piaa_tokenizer_find(t, "no such token"), -1);
    assert_int_equal(piaa_tokenizer_find(t, ""), -1);
    assert_string_equal(piaa_tokenizer_piece(t, 151644), "<|im_start|>");
    assert_string_equal(piaa_tokenizer_piece(t, 0), "!");
    assert_null(piaa_tokenizer_piece(t, 151669));
    assert_null(piaa_tokenizer_piece(t, -1));
    /* Ids without a token are left out of the text, as by the library. */
    size_t size;
    char *text = piaa_tokenizer_decode(t, (const int32_t[]){0, 200000, -5, 1}, 4, &size, NULL);
    assert_string_equal(text, "!\"");
    free(text);
    piaa_error error = {0};
    piaa_ids ids = {0};
    assert_false(piaa_tokenizer_encode(NULL, "x", 1, &ids, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_tokenizer_close(t);
    piaa_tokenizer_close(NULL);
}

/* Long runs, where a careless tokenizer takes hours: they end, and decode to themselves. */
static void long_texts(void **state) {
    static const char *const units[] = {
        "a",  " ", "\xC3\xA9",   "ab", "\xCC\x81",     "e\xCC\x96", "\xCC\x81\xCC\x96",
        "\n", "<", "<|im_end|>", "'",  "\xE4\xB8\xAD", "1",         " \t"};
    static const char *const names[] = {"qwen3", "gemma3", "demo"};
    enum { LONG = 1 << 20 };
    PIAA_UNUSED(state);
    char *text = malloc(LONG);
    assert_non_null(text);
    for (size_t n = 0; n < PIAA_COUNT(names); n++) {
        piaa_tokenizer *t = open_named(names[n]);
        for (size_t u = 0; u < PIAA_COUNT(units); u++) {
            piaa_error error = {0};
            piaa_ids ids = {0};
            size_t length = strlen(units[u]), size = 0,
                   whole = (n ? LONG / 8 : LONG) / length * length;
            for (size_t i = 0; i < whole; i++) text[i] = units[u][i % length];
            if (!piaa_tokenizer_encode(t, text, whole, &ids, &error))
                fail_msg("%s: %s: %s", names[n], units[u], error.message);
            char *back = piaa_tokenizer_decode(t, ids.items, ids.count, &size, &error);
            assert_non_null(back);
            bool composes =
                strstr(units[u], "\xCC\x96") ||
                !strcmp(names[n], "gemma3"); /* NFC puts marks into order; Gemma has no NFC */
            if (!composes || !strcmp(names[n], "gemma3")) {
                assert_int_equal(size, whole);
                assert_memory_equal(back, text, size);
            }
            free(back);
            piaa_ids_free(&ids);
        }
        piaa_tokenizer_close(t);
    }
    free(text);
}

/* A whole small tokenizer.json with one part replaced: `what` is one of the %s below. */
static char *small(const char *normalizer, const char *pre, const char *added, const char *model,
                   const char *merges) {
    piaa_text json = {0};
    assert_true(
        piaa_text_format(&json, NULL,
                         "{\"normalizer\": %s, \"pre_tokenizer\": %s, \"added_tokens\": [%s], "
                         "\"decoder\": {\"type\": \"Sequence\", \"decoders\": "
                         "[{\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}]}, \"model\": "
                         "{\"type\": \"BPE\", \"byte_fallback\": true, %s \"vocab\": {",
                         normalizer ? normalizer : "null", pre ? pre : "null", added ? added : "",
                         model ? model : ""));
    for (int i = 0; i < 256; i++)
        assert_true(piaa_text_format(&json, NULL, "\"<0x%02X>\": %d, ", (unsigned)i, i));
    assert_true(piaa_text_format(
        &json, NULL,
        "\"a\": 300, \"b\": 301, \"ab\": 302, \"c\": 303, \"abc\": 304}, \"merges\": [%s]}}",
        merges ? merges : "\"a b\", [\"ab\", \"c\"]"));
    return json.data;
}

static void small_tokenizer(void **state) {
    PIAA_UNUSED(state);
    char *json = small("{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": "
                       "\"Replace\", \"pattern\": {\"String\": "
                       "\"x\"}, \"content\": \"b\"}]}",
                       NULL,
                       "{\"id\": 400, \"content\": \"<x>\", \"normalized\": true, \"special\": "
                       "false}, {\"id\": 401, \"content\": \"ax\", "
                       "\"normalized\": false},"
                       "{\"id\": 402, \"content\": \"axx\", \"normalized\": false}",
                       NULL, NULL);
    piaa_error error = {0};
    piaa_tokenizer *t = piaa_tokenizer_parse(json, strlen(json), "small.json", &error);
    if (!t) fail_msg("%s", error.message);
    piaa_ids ids = {0};
    /* "axx" before "ax"; "<b>" is the normalised form of "<x>"; the byte of "!" */
    assert_true(piaa_tokenizer_encode(t, "abcaxxaxc<b><x>!xab", 19, &ids, &error));
    const int32_t wanted[] = {304, 402, 401, 303, 400, 400, 0x21, 301, 302};
    assert_int_equal(ids.count, PIAA_COUNT(wanted));
    assert_memory_equal(ids.items, wanted, sizeof wanted);
    piaa_ids_free(&ids);
    assert_int_equal(piaa_tokenizer_size(t), 403);
    assert_null(piaa_tokenizer_piece(t, 299));
    piaa_tokenizer_close(t);
    free(json);
}

static void refuse(char *json, piaa_code code, const char *part) {
    piaa_error error = {0};
    piaa_tokenizer *t = piaa_tokenizer_parse(json, strlen(json), "DIR/tokenizer.json", &error);
    if (t) fail_msg("taken, though it should say \"%s\": %.200s", part, json);
    if (!strstr(error.message, part) || strncmp(error.message, "DIR/tokenizer.json", 18) ||
        strchr(error.message, '\n'))
        fail_msg("should say \"%s\": %s", part, error.message);
    assert_int_equal(error.code, code);
    free(json);
}

static char *copy(const char *text) {
    char *c = piaa_strdup(text, NULL);
    assert_non_null(c);
    return c;
}

static void broken_files(void **state) {
    PIAA_UNUSED(state);
    refuse(copy(""), PIAA_FORMAT, "empty");
    refuse(copy("[1, 2]"), PIAA_FORMAT, "not a JSON object");
    refuse(copy("{\"model\": {\"vocab\": {"), PIAA_FORMAT, "broken");
    refuse(copy("{}"), PIAA_FORMAT, "vocab");
    refuse(copy("{\"a\": \"\xFF\"}"), PIAA_FORMAT, "byte 7 is not UTF-8");
    refuse(small("{\"type\": \"Lowercase\"}", NULL, NULL, NULL, NULL), PIAA_UNSUPPORTED,
           "\"Lowercase\"");
    refuse(small("{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"x\"}, \"content\": \"\"}",
                 NULL, NULL, NULL, NULL),
           PIAA_UNSUPPORTED, "Replace");
    refuse(small("7", NULL, NULL, NULL, NULL), PIAA_FORMAT, "no \"type\"");
    refuse(small(NULL, "{\"type\": \"Metaspace\"}", NULL, NULL, NULL), PIAA_UNSUPPORTED,
           "\"Metaspace\"");
#define SPLIT(pattern)                                                                             \
    small(NULL, "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {" pattern "}}",   \
          NULL, NULL, NULL)
    refuse(SPLIT("\"Regex\": \"(\""), PIAA_FORMAT, "cannot be compiled");
    refuse(SPLIT("\"Regex\": \"x*\""), PIAA_UNSUPPORTED, "match nothing");
    refuse(SPLIT("\"Regex\": \"\\\\w+\""), PIAA_UNSUPPORTED, "\\w");
    refuse(SPLIT("\"Regex\": \"[a[b]]\""), PIAA_UNSUPPORTED, "class");
    refuse(SPLIT("\"Regex\": \"x\\\\\""), PIAA_UNSUPPORTED, "x\\");
    refuse(SPLIT("\"String\": \"\""), PIAA_UNSUPPORTED, "match nothing");
    refuse(SPLIT("\"Regex\": 3"), PIAA_FORMAT, "pattern");
    refuse(
        small(NULL,
              "{\"type\": \"Split\", \"behavior\": \"Removed\", \"pattern\": {\"String\": \" \"}}",
              NULL, NULL, NULL),
        PIAA_UNSUPPORTED, "\"Removed\"");
    refuse(small(NULL, "{\"type\": \"ByteLevel\", \"add_prefix_space\": true}", NULL, NULL, NULL),
           PIAA_UNSUPPORTED, "add_prefix_space");
    refuse(small(NULL, "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}", NULL, NULL, NULL),
           PIAA_UNSUPPORTED, "byte 0x00");
    refuse(small(NULL, NULL, "{\"id\": 400, \"content\": \"x\", \"lstrip\": true}", NULL, NULL),
           PIAA_UNSUPPORTED, "\"lstrip\"");
    refuse(small(NULL, NULL, "{\"id\": 300, \"content\": \"x\"}", NULL, NULL), PIAA_FORMAT,
           "same id");
    refuse(small(NULL, NULL, "{\"id\": 400, \"content\": \"a\"}", NULL, NULL), PIAA_FORMAT,
           "twice");
    refuse(small(NULL, NULL, "{\"id\": 400, \"content\": \"\"}", NULL, NULL), PIAA_FORMAT,
           "no content");
    refuse(small(NULL, NULL, "{\"id\": -1, \"content\": \"x\"}", NULL, NULL), PIAA_FORMAT, "\"x\"");
    refuse(small(NULL, NULL, "{\"id\": 4e9, \"content\": \"x\"}", NULL, NULL), PIAA_FORMAT,
           "\"x\"");
    refuse(small(NULL, NULL, "{\"id\": 1.5, \"content\": \"x\"}", NULL, NULL), PIAA_FORMAT,
           "\"x\"");
    refuse(small(NULL, NULL, "{\"content\": \"x\"}", NULL, NULL), PIAA_FORMAT, "\"x\"");
    refuse(small(NULL, NULL, "4", NULL, NULL), PIAA_FORMAT, "no content");
    refuse(small(NULL, NULL, NULL, "\"dropout\": 0.1,", NULL), PIAA_UNSUPPORTED, "dropout");
    refuse(small(NULL, NULL, NULL, "\"end_of_word_suffix\": \"</w>\",", NULL), PIAA_UNSUPPORTED,
           "end_of_word_suffix");
    refuse(small(NULL, NULL, NULL, "\"type\": \"Unigram\",", NULL), PIAA_UNSUPPORTED, "Unigram");
    refuse(small(NULL, NULL, NULL, NULL, "\"a x\""), PIAA_FORMAT, "names \"x\"");
    refuse(small(NULL, NULL, NULL, NULL, "\"x a\""), PIAA_FORMAT, "names \"x\"");
    refuse(small(NULL, NULL, NULL, NULL, "\"a b\", \"b a\""), PIAA_FORMAT,
           "merge number 1 names \"ba\"");
    refuse(small(NULL, NULL, NULL, NULL, "\"ab\""), PIAA_FORMAT, "not a pair");
    refuse(small(NULL, NULL, NULL, NULL, "\"a b c\""), PIAA_FORMAT, "not a pair");
    refuse(small(NULL, NULL, NULL, NULL, "[\"a\"]"), PIAA_FORMAT, "not a pair");
    refuse(small(NULL, NULL, NULL, NULL, "[\"a\", 3]"), PIAA_FORMAT, "not a pair");
    refuse(small(NULL, NULL, NULL, NULL, "7"), PIAA_FORMAT, "not a pair");
    piaa_error error = {0};
    assert_null(piaa_tokenizer_open(PIAA_SOURCE "/tests/text/absent.json", &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "absent.json"));
}

/* Every prefix of a real file is refused or (white space at its end missing) read; never a
   crash. */
static void cut_files(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    size_t size;
    char *json = piaa_file_read(PIAA_GOLDEN "/qwen3vl/tokenizer.json", 1 << 20, &size, &error);
    assert_non_null(json);
    for (size_t i = 0; i < size; i += 97) assert_null(piaa_tokenizer_parse(json, i, "cut", &error));
    piaa_tokenizer *t = piaa_tokenizer_parse(json, size, "whole", &error);
    assert_non_null(t);
    piaa_tokenizer_close(t);
    free(json);
}

/* An expression that backtracks without end is given up with an error, and nothing is appended. */
static void endless_expression(void **state) {
    PIAA_UNUSED(state);
    char *json = small(
        NULL,
        "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"(a+)+b\"}}",
        NULL, NULL, NULL);
    piaa_error error = {0};
    piaa_tokenizer *t = piaa_tokenizer_parse(json, strlen(json), "endless", &error);
    if (!t) fail_msg("%s", error.message);
    piaa_ids ids = {0};
    assert_true(piaa_ids_add(&ids, 7, &error));
    assert_false(
        piaa_tokenizer_encode(t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaacb", 42, &ids, &error));
    assert_non_null(strstr(error.message, "gave up"));
    assert_int_equal(ids.count, 1);
    piaa_ids_free(&ids);
    piaa_tokenizer_close(t);
    free(json);
}

/* The files that a tokenizer.json is made from say the same. */
static void older_files(void **state) {
    (void)state;
    static const char text[] =
        "<|im_start|>Assess the aesthetics: \u6784\u56fe, 12 na\u00efve\n\n x";
    static const char *const names[] = {"vocab.json", "merges.txt", "tokenizer_config.json"};
    char *folder = support_folder();
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        char *from = support_join(PIAA_SOURCE "/models/demo", names[i]);
        size_t size;
        char *bytes = piaa_file_read(from, 1 << 24, &size, NULL);
        assert_non_null(bytes);
        support_write(folder, names[i], bytes, size);
        free(bytes);
        free(from);
    }
    piaa_error error = {0};
    piaa_tokenizer *older = piaa_tokenizer_open(folder, &error),
                   *newer = piaa_tokenizer_open(PIAA_SOURCE "/models/demo", NULL);
    if (!older) fail_msg("%s", error.message);
    piaa_ids a = {0}, b = {0};
    assert_true(piaa_tokenizer_encode(older, text, sizeof text - 1, &a, NULL) &&
                piaa_tokenizer_encode(newer, text, sizeof text - 1, &b, NULL));
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.items, b.items, a.count * sizeof *a.items);
    piaa_ids_free(&a);
    piaa_ids_free(&b);
    piaa_tokenizer_close(older);
    piaa_tokenizer_close(newer);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_files),        cmocka_unit_test(golden_rows),
        cmocka_unit_test(awkward_rows),       cmocka_unit_test(tables),
        cmocka_unit_test(long_texts),         cmocka_unit_test(small_tokenizer),
        cmocka_unit_test(broken_files),       cmocka_unit_test(cut_files),
        cmocka_unit_test(endless_expression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
