/*
 * Adapters as the published code trains them, with what it does otherwise than described:
 *
 *   - the photo is not shown: its placeholder tokens keep their own embedding and plain positions;
 *   - PIAA_TUNE_SCORE: the loss is on every token, the question's and the padding's (id 0,
 *     behind each shorter conversation of a batch) as well as the answer's;
 *   - PIAA_TUNE_DIGIT: the score is rounded, halves to the even number, and the loss is on
 * that digit alone.
 *
 * Rank 8, alpha 16, dropout 0.1, AdamW with rate 1e-4 and decay 0.01, 3 epochs in batches of 4,
 * a linear schedule.  The orders and what is dropped are from this program's own generator.
 */
#ifndef PIAA_TRAIN_PUBLISHED_H
#define PIAA_TRAIN_PUBLISHED_H

#include "train/tune.h"

/* The adapter goes to `folder`.  request: as in piaa_tune; its prompt is asked of TEXT alone.
 * Photos that cannot be read are told and left out. */
bool piaa_published_train(piaa_model *model, const piaa_request *request,
                          const piaa_tune_photo *photos, size_t count, piaa_tune_form form,
                          uint32_t seed, const char *folder, const piaa_hooks *hooks,
                          piaa_error *error) PIAA_MUST_USE;

#endif
