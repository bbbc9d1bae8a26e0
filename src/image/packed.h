/* Whether what is packed in a TIFF file can be unpacked whole. */
#ifndef PIAA_IMAGE_PACKED_H
#define PIAA_IMAGE_PACKED_H

#include "base/portability.h"
#include "image/tiff.h"

/* True where a piece's own format says that something of it is lost.  What cannot be known, for
 * want of memory or because the packing has no way to tell, is not. */
bool piaa_packed_is_damaged(const piaa_tiff_piece *piece) PIAA_MUST_USE;

#endif
