/* Hats, from features or from photos. */
#include "study/ici_front.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "image/image.h"
#include "image/planes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ATTRIBUTES = PIAA_ICI_ATTRIBUTES, BINS = PIAA_ICI_BINS, BATCH = 64 };

bool piaa_ici_hats_make(piaa_ici_hats *hats, size_t images, piaa_error *error) {
    *hats = (piaa_ici_hats){.attributes = piaa_alloc(images * ATTRIBUTES, sizeof(float), error),
                            .bins = piaa_alloc(images * BINS, sizeof(float), error),
                            .known = piaa_alloc(images, sizeof(bool), error)};
    return hats->attributes && hats->bins && hats->known;
}

void piaa_ici_hats_free(piaa_ici_hats *hats) {
    free(hats->attributes);
    free(hats->bins);
    free(hats->known);
    *hats = (piaa_ici_hats){0};
}

void piaa_ici_standardise(const piaa_ici_model *model, const float *x, float *out) {
    for (int j = 0; j < model->slot.dim; j++)
        out[j] = (float)(((double)x[j] - model->mean[j]) / model->scale[j]);
}

/* --------------------------------------------------------------------------------------- batches
 */

/* Photos on their way through the heads. */
typedef struct batch {
    const piaa_heads *heads;
    piaa_ici_hats *out;
    int dim;
    float *x;          /* [BATCH][dim] */
    float *attributes; /* [BATCH][7] */
    float *bins;       /* [BATCH][9] */
    size_t images[BATCH], n;
} batch;

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static bool flush(batch *b, piaa_error *error) {
    if (!b->n) return true;
    if (!piaa_heads_predict(b->heads, b->x, (int64_t)b->n, b->attributes, b->bins, error))
        return false;
    for (size_t i = 0; i < b->n; i++) {
        const float *attributes = b->attributes + i * ATTRIBUTES, *bins = b->bins + i * BINS;
        if (!all_finite(attributes, ATTRIBUTES) || !all_finite(bins, BINS)) continue;
        const size_t image = b->images[i];
        memcpy(b->out->attributes + image * ATTRIBUTES, attributes, ATTRIBUTES * sizeof(float));
        memcpy(b->out->bins + image * BINS, bins, BINS * sizeof(float));
        b->out->known[image] = true;
    }
    b->n = 0;
    return true;
}

static bool begin(batch *b, const piaa_heads *heads, int dim, piaa_ici_hats *out,
                  piaa_error *error) {
    *b = (batch){.heads = heads,
                 .out = out,
                 .dim = dim,
                 .x = piaa_alloc((size_t)BATCH * (size_t)dim, sizeof(float), error),
                 .attributes = piaa_alloc((size_t)BATCH * ATTRIBUTES, sizeof(float), error),
                 .bins = piaa_alloc((size_t)BATCH * BINS, sizeof(float), error)};
    return b->x && b->attributes && b->bins;
}

static void end(batch *b) {
    free(b->x);
    free(b->attributes);
    free(b->bins);
}

/* -------------------------------------------------------------------------------------- features
 */

static bool add_all(batch *b, const piaa_ici_model *model, const piaa_source *source,
                    const bool *wanted, size_t images, piaa_error *error) {
    const size_t dim = (size_t)b->dim;
    for (size_t i = 0; i < images; i++) {
        if ((wanted && !wanted[i]) || source->rows[i] < 0) continue;
        const float *x = source->x + (size_t)source->rows[i] * dim;
        if (!all_finite(x, dim)) continue;
        piaa_ici_standardise(model, x, b->x + b->n * dim);
        b->images[b->n++] = i;
        if (b->n == BATCH && !flush(b, error)) return false;
    }
    return flush(b, error);
}

bool piaa_ici_hats_from_features(const piaa_ici_model *model, const piaa_heads *heads,
                                 const piaa_source *source, const bool *wanted, size_t images,
                                 piaa_ici_hats *out, piaa_error *error) {
    batch b;
    const bool ok = begin(&b, heads, model->slot.dim, out, error) &&
                    add_all(&b, model, source, wanted, images, error);
    end(&b);
    return ok;
}

/* ---------------------------------------------------------------------------------------- photos
 */

typedef struct reading {
    const piaa_dataset *set;
    const size_t *images;
    piaa_planes_config config;
    piaa_exif exif;
    const piaa_hooks *hooks;
    float *pixels;
    bool *good;
    piaa_error *errors; /* [n] */
} reading;

/* A photo that cannot be read does not end the others. */
static bool read_photo(void *user, size_t i, piaa_error *error) {
    reading *r = user;
    piaa_image image = {0};
    const size_t size = (size_t)3 * (size_t)r->config.height * (size_t)r->config.width;
    PIAA_UNUSED(error);
    float *planes = NULL;
    if (piaa_image_read(r->set->images[r->images[i]].path, r->exif, &image, &r->errors[i]))
        planes = piaa_planes_make(&image, &r->config, &r->errors[i]);
    if (planes) memcpy(r->pixels + i * size, planes, size * sizeof *planes);
    r->good[i] = planes != NULL;
    free(planes);
    piaa_image_free(&image);
    return true;
}

bool piaa_ici_pixels_read(const piaa_dataset *set, const size_t *images, size_t n, int side,
                          piaa_exif exif, int threads, const piaa_hooks *hooks, float *pixels,
                          bool *good, piaa_error *error) {
    reading r = {.set = set,
                 .images = images,
                 .config = piaa_planes_classifier(side),
                 .exif = exif,
                 .pixels = pixels,
                 .good = good,
                 .errors = piaa_alloc(n, sizeof(piaa_error), error)};
    const bool ok =
        r.errors && piaa_parallel_run(n, threads, read_photo, &r, "reading photos", NULL, error);
    for (size_t i = 0; ok && i < n; i++)
        if (!good[i]) piaa_hooks_warn(hooks, "%s", r.errors[i].message);
    free(r.errors);
    return ok;
}

typedef struct looking {
    const piaa_ici_model *model;
    piaa_resnet *net;
    const piaa_dataset *set;
    piaa_exif exif;
    int threads;
    const piaa_hooks *hooks;
    size_t *images; /* wanted and there */
    size_t count;
    float *pixels; /* [BATCH][3][side][side] */
    bool good[BATCH];
} looking;

static bool look(looking *l, batch *b, piaa_error *error) {
    const int side = l->model->side;
    const size_t size = (size_t)3 * (size_t)side * (size_t)side;
    const piaa_hooks *hooks = l->hooks;
    for (size_t first = 0; first < l->count; first += BATCH) {
        const size_t n = l->count - first < BATCH ? l->count - first : BATCH;
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            return piaa_error_set(error, PIAA_STOPPED, "stopped while photos were read");
        if (hooks && hooks->progress)
            hooks->progress(hooks->user, "reading photos", (int64_t)first, (int64_t)l->count);
        if (!piaa_ici_pixels_read(l->set, l->images + first, n, side, l->exif, l->threads, hooks,
                                  l->pixels, l->good, error))
            return false;
        for (size_t i = 0; i < n; i++) {
            if (!l->good[i]) continue;
            memmove(l->pixels + b->n * size, l->pixels + i * size, size * sizeof(float));
            b->images[b->n++] = l->images[first + i];
        }
        if (b->n && !piaa_resnet_predict(l->net, l->pixels, (int64_t)b->n, side, side, l->threads,
                                         b->x, error))
            return false;
        if (!flush(b, error)) return false;
    }
    if (hooks && hooks->progress) hooks->progress(hooks->user, "reading photos", 1, 1);
    return true;
}

bool piaa_ici_hats_from_photos(const piaa_ici_model *model, piaa_resnet *net,
                               const piaa_heads *heads, const piaa_dataset *set, const bool *wanted,
                               piaa_exif exif, int threads, const piaa_hooks *hooks,
                               piaa_ici_hats *out, piaa_error *error) {
    const size_t size = (size_t)3 * (size_t)model->side * (size_t)model->side;
    looking l = {.model = model,
                 .net = net,
                 .set = set,
                 .exif = exif,
                 .threads = threads,
                 .hooks = hooks,
                 .images = piaa_alloc(set->image_count, sizeof(size_t), error),
                 .pixels = piaa_alloc_array(BATCH * size, sizeof(float), error)};
    for (size_t i = 0; l.images && i < set->image_count; i++)
        if (wanted[i] && !set->images[i].missing) l.images[l.count++] = i;
    batch b = {0};
    const bool ok = l.images && l.pixels &&
                    begin(&b, heads, piaa_resnet_features(net), out, error) && look(&l, &b, error);
    end(&b);
    free(l.images);
    free(l.pixels);
    return ok;
}
