/* Antialiased resizing in PyTorch's fixed-point arithmetic for uint8.
 *
 * Output sample i of an axis lies at c = (i + 1/2) s in the input, s = input / output.  It is the
 * mean of the input samples j, weighted by f((j + 1/2 - c) / max(s, 1)): shrinking widens the
 * filter f by s, so that every input sample takes part.  f is the triangle (bilinear) or Keys'
 * cubic with a = -1/2 (bicubic).  The two axes are separable: rows first, rounded to 8 bits, then
 * columns.
 *
 * Weights are 16-bit integers w = round(2^p f), p the largest precision (up to 21) at which the
 * largest of an axis stays below 2^15; a sample is clamp((2^(p-1) + sum w x) >> p), and the 32-bit
 * sum cannot overflow because the weights of a sample add up to about 2^p.
 *
 * Rows come in strips of 16, transposed so that one column of the strip, [channel][row], is 48
 * bytes side by side: both passes are then the same inner loop, "add a weight times a run of 48
 * bytes", which compilers turn into vector code.  Finished rows wait in a ring just tall enough for
 * the vertical filter, so that the work stays in the second-level cache whatever the size of the
 * photo.
 *
 * Measured, 12 megapixels to 1024 x 672, bicubic, one thread, SSE2 code: 31 ms (gcc 12), 33 ms
 * (clang 14); PyTorch with AVX2 takes 46 ms from planar pixels and 9 ms from interleaved ones. */
#include "base/memory.h"
#include "image/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, STRIP = 16, LANES = CHANNELS * STRIP, HIGHEST_PRECISION = 22 };

/* How one axis is resampled: output i is the sum over k < count[i] of weight[i * taps + k] *
   input[first[i] + k]. */
typedef struct resample_axis {
    int out, taps, precision;
    int *first, *count;
    int16_t *weight;
} resample_axis;

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static void axis_free(resample_axis *axis) {
    free(axis->first);
    free(axis->count);
    free(axis->weight);
}

/* The exact weights of every output sample, [out][taps] with zeros after the last; returns the
   largest. */
static double fill_weights(const resample_axis *axis, int in, piaa_filter filter, double *exact) {
    double scale = (double)in / axis->out, stretch = scale >= 1 ? scale : 1,
           shrink = scale >= 1 ? 1 / scale : 1;
    double support = (filter == PIAA_BICUBIC ? 2 : 1) * stretch, largest = 0;
    for (int i = 0; i < axis->out; i++) {
        double centre = scale * (i + 0.5), total = 0, *w = exact + (size_t)i * (size_t)axis->taps;
        int64_t first = (int64_t)(centre - support + 0.5), end = (int64_t)(centre + support + 0.5);
        if (first < 0) first = 0;
        if (end > in) end = in;
        if (end - first > axis->taps) end = first + axis->taps;
        axis->first[i] = (int)first;
        axis->count[i] = (int)(end - first);
        for (int k = 0; k < axis->count[i]; k++) {
            double x = ((double)(first + k) - centre + 0.5) * shrink;
            total += w[k] = filter == PIAA_BICUBIC ? cubic(x) : triangle(x);
        }
        for (int k = 0; k < axis->count[i]; k++) {
            if (total != 0) w[k] /= total;
            if (w[k] > largest) largest = w[k];
        }
    }
    return largest;
}

/* The axis without its 16-bit weights, and the exact ones instead, which are the caller's. */
static double *axis_make_exact(resample_axis *axis, int in, int out, piaa_filter filter,
                               double *largest, piaa_error *error) {
    double scale = (double)in / out,
           support = (filter == PIAA_BICUBIC ? 2 : 1) * (scale >= 1 ? scale : 1);
    axis->out = out;
    axis->taps = (int)ceil(support) * 2 + 1;
    /* No overflow: taps is at most about 4 in / out + 5, and both are ints. */
    size_t all = (size_t)out * (size_t)axis->taps;
    double *exact = NULL;
    bool ok = (axis->first = piaa_alloc((size_t)out, sizeof *axis->first, error)) != NULL &&
              (axis->count = piaa_alloc((size_t)out, sizeof *axis->count, error)) != NULL &&
              (exact = piaa_alloc(all, sizeof *exact, error)) != NULL;
    if (ok) *largest = fill_weights(axis, in, filter, exact);
    return exact;
}

static bool axis_make(resample_axis *axis, int in, int out, piaa_filter filter, piaa_error *error) {
    double largest = 0, *exact = axis_make_exact(axis, in, out, filter, &largest, error);
    size_t all = (size_t)out * (size_t)axis->taps;
    bool ok = exact && (axis->weight = piaa_alloc(all, sizeof *axis->weight, error)) != NULL;
    if (ok) {
        while (axis->precision < HIGHEST_PRECISION &&
               0.5 + largest * (1 << (axis->precision + 1)) < 1 << 15)
            axis->precision++;
        for (size_t k = 0; k < all; k++) {
            double w = exact[k] * (1 << axis->precision);
            axis->weight[k] = (int16_t)(w < 0 ? w - 0.5 : w + 0.5);
        }
    }
    free(exact);
    return ok;
}

static uint8_t to_byte(int32_t sum, int precision) {
    if (sum < 0) return 0;
    sum >>= precision;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* `rows` input rows (at most STRIP; the last is repeated up to STRIP) to a strip laid out
   [width][channel][STRIP]. */
static void strip_load(const uint8_t *in, int width, int rows, uint8_t *strip) {
    size_t stride = (size_t)width * CHANNELS;
    const uint8_t *row[STRIP];
    for (int y = 0; y < STRIP; y++) row[y] = in + (size_t)(y < rows ? y : rows - 1) * stride;
    for (size_t x = 0; x < stride; x++, strip += STRIP)
        for (int y = 0; y < STRIP; y++) strip[y] = row[y][x];
}

/* out[b] = the weighted sum of in[0][start + b], in[1][start + b], … for LANES bytes side by side;
   the sums stay in registers. */
static void weigh(const uint8_t *const *in, size_t start, const int16_t *w, int count,
                  int precision, uint8_t *out) {
    int32_t sum[LANES];
    for (int b = 0; b < LANES; b++) sum[b] = 1 << (precision - 1);
    for (int k = 0; k < count; k++) {
        const uint8_t *bytes = in[k] + start;
        for (int b = 0; b < LANES; b++) sum[b] += w[k] * (int16_t)bytes[b];
    }
    for (int b = 0; b < LANES; b++) out[b] = to_byte(sum[b], precision);
}

static const int16_t *weights_of(const resample_axis *axis, int i) {
    return axis->weight + (size_t)i * (size_t)axis->taps;
}

/* A strip, given by its columns ([channel][STRIP] each), resampled along its rows: rows_out[y]
   receives [out][channel]. */
static void strip_resample(const uint8_t *const *columns, const resample_axis *axis, int rows,
                           uint8_t *const *rows_out) {
    for (int i = 0; i < axis->out; i++) {
        uint8_t bytes[LANES];
        weigh(columns + axis->first[i], 0, weights_of(axis, i), axis->count[i], axis->precision,
              bytes);
        for (int y = 0; y < rows; y++)
            for (int c = 0; c < CHANNELS; c++) rows_out[y][i * CHANNELS + c] = bytes[c * STRIP + y];
    }
}

/* Output row i, `size` bytes, from the input rows that it weighs. */
static void row_resample(const uint8_t *const *rows, const resample_axis *axis, int i, size_t size,
                         uint8_t *out) {
    const int16_t *w = weights_of(axis, i);
    size_t at = 0;
    for (; at + LANES <= size; at += LANES)
        weigh(rows, at, w, axis->count[i], axis->precision, out + at);
    for (; at < size; at++) {
        int32_t sum = 1 << (axis->precision - 1);
        for (int k = 0; k < axis->count[i]; k++) sum += w[k] * rows[k][at];
        out[at] = to_byte(sum, axis->precision);
    }
}

/* Rows of the photo at the output's width: the input's own where the width stays, else made strip
   by strip into a ring. */
typedef struct row_source {
    const piaa_image *in;
    const resample_axis *across; /* NULL: width unchanged */
    uint8_t *strip, *ring;
    const uint8_t **columns; /* of the strip */
    /* Rows 0 … made - 1 were made; the last ring_rows of them are in the ring. */
    int ring_rows, made;
    size_t row_bytes;
} row_source;

static uint8_t *ring_row(const row_source *source, int y) {
    return source->ring + (size_t)(y % source->ring_rows) * source->row_bytes;
}

static const uint8_t *row_at(row_source *source, int y) {
    const piaa_image *in = source->in;
    size_t stride = (size_t)in->width * CHANNELS;
    if (!source->across) return in->rgb + (size_t)y * stride;
    while (y >= source->made) {
        int rows = in->height - source->made < STRIP ? in->height - source->made : STRIP;
        uint8_t *out[STRIP];
        for (int k = 0; k < rows; k++) out[k] = ring_row(source, source->made + k);
        strip_load(in->rgb + (size_t)source->made * stride, in->width, rows, source->strip);
        strip_resample(source->columns, source->across, rows, out);
        source->made += rows;
    }
    return ring_row(source, y);
}

static bool row_source_make(row_source *source, piaa_error *error) {
    size_t width = (size_t)source->in->width;
    if (!source->across) return true;
    if (!(source->strip = piaa_alloc(width, LANES, error)) ||
        !(source->columns = piaa_alloc(width, sizeof *source->columns, error)) ||
        !(source->ring = piaa_alloc((size_t)source->ring_rows, source->row_bytes, error)))
        return false;
    for (size_t x = 0; x < width; x++) source->columns[x] = source->strip + x * LANES;
    return true;
}

static bool resample(const piaa_image *in, const resample_axis *across, const resample_axis *down,
                     piaa_image *out, piaa_error *error) {
    int taps = down ? down->taps : 1;
    row_source source = {.in = in,
                         .across = across,
                         .ring_rows = taps + STRIP,
                         .row_bytes = (size_t)out->width * CHANNELS};
    const uint8_t **rows = piaa_alloc((size_t)taps, sizeof *rows, error);
    bool ok = rows && row_source_make(&source, error);
    for (int y = 0; ok && y < out->height; y++) {
        uint8_t *to = out->rgb + (size_t)y * source.row_bytes;
        for (int k = 0; down && k < down->count[y]; k++)
            rows[k] = row_at(&source, down->first[y] + k);
        if (down)
            row_resample(rows, down, y, source.row_bytes, to);
        else
            memcpy(to, row_at(&source, y), source.row_bytes);
    }
    free(rows);
    free(source.columns);
    free(source.strip);
    free(source.ring);
    return ok;
}

static bool check_sizes(const piaa_image *in, int width, int height, piaa_error *error) {
    if (width < 1 || height < 1)
        return piaa_error_set(
            error, PIAA_USAGE,
            "a photo cannot be resized to %d x %d pixels: give sides of at least 1", width, height);
    if (!in->rgb || in->width < 1 || in->height < 1)
        return piaa_error_set(error, PIAA_USAGE, "an empty image cannot be resized");
    return true;
}

bool piaa_image_resize(const piaa_image *in, int width, int height, piaa_filter filter,
                       piaa_image *out, piaa_error *error) {
    *out = (piaa_image){0};
    if (!check_sizes(in, width, height, error)) return false;
    resample_axis across = {0}, down = {0};
    bool same_width = width == in->width, same_height = height == in->height;
    bool ok =
        (same_width || axis_make(&across, in->width, width, filter, error)) &&
        (same_height || axis_make(&down, in->height, height, filter, error)) &&
        (out->rgb = piaa_alloc_array((size_t)width * (size_t)height, CHANNELS, error)) != NULL;
    if (ok) {
        out->width = width;
        out->height = height;
        ok = resample(in, same_width ? NULL : &across, same_height ? NULL : &down, out, error);
    }
    axis_free(&across);
    axis_free(&down);
    if (!ok) piaa_image_free(out);
    return ok;
}

/* One axis at a time, the horizontal one first; an axis that keeps its length has the weights 1. */
float *piaa_image_resize_float(const piaa_image *in, int width, int height, piaa_filter filter,
                               piaa_error *error) {
    if (!check_sizes(in, width, height, error)) return NULL;
    resample_axis across = {0}, down = {0};
    double unused,
        *wx = axis_make_exact(&across, in->width, width, filter, &unused, error),
        *wy = wx ? axis_make_exact(&down, in->height, height, filter, &unused, error) : NULL;
    const size_t row = (size_t)width * CHANNELS;
    float *middle = wy ? piaa_alloc_array((size_t)in->height, row * sizeof *middle, error) : NULL;
    float *out = middle ? piaa_alloc((size_t)height * row, sizeof *out, error) : NULL;
    for (int y = 0; out && y < in->height; y++) {
        const uint8_t *from = in->rgb + (size_t)y * (size_t)in->width * CHANNELS;
        for (int x = 0; x < width; x++) {
            float sum[CHANNELS] = {0};
            for (int k = 0; k < across.count[x]; k++)
                for (int c = 0; c < CHANNELS; c++)
                    sum[c] += (float)wx[(size_t)x * (size_t)across.taps + (size_t)k] *
                              (float)from[(across.first[x] + k) * CHANNELS + c];
            memcpy(middle + (size_t)y * row + (size_t)x * CHANNELS, sum, sizeof sum);
        }
    }
    for (int y = 0; out && y < height; y++)
        for (int k = 0; k < down.count[y]; k++) {
            const float w = (float)wy[(size_t)y * (size_t)down.taps + (size_t)k],
                        *from = middle + (size_t)(down.first[y] + k) * row;
            for (size_t i = 0; i < row; i++) out[(size_t)y * row + i] += w * from[i];
        }
    free(middle);
    free(wx);
    free(wy);
    axis_free(&across);
    axis_free(&down);
    return out;
}
