/*
 * Qwen2.5-VL: a vision transformer with RMS norms and gated units, most of whose blocks see windows
 * of the photo only, whose 2 x 2 patches are merged into decoder tokens; and a decoder with
 * grouped-query attention, biases, and rotary positions of time, row and column one after the
 * other.
 *
 * Reference: Hugging Face transformers, models/qwen2_5_vl/modeling_qwen2_5_vl.py (5.24).  What is
 * easy to get wrong:
 *   - windows are laid over merged tokens from the top left corner, those at the right and at the
 *     bottom being smaller; merged tokens go through the encoder window by window, and come back
 *     into their order after the merger;
 *   - fullatt_block_indexes counts a few blocks out of many, and numbers that no block has count
 *     for nothing;
 *   - published files have the text's settings beside vision_config, newer ones in text_config.
 */
#include "vlm/qwen.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct qwen_config {
    piaa_qwen qwen;
    int window; /* so many merged tokens on a side */
} qwen_config;

/* ------------------------------------------------------------------------------- configuration */

/* Blocks see windows unless they are listed. */
static bool read_windows(qwen_config *c, const piaa_settings *s, piaa_error *error) {
    piaa_vit *v = &c->qwen.vit;
    const int token = v->patch * c->qwen.pixels.merge_size;
    if (s->vision.window < token)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: windows of %d pixels hold no token of %d x %d",
                              piaa_checkpoint_where(v->checkpoint), s->vision.window, token, token);
    c->window = s->vision.window / token;
    for (int i = 0; i < v->blocks; i++) v->windowed[i] = true;
    for (int i = 0; i < s->vision.whole.count; i++) {
        const int block = s->vision.whole.items[i];
        if (block >= 0 && block < v->blocks) v->windowed[block] = false;
    }
    return true;
}

static bool configure(qwen_config *c, const piaa_checkpoint *checkpoint,
                      const piaa_settings *settings, piaa_error *error) {
    static const piaa_vit_names names = {.norm1 = "norm1",
                                         .q = "attn.qkv",
                                         .out = "attn.proj",
                                         .norm2 = "norm2",
                                         .gate = "mlp.gate_proj",
                                         .fc1 = "mlp.up_proj",
                                         .fc2 = "mlp.down_proj"};
    c->qwen = (piaa_qwen){.decoder = {.checkpoint = checkpoint,
                                      .qkv_bias = true,
                                      .image_positions = true,
                                      .embedding_scale = 1},
                          .vit = {.checkpoint = checkpoint,
                                  .names = &names,
                                  .prefix = "model.visual.",
                                  .patch_name = "patch_embed.proj",
                                  .layer = "blocks.",
                                  .rms = true,
                                  .q_bias = true,
                                  .out_bias = true,
                                  .mlp_bias = true}};
    return piaa_qwen_configure(&c->qwen, settings, error) && read_windows(c, settings, error);
}

static void qwen_close(void *config) {
    qwen_config *c = config;
    piaa_vit_close(&c->qwen.vit);
    free(c);
}

static void *qwen_open(const piaa_checkpoint *checkpoint, const piaa_settings *settings,
                       piaa_model_info *info, piaa_error *error) {
    qwen_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    if (!configure(c, checkpoint, settings, error)) {
        qwen_close(c);
        return NULL;
    }
    piaa_qwen_inform(&c->qwen, info);
    return c;
}

/* --------------------------------------------------------------------------------------- input */

static int least(int a, int b) {
    return a < b ? a : b;
}

/* The windows over the merged tokens of `grid`, `unit` patches each: order[i] is the i-th token in
 * the order of windows, places[] the other way round; and the run of patches that each sees. */
static void lay_windows(piaa_vit_grid *grid, int merge, int window, int32_t *order,
                        int32_t *places) {
    const int rows = grid->height / merge, columns = grid->width / merge, unit = merge * merge;
    int next = 0;
    for (int top = 0; top < rows; top += window)
        for (int left = 0; left < columns; left += window) {
            const int first = next;
            for (int y = top; y < least(top + window, rows); y++)
                for (int x = left; x < least(left + window, columns); x++, next++) {
                    order[next] = y * columns + x;
                    places[y * columns + x] = next;
                }
            for (int i = first * unit; i < next * unit; i++) {
                grid->first[i] = first * unit;
                grid->last[i] = next * unit - 1;
            }
        }
}

/* The array's `count` parts of `size` bytes in another order; `room` is as large. */
static void reorder(void *array, const int32_t *order, int count, size_t size, char *room) {
    for (int i = 0; i < count; i++)
        memcpy(room + (size_t)i * size, (const char *)array + (size_t)order[i] * size, size);
    memcpy(array, room, (size_t)count * size);
}

static bool make_windows(const qwen_config *c, piaa_qwen_input *in, piaa_error *error) {
    const int merge = c->qwen.pixels.merge_size, unit = merge * merge;
    const int n = in->grid.tokens, count = n / unit;
    const size_t position = sizeof *in->grid.positions * (size_t)unit,
                 patch = (size_t)in->pixels.patch_length * (size_t)unit * sizeof(float),
                 turn = (size_t)(c->qwen.vit.width / c->qwen.vit.heads * unit) * sizeof(float);
    int32_t *order = piaa_alloc_array((size_t)count, sizeof *order, error);
    char *room = piaa_alloc_array((size_t)count, patch > turn ? patch : turn, error);
    in->places = piaa_alloc_array((size_t)count, sizeof *in->places, error);
    in->grid.first = piaa_alloc_array((size_t)n, sizeof *in->grid.first, error);
    in->grid.last = piaa_alloc_array((size_t)n, sizeof *in->grid.last, error);
    const bool ok = order && room && in->places && in->grid.first && in->grid.last;
    if (ok) {
        lay_windows(&in->grid, merge, c->window, order, in->places);
        reorder(in->pixels.patches, order, count, patch, room);
        reorder(in->grid.rotary, order, count, turn, room);
        for (int axis = 0; axis < 2; axis++)
            reorder(in->grid.positions + axis * n, order, count, position, room);
    }
    free(order);
    free(room);
    return ok;
}

static void *qwen_prepare(const void *config, const piaa_tokenizer *tokenizer,
                          const piaa_image *image, const float *patches, int grid_h, int grid_w,
                          const piaa_ask *ask, piaa_error *error) {
    const qwen_config *c = config;
    piaa_qwen_input *in = piaa_qwen_prepare(&c->qwen, PIAA_CHAT_QWEN25VL, tokenizer, image, patches,
                                            grid_h, grid_w, ask, error);
    if (in && make_windows(c, in, error)) return in;
    piaa_qwen_input_free(in);
    return NULL;
}

/* --------------------------------------------------------------------------- weights and graph */

typedef struct qwen_weights {
    piaa_vit_weights vit;
    piaa_qwen_merger merger;
    piaa_decoder_weights decoder;
} qwen_weights;

static void *qwen_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                          piaa_error *error) {
    static const piaa_qwen_merger_names names = {"ln_q", "mlp.0", "mlp.2"};
    const piaa_qwen *q = &((const qwen_config *)config)->qwen;
    qwen_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    if (plan->vision_blocks) piaa_vit_declare(&q->vit, r, plan->vision_blocks, &w->vit);
    if (plan->merge)
        w->merger = piaa_qwen_declare_merger(q, r, "model.visual.merger.", &names, false);
    piaa_decoder_declare(&q->decoder, r, plan, &w->decoder);
    return w;
}

static void qwen_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                       piaa_graph *graph) {
    const piaa_qwen *q = &((const qwen_config *)config)->qwen;
    const qwen_weights *w = weights;
    piaa_qwen_input *in = input;
    piaa_qwen_limit(q, graph);
    struct ggml_tensor *image = NULL;
    if (plan->vision_blocks) {
        piaa_vit_grid_mask(&in->grid, graph);
        image = piaa_vit_embed(&q->vit, &w->vit, in->pixels.patches, &in->grid, graph);
        image = piaa_vit_run(&q->vit, &w->vit, image, &in->grid, plan, false, NULL, graph);
    }
    if (plan->merge) {
        image = piaa_qwen_merge(q, &w->merger, graph, image);
        image =
            ggml_get_rows(graph->context, image,
                          piaa_graph_input(graph, GGML_TYPE_I32, in->text.image, 1, in->places));
    }
    if (plan->embeddings)
        piaa_decoder_build(&q->decoder, &w->decoder, &in->text, plan, graph,
                           plan->merge ? image : NULL, NULL);
}

static void qwen_build_text(const void *config, const void *weights, piaa_decoder_input *in,
                            const piaa_plan *plan, piaa_graph *graph) {
    const piaa_qwen *qwen = config;
    piaa_qwen_limit(qwen, graph);
    piaa_decoder_build(&qwen->decoder, &((const qwen_weights *)weights)->decoder, in, plan, graph,
                       NULL, NULL);
}

const piaa_family piaa_family_qwen25vl = {
    .model_type = "qwen2_5_vl",
    .chat = PIAA_CHAT_QWEN25VL,
    .open = qwen_open,
    .close = qwen_close,
    .prepare = qwen_prepare,
    .input_free = piaa_qwen_input_free,
    .input_count = piaa_qwen_input_count,
    .declare = qwen_declare,
    .build = qwen_build,
    .decoder = piaa_qwen_decoder,
    .input_text = piaa_qwen_input_text,
    .build_text = qwen_build_text,
};
