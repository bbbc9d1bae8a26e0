/* piaa eval: the personal protocol. */
#include "cli/commands.h"
#include "cli/study.h"
#include "vlm/slots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was asked for, beside what piaa_personal_run reads. */
typedef struct asked {
    piaa_personal_options options;
    piaa_protocol_options protocol;
    const char *baseline, *projection, *attributes;
    piaa_slot (*pairs)[PIAA_SOURCE_PARTS]; /* sources of several slots side by side */
    int *parts;
    size_t pair_count;
} asked;

/* The next item of a comma-separated list; false at its end. */
static bool next_item(const char **rest, char *word, size_t size) {
    if (!*rest || !**rest) return false;
    size_t n = strcspn(*rest, ",");
    snprintf(word, size, "%.*s", (int)(n < size ? n : size - 1), *rest);
    *rest += n + ((*rest)[n] == ',');
    return true;
}

static bool parse_methods(const piaa_call *call, asked *a, piaa_error *error) {
    const char *rest = piaa_call_value(call, "method");
    char word[64];
    if (!rest) rest = "linear-hidden";
    while (next_item(&rest, word, sizeof word)) {
        piaa_method method;
        if (!piaa_method_parse(word, &method)) {
            const char *names[PIAA_METHODS];
            for (int m = 0; m < PIAA_METHODS; m++) names[m] = piaa_method_name((piaa_method)m);
            int nearest = piaa_words_nearest(word, names, PIAA_METHODS);
            return piaa_error_set(error, PIAA_USAGE,
                                  "--method cannot be \"%s\"%s%s: there are linear-hidden, "
                                  "giaa-target, reduce and style-out",
                                  word, nearest < 0 ? "" : ", did you mean ",
                                  nearest < 0 ? "" : names[nearest]);
        }
        a->options.methods[method] = true;
    }
    return true;
}

static bool parse_count(const char *option, const char *word, size_t *out, piaa_error *error) {
    char *end;
    long value = strtol(word, &end, 10);
    if (end == word || *end || value < 1 || value > 1000000)
        return piaa_error_set(
            error, PIAA_USAGE,
            "--%s cannot be \"%s\": give a whole number from 1, such as 10 or 100", option, word);
    *out = (size_t)value;
    return true;
}

/* 10 and 100 are the published supports, drawn for everybody whichever is asked for; another one is
 * drawn alone, two others take their places. */
static bool parse_support(const piaa_call *call, asked *a, piaa_error *error) {
    const char *rest = piaa_call_value(call, "support");
    char word[32];
    size_t counts[2] = {0}, n = 0;
    if (!rest) rest = "100";
    while (next_item(&rest, word, sizeof word)) {
        if (n == 2)
            return piaa_error_set(error, PIAA_USAGE,
                                  "--support takes one or two numbers, such as 10,100");
        if (!parse_count("support", word, &counts[n++], error)) return false;
    }
    if (!n) return parse_count("support", "", &counts[0], error);
    if (n == 2 && counts[0] >= counts[1])
        return piaa_error_set(error, PIAA_USAGE,
                              "--support takes the smaller number first, such as 10,100");
    a->options.small = n == 2 || counts[0] == a->protocol.small;
    a->options.large = n == 2 || !a->options.small;
    if (n == 2) a->protocol.small = counts[0];
    if (n == 1 && a->options.large && counts[0] != a->protocol.large) a->protocol.small = 0;
    if (a->options.large) a->protocol.large = counts[n - 1];
    const char *test = piaa_call_value(call, "test");
    return !test || parse_count("test", test, &a->protocol.test, error);
}

static bool parse_subset(const piaa_call *call, asked *a, piaa_error *error) {
    const char *users = piaa_call_value(call, "users"), *images = piaa_call_value(call, "images");
    bool hard_users = users && strcmp(users, "hard") == 0,
         hard_images = images && strcmp(images, "hard") == 0;
    int64_t seed = a->protocol.seed, percent = 0;
    if (hard_users && hard_images)
        return piaa_error_set(
            error, PIAA_USAGE,
            "--users hard and --images hard do not go together: give one of them");
    if (hard_users) a->protocol.subset = PIAA_SUBSET_HARD_USERS;
    if (hard_images) a->protocol.subset = PIAA_SUBSET_HARD_IMAGES;
    if (!piaa_call_integer(call, "seed", 0, UINT32_MAX, &seed, error) ||
        !piaa_call_integer(call, "hard-percent", 1, 100, &percent, error))
        return false;
    if (percent) a->protocol.hard_share = (double)percent / 100;
    a->protocol.seed = a->options.seed = (uint32_t)seed;
    return true;
}

/* "lt.3+v.5": the slots of a pair. */
static bool parse_pair(const char *word, asked *a, piaa_error *error) {
    int parts = 0;
    for (const char *at = word; *at && parts < PIAA_SOURCE_PARTS; parts++) {
        char pool[24];
        size_t n = strcspn(at, ".+");
        char *end = NULL;
        snprintf(pool, sizeof pool, "%.*s", (int)(n < sizeof pool ? n : sizeof pool - 1), at);
        long layer = at[n] == '.' ? strtol(at + n + 1, &end, 10) : -1;
        piaa_slot *slot = &a->pairs[a->pair_count][parts];
        if (layer < 0 || layer > 10000 || end == at + n + 1 || (*end && *end != '+') ||
            !piaa_pool_parse(pool, &slot->pool))
            break;
        slot->layer = (int)layer;
        at = end + (*end == '+');
        if (*at) continue;
        a->parts[a->pair_count++] = parts + 1;
        return true;
    }
    return piaa_error_set(
        error, PIAA_USAGE,
        "--pair cannot be \"%s\": write pools and layers as in lt.3+v.5, up to %d of them", word,
        PIAA_SOURCE_PARTS);
}

static bool parse_pairs(const piaa_call *call, asked *a, piaa_error *error) {
    const char *rest = piaa_call_value(call, "pair");
    char word[96];
    size_t most = 1;
    for (const char *c = rest; c && *c; c++) most += *c == ',';
    if (!(a->pairs = piaa_alloc(most, sizeof *a->pairs, error)) ||
        !(a->parts = piaa_alloc(most, sizeof *a->parts, error)))
        return false;
    while (rest && next_item(&rest, word, sizeof word))
        if (!parse_pair(word, a, error)) return false;
    return true;
}

/* Everything that can be wrong in the options, before any work is done. */
static bool parse(const piaa_call *call, asked *a, piaa_error *error) {
    *a = (asked){.protocol = piaa_protocol_defaults(),
                 .baseline = piaa_call_value(call, "baseline"),
                 .projection = piaa_call_value(call, "projection"),
                 .attributes = piaa_call_value(call, "attributes")};
    a->options.label = piaa_call_value(call, "label");
    a->options.groups = piaa_call_has(call, "groups");
    if (!parse_methods(call, a, error) || !parse_support(call, a, error) ||
        !parse_subset(call, a, error) || !parse_pairs(call, a, error) ||
        !piaa_call_exclude(call, "projection", "attributes", error))
        return false;
    if (!a->options.methods[PIAA_REDUCE]) return true;
    if (a->pair_count)
        return piaa_error_set(
            error, PIAA_USAGE,
            "--method reduce reads one pool at one layer: it does not go with --pair");
    if (!a->projection && !a->attributes)
        return piaa_error_set(error, PIAA_USAGE,
                              "--method reduce needs attributes: give --projection FILE (piaa "
                              "reduce makes it) or --attributes aadb:DIR");
    return true;
}

/* ------------------------------------------------------------------------------------- baseline */

/* The outcome that outcome i is compared with, -1 if there is none: "METHOD" of the same features,
   "METHOD@SOURCE" of those. */
static int find_baseline(const piaa_personal *personal, const piaa_source *sources,
                         const char *given, size_t i) {
    const char *at = strchr(given, '@');
    size_t n = at ? (size_t)(at - given) : strlen(given);
    for (size_t k = 0; k < personal->count; k++) {
        const char *name = piaa_method_name(personal->kinds[k].method);
        bool source = at ? strcmp(sources[personal->kinds[k].source].name, at + 1) == 0
                         : personal->kinds[k].source == personal->kinds[i].source;
        if (source && strncmp(name, given, n) == 0 && !name[n] &&
            personal->kinds[k].large == personal->kinds[i].large)
            return (int)k;
    }
    return -1;
}

/* Each outcome with its baseline, and Holm's correction over all of them. */
static piaa_comparison *compare(const piaa_personal *personal, const piaa_source *sources,
                                const asked *a, piaa_error *error) {
    piaa_comparison *list = piaa_alloc(personal->count, sizeof *list, error);
    double *p = piaa_alloc(personal->count, sizeof *p, error);
    bool ok = list && p, any = false;
    for (size_t i = 0; ok && i < personal->count; i++) {
        int base = find_baseline(personal, sources, a->baseline, i);
        any = any || base >= 0;
        p[i] = NAN;
        if (base < 0 || (size_t)base == i) continue;
        const piaa_outcome *both[] = {personal->outcomes[base], personal->outcomes[i]};
        piaa_comparison pair[2];
        ok = piaa_outcomes_compare(both, 2, 0, PIAA_FIGURE_SPEARMAN, a->options.draws,
                                   a->options.seed, pair, error);
        list[i] = pair[1];
        p[i] = pair[1].p;
    }
    if (ok && !any)
        ok = piaa_error_set(
            error, PIAA_USAGE,
            "--baseline %s is none of the methods that were run: add it to --method", a->baseline);
    ok = ok && piaa_bootstrap_holm(p, personal->count, p, error);
    for (size_t i = 0; ok && i < personal->count; i++) list[i].p_holm = p[i];
    free(p);
    if (ok) return list;
    free(list);
    return NULL;
}

/* ------------------------------------------------------------------------------------------ run */

/* Lists of pools and layers that hold the slots asked for and those of the pairs; pairs alone if
   nothing else was asked for. */
static bool ask(piaa_study *study, const asked *a, piaa_slots *single, piaa_error *error) {
    const char *pools = piaa_call_value(study->call, "pool"),
               *layers = piaa_call_value(study->call, "layer");
    const piaa_layout *layout = &piaa_model_get_info(study->reader.model)->layout;
    piaa_text all_pools = {0}, all_layers = {0};
    bool ok = true;
    if (!a->pair_count || pools || layers) {
        const char *usual = layout->decoder_layers > 0 ? "lt" : "v";
        ok = piaa_slots_parse(pools ? pools : usual, layers, layout, single, error) &&
             piaa_text_format(&all_pools, error, "%s", pools ? pools : usual) &&
             piaa_text_format(&all_layers, error, "%s", layers ? layers : "default");
    }
    for (size_t i = 0; ok && i < a->pair_count; i++)
        for (int k = 0; ok && k < a->parts[i]; k++)
            ok = piaa_text_format(&all_pools, error, "%s%s", all_pools.length ? "," : "",
                                  piaa_pool_name(a->pairs[i][k].pool)) &&
                 piaa_text_format(&all_layers, error, "%s%d", all_layers.length ? "," : "",
                                  a->pairs[i][k].layer);
    ok = ok && piaa_study_ask(study, all_pools.data, all_layers.data, error);
    free(all_pools.data);
    free(all_layers.data);
    return ok;
}

typedef struct eval_work {
    piaa_study *study;
    const asked *a;
    piaa_protocol *protocol;
    piaa_slots single;
    piaa_source *sources;
    size_t source_count;
    piaa_projection **projections;
    piaa_personal *personal;
    piaa_comparison *comparisons;
} eval_work;

static bool embed(eval_work *w, piaa_error *error) {
    const piaa_dataset *set = w->study->set;
    const piaa_protocol_options *o = &w->protocol->options;
    bool *wanted = piaa_alloc(set->image_count, sizeof *wanted, error);
    for (size_t u = 0; wanted && u < w->protocol->count; u++) {
        const piaa_protocol_user *user = &w->protocol->users[u];
        for (size_t k = 0; w->a->options.small && k < o->small; k++)
            wanted[set->ratings[user->small[k]].image] = true;
        for (size_t k = 0; w->a->options.large && k < o->large; k++)
            wanted[set->ratings[user->large[k]].image] = true;
        for (size_t k = 0; k < o->test; k++) wanted[set->ratings[user->test[k]].image] = true;
    }
    bool ok = wanted && piaa_study_embed(w->study, set, wanted, error);
    free(wanted);
    return ok;
}

static bool project(eval_work *w, piaa_error *error) {
    if (!w->a->options.methods[PIAA_REDUCE]) return true;
    if (!(w->projections = piaa_alloc(w->source_count, sizeof(piaa_projection *), error)))
        return false;
    for (size_t s = 0; s < w->source_count; s++)
        if (!(w->projections[s] = piaa_study_project(w->study, w->a->projection, w->a->attributes,
                                                     &w->single.items[s], error)))
            return false;
    return true;
}

/* Sources last: they point into the store, which embedding the projection's images refreshes. */
static bool open_sources(eval_work *w, piaa_error *error) {
    for (size_t s = 0; s < w->source_count; s++) {
        bool one = s < w->single.count;
        size_t pair = s - w->single.count;
        if (!piaa_source_open(&w->sources[s], w->study->reader.store, w->study->set, NULL,
                              one ? &w->single.items[s] : w->a->pairs[pair],
                              one ? 1 : w->a->parts[pair], error))
            return false;
    }
    piaa_identity identity = piaa_store_identity(w->study->reader.store);
    for (size_t s = 0; w->projections && s < w->source_count; s++)
        if (!piaa_projection_fits(w->projections[s], &identity, &w->sources[s].slots[0], error))
            return false;
    return true;
}

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

static bool work(eval_work *w, const char *folder, piaa_error *error) {
    piaa_study *study = w->study;
    if (!(w->protocol =
              piaa_protocol_make(study->set, &w->a->protocol, &study->call->talk.hooks, error)) ||
        !ask(study, w->a, &w->single, error) || !piaa_run_prepare(folder, true, error) ||
        !embed(w, error))
        return false;
    w->source_count = w->single.count + w->a->pair_count;
    if (!(w->sources = piaa_alloc(w->source_count, sizeof *w->sources, error)) ||
        !project(w, error) || !open_sources(w, error))
        return false;
    piaa_run_about about = piaa_study_about(study);
    piaa_personal_options options = w->a->options;
    options.model = about.model_id;
    options.projections = (const piaa_projection *const *)w->projections;
    options.threads = study->threads;
    w->personal = piaa_personal_run(study->set, w->protocol, w->sources, w->source_count, &options,
                                    &study->call->talk.hooks, error);
    piaa_talk_clear(&study->call->talk);
    if (!w->personal ||
        (w->a->baseline && !(w->comparisons = compare(w->personal, w->sources, w->a, error))))
        return false;
    piaa_run_eval eval = {.protocol = w->protocol,
                          .personal = w->personal,
                          .sources = w->sources,
                          .baseline = w->a->baseline,
                          .comparisons = w->comparisons,
                          .groups = options.groups};
    tell_copies(study->call, &w->personal->copies, options.groups);
    return piaa_run_write_eval(folder, &about, &eval, error) &&
           piaa_study_print(study, folder, error);
}

static void free_work(eval_work *w) {
    free(w->comparisons);
    piaa_personal_free(w->personal);
    for (size_t s = 0; w->projections && s < w->source_count; s++)
        piaa_projection_free(w->projections[s]);
    for (size_t s = 0; w->sources && s < w->source_count; s++) piaa_source_close(&w->sources[s]);
    free(w->projections);
    free(w->sources);
    piaa_slots_free(&w->single);
    piaa_protocol_free(w->protocol);
}

static bool run(piaa_call *call, piaa_error *error) {
    const char *folder = piaa_call_value(call, "out");
    asked a;
    piaa_study study = {0};
    bool ok = parse(call, &a, error) && piaa_call_need(call, "data", error) &&
              piaa_call_need(call, "out", error);
    eval_work w = {.study = &study, .a = &a};
    ok = ok && piaa_run_check(folder, true, error) &&
         piaa_study_open(&study, call, PIAA_STUDY_PERSONAL, error);
    if (ok && study.set->pooled)
        piaa_talk_warn(&call->talk,
                       "%s: no column says who rated, so all ratings are taken for one person's: "
                       "name the column with --user-column",
                       study.set->where);
    ok = ok && work(&w, folder, error);
    free_work(&w);
    piaa_study_close(&study);
    free(a.pairs);
    free(a.parts);
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
    {"pair", "PAIRS", "also pools and layers side by side, as in lt.15+v.20,lt.3+lt.15", NULL,
     NULL},
    {0},
};

static const piaa_option protocol_options[] = {
    {"method", "METHODS", "linear-hidden, giaa-target, reduce, style-out, or several with commas",
     "linear-hidden", NULL},
    {"support", "N", "ratings of a person that are learned from: 10, 100, or 10,100", "100", NULL},
    {"test", "N", "ratings of a person that are predicted", "50", NULL},
    {"users", "WHICH", "hard: the 50 whose scores agree least with the mean", "all", "all hard"},
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
    {"label", "NAME", "for style-out: the label that is left out", "style", NULL},
    {0},
};

const piaa_command piaa_command_eval = {
    .name = "eval",
    .summary = "Measure how well people's scores are predicted from a few of their ratings",
    .example = "piaa eval --data para:PARA --model Qwen3-VL-4B-Instruct --out para.run\n"
               "piaa eval --data lapis:LAPIS --method linear-hidden,giaa-target --support 10,100 "
               "--baseline giaa-target --out lapis.run\n",
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
             "columns), users.csv, scores.csv and images.csv; docs/paper.md describes them.",
    .run = run,
};
