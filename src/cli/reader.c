/* From options to a model, an extractor and a store. */
#include "cli/reader.h"

#include "base/memory.h"
#include "data/photo_ratings.h"
#include "image/photo.h"
#include "weights/checkpoint_parts.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const piaa_option piaa_reader_options[] = {
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

bool piaa_reader_request_plain(const piaa_call *call, piaa_request *out, piaa_error *error) {
    int64_t threads = 0;
    const char *dtype = piaa_call_value(call, "dtype"), *exif = piaa_call_value(call, "exif");
    const char *image_attention = piaa_call_value(call, "image-attention"),
               *background = piaa_call_value(call, "background");
    *out = (piaa_request){.device = piaa_call_value(call, "device"),
                          .exif = exif && strcmp(exif, "ignore") == 0 ? PIAA_EXIF_IGNORE
                                                                      : PIAA_EXIF_APPLY};
    if (background && strcmp(background, "white") == 0) out->background = PIAA_BACKGROUND_WHITE;
    if (background && strcmp(background, "black") == 0) out->background = PIAA_BACKGROUND_BLACK;
    if (image_attention && strcmp(image_attention, "causal") == 0)
        out->image_attention = PIAA_IMAGE_CAUSAL;
    const char *chat = piaa_call_value(call, "chat");
    if (chat) out->chat = strcmp(chat, "folder") == 0 ? PIAA_FORM_FOLDER : PIAA_FORM_PUBLISHED;
    if (dtype && !piaa_dtype_parse(dtype, &out->dtype))
        return piaa_error_set(error, PIAA_USAGE, "--dtype %s is not known", dtype);
    if (!piaa_call_integer(call, "max-pixels", 1, INT64_MAX, &out->max_pixels, error) ||
        !piaa_call_integer(call, "threads", 1, 1024, &threads, error))
        return false;
    out->threads = (int)threads;
    return true;
}

bool piaa_reader_request(const piaa_call *call, piaa_request *out, piaa_error *error) {
    if (!piaa_reader_request_plain(call, out, error)) return false;
    out->prompt = piaa_call_value(call, "prompt");
    out->pools = piaa_call_value(call, "pool");
    out->layers = piaa_call_value(call, "layer");
    return true;
}

/* "4096 to 26624 pixels, EXIF rotation applied[, image tokens causal][, on white]" is read back
   into its parts. */
bool piaa_reader_request_like(const piaa_call *call, const piaa_identity *identity,
                              const piaa_slot *slot, piaa_request *out, char layer[16],
                              piaa_error *error) {
    if (!piaa_reader_request(call, out, error)) return false;
    static const char form[] = " pixels, EXIF rotation ";
    const char *to = strstr(identity->preprocessing, " to ");
    char *rest = NULL;
    int64_t most = to ? strtoll(to + strlen(" to "), &rest, 10) : 0;
    bool known = to && strncmp(rest, form, sizeof form - 1) == 0;
    snprintf(layer, 16, "%d", slot->layer);
    if (out->chat == PIAA_FORM_AUTO && identity->chat)
        out->chat =
            strcmp(identity->chat, "the folder's") == 0 ? PIAA_FORM_FOLDER : PIAA_FORM_PUBLISHED;
    if (!out->prompt) out->prompt = identity->prompt;
    if (!out->pools) out->pools = piaa_pool_name(slot->pool);
    if (!out->layers) out->layers = layer;
    if (!piaa_call_has(call, "dtype")) PIAA_UNUSED(piaa_dtype_parse(identity->dtype, &out->dtype));
    if (known && !out->max_pixels) out->max_pixels = most;
    if (known && !piaa_call_has(call, "exif"))
        out->exif = strncmp(rest + sizeof form - 1, "ignored", strlen("ignored")) == 0
                        ? PIAA_EXIF_IGNORE
                        : PIAA_EXIF_APPLY;
    if (known && !piaa_call_has(call, "image-attention") && strstr(rest, ", image tokens causal"))
        out->image_attention = PIAA_IMAGE_CAUSAL;
    if (known && !piaa_call_has(call, "background"))
        out->background = strstr(rest, ", on white")   ? PIAA_BACKGROUND_WHITE
                          : strstr(rest, ", on black") ? PIAA_BACKGROUND_BLACK
                                                       : PIAA_BACKGROUND_NONE;
    return true;
}

/* What the options do not name is what a taste was learned with. */
static bool model_like(const piaa_call *call, const piaa_identity *taste, const char **model,
                       const char **adapter, piaa_error *error) {
    if (!*model && !piaa_call_has(call, "mmproj")) {
        if (piaa_file_is_folder(taste->model) || piaa_gguf_pair_is(taste->model))
            *model = taste->model;
        else if (!piaa_model_is_demonstration(taste->fingerprint))
            return piaa_error_set(
                error, PIAA_IO,
                "the model of this taste, %.600s, is not there any more: name it with --model",
                taste->model);
    }
    if (*adapter || !taste->adapter || !*taste->adapter) return true;
    *adapter = taste->adapter;
    return piaa_file_is_folder(taste->adapter) ||
           piaa_error_set(
               error, PIAA_IO,
               "the adapter of this taste, %.600s, is not there any more: name it with --adapter",
               taste->adapter);
}

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

piaa_model *piaa_reader_model(const piaa_call *call, const char *model, piaa_error *error) {
    return open_model(call, model, piaa_call_value(call, "adapter"), error);
}

bool piaa_reader_tell_demonstration(piaa_call *call, const char *fingerprint) {
    if (!piaa_model_is_demonstration(fingerprint)) return false;
    piaa_talk_note(&call->talk, "This is the demonstration model, trained on rendered scenes: for "
                                "real taste give --model a "
                                "Qwen3-VL-4B-Instruct folder (2B and 8B work too).");
    return true;
}

bool piaa_reader_open(piaa_reader *reader, piaa_call *call, const piaa_identity *taste,
                      const piaa_request *request, piaa_error *error) {
    const char *model = piaa_call_value(call, "model"), *adapter = piaa_call_value(call, "adapter");
    if (taste && !model_like(call, taste, &model, &adapter, error)) return false;
    reader->model = open_model(call, model, adapter, error);
    reader->extractor = reader->model ? piaa_extractor_new(reader->model, request, error) : NULL;
    if (!reader->extractor) return false;
    const piaa_model_info *info = piaa_model_get_info(reader->model);
    piaa_reader_tell_demonstration(call, info->fingerprint);
    reader->tell_form = request->chat == PIAA_FORM_AUTO;
    return true;
}

void piaa_reader_close(piaa_reader *reader) {
    piaa_store_close(reader->store);
    piaa_extractor_free(reader->extractor);
    piaa_model_close(reader->model);
    *reader = (piaa_reader){0};
}

bool piaa_reader_need_one(const piaa_reader *reader, piaa_error *error) {
    size_t count = piaa_extractor_slots(reader->extractor)->count;
    return count == 1 || piaa_error_set(error, PIAA_USAGE,
                                        "a taste is learned from one pool at one layer, and these "
                                        "are %zu: name one with --pool and --layer",
                                        count);
}

/* ---------------------------------------------------------------------------------------- store */

/* Makes a folder and those above it. */
static bool make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) *slash = '\0';
        bool ok = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (slash) *slash = '/';
        if (!ok || !slash) return ok;
    }
}

/* $XDG_CACHE_HOME/piaa/stores/<hash of what the features depend on>, its parents made.  The first
 * four values are what the folders of before were named by; `all`: of a second folder, for what
 * differs from the first in the others. */
static char *cache_store(const piaa_identity *identity, bool all, piaa_error *error) {
    const char *const parts[] = {identity->fingerprint, identity->prompt, identity->preprocessing,
                                 identity->dtype,       identity->pixels, identity->chat,
                                 identity->tokens};
    const size_t count = all ? PIAA_COUNT(parts) : 4;
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && cache[0] == '/'; /* the specification has others ignored */
    if (!own && !(home && *home)) {
        piaa_error_set(error, PIAA_IO,
                       "there is no home folder to keep features in (HOME is not set): name a "
                       "folder for them with --store");
        return NULL;
    }
    char *parent = piaa_format(error, "%s%s/piaa/stores", own ? cache : home, own ? "" : "/.cache");
    char *path = NULL;
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    for (size_t i = 0; i < count; i++)
        g_checksum_update(hash, (const guchar *)parts[i], (gssize)strlen(parts[i]) + 1);
    if (parent && !make_folders(parent))
        piaa_error_set(
            error, PIAA_IO,
            "cannot make the folder %s (%s): name another place for the features with --store",
            parent, strerror(errno));
    else if (parent)
        path = piaa_format(error, "%s/%.16s", parent, g_checksum_get_string(hash));
    g_checksum_free(hash);
    free(parent);
    return path;
}

/* The store's messages speak of embed's --out; the other commands call it --store. */
static void name_option(const piaa_call *call, piaa_error *error) {
    char *found =
        error && strcmp(call->command->name, "embed") != 0 ? strstr(error->message, "--out") : NULL;
    if (!found) return;
    piaa_error said = *error;
    int before = (int)(found - error->message);
    piaa_error_set(error, said.code, "%.*s--store%s", before, said.message,
                   said.message + before + strlen("--out"));
}

bool piaa_reader_open_store(piaa_reader *reader, piaa_call *call, const char *path,
                            piaa_error *error) {
    const piaa_identity *identity = piaa_extractor_identity(reader->extractor);
    const piaa_slots *slots = piaa_extractor_slots(reader->extractor);
    piaa_error why = {0};
    if (path) reader->store = piaa_store_open_write(path, identity, slots, &call->talk.hooks, &why);
    for (int all = 0; !path && all < 2 && (!all || why.code == PIAA_MISMATCH); all++) {
        why = (piaa_error){0};
        char *cached = cache_store(identity, all, &why);
        if (cached)
            reader->store = piaa_store_open_write(cached, identity, slots, &call->talk.hooks, &why);
        free(cached);
    }
    if (!reader->store) {
        name_option(call, &why);
        return piaa_error_set(error, why.code, "%s", why.message);
    }
    return !piaa_call_has(call, "again") || piaa_store_retry(reader->store, error);
}

/* Tokens that a photo becomes at most, by its header; 0 where that cannot be read. */
static int64_t tokens_of(const char *path, int64_t max_pixels, int64_t tile) {
    piaa_photo_file file;
    int width = 0, height = 0;
    bool ok =
        piaa_photo_file_read(&file, path, NULL) && piaa_photo_size(&file, &width, &height, NULL);
    piaa_photo_file_free(&file);
    int64_t pixels = ok ? (int64_t)width * height : 0;
    return (pixels < max_pixels ? pixels : max_pixels) / (tile * tile);
}

static bool is_unread(piaa_store *store, const char *path) {
    struct stat status;
    piaa_photo_state state;
    if (stat(path, &status) != 0) return false;
    piaa_photo file = piaa_photo_of_file(path, &status);
    return piaa_store_lookup(store, &file, &state, NULL, NULL) &&
           state.status != PIAA_PHOTO_COMPLETE && state.status != PIAA_PHOTO_FAILED;
}

/* Time goes at least with the number of tokens, and the largest photos set it. */
static void hint_at_size(const piaa_reader *reader, piaa_call *call, const piaa_paths *paths) {
    enum { LONG_RUN = 4, LOOK_AT = 16, MANY_TOKENS = 4096, ADVISED = 1048576 };
    const piaa_model_info *info = piaa_model_get_info(reader->model);
    int64_t limit = piaa_extractor_request(reader->extractor)->max_pixels,
            tile = (int64_t)info->patch * info->merge, most = 0;
    if (limit <= MANY_TOKENS * tile * tile || paths->count < LONG_RUN) return;
    size_t step = paths->count / LOOK_AT + 1, large = 0;
    for (size_t i = 0; i < paths->count; i += step) {
        if (!is_unread(reader->store, paths->items[i])) continue;
        int64_t tokens = tokens_of(paths->items[i], limit, tile);
        if (tokens > most) most = tokens;
        large += tokens > MANY_TOKENS;
    }
    if (large)
        piaa_talk_note(&call->talk,
                       "Photos are read at up to %lld tokens each; --max-pixels %d is at least "
                       "%.0f times faster for the largest.",
                       (long long)most, (int)ADVISED,
                       (double)most * (double)(tile * tile) / ADVISED);
}

bool piaa_reader_collect(piaa_call *call, piaa_photos *photos, piaa_error *error) {
    if (!piaa_photos_collect(call->operands, call->operand_count, &call->talk.hooks, photos, error))
        return false;
    if (*photos->passed) piaa_talk_note(&call->talk, "Passed over: %s.", photos->passed);
    return true;
}

/* Whether `path` is in one of the folders that were named. */
static bool is_within(const char *path, const piaa_paths *folders) {
    for (size_t i = 0; i < folders->count; i++) {
        size_t n = strlen(folders->items[i]);
        if (strncmp(path, folders->items[i], n) == 0 && path[n] == '/') return true;
    }
    return false;
}

/* Photos that were read in the same folders before and are not there any more. */
static bool tell_gone(const piaa_reader *reader, piaa_call *call, piaa_error *error) {
    piaa_paths folders = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < call->operand_count; i++) {
        if (!piaa_file_is_folder(call->operands[i])) continue;
        char *folder = piaa_path_absolute(call->operands[i], error);
        ok = folder && piaa_paths_add(&folders, folder, error);
        free(folder);
    }
    size_t gone = 0;
    const char *first = NULL;
    for (size_t i = 0; ok && i < piaa_store_photos(reader->store); i++) {
        const char *path = piaa_store_photo(reader->store, i)->path;
        if (!is_within(path, &folders) || !piaa_file_is_gone(path)) continue;
        if (!gone++) first = path;
    }
    if (gone)
        piaa_talk_note(&call->talk,
                       "%zu photo%s that %s read before %s gone, the first is %s; piaa store prune "
                       "%s forgets %s.",
                       gone, gone == 1 ? "" : "s", gone == 1 ? "was" : "were",
                       gone == 1 ? "is" : "are", first, piaa_store_path(reader->store),
                       gone == 1 ? "it" : "them");
    piaa_paths_free(&folders);
    return ok;
}

/* Where the chat form was not asked for, and is not the published one or may be meant to be. */
static void tell_form(const piaa_reader *reader, piaa_call *call) {
    const piaa_model_info *info = piaa_model_get_info(reader->model);
    const bool own = piaa_extractor_request(reader->extractor)->chat == PIAA_FORM_FOLDER;
    if (reader->tell_form && (own || info->chat_template == PIAA_TEMPLATE_UNREAD))
        piaa_talk_note(&call->talk, "The model's chat form is %s.%s", info->chat,
                       own ? " --chat published takes the published one." : "");
}

bool piaa_reader_embed(piaa_reader *reader, piaa_call *call, const piaa_paths *paths,
                       piaa_embed_summary *summary, piaa_error *error) {
    piaa_talk_catch_stop(&call->talk);
    tell_form(reader, call);
    hint_at_size(reader, call, paths);
    bool ok = piaa_embed_paths(reader->store, reader->extractor, paths, &call->talk.hooks, summary,
                               error);
    piaa_talk_clear(&call->talk);
    return ok && piaa_store_refresh(reader->store, error) && tell_gone(reader, call, error);
}

/* A word about what the photos said, once it is known. */
static piaa_ratings *read_stars(piaa_call *call, const piaa_photos *photos, piaa_error *error) {
    piaa_stars_found found;
    piaa_talk_catch_stop(&call->talk);
    piaa_ratings *ratings = piaa_ratings_of_photos(
        (const char *const *)photos->paths.items, (const char *const *)photos->names.items,
        photos->paths.count, &call->talk.hooks, &found, error);
    piaa_talk_clear(&call->talk);
    char rejected[64] = "";
    if (found.rejected)
        snprintf(rejected, sizeof rejected, " (%zu of them rejected, which counts as 0)",
                 found.rejected);
    if (ratings)
        piaa_talk_note(&call->talk, "Stars in the photos' XMP: %zu rated%s, %zu unrated.",
                       found.rated, rejected, found.unrated);
    return ratings;
}

piaa_ratings *piaa_reader_ratings(piaa_call *call, const piaa_photos *photos, piaa_error *error) {
    const char *from = piaa_call_value(call, "ratings");
    if (strcmp(from, "xmp") == 0) return read_stars(call, photos, error);
    const piaa_whose whose = {.user = piaa_call_value(call, "user"),
                              .user_column = piaa_call_value(call, "user-column")};
    piaa_ratings *ratings = piaa_ratings_read_of(from, &whose, &call->talk.hooks, error);
    if (ratings && piaa_ratings_match(ratings, (const char *const *)photos->paths.items,
                                      (const char *const *)photos->names.items, photos->paths.count,
                                      &call->talk.hooks, error))
        return ratings;
    piaa_ratings_free(ratings);
    return NULL;
}
