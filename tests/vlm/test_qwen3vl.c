/* Qwen3-VL against Hugging Face transformers: every hidden state, pooled vector, vision block and
 * the logits, in float32 and bfloat16, with our CPU kernels and without; and the demonstration
 * model's features. */
#include "support.h"

#include "vlm/vlm.h"

static const char *const images[] = {
    "astronaut.png",    "astronaut_rgba.png",  "cat.jpg",
    "cat_cmyk.jpg",     "cat_gray.png",        "coffee_420.jpg",
    "coffee_exif6.jpg", "coffee_palette.png",  "coffee_tiny.png",
    "rocket.webp",      "rocket_panorama.jpg", "rocket_progressive.jpg"};

static const struct {
    const char *name, *text;
} prompts[] = {
    {"base", "Assess the aesthetics of this image."},
    {"unrelated", "Describe the weather today in one sentence."},
    {"unicode", "Évalue l’esthétique — “lumière”, 构图 和 色彩! (1–5)\n\n  Score:"},
};

typedef struct fixture {
    piaa_model *model;
    piaa_slots slots;
    piaa_session *session;
    size_t values;
} fixture;

static fixture open_model(const char *folder, const char *pools, const char *layers,
                          piaa_session_options options) {
    piaa_error error = {0};
    fixture f = {0};
    options.device = "cpu"; /* whatever else the machine has */
    f.model = piaa_model_open(folder, &error);
    if (!f.model) fail_msg("%s", error.message);
    if (!piaa_slots_parse(pools, layers, &piaa_model_get_info(f.model)->layout, &f.slots, &error))
        fail_msg("%s", error.message);
    f.session = piaa_session_new(f.model, &f.slots, &options, &error);
    if (!f.session) fail_msg("%s", error.message);
    for (size_t i = 0; i < f.slots.count; i++) f.values += (size_t)f.slots.items[i].dim;
    return f;
}

static void close_model(fixture *f) {
    piaa_session_free(f->session);
    piaa_slots_free(&f->slots);
    piaa_model_close(f->model);
}

static piaa_model_input *prepare_file(const fixture *f, const char *folder, const char *name,
                                      const char *prompt) {
    piaa_error error = {0};
    char *path = support_join(folder, name);
    piaa_image image = {0};
    if (!piaa_image_read(path, PIAA_EXIF_IGNORE, &image, &error)) fail_msg("%s", error.message);
    piaa_ask ask = {.prompt = prompt};
    piaa_model_input *input = piaa_model_prepare(f->model, &image, &ask, &error);
    if (!input) fail_msg("%s", error.message);
    piaa_image_free(&image);
    free(path);
    return input;
}

/* Golden value of one slot: row `layer` of "<key>|<pool>". */
static const float *golden_row(const piaa_safetensors *golden, const char *key,
                               const piaa_slot *slot) {
    char name[160];
    snprintf(name, sizeof name, "%s|%s", key, piaa_pool_name(slot->pool));
    const piaa_tensor *tensor = support_tensor(golden, name);
    assert_int_equal(tensor->shape[1], slot->dim);
    return (const float *)tensor->data + (size_t)slot->layer * (size_t)slot->dim;
}

/* Runs and compares every slot; returns the largest relative error, and through *cosine the
   smallest cosine. */
static double compare(fixture *f, const piaa_model_input *input, const piaa_safetensors *golden,
                      const char *key, double *cosine) {
    piaa_error error = {0};
    float *out = piaa_alloc(f->values, sizeof *out, NULL), *at = out;
    if (!piaa_session_run(f->session, input, out, &error)) fail_msg("%s", error.message);
    double worst = 0;
    *cosine = 1;
    for (size_t i = 0; i < f->slots.count; i++) {
        const piaa_slot *slot = &f->slots.items[i];
        const float *expected = golden_row(golden, key, slot);
        double e = support_relative_error(at, expected, (size_t)slot->dim), ab = 0, aa = 0, bb = 0;
        for (int d = 0; d < slot->dim; d++) {
            ab += (double)at[d] * expected[d];
            aa += (double)at[d] * at[d];
            bb += (double)expected[d] * expected[d];
        }
        if (e > worst) worst = e;
        if (ab / sqrt(aa * bb) < *cosine) *cosine = ab / sqrt(aa * bb);
        at += slot->dim;
    }
    free(out);
    return worst;
}

static void check_from_pixels(bool portable) {
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/qwen3vl/golden.safetensors");
    fixture f = open_model(
        PIAA_GOLDEN "/qwen3vl", "lt,lt_tail,lv,v", "all",
        (piaa_session_options){
            .dtype = PIAA_DTYPE_F32, .logits = true, .hidden = true, .portable = portable});
    const piaa_tensor *pixels = support_tensor(golden, "cat.jpg|base|pixel_values");
    const int32_t *grid = support_tensor(golden, "cat.jpg|base|grid")->data;
    piaa_error error = {0};
    piaa_model_input *input =
        piaa_model_prepare_patches(f.model, pixels->data, grid[1], grid[2], NULL, &error);
    if (!input) fail_msg("%s", error.message);
    double cosine;
    double worst = compare(&f, input, golden, "cat.jpg|base", &cosine);
    print_message("pooled: relative error %.2g\n", worst);
    assert_true(worst <= 1e-4);
    const struct {
        const char *key;
        bool vision;
    } states[] = {{"cat.jpg|base|hidden", false}, {"cat.jpg|base|vision", true}};
    for (size_t s = 0; s < PIAA_COUNT(states); s++) {
        const piaa_tensor *expected = support_tensor(golden, states[s].key);
        size_t size = (size_t)(expected->shape[1] * expected->shape[2]);
        for (int layer = 0; layer < expected->shape[0]; layer++) {
            const float *state = piaa_session_hidden(f.session, states[s].vision, layer);
            assert_non_null(state);
            double e = support_relative_error(
                state, (const float *)expected->data + (size_t)layer * size, size);
            print_message("%s %d: relative error %.2g\n", states[s].key, layer, e);
            assert_true(e <= 1e-4);
        }
    }
    const piaa_tensor *logits = support_tensor(golden, "cat.jpg|base|logits");
    double e = support_relative_error(piaa_session_logits(f.session), logits->data,
                                      (size_t)logits->shape[0]);
    print_message("logits: relative error %.2g\n", e);
    assert_true(e <= 1e-4);
    piaa_model_input_free(input);
    close_model(&f);
    piaa_safetensors_close(golden);
}

static void test_from_pixels(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(false);
}

static void test_from_pixels_portable(void **state) {
    PIAA_UNUSED(state);
    check_from_pixels(true);
}

/* From the files: our decoder, resize and tokenizer are in the way too. */
static void check_from_files(piaa_dtype dtype, const char *pools, const char *layers, double limit,
                             double least_cosine) {
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/qwen3vl/golden.safetensors");
    fixture f =
        open_model(PIAA_GOLDEN "/qwen3vl", pools, layers, (piaa_session_options){.dtype = dtype});
    for (size_t i = 0; i < PIAA_COUNT(images); i++)
        for (size_t p = 0; p < PIAA_COUNT(prompts); p++) {
            if (p > 0 && strcmp(images[i], "cat.jpg") != 0) continue;
            piaa_model_input *input =
                prepare_file(&f, PIAA_GOLDEN "/images", images[i], prompts[p].text);
            char key[96];
            snprintf(key, sizeof key, "%s|%s", images[i], prompts[p].name);
            double cosine, e = compare(&f, input, golden, key, &cosine);
            print_message("%s, %s, %s %s: relative error %.2g, cosine %.7f\n", key,
                          piaa_dtype_name(dtype), pools, layers, e, cosine);
            assert_true(e <= limit);
            assert_true(cosine >= least_cosine);
            piaa_model_input_free(input);
        }
    close_model(&f);
    piaa_safetensors_close(golden);
}

static void test_from_files(void **state) {
    PIAA_UNUSED(state);
    check_from_files(PIAA_DTYPE_F32, "lt,lt_tail,lv,v", "all", 2e-3, 0.99999);
}

static void test_bfloat16(void **state) {
    PIAA_UNUSED(state);
    check_from_files(PIAA_DTYPE_BF16, "lt,lt_tail,lv,v", "all", 0.1, 0.9995);
}

/* Leaving early must not change what is read: each request alone gives what all layers together
   gave. */
static void test_early_exit(void **state) {
    PIAA_UNUSED(state);
    static const char *const requests[][2] = {
        {"lt", "0"},      {"lt", "1"},   {"lt", "2"},   {"lt", "3"},          {"lt", "4"},
        {"lt_tail", "3"}, {"lv", "0"},   {"lv", "2"},   {"lv,lt", "4"},       {"v", "0"},
        {"v", "2"},       {"v,lt", "1"}, {"v,lt", "0"}, {"lt,lt_tail", "1,3"}};
    for (size_t i = 0; i < PIAA_COUNT(requests); i++)
        check_from_files(PIAA_DTYPE_F32, requests[i][0], requests[i][1], 2e-3, 0.99999);
}

/* Only the weights that a request needs are resident. */
static void test_weights_in_use(void **state) {
    PIAA_UNUSED(state);
    size_t before = 0;
    static const char *const requests[][2] = {{"lt", "0"}, {"v", "0"},  {"v", "3"},
                                              {"lt", "1"}, {"lt", "2"}, {"lt", "4"}};
    for (size_t i = 0; i < PIAA_COUNT(requests); i++) {
        fixture f = open_model(PIAA_GOLDEN "/qwen3vl", requests[i][0], requests[i][1],
                               (piaa_session_options){.dtype = PIAA_DTYPE_F32});
        size_t bytes = piaa_session_weight_bytes(f.session);
        if (i == 0)
            assert_int_equal(bytes, 0);
        else
            assert_true(bytes > before);
        before = bytes;
        close_model(&f);
    }
}

static void test_demonstration_model(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/demo/features.safetensors");
    fixture f = open_model(NULL, "lt,lt_tail,lv,v", "all", (piaa_session_options){0});
    assert_true(piaa_model_get_info(f.model)->demonstration);
    assert_int_equal(piaa_session_dtype(f.session), PIAA_DTYPE_F32);
    int found = 0;
    for (size_t i = 0; i < piaa_safetensors_count(golden); i++) {
        const char *name = piaa_safetensors_at(golden, i)->name, *bar = strchr(name, '|');
        if (!bar || strcmp(bar, "|lt") != 0) continue;
        char file[96];
        snprintf(file, sizeof file, "%.*s", (int)(bar - name), name);
        char *path = support_join(PIAA_GOLDEN "/images", file);
        const char *folder =
            piaa_file_exists(path) ? PIAA_GOLDEN "/images" : PIAA_SOURCE "/data/sample/photos";
        free(path);
        piaa_model_input *input = prepare_file(&f, folder, file, NULL);
        double cosine, e = compare(&f, input, golden, file, &cosine);
        print_message("%s: relative error %.2g\n", file, e);
        assert_true(e <= 2e-3);
        piaa_model_input_free(input);
        found++;
    }
    assert_int_equal(found, 8);
    close_model(&f);
    piaa_safetensors_close(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_pixels),         cmocka_unit_test(test_from_pixels_portable),
        cmocka_unit_test(test_from_files),          cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_early_exit),          cmocka_unit_test(test_weights_in_use),
        cmocka_unit_test(test_demonstration_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
