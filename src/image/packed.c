/* TIFF's packed pieces, looked at once more.
 *
 * libtiff stops as soon as a piece has given enough pixels: it does not come to deflate's checksum
 * (Adler-32, RFC 1950), which stands behind them, and what libjpeg has to say of a JPEG stream
 * (jpeg.c) goes to a handler that libvips has emptied.  LZW, PackBits and Zstandard have nothing
 * that would tell. */
#include "image/packed.h"

#include "base/memory.h"
#include "image/rows.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

enum { JPEG = 7, DEFLATE = 8, OLD_DEFLATE = 32946 };

static bool jpeg_is_damaged(const piaa_photo_file *stream) {
    piaa_rows rows;
    piaa_error why = {0};
    bool damaged = false;
    if (!piaa_jpeg_open(stream, &rows, &why)) return why.code == PIAA_FORMAT;
    uint8_t *row = piaa_alloc_array((size_t)rows.width, (size_t)rows.bands, NULL);
    for (int y = 0; row && y < rows.height && !damaged; y++)
        damaged = !rows.read(&rows, 1, row, &why) && why.code == PIAA_FORMAT;
    damaged = damaged || rows.damage[0];
    free(row);
    rows.close(&rows);
    return damaged;
}

/* A piece's stream lacks its tables, which are a stream of their own: put between that one's start
   and what follows the piece's start, they make it whole (TIFF Technical Note 2). */
static bool piece_is_damaged_jpeg(const piaa_tiff_piece *piece) {
    enum { MARKER = 2 };
    const size_t tables = piece->tables_size > MARKER ? piece->tables_size - MARKER : 0;
    if (piece->size <= MARKER) return true;
    piaa_photo_file stream = {.path = "", .kind = PIAA_KIND_JPEG};
    const size_t skipped = tables ? MARKER : 0;
    stream.size = tables + piece->size - skipped;
    stream.bytes = piaa_alloc_array(stream.size, 1, NULL);
    if (!stream.bytes) return false;
    if (tables) memcpy(stream.bytes, piece->tables, tables);
    memcpy(stream.bytes + tables, piece->bytes + skipped, piece->size - skipped);
    const bool damaged = jpeg_is_damaged(&stream);
    free(stream.bytes);
    return damaged;
}

static bool is_damaged_deflate(const piaa_tiff_piece *piece) {
    unsigned char unpacked[1 << 14];
    z_stream z = {.next_in = (Bytef *)piece->bytes};
    size_t left = piece->size;
    int result = Z_OK;
    if (inflateInit(&z) != Z_OK) return false;
    while (result == Z_OK) {
        if (!z.avail_in) {
            z.avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
            left -= z.avail_in;
        }
        z.next_out = unpacked;
        z.avail_out = sizeof unpacked;
        result = inflate(&z, Z_NO_FLUSH);
    }
    (void)inflateEnd(&z);
    return result == Z_DATA_ERROR; /* Z_BUF_ERROR: the checksum itself is missing */
}

bool piaa_packed_is_damaged(const piaa_tiff_piece *piece) {
    switch (piece->compression) {
    case JPEG:
        return piece_is_damaged_jpeg(piece);
    case DEFLATE:
    case OLD_DEFLATE:
        return is_damaged_deflate(piece);
    default:
        return false;
    }
}
