/* The table of methods, and what those share that regress on pooled vectors. */
#include "study/method.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const piaa_method *const piaa_methods[] = {&piaa_method_linear_hidden,
                                           &piaa_method_banded,
                                           &piaa_method_linear_prior,
                                           &piaa_method_giaa_target,
                                           &piaa_method_reduce,
                                           &piaa_method_style_out,
                                           &piaa_method_raw_text,
                                           &piaa_method_raw_text_corrected,
                                           &piaa_method_expected_score,
                                           &piaa_method_few_shot,
                                           &piaa_method_cot,
                                           &piaa_method_lora,
                                           &piaa_method_lora_expected,
                                           &piaa_method_lora_fixed,
                                           &piaa_method_lora_published,
                                           &piaa_method_token_class,
                                           &piaa_method_token_class_published,
                                           &piaa_method_cot_lora,
                                           &piaa_method_cot_lora_published,
                                           &piaa_method_residual_linear,
                                           &piaa_method_residual_giaa,
                                           &piaa_method_residual_mlp,
                                           &piaa_method_ici,
                                           &piaa_method_ici_reduced,
                                           &piaa_method_ici_chosen,
                                           NULL};

const piaa_method *piaa_method_find(const char *name) {
    for (const piaa_method *const *m = piaa_methods; *m; m++)
        if (strcmp((*m)->name, name) == 0) return *m;
    return NULL;
}

char *piaa_method_names(piaa_error *error) {
    piaa_text text = {0};
    for (const piaa_method *const *m = piaa_methods; *m; m++) {
        const char *before = m == piaa_methods ? "" : m[1] ? ", " : " and ";
        if (!piaa_text_format(&text, error, "%s%s", before, (*m)->name)) {
            free(text.data);
            return NULL;
        }
    }
    return text.data;
}

piaa_ridge_design *piaa_lesson_design(piaa_lesson *l, piaa_error *error) {
    if (!l->design)
        l->design = piaa_ridge_design_new(l->source->x, l->rows, l->n, l->source->dim, error);
    return l->design;
}

piaa_ridge *piaa_lesson_fit(const float *x, const int64_t *rows, int64_t n, int dim,
                            const double *y, piaa_error *error) {
    piaa_ridge_design *design = piaa_ridge_design_new(x, rows, n, dim, error);
    piaa_ridge *model = design ? piaa_ridge_fit(design, y, 1, NULL, error) : NULL;
    piaa_ridge_design_free(design);
    return model;
}

const float *piaa_lesson_vector(const piaa_lesson *l, size_t image) {
    return l->source->x + (size_t)l->source->rows[image] * (size_t)l->source->dim;
}

void piaa_lesson_predict(const piaa_lesson *l, const piaa_ridge *model, piaa_predictions *out) {
    out->bytes = (int64_t)sizeof(double) * (model->dim + 1); /* weights and intercept */
    for (size_t k = 0; k < l->tests; k++)
        if (l->source->rows[l->test[k]] >= 0)
            piaa_ridge_predict(model, piaa_lesson_vector(l, l->test[k]), 1, &out->scores[k]);
}

piaa_dialogue *piaa_lesson_dialogue(const piaa_lesson *l, piaa_error *error) {
    if (!*l->dialogue) *l->dialogue = piaa_dialogue_new(piaa_reader_extractor(l->reader), error);
    return *l->dialogue;
}

static bool ask_one(piaa_dialogue *dialogue, const piaa_dialogue_turn *turn,
                    const piaa_question *question, bool expected, double *score,
                    piaa_answers *answers, piaa_error *error) {
    const piaa_answering how = {.max_tokens = expected ? 1 : question->most_tokens};
    piaa_answer *said = piaa_dialogue_answer(dialogue, turn, 1, &how, error);
    if (!said) return false;
    *score = said->expected_score;
    const bool ok = expected || piaa_answer_read(said->text, question->rule, score, error);
    piaa_answer_free(said);
    answers->asked++;
    answers->unparsable += isnan(*score);
    answers->out_of_range += *score < 1 || *score > 5;
    return ok;
}

bool piaa_lesson_ask(const piaa_lesson *l, piaa_dialogue *dialogue, piaa_dialogue_part *parts,
                     size_t count, size_t photo, const piaa_question *question, bool expected,
                     piaa_predictions *out, piaa_error *error) {
    const piaa_dialogue_turn turn = {.parts = parts, .count = count};
    for (size_t k = 0; k < l->tests; k++) {
        const piaa_data_image *image = &l->set->images[l->test[k]];
        if (image->missing) continue;
        if (l->hooks && l->hooks->stop && l->hooks->stop(l->hooks->user))
            return piaa_error_set(error, PIAA_STOPPED, "stopped within a person's photos");
        parts[photo].photo = image->path;
        if (!ask_one(dialogue, &turn, question, expected, &out->scores[k], &out->answers, error))
            return false;
    }
    return true;
}
