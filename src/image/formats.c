/* Kinds of files, by name and by content. */
#include "image/formats.h"

#include "base/portability.h"

#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------------- by name */

static const struct {
    piaa_kind kind;
    const char *endings; /* each between two blanks */
} endings[] = {
    /* .mpo: stereo cameras'; .insp: Insta360's; .jps: stereo pairs */
    {PIAA_KIND_JPEG, " jpg jpeg jpe jfif jfi jif mpo insp jps "},
    {PIAA_KIND_PNG, " png apng "},
    {PIAA_KIND_WEBP, " webp "},
    {PIAA_KIND_TIFF, " tif tiff btf tf8 bigtiff "},
    {PIAA_KIND_GIF, " gif "},
    /* .hif: Canon's, Sony's and Fujifilm's cameras' */
    {PIAA_KIND_HEIF, " heic heif hif heics heifs avif avifs avci avcs "},
    {PIAA_KIND_JXL, " jxl "},
    {PIAA_KIND_JP2, " jp2 jpx jpf jpm j2k j2c jpc jpt jph jhc "},
    {PIAA_KIND_BMP, " bmp dib "},
    {PIAA_KIND_PNM, " pnm pbm pgm ppm "},
    /* Adobe, GoPro; Canon; Nikon; Sony; Fujifilm; Olympus; Panasonic, Leica; Pentax; Samsung;
       Hasselblad; Phase One, Leaf, Mamiya; Epson; Kodak; Minolta; Sigma; Casio.  What others use
       too (.raw) is left to the content. */
    {PIAA_KIND_RAW,
     " dng gpr cr2 cr3 crw nef nrw arw srf sr2 arq raf orf ori rw2 rwl pef srw 3fr fff "
     "iiq mos mef erf dcr kdc k25 mrw x3f bay "},
    /* .lrv, .insv, .360: action cameras' */
    {PIAA_KIND_VIDEO,
     " mov qt mp4 m4v mpg mpeg mpe m2v avi divx mkv webm wmv asf flv f4v 3gp 3g2 mts "
     "m2ts ts m2t vob dv mxf ogv rm rmvb mj2 mjp2 insv lrv 360 braw r3d crm avchd "},
    {PIAA_KIND_AUDIO, " wav mp3 m4a aac flac ogg oga opus wma aif aiff amr mid midi "},
    /* edits and metadata of XMP, iOS, Lightroom and Camera Raw, RawTherapee, ART, DxO, Capture One,
       ON1, Nikon, Canon, Picasa, Windows; .thm: a video's first frame, in the size of a stamp */
    {PIAA_KIND_SIDECAR,
     " xmp aae lrtemplate acr pp3 arp dop cos cot cop comask on1 onphoto nks nksc vrd "
     "dr4 thm pho ctg ini db ds_store gpx nmea srt "},
    {PIAA_KIND_BACKUP, " bak backup orig old tmp temp part partial crdownload download "},
    {PIAA_KIND_HDR, " hdr rgbe exr pfm "},
    {PIAA_KIND_PICTURE,
     " psd psb xcf kra ora afphoto clip cdr ai eps ps pdf svg svgz wmf emf ico icns cur tga "
     "pcx dds jxr wdp hdp bpg flif qoi pam xpm xbm sgi rgb ras fits fit pict pct "},
};

/* What exiftool and editors leave beside the file that they changed. */
static bool is_backup(const char *name) {
    static const char *const ends[] = {"_original", "_exiftool_tmp", "~"};
    size_t length = strlen(name);
    for (size_t i = 0; i < PIAA_COUNT(ends); i++) {
        size_t end = strlen(ends[i]);
        if (length > end && strcasecmp(name + length - end, ends[i]) == 0) return true;
    }
    return false;
}

/* Whether `list` has `ending`, which is followed by nothing else. */
static bool lists(const char *list, const char *ending) {
    size_t length = strlen(ending);
    for (const char *at = list + 1; *at; at += strcspn(at, " ") + 1)
        if (strncasecmp(at, ending, length) == 0 && at[length] == ' ') return true;
    return false;
}

piaa_kind piaa_kind_of_name(const char *name) {
    if (is_backup(name)) return PIAA_KIND_BACKUP;
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && dot[1] && i < PIAA_COUNT(endings); i++)
        if (lists(endings[i].endings, dot + 1)) return endings[i].kind;
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
    SIGNATURE(16, "ftypmjp2", PIAA_KIND_VIDEO),
    SIGNATURE(0, "\0\0\0\x0cjP  \r\n\x87\n", PIAA_KIND_JP2),
    SIGNATURE(0, "\xff\x4f\xff\x51", PIAA_KIND_JP2), /* its bare codestream */
    SIGNATURE(8, "WEBP", PIAA_KIND_WEBP),
    SIGNATURE(0, "IIU\0", PIAA_KIND_RAW), /* Panasonic, Leica */
    SIGNATURE(0, "IIRO", PIAA_KIND_RAW),  /* Olympus */
    SIGNATURE(0, "IIRS", PIAA_KIND_RAW),
    SIGNATURE(0, "MMOR", PIAA_KIND_RAW),
    SIGNATURE(0, "FUJIFILMCCD-RAW", PIAA_KIND_RAW),
    SIGNATURE(0, "FOVb", PIAA_KIND_RAW),     /* Sigma */
    SIGNATURE(0, "\0MRM", PIAA_KIND_RAW),    /* Minolta */
    SIGNATURE(6, "HEAPCCDR", PIAA_KIND_RAW), /* Canon's CRW */
    SIGNATURE(25, "ARECOYK", PIAA_KIND_RAW), /* Contax N Digital */
    SIGNATURE(0, "v/1\x01", PIAA_KIND_HDR),  /* OpenEXR */
    SIGNATURE(0, "#?RADIANCE", PIAA_KIND_HDR),
    SIGNATURE(0, "#?RGBE", PIAA_KIND_HDR),
    SIGNATURE(4, "moov", PIAA_KIND_VIDEO), /* QuickTime before it had brands */
    SIGNATURE(4, "mdat", PIAA_KIND_VIDEO),
    SIGNATURE(4, "wide", PIAA_KIND_VIDEO),
    SIGNATURE(8, "AVI ", PIAA_KIND_VIDEO),
    SIGNATURE(0, "\x1a\x45\xdf\xa3", PIAA_KIND_VIDEO), /* Matroska, WebM */
    SIGNATURE(0, "\0\0\1\xba", PIAA_KIND_VIDEO),       /* MPEG */
    SIGNATURE(0, "\0\0\1\xb3", PIAA_KIND_VIDEO),
    SIGNATURE(0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", PIAA_KIND_VIDEO), /* Windows Media */
    SIGNATURE(0, "FLV\1", PIAA_KIND_VIDEO),
    SIGNATURE(8, "WAVE", PIAA_KIND_AUDIO),
    SIGNATURE(0, "fLaC", PIAA_KIND_AUDIO),
    SIGNATURE(0, "OggS", PIAA_KIND_AUDIO),
    SIGNATURE(0, "ID3", PIAA_KIND_AUDIO),
};

/* Of a file that opens with a box of brands (ISO 14496-12): the first is what it is, the others
   what it can pass for. */
static piaa_kind kind_of_brands(const unsigned char *bytes, size_t size) {
    static const char *const still[] = {"heic", "heix", "heim", "heis", "hevc", "hevx",
                                        "hevm", "hevs", "mif1", "mif2", "msf1", "avif",
                                        "avis", "avci", "avcs", "miaf"};
    enum { FIRST = 8, REST = 16 }; /* between them a version */
    if (size < FIRST + 4 || memcmp(bytes + 4, "ftyp", 4) != 0) return PIAA_KIND_NONE;
    const unsigned char *first = bytes + FIRST;
    if (memcmp(first, "crx ", 4) == 0) return PIAA_KIND_RAW; /* Canon's CR3 */
    size_t box = (size_t)bytes[2] << 8 | bytes[3], end = box < size ? box : size;
    if (bytes[0] || bytes[1] || box < REST) end = FIRST + 4;
    for (size_t at = FIRST; at + 4 <= end; at += at == FIRST ? REST - FIRST : 4)
        for (size_t i = 0; i < PIAA_COUNT(still); i++)
            if (memcmp(bytes + at, still[i], 4) == 0) return PIAA_KIND_HEIF;
    bool sound = memcmp(first, "M4A", 3) == 0 || memcmp(first, "M4B", 3) == 0;
    return sound ? PIAA_KIND_AUDIO : PIAA_KIND_VIDEO;
}

/* PNM's way: a letter P, one of `types`, and white space or a comment. */
static bool is_pnm(const unsigned char *bytes, size_t size, const char *types) {
    return size > 2 && bytes[0] == 'P' && bytes[1] && strchr(types, bytes[1]) &&
           (bytes[2] == '#' || bytes[2] == ' ' || (bytes[2] >= '\t' && bytes[2] <= '\r'));
}

/* "BM", and a header of a length that there is. */
static bool is_bmp(const unsigned char *bytes, size_t size) {
    return size > 18 && bytes[0] == 'B' && bytes[1] == 'M' && bytes[14] >= 12 && bytes[14] <= 124 &&
           !bytes[15] && !bytes[16] && !bytes[17];
}

/* The same without its first 14 bytes: the header's length, one plane, bits of a pixel, and one of
   the plain compressions. */
static bool is_dib(const unsigned char *bytes, size_t size) {
    return size > 40 && memcmp(bytes, "\x28\0\0\0", 4) == 0 && memcmp(bytes + 12, "\1", 2) == 0 &&
           bytes[14] && strchr("\1\4\x08\x10\x18\x20", bytes[14]) && bytes[15] == 0 &&
           bytes[16] <= 3 && memcmp(bytes + 17, "\0\0", 3) == 0;
}

piaa_kind piaa_kind_of(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < PIAA_COUNT(signatures); i++) {
        size_t at = signatures[i].at, length = signatures[i].size;
        if (at + length <= size && memcmp(bytes + at, signatures[i].bytes, length) == 0)
            return signatures[i].kind;
    }
    if (is_bmp(bytes, size) || is_dib(bytes, size)) return PIAA_KIND_BMP;
    if (is_pnm(bytes, size, "123456")) return PIAA_KIND_PNM;
    if (is_pnm(bytes, size, "Ff")) return PIAA_KIND_HDR;
    return kind_of_brands(bytes, size);
}

/* Letter, type, and three numbers, between white space and comments. */
int piaa_pnm_most(const unsigned char *bytes, size_t size) {
    size_t at = 2;
    int numbers[3] = {0};
    if (size < 2 || bytes[1] == '1' || bytes[1] == '4') return 0;
    for (int i = 0; i < 3; i++) {
        bool comment = false;
        while (at < size && (comment || bytes[at] == '#' || strchr(" \t\n\v\f\r", bytes[at]))) {
            comment = bytes[at] == '#' || (comment && bytes[at] != '\n');
            at++;
        }
        while (at < size && bytes[at] >= '0' && bytes[at] <= '9' && numbers[i] < 100000000)
            numbers[i] = numbers[i] * 10 + bytes[at++] - '0';
    }
    return numbers[2] <= 65535 ? numbers[2] : 0;
}

/* ------------------------------------------------------------------------------- names, readers */

bool piaa_kind_is_photo(piaa_kind kind) {
    return kind >= PIAA_KIND_JPEG && kind <= PIAA_KIND_RAW;
}

const char *piaa_kind_noun(piaa_kind kind, bool plural) {
    static const char *const nouns[PIAA_KINDS][2] = {
        [PIAA_KIND_NONE] = {"other file", "other files"},
        [PIAA_KIND_JPEG] = {"JPEG photo", "JPEG photos"},
        [PIAA_KIND_PNG] = {"PNG picture", "PNG pictures"},
        [PIAA_KIND_WEBP] = {"WebP picture", "WebP pictures"},
        [PIAA_KIND_TIFF] = {"TIFF picture", "TIFF pictures"},
        [PIAA_KIND_GIF] = {"GIF picture", "GIF pictures"},
        [PIAA_KIND_HEIF] = {"HEIF photo", "HEIF photos"},
        [PIAA_KIND_JXL] = {"JPEG XL photo", "JPEG XL photos"},
        [PIAA_KIND_JP2] = {"JPEG 2000 picture", "JPEG 2000 pictures"},
        [PIAA_KIND_BMP] = {"BMP picture", "BMP pictures"},
        [PIAA_KIND_PNM] = {"PNM picture", "PNM pictures"},
        [PIAA_KIND_RAW] = {"raw file", "raw files"},
        [PIAA_KIND_VIDEO] = {"video", "videos"},
        [PIAA_KIND_AUDIO] = {"sound file", "sound files"},
        [PIAA_KIND_SIDECAR] = {"sidecar", "sidecars"},
        [PIAA_KIND_BACKUP] = {"backup or unfinished file", "backups and unfinished files"},
        [PIAA_KIND_HDR] = {"floating-point HDR picture", "floating-point HDR pictures"},
        [PIAA_KIND_PICTURE] = {"picture in another format", "pictures in other formats"},
    };
    return nouns[kind][plural];
}

const char *piaa_kind_loader(piaa_kind kind) {
    static const char *const loaders[PIAA_KINDS] = {
        [PIAA_KIND_JPEG] = "jpegload_source", [PIAA_KIND_PNG] = "pngload_source",
        [PIAA_KIND_WEBP] = "webpload_source", [PIAA_KIND_TIFF] = "tiffload_source",
        [PIAA_KIND_GIF] = "gifload_source",   [PIAA_KIND_HEIF] = "heifload_source",
        [PIAA_KIND_JXL] = "jxlload_source",   [PIAA_KIND_JP2] = "jp2kload_source",
        [PIAA_KIND_PNM] = "ppmload_source"};
    return loaders[kind];
}
