/* A pair of GGUF files read as the checkpoint that llama.cpp's converter made them from: weights
 * under their names in Hugging Face's folder and in its layout, and a configuration with its keys.
 * So nothing after this file knows that there was a GGUF file.
 *
 * Undone are the additions of one to Gemma's norms, the split of Qwen3-VL's patch kernel along
 * time, and the numbering of its deepstack mergers.  Neither family's projections are permuted. */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "weights/gguf_names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of Qwen3-VL as it is published. */
enum { LEAST_PIXELS = 65536, MOST_PIXELS = 16777216 };
enum { MAX_BLOCKS = 511, GEMMA_PATTERN = 6, GEMMA_27B_BLOCKS = 62 };

/* --------------------------------------------------------------------------------- two that fit */

static const piaa_gguf_family *find_family(const piaa_gguf *text, piaa_error *error) {
    const char *architecture = piaa_gguf_string(text, "general.architecture");
    for (size_t i = 0; architecture && i < piaa_gguf_family_count; i++)
        if (strcmp(architecture, piaa_gguf_families[i].architecture) == 0)
            return &piaa_gguf_families[i];
    char known[128] = "";
    for (size_t i = 0; i < piaa_gguf_family_count; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                 piaa_gguf_families[i].architecture);
    }
    if (!architecture)
        piaa_error_set(
            error, PIAA_FORMAT,
            "%s has no general.architecture, so it is no model that piaa can read; supported: %s",
            piaa_gguf_where(text), known);
    else if (strcmp(architecture, "clip") == 0)
        piaa_error_set(error, PIAA_USAGE,
                       "%s is the vision part (mmproj) of a model: name the text model's GGUF file",
                       piaa_gguf_where(text));
    else
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s is a GGUF file of the architecture %.60s, which piaa does not support; "
                       "supported: %s",
                       piaa_gguf_where(text), architecture, known);
    return NULL;
}

static bool need(const piaa_gguf *file, const char *prefix, const char *key, int64_t low,
                 int64_t high, int64_t *out, piaa_error *error) {
    char name[160];
    int64_t value;
    snprintf(name, sizeof name, "%s.%s", prefix, key);
    if (!piaa_gguf_int(file, name, &value))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s has no whole number under %s: convert the model anew",
                              piaa_gguf_where(file), name);
    if (value < low || value > high)
        return piaa_error_set(error, PIAA_FORMAT, "%s: %s is %lld, expected %lld to %lld",
                              piaa_gguf_where(file), name, (long long)value, (long long)low,
                              (long long)high);
    *out = value;
    return true;
}

static const char *projector(const piaa_gguf *vision) {
    const char *name = piaa_gguf_string(vision, "clip.vision.projector_type");
    if (!name) name = piaa_gguf_string(vision, "clip.projector_type");
    return name ? name : "an unknown kind";
}

bool piaa_gguf_model_known(const piaa_gguf *text, piaa_error *error) {
    return find_family(text, error) != NULL;
}

bool piaa_gguf_model_fits(const piaa_gguf *text, const piaa_gguf *vision, piaa_error *error) {
    const piaa_gguf_family *family = find_family(text, error);
    int64_t hidden = 0, projected = 0;
    if (!family) return false;
    const char *architecture = piaa_gguf_string(vision, "general.architecture");
    if (!architecture || strcmp(architecture, "clip") != 0)
        return piaa_error_set(
            error, PIAA_MISMATCH,
            "%s is a GGUF file of the architecture %.60s, not the vision part (mmproj) of %s",
            piaa_gguf_where(vision), architecture ? architecture : "none", piaa_gguf_where(text));
    if (strcmp(projector(vision), family->projector) != 0)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s is the vision part of another kind of model (%.60s) than %s "
                              "(%s): name that model's own with --mmproj",
                              piaa_gguf_where(vision), projector(vision), piaa_gguf_where(text),
                              family->projector);
    if (!need(text, family->architecture, "embedding_length", 1, 1 << 20, &hidden, error) ||
        !need(vision, "clip.vision", "projection_dim", 1, 1 << 20, &projected, error))
        return false;
    if (hidden != projected)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s makes vectors of %lld values, and %s takes %lld: name that "
                              "model's own with --mmproj",
                              piaa_gguf_where(vision), (long long)projected, piaa_gguf_where(text),
                              (long long)hidden);
    return true;
}

/* -------------------------------------------------------------------------------- configuration */

/* Adds to objects until the first failure, which it keeps: cJSON fails for want of memory alone. */
typedef struct builder {
    const piaa_gguf *file;
    const char *prefix;
    bool ok;
    piaa_error *error;
    cJSON *origins; /* "SECTION.NAME": "FILE: KEY" */
} builder;

static cJSON *keep(builder *b, cJSON *item) {
    if (!item && b->ok)
        b->ok = piaa_error_set(b->error, PIAA_MEMORY, "out of memory for the configuration");
    return item;
}

static void put(builder *b, cJSON *object, const char *name, cJSON *item) {
    if (!keep(b, item) || cJSON_AddItemToObject(object, name, item)) return;
    cJSON_Delete(item);
    keep(b, NULL);
}

static void put_text(builder *b, cJSON *object, const char *name, const char *text) {
    put(b, object, name, cJSON_CreateString(text));
}

static void put_number(builder *b, cJSON *object, const char *name, double value) {
    put(b, object, name, cJSON_CreateNumber(value));
}

static double find_number(const builder *b, const char *key, double fallback) {
    char name[160];
    snprintf(name, sizeof name, "%s.%s", b->prefix, key);
    piaa_gguf_number(b->file, name, &fallback);
    return fallback;
}

static int64_t find_int(const builder *b, const char *key, int64_t fallback) {
    char name[160];
    snprintf(name, sizeof name, "%s.%s", b->prefix, key);
    piaa_gguf_int(b->file, name, &fallback);
    return fallback;
}

/* Notes for messages that the value beside it came from this key. */
static void note_origin(builder *b, const cJSON *object, const char *name, const char *key) {
    char path[96], *text = piaa_format(NULL, "%s: %s.%s", piaa_gguf_where(b->file), b->prefix, key);
    snprintf(path, sizeof path, "%s.%s", object->string ? object->string : "", name);
    if (text) put(b, b->origins, path, cJSON_CreateString(text));
    free(text);
}

/* A number that has to be in the metadata. */
static int64_t put_needed(builder *b, cJSON *object, const char *name, const char *key,
                          int64_t high) {
    int64_t value = 1;
    if (b->ok) b->ok = need(b->file, b->prefix, key, 1, high, &value, b->error);
    put_number(b, object, name, (double)value);
    note_origin(b, object, name, key);
    return value;
}

/* One that may be there. */
static void put_found(builder *b, cJSON *object, const char *name, const char *key,
                      double fallback) {
    put_number(b, object, name, find_number(b, key, fallback));
    note_origin(b, object, name, key);
}

/* The length of a matrix, where the metadata do not say it. */
static int64_t rows_of(builder *b, const char *name) {
    const piaa_tensor *tensor = piaa_gguf_find(b->file, name);
    if (tensor && tensor->dimensions == 2) return tensor->shape[0];
    if (b->ok)
        b->ok = piaa_error_set(b->error, PIAA_FORMAT, "%s has no matrix %s: convert the model anew",
                               piaa_gguf_where(b->file), name);
    return 1;
}

/* Numbers of an array, at most `limit`; false if it is not there or not of numbers. */
static bool put_array(builder *b, cJSON *object, const char *name, const char *key,
                      uint64_t limit) {
    piaa_gguf_array array;
    if (!piaa_gguf_get_array(b->file, key, &array) || piaa_gguf_array_is_text(&array)) return false;
    cJSON *list = keep(b, cJSON_CreateArray());
    for (uint64_t i = 0; list && i < array.count && i < limit; i++) {
        double value = piaa_gguf_next_number(&array);
        cJSON *item = keep(b, cJSON_CreateNumber(isfinite(value) ? value : 0));
        if (item) cJSON_AddItemToArray(list, item);
    }
    if (list) put(b, object, name, list);
    return list != NULL;
}

static cJSON *put_object(builder *b, cJSON *object, const char *name) {
    cJSON *inner = keep(b, cJSON_CreateObject());
    if (inner) put(b, object, name, inner);
    return inner;
}

/* What every decoder has. */
static void put_decoder(builder *b, cJSON *text) {
    int64_t hidden = put_needed(b, text, "hidden_size", "embedding_length", 1 << 20);
    put_needed(b, text, "num_hidden_layers", "block_count", MAX_BLOCKS);
    int64_t heads = put_needed(b, text, "num_attention_heads", "attention.head_count", 1024);
    put_needed(b, text, "intermediate_size", "feed_forward_length", 1 << 24);
    put_found(b, text, "num_key_value_heads", "attention.head_count_kv", (double)heads);
    put_found(b, text, "head_dim", "attention.key_length", (double)(hidden / heads));
    put_found(b, text, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6);
    put_number(b, text, "max_position_embeddings", (double)find_int(b, "context_length", 0));
    put_number(b, text, "vocab_size", (double)rows_of(b, "token_embd.weight"));
    put(b, text, "tie_word_embeddings",
        cJSON_CreateBool(!piaa_gguf_find(b->file, "output.weight")));
    put(b, text, "attention_bias",
        cJSON_CreateBool(piaa_gguf_find(b->file, "blk.0.attn_q.bias") != NULL));
}

static void put_encoder(builder *b, cJSON *vision, const char *blocks, const char *heads) {
    put_needed(b, vision, "hidden_size", "embedding_length", 1 << 20);
    put_needed(b, vision, "intermediate_size", "feed_forward_length", 1 << 24);
    put_needed(b, vision, blocks, "block_count", MAX_BLOCKS);
    put_needed(b, vision, heads, "attention.head_count", 1024);
    put_needed(b, vision, "patch_size", "patch_size", 1024);
    put_text(b, vision, "hidden_act", "gelu_pytorch_tanh");
}

static void put_image(builder *b, cJSON *image, int resample) {
    put_array(b, image, "image_mean", "clip.vision.image_mean", 3);
    put_array(b, image, "image_std", "clip.vision.image_std", 3);
    put_number(b, image, "resample", resample);
    put_number(b, image, "rescale_factor", 1.0 / 255);
}

static void put_qwen3vl(builder *text_file, builder *vision_file, cJSON *text, cJSON *vision,
                        cJSON *image) {
    put_text(text_file, text, "hidden_act", "silu");
    cJSON *rope = put_object(text_file, text, "rope_parameters");
    put_number(text_file, rope, "rope_theta", find_number(text_file, "rope.freq_base", 5e6));
    put_array(text_file, rope, "mrope_section", "qwen3vl.rope.dimension_sections", 3);

    put_encoder(vision_file, vision, "depth", "num_heads");
    put_needed(vision_file, vision, "out_hidden_size", "projection_dim", 1 << 20);
    put_number(vision_file, vision, "in_channels", 3);
    put_number(vision_file, vision, "temporal_patch_size", 2);
    put_found(vision_file, vision, "spatial_merge_size", "spatial_merge_size", 2);
    put_number(vision_file, vision, "num_position_embeddings",
               (double)rows_of(vision_file, "v.position_embd.weight"));
    cJSON *list = keep(vision_file, cJSON_CreateArray());
    piaa_gguf_array flags;
    if (piaa_gguf_get_array(vision_file->file, "clip.vision.is_deepstack_layers", &flags) &&
        !piaa_gguf_array_is_text(&flags))
        for (uint64_t i = 0; list && i < flags.count && i <= MAX_BLOCKS; i++)
            if (piaa_gguf_next_number(&flags) != 0) {
                cJSON *item = keep(vision_file, cJSON_CreateNumber((double)i));
                if (item) cJSON_AddItemToArray(list, item);
            }
    int marked = cJSON_GetArraySize(list);
    if (list) put(vision_file, vision, "deepstack_visual_indexes", list);
    int64_t expected = find_int(text_file, "n_deepstack_layers", marked);
    if (vision_file->ok && expected != marked)
        vision_file->ok = piaa_error_set(
            vision_file->error, PIAA_MISMATCH,
            "%s has %d deepstack layers, and %s takes %lld: name that model's own with --mmproj",
            piaa_gguf_where(vision_file->file), marked, piaa_gguf_where(text_file->file),
            (long long)expected);

    put_image(vision_file, image, 3);
    /* Only some converters note the limits; without them the family's own hold. */
    int64_t least = find_int(vision_file, "image_min_pixels", 0),
            most = find_int(vision_file, "image_max_pixels", 0);
    const bool noted = least > 0 && most > 0;
    cJSON *size = put_object(vision_file, image, "size");
    put_number(vision_file, size, "shortest_edge", noted ? (double)least : LEAST_PIXELS);
    put_number(vision_file, size, "longest_edge", noted ? (double)most : MOST_PIXELS);
}

static void put_gemma3(builder *text_file, builder *vision_file, cJSON *config, cJSON *text,
                       cJSON *vision, cJSON *image) {
    int64_t hidden = find_int(text_file, "embedding_length", 1),
            heads = find_int(text_file, "attention.head_count", 1);
    int64_t blocks = find_int(text_file, "block_count", 1),
            pattern = find_int(text_file, "attention.sliding_window_pattern", GEMMA_PATTERN);
    put_text(text_file, text, "hidden_activation", "gelu_pytorch_tanh");
    put_found(text_file, text, "sliding_window", "attention.sliding_window", 0);
    /* The metadata do not hold it: the largest model differs from the others, and llama.cpp too
       knows it by its blocks. */
    put_number(text_file, text, "query_pre_attn_scalar",
               (double)(blocks == GEMMA_27B_BLOCKS
                            ? hidden / (heads > 0 ? heads : 1)
                            : find_int(text_file, "attention.key_length", 256)));
    cJSON *types = keep(text_file, cJSON_CreateArray());
    for (int64_t i = 0; types && i < blocks && i < MAX_BLOCKS; i++) {
        cJSON *item = keep(text_file, cJSON_CreateString(pattern > 0 && (i + 1) % pattern == 0
                                                             ? "full_attention"
                                                             : "sliding_attention"));
        if (item) cJSON_AddItemToArray(types, item);
    }
    if (types) put(text_file, text, "layer_types", types);
    cJSON *rope = put_object(text_file, text, "rope_parameters");
    cJSON *full = put_object(text_file, rope, "full_attention"),
          *sliding = put_object(text_file, rope, "sliding_attention");
    double factor = find_number(text_file, "rope.scaling.factor", 1);
    put_number(text_file, full, "rope_theta", find_number(text_file, "rope.freq_base", 1e6));
    put_text(text_file, full, "rope_type", factor == 1 ? "default" : "linear");
    if (factor != 1) put_number(text_file, full, "factor", factor);
    put_number(text_file, sliding, "rope_theta", find_number(text_file, "rope.freq_base_swa", 1e4));
    put_text(text_file, sliding, "rope_type", "default");
    double cap = find_number(text_file, "final_logit_softcapping", 0);
    if (cap > 0)
        put_found(text_file, text, "final_logit_softcapping", "final_logit_softcapping", cap);

    put_encoder(vision_file, vision, "num_hidden_layers", "num_attention_heads");
    int64_t side = put_needed(vision_file, vision, "image_size", "image_size", 1 << 16);
    int64_t patch = find_int(vision_file, "patch_size", 14),
            scale = find_int(vision_file, "projector.scale_factor", 4);
    put_text(vision_file, vision, "model_type", "siglip_vision_model");
    put_number(vision_file, vision, "num_channels", 3);
    put_found(vision_file, vision, "layer_norm_eps", "attention.layer_norm_epsilon", 1e-6);
    int64_t tokens = patch > 0 && scale > 0 ? side / patch / scale : 0;
    put_number(vision_file, config, "mm_tokens_per_image", (double)(tokens * tokens));

    put_image(vision_file, image, 2);
    put_number(vision_file, image, "image_seq_length", (double)(tokens * tokens));
    cJSON *size = put_object(vision_file, image, "size");
    put_number(vision_file, size, "height", (double)side);
    put_number(vision_file, size, "width", (double)side);
}

static bool make_config(piaa_checkpoint *c, const piaa_gguf_family *family, piaa_error *error) {
    c->origins = cJSON_CreateObject();
    builder text_file = {c->text, family->architecture, true, error, c->origins};
    builder vision_file = {c->vision, "clip.vision", true, error, c->origins};
    if (!keep(&text_file, c->origins)) return false;
    c->config = keep(&text_file, cJSON_CreateObject());
    c->processor = keep(&text_file, cJSON_CreateObject());
    cJSON *text = put_object(&text_file, c->config, "text_config"),
          *vision = put_object(&text_file, c->config, "vision_config");
    put_text(&text_file, c->config, "model_type", family->model_type);
    if (!text_file.ok) return false;
    put_decoder(&text_file, text);
    put(&text_file, c->config, "tie_word_embeddings",
        cJSON_CreateBool(!piaa_gguf_find(c->text, "output.weight")));
    if (!text_file.ok) return false;
    if (strcmp(family->architecture, "qwen3vl") == 0)
        put_qwen3vl(&text_file, &vision_file, text, vision, c->processor);
    else
        put_gemma3(&text_file, &vision_file, c->config, text, vision, c->processor);
    if (!text_file.ok || !vision_file.ok) return false;
    c->image_config = c->processor;
    c->config_text = cJSON_Print(c->config); /* for the fingerprint */
    if (!c->config_text) return keep(&text_file, NULL) != NULL;
    c->config_size = strlen(c->config_text);
    return true;
}

/* -------------------------------------------------------------------------------------- weights */

/* Makes the entry's data its own, as float32 [count]. */
static bool own(piaa_checkpoint_entry *e, size_t count, piaa_error *error) {
    e->owned = piaa_alloc_array(count, sizeof *e->owned, error);
    if (!e->owned) return false;
    e->tensor.type = PIAA_F32;
    e->tensor.dtype = "F32";
    e->tensor.data = e->owned;
    e->tensor.bytes = count * sizeof *e->owned;
    return true;
}

static bool subtract_one(piaa_checkpoint_entry *e, piaa_error *error) {
    piaa_tensor stored = e->tensor;
    if (stored.type == PIAA_OTHER_TYPE) return true; /* refused where it is needed */
    size_t count = (size_t)piaa_tensor_count(&stored);
    if (!own(e, count, error)) return false;
    piaa_tensor_to_float(&stored, e->owned);
    for (size_t i = 0; i < count; i++) e->owned[i] -= 1.0f;
    return true;
}

/* [rows, channels, p, p] twice becomes [rows, channels, 2, p, p]. */
static bool join_halves(piaa_checkpoint_entry *e, const piaa_gguf *file, piaa_error *error) {
    char name[160];
    snprintf(name, sizeof name, "%.120s.1", e->spelling);
    const piaa_tensor halves[2] = {
        e->tensor, piaa_gguf_find(file, name) ? *piaa_gguf_find(file, name) : (piaa_tensor){0}};
    bool fit = halves[0].dimensions == 4 && halves[1].dimensions == 4 &&
               memcmp(halves[0].shape, halves[1].shape, sizeof halves[0].shape) == 0;
    if (!fit || halves[0].type == PIAA_OTHER_TYPE || halves[1].type == PIAA_OTHER_TYPE)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: the tensors %s and %s should be two kernels of the same shape: "
                              "convert the model anew",
                              piaa_gguf_where(file), e->spelling, name);
    size_t count = (size_t)piaa_tensor_count(&halves[0]),
           plane = (size_t)(halves[0].shape[2] * halves[0].shape[3]);
    float *one = piaa_alloc_array(count, sizeof *one, error);
    bool ok = one && own(e, 2 * count, error);
    for (size_t half = 0; ok && half < 2; half++) {
        piaa_tensor_to_float(&halves[half], one);
        for (size_t i = 0; plane && i < count / plane; i++)
            memcpy(e->owned + (2 * i + half) * plane, one + i * plane, plane * sizeof *one);
    }
    free(one);
    e->tensor.dimensions = 5;
    for (int i = 0; i < 2; i++) e->tensor.shape[3 + i] = halves[0].shape[2 + i];
    e->tensor.shape[2] = 2;
    return ok;
}

/* The place of a block among those with deepstack mergers; -1 if it is none of them. */
static int deepstack_place(const piaa_checkpoint *c, int block) {
    int place = 0;
    for (const cJSON *item =
             piaa_json_find(c->config, "vision_config.deepstack_visual_indexes")->child;
         item; item = item->next, place++)
        if (item->valueint == block) return place;
    return -1;
}

/* Conversions of Gemma 3 before mid-2025 have the names of the two halves of its vision MLP
   exchanged: told by the shape. */
static bool mlp_is_swapped(const piaa_gguf *vision) {
    const piaa_tensor *down = piaa_gguf_find(vision, "v.blk.0.ffn_down.weight");
    int64_t hidden = 0;
    return down && down->dimensions == 2 &&
           piaa_gguf_int(vision, "clip.vision.embedding_length", &hidden) &&
           down->shape[1] == hidden && down->shape[0] != hidden;
}

static void swap_mlp(char *name) {
    char *part = strstr(name, ".mlp.fc");
    if (part) part[7] = part[7] == '1' ? '2' : '1';
}

static bool add_entries(piaa_checkpoint *c, const piaa_gguf_family *family, const piaa_gguf *file,
                        piaa_error *error) {
    bool swapped =
        file == c->vision && strcmp(family->architecture, "gemma3") == 0 && mlp_is_swapped(file);
    for (size_t i = 0; i < piaa_gguf_count(file); i++) {
        const piaa_tensor *tensor = piaa_gguf_at(file, i);
        int block;
        const char *rest;
        const piaa_gguf_name *row = piaa_gguf_name_find(family, false, tensor->name, &block, &rest);
        if (row && row->change == PIAA_GGUF_DEEPSTACK) {
            block = deepstack_place(c, block);
            if (block < 0) row = NULL;
        }
        piaa_checkpoint_entry *e = &c->entries[c->count++];
        e->tensor = *tensor;
        e->spelling = tensor->name;
        e->gguf = file;
        if (!row) continue; /* nothing asks for it */
        e->canonical = piaa_gguf_name_make(row->ours, block, rest, error);
        if (!e->canonical) return false;
        if (swapped) swap_mlp(e->canonical);
        e->tensor.name = e->canonical;
        if (row->change == PIAA_GGUF_PLUS_ONE && !subtract_one(e, error)) return false;
        if (row->change == PIAA_GGUF_HALVES && !join_halves(e, file, error)) return false;
    }
    return true;
}

bool piaa_gguf_model_read(piaa_checkpoint *c, piaa_error *error) {
    if (!piaa_gguf_model_fits(c->text, c->vision, error)) return false;
    const piaa_gguf_family *family = find_family(c->text, error);
    c->entries = piaa_alloc(piaa_gguf_count(c->text) + piaa_gguf_count(c->vision),
                            sizeof *c->entries, error);
    return c->entries && make_config(c, family, error) && add_entries(c, family, c->text, error) &&
           add_entries(c, family, c->vision, error);
}
