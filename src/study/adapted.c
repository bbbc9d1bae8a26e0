/*
 * Adapters for each person: a model that was trained on the support's photos and scores is asked
 * about the test's.
 *
 *   lora                  as described: the photo is shown, the loss is on the answer; rate and
 *                         epochs are chosen within the support (train/tune.h)
 *   lora-expected         the same adapter, read out by the score that its first token expects
 *   lora-fixed            the same training at the published rate and epochs, nothing chosen
 *   lora-published        as the published code trains (train/published.h)
 *   token-class           as described: the rounded score's digit, an adapter for each person
 *   token-class-published one adapter for all people, without the photos
 *   cot-lora-published    a chain of thought: the attributes that a projection reads in the photo's
 *                         hidden states, as lines, and then the person's score; without the photo
 *   cot-lora              the same with the photo
 *
 * Adapters stay in RUN/adapters, in PEFT's layout.
 */
#include "base/file.h"
#include "base/memory.h"
#include "study/method.h"
#include "train/published.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct way {
    const char *folder; /* of its adapters */
    piaa_tune_form form;
    bool published, together; /* together: one adapter for all people */
    bool expected;            /* read out by the expected score */
    double rate;              /* 0: chosen */
    int epochs;
} way;

/* How a form's answers are read. */
static const piaa_question *question_of(piaa_tune_form form) {
    static const piaa_question digit = {NULL, PIAA_ANSWER_DIGIT, 8};
    return form == PIAA_TUNE_SCORE   ? &piaa_question_rating
           : form == PIAA_TUNE_DIGIT ? &digit
                                     : &piaa_question_thought;
}

static const char *prompt_of(piaa_tune_form form) {
    return form == PIAA_TUNE_TEXT ? piaa_question_thought.text : piaa_tune_prompt(form);
}

/* ------------------------------------------------------------------------------------- learning */

/* "Light: 3.21" for each attribute, 2 p + 3 of what the projection says, within 1 to 5, and then
   the score; `work` [attributes]. */
static char *think_of(const piaa_lesson *l, int64_t row, double score, double *work,
                      piaa_error *error) {
    const piaa_projection *p = l->projection;
    piaa_text text = {0};
    piaa_projection_apply(p, l->source->x + (size_t)row * (size_t)l->source->dim, 1, work);
    for (int k = 0; k < p->count; k++) {
        /* as the published code spells it, in the question too */
        const bool first = strcmp(p->names[k], "BalancingElements") == 0;
        piaa_text_format(&text, error, "%s: %.2f\n", first ? "BalacingElements" : p->names[k],
                         fmin(fmax(2 * work[k] + 3, 1), 5));
    }
    piaa_text_format(&text, error, "Overall: %.2f", score);
    if (!text.failed) return text.data;
    free(text.data);
    return NULL;
}

/* Writes the answers of thoughts [count], the caller's. */
static bool think(const piaa_lesson *l, piaa_tune_photo *photos, size_t count, char **thoughts,
                  piaa_error *error) {
    double *work = piaa_alloc((size_t)l->projection->count, sizeof *work, error);
    bool ok = work != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        thoughts[i] = think_of(l, l->rows[i], photos[i].score, work, error);
        photos[i].answer = thoughts[i];
        ok = thoughts[i] != NULL;
    }
    free(work);
    return ok;
}

/* The person's ratings, or everybody's supports one after the other. */
static piaa_tune_photo *list_photos(const piaa_lesson *l, bool together, size_t *count,
                                    piaa_error *error) {
    const piaa_protocol *p = l->protocol;
    const size_t each = l->large ? p->options.large : p->options.small;
    const size_t most = together ? p->count * each : (size_t)l->n;
    piaa_tune_photo *photos = piaa_alloc(most, sizeof *photos, error);
    *count = 0;
    for (size_t i = 0; photos && i < most; i++) {
        size_t image;
        double score;
        if (together) {
            const piaa_protocol_user *user = &p->users[i / each];
            const piaa_data_rating *rating =
                &l->set->ratings[(l->large ? user->large : user->small)[i % each]];
            image = rating->image;
            score = rating->score;
        } else {
            image = l->images[i];
            score = l->scores[i];
        }
        if (!l->set->images[image].missing)
            photos[(*count)++] =
                (piaa_tune_photo){.path = l->set->images[image].path, .score = score};
    }
    return photos;
}

static bool train(const piaa_lesson *l, const way *w, const piaa_tune_photo *photos, size_t count,
                  const char *folder, piaa_error *error) {
    piaa_request request = *piaa_extractor_request(piaa_reader_extractor(l->reader));
    piaa_model *model = piaa_extractor_model(piaa_reader_extractor(l->reader));
    request.prompt = w->form == PIAA_TUNE_TEXT ? prompt_of(w->form) : NULL;
    const piaa_hooks hooks = {.user = l->hooks ? l->hooks->user : NULL,
                              .warn = l->hooks ? l->hooks->warn : NULL,
                              .stop = l->hooks ? l->hooks->stop : NULL};
    if (w->published)
        return piaa_published_train(model, &request, photos, count, w->form, l->seed, folder,
                                    &hooks, error);
    const piaa_lora_options options = {
        .rate = w->rate, .epochs = w->epochs, .dropout = 0.1, .seed = l->seed};
    return piaa_tune(model, &request, photos, count, w->form, &options, folder, &hooks, NULL,
                     error);
}

/* -------------------------------------------------------------------------------------- reading */

/* The model with the adapter, in the reader's form. */
static bool read_adapted(const piaa_lesson *l, const way *w, const char *folder,
                         piaa_predictions *out, piaa_error *error) {
    piaa_request request = *piaa_extractor_request(piaa_reader_extractor(l->reader));
    const char *base =
        piaa_model_get_info(piaa_extractor_model(piaa_reader_extractor(l->reader)))->folder;
    piaa_model *model = piaa_model_open_adapted(base, NULL, folder, error);
    piaa_extractor *extractor = model ? piaa_extractor_new(model, &request, error) : NULL;
    piaa_dialogue *dialogue = extractor ? piaa_dialogue_new(extractor, error) : NULL;
    piaa_dialogue_part parts[] = {{0}, {.text = prompt_of(w->form)}};
    const bool ok = dialogue && piaa_lesson_ask(l, dialogue, parts, PIAA_COUNT(parts), 0,
                                                question_of(w->form), w->expected, out, error);
    piaa_dialogue_free(dialogue);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return ok;
}

/* ---------------------------------------------------------------------------------- the lesson */

/* RUN/adapters/lora-large-A1000 */
static char *name_folder(const piaa_lesson *l, const way *w, piaa_error *error) {
    const char *id = w->together ? "all" : l->set->users[l->user].id;
    const char *source = l->source ? l->source->name : NULL;
    char *name = piaa_format(error, "%s%s%s-%s-%s", w->folder, source ? "-" : "",
                             source ? source : "", l->large ? "large" : "small", id);
    if (!name) return NULL;
    for (char *c = name; *c; c++)
        if (*c == '/' || *c == '\\' || (unsigned char)*c < ' ') *c = '_';
    char *all = piaa_path_join(l->folder, "adapters", error);
    if (all) mkdir(all, 0777); /* what is wrong with it shows when an adapter is written */
    char *path = all ? piaa_path_join(all, name, error) : NULL;
    free(all);
    free(name);
    return path;
}

static int64_t bytes_of(const char *folder) {
    char *path = piaa_path_join(folder, "adapter_model.safetensors", NULL);
    struct stat status;
    const int64_t bytes = path && stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
    free(path);
    return bytes;
}

static void free_thoughts(char **thoughts, size_t count) {
    for (size_t i = 0; thoughts && i < count; i++) free(thoughts[i]);
    free(thoughts);
}

static bool learn(piaa_lesson *l, const way *w, piaa_predictions *out, piaa_error *error) {
    size_t count = 0;
    char *folder = name_folder(l, w, error);
    piaa_tune_photo *photos = folder ? list_photos(l, w->together, &count, error) : NULL;
    char **thoughts = photos ? piaa_alloc(count + 1, sizeof *thoughts, error) : NULL;
    if (thoughts && w->form == PIAA_TUNE_TEXT && !think(l, photos, count, thoughts, error)) {
        free_thoughts(thoughts, count);
        thoughts = NULL;
    }
    /* One adapter for all people is trained at the first of them. */
    const bool there = w->together && *l->trained;
    const bool ok = thoughts && (there || train(l, w, photos, count, folder, error)) &&
                    read_adapted(l, w, folder, out, error);
    if (ok && w->together) *l->trained = true;
    if (ok) out->bytes = bytes_of(folder);
    free_thoughts(thoughts, count);
    free(photos);
    free(folder);
    return ok;
}

/* The learning rate and the passes that the published code takes. */
#define PUBLISHED_RATE 1e-4
enum { PUBLISHED_EPOCHS = 3 };

#define METHOD(function, title, label, account, more, ...)                                         \
    static bool learn_##function(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {       \
        static const way w = {__VA_ARGS__};                                                        \
        return learn(l, &w, out, error);                                                           \
    }                                                                                              \
    const piaa_method piaa_method_##function = {.name = title,                                     \
                                                .way = PIAA_AS_##account,                          \
                                                .published = label,                                \
                                                .says_support = true,                              \
                                                .needs = PIAA_NEEDS_MODEL | (more),                \
                                                .learn = learn_##function}

METHOD(lora, "lora", "lora_tuned", NEITHER, 0, .folder = "lora");
METHOD(lora_expected, "lora-expected", "lora_tuned_expected", NEITHER, 0, .folder = "lora",
       .expected = true);
METHOD(lora_fixed, "lora-fixed", "lora_fixed", DESCRIBED, 0, .folder = "lora-fixed",
       .rate = PUBLISHED_RATE, .epochs = PUBLISHED_EPOCHS);
METHOD(lora_published, "lora-published", "lora_per_user", PUBLISHED, 0, .folder = "lora-published",
       .published = true);
METHOD(token_class, "token-class", "lora_tokencls_person", DESCRIBED, 0, .folder = "token-class",
       .form = PIAA_TUNE_DIGIT);
METHOD(token_class_published, "token-class-published", "lora_tokencls", PUBLISHED, 0,
       .folder = "token-class-published", .form = PIAA_TUNE_DIGIT, .published = true,
       .together = true);

enum { READS = PIAA_NEEDS_FEATURES | PIAA_NEEDS_PROJECTION };
METHOD(cot_lora, "cot-lora", "cot_attr_lora_photo", DESCRIBED, READS, .folder = "cot-lora",
       .form = PIAA_TUNE_TEXT, .rate = PUBLISHED_RATE, .epochs = PUBLISHED_EPOCHS);
METHOD(cot_lora_published, "cot-lora-published", "cot_attr_lora", PUBLISHED, READS,
       .folder = "cot-lora-published", .form = PIAA_TUNE_TEXT, .published = true);
