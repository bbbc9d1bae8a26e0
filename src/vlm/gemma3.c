/*
 * Gemma 3: SigLIP's encoder, whose patches are averaged in squares to the decoder's image tokens,
 * and a decoder that alternates between blocks that see a sliding window and blocks that see
 * everything.
 *
 * Reference: Hugging Face transformers, models/gemma3/modeling_gemma3.py (5.23).  What is easy to
 * get wrong:
 *   - norms multiply by 1 + w, and there are four in a block: before and after attention, before
 *     and after the gated unit;
 *   - token embeddings are multiplied by sqrt(hidden) rounded to the type they are stored in, the
 *     image's features are not;
 *   - the two kinds of blocks have rotary bases of their own, and only the full ones divide
 *     positions (linear scaling);
 *   - queries are divided by sqrt(query_pre_attn_scalar), which is not always the size of a head;
 *   - image tokens see each other in both directions, within the window where there is one.  The
 *     published code of the study loses the marks that say which tokens are the image's, so that
 *     all are causal: PIAA_IMAGE_CAUSAL.
 */
#include "vlm/decoder.h"
#include "vlm/siglip.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct gemma_config {
    const piaa_settings *settings;
    piaa_vit vit;
    piaa_decoder decoder;
    int side; /* image tokens are side x side */
} gemma_config;

/* -------------------------------------------------------------------------------- configuration */

/* The reference multiplies in the embeddings' own type, in which the factor is rounded first. */
static float embedding_scale(const piaa_tensor *table, int hidden) {
    float scale = (float)sqrt(hidden);
    if (table->type == PIAA_F32) return scale;
    if (table->type == PIAA_F16) return ggml_fp16_to_fp32(ggml_fp32_to_fp16(scale));
    return ggml_bf16_to_fp32(ggml_fp32_to_bf16(scale));
}

static bool configure(gemma_config *c, const piaa_checkpoint *checkpoint, piaa_error *error) {
    const piaa_settings *s = c->settings;
    c->decoder = (piaa_decoder){.checkpoint = checkpoint,
                                .qk_norm = true,
                                .sandwich = true,
                                .one_plus = true,
                                .image_attention = true};
    if (!piaa_decoder_configure(&c->decoder, s, error)) return false;
    c->decoder.embedding_scale = embedding_scale(c->decoder.embeddings, c->decoder.hidden);
    c->side = (int)lround(sqrt(s->image_tokens));
    if (c->side * c->side != s->image_tokens)
        return piaa_error_set(error, PIAA_FORMAT, "%s: mm_tokens_per_image is %d, not a square",
                              piaa_checkpoint_where(checkpoint), s->image_tokens);
    return piaa_siglip_configure(&c->vit, checkpoint, s, c->side, true, error);
}

static void gemma_close(void *config) {
    gemma_config *c = config;
    piaa_vit_close(&c->vit);
    free(c);
}

static const char *gemma_difference(const void *config, const void *other) {
    const gemma_config *a = config, *b = other;
    const char *found = piaa_settings_difference(a->settings, b->settings);
    return found ? found : piaa_planes_difference(&a->vit.pixels, &b->vit.pixels);
}

static void *gemma_open(const piaa_checkpoint *checkpoint, const piaa_settings *settings,
                        piaa_model_info *info, piaa_error *error) {
    gemma_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    c->settings = settings;
    if (!configure(c, checkpoint, error)) {
        gemma_close(c);
        return NULL;
    }
    piaa_vit_inform(&c->vit, info);
    piaa_decoder_inform(&c->decoder, info);
    info->merge = c->vit.grid.height / c->side;
    return c;
}

/* ---------------------------------------------------------------------------------------- input */

typedef struct gemma_input {
    float *patches;
    piaa_decoder_input text;
} gemma_input;

static void gemma_input_free(void *input) {
    gemma_input *in = input;
    if (!in) return;
    free(in->patches);
    piaa_decoder_input_free(&in->text);
    free(in);
}

static void gemma_input_count(const void *input, int *tokens, int *image_tokens) {
    const gemma_input *in = input;
    *tokens = in->text.tokens;
    *image_tokens = in->text.image;
}

static void *gemma_prepare(const void *config, const piaa_tokenizer *tokenizer,
                           const piaa_image *image, const float *patches, int grid_h, int grid_w,
                           const piaa_ask *ask, piaa_error *error) {
    const gemma_config *c = config;
    gemma_input *in = piaa_alloc(1, sizeof *in, error);
    if (!in) return NULL;
    in->patches = piaa_vit_patches(&c->vit, image, patches, grid_h, grid_w, ask, error);
    if (in->patches && piaa_decoder_input_make(&in->text, &c->decoder, tokenizer, PIAA_CHAT_GEMMA3,
                                               c->side, c->side, ask, error))
        return in;
    gemma_input_free(in);
    return NULL;
}

/* ---------------------------------------------------------------------------- weights and graph */

typedef struct gemma_weights {
    piaa_vit_weights vit;
    struct ggml_tensor *vision_norm_w, *vision_norm_b, *image_norm;
    const piaa_matrix *projection;
    piaa_decoder_weights decoder;
} gemma_weights;

static void *gemma_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                           piaa_error *error) {
    static const char projector[] = "model.multi_modal_projector.";
    const gemma_config *c = config;
    const piaa_vit *v = &c->vit;
    gemma_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    if (plan->vision_blocks) piaa_vit_declare(v, r, plan->vision_blocks, &w->vit);
    if (plan->merge) {
        w->vision_norm_w = piaa_resident_vector(r, v->prefix, "post_layernorm.weight", v->width);
        w->vision_norm_b = piaa_resident_vector(r, v->prefix, "post_layernorm.bias", v->width);
        w->image_norm = piaa_resident_plus_one(r, projector, "mm_soft_emb_norm.weight", v->width);
        w->projection = piaa_resident_transposed(r, projector, "mm_input_projection_weight",
                                                 c->decoder.hidden, v->width);
    }
    piaa_decoder_declare(&c->decoder, r, plan, &w->decoder);
    return w;
}

/* The mean of every square of patches: the sum of as many views as a square has patches, each of
   every square's same corner. */
static struct ggml_tensor *average(const gemma_config *c, piaa_graph *graph,
                                   struct ggml_tensor *x) {
    struct ggml_context *g = graph->context;
    const int square = c->vit.grid.height / c->side;
    const size_t patch = x->nb[1], row = patch * (size_t)c->vit.grid.width;
    struct ggml_tensor *sum = NULL;
    for (int y = 0; y < square; y++)
        for (int i = 0; i < square; i++) {
            struct ggml_tensor *part =
                ggml_view_3d(g, x, x->ne[0], c->side, c->side, patch * (size_t)square,
                             row * (size_t)square, row * (size_t)y + patch * (size_t)i);
            sum = sum ? ggml_add(g, sum, part) : ggml_cont(g, part);
        }
    return ggml_reshape_2d(g, ggml_scale(g, sum, 1.0f / (float)(square * square)), x->ne[0],
                           (int64_t)c->side * c->side);
}

static struct ggml_tensor *build_image(const gemma_config *c, const gemma_weights *w,
                                       piaa_graph *graph, struct ggml_tensor *x) {
    x = average(
        c, graph,
        piaa_graph_layer_norm(graph, x, w->vision_norm_w, w->vision_norm_b, c->vit.eps, false));
    x = piaa_graph_rms_norm(graph, x, w->image_norm, c->vit.eps, true);
    return piaa_graph_linear(graph, w->projection, NULL, x, PIAA_LINEAR, NULL);
}

static void limit(const gemma_config *c, piaa_graph *graph) {
    const int vision = c->vit.width / c->vit.heads, dim = c->decoder.kind[0].rotary.dim;
    piaa_graph_limit(graph, vision > dim ? vision : dim);
}

static void gemma_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                        piaa_graph *graph) {
    const gemma_config *c = config;
    const gemma_weights *w = weights;
    const piaa_vit *v = &c->vit;
    gemma_input *in = input;
    limit(c, graph);
    struct ggml_tensor *image = NULL;
    if (plan->vision_blocks) {
        image = piaa_vit_embed(v, &w->vit, in->patches, &v->grid, graph);
        image = piaa_vit_run(v, &w->vit, image, &v->grid, plan, false, NULL, graph);
        image = plan->merge ? build_image(c, w, graph, image) : NULL;
    }
    if (plan->embeddings)
        piaa_decoder_build(&c->decoder, &w->decoder, &in->text, plan, graph, image, NULL);
}

static const piaa_decoder *gemma_decoder(const void *config) {
    return &((const gemma_config *)config)->decoder;
}

static const piaa_decoder_input *gemma_input_text(const void *input) {
    return &((const gemma_input *)input)->text;
}

static void gemma_build_text(const void *config, const void *weights, piaa_decoder_input *in,
                             const piaa_plan *plan, piaa_graph *graph) {
    const gemma_config *c = config;
    limit(c, graph);
    piaa_decoder_build(&c->decoder, &((const gemma_weights *)weights)->decoder, in, plan, graph,
                       NULL, NULL);
}

const piaa_family piaa_family_gemma3 = {
    .model_type = "gemma3",
    .chat = PIAA_CHAT_GEMMA3,
    .open = gemma_open,
    .close = gemma_close,
    .difference = gemma_difference,
    .prepare = gemma_prepare,
    .input_free = gemma_input_free,
    .input_count = gemma_input_count,
    .declare = gemma_declare,
    .build = gemma_build,
    .decoder = gemma_decoder,
    .input_text = gemma_input_text,
    .build_text = gemma_build_text,
};
