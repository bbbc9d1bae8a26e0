/* Raw text, what the model itself says of a photo, and the same less the person's mean error. */
#include "study/method.h"

#include <math.h>

static bool say(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    (void)error;
    for (size_t k = 0; k < l->tests; k++) out->scores[k] = l->raw->scores[l->test[k]];
    piaa_raw_texts_count(l->raw, l->test, l->tests, &out->answers);
    return true;
}

static bool say_nothing_learned(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    out->support = 0;
    return say(l, out, error);
}

/* The mean of answer less score over the support's answers that are numbers, 0 where none is: the
   published "bias".  The order of people's photos stays, so Spearman's correlation does too. */
static bool correct(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    double sum = 0;
    out->support = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const double raw = l->raw->scores[l->images[i]];
        if (isnan(raw)) continue;
        sum += raw - l->scores[i];
        out->support++;
    }
    const double bias = out->support ? sum / (double)out->support : 0;
    out->bytes = sizeof bias;
    piaa_raw_texts_count(l->raw, l->images, (size_t)l->n, &out->answers);
    if (!say(l, out, error)) return false;
    for (size_t k = 0; k < l->tests; k++) out->scores[k] -= bias;
    return true;
}

/* What the first token's probabilities expect: nothing has to be read in words. */
static bool expect(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    (void)error;
    out->support = 0;
    for (size_t k = 0; k < l->tests; k++) {
        out->scores[k] = l->raw->expected[l->test[k]];
        out->answers.asked += l->raw->there[l->test[k]];
        out->answers.not_a_number += l->raw->there[l->test[k]] && isnan(out->scores[k]);
    }
    return true;
}

/* Chain of thought: it is asked for this person's taste, and told nothing of the person. */
static bool think(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    (void)error;
    out->support = 0;
    for (size_t k = 0; k < l->tests; k++) out->scores[k] = l->thoughts->scores[l->test[k]];
    piaa_raw_texts_count(l->thoughts, l->test, l->tests, &out->answers);
    return true;
}

const piaa_method piaa_method_cot = {
    .name = "cot", .published = "cot_attr", .needs = PIAA_NEEDS_THOUGHTS, .learn = think};

const piaa_method piaa_method_expected_score = {.name = "expected-score",
                                                .way = PIAA_AS_NEITHER,
                                                .published = "expected",
                                                .needs = PIAA_NEEDS_RAW_TEXT,
                                                .learn = expect};

const piaa_method piaa_method_raw_text = {.name = "raw-text",
                                          .published = "raw",
                                          .needs = PIAA_NEEDS_RAW_TEXT,
                                          .learn = say_nothing_learned};

const piaa_method piaa_method_raw_text_corrected = {.name = "raw-text-corrected",
                                                    .published = "bias",
                                                    .needs = PIAA_NEEDS_RAW_TEXT,
                                                    .learn = correct};
