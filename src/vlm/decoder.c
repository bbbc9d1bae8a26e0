/* The decoder's weights and its graph. */
#include "vlm/decoder.h"

#include "base/memory.h"
#include "vlm/activation.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "model.language_model."
#define EMBEDDINGS PREFIX "embed_tokens.weight"

/* ---------------------------------------------------------------------------------- description */

static bool set_kinds(piaa_decoder *d, const piaa_settings *s, const char *where,
                      piaa_error *error) {
    const bool window = s->text.window > 0;
    for (int i = 0; i < PIAA_DECODER_KINDS; i++)
        d->kind[i] = (piaa_decoder_kind){
            .heads = s->text.heads,
            .kv_heads = s->text.kv_heads,
            .rotary = {.dim = s->text.head_dim, .interleaved = d->kind[i].rotary.interleaved}};
    d->kind[0].window = s->text.window;
    for (int i = 0; window && i < d->layers; i++) d->kind_of[i] = s->text.full.items[i] != 0;
    return piaa_rotary_set(&d->kind[0].rotary, window ? &s->text.local : &s->text.rope,
                           s->text.positions, where, error) &&
           piaa_rotary_set(&d->kind[1].rotary, &s->text.rope, s->text.positions, where, error);
}

/* Pairs of a head that follow time, row and column. */
static bool set_sections(piaa_rotary *rotary, const piaa_ints *section, const char *where,
                         piaa_error *error) {
    int sum = 0;
    bool good = section->count == PIAA_ROTARY_AXES && section->items[0] > 0;
    for (int i = 0; good && i < PIAA_ROTARY_AXES; i++) {
        good = section->items[i] >= 0;
        sum += rotary->section[i] = section->items[i];
    }
    return (good && sum == rotary->dim / 2) ||
           piaa_error_set(
               error, PIAA_FORMAT,
               "%s: mrope_section should be three numbers that add up to half of head_dim (%d)",
               where, rotary->dim / 2);
}

bool piaa_decoder_configure(piaa_decoder *d, const piaa_settings *s, piaa_error *error) {
    const char *where = piaa_checkpoint_where(d->checkpoint);
    d->hidden = s->text.hidden;
    d->layers = s->text.layers;
    d->intermediate = s->text.intermediate;
    d->context = s->text.positions > 0 ? s->text.positions : INT_MAX;
    d->eps = (float)s->text.eps;
    d->scale = s->text.scalar > 0 ? (float)pow((float)s->text.scalar, -0.5) : 0;
    d->cap = (float)s->text.cap;
    d->tied = s->text.tied;
    if (s->text.heads % s->text.kv_heads || s->text.head_dim % 2)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: %d heads of %d values with %d key/value heads do not fit together", where,
            s->text.heads, s->text.head_dim, s->text.kv_heads);
    if (!set_kinds(d, s, where, error) ||
        (d->image_positions && !set_sections(&d->kind[0].rotary, &s->text.section, where, error)) ||
        !piaa_activation_find(s->text.activation, true, where, &d->activation, error))
        return false;
    d->embeddings = piaa_checkpoint_need(d->checkpoint, error, EMBEDDINGS, 2,
                                         (int64_t)s->text.vocabulary, (int64_t)d->hidden);
    return d->embeddings != NULL;
}

void piaa_decoder_inform(const piaa_decoder *decoder, piaa_model_info *info) {
    const piaa_decoder_kind *kind = &decoder->kind[decoder->kind_of[0]];
    info->layout.decoder_layers = decoder->layers;
    info->layout.hidden_size = decoder->hidden;
    info->heads = kind->heads;
    info->kv_heads = kind->kv_heads;
    info->head_dim = kind->rotary.dim;
    info->intermediate = decoder->intermediate;
    info->vocabulary = (int)decoder->embeddings->shape[0];
    info->image_attention = decoder->image_attention;
}

/* -------------------------------------------------------------------------------------- weights */

static struct ggml_tensor *norm(const piaa_decoder *decoder, piaa_resident *r, const char *prefix,
                                const char *name, int length) {
    return decoder->one_plus ? piaa_resident_plus_one(r, prefix, name, length)
                             : piaa_resident_vector(r, prefix, name, length);
}

static void declare_block(const piaa_decoder *d, piaa_resident *r, int i, piaa_decoder_block *b) {
    const piaa_decoder_kind *kind = &d->kind[d->kind_of[i]];
    const int64_t h = d->hidden, f = d->intermediate, dim = kind->rotary.dim;
    const int64_t q = kind->heads * dim, kv = kind->kv_heads * dim;
    char p[64];
    snprintf(p, sizeof p, PREFIX "layers.%d.", i);
    b->before1 = norm(d, r, p, "input_layernorm.weight", d->hidden);
    b->q = piaa_resident_matrix(r, p, "self_attn.q_proj.weight", q, h);
    b->kv =
        piaa_resident_stacked(r, p, "self_attn.k_proj.weight|self_attn.v_proj.weight", 2, kv, h);
    if (d->qkv_bias) {
        b->q_bias = piaa_resident_vector(r, p, "self_attn.q_proj.bias", q);
        b->kv_bias =
            piaa_resident_joined(r, p, "self_attn.k_proj.bias|self_attn.v_proj.bias", 2, kv);
    }
    if (d->qk_norm) {
        b->q_norm = norm(d, r, p, "self_attn.q_norm.weight", kind->rotary.dim);
        b->k_norm = norm(d, r, p, "self_attn.k_norm.weight", kind->rotary.dim);
    }
    b->o = piaa_resident_matrix(r, p, "self_attn.o_proj.weight", h, q);
    /* The same name is the norm after attention in a sandwich, else the one before the unit. */
    struct ggml_tensor *post = norm(d, r, p, "post_attention_layernorm.weight", d->hidden);
    if (d->sandwich) {
        b->after1 = post;
        b->before2 = norm(d, r, p, "pre_feedforward_layernorm.weight", d->hidden);
        b->after2 = norm(d, r, p, "post_feedforward_layernorm.weight", d->hidden);
    } else {
        b->before2 = post;
    }
    b->gate_up = piaa_resident_paired(r, p, "mlp.gate_proj.weight|mlp.up_proj.weight", f, h);
    b->down = piaa_resident_matrix(r, p, "mlp.down_proj.weight", h, f);
}

void piaa_decoder_declare(const piaa_decoder *d, piaa_resident *r, const piaa_plan *plan,
                          piaa_decoder_weights *w) {
    for (int i = 0; i < plan->decoder_blocks; i++) declare_block(d, r, i, &w->block[i]);
    if (plan->final_norm) w->final_norm = norm(d, r, PREFIX, "norm.weight", d->hidden);
    if (plan->logits)
        w->head = piaa_resident_matrix(r, "", d->tied ? EMBEDDINGS : "lm_head.weight",
                                       d->embeddings->shape[0], d->hidden);
}

/* ---------------------------------------------------------------------------------------- graph */

/* The rows' tensors, as far as this graph needs them. */
typedef struct row_tensors {
    struct ggml_tensor *places, *last, *pool;
    struct ggml_tensor *first[PIAA_DECODER_KINDS], *rotary[PIAA_DECODER_KINDS],
        *mask[PIAA_DECODER_KINDS];
} row_tensors;

/* ggml's own rotation, which devices have as one operation, where it computes the same; else 0. */
static int rotary_mode(const piaa_rotary *rotary) {
    if (rotary->scaling != PIAA_ROTARY_DEFAULT || !rotary->section[0]) return 0;
    return rotary->interleaved ? GGML_ROPE_TYPE_IMROPE : GGML_ROPE_TYPE_MROPE;
}

static struct ggml_tensor *add_ints(piaa_graph *graph, int count, const int32_t *data) {
    return data ? piaa_graph_input(graph, GGML_TYPE_I32, count, 1, data) : NULL;
}

static void add_rows(const piaa_decoder *d, piaa_graph *graph, piaa_decoder_rows *rows,
                     const piaa_decoder_input *in, const bool kinds[PIAA_DECODER_KINDS],
                     row_tensors *out) {
    const int keys = in->past + in->tokens;
    out->places = add_ints(graph, rows->count, rows->places);
    if (graph->kernels) out->last = add_ints(graph, rows->count, rows->last);
    for (int kind = 0; kind < PIAA_DECODER_KINDS; kind++) {
        const piaa_rotary *rotary = &d->kind[kind].rotary;
        if (!kinds[kind]) continue;
        out->rotary[kind] = !graph->kernels && rotary_mode(rotary)
                                ? add_ints(graph, 4 * rows->count, rows->positions)
                                : piaa_graph_input(graph, GGML_TYPE_F32, rotary->dim, rows->count,
                                                   rows->rotary[kind]);
        if (graph->kernels) {
            out->first[kind] = add_ints(graph, rows->count, rows->first[kind]);
            continue;
        }
        if (!rows->mask[kind])
            rows->mask[kind] = piaa_graph_mask(rows->first[kind], rows->last, in->past, rows->count,
                                               keys, &graph->error);
        if (rows->mask[kind])
            out->mask[kind] =
                piaa_graph_input(graph, GGML_TYPE_F16, keys, rows->count, rows->mask[kind]);
    }
}

/* W x, normalised where the block is a sandwich, added to the residual. */
static struct ggml_tensor *close_branch(const piaa_decoder *d, piaa_graph *graph,
                                        const piaa_matrix *w, struct ggml_tensor *after,
                                        struct ggml_tensor *x, struct ggml_tensor *residual) {
    if (!after) return piaa_graph_linear(graph, w, NULL, x, PIAA_LINEAR, residual);
    x = piaa_graph_linear(graph, w, NULL, x, PIAA_LINEAR, NULL);
    return ggml_add(graph->context, residual, piaa_graph_rms_norm(graph, x, after, d->eps, false));
}

/* One block; where `kept` has places, they are the only rows that leave it.  NULL: there is no room
   for its keys and values, as the graph's error says. */
static struct ggml_tensor *build_block(const piaa_decoder *d, const piaa_decoder_block *b, int i,
                                       int past, piaa_graph *graph, struct ggml_tensor *h,
                                       const row_tensors *all, const row_tensors *kept) {
    const int number = d->kind_of[i];
    const piaa_decoder_kind *kind = &d->kind[number];
    const piaa_rotary *rotary = &kind->rotary;
    const piaa_cache_block *cache = NULL;
    if (graph->cache) {
        cache = piaa_cache_at(graph->cache, i, kind->kv_heads, rotary->dim, graph->kernels,
                              graph->rounds_keys, &graph->error);
        if (!cache) return NULL;
    }
    struct ggml_tensor *x = piaa_graph_rms_norm(graph, h, b->before1, d->eps, true);
    struct ggml_tensor *kv = piaa_graph_linear(graph, b->kv, b->kv_bias, x, PIAA_LINEAR, NULL);
    if (kept->places) {
        h = ggml_get_rows(graph->context, h, kept->places);
        x = piaa_graph_rms_norm(graph, h, b->before1, d->eps, true);
    }
    const piaa_attention attention = {
        .q = piaa_graph_linear(graph, b->q, b->q_bias, x, PIAA_LINEAR, NULL),
        .kv = kv,
        .v_first = kind->kv_heads,
        .heads = kind->heads,
        .kv_heads = kind->kv_heads,
        .dim = rotary->dim,
        .scale = d->scale,
        .q_norm = b->q_norm,
        .k_norm = b->k_norm,
        .eps = d->eps,
        .q_rotary = kept->rotary[number],
        .k_rotary = all->rotary[number],
        .rotary_mode = rotary_mode(rotary),
        .rotary_dims = rotary->dim,
        .sections = {rotary->section[0], rotary->section[1], rotary->section[2]},
        .rotary_base = rotary->base,
        .causal = true,
        .last = kept->last,
        .first = kept->first[number],
        .mask = kept->mask[number],
        .cache = cache,
        .past = past};
    h = close_branch(d, graph, b->o, b->after1, piaa_graph_attention(graph, &attention), h);
    x = piaa_graph_rms_norm(graph, h, b->before2, d->eps, true);
    x = piaa_graph_linear(graph, b->gate_up, NULL, x, d->activation, NULL);
    return close_branch(d, graph, b->down, b->after2, x, h);
}

/* The tokens' embeddings with the image's features written in. */
static struct ggml_tensor *write_in(piaa_graph *graph, const piaa_decoder_input *in,
                                    struct ggml_tensor *text, struct ggml_tensor *image) {
    struct ggml_context *g = graph->context;
    const int start = in->images->start;
    struct ggml_tensor *before = ggml_view_2d(g, text, text->ne[0], start, text->nb[1], 0);
    struct ggml_tensor *after = ggml_view_2d(g, text, text->ne[0], in->text - start, text->nb[1],
                                             (size_t)start * text->nb[1]);
    return ggml_concat(g, ggml_concat(g, before, image, 1), after, 1);
}

/* Pools state `layer` where the plan asks for it, and keeps it. */
static void pool_state(piaa_graph *graph, const piaa_plan *plan, struct ggml_tensor *h,
                       struct ggml_tensor *weights, int layer) {
    static const piaa_pool pools[] = {PIAA_LT, PIAA_LT_TAIL, PIAA_LV};
    if (plan->pool_text[layer] || plan->pool_tail[layer] || plan->pool_image[layer])
        piaa_graph_pool(graph, h, weights, pools, (int)weights->ne[0], layer);
    if (plan->hidden) piaa_graph_keep(graph, h, false, layer);
}

static void build_logits(const piaa_decoder *d, const piaa_matrix *head, piaa_graph *graph,
                         struct ggml_tensor *h) {
    struct ggml_context *g = graph->context;
    struct ggml_tensor *end =
        ggml_view_2d(g, h, h->ne[0], 1, h->nb[1], (size_t)(h->ne[1] - 1) * h->nb[1]);
    struct ggml_tensor *logits = piaa_graph_linear(graph, head, NULL, end, PIAA_LINEAR, NULL);
    if (d->cap > 0)
        logits = ggml_scale(g, ggml_tanh(g, ggml_scale(g, logits, 1.0f / d->cap)), d->cap);
    piaa_graph_keep(graph, logits, false, -1);
}

void piaa_decoder_build(const piaa_decoder *d, const piaa_decoder_weights *w,
                        piaa_decoder_input *in, const piaa_plan *plan, piaa_graph *graph,
                        struct ggml_tensor *image, const piaa_decoder_hook *hook) {
    const int last = plan->decoder_blocks;
    if (plan->sight) {
        piaa_graph_keep(graph, image, true, -1);
        return;
    }
    struct ggml_tensor *h =
        in->states ? piaa_graph_input(graph, GGML_TYPE_F32, d->hidden, in->tokens, in->states)
                   : piaa_graph_input(graph, GGML_TYPE_F32, d->hidden, in->text, in->embeddings);
    row_tensors all = {0},
                kept = {.pool = piaa_graph_input(graph, GGML_TYPE_F32, 2, in->text, in->text_pool)};
    if (!image && in->image && !in->states) {
        pool_state(graph, plan, h, kept.pool, 0);
        return;
    }
    if (image) h = write_in(graph, in, h, image);
    all.pool = piaa_graph_input(graph, GGML_TYPE_F32, 3, in->tokens, in->pool);
    pool_state(graph, plan, h, all.pool, 0);
    if (!last) return;

    const bool text_only = in->image && !plan->pool_image[last] && !plan->hidden;
    bool kinds[PIAA_DECODER_KINDS] = {false}, last_kind[PIAA_DECODER_KINDS] = {false};
    for (int i = 0; i < last; i++) kinds[d->kind_of[i]] = true;
    last_kind[d->kind_of[last - 1]] = true;
    add_rows(d, graph, &in->all, in, kinds, &all);
    if (text_only) add_rows(d, graph, &in->kept, in, last_kind, &kept);
    for (int i = 0; i < last; i++) {
        const bool reduce = text_only && i == last - 1;
        const row_tensors *rows = reduce ? &kept : &all;
        h = build_block(d, &w->block[i], i, in->past, graph, h, &all, rows);
        if (!h) return;
        const bool ends = i + 1 == d->layers; /* its state is the one after the final norm */
        if (!ends) pool_state(graph, plan, h, rows->pool, i + 1);
        if (hook && !reduce) h = hook->after(hook->user, graph, i, h);
        if (i < PIAA_DECODER_ADDED && in->added[i] && !reduce)
            h = ggml_add(
                graph->context, h,
                piaa_graph_input(graph, GGML_TYPE_F32, d->hidden, in->tokens, in->added[i]));
        if (!ends) continue;
        h = piaa_graph_rms_norm(graph, h, w->final_norm, d->eps, false);
        pool_state(graph, plan, h, rows->pool, d->layers);
    }
    if (plan->logits) build_logits(d, w->head, graph, h);
}
