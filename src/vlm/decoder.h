/* What a decoder around one image reads, and where its hidden states are pooled: the same in every
   family. */
#ifndef PIAA_VLM_DECODER_H
#define PIAA_VLM_DECODER_H

#include "vlm/family.h"

typedef struct piaa_decoder_input {
    piaa_chat_tokens chat;
    int tokens, start, image,
        text; /* text: tokens that are not the image's, which are tokens start..start + image - 1 */
    float *embeddings; /* [text][hidden] */
    float *pool;       /* [tokens][3]: lt, lt_tail, lv */
    /* The text's alone, which are all that the last block has to finish where no pool reads the
       image's: their places and pools. */
    int32_t *rows;
    float *row_pool; /* [text][2]: lt, lt_tail */
} piaa_decoder_input;

/* Where the embeddings of tokens come from: `table` [vocabulary][hidden], times `scale`. */
typedef struct piaa_embeddings {
    const piaa_tensor *table;
    float scale;
} piaa_embeddings;

bool piaa_decoder_input_make(piaa_decoder_input *in, const piaa_checkpoint *checkpoint,
                             const piaa_embeddings *embeddings, const piaa_tokenizer *tokenizer,
                             piaa_chat_form form, int image_tokens, const piaa_ask *ask,
                             piaa_error *error) PIAA_MUST_USE;
void piaa_decoder_input_free(piaa_decoder_input *in);

/* Row i sees keys first[i]..last[i] of `keys` (NULL: 0, i), as ggml's attention takes it:
   [rows][keys]. */
ggml_fp16_t *piaa_decoder_mask(const int32_t *first, const int32_t *last, int rows, int keys,
                               piaa_error *error) PIAA_MUST_USE;

/* The tokens' embeddings with the image's features written in; image NULL (only LT0 is asked for):
   the text's alone. */
struct ggml_tensor *piaa_decoder_embed(piaa_graph *graph, const piaa_decoder_input *in, int hidden,
                                       struct ggml_tensor *image);
/* Pools state `layer` where the plan asks for it, and keeps it. */
void piaa_decoder_pool(piaa_graph *graph, const piaa_plan *plan, struct ggml_tensor *h,
                       struct ggml_tensor *weights, int layer);

#endif
