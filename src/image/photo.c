/* A photo's file in memory.
 *
 * The state of the file is taken from the open descriptor before the first byte is read, and looked
 * at again after the last: what changed in between is half of one photo and half of another. */
#include "image/photo.h"

#include "base/memory.h"
#include "base/output.h"
#include "image/chatter.h"
#include "image/libvips.h"
#include "image/raw.h"
#include "image/rows.h"
#include "image/tiff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 1,000 megapixels, the most that is decoded, take 3 GB where nothing is compressed. */
static const off_t LARGEST_FILE = (off_t)4 << 30;

/* What stands at the path has to be a file with something in it. */
static bool check_status(const struct stat *status, const char *path, piaa_error *error) {
    if (S_ISDIR(status->st_mode))
        return piaa_error_set(error, PIAA_IO, "%s is a folder, not a photo", path);
    if (!S_ISREG(status->st_mode))
        return piaa_error_set(error, PIAA_IO, "%s is not a regular file", path);
    if (status->st_size == 0)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s is empty (0 bytes): copy it again from where it came from", path);
    return true;
}

/* Reads on until `file` holds `want` bytes or the file ends. */
static bool read_up_to(int descriptor, piaa_photo_file *file, size_t want, piaa_error *error) {
    enum { PART = 1 << 24 }; /* some systems refuse more than 2 GB at once */
    while (file->size < want) {
        size_t part = want - file->size < PART ? want - file->size : PART;
        ssize_t got = read(descriptor, file->bytes + file->size, part);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return piaa_error_set_errno(error, errno, "%s cannot be read", file->path);
        if (got == 0) break;
        file->size += (size_t)got;
    }
    return true;
}

static bool is_unchanged(int descriptor, const piaa_photo_file *file) {
    struct stat now;
    const struct stat *before = &file->status;
    if (fstat(descriptor, &now) != 0) return false;
    const struct timespec first = piaa_stat_written(before), last = piaa_stat_written(&now);
    return now.st_size == before->st_size && (uintmax_t)now.st_size == file->size &&
           last.tv_sec == first.tv_sec && last.tv_nsec == first.tv_nsec;
}

/* What is known not to be a photo is called by its name. */
static bool refuse(const piaa_photo_file *file, piaa_error *error) {
    if (file->kind == PIAA_KIND_HDR)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s is a floating-point HDR picture (Radiance, OpenEXR or PFM), which "
            "does not say how bright white is: save it as JPEG, PNG or 16-bit "
            "TIFF",
            file->path);
    if (file->kind != PIAA_KIND_NONE)
        return piaa_error_set(error, PIAA_FORMAT, "%s is a %s, not a photo", file->path,
                              piaa_kind_noun(file->kind, false));
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s is not a photo that can be read, or its start is damaged: use JPEG, "
                          "PNG, WebP, TIFF, GIF or HEIC",
                          file->path);
}

/* A raw file may be TIFF to the letter, and its TIFF side would yield a thumbnail. */
static void settle_tiff(piaa_photo_file *file) {
    piaa_tiff tiff;
    if (file->kind != PIAA_KIND_TIFF) return;
    bool whole = piaa_tiff_look(file->bytes, file->size, &tiff);
    if (whole ? tiff.raw : piaa_kind_of_name(file->path) == PIAA_KIND_RAW)
        file->kind = PIAA_KIND_RAW;
}

static bool read_open_file(int descriptor, piaa_photo_file *file, piaa_error *error) {
    if (fstat(descriptor, &file->status) != 0)
        return piaa_error_set_errno(error, errno, "%s cannot be read", file->path);
    if (!check_status(&file->status, file->path, error)) return false;
    bool fits = file->status.st_size <= LARGEST_FILE;
    size_t whole = fits ? (size_t)file->status.st_size : PIAA_KIND_BYTES,
           start = whole < PIAA_KIND_BYTES ? whole : PIAA_KIND_BYTES;
    file->share = piaa_share_new(error);
    if (!file->share) return false;
    piaa_share_grow(file->share, whole);
    file->bytes = piaa_alloc_array(whole, 1, error);
    if (!file->bytes) return piaa_error_prefix(error, "%s", file->path);
    if (!read_up_to(descriptor, file, start, error)) return false;
    file->kind = piaa_kind_of(file->bytes, file->size);
    if (file->kind == PIAA_KIND_NONE && piaa_kind_of_name(file->path) == PIAA_KIND_RAW)
        file->kind = PIAA_KIND_RAW; /* some old ones begin with nothing of their own */
    if (!piaa_kind_is_photo(file->kind))
        return refuse(file, error); /* before a film of many gigabytes is read */
    if (!fits)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s has %.1f GB, more than the limit of 4.3 GB for a photo: make a "
                              "smaller copy",
                              file->path, (double)file->status.st_size / 1e9);
    if (!read_up_to(descriptor, file, whole, error)) return false;
    if (is_unchanged(descriptor, file)) {
        settle_tiff(file);
        return true;
    }
    return piaa_error_set(error, PIAA_IO,
                          "%s was changed by another program while it was read: run the same "
                          "command again",
                          file->path);
}

bool piaa_photo_file_read(piaa_photo_file *file, const char *path, piaa_error *error) {
    *file = (piaa_photo_file){.path = path};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) return piaa_error_set_errno(error, errno, "%s cannot be read", path);
    bool ok = read_open_file(descriptor, file, error);
    close(descriptor);
    if (!ok) piaa_photo_file_free(file);
    return ok;
}

static bool copy_bytes(piaa_photo_file *file, const void *bytes, size_t size, piaa_error *error) {
    if (!size) return piaa_error_set(error, PIAA_FORMAT, "%s is empty (0 bytes)", file->path);
    if (size > (size_t)LARGEST_FILE)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s has %.1f GB, more than the limit of 4.3 GB for a photo",
                              file->path, (double)size / 1e9);
    if (!(file->share = piaa_share_new(error))) return false;
    piaa_share_grow(file->share, size);
    if (!(file->bytes = piaa_alloc_array(size, 1, error))) return false;
    memcpy(file->bytes, bytes, size);
    file->size = size;
    file->kind = piaa_kind_of(file->bytes, size);
    if (!piaa_kind_is_photo(file->kind)) return refuse(file, error);
    settle_tiff(file);
    return true;
}

bool piaa_photo_file_copy(piaa_photo_file *file, const char *name, const void *bytes, size_t size,
                          piaa_error *error) {
    *file = (piaa_photo_file){.path = name};
    if (copy_bytes(file, bytes, size, error)) return true;
    piaa_photo_file_free(file);
    return false;
}

piaa_kind piaa_photo_kind(const char *path) {
    piaa_kind named = piaa_kind_of_name(path);
    if (named != PIAA_KIND_NONE) return named;
    unsigned char start[PIAA_KIND_BYTES];
    piaa_photo_file file = {.path = path, .bytes = start};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) return named;
    bool read = read_up_to(descriptor, &file, sizeof start, NULL);
    close(descriptor);
    return read ? piaa_kind_of(start, file.size) : named;
}

bool piaa_photo_is_sheet(const piaa_photo_file *file) {
    enum { REACH = 1 << 16 }; /* metadata stand before the pixels, or behind them */
    size_t reach = file->size < REACH ? file->size : REACH;
    return piaa_bytes_hold(file->bytes, reach, PIAA_SHEET_MARK) ||
           piaa_bytes_hold(file->bytes + file->size - reach, reach, PIAA_SHEET_MARK);
}

void piaa_photo_file_free(piaa_photo_file *file) {
    if (!file) return;
    free(file->bytes);
    piaa_share_free(file->share);
    *file = (piaa_photo_file){0};
}

bool piaa_photo_size(const piaa_photo_file *file, int *width, int *height, piaa_error *error) {
    if (file->kind == PIAA_KIND_RAW) {
        piaa_photo_file photo;
        bool ok =
            piaa_raw_develop(file, &photo, error) && piaa_photo_size(&photo, width, height, error);
        piaa_photo_file_free(&photo);
        return ok;
    }
    if (file->kind == PIAA_KIND_BMP) {
        piaa_rows rows;
        if (!piaa_bmp_open(file, &rows, error)) return false;
        *width = rows.width;
        *height = rows.height;
        rows.close(&rows);
        return true;
    }
    piaa_turn turn = piaa_turn_begin(false);
    VipsImage *image = piaa_vips_open(file, 1, VIPS_FAIL_ON_NONE, error);
    if (image) {
        *width = vips_image_get_width(image);
        *height = vips_image_get_height(image);
        g_object_unref(image);
    }
    piaa_turn_end(turn, NULL, 0);
    return image != NULL;
}
