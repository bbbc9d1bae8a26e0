/* Phases 1 and 2, seed by seed.  What an epoch is made of is in ici_stage.c. */
#include "study/ici_train.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "features/extractor.h"
#include "features/identity.h"
#include "image/planes.h"
#include "study/ici_stage.h"

#include <dirent.h>
#include <errno.h>
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ATTRIBUTES = PIAA_ICI_ATTRIBUTES, BINS = PIAA_ICI_BINS, RESNET50_FEATURES = 2048 };
/* Seeds of the phases are apart, so that no two draw the same. */
enum { PHASE2_SEED = 1000 };

/* The published code's, but for heads on features, which it does not have. */
static const piaa_ici_settings defaults[] = {
    [PIAA_ICI_FEATURES] = {{400, 50, 50}, {64, 256, 256}, {1e-2, 1e-4, 1e-4}, false, false},
    [PIAA_ICI_RESNET50] = {{50, 50, 50}, {64, 256, 256}, {1e-4, 1e-4, 1e-4}, false, false},
};

/* ---------------------------------------------------------------------------------------- begin */

/* Whether the folder may hold what is to be trained: nothing, or something of this kind. */
static bool check_folder(const char *folder, piaa_error *error) {
    if (!piaa_file_exists(folder)) {
        char *above = piaa_path_folder(folder, error);
        const bool there = above && (piaa_file_is_folder(above) ||
                                     piaa_error_set(error, PIAA_IO, "%s: no such folder", above));
        free(above);
        return there;
    }
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
    const time_t now = time(NULL);
    struct tm parts;
    if (!(t->model = piaa_ici_model_new(t->folder, identity, slot, error))) return false;
    if (gmtime_r(&now, &parts))
        strftime(t->model->made, sizeof t->model->made, "%Y-%m-%dT%H:%M:%SZ", &parts);
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

/* ---------------------------------------------------------------------------------------- stages
 */

/* A stage in the making; the rest is the two kinds' own. */
typedef struct stage_of {
    piaa_ici_training *t;
    size_t prior; /* which */
    piaa_ici_stage stage;
} stage_of;

static bool run_stage(const stage_of *of, piaa_ici_work *work, piaa_error *error) {
    const piaa_ici_settings *s = &of->t->model->settings;
    piaa_ici_prior *prior = &of->t->model->priors[of->prior];
    static const char *const words[] = {"phase 1", "phase 2, with traits", "phase 2, reduced"};
    char *what = piaa_format(error, "%s, prior %zu of %zu", words[of->stage], of->prior + 1,
                             of->t->model->count),
         *path = what ? piaa_format(error, "%s/training/seed-%lld-%s.safetensors", of->t->folder,
                                    (long long)prior->seed, piaa_ici_stage_names[of->stage])
                      : NULL;
    work->what = what;
    work->path = path;
    work->seed = (uint32_t)prior->seed * PIAA_ICI_STAGES + (uint32_t)of->stage;
    work->batch = s->batch[of->stage];
    work->epochs = s->epochs[of->stage];
    piaa_ici_curve *curve = &prior->curves[of->stage];
    const bool ok = path && piaa_ici_curve_make(curve, work->epochs, error) &&
                    piaa_ici_work_run(work, of->t->study->hooks, curve, error);
    free(what);
    free(path);
    return ok;
}

static bool write_stage(const stage_of *of, const piaa_named_part *parts, size_t count,
                        piaa_error *error) {
    const int64_t seed = of->t->model->priors[of->prior].seed;
    char *path = piaa_ici_model_file(of->t->folder, seed, of->stage, error);
    const bool ok = path && piaa_named_write(parts, count, path, error);
    free(path);
    return ok;
}

/* --------------------------------------------------------------------------------------- phase 1
 */

/* Heads on features, or behind a ResNet.  Photos are the fitted ones, then those held back. */
typedef struct front_work {
    stage_of of;
    piaa_heads *heads;
    piaa_heads_training *training;
    piaa_resnet *net; /* NULL: features */
    piaa_resnet_training *net_training;
    size_t *images, fitted, held;
    float *x;              /* [fitted + held][dim] features, standardised */
    float *y_attr, *y_dis; /* [fitted + held][7], [9] */
    /* Of one batch. */
    float *batch_x, *gradients, *batch_attr, *batch_dis; /* [batch][…] */
    float *pixels;
    size_t *batch_images;
    bool *good;
} front_work;

static void front_free(front_work *w) {
    piaa_resnet_training_free(w->net_training);
    piaa_heads_training_free(w->training);
    piaa_heads_free(w->heads);
    piaa_resnet_free(w->net);
    free(w->images);
    free(w->x);
    free(w->y_attr);
    free(w->y_dis);
    free(w->batch_x);
    free(w->gradients);
    free(w->batch_attr);
    free(w->batch_dis);
    free(w->pixels);
    free(w->batch_images);
    free(w->good);
}

static bool usable(const piaa_ici_training *t, size_t image) {
    return t->opinions->has[image] &&
           (t->source.rows ? t->source.rows[image] >= 0 : !t->study->set->images[image].missing);
}

static size_t list_usable(const piaa_ici_training *t, const size_t *images, size_t count,
                          size_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (usable(t, images[i])) out[n++] = images[i];
    return n;
}

static bool list_photos(front_work *w, piaa_error *error) {
    piaa_ici_training *t = w->of.t;
    const piaa_prior_split *split = t->split;
    const size_t listed = split->fitted_count + split->held_count;
    if (!(w->images = piaa_alloc(listed, sizeof *w->images, error)) ||
        !(w->y_attr = piaa_alloc(listed * ATTRIBUTES, sizeof(float), error)) ||
        !(w->y_dis = piaa_alloc(listed * BINS, sizeof(float), error)))
        return false;
    w->fitted = list_usable(t, split->fitted, split->fitted_count, w->images);
    w->held = list_usable(t, split->held, split->held_count, w->images + w->fitted);
    t->photos_left_out = listed - w->fitted - w->held;
    for (size_t i = 0; i < w->fitted + w->held; i++) {
        memcpy(w->y_attr + i * ATTRIBUTES, t->opinions->attributes + w->images[i] * ATTRIBUTES,
               ATTRIBUTES * sizeof(float));
        memcpy(w->y_dis + i * BINS, t->opinions->bins + w->images[i] * BINS, BINS * sizeof(float));
    }
    return w->fitted > 0 || piaa_error_set(error, PIAA_MISMATCH,
                                           "%.600s: of none of the training photos is it known "
                                           "what all raters think of it: there is nothing to learn "
                                           "from",
                                           t->study->set->folder);
}

static bool standardise_photos(front_work *w, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const size_t dim = (size_t)t->model->slot.dim, count = w->fitted + w->held;
    if (!(w->x = piaa_alloc_array(count * dim, sizeof(float), error))) return false;
    for (size_t i = 0; i < count; i++)
        piaa_ici_standardise(t->model, t->source.x + (size_t)t->source.rows[w->images[i]] * dim,
                             w->x + i * dim);
    return true;
}

static bool open_network(front_work *w, piaa_error *error) {
    static const int blocks[4] = {3, 4, 6, 3};
    const piaa_ici_training *t = w->of.t;
    const char *file = t->options->phase1 ? t->options->phase1 : t->options->backbone;
    const uint32_t seed = (uint32_t)t->model->priors[w->of.prior].seed;
    const size_t side = (size_t)t->model->side,
                 batch = (size_t)t->model->settings.batch[PIAA_ICI_PHASE1];
    w->net = file ? piaa_resnet_open(file, error) : piaa_resnet_new(64, blocks, seed, error);
    if (!w->net || !(w->pixels = piaa_alloc_array(batch * 3 * side * side, sizeof(float), error)))
        return false;
    return t->options->phase1 ||
           (w->net_training = piaa_resnet_training_new(w->net, t->study->threads, error));
}

static bool front_begin(front_work *w, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const bool features = t->model->front == PIAA_ICI_FEATURES;
    const size_t dim = (size_t)t->model->slot.dim,
                 batch = (size_t)t->model->settings.batch[PIAA_ICI_PHASE1];
    const uint32_t seed = (uint32_t)t->model->priors[w->of.prior].seed;
    if (!list_photos(w, error) ||
        !(features ? standardise_photos(w, error) : open_network(w, error)))
        return false;
    return (w->heads = piaa_heads_new((int)dim, ATTRIBUTES, BINS, seed, error)) &&
           (w->training = piaa_heads_training_new(w->heads, error)) &&
           (w->batch_x = piaa_alloc_array(batch * dim, sizeof(float), error)) &&
           (w->gradients = piaa_alloc_array(batch * dim, sizeof(float), error)) &&
           (w->batch_attr = piaa_alloc_array(batch * ATTRIBUTES, sizeof(float), error)) &&
           (w->batch_dis = piaa_alloc_array(batch * BINS, sizeof(float), error)) &&
           (w->batch_images = piaa_alloc(batch, sizeof(size_t), error)) &&
           (w->good = piaa_alloc(batch, sizeof(bool), error));
}

/* Labels of these photos, and their features; *n falls by photos that cannot be read. */
static bool gather(front_work *w, const size_t *rows, size_t *n, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const size_t dim = (size_t)t->model->slot.dim, side = (size_t)t->model->side,
                 size = 3 * side * side;
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        w->batch_images[i] = w->images[rows[i]];
        w->good[i] = true;
    }
    if (w->net && !piaa_ici_pixels_read(t->study->set, w->batch_images, *n, t->model->side,
                                        t->study->request.exif, t->study->threads, NULL, w->pixels,
                                        w->good, error))
        return false;
    for (size_t i = 0; i < *n; i++) {
        if (!w->good[i]) continue;
        if (w->net)
            memmove(w->pixels + kept * size, w->pixels + i * size, size * sizeof(float));
        else
            memcpy(w->batch_x + kept * dim, w->x + rows[i] * dim, dim * sizeof(float));
        memcpy(w->batch_attr + kept * ATTRIBUTES, w->y_attr + rows[i] * ATTRIBUTES,
               ATTRIBUTES * sizeof(float));
        memcpy(w->batch_dis + kept * BINS, w->y_dis + rows[i] * BINS, BINS * sizeof(float));
        kept++;
    }
    *n = kept;
    return kept > 0 ||
           piaa_error_set(error, PIAA_FORMAT, "none of %zu training photos in a row can be read",
                          (size_t)t->model->settings.batch[PIAA_ICI_PHASE1]);
}

static bool front_step(void *user, const size_t *rows, size_t n, double *loss, piaa_error *error) {
    front_work *w = user;
    const piaa_ici_model *m = w->of.t->model;
    const double rate = m->settings.rate[PIAA_ICI_PHASE1];
    if (!gather(w, rows, &n, error)) return false;
    if (w->net && !piaa_resnet_training_forward(w->net_training, w->pixels, (int64_t)n, m->side,
                                                m->side, w->batch_x, error))
        return false;
    return piaa_heads_training_step(w->training, w->batch_x, w->batch_attr, w->batch_dis,
                                    (int64_t)n, rate, w->net ? w->gradients : NULL, loss, error) &&
           (!w->net || piaa_resnet_training_back(w->net_training, w->gradients, rate, error));
}

static bool front_validate(void *user, double *loss, piaa_error *error) {
    front_work *w = user;
    const piaa_ici_training *t = w->of.t;
    const size_t batch = (size_t)t->model->settings.batch[PIAA_ICI_PHASE1];
    double sum = 0, photos = 0;
    for (size_t first = 0; first < w->held; first += batch) {
        size_t n = w->held - first < batch ? w->held - first : batch;
        double one;
        size_t *rows = piaa_alloc(n, sizeof *rows, error);
        for (size_t i = 0; rows && i < n; i++) rows[i] = w->fitted + first + i;
        const bool ok = rows && gather(w, rows, &n, error) &&
                        (!w->net || piaa_resnet_predict(w->net, w->pixels, (int64_t)n,
                                                        t->model->side, t->model->side,
                                                        t->study->threads, w->batch_x, error)) &&
                        piaa_heads_loss(w->heads, w->batch_x, w->batch_attr, w->batch_dis,
                                        (int64_t)n, &one, error);
        free(rows);
        if (!ok) return false;
        sum += one * (double)n;
        photos += (double)n;
    }
    *loss = sum / photos;
    return true;
}

static void front_restored(void *user) {
    front_work *w = user;
    if (w->net) piaa_resnet_changed(w->net);
}

/* What the front that is now trained says of all training photos. */
static bool apply_front(front_work *w, piaa_ici_hats *hats, piaa_error *error) {
    const piaa_ici_training *t = w->of.t;
    const piaa_study *study = t->study;
    const size_t images = study->set->image_count;
    if (!piaa_ici_hats_make(hats, images, error)) return false;
    return w->net ? piaa_ici_hats_from_photos(t->model, w->net, w->heads, study->set, t->wanted,
                                              study->request.exif, study->threads, study->hooks,
                                              hats, error)
                  : piaa_ici_hats_from_features(t->model, w->heads, &t->source, t->wanted, images,
                                                hats, error);
}

static bool train_front(front_work *w, piaa_ici_hats *hats, piaa_error *error) {
    if (!front_begin(w, error)) return false;
    piaa_ici_work work = {.rows = w->fitted,
                          .user = w,
                          .step = front_step,
                          .validate = w->held ? front_validate : NULL,
                          .restored = front_restored};
    work.weights[0] = (piaa_named_part){.prefix = ""};
    work.weights[0].list = piaa_heads_tensors(w->heads, &work.weights[0].count);
    work.state[0] = (piaa_named_part){.prefix = ""};
    work.state[0].list = piaa_heads_training_state(w->training, &work.state[0].count);
    if (w->net) {
        work.weights[1] = (piaa_named_part){.prefix = "backbone."};
        work.weights[1].list = piaa_resnet_tensors(w->net, &work.weights[1].count);
    }
    if (w->net_training) {
        work.state[1] = (piaa_named_part){.prefix = "backbone."};
        work.state[1].list = piaa_resnet_training_state(w->net_training, &work.state[1].count);
    }
    const char *given = w->of.t->options->phase1;
    if (given && !piaa_named_read(work.weights[0].list, work.weights[0].count, "", given, error))
        return false;
    return run_stage(&w->of, &work, error) && apply_front(w, hats, error) &&
           write_stage(&w->of, work.weights, w->net ? 2 : 1, error);
}

/* --------------------------------------------------------------------------------------- phase 2
 */

typedef struct graph_work {
    stage_of of;
    bool full;
    const piaa_ici_hats *hats;
    piaa_graph *graph;
    piaa_graph_training *training;
    const piaa_prior_rating **ratings; /* [count] whose photo has hats */
    size_t count;
    int64_t *photo, *user; /* [batch] */
    float *scores;
} graph_work;

static void graph_free(graph_work *w) {
    piaa_graph_training_free(w->training);
    piaa_graph_free(w->graph);
    free(w->ratings);
    free(w->photo);
    free(w->user);
    free(w->scores);
}

static bool graph_begin(graph_work *w, piaa_error *error) {
    piaa_ici_training *t = w->of.t;
    const piaa_prior_split *split = t->split;
    const size_t batch = (size_t)t->model->settings.batch[w->of.stage];
    const uint32_t seed = (uint32_t)t->model->priors[w->of.prior].seed + PHASE2_SEED;
    const piaa_graph_shape shape = piaa_ici_model_shape(t->model, w->full);
    if (!(w->ratings = piaa_alloc(split->rating_count, sizeof *w->ratings, error))) return false;
    for (size_t r = 0; r < split->rating_count; r++)
        if (w->hats->known[split->ratings[r].image]) w->ratings[w->count++] = &split->ratings[r];
    t->ratings_left_out = split->rating_count - w->count;
    if (!w->count)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.600s: no training rating is of a photo that could be read",
                              t->study->set->folder);
    return (w->graph = piaa_graph_new(&shape, seed, error)) &&
           (w->training =
                piaa_graph_training_new(w->graph, PIAA_TUNE_ALL, t->study->threads, error)) &&
           (w->photo = piaa_alloc(batch, sizeof *w->photo, error)) &&
           (w->user = piaa_alloc(batch, sizeof *w->user, error)) &&
           (w->scores = piaa_alloc(batch, sizeof *w->scores, error));
}

static bool graph_step(void *user, const size_t *rows, size_t n, double *loss, piaa_error *error) {
    graph_work *w = user;
    const piaa_ici_training *t = w->of.t;
    for (size_t i = 0; i < n; i++) {
        const piaa_prior_rating *rating = w->ratings[rows[i]];
        w->photo[i] = (int64_t)rating->image;
        w->user[i] = (int64_t)rating->user;
        w->scores[i] = (float)rating->score;
    }
    const piaa_graph_rows batch = {.count = (int64_t)n,
                                   .attributes = w->hats->attributes,
                                   .bins = w->hats->bins,
                                   .photo = w->photo,
                                   .user = w->user,
                                   .categories = w->full ? t->categories : NULL,
                                   .numbers = w->full ? t->numbers : NULL,
                                   .scores = w->scores};
    return piaa_graph_training_step(w->training, &batch, t->model->settings.rate[w->of.stage], loss,
                                    error);
}

static bool train_graph(graph_work *w, piaa_error *error) {
    if (!graph_begin(w, error)) return false;
    piaa_ici_work work = {.rows = w->count, .user = w, .step = graph_step};
    work.weights[0] = (piaa_named_part){.prefix = ""};
    work.weights[0].list = piaa_graph_tensors(w->graph, &work.weights[0].count);
    work.state[0] = (piaa_named_part){.prefix = ""};
    work.state[0].list = piaa_graph_training_state(w->training, &work.state[0].count);
    return run_stage(&w->of, &work, error) && write_stage(&w->of, work.weights, 1, error);
}

/* -------------------------------------------------------------------------------------- together
 */

static bool train_prior_of(piaa_ici_training *t, size_t prior, const piaa_ici_hats *hats, bool full,
                           piaa_error *error) {
    graph_work w = {
        .of = {t, prior, full ? PIAA_ICI_FULL : PIAA_ICI_REDUCED}, .full = full, .hats = hats};
    const bool ok = train_graph(&w, error);
    graph_free(&w);
    return ok;
}

static bool train_seed(piaa_ici_training *t, size_t prior, piaa_error *error) {
    char name[40];
    snprintf(name, sizeof name, "seed-%lld", (long long)t->model->priors[prior].seed);
    if (!make_folder_in(t, name, error)) return false;
    piaa_ici_hats hats = {0};
    front_work w = {.of = {t, prior, PIAA_ICI_PHASE1}};
    bool ok = train_front(&w, &hats, error);
    front_free(&w);
    ok = ok && train_prior_of(t, prior, &hats, true, error) &&
         train_prior_of(t, prior, &hats, false, error);
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
