/* The taste's scores regressed on the attributes that the projection predicts. */
#include "study/explain.h"

#include "base/memory.h"
#include "linear/metrics.h"
#include "linear/ridge.h"

#include <math.h>
#include <stdlib.h>

static const float *row_of(const piaa_explanation *e, const float *x, const int64_t *rows,
                           int64_t i) {
    return x + (size_t)(rows ? rows[i] : i) * (size_t)e->taste->dim;
}

static bool regress(piaa_explanation *e, const float *x, const int64_t *rows, int64_t n,
                    piaa_error *error) {
    size_t count = (size_t)e->count, photos = (size_t)n;
    float *attributes = piaa_alloc_array(photos * count, sizeof *attributes, error);
    double *scores = piaa_alloc_array(photos, sizeof *scores, error),
           *predicted = piaa_alloc_array(photos, sizeof *predicted, error);
    double *work = piaa_alloc_array(count, sizeof *work, error);
    bool ok = attributes && scores && predicted && work;
    for (int64_t i = 0; ok && i < n; i++) {
        piaa_projection_apply(e->projection, row_of(e, x, rows, i) + e->first, 1, work);
        for (size_t k = 0; k < count; k++) attributes[(size_t)i * count + k] = (float)work[k];
        piaa_taste_predict(e->taste, row_of(e, x, rows, i), 1, &scores[i]);
    }
    piaa_ridge_design *design =
        ok ? piaa_ridge_design_new(attributes, NULL, n, e->count, error) : NULL;
    piaa_ridge *model = design ? piaa_ridge_fit(design, scores, 1, NULL, error) : NULL;
    if (model) {
        e->average_score = model->intercepts[0];
        double spread = 0;
        for (size_t i = 0; i < photos; i++)
            spread = fmax(spread, fabs(scores[i] - e->average_score));
        for (size_t k = 0; k < count; k++) {
            e->average[k] = model->mean[k];
            e->weights[k] = model->weights[k];
            e->signed_weights[k] = model->weights[k] * e->projection->deviations[k];
        }
        piaa_ridge_predict(model, attributes, n, predicted);
        bool defined = n > 1 && spread > 1e-12 * fmax(1, fabs(e->average_score));
        e->explained = defined ? piaa_metrics_r2(scores, model->loo, photos) : NAN;
        e->explained_seen = defined ? piaa_metrics_r2(scores, predicted, photos) : NAN;
    }
    ok = model != NULL;
    piaa_ridge_free(model);
    piaa_ridge_design_free(design);
    free(attributes);
    free(scores);
    free(predicted);
    free(work);
    return ok;
}

int piaa_explain_place(const piaa_taste *taste, const piaa_projection *projection,
                       piaa_error *error) {
    const piaa_slots *slots = &taste->slots;
    int at = 0;
    if (slots->count == 1)
        return piaa_projection_fits(projection, &taste->identity, &taste->slot, error) ? 0 : -1;
    for (size_t k = 0; k < slots->count; at += slots->items[k++].dim)
        if (slots->items[k].pool == projection->slot.pool &&
            slots->items[k].layer == projection->slot.layer)
            return piaa_projection_fits(projection, &taste->identity, &slots->items[k], error) ? at
                                                                                               : -1;
    piaa_error_set(error, PIAA_MISMATCH,
                   "the attributes were learned from pool %s at layer %d, and the taste from "
                   "%.200s: make them again with piaa reduce and one of these",
                   piaa_pool_name(projection->slot.pool), projection->slot.layer, taste->features);
    return -1;
}

piaa_explanation *piaa_explain(const piaa_taste *taste, const piaa_projection *projection,
                               const float *x, const int64_t *rows, int64_t n, piaa_error *error) {
    if (!taste || !projection || !x) {
        piaa_error_missing(error, !taste        ? "taste"
                                  : !projection ? "attribute projection"
                                                : "features");
        return NULL;
    }
    if (n < 1) {
        piaa_error_set(error, PIAA_USAGE,
                       "no photos to explain the taste with: give some of the person's own");
        return NULL;
    }
    int first = piaa_explain_place(taste, projection, error);
    if (first < 0) return NULL;
    piaa_explanation *e = piaa_alloc(1, sizeof *e, error);
    if (!e) return NULL;
    size_t count = (size_t)projection->count;
    *e = (piaa_explanation){.taste = taste,
                            .projection = projection,
                            .first = first,
                            .count = projection->count,
                            .photos = n};
    if ((e->average = piaa_alloc(3 * count, sizeof(double), error))) {
        e->weights = e->average + count;
        e->signed_weights = e->weights + count;
        if (regress(e, x, rows, n, error)) return e;
    }
    piaa_explanation_free(e);
    return NULL;
}

void piaa_explanation_free(piaa_explanation *e) {
    if (!e) return;
    free(e->average);
    free(e);
}

bool piaa_explain_photo(const piaa_explanation *e, const float *x, double *attributes,
                        double *contributions, piaa_explained_photo *out, piaa_error *error) {
    double *values = piaa_alloc_array((size_t)e->count, sizeof *values, error);
    if (!values) return false;
    piaa_projection_apply(e->projection, x + e->first, 1, values);
    *out = (piaa_explained_photo){0};
    piaa_taste_predict(e->taste, x, 1, &out->score);
    for (int k = 0; k < e->count; k++) {
        double part = e->weights[k] * (values[k] - e->average[k]);
        if (attributes) attributes[k] = values[k];
        if (contributions) contributions[k] = part;
        out->accounted += part;
    }
    out->rest = out->score - e->average_score - out->accounted;
    free(values);
    return true;
}

void piaa_explain_slots(const piaa_taste *taste, const float *x, double *out) {
    int at = 0;
    for (size_t k = 0; k < taste->slots.count; at += taste->slots.items[k++].dim)
        out[k] = piaa_ridge_dot(taste->weights + at, taste->mean + at, x + at,
                                taste->slots.items[k].dim);
}
