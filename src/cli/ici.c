/* piaa ici train: the priors of PIAA-ICI. */
#include "study/ici_train.h"

#include "cli/commands.h"
#include "cli/study.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* "--epochs" of both priors, "--phase1-epochs" of the front. */
static bool read_settings(const piaa_call *call, piaa_ici_settings *s, piaa_error *error) {
    int64_t epochs[2] = {0}, batch[2] = {0};
    double rate[2] = {0};
    if (!piaa_call_integer(call, "phase1-epochs", 1, 1000000, &epochs[0], error) ||
        !piaa_call_integer(call, "phase1-batch", 1, 1000000, &batch[0], error) ||
        !piaa_call_number(call, "phase1-rate", 1e-12, 1e6, &rate[0], error) ||
        !piaa_call_integer(call, "epochs", 1, 1000000, &epochs[1], error) ||
        !piaa_call_integer(call, "batch", 1, 1000000, &batch[1], error) ||
        !piaa_call_number(call, "rate", 1e-12, 1e6, &rate[1], error))
        return false;
    for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
        const int phase = stage == PIAA_ICI_PHASE1 ? 0 : 1;
        s->epochs[stage] = (int)epochs[phase];
        s->batch[stage] = (int)batch[phase];
        s->rate[stage] = rate[phase];
    }
    s->user_node = piaa_call_has(call, "user-node");
    s->attribute_identity = piaa_call_has(call, "attribute-identity");
    return true;
}

static bool read_front(const piaa_call *call, piaa_ici_options *o, piaa_error *error) {
    const int front = piaa_call_choice(call, "front");
    int64_t side = 0;
    o->backbone = piaa_call_value(call, "backbone");
    o->phase1 = piaa_call_value(call, "phase1");
    o->pool = piaa_call_value(call, "pool");
    o->layer = piaa_call_value(call, "layer");
    if (!piaa_call_exclude(call, "phase1", "backbone", error) ||
        !piaa_call_integer(call, "side", 32, 4096, &side, error))
        return false;
    const bool network = front > 0 || o->phase1;
    if (front == 0 && o->phase1)
        return piaa_error_set(error, PIAA_USAGE,
                              "--phase1 is a front that reads photos: it does not go with --front "
                              "features");
    if (!network && (o->backbone || side))
        return piaa_error_set(error, PIAA_USAGE,
                              "--backbone and --side are for --front resnet50: add it");
    if (network && (o->pool || o->layer))
        return piaa_error_set(error, PIAA_USAGE,
                              "--pool and --layer are for --front features, and a ResNet reads "
                              "photos: leave them out");
    o->front = network ? PIAA_ICI_RESNET50 : PIAA_ICI_FEATURES;
    o->side = (int)side;
    return true;
}

static bool read_options(const piaa_call *call, piaa_ici_options *o, piaa_error *error) {
    int64_t priors = 0, seed;
    bool small, large;
    *o = (piaa_ici_options){.protocol = piaa_protocol_defaults(),
                            .share_photos = piaa_call_has(call, "share-photos")};
    const char *people = piaa_call_value(call, "eval-people");
    seed = o->protocol.seed;
    if ((people && !piaa_call_count("eval-people", people, &o->protocol.first, error)) ||
        !piaa_call_splits(call, &o->protocol, &small, &large, error) ||
        !piaa_call_integer(call, "seed", 0, UINT32_MAX, &seed, error) ||
        !piaa_call_integer(call, "seeds", 1, 1000, &priors, error) || !read_front(call, o, error) ||
        !read_settings(call, &o->settings, error))
        return false;
    o->protocol.seed = (uint32_t)seed;
    o->priors = (int)priors;
    return true;
}

/* ----------------------------------------------------------------------------------------- words
 */

static void tell(piaa_call *call, const piaa_ici_training *t) {
    const piaa_prior_split *split = t->split;
    piaa_talk_note(
        &call->talk,
        "%zu people are evaluated; %zu others with %zu ratings of %zu photos are trained "
        "on, %zu of the photos held back.%s",
        t->protocol->count, split->user_count, split->rating_count, split->image_count,
        split->held_count,
        t->options->share_photos
            ? " Photos of the former are among them, as other people rate them: figures "
              "of PIAA-ICI are too good by what the generic part has seen of these."
            : "");
}

static void tell_losses(piaa_call *call, const piaa_ici_training *t) {
    if (t->photos_left_out)
        piaa_talk_warn(&call->talk,
                       "%zu photos have no features, or nobody's mean scores: the generic part has "
                       "not learned from them",
                       t->photos_left_out);
    if (t->ratings_left_out)
        piaa_talk_warn(&call->talk, "%zu ratings are of photos without features: left out",
                       t->ratings_left_out);
}

static void number(piaa_text *out, double value, piaa_error *error) {
    if (isfinite(value))
        piaa_text_format(out, error, "%12.4f", value);
    else
        piaa_text_format(out, error, "%12s", "");
}

/* What each stage came to. */
static bool print_stages(const piaa_ici_model *m, piaa_error *error) {
    piaa_text out = {0};
    piaa_text_format(&out, error,
                     "seed  stage    epochs  kept   last loss   kept loss  validation\n");
    for (size_t p = 0; p < m->count; p++)
        for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
            const piaa_ici_curve *c = &m->priors[p].curves[stage];
            if (!c->kept) continue;
            piaa_text_format(&out, error, "%4lld  %-7s  %6d  %4d", (long long)m->priors[p].seed,
                             piaa_ici_stage_names[stage], c->epochs, c->kept);
            number(&out, c->train[c->epochs - 1], error);
            number(&out, c->train[c->kept - 1], error);
            number(&out, c->validation[c->kept - 1], error);
            piaa_text_format(&out, error, "\n");
        }
    const bool ok = !out.failed && piaa_report_write(stdout, out.data, out.length, error);
    free(out.data);
    return ok;
}

/* ------------------------------------------------------------------------------------------- run
 */

static bool train(piaa_call *call, piaa_ici_training *t, piaa_error *error) {
    if (t->study->reader && !piaa_call_study_store(call, t->study, error)) return false;
    tell(call, t);
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_ici_training_run(t, error);
    piaa_talk_clear(&call->talk);
    if (!ok) return false;
    tell_losses(call, t);
    if (!print_stages(t->model, error)) return false;
    char first[48] = "";
    if (t->options->protocol.first)
        snprintf(first, sizeof first, " --first %zu", t->options->protocol.first);
    piaa_talk_note(&call->talk, "%s holds %zu prior%s, for piaa eval --method ici --ici %s%s.",
                   t->folder, t->model->count, t->model->count == 1 ? "" : "s", t->folder, first);
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_ici_options options;
    const char *folder = piaa_call_value(call, "out");
    if (!piaa_call_need(call, "data", error) || !piaa_call_need(call, "out", error) ||
        !read_options(call, &options, error))
        return false;
    piaa_study study = {0};
    piaa_ici_training t = {0};
    piaa_model *model = piaa_call_study(call, PIAA_STUDY_PERSONAL, &study, error);
    const bool ok = model && piaa_ici_training_begin(&t, &study, model, &options, folder, error) &&
                    train(call, &t, error);
    piaa_ici_training_free(&t);
    piaa_study_close(&study);
    piaa_model_close(model);
    return ok;
}

static const piaa_option options[] = {
    {"data", "SET", "PARA: para:DIR", NULL, NULL},
    PIAA_OPTION_USER_COLUMN,
    {"out", "MODEL", "the folder that is written to", NULL, NULL},
    {"eval-people", "N", "only so many of the people who were drawn are kept for eval --first N",
     "all", NULL},
    {"share-photos", NULL,
     "train on photos of these people too, as other people rate them: for small data", NULL, NULL},
    PIAA_OPTION_SUPPORT,
    PIAA_OPTION_TEST,
    {"seed", "N", "of the draws, as for eval", "42", NULL},
    {0},
};

static const piaa_option training[] = {
    {"front", "WHICH",
     "what says of a photo what everybody thinks of it: features, two heads on a layer of the "
     "model; resnet50, which is trained with them",
     "features", "features resnet50"},
    {"pool", "POOL", "features: which tokens' states are averaged", "lt", NULL},
    {"layer", "LAYER", "features: layer whose state is taken", "15/36 of the depth", NULL},
    {"backbone", "FILE", "resnet50: weights to begin with, torchvision's names in safetensors",
     "random ones", NULL},
    {"phase1", "FILE", "a trained phase 1 of the published code, in safetensors, is the front",
     NULL, NULL},
    {"side", "N", "resnet50: photos are cut to N x N pixels", "224", NULL},
    {"seeds", "N",
     "priors, each trained with a seed of its own; eval's figures are means over them", "3", NULL},
    {"phase1-epochs", "N", "passes over the photos", "features 400, resnet50 50", NULL},
    {"phase1-rate", "R", "the front's learning rate", "features 0.01, resnet50 0.0001", NULL},
    {"phase1-batch", "N", "photos in a step", "64", NULL},
    {"epochs", "N", "passes over the ratings", "50", NULL},
    {"rate", "R", "the priors' learning rate", "0.0001", NULL},
    {"batch", "N", "ratings in a step", "256", NULL},
    {"user-node", NULL, "a person is a node beside their traits, which was not published", NULL,
     NULL},
    {"attribute-identity", NULL, "each attribute has weights of its own, which was not published",
     NULL, NULL},
    {0},
};

const piaa_command piaa_command_ici_train = {
    .name = "ici train",
    .summary = "Train PIAA-ICI's generic part and its priors over people",
    .example = "piaa ici train --data para:PARA --model Qwen3-VL-4B-Instruct --out ici\n"
               "piaa eval --data para:PARA --model Qwen3-VL-4B-Instruct --method ici --ici ici "
               "--out ici.run\n",
    .operands = "",
    .groups = {{"Data and result", options},
               {"Training", training},
               {"How photos are read", piaa_study_options}},
    .notes =
        "Trained on the ratings of all people but those whom eval evaluates, and of no photo "
        "that these are given. A training that was ended goes on from its last whole epoch when it "
        "is asked for again, and a finished one takes further seeds. docs/ici.md says how long it "
        "takes, and what differs from the published code.",
    .run = run,
};
