/* Formats of photos, by name and by content. */
#include "image/formats.h"

#include "base/portability.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *ending;
    piaa_kind kind;
} endings[] = {
    {".jpg", PIAA_KIND_JPEG},  {".jpeg", PIAA_KIND_JPEG}, {".jpe", PIAA_KIND_JPEG},
    {".jfif", PIAA_KIND_JPEG}, {".png", PIAA_KIND_PNG},   {".webp", PIAA_KIND_WEBP},
    {".tif", PIAA_KIND_TIFF},  {".tiff", PIAA_KIND_TIFF}, {".gif", PIAA_KIND_GIF},
    {".heic", PIAA_KIND_HEIF}, {".heif", PIAA_KIND_HEIF}, {".avif", PIAA_KIND_HEIF},
    {".jxl", PIAA_KIND_JXL},   {".jp2", PIAA_KIND_JP2},   {".bmp", PIAA_KIND_BMP},
    {".ppm", PIAA_KIND_PNM},   {".pgm", PIAA_KIND_PNM},   {".dng", PIAA_KIND_RAW},
    {".nef", PIAA_KIND_RAW},   {".cr2", PIAA_KIND_RAW},   {".cr3", PIAA_KIND_RAW},
    {".arw", PIAA_KIND_RAW},   {".orf", PIAA_KIND_RAW},   {".raf", PIAA_KIND_RAW},
    {".rw2", PIAA_KIND_RAW},   {".pef", PIAA_KIND_RAW},
};

piaa_kind piaa_kind_of_name(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < PIAA_COUNT(endings); i++)
        if (strcasecmp(dot, endings[i].ending) == 0) return endings[i].kind;
    return PIAA_KIND_NONE;
}

/* ---------------------------------------------------------------------------------- by content */

#define SIGNATURE(at, text, kind)                                                                  \
    { text, sizeof(text) - 1, at, kind }

static const struct {
    const char *bytes;
    size_t size, at;
    piaa_kind kind;
} signatures[] = {
    SIGNATURE(0, "\xff\xd8\xff", PIAA_KIND_JPEG),
    SIGNATURE(0, "\x89PNG\r\n\x1a\n", PIAA_KIND_PNG),
    SIGNATURE(0, "GIF87a", PIAA_KIND_GIF),
    SIGNATURE(0, "GIF89a", PIAA_KIND_GIF),
    SIGNATURE(0, "II*\0", PIAA_KIND_TIFF),
    SIGNATURE(0, "MM\0*", PIAA_KIND_TIFF),
    SIGNATURE(0, "II+\0", PIAA_KIND_TIFF), /* BigTIFF */
    SIGNATURE(0, "MM\0+", PIAA_KIND_TIFF),
    SIGNATURE(0, "\xff\x0a", PIAA_KIND_JXL),
    SIGNATURE(0, "\0\0\0\x0cJXL \r\n\x87\n", PIAA_KIND_JXL),
    SIGNATURE(0, "\0\0\0\x0cjP  \r\n\x87\n", PIAA_KIND_JP2),
    SIGNATURE(0, "\xff\x4f\xff\x51", PIAA_KIND_JP2), /* its bare codestream */
    SIGNATURE(8, "WEBP", PIAA_KIND_WEBP),
    SIGNATURE(4, "ftypheic", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftypheix", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftyphevc", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftypheim", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftypheis", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftyphevm", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftyphevs", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftypmif1", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftypmsf1", PIAA_KIND_HEIF),
    SIGNATURE(4, "ftypavif", PIAA_KIND_HEIF),
};

static bool is_pnm(const unsigned char *bytes, size_t size) {
    return size > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
           (bytes[2] == '#' || bytes[2] == ' ' || (bytes[2] >= '\t' && bytes[2] <= '\r'));
}

/* "BM", and a header of a length that there is. */
static bool is_bmp(const unsigned char *bytes, size_t size) {
    return size > 18 && bytes[0] == 'B' && bytes[1] == 'M' && bytes[14] >= 12 && bytes[14] <= 124 &&
           !bytes[15] && !bytes[16] && !bytes[17];
}

piaa_kind piaa_kind_of(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < PIAA_COUNT(signatures); i++) {
        size_t at = signatures[i].at, length = signatures[i].size;
        if (at + length <= size && memcmp(bytes + at, signatures[i].bytes, length) == 0)
            return signatures[i].kind;
    }
    if (is_bmp(bytes, size)) return PIAA_KIND_BMP;
    return is_pnm(bytes, size) ? PIAA_KIND_PNM : PIAA_KIND_NONE;
}

/* ------------------------------------------------------------------------------------- readers */

const char *piaa_kind_loader(piaa_kind kind) {
    static const char *const loaders[PIAA_KINDS] = {
        [PIAA_KIND_JPEG] = "jpegload_source", [PIAA_KIND_PNG] = "pngload_source",
        [PIAA_KIND_WEBP] = "webpload_source", [PIAA_KIND_TIFF] = "tiffload_source",
        [PIAA_KIND_GIF] = "gifload_source",   [PIAA_KIND_HEIF] = "heifload_source",
        [PIAA_KIND_JXL] = "jxlload_source",   [PIAA_KIND_JP2] = "jp2kload_source",
        [PIAA_KIND_PNM] = "ppmload_source"};
    return loaders[kind];
}
