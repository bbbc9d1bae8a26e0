/* Values of config.json, checked: what is missing takes the default that the reference's
 * configuration class has, as published files leave out whatever equals it. */
#ifndef PIAA_VLM_CONFIG_H
#define PIAA_VLM_CONFIG_H

#include "base/json.h"
#include "vlm/kernels.h"
#include "weights/checkpoint.h"

/* An object of a checkpoint's configuration: `json` and the prefix of its keys ("text_config."). */
typedef struct piaa_config {
    const cJSON *json;
    const char *prefix;
    const piaa_checkpoint *checkpoint; /* for messages */
} piaa_config;

/* What is at the key; NULL where there is nothing, or null, which is nothing in the reference too.
 */
const cJSON *piaa_config_find(const piaa_config *config, const char *key);

/* The value at the key, else `fallback`, which is within the limits if there is one (else it is
   missed). */
bool piaa_config_int(const piaa_config *config, const char *key, int fallback, int low, int high,
                     int *out, piaa_error *error) PIAA_MUST_USE;
bool piaa_config_positive(const piaa_config *config, const char *key, double fallback, float *out,
                          piaa_error *error) PIAA_MUST_USE;
bool piaa_config_flag(const piaa_config *config, const char *key, bool fallback);

/* "gelu", "gelu_pytorch_tanh", "quick_gelu"; gated: "gelu_pytorch_tanh" or "silu" of the gates. */
bool piaa_config_activation(const piaa_config *config, const char *key, const char *fallback,
                            bool gated, piaa_activation *out, piaa_error *error) PIAA_MUST_USE;

#endif
