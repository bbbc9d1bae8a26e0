/* Values of config.json, checked. */
#include "vlm/config.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

/* The key with its prefix, in `room`. */
static const char *whole(const piaa_config *config, const char *key, char room[160]) {
    snprintf(room, 160, "%s%s", config->prefix, key);
    return room;
}

const cJSON *piaa_config_find(const piaa_config *config, const char *key) {
    char room[160];
    const cJSON *item = *key ? piaa_json_find(config->json, whole(config, key, room)) : NULL;
    return cJSON_IsNull(item) ? NULL : item;
}

bool piaa_config_int(const piaa_config *config, const char *key, int fallback, int low, int high,
                     int *out, piaa_error *error) {
    char room[160], origin[PIAA_CHECKPOINT_ORIGIN];
    const char *name = whole(config, key, room);
    int64_t value = fallback;
    if (!piaa_json_int(config->json, name, &value) &&
        (piaa_config_find(config, key) || fallback < low))
        return piaa_error_set(error, PIAA_FORMAT, "%s is missing or not a whole number",
                              piaa_checkpoint_origin(config->checkpoint, name, origin));
    if (value < low || value > high)
        return piaa_error_set(error, PIAA_FORMAT, "%s is %lld, expected %d to %d",
                              piaa_checkpoint_origin(config->checkpoint, name, origin),
                              (long long)value, low, high);
    *out = (int)value;
    return true;
}

bool piaa_config_positive(const piaa_config *config, const char *key, double fallback, float *out,
                          piaa_error *error) {
    char room[160], origin[PIAA_CHECKPOINT_ORIGIN];
    const char *name = whole(config, key, room);
    double value = fallback;
    bool there = piaa_json_number(config->json, name, &value);
    if ((!there && piaa_config_find(config, key)) || !(value > 0) || value > FLT_MAX ||
        (float)value == 0)
        return piaa_error_set(error, PIAA_FORMAT, "%s should be a number above 0",
                              piaa_checkpoint_origin(config->checkpoint, name, origin));
    *out = (float)value;
    return true;
}

bool piaa_config_flag(const piaa_config *config, const char *key, bool fallback) {
    char room[160];
    piaa_json_bool(config->json, whole(config, key, room), &fallback);
    return fallback;
}

bool piaa_config_activation(const piaa_config *config, const char *key, const char *fallback,
                            bool gated, piaa_activation *out, piaa_error *error) {
    static const struct {
        const char *name;
        piaa_activation plain, gated; /* LINEAR: there is none */
    } known[] = {{"gelu", PIAA_GELU, PIAA_LINEAR},
                 {"gelu_pytorch_tanh", PIAA_GELU_TANH, PIAA_GEGLU},
                 {"quick_gelu", PIAA_GELU_QUICK, PIAA_LINEAR},
                 {"silu", PIAA_LINEAR, PIAA_SWIGLU}};
    char room[160], origin[PIAA_CHECKPOINT_ORIGIN];
    const char *name = whole(config, key, room), *value = piaa_json_string(config->json, name);
    if (!value) value = fallback;
    for (size_t i = 0; i < PIAA_COUNT(known); i++) {
        *out = gated ? known[i].gated : known[i].plain;
        if (*out != PIAA_LINEAR && strcmp(value, known[i].name) == 0) return true;
    }
    return piaa_error_set(error, PIAA_UNSUPPORTED, "%s is \"%.40s\", only %s are supported",
                          piaa_checkpoint_origin(config->checkpoint, name, origin), value,
                          gated ? "\"gelu_pytorch_tanh\" and \"silu\""
                                : "\"gelu\", \"gelu_pytorch_tanh\" and \"quick_gelu\"");
}
