/* Photos to conversations, conversations to an adapter, its rate and epochs by cross-validation. */
#include "train/tune.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "base/random.h"
#include "features/extractor.h"
#include "train/trainer.h"
#include "train/tune_record.h"
#include "vlm/generate.h"
#include "vlm/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANK = 8, BATCH = 4, EPOCHS = 6, FOLDS = 3, FEWEST = 2 };

static const double grid[] = {1e-4, 3e-4, 1e-3, 3e-3};

typedef struct tuning {
    piaa_model *model;
    piaa_tune_form form;
    const piaa_decoder *decoder;
    const char *folder;
    const piaa_hooks *hooks;
    piaa_lora_options options; /* with every default filled in */
    unsigned targets;
    piaa_extractor *extractor;
    const piaa_network *network;
    piaa_network *own;
    piaa_sample **samples;
    size_t count, capacity; /* capacity: photos given */
    int *fold;
    double rates[PIAA_COUNT(grid)];
    int rate_count;
    int64_t done, total; /* steps */
    piaa_tune_record record;
} tuning;

/* ------------------------------------------------------------------------------------- settings */

/* "q,k,v,o,gate,up,down" */
static bool read_targets(const char *text, unsigned *out, piaa_error *error) {
    static const char *const names[PIAA_TARGETS] = {"q", "k", "v", "o", "gate", "up", "down"};
    *out = 0;
    for (size_t n; *text; text += n + (text[n] == ',')) {
        n = strcspn(text, ",");
        int i = 0;
        while (i < PIAA_TARGETS && (strlen(names[i]) != n || strncmp(names[i], text, n) != 0)) i++;
        if (i == PIAA_TARGETS)
            return piaa_error_set(error, PIAA_USAGE,
                                  "\"%.*s\" is none of the matrices that an adapter can change: q, "
                                  "k, v, o, gate, up, down",
                                  (int)n, text);
        *out |= 1u << i;
    }
    return true;
}

static bool fill_options(tuning *t, const piaa_lora_options *given, piaa_error *error) {
    piaa_lora_options *o = &t->options;
    if (given) *o = *given;
    if (!o->rank) o->rank = RANK;
    if (!(o->alpha > 0)) o->alpha = 2.0 * o->rank;
    if (!o->batch) o->batch = BATCH;
    if (!o->folds) o->folds = FOLDS;
    t->targets = PIAA_ALL_TARGETS;
    t->rate_count = o->rate > 0 ? 1 : (int)PIAA_COUNT(grid);
    for (int i = 0; i < t->rate_count; i++) t->rates[i] = o->rate > 0 ? o->rate : grid[i];
    if (o->batch < 1 || o->folds < 2 || o->epochs < 0 || o->rate < 0)
        return piaa_error_set(error, PIAA_USAGE,
                              "an adapter is learned in steps of at least one photo, with a "
                              "positive rate and epochs, and chosen in at least two folds");
    return !o->targets || read_targets(o->targets, &t->targets, error);
}

bool piaa_tune_check(const piaa_model *model, piaa_error *error) {
    const piaa_model_info *info = piaa_model_get_info(model);
    if (!model->family->decoder || !info->layout.hidden_size)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s answers no questions: an adapter needs a model with a decoder",
                              info->folder);
    if (info->adapter)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s was opened with an adapter, and one on top of another cannot be "
                              "used by itself: leave --adapter out",
                              info->folder);
    if (piaa_path_ends_like(piaa_checkpoint_where(model->checkpoint), ".gguf"))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a GGUF file, and an adapter is merged into a Hugging Face "
                              "folder: give that (--dtype q4_K holds it in as few bytes)",
                              info->folder);
    return true;
}

/* -------------------------------------------------------------------------------- conversations */

const char *piaa_tune_prompt(piaa_tune_form form) {
    static const char integer[] =
        "You are an expert judge of image aesthetics.\nFor each image, rate its overall visual "
        "aesthetic quality on a scale from 1 to 5.\nRespond with a single integer (1, 2, 3, 4, or "
        "5) and nothing else.\nRate this image now.";
    return form == PIAA_TUNE_SCORE ? PIAA_EXPERT_PROMPT : integer;
}

const char *piaa_tune_answer(piaa_tune_form form, const piaa_tune_photo *photo,
                             char room[PIAA_TUNE_ANSWER]) {
    if (form == PIAA_TUNE_TEXT) return photo->answer;
    if (form == PIAA_TUNE_SCORE)
        snprintf(room, PIAA_TUNE_ANSWER, "%.2f", photo->score);
    else
        snprintf(room, PIAA_TUNE_ANSWER, "%.0f", fmin(fmax(nearbyint(photo->score), 1), 5));
    return room;
}

bool piaa_tune_label_digit(const piaa_model *model, const piaa_ids *ids, double score,
                           bool *labelled, piaa_error *error) {
    int32_t digits[PIAA_DIGITS];
    if (!piaa_digits_find(model, digits, error)) return false;
    const int32_t digit = digits[(int)fmin(fmax(nearbyint(score), 1), 5) - 1];
    for (size_t i = ids->count; i > 0; i--)
        if (ids->items[i - 1] == digit) return labelled[i - 1] = true;
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s writes the digit of an answer together with other text",
                          piaa_model_get_info(model)->folder);
}

static bool encode(const tuning *t, const piaa_sight *sight, const char *answer, bool whole,
                   piaa_chat_tokens *out, piaa_error *error) {
    const piaa_request *r = piaa_extractor_request(t->extractor);
    const piaa_chat_part question[] = {
        {.image_tokens = (size_t)sight->rows * (size_t)sight->columns}, {.text = r->prompt}};
    const piaa_chat_part reply = {.text = answer};
    const piaa_chat_turn turns[] = {{.parts = question, .count = 2},
                                    {.assistant = true, .parts = &reply, .count = 1}};
    const piaa_ask ask = {.generate = !whole, .published = r->chat == PIAA_FORM_PUBLISHED};
    return piaa_model_encode(t->model, turns, whole ? 2 : 1, &ask, out, error);
}

/* The labels of everything behind the question, which is the conversation's beginning. */
static bool label(const piaa_ids *whole, const piaa_ids *question, bool *labelled,
                  piaa_error *error) {
    for (size_t i = 0; i < whole->count; i++) labelled[i] = i >= question->count;
    return (question->count < whole->count &&
            memcmp(whole->items, question->items, question->count * sizeof *whole->items) == 0) ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "the model's chat template writes a question otherwise before an answer "
                          "than alone: use --chat published");
}

static piaa_sample *converse(const tuning *t, const piaa_sight *sight, const piaa_tune_photo *photo,
                             piaa_error *error) {
    char room[PIAA_TUNE_ANSWER];
    const char *answer = piaa_tune_answer(t->form, photo, room);
    piaa_chat_tokens whole = {0}, question = {0};
    piaa_sample *sample = NULL;
    bool *labelled = NULL;
    if (encode(t, sight, answer, true, &whole, error) &&
        encode(t, sight, answer, false, &question, error))
        labelled = piaa_alloc(whole.ids.count, sizeof *labelled, error);
    if (labelled &&
        (t->form != PIAA_TUNE_DIGIT
             ? label(&whole.ids, &question.ids, labelled, error)
             : piaa_tune_label_digit(t->model, &whole.ids, photo->score, labelled, error)))
        sample = piaa_sample_new(t->model, &whole, labelled, &sight,
                                 piaa_extractor_request(t->extractor)->image_attention, 0, error);
    free(labelled);
    piaa_chat_tokens_free(&whole);
    piaa_chat_tokens_free(&question);
    return sample;
}

/* What the encoder makes of a photo.  false with PIAA_IO or PIAA_FORMAT: the photo is at fault. */
static bool look(const tuning *t, piaa_session *session, const char *path, piaa_sight *sight,
                 piaa_error *error) {
    piaa_model_input *input = piaa_extractor_prepare_path(t->extractor, path, error);
    const bool ok = input && piaa_session_see(session, input, sight, error);
    piaa_model_input_free(input);
    return ok;
}

bool piaa_tune_is_photos(const piaa_error *error) {
    return error->code == PIAA_IO || error->code == PIAA_FORMAT || error->code == PIAA_UNSUPPORTED;
}

static bool add_photo(tuning *t, piaa_session *session, const piaa_tune_photo *photo,
                      piaa_error *error) {
    piaa_sight sight = {0};
    piaa_error own = {0};
    if (!isfinite(photo->score))
        return piaa_error_set(error, PIAA_USAGE, "%s: its score is not a number", photo->path);
    if (!look(t, session, photo->path, &sight, &own)) {
        piaa_sight_free(&sight);
        if (!piaa_tune_is_photos(&own)) return piaa_error_set(error, own.code, "%s", own.message);
        piaa_hooks_warn(t->hooks, "%s", own.message);
        return true;
    }
    t->samples[t->count] = converse(t, &sight, photo, error);
    piaa_sight_free(&sight);
    return t->samples[t->count++] != NULL;
}

static bool stopped(const tuning *t) {
    return t->hooks && t->hooks->stop && t->hooks->stop(t->hooks->user);
}

static bool see_all(tuning *t, piaa_session *session, const piaa_tune_photo *photos,
                    piaa_error *error) {
    for (size_t i = 0; i < t->capacity; i++) {
        if (stopped(t))
            return piaa_error_set(error, PIAA_STOPPED, "stopped after %zu of %zu photos", i,
                                  t->capacity);
        if (!add_photo(t, session, &photos[i], error)) return false;
        if (t->hooks && t->hooks->progress)
            t->hooks->progress(t->hooks->user, "Reading photos", (int64_t)i + 1,
                               (int64_t)t->capacity);
    }
    return t->count >= FEWEST ||
           piaa_error_set(error, PIAA_USAGE,
                          "an adapter is learned from at least %d rated photos that can be read, "
                          "here %s",
                          FEWEST, t->count ? "is one" : "are none");
}

static bool make_samples(tuning *t, const piaa_tune_photo *photos, piaa_error *error) {
    const piaa_request *r = piaa_extractor_request(t->extractor);
    t->samples = piaa_alloc(t->capacity, sizeof *t->samples, error);
    if (!t->samples) return false;
    piaa_session *session = piaa_session_new(
        t->model, &(piaa_slots){0},
        &(piaa_session_options){
            .dtype = r->dtype, .threads = r->threads, .device = r->device, .see = true},
        error);
    const bool ok = session && see_all(t, session, photos, error);
    piaa_session_free(session);
    return ok;
}

/* ----------------------------------------------------------------------------- cross-validation */

/* Epochs of the schedule. */
static int epochs_of(const tuning *t) {
    return t->options.epochs ? t->options.epochs : EPOCHS;
}

static int64_t steps_of(const tuning *t, size_t count) {
    return (int64_t)((count + (size_t)t->options.batch - 1) / (size_t)t->options.batch);
}

static void count_step(void *user) {
    tuning *t = user;
    t->done++;
    if (t->hooks && t->hooks->progress)
        t->hooks->progress(t->hooks->user, "Training", t->done, t->total);
}

/* Sum of -log of what the samples' answers have, and how many tokens that is. */
static bool measure(const tuning *t, const piaa_lora *lora, const piaa_sample *const *samples,
                    size_t count, double *sum, double *tokens, piaa_error *error) {
    *sum = *tokens = 0;
    for (size_t at = 0, n; at < count; at += n) {
        n = count - at < (size_t)t->options.batch ? count - at : (size_t)t->options.batch;
        const piaa_batch batch = {.samples = samples + at, .count = n};
        double loss, labels = 0;
        if (!piaa_network_loss(t->network, (piaa_lora *)lora, &batch, false, &loss, error))
            return false;
        for (size_t i = 0; i < n; i++) labels += piaa_sample_labels(samples[at + i]);
        *sum += loss * labels;
        *tokens += labels;
    }
    return true;
}

/* One rate and fold: what its epochs are measured on, and where that goes. */
typedef struct unit {
    tuning *t;
    const piaa_sample **taught, **held;
    size_t taught_count, held_count;
    piaa_lora *lora;
    piaa_tune_run *run;
} unit;

static bool after_epoch(void *user, int epoch, double loss, piaa_error *error) {
    unit *u = user;
    double tokens;
    PIAA_UNUSED(loss);
    return measure(u->t, u->lora, u->held, u->held_count, &u->run->losses[epoch], &tokens, error);
}

static piaa_training training_of(const tuning *t, double rate) {
    return (piaa_training){.rate = rate,
                           .epochs = epochs_of(t),
                           .batch = t->options.batch,
                           .decay = 0.01,
                           .seed = t->options.seed};
}

static bool run_unit(unit *u, double rate, piaa_error *error) {
    tuning *t = u->t;
    const piaa_epochs epochs = {.after = after_epoch, .user = u};
    const piaa_steps steps = {.after = count_step, .user = t};
    const piaa_training training = training_of(t, rate);
    if (!measure(t, NULL, u->held, u->held_count, &u->run->losses[0], &u->run->tokens, error))
        return false;
    return piaa_train(t->network, u->lora, u->taught, u->taught_count, &training, &epochs, &steps,
                      t->hooks, error);
}

static piaa_lora *new_lora(const tuning *t, piaa_error *error) {
    return piaa_lora_new(t->decoder, t->options.rank, t->options.alpha, t->targets,
                         t->options.dropout, t->options.seed, error);
}

/* A rate that the model does not bear has no loss, and is not chosen. */
static bool forgive(piaa_tune_run *run, int epochs, piaa_error *error) {
    if (error->code != PIAA_USAGE) return false;
    *error = (piaa_error){0};
    for (int i = 1; i <= epochs; i++) run->losses[i] = INFINITY;
    return true;
}

static bool validate(tuning *t, double rate, int fold, piaa_error *error) {
    piaa_error own = {0};
    piaa_tune_run *run = piaa_tune_record_find(&t->record, rate, fold);
    size_t held = 0;
    for (size_t i = 0; i < t->count; i++) held += t->fold[i] == fold;
    const int64_t steps = steps_of(t, t->count - held) * epochs_of(t), before = t->done;
    if (run) {
        t->done += steps;
        return true;
    }
    run = piaa_tune_record_add(&t->record, rate, fold, error);
    unit u = {.t = t, .run = run};
    u.taught = piaa_alloc(t->count, sizeof *u.taught, error);
    u.held = piaa_alloc(t->count, sizeof *u.held, error);
    u.lora = new_lora(t, error);
    bool ok = run && u.taught && u.held && u.lora;
    for (size_t i = 0; ok && i < t->count; i++)
        if (t->fold[i] == fold)
            u.held[u.held_count++] = t->samples[i];
        else
            u.taught[u.taught_count++] = t->samples[i];
    if (ok && !run_unit(&u, rate, &own) && !forgive(run, epochs_of(t), &own))
        ok = piaa_error_set(error, own.code, "%s", own.message);
    ok = ok && piaa_tune_record_write(&t->record, error);
    t->done = before + steps;
    piaa_lora_free(u.lora);
    free(u.taught);
    free(u.held);
    return ok;
}

static bool share_out(tuning *t, piaa_error *error) {
    if ((size_t)t->options.folds > t->count) t->options.folds = (int)t->count;
    t->fold = piaa_alloc(t->count, sizeof *t->fold, error);
    size_t *order = piaa_alloc(t->count, sizeof *order, error);
    piaa_random random;
    piaa_random_seed_numpy(&random, t->options.seed);
    if (t->fold && order) piaa_random_permutation(&random, order, t->count);
    for (size_t i = 0; t->fold && order && i < t->count; i++)
        t->fold[order[i]] = (int)(i % (size_t)t->options.folds);
    free(order);
    return t->fold && order;
}

/* Of a rate, after so many epochs. */
static double mean_loss(const tuning *t, double rate, int epoch) {
    double sum = 0, tokens = 0;
    for (int fold = 0; fold < t->options.folds; fold++) {
        const piaa_tune_run *run = piaa_tune_record_find(&t->record, rate, fold);
        sum += run->losses[epoch];
        tokens += run->tokens;
    }
    return sum / tokens;
}

static void choose(const tuning *t, piaa_lora_summary *out) {
    out->loss_before = mean_loss(t, t->rates[0], 0);
    out->loss_after = INFINITY;
    for (int i = 0; i < t->rate_count; i++)
        for (int epoch = 1; epoch <= epochs_of(t); epoch++) {
            if (t->options.epochs && epoch != t->options.epochs) continue;
            const double loss = mean_loss(t, t->rates[i], epoch);
            if (!(loss < out->loss_after)) continue;
            out->loss_after = loss;
            out->rate = t->rates[i];
            out->epochs = epoch;
        }
}

static bool cross_validate(tuning *t, piaa_lora_summary *out, piaa_error *error) {
    for (int i = 0; i < t->rate_count; i++)
        for (int fold = 0; fold < t->options.folds; fold++)
            if (!validate(t, t->rates[i], fold, error)) return false;
    choose(t, out);
    if (!isfinite(out->loss_after))
        return piaa_error_set(error, PIAA_USAGE,
                              "at none of the rates the loss stays a number: give a lower --rate");
    if (!(out->loss_after < out->loss_before))
        piaa_hooks_warn(t->hooks,
                        "ratings left out are foreseen no better with an adapter than without "
                        "(loss %.3f, without %.3f): these ratings teach it nothing",
                        out->loss_after, out->loss_before);
    return true;
}

/* -------------------------------------------------------------------------------------- the whole
 */

/* The record is of these photos, scores and settings only. */
static bool describe(const tuning *t, const piaa_tune_photo *photos, piaa_text *out,
                     piaa_error *error) {
    const piaa_identity *id = piaa_extractor_identity(t->extractor);
    const piaa_lora_options *o = &t->options;
    piaa_text_format(out, error, "%s\n%s\n%s\n%s\n%s\n%s\n", id->fingerprint, id->prompt,
                     id->preprocessing, id->dtype, id->chat, id->library);
    piaa_text_format(out, error, "%d %.17g %u %.17g %d %d %d %u\n", o->rank, o->alpha, t->targets,
                     o->dropout, epochs_of(t), o->batch, o->folds, (unsigned)o->seed);
    for (size_t i = 0; i < t->capacity; i++)
        piaa_text_format(out, error, "%s %.17g\n", photos[i].path, photos[i].score);
    return !out->failed;
}

static bool open_record(tuning *t, const piaa_tune_photo *photos, piaa_error *error) {
    piaa_text text = {0};
    const bool ok = describe(t, photos, &text, error) &&
                    piaa_tune_record_open(&t->record, t->folder, text.data, epochs_of(t), error);
    free(text.data);
    return ok;
}

/* Trains on all samples.  Where a step fails the adapter of the last sound one is there
 * nevertheless: the error says so. */
static piaa_lora *teach(tuning *t, const piaa_lora_summary *choice, piaa_error *error) {
    const piaa_steps steps = {.after = count_step, .user = t};
    piaa_training training = training_of(t, choice->rate);
    training.stop = choice->epochs;
    piaa_lora *lora = new_lora(t, error);
    if (!lora || piaa_train(t->network, lora, (const piaa_sample *const *)t->samples, t->count,
                            &training, NULL, &steps, t->hooks, error))
        return lora;
    if (error->code == PIAA_USAGE) return lora;
    piaa_lora_free(lora);
    return NULL;
}

/* Steps that lie ahead, at most. */
static void count_steps(tuning *t, bool open) {
    t->total = steps_of(t, t->count) * epochs_of(t);
    for (int fold = 0; open && fold < t->options.folds; fold++) {
        size_t held = 0;
        for (size_t i = 0; i < t->count; i++) held += t->fold[i] == fold;
        t->total += steps_of(t, t->count - held) * epochs_of(t) * t->rate_count;
    }
}

/* The choice, and the adapter; *error may be set beside it (teach). */
static piaa_lora *learn(tuning *t, piaa_lora_summary *out, piaa_error *error) {
    out->photos = (int64_t)t->count;
    out->rate = t->options.rate;
    out->epochs = t->options.epochs;
    out->loss_before = out->loss_after = NAN;
    const bool open = !(out->rate > 0) || !out->epochs;
    count_steps(t, open);
    if (open && !cross_validate(t, out, error)) return NULL;
    t->total -= steps_of(t, t->count) * (epochs_of(t) - out->epochs);
    piaa_lora *lora = teach(t, out, error);
    if (lora) out->parameters = (int64_t)lora->count;
    return lora;
}

static bool write_adapter(const tuning *t, const piaa_lora *lora, piaa_error *error) {
    piaa_error own = {0};
    if (!piaa_lora_write(lora, piaa_model_get_info(t->model)->folder, t->folder, &own))
        return piaa_error_set(error, own.code, "%s", own.message);
    return !piaa_error_pending(error);
}

static bool tune(tuning *t, const piaa_request *request, const piaa_tune_photo *photos,
                 piaa_lora_summary *out, piaa_error *error) {
    piaa_request own = request ? *request : (piaa_request){0};
    if (!own.prompt) own.prompt = piaa_tune_prompt(t->form);
    if (!piaa_tune_check(t->model, error) || !piaa_lora_may_write(t->folder, error)) return false;
    t->decoder = t->model->family->decoder(t->model->config);
    t->extractor = piaa_extractor_new(t->model, &own, error);
    if (!t->extractor || !make_samples(t, photos, error)) return false;
    const piaa_request *r = piaa_extractor_request(t->extractor);
    t->network = t->own = piaa_network_new(t->decoder, r->dtype, r->threads, error);
    if (!t->network || !share_out(t, error) || !open_record(t, photos, error)) return false;
    piaa_lora *lora = learn(t, out, error);
    const bool ok = lora && write_adapter(t, lora, error);
    piaa_lora_free(lora);
    out->left_out = (int64_t)(t->capacity - t->count);
    return ok;
}

bool piaa_tune(piaa_model *model, const piaa_request *request, const piaa_tune_photo *photos,
               size_t count, piaa_tune_form form, const piaa_lora_options *options,
               const char *folder, const piaa_hooks *hooks, piaa_lora_summary *summary,
               piaa_error *error) {
    tuning t = {.model = model, .form = form, .folder = folder, .hooks = hooks, .capacity = count};
    piaa_lora_summary found = {0};
    const bool ok = fill_options(&t, options, error) && tune(&t, request, photos, &found, error);
    if (ok && summary) *summary = found;
    for (size_t i = 0; i < t.count; i++) piaa_sample_free(t.samples[i]);
    free(t.samples);
    free(t.fold);
    piaa_tune_record_close(&t.record);
    piaa_network_free(t.own);
    piaa_extractor_free(t.extractor);
    return ok;
}

piaa_lora *piaa_tune_samples(const piaa_network *network, piaa_sample *const *samples, size_t count,
                             const piaa_lora_options *options, const piaa_hooks *hooks,
                             piaa_lora_summary *summary, piaa_error *error) {
    piaa_lora_summary found = {0};
    tuning t = {.decoder = piaa_network_decoder(network),
                .network = network,
                .samples = (piaa_sample **)samples,
                .count = count,
                .hooks = hooks};
    piaa_lora *lora = NULL;
    if (count < FEWEST)
        piaa_error_set(error, PIAA_USAGE, "an adapter is learned from at least %d conversations",
                       FEWEST);
    else if (fill_options(&t, options, error) && share_out(&t, error)) {
        t.record.epochs = epochs_of(&t);
        lora = learn(&t, summary ? summary : &found, error);
    }
    free(t.fold);
    piaa_tune_record_close(&t.record);
    return lora;
}
