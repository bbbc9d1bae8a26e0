/* A list run in parts, and what each part gave laid out plainly beside it. */
#include "train/resnet_watch.h"

void piaa_resnet_mark(piaa_resnet_stages *stages, piaa_dnn *dnn, piaa_dnn_array *x) {
    static const char *const names[PIAA_RESNET_STAGES] = {"maxpool", "layer1", "layer2",
                                                          "layer3",  "layer4", "avgpool"};
    if (!stages->watch || !x) return;
    const int i = stages->count++;
    piaa_dnn_array *plain = piaa_dnn_plain_own(dnn, 4, x->shape);
    if (!plain) return;
    piaa_dnn_copy(dnn, stages->aside, x, plain);
    stages->at[i].name = names[i];
    stages->at[i].plain = plain;
    stages->at[i].forward_end = piaa_dnn_count(dnn, stages->forward);
    stages->at[i].aside_end = piaa_dnn_count(dnn, stages->aside);
}

bool piaa_resnet_run(const piaa_resnet_stages *stages, piaa_dnn *dnn, piaa_error *error) {
    size_t at = 0, aside = 0;
    for (int i = 0; i < stages->count; i++) {
        if (!piaa_dnn_run_part(dnn, stages->forward, at, stages->at[i].forward_end, error) ||
            !piaa_dnn_run_part(dnn, stages->aside, aside, stages->at[i].aside_end, error))
            return false;
        const piaa_dnn_array *plain = stages->at[i].plain;
        stages->watch->see(stages->watch->user, stages->at[i].name, plain->data, plain->shape);
        at = stages->at[i].forward_end;
        aside = stages->at[i].aside_end;
    }
    return piaa_dnn_run_part(dnn, stages->forward, at, piaa_dnn_count(dnn, stages->forward), error);
}
