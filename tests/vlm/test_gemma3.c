/* Gemma 3 against Hugging Face transformers: every hidden state, pooled vector, vision block and
 * the logits, with image tokens that attend both ways and with causal ones, with our CPU kernels
 * and without, in both spellings of the checkpoint. */
#include "fixture.h"

static const struct {
    const char *name, *text;
} prompts[] = {
    {"base", "Assess the aesthetics of this image."},
    {"unrelated", "Describe the weather today in one sentence."},
    {"unicode", "Évalue l’esthétique — “lumière”, 构图 和 色彩! (1–5)\n\n  Score:"},
};

static void check_from_pixels(const char *folder, bool portable, double limit) {
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/gemma3/golden.safetensors");
    fixture f = fixture_open(
        folder, "lt,lt_tail,lv,v", "all",
        (piaa_session_options){
            .dtype = PIAA_DTYPE_F32, .logits = true, .hidden = true, .portable = portable});
    piaa_model_input *input = fixture_planes(&f, golden, "cat.jpg|base|pixel_values", NULL);
    fixture_run(&f, input);
    double pooled = fixture_pools(&f, golden, "cat.jpg|base", ""),
           hidden = fixture_states(&f, golden, "cat.jpg|base|hidden", false),
           vision = fixture_states(&f, golden, "cat.jpg|base|vision", true);
    const piaa_tensor *expected = support_tensor(golden, "cat.jpg|base|logits");
    double logits = support_relative_error(piaa_session_logits(f.session), expected->data,
                                           (size_t)expected->shape[0]);
    piaa_model_input_free(input);
    input = fixture_planes(&f, golden, "cat.jpg|base|pixel_values",
                           &(piaa_ask){.image_attention = PIAA_IMAGE_CAUSAL});
    fixture_run(&f, input);
    double causal = fixture_pools(&f, golden, "cat.jpg|base", "causal_");
    print_message(
        "pooled %.2g, hidden states %.2g, vision blocks %.2g, logits %.2g, pooled causal %.2g\n",
        pooled, hidden, vision, logits, causal);
    assert_true(pooled <= limit && hidden <= limit && vision <= limit && logits <= limit &&
                causal <= limit);
    piaa_model_input_free(input);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void test_from_pixels(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(PIAA_GOLDEN "/gemma3", false, 1e-4);
}

static void test_from_pixels_portable(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(PIAA_GOLDEN "/gemma3", true, 1e-4);
}

static void check_from_files(const char *pools, const char *layers, piaa_session_options options,
                             double limit) {
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/gemma3/golden.safetensors");
    fixture f = fixture_open(PIAA_GOLDEN "/gemma3", pools, layers, options);
    double worst[2] = {0};
    for (size_t i = 0; i < PIAA_COUNT(images); i++)
        for (size_t p = 0; p < PIAA_COUNT(prompts); p++)
            for (int causal = 0; causal < 2; causal++) {
                if (p > 0 && strcmp(images[i], "cat.jpg") != 0) continue;
                piaa_ask ask = {.prompt = prompts[p].text,
                                .image_attention =
                                    causal ? PIAA_IMAGE_CAUSAL : PIAA_IMAGE_BOTH_WAYS};
                piaa_model_input *input = fixture_file(&f, images[i], &ask);
                char key[96];
                snprintf(key, sizeof key, "%s|%s", images[i], prompts[p].name);
                fixture_run(&f, input);
                double e = fixture_pools(&f, golden, key, causal ? "causal_" : "");
                if (e > worst[causal]) worst[causal] = e;
                piaa_model_input_free(input);
            }
    print_message("%s, pools %s at %s: both ways %.2g, causal %.2g\n",
                  piaa_dtype_name(options.dtype), pools, layers, worst[0], worst[1]);
    assert_true(worst[0] <= limit && worst[1] <= limit);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void test_from_files(void **state) {
    PIAA_UNUSED(state);
    check_from_files("lt,lt_tail,lv,v", "all", (piaa_session_options){.dtype = PIAA_DTYPE_F32},
                     2e-3);
}

static void test_bfloat16(void **state) {
    PIAA_UNUSED(state);
    check_from_files("lt,lt_tail,lv,v", "all", (piaa_session_options){.dtype = PIAA_DTYPE_BF16},
                     0.1);
}

/* Rows too short for blocks of 256 get a type with blocks of 32, so that every step down still
   saves memory. */
static void test_short_rows(void **state) {
    PIAA_UNUSED(state);
    static const piaa_dtype dtypes[] = {PIAA_DTYPE_F32, PIAA_DTYPE_BF16, PIAA_DTYPE_Q8_0,
                                        PIAA_DTYPE_Q5_K, PIAA_DTYPE_Q4_K};
    size_t before = SIZE_MAX;
    for (size_t i = 0; i < PIAA_COUNT(dtypes); i++) {
        piaa_session_options options = {.dtype = dtypes[i], .portable = true};
        fixture f = fixture_open(PIAA_GOLDEN "/gemma3", "lt,v", "2", options);
        size_t bytes = piaa_session_weight_bytes(f.session);
        print_message("%s: %zu bytes\n", piaa_dtype_name(dtypes[i]), bytes);
        assert_true(bytes < before);
        before = bytes;
        fixture_close(&f);
        check_from_files("lt,v", "2", options, 0.1);
    }
    check_from_files("lt,v", "2", (piaa_session_options){.dtype = PIAA_DTYPE_Q4_K}, 0.1);
    check_from_files("lt,v", "2", (piaa_session_options){.dtype = PIAA_DTYPE_Q6_K}, 0.1);
    check_from_files("lt,v", "2", (piaa_session_options){.dtype = PIAA_DTYPE_Q8_0}, 0.1);
}

/* Leaving early must not change what is read, after a sliding block and after a full one. */
static void test_early_exit(void **state) {
    PIAA_UNUSED(state);
    static const char *const requests[][2] = {{"lt", "0"}, {"lt", "1"},      {"lt,lt_tail", "5"},
                                              {"lt", "6"}, {"lt_tail", "7"}, {"lv", "0"},
                                              {"lv", "6"}, {"v", "1"},       {"v,lt", "2"}};
    for (size_t i = 0; i < PIAA_COUNT(requests); i++)
        for (int portable = 0; portable < 2; portable++)
            check_from_files(requests[i][0], requests[i][1],
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32, .portable = portable},
                             2e-3);
}

/* The next token after the opening of the answer is the reference's. */
static void test_generation(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/gemma3/golden.safetensors");
    fixture f = fixture_open(PIAA_GOLDEN "/gemma3", "lt", "0",
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32, .logits = true});
    piaa_model_input *input = fixture_file(&f, "cat.jpg", &(piaa_ask){.generate = true});
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

/* The checkpoint as its other spellings have it: the published configuration's keys, which leave
 * out what equals the defaults, and the names that newer versions of transformers write. */
static void edit_spelling(cJSON *config) {
    cJSON *text = fixture_at(config, "text_config");
    static const char *const dropped[] = {"layer_types",
                                          "rope_parameters",
                                          "_sliding_window_pattern",
                                          "rms_norm_eps",
                                          "hidden_activation",
                                          "attention_bias",
                                          "attn_logit_softcapping",
                                          "final_logit_softcapping",
                                          "tie_word_embeddings",
                                          "use_bidirectional_attention"};
    for (size_t i = 0; i < PIAA_COUNT(dropped); i++) cJSON_DeleteItemFromObject(text, dropped[i]);
    cJSON *scaling = cJSON_AddObjectToObject(text, "rope_scaling");
    cJSON_AddStringToObject(scaling, "rope_type", "linear");
    cJSON_AddNumberToObject(scaling, "factor", 8);
    cJSON_AddNumberToObject(text, "rope_local_base_freq", 1e4);
    cJSON_AddNumberToObject(text, "sliding_window_pattern", 6);
    cJSON_DeleteItemFromObject(config, "tie_word_embeddings");
    cJSON_DeleteItemFromObject(fixture_at(config, "vision_config"), "layer_norm_eps");
}

static void test_spellings(void **state) {
    PIAA_UNUSED(state);
    static const char *const renames[][2] = {
        {"language_model.model.", "model.language_model."},
        {"vision_tower.vision_model.", "model.vision_tower."},
        {"multi_modal_projector.", "model.multi_modal_projector."}};
    char *folder =
        fixture_respelt(PIAA_GOLDEN "/gemma3", edit_spelling, renames, PIAA_COUNT(renames));
    check_from_pixels(folder, false, 1e-4);
    support_remove(folder);
}

/* As llama.cpp's converter wrote it, which rounds the projection to 16 bits. */
static void test_gguf(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(PIAA_GOLDEN "/gguf/gemma3-f32.gguf," PIAA_GOLDEN
                                  "/gguf/gemma3-mmproj-f32.gguf",
                      false, 1e-3);
    check_from_pixels(PIAA_GOLDEN "/gguf_ollama/gemma3.gguf", false, 1e-4);
}

static void edit_types(cJSON *config) {
    cJSON_DeleteItemFromArray(fixture_at(config, "text_config.layer_types"), 0);
}
static void edit_type(cJSON *config) {
    cJSON_ReplaceItemInArray(fixture_at(config, "text_config.layer_types"), 1,
                             cJSON_CreateString("chunked_attention"));
}
static void edit_rotary(cJSON *config) {
    cJSON_ReplaceItemInObject(fixture_at(config, "text_config.rope_parameters.full_attention"),
                              "rope_type", cJSON_CreateString("longrope"));
}
static void edit_factor(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "text_config.rope_parameters.full_attention.factor"),
                         0);
}
static void edit_heads(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "text_config.num_key_value_heads"), 3);
}
static void edit_activation(cJSON *config) {
    cJSON_ReplaceItemInObject(fixture_at(config, "text_config"), "hidden_activation",
                              cJSON_CreateString("relu"));
}
static void edit_cap(cJSON *config) {
    cJSON_ReplaceItemInObject(fixture_at(config, "text_config"), "attn_logit_softcapping",
                              cJSON_CreateNumber(50));
}
static void edit_image_tokens(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "mm_tokens_per_image"), 5);
}
static void edit_tiles(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "mm_tokens_per_image"), 9);
}
static void edit_vocabulary(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "text_config.vocab_size"), 558);
}
static void edit_window(cJSON *config) {
    cJSON_ReplaceItemInObject(fixture_at(config, "text_config"), "sliding_window",
                              cJSON_CreateString("8"));
}
static void edit_model_type(cJSON *config) {
    cJSON_ReplaceItemInObject(config, "model_type", cJSON_CreateString("gemma3_text"));
}

static void test_bad_configurations(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        void (*edit)(cJSON *config);
        const char *part;
    } rows[] = {{edit_types, "layer_types should list"},
                {edit_type, "layer_types should list"},
                {edit_rotary, "\"longrope\" are not supported"},
                {edit_factor, "\"factor\" should be a number above 0"},
                {edit_heads, "do not fit together"},
                {edit_activation, "\"relu\", only"},
                {edit_cap, "only Gemma 3's own values"},
                {edit_image_tokens, "not a square"},
                {edit_tiles, "in squares of 3"},
                {edit_vocabulary, "embed_tokens.weight has shape [557, 64]"},
                {edit_window, "\"text_config.sliding_window\" is missing or not a whole number"},
                {edit_model_type, "\"gemma3_text\" model, which piaa does not support; supported: "
                                  "Qwen3-VL (qwen3_vl), Gemma 3 (gemma3)"}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++)
        fixture_refused(PIAA_GOLDEN "/gemma3", rows[i].edit, rows[i].part);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_bad_configurations),
        cmocka_unit_test(test_from_pixels),
        cmocka_unit_test(test_from_pixels_portable),
        cmocka_unit_test(test_from_files),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_short_rows),
        cmocka_unit_test(test_early_exit),
        cmocka_unit_test(test_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
