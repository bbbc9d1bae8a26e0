/* From the options of the study's commands to a study, and a run's tables on standard output. */
#include "cli/study.h"

#include "report/page.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const piaa_option piaa_study_options[] = {
    PIAA_OPTION_MODEL,
    PIAA_OPTION_MMPROJ,
    PIAA_OPTION_ADAPTER,
    {"prompt", "TEXT",
     "what the model is told beside the photo: base, format, attributes or unrelated for the "
     "paper's prompts, or a text",
     "base", NULL},
    PIAA_OPTION_CHAT,
    PIAA_OPTION_MAX_PIXELS,
    PIAA_OPTION_DTYPE,
    PIAA_OPTION_IMAGE_ATTENTION,
    {"exif", "WHAT",
     "whether photos are turned upright as their EXIF data say; the published code ignores them",
     "apply", "apply ignore"},
    PIAA_OPTION_BACKGROUND,
    PIAA_OPTION_DEVICE,
    PIAA_OPTION_THREADS,
    {"store", "STORE", "folder where the images' features are kept", "one in ~/.cache/piaa/stores",
     NULL},
    PIAA_OPTION_AGAIN,
    {0},
};

/* The next item of a comma-separated list; false at its end. */
bool piaa_call_item(const char **rest, char *word, size_t size) {
    if (!*rest || !**rest) return false;
    size_t n = strcspn(*rest, ",");
    snprintf(word, size, "%.*s", (int)(n < size ? n : size - 1), *rest);
    *rest += n + ((*rest)[n] == ',');
    return true;
}

bool piaa_call_count(const char *option, const char *word, size_t *out, piaa_error *error) {
    char *end;
    long value = strtol(word, &end, 10);
    if (end == word || *end || value < 1 || value > 1000000)
        return piaa_error_set(
            error, PIAA_USAGE,
            "--%s cannot be \"%s\": give a whole number from 1, such as 10 or 100", option, word);
    *out = (size_t)value;
    return true;
}

/* 10 and 100 are the published supports, drawn for everybody whichever is asked for; another one is
 * drawn alone, two others take their places. */
bool piaa_call_splits(const piaa_call *call, piaa_protocol_options *protocol, bool *small,
                      bool *large, piaa_error *error) {
    const char *rest = piaa_call_value(call, "support");
    char word[32];
    size_t counts[2] = {0}, n = 0;
    if (!rest) rest = "100";
    while (piaa_call_item(&rest, word, sizeof word)) {
        if (n == 2)
            return piaa_error_set(error, PIAA_USAGE,
                                  "--support takes one or two numbers, such as 10,100");
        if (!piaa_call_count("support", word, &counts[n++], error)) return false;
    }
    if (!n) return piaa_call_count("support", "", &counts[0], error);
    if (n == 2 && counts[0] >= counts[1])
        return piaa_error_set(error, PIAA_USAGE,
                              "--support takes the smaller number first, such as 10,100");
    *small = n == 2 || counts[0] == protocol->small;
    *large = n == 2 || !*small;
    if (n == 2) protocol->small = counts[0];
    if (n == 1 && *large && counts[0] != protocol->large) protocol->small = 0;
    if (*large) protocol->large = counts[n - 1];
    const char *test = piaa_call_value(call, "test");
    return !test || piaa_call_count("test", test, &protocol->test, error);
}

piaa_model *piaa_call_study(piaa_call *call, piaa_study_kind kind, piaa_study *study,
                            piaa_error *error) {
    piaa_request request;
    if (!piaa_call_need(call, "data", error) ||
        !piaa_call_request_plain(call, NULL, &request, error))
        return NULL;
    request.prompt = piaa_call_value(call, "prompt");
    if (!piaa_study_open(study, piaa_call_value(call, "data"), piaa_call_value(call, "user-column"),
                         kind, &request, &call->talk.hooks, error))
        return NULL;
    return piaa_call_model(call, piaa_call_value(call, "model"), error);
}

bool piaa_call_study_store(piaa_call *call, piaa_study *study, piaa_error *error) {
    piaa_call_tell_demonstration(call, piaa_model_get_info(study->model)->demonstration);
    return piaa_call_open_store(call, study->reader, piaa_call_value(call, "store"), error);
}

piaa_run_about piaa_call_about(const piaa_study *study) {
    return (piaa_run_about){.set = study->set,
                            .identity = piaa_store_identity(piaa_reader_store(study->reader)),
                            .demonstration = piaa_model_get_info(study->model)->demonstration,
                            .prompt_mode = study->prompt_mode,
                            .model_id = piaa_study_model_id(study),
                            .unreadable = study->unreadable};
}

bool piaa_call_print_run(piaa_call *call, const char *folder, piaa_error *error) {
    piaa_run *run = piaa_run_open(folder, error);
    piaa_tables tables = {0};
    piaa_text text = {0};
    bool ok = run && piaa_tables_make(&tables, run, error) &&
              piaa_tables_print(&tables, &text, error) &&
              piaa_report_write(stdout, text.data, text.length, error);
    if (ok)
        piaa_talk_note(&call->talk, "The run is in %s; piaa report %s --out report.html draws it.",
                       folder, folder);
    free(text.data);
    piaa_tables_free(&tables);
    piaa_run_close(run);
    return ok;
}
