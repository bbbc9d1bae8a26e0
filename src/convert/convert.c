/* A model as a pair of GGUF files, if those can say everything that it is: before the weights are
 * written the files' settings are read back as a model, and compared with the one in hand. */
#include "convert/convert.h"

#include "vlm/model.h"

static bool says_the_same(void *user, const char *text, const char *vision, piaa_error *error) {
    const piaa_model *model = user;
    piaa_model *written = piaa_model_open_pair(text, vision, error);
    if (!written) return piaa_error_prefix(error, "what was written cannot be read back");
    const char *setting = written->family == model->family
                              ? model->family->difference(model->config, written->config)
                              : "model_type";
    piaa_model_close(written);
    return !setting ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s has another %s than GGUF files can say: they would be another model; "
                          "use the folder itself (--dtype q4_K saves the same memory)",
                          model->info.folder, setting);
}

bool piaa_model_convert(piaa_model *model, const char *text_path, const char *vision_path,
                        piaa_gguf_kind kind, const piaa_hooks *hooks, piaa_error *error) {
    if (!model) return piaa_error_missing(error, "model");
    const piaa_gguf_check check = {says_the_same, model};
    return piaa_gguf_convert(model->checkpoint, text_path, vision_path, kind,
                             model->family->difference ? &check : NULL, hooks, error);
}
