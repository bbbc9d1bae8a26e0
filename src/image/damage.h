/* What is lost of photos whose decoders do not say so. */
#ifndef PIAA_IMAGE_DAMAGE_H
#define PIAA_IMAGE_DAMAGE_H

#include "image/photo.h"

/* Writes a line into `damage` if part of a picture of so many pixels is lost; else empties it. */
void piaa_damage_find(const piaa_photo_file *file, int64_t pixels, char damage[PIAA_DAMAGE]);

#endif
