/* What the directories of a TIFF file say: which of its pictures is the photo, or that it is a
 * camera's raw file in TIFF's clothes.  Pixels are libvips' (or libraw's) affair. */
#ifndef PIAA_IMAGE_TIFF_H
#define PIAA_IMAGE_TIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TIFF's names for samples (tag 339). */
typedef enum piaa_tiff_format {
    PIAA_TIFF_UNSIGNED = 1,
    PIAA_TIFF_SIGNED = 2,
    PIAA_TIFF_FLOAT = 3,
    PIAA_TIFF_VOID = 4,
    PIAA_TIFF_COMPLEX_SIGNED = 5,
    PIAA_TIFF_COMPLEX_FLOAT = 6
} piaa_tiff_format;

typedef struct piaa_tiff {
    bool raw;   /* sensor data: of a colour filter array, linear, or of a maker's own kind */
    int page;   /* the photo's place among the directories, from 0 */
    int subifd; /* and among those below that one; -1: it is the directory itself */
    int64_t width, height;
    int samples, bits;       /* of a pixel, of a sample */
    piaa_tiff_format format; /* of a sample */
    bool alpha;              /* the samples behind the colours are that */
    int photometric;         /* 0: white is zero, 1: black is, 2: RGB, … */
    bool luma;               /* YCbCr that no JPEG decoder turns into RGB */
    bool subsampled;         /* and of which colours have fewer pixels */
    int orientation;         /* the photo's or else the first directory's, 1 to 8; 0: not said */
} piaa_tiff;

/* Looks through TIFF and BigTIFF in either byte order, and through EXIF blocks, which are TIFF
 * (behind their "Exif\0\0").  The photo is the first directory, unless that is marked as a
 * reduced-resolution copy (NewSubfileType, SubfileType) and there is one that is not; of several
 * the largest.  False where the first directory is not whole.  At most 64 directories are looked
 * at.  TIFF 6.0; TIFF/EP (ISO 12234-2); Adobe's DNG 1.7. */
bool piaa_tiff_look(const unsigned char *bytes, size_t size, piaa_tiff *out);

/* A piece of the photo (a strip of rows, or a tile) as it lies in the file, perhaps packed. */
typedef struct piaa_tiff_piece {
    int compression;             /* 1: none, 7: JPEG, 8: deflate, … */
    const unsigned char *tables; /* that all pieces' JPEG streams share, a stream of their own */
    size_t tables_size;
    const unsigned char *bytes;
    size_t size;
} piaa_tiff_piece;

/* Shows `visit` the photo's pieces in turn, until it says true; whether it did.  Those that reach
 * beyond the end of the file are left out. */
bool piaa_tiff_visit(const unsigned char *bytes, size_t size,
                     bool (*visit)(void *user, const piaa_tiff_piece *piece), void *user);

/* True where pixels of one of the pictures would lie beyond the end of the file.  Understands the
 * raw files of Olympus and Panasonic too, which are TIFF but for the header. */
bool piaa_tiff_is_cut(const unsigned char *bytes, size_t size);

#endif
