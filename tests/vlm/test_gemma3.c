/* Gemma 3 against Hugging Face transformers: every hidden state, pooled vector, vision block and the logits, with image tokens that attend
 * both ways and with causal ones, with our CPU kernels and without, in both spellings of the checkpoint. */
#include "fixture.h"

static const struct {
    const char *name, *text;
} prompts[] = {
    {"base", "Assess the aesthetics of this image."},
    {"unrelated", "Describe the weather today in one sentence."},
    {"unicode", "Évalue l’esthétique — “lumière”, 构图 和 色彩! (1–5)\n\n  Score:"},
};

/* The largest relative error of the run's vectors against "<key>|<prefix><pool>". */
static double compare(const fixture *f, const piaa_safetensors *golden, const char *key, const char *prefix) {
    double worst = 0;
    const float *at = f->out;
    for (size_t i = 0; i < f->slots.count; i++) {
        const piaa_slot *slot = &f->slots.items[i];
        char name[160];
        snprintf(name, sizeof name, "%s|%s%s", key, slot->pool == PIAA_V ? "" : prefix, piaa_pool_name(slot->pool));
        const piaa_tensor *tensor = support_tensor(golden, name);
        assert_int_equal(tensor->shape[1], slot->dim);
        double e = support_relative_error(at, (const float *)tensor->data + (size_t)slot->layer * (size_t)slot->dim, (size_t)slot->dim);
        if (e > worst) worst = e;
        at += slot->dim;
    }
    return worst;
}

static void check_from_pixels(const char *folder, bool portable) {
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/gemma3/golden.safetensors");
    fixture f = fixture_open(folder, "lt,lt_tail,lv,v", "all",
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32, .logits = true, .hidden = true, .portable = portable});
    piaa_model_input *input = fixture_planes(&f, golden, "cat.jpg|base|pixel_values", NULL);
    fixture_run(&f, input);
    double pooled = compare(&f, golden, "cat.jpg|base", ""), hidden = fixture_states(&f, golden, "cat.jpg|base|hidden", false),
           vision = fixture_states(&f, golden, "cat.jpg|base|vision", true);
    const piaa_tensor *expected = support_tensor(golden, "cat.jpg|base|logits");
    double logits = support_relative_error(piaa_session_logits(f.session), expected->data, (size_t)expected->shape[0]);
    piaa_model_input_free(input);
    input = fixture_planes(&f, golden, "cat.jpg|base|pixel_values", &(piaa_ask){.image_attention = PIAA_IMAGE_CAUSAL});
    fixture_run(&f, input);
    double causal = compare(&f, golden, "cat.jpg|base", "causal_");
    print_message("pooled %.2g, hidden states %.2g, vision blocks %.2g, logits %.2g, pooled causal %.2g\n", pooled, hidden, vision, logits,
                  causal);
    assert_true(pooled <= 1e-4 && hidden <= 1e-4 && vision <= 1e-4 && logits <= 1e-4 && causal <= 1e-4);
    piaa_model_input_free(input);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void test_from_pixels(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(PIAA_GOLDEN "/gemma3", false);
}

static void test_from_pixels_portable(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(PIAA_GOLDEN "/gemma3", true);
}

static void check_from_files(const char *pools, const char *layers, piaa_session_options options, double limit) {
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/gemma3/golden.safetensors");
    fixture f = fixture_open(PIAA_GOLDEN "/gemma3", pools, layers, options);
    double worst[2] = {0};
    for (size_t i = 0; i < PIAA_COUNT(images); i++)
        for (size_t p = 0; p < PIAA_COUNT(prompts); p++)
            for (int causal = 0; causal < 2; causal++) {
                if (p > 0 && strcmp(images[i], "cat.jpg") != 0) continue;
                piaa_ask ask = {.prompt = prompts[p].text, .image_attention = causal ? PIAA_IMAGE_CAUSAL : PIAA_IMAGE_BOTH_WAYS};
                piaa_model_input *input = fixture_file(&f, images[i], &ask);
                char key[96];
                snprintf(key, sizeof key, "%s|%s", images[i], prompts[p].name);
                fixture_run(&f, input);
                double e = compare(&f, golden, key, causal ? "causal_" : "");
                if (e > worst[causal]) worst[causal] = e;
                piaa_model_input_free(input);
            }
    print_message("%s, pools %s at %s: both ways %.2g, causal %.2g\n", piaa_dtype_name(options.dtype), pools, layers, worst[0], worst[1]);
    assert_true(worst[0] <= limit && worst[1] <= limit);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void test_from_files(void **state) {
    PIAA_UNUSED(state);
    check_from_files("lt,lt_tail,lv,v", "all", (piaa_session_options){.dtype = PIAA_DTYPE_F32}, 2e-3);
}

static void test_bfloat16(void **state) {
    PIAA_UNUSED(state);
    check_from_files("lt,lt_tail,lv,v", "all", (piaa_session_options){.dtype = PIAA_DTYPE_BF16}, 0.1);
}

/* Leaving early must not change what is read, after a sliding block and after a full one. */
static void test_early_exit(void **state) {
    PIAA_UNUSED(state);
    static const char *const requests[][2] = {{"lt", "0"}, {"lt", "1"}, {"lt,lt_tail", "5"}, {"lt", "6"},  {"lt_tail", "7"},
                                              {"lv", "0"}, {"lv", "6"}, {"v", "1"},          {"v,lt", "2"}};
    for (size_t i = 0; i < PIAA_COUNT(requests); i++)
        for (int portable = 0; portable < 2; portable++)
            check_from_files(requests[i][0], requests[i][1], (piaa_session_options){.dtype = PIAA_DTYPE_F32, .portable = portable}, 2e-3);
}

/* The next token after the opening of the answer is the reference's. */
static void test_generation(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/gemma3/golden.safetensors");
    fixture f = fixture_open(PIAA_GOLDEN "/gemma3", "lt", "0", (piaa_session_options){.dtype = PIAA_DTYPE_F32, .logits = true});
    piaa_model_input *input = fixture_file(&f, "cat.jpg", &(piaa_ask){.generate = true});
    fixture_run(&f, input);
    const float *logits = piaa_session_logits(f.session);
    int best = 0;
    for (int i = 1; i < piaa_model_get_info(f.model)->vocabulary; i++)
        if (logits[i] > logits[best]) best = i;
    assert_int_equal(best, ((const int32_t *)support_tensor(golden, "cat.jpg|generate|new_ids")->data)[0]);
    piaa_model_input_free(input);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_pixels), cmocka_unit_test(test_from_pixels_portable), cmocka_unit_test(test_from_files),
        cmocka_unit_test(test_bfloat16),    cmocka_unit_test(test_early_exit),           cmocka_unit_test(test_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
