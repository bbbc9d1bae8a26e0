/* Any bytes as the start of a file: its kind, and what the headers of PNM and JPEG XL say, from the
   bytes that are there. */
#include "image/formats.h"
#include "image/jxl.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_kind kind = piaa_kind_of(data, size);
    int most = piaa_pnm_most(data, size);
    if (kind < PIAA_KIND_NONE || kind >= PIAA_KINDS || most < 0 || most > 65535) abort();
    return piaa_jxl_is_animated(data, size) && size < 4 ? -1 : 0;
}
