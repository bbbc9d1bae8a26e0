/* The stages of a ResNet's forward pass, one by one, for whoever wants to see what passes. */
#ifndef PIAA_TRAIN_RESNET_WATCH_H
#define PIAA_TRAIN_RESNET_WATCH_H

#include "train/onednn.h"
#include "train/resnet_parts.h"

enum { PIAA_RESNET_STAGES = 6 };

typedef struct piaa_resnet_stages {
    const piaa_resnet_watch *watch; /* NULL: nobody; then there are no stages */
    int forward, aside;             /* lists: of the pass, of what is laid out to be seen */
    int count;
    struct {
        const char *name;
        size_t forward_end, aside_end;
        piaa_dnn_array *plain;
    } at[PIAA_RESNET_STAGES];
} piaa_resnet_stages;

/* Here the next stage has passed, giving x. */
void piaa_resnet_mark(piaa_resnet_stages *stages, piaa_dnn *dnn, piaa_dnn_array *x);
/* The forward list, whoever watches. */
bool piaa_resnet_run(const piaa_resnet_stages *stages, piaa_dnn *dnn,
                     piaa_error *error) PIAA_MUST_USE;

#endif
