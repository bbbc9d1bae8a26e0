/* What is trained, on what, and where it goes; the phases themselves are in ici_phases.c. */
#include "study/ici_train.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "features/extractor.h"
#include "features/identity.h"
#include "image/planes.h"
#include "study/ici_phases.h"

#include <dirent.h>
#include <errno.h>
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTRIBUTES = PIAA_ICI_ATTRIBUTES, BINS = PIAA_ICI_BINS, RESNET50_FEATURES = 2048 };
/* The published code's, but for heads on features, which it does not have. */
static const piaa_ici_settings defaults[] = {
    [PIAA_ICI_FEATURES] = {{400, 50, 50}, {64, 256, 256}, {1e-2, 1e-4, 1e-4}, false, false},
    [PIAA_ICI_RESNET50] = {{50, 50, 50}, {64, 256, 256}, {1e-4, 1e-4, 1e-4}, false, false},
};

/* ---------------------------------------------------------------------------------------- begin */

/* Whether the folder may hold what is to be trained: nothing, or something of this kind. */
static bool check_folder(const char *folder, piaa_error *error) {
    if (!piaa_file_exists(folder)) return piaa_folder_has_place(folder, error);
    if (!piaa_file_is_folder(folder))
        return piaa_error_set(error, PIAA_USAGE,
                              "%.700s is a file: name a folder for what is trained", folder);
    if (piaa_file_exists_in(folder, "ici.json") || piaa_file_exists_in(folder, "training/key"))
        return true;
    DIR *list = opendir(folder);
    bool empty = list != NULL;
    for (struct dirent *entry; list && (entry = readdir(list));)
        empty = empty && (entry->d_name[0] == '.' || strcmp(entry->d_name, "training") == 0);
    if (list) closedir(list);
    return empty ||
           piaa_error_set(error, PIAA_USAGE,
                          "%.700s holds files that are no PIAA-ICI: name a new folder", folder);
}

static bool read_data(piaa_ici_training *t, piaa_error *error) {
    const piaa_dataset *set = t->study->set;
    const piaa_hooks *hooks = t->study->hooks;
    if (strcmp(set->kind, "para") != 0)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.300s is not PARA: PIAA-ICI is trained on PARA, whose annotations "
                              "say what all raters think and who they are (para:DIR)",
                              set->folder);
    return (t->protocol = piaa_protocol_make(set, &t->options->protocol, hooks, error)) &&
           (t->split =
                piaa_prior_split_make(set, t->protocol, t->options->share_photos, hooks, error)) &&
           (t->opinions = piaa_opinions_read(set, hooks, error)) &&
           (t->traits = piaa_traits_read(set, hooks, error)) &&
           (t->wanted = piaa_alloc(set->image_count, sizeof *t->wanted, error));
}

bool piaa_ici_training_begin(piaa_ici_training *t, piaa_study *study, piaa_model *model,
                             const piaa_ici_options *options, const char *folder,
                             piaa_error *error) {
    *t = (piaa_ici_training){.study = study, .options = options, .folder = folder};
    if (!check_folder(folder, error) || !read_data(t, error)) return false;
    for (size_t i = 0; i < t->split->image_count; i++) t->wanted[t->split->images[i]] = true;
    if (options->front != PIAA_ICI_FEATURES)
        return piaa_resnet_library() ||
               piaa_error_set(error, PIAA_UNSUPPORTED,
                              "this piaa was built without oneDNN, which computes a ResNet: "
                              "install it and build again, or take --front features");
    if (!piaa_study_ask(study, model, options->pool, options->layer, error)) return false;
    const piaa_slots *slots = piaa_extractor_slots(piaa_reader_extractor(study->reader));
    return slots->count == 1 ||
           piaa_error_set(error, PIAA_USAGE,
                          "PIAA-ICI reads one pool at one layer, and these are %zu: name one with "
                          "--pool and --layer",
                          slots->count);
}

void piaa_ici_training_free(piaa_ici_training *t) {
    piaa_source_close(&t->source);
    piaa_ici_model_free(t->model);
    piaa_ici_model_free(t->before);
    piaa_traits_free(t->traits);
    piaa_opinions_free(t->opinions);
    piaa_prior_split_free(t->split);
    piaa_protocol_free(t->protocol);
    free(t->wanted);
    free(t->categories);
    free(t->numbers);
    *t = (piaa_ici_training){0};
}

/* ------------------------------------------------------------------------ what is to be trained */

static bool start_model(piaa_ici_training *t, const piaa_identity *identity, const piaa_slot *slot,
                        piaa_error *error) {
    if (!(t->model = piaa_ici_model_new(t->folder, identity, slot, error))) return false;
    piaa_utc_now(t->model->made);
    t->model->front = t->options->front;
    return true;
}

/* Mean and standard deviation (n - 1) of each number over the training photos that have it. */
static bool measure_features(piaa_ici_training *t, piaa_error *error) {
    piaa_ici_model *m = t->model;
    const size_t dim = (size_t)m->slot.dim;
    double n = 0;
    for (size_t i = 0; i < t->split->image_count; i++) {
        const int64_t row = t->source.rows[t->split->images[i]];
        if (row < 0) continue;
        const float *x = t->source.x + (size_t)row * dim;
        n++;
        for (size_t j = 0; j < dim; j++) { /* Welford's */
            const double off = (double)x[j] - m->mean[j];
            m->mean[j] += off / n;
            m->scale[j] += off * ((double)x[j] - m->mean[j]);
        }
    }
    for (size_t j = 0; j < dim; j++) {
        const double deviation = n > 1 ? sqrt(m->scale[j] / (n - 1)) : 0;
        if (!isfinite(deviation) || !isfinite(m->mean[j]))
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "the features of the training photos hold a value that is not "
                                  "finite: no front can be learned from them");
        m->scale[j] = deviation > 0 ? deviation : 1;
    }
    return true;
}

/* The training photos' features stay in memory, so that others may write the store meanwhile. */
static bool let_go_of_store(piaa_ici_training *t, piaa_error *error) {
    piaa_source *source = &t->source;
    const size_t dim = (size_t)source->dim, images = t->study->set->image_count;
    float *own = piaa_alloc_array(t->split->image_count * dim, sizeof *own, error);
    if (!own) return false;
    int64_t count = 0;
    for (size_t i = 0; i < images; i++) {
        if (source->rows[i] < 0 || !t->wanted[i]) {
            source->rows[i] = -1;
            continue;
        }
        memcpy(own + (size_t)count * dim, source->x + (size_t)source->rows[i] * dim,
               dim * sizeof *own);
        source->rows[i] = count++;
    }
    free(source->own);
    source->x = source->own = own;
    piaa_reader_free(t->study->reader);
    t->study->reader = NULL;
    return true;
}

static bool read_features(piaa_ici_training *t, piaa_error *error) {
    const piaa_reader *reader = t->study->reader;
    const piaa_slot *slot = &piaa_extractor_slots(piaa_reader_extractor(reader))->items[0];
    if (!piaa_study_embed(t->study, t->study->set, t->wanted, error) ||
        !piaa_source_open(&t->source, piaa_reader_store(reader), t->study->set, NULL, slot, 1,
                          error))
        return false;
    const piaa_identity identity = piaa_store_identity(piaa_reader_store(reader));
    const piaa_slot own = {slot->pool, slot->layer, t->source.dim};
    return start_model(t, &identity, &own, error) && measure_features(t, error) &&
           let_go_of_store(t, error);
}

/* A network is described where features are: what it reads, and how many numbers it makes. */
static bool read_network(piaa_ici_training *t, piaa_error *error) {
    const piaa_ici_options *o = t->options;
    const char *file = o->phase1 ? o->phase1 : o->backbone;
    piaa_resnet *net = file ? piaa_resnet_open(file, error) : NULL;
    if (file && !net) return false;
    const int side = o->side ? o->side : PIAA_ICI_SIDE;
    const piaa_planes_config config = piaa_planes_classifier(side);
    char words[PIAA_PIXELS_WORDS];
    piaa_planes_describe(&config, words);
    const piaa_identity identity = {.model = file ? piaa_path_name(file) : "random weights",
                                    .family = "ResNet",
                                    .preprocessing = words};
    const piaa_slot slot = {PIAA_V, 0, net ? piaa_resnet_features(net) : RESNET50_FEATURES};
    piaa_resnet_free(net);
    if (!start_model(t, &identity, &slot, error)) return false;
    t->model->side = side;
    return true;
}

static void settle(piaa_ici_training *t) {
    const piaa_ici_settings *usual = &defaults[t->options->front];
    piaa_ici_settings *s = &t->model->settings;
    *s = t->options->settings;
    for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
        if (!s->epochs[stage]) s->epochs[stage] = usual->epochs[stage];
        if (!s->batch[stage]) s->batch[stage] = usual->batch[stage];
        if (!(s->rate[stage] > 0)) s->rate[stage] = usual->rate[stage];
    }
    if (t->options->phase1) s->epochs[PIAA_ICI_PHASE1] = 0;
}

static bool describe(piaa_ici_training *t, piaa_error *error) {
    const piaa_dataset *set = t->study->set;
    const piaa_prior_split *split = t->split;
    piaa_ici_model *m = t->model;
    m->scale_low = set->scale_low;
    m->scale_high = set->scale_high;
    m->ratings = (int64_t)split->rating_count;
    m->eval_people = (int64_t)t->options->protocol.first;
    m->protocol_seed = t->options->protocol.seed;
    m->shared_photos = t->options->share_photos;
    settle(t);
    if (!(m->kind = piaa_strdup(set->kind, error))) return false;
    for (size_t i = 0; i < split->user_count; i++)
        if (!piaa_paths_add(&m->people, set->user_names.items[split->users[i]], error))
            return false;
    for (size_t i = 0; i < split->image_count; i++)
        if (!piaa_paths_add(&m->images, set->images[split->images[i]].name, error)) return false;
    t->categories = piaa_alloc(split->user_count * PIAA_TRAIT_WORDS, sizeof(int), error);
    t->numbers = piaa_alloc(split->user_count * PIAA_TRAIT_NUMBERS, sizeof(float), error);
    if (!t->categories || !t->numbers ||
        !piaa_trait_vocabulary_make(t->traits, split->users, split->user_count, &m->vocabulary,
                                    error))
        return false;
    piaa_traits_encode(t->traits, &m->vocabulary, split->users, split->user_count, t->categories,
                       t->numbers, t->study->hooks, &t->loss);
    return true;
}

/* ------------------------------------------------------------------------------------------- key
 */

static void hash_text(GChecksum *hash, const char *text) {
    g_checksum_update(hash, (const guchar *)text, (gssize)strlen(text) + 1);
}

static void hash_bytes(GChecksum *hash, const void *bytes, size_t size) {
    g_checksum_update(hash, bytes, (gssize)size);
}

static void hash_number(GChecksum *hash, double number) {
    hash_bytes(hash, &number, sizeof number);
}

static void hash_data(GChecksum *hash, const piaa_ici_training *t) {
    const piaa_prior_split *split = t->split;
    for (size_t i = 0; i < t->model->people.count; i++) hash_text(hash, t->model->people.items[i]);
    for (size_t r = 0; r < split->rating_count; r++) {
        hash_number(hash, (double)split->ratings[r].user);
        hash_text(hash, t->study->set->images[split->ratings[r].image].name);
        hash_number(hash, split->ratings[r].score);
    }
    hash_number(hash, (double)split->held_count);
    for (size_t i = 0; i < split->image_count; i++) {
        const size_t image = split->images[i];
        hash_bytes(hash, t->opinions->attributes + image * ATTRIBUTES, ATTRIBUTES * sizeof(float));
        hash_bytes(hash, t->opinions->bins + image * BINS, BINS * sizeof(float));
    }
    hash_bytes(hash, t->categories, split->user_count * PIAA_TRAIT_WORDS * sizeof(int));
    hash_bytes(hash, t->numbers, split->user_count * PIAA_TRAIT_NUMBERS * sizeof(float));
}

/* Of everything that decides about the weights but the number of seeds. */
static bool make_key(piaa_ici_training *t, piaa_error *error) {
    const piaa_ici_model *m = t->model;
    char name[PIAA_IDENTITY_NAME];
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    piaa_identity_name(&m->identity, name);
    hash_text(hash, name);
    hash_text(hash, m->identity.prompt);
    hash_text(hash, t->options->phase1 ? t->options->phase1 : "");
    hash_number(hash, m->front);
    hash_number(hash, m->slot.pool);
    hash_number(hash, m->slot.layer);
    hash_number(hash, m->side);
    for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
        hash_number(hash, m->settings.epochs[stage]);
        hash_number(hash, m->settings.batch[stage]);
        hash_number(hash, m->settings.rate[stage]);
    }
    hash_number(hash, m->settings.user_node);
    hash_number(hash, m->settings.attribute_identity);
    hash_data(hash, t);
    t->model->key = piaa_strdup(g_checksum_get_string(hash), error);
    g_checksum_free(hash);
    return t->model->key != NULL;
}

/* ---------------------------------------------------------------------------------- the folder */

static bool other_training(const piaa_ici_training *t, const char *what, piaa_error *error) {
    return piaa_error_set(error, PIAA_USAGE,
                          "%.600s holds %s of other data or settings: name another folder, or "
                          "delete that one",
                          t->folder, what);
}

static char *path_in(const piaa_ici_training *t, const char *name, piaa_error *error) {
    return piaa_path_join(t->folder, name, error);
}

static bool make_folder(const char *path, piaa_error *error) {
    return mkdir(path, 0777) == 0 || errno == EEXIST ||
           piaa_error_set_errno(error, errno, "cannot make the folder %.700s", path);
}

static bool make_folder_in(const piaa_ici_training *t, const char *name, piaa_error *error) {
    char *path = path_in(t, name, error);
    const bool ok = path && make_folder(path, error);
    free(path);
    return ok;
}

static bool check_key(const piaa_ici_training *t, const char *path, piaa_error *error) {
    size_t size;
    const char *key = t->model->key;
    if (!piaa_file_exists(path)) return piaa_file_write(path, key, strlen(key), error);
    char *there = piaa_file_read(path, 4096, &size, error);
    const bool same = there && strcmp(there, key) == 0;
    const bool ok = there && (same || other_training(t, "an unfinished training", error));
    free(there);
    return ok;
}

/* Takes over what was finished earlier, and makes room for what is not. */
static bool prepare_folder(piaa_ici_training *t, piaa_error *error) {
    if (piaa_file_exists_in(t->folder, "ici.json")) {
        if (!(t->before = piaa_ici_model_describe(t->folder, error))) return false;
        if (strcmp(t->before->key, t->model->key) != 0)
            return other_training(t, "a PIAA-ICI", error);
        if (t->before->count >= t->model->count) return true;
    }
    if (!make_folder(t->folder, error) || !make_folder_in(t, "training", error)) return false;
    char *path = path_in(t, "training/key", error);
    const bool ok = path && check_key(t, path, error);
    free(path);
    return ok;
}

/* What is left behind costs room alone. */
static void remove_training(const piaa_ici_training *t) {
    char *folder = path_in(t, "training", NULL);
    DIR *list = folder ? opendir(folder) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char *path = entry->d_name[0] == '.' ? NULL : piaa_path_join(folder, entry->d_name, NULL);
        if (path) unlink(path);
        free(path);
    }
    if (list) closedir(list);
    if (folder) rmdir(folder);
    free(folder);
}

/* -------------------------------------------------------------------------------------- together
 */

static bool train_seed(piaa_ici_training *t, size_t prior, piaa_error *error) {
    char name[40];
    snprintf(name, sizeof name, "seed-%lld", (long long)t->model->priors[prior].seed);
    if (!make_folder_in(t, name, error)) return false;
    piaa_ici_hats hats = {0};
    const bool ok = piaa_ici_learn_front(t, prior, &hats, error) &&
                    piaa_ici_learn_prior(t, prior, &hats, true, error) &&
                    piaa_ici_learn_prior(t, prior, &hats, false, error);
    piaa_ici_hats_free(&hats);
    return ok;
}

static void take_over(piaa_ici_prior *to, piaa_ici_prior *from) {
    for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
        to->curves[stage] = from->curves[stage];
        from->curves[stage] = (piaa_ici_curve){0};
    }
}

static bool train_all(piaa_ici_training *t, piaa_error *error) {
    const size_t there = t->before ? t->before->count : 0;
    for (size_t p = 0; p < t->model->count; p++)
        if (p < there)
            take_over(&t->model->priors[p], &t->before->priors[p]);
        else if (!train_seed(t, p, error))
            return false;
    if (!piaa_ici_model_write(t->model, error)) return false;
    remove_training(t);
    return true;
}

bool piaa_ici_training_run(piaa_ici_training *t, piaa_error *error) {
    const size_t count = (size_t)(t->options->priors ? t->options->priors : PIAA_ICI_PRIORS);
    const bool features = t->options->front == PIAA_ICI_FEATURES;
    if (!(features ? read_features(t, error) : read_network(t, error)) ||
        !(t->model->priors = piaa_alloc(count, sizeof *t->model->priors, error)))
        return false;
    t->model->count = count;
    for (size_t p = 0; p < count; p++) t->model->priors[p].seed = (int64_t)p;
    if (!describe(t, error) || !make_key(t, error) || !prepare_folder(t, error)) return false;
    if (!t->before || t->before->count < count) return train_all(t, error);
    piaa_ici_model_free(t->model);
    t->model = t->before;
    t->before = NULL;
    return true;
}
