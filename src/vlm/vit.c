/* The plain vision transformer that SigLIP, CLIP and DINOv3 share. */
#include "vlm/vit.h"

#include "base/memory.h"

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
                      .width = 768,
                      .blocks = 12,
                      .heads = 12,
                      .intermediate = 3072,
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

bool piaa_vit_configure(piaa_vit *vit, const piaa_config *config, const char *activation,
                        piaa_error *error) {
    int channels;
    if (!piaa_config_int(config, "hidden_size", vit->width, 8, 65536, &vit->width, error) ||
        !piaa_config_int(config, "num_hidden_layers", vit->blocks, 1, PIAA_VIT_MAX_BLOCKS,
                         &vit->blocks, error) ||
        !piaa_config_int(config, "num_attention_heads", vit->heads, 1, 1024, &vit->heads, error) ||
        !piaa_config_int(config, "intermediate_size", vit->intermediate, 1, 1 << 20,
                         &vit->intermediate, error) ||
        !piaa_config_int(config, "patch_size", vit->patch, 1, 256, &vit->patch, error) ||
        !piaa_config_int(config, "num_channels", CHANNELS, CHANNELS, CHANNELS, &channels, error) ||
        !piaa_config_positive(config, "layer_norm_eps", vit->eps, &vit->eps, error))
        return false;
    if (vit->width % vit->heads || vit->width / vit->heads % 2)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: %d heads do not divide %d values into even parts",
                              piaa_checkpoint_where(config->checkpoint), vit->heads, vit->width);
    return piaa_config_activation(config, "hidden_act", activation, vit->names->gate != NULL,
                                  &vit->activation, error);
}

bool piaa_vit_ready(piaa_vit *vit, int before, piaa_error *error) {
    const char *folder = piaa_checkpoint_folder(vit->checkpoint);
    if (!piaa_planes_config_read(piaa_checkpoint_image_config(vit->checkpoint), folder,
                                 &vit->pixels, error))
        return false;
    vit->grid_h = vit->pixels.height / vit->patch;
    vit->grid_w = vit->pixels.width / vit->patch;
    if (vit->grid_h < 1 || vit->grid_w < 1)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: photos of %d x %d pixels hold no patch of %d x %d", folder,
                              vit->pixels.width, vit->pixels.height, vit->patch, vit->patch);
    if ((int64_t)vit->grid_h * vit->grid_w > MAX_PATCHES)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: %d x %d patches are more than the %d that piaa reads", folder,
                              vit->grid_w, vit->grid_h, MAX_PATCHES);
    /* That the model is as wide as it says, before anything of that width is allocated. */
    char name[MAX_NAMES];
    snprintf(name, sizeof name, "%s%s.weight", vit->prefix, vit->patch_name);
    if (!piaa_checkpoint_need(vit->checkpoint, error, name, 4, (int64_t)vit->width,
                              (int64_t)CHANNELS, (int64_t)vit->patch, (int64_t)vit->patch))
        return false;
    vit->before = before;
    vit->tokens = before + vit->grid_h * vit->grid_w;
    vit->pool = piaa_alloc((size_t)vit->tokens, sizeof *vit->pool, error);
    vit->first = vit->pool
                     ? piaa_alloc((size_t)before, (size_t)vit->width * sizeof *vit->first, error)
                     : NULL;
    for (int i = 0; vit->first && i < vit->tokens; i++) vit->pool[i] = 1.0f / (float)vit->tokens;
    return vit->first != NULL;
}

bool piaa_vit_positions(piaa_vit *vit, const char *name, piaa_error *error) {
    char text[MAX_NAMES];
    snprintf(text, sizeof text, "%s%s", vit->prefix, name);
    const piaa_tensor *tensor = piaa_checkpoint_need(vit->checkpoint, error, text, 2,
                                                     (int64_t)vit->tokens, (int64_t)vit->width);
    float *all =
        tensor ? piaa_alloc_array((size_t)piaa_tensor_count(tensor), sizeof *all, error) : NULL;
    const size_t head = (size_t)vit->before * (size_t)vit->width,
                 rest = (size_t)(vit->tokens - vit->before) * (size_t)vit->width;
    vit->added = all ? piaa_alloc_array(rest, sizeof *vit->added, error) : NULL;
    if (vit->added) {
        piaa_tensor_to_float(tensor, all);
        for (size_t i = 0; i < head; i++) vit->first[i] += all[i];
        memcpy(vit->added, all + head, rest * sizeof *all);
    }
    free(all);
    return vit->added != NULL;
}

void piaa_vit_close(piaa_vit *vit) {
    free(vit->first);
    free(vit->added);
    free(vit->rotary);
    free(vit->pool);
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
        if (grid_h != vit->grid_h || grid_w != vit->grid_w) {
            piaa_error_set(error, PIAA_MISMATCH,
                           "%d x %d patches are not the %d x %d that the model reads", grid_w,
                           grid_h, vit->grid_w, vit->grid_h);
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
    *tokens = in->vit->tokens;
    *image_tokens = in->vit->tokens - in->vit->before;
}

const float *piaa_vit_input_patches(const void *input) {
    return ((const vit_input *)input)->patches;
}

/* -------------------------------------------------------------------------------------- weights */

const piaa_matrix *piaa_vit_matrix(const piaa_vit *vit, piaa_resident *resident, piaa_error *error,
                                   const char *name, int64_t rows, int64_t columns) {
    char text[MAX_NAMES];
    snprintf(text, sizeof text, "%s%s", vit->prefix, name);
    return piaa_resident_matrix(resident, error, text, 1, &rows, columns);
}

struct ggml_tensor *piaa_vit_vector(const piaa_vit *vit, piaa_resident *resident, piaa_error *error,
                                    const char *name, int64_t length) {
    char text[MAX_NAMES];
    snprintf(text, sizeof text, "%s%s", vit->prefix, name);
    return piaa_resident_vector(resident, error, text, length);
}

/* Names with the block's prefix before and an ending after each that is there, '|' between them. */
static const char *join(const char *block, const char *const *names, int count, const char *ending,
                        char room[MAX_NAMES]) {
    size_t n = 0;
    room[0] = '\0';
    for (int i = 0; i < count && n < MAX_NAMES; i++)
        n += (size_t)snprintf(room + n, MAX_NAMES - n, "%s%s%s%s", i ? "|" : "",
                              names[i] ? block : "", names[i] ? names[i] : "",
                              names[i] ? ending : "");
    return room;
}

static struct ggml_tensor *bias(piaa_resident *r, piaa_error *error, const char *block,
                                const char *const *names, int count, int64_t length) {
    char room[MAX_NAMES];
    return piaa_resident_joined(r, error, join(block, names, count, ".bias", room), count, length);
}

static void declare_block(const piaa_vit *vit, piaa_resident *r, int i, piaa_vit_block *b,
                          piaa_error *error) {
    const piaa_vit_names *n = vit->names;
    char block[128], room[MAX_NAMES];
    const int64_t d = vit->width, f = vit->intermediate;
    snprintf(block, sizeof block, "%s%s%d.", vit->prefix, vit->layer, i);
    const char *const qkv[] = {n->q, n->k, n->v}, *const up[] = {n->gate, n->fc1};
    const char *const qkv_b[] = {vit->q_bias ? n->q : NULL, vit->k_bias ? n->k : NULL,
                                 vit->v_bias ? n->v : NULL};
    b->norm1_w = piaa_resident_vector(r, error, join(block, &n->norm1, 1, ".weight", room), d);
    b->norm1_b = bias(r, error, block, &n->norm1, 1, d);
    b->qkv = piaa_resident_matrix(r, error, join(block, qkv, 3, ".weight", room), 3,
                                  (int64_t[]){d, d, d}, d);
    if (vit->q_bias) b->qkv_b = bias(r, error, block, qkv_b, 3, d);
    b->out = piaa_resident_matrix(r, error, join(block, &n->out, 1, ".weight", room), 1, &d, d);
    if (vit->out_bias) b->out_b = bias(r, error, block, &n->out, 1, d);
    b->norm2_w = piaa_resident_vector(r, error, join(block, &n->norm2, 1, ".weight", room), d);
    b->norm2_b = bias(r, error, block, &n->norm2, 1, d);
    if (n->gate) {
        b->fc1 = piaa_resident_paired(r, error, join(block, up, 2, ".weight", room), f, d);
        if (vit->mlp_bias) b->fc1_b = bias(r, error, block, up, 2, f);
    } else {
        b->fc1 = piaa_resident_matrix(r, error, join(block, &n->fc1, 1, ".weight", room), 1, &f, d);
        if (vit->mlp_bias) b->fc1_b = bias(r, error, block, &n->fc1, 1, f);
    }
    b->fc2 = piaa_resident_matrix(r, error, join(block, &n->fc2, 1, ".weight", room), 1, &d, f);
    if (vit->mlp_bias) b->fc2_b = bias(r, error, block, &n->fc2, 1, d);
    if (n->scale1)
        b->scale1 = piaa_resident_vector(r, error, join(block, &n->scale1, 1, "", room), d);
    if (n->scale2)
        b->scale2 = piaa_resident_vector(r, error, join(block, &n->scale2, 1, "", room), d);
}

void piaa_vit_declare(const piaa_vit *vit, piaa_resident *resident, int blocks,
                      piaa_vit_weights *weights, piaa_error *error) {
    char name[MAX_NAMES];
    snprintf(name, sizeof name, "%s.weight", vit->patch_name);
    weights->patch_w = piaa_vit_matrix(vit, resident, error, name, vit->width,
                                       (int64_t)CHANNELS * vit->patch * vit->patch);
    snprintf(name, sizeof name, "%s.bias", vit->patch_name);
    if (vit->patch_bias) weights->patch_b = piaa_vit_vector(vit, resident, error, name, vit->width);
    for (int i = 0; i < blocks; i++) declare_block(vit, resident, i, &weights->block[i], error);
}

/* ---------------------------------------------------------------------------------------- graph */

struct ggml_tensor *piaa_vit_embed(const piaa_vit *vit, const piaa_vit_weights *weights,
                                   const float *patches, piaa_graph *graph) {
    const int count = vit->grid_h * vit->grid_w;
    struct ggml_tensor *pixels = piaa_graph_input(
        graph, GGML_TYPE_F32, (int64_t)CHANNELS * vit->patch * vit->patch, count, patches);
    struct ggml_tensor *added =
        vit->added ? piaa_graph_input(graph, GGML_TYPE_F32, vit->width, count, vit->added) : NULL;
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

static struct ggml_tensor *build_block(const piaa_vit *vit, const piaa_vit_block *b,
                                       piaa_graph *graph, struct ggml_tensor *x,
                                       struct ggml_tensor *rotary) {
    struct ggml_tensor *y = piaa_graph_layer_norm(graph, x, b->norm1_w, b->norm1_b, vit->eps, true);
    struct ggml_tensor *qkv = piaa_graph_linear(graph, b->qkv, b->qkv_b, y, PIAA_LINEAR, NULL);
    piaa_attention attention = {.q = qkv,
                                .kv = qkv,
                                .k_first = vit->heads,
                                .v_first = 2 * vit->heads,
                                .heads = vit->heads,
                                .kv_heads = vit->heads,
                                .dim = vit->width / vit->heads,
                                .q_rotary = rotary,
                                .k_rotary = rotary};
    x = close_branch(graph, b->out, b->out_b, b->scale1, piaa_graph_attention(graph, &attention),
                     x);
    y = piaa_graph_layer_norm(graph, x, b->norm2_w, b->norm2_b, vit->eps, true);
    y = piaa_graph_linear(graph, b->fc1, b->fc1_b, y, vit->activation, NULL);
    return close_branch(graph, b->fc2, b->fc2_b, b->scale2, y, x);
}

struct ggml_tensor *piaa_vit_run(const piaa_vit *vit, const piaa_vit_weights *weights,
                                 struct ggml_tensor *x, const piaa_plan *plan, bool states,
                                 piaa_graph *graph) {
    static const piaa_pool pools[] = {PIAA_V};
    const int dim = vit->width / vit->heads;
    struct ggml_tensor *pool = piaa_graph_input(graph, GGML_TYPE_F32, 1, vit->tokens, vit->pool);
    struct ggml_tensor *rotary =
        vit->rotary ? piaa_graph_input(graph, GGML_TYPE_F32, dim, vit->tokens, vit->rotary) : NULL;
    for (int i = 0; i <= plan->vision_blocks; i++) { /* state i is what block i reads */
        const int layer = states ? i : i - 1;
        if (layer >= 0 && plan->pool_vision[layer])
            piaa_graph_pool(graph, x, pool, pools, 1, layer);
        if (layer >= 0 && plan->hidden) piaa_graph_keep(graph, x, true, layer);
        if (i < plan->vision_blocks) x = build_block(vit, &weights->block[i], graph, x, rotary);
    }
    return x;
}

struct ggml_tensor *piaa_vit_class(piaa_graph *graph, struct ggml_tensor *x) {
    return ggml_view_2d(graph->context, x, x->ne[0], 1, x->nb[1], 0);
}
