/*
 * XMP inside photos: JPEG, TIFF and DNG.
 *
 *     piaa_patch patch = {0};
 *     piaa_embed_change(photo, size, &change, &patch, &error);    // nothing is written
 *     piaa_patch_apply(&patch, photo, size, &changed, &error);
 *
 * Pixels stay where and as they are, and so does everything else that is no rating.
 */
#ifndef PIAA_IMAGE_EMBED_H
#define PIAA_IMAGE_EMBED_H

#include "base/patch.h"
#include "image/xmp_edit.h"

/* The photo's packet; of size 0 where it has none.  Fails where none may be written into it:
 * PIAA_UNSUPPORTED for other formats and cameras' raw files other than DNG, PIAA_FORMAT for files
 * whose structure is damaged, which have two packets, or a JPEG's second half of one ("extended
 * XMP") that the first does not speak of or that holds ratings too. */
typedef struct piaa_embedded {
    size_t at, size;
} piaa_embedded;
bool piaa_embed_find(const unsigned char *photo, size_t size, piaa_embedded *out,
                     piaa_error *error) PIAA_MUST_USE;

/*
 * Into `patch`, from {0}, what makes the photo's packet say this (xmp_edit.h).  Where the packet
 * with its padding can keep its size, nothing but that changes.  Otherwise:
 *
 *   JPEG   The segment grows, or comes behind the JFIF and EXIF segments; what CIPA's Multi-Picture
 *          Format (DC-007) says of places and sizes of pictures is corrected.
 *   TIFF   The packet is put behind the end of the file, and tag 700 of the first directory leads
 *          there; where that has none, a copy of the directory with it follows, and the header
 *          leads there.  What was there before stays where it was.
 *
 * Errors: as above; those of piaa_xmp_edit; no room (PIAA_UNSUPPORTED).
 */
bool piaa_embed_change(const unsigned char *photo, size_t size, const piaa_xmp_change *change,
                       piaa_patch *patch, piaa_error *error) PIAA_MUST_USE;

#endif
