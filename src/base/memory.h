/* Allocation that reports overflow and exhaustion as a piaa_error, and a string that grows.  What
   is returned is freed with free(). */
#ifndef PIAA_BASE_MEMORY_H
#define PIAA_BASE_MEMORY_H

#include "base/error.h"

/* count x size bytes, zeroed; never NULL for a request of 0. */
void *piaa_alloc(size_t count, size_t size, piaa_error *error) PIAA_MUST_USE;

/* The same not zeroed and aligned to 64 bytes, for large numeric arrays. */
void *piaa_alloc_array(size_t count, size_t size, piaa_error *error) PIAA_MUST_USE;

/* Memory that was freed goes back to the system where the C library keeps it (glibc does, when
 * anything later is still in use): worth it after a large file of small pieces.  Gemma's
 * tokenizer.json leaves 190 MB behind. */
void piaa_memory_release(void);

/* Grows *array (elements of `size` bytes, capacity *capacity) so that it holds at least `need`
   elements. */
bool piaa_grow(void *array_address, size_t *capacity, size_t need, size_t size,
               piaa_error *error) PIAA_MUST_USE;

char *piaa_strdup(const char *text, piaa_error *error) PIAA_MUST_USE;
char *piaa_format(piaa_error *error, const char *format, ...) PIAA_PRINTF(2, 3) PIAA_MUST_USE;

/* A growing byte string, always NUL-terminated once non-empty; start from {0}, end with
 * free(text.data).  It keeps its first failure: after one, adding does nothing and gives false, so
 * that whoever writes much asks `failed` once, at the end. */
typedef struct piaa_text {
    char *data;
    size_t length, capacity;
    bool failed;
} piaa_text;

bool piaa_text_add(piaa_text *text, const void *bytes, size_t count, piaa_error *error);
bool piaa_text_format(piaa_text *text, piaa_error *error, const char *format, ...)
    PIAA_PRINTF(3, 4);

#endif
