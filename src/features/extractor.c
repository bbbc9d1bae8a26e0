/* Photos in, pooled vectors out. */
#include "features/extractor.h"

#include "features/dialogue.h"

#include "base/memory.h"
#include "base/processors.h"
#include "features/identity.h"
#include "features/preprocessing.h"
#include "vlm/device.h"
#include "vlm/generate.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piaa_extractor {
    piaa_model *model;
    piaa_request request;
    char *prompt, *preprocessing, *device;
    char tokens[96], max_pixels[24];
    piaa_slots slots;
    piaa_identity identity;
    piaa_session *session; /* for session_slots */
    piaa_slots session_slots;
    bool answers;            /* the session has logits and a cache */
    piaa_dialogue *dialogue; /* of questions about several photos; in place of the session */
};

static piaa_ask ask_of(const piaa_extractor *extractor) {
    return (piaa_ask){.prompt = extractor->prompt,
                      .max_pixels = extractor->request.max_pixels,
                      .image_attention = extractor->request.image_attention,
                      .published = extractor->request.chat == PIAA_FORM_PUBLISHED};
}

/* "24 tokens, 1f0c…": all that a prompt, a tokenizer and a chat form have to do with the vectors.
   Where they make no tokens, piaa_extractor_check says why. */
static void name_tokens(piaa_extractor *extractor) {
    const piaa_ask ask = ask_of(extractor);
    piaa_ids ids;
    if (!piaa_model_question(extractor->model, &ask, &ids, NULL)) return;
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    for (size_t i = 0; i < ids.count; i++) {
        char id[16];
        g_checksum_update(hash, (const guchar *)id, snprintf(id, sizeof id, "%d ", ids.items[i]));
    }
    if (ids.count)
        snprintf(extractor->tokens, sizeof extractor->tokens, "%zu tokens, %.32s", ids.count,
                 g_checksum_get_string(hash));
    g_checksum_free(hash);
    piaa_ids_free(&ids);
}

/* AUTO becomes what it means. */
static bool choose_form(piaa_request *r, const piaa_model_info *info, piaa_error *error) {
    const piaa_template own = info->chat_template;
    if (r->chat == PIAA_FORM_FOLDER && info->chat && own == PIAA_TEMPLATE_NONE)
        return piaa_error_set(error, PIAA_USAGE,
                              "%s has no chat template of its own: leave --chat folder out",
                              info->folder);
    if (r->chat == PIAA_FORM_FOLDER && own == PIAA_TEMPLATE_UNREAD)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: the chat form is %s: leave --chat folder out", info->folder,
                              info->chat);
    const bool folder =
        r->chat != PIAA_FORM_PUBLISHED && (own == PIAA_TEMPLATE_OWN || info->opens_answers);
    r->chat = folder ? PIAA_FORM_FOLDER : PIAA_FORM_PUBLISHED;
    return true;
}

static bool choose_slots(piaa_extractor *extractor, const piaa_layout *layout, piaa_error *error) {
    const piaa_request *r = &extractor->request;
    if (!r->features)
        return piaa_slots_parse(r->pools, r->layers, layout, &extractor->slots, error);
    if (r->pools || r->layers)
        return piaa_error_set(error, PIAA_USAGE,
                              "features side by side name their pools and layers: leave pools and "
                              "layers beside \"%.80s\" out",
                              r->features);
    return piaa_slots_parse_joined(r->features, layout, &extractor->slots, error);
}

static bool fill_request(piaa_extractor *extractor, const piaa_request *request,
                         piaa_error *error) {
    const piaa_model_info *info = piaa_model_get_info(extractor->model);
    piaa_request *r = &extractor->request;
    if (request) *r = *request;
    if (!r->max_pixels) r->max_pixels = info->max_pixels;
    int64_t tile = (int64_t)info->patch * info->merge;
    if (info->min_pixels == info->max_pixels && r->max_pixels != info->max_pixels)
        return piaa_error_set(
            error, PIAA_USAGE,
            "%s reads every photo at one size (%lld pixels): leave the limit of %lld pixels out",
            info->family, (long long)info->max_pixels, (long long)r->max_pixels);
    if (r->max_pixels < tile * tile || r->max_pixels > (int64_t)1 << 28)
        return piaa_error_set(error, PIAA_USAGE,
                              "a limit of %lld pixels is out of range: give %lld to %lld",
                              (long long)r->max_pixels, (long long)tile * tile, 1LL << 28);
    /* Without a decoder no prompt makes a difference, and none in a store. */
    const bool reads = info->layout.hidden_size > 0;
    extractor->prompt = piaa_strdup(!reads ? "" : r->prompt ? r->prompt : PIAA_BASE_PROMPT, error);
    if (!info->image_attention) r->image_attention = PIAA_IMAGE_BOTH_WAYS;
    if (!choose_form(r, info, error)) return false;
    r->dtype = piaa_model_dtype(extractor->model, r->dtype);
    if (r->threads <= 0) r->threads = piaa_processors();
    if (!extractor->prompt || !choose_slots(extractor, &info->layout, error)) return false;
    extractor->device = r->device ? piaa_strdup(r->device, error) : NULL;
    if ((r->device && !extractor->device) || !piaa_device_check(r->device, error)) return false;
    r->device = extractor->device;
    r->prompt = extractor->prompt;
    r->pools = r->layers = r->features = NULL; /* the slots say it */
    const piaa_preprocessing preprocessing = {
        .least = info->min_pixels < r->max_pixels ? info->min_pixels : r->max_pixels,
        .most = r->max_pixels,
        .exif = r->exif,
        .attention = r->image_attention,
        .background = r->background};
    extractor->preprocessing = piaa_preprocessing_prose(&preprocessing, error);
    if (!extractor->preprocessing) return false;
    name_tokens(extractor);
    const bool is_own_question = /* how answers begin is nothing to vectors */
        r->chat == PIAA_FORM_FOLDER && info->chat_template == PIAA_TEMPLATE_OWN;
    extractor->identity = (piaa_identity){.fingerprint = info->fingerprint,
                                          .model = info->folder,
                                          .family = info->family,
                                          .prompt = extractor->prompt,
                                          .preprocessing = extractor->preprocessing,
                                          .dtype = piaa_dtype_name(r->dtype),
                                          .library = piaa_version(),
                                          .pixels = info->pixels,
                                          .chat = !reads            ? ""
                                                  : is_own_question ? PIAA_CHAT_FOLDER
                                                                    : PIAA_CHAT_PUBLISHED,
                                          .tokens = extractor->tokens,
                                          .adapter = info->adapter};
    piaa_preprocessing_name(&preprocessing, extractor->max_pixels, &extractor->identity);
    return true;
}

piaa_extractor *piaa_extractor_new(piaa_model *model, const piaa_request *request,
                                   piaa_error *error) {
    if (!model) {
        piaa_error_missing(error, "model");
        return NULL;
    }
    piaa_extractor *extractor = piaa_alloc(1, sizeof *extractor, error);
    if (!extractor) return NULL;
    extractor->model = model;
    if (!fill_request(extractor, request, error)) {
        piaa_extractor_free(extractor);
        return NULL;
    }
    return extractor;
}

void piaa_extractor_free(piaa_extractor *extractor) {
    if (!extractor) return;
    piaa_extractor_unload(extractor);
    piaa_slots_free(&extractor->slots);
    free(extractor->prompt);
    free(extractor->preprocessing);
    free(extractor->device);
    free(extractor);
}

const piaa_slots *piaa_extractor_slots(const piaa_extractor *extractor) {
    return &extractor->slots;
}

const piaa_identity *piaa_extractor_identity(const piaa_extractor *extractor) {
    return &extractor->identity;
}

const piaa_request *piaa_extractor_request(const piaa_extractor *extractor) {
    return &extractor->request;
}

size_t piaa_extractor_values(const piaa_extractor *extractor) {
    size_t values = 0;
    for (size_t i = 0; i < extractor->slots.count; i++)
        values += (size_t)extractor->slots.items[i].dim;
    return values;
}

static piaa_model_input *prepare_image(const piaa_extractor *extractor, const piaa_image *image,
                                       piaa_error *error) {
    const piaa_ask ask = ask_of(extractor);
    return piaa_model_prepare(extractor->model, image, &ask, error);
}

static piaa_model_input *prepare_grey(const piaa_extractor *extractor, const piaa_ask *ask,
                                      piaa_error *error) {
    const piaa_model_info *info = piaa_model_get_info(extractor->model);
    int side = 64; /* or what a model that reads one size alone may want to have already */
    if (info->min_pixels == info->max_pixels) side = (int)lround(sqrt((double)info->max_pixels));
    piaa_image grey = {.width = side, .height = side};
    grey.rgb = piaa_alloc((size_t)side * (size_t)side, 3, error);
    piaa_model_input *input =
        grey.rgb ? piaa_model_prepare(extractor->model, &grey, ask, error) : NULL;
    piaa_image_free(&grey);
    return input;
}

bool piaa_extractor_check(const piaa_extractor *extractor, piaa_error *error) {
    const piaa_ask ask = ask_of(extractor);
    piaa_model_input *input = prepare_grey(extractor, &ask, error);
    piaa_model_input_free(input);
    return input != NULL;
}

piaa_model_input *piaa_extractor_prepare(const piaa_extractor *extractor,
                                         const piaa_photo_file *file, piaa_marks *marks,
                                         piaa_error *error) {
    piaa_image image = {0};
    if (!piaa_image_decode(file, extractor->request.exif, extractor->request.background, &image,
                           error))
        return NULL;
    if (marks) {
        memcpy(marks->damage, image.damage, sizeof image.damage);
        marks->raw = image.raw;
        marks->hidden = image.hidden;
    }
    piaa_model_input *input = prepare_image(extractor, &image, error);
    if (!input) piaa_error_prefix(error, "%s", file->path);
    piaa_image_free(&image);
    return input;
}

piaa_model_input *piaa_extractor_prepare_path(const piaa_extractor *extractor, const char *path,
                                              piaa_error *error) {
    piaa_photo_file file;
    piaa_model_input *input = piaa_photo_file_read(&file, path, error)
                                  ? piaa_extractor_prepare(extractor, &file, NULL, error)
                                  : NULL;
    piaa_photo_file_free(&file);
    return input;
}

static bool same_slots(const piaa_slots *a, const piaa_slots *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i].pool != b->items[i].pool || a->items[i].layer != b->items[i].layer)
            return false;
    return true;
}

static bool open_session(piaa_extractor *extractor, const piaa_slots *slots, bool answers,
                         piaa_error *error) {
    enum { CACHE = 512 };
    if (extractor->session && extractor->answers == answers &&
        same_slots(slots, &extractor->session_slots))
        return true;
    /* First, so that two sets of weights are never in memory. */
    piaa_extractor_unload(extractor);
    extractor->session_slots =
        (piaa_slots){.items = piaa_alloc(slots->count, sizeof *slots->items, error)};
    if (!extractor->session_slots.items) return false;
    memcpy(extractor->session_slots.items, slots->items, slots->count * sizeof *slots->items);
    extractor->session_slots.count = slots->count;
    piaa_session_options options = {.dtype = extractor->request.dtype,
                                    .threads = extractor->request.threads,
                                    .device = extractor->request.device,
                                    .logits = answers,
                                    .cache = answers ? CACHE : 0};
    extractor->answers = answers;
    extractor->session = piaa_session_new(extractor->model, slots, &options, error);
    return extractor->session != NULL;
}

void piaa_extractor_unload(piaa_extractor *extractor) {
    piaa_session_free(extractor->session);
    piaa_dialogue_free(extractor->dialogue);
    piaa_slots_free(&extractor->session_slots);
    extractor->session = NULL;
    extractor->dialogue = NULL;
    extractor->session_slots = (piaa_slots){0};
}

piaa_model *piaa_extractor_model(const piaa_extractor *extractor) {
    return extractor->model;
}

bool piaa_extractor_load(piaa_extractor *extractor, const piaa_slots *subset, piaa_error *error) {
    return open_session(extractor, subset ? subset : &extractor->slots, false, error);
}

const char *piaa_extractor_note(const piaa_extractor *extractor) {
    if (extractor->dialogue) return piaa_dialogue_note(extractor->dialogue);
    return extractor->session ? piaa_session_note(extractor->session) : NULL;
}

bool piaa_extractor_run(piaa_extractor *extractor, const piaa_model_input *input,
                        const piaa_slots *subset, float *out, piaa_error *error) {
    return open_session(extractor, subset ? subset : &extractor->slots, false, error) &&
           piaa_session_run(extractor->session, input, out, error);
}

bool piaa_values_are_finite(const float *values, size_t count) {
    float sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i] * 0.0f; /* NaN for NaN and infinities, else 0 */
    return sum == 0;
}

bool piaa_extractor_is_sound(piaa_extractor *extractor, const piaa_slots *subset, float *out,
                             size_t count, piaa_error *error) {
    const piaa_ask ask = ask_of(extractor);
    piaa_model_input *input = prepare_grey(extractor, &ask, error);
    const bool ran = input && piaa_extractor_run(extractor, input, subset, out, error);
    piaa_model_input_free(input);
    return ran &&
           (piaa_values_are_finite(out, count) || piaa_model_not_finite(extractor->model, error));
}

/* Frees the input; it may be NULL, for which the error is set already. */
static bool run_once(piaa_extractor *extractor, piaa_model_input *input, float *out,
                     piaa_error *error) {
    bool ok = input && piaa_extractor_run(extractor, input, NULL, out, error);
    piaa_model_input_free(input);
    return ok;
}

bool piaa_extractor_read(piaa_extractor *extractor, const char *path, float *out,
                         piaa_error *error) {
    if (!extractor) return piaa_error_missing(error, "extractor");
    if (piaa_error_pending(error)) return false;
    return run_once(extractor, piaa_extractor_prepare_path(extractor, path, error), out, error);
}

bool piaa_extractor_read_bytes(piaa_extractor *extractor, const void *bytes, size_t size,
                               float *out, piaa_error *error) {
    if (!extractor) return piaa_error_missing(error, "extractor");
    if (piaa_error_pending(error)) return false;
    if (!bytes) return piaa_error_missing(error, "photo");
    piaa_photo_file file;
    piaa_model_input *input = piaa_photo_file_copy(&file, "the photo in memory", bytes, size, error)
                                  ? piaa_extractor_prepare(extractor, &file, NULL, error)
                                  : NULL;
    piaa_photo_file_free(&file);
    return run_once(extractor, input, out, error);
}

/* What is wrong with a picture that nothing is wrong with is not the photo's fault. */
static bool reads_grey(const piaa_extractor *extractor, const piaa_ask *ask) {
    piaa_error why = {0};
    piaa_model_input *input = prepare_grey(extractor, ask, &why);
    piaa_model_input_free(input);
    return input != NULL;
}

/* With `generate` the assistant's turn is open. */
static piaa_model_input *prepare_question(const piaa_extractor *extractor, const char *path,
                                          const char *prompt, piaa_error *error) {
    piaa_photo_file file;
    piaa_image image = {0};
    piaa_model_input *input = NULL;
    piaa_ask ask = ask_of(extractor);
    ask.generate = true;
    if (prompt) ask.prompt = prompt;
    if (piaa_photo_file_read(&file, path, error) &&
        piaa_image_decode(&file, extractor->request.exif, extractor->request.background, &image,
                          error)) {
        input = piaa_model_prepare(extractor->model, &image, &ask, error);
        if (!input && reads_grey(extractor, &ask)) piaa_error_prefix(error, "%s", path);
    }
    piaa_image_free(&image);
    piaa_photo_file_free(&file);
    return input;
}

static piaa_answer *answer(piaa_extractor *extractor, const piaa_model_input *input,
                           const piaa_answering *how, float *out, piaa_error *error) {
    piaa_decoding decoding;
    if (!piaa_decoding_read(extractor->model, how->sample, &decoding, error)) return NULL;
    piaa_answer *said = NULL;
    if (piaa_decoding_set(&decoding, how, error) &&
        open_session(extractor, &extractor->slots, true, error))
        said = piaa_generate(extractor->model, extractor->session, input, NULL, &decoding, how, out,
                             error);
    piaa_decoding_free(&decoding);
    return said;
}

static piaa_answer *answer_one(piaa_extractor *extractor, const char *path,
                               const piaa_answering *how, float *out, piaa_error *error) {
    piaa_model_input *input = prepare_question(extractor, path, how->prompt, error);
    piaa_answer *said = input ? answer(extractor, input, how, out, error) : NULL;
    piaa_model_input_free(input);
    return said;
}

/* One turn: the photos, and then the question. */
static piaa_answer *answer_several(piaa_extractor *extractor, const char *const *paths,
                                   size_t count, const piaa_answering *how, piaa_error *error) {
    if (!extractor->dialogue) {
        if (!piaa_extractor_check(extractor, error)) return NULL;
        piaa_dialogue *dialogue = piaa_dialogue_new(extractor, error);
        extractor->dialogue = dialogue; /* which has given back what was there */
        if (!dialogue) return NULL;
    }
    piaa_dialogue_part *parts = piaa_alloc(count + 1, sizeof *parts, error);
    if (!parts) return NULL;
    for (size_t i = 0; i < count; i++) parts[i].photo = paths[i];
    parts[count].text = how->prompt ? how->prompt : extractor->prompt;
    const piaa_dialogue_turn turn = {.parts = parts, .count = count + 1};
    piaa_answer *said = piaa_dialogue_answer(extractor->dialogue, &turn, 1, how, error);
    free(parts);
    return said;
}

piaa_answer *piaa_extractor_ask(piaa_extractor *extractor, const char *const *paths, size_t count,
                                const piaa_answering *how, float *out, piaa_error *error) {
    if (!extractor) {
        piaa_error_missing(error, "extractor");
        return NULL;
    }
    if (piaa_error_pending(error)) return NULL;
    const piaa_model_info *info = piaa_model_get_info(extractor->model);
    const piaa_answering plain = {0};
    if (!how) how = &plain;
    if (!info->layout.hidden_size)
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s is a model of vision alone (%s), which answers nothing: ask a Qwen3-VL "
                       "or Gemma 3 model",
                       info->folder, info->family);
    else if (!count)
        piaa_error_set(error, PIAA_USAGE, "a question about no photo");
    else if (count > 1 && out)
        piaa_error_set(error, PIAA_UNSUPPORTED, "vectors come of a question about one photo");
    if (piaa_error_pending(error)) return NULL;
    return count == 1 ? answer_one(extractor, paths[0], how, out, error)
                      : answer_several(extractor, paths, count, how, error);
}

static bool copy_pixels(const uint8_t *rgb, int width, int height, size_t stride, piaa_image *out,
                        piaa_error *error) {
    if (!rgb) return piaa_error_missing(error, "picture");
    if (width < 1 || height < 1 || (int64_t)width * height > PIAA_LARGEST_PIXELS)
        return piaa_error_set(error, PIAA_USAGE,
                              "a picture of %d x %d pixels: both sides have to be at least 1, and "
                              "1,000 megapixels are the most",
                              width, height);
    const size_t row = (size_t)width * 3;
    if (!stride) stride = row;
    if (stride < row)
        return piaa_error_set(
            error, PIAA_USAGE,
            "rows of %d pixels take %zu bytes, and the next one begins after %zu: "
            "the stride is in bytes",
            width, row, stride);
    out->rgb = piaa_alloc_array((size_t)height, row, error);
    if (!out->rgb) return false;
    out->width = width;
    out->height = height;
    for (size_t y = 0; y < (size_t)height; y++) memcpy(out->rgb + y * row, rgb + y * stride, row);
    return true;
}

bool piaa_extractor_read_pixels(piaa_extractor *extractor, const uint8_t *rgb, int width,
                                int height, size_t stride, float *out, piaa_error *error) {
    if (!extractor) return piaa_error_missing(error, "extractor");
    if (piaa_error_pending(error)) return false;
    piaa_image image = {0};
    piaa_model_input *input = copy_pixels(rgb, width, height, stride, &image, error)
                                  ? prepare_image(extractor, &image, error)
                                  : NULL;
    piaa_image_free(&image);
    return run_once(extractor, input, out, error);
}
