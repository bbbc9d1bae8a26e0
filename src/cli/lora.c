/* piaa lora: a model that answers as one person does. */
#include "cli/commands.h"
#include "cli/request.h"
#include "train/tune.h"

#include <math.h>

static bool read_options(const piaa_call *call, piaa_lora_options *out, piaa_error *error) {
    int64_t rank = 0, epochs = 0, batch = 0, folds = 0, seed = 0;
    if (!piaa_call_integer(call, "rank", 1, 1024, &rank, error) ||
        !piaa_call_integer(call, "epochs", 1, 1000, &epochs, error) ||
        !piaa_call_integer(call, "batch", 1, 1024, &batch, error) ||
        !piaa_call_integer(call, "folds", 2, 100, &folds, error) ||
        !piaa_call_integer(call, "seed", 0, UINT32_MAX, &seed, error) ||
        !piaa_call_number(call, "rate", 1e-12, 1e6, &out->rate, error) ||
        !piaa_call_number(call, "alpha", 1e-6, 1e6, &out->alpha, error) ||
        !piaa_call_number(call, "dropout", 0, 0.99, &out->dropout, error))
        return false;
    out->rank = (int)rank;
    out->epochs = (int)epochs;
    out->batch = (int)batch;
    out->folds = (int)folds;
    out->seed = (uint32_t)seed;
    out->targets = piaa_call_value(call, "targets");
    return true;
}

static void sum_up(piaa_call *call, const piaa_lora_summary *s, const char *folder) {
    if (isfinite(s->loss_after))
        piaa_talk_note(
            &call->talk,
            "Of the rates and epochs tried, %g and %d foresee ratings left out best: loss "
            "%.3f, without an adapter %.3f.",
            s->rate, s->epochs, s->loss_after, s->loss_before);
    piaa_talk_note(&call->talk, "Learned from %lld photos: %s, for --adapter.",
                   (long long)s->photos, folder);
}

/* What a run works with: it owns all of it but the call. */
typedef struct lora_run {
    piaa_call *call;
    piaa_photos *photos;
    piaa_ratings *ratings;
    piaa_model *model;
} lora_run;

static bool learn(lora_run *r, const piaa_request *request, const piaa_lora_options *options,
                  piaa_error *error) {
    piaa_call *call = r->call;
    piaa_lora_summary summary;
    if (!(r->photos = piaa_call_photos(call, error)) ||
        !(r->ratings = piaa_call_ratings(call, r->photos, error)) ||
        !(r->model = piaa_call_model(call, piaa_call_value(call, "model"), error)))
        return false;
    piaa_call_tell_demonstration(call, piaa_model_get_info(r->model)->demonstration);
    const char *folder = piaa_call_value(call, "out");
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_lora_learn(r->model, request, r->ratings, options, folder,
                                    &call->talk.hooks, &summary, error);
    piaa_talk_clear(&call->talk);
    if (!ok) return false;
    sum_up(call, &summary, folder);
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_request request;
    piaa_lora_options options = {0};
    if (!piaa_call_need(call, "ratings", error) || !piaa_call_need(call, "out", error) ||
        !read_options(call, &options, error) ||
        !piaa_call_request_plain(call, NULL, &request, error))
        return false;
    request.prompt = piaa_call_value(call, "prompt");
    lora_run r = {.call = call};
    const bool ok = learn(&r, &request, &options, error);
    piaa_model_close(r.model);
    piaa_ratings_free(r.ratings);
    piaa_photos_free(r.photos);
    return ok;
}

static const piaa_option options[] = {
    PIAA_OPTION_RATINGS,
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    {"out", "DIR", "the folder to write the adapter to, as PEFT writes it", NULL, NULL},
    {0},
};

static const piaa_option training[] = {
    {"rate", "R", "the learning rate",
     "chosen among 0.0001, 0.0003, 0.001 and 0.003 by ratings left out", NULL},
    {"epochs", "N", "passes over the ratings", "chosen from 1 to 6 by ratings left out", NULL},
    {"folds", "N", "parts into which the ratings are shared out for that", "3", NULL},
    {"rank", "N", "rank of the adapter", "8", NULL},
    {"alpha", "A", "its strength is A divided by the rank", "twice the rank", NULL},
    {"targets", "LIST", "the matrices of each block that it changes", "q,k,v,o,gate,up,down", NULL},
    {"dropout", "P", "share of an adapter's inputs dropped in training", "0", NULL},
    {"batch", "N", "photos in a step", "4", NULL},
    {"seed", "N", "of everything random", "0", NULL},
    {0},
};

static const piaa_option reading[] = {
    PIAA_OPTION_MODEL,
    PIAA_OPTION_ADAPTER,
    PIAA_OPTION_MMPROJ,
    {"prompt", "TEXT", "the question that the ratings answer", "an expert judge's, from 1.0 to 5.0",
     NULL},
    PIAA_OPTION_CHAT,
    PIAA_OPTION_MAX_PIXELS,
    PIAA_OPTION_DTYPE,
    PIAA_OPTION_IMAGE_ATTENTION,
    PIAA_OPTION_EXIF,
    PIAA_OPTION_BACKGROUND,
    PIAA_OPTION_DEVICE,
    PIAA_OPTION_THREADS,
    {0},
};

const piaa_command piaa_command_lora = {
    .name = "lora",
    .summary = "Teach a model to answer as one person does, from ratings",
    .example = "piaa lora holiday --ratings ratings.csv --out mine\n"
               "piaa ask holiday/1.jpg \"Rate this image from 1 to 5.\" --adapter mine\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Ratings", options}, {"Training", training}, {"How photos are read", reading}},
    .notes =
        "PHOTOS are files and folders; folders are searched all the way down. The adapter is a "
        "folder that PEFT reads too, and that every command with --model takes as --adapter; "
        "the model itself stays as it is.\n\n"
        "Training computes on the CPU. Rate and epochs are chosen by ratings left out, unless "
        "both are given; what was found so far is kept in the folder, and the same call goes "
        "on from there (docs/training.md).",
    .run = run,
};
