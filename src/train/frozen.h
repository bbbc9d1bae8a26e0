/*
 * A weight matrix W [rows][columns] that is not trained, as training needs it: multiplied forwards,
 * y = W x, and backwards, dx = W' dy.
 *
 * How it is held:
 *   - float32 and 16 bits, where our kernels run: packed twice, W and W', so that both ways go at
 *     their speed, twice OpenBLAS's and four times it.  In 16 bits that is no more memory than
 *     float32 once;
 *   - float32 otherwise: as it is, for OpenBLAS both ways;
 *   - anything else (quantised, or 16 bits without kernels): as the file has it or quantised anew
 *     (QLoRA).  Whenever it is used it is packed in 16 bits for that product, if that is for many
 *     rows and our kernels run, or else widened to float32 block by block.
 */
#ifndef PIAA_TRAIN_FROZEN_H
#define PIAA_TRAIN_FROZEN_H

#include "train/crew.h"
#include "vlm/vlm.h"

typedef struct piaa_frozen {
    int64_t rows, columns;
    float *plain;               /* [rows][columns]; NULL */
    void *forwards, *backwards; /* packed for `kernels`; NULL */
    const struct piaa_kernels *kernels;
    bool packable;      /* where it is used for many rows */
    piaa_tensor stored; /* else; its data belong to the checkpoint, or are `own` */
    void *own;
    size_t bytes; /* of memory that it owns */
} piaa_frozen;

/* Reads the tensor of this canonical name and shape.  dtype: not AUTO.  packed: it
 * may be, where it is used for many rows at a time and two copies are worth their memory. */
bool piaa_frozen_load(piaa_frozen *w, const piaa_checkpoint *checkpoint, const char *name,
                      int64_t rows, int64_t columns, piaa_dtype dtype, bool packed,
                      const piaa_crew *crew, piaa_error *error) PIAA_MUST_USE;
void piaa_frozen_free(piaa_frozen *w);

/* y [n][rows] = x [n][columns] W' */
bool piaa_frozen_forwards(const piaa_frozen *w, const float *x, int64_t n, float *y,
                          const piaa_crew *crew, piaa_error *error) PIAA_MUST_USE;
/* dx [n][columns] = dy [n][rows] W, or that added to it. */
bool piaa_frozen_backwards(const piaa_frozen *w, const float *dy, int64_t n, bool add, float *dx,
                           const piaa_crew *crew, piaa_error *error) PIAA_MUST_USE;

#endif
