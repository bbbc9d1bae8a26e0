/* Raw files with libraw.
 *
 * libraw runs in this process and not in one of its own: it is fuzzed without end (OSS-Fuzz), reads
 * from memory, and refuses sensors of more than 2 GiB; what it finds wrong with a file comes back
 * as a code.  The process that would be a wall around it would have to stand around libheif and
 * libtiff as well. */
#include "image/raw.h"

#include "base/memory.h"
#include "image/tiff.h"

#include <libraw/libraw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t LARGEST_SENSOR = 1000000000; /* pixels, as for all photos */

typedef struct reader {
    libraw_data_t *raw;
    const char *path;
    bool damaged; /* libraw goes on where data are damaged, and tells of it */
} reader;

static void on_damage(void *user, const char *path, int offset) {
    PIAA_UNUSED(path);
    PIAA_UNUSED(offset);
    ((reader *)user)->damaged = true;
}

static bool failed(const reader *r, int code, piaa_error *error) {
    if (code == LIBRAW_FILE_UNSUPPORTED || code == LIBRAW_NOT_IMPLEMENTED)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a raw photo of a kind that libraw %s does not read: export it "
                              "as JPEG or TIFF",
                              r->path, libraw_version());
    if (code == LIBRAW_UNSUFFICIENT_MEMORY)
        return piaa_error_set(error, PIAA_MEMORY, "%s: out of memory for a raw photo", r->path);
    if (code == LIBRAW_TOO_BIG)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a raw photo that takes more than 2 GiB: export it as JPEG",
                              r->path);
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s is a raw photo that cannot be decoded (%s): copy it again from where "
                          "it came from, or export it as JPEG or TIFF",
                          r->path,
                          code == LIBRAW_DATA_ERROR ||
                                  code == LIBRAW_IO_ERROR /* of memory: its end */
                              ? "damaged, cut short, or of an unknown compression"
                              : libraw_strerror(code));
}

/* libraw's turns, a bit each for mirroring columns, mirroring rows and swapping the two, or
   degrees, as EXIF's. */
static int orientation_of(int flip) {
    static const int exif[8] = {1, 2, 4, 3, 5, 8, 6, 7};
    switch (flip) {
    case 90:
        return 6;
    case 180:
        return 3;
    case 270:
        return 8;
    default:
        return flip >= 0 && flip < 8 ? exif[flip] : 1;
    }
}

/* ------------------------------------------------------------------------------------- pictures */

/* 8-bit pixels of one or three channels as a PNM file in memory. */
static bool set_pixels(piaa_photo_file *photo, const unsigned char *pixels, int width, int height,
                       int channels, piaa_error *error) {
    char header[64];
    int length =
        snprintf(header, sizeof header, "P%d %d %d 255\n", channels == 3 ? 6 : 5, width, height);
    size_t size = (size_t)width * (size_t)height * (size_t)channels;
    photo->kind = PIAA_KIND_PNM;
    photo->size = (size_t)length + size;
    photo->bytes = piaa_alloc_array(photo->size, 1, error);
    if (!photo->bytes) return piaa_error_prefix(error, "%s", photo->path);
    memcpy(photo->bytes, header, (size_t)length);
    memcpy(photo->bytes + length, pixels, size);
    return true;
}

static bool set_jpeg(piaa_photo_file *photo, const void *bytes, size_t size, piaa_error *error) {
    photo->kind = PIAA_KIND_JPEG;
    photo->size = size;
    photo->bytes = piaa_alloc_array(size, 1, error);
    if (!photo->bytes) return piaa_error_prefix(error, "%s", photo->path);
    memcpy(photo->bytes, bytes, size);
    return true;
}

/* The largest picture embedded; false where there is none that can be used. */
static bool take_preview(const reader *r, piaa_photo_file *photo) {
    if (libraw_unpack_thumb(r->raw) != LIBRAW_SUCCESS) return false;
    const libraw_thumbnail_t *t = &r->raw->thumbnail;
    const unsigned char *bytes = (const unsigned char *)t->thumb;
    if (!bytes) return false;
    if (t->tformat == LIBRAW_THUMBNAIL_JPEG)
        return piaa_kind_of(bytes, t->tlength) == PIAA_KIND_JPEG &&
               set_jpeg(photo, bytes, t->tlength, NULL);
    return t->tformat == LIBRAW_THUMBNAIL_BITMAP && t->tcolors == 3 && t->twidth && t->theight &&
           (size_t)t->tlength >= (size_t)t->twidth * t->theight * 3 &&
           set_pixels(photo, bytes, t->twidth, t->theight, 3, NULL);
}

/* The same shape, and half the sensor's sides or more: as good as what can be made here, and in the
   colours that the photographer has seen. */
static bool is_large(const reader *r, const piaa_photo_file *photo, bool *upright) {
    int width, height, across = r->raw->sizes.width, down = r->raw->sizes.height;
    if (!piaa_photo_size(photo, &width, &height, NULL)) return false;
    int longer = width > height ? width : height, sensor = across > down ? across : down;
    *upright = (width > height) != (across > down); /* turned already */
    return longer >= sensor / 2;
}

/* Where the file ends too early, most of libraw's readers go on with zeros.  No sensor gives whole
   rows of nothing else. */
static bool ends_in_nothing(const libraw_data_t *raw) {
    const uint16_t *samples = raw->rawdata.raw_image;
    size_t last = (size_t)raw->sizes.raw_width * raw->sizes.raw_height, at = last - last / 64;
    if (!samples) return false;
    while (at < last && !samples[at]) at++;
    return at == last;
}

static int unpack_and_process(reader *r) {
    libraw_output_params_t *how = &r->raw->params;
    how->half_size = 1;
    how->use_camera_wb = 1;
    how->output_bps = 8;
    how->output_color = 1; /* sRGB */
    how->user_flip = 0;
    int code = libraw_unpack(r->raw);
    if (code != LIBRAW_SUCCESS) return code;
    if (r->damaged || ends_in_nothing(r->raw)) return LIBRAW_DATA_ERROR;
    return libraw_dcraw_process(r->raw);
}

static bool develop_sensor(reader *r, piaa_photo_file *photo, piaa_error *error) {
    int code = unpack_and_process(r);
    libraw_processed_image_t *image =
        code == LIBRAW_SUCCESS ? libraw_dcraw_make_mem_image(r->raw, &code) : NULL;
    if (!image) return failed(r, code, error);
    bool ok =
        image->type == LIBRAW_IMAGE_BITMAP && image->bits == 8 &&
                (image->colors == 1 || image->colors == 3)
            ? set_pixels(photo, image->data, image->width, image->height, image->colors, error)
            : failed(r, LIBRAW_NOT_IMPLEMENTED, error);
    libraw_dcraw_clear_mem(image);
    return ok;
}

/* ------------------------------------------------------------------------------------ raw files */

static bool check_sensor(const reader *r, piaa_error *error) {
    int64_t width = r->raw->sizes.raw_width, height = r->raw->sizes.raw_height;
    if (width * height <= LARGEST_SENSOR) return true;
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s is %lld x %lld pixels, more than the limit of 1,000 megapixels: make "
                          "a smaller copy",
                          r->path, (long long)width, (long long)height);
}

/* r->raw is the caller's to close, where it is not NULL, even after a failure. */
static bool open_raw(reader *r, const piaa_photo_file *raw, piaa_error *error) {
    *r = (reader){.raw = libraw_init(0), .path = raw->path};
    if (!r->raw) return failed(r, LIBRAW_UNSUFFICIENT_MEMORY, error);
    libraw_set_dataerror_handler(r->raw, on_damage, r);
    int code = libraw_open_buffer(r->raw, raw->bytes, raw->size);
    return code == LIBRAW_SUCCESS ? check_sensor(r, error) : failed(r, code, error);
}

/* false with no error where there is no preview that will do. */
static bool take_large_preview(const piaa_photo_file *raw, piaa_photo_file *photo,
                               piaa_error *error) {
    reader r;
    bool upright = false;
    bool ok = open_raw(&r, raw, error) && take_preview(&r, photo) && is_large(&r, photo, &upright);
    if (ok) photo->orientation = orientation_of(r.raw->sizes.flip);
    if (upright && photo->orientation >= 5) photo->orientation = 1;
    if (r.raw) libraw_close(r.raw);
    return ok;
}

/* Opened anew, because libraw gives a file up when its preview is damaged. */
static bool develop(const piaa_photo_file *raw, piaa_photo_file *photo, piaa_error *error) {
    reader r = {.path = raw->path};
    if (piaa_tiff_is_cut(raw->bytes, raw->size)) return failed(&r, LIBRAW_DATA_ERROR, error);
    bool ok = open_raw(&r, raw, error);
    if (ok) photo->orientation = orientation_of(r.raw->sizes.flip);
    ok = ok && develop_sensor(&r, photo, error);
    if (r.raw) libraw_close(r.raw);
    return ok;
}

bool piaa_raw_develop(const piaa_photo_file *raw, piaa_photo_file *photo, piaa_error *error) {
    piaa_error why = {0};
    const piaa_photo_file none = {.path = raw->path, .status = raw->status};
    *photo = none;
    photo->raw = PIAA_RAW_PREVIEW;
    if (take_large_preview(raw, photo, &why)) return true;
    piaa_photo_file_free(photo);
    if (why.code) {
        if (error) *error = why;
        return false;
    }
    *photo = none;
    photo->raw = PIAA_RAW_DEVELOPED;
    if (develop(raw, photo, error)) return true;
    piaa_photo_file_free(photo);
    return false;
}

bool piaa_raw_xmp(const piaa_photo_file *raw, piaa_xmp *out, piaa_error *error) {
    *out = PIAA_XMP_SILENT;
    reader r;
    bool ok = open_raw(&r, raw, error);
    const libraw_iparams_t *about = ok ? &r.raw->idata : NULL;
    if (ok && about->xmpdata && about->xmplen)
        ok = piaa_xmp_read(about->xmpdata, about->xmplen, out, error) ||
             piaa_error_prefix(error, "%s", raw->path);
    if (r.raw) libraw_close(r.raw);
    return ok;
}
