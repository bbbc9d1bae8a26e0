/* What the files of the ResNet share: its convolutions, each with the batch norm behind it, in the
   order in which the data pass them. */
#ifndef PIAA_TRAIN_RESNET_PARTS_H
#define PIAA_TRAIN_RESNET_PARTS_H

#include "train/resnet.h"

typedef enum piaa_unit_role {
    PIAA_UNIT_STEM,
    PIAA_UNIT_1, /* of a bottleneck */
    PIAA_UNIT_2,
    PIAA_UNIT_3,
    PIAA_UNIT_SHORTCUT, /* before PIAA_UNIT_3, which is added to it */
} piaa_unit_role;

/* A convolution and the batch norm behind it; arrays are the network's. */
typedef struct piaa_unit {
    piaa_unit_role role;
    int stage, block; /* from 0; of the stem 0 */
    int inputs, outputs, kernel, stride;
    float *weights;         /* [outputs][inputs][kernel][kernel] */
    float *scale, *shift;   /* [outputs] */
    float *mean, *variance; /* [outputs], the running ones */
} piaa_unit;

typedef struct piaa_resnet_plan piaa_resnet_plan;

struct piaa_resnet {
    piaa_unit *units;
    int count;
    size_t trained_count, running_count;
    float *trained; /* weights, scale and shift, unit by unit */
    float *running; /* mean and variance, unit by unit */
    piaa_named *tensors;
    size_t tensor_count;
    piaa_resnet_plan *plan; /* of the last prediction; NULL: none */
};

static inline size_t piaa_unit_weights(const piaa_unit *u) {
    return (size_t)u->outputs * (size_t)u->inputs * (size_t)u->kernel * (size_t)u->kernel;
}

/* The batch norms' epsilon, as PyTorch has it. */
#define PIAA_RESNET_EPSILON 1e-5f

/* Names of what `trained` (as another array may hold it, for gradients and moments) and `running`
   hold, each with `prefix`; NULL: left out.  The caller's. */
piaa_named *piaa_resnet_name(const piaa_resnet *net, float *trained, float *running,
                             const char *prefix, size_t *count, piaa_error *error);

void piaa_resnet_plan_free(piaa_resnet_plan *plan); /* NULL is allowed */

/* Whoever wants to see what passes: called with each of "maxpool", "layer1" to "layer4", and
 * "avgpool", [n][channels][rows][columns].  For tests. */
typedef struct piaa_resnet_watch {
    void (*see)(void *user, const char *stage, const float *data, const int64_t shape[4]);
    void *user;
} piaa_resnet_watch;
bool piaa_resnet_watch_predict(piaa_resnet *net, const float *pixels, int64_t n, int rows,
                               int columns, const piaa_resnet_watch *watch,
                               piaa_error *error) PIAA_MUST_USE;
void piaa_resnet_watch_training(piaa_resnet_training *training, const piaa_resnet_watch *watch);

#endif
