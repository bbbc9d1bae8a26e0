/* Copies of a data set's images, turned grey or warped, so that probes can be asked how far their
   predictions move. */
#ifndef PIAA_STUDY_CHANGED_H
#define PIAA_STUDY_CHANGED_H

#include "data/dataset.h"
#include "image/augment.h"

/* FOLDER/000123.png for image 123 of the data set, to be freed by the caller. */
char *piaa_changed_path(const char *folder, size_t image, piaa_error *error) PIAA_MUST_USE;

/* Writes the images of one split into `folder` (which is there), image i warped with seed + i.
 * Those that are there already stay.  An image that cannot be read is told to hooks->warn and left
 * out; `made` (may be NULL) counts those that are there at the end. */
bool piaa_changed_make(const piaa_dataset *set, piaa_split split, piaa_augment kind, uint32_t seed,
                       const char *folder, int threads, const piaa_hooks *hooks, size_t *made,
                       piaa_error *error) PIAA_MUST_USE;

#endif
