/*
 * A ResNet's training: forward with the batch's own statistics, back through everything, Adam.
 *
 * Way back through a bottleneck y = relu(n3(c3(n2(c2(n1(c1(x)))))) + s(x)), each n1, n2 with its
 * relu, from dL/dy in place G:
 *
 *     G <- dL/dy [y > 0]                  the gradient of both summands
 *     F <- c1' n1' c2' n2' c3' n3' G      through the two other places in turn
 *     dL/dx = F + s' G                    s' G = G where the shortcut is x itself
 *
 * so that three places are enough for all gradients of activations.  The activations themselves
 * stay: of each unit what the convolution gave and what batch norm and relu made of it.
 *
 * Weights are the network's own, in PyTorch's order; they are laid out as each operation wants them
 * once a step, and their gradients are laid out back as soon as they are made.
 *
 * Where the time goes (ResNet-50, eight photos, one thread with AVX-512; docs/ici.md): 87 % is
 * convolution, in equal thirds, at 190 to 220 GFLOP/s; batch norm with its relu 6 %, laying weights
 * out 4 %, sums and relu 3 %.  Nothing but the pixels is laid out anew on the way: each convolution
 * takes what the one before it gave, and oneDNN has one blocked layout for all of them.
 */
#include "base/memory.h"
#include "base/parallel.h"
#include "train/adamw.h"
#include "train/resnet_watch.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 18 };
enum { WEIGHTS, FORWARD, BACK, ASIDE };                         /* lists */
enum { FIRST = PIAA_DNN_SCRATCH + 1, SECOND, THIRD, GRADIENT }; /* shared places */

static const double momentum = 0.1; /* of the running statistics */

typedef struct pass {
    piaa_dnn_convolution *convolution;
    piaa_dnn_norm *norm;
    int64_t values; /* of a channel: n rows columns */
} pass;

/* Everything that belongs to one number and size of photos. */
typedef struct plan {
    int64_t n;
    int rows, columns;
    piaa_dnn *dnn;
    piaa_dnn_array *pixels, *features, *gradients;
    pass *passes; /* by unit */
    piaa_dnn_pool *largest, *mean;
    piaa_resnet_stages stages;
} plan;

struct piaa_resnet_training {
    piaa_resnet *net;
    int threads;
    piaa_adamw *adamw;
    float *gradients; /* as net->trained */
    float *batch;     /* as net->running: mean and variance of the last batch */
    piaa_named *named_gradients;
    size_t named_count;
    plan plan;
    bool went_forward;
    const piaa_resnet_watch *watch;
};

static void clear_plan(plan *p) {
    piaa_dnn_free(p->dnn);
    free(p->passes);
    *p = (plan){0};
}

/* ---- there */

static piaa_dnn_array *mine(piaa_resnet_training *t, const float *data, int64_t count) {
    return piaa_dnn_plain(t->plan.dnn, 1, &count, data);
}

/* Convolution and batch norm number i, then relu, if so; `like`: laid out as this one. */
static piaa_dnn_array *forward(piaa_resnet_training *t, int i, piaa_dnn_array *x, bool relu,
                               piaa_dnn_array *like) {
    piaa_dnn *dnn = t->plan.dnn;
    const piaa_unit *u = &t->net->units[i];
    const int64_t shape[4] = {u->outputs, u->inputs, u->kernel, u->kernel};
    const piaa_dnn_window window = {.kernel = u->kernel,
                                    .stride = u->stride,
                                    .padding = u->kernel / 2,
                                    .place = PIAA_DNN_OWN,
                                    .weights_list = WEIGHTS,
                                    .like = like};
    pass *p = &t->plan.passes[i];
    p->convolution =
        piaa_dnn_convolve(dnn, FORWARD, x, piaa_dnn_plain(dnn, 4, shape, u->weights), &window);
    if (!p->convolution) return NULL;
    const size_t scale = (size_t)(u->scale - t->net->trained),
                 mean = (size_t)(u->mean - t->net->running), outputs = (size_t)u->outputs;
    const piaa_dnn_channels channels = {.scale = mine(t, u->scale, u->outputs),
                                        .shift = mine(t, u->shift, u->outputs),
                                        .mean = mine(t, t->batch + mean, u->outputs),
                                        .variance = mine(t, t->batch + mean + outputs, u->outputs),
                                        .scale_gradient = mine(t, t->gradients + scale, u->outputs),
                                        .shift_gradient =
                                            mine(t, t->gradients + scale + outputs, u->outputs)};
    const int64_t *y = p->convolution->y->shape;
    p->values = y[0] * y[2] * y[3];
    p->norm =
        piaa_dnn_normalise(dnn, FORWARD, p->convolution->y, &channels, PIAA_RESNET_EPSILON, relu);
    return p->norm ? p->norm->y : NULL;
}

static bool projects(const piaa_resnet_training *t, int i) {
    return t->net->units[i + 2].role == PIAA_UNIT_SHORTCUT;
}

/* The bottleneck from unit i on. */
static piaa_dnn_array *bottleneck(piaa_resnet_training *t, int i, piaa_dnn_array *x) {
    piaa_dnn_array *one = forward(t, i, x, true, NULL), *two = forward(t, i + 1, one, true, NULL),
                   *shortcut = projects(t, i) ? forward(t, i + 2, x, false, NULL) : x,
                   *y = forward(t, i + 2 + projects(t, i), two, false, shortcut);
    piaa_dnn_add(t->plan.dnn, FORWARD, y, shortcut, true);
    return y;
}

static piaa_dnn_array *emit_forward(piaa_resnet_training *t, const float *pixels) {
    plan *p = &t->plan;
    const int64_t shape[4] = {p->n, 3, p->rows, p->columns};
    p->pixels = piaa_dnn_plain(p->dnn, 4, shape, pixels);
    piaa_dnn_array *x = forward(t, 0, p->pixels, true, NULL);
    p->largest = piaa_dnn_largest(
        p->dnn, FORWARD, x,
        &(piaa_dnn_window){.kernel = 3, .stride = 2, .padding = 1, .place = PIAA_DNN_OWN});
    x = p->largest ? p->largest->y : NULL;
    piaa_resnet_mark(&p->stages, p->dnn, x);
    for (int i = 1; i < t->net->count; i += 3 + projects(t, i)) {
        x = bottleneck(t, i, x);
        const int next = i + 3 + projects(t, i);
        if (next == t->net->count || t->net->units[next].stage != t->net->units[i].stage)
            piaa_resnet_mark(&p->stages, p->dnn, x);
    }
    p->mean = piaa_dnn_mean(p->dnn, FORWARD, x, &(piaa_dnn_window){.place = PIAA_DNN_OWN});
    if (!p->mean) return NULL;
    p->features = piaa_dnn_plain_own(p->dnn, 4, p->mean->y->shape);
    if (p->features) piaa_dnn_copy(p->dnn, FORWARD, p->mean->y, p->features);
    piaa_resnet_mark(&p->stages, p->dnn, p->features);
    return x;
}

/* ---- back */

/* Through unit i, its relu too if it has one: the gradient g of its outcome becomes, in its own
   place, that of the convolution's; the weights' is made, and that of x in place `to`. */
static piaa_dnn_array *back(piaa_resnet_training *t, int i, piaa_dnn_array *g, int between,
                            int to) {
    piaa_dnn *dnn = t->plan.dnn;
    const piaa_unit *u = &t->net->units[i];
    const int64_t shape[4] = {u->outputs, u->inputs, u->kernel, u->kernel};
    const pass *p = &t->plan.passes[i];
    if (!g || !p->norm) return NULL;
    g = piaa_dnn_normalise_back(dnn, BACK, p->norm, g, PIAA_RESNET_EPSILON, between);
    piaa_dnn_array *gradient =
        piaa_dnn_plain(dnn, 4, shape, t->gradients + (u->weights - t->net->trained));
    piaa_dnn_convolve_weights(dnn, BACK, p->convolution, g, gradient, GRADIENT);
    return to ? piaa_dnn_convolve_back(dnn, BACK, p->convolution, g, to) : NULL;
}

/* The two places that are not this one. */
static void others(int place, int *a, int *b) {
    *a = place == FIRST ? SECOND : FIRST;
    *b = place == THIRD ? SECOND : THIRD;
}

static piaa_dnn_array *back_bottleneck(piaa_resnet_training *t, int i, piaa_dnn_array *g) {
    piaa_dnn *dnn = t->plan.dnn;
    const int last = i + 2 + projects(t, i);
    if (!g || !t->plan.passes[last].norm) return NULL;
    int a, b;
    others(g->place, &a, &b);
    piaa_dnn_relu_back(dnn, BACK, t->plan.passes[last].norm->y, g);
    piaa_dnn_array *f = back(t, last, g, a, b);
    f = back(t, i + 1, f, b, a);
    f = back(t, i, f, a, b);
    piaa_dnn_array *s = projects(t, i) ? back(t, i + 2, g, g->place, a) : g;
    piaa_dnn_add(dnn, BACK, s, f, false);
    return s;
}

static void emit_back(piaa_resnet_training *t, const float *gradients) {
    plan *p = &t->plan;
    p->gradients = piaa_dnn_plain(p->dnn, 4, p->features->shape, gradients);
    piaa_dnn_array *g = piaa_dnn_pool_back(p->dnn, BACK, p->mean, p->gradients, FIRST);
    int starts[256], count = 0;
    for (int i = 1; i < t->net->count; i += 3 + projects(t, i)) starts[count++] = i;
    while (count--) g = back_bottleneck(t, starts[count], g);
    int a, b;
    if (!g) return;
    others(g->place, &a, &b);
    g = piaa_dnn_pool_back(p->dnn, BACK, p->largest, g, a);
    back(t, 0, g, a, 0);
}

/* ---- the training */

static bool begin(piaa_resnet_training *t, piaa_error *error) {
    const piaa_resnet *net = t->net;
    t->gradients = piaa_alloc_array(net->trained_count, sizeof *t->gradients, error);
    t->batch = piaa_alloc_array(net->running_count, sizeof *t->batch, error);
    if (!t->gradients || !t->batch) return false;
    memset(t->gradients, 0, net->trained_count * sizeof *t->gradients);
    t->adamw = piaa_adamw_new(net->trained_count, NULL, error);
    if (!t->adamw) return false;
    t->named_gradients = piaa_resnet_name(net, t->gradients, NULL, "", &t->named_count, error);
    return t->named_gradients != NULL;
}

piaa_resnet_training *piaa_resnet_training_new(piaa_resnet *net, int threads, piaa_error *error) {
    piaa_resnet_training *t = piaa_alloc(1, sizeof *t, error);
    if (!t) return NULL;
    t->net = net;
    t->threads = threads > 1 ? threads : 1;
    if (begin(t, error)) return t;
    piaa_resnet_training_free(t);
    return NULL;
}

void piaa_resnet_training_free(piaa_resnet_training *t) {
    if (!t) return;
    clear_plan(&t->plan);
    piaa_adamw_free(t->adamw);
    free(t->gradients);
    free(t->batch);
    free(t->named_gradients);
    free(t);
}

const piaa_named *piaa_resnet_training_gradients(const piaa_resnet_training *t, size_t *count) {
    if (count) *count = t->named_count;
    return t->named_gradients;
}

const piaa_named *piaa_resnet_training_state(const piaa_resnet_training *t, size_t *count) {
    return piaa_adamw_state(t->adamw, count);
}

void piaa_resnet_watch_training(piaa_resnet_training *t, const piaa_resnet_watch *watch) {
    clear_plan(&t->plan);
    t->watch = watch;
}

static bool check_values(const piaa_resnet_training *t, piaa_error *error) {
    for (int i = 0; i < t->net->count; i++)
        if (t->plan.passes[i].values < 2)
            return piaa_error_set(
                error, PIAA_USAGE,
                "a ResNet cannot be trained on %lld photo of %dx%d: a channel would "
                "have a single value, which has no spread",
                (long long)t->plan.n, t->plan.columns, t->plan.rows);
    return true;
}

static bool make_plan(piaa_resnet_training *t, const float *pixels, int64_t n, int rows,
                      int columns, piaa_error *error) {
    plan *p = &t->plan;
    if (n < 1 || rows < 1 || columns < 1)
        return piaa_error_set(error, PIAA_USAGE, "no photos for the ResNet: %lld of %dx%d",
                              (long long)n, columns, rows);
    if (p->dnn && p->n == n && p->rows == rows && p->columns == columns) return true;
    clear_plan(p);
    *p = (plan){.n = n,
                .rows = rows,
                .columns = columns,
                .stages = {.watch = t->watch, .forward = FORWARD, .aside = ASIDE}};
    p->passes = piaa_alloc((size_t)t->net->count, sizeof *p->passes, error);
    p->dnn = p->passes ? piaa_dnn_new(t->threads, error) : NULL;
    if (!p->dnn) return false;
    if (emit_forward(t, pixels)) emit_back(t, pixels);
    return piaa_dnn_built(p->dnn, error) && check_values(t, error);
}

/* r <- (1 - m) r + m b, with the unbiased variance of the batch. */
static void move_statistics(piaa_resnet_training *t) {
    for (int i = 0; i < t->net->count; i++) {
        const piaa_unit *u = &t->net->units[i];
        const double values = (double)t->plan.passes[i].values;
        const float *mean = t->batch + (u->mean - t->net->running), *variance = mean + u->outputs;
        for (int k = 0; k < u->outputs; k++) {
            u->mean[k] = (float)((1 - momentum) * u->mean[k] + momentum * mean[k]);
            u->variance[k] = (float)((1 - momentum) * u->variance[k] +
                                     momentum * variance[k] * values / (values - 1));
        }
    }
}

bool piaa_resnet_training_forward(piaa_resnet_training *t, const float *pixels, int64_t n, int rows,
                                  int columns, float *features, piaa_error *error) {
    t->went_forward = false;
    if (!make_plan(t, pixels, n, rows, columns, error)) {
        clear_plan(&t->plan);
        return false;
    }
    piaa_resnet_changed(t->net);
    piaa_dnn_point(t->plan.dnn, t->plan.pixels, pixels);
    if (!piaa_dnn_run(t->plan.dnn, WEIGHTS, error) ||
        !piaa_resnet_run(&t->plan.stages, t->plan.dnn, error))
        return false;
    move_statistics(t);
    memcpy(features, t->plan.features->data, t->plan.features->bytes);
    t->went_forward = true;
    return true;
}

static bool update(void *user, size_t i, piaa_error *error) {
    PIAA_UNUSED(error);
    const piaa_resnet_training *t = user;
    const size_t first = i * CHUNK, left = t->net->trained_count - first;
    piaa_adamw_update(t->adamw, first, t->net->trained + first, t->gradients + first,
                      left < CHUNK ? left : CHUNK);
    return true;
}

bool piaa_resnet_training_back(piaa_resnet_training *t, const float *gradients, double rate,
                               piaa_error *error) {
    if (!t->went_forward)
        return piaa_error_set(error, PIAA_USAGE, "a ResNet's step back without one forward");
    t->went_forward = false;
    piaa_dnn_point(t->plan.dnn, t->plan.gradients, gradients);
    if (!piaa_dnn_run(t->plan.dnn, BACK, error)) return false;
    piaa_resnet_changed(t->net);
    piaa_adamw_begin(t->adamw, rate);
    return piaa_parallel_run((t->net->trained_count + CHUNK - 1) / CHUNK, t->threads, update, t,
                             "Adam", NULL, error);
}
