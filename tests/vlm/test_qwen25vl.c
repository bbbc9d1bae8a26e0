/* Qwen2.5-VL against Hugging Face transformers: every hidden state, pooled vector, vision block and
 * the logits, with our CPU kernels and without, in both spellings of the checkpoint. */
#include "fixture.h"

#define FOLDER PIAA_GOLDEN "/qwen25vl"

static const struct {
    const char *name, *text;
} prompts[] = {
    {"base", "Assess the aesthetics of this image."},
    {"unrelated", "Describe the weather today in one sentence."},
    {"unicode", "Évalue l’esthétique — “lumière”, 构图 和 色彩! (1–5)\n\n  Score:"},
};

static void check_from_pixels(const char *folder, bool portable) {
    piaa_error error = {0};
    piaa_safetensors *golden = support_golden(FOLDER "/golden.safetensors");
    fixture f = fixture_open(
        folder, "lt,lt_tail,lv,v", "all",
        (piaa_session_options){
            .dtype = PIAA_DTYPE_F32, .logits = true, .hidden = true, .portable = portable});
    const int32_t *grid = support_tensor(golden, "cat.jpg|base|grid")->data;
    piaa_model_input *input = piaa_model_prepare_patches(
        f.model, support_tensor(golden, "cat.jpg|base|pixel_values")->data, grid[1], grid[2], NULL,
        &error);
    if (!input) fail_msg("%s", error.message);
    fixture_run(&f, input);
    double pooled = fixture_pools(&f, golden, "cat.jpg|base", ""),
           hidden = fixture_states(&f, golden, "cat.jpg|base|hidden", false),
           vision = fixture_states(&f, golden, "cat.jpg|base|vision", true);
    const piaa_tensor *expected = support_tensor(golden, "cat.jpg|base|logits");
    double logits = support_relative_error(piaa_session_logits(f.session), expected->data,
                                           (size_t)expected->shape[0]);
    print_message("pooled %.2g, hidden states %.2g, vision blocks %.2g, logits %.2g\n", pooled,
                  hidden, vision, logits);
    assert_true(pooled <= 1e-4 && hidden <= 1e-4 && vision <= 1e-4 && logits <= 1e-4);
    piaa_model_input_free(input);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void test_from_pixels(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(FOLDER, false);
}

static void test_from_pixels_portable(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(FOLDER, true);
}

/* In one GGUF file, as Ollama's library has it. */
static void test_ollama(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(PIAA_GOLDEN "/gguf_ollama/qwen25vl.gguf", false);
    check_from_pixels(PIAA_GOLDEN "/gguf_ollama/qwen25vl.gguf", true);
}

/* From the files: our decoder, resize and tokenizer are in the way too. */
static void check_from_files(const char *pools, const char *layers, piaa_session_options options,
                             double limit) {
    piaa_safetensors *golden = support_golden(FOLDER "/golden.safetensors");
    fixture f = fixture_open(FOLDER, pools, layers, options);
    double worst = 0;
    for (size_t i = 0; i < PIAA_COUNT(images); i++)
        for (size_t p = 0; p < PIAA_COUNT(prompts); p++) {
            if (p > 0 && strcmp(images[i], "cat.jpg") != 0) continue;
            piaa_model_input *input =
                fixture_file(&f, images[i], &(piaa_ask){.prompt = prompts[p].text});
            char key[96];
            snprintf(key, sizeof key, "%s|%s", images[i], prompts[p].name);
            fixture_run(&f, input);
            double e = fixture_pools(&f, golden, key, "");
            if (e > worst) worst = e;
            piaa_model_input_free(input);
        }
    print_message("%s, pools %s at %s: %.2g\n", piaa_dtype_name(options.dtype), pools, layers,
                  worst);
    assert_true(worst <= limit);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void test_from_files(void **state) {
    PIAA_UNUSED(state);
    for (int portable = 0; portable < 2; portable++)
        check_from_files("lt,lt_tail,lv,v", "all",
                         (piaa_session_options){.dtype = PIAA_DTYPE_F32, .portable = portable},
                         2e-3);
}

static void test_bfloat16(void **state) {
    PIAA_UNUSED(state);
    for (int portable = 0; portable < 2; portable++)
        check_from_files("lt,lt_tail,lv,v", "all",
                         (piaa_session_options){.dtype = PIAA_DTYPE_BF16, .portable = portable},
                         0.1);
}

/* Leaving early must not change what is read, after a block with windows and after one without. */
static void test_early_exit(void **state) {
    PIAA_UNUSED(state);
    static const char *const requests[][2] = {{"lt", "0"}, {"lt", "1"},      {"lt,lt_tail", "2"},
                                              {"lt", "3"}, {"lt_tail", "3"}, {"lv", "0"},
                                              {"lv", "3"}, {"v", "0"},       {"v", "1"},
                                              {"v", "2"},  {"v,lt", "0"},    {"v,lt", "1"}};
    for (size_t i = 0; i < PIAA_COUNT(requests); i++)
        for (int portable = 0; portable < 2; portable++)
            check_from_files(requests[i][0], requests[i][1],
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32, .portable = portable},
                             2e-3);
}

/* The tokens around the photo, and the next one after the opening of the answer, are the
   reference's. */
static void test_generation(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *golden = support_golden(FOLDER "/golden.safetensors");
    fixture f = fixture_open(FOLDER, "lt", "0",
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32, .logits = true});
    piaa_model_input *input = fixture_file(&f, "cat.jpg", &(piaa_ask){.generate = true});
    assert_int_equal(piaa_model_input_tokens(input),
                     support_tensor(golden, "cat.jpg|generate|input_ids")->shape[0]);
    fixture_run(&f, input);
    const float *logits = piaa_session_logits(f.session);
    int best = 0;
    for (int i = 1; i < piaa_model_get_info(f.model)->vocabulary; i++)
        if (logits[i] > logits[best]) best = i;
    assert_int_equal(
        best, ((const int32_t *)support_tensor(golden, "cat.jpg|generate|new_ids")->data)[0]);
    piaa_model_input_free(input);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

/* The checkpoint as newer versions of transformers write it: the text's settings in an object of
 * their own, which leaves out what equals the defaults, and the decoder's names one module
 * deeper. */
static void edit_spelling(cJSON *config) {
    static const char *const moved[] = {
        "hidden_size",         "intermediate_size", "num_attention_heads", "num_hidden_layers",
        "num_key_value_heads", "rms_norm_eps",      "vocab_size"};
    static const char *const dropped[] = {"hidden_act", "rope_theta", "rope_scaling",
                                          "max_position_embeddings", "use_sliding_window"};
    cJSON *text = cJSON_AddObjectToObject(config, "text_config");
    for (size_t i = 0; i < PIAA_COUNT(moved); i++)
        cJSON_AddItemToObject(text, moved[i], cJSON_DetachItemFromObject(config, moved[i]));
    for (size_t i = 0; i < PIAA_COUNT(dropped); i++) cJSON_DeleteItemFromObject(config, dropped[i]);
    cJSON *rotary = cJSON_AddObjectToObject(text, "rope_parameters");
    cJSON_AddStringToObject(rotary, "rope_type", "default");
    cJSON_AddItemToObject(rotary, "mrope_section", cJSON_CreateIntArray((const int[]){2, 3, 3}, 3));
    cJSON *vision = fixture_at(config, "vision_config");
    cJSON_DeleteItemFromObject(vision, "temporal_patch_size");
    cJSON_DeleteItemFromObject(vision, "spatial_merge_size");
    cJSON_DeleteItemFromObject(vision, "hidden_act");
}

static void test_spellings(void **state) {
    PIAA_UNUSED(state);
    static const char *const renames[][2] = {{"visual.", "model.visual."},
                                             {"model.", "model.language_model."}};
    char *folder = fixture_respelt(FOLDER, edit_spelling, renames, PIAA_COUNT(renames));
    check_from_pixels(folder, false);
    support_remove(folder);
}

/* The defaults of the reference's configuration class, where they can be told from other values:
   an epsilon 10 times as large changes what is computed. */
static void drop_epsilon(cJSON *config) {
    cJSON_DeleteItemFromObject(config, "rms_norm_eps");
}
static void write_epsilon(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "rms_norm_eps"), 1e-5);
}

static void run_spelt(void (*edit)(cJSON *config), float *out, size_t count) {
    char *folder = fixture_respelt(FOLDER, edit, NULL, 0);
    fixture f = fixture_open(folder, "lt", "3", (piaa_session_options){.dtype = PIAA_DTYPE_F32});
    piaa_model_input *input = fixture_file(&f, "cat.jpg", NULL);
    assert_int_equal(f.values, count);
    fixture_run(&f, input);
    memcpy(out, f.out, count * sizeof *out);
    piaa_model_input_free(input);
    fixture_close(&f);
    support_remove(folder);
}

static void test_default_epsilon(void **state) {
    PIAA_UNUSED(state);
    float dropped[48], written[48];
    run_spelt(drop_epsilon, dropped, PIAA_COUNT(dropped));
    run_spelt(write_epsilon, written, PIAA_COUNT(written));
    assert_memory_equal(dropped, written, sizeof dropped);
}

/* One table for both ends, stored under the name of either. */
static void edit_tie(cJSON *config) {
    cJSON_ReplaceItemInObject(config, "tie_word_embeddings", cJSON_CreateTrue());
}

static void test_tied_table(void **state) {
    PIAA_UNUSED(state);
    static const char *const renames[][2] = {{"lm_head.", "unused."},
                                             {"model.embed_tokens.", "lm_head."}};
    piaa_safetensors *golden = support_golden(FOLDER "/golden.safetensors");
    for (size_t count = 1; count <= PIAA_COUNT(renames); count++) {
        char *folder = fixture_respelt(FOLDER, edit_tie, renames, count);
        fixture f = fixture_open(folder, "lt", "all",
                                 (piaa_session_options){.dtype = PIAA_DTYPE_F32, .logits = true});
        piaa_model_input *input = fixture_file(&f, "cat.jpg", NULL);
        fixture_run(&f, input);
        assert_true(fixture_pools(&f, golden, "cat.jpg|base", "") <= 2e-3);
        piaa_model_input_free(input);
        fixture_close(&f);
        support_remove(folder);
    }
    piaa_safetensors_close(golden);
}

static void set(cJSON *config, const char *object, const char *key, cJSON *value) {
    cJSON_DeleteItemFromObject(fixture_at(config, object), key);
    cJSON_AddItemToObject(fixture_at(config, object), key, value);
}
static void edit_window(cJSON *config) {
    set(config, "vision_config", "window_size", cJSON_CreateNumber(15));
}
static void edit_blocks(cJSON *config) {
    set(config, "vision_config", "fullatt_block_indexes", cJSON_CreateString("1"));
}
static void edit_sliding(cJSON *config) {
    set(config, "", "use_sliding_window", cJSON_CreateTrue());
}
static void edit_sections(cJSON *config) {
    set(config, "rope_scaling", "mrope_section", cJSON_CreateIntArray((const int[]){2, 3, 4}, 3));
}
static void edit_rotary(cJSON *config) {
    set(config, "rope_scaling", "type", cJSON_CreateString("longrope"));
}
static void edit_activation(cJSON *config) {
    set(config, "vision_config", "hidden_act", cJSON_CreateString("gelu"));
}
static void edit_width(cJSON *config) {
    set(config, "vision_config", "out_hidden_size", cJSON_CreateNumber(64));
}
static void edit_base(cJSON *config) {
    cJSON *rotary = cJSON_CreateObject();
    cJSON_AddNumberToObject(rotary, "rope_theta", 5000);
    set(config, "vision_config", "rope_parameters", rotary);
}
static void edit_patch(cJSON *config) {
    set(config, "vision_config", "patch_size", cJSON_CreateNumber(14));
}
static void edit_heads(cJSON *config) {
    set(config, "", "num_key_value_heads", cJSON_CreateNumber(2));
}

static void test_bad_configurations(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        void (*edit)(cJSON *config);
        const char *part;
    } rows[] = {{edit_window, "windows of 15 pixels hold no token of 16 x 16"},
                {edit_blocks, "fullatt_block_indexes\" should be a list"},
                {edit_sliding, "use_sliding_window is not supported"},
                {edit_sections, "add up to half of head_dim (8)"},
                {edit_rotary, "\"longrope\" are not supported"},
                {edit_activation, "only \"silu\" is supported"},
                {edit_width, "out_hidden_size is 64 but"},
                {edit_base, "rope_theta is 5000, only 10000"},
                {edit_patch, "image processor's patches (8, 2, 2) differ"},
                {edit_heads, "do not fit together"}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++)
        fixture_refused(FOLDER, rows[i].edit, rows[i].part);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_pixels), cmocka_unit_test(test_from_pixels_portable),
        cmocka_unit_test(test_from_files),  cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_early_exit),  cmocka_unit_test(test_generation),
        cmocka_unit_test(test_spellings),   cmocka_unit_test(test_default_epsilon),
        cmocka_unit_test(test_tied_table),  cmocka_unit_test(test_bad_configurations),
        cmocka_unit_test(test_ollama),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
