/* A tokenizer's normaliser: what is done to text, outside added tokens, before it is split. */
#ifndef PIAA_TEXT_NORMALISE_H
#define PIAA_TEXT_NORMALISE_H

#include "base/json.h"
#include "base/memory.h"

typedef struct piaa_normaliser piaa_normaliser;

/* From the "normalizer" of a tokenizer.json (NULL: text stays as it is): NFC, Replace of a string,
 * and Sequences of them.  Others are an error that names them. */
piaa_normaliser *piaa_normaliser_new(const cJSON *json, piaa_error *error) PIAA_MUST_USE;
void piaa_normaliser_free(piaa_normaliser *normaliser);

/* Working memory that is kept from text to text; start from {0}, free both. */
typedef struct piaa_normalised {
    piaa_text buffers[2];
} piaa_normalised;

/* Points *text, *size (well-formed UTF-8) at the normalised text: the same bytes where nothing
 * changes, else inside `memory`, until the next call. */
bool piaa_normalise(const piaa_normaliser *normaliser, const char **text, size_t *size,
                    piaa_normalised *memory, piaa_error *error) PIAA_MUST_USE;

#endif
