/* From an RGB image to the patch rows of the Qwen-VL vision encoders, as transformers'
 * Qwen2VLImageProcessor makes them.
 *
 * Rescaling by r and normalising, ((r x) - m) / s, is fused there into (x - m / r) / (s / r) in
 * float32; a byte has 256 values, so a table per channel gives the same bits.  Rows follow blocks
 * of merge x merge neighbouring patches, which the encoder joins later: for patch (y, x) the order
 * is (y / merge, x / merge, y % merge, x % merge).  Within a row: channel, frame, y, x.  A photo is
 * a film of `temporal` equal frames. */
#include "image/patches.h"
#include "base/memory.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, LEVELS = 256, WORST_ASPECT = 200 };

bool piaa_smart_resize(int64_t height, int64_t width, int factor, int64_t min_pixels,
                       int64_t max_pixels, int64_t *out_height, int64_t *out_width,
                       piaa_error *error) {
    if (height < 1 || width < 1 || height > INT_MAX || width > INT_MAX)
        return piaa_error_set(error, PIAA_USAGE, "%lld x %lld pixels is not the size of a photo",
                              (long long)width, (long long)height);
    if (factor < 1 || min_pixels < 1 || max_pixels < min_pixels)
        return piaa_error_set(error, PIAA_USAGE,
                              "image sizes from %lld to %lld pixels in steps of %d make no sense: "
                              "the least must be at least 1 and no more than the most",
                              (long long)min_pixels, (long long)max_pixels, factor);
    int64_t longer = height > width ? height : width, shorter = height > width ? width : height;
    if (longer > WORST_ASPECT * shorter)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "the photo is %lld x %lld pixels, longer than %d:1: crop it to a less extreme shape",
            (long long)width, (long long)height, WORST_ASPECT);
    double area = (double)(height * width);
    int64_t h = (int64_t)rint((double)height / factor) * factor,
            w = (int64_t)rint((double)width / factor) * factor;
    if (h * w > max_pixels) {
        double shrink = sqrt(area / (double)max_pixels);
        h = (int64_t)floor((double)height / shrink / factor) * factor;
        w = (int64_t)floor((double)width / shrink / factor) * factor;
        if (h < factor) h = factor;
        if (w < factor) w = factor;
    } else if (h * w < min_pixels) {
        double grow = sqrt((double)min_pixels / area);
        h = (int64_t)ceil((double)height * grow / factor) * factor;
        w = (int64_t)ceil((double)width * grow / factor) * factor;
    }
    *out_height = h;
    *out_width = w;
    return true;
}

static void fill_table(const piaa_qwen_pixels_config *config, float table[CHANNELS][LEVELS]) {
    float scale = (float)(1.0 / config->rescale_factor);
    for (int c = 0; c < CHANNELS; c++) {
        float mean = config->mean[c] * scale, std = config->std[c] * scale;
        for (int v = 0; v < LEVELS; v++) table[c][v] = ((float)v - mean) / std;
    }
}

/* One row of patches: [channel][temporal][patch][patch] from the square whose top left pixel is
   `rgb`. */
static void fill_patch(const uint8_t *rgb, size_t stride, const piaa_qwen_pixels_config *config,
                       float table[CHANNELS][LEVELS], float *out) {
    size_t patch = (size_t)config->patch_size, frame = patch * patch;
    for (int c = 0; c < CHANNELS; c++) {
        for (size_t y = 0; y < patch; y++)
            for (size_t x = 0; x < patch; x++)
                out[y * patch + x] = table[c][rgb[y * stride + x * CHANNELS + (size_t)c]];
        for (int t = 1; t < config->temporal_patch_size; t++)
            memcpy(out + (size_t)t * frame, out, frame * sizeof *out);
        out += (size_t)config->temporal_patch_size * frame;
    }
}

static void fill_patches(const piaa_image *image, const piaa_qwen_pixels_config *config,
                         piaa_qwen_pixels *out) {
    float table[CHANNELS][LEVELS];
    fill_table(config, table);
    size_t stride = (size_t)image->width * CHANNELS, patch = (size_t)config->patch_size;
    int merge = config->merge_size;
    float *row = out->patches;
    for (int by = 0; by < out->grid_h; by += merge)
        for (int bx = 0; bx < out->grid_w; bx += merge)
            for (int y = by; y < by + merge; y++)
                for (int x = bx; x < bx + merge; x++, row += out->patch_length)
                    fill_patch(image->rgb + (size_t)y * patch * stride +
                                   (size_t)x * patch * CHANNELS,
                               stride, config, table, row);
}

bool piaa_qwen_pixels_make(const piaa_image *image, const piaa_qwen_pixels_config *config,
                           piaa_qwen_pixels *out, piaa_error *error) {
    *out = (piaa_qwen_pixels){0};
    enum { LARGEST = 1024 }; /* far above any real patch, far below overflow */
    int patch = config->patch_size, merge = config->merge_size,
        frames = config->temporal_patch_size;
    if (patch < 1 || patch > LARGEST || merge < 1 || merge > LARGEST || frames < 1 ||
        frames > LARGEST)
        return piaa_error_set(error, PIAA_FORMAT,
                              "patch_size %d, merge_size %d and temporal_patch_size %d have to lie "
                              "between 1 and %d: check preprocessor_config.json",
                              patch, merge, frames, LARGEST);
    if (!isfinite(1.0 / config->rescale_factor) || config->std[0] == 0 || config->std[1] == 0 ||
        config->std[2] == 0)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "rescale_factor and image_std must not be zero: check preprocessor_config.json");
    int64_t height = 0, width = 0;
    if (!piaa_smart_resize(image->height, image->width, patch * merge, config->min_pixels,
                           config->max_pixels, &height, &width, error))
        return false;
    if (height > INT_MAX || width > INT_MAX)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "an image of %lld x %lld pixels is too large for the model: lower the size limit",
            (long long)width, (long long)height);
    piaa_image resized = {0};
    bool same = height == image->height && width == image->width;
    if (!same &&
        !piaa_image_resize(image, (int)width, (int)height, config->filter, &resized, error))
        return false;
    out->grid_h = (int)height / patch;
    out->grid_w = (int)width / patch;
    out->patch_length = (int64_t)CHANNELS * frames * patch * patch;
    out->patches = piaa_alloc_array((size_t)out->grid_h * (size_t)out->grid_w,
                                    (size_t)out->patch_length * sizeof *out->patches, error);
    bool ok = out->patches != NULL;
    if (ok) fill_patches(same ? image : &resized, config, out);
    piaa_image_free(&resized);
    if (!ok) piaa_qwen_pixels_free(out);
    return ok;
}

void piaa_qwen_pixels_free(piaa_qwen_pixels *pixels) {
    if (!pixels) return;
    free(pixels->patches);
    *pixels = (piaa_qwen_pixels){0};
}
