/* One growing .npy file: a float32 matrix of photos x dimensions that NumPy can open at any
   moment. */
#ifndef PIAA_FEATURES_MATRIX_H
#define PIAA_FEATURES_MATRIX_H

#include "base/error.h"

typedef struct piaa_matrix {
    char *path;   /* owned */
    int file;     /* -1: not made yet (it appears with its first row) */
    int64_t rows; /* as the header says */
    int dim;
    bool dirty, made; /* written, or made, since the last sync */
} piaa_matrix;

/* Opens for writing.  A missing file has 0 rows.  The header is brought down to the rows that the
 * file can hold, and to `most` (what the catalogue knows of); a header that is not one of ours
 * means 0 rows.  Takes a copy of `path`. */
bool piaa_matrix_open(piaa_matrix *matrix, const char *path, int dim, int64_t most,
                      piaa_error *error) PIAA_MUST_USE;
void piaa_matrix_close(piaa_matrix *matrix);

/* Writes one row of `dim` values; rows between the end and `row` become NaN. */
bool piaa_matrix_write(piaa_matrix *matrix, int64_t row, const float *values,
                       piaa_error *error) PIAA_MUST_USE;
/* Reads back one row of those that are there. */
bool piaa_matrix_read(const piaa_matrix *matrix, int64_t row, float *values,
                      piaa_error *error) PIAA_MUST_USE;
/* Makes the header say `rows`: NaN rows are added, or surplus ones no longer counted. */
bool piaa_matrix_fit(piaa_matrix *matrix, int64_t rows, piaa_error *error) PIAA_MUST_USE;
/* Waits until the disk has it all. */
bool piaa_matrix_sync(piaa_matrix *matrix, piaa_error *error) PIAA_MUST_USE;

#endif
