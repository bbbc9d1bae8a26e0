/* piaa reduce: from a layer to named attributes. */
#include "base/visible.h"
#include "cli/commands.h"
#include "cli/study.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool print_projection(const piaa_projection *projection, piaa_error *error) {
    piaa_text text = {0};
    bool ok = piaa_text_format(&text, error, "leave-one-out Spearman  images  attribute\n");
    for (int k = 0; ok && k < projection->count; k++) {
        double rho = projection->loo_spearman[k];
        ok = (isfinite(rho) ? piaa_text_format(&text, error, "%22.3f  ", rho)
                            : piaa_text_format(&text, error, "             undefined  ")) &&
             piaa_text_format(&text, error, "%6lld  ", (long long)projection->known[k]) &&
             piaa_visible_add(&text, projection->names[k], error) &&
             piaa_text_format(&text, error, "\n");
    }
    ok = ok && piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

static bool reduce(piaa_call *call, piaa_study *study, piaa_model *model, const char *to,
                   piaa_error *error) {
    if (!piaa_study_ask(study, model, piaa_call_value(call, "pool"), piaa_call_value(call, "layer"),
                        error) ||
        !piaa_call_study_store(call, study, error))
        return false;
    const piaa_slots *slots = piaa_extractor_slots(piaa_reader_extractor(study->reader));
    if (slots->count != 1)
        return piaa_error_set(error, PIAA_USAGE,
                              "attributes are learned from one pool at one layer, and these are "
                              "%zu: name one with --pool and --layer",
                              slots->count);
    piaa_talk_catch_stop(&call->talk);
    piaa_projection *projection =
        piaa_study_project(study, NULL, study->spec, &slots->items[0], error);
    const bool ok = projection && piaa_projection_save(projection, to, error) &&
                    print_projection(projection, error);
    if (ok)
        piaa_talk_note(&call->talk, "%d attribute%s learned from %lld images; %s holds %s.",
                       projection->count, projection->count == 1 ? "" : "s",
                       (long long)projection->images, to, projection->count == 1 ? "it" : "them");
    piaa_projection_free(projection);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    const char *to = piaa_call_value(call, "out");
    if (!piaa_call_need(call, "data", error) || !piaa_call_need(call, "out", error) ||
        !piaa_call_output(call, to, &piaa_projection_output, error))
        return false;
    piaa_study study = {0};
    piaa_model *model = piaa_call_study(call, PIAA_STUDY_PERSONAL, &study, error);
    const bool ok = model && reduce(call, &study, model, to, error);
    piaa_study_close(&study);
    piaa_model_close(model);
    return ok;
}

static const piaa_option options[] = {
    {"data", "SET", "the data set with attributes: aadb:DIR, para:DIR or csv:FILE", NULL, NULL},
    PIAA_OPTION_USER_COLUMN,
    {"out", "FILE", "the JSON file that the projection is written to", NULL, NULL},
    {"pool", "POOL", "which tokens' states are averaged: lt, lt_tail, lv or v", "lt", NULL},
    {"layer", "LAYER", "layer whose state is taken", "15/36 of the depth", NULL},
    {0},
};

const piaa_command piaa_command_reduce = {
    .name = "reduce",
    .summary = "Learn to read named attributes (light, colour harmony, …) off a model's layer",
    .example =
        "piaa reduce --data aadb:AADB --out projection.json\n"
        "piaa eval --data para:PARA --method reduce --projection projection.json --out para.run\n",
    .operands = "",
    .groups = {{"Data and result", options}, {"How photos are read", piaa_study_options}},
    .notes = "Learned from the training images, without the overall score. piaa eval --method "
             "reduce and piaa explain work with the file, for "
             "the same model, prompt, pool and layer.",
    .run = run,
};
