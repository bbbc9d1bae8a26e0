/* Weights made resident: declared by name and shape, then read from the checkpoint once, in the type asked for, into one backend buffer. */
#ifndef PIAA_VLM_RESIDENT_H
#define PIAA_VLM_RESIDENT_H

#include "vlm/vlm.h"

#include <ggml-backend.h>
#include <ggml.h>

typedef struct piaa_resident piaa_resident;

piaa_resident *piaa_resident_new(const piaa_checkpoint *checkpoint, piaa_dtype dtype, piaa_error *error) PIAA_MUST_USE;
void piaa_resident_free(piaa_resident *resident);

/* Declares a matrix of `rows` outputs and `columns` inputs ([rows, columns] in the file, ne = [columns, rows] in ggml).  Several names
 * separated by '|' are stacked along the rows, `rows` being the rows of each.  The file's shape may have more dimensions (a convolution
 * kernel) if the first is `rows` and the others multiply to `columns`.  NULL on the first failure, and quietly after it. */
struct ggml_tensor *piaa_resident_matrix(piaa_resident *resident, piaa_error *error, const char *names, int parts, const int64_t *rows,
                                         int64_t columns);
struct ggml_tensor *piaa_resident_vector(piaa_resident *resident, piaa_error *error, const char *names, int64_t length);

/* Reads what was declared. */
bool piaa_resident_load(piaa_resident *resident, ggml_backend_t backend, int threads, piaa_error *error);

piaa_dtype piaa_resident_dtype(const piaa_resident *resident); /* AUTO resolved; valid after loading */
size_t piaa_resident_bytes(const piaa_resident *resident);

#endif
