/* What a decoder reads around one image: token ids and their embeddings, positions, whom each row
   sees, and the weights of the pools. */
#include "base/memory.h"
#include "vlm/decoder.h"

#include <stdlib.h>
#include <string.h>

enum { AXES = 4 }; /* of positions as ggml takes them: time, row, column, and a fourth, unused */

static void free_rows(piaa_decoder_rows *rows) {
    for (int kind = 0; kind < PIAA_DECODER_KINDS; kind++) {
        free(rows->first[kind]);
        free(rows->rotary[kind]);
        free(rows->mask[kind]);
    }
    free(rows->last);
    free(rows->positions);
}

void piaa_decoder_input_free(piaa_decoder_input *in) {
    piaa_chat_tokens_free(&in->chat);
    free(in->embeddings);
    free(in->pool);
    free(in->text_places);
    free(in->text_pool);
    free_rows(&in->all);
    free_rows(&in->kept);
}

/* One row of the mapped table for each token of the text; the rest of it is never touched. */
static bool read_embeddings(piaa_decoder_input *in, const piaa_decoder *decoder,
                            piaa_error *error) {
    const piaa_tensor *table = decoder->embeddings;
    const int64_t vocabulary = table->shape[0], hidden = table->shape[1];
    const size_t row_bytes = table->bytes / (size_t)vocabulary;
    in->embeddings =
        piaa_alloc_array((size_t)in->text * (size_t)hidden, sizeof *in->embeddings, error);
    for (int i = 0; in->embeddings && i < in->text; i++) {
        const int32_t id = in->chat.ids.items[in->text_places[i]];
        if (id < 0 || id >= vocabulary)
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "%s: the tokenizer gives token %d but the model has %lld: "
                                  "tokenizer.json belongs to another model",
                                  piaa_checkpoint_folder(decoder->checkpoint), id,
                                  (long long)vocabulary);
        piaa_tensor row = *table;
        float *out = in->embeddings + (size_t)i * (size_t)hidden;
        row.dimensions = 1;
        row.shape[0] = hidden;
        row.data = (const char *)table->data + row_bytes * (size_t)id;
        piaa_tensor_to_float(&row, out);
        for (int64_t d = 0; decoder->embedding_scale != 1 && d < hidden; d++)
            out[d] *= decoder->embedding_scale;
    }
    return in->embeddings != NULL;
}

static bool is_image(const piaa_decoder_input *in, int token) {
    return token >= in->start && token < in->start + in->image;
}

static bool make_pools(piaa_decoder_input *in, piaa_error *error) {
    in->pool = piaa_alloc((size_t)in->tokens * 3, sizeof *in->pool, error);
    in->text_places = piaa_alloc((size_t)in->text, sizeof *in->text_places, error);
    in->text_pool = piaa_alloc((size_t)in->text * 2, sizeof *in->text_pool, error);
    if (!in->pool || !in->text_places || !in->text_pool) return false;
    for (int t = 0, row = 0; t < in->tokens; t++) {
        const bool image = is_image(in, t);
        const float tail = t == in->tokens - 1 ? 1.0f : 0.0f;
        in->pool[t * 3 + 0] = image ? 0.0f : 1.0f / (float)in->text;
        in->pool[t * 3 + 1] = tail;
        in->pool[t * 3 + 2] = image ? 1.0f / (float)in->image : 0.0f;
        if (image) continue;
        in->text_places[row] = t;
        in->text_pool[row * 2 + 0] = 1.0f / (float)in->text;
        in->text_pool[row++ * 2 + 1] = tail;
    }
    return true;
}

/* Time, row and column of every token. */
static int32_t *make_positions(const piaa_decoder_input *in, const piaa_decoder *decoder, int rows,
                               int columns, piaa_error *error) {
    const int n = in->tokens;
    int32_t *positions = piaa_alloc((size_t)n * AXES, sizeof *positions, error);
    for (int t = 0; positions && t < n; t++) {
        const int place = t - in->start;
        int time = t, row = t, column = t;
        if (decoder->image_positions && is_image(in, t)) {
            time = in->start;
            row = in->start + place / columns;
            column = in->start + place % columns;
        } else if (decoder->image_positions && place >= 0) {
            time = row = column = t - in->image + (rows > columns ? rows : columns);
        }
        positions[t] = time;
        positions[n + t] = row;
        positions[2 * n + t] = column;
        positions[3 * n + t] = time;
    }
    return positions;
}

static int32_t place_of(const piaa_decoder_rows *rows, int i) {
    return rows->places ? rows->places[i] : i;
}

/* Runs of keys are kept where they differ from what NULL stands for. */
static bool make_runs(const piaa_decoder_input *in, const piaa_decoder *decoder, bool both_ways,
                      piaa_decoder_rows *rows, piaa_error *error) {
    const size_t count = (size_t)rows->count;
    const int image_end = in->start + in->image;
    if (rows->places || both_ways) {
        rows->last = piaa_alloc(count, sizeof *rows->last, error);
        if (!rows->last) return false;
        for (int i = 0; i < rows->count; i++) {
            const int32_t at = place_of(rows, i);
            rows->last[i] = in->past + (both_ways && is_image(in, at) ? image_end - 1 : at);
        }
    }
    for (int kind = 0; kind < PIAA_DECODER_KINDS; kind++) {
        const int window = decoder->kind[kind].window;
        if (!window) continue;
        rows->first[kind] = piaa_alloc(count, sizeof *rows->first[kind], error);
        if (!rows->first[kind]) return false;
        for (int i = 0; i < rows->count; i++) {
            const int32_t at = in->past + place_of(rows, i);
            rows->first[kind][i] = at >= window ? at - window + 1 : 0;
        }
    }
    return true;
}

static bool make_rows(const piaa_decoder_input *in, const piaa_decoder *decoder,
                      const int32_t *positions, bool both_ways, piaa_decoder_rows *rows,
                      piaa_error *error) {
    const size_t n = (size_t)in->tokens, count = (size_t)rows->count;
    if (!make_runs(in, decoder, both_ways, rows, error)) return false;
    rows->positions = piaa_alloc(count * AXES, sizeof *rows->positions, error);
    if (!rows->positions) return false;
    for (size_t axis = 0; axis < AXES; axis++)
        for (int i = 0; i < rows->count; i++)
            rows->positions[axis * count + (size_t)i] =
                positions[axis * n + (size_t)place_of(rows, i)];
    for (int kind = 0; kind < PIAA_DECODER_KINDS; kind++) {
        const piaa_rotary *rotary = &decoder->kind[kind].rotary;
        if (!rotary->dim) continue;
        rows->rotary[kind] =
            piaa_rotary_table(rotary, positions, in->tokens, rows->places, rows->count, error);
        if (!rows->rotary[kind]) return false;
    }
    return true;
}

bool piaa_decoder_input_make(piaa_decoder_input *in, const piaa_decoder *decoder,
                             const piaa_tokenizer *tokenizer, piaa_chat_form form, int rows,
                             int columns, const piaa_ask *ask, piaa_error *error) {
    const char *prompt = ask && ask->prompt ? ask->prompt : PIAA_BASE_PROMPT;
    const bool both_ways =
        decoder->image_attention && (!ask || ask->image_attention == PIAA_IMAGE_BOTH_WAYS);
    in->image = rows * columns;
    if (!piaa_chat_encode(tokenizer, form, ask ? ask->frame : NULL, prompt, (size_t)in->image,
                          ask && ask->generate, &in->chat, error))
        return false;
    in->tokens = (int)in->chat.ids.count;
    in->start = (int)in->chat.image_start;
    in->text = in->tokens - in->image;
    if (!make_pools(in, error) || !read_embeddings(in, decoder, error)) return false;
    in->all.count = in->tokens;
    in->kept.count = in->text;
    in->kept.places = in->text_places;
    const int side = rows > columns ? rows : columns;
    in->next = decoder->image_positions ? in->text + side : in->tokens;
    int32_t *positions = make_positions(in, decoder, rows, columns, error);
    const bool ok = positions && make_rows(in, decoder, positions, both_ways, &in->all, error) &&
                    make_rows(in, decoder, positions, both_ways, &in->kept, error);
    free(positions);
    return ok;
}

bool piaa_decoder_input_continue(piaa_decoder_input *in, const piaa_decoder *decoder,
                                 const int32_t *ids, size_t count, int past, int position,
                                 piaa_error *error) {
    for (size_t i = 0; i < count; i++)
        if (!piaa_ids_add(&in->chat.ids, ids[i], error)) return false;
    in->tokens = in->text = in->all.count = (int)count;
    in->past = past;
    in->next = position + in->tokens;
    if (!make_pools(in, error) || !read_embeddings(in, decoder, error)) return false;
    int32_t *positions = piaa_alloc(count * AXES, sizeof *positions, error);
    for (size_t i = 0; positions && i < count * AXES; i++)
        positions[i] = position + (int32_t)(i % count);
    const bool ok = positions && make_rows(in, decoder, positions, false, &in->all, error);
    free(positions);
    return ok;
}
