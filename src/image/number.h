/* Whole numbers in files, of any width up to 8 bytes and in either order. */
#ifndef PIAA_IMAGE_NUMBER_H
#define PIAA_IMAGE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t piaa_number(const unsigned char *bytes, unsigned width, bool big_endian) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)bytes[i] << 8 * (big_endian ? width - 1 - i : i);
    return value;
}

#endif
