/* Any bytes as an XMP packet: what is read is a rating and an orientation of the standard, or
   nothing. */
#include "image/xmp.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    piaa_xmp xmp;
    bool read = piaa_xmp_read(data, size, &xmp, &error);
    if (read == (error.code != PIAA_OK)) abort();
    if (!isnan(xmp.rating) && xmp.rating != -1 && !(xmp.rating >= 0 && xmp.rating <= 5)) abort();
    if (xmp.orientation < 0 || xmp.orientation > 8) abort();
    return 0;
}
