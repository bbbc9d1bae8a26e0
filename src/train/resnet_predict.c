/*
 * A ResNet's forward pass in evaluation mode.
 *
 * With running statistics batch norm is a scale and a shift by channel, so that it goes into the
 * convolution before it:
 *
 *     k = scale / sqrt(variance + epsilon),  w' = k w,  bias' = shift - k mean
 *
 * and relu and the addition of the shortcut are done by oneDNN while a convolution's outcome is in
 * registers: a bottleneck is three operations, or four with a projected shortcut.
 *
 * Photos go through eight at a time, which is where more stop bringing anything (the last layers'
 * weights are read once for all of them); what is left of a call's photos goes as eight with empty
 * ones.
 */
#include "base/memory.h"
#include "train/resnet_watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 8 };
enum { WEIGHTS, FORWARD, ASIDE };                      /* lists */
enum { HERE = PIAA_DNN_SCRATCH + 1, THERE, ONE, TWO }; /* shared places */

struct piaa_resnet_plan {
    int64_t batch;
    int rows, columns, threads;
    piaa_dnn *dnn;
    piaa_dnn_array *pixels, *features;
    float *folded, *biases; /* weights and biases of the convolutions, unit by unit */
    float *rest;            /* [batch] photos, of which the last are empty */
    piaa_resnet_stages stages;
};

#define SPELL(number) SPELL_IT(number)
#define SPELL_IT(number) #number

const char *piaa_resnet_library(void) {
    return "oneDNN " SPELL(DNNL_VERSION_MAJOR) "." SPELL(DNNL_VERSION_MINOR) "." SPELL(
        DNNL_VERSION_PATCH);
}

void piaa_resnet_plan_free(piaa_resnet_plan *plan) {
    if (!plan) return;
    piaa_dnn_free(plan->dnn);
    free(plan->folded);
    free(plan->biases);
    free(plan->rest);
    free(plan);
}

static void fold(const piaa_unit *u, float *weights, float *biases) {
    const size_t each = piaa_unit_weights(u) / (size_t)u->outputs;
    for (int o = 0; o < u->outputs; o++) {
        const double k = u->scale[o] / sqrt((double)u->variance[o] + PIAA_RESNET_EPSILON);
        biases[o] = (float)(u->shift[o] - k * u->mean[o]);
        const float *from = u->weights + (size_t)o * each;
        float *to = weights + (size_t)o * each;
        for (size_t i = 0; i < each; i++) to[i] = (float)(k * from[i]);
    }
}

static bool fold_all(const piaa_resnet *net, piaa_resnet_plan *plan, piaa_error *error) {
    plan->folded = piaa_alloc_array(net->trained_count, sizeof(float), error);
    plan->biases = piaa_alloc_array(net->running_count, sizeof(float), error);
    if (!plan->folded || !plan->biases) return false;
    for (int i = 0; i < net->count; i++) {
        const piaa_unit *u = &net->units[i];
        fold(u, plan->folded + (u->weights - net->trained),
             plan->biases + (u->mean - net->running));
    }
    return true;
}

static piaa_dnn_array *convolve(const piaa_resnet *net, piaa_resnet_plan *plan, const piaa_unit *u,
                                piaa_dnn_array *x, int place, bool relu, piaa_dnn_array *adds_to) {
    const int64_t shape[4] = {u->outputs, u->inputs, u->kernel, u->kernel};
    const piaa_dnn_window window = {
        .kernel = u->kernel,
        .stride = u->stride,
        .padding = u->kernel / 2,
        .place = place,
        .weights_list = WEIGHTS,
        .inference = true,
        .relu = relu,
        .bias = piaa_dnn_plain(plan->dnn, 1, shape, plan->biases + (u->mean - net->running)),
        .adds_to = adds_to,
    };
    piaa_dnn_array *weights =
        piaa_dnn_plain(plan->dnn, 4, shape, plan->folded + (u->weights - net->trained));
    piaa_dnn_convolution *c = piaa_dnn_convolve(plan->dnn, FORWARD, x, weights, &window);
    return c ? c->y : NULL;
}

/* One bottleneck from unit *i on, x in place *here; what it gives is in place *here again. */
static piaa_dnn_array *bottleneck(const piaa_resnet *net, piaa_resnet_plan *plan, int *i,
                                  piaa_dnn_array *x, int *here) {
    const piaa_unit *u = &net->units[*i];
    piaa_dnn_array *one = convolve(net, plan, u++, x, ONE, true, NULL),
                   *two = convolve(net, plan, u++, one, TWO, true, NULL), *onto = x;
    if (u->role == PIAA_UNIT_SHORTCUT) {
        *here = *here == HERE ? THERE : HERE;
        onto = convolve(net, plan, u++, x, *here, false, NULL);
    }
    *i = (int)(u - net->units) + 1;
    return convolve(net, plan, u, two, *here, true, onto);
}

static bool lay_out(const piaa_resnet *net, piaa_resnet_plan *plan, const float *pixels,
                    piaa_error *error) {
    piaa_dnn *dnn = plan->dnn;
    const int64_t shape[4] = {plan->batch, 3, plan->rows, plan->columns};
    const piaa_dnn_window largest = {
        .kernel = 3, .stride = 2, .padding = 1, .place = HERE, .inference = true};
    const piaa_dnn_window mean = {.place = ONE, .inference = true};
    plan->pixels = piaa_dnn_plain(dnn, 4, shape, pixels);
    piaa_dnn_array *x = convolve(net, plan, &net->units[0], plan->pixels, ONE, true, NULL);
    piaa_dnn_pool *pool = piaa_dnn_largest(dnn, FORWARD, x, &largest);
    x = pool ? pool->y : NULL;
    piaa_resnet_mark(&plan->stages, dnn, x);
    for (int i = 1, here = HERE; i < net->count;) {
        const int number = net->units[i].stage;
        x = bottleneck(net, plan, &i, x, &here);
        if (i == net->count || net->units[i].stage != number)
            piaa_resnet_mark(&plan->stages, dnn, x);
    }
    pool = piaa_dnn_mean(dnn, FORWARD, x, &mean);
    plan->features = pool ? piaa_dnn_plain_own(dnn, 4, pool->y->shape) : NULL;
    if (plan->features) piaa_dnn_copy(dnn, FORWARD, pool->y, plan->features);
    piaa_resnet_mark(&plan->stages, dnn, plan->features);
    return piaa_dnn_built(dnn, error) && piaa_dnn_run(dnn, WEIGHTS, error);
}

static piaa_resnet_plan *plan_new(const piaa_resnet *net, const piaa_resnet_plan *wish,
                                  const float *pixels, piaa_error *error) {
    piaa_resnet_plan *plan = piaa_alloc(1, sizeof *plan, error);
    if (!plan) return NULL;
    *plan = *wish;
    const size_t photo = 3 * (size_t)plan->rows * (size_t)plan->columns;
    plan->rest = piaa_alloc_array((size_t)plan->batch * photo, sizeof *plan->rest, error);
    plan->dnn = plan->rest ? piaa_dnn_new(plan->threads, error) : NULL;
    if (plan->dnn && fold_all(net, plan, error) && lay_out(net, plan, pixels, error)) return plan;
    piaa_resnet_plan_free(plan);
    return NULL;
}

/* At most plan->batch photos. */
static bool run_batch(piaa_resnet_plan *plan, const float *pixels, int64_t n, float *features,
                      piaa_error *error) {
    const size_t photo = 3 * (size_t)plan->rows * (size_t)plan->columns;
    const size_t width = (size_t)plan->features->shape[1];
    if (n < plan->batch) {
        memcpy(plan->rest, pixels, (size_t)n * photo * sizeof *pixels);
        memset(plan->rest + (size_t)n * photo, 0,
               (size_t)(plan->batch - n) * photo * sizeof *pixels);
        pixels = plan->rest;
    }
    piaa_dnn_point(plan->dnn, plan->pixels, pixels);
    if (!piaa_resnet_run(&plan->stages, plan->dnn, error)) return false;
    memcpy(features, plan->features->data, (size_t)n * width * sizeof *features);
    return true;
}

static bool check_photos(int64_t n, int rows, int columns, piaa_error *error) {
    return (n >= 1 && rows >= 1 && columns >= 1) ||
           piaa_error_set(error, PIAA_USAGE, "no photos for the ResNet: %lld of %dx%d",
                          (long long)n, columns, rows);
}

bool piaa_resnet_predict(piaa_resnet *net, const float *pixels, int64_t n, int rows, int columns,
                         int threads, float *features, piaa_error *error) {
    if (!check_photos(n, rows, columns, error)) return false;
    const piaa_resnet_plan wish = {.batch = n < AT_ONCE ? n : AT_ONCE,
                                   .rows = rows,
                                   .columns = columns,
                                   .threads = threads > 1 ? threads : 1,
                                   .stages = {.forward = FORWARD, .aside = ASIDE}};
    const piaa_resnet_plan *now = net->plan;
    if (!now || now->batch != wish.batch || now->rows != rows || now->columns != columns ||
        now->threads != wish.threads) {
        piaa_resnet_changed(net);
        net->plan = plan_new(net, &wish, pixels, error);
        if (!net->plan) return false;
    }
    const size_t photo = 3 * (size_t)rows * (size_t)columns,
                 width = (size_t)piaa_resnet_features(net);
    for (int64_t i = 0; i < n; i += wish.batch)
        if (!run_batch(net->plan, pixels + (size_t)i * photo,
                       n - i < wish.batch ? n - i : wish.batch, features + (size_t)i * width,
                       error))
            return false;
    return true;
}

bool piaa_resnet_watch_predict(piaa_resnet *net, const float *pixels, int64_t n, int rows,
                               int columns, const piaa_resnet_watch *watch, piaa_error *error) {
    if (!check_photos(n, rows, columns, error)) return false;
    const piaa_resnet_plan wish = {.batch = n,
                                   .rows = rows,
                                   .columns = columns,
                                   .threads = 1,
                                   .stages = {.watch = watch, .forward = FORWARD, .aside = ASIDE}};
    piaa_resnet_plan *plan = plan_new(net, &wish, pixels, error);
    const bool ok = plan && piaa_resnet_run(&plan->stages, plan->dnn, error);
    piaa_resnet_plan_free(plan);
    return ok;
}
