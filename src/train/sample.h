/* What a decoder is trained on: one conversation, and which token each of its rows should
   foresee. */
#ifndef PIAA_TRAIN_SAMPLE_H
#define PIAA_TRAIN_SAMPLE_H

#include "vlm/decoder.h"
#include "vlm/vlm.h"

typedef struct piaa_sample {
    piaa_model_input *input;
    const piaa_decoder_input *rows; /* of the input: hidden state 0, positions, whom they see */
    int tokens;
    int real;        /* of them, the conversation's; those behind it are padding */
    int32_t *labels; /* [tokens]: the token that a row should foresee; -1: none */
} piaa_sample;

/* A whole conversation (piaa_model_encode).  labelled [ids]: whether a token counts in the loss,
 * which is then the row's before it.  sights: of its images, NULL for one that is not shown;
 * copied. padded: so many rows more, as the published code's batches have them: token 0, which sees
 * the whole conversation and nothing of the padding, and is its own label. */
piaa_sample *piaa_sample_new(const piaa_model *model, const piaa_chat_tokens *chat,
                             const bool *labelled, const piaa_sight *const *sights,
                             piaa_image_attention attention, int padded,
                             piaa_error *error) PIAA_MUST_USE;
void piaa_sample_free(piaa_sample *sample);
int piaa_sample_labels(const piaa_sample *sample);

/* Whom a row sees; kind: of block. */
int32_t piaa_sample_first(const piaa_sample *sample, int kind, int row);
int32_t piaa_sample_last(const piaa_sample *sample, int row);

#endif
