/* What a chat template writes for a conversation of images and texts, whatever the texts say. */
#ifndef PIAA_TEXT_TEMPLATE_H
#define PIAA_TEXT_TEMPLATE_H

#include "base/error.h"

/* In what is written, these bytes stand for the text: as it is, and without the white space around
   it. */
#define PIAA_TEMPLATE_TEXT "\x01"
#define PIAA_TEMPLATE_TRIMMED "\x02"

typedef struct piaa_template_turn {
    const char *role;  /* "user", "assistant", "system" */
    const char *parts; /* in order: 'i' an image, 't' a text */
} piaa_template_turn;

typedef struct piaa_template_words {
    const char *bos, *eos;           /* the tokenizer's; NULL: not known */
    bool generate;                   /* open the assistant's turn */
    const piaa_template_turn *turns; /* NULL: a user's turn of an image and a text */
    size_t turn_count;
} piaa_template_words;

/* As Jinja renders `source` in transformers (trim_blocks and lstrip_blocks on).  NUL-terminated,
 * the caller's; PIAA_UNSUPPORTED where the template asks for what is not read here, with the place.
 */
char *piaa_template_render(const char *source, const piaa_template_words *words,
                           piaa_error *error) PIAA_MUST_USE;

#endif
