/* The vision transformer of every family. */
#include "vlm/vit.h"

#include "base/memory.h"
#include "vlm/activation.h"

#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, MAX_NAMES = 512, MAX_PATCHES = 1 << 17 };

const piaa_vit_names piaa_vit_names_clip = {.norm1 = "layer_norm1",
                                            .q = "self_attn.q_proj",
                                            .k = "self_attn.k_proj",
                                            .v = "self_attn.v_proj",
                                            .out = "self_attn.out_proj",
                                            .norm2 = "layer_norm2",
                                            .fc1 = "mlp.fc1",
                                            .fc2 = "mlp.fc2"};

/* -------------------------------------------------------------------------------- configuration */

piaa_vit piaa_vit_like_clip(const piaa_checkpoint *checkpoint) {
    return (piaa_vit){.checkpoint = checkpoint,
                      .names = &piaa_vit_names_clip,
                      .patch_name = "embeddings.patch_embedding",
                      .layer = "encoder.layers.",
                      .q_bias = true,
                      .k_bias = true,
                      .v_bias = true,
                      .out_bias = true,
                      .mlp_bias = true,
                      .pixels = {.resize = true,
                                 .filter = PIAA_BICUBIC,
                                 .rescale_factor = 1 / 255.0,
                                 .mean = {0.5f, 0.5f, 0.5f},
                                 .std = {0.5f, 0.5f, 0.5f}}};
}

bool piaa_vit_configure(piaa_vit *vit, const piaa_settings *s, piaa_error *error) {
    const char *where = piaa_checkpoint_where(vit->checkpoint);
    vit->width = s->vision.width;
    vit->blocks = s->vision.blocks;
    vit->heads = s->vision.heads;
    vit->intermediate = s->vision.intermediate;
    vit->patch = s->vision.patch;
    vit->frames = s->vision.frames > 0 ? s->vision.frames : 1;
    vit->eps = (float)s->vision.eps;
    vit->pixels.height = vit->pixels.width = s->vision.side;
    if (vit->width % vit->heads || vit->width / vit->heads % 2)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: %d heads do not divide %d values into even parts", where,
                              vit->heads, vit->width);
    return piaa_activation_find(s->vision.activation, vit->names->gate != NULL, where,
                                &vit->activation, error);
}

bool piaa_vit_ready(piaa_vit *vit, int before, piaa_error *error) {
    const char *folder = piaa_checkpoint_folder(vit->checkpoint);
    if (!piaa_planes_config_read(piaa_checkpoint_image_config(vit->checkpoint), folder,
                                 &vit->pixels, error))
        return false;
    const int height = vit->pixels.height / vit->patch, width = vit->pixels.width / vit->patch;
    if (height < 1 || width < 1)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: photos of %d x %d pixels hold no patch of %d x %d", folder,
                              vit->pixels.width, vit->pixels.height, vit->patch, vit->patch);
    if ((int64_t)height * width > MAX_PATCHES)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: %d x %d patches are more than the %d that piaa reads", folder,
                              width, height, MAX_PATCHES);
    /* That the model is as wide as it says, before anything of that width is allocated. */
    char name[MAX_NAMES];
    snprintf(name, sizeof name, "%s%s.weight", vit->prefix, vit->patch_name);
    if (!piaa_checkpoint_need(vit->checkpoint, error, name, 4, (int64_t)vit->width,
                              (int64_t)CHANNELS, (int64_t)vit->patch, (int64_t)vit->patch))
        return false;
    vit->before = before;
    vit->first = piaa_alloc((size_t)before, (size_t)vit->width * sizeof *vit->first, error);
    return vit->first && piaa_vit_grid_make(&vit->grid, height, width, before, error);
}

bool piaa_vit_grid_make(piaa_vit_grid *grid, int height, int width, int before, piaa_error *error) {
    *grid = (piaa_vit_grid){.height = height, .width = width, .tokens = before + height * width};
    grid->pool = piaa_alloc((size_t)grid->tokens, sizeof *grid->pool, error);
    for (int i = 0; grid->pool && i < grid->tokens; i++) grid->pool[i] = 1.0f / (float)grid->tokens;
    return grid->pool != NULL;
}

void piaa_vit_grid_free(piaa_vit_grid *grid) {
    free(grid->pool);
    free(grid->added);
    free(grid->rotary);
    free(grid->positions);
    free(grid->first);
    free(grid->last);
    free(grid->mask);
}

void piaa_vit_grid_mask(piaa_vit_grid *grid, piaa_graph *graph) {
    if (!graph->kernels && grid->first && !grid->mask)
        grid->mask =
            piaa_graph_mask(grid->first, grid->last, 0, grid->tokens, grid->tokens, &graph->error);
}

bool piaa_vit_positions(piaa_vit *vit, const char *name, piaa_error *error) {
    char text[MAX_NAMES];
    snprintf(text, sizeof text, "%s%s", vit->prefix, name);
    const piaa_tensor *tensor = piaa_checkpoint_need(
        vit->checkpoint, error, text, 2, (int64_t)vit->grid.tokens, (int64_t)vit->width);
    float *all =
        tensor ? piaa_alloc_array((size_t)piaa_tensor_count(tensor), sizeof *all, error) : NULL;
    const size_t head = (size_t)vit->before * (size_t)vit->width,
                 rest = (size_t)(vit->grid.tokens - vit->before) * (size_t)vit->width;
    vit->grid.added = all ? piaa_alloc_array(rest, sizeof *vit->grid.added, error) : NULL;
    if (vit->grid.added) {
        piaa_tensor_to_float(tensor, all);
        for (size_t i = 0; i < head; i++) vit->first[i] += all[i];
        memcpy(vit->grid.added, all + head, rest * sizeof *all);
    }
    free(all);
    return vit->grid.added != NULL;
}

void piaa_vit_close(piaa_vit *vit) {
    free(vit->first);
    piaa_vit_grid_free(&vit->grid);
}

const char *piaa_vit_prefix(const piaa_checkpoint *checkpoint, const char *const *prefixes,
                            size_t count, const char *name) {
    char text[MAX_NAMES];
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%s%s", prefixes[i], name);
        if (piaa_checkpoint_tensor(checkpoint, text)) return prefixes[i];
    }
    return prefixes[0];
}

void piaa_vit_inform(const piaa_vit *vit, piaa_model_info *info) {
    info->layout.vision_blocks = vit->blocks;
    info->layout.vision_size = vit->width;
    info->vision_heads = vit->heads;
    info->vision_intermediate = vit->intermediate;
    info->patch = vit->patch;
    info->merge = 1;
    info->min_pixels = info->max_pixels = (int64_t)vit->pixels.height * vit->pixels.width;
    piaa_planes_describe(&vit->pixels, info->pixels);
}

/* ---------------------------------------------------------------------------------------- input */

float *piaa_vit_patches(const piaa_vit *vit, const piaa_image *image, const float *patches,
                        int grid_h, int grid_w, const piaa_ask *ask, piaa_error *error) {
    const int height = vit->pixels.height, width = vit->pixels.width;
    if (ask && ask->max_pixels && ask->max_pixels != (int64_t)height * width) {
        piaa_error_set(
            error, PIAA_USAGE,
            "this model reads every photo at %d x %d pixels: leave the limit of %lld pixels out",
            width, height, (long long)ask->max_pixels);
        return NULL;
    }
    if (!image) {
        if (grid_h != vit->grid.height || grid_w != vit->grid.width) {
            piaa_error_set(error, PIAA_MISMATCH,
                           "%d x %d patches are not the %d x %d that the model reads", grid_w,
                           grid_h, vit->grid.width, vit->grid.height);
            return NULL;
        }
        size_t count = (size_t)(grid_h * grid_w) * (size_t)(CHANNELS * vit->patch * vit->patch);
        float *copy = piaa_alloc_array(count, sizeof *copy, error);
        return copy ? memcpy(copy, patches, count * sizeof *copy) : NULL;
    }
    float *planes = piaa_planes_make(image, &vit->pixels, error);
    float *rows = planes ? piaa_planes_patches(planes, height, width, vit->patch, error) : NULL;
    free(planes);
    return rows;
}

typedef struct vit_input {
    const piaa_vit *vit;
    float *patches;
} vit_input;

void *piaa_vit_prepare(const void *config, const piaa_tokenizer *tokenizer, const piaa_image *image,
                       const float *patches, int grid_h, int grid_w, const piaa_ask *ask,
                       piaa_error *error) {
    PIAA_UNUSED(tokenizer);
    vit_input *in = piaa_alloc(1, sizeof *in, error);
    if (!in) return NULL;
    in->vit = config;
    in->patches = piaa_vit_patches(in->vit, image, patches, grid_h, grid_w, ask, error);
    if (in->patches) return in;
    free(in);
    return NULL;
}

void piaa_vit_input_free(void *input) {
    vit_input *in = input;
    if (in) free(in->patches);
    free(in);
}

void piaa_vit_input_count(const void *input, int *tokens, int *image_tokens) {
    const vit_input *in = input;
    *tokens = in->vit->grid.tokens;
    *image_tokens = in->vit->grid.tokens - in->vit->before;
}

const float *piaa_vit_input_patches(const void *input) {
    return ((const vit_input *)input)->patches;
}

/* -------------------------------------------------------------------------------------- weights */

/* Names with an ending after each that is there, '|' between them. */
static const char *join(const char *const *names, int count, const char *ending,
                        char room[MAX_NAMES]) {
    size_t n = 0;
    room[0] = '\0';
    for (int i = 0; i < count && n < MAX_NAMES; i++)
        n += (size_t)snprintf(room + n, MAX_NAMES - n, "%s%s%s", i ? "|" : "",
                              names[i] ? names[i] : "", names[i] ? ending : "");
    return room;
}

static const piaa_matrix *matrix(piaa_resident *r, const char *block, const char *name,
                                 int64_t rows, int64_t columns) {
    char room[MAX_NAMES];
    return piaa_resident_matrix(r, block, join(&name, 1, ".weight", room), rows, columns);
}

static struct ggml_tensor *vector(piaa_resident *r, const char *block, const char *name,
                                  const char *ending, int64_t length) {
    char room[MAX_NAMES];
    return name ? piaa_resident_vector(r, block, join(&name, 1, ending, room), length) : NULL;
}

static void declare_qkv(const piaa_vit *vit, piaa_resident *r, const char *block,
                        piaa_vit_block *b) {
    const piaa_vit_names *n = vit->names;
    const char *const names[] = {n->q, n->k, n->v};
    const char *const biases[] = {n->q, vit->k_bias ? n->k : NULL, vit->v_bias ? n->v : NULL};
    const int64_t d = vit->width;
    char room[MAX_NAMES];
    if (!n->k) {
        b->qkv = matrix(r, block, n->q, 3 * d, d);
        if (vit->q_bias) b->qkv_b = vector(r, block, n->q, ".bias", 3 * d);
        return;
    }
    b->qkv = piaa_resident_stacked(r, block, join(names, 3, ".weight", room), 3, d, d);
    if (vit->q_bias)
        b->qkv_b = piaa_resident_joined(r, block, join(biases, 3, ".bias", room), 3, d);
}

static void declare_block(const piaa_vit *vit, piaa_resident *r, int i, piaa_vit_block *b) {
    const piaa_vit_names *n = vit->names;
    const char *const up[] = {n->gate, n->fc1};
    const int64_t d = vit->width, f = vit->intermediate;
    char block[128], room[MAX_NAMES];
    snprintf(block, sizeof block, "%s%s%d.", vit->prefix, vit->layer, i);
    b->norm1_w = vector(r, block, n->norm1, ".weight", d);
    if (!vit->rms) b->norm1_b = vector(r, block, n->norm1, ".bias", d);
    declare_qkv(vit, r, block, b);
    b->out = matrix(r, block, n->out, d, d);
    if (vit->out_bias) b->out_b = vector(r, block, n->out, ".bias", d);
    b->norm2_w = vector(r, block, n->norm2, ".weight", d);
    if (!vit->rms) b->norm2_b = vector(r, block, n->norm2, ".bias", d);
    b->fc1 = n->gate ? piaa_resident_paired(r, block, join(up, 2, ".weight", room), f, d)
                     : matrix(r, block, n->fc1, f, d);
    if (vit->mlp_bias)
        b->fc1_b = n->gate ? piaa_resident_joined(r, block, join(up, 2, ".bias", room), 2, f)
                           : vector(r, block, n->fc1, ".bias", f);
    b->fc2 = matrix(r, block, n->fc2, d, f);
    if (vit->mlp_bias) b->fc2_b = vector(r, block, n->fc2, ".bias", d);
    b->scale1 = vector(r, block, n->scale1, "", d);
    b->scale2 = vector(r, block, n->scale2, "", d);
}

void piaa_vit_declare(const piaa_vit *vit, piaa_resident *resident, int blocks,
                      piaa_vit_weights *weights) {
    const int64_t length = (int64_t)CHANNELS * vit->frames * vit->patch * vit->patch;
    weights->patch_w = matrix(resident, vit->prefix, vit->patch_name, vit->width, length);
    if (vit->patch_bias)
        weights->patch_b = vector(resident, vit->prefix, vit->patch_name, ".bias", vit->width);
    for (int i = 0; i < blocks; i++) declare_block(vit, resident, i, &weights->block[i]);
}

/* ---------------------------------------------------------------------------------------- graph */

struct ggml_tensor *piaa_vit_embed(const piaa_vit *vit, const piaa_vit_weights *weights,
                                   const float *patches, const piaa_vit_grid *grid,
                                   piaa_graph *graph) {
    const int count = grid->tokens - vit->before;
    const int64_t length = (int64_t)CHANNELS * vit->frames * vit->patch * vit->patch;
    struct ggml_tensor *pixels = piaa_graph_input(graph, GGML_TYPE_F32, length, count, patches);
    struct ggml_tensor *added =
        grid->added ? piaa_graph_input(graph, GGML_TYPE_F32, vit->width, count, grid->added) : NULL;
    struct ggml_tensor *x =
        piaa_graph_linear(graph, weights->patch_w, weights->patch_b, pixels, PIAA_LINEAR, added);
    if (!vit->before) return x;
    return ggml_concat(graph->context,
                       piaa_graph_input(graph, GGML_TYPE_F32, vit->width, vit->before, vit->first),
                       x, 1);
}

/* W x + b, scaled where the block scales, added to the residual. */
static struct ggml_tensor *close_branch(piaa_graph *graph, const piaa_matrix *w,
                                        struct ggml_tensor *b, struct ggml_tensor *scale,
                                        struct ggml_tensor *x, struct ggml_tensor *residual) {
    if (!scale) return piaa_graph_linear(graph, w, b, x, PIAA_LINEAR, residual);
    struct ggml_tensor *y = piaa_graph_linear(graph, w, b, x, PIAA_LINEAR, NULL);
    return ggml_add(graph->context, residual, ggml_mul(graph->context, y, scale));
}

static struct ggml_tensor *norm(const piaa_vit *vit, piaa_graph *graph, struct ggml_tensor *x,
                                struct ggml_tensor *w, struct ggml_tensor *b) {
    return vit->rms ? piaa_graph_rms_norm(graph, x, w, vit->eps, true)
                    : piaa_graph_layer_norm(graph, x, w, b, vit->eps, true);
}

/* Whom the tokens of a block see; all zero: all of them. */
typedef struct windows {
    struct ggml_tensor *first, *last, *mask;
    double pairs;
} windows;

static windows add_windows(const piaa_vit_grid *grid, piaa_graph *graph) {
    const int n = grid->tokens;
    windows w = {0};
    for (int i = 0; i < n; i++) w.pairs += grid->last[i] - grid->first[i] + 1;
    if (graph->kernels) {
        w.first = piaa_graph_input(graph, GGML_TYPE_I32, n, 1, grid->first);
        w.last = piaa_graph_input(graph, GGML_TYPE_I32, n, 1, grid->last);
    } else if (grid->mask) {
        w.mask = piaa_graph_input(graph, GGML_TYPE_F16, n, n, grid->mask);
    }
    return w;
}

static struct ggml_tensor *build_block(const piaa_vit *vit, const piaa_vit_block *b,
                                       piaa_graph *graph, struct ggml_tensor *x,
                                       struct ggml_tensor *rotary, int mode, const windows *w) {
    const int dim = vit->width / vit->heads;
    struct ggml_tensor *y = norm(vit, graph, x, b->norm1_w, b->norm1_b);
    struct ggml_tensor *qkv = piaa_graph_linear(graph, b->qkv, b->qkv_b, y, PIAA_LINEAR, NULL);
    piaa_attention attention = {.q = qkv,
                                .kv = qkv,
                                .k_first = vit->heads,
                                .v_first = 2 * vit->heads,
                                .heads = vit->heads,
                                .kv_heads = vit->heads,
                                .dim = dim,
                                .q_rotary = rotary,
                                .k_rotary = rotary,
                                .rotary_mode = mode,
                                .rotary_dims = dim / 2,
                                .sections = {dim / 4, dim / 4, 0, 0},
                                .rotary_base = 10000.0f,
                                .causal = w->pairs > 0,
                                .pairs = w->pairs,
                                .first = w->first,
                                .last = w->last,
                                .mask = w->mask};
    x = close_branch(graph, b->out, b->out_b, b->scale1, piaa_graph_attention(graph, &attention),
                     x);
    y = norm(vit, graph, x, b->norm2_w, b->norm2_b);
    y = piaa_graph_linear(graph, b->fc1, b->fc1_b, y, vit->activation, NULL);
    return close_branch(graph, b->fc2, b->fc2_b, b->scale2, y, x);
}

struct ggml_tensor *piaa_vit_run(const piaa_vit *vit, const piaa_vit_weights *weights,
                                 struct ggml_tensor *x, const piaa_vit_grid *grid,
                                 const piaa_plan *plan, bool states, const piaa_vit_hook *hook,
                                 piaa_graph *graph) {
    static const piaa_pool pools[] = {PIAA_V};
    const int tokens = grid->tokens;
    const int mode = !graph->kernels && grid->positions ? GGML_ROPE_TYPE_VISION : 0;
    struct ggml_tensor *pool = piaa_graph_input(graph, GGML_TYPE_F32, 1, tokens, grid->pool);
    struct ggml_tensor *rotary = NULL;
    if (mode)
        rotary = piaa_graph_input(graph, GGML_TYPE_I32, (int64_t)tokens * 4, 1, grid->positions);
    else if (grid->rotary)
        rotary =
            piaa_graph_input(graph, GGML_TYPE_F32, vit->width / vit->heads, tokens, grid->rotary);
    const windows all = {0}, some = grid->first ? add_windows(grid, graph) : all;
    for (int i = 0; i <= plan->vision_blocks; i++) { /* state i is what block i reads */
        const int layer = states ? i : i - 1;
        if (layer >= 0 && plan->pool_vision[layer])
            piaa_graph_pool(graph, x, pool, pools, 1, layer);
        if (layer >= 0 && plan->hidden) piaa_graph_keep(graph, x, true, layer);
        if (hook && i > 0) hook->after(hook->user, graph, i - 1, x);
        if (i < plan->vision_blocks)
            x = build_block(vit, &weights->block[i], graph, x, rotary, mode,
                            vit->windowed[i] ? &some : &all);
    }
    return x;
}

struct ggml_tensor *piaa_vit_class(piaa_graph *graph, struct ggml_tensor *x) {
    return ggml_view_2d(graph->context, x, x->ne[0], 1, x->nb[1], 0);
}
