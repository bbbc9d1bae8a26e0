/* The chat form of each family around one image and one prompt, as token ids. */
#ifndef PIAA_TEXT_CHAT_H
#define PIAA_TEXT_CHAT_H

#include "text/template.h"
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

/* A form with the constants that a model's own chat template has. */
typedef struct piaa_chat_frame {
    char *before, *after, *end, *answer; /* around the image, the text, the turn */
    bool trim;
} piaa_chat_frame;

/* The form as `source` writes it (words->generate is not looked at); NULL, with an error, where it
 * is not understood. */
piaa_chat_frame *piaa_chat_frame_new(piaa_chat_form form, const char *source,
                                     const piaa_template_words *words,
                                     piaa_error *error) PIAA_MUST_USE;
void piaa_chat_frame_free(piaa_chat_frame *frame);
/* Whether it makes the same of every prompt as the published form. */
bool piaa_chat_frame_is_published(const piaa_chat_frame *frame, piaa_chat_form form);

/* `frame` NULL: as published.  One user turn: `image_tokens` placeholders, then the prompt; with
   `generate` the opening of the assistant's turn follows. */
bool piaa_chat_encode(const piaa_tokenizer *tokenizer, piaa_chat_form form,
                      const piaa_chat_frame *frame, const char *prompt, size_t image_tokens,
                      bool generate, piaa_chat_tokens *out, piaa_error *error) PIAA_MUST_USE;
void piaa_chat_tokens_free(piaa_chat_tokens *tokens);

#endif
