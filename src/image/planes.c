/* From a photo to normalised planes, as transformers' image processors compute them with
 * torchvision.
 *
 * Bytes are resized first and normalised last, (x - mean / r) / (std / r) in float32 for a
 * rescaling by r: a byte has 256 values, so a table per channel gives the same bits.  DINOv3's
 * processor rescales first and resizes float32, which neither rounds nor clamps. */
#include "image/planes.h"

#include "base/memory.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, LEVELS = 256, LARGEST = 8192, LARGEST_AREA = 1 << 28 };
enum { CLASS_SIDE = 224 }; /* of every processor's class, where its file names no size */

/* -------------------------------------------------------------------------------- configuration */

static bool bad_setting(const char *where, const char *key, const char *what, piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT, "%s: the image processor's \"%s\" should be %s",
                          where, key, what);
}

bool piaa_planes_read_step(const cJSON *json, const char *key, bool *out, const char *where,
                           piaa_error *error) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
    if (!item) return true;
    *out = cJSON_IsTrue(item);
    return cJSON_IsBool(item) || cJSON_IsNull(item) ||
           bad_setting(where, key, "true or false", error);
}

bool piaa_planes_read_whole(const cJSON *json, const char *key, int64_t *out, const char *where,
                            piaa_error *error) {
    return !piaa_json_find(json, key) || piaa_json_int(json, key, out) ||
           bad_setting(where, key, "a whole number", error);
}

bool piaa_planes_read_scale(const cJSON *json, piaa_filter *filter, double *rescale_factor,
                            const char *where, piaa_error *error) {
    int64_t resample = *filter == PIAA_BILINEAR ? 2 : 3;
    if (!piaa_planes_read_whole(json, "resample", &resample, where, error)) return false;
    if (resample != 2 && resample != 3)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: resample %lld is not supported (2 bilinear, 3 bicubic)", where,
                              (long long)resample);
    *filter = resample == 2 ? PIAA_BILINEAR : PIAA_BICUBIC;
    return !piaa_json_find(json, "rescale_factor") ||
           piaa_json_number(json, "rescale_factor", rescale_factor) ||
           bad_setting(where, "rescale_factor", "a number", error);
}

bool piaa_planes_read_three(const cJSON *json, const char *key, float out[3], const char *where,
                            piaa_error *error) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, key);
    if (!list) return true;
    bool ok = cJSON_IsArray(list) && cJSON_GetArraySize(list) == CHANNELS;
    for (int i = 0; ok && i < CHANNELS; i++) {
        const cJSON *value = cJSON_GetArrayItem(list, i);
        ok = cJSON_IsNumber(value) && fabs(value->valuedouble) <= FLT_MAX;
        if (ok) out[i] = (float)value->valuedouble;
    }
    return ok || bad_setting(where, key, "three numbers", error);
}

bool piaa_planes_check(double rescale_factor, const float std[3], const char *where,
                       piaa_error *error) {
    if (fabs(rescale_factor) <= FLT_MAX && fabs(1.0 / rescale_factor) <= FLT_MAX && std[0] != 0 &&
        std[1] != 0 && std[2] != 0)
        return true;
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s: the image processor's rescale_factor and image_std must not be zero, nor out of range",
        where);
}

/* {"height": h, "width": w}, or one number for both (older files); false if there is neither. */
static bool read_sides(const cJSON *json, const char *key, int64_t *height, int64_t *width) {
    const cJSON *object = piaa_json_find(json, key);
    if (piaa_json_int(json, key, height)) {
        *width = *height;
        return true;
    }
    return object && piaa_json_int(object, "height", height) &&
           piaa_json_int(object, "width", width);
}

static bool size_unknown(const char *where, const char *key, piaa_error *error) {
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: the image processor's \"%s\" should be a whole number of pixels, "
                          "height and width, or a shortest_edge",
                          where, key);
}

static bool read_steps(const cJSON *json, const char *where, piaa_planes_config *out,
                       piaa_error *error) {
    bool rescale = true, normalise = true, cut = false;
    if (!piaa_planes_read_step(json, "do_resize", &out->resize, where, error) ||
        !piaa_planes_read_step(json, "do_center_crop", &out->crop, where, error) ||
        !piaa_planes_read_step(json, "do_rescale", &rescale, where, error) ||
        !piaa_planes_read_step(json, "do_normalize", &normalise, where, error) ||
        !piaa_planes_read_step(json, "do_pan_and_scan", &cut, where, error))
        return false;
    const char *what = !rescale || !normalise ? "neither rescales nor normalises"
                       : cut                  ? "cuts photos up (do_pan_and_scan)"
                       : !out->resize && !out->crop
                           ? "leaves photos at any size (do_resize is false)"
                           : NULL;
    return !what || piaa_error_set(error, PIAA_UNSUPPORTED,
                                   "%s: the image processor %s: not supported", where, what);
}

/* The size to which photos are brought, and that of the window which is cut out of it. */
static bool read_sizes(const cJSON *json, const char *where, bool cuts, piaa_planes_config *out,
                       piaa_error *error) {
    const cJSON *size = piaa_json_find(json, "size"), *window = piaa_json_find(json, "crop_size");
    int64_t height = CLASS_SIDE, width = CLASS_SIDE, shortest = out->shortest ? CLASS_SIDE : 0;
    if ((!out->square && piaa_json_int(json, "size", &shortest)) ||
        piaa_json_int(json, "size.shortest_edge", &shortest)) {
        height = width = shortest;
    } else if (read_sides(json, "size", &height, &width)) {
        shortest = 0;
    } else if (size) {
        return size_unknown(where, "size", error);
    }
    const int64_t resize_height = height, resize_width = width;
    if (out->crop && !window && cuts)
        height = width = CLASS_SIDE;
    else if (out->crop && !read_sides(json, "crop_size", &height, &width))
        return size_unknown(where, "crop_size", error);
    if (height < 1 || width < 1 || shortest < 0 || height > LARGEST || width > LARGEST ||
        shortest > LARGEST || resize_height < 1 || resize_width < 1 || resize_height > LARGEST ||
        resize_width > LARGEST)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the image processor's size is %lld x %lld pixels, expected 1 to %d a side", where,
            (long long)width, (long long)height, LARGEST);
    if (shortest && !out->crop)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: the image processor gives photos of any shape "
                              "(size.shortest_edge without do_center_crop): not supported",
                              where);
    out->height = (int)height;
    out->width = (int)width;
    out->shortest = (int)shortest;
    out->resize_height = (int)resize_height;
    out->resize_width = (int)resize_width;
    return true;
}

piaa_planes_config piaa_planes_classifier(int side) {
    return (piaa_planes_config){.height = side,
                                .width = side,
                                .shortest = (int)((int64_t)side * 256 / 224),
                                .resize = true,
                                .crop = true,
                                .to_even = true,
                                .filter = PIAA_BILINEAR,
                                .rescale_factor = 1 / 255.0,
                                .mean = {0.485F, 0.456F, 0.406F},
                                .std = {0.229F, 0.224F, 0.225F}};
}

bool piaa_planes_config_read(const cJSON *json, const char *where, piaa_planes_config *out,
                             piaa_error *error) {
    const bool cuts = out->crop; /* whether the class has a window of its own */
    if (json &&
        (!piaa_planes_read_three(json, "image_mean", out->mean, where, error) ||
         !piaa_planes_read_three(json, "image_std", out->std, where, error) ||
         !read_steps(json, where, out, error) || !read_sizes(json, where, cuts, out, error) ||
         !piaa_planes_read_scale(json, &out->filter, &out->rescale_factor, where, error)))
        return false;
    return piaa_planes_check(out->rescale_factor, out->std, where, error);
}

bool piaa_planes_same_three(const float a[3], const float b[3]) {
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

const char *piaa_planes_difference(const piaa_planes_config *a, const piaa_planes_config *b) {
    if (a->height != b->height || a->width != b->width || a->shortest != b->shortest ||
        a->resize_height != b->resize_height || a->resize_width != b->resize_width)
        return "size";
    if (a->resize != b->resize) return "do_resize";
    if (a->crop != b->crop) return "do_center_crop";
    if (a->filter != b->filter) return "resample";
    if ((float)a->rescale_factor != (float)b->rescale_factor) return "rescale_factor";
    if (!piaa_planes_same_three(a->mean, b->mean)) return "image_mean";
    return piaa_planes_same_three(a->std, b->std) ? NULL : "image_std";
}

/* Numbers with the digits that tell float32 values apart. */
void piaa_pixels_describe(piaa_filter filter, double rescale_factor, const float mean[3],
                          const float std[3], char out[PIAA_PIXELS_WORDS]) {
    const size_t n = (size_t)snprintf(
        out, PIAA_PIXELS_WORDS, "%s, mean %.9g %.9g %.9g, std %.9g %.9g %.9g",
        filter == PIAA_BILINEAR ? "bilinear" : "bicubic", (double)mean[0], (double)mean[1],
        (double)mean[2], (double)std[0], (double)std[1], (double)std[2]);
    if ((float)rescale_factor != (float)(1.0 / 255))
        snprintf(out + n, PIAA_PIXELS_WORDS - n, ", times %.9g", rescale_factor);
}

void piaa_planes_describe(const piaa_planes_config *c, char out[PIAA_PIXELS_WORDS]) {
    piaa_pixels_describe(c->filter, c->rescale_factor, c->mean, c->std, out);
    size_t n = strlen(out);
    const int height = c->resize_height ? c->resize_height : c->height,
              width = c->resize_width ? c->resize_width : c->width;
    if (c->resize && c->shortest)
        snprintf(out + n, PIAA_PIXELS_WORDS - n, ", shorter side %d", c->shortest);
    else if (c->resize)
        snprintf(out + n, PIAA_PIXELS_WORDS - n, ", resized to %d x %d", width, height);
    n = strlen(out);
    if (c->crop && (!c->resize || c->shortest || height != c->height || width != c->width))
        snprintf(out + n, PIAA_PIXELS_WORDS - n, ", middle %d x %d", c->width, c->height);
    n = strlen(out);
    if (c->floating) snprintf(out + n, PIAA_PIXELS_WORDS - n, ", in floats");
}

/* --------------------------------------------------------------------------------------- planes */

/* What a resized photo's pixel (y, x) is in the result's window: where the window begins in it
   (negative: it is smaller). */
typedef struct window {
    int top, left;
} window;

/* A crop that is larger than the photo puts it in the middle of black, the odd pixel to the right
   and below. */
static int begin_of(int size, int wanted, bool to_even) {
    if (size < wanted) return -((wanted - size) / 2);
    return to_even ? (int)rint((size - wanted) / 2.0) : (size - wanted) / 2;
}

/* The photo's pixel that is at (y, x) of the window; -1 where there is none. */
static int64_t pixel_at(window w, int height, int width, int y, int x) {
    const int from_y = y + w.top, from_x = x + w.left;
    const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
    return inside ? (int64_t)from_y * width + from_x : -1;
}

static void normalise_bytes(const piaa_image *image, window w, const piaa_planes_config *config,
                            float *out) {
    float scale = (float)(1.0 / config->rescale_factor), table[CHANNELS][LEVELS];
    for (int c = 0; c < CHANNELS; c++) {
        float mean = config->mean[c] * scale, std = config->std[c] * scale;
        for (int v = 0; v < LEVELS; v++) table[c][v] = ((float)v - mean) / std;
    }
    for (int c = 0; c < CHANNELS; c++)
        for (int y = 0; y < config->height; y++)
            for (int x = 0; x < config->width; x++) {
                const int64_t at = pixel_at(w, image->height, image->width, y, x);
                *out++ = table[c][at < 0 ? 0 : image->rgb[at * CHANNELS + c]];
            }
}

static bool make_from_bytes(const piaa_image *image, const piaa_planes_config *config, int height,
                            int width, window w, float *out, piaa_error *error) {
    piaa_image resized = {0};
    bool same = height == image->height && width == image->width;
    if (!same && !piaa_image_resize(image, width, height, config->filter, &resized, error))
        return false;
    normalise_bytes(same ? image : &resized, w, config, out);
    piaa_image_free(&resized);
    return true;
}

static bool make_from_floats(const piaa_image *image, const piaa_planes_config *config, int height,
                             int width, window w, float *out, piaa_error *error) {
    float *pixels = piaa_image_resize_float(image, width, height, config->filter, error);
    if (!pixels) return false;
    const float factor = (float)config->rescale_factor;
    for (int c = 0; c < CHANNELS; c++)
        for (int y = 0; y < config->height; y++)
            for (int x = 0; x < config->width; x++) {
                const int64_t at = pixel_at(w, height, width, y, x);
                const float v = at < 0 ? 0 : pixels[at * CHANNELS + c];
                *out++ = (v * factor - config->mean[c]) / config->std[c];
            }
    free(pixels);
    return true;
}

/* The size to which the photo is brought, before the middle is cut out. */
static void resized_size(const piaa_image *image, const piaa_planes_config *config, int64_t *height,
                         int64_t *width) {
    *height = image->height;
    *width = image->width;
    if (!config->resize) return;
    *height = config->resize_height ? config->resize_height : config->height;
    *width = config->resize_width ? config->resize_width : config->width;
    if (!config->shortest) return;
    const int64_t shorter = image->height < image->width ? image->height : image->width,
                  longer = image->height + image->width - shorter;
    const int64_t grown = (int64_t)((double)(config->shortest * longer) / (double)shorter);
    *height = image->height <= image->width ? config->shortest : grown;
    *width = image->height <= image->width ? grown : config->shortest;
}

float *piaa_planes_make(const piaa_image *image, const piaa_planes_config *config,
                        piaa_error *error) {
    int64_t height, width;
    resized_size(image, config, &height, &width);
    if (height > LARGEST_AREA / width) {
        piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "a photo of %d x %d pixels is too long for the model: crop it to a less extreme shape",
            image->width, image->height);
        return NULL;
    }
    if ((height != config->height || width != config->width) && !config->crop) {
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "the model reads photos of %d x %d pixels only, and its image processor "
                       "does not resize: this one is %d x %d",
                       config->width, config->height, image->width, image->height);
        return NULL;
    }
    float *out = piaa_alloc_array((size_t)config->height * (size_t)config->width,
                                  CHANNELS * sizeof *out, error);
    if (!out) return NULL;
    const window w = {begin_of((int)height, config->height, config->to_even),
                      begin_of((int)width, config->width, config->to_even)};
    if ((config->floating ? make_from_floats : make_from_bytes)(image, config, (int)height,
                                                                (int)width, w, out, error))
        return out;
    free(out);
    return NULL;
}

float *piaa_planes_patches(const float *planes, int height, int width, int patch,
                           piaa_error *error) {
    const size_t plane = (size_t)height * (size_t)width, side = (size_t)patch,
                 row = CHANNELS * side * side;
    const size_t grid_h = (size_t)(height / patch), grid_w = (size_t)(width / patch);
    float *out = piaa_alloc_array(grid_h * grid_w, row * sizeof *out, error), *to = out;
    for (size_t gy = 0; out && gy < grid_h; gy++)
        for (size_t gx = 0; gx < grid_w; gx++)
            for (size_t c = 0; c < CHANNELS; c++)
                for (size_t y = 0; y < side; y++, to += side)
                    memcpy(to, planes + c * plane + (gy * side + y) * (size_t)width + gx * side,
                           side * sizeof *to);
    return out;
}
