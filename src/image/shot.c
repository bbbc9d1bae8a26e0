/*
 * EXIF of the start of a file.
 *
 * Where a format keeps it matters little: it is a TIFF block behind a name of four or six letters,
 * and the first of those is the photo's own (a thumbnail's, where there is one, comes later).  In
 * TIFF, and in most raw files, the file itself is the block.  So a few bytes are read of each of
 * 40,000 photos, and no picture is opened.
 */
#include "image/shot.h"

#include "base/memory.h"
#include "base/portability.h"
#include "image/formats.h"

#include <fcntl.h>
#include <libexif/exif-data.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 6, TIFF = 4, NEAR = 1 << 16, FAR = 1 << 20 };

static const piaa_shot nothing = {.time = NAN, .bias = NAN, .exposure = NAN, .distance = NAN};

/* ------------------------------------------------------------------------------------- one block
 */

static bool is_tiff(const unsigned char *bytes) {
    return memcmp(bytes, "II*\0", TIFF) == 0 || memcmp(bytes, "MM\0*", TIFF) == 0;
}

/* The text of a tag, without blanks at its end; "" where there is none. */
static void read_text(ExifData *data, ExifTag tag, char *out, size_t room) {
    const ExifEntry *entry = exif_data_get_entry(data, tag);
    size_t length = 0;
    if (entry && entry->format == EXIF_FORMAT_ASCII)
        while (length + 1 < room && length < entry->size && entry->data[length]) {
            out[length] = (char)entry->data[length];
            length++;
        }
    while (length && out[length - 1] == ' ') length--;
    out[length] = '\0';
}

static double read_number(ExifData *data, ExifTag tag) {
    const ExifEntry *entry = exif_data_get_entry(data, tag);
    if (!entry || !entry->components || !entry->data) return NAN;
    const ExifByteOrder order = exif_data_get_byte_order(data);
    if (entry->size < exif_format_get_size(entry->format)) return NAN;
    switch (entry->format) {
    case EXIF_FORMAT_SHORT:
        return exif_get_short(entry->data, order);
    case EXIF_FORMAT_LONG:
        return exif_get_long(entry->data, order);
    case EXIF_FORMAT_RATIONAL: {
        const ExifRational value = exif_get_rational(entry->data, order);
        return value.denominator ? (double)value.numerator / value.denominator : NAN;
    }
    case EXIF_FORMAT_SRATIONAL: {
        const ExifSRational value = exif_get_srational(entry->data, order);
        return value.denominator ? (double)value.numerator / value.denominator : NAN;
    }
    default:
        return NAN;
    }
}

/* Days since 1970 of the Gregorian calendar: years begin in March, so that a leap day is the last
   of its year. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day) {
    const int64_t y = month > 2 ? year : year - 1, m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
}

/* "2024:05:13 10:11:12" and "347": a third of a second later. */
static double read_time(ExifData *data) {
    char text[32], part[16], number[24];
    int year, month, day, hour, minute, second;
    read_text(data, EXIF_TAG_DATE_TIME_ORIGINAL, text, sizeof text);
    if (sscanf(text, "%4d:%2d:%2d %2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) !=
            6 ||
        year < 1900 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60)
        return NAN;
    const double whole = (double)days_since_1970(year, month, day) * 86400 +
                         (double)(hour * 3600 + minute * 60 + second);
    read_text(data, EXIF_TAG_SUB_SEC_TIME_ORIGINAL, part, sizeof part);
    part[strspn(part, "0123456789")] = '\0';
    snprintf(number, sizeof number, "0.%s", part);
    return whole + strtod(number, NULL);
}

/* Log2 of what the settings let in; sensitivity counts where it is told. */
static double read_exposure(ExifData *data) {
    const double time = read_number(data, EXIF_TAG_EXPOSURE_TIME),
                 f = read_number(data, EXIF_TAG_FNUMBER),
                 iso = read_number(data, EXIF_TAG_ISO_SPEED_RATINGS);
    if (!(time > 0) || !(f > 0)) return NAN;
    return log2(f * f / time) - (iso > 0 ? log2(iso / 100) : 0);
}

static void read_camera(ExifData *data, piaa_shot *out) {
    enum { BODY_SERIAL_NUMBER = 0xa431 };
    char maker[32], model[32], serial[24];
    read_text(data, EXIF_TAG_MAKE, maker, sizeof maker);
    read_text(data, EXIF_TAG_MODEL, model, sizeof model);
    read_text(data, (ExifTag)BODY_SERIAL_NUMBER, serial, sizeof serial);
    if (*maker || *model || *serial)
        snprintf(out->camera, sizeof out->camera, "%s/%s/%s", maker, model, serial);
}

static double either(double known, double more) {
    return isnan(known) ? more : known;
}

/* `block`: "Exif\0\0" and TIFF.  Adds what is not known yet. */
static void read_block(const unsigned char *block, size_t size, piaa_shot *out) {
    ExifData *data = exif_data_new();
    if (!data) return;
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(data, block, (unsigned)size);
    out->time = either(out->time, read_time(data));
    out->bias = either(out->bias, read_number(data, EXIF_TAG_EXPOSURE_BIAS_VALUE));
    out->exposure = either(out->exposure, read_exposure(data));
    out->distance = either(out->distance, read_number(data, EXIF_TAG_SUBJECT_DISTANCE));
    out->bracketed |= read_number(data, EXIF_TAG_EXPOSURE_MODE) == 2;
    if (!*out->camera) read_camera(data, out);
    exif_data_unref(data);
}

/* ------------------------------------------------------------------------------------ where it is
 */

/* What stands before the TIFF block: JPEG's, HEIF's and Fuji's; PNG's; WebP's, whose chunks have a
   size of four bytes; and two of Canon's CR3, of which the second one has the time. */
static const struct {
    char name[HEADER + 1];
    size_t length, skip;
} marks[] = {{"Exif\0", 6, 0}, {"eXIf", 4, 0}, {"EXIF", 4, 4}, {"CMT1", 4, 0}, {"CMT2", 4, 0}};

static void read_tiff(const unsigned char *tiff, size_t size, piaa_shot *out) {
    unsigned char *block = piaa_alloc_array(HEADER + size, 1, NULL);
    if (!block) return;
    memcpy(block, "Exif\0", HEADER);
    memcpy(block + HEADER, tiff, size);
    read_block(block, HEADER + size, out);
    free(block);
}

/* What of a JPEG's bytes stands before its picture, where EXIF is, as far as they go; of other
   formats all.  Most of what there is to read of a photo without EXIF is its picture. */
static size_t before_picture(const unsigned char *bytes, size_t size) {
    enum { MARKER = 0xff, START_OF_IMAGE = 0xd8, START_OF_SCAN = 0xda };
    if (size < 2 || bytes[0] != MARKER || bytes[1] != START_OF_IMAGE) return size;
    size_t at = 2;
    while (at + 4 <= size && bytes[at] == MARKER && bytes[at + 1] != START_OF_SCAN)
        at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
    return at + 4 <= size && bytes[at] == MARKER ? at : size;
}

piaa_shot piaa_shot_of(const unsigned char *bytes, size_t size) {
    piaa_shot out = nothing;
    size = before_picture(bytes, size);
    if (size >= TIFF && is_tiff(bytes)) {
        read_tiff(bytes, size, &out);
        return out;
    }
    for (size_t at = 0; at + 2 * HEADER < size && isnan(out.time); at++) {
        if (bytes[at] != 'E' && bytes[at] != 'e' && bytes[at] != 'C') continue;
        for (size_t i = 0; i < PIAA_COUNT(marks); i++) {
            const size_t tiff = at + marks[i].length + marks[i].skip;
            if (tiff + TIFF <= size && memcmp(bytes + at, marks[i].name, marks[i].length) == 0 &&
                is_tiff(bytes + tiff))
                read_tiff(bytes + tiff, size - tiff, &out);
        }
    }
    return out;
}

static size_t read_start(int descriptor, unsigned char *to, size_t done, size_t most) {
    while (done < most) {
        const ssize_t got = read(descriptor, to + done, most - done);
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
}

piaa_shot piaa_shot_read(const char *path) {
    piaa_shot out = nothing;
    unsigned char *bytes = piaa_alloc_array(FAR, 1, NULL);
    const int descriptor = bytes ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
    if (descriptor >= 0) {
        const size_t first = read_start(descriptor, bytes, 0, NEAR);
        out = piaa_shot_of(bytes, first);
        if (isnan(out.time) && first == NEAR && before_picture(bytes, first) == first)
            out = piaa_shot_of(bytes, read_start(descriptor, bytes, first, FAR));
        close(descriptor);
    }
    free(bytes);
    return out;
}

/* ------------------------------------------------------------------------------- raw and picture
 */

typedef struct named {
    const char *path;
    size_t stem, photo;
    bool raw;
} named;

/* Pictures stand before raw files of their name. */
static int by_stem(const void *a, const void *b) {
    const named *x = a, *y = b;
    const int order = memcmp(x->path, y->path, x->stem < y->stem ? x->stem : y->stem);
    if (order) return order;
    if (x->stem != y->stem) return x->stem < y->stem ? -1 : 1;
    return x->raw != y->raw ? (x->raw ? 1 : -1) : strcmp(x->path, y->path);
}

static bool is_one_shot(const named *picture, const named *raw, const piaa_shot *shots) {
    if (picture->raw || !raw->raw || picture->stem != raw->stem ||
        memcmp(picture->path, raw->path, raw->stem) != 0)
        return false;
    const double apart = shots
                             ? shots[raw->photo].time - shots[picture->photo].time
                             : piaa_shot_read(raw->path).time - piaa_shot_read(picture->path).time;
    return !(fabs(apart) > 2);
}

bool piaa_shots_pair(const piaa_paths *paths, const piaa_shot *shots, const bool *asked,
                     size_t *shown, piaa_error *error) {
    named *list = piaa_alloc(paths->count, sizeof *list, error);
    if (!list) return false;
    for (size_t i = 0; i < paths->count; i++) {
        const char *path = paths->items[i];
        shown[i] = i;
        list[i] = (named){.path = path,
                          .stem = piaa_path_stem(path),
                          .photo = i,
                          .raw = piaa_kind_of_name(path) == PIAA_KIND_RAW};
    }
    qsort(list, paths->count, sizeof *list, by_stem);
    for (size_t i = 1, first = 0; i < paths->count; i++) {
        const named *own = &list[i], *picture = &list[first];
        if ((!asked || asked[picture->photo]) && is_one_shot(picture, own, shots))
            shown[own->photo] = picture->photo;
        else if (own->stem != picture->stem || memcmp(own->path, picture->path, own->stem) != 0)
            first = i;
    }
    free(list);
    return true;
}
