/* Small pictures of photos, for people to look at: unlike what a model is shown, in the colours
   that the photo's profile says, and shrunk by libvips, for a JPEG while it is decoded. */
#include "image/image.h"

#include "base/memory.h"
#include "image/chatter.h"
#include "image/libvips.h"
#include "image/raw.h"

#include <string.h>

enum { CHANNELS = 3 };

/* How far the decoder may shrink so that half as much again as is asked for is left to a better
   filter. */
static int shrink_for(const VipsImage *header, int width, int height) {
    double across = (double)header->Xsize / width, down = (double)header->Ysize / height,
           most = across > down ? across : down;
    int shrink = 1;
    while (shrink < 8 && most >= 3 * shrink) shrink *= 2;
    return shrink;
}

/* Its samples are sRGB or grey already, for all that it says.  libvips would take them through Lab
   and back, and make tables for that: most of the time that a small picture takes. */
static bool is_srgb(const VipsImage *image) {
    return (image->Type == VIPS_INTERPRETATION_sRGB || image->Type == VIPS_INTERPRETATION_B_W) &&
           !vips_image_get_typeof(image, VIPS_META_ICC_NAME);
}

/* 8-bit sRGB of three channels; NULL with libvips' error text.  Gives up `image`. */
static VipsImage *make_small(VipsImage *image, int width, int height) {
    VipsImage *steps[4] = {NULL};
    bool ok = vips_thumbnail_image(image, &steps[0], width, "height", height,
                                   is_srgb(image) ? NULL : "export_profile", "srgb", NULL) == 0 &&
              vips_colourspace(steps[0], &steps[1], VIPS_INTERPRETATION_sRGB, NULL) == 0 &&
              vips_cast_uchar(steps[1], &steps[2], NULL) == 0 &&
              (vips_image_hasalpha(steps[2]) ? vips_flatten(steps[2], &steps[3], NULL) == 0
                                             : vips_copy(steps[2], &steps[3], NULL) == 0) &&
              vips_image_get_bands(steps[3]) == CHANNELS;
    for (int i = 0; i < 3; i++)
        if (steps[i]) g_object_unref(steps[i]);
    g_object_unref(image);
    if (ok) return steps[3];
    if (steps[3]) g_object_unref(steps[3]);
    return NULL;
}

/* Other samples libvips understands otherwise than we do (strips.c). */
static bool is_plain(const VipsImage *image) {
    return image->Coding == VIPS_CODING_NONE &&
           (image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT);
}

static bool copy_out(VipsImage *small, piaa_image *out, piaa_error *error) {
    size_t size = 0;
    uint8_t *pixels = vips_image_write_to_memory(small, &size);
    if (!pixels) return false;
    *out = (piaa_image){.width = small->Xsize, .height = small->Ysize};
    out->rgb = piaa_alloc_array(size, 1, error);
    if (out->rgb) memcpy(out->rgb, pixels, size);
    g_free(pixels);
    return out->rgb != NULL;
}

static bool make(const piaa_photo_file *file, int width, int height, piaa_image *out,
                 piaa_error *error) {
    VipsImage *image = piaa_vips_open(file, 1, VIPS_FAIL_ON_ERROR, error);
    int shrink = image ? shrink_for(image, width, height) : 1;
    if (image && shrink > 1 && file->kind == PIAA_KIND_JPEG) {
        g_object_unref(image);
        image = piaa_vips_open(file, shrink, VIPS_FAIL_ON_ERROR, error);
    }
    if (!image) return false;
    if (!is_plain(image)) {
        g_object_unref(image);
        return false;
    }
    VipsImage *small = make_small(image, width, height);
    bool ok = small && copy_out(small, out, error);
    if (small) g_object_unref(small);
    return ok || (!piaa_error_pending(error) &&
                  piaa_vips_failed(error, file->path, "cannot be shown", "copy it again"));
}

/* From the pixels that a model is shown: what libvips refuses, or understands otherwise, and
   the decoder of photos reads, as it does a JPEG without its end marker. */
static bool make_from_pixels(const piaa_photo_file *file, int width, int height, piaa_image *out,
                             piaa_error *error) {
    piaa_image whole;
    if (!piaa_image_decode(file, PIAA_EXIF_APPLY, PIAA_BACKGROUND_BLACK, &whole, error))
        return false;
    VipsImage *image =
        vips_image_new_from_memory(whole.rgb, (size_t)whole.width * (size_t)whole.height * CHANNELS,
                                   whole.width, whole.height, CHANNELS, VIPS_FORMAT_UCHAR);
    VipsImage *small = image ? make_small(image, width, height) : NULL;
    bool ok = small && copy_out(small, out, error);
    if (small) g_object_unref(small);
    piaa_image_free(&whole);
    return ok || (!piaa_error_pending(error) &&
                  piaa_vips_failed(error, file->path, "cannot be shown", "copy it again"));
}

static bool make_of_raw(const piaa_photo_file *file, int width, int height, piaa_image *out,
                        piaa_error *error) {
    piaa_photo_file photo;
    bool ok = piaa_raw_develop(file, &photo, error) &&
              piaa_image_thumbnail(&photo, width, height, out, error);
    piaa_photo_file_free(&photo);
    return ok;
}

bool piaa_image_thumbnail(const piaa_photo_file *file, int width, int height, piaa_image *out,
                          piaa_error *error) {
    *out = (piaa_image){0};
    if (file->kind == PIAA_KIND_RAW) return make_of_raw(file, width, height, out, error);
    piaa_turn turn = piaa_turn_begin(false);
    bool ok = make(file, width, height, out, NULL);
    piaa_turn_end(turn, NULL, 0);
    ok = ok || make_from_pixels(file, width, height, out, error);
    vips_thread_shutdown();
    return ok;
}
