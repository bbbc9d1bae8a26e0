/*
 * Training an adapter: AdamW on its A and B, at a rate that rises linearly over the first steps and
 * falls linearly to zero, as transformers' get_linear_schedule_with_warmup has it:
 *
 *     rate(s) = rate min(s / warm, (total - s) / (total - warm)),   s from 0
 *
 * so that with a warm-up step 0 moves nothing but the moments.  The weight decay acts on A and B
 * both.  No gradient is clipped.
 */
#ifndef PIAA_TRAIN_TRAINER_H
#define PIAA_TRAIN_TRAINER_H

#include "train/network.h"

/* Zeros stand for what is in brackets. */
typedef struct piaa_training {
    double rate;
    int epochs;    /* of the schedule */
    int stop;      /* epochs after which it ends nevertheless [epochs] */
    int batch;     /* conversations in a step [4]; the last of an epoch may be smaller */
    double decay;  /* of weights, per unit of the rate */
    uint32_t seed; /* of the orders, and of what is dropped */
} piaa_training;

double piaa_schedule(double rate, int64_t step, int64_t warm, int64_t total);
/* min(10, total / 10) */
int64_t piaa_schedule_warm(int64_t total);

typedef struct piaa_trainer piaa_trainer;

/* network and lora are the caller's and stay so. */
piaa_trainer *piaa_trainer_new(const piaa_network *network, piaa_lora *lora, double decay,
                               piaa_error *error) PIAA_MUST_USE;
void piaa_trainer_free(piaa_trainer *trainer);
/* One step at this rate; *loss (may be NULL) is the one before it.  Where the loss or a gradient is
 * not a number the adapter becomes what it was before the last step that was sound, and the error
 * (PIAA_USAGE) names the step. */
bool piaa_trainer_step(piaa_trainer *trainer, const piaa_batch *batch, double rate, double *loss,
                       piaa_error *error) PIAA_MUST_USE;

/* Called after each epoch, from 1, with the mean loss of its steps; false ends the training with
 * the error. */
typedef struct piaa_epochs {
    bool (*after)(void *user, int epoch, double loss, piaa_error *error);
    void *user;
} piaa_epochs;

/* Called after each step. */
typedef struct piaa_steps {
    void (*after)(void *user);
    void *user;
} piaa_steps;

/* Whole passes over the samples, each in an order of its own.  hooks->stop is asked before every
 * step; epochs, steps and hooks may be NULL. */
bool piaa_train(const piaa_network *network, piaa_lora *lora, const piaa_sample *const *samples,
                size_t count, const piaa_training *training, const piaa_epochs *epochs,
                const piaa_steps *counted, const piaa_hooks *hooks,
                piaa_error *error) PIAA_MUST_USE;

#endif
