/* The safetensors format: an 8-byte length, a JSON header, and the data; every promise of the
 * header is checked before it is believed. A tensor's data need not be aligned for its type (old
 * writers do not pad the header): copy, do not cast. */
#ifndef PIAA_WEIGHTS_SAFETENSORS_H
#define PIAA_WEIGHTS_SAFETENSORS_H

#include "weights/checkpoint.h"

typedef struct piaa_safetensors piaa_safetensors;

/* Mapped. */
piaa_safetensors *piaa_safetensors_open(const char *path, piaa_error *error) PIAA_MUST_USE;
/* Over bytes that the caller keeps alive (fuzzing, tests). */
piaa_safetensors *piaa_safetensors_parse(const void *bytes, size_t size, const char *where,
                                         piaa_error *error) PIAA_MUST_USE;
void piaa_safetensors_close(piaa_safetensors *file);

const char *piaa_safetensors_where(const piaa_safetensors *file); /* the path, for messages */
/* The tensor's pages may leave memory (they come back from the file if they are read again). */
void piaa_safetensors_forget(const piaa_safetensors *file, const piaa_tensor *tensor);

size_t piaa_safetensors_count(const piaa_safetensors *file);
/* In the order of the data. */
const piaa_tensor *piaa_safetensors_at(const piaa_safetensors *file, size_t index);
/* Exact name; NULL if absent. */
const piaa_tensor *piaa_safetensors_find(const piaa_safetensors *file, const char *name);

#endif
