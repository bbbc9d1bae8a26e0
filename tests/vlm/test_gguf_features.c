/* Features from GGUF pairs against those that transformers computed from the folder the pairs were converted from, and against ours. */
#include "support.h"

#include "vlm/vlm.h"
#include "weights/gguf_write.h"

#define GGUF PIAA_GOLDEN "/gguf/"
#define VISION "," GGUF "qwen3vl-mmproj-f32.gguf"

/* Pooled vectors at every layer, from the golden pixels of cat.jpg. */
static float *features(const char *path, piaa_dtype dtype, piaa_slots *slots, size_t *count, const piaa_safetensors *golden) {
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(path, &error);
    if (!model) fail_msg("%s", error.message);
    if (!piaa_slots_parse("lt,lt_tail,lv,v", "all", &piaa_model_get_info(model)->layout, slots, &error)) fail_msg("%s", error.message);
    piaa_session_options options = {.dtype = dtype, .threads = 1};
    piaa_session *session = piaa_session_new(model, slots, &options, &error);
    if (!session) fail_msg("%s", error.message);
    const piaa_tensor *pixels = support_tensor(golden, "cat.jpg|base|pixel_values");
    const int32_t *grid = support_tensor(golden, "cat.jpg|base|grid")->data;
    piaa_model_input *input = piaa_model_prepare_patches(model, pixels->data, grid[1], grid[2], NULL, &error);
    if (!input) fail_msg("%s", error.message);
    *count = 0;
    for (size_t i = 0; i < slots->count; i++) *count += (size_t)slots->items[i].dim;
    float *out = piaa_alloc(*count, sizeof *out, NULL);
    assert_non_null(out);
    if (!piaa_session_run(session, input, out, &error)) fail_msg("%s", error.message);
    piaa_model_input_free(input);
    piaa_session_free(session);
    piaa_model_close(model);
    return out;
}

/* The largest relative error of a slot against "cat.jpg|base|POOL". */
static double against_golden(const float *values, const piaa_slots *slots, const piaa_safetensors *golden) {
    double worst = 0;
    for (size_t i = 0; i < slots->count; i++) {
        const piaa_slot *slot = &slots->items[i];
        char name[64];
        snprintf(name, sizeof name, "cat.jpg|base|%s", piaa_pool_name(slot->pool));
        const float *expected = (const float *)support_tensor(golden, name)->data + (size_t)slot->layer * (size_t)slot->dim;
        double e = support_relative_error(values, expected, (size_t)slot->dim);
        if (e > worst) worst = e;
        values += slot->dim;
    }
    return worst;
}

/* The largest relative error of a slot between two results. */
static double largest_error(const float *values, const float *expected, const piaa_slots *slots) {
    double worst = 0;
    for (size_t i = 0; i < slots->count; i++) {
        size_t dim = (size_t)slots->items[i].dim;
        double e = support_relative_error(values, expected, dim);
        if (e > worst) worst = e;
        values += dim;
        expected += dim;
    }
    return worst;
}

static void same_features(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *path;
        double limit;
    } models[] = {{GGUF "qwen3vl-f32.gguf" VISION, 1e-5}, {GGUF "qwen3vl-f32.gguf", 1e-5}, {GGUF "qwen3vl-bf16.gguf" VISION, 3e-2}};
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/qwen3vl/golden.safetensors");
    piaa_slots slots = {0};
    size_t count = 0;
    for (size_t m = 0; m < PIAA_COUNT(models); m++) {
        float *values = features(models[m].path, PIAA_DTYPE_F32, &slots, &count, golden);
        assert_int_equal(slots.count, 3 * 5 + 4);
        double e = against_golden(values, &slots, golden);
        print_message("%s: relative error %.2g\n", piaa_path_name(models[m].path), e);
        assert_true(e <= models[m].limit);
        piaa_slots_free(&slots);
        free(values);
    }
    piaa_safetensors_close(golden);
}

/* The nearest bfloat16, of equals the even one, as float32. */
static float round_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* A copy of the golden folder with the decoder's matrices rounded to bfloat16, as the bf16 file holds them. */
static void write_rounded_folder(const char *folder) {
    static const char *const links[] = {"config.json", "tokenizer.json", "preprocessor_config.json"};
    for (size_t i = 0; i < PIAA_COUNT(links); i++) {
        char *from = support_join(PIAA_GOLDEN "/qwen3vl", links[i]), *to = support_join(folder, links[i]);
        assert_int_equal(symlink(from, to), 0);
        free(from);
        free(to);
    }
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/qwen3vl/model.safetensors");
    piaa_text header = {0}, data = {0};
    for (size_t i = 0; i < piaa_safetensors_count(golden); i++) {
        const piaa_tensor *tensor = piaa_safetensors_at(golden, i);
        size_t count = (size_t)piaa_tensor_count(tensor), begin = data.length;
        float *values = piaa_alloc(count, sizeof *values, NULL);
        assert_non_null(values);
        piaa_tensor_to_float(tensor, values);
        bool rounded = strstr(tensor->name, "language_model") && tensor->dimensions == 2;
        for (size_t k = 0; rounded && k < count; k++) values[k] = round_to_bf16(values[k]);
        assert_true(piaa_text_add(&data, values, count * sizeof *values, NULL));
        free(values);
        assert_true(piaa_text_format(&header, NULL, "%s\"%s\":{\"dtype\":\"F32\",\"data_offsets\":[%zu,%zu],\"shape\":[", i ? "," : "{",
                                     tensor->name, begin, data.length));
        for (int d = 0; d < tensor->dimensions; d++)
            assert_true(piaa_text_format(&header, NULL, "%s%lld", d ? "," : "", (long long)tensor->shape[d]));
        assert_true(piaa_text_add(&header, "]}", 2, NULL));
    }
    assert_true(piaa_text_add(&header, "}", 1, NULL));
    piaa_text file = {0};
    for (int i = 0; i < 8; i++) {
        char byte = (char)((uint64_t)header.length >> 8 * i);
        assert_true(piaa_text_add(&file, &byte, 1, NULL));
    }
    assert_true(piaa_text_add(&file, header.data, header.length, NULL) && piaa_text_add(&file, data.data, data.length, NULL));
    support_write(folder, "model.safetensors", file.data, file.length);
    free(file.data);
    free(header.data);
    free(data.data);
    piaa_safetensors_close(golden);
}

static void same_features_as_the_rounded_folder(void **state) {
    PIAA_UNUSED(state);
    static const piaa_dtype dtypes[] = {PIAA_DTYPE_F32, PIAA_DTYPE_BF16};
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/qwen3vl/golden.safetensors");
    char *folder = support_folder();
    write_rounded_folder(folder);
    for (size_t t = 0; t < PIAA_COUNT(dtypes); t++) {
        piaa_slots slots = {0}, same = {0};
        size_t count = 0, expected = 0;
        float *a = features(GGUF "qwen3vl-bf16.gguf" VISION, dtypes[t], &slots, &count, golden);
        float *b = features(folder, dtypes[t], &same, &expected, golden);
        assert_int_equal(count, expected);
        double worst = largest_error(a, b, &slots);
        print_message("bf16 pair against its folder, both held as %s: relative error %.2g\n", piaa_dtype_name(dtypes[t]), worst);
        assert_true(worst <= 1e-3);
        piaa_slots_free(&slots);
        piaa_slots_free(&same);
        free(a);
        free(b);
    }
    support_remove(folder);
    piaa_safetensors_close(golden);
}

/* Quantised pairs, written from a folder: near its features, and what AUTO becomes for a model too large for float32 (each matrix as it is
 * in the file) near what float32 gives of the same file.  The golden model's rows are too short for K-quants; the demonstration model's
 * are not. */
static void quantised_pairs(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *from, *name;
        double limit, change;
    } kinds[] = {{PIAA_GOLDEN "/qwen3vl", "q8_0", 0.05, 0.02},
                 {PIAA_GOLDEN "/qwen3vl", "q4_K", 0.3, 0.05},
                 {PIAA_SOURCE "/models/demo", "q8_0", 0.05, 0.03},
                 {PIAA_SOURCE "/models/demo", "q4_K", 0.3, 0.05}};
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/qwen3vl/golden.safetensors");
    for (size_t k = 0; k < PIAA_COUNT(kinds); k++) {
        piaa_error error = {0};
        piaa_gguf_kind kind = PIAA_GGUF_KIND_F32;
        char *folder = support_folder(), *text = support_join(folder, "text.gguf"), *vision = support_join(folder, "mmproj.gguf");
        piaa_checkpoint *checkpoint = piaa_checkpoint_open(kinds[k].from, &error);
        assert_true(checkpoint && piaa_gguf_kind_parse(kinds[k].name, &kind));
        if (!piaa_gguf_convert(checkpoint, text, vision, kind, NULL, &error)) fail_msg("%s", error.message);
        piaa_checkpoint_close(checkpoint);
        float *values[3];
        piaa_slots slots[3] = {{0}};
        size_t count = 0;
        values[0] = features(kinds[k].from, PIAA_DTYPE_F32, &slots[0], &count, golden);
        values[1] = features(folder, PIAA_DTYPE_F32, &slots[1], &count, golden);
        values[2] = features(folder, PIAA_DTYPE_FILE, &slots[2], &count, golden);
        double worst = largest_error(values[1], values[0], &slots[0]), change = largest_error(values[2], values[1], &slots[0]);
        print_message("%s as %s: relative error %.2g; held as in the file, %.2g from float32\n", piaa_path_name(kinds[k].from),
                      kinds[k].name, worst, change);
        assert_true(worst <= kinds[k].limit && change <= kinds[k].change);
        for (int i = 0; i < 3; i++) {
            piaa_slots_free(&slots[i]);
            free(values[i]);
        }
        free(text);
        free(vision);
        support_remove(folder);
    }
    piaa_safetensors_close(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_features), cmocka_unit_test(same_features_as_the_rounded_folder),
                                       cmocka_unit_test(quantised_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
