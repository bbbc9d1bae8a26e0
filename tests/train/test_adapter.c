/* Adapters as files: PEFT's own are read and written back to the byte, and those that do not fit
 * are refused in one line. */
#include "fixture.h"

static piaa_model *model;
static const piaa_decoder *decoder;

static char *read_file(const char *folder, const char *name, size_t *size) {
    piaa_error error = {0};
    char *path = support_join(folder, name);
    char *text = piaa_file_read(path, 1 << 24, size, &error);
    if (!text) fail_msg("%s", error.message);
    free(path);
    return text;
}

static void weights_are_written_as_peft_does(void **state) {
    static const char golden[] = LORA "qwen3vl/answer/adapter_10";
    PIAA_UNUSED(state);
    piaa_error error = {0};
    char *folder = support_folder(), *out = support_join(folder, "adapter");
    piaa_lora *lora = piaa_lora_read(decoder, golden, &error);
    if (!lora || !piaa_lora_write(lora, "qwen3vl", out, &error)) fail_msg("%s", error.message);
    size_t size, expected_size;
    char *text = read_file(out, "adapter_model.safetensors", &size),
         *expected = read_file(golden, "adapter_model.safetensors", &expected_size);
    assert_int_equal(size, expected_size);
    assert_memory_equal(text, expected, size);
    free(text);
    free(expected);

    /* Settings: those of PEFT's that matter, by the same names. */
    static const char *const numbers[] = {"r", "lora_alpha", "lora_dropout"};
    char *path = support_join(out, "adapter_config.json");
    cJSON *own = piaa_json_read(path, 1 << 20, &error),
          *theirs =
              piaa_json_read(LORA "qwen3vl/answer/adapter_10/adapter_config.json", 1 << 20, &error);
    if (!own || !theirs) fail_msg("%s", error.message);
    for (size_t i = 0; i < PIAA_COUNT(numbers); i++) {
        double a = -1, b = -2;
        assert_true(piaa_json_number(own, numbers[i], &a) &&
                    piaa_json_number(theirs, numbers[i], &b));
        assert_true(a == b);
    }
    assert_string_equal(piaa_json_string(own, "peft_type"), "LORA");
    assert_string_equal(piaa_json_string(own, "task_type"), "CAUSAL_LM");
    assert_string_equal(piaa_json_string(own, "base_model_name_or_path"), "qwen3vl");
    const cJSON *item;
    cJSON_ArrayForEach(item, own) assert_non_null(
        cJSON_GetObjectItemCaseSensitive(theirs, item->string)); /* PEFT knows all of them */
    cJSON_Delete(own);
    cJSON_Delete(theirs);

    /* Over itself; and what was written is read again. */
    if (!piaa_lora_write(lora, "qwen3vl", out, &error)) fail_msg("%s", error.message);
    piaa_lora *again = piaa_lora_read(decoder, out, &error);
    assert_non_null(again);
    assert_memory_equal(again->values, lora->values, lora->count * sizeof(float));
    piaa_lora_free(again);
    piaa_lora_free(lora);
    free(path);
    free(out);
    support_remove(folder);
}

/* Some targets alone, another rank: what is written is an adapter that a model opens with. */
static void any_targets_and_rank_are_an_adapter(void **state) {
    PIAA_UNUSED(state);
    for (unsigned targets = 1; targets <= PIAA_ALL_TARGETS; targets += 9) {
        piaa_error error = {0};
        char *folder = support_folder(), *out = support_join(folder, "a");
        piaa_lora *lora = piaa_lora_new(decoder, 3, 6, targets, 0, 5, &error);
        if (!lora || !piaa_lora_write(lora, "m", out, &error)) fail_msg("%s", error.message);
        piaa_model *adapted = piaa_model_open_adapted(PIAA_GOLDEN "/qwen3vl", NULL, out, &error);
        if (!adapted) fail_msg("%s", error.message);
        piaa_model_close(adapted);
        piaa_lora *again = piaa_lora_read(decoder, out, &error);
        assert_non_null(again);
        assert_int_equal(again->targets, targets);
        assert_int_equal(again->rank, 3);
        piaa_lora_free(again);
        piaa_lora_free(lora);
        free(out);
        support_remove(folder);
    }
}

/* A starts in ±1 / sqrt(inputs), B at zero; a seed gives the same again, another one does not. */
static void new_adapters_change_nothing(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_lora *one = piaa_lora_new(decoder, 4, 8, PIAA_ALL_TARGETS, 0, 1, &error),
              *same = piaa_lora_new(decoder, 4, 8, PIAA_ALL_TARGETS, 0, 1, &error),
              *other = piaa_lora_new(decoder, 4, 8, PIAA_ALL_TARGETS, 0, 2, &error);
    assert_true(one && same && other);
    assert_memory_equal(one->values, same->values, one->count * sizeof(float));
    assert_memory_not_equal(one->values, other->values, one->count * sizeof(float));
    for (int i = 0; i < one->blocks * PIAA_TARGETS; i++) {
        const piaa_lora_pair *pair = &one->pairs[i];
        float most = 0;
        for (int64_t j = 0; j < pair->inputs * 4; j++)
            if (fabsf(pair->a[j]) > most) most = fabsf(pair->a[j]);
        const float bound = 1 / sqrtf((float)pair->inputs);
        assert_true(most <= bound && most > 0.9f * bound);
        for (int64_t j = 0; j < pair->outputs * 4; j++) assert_true(pair->b[j] == 0);
    }
    piaa_lora_free(one);
    piaa_lora_free(same);
    piaa_lora_free(other);
}

static void expect_refusal(piaa_lora *lora, piaa_error *error, piaa_code code, const char *part) {
    assert_null(lora);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, part)) fail_msg("%s", error->message);
    assert_null(strchr(error->message, '\n'));
    *error = (piaa_error){0};
}

static void what_does_not_fit_is_refused(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    expect_refusal(piaa_lora_read(decoder, LORA "gemma3/answer/adapter_10", &error), &error,
                   PIAA_MISMATCH, "base model");
    expect_refusal(piaa_lora_read(decoder, LORA "demo/answer/adapter_10", &error), &error,
                   PIAA_MISMATCH, "base model");
    expect_refusal(piaa_lora_read(decoder, PIAA_GOLDEN "/qwen3vl", &error), &error, PIAA_IO,
                   "adapter_config.json");
    expect_refusal(piaa_lora_new(decoder, 0, 16, PIAA_ALL_TARGETS, 0, 0, &error), &error,
                   PIAA_USAGE, "rank");
    expect_refusal(piaa_lora_new(decoder, 8, 16, 0, 0, 0, &error), &error, PIAA_USAGE, "q, k, v");
    expect_refusal(piaa_lora_new(decoder, 8, 16, 1, 1, 0, &error), &error, PIAA_USAGE, "dropout");

    /* A folder of the user's own is not written into: neither file is ours. */
    char *folder = support_folder();
    piaa_lora *lora = piaa_lora_new(decoder, 2, 4, PIAA_ALL_TARGETS, 0, 0, &error);
    assert_non_null(lora);
    support_write(folder, "adapter_config.json", "{\"mine\": 1}", 11);
    assert_false(piaa_lora_write(lora, "m", folder, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    error = (piaa_error){0};
    char *file = support_join(folder, "adapter_config.json");
    assert_false(piaa_lora_write(lora, "m", file, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    error = (piaa_error){0};
    char *far = support_join(folder, "no/such/folder");
    assert_false(piaa_lora_write(lora, "m", far, &error));
    assert_int_equal(error.code, PIAA_IO);
    free(far);
    free(file);
    piaa_lora_free(lora);
    support_remove(folder);
}

static int open_model(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    model = piaa_model_open(PIAA_GOLDEN "/qwen3vl", &error);
    decoder = model ? model->family->decoder(model->config) : NULL;
    return decoder ? 0 : -1;
}

static int close_model(void **state) {
    PIAA_UNUSED(state);
    piaa_model_close(model);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_written_as_peft_does),
        cmocka_unit_test(any_targets_and_rank_are_an_adapter),
        cmocka_unit_test(new_adapters_change_nothing),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
