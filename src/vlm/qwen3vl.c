/*
 * Qwen3-VL: a vision transformer whose 2 x 2 patches are merged into decoder tokens, DeepStack
 * features from three of its blocks added to the first decoder blocks, and a decoder with
 * grouped-query attention and interleaved rotary positions (time, height, width).
 *
 * Reference: Hugging Face transformers, models/qwen3_vl/modeling_qwen3_vl.py (5.23).  What is easy
 * to get wrong:
 *   - hidden state i is block i's own output, recorded before DeepStack adds to its image rows; the
 *     last one is recorded after the final norm;
 *   - position embeddings are interpolated bilinearly (corners aligned) from a square trained grid,
 *     in merge-block order;
 *   - rotary axis of frequency j: height if j % 3 == 1 and j < 3 s_h, width if j % 3 == 2 and j < 3
 *     s_w, else time; after the image, positions go on from the larger side of its merged grid, not
 *     from the number of its tokens.
 *
 * Early exit: only the blocks up to the last layer asked for are built; in the last one, rows that
 * no pool reads are dropped as soon as their keys and values exist.
 */
#include "vlm/config.h"
#include "vlm/decoder.h"

#include "base/json.h"
#include "base/memory.h"
#include "image/patches.h"
#include "image/planes.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEEPSTACK = 16, MAX_LAYERS = 511, LEAST_PIXELS_MOST = 1 << 24 };

typedef struct qwen_config {
    const piaa_checkpoint *checkpoint;
    int hidden, layers, heads, kv_heads, head_dim, intermediate;
    int64_t vocabulary;
    float rms_eps, rope_theta;
    int section[4];
    bool tied;
    int vision, vision_layers, vision_heads, vision_intermediate, grid_side;
    int deepstack[MAX_DEEPSTACK], deepstack_count;
    piaa_qwen_pixels_config pixels;
    float *position_table; /* [grid_side * grid_side][vision] */
    const piaa_tensor *embeddings;
    int64_t patch_length;
} qwen_config;

/* -------------------------------------------------------------------------------- configuration */

/* Value of the first key that is there. */
static bool first_number(const cJSON *json, const char *const *keys, double *out) {
    for (; *keys; keys++)
        if (piaa_json_number(json, *keys, out)) return true;
    return false;
}

static bool expect_text(const cJSON *json, const char *key, const char *expected, const char *where,
                        piaa_error *error) {
    const char *value = piaa_json_string(json, key);
    if (!value || strcmp(value, expected) == 0) return true;
    return piaa_error_set(error, PIAA_UNSUPPORTED, "%s: \"%s\" is \"%s\", only \"%s\" is supported",
                          where, key, value, expected);
}

static bool read_text_config(qwen_config *c, const cJSON *json, const char *where,
                             piaa_error *error) {
    const piaa_config text = {json, "text_config.", c->checkpoint};
    int vocabulary;
    if (!piaa_config_int(&text, "hidden_size", 0, 8, 65536, &c->hidden, error) ||
        !piaa_config_int(&text, "num_hidden_layers", 0, 1, MAX_LAYERS, &c->layers, error) ||
        !piaa_config_int(&text, "num_attention_heads", 0, 1, 1024, &c->heads, error) ||
        !piaa_config_int(&text, "num_key_value_heads", 0, 1, 1024, &c->kv_heads, error) ||
        !piaa_config_int(&text, "intermediate_size", 0, 1, 1 << 20, &c->intermediate, error) ||
        !piaa_config_int(&text, "vocab_size", 0, 1, 1 << 24, &vocabulary, error) ||
        !piaa_config_int(&text, "head_dim", c->hidden / c->heads, 2, 1024, &c->head_dim, error))
        return false;
    c->vocabulary = vocabulary;
    if (c->heads % c->kv_heads || c->head_dim % 2)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: %d heads of %d values with %d key/value heads do not fit together", where,
            c->heads, c->head_dim, c->kv_heads);
    if (!piaa_config_positive(&text, "rms_norm_eps", 1e-6, &c->rms_eps, error)) return false;
    static const char *const theta[] = {"text_config.rope_parameters.rope_theta",
                                        "text_config.rope_theta",
                                        "text_config.rope_scaling.rope_theta", NULL};
    double value = 5e6;
    first_number(json, theta, &value);
    if (!(value > 1.0) || value > FLT_MAX)
        return piaa_error_set(error, PIAA_FORMAT, "%s: rope_theta is %g, expected more than 1",
                              where, value);
    c->rope_theta = (float)value;
    int64_t section[4] = {24, 20, 20, 0};
    int n = piaa_json_ints(json, "text_config.rope_parameters.mrope_section", section, 4);
    if (n < 0) n = piaa_json_ints(json, "text_config.rope_scaling.mrope_section", section, 4);
    int64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        if (section[i] < 0 || section[i] > 512) sum = -4096;
        sum += section[i];
        c->section[i] = (int)section[i];
    }
    if ((n >= 0 && n != 3) || sum != c->head_dim / 2)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: mrope_section should be three numbers that add up to half of head_dim (%d)", where,
            c->head_dim / 2);
    bool flag = false;
    if (piaa_json_bool(json, "text_config.attention_bias", &flag) && flag)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%s: attention_bias true is not supported",
                              where);
    if (!piaa_json_bool(json, "tie_word_embeddings", &c->tied))
        piaa_json_bool(json, "text_config.tie_word_embeddings", &c->tied);
    return expect_text(json, "text_config.hidden_act", "silu", where, error);
}

static bool read_vision_config(qwen_config *c, const cJSON *json, const char *where,
                               piaa_error *error) {
    const piaa_config vision = {json, "vision_config.", c->checkpoint};
    int positions, channels, out_hidden;
    if (!piaa_config_int(&vision, "hidden_size", 0, 8, 65536, &c->vision, error) ||
        !piaa_config_int(&vision, "depth", 0, 1, MAX_LAYERS, &c->vision_layers, error) ||
        !piaa_config_int(&vision, "num_heads", 0, 1, 1024, &c->vision_heads, error) ||
        !piaa_config_int(&vision, "intermediate_size", 0, 1, 1 << 20, &c->vision_intermediate,
                         error) ||
        !piaa_config_int(&vision, "patch_size", 0, 1, 256, &c->pixels.patch_size, error) ||
        !piaa_config_int(&vision, "temporal_patch_size", 0, 1, 16, &c->pixels.temporal_patch_size,
                         error) ||
        !piaa_config_int(&vision, "spatial_merge_size", 0, 1, 16, &c->pixels.merge_size, error) ||
        !piaa_config_int(&vision, "num_position_embeddings", 0, 1, 1 << 20, &positions, error) ||
        !piaa_config_int(&vision, "out_hidden_size", 0, 1, 65536, &out_hidden, error) ||
        !piaa_config_int(&vision, "in_channels", 3, 3, 3, &channels, error))
        return false;
    if (out_hidden != c->hidden)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the vision encoder's out_hidden_size is %d but the decoder's hidden_size is %d",
            where, out_hidden, c->hidden);
    if (c->vision % c->vision_heads || (c->vision / c->vision_heads) % 4)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: %d vision heads do not divide %d values into multiples of 4",
                              where, c->vision_heads, c->vision);
    c->grid_side = (int)lround(sqrt(positions));
    if (c->grid_side * c->grid_side != positions)
        return piaa_error_set(error, PIAA_FORMAT, "%s: num_position_embeddings is %d, not a square",
                              where, positions);
    int64_t deepstack[MAX_DEEPSTACK];
    c->deepstack_count =
        piaa_json_ints(json, "vision_config.deepstack_visual_indexes", deepstack, MAX_DEEPSTACK);
    if (c->deepstack_count < 0)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: \"vision_config.deepstack_visual_indexes\" should be a list of "
                              "at most %d block numbers",
                              where, MAX_DEEPSTACK);
    for (int i = 0; i < c->deepstack_count; i++) {
        if (deepstack[i] < 0 || deepstack[i] >= c->vision_layers)
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%s: deepstack_visual_indexes names block %lld of %d", where,
                                  (long long)deepstack[i], c->vision_layers);
        c->deepstack[i] = (int)deepstack[i];
    }
    c->patch_length = (int64_t)channels * c->pixels.temporal_patch_size * c->pixels.patch_size *
                      c->pixels.patch_size;
    return expect_text(json, "vision_config.hidden_act", "gelu_pytorch_tanh", where, error);
}

static bool read_image_config(qwen_config *c, const cJSON *json, const char *folder,
                              piaa_error *error) {
    piaa_qwen_pixels_config *p = &c->pixels;
    p->min_pixels = 65536;
    p->max_pixels = 16777216;
    p->filter = PIAA_BICUBIC;
    p->rescale_factor = 1.0 / 255.0;
    for (int i = 0; i < 3; i++) p->mean[i] = p->std[i] = 0.5f;
    if (!piaa_planes_read_three(json, "image_mean", p->mean, folder, error) ||
        !piaa_planes_read_three(json, "image_std", p->std, folder, error))
        return false;
    if (!json) return true;
    if (!piaa_json_int(json, "size.shortest_edge", &p->min_pixels))
        piaa_json_int(json, "min_pixels", &p->min_pixels);
    if (!piaa_json_int(json, "size.longest_edge", &p->max_pixels))
        piaa_json_int(json, "max_pixels", &p->max_pixels);
    int64_t value = 3;
    piaa_json_int(json, "resample", &value);
    if (value != 2 && value != 3)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: resample %lld is not supported (2 bilinear, 3 bicubic)", folder,
                              (long long)value);
    p->filter = value == 2 ? PIAA_BILINEAR : PIAA_BICUBIC;
    piaa_json_number(json, "rescale_factor", &p->rescale_factor);
    int64_t patch = p->patch_size, temporal = p->temporal_patch_size, merge = p->merge_size;
    piaa_json_int(json, "patch_size", &patch);
    piaa_json_int(json, "temporal_patch_size", &temporal);
    piaa_json_int(json, "merge_size", &merge);
    if (patch != p->patch_size || temporal != p->temporal_patch_size || merge != p->merge_size)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s: the image processor's patches (%lld, %lld, %lld) differ from "
                              "the model's (%d, %d, %d)",
                              folder, (long long)patch, (long long)temporal, (long long)merge,
                              p->patch_size, p->temporal_patch_size, p->merge_size);
    int64_t tile = (int64_t)p->patch_size * p->merge_size;
    if (p->min_pixels < 1 || p->max_pixels < tile * tile || p->min_pixels > p->max_pixels ||
        p->min_pixels > LEAST_PIXELS_MOST || p->max_pixels > (int64_t)1 << 32)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the image processor's size limits (%lld to %lld pixels) make no sense", folder,
            (long long)p->min_pixels, (long long)p->max_pixels);
    return piaa_planes_check(p->rescale_factor, p->std, folder, error);
}

static void qwen_close(void *config) {
    qwen_config *c = config;
    if (c) free(c->position_table);
    free(c);
}

static void *qwen_open(const piaa_checkpoint *checkpoint, const piaa_tokenizer *tokenizer,
                       piaa_model_info *info, piaa_error *error) {
    PIAA_UNUSED(tokenizer);
    qwen_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    c->checkpoint = checkpoint;
    const cJSON *json = piaa_checkpoint_config(checkpoint);
    const char *where = piaa_checkpoint_where(checkpoint);
    const piaa_tensor *table = NULL;
    bool ok = read_text_config(c, json, where, error) &&
              read_vision_config(c, json, where, error) &&
              read_image_config(c, piaa_checkpoint_image_config(checkpoint),
                                piaa_checkpoint_folder(checkpoint), error);
    if (ok) {
        c->embeddings =
            piaa_checkpoint_need(checkpoint, error, "model.language_model.embed_tokens.weight", 2,
                                 c->vocabulary, (int64_t)c->hidden);
        table = c->embeddings
                    ? piaa_checkpoint_need(checkpoint, error, "model.visual.pos_embed.weight", 2,
                                           (int64_t)c->grid_side * c->grid_side, (int64_t)c->vision)
                    : NULL;
        c->position_table =
            table ? piaa_alloc_array((size_t)piaa_tensor_count(table), sizeof(float), error) : NULL;
        ok = c->position_table != NULL;
    }
    if (!ok) {
        qwen_close(c);
        return NULL;
    }
    piaa_tensor_to_float(table, c->position_table);
    info->layout = (piaa_layout){.decoder_layers = c->layers,
                                 .hidden_size = c->hidden,
                                 .vision_blocks = c->vision_layers,
                                 .vision_size = c->vision};
    info->heads = c->heads;
    info->kv_heads = c->kv_heads;
    info->head_dim = c->head_dim;
    info->intermediate = c->intermediate;
    info->vocabulary = (int)c->vocabulary;
    info->vision_heads = c->vision_heads;
    info->vision_intermediate = c->vision_intermediate;
    info->patch = c->pixels.patch_size;
    info->merge = c->pixels.merge_size;
    info->min_pixels = c->pixels.min_pixels;
    info->max_pixels = c->pixels.max_pixels;
    return c;
}

/* ---------------------------------------------------------------------------------------- input */

typedef struct qwen_input {
    piaa_qwen_pixels pixels;
    piaa_decoder_input text;
    int patches;
    int32_t *vision_positions; /* [4][patches]: row, column, 0, 0 */
    float *vision_embeddings;  /* [patches][vision] */
    float *vision_pool;        /* [patches] of 1 / patches */
    int32_t *positions,
        *row_positions; /* [4][tokens]: time, height, width, time; and of the text's rows alone */
    float *vision_rotary, *rotary,
        *row_rotary; /* the same as our kernels take them: cosines and sines, [n][dim] */
    ggml_fp16_t *mask,
        *row_mask; /* causal, [n][tokens], made where ggml's attention asks for them */
} qwen_input;

static void qwen_input_free(void *input) {
    qwen_input *in = input;
    if (!in) return;
    piaa_qwen_pixels_free(&in->pixels);
    piaa_decoder_input_free(&in->text);
    free(in->vision_positions);
    free(in->vision_embeddings);
    free(in->vision_pool);
    free(in->positions);
    free(in->row_positions);
    free(in->vision_rotary);
    free(in->rotary);
    free(in->row_rotary);
    free(in->mask);
    free(in->row_mask);
    free(in);
}

static void qwen_input_count(const void *input, int *tokens, int *image_tokens) {
    const qwen_input *in = input;
    *tokens = in->text.tokens;
    *image_tokens = in->text.image;
}

/* Where target position `index` of `size` falls on the trained axis of `side`, corners aligned: the
 * lower tap, and the upper one's weight.
 */
static void axis_taps(int index, int size, int side, int taps[2], float weights[2]) {
    float source = (float)index * (float)(side - 1) / (float)(size > 1 ? size - 1 : 1);
    float floor_value = floorf(source);
    taps[0] = (int)floor_value;
    taps[1] = taps[0] + 1 < side ? taps[0] + 1 : side - 1;
    weights[1] = source - floor_value;
    weights[0] = 1.0f - weights[1];
}

/* Patches come in merge blocks: all m x m patches of one merged token together. */
static bool make_vision_positions(const qwen_config *c, qwen_input *in, piaa_error *error) {
    int h = in->pixels.grid_h, w = in->pixels.grid_w, m = c->pixels.merge_size, n = in->patches;
    in->vision_positions = piaa_alloc((size_t)n * 4, sizeof(int32_t), error);
    in->vision_embeddings = piaa_alloc_array((size_t)n * (size_t)c->vision, sizeof(float), error);
    in->vision_pool = piaa_alloc((size_t)n, sizeof(float), error);
    if (!in->vision_positions || !in->vision_embeddings || !in->vision_pool) return false;
    int index = 0;
    for (int block_row = 0; block_row < h / m; block_row++)
        for (int block_column = 0; block_column < w / m; block_column++)
            for (int inner = 0; inner < m * m; inner++, index++) {
                int row = block_row * m + inner / m, column = block_column * m + inner % m;
                in->vision_positions[index] = row;
                in->vision_positions[n + index] = column;
                in->vision_pool[index] = 1.0f / (float)n;
                int ys[2], xs[2];
                float wy[2], wx[2];
                axis_taps(row, h, c->grid_side, ys, wy);
                axis_taps(column, w, c->grid_side, xs, wx);
                float *out = in->vision_embeddings + (size_t)index * (size_t)c->vision;
                const float *t00 =
                    c->position_table + (size_t)(ys[0] * c->grid_side + xs[0]) * (size_t)c->vision;
                const float *t01 =
                    c->position_table + (size_t)(ys[0] * c->grid_side + xs[1]) * (size_t)c->vision;
                const float *t10 =
                    c->position_table + (size_t)(ys[1] * c->grid_side + xs[0]) * (size_t)c->vision;
                const float *t11 =
                    c->position_table + (size_t)(ys[1] * c->grid_side + xs[1]) * (size_t)c->vision;
                float w00 = wy[0] * wx[0], w01 = wy[0] * wx[1], w10 = wy[1] * wx[0],
                      w11 = wy[1] * wx[1];
                for (int d = 0; d < c->vision; d++)
                    out[d] = t00[d] * w00 + t01[d] * w01 + t10[d] * w10 + t11[d] * w11;
            }
    return true;
}

/* Cosines and sines of position x frequency, [positions][half][2]; frequency j is base^(-2j / dim)
 * rounded to float32 like the product with the position, as the reference has it. */
static float *make_angles(int positions, int half, double base, double dim, piaa_error *error) {
    float *angles = piaa_alloc_array((size_t)positions * (size_t)half * 2, sizeof *angles, error);
    for (int j = 0; angles && j < half; j++) {
        float frequency = (float)pow(base, -2.0 * j / dim);
        for (int p = 0; p < positions; p++) {
            float angle = (float)p * frequency;
            angles[(p * half + j) * 2] = cosf(angle);
            angles[(p * half + j) * 2 + 1] = sinf(angle);
        }
    }
    return angles;
}

/* Half the angles of a vision head are the row's, half the column's. */
static bool make_vision_rotary(const qwen_config *c, qwen_input *in, piaa_error *error) {
    int n = in->patches, dim = c->vision / c->vision_heads, half = dim / 2, quarter = dim / 4;
    int side = in->pixels.grid_h > in->pixels.grid_w ? in->pixels.grid_h : in->pixels.grid_w;
    float *angles = make_angles(side, quarter, 10000.0, half, error);
    in->vision_rotary =
        angles ? piaa_alloc_array((size_t)n * (size_t)dim, sizeof(float), error) : NULL;
    for (int t = 0; in->vision_rotary && t < n; t++)
        for (int j = 0; j < half; j++) {
            int position = in->vision_positions[(j < quarter ? 0 : n) + t];
            const float *angle = angles + (position * quarter + j % quarter) * 2;
            in->vision_rotary[t * dim + j] = angle[0];
            in->vision_rotary[t * dim + half + j] = angle[1];
        }
    free(angles);
    return in->vision_rotary != NULL;
}

static bool make_decoder_rotary(const qwen_config *c, qwen_input *in, piaa_error *error) {
    int n = in->text.tokens, dim = c->head_dim, half = dim / 2, farthest = 0, row = 0;
    for (int i = 0; i < 3 * n; i++)
        if (in->positions[i] > farthest) farthest = in->positions[i];
    float *angles = make_angles(farthest + 1, half, c->rope_theta, dim, error);
    in->rotary = angles ? piaa_alloc_array((size_t)n * (size_t)dim, sizeof(float), error) : NULL;
    in->row_rotary =
        in->rotary ? piaa_alloc_array((size_t)in->text.text * (size_t)dim, sizeof(float), error)
                   : NULL;
    for (int t = 0; in->row_rotary && t < n; t++) {
        float *out = in->rotary + (size_t)t * (size_t)dim;
        for (int j = 0; j < half; j++) {
            int axis = j % 3 == 1 && j < 3 * c->section[1]   ? 1
                       : j % 3 == 2 && j < 3 * c->section[2] ? 2
                                                             : 0;
            const float *angle =
                angles + ((size_t)in->positions[axis * n + t] * (size_t)half + (size_t)j) * 2;
            out[j] = angle[0];
            out[half + j] = angle[1];
        }
        if (row < in->text.text && in->text.rows[row] == t)
            memcpy(in->row_rotary + (size_t)row++ * (size_t)dim, out, (size_t)dim * sizeof *out);
    }
    free(angles);
    return in->row_rotary != NULL;
}

static bool make_decoder_positions(const qwen_config *c, qwen_input *in, piaa_error *error) {
    const piaa_decoder_input *text = &in->text;
    int n = text->tokens, m = c->pixels.merge_size, columns = in->pixels.grid_w / m,
        rows = in->pixels.grid_h / m;
    in->positions = piaa_alloc((size_t)n * 4, sizeof(int32_t), error);
    in->row_positions = piaa_alloc((size_t)text->text * 4, sizeof(int32_t), error);
    if (!in->positions || !in->row_positions) return false;
    for (int t = 0; t < n; t++) {
        int place = t - text->start, time = t, height = t, width = t;
        if (place >= 0 && place < text->image) {
            time = text->start;
            height = text->start + place / columns;
            width = text->start + place % columns;
        } else if (place >= 0) {
            time = height = width = t - text->image + (rows > columns ? rows : columns);
        }
        in->positions[t] = time;
        in->positions[n + t] = height;
        in->positions[2 * n + t] = width;
        in->positions[3 * n + t] = time; /* frequencies beyond 3 s_h, 3 s_w follow time */
    }
    for (int row = 0; row < text->text; row++)
        for (int axis = 0; axis < 4; axis++)
            in->row_positions[axis * text->text + row] = in->positions[text->rows[row]];
    return true;
}

static void *qwen_prepare(const void *config, const piaa_tokenizer *tokenizer,
                          const piaa_image *image, const float *patches, int grid_h, int grid_w,
                          const piaa_ask *ask, piaa_error *error) {
    const qwen_config *c = config;
    qwen_input *in = piaa_alloc(1, sizeof *in, error);
    if (!in) return NULL;
    bool ok = true;
    if (image) {
        piaa_qwen_pixels_config pixels = c->pixels;
        if (ask && ask->max_pixels) {
            pixels.max_pixels = ask->max_pixels;
            if (pixels.min_pixels > pixels.max_pixels) pixels.min_pixels = pixels.max_pixels;
        }
        ok = piaa_qwen_pixels_make(image, &pixels, &in->pixels, error);
    } else {
        size_t count = (size_t)grid_h * (size_t)grid_w * (size_t)c->patch_length;
        in->pixels =
            (piaa_qwen_pixels){.grid_h = grid_h, .grid_w = grid_w, .patch_length = c->patch_length};
        in->pixels.patches = piaa_alloc_array(count, sizeof(float), error);
        ok = in->pixels.patches != NULL;
        if (ok) memcpy(in->pixels.patches, patches, count * sizeof(float));
    }
    if (ok) {
        in->patches = in->pixels.grid_h * in->pixels.grid_w;
        const piaa_embeddings embeddings = {c->embeddings, 1.0f};
        ok = piaa_decoder_input_make(
                 &in->text, c->checkpoint, &embeddings, tokenizer, PIAA_CHAT_QWEN3VL,
                 in->patches / (c->pixels.merge_size * c->pixels.merge_size), ask, error) &&
             make_vision_positions(c, in, error) && make_decoder_positions(c, in, error) &&
             make_vision_rotary(c, in, error) && make_decoder_rotary(c, in, error);
    }
    if (!ok) {
        qwen_input_free(in);
        return NULL;
    }
    return in;
}

/* -------------------------------------------------------------------------------------- weights */

typedef struct vision_block {
    const piaa_matrix *qkv_w, *proj_w, *fc1_w, *fc2_w;
    struct ggml_tensor *norm1_w, *norm1_b, *qkv_b, *proj_b, *norm2_w, *norm2_b, *fc1_b, *fc2_b;
} vision_block;

typedef struct merger {
    const piaa_matrix *fc1_w, *fc2_w;
    struct ggml_tensor *norm_w, *norm_b, *fc1_b, *fc2_b;
} merger;

typedef struct decoder_block {
    const piaa_matrix *q, *kv, *o, *gate_up, *down;
    struct ggml_tensor *norm1, *q_norm, *k_norm, *norm2;
} decoder_block;

typedef struct qwen_weights {
    const piaa_matrix *patch_w, *head;
    struct ggml_tensor *patch_b, *final_norm;
    merger merger, deepstack[MAX_DEEPSTACK];
    vision_block vision[MAX_LAYERS];
    decoder_block decoder[MAX_LAYERS];
} qwen_weights;

static const piaa_matrix *matrix(piaa_resident *r, piaa_error *error, const char *prefix,
                                 const char *name, int64_t rows, int64_t columns) {
    char text[256];
    snprintf(text, sizeof text, "%s%s", prefix, name);
    return piaa_resident_matrix(r, error, text, 1, &rows, columns);
}

static struct ggml_tensor *vector(piaa_resident *r, piaa_error *error, const char *prefix,
                                  const char *name, int64_t length) {
    char text[256];
    snprintf(text, sizeof text, "%s%s", prefix, name);
    return piaa_resident_vector(r, error, text, length);
}

static void declare_vision_block(const qwen_config *c, piaa_resident *r, int i, vision_block *b,
                                 piaa_error *error) {
    char p[96];
    int64_t d = c->vision, f = c->vision_intermediate;
    snprintf(p, sizeof p, "model.visual.blocks.%d.", i);
    *b = (vision_block){
        .norm1_w = vector(r, error, p, "norm1.weight", d),
        .norm1_b = vector(r, error, p, "norm1.bias", d),
        .qkv_w = matrix(r, error, p, "attn.qkv.weight", 3 * d, d),
        .qkv_b = vector(r, error, p, "attn.qkv.bias", 3 * d),
        .proj_w = matrix(r, error, p, "attn.proj.weight", d, d),
        .proj_b = vector(r, error, p, "attn.proj.bias", d),
        .norm2_w = vector(r, error, p, "norm2.weight", d),
        .norm2_b = vector(r, error, p, "norm2.bias", d),
        .fc1_w = matrix(r, error, p, "mlp.linear_fc1.weight", f, d),
        .fc1_b = vector(r, error, p, "mlp.linear_fc1.bias", f),
        .fc2_w = matrix(r, error, p, "mlp.linear_fc2.weight", d, f),
        .fc2_b = vector(r, error, p, "mlp.linear_fc2.bias", d),
    };
}

static void declare_merger(const qwen_config *c, piaa_resident *r, const char *p,
                           bool normalise_merged, merger *m, piaa_error *error) {
    int64_t d = c->vision, wide = d * c->pixels.merge_size * c->pixels.merge_size;
    *m = (merger){
        .norm_w = vector(r, error, p, "norm.weight", normalise_merged ? wide : d),
        .norm_b = vector(r, error, p, "norm.bias", normalise_merged ? wide : d),
        .fc1_w = matrix(r, error, p, "linear_fc1.weight", wide, wide),
        .fc1_b = vector(r, error, p, "linear_fc1.bias", wide),
        .fc2_w = matrix(r, error, p, "linear_fc2.weight", c->hidden, wide),
        .fc2_b = vector(r, error, p, "linear_fc2.bias", c->hidden),
    };
}

static void declare_decoder_block(const qwen_config *c, piaa_resident *r, int i, decoder_block *b,
                                  piaa_error *error) {
    char p[96], names[512];
    int64_t h = c->hidden, q = (int64_t)c->heads * c->head_dim,
            kv = (int64_t)c->kv_heads * c->head_dim, f = c->intermediate;
    snprintf(p, sizeof p, "model.language_model.layers.%d.", i);
    b->norm1 = vector(r, error, p, "input_layernorm.weight", h);
    b->q = matrix(r, error, p, "self_attn.q_proj.weight", q, h);
    snprintf(names, sizeof names, "%sself_attn.k_proj.weight|%sself_attn.v_proj.weight", p, p);
    b->kv = piaa_resident_matrix(r, error, names, 2, (int64_t[]){kv, kv}, h);
    b->q_norm = vector(r, error, p, "self_attn.q_norm.weight", c->head_dim);
    b->k_norm = vector(r, error, p, "self_attn.k_norm.weight", c->head_dim);
    b->o = matrix(r, error, p, "self_attn.o_proj.weight", h, q);
    b->norm2 = vector(r, error, p, "post_attention_layernorm.weight", h);
    snprintf(names, sizeof names, "%smlp.gate_proj.weight|%smlp.up_proj.weight", p, p);
    b->gate_up = piaa_resident_paired(r, error, names, f, h);
    b->down = matrix(r, error, p, "mlp.down_proj.weight", h, f);
}

static void *qwen_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                          piaa_error *error) {
    const qwen_config *c = config;
    qwen_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    if (plan->vision_blocks) {
        w->patch_w = matrix(r, error, "model.visual.", "patch_embed.proj.weight", c->vision,
                            c->patch_length);
        w->patch_b = vector(r, error, "model.visual.", "patch_embed.proj.bias", c->vision);
    }
    for (int i = 0; i < plan->vision_blocks; i++)
        declare_vision_block(c, r, i, &w->vision[i], error);
    if (plan->merge) {
        declare_merger(c, r, "model.visual.merger.", false, &w->merger, error);
        for (int i = 0; i < c->deepstack_count && i < plan->decoder_blocks; i++) {
            char p[96];
            snprintf(p, sizeof p, "model.visual.deepstack_merger_list.%d.", i);
            declare_merger(c, r, p, true, &w->deepstack[i], error);
        }
    }
    for (int i = 0; i < plan->decoder_blocks; i++)
        declare_decoder_block(c, r, i, &w->decoder[i], error);
    if (plan->final_norm)
        w->final_norm = vector(r, error, "model.language_model.", "norm.weight", c->hidden);
    if (plan->logits)
        w->head = matrix(r, error, "",
                         c->tied ? "model.language_model.embed_tokens.weight" : "lm_head.weight",
                         c->vocabulary, c->hidden);
    if (error->code != PIAA_OK) {
        free(w);
        return NULL;
    }
    return w;
}

/* ---------------------------------------------------------------------------------------- graph */

static struct ggml_tensor *build_vision_attention(const qwen_config *c, const vision_block *b,
                                                  piaa_graph *graph, struct ggml_tensor *x,
                                                  struct ggml_tensor *rotary) {
    int dim = c->vision / c->vision_heads;
    struct ggml_tensor *qkv = piaa_graph_linear(graph, b->qkv_w, b->qkv_b, x, PIAA_LINEAR, NULL);
    piaa_attention attention = {.q = qkv,
                                .kv = qkv,
                                .k_first = c->vision_heads,
                                .v_first = 2 * c->vision_heads,
                                .heads = c->vision_heads,
                                .kv_heads = c->vision_heads,
                                .dim = dim,
                                .q_rotary = rotary,
                                .k_rotary = rotary,
                                .rotary_mode = GGML_ROPE_TYPE_VISION,
                                .rotary_dims = dim / 2,
                                .sections = {dim / 4, dim / 4, 0, 0},
                                .rotary_base = 10000.0f};
    return piaa_graph_attention(graph, &attention);
}

static struct ggml_tensor *build_merger(const qwen_config *c, const merger *m, piaa_graph *graph,
                                        struct ggml_tensor *x, bool normalise_merged) {
    struct ggml_context *g = graph->context;
    int64_t unit = (int64_t)c->pixels.merge_size * c->pixels.merge_size;
    if (!normalise_merged) x = piaa_graph_layer_norm(graph, x, m->norm_w, m->norm_b, 1e-6f, true);
    x = ggml_reshape_2d(g, x, x->ne[0] * unit, x->ne[1] / unit);
    if (normalise_merged) x = piaa_graph_layer_norm(graph, x, m->norm_w, m->norm_b, 1e-6f, true);
    x = piaa_graph_linear(graph, m->fc1_w, m->fc1_b, x, PIAA_GELU, NULL);
    return piaa_graph_linear(graph, m->fc2_w, m->fc2_b, x, PIAA_LINEAR, NULL);
}

static struct ggml_tensor *rotary_input(piaa_graph *graph, int n, int dim, const float *table,
                                        const int32_t *positions) {
    if (graph->kernels) return piaa_graph_input(graph, GGML_TYPE_F32, dim, n, table);
    return piaa_graph_input(graph, GGML_TYPE_I32, (int64_t)n * 4, 1, positions);
}

/* Runs the vision blocks of the plan; sets *image and deepstack[] where the decoder needs them. */
static void build_vision(const qwen_config *c, const qwen_weights *w, qwen_input *in,
                         const piaa_plan *plan, piaa_graph *graph, struct ggml_tensor **image,
                         struct ggml_tensor **deepstack) {
    static const piaa_pool pools[] = {PIAA_V};
    struct ggml_tensor *pixels =
        piaa_graph_input(graph, GGML_TYPE_F32, c->patch_length, in->patches, in->pixels.patches);
    struct ggml_tensor *embeddings =
        piaa_graph_input(graph, GGML_TYPE_F32, c->vision, in->patches, in->vision_embeddings);
    struct ggml_tensor *rotary = rotary_input(graph, in->patches, c->vision / c->vision_heads,
                                              in->vision_rotary, in->vision_positions);
    struct ggml_tensor *pool =
        piaa_graph_input(graph, GGML_TYPE_F32, 1, in->patches, in->vision_pool);
    struct ggml_tensor *x =
        piaa_graph_linear(graph, w->patch_w, w->patch_b, pixels, PIAA_LINEAR, embeddings);
    for (int i = 0; i < plan->vision_blocks; i++) {
        const vision_block *b = &w->vision[i];
        struct ggml_tensor *y =
            piaa_graph_layer_norm(graph, x, b->norm1_w, b->norm1_b, 1e-6f, true);
        y = build_vision_attention(c, b, graph, y, rotary);
        x = piaa_graph_linear(graph, b->proj_w, b->proj_b, y, PIAA_LINEAR, x);
        y = piaa_graph_layer_norm(graph, x, b->norm2_w, b->norm2_b, 1e-6f, true);
        y = piaa_graph_linear(graph, b->fc1_w, b->fc1_b, y, PIAA_GELU_TANH, NULL);
        x = piaa_graph_linear(graph, b->fc2_w, b->fc2_b, y, PIAA_LINEAR, x);
        if (plan->pool_vision[i]) piaa_graph_pool(graph, x, pool, pools, 1, i);
        if (plan->hidden) piaa_graph_keep(graph, x, true, i);
        for (int d = 0; plan->merge && d < c->deepstack_count && d < plan->decoder_blocks; d++)
            if (c->deepstack[d] == i)
                deepstack[d] = build_merger(c, &w->deepstack[d], graph, x, true);
    }
    if (plan->merge) *image = build_merger(c, &w->merger, graph, x, false);
}

/* Tensors that belong to all tokens, or to those that the last block has to finish. */
typedef struct decoder_rows {
    struct ggml_tensor *rows, *rotary, *mask, *pool;
} decoder_rows;

/* One block; where `kept` has rows, they are the only ones that leave it. */
static struct ggml_tensor *build_decoder_block(const qwen_config *c, const decoder_block *b,
                                               piaa_graph *graph, struct ggml_tensor *h,
                                               const decoder_rows *all, const decoder_rows *kept) {
    struct ggml_tensor *x = piaa_graph_rms_norm(graph, h, b->norm1, c->rms_eps, true);
    struct ggml_tensor *kv = piaa_graph_linear(graph, b->kv, NULL, x, PIAA_LINEAR, NULL);
    if (kept->rows) {
        h = ggml_get_rows(graph->context, h, kept->rows);
        x = piaa_graph_rms_norm(graph, h, b->norm1, c->rms_eps, true);
    }
    piaa_attention attention = {
        .q = piaa_graph_linear(graph, b->q, NULL, x, PIAA_LINEAR, NULL),
        .kv = kv,
        .v_first = c->kv_heads,
        .heads = c->heads,
        .kv_heads = c->kv_heads,
        .dim = c->head_dim,
        .q_norm = b->q_norm,
        .k_norm = b->k_norm,
        .eps = c->rms_eps,
        .q_rotary = kept->rotary,
        .k_rotary = all->rotary,
        .rotary_mode = GGML_ROPE_TYPE_IMROPE,
        .rotary_dims = c->head_dim,
        .sections = {c->section[0], c->section[1], c->section[2], c->section[3]},
        .rotary_base = c->rope_theta,
        .causal = true,
        .rows = kept->rows,
        .mask = kept->mask};
    h = piaa_graph_linear(graph, b->o, NULL, piaa_graph_attention(graph, &attention), PIAA_LINEAR,
                          h);
    x = piaa_graph_rms_norm(graph, h, b->norm2, c->rms_eps, true);
    return piaa_graph_linear(graph, b->down, NULL,
                             piaa_graph_linear(graph, b->gate_up, NULL, x, PIAA_SWIGLU, NULL),
                             PIAA_LINEAR, h);
}

static bool build_decoder(const qwen_config *c, const qwen_weights *w, qwen_input *in,
                          const piaa_plan *plan, piaa_graph *graph, struct ggml_tensor *image,
                          struct ggml_tensor **deepstack, piaa_error *error) {
    struct ggml_context *g = graph->context;
    const piaa_decoder_input *text = &in->text;
    struct ggml_tensor *h = piaa_decoder_embed(graph, text, c->hidden, image);
    struct ggml_tensor *row_pool =
        piaa_graph_input(graph, GGML_TYPE_F32, 2, text->text, text->row_pool);
    if (!image) {
        piaa_decoder_pool(graph, plan, h, row_pool, 0);
        return true;
    }
    decoder_rows all = {.pool =
                            piaa_graph_input(graph, GGML_TYPE_F32, 3, text->tokens, text->pool)};
    piaa_decoder_pool(graph, plan, h, all.pool, 0);
    if (!plan->decoder_blocks) return true;

    int last = plan->decoder_blocks;
    bool text_only = !plan->pool_image[last] && !plan->hidden;
    all.rotary = rotary_input(graph, text->tokens, c->head_dim, in->rotary, in->positions);
    decoder_rows kept = {.pool = row_pool};
    if (text_only) {
        kept.rows = piaa_graph_input(graph, GGML_TYPE_I32, text->text, 1, text->rows);
        kept.rotary =
            rotary_input(graph, text->text, c->head_dim, in->row_rotary, in->row_positions);
    }
    if (text_only && !graph->kernels) {
        if (!in->row_mask)
            in->row_mask = piaa_decoder_mask(NULL, text->rows, text->text, text->tokens, error);
        if (!in->row_mask) return false;
        kept.mask = piaa_graph_input(graph, GGML_TYPE_F16, text->tokens, text->text, in->row_mask);
    }
    if ((!text_only || last > 1) && !graph->kernels) {
        if (!in->mask) in->mask = piaa_decoder_mask(NULL, NULL, text->tokens, text->tokens, error);
        if (!in->mask) return false;
        all.mask = piaa_graph_input(graph, GGML_TYPE_F16, text->tokens, text->tokens, in->mask);
    }
    for (int i = 0; i < last; i++) {
        bool reduce = text_only && i == last - 1;
        h = build_decoder_block(c, &w->decoder[i], graph, h, &all, reduce ? &kept : &all);
        struct ggml_tensor *pool = reduce ? kept.pool : all.pool;
        if (i + 1 < c->layers) piaa_decoder_pool(graph, plan, h, pool, i + 1);
        if (i < c->deepstack_count && !reduce)
            h = ggml_acc(g, h, deepstack[i], h->nb[1], h->nb[2], h->nb[3],
                         (size_t)text->start * h->nb[1]);
        if (i + 1 < c->layers || !plan->final_norm) continue;
        h = piaa_graph_rms_norm(graph, h, w->final_norm, c->rms_eps, false);
        piaa_decoder_pool(graph, plan, h, pool, c->layers);
    }
    if (plan->logits) {
        struct ggml_tensor *end =
            ggml_view_2d(g, h, h->ne[0], 1, h->nb[1], (size_t)(h->ne[1] - 1) * h->nb[1]);
        piaa_graph_keep(graph, piaa_graph_linear(graph, w->head, NULL, end, PIAA_LINEAR, NULL),
                        false, -1);
    }
    return true;
}

static bool qwen_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                       piaa_graph *graph, piaa_error *error) {
    const qwen_config *c = config;
    struct ggml_tensor *image = NULL, *deepstack[MAX_DEEPSTACK] = {NULL};
    piaa_graph_limit(graph, c->head_dim > c->vision / c->vision_heads
                                ? c->head_dim
                                : c->vision / c->vision_heads);
    if (plan->vision_blocks) build_vision(config, weights, input, plan, graph, &image, deepstack);
    return !plan->embeddings ||
           build_decoder(config, weights, input, plan, graph, image, deepstack, error);
}

const piaa_family piaa_family_qwen3vl = {
    .model_type = "qwen3_vl",
    .name = "Qwen3-VL",
    .open = qwen_open,
    .close = qwen_close,
    .prepare = qwen_prepare,
    .input_free = qwen_input_free,
    .input_count = qwen_input_count,
    .declare = qwen_declare,
    .build = qwen_build,
};
