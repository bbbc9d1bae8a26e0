/* The folder of a trained PIAA-ICI; study/ici_model.h lists what is in it. */
#include "study/ici_model.h"

#include "base/memory.h"
#include "base/output.h"
#include "study/learned_file.h"
#include "train/named.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VERSION = 1, LARGEST_FILE = 1 << 28, MOST_PRIORS = 1000, MOST_EPOCHS = 1000000 };
static const char format_name[] = "piaa-ici", manifest[] = "ici.json";
static const piaa_output_kind manifest_kind = {"a trained PIAA-ICI", "\"piaa-ici\""};

const char *const piaa_ici_stage_names[PIAA_ICI_STAGES] = {"phase1", "full", "reduced"};
static const char *const front_names[] = {"features", "resnet50"};

/* -------------------------------------------------------------------------------- the structure */

static bool copy_identity(piaa_ici_model *model, const piaa_identity *identity, piaa_error *error) {
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        char *copy = piaa_strdup(piaa_identity_get(identity, i), error);
        piaa_identity_set(&model->identity, i, copy);
        if (!copy) return false;
    }
    return true;
}

piaa_ici_model *piaa_ici_model_new(const char *folder, const piaa_identity *identity,
                                   const piaa_slot *slot, piaa_error *error) {
    piaa_ici_model *model = piaa_alloc(1, sizeof *model, error);
    if (!model) return NULL;
    model->slot = *slot;
    model->scale_low = 1;
    model->scale_high = 5;
    if ((model->folder = piaa_strdup(folder, error)) && copy_identity(model, identity, error) &&
        (model->mean = piaa_alloc((size_t)slot->dim, sizeof(double), error)) &&
        (model->scale = piaa_alloc((size_t)slot->dim, sizeof(double), error)))
        return model;
    piaa_ici_model_free(model);
    return NULL;
}

static void free_prior(piaa_ici_prior *prior) {
    piaa_resnet_free(prior->net);
    piaa_heads_free(prior->heads);
    piaa_graph_free(prior->full);
    piaa_graph_free(prior->reduced);
    for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
        free(prior->curves[stage].train);
        free(prior->curves[stage].validation);
    }
}

void piaa_ici_model_free(piaa_ici_model *model) {
    if (!model) return;
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        char *text;
        memcpy(&text, (char *)&model->identity + piaa_identity_keys[i].offset, sizeof text);
        free(text);
    }
    for (size_t i = 0; i < model->count; i++) free_prior(&model->priors[i]);
    free(model->priors);
    piaa_paths_free(&model->people);
    piaa_paths_free(&model->images);
    piaa_trait_vocabulary_free(&model->vocabulary);
    free(model->mean);
    free(model->scale);
    free(model->kind);
    free(model->key);
    free(model->folder);
    free(model);
}

bool piaa_ici_curve_make(piaa_ici_curve *curve, int epochs, piaa_error *error) {
    const size_t n = (size_t)epochs;
    *curve = (piaa_ici_curve){.epochs = epochs,
                              .train = piaa_alloc(n, sizeof(double), error),
                              .validation = piaa_alloc(n, sizeof(double), error)};
    for (size_t i = 0; curve->train && curve->validation && i < n; i++)
        curve->train[i] = curve->validation[i] = NAN;
    return curve->train && curve->validation;
}

piaa_graph_shape piaa_ici_model_shape(const piaa_ici_model *model, bool full) {
    piaa_graph_shape shape = {.attributes = PIAA_ICI_ATTRIBUTES,
                              .bins = PIAA_ICI_BINS,
                              .width = PIAA_ICI_WIDTH,
                              .hidden = PIAA_ICI_HIDDEN,
                              .users = (int)model->people.count,
                              .full = full,
                              .user_node = full && model->settings.user_node,
                              .attribute_identity = model->settings.attribute_identity};
    for (size_t t = 0; t < PIAA_TRAIT_WORDS; t++)
        shape.words[t] = (int)model->vocabulary.words[t].count;
    return shape;
}

char *piaa_ici_model_file(const char *folder, int64_t seed, piaa_ici_stage stage,
                          piaa_error *error) {
    return piaa_format(error, "%s/seed-%lld/%s.safetensors", folder, (long long)seed,
                       piaa_ici_stage_names[stage]);
}

/* -------------------------------------------------------------------------------------- writing */

static bool add_words(cJSON *object, const char *key, const piaa_paths *words) {
    cJSON *list = cJSON_AddArrayToObject(object, key);
    for (size_t i = 0; list && i < words->count; i++) {
        cJSON *item = cJSON_CreateString(words->items[i]);
        if (!item || !cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            return false;
        }
    }
    return list != NULL;
}

static bool add_data(cJSON *root, const piaa_ici_model *m) {
    cJSON *data = cJSON_AddObjectToObject(root, "data");
    return data && cJSON_AddStringToObject(data, "kind", m->kind) &&
           piaa_learned_add_number(data, "scale_low", m->scale_low) &&
           piaa_learned_add_number(data, "scale_high", m->scale_high) &&
           piaa_learned_add_number(data, "ratings", (double)m->ratings) &&
           cJSON_AddBoolToObject(data, "shared_photos", m->shared_photos) &&
           piaa_learned_add_number(data, "eval_people", (double)m->eval_people) &&
           piaa_learned_add_number(data, "protocol_seed", (double)m->protocol_seed) &&
           add_words(data, "people", &m->people) && add_words(data, "images", &m->images);
}

static bool add_vocabulary(cJSON *root, const piaa_ici_model *m) {
    cJSON *all = cJSON_AddObjectToObject(root, "vocabulary");
    for (size_t t = 0; all && t < PIAA_TRAIT_WORDS; t++)
        if (!add_words(all, piaa_trait_words[t], &m->vocabulary.words[t])) return false;
    return all != NULL;
}

static bool add_settings(cJSON *root, const piaa_ici_settings *s) {
    cJSON *all = cJSON_AddObjectToObject(root, "settings");
    for (int stage = 0; all && stage < PIAA_ICI_STAGES; stage++) {
        cJSON *one = cJSON_AddObjectToObject(all, piaa_ici_stage_names[stage]);
        if (!one || !piaa_learned_add_number(one, "epochs", s->epochs[stage]) ||
            !piaa_learned_add_number(one, "batch", s->batch[stage]) ||
            !piaa_learned_add_number(one, "rate", s->rate[stage]))
            return false;
    }
    return all && cJSON_AddBoolToObject(all, "user_node", s->user_node) &&
           cJSON_AddBoolToObject(all, "attribute_identity", s->attribute_identity);
}

/* null for NaN. */
static bool add_losses(cJSON *object, const char *key, const double *losses, int count) {
    cJSON *list = cJSON_AddArrayToObject(object, key);
    for (int i = 0; list && i < count; i++) {
        char digits[40];
        snprintf(digits, sizeof digits, "%.9g", losses[i]);
        cJSON *item = isfinite(losses[i]) ? cJSON_CreateRaw(digits) : cJSON_CreateNull();
        if (!item || !cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            return false;
        }
    }
    return list != NULL;
}

static bool add_prior(cJSON *list, const piaa_ici_prior *prior) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        return false;
    }
    if (!piaa_learned_add_number(item, "seed", (double)prior->seed)) return false;
    for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
        const piaa_ici_curve *curve = &prior->curves[stage];
        cJSON *one = cJSON_AddObjectToObject(item, piaa_ici_stage_names[stage]);
        if (!one || !add_losses(one, "train", curve->train, curve->epochs) ||
            !add_losses(one, "validation", curve->validation, curve->epochs) ||
            !piaa_learned_add_number(one, "kept", curve->kept))
            return false;
    }
    return true;
}

static bool add_all(cJSON *root, const void *thing) {
    const piaa_ici_model *m = thing;
    const int dim = m->front == PIAA_ICI_FEATURES ? m->slot.dim : 0;
    cJSON *seeds = NULL;
    bool ok =
        piaa_learned_add_head(root, format_name, VERSION, m->made, &m->identity, &m->slot, 1) &&
        cJSON_AddStringToObject(root, "front", front_names[m->front]) &&
        piaa_learned_add_number(root, "side", m->side) &&
        cJSON_AddStringToObject(root, "key", m->key) &&
        piaa_learned_add_numbers(root, "mean", m->mean, dim) &&
        piaa_learned_add_numbers(root, "scale", m->scale, dim) && add_data(root, m) &&
        add_vocabulary(root, m) && add_settings(root, &m->settings) &&
        (seeds = cJSON_AddArrayToObject(root, "seeds"));
    for (size_t i = 0; ok && i < m->count; i++) ok = add_prior(seeds, &m->priors[i]);
    return ok;
}

bool piaa_ici_model_write(const piaa_ici_model *model, piaa_error *error) {
    char *path = piaa_path_join(model->folder, manifest, error);
    char *text = path ? piaa_learned_print(add_all, model, false, "model", error) : NULL;
    const bool ok = text && piaa_output_write(path, &manifest_kind, text, strlen(text), error);
    free(path);
    free(text);
    return ok;
}

/* -------------------------------------------------------------------------------------- reading */

static bool get_words(const piaa_learned_source *from, const char *key, piaa_paths *out,
                      piaa_error *error) {
    const cJSON *list = piaa_json_find(from->root, key), *item;
    if (!cJSON_IsArray(list)) return piaa_learned_broken(from, key, "a list of texts", error);
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsString(item)) return piaa_learned_broken(from, key, "a list of texts", error);
        if (!piaa_paths_add(out, item->valuestring, error)) return false;
    }
    return true;
}

static bool get_bool(const piaa_learned_source *from, const char *key, bool *out,
                     piaa_error *error) {
    return piaa_json_bool(from->root, key, out) ||
           piaa_learned_broken(from, key, "true or false", error);
}

static bool get_data(const piaa_learned_source *from, piaa_ici_model *m, piaa_error *error) {
    const char *kind;
    if (!piaa_learned_string(from, "data.kind", &kind, error) ||
        !piaa_learned_number(from, "data.scale_low", &m->scale_low, error) ||
        !piaa_learned_number(from, "data.scale_high", &m->scale_high, error) ||
        !piaa_learned_int(from, "data.ratings", 1, INT64_MAX, &m->ratings, error) ||
        !get_bool(from, "data.shared_photos", &m->shared_photos, error) ||
        !piaa_learned_int(from, "data.eval_people", 0, INT64_MAX, &m->eval_people, error) ||
        !piaa_learned_int(from, "data.protocol_seed", 0, UINT32_MAX, &m->protocol_seed, error) ||
        !get_words(from, "data.people", &m->people, error) ||
        !get_words(from, "data.images", &m->images, error))
        return false;
    if (!m->people.count || m->people.count > INT32_MAX)
        return piaa_learned_broken(from, "data.people", "a list of people", error);
    return (m->kind = piaa_strdup(kind, error)) != NULL;
}

static bool get_vocabulary(const piaa_learned_source *from, piaa_ici_model *m, piaa_error *error) {
    for (size_t t = 0; t < PIAA_TRAIT_WORDS; t++) {
        char key[64];
        snprintf(key, sizeof key, "vocabulary.%s", piaa_trait_words[t]);
        if (!get_words(from, key, &m->vocabulary.words[t], error)) return false;
        if (!m->vocabulary.words[t].count)
            return piaa_learned_broken(from, key, "a list of words", error);
    }
    return true;
}

static bool get_settings(const piaa_learned_source *from, piaa_ici_settings *s, piaa_error *error) {
    for (int stage = 0; stage < PIAA_ICI_STAGES; stage++) {
        char key[64];
        int64_t epochs, batch;
        snprintf(key, sizeof key, "settings.%s.epochs", piaa_ici_stage_names[stage]);
        if (!piaa_learned_int(from, key, 0, MOST_EPOCHS, &epochs, error)) return false;
        snprintf(key, sizeof key, "settings.%s.batch", piaa_ici_stage_names[stage]);
        if (!piaa_learned_int(from, key, 1, INT32_MAX, &batch, error)) return false;
        snprintf(key, sizeof key, "settings.%s.rate", piaa_ici_stage_names[stage]);
        if (!piaa_learned_positive(from, key, &s->rate[stage], error)) return false;
        s->epochs[stage] = (int)epochs;
        s->batch[stage] = (int)batch;
    }
    return get_bool(from, "settings.user_node", &s->user_node, error) &&
           get_bool(from, "settings.attribute_identity", &s->attribute_identity, error);
}

static bool get_losses(const piaa_learned_source *from, const cJSON *list, double *out, int count,
                       piaa_error *error) {
    const cJSON *item = cJSON_IsArray(list) ? list->child : NULL;
    int i = 0;
    for (; item && i < count; item = item->next)
        out[i++] = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    return (i == count && !item) ||
           piaa_learned_broken(from, "seeds", "losses of every epoch", error);
}

static bool get_curve(const piaa_learned_source *from, const char *stage, piaa_ici_curve *curve,
                      piaa_error *error) {
    const cJSON *one = cJSON_GetObjectItemCaseSensitive(from->root, stage);
    const cJSON *train = cJSON_GetObjectItemCaseSensitive(one, "train");
    const int epochs = cJSON_GetArraySize(train);
    int64_t kept = 0;
    if (epochs > MOST_EPOCHS || !piaa_json_int(one, "kept", &kept) || kept < 0 || kept > epochs)
        return piaa_learned_broken(from, stage, "an epoch's number and losses", error);
    if (!piaa_ici_curve_make(curve, epochs, error)) return false;
    curve->kept = (int)kept;
    return get_losses(from, train, curve->train, epochs, error) &&
           get_losses(from, cJSON_GetObjectItemCaseSensitive(one, "validation"), curve->validation,
                      epochs, error);
}

static bool get_priors(const piaa_learned_source *from, piaa_ici_model *m, piaa_error *error) {
    const cJSON *list = piaa_json_find(from->root, "seeds");
    const int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (count < 1 || count > MOST_PRIORS)
        return piaa_learned_broken(from, "seeds", "a list of priors", error);
    if (!(m->priors = piaa_alloc((size_t)count, sizeof *m->priors, error))) return false;
    piaa_learned_source item = *from;
    for (item.root = list->child; item.root; item.root = item.root->next) {
        piaa_ici_prior *prior = &m->priors[m->count++];
        if (!piaa_learned_int(&item, "seed", 0, UINT32_MAX, &prior->seed, error)) return false;
        for (int stage = 0; stage < PIAA_ICI_STAGES; stage++)
            if (!get_curve(&item, piaa_ici_stage_names[stage], &prior->curves[stage], error))
                return false;
    }
    return true;
}

static bool get_front(const piaa_learned_source *from, piaa_ici_model *m, piaa_error *error) {
    const char *word, *key;
    int64_t side;
    if (!piaa_learned_string(from, "front", &word, error) ||
        !piaa_learned_string(from, "key", &key, error) ||
        !piaa_learned_int(from, "side", 0, 1 << 14, &side, error) ||
        !(m->key = piaa_strdup(key, error)))
        return false;
    m->side = (int)side;
    for (size_t i = 0; i < PIAA_COUNT(front_names); i++)
        if (strcmp(word, front_names[i]) == 0) {
            m->front = (piaa_ici_front)i;
            return m->front != PIAA_ICI_FEATURES ||
                   (piaa_learned_numbers(from, "mean", m->mean, m->slot.dim, error) &&
                    piaa_learned_scales(from, "scale", m->scale, m->slot.dim, error));
        }
    return piaa_learned_broken(from, "front", "features or resnet50", error);
}

static piaa_ici_model *from_json(const cJSON *root, const char *folder, const char *where,
                                 piaa_error *error) {
    const piaa_learned_source from = {.root = root,
                                      .where = where,
                                      .format = format_name,
                                      .version = VERSION,
                                      .noun = "trained PIAA-ICI",
                                      .command = "piaa ici train"};
    piaa_identity identity = {0};
    piaa_slot slot = {0};
    char made[32];
    if (!piaa_learned_head(&from, &identity, &slot, NULL, made, error)) return NULL;
    piaa_ici_model *m = piaa_ici_model_new(folder, &identity, &slot, error);
    if (!m) return NULL;
    memcpy(m->made, made, sizeof made);
    if (get_front(&from, m, error) && get_data(&from, m, error) &&
        get_vocabulary(&from, m, error) && get_settings(&from, &m->settings, error) &&
        get_priors(&from, m, error))
        return m;
    piaa_ici_model_free(m);
    return NULL;
}

/* What is wrong with a folder without ici.json. */
static bool is_there(const char *folder, piaa_error *error) {
    if (!piaa_file_exists(folder))
        return piaa_error_set(error, PIAA_IO, "%.700s: no such folder: piaa ici train makes one",
                              folder);
    if (!piaa_file_is_folder(folder) ||
        (!piaa_file_exists_in(folder, manifest) && !piaa_file_exists_in(folder, "training")))
        return piaa_error_set(
            error, PIAA_USAGE,
            "%.700s is not a trained PIAA-ICI: give a folder that piaa ici train wrote", folder);
    return piaa_file_exists_in(folder, manifest) ||
           piaa_error_set(error, PIAA_USAGE,
                          "%.700s holds a training that was not finished: the same piaa ici train "
                          "goes on with it",
                          folder);
}

piaa_ici_model *piaa_ici_model_describe(const char *folder, piaa_error *error) {
    char *path = is_there(folder, error) ? piaa_path_join(folder, manifest, error) : NULL;
    cJSON *root = path ? piaa_json_read(path, LARGEST_FILE, error) : NULL;
    piaa_ici_model *model = root ? from_json(root, folder, path, error) : NULL;
    cJSON_Delete(root);
    free(path);
    return model;
}

static bool read_front(piaa_ici_model *m, piaa_ici_prior *prior, const char *path,
                       piaa_error *error) {
    size_t count;
    if (m->front == PIAA_ICI_RESNET50 && !(prior->net = piaa_resnet_open(path, error)))
        return false;
    const int dim = prior->net ? piaa_resnet_features(prior->net) : m->slot.dim;
    if (!(prior->heads = piaa_heads_new(dim, PIAA_ICI_ATTRIBUTES, PIAA_ICI_BINS, 0, error)))
        return false;
    const piaa_named *tensors = piaa_heads_tensors(prior->heads, &count);
    return piaa_named_read(tensors, count, "", path, error);
}

static bool read_graph(const piaa_ici_model *m, bool full, const char *path, piaa_graph **out,
                       piaa_error *error) {
    const piaa_graph_shape shape = piaa_ici_model_shape(m, full);
    size_t count;
    if (!(*out = piaa_graph_new(&shape, 0, error))) return false;
    const piaa_named *tensors = piaa_graph_tensors(*out, &count);
    return piaa_named_read(tensors, count, "", path, error);
}

static bool read_stage(piaa_ici_model *m, piaa_ici_prior *prior, piaa_ici_stage stage,
                       piaa_error *error) {
    char *path = piaa_ici_model_file(m->folder, prior->seed, stage, error);
    const bool ok =
        path && (stage == PIAA_ICI_PHASE1 ? read_front(m, prior, path, error)
                 : stage == PIAA_ICI_FULL ? read_graph(m, true, path, &prior->full, error)
                                          : read_graph(m, false, path, &prior->reduced, error));
    free(path);
    return ok;
}

static bool read_priors(piaa_ici_model *m, piaa_error *error) {
    for (size_t i = 0; i < m->count; i++)
        for (int stage = 0; stage < PIAA_ICI_STAGES; stage++)
            if (!read_stage(m, &m->priors[i], (piaa_ici_stage)stage, error)) return false;
    return true;
}

piaa_ici_model *piaa_ici_model_open(const char *folder, piaa_error *error) {
    piaa_ici_model *model = piaa_ici_model_describe(folder, error);
    if (model && read_priors(model, error)) return model;
    piaa_ici_model_free(model);
    return NULL;
}

/* ---------------------------------------------------------------------------------------- fitting
 */

bool piaa_ici_model_fits(const piaa_ici_model *m, const piaa_identity *identity,
                         const piaa_slot *slot, piaa_error *error) {
    if (m->front != PIAA_ICI_FEATURES) return true;
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const char *own = piaa_identity_get(&m->identity, i),
                   *other = piaa_identity_get(identity, i);
        if (piaa_identity_same(i, own, other)) continue;
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%.300s was trained with %s \"%.200s\", not \"%.200s\": give the "
                              "same, or train another with `piaa ici train`",
                              m->folder, piaa_identity_keys[i].called, own, other);
    }
    if (m->slot.pool == slot->pool && m->slot.layer == slot->layer && m->slot.dim == slot->dim)
        return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%.300s reads pool %s at layer %d (%d numbers), not %s at %d (%d): train "
                          "another with `piaa ici train`",
                          m->folder, piaa_pool_name(m->slot.pool), m->slot.layer, m->slot.dim,
                          piaa_pool_name(slot->pool), slot->layer, slot->dim);
}
