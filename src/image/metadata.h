/* What a photo says about itself, in EXIF and XMP. */
#ifndef PIAA_IMAGE_METADATA_H
#define PIAA_IMAGE_METADATA_H

#include "image/libvips.h"
#include "image/xmp.h"

/* What the XMP packet inside the photo says; nothing where there is none.  PIAA_FORMAT: the packet
 * is damaged. */
bool piaa_photo_xmp(const piaa_photo_file *file, piaa_xmp *out, piaa_error *error) PIAA_MUST_USE;

/* How the photo has to be turned to be upright, as EXIF counts it, 1 to 8: the file's own word (of
 * one made from a raw photo), TIFF's tag, EXIF, or XMP where those say nothing.  HEIF and JPEG XL
 * turn their pixels by themselves, and what their EXIF says was true before that.  `image`: the
 * file, opened. */
int piaa_photo_orientation(const piaa_photo_file *file, VipsImage *image);

#endif
