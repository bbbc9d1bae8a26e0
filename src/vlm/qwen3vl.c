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
 *   - rotary axes take turns over the pairs of a decoder's head (time, row, column), and after the
 *     image positions go on from the larger side of its merged grid, not from the number of its
 *     tokens; in the encoder half of the pairs follow the row, half the column.
 */
#include "vlm/decoder.h"
#include "vlm/vit.h"

#include "base/memory.h"
#include "image/patches.h"
#include "image/planes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEEPSTACK = 16, LEAST_PIXELS_MOST = 1 << 24 };

typedef struct qwen_config {
    piaa_vit vit;
    piaa_decoder decoder;
    piaa_qwen_pixels_config pixels;
    int grid_side;         /* positions are trained on a grid of grid_side x grid_side */
    float *position_table; /* [grid_side * grid_side][width of the encoder] */
    int deepstack[MAX_DEEPSTACK], deepstack_count;
} qwen_config;

/* -------------------------------------------------------------------------------- configuration */

static bool expect_text(const piaa_config *config, const char *key, const char *expected,
                        piaa_error *error) {
    char name[96];
    snprintf(name, sizeof name, "%s%s", config->prefix, key);
    const char *value = piaa_json_string(config->json, name);
    if (!value || strcmp(value, expected) == 0) return true;
    return piaa_error_set(error, PIAA_UNSUPPORTED, "%s: \"%s\" is \"%s\", only \"%s\" is supported",
                          piaa_checkpoint_where(config->checkpoint), name, value, expected);
}

static bool read_sections(piaa_rotary *rotary, const piaa_config *text, piaa_error *error) {
    int64_t section[4] = {24, 20, 20, 0}, sum = 0;
    int n = piaa_json_ints(text->json, "text_config.rope_parameters.mrope_section", section, 4);
    if (n < 0) n = piaa_json_ints(text->json, "text_config.rope_scaling.mrope_section", section, 4);
    for (int i = 0; i < PIAA_ROTARY_AXES; i++) {
        if (section[i] < 0 || section[i] > PIAA_ROTARY_PAIRS) sum = -4 * PIAA_ROTARY_PAIRS;
        sum += section[i];
        rotary->section[i] = (int)section[i];
    }
    if ((n < 0 || n == 3) && sum == rotary->dim / 2 && rotary->section[0] > 0) return true;
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s: mrope_section should be three numbers that add up to half of head_dim (%d)",
        piaa_checkpoint_where(text->checkpoint), rotary->dim / 2);
}

static bool read_text_config(qwen_config *c, const piaa_checkpoint *checkpoint, piaa_error *error) {
    const cJSON *json = piaa_checkpoint_config(checkpoint);
    const piaa_config whole = {json, "", checkpoint}, text = {json, "text_config.", checkpoint};
    piaa_decoder *d = &c->decoder;
    *d = (piaa_decoder){.checkpoint = checkpoint,
                        .activation = PIAA_SWIGLU,
                        .qk_norm = true,
                        .image_positions = true,
                        .embedding_scale = 1.0f,
                        .kind = {{.rotary = {.interleaved = true}}}};
    piaa_decoder_kind *kind = &d->kind[0];
    if (!piaa_decoder_configure(d, &text, &(piaa_decoder_defaults){0}, error) ||
        !piaa_rotary_read(&kind->rotary, &text, "rope_parameters", "rope_theta", "rope_scaling",
                          5e5, error) ||
        !read_sections(&kind->rotary, &text, error))
        return false;
    if (piaa_config_flag(&text, "attention_bias", false))
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%s: attention_bias true is not supported",
                              piaa_checkpoint_where(checkpoint));
    d->tied = piaa_config_flag(&whole, "tie_word_embeddings",
                               piaa_config_flag(&text, "tie_word_embeddings", false));
    return expect_text(&text, "hidden_act", "silu", error);
}

static bool read_deepstack(qwen_config *c, const piaa_config *vision, piaa_error *error) {
    int64_t blocks[MAX_DEEPSTACK];
    const char *where = piaa_checkpoint_where(vision->checkpoint);
    c->deepstack_count = piaa_json_ints(vision->json, "vision_config.deepstack_visual_indexes",
                                        blocks, MAX_DEEPSTACK);
    if (c->deepstack_count < 0)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: \"vision_config.deepstack_visual_indexes\" should be a list of "
                              "at most %d block numbers",
                              where, MAX_DEEPSTACK);
    for (int i = 0; i < c->deepstack_count; i++) {
        if (blocks[i] < 0 || blocks[i] >= c->vit.blocks)
            return piaa_error_set(error, PIAA_FORMAT,
                                  "%s: deepstack_visual_indexes names block %lld of %d", where,
                                  (long long)blocks[i], c->vit.blocks);
        c->deepstack[i] = (int)blocks[i];
    }
    return true;
}

static bool read_vision_config(qwen_config *c, const piaa_checkpoint *checkpoint,
                               piaa_error *error) {
    static const piaa_vit_names names = {.norm1 = "norm1",
                                         .q = "attn.qkv",
                                         .out = "attn.proj",
                                         .norm2 = "norm2",
                                         .fc1 = "mlp.linear_fc1",
                                         .fc2 = "mlp.linear_fc2"};
    const piaa_config vision = {piaa_checkpoint_config(checkpoint), "vision_config.", checkpoint};
    const char *where = piaa_checkpoint_where(checkpoint);
    piaa_vit *v = &c->vit;
    *v = (piaa_vit){.checkpoint = checkpoint,
                    .names = &names,
                    .prefix = "model.visual.",
                    .patch_name = "patch_embed.proj",
                    .layer = "blocks.",
                    .eps = 1e-6f,
                    .activation = PIAA_GELU_TANH,
                    .patch_bias = true,
                    .q_bias = true,
                    .out_bias = true,
                    .mlp_bias = true};
    int positions, channels, out_hidden;
    if (!piaa_config_int(&vision, "hidden_size", 0, 8, 65536, &v->width, error) ||
        !piaa_config_int(&vision, "depth", 0, 1, PIAA_VIT_MAX_BLOCKS, &v->blocks, error) ||
        !piaa_config_int(&vision, "num_heads", 0, 1, 1024, &v->heads, error) ||
        !piaa_config_int(&vision, "intermediate_size", 0, 1, 1 << 20, &v->intermediate, error) ||
        !piaa_config_int(&vision, "patch_size", 0, 1, 256, &v->patch, error) ||
        !piaa_config_int(&vision, "temporal_patch_size", 0, 1, 16, &v->frames, error) ||
        !piaa_config_int(&vision, "spatial_merge_size", 0, 1, 16, &c->pixels.merge_size, error) ||
        !piaa_config_int(&vision, "num_position_embeddings", 0, 1, 1 << 20, &positions, error) ||
        !piaa_config_int(&vision, "out_hidden_size", 0, 1, 65536, &out_hidden, error) ||
        !piaa_config_int(&vision, "in_channels", 3, 3, 3, &channels, error))
        return false;
    c->pixels.patch_size = v->patch;
    c->pixels.temporal_patch_size = v->frames;
    if (out_hidden != c->decoder.hidden)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the vision encoder's out_hidden_size is %d but the decoder's hidden_size is %d",
            where, out_hidden, c->decoder.hidden);
    if (v->width % v->heads || (v->width / v->heads) % 4)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: %d vision heads do not divide %d values into multiples of 4",
                              where, v->heads, v->width);
    if (v->width / v->heads > 2 * PIAA_ROTARY_PAIRS)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: vision heads of %d values are more than the %d that piaa turns",
                              where, v->width / v->heads, 2 * PIAA_ROTARY_PAIRS);
    c->grid_side = (int)lround(sqrt(positions));
    if (c->grid_side * c->grid_side != positions)
        return piaa_error_set(error, PIAA_FORMAT, "%s: num_position_embeddings is %d, not a square",
                              where, positions);
    return read_deepstack(c, &vision, error) &&
           expect_text(&vision, "hidden_act", "gelu_pytorch_tanh", error);
}

/* min_pixels and max_pixels, where they are given, count before "size"; without a size the image
   processor's own limits hold. */
static bool read_limits(piaa_qwen_pixels_config *p, const cJSON *json, const char *folder,
                        piaa_error *error) {
    const cJSON *size = piaa_json_find(json, "size");
    p->min_pixels = 56 * 56;
    p->max_pixels = 28 * 28 * 1280;
    if (size && !cJSON_IsNull(size) &&
        (!piaa_json_int(json, "size.shortest_edge", &p->min_pixels) ||
         !piaa_json_int(json, "size.longest_edge", &p->max_pixels)))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: the image processor's \"size\" should hold shortest_edge and "
                              "longest_edge, whole numbers of pixels",
                              folder);
    piaa_json_int(json, "min_pixels", &p->min_pixels);
    piaa_json_int(json, "max_pixels", &p->max_pixels);
    return true;
}

static bool read_image_config(qwen_config *c, const cJSON *json, const char *folder,
                              piaa_error *error) {
    piaa_qwen_pixels_config *p = &c->pixels;
    p->min_pixels = 65536;
    p->max_pixels = 16777216;
    p->filter = PIAA_BICUBIC;
    p->rescale_factor = 1.0 / 255.0;
    for (int i = 0; i < 3; i++) p->mean[i] = p->std[i] = 0.5f;
    if (!json) return true;
    /* As the image processor has it where its file says nothing. */
    memcpy(p->mean, (const float[]){0.48145466f, 0.4578275f, 0.40821073f}, sizeof p->mean);
    memcpy(p->std, (const float[]){0.26862954f, 0.26130258f, 0.27577711f}, sizeof p->std);
    if (!piaa_planes_read_three(json, "image_mean", p->mean, folder, error) ||
        !piaa_planes_read_three(json, "image_std", p->std, folder, error))
        return false;
    if (!read_limits(p, json, folder, error)) return false;
    static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize"};
    for (size_t i = 0; i < PIAA_COUNT(steps); i++) {
        bool done = true;
        if (piaa_json_bool(json, steps[i], &done) && !done)
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "%s: the image processor's %s is false, which is not supported",
                                  folder, steps[i]);
    }
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

static bool read_position_table(qwen_config *c, piaa_error *error) {
    const piaa_tensor *table =
        piaa_checkpoint_need(c->vit.checkpoint, error, "model.visual.pos_embed.weight", 2,
                             (int64_t)c->grid_side * c->grid_side, (int64_t)c->vit.width);
    if (!table) return false;
    c->position_table = piaa_alloc_array((size_t)piaa_tensor_count(table), sizeof(float), error);
    if (c->position_table) piaa_tensor_to_float(table, c->position_table);
    return c->position_table != NULL;
}

static void qwen_close(void *config) {
    qwen_config *c = config;
    piaa_vit_close(&c->vit);
    free(c->position_table);
    free(c);
}

static const char *qwen_difference(const void *config, const void *other) {
    const qwen_config *a = config, *b = other;
    const piaa_qwen_pixels_config *p = &a->pixels, *q = &b->pixels;
    const char *found = piaa_decoder_difference(&a->decoder, &b->decoder);
    if (!found) found = piaa_vit_difference(&a->vit, &b->vit);
    if (found) return found;
    if (a->grid_side != b->grid_side) return "num_position_embeddings";
    if (a->deepstack_count != b->deepstack_count ||
        memcmp(a->deepstack, b->deepstack, sizeof a->deepstack) != 0)
        return "deepstack_visual_indexes";
    if (p->merge_size != q->merge_size) return "spatial_merge_size";
    if (p->min_pixels != q->min_pixels || p->max_pixels != q->max_pixels) return "size";
    if (p->filter != q->filter) return "resample";
    if ((float)p->rescale_factor != (float)q->rescale_factor) return "rescale_factor";
    if (memcmp(p->mean, q->mean, sizeof p->mean) != 0) return "image_mean";
    return memcmp(p->std, q->std, sizeof p->std) != 0 ? "image_std" : NULL;
}

static void *qwen_open(const piaa_checkpoint *checkpoint, const piaa_tokenizer *tokenizer,
                       piaa_model_info *info, piaa_error *error) {
    PIAA_UNUSED(tokenizer);
    qwen_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    if (!read_text_config(c, checkpoint, error) || !read_vision_config(c, checkpoint, error) ||
        !read_image_config(c, piaa_checkpoint_image_config(checkpoint),
                           piaa_checkpoint_folder(checkpoint), error) ||
        !read_position_table(c, error)) {
        qwen_close(c);
        return NULL;
    }
    piaa_vit_inform(&c->vit, info);
    piaa_decoder_inform(&c->decoder, info);
    info->merge = c->pixels.merge_size;
    info->min_pixels = c->pixels.min_pixels;
    info->max_pixels = c->pixels.max_pixels;
    return c;
}

/* ---------------------------------------------------------------------------------------- input */

typedef struct qwen_input {
    piaa_qwen_pixels pixels;
    piaa_vit_grid grid;
    piaa_decoder_input text;
} qwen_input;

static void qwen_input_free(void *input) {
    qwen_input *in = input;
    if (!in) return;
    piaa_qwen_pixels_free(&in->pixels);
    piaa_vit_grid_free(&in->grid);
    piaa_decoder_input_free(&in->text);
    free(in);
}

static void qwen_input_count(const void *input, int *tokens, int *image_tokens) {
    const qwen_input *in = input;
    *tokens = in->text.tokens;
    *image_tokens = in->text.image;
}

/* Where target position `index` of `size` falls on the trained axis of `side`, corners aligned: the
 * lower tap, and the upper one's weight. */
static void axis_taps(int index, int size, int side, int taps[2], float weights[2]) {
    float source = (float)index * (float)(side - 1) / (float)(size > 1 ? size - 1 : 1);
    float floor_value = floorf(source);
    taps[0] = (int)floor_value;
    taps[1] = taps[0] + 1 < side ? taps[0] + 1 : side - 1;
    weights[1] = source - floor_value;
    weights[0] = 1.0f - weights[1];
}

/* The trained table at a patch's place, bilinearly: out [width of the encoder]. */
static void interpolate(const qwen_config *c, const piaa_vit_grid *grid, int row, int column,
                        float *out) {
    const size_t width = (size_t)c->vit.width;
    int ys[2], xs[2];
    float wy[2], wx[2];
    axis_taps(row, grid->height, c->grid_side, ys, wy);
    axis_taps(column, grid->width, c->grid_side, xs, wx);
    const float *taps[4], weights[4] = {wy[0] * wx[0], wy[0] * wx[1], wy[1] * wx[0], wy[1] * wx[1]};
    for (int i = 0; i < 4; i++)
        taps[i] = c->position_table + (size_t)(ys[i / 2] * c->grid_side + xs[i % 2]) * width;
    for (size_t d = 0; d < width; d++)
        out[d] = taps[0][d] * weights[0] + taps[1][d] * weights[1] + taps[2][d] * weights[2] +
                 taps[3][d] * weights[3];
}

/* Half of the pairs of a head turn by the row, half by the column, at the same frequencies. */
static bool make_rotary(const qwen_config *c, piaa_vit_grid *grid, piaa_error *error) {
    const int dim = c->vit.width / c->vit.heads, quarter = dim / 4;
    piaa_angles angles = {.pairs = dim / 2, .magnitude = 1.0f};
    for (int j = 0; j < angles.pairs; j++) {
        angles.frequency[j] = 1.0f / powf(10000.0f, (float)(j % quarter) / (float)quarter);
        angles.axis[j] = j >= quarter;
    }
    grid->rotary =
        piaa_angles_table(&angles, grid->positions, grid->tokens, NULL, grid->tokens, error);
    return grid->rotary != NULL;
}

/* Patches come in merge blocks: all m x m patches of one merged token together. */
static bool make_grid(const qwen_config *c, const piaa_qwen_pixels *pixels, piaa_vit_grid *grid,
                      piaa_error *error) {
    const int m = c->pixels.merge_size, n = pixels->grid_h * pixels->grid_w;
    const int across = pixels->grid_w / m;
    if (!piaa_vit_grid_make(grid, pixels->grid_h, pixels->grid_w, 0, error)) return false;
    grid->positions = piaa_alloc((size_t)n * 4, sizeof *grid->positions, error);
    grid->added = piaa_alloc_array((size_t)n * (size_t)c->vit.width, sizeof *grid->added, error);
    if (!grid->positions || !grid->added) return false;
    for (int i = 0; i < n; i++) {
        const int block = i / (m * m), inner = i % (m * m);
        const int row = block / across * m + inner / m, column = block % across * m + inner % m;
        grid->positions[i] = row;
        grid->positions[n + i] = column;
        interpolate(c, grid, row, column, grid->added + (size_t)i * (size_t)c->vit.width);
    }
    return make_rotary(c, grid, error);
}

/* From the photo, or copied where the caller has patches already. */
static bool make_pixels(const qwen_config *c, const piaa_image *image, const float *patches,
                        int grid_h, int grid_w, const piaa_ask *ask, piaa_qwen_pixels *out,
                        piaa_error *error) {
    piaa_qwen_pixels_config pixels = c->pixels;
    if (ask && ask->max_pixels) {
        pixels.max_pixels = ask->max_pixels;
        if (pixels.min_pixels > pixels.max_pixels) pixels.min_pixels = pixels.max_pixels;
    }
    if (image) return piaa_qwen_pixels_make(image, &pixels, out, error);
    const int64_t length = (int64_t)3 * c->vit.frames * c->vit.patch * c->vit.patch;
    const size_t count = (size_t)grid_h * (size_t)grid_w * (size_t)length;
    *out = (piaa_qwen_pixels){.grid_h = grid_h, .grid_w = grid_w, .patch_length = length};
    out->patches = piaa_alloc_array(count, sizeof(float), error);
    if (out->patches) memcpy(out->patches, patches, count * sizeof(float));
    return out->patches != NULL;
}

static void *qwen_prepare(const void *config, const piaa_tokenizer *tokenizer,
                          const piaa_image *image, const float *patches, int grid_h, int grid_w,
                          const piaa_ask *ask, piaa_error *error) {
    const qwen_config *c = config;
    const int m = c->pixels.merge_size;
    qwen_input *in = piaa_alloc(1, sizeof *in, error);
    if (!in) return NULL;
    if (make_pixels(c, image, patches, grid_h, grid_w, ask, &in->pixels, error) &&
        make_grid(c, &in->pixels, &in->grid, error) &&
        piaa_decoder_input_make(&in->text, &c->decoder, tokenizer, PIAA_CHAT_QWEN3VL,
                                in->grid.height / m, in->grid.width / m, ask, error))
        return in;
    qwen_input_free(in);
    return NULL;
}

/* -------------------------------------------------------------------------------------- weights */

typedef struct merger {
    const piaa_matrix *fc1, *fc2;
    struct ggml_tensor *norm_w, *norm_b, *fc1_b, *fc2_b;
    bool wide; /* it normalises merged patches, not single ones */
} merger;

typedef struct qwen_weights {
    piaa_vit_weights vit;
    merger merger, deepstack[MAX_DEEPSTACK];
    piaa_decoder_weights decoder;
} qwen_weights;

static merger declare_merger(const qwen_config *c, piaa_resident *r, const char *p, bool wide) {
    const int64_t d = c->vit.width, merged = d * c->pixels.merge_size * c->pixels.merge_size;
    const int64_t norm = wide ? merged : d, hidden = c->decoder.hidden;
    return (merger){.norm_w = piaa_resident_vector(r, p, "norm.weight", norm),
                    .norm_b = piaa_resident_vector(r, p, "norm.bias", norm),
                    .fc1 = piaa_resident_matrix(r, p, "linear_fc1.weight", merged, merged),
                    .fc1_b = piaa_resident_vector(r, p, "linear_fc1.bias", merged),
                    .fc2 = piaa_resident_matrix(r, p, "linear_fc2.weight", hidden, merged),
                    .fc2_b = piaa_resident_vector(r, p, "linear_fc2.bias", hidden),
                    .wide = wide};
}

static void *qwen_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                          piaa_error *error) {
    const qwen_config *c = config;
    qwen_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    if (plan->vision_blocks) piaa_vit_declare(&c->vit, r, plan->vision_blocks, &w->vit);
    if (plan->merge) w->merger = declare_merger(c, r, "model.visual.merger.", false);
    for (int i = 0; plan->merge && i < c->deepstack_count && i < plan->decoder_blocks; i++) {
        char p[64];
        snprintf(p, sizeof p, "model.visual.deepstack_merger_list.%d.", i);
        w->deepstack[i] = declare_merger(c, r, p, true);
    }
    piaa_decoder_declare(&c->decoder, r, plan, &w->decoder);
    return w;
}

/* ---------------------------------------------------------------------------------------- graph */

/* What the two hooks share: DeepStack takes features from vision blocks, and adds them to the
   image's rows after the first decoder blocks. */
typedef struct deepstack {
    const qwen_config *config;
    const qwen_weights *weights;
    const piaa_decoder_input *text;
    int count; /* of the first blocks that this plan runs */
    struct ggml_tensor *features[MAX_DEEPSTACK];
} deepstack;

static struct ggml_tensor *build_merger(const qwen_config *c, const merger *m, piaa_graph *graph,
                                        struct ggml_tensor *x) {
    const int64_t unit = (int64_t)c->pixels.merge_size * c->pixels.merge_size;
    if (!m->wide) x = piaa_graph_layer_norm(graph, x, m->norm_w, m->norm_b, c->vit.eps, true);
    x = ggml_reshape_2d(graph->context, x, x->ne[0] * unit, x->ne[1] / unit);
    if (m->wide) x = piaa_graph_layer_norm(graph, x, m->norm_w, m->norm_b, c->vit.eps, true);
    x = piaa_graph_linear(graph, m->fc1, m->fc1_b, x, PIAA_GELU, NULL);
    return piaa_graph_linear(graph, m->fc2, m->fc2_b, x, PIAA_LINEAR, NULL);
}

static void take_features(void *user, piaa_graph *graph, int block, struct ggml_tensor *x) {
    deepstack *stack = user;
    for (int i = 0; i < stack->count; i++)
        if (stack->config->deepstack[i] == block)
            stack->features[i] =
                build_merger(stack->config, &stack->weights->deepstack[i], graph, x);
}

static struct ggml_tensor *add_features(void *user, piaa_graph *graph, int block,
                                        struct ggml_tensor *h) {
    const deepstack *stack = user;
    if (block >= stack->count) return h;
    return ggml_acc(graph->context, h, stack->features[block], h->nb[1], h->nb[2], h->nb[3],
                    (size_t)stack->text->start * h->nb[1]);
}

static void qwen_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                       piaa_graph *graph) {
    const qwen_config *c = config;
    const qwen_weights *w = weights;
    const piaa_vit *v = &c->vit;
    qwen_input *in = input;
    deepstack stack = {.config = c, .weights = w, .text = &in->text};
    if (plan->merge) /* as far as both reach */
        stack.count =
            c->deepstack_count < plan->decoder_blocks ? c->deepstack_count : plan->decoder_blocks;
    const int vision_dim = v->width / v->heads, dim = c->decoder.kind[0].rotary.dim;
    piaa_graph_limit(graph, dim > vision_dim ? dim : vision_dim);
    struct ggml_tensor *image = NULL;
    if (plan->vision_blocks) {
        const piaa_vit_hook hook = {take_features, &stack};
        image = piaa_vit_embed(v, &w->vit, in->pixels.patches, &in->grid, graph);
        image = piaa_vit_run(v, &w->vit, image, &in->grid, plan, false, &hook, graph);
        image = plan->merge ? build_merger(c, &w->merger, graph, image) : NULL;
    }
    if (!plan->embeddings) return;
    const piaa_decoder_hook hook = {add_features, &stack};
    piaa_decoder_build(&c->decoder, &w->decoder, &in->text, plan, graph, image, &hook);
}

const piaa_family piaa_family_qwen3vl = {
    .model_type = "qwen3_vl",
    .name = "Qwen3-VL",
    .open = qwen_open,
    .close = qwen_close,
    .difference = qwen_difference,
    .prepare = qwen_prepare,
    .input_free = qwen_input_free,
    .input_count = qwen_input_count,
    .declare = qwen_declare,
    .build = qwen_build,
};
