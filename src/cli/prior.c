/* piaa prior: what many people's ratings say beforehand of one more person's taste. */
#include "study/prior.h"

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/study.h"
#include "linear/people.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The images that somebody rated. */
static bool embed(piaa_study *study, piaa_error *error) {
    const piaa_dataset *set = study->set;
    if (!set->user_count)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s holds no personal ratings: take a data set that has them (PARA, "
                              "LAPIS or a CSV file)",
                              set->folder);
    if (set->pooled)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s: no column says who rated, and a prior is learned from many "
                              "people: name the column with --user-column",
                              set->where);
    bool *wanted = piaa_alloc(set->image_count, sizeof *wanted, error);
    if (!wanted) return false;
    for (size_t r = 0; r < set->rating_count; r++) wanted[set->ratings[r].image] = true;
    const bool ok = piaa_study_embed(study, set, wanted, error);
    free(wanted);
    return ok;
}

/* How people agree with the mean of the others. */
static bool measure_agreement(const piaa_dataset *set, piaa_interval *out, piaa_error *error) {
    double *all = piaa_alloc_array(set->user_count, sizeof *all, error);
    size_t n = 0;
    bool ok = all;
    for (size_t u = 0; ok && u < set->user_count; u++) {
        ok = piaa_prior_agreement(set, set->users[u].ratings, set->users[u].count, &all[n], error);
        n += ok && !isnan(all[n]);
    }
    ok = ok && piaa_people_means(all, 1, n, PIAA_BOOTSTRAP_DRAWS, 0, out, error);
    free(all);
    return ok;
}

static bool print(const piaa_prior *prior, const piaa_interval *agreement, piaa_error *error) {
    const piaa_people_prior *people = prior->people;
    piaa_text text = {0};
    piaa_text_format(&text, error,
                     "people      %lld\n"
                     "ratings     %lld\n"
                     "photos      %zu\n"
                     "directions  %d\n"
                     "iterations  %d\n",
                     (long long)people->raters, (long long)people->ratings, prior->photo_count,
                     people->rank, people->iterations);
    if (isfinite(agreement->low))
        piaa_text_format(&text, error,
                         "agreement   %.3f [%.3f, %.3f] Spearman of a person with the mean of the "
                         "others\n",
                         agreement->mean, agreement->low, agreement->high);
    else if (isfinite(agreement->mean))
        piaa_text_format(&text, error,
                         "agreement   %.3f Spearman of a person with the mean of the others\n",
                         agreement->mean);
    else
        piaa_text_format(&text, error,
                         "agreement   undefined: no two people rated the same photos\n");
    piaa_text_format(&text, error,
                     "gain        %.3f log-likelihood a rating, of people who were held out\n",
                     people->gain);
    const bool ok = !text.failed && piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* The source of all that the request asks for, side by side. */
static bool open_source(const piaa_study *study, piaa_source *source, piaa_error *error) {
    const piaa_slots *slots = piaa_extractor_slots(piaa_reader_extractor(study->reader));
    if (slots->count > PIAA_SOURCE_PARTS)
        return piaa_error_set(error, PIAA_USAGE,
                              "%zu pools and layers are too many to stand side by side: %d at most",
                              slots->count, PIAA_SOURCE_PARTS);
    return piaa_source_open(source, piaa_reader_store(study->reader), study->set, NULL,
                            slots->items, (int)slots->count, error);
}

static bool learn(piaa_call *call, piaa_study *study, int directions, const char *to,
                  piaa_error *error) {
    piaa_source source = {0};
    piaa_interval agreement;
    const piaa_prior_options how = {.directions = directions, .threads = study->threads};
    if (!embed(study, error) || !open_source(study, &source, error)) return false;
    piaa_prior *prior =
        piaa_prior_learn(study->set, &source, piaa_reader_store(study->reader), &how, error);
    const bool ok = prior && measure_agreement(study->set, &agreement, error) &&
                    piaa_prior_save(prior, to, error) && print(prior, &agreement, error);
    if (ok && !(prior->people->gain > 0))
        piaa_talk_warn(&call->talk, "people who were held out gained nothing by it: these people "
                                    "have too little in common, or are too few");
    if (ok)
        piaa_talk_note(&call->talk,
                       "%s holds the prior, who rated, and which photos; it is for `piaa rank`, "
                       "`fit` and `eval --prior`.",
                       to);
    piaa_prior_free(prior);
    piaa_source_close(&source);
    return ok;
}

static bool ask(piaa_call *call, piaa_study *study, piaa_model *model, piaa_error *error) {
    const char *features = piaa_call_value(call, "features");
    return features ? piaa_study_ask_features(study, model, features, error)
                    : piaa_study_ask(study, model, piaa_call_value(call, "pool"),
                                     piaa_call_value(call, "layer"), error);
}

static bool run(piaa_call *call, piaa_error *error) {
    const char *to = piaa_call_value(call, "out");
    int64_t directions = 0;
    if (!piaa_call_need(call, "data", error) || !piaa_call_need(call, "out", error) ||
        !piaa_call_exclude(call, "features", "pool", error) ||
        !piaa_call_exclude(call, "features", "layer", error) ||
        !piaa_call_integer(call, "directions", 1, 1024, &directions, error) ||
        !piaa_call_output(call, to, &piaa_prior_output, error))
        return false;
    piaa_study study = {0};
    piaa_model *model = piaa_call_study(call, PIAA_STUDY_PERSONAL, &study, error);
    const bool ok = model && ask(call, &study, model, error) &&
                    piaa_call_study_store(call, &study, error) &&
                    learn(call, &study, (int)directions, to, error);
    piaa_study_close(&study);
    piaa_model_close(model);
    return ok;
}

static const piaa_option options[] = {
    {"data", "SET",
     "the data set with many people's ratings: para:DIR, lapis:DIR, or csv:FILE with columns user, "
     "path, score",
     NULL, NULL},
    PIAA_OPTION_USER_COLUMN,
    {"out", "PRIOR", "the JSON file that the prior is written to", NULL, NULL},
    {"pool", "POOL", "which tokens' states are averaged: lt, lt_tail, lv or v", "lt", NULL},
    {"layer", "LAYER", "layer whose state is taken", "15/36 of the depth", NULL},
    {"features", "FEATURES",
     "several pools and layers side by side, as in lt.15+lv.9+v.20; all-pools: every pool at its "
     "default layer",
     NULL, NULL},
    {"directions", "N", "main directions of people's tastes that are kept", "16", NULL},
    {0},
};

const piaa_command piaa_command_prior = {
    .name = "prior",
    .summary = "Learn from many people's ratings what one more person may like",
    .example = "piaa prior --data para:PARA --out people.json\n"
               "piaa rank holiday --ratings ratings.csv --prior people.json\n",
    .operands = "",
    .groups = {{"Data and result", options}, {"How photos are read", piaa_study_options}},
    .notes = "The mean of many people's tastes and the main directions in which they differ, "
             "learned by expectation maximisation (docs/learning.md). With few ratings a person's "
             "own taste is then found sooner, as far as it is like theirs: how far the prior is "
             "trusted is chosen by leave-one-out. It is for the same model, prompt and features. "
             "The file holds the people's ids and marks of the photos, so that an evaluation can "
             "tell whom it has seen; mind the data set's licence before you pass it on.",
    .run = run,
};
