/* Settings written as config.json, and two of them compared. */
#include "weights/settings_parts.h"

#include <stdio.h>
#include <string.h>

static cJSON *list_of(const piaa_ints *ints, bool kinds) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; list && i < ints->count; i++) {
        cJSON *item =
            kinds ? cJSON_CreateString(ints->items[i] ? "full_attention" : "sliding_attention")
                  : cJSON_CreateNumber(ints->items[i]);
        if (item && cJSON_AddItemToArray(list, item)) continue;
        cJSON_Delete(item);
        cJSON_Delete(list);
        return NULL;
    }
    return list;
}

static cJSON *item_of(const piaa_setting *row, const piaa_settings *settings) {
    const void *from = piaa_setting_member(row, settings);
    switch (row->kind) {
    case PIAA_SETTING_INT:
        return cJSON_CreateNumber(*(const int *)from);
    case PIAA_SETTING_PIXELS:
        return cJSON_CreateNumber((double)*(const int64_t *)from);
    case PIAA_SETTING_NUMBER:
        return cJSON_CreateNumber(*(const double *)from);
    case PIAA_SETTING_FLAG:
        return cJSON_CreateBool(*(const bool *)from);
    case PIAA_SETTING_TEXT:
        return cJSON_CreateString(*(const char *const *)from);
    case PIAA_SETTING_THREE:
        return cJSON_CreateDoubleArray(from, 3);
    default:
        return list_of(from, row->kind == PIAA_SETTING_BLOCKS);
    }
}

/* The object at each part of the dotted key, made where it is not there yet. */
static bool put(cJSON *object, const char *key, cJSON *item) {
    char part[PIAA_SETTINGS_KEY];
    for (size_t n; object && item && key[n = strcspn(key, ".")]; key += n + 1) {
        snprintf(part, sizeof part, "%.*s", (int)n, key);
        cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, part);
        object = inner ? inner : cJSON_AddObjectToObject(object, part);
    }
    if (object && item && cJSON_AddItemToObject(object, key, item)) return true;
    cJSON_Delete(item);
    return false;
}

/* Nothing is said of an empty list, and of what llama.cpp would take for granted. */
static bool is_said(const piaa_setting *row, const piaa_settings *settings,
                    const piaa_settings *defaults) {
    if (!row->keys || row->flags & PIAA_SILENT || row->kind == PIAA_SETTING_REFUSED) return false;
    if (row->kind == PIAA_SETTING_BLOCKS || row->kind == PIAA_SETTING_AXES)
        return ((const piaa_ints *)piaa_setting_member(row, settings))->count > 0;
    return row->flags & PIAA_SAID || !piaa_setting_same(row, settings, defaults);
}

bool piaa_settings_to_json(const piaa_settings_family *family, const piaa_settings *settings,
                           cJSON **config, cJSON **image, piaa_error *error) {
    static const char *const prefixes[] = {"", "text_config.", "vision_config.", ""};
    *config = cJSON_CreateObject();
    *image = cJSON_CreateObject();
    bool ok = *config && *image && cJSON_AddNumberToObject(*image, "rescale_factor", 1.0 / 255) &&
              cJSON_AddObjectToObject(*config, "text_config") &&
              cJSON_AddObjectToObject(*config, "vision_config") &&
              cJSON_AddStringToObject(*config, "model_type", family->model_type);
    for (size_t i = 0; ok && i < family->count; i++) {
        const piaa_setting *row = &family->rows[i];
        char key[PIAA_SETTINGS_KEY];
        if (!is_said(row, settings, &family->gguf)) continue;
        snprintf(key, sizeof key, "%s%s", prefixes[row->section], piaa_setting_name(row->keys));
        ok = put(row->section == PIAA_OF_IMAGE ? *image : *config, key, item_of(row, settings));
    }
    if (ok) return true;
    cJSON_Delete(*config);
    cJSON_Delete(*image);
    *config = *image = NULL;
    return piaa_error_set(error, PIAA_MEMORY, "out of memory for the configuration");
}

/* ------------------------------------------------------------------------------------- compared */

bool piaa_setting_same(const piaa_setting *row, const piaa_settings *a, const piaa_settings *b) {
    const void *x = piaa_setting_member(row, a), *y = piaa_setting_member(row, b);
    switch (row->kind) {
    case PIAA_SETTING_INT:
        return *(const int *)x == *(const int *)y;
    case PIAA_SETTING_PIXELS:
        return *(const int64_t *)x == *(const int64_t *)y;
    case PIAA_SETTING_NUMBER: /* as it is computed with, and as GGUF holds it */
        return (float)*(const double *)x == (float)*(const double *)y;
    case PIAA_SETTING_FLAG:
        return *(const bool *)x == *(const bool *)y;
    case PIAA_SETTING_TEXT: {
        const char *one = *(const char *const *)x, *other = *(const char *const *)y;
        return one == other || (one && other && strcmp(one, other) == 0);
    }
    case PIAA_SETTING_THREE:
        return memcmp(x, y, 3 * sizeof(double)) == 0;
    case PIAA_SETTING_REFUSED:
        return true;
    default: {
        const piaa_ints *one = x, *other = y;
        return one->count == other->count &&
               memcmp(one->items, other->items, (size_t)one->count * sizeof *one->items) == 0;
    }
    }
}

const char *piaa_settings_difference(const piaa_settings *a, const piaa_settings *b) {
    for (size_t i = 0; i < a->family->count; i++) {
        const piaa_setting *row = &a->family->rows[i];
        if (row->section != PIAA_OF_IMAGE && !(row->flags & (PIAA_SILENT | PIAA_FOLLOWS)) &&
            !piaa_setting_same(row, a, b))
            return piaa_setting_name(row->keys ? row->keys : row->gguf);
    }
    return NULL;
}
