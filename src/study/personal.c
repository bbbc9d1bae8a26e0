/* Every person's regressions, on several threads.  Results have their place before the first job
 * begins, so that they do not depend on which thread was faster. */
#include "study/personal.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "linear/blas.h"
#include "linear/ridge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *published; /* published: before the source in the CSV's method column */
} methods[PIAA_METHODS] = {
    [PIAA_LINEAR_HIDDEN] = {"linear-hidden", "direct_linear"},
    [PIAA_GIAA_TARGET] = {"giaa-target", "direct_linear_giaa_gt"},
    [PIAA_REDUCE] = {"reduce", "hidden_attr_linear"},
    [PIAA_STYLE_OUT] = {"style-out", "direct_linear_style_out"},
};

const char *piaa_method_name(piaa_method method) {
    return methods[method].name;
}

bool piaa_method_parse(const char *name, piaa_method *out) {
    for (int m = 0; m < PIAA_METHODS; m++)
        if (strcmp(name, methods[m].name) == 0) return *out = (piaa_method)m, true;
    return false;
}

/* A run in hand. */
typedef struct personal_run {
    const piaa_dataset *set;
    const piaa_protocol *protocol;
    const piaa_source *sources;
    size_t source_count;
    const piaa_personal_options *options;
    bool supports[2]; /* small, large */
    size_t label;     /* of the data set, for style out */
    size_t *places;   /* [2][PIAA_METHODS][source_count] into the outcomes */
    piaa_personal *personal;
} personal_run;

/* One person, one source, one support. */
typedef struct lesson {
    const personal_run *run;
    const piaa_source *source;
    size_t source_index, user;
    bool large;
    int64_t *rows;  /* [n] of the source's matrix: the support images that have a vector */
    size_t *images; /* [n] */
    double *scores; /* [n] */
    int64_t n;
    size_t *test; /* [tests] ratings of the data set */
    size_t tests;
} lesson;

static piaa_outcome *outcome_of(const personal_run *run, bool large, piaa_method method,
                                size_t source) {
    return run->personal->outcomes
        [run->places[((size_t)large * PIAA_METHODS + (size_t)method) * run->source_count + source]];
}

/* Which ratings of a person's support are near copies. */
static const bool *extras_of(const personal_run *run, size_t user, bool large) {
    const piaa_protocol_options *sizes = &run->protocol->options;
    return run->personal->copies.extra + user * (sizes->small + sizes->large) +
           (large ? sizes->small : 0);
}

static const float *vector_of(const lesson *l, size_t image) {
    return l->source->x + (size_t)l->source->rows[image] * (size_t)l->source->dim;
}

static size_t tested_image(const lesson *l, size_t k) {
    return l->run->set->ratings[l->test[k]].image;
}

/* -------------------------------------------------------------------------------------- one fit */

/* y [n][targets] from these rows of x. */
static piaa_ridge *learn(const float *x, const int64_t *rows, int64_t n, int dim, const double *y,
                         int targets, piaa_error *error) {
    piaa_ridge_design *design = piaa_ridge_design_new(x, rows, n, dim, error);
    piaa_ridge *model = design ? piaa_ridge_fit(design, y, targets, NULL, error) : NULL;
    piaa_ridge_design_free(design);
    return model;
}

/* The person's entry in an outcome, every test rating in it without a prediction. */
static piaa_outcome_row *prepare(const lesson *l, piaa_method method, size_t support,
                                 double alpha) {
    piaa_outcome *outcome = outcome_of(l->run, l->large, method, l->source_index);
    piaa_outcome_user *user = &outcome->users[l->user];
    user->support = support;
    user->alpha = alpha;
    user->count = l->tests;
    piaa_outcome_row *rows = outcome->rows + user->first;
    for (size_t k = 0; k < l->tests; k++)
        rows[k] = (piaa_outcome_row){tested_image(l, k), NAN,
                                     l->run->set->ratings[l->test[k]].score, NAN};
    return rows;
}

/* -------------------------------------------------------------------------------------- methods */

/* The support images that have a mean score, their rows, and [.][2] targets: score, mean score. */
static bool learn_directly(const lesson *l, bool own, bool general, piaa_error *error) {
    int64_t *rows = piaa_alloc_array((size_t)l->n, sizeof *rows, error), n = 0;
    double *y = piaa_alloc_array(2 * (size_t)l->n, sizeof *y, error);
    bool ok = rows && y;
    for (int64_t i = 0; ok && general && i < l->n; i++) {
        double mean = l->run->set->images[l->images[i]].general;
        if (!isfinite(mean)) continue;
        rows[n] = l->rows[i];
        y[2 * n] = l->scores[i];
        y[2 * n++ + 1] = mean;
    }
    bool together = general && own && n == l->n;
    piaa_ridge *first = NULL, *second = NULL;
    if (ok && together && n) {
        ok = (first = learn(l->source->x, rows, n, l->source->dim, y, 2, error));
    } else if (ok) {
        ok = !own || !l->n ||
             (first = learn(l->source->x, l->rows, l->n, l->source->dim, l->scores, 1, error));
        for (int64_t i = 0; i < n; i++) y[i] = y[2 * i + 1];
        ok = ok && (!n || (second = learn(l->source->x, rows, n, l->source->dim, y, 1, error)));
    }
    if (ok && own) {
        piaa_outcome_row *out =
            prepare(l, PIAA_LINEAR_HIDDEN, (size_t)l->n, first ? first->alphas[0] : NAN);
        for (size_t k = 0; first && k < l->tests; k++)
            if (l->source->rows[out[k].image] >= 0) {
                double both[2];
                piaa_ridge_predict(first, vector_of(l, out[k].image), 1, both);
                out[k].predicted = both[0];
            }
    }
    if (ok && general) {
        const piaa_ridge *model = together ? first : second;
        piaa_outcome_row *out =
            prepare(l, PIAA_GIAA_TARGET, (size_t)n, model ? model->alphas[together] : NAN);
        for (size_t k = 0; model && k < l->tests; k++)
            if (l->source->rows[out[k].image] >= 0) {
                double both[2];
                piaa_ridge_predict(model, vector_of(l, out[k].image), 1, both);
                out[k].predicted = both[together];
            }
    }
    piaa_ridge_free(first);
    piaa_ridge_free(second);
    free(rows);
    free(y);
    return ok;
}

/* The attributes that a projection predicts for an image, as float32 like any features. */
static void reduce(const piaa_projection *projection, const float *x, double *work, float *out) {
    piaa_projection_apply(projection, x, 1, work);
    for (int k = 0; k < projection->count; k++) out[k] = (float)work[k];
}

static bool learn_reduced(const lesson *l, piaa_error *error) {
    const piaa_projection *projection = l->run->options->projections[l->source_index];
    size_t width = (size_t)projection->count;
    float *x = piaa_alloc_array((size_t)l->n * width + width, sizeof *x, error);
    double *work = piaa_alloc_array(width, sizeof *work, error);
    piaa_ridge *model = NULL;
    bool ok = x && work;
    for (int64_t i = 0; ok && i < l->n; i++)
        reduce(projection, l->source->x + (size_t)l->rows[i] * (size_t)l->source->dim, work,
               x + (size_t)i * width);
    ok = ok && (!l->n || (model = learn(x, NULL, l->n, (int)width, l->scores, 1, error)));
    if (ok) {
        piaa_outcome_row *out =
            prepare(l, PIAA_REDUCE, (size_t)l->n, model ? model->alphas[0] : NAN);
        for (size_t k = 0; model && k < l->tests; k++)
            if (l->source->rows[out[k].image] >= 0) {
                reduce(projection, vector_of(l, out[k].image), work, x);
                piaa_ridge_predict(model, x, 1, &out[k].predicted);
            }
    }
    piaa_ridge_free(model);
    free(x);
    free(work);
    return ok;
}

static const char *style_of(const lesson *l, size_t image) {
    return l->run->set->labels[image * l->run->set->label_count + l->run->label];
}

/* Images of unknown style are neither learned from nor tested. */
static bool learn_other_styles(const lesson *l, piaa_error *error) {
    piaa_outcome_row *out = prepare(l, PIAA_STYLE_OUT, (size_t)l->n, NAN);
    int64_t *rows = piaa_alloc_array((size_t)l->n, sizeof *rows, error);
    double *y = piaa_alloc_array((size_t)l->n, sizeof *y, error);
    bool *done = piaa_alloc(l->tests, sizeof *done, error), ok = rows && y && done;
    for (size_t k = 0; ok && k < l->tests; k++) {
        const char *style = style_of(l, out[k].image);
        if (done[k] || !*style) continue;
        int64_t n = 0;
        for (int64_t i = 0; i < l->n; i++) {
            const char *other = style_of(l, l->images[i]);
            if (!*other || strcmp(style, other) == 0) continue;
            rows[n] = l->rows[i];
            y[n++] = l->scores[i];
        }
        piaa_ridge *model = NULL;
        ok = !n || (model = learn(l->source->x, rows, n, l->source->dim, y, 1, error));
        for (size_t i = k; ok && i < l->tests; i++) {
            if (strcmp(style_of(l, out[i].image), style) != 0) continue;
            done[i] = true;
            if (model && l->source->rows[out[i].image] >= 0)
                piaa_ridge_predict(model, vector_of(l, out[i].image), 1, &out[i].predicted);
        }
        piaa_ridge_free(model);
    }
    free(rows);
    free(y);
    free(done);
    return ok;
}

/* -------------------------------------------------------------------------------------- one job */

static bool learn_all(lesson *l, piaa_error *error) {
    const bool *asked = l->run->options->methods;
    const piaa_protocol_options *sizes = &l->run->protocol->options;
    const piaa_protocol_user *who = &l->run->protocol->users[l->user];
    const size_t *ratings = l->large ? who->large : who->small;
    size_t support = l->large ? sizes->large : sizes->small;
    const bool *extra = extras_of(l->run, l->user, l->large);
    l->n = 0;
    l->tests = 0;
    for (size_t i = 0; i < support; i++) {
        const piaa_data_rating *rating = &l->run->set->ratings[ratings[i]];
        if (l->source->rows[rating->image] < 0 || (l->run->options->groups && extra[i])) continue;
        l->rows[l->n] = l->source->rows[rating->image];
        l->images[l->n] = rating->image;
        l->scores[l->n++] = rating->score;
    }
    for (size_t i = 0; i < sizes->test; i++) l->test[l->tests++] = who->test[i];
    if ((asked[PIAA_LINEAR_HIDDEN] || asked[PIAA_GIAA_TARGET]) &&
        !learn_directly(l, asked[PIAA_LINEAR_HIDDEN], asked[PIAA_GIAA_TARGET], error))
        return false;
    return (!asked[PIAA_REDUCE] || learn_reduced(l, error)) &&
           (!asked[PIAA_STYLE_OUT] || learn_other_styles(l, error));
}

static bool learn_person(void *user, size_t job, piaa_error *error) {
    const personal_run *run = user;
    const piaa_protocol_options *sizes = &run->protocol->options;
    size_t most = sizes->large > sizes->small ? sizes->large : sizes->small;
    lesson l = {
        .run = run, .source_index = job / run->protocol->count, .user = job % run->protocol->count};
    l.source = &run->sources[l.source_index];
    bool ok = (l.rows = piaa_alloc_array(most, sizeof *l.rows, error)) &&
              (l.images = piaa_alloc_array(most, sizeof *l.images, error)) &&
              (l.scores = piaa_alloc_array(most, sizeof *l.scores, error)) &&
              (l.test = piaa_alloc_array(sizes->test, sizeof *l.test, error));
    for (int large = 0; ok && large < 2; large++) {
        if (!run->supports[large]) continue;
        l.large = large;
        ok = learn_all(&l, error);
    }
    free(l.rows);
    free(l.images);
    free(l.scores);
    free(l.test);
    return ok || piaa_error_prefix(error, "%s, user %s", l.source->name,
                                   run->set->users[run->protocol->users[l.user].user].id);
}

static bool finish_outcome(void *user, size_t i, piaa_error *error) {
    const personal_run *run = user;
    piaa_outcome *outcome = run->personal->outcomes[i];
    const piaa_protocol_options *sizes = &run->protocol->options;
    size_t support = run->personal->kinds[i].large ? sizes->large : sizes->small;
    for (size_t u = 0; u < outcome->user_count; u++) {
        const bool *extra = extras_of(run, u, run->personal->kinds[i].large);
        outcome->support_left_out += support - outcome->users[u].support;
        for (size_t k = 0; run->options->groups && k < support; k++)
            outcome->support_left_out -= extra[k];
    }
    return piaa_outcome_finish(outcome, run->options->draws, run->options->seed, error);
}

/* ------------------------------------------------------------------------------------- together */

static bool check(personal_run *run, piaa_error *error) {
    const piaa_personal_options *o = run->options;
    bool any = false;
    for (int m = 0; m < PIAA_METHODS; m++) any = any || o->methods[m];
    if (!any || !run->source_count)
        return piaa_error_set(error, PIAA_USAGE, "no method, or no pool and layer, to run");
    for (size_t s = 0; o->methods[PIAA_REDUCE] && s < run->source_count; s++) {
        const piaa_projection *projection = o->projections ? o->projections[s] : NULL;
        const piaa_source *source = &run->sources[s];
        if (!projection)
            return piaa_error_set(error, PIAA_USAGE, "reduce needs an attribute projection for %s",
                                  source->name);
        if (source->parts != 1 || projection->slot.pool != source->slots[0].pool ||
            projection->slot.layer != source->slots[0].layer || projection->slot.dim != source->dim)
            return piaa_error_set(
                error, PIAA_MISMATCH,
                "the attribute projection of pool %s at layer %d does not read %s",
                piaa_pool_name(projection->slot.pool), projection->slot.layer, source->name);
    }
    const char *label = o->label ? o->label : "style";
    if (!o->methods[PIAA_STYLE_OUT] || piaa_dataset_label(run->set, label, &run->label))
        return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%.300s has no label \"%s\": style-out needs a data set with styles",
                          run->set->folder, label);
}

static bool place(personal_run *run, piaa_error *error) {
    piaa_personal *p = run->personal;
    size_t most = 2 * PIAA_METHODS * run->source_count, users = run->protocol->count;
    if (!(run->places = piaa_alloc(most, sizeof *run->places, error)) ||
        !(p->outcomes = piaa_alloc(most, sizeof *p->outcomes, error)) ||
        !(p->kinds = piaa_alloc(most, sizeof *p->kinds, error)))
        return false;
    for (size_t i = 0; i < most; i++) {
        size_t s = i % run->source_count, m = i / run->source_count % PIAA_METHODS;
        bool large = i / run->source_count >= PIAA_METHODS;
        if (!run->supports[large] || !run->options->methods[m]) continue;
        char *method = piaa_format(error, "%s_%s", methods[m].published, run->sources[s].published);
        piaa_outcome *outcome =
            method ? piaa_outcome_new(method, run->options->model ? run->options->model : "",
                                      large ? "large" : "small", users, run->protocol->options.test,
                                      error)
                   : NULL;
        free(method);
        if (!outcome) return false;
        for (size_t u = 0; u < users; u++) outcome->users[u].user = run->protocol->users[u].user;
        run->places[i] = p->count;
        p->kinds[p->count].method = (piaa_method)m;
        p->kinds[p->count].source = s;
        p->kinds[p->count].large = large;
        p->outcomes[p->count++] = outcome;
    }
    return true;
}

piaa_personal *piaa_personal_run(const piaa_dataset *set, const piaa_protocol *protocol,
                                 const piaa_source *sources, size_t source_count,
                                 const piaa_personal_options *options, const piaa_hooks *hooks,
                                 piaa_error *error) {
    if (!set || !protocol || !sources || !options) {
        piaa_error_missing(error, !set        ? "data set"
                                  : !protocol ? "protocol"
                                  : !sources  ? "pools and layers"
                                              : "options");
        return NULL;
    }
    personal_run run = {.set = set,
                        .protocol = protocol,
                        .sources = sources,
                        .source_count = source_count,
                        .options = options};
    run.supports[0] = options->small;
    run.supports[1] = options->large || !options->small;
    bool ok = check(&run, error) && (run.personal = piaa_alloc(1, sizeof *run.personal, error)) &&
              place(&run, error) &&
              piaa_copies_find(set, protocol, &sources[0], run.supports[0], run.supports[1],
                               piaa_blas_callers(options->threads), hooks, &run.personal->copies,
                               error) &&
              piaa_parallel_run(source_count * protocol->count, piaa_blas_callers(options->threads),
                                learn_person, &run, "learning tastes", hooks, error) &&
              piaa_parallel_run(run.personal->count, options->threads, finish_outcome, &run,
                                "measuring", hooks, error);
    free(run.places);
    if (ok) return run.personal;
    piaa_personal_free(run.personal);
    return NULL;
}

void piaa_personal_free(piaa_personal *personal) {
    if (!personal) return;
    for (size_t i = 0; personal->outcomes && i < personal->count; i++)
        piaa_outcome_free(personal->outcomes[i]);
    free(personal->outcomes);
    free(personal->kinds);
    piaa_copies_free(&personal->copies);
    free(personal);
}
