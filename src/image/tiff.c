/* TIFF's directories.
 *
 * A TIFF file is a chain of directories, each a list of tagged values that describes one picture,
 * and each possibly with directories of its own below it (SubIFDs).  Nothing says that the first
 * picture is the photo.  Scanners and cameras begin with a thumbnail, and a raw file is TIFF to the
 * letter: a thumbnail that every TIFF reader understands, and below it sensor data that none
 * does. */
#include "image/tiff.h"

#include "base/portability.h"
#include "image/number.h"

#include <string.h>

enum { MOST_DIRECTORIES = 64 };

enum tag {
    NEW_SUBFILE_TYPE = 254,
    SUBFILE_TYPE = 255,
    IMAGE_WIDTH = 256,
    IMAGE_LENGTH = 257,
    BITS_PER_SAMPLE = 258,
    COMPRESSION = 259,
    PHOTOMETRIC = 262,
    MAKE = 271,
    STRIP_OFFSETS = 273,
    ORIENTATION = 274,
    SAMPLES_PER_PIXEL = 277,
    STRIP_BYTE_COUNTS = 279,
    RAW_DATA_OFFSET = 280, /* Panasonic's, in place of strips' */
    TILE_OFFSETS = 324,
    TILE_BYTE_COUNTS = 325,
    SUB_IFDS = 330,
    EXTRA_SAMPLES = 338,
    SAMPLE_FORMAT = 339,
    JPEG_TABLES = 347,
    SUBSAMPLING = 530,
    CFA_REPEAT_PATTERN = 33421,
    CFA_PATTERN = 33422,
    LEAF_DATA = 34310,
    DNG_VERSION = 50706
};

typedef struct file {
    const unsigned char *bytes;
    size_t size;
    bool big_endian, wide; /* wide: BigTIFF, whose counts and offsets have 64 bits */
    uint64_t version;      /* 42; 43: BigTIFF; 85: Panasonic's; Olympus' have letters there */
} file;

/* One picture. */
typedef struct directory {
    uint64_t at, next;                  /* offsets */
    uint64_t sub_ifds, offsets, counts; /* of these entries, 0: none */
    uint64_t tables;
    int page, subifd;
    uint64_t width, height, samples, bits, format, compression, photometric, orientation;
    bool reduced, mask, camera; /* camera: it names its maker, or DNG's version */
    bool alpha;
    bool subsampled; /* the colours of YCbCr, unless it says 1, 1 */
    bool pattern;    /* of colour filters, or Leaf's description of a sensor */
} directory;

typedef struct directories {
    directory items[MOST_DIRECTORIES];
    size_t count;
} directories;

/* `width` bytes at `at` as a number; 0 where the file does not reach. */
static uint64_t number_at(const file *f, uint64_t at, unsigned width) {
    if (at > f->size || width > f->size - at) return 0;
    return piaa_number(f->bytes + at, width, f->big_endian);
}

/* Bytes of one value of the types that hold whole numbers; 0 for others. */
static unsigned width_of_type(uint64_t type) {
    switch (type) {
    case 1: /* BYTE */
    case 7: /* UNDEFINED */
        return 1;
    case 3: /* SHORT */
        return 2;
    case 4:  /* LONG */
    case 13: /* IFD */
        return 4;
    case 16: /* LONG8 */
    case 18: /* IFD8 */
        return 8;
    default:
        return 0;
    }
}

static uint64_t count_of_entry(const file *f, uint64_t entry) {
    return number_at(f, entry + 4, f->wide ? 8 : 4);
}

/* The `index`th value of an entry; 0 where there is none. */
static uint64_t value_of_entry(const file *f, uint64_t entry, uint64_t index) {
    unsigned width = width_of_type(number_at(f, entry + 2, 2)), room = f->wide ? 8 : 4;
    uint64_t count = count_of_entry(f, entry), at = entry + 4 + room;
    if (!width || index >= count) return 0;
    if (count > room / width) at = number_at(f, at, room);
    if (at > f->size || index > f->size / width) return 0;
    return number_at(f, at + index * width, width);
}

static void read_entry(const file *f, uint64_t entry, directory *d) {
    uint64_t value = value_of_entry(f, entry, 0);
    switch (number_at(f, entry, 2)) {
    case NEW_SUBFILE_TYPE:
        d->reduced |= (value & 1) != 0;
        d->mask |= (value & 4) != 0;
        break;
    case SUBFILE_TYPE:
        d->reduced |= value == 2;
        break;
    case IMAGE_WIDTH:
        d->width = value;
        break;
    case IMAGE_LENGTH:
        d->height = value;
        break;
    case BITS_PER_SAMPLE:
        d->bits = value;
        break;
    case SAMPLE_FORMAT:
        d->format = value;
        break;
    case COMPRESSION:
        d->compression = value;
        break;
    case PHOTOMETRIC:
        d->photometric = value;
        break;
    case MAKE:
    case DNG_VERSION:
        d->camera = true;
        break;
    case ORIENTATION:
        d->orientation = value;
        break;
    case SAMPLES_PER_PIXEL:
        d->samples = value;
        break;
    case EXTRA_SAMPLES:
        d->alpha = value == 1 || value == 2; /* 0: not specified */
        break;
    case SUBSAMPLING:
        d->subsampled = value != 1 || value_of_entry(f, entry, 1) != 1;
        break;
    case SUB_IFDS:
        d->sub_ifds = entry;
        break;
    case STRIP_OFFSETS:
    case TILE_OFFSETS:
        if (value != UINT32_MAX) d->offsets = entry;
        break;
    case RAW_DATA_OFFSET:
        if (f->version == 85) d->offsets = entry;
        break;
    case STRIP_BYTE_COUNTS:
    case TILE_BYTE_COUNTS:
        d->counts = entry;
        break;
    case JPEG_TABLES:
        d->tables = entry;
        break;
    case CFA_REPEAT_PATTERN:
    case CFA_PATTERN:
    case LEAF_DATA:
        d->pattern = true;
        break;
    default:
        break;
    }
}

/* Reads the directory at `at` behind those that are there.  False where it is not whole, was there
   already, or is one too many. */
static bool read_directory(const file *f, uint64_t at, int page, int subifd, directories *all) {
    unsigned start = f->wide ? 8 : 2, length = f->wide ? 20 : 12, link = f->wide ? 8 : 4;
    if (!at || at > f->size || f->size - at < start || all->count == MOST_DIRECTORIES) return false;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].at == at) return false;
    uint64_t count = number_at(f, at, start);
    if (!count || count > (f->size - at - start) / length) return false;
    directory *d = &all->items[all->count++];
    *d = (directory){.at = at,
                     .page = page,
                     .subifd = subifd,
                     .samples = 1,
                     .bits = 1,
                     .format = 1,
                     .subsampled = true};
    for (uint64_t i = 0; i < count; i++) read_entry(f, at + start + i * length, d);
    d->next = number_at(f, at + start + count * length, link);
    return true;
}

/* The chain's directories, each followed by those below it. */
static bool read_directories(const file *f, directories *all) {
    uint64_t at = number_at(f, f->wide ? 8 : 4, f->wide ? 8 : 4);
    for (int page = 0; read_directory(f, at, page, -1, all); page++) {
        const directory *d = &all->items[all->count - 1];
        at = d->next;
        uint64_t below = d->sub_ifds ? count_of_entry(f, d->sub_ifds) : 0, entry = d->sub_ifds;
        for (uint64_t i = 0; i < below && i < MOST_DIRECTORIES; i++)
            (void)read_directory(f, value_of_entry(f, entry, i), page, (int)i, all);
    }
    return all->count > 0;
}

/* What no TIFF reader understands: the light behind a colour filter array, or linear (DNG), and the
 * compressions that only makers use for their sensors (Sony, Epson, Samsung, Kodak, Nikon, Kodak,
 * Pentax). */
static bool is_sensor(const directory *d) {
    static const uint64_t compressions[] = {32767, 32769, 32770, 32867, 34713, 65000, 65535};
    if (d->photometric == 32803 || d->photometric == 34892) return true;
    for (size_t i = 0; i < PIAA_COUNT(compressions); i++)
        if (d->compression == compressions[i]) return true;
    return d->pattern && d->samples == 1;
}

/* From white-is-zero to ITULAB: a picture that TIFF itself defines, and no copy or mask of
   another. */
static bool is_full(const directory *d) {
    return !d->reduced && !d->mask && d->width && d->height && d->photometric <= 10;
}

/* The first directory, or the largest that is no copy of another. */
static const directory *find_photo(const directories *all) {
    const directory *first = &all->items[0], *best = NULL;
    if (is_full(first)) return first;
    for (size_t i = 1; i < all->count; i++) {
        const directory *d = &all->items[i];
        if (is_full(d) && (!best || d->width * d->height > best->width * best->height)) best = d;
    }
    return best ? best : first;
}

/* Sensor data are inside, or a camera's file holds nothing but thumbnails that can be understood:
   the rest is of its maker's own kind. */
static bool is_raw(const file *f, const directories *all, const directory *photo) {
    static const char canon[] = "\x10\0\0\0CR\2";
    if (f->size < 16) return false;
    const unsigned char *after = f->bytes + 8; /* where the first directory may be, and is not */
    if (memcmp(f->bytes + 4, canon, sizeof canon - 1) == 0) return true;
    /* Phase One */
    if (memcmp(after, "IIII", 4) == 0 && memcmp(after + 5, "waR", 3) == 0) return true;
    if (memcmp(after, "MMMM", 4) == 0 && memcmp(after + 4, "Raw", 3) == 0) return true;
    for (size_t i = 0; i < all->count; i++)
        if (is_sensor(&all->items[i])) return true;
    return all->items[0].reduced && all->items[0].camera && !is_full(photo);
}

/* The header: byte order, then the version. */
static bool read_header(file *f) {
    if (f->size >= 6 && memcmp(f->bytes, "Exif\0\0", 6) == 0) f->bytes += 6, f->size -= 6;
    if (f->size < 8) return false;
    f->big_endian = memcmp(f->bytes, "MM", 2) == 0;
    if (!f->big_endian && memcmp(f->bytes, "II", 2) != 0) return false;
    f->version = number_at(f, 2, 2);
    f->wide = f->version == 43;
    return !f->wide || number_at(f, 4, 2) == 8;
}

bool piaa_tiff_look(const unsigned char *bytes, size_t size, piaa_tiff *out) {
    *out = (piaa_tiff){.subifd = -1};
    file f = {.bytes = bytes, .size = size};
    directories all = {.count = 0};
    if (!read_header(&f) || (f.version != 42 && f.version != 43)) return false;
    if (!read_directories(&f, &all)) return false;
    const directory *photo = find_photo(&all);
    uint64_t orientation = photo->orientation ? photo->orientation : all.items[0].orientation;
    *out = (piaa_tiff){
        .raw = is_raw(&f, &all, photo),
        .page = photo->page,
        .subifd = photo->subifd,
        .width = (int64_t)(photo->width & INT32_MAX),
        .height = (int64_t)(photo->height & INT32_MAX),
        .samples = (int)(photo->samples & INT16_MAX),
        .bits = (int)(photo->bits & INT16_MAX),
        .alpha = photo->alpha,
        .photometric = (int)(photo->photometric & UINT16_MAX),
        .luma = photo->photometric == 6 && photo->compression != 6 && photo->compression != 7,
        .subsampled = photo->photometric == 6 && photo->subsampled,
        .format = photo->format >= 1 && photo->format <= 6 ? (piaa_tiff_format)photo->format
                                                           : PIAA_TIFF_UNSIGNED,
        .orientation = orientation >= 1 && orientation <= 8 ? (int)orientation : 0,
    };
    return true;
}

/* The bytes of an entry that holds more of them than fit into it. */
static const unsigned char *bytes_of_entry(const file *f, uint64_t entry, size_t *size) {
    uint64_t room = f->wide ? 8 : 4, count = entry ? count_of_entry(f, entry) : 0,
             at = entry ? number_at(f, entry + 4 + room, (unsigned)room) : 0;
    bool held = count > room && at <= f->size && count <= f->size - at;
    *size = held ? (size_t)count : 0;
    return held ? f->bytes + at : NULL;
}

bool piaa_tiff_visit(const unsigned char *bytes, size_t size,
                     bool (*visit)(void *user, const piaa_tiff_piece *piece), void *user) {
    file f = {.bytes = bytes, .size = size};
    directories all = {.count = 0};
    if (!read_header(&f) || !read_directories(&f, &all)) return false;
    const directory *d = find_photo(&all);
    uint64_t count = d->offsets && d->counts ? count_of_entry(&f, d->offsets) : 0, left = f.size;
    piaa_tiff_piece piece = {.compression = (int)(d->compression & UINT16_MAX)};
    piece.tables = bytes_of_entry(&f, d->tables, &piece.tables_size);
    if (count > f.size) return false; /* no file has more pieces than bytes, whatever it says */
    for (uint64_t i = 0; i < count && left; i++) {
        uint64_t at = value_of_entry(&f, d->offsets, i), length = value_of_entry(&f, d->counts, i);
        if (!length || at > f.size || length > f.size - at) continue;
        if (length > left) length = left; /* pieces may lie over each other: not for ever */
        left -= length;
        piece.bytes = f.bytes + at;
        piece.size = (size_t)length;
        if (visit(user, &piece)) return true;
    }
    return false;
}

static bool is_cut(const file *f, const directory *d) {
    uint64_t count = d->offsets && d->counts ? count_of_entry(f, d->offsets) : 0;
    if (count > f->size) return true;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = value_of_entry(f, d->offsets, i), size = value_of_entry(f, d->counts, i);
        if (at > f->size || size > f->size - at) return true;
    }
    return false;
}

bool piaa_tiff_is_cut(const unsigned char *bytes, size_t size) {
    file f = {.bytes = bytes, .size = size};
    directories all = {.count = 0};
    if (!read_header(&f) || !read_directories(&f, &all)) return false;
    for (size_t i = 0; i < all.count; i++)
        if (is_cut(&f, &all.items[i])) return true;
    return false;
}
