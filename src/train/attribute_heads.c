/*
 * With p = softmax(l), P and T the cumulated p and target, n rows, K attributes, M bins:
 *
 *     L = sum (a - y)^2 / (n K) + w sum |P - T| / (n M)
 *     dL/da = 2 (a - y) / (n K)
 *     dL/dp_k = sum over m >= k of s_m,   s = sign(P - T) w / (n M)
 *     dL/dl_k = p_k (dL/dp_k - sum over j of p_j dL/dp_j)
 *     dW = d' x,   db = sum of d over rows,   dx = da Wa + dl Wd
 *
 * Both heads are one matrix [K + M][dim], of which the first K rows make the attributes.  Float32,
 * losses summed in float64.
 */
#include "train/attribute_heads.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/random.h"
#include "train/adamw.h"
#include "train/crew.h"
#include "train/exponential.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS = 4, MOST = 1 << 24 };

static const double shares_weight = 0.1;

struct piaa_heads {
    int dim, attributes, bins;
    size_t count;
    float *values; /* [attributes + bins][dim], then the biases */
    piaa_named tensors[TENSORS];
};

static int outputs_of(const piaa_heads *heads) {
    return heads->attributes + heads->bins;
}

static const float *biases_of(const piaa_heads *heads) {
    return heads->values + (size_t)outputs_of(heads) * (size_t)heads->dim;
}

static void name_tensors(piaa_heads *heads) {
    const int64_t dim = heads->dim, a = heads->attributes, b = heads->bins;
    float *weights = heads->values, *biases = weights + (a + b) * dim;
    heads->tensors[0] = (piaa_named){"attr_head.weight", 2, {a, dim}, weights};
    heads->tensors[1] = (piaa_named){"attr_head.bias", 1, {a}, biases};
    heads->tensors[2] = (piaa_named){"dis_head.weight", 2, {b, dim}, weights + a * dim};
    heads->tensors[3] = (piaa_named){"dis_head.bias", 1, {b}, biases + a};
}

piaa_heads *piaa_heads_new(int dim, int attributes, int bins, uint32_t seed, piaa_error *error) {
    if (dim < 1 || attributes < 1 || bins < 1 || dim > MOST || attributes > MOST || bins > MOST) {
        piaa_error_set(error, PIAA_USAGE, "heads on %d features for %d attributes and %d bins", dim,
                       attributes, bins);
        return NULL;
    }
    piaa_heads *heads = piaa_alloc(1, sizeof *heads, error);
    if (!heads) return NULL;
    *heads = (piaa_heads){.dim = dim, .attributes = attributes, .bins = bins};
    heads->count = (size_t)outputs_of(heads) * ((size_t)dim + 1);
    heads->values = piaa_alloc_array(heads->count, sizeof *heads->values, error);
    if (!heads->values) {
        free(heads);
        return NULL;
    }
    name_tensors(heads);
    piaa_random random;
    piaa_random_seed_numpy(&random, seed);
    const double range = 1 / sqrt((double)dim);
    for (size_t i = 0; i < heads->count; i++)
        heads->values[i] = (float)((2 * piaa_random_unit(&random) - 1) * range);
    return heads;
}

piaa_heads *piaa_heads_copy(const piaa_heads *heads, piaa_error *error) {
    piaa_heads *copy = piaa_heads_new(heads->dim, heads->attributes, heads->bins, 0, error);
    if (copy) memcpy(copy->values, heads->values, heads->count * sizeof *heads->values);
    return copy;
}

void piaa_heads_free(piaa_heads *heads) {
    if (!heads) return;
    free(heads->values);
    free(heads);
}

int piaa_heads_dim(const piaa_heads *heads) {
    return heads->dim;
}

const piaa_named *piaa_heads_tensors(const piaa_heads *heads, size_t *count) {
    if (count) *count = TENSORS;
    return heads->tensors;
}

/* In place; a value that is not finite makes all of them NaN. */
static void softmax(float *p, int n) {
    float most = p[0], sum = 0;
    for (int i = 1; i < n; i++) most = p[i] > most ? p[i] : most;
    for (int i = 0; i < n; i++) sum += p[i] = piaa_exponential(p[i] - most);
    for (int i = 0; i < n; i++) p[i] /= sum;
}

/* out [n][attributes + bins]: of each row the attributes, then the shares. */
static void forward(const piaa_heads *heads, const float *x, int64_t n, float *out) {
    const int64_t outputs = outputs_of(heads);
    for (int64_t r = 0; r < n; r++)
        memcpy(out + r * outputs, biases_of(heads), (size_t)outputs * sizeof *out);
    piaa_multiply_bt(n, outputs, heads->dim, 1, x, heads->dim, heads->values, heads->dim, 1, out,
                     outputs);
    for (int64_t r = 0; r < n; r++) softmax(out + r * outputs + heads->attributes, heads->bins);
}

static float *forward_new(const piaa_heads *heads, const float *x, int64_t n, piaa_error *error) {
    if (n < 1) {
        piaa_error_set(error, PIAA_USAGE, "the heads were given no photo");
        return NULL;
    }
    float *out = piaa_blas_room(1, error)
                     ? piaa_alloc_array((size_t)n * (size_t)outputs_of(heads), sizeof *out, error)
                     : NULL;
    if (out) forward(heads, x, n, out);
    return out;
}

bool piaa_heads_predict(const piaa_heads *heads, const float *x, int64_t n, float *attributes,
                        float *shares, piaa_error *error) {
    const size_t a = (size_t)heads->attributes, b = (size_t)heads->bins;
    float *out = forward_new(heads, x, n, error);
    bool ok = out != NULL;
    for (size_t r = 0; ok && r < (size_t)n; r++) {
        const float *row = out + r * (a + b);
        for (size_t i = 0; ok && i < a + b; i++)
            if (!isfinite(row[i]))
                ok = piaa_error_set(error, PIAA_FORMAT,
                                    "the heads make no finite number of photo %zu: look for "
                                    "features that are not finite or out of all proportion",
                                    r + 1);
        memcpy(attributes + r * a, row, a * sizeof *row);
        memcpy(shares + r * b, row + a, b * sizeof *row);
    }
    free(out);
    return ok;
}

/* The loss of what forward() made; d (may be NULL) [n][attributes + bins] its gradient. */
static double loss_of(const piaa_heads *heads, const float *out, const float *attributes,
                      const float *shares, int64_t n, float *d) {
    const int64_t a = heads->attributes, b = heads->bins;
    const float share = (float)(shares_weight / (double)(n * b)), half = 1 / (float)(n * a);
    double squares = 0, distances = 0;
    for (int64_t r = 0; r < n; r++) {
        const float *own = out + r * (a + b), *p = own + a, *t = shares + r * b;
        for (int64_t i = 0; i < a; i++) {
            const float off = own[i] - attributes[r * a + i];
            squares += (double)off * off;
            if (d) d[r * (a + b) + i] = 2 * off * half;
        }
        float ahead = 0, wanted = 0, mean = 0, *dl = d ? d + r * (a + b) + a : NULL;
        for (int64_t m = 0; m < b; m++) {
            ahead += p[m];
            wanted += t[m];
            const float off = ahead - wanted;
            distances += fabs((double)off);
            if (dl) dl[m] = off > 0 ? share : off < 0 ? -share : 0;
        }
        if (!dl) continue;
        for (int64_t m = b - 2; m >= 0; m--) dl[m] += dl[m + 1];
        for (int64_t m = 0; m < b; m++) mean += p[m] * dl[m];
        for (int64_t m = 0; m < b; m++) dl[m] = p[m] * (dl[m] - mean);
    }
    return squares / (double)(n * a) + shares_weight * distances / (double)(n * b);
}

bool piaa_heads_loss(const piaa_heads *heads, const float *x, const float *attributes,
                     const float *shares, int64_t n, double *loss, piaa_error *error) {
    float *out = forward_new(heads, x, n, error);
    if (!out) return false;
    *loss = loss_of(heads, out, attributes, shares, n, NULL);
    free(out);
    return isfinite(*loss) ||
           piaa_error_set(error, PIAA_FORMAT,
                          "the heads' loss is not a finite number: look for features, attributes "
                          "or shares that are not finite");
}

/* ------------------------------------------------------------------------------------- training */

struct piaa_heads_training {
    piaa_heads *heads;
    piaa_adamw *adamw;
    float *gradients; /* [heads->count] */
};

piaa_heads_training *piaa_heads_training_new(piaa_heads *heads, piaa_error *error) {
    piaa_heads_training *t = piaa_alloc(1, sizeof *t, error);
    if (!t) return NULL;
    t->heads = heads;
    t->adamw = piaa_adamw_new(heads->count, NULL, error);
    t->gradients = t->adamw ? piaa_alloc_array(heads->count, sizeof *t->gradients, error) : NULL;
    if (t->gradients) return t;
    piaa_heads_training_free(t);
    return NULL;
}

void piaa_heads_training_free(piaa_heads_training *training) {
    if (!training) return;
    piaa_adamw_free(training->adamw);
    free(training->gradients);
    free(training);
}

const piaa_named *piaa_heads_training_state(const piaa_heads_training *training, size_t *count) {
    return piaa_adamw_state(training->adamw, count);
}

static void backward(piaa_heads_training *t, const float *x, const float *d, int64_t n, float *dx) {
    const piaa_heads *heads = t->heads;
    const int64_t outputs = outputs_of(heads), dim = heads->dim;
    float *biases = t->gradients + outputs * dim;
    piaa_multiply_at(outputs, dim, n, 1, d, outputs, x, dim, 0, t->gradients, dim);
    memset(biases, 0, (size_t)outputs * sizeof *biases);
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < outputs; i++) biases[i] += d[r * outputs + i];
    if (dx) piaa_multiply(n, dim, outputs, 1, d, outputs, heads->values, dim, 0, dx, dim);
}

static bool step(piaa_heads_training *t, const float *out, const float *x, const float *attributes,
                 const float *shares, int64_t n, double rate, float *dx, double *loss,
                 piaa_error *error) {
    float *d = piaa_alloc_array((size_t)n * (size_t)outputs_of(t->heads), sizeof *d, error);
    if (!d) return false;
    const double before = loss_of(t->heads, out, attributes, shares, n, d);
    if (loss) *loss = before;
    if (isfinite(before)) {
        backward(t, x, d, n, dx);
        piaa_adamw_begin(t->adamw, rate);
        piaa_adamw_update(t->adamw, 0, t->heads->values, t->gradients, t->heads->count);
    }
    free(d);
    return isfinite(before) ||
           piaa_error_set(error, PIAA_FORMAT,
                          "step %lld of the heads: the loss is not a finite number: look for "
                          "features, attributes or shares that are not finite, or lower the rate",
                          (long long)piaa_adamw_steps(t->adamw) + 1);
}

bool piaa_heads_training_step(piaa_heads_training *t, const float *x, const float *attributes,
                              const float *shares, int64_t n, double rate, float *dx, double *loss,
                              piaa_error *error) {
    float *out = forward_new(t->heads, x, n, error);
    const bool ok = out && step(t, out, x, attributes, shares, n, rate, dx, loss, error);
    free(out);
    return ok;
}
