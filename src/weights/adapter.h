/* A low-rank adapter as PEFT saves it: pairs of matrices by the weights that they are added to. */
#ifndef PIAA_WEIGHTS_ADAPTER_H
#define PIAA_WEIGHTS_ADAPTER_H

#include "weights/checkpoint.h"

typedef struct piaa_adapter piaa_adapter;

/* strength * up [rows][rank] * down [rank][columns] is added to the weight. */
typedef struct piaa_adapter_pair {
    char *module; /* as the adapter spells it */
    char *name;   /* the weight's canonical name */
    const piaa_tensor *down, *up;
    int64_t rank;
    double alpha;
    float strength; /* alpha / rank, or as the adapter says */
} piaa_adapter_pair;

/* `folder` holds adapter_config.json and adapter_model.safetensors, whose tensors are mapped.
 * PIAA_UNSUPPORTED: a kind of adapter that is not such pairs alone. */
piaa_adapter *piaa_adapter_open(const char *folder, piaa_error *error) PIAA_MUST_USE;
void piaa_adapter_close(piaa_adapter *adapter);
size_t piaa_adapter_count(const piaa_adapter *adapter);
const piaa_adapter_pair *piaa_adapter_at(const piaa_adapter *adapter, size_t index);

#endif
