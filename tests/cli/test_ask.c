/* piaa ask: what transformers says of the same photo, as text and as JSON; and what is refused, in
   one line. */
#include "program.h"

#include "base/json.h"

#define PHOTO PIAA_SOURCE "/data/para/imgs/session1/iaa_pub1_0000.jpg"
#define QUESTION "Assess the aesthetics of this image."

/* The photo's row of golden answers; the caller's. */
static cJSON *golden;

static const cJSON *row(void) {
    piaa_error error = {0};
    golden = piaa_json_read(PIAA_GOLDEN "/text/generate/demo_para100.json", 8 << 20, &error);
    if (!golden) fail_msg("%s", error.message);
    const cJSON *first = piaa_json_find(golden, "photos")->child;
    assert_string_equal(piaa_json_string(first, "path"), "para/imgs/session1/iaa_pub1_0000.jpg");
    return piaa_json_find(first, "base");
}

static void answers(void **state) {
    (void)state;
    char *line = piaa_format(NULL, "%s\n", piaa_json_string(row(), "text"));
    expect_ok(PIAA("ask", PHOTO, QUESTION, ONE));
    assert_string_equal(out, line);
    assert_null(strstr(err, "cut off"));
    expect_ok(PIAA("ask", PHOTO, QUESTION, "--model", PIAA_SOURCE "/models/demo", ONE));
    assert_string_equal(out, line);
    expect_ok(PIAA("ask", PHOTO, QUESTION, "--max-tokens", "4", ONE));
    assert_string_equal(out, "A good photo:\n");
    assert_non_null(strstr(err, "cut off after 4 tokens: --max-tokens allows more"));
    free(line);
    cJSON_Delete(golden);
}

static void json(void **state) {
    (void)state;
    const cJSON *expected = row(), *ids = piaa_json_find(expected, "new_ids");
    piaa_error error = {0};
    double score = 0, mass = 0, wanted = 0, wanted_mass = 0, first = 0, seconds = 0;
    int64_t tokens = 0;
    bool stopped = false;
    expect_ok(PIAA("ask", PHOTO, QUESTION, "--json", ONE));
    cJSON *said = piaa_json_parse(out, strlen(out), "out", &error);
    if (!said) fail_msg("%s", error.message);
    assert_string_equal(piaa_json_string(said, "text"), piaa_json_string(expected, "text"));
    assert_string_equal(piaa_json_string(said, "question"), QUESTION);
    assert_true(cJSON_Compare(piaa_json_find(said, "new_ids"), ids, true));
    assert_true(piaa_json_bool(said, "stopped", &stopped) && stopped);
    assert_true(piaa_json_number(said, "expected_score", &score) &&
                piaa_json_number(expected, "expected", &wanted) && fabs(score - wanted) < 1e-4);
    assert_true(piaa_json_number(said, "digit_mass", &mass) &&
                piaa_json_number(expected, "digit_mass", &wanted_mass) &&
                fabs(mass - wanted_mass) < 1e-6);
    assert_true(piaa_json_int(said, "prompt_tokens", &tokens) && tokens == 46);
    assert_true(piaa_json_number(said, "first_seconds", &first) &&
                piaa_json_number(said, "seconds", &seconds) && first > 0 && first <= seconds);
    cJSON_Delete(said);
    cJSON_Delete(golden);
}

/* Photos in their order, and then the question. */
static void several(void **state) {
    (void)state;
    piaa_error error = {0};
    cJSON *all = piaa_json_read(PIAA_GOLDEN "/text/generate/settings.json", 1 << 20, &error);
    if (!all) fail_msg("%s", error.message);
    for (const cJSON *one = piaa_json_find(all, "several")->child; one; one = one->next) {
        const char *words[16] = {"piaa", "ask"};
        char *paths[8] = {NULL};
        size_t n = 2;
        int64_t tokens = 0, expected = 0;
        for (const cJSON *p = piaa_json_find(one, "photos")->child; p; p = p->next, n++)
            words[n] = paths[n - 2] = support_join(PIAA_SOURCE, p->valuestring);
        words[n++] = piaa_json_string(all, "prompt");
        words[n++] = "--json";
        words[n++] = "--threads";
        words[n++] = "1";
        expect_ok(program_run((program_way){0}, words));
        cJSON *said = piaa_json_parse(out, strlen(out), "out", &error);
        if (!said) fail_msg("%s", error.message);
        assert_string_equal(piaa_json_string(said, "text"), piaa_json_string(one, "text"));
        assert_true(
            cJSON_Compare(piaa_json_find(said, "new_ids"), piaa_json_find(one, "new_ids"), true));
        assert_true(piaa_json_int(said, "prompt_tokens", &tokens) &&
                    piaa_json_int(one, "prompt_tokens", &expected) && tokens == expected);
        cJSON_Delete(said);
        for (size_t i = 0; i < PIAA_COUNT(paths); i++) free(paths[i]);
    }
    cJSON_Delete(all);
    expect_refusal(PIAA("ask", PHOTO, "gone.jpg", QUESTION), 1, "piaa ask:", "gone.jpg");
}

static char *sampled(const char *seed, const char *top_k) {
    expect_ok(PIAA("ask", PHOTO, QUESTION, "--sample", "--temperature", "1.5", "--top-k", top_k,
                   "--top-p=0.99", "--seed", seed, ONE));
    return piaa_strdup(out, NULL);
}

static void samples(void **state) {
    (void)state;
    char *one = sampled("1", "200"), *again = sampled("1", "200"), *other = sampled("2", "200"),
         *greedy = sampled("3", "1");
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_int_equal(strncmp(greedy, piaa_json_string(row(), "text"), strlen(greedy) - 1), 0);
    free(one), free(again), free(other), free(greedy);
    cJSON_Delete(golden);
}

static void refusals(void **state) {
    (void)state;
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--model", PIAA_GOLDEN "/clip"), 1,
                   "piaa ask:", "is a model of vision alone (CLIP), which answers nothing");
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--model", PIAA_GOLDEN "/dinov3"), 1,
                   "piaa ask:", "is a model of vision alone (DINOv3)");
    expect_refusal(PIAA("ask", "gone.jpg", QUESTION), 1, "piaa ask:", "gone.jpg");
    put("words.jpg", "no photo");
    expect_refusal(PIAA("ask", "words.jpg", QUESTION), 1, "piaa ask:", "words.jpg");
    expect_refusal(PIAA("ask", PHOTO), 2, "piaa ask:", "QUESTION");
    expect_refusal(PIAA("ask", PHOTO, PHOTO), 2, "piaa ask:", "is a file: the question comes last");
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--max-tokens", "0"), 2,
                   "piaa ask:", "--max-tokens");
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--top-k", "5"), 2,
                   "piaa ask:", "--top-k is about samples");
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--sample", "--top-p", "1.5"), 2,
                   "piaa ask:", "--top-p cannot be \"1.5\": give a number from 0.001 to 1");
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--sample", "--temperature", "warm"), 2,
                   "piaa ask:", "--temperature cannot be \"warm\"");
    expect_refusal(PIAA("ask", PHOTO, "<|image_pad|>?"), 2,
                   "piaa ask:", "stands for the rows of an image");
}

/* Folders whose other files are links to a golden one's. */
static void put_model(const char *name, const char *family, const char *settings) {
    static const char *const files[] = {"config.json", "preprocessor_config.json", "tokenizer.json",
                                        "model.safetensors"};
    make_folder(name);
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        char *link = piaa_format(NULL, "%s/%s", name, files[i]),
             *target = piaa_format(NULL, PIAA_GOLDEN "/%s/%s", family, files[i]);
        make_link(link, target);
        free(link), free(target);
    }
    char *path = piaa_format(NULL, "%s/generation_config.json", name);
    put(path, settings);
    free(path);
}

static void settings(void **state) {
    (void)state;
    put_model("beams", "qwen3vl", "{\"num_beams\": 3}");
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--model", "beams"), 1, "piaa ask:",
                   "generation_config.json asks for \"num_beams\", which piaa does not do");
    put_model("broken", "qwen3vl", "{\"eos_token_id\": [444,\n}");
    expect_refusal(PIAA("ask", PHOTO, QUESTION, "--model", "broken"), 1,
                   "piaa ask:", "broken/generation_config.json, line 2");
    put_model("short", "gemma3", "{\"max_new_tokens\": 2}");
    expect_ok(PIAA("ask", PHOTO, QUESTION, "--model", "short", ONE));
    assert_non_null(strstr(err, "cut off after 2 tokens"));

    /* More words than the model was made for. */
    char *much = piaa_alloc(20001, 1, NULL);
    for (int i = 0; i < 20000; i++) much[i] = "why not? "[i % 9];
    expect_refusal(PIAA("ask", PHOTO, much, "--model", "short"), 2,
                   "piaa ask:", "was made for 4096: ask something shorter");
    free(much);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, program_begin, program_end),
        cmocka_unit_test_setup_teardown(json, program_begin, program_end),
        cmocka_unit_test_setup_teardown(several, program_begin, program_end),
        cmocka_unit_test_setup_teardown(samples, program_begin, program_end),
        cmocka_unit_test_setup_teardown(refusals, program_begin, program_end),
        cmocka_unit_test_setup_teardown(settings, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
