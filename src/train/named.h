/* The numbers of a network by the names that its publisher gave them, read from and written to
   safetensors files. */
#ifndef PIAA_TRAIN_NAMED_H
#define PIAA_TRAIN_NAMED_H

#include "base/error.h"

/* A tensor whose data belong to whoever lists it. */
typedef struct piaa_named {
    char name[128];
    int dimensions;
    int64_t shape[4];
    float *data;
} piaa_named;

int64_t piaa_named_values(const piaa_named *tensor);

/* Fills all of them from the file's tensors of the same names behind `prefix`; tensors that are not
 * on the list are left alone.  PIAA_FORMAT for one that is missing, has another shape, or holds a
 * value that is not finite: by name, and then some of the numbers are the file's already. */
bool piaa_named_read(const piaa_named *list, size_t count, const char *prefix, const char *path,
                     piaa_error *error) PIAA_MUST_USE;

/* Several lists behind a prefix each, into one file that is written whole or not at all. */
typedef struct piaa_named_part {
    const char *prefix; /* "" for none */
    const piaa_named *list;
    size_t count;
} piaa_named_part;

bool piaa_named_write(const piaa_named_part *parts, size_t count, const char *path,
                      piaa_error *error) PIAA_MUST_USE;

#endif
