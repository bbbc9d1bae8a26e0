/* Qwen's tokenizer where no tokenizer.json says how it works. */
#ifndef PIAA_TEXT_QWEN_FILES_H
#define PIAA_TEXT_QWEN_FILES_H

#include "base/error.h"
#include "base/json.h"

/* What its tokenizer.json says of normalising, of cutting text into words and of bytes, with a
   model that has no tokens yet; freed with cJSON_Delete. */
cJSON *piaa_qwen_tokenizer_frame(piaa_error *error) PIAA_MUST_USE;

/* The older files: vocab.json and merges.txt, and the added tokens of tokenizer_config.json or
 * added_tokens.json, as the object that tokenizer.json would hold. */
bool piaa_qwen_files_are_in(const char *folder);
cJSON *piaa_qwen_files_read(const char *folder, piaa_error *error) PIAA_MUST_USE;

#endif
