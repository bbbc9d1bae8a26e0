/* Conversations: photos' sights, and the beginning that is kept. */
#include "features/dialogue.h"

#include "base/memory.h"
#include "vlm/generate.h"

#include <stdlib.h>
#include <string.h>

/* A photo that was seen. */
typedef struct seen {
    char *path;
    piaa_sight sight;
    size_t turn; /* of the conversations that had it, the last */
} seen;

struct piaa_dialogue {
    piaa_extractor *extractor;
    piaa_model *model; /* the extractor's */
    piaa_session *session;
    seen **photos;
    size_t photo_count, photo_capacity;
    size_t conversations, seen_ever, tokens_read;
    /* What the cache holds the keys and values of: ids, and the photos among them. */
    piaa_ids kept;
    char **kept_photos;
    size_t kept_photo_count;
};

/* Sights of photos that the conversation in hand does not have are given up beyond it. */
static const size_t most_bytes = (size_t)512 << 20;

static size_t bytes_of(const piaa_sight *sight) {
    return (size_t)(1 + sight->added) * (size_t)sight->rows * (size_t)sight->columns *
           (size_t)sight->hidden * sizeof *sight->features;
}

static void free_seen(seen *photo) {
    free(photo->path);
    piaa_sight_free(&photo->sight);
    free(photo);
}

static void forget_kept(piaa_dialogue *d) {
    for (size_t i = 0; i < d->kept_photo_count; i++) free(d->kept_photos[i]);
    free(d->kept_photos);
    d->kept_photos = NULL;
    d->kept_photo_count = 0;
    d->kept.count = 0;
}

void piaa_dialogue_free(piaa_dialogue *d) {
    if (!d) return;
    for (size_t i = 0; i < d->photo_count; i++) free_seen(d->photos[i]);
    free(d->photos);
    forget_kept(d);
    piaa_ids_free(&d->kept);
    piaa_session_free(d->session);
    free(d);
}

static bool open_dialogue(piaa_dialogue *d, piaa_error *error) {
    enum { ROOM = 1024 };
    const piaa_request *request = piaa_extractor_request(d->extractor);
    if (!piaa_model_get_info(d->model)->layout.hidden_size)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s has no decoder, and answers in no words: name a vision-language "
                              "model",
                              piaa_model_get_info(d->model)->folder);
    piaa_decoding unused; /* what is wrong with it is told before weights are read */
    if (!piaa_decoding_read(d->model, false, &unused, error)) return false;
    piaa_decoding_free(&unused);
    const piaa_session_options options = {.dtype = request->dtype,
                                          .threads = request->threads,
                                          .device = request->device,
                                          .logits = true,
                                          .cache = ROOM};
    const piaa_slots none = {0};
    piaa_extractor_unload(d->extractor);
    d->session = piaa_session_new(d->model, &none, &options, error);
    return d->session != NULL;
}

piaa_dialogue *piaa_dialogue_new(piaa_extractor *extractor, piaa_error *error) {
    piaa_dialogue *d = piaa_alloc(1, sizeof *d, error);
    if (!d) return NULL;
    d->extractor = extractor;
    d->model = piaa_extractor_model(extractor);
    if (open_dialogue(d, error)) return d;
    piaa_dialogue_free(d);
    return NULL;
}

/* --------------------------------------------------------------------------------------- photos */

static bool see(piaa_dialogue *d, const char *path, piaa_sight *out, piaa_error *error) {
    piaa_model_input *input = piaa_extractor_prepare_path(d->extractor, path, error);
    const bool ok = input && piaa_session_see(d->session, input, out, error);
    piaa_model_input_free(input);
    return ok;
}

/* The photo as it was seen, or is now. */
static const piaa_sight *find_photo(piaa_dialogue *d, const char *path, piaa_error *error) {
    for (size_t i = 0; i < d->photo_count; i++)
        if (strcmp(d->photos[i]->path, path) == 0) {
            d->photos[i]->turn = d->conversations;
            return &d->photos[i]->sight;
        }
    if (!piaa_grow(&d->photos, &d->photo_capacity, d->photo_count + 1, sizeof(seen *), error))
        return NULL;
    seen *photo = piaa_alloc(1, sizeof *photo, error);
    if (!photo) return NULL;
    photo->turn = d->conversations;
    photo->path = piaa_strdup(path, error);
    if (!photo->path || !see(d, path, &photo->sight, error)) {
        free_seen(photo);
        return NULL;
    }
    d->seen_ever++;
    d->photos[d->photo_count++] = photo;
    return &photo->sight;
}

/* Gives up what was not of the last conversation, the first seen first, until the rest is small. */
static void forget_photos(piaa_dialogue *d) {
    size_t bytes = 0, kept = 0;
    for (size_t i = 0; i < d->photo_count; i++) bytes += bytes_of(&d->photos[i]->sight);
    for (size_t i = 0; i < d->photo_count; i++) {
        if (bytes <= most_bytes || d->photos[i]->turn == d->conversations) {
            d->photos[kept++] = d->photos[i];
            continue;
        }
        bytes -= bytes_of(&d->photos[i]->sight);
        free_seen(d->photos[i]);
    }
    d->photo_count = kept;
}

/* --------------------------------------------------------------------------------- conversation */

/* A conversation in hand. */
typedef struct talk {
    piaa_chat_part *parts;
    piaa_chat_turn *turns;
    const char **photos;       /* [images] their paths */
    const piaa_sight **sights; /* [images] */
    size_t images;
    piaa_chat_tokens chat;
} talk;

static bool lay_out(piaa_dialogue *d, const piaa_dialogue_turn *turns, size_t count, talk *t,
                    piaa_error *error) {
    size_t parts = 0;
    for (size_t i = 0; i < count; i++) parts += turns[i].count;
    if (!(t->parts = piaa_alloc_array(parts, sizeof *t->parts, error)) ||
        !(t->turns = piaa_alloc_array(count, sizeof *t->turns, error)) ||
        !(t->photos = piaa_alloc_array(parts, sizeof *t->photos, error)) ||
        !(t->sights = piaa_alloc_array(parts, sizeof *t->sights, error)))
        return false;
    piaa_chat_part *part = t->parts;
    for (size_t i = 0; i < count; i++) {
        t->turns[i] = (piaa_chat_turn){turns[i].assistant, part, turns[i].count};
        for (size_t k = 0; k < turns[i].count; k++, part++) {
            const piaa_dialogue_part *given = &turns[i].parts[k];
            *part = (piaa_chat_part){given->text, 0};
            if (given->text) continue;
            const piaa_sight *sight = find_photo(d, given->photo, error);
            if (!sight) return false;
            part->image_tokens = (size_t)sight->rows * (size_t)sight->columns;
            t->photos[t->images] = given->photo;
            t->sights[t->images++] = sight;
        }
    }
    const piaa_request *request = piaa_extractor_request(d->extractor);
    const piaa_ask ask = {.generate = true, .published = request->chat == PIAA_FORM_PUBLISHED};
    return piaa_model_encode(d->model, t->turns, count, &ask, &t->chat, error);
}

static void free_talk(talk *t) {
    free(t->parts);
    free(t->turns);
    free(t->photos);
    free(t->sights);
    piaa_chat_tokens_free(&t->chat);
}

/* Where the second piece begins: with the last of several photos. */
static size_t beginning_of(const talk *t) {
    return t->images > 1 ? t->chat.images[t->images - 1].start : 0;
}

static bool is_kept(const piaa_dialogue *d, const talk *t, size_t beginning) {
    if (d->kept.count != beginning || d->kept_photo_count + 1 != t->images ||
        memcmp(d->kept.items, t->chat.ids.items, beginning * sizeof *d->kept.items) != 0)
        return false;
    for (size_t i = 0; i < d->kept_photo_count; i++)
        if (strcmp(d->kept_photos[i], t->photos[i]) != 0) return false;
    return true;
}

static bool note_kept(piaa_dialogue *d, const talk *t, size_t beginning, piaa_error *error) {
    d->kept_photos = piaa_alloc(t->images, sizeof *d->kept_photos, error);
    if (!d->kept_photos) return false;
    while (d->kept_photo_count + 1 < t->images) {
        char *path = piaa_strdup(t->photos[d->kept_photo_count], error);
        if (!path) return false;
        d->kept_photos[d->kept_photo_count++] = path;
    }
    for (size_t i = 0; i < beginning; i++)
        if (!piaa_ids_add(&d->kept, t->chat.ids.items[i], error)) return false;
    return true;
}

/* Reads the first `beginning` tokens, if they are not what the cache holds. */
static bool read_beginning(piaa_dialogue *d, const talk *t, size_t beginning, piaa_error *error) {
    if (!beginning || is_kept(d, t, beginning)) return true;
    forget_kept(d);
    piaa_chat_tokens first = t->chat;
    first.ids.count = beginning;
    first.image_count = t->images - 1;
    const piaa_image_attention attention = piaa_extractor_request(d->extractor)->image_attention;
    piaa_model_input *input = piaa_model_converse(d->model, &first, t->sights, attention, 0, error);
    const bool ok = input && piaa_session_run(d->session, input, NULL, error) &&
                    note_kept(d, t, beginning, error);
    piaa_model_input_free(input);
    if (!ok) forget_kept(d);
    d->tokens_read += beginning;
    return ok;
}

static piaa_answer *answer(piaa_dialogue *d, const talk *t, const piaa_decoding *decoding,
                           const piaa_answering *how, piaa_error *error) {
    const size_t beginning = beginning_of(t);
    const piaa_image_attention attention = piaa_extractor_request(d->extractor)->image_attention;
    piaa_model_input *input =
        piaa_model_converse(d->model, &t->chat, t->sights, attention, (int)beginning, error);
    if (!input) return NULL;
    const piaa_ids before = {.items = t->chat.ids.items, .count = beginning};
    piaa_answer *said = NULL;
    if (!beginning) forget_kept(d); /* it is written over */
    if (read_beginning(d, t, beginning, error))
        said = piaa_generate(d->model, d->session, input, &before, decoding, how, NULL, error);
    d->tokens_read += t->chat.ids.count - beginning;
    piaa_model_input_free(input);
    return said;
}

piaa_answer *piaa_dialogue_answer(piaa_dialogue *d, const piaa_dialogue_turn *turns, size_t count,
                                  const piaa_answering *how, piaa_error *error) {
    talk t = {0};
    piaa_decoding decoding;
    piaa_answer *said = NULL;
    if (!piaa_decoding_read(d->model, how->sample, &decoding, error)) return NULL;
    d->conversations++;
    if (piaa_decoding_set(&decoding, how, error) && lay_out(d, turns, count, &t, error))
        said = answer(d, &t, &decoding, how, error);
    free_talk(&t);
    forget_photos(d);
    piaa_decoding_free(&decoding);
    return said;
}

const char *piaa_dialogue_note(const piaa_dialogue *d) {
    return piaa_session_note(d->session);
}

size_t piaa_dialogue_seen(const piaa_dialogue *d) {
    return d->seen_ever;
}

size_t piaa_dialogue_tokens_read(const piaa_dialogue *d) {
    return d->tokens_read;
}
