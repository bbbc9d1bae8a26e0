/* Style out: Linear-Hidden without the support images of the test image's own style, style by
   style: taste across styles. */
#include "base/memory.h"
#include "study/method.h"

#include <stdlib.h>
#include <string.h>

static const char *style_of(const piaa_lesson *l, size_t image) {
    return l->set->labels[image * l->set->label_count + l->label];
}

/* The support without one style; rows and y [n].  *left 0: nothing is left to learn from. */
static piaa_ridge *learn_others(const piaa_lesson *l, const char *style, int64_t *rows, double *y,
                                int64_t *left, piaa_error *error) {
    *left = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const char *other = style_of(l, l->images[i]);
        if (!*other || strcmp(style, other) == 0) continue;
        rows[*left] = l->rows[i];
        y[(*left)++] = l->scores[i];
    }
    return *left ? piaa_lesson_fit(l->source->x, rows, *left, l->source->dim, y, error) : NULL;
}

/* Images of unknown style are neither learned from nor tested. */
static bool learn_styles(const piaa_lesson *l, int64_t *rows, double *y, bool *done,
                         piaa_predictions *out, piaa_error *error) {
    for (size_t k = 0; k < l->tests; k++) {
        const char *style = style_of(l, l->test[k]);
        if (done[k] || !*style) continue;
        int64_t left;
        piaa_ridge *model = learn_others(l, style, rows, y, &left, error);
        if (left && !model) return false;
        for (size_t i = k; i < l->tests; i++) {
            if (strcmp(style_of(l, l->test[i]), style) != 0) continue;
            done[i] = true;
            if (model && l->source->rows[l->test[i]] >= 0)
                piaa_ridge_predict(model, piaa_lesson_vector(l, l->test[i]), 1, &out->scores[i]);
        }
        piaa_ridge_free(model);
    }
    return true;
}

static bool learn(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    int64_t *rows = piaa_alloc_array((size_t)l->n, sizeof *rows, error);
    double *y = piaa_alloc_array((size_t)l->n, sizeof *y, error);
    bool *done = piaa_alloc(l->tests, sizeof *done, error);
    const bool ok = rows && y && done && learn_styles(l, rows, y, done, out, error);
    free(rows);
    free(y);
    free(done);
    return ok;
}

const piaa_method piaa_method_style_out = {.name = "style-out",
                                           .published = "direct_linear_style_out",
                                           .needs = PIAA_NEEDS_FEATURES | PIAA_NEEDS_LABEL,
                                           .learn = learn};
