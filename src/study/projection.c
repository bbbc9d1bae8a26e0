/* Learns the attribute projection and applies it.  The file format is in projection_file.c. */
#include "study/projection.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "linear/metrics.h"
#include "linear/ridge.h"
#include "study/taste_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

piaa_projection *piaa_projection_new(const piaa_identity *identity, const piaa_slot *slot,
                                     int count, piaa_error *error) {
    piaa_projection *p = piaa_alloc(1, sizeof *p, error);
    if (!p) return NULL;
    size_t dim = (size_t)slot->dim, k = (size_t)count;
    p->slot = *slot;
    p->count = count;
    bool ok = (p->names = piaa_alloc(k, sizeof(char *), error)) &&
              (p->mean = piaa_alloc(2 * dim + k * dim + 4 * k, sizeof(double), error));
    if (ok) {
        p->scale = p->mean + dim;
        p->weights = p->scale + dim;
        p->intercepts = p->weights + k * dim;
        p->averages = p->intercepts + k;
        p->deviations = p->averages + k;
        p->loo_spearman = p->deviations + k;
    }
    for (size_t i = 0; ok && i < PIAA_TASTE_TEXTS; i++) {
        char *copy = piaa_strdup(piaa_taste_text_get(identity, i), error);
        piaa_taste_text_set(&p->identity, i, copy);
        ok = copy != NULL;
    }
    if (ok) return p;
    piaa_projection_free(p);
    return NULL;
}

void piaa_projection_free(piaa_projection *p) {
    if (!p) return;
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++) {
        char *text;
        memcpy(&text, (char *)&p->identity + piaa_taste_texts[i].offset, sizeof text);
        free(text);
    }
    for (int k = 0; p->names && k < p->count; k++) free(p->names[k]);
    free(p->names);
    free(p->mean);
    free(p);
}

void piaa_projection_apply(const piaa_projection *p, const float *x, int64_t rows, double *out) {
    size_t dim = (size_t)p->slot.dim, count = (size_t)p->count;
    for (size_t i = 0; i < (size_t)rows; i++)
        for (size_t k = 0; k < count; k++)
            out[i * count + k] = p->intercepts[k] + piaa_ridge_dot(p->weights + k * dim, p->mean,
                                                                   x + i * dim, p->slot.dim);
}

/* ------------------------------------------------------------------------------------- learning */

/* What is learned from: rows of the source and their attributes [n][count], without "score". */
typedef struct lesson {
    int64_t *rows, n;
    double *y;
    size_t *attributes, count; /* of the data set */
    size_t left_out;
} lesson;

static void free_lesson(lesson *l) {
    free(l->rows);
    free(l->y);
    free(l->attributes);
}

static bool gather(lesson *l, const piaa_dataset *set, const piaa_source *source,
                   piaa_error *error) {
    size_t images = set->image_count, all = set->attribute_count;
    if (!(l->attributes = piaa_alloc(all, sizeof(size_t), error)) ||
        !(l->rows = piaa_alloc(images, sizeof(int64_t), error)) ||
        !(l->y = piaa_alloc(images * all, sizeof(double), error)))
        return false;
    for (size_t a = 0; a < all; a++)
        if (strcmp(set->attribute_names[a], "score") != 0) l->attributes[l->count++] = a;
    if (!l->count)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.300s has no attributes to learn a projection from: use AADB, or a "
                              "CSV file with them",
                              set->folder);
    bool split = false;
    for (size_t i = 0; i < images; i++) split = split || set->images[i].split != PIAA_SPLIT_NONE;
    for (size_t i = 0; i < images; i++) {
        if (split && set->images[i].split != PIAA_SPLIT_TRAIN) continue;
        bool whole = source->rows[i] >= 0;
        for (size_t k = 0; whole && k < l->count; k++) {
            double value = set->attributes[i * all + l->attributes[k]];
            l->y[(size_t)l->n * l->count + k] = value;
            whole = isfinite(value);
        }
        if (whole) l->rows[l->n++] = source->rows[i];
        l->left_out += !whole;
    }
    if (l->n >= 2) return true;
    return piaa_error_set(
        error, PIAA_MISMATCH,
        "%.300s has %lld images with all attributes and a vector: a projection needs at least 2",
        set->folder, (long long)l->n);
}

static bool describe(piaa_projection *p, const lesson *l, const piaa_source *source,
                     const piaa_ridge *model, piaa_error *error) {
    size_t n = (size_t)l->n, count = l->count;
    double *lists = piaa_alloc_array(n * (count + 2), sizeof *lists, error);
    if (!lists) return false;
    double *predicted = lists + 2 * n;
    for (size_t i = 0; i < n; i++)
        piaa_projection_apply(p, source->x + (size_t)l->rows[i] * (size_t)source->dim, 1,
                              predicted + i * count);
    bool ok = true;
    for (size_t k = 0; ok && k < count; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) sum += predicted[i * count + k];
        for (size_t i = 0; i < n; i++) {
            squares += (predicted[i * count + k] - sum / (double)n) *
                       (predicted[i * count + k] - sum / (double)n);
            lists[i] = l->y[i * count + k];
            lists[n + i] = model->loo[i * count + k];
        }
        p->averages[k] = sum / (double)n;
        p->deviations[k] = sqrt(squares / (double)n);
        ok = piaa_metrics_spearman(lists, lists + n, n, &p->loo_spearman[k], error);
    }
    free(lists);
    return ok;
}

static bool take_model(piaa_projection *p, const lesson *l, const piaa_dataset *set,
                       const piaa_ridge *model, piaa_error *error) {
    size_t dim = (size_t)p->slot.dim;
    memcpy(p->mean, model->mean, dim * sizeof(double));
    memcpy(p->scale, model->scale, dim * sizeof(double));
    memcpy(p->weights, model->weights, l->count * dim * sizeof(double));
    memcpy(p->intercepts, model->intercepts, l->count * sizeof(double));
    p->alpha = model->alphas[0];
    p->images = l->n;
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(p->made, sizeof p->made, "%Y-%m-%dT%H:%M:%SZ", &utc);
    for (size_t k = 0; k < l->count; k++)
        if (!(p->names[k] = piaa_strdup(set->attribute_names[l->attributes[k]], error)))
            return false;
    return true;
}

piaa_projection *piaa_projection_learn(const piaa_dataset *set, const piaa_source *source,
                                       const piaa_identity *identity, int threads,
                                       const piaa_hooks *hooks, piaa_error *error) {
    if (source->parts != 1) {
        piaa_error_set(error, PIAA_USAGE, "a projection reads one pool at one layer, not %s",
                       source->name);
        return NULL;
    }
    lesson l = {0};
    piaa_ridge_design *design = NULL;
    piaa_ridge *model = NULL;
    piaa_projection *p = NULL;
    if (gather(&l, set, source, error) &&
        (design =
             piaa_ridge_design_new_shared(source->x, l.rows, l.n, source->dim, threads, error)) &&
        (model = piaa_ridge_fit(design, l.y, (int)l.count, &(piaa_ridge_options){.joint = true},
                                error)) &&
        (p = piaa_projection_new(identity, &source->slots[0], (int)l.count, error)) &&
        !(take_model(p, &l, set, model, error) && describe(p, &l, source, model, error))) {
        piaa_projection_free(p);
        p = NULL;
    }
    if (p && l.left_out) {
        char line[160];
        snprintf(line, sizeof line,
                 "the projection is learned from %lld images; %zu lack a vector or an attribute",
                 (long long)l.n, l.left_out);
        piaa_hooks_warn(hooks, line);
    }
    piaa_ridge_free(model);
    piaa_ridge_design_free(design);
    free_lesson(&l);
    return p;
}

/* ------------------------------------------------------------------------------------ belonging */

bool piaa_projection_fits(const piaa_projection *p, const piaa_identity *identity,
                          const piaa_slot *slot, piaa_error *error) {
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++) {
        const char *called = piaa_taste_texts[i].called,
                   *own = piaa_taste_text_get(&p->identity, i);
        const char *other = piaa_taste_text_get(identity, i);
        if (!called || strcmp(own, other) == 0) continue;
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the attribute projection was made with %s \"%.200s\", not "
                              "\"%.200s\": make it again with `piaa reduce`",
                              called, own, other);
    }
    if (p->slot.pool == slot->pool && p->slot.layer == slot->layer && p->slot.dim == slot->dim)
        return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "the attribute projection reads pool %s at layer %d (%d numbers), not %s "
                          "at %d (%d): make it again with "
                          "`piaa reduce`",
                          piaa_pool_name(p->slot.pool), p->slot.layer, p->slot.dim,
                          piaa_pool_name(slot->pool), slot->layer, slot->dim);
}
