/* Packets in JPEG's segments and TIFF's directories, found and changed without moving what is not
   theirs to move.  JPEG: ISO 10918-1, XMP specification part 3, CIPA DC-007; TIFF 6.0, BigTIFF. */
#include "image/embed.h"

#include "image/formats.h"
#include "image/number.h"
#include "image/tiff.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROOM = 2048,     /* that a packet gets to grow in */
    LONGEST = 65535, /* segment of a JPEG */
    XMP_TAG = 700,
    DNG_TAG = 50706
};

static void put_number(unsigned char *bytes, unsigned width, bool big_endian, uint64_t value) {
    for (unsigned i = 0; i < width; i++)
        bytes[i] = (unsigned char)(value >> 8 * (big_endian ? width - 1 - i : i));
}

/* The packet that was there, changed, in its old size if that can be; else with room. */
static bool change_packet(const void *old, size_t size, const piaa_xmp_change *change,
                          piaa_text *out, piaa_error *error) {
    if (!size) return piaa_xmp_new(change, &(piaa_xmp_form){.padded = true}, out, error);
    if (!piaa_xmp_edit(old, size, change, out, error)) return false;
    if (!piaa_xmp_fit(out, size) && out->length + ROOM < LONGEST / 2)
        piaa_xmp_fit(out, out->length + ROOM);
    return true;
}

/* ----------------------------------------------------------------------------------------- JPEG */

static const char xmp_name[] = "http://ns.adobe.com/xap/1.0/";
static const char extended_name[] = "http://ns.adobe.com/xmp/extension/";

enum {
    MARKER = 2, /* bytes */
    LENGTH = 2, /* of what follows, these two among it */
    SEGMENT = MARKER + LENGTH,
    NAMED = SEGMENT + sizeof xmp_name, /* with its NUL, as the standard has it */
    SOS = 0xda,
    EOI = 0xd9,
    APP0 = 0xe0,
    APP1 = 0xe1,
    APP2 = 0xe2
};

/* What a JPEG holds before its first scan. */
typedef struct jpeg {
    piaa_embedded packet;
    size_t segments;                /* with packets */
    size_t behind;                  /* the segments of JFIF and EXIF */
    size_t pictures, pictures_size; /* MPF's TIFF block; 0: none */
    bool extended, rated;           /* there is extended XMP; with a word about ratings */
} jpeg;

static bool begins(const unsigned char *bytes, size_t size, const char *name, size_t length) {
    return size >= length && memcmp(bytes, name, length) == 0;
}

static bool contains(const unsigned char *bytes, size_t size, const char *word) {
    const size_t n = strlen(word);
    for (size_t i = 0; i + n <= size; i++)
        if (bytes[i] == (unsigned char)word[0] && memcmp(bytes + i, word, n) == 0) return true;
    return false;
}

/* One segment: its marker is at `at`, its content of `size` bytes behind the length. */
static void note_segment(const unsigned char *photo, size_t at, size_t size, jpeg *j) {
    const unsigned char *content = photo + at + SEGMENT;
    const int marker = photo[at + 1];
    const size_t end = at + SEGMENT + size;
    if (j->behind == at &&
        (marker == APP0 || (marker == APP1 && begins(content, size, "Exif\0", 5))))
        j->behind = end;
    if (marker == APP1 && begins(content, size, xmp_name, sizeof xmp_name)) {
        j->packet = (piaa_embedded){at + NAMED, end - at - NAMED};
        j->segments++;
    } else if (marker == APP1 && begins(content, size, extended_name, sizeof extended_name)) {
        j->extended = true;
        j->rated |= contains(content, size, "Rating");
    } else if (marker == APP2 && begins(content, size, "MPF", 4)) {
        j->pictures = at + SEGMENT + 4;
        j->pictures_size = size - 4;
    }
}

static bool walk_jpeg(const unsigned char *photo, size_t size, jpeg *j, piaa_error *error) {
    *j = (jpeg){.behind = MARKER};
    for (size_t at = MARKER; at + SEGMENT <= size && photo[at] == 0xff;) {
        const int marker = photo[at + 1];
        if (marker == SOS) return true;
        if (marker == EOI) break;
        if (marker == 0xff) { /* a fill byte */
            j->behind += j->behind == at;
            at++;
            continue;
        }
        const size_t length = (size_t)piaa_number(photo + at + MARKER, LENGTH, true);
        if (length < LENGTH || length > size - at - MARKER) break;
        note_segment(photo, at, length - LENGTH, j);
        at += MARKER + length;
    }
    return piaa_error_set(error, PIAA_FORMAT,
                          "the photo's JPEG segments are damaged, and nothing is changed in it");
}

static bool check_jpeg(const unsigned char *photo, const jpeg *j, piaa_error *error) {
    const char *why =
        j->segments > 1 ? "it has two XMP packets"
        : j->rated      ? "its extended XMP holds a rating too"
        : j->extended && !contains(photo + j->packet.at, j->packet.size, "HasExtendedXMP")
            ? "it has extended XMP that no packet speaks of"
            : NULL;
    return !why || piaa_error_set(error, PIAA_FORMAT, "nothing is changed in the photo: %s", why);
}

/* What MPF says of pictures in the file: 16 bytes each, of which the second four are a size and the
 * third a place, counted from the block; the first picture is the photo.  `behind`: the photo grows
 * by `more` behind the block, else before it. */
static bool shift_pictures(const unsigned char *photo, const jpeg *j, bool behind, size_t more,
                           size_t less, piaa_patch *patch, piaa_error *error) {
    enum { ENTRY = 12, PICTURE = 16, MP_ENTRY = 0xb002 };
    const unsigned char *block = photo + j->pictures;
    const size_t size = j->pictures_size;
    if (!j->pictures || more == less) return true;
    const bool big = size >= 8 && block[0] == 'M';
    const size_t first = size >= 8 ? (size_t)piaa_number(block + 4, 4, big) : 0,
                 count = first && first < size - 2 ? (size_t)piaa_number(block + first, 2, big) : 0;
    for (size_t i = 0; i < count && first + 2 + (i + 1) * ENTRY <= size; i++) {
        const unsigned char *entry = block + first + 2 + i * ENTRY;
        const size_t bytes = (size_t)piaa_number(entry + 4, 4, big),
                     at = (size_t)piaa_number(entry + 8, 4, big);
        if (piaa_number(entry, 2, big) != MP_ENTRY) continue;
        if (at > size || bytes > size - at || bytes % PICTURE) break;
        for (size_t k = 0; k < bytes / PICTURE; k++) {
            unsigned char now[8];
            const unsigned char *was = block + at + k * PICTURE + 4;
            const uint64_t length = piaa_number(was, 4, big), place = piaa_number(was + 4, 4, big);
            put_number(now, 4, big, k ? length : length + more - less);
            put_number(now + 4, 4, big, k && place && behind ? place + more - less : place);
            if (!piaa_patch_replace(patch, photo, (size_t)(was - photo), 8, now, 8, error))
                return false;
        }
        return true;
    }
    return piaa_error_set(error, PIAA_FORMAT,
                          "nothing is changed in the photo: its list of pictures (MPF) is damaged");
}

static bool change_jpeg(const unsigned char *photo, size_t size, const piaa_xmp_change *change,
                        piaa_patch *patch, piaa_error *error) {
    jpeg j;
    if (!walk_jpeg(photo, size, &j, error) || !check_jpeg(photo, &j, error)) return false;
    const piaa_embedded *old = &j.packet;
    const size_t at = old->size ? old->at : j.behind, head = old->size ? 0 : NAMED;
    piaa_text packet = {0};
    bool ok = change_packet(photo + old->at, old->size, change, &packet, error);
    const size_t length = packet.length + NAMED - MARKER;
    if (ok && length > LONGEST)
        ok = piaa_error_set(error, PIAA_UNSUPPORTED,
                            "the photo's XMP packet has no room left (64 KB)");
    unsigned char segment[NAMED] = {0xff, APP1};
    put_number(segment + MARKER, LENGTH, true, length);
    memcpy(segment + SEGMENT, xmp_name, sizeof xmp_name);
    if (ok && head)
        ok = piaa_patch_add(patch, at, 0, segment, NAMED, error);
    else if (ok)
        ok = piaa_patch_replace(patch, photo, at - NAMED + MARKER, LENGTH, segment + MARKER, LENGTH,
                                error);
    ok = ok && piaa_patch_replace(patch, photo, at, old->size, packet.data, packet.length, error) &&
         shift_pictures(photo, &j, at > j.pictures, head + packet.length, old->size, patch, error);
    free(packet.data);
    return ok;
}

/* ----------------------------------------------------------------------------------------- TIFF */

/* A TIFF file's first directory. */
typedef struct tiff {
    bool big_endian;
    unsigned head, entry, word; /* bytes of a directory's count, an entry, an offset */
    size_t at, count;           /* the directory, its entries */
    size_t tag;                 /* the entry with the packet; 0: none */
    piaa_embedded packet;
} tiff;

static bool damaged_tiff(piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT,
                          "the photo's TIFF directory is damaged, and nothing is changed in it");
}

static bool note_packet(const unsigned char *photo, size_t size, size_t entry, tiff *t,
                        piaa_error *error) {
    const uint64_t type = piaa_number(photo + entry + 2, 2, t->big_endian),
                   count = piaa_number(photo + entry + 4, t->word, t->big_endian),
                   at = piaa_number(photo + entry + 4 + t->word, t->word, t->big_endian);
    if (t->tag)
        return piaa_error_set(error, PIAA_FORMAT,
                              "nothing is changed in the photo: it has two XMP packets");
    if ((type != 1 && type != 7) || count <= t->word || at > size || count > size - at)
        return damaged_tiff(error);
    t->tag = entry;
    t->packet = (piaa_embedded){(size_t)at, (size_t)count};
    return true;
}

/* An entry whose values would lie behind the end of the file, where a packet may come to lie. */
static bool is_beyond(const unsigned char *photo, size_t size, size_t entry, const tiff *t) {
    static const unsigned widths[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    const uint64_t type = piaa_number(photo + entry + 2, 2, t->big_endian),
                   count = piaa_number(photo + entry + 4, t->word, t->big_endian),
                   at = piaa_number(photo + entry + 4 + t->word, t->word, t->big_endian);
    const unsigned width = type < PIAA_COUNT(widths) ? widths[type] : 0;
    if (!width || count <= t->word / width) return false;
    return at > size || count > (size - at) / width;
}

static bool read_tiff(const unsigned char *photo, size_t size, tiff *t, piaa_error *error) {
    if (size < 16) return damaged_tiff(error);
    *t = (tiff){.big_endian = photo[0] == 'M', .head = 2, .entry = 12, .word = 4};
    if (piaa_number(photo + 2, 2, t->big_endian) == 43)
        *t = (tiff){t->big_endian, 8, 20, 8, .at = 0};
    const uint64_t at = piaa_number(photo + t->word, t->word, t->big_endian);
    if (at < 8 || at > size || size - at < t->head) return damaged_tiff(error);
    const uint64_t count = piaa_number(photo + at, t->head, t->big_endian);
    if (!count || count > (size - at - t->head) / t->entry ||
        size - at - t->head - count * t->entry < t->word)
        return damaged_tiff(error);
    t->at = (size_t)at;
    t->count = (size_t)count;
    bool dng = false;
    for (size_t i = 0; i < t->count; i++) {
        const size_t entry = t->at + t->head + i * t->entry;
        const uint64_t tag = piaa_number(photo + entry, 2, t->big_endian);
        dng |= tag == DNG_TAG;
        if (is_beyond(photo, size, entry, t)) return damaged_tiff(error);
        if (tag == XMP_TAG && !note_packet(photo, size, entry, t, error)) return false;
    }
    if (piaa_tiff_is_cut(photo, size)) return damaged_tiff(error);
    piaa_tiff look;
    return (piaa_tiff_look(photo, size, &look) && (!look.raw || dng)) ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "it is a camera's raw file, and nothing is changed in those but DNG");
}

/* The entry of a packet that lies at `at`. */
static void put_entry(const tiff *t, unsigned char *out, size_t at, size_t size) {
    put_number(out, 2, t->big_endian, XMP_TAG);
    put_number(out + 2, 2, t->big_endian, 1); /* BYTE */
    put_number(out + 4, t->word, t->big_endian, size);
    put_number(out + 4 + t->word, t->word, t->big_endian, at);
}

/* A copy of the directory with one more entry, in the order of the tags. */
static bool copy_directory(const unsigned char *photo, const tiff *t, const unsigned char *entry,
                           piaa_text *out, piaa_error *error) {
    unsigned char count[8];
    const unsigned char *entries = photo + t->at + t->head;
    size_t before = 0;
    while (before < t->count &&
           piaa_number(entries + before * t->entry, 2, t->big_endian) < XMP_TAG)
        before++;
    put_number(count, t->head, t->big_endian, t->count + 1);
    piaa_text_add(out, count, t->head, error);
    piaa_text_add(out, entries, before * t->entry, error);
    piaa_text_add(out, entry, t->entry, error);
    return piaa_text_add(out, entries + before * t->entry, (t->count - before) * t->entry + t->word,
                         error);
}

/* Behind the file's end: the packet, perhaps the directory; and what leads there. */
static bool append(const unsigned char *photo, size_t size, const tiff *t, const piaa_text *packet,
                   piaa_patch *patch, piaa_error *error) {
    unsigned char entry[20], place[8];
    piaa_text tail = {0};
    const size_t at = size + size % 2, directory = at + packet->length + packet->length % 2;
    put_entry(t, entry, at, packet->length);
    piaa_text_add(&tail, "", size % 2, error);
    piaa_text_add(&tail, packet->data, packet->length, error);
    if (!t->tag) {
        piaa_text_add(&tail, "", packet->length % 2, error);
        copy_directory(photo, t, entry, &tail, error);
        put_number(place, t->word, t->big_endian, directory);
    }
    bool ok = !tail.failed;
    if (ok && t->word == 4 && tail.length > UINT32_MAX - size)
        ok = piaa_error_set(error, PIAA_UNSUPPORTED, "the photo would be larger than 4 GiB");
    ok = ok &&
         (t->tag ? piaa_patch_replace(patch, photo, t->tag + 4, 2 * t->word, entry + 4, 2 * t->word,
                                      error)
                 : piaa_patch_replace(patch, photo, t->word, t->word, place, t->word, error)) &&
         piaa_patch_add(patch, size, 0, tail.data, tail.length, error);
    free(tail.data);
    return ok;
}

/* A damaged directory further down may lead into what was appended, and the file be another then.
 */
static bool reads_again(const unsigned char *photo, size_t size, const piaa_text *packet,
                        const piaa_patch *patch, piaa_error *error) {
    piaa_text changed = {0};
    tiff t;
    const bool ok = piaa_patch_apply(patch, photo, size, &changed, error) &&
                    read_tiff((const unsigned char *)changed.data, changed.length, &t, error) &&
                    (t.packet.size == packet->length || damaged_tiff(error));
    free(changed.data);
    return ok;
}

static bool change_tiff(const unsigned char *photo, size_t size, const piaa_xmp_change *change,
                        piaa_patch *patch, piaa_error *error) {
    tiff t;
    if (!read_tiff(photo, size, &t, error)) return false;
    const piaa_embedded *old = &t.packet;
    piaa_text packet = {0};
    const bool ok =
        change_packet(photo + old->at, old->size, change, &packet, error) &&
        (packet.length == old->size
             ? piaa_patch_replace(patch, photo, old->at, old->size, packet.data, old->size, error)
             : append(photo, size, &t, &packet, patch, error) &&
                   reads_again(photo, size, &packet, patch, error));
    free(packet.data);
    return ok;
}

/* ---------------------------------------------------------------------------------------- whole */

static bool refuse(piaa_kind kind, piaa_error *error) {
    if (kind == PIAA_KIND_NONE)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "nothing is written into it: it is no photo, or its start is damaged");
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "nothing is written into a %s: only into JPEG, TIFF and DNG",
                          piaa_kind_noun(kind, false));
}

bool piaa_embed_find(const unsigned char *photo, size_t size, piaa_embedded *out,
                     piaa_error *error) {
    const piaa_kind kind = piaa_kind_of(photo, size);
    *out = (piaa_embedded){0};
    if (kind == PIAA_KIND_JPEG) {
        jpeg j;
        if (!walk_jpeg(photo, size, &j, error) || !check_jpeg(photo, &j, error)) return false;
        *out = j.packet;
        return true;
    }
    tiff t;
    if (kind != PIAA_KIND_TIFF) return refuse(kind, error);
    if (!read_tiff(photo, size, &t, error)) return false;
    *out = t.packet;
    return true;
}

bool piaa_embed_change(const unsigned char *photo, size_t size, const piaa_xmp_change *change,
                       piaa_patch *patch, piaa_error *error) {
    const piaa_kind kind = piaa_kind_of(photo, size);
    if (kind == PIAA_KIND_JPEG) return change_jpeg(photo, size, change, patch, error);
    return kind == PIAA_KIND_TIFF ? change_tiff(photo, size, change, patch, error)
                                  : refuse(kind, error);
}
