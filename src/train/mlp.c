/*
 * Forward, for a batch of rows a0 = x and layers l = 1 to 3, W [out][in]:
 *
 *     z_l = a_{l-1} W_l' + b_l,   a_l = gelu(z_l) k_l / (1 - p)  with k_l the mask,   out = z_3
 *
 * where gelu(z) = z F(z), F the normal distribution's function.  With L = mean (out - y)^2 over the
 * batch, and d_l = dL/dz_l:
 *
 *     d_3 = 2 (out - y) / rows
 *     dL/dW_l = d_l' a_{l-1},   dL/db_l = sum of d_l over rows
 *     d_{l-1} = (d_l W_l) k_{l-1} / (1 - p) gelu'(z_{l-1}),   gelu'(z) = F(z) + z f(z)
 *
 * Float32 throughout, losses summed in float64.
 */
#include "train/mlp.h"

#include "base/memory.h"
#include "base/random.h"
#include "train/adamw.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const piaa_mlp_options piaa_mlp_published = {.rate = 1e-3,
                                             .weight_decay = 1e-2,
                                             .dropout = 0.1,
                                             .least_gain = 1e-5,
                                             .batch = 16,
                                             .epochs = 100,
                                             .patience = 10};

/* Fewer rows than this are too few to keep some back. */
enum { FEW = 15 };

struct piaa_mlp {
    int sizes[PIAA_MLP_LAYERS + 1];
    size_t weights[PIAA_MLP_LAYERS], biases[PIAA_MLP_LAYERS]; /* where they begin */
    size_t count;
    float *parameters; /* [count] */
};

static void lay_out(piaa_mlp *network, int width) {
    const int sizes[] = {width, PIAA_MLP_FIRST, PIAA_MLP_SECOND, 1};
    memcpy(network->sizes, sizes, sizeof sizes);
    network->count = 0;
    for (int l = 0; l < PIAA_MLP_LAYERS; l++) {
        network->weights[l] = network->count;
        network->biases[l] = network->count + (size_t)sizes[l + 1] * (size_t)sizes[l];
        network->count = network->biases[l] + (size_t)sizes[l + 1];
    }
}

size_t piaa_mlp_parameters(int width) {
    piaa_mlp network;
    lay_out(&network, width);
    return network.count;
}

static piaa_mlp *network_new(int width, piaa_error *error) {
    piaa_mlp *network = piaa_alloc(1, sizeof *network, error);
    if (!network) return NULL;
    lay_out(network, width);
    network->parameters = piaa_alloc_array(network->count, sizeof *network->parameters, error);
    if (network->parameters) return network;
    free(network);
    return NULL;
}

void piaa_mlp_free(piaa_mlp *network) {
    if (!network) return;
    free(network->parameters);
    free(network);
}

const float *piaa_mlp_weights(const piaa_mlp *network) {
    return network->parameters;
}

size_t piaa_mlp_bytes(const piaa_mlp *network) {
    return network->count * sizeof *network->parameters;
}

/* ------------------------------------------------------------------------------------- the plan */

static void draw(piaa_mlp_plan *plan, size_t n, int width, const piaa_mlp_options *options,
                 uint32_t seed) {
    piaa_random random;
    piaa_mlp network;
    piaa_random_seed_numpy(&random, seed);
    lay_out(&network, width);
    for (size_t i = 0; i < n; i++) plan->order[i] = i;
    if (n > plan->part) piaa_random_permutation(&random, plan->order, n);
    for (int l = 0; l < PIAA_MLP_LAYERS; l++) {
        const double range = 1 / sqrt((double)network.sizes[l]);
        const size_t end = l + 1 < PIAA_MLP_LAYERS ? network.weights[l + 1] : network.count;
        for (size_t i = network.weights[l]; i < end; i++)
            plan->initial[i] = (float)((2 * piaa_random_unit(&random) - 1) * range);
    }
    for (int e = 0; e < options->epochs; e++)
        piaa_random_permutation(&random, plan->batches + (size_t)e * plan->part, plan->part);
    const size_t bytes = (size_t)options->epochs * plan->part * PIAA_MLP_BITS;
    for (size_t i = 0; plan->kept && i < bytes; i++)
        for (int bit = 0; bit < 8; bit++)
            plan->kept[i] =
                (uint8_t)(plan->kept[i] << 1 | (piaa_random_unit(&random) >= options->dropout));
}

piaa_mlp_plan *piaa_mlp_plan_draw(size_t n, int width, const piaa_mlp_options *options,
                                  uint32_t seed, piaa_error *error) {
    piaa_mlp_plan *plan = piaa_alloc(1, sizeof *plan, error);
    if (!plan) return NULL;
    plan->part = n < FEW ? n : (size_t)(0.8 * (double)n);
    const size_t rows = (size_t)options->epochs * plan->part;
    if ((plan->order = piaa_alloc(n, sizeof *plan->order, error)) &&
        (plan->initial = piaa_alloc(piaa_mlp_parameters(width), sizeof *plan->initial, error)) &&
        (plan->batches = piaa_alloc(rows, sizeof *plan->batches, error)) &&
        (!(options->dropout > 0) || (plan->kept = piaa_alloc(rows, PIAA_MLP_BITS, error)))) {
        draw(plan, n, width, options, seed);
        return plan;
    }
    piaa_mlp_plan_free(plan);
    return NULL;
}

void piaa_mlp_plan_free(piaa_mlp_plan *plan) {
    if (!plan) return;
    free(plan->order);
    free(plan->initial);
    free(plan->batches);
    free(plan->kept);
    free(plan);
}

/* ---------------------------------------------------------------------------- forward, backward */

/* Room for a batch: a[0] its rows, and of each layer z, a, and the gradient of z. */
typedef struct batch {
    int rows;
    float *a[PIAA_MLP_LAYERS + 1], *z[PIAA_MLP_LAYERS + 1], *d[PIAA_MLP_LAYERS + 1];
    float *memory;
} batch;

static bool batch_make(batch *b, const piaa_mlp *network, int most, piaa_error *error) {
    size_t floats = 0;
    for (int l = 0; l <= PIAA_MLP_LAYERS; l++) floats += 3 * (size_t)network->sizes[l];
    float *at = b->memory = piaa_alloc_array(floats * (size_t)most, sizeof *b->memory, error);
    if (!at) return false;
    for (int l = 0; l <= PIAA_MLP_LAYERS; l++) {
        const size_t size = (size_t)network->sizes[l] * (size_t)most;
        b->a[l] = at;
        b->z[l] = at + size;
        b->d[l] = at + 2 * size;
        at += 3 * size;
    }
    return true;
}

/* The row's bits for layer l, from 1: those of the second layer follow those of the first. */
static bool is_kept(const uint8_t *bits, int l, int unit) {
    const int at = unit + (l == 2 ? PIAA_MLP_FIRST : 0);
    return bits[at / 8] >> (7 - at % 8) & 1;
}

static float distribution(float z) {
    return 0.5F * (1 + erff(z * 0.707106781F));
}

static float density(float z) {
    return 0.398942280F * expf(-0.5F * z * z);
}

/* a[0] to z[3]; masks [rows][PIAA_MLP_BITS] or NULL. */
static void forward(const piaa_mlp *network, batch *b, const uint8_t *masks, float grow) {
    for (int l = 1; l <= PIAA_MLP_LAYERS; l++) {
        const int in = network->sizes[l - 1], out = network->sizes[l];
        const float *bias = network->parameters + network->biases[l - 1];
        for (int r = 0; r < b->rows; r++)
            memcpy(b->z[l] + (size_t)r * (size_t)out, bias, (size_t)out * sizeof *bias);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, b->rows, out, in, 1, b->a[l - 1], in,
                    network->parameters + network->weights[l - 1], in, 1, b->z[l], out);
        for (int r = 0; l < PIAA_MLP_LAYERS && r < b->rows; r++)
            for (int u = 0; u < out; u++) {
                const size_t i = (size_t)r * (size_t)out + (size_t)u;
                const float whole = b->z[l][i] * distribution(b->z[l][i]);
                const bool kept = !masks || is_kept(masks + (size_t)r * PIAA_MLP_BITS, l, u);
                b->a[l][i] = kept ? whole * grow : 0;
            }
    }
}

/* From d[3] to the gradients of all parameters. */
static void backward(const piaa_mlp *network, batch *b, const uint8_t *masks, float grow,
                     float *gradients) {
    for (int l = PIAA_MLP_LAYERS; l >= 1; l--) {
        const int in = network->sizes[l - 1], out = network->sizes[l];
        float *bias = gradients + network->biases[l - 1];
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, b->rows, 1, b->d[l], out,
                    b->a[l - 1], in, 0, gradients + network->weights[l - 1], in);
        memset(bias, 0, (size_t)out * sizeof *bias);
        for (int r = 0; r < b->rows; r++)
            for (int u = 0; u < out; u++) bias[u] += b->d[l][(size_t)r * (size_t)out + (size_t)u];
        if (l == 1) return;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, b->rows, in, out, 1, b->d[l], out,
                    network->parameters + network->weights[l - 1], in, 0, b->d[l - 1], in);
        for (int r = 0; r < b->rows; r++)
            for (int u = 0; u < in; u++) {
                const size_t i = (size_t)r * (size_t)in + (size_t)u;
                const float z = b->z[l - 1][i], slope = distribution(z) + z * density(z);
                const bool kept = !masks || is_kept(masks + (size_t)r * PIAA_MLP_BITS, l - 1, u);
                b->d[l - 1][i] *= kept ? slope * grow : 0;
            }
    }
}

/* ------------------------------------------------------------------------------------- training */

typedef struct training {
    const float *x, *y;
    size_t n;
    const piaa_mlp_plan *plan;
    const piaa_mlp_options *options;
    piaa_mlp *network;
    piaa_adamw *adamw;
    batch batch;
    float *gradients, *best; /* [count] */
} training;

/* The rows of x that `which` of the order names, and their mean squared error after a pass. */
static double pass(training *t, const size_t *which, size_t first, size_t rows,
                   const uint8_t *masks, float grow) {
    const size_t width = (size_t)t->network->sizes[0];
    double sum = 0;
    t->batch.rows = (int)rows;
    for (size_t r = 0; r < rows; r++) {
        const size_t row = t->plan->order[which ? which[first + r] : first + r];
        memcpy(t->batch.a[0] + r * width, t->x + row * width, width * sizeof *t->x);
    }
    forward(t->network, &t->batch, masks, grow);
    for (size_t r = 0; r < rows; r++) {
        const size_t row = t->plan->order[which ? which[first + r] : first + r];
        const float off = t->batch.z[PIAA_MLP_LAYERS][r] - t->y[row];
        t->batch.d[PIAA_MLP_LAYERS][r] = 2 * off / (float)rows;
        sum += (double)off * off;
    }
    return sum / (double)rows;
}

static size_t batch_from(const training *t, size_t first, size_t end) {
    const size_t most = (size_t)t->options->batch;
    return end - first < most ? end - first : most;
}

/* The mean of the batches' losses. */
static double train_epoch(training *t, int epoch) {
    const piaa_mlp_plan *plan = t->plan;
    const size_t *order = plan->batches + (size_t)epoch * plan->part;
    const float grow = plan->kept ? (float)(1 / (1 - t->options->dropout)) : 1;
    double sum = 0;
    int batches = 0;
    for (size_t at = 0; at < plan->part; at += (size_t)t->options->batch, batches++) {
        const uint8_t *masks =
            plan->kept ? plan->kept + ((size_t)epoch * plan->part + at) * PIAA_MLP_BITS : NULL;
        sum += pass(t, order, at, batch_from(t, at, plan->part), masks, grow);
        backward(t->network, &t->batch, masks, grow, t->gradients);
        piaa_adamw_begin(t->adamw, t->options->rate);
        piaa_adamw_update(t->adamw, 0, t->network->parameters, t->gradients, t->network->count);
    }
    return sum / batches;
}

/* The same of the rows that were kept back: a last short batch weighs as much as a full one. */
static double validate(training *t, double trained) {
    double sum = 0;
    int batches = 0;
    for (size_t at = t->plan->part; at < t->n; at += (size_t)t->options->batch, batches++)
        sum += pass(t, NULL, at, batch_from(t, at, t->n), NULL, 1);
    return batches ? sum / batches : trained;
}

static bool run_epochs(training *t, piaa_mlp_course *course, piaa_error *error) {
    const size_t bytes = piaa_mlp_bytes(t->network);
    double best = HUGE_VAL;
    for (int e = 0, waited = 0; e < t->options->epochs && waited < t->options->patience; e++) {
        const double trained = train_epoch(t, e), kept_back = validate(t, trained);
        if (!isfinite(trained) || !isfinite(kept_back))
            return piaa_error_set(error, PIAA_FORMAT,
                                  "the network's loss is not a finite number in epoch %d: look for "
                                  "features or ratings that are out of all proportion",
                                  e + 1);
        course->epochs = e + 1;
        if (course->losses) {
            course->losses[2 * (size_t)e] = trained;
            course->losses[2 * (size_t)e + 1] = kept_back;
        }
        waited++;
        if (!(kept_back < best - t->options->least_gain)) continue;
        waited = 0;
        best = kept_back;
        course->best = e;
        memcpy(t->best, t->network->parameters, bytes);
    }
    memcpy(t->network->parameters, t->best, bytes);
    return true;
}

static bool run(training *t, int width, piaa_mlp_course *course, piaa_error *error) {
    const piaa_adamw_options decay = {.weight_decay = t->options->weight_decay};
    if (!(t->network = network_new(width, error))) return false;
    const size_t count = t->network->count;
    memcpy(t->network->parameters, t->plan->initial, count * sizeof *t->plan->initial);
    return (t->adamw = piaa_adamw_new(count, &decay, error)) &&
           (t->gradients = piaa_alloc_array(count, sizeof *t->gradients, error)) &&
           (t->best = piaa_alloc_array(count, sizeof *t->best, error)) &&
           batch_make(&t->batch, t->network, t->options->batch, error) &&
           run_epochs(t, course, error);
}

piaa_mlp *piaa_mlp_train(const float *x, const float *y, size_t n, int width,
                         const piaa_mlp_plan *plan, const piaa_mlp_options *options,
                         piaa_mlp_course *course, piaa_error *error) {
    training t = {.x = x, .y = y, .n = n, .plan = plan, .options = options};
    piaa_mlp_course own = {0};
    const bool ok = run(&t, width, course ? course : &own, error);
    piaa_adamw_free(t.adamw);
    free(t.gradients);
    free(t.best);
    free(t.batch.memory);
    if (ok) return t.network;
    piaa_mlp_free(t.network);
    return NULL;
}

bool piaa_mlp_predict(const piaa_mlp *network, const float *x, size_t count, double *out,
                      piaa_error *error) {
    const size_t width = (size_t)network->sizes[0];
    batch b = {0};
    if (!batch_make(&b, network, 1, error)) return false;
    b.rows = 1;
    for (size_t i = 0; i < count; i++) {
        memcpy(b.a[0], x + i * width, width * sizeof *x);
        forward(network, &b, NULL, 1);
        out[i] = (double)b.z[PIAA_MLP_LAYERS][0];
    }
    free(b.memory);
    return true;
}
