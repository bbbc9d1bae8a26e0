/*
 * An adapter for one person, learned from a few rated photos: asked for a photo's score, the model
 * comes to answer as this person does.
 *
 * What it is trained on are conversations of a photo, the question, and the person's score as the
 * answer ("3.50" and the end of the turn, which alone count in the loss).  Rate and epochs decide
 * whether that teaches anything, so both are chosen here, by the loss of ratings left out:
 *
 *   - the photos are shared out to folds, at random by the seed;
 *   - for each rate and fold an adapter is trained on the other folds, and after every epoch the
 *     fold's own loss is taken;
 *   - the rate and the epoch with the lowest mean loss are taken for training on all ratings, with
 *     the same schedule and ended at that epoch.
 *
 * Each (rate, fold) is written down in the adapter's folder when it is done, so that a run that was
 * ended goes on behind the last one.
 */
#ifndef PIAA_TRAIN_TUNE_H
#define PIAA_TRAIN_TUNE_H

#include "train/network.h"

#define PIAA_EXPERT_PROMPT                                                                         \
    "You are an expert judge of image aesthetics.\nFor each image, rate its overall visual "       \
    "aesthetic quality on a scale from 1.0 to 5.0.\nRespond with a single number (you may use a "  \
    "decimal like 3.5) and nothing else.\nRate this image now."

/* What is asked and answered.  SCORE: "3.50" and the end of the turn, which all count in the loss;
   DIGIT: the score rounded, halves to the even number, of which that digit alone counts; TEXT: the
   photo's own answer to the request's prompt, counted as SCORE is. */
typedef enum piaa_tune_form { PIAA_TUNE_SCORE, PIAA_TUNE_DIGIT, PIAA_TUNE_TEXT } piaa_tune_form;
enum { PIAA_TUNE_ANSWER = 32 };

typedef struct piaa_tune_photo {
    const char *path;
    double score;
    const char *answer; /* of the form TEXT */
} piaa_tune_photo;

/* The published question of SCORE and DIGIT. */
const char *piaa_tune_prompt(piaa_tune_form form);
/* Of the photo; in `room` where it has none of its own. */
const char *piaa_tune_answer(piaa_tune_form form, const piaa_tune_photo *photo,
                             char room[PIAA_TUNE_ANSWER]);
/* Of ids that end in that answer; labelled [ids] is zero. */
bool piaa_tune_label_digit(const piaa_model *model, const piaa_ids *ids, double score,
                           bool *labelled, piaa_error *error) PIAA_MUST_USE;
/* Whether an adapter can be trained for it. */
bool piaa_tune_check(const piaa_model *model, piaa_error *error) PIAA_MUST_USE;
/* Whether an error is a photo's fault and not the model's. */
bool piaa_tune_is_photos(const piaa_error *error);

/* request (may be NULL): prompt (NULL: the form's), size, orientation, dtype, threads.  Photos
 * that cannot be read are told to hooks->warn and left out.  PIAA_UNSUPPORTED: the model has no
 * decoder, is a GGUF file, or was opened with an adapter.  summary may be NULL. */
bool piaa_tune(piaa_model *model, const piaa_request *request, const piaa_tune_photo *photos,
               size_t count, piaa_tune_form form, const piaa_lora_options *options,
               const char *folder, const piaa_hooks *hooks, piaa_lora_summary *summary,
               piaa_error *error) PIAA_MUST_USE;

/* The same from conversations that are there, into an adapter in memory, the caller's: for studies.
 * Where a loss was no number the adapter of the step before comes with the error (PIAA_USAGE). */
piaa_lora *piaa_tune_samples(const piaa_network *network, piaa_sample *const *samples, size_t count,
                             const piaa_lora_options *options, const piaa_hooks *hooks,
                             piaa_lora_summary *summary, piaa_error *error) PIAA_MUST_USE;

#endif
