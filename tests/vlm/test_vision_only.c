/* DINOv3, CLIP and SigLIP against Hugging Face transformers: every hidden state, its mean, and what
 * the model makes of the last one, from the reference's pixels and from files, with our CPU kernels
 * and without. */
#include "fixture.h"

static const struct {
    const char *folder, *pools, *family;
} models[] = {{"dinov3", "v,pooled", "DINOv3"},
              {"dinov3_gated", "v,pooled", "DINOv3"},
              {"clip", "v,projected", "CLIP"},
              {"siglip", "v,pooled", "SigLIP"}};

/* folder: where the checkpoint of models[m] is. */
static void check_model(size_t m, const char *folder, bool portable) {
    char *home = support_join(PIAA_GOLDEN, models[m].folder),
         *file = support_join(home, "golden.safetensors");
    piaa_safetensors *golden = support_golden(file);
    fixture f = fixture_open(
        folder ? folder : home, models[m].pools, "all",
        (piaa_session_options){.dtype = PIAA_DTYPE_F32, .hidden = true, .portable = portable});
    const piaa_model_info *info = piaa_model_get_info(f.model);
    assert_string_equal(info->family, models[m].family);
    assert_null(piaa_model_tokenizer(f.model));
    assert_int_equal(f.slots.count, info->layout.vision_blocks + 1 + 1);
    piaa_model_input *input = fixture_planes(&f, golden, "cat.jpg|pixel_values", NULL);
    fixture_run(&f, input);
    double pooled = fixture_pools(&f, golden, "cat.jpg", ""),
           states = fixture_states(&f, golden, "cat.jpg|hidden", true);
    print_message("%s: pooled %.2g, hidden states %.2g\n", models[m].folder, pooled, states);
    assert_true(pooled <= 1e-4);
    assert_true(states <= 1e-4);
    piaa_model_input_free(input);
    fixture_close(&f);
    piaa_safetensors_close(golden);
    free(file);
    free(home);
}

static void check_from_pixels(bool portable) {
    for (size_t m = 0; m < PIAA_COUNT(models); m++) check_model(m, NULL, portable);
}

static void test_from_pixels(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(false);
}

static void test_from_pixels_portable(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(true);
}

static void check_from_files(const char *pools, const char *layers, piaa_dtype dtype,
                             double limit) {
    for (size_t m = 0; m < PIAA_COUNT(models); m++) {
        char *folder = support_join(PIAA_GOLDEN, models[m].folder),
             *file = support_join(folder, "golden.safetensors");
        piaa_safetensors *golden = support_golden(file);
        fixture f = fixture_open(folder, pools ? pools : models[m].pools, layers,
                                 (piaa_session_options){.dtype = dtype});
        double worst = 0;
        for (size_t i = 0; i < PIAA_COUNT(images); i++) {
            piaa_model_input *input = fixture_file(&f, images[i], NULL);
            fixture_run(&f, input);
            double e = fixture_pools(&f, golden, images[i], "");
            if (e > worst) worst = e;
            piaa_model_input_free(input);
        }
        print_message("%s, %s, pools %s at %s: %.2g\n", models[m].folder, piaa_dtype_name(dtype),
                      pools ? pools : models[m].pools, layers, worst);
        assert_true(worst <= limit);
        fixture_close(&f);
        piaa_safetensors_close(golden);
        free(file);
        free(folder);
    }
}

static void test_from_files(void **state) {
    PIAA_UNUSED(state);
    check_from_files(NULL, "all", PIAA_DTYPE_F32, 2e-3);
}

static void test_bfloat16(void **state) {
    PIAA_UNUSED(state);
    check_from_files(NULL, "all", PIAA_DTYPE_BF16, 0.1);
}

/* The golden models' rows of 48 values are no whole blocks, those of 64 and 96 are. */
static void test_quantised(void **state) {
    PIAA_UNUSED(state);
    check_from_files(NULL, "all", PIAA_DTYPE_Q8_0, 0.1);
    check_from_files(NULL, "all", PIAA_DTYPE_Q4_K, 0.2);
}

/* Leaving early must not change what is read; no pool and no layer means the mean over the last
   block. */
static void test_early_exit(void **state) {
    PIAA_UNUSED(state);
    static const char *const layers[] = {"0", "1", "3", "0,2"};
    for (size_t i = 0; i < PIAA_COUNT(layers); i++)
        check_from_files("v", layers[i], PIAA_DTYPE_F32, 2e-3);
    fixture f = fixture_open(PIAA_GOLDEN "/dinov3", NULL, NULL, (piaa_session_options){0});
    assert_int_equal(f.slots.count, 1);
    assert_int_equal(f.slots.items[0].pool, PIAA_V);
    assert_int_equal(f.slots.items[0].layer, piaa_model_get_info(f.model)->layout.vision_blocks);
    fixture_close(&f);
}

/* Only the weights that a request needs are resident. */
static void test_weights_in_use(void **state) {
    PIAA_UNUSED(state);
    size_t before = 0;
    static const char *const requests[][2] = {
        {"v", "0"}, {"v", "1"}, {"v", "3"}, {"v,pooled", "3"}};
    for (size_t i = 0; i < PIAA_COUNT(requests); i++) {
        fixture f = fixture_open(PIAA_GOLDEN "/siglip", requests[i][0], requests[i][1],
                                 (piaa_session_options){.dtype = PIAA_DTYPE_F32});
        assert_true(piaa_session_weight_bytes(f.session) > before);
        before = piaa_session_weight_bytes(f.session);
        fixture_close(&f);
    }
}

/* These models read photos of one size. */
static void test_size_limit(void **state) {
    PIAA_UNUSED(state);
    fixture f = fixture_open(PIAA_GOLDEN "/clip", "v", "0", (piaa_session_options){0});
    piaa_error error = {0};
    uint8_t rgb[12] = {0};
    piaa_image image = {.width = 2, .height = 2, .rgb = rgb};
    assert_null(piaa_model_prepare(f.model, &image, &(piaa_ask){.max_pixels = 1000}, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_non_null(strstr(error.message, "pixels: leave the limit of 1000 pixels out"));
    error = (piaa_error){0};
    float patch[3 * 16 * 16] = {0};
    assert_null(piaa_model_prepare_patches(f.model, patch, 1, 1, NULL, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    fixture_close(&f);
}

/* As part of a model that reads text too: the encoder's settings in an object of their own. */
static void put_into(cJSON *config, const char *model_type) {
    cJSON *vision = cJSON_Duplicate(config, true);
    while (config->child) cJSON_Delete(cJSON_DetachItemViaPointer(config, config->child));
    cJSON_AddStringToObject(config, "model_type", model_type);
    cJSON_AddItemToObject(config, "vision_config", vision);
}
static void edit_clip(cJSON *config) {
    put_into(config, "clip");
}
static void edit_siglip(cJSON *config) {
    put_into(config, "siglip");
}
static void edit_nothing(cJSON *config) {
    PIAA_UNUSED(config);
}

static void test_spellings(void **state) {
    PIAA_UNUSED(state);
    static const char *const layers[][2] = {{"layer.", "model.layer."}}, *const whole[][2] = {
                                                                             {"", "vision_model."}};
    static const struct {
        size_t model;
        void (*edit)(cJSON *config);
        const char *const (*renames)[2];
        size_t count;
    } rows[] = {{0, edit_nothing, layers, 1},
                {2, edit_clip, NULL, 0},
                {3, edit_siglip, whole, 1},
                {3, edit_nothing, whole, 1}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        char *home = support_join(PIAA_GOLDEN, models[rows[i].model].folder);
        char *folder = fixture_respelt(home, rows[i].edit, rows[i].renames, rows[i].count);
        check_model(rows[i].model, folder, false);
        support_remove(folder);
        free(home);
    }
}

static void edit_heads(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "num_attention_heads"), 5);
}
static void edit_channels(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "num_channels"), 4);
}
static void edit_size(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "image_size"), 32);
}
static void edit_patch(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "patch_size"), 128);
}
static void edit_width(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "hidden_size"), 54);
}
static void edit_activation(cJSON *config) {
    cJSON_ReplaceItemInObject(config, "hidden_act", cJSON_CreateString("silu"));
}
static void edit_gate(cJSON *config) {
    cJSON_ReplaceItemInObject(config, "use_gated_mlp", cJSON_CreateBool(true));
}
static void edit_registers(cJSON *config) {
    cJSON_SetNumberValue(fixture_at(config, "num_register_tokens"), 5);
}

static void test_bad_configurations(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *folder;
        void (*edit)(cJSON *config);
        const char *part;
    } rows[] = {
        {PIAA_GOLDEN "/dinov3", edit_heads, "5 heads do not divide 48 values"},
        {PIAA_GOLDEN "/dinov3", edit_registers, "register_tokens has shape"},
        {PIAA_GOLDEN "/dinov3", edit_activation, "\"silu\", only \"gelu\""},
        {PIAA_GOLDEN "/dinov3", edit_gate, "\"gelu\", only \"gelu_pytorch_tanh\" and \"silu\""},
        {PIAA_GOLDEN "/clip", edit_channels, "\"num_channels\" is 4, expected 3 to 3"},
        {PIAA_GOLDEN "/clip", edit_size, "where the model reads 32 x 32"},
        {PIAA_GOLDEN "/clip", edit_patch, "hold no patch of 128 x 128"},
        {PIAA_GOLDEN "/siglip", edit_size, "the encoder has 2 x 2 positions"},
        {PIAA_GOLDEN "/siglip", edit_width, "patch_embedding.weight has shape"}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++)
        fixture_refused(rows[i].folder, rows[i].edit, rows[i].part);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),      cmocka_unit_test(test_bad_configurations),
        cmocka_unit_test(test_from_pixels),    cmocka_unit_test(test_from_pixels_portable),
        cmocka_unit_test(test_from_files),     cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_quantised),      cmocka_unit_test(test_early_exit),
        cmocka_unit_test(test_weights_in_use), cmocka_unit_test(test_size_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
