/* Norm, rotation, attention, gated unit and cross entropy, forwards and backwards. */
#include "train/blocks.h"

#include "base/memory.h"
#include "train/exponential.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 8, TILE = 64 };

/* ---------------------------------------------------------------------------------- arithmetic */

/* Sum of x y in one fixed order, side by side in LANES sums. */
static inline float dot(const float *x, const float *y, int64_t n) {
    float sums[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int64_t lane = 0; lane < LANES; lane++) sums[lane] += x[i + lane] * y[i + lane];
    for (; i < n; i++) sum += x[i] * y[i];
    for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
    return sum;
}

/* ----------------------------------------------------------------------------------------- norm */

static float inverse_root(const float *x, int64_t n, float eps) {
    return 1.0f / sqrtf(dot(x, x, n) / (float)n + eps);
}

void piaa_norm_forwards(const float *x, const float *w, int64_t count, int64_t n, float eps,
                        float *y) {
    for (int64_t row = 0; row < count; row++, x += n, y += n) {
        const float r = inverse_root(x, n, eps);
        for (int64_t i = 0; i < n; i++) y[i] = x[i] * r * w[i];
    }
}

void piaa_norm_backwards(const float *x, const float *w, const float *dy, int64_t count, int64_t n,
                         float eps, bool add, float *dx) {
    for (int64_t row = 0; row < count; row++, x += n, dy += n, dx += n) {
        const float r = inverse_root(x, n, eps);
        float sums[LANES] = {0}, sum = 0;
        int64_t i = 0;
        for (; i + LANES <= n; i += LANES)
            for (int64_t lane = 0; lane < LANES; lane++)
                sums[lane] += w[i + lane] * dy[i + lane] * x[i + lane];
        for (; i < n; i++) sum += w[i] * dy[i] * x[i];
        for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
        const float along = sum * r * r * r / (float)n;
        if (add)
            for (i = 0; i < n; i++) dx[i] += w[i] * dy[i] * r - x[i] * along;
        else
            for (i = 0; i < n; i++) dx[i] = w[i] * dy[i] * r - x[i] * along;
    }
}

/* --------------------------------------------------------------------------------------- rotary */

void piaa_turn_forwards(const float *table, int heads, int dim, float *x) {
    const int half = dim / 2;
    const float *cosines = table, *sines = table + half;
    for (int head = 0; head < heads; head++, x += dim)
        for (int j = 0; j < half; j++) {
            const float a = x[j], b = x[half + j];
            x[j] = a * cosines[j] - b * sines[j];
            x[half + j] = b * cosines[j] + a * sines[j];
        }
}

void piaa_turn_backwards(const float *table, int heads, int dim, float *dx) {
    const int half = dim / 2;
    const float *cosines = table, *sines = table + half;
    for (int head = 0; head < heads; head++, dx += dim)
        for (int j = 0; j < half; j++) {
            const float a = dx[j], b = dx[half + j];
            dx[j] = a * cosines[j] + b * sines[j];
            dx[half + j] = b * cosines[j] - a * sines[j];
        }
}

/* ----------------------------------------------------------------------------------- gated unit */

/* GELU's tanh form: x (1 + tanh u) / 2 = x s with s = 1 / (1 + e^-2u), u = c (x + 0.044715 x^3). */
static const float gelu_twice = 1.59576912160573f; /* 2 sqrt(2 / pi) */
static const float gelu_cubic = 0.044715f;

void piaa_gate_forwards(piaa_activation activation, const float *gate, const float *up,
                        int64_t count, float *y) {
    if (activation == PIAA_SWIGLU)
        for (int64_t i = 0; i < count; i++)
            y[i] = gate[i] / (1.0f + piaa_exponential(-gate[i])) * up[i];
    else
        for (int64_t i = 0; i < count; i++) {
            const float x = gate[i], u = gelu_twice * (x + gelu_cubic * x * x * x);
            y[i] = x / (1.0f + piaa_exponential(-u)) * up[i];
        }
}

void piaa_gate_backwards(piaa_activation activation, const float *gate, const float *up,
                         int64_t count, float *dy, float *dgate) {
    if (activation == PIAA_SWIGLU)
        for (int64_t i = 0; i < count; i++) {
            const float x = gate[i], s = 1.0f / (1.0f + piaa_exponential(-x));
            dgate[i] = dy[i] * up[i] * s * (1.0f + x * (1.0f - s));
            dy[i] *= x * s;
        }
    else
        for (int64_t i = 0; i < count; i++) {
            const float x = gate[i], u = gelu_twice * (x + gelu_cubic * x * x * x),
                        slope = gelu_twice * (1.0f + 3.0f * gelu_cubic * x * x),
                        s = 1.0f / (1.0f + piaa_exponential(-u));
            dgate[i] = dy[i] * up[i] * s * (1.0f + x * (1.0f - s) * slope);
            dy[i] *= x * s;
        }
}

/* ------------------------------------------------------------------------------------ attention */

/* A job is one conversation's key/value head, with all query heads that share it. */
typedef struct heads_job {
    const piaa_heads *all;
    int kv_heads;
} heads_job;

/* The keys that any of the queries first..first + count - 1 sees. */
static void span(const piaa_heads *h, int64_t first, int64_t count, int64_t *begin, int64_t *end) {
    *begin = h->keys;
    *end = 0;
    for (int64_t i = first; i < first + count; i++) {
        if (h->first[i] < *begin) *begin = h->first[i];
        if (h->last[i] >= *end) *end = h->last[i] + 1;
    }
}

/* A row's scores become probabilities over its run begin..end - 1 of `width`, 0 elsewhere. */
static void soften(float *row, int64_t width, int64_t begin, int64_t end) {
    float most = row[begin], sum = 0;
    for (int64_t j = begin; j < end; j++) most = row[j] > most ? row[j] : most;
    for (int64_t j = 0; j < begin; j++) row[j] = 0;
    for (int64_t j = begin; j < end; j++) row[j] = piaa_exponential(row[j] - most);
    for (int64_t j = end; j < width; j++) row[j] = 0;
    for (int64_t j = begin; j < end; j++) sum += row[j];
    const float share = 1.0f / sum;
    for (int64_t j = begin; j < end; j++) row[j] *= share;
}

/* P of a tile: [count][end - begin]. */
static void probabilities(const piaa_heads *h, int head, int64_t first, int64_t count,
                          int64_t begin, int64_t end, float *p) {
    const int64_t q_stride = (int64_t)h->heads * h->dim, stride = (int64_t)h->kv_heads * h->dim,
                  width = end - begin;
    const int kv = head / (h->heads / h->kv_heads);
    piaa_multiply_bt(count, width, h->dim, h->scale, h->q + first * q_stride + head * h->dim,
                     q_stride, h->k + begin * stride + kv * h->dim, stride, 0, p, width);
    for (int64_t i = 0; i < count; i++)
        soften(p + i * width, width, h->first[first + i] - begin, h->last[first + i] + 1 - begin);
}

static void attend(const piaa_heads *h, int head, float *p) {
    const int64_t q_stride = (int64_t)h->heads * h->dim, stride = (int64_t)h->kv_heads * h->dim;
    const float *v = h->v + head / (h->heads / h->kv_heads) * h->dim;
    for (int64_t first = 0, count, begin, end; first < h->queries; first += count) {
        count = h->queries - first < TILE ? h->queries - first : TILE;
        span(h, first, count, &begin, &end);
        probabilities(h, head, first, count, begin, end, p);
        piaa_multiply(count, h->dim, end - begin, 1, p, end - begin, v + begin * stride, stride, 0,
                      h->out + first * q_stride + head * h->dim, q_stride);
    }
}

static void attend_backwards(const piaa_heads *h, int head, float *p, float *dp) {
    const int64_t q_stride = (int64_t)h->heads * h->dim, stride = (int64_t)h->kv_heads * h->dim;
    const int64_t kv = head / (h->heads / h->kv_heads) * (int64_t)h->dim;
    for (int64_t first = 0, count, begin, end; first < h->queries; first += count) {
        count = h->queries - first < TILE ? h->queries - first : TILE;
        span(h, first, count, &begin, &end);
        const int64_t width = end - begin, q_at = first * q_stride + (int64_t)head * h->dim,
                      at = begin * stride + kv;
        probabilities(h, head, first, count, begin, end, p);
        piaa_multiply_at(width, h->dim, count, 1, p, width, h->dout + q_at, q_stride, 1, h->dv + at,
                         stride);
        piaa_multiply_bt(count, width, h->dim, 1, h->dout + q_at, q_stride, h->v + at, stride, 0,
                         dp, width);
        for (int64_t i = 0; i < count; i++) {
            float *row = p + i * width, *d = dp + i * width;
            const float mean = dot(row, d, width);
            for (int64_t j = 0; j < width; j++) d[j] = row[j] * (d[j] - mean);
        }
        piaa_multiply(count, h->dim, width, h->scale, dp, width, h->k + at, stride, 0, h->dq + q_at,
                      q_stride);
        piaa_multiply_at(width, h->dim, count, h->scale, dp, width, h->q + q_at, q_stride, 1,
                         h->dk + at, stride);
    }
}

static bool run_heads(void *user, size_t i, piaa_error *error) {
    const heads_job *job = user;
    const piaa_heads *h = &job->all[i / (size_t)job->kv_heads];
    const int kv = (int)(i % (size_t)job->kv_heads), group = h->heads / h->kv_heads;
    const size_t tile = (size_t)h->keys * TILE;
    float *p = piaa_alloc_array(h->dout ? 2 * tile : tile, sizeof *p, error);
    if (!p) return false;
    if (h->dout)
        for (int64_t key = 0; key < h->keys; key++) {
            const int64_t at = (key * h->kv_heads + kv) * h->dim;
            memset(h->dk + at, 0, (size_t)h->dim * sizeof *h->dk);
            memset(h->dv + at, 0, (size_t)h->dim * sizeof *h->dv);
        }
    for (int head = kv * group; head < (kv + 1) * group; head++)
        if (h->dout)
            attend_backwards(h, head, p, p + tile);
        else
            attend(h, head, p);
    free(p);
    return true;
}

static bool run_all(const piaa_heads *all, size_t count, const piaa_crew *crew, piaa_error *error) {
    heads_job job = {all, count ? all->kv_heads : 1};
    double work = 0;
    for (size_t i = 0; i < count; i++)
        work += 2.0 * (double)all[i].queries * (double)all[i].keys * all[i].heads * all[i].dim;
    return piaa_crew_run(crew, (int64_t)count * job.kv_heads, work, run_heads, &job, error);
}

bool piaa_heads_forwards(const piaa_heads *all, size_t count, const piaa_crew *crew,
                         piaa_error *error) {
    return run_all(all, count, crew, error);
}

bool piaa_heads_backwards(const piaa_heads *all, size_t count, const piaa_crew *crew,
                          piaa_error *error) {
    return run_all(all, count, crew, error);
}

/* -------------------------------------------------------------------------------- cross entropy */

double piaa_entropy(float *logits, int64_t count, int64_t label, float weight) {
    float most = logits[0];
    for (int64_t i = 1; i < count; i++) most = logits[i] > most ? logits[i] : most;
    const double own = (double)logits[label] - (double)most;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        logits[i] = piaa_exponential(logits[i] - most);
        sum += (double)logits[i];
    }
    const float share = (float)(1.0 / sum);
    for (int64_t i = 0; i < count; i++) logits[i] *= share * weight;
    logits[label] -= weight;
    return log(sum) - own;
}
