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

enum { SLIDING = 0, FULL = 1 };

typedef struct gemma_config {
    piaa_vit vit;
    piaa_decoder decoder;
    int side; /* image tokens are side x side */
} gemma_config;

/* -------------------------------------------------------------------------------- configuration */

/* "layer_types", or every sixth block is a full one. */
static bool read_kinds(piaa_decoder *d, const piaa_config *text, piaa_error *error) {
    int pattern;
    if (!piaa_config_int(text, "_sliding_window_pattern", 6, 1, 4096, &pattern, error) ||
        !piaa_config_int(text, "sliding_window_pattern", pattern, 1, 4096, &pattern, error))
        return false;
    for (int i = 0; i < d->layers; i++) d->kind_of[i] = (i + 1) % pattern ? SLIDING : FULL;
    const cJSON *types = piaa_config_find(text, "layer_types"), *type;
    if (!types) return true;
    int i = 0;
    cJSON_ArrayForEach(type, types) {
        const char *name = cJSON_IsString(type) ? type->valuestring : "";
        const bool full = strcmp(name, "full_attention") == 0;
        if (i >= d->layers || (!full && strcmp(name, "sliding_attention") != 0)) break;
        d->kind_of[i++] = full ? FULL : SLIDING;
    }
    return (cJSON_IsArray(types) && i == d->layers && cJSON_GetArraySize(types) == i) ||
           piaa_error_set(error, PIAA_FORMAT,
                          "%s: layer_types should list \"full_attention\" or \"sliding_attention\" "
                          "for each of %d blocks",
                          piaa_checkpoint_where(text->checkpoint), d->layers);
}

static bool read_text_config(piaa_decoder *d, const piaa_config *whole, const piaa_config *text,
                             piaa_error *error) {
    static const piaa_decoder_defaults defaults = {.hidden = 2304,
                                                   .layers = 26,
                                                   .heads = 8,
                                                   .kv_heads = 4,
                                                   .head_dim = 256,
                                                   .intermediate = 9216,
                                                   .vocabulary = 262208};
    *d = (piaa_decoder){.checkpoint = text->checkpoint,
                        .qk_norm = true,
                        .sandwich = true,
                        .one_plus = true,
                        .image_attention = true};
    float scalar = 0;
    if (!piaa_decoder_configure(d, text, &defaults, error) ||
        !piaa_config_int(text, "sliding_window", 4096, 1, 1 << 30, &d->kind[SLIDING].window,
                         error) ||
        !piaa_config_positive(text, "query_pre_attn_scalar", 256, &scalar, error) ||
        !piaa_config_activation(text, "hidden_activation", "gelu_pytorch_tanh", true,
                                &d->activation, error))
        return false;
    if (d->activation != PIAA_GEGLU || piaa_config_flag(text, "attention_bias", false) ||
        piaa_config_flag(text, "use_bidirectional_attention", false) ||
        piaa_config_find(text, "attn_logit_softcapping"))
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s: of hidden_activation, attention_bias, use_bidirectional_attention and "
            "attn_logit_softcapping only Gemma 3's own values are supported",
            piaa_checkpoint_where(text->checkpoint));
    d->scale = (float)pow(scalar, -0.5);
    if (piaa_config_find(text, "final_logit_softcapping") &&
        !piaa_config_positive(text, "final_logit_softcapping", 0, &d->cap, error))
        return false;
    d->tied = piaa_config_flag(whole, "tie_word_embeddings",
                               piaa_config_flag(text, "tie_word_embeddings", true));
    return read_kinds(d, text, error) &&
           piaa_rotary_read(&d->kind[SLIDING].rotary, text, "rope_parameters.sliding_attention",
                            "rope_local_base_freq", "", 1e4, error) &&
           piaa_rotary_read(&d->kind[FULL].rotary, text, "rope_parameters.full_attention",
                            "rope_theta", "rope_scaling", 1e6, error);
}

/* The reference multiplies in the embeddings' own type, in which the factor is rounded first. */
static float embedding_scale(const piaa_tensor *table, int hidden) {
    float scale = (float)sqrt(hidden);
    if (table->type == PIAA_F32) return scale;
    if (table->type == PIAA_F16) return ggml_fp16_to_fp32(ggml_fp32_to_fp16(scale));
    return ggml_bf16_to_fp32(ggml_fp32_to_bf16(scale));
}

static bool configure(gemma_config *c, const piaa_checkpoint *checkpoint, piaa_error *error) {
    const cJSON *json = piaa_checkpoint_config(checkpoint);
    const piaa_config whole = {json, "", checkpoint}, text = {json, "text_config.", checkpoint},
                      vision = {json, "vision_config.", checkpoint};
    int image_tokens;
    if (!read_text_config(&c->decoder, &whole, &text, error) ||
        !piaa_config_int(&whole, "mm_tokens_per_image", 256, 1, 1 << 16, &image_tokens, error))
        return false;
    c->decoder.embedding_scale = embedding_scale(c->decoder.embeddings, c->decoder.hidden);
    c->side = (int)lround(sqrt(image_tokens));
    if (c->side * c->side != image_tokens)
        return piaa_error_set(error, PIAA_FORMAT, "%s: mm_tokens_per_image is %d, not a square",
                              piaa_checkpoint_where(checkpoint), image_tokens);
    return piaa_siglip_configure(&c->vit, checkpoint, &vision, c->side, error);
}

static void gemma_close(void *config) {
    gemma_config *c = config;
    piaa_vit_close(&c->vit);
    free(c);
}

static const char *gemma_difference(const void *config, const void *other) {
    const gemma_config *a = config, *b = other;
    const char *found = piaa_decoder_difference(&a->decoder, &b->decoder);
    if (!found) found = piaa_vit_difference(&a->vit, &b->vit);
    if (!found && a->side != b->side) found = "mm_tokens_per_image";
    return found;
}

static void *gemma_open(const piaa_checkpoint *checkpoint, const piaa_tokenizer *tokenizer,
                        piaa_model_info *info, piaa_error *error) {
    PIAA_UNUSED(tokenizer);
    gemma_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
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
    .name = "Gemma 3",
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
