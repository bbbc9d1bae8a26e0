/* Any bytes as an XMP packet: what is read is a rating and an orientation of the standard, or
   nothing; and where a rating, a label and a score can be put into it, that is what is read then,
   of an orientation that has not changed. */
#include "image/xmp.h"
#include "image/xmp_edit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_rating(const uint8_t *data, size_t size, int stars, int orientation) {
    piaa_error error = {0};
    piaa_text out = {0};
    piaa_xmp xmp;
    const piaa_xmp_change change = {.rating = stars, .label = "Red & <blue>", .score = stars / 3.0};
    if (!piaa_xmp_edit(data, size, &change, &out, &error)) {
        if (error.code == PIAA_OK || out.length) abort();
    } else if (!piaa_xmp_read(out.data, out.length, &xmp, &error) || xmp.rating != stars ||
               xmp.score != piaa_xmp_score(change.score) || strcmp(xmp.label, change.label) != 0 ||
               xmp.orientation != orientation) {
        abort();
    }
    free(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    piaa_xmp xmp;
    bool read = piaa_xmp_read(data, size, &xmp, &error);
    if (read == (error.code != PIAA_OK)) abort();
    if (!isnan(xmp.rating) && xmp.rating != -1 && !(xmp.rating >= 0 && xmp.rating <= 5)) abort();
    if (xmp.orientation < 0 || xmp.orientation > 8) abort();
    set_rating(data, size, (int)(size % 7) - 1, xmp.orientation);
    return 0;
}
