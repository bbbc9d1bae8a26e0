/*
 * The decoder: token embeddings with an image's features written in, then blocks of
 *
 *     h = h + after1(o(attention(before1(h)))),   h = h + after2(down(act(gate x) * up x)),
 *     x = before2(h),
 *
 * with RMS norms around; after1 and after2 are there in a "sandwich" only.  Hidden state 0 is what
 * the first block reads, state i the output of block i, and the last one is taken after the final
 * norm.
 *
 * A family describes its decoder (piaa_decoder) and has it declared, fed and built; what a family
 * does between two blocks it does in a function called after each.
 *
 * Whatever the block, a query sees an unbroken run of keys: from the window's start to itself, or
 * to the end of the image it is part of.  So two numbers per row say it all.  In the last block
 * keys and values are computed for all rows and the rest for the text's alone, if no pool reads the
 * others.
 */
#ifndef PIAA_VLM_DECODER_H
#define PIAA_VLM_DECODER_H

#include "vlm/family.h"
#include "vlm/rotary.h"

enum { PIAA_DECODER_BLOCKS = 511, PIAA_DECODER_KINDS = 2 };

/* A kind of block; a decoder alternates between one or two. */
typedef struct piaa_decoder_kind {
    int heads, kv_heads;
    int window;         /* a token sees so many keys, the last of them itself; 0: all before it */
    piaa_rotary rotary; /* its dim is the size of a head */
} piaa_decoder_kind;

typedef struct piaa_decoder {
    const piaa_checkpoint *checkpoint;
    int hidden, layers, intermediate;
    int context; /* positions that it was made for */
    piaa_decoder_kind kind[PIAA_DECODER_KINDS];
    unsigned char kind_of[PIAA_DECODER_BLOCKS];
    float eps, scale;           /* scale: of attention's scores; 0: 1 / sqrt(size of a head) */
    float cap;                  /* logits are cap tanh(logits / cap); 0: as they are */
    piaa_activation activation; /* gated */
    bool qk_norm, qkv_bias;
    bool sandwich;        /* norms after attention and after the gated unit too */
    bool one_plus;        /* norms multiply by 1 + w */
    bool tied;            /* logits by the embeddings' own matrix */
    bool image_positions; /* an image's tokens count rows and columns, text goes on after the larger
                             of the two; else every token has its place */
    bool image_attention; /* its tokens see each other both ways, unless the request says no */
    const piaa_tensor *embeddings; /* [vocabulary][hidden] */
    float embedding_scale;
} piaa_decoder;

/* Everything but the switches (norms, biases, image_*) and the embeddings' scale, which are the
   family's and there already.  Of a model with a sliding window kind 0 are the blocks with it, kind
   1 the others, and else all are of kind 0. */
bool piaa_decoder_configure(piaa_decoder *decoder, const piaa_settings *settings,
                            piaa_error *error) PIAA_MUST_USE;
void piaa_decoder_inform(const piaa_decoder *decoder, piaa_model_info *info);

/* ---------------------------------------------------------------------------------------- input */

/* Rows of the sequence, all of them or the text's alone: whom they see, and where they are. */
typedef struct piaa_decoder_rows {
    int count;
    const int32_t *places; /* among all tokens; NULL: all in order */
    /* The last key that each sees, counted with those of the input's past; NULL: its own, all in
       order. */
    int32_t *last;
    int32_t *first[PIAA_DECODER_KINDS]; /* the first one; NULL: 0 */
    float *rotary[PIAA_DECODER_KINDS];  /* [count][size of a head], see piaa_rotary_table */
    int32_t *positions;                 /* [4][count], as ggml's own rotation takes them */
    /* [count][past + tokens], made where ggml's attention asks. */
    ggml_fp16_t *mask[PIAA_DECODER_KINDS];
} piaa_decoder_rows;

/* An image's tokens among those of an input, row by row. */
typedef struct piaa_decoder_image {
    int start, tokens, rows, columns;
} piaa_decoder_image;

enum { PIAA_DECODER_ADDED = 16 };

typedef struct piaa_decoder_input {
    piaa_ids ids;
    piaa_decoder_image *images;
    int image_count;
    int tokens, image, text;          /* of all, of images, of text */
    int past;                         /* tokens before these, whose keys a cache holds */
    int next;                         /* the position of a token that comes after these */
    float *embeddings;                /* [text][hidden]; NULL: `states` has them */
    float *states;                    /* [tokens][hidden]: with images' features written in */
    float *added[PIAA_DECODER_ADDED]; /* [tokens][hidden], to what block i gives; NULL: nothing */
    float *pool;                      /* [tokens][3]: lt, lt_tail, lv */
    int32_t *text_places;             /* [text] */
    float *text_pool;                 /* [text][2]: lt, lt_tail */
    piaa_decoder_rows all, kept;      /* kept: the text's */
} piaa_decoder_input;

/* One user turn around an image of rows x columns tokens.  `in` is zero; free it in any case. */
bool piaa_decoder_input_make(piaa_decoder_input *in, const piaa_decoder *decoder,
                             const piaa_tokenizer *tokenizer, piaa_chat_form form, int rows,
                             int columns, const piaa_ask *ask, piaa_error *error) PIAA_MUST_USE;
/* What follows the first `past` tokens of a conversation, which do not end within an image. sights:
 * of each of its images; NULL where the decoder sees none, but tokens that stand for one. */
bool piaa_decoder_input_converse(piaa_decoder_input *in, const piaa_decoder *decoder,
                                 const piaa_chat_tokens *chat, const piaa_sight *const *sights,
                                 bool both_ways, int past, piaa_error *error) PIAA_MUST_USE;
/* Tokens of text alone, at the positions from `position` on, behind `past` tokens of a cache. */
bool piaa_decoder_input_continue(piaa_decoder_input *in, const piaa_decoder *decoder,
                                 const int32_t *ids, size_t count, int past, int position,
                                 piaa_error *error) PIAA_MUST_USE;
void piaa_decoder_input_free(piaa_decoder_input *in);

/* ---------------------------------------------------------------------------- weights and graph */

typedef struct piaa_decoder_block {
    const piaa_matrix *q, *kv, *o, *gate_up, *down;
    struct ggml_tensor *q_bias, *kv_bias, *q_norm, *k_norm;
    struct ggml_tensor *before1, *after1, *before2, *after2;
} piaa_decoder_block;

typedef struct piaa_decoder_weights {
    piaa_decoder_block block[PIAA_DECODER_BLOCKS];
    struct ggml_tensor *final_norm;
    const piaa_matrix *head;
} piaa_decoder_weights;

void piaa_decoder_declare(const piaa_decoder *decoder, piaa_resident *resident,
                          const piaa_plan *plan, piaa_decoder_weights *weights);

/* What a family does to h [hidden, tokens] after block i, before the next one reads it; the state
 * is recorded before.  Not called after a block that the text's rows alone leave. */
typedef struct piaa_decoder_hook {
    struct ggml_tensor *(*after)(void *user, piaa_graph *graph, int block, struct ggml_tensor *h);
    void *user;
} piaa_decoder_hook;

/* Blocks, pools and logits of the plan.  image [hidden, image tokens]; NULL where LT0 alone is
 * asked for, or the input has no image, or its features already.  hook may be NULL. */
void piaa_decoder_build(const piaa_decoder *decoder, const piaa_decoder_weights *weights,
                        piaa_decoder_input *in, const piaa_plan *plan, piaa_graph *graph,
                        struct ggml_tensor *image, const piaa_decoder_hook *hook);

#endif
