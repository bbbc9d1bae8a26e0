/* Any bytes as a TIFF file: looking through its directories ends, inside the bytes. */
#include "image/tiff.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_tiff tiff;
    (void)piaa_tiff_is_cut(data, size);
    if (!piaa_tiff_look(data, size, &tiff)) return 0;
    if (tiff.page < 0 || tiff.subifd < -1 || tiff.width < 0 || tiff.height < 0) abort();
    if (tiff.orientation < 0 || tiff.orientation > 8) abort();
    return 0;
}
