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
#include "vlm/qwen.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEEPSTACK = PIAA_DECODER_ADDED };

typedef struct qwen_config {
    piaa_qwen qwen;
    int grid_side;         /* positions are trained on a grid of grid_side x grid_side */
    float *position_table; /* [grid_side * grid_side][width of the encoder] */
    int deepstack[MAX_DEEPSTACK], deepstack_count;
} qwen_config;

/* -------------------------------------------------------------------------------- configuration */

static bool read_deepstack(qwen_config *c, piaa_error *error) {
    const piaa_ints *list = &c->qwen.settings->vision.deepstack;
    for (int i = 0; i < list->count; i++) {
        if (list->items[i] < 0 || list->items[i] >= c->qwen.vit.blocks)
            return piaa_error_set(
                error, PIAA_FORMAT, "%s: deepstack_visual_indexes names block %d of %d",
                piaa_checkpoint_where(c->qwen.vit.checkpoint), list->items[i], c->qwen.vit.blocks);
        c->deepstack[i] = list->items[i];
    }
    c->deepstack_count = list->count;
    return true;
}

static bool configure(qwen_config *c, const piaa_checkpoint *checkpoint,
                      const piaa_settings *settings, piaa_error *error) {
    static const piaa_vit_names names = {.norm1 = "norm1",
                                         .q = "attn.qkv",
                                         .out = "attn.proj",
                                         .norm2 = "norm2",
                                         .fc1 = "mlp.linear_fc1",
                                         .fc2 = "mlp.linear_fc2"};
    c->qwen = (piaa_qwen){.decoder = {.checkpoint = checkpoint,
                                      .qk_norm = true,
                                      .image_positions = true,
                                      .embedding_scale = 1,
                                      .kind = {{.rotary = {.interleaved = true}}}},
                          .vit = {.checkpoint = checkpoint,
                                  .names = &names,
                                  .prefix = "model.visual.",
                                  .patch_name = "patch_embed.proj",
                                  .layer = "blocks.",
                                  .patch_bias = true,
                                  .q_bias = true,
                                  .out_bias = true,
                                  .mlp_bias = true},
                          .pixels = {.min_pixels = 65536,
                                     .max_pixels = 16777216,
                                     .mean = {0.5f, 0.5f, 0.5f},
                                     .std = {0.5f, 0.5f, 0.5f}}};
    if (!piaa_qwen_configure(&c->qwen, settings, error)) return false;
    c->grid_side = (int)lround(sqrt(settings->vision.positions));
    if (c->grid_side * c->grid_side != settings->vision.positions)
        return piaa_error_set(error, PIAA_FORMAT, "%s: num_position_embeddings is %d, not a square",
                              piaa_checkpoint_where(checkpoint), settings->vision.positions);
    return read_deepstack(c, error);
}

static bool read_position_table(qwen_config *c, piaa_error *error) {
    const piaa_tensor *table =
        piaa_checkpoint_need(c->qwen.vit.checkpoint, error, "model.visual.pos_embed.weight", 2,
                             (int64_t)c->grid_side * c->grid_side, (int64_t)c->qwen.vit.width);
    if (!table) return false;
    c->position_table = piaa_alloc_array((size_t)piaa_tensor_count(table), sizeof(float), error);
    if (c->position_table) piaa_tensor_to_float(table, c->position_table);
    return c->position_table != NULL;
}

static void qwen_close(void *config) {
    qwen_config *c = config;
    piaa_vit_close(&c->qwen.vit);
    free(c->position_table);
    free(c);
}

static void *qwen_open(const piaa_checkpoint *checkpoint, const piaa_settings *settings,
                       piaa_model_info *info, piaa_error *error) {
    qwen_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    if (!configure(c, checkpoint, settings, error) || !read_position_table(c, error)) {
        qwen_close(c);
        return NULL;
    }
    piaa_qwen_inform(&c->qwen, info);
    return c;
}

/* ---------------------------------------------------------------------------------------- input */

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
    const size_t width = (size_t)c->qwen.vit.width;
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

static bool add_positions(const qwen_config *c, piaa_vit_grid *grid, piaa_error *error) {
    const size_t width = (size_t)c->qwen.vit.width;
    const int n = grid->tokens;
    grid->added = piaa_alloc_array((size_t)n * width, sizeof *grid->added, error);
    for (int i = 0; grid->added && i < n; i++)
        interpolate(c, grid, grid->positions[i], grid->positions[n + i],
                    grid->added + (size_t)i * width);
    return grid->added != NULL;
}

static void *qwen_prepare(const void *config, const piaa_tokenizer *tokenizer,
                          const piaa_image *image, const float *patches, int grid_h, int grid_w,
                          const piaa_ask *ask, piaa_error *error) {
    const qwen_config *c = config;
    piaa_qwen_input *in = piaa_qwen_prepare(&c->qwen, PIAA_CHAT_QWEN3VL, tokenizer, image, patches,
                                            grid_h, grid_w, ask, error);
    if (in && add_positions(c, &in->grid, error)) return in;
    piaa_qwen_input_free(in);
    return NULL;
}

/* -------------------------------------------------------------------------------------- weights */

typedef struct qwen_weights {
    piaa_vit_weights vit;
    piaa_qwen_merger merger, deepstack[MAX_DEEPSTACK];
    piaa_decoder_weights decoder;
} qwen_weights;

/* To how many blocks DeepStack adds, of those that a plan runs. */
static int additions(const qwen_config *c, const piaa_plan *plan) {
    const int blocks = plan->see ? c->deepstack_count : plan->decoder_blocks;
    return c->deepstack_count < blocks ? c->deepstack_count : blocks;
}

static void *qwen_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                          piaa_error *error) {
    static const piaa_qwen_merger_names names = {"norm", "linear_fc1", "linear_fc2"};
    const qwen_config *c = config;
    qwen_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    if (plan->vision_blocks) piaa_vit_declare(&c->qwen.vit, r, plan->vision_blocks, &w->vit);
    if (plan->merge)
        w->merger = piaa_qwen_declare_merger(&c->qwen, r, "model.visual.merger.", &names, false);
    for (int i = 0; plan->merge && i < additions(c, plan); i++) {
        char p[64];
        snprintf(p, sizeof p, "model.visual.deepstack_merger_list.%d.", i);
        w->deepstack[i] = piaa_qwen_declare_merger(&c->qwen, r, p, &names, true);
    }
    piaa_decoder_declare(&c->qwen.decoder, r, plan, &w->decoder);
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

static void take_features(void *user, piaa_graph *graph, int block, struct ggml_tensor *x) {
    deepstack *stack = user;
    for (int i = 0; i < stack->count; i++)
        if (stack->config->deepstack[i] == block)
            stack->features[i] =
                piaa_qwen_merge(&stack->config->qwen, &stack->weights->deepstack[i], graph, x);
}

static struct ggml_tensor *add_features(void *user, piaa_graph *graph, int block,
                                        struct ggml_tensor *h) {
    const deepstack *stack = user;
    if (block >= stack->count) return h;
    return ggml_acc(graph->context, h, stack->features[block], h->nb[1], h->nb[2], h->nb[3],
                    (size_t)stack->text->images->start * h->nb[1]);
}

static void qwen_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                       piaa_graph *graph) {
    const qwen_config *c = config;
    const qwen_weights *w = weights;
    const piaa_vit *v = &c->qwen.vit;
    piaa_qwen_input *in = input;
    deepstack stack = {.config = c, .weights = w, .text = &in->text};
    if (plan->merge) stack.count = additions(c, plan);
    piaa_qwen_limit(&c->qwen, graph);
    struct ggml_tensor *image = NULL;
    if (plan->vision_blocks) {
        const piaa_vit_hook hook = {take_features, &stack};
        image = piaa_vit_embed(v, &w->vit, in->pixels.patches, &in->grid, graph);
        image = piaa_vit_run(v, &w->vit, image, &in->grid, plan, false, &hook, graph);
        image = plan->merge ? piaa_qwen_merge(&c->qwen, &w->merger, graph, image) : NULL;
    }
    for (int i = 0; plan->sight && i < stack.count; i++)
        piaa_graph_keep(graph, stack.features[i], true, -2 - i);
    if (!plan->embeddings) return;
    const piaa_decoder_hook hook = {add_features, &stack};
    piaa_decoder_build(&c->qwen.decoder, &w->decoder, &in->text, plan, graph, image, &hook);
}

static void qwen_build_text(const void *config, const void *weights, piaa_decoder_input *in,
                            const piaa_plan *plan, piaa_graph *graph) {
    const piaa_qwen *qwen = config;
    piaa_qwen_limit(qwen, graph);
    piaa_decoder_build(&qwen->decoder, &((const qwen_weights *)weights)->decoder, in, plan, graph,
                       NULL, NULL);
}

const piaa_family piaa_family_qwen3vl = {
    .model_type = "qwen3_vl",
    .chat = PIAA_CHAT_QWEN3VL,
    .open = qwen_open,
    .close = qwen_close,
    .difference = piaa_qwen_difference,
    .prepare = qwen_prepare,
    .input_free = piaa_qwen_input_free,
    .input_count = piaa_qwen_input_count,
    .declare = qwen_declare,
    .build = qwen_build,
    .decoder = piaa_qwen_decoder,
    .input_text = piaa_qwen_input_text,
    .build_text = qwen_build_text,
};
