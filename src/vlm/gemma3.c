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
 *
 * Whatever the block, a query sees an unbroken run of keys: from the window's start to itself, or
 * to the end of the image it is part of.
 */
#include "vlm/decoder.h"
#include "vlm/siglip.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = 511, SLIDING = 0, FULL = 1, KINDS = 2 };

typedef struct gemma_config {
    piaa_vit vit;
    int hidden, layers, heads, kv_heads, head_dim, intermediate, window;
    int side; /* image tokens are side x side */
    float eps, scale, cap;
    float base[KINDS], factor[KINDS]; /* of rotary positions */
    bool tied, full[MAX_LAYERS];
    piaa_embeddings embeddings;
} gemma_config;

/* -------------------------------------------------------------------------------- configuration */

/* Rotary base and factor of a kind of blocks: "rope_parameters" by kind, or the older keys. */
static bool read_rotary(gemma_config *c, const piaa_config *text, int kind, const char *object,
                        const char *old_base, const char *old_scaling, piaa_error *error) {
    char key[96];
    snprintf(key, sizeof key, "rope_parameters.%s.rope_theta", object);
    if (!piaa_config_positive(text, old_base, kind == FULL ? 1e6 : 1e4, &c->base[kind], error) ||
        !piaa_config_positive(text, key, c->base[kind], &c->base[kind], error))
        return false;
    char place[128];
    snprintf(place, sizeof place, "%srope_parameters.%s", text->prefix, object);
    const cJSON *scaling = piaa_json_find(text->json, place);
    snprintf(place, sizeof place, "%s%s", text->prefix, old_scaling);
    if (!scaling && *old_scaling) scaling = piaa_json_find(text->json, place);
    const char *type = piaa_json_string(scaling, "rope_type");
    if (!type) type = piaa_json_string(scaling, "type");
    c->factor[kind] = 1.0f;
    if (!type || strcmp(type, "default") == 0) return true;
    const piaa_config inner = {scaling, "", text->checkpoint};
    if (strcmp(type, "linear") == 0)
        return piaa_config_positive(&inner, "factor", 1.0, &c->factor[kind], error);
    return piaa_error_set(
        error, PIAA_UNSUPPORTED,
        "%s: rotary positions of the type \"%.40s\" are not supported (default, linear)",
        piaa_checkpoint_where(text->checkpoint), type);
}

/* "layer_types", or every sixth block is a full one. */
static bool read_kinds(gemma_config *c, const piaa_config *text, piaa_error *error) {
    int pattern;
    if (!piaa_config_int(text, "_sliding_window_pattern", 6, 1, 4096, &pattern, error) ||
        !piaa_config_int(text, "sliding_window_pattern", pattern, 1, 4096, &pattern, error))
        return false;
    for (int i = 0; i < c->layers; i++) c->full[i] = (i + 1) % pattern == 0;
    const cJSON *types = piaa_json_find(text->json, "text_config.layer_types");
    if (!types) return true;
    int i = 0;
    const cJSON *type;
    cJSON_ArrayForEach(type, types) {
        const char *name = cJSON_IsString(type) ? type->valuestring : "";
        const bool full = strcmp(name, "full_attention") == 0;
        if (i >= c->layers || (!full && strcmp(name, "sliding_attention") != 0)) break;
        c->full[i++] = full;
    }
    return (cJSON_IsArray(types) && i == c->layers && cJSON_GetArraySize(types) == i) ||
           piaa_error_set(error, PIAA_FORMAT,
                          "%s: layer_types should list \"full_attention\" or \"sliding_attention\" "
                          "for each of %d blocks",
                          piaa_checkpoint_where(text->checkpoint), c->layers);
}

static bool read_text_config(gemma_config *c, const piaa_config *text, piaa_error *error) {
    float scalar = 0;
    piaa_activation activation;
    if (!piaa_config_int(text, "hidden_size", 2304, 8, 65536, &c->hidden, error) ||
        !piaa_config_int(text, "num_hidden_layers", 26, 1, MAX_LAYERS, &c->layers, error) ||
        !piaa_config_int(text, "num_attention_heads", 8, 1, 1024, &c->heads, error) ||
        !piaa_config_int(text, "num_key_value_heads", 4, 1, 1024, &c->kv_heads, error) ||
        !piaa_config_int(text, "head_dim", 256, 2, 1024, &c->head_dim, error) ||
        !piaa_config_int(text, "intermediate_size", 9216, 1, 1 << 20, &c->intermediate, error) ||
        !piaa_config_int(text, "sliding_window", 4096, 1, 1 << 30, &c->window, error) ||
        !piaa_config_positive(text, "rms_norm_eps", 1e-6, &c->eps, error) ||
        !piaa_config_positive(text, "query_pre_attn_scalar", 256, &scalar, error) ||
        !piaa_config_activation(text, "hidden_activation", "gelu_pytorch_tanh", true, &activation,
                                error))
        return false;
    if (c->heads % c->kv_heads || c->head_dim % 2)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: %d heads of %d values with %d key/value heads do not fit together",
            piaa_checkpoint_where(text->checkpoint), c->heads, c->head_dim, c->kv_heads);
    if (activation != PIAA_GEGLU || piaa_config_flag(text, "attention_bias", false) ||
        piaa_config_flag(text, "use_bidirectional_attention", false) ||
        piaa_json_find(text->json, "text_config.attn_logit_softcapping"))
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s: of hidden_activation, attention_bias, use_bidirectional_attention and "
            "attn_logit_softcapping only Gemma 3's own values are supported",
            piaa_checkpoint_where(text->checkpoint));
    c->scale = (float)pow(scalar, -0.5);
    if (piaa_json_find(text->json, "text_config.final_logit_softcapping") &&
        !piaa_config_positive(text, "final_logit_softcapping", 0, &c->cap, error))
        return false;
    return read_kinds(c, text, error) &&
           read_rotary(c, text, SLIDING, "sliding_attention", "rope_local_base_freq", "", error) &&
           read_rotary(c, text, FULL, "full_attention", "rope_theta", "rope_scaling", error);
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
    int image_tokens, vocabulary;
    if (!read_text_config(c, &text, error) ||
        !piaa_config_int(&whole, "mm_tokens_per_image", 256, 1, 1 << 16, &image_tokens, error) ||
        !piaa_config_int(&text, "vocab_size", 262208, 1, 1 << 24, &vocabulary, error))
        return false;
    c->side = (int)lround(sqrt(image_tokens));
    if (c->side * c->side != image_tokens)
        return piaa_error_set(error, PIAA_FORMAT, "%s: mm_tokens_per_image is %d, not a square",
                              piaa_checkpoint_where(checkpoint), image_tokens);
    if (!piaa_siglip_configure(&c->vit, checkpoint, &vision, c->side, error)) return false;
    c->tied = piaa_config_flag(&whole, "tie_word_embeddings",
                               piaa_config_flag(&text, "tie_word_embeddings", true));
    c->embeddings.table =
        piaa_checkpoint_need(checkpoint, error, "model.language_model.embed_tokens.weight", 2,
                             (int64_t)vocabulary, (int64_t)c->hidden);
    if (c->embeddings.table) c->embeddings.scale = embedding_scale(c->embeddings.table, c->hidden);
    return c->embeddings.table != NULL;
}

static void gemma_close(void *config) {
    gemma_config *c = config;
    piaa_vit_close(&c->vit);
    free(c);
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
    info->layout.decoder_layers = c->layers;
    info->layout.hidden_size = c->hidden;
    info->heads = c->heads;
    info->kv_heads = c->kv_heads;
    info->head_dim = c->head_dim;
    info->intermediate = c->intermediate;
    info->vocabulary = (int)c->embeddings.table->shape[0];
    info->merge = c->vit.grid_h / c->side;
    info->image_attention = true;
    return c;
}

/* ---------------------------------------------------------------------------------------- input */

/* Which keys the rows see, and the angles of their positions, by kind of block. */
typedef struct row_set {
    int count;
    int32_t *first[KINDS], *last;
    float *rotary[KINDS];     /* [count][head_dim] */
    ggml_fp16_t *mask[KINDS]; /* [count][tokens], made where ggml's attention asks for it */
} row_set;

typedef struct gemma_input {
    float *patches;
    piaa_decoder_input text;
    row_set all, kept; /* kept: the text's, which are all that the last block has to finish */
} gemma_input;

static void free_rows(row_set *r) {
    for (int kind = 0; kind < KINDS; kind++) {
        free(r->first[kind]);
        free(r->rotary[kind]);
        free(r->mask[kind]);
    }
    free(r->last);
}

static void gemma_input_free(void *input) {
    gemma_input *in = input;
    if (!in) return;
    free(in->patches);
    piaa_decoder_input_free(&in->text);
    free_rows(&in->all);
    free_rows(&in->kept);
    free(in);
}

static void gemma_input_count(const void *input, int *tokens, int *image_tokens) {
    const gemma_input *in = input;
    *tokens = in->text.tokens;
    *image_tokens = in->text.image;
}

/* Cosines and sines of position x frequency, the latter base^(-2j / dim) / factor, rounded as the
   reference has it. */
static void fill_rotary(const gemma_config *c, int kind, int position, float *out) {
    const int half = c->head_dim / 2;
    for (int j = 0; j < half; j++) {
        const float frequency =
            1.0f / powf(c->base[kind], (float)(2 * j) / (float)c->head_dim) / c->factor[kind];
        out[j] = cosf((float)position * frequency);
        out[half + j] = sinf((float)position * frequency);
    }
}

/* places: the rows' positions among the tokens; NULL: all of them. */
static bool make_rows(const gemma_config *c, const piaa_decoder_input *text, const int32_t *places,
                      int count, bool both_ways, row_set *r, piaa_error *error) {
    r->count = count;
    r->last = piaa_alloc((size_t)count, sizeof *r->last, error);
    bool ok = r->last != NULL;
    for (int kind = 0; kind < KINDS; kind++) {
        r->first[kind] = ok ? piaa_alloc((size_t)count, sizeof **r->first, error) : NULL;
        r->rotary[kind] =
            r->first[kind]
                ? piaa_alloc_array((size_t)count, (size_t)c->head_dim * sizeof **r->rotary, error)
                : NULL;
        ok = r->rotary[kind] != NULL;
    }
    const int image_end = text->start + text->image;
    for (int i = 0; ok && i < count; i++) {
        const int at = places ? places[i] : i;
        const bool image = at >= text->start && at < image_end;
        r->last[i] = image && both_ways ? image_end - 1 : at;
        r->first[SLIDING][i] = at >= c->window ? at - c->window + 1 : 0;
        for (int kind = 0; kind < KINDS; kind++)
            fill_rotary(c, kind, at, r->rotary[kind] + (size_t)i * (size_t)c->head_dim);
    }
    return ok;
}

static void *gemma_prepare(const void *config, const piaa_tokenizer *tokenizer,
                           const piaa_image *image, const float *patches, int grid_h, int grid_w,
                           const piaa_ask *ask, piaa_error *error) {
    const gemma_config *c = config;
    gemma_input *in = piaa_alloc(1, sizeof *in, error);
    if (!in) return NULL;
    const bool both_ways = !ask || ask->image_attention == PIAA_IMAGE_BOTH_WAYS;
    in->patches = piaa_vit_patches(&c->vit, image, patches, grid_h, grid_w, ask, error);
    if (in->patches &&
        piaa_decoder_input_make(&in->text, c->vit.checkpoint, &c->embeddings, tokenizer,
                                PIAA_CHAT_GEMMA3, c->side * c->side, ask, error) &&
        make_rows(c, &in->text, NULL, in->text.tokens, both_ways, &in->all, error) &&
        make_rows(c, &in->text, in->text.rows, in->text.text, both_ways, &in->kept, error))
        return in;
    gemma_input_free(in);
    return NULL;
}

/* -------------------------------------------------------------------------------------- weights */

typedef struct decoder_block {
    const piaa_matrix *q, *kv, *o, *gate_up, *down;
    struct ggml_tensor *before_attention, *after_attention, *before_unit, *after_unit, *q_norm,
        *k_norm;
} decoder_block;

typedef struct gemma_weights {
    piaa_vit_weights vit;
    struct ggml_tensor *vision_norm_w, *vision_norm_b, *image_norm, *final_norm;
    const piaa_matrix *projection, *head;
    decoder_block decoder[MAX_LAYERS];
} gemma_weights;

static struct ggml_tensor *norm(piaa_resident *r, piaa_error *error, const char *prefix,
                                const char *name, int64_t length) {
    char text[160];
    snprintf(text, sizeof text, "%s%s", prefix, name);
    return piaa_resident_plus_one(r, error, text, length);
}

static const piaa_matrix *matrix(piaa_resident *r, piaa_error *error, const char *prefix,
                                 const char *name, int64_t rows, int64_t columns) {
    char text[160];
    snprintf(text, sizeof text, "%s%s", prefix, name);
    return piaa_resident_matrix(r, error, text, 1, &rows, columns);
}

static void declare_block(const gemma_config *c, piaa_resident *r, int i, decoder_block *b,
                          piaa_error *error) {
    char p[96], names[512];
    const int64_t h = c->hidden, q = (int64_t)c->heads * c->head_dim,
                  kv = (int64_t)c->kv_heads * c->head_dim, f = c->intermediate;
    snprintf(p, sizeof p, "model.language_model.layers.%d.", i);
    b->before_attention = norm(r, error, p, "input_layernorm.weight", h);
    b->q = matrix(r, error, p, "self_attn.q_proj.weight", q, h);
    snprintf(names, sizeof names, "%sself_attn.k_proj.weight|%sself_attn.v_proj.weight", p, p);
    b->kv = piaa_resident_matrix(r, error, names, 2, (int64_t[]){kv, kv}, h);
    b->q_norm = norm(r, error, p, "self_attn.q_norm.weight", c->head_dim);
    b->k_norm = norm(r, error, p, "self_attn.k_norm.weight", c->head_dim);
    b->o = matrix(r, error, p, "self_attn.o_proj.weight", h, q);
    b->after_attention = norm(r, error, p, "post_attention_layernorm.weight", h);
    b->before_unit = norm(r, error, p, "pre_feedforward_layernorm.weight", h);
    snprintf(names, sizeof names, "%smlp.gate_proj.weight|%smlp.up_proj.weight", p, p);
    b->gate_up = piaa_resident_paired(r, error, names, f, h);
    b->down = matrix(r, error, p, "mlp.down_proj.weight", h, f);
    b->after_unit = norm(r, error, p, "post_feedforward_layernorm.weight", h);
}

static void *gemma_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                           piaa_error *error) {
    const gemma_config *c = config;
    gemma_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    if (plan->vision_blocks) piaa_vit_declare(&c->vit, r, plan->vision_blocks, &w->vit, error);
    if (plan->merge) {
        w->vision_norm_w =
            piaa_vit_vector(&c->vit, r, error, "post_layernorm.weight", c->vit.width);
        w->vision_norm_b = piaa_vit_vector(&c->vit, r, error, "post_layernorm.bias", c->vit.width);
        w->image_norm =
            norm(r, error, "model.multi_modal_projector.", "mm_soft_emb_norm.weight", c->vit.width);
        w->projection = piaa_resident_transposed(
            r, error, "model.multi_modal_projector.mm_input_projection_weight", c->hidden,
            c->vit.width);
    }
    for (int i = 0; i < plan->decoder_blocks; i++) declare_block(c, r, i, &w->decoder[i], error);
    if (plan->final_norm)
        w->final_norm = norm(r, error, "model.language_model.", "norm.weight", c->hidden);
    if (plan->logits)
        w->head = matrix(r, error, "",
                         c->tied ? "model.language_model.embed_tokens.weight" : "lm_head.weight",
                         c->embeddings.table->shape[0], c->hidden);
    if (error->code == PIAA_OK) return w;
    free(w);
    return NULL;
}

/* ---------------------------------------------------------------------------------------- graph */

/* The mean of every square of patches: the sum of as many views as a square has patches, each of
   every square's same corner. */
static struct ggml_tensor *average(const gemma_config *c, piaa_graph *graph,
                                   struct ggml_tensor *x) {
    struct ggml_context *g = graph->context;
    const int square = c->vit.grid_h / c->side;
    const size_t patch = x->nb[1], row = patch * (size_t)c->vit.grid_w;
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

/* The rows' tensors, as far as this graph needs them. */
typedef struct row_tensors {
    struct ggml_tensor *places, *first[KINDS], *last, *rotary[KINDS], *mask[KINDS], *pool;
} row_tensors;

static bool add_rows(const gemma_config *c, piaa_graph *graph, row_set *r, int tokens,
                     const bool kinds[KINDS], row_tensors *out, piaa_error *error) {
    if (graph->kernels) out->last = piaa_graph_input(graph, GGML_TYPE_I32, r->count, 1, r->last);
    for (int kind = 0; kind < KINDS; kind++) {
        if (!kinds[kind]) continue;
        out->rotary[kind] =
            piaa_graph_input(graph, GGML_TYPE_F32, c->head_dim, r->count, r->rotary[kind]);
        if (graph->kernels) {
            if (kind == SLIDING)
                out->first[kind] =
                    piaa_graph_input(graph, GGML_TYPE_I32, r->count, 1, r->first[kind]);
            continue;
        }
        if (!r->mask[kind])
            r->mask[kind] = piaa_decoder_mask(r->first[kind], r->last, r->count, tokens, error);
        if (!r->mask[kind]) return false;
        out->mask[kind] = piaa_graph_input(graph, GGML_TYPE_F16, tokens, r->count, r->mask[kind]);
    }
    return true;
}

/* One block; where `kept` has places, they are the only rows that leave it. */
static struct ggml_tensor *build_block(const gemma_config *c, const decoder_block *b, int kind,
                                       piaa_graph *graph, struct ggml_tensor *h,
                                       const row_tensors *all, const row_tensors *kept) {
    struct ggml_context *g = graph->context;
    struct ggml_tensor *x = piaa_graph_rms_norm(graph, h, b->before_attention, c->eps, true);
    struct ggml_tensor *kv = piaa_graph_linear(graph, b->kv, NULL, x, PIAA_LINEAR, NULL);
    if (kept->places) {
        h = ggml_get_rows(g, h, kept->places);
        x = piaa_graph_rms_norm(graph, h, b->before_attention, c->eps, true);
    }
    piaa_attention attention = {.q = piaa_graph_linear(graph, b->q, NULL, x, PIAA_LINEAR, NULL),
                                .kv = kv,
                                .v_first = c->kv_heads,
                                .heads = c->heads,
                                .kv_heads = c->kv_heads,
                                .dim = c->head_dim,
                                .scale = c->scale,
                                .q_norm = b->q_norm,
                                .k_norm = b->k_norm,
                                .eps = c->eps,
                                .q_rotary = kept->rotary[kind],
                                .k_rotary = all->rotary[kind],
                                .causal = true,
                                .rows = kept->last,
                                .first = kept->first[kind],
                                .mask = kept->mask[kind]};
    x = piaa_graph_linear(graph, b->o, NULL, piaa_graph_attention(graph, &attention), PIAA_LINEAR,
                          NULL);
    h = ggml_add(g, h, piaa_graph_rms_norm(graph, x, b->after_attention, c->eps, false));
    x = piaa_graph_rms_norm(graph, h, b->before_unit, c->eps, true);
    x = piaa_graph_linear(graph, b->down, NULL,
                          piaa_graph_linear(graph, b->gate_up, NULL, x, PIAA_GEGLU, NULL),
                          PIAA_LINEAR, NULL);
    return ggml_add(g, h, piaa_graph_rms_norm(graph, x, b->after_unit, c->eps, false));
}

static struct ggml_tensor *build_logits(const gemma_config *c, const gemma_weights *w,
                                        piaa_graph *graph, struct ggml_tensor *h) {
    struct ggml_context *g = graph->context;
    struct ggml_tensor *end =
        ggml_view_2d(g, h, h->ne[0], 1, h->nb[1], (size_t)(h->ne[1] - 1) * h->nb[1]);
    struct ggml_tensor *logits = piaa_graph_linear(graph, w->head, NULL, end, PIAA_LINEAR, NULL);
    return c->cap > 0 ? ggml_scale(g, ggml_tanh(g, ggml_scale(g, logits, 1.0f / c->cap)), c->cap)
                      : logits;
}

static bool build_decoder(const gemma_config *c, const gemma_weights *w, gemma_input *in,
                          const piaa_plan *plan, piaa_graph *graph, struct ggml_tensor *image,
                          piaa_error *error) {
    const piaa_decoder_input *text = &in->text;
    struct ggml_tensor *h = piaa_decoder_embed(graph, text, c->hidden, image);
    row_tensors all = {0}, kept = {.pool = piaa_graph_input(graph, GGML_TYPE_F32, 2, text->text,
                                                            text->row_pool)};
    if (image) all.pool = piaa_graph_input(graph, GGML_TYPE_F32, 3, text->tokens, text->pool);
    piaa_decoder_pool(graph, plan, h, image ? all.pool : kept.pool, 0);
    const int last = plan->decoder_blocks;
    if (!image || !last) return true;

    const bool text_only = !plan->pool_image[last] && !plan->hidden;
    bool kinds[KINDS] = {false}, last_kind[KINDS] = {!c->full[last - 1], c->full[last - 1]};
    for (int i = 0; i < last; i++) kinds[c->full[i] ? FULL : SLIDING] = true;
    if (!add_rows(c, graph, &in->all, text->tokens, kinds, &all, error)) return false;
    if (text_only) {
        kept.places = piaa_graph_input(graph, GGML_TYPE_I32, text->text, 1, text->rows);
        if (!add_rows(c, graph, &in->kept, text->tokens, last_kind, &kept, error)) return false;
    }
    for (int i = 0; i < last; i++) {
        const row_tensors *rest = text_only && i == last - 1 ? &kept : &all;
        h = build_block(c, &w->decoder[i], c->full[i] ? FULL : SLIDING, graph, h, &all, rest);
        if (i + 1 == c->layers) h = piaa_graph_rms_norm(graph, h, w->final_norm, c->eps, false);
        piaa_decoder_pool(graph, plan, h, rest->pool, i + 1);
    }
    if (plan->logits) piaa_graph_keep(graph, build_logits(c, w, graph, h), false, -1);
    return true;
}

static bool gemma_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                        piaa_graph *graph, piaa_error *error) {
    const gemma_config *c = config;
    const gemma_weights *w = weights;
    gemma_input *in = input;
    const int vision_dim = c->vit.width / c->vit.heads;
    piaa_graph_limit(graph, vision_dim > c->head_dim ? vision_dim : c->head_dim);
    struct ggml_tensor *image = NULL;
    if (plan->vision_blocks) {
        image = piaa_vit_embed(&c->vit, &w->vit, in->patches, graph);
        image = piaa_vit_run(&c->vit, &w->vit, image, plan, false, graph);
        image = plan->merge ? build_image(c, w, graph, image) : NULL;
    }
    return !plan->embeddings || build_decoder(c, w, in, plan, graph, image, error);
}

const piaa_family piaa_family_gemma3 = {
    .model_type = "gemma3",
    .name = "Gemma 3",
    .open = gemma_open,
    .close = gemma_close,
    .prepare = gemma_prepare,
    .input_free = gemma_input_free,
    .input_count = gemma_input_count,
    .declare = gemma_declare,
    .build = gemma_build,
};
