/* A picture on its way out of its decoder: rows of 8-bit samples, from the top, each once. */
#ifndef PIAA_IMAGE_ROWS_H
#define PIAA_IMAGE_ROWS_H

#include "image/photo.h"

typedef struct piaa_rows {
    int width, height, bands; /* one or two bands are grey, others begin with red, green, blue */
    int alpha;                /* the band that is alpha; 0: none is */
    bool inks;                /* four bands are cyan, magenta, yellow, black; 255 is full ink */
    uint64_t memory;          /* that the decoder needs beside one strip, in bytes, about */
    /* The next `count` rows into samples[count][width][bands]. */
    bool (*read)(struct piaa_rows *rows, int count, uint8_t *samples, piaa_error *error);
    /* Frees the decoder; what it noticed of the file's damage is in `damage` by the last row. */
    void (*close)(struct piaa_rows *rows);
    void *decoder;
    char damage[PIAA_DAMAGE];
} piaa_rows;

/* JPEG, with libjpeg; see jpeg.c for what counts as damage and what as failure. */
bool piaa_jpeg_open(const piaa_photo_file *file, piaa_rows *rows, piaa_error *error) PIAA_MUST_USE;

/* Windows and OS/2 bitmaps, by a reader of our own: the other one is ImageMagick. */
bool piaa_bmp_open(const piaa_photo_file *file, piaa_rows *rows, piaa_error *error) PIAA_MUST_USE;

#endif
