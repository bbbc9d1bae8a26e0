/* piaa probe: what each layer knows of each attribute. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/study.h"
#include "study/changed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHANGE_SEED = 0 };

/* Which of the changes --augment names; false for others. */
static bool parse_changes(const piaa_call *call, bool wanted[PIAA_AUGMENTS], piaa_error *error) {
    const char *list = piaa_call_value(call, "augment");
    while (list && *list) {
        char word[16] = "";
        size_t n = strcspn(list, ",");
        piaa_augment kind;
        if (n < sizeof word) memcpy(word, list, n);
        if (!piaa_augment_parse(word, &kind))
            return piaa_error_set(
                error, PIAA_USAGE,
                "--augment cannot be \"%.*s\": use gray, tps or both, as in gray,tps",
                (int)(n < 80 ? n : 80), list);
        wanted[kind] = true;
        list += n + (list[n] == ',');
    }
    return true;
}

static bool choose_images(const piaa_dataset *set, piaa_split test, bool *wanted,
                          piaa_error *error) {
    bool any = false;
    for (size_t i = 0; i < set->image_count; i++) {
        wanted[i] = set->images[i].split == PIAA_SPLIT_TRAIN ||
                    set->images[i].split == PIAA_SPLIT_VALIDATION || set->images[i].split == test;
        any = any || wanted[i];
    }
    if (any) return true;
    return strcmp(set->kind, "csv") == 0
               ? piaa_error_set(error, PIAA_FORMAT,
                                "%s has no column named split that says train, validation or test: "
                                "add one",
                                set->where)
               : piaa_error_set(error, PIAA_FORMAT,
                                "%s says of no image that it is to learn from or to test on: are "
                                "the data set's lists whole?",
                                set->folder);
}

/* One source for every slot that was asked for; `changed`: of changed images. */
static piaa_source *open_sources(const piaa_study *study, const char *changed, piaa_error *error) {
    const piaa_slots *slots = piaa_extractor_slots(study->reader.extractor);
    piaa_source *sources = piaa_alloc(slots->count, sizeof *sources, error);
    bool ok = sources != NULL;
    for (size_t s = 0; ok && s < slots->count; s++)
        ok = piaa_source_open(&sources[s], study->reader.store, study->set, changed,
                              &slots->items[s], 1, error);
    if (ok || !sources) return sources;
    for (size_t s = 0; s < slots->count; s++) piaa_source_close(&sources[s]);
    free(sources);
    return NULL;
}

static void close_sources(const piaa_study *study, piaa_source *sources) {
    for (size_t s = 0; sources && s < piaa_extractor_slots(study->reader.extractor)->count; s++)
        piaa_source_close(&sources[s]);
    free(sources);
}

static piaa_probe *run_probe(piaa_study *study, piaa_split test, const char *changed,
                             piaa_error *error) {
    size_t count = piaa_extractor_slots(study->reader.extractor)->count;
    piaa_source *sources = open_sources(study, NULL, error),
                *others = sources && changed ? open_sources(study, changed, error) : NULL;
    piaa_probe *probe = NULL;
    if (sources && (!changed || others)) {
        piaa_probe_options options = {.test = test, .changed = others, .threads = study->threads};
        probe =
            piaa_probe_run(study->set, sources, count, &options, &study->call->talk.hooks, error);
        piaa_talk_clear(&study->call->talk);
    }
    close_sources(study, sources);
    close_sources(study, others);
    return probe;
}

/* RUN/changed/KIND, made. */
static char *change_folder(const char *folder, piaa_augment kind, piaa_error *error) {
    char *parent = piaa_format(error, "%s/changed", folder), *path = NULL;
    if (parent && mkdir(parent, 0777) != 0 && errno != EEXIST)
        piaa_error_set_errno(error, errno, "cannot make the folder %.700s", parent);
    else if (parent)
        path = piaa_format(error, "%s/%s", parent, piaa_augment_name(kind));
    free(parent);
    if (!path || mkdir(path, 0777) == 0 || errno == EEXIST) return path;
    piaa_error_set_errno(error, errno, "cannot make the folder %.700s", path);
    free(path);
    return NULL;
}

static piaa_probe *run_changed(piaa_study *study, piaa_split test, piaa_augment kind,
                               const char *folder, piaa_error *error) {
    bool *wanted = piaa_alloc(study->set->image_count, sizeof *wanted, error);
    char *path = wanted ? change_folder(folder, kind, error) : NULL;
    piaa_probe *probe = NULL;
    size_t unreadable = study->unreadable;
    for (size_t i = 0; path && i < study->set->image_count; i++)
        wanted[i] = study->set->images[i].split == test;
    if (path &&
        piaa_changed_make(study->set, test, kind, CHANGE_SEED, path, study->threads,
                          &study->call->talk.hooks, NULL, error) &&
        piaa_study_embed_changed(study, study->set, wanted, path, error))
        probe = run_probe(study, test, path, error);
    study->unreadable = unreadable;
    free(path);
    free(wanted);
    return probe;
}

static bool write_run(piaa_study *study, const piaa_probe *probe, piaa_probe *const *changed,
                      const char *folder, piaa_error *error) {
    piaa_run_change changes[PIAA_AUGMENTS];
    size_t count = 0;
    for (int kind = 0; kind < PIAA_AUGMENTS; kind++)
        if (changed[kind])
            changes[count++] =
                (piaa_run_change){piaa_augment_name((piaa_augment)kind), changed[kind]};
    piaa_run_about about = piaa_study_about(study);
    return piaa_run_write_probe(folder, &about, probe, changes, count, error) &&
           piaa_study_print(study, folder, error);
}

/* All pools that the model has. */
static const char *usual_pools(const piaa_study *study) {
    return piaa_model_get_info(study->reader.model)->layout.decoder_layers > 0 ? "v,lv,lt,lt_tail"
                                                                               : "v";
}

static bool probe_set(piaa_study *study, const bool changes[PIAA_AUGMENTS], const char *folder,
                      piaa_error *error) {
    const piaa_call *call = study->call;
    const char *pools = piaa_call_value(call, "pool"), *layers = piaa_call_value(call, "layer"),
               *list = piaa_call_value(call, "test");
    piaa_split test = list && strcmp(list, "test-new") == 0 ? PIAA_SPLIT_TEST_NEW : PIAA_SPLIT_TEST;
    bool *wanted = piaa_alloc(study->set->image_count, sizeof *wanted, error);
    if (!wanted || !choose_images(study->set, test, wanted, error)) {
        free(wanted);
        return false;
    }
    piaa_probe *probe = NULL, *changed[PIAA_AUGMENTS] = {NULL};
    bool ok =
        piaa_study_ask(study, pools ? pools : usual_pools(study), layers ? layers : "all", error) &&
        piaa_run_prepare(folder, false, error) &&
        piaa_study_embed(study, study->set, wanted, error);
    for (int kind = 0; ok && kind < PIAA_AUGMENTS; kind++)
        ok = !changes[kind] ||
             (changed[kind] = run_changed(study, test, (piaa_augment)kind, folder, error));
    ok = ok && (probe = run_probe(study, test, NULL, error)) &&
         write_run(study, probe, changed, folder, error);
    for (int kind = 0; kind < PIAA_AUGMENTS; kind++) piaa_probe_free(changed[kind]);
    piaa_probe_free(probe);
    free(wanted);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    bool changes[PIAA_AUGMENTS] = {false};
    const char *folder = piaa_call_value(call, "out");
    piaa_study study = {0};
    bool ok = piaa_call_need(call, "data", error) && piaa_call_need(call, "out", error) &&
              parse_changes(call, changes, error) && piaa_run_check(folder, false, error) &&
              piaa_study_open(&study, call, PIAA_STUDY_PROBING, error) &&
              probe_set(&study, changes, folder, error);
    piaa_study_close(&study);
    return ok;
}

static const piaa_option options[] = {
    {"data", "SET",
     "the data set: aadb:DIR, para:DIR, or csv:FILE with columns path, score, split and attributes",
     NULL, NULL},
    PIAA_OPTION_USER_COLUMN,
    {"out", "RUN", "the folder that the results are written to", NULL, NULL},
    {"pool", "POOLS",
     "which tokens' states are averaged: v the vision encoder, lv the image, lt all text, lt_tail "
     "the last one",
     "all that the model has", NULL},
    {"layer", "LAYERS", "layers that are probed: a number, 0,3,5-9, all, or default", "all", NULL},
    {"test", "LIST", "AADB's list of test images", "test", "test test-new"},
    {"augment", "KINDS",
     "also predict test images turned grey (gray) or warped (tps), and say how far predictions "
     "move",
     NULL, NULL},
    {0},
};

const piaa_command piaa_command_probe = {
    .name = "probe",
    .summary = "Measure how well attributes of photos can be read off a model's layers",
    .example = "piaa probe --data aadb:AADB --model Qwen3-VL-4B-Instruct --out aadb.run\n"
               "piaa report aadb.run --out report.html\n",
    .operands = "",
    .groups = {{"Data and results", options}, {"How photos are read", piaa_study_options}},
    .notes = "For each attribute, pool and layer a ridge regression is learned on the training "
             "images; the layer is chosen on the "
             "validation images (without them, by leave-one-out predictions) and judged on the "
             "test images. RUN holds probe.json and "
             "predictions.csv; docs/paper.md describes them.\n\n"
             "The prompts base, format, attributes and unrelated are the published code's "
             "(github.com/ynklab/vlm-latent-piaa).",
    .run = run,
};
