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

static bool read_yarn(piaa_rotary *r, const piaa_config *scaling, piaa_error *error) {
    double weight = 0, all = 0, given;
    r->truncate = piaa_config_flag(scaling, "truncate", true);
    piaa_json_number(scaling->json, "mscale", &weight);
    piaa_json_number(scaling->json, "mscale_all_dim", &all);
    given = weight != 0 && all != 0 ? spread(r->factor, weight) / spread(r->factor, all)
                                    : spread(r->factor, 1);
    return piaa_config_positive(scaling, "attention_factor", given, &r->magnitude, error) &&
           piaa_config_positive(scaling, "beta_fast", 32, &r->beta_fast, error) &&
           piaa_config_positive(scaling, "beta_slow", 1, &r->beta_slow, error);
}

static bool read_llama3(piaa_rotary *r, const piaa_config *scaling, piaa_error *error) {
    if (!piaa_config_positive(scaling, "low_freq_factor", 0, &r->low, error) ||
        !piaa_config_positive(scaling, "high_freq_factor", 0, &r->high, error))
        return false;
    return r->high > r->low ||
           piaa_error_set(error, PIAA_FORMAT, "%s: high_freq_factor should exceed low_freq_factor",
                          piaa_checkpoint_where(scaling->checkpoint));
}

/* Of the object, or of what it is called in older files; NULL: there is no scaling. */
static const cJSON *find_object(const piaa_config *config, const char *key) {
    const cJSON *object = piaa_config_find(config, key);
    return cJSON_IsObject(object) ? object : NULL;
}

bool piaa_rotary_read(piaa_rotary *r, const piaa_config *config, const char *object,
                      const char *old_base, const char *old_scaling, double default_base,
                      piaa_error *error) {
    char key[96];
    r->scaling = PIAA_ROTARY_DEFAULT;
    r->factor = r->magnitude = 1;
    snprintf(key, sizeof key, "%s.rope_theta", old_scaling);
    if (!piaa_config_positive(config, old_base, default_base, &r->base, error) ||
        (*old_scaling && !piaa_config_positive(config, key, r->base, &r->base, error)))
        return false;
    snprintf(key, sizeof key, "%s.rope_theta", object);
    if (!piaa_config_positive(config, key, r->base, &r->base, error)) return false;
    const char *where = piaa_checkpoint_where(config->checkpoint);
    if (!(r->base > 1))
        return piaa_error_set(error, PIAA_FORMAT, "%s: %s is %g, expected more than 1", where, key,
                              (double)r->base);
    piaa_config scaling = {find_object(config, object), "", config->checkpoint};
    if (!scaling.json) scaling.json = find_object(config, old_scaling);
    const char *type = piaa_json_string(scaling.json, "rope_type");
    if (!type) type = piaa_json_string(scaling.json, "type");
    if (type && !find_scaling(type, &r->scaling))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: rotary positions of the rope_type \"%.40s\" are not supported "
                              "(default, linear, dynamic, yarn, llama3)",
                              where, type);
    float share;
    if (!piaa_config_positive(&scaling, "partial_rotary_factor", 1, &share, error)) return false;
    if (share != 1)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: partial_rotary_factor %g is not supported, only 1", where,
                              (double)share);
    if (r->scaling == PIAA_ROTARY_DEFAULT) return true;
    float longest;
    if (!piaa_config_positive(config, "max_position_embeddings", 32768, &longest, error))
        return false;
    const bool extended = r->scaling == PIAA_ROTARY_YARN || r->scaling == PIAA_ROTARY_LLAMA3;
    r->trained = longest;
    if (extended && !piaa_config_positive(&scaling, "original_max_position_embeddings", longest,
                                          &r->trained, error))
        return false;
    const double factor = r->scaling == PIAA_ROTARY_YARN ? longest / r->trained : 0;
    if (!piaa_config_positive(&scaling, "factor", factor, &r->factor, error)) return false;
    if (r->scaling == PIAA_ROTARY_YARN) return read_yarn(r, &scaling, error);
    return r->scaling != PIAA_ROTARY_LLAMA3 || read_llama3(r, &scaling, error);
}

/* Members that a kind of scaling does not read are 0 in both. */
bool piaa_rotary_same(const piaa_rotary *a, const piaa_rotary *b) {
    for (int i = 0; i < PIAA_ROTARY_AXES; i++)
        if (a->section[i] != b->section[i]) return false;
    return a->dim == b->dim && a->base == b->base && a->scaling == b->scaling &&
           a->factor == b->factor && a->trained == b->trained && a->magnitude == b->magnitude &&
           a->beta_fast == b->beta_fast && a->beta_slow == b->beta_slow &&
           a->truncate == b->truncate && a->low == b->low && a->high == b->high &&
           a->interleaved == b->interleaved;
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
