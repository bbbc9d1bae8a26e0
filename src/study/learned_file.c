/* What the files of learned things share. */
#include "study/learned_file.h"

#include "base/memory.h"
#include "study/joined.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_LAYER = 1 << 20, DATE_SIZE = 32 };

/* -------------------------------------------------------------------------------------- writing */

bool piaa_learned_add_number(cJSON *object, const char *key, double value) {
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    return isfinite(value) ? cJSON_AddRawToObject(object, key, text)
                           : cJSON_AddNullToObject(object, key);
}

bool piaa_learned_add_numbers(cJSON *object, const char *key, const double *values, int count) {
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

static bool add_slot(cJSON *part, const piaa_slot *slot) {
    return cJSON_AddStringToObject(part, "pool", piaa_pool_name(slot->pool)) &&
           piaa_learned_add_number(part, "layer", slot->layer) &&
           piaa_learned_add_number(part, "dim", slot->dim);
}

static bool add_slots(cJSON *features, const piaa_slot *slots, size_t count) {
    if (count == 1) return add_slot(features, slots);
    cJSON *list = cJSON_AddArrayToObject(features, "slots");
    for (size_t k = 0; list && k < count; k++) {
        cJSON *item = cJSON_CreateObject();
        if (!item || !cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            return false;
        }
        if (!add_slot(item, &slots[k])) return false;
    }
    return list;
}

bool piaa_learned_add_head(cJSON *root, const char *format, int version, const char *made,
                           const piaa_identity *identity, const piaa_slot *slots, size_t count) {
    cJSON *part = NULL;
    bool ok = cJSON_AddStringToObject(root, "format", format) &&
              piaa_learned_add_number(root, "version", version) &&
              cJSON_AddStringToObject(root, "made", made) &&
              (part = cJSON_AddObjectToObject(root, "features")) && add_slots(part, slots, count);
    for (size_t i = 0; ok && i < PIAA_IDENTITY_KEYS; i++)
        ok = cJSON_AddStringToObject(part, piaa_identity_keys[i].key,
                                     piaa_identity_get(identity, i));
    return ok;
}

char *piaa_learned_print(bool (*add)(cJSON *root, const void *thing), const void *thing,
                         bool indented, const char *noun, piaa_error *error) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
    cJSON *root = cJSON_CreateObject();
    char *text = NULL;
    if (plain != (locale_t)0 && root && add(root, thing))
        text = piaa_json_print(root, indented, error);
    else
        piaa_error_set(error, PIAA_MEMORY, "out of memory writing the %s: close other programs",
                       noun);
    cJSON_Delete(root);
    if (plain != (locale_t)0) {
        uselocale(before);
        freelocale(plain);
    }
    return text;
}

/* -------------------------------------------------------------------------------------- reading */

bool piaa_learned_broken(const piaa_learned_source *from, const char *key, const char *wanted,
                         piaa_error *error) {
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s: \"%s\" has to be %s: the file was damaged or changed by hand; make it again with `%s`",
        from->where, key, wanted, from->command);
}

bool piaa_learned_int(const piaa_learned_source *from, const char *key, int64_t least, int64_t most,
                      int64_t *out, piaa_error *error) {
    if (piaa_json_int(from->root, key, out) && *out >= least && *out <= most) return true;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)least,
             (long long)most);
    return piaa_learned_broken(from, key, wanted, error);
}

bool piaa_learned_number(const piaa_learned_source *from, const char *key, double *out,
                         piaa_error *error) {
    return (piaa_json_number(from->root, key, out) && isfinite(*out)) ||
           piaa_learned_broken(from, key, "a number", error);
}

bool piaa_learned_positive(const piaa_learned_source *from, const char *key, double *out,
                           piaa_error *error) {
    return piaa_learned_number(from, key, out, error) &&
           (*out > 0 || piaa_learned_broken(from, key, "more than 0", error));
}

bool piaa_learned_correlation(const piaa_learned_source *from, const char *key, double *out,
                              piaa_error *error) {
    *out = NAN;
    if (!piaa_json_find(from->root, key)) return true;
    return (piaa_json_number(from->root, key, out) && fabs(*out) <= 1) ||
           piaa_learned_broken(from, key, "a number from -1 to 1, or null", error);
}

bool piaa_learned_string(const piaa_learned_source *from, const char *key, const char **out,
                         piaa_error *error) {
    return (*out = piaa_json_string(from->root, key)) ||
           piaa_learned_broken(from, key, "a text", error);
}

bool piaa_learned_numbers(const piaa_learned_source *from, const char *key, double *out, int count,
                          piaa_error *error) {
    char wanted[80];
    const cJSON *array = piaa_json_find(from->root, key),
                *item = cJSON_IsArray(array) ? array->child : NULL;
    int j = 0;
    for (; item && j < count && cJSON_IsNumber(item) && isfinite(item->valuedouble);
         item = item->next)
        out[j++] = item->valuedouble;
    if (j == count && !item) return true;
    snprintf(wanted, sizeof wanted, "a list of %d numbers", count);
    return piaa_learned_broken(from, key, wanted, error);
}

bool piaa_learned_scales(const piaa_learned_source *from, const char *key, double *out, int count,
                         piaa_error *error) {
    if (!piaa_learned_numbers(from, key, out, count, error)) return false;
    for (int j = 0; j < count; j++)
        if (!(out[j] > 0))
            return piaa_learned_broken(from, key, "a list of positive numbers", error);
    return true;
}

static bool check_format(const piaa_learned_source *from, piaa_error *error) {
    const char *format = piaa_json_string(from->root, "format");
    int64_t version;
    if (!format || strcmp(format, from->format) != 0)
        return piaa_error_set(error, PIAA_FORMAT, "%s is not a %s: give a file that `%s` wrote",
                              from->where, from->noun, from->command);
    if (!piaa_learned_int(from, "version", 1, INT_MAX, &version, error)) return false;
    if (version > from->version)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s is a %s of version %lld, and this piaa reads version %d: use a newer piaa",
            from->where, from->noun, (long long)version, from->version);
    return true;
}

/* The keys pool, layer and dim behind `before` ("features."). */
static bool get_slot(const piaa_learned_source *from, const char *before, piaa_slot *slot,
                     piaa_error *error) {
    char pool[40], layer[40], dim[40];
    int64_t at, size;
    const char *name;
    snprintf(pool, sizeof pool, "%spool", before);
    snprintf(layer, sizeof layer, "%slayer", before);
    snprintf(dim, sizeof dim, "%sdim", before);
    if (!piaa_learned_string(from, pool, &name, error) ||
        !piaa_learned_int(from, layer, 0, LARGEST_LAYER, &at, error) ||
        !piaa_learned_int(from, dim, 1, PIAA_TASTE_LARGEST_DIM, &size, error))
        return false;
    if (!piaa_pool_parse(name, &slot->pool))
        return piaa_learned_broken(from, pool, "the name of a pool", error);
    slot->layer = (int)at;
    slot->dim = (int)size;
    return true;
}

/* Two slots or more, all different, whose lengths add up to what a vector may have. */
static bool get_slots(const piaa_learned_source *from, const cJSON *list, piaa_slot *slots,
                      size_t *count, piaa_error *error) {
    static const char key[] = "features.slots";
    const cJSON *item = cJSON_IsArray(list) ? list->child : NULL;
    int64_t dim = 0;
    for (; item && *count < PIAA_SOURCE_PARTS; item = item->next) {
        piaa_learned_source one = *from;
        one.root = item;
        if (!get_slot(&one, "", &slots[*count], error)) return false;
        dim += slots[*count].dim;
        for (size_t k = 0; k < *count; k++)
            if (slots[k].pool == slots[*count].pool && slots[k].layer == slots[*count].layer)
                return piaa_learned_broken(from, key, "a list of different pools and layers",
                                           error);
        (*count)++;
    }
    if (!item && *count > 1 && dim <= PIAA_TASTE_LARGEST_DIM) return true;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a list of 2 to %d pools and layers", PIAA_SOURCE_PARTS);
    return piaa_learned_broken(from, key, wanted, error);
}

bool piaa_learned_head(const piaa_learned_source *from, piaa_identity *identity, piaa_slot *slots,
                       size_t *count, char made[32], piaa_error *error) {
    const char *text;
    if (!check_format(from, error)) return false;
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        char key[40];
        snprintf(key, sizeof key, "features.%s", piaa_identity_keys[i].key);
        const bool later = piaa_identity_keys[i].before != NULL;
        text = "";
        if ((!later || piaa_json_find(from->root, key)) &&
            !piaa_learned_string(from, key, &text, error))
            return false;
        piaa_identity_set(identity, i, text);
    }
    const cJSON *list = count ? piaa_json_find(from->root, "features.slots") : NULL;
    if (count) *count = list ? 0 : 1;
    if (!(list ? get_slots(from, list, slots, count, error)
               : get_slot(from, "features.", slots, error)) ||
        !piaa_learned_string(from, "made", &text, error))
        return false;
    if (strlen(text) >= DATE_SIZE)
        return piaa_learned_broken(from, "made", "a date and time", error);
    strcpy(made, text);
    return true;
}
