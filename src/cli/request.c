/* From options to a request, a model, photos and ratings. */
#include "cli/request.h"

#include "data/ratings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const piaa_option piaa_request_options[] = {
    PIAA_OPTION_MODEL,
    PIAA_OPTION_MMPROJ,
    PIAA_OPTION_ADAPTER,
    {"pool", "POOLS",
     "which tokens' states are averaged: lt all text, lt_tail the last one, lv the image, v the "
     "vision encoder; of models of vision alone "
     "also pooled, projected: what they make of the last state",
     "lt, or v of models of vision alone", NULL},
    {"layer", "LAYERS", "layers whose states are taken: a number, 0,3,5-9, all, or default",
     "15/36 of the depth, of v the last", NULL},
    {"features", "FEATURES",
     "pools and layers side by side in place of --pool and --layer, as in lt.15+lv.9+v.20; "
     "all-pools: every pool at its default layer",
     NULL, NULL},
    {"prompt", "TEXT", "what the model is told beside the photo", "\"" PIAA_BASE_PROMPT "\"", NULL},
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

/* The option's place among its choices, which stand in the order of the enumeration, whose first
   value they begin with; `otherwise` where it was not given. */
static int take_choice(const piaa_call *call, const char *name, int first, int otherwise) {
    const int place = piaa_call_choice(call, name);
    return place < 0 ? otherwise : first + place;
}

static void take_text(const piaa_call *call, const char *name, const char **out) {
    if (piaa_call_has(call, name)) *out = piaa_call_value(call, name);
}

bool piaa_call_request_reading(const piaa_call *call, const piaa_request *like, piaa_request *out,
                               piaa_error *error) {
    *out = like ? *like : (piaa_request){0};
    take_text(call, "device", &out->device);
    out->exif = (piaa_exif)take_choice(call, "exif", PIAA_EXIF_APPLY, out->exif);
    out->background =
        (piaa_background)take_choice(call, "background", PIAA_BACKGROUND_NONE, out->background);
    out->image_attention = (piaa_image_attention)take_choice(
        call, "image-attention", PIAA_IMAGE_BOTH_WAYS, out->image_attention);
    out->chat = (piaa_form)take_choice(call, "chat", PIAA_FORM_PUBLISHED, out->chat);
    int64_t threads = out->threads;
    if (!piaa_call_integer(call, "threads", 1, 1024, &threads, error)) return false;
    out->threads = (int)threads;
    return true;
}

bool piaa_call_request_plain(const piaa_call *call, const piaa_request *like, piaa_request *out,
                             piaa_error *error) {
    if (!piaa_call_request_reading(call, like, out, error)) return false;
    out->dtype = (piaa_dtype)take_choice(call, "dtype", PIAA_DTYPE_AUTO, out->dtype);
    return piaa_call_integer(call, "max-pixels", 1, INT64_MAX, &out->max_pixels, error);
}

bool piaa_call_request(const piaa_call *call, const piaa_request *like, piaa_request *out,
                       piaa_error *error) {
    if (!piaa_call_request_plain(call, like, out, error)) return false;
    take_text(call, "prompt", &out->prompt);
    if (!piaa_call_exclude(call, "features", "pool", error) ||
        !piaa_call_exclude(call, "features", "layer", error))
        return false;
    if (piaa_call_has(call, "pool") || piaa_call_has(call, "layer")) out->features = NULL;
    take_text(call, "pool", &out->pools);
    take_text(call, "layer", &out->layers);
    take_text(call, "features", &out->features);
    if (out->features) out->pools = out->layers = NULL;
    return true;
}

/* ---------------------------------------------------------------------------------------- model */

static piaa_model *open_model(const piaa_call *call, const char *model, const char *adapter,
                              piaa_error *error) {
    const char *vision = piaa_call_value(call, "mmproj");
    if (vision && !model) {
        piaa_error_set(
            error, PIAA_USAGE,
            "--mmproj %s is the vision part of a text model: name that model's GGUF file too",
            vision);
        return NULL;
    }
    if (vision && !*vision) {
        piaa_error_set(error, PIAA_USAGE, "--mmproj names no file: give the vision part of %s",
                       model);
        return NULL;
    }
    return piaa_model_open_adapted(model, vision, adapter, error);
}

piaa_model *piaa_call_model(const piaa_call *call, const char *model, piaa_error *error) {
    return open_model(call, model, piaa_call_value(call, "adapter"), error);
}

piaa_model *piaa_call_model_like(const piaa_call *call, const piaa_identity *identity,
                                 piaa_error *error) {
    const char *model = piaa_call_value(call, "model"), *adapter = piaa_call_value(call, "adapter");
    if (!model && !piaa_call_has(call, "mmproj") && !piaa_identity_model(identity, &model, error))
        return NULL;
    if (!adapter && !piaa_identity_adapter(identity, &adapter, error)) return NULL;
    return open_model(call, model, adapter, error);
}

void piaa_call_tell_demonstration(piaa_call *call, bool demonstration) {
    if (demonstration)
        piaa_talk_note(&call->talk,
                       "This is the demonstration model, trained on rendered scenes: for real "
                       "taste give --model a Qwen3-VL-4B-Instruct folder (2B and 8B work too).");
}

/* --------------------------------------------------------------------------------------- reader */

bool piaa_call_need_one(const piaa_request *request, const piaa_reader *reader, piaa_error *error) {
    size_t count = piaa_extractor_slots(piaa_reader_extractor(reader))->count;
    return count == 1 || request->features ||
           piaa_error_set(error, PIAA_USAGE,
                          "a taste is learned from one pool at one layer, and these are %zu: name "
                          "one with --pool and --layer, or several to stand side by side with "
                          "--features, as in lt.15+v.20",
                          count);
}

/* The store's messages speak of embed's --out; the other commands call it --store. */
static bool name_option(const piaa_call *call, piaa_error *error) {
    char *found =
        error && strcmp(call->command->name, "embed") != 0 ? strstr(error->message, "--out") : NULL;
    if (!found) return false;
    piaa_error said = *error;
    int before = (int)(found - error->message);
    return piaa_error_set(error, said.code, "%.*s--store%s", before, said.message,
                          said.message + before + strlen("--out"));
}

bool piaa_call_open_store(piaa_call *call, piaa_reader *reader, const char *path,
                          piaa_error *error) {
    return piaa_reader_open_store(reader, path, piaa_call_has(call, "again"), &call->talk.hooks,
                                  error) ||
           name_option(call, error);
}

/* Whether photos are to be shrunk more than the model asks. */
static bool is_waited_for(const piaa_call *call, const piaa_model *model) {
    const piaa_model_info *info = piaa_model_get_info(model);
    return !piaa_call_has(call, "max-pixels") && info->min_pixels < info->max_pixels &&
           info->max_pixels > PIAA_ADVISED_PIXELS;
}

static piaa_reader *open_reader(piaa_call *call, piaa_model *model, const piaa_request *request,
                                piaa_error *error) {
    piaa_reader *reader = piaa_reader_new(model, request, error);
    if (reader && piaa_call_need_one(request, reader, error) &&
        piaa_call_open_store(call, reader, piaa_call_value(call, "store"), error))
        return reader;
    piaa_reader_free(reader);
    return NULL;
}

piaa_reader *piaa_call_reader(piaa_call *call, piaa_model *model, const piaa_request *request,
                              piaa_error *error) {
    piaa_request small = *request;
    if (!is_waited_for(call, model)) return open_reader(call, model, request, error);
    small.max_pixels = PIAA_ADVISED_PIXELS;
    piaa_error why = {0};
    piaa_reader *reader = open_reader(call, model, &small, &why);
    if (reader) return reader;
    if (why.code == PIAA_MISMATCH && piaa_call_has(call, "store"))
        return open_reader(call, model, request, error);
    piaa_error_set(error, why.code, "%s", why.message);
    return NULL;
}

bool piaa_call_read(piaa_call *call, piaa_reader *reader, const piaa_photos *photos,
                    piaa_embed_summary *summary, piaa_error *error) {
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_reader_read(reader, photos, &call->talk.hooks, summary, error);
    piaa_talk_clear(&call->talk);
    return ok;
}

/* --------------------------------------------------------------------------- photos and ratings */

piaa_photos *piaa_call_photos(piaa_call *call, piaa_error *error) {
    piaa_photos *photos =
        piaa_photos_collect(call->operands, call->operand_count, &call->talk.hooks, error);
    if (photos && *piaa_photos_passed(photos))
        piaa_talk_note(&call->talk, "Passed over: %s.", piaa_photos_passed(photos));
    return photos;
}

/* A word about what the photos said, once it is known. */
static piaa_ratings *read_stars(piaa_call *call, const piaa_photos *photos, bool none_yet,
                                piaa_error *error) {
    piaa_stars_found found;
    piaa_error why = {0};
    piaa_talk_catch_stop(&call->talk);
    piaa_ratings *ratings =
        piaa_ratings_of_photos(piaa_photos_paths(photos), piaa_photos_names(photos),
                               piaa_photos_count(photos), &call->talk.hooks, &found, &why);
    piaa_talk_clear(&call->talk);
    char rejected[64] = "";
    if (found.rejected)
        snprintf(rejected, sizeof rejected, " (%zu of them rejected, which counts as 0)",
                 found.rejected);
    if (ratings)
        piaa_talk_note(&call->talk, "Stars in the photos' XMP: %zu rated%s, %zu unrated.",
                       found.rated, rejected, found.unrated);
    else if (none_yet && why.code == PIAA_MISMATCH && !found.rated)
        return piaa_ratings_from("the photos", NULL, 0, error);
    else
        piaa_error_set(error, why.code, "%s", why.message);
    return ratings;
}

static piaa_ratings *read_ratings(piaa_call *call, const piaa_photos *photos, bool none_yet,
                                  piaa_error *error) {
    const char *from = piaa_call_value(call, "ratings");
    if (strcmp(from, "xmp") == 0) return read_stars(call, photos, none_yet, error);
    const piaa_whose whose = {.user = piaa_call_value(call, "user"),
                              .user_column = piaa_call_value(call, "user-column"),
                              .none_yet = none_yet};
    piaa_ratings *ratings = piaa_ratings_read_of(from, &whose, &call->talk.hooks, error);
    if (ratings && piaa_ratings_match(ratings, piaa_photos_paths(photos), piaa_photos_names(photos),
                                      piaa_photos_count(photos), &call->talk.hooks, error))
        return ratings;
    piaa_ratings_free(ratings);
    return NULL;
}

piaa_ratings *piaa_call_ratings(piaa_call *call, const piaa_photos *photos, piaa_error *error) {
    return read_ratings(call, photos, false, error);
}

piaa_ratings *piaa_call_ratings_so_far(piaa_call *call, const piaa_photos *photos,
                                       piaa_error *error) {
    const char *from = piaa_call_value(call, "ratings");
    const bool file = from && strcmp(from, "xmp") != 0 && strcmp(from, "-") != 0;
    struct stat status;
    const bool there = file && stat(from, &status) == 0;
    if (file && !there)
        piaa_talk_warn(&call->talk, "%s is not there yet: nothing is taken for rated", from);
    if (!from || (file && !there) || (there && S_ISREG(status.st_mode) && !status.st_size))
        return piaa_ratings_from("the ratings", NULL, 0, error);
    return read_ratings(call, photos, true, error);
}

/* The comparisons that --pairs names. */
static piaa_choices *read_choices(piaa_call *call, const piaa_photos *photos, bool none_yet,
                                  piaa_error *error) {
    const piaa_whose whose = {.user = piaa_call_value(call, "user"),
                              .user_column = piaa_call_value(call, "user-column"),
                              .none_yet = none_yet};
    piaa_choices *choices =
        piaa_choices_read(piaa_call_value(call, "pairs"), &whose, &call->talk.hooks, error);
    if (choices && piaa_choices_match(choices, piaa_photos_paths(photos), piaa_photos_names(photos),
                                      piaa_photos_count(photos), &call->talk.hooks, error))
        return choices;
    piaa_choices_free(choices);
    return NULL;
}

bool piaa_call_choices_so_far(piaa_call *call, const piaa_photos *photos, piaa_choices **out,
                              piaa_error *error) {
    const char *from = piaa_call_value(call, "pairs");
    const bool file = strcmp(from, "-") != 0;
    struct stat status;
    *out = NULL;
    if (file && stat(from, &status) != 0) {
        piaa_talk_warn(&call->talk, "%s is not there yet: nothing was compared", from);
        return true;
    }
    if (file && S_ISREG(status.st_mode) && !status.st_size) return true;
    return (*out = read_choices(call, photos, true, error));
}

bool piaa_call_need_said(const piaa_call *call, piaa_error *error) {
    const char *ratings = piaa_call_value(call, "ratings"), *pairs = piaa_call_value(call, "pairs");
    if (!ratings && !pairs)
        return piaa_error_set(error, PIAA_USAGE,
                              "--ratings FILE is missing, or --pairs FILE with comparisons: "
                              "piaa %s --help shows how",
                              call->command->name);
    if (ratings && pairs && strcmp(ratings, "-") == 0 && strcmp(pairs, "-") == 0)
        return piaa_error_set(error, PIAA_USAGE,
                              "--ratings and --pairs cannot both be standard input: put one of "
                              "them into a file");
    return true;
}

bool piaa_call_read_said(piaa_call *call, const piaa_photos *photos, piaa_call_said *said,
                         piaa_error *error) {
    *said = (piaa_call_said){0};
    if (piaa_call_has(call, "ratings") && !(said->ratings = piaa_call_ratings(call, photos, error)))
        return false;
    return !piaa_call_has(call, "pairs") ||
           (said->choices = read_choices(call, photos, false, error));
}

void piaa_call_free_said(piaa_call_said *said) {
    piaa_ratings_free(said->ratings);
    piaa_choices_free(said->choices);
}

void piaa_call_tell_outlook(piaa_call *call, const piaa_taste *taste) {
    if (taste->pairs && !taste->ratings)
        piaa_talk_note(&call->talk,
                       "Without ratings the scores have no scale of their own: over the photos "
                       "compared their mean is 0 and their spread 1.");
    const piaa_retest retest = taste->retest;
    if (retest.photos && isfinite(retest.ceiling))
        piaa_talk_note(&call->talk,
                       "%zu photo%s rated more than once: such ratings differ by ± %.2f, closer "
                       "than which no score can be to one of them (correlation at most %.2f).",
                       retest.photos, retest.photos == 1 ? " was" : "s were", retest.noise,
                       retest.ceiling);
    if (isfinite(taste->ten_more))
        piaa_talk_note(&call->talk,
                       taste->ten_more < 0.995 * taste->loo_rmse
                           ? "Ten more ratings would bring the typical error to ± %.2f at best."
                           : "Ten more ratings would hardly change the typical error (± %.2f).",
                       taste->ten_more);
}

bool piaa_call_prior(const piaa_call *call, piaa_prior **prior, piaa_error *error) {
    const char *file = piaa_call_value(call, "prior");
    *prior = file ? piaa_prior_load(file, error) : NULL;
    return !file || *prior;
}
