/* The table of settings at work: read from config.json or from GGUF metadata, written as the
 * former, compared, and searched for keys that nobody reads. */
#include "weights/settings.h"

#include "weights/checkpoint_parts.h"
#include "weights/gguf_names.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEY = 192 };

const piaa_settings_family *piaa_settings_family_find(const char *model_type) {
    for (size_t i = 0; model_type && i < piaa_settings_family_count; i++) {
        const piaa_settings_family *family = &piaa_settings_families[i];
        if (strcmp(model_type, family->model_type) == 0 ||
            (family->container && strcmp(model_type, family->container) == 0))
            return family;
    }
    return NULL;
}

const char *piaa_setting_name(const char *keys) {
    const char *last = keys ? strrchr(keys, '|') : NULL;
    return last ? last + 1 : keys;
}

const void *piaa_setting_member(const piaa_setting *row, const piaa_settings *settings) {
    return (const char *)settings + row->member;
}

static void *member(const piaa_setting *row, piaa_settings *settings) {
    return (char *)settings + row->member;
}

/* ---------------------------------------------------------------------------------- where it is */

/* Either form: where the keys of a section are, and what is put before them. */
typedef struct piaa_config {
    bool pair;
    const char *where;
    struct {
        const cJSON *json;
        const piaa_gguf *file;
        char prefix[64];
    } section[PIAA_SECTIONS];
} piaa_config;

static bool is_object(const cJSON *json, const char *key) {
    return cJSON_IsObject(piaa_json_find(json, key));
}

static void open_json(const piaa_checkpoint *c, piaa_config *config) {
    for (int i = 0; i < PIAA_SECTIONS; i++)
        config->section[i].json = i == PIAA_OF_IMAGE ? c->image_config : c->config;
    if (is_object(c->config, "text_config"))
        snprintf(config->section[PIAA_OF_TEXT].prefix, 64, "text_config.");
    if (is_object(c->config, "vision_config"))
        snprintf(config->section[PIAA_OF_VISION].prefix, 64, "vision_config.");
}

static void open_pair(const piaa_checkpoint *c, piaa_config *config) {
    const char *architecture = piaa_gguf_string(c->text, "general.architecture");
    config->section[PIAA_OF_TEXT].file = c->text;
    snprintf(config->section[PIAA_OF_TEXT].prefix, 64, "%.60s.", architecture ? architecture : "");
    config->section[PIAA_OF_VISION].file = config->section[PIAA_OF_IMAGE].file = c->vision;
    snprintf(config->section[PIAA_OF_VISION].prefix, 64, "clip.vision.");
    snprintf(config->section[PIAA_OF_IMAGE].prefix, 64, "clip.vision.");
}

static piaa_config open_config(const piaa_checkpoint *c) {
    piaa_config config = {.pair = c->text != NULL, .where = piaa_checkpoint_where(c)};
    (config.pair ? open_pair : open_json)(c, &config);
    return config;
}

/* One value: the object or file that holds it, and its whole key there. */
typedef struct value {
    const piaa_config *config;
    const cJSON *json;
    const piaa_gguf *file;
    char key[MAX_KEY];
} value;

static bool take(const piaa_config *config, const piaa_setting *row, const char *key, size_t size,
                 value *v) {
    *v = (value){.config = config,
                 .json = config->section[row->section].json,
                 .file = config->section[row->section].file};
    snprintf(v->key, sizeof v->key, "%s%.*s", config->section[row->section].prefix, (int)size, key);
    return v->file ? piaa_gguf_has(v->file, v->key) : piaa_json_find(v->json, v->key) != NULL;
}

/* The value of the row; without one *v is where its name would be. */
static bool find(const piaa_config *config, const piaa_setting *row, value *v) {
    const char *keys = config->pair ? row->gguf : row->keys;
    *v = (value){.config = config};
    for (; keys; keys = keys[0] ? keys + 1 : NULL) {
        const size_t size = strcspn(keys, "|");
        if (take(config, row, keys, size, v)) return true;
        keys += size;
    }
    return false;
}

/* Sides of a square may be written as two. */
static bool get_int(const value *v, int64_t *out) {
    int64_t two[2];
    if (v->file) return piaa_gguf_int(v->file, v->key, out);
    if (piaa_json_ints(v->json, v->key, two, 2) != 2 || two[0] != two[1])
        return piaa_json_int(v->json, v->key, out);
    *out = two[0];
    return true;
}

static bool get_number(const value *v, double *out) {
    return v->file ? piaa_gguf_number(v->file, v->key, out)
                   : piaa_json_number(v->json, v->key, out);
}

static bool get_flag(const value *v, bool *out) {
    return v->file ? piaa_gguf_bool(v->file, v->key, out) : piaa_json_bool(v->json, v->key, out);
}

static const char *get_text(const value *v) {
    return v->file ? piaa_gguf_string(v->file, v->key) : piaa_json_string(v->json, v->key);
}

/* At most `capacity` numbers of a list; how many, -1 where there is no such list. */
static int get_list(const value *v, double *out, int capacity) {
    int count = 0;
    piaa_gguf_array array;
    if (v->file) {
        if (!piaa_gguf_get_array(v->file, v->key, &array) || piaa_gguf_array_is_text(&array) ||
            array.count > (uint64_t)capacity)
            return -1;
        while (count < (int)array.count) out[count++] = piaa_gguf_next_number(&array);
        return count;
    }
    const cJSON *list = piaa_json_find(v->json, v->key), *item;
    if (!cJSON_IsArray(list)) return -1;
    cJSON_ArrayForEach(item, list) {
        if (count == capacity || !cJSON_IsNumber(item)) return -1;
        out[count++] = item->valuedouble;
    }
    return count;
}

/* The value for messages: file and key; of keys further down the object first. */
static bool wrong(const value *v, piaa_error *error, piaa_code code, const char *what) {
    if (v->file)
        return piaa_error_set(error, code, "%s: %s %s", piaa_gguf_where(v->file), v->key, what);
    const char *first = strchr(v->key, '.'), *last = strrchr(v->key, '.');
    if (first != last)
        return piaa_error_set(error, code, "%s, %.*s: \"%s\" %s", v->config->where,
                              (int)(last - v->key), v->key, last + 1, what);
    return piaa_error_set(error, code, "%s: \"%s\" %s", v->config->where, v->key, what);
}

/* -------------------------------------------------------------------------------------- reading */

static bool read_int(const value *v, const piaa_setting *row, int64_t *out, piaa_error *error) {
    char what[96];
    if (!get_int(v, out)) return wrong(v, error, PIAA_FORMAT, "is missing or not a whole number");
    if (*out >= (int64_t)row->low && *out <= (int64_t)row->high) return true;
    snprintf(what, sizeof what, "is %lld, expected %.0f to %.0f", (long long)*out, row->low,
             row->high);
    return wrong(v, error, PIAA_FORMAT, what);
}

static bool read_number(const value *v, double *out, piaa_error *error) {
    return (get_number(v, out) && *out > 0 && *out <= FLT_MAX && (float)*out > 0) ||
           wrong(v, error, PIAA_FORMAT, "should be a number above 0");
}

static bool read_list(const value *v, const piaa_setting *row, piaa_ints *out, piaa_error *error) {
    double items[PIAA_SETTINGS_LIST + 1] = {0};
    const int most = (int)row->high;
    int count = get_list(v, items, PIAA_SETTINGS_LIST + 1);
    bool good = count >= 0;
    if (good && row->kind == PIAA_SETTING_MARKS && v->file) { /* flags become numbers */
        int marked = 0;
        for (int i = 0; i < count; i++)
            if (items[i] != 0) items[marked++] = i;
        count = marked;
    }
    if (row->kind == PIAA_SETTING_AXES && v->file && count == most + 1 && items[most] == 0) count--;
    good = good && count <= most;
    for (int i = 0; good && i < count; i++) {
        good = items[i] >= INT16_MIN && items[i] <= INT16_MAX && floor(items[i]) == items[i];
        out->items[i] = good ? (int16_t)items[i] : 0;
    }
    out->count = good ? count : 0;
    if (good) return true;
    char what[96];
    snprintf(what, sizeof what, "should be a list of at most %d %s", most,
             row->section == PIAA_OF_VISION ? "block numbers" : "whole numbers");
    return wrong(v, error, PIAA_FORMAT, what);
}

static bool read_kinds(const value *v, int blocks, piaa_ints *out, piaa_error *error) {
    const cJSON *list = v->file ? NULL : piaa_json_find(v->json, v->key), *item;
    double flags[PIAA_SETTINGS_LIST];
    int64_t each = 0;
    bool good = true;
    out->count = 0;
    if (get_int(v, &each)) {
        good = each > 0 && each <= 4096;
        for (; good && out->count < blocks; out->count++)
            out->items[out->count] = (out->count + 1) % each == 0;
    } else if (v->file) {
        good = get_list(v, flags, PIAA_SETTINGS_LIST) == blocks;
        for (; good && out->count < blocks; out->count++)
            out->items[out->count] = flags[out->count] == 0;
    } else {
        good = cJSON_IsArray(list) && cJSON_GetArraySize(list) == blocks;
        cJSON_ArrayForEach(item, list) {
            const char *name = cJSON_IsString(item) ? item->valuestring : "";
            const bool full = strcmp(name, "full_attention") == 0;
            good = good && (full || strcmp(name, "sliding_attention") == 0);
            if (good) out->items[out->count++] = full;
        }
    }
    return good ||
           piaa_error_set(error, PIAA_FORMAT,
                          "%s: %s should list \"full_attention\" or \"sliding_attention\" for each "
                          "of %d blocks",
                          v->file ? piaa_gguf_where(v->file) : v->config->where, v->key, blocks);
}

/* What a key may say that is there and means nothing: no, none. */
static bool is_nothing(const value *v) {
    double number = 1, none;
    bool flag = true;
    return (get_flag(v, &flag) && !flag) || (get_number(v, &number) && number == 0) ||
           get_list(v, &none, 1) == 0;
}

static bool unsupported(const value *v, const piaa_setting *row, const piaa_settings_family *family,
                        piaa_error *error) {
    const char *where = v->file ? piaa_gguf_where(v->file) : v->config->where;
    const void *only =
        piaa_setting_member(row, v->config->pair ? &family->gguf : &family->defaults);
    double number = 0;
    if (row->kind == PIAA_SETTING_NUMBER && *(const double *)only > 0 && get_number(v, &number))
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%s: %s is %g, only %g is supported", where,
                              v->key, number, *(const double *)only);
    if (row->kind == PIAA_SETTING_TEXT && get_text(v))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: \"%s\" is \"%.40s\", only \"%s\" is supported", where, v->key,
                              get_text(v), *(const char *const *)only);
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: %s is not supported: only %s's own values are", where, v->key,
                          family->name);
}

static bool read_value(const value *v, const piaa_setting *row, piaa_settings *out,
                       piaa_error *error) {
    void *to = member(row, out);
    int64_t whole = 0;
    switch (row->kind) {
    case PIAA_SETTING_INT:
        if (!read_int(v, row, &whole, error)) return false;
        *(int *)to = (int)whole;
        return true;
    case PIAA_SETTING_PIXELS:
        if (get_int(v, &whole)) *(int64_t *)to = whole; /* the image processor's reader checks */
        return true;
    case PIAA_SETTING_NUMBER:
        return read_number(v, to, error);
    case PIAA_SETTING_FLAG:
        return get_flag(v, to) || wrong(v, error, PIAA_FORMAT, "should be true or false");
    case PIAA_SETTING_TEXT:
        *(const char **)to = get_text(v);
        return *(const char **)to || wrong(v, error, PIAA_FORMAT, "should be a text");
    case PIAA_SETTING_BLOCKS:
        return read_kinds(v, out->text.layers, to, error);
    case PIAA_SETTING_THREE:
        get_list(v, to, 3);
        return true;
    default:
        return read_list(v, row, to, error);
    }
}

static bool read_row(const piaa_config *config, const piaa_setting *row, piaa_settings *out,
                     piaa_error *error) {
    const piaa_settings_family *family = out->family;
    const piaa_settings *defaults = config->pair ? &family->gguf : &family->defaults;
    value v;
    if (find(config, row, &v)) {
        if (row->kind == PIAA_SETTING_REFUSED)
            return is_nothing(&v) || unsupported(&v, row, family, error);
        if (!read_value(&v, row, out, error)) return false;
        return !(row->flags & PIAA_ONLY) || piaa_setting_same(row, out, defaults) ||
               unsupported(&v, row, family, error);
    }
    if (row->flags & PIAA_MAY_MISS || !v.key[0]) return true;
    if (row->kind == PIAA_SETTING_INT && *(int *)member(row, out) < row->low)
        return wrong(&v, error, PIAA_FORMAT, "is missing or not a whole number");
    return row->kind != PIAA_SETTING_NUMBER || *(double *)member(row, out) > 0 ||
           wrong(&v, error, PIAA_FORMAT, "should be a number above 0");
}

bool piaa_settings_read(const piaa_settings_family *family, const piaa_checkpoint *c,
                        piaa_settings *out, piaa_error *error) {
    const piaa_config config = open_config(c);
    *out = config.pair ? family->gguf : family->defaults;
    out->family = family;
    for (size_t i = 0; i < family->count; i++)
        if (!read_row(&config, &family->rows[i], out, error)) return false;
    return !family->complete || family->complete(out, c, error);
}

/* -------------------------------------------------------------------------------- as config.json
 */

static cJSON *list_of(const piaa_ints *ints, bool kinds) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; list && i < ints->count; i++) {
        cJSON *item =
            kinds ? cJSON_CreateString(ints->items[i] ? "full_attention" : "sliding_attention")
                  : cJSON_CreateNumber(ints->items[i]);
        if (item && cJSON_AddItemToArray(list, item)) continue;
        cJSON_Delete(item);
        cJSON_Delete(list);
        return NULL;
    }
    return list;
}

static cJSON *item_of(const piaa_setting *row, const piaa_settings *settings) {
    const void *from = piaa_setting_member(row, settings);
    switch (row->kind) {
    case PIAA_SETTING_INT:
        return cJSON_CreateNumber(*(const int *)from);
    case PIAA_SETTING_PIXELS:
        return cJSON_CreateNumber((double)*(const int64_t *)from);
    case PIAA_SETTING_NUMBER:
        return cJSON_CreateNumber(*(const double *)from);
    case PIAA_SETTING_FLAG:
        return cJSON_CreateBool(*(const bool *)from);
    case PIAA_SETTING_TEXT:
        return cJSON_CreateString(*(const char *const *)from);
    case PIAA_SETTING_THREE:
        return cJSON_CreateDoubleArray(from, 3);
    default:
        return list_of(from, row->kind == PIAA_SETTING_BLOCKS);
    }
}

/* The object at each part of the dotted key, made where it is not there yet. */
static bool put(cJSON *object, const char *key, cJSON *item) {
    char part[MAX_KEY];
    for (size_t n; object && item && key[n = strcspn(key, ".")]; key += n + 1) {
        snprintf(part, sizeof part, "%.*s", (int)n, key);
        cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, part);
        object = inner ? inner : cJSON_AddObjectToObject(object, part);
    }
    if (object && item && cJSON_AddItemToObject(object, key, item)) return true;
    cJSON_Delete(item);
    return false;
}

/* Nothing is said of an empty list, and of what llama.cpp would take for granted. */
static bool is_said(const piaa_setting *row, const piaa_settings *settings,
                    const piaa_settings *defaults) {
    if (!row->keys || row->flags & PIAA_SILENT || row->kind == PIAA_SETTING_REFUSED) return false;
    if (row->kind == PIAA_SETTING_BLOCKS || row->kind == PIAA_SETTING_AXES)
        return ((const piaa_ints *)piaa_setting_member(row, settings))->count > 0;
    return row->flags & PIAA_SAID || !piaa_setting_same(row, settings, defaults);
}

bool piaa_settings_to_json(const piaa_settings_family *family, const piaa_settings *settings,
                           cJSON **config, cJSON **image, piaa_error *error) {
    static const char *const prefixes[] = {"", "text_config.", "vision_config.", ""};
    *config = cJSON_CreateObject();
    *image = cJSON_CreateObject();
    bool ok = *config && *image && cJSON_AddNumberToObject(*image, "rescale_factor", 1.0 / 255) &&
              cJSON_AddObjectToObject(*config, "text_config") &&
              cJSON_AddObjectToObject(*config, "vision_config") &&
              cJSON_AddStringToObject(*config, "model_type", family->model_type);
    for (size_t i = 0; ok && i < family->count; i++) {
        const piaa_setting *row = &family->rows[i];
        char key[MAX_KEY];
        if (!is_said(row, settings, &family->gguf)) continue;
        snprintf(key, sizeof key, "%s%s", prefixes[row->section], piaa_setting_name(row->keys));
        ok = put(row->section == PIAA_OF_IMAGE ? *image : *config, key, item_of(row, settings));
    }
    if (ok) return true;
    cJSON_Delete(*config);
    cJSON_Delete(*image);
    *config = *image = NULL;
    return piaa_error_set(error, PIAA_MEMORY, "out of memory for the configuration");
}

/* ------------------------------------------------------------------------------------- compared */

bool piaa_setting_same(const piaa_setting *row, const piaa_settings *a, const piaa_settings *b) {
    const void *x = piaa_setting_member(row, a), *y = piaa_setting_member(row, b);
    switch (row->kind) {
    case PIAA_SETTING_INT:
        return *(const int *)x == *(const int *)y;
    case PIAA_SETTING_PIXELS:
        return *(const int64_t *)x == *(const int64_t *)y;
    case PIAA_SETTING_NUMBER: /* as it is computed with, and as GGUF holds it */
        return (float)*(const double *)x == (float)*(const double *)y;
    case PIAA_SETTING_FLAG:
        return *(const bool *)x == *(const bool *)y;
    case PIAA_SETTING_TEXT: {
        const char *one = *(const char *const *)x, *other = *(const char *const *)y;
        return one == other || (one && other && strcmp(one, other) == 0);
    }
    case PIAA_SETTING_THREE:
        return memcmp(x, y, 3 * sizeof(double)) == 0;
    case PIAA_SETTING_REFUSED:
        return true;
    default: {
        const piaa_ints *one = x, *other = y;
        return one->count == other->count &&
               memcmp(one->items, other->items, (size_t)one->count * sizeof *one->items) == 0;
    }
    }
}

const char *piaa_settings_difference(const piaa_settings *a, const piaa_settings *b) {
    for (size_t i = 0; i < a->family->count; i++) {
        const piaa_setting *row = &a->family->rows[i];
        if (row->section != PIAA_OF_IMAGE && !(row->flags & (PIAA_SILENT | PIAA_FOLLOWS)) &&
            !piaa_setting_same(row, a, b))
            return piaa_setting_name(row->keys ? row->keys : row->gguf);
    }
    return NULL;
}

/* --------------------------------------------------------------------------------- unknown keys */

/* Keys that change nothing of what is computed here, wherever they are: of training, of generation,
   of other kinds of input, and of what transformers writes about itself. */
static const char *const idle[] = {
    "architectures", "auto_map", "transformers_version", "dtype", "torch_dtype", "model_type",
    "initializer_range", "initializer_factor", "use_cache", "attention_dropout", "dropout",
    "drop_path_rate", "_name_or_path", "_commit_hash", "_attn_implementation",
    "_attn_implementation_autoset", "attn_implementation", "is_encoder_decoder", "is_decoder",
    "return_dict", "output_attentions", "output_hidden_states", "torchscript", "pruned_heads",
    "use_bfloat16", "tie_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size",
    "chunk_size_feed_forward", "finetuning_task", "id2label", "label2id", "num_labels",
    "problem_type", "task_specific_params", "tokenizer_class", "prefix", "gradient_checkpointing",
    "cache_implementation", "top_k", "top_p", "temperature", "do_sample", "max_length",
    "min_length", "num_beams", "num_beam_groups", "num_return_sequences", "length_penalty",
    "diversity_penalty", "early_stopping", "repetition_penalty", "typical_p",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty",
    "bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "remove_invalid_values",
    "return_dict_in_generate", "output_scores", "tf_legacy_loss", "transformers.js_config",
    "quantization_config", "unsloth_fixed", "unsloth_version", "mrope_interleaved",
    "max_window_layers", "sliding_window", "tokens_per_second", "spatial_patch_size", "in_chans",
    "vision_use_head", "rope_type", "projection_dim", "logit_scale_init_value", "text_config_dict",
    "vision_config_dict", "layerscale_value", "pos_embed_jitter", "pos_embed_shift",
    "pos_embed_rescale", "out_features", "out_indices", "_out_features", "_out_indices",
    "stage_names", "apply_layernorm", "reshape_hidden_states", "text_model_id", "video_config",
    /* GGUF */
    "vocab_size", "rope.scaling.finetuned", "rope.scaling.orig_ctx_len", "attention.causal",
    "tensor_data_layout", "has_vision_encoder", "has_text_encoder", "has_llava_projector",
    "projector_type", "vision.projector_type", "use_gelu"};

static bool is_idle(const char *name) {
    static const char *const endings[] = {"_token_id", "_token_index", "_token_ids"};
    for (size_t i = 0; i < PIAA_COUNT(idle); i++)
        if (strcmp(name, idle[i]) == 0) return true;
    const size_t n = strlen(name);
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
    const bool alone = !family->gguf.one && !before[0]; /* its text model is not read */
    for (const cJSON *item = object->child; item; item = item->next) {
        char key[MAX_KEY];
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
    const piaa_config config = open_config(c);
    if (!config.pair) return search_json(family, &config, c->config, "", out, error);
    return search_gguf(family, &config, c->text, config.section[PIAA_OF_TEXT].prefix, out, error) &&
           search_gguf(family, &config, c->vision, "clip.", out, error);
}
