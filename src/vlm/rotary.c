/*
 * Rotary positions: frequencies as the checkpoint scales them, and the table of angles.
 *
 * The scalings, with f_j = base^(-2j / dim), s the factor and L the positions of training:
 *   linear    f_j / s
 *   dynamic   the base grows with the number n > L of positions: base (s n / L - s + 1)^(dim / (dim
 *             - 2))
 *   yarn      f_j / s for pairs that turn less than beta_slow times within L, f_j for those that
 *             turn more than beta_fast times, in between a ramp over j; the angles' cosines and
 *             sines are multiplied by 0.1 ln s + 1
 *   llama3    f_j / s where a turn is longer than L / low, f_j where it is shorter than L / high,
 *             in between a ramp over L f_j / 2 pi
 */
#include "vlm/rotary.h"

#include "base/memory.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* ------------------------------------------------------------------------------------- settings */

static bool find_scaling(const char *name, piaa_rotary_scaling *out) {
    static const struct {
        const char *name;
        piaa_rotary_scaling scaling;
    } known[] = {{"default", PIAA_ROTARY_DEFAULT}, {"mrope", PIAA_ROTARY_DEFAULT},
                 {"linear", PIAA_ROTARY_LINEAR},   {"dynamic", PIAA_ROTARY_DYNAMIC},
                 {"yarn", PIAA_ROTARY_YARN},       {"llama3", PIAA_ROTARY_LLAMA3}};
    for (size_t i = 0; i < PIAA_COUNT(known); i++) {
        *out = known[i].scaling;
        if (strcmp(name, known[i].name) == 0) return true;
    }
    return false;
}

/* 1 for no stretching, growing with its logarithm. */
static double spread(double factor, double weight) {
    return factor > 1 ? 0.1 * weight * log(factor) + 1 : 1;
}

static void set_yarn(piaa_rotary *r, const piaa_rope_settings *s) {
    r->truncate = s->truncate;
    r->beta_fast = (float)s->fast;
    r->beta_slow = (float)s->slow;
    r->magnitude = (float)s->magnitude;
    if (s->magnitude == 0)
        r->magnitude = (float)(s->mscale > 0 && s->mscale_all > 0
                                   ? spread(r->factor, s->mscale) / spread(r->factor, s->mscale_all)
                                   : spread(r->factor, 1));
}

static bool set_llama3(piaa_rotary *r, const piaa_rope_settings *s, const char *where,
                       piaa_error *error) {
    r->low = (float)s->low;
    r->high = (float)s->high;
    return (r->low > 0 && r->high > r->low) ||
           piaa_error_set(error, PIAA_FORMAT,
                          "%s: rope_type \"llama3\" needs a low_freq_factor above 0 and a "
                          "high_freq_factor that exceeds it",
                          where);
}

bool piaa_rotary_set(piaa_rotary *r, const piaa_rope_settings *s, int positions, const char *where,
                     piaa_error *error) {
    r->base = (float)s->base;
    r->factor = r->magnitude = 1;
    if (!(r->base > 1))
        return piaa_error_set(error, PIAA_FORMAT, "%s: rope_theta is %g, expected more than 1",
                              where, s->base);
    if (!find_scaling(s->type, &r->scaling))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: rotary positions of the rope_type \"%.40s\" are not supported "
                              "(default, linear, dynamic, yarn, llama3)",
                              where, s->type);
    if (r->scaling == PIAA_ROTARY_DEFAULT) return true;
    const bool extended = r->scaling == PIAA_ROTARY_YARN || r->scaling == PIAA_ROTARY_LLAMA3;
    r->trained = (float)(extended && s->trained > 0 ? s->trained : positions);
    r->factor = (float)s->factor;
    if (s->factor == 0 && r->scaling == PIAA_ROTARY_YARN && r->trained > 0)
        r->factor = (float)positions / r->trained;
    if (!(r->factor > 0) || !(r->trained > 0))
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: rope_type \"%s\" needs a factor and max_position_embeddings, both "
            "above 0",
            where, s->type);
    if (r->scaling == PIAA_ROTARY_YARN) set_yarn(r, s);
    return r->scaling != PIAA_ROTARY_LLAMA3 || set_llama3(r, s, where, error);
}

/* ---------------------------------------------------------------------------------- frequencies */

/* The pair that turns so many times within the positions of training. */
static double pair_of(const piaa_rotary *r, double turns) {
    return r->dim * log(r->trained / (turns * 2 * PI)) / (2 * log((double)r->base));
}

/* In float32, step by step as the reference has it. */
static void scale_yarn(const piaa_rotary *r, float *f) {
    double low = pair_of(r, r->beta_fast), high = pair_of(r, r->beta_slow);
    if (r->truncate) low = floor(low), high = ceil(high);
    low = fmax(low, 0);
    high = fmin(high, r->dim - 1);
    if (low == high) high += 0.001;
    for (int j = 0; j < r->dim / 2; j++) {
        const float ramp = fminf(fmaxf((float)((j - low) / (high - low)), 0), 1), kept = 1 - ramp;
        f[j] = f[j] / r->factor * (1 - kept) + f[j] * kept;
    }
}

static void scale_llama3(const piaa_rotary *r, float *f) {
    for (int j = 0; j < r->dim / 2; j++) {
        const float turn = (float)(2 * PI) / f[j];
        const float smooth = (r->trained / turn - r->low) / (r->high - r->low);
        if (turn > r->trained / r->low)
            f[j] /= r->factor;
        else if (turn >= r->trained / r->high)
            f[j] = (1 - smooth) * f[j] / r->factor + smooth * f[j];
    }
}

static void fill_frequencies(const piaa_rotary *r, int positions, float *f) {
    float base = r->base;
    if (r->scaling == PIAA_ROTARY_DYNAMIC && (float)positions > r->trained)
        base = (float)(base * pow(r->factor * positions / r->trained - (r->factor - 1),
                                  r->dim / (r->dim - 2.0)));
    for (int j = 0; j < r->dim / 2; j++) f[j] = 1.0f / powf(base, (float)(2 * j) / (float)r->dim);
    if (r->scaling == PIAA_ROTARY_LINEAR)
        for (int j = 0; j < r->dim / 2; j++) f[j] /= r->factor;
    if (r->scaling == PIAA_ROTARY_YARN) scale_yarn(r, f);
    if (r->scaling == PIAA_ROTARY_LLAMA3) scale_llama3(r, f);
}

static unsigned char axis_of(const piaa_rotary *r, int pair) {
    const int time = r->section[0], row = r->section[1], column = r->section[2];
    if (!time) return 0;
    if (!r->interleaved) return (unsigned char)((pair >= time) + (pair >= time + row));
    return pair % 3 == 1 && pair < 3 * row ? 1 : pair % 3 == 2 && pair < 3 * column ? 2 : 0;
}

/* ---------------------------------------------------------------------------------------- table */

/* Positions repeat (an image's rows and columns), so that every angle is computed once: [positions]
 * [pairs][cosine, sine], of those from `first` on. */
static float *make_angles(const piaa_angles *a, int first, int positions, piaa_error *error) {
    const size_t pairs = (size_t)a->pairs;
    float *angles = piaa_alloc_array((size_t)positions * pairs, 2 * sizeof *angles, error);
    for (int p = 0; angles && p < positions; p++)
        for (size_t j = 0; j < pairs; j++) {
            const float angle = (float)(first + p) * a->frequency[j];
            float *out = angles + ((size_t)p * pairs + j) * 2;
            out[0] = cosf(angle) * a->magnitude;
            out[1] = sinf(angle) * a->magnitude;
        }
    return angles;
}

static int axes_of(const piaa_angles *a) {
    int axes = 1;
    for (int j = 0; j < a->pairs; j++)
        if (a->axis[j] >= axes) axes = a->axis[j] + 1;
    return axes;
}

float *piaa_angles_table(const piaa_angles *a, const int32_t *positions, int n,
                         const int32_t *places, int count, piaa_error *error) {
    int farthest = 0, nearest = INT_MAX;
    for (int i = 0; i < axes_of(a) * n; i++) {
        if (positions[i] > farthest) farthest = positions[i];
        if (positions[i] < nearest) nearest = positions[i];
    }
    float *angles = n ? make_angles(a, nearest, farthest + 1 - nearest, error)
                      : piaa_alloc_array(0, sizeof *angles, error);
    const size_t pairs = (size_t)a->pairs;
    float *table =
        angles ? piaa_alloc_array((size_t)count * pairs, 2 * sizeof *table, error) : NULL;
    for (int i = 0; table && i < count; i++) {
        float *out = table + (size_t)i * pairs * 2;
        for (size_t j = 0; j < pairs; j++) {
            const int32_t position = positions[a->axis[j] * n + (places ? places[i] : i)];
            const float *angle = angles + ((size_t)(position - nearest) * pairs + j) * 2;
            out[j] = angle[0];
            out[pairs + j] = angle[1];
        }
    }
    free(angles);
    return table;
}

float *piaa_rotary_table(const piaa_rotary *r, const int32_t *positions, int n,
                         const int32_t *places, int count, piaa_error *error) {
    piaa_angles angles = {.pairs = r->dim / 2, .magnitude = r->magnitude};
    int farthest = 0;
    for (int i = 0; i < PIAA_ROTARY_AXES * n; i++)
        if (positions[i] > farthest) farthest = positions[i];
    fill_frequencies(r, farthest + 1, angles.frequency);
    for (int j = 0; j < angles.pairs; j++) angles.axis[j] = axis_of(r, j);
    return piaa_angles_table(&angles, positions, n, places, count, error);
}
