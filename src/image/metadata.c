/* EXIF and XMP, from libvips or from where libvips does not look. */
#include "image/metadata.h"

#include "base/memory.h"
#include "image/chatter.h"
#include "image/png.h"
#include "image/raw.h"
#include "image/tiff.h"

#include <math.h>
#include <stdlib.h>

/* The bytes stay the image's. */
static const void *find_blob(VipsImage *image, const char *name, size_t *size) {
    const void *bytes = NULL;
    *size = 0;
    if (vips_image_get_typeof(image, name) == 0 ||
        vips_image_get_blob(image, name, &bytes, size) != 0)
        return NULL;
    return bytes;
}

static bool read_xmp(const piaa_photo_file *file, VipsImage *image, piaa_xmp *out,
                     piaa_error *error) {
    *out = PIAA_XMP_SILENT;
    if (file->kind == PIAA_KIND_PNG) {
        piaa_text packet = {0};
        bool ok = piaa_png_find(file->bytes, file->size, PIAA_PNG_XMP, &packet, error) &&
                  (!packet.length || piaa_xmp_read(packet.data, packet.length, out, error));
        free(packet.data);
        return ok;
    }
    size_t size;
    const void *packet = find_blob(image, VIPS_META_XMP_NAME, &size);
    return !size || piaa_xmp_read(packet, size, out, error);
}

static int exif_orientation(const piaa_photo_file *file, VipsImage *image) {
    piaa_tiff exif = {0};
    size_t size;
    if (file->kind == PIAA_KIND_PNG) {
        piaa_text block = {0};
        if (piaa_png_find(file->bytes, file->size, PIAA_PNG_EXIF, &block, NULL) && block.length)
            (void)piaa_tiff_look((const unsigned char *)block.data, block.length, &exif);
        free(block.data);
        return exif.orientation;
    }
    if (file->kind == PIAA_KIND_TIFF) {
        (void)piaa_tiff_look(file->bytes, file->size, &exif);
        return exif.orientation;
    }
    const unsigned char *block = find_blob(image, VIPS_META_EXIF_NAME, &size);
    if (size) (void)piaa_tiff_look(block, size, &exif);
    return exif.orientation;
}

int piaa_photo_orientation(const piaa_photo_file *file, VipsImage *image) {
    piaa_xmp xmp;
    if (file->orientation) return file->orientation;
    if (file->kind == PIAA_KIND_HEIF || file->kind == PIAA_KIND_JXL) return 1;
    int orientation = exif_orientation(file, image);
    if (!orientation && read_xmp(file, image, &xmp, NULL)) orientation = xmp.orientation;
    return orientation ? orientation : 1;
}

bool piaa_photo_xmp(const piaa_photo_file *file, piaa_xmp *out, piaa_error *error) {
    if (file->kind == PIAA_KIND_RAW) return piaa_raw_xmp(file, out, error);
    *out = PIAA_XMP_SILENT;
    if (file->kind == PIAA_KIND_BMP) return true; /* has room for none */
    piaa_turn turn = piaa_turn_begin(false);
    VipsImage *image = piaa_vips_open(file, 1, VIPS_FAIL_ON_NONE, error);
    bool ok = image && read_xmp(file, image, out, error);
    if (image && !ok) piaa_error_prefix(error, "%s", file->path);
    if (image) g_object_unref(image);
    piaa_turn_end(turn, NULL, 0);
    return ok;
}
