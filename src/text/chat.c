/* The chat forms, as the families' templates write them for one user turn of one image and one
   text, and the same with the constants of a model's own template. */
#include "text/chat.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

typedef struct form {
    const char *family, *before, *image, *after, *end, *answer;
    /* Tokens, beside the image's, without which the tokenizer is another family's. */
    const char *needed[5];
    const char *reserved[2]; /* tokens that a prompt must not contain: they would be taken for image
                                or video rows */
    bool trim;               /* white space around the prompt is dropped */
    /* What a template writes for an image, and what the processor makes of that. */
    const char *mark, *mark_before, *mark_after;
    const char *first; /* the tokenizer puts it before what does not begin with it */
} form;

static const form forms[] = {
    [PIAA_CHAT_QWEN3VL] = {.family = "Qwen3-VL",
                           .before = "<|im_start|>user\n<|vision_start|>",
                           .image = "<|image_pad|>",
                           .after = "<|vision_end|>",
                           .end = "<|im_end|>\n",
                           .answer = "<|im_start|>assistant\n",
                           .needed = {"<|im_start|>", "<|im_end|>", "<|vision_start|>",
                                      "<|vision_end|>"},
                           .reserved = {"<|image_pad|>", "<|video_pad|>"},
                           .mark = "<|image_pad|>",
                           .mark_before = "",
                           .mark_after = "",
                           .first = ""},
    [PIAA_CHAT_QWEN25VL] = {.family = "Qwen2.5-VL",
                            .before = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
                                      "<|im_start|>user\n<|vision_start|>",
                            .image = "<|image_pad|>",
                            .after = "<|vision_end|>",
                            .end = "<|im_end|>\n",
                            .answer = "<|im_start|>assistant\n",
                            .needed = {"<|im_start|>", "<|im_end|>", "<|vision_start|>",
                                       "<|vision_end|>"},
                            .reserved = {"<|image_pad|>", "<|video_pad|>"},
                            .mark = "<|image_pad|>",
                            .mark_before = "",
                            .mark_after = "",
                            .first = ""},
    [PIAA_CHAT_GEMMA3] = {.family = "Gemma 3",
                          .before = "<bos><start_of_turn>user\n\n\n<start_of_image>",
                          .image = "<image_soft_token>",
                          .after = "<end_of_image>\n\n",
                          .end = "<end_of_turn>\n",
                          .answer = "<start_of_turn>model\n",
                          .needed = {"<bos>", "<start_of_turn>", "<end_of_turn>",
                                     "<start_of_image>", "<end_of_image>"},
                          .reserved = {"<image_soft_token>", "<start_of_image>"},
                          .trim = true,
                          .mark = "<start_of_image>",
                          .mark_before = "\n\n<start_of_image>",
                          .mark_after = "<end_of_image>\n\n",
                          .first = "<bos>"},
};

/* -------------------------------------------------------------------------------------- frames */

static bool unlike(piaa_error *error, const char *what) {
    return piaa_error_set(error, PIAA_UNSUPPORTED, "it writes %s", what);
}

/* The place of the only `mark` in `text`; NULL if there is none, or another. */
static char *find_once(char *text, const char *mark) {
    char *found = strstr(text, mark);
    return found && !strstr(found + 1, mark) ? found : NULL;
}

/* Cuts what the template wrote for a turn into the parts of a frame; `whole` with the answer's
   opening behind it. */
static bool cut(const form *f, char *turn, const char *whole, piaa_chat_frame *out,
                piaa_error *error) {
    static const char marks[] = PIAA_TEMPLATE_TEXT PIAA_TEMPLATE_TRIMMED;
    char *image = find_once(turn, f->mark), *prompt = strpbrk(turn, marks);
    const size_t n = strlen(turn);
    if (!image) return unlike(error, "not one image");
    if (!prompt || strpbrk(prompt + 1, marks)) return unlike(error, "the text not once");
    if (prompt < image) return unlike(error, "the text before the image");
    if (strncmp(turn, whole, n) != 0) return unlike(error, "another turn before an answer");
    const bool first = strncmp(turn, f->first, strlen(f->first)) == 0;
    out->trim = *prompt == *PIAA_TEMPLATE_TRIMMED;
    *image = *prompt = '\0';
    out->before = piaa_format(error, "%s%s%s", first ? "" : f->first, turn, f->mark_before);
    out->after = piaa_format(error, "%s%s", f->mark_after, image + strlen(f->mark));
    out->end = piaa_strdup(prompt + 1, error);
    out->answer = piaa_strdup(whole + n, error);
    return out->before && out->after && out->end && out->answer;
}

piaa_chat_frame *piaa_chat_frame_new(piaa_chat_form form_number, const char *source,
                                     const piaa_template_words *words, piaa_error *error) {
    const form *f = &forms[form_number];
    piaa_template_words asked = *words;
    if (!asked.bos && *f->first) asked.bos = f->first;
    asked.generate = false;
    char *turn = piaa_template_render(source, &asked, error), *whole = NULL;
    asked.generate = true;
    if (turn) whole = piaa_template_render(source, &asked, error);
    piaa_chat_frame *frame = whole ? piaa_alloc(1, sizeof *frame, error) : NULL;
    if (frame && !cut(f, turn, whole, frame, error)) {
        piaa_chat_frame_free(frame);
        frame = NULL;
    }
    free(turn);
    free(whole);
    return frame;
}

void piaa_chat_frame_free(piaa_chat_frame *frame) {
    if (!frame) return;
    free(frame->before);
    free(frame->after);
    free(frame->end);
    free(frame->answer);
    free(frame);
}

bool piaa_chat_frame_is_published(const piaa_chat_frame *frame, piaa_chat_form form_number) {
    const form *f = &forms[form_number];
    return frame->trim == f->trim && strcmp(frame->before, f->before) == 0 &&
           strcmp(frame->after, f->after) == 0 && strcmp(frame->end, f->end) == 0;
}

/* ------------------------------------------------------------------------------------ encoding */

/* The id of a string that the tokenizer has as one token. */
static bool token_id(const piaa_tokenizer *tokenizer, const form *f, const char *token, int32_t *id,
                     piaa_error *error) {
    piaa_ids ids = {0};
    bool ok = piaa_tokenizer_encode(tokenizer, token, strlen(token), &ids, error);
    if (ok && ids.count != 1)
        ok = piaa_error_set(
            error, PIAA_MISMATCH,
            "the tokenizer has no token %s: take the one that belongs to the %s model", token,
            f->family);
    if (ok) *id = ids.items[0];
    piaa_ids_free(&ids);
    return ok;
}

/* Appends `before` and the image's placeholders. */
static bool add_image(const piaa_tokenizer *tokenizer, const form *f, size_t count,
                      piaa_chat_tokens *out, piaa_error *error) {
    int32_t image;
    piaa_ids *ids = &out->ids;
    if (!token_id(tokenizer, f, f->image, &image, error) ||
        !piaa_tokenizer_encode(tokenizer, f->before, strlen(f->before), ids, error))
        return false;
    if (count > INT32_MAX ||
        !piaa_grow(&ids->items, &ids->capacity, ids->count + count, sizeof *ids->items, error))
        return piaa_error_set(error, PIAA_MEMORY, "%zu image tokens are too many", count);
    out->image_start = ids->count;
    out->image_count = count;
    for (size_t i = 0; i < count; i++) ids->items[ids->count++] = image;
    return true;
}

/* Appends what follows the image.  It is encoded apart from what precedes it, which changes
 * nothing: the added tokens on both sides of the seam keep their neighbours from each other. */
static bool add_prompt(const piaa_tokenizer *tokenizer, const form *f, const char *prompt,
                       bool generate, piaa_ids *ids, piaa_error *error) {
    piaa_text text = {0};
    size_t start = ids->count, size = strlen(prompt);
    if (f->trim) prompt = piaa_utf8_trim(prompt, &size);
    bool ok = piaa_text_format(&text, error, "%s", f->after) &&
              piaa_text_add(&text, prompt, size, error) &&
              piaa_text_format(&text, error, "%s%s", f->end, generate ? f->answer : "") &&
              piaa_tokenizer_encode(tokenizer, text.data, text.length, ids, error);
    free(text.data);
    for (size_t k = 0; ok && k < PIAA_COUNT(f->reserved) && f->reserved[k]; k++) {
        int32_t id = piaa_tokenizer_find(tokenizer, f->reserved[k]);
        for (size_t i = start; ok && id >= 0 && i < ids->count; i++)
            if (ids->items[i] == id)
                ok = piaa_error_set(
                    error, PIAA_USAGE,
                    "the prompt holds %s, which stands for the rows of an image: leave it out",
                    f->reserved[k]);
    }
    return ok;
}

bool piaa_chat_encode(const piaa_tokenizer *tokenizer, piaa_chat_form form_number,
                      const piaa_chat_frame *frame, const char *prompt, size_t image_tokens,
                      bool generate, piaa_chat_tokens *out, piaa_error *error) {
    *out = (piaa_chat_tokens){0};
    if (!tokenizer) return piaa_error_missing(error, "tokenizer");
    if (!prompt) return piaa_error_set(error, PIAA_USAGE, "no prompt");
    if (!image_tokens)
        return piaa_error_set(error, PIAA_USAGE, "no image tokens: a prompt needs its image");
    form own = forms[form_number];
    if (frame) {
        own.before = frame->before;
        own.after = frame->after;
        own.end = frame->end;
        own.answer = frame->answer;
        own.trim = frame->trim;
    }
    const form *f = &own;
    bool ok = true;
    int32_t unused;
    for (size_t i = 0; ok && i < PIAA_COUNT(f->needed) && f->needed[i]; i++)
        ok = token_id(tokenizer, f, f->needed[i], &unused, error);
    ok = ok && add_image(tokenizer, f, image_tokens, out, error) &&
         add_prompt(tokenizer, f, prompt, generate, &out->ids, error);
    if (!ok) piaa_chat_tokens_free(out);
    return ok;
}

void piaa_chat_tokens_free(piaa_chat_tokens *tokens) {
    piaa_ids_free(&tokens->ids);
    *tokens = (piaa_chat_tokens){0};
}
