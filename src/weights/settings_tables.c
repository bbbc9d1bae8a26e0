/* The tables, family by family, and what cannot be said in them. */
#include "weights/checkpoint_parts.h"
#include "weights/settings.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

enum { BLOCKS = PIAA_SETTINGS_LIST, DEEPSTACK = 16, GEMMA_27B_BLOCKS = 62 };
enum { LEAST_PIXELS = 65536, MOST_PIXELS = 16777216 }; /* of Qwen3-VL as it is published */
enum {
    MISS = PIAA_MAY_MISS,
    ONLY = PIAA_ONLY | PIAA_MAY_MISS,
    SAID = PIAA_SAID,
    SILENT = PIAA_SILENT | PIAA_MAY_MISS,
    READ = PIAA_UNWRITTEN | PIAA_MAY_MISS,
    FOLLOWS = PIAA_FOLLOWS | PIAA_MAY_MISS
};

#define ROW(section, kind, member, keys, gguf, low, high, flags)                                   \
    { keys, gguf, offsetof(piaa_settings, member), low, high, section, PIAA_SETTING_##kind, flags }
#define WHOLE(kind, member, ...) ROW(PIAA_OF_MODEL, kind, member, __VA_ARGS__)
#define TEXT(kind, member, ...) ROW(PIAA_OF_TEXT, kind, text.member, __VA_ARGS__)
#define VISION(kind, member, ...) ROW(PIAA_OF_VISION, kind, vision.member, __VA_ARGS__)
#define IMAGE(kind, member, ...) ROW(PIAA_OF_IMAGE, kind, image.member, __VA_ARGS__)
#define REFUSED(section, keys, gguf) ROW(section, REFUSED, no, keys, gguf, 0, 0, MISS)
#define NEVER(section, keys, gguf) ROW(section, FLAG, no, keys, gguf, 0, 0, ONLY | SILENT)
#define ALWAYS_1(section, keys, gguf) ROW(section, NUMBER, one, keys, gguf, 0, 0, ONLY | SILENT)

/* ------------------------------------------------------------------------------------ all decoders
 */

#define DECODER(bias_flags)                                                                        \
    TEXT(INT, hidden, "hidden_size", "embedding_length", 8, 65536, SAID),                          \
        TEXT(INT, layers, "num_hidden_layers", "block_count", 1, BLOCKS, SAID),                    \
        TEXT(INT, heads, "num_attention_heads", "attention.head_count", 1, 1024, SAID),            \
        TEXT(INT, intermediate, "intermediate_size", "feed_forward_length", 1, 1 << 20, SAID),     \
        TEXT(INT, kv_heads, "num_key_value_heads", "attention.head_count_kv", 1, 1024,             \
             SAID | MISS),                                                                         \
        TEXT(INT, head_dim, "head_dim", "attention.key_length", 2, 1024, SAID | MISS),             \
        TEXT(INT, value_dim, NULL, "attention.value_length", 2, 1024, FOLLOWS),                    \
        TEXT(INT, rotated, NULL, "rope.dimension_count", 2, 1024, FOLLOWS | READ),                 \
        TEXT(NUMBER, eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 0, 0, SAID),         \
        TEXT(INT, positions, "max_position_embeddings", "context_length", 1, INT_MAX,              \
             SAID | MISS),                                                                         \
        TEXT(INT, vocabulary, "vocab_size", NULL, 1, 1 << 24, SAID),                               \
        TEXT(FLAG, tied, "tie_word_embeddings", NULL, 0, 0, SAID | MISS),                          \
        TEXT(FLAG, bias, "attention_bias", NULL, 0, 0, SAID | bias_flags),                         \
        NEVER(PIAA_OF_TEXT, "mlp_bias", NULL), NEVER(PIAA_OF_TEXT, "use_sliding_window", NULL),    \
        NEVER(PIAA_OF_TEXT, "use_bidirectional_attention", NULL),                                  \
        NEVER(PIAA_OF_TEXT, "attention_k_eq_v", NULL),                                             \
        REFUSED(PIAA_OF_TEXT, "attn_logit_softcapping", "attn_logit_softcapping"),                 \
        REFUSED(PIAA_OF_TEXT, "no_rope_layer_interval|no_rope_layers", NULL),                      \
        REFUSED(PIAA_OF_TEXT, "num_experts|num_local_experts|n_routed_experts", "expert_count"),   \
        ALWAYS_1(PIAA_OF_TEXT, "partial_rotary_factor", NULL),                                     \
        ALWAYS_1(PIAA_OF_TEXT, NULL, "rope.scaling.attn_factor"),                                  \
        ALWAYS_1(PIAA_OF_TEXT, NULL, "rope.scaling.yarn_attn_factor"),                             \
        ALWAYS_1(PIAA_OF_TEXT, NULL, "rope.scaling.yarn_ext_factor"),                              \
        REFUSED(PIAA_OF_TEXT, NULL, "rope.scaling.yarn_log_multiplier")

/* Rotary scaling in the object `now` or `old`, and its keys in GGUF. */
#define SCALING(...) SCALING_OF(__VA_ARGS__)
#define SCALING_OF(rope, now, old, type_key, factor_key, trained_key, fast_key, slow_key,          \
                   type_flags)                                                                     \
    TEXT(TEXT, rope.type, old "type|" now "type", NULL, 0, 0, SILENT),                             \
        TEXT(TEXT, rope.type, old "rope_type|" now "rope_type", type_key, 0, 0,                    \
             MISS | type_flags),                                                                   \
        TEXT(NUMBER, rope.factor, old "factor|" now "factor", factor_key, 0, 0,                    \
             MISS | (type_flags & PIAA_UNWRITTEN)),                                                \
        TEXT(NUMBER, rope.trained,                                                                 \
             old "original_max_position_embeddings|" now "original_max_position_embeddings",       \
             trained_key, 0, 0, READ),                                                             \
        TEXT(NUMBER, rope.magnitude, old "attention_factor|" now "attention_factor", NULL, 0, 0,   \
             MISS),                                                                                \
        TEXT(NUMBER, rope.mscale, old "mscale|" now "mscale", NULL, 0, 0, MISS),                   \
        TEXT(NUMBER, rope.mscale_all, old "mscale_all_dim|" now "mscale_all_dim", NULL, 0, 0,      \
             MISS),                                                                                \
        TEXT(NUMBER, rope.fast, old "beta_fast|" now "beta_fast", fast_key, 0, 0, READ),           \
        TEXT(NUMBER, rope.slow, old "beta_slow|" now "beta_slow", slow_key, 0, 0, READ),           \
        TEXT(FLAG, rope.truncate, old "truncate|" now "truncate", NULL, 0, 0, MISS),               \
        TEXT(NUMBER, rope.low, old "low_freq_factor|" now "low_freq_factor", NULL, 0, 0, MISS),    \
        TEXT(NUMBER, rope.high, old "high_freq_factor|" now "high_freq_factor", NULL, 0, 0, MISS), \
        ALWAYS_1(PIAA_OF_TEXT, old "partial_rotary_factor|" now "partial_rotary_factor", NULL)

#define SCALING_KEYS                                                                               \
    "rope.scaling.type", "rope.scale_linear|rope.scaling.factor",                                  \
        "rope.scaling.original_context_length", "rope.scaling.yarn_beta_fast",                     \
        "rope.scaling.yarn_beta_slow"
#define NO_KEYS NULL, NULL, NULL, NULL, NULL

#define ROPE(of)                                                                                   \
    { .base = of, .type = "default", .fast = 32, .slow = 1, .truncate = true }

static bool needs(const piaa_gguf *file, const char *name, int *rows, piaa_error *error) {
    const piaa_tensor *tensor = piaa_gguf_find(file, name);
    const bool good = tensor && tensor->dimensions == 2 && tensor->shape[0] <= 1 << 24;
    if (good) *rows = (int)tensor->shape[0];
    return good || piaa_error_set(error, PIAA_FORMAT, "%s has no matrix %s: convert the model anew",
                                  piaa_gguf_where(file), name);
}

/* What a kind of scaling does not read is nothing that could differ.  llama.cpp takes a factor
   without a type for linear. */
static void complete_rope(piaa_rope_settings *rope, bool pair) {
    if (pair && (strcmp(rope->type, "none") == 0 || rope->factor == 1))
        *rope = (piaa_rope_settings)ROPE(rope->base);
    else if (pair && strcmp(rope->type, "default") == 0 && rope->factor > 0)
        rope->type = "linear";
    const bool linear = strcmp(rope->type, "linear") == 0;
    piaa_rope_settings plain = ROPE(rope->base);
    if (linear && rope->factor != 1 && (rope->factor > 0 || !pair)) {
        plain.type = "linear";
        plain.factor = rope->factor;
    }
    if (linear || strcmp(rope->type, "default") == 0 || strcmp(rope->type, "mrope") == 0)
        *rope = plain;
}

/* llama.cpp has two flags for three activations of the vision part, and the families here one. */
static bool check_flags(const piaa_checkpoint *c, piaa_error *error) {
    bool gelu = true, silu = false;
    return ((!piaa_gguf_bool(c->vision, "clip.use_gelu", &gelu) || gelu) &&
            (!piaa_gguf_bool(c->vision, "clip.use_silu", &silu) || !silu)) ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: clip.%s: only GELU is supported, as this family has it",
                          piaa_gguf_where(c->vision),
                          gelu ? "use_silu is true" : "use_gelu is false");
}

static bool complete_text(piaa_settings *s, const piaa_checkpoint *c, piaa_error *error) {
    if (!s->text.kv_heads) s->text.kv_heads = s->text.heads;
    if (!s->text.head_dim) s->text.head_dim = s->text.hidden / s->text.heads;
    if (!s->text.value_dim) s->text.value_dim = s->text.head_dim;
    if (!s->text.rotated) s->text.rotated = s->text.head_dim;
    complete_rope(&s->text.rope, c->text != NULL);
    if (s->text.local.type) complete_rope(&s->text.local, c->text != NULL);
    if (!c->text) return true;
    if (!check_flags(c, error)) return false;
    s->text.tied = !piaa_gguf_find(c->text, "output.weight");
    if (s->text.value_dim != s->text.head_dim || s->text.rotated != s->text.head_dim)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: heads of %d values of which %d are turned, with %d to add up: "
                              "only equal numbers are supported",
                              piaa_gguf_where(c->text), s->text.head_dim, s->text.rotated,
                              s->text.value_dim);
    return needs(c->text, "token_embd.weight", &s->text.vocabulary, error);
}

static bool no_biases(const piaa_checkpoint *c, piaa_error *error) {
    return !c->text || !piaa_gguf_find(c->text, "blk.0.attn_q.bias") ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: biases of queries (blk.0.attn_q.bias) are not supported",
                          piaa_gguf_where(c->text));
}

/* Of a GGUF file: the length of the first of these matrices that is there. */
static bool rows_of(const piaa_gguf *file, const char *const names[2], int *rows,
                    piaa_error *error) {
    return needs(file, names[piaa_gguf_find(file, names[0]) ? 0 : 1], rows, error);
}

/* The encoder's intermediate size, which not all of Ollama's files note. */
static bool complete_width(piaa_settings *s, const piaa_checkpoint *c, const char *const names[2],
                           piaa_error *error) {
    return !c->vision || s->vision.intermediate ||
           rows_of(c->vision, names, &s->vision.intermediate, error);
}

/* ----------------------------------------------------------------------------------- all encoders
 */

#define ENCODER(blocks_keys, heads_keys, act_flags)                                                \
    VISION(INT, width, "hidden_size", "embedding_length", 8, 65536, SAID),                         \
        VISION(INT, intermediate, "intermediate_size", "feed_forward_length", 1, 1 << 20,          \
               SAID | MISS),                                                                       \
        VISION(INT, blocks, blocks_keys, "block_count", 1, BLOCKS, SAID),                          \
        VISION(INT, heads, heads_keys, "attention.head_count", 1, 1024, SAID),                     \
        VISION(INT, patch, "patch_size", "patch_size", 1, 256, SAID),                              \
        VISION(TEXT, activation, "hidden_act", NULL, 0, 0, SAID | act_flags)

/* Of those that read photos of one size. */
#define SQUARE                                                                                     \
    VISION(INT, side, "image_size", "image_size", 1, 8192, SAID),                                  \
        VISION(TEXT, model_type, "model_type", NULL, 0, 0, SAID | FOLLOWS),                        \
        VISION(INT, channels, "num_channels", NULL, 3, 3, SAID),                                   \
        VISION(INT, channels, NULL, "num_channels", 3, 3, READ),                                   \
        VISION(NUMBER, eps, "layer_norm_eps", "attention.layer_norm_epsilon", 0, 0, SAID)

#define NORMALISED                                                                                 \
    IMAGE(THREE, mean, "image_mean", "image_mean", 0, 0, SAID | MISS),                             \
        IMAGE(THREE, std, "image_std", "image_std", 0, 0, SAID | MISS),                            \
        IMAGE(PIXELS, resample, "resample", NULL, 0, 0, SAID | MISS)
#define LIMITS                                                                                     \
    IMAGE(PIXELS, least, "min_pixels|size.shortest_edge", "shortest_edge|image_min_pixels", 0, 0,  \
          SAID | MISS),                                                                            \
        IMAGE(PIXELS, most, "max_pixels|size.longest_edge", "longest_edge|image_max_pixels", 0, 0, \
              SAID | MISS)
#define HALVES .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}

/* ------------------------------------------------------------------------------ Qwen3-VL,
 * Qwen2.5-VL */

/* The text's, beside DECODER. */
#define QWEN_TEXT                                                                                  \
    TEXT(TEXT, activation, "hidden_act", NULL, 0, 0, SAID | ONLY),                                 \
        TEXT(NUMBER, rope.base, "rope_theta", NULL, 0, 0, SILENT),                                 \
        TEXT(NUMBER, rope.base, "rope_scaling.rope_theta|rope_parameters.rope_theta",              \
             "rope.freq_base", 0, 0, SAID),                                                        \
        TEXT(AXES, section, "rope_scaling.mrope_section|rope_parameters.mrope_section",            \
             "mrope_sections|rope.mrope_section|rope.dimension_sections", 0, 3, SAID | MISS),      \
        SCALING(rope, "rope_parameters.", "rope_scaling.", SCALING_KEYS, PIAA_UNWRITTEN),          \
        WHOLE(NUMBER, text.rope.trained, "text_config.original_max_position_embeddings", NULL, 0,  \
              0, SILENT),                                                                          \
        TEXT(BLOCKS, full, "layer_types", NULL, 0, 0, SILENT)

/* The encoder's. */
#define QWEN_VISION                                                                                \
    ENCODER("num_hidden_layers|depth", "num_attention_heads|num_heads", ONLY),                     \
        VISION(INT, out, "out_hidden_size", "projection_dim", 1, 65536, SAID | MISS),              \
        VISION(INT, channels, "in_chans|in_channels", NULL, 3, 3, SAID),                           \
        VISION(INT, frames, "temporal_patch_size", NULL, 1, 16, SAID),                             \
        VISION(INT, merge, "spatial_merge_size", "spatial_merge_size", 1, 16, SAID),               \
        VISION(NUMBER, base, "rope_parameters.rope_theta", NULL, 0, 0, ONLY),                      \
        VISION(NUMBER, eps, NULL, "attention.layer_norm_epsilon", 0, 0, SAID),                     \
        VISION(INT, channels, NULL, "num_channels", 3, 3, READ),                                   \
        VISION(INT, frames, NULL, "temporal_patch_size", 1, 16, READ),                             \
        VISION(NUMBER, base, NULL, "rope.freq_base", 0, 0, PIAA_ONLY | READ)

static const piaa_setting qwen3vl[] = {
    DECODER(ONLY),
    QWEN_TEXT,
    TEXT(INT, deepstack, NULL, "n_deepstack_layers", 0, DEEPSTACK, FOLLOWS | SAID),
    QWEN_VISION,
    VISION(INT, positions, "num_position_embeddings", NULL, 1, 1 << 20, SAID),
    VISION(MARKS, deepstack, "deepstack_visual_indexes", "is_deepstack_layers", 0, DEEPSTACK,
           SAID | MISS),
    VISION(INTS, deepstack, NULL, "deepstack_visual_indexes", 0, DEEPSTACK, READ),
    VISION(INT, side, NULL, "image_size", 0, INT_MAX, FOLLOWS),
    WHOLE(FLAG, text.tied, "tie_word_embeddings", NULL, 0, 0, SAID | MISS),
    NORMALISED,
    LIMITS,
};

static bool complete_qwen(piaa_settings *s, const piaa_checkpoint *c, piaa_error *error) {
    static const char turned[] = "vision_config.rope_parameters.rope_type";
    const char *type = piaa_json_string(c->config, turned);
    if (type && strcmp(type, "axial") != 0 && strcmp(type, "default") != 0)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: %s is \"%.40s\", only \"axial\" is supported",
                              piaa_checkpoint_where(c), turned, type);
    for (int i = 0; i < s->text.full.count; i++)
        if (!s->text.full.items[i])
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "%s: layer_types other than \"full_attention\" are not supported",
                                  piaa_checkpoint_where(c));
    static const char *const wide[] = {"v.blk.0.mlp.linear_fc1.weight", "v.blk.0.ffn_up.weight"};
    if (!complete_width(s, c, wide, error)) return false;
    if (!s->vision.out) s->vision.out = s->text.hidden;
    return complete_text(s, c, error);
}

static bool complete_qwen3vl(piaa_settings *s, const piaa_checkpoint *c, piaa_error *error) {
    static const char *const places[] = {"v.pos_embed.weight", "v.position_embd.weight"};
    const int marked = s->vision.deepstack.count;
    if (!complete_qwen(s, c, error) || !no_biases(c, error)) return false;
    if (c->text && s->text.deepstack >= 0 && s->text.deepstack != marked)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s has %d deepstack layers, and %s takes %d: name that model's own "
                              "with --mmproj",
                              piaa_gguf_where(c->vision), marked, piaa_gguf_where(c->text),
                              s->text.deepstack);
    s->text.deepstack = marked;
    if (c->vision && !rows_of(c->vision, places, &s->vision.positions, error)) return false;
    s->vision.side = (int)lround(sqrt(s->vision.positions)) * s->vision.patch;
    /* Only some converters note the limits; without them the family's own hold. */
    if (c->vision && s->image.least <= 0) s->image.least = LEAST_PIXELS;
    if (c->vision && s->image.most <= 0) s->image.most = MOST_PIXELS;
    return true;
}

static const piaa_setting qwen25vl[] = {
    DECODER(MISS),
    QWEN_TEXT,
    QWEN_VISION,
    VISION(INT, window, "window_size", "window_size", 1, 1 << 20, SAID),
    VISION(INTS, whole, "fullatt_block_indexes", "fullatt_block_indexes", 0, BLOCKS, SAID | MISS),
    WHOLE(FLAG, text.tied, "tie_word_embeddings", NULL, 0, 0, SAID | MISS),
    NORMALISED,
    LIMITS,
};

/* ---------------------------------------------------------------------------------------- Gemma 3
 */

static const piaa_setting gemma3[] = {
    DECODER(ONLY),
    TEXT(TEXT, activation, "hidden_activation", NULL, 0, 0, SAID | ONLY),
    TEXT(INT, window, "sliding_window", "attention.sliding_window", 1, 1 << 30, SAID),
    TEXT(NUMBER, scalar, "query_pre_attn_scalar", NULL, 0, 0, SAID | MISS),
    TEXT(BLOCKS, full, "sliding_window_pattern", NULL, 0, 0, SILENT),
    TEXT(BLOCKS, full, "layer_types", "attention.sliding_window_pattern", 0, 0, SAID | READ),
    TEXT(NUMBER, rope.base, "rope_theta", NULL, 0, 0, SILENT),
    TEXT(NUMBER, rope.base, "rope_scaling.rope_theta|rope_parameters.full_attention.rope_theta",
         "rope.global.freq_base|rope.freq_base", 0, 0, SAID),
    SCALING(rope, "rope_parameters.full_attention.", "rope_scaling.", SCALING_KEYS, SAID),
    TEXT(NUMBER, local.base, "rope_local_base_freq", NULL, 0, 0, SILENT),
    TEXT(NUMBER, local.base, "rope_parameters.sliding_attention.rope_theta",
         "rope.local.freq_base|rope.freq_base_swa", 0, 0, SAID),
    SCALING(local, "rope_parameters.sliding_attention.", "rope_parameters.sliding_attention.",
            NO_KEYS, SAID),
    TEXT(NUMBER, cap, "final_logit_softcapping", "final_logit_softcapping", 0, 0, MISS),
    ENCODER("num_hidden_layers", "num_attention_heads", MISS),
    SQUARE,
    VISION(INT, out, NULL, "projection_dim", 1, 65536, FOLLOWS),
    VISION(INT, scale, NULL, "projector.scale_factor", 1, 1024, FOLLOWS | SAID),
    WHOLE(FLAG, text.tied, "tie_word_embeddings", NULL, 0, 0, SAID | MISS),
    WHOLE(INT, image_tokens, "mm_tokens_per_image", NULL, 1, 1 << 16, SAID),
    ROW(PIAA_OF_TEXT, INT, image_tokens, NULL, "mm.tokens_per_image", 1, 1 << 16, READ),
    NORMALISED,
    IMAGE(PIXELS, height, "size.height", NULL, 0, 0, SAID | MISS),
    IMAGE(PIXELS, width, "size.width", NULL, 0, 0, SAID | MISS),
};

/* Ollama's files of the published models leave the scaling out, or have another than theirs: it is
   known by the number of blocks, as in Ollama. */
static void complete_ollama(piaa_settings *s) {
    enum { OF_4B = 34, OF_12B = 48, SCALE = 8 };
    const int blocks = s->text.layers;
    if (s->text.window >= s->text.positions ||
        (blocks != OF_4B && blocks != OF_12B && blocks != GEMMA_27B_BLOCKS))
        return;
    s->text.rope.type = "linear";
    s->text.rope.factor = SCALE;
}

/* A scaling that one version of the reference obeys and another passes over is nobody's model. */
static bool check_one_reading(const piaa_checkpoint *c, piaa_error *error) {
    const char *type = piaa_json_string(c->config, "text_config.rope_scaling.type");
    return !type || strcmp(type, "default") == 0 ||
           piaa_json_string(c->config, "text_config.rope_scaling.rope_type") ||
           piaa_json_string(c->config, "text_config.rope_parameters.full_attention.rope_type") ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: text_config.rope_scaling has its \"%.40s\" as \"type\", which "
                          "transformers obeys up to version 4 and passes over in version 5: write "
                          "\"rope_type\"",
                          piaa_checkpoint_where(c), type);
}

static bool complete_gemma3(piaa_settings *s, const piaa_checkpoint *c, piaa_error *error) {
    enum { EACH = 6 };
    const int patches = s->vision.side / s->vision.patch;
    static const char *const wide[] = {"v.blk.0.mlp.fc1.weight", "v.blk.0.ffn_up.weight"};
    if (!check_one_reading(c, error) || !complete_width(s, c, wide, error) ||
        !complete_text(s, c, error) || !no_biases(c, error))
        return false;
    if (c->text && c->text == c->vision) complete_ollama(s);
    for (; s->text.full.count < s->text.layers; s->text.full.count++)
        s->text.full.items[s->text.full.count] = (s->text.full.count + 1) % EACH == 0;
    s->vision.out = s->text.hidden;
    if (s->image_tokens) {
        const int side = (int)lround(sqrt(s->image_tokens));
        s->vision.scale = patches / side > 0 ? patches / side : 1;
    }
    if (!c->text) return true;
    /* The metadata do not hold it: the largest model differs from the others, and llama.cpp too
       knows it by its blocks. */
    s->text.scalar =
        s->text.layers == GEMMA_27B_BLOCKS ? s->text.hidden / s->text.heads : s->text.head_dim;
    s->image.height = s->image.width = s->vision.side;
    s->image_tokens = patches / s->vision.scale * (patches / s->vision.scale);
    return true;
}

/* ------------------------------------------------------------------------------ vision models
 * alone */

static const piaa_setting clip[] = {ENCODER("num_hidden_layers", "num_attention_heads", MISS),
                                    SQUARE};

static const piaa_setting siglip[] = {
    ENCODER("num_hidden_layers", "num_attention_heads", MISS),
    SQUARE,
    VISION(FLAG, head, "vision_use_head", NULL, 0, 0, MISS),
};

static const piaa_setting dinov3[] = {
    ENCODER("num_hidden_layers", "num_attention_heads", MISS),
    SQUARE,
    VISION(NUMBER, base, "rope_theta", NULL, 0, 0, MISS),
    VISION(INT, registers, "num_register_tokens", NULL, 0, 4096, MISS),
    VISION(FLAG, q_bias, "query_bias", NULL, 0, 0, MISS),
    VISION(FLAG, k_bias, "key_bias", NULL, 0, 0, MISS),
    VISION(FLAG, v_bias, "value_bias", NULL, 0, 0, MISS),
    VISION(FLAG, out_bias, "proj_bias", NULL, 0, 0, MISS),
    VISION(FLAG, mlp_bias, "mlp_bias", NULL, 0, 0, MISS),
    VISION(FLAG, gated, "use_gated_mlp", NULL, 0, 0, MISS),
};

/* --------------------------------------------------------------------------------------- defaults
 */

#define ROWS(table) .rows = table, .count = PIAA_COUNT(table)

const piaa_settings_family piaa_settings_families[] = {
    {.model_type = "qwen3_vl",
     .name = "Qwen3-VL",
     ROWS(qwen3vl),
     .complete = complete_qwen3vl,
     .defaults = {.one = 1,
                  .text = {.hidden = 4096,
                           .layers = 32,
                           .intermediate = 22016,
                           .heads = 32,
                           .vocabulary = 151936,
                           .positions = 128000,
                           .eps = 1e-6,
                           .activation = "silu",
                           .rope = ROPE(5e5),
                           .section = {3, {24, 20, 20}}},
                  .vision = {.width = 1152,
                             .blocks = 27,
                             .heads = 16,
                             .intermediate = 4304,
                             .patch = 16,
                             .frames = 2,
                             .channels = 3,
                             .merge = 2,
                             .out = 3584,
                             .positions = 2304,
                             .eps = 1e-6,
                             .base = 1e4,
                             .activation = "gelu_pytorch_tanh",
                             .deepstack = {3, {8, 16, 24}}},
                  .image = {HALVES}},
     .gguf = {.one = 1,
              .text = {.deepstack = -1,
                       .eps = 1e-6,
                       .activation = "silu",
                       .rope = ROPE(5e6),
                       .section = {3, {24, 20, 20}}},
              .vision = {.frames = 2,
                         .channels = 3,
                         .merge = 2,
                         .eps = 1e-6,
                         .base = 1e4,
                         .activation = "gelu_pytorch_tanh"},
              .image = {HALVES, .resample = 3}}},
    {.model_type = "qwen2_5_vl",
     .name = "Qwen2.5-VL",
     ROWS(qwen25vl),
     .complete = complete_qwen,
     .defaults = {.one = 1,
                  .text = {.hidden = 8192,
                           .layers = 80,
                           .intermediate = 29568,
                           .heads = 64,
                           .kv_heads = 8,
                           .vocabulary = 152064,
                           .positions = 32768,
                           .eps = 1e-5,
                           .activation = "silu",
                           .rope = ROPE(1e6),
                           .section = {3, {16, 24, 24}}},
                  .vision = {.width = 3584,
                             .blocks = 32,
                             .heads = 16,
                             .intermediate = 3420,
                             .patch = 14,
                             .frames = 2,
                             .channels = 3,
                             .merge = 2,
                             .out = 3584,
                             .window = 112,
                             .eps = 1e-6,
                             .base = 1e4,
                             .activation = "silu",
                             .whole = {4, {7, 15, 23, 31}}}},
     .gguf = {.one = 1,
              .text = {.eps = 1e-6,
                       .activation = "silu",
                       .rope = ROPE(1e6),
                       .section = {3, {16, 24, 24}}},
              .vision = {.frames = 2,
                         .channels = 3,
                         .merge = 2,
                         .window = 112,
                         .eps = 1e-6,
                         .base = 1e4,
                         .activation = "silu",
                         .whole = {4, {7, 15, 23, 31}}},
              .image = {.least = 3136,
                        .most = 12845056,
                        .mean = {0.48145466, 0.4578275, 0.40821073},
                        .std = {0.26862954, 0.26130258, 0.27577711},
                        .resample = 3}}},
    {.model_type = "gemma3",
     .name = "Gemma 3",
     ROWS(gemma3),
     .complete = complete_gemma3,
     .defaults = {.one = 1,
                  .image_tokens = 256,
                  .text = {.hidden = 2304,
                           .layers = 26,
                           .intermediate = 9216,
                           .heads = 8,
                           .kv_heads = 4,
                           .head_dim = 256,
                           .vocabulary = 262208,
                           .positions = 131072,
                           .window = 4096,
                           .eps = 1e-6,
                           .scalar = 256,
                           .activation = "gelu_pytorch_tanh",
                           .tied = true,
                           .rope = ROPE(1e6),
                           .local = ROPE(1e4)},
                  .vision = {.width = 768,
                             .blocks = 12,
                             .heads = 12,
                             .intermediate = 3072,
                             .patch = 16,
                             .channels = 3,
                             .side = 224,
                             .eps = 1e-6,
                             .model_type = "siglip_vision_model",
                             .activation = "gelu_pytorch_tanh"},
                  .image = {HALVES}},
     .gguf = {.one = 1,
              .text = {.eps = 1e-6,
                       .activation = "gelu_pytorch_tanh",
                       .rope = ROPE(1e6),
                       .local = ROPE(1e4)},
              .vision = {.channels = 3,
                         .scale = 4,
                         .eps = 1e-6,
                         .model_type = "siglip_vision_model",
                         .activation = "gelu_pytorch_tanh"},
              .image = {HALVES, .resample = 2}}},
    {.model_type = "dinov3_vit",
     .name = "DINOv3",
     ROWS(dinov3),
     .defaults = {.vision = {.width = 384,
                             .blocks = 12,
                             .heads = 6,
                             .intermediate = 1536,
                             .patch = 16,
                             .channels = 3,
                             .side = 224,
                             .eps = 1e-5,
                             .base = 100,
                             .activation = "gelu",
                             .q_bias = true,
                             .v_bias = true,
                             .out_bias = true,
                             .mlp_bias = true}}},
    {.model_type = "clip_vision_model",
     .container = "clip",
     .name = "CLIP",
     ROWS(clip),
     .defaults = {.vision = {.width = 768,
                             .blocks = 12,
                             .heads = 12,
                             .intermediate = 3072,
                             .patch = 32,
                             .channels = 3,
                             .side = 224,
                             .eps = 1e-5,
                             .activation = "quick_gelu"}}},
    {.model_type = "siglip_vision_model",
     .container = "siglip",
     .name = "SigLIP",
     ROWS(siglip),
     .defaults = {.vision = {.width = 768,
                             .blocks = 12,
                             .heads = 12,
                             .intermediate = 3072,
                             .patch = 16,
                             .channels = 3,
                             .side = 224,
                             .eps = 1e-6,
                             .activation = "gelu_pytorch_tanh",
                             .head = true}}},
};

const size_t piaa_settings_family_count = PIAA_COUNT(piaa_settings_families);
