/* Thumbnails and previews, made by libvips and kept in $XDG_CACHE_HOME/piaa/pictures/SIDE/HASH.jpg
   (the hash is of path, size and date). */
#include "browse/pictures.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/image.h"
#include "image/libvips.h"
#include "image/photo.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHANNELS = 3, LIMIT = 256 << 20 };

/* NULL where there is no cache. */
static char *kept_path(const char *path, int side) {
    struct stat status;
    char *folder = piaa_format(NULL, "piaa/pictures/%d", side);
    char *whole = folder ? piaa_cache_path(folder, "pictures", "", NULL) : NULL, *kept = NULL;
    if (whole && stat(path, &status) == 0 && piaa_folders_make(whole)) {
        const struct timespec written = piaa_stat_written(&status);
        char *key = piaa_format(NULL, "%s\n%lld\n%lld.%09ld", path, (long long)status.st_size,
                                (long long)written.tv_sec, written.tv_nsec);
        char *digest = key ? g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1) : NULL;
        if (digest) kept = piaa_format(NULL, "%s/%.32s.jpg", whole, digest);
        g_free(digest);
        free(key);
    }
    free(folder);
    free(whole);
    return kept;
}

static void *encode(const piaa_image *image, const char *path, size_t *size, piaa_error *error) {
    VipsImage *memory = vips_image_new_from_memory(
        image->rgb, (size_t)image->width * (size_t)image->height * CHANNELS, image->width,
        image->height, CHANNELS, VIPS_FORMAT_UCHAR);
    VipsImage *picture = NULL;
    void *bytes = NULL, *copy = NULL;
    const bool ok =
        memory &&
        vips_copy(memory, &picture, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) == 0 &&
        vips_jpegsave_buffer(picture, &bytes, size, "Q", 85, "optimize_coding", TRUE, NULL) == 0;
    if (picture) g_object_unref(picture);
    if (memory) g_object_unref(memory);
    if (!ok) {
        piaa_error_set(error, PIAA_UNSUPPORTED, "%.700s cannot be shown as a JPEG", path);
        vips_error_clear();
    } else if ((copy = piaa_alloc_array(*size, 1, error))) {
        memcpy(copy, bytes, *size);
    }
    g_free(bytes);
    vips_thread_shutdown();
    return copy;
}

/* Of a photo that is smaller than the square, its own size. */
static void fit(const piaa_photo_file *file, int *side) {
    int width, height;
    if (!piaa_photo_size(file, &width, &height, NULL)) return;
    const int longest = width > height ? width : height;
    if (longest < *side) *side = longest;
}

static void *decode(const piaa_photo_file *file, int side, size_t *size, piaa_error *error) {
    piaa_image image = {0};
    fit(file, &side);
    void *bytes = piaa_image_thumbnail(file, side, side, &image, error)
                      ? encode(&image, file->path, size, error)
                      : NULL;
    piaa_image_free(&image);
    return bytes;
}

void *piaa_picture_decode(const char *path, int side, size_t *size, piaa_error *error) {
    piaa_photo_file file = {0};
    void *bytes =
        piaa_photo_file_read(&file, path, error) ? decode(&file, side, size, error) : NULL;
    piaa_photo_file_free(&file);
    return bytes;
}

/* The content says whether it is raw, whatever the file is called. */
static void *make(const char *path, int side, piaa_helper *helper, size_t *size,
                  piaa_error *error) {
    piaa_photo_file file = {0};
    const bool there = piaa_photo_file_read(&file, path, error);
    const bool apart = there && helper && file.kind == PIAA_KIND_RAW;
    void *bytes = there && !apart ? decode(&file, side, size, error) : NULL;
    piaa_photo_file_free(&file); /* and its share of the memory, which the helper needs */
    return apart ? piaa_helper_make(helper, path, side, size, error) : bytes;
}

/* Made, and written to `kept` unless that is NULL. */
static void *make_kept(const char *path, int side, piaa_helper *helper, const char *kept,
                       size_t *size, piaa_error *error) {
    void *bytes = make(path, side, helper, size, error);
    if (bytes && kept && side < PIAA_PICTURE_WHOLE) piaa_file_cache(kept, bytes, *size);
    return bytes; /* what could not be kept is made again the next time */
}

/* What was made before, to its end; NULL: it was not, or the system went down while it was
   written. */
static void *read_kept(const char *kept, size_t *size) {
    static const char end[2] = {'\xff', '\xd9'};
    char *bytes = piaa_file_exists(kept) ? piaa_file_read(kept, LIMIT, size, NULL) : NULL;
    if (bytes && *size > sizeof end && memcmp(bytes + *size - sizeof end, end, sizeof end) == 0)
        return bytes;
    free(bytes);
    return NULL;
}

void *piaa_picture_make(const char *path, int side, piaa_helper *helper, size_t *size,
                        piaa_error *error) {
    char *kept = kept_path(path, side);
    void *bytes = kept ? read_kept(kept, size) : NULL;
    if (!bytes) bytes = make_kept(path, side, helper, kept, size, error);
    free(kept);
    return bytes;
}

void piaa_picture_keep(const char *path, int side, piaa_helper *helper) {
    char *kept = kept_path(path, side);
    size_t size;
    if (kept && !piaa_file_exists(kept)) free(make_kept(path, side, helper, kept, &size, NULL));
    free(kept);
}
