/* A tokenizer's pre-tokenizer: cuts normalised text into the words that are merged each by
   itself. */
#ifndef PIAA_TEXT_SPLIT_H
#define PIAA_TEXT_SPLIT_H

#include "base/json.h"
#include "base/memory.h"

typedef struct piaa_splitter piaa_splitter;

/* From the "pre_tokenizer" of a tokenizer.json (NULL: text is one word): Split (Isolated or
 * MergedWithPrevious, by a regular expression or a string), ByteLevel as the last step, and
 * Sequences of them.  Others are an error that names them. *byte_level: the words' bytes are then
 * to be written in the byte alphabet. */
piaa_splitter *piaa_splitter_new(const cJSON *json, bool *byte_level,
                                 piaa_error *error) PIAA_MUST_USE;
void piaa_splitter_free(piaa_splitter *splitter);

/* What matching needs beside the splitter; one for each text at work. */
typedef struct piaa_split_memory piaa_split_memory;
piaa_split_memory *piaa_split_memory_new(piaa_error *error) PIAA_MUST_USE;
void piaa_split_memory_free(piaa_split_memory *memory);

/* Gives the words of `text` (well-formed UTF-8) to `take`, in order; together they are the text. */
bool piaa_split(const piaa_splitter *splitter, piaa_split_memory *memory, const char *text,
                size_t size,
                bool (*take)(void *user, const char *word, size_t size, piaa_error *error),
                void *user, piaa_error *error) PIAA_MUST_USE;

#endif
