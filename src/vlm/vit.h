/*
 * The plain vision transformer: patches times a matrix, class and register tokens before them,
 * then blocks of
 *
 *     x = x + s1 * out(attention(norm1(x))),   x = x + s2 * mlp(norm2(x)),
 *
 * where s1 and s2 are layer scales or absent.  SigLIP (alone and in Gemma 3), CLIP and DINOv3 are
 * this, and so are Qwen2.5-VL's and Qwen3-VL's; they differ in the names of their tensors, in how
 * they know positions (added, or rotary), and in what they make of the blocks' outputs.
 *
 * Patches may see each other within windows only.  Then they come window by window, so that those
 * of a window are an unbroken run.
 *
 * What belongs to a photo (its grid of patches, and what follows from that) is a piaa_vit_grid: of
 * a model that reads every photo at one size there is one, made when the model is opened; others
 * make one for each photo.
 */
#ifndef PIAA_VLM_VIT_H
#define PIAA_VLM_VIT_H

#include "image/planes.h"
#include "vlm/family.h"
#include "weights/settings.h"

enum { PIAA_VIT_MAX_BLOCKS = 511 };

/* Names of a block's tensors after the block's own, without ".weight" and ".bias"; NULL: it has
   none.  q alone, without k and v, is all three in one. */
typedef struct piaa_vit_names {
    const char *norm1, *q, *k, *v, *out, *norm2, *gate, *fc1, *fc2, *scale1, *scale2;
} piaa_vit_names;

typedef struct piaa_vit_grid {
    int height, width;  /* in patches */
    int tokens;         /* those before the patches, and the patches */
    float *pool;        /* [tokens] of 1 / tokens */
    float *added;       /* [patches][width of the model]: position embeddings; NULL: none */
    float *rotary;      /* [tokens][size of a head]: cosines and sines (kernels.h); NULL: none */
    int32_t *positions; /* [4][tokens], row, column, 0, 0, for devices that rotate themselves; NULL:
                           the table serves there too */
    int32_t *first, *last; /* [tokens]: of the window of each; NULL: there are no windows */
    ggml_fp16_t *mask;     /* [tokens][tokens], the same where ggml's attention asks */
} piaa_vit_grid;

/* The pool and the numbers; the rest is the family's to add.  Freed in any case. */
bool piaa_vit_grid_make(piaa_vit_grid *grid, int height, int width, int before,
                        piaa_error *error) PIAA_MUST_USE;
void piaa_vit_grid_free(piaa_vit_grid *grid);

extern const piaa_vit_names piaa_vit_names_clip; /* CLIP's and SigLIP's */

typedef struct piaa_vit {
    const piaa_checkpoint *checkpoint;
    const piaa_vit_names *names;
    const char *prefix;             /* of the tensors' names: see piaa_vit_prefix */
    const char *patch_name, *layer; /* "encoder.layers." and the block's number */
    int width, blocks, heads, intermediate, patch, frames; /* frames: that a patch spans */
    float eps;
    piaa_activation activation;
    bool patch_bias, q_bias, k_bias, v_bias, out_bias, mlp_bias;
    bool rms;                           /* norms are RMS norms, without biases */
    bool windowed[PIAA_VIT_MAX_BLOCKS]; /* blocks whose tokens see their windows alone */
    int before;                         /* tokens before the patches: class, registers */
    float *first;                       /* [before][width]: those, their positions added */
    /* Of models that read every photo at one size. */
    piaa_planes_config pixels;
    piaa_vit_grid grid;
} piaa_vit;

/* What CLIP and SigLIP have in common: names, biases, and pixels where the file says nothing. */
piaa_vit piaa_vit_like_clip(const piaa_checkpoint *checkpoint);

/* Sizes, eps, the activation, and the side of a photo that `pixels` starts from; the other members
   are the family's. */
bool piaa_vit_configure(piaa_vit *vit, const piaa_settings *settings,
                        piaa_error *error) PIAA_MUST_USE;
/* The image processor's settings over vit->pixels, and the grid from them. */
bool piaa_vit_ready(piaa_vit *vit, int before, piaa_error *error) PIAA_MUST_USE;
/* Position embeddings [before + patches][width] from the file into `first` and grid.added, the
   former on top of what is there. */
bool piaa_vit_positions(piaa_vit *vit, const char *name, piaa_error *error) PIAA_MUST_USE;
void piaa_vit_close(piaa_vit *vit);
/* The prefix with which the file has the tensor; the first one if it has none of them. */
const char *piaa_vit_prefix(const piaa_checkpoint *checkpoint, const char *const *prefixes,
                            size_t count, const char *name);
void piaa_vit_inform(const piaa_vit *vit, piaa_model_info *info);

/* Patch rows from a photo, or copied where the caller has them already. */
float *piaa_vit_patches(const piaa_vit *vit, const piaa_image *image, const float *patches,
                        int grid_h, int grid_w, const piaa_ask *ask,
                        piaa_error *error) PIAA_MUST_USE;

/* Makes the grid's mask if the graph will ask for it; once piaa_graph_limit has been called. */
void piaa_vit_grid_mask(piaa_vit_grid *grid, piaa_graph *graph);

typedef struct piaa_vit_block {
    const piaa_matrix *qkv, *out, *fc1, *fc2;
    struct ggml_tensor *norm1_w, *norm1_b, *qkv_b, *out_b, *norm2_w, *norm2_b, *fc1_b, *fc2_b,
        *scale1, *scale2;
} piaa_vit_block;

typedef struct piaa_vit_weights {
    const piaa_matrix *patch_w;
    struct ggml_tensor *patch_b;
    piaa_vit_block block[PIAA_VIT_MAX_BLOCKS];
} piaa_vit_weights;

void piaa_vit_declare(const piaa_vit *vit, piaa_resident *resident, int blocks,
                      piaa_vit_weights *weights);

/* Graph: the embeddings [width, tokens], and all blocks of the plan.  `states`: the pool v counts
   from the embeddings. */
struct ggml_tensor *piaa_vit_embed(const piaa_vit *vit, const piaa_vit_weights *weights,
                                   const float *patches, const piaa_vit_grid *grid,
                                   piaa_graph *graph);

/* What a family takes from x [width, tokens] after block i. */
typedef struct piaa_vit_hook {
    void (*after)(void *user, piaa_graph *graph, int block, struct ggml_tensor *x);
    void *user;
} piaa_vit_hook;

struct ggml_tensor *piaa_vit_run(const piaa_vit *vit, const piaa_vit_weights *weights,
                                 struct ggml_tensor *x, const piaa_vit_grid *grid,
                                 const piaa_plan *plan, bool states, const piaa_vit_hook *hook,
                                 piaa_graph *graph);
/* The entry at the head of x [width, tokens]: the class token. */
struct ggml_tensor *piaa_vit_class(piaa_graph *graph, struct ggml_tensor *x);

/* A family of one such encoder alone: these serve its table; its config begins with a piaa_vit. */
void *piaa_vit_prepare(const void *config, const piaa_tokenizer *tokenizer, const piaa_image *image,
                       const float *patches, int grid_h, int grid_w, const piaa_ask *ask,
                       piaa_error *error);
void piaa_vit_input_free(void *input);
void piaa_vit_input_count(const void *input, int *tokens, int *image_tokens);
const float *piaa_vit_input_patches(const void *input);

#endif
