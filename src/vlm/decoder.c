/* What a decoder around one image reads, and where its hidden states are pooled. */
#include "vlm/decoder.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

void piaa_decoder_input_free(piaa_decoder_input *in) {
    piaa_chat_tokens_free(&in->chat);
    free(in->embeddings);
    free(in->pool);
    free(in->rows);
    free(in->row_pool);
}

/* One row of the mapped table for each token of the text; the rest of it is never touched. */
static bool read_embeddings(piaa_decoder_input *in, const piaa_checkpoint *checkpoint,
                            const piaa_embeddings *from, piaa_error *error) {
    const int64_t vocabulary = from->table->shape[0], hidden = from->table->shape[1];
    const size_t row_bytes = from->table->bytes / (size_t)vocabulary;
    in->embeddings =
        piaa_alloc_array((size_t)in->text * (size_t)hidden, sizeof *in->embeddings, error);
    for (int i = 0; in->embeddings && i < in->text; i++) {
        const int32_t id = in->chat.ids.items[in->rows[i]];
        if (id < 0 || id >= vocabulary)
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "%s: the tokenizer gives token %d but the model has %lld: "
                                  "tokenizer.json belongs to another model",
                                  piaa_checkpoint_folder(checkpoint), id, (long long)vocabulary);
        piaa_tensor row = *from->table;
        float *out = in->embeddings + (size_t)i * (size_t)hidden;
        row.dimensions = 1;
        row.shape[0] = hidden;
        row.data = (const char *)from->table->data + row_bytes * (size_t)id;
        piaa_tensor_to_float(&row, out);
        for (int64_t d = 0; from->scale != 1.0f && d < hidden; d++) out[d] *= from->scale;
    }
    return in->embeddings != NULL;
}

static bool make_pools(piaa_decoder_input *in, piaa_error *error) {
    in->pool = piaa_alloc((size_t)in->tokens * 3, sizeof *in->pool, error);
    in->rows = piaa_alloc((size_t)in->text, sizeof *in->rows, error);
    in->row_pool = piaa_alloc((size_t)in->text * 2, sizeof *in->row_pool, error);
    if (!in->pool || !in->rows || !in->row_pool) return false;
    for (int t = 0, row = 0; t < in->tokens; t++) {
        const bool image = t >= in->start && t < in->start + in->image;
        const float tail = t == in->tokens - 1 ? 1.0f : 0.0f;
        in->pool[t * 3 + 0] = image ? 0.0f : 1.0f / (float)in->text;
        in->pool[t * 3 + 1] = tail;
        in->pool[t * 3 + 2] = image ? 1.0f / (float)in->image : 0.0f;
        if (image) continue;
        in->rows[row] = t;
        in->row_pool[row * 2 + 0] = 1.0f / (float)in->text;
        in->row_pool[row++ * 2 + 1] = tail;
    }
    return true;
}

bool piaa_decoder_input_make(piaa_decoder_input *in, const piaa_checkpoint *checkpoint,
                             const piaa_embeddings *embeddings, const piaa_tokenizer *tokenizer,
                             piaa_chat_form form, int image_tokens, const piaa_ask *ask,
                             piaa_error *error) {
    const char *prompt = ask && ask->prompt ? ask->prompt : PIAA_BASE_PROMPT;
    if (!piaa_chat_encode(tokenizer, form, prompt, (size_t)image_tokens, ask && ask->generate,
                          &in->chat, error))
        return false;
    in->tokens = (int)in->chat.ids.count;
    in->start = (int)in->chat.image_start;
    in->image = image_tokens;
    in->text = in->tokens - in->image;
    return make_pools(in, error) && read_embeddings(in, checkpoint, embeddings, error);
}

ggml_fp16_t *piaa_decoder_mask(const int32_t *first, const int32_t *last, int rows, int keys,
                               piaa_error *error) {
    ggml_fp16_t *mask = piaa_alloc_array((size_t)rows * (size_t)keys, sizeof *mask, error),
                *at = mask;
    const ggml_fp16_t minus_infinity = ggml_fp32_to_fp16(-INFINITY), zero = ggml_fp32_to_fp16(0.0f);
    for (int i = 0; mask && i < rows; i++)
        for (int k = 0; k < keys; k++)
            *at++ =
                k >= (first ? first[i] : 0) && k <= (last ? last[i] : i) ? zero : minus_infinity;
    return mask;
}

struct ggml_tensor *piaa_decoder_embed(piaa_graph *graph, const piaa_decoder_input *in, int hidden,
                                       struct ggml_tensor *image) {
    struct ggml_context *g = graph->context;
    struct ggml_tensor *text =
        piaa_graph_input(graph, GGML_TYPE_F32, hidden, in->text, in->embeddings);
    if (!image) return text;
    struct ggml_tensor *before = ggml_view_2d(g, text, text->ne[0], in->start, text->nb[1], 0);
    struct ggml_tensor *after = ggml_view_2d(g, text, text->ne[0], in->text - in->start,
                                             text->nb[1], (size_t)in->start * text->nb[1]);
    return ggml_concat(g, ggml_concat(g, before, image, 1), after, 1);
}

void piaa_decoder_pool(piaa_graph *graph, const piaa_plan *plan, struct ggml_tensor *h,
                       struct ggml_tensor *weights, int layer) {
    static const piaa_pool pools[] = {PIAA_LT, PIAA_LT_TAIL, PIAA_LV};
    if (plan->pool_text[layer] || plan->pool_tail[layer] || plan->pool_image[layer])
        piaa_graph_pool(graph, h, weights, pools, (int)weights->ne[0], layer);
    if (plan->hidden) piaa_graph_keep(graph, h, false, layer);
}
