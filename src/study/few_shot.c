/*
 * Few-shot: the model is shown a person's photos with their ratings, and asked for the rating of
 * one more.  Words, order and reading of the answer are the published code's; the examples are read
 * once for all of a person's test photos (features/dialogue.h).
 */
#include "base/hooks.h"
#include "base/memory.h"
#include "study/answer.h"
#include "study/method.h"

#include <math.h>
#include <stdlib.h>

static const char before[] =
    "You are an expert judge of image aesthetics.\n"
    "I will show you some example images with this user's ratings on a 1 to 5 scale.\n"
    "From these examples, infer the user's personal preferences.\n"
    "Then I will show you a new image; please predict this user's rating for it.\n\n"
    "For the examples, each rating is this user's own rating, already mapped to a 1 to 5 scale.\n"
    "When you answer for the final image, respond with a single number from 1 to 5, and nothing "
    "else.\n";
static const char after[] =
    "Now, based on the user's previous ratings, what is this user's rating for THIS image? Answer "
    "with a single number from 1 to 5, and do not output any other text.";

enum { MOST_TOKENS = 16 };

/* The instructions, then a photo and its rating for each example; room for the photo asked about
   and the question. */
static piaa_dialogue_part *show_examples(const piaa_lesson *l, char **texts, piaa_error *error) {
    const size_t n = (size_t)l->n;
    piaa_dialogue_part *parts = piaa_alloc(2 * n + 3, sizeof *parts, error);
    if (!parts) return NULL;
    parts[0].text = before;
    for (size_t i = 0; i < n; i++) {
        texts[i] = piaa_format(error, "Example %zu: This user rated this image %.2f out of 5.",
                               i + 1, l->scores[i]);
        if (!texts[i]) {
            free(parts);
            return NULL;
        }
        parts[2 * i + 1].photo = l->set->images[l->images[i]].path;
        parts[2 * i + 2].text = texts[i];
    }
    parts[2 * n + 2].text = after;
    return parts;
}

static bool ask(const piaa_lesson *l, const piaa_dialogue_turn *turn, double *score,
                piaa_answers *answers, piaa_error *error) {
    piaa_dialogue *dialogue = piaa_lesson_dialogue(l, error);
    piaa_answer *said =
        dialogue ? piaa_dialogue_answer(dialogue, turn, 1,
                                        &(piaa_answering){.max_tokens = MOST_TOKENS}, error)
                 : NULL;
    const bool ok = said && piaa_answer_read(said->text, PIAA_ANSWER_NUMBER, score, error);
    piaa_answer_free(said);
    if (!ok) return false;
    answers->asked++;
    answers->unparsable += isnan(*score);
    answers->out_of_range += *score < 1 || *score > 5;
    return true;
}

static bool ask_all(piaa_lesson *l, piaa_dialogue_part *parts, piaa_predictions *out,
                    piaa_error *error) {
    const size_t last = 2 * (size_t)l->n + 1;
    const piaa_dialogue_turn turn = {.parts = parts, .count = last + 2};
    for (size_t k = 0; k < l->tests; k++) {
        const piaa_data_image *image = &l->set->images[l->test[k]];
        if (image->missing) continue;
        if (l->hooks && l->hooks->stop && l->hooks->stop(l->hooks->user))
            return piaa_error_set(error, PIAA_STOPPED, "stopped within a person's photos");
        parts[last].photo = image->path;
        if (!ask(l, &turn, &out->scores[k], &out->answers, error)) return false;
    }
    return true;
}

static bool learn(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    char **texts = piaa_alloc((size_t)l->n + 1, sizeof *texts, error);
    piaa_dialogue_part *parts = texts ? show_examples(l, texts, error) : NULL;
    const bool ok = parts && ask_all(l, parts, out, error);
    for (int64_t i = 0; texts && i < l->n; i++) free(texts[i]);
    free(texts);
    free(parts);
    return ok;
}

const piaa_method piaa_method_few_shot = {.name = "few-shot",
                                          .published = "vlm_fewshot",
                                          .says_support = true,
                                          .needs = PIAA_NEEDS_MODEL,
                                          .learn = learn};
