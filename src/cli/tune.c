/* piaa tune: which settings are good enough for these ratings. */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/request.h"
#include "report/economy.h"
#include "vlm/vlm.h"

#include <stdlib.h>
#include <string.h>

static bool no_size(const char *item, piaa_error *error) {
    return piaa_error_set(error, PIAA_USAGE,
                          "--max-pixels cannot be \"%.60s\": give numbers of pixels, the smallest "
                          "first, as in 262144,1048576 (%d at most)",
                          item, PIAA_ECONOMY_SIZES);
}

static bool read_sizes(const char *list, piaa_economy_options *out, piaa_error *error) {
    for (const char *at = list; at && *at;) {
        char *end;
        const long long value = strtoll(at, &end, 10);
        const size_t n = out->size_count;
        if (end == at || (*end && *end != ',') || value < 1 || n == PIAA_ECONOMY_SIZES ||
            (n && value <= out->sizes[n - 1]))
            return no_size(at, error);
        out->sizes[out->size_count++] = value;
        at = *end ? end + 1 : end;
    }
    return !list || out->size_count || no_size(list, error);
}

static bool read_types(const char *list, piaa_economy_options *out, piaa_error *error) {
    char word[16];
    for (const char *at = list; at && *at;) {
        const size_t n = strcspn(at, ",");
        if (n < sizeof word && out->type_count < PIAA_ECONOMY_TYPES) {
            memcpy(word, at, n);
            word[n] = '\0';
        }
        if (n >= sizeof word || out->type_count == PIAA_ECONOMY_TYPES ||
            !piaa_dtype_parse(word, &out->types[out->type_count++]))
            return piaa_error_set(error, PIAA_USAGE,
                                  "--dtype cannot be \"%.60s\": give types of weights, the "
                                  "cheapest first, as in q4_K,q8_0,auto",
                                  at);
        at += n + (at[n] == ',');
    }
    return true;
}

/* Of the row to take, as options of the other commands. */
static void advise(piaa_call *call, const piaa_economy *e, size_t photos) {
    const piaa_economy_row *row = e->advised;
    if (!row) {
        piaa_talk_warn(&call->talk,
                       "none of these settings shows that anything was learned from the %lld "
                       "ratings, so none can be advised: rate more photos first",
                       (long long)e->ratings);
        return;
    }
    char one[32], all[32];
    piaa_talk_note(&call->talk,
                   "Good enough for these %lld ratings, and cheapest: --max-pixels %lld --dtype %s "
                   "--pool %s --layer %d (%s a photo, %s for all %zu).",
                   (long long)e->ratings, (long long)row->max_pixels, piaa_dtype_name(row->type),
                   piaa_pool_name(row->slot.pool), row->slot.layer,
                   piaa_economy_duration(row->seconds, one),
                   piaa_economy_duration(row->seconds * (double)photos, all), photos);
}

/* What a run works with: it owns all of it but the call. */
typedef struct tune_run {
    piaa_call *call;
    piaa_photos *photos;
    piaa_ratings *ratings;
    piaa_model *model;
    piaa_economy economy;
} tune_run;

static bool tune(tune_run *r, const piaa_economy_options *options, piaa_error *error) {
    piaa_call *call = r->call;
    if (!(r->photos = piaa_call_photos(call, error)) ||
        !(r->ratings = piaa_call_ratings(call, r->photos, error)) ||
        !(r->model = piaa_call_model(call, piaa_call_value(call, "model"), error)))
        return false;
    piaa_call_tell_demonstration(call, piaa_model_get_info(r->model)->demonstration);
    piaa_talk_catch_stop(&call->talk);
    const bool ok =
        piaa_economy_run(&r->economy, r->model, r->ratings, options, &call->talk.hooks, error);
    piaa_talk_clear(&call->talk);
    if (!ok) return false;
    const size_t photos = piaa_photos_count(r->photos);
    if (!piaa_economy_write(&r->economy, photos, piaa_print_format(call), stdout, error))
        return false;
    advise(call, &r->economy, photos);
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_economy_options options = {0};
    if (!piaa_call_need(call, "ratings", error) || !piaa_call_exclude(call, "json", "csv", error) ||
        !read_sizes(piaa_call_value(call, "max-pixels"), &options, error) ||
        !read_types(piaa_call_value(call, "dtype"), &options, error) ||
        !piaa_call_request_reading(call, NULL, &options.request, error))
        return false;
    options.request.prompt = piaa_call_value(call, "prompt");
    options.request.pools = piaa_call_value(call, "pool");
    options.request.layers = piaa_call_value(call, "layer");
    tune_run r = {.call = call};
    const bool ok = tune(&r, &options, error);
    piaa_economy_free(&r.economy);
    piaa_model_close(r.model);
    piaa_ratings_free(r.ratings);
    piaa_photos_free(r.photos);
    return ok;
}

static const piaa_option options[] = {
    PIAA_OPTION_RATINGS,
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    {0},
};

static const piaa_option grid[] = {
    {"max-pixels", "LIST", "sizes that photos are shrunk to, in pixels, the smallest first",
     "262144,524288,1048576, or the same parts of the model's limit", NULL},
    {"dtype", "LIST", "how weights are held in memory, the cheapest first: of rank's types",
     "q4_K,q8_0,auto; of models below 1 GiB auto", NULL},
    {"pool", "POOLS", "which tokens' states are averaged, as for rank", "lt,lv,v", NULL},
    {"layer", "LAYERS", "layers whose states are taken, as for rank",
     "the default, a third and four thirds of it", NULL},
    {"json", NULL, "print JSON", NULL, NULL},
    {"csv", NULL,
     "print CSV: max_pixels,dtype,features,seconds,hours,plus_minus,rank_correlation,worse,low,"
     "high,enough,advised",
     NULL, NULL},
    {0},
};

static const piaa_option reading[] = {
    PIAA_OPTION_MODEL,
    PIAA_OPTION_ADAPTER,
    PIAA_OPTION_MMPROJ,
    {"prompt", "TEXT", "what the model is told beside the photo", "\"" PIAA_BASE_PROMPT "\"", NULL},
    PIAA_OPTION_CHAT,
    PIAA_OPTION_IMAGE_ATTENTION,
    PIAA_OPTION_EXIF,
    PIAA_OPTION_BACKGROUND,
    PIAA_OPTION_DEVICE,
    PIAA_OPTION_THREADS,
    {0},
};

const piaa_command piaa_command_tune = {
    .name = "tune",
    .summary = "Find the cheapest settings that are good enough for one person's ratings",
    .example = "piaa tune holiday --ratings ratings.csv --model Qwen3-VL-2B-Instruct\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Ratings", options}, {"What is tried", grid}, {"How photos are read", reading}},
    .notes = "Reads the rated photos alone, once for each size and type of weights, the cheapest "
             "first, and predicts each from the others. \"error\" is how far such scores typically "
             "are from the rating, \"order\" their rank correlation. Settings are worse where "
             "their squared errors are larger than those of the best, photo by photo, by more than "
             "chance (95 %); of all others the cheapest is advised, with what it takes for all of "
             "PHOTOS (docs/learning.md).\n\n"
             "What was read is kept below ~/.cache/piaa/stores, so that a run that was ended goes "
             "on, and rank begins with the rated photos done.",
    .run = run,
};
