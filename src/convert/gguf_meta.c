/* From a checkpoint's configuration to GGUF's keys: the way back from gguf_model.c. */
#include "convert/gguf_meta.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------- writing */

static void put_raw(piaa_gguf_meta *meta, const void *bytes, size_t size) {
    if (!meta->failed && size) meta->failed = !piaa_text_add(&meta->text, bytes, size, meta->error);
}

void piaa_gguf_put_bytes(piaa_gguf_meta *meta, uint64_t value, size_t bytes) {
    unsigned char little[8];
    for (size_t i = 0; i < bytes; i++) little[i] = (unsigned char)(value >> 8 * i);
    put_raw(meta, little, bytes);
}

void piaa_gguf_put_text(piaa_gguf_meta *meta, const char *text, size_t size) {
    piaa_gguf_put_bytes(meta, size, 8);
    put_raw(meta, text, size);
}

static void put_key(piaa_gguf_meta *meta, const char *prefix, const char *key, uint32_t type) {
    size_t n = strlen(prefix), m = strlen(key);
    piaa_gguf_put_bytes(meta, n + 1 + m, 8);
    put_raw(meta, prefix, n);
    put_raw(meta, ".", 1);
    put_raw(meta, key, m);
    piaa_gguf_put_bytes(meta, type, 4);
    meta->keys++;
}

void piaa_gguf_put_string(piaa_gguf_meta *meta, const char *prefix, const char *key,
                          const char *value) {
    put_key(meta, prefix, key, PIAA_GGUF_STRING);
    piaa_gguf_put_text(meta, value, strlen(value));
}

void piaa_gguf_put_u32(piaa_gguf_meta *meta, const char *prefix, const char *key, int64_t value) {
    put_key(meta, prefix, key, PIAA_GGUF_UINT32);
    piaa_gguf_put_bytes(meta, (uint64_t)value, 4);
}

static uint64_t float_bits(double value) {
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return bits;
}

void piaa_gguf_put_f32(piaa_gguf_meta *meta, const char *prefix, const char *key, double value) {
    put_key(meta, prefix, key, PIAA_GGUF_FLOAT32);
    piaa_gguf_put_bytes(meta, float_bits(value), 4);
}

void piaa_gguf_put_bool(piaa_gguf_meta *meta, const char *prefix, const char *key, bool value) {
    put_key(meta, prefix, key, PIAA_GGUF_BOOL);
    piaa_gguf_put_bytes(meta, value, 1);
}

void piaa_gguf_put_array(piaa_gguf_meta *meta, const char *prefix, const char *key, uint32_t type,
                         uint64_t count) {
    put_key(meta, prefix, key, PIAA_GGUF_ARRAY);
    piaa_gguf_put_bytes(meta, type, 4);
    piaa_gguf_put_bytes(meta, count, 8);
}

/* -------------------------------------------------------------------------------- configuration */

/* A number of the configuration, under the first of two keys that is there; without either
   `fallback`, an error if that is negative. */
static int64_t whole(piaa_gguf_meta *meta, const piaa_checkpoint *c, const char *key,
                     const char *other, int64_t fallback) {
    int64_t value = fallback;
    if (!piaa_json_int(c->config, key, &value) && other) piaa_json_int(c->config, other, &value);
    if ((value < 0 || value > UINT32_MAX) && !meta->failed)
        meta->failed = !piaa_error_set(meta->error, PIAA_FORMAT,
                                       "%s: \"%s\" is missing or out of range", c->folder, key);
    return value;
}

static double number(const piaa_checkpoint *c, const char *const *keys, double fallback) {
    for (; *keys; keys++)
        if (piaa_json_number(c->config, *keys, &fallback)) break;
    return fallback;
}

static void put_general(piaa_gguf_meta *meta, const piaa_checkpoint *c, const char *architecture,
                        const char *type, int file_type) {
    const char *name = piaa_path_name(c->folder);
    piaa_gguf_put_string(meta, "general", "architecture", architecture);
    piaa_gguf_put_string(meta, "general", "type", type);
    piaa_gguf_put_string(meta, "general", "name", *name ? name : "model");
    piaa_gguf_put_u32(meta, "general", "file_type", file_type);
    piaa_gguf_put_u32(meta, "general", "quantization_version", 2);
    piaa_gguf_put_string(meta, "general", "quantized_by", PIAA_GGUF_MARK);
}

bool piaa_gguf_put_text_model(piaa_gguf_meta *meta, const piaa_checkpoint *c,
                              const piaa_gguf_family *family, int file_type) {
    const char *a = family->architecture;
    bool gemma = strcmp(a, "gemma3") == 0;
    /* What Gemma's published configurations leave out is what its code has as default. */
    int64_t hidden = whole(meta, c, "text_config.hidden_size", NULL, -1);
    int64_t heads = whole(meta, c, "text_config.num_attention_heads", NULL, gemma ? 8 : -1);
    int64_t dim = whole(meta, c, "text_config.head_dim", NULL,
                        gemma                     ? 256
                        : hidden > 0 && heads > 0 ? hidden / heads
                                                  : -1);
    static const char *const eps[] = {"text_config.rms_norm_eps", NULL};
    static const char *const theta[] = {"text_config.rope_parameters.full_attention.rope_theta",
                                        "text_config.rope_parameters.rope_theta",
                                        "text_config.rope_theta", NULL};
    static const char *const local[] = {"text_config.rope_parameters.sliding_attention.rope_theta",
                                        "text_config.rope_local_base_freq", NULL};
    static const char *const factor[] = {"text_config.rope_parameters.full_attention.factor",
                                         "text_config.rope_scaling.factor", NULL};
    static const char *const cap[] = {"text_config.final_logit_softcapping", NULL};
    put_general(meta, c, a, "model", file_type);
    piaa_gguf_put_u32(meta, a, "block_count",
                      whole(meta, c, "text_config.num_hidden_layers", NULL, -1));
    piaa_gguf_put_u32(meta, a, "context_length",
                      whole(meta, c, "text_config.max_position_embeddings", NULL, 131072));
    piaa_gguf_put_u32(meta, a, "embedding_length", hidden);
    piaa_gguf_put_u32(meta, a, "feed_forward_length",
                      whole(meta, c, "text_config.intermediate_size", NULL, -1));
    piaa_gguf_put_u32(meta, a, "attention.head_count", heads);
    piaa_gguf_put_u32(meta, a, "attention.head_count_kv",
                      whole(meta, c, "text_config.num_key_value_heads", NULL, gemma ? 4 : heads));
    piaa_gguf_put_u32(meta, a, "attention.key_length", dim);
    piaa_gguf_put_u32(meta, a, "attention.value_length", dim);
    piaa_gguf_put_f32(meta, a, "attention.layer_norm_rms_epsilon", number(c, eps, 1e-6));
    piaa_gguf_put_f32(meta, a, "rope.freq_base", number(c, theta, gemma ? 1e6 : 5e6));
    if (gemma) {
        double scale = number(c, factor, 1);
        if (scale != 1) {
            piaa_gguf_put_string(meta, a, "rope.scaling.type", "linear");
            piaa_gguf_put_f32(meta, a, "rope.scaling.factor", scale);
        }
        piaa_gguf_put_f32(meta, a, "rope.freq_base_swa", number(c, local, 1e4));
        piaa_gguf_put_u32(meta, a, "attention.sliding_window",
                          whole(meta, c, "text_config.sliding_window", NULL, 1024));
        if (number(c, cap, 0) > 0)
            piaa_gguf_put_f32(meta, a, "final_logit_softcapping", number(c, cap, 0));
    } else {
        int64_t section[4] = {24, 20, 20, 0};
        if (piaa_json_ints(c->config, "text_config.rope_parameters.mrope_section", section, 4) < 0)
            piaa_json_ints(c->config, "text_config.rope_scaling.mrope_section", section, 4);
        piaa_gguf_put_array(meta, a, "rope.dimension_sections", PIAA_GGUF_INT32, 4);
        for (int i = 0; i < 4; i++) piaa_gguf_put_bytes(meta, (uint64_t)section[i], 4);
        const cJSON *deepstack =
            piaa_json_find(c->config, "vision_config.deepstack_visual_indexes");
        piaa_gguf_put_u32(meta, a, "n_deepstack_layers", cJSON_GetArraySize(deepstack));
    }
    const piaa_tensor *embeddings =
        piaa_checkpoint_tensor(c, "model.language_model.embed_tokens.weight");
    if (!meta->failed && (!embeddings || embeddings->dimensions != 2))
        meta->failed =
            !piaa_error_set(meta->error, PIAA_FORMAT,
                            "%s has no token embeddings: fetch the model again", c->folder);
    return !meta->failed && piaa_gguf_put_tokenizer(meta, c, embeddings->shape[0]);
}

static void put_three(piaa_gguf_meta *meta, const piaa_checkpoint *c, const char *key) {
    const cJSON *list = piaa_json_find(c->image_config, key);
    piaa_gguf_put_array(meta, "clip.vision", key, PIAA_GGUF_FLOAT32, 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *item = cJSON_GetArrayItem(list, i);
        piaa_gguf_put_bytes(meta, float_bits(cJSON_IsNumber(item) ? item->valuedouble : 0.5), 4);
    }
}

static void put_qwen(piaa_gguf_meta *meta, const piaa_checkpoint *c, int64_t blocks) {
    piaa_gguf_put_u32(meta, "clip.vision", "spatial_merge_size",
                      whole(meta, c, "vision_config.spatial_merge_size", NULL, 2));
    piaa_gguf_put_array(meta, "clip.vision", "is_deepstack_layers", PIAA_GGUF_BOOL,
                        (uint64_t)blocks);
    const cJSON *list = piaa_json_find(c->config, "vision_config.deepstack_visual_indexes");
    for (int64_t i = 0; i < blocks; i++) {
        bool marked = false;
        for (const cJSON *item = list ? list->child : NULL; item; item = item->next)
            marked = marked || item->valueint == i;
        piaa_gguf_put_bytes(meta, marked, 1);
    }
    int64_t least = 0, most = 0;
    if (!piaa_json_int(c->image_config, "min_pixels", &least))
        piaa_json_int(c->image_config, "size.shortest_edge", &least);
    if (!piaa_json_int(c->image_config, "max_pixels", &most))
        piaa_json_int(c->image_config, "size.longest_edge", &most);
    if (least > 0 && most > 0 && most <= UINT32_MAX) {
        piaa_gguf_put_u32(meta, "clip.vision", "image_min_pixels", least);
        piaa_gguf_put_u32(meta, "clip.vision", "image_max_pixels", most);
    }
}

bool piaa_gguf_put_vision_part(piaa_gguf_meta *meta, const piaa_checkpoint *c,
                               const piaa_gguf_family *family, int file_type) {
    bool gemma = strcmp(family->architecture, "gemma3") == 0;
    static const char v[] = "clip.vision";
    static const char *const eps[] = {"vision_config.layer_norm_eps", NULL};
    int64_t blocks = whole(meta, c, "vision_config.depth", "vision_config.num_hidden_layers", -1);
    int64_t patch = whole(meta, c, "vision_config.patch_size", NULL, -1), side = 0;
    if (gemma)
        side = whole(meta, c, "vision_config.image_size", NULL, -1);
    else
        side = llround(sqrt(
                   (double)whole(meta, c, "vision_config.num_position_embeddings", NULL, -1))) *
               patch;
    put_general(meta, c, "clip", "mmproj", file_type);
    piaa_gguf_put_bool(meta, "clip", "has_vision_encoder", true);
    piaa_gguf_put_u32(meta, v, "projection_dim",
                      whole(meta, c, "text_config.hidden_size", NULL, -1));
    piaa_gguf_put_u32(meta, v, "image_size", side);
    piaa_gguf_put_u32(meta, v, "patch_size", patch);
    piaa_gguf_put_u32(meta, v, "embedding_length",
                      whole(meta, c, "vision_config.hidden_size", NULL, -1));
    piaa_gguf_put_u32(meta, v, "feed_forward_length",
                      whole(meta, c, "vision_config.intermediate_size", NULL, -1));
    piaa_gguf_put_u32(meta, v, "block_count", blocks);
    piaa_gguf_put_u32(
        meta, v, "attention.head_count",
        whole(meta, c, "vision_config.num_heads", "vision_config.num_attention_heads", -1));
    put_three(meta, c, "image_mean");
    put_three(meta, c, "image_std");
    piaa_gguf_put_string(meta, "clip", "projector_type", family->projector);
    piaa_gguf_put_f32(meta, v, "attention.layer_norm_epsilon", number(c, eps, 1e-6));
    piaa_gguf_put_bool(meta, "clip", "use_gelu", true);
    if (!gemma) {
        put_qwen(meta, c, blocks);
    } else if (patch > 0) {
        /* Of each side, one token stands for so many patches. */
        int64_t tokens = llround(sqrt((double)whole(meta, c, "mm_tokens_per_image", NULL, 256)));
        piaa_gguf_put_u32(meta, v, "projector.scale_factor",
                          tokens > 0 ? side / patch / tokens : 4);
    }
    return !meta->failed;
}
