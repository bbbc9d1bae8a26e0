/* A model, a request and a store that is brought up to date. */
#include "features/reader.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "features/identity.h"
#include "features/store_parts.h"
#include "image/photo.h"
#include "weights/checkpoint_parts.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct piaa_reader {
    piaa_model *model; /* the caller's */
    piaa_extractor *extractor;
    piaa_store *store;
    bool form_is_ours; /* the chat form was not asked for */
};

piaa_reader *piaa_reader_new(piaa_model *model, const piaa_request *request, piaa_error *error) {
    piaa_extractor *extractor = piaa_extractor_new(model, request, error);
    piaa_reader *reader = extractor ? piaa_alloc(1, sizeof *reader, error) : NULL;
    if (!reader) {
        piaa_extractor_free(extractor);
        return NULL;
    }
    *reader = (piaa_reader){.model = model,
                            .extractor = extractor,
                            .form_is_ours = !request || request->chat == PIAA_FORM_AUTO};
    return reader;
}

void piaa_reader_free(piaa_reader *reader) {
    if (!reader) return;
    piaa_store_close(reader->store);
    piaa_extractor_free(reader->extractor);
    free(reader);
}

piaa_extractor *piaa_reader_extractor(const piaa_reader *reader) {
    return reader->extractor;
}

const piaa_store *piaa_reader_store(const piaa_reader *reader) {
    return reader->store;
}

/* ----------------------------------------------------------------------------- what was made
 * before */

bool piaa_identity_is_demonstration(const piaa_identity *identity) {
    return identity->fingerprint && piaa_model_is_demonstration(identity->fingerprint);
}

bool piaa_identity_model(const piaa_identity *identity, const char **out, piaa_error *error) {
    const bool there = piaa_file_is_folder(identity->model) || piaa_gguf_pair_is(identity->model);
    *out = there ? identity->model : NULL;
    return there || piaa_identity_is_demonstration(identity) ||
           piaa_error_set(
               error, PIAA_IO,
               "the model of this taste, %.600s, is not there any more: name it with --model",
               identity->model);
}

bool piaa_identity_adapter(const piaa_identity *identity, const char **out, piaa_error *error) {
    *out = identity->adapter && *identity->adapter ? identity->adapter : NULL;
    return !*out || piaa_file_is_folder(*out) ||
           piaa_error_set(
               error, PIAA_IO,
               "the adapter of this taste, %.600s, is not there any more: name it with --adapter",
               *out);
}

/* ------------------------------------------------------------------------------------ the store */

/* A hash of what the features depend on.  What was not kept from the beginning is part of the name
 * of a second folder alone (`all`), for features that differ in it from those in the first, so that
 * the folders of before are found. */
static void hash_identity(const piaa_identity *identity, bool all, char out[17]) {
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const piaa_identity_key *key = &piaa_identity_keys[i];
        if (!key->called || (key->before && !all)) continue;
        const char *value = piaa_identity_get(identity, i);
        g_checksum_update(hash, (const guchar *)value, (gssize)strlen(value) + 1);
    }
    snprintf(out, 17, "%.16s", g_checksum_get_string(hash));
    g_checksum_free(hash);
}

/* $XDG_CACHE_HOME/piaa/stores/HASH, its parents made; to be freed by the caller. */
static char *cache_store(const piaa_identity *identity, bool all, piaa_error *error) {
    char digest[17];
    hash_identity(identity, all, digest);
    char *parent =
        piaa_cache_path("piaa/stores", "features", "name a folder for them with --store", error);
    char *path = NULL;
    if (parent && !piaa_folders_make(parent))
        piaa_error_set(
            error, PIAA_IO,
            "cannot make the folder %s (%s): name another place for the features with --store",
            parent, strerror(errno));
    else if (parent)
        path = piaa_format(error, "%s/%s", parent, digest);
    free(parent);
    return path;
}

/* A packed store is read as it is, and has to have all that is asked for. */
static piaa_store *open_packed(const piaa_reader *reader, const char *path, const piaa_hooks *hooks,
                               piaa_error *error) {
    const piaa_slots *slots = piaa_extractor_slots(reader->extractor);
    piaa_store *store = piaa_store_open_read(path, hooks, error);
    bool ok = store &&
              piaa_store_check_identity(store, piaa_extractor_identity(reader->extractor), error);
    for (size_t i = 0; ok && i < slots->count; i++)
        if (piaa_store_find_slot(store, slots->items[i].pool, slots->items[i].layer) < 0)
            ok = piaa_error_set(error, PIAA_MISMATCH,
                                "%s holds no %s: embed the photos with it into the store that this "
                                "was packed from, and pack that again",
                                path, piaa_slot_name(&slots->items[i]).text);
    if (ok) return store;
    piaa_store_close(store);
    return NULL;
}

static piaa_store *open_store(const piaa_reader *reader, const char *path, const piaa_hooks *hooks,
                              piaa_error *error) {
    if (piaa_store_is_packed(path)) return open_packed(reader, path, hooks, error);
    return piaa_store_open_write(path, piaa_extractor_identity(reader->extractor),
                                 piaa_extractor_slots(reader->extractor), hooks, error);
}

static piaa_store *open_cached(const piaa_reader *reader, bool all, const piaa_hooks *hooks,
                               piaa_error *error) {
    char *path = cache_store(piaa_extractor_identity(reader->extractor), all, error);
    piaa_store *store = path ? open_store(reader, path, hooks, error) : NULL;
    free(path);
    return store;
}

bool piaa_reader_open_store(piaa_reader *reader, const char *path, bool retry,
                            const piaa_hooks *hooks, piaa_error *error) {
    if (!reader) return piaa_error_missing(error, "reader");
    if (piaa_error_pending(error)) return false;
    if (path && retry && !piaa_store_refuse_packed(path, error)) return false;
    piaa_error why = {0};
    piaa_store_close(reader->store);
    reader->store =
        path ? open_store(reader, path, hooks, &why) : open_cached(reader, false, hooks, &why);
    if (!reader->store && !path && why.code == PIAA_MISMATCH) {
        why = (piaa_error){0};
        reader->store = open_cached(reader, true, hooks, &why);
    }
    if (!reader->store) return piaa_error_set(error, why.code, "%s", why.message);
    return !retry || piaa_store_retry(reader->store, error);
}

/* ----------------------------------------------------------------------------- what is worth
 * saying */

/* Pixels of a photo, by its header; 0 where that cannot be read. */
static int64_t pixels_of(const char *path) {
    piaa_photo_file file;
    int width = 0, height = 0;
    bool ok =
        piaa_photo_file_read(&file, path, NULL) && piaa_photo_size(&file, &width, &height, NULL);
    piaa_photo_file_free(&file);
    return ok ? (int64_t)width * height : 0;
}

static bool is_unread(piaa_store *store, const char *path) {
    struct stat status;
    piaa_photo_state state;
    if (stat(path, &status) != 0) return false;
    piaa_photo file = piaa_photo_of_file(path, &status);
    return piaa_store_lookup(store, &file, &state, NULL, NULL) &&
           state.status != PIAA_PHOTO_COMPLETE && state.status != PIAA_PHOTO_FAILED;
}

/* The largest of some photos that are to be read. */
static int64_t most_pixels(const piaa_reader *reader, const char *const *paths, size_t count) {
    enum { LOOK_AT = 16 };
    int64_t most = 0;
    for (size_t i = 0; i < count; i += count / LOOK_AT + 1) {
        const int64_t pixels = is_unread(reader->store, paths[i]) ? pixels_of(paths[i]) : 0;
        if (pixels > most) most = pixels;
    }
    return most;
}

/* Time goes at least with the number of tokens, and the largest photos set it. */
static void hint_at_size(const piaa_reader *reader, const char *const *paths, size_t count,
                         const piaa_hooks *hooks) {
    enum { LONG_RUN = 4, MANY = 4 };
    const piaa_model_info *info = piaa_model_get_info(reader->model);
    const int64_t limit = piaa_extractor_request(reader->extractor)->max_pixels,
                  advised = PIAA_ADVISED_PIXELS, tile = (int64_t)info->patch * info->merge;
    const bool shrunk = limit == advised && info->max_pixels > limit,
               slow = limit > MANY * advised && count >= LONG_RUN;
    if (!shrunk && !slow) return;
    const int64_t most = most_pixels(reader, paths, count), seen = most < limit ? most : limit;
    if (shrunk && most > limit)
        piaa_hooks_note(hooks,
                        "Photos are read at up to 1 megapixel; --max-pixels, here up to %lld, "
                        "shows the model more of them and takes longer.",
                        (long long)info->max_pixels);
    if (slow && seen > MANY * advised)
        piaa_hooks_note(hooks,
                        "Photos are read at up to %lld tokens each; --max-pixels %lld is at least "
                        "%.0f times faster for the largest.",
                        (long long)(seen / (tile * tile)), (long long)advised,
                        (double)seen / (double)advised);
}

/* Where the chat form was not asked for, and is not the published one or may be meant to be. */
static void tell_form(const piaa_reader *reader, const piaa_hooks *hooks) {
    const piaa_model_info *info = piaa_model_get_info(reader->model);
    const bool own = piaa_extractor_request(reader->extractor)->chat == PIAA_FORM_FOLDER &&
                     info->chat_template == PIAA_TEMPLATE_OWN;
    if (reader->form_is_ours && (own || info->chat_template == PIAA_TEMPLATE_UNREAD))
        piaa_hooks_note(hooks, "The model's chat form is %s.%s", info->chat,
                        own ? " --chat published takes the published one." : "");
}

/* Whether `path` is in one of the folders. */
static bool is_within(const char *path, const piaa_paths *folders) {
    for (size_t i = 0; i < folders->count; i++)
        if (piaa_path_below(path, folders->items[i])) return true;
    return false;
}

/* Photos that were read in the same folders before and are not there any more. */
static void tell_gone(const piaa_reader *reader, const piaa_paths *folders,
                      const piaa_hooks *hooks) {
    size_t gone = 0;
    const char *first = NULL;
    for (size_t i = 0; folders->count && i < piaa_store_photos(reader->store); i++) {
        const char *path = piaa_store_photo(reader->store, i).path;
        if (!is_within(path, folders) || !piaa_file_is_gone(path)) continue;
        if (!gone++) first = path;
    }
    if (gone)
        piaa_hooks_note(hooks,
                        "%zu photo%s that %s read before %s gone, the first is %s; piaa store "
                        "prune %s forgets %s.",
                        gone, gone == 1 ? "" : "s", gone == 1 ? "was" : "were",
                        gone == 1 ? "is" : "are", first, piaa_store_path(reader->store),
                        gone == 1 ? "it" : "them");
}

/* ------------------------------------------------------------------------------------------
 * reading */

/* Photos that a packed store does not have are told of. */
static void look_up(const piaa_reader *reader, const char *const *paths, size_t count,
                    const piaa_hooks *hooks, piaa_embed_summary *summary) {
    piaa_embed_summary found = {.photos = (int64_t)count};
    const char *first = NULL;
    for (size_t i = 0; i < count; i++) {
        const bool there = piaa_store_find(reader->store, paths[i]).row >= 0;
        found.unchanged += there;
        found.failed += !there;
        if (!there && !first) first = paths[i];
    }
    if (first)
        piaa_hooks_warn(hooks,
                        "%lld of %zu photos are not in the packed store %s, the first is %s: embed "
                        "them into the store that it was packed from, and pack that again",
                        (long long)found.failed, count, piaa_store_path(reader->store), first);
    if (summary) *summary = found;
}

bool piaa_reader_read_paths(piaa_reader *reader, const char *const *paths, size_t count,
                            const piaa_hooks *hooks, piaa_embed_summary *summary,
                            piaa_error *error) {
    if (!reader || !reader->store) return piaa_error_missing(error, reader ? "store" : "reader");
    if (piaa_store_packing(reader->store)) {
        look_up(reader, paths, count, hooks, summary);
        return true;
    }
    tell_form(reader, hooks);
    hint_at_size(reader, paths, count, hooks);
    return piaa_embed_paths(reader->store, reader->extractor, paths, count, hooks, summary,
                            error) &&
           piaa_store_refresh(reader->store, error);
}

bool piaa_reader_read(piaa_reader *reader, const piaa_photos *photos, const piaa_hooks *hooks,
                      piaa_embed_summary *summary, piaa_error *error) {
    if (!photos) return piaa_error_missing(error, "photos");
    if (piaa_error_pending(error)) return false;
    size_t count;
    const char **paths = piaa_photos_to_read(photos, &count, error);
    const bool ok = paths && piaa_reader_read_paths(reader, paths, count, hooks, summary, error);
    free(paths);
    if (ok) tell_gone(reader, &photos->folders, hooks);
    return ok;
}
