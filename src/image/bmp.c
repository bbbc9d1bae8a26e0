/* Windows and OS/2 bitmaps, as Pillow reads them: palettes of 1, 4 and 8 bits, plain or run-length
 * coded, and colours of 16, 24 and 32 bits, with masks or without.  What is called alpha is
 * dropped.
 *
 *     14 bytes    "BM", the file's size, 4 bytes of nothing, where the pixels begin; the clipboard
 *                 has no such header, and some programs write ".dib" files without it
 *     12 bytes    OS/2: its own size, then width, height, planes and bits in 2 bytes each
 *     40 to 124   Windows: its own size, width, height (negative: from the top), planes, bits,
 *                 compression, …, at 32 the number of colours; three masks at 40, or behind it
 *     palette     blue, green, red, and from Windows on one byte more
 *     rows        from the bottom, each a multiple of 4 bytes long */
#include "image/rows.h"

#include "base/memory.h"
#include "image/number.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_HEADER = 14, CORE = 12, INFO = 40, WITH_MASKS = 52, COLOURS = 256, CHANNELS = 3 };
enum compression { PLAIN = 0, RUNS_OF_8 = 1, RUNS_OF_4 = 2, MASKS = 3 };

typedef struct bitmap {
    const piaa_photo_file *file;
    int width, height, bits, compression;
    bool from_top;
    size_t start, stride; /* of the rows */
    uint32_t masks[CHANNELS];
    uint8_t palette[COLOURS][CHANNELS]; /* black where there is none */
    uint8_t *indices;                   /* [height][width] of runs, from the bottom; else NULL */
    int next;
} bitmap;

static uint32_t number(const unsigned char *at, int size) {
    return (uint32_t)piaa_number(at, (unsigned)size, false);
}

static bool cut_short(const bitmap *b, piaa_error *error) {
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s is damaged or cut short (the file ends before the picture does): copy it "
        "again from where it came from",
        b->file->path);
}

/* --------------------------------------------------------------------------------------- header */

static bool unsupported(const bitmap *b, piaa_error *error) {
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s is a kind of BMP that is not read (%d bits, compression %d), or its "
                          "start is damaged: save it as PNG",
                          b->file->path, b->bits, b->compression);
}

static void set_masks(bitmap *b, const unsigned char *at) {
    static const uint32_t of_16[CHANNELS] = {0x7c00, 0x3e0, 0x1f},
                          of_32[CHANNELS] = {0xff0000, 0xff00, 0xff};
    for (int c = 0; c < CHANNELS; c++)
        b->masks[c] = at ? number(at + 4 * (ptrdiff_t)c, 4) : b->bits == 16 ? of_16[c] : of_32[c];
    if (!b->masks[0] && !b->masks[1] && !b->masks[2]) memcpy(b->masks, of_32, sizeof of_32);
}

static bool is_known(const bitmap *b) {
    switch (b->compression) {
    case PLAIN:
        return b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 16 || b->bits == 24 ||
               b->bits == 32;
    case RUNS_OF_8:
        return b->bits == 8;
    case RUNS_OF_4:
        return b->bits == 4;
    case MASKS:
        return b->bits == 16 || b->bits == 24 || b->bits == 32;
    default:
        return false;
    }
}

/* Sizes and kind; `at` is the second header, of `size` bytes. */
static void read_sizes(bitmap *b, const unsigned char *at, size_t size) {
    if (size == CORE) {
        b->width = (int)number(at + 4, 2);
        b->height = (int)number(at + 6, 2);
        b->bits = (int)number(at + 10, 2);
        return;
    }
    const uint32_t width = number(at + 4, 4);
    uint32_t height = number(at + 8, 4);
    b->from_top = height > INT32_MAX;
    if (b->from_top) height = 0U - height;
    b->width = width <= INT32_MAX ? (int)width : 0;
    b->height = height <= INT32_MAX ? (int)height : 0;
    b->bits = (int)number(at + 14, 2);
    b->compression = number(at + 16, 4) <= MASKS ? (int)number(at + 16, 4) : MASKS + 1;
}

static void read_palette(bitmap *b, size_t at, size_t count, size_t entry) {
    for (size_t i = 0; i < count && i < COLOURS && at + (i + 1) * entry <= b->file->size; i++)
        for (int c = 0; c < CHANNELS; c++)
            b->palette[i][c] = b->file->bytes[at + i * entry + (size_t)(2 - c)];
}

static bool read_header(bitmap *b, piaa_error *error) {
    const unsigned char *bytes = b->file->bytes;
    const size_t file_size = b->file->size;
    const size_t head = file_size > 2 && memcmp(bytes, "BM", 2) == 0 ? FILE_HEADER : 0;
    if (file_size < FILE_HEADER + CORE) return cut_short(b, error);
    const size_t size = number(bytes + head, 4);
    if (size != CORE && size < INFO) return unsupported(b, error);
    if (file_size - head < size) return cut_short(b, error);
    const unsigned char *info = bytes + head;
    read_sizes(b, info, size);
    if (b->width <= 0 || b->height <= 0 || !is_known(b)) return unsupported(b, error);

    size_t palette = head + size;
    const unsigned char *masks = NULL;
    if (b->compression == MASKS) { /* part of later headers, which say the same in the same place */
        if (file_size < head + WITH_MASKS) return cut_short(b, error);
        masks = info + INFO;
        if (size == INFO) palette += WITH_MASKS - INFO;
    }
    set_masks(b, masks);
    const size_t told = size == CORE ? 0 : number(info + 32, 4), entry = size == CORE ? 3 : 4;
    const size_t most = b->bits <= 8 ? (size_t)1 << b->bits : 0,
                 colours = told && told < most ? told : most;
    read_palette(b, palette, colours, entry);
    b->start = head ? number(bytes + 10, 4) : size;
    if (b->start == head + size) b->start = palette + entry * colours; /* as some forget */
    b->stride = ((size_t)b->width * (size_t)b->bits + 31) / 32 * 4;
    return b->start <= file_size || cut_short(b, error);
}

/* ----------------------------------------------------------------------------------------- runs */

/* Pairs of a count and a colour; a count of 0 begins what is none: 0 the end of a row, 1 the end, 2
   a step to the right and up, others so many colours one by one, filled up to an even number of
   bytes.  What is stepped over is colour 0. */
static bool read_runs(bitmap *b, piaa_error *error) {
    const unsigned char *at = b->file->bytes + b->start, *end = b->file->bytes + b->file->size;
    const bool halves = b->compression == RUNS_OF_4;
    const size_t width = (size_t)b->width, height = (size_t)b->height;
    size_t x = 0, y = 0;
    b->indices = piaa_alloc(height, width, error);
    if (!b->indices) return piaa_error_prefix(error, "%s", b->file->path);
    while (end - at >= 2) {
        const unsigned count = at[0], what = at[1];
        at += 2;
        if (!count && what == 1) return true;
        if (!count && what == 0) {
            x = 0, y++;
            continue;
        }
        if (!count && what == 2) {
            if (end - at < 2) break;
            x += at[0], y += at[1];
            at += 2;
            continue;
        }
        const size_t many = count ? count : what, used = halves ? (many + 1) / 2 : many;
        if (!count && (size_t)(end - at) < used) break;
        for (size_t i = 0; i < many; i++, x++) {
            const unsigned byte = count ? what : at[halves ? i / 2 : i];
            if (x < width && y < height)
                b->indices[y * width + x] = (uint8_t)(!halves ? byte
                                                      : i % 2 ? byte & 15
                                                              : byte >> 4);
        }
        if (!count) at += used + used % 2 <= (size_t)(end - at) ? used + used % 2 : used;
    }
    return y >= height || (y + 1 == height && x >= width) || cut_short(b, error);
}

/* ----------------------------------------------------------------------------------------- rows */

/* The bits of the mask as 0 to 255. */
static uint8_t masked(uint32_t pixel, uint32_t mask) {
    if (!mask) return 0;
    while (!(mask & 1)) mask >>= 1, pixel >>= 1;
    return (uint8_t)((uint64_t)(pixel & mask) * 255 / mask);
}

static void unpack(const bitmap *b, const unsigned char *row, uint8_t *rgb) {
    const int bytes = b->bits / 8;
    for (int x = 0; x < b->width; x++, rgb += CHANNELS) {
        if (b->bits <= 8) {
            const int first = x * b->bits, shift = 8 - b->bits - first % 8;
            const unsigned index = (unsigned)row[first / 8] >> shift & ((1U << b->bits) - 1);
            memcpy(rgb, b->palette[index], CHANNELS);
        } else {
            const uint32_t pixel = number(row + (ptrdiff_t)x * bytes, bytes);
            for (int c = 0; c < CHANNELS; c++) rgb[c] = masked(pixel, b->masks[c]);
        }
    }
}

static bool read_rows(piaa_rows *rows, int count, uint8_t *samples, piaa_error *error) {
    bitmap *b = rows->decoder;
    const size_t width = (size_t)b->width, used = (width * (size_t)b->bits + 7) / 8;
    if (b->compression != PLAIN && b->compression != MASKS && !b->indices && !read_runs(b, error))
        return false;
    for (int i = 0; i < count; i++, b->next++, samples += width * CHANNELS) {
        const size_t y = (size_t)(b->from_top ? b->next : b->height - 1 - b->next);
        if (b->indices) {
            for (size_t x = 0; x < width; x++)
                memcpy(samples + x * CHANNELS, b->palette[b->indices[y * width + x]], CHANNELS);
            continue;
        }
        const size_t room = b->file->size - b->start;
        if (room < used || (room - used) / b->stride < y) return cut_short(b, error);
        unpack(b, b->file->bytes + b->start + y * b->stride, samples);
    }
    return true;
}

static void close_rows(piaa_rows *rows) {
    bitmap *b = rows->decoder;
    free(b->indices);
    free(b);
}

bool piaa_bmp_open(const piaa_photo_file *file, piaa_rows *rows, piaa_error *error) {
    bitmap *b = piaa_alloc(1, sizeof *b, error);
    if (!b) return false;
    b->file = file;
    if (!read_header(b, error)) {
        free(b);
        return false;
    }
    const bool runs = b->compression == RUNS_OF_8 || b->compression == RUNS_OF_4;
    *rows = (piaa_rows){.width = b->width,
                        .height = b->height,
                        .bands = CHANNELS,
                        .memory = runs ? (uint64_t)b->width * (uint64_t)b->height : 0,
                        .read = read_rows,
                        .close = close_rows,
                        .decoder = b};
    return true;
}
