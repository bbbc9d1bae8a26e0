/* Phases 1 and 2 of one seed, each a stage that goes on where it was ended (ici_stage.c). */
#include "study/ici_phases.h"

#include "base/memory.h"
#include "study/ici_stage.h"

#include <stdlib.h>
#include <string.h>

enum { ATTRIBUTES = PIAA_ICI_ATTRIBUTES, BINS = PIAA_ICI_BINS };
/* Seeds of the phases are apart, so that no two draw the same. */
enum { PHASE2_SEED = 1000 };

/* A stage in the making; the rest is the two kinds' own. */
typedef struct stage_of {
    piaa_ici_training *t;
    size_t prior; /* which */
    piaa_ici_stage stage;
} stage_of;

static bool run_stage(const stage_of *of, piaa_ici_work *work, piaa_error *error) {
    const piaa_ici_settings *s = &of->t->model->settings;
    piaa_ici_prior *prior = &of->t->model->priors[of->prior];
    static const char *const words[] = {"phase 1", "phase 2, with traits", "phase 2, reduced"};
    char *what = piaa_format(error, "%s, prior %zu of %zu", words[of->stage], of->prior + 1,
                             of->t->model->count),
         *path = what ? piaa_format(error, "%s/training/seed-%lld-%s.safetensors", of->t->folder,
                                    (long long)prior->seed, piaa_ici_stage_names[of->stage])
                      : NULL;
    work->what = what;
    work->path = path;
    work->seed = (uint32_t)prior->seed * PIAA_ICI_STAGES + (uint32_t)of->stage;
    work->batch = s->batch[of->stage];
    work->epochs = s->epochs[of->stage];
    piaa_ici_curve *curve = &prior->curves[of->stage];
    const bool ok = path && piaa_ici_curve_make(curve, work->epochs, error) &&
                    piaa_ici_work_run(work, of->t->study->hooks, curve, error);
    free(what);
    free(path);
    return ok;
}

static bool write_stage(const stage_of *of, const piaa_named_part *parts, size_t count,
                        piaa_error *error) {
    const int64_t seed = of->t->model->priors[of->prior].seed;
    char *path = piaa_ici_model_file(of->t->folder, seed, of->stage, error);
    const bool ok = path && piaa_named_write(parts, count, path, error);
    free(path);
    return ok;
}

/* --------------------------------------------------------------------------------------- phase 1
 */

/* Heads on features, or behind a ResNet.  Photos are the fitted ones, then those held back. */
typedef struct front_work {
    stage_of of;
    piaa_heads *heads;
    piaa_heads_training *training;
    piaa_resnet *net; /* NULL: features */
    piaa_resnet_training *net_training;
    size_t *images, fitted, held;
    float *x;              /* [fitted + held][dim] features, standardised */
    float *y_attr, *y_dis; /* [fitted + held][7], [9] */
    /* Of one batch. */
    float *batch_x, *gradients, *batch_attr, *batch_dis; /* [batch][…] */
    float *pixels;
    size_t *batch_images;
    bool *good;
} front_work;

static void front_free(front_work *w) {
    piaa_resnet_training_free(w->net_training);
    piaa_heads_training_free(w->training);
    piaa_heads_free(w->heads);
    piaa_resnet_free(w->net);
    free(w->images);
    free(w->x);
    free(w->y_attr);
    free(w->y_dis);
    free(w->batch_x);
    free(w->gradients);
    free(w->batch_attr);
    free(w->batch_dis);
    free(w->pixels);
    free(w->batch_images);
    free(w->good);
}

static bool usable(const piaa_ici_training *t, size_t image) {
    return t->opinions->has[image] &&
           (t->source.rows ? t->source.rows[image] >= 0 : !t->study->set->images[image].missing);
}

static size_t list_usable(const piaa_ici_training *t, const size_t *images, size_t count,
                          size_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (usable(t, images[i])) out[n++] = images[i];
    return n;
}

static bool list_photos(front_work *w, piaa_error *error) {
    piaa_ici_training *t = w->of.t;
    const piaa_prior_split *split = t->split;
    const size_t listed = split->fitted_count + split->held_count;
    if (!(w->images = piaa_alloc(listed, sizeof *w->images, error)) ||
        !(w->y_attr = piaa_alloc(listed * ATTRIBUTES, sizeof(float), error)) ||
        !(w->y_dis = piaa_alloc(listed * BINS, sizeof(float), error)))
        return false;
    w->fitted = list_usable(t, split->fitted, split->fitted_count, w->images);
    w->held = list_usable(t, split->held, split->held_count, w->images + w->fitted);
    t->photos_left_out = listed - w->fitted - w->held;
    for (size_t i = 0; i < w->fitted + w->held; i++) {
        memcpy(w->y_attr + i * ATTRIBUTES, t->opinions->attributes + w->images[i] * ATTRIBUTES,
               ATTRIBUTES * sizeof(float));
        memcpy(w->y_dis + i * BINS, t->opinions->bins + w->images[i] * BINS, BINS * sizeof(float));
    }
    return w->fitted > 0 || piaa_error_set(error, PIAA_MISMATCH,
                                           "%.600s: of none of the training photos is it known "
                                           "what all raters think of it: there is nothing to learn "
                                           "from",
                                           t->study->set->folder);
}

static bool standardise_photos(front_work *w, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const size_t dim = (size_t)t->model->slot.dim, count = w->fitted + w->held;
    if (!(w->x = piaa_alloc_array(count * dim, sizeof(float), error))) return false;
    for (size_t i = 0; i < count; i++)
        piaa_ici_standardise(t->model, t->source.x + (size_t)t->source.rows[w->images[i]] * dim,
                             w->x + i * dim);
    return true;
}

static bool open_network(front_work *w, piaa_error *error) {
    static const int blocks[4] = {3, 4, 6, 3};
    const piaa_ici_training *t = w->of.t;
    const char *file = t->options->phase1 ? t->options->phase1 : t->options->backbone;
    const uint32_t seed = (uint32_t)t->model->priors[w->of.prior].seed;
    const size_t side = (size_t)t->model->side,
                 batch = (size_t)t->model->settings.batch[PIAA_ICI_PHASE1];
    w->net = file ? piaa_resnet_open(file, error) : piaa_resnet_new(64, blocks, seed, error);
    if (!w->net || !(w->pixels = piaa_alloc_array(batch * 3 * side * side, sizeof(float), error)))
        return false;
    return t->options->phase1 ||
           (w->net_training = piaa_resnet_training_new(w->net, t->study->threads, error));
}

static bool front_begin(front_work *w, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const bool features = t->model->front == PIAA_ICI_FEATURES;
    const size_t dim = (size_t)t->model->slot.dim,
                 batch = (size_t)t->model->settings.batch[PIAA_ICI_PHASE1];
    const uint32_t seed = (uint32_t)t->model->priors[w->of.prior].seed;
    if (!list_photos(w, error) ||
        !(features ? standardise_photos(w, error) : open_network(w, error)))
        return false;
    return (w->heads = piaa_heads_new((int)dim, ATTRIBUTES, BINS, seed, error)) &&
           (w->training = piaa_heads_training_new(w->heads, error)) &&
           (w->batch_x = piaa_alloc_array(batch * dim, sizeof(float), error)) &&
           (w->gradients = piaa_alloc_array(batch * dim, sizeof(float), error)) &&
           (w->batch_attr = piaa_alloc_array(batch * ATTRIBUTES, sizeof(float), error)) &&
           (w->batch_dis = piaa_alloc_array(batch * BINS, sizeof(float), error)) &&
           (w->batch_images = piaa_alloc(batch, sizeof(size_t), error)) &&
           (w->good = piaa_alloc(batch, sizeof(bool), error));
}

/* Labels of these photos, and their features; *n falls by photos that cannot be read. */
static bool gather(front_work *w, const size_t *rows, size_t *n, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const size_t dim = (size_t)t->model->slot.dim, side = (size_t)t->model->side,
                 size = 3 * side * side;
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        w->batch_images[i] = w->images[rows[i]];
        w->good[i] = true;
    }
    if (w->net && !piaa_ici_pixels_read(t->study->set, w->batch_images, *n, t->model->side,
                                        t->study->request.exif, t->study->threads, NULL, w->pixels,
                                        w->good, error))
        return false;
    for (size_t i = 0; i < *n; i++) {
        if (!w->good[i]) continue;
        if (w->net)
            memmove(w->pixels + kept * size, w->pixels + i * size, size * sizeof(float));
        else
            memcpy(w->batch_x + kept * dim, w->x + rows[i] * dim, dim * sizeof(float));
        memcpy(w->batch_attr + kept * ATTRIBUTES, w->y_attr + rows[i] * ATTRIBUTES,
               ATTRIBUTES * sizeof(float));
        memcpy(w->batch_dis + kept * BINS, w->y_dis + rows[i] * BINS, BINS * sizeof(float));
        kept++;
    }
    *n = kept;
    return kept > 0 ||
           piaa_error_set(error, PIAA_FORMAT, "none of %zu training photos in a row can be read",
                          (size_t)t->model->settings.batch[PIAA_ICI_PHASE1]);
}

static bool front_step(void *user, const size_t *rows, size_t n, double *loss, piaa_error *error) {
    front_work *w = user;
    const piaa_ici_model *m = w->of.t->model;
    const double rate = m->settings.rate[PIAA_ICI_PHASE1];
    if (!gather(w, rows, &n, error)) return false;
    if (w->net && !piaa_resnet_training_forward(w->net_training, w->pixels, (int64_t)n, m->side,
                                                m->side, w->batch_x, error))
        return false;
    return piaa_heads_training_step(w->training, w->batch_x, w->batch_attr, w->batch_dis,
                                    (int64_t)n, rate, w->net ? w->gradients : NULL, loss, error) &&
           (!w->net || piaa_resnet_training_back(w->net_training, w->gradients, rate, error));
}

static bool front_validate(void *user, double *loss, piaa_error *error) {
    front_work *w = user;
    const piaa_ici_training *t = w->of.t;
    const size_t batch = (size_t)t->model->settings.batch[PIAA_ICI_PHASE1];
    double sum = 0, photos = 0;
    for (size_t first = 0; first < w->held; first += batch) {
        size_t n = w->held - first < batch ? w->held - first : batch;
        double one;
        size_t *rows = piaa_alloc(n, sizeof *rows, error);
        for (size_t i = 0; rows && i < n; i++) rows[i] = w->fitted + first + i;
        const bool ok = rows && gather(w, rows, &n, error) &&
                        (!w->net || piaa_resnet_predict(w->net, w->pixels, (int64_t)n,
                                                        t->model->side, t->model->side,
                                                        t->study->threads, w->batch_x, error)) &&
                        piaa_heads_loss(w->heads, w->batch_x, w->batch_attr, w->batch_dis,
                                        (int64_t)n, &one, error);
        free(rows);
        if (!ok) return false;
        sum += one * (double)n;
        photos += (double)n;
    }
    *loss = sum / photos;
    return true;
}

static void front_restored(void *user) {
    front_work *w = user;
    if (w->net) piaa_resnet_changed(w->net);
}

/* What the front that is now trained says of all training photos. */
static bool apply_front(front_work *w, piaa_ici_hats *hats, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const piaa_study *study = t->study;
    const size_t images = study->set->image_count;
    if (!piaa_ici_hats_make(hats, images, error)) return false;
    return w->net ? piaa_ici_hats_from_photos(t->model, w->net, w->heads, study->set, t->wanted,
                                              study->request.exif, study->threads, study->hooks,
                                              hats, error)
                  : piaa_ici_hats_from_features(t->model, w->heads, &t->source, t->wanted, images,
                                                hats, error);
}

static bool train_front(front_work *w, piaa_ici_hats *hats, piaa_error *error) {
    if (!front_begin(w, error)) return false;
    piaa_ici_work work = {.rows = w->fitted,
                          .user = w,
                          .step = front_step,
                          .validate = w->held ? front_validate : NULL,
                          .restored = front_restored};
    work.weights[0] = (piaa_named_part){.prefix = ""};
    work.weights[0].list = piaa_heads_tensors(w->heads, &work.weights[0].count);
    work.state[0] = (piaa_named_part){.prefix = ""};
    work.state[0].list = piaa_heads_training_state(w->training, &work.state[0].count);
    if (w->net) {
        work.weights[1] = (piaa_named_part){.prefix = "backbone."};
        work.weights[1].list = piaa_resnet_tensors(w->net, &work.weights[1].count);
    }
    if (w->net_training) {
        work.state[1] = (piaa_named_part){.prefix = "backbone."};
        work.state[1].list = piaa_resnet_training_state(w->net_training, &work.state[1].count);
    }
    const char *given = w->of.t->options->phase1;
    if (given && !piaa_named_read(work.weights[0].list, work.weights[0].count, "", given, error))
        return false;
    return run_stage(&w->of, &work, error) && apply_front(w, hats, error) &&
           write_stage(&w->of, work.weights, w->net ? 2 : 1, error);
}

bool piaa_ici_learn_front(piaa_ici_training *t, size_t prior, piaa_ici_hats *hats,
                          piaa_error *error) {
    front_work w = {.of = {t, prior, PIAA_ICI_PHASE1}};
    const bool ok = train_front(&w, hats, error);
    front_free(&w);
    return ok;
}

/* --------------------------------------------------------------------------------------- phase 2
 */

typedef struct graph_work {
    stage_of of;
    bool full;
    const piaa_ici_hats *hats;
    piaa_graph *graph;
    piaa_graph_training *training;
    const piaa_prior_rating **ratings; /* [count] whose photo has hats */
    size_t count;
    int64_t *photo, *user; /* [batch] */
    float *scores;
} graph_work;

static void graph_free(graph_work *w) {
    piaa_graph_training_free(w->training);
    piaa_graph_free(w->graph);
    free(w->ratings);
    free(w->photo);
    free(w->user);
    free(w->scores);
}

static bool graph_begin(graph_work *w, piaa_error *error) {
    piaa_ici_training *t = w->of.t;
    const piaa_prior_split *split = t->split;
    const size_t batch = (size_t)t->model->settings.batch[w->of.stage];
    const uint32_t seed = (uint32_t)t->model->priors[w->of.prior].seed + PHASE2_SEED;
    const piaa_graph_shape shape = piaa_ici_model_shape(t->model, w->full);
    if (!(w->ratings = piaa_alloc(split->rating_count, sizeof *w->ratings, error))) return false;
    for (size_t r = 0; r < split->rating_count; r++)
        if (w->hats->known[split->ratings[r].image]) w->ratings[w->count++] = &split->ratings[r];
    t->ratings_left_out = split->rating_count - w->count;
    if (!w->count)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.600s: no training rating is of a photo that could be read",
                              t->study->set->folder);
    return (w->graph = piaa_graph_new(&shape, seed, error)) &&
           (w->training =
                piaa_graph_training_new(w->graph, PIAA_TUNE_ALL, t->study->threads, error)) &&
           (w->photo = piaa_alloc(batch, sizeof *w->photo, error)) &&
           (w->user = piaa_alloc(batch, sizeof *w->user, error)) &&
           (w->scores = piaa_alloc(batch, sizeof *w->scores, error));
}

static bool graph_step(void *user, const size_t *rows, size_t n, double *loss, piaa_error *error) {
    graph_work *w = user;
    const piaa_ici_training *t = w->of.t;
    for (size_t i = 0; i < n; i++) {
        const piaa_prior_rating *rating = w->ratings[rows[i]];
        w->photo[i] = (int64_t)rating->image;
        w->user[i] = (int64_t)rating->user;
        w->scores[i] = (float)rating->score;
    }
    const piaa_graph_rows batch = {.count = (int64_t)n,
                                   .attributes = w->hats->attributes,
                                   .bins = w->hats->bins,
                                   .photo = w->photo,
                                   .user = w->user,
                                   .categories = w->full ? t->categories : NULL,
                                   .numbers = w->full ? t->numbers : NULL,
                                   .scores = w->scores};
    return piaa_graph_training_step(w->training, &batch, t->model->settings.rate[w->of.stage], loss,
                                    error);
}

static bool train_graph(graph_work *w, piaa_error *error) {
    if (!graph_begin(w, error)) return false;
    piaa_ici_work work = {.rows = w->count, .user = w, .step = graph_step};
    work.weights[0] = (piaa_named_part){.prefix = ""};
    work.weights[0].list = piaa_graph_tensors(w->graph, &work.weights[0].count);
    work.state[0] = (piaa_named_part){.prefix = ""};
    work.state[0].list = piaa_graph_training_state(w->training, &work.state[0].count);
    return run_stage(&w->of, &work, error) && write_stage(&w->of, work.weights, 1, error);
}

bool piaa_ici_learn_prior(piaa_ici_training *t, size_t prior, const piaa_ici_hats *hats, bool full,
                          piaa_error *error) {
    graph_work w = {
        .of = {t, prior, full ? PIAA_ICI_FULL : PIAA_ICI_REDUCED}, .full = full, .hats = hats};
    const bool ok = train_graph(&w, error);
    graph_free(&w);
    return ok;
}
