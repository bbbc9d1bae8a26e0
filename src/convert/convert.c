/* A model as a pair of GGUF files, if those can say everything that it is: before the weights are
 * written the files' settings are read back as a model, and compared with the one in hand. */
#include "convert/convert.h"

#include "vlm/model.h"

#include <string.h>

/* Whether two tokenizers make the same of a text in which words, numbers, signs, blanks, lines,
   composed letters and scripts without blanks meet: GGUF names the usual ways of cutting and
   normalising, and cannot say others. */
static bool same_tokens(const piaa_model *a, const piaa_model *b, bool *same, piaa_error *error) {
    static const char text[] =
        "I'm sure IT'S 1234.5 \xe2\x80\x94 \"soft  light\"!!\n\n\tCafe\xcc\x81, "
        "CAF\xc3\x89\xe2\x80\xa6 \xe6\x9e\x84\xe5\x9b\xbe\xe5\x92\x8c"
        "\xe8\x89\xb2\xe5\xbd\xa9 \xf0\x9f\x98\x80 don't_stop #1 \r\n   end ";
    const size_t size = sizeof text - 1;
    piaa_ids one = {0}, two = {0};
    const bool ok = piaa_tokenizer_encode(piaa_model_tokenizer(a), text, size, &one, error) &&
                    piaa_tokenizer_encode(piaa_model_tokenizer(b), text, size, &two, error);
    *same = ok && one.count == two.count &&
            memcmp(one.items, two.items, one.count * sizeof *one.items) == 0;
    piaa_ids_free(&one);
    piaa_ids_free(&two);
    return ok;
}

static bool says_the_same(void *user, const char *text, const char *vision, piaa_error *error) {
    const piaa_model *model = user;
    piaa_model *written = piaa_model_open_pair(text, vision, error);
    if (!written) return piaa_error_prefix(error, "what was written cannot be read back");
    const char *setting = written->family == model->family
                              ? model->family->difference(model->config, written->config)
                              : "model_type";
    bool same = true;
    const bool read = setting || same_tokens(model, written, &same, error);
    piaa_model_close(written);
    if (!read) return false;
    if (!same) setting = "way of cutting and normalising text (tokenizer.json)";
    return !setting ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s has another %s than GGUF files can say: they would be another model; "
                          "use the folder itself (--dtype q4_K saves the same memory)",
                          model->info.folder, setting);
}

bool piaa_model_convert(piaa_model *model, const char *text_path, const char *vision_path,
                        piaa_gguf_kind kind, const piaa_hooks *hooks, piaa_error *error) {
    if (!model) return piaa_error_missing(error, "model");
    if (!piaa_model_check(model, error)) return false;
    const piaa_gguf_check check = {says_the_same, model};
    return piaa_gguf_convert(model->checkpoint, text_path, vision_path, kind,
                             model->family->difference ? &check : NULL, hooks, error);
}
