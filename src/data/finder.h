/*
 * From the name of a photo that stands in a table to the photo.
 *
 * A name is taken as it stands wherever that is a photo.  Otherwise the same name is looked for as
 * other systems spell it: in Unicode's other form (Macs write u + ¨ for ü), in bytes that are not
 * UTF-8, with back-slashes and a drive letter, as a file:// address, with ~, in other case; and,
 * among photos that are given, below another folder.  A name is matched where exactly one photo
 * fits it best, and the callers say how many were matched so.
 */
#ifndef PIAA_DATA_FINDER_H
#define PIAA_DATA_FINDER_H

#include "base/memory.h"

typedef struct piaa_finder piaa_finder;

/* How a name leads to its photo. */
typedef enum piaa_found {
    PIAA_FOUND_NOT,
    PIAA_FOUND_SEVERAL, /* more than one photo fits equally well */
    PIAA_FOUND_EXACTLY,
    PIAA_FOUND_SPELLING, /* back-slashes, a file:// address, ~ */
    PIAA_FOUND_FORM,     /* Unicode's other form, or bytes that are not UTF-8 */
    PIAA_FOUND_CASE,
    PIAA_FOUND_FOLDER, /* below another folder than the table says, or one that it does not say */
    PIAA_FOUND_KINDS
} piaa_found;

piaa_finder *piaa_finder_new(piaa_error *error) PIAA_MUST_USE;
void piaa_finder_free(piaa_finder *finder);

/* Looks on the disk; relative names are relative to `folder`.  *path is the photo's absolute path;
   where it is not found, the absolute path that the name spells.  Freed by the caller. */
bool piaa_finder_on_disk(piaa_finder *finder, const char *folder, const char *written, char **path,
                         piaa_found *found, piaa_error *error) PIAA_MUST_USE;

/* A path by which a photo may be meant; a photo may have several.  The path must outlive the
   finder. */
bool piaa_finder_add(piaa_finder *finder, const char *path, size_t photo,
                     piaa_error *error) PIAA_MUST_USE;

/*
 * Looks among the photos added: by the absolute path that the name spells, in any form and case;
 * else by its last parts, of which as many as possible have to agree.  That is a guess, and is made
 * only where the folder that the name speaks of is not there (on another machine, moved), or where
 * it speaks of none.
 */
bool piaa_finder_among(piaa_finder *finder, const char *folder, const char *written, size_t *photo,
                       piaa_found *found, piaa_error *error) PIAA_MUST_USE;

/* "3 by another Unicode form of the name, 1 in other case", "" where none but exact matches are;
   counts [PIAA_FOUND_KINDS]. */
bool piaa_finder_describe(const size_t *counts, piaa_text *out, piaa_error *error) PIAA_MUST_USE;

#endif
