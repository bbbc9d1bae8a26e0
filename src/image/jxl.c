/* JPEG XL's header: a size, then fields of a few bits, the lowest first. */
#include "image/jxl.h"

#include <stdint.h>
#include <string.h>

typedef struct bits {
    const unsigned char *bytes;
    size_t size, at; /* at: in bits */
} bits;

/* Zeros behind the end. */
static uint32_t take(bits *b, unsigned count) {
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++, b->at++)
        if (b->at / 8 < b->size) value |= (uint32_t)(b->bytes[b->at / 8] >> b->at % 8 & 1) << i;
    return value;
}

static void skip_side(bits *b, bool eighths) {
    static const unsigned widths[] = {9, 13, 18, 30};
    (void)take(b, eighths ? 5 : widths[take(b, 2)]);
}

static void skip_size(bits *b) {
    bool eighths = take(b, 1);
    skip_side(b, eighths);
    if (take(b, 3) == 0) skip_side(b, eighths); /* else the width follows from a ratio */
}

static bool is_animated(bits b) {
    if (b.size < 2 || memcmp(b.bytes, "\xff\x0a", 2) != 0) return false;
    b.at = 16;
    skip_size(&b);
    bool plain = take(&b, 1);
    if (plain || !take(&b, 1)) return false; /* all as usual; no rare fields */
    (void)take(&b, 3);                       /* orientation */
    if (take(&b, 1)) skip_size(&b);          /* the size that it is meant to have */
    bool preview = take(&b, 1);
    return !preview && take(&b, 1);
}

/* Boxes: a length of 4 bytes (0: to the end; 1: 8 more follow), a name of four letters. */
bool piaa_jxl_is_animated(const unsigned char *bytes, size_t size) {
    if (size && bytes[0]) return is_animated((bits){bytes, size, 0});
    for (size_t at = 0; at + 8 <= size;) {
        const unsigned char *box = bytes + at;
        size_t left = size - at, head = 8;
        uint64_t length = 0;
        for (int i = 0; i < 4; i++) length = length << 8 | box[i];
        if (length == 1 && left >= 16) {
            length = 0;
            for (int i = 8; i < 16; i++) length = length << 8 | box[i];
            head = 16;
        }
        bool part = memcmp(box + 4, "jxlp", 4) == 0;
        if (part) head += 4; /* its number */
        if ((part || memcmp(box + 4, "jxlc", 4) == 0) && left >= head)
            return is_animated((bits){box + head, left - head, 0});
        if (length < 8 || length >= left) return false;
        at += (size_t)length;
    }
    return false;
}
