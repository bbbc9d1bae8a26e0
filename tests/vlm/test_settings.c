/* Settings of every family, in config.json and in GGUF metadata: the two forms of one model say the
 * same, keys that are not supported are refused by name, and keys that nobody knows are listed. */
#include "fixture.h"

#include "vlm/model.h"

#include <gguf.h>

#define GGUF PIAA_GOLDEN "/gguf/"

static piaa_model *open_good(const char *path) {
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(path, &error);
    if (!model) fail_msg("%s: %s", path, error.message);
    return model;
}

static void expect_refused(const char *path, const char *part) {
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(path, &error);
    if (model) fail_msg("%s is accepted, and should be refused for %s", path, part);
    if (!strstr(error.message, part)) fail_msg("\"%s\" does not say %s", error.message, part);
    assert_null(strchr(error.message, '\n'));
}

/* -------------------------------------------------------------------------------- config.json */

/* What edit() puts at the dotted key. */
static const char *edit_key, *edit_value;

static void edit(cJSON *config) {
    const char *dot = strrchr(edit_key, '.');
    char object[96] = "";
    if (dot) snprintf(object, sizeof object, "%.*s", (int)(dot - edit_key), edit_key);
    cJSON *at = fixture_at(config, object);
    assert_non_null(at);
    cJSON_DeleteItemFromObject(at, dot ? dot + 1 : edit_key);
    cJSON_AddItemToObject(at, dot ? dot + 1 : edit_key, cJSON_Parse(edit_value));
}

static char *edited(const char *name, const char *key, const char *value) {
    char *from = support_join(PIAA_GOLDEN, name);
    edit_key = key;
    edit_value = value;
    char *folder = fixture_respelt(from, edit, NULL, 0);
    free(from);
    return folder;
}

static void not_supported(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *folder, *key, *value, *part;
    } rows[] = {
        {"qwen3vl", "text_config.attention_bias", "true", "text_config.attention_bias"},
        {"qwen3vl", "text_config.mlp_bias", "true", "text_config.mlp_bias"},
        {"qwen3vl", "text_config.use_sliding_window", "true", "text_config.use_sliding_window"},
        {"qwen3vl", "text_config.num_experts", "8", "text_config.num_experts"},
        {"qwen3vl", "text_config.no_rope_layers", "[1, 0, 1, 1]", "no_rope_layers"},
        {"qwen3vl", "text_config.partial_rotary_factor", "0.5", "partial_rotary_factor is 0.5"},
        {"qwen3vl", "text_config.rope_parameters.partial_rotary_factor", "0.25",
         "rope_parameters.partial_rotary_factor is 0.25, only 1"},
        {"qwen3vl", "text_config.layer_types",
         "[\"full_attention\", \"full_attention\", \"sliding_attention\", \"full_attention\"]",
         "layer_types"},
        {"qwen3vl", "text_config.layer_types", "[\"full_attention\"]", "layer_types should list"},
        {"qwen3vl", "text_config.hidden_act", "\"gelu\"", "is \"gelu\", only \"silu\""},
        {"qwen3vl", "text_config.rope_parameters.rope_type", "7", "\"rope_type\" should be a text"},
        {"qwen3vl", "vision_config.hidden_act", "\"gelu\"", "only \"gelu_pytorch_tanh\""},
        {"qwen3vl", "vision_config.rope_parameters.rope_theta", "500", "only 10000"},
        {"qwen3vl", "vision_config.rope_parameters.rope_type", "\"linear\"", "only \"axial\""},
        {"qwen25vl", "attn_logit_softcapping", "30", "attn_logit_softcapping"},
        {"qwen25vl", "num_local_experts", "4", "num_local_experts"},
        {"qwen25vl", "rope_scaling.type", "\"su\"", "\"su\" are not supported"},
        {"gemma3", "text_config.attention_bias", "true", "text_config.attention_bias"},
        {"gemma3", "text_config.use_bidirectional_attention", "true",
         "use_bidirectional_attention"},
        {"gemma3", "text_config.tie_word_embeddings", "\"yes\"", "should be true or false"},
        {"gemma3", "text_config.rope_parameters.full_attention.rope_type", "\"llama3\"",
         "low_freq_factor"},
        {"siglip", "hidden_act", "\"relu\"", "\"relu\", only"},
        {"dinov3", "query_bias", "1", "\"query_bias\" should be true or false"},
    };
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        char *folder = edited(rows[i].folder, rows[i].key, rows[i].value);
        expect_refused(folder, rows[i].part);
        support_remove(folder);
    }
}

/* A key that is there and says no, or says what is there anyway. */
static void nothing_said(void **state) {
    PIAA_UNUSED(state);
    static const char *const rows[][3] = {
        {"qwen3vl", "text_config.num_experts", "0"},
        {"qwen3vl", "text_config.no_rope_layers", "[]"},
        {"qwen3vl", "text_config.attn_logit_softcapping", "null"},
        {"qwen3vl", "text_config.mlp_bias", "false"},
        {"qwen3vl", "text_config.partial_rotary_factor", "1.0"},
        {"qwen3vl", "text_config.layer_types",
         "[\"full_attention\", \"full_attention\", \"full_attention\", \"full_attention\"]"},
        {"qwen3vl", "text_config.rope_parameters.factor", "1.0"},
        {"qwen3vl", "text_config.rope_parameters.beta_fast", "16"}, /* there is no scaling */
        {"gemma3", "text_config.rope_parameters.sliding_attention",
         "{\"rope_theta\": 1e4, \"rope_type\": \"linear\", \"factor\": 1}"},
        {"qwen3vl", "vision_config.patch_size", "[16, 16]"},
        {"gemma3", "text_config.rope_local_base_freq", "5e4"}, /* rope_parameters counts */
        {"gemma3", "text_config._sliding_window_pattern", "2"},
        {"qwen25vl", "use_sliding_window", "null"},
        {"clip", "image_size", "[64, 64]"},
        {"siglip", "temperature", "0.5"},
    };
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        char *folder = edited(rows[i][0], rows[i][1], rows[i][2]),
             *from = support_join(PIAA_GOLDEN, rows[i][0]);
        piaa_model *model = open_good(folder), *plain = open_good(from);
        assert_null(piaa_model_get_info(model)->unknown);
        const char *difference = piaa_settings_difference(model->settings, plain->settings);
        /* Of a key that had no row to itself before, nothing may have changed. */
        if (difference) fail_msg("%s changes %s", rows[i][1], difference);
        piaa_model_close(model);
        piaa_model_close(plain);
        support_remove(folder);
        free(from);
    }
}

static void in_the_object(cJSON *config) {
    cJSON *text = fixture_at(config, "text_config");
    cJSON_DeleteItemFromObject(text, "rope_parameters");
    cJSON_AddItemToObject(text, "rope_scaling",
                          cJSON_Parse("{\"mrope_section\": [4, 2, 2], \"type\": \"yarn\", "
                                      "\"factor\": 4, \"original_max_position_embeddings\": 256}"));
}

static void beside_the_object(cJSON *config) {
    in_the_object(config);
    cJSON *text = fixture_at(config, "text_config");
    cJSON_AddNumberToObject(text, "original_max_position_embeddings", 256);
    cJSON_DeleteItemFromObject(fixture_at(text, "rope_scaling"),
                               "original_max_position_embeddings");
}

/* The positions of training may stand beside the scaling: transformers looks there first. */
static void positions_beside_the_scaling(void **state) {
    PIAA_UNUSED(state);
    char *in = fixture_respelt(PIAA_GOLDEN "/qwen3vl", in_the_object, NULL, 0),
         *beside = fixture_respelt(PIAA_GOLDEN "/qwen3vl", beside_the_object, NULL, 0);
    piaa_model *one = open_good(in), *two = open_good(beside);
    assert_null(piaa_settings_difference(one->settings, two->settings));
    assert_true(two->settings->text.rope.trained == 256 && !two->info.unknown);
    piaa_model_close(one);
    piaa_model_close(two);
    support_remove(in);
    support_remove(beside);
}

static void old_linear(cJSON *config) {
    cJSON *text = fixture_at(config, "text_config");
    cJSON_DeleteItemFromObject(text, "rope_parameters");
    cJSON_AddItemToObject(text, "rope_scaling",
                          cJSON_Parse("{\"type\": \"linear\", \"factor\": 8}"));
}

static void old_pattern(cJSON *config) {
    cJSON *text = fixture_at(config, "text_config");
    cJSON_DeleteItemFromObject(text, "layer_types");
    cJSON_AddNumberToObject(text, "_sliding_window_pattern", 3); /* a note of what was computed */
    cJSON_AddNumberToObject(text, "sliding_window_pattern", 2);
}

/* transformers 5 passes over "type" in Gemma 3's old object, which 4 obeys; and takes the pattern
   of blocks from the key without the underscore alone. */
static void gemmas_old_keys(void **state) {
    PIAA_UNUSED(state);
    char *folder = fixture_respelt(PIAA_GOLDEN "/gemma3", old_linear, NULL, 0);
    expect_refused(folder, "write \"rope_type\"");
    support_remove(folder);
    folder = fixture_respelt(PIAA_GOLDEN "/gemma3", old_pattern, NULL, 0);
    piaa_model *model = open_good(folder);
    for (int i = 0; i < model->settings->text.layers; i++)
        assert_int_equal(model->settings->text.full.items[i], (i + 1) % 2 == 0);
    piaa_model_close(model);
    support_remove(folder);
}

static void unknown_keys(void **state) {
    PIAA_UNUSED(state);
    static const char *const known[] = {"qwen3vl",
                                        "qwen25vl",
                                        "gemma3",
                                        "dinov3",
                                        "dinov3_gated",
                                        "clip",
                                        "siglip",
                                        "gguf/qwen3vl-f32.gguf",
                                        "gguf/gemma3-f32.gguf",
                                        "../../models/demo"};
    for (size_t i = 0; i < PIAA_COUNT(known); i++) {
        char *path = support_join(PIAA_GOLDEN, known[i]);
        piaa_model *model = open_good(path);
        if (piaa_model_get_info(model)->unknown)
            fail_msg("%s: %s", known[i], piaa_model_get_info(model)->unknown);
        piaa_model_close(model);
        free(path);
    }
    static const struct {
        const char *folder, *key, *value, *listed;
    } rows[] = {
        {"qwen3vl", "residual_scale", "2", "residual_scale"},
        {"qwen3vl", "text_config.residual_scale", "2", "text_config.residual_scale"},
        {"qwen3vl", "text_config.rope_parameters.ramp", "2", "text_config.rope_parameters.ramp"},
        {"qwen3vl", "text_config.rope_scaling", "{\"rope_type\": \"default\", \"ramp\": 1}",
         "text_config.rope_scaling.ramp"},
        {"qwen3vl", "vision_config.sub_blocks", "{\"a\": 1}", "vision_config.sub_blocks"},
        {"qwen25vl", "residual_scale", "2", "residual_scale"},
        {"qwen25vl", "", "1", ""},
        {"qwen25vl", " use_cache", "1", " use_cache"},
        {"qwen25vl", "use_cache dropout", "1", "use_cache dropout"},
        {"gemma3", "text_config.rope_parameters.full_attention.ramp", "2",
         "text_config.rope_parameters.full_attention.ramp"},
        {"gemma3", "vision_config.num_register_tokens", "4", "vision_config.num_register_tokens"},
        {"dinov3", "residual_scale", "2", "residual_scale"},
        {"clip", "num_register_tokens", "4", "num_register_tokens"},
    };
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        char *folder = edited(rows[i].folder, rows[i].key, rows[i].value);
        piaa_model *model = open_good(folder);
        const char *unknown = piaa_model_get_info(model)->unknown;
        if (!unknown || strcmp(unknown, rows[i].listed) != 0)
            fail_msg("\"%s\" is listed as \"%s\"", rows[i].key, unknown ? unknown : "nothing");
        piaa_model_close(model);
        support_remove(folder);
    }
}

/* ---------------------------------------------------------------------------------------- GGUF */

static void rewritten(const char *from, const char *to, void (*set)(struct gguf_context *file)) {
    struct ggml_context *context = NULL;
    struct gguf_context *source = gguf_init_from_file(
                            from, (struct gguf_init_params){.no_alloc = false, .ctx = &context}),
                        *file = gguf_init_empty();
    assert_true(source && context && file);
    gguf_set_kv(file, source);
    set(file);
    for (int64_t i = 0; i < gguf_get_n_tensors(source); i++)
        gguf_add_tensor(file, ggml_get_tensor(context, gguf_get_tensor_name(source, i)));
    assert_true(gguf_write_to_file(file, to, false));
    gguf_free(file);
    gguf_free(source);
    ggml_free(context);
}

/* The golden pair of a family with keys set by `set`, and by `see` in its vision part (NULL: as it
   is), read and written by ggml: its text model's path; the vision part is found beside it.  In
   `folder`, for the caller to remove. */
static char *changed_both(const char *family, void (*set)(struct gguf_context *file),
                          void (*see)(struct gguf_context *file), char **folder) {
    char *from = piaa_format(NULL, GGUF "%s-f32.gguf", family),
         *vision = piaa_format(NULL, GGUF "%s-mmproj-f32.gguf", family);
    *folder = support_folder();
    char *to = support_join(*folder, "text.gguf"), *link = support_join(*folder, "mmproj.gguf");
    rewritten(from, to, set);
    if (see)
        rewritten(vision, link, see);
    else
        assert_int_equal(symlink(vision, link), 0);
    free(from);
    free(vision);
    free(link);
    return to;
}

static char *changed(const char *family, void (*set)(struct gguf_context *file), char **folder) {
    return changed_both(family, set, NULL, folder);
}

static void set_yarn(struct gguf_context *file) {
    gguf_set_val_str(file, "qwen3vl.rope.scaling.type", "yarn");
    gguf_set_val_f32(file, "qwen3vl.rope.scaling.factor", 4);
    gguf_set_val_u32(file, "qwen3vl.rope.scaling.original_context_length", 1024);
    gguf_set_val_f32(file, "qwen3vl.rope.scaling.yarn_beta_fast", 16);
}
static void set_linear(struct gguf_context *file) {
    gguf_set_val_f32(file, "qwen3vl.rope.scaling.factor", 4); /* without a type */
}
static void set_none(struct gguf_context *file) {
    gguf_set_val_str(file, "qwen3vl.rope.scaling.type", "none");
}
static void set_pattern(struct gguf_context *file) {
    gguf_set_val_u32(file, "gemma3.attention.sliding_window_pattern", 2);
}
static void set_flags(struct gguf_context *file) {
    static const bool sliding[] = {true, false, true, false, true, false, true};
    gguf_set_arr_data(file, "gemma3.attention.sliding_window_pattern", GGUF_TYPE_BOOL, sliding,
                      PIAA_COUNT(sliding));
}

/* A scaling and a pattern of blocks count in GGUF as they do in a folder that says the same. */
static void as_in_the_folder(void **state) {
    PIAA_UNUSED(state);
    static const char rope[] = "text_config.rope_parameters", types[] = "text_config.layer_types",
                      each_second[] =
                          "[\"sliding_attention\", \"full_attention\", \"sliding_attention\", "
                          "\"full_attention\", \"sliding_attention\", \"full_attention\", "
                          "\"sliding_attention\"]";
    static const struct {
        const char *family;
        void (*set)(struct gguf_context *file);
        const char *key, *value;
    } rows[] = {{"qwen3vl", set_yarn, rope,
                 "{\"rope_theta\": 5e6, \"mrope_section\": [4, 2, 2], \"rope_type\": \"yarn\", "
                 "\"factor\": 4, \"original_max_position_embeddings\": 1024, \"beta_fast\": 16}"},
                {"qwen3vl", set_linear, rope,
                 "{\"rope_theta\": 5e6, \"mrope_section\": [4, 2, 2], \"type\": \"linear\", "
                 "\"factor\": 4}"},
                {"qwen3vl", set_none, rope, "{\"rope_theta\": 5e6, \"mrope_section\": [4, 2, 2]}"},
                {"gemma3", set_pattern, types, each_second},
                {"gemma3", set_flags, types, each_second}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        char *made, *text = changed(rows[i].family, rows[i].set, &made),
                    *folder = edited(rows[i].family, rows[i].key, rows[i].value);
        piaa_model *pair = open_good(text), *other = open_good(folder);
        const char *difference = piaa_settings_difference(pair->settings, other->settings);
        if (difference) fail_msg("row %zu: %s differs", i, difference);
        assert_null(pair->info.unknown);
        piaa_model_close(pair);
        piaa_model_close(other);
        support_remove(made);
        support_remove(folder);
        free(text);
    }
}

static void set_experts(struct gguf_context *file) {
    gguf_set_val_u32(file, "qwen3vl.expert_count", 8);
}
static void set_attention(struct gguf_context *file) {
    gguf_set_val_f32(file, "qwen3vl.rope.scaling.attn_factor", 2);
}
static void set_dimensions(struct gguf_context *file) {
    gguf_set_val_u32(file, "qwen3vl.rope.dimension_count", 8);
}
static void set_value_length(struct gguf_context *file) {
    gguf_set_val_u32(file, "qwen3vl.attention.value_length", 32);
}
static void set_longrope(struct gguf_context *file) {
    gguf_set_val_str(file, "gemma3.rope.scaling.type", "longrope");
}
static void set_short(struct gguf_context *file) {
    static const bool sliding[] = {true, false};
    gguf_set_arr_data(file, "gemma3.attention.sliding_window_pattern", GGUF_TYPE_BOOL, sliding, 2);
}
static void set_list(struct gguf_context *file) {
    static const uint32_t heads[] = {4, 4, 4, 2};
    gguf_set_arr_data(file, "qwen3vl.attention.head_count_kv", GGUF_TYPE_UINT32, heads, 4);
}

static void not_supported_in_gguf(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *family;
        void (*set)(struct gguf_context *file);
        const char *part;
    } rows[] = {{"qwen3vl", set_experts, "text.gguf: qwen3vl.expert_count is not supported"},
                {"qwen3vl", set_attention, "rope.scaling.attn_factor is 2, only 1"},
                {"qwen3vl", set_dimensions, "heads of 16 values of which 8 are turned"},
                {"qwen3vl", set_value_length, "with 32 to add up"},
                {"qwen3vl", set_list, "qwen3vl.attention.head_count_kv is missing or not a whole"},
                {"gemma3", set_longrope, "\"longrope\" are not supported"},
                {"gemma3", set_short, "gemma3.attention.sliding_window_pattern should list"}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        char *made, *text = changed(rows[i].family, rows[i].set, &made);
        expect_refused(text, rows[i].part);
        support_remove(made);
        free(text);
    }
}

static void set_nothing(struct gguf_context *file) {
    PIAA_UNUSED(file);
}
static void set_most(struct gguf_context *file) {
    gguf_set_val_u32(file, "clip.vision.image_max_pixels", 131072);
}
static void set_least(struct gguf_context *file) {
    gguf_set_val_u32(file, "clip.vision.image_min_pixels", 4096);
}

static void set_no_gelu(struct gguf_context *file) {
    gguf_set_val_bool(file, "clip.use_gelu", false);
}
static void set_silu(struct gguf_context *file) {
    gguf_set_val_bool(file, "clip.use_silu", true);
}

static void activations_of_a_pair(void **state) {
    PIAA_UNUSED(state);
    static const char *const families[] = {"qwen3vl", "gemma3"};
    for (int i = 0; i < 4; i++) {
        char *made, *text = changed_both(families[i / 2], set_nothing,
                                         i % 2 ? set_silu : set_no_gelu, &made);
        expect_refused(text, i % 2 ? "clip.use_silu is true" : "clip.use_gelu is false");
        support_remove(made);
        free(text);
    }
}

/* One limit alone counts, beside the other one as it is published. */
static void limits_of_a_pair(void **state) {
    PIAA_UNUSED(state);
    enum { PUBLISHED_LEAST = 65536, PUBLISHED_MOST = 16777216 };
    for (int i = 0; i < 2; i++) {
        char *made, *text = changed_both("qwen3vl", set_nothing, i ? set_least : set_most, &made);
        piaa_model *model = open_good(text);
        assert_int_equal(model->info.max_pixels, i ? PUBLISHED_MOST : 131072);
        assert_int_equal(model->info.min_pixels, i ? 4096 : PUBLISHED_LEAST);
        piaa_model_close(model);
        support_remove(made);
        free(text);
    }
}

static void set_new(struct gguf_context *file) {
    gguf_set_val_u32(file, "qwen3vl.attention.sinks", 8);
    gguf_set_val_u32(file, "general.new", 8); /* not of what it computes */
}

static void unknown_in_gguf(void **state) {
    PIAA_UNUSED(state);
    char *made, *text = changed("qwen3vl", set_new, &made);
    piaa_model *model = open_good(text);
    assert_string_equal(model->info.unknown, "qwen3vl.attention.sinks");
    piaa_model_close(model);
    support_remove(made);
    free(text);
}

/* Stores keep the fingerprint of the model they were made with: what the golden pairs' has been
   since there are stores, it has to stay.  And a pair says what the folder says it was made of. */
static void pairs(void **state) {
    PIAA_UNUSED(state);
    static const char *const rows[][3] = {
        {GGUF "qwen3vl-f32.gguf", PIAA_GOLDEN "/qwen3vl",
         "f46f6834ad1c897e6aa671de2eee4e772925ea74d0b6592f21924b51e1dd4446"},
        {GGUF "gemma3-f32.gguf", PIAA_GOLDEN "/gemma3",
         "e96b0c58e95db9eddcd0bacfa08bf0ebe8064bf80a80c1a7edd4bb02ea54ab7b"}};
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        piaa_model *pair = open_good(rows[i][0]), *folder = open_good(rows[i][1]);
        assert_string_equal(pair->info.fingerprint, rows[i][2]);
        assert_null(piaa_settings_difference(pair->settings, folder->settings));
        piaa_model_close(pair);
        piaa_model_close(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_supported),
        cmocka_unit_test(nothing_said),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(as_in_the_folder),
        cmocka_unit_test(unknown_in_gguf),
        cmocka_unit_test(not_supported_in_gguf),
        cmocka_unit_test(pairs),
        cmocka_unit_test(positions_beside_the_scaling),
        cmocka_unit_test(gemmas_old_keys),
        cmocka_unit_test(limits_of_a_pair),
        cmocka_unit_test(activations_of_a_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
