/* A photo's file, read once: its hash, its size, its metadata and its pixels come from the same
 * bytes, and from one decoder, which the content chooses. */
#ifndef PIAA_IMAGE_PHOTO_H
#define PIAA_IMAGE_PHOTO_H

#include "base/error.h"
#include "image/budget.h"
#include "image/formats.h"

#include <sys/stat.h>

enum { PIAA_DAMAGE = 200 }; /* room for a line that says what is lost of a photo that is read */

/* How a photo was made of a raw one (raw.h). */
typedef enum piaa_raw { PIAA_RAW_NO, PIAA_RAW_PREVIEW, PIAA_RAW_DEVELOPED } piaa_raw;

/* Stands in the metadata of the contact sheets that piaa draws, so that they are not taken for
   photos. */
#define PIAA_SHEET_MARK "piaa contact sheet"

/* Freed with piaa_photo_file_free.  Start from {0}. */
typedef struct piaa_photo_file {
    const char *path; /* the caller's, who keeps it as long */
    unsigned char *bytes;
    size_t size;
    struct stat status; /* of the file that the bytes come from, before they were read */
    piaa_kind kind;
    piaa_raw raw;      /* of a file that is not on the disk but made of a raw one */
    int orientation;   /* of such a file, 1 to 8; 0: it says so itself */
    piaa_share *share; /* of the memory for decoding; NULL for bytes that are not from a file */
} piaa_photo_file;

/* Reads a file whole.  It is read and not mapped, so that another program that shortens the file
 * meanwhile, or a disk that fails, is an error and no signal.  PIAA_IO: the system refused, or the
 * file changed while it was read; another try may work.  PIAA_FORMAT: it is no photo.
 * PIAA_UNSUPPORTED: it is over 4 GiB.
 *
 * Until it is freed it holds a share of the memory for decoding, for which others may be waiting: a
 * thread has one photo open at a time. */
bool piaa_photo_file_read(piaa_photo_file *file, const char *path, piaa_error *error) PIAA_MUST_USE;
/* The same of a copy of these bytes, which messages call `name`. */
bool piaa_photo_file_copy(piaa_photo_file *file, const char *name, const void *bytes, size_t size,
                          piaa_error *error) PIAA_MUST_USE;
void piaa_photo_file_free(piaa_photo_file *file);

/* Whether piaa drew it: the mark is in its first or last 64 KiB. */
bool piaa_photo_is_sheet(const piaa_photo_file *file);

/* What a file of a folder is: what its name's ending promises or, where that says nothing, what its
 * content says.  A photo with a wrong ending of the table counts as what that says; opening it goes
 * by the content.  PIAA_KIND_NONE too for files that cannot be read. */
piaa_kind piaa_photo_kind(const char *path);

/* Width and height in pixels as they are stored, from the header alone (of a raw photo, of what is
   read of it). */
bool piaa_photo_size(const piaa_photo_file *file, int *width, int *height,
                     piaa_error *error) PIAA_MUST_USE;

#endif
