/* piaa eval: the personal protocol. */
#include "study/evaluation.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/study.h"
#include "vlm/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SIZES = 16 };

/* What was asked for. */
typedef struct asked {
    piaa_evaluation_options options;
    const piaa_method **methods; /* owned, as is the next */
    const char **joined;
    char *joined_text;                         /* what they point into */
    piaa_strategy strategies[PIAA_STRATEGIES]; /* of a learning curve */
    size_t sizes[MOST_SIZES];
} asked;

static void free_asked(asked *a) {
    free(a->methods);
    free(a->joined);
    free(a->joined_text);
}

static bool no_such_method(const char *word, piaa_error *error) {
    const char *names[64];
    size_t count = 0;
    while (count < PIAA_COUNT(names) && piaa_methods[count]) {
        names[count] = piaa_methods[count]->name;
        count++;
    }
    char *all = piaa_method_names(error);
    if (!all) return false;
    int nearest = piaa_words_nearest(word, names, count);
    piaa_error_set(error, PIAA_USAGE, "--method cannot be \"%s\"%s%s: there are %s", word,
                   nearest < 0 ? "" : ", did you mean ", nearest < 0 ? "" : names[nearest], all);
    free(all);
    return false;
}

static bool asks_for(const piaa_method *const *methods, const piaa_method *one) {
    for (; *methods; methods++)
        if (*methods == one) return true;
    return false;
}

/* The methods asked for, in the order of the table. */
static bool parse_methods(const piaa_call *call, asked *a, piaa_error *error) {
    const char *list = piaa_call_value(call, "method");
    size_t count = 0, kept = 0;
    char word[64];
    if (!list) list = piaa_methods[0]->name;
    while (piaa_methods[count]) count++;
    if (!(a->methods = piaa_alloc(count + 1, sizeof *a->methods, error))) return false;
    for (const char *rest = list; piaa_call_item(&rest, word, sizeof word);)
        if (!piaa_method_find(word)) return no_such_method(word, error);
    for (size_t m = 0; m < count; m++)
        for (const char *rest = list; piaa_call_item(&rest, word, sizeof word);)
            if (strcmp(word, piaa_methods[m]->name) == 0) {
                a->methods[kept++] = piaa_methods[m];
                break;
            }
    /* A prior is asked for to be used. */
    if (piaa_call_has(call, "prior") && !asks_for(a->methods, &piaa_method_linear_prior))
        a->methods[kept++] = &piaa_method_linear_prior;
    a->options.personal.methods = a->methods;
    return true;
}

/* How many of the first ratings a learning curve is of. */
static bool parse_sizes(const piaa_call *call, asked *a, piaa_error *error) {
    const char *rest = piaa_call_value(call, "support");
    char word[32];
    size_t n = 0;
    for (rest = rest ? rest : "5,10,20,40,100"; piaa_call_item(&rest, word, sizeof word); n++) {
        if (n == MOST_SIZES || !piaa_call_count("support", word, &a->sizes[n], error) ||
            (n && a->sizes[n] <= a->sizes[n - 1]))
            return piaa_error_set(error, PIAA_USAGE,
                                  "--support with --choose takes up to %d numbers, the smallest "
                                  "first, such as 5,10,20,40,100",
                                  MOST_SIZES);
    }
    if (!n) return piaa_call_count("support", "", &a->sizes[0], error);
    a->options.personal.small = a->options.personal.large = true;
    a->options.personal.curve.sizes = a->sizes;
    a->options.personal.curve.size_count = n;
    const char *test = piaa_call_value(call, "test");
    return !test || piaa_call_count("test", test, &a->options.protocol.test, error);
}

/* The strategies of a learning curve, each once, in the order given. */
static bool parse_choose(const piaa_call *call, asked *a, piaa_error *error) {
    piaa_learning_curve *curve = &a->options.personal.curve;
    char word[32];
    curve->strategies = a->strategies;
    if (!piaa_call_number(call, "random-share", 0, 1, &curve->random_share, error)) return false;
    for (const char *rest = piaa_call_value(call, "choose");
         piaa_call_item(&rest, word, sizeof word);) {
        const piaa_strategy found = piaa_strategy_find(word);
        bool fresh = true;
        if (found == PIAA_STRATEGIES)
            return piaa_error_set(error, PIAA_USAGE,
                                  "--choose cannot be \"%s\": there are v-optimal, variance, "
                                  "k-center and random",
                                  word);
        for (size_t k = 0; k < curve->strategy_count; k++)
            fresh = fresh && a->strategies[k] != found;
        if (fresh) a->strategies[curve->strategy_count++] = found;
    }
    return curve->strategy_count ||
           piaa_error_set(error, PIAA_USAGE,
                          "--choose names no strategy: there are v-optimal, variance, k-center and "
                          "random");
}

static bool parse_subset(const piaa_call *call, asked *a, piaa_error *error) {
    const char *users = piaa_call_value(call, "users"), *images = piaa_call_value(call, "images");
    bool hard_users = users && strcmp(users, "hard") == 0,
         hard_images = images && strcmp(images, "hard") == 0;
    int64_t seed = a->options.protocol.seed, percent = 0, directions = 0;
    if (hard_users && hard_images)
        return piaa_error_set(
            error, PIAA_USAGE,
            "--users hard and --images hard do not go together: give one of them");
    if (hard_users) a->options.protocol.subset = PIAA_SUBSET_HARD_USERS;
    if (hard_images) a->options.protocol.subset = PIAA_SUBSET_HARD_IMAGES;
    const char *first = piaa_call_value(call, "first");
    if ((first && !piaa_call_count("first", first, &a->options.protocol.first, error)) ||
        !piaa_call_integer(call, "seed", 0, UINT32_MAX, &seed, error) ||
        !piaa_call_integer(call, "hard-percent", 1, 100, &percent, error) ||
        !piaa_call_integer(call, "directions", 1, 1024, &directions, error))
        return false;
    a->options.directions = (int)directions;
    if (percent) a->options.protocol.hard_share = (double)percent / 100;
    a->options.protocol.seed = a->options.personal.seed = (uint32_t)seed;
    return true;
}

/* Lists of features side by side; their words are looked at here, and whether the model has them as
   soon as it is open. */
static bool parse_joined(const piaa_call *call, asked *a, piaa_error *error) {
    const char *list = piaa_call_value(call, "features");
    size_t most = 1;
    if (!list) list = piaa_call_value(call, "pair");
    for (const char *c = list; c && *c; c++) most += *c == ',';
    if (!piaa_call_exclude(call, "features", "pair", error) ||
        !(a->joined = piaa_alloc(most, sizeof *a->joined, error)) ||
        !(a->joined_text = piaa_strdup(list ? list : "", error)))
        return false;
    a->options.joined = a->joined;
    for (char *at = a->joined_text; list && at;) {
        char *comma = strchr(at, ',');
        piaa_slots slots;
        if (comma) *comma = '\0';
        if (!piaa_slots_parse_joined(at, NULL, &slots, error)) return false;
        const size_t parts = slots.count;
        piaa_slots_free(&slots);
        if (parts > PIAA_SOURCE_PARTS)
            return piaa_error_set(error, PIAA_USAGE,
                                  "1 to %d pools and layers can stand side by side, not %zu",
                                  PIAA_SOURCE_PARTS, parts);
        a->joined[a->options.joined_count++] = at;
        at = comma ? comma + 1 : NULL;
    }
    return true;
}

static bool parse_prior(const piaa_call *call, asked *a, piaa_error *error) {
    static const piaa_graph_scope scopes[] = {PIAA_TUNE_ALL, PIAA_TUNE_USER_ONLY,
                                              PIAA_TUNE_USER_PLUS_HEAD};
    const int scope = piaa_call_choice(call, "ici-scope");
    piaa_evaluation_options *o = &a->options;
    o->ici = piaa_call_value(call, "ici");
    o->ici_scope = scopes[scope < 0 ? 0 : scope];
    const bool needed = piaa_evaluation_needs(o, PIAA_NEEDS_PRIOR);
    if (needed && !o->ici)
        return piaa_error_set(error, PIAA_USAGE,
                              "--method ici, ici-reduced and ici+ begin with a trained prior: give "
                              "--ici MODEL (piaa ici train makes it)");
    return needed || !o->ici ||
           piaa_error_set(error, PIAA_USAGE,
                          "--ici is for --method ici, ici-reduced and ici+: add one of them");
}

static bool check_projection(const piaa_evaluation_options *o, piaa_error *error) {
    if (!piaa_evaluation_needs(o, PIAA_NEEDS_PROJECTION)) return true;
    if (o->joined_count)
        return piaa_error_set(error, PIAA_USAGE,
                              "--method reduce and cot-lora read one pool at one layer: they do "
                              "not go with --features");
    if (!o->projection && !o->attributes)
        return piaa_error_set(
            error, PIAA_USAGE,
            "--method reduce and cot-lora need attributes: give --projection FILE (piaa "
            "reduce makes it) or --attributes aadb:DIR");
    return true;
}

/* Everything that can be wrong in the options, before any work is done. */
static bool parse(const piaa_call *call, asked *a, piaa_error *error) {
    piaa_evaluation_options *o = &a->options;
    *a = (asked){.options = {.protocol = piaa_protocol_defaults(),
                             .pools = piaa_call_value(call, "pool"),
                             .layers = piaa_call_value(call, "layer"),
                             .baseline = piaa_call_value(call, "baseline"),
                             .projection = piaa_call_value(call, "projection"),
                             .attributes = piaa_call_value(call, "attributes"),
                             .raw_text = piaa_call_value(call, "raw-text"),
                             .prior = piaa_call_value(call, "prior")}};
    o->personal.label = piaa_call_value(call, "label");
    o->personal.groups = piaa_call_has(call, "groups");
    const bool curve = piaa_call_has(call, "choose");
    if (!parse_methods(call, a, error) || (curve && !parse_choose(call, a, error)) ||
        !(curve ? parse_sizes(call, a, error)
                : piaa_call_splits(call, &o->protocol, &o->personal.small, &o->personal.large,
                                   error)) ||
        !piaa_call_exclude(call, "choose", "baseline", error) || !parse_subset(call, a, error) ||
        !parse_joined(call, a, error) || !parse_prior(call, a, error) ||
        !piaa_call_exclude(call, "projection", "attributes", error))
        return false;
    return piaa_personal_check_curve(&o->personal, &o->protocol, error) &&
           check_projection(o, error);
}

/* ------------------------------------------------------------------------------------------ run */

static void tell_copies(piaa_call *call, const piaa_copies *copies, bool kept_apart) {
    if (!copies->pairs) return;
    piaa_talk_note(&call->talk,
                   "%zu pair%s of near copies %s split between a person's support and test (%zu "
                   "people): %s.",
                   copies->pairs, copies->pairs == 1 ? "" : "s",
                   kept_apart           ? "would be"
                   : copies->pairs == 1 ? "is"
                                        : "are",
                   copies->people,
                   kept_apart ? "they are left out of the support"
                              : "--groups keeps them on one side");
}

static bool evaluate(piaa_call *call, piaa_evaluation *e, const char *folder, piaa_error *error) {
    if (!piaa_call_study_store(call, e->study, error) || !piaa_run_prepare(folder, true, error))
        return false;
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_evaluation_run(e, error);
    piaa_talk_clear(&call->talk);
    if (!ok) return false;
    const piaa_run_about about = piaa_call_about(e->study);
    const piaa_run_eval eval = {.protocol = e->protocol,
                                .personal = e->personal,
                                .sources = e->sources,
                                .baseline = e->options->personal.curve.size_count
                                                ? piaa_strategy_names[PIAA_CHOOSE_RANDOM]
                                                : e->options->baseline,
                                .comparisons = e->comparisons,
                                .groups = e->options->personal.groups,
                                .ici = e->ici,
                                .prior = e->options->prior,
                                .seen = e->seen,
                                .agreement = e->agreement};
    tell_copies(call, &e->personal->copies, eval.groups);
    return piaa_run_write_eval(folder, &about, &eval, error) &&
           piaa_call_print_run(call, folder, error);
}

static void tell_pooled(piaa_call *call, const piaa_dataset *set) {
    if (set->pooled)
        piaa_talk_warn(&call->talk,
                       "%s: no column says who rated, so all ratings are taken for one person's: "
                       "name the column with --user-column",
                       set->where);
}

static bool run_asked(piaa_call *call, asked *a, piaa_error *error) {
    const char *folder = piaa_call_value(call, "out");
    if (!piaa_call_need(call, "data", error) || !piaa_call_need(call, "out", error) ||
        !piaa_run_check(folder, true, error))
        return false;
    a->options.folder = folder;
    piaa_study study = {0};
    piaa_evaluation e = {0};
    piaa_model *model = piaa_call_study(call, PIAA_STUDY_PERSONAL, &study, error);
    if (model) tell_pooled(call, study.set);
    const bool ok = model && piaa_evaluation_begin(&e, &study, model, &a->options, error) &&
                    evaluate(call, &e, folder, error);
    piaa_evaluation_free(&e);
    piaa_study_close(&study);
    piaa_model_close(model);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    asked a;
    const bool ok = parse(call, &a, error) && run_asked(call, &a, error);
    free_asked(&a);
    return ok;
}

static const piaa_option options[] = {
    {"data", "SET", "the data set: para:DIR, lapis:DIR, or csv:FILE with columns user, path, score",
     NULL, NULL},
    PIAA_OPTION_USER_COLUMN,
    {"out", "RUN", "the folder that the results are written to", NULL, NULL},
    {"pool", "POOLS",
     "which tokens' states are averaged: lt all text, lt_tail the last one, lv the image, v the "
     "vision encoder",
     "lt", NULL},
    {"layer", "LAYERS", "layers whose states are taken: a number, 0,3,5-9, all, or default",
     "15/36 of the depth", NULL},
    {"features", "LIST",
     "also pools and layers side by side, as in lt.15+v.20,lt.15+lv.9+v.20; all-pools: every pool "
     "at its default layer",
     NULL, NULL},
    {"pair", "LIST", "the older name of --features", NULL, NULL},
    {0},
};

static const piaa_option protocol_options[] = {
    {"method", "METHODS",
     "linear-hidden, banded, linear-prior, giaa-target, reduce, style-out, raw-text, "
     "raw-text-corrected, "
     "expected-score, few-shot, cot, lora, lora-expected, lora-fixed, lora-published, "
     "token-class, token-class-published, cot-lora, cot-lora-published, residual-linear, "
     "residual-giaa, residual-mlp, ici, ici-reduced, ici+, or several with commas",
     "linear-hidden", NULL},
    {"support", "N",
     "ratings of a person that are learned from: 10, 100, or 10,100; with --choose up to 16 "
     "numbers",
     "100; with --choose 5,10,20,40,100", NULL},
    {"choose", "STRATEGIES",
     "learning curves: of a person's 110 ratings each strategy (random, variance, v-optimal, "
     "k-center, as in piaa next) chooses which come first, and the methods learn from these",
     NULL, NULL},
    {"random-share", "SHARE", "with --choose: how many of the ratings are drawn, 0 to 1", "0",
     NULL},
    PIAA_OPTION_TEST,
    {"users", "WHICH", "hard: the 50 whose scores agree least with the mean", "all", "all hard"},
    {"first", "N", "only the first N of the people that were drawn, for a quick look", "all", NULL},
    {"images", "WHICH", "hard: those on which scores differ most", "all", "all hard"},
    {"hard-percent", "N", "how many of the images are hard, in percent", "10", NULL},
    {"seed", "N", "of the draws", "42", NULL},
    {"groups", NULL,
     "near copies of an image are learned from or tested, never both: those of test images, and "
     "all "
     "but one of several, are left out of the support",
     NULL, NULL},
    {"baseline", "METHOD",
     "the method that the others are tested against, of the same features; METHOD@lt.15: of those",
     NULL, NULL},
    {"projection", "FILE", "for reduce: the attributes, as piaa reduce writes them", NULL, NULL},
    {"attributes", "SET",
     "for reduce: the data set that attributes are learned from, layer by layer, as in aadb:DIR",
     NULL, NULL},
    {"raw-text", "FILE",
     "for raw-text and residual methods: what the model answered about each photo, a table with "
     "image_path, and giaa (its number) or raw_output",
     "the model is asked, RUN/raw_text.csv", NULL},
    {"prior", "WHICH",
     "for linear-prior, and to run it: learn, what all other people's ratings say, without the "
     "person's and without any test image; or a file of piaa prior",
     NULL, NULL},
    {"directions", "N", "main directions of people's tastes that --prior learn keeps", "16", NULL},
    {"label", "NAME", "for style-out: the label that is left out", "style", NULL},
    {"ici", "MODEL", "for ici methods: the priors that piaa ici train made", NULL, NULL},
    {"ici-scope", "WHAT", "for ici methods: which weights are tuned to a person", "all",
     "all user-only user-plus-head"},
    {0},
};

const piaa_command piaa_command_eval = {
    .name = "eval",
    .summary = "Measure how well people's scores are predicted from a few of their ratings",
    .example = "piaa eval --data para:PARA --model Qwen3-VL-4B-Instruct --out para.run\n"
               "piaa eval --data lapis:LAPIS --method linear-hidden,giaa-target --support 10,100 "
               "--baseline giaa-target --out lapis.run\n"
               "piaa eval --data para:PARA --choose random,variance,v-optimal,k-center --out "
               "curves.run\n",
    .operands = "",
    .groups = {{"Data and results", options},
               {"Protocol", protocol_options},
               {"How photos are read", piaa_study_options}},
    .notes = "The published personal protocol: people with at least 160 ratings, 200 of them "
             "drawn, each with 10 and 100 ratings to learn "
             "from and "
             "50 to test; the same draws as the published code's for the same seed, as far as that "
             "draws the same on every machine. RUN holds "
             "eval.json, predictions.csv (the published "
             "columns), users.csv, scores.csv and images.csv, and with --choose "
             "learning_curve.csv; docs/paper.md describes them. "
             "docs/ici.md describes PIAA-ICI.",
    .run = run,
};
