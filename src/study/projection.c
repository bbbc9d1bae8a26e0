/* Learns the attribute projection and applies it.  The file format is in projection_file.c. */
#include "study/projection.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "linear/metrics.h"
#include "linear/ridge.h"
#include "study/gaps.h"
#include "study/taste_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

piaa_projection *piaa_projection_new(const piaa_identity *identity, const piaa_slot *slot,
                                     int count, piaa_error *error) {
    piaa_projection *p = piaa_alloc(1, sizeof *p, error);
    if (!p) return NULL;
    size_t dim = (size_t)slot->dim, k = (size_t)count;
    p->slot = *slot;
    p->count = count;
    bool ok = (p->names = piaa_alloc(k, sizeof(char *), error)) &&
              (p->mean = piaa_alloc(2 * dim + k * dim + 4 * k, sizeof(double), error)) &&
              (p->known = piaa_alloc(k, sizeof(int64_t), error));
    if (ok) {
        p->scale = p->mean + dim;
        p->weights = p->scale + dim;
        p->intercepts = p->weights + k * dim;
        p->averages = p->intercepts + k;
        p->deviations = p->averages + k;
        p->loo_spearman = p->deviations + k;
    }
    for (size_t i = 0; ok && i < PIAA_IDENTITY_KEYS; i++) {
        char *copy = piaa_strdup(piaa_identity_get(identity, i), error);
        piaa_identity_set(&p->identity, i, copy);
        ok = copy != NULL;
    }
    if (ok) return p;
    piaa_projection_free(p);
    return NULL;
}

void piaa_projection_free(piaa_projection *p) {
    if (!p) return;
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        char *text;
        memcpy(&text, (char *)&p->identity + piaa_identity_keys[i].offset, sizeof text);
        free(text);
    }
    for (int k = 0; p->names && k < p->count; k++) free(p->names[k]);
    free(p->names);
    free(p->known);
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

/* What is learned from: rows of the source and their attributes [n][count], without "score"; NaN
   where there is none. */
typedef struct lesson {
    int64_t *rows, n;
    double *y;
    size_t *attributes, count; /* of the data set */
    size_t left_out;
    piaa_gaps gaps;
    piaa_ridge **models; /* [gaps.count] */
    double alpha;
} lesson;

static void free_lesson(lesson *l) {
    for (size_t g = 0; l->models && g < l->gaps.count; g++) piaa_ridge_free(l->models[g]);
    free(l->models);
    piaa_gaps_free(&l->gaps);
    free(l->rows);
    free(l->y);
    free(l->attributes);
}

static bool has_splits(const piaa_dataset *set) {
    for (size_t i = 0; i < set->image_count; i++)
        if (set->images[i].split != PIAA_SPLIT_NONE) return true;
    return false;
}

/* The attributes that at least two of the images have. */
static bool choose_attributes(lesson *l, const piaa_dataset *set, const piaa_source *source,
                              const piaa_hooks *hooks, piaa_error *error) {
    size_t all = set->attribute_count, with_vector = 0;
    bool split = has_splits(set);
    size_t *known = piaa_alloc(all, sizeof *known, error);
    if (!known || !(l->attributes = piaa_alloc(all, sizeof(size_t), error))) {
        free(known);
        return false;
    }
    for (size_t i = 0; i < set->image_count; i++) {
        if ((split && set->images[i].split != PIAA_SPLIT_TRAIN) || source->rows[i] < 0) continue;
        with_vector++;
        for (size_t a = 0; a < all; a++) known[a] += isfinite(set->attributes[i * all + a]);
    }
    for (size_t a = 0; a < all; a++) {
        if (strcmp(set->attribute_names[a], "score") == 0) continue;
        if (known[a] >= 2)
            l->attributes[l->count++] = a;
        else if (with_vector >= 2)
            piaa_hooks_warn(hooks, "the attribute %.80s is known of %zu images and left out",
                            set->attribute_names[a], known[a]);
    }
    free(known);
    if (l->count) return true;
    if (!all)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.300s has no attributes to learn a projection from: use AADB, or a "
                              "CSV file with them",
                              set->folder);
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%.300s has no attribute of at least 2 images with a vector (%zu have "
                          "one): a projection needs that",
                          set->folder, with_vector);
}

static bool gather(lesson *l, const piaa_dataset *set, const piaa_source *source,
                   piaa_error *error) {
    size_t images = set->image_count, all = set->attribute_count;
    bool split = has_splits(set);
    if (!(l->rows = piaa_alloc(images, sizeof(int64_t), error)) ||
        !(l->y = piaa_alloc(images * all, sizeof(double), error)))
        return false;
    for (size_t i = 0; i < images; i++) {
        if (split && set->images[i].split != PIAA_SPLIT_TRAIN) continue;
        bool any = false;
        for (size_t k = 0; k < l->count; k++) {
            double value = set->attributes[i * all + l->attributes[k]];
            l->y[(size_t)l->n * l->count + k] = value;
            any = any || isfinite(value);
        }
        any = any && source->rows[i] >= 0;
        if (any) l->rows[l->n++] = source->rows[i];
        l->left_out += !any;
    }
    return piaa_gaps_find(&l->gaps, l->y, (size_t)l->n, l->count, error);
}

/* Every group with `alphas` of its own list; *squares: the sum of squared leave-one-out errors. */
static bool fit_groups(lesson *l, piaa_ridge_design *const *designs,
                       const piaa_ridge_options *options, double *squares, piaa_error *error) {
    *squares = 0;
    for (size_t g = 0; g < l->gaps.count; g++) {
        const piaa_gap_group *group = &l->gaps.items[g];
        piaa_ridge_free(l->models[g]);
        l->models[g] =
            piaa_ridge_fit(designs[g], group->y, (int)group->target_count, options, error);
        if (!l->models[g]) return false;
        for (size_t k = 0; k < group->target_count; k++)
            *squares += (double)group->n * pow(l->models[g]->loo_rmse[k], 2);
    }
    return true;
}

/* One alpha for all attributes.  Where all have the same images that is one fit; else each alpha of
   the usual list is tried on all groups. */
static bool fit_jointly(lesson *l, piaa_ridge_design *const *designs, piaa_error *error) {
    enum { ALPHAS = 13 };
    double squares, least = HUGE_VAL;
    if (l->gaps.count == 1) {
        if (!fit_groups(l, designs, &(piaa_ridge_options){.joint = true}, &squares, error))
            return false;
        l->alpha = l->models[0]->alphas[0];
        return true;
    }
    for (int i = 0; i < ALPHAS; i++) { /* logspace(-3, 3, 13) */
        const double alpha = pow(10, -3 + 0.5 * i);
        if (!fit_groups(l, designs, &(piaa_ridge_options){.alphas = &alpha, .alpha_count = 1},
                        &squares, error))
            return false;
        if (squares >= least * (1 - 1e-12)) continue;
        least = squares;
        l->alpha = alpha;
    }
    return fit_groups(l, designs, &(piaa_ridge_options){.alphas = &l->alpha, .alpha_count = 1},
                      &squares, error);
}

static bool fit(lesson *l, const piaa_source *source, int threads, piaa_error *error) {
    piaa_ridge_design **designs = piaa_alloc(l->gaps.count, sizeof *designs, error);
    bool ok = designs && (l->models = piaa_alloc(l->gaps.count, sizeof *l->models, error));
    for (size_t g = 0; ok && g < l->gaps.count; g++) {
        const piaa_gap_group *group = &l->gaps.items[g];
        int64_t *rows = piaa_alloc_array(group->n, sizeof *rows, error);
        for (size_t i = 0; rows && i < group->n; i++) rows[i] = l->rows[group->rows[i]];
        designs[g] = rows ? piaa_ridge_design_new_shared(source->x, rows, (int64_t)group->n,
                                                         source->dim, threads, error)
                          : NULL;
        ok = designs[g] != NULL;
        free(rows);
    }
    ok = ok && fit_jointly(l, designs, error);
    for (size_t g = 0; designs && g < l->gaps.count; g++) piaa_ridge_design_free(designs[g]);
    free(designs);
    return ok;
}

/* Averages and deviations of the predictions for all images; how far each attribute can be
   trusted. */
static bool describe(piaa_projection *p, const lesson *l, const piaa_source *source,
                     piaa_error *error) {
    size_t n = (size_t)l->n, count = l->count;
    double *lists = piaa_alloc_array(n * (count + 2), sizeof *lists, error);
    if (!lists) return false;
    double *predicted = lists + 2 * n;
    for (size_t i = 0; i < n; i++)
        piaa_projection_apply(p, source->x + (size_t)l->rows[i] * (size_t)source->dim, 1,
                              predicted + i * count);
    for (size_t k = 0; k < count; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) sum += predicted[i * count + k];
        for (size_t i = 0; i < n; i++)
            squares += (predicted[i * count + k] - sum / (double)n) *
                       (predicted[i * count + k] - sum / (double)n);
        p->averages[k] = sum / (double)n;
        p->deviations[k] = sqrt(squares / (double)n);
    }
    bool ok = true;
    for (size_t g = 0; g < l->gaps.count; g++) {
        const piaa_gap_group *group = &l->gaps.items[g];
        for (size_t k = 0; ok && k < group->target_count; k++) {
            for (size_t i = 0; i < group->n; i++) {
                lists[i] = group->y[i * group->target_count + k];
                lists[n + i] = l->models[g]->loo[i * group->target_count + k];
            }
            ok = piaa_metrics_spearman(lists, lists + n, group->n,
                                       &p->loo_spearman[group->targets[k]], error);
        }
    }
    free(lists);
    return ok;
}

/* All attributes on the mean of the largest group: what a group's own mean makes of a prediction
   goes into the intercept. */
static void take_model(piaa_projection *p, const piaa_ridge *model, const piaa_gap_group *group) {
    size_t dim = (size_t)p->slot.dim;
    for (size_t k = 0; k < group->target_count; k++) {
        size_t to = group->targets[k];
        const double *weights = model->weights + k * dim;
        double shift = 0;
        for (size_t j = 0; j < dim; j++) shift += weights[j] * (p->mean[j] - model->mean[j]);
        memcpy(p->weights + to * dim, weights, dim * sizeof(double));
        p->intercepts[to] = model->intercepts[k] + shift;
        p->known[to] = (int64_t)group->n;
    }
}

static bool take_models(piaa_projection *p, const lesson *l, const piaa_dataset *set,
                        piaa_error *error) {
    size_t bytes = (size_t)p->slot.dim * sizeof(double), largest = 0;
    for (size_t g = 0; g < l->gaps.count; g++)
        if (l->gaps.items[g].n > l->gaps.items[largest].n) largest = g;
    memcpy(p->mean, l->models[largest]->mean, bytes);
    memcpy(p->scale, l->models[largest]->scale, bytes);
    for (size_t g = 0; g < l->gaps.count; g++) take_model(p, l->models[g], &l->gaps.items[g]);
    p->alpha = l->alpha;
    p->images = l->n;
    piaa_utc_now(p->made);
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
    piaa_projection *p = NULL;
    if (choose_attributes(&l, set, source, hooks, error) && gather(&l, set, source, error) &&
        fit(&l, source, threads, error) &&
        (p = piaa_projection_new(identity, &source->slots[0], (int)l.count, error)) &&
        !(take_models(p, &l, set, error) && describe(p, &l, source, error))) {
        piaa_projection_free(p);
        p = NULL;
    }
    if (p && l.left_out)
        piaa_hooks_warn(hooks,
                        "the projection is learned from %lld images; %zu lack a vector or all "
                        "attributes",
                        (long long)l.n, l.left_out);
    free_lesson(&l);
    return p;
}

/* ------------------------------------------------------------------------------------ belonging */

bool piaa_projection_fits(const piaa_projection *p, const piaa_identity *identity,
                          const piaa_slot *slot, piaa_error *error) {
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const char *own = piaa_identity_get(&p->identity, i),
                   *other = piaa_identity_get(identity, i);
        if (piaa_identity_same(i, own, other)) continue;
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the attribute projection was made with %s \"%.200s\", not "
                              "\"%.200s\": make it again with `piaa reduce`",
                              piaa_identity_keys[i].called, own, other);
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
