/* Linear probes of every source.  The mathematics is in linear/ridge.c; here are the lists of
   images, and who is best. */
#include "study/probe.h"

#include "base/blas.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "linear/ridge.h"
#include "study/gaps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A run in hand. */
typedef struct probing {
    piaa_probe *probe;
    const piaa_dataset *set;
    const piaa_source *sources;
    const piaa_probe_options *options;
    const size_t *attributes; /* [target_count - 1] of the data set */
    piaa_gaps gaps;           /* of the training labels */
    double *deviation;        /* [target_count] of the training labels */
    double **predictions;     /* [source_count][PIAA_PARTS] */
} probing;

/* --------------------------------------------------------------------------- targets and images */

static bool name_targets(probing *run, size_t *attributes, piaa_error *error) {
    piaa_probe *probe = run->probe;
    size_t most = run->set->attribute_count + 1;
    if (!(probe->target_names = piaa_alloc(most, sizeof(char *), error)) ||
        !(probe->target_names[0] = piaa_strdup("score", error)))
        return false;
    probe->target_count = 1;
    for (size_t a = 0; a + 1 < most; a++) {
        if (strcmp(run->set->attribute_names[a], "score") == 0) continue;
        if (!(probe->target_names[probe->target_count] =
                  piaa_strdup(run->set->attribute_names[a], error)))
            return false;
        attributes[probe->target_count++ - 1] = a;
    }
    return true;
}

static double label_of(const probing *run, size_t image, size_t target) {
    if (!target) return run->set->images[image].general;
    return run->set->attributes[image * run->set->attribute_count + run->attributes[target - 1]];
}

static bool has_a_label(const probing *run, size_t image) {
    for (size_t t = 0; t < run->probe->target_count; t++)
        if (isfinite(label_of(run, image, t))) return true;
    return false;
}

static bool has_vectors(const probing *run, size_t image, bool test) {
    for (size_t s = 0; s < run->probe->source_count; s++) {
        if (run->sources[s].rows[image] < 0) return false;
        if (test && run->options->changed && run->options->changed[s].rows[image] < 0) return false;
    }
    return true;
}

/* An image that is learned from, or that the layer is chosen by, is no test. */
static void tell_shared(const probing *run, piaa_split test, const piaa_hooks *hooks) {
    if (!run->probe->shared) return;
    piaa_hooks_warn(hooks,
                    "%zu of the test images (%s) are also on the training or the validation list, "
                    "and are %s",
                    run->probe->shared, piaa_split_name(test),
                    test == PIAA_SPLIT_TEST_NEW ? "left out of the test"
                                                : "kept: the published test is so");
}

static bool list_images(probing *run, const piaa_hooks *hooks, piaa_error *error) {
    piaa_probe *probe = run->probe;
    piaa_split test = run->options->test ? run->options->test : PIAA_SPLIT_TEST;
    probe->test = test;
    const piaa_split wanted[PIAA_PARTS] = {PIAA_SPLIT_TRAIN, PIAA_SPLIT_VALIDATION, test};
    for (int part = 0; part < PIAA_PARTS; part++) {
        if (!(probe->images[part] = piaa_alloc(run->set->image_count, sizeof(size_t), error)))
            return false;
        for (size_t i = 0; i < run->set->image_count; i++) {
            if (run->set->images[i].split != wanted[part]) continue;
            if (run->set->images[i].shared) {
                probe->shared++;
                if (test == PIAA_SPLIT_TEST_NEW) continue;
            }
            if (!has_a_label(run, i))
                probe->without_label++;
            else if (!has_vectors(run, i, part == PIAA_TEST))
                probe->without_vector++;
            else
                probe->images[part][probe->count[part]++] = i;
        }
        size_t n = probe->count[part], t = probe->target_count;
        if (!(probe->labels[part] = piaa_alloc(n * t, sizeof(double), error)) ||
            !(probe->predictions[part] = piaa_alloc(n * t, sizeof(double), error)))
            return false;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < t; k++)
                probe->labels[part][i * t + k] = label_of(run, probe->images[part][i], k);
    }
    tell_shared(run, test, hooks);
    probe->loo_validation = !probe->count[PIAA_VALIDATION];
    if (probe->count[PIAA_TRAIN])
        return piaa_gaps_find(&run->gaps, probe->labels[PIAA_TRAIN], probe->count[PIAA_TRAIN],
                              probe->target_count, error);
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%.300s has no training image with a label and a vector (%zu lack a "
                          "vector, %zu a label): nothing to learn from",
                          run->set->folder, probe->without_vector, probe->without_label);
}

static void measure_deviations(probing *run) {
    for (size_t g = 0; g < run->gaps.count; g++) {
        const piaa_gap_group *group = &run->gaps.items[g];
        size_t n = group->n, count = group->target_count;
        for (size_t k = 0; k < count; k++) {
            double sum = 0, squares = 0;
            for (size_t i = 0; i < n; i++) sum += group->y[i * count + k];
            for (size_t i = 0; i < n; i++)
                squares += pow(group->y[i * count + k] - sum / (double)n, 2);
            run->deviation[group->targets[k]] = sqrt(squares / (double)n);
        }
    }
}

/* ----------------------------------------------------------------------------------- one source */

/* What a model says of the images of a part: out [count][target_count], its targets' columns. */
static bool predict(const probing *run, const piaa_ridge *model, const piaa_gap_group *group,
                    const piaa_source *source, int part, double *out, piaa_error *error) {
    size_t t = run->probe->target_count;
    double *row = piaa_alloc(group->target_count, sizeof *row, error);
    for (size_t i = 0; row && i < run->probe->count[part]; i++) {
        int64_t at = source->rows[run->probe->images[part][i]];
        piaa_ridge_predict(model, source->x + (size_t)at * (size_t)source->dim, 1, row);
        for (size_t k = 0; k < group->target_count; k++) out[i * t + group->targets[k]] = row[k];
    }
    free(row);
    return row != NULL;
}

/* Over the images of which the label is known. */
static bool measure(const probing *run, int part, size_t target, const double *predicted,
                    piaa_agreement *out, piaa_error *error) {
    size_t n = run->probe->count[part], t = run->probe->target_count, kept = 0;
    const double *labels = run->probe->labels[part] + target;
    double *lists = piaa_alloc(2 * n, sizeof *lists, error);
    if (!lists) return false;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(labels[i * t])) continue;
        lists[kept] = labels[i * t];
        lists[n + kept++] = predicted[i * t + target];
    }
    bool ok = piaa_agreement_measure(lists, lists + n, kept, 1, out, error);
    free(lists);
    return ok;
}

static bool measure_shift(const probing *run, const piaa_ridge *model, const piaa_gap_group *group,
                          size_t s, piaa_probe_cell *cells, piaa_error *error) {
    const piaa_probe *probe = run->probe;
    size_t n = probe->count[PIAA_TEST], t = probe->target_count;
    const double *original = run->predictions[s * PIAA_PARTS + PIAA_TEST];
    double *changed = piaa_alloc_array(n * t, sizeof *changed, error);
    bool ok =
        changed && predict(run, model, group, &run->options->changed[s], PIAA_TEST, changed, error);
    for (size_t j = 0; ok && j < group->target_count; j++) {
        size_t k = group->targets[j];
        piaa_probe_shift *shift = &cells[k].shift;
        piaa_agreement both;
        ok = piaa_agreement_measure(original + k, changed + k, n, t, &both, error) &&
             measure(run, PIAA_TEST, k, changed, &shift->agreement, error);
        if (!ok) break;
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += changed[i * t + k] - original[i * t + k];
        shift->mean = sum / (double)n / run->deviation[k];
        shift->size = both.rmse / run->deviation[k];
        shift->spearman = both.spearman;
    }
    free(changed);
    return ok;
}

/* Whether a target's layer is chosen by leave-one-out predictions: too few validation images have
   the target to be ordered. */
static bool by_leave_one_out(const piaa_probe *probe, size_t target) {
    size_t known = 0;
    for (size_t i = 0; i < probe->count[PIAA_VALIDATION]; i++)
        known += isfinite(probe->labels[PIAA_VALIDATION][i * probe->target_count + target]) != 0;
    return known < 2;
}

/* Everything that one model says, beside its own figures. */
static bool judge(const probing *run, const piaa_ridge *model, const piaa_gap_group *group,
                  size_t s, piaa_error *error) {
    const piaa_probe *probe = run->probe;
    piaa_probe_cell *cells = probe->cells + s * probe->target_count;
    for (int part = 0; part < PIAA_PARTS; part++) {
        double *predicted = run->predictions[s * PIAA_PARTS + (size_t)part];
        if (!predict(run, model, group, &run->sources[s], part, predicted, error)) return false;
        for (size_t k = 0; k < group->target_count; k++)
            if (!measure(run, part, group->targets[k], predicted,
                         &cells[group->targets[k]].figures[part], error))
                return false;
    }
    for (size_t k = 0; k < group->target_count; k++) {
        piaa_probe_cell *cell = &cells[group->targets[k]];
        if (by_leave_one_out(probe, group->targets[k]) &&
            !piaa_agreement_measure(group->y + k, model->loo + k, group->n, group->target_count,
                                    &cell->figures[PIAA_VALIDATION], error))
            return false;
        cell->alpha = model->alphas[k];
        cell->loo_rmse = model->loo_rmse[k];
    }
    return !run->options->changed || measure_shift(run, model, group, s, cells, error);
}

static bool probe_group(const probing *run, const piaa_gap_group *group, size_t s,
                        piaa_error *error) {
    const piaa_probe *probe = run->probe;
    const piaa_source *source = &run->sources[s];
    int64_t *rows = piaa_alloc_array(group->n, sizeof *rows, error);
    for (size_t i = 0; rows && i < group->n; i++)
        rows[i] = source->rows[probe->images[PIAA_TRAIN][group->rows[i]]];
    piaa_ridge_design *design =
        rows ? piaa_ridge_design_new_shared(source->x, rows, (int64_t)group->n, source->dim,
                                            run->options->threads / (int)probe->source_count, error)
             : NULL;
    piaa_ridge *model =
        design ? piaa_ridge_fit(design, group->y, (int)group->target_count, NULL, error) : NULL;
    piaa_ridge_design_free(design);
    free(rows);
    bool ok = model && judge(run, model, group, s, error);
    piaa_ridge_free(model);
    return ok;
}

/* Of a target that no training image has, everything is undefined. */
static void leave_undefined(const probing *run, size_t target, size_t s) {
    const piaa_probe *probe = run->probe;
    const piaa_agreement none = {.spearman = NAN, .r2 = NAN, .rmse = NAN};
    piaa_probe_cell *cell = &probe->cells[s * probe->target_count + target];
    *cell = (piaa_probe_cell){.figures = {none, none, none},
                              .alpha = NAN,
                              .loo_rmse = NAN,
                              .shift = {NAN, NAN, NAN, none}};
    for (int part = 0; part < PIAA_PARTS; part++)
        for (size_t i = 0; i < probe->count[part]; i++)
            run->predictions[s * PIAA_PARTS + (size_t)part][i * probe->target_count + target] = NAN;
}

static bool probe_source(void *user, size_t s, piaa_error *error) {
    probing *run = user;
    const piaa_probe *probe = run->probe;
    bool ok = true;
    for (size_t part = 0; ok && part < PIAA_PARTS; part++)
        ok = (run->predictions[s * PIAA_PARTS + part] = piaa_alloc_array(
                  probe->count[part] * probe->target_count, sizeof(double), error)) != NULL;
    for (size_t g = 0; ok && g < run->gaps.count; g++) {
        const piaa_gap_group *group = &run->gaps.items[g];
        if (group->n)
            ok = probe_group(run, group, s, error);
        else
            for (size_t k = 0; k < group->target_count; k++)
                leave_undefined(run, group->targets[k], s);
    }
    return ok || piaa_error_prefix(error, "%s", run->sources[s].name);
}

/* ------------------------------------------------------------------------------------- together */

static int best_of(const piaa_probe *probe, size_t target, bool any, piaa_pool pool) {
    int best = -1;
    double most = -2;
    for (size_t s = 0; s < probe->source_count; s++) {
        double here =
            probe->cells[s * probe->target_count + target].figures[PIAA_VALIDATION].spearman;
        if ((!any && probe->slots[s].pool != pool) || !(here > most)) continue;
        best = (int)s;
        most = here;
    }
    return best;
}

int piaa_probe_best_of(const piaa_probe *probe, size_t target, piaa_pool pool) {
    return best_of(probe, target, false, pool);
}

static void tell_left_out(const piaa_probe *probe, const piaa_hooks *hooks) {
    for (size_t k = 0; k < probe->target_count && !probe->loo_validation; k++) {
        if (!by_leave_one_out(probe, k) || isnan(probe->cells[k].alpha)) continue;
        piaa_hooks_warn(hooks,
                        "fewer than two validation images have %.120s: its layer is chosen by "
                        "leave-one-out predictions of the training images",
                        probe->target_names[k]);
    }
}

static bool sum_up(probing *run, piaa_error *error) {
    piaa_probe *probe = run->probe;
    size_t t = probe->target_count;
    for (size_t k = 0; k < t; k++) {
        probe->best[k] = best_of(probe, k, true, PIAA_LT);
        size_t s = probe->best[k] < 0 ? 0 : (size_t)probe->best[k];
        for (int part = 0; part < PIAA_PARTS; part++)
            for (size_t i = 0; i < probe->count[part]; i++)
                probe->predictions[part][i * t + k] =
                    run->predictions[s * PIAA_PARTS + (size_t)part][i * t + k];
    }
    int part = probe->count[PIAA_TEST] ? PIAA_TEST : PIAA_TRAIN;
    return piaa_agreement_correlate(probe->labels[part], probe->count[part], t,
                                    probe->label_correlation, error) &&
           piaa_agreement_correlate(probe->predictions[part], probe->count[part], t,
                                    probe->prediction_correlation, error);
}

static bool allocate(probing *run, size_t *attributes, piaa_error *error) {
    piaa_probe *probe = run->probe;
    size_t s = probe->source_count;
    if (!name_targets(run, attributes, error)) return false;
    size_t t = probe->target_count;
    if (!(probe->source_names = piaa_alloc(s, sizeof(char *), error)) ||
        !(probe->slots = piaa_alloc(s, sizeof *probe->slots, error)) ||
        !(probe->cells = piaa_alloc(s * t, sizeof *probe->cells, error)) ||
        !(probe->best = piaa_alloc(t, sizeof(int), error)) ||
        !(probe->label_correlation = piaa_alloc(t * t, sizeof(double), error)) ||
        !(probe->prediction_correlation = piaa_alloc(t * t, sizeof(double), error)) ||
        !(run->deviation = piaa_alloc(t, sizeof(double), error)) ||
        !(run->predictions = piaa_alloc(s * PIAA_PARTS, sizeof(double *), error)))
        return false;
    for (size_t i = 0; i < s; i++) {
        probe->slots[i] = run->sources[i].slots[0];
        if (!(probe->source_names[i] = piaa_strdup(run->sources[i].name, error))) return false;
    }
    return true;
}

piaa_probe *piaa_probe_run(const piaa_dataset *set, const piaa_source *sources, size_t source_count,
                           const piaa_probe_options *options, const piaa_hooks *hooks,
                           piaa_error *error) {
    if (!set || !sources || !source_count) {
        piaa_error_missing(error, set ? "pools and layers to probe" : "data set");
        return NULL;
    }
    const piaa_probe_options usual = {0};
    piaa_probe *probe = piaa_alloc(1, sizeof *probe, error);
    size_t *attributes = piaa_alloc(set->attribute_count, sizeof *attributes, error);
    probing run = {.probe = probe,
                   .set = set,
                   .sources = sources,
                   .options = options ? options : &usual,
                   .attributes = attributes};
    bool ok = false;
    if (probe && attributes) {
        probe->source_count = source_count;
        ok = allocate(&run, attributes, error) && list_images(&run, hooks, error);
    }
    if (ok) {
        measure_deviations(&run);
        ok = piaa_parallel_run(source_count, piaa_blas_callers(run.options->threads), probe_source,
                               &run, "probing layers", hooks, error) &&
             sum_up(&run, error);
        tell_left_out(probe, hooks);
    }
    for (size_t i = 0; run.predictions && i < source_count * PIAA_PARTS; i++)
        free(run.predictions[i]);
    free(run.predictions);
    piaa_gaps_free(&run.gaps);
    free(run.deviation);
    free(attributes);
    if (ok) return probe;
    piaa_probe_free(probe);
    return NULL;
}

void piaa_probe_free(piaa_probe *probe) {
    if (!probe) return;
    for (size_t i = 0; probe->source_names && i < probe->source_count; i++)
        free(probe->source_names[i]);
    for (size_t i = 0; probe->target_names && i < probe->target_count; i++)
        free(probe->target_names[i]);
    for (int part = 0; part < PIAA_PARTS; part++) {
        free(probe->images[part]);
        free(probe->labels[part]);
        free(probe->predictions[part]);
    }
    free(probe->source_names);
    free(probe->target_names);
    free(probe->slots);
    free(probe->cells);
    free(probe->best);
    free(probe->label_correlation);
    free(probe->prediction_correlation);
    free(probe);
}
