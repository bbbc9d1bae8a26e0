/* Any bytes as a photo to write XMP into: what is refused has no change, and what is changed is
   found again as it should be, and leads back. */
#include "image/embed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size, const piaa_patch *patch, int stars) {
    piaa_text changed = {0}, again = {0};
    piaa_patch back = {0};
    piaa_embedded packet;
    piaa_xmp xmp;
    piaa_error error = {0};
    if (!piaa_patch_apply(patch, data, size, &changed, &error) ||
        !piaa_patch_reverse(patch, data, &back, &error) ||
        !piaa_patch_apply(&back, changed.data, changed.length, &again, &error) ||
        again.length != size || memcmp(again.data, data, size) != 0 ||
        !piaa_embed_find((const unsigned char *)changed.data, changed.length, &packet, &error) ||
        !piaa_xmp_read(changed.data + packet.at, packet.size, &xmp, &error) || xmp.rating != stars)
        abort();
    piaa_patch_free(&back);
    free(changed.data);
    free(again.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const int stars = (int)(size % 7) - 1;
    const piaa_xmp_change change = {.rating = stars, .score = NAN};
    piaa_patch patch = {0};
    piaa_error error = {0};
    if (piaa_embed_change(data, size, &change, &patch, &error))
        check(data, size, &patch, stars);
    else if (error.code == PIAA_OK)
        abort();
    piaa_patch_free(&patch);
    return 0;
}
