/* PNG's chunks: a length, a name of four letters, that many bytes and a checksum, one after the
   other. */
#include "image/png.h"

#include <string.h>
#include <zlib.h>

enum { LARGEST_TEXT = 16 << 20 }; /* of what compressed texts become */

typedef struct span {
    const unsigned char *bytes;
    size_t size;
} span;

static span behind(span s, size_t count) {
    return (span){s.bytes + count, s.size - count};
}

/* ---------------------------------------------------------------------------------------- texts */

/* What is broken or too long stays as far as it goes; its reader will say no. */
static bool inflate_text(span in, piaa_text *out, piaa_error *error) {
    unsigned char part[1 << 14];
    z_stream z = {.next_in = (unsigned char *)in.bytes, .avail_in = (uInt)in.size};
    if (inflateInit(&z) != Z_OK) return piaa_error_set(error, PIAA_MEMORY, "out of memory");
    bool ok = true;
    int state = Z_OK;
    while (ok && state == Z_OK && out->length < LARGEST_TEXT) {
        z.next_out = part;
        z.avail_out = sizeof part;
        state = inflate(&z, Z_NO_FLUSH);
        size_t got = sizeof part - z.avail_out;
        if (!got) break;
        ok = piaa_text_add(out, part, got, error);
    }
    inflateEnd(&z);
    return ok;
}

static bool skip_string(span *s) {
    const unsigned char *end = memchr(s->bytes, 0, s->size);
    if (!end) return false;
    *s = behind(*s, (size_t)(end - s->bytes) + 1);
    return true;
}

/* The text of a chunk of one of the three kinds, behind its key. */
static bool read_text(const char *name, span s, piaa_text *out, piaa_error *error) {
    bool international = memcmp(name, "iTXt", 4) == 0,
         compressed = memcmp(name, "zTXt", 4) == 0 || (international && s.size && s.bytes[0]);
    size_t flags = international ? 2 : compressed ? 1 : 0;
    if (s.size < flags) return true;
    s = behind(s, flags);
    for (int languages = 0; international && languages < 2; languages++)
        if (!skip_string(&s)) return true;
    return compressed ? inflate_text(s, out, error) : piaa_text_add(out, s.bytes, s.size, error);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "\nexif\n      32\n4578…": a name, a length, and bytes in hexadecimal, lines broken anywhere.
   Written over the text itself. */
static void read_dump(piaa_text *text) {
    if (!text->length) return;
    const char *at = text->data, *end = at + text->length;
    at += strspn(at, " \t\r\n");
    at += strcspn(at, "\r\n");
    at += strspn(at, " \t\r\n");
    at += strspn(at, "0123456789");
    size_t length = 0;
    int high = -1;
    for (; at < end; at++) {
        int digit = hex_digit(*at);
        if (digit < 0) continue;
        if (high >= 0) text->data[length++] = (char)(high << 4 | digit);
        high = high < 0 ? digit : -1;
    }
    text->length = length;
}

/* --------------------------------------------------------------------------------------- chunks */

static const char exif_mark[] = "Exif\0", xmp_mark[] = "http://ns.adobe.com/xap/1.0/";

/* An APP1 segment of JPEG holds one or the other, and says which: both marks end with a zero. */
static void keep_part(piaa_text *text, piaa_png_part part) {
    const char *mark = part == PIAA_PNG_EXIF ? exif_mark : xmp_mark;
    size_t size = part == PIAA_PNG_EXIF ? sizeof exif_mark : sizeof xmp_mark;
    bool is_part = text->length > size && memcmp(text->data, mark, size) == 0;
    if (is_part && part == PIAA_PNG_XMP)
        memmove(text->data, text->data + size, text->length -= size);
    if (!is_part) text->length = 0;
}

static bool take_text(const char *name, span chunk, piaa_png_part part, piaa_text *out,
                      piaa_error *error) {
    static const char *const keys[][2] = {{"Raw profile type exif", NULL},
                                          {"XML:com.adobe.xmp", "Raw profile type xmp"}};
    static const char either[] = "Raw profile type APP1";
    span text = chunk;
    const char *key = (const char *)chunk.bytes;
    if (!skip_string(&text)) return true;
    bool plain = part == PIAA_PNG_XMP && strcmp(key, keys[part][0]) == 0,
         dump = !plain && (strcmp(key, keys[part][0]) == 0 ||
                           (keys[part][1] && strcmp(key, keys[part][1]) == 0)),
         app1 = strcmp(key, either) == 0;
    if (!plain && !dump && !app1) return true;
    if (!read_text(name, text, out, error)) return false;
    if (!plain) read_dump(out);
    if (app1) keep_part(out, part);
    return true;
}

bool piaa_png_find(const unsigned char *bytes, size_t size, piaa_png_part part, piaa_text *out,
                   piaa_error *error) {
    enum { SIGNATURE = 8, HEAD = 8, CHECKSUM = 4 };
    if (size < SIGNATURE) return true;
    span rest = {bytes + SIGNATURE, size - SIGNATURE};
    while (rest.size > HEAD && !out->length) {
        const unsigned char *b = rest.bytes;
        const char *name = (const char *)b + 4;
        size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (length > rest.size - HEAD) return true;
        span chunk = {b + HEAD, length};
        bool text = memcmp(name + 1, "TXt", 3) == 0 || memcmp(name, "tEXt", 4) == 0;
        if (part == PIAA_PNG_EXIF && memcmp(name, "eXIf", 4) == 0 &&
            !piaa_text_add(out, chunk.bytes, length, error))
            return false;
        if (text && !take_text(name, chunk, part, out, error)) return false;
        size_t whole = HEAD + length + CHECKSUM;
        if (whole >= rest.size) return true;
        rest = behind(rest, whole);
    }
    return true;
}
