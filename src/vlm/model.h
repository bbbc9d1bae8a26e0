/* What a model and its inputs hold, for the files of this room: model.c makes them, session.c runs
   them. */
#ifndef PIAA_VLM_MODEL_H
#define PIAA_VLM_MODEL_H

#include "vlm/family.h"

struct piaa_model {
    const piaa_family *family;
    void *config; /* the family's own */
    piaa_checkpoint *checkpoint;
    piaa_tokenizer *tokenizer;
    piaa_chat_frame *frame; /* of its own chat template; NULL where that is the published form */
    char *chat;             /* in words, which form that is */
    char *adapter;          /* an absolute path; NULL: none */
    piaa_settings *settings;
    char *unknown; /* keys that nobody reads */
    piaa_model_info info;
};

struct piaa_model_input {
    const piaa_family *family;
    void *own;
    struct piaa_decoder_input *text; /* of text, and images that were seen; `own` is NULL then */
    int tokens, image_tokens;
};

/* What the decoder reads of it; NULL where there is none. */
const struct piaa_decoder_input *piaa_model_input_text(const piaa_model_input *input);

#endif
