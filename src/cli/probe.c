/* piaa probe: what each layer knows of each attribute. */
#include "study/probing.h"

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/study.h"

#include <stdlib.h>
#include <string.h>

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

static bool write_run(const piaa_probing *p, const char *folder, piaa_error *error) {
    piaa_run_change changes[PIAA_AUGMENTS];
    size_t count = 0;
    for (int kind = 0; kind < PIAA_AUGMENTS; kind++)
        if (p->changed[kind])
            changes[count++] =
                (piaa_run_change){piaa_augment_name((piaa_augment)kind), p->changed[kind]};
    const piaa_run_about about = piaa_call_about(p->study);
    return piaa_run_write_probe(folder, &about, p->probe, changes, count, error);
}

static bool probe(piaa_call *call, piaa_probing *p, const char *folder, piaa_error *error) {
    if (!piaa_call_study_store(call, p->study, error) || !piaa_run_prepare(folder, false, error))
        return false;
    piaa_talk_catch_stop(&call->talk);
    char *changed = piaa_format(error, "%s/changed", folder);
    const bool ok = changed && piaa_probing_run(p, changed, error);
    free(changed);
    piaa_talk_clear(&call->talk);
    return ok && write_run(p, folder, error) && piaa_call_print_run(call, folder, error);
}

static bool run(piaa_call *call, piaa_error *error) {
    const char *folder = piaa_call_value(call, "out"), *list = piaa_call_value(call, "test");
    piaa_probing_options asked = {
        .pools = piaa_call_value(call, "pool"),
        .layers = piaa_call_value(call, "layer"),
        .test = list && strcmp(list, "test-new") == 0 ? PIAA_SPLIT_TEST_NEW : PIAA_SPLIT_TEST};
    if (!piaa_call_need(call, "data", error) || !piaa_call_need(call, "out", error) ||
        !parse_changes(call, asked.changes, error) || !piaa_run_check(folder, false, error))
        return false;
    piaa_study study = {0};
    piaa_probing probing = {0};
    piaa_model *model = piaa_call_study(call, PIAA_STUDY_PROBING, &study, error);
    const bool ok = model && piaa_probing_begin(&probing, &study, model, &asked, error) &&
                    probe(call, &probing, folder, error);
    piaa_probing_free(&probing);
    piaa_study_close(&study);
    piaa_model_close(model);
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
