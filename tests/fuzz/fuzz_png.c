/* Any bytes as a PNG file: its metadata are found, and read, or not, inside the bytes. */
#include "image/png.h"
#include "image/tiff.h"
#include "image/xmp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_text exif = {0}, xmp = {0};
    piaa_tiff tiff;
    piaa_xmp said;
    if (!piaa_png_find(data, size, PIAA_PNG_EXIF, &exif, NULL)) abort();
    if (!piaa_png_find(data, size, PIAA_PNG_XMP, &xmp, NULL)) abort();
    if (exif.length) (void)piaa_tiff_look((const unsigned char *)exif.data, exif.length, &tiff);
    if (xmp.length && !piaa_xmp_read(xmp.data, xmp.length, &said, NULL)) said.orientation = 0;
    free(exif.data);
    free(xmp.data);
    return 0;
}
