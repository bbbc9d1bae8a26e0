/* Byte-pair tokenizers from a Hugging Face tokenizer.json (byte-level as Qwen's, byte fallback as
   Gemma's). */
#ifndef PIAA_TEXT_TOKENIZER_H
#define PIAA_TEXT_TOKENIZER_H

#include "base/error.h"
#include "base/json.h"

typedef struct piaa_tokenizer piaa_tokenizer;

/* `path`: a tokenizer.json, or a folder that holds one (or Qwen's vocab.json and merges.txt).  What
 * the file asks for and we do not do (another model, normaliser or pre-tokenizer) is an error that
 * names it, never ignored. */
piaa_tokenizer *piaa_tokenizer_open(const char *path, piaa_error *error) PIAA_MUST_USE;
/* From the text of a tokenizer.json (fuzzing, tests). */
piaa_tokenizer *piaa_tokenizer_parse(const char *json, size_t size, const char *where,
                                     piaa_error *error) PIAA_MUST_USE;
/* From that text already parsed, or from an object made to be like it (its strings well-formed
   UTF-8). */
piaa_tokenizer *piaa_tokenizer_from_json(const cJSON *root, const char *where,
                                         piaa_error *error) PIAA_MUST_USE;
void piaa_tokenizer_close(piaa_tokenizer *tokenizer);

typedef struct piaa_ids {
    int32_t *items;
    size_t count, capacity;
} piaa_ids;

/* Appends the ids of `size` bytes of text; added/special tokens inside the text are recognised,
 * none is put around it (add_special_tokens=False).  Invalid UTF-8 is read as U+FFFD, as Python's
 * errors="replace" would.  On failure nothing is appended. */
bool piaa_tokenizer_encode(const piaa_tokenizer *tokenizer, const char *text, size_t size,
                           piaa_ids *out, piaa_error *error) PIAA_MUST_USE;
bool piaa_ids_add(piaa_ids *ids, int32_t id, piaa_error *error) PIAA_MUST_USE;
void piaa_ids_free(piaa_ids *ids);

/* Text of the ids, as decode(skip_special_tokens=False): ids without a token are left out, bytes
 * that are no UTF-8 become U+FFFD. NUL-terminated, *size bytes, the caller's. */
char *piaa_tokenizer_decode(const piaa_tokenizer *tokenizer, const int32_t *ids, size_t count,
                            size_t *size, piaa_error *error) PIAA_MUST_USE;

/* The same of an answer, as decode(skip_special_tokens=True).  *settled (may be NULL): how many of
   the bytes stay as they are whatever ids follow. */
char *piaa_tokenizer_text(const piaa_tokenizer *tokenizer, const int32_t *ids, size_t count,
                          size_t *size, size_t *settled, piaa_error *error) PIAA_MUST_USE;

/* Id of a token by its content, -1 if absent. */
int32_t piaa_tokenizer_find(const piaa_tokenizer *tokenizer, const char *token);
/* As written in the vocabulary; NULL if no such id. */
const char *piaa_tokenizer_piece(const piaa_tokenizer *tokenizer, int32_t id);
int32_t piaa_tokenizer_size(const piaa_tokenizer *tokenizer); /* highest id + 1 */

#endif
