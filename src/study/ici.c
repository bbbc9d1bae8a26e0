/* Phase 3: from a prior to one person. */
#include "study/ici.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "study/method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As published. */
#define PUBLISHED_RATE 1e-5
enum { PUBLISHED_STEPS = 50 };

/* What ici+ chooses from, by ratings left out: rates, and numbers of steps that are multiples of
   these, from none on. */
static const double rates[] = {1e-5, 1e-4, 1e-3};
enum { STEPS_APART = 10, CHOICES = PUBLISHED_STEPS / STEPS_APART + 1, FOLDS = 3 };

/* Seeds of the phases are apart, so that no two draw the same. */
enum { PHASE3_SEED = 2000 };

/* ------------------------------------------------------------------------------------- checking */

static int compare_words(const void *key, const void *item) {
    return strcmp(key, *(const char *const *)item);
}

static bool holds(const piaa_paths *sorted, const char *word) {
    return sorted->count && bsearch(word, sorted->items, sorted->count, sizeof *sorted->items,
                                    compare_words) != NULL;
}

/* " --seed 42 --first 10", as it was trained. */
static void say_how(const piaa_ici_model *model, char out[80]) {
    const int n = snprintf(out, 80, "--seed %lld", (long long)model->protocol_seed);
    if (model->eval_people)
        snprintf(out + n, 80 - (size_t)n, " --first %lld", (long long)model->eval_people);
}

static bool check_people(const piaa_ici_model *model, const piaa_dataset *set,
                         const piaa_protocol *protocol, piaa_error *error) {
    const char *first = NULL;
    size_t count = 0;
    for (size_t u = 0; u < protocol->count; u++) {
        const char *id = set->users[protocol->users[u].user].id;
        if (!holds(&model->people, id)) continue;
        if (!first) first = id;
        count++;
    }
    if (!first) return true;
    char how[80];
    say_how(model, how);
    return piaa_error_set(
        error, PIAA_MISMATCH,
        "%.300s was trained on %zu of the %zu people who are evaluated (%.80s%s): "
        "evaluate those whom it has not seen, %s",
        model->folder, count, protocol->count, first, count > 1 ? " …" : "", how);
}

static bool check_photos(const piaa_ici_model *model, const piaa_dataset *set,
                         const piaa_protocol *protocol, piaa_error *error) {
    const piaa_protocol_options *o = &protocol->options;
    for (size_t u = 0; !model->shared_photos && u < protocol->count; u++) {
        const piaa_protocol_user *user = &protocol->users[u];
        for (size_t k = 0; k < o->small + o->large + o->test && k < user->published; k++) {
            const char *name = set->images[set->ratings[user->small[k]].image].name;
            if (!holds(&model->images, name)) continue;
            char how[80];
            say_how(model, how);
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "%.300s was trained on the photo %.200s, which %.80s is given: "
                                  "evaluate as it was trained, %s and with no larger supports",
                                  model->folder, name, set->users[user->user].id, how);
        }
    }
    return true;
}

bool piaa_ici_check(const piaa_ici_model *model, const piaa_dataset *set,
                    const piaa_protocol *protocol, piaa_error *error) {
    if (set->scale_low != model->scale_low || set->scale_high != model->scale_high)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.300s was trained on scores from %g to %g, and those of %.300s go "
                              "from %g to %g: bring them to the same scale",
                              model->folder, model->scale_low, model->scale_high, set->where,
                              set->scale_low, set->scale_high);
    return strcmp(set->kind, model->kind) != 0 ||
           (check_people(model, set, protocol, error) && check_photos(model, set, protocol, error));
}

/* -------------------------------------------------------------------------------------- people */

typedef struct named {
    const char *name;
    size_t person;
} named;

static int by_name(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

/* users [people] of the data set, in the order of their names. */
static bool sort_people(piaa_ici *ici, const piaa_dataset *set, const piaa_protocol *protocol,
                        size_t *users, piaa_error *error) {
    named *list = piaa_alloc(ici->people, sizeof *list, error);
    if (!list) return false;
    for (size_t u = 0; u < ici->people; u++)
        list[u] = (named){set->users[protocol->users[u].user].id, u};
    qsort(list, ici->people, sizeof *list, by_name);
    for (size_t i = 0; i < ici->people; i++) {
        ici->places[list[i].person] = i;
        users[i] = protocol->users[list[i].person].user;
    }
    free(list);
    return true;
}

static bool read_traits(piaa_ici *ici, const piaa_dataset *set, const size_t *users,
                        const piaa_hooks *hooks, piaa_error *error) {
    if (strcmp(set->kind, "para") != 0) return true;
    piaa_traits *traits = piaa_traits_read(set, hooks, error);
    if (!traits) return false;
    ici->categories = piaa_alloc(ici->people * PIAA_TRAIT_WORDS, sizeof(int), error);
    ici->numbers = piaa_alloc(ici->people * PIAA_TRAIT_NUMBERS, sizeof(float), error);
    const bool ok = ici->categories && ici->numbers;
    if (ok)
        piaa_traits_encode(traits, &ici->model->vocabulary, users, ici->people, ici->categories,
                           ici->numbers, hooks, &ici->loss);
    piaa_traits_free(traits);
    return ok;
}

static bool make(piaa_ici *ici, const piaa_dataset *set, const piaa_protocol *protocol,
                 const piaa_hooks *hooks, piaa_error *error) {
    size_t *users = piaa_alloc(ici->people, sizeof *users, error);
    const bool ok = users && sort_people(ici, set, protocol, users, error) &&
                    read_traits(ici, set, users, hooks, error);
    free(users);
    return ok;
}

piaa_ici *piaa_ici_new(const piaa_ici_model *model, piaa_graph_scope scope, const piaa_dataset *set,
                       const piaa_protocol *protocol, const piaa_hooks *hooks, piaa_error *error) {
    piaa_ici *ici = piaa_alloc(1, sizeof *ici, error);
    if (!ici) return NULL;
    ici->model = model;
    ici->scope = scope;
    ici->people = protocol->count;
    if ((ici->places = piaa_alloc(ici->people, sizeof *ici->places, error)) &&
        (ici->hats = piaa_alloc(model->count, sizeof *ici->hats, error)) &&
        make(ici, set, protocol, hooks, error))
        return ici;
    piaa_ici_free(ici);
    return NULL;
}

void piaa_ici_free(piaa_ici *ici) {
    if (!ici) return;
    for (size_t i = 0; ici->hats && i < ici->model->count; i++) piaa_ici_hats_free(&ici->hats[i]);
    free(ici->hats);
    free(ici->places);
    free(ici->categories);
    free(ici->numbers);
    free(ici);
}

size_t piaa_ici_repeats(const piaa_ici *ici) {
    return ici->model->count;
}

const char *piaa_ici_scope_name(piaa_graph_scope scope) {
    return scope == PIAA_TUNE_ALL         ? "all"
           : scope == PIAA_TUNE_USER_ONLY ? "user-only"
                                          : "user-plus-head";
}

/* -------------------------------------------------------------------------------------- a lesson
 */

/* What a lesson works with: it owns the graphs and the lists. */
typedef struct tuning {
    const piaa_ici *ici;
    const piaa_ici_prior *prior;
    const piaa_ici_hats *hats;
    bool full;
    piaa_graph *base, *graph; /* the prior with the people's own embeddings; a copy that is tuned */
    /* Photos with their hats: the support, or a part of it, or what is predicted. */
    int64_t *photo, *user; /* [most] */
    float *scores;         /* [most] */
    double *predicted;     /* [most] */
    size_t most;
} tuning;

static void tuning_free(tuning *t) {
    piaa_graph_free(t->base);
    piaa_graph_free(t->graph);
    free(t->photo);
    free(t->user);
    free(t->scores);
    free(t->predicted);
}

static bool tuning_begin(tuning *t, const piaa_lesson *l, bool reduced, piaa_error *error) {
    const piaa_ici *ici = l->ici;
    *t = (tuning){.ici = ici,
                  .prior = &ici->model->priors[l->repeat],
                  .hats = &ici->hats[l->repeat],
                  .full = !reduced && ici->categories,
                  .most = (size_t)l->n > l->tests ? (size_t)l->n : l->tests};
    const piaa_graph *prior = t->full ? t->prior->full : t->prior->reduced;
    const uint32_t seed = (uint32_t)t->prior->seed + PHASE3_SEED;
    if (!(t->base = piaa_graph_for_people(prior, (int)ici->people, seed, error)) ||
        !(t->graph = piaa_graph_for_people(prior, (int)ici->people, seed, error)) ||
        !(t->photo = piaa_alloc(t->most, sizeof *t->photo, error)) ||
        !(t->user = piaa_alloc(t->most, sizeof *t->user, error)) ||
        !(t->scores = piaa_alloc(t->most, sizeof *t->scores, error)) ||
        !(t->predicted = piaa_alloc(t->most, sizeof *t->predicted, error)))
        return false;
    for (size_t i = 0; i < t->most; i++) t->user[i] = (int64_t)ici->places[l->person];
    return true;
}

static piaa_graph_rows rows_of(const tuning *t, size_t count) {
    return (piaa_graph_rows){.count = (int64_t)count,
                             .attributes = t->hats->attributes,
                             .bins = t->hats->bins,
                             .photo = t->photo,
                             .user = t->user,
                             .categories = t->full ? t->ici->categories : NULL,
                             .numbers = t->full ? t->ici->numbers : NULL,
                             .scores = t->scores};
}

/* Which ratings of the support: those of all folds but one, of that one alone, or all (-1). */
static size_t choose_rows(tuning *t, const piaa_lesson *l, int fold, bool left_out) {
    size_t count = 0, seen = 0;
    for (int64_t i = 0; i < l->n; i++) {
        if (!t->hats->known[l->images[i]]) continue;
        const bool own = (int)(seen++ % FOLDS) == fold;
        if (fold >= 0 && own != left_out) continue;
        t->photo[count] = (int64_t)l->images[i];
        t->scores[count++] = (float)l->scores[i];
    }
    return count;
}

/* Another training, from the prior on. */
static piaa_graph_training *begin_again(tuning *t, piaa_error *error) {
    if (piaa_graph_assign(t->graph, t->base))
        return piaa_graph_training_new(t->graph, t->ici->scope, 1, error);
    piaa_error_set(error, PIAA_MISMATCH, "the prior is not what the person's graph is made of");
    return NULL;
}

/* ---------------------------------------------------------------------------------------- choice
 */

typedef struct way {
    double rate;
    int steps;
} way;

static bool add_losses(tuning *t, const piaa_lesson *l, int fold, double *loss, piaa_error *error) {
    const size_t count = choose_rows(t, l, fold, true);
    const piaa_graph_rows rows = rows_of(t, count);
    if (!piaa_graph_predict(t->graph, &rows, 1, t->predicted, error)) return false;
    for (size_t i = 0; i < count; i++) {
        const double off = t->predicted[i] - (double)t->scores[i];
        *loss += off * off;
    }
    return true;
}

static bool follow(tuning *t, const piaa_lesson *l, int fold, double rate,
                   piaa_graph_training *training, double losses[CHOICES], piaa_error *error) {
    for (int choice = 0; choice < CHOICES; choice++) {
        if (!add_losses(t, l, fold, &losses[choice], error)) return false;
        const size_t count = choose_rows(t, l, fold, false);
        const piaa_graph_rows rows = rows_of(t, count);
        for (int step = 0; choice + 1 < CHOICES && step < STEPS_APART; step++)
            if (!piaa_graph_training_step(training, &rows, rate, NULL, error)) return false;
    }
    return true;
}

static bool try_fold(tuning *t, const piaa_lesson *l, int fold, double rate, double losses[CHOICES],
                     piaa_error *error) {
    piaa_graph_training *training = begin_again(t, error);
    const bool ok = training && follow(t, l, fold, rate, training, losses, error);
    piaa_graph_training_free(training);
    return ok;
}

/* The smallest sum of squared errors over ratings left out; the first of equal ones. */
static bool choose_way(tuning *t, const piaa_lesson *l, way *out, piaa_error *error) {
    double least = INFINITY;
    if (choose_rows(t, l, -1, false) < FOLDS) return true;
    for (size_t r = 0; r < PIAA_COUNT(rates); r++) {
        double losses[CHOICES] = {0};
        for (int fold = 0; fold < FOLDS; fold++)
            if (!try_fold(t, l, fold, rates[r], losses, error)) return false;
        for (int choice = 0; choice < CHOICES; choice++)
            if (losses[choice] < least) {
                least = losses[choice];
                *out = (way){rates[r], choice * STEPS_APART};
            }
    }
    return true;
}

/* -------------------------------------------------------------------------------------- together
 */

static bool tune(tuning *t, const way *w, size_t count, piaa_error *error) {
    piaa_graph_training *training = begin_again(t, error);
    const piaa_graph_rows rows = rows_of(t, count);
    bool ok = training != NULL;
    for (int step = 0; ok && step < w->steps; step++)
        ok = piaa_graph_training_step(training, &rows, w->rate, NULL, error);
    piaa_graph_training_free(training);
    return ok;
}

static bool predict(tuning *t, const piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    size_t count = 0;
    for (size_t k = 0; k < l->tests; k++)
        if (t->hats->known[l->test[k]]) t->photo[count++] = (int64_t)l->test[k];
    const piaa_graph_rows rows = rows_of(t, count);
    if (count && !piaa_graph_predict(t->graph, &rows, 1, t->predicted, error)) return false;
    count = 0;
    for (size_t k = 0; k < l->tests; k++)
        if (t->hats->known[l->test[k]]) out->scores[k] = t->predicted[count++];
    return true;
}

static bool begins(const char *name, const char *with) {
    return strncmp(name, with, strlen(with)) == 0;
}

/* Whether a tensor of the graph is changed (train/attribute_graph.h). */
static bool is_tuned(piaa_graph_scope scope, const char *name) {
    return scope == PIAA_TUNE_ALL || begins(name, "user_id_emb.") ||
           (scope == PIAA_TUNE_USER_PLUS_HEAD &&
            (begins(name, "bias_mlp.") || begins(name, "dis_fc.")));
}

/* Of what is tuned. */
static int64_t bytes_of(const piaa_graph *graph, piaa_graph_scope scope) {
    size_t count;
    int64_t bytes = 0;
    const piaa_named *tensors = piaa_graph_tensors(graph, &count);
    for (size_t i = 0; i < count; i++)
        if (is_tuned(scope, tensors[i].name))
            bytes += piaa_named_values(&tensors[i]) * (int64_t)sizeof(float);
    return bytes;
}

static bool learn_all(tuning *t, const piaa_lesson *l, bool chosen, piaa_predictions *out,
                      piaa_error *error) {
    way w = {PUBLISHED_RATE, PUBLISHED_STEPS};
    if (chosen && !choose_way(t, l, &w, error)) return false;
    out->support = choose_rows(t, l, -1, false);
    out->bytes = bytes_of(t->graph, t->ici->scope);
    return !out->support || /* nothing is known of the person */
           (tune(t, &w, out->support, error) && predict(t, l, out, error));
}

static bool learn(const piaa_lesson *l, bool reduced, bool chosen, piaa_predictions *out,
                  piaa_error *error) {
    tuning t;
    const bool ok = tuning_begin(&t, l, reduced, error) && learn_all(&t, l, chosen, out, error);
    tuning_free(&t);
    return ok;
}

static bool learn_published(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    return learn(l, false, false, out, error);
}

static bool learn_reduced(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    return learn(l, true, false, out, error);
}

static bool learn_chosen(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    return learn(l, false, true, out, error);
}

/* "ici_phase3_full_small_tune-all", as published; what is not published says so behind it. */
static char *title(const piaa_ici *ici, bool reduced, bool large, const char *more,
                   piaa_error *error) {
    static const char *const scopes[] = {"all", "user_only", "user_plus_head"};
    const piaa_ici_settings *s = &ici->model->settings;
    const bool full = !reduced && ici->categories;
    return piaa_format(error, "ici_phase3_%s_%s_tune-%s%s%s%s", full ? "full" : "reduced",
                       large ? "large" : "small", scopes[ici->scope], more,
                       full && s->user_node ? "_user-node" : "",
                       s->attribute_identity ? "_attribute-identity" : "");
}

static char *title_published(const piaa_ici *ici, bool large, piaa_error *error) {
    return title(ici, false, large, "", error);
}

static char *title_reduced(const piaa_ici *ici, bool large, piaa_error *error) {
    return title(ici, true, large, "", error);
}

static char *title_chosen(const piaa_ici *ici, bool large, piaa_error *error) {
    return title(ici, false, large, "_chosen", error);
}

const piaa_method piaa_method_ici = {.name = "ici",
                                     .way = PIAA_AS_PUBLISHED,
                                     .published = "ici_phase3",
                                     .title = title_published,
                                     .needs = PIAA_NEEDS_PRIOR,
                                     .learn = learn_published};
const piaa_method piaa_method_ici_reduced = {.name = "ici-reduced",
                                             .way = PIAA_AS_PUBLISHED,
                                             .published = "ici_phase3",
                                             .title = title_reduced,
                                             .needs = PIAA_NEEDS_PRIOR,
                                             .learn = learn_reduced};
const piaa_method piaa_method_ici_chosen = {.name = "ici+",
                                            .way = PIAA_AS_NEITHER,
                                            .published = "ici_phase3",
                                            .title = title_chosen,
                                            .needs = PIAA_NEEDS_PRIOR,
                                            .learn = learn_chosen};
