/* The GGUF format, versions 2 and 3: typed metadata under string keys, tensor headers, and the
 * data, aligned.  Every length, count, offset and type is checked before it is believed; what is
 * accepted lies inside the file, and every tensor's data inside it and apart from the others'.  The
 * file says nothing of what its numbers mean: see gguf_model.h. */
#ifndef PIAA_WEIGHTS_GGUF_H
#define PIAA_WEIGHTS_GGUF_H

#include "weights/checkpoint.h"

typedef struct piaa_gguf piaa_gguf;

bool piaa_gguf_is(const char *path); /* a file that begins as one */

piaa_gguf *piaa_gguf_open(const char *path, piaa_error *error) PIAA_MUST_USE; /* mapped */
/* Over bytes that the caller keeps alive, aligned as malloc aligns them. */
piaa_gguf *piaa_gguf_parse(const void *bytes, size_t size, const char *where,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_gguf_close(piaa_gguf *file);

/* The same of a model in several files, any of which may be named: the first's metadata, and the
 * tensors of all.  The error names a file that is missing or not theirs. */
piaa_gguf *piaa_gguf_open_parts(const char *path, piaa_error *error) PIAA_MUST_USE;
/* Which of how many parts it is, from 0; 0 of 1 where it is whole. */
int piaa_gguf_part(const piaa_gguf *file, int *parts);
/* Takes the other files' tensors over, and the files themselves: what it takes becomes NULL. */
bool piaa_gguf_join(piaa_gguf *file, piaa_gguf **others, size_t count,
                    piaa_error *error) PIAA_MUST_USE;

const char *piaa_gguf_where(const piaa_gguf *file); /* the path, for messages */
void piaa_gguf_forget(const piaa_gguf *file, const piaa_tensor *tensor);

/* Tensors under the file's own names, in its order.  The shape is outermost first, so the reverse
   of what GGUF stores. */
size_t piaa_gguf_count(const piaa_gguf *file);
const piaa_tensor *piaa_gguf_at(const piaa_gguf *file, size_t index);
const piaa_tensor *piaa_gguf_find(const piaa_gguf *file, const char *name); /* NULL if absent */

/* Metadata.  Numbers are taken from any numeric type that holds them exactly; false, and *out
 * untouched, where the key is absent or of another kind.  Strings are NUL-terminated, UTF-8, and
 * the file's; NULL if absent, or no such text. */
bool piaa_gguf_int(const piaa_gguf *file, const char *key, int64_t *out);
bool piaa_gguf_number(const piaa_gguf *file, const char *key, double *out);
bool piaa_gguf_bool(const piaa_gguf *file, const char *key, bool *out);
const char *piaa_gguf_string(const piaa_gguf *file, const char *key);
bool piaa_gguf_has(const piaa_gguf *file, const char *key); /* of whatever kind */
/* All keys, sorted; NULL behind the last. */
const char *piaa_gguf_key(const piaa_gguf *file, size_t index);

/* An array of strings, numbers or booleans; a plain value that piaa_gguf_next moves on. */
typedef struct piaa_gguf_array {
    uint64_t count;
    uint32_t type;             /* GGUF's number for the elements' type */
    const unsigned char *next; /* element 0; after that, the one that comes */
} piaa_gguf_array;

bool piaa_gguf_get_array(const piaa_gguf *file, const char *key, piaa_gguf_array *out);
bool piaa_gguf_array_is_text(const piaa_gguf_array *array);
/* The next element; the caller counts them.  Text is not NUL-terminated. */
double piaa_gguf_next_number(piaa_gguf_array *array);
const char *piaa_gguf_next_text(piaa_gguf_array *array, size_t *size);

/* What the numbers of the format mean, for the reader and the writer. */
enum piaa_gguf_type {
    PIAA_GGUF_UINT8,
    PIAA_GGUF_INT8,
    PIAA_GGUF_UINT16,
    PIAA_GGUF_INT16,
    PIAA_GGUF_UINT32,
    PIAA_GGUF_INT32,
    PIAA_GGUF_FLOAT32,
    PIAA_GGUF_BOOL,
    PIAA_GGUF_STRING,
    PIAA_GGUF_ARRAY,
    PIAA_GGUF_UINT64,
    PIAA_GGUF_INT64,
    PIAA_GGUF_FLOAT64,
    PIAA_GGUF_TYPES
};

enum { PIAA_GGUF_ALIGNMENT = 32 }; /* of tensor data, where the file does not say otherwise */

#endif
