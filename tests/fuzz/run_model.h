/* What the fuzz targets of models do with one: open it as its family does, and where that is taken,
   run a photo through it. */
#ifndef PIAA_TESTS_FUZZ_RUN_MODEL_H
#define PIAA_TESTS_FUZZ_RUN_MODEL_H

#include "base/memory.h"
#include "vlm/model.h"
#include "weights/checkpoint_parts.h"

#include <stdlib.h>
#include <string.h>

/* One line, and a code, for whatever failed. */
static inline void fuzz_check_error(const piaa_error *error) {
    if (error->code == PIAA_OK || !error->message[0] || strchr(error->message, '\n')) abort();
}

static inline void fuzz_run(piaa_model *model, bool portable) {
    static uint8_t rgb[40 * 30 * 3] = {10, 200, 30};
    enum { PIXELS_MOST = 1 << 12, TOKENS_MOST = 2048 };
    const piaa_image image = {.width = 40, .height = 30, .rgb = rgb};
    const piaa_layout *layout = &model->info.layout;
    const piaa_ask ask = {.max_pixels = layout->hidden_size &&
                                                strcmp(model->family->model_type, "qwen3_vl") == 0
                                            ? PIXELS_MOST
                                            : 0};
    piaa_error error = {0};
    if (model->info.min_pixels > (1 << 22)) return; /* slow, not wrong */
    piaa_model_input *input = piaa_model_prepare(model, &image, &ask, &error);
    if (!input) {
        fuzz_check_error(&error);
        return;
    }
    piaa_slots slots;
    if (piaa_model_input_tokens(input) <= TOKENS_MOST &&
        piaa_slots_parse(layout->hidden_size ? "lt,lv,v" : "v", "all", layout, &slots, &error)) {
        const piaa_session_options options = {
            .dtype = PIAA_DTYPE_F32, .threads = 1, .portable = portable};
        size_t values = 0;
        for (size_t i = 0; i < slots.count; i++) values += (size_t)slots.items[i].dim;
        float *out = piaa_alloc(values, sizeof *out, &error);
        piaa_session *session = out ? piaa_session_new(model, &slots, &options, &error) : NULL;
        if (!session || !piaa_session_run(session, input, out, &error)) fuzz_check_error(&error);
        piaa_session_free(session);
        piaa_slots_free(&slots);
        free(out);
    }
    piaa_model_input_free(input);
}

static inline void fuzz_open_and_run(const piaa_family *family, const piaa_checkpoint *checkpoint,
                                     const piaa_tokenizer *tokenizer, bool portable) {
    piaa_error error = {0};
    piaa_model model = {.family = family,
                        .checkpoint = (piaa_checkpoint *)(uintptr_t)checkpoint,
                        .tokenizer = (piaa_tokenizer *)(uintptr_t)tokenizer};
    piaa_settings settings;
    if (piaa_settings_read(piaa_settings_family_find(family->model_type), checkpoint, &settings,
                           &error))
        model.config = family->open(checkpoint, &settings, &model.info, &error);
    if (!model.config) {
        fuzz_check_error(&error);
        return;
    }
    fuzz_run(&model, portable);
    family->close(model.config);
}

#endif
