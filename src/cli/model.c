/* piaa model info, piaa model tokens. */
#include "base/visible.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "hub/pulled.h"
#include "report/report.h"
#include "weights/checkpoint_parts.h"

#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------- info */

static int64_t tokens(const piaa_model_info *info, int64_t pixels) {
    int64_t tile = (int64_t)info->patch * info->merge;
    return pixels / (tile * tile);
}

static bool decoder_text(const piaa_model_info *info, piaa_text *out, piaa_error *error) {
    const piaa_layout *l = &info->layout;
    if (!l->hidden_size) return piaa_text_format(out, error, "decoder        none: vision alone\n");
    return piaa_text_format(out, error,
                            "decoder        %d blocks of width %d: %d heads of %d (%d for keys and "
                            "values), feed-forward %d, vocabulary %d\n",
                            l->decoder_layers, l->hidden_size, info->heads, info->head_dim,
                            info->kv_heads, info->intermediate, info->vocabulary);
}

static bool layers_text(const piaa_layout *l, piaa_text *out, piaa_error *error) {
    if (l->hidden_size)
        return piaa_text_format(
            out, error, "layers         lt, lt_tail, lv: 0 to %d; v: 0 to %d\ndefault layer  %d\n",
            l->decoder_layers, l->vision_blocks - 1, piaa_default_layer(l));
    return piaa_text_format(out, error, "layers         v: 0 to %d%s%s\ndefault layer  v: %d\n",
                            l->vision_blocks, l->pooled_size ? "; pooled" : "",
                            l->projected_size ? "; projected" : "", l->vision_blocks);
}

/* Keys are whatever somebody wrote. */
static bool unknown_text(const piaa_model_info *info, piaa_text *out, piaa_error *error) {
    return !info->unknown ||
           (piaa_text_format(out, error, "unknown keys   ") &&
            piaa_visible_add(out, info->unknown, error) &&
            piaa_text_format(out, error,
                             ": piaa does not know whether they change what the model computes\n"));
}

static bool info_text(const piaa_model_info *info, piaa_text *out, piaa_error *error) {
    const piaa_layout *l = &info->layout;
    return piaa_text_format(out, error, "family         %s\nmodel          ", info->family) &&
           piaa_visible_add(out, info->folder, error) &&
           piaa_text_format(out, error, "\nfingerprint    %s\n", info->fingerprint) &&
           piaa_text_format(out, error, "parameters     %.4g million, %.4g MB, mostly %s\n",
                            (double)info->parameters / 1e6, (double)info->bytes / 1e6,
                            info->dtype) &&
           decoder_text(info, out, error) &&
           piaa_text_format(out, error,
                            "vision         %d blocks of width %d: %d heads, feed-forward %d, "
                            "patches of %d x %d pixels\n",
                            l->vision_blocks, l->vision_size, info->vision_heads,
                            info->vision_intermediate, info->patch, info->patch) &&
           piaa_text_format(out, error, "photo size     %lld to %lld pixels, %lld to %lld tokens\n",
                            (long long)info->min_pixels, (long long)info->max_pixels,
                            (long long)tokens(info, info->min_pixels),
                            (long long)tokens(info, info->max_pixels)) &&
           layers_text(l, out, error) &&
           (!info->chat || piaa_text_format(out, error, "chat form      %s\n", info->chat)) &&
           (!info->adapter ||
            (piaa_text_format(out, error, "adapter        ") &&
             piaa_visible_add(out, info->adapter, error) && piaa_text_format(out, error, "\n"))) &&
           unknown_text(info, out, error) &&
           (!info->demonstration || piaa_text_format(out, error,
                                                     "note           the demonstration model, "
                                                     "trained on rendered scenes; for real taste "
                                                     "use Qwen3-VL-4B-Instruct (or 2B, 8B)\n"));
}

static cJSON *info_json(const piaa_model_info *info) {
    const piaa_layout *l = &info->layout;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"parameters", info->parameters},
        {"bytes", info->bytes},
        {"decoder_layers", l->decoder_layers},
        {"hidden_size", l->hidden_size},
        {"heads", info->heads},
        {"kv_heads", info->kv_heads},
        {"head_dim", info->head_dim},
        {"intermediate_size", info->intermediate},
        {"vocabulary", info->vocabulary},
        {"vision_blocks", l->vision_blocks},
        {"vision_size", l->vision_size},
        {"vision_heads", info->vision_heads},
        {"vision_intermediate_size", info->vision_intermediate},
        {"patch_size", info->patch},
        {"merge_size", info->merge},
        {"min_pixels", info->min_pixels},
        {"max_pixels", info->max_pixels},
        {"min_image_tokens", tokens(info, info->min_pixels)},
        {"max_image_tokens", tokens(info, info->max_pixels)},
        {"default_layer", l->hidden_size ? piaa_default_layer(l) : l->vision_blocks},
        {"pooled_size", l->pooled_size},
        {"projected_size", l->projected_size},
    };
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "family", info->family);
    cJSON_AddItemToObject(root, "folder", cJSON_CreateString(info->folder));
    cJSON_AddStringToObject(root, "fingerprint", info->fingerprint);
    cJSON_AddItemToObject(root, "dtype", cJSON_CreateString(info->dtype));
    for (size_t i = 0; i < PIAA_COUNT(numbers); i++)
        piaa_report_add_integer(root, numbers[i].key, numbers[i].value);
    if (info->chat) cJSON_AddItemToObject(root, "chat", cJSON_CreateString(info->chat));
    if (info->adapter) cJSON_AddItemToObject(root, "adapter", cJSON_CreateString(info->adapter));
    if (info->unknown)
        cJSON_AddItemToObject(root, "unknown_keys", cJSON_CreateString(info->unknown));
    cJSON_AddBoolToObject(root, "demonstration", info->demonstration);
    return root;
}

static bool run_info(piaa_call *call, piaa_error *error) {
    piaa_model *model =
        piaa_call_model(call, call->operand_count ? call->operands[0] : NULL, error);
    if (!model) return false;
    const piaa_model_info *info = piaa_model_get_info(model);
    bool ok;
    if (piaa_call_has(call, "json")) {
        cJSON *root = info_json(info);
        ok = piaa_report_write_json(stdout, root, error);
        cJSON_Delete(root);
    } else {
        piaa_text text = {0};
        ok = info_text(info, &text, error) &&
             piaa_report_write(stdout, text.data, text.length, error);
        free(text.data);
    }
    piaa_model_close(model);
    return ok;
}

/* --------------------------------------------------------------------------------------- tokens */

static bool tokens_text(const piaa_ids *ids, piaa_error *error) {
    piaa_text text = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < ids->count; i++)
        ok = piaa_text_format(&text, error, "%s%d", i ? " " : "", ids->items[i]);
    ok = ok && piaa_text_add(&text, "\n", 1, error) &&
         piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* One line too: {"ids": [...], "pieces": [...]}. */
static bool tokens_json(const piaa_tokenizer *tokenizer, const piaa_ids *ids, piaa_error *error) {
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "ids"),
          *pieces = cJSON_AddArrayToObject(root, "pieces");
    for (size_t i = 0; i < ids->count; i++) {
        const char *piece = piaa_tokenizer_piece(tokenizer, ids->items[i]);
        cJSON_AddItemToArray(list, piaa_report_integer(ids->items[i]));
        cJSON_AddItemToArray(pieces, piece ? cJSON_CreateString(piece) : cJSON_CreateNull());
    }
    char *line = piaa_json_print(root, false, error);
    cJSON_Delete(root);
    bool ok = line && piaa_report_write(stdout, line, strlen(line), error);
    free(line);
    return ok;
}

/* Of a folder, a tokenizer.json, a pulled model, or a GGUF file, for which the text model alone is
   enough. */
static piaa_tokenizer *open_tokenizer(const char *text, piaa_error *error) {
    char *path = piaa_model_locate(text, error);
    piaa_tokenizer *tokenizer = NULL;
    if (path && !piaa_file_is_folder(path) && piaa_gguf_is(path)) {
        piaa_gguf *file = piaa_gguf_open_parts(path, error);
        cJSON *root = file ? piaa_gguf_tokenizer(file, error) : NULL;
        if (root) tokenizer = piaa_tokenizer_from_json(root, path, error);
        cJSON_Delete(root);
        piaa_gguf_close(file);
    } else if (path && piaa_gguf_pair_is(path)) {
        piaa_checkpoint *checkpoint = piaa_checkpoint_open(path, error);
        if (checkpoint) tokenizer = piaa_checkpoint_tokenizer(checkpoint, error);
        piaa_checkpoint_close(checkpoint);
    } else if (path) {
        tokenizer = piaa_tokenizer_open(path, error);
    }
    free(path);
    return tokenizer;
}

static bool run_tokens(piaa_call *call, piaa_error *error) {
    static const size_t limit = (size_t)1 << 30;
    bool standard = strcmp(call->operands[1], "-") == 0;
    size_t size = strlen(call->operands[1]);
    piaa_tokenizer *tokenizer = open_tokenizer(call->operands[0], error);
    char *input = tokenizer && standard ? piaa_file_read("-", limit, &size, error) : NULL;
    piaa_ids ids = {0};
    bool ok =
        tokenizer && (!standard || input) &&
        piaa_tokenizer_encode(tokenizer, standard ? input : call->operands[1], size, &ids, error) &&
        (piaa_call_has(call, "json") ? tokens_json(tokenizer, &ids, error)
                                     : tokens_text(&ids, error));
    piaa_ids_free(&ids);
    free(input);
    piaa_tokenizer_close(tokenizer);
    return ok;
}

/* --------------------------------------------------------------------------------------- tables */

static const piaa_option info_options[] = {
    PIAA_OPTION_MMPROJ, PIAA_OPTION_ADAPTER, {"json", NULL, "print JSON", NULL, NULL}, {0}};
static const piaa_option tokens_options[] = {
    {"json", NULL, "print JSON with the ids and the pieces of text", NULL, NULL}, {0}};

const piaa_command piaa_command_model_info = {
    .name = "model info",
    .summary = "Say what a model is: family, sizes, layers, limits",
    .example = "piaa model info Qwen3-VL-4B-Instruct\n"
               "piaa model info gemma-3-4b-it-Q4_K_M.gguf --mmproj mmproj-model-f16.gguf\n",
    .operands = "[MODEL]",
    .most = 1,
    .groups = {{"Options", info_options}},
    .notes = "MODEL is what --model takes: a folder, a GGUF file, or the name of a pulled model; "
             "without it, the demonstration model.",
    .run = run_info,
};

const piaa_command piaa_command_model_tokens = {
    .name = "model tokens",
    .summary = "Print the token ids of a text",
    .example = "piaa model tokens Qwen3-VL-4B-Instruct \"Assess the aesthetics of this image.\"\n"
               "piaa model tokens tokenizer.json - < prompt.txt\n",
    .operands = "MODEL|tokenizer.json TEXT|-",
    .least = 2,
    .most = 2,
    .groups = {{"Options", tokens_options}},
    .notes = "Special tokens in the text are recognised; none is put around it. - takes all of "
             "standard input, its last newline included. "
             "The ids "
             "are printed on one line.",
    .run = run_tokens,
};
