/* From a data set and a model to features of its images. */
#include "study/study.h"

#include "base/memory.h"
#include "base/processors.h"
#include "study/changed.h"
#include "vlm/vlm.h"

#include <stdlib.h>
#include <string.h>

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

bool piaa_study_open(piaa_study *study, const char *spec, const char *user_column,
                     piaa_study_kind kind, const piaa_request *request, const piaa_hooks *hooks,
                     piaa_error *error) {
    *study = (piaa_study){.hooks = hooks,
                          .request = *request,
                          .spec = spec,
                          .threads = request->threads > 0 ? request->threads : piaa_processors()};
    return (study->set = piaa_dataset_open_by(spec, user_column, hooks, error)) &&
           (study->prompt =
                expand_prompt(study->set, kind, request->prompt, &study->prompt_mode, error));
}

void piaa_study_close(piaa_study *study) {
    piaa_reader_free(study->reader);
    piaa_dataset_close(study->set);
    free(study->prompt);
    *study = (piaa_study){0};
}

static bool ask(piaa_study *study, piaa_model *model, const char *pools, const char *layers,
                const char *features, piaa_error *error) {
    piaa_request request = study->request;
    request.prompt = study->prompt;
    request.pools = pools;
    request.layers = layers;
    request.features = features;
    study->model = model;
    return (study->reader = piaa_reader_new(model, &request, error));
}

bool piaa_study_ask(piaa_study *study, piaa_model *model, const char *pools, const char *layers,
                    piaa_error *error) {
    return ask(study, model, pools, layers, NULL, error);
}

bool piaa_study_ask_features(piaa_study *study, piaa_model *model, const char *features,
                             piaa_error *error) {
    return ask(study, model, NULL, NULL, features, error);
}

const char *piaa_study_model_id(const piaa_study *study) {
    const piaa_model_info *info = piaa_model_get_info(study->model);
    const char *name = piaa_path_name(info->folder);
    return info->demonstration || !*name ? "demo" : name;
}

/* ---------------------------------------------------------------------------------------- embed */

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The list is put in order; an image may be on it twice. */
static bool embed(piaa_study *study, const char **paths, size_t count, const char *of,
                  piaa_error *error) {
    piaa_embed_summary summary = {0};
    size_t different = 0;
    if (!count)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "none of the images of %.700s is there: is it the right folder?", of);
    qsort(paths, count, sizeof *paths, compare_paths);
    for (size_t i = 0; i < count; i++)
        if (!different || strcmp(paths[different - 1], paths[i]) != 0)
            paths[different++] = paths[i];
    if (!piaa_reader_read_paths(study->reader, paths, different, study->hooks, &summary, error))
        return false;
    study->unreadable += (size_t)summary.failed;
    return summary.failed < summary.photos ||
           piaa_error_set(error, PIAA_FORMAT, "none of the images of %.700s could be read", of);
}

bool piaa_study_embed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                      piaa_error *error) {
    const char **paths = piaa_alloc(set->image_count, sizeof *paths, error);
    size_t count = 0;
    if (!paths) return false;
    for (size_t i = 0; i < set->image_count; i++)
        if (!set->images[i].missing && (!wanted || wanted[i])) paths[count++] = set->images[i].path;
    const bool ok = embed(study, paths, count, set->folder, error);
    free(paths);
    return ok;
}

/* The copies that were made of the images wanted. */
static bool list_changed(const piaa_dataset *set, const bool *wanted, const char *folder,
                         piaa_paths *out, piaa_error *error) {
    for (size_t i = 0; i < set->image_count; i++) {
        if (!wanted[i]) continue;
        char *path = piaa_changed_path(folder, i, error);
        const bool ok = path && (!piaa_file_exists(path) || piaa_paths_add(out, path, error));
        free(path);
        if (!ok) return false;
    }
    return true;
}

bool piaa_study_embed_changed(piaa_study *study, const piaa_dataset *set, const bool *wanted,
                              const char *folder, piaa_error *error) {
    piaa_paths paths = {0};
    char *absolute = piaa_path_absolute(folder, error);
    const bool ok = absolute && list_changed(set, wanted, absolute, &paths, error) &&
                    embed(study, (const char **)paths.items, paths.count, folder, error);
    free(absolute);
    piaa_paths_free(&paths);
    return ok;
}

/* ------------------------------------------------------------------------------------ attributes
 */

static piaa_projection *learn(piaa_study *study, const char *spec, const piaa_slot *slot,
                              piaa_error *error) {
    const piaa_hooks *hooks = study->hooks;
    bool own = strcmp(spec, study->spec) == 0;
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
        piaa_source_open(&source, piaa_reader_store(study->reader), set, NULL, slot, 1, error)) {
        piaa_identity identity = piaa_store_identity(piaa_reader_store(study->reader));
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
