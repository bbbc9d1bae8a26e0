/* NumPy's .npy files (numpy.lib.format): "\x93NUMPY", version, the header's length, and the header,
 * a Python dictionary in text form with exactly the keys descr, fortran_order and shape. */
#include "base/npy.h"

#include <stdio.h>
#include <string.h>

/* The header's text, and how far it was read. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_spaces(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static bool take(cursor *c, char wanted) {
    skip_spaces(c);
    if (c->at >= c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word) {
    size_t n = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return false;
    c->at += n;
    return true;
}

/* A Python string without escapes, at most 31 bytes. */
static bool take_string(cursor *c, char out[32]) {
    skip_spaces(c);
    if (c->at >= c->end || (*c->at != '\'' && *c->at != '"')) return false;
    char quote = *c->at++;
    size_t n = 0;
    while (c->at < c->end && *c->at != quote) {
        if (n >= 31 || *c->at == '\\') return false;
        out[n++] = *c->at++;
    }
    out[n] = '\0';
    return take(c, quote);
}

static bool take_integer(cursor *c, int64_t *out) {
    skip_spaces(c);
    const char *start = c->at;
    int64_t value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (value > (INT64_MAX - 9) / 10) return false;
        value = value * 10 + (*c->at - '0');
    }
    *out = value;
    return c->at > start;
}

/* "(3, 4)", "(3,)", "()": counts all dimensions, keeps the first two. */
static bool take_shape(cursor *c, piaa_npy_header *out) {
    out->dimensions = 0;
    out->shape[0] = out->shape[1] = 1;
    if (!take(c, '(')) return false;
    while (!take(c, ')')) {
        int64_t length;
        if (!take_integer(c, &length)) return false;
        if (out->dimensions < 2) out->shape[out->dimensions] = length;
        out->dimensions++;
        if (!take(c, ',') && (c->at >= c->end || *c->at != ')')) return false;
    }
    return true;
}

static bool take_dictionary(cursor *c, piaa_npy_header *out, char descr[32], bool *fortran) {
    bool have_descr = false, have_order = false, have_shape = false;
    if (!take(c, '{')) return false;
    while (!take(c, '}')) {
        char key[32];
        if (!take_string(c, key) || !take(c, ':')) return false;
        if (strcmp(key, "descr") == 0 && !have_descr) {
            if (!take_string(c, descr)) return false;
            have_descr = true;
        } else if (strcmp(key, "fortran_order") == 0 && !have_order) {
            *fortran = take_word(c, "True");
            if (!*fortran && !take_word(c, "False")) return false;
            have_order = true;
        } else if (strcmp(key, "shape") == 0 && !have_shape) {
            if (!take_shape(c, out)) return false;
            have_shape = true;
        } else {
            return false;
        }
        if (!take(c, ',') && (c->at >= c->end || *c->at != '}')) return false;
    }
    skip_spaces(c);
    return c->at == c->end && have_descr && have_order && have_shape;
}

/* Where the header's text begins and how long it is; versions differ in the width of the length
   alone. */
static bool find_header(const unsigned char *b, size_t size, const char *where, size_t *start,
                        size_t *length, piaa_error *error) {
    if (size < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
        return piaa_error_set(error, PIAA_FORMAT, "%s is not a NumPy file", where);
    if (b[6] < 1 || b[6] > 3)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%s: NumPy format version %d is not known",
                              where, b[6]);
    *start = b[6] == 1 ? 10 : 12;
    if (size >= *start) {
        *length = (size_t)b[8] | (size_t)b[9] << 8;
        if (b[6] > 1) *length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
        if (*length <= size - *start) return true;
    }
    return piaa_error_set(error, PIAA_FORMAT, "%s ends inside its NumPy header", where);
}

/* Both lengths are non-negative. */
static bool data_fits(const piaa_npy_header *header, uint64_t room) {
    uint64_t rows = (uint64_t)header->shape[0], columns = (uint64_t)header->shape[1],
             width = (uint64_t)header->width;
    return rows == 0 || columns == 0 || (columns <= room / width && rows <= room / width / columns);
}

bool piaa_npy_parse(const void *bytes, size_t size, uint64_t file_size, const char *where,
                    piaa_npy_header *out, piaa_error *error) {
    size_t start = 0, length = 0;
    if (!find_header(bytes, size, where, &start, &length, error)) return false;
    cursor c = {(const char *)bytes + start, (const char *)bytes + start + length};
    char descr[32] = "";
    bool fortran = false;
    piaa_npy_header header = {.data_start = start + length};
    if (!take_dictionary(&c, &header, descr, &fortran))
        return piaa_error_set(error, PIAA_FORMAT, "%s has a NumPy header that cannot be read",
                              where);
    bool single = strcmp(descr, "<f4") == 0;
    if (!single && strcmp(descr, "<f8") != 0)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s holds values of type \"%s\": save it as float32 or float64",
                              where, descr);
    if (fortran)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is stored column by column: save it in C order", where);
    if (header.dimensions < 1 || header.dimensions > 2)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%s has %d dimensions: 1 or 2 are expected",
                              where, header.dimensions);
    header.type = 'f';
    header.width = single ? 4 : 8;
    if (file_size < header.data_start || !data_fits(&header, file_size - header.data_start))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s is shorter than its %lld x %lld values: it was cut off", where,
                              (long long)header.shape[0], (long long)header.shape[1]);
    *out = header;
    return true;
}

void piaa_npy_header_write(char out[PIAA_NPY_HEADER_SIZE], const char *type, int64_t rows,
                           int64_t columns) {
    enum { START = 10, LENGTH = PIAA_NPY_HEADER_SIZE - START };
    static const char magic[START] = {(char)0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, LENGTH, 0};
    memset(out, ' ', PIAA_NPY_HEADER_SIZE);
    memcpy(out, magic, START);
    int n = snprintf(out + START, LENGTH,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%19lld, %lld), }", type,
                     (long long)rows, (long long)columns);
    out[START + n] = ' '; /* snprintf's NUL */
    out[PIAA_NPY_HEADER_SIZE - 1] = '\n';
}
