/* One conversation made ready for training. */
#include "train/sample.h"

#include "base/memory.h"
#include "vlm/model.h"

#include <stdlib.h>

void piaa_sample_free(piaa_sample *sample) {
    if (!sample) return;
    piaa_model_input_free(sample->input);
    free(sample->labels);
    free(sample);
}

int piaa_sample_labels(const piaa_sample *sample) {
    int count = 0;
    for (int i = 0; i < sample->tokens; i++) count += sample->labels[i] >= 0;
    return count;
}

int32_t piaa_sample_last(const piaa_sample *sample, int row) {
    if (row >= sample->real) return sample->real - 1;
    return sample->rows->all.last ? sample->rows->all.last[row] : row;
}

/* A window that has left the conversation behind sees its end still. */
int32_t piaa_sample_first(const piaa_sample *sample, int kind, int row) {
    const int32_t *given = sample->rows->all.first[kind], first = given ? given[row] : 0,
                  last = piaa_sample_last(sample, row);
    return first < last ? first : last;
}

/* The conversation with its padding. */
static bool read_rows(piaa_sample *s, const piaa_model *model, const piaa_chat_tokens *chat,
                      const piaa_sight *const *sights, piaa_image_attention attention,
                      piaa_error *error) {
    piaa_chat_tokens whole = *chat;
    whole.ids = (piaa_ids){0};
    bool ok = true;
    for (int i = 0; ok && i < s->tokens; i++)
        ok = piaa_ids_add(&whole.ids, i < s->real ? chat->ids.items[i] : 0, error);
    if (ok) s->input = piaa_model_converse(model, &whole, sights, attention, 0, error);
    if (s->input) s->rows = piaa_model_input_text(s->input);
    piaa_ids_free(&whole.ids);
    return s->rows != NULL;
}

static bool read_labels(piaa_sample *s, const piaa_ids *ids, const bool *labelled,
                        piaa_error *error) {
    s->labels = piaa_alloc((size_t)s->tokens, sizeof *s->labels, error);
    for (int i = 0; s->labels && i < s->tokens; i++) {
        const int next = i + 1;
        s->labels[i] = next < s->tokens && next >= s->real  ? 0
                       : next < s->tokens && labelled[next] ? ids->items[next]
                                                            : -1;
    }
    return s->labels != NULL;
}

piaa_sample *piaa_sample_new(const piaa_model *model, const piaa_chat_tokens *chat,
                             const bool *labelled, const piaa_sight *const *sights,
                             piaa_image_attention attention, int padded, piaa_error *error) {
    piaa_sample *s = piaa_alloc(1, sizeof *s, error);
    if (!s) return NULL;
    s->real = (int)chat->ids.count;
    s->tokens = s->real + padded;
    if (read_rows(s, model, chat, sights, attention, error) &&
        read_labels(s, &chat->ids, labelled, error))
        return s;
    piaa_sample_free(s);
    return NULL;
}
