/* Photo files to upright 8-bit RGB, equal to Pillow's Image.open(path).convert("RGB").
 *
 * Decoders (libjpeg, and libvips' readers) hand over samples in one to five bands, strip by strip
 * from the top; the conversion to RGB and the turning happen here while a strip is copied to its
 * place.  Nothing but the result and one strip is held in memory (some formats, interlaced PNG and
 * HEIF among them, are decoded whole inside their own libraries). */
#include "image/image.h"

#include "base/memory.h"
#include "image/chatter.h"
#include "image/damage.h"
#include "image/libvips.h"
#include "image/raw.h"
#include "image/rows.h"
#include "image/strips.h"
#include "image/tiff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, STRIP_ROWS = 32 };

bool piaa_image_reads(piaa_kind kind) {
    return kind == PIAA_KIND_BMP || kind == PIAA_KIND_RAW || piaa_vips_has(piaa_kind_loader(kind));
}

bool piaa_image_has_photo_name(const char *name) {
    return piaa_image_reads(piaa_kind_of_name(name));
}

/* --------------------------------------------------------------------------------------- pixels */

/* a b / 255, rounded, as Pillow computes it. */
static unsigned scale_byte(unsigned a, unsigned b) {
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

static uint8_t ink_to_light(unsigned ink, unsigned black) {
    unsigned light = 255 - black, dark = scale_byte(ink, light);
    return (uint8_t)(light > dark ? light - dark : 0);
}

/* `count` pixels of `bands` 8-bit samples to RGB.  What follows grey or colour is alpha or a spare
   channel: dropped. */
static void to_rgb(const uint8_t *in, int bands, bool cmyk, int count, uint8_t *rgb) {
    for (int x = 0; x < count; x++, in += bands, rgb += CHANNELS) {
        if (cmyk) {
            for (int c = 0; c < CHANNELS; c++) rgb[c] = ink_to_light(in[c], in[3]);
        } else {
            rgb[0] = in[0];
            rgb[1] = bands < 3 ? in[0] : in[1];
            rgb[2] = bands < 3 ? in[0] : in[2];
        }
    }
}

/* Puts the background behind `count` pixels that are RGB already, and counts those of which nothing
   is seen. */
static int64_t put_background(const uint8_t *in, const piaa_rows *rows, piaa_background background,
                              int count, uint8_t *rgb) {
    const uint8_t behind = background == PIAA_BACKGROUND_WHITE ? 255 : 0;
    int64_t unseen = 0;
    for (int x = 0; x < count; x++, in += rows->bands, rgb += CHANNELS) {
        unsigned alpha = in[rows->alpha], rest = scale_byte(behind, 255 - alpha);
        unseen += alpha == 0;
        for (int c = 0; background != PIAA_BACKGROUND_NONE && c < CHANNELS; c++)
            rgb[c] = (uint8_t)(scale_byte(rgb[c], alpha) + rest);
    }
    return unseen;
}

/* Where pixel (x, y) of the file goes in the upright photo: origin + x across + y down, counted in
   pixels. */
typedef struct placement {
    int64_t origin, across, down;
} placement;

/* EXIF's eight orientations: 5 to 8 swap the sides; then the mirrored axes run backwards. */
static placement upright(int orientation, int64_t width, int64_t height) {
    bool swap = orientation >= 5;
    /* The file's x axis ends up reversed. */
    bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    placement turn = {.across = swap ? height : 1, .down = swap ? 1 : width};
    if (flip_x) {
        turn.origin += (width - 1) * turn.across;
        turn.across = -turn.across;
    }
    if (flip_y) {
        turn.origin += (height - 1) * turn.down;
        turn.down = -turn.down;
    }
    return turn;
}

/* `rows` rows of the file from row `top` on, already RGB, to their places.  The inner loop runs
   along the side that is contiguous there. */
static void place_strip(const uint8_t *strip, int width, int top, int rows, placement turn,
                        uint8_t *out) {
    if (turn.across == 1) {
        for (int y = 0; y < rows; y++)
            memcpy(out + (turn.origin + (top + y) * turn.down) * CHANNELS,
                   strip + (size_t)y * (size_t)width * CHANNELS, (size_t)width * CHANNELS);
        return;
    }
    for (int x = 0; x < width; x++)
        for (int y = 0; y < rows; y++)
            memcpy(out + (turn.origin + x * turn.across + (top + y) * turn.down) * CHANNELS,
                   strip + ((size_t)y * (size_t)width + (size_t)x) * CHANNELS, CHANNELS);
}

static bool copy_pixels(piaa_rows *rows, placement turn, piaa_background background, uint8_t *out,
                        int64_t *unseen, piaa_error *error) {
    int width = rows->width, bands = rows->bands;
    size_t stride = (size_t)width * (size_t)bands;
    uint8_t *samples = piaa_alloc_array(stride, STRIP_ROWS, error);
    uint8_t *strip = samples ? piaa_alloc_array((size_t)width, CHANNELS * STRIP_ROWS, error) : NULL;
    bool ok = strip != NULL;
    for (int top = 0; ok && top < rows->height; top += STRIP_ROWS) {
        int count = rows->height - top < STRIP_ROWS ? rows->height - top : STRIP_ROWS;
        ok = rows->read(rows, count, samples, error);
        if (!ok) break;
        to_rgb(samples, bands, rows->inks, width * count, strip);
        if (rows->alpha) *unseen += put_background(samples, rows, background, width * count, strip);
        place_strip(strip, width, top, count, turn, out);
    }
    free(strip);
    free(samples);
    return ok;
}

static bool within_limit(const piaa_rows *rows, const char *path, piaa_error *error) {
    return (int64_t)rows->width * rows->height <= PIAA_LARGEST_PIXELS ||
           piaa_error_set(
               error, PIAA_UNSUPPORTED,
               "%s is %d x %d pixels, more than the limit of 1,000 megapixels: make a smaller copy",
               path, rows->width, rows->height);
}

static bool decode(piaa_rows *rows, int orientation, piaa_background background, const char *path,
                   piaa_image *out, piaa_error *error) {
    int width = rows->width, height = rows->height;
    if (!within_limit(rows, path, error)) return false;
    out->rgb = piaa_alloc_array((size_t)width * (size_t)height, CHANNELS, error);
    if (!out->rgb) return piaa_error_prefix(error, "%s, %d x %d pixels", path, width, height);
    out->width = orientation >= 5 ? height : width;
    out->height = orientation >= 5 ? width : height;
    int64_t unseen = 0;
    if (!copy_pixels(rows, upright(orientation, width, height), background, out->rgb, &unseen,
                     error))
        return false;
    out->hidden = background == PIAA_BACKGROUND_NONE && unseen > (int64_t)width * height / 100;
    memcpy(out->damage, rows->damage, sizeof out->damage);
    return true;
}

/* -------------------------------------------------------------------------------------- a photo */

/* libvips reads everything's metadata, and the pixels of all formats but JPEG. */
static bool open_rows(const piaa_photo_file *file, piaa_rows *rows, int *orientation,
                      piaa_error *error) {
    if (file->kind == PIAA_KIND_BMP) return piaa_bmp_open(file, rows, error);
    piaa_error why = {0};
    if (file->kind != PIAA_KIND_JPEG) return piaa_strips_open(file, rows, orientation, error);
    if (!piaa_jpeg_open(file, rows, error)) return false;
    VipsImage *image = piaa_vips_open(file, 1, VIPS_FAIL_ON_NONE, &why);
    *orientation = image ? vips_image_get_orientation(image) : file->orientation;
    if (!*orientation) *orientation = 1;
    if (image) g_object_unref(image);
    if (image || why.code == PIAA_FORMAT) return true; /* its pixels are what counts */
    if (error) *error = why;
    return false;
}

static uint64_t memory_for(const piaa_rows *rows, const piaa_photo_file *file) {
    return (uint64_t)rows->width * (uint64_t)rows->height * CHANNELS + rows->memory + file->size;
}

/* Pillow takes TIFF's orientation tag for a part of the pixels: it is obeyed even where EXIF is
   not. */
static int turn_of_pixels(const piaa_photo_file *file) {
    piaa_tiff tiff;
    bool told = file->kind == PIAA_KIND_TIFF && piaa_tiff_look(file->bytes, file->size, &tiff) &&
                tiff.orientation;
    return told ? tiff.orientation : 1;
}

typedef struct attempt {
    bool ok, said;           /* said: something was written to standard error */
    uint64_t memory;         /* that it needed, about */
    char words[PIAA_DAMAGE]; /* the first line of that, after an attempt alone */
} attempt;

/* Whether so many bytes could be had now. */
static bool has_memory(uint64_t bytes) {
    enum { LEAST = 1 << 24 };
    void *room = bytes < SIZE_MAX - LEAST ? malloc((size_t)bytes + LEAST) : NULL;
    free(room);
    return room != NULL;
}

static bool lacks_memory(const piaa_photo_file *file, piaa_error *error) {
    return piaa_error_set(error, PIAA_MEMORY, "%s: there is not enough memory to decode it",
                          file->path);
}

/* Between the header and the pixels memory may be waited for, and not within a turn. */
static attempt try_once(const piaa_photo_file *file, piaa_exif exif, piaa_background background,
                        bool alone, piaa_image *out, piaa_error *error) {
    attempt a = {.memory = file->size};
    piaa_rows rows = {0};
    int orientation = 1;
    piaa_turn turn = piaa_turn_begin(alone);
    if (alone) vips_error_clear(); /* readers leave remarks behind even where they succeed */
    a.ok = open_rows(file, &rows, &orientation, error);
    a.said = piaa_turn_end(turn, a.words, sizeof a.words);
    if (!a.ok && rows.close) rows.close(&rows);
    if (!a.ok) return a;
    if (exif != PIAA_EXIF_APPLY) orientation = turn_of_pixels(file);
    char words[PIAA_DAMAGE];
    a.memory = memory_for(&rows, file);
    if (within_limit(&rows, file->path, NULL)) piaa_share_grow(file->share, a.memory);
    if (file->kind == PIAA_KIND_JXL && !has_memory(a.memory)) {
        rows.close(&rows);
        a.ok = lacks_memory(file, error); /* libjxl would end the process */
        return a;
    }
    turn = piaa_turn_begin(alone);
    a.ok = decode(&rows, orientation, background, file->path, out, error);
    if (!a.ok) piaa_image_free(out);
    rows.close(&rows);
    a.said = piaa_turn_end(turn, words, sizeof words) || a.said;
    if (!a.words[0]) memcpy(a.words, words, sizeof words);
    return a;
}

/* A raw file becomes a photo that other decoders read. */
static bool decode_raw(const piaa_photo_file *file, piaa_exif exif, piaa_background background,
                       piaa_image *out, piaa_error *error) {
    piaa_photo_file photo;
    int width = 0, height = 0;
    piaa_turn turn = piaa_turn_begin(false);
    bool ok = piaa_raw_develop(file, &photo, error);
    piaa_turn_end(turn, NULL, 0);
    if (ok && piaa_photo_size(&photo, &width, &height, NULL))
        piaa_share_grow(file->share,
                        file->size + photo.size + (uint64_t)width * (uint64_t)height * CHANNELS);
    ok = ok && piaa_image_decode(&photo, exif, background, out, error);
    if (ok) out->raw = photo.raw;
    piaa_photo_file_free(&photo);
    return ok;
}

bool piaa_image_decode(const piaa_photo_file *file, piaa_exif exif, piaa_background background,
                       piaa_image *out, piaa_error *error) {
    piaa_error why = {0};
    *out = (piaa_image){0};
    if (!piaa_vips_start(error)) return false;
    if (file->kind == PIAA_KIND_RAW) return decode_raw(file, exif, background, out, error);
    attempt a = try_once(file, exif, background, false, out, &why);
    bool ours = file->kind == PIAA_KIND_JPEG || file->kind == PIAA_KIND_BMP;
    bool unclear = !ours && why.code != PIAA_UNSUPPORTED && (!a.ok || a.said);
    if (unclear) { /* whose words these were: once more, with nobody beside it */
        if (a.ok) piaa_image_free(out);
        piaa_error_clear(&why);
        a = try_once(file, exif, background, true, out, &why);
    }
    /* Some decoders say of everything that it is damaged, where it is memory that they lack. */
    if (!a.ok && why.code == PIAA_FORMAT && !has_memory(a.memory)) lacks_memory(file, &why);
    if (!a.ok && error) *error = why;
    if (a.ok && !out->damage[0])
        piaa_damage_find(file, (int64_t)out->width * out->height, out->damage);
    if (a.ok && a.words[0] && !out->damage[0])
        snprintf(out->damage, sizeof out->damage, "its decoder complains (%.150s)", a.words);
    vips_thread_shutdown();
    return a.ok;
}

bool piaa_image_read(const char *path, piaa_exif exif, piaa_image *out, piaa_error *error) {
    piaa_photo_file file;
    *out = (piaa_image){0};
    bool ok = piaa_photo_file_read(&file, path, error) &&
              piaa_image_decode(&file, exif, PIAA_BACKGROUND_NONE, out, error);
    piaa_photo_file_free(&file);
    return ok;
}

void piaa_image_free(piaa_image *image) {
    if (!image) return;
    free(image->rgb);
    memset(image, 0, sizeof *image);
}
