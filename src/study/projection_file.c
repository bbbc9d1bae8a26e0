/* The attribute projection as JSON; study/projection.h lists the keys. */
#include "base/file.h"
#include "base/memory.h"
#include "study/learned_file.h"
#include "study/projection.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, LARGEST_COUNT = 4096, LARGEST_FILE = 1 << 28 };
static const char format_name[] = "piaa-projection";

const piaa_output_kind piaa_projection_output = {"a projection", "\"piaa-projection\""};

static bool add_attribute(cJSON *list, const piaa_projection *p, int k) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        return false;
    }
    return cJSON_AddStringToObject(item, "name", p->names[k]) &&
           piaa_learned_add_number(item, "images", (double)p->known[k]) &&
           piaa_learned_add_number(item, "intercept", p->intercepts[k]) &&
           piaa_learned_add_number(item, "average", p->averages[k]) &&
           piaa_learned_add_number(item, "deviation", p->deviations[k]) &&
           piaa_learned_add_number(item, "loo_spearman", p->loo_spearman[k]) &&
           piaa_learned_add_numbers(item, "weights", p->weights + (size_t)k * (size_t)p->slot.dim,
                                    p->slot.dim);
}

static bool add_all(cJSON *root, const void *thing) {
    const piaa_projection *p = thing;
    cJSON *list = NULL;
    bool ok =
        piaa_learned_add_head(root, format_name, VERSION, p->made, &p->identity, &p->slot, 1) &&
        piaa_learned_add_number(root, "images", (double)p->images) &&
        piaa_learned_add_number(root, "alpha", p->alpha) &&
        piaa_learned_add_numbers(root, "mean", p->mean, p->slot.dim) &&
        piaa_learned_add_numbers(root, "scale", p->scale, p->slot.dim) &&
        (list = cJSON_AddArrayToObject(root, "attributes"));
    for (int k = 0; ok && k < p->count; k++) ok = add_attribute(list, p, k);
    return ok;
}

char *piaa_projection_to_json(const piaa_projection *p, piaa_error *error) {
    return piaa_learned_print(add_all, p, false, "projection", error);
}

bool piaa_projection_save(const piaa_projection *p, const char *path, piaa_error *error) {
    if (!p) return piaa_error_missing(error, "projection");
    char *text = piaa_projection_to_json(p, error);
    bool ok = text && piaa_output_write(path, &piaa_projection_output, text, strlen(text), error);
    free(text);
    return ok;
}

static bool get_attribute(const piaa_learned_source *from, piaa_projection *p, int k,
                          piaa_error *error) {
    const char *name;
    if (!piaa_learned_string(from, "name", &name, error) ||
        !piaa_learned_number(from, "intercept", &p->intercepts[k], error) ||
        !piaa_learned_number(from, "average", &p->averages[k], error) ||
        !piaa_learned_number(from, "deviation", &p->deviations[k], error) ||
        !piaa_learned_correlation(from, "loo_spearman", &p->loo_spearman[k], error) ||
        !piaa_learned_numbers(from, "weights", p->weights + (size_t)k * (size_t)p->slot.dim,
                              p->slot.dim, error))
        return false;
    p->known[k] = p->images; /* earlier files did not say it */
    if (piaa_json_find(from->root, "images") &&
        !piaa_learned_int(from, "images", 2, p->images, &p->known[k], error))
        return false;
    if (!(p->deviations[k] >= 0)) return piaa_learned_broken(from, "deviation", "0 or more", error);
    return (p->names[k] = piaa_strdup(name, error)) != NULL;
}

static bool get_rest(const piaa_learned_source *from, const cJSON *list, piaa_projection *p,
                     piaa_error *error) {
    if (!piaa_learned_int(from, "images", 2, INT64_MAX, &p->images, error) ||
        !piaa_learned_positive(from, "alpha", &p->alpha, error) ||
        !piaa_learned_numbers(from, "mean", p->mean, p->slot.dim, error) ||
        !piaa_learned_scales(from, "scale", p->scale, p->slot.dim, error))
        return false;
    int k = 0;
    piaa_learned_source item = *from;
    for (item.root = list->child; item.root; item.root = item.root->next)
        if (!get_attribute(&item, p, k++, error)) return false;
    return true;
}

static piaa_projection *from_json(const cJSON *root, const char *where, piaa_error *error) {
    const piaa_learned_source from = {.root = root,
                                      .where = where,
                                      .format = format_name,
                                      .version = VERSION,
                                      .noun = "projection",
                                      .command = "piaa reduce"};
    piaa_identity identity = {0};
    piaa_slot slot = {0};
    char made[32];
    if (!piaa_learned_head(&from, &identity, &slot, NULL, made, error)) return NULL;
    const cJSON *list = piaa_json_find(root, "attributes");
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    bool whole = count >= 1 && count <= LARGEST_COUNT;
    for (const cJSON *item = whole ? list->child : NULL; item; item = item->next)
        whole = whole && cJSON_GetArraySize(piaa_json_find(item, "weights")) == slot.dim;
    if (!whole) { /* before anything of that size is asked for */
        piaa_learned_broken(&from, "attributes",
                            "a list of attributes with \"features.dim\" weights each", error);
        return NULL;
    }
    piaa_projection *p = piaa_projection_new(&identity, &slot, count, error);
    if (p) memcpy(p->made, made, sizeof made);
    if (p && get_rest(&from, list, p, error)) return p;
    piaa_projection_free(p);
    return NULL;
}

piaa_projection *piaa_projection_parse(const char *text, size_t size, const char *where,
                                       piaa_error *error) {
    cJSON *root = piaa_json_parse(text, size, where, error);
    piaa_projection *p = root ? from_json(root, where, error) : NULL;
    cJSON_Delete(root);
    return p;
}

piaa_projection *piaa_projection_load(const char *path, piaa_error *error) {
    cJSON *root = piaa_json_read(path, LARGEST_FILE, error);
    piaa_projection *p = root ? from_json(root, path, error) : NULL;
    cJSON_Delete(root);
    return p;
}
