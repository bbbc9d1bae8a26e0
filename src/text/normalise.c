/* The steps of a normaliser: NFC, and the replacement of one string by another. */
#include "text/normalise.h"

#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 8 };

typedef struct step {
    char *pattern, *content; /* NULL: NFC */
} step;

struct piaa_normaliser {
    step steps[MAX_STEPS];
    size_t count;
};

static bool add_steps(piaa_normaliser *normaliser, const cJSON *json, int depth,
                      piaa_error *error) {
    const char *type = piaa_json_string(json, "type");
    if (!type)
        return piaa_error_set(error, PIAA_FORMAT,
                              "the normalizer has no \"type\": fetch the file again");
    if (!strcmp(type, "Sequence")) {
        const cJSON *list = piaa_json_find(json, "normalizers");
        if (!cJSON_IsArray(list) || depth)
            return piaa_error_set(error, PIAA_FORMAT,
                                  "the normalizer's Sequence is not a plain list");
        for (const cJSON *item = list->child; item; item = item->next)
            if (!add_steps(normaliser, item, depth + 1, error)) return false;
        return true;
    }
    if (normaliser->count == MAX_STEPS)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "the normalizer has more than %d steps",
                              MAX_STEPS);
    step *s = &normaliser->steps[normaliser->count++];
    if (!strcmp(type, "NFC")) return true;
    if (strcmp(type, "Replace"))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "the normalizer \"%s\" is not supported; NFC and Replace are", type);
    const char *pattern = piaa_json_string(json, "pattern.String"),
               *content = piaa_json_string(json, "content");
    if (!pattern || !*pattern || !content)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "the normalizer Replace is supported with a \"String\" pattern and a \"content\" only");
    s->pattern = piaa_strdup(pattern, error);
    s->content = piaa_strdup(content, error);
    return s->pattern && s->content;
}

piaa_normaliser *piaa_normaliser_new(const cJSON *json, piaa_error *error) {
    piaa_normaliser *normaliser = piaa_alloc(1, sizeof *normaliser, error);
    if (normaliser && json && !add_steps(normaliser, json, 0, error)) {
        piaa_normaliser_free(normaliser);
        return NULL;
    }
    return normaliser;
}

void piaa_normaliser_free(piaa_normaliser *normaliser) {
    if (!normaliser) return;
    for (size_t i = 0; i < normaliser->count; i++) {
        free(normaliser->steps[i].pattern);
        free(normaliser->steps[i].content);
    }
    free(normaliser);
}

/* The first place of the pattern; NULL if there is none. */
static const char *find(const char *text, size_t size, const char *pattern, size_t length) {
    for (const char *end = text + size;
         size >= length && (text = memchr(text, pattern[0], size - length + 1)); text++) {
        if (!memcmp(text, pattern, length)) return text;
        size = (size_t)(end - text) - 1;
    }
    return NULL;
}

static bool replace(const step *s, const char *text, size_t size, piaa_text *out,
                    piaa_error *error) {
    size_t length = strlen(s->pattern), content = strlen(s->content);
    for (const char *hit; (hit = find(text, size, s->pattern, length));) {
        if (!piaa_text_add(out, text, (size_t)(hit - text), error) ||
            !piaa_text_add(out, s->content, content, error))
            return false;
        size -= (size_t)(hit - text) + length;
        text = hit + length;
    }
    return piaa_text_add(out, text, size, error);
}

bool piaa_normalise(const piaa_normaliser *normaliser, const char **text, size_t *size,
                    piaa_normalised *memory, piaa_error *error) {
    for (size_t i = 0; i < normaliser->count; i++) {
        const step *s = &normaliser->steps[i];
        if (s->pattern ? !find(*text, *size, s->pattern, strlen(s->pattern))
                       : piaa_nfc_is_sure(*text, *size))
            continue;
        piaa_text *out = &memory->buffers[*text == memory->buffers[0].data];
        out->length = 0;
        if (s->pattern ? !replace(s, *text, *size, out, error)
                       : !piaa_nfc_add(*text, *size, out, error))
            return false;
        *text = out->data;
        *size = out->length;
    }
    return true;
}
