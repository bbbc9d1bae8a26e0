/* Keys of a configuration that are in no table and not known to change nothing: what piaa model
 * info lists, so that nothing that counts is passed over without a word. */
#include "weights/settings_parts.h"

#include <stdio.h>
#include <string.h>

/* Keys that change nothing of what is computed here, wherever they are: of training, of generation,
 * of other kinds of input, of what transformers writes about itself; at last GGUF's.  A space is
 * around each. */
static const char idle[] =
    " "
    "architectures auto_map transformers_version dtype torch_dtype model_type "
    "initializer_range initializer_factor use_cache attention_dropout dropout drop_path_rate "
    "_name_or_path _commit_hash _attn_implementation _attn_implementation_autoset "
    "attn_implementation is_encoder_decoder is_decoder return_dict output_attentions "
    "output_hidden_states torchscript pruned_heads use_bfloat16 tie_encoder_decoder "
    "add_cross_attention cross_attention_hidden_size chunk_size_feed_forward finetuning_task "
    "id2label label2id num_labels problem_type task_specific_params tokenizer_class prefix "
    "gradient_checkpointing cache_implementation top_k top_p temperature do_sample "
    "max_length min_length num_beams num_beam_groups num_return_sequences length_penalty "
    "diversity_penalty early_stopping repetition_penalty typical_p no_repeat_ngram_size "
    "encoder_no_repeat_ngram_size exponential_decay_length_penalty bad_words_ids "
    "suppress_tokens begin_suppress_tokens remove_invalid_values return_dict_in_generate "
    "output_scores tf_legacy_loss transformers.js_config quantization_config unsloth_fixed "
    "unsloth_version mrope_interleaved max_window_layers sliding_window tokens_per_second "
    "_sliding_window_pattern "
    "spatial_patch_size in_chans vision_use_head rope_type projection_dim "
    "logit_scale_init_value text_config_dict vision_config_dict layerscale_value "
    "pos_embed_jitter pos_embed_shift pos_embed_rescale out_features out_indices "
    "_out_features _out_indices stage_names apply_layernorm reshape_hidden_states "
    "text_model_id video_config vocab_size rope.scaling.finetuned rope.scaling.orig_ctx_len "
    "attention.causal tensor_data_layout has_vision_encoder has_text_encoder "
    "has_llava_projector projector_type vision.projector_type use_gelu use_silu "
    "vision.spatial_patch_size ";

static bool is_idle(const char *name) {
    static const char *const endings[] = {"_token_id", "_token_index", "_token_ids"};
    const size_t n = strlen(name);
    if (!n || strchr(name, ' ')) return false;
    for (const char *at = idle; (at = strstr(at, name)) != NULL; at++)
        if (at[-1] == ' ' && at[n] == ' ') return true;
    for (size_t i = 0; i < PIAA_COUNT(endings); i++)
        if (n > strlen(endings[i]) && strcmp(name + n - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

static bool is_read(const piaa_settings_family *family, const piaa_config *config,
                    const char *key) {
    for (size_t i = 0; i < family->count; i++) {
        const piaa_setting *row = &family->rows[i];
        const char *prefix = config->section[row->section].prefix,
                   *keys = config->pair ? row->gguf : row->keys;
        const size_t before = strlen(prefix);
        if (row->section == PIAA_OF_IMAGE && !config->pair) continue;
        if (!keys || strncmp(key, prefix, before) != 0) continue;
        for (const char *rest = key + before;; keys++) {
            const size_t size = strcspn(keys, "|");
            if (strncmp(rest, keys, size) == 0 && !rest[size]) return true;
            keys += size;
            if (!*keys) break;
        }
    }
    return false;
}

static bool add_unknown(piaa_text *out, const char *key, piaa_error *error) {
    return piaa_text_format(out, error, "%s%s", out->length ? ", " : "", key);
}

static bool search_json(const piaa_settings_family *family, const piaa_config *config,
                        const cJSON *object, const char *before, piaa_text *out,
                        piaa_error *error) {
    static const char *const inside[] = {"text_config",  "vision_config",  "rope_parameters",
                                         "rope_scaling", "full_attention", "sliding_attention"};
    const bool alone = family->rows[0].section != PIAA_OF_TEXT; /* its text model is not read */
    for (const cJSON *item = object->child; item; item = item->next) {
        char key[PIAA_SETTINGS_KEY];
        bool deeper = false;
        snprintf(key, sizeof key, "%s%s", before, item->string);
        if (cJSON_IsNull(item) || is_idle(item->string) || is_read(family, config, key)) continue;
        for (size_t i = 0; i < PIAA_COUNT(inside); i++)
            deeper = deeper || strcmp(item->string, inside[i]) == 0;
        if (!deeper || !cJSON_IsObject(item)) {
            if (!add_unknown(out, key, error)) return false;
            continue;
        }
        if (alone && strcmp(item->string, "text_config") == 0) continue;
        snprintf(key, sizeof key, "%s%s.", before, item->string);
        if (!search_json(family, config, item, key, out, error)) return false;
    }
    return true;
}

static bool search_gguf(const piaa_settings_family *family, const piaa_config *config,
                        const piaa_gguf *file, const char *prefix, piaa_text *out,
                        piaa_error *error) {
    const size_t before = strlen(prefix);
    const char *key;
    for (size_t i = 0; (key = piaa_gguf_key(file, i)) != NULL; i++)
        if (strncmp(key, prefix, before) == 0 && !is_idle(key + before) &&
            !is_read(family, config, key) && !add_unknown(out, key, error))
            return false;
    return true;
}

bool piaa_settings_unknown(const piaa_settings_family *family, const piaa_checkpoint *c,
                           piaa_text *out, piaa_error *error) {
    const piaa_config config = piaa_config_open(c);
    if (!config.pair) return search_json(family, &config, c->config, "", out, error);
    return search_gguf(family, &config, c->text, config.section[PIAA_OF_TEXT].prefix, out, error) &&
           search_gguf(family, &config, c->vision, "clip.", out, error);
}
