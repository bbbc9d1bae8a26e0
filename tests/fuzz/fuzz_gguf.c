/* Any bytes as a pair of GGUF files: two bytes say how long the first is.  What is accepted must
 * lie inside them, every byte of it readable; the model and the tokenizer that are made of it must
 * be right or refused with a message. */
#include "weights/checkpoint_parts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A block of its own, so that reading past its end is seen. */
static piaa_gguf *parse(const uint8_t *data, size_t size, uint8_t **block) {
    enum { MOST = 1 << 16 };
    piaa_error error = {0};
    *block = malloc(size + 1);
    if (!*block) return NULL;
    if (size) memcpy(*block, data, size);
    piaa_gguf *file = piaa_gguf_parse(*block, size, "fuzz", &error);
    if (!file && (error.code == PIAA_OK || !error.message[0])) abort();
    for (size_t i = 0; file && i < piaa_gguf_count(file); i++) {
        const piaa_tensor *tensor = piaa_gguf_at(file, i);
        if (piaa_gguf_find(file, tensor->name) != tensor) abort();
        const uint8_t *begin = tensor->data;
        if (begin < *block || tensor->bytes > size - (size_t)(begin - *block)) abort();
        int64_t count = piaa_tensor_count(tensor);
        if (count < 0) abort();
        if (tensor->type == PIAA_OTHER_TYPE || count > MOST) continue;
        float *values = malloc((size_t)count * sizeof *values + 1);
        if (values) piaa_tensor_to_float(tensor, values);
        free(values);
    }
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    size_t first = (size_t)data[0] | (size_t)data[1] << 8;
    if (first > size - 2) first = size - 2;
    uint8_t *blocks[2] = {NULL};
    piaa_checkpoint *c = calloc(1, sizeof *c);
    if (!c) abort();
    piaa_error error = {0};
    c->text = parse(data + 2, first, &blocks[0]);
    c->vision = parse(data + 2 + first, size - 2 - first, &blocks[1]);
    cJSON *root = c->text ? piaa_gguf_tokenizer(c->text, &error) : NULL;
    if (c->text && !root && error.code == PIAA_OK) abort();
    piaa_error_clear(&error);
    piaa_tokenizer *tokenizer = root ? piaa_tokenizer_from_json(root, "fuzz", &error) : NULL;
    if (root && !tokenizer && error.code == PIAA_OK) abort();
    piaa_ids ids = {0};
    if (tokenizer && !piaa_tokenizer_encode(tokenizer, "a <|im_start|>b", 15, &ids, &error))
        abort();
    piaa_ids_free(&ids);
    piaa_tokenizer_close(tokenizer);
    cJSON_Delete(root);
    piaa_error_clear(&error);
    if (c->text && c->vision && !piaa_gguf_model_read(c, &error) && error.code == PIAA_OK) abort();
    piaa_checkpoint_close(c);
    free(blocks[0]);
    free(blocks[1]);
    return 0;
}
