/* Every person's lessons, on several threads.  Results have their place before the first job
 * begins, so that they do not depend on which thread was faster. */
#include "study/personal.h"

#include "base/blas.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "study/next.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A run in hand. */
typedef struct personal_run {
    const piaa_dataset *set;
    const piaa_protocol *protocol;
    const piaa_source *sources;
    size_t source_count;
    const piaa_personal_options *options;
    const piaa_hooks *hooks;
    bool supports[2]; /* small, large */
    size_t label;     /* of the data set, for methods that need one */
    bool *trained;    /* [2] by small and large: everybody's adapter */
    piaa_personal *personal;
} personal_run;

/* The images of one person and support, in memory of one job. */
typedef struct split {
    size_t *images; /* [n] support */
    double *scores; /* [n] */
    int64_t *rows;  /* [n] of the source */
    size_t *test;   /* [tests] images */
    double *truth;  /* [tests] the person's own scores */
    double *predicted;
    int64_t n;
    size_t tests;
} split;

static bool needs(const piaa_method *method, piaa_needs what) {
    return (method->needs & (unsigned)what) != 0;
}

static bool any_needs(const personal_run *run, piaa_needs what) {
    for (const piaa_method *const *m = run->options->methods; *m; m++)
        if (needs(*m, what)) return true;
    return false;
}

/* Which ratings of a person's support are near copies. */
static const bool *extras_of(const personal_run *run, size_t user, bool large) {
    const piaa_protocol_options *sizes = &run->protocol->options;
    return run->personal->copies.extra + user * (sizes->small + sizes->large) +
           (large ? sizes->small : 0);
}

/* ------------------------------------------------------------------------------------ one lesson
 */

static bool make_split(split *s, const piaa_protocol_options *sizes, piaa_error *error) {
    const size_t most = sizes->small + sizes->large;
    return (s->images = piaa_alloc_array(most, sizeof *s->images, error)) &&
           (s->scores = piaa_alloc_array(most, sizeof *s->scores, error)) &&
           (s->rows = piaa_alloc_array(most, sizeof *s->rows, error)) &&
           (s->test = piaa_alloc_array(sizes->test, sizeof *s->test, error)) &&
           (s->truth = piaa_alloc_array(sizes->test, sizeof *s->truth, error)) &&
           (s->predicted = piaa_alloc_array(sizes->test, sizeof *s->predicted, error));
}

static void free_split(split *s) {
    free(s->images);
    free(s->scores);
    free(s->rows);
    free(s->test);
    free(s->truth);
    free(s->predicted);
}

/* One support more.  source NULL: images need no vector, but the file. */
static void add_support(split *s, const personal_run *run, const piaa_source *source, size_t person,
                        bool large) {
    const piaa_protocol_options *sizes = &run->protocol->options;
    const piaa_protocol_user *who = &run->protocol->users[person];
    const size_t *ratings = large ? who->large : who->small;
    const bool *extra = extras_of(run, person, large);
    for (size_t i = 0; i < (large ? sizes->large : sizes->small); i++) {
        const piaa_data_rating *rating = &run->set->ratings[ratings[i]];
        const int64_t row = source ? source->rows[rating->image] : 0;
        const bool there = source ? row >= 0 : !run->set->images[rating->image].missing;
        if (!there || (run->options->groups && extra[i])) continue;
        s->rows[s->n] = row;
        s->images[s->n] = rating->image;
        s->scores[s->n++] = rating->score;
    }
}

static void fill_test(split *s, const personal_run *run, size_t person) {
    const piaa_protocol_user *who = &run->protocol->users[person];
    s->tests = run->protocol->options.test;
    for (size_t k = 0; k < s->tests; k++) {
        s->test[k] = run->set->ratings[who->test[k]].image;
        s->truth[k] = run->set->ratings[who->test[k]].score;
    }
}

/* By the method, or as the journal of an earlier run has it. */
static bool predict(const personal_run *run, const piaa_method *method, piaa_lesson *lesson,
                    piaa_predictions *out, double *seconds, piaa_error *error) {
    piaa_journal *journal = needs(method, PIAA_NEEDS_MODEL) ? run->options->journal : NULL;
    char key[PIAA_JOURNAL_KEY];
    if (journal) piaa_journal_key(journal, method, lesson, key);
    if (journal && piaa_journal_find(journal, key, lesson->tests, out, seconds)) return true;
    const double began = piaa_seconds_now();
    if (!method->learn(lesson, out, error)) return false;
    *seconds = piaa_seconds_now() - began;
    return !journal || piaa_journal_add(journal, key, lesson->tests, out, *seconds, error);
}

/* One repeat, whose rows come behind those of the repeats before. */
static bool learn_once(const personal_run *run, const piaa_method *method, piaa_lesson *lesson,
                       split *s, piaa_outcome *outcome, size_t person, piaa_error *error) {
    piaa_predictions out = {.scores = s->predicted, .support = (size_t)s->n, .alpha = NAN};
    for (size_t k = 0; k < s->tests; k++) out.scores[k] = NAN;
    piaa_outcome_user *user = &outcome->users[person];
    double seconds = 0;
    if (!predict(run, method, lesson, &out, &seconds, error)) return false;
    user->support = out.support;
    user->alpha = out.alpha;
    user->answers = out.answers;
    user->bytes = out.bytes;
    user->seconds += seconds;
    piaa_outcome_row *rows = outcome->rows + user->first + user->count;
    const bool general = needs(method, PIAA_NEEDS_RAW_TEXT);
    for (size_t k = 0; k < s->tests; k++)
        rows[k] =
            (piaa_outcome_row){s->test[k], out.scores[k], s->truth[k],
                               general ? lesson->raw->scores[s->test[k]] : NAN, lesson->repeat};
    user->count += s->tests;
    return true;
}

static bool learn(const personal_run *run, const piaa_method *method, piaa_lesson *lesson, split *s,
                  piaa_outcome *outcome, size_t person, piaa_error *error) {
    for (lesson->repeat = 0; lesson->repeat < outcome->repeats; lesson->repeat++)
        if (!learn_once(run, method, lesson, s, outcome, person, error)) return false;
    return true;
}

/* --------------------------------------------------------------------------------------- one job
 */

/* What other people's ratings say of this person's. */
static void take_prior(const personal_run *run, size_t person, size_t source, const split *s,
                       piaa_lesson *lesson) {
    const piaa_personal_options *o = run->options;
    lesson->prior_unit = 1;
    if (o->folds) lesson->prior = piaa_prior_folds_of(o->folds, source, person);
    if (!o->prior || o->folds) return;
    lesson->prior = o->prior->people;
    if (!piaa_prior_covers(o->prior, run->set->scale_low, run->set->scale_high))
        lesson->prior_unit = piaa_prior_unit(o->prior, s->scores, s->n);
}

/* What there is to learn with; give_support comes before the first method. */
static piaa_lesson begin_lesson(const personal_run *run, size_t person, size_t source, bool model,
                                bool large, const split *s) {
    const piaa_personal_options *o = run->options;
    const bool some = source != PIAA_NO_SOURCE;
    piaa_lesson lesson = {.set = run->set,
                          .user = run->protocol->users[person].user,
                          .person = person,
                          .ici = o->ici,
                          .large = large,
                          .label = run->label,
                          .seed = o->seed,
                          .hooks = model ? run->hooks : NULL,
                          .reader = model ? o->reader : NULL,
                          .dialogue = model ? o->dialogue : NULL,
                          .protocol = run->protocol,
                          .folder = o->folder,
                          .trained = &run->trained[large],
                          .raw = o->raw,
                          .thoughts = o->thoughts,
                          .images = s->images,
                          .scores = s->scores,
                          .rows = some ? s->rows : NULL,
                          .test = s->test,
                          .tests = s->tests};
    if (some) lesson.source = &run->sources[source];
    if (some && o->projections) lesson.projection = o->projections[source];
    return lesson;
}

/* The split's support as it is now, and what others' ratings say of this person's. */
static void give_support(const personal_run *run, size_t person, size_t source, const split *s,
                         piaa_lesson *lesson) {
    if (source != PIAA_NO_SOURCE) take_prior(run, person, source, s, lesson);
    lesson->n = s->n;
}

/* Every method that wants these: those that need the model, or the others. */
static bool learn_supports(const personal_run *run, size_t person, size_t source, bool model,
                           split *s, piaa_error *error) {
    const piaa_personal *personal = run->personal;
    for (int large = 0; large < 2; large++) {
        if (!run->supports[large]) continue;
        piaa_lesson lesson = begin_lesson(run, person, source, model, large, s);
        s->n = 0;
        add_support(s, run, lesson.source, person, large);
        give_support(run, person, source, s, &lesson);
        bool ok = true;
        for (size_t i = 0; ok && i < personal->count; i++) {
            const piaa_personal_kind *kind = &personal->kinds[i];
            if (kind->large == large && kind->source == source &&
                needs(kind->method, PIAA_NEEDS_MODEL) == model)
                ok = learn(run, kind->method, &lesson, s, personal->outcomes[i], person, error);
        }
        piaa_ridge_design_free(lesson.design);
        if (!ok) return false;
    }
    return true;
}

/* From the first `size` ratings of an order. */
static bool learn_first(const personal_run *run, size_t person, size_t source,
                        piaa_strategy strategy, size_t size, split *s, piaa_error *error) {
    const piaa_personal *personal = run->personal;
    const int64_t all = s->n;
    piaa_lesson lesson = begin_lesson(run, person, source, false, true, s);
    if ((int64_t)size < all) s->n = (int64_t)size;
    give_support(run, person, source, s, &lesson);
    bool ok = true;
    for (size_t i = 0; ok && i < personal->count; i++) {
        const piaa_personal_kind *kind = &personal->kinds[i];
        if (kind->strategy == strategy && kind->size == size && kind->source == source)
            ok = learn(run, kind->method, &lesson, s, personal->outcomes[i], person, error);
    }
    piaa_ridge_design_free(lesson.design);
    s->n = all;
    return ok;
}

/* Puts the support `from` in this order into `to`. */
static void reorder(split *to, const split *from, const size_t *order) {
    for (int64_t k = 0; k < from->n; k++) {
        to->images[k] = from->images[order[k]];
        to->scores[k] = from->scores[order[k]];
        to->rows[k] = from->rows[order[k]];
    }
    to->n = from->n;
}

/* Both supports together, in the order of each strategy. */
static bool learn_curve(const personal_run *run, size_t person, size_t source, split *pool,
                        split *s, size_t *order, piaa_error *error) {
    const piaa_learning_curve *curve = &run->options->curve;
    const piaa_source *from = &run->sources[source];
    pool->n = 0;
    for (int large = 0; large < 2; large++) add_support(pool, run, from, person, large);
    for (size_t k = 0; k < curve->strategy_count; k++) {
        const piaa_choosing choosing = {.strategy = curve->strategies[k],
                                        .random_share = curve->random_share,
                                        .seed = run->options->seed};
        if (!piaa_next_order(from->x, pool->rows, pool->scores, pool->n, from->dim, &choosing,
                             curve->sizes, curve->size_count, order, error))
            return false;
        reorder(s, pool, order);
        for (size_t i = 0; i < curve->size_count; i++)
            if (!learn_first(run, person, source, curve->strategies[k], curve->sizes[i], s, error))
                return false;
    }
    return true;
}

/* One person and source (PIAA_NO_SOURCE: none). */
static bool learn_with(const personal_run *run, size_t person, size_t source, bool model, split *s,
                       piaa_error *error) {
    const piaa_protocol_options *sizes = &run->protocol->options;
    fill_test(s, run, person);
    if (!run->options->curve.size_count)
        return learn_supports(run, person, source, model, s, error);
    split pool = {0};
    size_t *order = piaa_alloc_array(sizes->small + sizes->large, sizeof *order, error);
    const bool ok = order && make_split(&pool, sizes, error) &&
                    learn_curve(run, person, source, &pool, s, order, error);
    free_split(&pool);
    free(order);
    return ok;
}

static bool learn_person(const personal_run *run, size_t person, size_t source, bool model,
                         piaa_error *error) {
    split s = {0};
    const bool ok = make_split(&s, &run->protocol->options, error) &&
                    learn_with(run, person, source, model, &s, error);
    free_split(&s);
    const char *id = run->set->users[run->protocol->users[person].user].id;
    if (ok) return true;
    return source == PIAA_NO_SOURCE
               ? piaa_error_prefix(error, "user %s", id)
               : piaa_error_prefix(error, "%s, user %s", run->sources[source].name, id);
}

/* Methods that read no features have a turn of their own, after the sources'. */
static size_t source_of(const personal_run *run, size_t job) {
    const size_t source = job / run->protocol->count;
    return source < run->source_count ? source : PIAA_NO_SOURCE;
}

static size_t count_jobs(const personal_run *run, bool model) {
    bool alone = false;
    for (const piaa_method *const *m = run->options->methods; *m; m++)
        alone = alone || (needs(*m, PIAA_NEEDS_MODEL) == model && !needs(*m, PIAA_NEEDS_FEATURES));
    return (run->source_count + alone) * run->protocol->count;
}

static bool learn_without_model(void *user, size_t job, piaa_error *error) {
    const personal_run *run = user;
    return learn_person(run, job % run->protocol->count, source_of(run, job), false, error);
}

static bool learn_from_model(void *user, size_t job, piaa_error *error) {
    const personal_run *run = user;
    return learn_person(run, job % run->protocol->count, source_of(run, job), true, error);
}

static bool finish_outcome(void *user, size_t i, piaa_error *error) {
    const personal_run *run = user;
    piaa_outcome *outcome = run->personal->outcomes[i];
    const piaa_protocol_options *sizes = &run->protocol->options;
    const piaa_personal_kind *kind = &run->personal->kinds[i];
    size_t support = kind->size ? kind->size : kind->large ? sizes->large : sizes->small;
    for (size_t u = 0; u < outcome->user_count; u++) {
        const bool *extra = extras_of(run, u, kind->large);
        outcome->support_left_out += support - outcome->users[u].support;
        for (size_t k = 0; run->options->groups && !kind->size && k < support; k++)
            outcome->support_left_out -= extra[k];
    }
    return piaa_outcome_finish(outcome, run->options->draws, run->options->seed, error);
}

/* ------------------------------------------------------------------------------------- together */

static bool check_projections(const personal_run *run, piaa_error *error) {
    const piaa_personal_options *o = run->options;
    for (size_t s = 0; s < run->source_count; s++) {
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
    return true;
}

bool piaa_personal_check_curve(const piaa_personal_options *options,
                               const piaa_protocol_options *sizes, piaa_error *error) {
    const piaa_learning_curve *curve = &options->curve;
    if (!curve->size_count) return true;
    if (curve->sizes[curve->size_count - 1] > sizes->small + sizes->large)
        return piaa_error_set(error, PIAA_USAGE,
                              "a learning curve is of at most %zu ratings a person here, not of "
                              "%zu",
                              sizes->small + sizes->large, curve->sizes[curve->size_count - 1]);
    for (const piaa_method *const *m = options->methods; *m; m++)
        if (!needs(*m, PIAA_NEEDS_FEATURES) || needs(*m, PIAA_NEEDS_MODEL) ||
            needs(*m, PIAA_NEEDS_RAW_TEXT) || needs(*m, PIAA_NEEDS_PRIOR))
            return piaa_error_set(error, PIAA_USAGE,
                                  "photos are chosen by their features, and %s does not learn from "
                                  "these alone: a learning curve is of other methods",
                                  (*m)->name);
    return true;
}

static bool check(personal_run *run, piaa_error *error) {
    const piaa_personal_options *o = run->options;
    if (!o->methods || !*o->methods || (any_needs(run, PIAA_NEEDS_FEATURES) && !run->source_count))
        return piaa_error_set(error, PIAA_USAGE, "no method, or no pool and layer, to run");
    if (!piaa_personal_check_curve(o, &run->protocol->options, error)) return false;
    if (any_needs(run, PIAA_NEEDS_MODEL) && (!o->reader || !o->dialogue || !o->folder))
        return piaa_error_missing(error, "model");
    if (any_needs(run, PIAA_NEEDS_OTHERS) && !o->folds && !o->prior)
        return piaa_error_missing(error, "prior");
    if ((any_needs(run, PIAA_NEEDS_RAW_TEXT) && !o->raw) ||
        (any_needs(run, PIAA_NEEDS_THOUGHTS) && !o->thoughts))
        return piaa_error_missing(error, "raw text");
    if (any_needs(run, PIAA_NEEDS_PRIOR) && !o->ici)
        return piaa_error_missing(error, "prior of PIAA-ICI");
    if (any_needs(run, PIAA_NEEDS_PROJECTION) && !check_projections(run, error)) return false;
    const char *label = o->label ? o->label : "style";
    if (!any_needs(run, PIAA_NEEDS_LABEL) || piaa_dataset_label(run->set, label, &run->label))
        return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%.300s has no label \"%s\": style-out needs a data set with styles",
                          run->set->folder, label);
}

/* As the published CSV has it. */
static char *name_outcome(const personal_run *run, const piaa_method *method, size_t source,
                          bool large, piaa_error *error) {
    if (method->title) return method->title(run->options->ici, large, error);
    const bool some = source != PIAA_NO_SOURCE;
    const char *support = !method->says_support ? "" : large ? "_large" : "_small";
    return piaa_format(error, "%s%s%s%s", method->published, some ? "_" : "",
                       some ? run->sources[source].published : "", support);
}

/* kind.size 0: of a support. */
static bool place_outcome(personal_run *run, piaa_personal_kind kind, piaa_error *error) {
    piaa_personal *p = run->personal;
    const size_t users = run->protocol->count;
    const piaa_personal_options *o = run->options;
    const size_t repeats = needs(kind.method, PIAA_NEEDS_PRIOR) ? piaa_ici_repeats(o->ici) : 1;
    char *name = name_outcome(run, kind.method, kind.source, kind.large, error),
         *support =
             kind.size ? piaa_format(error, "%s-%zu", piaa_strategy_names[kind.strategy], kind.size)
                       : piaa_strdup(kind.large ? "large" : "small", error);
    piaa_outcome *outcome = name && support
                                ? piaa_outcome_new(name, o->model ? o->model : "", support, users,
                                                   run->protocol->options.test, repeats, error)
                                : NULL;
    free(name);
    free(support);
    if (!outcome) return false;
    for (size_t u = 0; u < users; u++) outcome->users[u].user = run->protocol->users[u].user;
    p->kinds[p->count] = kind;
    p->outcomes[p->count++] = outcome;
    return true;
}

/* Every method and source of one support. */
static bool place_methods(personal_run *run, piaa_personal_kind kind, piaa_error *error) {
    for (const piaa_method *const *m = run->options->methods; *m; m++) {
        const bool features = needs(*m, PIAA_NEEDS_FEATURES);
        kind.method = *m;
        for (size_t s = 0; s < (features ? run->source_count : 1); s++) {
            kind.source = features ? s : PIAA_NO_SOURCE;
            if (!place_outcome(run, kind, error)) return false;
        }
    }
    return true;
}

static bool place(personal_run *run, piaa_error *error) {
    piaa_personal *p = run->personal;
    const piaa_learning_curve *curve = &run->options->curve;
    size_t methods = 0, points = curve->strategy_count * curve->size_count;
    while (run->options->methods[methods]) methods++;
    const size_t most = (points > 2 ? points : 2) * methods * (run->source_count + 1);
    if (!(p->outcomes = piaa_alloc(most, sizeof *p->outcomes, error)) ||
        !(p->kinds = piaa_alloc(most, sizeof *p->kinds, error)))
        return false;
    for (int large = 0; !points && large < 2; large++)
        if (run->supports[large] &&
            !place_methods(run, (piaa_personal_kind){.large = large}, error))
            return false;
    for (size_t k = 0; k < points; k++) {
        const piaa_personal_kind kind = {.large = true,
                                         .size = curve->sizes[k % curve->size_count],
                                         .strategy = curve->strategies[k / curve->size_count]};
        if (!place_methods(run, kind, error)) return false;
    }
    return true;
}

/* Near copies, by the features of the first source. */
static bool find_copies(personal_run *run, piaa_error *error) {
    const piaa_protocol_options *sizes = &run->protocol->options;
    piaa_copies *copies = &run->personal->copies;
    if (!run->source_count)
        return (copies->extra = piaa_alloc(run->protocol->count * (sizes->small + sizes->large),
                                           sizeof *copies->extra, error));
    return piaa_copies_find(run->set, run->protocol, &run->sources[0], run->supports[0],
                            run->supports[1], piaa_blas_callers(run->options->threads), run->hooks,
                            copies, error);
}

static bool run_all(personal_run *run, piaa_error *error) {
    const piaa_hooks *hooks = run->hooks;
    if (!check(run, error) || !(run->personal = piaa_alloc(1, sizeof *run->personal, error)) ||
        !place(run, error) || !find_copies(run, error))
        return false;
    if (!piaa_parallel_run(count_jobs(run, false), piaa_blas_callers(run->options->threads),
                           learn_without_model, run, "learning tastes", hooks, error))
        return false;
    if (any_needs(run, PIAA_NEEDS_MODEL) &&
        !piaa_parallel_run(count_jobs(run, true), 1, learn_from_model, run, "asking the model",
                           hooks, error))
        return false;
    return piaa_parallel_run(run->personal->count, run->options->threads, finish_outcome, run,
                             "measuring", hooks, error);
}

piaa_personal *piaa_personal_run(const piaa_dataset *set, const piaa_protocol *protocol,
                                 const piaa_source *sources, size_t source_count,
                                 const piaa_personal_options *options, const piaa_hooks *hooks,
                                 piaa_error *error) {
    if (!set || !protocol || (source_count && !sources) || !options) {
        piaa_error_missing(error, !set        ? "data set"
                                  : !protocol ? "protocol"
                                  : !options  ? "options"
                                              : "pools and layers");
        return NULL;
    }
    bool trained[2] = {false};
    personal_run run = {.set = set,
                        .trained = trained,
                        .protocol = protocol,
                        .sources = sources,
                        .source_count = source_count,
                        .options = options,
                        .hooks = hooks,
                        .supports = {options->small || options->curve.size_count,
                                     options->large || !options->small}};
    if (run_all(&run, error)) return run.personal;
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
