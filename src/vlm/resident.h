/* Weights made resident: declared by name and shape, then read from the checkpoint once, in the
   type asked for, into one backend buffer. */
#ifndef PIAA_VLM_RESIDENT_H
#define PIAA_VLM_RESIDENT_H

#include "vlm/kernels.h"
#include "vlm/vlm.h"

#include <ggml-backend.h>
#include <ggml.h>

typedef struct piaa_resident piaa_resident;

/* y = W x with W of `rows` outputs and `columns` inputs.  Owned by the resident weights; `tensor`
   and `kernels` are settled by loading. */
typedef struct piaa_matrix {
    struct ggml_tensor *tensor; /* plain: ne = [columns, rows]; packed: one axis of words, as
                                   kernels.h lays them out */
    int64_t rows, columns;
    bool paired; /* two parts of equal size, gates above values: interleaved when packed, stacked
                    when plain */
    const piaa_kernels *kernels; /* it is packed for these; NULL: plain */
    const piaa_codes *codes;     /* packed in these; NULL: in words, or plain */
} piaa_matrix;

/* dtype: not AUTO.  kernels: matrices are packed for our CPU kernels where there are some for their
 * type; else ggml's layouts only. device (NULL: the CPU): types that it cannot multiply are
 * replaced by wider ones that it can. */
piaa_resident *piaa_resident_new(const piaa_checkpoint *checkpoint, piaa_dtype dtype, bool kernels,
                                 ggml_backend_dev_t device, piaa_error *error) PIAA_MUST_USE;
void piaa_resident_free(piaa_resident *resident);

/* Declaring: names are in the checkpoint's canonical spelling, `prefix` before each.  The first
 * failure is kept, NULL is returned then and after it, and piaa_resident_declared tells it.
 *
 * A matrix is [rows, columns] in the file, which may have more dimensions (a convolution kernel) if
 * the first is `rows` and the others multiply to `columns`. */
const piaa_matrix *piaa_resident_matrix(piaa_resident *resident, const char *prefix,
                                        const char *name, int64_t rows, int64_t columns);
/* `parts` names separated by '|', of `rows` rows each, stacked. */
const piaa_matrix *piaa_resident_stacked(piaa_resident *resident, const char *prefix,
                                         const char *names, int parts, int64_t rows,
                                         int64_t columns);
/* The same of two names, gates and values of a gated unit. */
const piaa_matrix *piaa_resident_paired(piaa_resident *resident, const char *prefix,
                                        const char *names, int64_t rows, int64_t columns);
/* A matrix that the file holds the other way round, [columns, rows]. */
const piaa_matrix *piaa_resident_transposed(piaa_resident *resident, const char *prefix,
                                            const char *name, int64_t rows, int64_t columns);
struct ggml_tensor *piaa_resident_vector(piaa_resident *resident, const char *prefix,
                                         const char *name, int64_t length);
/* `parts` names separated by '|' joined, `length` values each; an empty name stands for zeros, but
   not the first. */
struct ggml_tensor *piaa_resident_joined(piaa_resident *resident, const char *prefix,
                                         const char *names, int parts, int64_t length);
/* 1 + the vector: norms whose weights are stored as their distance from one. */
struct ggml_tensor *piaa_resident_plus_one(piaa_resident *resident, const char *prefix,
                                           const char *name, int64_t length);

/* Whether everything that was declared is in the checkpoint, in its shape. */
bool piaa_resident_declared(const piaa_resident *resident, piaa_error *error) PIAA_MUST_USE;
/* Reads what was declared. */
bool piaa_resident_load(piaa_resident *resident, ggml_backend_t backend, int threads,
                        piaa_error *error);

size_t piaa_resident_bytes(const piaa_resident *resident);
/* "bf16 weights are held as f32", where the device cannot multiply the former; NULL. */
const char *piaa_resident_note(const piaa_resident *resident);

#endif
