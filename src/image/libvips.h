/* The image room's use of libvips: how it is started, what it may read, how it fails. */
#ifndef PIAA_IMAGE_LIBVIPS_H
#define PIAA_IMAGE_LIBVIPS_H

#include "image/photo.h"

#include <vips/vips.h>

/* Starts libvips as piaa wants it, once: silent, one thread per image, no cache of operations, and
 * of its readers only those of `formats.h`, from memory.  The others are off for the whole process:
 * some of them call programs (ImageMagick, and through it Ghostscript), some are not made for files
 * of strangers. */
bool piaa_vips_start(piaa_error *error) PIAA_MUST_USE;

/* True where this libvips has the operation. */
bool piaa_vips_has(const char *operation);

/* "PATH WHAT (the first line of libvips' error text): ADVICE", PIAA_FORMAT, and the text is
 * emptied. Where the text says that memory, a disk or the system failed it is PIAA_MEMORY or
 * PIAA_IO instead, and says so.  The text is the process's: it is sure to be about this photo only
 * in a turn alone (image/chatter.h).  Returns false. */
bool piaa_vips_failed(piaa_error *error, const char *path, const char *what, const char *advice);

/* The one place where photos are opened (but for raw ones, raw.h): as they are stored, with their
 * orientation by piaa_photo_orientation in libvips' own field for it, to be read strip by strip
 * from the top, and to be unreferenced before the file is freed.  `shrink` is 1, or 2, 4 or 8 for a
 * picture that many times smaller from formats that can be read so (JPEG); `fail_on` says what
 * of a damaged file is refused.  Within a turn.  NULL on failure. */
VipsImage *piaa_vips_open(const piaa_photo_file *file, int shrink, VipsFailOn fail_on,
                          piaa_error *error) PIAA_MUST_USE;

#endif
