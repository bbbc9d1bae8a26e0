/* What a decoder reads of a conversation, or around one image: token ids and their embeddings,
   positions, whom each row sees, and the weights of the pools. */
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
    piaa_ids_free(&in->ids);
    free(in->images);
    free(in->embeddings);
    free(in->states);
    for (int i = 0; i < PIAA_DECODER_ADDED; i++) free(in->added[i]);
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
        const int32_t id = in->ids.items[in->text_places[i]];
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

/* The image that a token is of; NULL: none. */
static const piaa_decoder_image *image_at(const piaa_decoder_input *in, int token) {
    for (int i = 0; i < in->image_count; i++)
        if (token >= in->images[i].start && token < in->images[i].start + in->images[i].tokens)
            return &in->images[i];
    return NULL;
}

static bool make_pools(piaa_decoder_input *in, piaa_error *error) {
    in->pool = piaa_alloc((size_t)in->tokens * 3, sizeof *in->pool, error);
    in->text_places = piaa_alloc((size_t)in->text, sizeof *in->text_places, error);
    in->text_pool = piaa_alloc((size_t)in->text * 2, sizeof *in->text_pool, error);
    if (!in->pool || !in->text_places || !in->text_pool) return false;
    for (int t = 0, row = 0; t < in->tokens; t++) {
        const bool image = image_at(in, t) != NULL;
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

/* Time, row and column of every token, the first at `position`; in->next. */
static int32_t *make_positions(piaa_decoder_input *in, const piaa_decoder *decoder, int position,
                               piaa_error *error) {
    const int n = in->tokens;
    int32_t *positions = piaa_alloc((size_t)n * AXES, sizeof *positions, error);
    for (int t = 0; positions && t < n;) {
        const piaa_decoder_image *image = decoder->image_positions ? image_at(in, t) : NULL;
        const int count = image ? image->tokens : 1, columns = image ? image->columns : 1;
        for (int k = 0; k < count; k++, t++) {
            positions[t] = positions[3 * n + t] = position;
            positions[n + t] = position + k / columns;
            positions[2 * n + t] = position + k % columns;
        }
        position += !image ? 1 : image->rows > columns ? image->rows : columns;
    }
    in->next = position;
    return positions;
}

static int32_t place_of(const piaa_decoder_rows *rows, int i) {
    return rows->places ? rows->places[i] : i;
}

/* Runs of keys are kept where they differ from what NULL stands for. */
static bool make_runs(const piaa_decoder_input *in, const piaa_decoder *decoder, bool both_ways,
                      piaa_decoder_rows *rows, piaa_error *error) {
    const size_t count = (size_t)rows->count;
    if (rows->places || both_ways) {
        rows->last = piaa_alloc(count, sizeof *rows->last, error);
        if (!rows->last) return false;
        for (int i = 0; i < rows->count; i++) {
            const int32_t at = place_of(rows, i);
            const piaa_decoder_image *image = both_ways ? image_at(in, at) : NULL;
            rows->last[i] = in->past + (image ? image->start + image->tokens - 1 : at);
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

/* Counts, and all that follows from ids and images. */
static bool complete(piaa_decoder_input *in, const piaa_decoder *decoder, bool both_ways,
                     int position, piaa_error *error) {
    in->tokens = in->all.count = (int)in->ids.count;
    for (int i = 0; i < in->image_count; i++) in->image += in->images[i].tokens;
    in->text = in->tokens - in->image;
    if (!make_pools(in, error) || !read_embeddings(in, decoder, error)) return false;
    int32_t *positions = make_positions(in, decoder, position, error);
    bool ok = positions && make_rows(in, decoder, positions, both_ways, &in->all, error);
    if (ok && in->image) {
        in->kept.count = in->text;
        in->kept.places = in->text_places;
        ok = make_rows(in, decoder, positions, both_ways, &in->kept, error);
    }
    free(positions);
    return ok;
}

bool piaa_decoder_input_make(piaa_decoder_input *in, const piaa_decoder *decoder,
                             const piaa_tokenizer *tokenizer, piaa_chat_form form, int rows,
                             int columns, const piaa_ask *ask, piaa_error *error) {
    const char *prompt = ask && ask->prompt ? ask->prompt : PIAA_BASE_PROMPT;
    const bool both_ways =
        decoder->image_attention && (!ask || ask->image_attention == PIAA_IMAGE_BOTH_WAYS);
    const size_t image = (size_t)rows * (size_t)columns;
    piaa_chat_tokens chat;
    if (!piaa_chat_ask(tokenizer, form, ask ? ask->frame : NULL, prompt, image,
                       ask && ask->generate, &chat, error))
        return false;
    in->ids = chat.ids;
    chat.ids = (piaa_ids){0};
    in->images = piaa_alloc(1, sizeof *in->images, error);
    if (in->images)
        in->images[in->image_count++] =
            (piaa_decoder_image){(int)chat.images->start, (int)image, rows, columns};
    piaa_chat_tokens_free(&chat);
    return in->images && complete(in, decoder, both_ways, 0, error);
}

/* What of a conversation follows its first `past` tokens: ids, images, and through *position and
 *passed the position of its first token and the number of images before it. */
static bool take_rest(piaa_decoder_input *in, const piaa_decoder *decoder,
                      const piaa_chat_tokens *chat, const piaa_sight *const *sights, int past,
                      int *position, size_t *passed, piaa_error *error) {
    in->past = *position = past;
    in->images = piaa_alloc(chat->image_count + 1, sizeof *in->images, error);
    if (!in->images) return false;
    for (size_t i = 0; i < chat->image_count; i++) {
        const int start = (int)chat->images[i].start, tokens = (int)chat->images[i].count;
        const piaa_sight *sight = sights[i];
        if (start < past) ++*passed;
        if (!sight) continue;
        const int side = sight->rows > sight->columns ? sight->rows : sight->columns;
        if (sight->rows * sight->columns != tokens || (start < past && past < start + tokens))
            return piaa_error_set(error, PIAA_USAGE,
                                  "image %zu of a conversation: %d tokens do not fit %d x %d, or "
                                  "token %d",
                                  i + 1, tokens, sight->rows, sight->columns, past);
        if (start >= past)
            in->images[in->image_count++] =
                (piaa_decoder_image){start - past, tokens, sight->rows, sight->columns};
        else if (decoder->image_positions)
            *position += side - tokens;
    }
    for (size_t i = (size_t)past; i < chat->ids.count; i++)
        if (!piaa_ids_add(&in->ids, chat->ids.items[i], error)) return false;
    return in->ids.count > 0 || piaa_error_set(error, PIAA_USAGE, "no text to go on with");
}

/* Hidden state 0 from the text's embeddings and the images' features, and what is added later. */
static bool write_sights(piaa_decoder_input *in, const piaa_decoder *decoder,
                         const piaa_sight *const *sights, size_t count, piaa_error *error) {
    const size_t hidden = (size_t)decoder->hidden, all = (size_t)in->tokens * hidden;
    in->states = piaa_alloc_array(all, sizeof *in->states, error);
    if (!in->states) return false;
    for (int i = 0; i < in->text; i++)
        memcpy(in->states + (size_t)in->text_places[i] * hidden,
               in->embeddings + (size_t)i * hidden, hidden * sizeof *in->states);
    free(in->embeddings);
    in->embeddings = NULL;
    const piaa_decoder_image *image = in->images;
    for (size_t i = 0; i < count; i++) {
        const piaa_sight *sight = sights[i];
        if (!sight) continue;
        const size_t values = (size_t)image->tokens * hidden;
        const size_t start = (size_t)image++->start * hidden;
        memcpy(in->states + start, sight->features, values * sizeof(float));
        for (int k = 0; k < sight->added; k++) {
            if (!in->added[k] && !(in->added[k] = piaa_alloc(all, sizeof(float), error)))
                return false;
            memcpy(in->added[k] + start, sight->features + (size_t)(k + 1) * values,
                   values * sizeof(float));
        }
    }
    return true;
}

bool piaa_decoder_input_converse(piaa_decoder_input *in, const piaa_decoder *decoder,
                                 const piaa_chat_tokens *chat, const piaa_sight *const *sights,
                                 bool both_ways, int past, piaa_error *error) {
    int position;
    size_t passed = 0;
    return take_rest(in, decoder, chat, sights, past, &position, &passed, error) &&
           complete(in, decoder, both_ways && decoder->image_attention, position, error) &&
           write_sights(in, decoder, sights + passed, chat->image_count - passed, error);
}

bool piaa_decoder_input_continue(piaa_decoder_input *in, const piaa_decoder *decoder,
                                 const int32_t *ids, size_t count, int past, int position,
                                 piaa_error *error) {
    for (size_t i = 0; i < count; i++)
        if (!piaa_ids_add(&in->ids, ids[i], error)) return false;
    in->past = past;
    return complete(in, decoder, false, position, error);
}
