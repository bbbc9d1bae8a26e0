/* Formats of photos: what a name's ending promises, and what a file's first bytes say. */
#ifndef PIAA_IMAGE_FORMATS_H
#define PIAA_IMAGE_FORMATS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum piaa_kind {
    PIAA_KIND_NONE,
    PIAA_KIND_JPEG,
    PIAA_KIND_PNG,
    PIAA_KIND_WEBP,
    PIAA_KIND_TIFF,
    PIAA_KIND_GIF,
    PIAA_KIND_HEIF, /* HEIC and AVIF */
    PIAA_KIND_JXL,
    PIAA_KIND_JP2,
    PIAA_KIND_BMP,
    PIAA_KIND_PNM,
    PIAA_KIND_RAW,
    PIAA_KINDS
} piaa_kind;

enum { PIAA_KIND_BYTES = 64 }; /* so many from the start of a file are enough to tell */

/* The format of a file that begins with these bytes; PIAA_KIND_NONE where it is none of them.  The
   content decides everywhere; endings only say which files of a folder are looked at. */
piaa_kind piaa_kind_of(const unsigned char *bytes, size_t size);

/* The format that a name's ending promises ("a.JPG", "b.heic"); PIAA_KIND_NONE for others. */
piaa_kind piaa_kind_of_name(const char *name);

/* libvips' operation that reads this format from memory; NULL for formats that it does not read. */
const char *piaa_kind_loader(piaa_kind kind);

#endif
