/* The published training: conversations without their photos, in padded batches. */
#include "train/published.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "base/random.h"
#include "features/extractor.h"
#include "train/trainer.h"
#include "vlm/model.h"

#include <stdlib.h>

enum { RANK = 8, BATCH = 4, EPOCHS = 3 };

typedef struct training {
    piaa_model *model;
    piaa_extractor *extractor;
    piaa_network *network;
    piaa_lora *lora;
    piaa_trainer *trainer;
    piaa_tune_form form;
    piaa_chat_tokens *chats; /* [count] */
    size_t *starts;          /* [count] of the answers */
    double *scores;          /* [count] */
    size_t count, capacity;
    size_t *order;
    piaa_random random;
    int64_t steps, warm;
    const piaa_hooks *hooks;
} training;

/* A photo's conversation; only its size is looked at.  false with the photo's fault or another. */
static bool encode(training *t, const piaa_tune_photo *photo, piaa_chat_tokens *out,
                   piaa_error *error) {
    const piaa_request *r = piaa_extractor_request(t->extractor);
    piaa_model_input *input = piaa_extractor_prepare_path(t->extractor, photo->path, error);
    if (!input) return false;
    char room[PIAA_TUNE_ANSWER];
    const char *answer = piaa_tune_answer(t->form, photo, room);
    const piaa_chat_part question[] = {
        {.image_tokens = (size_t)piaa_model_input_image_tokens(input)}, {.text = r->prompt}};
    const piaa_chat_part reply = {.text = answer};
    const piaa_chat_turn turns[] = {{.parts = question, .count = 2},
                                    {.assistant = true, .parts = &reply, .count = 1}};
    piaa_ask ask = {.published = r->chat == PIAA_FORM_PUBLISHED, .generate = true};
    piaa_model_input_free(input);
    piaa_chat_tokens asked = {0};
    if (!piaa_model_encode(t->model, turns, 1, &ask, &asked, error)) return false;
    t->starts[t->count] = asked.ids.count;
    piaa_chat_tokens_free(&asked);
    ask.generate = false;
    return piaa_model_encode(t->model, turns, 2, &ask, out, error);
}

static bool encode_all(training *t, const piaa_tune_photo *photos, piaa_error *error) {
    for (size_t i = 0; i < t->capacity; i++) {
        piaa_error own = {0};
        if (encode(t, &photos[i], &t->chats[t->count], &own)) {
            t->scores[t->count++] = photos[i].score;
        } else if (piaa_tune_is_photos(&own)) {
            piaa_hooks_warn(t->hooks, "%s", own.message);
        } else {
            return piaa_error_set(error, own.code, "%s", own.message);
        }
    }
    return t->count > 0 ||
           piaa_error_set(error, PIAA_USAGE, "no rated photo can be read: nothing to train on");
}

static piaa_sample *make_sample(const training *t, size_t i, size_t longest, piaa_error *error) {
    const piaa_chat_tokens *chat = &t->chats[i];
    const bool every = t->form == PIAA_TUNE_SCORE;
    const piaa_sight *unseen[] = {NULL};
    bool *labelled = piaa_alloc(chat->ids.count, sizeof *labelled, error);
    if (!labelled) return NULL;
    const bool digit = t->form == PIAA_TUNE_DIGIT;
    for (size_t k = every ? 0 : t->starts[i]; !digit && k < chat->ids.count; k++)
        labelled[k] = true;
    piaa_sample *sample = NULL;
    if (!digit || piaa_tune_label_digit(t->model, &chat->ids, t->scores[i], labelled, error))
        sample = piaa_sample_new(t->model, chat, labelled, unseen, PIAA_IMAGE_CAUSAL,
                                 every ? (int)(longest - chat->ids.count) : 0, error);
    free(labelled);
    return sample;
}

static bool step(training *t, size_t at, int64_t number, piaa_error *error) {
    piaa_sample *samples[BATCH] = {NULL};
    const piaa_sample *given[BATCH];
    piaa_batch batch = {.samples = given, .dropout = piaa_random_word(&t->random)};
    size_t longest = 0;
    const size_t n = t->count - at < BATCH ? t->count - at : BATCH;
    for (size_t i = 0; i < n; i++) {
        const size_t ids = t->chats[t->order[at + i]].ids.count;
        if (ids > longest) longest = ids;
    }
    bool ok = true;
    for (; ok && batch.count < n; batch.count++) {
        samples[batch.count] = make_sample(t, t->order[at + batch.count], longest, error);
        given[batch.count] = samples[batch.count];
        ok = samples[batch.count] != NULL;
    }
    const double rate = piaa_schedule(1e-4, number, t->warm, t->steps);
    ok = ok && piaa_trainer_step(t->trainer, &batch, rate, NULL, error);
    for (size_t i = 0; i < n; i++) piaa_sample_free(samples[i]);
    return ok;
}

static bool run_steps(training *t, piaa_error *error) {
    int64_t number = 0;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        piaa_random_permutation(&t->random, t->order, t->count);
        for (size_t at = 0; at < t->count; at += BATCH, number++) {
            if (t->hooks && t->hooks->stop && t->hooks->stop(t->hooks->user))
                return piaa_error_set(error, PIAA_STOPPED, "stopped after %lld of %lld steps",
                                      (long long)number, (long long)t->steps);
            if (!step(t, at, number, error)) return false;
        }
    }
    return true;
}

static bool run(training *t, const piaa_request *request, const piaa_tune_photo *photos,
                uint32_t seed, const char *folder, piaa_error *error) {
    const piaa_decoder *decoder = t->model->family->decoder(t->model->config);
    piaa_request own = request ? *request : (piaa_request){0};
    if (t->form != PIAA_TUNE_TEXT) own.prompt = piaa_tune_prompt(t->form);
    if (!piaa_lora_may_write(folder, error) ||
        !(t->extractor = piaa_extractor_new(t->model, &own, error)) ||
        !(t->chats = piaa_alloc(t->capacity, sizeof *t->chats, error)) ||
        !(t->starts = piaa_alloc(t->capacity, sizeof *t->starts, error)) ||
        !(t->scores = piaa_alloc(t->capacity, sizeof *t->scores, error)) ||
        !(t->order = piaa_alloc(t->capacity, sizeof *t->order, error)) ||
        !encode_all(t, photos, error))
        return false;
    const piaa_request *r = piaa_extractor_request(t->extractor);
    t->steps = EPOCHS * (int64_t)((t->count + BATCH - 1) / BATCH);
    /* min(100, steps / 10) of one adapter for all people */
    const int64_t tenth = t->steps / 10;
    t->warm = t->form != PIAA_TUNE_DIGIT ? piaa_schedule_warm(t->steps) : tenth < 100 ? tenth : 100;
    piaa_random_seed_numpy(&t->random, seed);
    t->network = piaa_network_new(decoder, r->dtype, r->threads, error);
    if (t->network)
        t->lora = piaa_lora_new(decoder, RANK, 2.0 * RANK, PIAA_ALL_TARGETS, 0.1, seed, error);
    if (t->lora) t->trainer = piaa_trainer_new(t->network, t->lora, 0.01, error);
    return t->trainer && run_steps(t, error) &&
           piaa_lora_write(t->lora, piaa_model_get_info(t->model)->folder, folder, error);
}

bool piaa_published_train(piaa_model *model, const piaa_request *request,
                          const piaa_tune_photo *photos, size_t count, piaa_tune_form form,
                          uint32_t seed, const char *folder, const piaa_hooks *hooks,
                          piaa_error *error) {
    training t = {.model = model, .form = form, .capacity = count, .hooks = hooks};
    const bool ok = piaa_tune_check(model, error) && run(&t, request, photos, seed, folder, error);
    for (size_t i = 0; t.chats && i < t.count; i++) piaa_chat_tokens_free(&t.chats[i]);
    free(t.chats);
    free(t.starts);
    free(t.scores);
    free(t.order);
    piaa_trainer_free(t.trainer);
    piaa_lora_free(t.lora);
    piaa_network_free(t.network);
    piaa_extractor_free(t.extractor);
    return ok;
}
