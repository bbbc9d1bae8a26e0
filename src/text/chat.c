/* The chat forms, as the families' templates write conversations, and the same by a model's own
   template. */
#include "text/chat.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

typedef struct form {
    const char *family;
    /* What the template writes: before everything, around a turn, and for an image. */
    const char *head, *user, *assistant, *end, *picture;
    /* `mark` in that, and what the processor makes of it: so many tokens between two texts. */
    const char *mark, *mark_before, *token, *mark_after;
    /* Tokens, beside the image's, without which the tokenizer is another family's. */
    const char *needed[5];
    const char *reserved[2]; /* tokens that a text must not contain: they would be taken for image
                                or video rows */
    bool trim;               /* white space around a text is dropped */
    const char *first;       /* the tokenizer puts it before what does not begin with it */
} form;

#define QWEN                                                                                       \
    .user = "<|im_start|>user\n", .assistant = "<|im_start|>assistant\n", .end = "<|im_end|>\n",   \
    .picture = "<|vision_start|><|image_pad|><|vision_end|>", .mark = "<|image_pad|>",             \
    .mark_before = "", .token = "<|image_pad|>", .mark_after = "",                                 \
    .needed = {"<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"},                \
    .reserved = {"<|image_pad|>", "<|video_pad|>"}, .first = ""

static const form forms[] = {
    [PIAA_CHAT_QWEN3VL] = {.family = "Qwen3-VL", .head = "", QWEN},
    [PIAA_CHAT_QWEN25VL] = {.family = "Qwen2.5-VL",
                            .head = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n",
                            QWEN},
    [PIAA_CHAT_GEMMA3] = {.family = "Gemma 3",
                          .head = "<bos>",
                          .user = "<start_of_turn>user\n",
                          .assistant = "<start_of_turn>model\n",
                          .end = "<end_of_turn>\n",
                          .picture = "<start_of_image>",
                          .mark = "<start_of_image>",
                          .mark_before = "\n\n<start_of_image>",
                          .token = "<image_soft_token>",
                          .mark_after = "<end_of_image>\n\n",
                          .needed = {"<bos>", "<start_of_turn>", "<end_of_turn>",
                                     "<start_of_image>", "<end_of_image>"},
                          .reserved = {"<image_soft_token>", "<start_of_image>"},
                          .trim = true,
                          .first = "<bos>"},
};

/* ------------------------------------------------------------------------------------- layouts */

/* A layout is what a template writes for a conversation: marks stand for images, one byte for each
   text. */
static const char text_marks[] = PIAA_TEMPLATE_TEXT PIAA_TEMPLATE_TRIMMED;

static char *published_layout(const form *f, const piaa_chat_turn *turns, size_t count,
                              bool generate, piaa_error *error) {
    piaa_text out = {0};
    bool ok = piaa_text_format(&out, error, "%s", f->head);
    for (size_t i = 0; ok && i < count; i++) {
        ok = piaa_text_format(&out, error, "%s", turns[i].assistant ? f->assistant : f->user);
        for (size_t k = 0; ok && k < turns[i].count; k++)
            ok = piaa_text_format(&out, error, "%s",
                                  !turns[i].parts[k].text ? f->picture
                                  : f->trim               ? PIAA_TEMPLATE_TRIMMED
                                                          : PIAA_TEMPLATE_TEXT);
        ok = ok && piaa_text_format(&out, error, "%s", f->end);
    }
    if (ok && piaa_text_format(&out, error, "%s", generate ? f->assistant : "")) return out.data;
    free(out.data);
    return NULL;
}

/* -------------------------------------------------------------------------------------- frames */

static bool unlike(piaa_error *error, const char *what) {
    return piaa_error_set(error, PIAA_UNSUPPORTED, "it writes %s", what);
}

/* The place of the only `mark` in `text`; NULL if there is none, or another. */
static char *find_once(char *text, const char *mark) {
    char *found = strstr(text, mark);
    return found && !strstr(found + 1, mark) ? found : NULL;
}

/* Cuts the layout of a question into the parts of a frame; `turn` is taken apart. */
static bool cut(const form *f, char *turn, piaa_chat_frame *out, piaa_error *error) {
    char *image = find_once(turn, f->mark), *prompt = strpbrk(turn, text_marks);
    const char *whole = out->question[true];
    if (!image) return unlike(error, "not one image");
    if (!prompt || strpbrk(prompt + 1, text_marks)) return unlike(error, "the text not once");
    if (prompt < image) return unlike(error, "the text before the image");
    if (strncmp(turn, whole, strlen(turn)) != 0)
        return unlike(error, "another turn before an answer");
    out->trim = *prompt == *PIAA_TEMPLATE_TRIMMED;
    *image = *prompt = '\0';
    out->before = piaa_format(error, "%s%s", turn, f->mark_before);
    out->after = piaa_format(error, "%s%s", f->mark_after, image + strlen(f->mark));
    out->end = piaa_strdup(prompt + 1, error);
    return out->before && out->after && out->end;
}

/* What `source` writes, and before it what the tokenizer puts there. */
static char *own_layout(const form *f, const char *source, const piaa_template_words *words,
                        piaa_error *error) {
    char *text = piaa_template_render(source, words, error);
    if (!text || strncmp(text, f->first, strlen(f->first)) == 0) return text;
    char *whole = piaa_format(error, "%s%s", f->first, text);
    free(text);
    return whole;
}

static bool fill_frame(piaa_chat_frame *frame, const form *f, const char *source,
                       const piaa_template_words *words, piaa_error *error) {
    const char *bos = !words->bos && *f->first ? f->first : words->bos;
    frame->source = piaa_strdup(source, error);
    if (bos) frame->bos = piaa_strdup(bos, error);
    if (words->eos) frame->eos = piaa_strdup(words->eos, error);
    if (piaa_error_pending(error)) return false;
    for (int generate = 0; generate < 2; generate++) {
        const piaa_template_words asked = {
            .bos = frame->bos, .eos = frame->eos, .generate = generate};
        frame->question[generate] = own_layout(f, source, &asked, error);
        if (!frame->question[generate]) return false;
    }
    char *turn = piaa_strdup(frame->question[false], error);
    const bool ok = turn && cut(f, turn, frame, error);
    free(turn);
    return ok;
}

piaa_chat_frame *piaa_chat_frame_new(piaa_chat_form form_number, const char *source,
                                     const piaa_template_words *words, piaa_error *error) {
    piaa_chat_frame *frame = piaa_alloc(1, sizeof *frame, error);
    if (!frame || fill_frame(frame, &forms[form_number], source, words, error)) return frame;
    piaa_chat_frame_free(frame);
    return NULL;
}

void piaa_chat_frame_free(piaa_chat_frame *frame) {
    if (!frame) return;
    free(frame->source);
    free(frame->bos);
    free(frame->eos);
    free(frame->question[false]);
    free(frame->question[true]);
    free(frame->before);
    free(frame->after);
    free(frame->end);
    free(frame);
}

static const piaa_chat_part question[] = {{NULL, 1}, {"", 0}};
static const piaa_chat_turn asked = {.parts = question, .count = PIAA_COUNT(question)};

bool piaa_chat_frame_is_published(const piaa_chat_frame *frame, piaa_chat_form form_number,
                                  bool generate) {
    char *layout = published_layout(&forms[form_number], &asked, 1, generate, NULL);
    const bool same = layout && strcmp(layout, frame->question[generate]) == 0;
    free(layout);
    return same;
}

/* The same of any conversation; the source has been understood once, for a question. */
static char *frame_layout(const form *f, const piaa_chat_frame *frame, const piaa_chat_turn *turns,
                          size_t count, bool generate, piaa_error *error) {
    enum { MOST_TURNS = 256 };
    piaa_template_turn shape[MOST_TURNS];
    char *parts[MOST_TURNS] = {NULL}, *layout = NULL;
    if (count > MOST_TURNS) {
        piaa_error_set(error, PIAA_USAGE, "a conversation of %zu turns is too long", count);
        return NULL;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        parts[i] = piaa_alloc(turns[i].count + 1, 1, error);
        ok = parts[i] != NULL;
        for (size_t k = 0; ok && k < turns[i].count; k++)
            parts[i][k] = turns[i].parts[k].text ? 't' : 'i';
        shape[i] = (piaa_template_turn){turns[i].assistant ? "assistant" : "user", parts[i]};
    }
    piaa_error why = {0};
    const piaa_template_words words = {.bos = frame->bos,
                                       .eos = frame->eos,
                                       .generate = generate,
                                       .turns = shape,
                                       .turn_count = count};
    if (ok) layout = own_layout(f, frame->source, &words, &why);
    if (ok && !layout)
        piaa_error_set(error, why.code,
                       "the model's own chat template cannot write this conversation (%s): ask for "
                       "the published form",
                       why.message);
    for (size_t i = 0; i < count; i++) free(parts[i]);
    return layout;
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

/* The texts and images of a conversation, in order. */
typedef struct reading {
    const piaa_chat_turn *turns;
    size_t count, turn, part;
} reading;

static const piaa_chat_part *next_part(reading *r, bool text) {
    for (; r->turn < r->count; r->turn++, r->part = 0)
        while (r->part < r->turns[r->turn].count) {
            const piaa_chat_part *part = &r->turns[r->turn].parts[r->part++];
            if ((part->text != NULL) == text) return part;
        }
    return NULL;
}

static bool flush(const piaa_tokenizer *tokenizer, piaa_text *text, piaa_ids *ids,
                  piaa_error *error) {
    const bool ok =
        !text->length || piaa_tokenizer_encode(tokenizer, text->data, text->length, ids, error);
    text->length = 0;
    return ok;
}

static bool add_image(int32_t id, size_t count, piaa_chat_tokens *out, piaa_error *error) {
    piaa_ids *ids = &out->ids;
    if (!count)
        return piaa_error_set(error, PIAA_USAGE, "no image tokens: a prompt needs its image");
    if (count > INT32_MAX ||
        !piaa_grow(&ids->items, &ids->capacity, ids->count + count, sizeof *ids->items, error))
        return piaa_error_set(error, PIAA_MEMORY, "%zu image tokens are too many", count);
    if (!piaa_grow(&out->images, &out->image_capacity, out->image_count + 1, sizeof *out->images,
                   error))
        return false;
    out->images[out->image_count++] = (piaa_chat_span){ids->count, count};
    for (size_t i = 0; i < count; i++) ids->items[ids->count++] = id;
    return true;
}

static bool add_text(const form *f, const char *given, bool trim, piaa_text *text,
                     piaa_error *error) {
    size_t size = strlen(given);
    for (size_t i = 0; i < PIAA_COUNT(f->reserved) && f->reserved[i]; i++)
        if (strstr(given, f->reserved[i]))
            return piaa_error_set(
                error, PIAA_USAGE,
                "the prompt holds %s, which stands for the rows of an image: leave it out",
                f->reserved[i]);
    if (trim) given = piaa_utf8_trim(given, &size);
    return piaa_text_add(text, given, size, error);
}

/* The layout with texts and images in their places.  What stands on the two sides of an image is
 * encoded apart, which changes nothing: the added tokens at the seams keep their neighbours from
 * each other. */
static bool fill_layout(const piaa_tokenizer *tokenizer, const form *f, const char *layout,
                        const piaa_chat_turn *turns, size_t count, piaa_text *text,
                        piaa_chat_tokens *out, piaa_error *error) {
    reading texts = {turns, count, 0, 0}, images = texts;
    const size_t mark = strlen(f->mark);
    int32_t id;
    if (!token_id(tokenizer, f, f->token, &id, error)) return false;
    while (*layout) {
        const piaa_chat_part *part;
        if (strncmp(layout, f->mark, mark) == 0 && (part = next_part(&images, false))) {
            if (!piaa_text_format(text, error, "%s", f->mark_before) ||
                !flush(tokenizer, text, &out->ids, error) ||
                !add_image(id, part->image_tokens, out, error) ||
                !piaa_text_format(text, error, "%s", f->mark_after))
                return false;
            layout += mark;
        } else if (strchr(text_marks, *layout) && (part = next_part(&texts, true))) {
            if (!add_text(f, part->text, *layout == *PIAA_TEMPLATE_TRIMMED, text, error))
                return false;
            layout++;
        } else if (!piaa_text_add(text, layout++, 1, error)) {
            return false;
        }
    }
    if (next_part(&images, false) || next_part(&texts, true))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "the model's own chat template leaves a part of this conversation "
                              "out: ask for the published form");
    return flush(tokenizer, text, &out->ids, error);
}

bool piaa_chat_encode(const piaa_tokenizer *tokenizer, piaa_chat_form form_number,
                      const piaa_chat_frame *frame, const piaa_chat_turn *turns, size_t count,
                      bool generate, piaa_chat_tokens *out, piaa_error *error) {
    const form *f = &forms[form_number];
    *out = (piaa_chat_tokens){0};
    if (!tokenizer) return piaa_error_missing(error, "tokenizer");
    int32_t unused;
    for (size_t i = 0; i < PIAA_COUNT(f->needed) && f->needed[i]; i++)
        if (!token_id(tokenizer, f, f->needed[i], &unused, error)) return false;
    const bool one = count == 1 && !turns->assistant && turns->count == 2 &&
                     !turns->parts[0].text && turns->parts[1].text;
    char *layout = !frame ? published_layout(f, turns, count, generate, error)
                   : one  ? piaa_strdup(frame->question[generate], error)
                          : frame_layout(f, frame, turns, count, generate, error);
    piaa_text text = {0};
    const bool ok = layout && fill_layout(tokenizer, f, layout, turns, count, &text, out, error);
    free(layout);
    free(text.data);
    if (!ok) piaa_chat_tokens_free(out);
    return ok;
}

bool piaa_chat_ask(const piaa_tokenizer *tokenizer, piaa_chat_form form_number,
                   const piaa_chat_frame *frame, const char *prompt, size_t image_tokens,
                   bool generate, piaa_chat_tokens *out, piaa_error *error) {
    *out = (piaa_chat_tokens){0};
    if (!prompt) return piaa_error_set(error, PIAA_USAGE, "no prompt");
    const piaa_chat_part parts[] = {{NULL, image_tokens}, {prompt, 0}};
    const piaa_chat_turn turn = {.parts = parts, .count = PIAA_COUNT(parts)};
    return piaa_chat_encode(tokenizer, form_number, frame, &turn, 1, generate, out, error);
}

void piaa_chat_tokens_free(piaa_chat_tokens *tokens) {
    piaa_ids_free(&tokens->ids);
    free(tokens->images);
    *tokens = (piaa_chat_tokens){0};
}
