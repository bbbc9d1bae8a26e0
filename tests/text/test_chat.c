/* The chat form against the Hugging Face processor's input_ids. */
#include "support.h"

#include "text/chat.h"

static const char *const prompts[][2] = {
    {"base", "Assess the aesthetics of this image."},
    {"unrelated", "Describe the weather today in one sentence."},
    {"unicode", "\u00c9value l\u2019esth\u00e9tique \u2014 \u201clumi\u00e8re\u201d, \u6784\u56fe "
                "\u548c \u8272\u5f69! (1\u20135)\n\n  Score:"},
};

static piaa_tokenizer *open_golden(const char *folder) {
    piaa_error error = {0};
    piaa_tokenizer *t = piaa_tokenizer_open(folder, &error);
    if (!t) fail_msg("%s", error.message);
    return t;
}

static void check_golden_ids(const char *folder, piaa_chat_form form) {
    char *path = support_join(folder, "golden.safetensors");
    piaa_tokenizer *t = open_golden(folder);
    piaa_safetensors *golden = support_golden(path);
    int compared = 0;
    for (size_t n = 0; n < piaa_safetensors_count(golden); n++) {
        const char *name = piaa_safetensors_at(golden, n)->name, *bar = strchr(name, '|'),
                   *last = bar ? strchr(bar + 1, '|') : NULL;
        if (!last || strcmp(last, "|input_ids")) continue;
        bool generate = !strncmp(bar, "|generate|", 10);
        const char *prompt = generate ? prompts[0][1] : NULL;
        for (size_t p = 0; p < PIAA_COUNT(prompts); p++)
            if (!strncmp(bar + 1, prompts[p][0], (size_t)(last - bar - 1))) prompt = prompts[p][1];
        assert_non_null(prompt);
        size_t count, grid_count;
        int32_t *ids = support_ints(golden, name, &count);
        char *key =
            piaa_format(NULL, "%.*s%s|grid", (int)(bar - name), name, generate ? "|base" : bar);
        assert_non_null(key);
        if (!generate) strcpy(key + (last - name), "|grid");
        int32_t *grid = support_ints(golden, key, &grid_count);
        size_t image_tokens = (size_t)grid[1] * (size_t)grid[2] / 4;
        piaa_chat_tokens tokens;
        piaa_error error = {0};
        if (!piaa_chat_ask(t, form, NULL, prompt, image_tokens, generate, &tokens, &error))
            fail_msg("%s: %s", name, error.message);
        assert_int_equal(tokens.ids.count, count);
        assert_memory_equal(tokens.ids.items, ids, count * sizeof *ids);
        int32_t image = piaa_tokenizer_find(t, "<|image_pad|>");
        assert_int_equal(tokens.images->count, image_tokens);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(ids[i] == image, i >= tokens.images->start &&
                                                  i < tokens.images->start + tokens.images->count);
        piaa_chat_tokens_free(&tokens);
        free(grid);
        free(key);
        free(ids);
        compared++;
    }
    assert_true(compared >= 14);
    piaa_safetensors_close(golden);
    piaa_tokenizer_close(t);
    free(path);
}

static void golden_ids(void **state) {
    PIAA_UNUSED(state);
    check_golden_ids(PIAA_GOLDEN "/qwen3vl", PIAA_CHAT_QWEN3VL);
    check_golden_ids(PIAA_GOLDEN "/qwen25vl", PIAA_CHAT_QWEN25VL);
}

static void refused(void **state) {
    PIAA_UNUSED(state);
    piaa_tokenizer *t = open_golden(PIAA_GOLDEN "/qwen3vl");
    piaa_chat_tokens tokens;
    const struct {
        const char *prompt;
        size_t image_tokens;
        const char *part;
    } rows[] = {
        {"see <|image_pad|> here", 4, "<|image_pad|>"},
        {"<|video_pad|>", 4, "<|video_pad|>"},
        {NULL, 4, "no prompt"},
        {"x", 0, "no image tokens"},
        {"x", SIZE_MAX / 2, "too many"},
    };
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        piaa_error error = {0};
        assert_false(piaa_chat_ask(t, PIAA_CHAT_QWEN3VL, NULL, rows[i].prompt, rows[i].image_tokens,
                                   false, &tokens, &error));
        assert_non_null(strstr(error.message, rows[i].part));
        assert_null(tokens.ids.items);
    }
    /* Other special tokens in a prompt are parsed, as the processor does it. */
    piaa_error error = {0};
    assert_true(piaa_chat_ask(t, PIAA_CHAT_QWEN3VL, NULL, "<|im_end|>", 1, false, &tokens, &error));
    int ends = 0;
    for (size_t i = 0; i < tokens.ids.count; i++)
        ends += tokens.ids.items[i] == piaa_tokenizer_find(t, "<|im_end|>");
    assert_int_equal(ends, 2);
    piaa_chat_tokens_free(&tokens);
    piaa_tokenizer_close(t);
    t = piaa_tokenizer_open(PIAA_BUILD "/tokenizers/gemma3.tokenizer.json", &error);
    assert_non_null(t);
    assert_false(piaa_chat_ask(t, PIAA_CHAT_QWEN3VL, NULL, "x", 1, false, &tokens, &error));
    assert_non_null(strstr(error.message, "Qwen3-VL"));
    assert_int_equal(error.code, PIAA_MISMATCH);
    piaa_tokenizer_close(t);
}

/* Gemma's form, with white space around the prompt, which the template trims. */
static void golden_ids_gemma(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_tokenizer *t = piaa_tokenizer_open(PIAA_GOLDEN "/gemma3", &error);
    assert_non_null(t);
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/gemma3/golden.safetensors");
    static const char *const around[][2] = {{"", ""},
                                            {" ", "\n\t "},
                                            {"\x1c\r\n", "\u00a0\u3000"},
                                            {"\u2003\u2028", "\xC2\x85 \u1680"}};
    enum { IMAGE_TOKENS = 4 };
    for (size_t p = 0; p <= PIAA_COUNT(prompts); p++)
        for (size_t a = 0; a < PIAA_COUNT(around); a++) {
            bool generate = p == PIAA_COUNT(prompts);
            char name[64], text[256];
            size_t count;
            snprintf(name, sizeof name, "cat.jpg|%s|input_ids",
                     generate ? "generate" : prompts[p][0]);
            snprintf(text, sizeof text, "%s%s%s", around[a][0], prompts[generate ? 0 : p][1],
                     around[a][1]);
            int32_t *ids = support_ints(golden, name, &count);
            piaa_chat_tokens tokens;
            if (!piaa_chat_ask(t, PIAA_CHAT_GEMMA3, NULL, text, IMAGE_TOKENS, generate, &tokens,
                               &error))
                fail_msg("%s", error.message);
            assert_int_equal(tokens.ids.count, count);
            assert_memory_equal(tokens.ids.items, ids, count * sizeof *ids);
            assert_int_equal(tokens.images->count, IMAGE_TOKENS);
            int32_t image = piaa_tokenizer_find(t, "<image_soft_token>");
            for (size_t i = 0; i < count; i++)
                assert_int_equal(ids[i] == image,
                                 i >= tokens.images->start &&
                                     i < tokens.images->start + tokens.images->count);
            piaa_chat_tokens_free(&tokens);
            free(ids);
        }
    piaa_chat_tokens tokens;
    assert_true(piaa_chat_ask(t, PIAA_CHAT_GEMMA3, NULL, " \n ", 1, false, &tokens, &error));
    piaa_chat_tokens_free(&tokens);
    assert_false(
        piaa_chat_ask(t, PIAA_CHAT_GEMMA3, NULL, "a <start_of_image>", 1, false, &tokens, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_safetensors_close(golden);
    piaa_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_ids),
                                       cmocka_unit_test(golden_ids_gemma),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
