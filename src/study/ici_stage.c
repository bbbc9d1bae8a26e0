/* Epochs, and the file that they are resumed from. */
#include "study/ici_stage.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "base/random.h"
#include "weights/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double least_seconds_between_states = 1;

enum { PARTS = PIAA_ICI_PARTS };

typedef struct epochs {
    const piaa_ici_work *work;
    const piaa_hooks *hooks;
    piaa_ici_curve *curve;
    piaa_named *best[PARTS]; /* copies of the weights' lists with data of their own; NULL: the last
                                epoch is kept */
    size_t *order;
    int done;
    double saved; /* when */
} epochs;

/* ---------------------------------------------------------------------------------------- state */

static piaa_named *copy_list(const piaa_named_part *part, piaa_error *error) {
    piaa_named *copy = piaa_alloc(part->count, sizeof *copy, error);
    for (size_t i = 0; copy && i < part->count; i++) {
        copy[i] = part->list[i];
        copy[i].data = NULL;
    }
    for (size_t i = 0; copy && i < part->count; i++)
        if (!(copy[i].data =
                  piaa_alloc((size_t)piaa_named_values(&copy[i]), sizeof(float), error))) {
            for (size_t k = 0; k < i; k++) free(copy[k].data);
            free(copy);
            copy = NULL;
        }
    return copy;
}

/* Between the weights and the best of them. */
static void copy_values(const epochs *e, bool into_best) {
    for (int p = 0; p < PARTS; p++)
        for (size_t i = 0; i < e->work->weights[p].count; i++) {
            float *own = e->work->weights[p].list[i].data, *best = e->best[p][i].data;
            memcpy(into_best ? best : own, into_best ? own : best,
                   (size_t)piaa_named_values(&e->best[p][i]) * sizeof(float));
        }
}

/* The lists of the file, each behind what it is: "weights.", "state.", "best.". */
static size_t list_parts(const epochs *e, char prefixes[3 * PARTS][64], piaa_named_part *out) {
    size_t count = 0;
    for (int p = 0; p < PARTS; p++) {
        const piaa_named_part *weights = &e->work->weights[p], *state = &e->work->state[p];
        const struct {
            const char *word;
            piaa_named_part part;
        } kinds[] = {{"weights.", *weights},
                     {"state.", *state},
                     {"best.", {weights->prefix, e->best[p], e->best[p] ? weights->count : 0}}};
        for (size_t k = 0; k < PIAA_COUNT(kinds); k++) {
            if (!kinds[k].part.count) continue;
            snprintf(prefixes[count], sizeof prefixes[count], "%s%s", kinds[k].word,
                     kinds[k].part.prefix ? kinds[k].part.prefix : "");
            out[count] =
                (piaa_named_part){prefixes[count], kinds[k].part.list, kinds[k].part.count};
            count++;
        }
    }
    return count;
}

static bool save(epochs *e, piaa_error *error) {
    const double now = piaa_seconds_now();
    if (e->done < e->work->epochs && now - e->saved < least_seconds_between_states) return true;
    float *losses = piaa_alloc(2 * (size_t)e->done + 1, sizeof *losses, error);
    if (!losses) return false;
    for (int i = 0; i < e->done; i++) {
        losses[2 * i] = (float)e->curve->train[i];
        losses[2 * i + 1] = e->work->validate ? (float)e->curve->validation[i] : 0;
    }
    char prefixes[3 * PARTS][64];
    piaa_named_part parts[3 * PARTS + 1];
    size_t count = list_parts(e, prefixes, parts);
    const piaa_named curve = {"losses", 2, {e->done, 2}, losses};
    parts[count++] = (piaa_named_part){"", &curve, 1};
    const bool ok = piaa_named_write(parts, count, e->work->path, error);
    free(losses);
    e->saved = piaa_seconds_now();
    return ok;
}

static bool read_losses(epochs *e, const piaa_safetensors *file, piaa_error *error) {
    const piaa_tensor *there = piaa_safetensors_find(file, "losses");
    if (!there || there->dimensions != 2 || there->shape[1] != 2 ||
        there->shape[0] > e->work->epochs)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%.700s is not the state of this training: "
                              "delete it, and the stage begins anew",
                              e->work->path);
    e->done = (int)there->shape[0];
    float *losses = piaa_alloc(2 * (size_t)e->done + 1, sizeof *losses, error);
    if (!losses) return false;
    piaa_tensor_to_float(there, losses);
    for (int i = 0; i < e->done; i++) {
        e->curve->train[i] = (double)losses[2 * i];
        if (e->work->validate) e->curve->validation[i] = (double)losses[2 * i + 1];
    }
    free(losses);
    return true;
}

static bool restore(epochs *e, piaa_error *error) {
    if (!piaa_file_exists(e->work->path)) return true;
    piaa_safetensors *file = piaa_safetensors_open(e->work->path, error);
    const bool read = file && read_losses(e, file, error);
    piaa_safetensors_close(file);
    char prefixes[3 * PARTS][64];
    piaa_named_part parts[3 * PARTS];
    const size_t count = list_parts(e, prefixes, parts);
    for (size_t i = 0; read && i < count; i++)
        if (!piaa_named_read(parts[i].list, parts[i].count, parts[i].prefix, e->work->path, error))
            return false;
    if (read && e->work->restored) e->work->restored(e->work->user);
    return read;
}

/* --------------------------------------------------------------------------------------- epochs */

/* FNV-1a of both numbers, so that neighbouring seeds do not share orders. */
static uint32_t seed_of(uint32_t seed, int epoch) {
    const uint32_t words[] = {seed, (uint32_t)epoch};
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < PIAA_COUNT(words); i++)
        for (int shift = 0; shift < 32; shift += 8)
            hash = (hash ^ (words[i] >> shift & 255U)) * 16777619U;
    return hash;
}

static bool go_through(epochs *e, int epoch, double *loss, piaa_error *error) {
    const piaa_ici_work *w = e->work;
    const piaa_hooks *hooks = e->hooks;
    const size_t batch = (size_t)w->batch, steps = (w->rows + batch - 1) / batch;
    piaa_random random;
    piaa_random_seed_numpy(&random, seed_of(w->seed, epoch));
    piaa_random_permutation(&random, e->order, w->rows);
    double sum = 0;
    for (size_t s = 0; s < steps; s++) {
        const size_t first = s * batch, n = w->rows - first < batch ? w->rows - first : batch;
        double one = 0;
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            return piaa_error_set(error, PIAA_STOPPED,
                                  "stopped in epoch %d of %s: the same command goes on from the "
                                  "last whole one",
                                  epoch + 1, w->what);
        if (hooks && hooks->progress)
            hooks->progress(hooks->user, w->what, (int64_t)((size_t)epoch * steps + s),
                            (int64_t)((size_t)w->epochs * steps));
        if (!w->step(w->user, e->order + first, n, &one, error)) return false;
        sum += one * (double)n;
    }
    *loss = sum / (double)w->rows;
    return true;
}

/* Losses are kept as float32, as the state has them. */
static bool finish_epoch(epochs *e, double train, piaa_error *error) {
    const piaa_ici_work *w = e->work;
    const int epoch = e->done;
    double validation = NAN;
    if (w->validate && !w->validate(w->user, &validation, error)) return false;
    if (!isfinite(train) || (w->validate && !isfinite(validation)))
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s does not settle: in epoch %d the loss is no number any more: "
                              "take a smaller rate",
                              w->what, epoch + 1);
    e->curve->train[epoch] = (double)(float)train;
    e->curve->validation[epoch] = (double)(float)validation;
    e->done++;
    const int kept = e->curve->kept;
    if (!w->validate || !kept || e->curve->validation[epoch] < e->curve->validation[kept - 1]) {
        e->curve->kept = e->done;
        if (w->validate) copy_values(e, true);
    }
    return save(e, error);
}

static void find_kept(epochs *e) {
    e->curve->kept = e->work->validate ? 0 : e->done;
    for (int i = 0; e->work->validate && i < e->done; i++)
        if (!e->curve->kept || e->curve->validation[i] < e->curve->validation[e->curve->kept - 1])
            e->curve->kept = i + 1;
}

static bool run_epochs(epochs *e, piaa_error *error) {
    if (!(e->order = piaa_alloc_array(e->work->rows, sizeof *e->order, error))) return false;
    for (int p = 0; e->work->validate && p < PARTS; p++)
        if (!(e->best[p] = copy_list(&e->work->weights[p], error))) return false;
    if (!restore(e, error)) return false;
    find_kept(e);
    while (e->done < e->work->epochs) {
        double loss = NAN;
        if (!go_through(e, e->done, &loss, error) || !finish_epoch(e, loss, error)) return false;
    }
    if (e->hooks && e->hooks->progress) e->hooks->progress(e->hooks->user, e->work->what, 1, 1);
    if (e->work->validate && e->done) {
        copy_values(e, false);
        if (e->work->restored) e->work->restored(e->work->user);
    }
    return true;
}

bool piaa_ici_work_run(const piaa_ici_work *work, const piaa_hooks *hooks, piaa_ici_curve *curve,
                       piaa_error *error) {
    epochs e = {.work = work, .hooks = hooks, .curve = curve, .saved = piaa_seconds_now()};
    const bool ok = run_epochs(&e, error);
    for (int p = 0; p < PARTS; p++) {
        for (size_t i = 0; e.best[p] && i < work->weights[p].count; i++) free(e.best[p][i].data);
        free(e.best[p]);
    }
    free(e.order);
    return ok;
}
