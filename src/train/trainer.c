/* Steps, schedule and epochs. */
#include "train/trainer.h"

#include "base/memory.h"
#include "base/random.h"
#include "train/adamw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, MOST_BATCH = 1024, LONGEST_WARM_UP = 10 };

double piaa_schedule(double rate, int64_t step, int64_t warm, int64_t total) {
    if (step < warm) return rate * (double)step / (double)warm;
    return total > warm ? rate * (double)(total - step) / (double)(total - warm) : 0;
}

int64_t piaa_schedule_warm(int64_t total) {
    return total / 10 < LONGEST_WARM_UP ? total / 10 : LONGEST_WARM_UP;
}

/* ---------------------------------------------------------------------------------------- steps */

struct piaa_trainer {
    const piaa_network *network;
    piaa_lora *lora;
    piaa_adamw *adamw;
    float *sound; /* the adapter of the last loss that was a number */
    int64_t step;
};

piaa_trainer *piaa_trainer_new(const piaa_network *network, piaa_lora *lora, double decay,
                               piaa_error *error) {
    piaa_trainer *trainer = piaa_alloc(1, sizeof *trainer, error);
    if (!trainer) return NULL;
    trainer->network = network;
    trainer->lora = lora;
    trainer->adamw =
        piaa_adamw_new(lora->count, &(piaa_adamw_options){.weight_decay = decay}, error);
    trainer->sound = trainer->adamw ? piaa_alloc(lora->count, sizeof(float), error) : NULL;
    if (trainer->sound) {
        memcpy(trainer->sound, lora->values, lora->count * sizeof(float));
        return trainer;
    }
    piaa_trainer_free(trainer);
    return NULL;
}

void piaa_trainer_free(piaa_trainer *trainer) {
    if (!trainer) return;
    piaa_adamw_free(trainer->adamw);
    free(trainer->sound);
    free(trainer);
}

static bool are_finite(const float *values, size_t count) {
    float sum = 0; /* of zeros, unless a value is none */
    for (size_t i = 0; i < count; i++) sum += values[i] * 0.0f;
    return sum == 0;
}

bool piaa_trainer_step(piaa_trainer *trainer, const piaa_batch *batch, double rate, double *loss,
                       piaa_error *error) {
    piaa_lora *lora = trainer->lora;
    const size_t bytes = lora->count * sizeof(float);
    double found;
    if (!piaa_network_loss(trainer->network, lora, batch, true, &found, error)) return false;
    if (loss) *loss = found;
    if (!isfinite(found) || !are_finite(lora->gradients, lora->count)) {
        memcpy(lora->values, trainer->sound, bytes);
        return piaa_error_set(error, PIAA_USAGE,
                              "the loss of step %lld is not a number: the adapter is that of the "
                              "step before; use a lower rate",
                              (long long)trainer->step);
    }
    memcpy(trainer->sound, lora->values, bytes);
    piaa_adamw_begin(trainer->adamw, rate);
    piaa_adamw_update(trainer->adamw, 0, lora->values, lora->gradients, lora->count);
    trainer->step++;
    return true;
}

/* --------------------------------------------------------------------------------------- epochs */

typedef struct course {
    const piaa_sample *const *samples;
    size_t count;
    int batch;
    int64_t total, warm; /* steps of the schedule */
    const piaa_training *training;
    const piaa_steps *counted;
    const piaa_hooks *hooks;
    piaa_random random;
    size_t *order;
    const piaa_sample **chosen; /* of a step */
    piaa_trainer *trainer;
} course;

static bool run_epoch(course *c, double *mean, piaa_error *error) {
    double sum = 0;
    int64_t steps = 0;
    piaa_random_permutation(&c->random, c->order, c->count);
    for (size_t at = 0; at < c->count; at += (size_t)c->batch, steps++) {
        const piaa_hooks *hooks = c->hooks;
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            return piaa_error_set(error, PIAA_STOPPED, "stopped after %lld of %lld steps",
                                  (long long)c->trainer->step, (long long)c->total);
        piaa_batch batch = {.samples = c->chosen, .dropout = piaa_random_word(&c->random)};
        while (batch.count < (size_t)c->batch && at + batch.count < c->count) {
            c->chosen[batch.count] = c->samples[c->order[at + batch.count]];
            batch.count++;
        }
        const double rate = piaa_schedule(c->training->rate, c->trainer->step, c->warm, c->total);
        double loss = 0;
        if (!piaa_trainer_step(c->trainer, &batch, rate, &loss, error)) return false;
        sum += loss;
        if (c->counted) c->counted->after(c->counted->user);
    }
    *mean = sum / (double)steps;
    return true;
}

static bool run_course(course *c, const piaa_epochs *epochs, piaa_error *error) {
    const piaa_training *t = c->training;
    const int last = t->stop > 0 && t->stop < t->epochs ? t->stop : t->epochs;
    for (int epoch = 1; epoch <= last; epoch++) {
        double loss = 0;
        if (!run_epoch(c, &loss, error)) return false;
        if (epochs && epochs->after && !epochs->after(epochs->user, epoch, loss, error))
            return false;
    }
    return true;
}

bool piaa_train(const piaa_network *network, piaa_lora *lora, const piaa_sample *const *samples,
                size_t count, const piaa_training *training, const piaa_epochs *epochs,
                const piaa_steps *counted, const piaa_hooks *hooks, piaa_error *error) {
    course c = {.samples = samples,
                .count = count,
                .batch = training->batch > 0 ? training->batch : BATCH,
                .training = training,
                .counted = counted,
                .hooks = hooks};
    if (!count || !(training->rate > 0) || training->epochs < 1 || c.batch > MOST_BATCH)
        return piaa_error_set(error, PIAA_USAGE,
                              "training needs conversations, a positive rate, at least one epoch, "
                              "and at most %d conversations in a step",
                              MOST_BATCH);
    c.total = (int64_t)((count + (size_t)c.batch - 1) / (size_t)c.batch) * training->epochs;
    c.warm = piaa_schedule_warm(c.total);
    piaa_random_seed_numpy(&c.random, training->seed);
    c.order = piaa_alloc(count, sizeof *c.order, error);
    c.chosen = piaa_alloc((size_t)c.batch, sizeof *c.chosen, error);
    c.trainer = piaa_trainer_new(network, lora, training->decay, error);
    const bool ok = c.order && c.chosen && c.trainer && run_course(&c, epochs, error);
    piaa_trainer_free(c.trainer);
    free(c.chosen);
    free(c.order);
    return ok;
}
