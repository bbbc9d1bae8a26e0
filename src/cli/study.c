/* From the options of the study's commands to a study, and a run's tables on standard output. */
#include "cli/study.h"

#include "report/page.h"
#include "report/report.h"

#include <stdlib.h>

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
