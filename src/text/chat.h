/* Conversations of images and texts in each family's chat form, as token ids. */
#ifndef PIAA_TEXT_CHAT_H
#define PIAA_TEXT_CHAT_H

#include "text/template.h"
#include "text/tokenizer.h"

typedef enum piaa_chat_form {
    PIAA_CHAT_QWEN3VL,
    PIAA_CHAT_QWEN25VL,
    PIAA_CHAT_GEMMA3
} piaa_chat_form;

/* A piece of a turn: a text, or (NULL) an image of so many tokens. */
typedef struct piaa_chat_part {
    const char *text;
    size_t image_tokens;
} piaa_chat_part;

typedef struct piaa_chat_turn {
    bool assistant; /* else the user's */
    const piaa_chat_part *parts;
    size_t count;
} piaa_chat_turn;

/* A run of tokens. */
typedef struct piaa_chat_span {
    size_t start, count;
} piaa_chat_span;

typedef struct piaa_chat_tokens {
    piaa_ids ids;
    piaa_chat_span *images; /* each image's run of placeholder tokens, in order */
    size_t image_count, image_capacity;
} piaa_chat_tokens;

/* A form as a model's own chat template writes it. */
typedef struct piaa_chat_frame {
    char *source, *bos, *eos;
    char *question[2]; /* what it makes of one image and one text; without and with an answer opened
                        */
    char *before, *after, *end; /* of that: around the image, the text, the turn */
    bool trim;
} piaa_chat_frame;

/* The form as `source` writes it (words->generate is not looked at); NULL, with an error, where it
 * is not understood. */
piaa_chat_frame *piaa_chat_frame_new(piaa_chat_form form, const char *source,
                                     const piaa_template_words *words,
                                     piaa_error *error) PIAA_MUST_USE;
void piaa_chat_frame_free(piaa_chat_frame *frame);
/* Whether it makes the same of every prompt as the published form; generate: with an answer opened,
   which a model that thinks aloud opens otherwise. */
bool piaa_chat_frame_is_published(const piaa_chat_frame *frame, piaa_chat_form form, bool generate);

/* The ids of a conversation; with `generate` the opening of the assistant's turn follows it.
 * `frame` NULL: as published. */
bool piaa_chat_encode(const piaa_tokenizer *tokenizer, piaa_chat_form form,
                      const piaa_chat_frame *frame, const piaa_chat_turn *turns, size_t count,
                      bool generate, piaa_chat_tokens *out, piaa_error *error) PIAA_MUST_USE;
/* The same of one user turn: an image, then the prompt. */
bool piaa_chat_ask(const piaa_tokenizer *tokenizer, piaa_chat_form form,
                   const piaa_chat_frame *frame, const char *prompt, size_t image_tokens,
                   bool generate, piaa_chat_tokens *out, piaa_error *error) PIAA_MUST_USE;
void piaa_chat_tokens_free(piaa_chat_tokens *tokens);

#endif
