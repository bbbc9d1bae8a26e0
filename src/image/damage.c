/* What is lost of photos whose decoders do not say so.
 *
 * HEIF, JPEG 2000 and WebP pack a picture into bits that look like chance, and decoders make
 * something of whatever they find in their place.  A lost sector or a file whose end was never
 * written is one byte over and over there, 0x00 or 0xff, longer than a coder writes it: of flat
 * pictures of 12 megapixels the longest run is 16 bytes in HEIC and AVIF, and 10 in JPEG 2000 and
 * lossless WebP; lossy WebP, whose coder writes 0 for what it expects, has one for about 10,000
 * pixels.
 *
 * Two files that were run together, as file systems in trouble do, show the second one's head in
 * the middle of the first one's picture.
 *
 * In a GIF a zero ends the picture's data, so that the pixels are counted that the codes before it
 * stand for.
 *
 * PNG has checksums, JPEG XL refuses what does not fit, JPEG is looked after where it is decoded,
 * packed pieces of TIFF in packed.c; pictures that are not compressed may well hold zeros. */
#include "image/damage.h"

#include "image/number.h"
#include "image/packed.h"
#include "image/tiff.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST_RUN = 256, WEBP_PIXELS_PER_ZERO = 8192 };

/* Bytes that are read from the front; what is not there reads as 0 and sets `ended`. */
typedef struct part {
    const unsigned char *at, *end;
    bool ended;
} part;

static uint64_t take(part *p, unsigned size, bool big_endian) {
    if (size > sizeof(uint64_t) || (size_t)(p->end - p->at) < size) {
        p->ended = true;
        p->at = p->end;
        return 0;
    }
    const uint64_t value = piaa_number(p->at, size, big_endian);
    p->at += size;
    return value;
}

/* The next `size` bytes as a part of their own, or as many as there are. */
static part cut(part *p, uint64_t size) {
    const size_t left = (size_t)(p->end - p->at), used = size < left ? (size_t)size : left;
    part front = {p->at, p->at + used, size > left};
    p->at += used;
    return front;
}

static bool has_run_of(part p, unsigned char byte, size_t run) {
    while ((size_t)(p.end - p.at) >= run) {
        const unsigned char *other = p.at + run; /* behind the last that is another */
        while (other > p.at && other[-1] == byte) other--;
        if (other == p.at) return true;
        p.at = other;
    }
    return false;
}

/* What is wrong with a coded picture. */
typedef enum loss { NOTHING, BLANK, JOINED, PACKED } loss;

/* A lost sector reads as zeros, an erased block of flash memory as ones. */
static bool is_blank(part p, size_t run) {
    return has_run_of(p, 0x00, run) || has_run_of(p, 0xff, run);
}

enum { HEAD = 16 };

static bool matches(const unsigned char *at, const char *head, size_t size) {
    return memcmp(at, head, size) == 0;
}

/* Whether a photo's file begins at `at`, where HEAD bytes are: seven of them or more are known, so
   that none of them is there by chance; or the bytes are those that this very file begins with. */
static bool is_head(const unsigned char *at, const unsigned char *own) {
    switch (*at) {
    case 0xff:
        return matches(at, "\xff\xd8\xff", 3) &&
               (matches(at + 6, "JFIF\0", 5) || matches(at + 6, "Exif\0\0", 6));
    case 0x89:
        return matches(at, "\x89PNG\r\n\x1a\n", 8);
    case 'R':
        if (matches(at, "RIFF", 4) && matches(at + 8, "WEBPVP8", 7)) return true;
        break;
    case 0:
        if (matches(at, "\0\0\0", 3) && matches(at + 4, "ftyp", 4)) return true;
        break;
    default:
        break;
    }
    return memcmp(at, own, HEAD) == 0;
}

static bool has_head(part p, part whole) {
    if (whole.end - whole.at < HEAD) return false;
    for (const unsigned char *at = p.at; p.end - at >= HEAD; at++)
        if (at != whole.at && is_head(at, whole.at)) return true;
    return false;
}

static loss find_loss(part p, size_t run, part whole) {
    return is_blank(p, run) ? BLANK : has_head(p, whole) ? JOINED : NOTHING;
}

/* ----------------------------------------------------------------------------------------- WebP */

static loss find_in_webp(part whole, int64_t pixels) {
    part p = whole;
    const size_t lossy = LONGEST_RUN + (size_t)(pixels / WEBP_PIXELS_PER_ZERO);
    cut(&p, 12); /* RIFF, size, WEBP */
    while (p.at < p.end) {
        part name = cut(&p, 4);
        const uint64_t size = take(&p, 4, false);
        part data = cut(&p, size + size % 2);
        if (p.ended || name.ended) break;
        const bool lossless = memcmp(name.at, "VP8L", 4) == 0,
                   frame = memcmp(name.at, "VP8 ", 4) == 0 || memcmp(name.at, "ANMF", 4) == 0;
        const loss found =
            lossless || frame ? find_loss(data, lossless ? LONGEST_RUN : lossy, whole) : NOTHING;
        if (found) return found;
    }
    return NOTHING;
}

/* ----------------------------------------------------------------------------- boxes: HEIF, JP2 */

/* The next box of `p`: its name, and what is in it; false at the end. */
static bool next_box(part *p, char name[5], part *content) {
    uint64_t size = take(p, 4, true), header = 8;
    part type = cut(p, 4);
    if (p->ended || type.ended) return false;
    memcpy(name, type.at, 4);
    name[4] = '\0';
    if (size == 1) size = take(p, 8, true), header = 16;
    if (size == 0) size = header + (uint64_t)(p->end - p->at); /* up to the end */
    if (p->ended || size < header) return false;
    *content = cut(p, size - header);
    return true;
}

static bool find_box(part p, const char *wanted, part *content) {
    char name[5];
    while (next_box(&p, name, content))
        if (strcmp(name, wanted) == 0) return true;
    return false;
}

/* Of files run together the decoder says so itself. */
static loss find_in_jp2(part p) {
    part stream = p;
    const bool boxes = p.end - p.at < 2 || p.at[0] != 0xff;
    const unsigned char *end = p.end;
    while (end - p.at > 2 && end[-1] == 0) end--; /* zeros behind the end marker do no harm */
    if (!boxes && end[-2] == 0xff && end[-1] == 0xd9) stream.end = end;
    if (boxes && !find_box(p, "jp2c", &stream)) return NOTHING;
    return is_blank(stream, LONGEST_RUN) ? BLANK : NOTHING;
}

/* Whether an item holds a coded picture, and not EXIF data, which may be padded with zeros. */
static bool is_picture(part items, uint64_t id) {
    char name[5];
    part entry;
    const unsigned version = (unsigned)take(&items, 1, true);
    cut(&items, 3);
    take(&items, version ? 4 : 2, true); /* how many there are */
    while (next_box(&items, name, &entry)) {
        const unsigned kind = (unsigned)take(&entry, 1, true);
        cut(&entry, 3);
        if (strcmp(name, "infe") != 0 || kind < 2) continue;
        const uint64_t own = take(&entry, kind == 2 ? 2 : 4, true);
        cut(&entry, 2);
        part type = cut(&entry, 4);
        if (own == id)
            return !type.ended &&
                   (memcmp(type.at, "hvc1", 4) == 0 || memcmp(type.at, "av01", 4) == 0);
    }
    return false;
}

/* One item of the box "iloc": pieces, each at a place of the file.  `left` bytes are still to be
   looked at, so that pieces which lie over each other cannot keep us for ever. */
static loss find_in_item(part *places, unsigned version, unsigned sizes, part items, part whole,
                         uint64_t *left) {
    const unsigned offset_size = sizes >> 12, length_size = sizes >> 8 & 15,
                   index_size = version ? sizes & 15 : 0;
    const uint64_t id = take(places, version < 2 ? 2 : 4, true),
                   method = version ? take(places, 2, true) & 15 : 0;
    take(places, 2, true); /* which file: this one */
    const uint64_t base = take(places, sizes >> 4 & 15, true), pieces = take(places, 2, true);
    const bool picture = method == 0 && is_picture(items, id);
    for (uint64_t i = 0; i < pieces && !places->ended && offset_size + length_size; i++) {
        take(places, index_size, true);
        const uint64_t offset = take(places, offset_size, true);
        uint64_t length = take(places, length_size, true);
        if (!picture || offset > UINT64_MAX - base) continue;
        part rest = whole;
        cut(&rest, base + offset);
        if (length > *left) length = *left;
        *left -= length;
        const loss found = find_loss(cut(&rest, length), LONGEST_RUN, whole);
        if (found) return found;
    }
    return NOTHING;
}

static loss find_in_heif(part whole) {
    enum { MOST_ITEMS = 4096 }; /* a photo of tiles has about fifty */
    part meta, items, places;
    if (!find_box(whole, "meta", &meta)) return NOTHING;
    cut(&meta, 4);
    if (!find_box(meta, "iinf", &items) || !find_box(meta, "iloc", &places)) return NOTHING;
    const unsigned version = (unsigned)take(&places, 1, true);
    cut(&places, 3);
    const unsigned sizes = (unsigned)take(&places, 2, true);
    const uint64_t count = take(&places, version < 2 ? 2 : 4, true);
    uint64_t left = (uint64_t)(whole.end - whole.at);
    loss found = NOTHING;
    for (uint64_t i = 0; i < count && i < MOST_ITEMS && !places.ended && !found; i++)
        found = find_in_item(&places, version, sizes, items, whole, &left);
    return found;
}

/* ------------------------------------------------------------------------------------------ GIF */

/* Codes of 3 to 12 bits, lowest bit first, in blocks of up to 255 bytes. */
typedef struct codes {
    part data;
    uint64_t block;    /* bytes left in this one */
    unsigned held, at; /* bits that are there, and how many */
} codes;

static int next_code(codes *c, unsigned bits) {
    while (c->at < bits) {
        if (!c->block) c->block = take(&c->data, 1, false);
        if (!c->block || c->data.ended) return -1;
        c->held |= (unsigned)take(&c->data, 1, false) << c->at;
        c->at += 8;
        c->block--;
    }
    const int code = (int)(c->held & ((1U << bits) - 1));
    c->held >>= bits;
    c->at -= bits;
    return code;
}

/* Pixels that the codes stand for: LZW without the pixels, only the lengths of its strings. */
static int64_t count_pixels(part data) {
    enum { CODES = 4096, MOST_BITS = 12 };
    int32_t length[CODES];
    codes c = {.data = data};
    const unsigned root = (unsigned)take(&c.data, 1, false);
    if (root < 1 || root >= MOST_BITS) return 0;
    const int clear = 1 << root;
    int next = clear + 2, last = -1;
    unsigned bits = root + 1;
    int64_t pixels = 0;
    for (int i = 0; i < clear + 2; i++) length[i] = 1;
    for (int code; (code = next_code(&c, bits)) >= 0 && code != clear + 1;) {
        if (code == clear) {
            next = clear + 2, last = -1;
            bits = root + 1;
            continue;
        }
        if (code > next || (code == next && last < 0)) break; /* no such code yet */
        if (last >= 0 && next < CODES) {
            length[next++] = length[last] + 1;
            if (next == 1 << bits && bits < MOST_BITS) bits++;
        } else if (code >= next) {
            break;
        }
        pixels += length[code];
        last = code;
    }
    return pixels;
}

static void skip_blocks(part *p) {
    for (uint64_t size; (size = take(p, 1, false)) != 0;) cut(p, size);
}

static void skip_palette(part *p, unsigned flags) {
    if (flags & 0x80) cut(p, 3U << ((flags & 7) + 1));
}

/* Of the first picture, the only one that is read. */
static void find_in_gif(part p, char damage[PIAA_DAMAGE]) {
    cut(&p, 10);
    const unsigned flags = (unsigned)take(&p, 1, false);
    cut(&p, 2);
    skip_palette(&p, flags);
    while (take(&p, 1, false) == 0x21) { /* remarks */
        take(&p, 1, false);
        skip_blocks(&p);
        if (p.ended) return;
    }
    cut(&p, 4); /* what else begins here is a picture, or the decoder has refused it */
    const int64_t width = (int64_t)take(&p, 2, false), height = (int64_t)take(&p, 2, false);
    skip_palette(&p, (unsigned)take(&p, 1, false));
    const int64_t there = p.ended ? 0 : count_pixels(p), wanted = width * height;
    if (there < wanted)
        snprintf(damage, PIAA_DAMAGE, "part of the picture is lost (%lld of %lld pixels are there)",
                 (long long)there, (long long)wanted);
}

/* ------------------------------------------------------------------------------ TIFF, BMP, PNM */

/* A file on the way through its pieces. */
typedef struct search {
    part whole;
    loss found;
} search;

static bool look_at_piece(void *user, const piaa_tiff_piece *piece) {
    search *s = user;
    const part p = {piece->bytes, piece->bytes + piece->size, false};
    if (piaa_packed_is_damaged(piece))
        s->found = PACKED;
    else if (piece->compression == 1 && has_head(p, s->whole))
        s->found = JOINED;
    return s->found != NOTHING;
}

static loss find_in_tiff(part whole) {
    search s = {whole, NOTHING};
    piaa_tiff_visit(whole.at, (size_t)(whole.end - whole.at), look_at_piece, &s);
    return s.found;
}

/* The file's first `size` bytes are of one picture. */
static loss find_in_pixels(part whole, uint64_t size) {
    part rest = whole;
    return has_head(cut(&rest, size), whole) ? JOINED : NOTHING;
}

static loss find_in_bmp(part whole) {
    part p = whole;
    cut(&p, 2);
    return find_in_pixels(whole, take(&p, 4, false));
}

/* What follows the picture may be another one. */
static loss find_in_pnm(part whole, int64_t pixels) {
    const char kind = whole.end - whole.at > 1 ? (char)whole.at[1] : '\0';
    const uint64_t samples = kind == '6' ? 3 : kind == '5' ? 1 : 0;
    return find_in_pixels(whole, samples * (uint64_t)pixels);
}

/* --------------------------------------------------------------------------------------- a file */

void piaa_damage_find(const piaa_photo_file *file, int64_t pixels, char damage[PIAA_DAMAGE]) {
    static const char *const causes[] = {NULL, "blank bytes stand in its place",
                                         "another file begins in the middle of it",
                                         "its packed data are damaged"};
    const part whole = {file->bytes, file->bytes + file->size, false};
    loss found = NOTHING;
    damage[0] = '\0';
    switch (file->kind) {
    case PIAA_KIND_GIF:
        find_in_gif(whole, damage);
        return;
    case PIAA_KIND_WEBP:
        found = find_in_webp(whole, pixels);
        break;
    case PIAA_KIND_JP2:
        found = find_in_jp2(whole);
        break;
    case PIAA_KIND_HEIF:
        found = find_in_heif(whole);
        break;
    case PIAA_KIND_TIFF:
        found = find_in_tiff(whole);
        break;
    case PIAA_KIND_BMP:
        found = find_in_bmp(whole);
        break;
    case PIAA_KIND_PNM:
        found = find_in_pnm(whole, pixels);
        break;
    default:
        break;
    }
    if (found) snprintf(damage, PIAA_DAMAGE, "part of the picture is lost (%s)", causes[found]);
}
