/* Model folders: the golden and the demonstration model against what PyTorch reads, every spelling
 * and sharding of the same weights, and folders that are not what they should be.
 * golden/weights/tensors.json: per tensor its name, shape, sum, first and last value. */
#include "support.h"

#include "convert/gguf_write.h"

#define QWEN PIAA_GOLDEN "/qwen3vl"

static piaa_checkpoint *open_good(const char *folder) {
    piaa_error error = {0};
    piaa_checkpoint *checkpoint = piaa_checkpoint_open(folder, &error);
    if (!checkpoint) fail_msg("%s", error.message);
    return checkpoint;
}

static void check_against_golden(const char *folder, const char *key) {
    piaa_checkpoint *checkpoint = open_good(folder);
    cJSON *golden = piaa_json_read(PIAA_GOLDEN "/weights/tensors.json", 1 << 20, NULL);
    const cJSON *rows = piaa_json_find(golden, key);
    assert_int_equal(piaa_checkpoint_count(checkpoint), cJSON_GetArraySize(rows));
    size_t index = 0;
    for (const cJSON *row = rows->child; row; row = row->next) {
        const cJSON *name = row->child, *shape = name->next, *sum = shape->next, *first = sum->next,
                    *last = first->next;
        const piaa_tensor *tensor = piaa_checkpoint_tensor(checkpoint, name->valuestring);
        assert_non_null(tensor);
        assert_ptr_equal(piaa_checkpoint_at(checkpoint, index++), tensor);
        assert_int_equal(tensor->dimensions, cJSON_GetArraySize(shape));
        for (int i = 0; i < tensor->dimensions; i++)
            assert_int_equal(tensor->shape[i], cJSON_GetArrayItem(shape, i)->valueint);
        size_t count = (size_t)piaa_tensor_count(tensor);
        float *values = malloc(count * sizeof *values);
        assert_non_null(values);
        piaa_tensor_to_float(tensor, values);
        double total = 0, size = 0;
        for (size_t i = 0; i < count; i++)
            total += (double)values[i], size += fabs((double)values[i]);
        assert_true(fabs(total - sum->valuedouble) <= 1e-12 * size);
        assert_true((double)values[0] == first->valuedouble &&
                    (double)values[count - 1] == last->valuedouble);
        free(values);
        piaa_checkpoint_forget(checkpoint, tensor);
    }
    cJSON_Delete(golden);
    piaa_checkpoint_close(checkpoint);
}

static void same_values_as_pytorch(void **state) {
    (void)state;
    check_against_golden(QWEN, "qwen3vl");
    check_against_golden(PIAA_SOURCE "/models/demo", "demo");
}

static void configuration(void **state) {
    (void)state;
    piaa_checkpoint *checkpoint = open_good(QWEN);
    int64_t layers, patch;
    assert_true(piaa_json_int(piaa_checkpoint_config(checkpoint), "text_config.num_hidden_layers",
                              &layers) &&
                layers == 4);
    assert_true(piaa_json_int(piaa_checkpoint_image_config(checkpoint), "patch_size", &patch) &&
                patch == 16);
    assert_string_equal(piaa_checkpoint_folder(checkpoint), QWEN);
    piaa_checkpoint_close(checkpoint);
    piaa_checkpoint_close(NULL);
}

static void needed_tensors(void **state) {
    (void)state;
    static const char name[] = "model.language_model.layers.0.mlp.down_proj.weight";
    piaa_checkpoint *checkpoint = open_good(QWEN);
    piaa_error error = {0};
    assert_non_null(piaa_checkpoint_need(checkpoint, &error, name, 2, (int64_t)64, (int64_t)112));
    assert_null(piaa_checkpoint_need(checkpoint, &error, name, 2, (int64_t)64, (int64_t)113));
    assert_string_equal(
        error.message,
        QWEN "/model.safetensors: tensor model.language_model.layers.0.mlp.down_proj.weight has "
             "shape [64, 112] where "
             "config.json calls for [64, 113]: fetch the model again");
    assert_null(piaa_checkpoint_need(checkpoint, &error, name, 1, (int64_t)64));
    assert_null(piaa_checkpoint_need(checkpoint, &error, "lm_head.weight", 1, (int64_t)64));
    assert_non_null(strstr(error.message, "lm_head.weight"));
    assert_non_null(strstr(error.message, QWEN));
    piaa_checkpoint_close(checkpoint);
}

/* ------------------------------------------------------------------- copies of the golden model */

typedef struct copy {
    piaa_text header, data;
} copy;

static void copy_tensor(copy *c, const char *name, const piaa_tensor *tensor) {
    piaa_text_format(&c->header, NULL, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                     c->header.length ? ',' : '{', name, tensor->dtype);
    for (int i = 0; i < tensor->dimensions; i++)
        piaa_text_format(&c->header, NULL, "%s%lld", i ? "," : "", (long long)tensor->shape[i]);
    piaa_text_format(&c->header, NULL, "],\"data_offsets\":[%zu,%zu]}", c->data.length,
                     c->data.length + tensor->bytes);
    piaa_text_add(&c->data, tensor->data, tensor->bytes, NULL);
}

static void copy_write(copy *c, const char *folder, const char *file) {
    piaa_text_format(&c->header, NULL, "%s}", c->header.length ? "" : "{");
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)c->header.length >> 8 * i);
    piaa_text all = {0};
    piaa_text_add(&all, length, 8, NULL);
    piaa_text_add(&all, c->header.data, c->header.length, NULL);
    piaa_text_add(&all, c->data.data, c->data.length, NULL);
    support_write(folder, file, all.data, all.length);
    free(all.data);
    free(c->header.data);
    free(c->data.data);
    *c = (copy){0};
}

static void copy_file(const char *folder, const char *name) {
    char *from = support_join(QWEN, name);
    size_t size;
    char *data = piaa_file_read(from, 1 << 24, &size, NULL);
    support_write(folder, name, data, size);
    free(data);
    free(from);
}

/* The prefix `from` of a name replaced by `to`, if it is there; allocated. */
static char *respell(const char *name, const char *from, const char *to) {
    size_t n = strlen(from);
    return strncmp(name, from, n) == 0 ? piaa_format(NULL, "%s%s", to, name + n)
                                       : piaa_format(NULL, "%s", name);
}

/* Two checkpoints with the same weights under the same names, in the same bytes. */
static void check_same(const char *folder, const piaa_checkpoint *expected) {
    piaa_checkpoint *checkpoint = open_good(folder);
    assert_int_equal(piaa_checkpoint_count(checkpoint), piaa_checkpoint_count(expected));
    for (size_t i = 0; i < piaa_checkpoint_count(expected); i++) {
        const piaa_tensor *a = piaa_checkpoint_at(expected, i),
                          *b = piaa_checkpoint_tensor(checkpoint, a->name);
        assert_non_null(b);
        assert_int_equal(a->bytes, b->bytes);
        assert_memory_equal(a->data, b->data, a->bytes);
    }
    char one[65], other[65];
    assert_true(piaa_checkpoint_fingerprint(expected, one, NULL));
    assert_true(piaa_checkpoint_fingerprint(checkpoint, other, NULL));
    assert_string_equal(one, other);
    piaa_checkpoint_close(checkpoint);
}

static void older_spellings(void **state) {
    (void)state;
    char *folder = support_folder();
    piaa_checkpoint *expected = open_good(QWEN);
    copy c = {0};
    for (size_t i = 0; i < piaa_checkpoint_count(expected); i++) {
        const piaa_tensor *tensor = piaa_checkpoint_at(expected, i);
        char *half = respell(tensor->name, "model.language_model.", "language_model.model."),
             *name = respell(half, "model.visual.", "visual.");
        copy_tensor(&c, name, tensor);
        free(half);
        free(name);
    }
    copy_write(&c, folder, "model.safetensors");
    copy_file(folder, "config.json");
    copy_file(folder, "processor_config.json"); /* the image processor's settings inside it */
    check_same(folder, expected);
    piaa_checkpoint *checkpoint = open_good(folder);
    int64_t patch;
    assert_true(piaa_json_int(piaa_checkpoint_image_config(checkpoint), "patch_size", &patch) &&
                patch == 16);
    piaa_checkpoint_close(checkpoint);
    piaa_checkpoint_close(expected);
    support_remove(folder);
}

static void every_spelling(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"language_model.model.layers.0.x", "model.language_model.layers.0.x"},
        {"model.language_model.layers.1.x", "model.language_model.layers.1.x"},
        {"language_model.lm_head.weight", "lm_head.weight"},
        {"language_model.layers.2.x", "model.language_model.layers.2.x"}, /* the base class's */
        {"language_model.embed_tokens.x", "model.language_model.embed_tokens.x"},
        {"model.layers.3.x", "model.language_model.layers.3.x"}, /* Qwen2.5-VL's */
        {"model.embed_tokens.y", "model.language_model.embed_tokens.y"},
        {"model.norm.x", "model.language_model.norm.x"},
        {"vision_tower.blocks.2.x", "model.visual.blocks.2.x"}, /* MLX's */
        {"vision_tower.patch_embed.proj.x", "model.visual.patch_embed.proj.x"},
        {"vision_tower.pos_embed.x", "model.visual.pos_embed.x"},
        {"vision_tower.merger.x", "model.visual.merger.x"},
        {"vision_tower.deepstack_merger_list.0.x", "model.visual.deepstack_merger_list.0.x"},
        {"visual.blocks.0.x", "model.visual.blocks.0.x"},
        {"model.visual.blocks.1.x", "model.visual.blocks.1.x"},
        {"vision_tower.vision_model.encoder.a", "model.vision_tower.encoder.a"},
        {"vision_tower.encoder.b", "model.vision_tower.encoder.b"},
        {"model.vision_tower.vision_model.encoder.c", "model.vision_tower.encoder.c"},
        {"model.vision_tower.encoder.d", "model.vision_tower.encoder.d"},
        {"multi_modal_projector.x", "model.multi_modal_projector.x"},
        {"model.multi_modal_projector.y", "model.multi_modal_projector.y"},
        {"layer.0.norm1.weight", "layer.0.norm1.weight"},
    };
    char *folder = support_folder();
    support_write(folder, "config.json", "{}", 2);
    copy c = {0};
    const piaa_tensor tensor = {
        .dtype = "F32", .dimensions = 1, .shape = {1}, .data = "\0\0\x80\x3f", .bytes = 4};
    for (size_t i = 0; i < PIAA_COUNT(names); i++) copy_tensor(&c, names[i][0], &tensor);
    copy_write(&c, folder, "model.safetensors");
    piaa_checkpoint *checkpoint = open_good(folder);
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        assert_non_null(piaa_checkpoint_tensor(checkpoint, names[i][1]));
    assert_int_equal(piaa_checkpoint_count(checkpoint), PIAA_COUNT(names));
    assert_null(piaa_checkpoint_image_config(checkpoint));
    piaa_checkpoint_close(checkpoint);

    piaa_error error = {0};
    copy_tensor(&c, "visual.x", &tensor);
    copy_tensor(&c, "model.visual.x", &tensor);
    copy_write(&c, folder, "model.safetensors");
    assert_null(piaa_checkpoint_open(folder, &error));
    assert_non_null(strstr(error.message, "visual.x of "));
    assert_non_null(strstr(error.message, "model.visual.x of "));

    copy_tensor(
        &c, "x",
        &(piaa_tensor){.dtype = "I8", .dimensions = 1, .shape = {4}, .data = "abcd", .bytes = 4});
    copy_write(&c, folder, "model.safetensors");
    checkpoint = open_good(folder);
    assert_null(piaa_checkpoint_need(checkpoint, &error, "x", 1, (int64_t)4));
    assert_int_equal(error.code, PIAA_UNSUPPORTED);
    assert_non_null(strstr(error.message, "stored as I8"));
    piaa_checkpoint_close(checkpoint);
    support_remove(folder);
}

/* The golden model in three shards with an index; the last shard holds one tensor that the index
   does not list. */
static char *make_shards(const piaa_checkpoint *model, bool list_a_stranger) {
    char *folder = support_folder();
    copy c = {0};
    piaa_text index = {0};
    piaa_text_format(&index, NULL, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    size_t count = piaa_checkpoint_count(model);
    for (size_t shard = 0; shard < 3; shard++) {
        for (size_t i = shard; i < count; i += 3) {
            const piaa_tensor *tensor = piaa_checkpoint_at(model, i);
            copy_tensor(&c, tensor->name, tensor);
            if (i + 1 < count)
                piaa_text_format(&index, NULL, "%s\"%s\": \"model-%zu-of-3.safetensors\"",
                                 i ? ", " : "", tensor->name, shard + 1);
        }
        char *name = piaa_format(NULL, "model-%zu-of-3.safetensors", shard + 1);
        copy_write(&c, folder, name);
        free(name);
    }
    piaa_text_format(&index, NULL, "%s}}",
                     list_a_stranger ? ", \"stranger\": \"model-2-of-3.safetensors\"" : "");
    support_write(folder, "model.safetensors.index.json", index.data, index.length);
    free(index.data);
    copy_file(folder, "config.json");
    return folder;
}

static void shards(void **state) {
    (void)state;
    piaa_checkpoint *expected = open_good(QWEN);
    char *folder = make_shards(expected, false),
         *second = support_join(folder, "model-2-of-3.safetensors");
    piaa_error error = {0};
    check_same(folder, expected);
    support_clear(second);
    assert_null(piaa_checkpoint_open(folder, &error));
    assert_non_null(strstr(error.message, second));
    assert_non_null(strstr(error.message, "is missing"));
    free(second);
    support_remove(folder);

    folder = make_shards(expected, true);
    assert_null(piaa_checkpoint_open(folder, &error));
    assert_non_null(strstr(error.message, "model-2-of-3.safetensors holds no tensor stranger"));
    static const char *const indices[] = {"{}",
                                          "[]",
                                          "{\"weight_map\": {}}",
                                          "{\"weight_map\": {\"a\": 1}}",
                                          "{\"weight_map\": {\"a\": \"../x\"}}",
                                          "{\"weight_map\": {\"a\": \"/etc/passwd\"}}",
                                          "{\"weight_map\": {\"a\": \"\"}}",
                                          "{\"weight_map\""};
    for (size_t i = 0; i < PIAA_COUNT(indices); i++) {
        support_write(folder, "model.safetensors.index.json", indices[i], strlen(indices[i]));
        assert_null(piaa_checkpoint_open(folder, &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        assert_non_null(strstr(error.message, "model.safetensors.index.json"));
    }
    support_remove(folder);
    piaa_checkpoint_close(expected);
}

static void expect_refusal(const char *folder, piaa_code code, const char *complaint) {
    piaa_error error = {0};
    assert_null(piaa_checkpoint_open(folder, &error));
    if (error.code != code || !strstr(error.message, complaint) || !strstr(error.message, folder))
        fail_msg("\"%s\" has code %d and should say \"%s\"", error.message, (int)error.code,
                 complaint);
}

/* A tensor in two shards is the one that the index names, whichever that is. */
static void the_index_decides(void **state) {
    (void)state;
    static const float values[2] = {1, 2};
    for (int named = 0; named < 2; named++) {
        char *folder = support_folder(), *index;
        support_write(folder, "config.json", "{}", 2);
        for (int shard = 0; shard < 2; shard++) {
            copy c = {0};
            char name[32];
            copy_tensor(&c, "a",
                        &(piaa_tensor){.dtype = "F32",
                                       .dimensions = 1,
                                       .shape = {1},
                                       .data = &values[shard],
                                       .bytes = sizeof(float)});
            copy_tensor(&c, shard ? "b" : "c",
                        &(piaa_tensor){.dtype = "F32",
                                       .dimensions = 1,
                                       .shape = {1},
                                       .data = &values[shard],
                                       .bytes = sizeof(float)});
            snprintf(name, sizeof name, "s%d.safetensors", shard);
            copy_write(&c, folder, name);
        }
        index = piaa_format(NULL,
                            "{\"weight_map\": {\"a\": \"s%d.safetensors\", \"b\": "
                            "\"s1.safetensors\", \"c\": \"s0.safetensors\"}}",
                            named);
        support_write(folder, "model.safetensors.index.json", index, strlen(index));
        piaa_checkpoint *checkpoint = open_good(folder);
        float value;
        piaa_tensor_to_float(piaa_checkpoint_tensor(checkpoint, "a"), &value);
        assert_true(value == values[named]);
        assert_int_equal(piaa_checkpoint_count(checkpoint), 3);
        piaa_checkpoint_close(checkpoint);
        free(index);
        support_remove(folder);
    }
}

/* Settings of the image processor inside processor_config.json count before a file of their own. */
static void the_newer_settings_count(void **state) {
    (void)state;
    char *folder = support_folder();
    copy c = {0};
    const float one = 1;
    copy_tensor(
        &c, "a",
        &(piaa_tensor){.dtype = "F32", .dimensions = 1, .shape = {1}, .data = &one, .bytes = 4});
    copy_write(&c, folder, "model.safetensors");
    support_write(folder, "config.json", "{}", 2);
    static const struct {
        const char *processor, *preprocessor;
        int64_t expected;
    } files[] = {{"{\"image_processor\": {\"size\": 5}}", "{\"size\": 7}", 5},
                 {"{\"image_seq_length\": 4}", "{\"size\": 7}", 7},
                 {"{\"image_processor\": {\"size\": 5}}", NULL, 5}};
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        char *old = support_join(folder, "preprocessor_config.json");
        support_write(folder, "processor_config.json", files[i].processor,
                      strlen(files[i].processor));
        if (files[i].preprocessor)
            support_write(folder, "preprocessor_config.json", files[i].preprocessor,
                          strlen(files[i].preprocessor));
        else
            remove(old);
        piaa_checkpoint *checkpoint = open_good(folder);
        int64_t size = 0;
        assert_true(piaa_json_int(piaa_checkpoint_image_config(checkpoint), "size", &size));
        assert_int_equal(size, files[i].expected);
        piaa_checkpoint_close(checkpoint);
        free(old);
    }
    support_remove(folder);
}

/* Whatever was done to the matrices, config.json says by whom: nobody is told to fetch again. */
static void quantised_folders_are_named(void **state) {
    (void)state;
    static const char *const configs[][2] = {
        {"{\"quantization_config\": {\"quant_method\": \"awq\"}}", "AWQ"},
        {"{\"quantization_config\": {\"quant_method\": \"gptq\"}}", "GPTQ"},
        {"{\"quantization_config\": {\"quant_method\": \"bitsandbytes\"}}", "bitsandbytes"},
        {"{\"quantization_config\": {\"quant_method\": \"compressed-tensors\"}}",
         "compressed-tensors"},
        {"{\"quantization_config\": {\"quant_method\": \"fp8\"}}", "FP8"},
        {"{\"quantization_config\": {\"quant_method\": \"new\"}}", "quantised with new"},
        {"{\"quantization_config\": {}}", "an unknown method"},
        {"{\"text_config\": {\"quantization_config\": {\"quant_method\": \"awq\"}}}", "AWQ"},
        {"{\"quantization\": {\"group_size\": 64, \"bits\": 4}}", "MLX"}};
    char *folder = support_folder();
    for (size_t i = 0; i < PIAA_COUNT(configs); i++) {
        support_write(folder, "config.json", configs[i][0], strlen(configs[i][0]));
        expect_refusal(folder, PIAA_UNSUPPORTED, configs[i][1]);
    }
    support_remove(folder);
}

/* Where config.json says nothing, the tensors do. */
static void packed_tensors_are_named(void **state) {
    (void)state;
    static const struct {
        const char *ending, *dtype, *words;
    } parts[] = {{"qweight", "I32", "AWQ or GPTQ"},
                 {"weight_packed", "I32", "compressed-tensors"},
                 {"weight.absmax", "F32", "bitsandbytes"},
                 {"SCB", "F32", "bitsandbytes"},
                 {"weight_scale_2", "F32", "ModelOpt"},
                 {"weight", "U32", "MLX"},
                 {"weight", "U8", "packed bytes"},
                 {"weight", "I8", "integers"},
                 {"weight", "F8_E4M3", "FP8"}};
    static const char bytes[16] = {0}, config[] = "{\"model_type\":\"qwen3_vl\"}";
    for (size_t i = 0; i < PIAA_COUNT(parts); i++) {
        char *folder = support_folder(),
             *name = piaa_format(NULL, "model.layers.0.mlp.up_proj.%s", parts[i].ending);
        const bool narrow = strchr(parts[i].dtype, '8') != NULL;
        copy c = {0};
        copy_tensor(&c, name,
                    &(piaa_tensor){.dtype = parts[i].dtype,
                                   .dimensions = 2,
                                   .shape = {2, narrow ? 8 : 2},
                                   .data = bytes,
                                   .bytes = sizeof bytes});
        copy_write(&c, folder, "model.safetensors");
        support_write(folder, "config.json", config, sizeof config - 1);
        expect_refusal(folder, PIAA_UNSUPPORTED, parts[i].words);
        support_remove(folder);
        free(name);
    }
}

/* Eight bits: sign, exponent (bias 7), three of fraction; 0x7f is no number. */
static void blocks_with_scales(void **state) {
    (void)state;
    static const char name[] = "model.language_model.layers.0.self_attn.q_proj.weight";
    /* 3 x 5 codes in blocks of 2 x 4: 1, -1, 448, 2^-9, 2^-6, 1.125, 0, 2, … */
    static const unsigned char codes[15] = {0x38, 0xb8, 0x7e, 0x01, 0x08, 0x39, 0x00, 0x40,
                                            0x30, 0x38, 0x38, 0x38, 0x38, 0x7f, 0x38};
    static const float scales[4] = {2, 3, 5, 7};
    static const float expected[15] = {2, -2, 896, 2.0f / 512, 3.0f / 64, 2 * 1.125f, 0, 4,
                                       1, 3,  5,   5,          5,         NAN,        7};
    char *folder = support_folder();
    copy c = {0};
    copy_file(folder, "preprocessor_config.json");
    static const char config[] = "{\"model_type\":\"qwen3_vl\",\"quantization_config\":{"
                                 "\"quant_method\":\"fp8\",\"weight_block_size\":[2,4]}}";
    support_write(folder, "config.json", config, sizeof config - 1);
    char *scales_name = piaa_format(NULL, "%s_scale_inv", name);
    piaa_tensor t = {
        .dtype = "F8_E4M3", .dimensions = 2, .shape = {3, 5}, .data = codes, .bytes = sizeof codes};
    copy_tensor(&c, name, &t);
    t = (piaa_tensor){
        .dtype = "F32", .dimensions = 2, .shape = {2, 2}, .data = scales, .bytes = sizeof scales};
    copy_tensor(&c, scales_name, &t);
    copy_write(&c, folder, "model.safetensors");
    piaa_checkpoint *checkpoint = open_good(folder);
    piaa_error error = {0};
    const piaa_tensor *w =
        piaa_checkpoint_need(checkpoint, &error, name, 2, (int64_t)3, (int64_t)5);
    if (!w) fail_msg("%s", error.message);
    float values[15];
    piaa_tensor_to_float(w, values);
    for (int i = 0; i < 15; i++)
        assert_true(values[i] == expected[i] || (isnan(values[i]) && isnan(expected[i])));
    /* A run of them, as rows are read. */
    piaa_tensor run = *w;
    run.dimensions = 1;
    run.shape[0] = 6;
    run.data = (const char *)w->data + 3;
    piaa_tensor_to_float(&run, values);
    for (int i = 0; i < 6; i++) assert_true(values[i] == expected[3 + i]);
    piaa_checkpoint_close(checkpoint);
    free(scales_name);
    support_remove(folder);
}

/* A pair of GGUF files made of the checkpoint holds these values. */
static void check_converted(const piaa_checkpoint *checkpoint, const char *name,
                            const float *expected, size_t count) {
    piaa_error error = {0};
    char *folder = support_folder(), *text = support_join(folder, "m.gguf"),
         *vision = support_join(folder, "mmproj-m.gguf");
    if (!piaa_gguf_convert(checkpoint, text, vision, PIAA_GGUF_KIND_F32, NULL, NULL, &error))
        fail_msg("%s", error.message);
    piaa_checkpoint *pair = open_good(text);
    const piaa_tensor *tensor = piaa_checkpoint_tensor(pair, name);
    assert_true(tensor && (size_t)piaa_tensor_count(tensor) == count);
    float *values = piaa_alloc_array(count, sizeof *values, &error);
    assert_non_null(values);
    piaa_tensor_to_float(tensor, values);
    assert_memory_equal(values, expected, count * sizeof *values);
    free(values);
    piaa_checkpoint_close(pair);
    free(text);
    free(vision);
    support_remove(folder);
}

/* An adapter of rank 1 on a weight of the golden model: W + (alpha / r) B A, worked out here. */
static void adapters_are_merged(void **state) {
    (void)state;
    static const char module[] = "model.language_model.layers.0.self_attn.q_proj";
    enum { ROWS = 64, COLUMNS = 64 };
    char *folder = support_folder();
    float up[ROWS], down[COLUMNS], before[ROWS * COLUMNS], after[ROWS * COLUMNS];
    for (int i = 0; i < ROWS; i++) up[i] = (float)(i % 7 - 3) / 4;
    for (int i = 0; i < COLUMNS; i++) down[i] = (float)(i % 5 - 2) / 8;
    copy c = {0};
    piaa_tensor t = {
        .dtype = "F32", .dimensions = 2, .shape = {1, COLUMNS}, .data = down, .bytes = sizeof down};
    char *name = piaa_format(NULL, "base_model.model.%s.lora_A.weight", module),
         *weight = piaa_format(NULL, "%s.weight", module);
    copy_tensor(&c, name, &t);
    strstr(name, "lora_A")[5] = 'B';
    t.shape[0] = ROWS, t.shape[1] = 1;
    t.data = up, t.bytes = sizeof up;
    copy_tensor(&c, name, &t);
    copy_write(&c, folder, "adapter_model.safetensors");
    piaa_error error = {0};
    char plain[65], merged[65];
    piaa_checkpoint *checkpoint = open_good(QWEN);
    assert_true(piaa_checkpoint_fingerprint(checkpoint, plain, &error));
    piaa_tensor_to_float(piaa_checkpoint_tensor(checkpoint, weight), before);
    piaa_checkpoint_close(checkpoint);
    static const struct {
        const char *config;
        float strength; /* 0: refused */
        const char *part;
    } cases[] = {
        {"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":16,\"modules_to_save\":null}", 16, NULL},
        {"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":16,\"alpha_pattern\":{\"q_proj\":4}}", 4,
         NULL},
        {"{\"peft_type\":\"LORA\",\"r\":9,\"lora_alpha\":16,\"use_rslora\":true,\"rank_pattern\":{"
         "\"0.self_attn.q_proj\":1}}",
         16, NULL},
        {"{\"peft_type\":\"LORA\",\"r\":1,\"use_dora\":true}", 0, "use_dora"},
        {"{\"peft_type\":\"LORA\",\"r\":1,\"modules_to_save\":[\"lm_head\"]}", 0,
         "modules_to_save"},
        {"{\"peft_type\":\"IA3\"}", 0, "IA3"},
        {"{\"peft_type\":\"LORA\",\"r\":2}", 0, "another rank"},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        support_write(folder, "adapter_config.json", cases[i].config, strlen(cases[i].config));
        checkpoint = open_good(QWEN);
        const bool ok = piaa_checkpoint_adapt(checkpoint, folder, &error);
        assert_int_equal(ok, cases[i].strength > 0);
        if (!ok && !strstr(error.message, cases[i].part)) fail_msg("%s", error.message);
        if (ok) {
            piaa_tensor_to_float(piaa_checkpoint_tensor(checkpoint, weight), after);
            for (int k = 0; k < ROWS * COLUMNS; k++) {
                const float more = cases[i].strength * up[k / COLUMNS] * down[k % COLUMNS];
                assert_true(fabsf(after[k] - before[k] - more) <= 1e-5f);
            }
            assert_true(piaa_checkpoint_fingerprint(checkpoint, merged, &error));
            assert_string_not_equal(merged, plain);
            check_converted(checkpoint, weight, after, ROWS * COLUMNS);
        }
        piaa_error_clear(&error);
        piaa_checkpoint_close(checkpoint);
    }
    /* As older versions of PEFT wrote it. */
    char *weights = support_join(folder, "adapter_model.safetensors");
    assert_int_equal(remove(weights), 0);
    free(weights);
    support_write(folder, "adapter_config.json", cases[0].config, strlen(cases[0].config));
    support_write(folder, "adapter_model.bin", "", 0);
    checkpoint = open_good(QWEN);
    assert_false(piaa_checkpoint_adapt(checkpoint, folder, &error));
    assert_non_null(strstr(error.message, "PyTorch pickle"));
    piaa_error_clear(&error);
    piaa_checkpoint_close(checkpoint);
    /* Given as a model, it is said to be one. */
    assert_null(piaa_checkpoint_open(folder, &error));
    assert_non_null(strstr(error.message, "--adapter"));
    free(name);
    free(weight);
    support_remove(folder);
}

static void pointers_are_named(void **state) {
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
    static const char *const names[] = {"processor_config.json", "preprocessor_config.json",
                                        "model.safetensors.index.json", "config.json"};
    char *folder = support_folder();
    support_write(folder, "config.json", "{}", 2);
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        support_write(folder, names[i], pointer, sizeof pointer - 1);
        expect_refusal(folder, PIAA_FORMAT, "Git LFS pointer");
        expect_refusal(folder, PIAA_FORMAT, names[i]);
        support_write(folder, names[i], "{}", 2);
    }
    support_remove(folder);
}

/* MLX's kernels [out, height, width, in] are PyTorch's [out, in, height, width]; one table for both
   ends of a decoder may have the name of either. */
static void other_layouts(void **state) {
    (void)state;
    char *folder = support_folder();
    copy c = {0};
    float values[2 * 1 * 2 * 3], read[2 * 1 * 2 * 3];
    for (int i = 0; i < 12; i++) values[i] = (float)i;
    copy_tensor(&c, "vision_tower.vision_model.embeddings.patch_embedding.weight",
                &(piaa_tensor){.dtype = "F32",
                               .dimensions = 4,
                               .shape = {2, 1, 2, 3},
                               .data = values,
                               .bytes = sizeof values});
    copy_tensor(&c, "lm_head.weight",
                &(piaa_tensor){.dtype = "F32",
                               .dimensions = 2,
                               .shape = {4, 3},
                               .data = values,
                               .bytes = sizeof values});
    copy_write(&c, folder, "model.safetensors");
    support_write(folder, "config.json", "{\"text_config\": {}}", 19);
    piaa_checkpoint *checkpoint = open_good(folder);
    piaa_error error = {0};
    const piaa_tensor *kernel = piaa_checkpoint_need(
        checkpoint, &error, "model.vision_tower.embeddings.patch_embedding.weight", 4, (int64_t)2,
        (int64_t)3, (int64_t)1, (int64_t)2);
    if (!kernel) fail_msg("%s", error.message);
    piaa_tensor_to_float(kernel, read);
    static const float expected[12] = {0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11};
    assert_memory_equal(read, expected, sizeof expected);
    assert_non_null(piaa_checkpoint_tensor(checkpoint, "model.language_model.embed_tokens.weight"));
    piaa_checkpoint_close(checkpoint);
    support_remove(folder);
}

static void fingerprints_tell_apart(void **state) {
    (void)state;
    char *folder = support_folder(), one[65], other[65];
    const float zeros[4] = {0}, different[4] = {0, 0, 0, 1};
    piaa_tensor tensor = {
        .dtype = "F32", .dimensions = 2, .shape = {2, 2}, .data = zeros, .bytes = sizeof zeros};
    const struct {
        const char *config, *name;
        int64_t rows;
        const float *data;
    } models[] = {{"{}", "a", 2, zeros},
                  {"{ }", "a", 2, zeros},
                  {"{}", "b", 2, zeros},
                  {"{}", "a", 1, zeros},
                  {"{}", "a", 2, different}};
    for (size_t i = 0; i < PIAA_COUNT(models); i++) {
        copy c = {0};
        tensor.shape[0] = models[i].rows;
        tensor.shape[1] = 4 / models[i].rows;
        tensor.data = models[i].data;
        copy_tensor(&c, models[i].name, &tensor);
        copy_write(&c, folder, "model.safetensors");
        support_write(folder, "config.json", models[i].config, strlen(models[i].config));
        piaa_checkpoint *checkpoint = open_good(folder);
        assert_true(piaa_checkpoint_fingerprint(checkpoint, i ? other : one, NULL));
        if (i) assert_string_not_equal(one, other);
        piaa_checkpoint_close(checkpoint);
    }
    support_remove(folder);
}

static void folders_that_are_no_models(void **state) {
    (void)state;
    char *folder = support_folder();
    expect_refusal("/nowhere/at/all", PIAA_IO, "does not exist: give a Hugging Face model folder");
    expect_refusal(folder, PIAA_FORMAT, "it has no config.json: give a Hugging Face model folder");
    support_write(folder, "model.gguf", "GGUF", 4);
    expect_refusal(folder, PIAA_FORMAT, "model.gguf is cut off");
    char *file = support_join(folder, "model.gguf");
    expect_refusal(file, PIAA_FORMAT, "model.gguf is cut off");
    support_clear(file);
    free(file);
    support_write(folder, "config.json", "{}", 2);
    expect_refusal(folder, PIAA_FORMAT, "it has no model.safetensors");
    support_write(folder, "pytorch_model.bin", "x", 1);
    expect_refusal(folder, PIAA_UNSUPPORTED, "PyTorch");
    support_write(folder, "model.safetensors", "\2\0\0\0\0\0\0\0{}", 10);
    expect_refusal(folder, PIAA_FORMAT, "holds no tensors");
    support_write(folder, "model.safetensors", "x", 1);
    expect_refusal(folder, PIAA_FORMAT, "cut off");
    support_write(folder, "processor_config.json", "{\"image_processor\": 3}", 22);
    expect_refusal(folder, PIAA_FORMAT, "processor_config.json does not hold");
    support_write(folder, "processor_config.json", "{}", 2); /* it has nothing to say of images */
    support_write(folder, "preprocessor_config.json", "[]", 2);
    expect_refusal(folder, PIAA_FORMAT, "preprocessor_config.json does not hold");
    support_write(folder, "preprocessor_config.json", "{\n\n,", 4);
    expect_refusal(folder, PIAA_FORMAT, "preprocessor_config.json, line 3");
    support_write(folder, "config.json", "[]", 2);
    expect_refusal(folder, PIAA_FORMAT, "config.json does not hold a JSON object");
    support_write(folder, "config.json", "{\n\"a\": \n", 8);
    expect_refusal(folder, PIAA_FORMAT, "config.json, line ");
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_values_as_pytorch),
        cmocka_unit_test(configuration),
        cmocka_unit_test(needed_tensors),
        cmocka_unit_test(older_spellings),
        cmocka_unit_test(every_spelling),
        cmocka_unit_test(the_index_decides),
        cmocka_unit_test(the_newer_settings_count),
        cmocka_unit_test(quantised_folders_are_named),
        cmocka_unit_test(packed_tensors_are_named),
        cmocka_unit_test(blocks_with_scales),
        cmocka_unit_test(adapters_are_merged),
        cmocka_unit_test(pointers_are_named),
        cmocka_unit_test(other_layouts),
        cmocka_unit_test(shards),
        cmocka_unit_test(fingerprints_tell_apart),
        cmocka_unit_test(folders_that_are_no_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
