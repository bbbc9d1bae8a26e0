/* Allocation that reports overflow and exhaustion as a piaa_error, and a string that grows. */
#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool out_of_memory(piaa_error *error, size_t count, size_t size) {
    return piaa_error_set(error, PIAA_MEMORY,
                          "out of memory (%zu x %zu bytes): close other programs or ask for less",
                          count, size);
}

void *piaa_alloc(size_t count, size_t size, piaa_error *error) {
    void *p = count && size && count > SIZE_MAX / size ? NULL
                                                       : calloc(count ? count : 1, size ? size : 1);
    if (!p) out_of_memory(error, count, size);
    return p;
}

void *piaa_alloc_array(size_t count, size_t size, piaa_error *error) {
    enum { ALIGNMENT = 64 };
    void *p = NULL;
    if (!count || !size || count <= (SIZE_MAX - ALIGNMENT) / size) {
        size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        p = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
    }
    if (!p) out_of_memory(error, count, size);
    return p;
}

void piaa_memory_release(void) {
    piaa_trim_memory();
}

bool piaa_grow(void *array_address, size_t *capacity, size_t need, size_t size, piaa_error *error) {
    if (need <= *capacity) return true;
    size_t wanted = *capacity < 8 ? 8 : *capacity + *capacity / 2;
    if (wanted < need) wanted = need;
    if (wanted > SIZE_MAX / size) return out_of_memory(error, wanted, size);
    void *old;
    memcpy(&old, array_address, sizeof old);
    void *grown = realloc(old, wanted * size);
    if (!grown) return out_of_memory(error, wanted, size);
    memcpy(array_address, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

char *piaa_strdup(const char *text, piaa_error *error) {
    size_t n = strlen(text) + 1;
    char *copy = piaa_alloc(n, 1, error);
    if (copy) memcpy(copy, text, n);
    return copy;
}

/* For `count` bytes more and the NUL after them. */
static bool make_room(piaa_text *text, size_t count, piaa_error *error) {
    if (!text->failed)
        text->failed =
            count > SIZE_MAX - text->length - 1
                ? !out_of_memory(error, count, 1)
                : !piaa_grow(&text->data, &text->capacity, text->length + count + 1, 1, error);
    return !text->failed;
}

static bool text_vformat(piaa_text *text, piaa_error *error, const char *format,
                         va_list arguments) {
    va_list again;
    if (text->failed) return false;
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text->failed = n < 0;
    if (n < 0) return piaa_error_set(error, PIAA_FORMAT, "text cannot be formatted");
    if (!make_room(text, (size_t)n, error)) return false;
    vsnprintf(text->data + text->length, (size_t)n + 1, format, arguments);
    text->length += (size_t)n;
    return true;
}

char *piaa_format(piaa_error *error, const char *format, ...) {
    piaa_text text = {0};
    va_list arguments;
    va_start(arguments, format);
    bool ok = text_vformat(&text, error, format, arguments);
    va_end(arguments);
    if (!ok) {
        free(text.data);
        return NULL;
    }
    return text.data;
}

bool piaa_text_format(piaa_text *text, piaa_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    bool ok = text_vformat(text, error, format, arguments);
    va_end(arguments);
    return ok;
}

bool piaa_text_add(piaa_text *text, const void *bytes, size_t count, piaa_error *error) {
    if (!make_room(text, count, error)) return false;
    if (count) memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
    return true;
}
