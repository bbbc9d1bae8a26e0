/* From --data and --model to features of a data set's images. */
#include "cli/study.h"

#include "base/file.h"
#include "base/processors.h"
#include "report/report.h"
#include "report/study.h"
#include "study/changed.h"

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

/* -------------------------------------------------------------------------------------- prompts */

/* The four prompts of the published code.  Its probing and its personal scripts word two of them
 * differently; the personal ones name AADB's attributes whatever the data are. */
static char *expand_prompt(const piaa_dataset *set, piaa_study_kind kind, const char *given,
                           const char **mode, piaa_error *error) {
    static const char *const personal_names =
        "BalancingElements, ColorHarmony, Content, DoF, Light, MotionBlur, Object, Repetition, "
        "RuleOfThirds, Symmetry, VividColor";
    *mode = !given ? "base" : given;
    if (!given || strcmp(given, "base") == 0) return piaa_strdup(PIAA_BASE_PROMPT, error);
    if (strcmp(given, "unrelated") == 0)
        return piaa_strdup("Describe the weather today in one sentence.", error);
    if (strcmp(given, "format") == 0)
        return piaa_format(error,
                           "%s Please rate it on a scale from 1 to 5. Output only the numeric "
                           "score, and do not output any other text.",
                           kind == PIAA_STUDY_PROBING
                               ? PIAA_BASE_PROMPT
                               : "Assess the overall aesthetic quality of this image.");
    if (strcmp(given, "attributes") != 0) {
        *mode = "text";
        return piaa_strdup(given, error);
    }
    piaa_text names = {0};
    bool own = kind == PIAA_STUDY_PROBING && set->attribute_count,
         ok = !own || strcmp(set->kind, "para") != 0 || piaa_text_format(&names, error, "score");
    for (size_t k = 0; ok && own && k < set->attribute_count; k++)
        ok = piaa_text_format(&names, error, "%s%s", names.length ? ", " : "",
                              set->attribute_names[k]);
    char *prompt =
        ok ? piaa_format(error,
                         "Assess the aesthetics of this image with respect to the following "
                         "attributes: %s. You do not need to "
                         "output the attributes explicitly; just use them as internal criteria.",
                         own ? names.data : personal_names)
           : NULL;
    free(names.data);
    return prompt;
}

/* ----------------------------------------------------------------------------------------- open */

bool piaa_study_open(piaa_study *study, piaa_call *call, piaa_study_kind kind, piaa_error *error) {
    int64_t threads = piaa_processors();
    *study = (piaa_study){.call = call};
    if (!piaa_call_need(call, "data", error) ||
        !piaa_call_integer(call, "threads", 1, 1024, &threads, error))
        return false;
    study->threads = (int)threads;
    return (study->set = piaa_dataset_open_by(piaa_call_value(call, "data"),
                                              piaa_call_value(call, "user-column"),
                                              &call->talk.hooks, error)) &&
           (study->prompt = expand_prompt(study->set, kind, piaa_call_value(call, "prompt"),
                                          &study->prompt_mode, error)) &&
           (study->reader.model = piaa_reader_model(call, piaa_call_value(call, "model"), error));
}

void piaa_study_close(piaa_study *study) {
    piaa_reader_close(&study->reader);
    piaa_dataset_close(study->set);
    free(study->prompt);
    *study = (piaa_study){0};
}

bool piaa_study_ask(piaa_study *study, const char *pools, const char *layers, piaa_error *error) {
    piaa_request request;
    if (!piaa_reader_request(study->call, &request, error)) return false;
    request.prompt = study->prompt;
    request.pools = pools;
    request.layers = layers;
    study->reader.extractor = piaa_extractor_new(study->reader.model, &request, error);
    if (!study->reader.extractor) return false;
    piaa_reader_tell_demonstration(study->call,
                                   piaa_model_get_info(study->reader.model)->fingerprint);
    return piaa_reader_open_store(&study->reader, study->call,
                                  piaa_call_value(study->call, "store"), error);
}

/* ---------------------------------------------------------------------------------------- embed */

static bool embed(piaa_study *study, piaa_paths *paths, const char *of, piaa_error *error) {
    piaa_embed_summary summary = {0};
    piaa_paths_merge(paths); /* an image may be on two lists */
    if (!paths->count)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "none of the images of %.700s is there: is it the right folder?", of);
    if (!piaa_reader_embed(&study->reader, study->call, paths, &summary, error)) return false;
    study->unreadable += (size_t)summary.failed;
    return summary.failed < summary.photos ||
           piaa_error_set(error, PIAA_FORMAT, "none of the images of %.700s could be read", of);
}

bool piaa_study_embed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                      piaa_error *error) {
    piaa_paths paths = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < set->image_count; i++)
        if (!set->images[i].missing && (!wanted || wanted[i]))
            ok = piaa_paths_add(&paths, set->images[i].path, error);
    ok = ok && embed(study, &paths, set->folder, error);
    piaa_paths_free(&paths);
    return ok;
}

bool piaa_study_embed_changed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                              const char *folder, piaa_error *error) {
    piaa_paths paths = {0};
    char *absolute = piaa_path_absolute(folder, error);
    bool ok = absolute != NULL;
    for (size_t i = 0; ok && i < set->image_count; i++) {
        if (!wanted[i]) continue;
        char *path = piaa_changed_path(absolute, i, error);
        ok = path && (!piaa_file_exists(path) || piaa_paths_add(&paths, path, error));
        free(path);
    }
    ok = ok && embed(study, &paths, folder, error);
    free(absolute);
    piaa_paths_free(&paths);
    return ok;
}

/* -------------------------------------------------------------------------------------- results */

piaa_run_about piaa_study_about(const piaa_study *study) {
    const piaa_model_info *info = piaa_model_get_info(study->reader.model);
    const char *name = piaa_path_name(info->folder);
    return (piaa_run_about){.set = study->set,
                            .identity = piaa_store_identity(study->reader.store),
                            .demonstration = info->demonstration,
                            .prompt_mode = study->prompt_mode,
                            .model_id = info->demonstration || !*name ? "demo" : name,
                            .unreadable = study->unreadable};
}

static piaa_projection *learn(piaa_study *study, const char *spec, const piaa_slot *slot,
                              piaa_error *error) {
    const piaa_hooks *hooks = &study->call->talk.hooks;
    bool own = strcmp(spec, piaa_call_value(study->call, "data")) == 0;
    piaa_dataset *set = own ? study->set : piaa_dataset_open_by(spec, NULL, hooks, error);
    bool *wanted = set ? piaa_alloc(set->image_count, sizeof *wanted, error) : NULL, split = false;
    if (!wanted) {
        if (!own) piaa_dataset_close(set);
        return NULL;
    }
    for (size_t i = 0; i < set->image_count; i++)
        split = split || set->images[i].split != PIAA_SPLIT_NONE;
    for (size_t i = 0; i < set->image_count; i++)
        wanted[i] = !split || set->images[i].split == PIAA_SPLIT_TRAIN;
    size_t unreadable = study->unreadable;
    piaa_source source = {0};
    piaa_projection *projection = NULL;
    if (piaa_study_embed(study, set, wanted, error) &&
        piaa_source_open(&source, study->reader.store, set, NULL, slot, 1, error)) {
        piaa_identity identity = piaa_store_identity(study->reader.store);
        projection = piaa_projection_learn(set, &source, &identity, study->threads, hooks, error);
        piaa_source_close(&source);
    }
    study->unreadable = unreadable; /* counts the study's own data set */
    free(wanted);
    if (!own) piaa_dataset_close(set);
    return projection;
}

piaa_projection *piaa_study_project(piaa_study *study, const char *file, const char *spec,
                                    const piaa_slot *slot, piaa_error *error) {
    return file ? piaa_projection_load(file, error) : learn(study, spec, slot, error);
}

bool piaa_study_print(piaa_study *study, const char *folder, piaa_error *error) {
    piaa_run *run = piaa_run_open(folder, error);
    piaa_tables tables = {0};
    piaa_text text = {0};
    bool ok = run && piaa_tables_make(&tables, run, error) &&
              piaa_tables_print(&tables, &text, error) &&
              piaa_report_write(stdout, text.data, text.length, error);
    if (ok)
        piaa_talk_note(&study->call->talk,
                       "The run is in %s; piaa report %s --out report.html draws it.", folder,
                       folder);
    free(text.data);
    piaa_tables_free(&tables);
    piaa_run_close(run);
    return ok;
}
