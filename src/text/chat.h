/* The chat form of each family around one image and one prompt, as token ids. */
#ifndef PIAA_TEXT_CHAT_H
#define PIAA_TEXT_CHAT_H

#include "text/tokenizer.h"

typedef enum piaa_chat_form {
    PIAA_CHAT_QWEN3VL,
    PIAA_CHAT_QWEN25VL,
    PIAA_CHAT_GEMMA3
} piaa_chat_form;

typedef struct piaa_chat_tokens {
    piaa_ids ids;
    size_t image_start, image_count; /* the run of image placeholder tokens */
} piaa_chat_tokens;

/* One user turn: `image_tokens` placeholders, then the prompt; with `generate` the opening of the
   assistant's turn follows. */
bool piaa_chat_encode(const piaa_tokenizer *tokenizer, piaa_chat_form form, const char *prompt,
                      size_t image_tokens, bool generate, piaa_chat_tokens *out,
                      piaa_error *error) PIAA_MUST_USE;
void piaa_chat_tokens_free(piaa_chat_tokens *tokens);

#endif
