/*
 * Gray and warped photos.
 *
 * A thin-plate spline is the smoothest map of the plane that takes given points to given places
 * (Bookstein, "Principal warps", PAMI 1989):
 *
 *     f(p) = p + a0 + a1 x + a2 y + sum over i of w_i U(|p - c_i|),    U(r) = r^2 log r^2 / 2
 *
 * with w and a from one linear system, U(|c_i - c_j|) bordered by (1, x, y): 19 unknowns for 16
 * control points.  f here leads from a place in the new photo to the place in the old one that its
 * colour comes from, both in units of width and height.
 */
#include "image/augment.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

#include <vips/vips.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 4, POINTS = SIDE * SIDE, UNKNOWNS = POINTS + 3 };
static const double most_shift = 0.08;

static const char *const names[PIAA_AUGMENTS] = {"gray", "tps"};

const char *piaa_augment_name(piaa_augment kind) {
    return names[kind];
}

bool piaa_augment_parse(const char *name, piaa_augment *out) {
    for (int k = 0; k < PIAA_AUGMENTS; k++)
        if (strcmp(name, names[k]) == 0) return *out = (piaa_augment)k, true;
    return false;
}

/* ----------------------------------------------------------------------------------------- gray */

static void gray(const piaa_image *in, piaa_image *out) {
    size_t pixels = (size_t)in->width * (size_t)in->height;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *p = in->rgb + 3 * i;
        uint8_t luma = (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
        memset(out->rgb + 3 * i, luma, 3);
    }
}

/* --------------------------------------------------------------------------------------- spline */

typedef struct spline {
    double x[POINTS], y[POINTS];
    double weights[UNKNOWNS][2];
} spline;

static double basis(double dx, double dy) {
    double square = dx * dx + dy * dy;
    return square > 0 ? square * log(square) / 2 : 0;
}

/* Gaussian elimination with row pivoting of [UNKNOWNS][UNKNOWNS + 2]; the system is regular because
   the points are not on a line. */
static void solve(double m[UNKNOWNS][UNKNOWNS + 2], double out[UNKNOWNS][2]) {
    for (int k = 0; k < UNKNOWNS; k++) {
        int pivot = k;
        for (int i = k + 1; i < UNKNOWNS; i++)
            if (fabs(m[i][k]) > fabs(m[pivot][k])) pivot = i;
        for (int j = 0; j < UNKNOWNS + 2; j++) {
            double held = m[k][j];
            m[k][j] = m[pivot][j];
            m[pivot][j] = held;
        }
        for (int i = k + 1; i < UNKNOWNS; i++) {
            double factor = m[i][k] / m[k][k];
            for (int j = k; j < UNKNOWNS + 2; j++) m[i][j] -= factor * m[k][j];
        }
    }
    for (int k = UNKNOWNS - 1; k >= 0; k--)
        for (int c = 0; c < 2; c++) {
            double sum = m[k][UNKNOWNS + c];
            for (int j = k + 1; j < UNKNOWNS; j++) sum -= m[k][j] * out[j][c];
            out[k][c] = sum / m[k][k];
        }
}

static void make_spline(spline *s, uint32_t seed) {
    piaa_random random;
    piaa_random_seed_numpy(&random, seed);
    double m[UNKNOWNS][UNKNOWNS + 2] = {{0}};
    for (int i = 0; i < POINTS; i++) {
        s->x[i] = (double)(i % SIDE) / (SIDE - 1);
        s->y[i] = (double)(i / SIDE) / (SIDE - 1); /* whole rows */
    }
    for (int i = 0; i < POINTS; i++) {
        for (int j = 0; j < POINTS; j++) m[i][j] = basis(s->x[i] - s->x[j], s->y[i] - s->y[j]);
        const double border[3] = {1, s->x[i], s->y[i]};
        for (int j = 0; j < 3; j++) m[i][POINTS + j] = m[POINTS + j][i] = border[j];
        for (int c = 0; c < 2; c++)
            m[i][UNKNOWNS + c] = (2 * piaa_random_unit(&random) - 1) * most_shift;
    }
    solve(m, s->weights);
}

static void bend(const spline *s, double *x, double *y) {
    double moved[2];
    for (int c = 0; c < 2; c++)
        moved[c] =
            s->weights[POINTS][c] + s->weights[POINTS + 1][c] * *x + s->weights[POINTS + 2][c] * *y;
    for (int i = 0; i < POINTS; i++) {
        double u = basis(*x - s->x[i], *y - s->y[i]);
        for (int c = 0; c < 2; c++) moved[c] += s->weights[i][c] * u;
    }
    *x += moved[0];
    *y += moved[1];
}

/* The colour at pixel coordinates (x, y), bilinear; the border goes on beyond the edge. */
static void sample(const piaa_image *in, double x, double y, uint8_t *out) {
    x = fmin(fmax(x, 0), in->width - 1);
    y = fmin(fmax(y, 0), in->height - 1);
    int left = (int)x, top = (int)y, right = left + 1 < in->width ? left + 1 : left,
        bottom = top + 1 < in->height ? top + 1 : top;
    double across = x - left, down = y - top;
    const uint8_t *upper = in->rgb + (size_t)top * (size_t)in->width * 3,
                  *lower = in->rgb + (size_t)bottom * (size_t)in->width * 3;
    for (int c = 0; c < 3; c++) {
        double above = upper[left * 3 + c] * (1 - across) + upper[right * 3 + c] * across;
        double below = lower[left * 3 + c] * (1 - across) + lower[right * 3 + c] * across;
        out[c] = (uint8_t)(above * (1 - down) + below * down + 0.5);
    }
}

static void warp(const piaa_image *in, uint32_t seed, piaa_image *out) {
    spline s;
    make_spline(&s, seed);
    for (int j = 0; j < in->height; j++)
        for (int i = 0; i < in->width; i++) {
            double x = (i + 0.5) / in->width, y = (j + 0.5) / in->height;
            bend(&s, &x, &y);
            sample(in, x * in->width - 0.5, y * in->height - 0.5,
                   out->rgb + ((size_t)j * (size_t)in->width + (size_t)i) * 3);
        }
}

/* ----------------------------------------------------------------------------------------- both */

bool piaa_augment_apply(piaa_augment kind, uint32_t seed, const piaa_image *in, piaa_image *out,
                        piaa_error *error) {
    *out = (piaa_image){.width = in->width, .height = in->height};
    out->rgb = piaa_alloc_array((size_t)in->width * (size_t)in->height, 3, error);
    if (!out->rgb) return false;
    if (kind == PIAA_GRAY)
        gray(in, out);
    else
        warp(in, seed, out);
    return true;
}

static bool write_png(const piaa_image *image, const char *to, piaa_error *error) {
    size_t size = (size_t)image->width * (size_t)image->height * 3;
    void *bytes = NULL;
    VipsImage *memory = vips_image_new_from_memory(image->rgb, size, image->width, image->height, 3,
                                                   VIPS_FORMAT_UCHAR),
              *tagged = NULL;
    bool ok = memory &&
              vips_copy(memory, &tagged, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) == 0 &&
              vips_image_write_to_buffer(tagged, ".png[compression=1]", &bytes, &size, NULL) == 0;
    if (!ok) {
        piaa_error_set(error, PIAA_UNSUPPORTED, "%s could not be encoded as PNG: %s", to,
                       vips_error_buffer());
        vips_error_clear();
    }
    ok = ok && piaa_file_write(to, bytes, size, error);
    g_free(bytes);
    if (tagged) g_object_unref(tagged);
    if (memory) g_object_unref(memory);
    return ok;
}

bool piaa_augment_file(piaa_augment kind, uint32_t seed, const char *from, const char *to,
                       piaa_error *error) {
    piaa_image in = {0}, out = {0};
    bool ok = piaa_image_read(from, PIAA_EXIF_APPLY, &in, error) &&
              piaa_augment_apply(kind, seed, &in, &out, error) && write_png(&out, to, error);
    piaa_image_free(&in);
    piaa_image_free(&out);
    return ok;
}
