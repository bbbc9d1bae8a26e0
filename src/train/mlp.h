/*
 * A small network on standardised features, trained as the published residual predictor is:
 *
 *     width -> 128 -> 64 -> 1, exact (erf) GELU and dropout after the first two layers; mean
 * squared error, AdamW, batches of 16; where there are 15 rows or more a fifth of them is kept
 * back, and ten epochs that do not improve on it end the training; the best epoch's weights are
 * kept.
 *
 * Everything random is drawn before the training begins, into a plan, so that a training can be
 * done again, and be compared with one that somebody else recorded.
 *
 *     piaa_mlp_plan *plan = piaa_mlp_plan_draw(n, width, &piaa_mlp_published, 42, &error);
 *     piaa_mlp *network = piaa_mlp_train(x, y, n, width, plan, &piaa_mlp_published, NULL, &error);
 *     piaa_mlp_predict(network, photos, count, scores, &error);
 */
#ifndef PIAA_TRAIN_MLP_H
#define PIAA_TRAIN_MLP_H

#include "base/error.h"

enum {
    PIAA_MLP_LAYERS = 3,
    PIAA_MLP_FIRST = 128,
    PIAA_MLP_SECOND = 64,
    PIAA_MLP_BITS = (PIAA_MLP_FIRST + PIAA_MLP_SECOND) / 8, /* bytes of a row's mask */
};

typedef struct piaa_mlp_options {
    double rate, weight_decay;
    double dropout;    /* the share of activations that is dropped, the others divided by 1 - it */
    double least_gain; /* a better epoch is better by more than this */
    int batch, epochs, patience;
} piaa_mlp_options;

/* 1e-3, 1e-2, 0.1, 1e-5, 16, 100, 10 */
extern const piaa_mlp_options piaa_mlp_published;

typedef struct piaa_mlp_plan {
    size_t *order;   /* [n] the rows, shuffled */
    size_t part;     /* the first `part` of the order train, the others are kept back */
    float *initial;  /* [piaa_mlp_parameters(width)]: each layer's weights [out][in], then biases */
    size_t *batches; /* [epochs][part] each epoch's order, as positions within the training part */
    /* [epochs][part][PIAA_MLP_BITS] which activations are kept, the most significant bit first,
       those of the first layer first; rows in the order of `batches`.  NULL: no dropout. */
    uint8_t *kept;
} piaa_mlp_plan;

/* Weights of the three layers. */
size_t piaa_mlp_parameters(int width);

/* Weights and biases uniform within 1 / sqrt(inputs), PyTorch's own range.  `seed` alone says what
   is drawn (MT19937).  n is not 0. */
piaa_mlp_plan *piaa_mlp_plan_draw(size_t n, int width, const piaa_mlp_options *options,
                                  uint32_t seed, piaa_error *error) PIAA_MUST_USE;
void piaa_mlp_plan_free(piaa_mlp_plan *plan);

typedef struct piaa_mlp piaa_mlp;

/* How the training went. */
typedef struct piaa_mlp_course {
    int epochs;     /* that were run */
    int best;       /* whose weights were kept, from 0 */
    double *losses; /* the caller's [options->epochs][2]: the mean of the batches' losses in
                       training, and of those of the rows kept back (again the former where there
                       are none). NULL: not asked for */
} piaa_mlp_course;

/* x [n][width], y [n]; course may be NULL.  Fails: memory; a loss that is not finite (the epoch is
   named). */
piaa_mlp *piaa_mlp_train(const float *x, const float *y, size_t n, int width,
                         const piaa_mlp_plan *plan, const piaa_mlp_options *options,
                         piaa_mlp_course *course, piaa_error *error) PIAA_MUST_USE;
void piaa_mlp_free(piaa_mlp *network);

/* out[count] of x [count][width], without dropout. */
bool piaa_mlp_predict(const piaa_mlp *network, const float *x, size_t count, double *out,
                      piaa_error *error) PIAA_MUST_USE;

/* [piaa_mlp_parameters(width)], as in a plan. */
const float *piaa_mlp_weights(const piaa_mlp *network);
/* Bytes that it takes to keep. */
size_t piaa_mlp_bytes(const piaa_mlp *network);

#endif
