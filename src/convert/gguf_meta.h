/* The metadata of the pair that is being written: keys and values in the order and under the names
   that llama.cpp reads. */
#ifndef PIAA_CONVERT_GGUF_META_H
#define PIAA_CONVERT_GGUF_META_H

#include "base/memory.h"
#include "weights/checkpoint_parts.h"
#include "weights/gguf_names.h"

/* Appends keys and values; start from {.error = …}.  After a failure nothing more is added and
   `failed` stays set. */
typedef struct piaa_gguf_meta {
    piaa_text text;
    uint64_t keys;
    bool failed;
    piaa_error *error;
} piaa_gguf_meta;

/* Little-endian, no key. */
void piaa_gguf_put_bytes(piaa_gguf_meta *meta, uint64_t value, size_t bytes);
/* Length and bytes, no key. */
void piaa_gguf_put_text(piaa_gguf_meta *meta, const char *text, size_t size);
void piaa_gguf_put_string(piaa_gguf_meta *meta, const char *prefix, const char *key,
                          const char *value);
void piaa_gguf_put_u32(piaa_gguf_meta *meta, const char *prefix, const char *key, int64_t value);
void piaa_gguf_put_f32(piaa_gguf_meta *meta, const char *prefix, const char *key, double value);
void piaa_gguf_put_bool(piaa_gguf_meta *meta, const char *prefix, const char *key, bool value);
/* Elements follow. */
void piaa_gguf_put_array(piaa_gguf_meta *meta, const char *prefix, const char *key, uint32_t type,
                         uint64_t count);

/* The value of general.quantized_by, which tells the pairs that piaa wrote. */
#define PIAA_GGUF_MARK "piaa model convert"

/* All keys of the text model (its tokenizer's too) and of the vision part. `file_type`: llama.cpp's
   number for the mixture of types. */
bool piaa_gguf_put_text_model(piaa_gguf_meta *meta, const piaa_checkpoint *checkpoint,
                              const piaa_gguf_family *family, int file_type);
bool piaa_gguf_put_vision_part(piaa_gguf_meta *meta, const piaa_checkpoint *checkpoint,
                               const piaa_gguf_family *family, int file_type);

/* tokenizer.ggml.*, for `count` rows of embeddings. */
bool piaa_gguf_put_tokenizer(piaa_gguf_meta *meta, const piaa_checkpoint *checkpoint,
                             int64_t count);

#endif
