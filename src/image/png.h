/* The metadata in a PNG file's chunks, wherever they are. */
#ifndef PIAA_IMAGE_PNG_H
#define PIAA_IMAGE_PNG_H

#include "base/memory.h"

typedef enum piaa_png_part { PIAA_PNG_EXIF, PIAA_PNG_XMP } piaa_png_part;

/* The first EXIF block or XMP packet of a PNG file, appended to `out` (start from {0}), which stays
 * empty where there is none.  libpng's readers see only what comes before the pixels, and neither
 * they nor libvips know the oldest form, a hexadecimal dump in a text.  EXIF: the chunk eXIf, the
 * texts "Raw profile type exif" and "Raw profile type APP1" (ImageMagick's).  XMP: the text
 * "XML:com.adobe.xmp", "Raw profile type xmp" and APP1.  False: out of memory. */
bool piaa_png_find(const unsigned char *bytes, size_t size, piaa_png_part part, piaa_text *out,
                   piaa_error *error) PIAA_MUST_USE;

#endif
