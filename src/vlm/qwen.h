/*
 * What the families of Qwen have in common: rotary positions of time, row and column in the
 * decoder, photos of any size as merge blocks of patches, an encoder that turns half of a head's
 * pairs by the row and half by the column, and a merger that makes m x m patches one token of the
 * decoder:
 *
 *     token = fc2(gelu(fc1(m x m patches side by side, normalised))).
 */
#ifndef PIAA_VLM_QWEN_H
#define PIAA_VLM_QWEN_H

#include "image/patches.h"
#include "vlm/decoder.h"
#include "vlm/vit.h"

/* A family's configuration begins with it. */
typedef struct piaa_qwen {
    const piaa_settings *settings;
    piaa_vit vit;
    piaa_decoder decoder;
    piaa_qwen_pixels_config pixels;
} piaa_qwen;

/* ------------------------------------------------------------------------------- configuration */

/* Everything from the settings and the image processor's object, into a decoder whose switches and
   an encoder whose names are there already.  `pixels` holds what counts without that object; if it
   has no limits, the processor's own. */
bool piaa_qwen_configure(piaa_qwen *qwen, const piaa_settings *settings,
                         piaa_error *error) PIAA_MUST_USE;
/* piaa_family.difference */
const char *piaa_qwen_difference(const void *config, const void *other);
void piaa_qwen_inform(const piaa_qwen *qwen, piaa_model_info *info);

/* --------------------------------------------------------------------------------------- input */

typedef struct piaa_qwen_input {
    piaa_qwen_pixels pixels;
    piaa_vit_grid grid; /* patches in merge blocks: all m x m of one merged token together */
    piaa_decoder_input text;
    int32_t *places; /* of each image token among the merger's; NULL: in order */
} piaa_qwen_input;

/* piaa_family.prepare; the family may add to the grid. */
piaa_qwen_input *piaa_qwen_prepare(const piaa_qwen *qwen, piaa_chat_form form,
                                   const piaa_tokenizer *tokenizer, const piaa_image *image,
                                   const float *patches, int grid_h, int grid_w,
                                   const piaa_ask *ask, piaa_error *error) PIAA_MUST_USE;
void piaa_qwen_input_free(void *input);
void piaa_qwen_input_count(const void *input, int *tokens, int *image_tokens);

/* --------------------------------------------------------------------------- weights and graph */

/* Names after the merger's own, without ".weight" and ".bias". */
typedef struct piaa_qwen_merger_names {
    const char *norm, *fc1, *fc2;
} piaa_qwen_merger_names;

typedef struct piaa_qwen_merger {
    const piaa_matrix *fc1, *fc2;
    struct ggml_tensor *norm_w, *norm_b, *fc1_b, *fc2_b;
    bool wide; /* it normalises merged patches, not single ones */
} piaa_qwen_merger;

/* Its norm is of the encoder's sort. */
piaa_qwen_merger piaa_qwen_declare_merger(const piaa_qwen *qwen, piaa_resident *resident,
                                          const char *prefix, const piaa_qwen_merger_names *names,
                                          bool wide);
/* x [width of the encoder, patches] -> [hidden, tokens]. */
struct ggml_tensor *piaa_qwen_merge(const piaa_qwen *qwen, const piaa_qwen_merger *merger,
                                    piaa_graph *graph, struct ggml_tensor *x);
/* piaa_family.decoder, where the configuration begins with a piaa_qwen. */
const piaa_decoder *piaa_qwen_decoder(const void *config);
const piaa_decoder_input *piaa_qwen_input_text(const void *input);
/* Heads as wide as these models' come. */
void piaa_qwen_limit(const piaa_qwen *qwen, piaa_graph *graph);

#endif
