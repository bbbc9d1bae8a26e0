/* TIFF files for tests, entry by entry, in either byte order, plain or BigTIFF. */
#ifndef PIAA_TESTS_IMAGE_TIFF_MAKER_H
#define PIAA_TESTS_IMAGE_TIFF_MAKER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct tiff_maker {
    unsigned char bytes[1 << 17];
    size_t size;
    bool big_endian, wide;
} tiff_maker;

enum { BYTE = 1, ASCII = 2, SHORT = 3, LONG = 4, RATIONAL = 5, SRATIONAL = 10, LONG8 = 16 };

/* One tag; `values` where there are more than one. */
typedef struct tiff_entry {
    int tag, type;
    uint64_t value;
    size_t count; /* 0: one */
    const uint64_t *values;
} tiff_entry;

static inline unsigned tiff_width(int type) {
    return type == SHORT ? 2 : type == LONG ? 4 : type >= 5 ? 8 : 1;
}

static inline void tiff_number(tiff_maker *m, size_t at, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++)
        m->bytes[at + i] = (unsigned char)(value >> 8 * (m->big_endian ? width - 1 - i : i));
    if (at + width > m->size) m->size = at + width;
}

static inline void tiff_begin(tiff_maker *m, bool big_endian, bool wide) {
    memset(m, 0, sizeof *m);
    m->big_endian = big_endian;
    m->wide = wide;
    memcpy(m->bytes, big_endian ? "MM" : "II", 2);
    tiff_number(m, 2, 2, wide ? 43 : 42);
    if (wide) tiff_number(m, 4, 4, big_endian ? 8 << 16 : 8);
    m->size = wide ? 16 : 8;
}

/* A RATIONAL: two LONGs, the numerator first. */
static inline uint64_t tiff_rational(const tiff_maker *m, uint32_t numerator,
                                     uint32_t denominator) {
    return m->big_endian ? (uint64_t)numerator << 32 | denominator
                         : (uint64_t)denominator << 32 | numerator;
}

/* Where the first directory is. */
static inline size_t tiff_first(const tiff_maker *m) {
    return m->wide ? 8 : 4;
}

/* Appends bytes and returns their place. */
static inline uint64_t tiff_data(tiff_maker *m, const void *data, size_t size) {
    size_t at = (m->size + 1) & ~(size_t)1;
    memcpy(m->bytes + at, data, size);
    m->size = at + size;
    return at;
}

static inline void tiff_values(tiff_maker *m, size_t at, const tiff_entry *e) {
    unsigned width = tiff_width(e->type);
    for (size_t i = 0; i < (e->count ? e->count : 1); i++)
        tiff_number(m, at + i * width, width, e->values ? e->values[i] : e->value);
}

/* Appends a directory, whose place is written at `link`; entries by rising tag.  Returns the place
   of its own link to the next. */
static inline size_t tiff_directory(tiff_maker *m, size_t link, const tiff_entry *entries,
                                    size_t count) {
    unsigned head = m->wide ? 8 : 2, length = m->wide ? 20 : 12, room = m->wide ? 8 : 4;
    size_t at = (m->size + 1) & ~(size_t)1, next = at + head + count * length;
    if (link) tiff_number(m, link, room, at);
    tiff_number(m, at, head, count);
    tiff_number(m, next, room, 0);
    for (size_t i = 0; i < count; i++) {
        const tiff_entry *e = &entries[i];
        size_t entry = at + head + i * length, many = e->count ? e->count : 1,
               total = many * tiff_width(e->type);
        tiff_number(m, entry, 2, (uint64_t)e->tag);
        tiff_number(m, entry + 2, 2, (uint64_t)e->type);
        tiff_number(m, entry + 4, room, many);
        if (total > room) {
            size_t place = (m->size + 7) & ~(size_t)7;
            tiff_number(m, entry + 4 + room, room, place);
            tiff_values(m, place, e);
        } else {
            tiff_values(m, entry + 4 + room, e);
        }
    }
    return next;
}

#endif
