/* Kinds of files: what a name's ending promises, and what a file's first bytes say.  One table
 * each; the folders' walk and the opening of photos go by the same two. */
#ifndef PIAA_IMAGE_FORMATS_H
#define PIAA_IMAGE_FORMATS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum piaa_kind {
    PIAA_KIND_NONE, /* none of those below */
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
    PIAA_KIND_RAW, /* a camera's; of those that are TIFF by their first bytes see tiff.h */
    /* What is no photo, or none that is read: */
    PIAA_KIND_VIDEO,
    PIAA_KIND_AUDIO,
    PIAA_KIND_SIDECAR, /* what programs and cameras keep beside a photo or video */
    PIAA_KIND_BACKUP,  /* a photo before its last change, or half a download */
    PIAA_KIND_HDR,     /* scenes in floating-point light: Radiance, OpenEXR, PFM */
    PIAA_KIND_PICTURE, /* another format of pictures */
    PIAA_KINDS
} piaa_kind;

enum { PIAA_KIND_BYTES = 64 }; /* so many from the start of a file are enough to tell */

/* The kind of a file that begins with these bytes.  Content decides everywhere; endings only say
   which files of a folder are looked at, and how those that are not are called. */
piaa_kind piaa_kind_of(const unsigned char *bytes, size_t size);

/* What a name promises ("a.JPG", "b.heic", "c.mov"). */
piaa_kind piaa_kind_of_name(const char *name);

/* The largest sample that a PNM file says there is: 255, 65535, or what else; 0 where it has none
   (bitmaps) or the header is broken. */
int piaa_pnm_most(const unsigned char *bytes, size_t size);

/* JPEG to raw. */
bool piaa_kind_is_photo(piaa_kind kind);

/* For people: "raw file", "raw files"; for PIAA_KIND_NONE "other file". */
const char *piaa_kind_noun(piaa_kind kind, bool plural);

/* libvips' operation that reads this format from memory; NULL for formats that it does not read. */
const char *piaa_kind_loader(piaa_kind kind);

#endif
