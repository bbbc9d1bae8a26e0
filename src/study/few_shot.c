/*
 * Few-shot: the model is shown a person's photos with their ratings, and asked for the rating of
 * one more.  Words, order and reading of the answer are the published code's; the examples are read
 * once for all of a person's test photos (features/dialogue.h).
 */
#include "base/memory.h"
#include "study/method.h"

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

static bool learn(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    char **texts = piaa_alloc((size_t)l->n + 1, sizeof *texts, error);
    piaa_dialogue_part *parts = texts ? show_examples(l, texts, error) : NULL;
    piaa_dialogue *dialogue = parts ? piaa_lesson_dialogue(l, error) : NULL;
    const size_t last = 2 * (size_t)l->n + 1;
    const bool ok = dialogue && piaa_lesson_ask(l, dialogue, parts, last + 2, last,
                                                &piaa_question_rating, false, out, error);
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
