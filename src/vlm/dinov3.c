/*
 * DINOv3's vision transformer: a class token and register tokens, rotary positions by the patches'
 * place in the photo, layer scales, a plain or gated MLP.
 *
 * Reference: Hugging Face transformers, models/dinov3_vit/modeling_dinov3_vit.py (5.23).  A patch's
 * centre is (y, x) in [-1, 1], whatever the grid; the angles of a head of d values are 2 pi y f_j
 * and then 2 pi x f_j, f_j = base^(-4j/d) for j < d/4, and the pair (i, i + d/2) is turned by angle
 * i.  The tokens before the patches are not turned.  pooled is the class token of the last block
 * after the final norm (pooler_output); hidden states have no norm.
 */
#include "vlm/vit.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static const piaa_vit_names plain = {.norm1 = "norm1",
                                     .q = "attention.q_proj",
                                     .k = "attention.k_proj",
                                     .v = "attention.v_proj",
                                     .out = "attention.o_proj",
                                     .norm2 = "norm2",
                                     .fc1 = "mlp.up_proj",
                                     .fc2 = "mlp.down_proj",
                                     .scale1 = "layer_scale1.lambda1",
                                     .scale2 = "layer_scale2.lambda1"},
                            gated = {.norm1 = "norm1",
                                     .q = "attention.q_proj",
                                     .k = "attention.k_proj",
                                     .v = "attention.v_proj",
                                     .out = "attention.o_proj",
                                     .norm2 = "norm2",
                                     .gate = "mlp.gate_proj",
                                     .fc1 = "mlp.up_proj",
                                     .fc2 = "mlp.down_proj",
                                     .scale1 = "layer_scale1.lambda1",
                                     .scale2 = "layer_scale2.lambda1"};

typedef struct dino_weights {
    piaa_vit_weights vit;
    struct ggml_tensor *norm_w, *norm_b;
} dino_weights;

static void dino_close(void *config) {
    piaa_vit_close(config);
    free(config);
}

/* [tokens][dim]: cosines and sines, in the reference's float32. */
static bool make_rotary(piaa_vit *v, float base, piaa_error *error) {
    const int dim = v->width / v->heads, half = dim / 2, quarter = dim / 4;
    piaa_vit_grid *grid = &v->grid;
    grid->rotary =
        piaa_alloc_array((size_t)grid->tokens, (size_t)dim * sizeof *grid->rotary, error);
    for (int t = 0; grid->rotary && t < grid->tokens; t++) {
        float *out = grid->rotary + (size_t)t * (size_t)dim;
        const int patch = t - v->before;
        const float y = 2.0f * (((float)(patch / grid->width) + 0.5f) / (float)grid->height) - 1.0f;
        const float x = 2.0f * (((float)(patch % grid->width) + 0.5f) / (float)grid->width) - 1.0f;
        for (int i = 0; i < half; i++) {
            const float frequency = 1.0f / powf(base, (float)(i % quarter) * (4.0f / (float)dim));
            const float angle = patch < 0 ? 0.0f
                                          : (float)(2.0 * 3.14159265358979323846) *
                                                (i < quarter ? y : x) * frequency;
            out[i] = cosf(angle);
            out[half + i] = sinf(angle);
        }
    }
    return grid->rotary != NULL;
}

/* A token or several, [1, count, width] in the file. */
static bool read_tokens(const piaa_vit *v, const char *name, int count, float *out,
                        piaa_error *error) {
    const piaa_tensor *tensor = piaa_checkpoint_need(v->checkpoint, error, name, 3, (int64_t)1,
                                                     (int64_t)count, (int64_t)v->width);
    if (tensor) piaa_tensor_to_float(tensor, out);
    return tensor != NULL;
}

static bool configure(piaa_vit *v, const piaa_checkpoint *checkpoint, const piaa_settings *s,
                      piaa_error *error) {
    static const char *const layers[] = {"layer.", "model.layer."};
    const int registers = s->vision.registers;
    *v = (piaa_vit){.checkpoint = checkpoint,
                    .names = s->vision.gated ? &gated : &plain,
                    .prefix = "",
                    .patch_name = "embeddings.patch_embeddings",
                    .layer =
                        piaa_vit_prefix(checkpoint, layers, PIAA_COUNT(layers), "0.norm1.weight"),
                    .patch_bias = true,
                    .q_bias = s->vision.q_bias,
                    .k_bias = s->vision.k_bias,
                    .v_bias = s->vision.v_bias,
                    .out_bias = s->vision.out_bias,
                    .mlp_bias = s->vision.mlp_bias,
                    .pixels = {.resize = true,
                               .floating = true,
                               .square = true,
                               .filter = PIAA_BILINEAR,
                               .rescale_factor = 1 / 255.0,
                               .mean = {0.485f, 0.456f, 0.406f},
                               .std = {0.229f, 0.224f, 0.225f}}};
    if (!v->q_bias && (v->k_bias || v->v_bias))
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s: biases of keys or values without one of queries are not supported",
            piaa_checkpoint_where(checkpoint));
    if (!piaa_vit_configure(v, s, error)) return false;
    if (v->width / v->heads % 4)
        return piaa_error_set(error, PIAA_FORMAT, "%s: heads of %d values are no multiple of 4",
                              piaa_checkpoint_where(checkpoint), v->width / v->heads);
    return piaa_vit_ready(v, 1 + registers, error) &&
           make_rotary(v, (float)s->vision.base, error) &&
           read_tokens(v, "embeddings.cls_token", 1, v->first, error) &&
           (!registers ||
            read_tokens(v, "embeddings.register_tokens", registers, v->first + v->width, error));
}

static void *dino_open(const piaa_checkpoint *checkpoint, const piaa_settings *settings,
                       piaa_model_info *info, piaa_error *error) {
    piaa_vit *v = piaa_alloc(1, sizeof *v, error);
    if (!v) return NULL;
    if (!configure(v, checkpoint, settings, error)) {
        dino_close(v);
        return NULL;
    }
    piaa_vit_inform(v, info);
    info->layout.vision_embeddings = true;
    info->layout.pooled_size = v->width;
    return v;
}

static void *dino_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                          piaa_error *error) {
    const piaa_vit *v = config;
    dino_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    piaa_vit_declare(v, r, plan->vision_blocks, &w->vit);
    if (plan->pooled) {
        w->norm_w = piaa_resident_vector(r, "", "norm.weight", v->width);
        w->norm_b = piaa_resident_vector(r, "", "norm.bias", v->width);
    }
    return w;
}

static void dino_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                       piaa_graph *graph) {
    const piaa_vit *v = config;
    const dino_weights *w = weights;
    piaa_graph_limit(graph, v->width / v->heads);
    struct ggml_tensor *x =
        piaa_vit_embed(v, &w->vit, piaa_vit_input_patches(input), &v->grid, graph);
    x = piaa_vit_run(v, &w->vit, x, &v->grid, plan, true, NULL, graph);
    if (!plan->pooled) return;
    x = piaa_graph_layer_norm(graph, piaa_vit_class(graph, x), w->norm_w, w->norm_b, v->eps, false);
    piaa_graph_give(graph, x, PIAA_POOLED);
}

const piaa_family piaa_family_dinov3 = {
    .model_type = "dinov3_vit",
    .no_tokenizer = true,
    .open = dino_open,
    .close = dino_close,
    .prepare = piaa_vit_prepare,
    .input_free = piaa_vit_input_free,
    .input_count = piaa_vit_input_count,
    .declare = dino_declare,
    .build = dino_build,
};
