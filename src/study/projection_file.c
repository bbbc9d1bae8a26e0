/* The attribute projection as JSON; study/projection.h lists the keys.  Numbers are written as in taste_file.c: 17 significant digits, in
 * the "C" locale. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "study/projection.h"
#include "study/taste_parts.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, LARGEST_DIM = 1 << 20, LARGEST_LAYER = 1 << 20, LARGEST_COUNT = 4096, LARGEST_FILE = 1 << 28 };
static const char format_name[] = "piaa-projection";

/* ----------------------------------------------------------------------------------------------------------- writing */

static bool add_number(cJSON *object, const char *key, double value) {
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    return isfinite(value) ? cJSON_AddRawToObject(object, key, text) : cJSON_AddNullToObject(object, key);
}

static bool add_numbers(cJSON *object, const char *key, const double *values, int count) {
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (int j = 0; array && j < count; j++) {
        char text[40];
        snprintf(text, sizeof text, "%.17g", values[j]);
        cJSON *item = cJSON_CreateRaw(text);
        if (!item || !cJSON_AddItemToArray(array, item)) {
            cJSON_Delete(item);
            return false;
        }
    }
    return array;
}

static bool add_features(cJSON *part, const piaa_projection *p) {
    if (!part || !cJSON_AddStringToObject(part, "pool", piaa_pool_name(p->slot.pool)) || !add_number(part, "layer", p->slot.layer) ||
        !add_number(part, "dim", p->slot.dim))
        return false;
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++)
        if (!cJSON_AddStringToObject(part, piaa_taste_texts[i].key, piaa_taste_text_get(&p->identity, i))) return false;
    return true;
}

static bool add_attribute(cJSON *list, const piaa_projection *p, int k) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        return false;
    }
    return cJSON_AddStringToObject(item, "name", p->names[k]) && add_number(item, "intercept", p->intercepts[k]) &&
           add_number(item, "average", p->averages[k]) && add_number(item, "deviation", p->deviations[k]) &&
           add_number(item, "loo_spearman", p->loo_spearman[k]) &&
           add_numbers(item, "weights", p->weights + (size_t)k * (size_t)p->slot.dim, p->slot.dim);
}

static bool add_all(cJSON *root, const piaa_projection *p) {
    cJSON *list;
    bool ok = cJSON_AddStringToObject(root, "format", format_name) && add_number(root, "version", VERSION) &&
              cJSON_AddStringToObject(root, "made", p->made) && add_features(cJSON_AddObjectToObject(root, "features"), p) &&
              add_number(root, "images", (double)p->images) && add_number(root, "alpha", p->alpha) &&
              add_numbers(root, "mean", p->mean, p->slot.dim) && add_numbers(root, "scale", p->scale, p->slot.dim) &&
              (list = cJSON_AddArrayToObject(root, "attributes"));
    for (int k = 0; ok && k < p->count; k++) ok = add_attribute(list, p, k);
    return ok;
}

char *piaa_projection_to_json(const piaa_projection *p, piaa_error *error) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
    cJSON *root = cJSON_CreateObject();
    char *printed = plain != (locale_t)0 && root && add_all(root, p) ? cJSON_PrintUnformatted(root) : NULL;
    char *text = NULL;
    if (printed)
        text = piaa_format(error, "%s\n", printed);
    else
        piaa_error_set(error, PIAA_MEMORY, "out of memory writing the projection: close other programs");
    cJSON_free(printed);
    cJSON_Delete(root);
    if (plain != (locale_t)0) {
        uselocale(before);
        freelocale(plain);
    }
    return text;
}

bool piaa_projection_save(const piaa_projection *p, const char *path, piaa_error *error) {
    if (!p) return piaa_error_missing(error, "projection");
    char *text = piaa_projection_to_json(p, error);
    bool ok = text && piaa_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

/* ----------------------------------------------------------------------------------------------------------- reading */

static bool broken(const char *where, const char *key, const char *wanted, piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s: \"%s\" has to be %s: the file was damaged or changed by hand; make it again with "
                          "`piaa reduce`",
                          where, key, wanted);
}

static bool get_int(const cJSON *root, const char *where, const char *key, int64_t least, int64_t most, int64_t *out, piaa_error *error) {
    if (piaa_json_int(root, key, out) && *out >= least && *out <= most) return true;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)least, (long long)most);
    return broken(where, key, wanted, error);
}

static bool get_number(const cJSON *root, const char *where, const char *key, double *out, piaa_error *error) {
    return (piaa_json_number(root, key, out) && isfinite(*out)) || broken(where, key, "a number", error);
}

static bool get_string(const cJSON *root, const char *where, const char *key, const char **out, piaa_error *error) {
    return (*out = piaa_json_string(root, key)) || broken(where, key, "a text", error);
}

static bool get_numbers(const cJSON *root, const char *where, const char *key, double *out, int count, piaa_error *error) {
    char wanted[80];
    const cJSON *array = piaa_json_find(root, key), *item = cJSON_IsArray(array) ? array->child : NULL;
    int j = 0;
    for (; item && j < count && cJSON_IsNumber(item) && isfinite(item->valuedouble); item = item->next) out[j++] = item->valuedouble;
    if (j == count && !item) return true;
    snprintf(wanted, sizeof wanted, "a list of %d numbers", count);
    return broken(where, key, wanted, error);
}

static bool check_format(const cJSON *root, const char *where, piaa_error *error) {
    const char *format = piaa_json_string(root, "format");
    int64_t version;
    if (!format || strcmp(format, format_name) != 0)
        return piaa_error_set(error, PIAA_FORMAT, "%s is not an attribute projection: give a file that `piaa reduce` wrote", where);
    if (!get_int(root, where, "version", 1, INT_MAX, &version, error)) return false;
    if (version > VERSION)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a projection of version %lld, and this piaa reads version %d: use a newer piaa", where,
                              (long long)version, VERSION);
    return true;
}

/* The identity's strings stay the JSON's. */
static bool get_features(const cJSON *root, const char *where, piaa_identity *identity, piaa_slot *slot, piaa_error *error) {
    const char *text;
    int64_t layer, dim;
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++) {
        char key[40];
        snprintf(key, sizeof key, "features.%s", piaa_taste_texts[i].key);
        if (!get_string(root, where, key, &text, error)) return false;
        piaa_taste_text_set(identity, i, text);
    }
    if (!get_string(root, where, "features.pool", &text, error) ||
        !get_int(root, where, "features.layer", 0, LARGEST_LAYER, &layer, error) ||
        !get_int(root, where, "features.dim", 1, LARGEST_DIM, &dim, error))
        return false;
    if (!piaa_pool_parse(text, &slot->pool)) return broken(where, "features.pool", "lt, lt_tail, lv or v", error);
    slot->layer = (int)layer;
    slot->dim = (int)dim;
    return true;
}

static bool get_attribute(const cJSON *item, const char *where, piaa_projection *p, int k, piaa_error *error) {
    const char *name;
    if (!get_string(item, where, "name", &name, error) || !get_number(item, where, "intercept", &p->intercepts[k], error) ||
        !get_number(item, where, "average", &p->averages[k], error) || !get_number(item, where, "deviation", &p->deviations[k], error) ||
        !get_numbers(item, where, "weights", p->weights + (size_t)k * (size_t)p->slot.dim, p->slot.dim, error))
        return false;
    if (!(p->deviations[k] >= 0)) return broken(where, "deviation", "0 or more", error);
    p->loo_spearman[k] = NAN;
    if (piaa_json_find(item, "loo_spearman") &&
        (!piaa_json_number(item, "loo_spearman", &p->loo_spearman[k]) || fabs(p->loo_spearman[k]) > 1))
        return broken(where, "loo_spearman", "a number from -1 to 1, or null", error);
    return (p->names[k] = piaa_strdup(name, error)) != NULL;
}

static bool get_rest(const cJSON *root, const cJSON *list, const char *where, piaa_projection *p, piaa_error *error) {
    const char *made;
    int dim = p->slot.dim;
    if (!get_string(root, where, "made", &made, error) || !get_int(root, where, "images", 2, INT64_MAX, &p->images, error) ||
        !get_number(root, where, "alpha", &p->alpha, error) || !get_numbers(root, where, "mean", p->mean, dim, error) ||
        !get_numbers(root, where, "scale", p->scale, dim, error))
        return false;
    if (strlen(made) >= sizeof p->made) return broken(where, "made", "a date and time", error);
    strcpy(p->made, made);
    if (!(p->alpha > 0)) return broken(where, "alpha", "more than 0", error);
    for (int j = 0; j < dim; j++)
        if (!(p->scale[j] > 0)) return broken(where, "scale", "a list of positive numbers", error);
    int k = 0;
    for (const cJSON *item = list->child; item; item = item->next)
        if (!get_attribute(item, where, p, k++, error)) return false;
    return true;
}

static piaa_projection *from_json(const cJSON *root, const char *where, piaa_error *error) {
    piaa_identity identity = {0};
    piaa_slot slot = {0};
    if (!check_format(root, where, error) || !get_features(root, where, &identity, &slot, error)) return NULL;
    const cJSON *list = piaa_json_find(root, "attributes");
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    bool whole = count >= 1 && count <= LARGEST_COUNT;
    for (const cJSON *item = whole ? list->child : NULL; item; item = item->next)
        whole = whole && cJSON_GetArraySize(piaa_json_find(item, "weights")) == slot.dim;
    if (!whole) { /* before anything of that size is asked for */
        broken(where, "attributes", "a list of attributes with \"features.dim\" weights each", error);
        return NULL;
    }
    piaa_projection *p = piaa_projection_new(&identity, &slot, count, error);
    if (p && get_rest(root, list, where, p, error)) return p;
    piaa_projection_free(p);
    return NULL;
}

piaa_projection *piaa_projection_parse(const char *text, size_t size, const char *where, piaa_error *error) {
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
