/* Any bytes as a NumPy file: what is accepted fits into them. */
#include "base/npy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    piaa_npy_header header;
    if (!piaa_npy_parse(data, size, size, "fuzz", &header, &error)) {
        if (error.code == PIAA_OK || !error.message[0]) abort();
        return 0;
    }
    if (header.shape[0] < 0 || header.shape[1] < 0 || header.data_start > size) abort();
    uint64_t room = (size - header.data_start) / (uint64_t)header.width;
    if (header.shape[1] > 0 && (uint64_t)header.shape[0] > room / (uint64_t)header.shape[1])
        abort();
    return 0;
}
