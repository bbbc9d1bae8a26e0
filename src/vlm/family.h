/* What a model family has to provide; one file each, listed in families[] of model.c. */
#ifndef PIAA_VLM_FAMILY_H
#define PIAA_VLM_FAMILY_H

#include "text/chat.h"
#include "vlm/graph.h"
#include "vlm/resident.h"
#include "weights/settings.h"

/* What a request needs, worked out from its slots. */
typedef struct piaa_plan {
    int vision_blocks;  /* how many vision blocks to run; without a decoder the embeddings are made
                           in any case */
    bool merge;         /* image features for the decoder are needed */
    int decoder_blocks; /* how many decoder blocks to run */
    bool embeddings;    /* anything of the decoder at all */
    bool final_norm;    /* the last hidden state (or logits) is asked for */
    bool logits, hidden;
    bool see;   /* the session is for that alone: DeepStack's features are all wanted */
    bool sight; /* nothing but what the decoder would read of the photo, kept as layers -1, -2, … of
                   the encoder */
    bool pooled, projected;
    bool pool_text[512], pool_tail[512], pool_image[512], pool_vision[512]; /* by layer */
} piaa_plan;

/* The values that a family reads from the configuration; `config` is the family's own structure. */
typedef struct piaa_family {
    const char *model_type; /* of its settings' table (weights/settings.h) */
    bool no_tokenizer;      /* it reads no text: `tokenizer` below is NULL */
    piaa_chat_form chat;
    /* The settings live as long as the result. */
    void *(*open)(const piaa_checkpoint *checkpoint, const piaa_settings *settings,
                  piaa_model_info *info, piaa_error *error);
    void (*close)(void *config);
    /* The first setting in which two configurations would compute otherwise from equal weights, as
       config.json calls it; NULL: none.  The function NULL: models without a GGUF form. */
    const char *(*difference)(const void *config, const void *other);
    void *(*prepare)(const void *config, const piaa_tokenizer *tokenizer, const piaa_image *image,
                     const float *patches, int grid_h, int grid_w, const piaa_ask *ask,
                     piaa_error *error);
    void (*input_free)(void *input);
    void (*input_count)(const void *input, int *tokens, int *image_tokens);
    /* Declares the weights of the plan; the result is the family's own structure of tensors, freed
       with free().  NULL: out of memory (what is wrong with a name or a shape `resident` keeps). */
    void *(*declare)(const void *config, piaa_resident *resident, const piaa_plan *plan,
                     piaa_error *error);
    void (*build)(const void *config, const void *weights, void *input, const piaa_plan *plan,
                  piaa_graph *graph);
    /* Of a family with a decoder, else NULL: the decoder, what it reads of an input, and the graph
       of an input of text alone. */
    const struct piaa_decoder *(*decoder)(const void *config);
    const struct piaa_decoder_input *(*input_text)(const void *input);
    void (*build_text)(const void *config, const void *weights, struct piaa_decoder_input *in,
                       const piaa_plan *plan, piaa_graph *graph);
} piaa_family;

extern const piaa_family piaa_family_qwen3vl, piaa_family_qwen25vl, piaa_family_gemma3,
    piaa_family_dinov3, piaa_family_clip, piaa_family_siglip;

#endif
