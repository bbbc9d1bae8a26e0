/* The personal protocol from the draw to the comparison. */
#include "study/evaluation.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "features/extractor.h"
#include "features/identity.h"
#include "vlm/slots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool piaa_evaluation_needs(const piaa_evaluation_options *options, piaa_needs what) {
    for (const piaa_method *const *m = options->personal.methods; *m; m++)
        if ((*m)->needs & (unsigned)what) return true;
    return false;
}

/* ---------------------------------------------------------------------------------------- begin */

static bool add_names(piaa_text *list, const piaa_slots *slots, piaa_error *error) {
    for (size_t k = 0; k < slots->count; k++)
        if (!piaa_text_format(list, error, "%s%s", list->length ? "+" : "",
                              piaa_slot_name(&slots->items[k]).text))
            return false;
    return true;
}

/* Whether a prior is asked for whose front reads features. */
static bool reads_features(const piaa_evaluation *e) {
    return e->ici_model && e->ici_model->front == PIAA_ICI_FEATURES;
}

/* The slots asked for, alone and side by side, and a request's features that have them all, and the
   prior's. */
static bool list_all(piaa_evaluation *e, const piaa_layout *layout, piaa_text *features,
                     piaa_error *error) {
    const piaa_evaluation_options *o = e->options;
    const bool alone = o->joined_count && !o->pools && !o->layers;
    if (!alone && (!piaa_slots_parse(o->pools, o->layers, layout, &e->single, error) ||
                   !add_names(features, &e->single, error)))
        return false;
    if (!(e->joined = piaa_alloc(o->joined_count, sizeof *e->joined, error))) return false;
    for (size_t i = 0; i < o->joined_count; i++)
        if (!piaa_slots_parse_joined(o->joined[i], layout, &e->joined[i], error) ||
            !add_names(features, &e->joined[i], error))
            return false;
    if (!reads_features(e)) return true;
    piaa_slots prior = {.items = &e->ici_model->slot, .count = 1};
    return add_names(features, &prior, error);
}

/* -------------------------------------------------------------------------------------- the prior
 */

/* A person's own embedding is part of the graph without traits alone. */
static bool check_scope(const piaa_evaluation *e, piaa_error *error) {
    const piaa_evaluation_options *o = e->options;
    const bool traits = strcmp(e->study->set->kind, "para") == 0;
    if (o->ici_scope != PIAA_TUNE_USER_ONLY || !traits || e->ici_model->settings.user_node)
        return true;
    for (const piaa_method *const *m = o->personal.methods; *m; m++)
        if (*m == &piaa_method_ici || *m == &piaa_method_ici_chosen)
            return piaa_error_set(error, PIAA_USAGE,
                                  "--ici-scope user-only does not go with --method %s on PARA, "
                                  "where a person is their traits and has nothing else to tune: "
                                  "take ici-reduced, or another scope",
                                  (*m)->name);
    return true;
}

/* Before the model is asked for its layer, which another model may not have. */
static bool check_model(const piaa_evaluation *e, const piaa_model *model, piaa_error *error) {
    const char *own = e->ici_model->identity.fingerprint,
               *other = piaa_model_get_info(model)->fingerprint;
    return !reads_features(e) || strcmp(own, other) == 0 ||
           piaa_error_set(error, PIAA_MISMATCH,
                          "%.300s was trained on features of the model %.200s, and this is "
                          "another: give that one (--model), or train another with `piaa ici "
                          "train`",
                          e->ici_model->folder, e->ici_model->identity.model);
}

static bool open_prior(piaa_evaluation *e, const piaa_model *model, piaa_error *error) {
    const piaa_evaluation_options *o = e->options;
    const piaa_hooks *hooks = e->study->hooks;
    if (!piaa_evaluation_needs(o, PIAA_NEEDS_PRIOR)) return true;
    if (!o->ici) return piaa_error_missing(error, "trained PIAA-ICI");
    if (!(e->ici_model = piaa_ici_model_open(o->ici, error)) ||
        !piaa_ici_check(e->ici_model, e->study->set, e->protocol, error) ||
        !check_scope(e, error) || !check_model(e, model, error) ||
        !(e->ici =
              piaa_ici_new(e->ici_model, o->ici_scope, e->study->set, e->protocol, hooks, error)))
        return false;
    if (e->ici_model->shared_photos && strcmp(e->ici_model->kind, e->study->set->kind) == 0)
        piaa_hooks_note(hooks,
                        "%.300s was trained on photos of the people who are evaluated too, as "
                        "other people rate them (--share-photos): PIAA-ICI has the better of it.",
                        o->ici);
    return true;
}

static bool check_features(const piaa_evaluation *e, piaa_error *error) {
    if (!reads_features(e)) return true;
    const piaa_extractor *extractor = piaa_reader_extractor(e->study->reader);
    const piaa_slots *slots = piaa_extractor_slots(extractor);
    const piaa_slot *slot = &e->ici_model->slot;
    for (size_t s = 0; s < slots->count; s++)
        if (slots->items[s].pool == slot->pool && slots->items[s].layer == slot->layer)
            slot = &slots->items[s];
    return piaa_ici_model_fits(e->ici_model, piaa_extractor_identity(extractor), slot, error);
}

/* Where it stands in a table. */
static bool read_raw_text(piaa_evaluation *e, piaa_error *error) {
    return !piaa_evaluation_needs(e->options, PIAA_NEEDS_RAW_TEXT) || !e->options->raw_text ||
           piaa_raw_texts_read(&e->raw, e->options->raw_text, e->study->set, e->study->hooks,
                               error);
}

static bool from_file(const piaa_evaluation *e) {
    return e->options->prior && strcmp(e->options->prior, "learn") != 0;
}

static bool read_others(piaa_evaluation *e, piaa_error *error) {
    if (!piaa_evaluation_needs(e->options, PIAA_NEEDS_OTHERS)) return true;
    if (!e->options->prior)
        return piaa_error_set(error, PIAA_USAGE,
                              "method linear-prior needs what other people's ratings say: give "
                              "--prior learn, or a file of piaa prior");
    return !from_file(e) || (e->prior = piaa_prior_load(e->options->prior, error));
}

bool piaa_evaluation_begin(piaa_evaluation *e, piaa_study *study, piaa_model *model,
                           const piaa_evaluation_options *options, piaa_error *error) {
    piaa_text features = {0};
    *e = (piaa_evaluation){.study = study, .options = options};
    e->protocol = piaa_protocol_make(study->set, &options->protocol, study->hooks, error);
    const bool ok = e->protocol && read_raw_text(e, error) && open_prior(e, model, error) &&
                    read_others(e, error) &&
                    list_all(e, &piaa_model_get_info(model)->layout, &features, error) &&
                    piaa_study_ask_features(study, model, features.data, error) &&
                    check_features(e, error);
    free(features.data);
    return ok;
}

/* ------------------------------------------------------------------------------------- features */

static bool ask(piaa_evaluation *e, const piaa_question *question, const char *name,
                const bool *wanted, piaa_raw_texts *out, piaa_error *error) {
    const piaa_study *study = e->study;
    char *file = piaa_path_join(e->options->folder, name, error);
    const bool ok =
        file &&
        piaa_raw_texts_ask(out, question, study->set, wanted, piaa_reader_extractor(study->reader),
                           piaa_study_model_id(study), file, study->hooks, error);
    free(file);
    return ok;
}

static bool open_journal(piaa_evaluation *e, piaa_error *error) {
    if (!piaa_evaluation_needs(e->options, PIAA_NEEDS_MODEL)) return true;
    char reader[PIAA_IDENTITY_NAME];
    piaa_identity_name(piaa_extractor_identity(piaa_reader_extractor(e->study->reader)), reader);
    char *file = piaa_path_join(e->options->folder, "lessons.csv", error);
    e->journal = file ? piaa_journal_open(file, reader, error) : NULL;
    free(file);
    return e->journal != NULL;
}

/* Features of the images wanted, and answers about them. */
static bool read_images(piaa_evaluation *e, piaa_error *error) {
    const piaa_evaluation_options *o = e->options;
    const bool *wanted = e->wanted;
    return piaa_study_embed(e->study, e->study->set, wanted, error) &&
           (!piaa_evaluation_needs(o, PIAA_NEEDS_RAW_TEXT) || e->raw.scores ||
            ask(e, &piaa_question_rating, "raw_text.csv", wanted, &e->raw, error)) &&
           (!piaa_evaluation_needs(o, PIAA_NEEDS_THOUGHTS) ||
            ask(e, &piaa_question_thought, "thoughts.csv", wanted, &e->thoughts, error));
}

static bool embed(piaa_evaluation *e, piaa_error *error) {
    const piaa_dataset *set = e->study->set;
    const piaa_protocol_options *o = &e->protocol->options;
    const piaa_personal_options *asked = &e->options->personal;
    bool *wanted = e->wanted = piaa_alloc(set->image_count, sizeof *wanted, error);
    if (!wanted) return false;
    for (size_t u = 0; u < e->protocol->count; u++) {
        const piaa_protocol_user *user = &e->protocol->users[u];
        for (size_t k = 0; asked->small && k < o->small; k++)
            wanted[set->ratings[user->small[k]].image] = true;
        for (size_t k = 0; asked->large && k < o->large; k++)
            wanted[set->ratings[user->large[k]].image] = true;
        for (size_t k = 0; k < o->test; k++) wanted[set->ratings[user->test[k]].image] = true;
    }
    const bool learn = piaa_evaluation_needs(e->options, PIAA_NEEDS_OTHERS) && !e->prior;
    for (size_t r = 0; learn && r < set->rating_count; r++) e->wanted[set->ratings[r].image] = true;
    return read_images(e, error);
}

/* Of single slots alone: there is none for several side by side. */
static bool project(piaa_evaluation *e, piaa_error *error) {
    if (!piaa_evaluation_needs(e->options, PIAA_NEEDS_PROJECTION)) return true;
    if (!(e->projections = piaa_alloc(e->source_count, sizeof(piaa_projection *), error)))
        return false;
    for (size_t s = 0; s < e->single.count; s++)
        if (!(e->projections[s] =
                  piaa_study_project(e->study, e->options->projection, e->options->attributes,
                                     &e->single.items[s], error)))
            return false;
    return true;
}

static bool open_source(piaa_evaluation *e, size_t s, piaa_error *error) {
    const bool one = s < e->single.count;
    const piaa_slots *joined = one ? NULL : &e->joined[s - e->single.count];
    return piaa_source_open(&e->sources[s], piaa_reader_store(e->study->reader), e->study->set,
                            NULL, one ? &e->single.items[s] : joined->items,
                            one ? 1 : (int)joined->count, error);
}

/* Last: they point into the store, which embedding the projection's images refreshes. */
static bool open_sources(piaa_evaluation *e, piaa_error *error) {
    for (size_t s = 0; s < e->source_count; s++)
        if (!open_source(e, s, error)) return false;
    const piaa_identity identity = piaa_store_identity(piaa_reader_store(e->study->reader));
    for (size_t s = 0; e->projections && s < e->single.count; s++)
        if (!piaa_projection_fits(e->projections[s], &identity, &e->sources[s].slots[0], error))
            return false;
    return true;
}

/* What each prior's front says of the images. */
static bool read_hats(piaa_evaluation *e, piaa_error *error) {
    const piaa_study *study = e->study;
    const piaa_ici_model *m = e->ici_model;
    piaa_source front = {0};
    bool ok = !m || m->front != PIAA_ICI_FEATURES ||
              piaa_source_open(&front, piaa_reader_store(study->reader), study->set, NULL, &m->slot,
                               1, error);
    for (size_t i = 0; ok && m && i < m->count; i++) {
        const piaa_ici_prior *prior = &m->priors[i];
        piaa_ici_hats *hats = &e->ici->hats[i];
        ok = piaa_ici_hats_make(hats, study->set->image_count, error) &&
             (prior->net ? piaa_ici_hats_from_photos(m, prior->net, prior->heads, study->set,
                                                     e->wanted, study->request.exif, study->threads,
                                                     study->hooks, hats, error)
                         : piaa_ici_hats_from_features(m, prior->heads, &front, e->wanted,
                                                       study->set->image_count, hats, error));
    }
    piaa_source_close(&front);
    return ok;
}

/* ---------------------------------------------------------------------------------------- prior */

/* Whether a prior from a file may judge these people: it fits all sources, and has seen no test
   image. */
static bool check_others(piaa_evaluation *e, piaa_error *error) {
    const piaa_dataset *set = e->study->set;
    const piaa_store *store = piaa_reader_store(e->study->reader);
    const piaa_identity identity = piaa_store_identity(store);
    size_t seen = 0, all = 0;
    for (size_t s = 0; s < e->source_count; s++)
        if (!piaa_prior_fits(e->prior, &identity, e->sources[s].slots, (size_t)e->sources[s].parts,
                             error))
            return false;
    for (size_t u = 0; u < e->protocol->count; u++)
        for (size_t k = 0; k < e->protocol->options.test; k++, all++) {
            const size_t image = set->ratings[e->protocol->users[u].test[k]].image;
            const piaa_photo photo = piaa_store_find(store, set->images[image].path);
            seen += photo.hash && piaa_prior_has_photo(e->prior, piaa_store_content(photo.hash));
        }
    if (!seen) return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%s was learned from ratings of the photos of %zu of the %zu test "
                          "ratings, so that it says nothing new of them: learn it inside with "
                          "--prior learn, or from other photos",
                          e->options->prior, seen, all);
}

static bool find_seen(piaa_evaluation *e, piaa_error *error) {
    const piaa_dataset *set = e->study->set;
    if (!(e->seen = piaa_alloc(e->protocol->count, sizeof *e->seen, error))) return false;
    for (size_t u = 0; u < e->protocol->count; u++)
        e->seen[u] =
            piaa_prior_has_rater(e->prior, set->kind, set->users[e->protocol->users[u].user].id);
    if (!piaa_prior_covers(e->prior, set->scale_low, set->scale_high))
        piaa_hooks_warn(e->study->hooks,
                        "the ratings, %g to %g, are not on the prior's scale, %g to %g: its scores "
                        "are mapped to each person's by quantiles",
                        set->scale_low, set->scale_high, e->prior->low, e->prior->high);
    return true;
}

static bool learn_others(piaa_evaluation *e, piaa_error *error) {
    if (!piaa_evaluation_needs(e->options, PIAA_NEEDS_OTHERS)) return true;
    if (e->prior) return check_others(e, error) && find_seen(e, error);
    return piaa_prior_folds_learn(&e->folds, e->study->set, e->protocol, e->sources,
                                  e->source_count, e->options->directions, e->study->threads,
                                  e->study->hooks, error);
}

/* What a prior from other people can give at most is what they have in common. */
static bool measure_agreement(piaa_evaluation *e, piaa_error *error) {
    const piaa_protocol *protocol = e->protocol;
    if (!(e->agreement = piaa_alloc(protocol->count, sizeof *e->agreement, error))) return false;
    for (size_t u = 0; u < protocol->count; u++)
        if (!piaa_prior_agreement(e->study->set, protocol->users[u].test, protocol->options.test,
                                  &e->agreement[u], error))
            return false;
    return true;
}

/* ----------------------------------------------------------------------------------- comparison */

static const char *source_name(const piaa_evaluation *e, size_t i) {
    const size_t source = e->personal->kinds[i].source;
    return source == PIAA_NO_SOURCE ? "" : e->sources[source].name;
}

/* Of a learning curve: as many ratings as they were drawn. */
static int find_random(const piaa_personal *personal, size_t i) {
    const piaa_personal_kind *own = &personal->kinds[i];
    for (size_t k = 0; k < personal->count; k++) {
        const piaa_personal_kind *other = &personal->kinds[k];
        if (other->strategy == PIAA_CHOOSE_RANDOM && other->size == own->size &&
            other->method == own->method && other->source == own->source)
            return (int)k;
    }
    return -1;
}

/* The outcome that outcome i is compared with, -1 if there is none: "METHOD" of the same features,
   or one that reads none; "METHOD@SOURCE" of those. */
static int find_baseline(const piaa_evaluation *e, size_t i) {
    const piaa_personal_kind *kinds = e->personal->kinds;
    if (kinds[i].size) return find_random(e->personal, i);
    const char *given = e->options->baseline, *at = strchr(given, '@');
    size_t n = at ? (size_t)(at - given) : strlen(given);
    for (size_t k = 0; k < e->personal->count; k++) {
        const char *name = kinds[k].method->name;
        const bool source =
            at ? strcmp(source_name(e, k), at + 1) == 0
               : kinds[k].source == kinds[i].source || kinds[k].source == PIAA_NO_SOURCE;
        if (source && strncmp(name, given, n) == 0 && !name[n] && kinds[k].large == kinds[i].large)
            return (int)k;
    }
    return -1;
}

/* Each outcome with its baseline; p [count] of each, NaN where there is none. */
static bool compare_each(piaa_evaluation *e, double *p, piaa_error *error) {
    const piaa_personal *personal = e->personal;
    const piaa_personal_options *o = &e->options->personal;
    bool any = false;
    for (size_t i = 0; i < personal->count; i++) {
        int base = find_baseline(e, i);
        any = any || base >= 0;
        p[i] = NAN;
        if (base < 0 || (size_t)base == i) continue;
        const piaa_outcome *both[] = {personal->outcomes[base], personal->outcomes[i]};
        piaa_comparison pair[2];
        if (!piaa_outcomes_compare(both, 2, 0, PIAA_FIGURE_SPEARMAN, o->draws, o->seed, pair,
                                   error))
            return false;
        e->comparisons[i] = pair[1];
        p[i] = pair[1].p;
    }
    return any || !e->options->baseline ||
           piaa_error_set(error, PIAA_USAGE,
                          "--baseline %s is none of the methods that were run: add it to --method",
                          e->options->baseline);
}

/* And Holm's correction over all of them. */
static bool compare(piaa_evaluation *e, piaa_error *error) {
    const size_t count = e->personal->count;
    if (!e->options->baseline && !e->options->personal.curve.size_count) return true;
    e->comparisons = piaa_alloc(count, sizeof *e->comparisons, error);
    double *p = piaa_alloc(count, sizeof *p, error);
    const bool ok =
        e->comparisons && p && compare_each(e, p, error) && piaa_bootstrap_holm(p, count, p, error);
    for (size_t i = 0; ok && i < count; i++) e->comparisons[i].p_holm = p[i];
    free(p);
    return ok;
}

/* ------------------------------------------------------------------------------------------ run */

bool piaa_evaluation_run(piaa_evaluation *e, piaa_error *error) {
    piaa_study *study = e->study;
    if (!open_journal(e, error) || !embed(e, error)) return false;
    e->source_count = e->single.count + e->options->joined_count;
    if (!(e->sources = piaa_alloc(e->source_count, sizeof *e->sources, error)) ||
        !project(e, error) || !open_sources(e, error) || !read_hats(e, error) ||
        !learn_others(e, error) || !measure_agreement(e, error))
        return false;
    piaa_personal_options options = e->options->personal;
    options.model = piaa_study_model_id(study);
    options.reader = study->reader;
    options.dialogue = &e->dialogue;
    options.journal = e->journal;
    options.ici = e->ici;
    options.folder = e->options->folder;
    options.raw = e->raw.scores ? &e->raw : NULL;
    options.thoughts = e->thoughts.scores ? &e->thoughts : NULL;
    options.projections = (const piaa_projection *const *)e->projections;
    options.folds = e->folds.priors ? &e->folds : NULL;
    options.prior = e->prior;
    options.threads = study->threads;
    e->personal = piaa_personal_run(study->set, e->protocol, e->sources, e->source_count, &options,
                                    study->hooks, error);
    return e->personal && compare(e, error);
}

void piaa_evaluation_free(piaa_evaluation *e) {
    free(e->comparisons);
    piaa_personal_free(e->personal);
    piaa_prior_folds_free(&e->folds);
    piaa_prior_free(e->prior);
    free(e->seen);
    free(e->agreement);
    for (size_t s = 0; e->projections && s < e->source_count; s++)
        piaa_projection_free(e->projections[s]);
    for (size_t s = 0; e->sources && s < e->source_count; s++) piaa_source_close(&e->sources[s]);
    free(e->projections);
    free(e->sources);
    piaa_raw_texts_free(&e->raw);
    piaa_raw_texts_free(&e->thoughts);
    piaa_dialogue_free(e->dialogue);
    piaa_journal_close(e->journal);
    for (size_t i = 0; e->joined && i < e->options->joined_count; i++)
        piaa_slots_free(&e->joined[i]);
    free(e->joined);
    piaa_ici_free(e->ici);
    piaa_ici_model_free(e->ici_model);
    free(e->wanted);
    piaa_slots_free(&e->single);
    piaa_protocol_free(e->protocol);
    *e = (piaa_evaluation){0};
}
