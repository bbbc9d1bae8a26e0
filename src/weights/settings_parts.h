/* How the files of settings see a checkpoint's configuration, whichever form it has. */
#ifndef PIAA_WEIGHTS_SETTINGS_PARTS_H
#define PIAA_WEIGHTS_SETTINGS_PARTS_H

#include "weights/checkpoint_parts.h"
#include "weights/settings.h"

enum { PIAA_SETTINGS_KEY = 192 };

/* Either form: where the keys of a section are, and what is put before them. */
typedef struct piaa_config {
    bool pair;
    const char *where;
    struct {
        const cJSON *json;
        const piaa_gguf *file;
        char prefix[64];
    } section[PIAA_SECTIONS];
} piaa_config;

piaa_config piaa_config_open(const piaa_checkpoint *checkpoint);

#endif
