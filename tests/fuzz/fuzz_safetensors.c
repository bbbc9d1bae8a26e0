/* Any bytes as a safetensors file: what is accepted must lie inside them, every byte of it
   readable. */
#include "weights/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { MOST = 1 << 20 };
    piaa_error error = {0};
    piaa_safetensors *file = piaa_safetensors_parse(data, size, "fuzz", &error);
    if (!file) {
        if (error.code == PIAA_OK || !error.message[0]) abort();
        return 0;
    }
    for (size_t i = 0; i < piaa_safetensors_count(file); i++) {
        const piaa_tensor *tensor = piaa_safetensors_at(file, i);
        if (piaa_safetensors_find(file, tensor->name) != tensor) abort();
        const uint8_t *begin = tensor->data;
        if (begin < data || tensor->bytes > size - (size_t)(begin - data)) abort();
        int64_t count = piaa_tensor_count(tensor);
        if (count < 0) abort();
        if (tensor->type == PIAA_OTHER_TYPE || count > MOST) continue;
        float *values = malloc((size_t)count * sizeof *values + 1);
        if (values) piaa_tensor_to_float(tensor, values);
        free(values);
    }
    piaa_safetensors_close(file);
    return 0;
}
