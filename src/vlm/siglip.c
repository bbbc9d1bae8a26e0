/*
 * SigLIP's vision transformer: learned positions, no class token, and a head that gathers the
 * patches by attention from one trained query.
 *
 * Reference: Hugging Face transformers, models/siglip/modeling_siglip.py (5.23).  Hidden states are
 * the embeddings and every block's own output; the norm after the last block belongs to the head.
 * pooled is pooler_output.
 */
#include "vlm/siglip.h"

#include "base/memory.h"

#include <stdlib.h>

bool piaa_siglip_configure(piaa_vit *vit, const piaa_checkpoint *checkpoint,
                           const piaa_settings *settings, int tiled, bool gemma,
                           piaa_error *error) {
    *vit = piaa_vit_like_clip(checkpoint);
    if (gemma) vit->pixels.filter = PIAA_BILINEAR;
    vit->pixels.square = gemma;
    vit->patch_bias = true;
    static const char *const prefixes[] = {"", "vision_model.", "model.vision_tower.",
                                           "vision_model.vision_model."};
    vit->prefix = piaa_vit_prefix(checkpoint, prefixes, PIAA_COUNT(prefixes),
                                  "embeddings.position_embedding.weight");
    if (!piaa_vit_configure(vit, settings, error) || !piaa_vit_ready(vit, 0, error)) return false;
    const int grid = settings->vision.side / vit->patch;
    if (vit->grid.height != grid || vit->grid.width != grid || grid % tiled)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s: the image processor gives %d x %d patches where the encoder has "
                              "%d x %d positions, in squares of %d",
                              piaa_checkpoint_where(checkpoint), vit->grid.width, vit->grid.height,
                              grid, grid, tiled);
    return piaa_vit_positions(vit, "embeddings.position_embedding.weight", error);
}

typedef struct siglip_config {
    piaa_vit vit;
    bool head;
    float *probe; /* [width] */
} siglip_config;

typedef struct siglip_weights {
    piaa_vit_weights vit;
    struct ggml_tensor *norm_w, *norm_b, *in_b, *out_b, *head_norm_w, *head_norm_b, *fc1_b, *fc2_b;
    const piaa_matrix *in, *out, *fc1, *fc2;
} siglip_weights;

static void siglip_close(void *config) {
    siglip_config *c = config;
    piaa_vit_close(&c->vit);
    free(c->probe);
    free(c);
}

static bool read_probe(siglip_config *c, piaa_error *error) {
    char name[64];
    snprintf(name, sizeof name, "%shead.probe", c->vit.prefix);
    const piaa_tensor *probe = piaa_checkpoint_need(c->vit.checkpoint, error, name, 3, (int64_t)1,
                                                    (int64_t)1, (int64_t)c->vit.width);
    c->probe = probe ? piaa_alloc((size_t)c->vit.width, sizeof *c->probe, error) : NULL;
    if (c->probe) piaa_tensor_to_float(probe, c->probe);
    return c->probe != NULL;
}

static void *siglip_open(const piaa_checkpoint *checkpoint, const piaa_settings *settings,
                         piaa_model_info *info, piaa_error *error) {
    siglip_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    c->head = settings->vision.head;
    if (!piaa_siglip_configure(&c->vit, checkpoint, settings, 1, false, error) ||
        (c->head && !read_probe(c, error))) {
        siglip_close(c);
        return NULL;
    }
    piaa_vit_inform(&c->vit, info);
    info->layout.vision_embeddings = true;
    info->layout.pooled_size = c->head ? c->vit.width : 0;
    return c;
}

static void *siglip_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                            piaa_error *error) {
    const siglip_config *c = config;
    const piaa_vit *v = &c->vit;
    const char *const p = v->prefix;
    const int64_t d = v->width, f = v->intermediate;
    siglip_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    piaa_vit_declare(v, r, plan->vision_blocks, &w->vit);
    if (!plan->pooled) return w;
    w->norm_w = piaa_resident_vector(r, p, "post_layernorm.weight", d);
    w->norm_b = piaa_resident_vector(r, p, "post_layernorm.bias", d);
    w->in = piaa_resident_matrix(r, p, "head.attention.in_proj_weight", 3 * d, d);
    w->in_b = piaa_resident_vector(r, p, "head.attention.in_proj_bias", 3 * d);
    w->out = piaa_resident_matrix(r, p, "head.attention.out_proj.weight", d, d);
    w->out_b = piaa_resident_vector(r, p, "head.attention.out_proj.bias", d);
    w->head_norm_w = piaa_resident_vector(r, p, "head.layernorm.weight", d);
    w->head_norm_b = piaa_resident_vector(r, p, "head.layernorm.bias", d);
    w->fc1 = piaa_resident_matrix(r, p, "head.mlp.fc1.weight", f, d);
    w->fc1_b = piaa_resident_vector(r, p, "head.mlp.fc1.bias", f);
    w->fc2 = piaa_resident_matrix(r, p, "head.mlp.fc2.weight", d, f);
    w->fc2_b = piaa_resident_vector(r, p, "head.mlp.fc2.bias", d);
    return w;
}

/* The query comes from the probe, keys and values from the patches, all three by one matrix. */
static struct ggml_tensor *build_head(const siglip_config *c, const siglip_weights *w,
                                      piaa_graph *graph, struct ggml_tensor *x) {
    const piaa_vit *v = &c->vit;
    x = piaa_graph_layer_norm(graph, x, w->norm_w, w->norm_b, v->eps, true);
    struct ggml_tensor *probe = piaa_graph_input(graph, GGML_TYPE_F32, v->width, 1, c->probe);
    piaa_attention attention = {
        .q = piaa_graph_linear(graph, w->in, w->in_b, probe, PIAA_LINEAR, NULL),
        .kv = piaa_graph_linear(graph, w->in, w->in_b, x, PIAA_LINEAR, NULL),
        .k_first = v->heads,
        .v_first = 2 * v->heads,
        .heads = v->heads,
        .kv_heads = v->heads,
        .dim = v->width / v->heads};
    x = piaa_graph_linear(graph, w->out, w->out_b, piaa_graph_attention(graph, &attention),
                          PIAA_LINEAR, NULL);
    struct ggml_tensor *y =
        piaa_graph_layer_norm(graph, x, w->head_norm_w, w->head_norm_b, v->eps, true);
    y = piaa_graph_linear(graph, w->fc1, w->fc1_b, y, v->activation, NULL);
    return piaa_graph_linear(graph, w->fc2, w->fc2_b, y, PIAA_LINEAR, x);
}

static void siglip_build(const void *config, const void *weights, void *input,
                         const piaa_plan *plan, piaa_graph *graph) {
    const siglip_config *c = config;
    const siglip_weights *w = weights;
    const piaa_vit *v = &c->vit;
    piaa_graph_limit(graph, v->width / v->heads);
    struct ggml_tensor *x =
        piaa_vit_embed(v, &w->vit, piaa_vit_input_patches(input), &v->grid, graph);
    x = piaa_vit_run(v, &w->vit, x, &v->grid, plan, true, NULL, graph);
    if (plan->pooled) piaa_graph_give(graph, build_head(c, w, graph, x), PIAA_POOLED);
}

const piaa_family piaa_family_siglip = {
    .model_type = "siglip_vision_model",
    .no_tokenizer = true,
    .open = siglip_open,
    .close = siglip_close,
    .prepare = piaa_vit_prepare,
    .input_free = piaa_vit_input_free,
    .input_count = piaa_vit_input_count,
    .declare = siglip_declare,
    .build = siglip_build,
};
