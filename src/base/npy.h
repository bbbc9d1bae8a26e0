/* NumPy's .npy files: float32/float64 matrices in C order, version 1.0 to 3.0 read, 1.0 written
   with room in the header to grow. */
#ifndef PIAA_BASE_NPY_H
#define PIAA_BASE_NPY_H

#include "base/error.h"
#include "base/file.h"

typedef struct piaa_npy_header {
    char type;         /* 'f' */
    int width;         /* bytes of an element: 4 or 8 */
    int dimensions;    /* 1 or 2 */
    int64_t shape[2];  /* rows, columns (columns 1 for one dimension) */
    size_t data_start; /* offset of the first element; a multiple of 64 where we wrote it */
} piaa_npy_header;

/* Parses the header of `size` bytes; checks the data's length against `file_size` (at least as long
 * as the shape says). `where` names the file in messages. */
bool piaa_npy_parse(const void *bytes, size_t size, uint64_t file_size, const char *where,
                    piaa_npy_header *out, piaa_error *error);

/* A 128-byte version 1.0 header for a [rows, columns] matrix of `type` ("<f4", "|i1", as NumPy
 * writes types), the row count padded with blanks to a fixed width so that it can be overwritten in
 * place as rows are appended. */
enum { PIAA_NPY_HEADER_SIZE = 128 };
void piaa_npy_header_write(char out[PIAA_NPY_HEADER_SIZE], const char *type, int64_t rows,
                           int64_t columns);

#endif
