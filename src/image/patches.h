/* From pixels to the patch rows that a vision encoder eats, per family. */
#ifndef PIAA_IMAGE_PATCHES_H
#define PIAA_IMAGE_PATCHES_H

#include "image/image.h"

/* Qwen2-VL's size rule: sides that are multiples of `factor`, an area within [min_pixels,
 * max_pixels], aspect ratio as near as that allows; Python's round-half-to-even.  An aspect ratio
 * over 200:1 is an error. */
bool piaa_smart_resize(int64_t height, int64_t width, int factor, int64_t min_pixels,
                       int64_t max_pixels, int64_t *out_height, int64_t *out_width,
                       piaa_error *error) PIAA_MUST_USE;

typedef struct piaa_qwen_pixels_config {
    int patch_size, temporal_patch_size, merge_size;
    int64_t min_pixels, max_pixels;
    float mean[3], std[3];
    double rescale_factor;
    piaa_filter filter;
} piaa_qwen_pixels_config;

/* patches: [grid_h * grid_w][3 * temporal * patch * patch] float32 in the order of transformers'
 * Qwen2VLImageProcessor (patches in merge blocks, the temporal axis duplicated); owned, freed with
 * piaa_qwen_pixels_free. */
typedef struct piaa_qwen_pixels {
    int grid_h, grid_w;
    int64_t patch_length;
    float *patches;
} piaa_qwen_pixels;

bool piaa_qwen_pixels_make(const piaa_image *image, const piaa_qwen_pixels_config *config,
                           piaa_qwen_pixels *out, piaa_error *error) PIAA_MUST_USE;
void piaa_qwen_pixels_free(piaa_qwen_pixels *pixels);

#endif
