/* DINOv3, CLIP and SigLIP against Hugging Face transformers: every hidden state, its mean, and what the model makes of the last one, from
 * the reference's pixels and from files, with our CPU kernels and without. */
#include "fixture.h"

static const struct {
    const char *folder, *pools, *family;
} models[] = {{"dinov3", "v,pooled", "DINOv3"},
              {"dinov3_gated", "v,pooled", "DINOv3"},
              {"clip", "v,projected", "CLIP"},
              {"siglip", "v,pooled", "SigLIP"}};

/* The largest relative error of the run's vectors against "<key>|v", "<key>|pooler_output" and "<key>|image_embeds". */
static double compare(const fixture *f, const piaa_safetensors *golden, const char *key) {
    double worst = 0;
    const float *at = f->out;
    for (size_t i = 0; i < f->slots.count; i++) {
        const piaa_slot *slot = &f->slots.items[i];
        char name[160];
        snprintf(name, sizeof name, "%s|%s", key,
                 slot->pool == PIAA_V        ? "v"
                 : slot->pool == PIAA_POOLED ? "pooler_output"
                                             : "image_embeds");
        const piaa_tensor *tensor = support_tensor(golden, name);
        assert_int_equal(tensor->shape[tensor->dimensions - 1], slot->dim);
        double e = support_relative_error(at, (const float *)tensor->data + (size_t)slot->layer * (size_t)slot->dim, (size_t)slot->dim);
        if (e > worst) worst = e;
        at += slot->dim;
    }
    return worst;
}

static void check_from_pixels(bool portable) {
    for (size_t m = 0; m < PIAA_COUNT(models); m++) {
        char *folder = support_join(PIAA_GOLDEN, models[m].folder), *file = support_join(folder, "golden.safetensors");
        piaa_safetensors *golden = support_golden(file);
        fixture f = fixture_open(folder, models[m].pools, "all",
                                 (piaa_session_options){.dtype = PIAA_DTYPE_F32, .hidden = true, .portable = portable});
        const piaa_model_info *info = piaa_model_get_info(f.model);
        assert_string_equal(info->family, models[m].family);
        assert_null(piaa_model_tokenizer(f.model));
        assert_int_equal(f.slots.count, info->layout.vision_blocks + 1 + 1);
        piaa_model_input *input = fixture_planes(&f, golden, "cat.jpg|pixel_values", NULL);
        fixture_run(&f, input);
        double pooled = compare(&f, golden, "cat.jpg"), states = fixture_states(&f, golden, "cat.jpg|hidden", true);
        print_message("%s: pooled %.2g, hidden states %.2g\n", models[m].folder, pooled, states);
        assert_true(pooled <= 1e-4);
        assert_true(states <= 1e-4);
        piaa_model_input_free(input);
        fixture_close(&f);
        piaa_safetensors_close(golden);
        free(file);
        free(folder);
    }
}

static void test_from_pixels(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(false);
}

static void test_from_pixels_portable(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(true);
}

static void check_from_files(const char *pools, const char *layers, piaa_dtype dtype, double limit) {
    for (size_t m = 0; m < PIAA_COUNT(models); m++) {
        char *folder = support_join(PIAA_GOLDEN, models[m].folder), *file = support_join(folder, "golden.safetensors");
        piaa_safetensors *golden = support_golden(file);
        fixture f = fixture_open(folder, pools ? pools : models[m].pools, layers, (piaa_session_options){.dtype = dtype});
        double worst = 0;
        for (size_t i = 0; i < PIAA_COUNT(images); i++) {
            piaa_model_input *input = fixture_file(&f, images[i], NULL);
            fixture_run(&f, input);
            double e = compare(&f, golden, images[i]);
            if (e > worst) worst = e;
            piaa_model_input_free(input);
        }
        print_message("%s, %s, pools %s at %s: %.2g\n", models[m].folder, piaa_dtype_name(dtype), pools ? pools : models[m].pools, layers,
                      worst);
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

/* Leaving early must not change what is read; no pool and no layer means the mean over the last block. */
static void test_early_exit(void **state) {
    PIAA_UNUSED(state);
    static const char *const layers[] = {"0", "1", "3", "0,2"};
    for (size_t i = 0; i < PIAA_COUNT(layers); i++) check_from_files("v", layers[i], PIAA_DTYPE_F32, 2e-3);
    fixture f = fixture_open(PIAA_GOLDEN "/dinov3", NULL, NULL, (piaa_session_options){0});
    assert_int_equal(f.slots.count, 1);
    assert_int_equal(f.slots.items[0].pool, PIAA_V);
    assert_int_equal(f.slots.items[0].layer, 3);
    fixture_close(&f);
}

/* Only the weights that a request needs are resident. */
static void test_weights_in_use(void **state) {
    PIAA_UNUSED(state);
    size_t before = 0;
    static const char *const requests[][2] = {{"v", "0"}, {"v", "1"}, {"v", "3"}, {"v,pooled", "3"}};
    for (size_t i = 0; i < PIAA_COUNT(requests); i++) {
        fixture f = fixture_open(PIAA_GOLDEN "/siglip", requests[i][0], requests[i][1], (piaa_session_options){.dtype = PIAA_DTYPE_F32});
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
    piaa_image image = {2, 2, rgb};
    assert_null(piaa_model_prepare(f.model, &image, &(piaa_ask){.max_pixels = 1000}, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_string_equal(error.message, "this model reads every photo at 64 x 64 pixels: leave the limit of 1000 pixels out");
    error = (piaa_error){0};
    float patch[3 * 16 * 16] = {0};
    assert_null(piaa_model_prepare_patches(f.model, patch, 1, 1, NULL, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_pixels), cmocka_unit_test(test_from_pixels_portable), cmocka_unit_test(test_from_files),
        cmocka_unit_test(test_bfloat16),    cmocka_unit_test(test_early_exit),           cmocka_unit_test(test_weights_in_use),
        cmocka_unit_test(test_size_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
