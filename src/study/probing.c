/* Probing from a data set to figures. */
#include "study/probing.h"

#include "base/file.h"
#include "base/memory.h"
#include "study/changed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHANGE_SEED = 0 };

/* ---------------------------------------------------------------------------------------- begin */

static bool choose_images(const piaa_dataset *set, piaa_split test, bool *wanted,
                          piaa_error *error) {
    bool any = false;
    for (size_t i = 0; i < set->image_count; i++) {
        wanted[i] = set->images[i].split == PIAA_SPLIT_TRAIN ||
                    set->images[i].split == PIAA_SPLIT_VALIDATION || set->images[i].split == test;
        any = any || wanted[i];
    }
    if (any) return true;
    return strcmp(set->kind, "csv") == 0
               ? piaa_error_set(error, PIAA_FORMAT,
                                "%s has no column named split that says train, validation or test: "
                                "add one",
                                set->where)
               : piaa_error_set(error, PIAA_FORMAT,
                                "%s says of no image that it is to learn from or to test on: are "
                                "the data set's lists whole?",
                                set->folder);
}

bool piaa_probing_begin(piaa_probing *p, piaa_study *study, piaa_model *model,
                        const piaa_probing_options *options, piaa_error *error) {
    /* All pools that the model has. */
    const char *usual =
        piaa_model_get_info(model)->layout.decoder_layers > 0 ? "v,lv,lt,lt_tail" : "v";
    *p = (piaa_probing){.study = study, .options = *options};
    return (p->wanted = piaa_alloc(study->set->image_count, sizeof *p->wanted, error)) &&
           choose_images(study->set, options->test, p->wanted, error) &&
           piaa_study_ask(study, model, options->pools ? options->pools : usual,
                          options->layers ? options->layers : "all", error);
}

/* ------------------------------------------------------------------------------------ one probe */

static const piaa_slots *slots_of(const piaa_probing *p) {
    return piaa_extractor_slots(piaa_reader_extractor(p->study->reader));
}

static void close_sources(const piaa_probing *p, piaa_source *sources) {
    for (size_t s = 0; sources && s < slots_of(p)->count; s++) piaa_source_close(&sources[s]);
    free(sources);
}

/* One source for every slot that was asked for; `changed`: of changed images. */
static piaa_source *open_sources(const piaa_probing *p, const char *changed, piaa_error *error) {
    const piaa_slots *slots = slots_of(p);
    piaa_source *sources = piaa_alloc(slots->count, sizeof *sources, error);
    for (size_t s = 0; sources && s < slots->count; s++)
        if (!piaa_source_open(&sources[s], piaa_reader_store(p->study->reader), p->study->set,
                              changed, &slots->items[s], 1, error)) {
            close_sources(p, sources);
            return NULL;
        }
    return sources;
}

static piaa_probe *run_probe(const piaa_probing *p, const char *changed, piaa_error *error) {
    piaa_source *sources = open_sources(p, NULL, error),
                *others = sources && changed ? open_sources(p, changed, error) : NULL;
    piaa_probe *probe = NULL;
    if (sources && (!changed || others)) {
        piaa_probe_options options = {
            .test = p->options.test, .changed = others, .threads = p->study->threads};
        probe = piaa_probe_run(p->study->set, sources, slots_of(p)->count, &options,
                               p->study->hooks, error);
    }
    close_sources(p, sources);
    close_sources(p, others);
    return probe;
}

/* --------------------------------------------------------------------------------------- changes
 */

static bool make_folder(const char *path, piaa_error *error) {
    return mkdir(path, 0777) == 0 || errno == EEXIST ||
           piaa_error_set_errno(error, errno, "cannot make the folder %.700s", path);
}

/* `parent`/KIND, made. */
static char *change_folder(const char *parent, piaa_augment kind, piaa_error *error) {
    char *path = make_folder(parent, error)
                     ? piaa_format(error, "%s/%s", parent, piaa_augment_name(kind))
                     : NULL;
    if (!path || make_folder(path, error)) return path;
    free(path);
    return NULL;
}

/* Test images, changed and read; wanted [images] is scratch. */
static piaa_probe *probe_changed(const piaa_probing *p, piaa_augment kind, const char *folder,
                                 bool *wanted, piaa_error *error) {
    piaa_study *study = p->study;
    const piaa_split test = p->options.test;
    const size_t unreadable = study->unreadable; /* counts the study's own images */
    for (size_t i = 0; i < study->set->image_count; i++)
        wanted[i] = study->set->images[i].split == test;
    const bool ok = piaa_changed_make(study->set, test, kind, CHANGE_SEED, folder, study->threads,
                                      study->hooks, NULL, error) &&
                    piaa_study_embed_changed(study, study->set, wanted, folder, error);
    study->unreadable = unreadable;
    return ok ? run_probe(p, folder, error) : NULL;
}

static piaa_probe *run_changed(const piaa_probing *p, piaa_augment kind, const char *parent,
                               piaa_error *error) {
    bool *wanted = piaa_alloc(p->study->set->image_count, sizeof *wanted, error);
    char *folder = wanted ? change_folder(parent, kind, error) : NULL;
    piaa_probe *probe = folder ? probe_changed(p, kind, folder, wanted, error) : NULL;
    free(folder);
    free(wanted);
    return probe;
}

/* ------------------------------------------------------------------------------------------ run */

bool piaa_probing_run(piaa_probing *p, const char *changed, piaa_error *error) {
    if (!piaa_study_embed(p->study, p->study->set, p->wanted, error)) return false;
    for (int kind = 0; kind < PIAA_AUGMENTS; kind++)
        if (p->options.changes[kind] &&
            !(p->changed[kind] = run_changed(p, (piaa_augment)kind, changed, error)))
            return false;
    return (p->probe = run_probe(p, NULL, error));
}

void piaa_probing_free(piaa_probing *p) {
    for (int kind = 0; kind < PIAA_AUGMENTS; kind++) piaa_probe_free(p->changed[kind]);
    piaa_probe_free(p->probe);
    free(p->wanted);
    *p = (piaa_probing){0};
}
