/* When a photo was taken, with which camera and how, as EXIF says: what tells a burst from a
   bracket. */
#ifndef PIAA_IMAGE_SHOT_H
#define PIAA_IMAGE_SHOT_H

#include "base/file.h"

typedef struct piaa_shot {
    double time; /* seconds since 1970 by the camera's clock, of whichever zone; NaN: not said */
    double bias; /* exposure compensation, EV; NaN */
    double exposure; /* what the settings let in, EV (log2 of N^2 / t, less that of ISO / 100);
                        NaN */
    double distance; /* to the subject, metres; NaN */
    bool bracketed;  /* the camera says that it is one of a series of exposures */
    char camera[96]; /* maker, model and serial number; "" */
} piaa_shot;

/* Reads the start of the file at `path`, a mebibyte at most; a shot of which nothing is said where
 * it cannot be read, or has no EXIF there.  EXIF 2.32: DateTimeOriginal, SubSecTimeOriginal,
 * ExposureBiasValue, ExposureTime, FNumber, PhotographicSensitivity, SubjectDistance, ExposureMode,
 * BodySerialNumber, through libexif. */
piaa_shot piaa_shot_read(const char *path);
/* The same of a file's first bytes. */
piaa_shot piaa_shot_of(const unsigned char *bytes, size_t size);

/* Raw files and the pictures that the camera wrote beside them: of one name but for its ending, and
 * taken within 2 s of each other, or one of them does not say when.  shown[i] [paths->count] is the
 * picture of the same shot for a raw file i that has one, else i.  shots [paths->count] may be
 * NULL: then files are read where names agree.  asked [paths->count] may be NULL: other pictures
 * than those are not asked about, and stand before nothing. */
bool piaa_shots_pair(const piaa_paths *paths, const piaa_shot *shots, const bool *asked,
                     size_t *shown, piaa_error *error) PIAA_MUST_USE;

#endif
