/* What is read of a camera's raw file: the picture that the camera made of it, or one made here. */
#ifndef PIAA_IMAGE_RAW_H
#define PIAA_IMAGE_RAW_H

#include "image/photo.h"
#include "image/xmp.h"

/* Makes an ordinary photo of a raw one, both ways unturned, with the camera's orientation beside it
 * (1 to 8).  The preview that is embedded in the raw file where there is one of at least half the
 * sensor's sides (cameras embed one of full size, or nearly), as the JPEG that it is; else the
 * sensor's data at half size, each 2 x 2 cell of the filter array one pixel, with the camera's
 * white balance, in sRGB.  `photo` is freed with piaa_photo_file_free; its path is raw->path, its
 * `raw` says which of the two it is.  PIAA_UNSUPPORTED: no camera that libraw knows; PIAA_FORMAT:
 * damaged. */
bool piaa_raw_develop(const piaa_photo_file *raw, piaa_photo_file *photo,
                      piaa_error *error) PIAA_MUST_USE;

/* What the XMP packet inside a raw file says; nothing where there is none. */
bool piaa_raw_xmp(const piaa_photo_file *raw, piaa_xmp *out, piaa_error *error) PIAA_MUST_USE;

#endif
