/* Any bytes as a config.json, through the getters that a model's configuration goes through. */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const keys[] = {
    "model_type",
    "architectures",
    "text_config.hidden_size",
    "text_config.rope_parameters.mrope_section",
    "text_config.rope_parameters.rope_theta",
    "vision_config.deepstack_visual_indexes",
    "tie_word_embeddings",
    "size.longest_edge",
    "image_mean",
    "..",
    "",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    cJSON *root = piaa_json_parse((const char *)data, size, "fuzz", &error);
    if (!root) {
        if (error.code != PIAA_FORMAT || !error.message[0]) abort();
        return 0;
    }
    for (size_t i = 0; i < PIAA_COUNT(keys); i++) {
        int64_t integer = 0, list[8];
        double number = 0;
        bool flag = false;
        if (piaa_json_int(root, keys[i], &integer) && llabs(integer) > INT64_C(1) << 53) abort();
        if (piaa_json_number(root, keys[i], &number) && !isfinite(number)) abort();
        piaa_json_bool(root, keys[i], &flag);
        piaa_json_string(root, keys[i]);
        if (piaa_json_ints(root, keys[i], list, PIAA_COUNT(list)) > (int)PIAA_COUNT(list)) abort();
    }
    cJSON_Delete(root);
    return 0;
}
