/* Features from GGUF pairs against those that transformers computed from the folder the pairs were
   converted from, and against ours. */
#include "fixture.h"

#include "convert/convert.h"
#include "vlm/model.h"

#include <gguf.h>

#define GGUF PIAA_GOLDEN "/gguf/"
#define VISION "," GGUF "qwen3vl-mmproj-f32.gguf"
#define OLLAMA PIAA_GOLDEN "/gguf_ollama/"

/* Pooled vectors at every layer, from the golden pixels of cat.jpg. */
static float *features(const char *path, piaa_dtype dtype, piaa_slots *slots, size_t *count,
                       const piaa_safetensors *golden) {
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(path, &error);
    if (!model) fail_msg("%s", error.message);
    if (!piaa_slots_parse("lt,lt_tail,lv,v", "all", &piaa_model_get_info(model)->layout, slots,
                          &error))
        fail_msg("%s", error.message);
    piaa_session_options options = {.dtype = dtype, .threads = 1};
    piaa_session *session = piaa_session_new(model, slots, &options, &error);
    if (!session) fail_msg("%s", error.message);
    const piaa_tensor *pixels = support_tensor(golden, "cat.jpg|base|pixel_values");
    const int32_t *grid = support_tensor(golden, "cat.jpg|base|grid")->data;
    piaa_model_input *input =
        piaa_model_prepare_patches(model, pixels->data, grid[1], grid[2], NULL, &error);
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

static void convert(const char *from, const char *folder, const char *name) {
    piaa_error error = {0};
    piaa_gguf_kind kind = PIAA_GGUF_KIND_F32;
    char *text = support_join(folder, "text.gguf"), *vision = support_join(folder, "mmproj.gguf");
    piaa_checkpoint *checkpoint = piaa_checkpoint_open(from, &error);
    assert_true(checkpoint && piaa_gguf_kind_parse(name, &kind));
    if (!piaa_gguf_convert(checkpoint, text, vision, kind, NULL, NULL, &error))
        fail_msg("%s", error.message);
    piaa_checkpoint_close(checkpoint);
    free(text);
    free(vision);
}

/* The largest relative error of a slot against "cat.jpg|base|POOL". */
static double against_golden(const float *values, const piaa_slots *slots,
                             const piaa_safetensors *golden) {
    double worst = 0;
    for (size_t i = 0; i < slots->count; i++) {
        const piaa_slot *slot = &slots->items[i];
        char name[64];
        snprintf(name, sizeof name, "cat.jpg|base|%s", piaa_pool_name(slot->pool));
        const float *expected = (const float *)support_tensor(golden, name)->data +
                                (size_t)slot->layer * (size_t)slot->dim;
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
    } models[] = {{GGUF "qwen3vl-f32.gguf" VISION, 1e-5},
                  {GGUF "qwen3vl-f32.gguf", 1e-5},
                  {GGUF "qwen3vl-bf16.gguf" VISION, 3e-2},
                  /* one file, as in Ollama's library */
                  {OLLAMA "qwen3vl.gguf", 1e-5},
                  {OLLAMA "qwen3vl.gguf" VISION, 1e-5},
                  {OLLAMA "qwen3vl-later.gguf", 3e-3}};
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

/* A copy of a golden folder with every tensor rounded to bfloat16, as published checkpoints are; or
 * with the decoder's matrices alone, as llama.cpp's bf16 file holds them. */
static void write_rounded_folder(const char *original, const char *folder, bool all) {
    static const char *const links[] = {"config.json", "tokenizer.json",
                                        "preprocessor_config.json"};
    for (size_t i = 0; i < PIAA_COUNT(links); i++) {
        char *from = support_join(original, links[i]), *to = support_join(folder, links[i]);
        if (piaa_file_exists(from)) assert_int_equal(symlink(from, to), 0);
        free(from);
        free(to);
    }
    char *path = support_join(original, "model.safetensors");
    piaa_safetensors *golden = support_golden(path);
    free(path);
    piaa_text header = {0}, data = {0};
    for (size_t i = 0; i < piaa_safetensors_count(golden); i++) {
        const piaa_tensor *tensor = piaa_safetensors_at(golden, i);
        size_t count = (size_t)piaa_tensor_count(tensor), begin = data.length;
        float *values = piaa_alloc(count, sizeof *values, NULL);
        assert_non_null(values);
        piaa_tensor_to_float(tensor, values);
        bool rounded = all || (strstr(tensor->name, "language_model") && tensor->dimensions == 2);
        for (size_t k = 0; rounded && k < count; k++) values[k] = round_to_bf16(values[k]);
        assert_true(piaa_text_add(&data, values, count * sizeof *values, NULL));
        free(values);
        assert_true(piaa_text_format(
            &header, NULL, "%s\"%s\":{\"dtype\":\"F32\",\"data_offsets\":[%zu,%zu],\"shape\":[",
            i ? "," : "{", tensor->name, begin, data.length));
        for (int d = 0; d < tensor->dimensions; d++)
            assert_true(piaa_text_format(&header, NULL, "%s%lld", d ? "," : "",
                                         (long long)tensor->shape[d]));
        assert_true(piaa_text_add(&header, "]}", 2, NULL));
    }
    assert_true(piaa_text_add(&header, "}", 1, NULL));
    piaa_text file = {0};
    for (int i = 0; i < 8; i++) {
        char byte = (char)((uint64_t)header.length >> 8 * i);
        assert_true(piaa_text_add(&file, &byte, 1, NULL));
    }
    assert_true(piaa_text_add(&file, header.data, header.length, NULL) &&
                piaa_text_add(&file, data.data, data.length, NULL));
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
    write_rounded_folder(PIAA_GOLDEN "/qwen3vl", folder, false);
    for (size_t t = 0; t < PIAA_COUNT(dtypes); t++) {
        piaa_slots slots = {0}, same = {0};
        size_t count = 0, expected = 0;
        float *a = features(GGUF "qwen3vl-bf16.gguf" VISION, dtypes[t], &slots, &count, golden);
        float *b = features(folder, dtypes[t], &same, &expected, golden);
        assert_int_equal(count, expected);
        double worst = largest_error(a, b, &slots);
        print_message("bf16 pair against its folder, both held as %s: relative error %.2g\n",
                      piaa_dtype_name(dtypes[t]), worst);
        assert_true(worst <= 1e-3);
        piaa_slots_free(&slots);
        piaa_slots_free(&same);
        free(a);
        free(b);
    }
    support_remove(folder);
    piaa_safetensors_close(golden);
}

static double least_cosine(const float *a, const float *b, const piaa_slots *slots) {
    double least = 1;
    for (size_t i = 0; i < slots->count; i++) {
        double ab = 0, aa = 0, bb = 0;
        for (int d = 0; d < slots->items[i].dim; d++, a++, b++) {
            ab += (double)*a * *b;
            aa += (double)*a * *a;
            bb += (double)*b * *b;
        }
        least = fmin(least, ab / sqrt(aa * bb));
    }
    return least;
}

/* Of a photo, every pool and layer. */
static fixture photo_with(const char *path, piaa_session_options options) {
    fixture f = fixture_open(path, "lt,lt_tail,lv,v", "all", options);
    piaa_model_input *input = fixture_file(&f, "cat.jpg", NULL);
    fixture_run(&f, input);
    piaa_model_input_free(input);
    return f;
}

static fixture photo(const char *path, piaa_dtype dtype) {
    return photo_with(path, (piaa_session_options){.dtype = dtype});
}

/* A bfloat16 checkpoint and the bf16 pair converted from it, of each family and of the
   demonstration model. */
static void same_features_as_converted(void **state) {
    PIAA_UNUSED(state);
    static const char *const models[] = {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/gemma3",
                                         PIAA_SOURCE "/models/demo"};
    static const piaa_dtype dtypes[] = {PIAA_DTYPE_F32, PIAA_DTYPE_BF16};
    for (size_t m = 0; m < PIAA_COUNT(models); m++) {
        char *folder = support_folder(), *pair = support_folder();
        write_rounded_folder(models[m], folder, true);
        convert(folder, pair, "bf16");
        for (size_t t = 0; t < PIAA_COUNT(dtypes); t++) {
            fixture a = photo(pair, dtypes[t]), b = photo(folder, dtypes[t]);
            assert_int_equal(a.values, b.values);
            double worst = largest_error(a.out, b.out, &a.slots);
            print_message("%s as a bf16 pair, both held as %s: relative error %.2g\n",
                          piaa_path_name(models[m]), piaa_dtype_name(dtypes[t]), worst);
            assert_true(worst <= 1e-3);
            fixture_close(&a);
            fixture_close(&b);
        }
        support_remove(folder);
        support_remove(pair);
    }
}

/* Smaller pairs, written from a folder: near its features; what AUTO becomes for a model too large
 * for float32 (each matrix as it is in the file) near what float32 gives of the same file; and what
 * --dtype makes of the folder on load, near the folder again. */
static void quantised_pairs(void **state) {
    PIAA_UNUSED(state);
    static const char *const models[] = {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/gemma3",
                                         PIAA_SOURCE "/models/demo"};
    static const struct {
        const char *name;
        double limit, change;
    } kinds[] = {{"f16", 0.01, 0.01},
                 {"q8_0", 0.05, 0.03},
                 {"q6_K", 0.05, 0.03},
                 {"q5_K", 0.2, 0.05},
                 {"q4_K", 0.3, 0.05}};
    for (size_t m = 0; m < PIAA_COUNT(models); m++) {
        fixture plain = photo(models[m], PIAA_DTYPE_F32);
        for (size_t k = 0; k < PIAA_COUNT(kinds); k++) {
            char *folder = support_folder();
            convert(models[m], folder, kinds[k].name);
            piaa_dtype dtype;
            assert_true(piaa_dtype_parse(kinds[k].name, &dtype));
            fixture wide = photo(folder, PIAA_DTYPE_F32), own = photo(folder, PIAA_DTYPE_FILE),
                    loaded = photo(models[m], dtype);
            fixture theirs = photo_with(
                folder, (piaa_session_options){.dtype = PIAA_DTYPE_FILE, .portable = true});
            double worst = largest_error(wide.out, plain.out, &plain.slots),
                   change = largest_error(own.out, wide.out, &plain.slots);
            double on_load = largest_error(loaded.out, plain.out, &plain.slots),
                   ggml = largest_error(theirs.out, wide.out, &plain.slots);
            print_message(
                "%s as %s: relative error %.2g; held as in the file, %.2g from float32 (by ggml's "
                "operations %.2g); made on load, "
                "%.2g; least cosine held as in the file: %.6f, by ggml's operations %.6f\n",
                piaa_path_name(models[m]), kinds[k].name, worst, change, ggml, on_load,
                least_cosine(own.out, plain.out, &plain.slots),
                least_cosine(theirs.out, plain.out, &plain.slots));
            assert_true(worst <= kinds[k].limit && on_load <= kinds[k].limit &&
                        change <= kinds[k].change);
            assert_true(piaa_session_weight_bytes(own.session) <
                        piaa_session_weight_bytes(plain.session) * 3 / 4);
            fixture_close(&wide);
            fixture_close(&own);
            fixture_close(&loaded);
            fixture_close(&theirs);
            support_remove(folder);
        }
        fixture_close(&plain);
    }
}

/* The file once more with block 1's matrices in another type, where their rows are whole blocks,
 * read and written by ggml.  How many were changed. */
static int requantise(const char *from, const char *to, enum ggml_type type) {
    struct ggml_context *context = NULL;
    struct gguf_context *source =
        gguf_init_from_file(from, (struct gguf_init_params){.no_alloc = false, .ctx = &context});
    struct gguf_context *file = gguf_init_empty();
    assert_true(source && context && file);
    gguf_set_kv(file, source);
    void *blocks[16];
    int changed = 0;
    for (int64_t n = 0; n < gguf_get_n_tensors(source); n++) {
        struct ggml_tensor *t = ggml_get_tensor(context, gguf_get_tensor_name(source, n));
        gguf_add_tensor(file, t);
        if (strncmp(t->name, "blk.1.", 6) != 0 || ggml_n_dims(t) != 2 || t->type != GGML_TYPE_F32 ||
            t->ne[0] % ggml_blck_size(type))
            continue;
        assert_true(changed < (int)PIAA_COUNT(blocks));
        float *even = piaa_alloc((size_t)t->ne[0], sizeof *even,
                                 NULL); /* how much each column counts, which some types ask for */
        blocks[changed] = piaa_alloc((size_t)t->ne[1], ggml_row_size(type, t->ne[0]), NULL);
        assert_true(even && blocks[changed]);
        for (int64_t i = 0; i < t->ne[0]; i++) even[i] = 1;
        ggml_quantize_chunk(type, t->data, blocks[changed], 0, t->ne[1], t->ne[0], even);
        gguf_set_tensor_type(file, t->name, type);
        gguf_set_tensor_data(file, t->name, blocks[changed++]);
        free(even);
    }
    assert_true(gguf_write_to_file(file, to, false));
    for (int i = 0; i < changed; i++) free(blocks[i]);
    gguf_free(file);
    gguf_free(source);
    ggml_free(context);
    return changed;
}

/* Files hold more types than we write: each of ggml's that can be read at all also runs, blocks as
 * they are, near their values in float32. */
static void every_type(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *from = support_folder();
    convert(PIAA_SOURCE "/models/demo", from, "f32");
    char *vision = support_join(from, "mmproj.gguf"), *same = support_join(folder, "mmproj.gguf");
    char *text = support_join(from, "text.gguf"), *changed = support_join(folder, "text.gguf");
    assert_int_equal(symlink(vision, same), 0);
    int types = 0;
    for (int type = 0; type < GGML_TYPE_COUNT; type++) {
        const struct ggml_type_traits *traits = ggml_get_type_traits((enum ggml_type)type);
        if (!traits->is_quantized || !traits->to_float) continue;
        if (strncmp(traits->type_name, "iq1", 3) == 0 || strncmp(traits->type_name, "iq2", 3) == 0)
            continue;
        int matrices = requantise(text, changed, (enum ggml_type)type);
        fixture wide = photo(folder, PIAA_DTYPE_F32), own = photo(folder, PIAA_DTYPE_FILE);
        double change = largest_error(own.out, wide.out, &wide.slots);
        print_message("%s, %d matrices: %.2g from float32\n", traits->type_name, matrices, change);
        assert_true(matrices >= 1 && change <= 0.05);
        fixture_close(&wide);
        fixture_close(&own);
        types++;
    }
    ggml_quantize_free();
    assert_true(types >= 18);
    free(vision);
    free(same);
    free(text);
    free(changed);
    support_remove(folder);
    support_remove(from);
}

/* A value that only the family finds wrong is named as the file names it. */
static void names_of_keys(void **state) {
    PIAA_UNUSED(state);
    static const char key[] = "qwen3vl.attention.layer_norm_rms_epsilon";
    piaa_error error = {0};
    size_t size, at = 0;
    char *folder = support_folder(),
         *bytes = piaa_file_read(PIAA_GOLDEN "/gguf/qwen3vl-f32.gguf", 16 << 20, &size, &error);
    assert_non_null(bytes);
    while (at + sizeof key < size && memcmp(bytes + at, key, sizeof key - 1) != 0) at++;
    memset(bytes + at + sizeof key - 1 + 4, 0, 4);
    support_write(folder, "text.gguf", bytes, size);
    char *text = support_join(folder, "text.gguf");
    assert_null(piaa_model_open_pair(text, PIAA_GOLDEN "/gguf/qwen3vl-mmproj-f32.gguf", &error));
    if (!strstr(error.message,
                "/text.gguf: qwen3vl.attention.layer_norm_rms_epsilon should be a number above 0"))
        fail_msg("%s", error.message);
    free(bytes);
    free(text);
    support_remove(folder);
}

/* ------------------------------------------------------------- what GGUF files cannot say */

static void set_number(cJSON *config, const char *object, const char *key, double value) {
    cJSON_DeleteItemFromObject(fixture_at(config, object), key);
    cJSON_AddNumberToObject(fixture_at(config, object), key, value);
}
static void edit_scalar(cJSON *config) {
    set_number(config, "text_config", "query_pre_attn_scalar", 77);
}
static void edit_layer_types(cJSON *config) {
    cJSON *types = fixture_at(config, "text_config.layer_types");
    cJSON_AddItemToArray(types, cJSON_DetachItemFromArray(types, 0));
    cJSON_ReplaceItemInArray(types, 0, cJSON_CreateString("full_attention"));
}
static void edit_linear_window(cJSON *config) {
    cJSON *kind = fixture_at(config, "text_config.rope_parameters.sliding_attention");
    cJSON_ReplaceItemInObject(kind, "rope_type", cJSON_CreateString("linear"));
    cJSON_AddNumberToObject(kind, "factor", 2);
}
static void edit_yarn(cJSON *config) {
    cJSON *rope = fixture_at(config, "text_config.rope_parameters");
    cJSON_ReplaceItemInObject(rope, "rope_type", cJSON_CreateString("yarn"));
    cJSON_AddNumberToObject(rope, "factor", 4);
}
static void edit_cap(cJSON *config) {
    set_number(config, "text_config", "final_logit_softcapping", 30);
}
static void edit_window(cJSON *config) {
    set_number(config, "text_config", "sliding_window", 5);
}
static void edit_base(cJSON *config) {
    set_number(config, "text_config.rope_parameters", "rope_theta", 12345);
}
static void edit_epsilon(cJSON *config) {
    set_number(config, "text_config", "rms_norm_eps", 3e-5);
}

/* Whatever is set: the files say it, or there are none and the setting is named. */
static void another_model_is_never_written(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *from, *refused; /* NULL: it can be said */
        void (*edit)(cJSON *config);
    } rows[] = {{"gemma3", "query_pre_attn_scalar", edit_scalar},
                {"gemma3", "layer_types", edit_layer_types},
                {"gemma3", "rope_parameters", edit_linear_window},
                {"gemma3", NULL, edit_cap},
                {"gemma3", NULL, edit_window},
                {"gemma3", NULL, edit_epsilon},
                {"qwen3vl", "rope_parameters", edit_yarn},
                {"qwen3vl", NULL, edit_base},
                {"qwen3vl", NULL, edit_epsilon}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        piaa_error error = {0};
        char *from = support_join(PIAA_GOLDEN, rows[i].from),
             *folder = fixture_respelt(from, rows[i].edit, NULL, 0),
             *text = support_join(folder, "text.gguf"),
             *vision = support_join(folder, "mmproj-text.gguf");
        piaa_model *model = piaa_model_open(folder, &error);
        if (!model) fail_msg("%s", error.message);
        const bool written =
            piaa_model_convert(model, text, vision, PIAA_GGUF_KIND_BF16, NULL, &error);
        if (written == (rows[i].refused != NULL)) fail_msg("row %zu: %s", i, error.message);
        if (written) {
            piaa_model *back = piaa_model_open(text, &error);
            if (!back) fail_msg("%s", error.message);
            assert_null(model->family->difference(model->config, back->config));
            piaa_model_close(back);
        } else {
            assert_int_equal(error.code, PIAA_UNSUPPORTED);
            if (!strstr(error.message, rows[i].refused)) fail_msg("%s", error.message);
            assert_false(piaa_file_exists(text) || piaa_file_exists(vision));
        }
        piaa_model_close(model);
        support_remove(folder);
        free(text);
        free(vision);
        free(from);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_keys),
                                       cmocka_unit_test(another_model_is_never_written),
                                       cmocka_unit_test(same_features),
                                       cmocka_unit_test(same_features_as_the_rounded_folder),
                                       cmocka_unit_test(same_features_as_converted),
                                       cmocka_unit_test(quantised_pairs),
                                       cmocka_unit_test(every_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
