/*
 * CLIP's vision transformer: a class token, learned positions, a norm before the first block, and a
 * projection into the space that photos share with text.
 *
 * Reference: Hugging Face transformers, models/clip/modeling_clip.py (5.23).  Hidden state 0 is
 * what the first block reads, so after the norm.  pooled is the class token of the last block after
 * its own norm (pooler_output), projected that times a matrix (image_embeds).
 */
#include "vlm/vit.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct clip_config {
    piaa_vit vit;
    int projection; /* 0: the checkpoint has none */
} clip_config;

typedef struct clip_weights {
    piaa_vit_weights vit;
    struct ggml_tensor *pre_w, *pre_b, *post_w, *post_b;
    const piaa_matrix *projection;
} clip_weights;

static void clip_close(void *config) {
    clip_config *c = config;
    piaa_vit_close(&c->vit);
    free(c);
}

static bool configure(clip_config *c, const piaa_checkpoint *checkpoint,
                      const piaa_settings *settings, piaa_error *error) {
    static const char *const prefixes[] = {"vision_model.", "", "vision_model.vision_model."};
    static const char class_name[] = "embeddings.class_embedding";
    const int side = settings->vision.side;
    piaa_vit *v = &c->vit;
    *v = piaa_vit_like_clip(checkpoint);
    v->prefix = piaa_vit_prefix(checkpoint, prefixes, PIAA_COUNT(prefixes), class_name);
    v->pixels.crop = true;
    memcpy(v->pixels.mean, (const float[]){0.48145466f, 0.4578275f, 0.40821073f},
           sizeof v->pixels.mean);
    memcpy(v->pixels.std, (const float[]){0.26862954f, 0.26130258f, 0.27577711f},
           sizeof v->pixels.std);
    v->pixels.shortest = side;
    if (!piaa_vit_configure(v, settings, error) || !piaa_vit_ready(v, 1, error)) return false;
    if (v->pixels.height != side || v->pixels.width != side)
        return piaa_error_set(
            error, PIAA_MISMATCH,
            "%s: the image processor gives %d x %d pixels where the model reads %d x %d",
            piaa_checkpoint_where(checkpoint), v->pixels.width, v->pixels.height, side, side);
    char name[64];
    snprintf(name, sizeof name, "%s%s", v->prefix, class_name);
    const piaa_tensor *token = piaa_checkpoint_need(checkpoint, error, name, 1, (int64_t)v->width);
    if (!token) return false;
    piaa_tensor_to_float(token, v->first);
    const piaa_tensor *projection = piaa_checkpoint_tensor(checkpoint, "visual_projection.weight");
    if (projection && projection->dimensions == 2 && projection->shape[0] <= 1 << 20)
        c->projection = (int)projection->shape[0];
    return piaa_vit_positions(v, "embeddings.position_embedding.weight", error);
}

static void *clip_open(const piaa_checkpoint *checkpoint, const piaa_settings *settings,
                       piaa_model_info *info, piaa_error *error) {
    clip_config *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    if (!configure(c, checkpoint, settings, error)) {
        clip_close(c);
        return NULL;
    }
    piaa_vit_inform(&c->vit, info);
    info->layout.vision_embeddings = true;
    info->layout.pooled_size = c->vit.width;
    info->layout.projected_size = c->projection;
    return c;
}

static void *clip_declare(const void *config, piaa_resident *r, const piaa_plan *plan,
                          piaa_error *error) {
    const clip_config *c = config;
    const piaa_vit *v = &c->vit;
    clip_weights *w = piaa_alloc(1, sizeof *w, error);
    if (!w) return NULL;
    piaa_vit_declare(v, r, plan->vision_blocks, &w->vit);
    /* spelled so in the files */
    w->pre_w = piaa_resident_vector(r, v->prefix, "pre_layrnorm.weight", v->width);
    w->pre_b = piaa_resident_vector(r, v->prefix, "pre_layrnorm.bias", v->width);
    if (plan->pooled || plan->projected) {
        w->post_w = piaa_resident_vector(r, v->prefix, "post_layernorm.weight", v->width);
        w->post_b = piaa_resident_vector(r, v->prefix, "post_layernorm.bias", v->width);
    }
    if (plan->projected)
        w->projection =
            piaa_resident_matrix(r, "", "visual_projection.weight", c->projection, v->width);
    return w;
}

static void clip_build(const void *config, const void *weights, void *input, const piaa_plan *plan,
                       piaa_graph *graph) {
    const clip_config *c = config;
    const clip_weights *w = weights;
    const piaa_vit *v = &c->vit;
    piaa_graph_limit(graph, v->width / v->heads);
    struct ggml_tensor *x =
        piaa_vit_embed(v, &w->vit, piaa_vit_input_patches(input), &v->grid, graph);
    x = piaa_graph_layer_norm(graph, x, w->pre_w, w->pre_b, v->eps, false);
    x = piaa_vit_run(v, &w->vit, x, &v->grid, plan, true, NULL, graph);
    if (!plan->pooled && !plan->projected) return;
    x = piaa_graph_layer_norm(graph, piaa_vit_class(graph, x), w->post_w, w->post_b, v->eps, false);
    if (plan->pooled) piaa_graph_give(graph, x, PIAA_POOLED);
    if (plan->projected)
        piaa_graph_give(graph, piaa_graph_linear(graph, w->projection, NULL, x, PIAA_LINEAR, NULL),
                        PIAA_PROJECTED);
}

const piaa_family piaa_family_clip = {
    .model_type = "clip_vision_model",
    .no_tokenizer = true,
    .open = clip_open,
    .close = clip_close,
    .prepare = piaa_vit_prepare,
    .input_free = piaa_vit_input_free,
    .input_count = piaa_vit_input_count,
    .declare = clip_declare,
    .build = clip_build,
};
