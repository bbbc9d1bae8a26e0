/* The safetensors format, written: float32 tensors as one text. */
#ifndef PIAA_WEIGHTS_SAFETENSORS_WRITE_H
#define PIAA_WEIGHTS_SAFETENSORS_WRITE_H

#include "base/memory.h"

typedef struct piaa_written {
    const char *name;
    int dimensions;
    const int64_t *shape;
    const float *data;
} piaa_written;

/* Appends the file to `out`, its tensors in the order given (the reference implementation sorts
   float32 tensors by name), as PyTorch's ("format": "pt"). */
bool piaa_safetensors_write(const piaa_written *tensors, size_t count, piaa_text *out,
                            piaa_error *error);

#endif
